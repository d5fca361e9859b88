//! The types of values: booleans, durations, sizes, integers, words of a list.

use std::time::Duration;

use crate::error::Fault;
use crate::suggest::nearest;

/// `1 true on yes` or `0 false off no`, in any case.
pub fn boolean(text: &str) -> Result<bool, Fault> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "on" | "yes" => Ok(true),
        "0" | "false" | "off" | "no" => Ok(false),
        _ => Err(Fault::new("bool argument should be 'yes' or 'no'")),
    }
}

/// A whole number in decimal, with or without sign.
pub fn integer(text: &str) -> Result<i64, Fault> {
    text.parse()
        .map_err(|_| Fault::new(format!("invalid integer: {text}")))
}

/// One of `values`, exactly.
pub fn choice(text: &str, values: &'static [&'static str]) -> Result<&'static str, Fault> {
    if let Some(value) = values.iter().find(|value| **value == text) {
        return Ok(value);
    }
    let list = values.join(" ");
    let fault = Fault::new(format!("invalid argument, valid values are: [{list}]"));
    Err(match nearest(text, values.iter().copied()) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    })
}

/// Units of durations, in nanoseconds; `us` may be written with either kind of mu.
const DURATION_UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("\u{b5}s", 1_000),
    ("\u{3bc}s", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
];

/// A duration as Go writes it: decimal numbers with units `h m s ms us ns`, summed: `1h5m`, `1.5s`.
/// A lone `0` needs no unit. At most 292 years.
pub fn duration(text: &str) -> Result<Duration, Fault> {
    let invalid = || Fault::new(format!("time: invalid duration {text:?}")).help(DURATION_HELP);
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if unsigned == "0" {
        return Ok(Duration::ZERO);
    }
    let mut rest = unsigned;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
        let (whole, fraction) = decimal(number).ok_or_else(invalid)?;
        let (unit, after) = split_while(after, |c| !c.is_ascii_digit() && c != '.');
        let nanos = duration_unit(unit, text)?;
        let part = whole
            .parse::<u64>()
            .ok()
            .and_then(|whole| whole.checked_mul(nanos));
        let part = part.and_then(|part| part.checked_add(fraction_of(fraction, nanos)));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(invalid)?;
        rest = after;
    }
    if unsigned.is_empty() || i64::try_from(total).is_err() {
        return Err(invalid());
    }
    if text.starts_with('-') && total > 0 {
        return Err(Fault::new("duration must not be negative"));
    }
    Ok(Duration::from_nanos(total))
}

const DURATION_HELP: &str = "a number with a unit h, m, s, ms, us or ns, as in `1h30m`";

fn duration_unit(unit: &str, text: &str) -> Result<u64, Fault> {
    if unit.is_empty() {
        let fault = Fault::new(format!("time: missing unit in duration {text:?}"));
        return Err(fault.help(DURATION_HELP));
    }
    let known = DURATION_UNITS.iter().find(|(name, _)| *name == unit);
    known.map(|(_, nanos)| *nanos).ok_or_else(|| {
        let fault = Fault::new(format!("time: unknown unit {unit:?} in duration {text:?}"));
        fault.help(DURATION_HELP)
    })
}

/// The digits before and after the point; one side may be missing.
fn decimal(number: &str) -> Option<(&str, &str)> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = whole.len() + fraction.len() > 0 && !fraction.contains('.');
    digits.then_some((if whole.is_empty() { "0" } else { whole }, fraction))
}

/// `0.FRACTION` of `unit`, rounded down. More than 18 digits can't matter: an hour has 3.6e12 ns.
fn fraction_of(fraction: &str, unit: u64) -> u64 {
    let (mut digits, mut scale) = (0u128, 1u128);
    for digit in fraction.bytes().take(18) {
        digits = digits * 10 + u128::from(digit - b'0');
        scale *= 10;
    }
    u64::try_from(digits * u128::from(unit) / scale).unwrap_or(unit)
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !wanted(c)).unwrap_or(text.len()))
}

/// Bytes: whole numbers with units `G M K B` (or `b`), powers of 1024, summed over spaces, as in
/// `1M 512K`. `0` needs no unit.
pub fn size(text: &str) -> Result<u64, Fault> {
    let parts = text.split(' ').filter(|part| !part.is_empty());
    let sizes = parts.map(size_part).collect::<Result<Vec<_>, _>>()?;
    if sizes.is_empty() {
        return Err(Fault::new("missing a number").help(SIZE_HELP));
    }
    let total = sizes.into_iter().try_fold(0u64, u64::checked_add);
    total.ok_or_else(|| Fault::new("value is too big"))
}

const SIZE_HELP: &str = "a whole number with a unit G, M, K or B, as in `32M`; spaces add up";

fn size_part(text: &str) -> Result<u64, Fault> {
    let (digits, suffix) = split_while(text, |c| c.is_ascii_digit());
    let fault = |message: String| Err(Fault::new(message).help(SIZE_HELP));
    if digits.is_empty() {
        return fault("missing a number".to_owned());
    }
    if suffix.contains(|c: char| c.is_ascii_digit()) {
        return fault("unexpected digit after a suffix".to_owned());
    }
    let unit: u64 = match suffix {
        "G" => 1 << 30,
        "M" => 1 << 20,
        "K" => 1 << 10,
        "B" | "b" => 1,
        "" if digits.bytes().all(|digit| digit == b'0') => 1,
        _ => return fault(format!("unknown unit suffix: {suffix}")),
    };
    let bytes = digits
        .parse()
        .ok()
        .and_then(|number: u64| number.checked_mul(unit));
    bytes.ok_or_else(|| Fault::new("value is too big"))
}

/// A duration as [`duration`] reads it, in the fewest units.
pub fn write_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
    let mut out = String::new();
    for (unit, nanos) in DURATION_UNITS
        .into_iter()
        .rev()
        .filter(|(unit, _)| unit.is_ascii())
    {
        if rest >= nanos {
            out.push_str(&format!("{}{unit}", rest / nanos));
            rest %= nanos;
        }
    }
    if out.is_empty() { "0".to_owned() } else { out }
}

/// A size as [`size`] reads it, in the biggest unit that needs no fraction.
pub fn write_size(bytes: u64) -> String {
    let units = [("G", 1u64 << 30), ("M", 1 << 20), ("K", 1 << 10)];
    match units
        .into_iter()
        .find(|(_, unit)| bytes > 0 && bytes.is_multiple_of(*unit))
    {
        Some((name, unit)) => format!("{}{name}", bytes / unit),
        None if bytes == 0 => "0".to_owned(),
        None => format!("{bytes}B"),
    }
}
