//! LIST patterns (RFC 3501 §6.3.8).

use std::collections::HashMap;

use crate::limit;
use crate::mailbox_name::{Delimiter, canonical};

/// A LIST pattern: `*` matches anything, `%` anything but the delimiter.
///
/// It is matched by going through the name once with a set of all places in the pattern that could be
/// reached, 64 of them in a word, so that no pattern makes it go back.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    delimiter: Delimiter,
    /// How many characters it has; `None` if it is longer than any name that it could match.
    len: Option<usize>,
    /// Where it has `*`.
    any: Places,
    /// Where it has `%`.
    level: Places,
    /// Where it has each other character.
    plain: HashMap<char, Places>,
}

/// A set of places in a pattern: bit `i` is the place before its character `i`.
type Places = Vec<u64>;

/// No pattern with more characters matches a name: at most each second one is a wildcard.
const MOST_CHARS: usize = 2 * limit::MAILBOX_NAME_BYTES + 1;

impl Pattern {
    /// The pattern that a reference name and a pattern make together. Wildcards in a row are one. Linear in
    /// both.
    #[must_use]
    pub fn new(reference: &str, pattern: &str, delimiter: Delimiter) -> Self {
        let chars = condensed(&canonical(&format!("{reference}{pattern}"), delimiter));
        let len = Some(chars.len()).filter(|&len| len <= MOST_CHARS);
        let words = len.map_or(0, |len| len / 64 + 1);
        let mut made = Self {
            delimiter,
            len,
            any: vec![0; words],
            level: vec![0; words],
            plain: HashMap::new(),
        };
        for (at, c) in chars.into_iter().enumerate().take(len.unwrap_or(0)) {
            let places = match c {
                '*' => &mut made.any,
                '%' => &mut made.level,
                _ => made.plain.entry(c).or_insert_with(|| vec![0; words]),
            };
            places[at / 64] |= 1 << (at % 64);
        }
        made
    }

    /// Whether a name matches as a whole. Linear in the name; each of its characters costs a step for 64
    /// of the pattern's.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        let Some(len) = self.len else {
            return false;
        };
        let mut reached = vec![0; self.any.len()];
        reached[0] = 1;
        self.pass_wildcards(&mut reached);
        for c in name.chars() {
            self.advance(&mut reached, c);
        }
        reached[len / 64] >> (len % 64) & 1 == 1
    }

    /// Takes one character: a wildcard takes it and stays, the same character is passed.
    fn advance(&self, reached: &mut [u64], c: char) {
        let plain = self.plain.get(&c);
        let crosses_level = c == self.delimiter.0;
        let mut carry = 0;
        for (at, places) in reached.iter_mut().enumerate() {
            let level = if crosses_level { 0 } else { self.level[at] };
            let stay = *places & (self.any[at] | level);
            let passed = *places & plain.map_or(0, |plain| plain[at]);
            *places = stay | passed << 1 | carry;
            carry = passed >> 63;
        }
        self.pass_wildcards(reached);
    }

    /// A wildcard may stand for nothing. No two stand in a row.
    fn pass_wildcards(&self, reached: &mut [u64]) {
        let mut carry = 0;
        for (at, places) in reached.iter_mut().enumerate() {
            let before = *places & (self.any[at] | self.level[at]);
            *places |= before << 1 | carry;
            carry = before >> 63;
        }
    }
}

/// The characters of a pattern, where wildcards in a row are one: `*` if one of them is.
fn condensed(text: &str) -> Vec<char> {
    let mut chars: Vec<char> = Vec::with_capacity(text.len().min(MOST_CHARS));
    for c in text.chars() {
        match (chars.last_mut(), c) {
            (Some(last @ ('*' | '%')), '*') => *last = '*',
            (Some('*' | '%'), '%') => {}
            _ => chars.push(c),
        }
    }
    chars
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOT: Delimiter = Delimiter('.');

    #[test]
    fn patterns() {
        let matches = |pattern: &str, text: &str| Pattern::new("", pattern, DOT).matches(text);
        assert!(matches("*", "a.b.c"));
        assert!(matches("%", "abc") && !matches("%", "a.b"));
        assert!(matches("a.%", "a.b") && !matches("a.%", "a.b.c"));
        assert!(matches("a.%%.c", "a.bbb.c"));
        assert!(matches("*b*", "abc") && !matches("b", "abc"));
        assert!(matches("inbox", "INBOX") && !matches("", "a"));
        assert!(matches("%.x", "INBOX.x"));
        assert!(Pattern::new("a.", "%", DOT).matches("a.b"));
        assert!(Pattern::new("", "%", DOT).matches("größe"));
    }

    #[test]
    fn a_run_of_wildcards_is_one_however_long() {
        let stars = "*".repeat(1 << 20);
        assert_eq!(Pattern::new("", &stars, DOT), Pattern::new("", "*", DOT));
        assert_eq!(
            Pattern::new("a%%", "%**b", DOT),
            Pattern::new("", "a%*b", DOT)
        );
    }

    /// The definition, word for word.
    fn defined(pattern: &[u8], name: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((wild @ (b'*' | b'%'), rest)) => {
                let reach = match wild {
                    b'%' => name.iter().position(|c| *c == b'.').unwrap_or(name.len()),
                    _ => name.len(),
                };
                (0..=reach).any(|taken| defined(rest, &name[taken..]))
            }
            Some((plain, rest)) => name.first() == Some(plain) && defined(rest, &name[1..]),
        }
    }

    /// All words of up to `length` letters.
    fn words(letters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut from = 0;
        for _ in 0..length {
            let before = all.len();
            for at in from..before {
                all.extend(
                    letters
                        .chars()
                        .map(|c| format!("{}{c}", all[at]))
                        .collect::<Vec<_>>(),
                );
            }
            from = before;
        }
        all
    }

    #[test]
    fn all_short_patterns_match_as_defined() {
        let names = words("a.", 5);
        for pattern in words("a.*%", 5) {
            let made = Pattern::new("", &pattern, DOT);
            for name in &names {
                let expected = defined(pattern.as_bytes(), name.as_bytes());
                assert_eq!(made.matches(name), expected, "{pattern} {name}");
            }
        }
    }

    #[test]
    fn places_beyond_one_word_are_reached() {
        for length in [62, 63, 64, 65, 127, 128, 129, 1_000] {
            let name = "x".repeat(length);
            let matches = |pattern: &str| Pattern::new("", pattern, DOT).matches(&name);
            assert!(matches(&name) && matches(&format!("{name}*")) && matches(&format!("%{name}")));
            assert!(matches(&format!("*{}", &name[1..])) && matches("%x%"));
            assert!(!matches(&name[1..]) && !matches(&format!("{name}x")));
        }
    }

    #[test]
    fn a_pattern_longer_than_any_name_matches_nothing() {
        let long = "a".repeat(MOST_CHARS + 1);
        assert!(!Pattern::new("", &long, DOT).matches(&long));
    }

    #[test]
    fn a_hostile_pattern_costs_no_more_than_its_length() {
        let hostile = "*a".repeat(limit::MAILBOX_NAME_BYTES / 2);
        let text = "a".repeat(limit::MAILBOX_NAME_BYTES - 1) + "b";
        assert!(!Pattern::new("", &hostile, DOT).matches(&text));
    }
}
