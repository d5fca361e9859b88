//! The words for versions, suites and groups, and what is said about those that don't exist here.

use pillarbox_config::Fault;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::{ALL_CIPHER_SUITES, ALL_KX_GROUPS};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, NamedGroup, SupportedCipherSuite, SupportedProtocolVersion};

/// The suites of TLS 1.2 that can be chosen. Those of TLS 1.3 are always all on: none of them is
/// weak.
const SUITES: [(&str, CipherSuite); 6] = [
    (
        "ECDHE-ECDSA-WITH-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-RSA-WITH-AES128-GCM-SHA256",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    ),
    (
        "ECDHE-ECDSA-WITH-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-RSA-WITH-AES256-GCM-SHA384",
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    ),
    (
        "ECDHE-ECDSA-WITH-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
    (
        "ECDHE-RSA-WITH-CHACHA20-POLY1305",
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
    ),
];

/// Suites that maddy knows and that are not offered: without forward secrecy, or with CBC or RC4
/// (RFC 9325 §4.1 and §4.2).
const WEAK_SUITES: [&str; 16] = [
    "RSA-WITH-RC4128-SHA",
    "RSA-WITH-3DES-EDE-CBC-SHA",
    "RSA-WITH-AES128-CBC-SHA",
    "RSA-WITH-AES256-CBC-SHA",
    "RSA-WITH-AES128-CBC-SHA256",
    "RSA-WITH-AES128-GCM-SHA256",
    "RSA-WITH-AES256-GCM-SHA384",
    "ECDHE-ECDSA-WITH-RC4128-SHA",
    "ECDHE-ECDSA-WITH-AES128-CBC-SHA",
    "ECDHE-ECDSA-WITH-AES256-CBC-SHA",
    "ECDHE-RSA-WITH-RC4128-SHA",
    "ECDHE-RSA-WITH-3DES-EDE-CBC-SHA",
    "ECDHE-RSA-WITH-AES128-CBC-SHA",
    "ECDHE-RSA-WITH-AES256-CBC-SHA",
    "ECDHE-ECDSA-WITH-AES128-CBC-SHA256",
    "ECDHE-RSA-WITH-AES128-CBC-SHA256",
];

/// The groups for key exchange that can be chosen. The first is a hybrid with ML-KEM-768.
const GROUPS: [(&str, NamedGroup); 4] = [
    ("X25519MLKEM768", NamedGroup::X25519MLKEM768),
    ("X25519", NamedGroup::X25519),
    ("p256", NamedGroup::secp256r1),
    ("p384", NamedGroup::secp384r1),
];

/// The versions from the first to the last argument of `protocols`; one argument is exactly that
/// one.
pub(super) fn versions(
    min: &str,
    max: Option<&str>,
) -> Result<Vec<&'static SupportedProtocolVersion>, Fault> {
    let (min, max) = (version(min)?, version(max.unwrap_or(min))?);
    if min > max {
        return Err(Fault::new("the lowest TLS version is above the highest")
            .help("write the lower one first, as in `protocols tls1.2 tls1.3`"));
    }
    let all = [(12, &TLS12), (13, &TLS13)];
    let within = all
        .into_iter()
        .filter(|(number, _)| (min..=max).contains(number));
    Ok(within.map(|(_, version)| version).collect())
}

fn version(text: &str) -> Result<u8, Fault> {
    match text {
        "tls1.3" => Ok(13),
        "tls1.2" => Ok(12),
        // RFC 8996 §2: these MUST NOT be used.
        "tls1.0" | "tls1.1" => Err(Fault::new(format!("{text} is not available"))
            .help("it was broken and is forbidden by RFC 8996: write `protocols tls1.2 tls1.3`")),
        other => Err(Fault::new(format!("invalid TLS version value: {other}"))
            .help("one of tls1.2 and tls1.3")),
    }
}

/// A suite of TLS 1.2 by its name.
pub(super) fn suite(text: &str) -> Result<SupportedCipherSuite, Fault> {
    let wanted = SUITES
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, suite)| *suite);
    let found = ALL_CIPHER_SUITES
        .iter()
        .find(|suite| Some(suite.suite()) == wanted);
    if let Some(suite) = found {
        return Ok(*suite);
    }
    let available = SUITES.map(|(name, _)| name).join(", ");
    let message = if WEAK_SUITES.contains(&text) {
        format!("cipher {text} is too weak to be available")
    } else {
        format!("unknown cipher: {text}")
    };
    Err(Fault::new(message).help(format!(
        "one of {available}; those of TLS 1.3 are always on"
    )))
}

/// A group by its name.
pub(super) fn group(text: &str) -> Result<&'static dyn SupportedKxGroup, Fault> {
    let wanted = GROUPS
        .iter()
        .find(|(name, _)| *name == text)
        .map(|(_, group)| *group);
    let found = ALL_KX_GROUPS
        .iter()
        .find(|group| Some(group.name()) == wanted);
    if let Some(group) = found {
        return Ok(*group);
    }
    let available = GROUPS.map(|(name, _)| name).join(", ");
    if text == "p521" {
        let fault = Fault::new("curve p521 is not available");
        return Err(fault.help(format!("write `p384` instead; there are {available}")));
    }
    Err(Fault::new(format!("unknown curve: {text}")).help(format!("one of {available}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_we_offer_exists() {
        for (name, _) in SUITES {
            assert!(suite(name).is_ok(), "{name}");
        }
        for (name, _) in GROUPS {
            assert!(group(name).is_ok(), "{name}");
        }
    }

    #[test]
    fn versions_are_a_range_or_one() {
        let count = |min, max| versions(min, max).map(|found| found.len()).ok();
        assert_eq!(count("tls1.2", Some("tls1.3")), Some(2));
        assert_eq!(count("tls1.3", None), Some(1));
        assert_eq!(count("tls1.3", Some("tls1.2")), None);
    }

    #[test]
    fn what_is_gone_is_said_to_be_gone() {
        let old = versions("tls1.0", None).unwrap_err();
        assert_eq!(old.message, "tls1.0 is not available");
        assert!(old.help.unwrap().contains("protocols tls1.2 tls1.3"));
        let weak = suite("RSA-WITH-RC4128-SHA").unwrap_err();
        assert_eq!(
            weak.message,
            "cipher RSA-WITH-RC4128-SHA is too weak to be available"
        );
        assert_eq!(suite("rot13").unwrap_err().message, "unknown cipher: rot13");
        assert_eq!(
            group("p521").unwrap_err().message,
            "curve p521 is not available"
        );
    }
}
