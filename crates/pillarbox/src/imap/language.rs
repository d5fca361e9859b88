//! The languages that people are spoken to in (RFC 5255 §3): one table, by the English text.

use std::borrow::Cow;

use pillarbox_proto::imap::encode::Wording;

use super::phrases::PHRASES;

/// A language. A text that it lacks is told in English.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) enum Language {
    /// `i-default` (RFC 2277 §4.5): English for everybody, in ASCII.
    #[default]
    Default,
    /// English.
    English,
    /// French.
    French,
    /// German.
    German,
}

impl Language {
    /// All of them, in the order in which they are listed.
    pub(crate) const ALL: [Self; 4] = [Self::English, Self::French, Self::German, Self::Default];

    /// The tag (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Default => "i-default",
            Self::English => "en",
            Self::French => "fr",
            Self::German => "de",
        }
    }

    /// What a language range finds: `de-AT` finds German, as RFC 4647 §3.4 has it. `default` and `*` find
    /// the server's own.
    pub(crate) fn of_range(range: &[u8]) -> Option<Self> {
        let range = std::str::from_utf8(range).ok()?;
        if range == "*" || range.eq_ignore_ascii_case("default") {
            return Some(Self::Default);
        }
        let primary = |tag: &str| {
            range
                .get(..tag.len())
                .is_some_and(|r| r.eq_ignore_ascii_case(tag))
        };
        let ends = |tag: &str| matches!(range.as_bytes().get(tag.len()), None | Some(b'-'));
        Self::ALL
            .into_iter()
            .find(|language| primary(language.tag()) && ends(language.tag()))
    }

    /// A text as it may go out: in ASCII, unless a language was asked for.
    pub(crate) fn wording(self, text: &str) -> Wording<'_> {
        match self {
            Self::Default => Wording::Ascii(text),
            _ => Wording::Utf8(text),
        }
    }

    /// A text in this language; the English one where there is no other.
    ///
    /// `{}` in a phrase stands for what differs, which stays as it is. Costs a look at the whole table.
    pub(crate) fn phrase(self, english: &str) -> Cow<'_, str> {
        let of = |phrase: &Phrase| match self {
            Self::Default | Self::English => phrase.english,
            Self::French => phrase.french,
            Self::German => phrase.german,
        };
        if matches!(self, Self::Default | Self::English) {
            return Cow::Owned(english.to_owned());
        }
        if let Some(phrase) = PHRASES.iter().find(|phrase| phrase.english == english) {
            return Cow::Borrowed(of(phrase));
        }
        let filled = PHRASES.iter().find_map(|phrase| {
            let filling = phrase.filling(english)?;
            Some(of(phrase).replacen("{}", filling, 1))
        });
        Cow::Owned(filled.unwrap_or_else(|| english.to_owned()))
    }
}

/// A text in all languages.
pub(super) struct Phrase {
    pub(super) english: &'static str,
    pub(super) french: &'static str,
    pub(super) german: &'static str,
}

impl Phrase {
    /// What stands for `{}` in a text, if it is this phrase.
    fn filling<'t>(&self, text: &'t str) -> Option<&'t str> {
        let (before, after) = self.english.split_once("{}")?;
        text.strip_prefix(before)?.strip_suffix(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_find_languages_as_rfc_4647_has_it() {
        for (range, expected) in [
            ("de", Some(Language::German)),
            ("DE", Some(Language::German)),
            ("de-AT-1996", Some(Language::German)),
            ("den", None),
            ("d", None),
            ("fr-CA", Some(Language::French)),
            ("en-GB", Some(Language::English)),
            ("i-default", Some(Language::Default)),
            ("default", Some(Language::Default)),
            ("*", Some(Language::Default)),
            ("it", None),
            ("", None),
            ("d\u{e9}", None),
        ] {
            assert_eq!(Language::of_range(range.as_bytes()), expected, "{range}");
        }
        assert_eq!(Language::of_range(b"\xff"), None);
    }

    #[test]
    fn what_differs_stays_and_what_is_missing_is_english() {
        let german = Language::German;
        assert_eq!(
            german.phrase("No such mailbox"),
            "Dieses Postfach gibt es nicht"
        );
        assert_eq!(german.phrase("NOOP completed"), "NOOP ausgef\u{fc}hrt");
        assert_eq!(
            german.phrase("The message is larger than the limit of 7 bytes"),
            "Die Nachricht ist gr\u{f6}\u{df}er als erlaubt (7 Bytes)"
        );
        assert_eq!(german.phrase("Never said before"), "Never said before");
        assert_eq!(
            Language::Default.phrase("No such mailbox"),
            "No such mailbox"
        );
    }

    #[test]
    fn every_phrase_is_there_once_in_all_languages_with_the_same_gaps() {
        let mut seen = std::collections::BTreeSet::new();
        for phrase in PHRASES {
            assert!(seen.insert(phrase.english), "twice: {}", phrase.english);
            for text in [phrase.french, phrase.german] {
                assert!(!text.is_empty() && !text.chars().any(char::is_control));
                let gaps = |text: &str| text.matches("{}").count();
                assert_eq!(gaps(text), gaps(phrase.english), "{text}");
                assert!(gaps(text) <= 1);
            }
        }
    }

    /// The sources of the sessions and of what decides on their commands.
    fn sources() -> Vec<String> {
        let crates = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut left = vec![
            crates.join("pillarbox/src/imap"),
            crates.join("proto/src/imap/table.rs"),
        ];
        let mut texts = Vec::new();
        while let Some(path) = left.pop() {
            if path.is_dir() {
                let entries = std::fs::read_dir(&path).unwrap();
                left.extend(entries.map(|entry| entry.unwrap().path()));
            } else if !path.ends_with("imap/language.rs") {
                texts.push(std::fs::read_to_string(path).unwrap());
            }
        }
        texts
    }

    /// Whoever adds a refusal, a goodbye or an objection adds a row to the table of phrases.
    #[test]
    fn every_refusal_and_goodbye_is_there_in_all_languages() {
        let places = [
            r#"Refusal::(?:Client|State|Cannot|Limit)\(\s*(?:format!\(\s*)?"([^"]+)""#,
            r#"\b(?:no|bad)\(\s*(?:None|Some\([^"]*?\)|Code::[A-Za-z]+(?:\([^"]*?\))?),\s*(?:format!\(\s*)?"([^"]+)""#,
            r#"say_bye\([^";]*"([^"]+)""#,
            r#"\btext: "([^"]+)""#,
            r#"=> \{?\s*Some\("([A-Z][^"]* [^"]+)"\)"#,
        ];
        let gap = regex::Regex::new(r"\{[a-z_]*\}").unwrap();
        let (mut found, mut missing) = (0, Vec::new());
        for source in sources() {
            for place in places {
                for text in regex::Regex::new(place).unwrap().captures_iter(&source) {
                    found += 1;
                    let text = gap.replace_all(&text[1], "7").into_owned();
                    for language in [Language::French, Language::German] {
                        if language.phrase(&text) == text {
                            missing.push(text.clone());
                        }
                    }
                }
            }
        }
        missing.dedup();
        assert!(found > 60, "only {found} are found");
        assert_eq!(missing, Vec::<String>::new(), "rows for phrases.rs");
    }

    #[test]
    fn what_is_wrong_with_names_is_there_in_all_languages() {
        use pillarbox_model::BadName as Bad;
        use pillarbox_proto::imap::utf7::{NameError, Utf7Error};
        for bad in [
            NameError::Name(Bad::Empty),
            NameError::Name(Bad::EmptyLevel),
            NameError::Name(Bad::TooLong),
            NameError::Name(Bad::Character),
            NameError::Utf7(Utf7Error::Byte),
            NameError::Utf7(Utf7Error::Shift),
            NameError::Utf8,
        ] {
            let text = bad.to_string();
            assert_ne!(Language::French.phrase(&text), text);
            assert_ne!(Language::German.phrase(&text), text);
        }
    }
}
