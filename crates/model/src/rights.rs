//! Rights on a mailbox (RFC 4314 §2.1).

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use crate::{Flag, Flags};

/// A set of rights.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Rights(u16);

/// A letter that stands for no right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoSuchRight(pub char);

impl fmt::Display for NoSuchRight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            upper if upper.is_ascii_uppercase() => f.write_str("uppercase rights are not allowed"),
            lower if lower.is_ascii_alphanumeric() => write!(f, "there is no right {lower}"),
            _ => f.write_str("a right is a letter"),
        }
    }
}

impl Rights {
    /// None.
    pub const NONE: Self = Self(0);
    /// `l`: LIST shows the mailbox.
    pub const LOOKUP: Self = Self(1);
    /// `r`: SELECT, STATUS.
    pub const READ: Self = Self(1 << 1);
    /// `s`: change `\Seen`.
    pub const SEEN: Self = Self(1 << 2);
    /// `w`: change flags other than `\Seen` and `\Deleted`.
    pub const WRITE: Self = Self(1 << 3);
    /// `i`: add messages.
    pub const INSERT: Self = Self(1 << 4);
    /// `p`: send mail to the mailbox's address. IMAP has nothing that needs it.
    pub const POST: Self = Self(1 << 5);
    /// `k`: create mailboxes below.
    pub const CREATE: Self = Self(1 << 6);
    /// `x`: delete or rename the mailbox.
    pub const DELETE_MAILBOX: Self = Self(1 << 7);
    /// `t`: change `\Deleted`.
    pub const DELETE: Self = Self(1 << 8);
    /// `e`: expunge.
    pub const EXPUNGE: Self = Self(1 << 9);
    /// `a`: see and change rights.
    pub const ADMINISTER: Self = Self(1 << 10);
    /// All of them.
    pub const ALL: Self = Self((1 << 11) - 1);
    /// Those that change flags.
    pub const FLAGS: Self = Self(Self::SEEN.0 | Self::WRITE.0 | Self::DELETE.0);
    /// Each of these lets MYRIGHTS tell (RFC 4314 §4).
    pub const TELLING: Self = Self(
        Self::LOOKUP.0
            | Self::READ.0
            | Self::INSERT.0
            | Self::CREATE.0
            | Self::DELETE_MAILBOX.0
            | Self::ADMINISTER.0,
    );

    /// Letters and what they stand for, in the RFC's order.
    const LETTERS: [(char, Self); 13] = [
        ('l', Self::LOOKUP),
        ('r', Self::READ),
        ('s', Self::SEEN),
        ('w', Self::WRITE),
        ('i', Self::INSERT),
        ('p', Self::POST),
        ('k', Self::CREATE),
        ('x', Self::DELETE_MAILBOX),
        ('t', Self::DELETE),
        ('e', Self::EXPUNGE),
        ('c', Self::OLD_CREATE),
        ('d', Self::OLD_DELETE),
        ('a', Self::ADMINISTER),
    ];
    /// `c` of RFC 2086, which stood for several (RFC 4314 §2.1.1).
    const OLD_CREATE: Self = Self(Self::CREATE.0 | Self::DELETE_MAILBOX.0);
    /// `d` of RFC 2086, likewise.
    const OLD_DELETE: Self = Self(Self::DELETE.0 | Self::EXPUNGE.0);

    /// Reads letters. `c` and `d` of RFC 2086 stand for what they meant (RFC 4314 §2.1.1).
    ///
    /// # Errors
    /// The first letter that stands for no right.
    pub fn parse(letters: &str) -> Result<Self, NoSuchRight> {
        letters.chars().try_fold(Self::NONE, |all, letter| {
            let found = Self::LETTERS.iter().find(|(known, _)| *known == letter);
            found
                .map(|(_, right)| all | *right)
                .ok_or(NoSuchRight(letter))
        })
    }

    /// As it is told to clients: with `c` and `d` where one of those is there that they stand for (RFC
    /// 4314 §2.1.1).
    #[must_use]
    pub fn letters(self) -> String {
        let told = Self::LETTERS.iter().filter(|(_, right)| self.any(*right));
        told.map(|(letter, _)| letter).collect()
    }

    /// Each right by itself, with its letter: without `c` and `d`.
    pub fn each(self) -> impl Iterator<Item = (char, Self)> {
        let single = |(_, right): &(char, Self)| right.0.is_power_of_two();
        let all = Self::LETTERS.into_iter().filter(single);
        all.filter(move |(_, right)| self.any(*right))
    }

    /// Whether all of `others` are here. So they are if there are none.
    #[must_use]
    pub const fn all(self, others: Self) -> bool {
        self.0 & others.0 == others.0
    }

    /// Whether one of `others` is here.
    #[must_use]
    pub const fn any(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The flags that these rights let one change (RFC 4314 §4).
    #[must_use]
    pub fn flags(self) -> Flags {
        let others = !(Flags::SEEN | Flags::DELETED);
        let of = |right, flags| if self.any(right) { flags } else { Flags::NONE };
        of(Self::SEEN, Flags::SEEN) | of(Self::DELETE, Flags::DELETED) | of(Self::WRITE, others)
    }

    /// Whether these rights let one change a flag.
    #[must_use]
    pub fn change(self, flag: &Flag) -> bool {
        match flag {
            Flag::System(bit) => self.flags().contains(*bit),
            Flag::Keyword(_) => self.any(Self::WRITE),
        }
    }

    /// For the store.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// As the store kept them. What is no right is dropped.
    #[must_use]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits & Self::ALL.0)
    }
}

impl BitOr for Rights {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitAnd for Rights {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl Not for Rights {
    type Output = Self;

    fn not(self) -> Self {
        Self(!self.0 & Self::ALL.0)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rights({})", self.letters())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_come_back_as_they_were() {
        for bits in 0..=Rights::ALL.bits() {
            let rights = Rights::from_bits(bits);
            assert_eq!(
                rights.each().fold(Rights::NONE, |all, (_, r)| all | r),
                rights
            );
            let plain: String = rights.each().map(|(letter, _)| letter).collect();
            assert_eq!(Rights::parse(&plain), Ok(rights));
        }
    }

    #[test]
    fn the_old_letters_stand_for_what_they_meant() {
        // The examples of RFC 4314 §2.1.1, with c=kx and d=et.
        assert_eq!(Rights::parse("lrswida"), Rights::parse("lrswideta"));
        assert_eq!(Rights::parse("c"), Rights::parse("kx"));
        assert_eq!(Rights::parse("lrswida").unwrap().letters(), "lrswiteda");
        assert_eq!(Rights::parse("k").unwrap().letters(), "kc");
        assert_eq!(Rights::ALL.letters(), "lrswipkxtecda");
        assert_eq!(Rights::NONE.letters(), "");
    }

    #[test]
    fn what_is_no_right_is_refused() {
        assert_eq!(Rights::parse("lrQ"), Err(NoSuchRight('Q')));
        assert_eq!(Rights::parse("lrq"), Err(NoSuchRight('q')));
        assert_eq!(Rights::parse("l1"), Err(NoSuchRight('1')));
        assert_eq!(Rights::parse("l r"), Err(NoSuchRight(' ')));
    }
}
