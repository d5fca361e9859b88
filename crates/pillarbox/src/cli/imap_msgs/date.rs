//! Dates on the command line (RFC 3339 §5.6).

use pillarbox_message::date::{DAY_SECONDS, civil_from_days, days_from_civil};
use pillarbox_model::InternalDate;

/// Reads a date and time. Fractions of a second are dropped.
pub(super) fn parse(text: &str) -> Option<InternalDate> {
    let (date, time) = text.split_once(['T', 't', ' '])?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at_checked(zone_at)?;
    let time = time.split_once('.').map_or(time, |(whole, _)| whole);
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(time, ':', [2, 2, 2])?;
    let zone_minutes = zone_minutes(zone)?;
    let days = days_from_civil(i32::try_from(year).ok()?, month, day);
    let exists = civil_from_days(days) == (year as i32, month, day);
    let in_day = hour < 24 && minute < 60 && second <= 60;
    if !(1..=12).contains(&month) || !exists || !in_day {
        return None;
    }
    let local = days * DAY_SECONDS + i64::from(hour * 3_600 + minute * 60 + second);
    Some(InternalDate {
        unix_seconds: local - i64::from(zone_minutes) * 60,
        zone_minutes,
    })
}

fn zone_minutes(zone: &str) -> Option<i16> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let [hours, minutes] = numbers(digits, ':', [2, 2])?;
    let east = i16::try_from(hours * 60 + minutes).ok();
    let east = east.filter(|_| hours < 24 && minutes < 60)?;
    Some(if sign == "-" { -east } else { east })
}

/// Exactly so many numbers, of exactly so many digits.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[u32; N]> {
    let mut pieces = text.split(separator);
    let mut numbers = [0; N];
    for (number, digits) in numbers.iter_mut().zip(digits) {
        let piece = pieces.next()?;
        let fits = piece.len() == digits && piece.bytes().all(|byte| byte.is_ascii_digit());
        *number = piece.parse().ok().filter(|_| fits)?;
    }
    pieces.next().is_none().then_some(numbers)
}

/// The text that [`parse`] reads.
pub(in crate::cli) fn format(date: InternalDate) -> String {
    let local = date.unix_seconds + i64::from(date.zone_minutes) * 60;
    let (year, month, day) = civil_from_days(local.div_euclid(DAY_SECONDS));
    let time = local.rem_euclid(DAY_SECONDS);
    let (hour, minute, second) = (time / 3_600, time / 60 % 60, time % 60);
    let zone = date.zone_minutes.unsigned_abs();
    let sign = if date.zone_minutes < 0 { '-' } else { '+' };
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{sign}{:02}:{:02}",
        zone / 60,
        zone % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_back() {
        for text in [
            "2024-02-29T12:30:00+00:00",
            "1969-12-31T23:59:59-09:30",
            "2024-01-01T00:00:00+05:45",
        ] {
            assert_eq!(format(parse(text).unwrap()), text);
        }
        let instant = parse("1970-01-01T01:00:00.25Z").unwrap();
        assert_eq!(instant, InternalDate::utc(3_600));
        assert_eq!(
            parse("1970-01-01T02:00:00+01:00").unwrap().unix_seconds,
            3_600
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "2024",
            "2024-01-01",
            "2024-13-01T00:00:00Z",
            "2024-00-01T00:00:00Z",
            "2023-02-29T00:00:00Z",
            "2024-01-01T24:00:00Z",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00Z",
            "2024-01-01T00:00:00+1",
            "2024-01-01T00:00:00+00:60",
            "2024-01-01T00:00:00+é",
            "+024-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
