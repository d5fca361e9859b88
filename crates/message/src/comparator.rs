//! How texts are compared: the collations of RFC 4790 that IMAP may be asked for (RFC 5255 §4).

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::fold::fold;
use crate::search::Needle;

/// A collation: which texts are equal, which comes first, and which is part of another.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Comparator {
    /// `i;unicode-casemap` (RFC 5051): neither the case of letters nor the form of characters counts.
    #[default]
    UnicodeCasemap,
    /// `i;ascii-casemap` (RFC 4790 §9.2): the case of ASCII letters does not count.
    AsciiCasemap,
    /// `i;octet` (RFC 4790 §9.3): the bytes of the decoded text in UTF-8.
    Octet,
}

impl Comparator {
    /// All of them, the default first.
    pub const ALL: [Self; 3] = [Self::UnicodeCasemap, Self::AsciiCasemap, Self::Octet];

    /// As registered.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnicodeCasemap => "i;unicode-casemap",
            Self::AsciiCasemap => "i;ascii-casemap",
            Self::Octet => "i;octet",
        }
    }

    /// The key of a text: two texts are equal, in order, or one is part of the other, as the bytes of
    /// their keys are. Linear in the text.
    #[must_use]
    pub fn key(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::UnicodeCasemap => Cow::Owned(fold(text)),
            Self::AsciiCasemap => Cow::Owned(text.to_ascii_uppercase()),
            Self::Octet => Cow::Borrowed(text),
        }
    }

    /// Whether two texts are the same.
    #[must_use]
    pub fn equals(self, a: &str, b: &str) -> bool {
        self.key(a) == self.key(b)
    }

    /// Which of two texts comes first.
    #[must_use]
    pub fn compare(self, a: &str, b: &str) -> Ordering {
        self.key(a).cmp(&self.key(b))
    }

    /// Whether `part` is part of `text`. For many texts, a [`Needle`] is made once.
    #[must_use]
    pub fn contains(self, text: &str, part: &str) -> bool {
        Needle::by(self, part).found_in(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_idea_of_what_is_the_same() {
        let [unicode, ascii, octet] = Comparator::ALL;
        for (a, b, expected) in [
            ("hello", "hello", [true, true, true]),
            ("hello", "HELLO", [true, true, false]),
            ("gr\u{fc}n", "GR\u{dc}N", [true, false, false]),
            ("\u{e4}", "a\u{308}", [true, false, false]),
            ("a", "b", [false, false, false]),
        ] {
            assert_eq!(
                [unicode, ascii, octet].map(|comparator| comparator.equals(a, b)),
                expected,
                "{a} {b}"
            );
            assert_eq!(
                Comparator::ALL.map(|comparator| comparator.contains(&format!("x{a}y"), b)),
                expected,
                "{a} {b}"
            );
        }
    }

    #[test]
    fn order_is_that_of_the_keys() {
        use Ordering::{Equal, Greater, Less};
        let [unicode, ascii, octet] = Comparator::ALL;
        assert_eq!(unicode.compare("b", "A"), Greater);
        assert_eq!(ascii.compare("b", "A"), Greater);
        assert_eq!(octet.compare("a", "B"), Greater);
        assert_eq!(unicode.compare("\u{fc}", "\u{dc}"), Equal);
        assert_eq!(octet.compare("\u{dc}", "\u{fc}"), Less);
    }
}
