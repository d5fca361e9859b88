//! Flags and keywords (RFC 3501 §2.3.2).

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

use crate::limit;

/// The flags of one message: five system flags and up to [`limit::KEYWORDS_PER_MAILBOX`] keywords,
/// whose bits mean what the mailbox's [`KeywordTable`] says.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flags(pub u64);

impl Flags {
    /// No flag at all.
    pub const NONE: Self = Self(0);
    /// `\Seen`.
    pub const SEEN: Self = Self(1);
    /// `\Answered`.
    pub const ANSWERED: Self = Self(1 << 1);
    /// `\Flagged`.
    pub const FLAGGED: Self = Self(1 << 2);
    /// `\Deleted`.
    pub const DELETED: Self = Self(1 << 3);
    /// `\Draft`.
    pub const DRAFT: Self = Self(1 << 4);
    /// How many bits the system flags take.
    pub const SYSTEM_COUNT: u32 = 5;
    /// The system flags with their names, in the order in which they are printed.
    pub const SYSTEM: [(Self, &'static str); 5] = [
        (Self::ANSWERED, "\\Answered"),
        (Self::FLAGGED, "\\Flagged"),
        (Self::DELETED, "\\Deleted"),
        (Self::SEEN, "\\Seen"),
        (Self::DRAFT, "\\Draft"),
    ];

    /// The flag of the keyword at `index` of a mailbox's table.
    #[must_use]
    pub const fn keyword(index: usize) -> Self {
        Self(1 << (Self::SYSTEM_COUNT as usize + index))
    }

    /// Whether all of `other` are set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any of `other` is set here.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These without `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The indices of the keywords that are set, ascending.
    pub fn keywords(self) -> impl Iterator<Item = usize> {
        let mut rest = self.0 >> Self::SYSTEM_COUNT;
        std::iter::from_fn(move || {
            (rest != 0).then(|| {
                let index = rest.trailing_zeros() as usize;
                rest &= rest - 1;
                index
            })
        })
    }
}

impl BitOr for Flags {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Flags {
    fn bitor_assign(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

impl BitAnd for Flags {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Flags {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}

/// A flag as a client names it: before a mailbox's table gave it a bit.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Flag {
    /// A system flag: exactly one bit of [`Flags::SYSTEM`].
    System(Flags),
    /// A keyword, in the client's spelling. Compared without regard to ASCII case.
    Keyword(Box<str>),
}

impl Flag {
    /// Reads a flag name. `None` for `\Recent`, `\*` and system flags that nobody defined: they
    /// can't be stored.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        if !name.starts_with('\\') {
            return (!name.is_empty()).then(|| Self::Keyword(name.into()));
        }
        Flags::SYSTEM
            .iter()
            .find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(flag, _)| Self::System(*flag))
    }
}

impl fmt::Display for Flag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Keyword(name) => f.write_str(name),
            Self::System(flag) => {
                let known = Flags::SYSTEM.iter().find(|(known, _)| known == flag);
                f.write_str(known.map_or("", |(_, name)| name))
            }
        }
    }
}

/// A mailbox's keywords. The place in the table is the bit of [`Flags`]; entries are only ever
/// added, so a bit keeps its meaning while the mailbox lives.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeywordTable {
    names: Vec<Box<str>>,
}

/// A mailbox holds [`limit::KEYWORDS_PER_MAILBOX`] different keywords and can't take another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyKeywords;

impl KeywordTable {
    /// The table with these entries; those past the limit are left out.
    pub fn new(names: impl IntoIterator<Item = Box<str>>) -> Self {
        Self {
            names: names
                .into_iter()
                .take(limit::KEYWORDS_PER_MAILBOX)
                .collect(),
        }
    }

    /// The keywords, in the spelling of whoever used them first.
    #[must_use]
    pub fn names(&self) -> &[Box<str>] {
        &self.names
    }

    /// The bit of a keyword, in any case.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Flags> {
        let index = self
            .names
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name))?;
        Some(Flags::keyword(index))
    }

    /// The bit of a keyword, which enters the table if it is new.
    ///
    /// # Errors
    /// [`TooManyKeywords`] if the table is full; it is unchanged.
    pub fn find_or_add(&mut self, name: &str) -> Result<Flags, TooManyKeywords> {
        if let Some(flag) = self.find(name) {
            return Ok(flag);
        }
        if self.names.len() >= limit::KEYWORDS_PER_MAILBOX {
            return Err(TooManyKeywords);
        }
        self.names.push(name.into());
        Ok(Flags::keyword(self.names.len() - 1))
    }

    /// The bits of several flags, of which new keywords enter the table.
    ///
    /// # Errors
    /// [`TooManyKeywords`]; the table is unchanged.
    pub fn resolve(&mut self, flags: &[Flag]) -> Result<Flags, TooManyKeywords> {
        let before = self.names.len();
        let mut bits = Flags::NONE;
        for flag in flags {
            bits |= match flag {
                Flag::System(bit) => *bit,
                Flag::Keyword(name) => match self.find_or_add(name) {
                    Ok(bit) => bit,
                    Err(full) => {
                        self.names.truncate(before);
                        return Err(full);
                    }
                },
            };
        }
        Ok(bits)
    }

    /// The names of the flags that are set, system flags first.
    pub fn names_of(&self, flags: Flags) -> impl Iterator<Item = &str> {
        let system = Flags::SYSTEM
            .iter()
            .filter(move |(bit, _)| flags.contains(*bit))
            .map(|(_, name)| *name);
        let keywords = flags
            .keywords()
            .filter_map(|index| self.names.get(index).map(|n| &**n));
        system.chain(keywords)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords_keep_their_first_spelling_and_match_in_any_case() {
        let mut table = KeywordTable::default();
        let first = table.find_or_add("$MDNSent").unwrap();
        assert_eq!(table.find_or_add("$MdnSent"), Ok(first));
        let all: Vec<_> = table.names_of(first | Flags::SEEN).collect();
        assert_eq!(all, ["\\Seen", "$MDNSent"]);
    }

    #[test]
    fn a_full_table_refuses_and_stays_as_it_was() {
        let mut table =
            KeywordTable::new((0..limit::KEYWORDS_PER_MAILBOX - 1).map(|n| format!("k{n}").into()));
        let before = table.clone();
        let two = [Flag::Keyword("a".into()), Flag::Keyword("b".into())];
        assert_eq!(table.resolve(&two), Err(TooManyKeywords));
        assert_eq!(table, before);
        assert!(table.resolve(&two[..1]).is_ok());
        assert_eq!(Flags::keyword(limit::KEYWORDS_PER_MAILBOX - 1).0, 1 << 63);
    }

    #[test]
    fn recent_and_unknown_system_flags_cannot_be_stored() {
        assert_eq!(Flag::parse("\\recent"), None);
        assert_eq!(Flag::parse("\\*"), None);
        assert_eq!(Flag::parse("\\SEEN"), Some(Flag::System(Flags::SEEN)));
        assert_eq!(Flag::parse("\\SEEN").unwrap().to_string(), "\\Seen");
    }
}
