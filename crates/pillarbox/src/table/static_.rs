//! `table.static`: entries written in the configuration.

use std::collections::HashMap;

use pillarbox_config::{Directive, Error, Kind};

use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.static",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Looks keys up among entries that are written in the configuration.",
    directives: DIRECTIVES,
    build: |_, declaration| Ok(Parts::table(Static::build(declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[Directive::new(
    "entry",
    Kind::TextList,
    "",
    "A key and its value or values, as in `entry KEY VALUE [VALUE...]`. Of several entries with \
     the same key the last one counts.",
)
.repeat()];

/// The table.
struct Static(HashMap<String, Vec<String>>);

impl Static {
    fn build(declaration: &Declaration<'_>) -> Built<Self> {
        declaration.no_args()?;
        let bound = declaration.bind(DIRECTIVES)?;
        let mut entries = HashMap::new();
        for node in bound.nodes("entry") {
            let mut texts = node.texts().map(str::to_owned);
            let key = texts.next().unwrap_or_default();
            let values: Vec<String> = texts.collect();
            if values.is_empty() {
                let error = Error::new(node.span(), "expected at least one value");
                return Err(vec![error.help(format!("as in `entry {key} VALUE`"))]);
            }
            entries.insert(key, values);
        }
        Ok(Self(entries))
    }
}

impl Table for Static {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        let values = self.0.get(key);
        ready(Ok(values.and_then(|values| values.first()).cloned()))
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        ready(Ok(self.0.get(key).cloned().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, look, refused_table, table};

    #[test]
    fn entries_are_found_and_later_ones_replace_earlier_ones() {
        let table = table("static {\n entry a 1 2\n entry b 3\n entry b 4\n}");
        assert_eq!(look(&*table, "a"), ["1", "2"]);
        assert_eq!(first(&*table, "a").as_deref(), Some("1"));
        assert_eq!(look(&*table, "b"), ["4"]);
        assert_eq!(first(&*table, "A"), None);
        assert!(table.writable().is_none());
    }

    #[test]
    fn an_entry_needs_a_value() {
        let refused = refused_table("static {\n entry a\n}");
        assert!(
            refused.contains("test.conf:2:") && refused.contains("expected at least one value")
        );
        assert!(refused_table("static { entrie a b }").contains("did you mean `entry`?"));
    }
}
