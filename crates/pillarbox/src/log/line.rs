//! One event as text.

use std::fmt::{Display, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Fields, Level};
use crate::net::Peer;

/// Something that can stand in a log line's JSON.
pub trait Value {
    /// Appends the value as JSON.
    fn write_json(&self, out: &mut String);
}

/// Anything that can be displayed, as a JSON string. Errors show their causes, `: ` between.
pub struct Text<T>(pub T);

impl<T: Display> Value for Text<T> {
    fn write_json(&self, out: &mut String) {
        write_string(&format!("{:#}", self.0), out);
    }
}

/// JSON that was made elsewhere.
pub(super) struct Json(pub(super) String);

impl Value for Json {
    fn write_json(&self, out: &mut String) {
        out.push_str(&self.0);
    }
}

impl Value for str {
    fn write_json(&self, out: &mut String) {
        write_string(self, out);
    }
}

impl<T: Value + ?Sized> Value for &T {
    fn write_json(&self, out: &mut String) {
        (**self).write_json(out);
    }
}

impl<T: Value> Value for Option<T> {
    fn write_json(&self, out: &mut String) {
        match self {
            Some(value) => value.write_json(out),
            None => out.push_str("null"),
        }
    }
}

/// Types whose display form is JSON as it stands, and types whose display form is a string.
macro_rules! values {
    (plain: $($plain:ty),*; text: $($text:ty),*) => {
        $(impl Value for $plain {
            fn write_json(&self, out: &mut String) {
                let _ = write!(out, "{self}");
            }
        })*
        $(impl Value for $text {
            fn write_json(&self, out: &mut String) {
                write_string(&format!("{self:#}"), out);
            }
        })*
    };
}

values! {
    plain: bool, u8, u16, u32, u64, usize, i32, i64;
    text: String, IpAddr, SocketAddr, Peer, std::io::Error, anyhow::Error
}

/// A whole line with its end, without time stamp.
pub(super) fn line(level: Level, name: &str, message: &str, fields: Fields<'_>) -> String {
    let mut out = String::with_capacity(128);
    if level == Level::Debug {
        out.push_str("[debug] ");
    }
    push_clean(name, &mut out);
    out.push_str(": ");
    push_clean(message, &mut out);
    out.push('\t');
    write_object(fields, &mut out);
    out.push('\n');
    out
}

fn push_clean(text: &str, out: &mut String) {
    out.extend(text.chars().map(|c| if breaks_lines(c) { ' ' } else { c }));
}

fn write_object(fields: Fields<'_>, out: &mut String) {
    if fields.is_empty() {
        return;
    }
    let mut sorted: Vec<_> = fields.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    for (place, (key, value)) in sorted.into_iter().enumerate() {
        out.push(if place == 0 { '{' } else { ',' });
        write_string(key, out);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

/// A JSON string (RFC 8259 §7). What a terminal or a line reader could take for more than text is
/// escaped although JSON would let it stand.
pub(super) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if breaks_lines(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Controls (C0, DEL, C1) and the two separators that some readers break lines at: all below
/// U+10000, so that four hexadecimal digits do.
fn breaks_lines(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The time as `2006-01-02T15:04:05.000Z`. A clock before 1970 reads as 1970.
pub(crate) fn timestamp(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs();
    let (year, month, day) = civil(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    let milli = since.subsec_millis();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

/// Year, month and day of a number of days since 1970-01-01, in the Gregorian calendar.
fn civil(days: u64) -> (u64, u64, u64) {
    /// Days from 1970 to 2000-03-01, in 400-year cycles of 146,097: years are counted from March,
    /// so that the leap day is a year's last.
    const TO_MARCH_OF_YEAR_0: u64 = 719_468;
    let days = days + TO_MARCH_OF_YEAR_0;
    let (cycle, day) = (days / 146_097, days % 146_097);
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (5 * day + 2) / 153;
    let day_of_month = day - (153 * month + 2) / 5 + 1;
    let year = cycle * 400 + year_of_cycle;
    if month < 10 {
        (year, month + 3, day_of_month)
    } else {
        (year + 1, month - 9, day_of_month)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn time_stamps_follow_the_calendar() {
        let at = |seconds: u64| timestamp(UNIX_EPOCH + Duration::from_millis(seconds * 1_000 + 45));
        assert_eq!(at(0), "1970-01-01T00:00:00.045Z");
        assert_eq!(at(951_782_399), "2000-02-28T23:59:59.045Z");
        assert_eq!(at(951_782_400), "2000-02-29T00:00:00.045Z");
        assert_eq!(at(1_772_323_200), "2026-03-01T00:00:00.045Z");
        assert_eq!(at(4_107_542_399), "2100-02-28T23:59:59.045Z");
        assert_eq!(at(4_107_542_400), "2100-03-01T00:00:00.045Z");
    }

    #[test]
    fn errors_show_their_causes() {
        let error = anyhow::anyhow!("no such file").context("failed to load cert.pem");
        let mut out = String::new();
        error.write_json(&mut out);
        assert_eq!(out, "\"failed to load cert.pem: no such file\"");
    }
}
