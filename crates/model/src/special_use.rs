//! Special-use attributes of mailboxes (RFC 6154 §2, RFC 8457 §3).

/// What a mailbox is for. At most one a mailbox, and one mailbox of a kind an account.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum SpecialUse {
    /// `\All`: a virtual mailbox of all messages.
    All,
    /// `\Archive`.
    Archive,
    /// `\Drafts`.
    Drafts,
    /// `\Flagged`: a virtual mailbox of flagged messages.
    Flagged,
    /// `\Important` (RFC 8457).
    Important,
    /// `\Junk`.
    Junk,
    /// `\Sent`.
    Sent,
    /// `\Trash`.
    Trash,
}

impl SpecialUse {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::All,
        Self::Archive,
        Self::Drafts,
        Self::Flagged,
        Self::Important,
        Self::Junk,
        Self::Sent,
        Self::Trash,
    ];

    /// The attribute as it stands on the wire, with its backslash.
    #[must_use]
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::All => "\\All",
            Self::Archive => "\\Archive",
            Self::Drafts => "\\Drafts",
            Self::Flagged => "\\Flagged",
            Self::Important => "\\Important",
            Self::Junk => "\\Junk",
            Self::Sent => "\\Sent",
            Self::Trash => "\\Trash",
        }
    }

    /// From an attribute, with or without its backslash, in any case.
    #[must_use]
    pub fn from_attribute(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('\\').unwrap_or(text);
        Self::ALL
            .into_iter()
            .find(|kind| kind.attribute()[1..].eq_ignore_ascii_case(bare))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_read_back() {
        for kind in SpecialUse::ALL {
            assert_eq!(SpecialUse::from_attribute(kind.attribute()), Some(kind));
        }
        assert_eq!(SpecialUse::from_attribute("trash"), Some(SpecialUse::Trash));
        assert_eq!(SpecialUse::from_attribute("\\Noselect"), None);
    }
}
