//! Normalisation of user names: one person, one name, however it was typed.
//!
//! The functions are those that `auth_map_normalize`, `storage_map_normalize`,
//! `delivery_normalize` and `auth_normalize` take.

use std::borrow::Cow;

use crate::precis::{self, Case, Refused};

/// How a user name is normalised.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Normalize {
    /// As an address if it is one, else as a name, ignoring case.
    #[default]
    Auto,
    /// An address: the local part by UsernameCaseMapped (RFC 8265 §3.3), the domain in Unicode and
    /// lower case.
    PrecisCasefoldEmail,
    /// UsernameCaseMapped on the whole.
    PrecisCasefold,
    /// An address whose local part keeps its case (UsernameCasePreserved, RFC 8265 §3.4).
    PrecisEmail,
    /// UsernameCasePreserved on the whole.
    Precis,
    /// Lower case, and nothing else.
    Casefold,
    /// As typed.
    Noop,
}

/// Why a text has no normal form.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadName {
    /// A name has at least one character.
    #[error("the name is empty")]
    Empty,
    /// An address was asked for.
    #[error("address: missing at-sign")]
    NoAt,
    /// An address was asked for.
    #[error("address: empty local-part")]
    NoLocalPart,
    /// An address was asked for.
    #[error("address: empty domain")]
    NoDomain,
    /// The domain has a label that is broken Punycode, a space or a control character.
    #[error("address: invalid domain")]
    Domain,
    /// A rule of RFC 8264 or RFC 8265 is broken.
    #[error(transparent)]
    Name(#[from] Refused),
}

impl Normalize {
    /// The words of the configuration, in the order in which they are documented.
    pub const NAMES: [&'static str; 7] = [
        "auto",
        "precis_casefold_email",
        "precis_casefold",
        "precis_email",
        "precis",
        "casefold",
        "noop",
    ];

    /// The function of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "auto" => Self::Auto,
            "precis_casefold_email" => Self::PrecisCasefoldEmail,
            "precis_casefold" => Self::PrecisCasefold,
            "precis_email" => Self::PrecisEmail,
            "precis" => Self::Precis,
            "casefold" => Self::Casefold,
            "noop" => Self::Noop,
            _ => return None,
        })
    }

    /// The normal form of a name.
    ///
    /// # Errors
    /// [`BadName`]: the name can't belong to anybody.
    pub fn apply(self, name: &str) -> Result<String, BadName> {
        if name.is_empty() {
            return Err(BadName::Empty);
        }
        match self {
            Self::Auto if is_address(name) => email(name, Case::Mapped),
            Self::PrecisCasefoldEmail => email(name, Case::Mapped),
            Self::PrecisEmail => email(name, Case::Preserved),
            Self::Auto | Self::PrecisCasefold => Ok(precis::username(name, Case::Mapped)?),
            Self::Precis => Ok(precis::username(name, Case::Preserved)?),
            Self::Casefold => Ok(lower(name)),
            Self::Noop => Ok(name.to_owned()),
        }
    }
}

/// Simple lower-casing: each character becomes one character.
fn lower(text: &str) -> String {
    text.chars()
        .filter_map(|c| c.to_lowercase().next())
        .collect()
}

/// The only address without a domain (RFC 5321 §4.1.1.3).
const POSTMASTER: &str = "postmaster";

fn email(name: &str, case: Case) -> Result<String, BadName> {
    if name.eq_ignore_ascii_case(POSTMASTER) {
        return Ok(precis::username(name, case)?);
    }
    let (local, domain) = split(name)?;
    let local = precis::username(local, case)?;
    Ok(format!("{local}@{}", domain_form(domain)?))
}

/// Local part and domain of an address, apart at the last `@`.
///
/// # Errors
/// [`BadName::NoAt`], [`BadName::NoLocalPart`], [`BadName::NoDomain`].
pub fn split(address: &str) -> Result<(&str, &str), BadName> {
    let (local, domain) = address.rsplit_once('@').ok_or(BadName::NoAt)?;
    if local.is_empty() {
        return Err(BadName::NoLocalPart);
    }
    if domain.is_empty() {
        return Err(BadName::NoDomain);
    }
    Ok((local, domain))
}

/// A domain in Unicode, composed, in lower case, without a dot at its end.
///
/// # Errors
/// [`BadName::Domain`].
pub fn domain_form(domain: &str) -> Result<String, BadName> {
    if domain.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(BadName::Domain);
    }
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let labels = domain
        .split('.')
        .map(unicode_label)
        .collect::<Result<Vec<_>, _>>()?;
    Ok(lower(&precis::nfc(&labels.join("."))))
}

fn unicode_label(label: &str) -> Result<Cow<'_, str>, BadName> {
    let Some(encoded) = ace_suffix(label) else {
        return Ok(Cow::Borrowed(label));
    };
    idna::punycode::decode_to_string(encoded)
        .map(Cow::Owned)
        .ok_or(BadName::Domain)
}

/// What follows the prefix of an A-label (RFC 5890 §2.3.2.5).
fn ace_suffix(label: &str) -> Option<&str> {
    let (prefix, rest) = label.split_at_checked(4)?;
    prefix.eq_ignore_ascii_case("xn--").then_some(rest)
}

/// Octets in an address: 64 in the local part, 255 in the domain, and the sign (RFC 5321 §4.5.3.1).
const ADDRESS_BYTES: usize = 320;
const DOMAIN_BYTES: usize = 255;
const LABEL_BYTES: usize = 64;

/// Whether a text looks like an e-mail address.
#[must_use]
pub fn is_address(text: &str) -> bool {
    if text.eq_ignore_ascii_case(POSTMASTER) {
        return true;
    }
    text.len() <= ADDRESS_BYTES
        && split(text).is_ok_and(|(local, domain)| is_local_part(local) && is_domain(domain))
}

fn is_local_part(local: &str) -> bool {
    is_quoted(local) || local.chars().all(is_local_part_char)
}

/// An RFC 5321 §4.1.2 Quoted-string.
fn is_quoted(local: &str) -> bool {
    let inside = local
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    let Some(mut chars) = inside.map(str::chars) else {
        return false;
    };
    while let Some(c) = chars.next() {
        match c {
            '"' => return false,
            '\\' if chars.next().is_none() => return false,
            _ => {}
        }
    }
    true
}

fn is_local_part_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c > '\u{7F}' || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

/// Whether this could be the domain of an address, in ASCII or Unicode.
#[must_use]
pub fn is_domain(domain: &str) -> bool {
    domain.len() <= DOMAIN_BYTES
        && !domain.starts_with('.')
        && !domain.contains("..")
        && !domain.chars().any(|c| c.is_control() || c.is_whitespace())
        && domain
            .split('.')
            .all(|label| ascii_len(label).is_some_and(|len| len <= LABEL_BYTES))
}

/// The length of a label as DNS would have it, if it can.
fn ascii_len(label: &str) -> Option<usize> {
    if !label.is_ascii() {
        return idna::punycode::encode_str(label).map(|encoded| encoded.len() + "xn--".len());
    }
    unicode_label(label).ok().map(|_| label.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const AUTO: Normalize = Normalize::Auto;
    const EMAIL: Normalize = Normalize::PrecisCasefoldEmail;
    const FOLD: Normalize = Normalize::PrecisCasefold;
    const EMAIL_CASE: Normalize = Normalize::PrecisEmail;
    const CASE: Normalize = Normalize::Precis;
    const LOWER: Normalize = Normalize::Casefold;

    /// What each function makes of `input`: "-" is an error, "=" the input itself. In the order
    /// `auto`, `precis_casefold_email`, `precis_casefold`, `precis_email`, `precis`, `casefold`.
    #[track_caller]
    fn check(input: &str, expected: [&str; 6]) {
        let functions = [AUTO, EMAIL, FOLD, EMAIL_CASE, CASE, LOWER];
        for (function, expected) in functions.into_iter().zip(expected) {
            let got = function.apply(input);
            match expected {
                "-" => assert!(got.is_err(), "{function:?} of {input:?} gave {got:?}"),
                "=" => assert_eq!(got.as_deref(), Ok(input), "{function:?}"),
                form => assert_eq!(got.as_deref(), Ok(form), "{function:?} of {input:?}"),
            }
        }
        if !input.is_empty() {
            assert_eq!(Normalize::Noop.apply(input).as_deref(), Ok(input));
        }
    }

    #[test]
    fn addresses() {
        let folded = "user@example.org";
        check(
            "User@Example.ORG",
            [folded, folded, folded, "User@example.org", "=", folded],
        );
        check("user@example.org.", [folded, folded, "=", folded, "=", "="]);
        check(
            "ｕｓｅｒ@example.org",
            [folded, folded, folded, folded, folded, "="],
        );
        let same = ["="; 6];
        check("a@b@c.org", same);
        check("\"a\"@x.org", same);
        check("a@[127.0.0.1]", same);
    }

    #[test]
    fn domains_are_shown_in_unicode() {
        let unicode = "user@пример.рф";
        check(
            "user@xn--e1afmkfd.xn--p1ai",
            [unicode, unicode, "=", unicode, "=", "="],
        );
        check("user@xn--zz--zz", ["=", "-", "=", "-", "=", "="]);
        assert_eq!(EMAIL.apply("user@a b"), Err(BadName::Domain));
    }

    #[test]
    fn names_that_are_no_addresses() {
        check("USER", ["user", "-", "user", "-", "=", "user"]);
        check("@example.org", ["=", "-", "=", "-", "=", "="]);
        check("user@", ["=", "-", "=", "-", "=", "="]);
        assert_eq!(EMAIL.apply("USER"), Err(BadName::NoAt));
        assert_eq!(EMAIL.apply("@example.org"), Err(BadName::NoLocalPart));
        assert_eq!(EMAIL.apply("user@"), Err(BadName::NoDomain));
    }

    #[test]
    fn letters_beyond_ascii() {
        let straße = "straße@example.org";
        check(
            "Straße@example.org",
            [straße, straße, straße, "=", "=", straße],
        );
        let sigma = "ασ@example.org";
        check("ΑΣ@example.org", [sigma, sigma, sigma, "=", "=", sigma]);
        let e = "\u{E9}@example.org";
        check("e\u{301}@example.org", [e, e, e, e, e, "="]);
        let i = "i\u{307}@x.org";
        check("İ@x.org", [i, i, i, "=", "=", "i@x.org"]);
    }

    #[test]
    fn what_no_name_may_have() {
        let refused = ["-", "-", "-", "-", "-", "="];
        check("user name", refused);
        check("\"user name\"@example.org", refused);
        check("a\u{200D}@example.org", refused);
        check("a\u{5D0}@example.org", refused);
        check("ſ@x.org", refused);
        check("ǅ", ["-", "-", "-", "-", "-", "ǆ"]);
    }

    #[test]
    fn postmaster_needs_no_domain() {
        check("postmaster", ["="; 6]);
        assert_eq!(AUTO.apply("PostMaster").as_deref(), Ok("postmaster"));
    }

    #[test]
    fn nobody_has_an_empty_name() {
        check("", ["-"; 6]);
        assert_eq!(Normalize::Noop.apply(""), Err(BadName::Empty));
    }

    #[test]
    fn every_word_of_the_configuration_is_known() {
        let known: Vec<_> = Normalize::NAMES.map(Normalize::from_name).into();
        assert!(known.iter().all(Option::is_some));
        assert_eq!(known[0], Some(Normalize::default()));
        assert_eq!(Normalize::from_name("lower"), None);
    }

    #[test]
    fn what_looks_like_an_address() {
        for address in ["a@b", "\"a b\"@c.org", "ü@ü.org", "a+b@c", "postmaster"] {
            assert!(is_address(address), "{address}");
        }
        let long_label = format!("a@{}.org", "b".repeat(LABEL_BYTES + 1));
        let long_domain = format!("a@{}", "b.".repeat(DOMAIN_BYTES));
        let long_local = format!("{}@b", "a".repeat(ADDRESS_BYTES));
        for text in [
            "a",
            "@b",
            "a@",
            "a b@c",
            "a@.b",
            "a@b..c",
            "a@b c",
            "\"a@b",
            "\"a\"b\"@c",
            "\"a\\\"@b",
            &long_label,
            &long_domain,
            &long_local,
        ] {
            assert!(!is_address(text), "{text}");
        }
    }
}
