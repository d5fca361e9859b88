//! Dates that are read and written again are the same dates, in mail and in commands.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pillarbox_fuzz::commands;
use pillarbox_message::date::{
    civil_day, civil_from_days, days_from_civil, format_internal, parse, parse_internal,
};
use pillarbox_model::InternalDate;
use pillarbox_proto::imap::encode::push_date_time;

fuzz_target!(|data: &[u8]| {
    for date in [parse(data), parse_internal(data)].into_iter().flatten() {
        check(date);
    }
    if let Some(([z0, z1, seconds @ ..], _)) = data.split_first_chunk::<10>() {
        check_any(i64::from_le_bytes(*seconds), i16::from_le_bytes([*z0, *z1]));
    }
});

/// A date that was read.
fn check((seconds, zone): (i64, i16)) {
    let text = format_internal(seconds, zone);
    assert_eq!(
        parse_internal(text.as_bytes()),
        Some((seconds, zone)),
        "{text}"
    );
    let date = InternalDate {
        unix_seconds: seconds,
        zone_minutes: zone,
    };
    assert_eq!(date.local_day(), civil_day(seconds, zone));
    let mut quoted = Vec::new();
    push_date_time(&mut quoted, date);
    assert_eq!(
        append_date(&quoted),
        Some(date),
        "{}",
        quoted.escape_ascii()
    );
}

/// The date of an APPEND.
fn append_date(quoted: &[u8]) -> Option<InternalDate> {
    let stream = [b"t APPEND INBOX ", quoted, b" {1+}\r\nx\r\n"].concat();
    commands(&stream).first()?.append_prefix().ok()?.date
}

/// Any numbers, as a damaged store may have them.
fn check_any(seconds: i64, zone: i16) {
    assert_eq!(format_internal(seconds, zone).len(), 26);
    let mut quoted = Vec::new();
    push_date_time(
        &mut quoted,
        InternalDate {
            unix_seconds: seconds,
            zone_minutes: zone,
        },
    );
    assert_eq!(quoted.len(), 28);
    let days = seconds % 1_000_000_000;
    let (year, month, day) = civil_from_days(days);
    assert!((1..=12).contains(&month) && (1..=31).contains(&day));
    if i64::from(year).abs() < 2_000_000 {
        assert_eq!(days_from_civil(year, month, day), days);
    }
}
