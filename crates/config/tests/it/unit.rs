//! Values: what each type accepts, and the words it refuses with.

use std::time::Duration;

use pillarbox_config::unit;

#[test]
fn booleans() {
    for text in ["1", "true", "on", "yes", "YES", "True", "oN"] {
        assert_eq!(unit::boolean(text), Ok(true), "{text}");
    }
    for text in ["0", "false", "off", "no", "NO", "False"] {
        assert_eq!(unit::boolean(text), Ok(false), "{text}");
    }
    for text in ["", "y", "2", "enable", "ｙｅｓ"] {
        let fault = unit::boolean(text).expect_err(text);
        assert_eq!(
            fault.message, "bool argument should be 'yes' or 'no'",
            "{text}"
        );
    }
}

#[test]
fn durations() {
    for (text, nanos) in [
        ("0", 0u64),
        ("+0", 0),
        ("-0", 0),
        ("-0s", 0),
        ("5s", 5_000_000_000),
        ("+5s", 5_000_000_000),
        ("1h5m", 3_900_000_000_000),
        ("1h0m1s", 3_601_000_000_000),
        ("1.5s", 1_500_000_000),
        (".5s", 500_000_000),
        ("5.s", 5_000_000_000),
        ("0.1h", 360_000_000_000),
        ("10ms", 10_000_000),
        ("10us", 10_000),
        ("10\u{b5}s", 10_000),
        ("10\u{3bc}s", 10_000),
        ("10ns", 10),
        ("1.9ns", 1),
        ("0.333333333333333333333s", 333_333_333),
        ("9223372036854775807ns", i64::MAX as u64),
        ("2562047h47m16.854775807s", i64::MAX as u64),
    ] {
        assert_eq!(
            unit::duration(text),
            Ok(Duration::from_nanos(nanos)),
            "{text}"
        );
    }
}

#[test]
fn duration_mistakes() {
    for (text, message) in [
        ("", "time: invalid duration \"\""),
        ("-", "time: invalid duration \"-\""),
        (".", "time: invalid duration \".\""),
        (".s", "time: invalid duration \".s\""),
        ("s", "time: invalid duration \"s\""),
        ("1.2.3s", "time: invalid duration \"1.2.3s\""),
        ("5", "time: missing unit in duration \"5\""),
        ("1h5", "time: missing unit in duration \"1h5\""),
        ("5d", "time: unknown unit \"d\" in duration \"5d\""),
        ("5S", "time: unknown unit \"S\" in duration \"5S\""),
        ("5 s", "time: unknown unit \" s\" in duration \"5 s\""),
        ("-5s", "duration must not be negative"),
        (
            "9223372036854775808ns",
            "time: invalid duration \"9223372036854775808ns\"",
        ),
        (
            "99999999999999999999h",
            "time: invalid duration \"99999999999999999999h\"",
        ),
        ("2562048h", "time: invalid duration \"2562048h\""),
    ] {
        assert_eq!(unit::duration(text).expect_err(text).message, message);
    }
}

#[test]
fn sizes() {
    for (text, bytes) in [
        ("0", 0u64),
        ("1B", 1),
        ("1b", 1),
        ("32M", 32 << 20),
        ("1G", 1 << 30),
        ("4K", 4 << 10),
        ("32M 5K", (32 << 20) + (5 << 10)),
        (" 1K  1B ", 1025),
        ("18446744073709551615B", u64::MAX),
    ] {
        assert_eq!(unit::size(text), Ok(bytes), "{text}");
    }
}

#[test]
fn size_mistakes() {
    for (text, message) in [
        ("", "missing a number"),
        (" ", "missing a number"),
        ("M", "missing a number"),
        ("-5M", "missing a number"),
        ("5", "unknown unit suffix: "),
        ("5MB", "unknown unit suffix: MB"),
        ("5m", "unknown unit suffix: m"),
        ("1.5M", "unexpected digit after a suffix"),
        ("32M5K", "unexpected digit after a suffix"),
        ("18446744073709551616B", "value is too big"),
        ("18014398509481984K", "value is too big"),
        ("18446744073709551615B 1B", "value is too big"),
    ] {
        assert_eq!(unit::size(text).expect_err(text).message, message);
    }
}

#[test]
fn integers() {
    for (text, value) in [("0", 0), ("-5", -5), ("+5", 5), ("007", 7)] {
        assert_eq!(unit::integer(text), Ok(value));
    }
    for text in ["", "x", "5x", "1.0", "0x10", "1_000", "9223372036854775808"] {
        let fault = unit::integer(text).expect_err(text);
        assert_eq!(fault.message, format!("invalid integer: {text}"));
    }
}

#[test]
fn choices() {
    const VALUES: &[&str] = &["auto", "precis", "noop"];
    assert_eq!(unit::choice("precis", VALUES), Ok("precis"));
    for (text, help) in [
        ("AUTO", Some("did you mean `auto`?")),
        ("", None),
        ("lower", None),
    ] {
        let fault = unit::choice(text, VALUES).expect_err(text);
        assert_eq!(
            fault.message,
            "invalid argument, valid values are: [auto precis noop]"
        );
        assert_eq!(fault.help.as_deref(), help, "{text}");
    }
}

#[test]
fn what_is_written_is_read_as_the_same() {
    for (nanos, text) in [
        (0, "0"),
        (1, "1ns"),
        (90_000_000_000, "1m30s"),
        (1_000_500, "1ms500ns"),
    ] {
        let duration = Duration::from_nanos(nanos);
        assert_eq!(unit::write_duration(duration), text);
        assert_eq!(unit::duration(text), Ok(duration));
    }
    for (bytes, text) in [
        (0, "0"),
        (1, "1B"),
        (1025, "1025B"),
        (2 << 30, "2G"),
        (1536, "1536B"),
    ] {
        assert_eq!(unit::write_size(bytes), text);
        assert_eq!(unit::size(text), Ok(bytes));
    }
}
