//! Dates of the wire: `date` of SEARCH, `date-time` of APPEND and INTERNALDATE (RFC 3501 §9).

use pillarbox_model::InternalDate;

use super::lex::{Cursor, Parsed};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

const SECONDS_PER_DAY: i64 = 86_400;
/// A zone is less than a day away; more is no zone on Earth.
const ZONE_HOURS: u32 = 24;

/// `date`: days since 1970-01-01. Quotes are optional.
pub(super) fn date(cursor: &mut Cursor<'_>) -> Parsed<i64> {
    let quoted = cursor.eat(b'"');
    let days = day(cursor)?;
    if quoted {
        cursor.expect(b'"', "Expected a quote at the end of the date")?;
    }
    Ok(days)
}

/// `date-time`. A day below ten may have a space, a zero or nothing in front.
pub(super) fn date_time(cursor: &mut Cursor<'_>) -> Parsed<InternalDate> {
    cursor.expect(b'"', "Expected a date")?;
    cursor.eat(b' ');
    let days = day(cursor)?;
    cursor.space()?;
    let hours = digits(cursor, 2, 23, "Expected an hour")?;
    cursor.expect(b':', "Expected : after the hour")?;
    let minutes = digits(cursor, 2, 59, "Expected a minute")?;
    cursor.expect(b':', "Expected : after the minute")?;
    // A leap second is the first second of the next minute.
    let seconds = digits(cursor, 2, 60, "Expected a second")?;
    cursor.space()?;
    let zone = zone(cursor)?;
    cursor.expect(b'"', "Expected a quote at the end of the date")?;
    let local = days * SECONDS_PER_DAY + i64::from(hours * 3_600 + minutes * 60 + seconds);
    Ok(InternalDate {
        unix_seconds: local - i64::from(zone) * 60,
        zone_minutes: zone,
    })
}

/// `zone`, in minutes east of Greenwich.
fn zone(cursor: &mut Cursor<'_>) -> Parsed<i16> {
    let west = cursor.eat(b'-');
    if !west {
        cursor.expect(b'+', "Expected a zone like +0000")?;
    }
    let hours = digits(cursor, 2, ZONE_HOURS - 1, "Expected the hours of a zone")?;
    let minutes = digits(cursor, 2, 59, "Expected the minutes of a zone")?;
    let east = i16::try_from(hours * 60 + minutes).unwrap_or(0);
    Ok(if west { -east } else { east })
}

/// `date-text`: day, month and year, as days since 1970-01-01.
fn day(cursor: &mut Cursor<'_>) -> Parsed<i64> {
    let start = cursor.position();
    let day = cursor.number("Expected a day of the month")?;
    cursor.expect(b'-', "Expected - after the day")?;
    let month = month(cursor)?;
    cursor.expect(b'-', "Expected - after the month")?;
    let year = digits(cursor, 4, 9_999, "Expected a year of four digits")?;
    if day == 0 || day > days_in_month(year, month) {
        return cursor.fail_at(start, "There is no such day in that month");
    }
    Ok(days_from_civil(year.into(), month, day))
}

/// A month's name, as 1 to 12.
fn month(cursor: &mut Cursor<'_>) -> Parsed<u32> {
    for (name, number) in MONTHS.iter().zip(1..) {
        // `Jan-1994` would be one atom, so the name is compared by itself.
        if cursor.prefix(name) {
            return Ok(number);
        }
    }
    cursor.fail("Expected a month like Jan")
}

/// Exactly `count` digits, at most `max`.
fn digits(cursor: &mut Cursor<'_>, count: usize, max: u32, problem: &'static str) -> Parsed<u32> {
    let start = cursor.position();
    let mut number = 0;
    for _ in 0..count {
        let digit = cursor.peek().filter(u8::is_ascii_digit);
        let Some(digit) = digit else {
            return cursor.fail_at(start, problem);
        };
        cursor.eat(digit);
        number = number * 10 + u32::from(digit - b'0');
    }
    if number > max {
        return cursor.fail_at(start, problem);
    }
    Ok(number)
}

const fn days_in_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last of its year; 146 097 days are 400
/// years.
const fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let months_from_march = (month as i64 + 9) % 12;
    let day_of_year = (153 * months_from_march + 2) / 5 + day as i64 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - DAYS_TO_1970
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;

/// The inverse of [`days_from_civil`]: year, month, day.
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_TO_1970;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let leap_days = day_of_era / 1_460 - day_of_era / 36_524 + day_of_era / 146_096;
    let year_of_era = (day_of_era - leap_days) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let months_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * months_from_march + 2) / 5 + 1;
    let month = (months_from_march + 2) % 12 + 1;
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Appends a `date-time` in its own zone, in quotes. A day below ten has a space in front
/// (`date-day-fixed`), as most clients and servers have it. Years that four digits can't say are cut to
/// those that they can.
pub fn push_date_time(out: &mut Vec<u8>, date: InternalDate) {
    let local = date
        .unix_seconds
        .saturating_add(i64::from(date.zone_minutes) * 60);
    let (year, month, day) = civil_from_days(local.div_euclid(SECONDS_PER_DAY));
    let year = year.clamp(0, 9_999);
    let second = local.rem_euclid(SECONDS_PER_DAY);
    let zone = i64::from(date.zone_minutes.unsigned_abs());
    let mut text = *b"\"00-Jan-0000 00:00:00 +0000\"";
    text[4..7].copy_from_slice(MONTHS[(month as usize + 11) % 12].as_bytes());
    text[22] = if date.zone_minutes < 0 { b'-' } else { b'+' };
    for (at, number) in [
        (1, day),
        (8, year / 100),
        (10, year % 100),
        (13, second / 3_600),
        (16, second / 60 % 60),
        (19, second % 60),
        (23, (zone / 60).min(99)),
        (25, zone % 60),
    ] {
        text[at] += (number / 10) as u8;
        text[at + 1] += (number % 10) as u8;
    }
    if text[1] == b'0' {
        text[1] = b' ';
    }
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::frame::Frame;

    fn read(text: &str) -> Option<InternalDate> {
        let frame = Frame {
            bytes: text.into(),
            literals: Vec::new(),
        };
        date_time(&mut Cursor::new(&frame, 0)).ok()
    }

    fn written(date: InternalDate) -> String {
        let mut out = Vec::new();
        push_date_time(&mut out, date);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn known_instants() {
        let date = read("\"17-Jul-1996 02:44:25 -0700\"").unwrap();
        assert_eq!((date.unix_seconds, date.zone_minutes), (837_596_665, -420));
        assert_eq!(written(date), "\"17-Jul-1996 02:44:25 -0700\"");
        assert_eq!(
            written(InternalDate::utc(0)),
            "\" 1-Jan-1970 00:00:00 +0000\""
        );
        assert_eq!(
            read("\" 1-jan-1970 00:00:00 +0000\""),
            Some(InternalDate::utc(0))
        );
        assert_eq!(
            read("\"1-JAN-1970 00:00:00 +0000\""),
            Some(InternalDate::utc(0))
        );
    }

    #[test]
    fn every_day_of_eight_centuries_reads_back() {
        for days in -200_000..200_000 {
            let (year, month, day) = civil_from_days(days);
            assert_eq!(days_from_civil(year, month as u32, day as u32), days);
            assert!(day as u32 <= days_in_month(year as u32, month as u32));
        }
    }

    #[test]
    fn no_such_day() {
        for text in [
            "\"31-Apr-2024 00:00:00 +0000\"",
            "\"29-Feb-2023 00:00:00 +0000\"",
            "\"29-Feb-1900 00:00:00 +0000\"",
            "\"00-Jan-2024 00:00:00 +0000\"",
            "\"01-Jan-2024 24:00:00 +0000\"",
            "\"01-Jan-24 00:00:00 +0000\"",
            "\"01-Foo-2024 00:00:00 +0000\"",
            "\"01-Jan-2024 00:00:00 0000\"",
            "\"01-Jan-2024 0:00:00 +0000\"",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(read("\"29-Feb-2000 23:59:60 +1400\"").is_some());
    }

    #[test]
    fn no_instant_panics() {
        for unix_seconds in [i64::MIN, i64::MIN / 2, -1, 253_402_300_800, i64::MAX] {
            for zone_minutes in [i16::MIN, -1, 0, i16::MAX] {
                let text = written(InternalDate {
                    unix_seconds,
                    zone_minutes,
                });
                assert_eq!(text.len(), "\"17-Jul-1996 02:44:25 -0700\"".len());
            }
        }
    }
}
