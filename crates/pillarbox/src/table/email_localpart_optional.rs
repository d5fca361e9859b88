//! `table.email_localpart_optional`: an address's part before the `@`, or the name as it is.

use super::email_localpart::local_part;
use super::{Table, TableError, ready};
use crate::Answer;
use crate::module::{Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.email_localpart_optional",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "",
    doc: "Returns the part of an address before its last `@`, without quotes. What is no address \
          is returned as it is.",
    directives: &[],
    build: |_, declaration| {
        declaration.no_args()?;
        declaration.bind(&[])?;
        Ok(Parts::table(LocalPartOptional))
    },
};

/// The table.
struct LocalPartOptional;

impl Table for LocalPartOptional {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(Some(local_part(key).unwrap_or_else(|| key.to_owned()))))
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::{first, table};

    #[test]
    fn a_name_that_is_no_address_stays() {
        let table = table("email_localpart_optional");
        assert_eq!(first(&*table, "user@example.org").as_deref(), Some("user"));
        assert_eq!(first(&*table, "user").as_deref(), Some("user"));
        assert_eq!(first(&*table, "user@").as_deref(), Some("user@"));
    }
}
