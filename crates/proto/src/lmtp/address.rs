//! Addresses of envelopes.

use std::fmt;

use super::limit::ADDRESS_BYTES;

/// The address of a mailbox (RFC 5321 §4.1.2), as it was written but without source route. Recipients
/// need no domain.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address<'l> {
    text: &'l str,
    /// Where the `@` is.
    at: Option<usize>,
}

impl<'l> Address<'l> {
    /// Reads an address without its brackets. RFC 5321 is followed in what would be ambiguous
    /// otherwise; dots may stand where it allows none, and names may have underscores, since there
    /// are such addresses.
    #[must_use]
    pub fn parse(text: &'l str) -> Option<Self> {
        let text = without_route(text)?;
        let local = local_part(text)?;
        let domain = text.get(local..)?;
        let at = match domain.strip_prefix('@') {
            Some(domain) => is_domain(domain).then_some(Some(local))?,
            None if domain.is_empty() => None,
            None => return None,
        };
        (local > 0 && text.len() <= ADDRESS_BYTES).then_some(Self { text, at })
    }

    /// The whole of it.
    #[must_use]
    pub const fn as_str(&self) -> &'l str {
        self.text
    }

    /// What stands before the `@`, in quotes if it was.
    #[must_use]
    pub fn local(&self) -> &'l str {
        self.at.map_or(self.text, |at| &self.text[..at])
    }

    /// What stands after the `@`.
    #[must_use]
    pub fn domain(&self) -> Option<&'l str> {
        self.at.map(|at| &self.text[at + 1..])
    }

    /// Whether it takes SMTPUTF8 to say it (RFC 6531 §3.2).
    #[must_use]
    pub fn is_international(&self) -> bool {
        !self.text.is_ascii()
    }
}

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

/// A source route must be understood and should be ignored (RFC 5321 §4.1.1.3, Appendix C).
fn without_route(text: &str) -> Option<&str> {
    if !text.starts_with('@') {
        return Some(text);
    }
    let (route, rest) = text.split_once(':')?;
    let mut hosts = route.split(',');
    hosts
        .all(|host| host.strip_prefix('@').is_some_and(is_domain))
        .then_some(rest)
}

/// The length of a dot-string or a quoted string.
fn local_part(text: &str) -> Option<usize> {
    if text.starts_with('"') {
        return quoted(text);
    }
    let end = text.find(|c: char| !is_atom(c) && c != '.');
    Some(end.unwrap_or(text.len()))
}

fn quoted(text: &str) -> Option<usize> {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some(at + 1),
            '\\' => drop(characters.next().filter(|(_, c)| !c.is_control())?),
            c if c.is_control() => return None,
            _ => {}
        }
    }
    None
}

/// RFC 5322 §3.2.3, RFC 6531 §3.3.
fn is_atom(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

/// A name, or an address in brackets.
fn is_domain(text: &str) -> bool {
    if let Some(literal) = text.strip_prefix('[') {
        let inner = literal.strip_suffix(']');
        return inner.is_some_and(|inner| {
            !inner.is_empty()
                && inner
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "-.:_".contains(c))
        });
    }
    is_name(text)
}

/// A host's name, with underscores and in any script.
fn is_name(text: &str) -> bool {
    let fits = |c: char| {
        c.is_ascii_alphanumeric()
            || "-._".contains(c)
            || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
    };
    !text.is_empty() && text.chars().all(fits)
}

/// What a host may call itself in LHLO.
pub(super) fn is_host(text: &str) -> bool {
    is_domain(text)
}
