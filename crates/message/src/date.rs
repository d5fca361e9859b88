//! Dates: RFC 5322 §3.3 with the obsolete forms of §4.3, IMAP's internal date, and civil days.
//!
//! A point in time is a pair: seconds since 1970-01-01T00:00:00Z, and the zone it was written in,
//! in minutes east of UTC.

use crate::cursor::Cursor;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Seconds in a day.
pub const DAY_SECONDS: i64 = 86_400;

/// The largest zone that is believed, in minutes.
const MAX_ZONE_MINUTES: i16 = 24 * 60 - 1;

/// Days since 1970-01-01 of a day of the Gregorian calendar. Month and day count from 1; a day
/// beyond the month's end runs into the next month.
pub fn days_from_civil(year: i32, month: u32, day: u32) -> i64 {
    // Years that begin in March have their leap day last.
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let month_from_march = (i64::from(month) + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// Year, month and day, the last two from 1, of a day since 1970-01-01.
pub fn civil_from_days(days: i64) -> (i32, u32, u32) {
    let days = days.clamp(-700_000_000_000, 700_000_000_000) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * month_from_march + 2) / 5 + 1) as u32;
    let month = ((month_from_march + 2) % 12 + 1) as u32;
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year as i32, month, day)
}

/// The day, since 1970-01-01, that a clock in that zone shows. What SEARCH compares: time and zone
/// are disregarded as written (RFC 9051 §6.4.4).
pub fn civil_day(secs: i64, zone_minutes: i16) -> i64 {
    secs.saturating_add(i64::from(zone_minutes) * 60)
        .div_euclid(DAY_SECONDS)
}

/// Number of days in a month.
fn month_days(year: i32, month: u32) -> u32 {
    let (next_year, next) = if month == 12 {
        (year + 1, 1)
    } else {
        (year, month + 1)
    };
    (days_from_civil(next_year, next, 1) - days_from_civil(year, month, 1)) as u32
}

fn month_number(word: &[u8]) -> Option<u32> {
    let start = word.get(..3)?;
    let at = MONTHS
        .iter()
        .position(|month| start.eq_ignore_ascii_case(month.as_bytes()))?;
    Some(at as u32 + 1)
}

/// Parses a Date field's value.
///
/// Takes the obsolete forms (two and three digits of a year, named zones, comments), and what else
/// is common: no day of the week, no seconds, no time, no zone, dashes in the date, and C's
/// asctime. `None` if there is no day of month, month and year; an impossible time of day counts as
/// midnight, an unknown zone as UTC.
pub fn parse(value: &[u8]) -> Option<(i64, i16)> {
    let mut at = Cursor::new(value);
    let mut word = next_word(&mut at);
    if word.first()?.is_ascii_alphabetic() && month_number(word).is_none() {
        word = next_word(&mut at);
    }
    let (year, month, day, time) = match month_number(word) {
        Some(month) => asctime(&mut at, month)?,
        None => {
            let day = number(word)?;
            let month = month_number(next_word(&mut at))?;
            let year = full_year(next_word(&mut at))?;
            (year, month, day, time(&mut at))
        }
    };
    if !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let zone = zone_minutes(&mut at);
    let days = days_from_civil(year, month, day);
    Some((
        days * DAY_SECONDS + i64::from(time) - i64::from(zone) * 60,
        zone,
    ))
}

/// The rest of `Jan 2 15:04:05 2006` after its month.
fn asctime(at: &mut Cursor<'_>, month: u32) -> Option<(i32, u32, u32, u32)> {
    let day = number(next_word(at))?;
    let mut year_first = at.clone();
    let third = next_word(&mut year_first);
    if third.len() == 4 && year_first.peek() != Some(b':') {
        *at = year_first;
        let year = full_year(third)?;
        return Some((year, month, day, time(at)));
    }
    let time = time(at);
    Some((full_year(next_word(at))?, month, day, time))
}

/// The next run of letters or of digits; commas, dashes, dots, comments and white space are passed
/// over.
fn next_word<'a>(at: &mut Cursor<'a>) -> &'a [u8] {
    loop {
        at.skip_cfws();
        match at.peek() {
            Some(b',' | b'-' | b'.' | b'/') => at.skip(1),
            Some(byte) if byte.is_ascii_digit() => return at.run(|b| b.is_ascii_digit()),
            _ => return at.run(|b| b.is_ascii_alphabetic()),
        }
    }
}

fn number(word: &[u8]) -> Option<u32> {
    str::from_utf8(word)
        .ok()
        .filter(|_| word.len() <= 4)?
        .parse()
        .ok()
}

/// RFC 5322 §4.3: 00 to 49 are in this century, 50 to 99 and three digits after 1900.
fn full_year(word: &[u8]) -> Option<i32> {
    let year = i32::try_from(number(word)?).ok()?;
    Some(match (word.len(), year) {
        (..=2, ..50) => 2000 + year,
        (..=3, _) => 1900 + year,
        _ => year,
    })
}

/// `hour ":" minute [":" second]` as seconds of the day; midnight if there is no such thing.
fn time(at: &mut Cursor<'_>) -> u32 {
    let mut ahead = at.clone();
    ahead.skip_cfws();
    let hour = ahead.run(|b| b.is_ascii_digit());
    let minute = time_part(&mut ahead);
    let (Some(hour), Some(minute)) = (number(hour), minute) else {
        return 0;
    };
    let second = time_part(&mut ahead).unwrap_or(0);
    *at = ahead;
    // A leap second is the last one of its minute.
    let possible = hour < 24 && minute < 60 && second <= 60;
    if possible {
        hour * 3600 + minute * 60 + second.min(59)
    } else {
        0
    }
}

/// `":" 2DIGIT`; some mailers write dots.
fn time_part(at: &mut Cursor<'_>) -> Option<u32> {
    let mut ahead = at.clone();
    ahead.skip_cfws();
    if !ahead.eat(b':') && !ahead.eat(b'.') {
        return None;
    }
    ahead.skip_cfws();
    let part = number(ahead.run(|b| b.is_ascii_digit()))?;
    *at = ahead;
    Some(part)
}

/// `zone = ("+" / "-") 4DIGIT / obs-zone`, in minutes; 0 for what is not known (RFC 5322 §4.3).
fn zone_minutes(at: &mut Cursor<'_>) -> i16 {
    // Fractions of a second, and `GMT+0200`, which some write.
    at.skip_cfws();
    if at.eat(b'.') {
        at.run(|b| b.is_ascii_digit());
        at.skip_cfws();
    }
    let name = at.run(|b| b.is_ascii_alphabetic());
    let sign = match at.peek() {
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return named_zone(name),
    };
    at.skip(1);
    let hours = at.run(|b| b.is_ascii_digit());
    at.eat(b':');
    let minutes = at.run(|b| b.is_ascii_digit());
    let digits = [hours, minutes].concat();
    let Some(value) = number(&digits) else {
        return 0;
    };
    let minutes = if digits.len() <= 2 {
        value * 60
    } else {
        value / 100 * 60 + value % 100
    };
    match i16::try_from(minutes) {
        Ok(minutes) if minutes <= MAX_ZONE_MINUTES => sign * minutes,
        _ => 0,
    }
}

/// The named zones of RFC 822; military letters mean nothing certain and count as UTC.
fn named_zone(name: &[u8]) -> i16 {
    let zones: [(&[u8], i16); 10] = [
        (b"EST", -5),
        (b"EDT", -4),
        (b"CST", -6),
        (b"CDT", -5),
        (b"MST", -7),
        (b"MDT", -6),
        (b"PST", -8),
        (b"PDT", -7),
        (b"CET", 1),
        (b"CEST", 2),
    ];
    let found = zones
        .iter()
        .find(|(zone, _)| name.eq_ignore_ascii_case(zone));
    found.map_or(0, |(_, hours)| hours * 60)
}

/// `date-time` of RFC 9051 §9 without its quotes: ` 1-Jan-2024 09:05:00 +0100`. Years outside 0 to
/// 9999, which the syntax cannot say, become those.
pub fn format_internal(secs: i64, zone_minutes: i16) -> String {
    let zone = zone_minutes.clamp(-MAX_ZONE_MINUTES, MAX_ZONE_MINUTES);
    let local = secs.saturating_add(i64::from(zone) * 60);
    let (year, month, day) = civil_from_days(local.div_euclid(DAY_SECONDS));
    let time = local.rem_euclid(DAY_SECONDS);
    let month = MONTHS[(month as usize - 1) % 12];
    let sign = if zone < 0 { '-' } else { '+' };
    let zone = zone.unsigned_abs();
    format!(
        "{day:>2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
        year.clamp(0, 9999),
        time / 3600,
        time / 60 % 60,
        time % 60,
        zone / 60,
        zone % 60
    )
}

/// Parses `date-time` of RFC 9051 §9 without its quotes, strictly: what APPEND takes.
pub fn parse_internal(text: &[u8]) -> Option<(i64, i16)> {
    let text = <&[u8; 26]>::try_from(text).ok()?;
    let digits = |range: std::ops::Range<usize>| -> Option<u32> {
        let digits = &text[range];
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then(|| number(digits))?
    };
    let day = if text[0] == b' ' {
        digits(1..2)?
    } else {
        digits(0..2)?
    };
    let month = month_number(&text[3..6])?;
    let year = digits(7..11)? as i32;
    let (hour, minute, second) = (digits(12..14)?, digits(15..17)?, digits(18..20)?);
    let (zone_hours, zone_minutes) = (digits(22..24)?, digits(24..26)?);
    let marks = [text[2], text[6], text[11], text[14], text[17], text[20]];
    let possible = (1..=month_days(year, month)).contains(&day)
        && (hour < 24 && minute < 60 && second <= 60 && zone_hours < 24 && zone_minutes < 60)
        && marks == *b"-- :: "
        && matches!(text[21], b'+' | b'-');
    let sign = if text[21] == b'-' { -1 } else { 1 };
    let zone = sign * (zone_hours * 60 + zone_minutes) as i16;
    let time = i64::from(hour * 3600 + minute * 60 + second.min(59));
    let days = days_from_civil(year, month, day);
    possible.then_some((days * DAY_SECONDS + time - i64::from(zone) * 60, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-01-02T03:04:05Z
    const SECS: i64 = 1_704_164_645;

    #[test]
    fn dates_of_mail_are_read_in_all_their_forms() {
        for (value, expected) in [
            ("Tue, 2 Jan 2024 03:04:05 +0000", (SECS, 0)),
            ("Tue, 02 Jan 2024 03:04:05 -0000 (GMT)", (SECS, 0)),
            ("2 Jan 2024 04:04:05 +0100", (SECS, 60)),
            ("Mon, 1 Jan 2024 22:04:05 -0500", (SECS, -300)),
            ("Mon, 1 Jan 2024 22:04:05 EST", (SECS, -300)),
            ("Mon, 1 Jan 24 22:04:05 EST", (SECS, -300)),
            ("Tue, 2 Jan 124 03:04:05 GMT", (SECS, 0)),
            ("tue,2 jan 2024 3:04:05 Z", (SECS, 0)),
            (
                "Tue (day), 2 (two) Jan (month) 2024 03 : 04 : 05 (t) +0000",
                (SECS, 0),
            ),
            ("Tue,\r\n 2 Jan 2024\r\n 03:04:05 +0000", (SECS, 0)),
            ("Tue Jan  2 03:04:05 2024", (SECS, 0)),
            ("Tue Jan 2 2024 03:04:05 GMT+0000", (SECS, 0)),
            ("Tue, 2-Jan-2024 03:04:05 +00:00", (SECS, 0)),
            ("Tuesday, January 2, 2024 03:04:05", (SECS, 0)),
            ("2 Jan 2024 03:04:05.123 +0000", (SECS, 0)),
            ("2 Jan 2024 03:04 +0000", (SECS - 5, 0)),
            ("2 Jan 2024", (SECS - 3 * 3600 - 4 * 60 - 5, 0)),
            (
                "2 Jan 2024 25:00:00 +0000",
                (SECS - 3 * 3600 - 4 * 60 - 5, 0),
            ),
            ("31 Dec 1969 23:59:60 +0000", (-1, 0)),
            ("1 Jan 70 00:00:00 +9999", (0, 0)),
        ] {
            assert_eq!(parse(value.as_bytes()), Some(expected), "{value}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for value in [
            "",
            " ",
            "yesterday",
            "Tue",
            "2",
            "2 Jan",
            "30 Feb 2024",
            "0 Jan 2024",
            "99999 Jan 1",
        ] {
            assert_eq!(parse(value.as_bytes()), None, "{value}");
        }
    }

    #[test]
    fn internal_dates_are_printed_and_read() {
        assert_eq!(format_internal(SECS, 0), " 2-Jan-2024 03:04:05 +0000");
        assert_eq!(format_internal(SECS, -330), " 1-Jan-2024 21:34:05 -0530");
        for text in [" 2-Jan-2024 03:04:05 +0000", "29-Feb-2024 23:59:59 -1130"] {
            let (secs, zone) = parse_internal(text.as_bytes()).expect("a date");
            assert_eq!(format_internal(secs, zone), text);
        }
        assert!(parse_internal(b"02-jan-2024 03:04:05 +0000").is_some());
        for text in [
            "",
            "2-Jan-2024 03:04:05 +0000",
            "30-Feb-2024 03:04:05 +0000",
            " 2-Jan-2024 24:04:05 +0000",
            " 2-Jan-2024 03:04:05  0000",
            " 2-Jan-2024T03:04:05 +0000",
            " 2-Jan-2024 +3:04:05 +0000",
        ] {
            assert_eq!(parse_internal(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn civil_days_are_the_gregorian_calendar() {
        for (civil, days) in [
            ((1970, 1, 1), 0),
            ((2000, 2, 29), 11_016),
            ((1600, 3, 1), -135_080),
        ] {
            assert_eq!(days_from_civil(civil.0, civil.1, civil.2), days);
            assert_eq!(civil_from_days(days), civil);
        }
        for days in (-800_000..3_000_000).step_by(97) {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month, day), days);
            assert!((1..=12).contains(&month) && (1..=month_days(year, month)).contains(&day));
        }
        assert_eq!(civil_day(SECS, -300), civil_day(SECS, 0) - 1);
    }
}
