//! When a certificate is valid: enough of X.509 to renew it in time, and no more.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const SEQUENCE: u8 = 0x30;
const EXPLICIT_0: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// When a certificate is valid (RFC 5280 §4.1.2.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Validity {
    /// The beginning.
    pub(super) not_before: SystemTime,
    /// The end.
    pub(super) not_after: SystemTime,
}

/// The end of a certificate's validity, from its DER. `None` if it can't be found; then nothing is
/// warned of.
pub(super) fn not_after(certificate: &[u8]) -> Option<SystemTime> {
    validity(certificate).map(|validity| validity.not_after)
}

/// A certificate's validity, from its DER. `None` if it can't be found.
pub(super) fn validity(certificate: &[u8]) -> Option<Validity> {
    // Certificate ::= SEQUENCE { tbsCertificate, ... }
    let (_, certificate, _) = element(certificate)?;
    let (_, tbs, _) = element(certificate)?;
    // TBSCertificate ::= SEQUENCE { [0] version OPTIONAL, serial, signature, issuer, validity, ...
    // }
    let (tag, _, after_first) = element(tbs)?;
    let rest = if tag == EXPLICIT_0 {
        element(after_first)?.2
    } else {
        after_first
    };
    let (_, _, rest) = element(rest)?; // signature
    let (_, _, rest) = element(rest)?; // issuer
    let (tag, validity, _) = element(rest)?;
    if tag != SEQUENCE {
        return None;
    }
    let (not_before, rest) = point(validity)?;
    let (not_after, _) = point(rest)?;
    Some(Validity {
        not_before,
        not_after,
    })
}

/// A point in time, and what follows it.
fn point(der: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, text, rest) = element(der)?;
    Some((time(tag, std::str::from_utf8(text).ok()?)?, rest))
}

/// Tag, contents, and what follows the first element of `der` (X.690 §8.1).
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        (
            bytes.iter().fold(0, |n, byte| n << 8 | usize::from(*byte)),
            rest,
        )
    };
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((*tag, contents, rest))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`; two digits of a year are of 1950 to 2049.
fn time(tag: u8, text: &str) -> Option<SystemTime> {
    let digits = text
        .strip_suffix('Z')
        .filter(|t| t.bytes().all(|b| b.is_ascii_digit()))?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let (year, rest) = digits.split_at_checked(2)?;
            let year: u64 = year.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = digits.split_at_checked(4)?;
            (year.parse().ok()?, rest)
        }
        _ => return None,
    };
    let part = |at| rest.get(at..at + 2)?.parse::<u64>().ok();
    let days = days_to(year, part(0)?, part(2)?)?;
    let seconds = days * 86_400 + part(4)? * 3_600 + part(6)? * 60 + part(8)?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; `None` before.
fn days_to(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 {
        year.checked_sub(1)?
    } else {
        year
    };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day.checked_sub(1)?;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    days.checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_certificate_is_found() {
        let mut params = rcgen::CertificateParams::new(["mx.example.test".to_owned()]).unwrap();
        for (year, seconds) in [(2031, 1_930_435_200), (2060, 2_845_670_400)] {
            params.not_after = rcgen::date_time_ymd(year, 3, 5);
            let key = rcgen::KeyPair::generate().unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let found = validity(certificate.der()).unwrap();
            assert!(found.not_before < found.not_after);
            let end = found.not_after;
            let found = end.duration_since(UNIX_EPOCH).unwrap().as_secs();
            assert_eq!(found, seconds, "{year}");
        }
    }

    #[test]
    fn cut_or_changed_certificates_are_no_danger() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["a".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        for cut in 0..der.len() {
            let _ = not_after(&der[..cut]);
        }
        for at in 0..der.len().min(200) {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = der.clone();
                changed[at] = value;
                let _ = not_after(&changed);
            }
        }
    }
}
