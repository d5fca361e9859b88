//! Names of annotations (RFC 5464 §3.2).

use std::fmt;

use crate::limit;

/// The name of an entry: a path below `/private` or `/shared`, in lower case, since letters compare
/// without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EntryName(Box<str>);

/// Why bytes are no name of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadEntry(pub &'static str);

/// How far below an entry is looked (RFC 5464 §4.2.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Depth {
    /// The entry alone.
    #[default]
    Zero,
    /// And those right below it.
    One,
    /// And all below it.
    Infinity,
}

const PRIVATE: &str = "/private";
const SHARED: &str = "/shared";
/// Below it each vendor has a name, and entries below that (RFC 5464 §3.2).
const VENDOR: &str = "vendor";

impl EntryName {
    /// A name to look for, or to look below: also the two roots themselves.
    ///
    /// # Errors
    /// [`BadEntry`].
    pub fn new(bytes: &[u8]) -> Result<Self, BadEntry> {
        let text = std::str::from_utf8(bytes)
            .ok()
            .filter(|text| text.is_ascii());
        let text = text.ok_or(BadEntry("Names of entries are ASCII"))?;
        if text.len() > limit::ENTRY_NAME_BYTES {
            return Err(BadEntry("The name of an entry is too long"));
        }
        if text
            .bytes()
            .any(|b| b.is_ascii_control() || matches!(b, b'*' | b'%'))
        {
            return Err(BadEntry(
                "*, % and control characters are not allowed in an entry",
            ));
        }
        if text.contains("//") || text.ends_with('/') {
            return Err(BadEntry("An entry has no empty components"));
        }
        let name = text.to_ascii_lowercase();
        let below = |root| {
            name.strip_prefix(root)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match below(PRIVATE) || below(SHARED) {
            true => Ok(Self(name.into())),
            false => Err(BadEntry("An entry begins with /private/ or /shared/")),
        }
    }

    /// Whether it can have a value: it has two components at least, and four if it is a vendor's
    /// (RFC 5464 §3.2).
    #[must_use]
    pub fn can_have_value(&self) -> bool {
        let mut components = self.0.split('/').skip(2);
        match components.next() {
            None => false,
            Some(VENDOR) => components.count() >= 2,
            Some(_) => true,
        }
    }

    /// The name as it was stored.
    #[must_use]
    pub fn from_stored(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether all users see the same value, or each their own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.0.starts_with(SHARED)
    }

    /// As it is stored and sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is `root`, or so far below it.
    #[must_use]
    pub fn is_within(&self, root: &Self, depth: Depth) -> bool {
        let Some(rest) = self.0.strip_prefix(root.as_str()) else {
            return false;
        };
        match (rest.strip_prefix('/'), depth) {
            (None, _) => rest.is_empty(),
            (Some(_), Depth::Zero) => false,
            (Some(below), Depth::One) => !below.contains('/'),
            (Some(_), Depth::Infinity) => true,
        }
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> EntryName {
        EntryName::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn case_makes_no_difference() {
        assert_eq!(name("/Private/Comment"), name("/private/comment"));
        assert_eq!(name("/SHARED/x").as_str(), "/shared/x");
    }

    #[test]
    fn what_is_no_name() {
        for bad in [
            "",
            "/",
            "comment",
            "/comment",
            "/privateer/x",
            "/private/",
            "/private//x",
            "/shared/a*",
            "/shared/a%b",
            "/shared/\u{e4}",
            "/shared/a\tb",
            "/shared/a\u{7f}",
        ] {
            assert!(EntryName::new(bad.as_bytes()).is_err(), "{bad:?}");
        }
        let long = format!("/shared/{}", "x".repeat(limit::ENTRY_NAME_BYTES));
        assert!(EntryName::new(long.as_bytes()).is_err());
    }

    #[test]
    fn vendors_have_names_of_their_own() {
        for (entry, can) in [
            ("/private", false),
            ("/shared/comment", true),
            ("/shared/vendor", false),
            ("/shared/vendor/cmu", false),
            ("/shared/vendor/cmu/x", true),
            ("/private/vendors/x", true),
        ] {
            assert_eq!(name(entry).can_have_value(), can, "{entry}");
        }
    }

    #[test]
    fn depth_counts_components() {
        let within = |entry: &str, depth| name(entry).is_within(&name("/shared/a"), depth);
        for (entry, zero, one, infinity) in [
            ("/shared/a", true, true, true),
            ("/shared/a/b", false, true, true),
            ("/shared/a/b/c", false, false, true),
            ("/shared/ab", false, false, false),
            ("/private/a", false, false, false),
        ] {
            let found =
                [Depth::Zero, Depth::One, Depth::Infinity].map(|depth| within(entry, depth));
            assert_eq!(found, [zero, one, infinity], "{entry}");
        }
    }
}
