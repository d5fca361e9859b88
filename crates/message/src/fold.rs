//! Case folding for search and sort: i;unicode-casemap (RFC 5051).

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The key of a text by which i;unicode-casemap compares (RFC 5051 §2): each character in its
/// simple titlecase form, then fully decomposed (NFKD). Two texts are equal, or one is part of the
/// other, if their keys are.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_uppercase();
    }
    let title: String = text.chars().map(titlecase).collect();
    DecomposingNormalizerBorrowed::new_nfkd()
        .normalize(&title)
        .into_owned()
}

/// The simple titlecase mapping (UnicodeData.txt, field 14). It is the upper case that the standard
/// library knows, if that is one character, but for [`EXCEPTIONS`].
fn titlecase(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let code = c as u32;
    let at = EXCEPTIONS.partition_point(|&(_, last, _)| last < code);
    if let Some(&(_, _, delta)) = EXCEPTIONS.get(at).filter(|(first, ..)| *first <= code) {
        return code
            .checked_add_signed(delta)
            .and_then(char::from_u32)
            .unwrap_or(c);
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// First and last character of a range in ascending order, and how far away their titlecase is:
/// digraphs with a third case, Georgian, which has upper but no title case, Greek with iota
/// subscript, whose upper case is two characters, and letters newer than the standard library.
const EXCEPTIONS: [(u32, u32, i32); 39] = [
    (0x1c4, 0x1c4, 1),
    (0x1c5, 0x1c5, 0),
    (0x1c6, 0x1c6, -1),
    (0x1c7, 0x1c7, 1),
    (0x1c8, 0x1c8, 0),
    (0x1c9, 0x1c9, -1),
    (0x1ca, 0x1ca, 1),
    (0x1cb, 0x1cb, 0),
    (0x1cc, 0x1cc, -1),
    (0x1f1, 0x1f1, 1),
    (0x1f2, 0x1f2, 0),
    (0x1f3, 0x1f3, -1),
    (0x277, 0x277, 42_342),
    (0x27c, 0x27c, 42_342),
    (0x10d0, 0x10fa, 0),
    (0x10fd, 0x10ff, 0),
    (0x1f80, 0x1f87, 8),
    (0x1f90, 0x1f97, 8),
    (0x1fa0, 0x1fa7, 8),
    (0x1fb3, 0x1fb3, 9),
    (0x1fc3, 0x1fc3, 9),
    (0x1ff3, 0x1ff3, 9),
    (0xab4b, 0xab4c, 33),
    (0x1df41, 0x1df41, -1),
    (0x1df49, 0x1df49, -1),
    (0x1df4b, 0x1df4b, -1),
    (0x1df4e, 0x1df4e, -1),
    (0x1df52, 0x1df52, -1),
    (0x1df69, 0x1df69, -1),
    (0x1df6b, 0x1df6b, -1),
    (0x1df6d, 0x1df6d, -1),
    (0x1df6f, 0x1df6f, -1),
    (0x1df73, 0x1df73, -1),
    (0x1df75, 0x1df75, -1),
    (0x1df77, 0x1df77, -1),
    (0x1df79, 0x1df79, -1),
    (0x1df7b, 0x1df7b, -1),
    (0x1df7d, 0x1df7d, -1),
    (0x1df7f, 0x1df7f, -1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titlecase_is_unicodes() {
        let oracle = icu_casemap::CaseMapper::new();
        for c in '\0'..=char::MAX {
            assert_eq!(
                titlecase(c),
                oracle.simple_titlecase(c),
                "U+{:04X}",
                c as u32
            );
        }
    }

    #[test]
    fn texts_that_differ_in_case_or_form_are_one() {
        for (a, b) in [
            ("hello", "HELLO"),
            ("\u{e4}", "A\u{308}"),
            ("\u{3b1}\u{3c3}\u{3c2}", "\u{391}\u{3a3}\u{3a3}"),
            ("\u{1c6}", "\u{1c4}"),
            ("\u{212b}", "\u{e5}"),
            ("\u{ff21}", "a"),
            ("\u{1fb3}", "\u{1fbc}"),
        ] {
            assert_eq!(fold(a), fold(b), "{a} {b}");
        }
        // Not full case folding: sharp s has no simple title case.
        assert_ne!(fold("\u{df}"), fold("ss"));
    }
}
