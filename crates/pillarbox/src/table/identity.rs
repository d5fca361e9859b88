//! `table.identity`: every name is its own value.

use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.identity",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Returns the key itself.",
    directives: &[],
    build: |_, declaration| {
        declaration.no_args()?;
        declaration.bind(&[])?;
        Ok(Parts::table(Identity))
    },
};

/// The table.
struct Identity;

impl Table for Identity {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(Some(key.to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{look, refused_table, table};

    #[test]
    fn a_name_is_its_own_value() {
        assert_eq!(
            look(&*table("identity"), "user@example.org"),
            ["user@example.org"]
        );
    }

    #[test]
    fn there_is_nothing_to_configure() {
        assert!(refused_table("identity x").contains("no arguments"));
        assert!(refused_table("identity { x y }").contains("unexpected directive: x"));
    }
}
