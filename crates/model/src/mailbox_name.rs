//! Mailbox names: hierarchy and INBOX (RFC 3501 §5.1).

use std::fmt;

use crate::limit;

/// The character between levels of hierarchy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Delimiter(pub char);

impl Default for Delimiter {
    fn default() -> Self {
        Self('.')
    }
}

/// A mailbox's name in Unicode, which is well-formed for its account's delimiter.
///
/// INBOX has one spelling here, however the client wrote it; all else is case-sensitive.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MailboxName(Box<str>);

/// Why a text is no mailbox name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadName {
    /// It is empty, or all delimiters.
    Empty,
    /// It has an empty level: two delimiters in a row, or one in front.
    EmptyLevel,
    /// It has more than [`limit::MAILBOX_NAME_BYTES`] or [`limit::MAILBOX_DEPTH`] levels.
    TooLong,
    /// It has a control character, or `*` or `%`, which no client could list exactly.
    Character,
}

impl fmt::Display for BadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the mailbox name is empty",
            Self::EmptyLevel => "the mailbox name has an empty level of hierarchy",
            Self::TooLong => "the mailbox name is too long or too deep",
            Self::Character => "the mailbox name has a character that is not allowed",
        })
    }
}

impl MailboxName {
    /// The name that every account has.
    #[must_use]
    pub fn inbox() -> Self {
        Self("INBOX".into())
    }

    /// Reads a name. One trailing delimiter is dropped: it only says that levels will follow
    /// (RFC 3501 §6.3.3).
    ///
    /// # Errors
    /// [`BadName`] says which rule is broken.
    pub fn new(text: &str, delimiter: Delimiter) -> Result<Self, BadName> {
        let text = text.strip_suffix(delimiter.0).unwrap_or(text);
        if text.is_empty() {
            return Err(BadName::Empty);
        }
        if text.len() > limit::MAILBOX_NAME_BYTES {
            return Err(BadName::TooLong);
        }
        if text
            .chars()
            .any(|c| c.is_control() || matches!(c, '*' | '%' | '\u{2028}' | '\u{2029}'))
        {
            return Err(BadName::Character);
        }
        if text.split(delimiter.0).any(str::is_empty) {
            return Err(BadName::EmptyLevel);
        }
        if text.split(delimiter.0).count() > limit::MAILBOX_DEPTH {
            return Err(BadName::TooLong);
        }
        Ok(Self(canonical(text, delimiter).into()))
    }

    /// A name as the store kept it, which was checked when it came in.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is INBOX itself.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        &*self.0 == "INBOX"
    }

    /// The name one level up, if there is one.
    #[must_use]
    pub fn parent(&self, delimiter: Delimiter) -> Option<Self> {
        let (parent, _) = self.0.rsplit_once(delimiter.0)?;
        Some(Self(parent.into()))
    }

    /// The names of all levels above, the top one first.
    #[must_use]
    pub fn ancestors(&self, delimiter: Delimiter) -> Vec<Self> {
        self.0
            .match_indices(delimiter.0)
            .map(|(at, _)| Self(self.0[..at].into()))
            .collect()
    }

    /// Whether this name lies below `other`, at any depth.
    #[must_use]
    pub fn is_below(&self, other: &Self, delimiter: Delimiter) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.starts_with(delimiter.0))
    }

    /// This name with its leading `from` replaced by `to`, if it is `from` or lies below it.
    #[must_use]
    pub fn rebased(&self, from: &Self, to: &Self, delimiter: Delimiter) -> Option<Self> {
        if self == from {
            return Some(to.clone());
        }
        self.is_below(from, delimiter)
            .then(|| Self(format!("{}{}", to.0, &self.0[from.0.len()..]).into()))
    }
}

impl fmt::Display for MailboxName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// INBOX, and the first level of what lies below it, is one name in any case (RFC 3501 §5.1).
pub(crate) fn canonical(text: &str, delimiter: Delimiter) -> String {
    let (first, rest) = text.split_at(text.find(delimiter.0).unwrap_or(text.len()));
    if first.eq_ignore_ascii_case("INBOX") {
        format!("INBOX{rest}")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOT: Delimiter = Delimiter('.');

    fn name(text: &str) -> MailboxName {
        MailboxName::new(text, DOT).unwrap()
    }

    #[test]
    fn inbox_is_one_name_in_any_case() {
        assert_eq!(name("inBox").as_str(), "INBOX");
        assert_eq!(name("inbox.Sub").as_str(), "INBOX.Sub");
        assert_eq!(name("inboxes").as_str(), "inboxes");
        assert_eq!(name("a.inbox").as_str(), "a.inbox");
    }

    #[test]
    fn broken_names_say_why() {
        let refused = |text: &str| MailboxName::new(text, DOT).unwrap_err();
        assert_eq!(refused(""), BadName::Empty);
        assert_eq!(refused("."), BadName::Empty);
        assert_eq!(refused("a..b"), BadName::EmptyLevel);
        assert_eq!(refused(".a"), BadName::EmptyLevel);
        assert_eq!(refused("a*"), BadName::Character);
        assert_eq!(refused("a\r\nb"), BadName::Character);
        assert_eq!(
            refused(&"a".repeat(limit::MAILBOX_NAME_BYTES + 1)),
            BadName::TooLong
        );
        assert_eq!(
            refused(&"a.".repeat(limit::MAILBOX_DEPTH + 1)),
            BadName::TooLong
        );
        assert_eq!(name("a.b.").as_str(), "a.b");
    }

    #[test]
    fn hierarchy() {
        let deep = name("a.b.c");
        let above: Vec<_> = deep
            .ancestors(DOT)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(above, ["a", "a.b"]);
        assert!(deep.is_below(&name("a"), DOT));
        assert!(!name("ab").is_below(&name("a"), DOT));
        assert_eq!(
            deep.rebased(&name("a.b"), &name("x"), DOT),
            Some(name("x.c"))
        );
        assert_eq!(deep.rebased(&name("b"), &name("x"), DOT), None);
    }
}
