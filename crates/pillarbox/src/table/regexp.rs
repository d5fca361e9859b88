//! `table.regexp`: values made of the key by a pattern.

use pillarbox_config::{Bound, Directive, Error, Kind, Word};
use regex::{Regex, RegexBuilder};

use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.regexp",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "PATTERN [REPLACEMENT...]",
    doc: "Returns the replacements if the key matches the pattern, or the key itself if there is \
          no replacement. In a replacement `$1`, `${1}` and `$name` stand for what a group \
          matched, `$$` for a dollar sign. Patterns are RE2's: no look-around, no \
          back-references, linear time.",
    directives: DIRECTIVES,
    build: |_, declaration| Ok(Parts::table(Pattern::build(declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "full_match",
        Kind::Bool,
        "yes",
        "The pattern has to match the whole key, not a part of it.",
    ),
    Directive::new(
        "case_insensitive",
        Kind::Bool,
        "yes",
        "Upper and lower case are the same.",
    ),
    Directive::new(
        "expand_placeholders",
        Kind::Bool,
        "yes",
        "`$1` and the like in replacements stand for what was matched.",
    )
    .aliases(&["expand_replaceholders"]),
];

/// The table.
struct Pattern {
    pattern: Regex,
    replacements: Vec<String>,
    expand: bool,
}

impl Pattern {
    fn build(declaration: &Declaration<'_>) -> Built<Self> {
        let bound = declaration.bind(DIRECTIVES)?;
        let [pattern, replacements @ ..] = declaration.args else {
            let error = declaration.error("regexp: a pattern is required");
            return Err(vec![
                error.help("as in `regexp \"(.+)@example.org\" \"$1\"`"),
            ]);
        };
        Ok(Self {
            pattern: compile(pattern, &bound)?,
            replacements: replacements.iter().map(|word| word.text.clone()).collect(),
            expand: bound.flag("expand_placeholders"),
        })
    }

    fn values(&self, key: &str) -> Vec<String> {
        let Some(captures) = self.pattern.captures(key) else {
            return Vec::new();
        };
        if self.replacements.is_empty() {
            return vec![key.to_owned()];
        }
        let expanded = self.replacements.iter().map(|replacement| {
            let mut value = String::new();
            captures.expand(replacement, &mut value);
            value
        });
        if self.expand {
            expanded.collect()
        } else {
            self.replacements.clone()
        }
    }
}

fn compile(pattern: &Word, bound: &Bound<'_>) -> Built<Regex> {
    let text = if bound.flag("full_match") {
        format!("^(?:{})$", pattern.text)
    } else {
        pattern.text.clone()
    };
    RegexBuilder::new(&text)
        .case_insensitive(bound.flag("case_insensitive"))
        .build()
        .map_err(|error| vec![Error::new(pattern.span, format!("regexp: {error}"))])
}

impl Table for Pattern {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(self.values(key).into_iter().next()))
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        ready(Ok(self.values(key)))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, look, refused_table, table};

    #[test]
    fn groups_are_put_in() {
        let table = table(r#"regexp "(?P<user>.+)@example\.org" "${1}" "$user-x" "$$1""#);
        assert_eq!(look(&*table, "User@EXAMPLE.org"), ["User", "User-x", "$1"]);
        assert_eq!(first(&*table, "user@example.com"), None);
    }

    #[test]
    fn without_a_replacement_the_key_is_the_value() {
        assert_eq!(look(&*table("regexp a+"), "AAA"), ["AAA"]);
    }

    #[test]
    fn the_whole_key_matches_unless_told_otherwise() {
        assert_eq!(first(&*table("regexp a|b x"), "ac"), None);
        let part = table("regexp b x {\n full_match no\n}");
        assert_eq!(first(&*part, "abc").as_deref(), Some("x"));
    }

    #[test]
    fn case_and_placeholders_can_be_taken_as_they_are() {
        let exact = table("regexp a x {\n case_insensitive no\n}");
        assert_eq!(first(&*exact, "A"), None);
        for spelling in ["expand_placeholders", "expand_replaceholders"] {
            let plain = table(&format!("regexp (a) $1 {{\n {spelling} no\n}}"));
            assert_eq!(first(&*plain, "a").as_deref(), Some("$1"));
        }
    }

    #[test]
    fn a_pattern_is_needed_and_checked() {
        assert!(refused_table("regexp").contains("a pattern is required"));
        assert!(refused_table("regexp \"a(\"").contains("regexp: regex parse error"));
    }
}
