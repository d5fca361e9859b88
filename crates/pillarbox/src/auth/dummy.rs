//! `dummy`: lets everybody in, and is a table that knows nobody. For tests.

use std::sync::Arc;

use super::{Denied, Provider};
use crate::Answer;
use crate::module::{Module, Offer, Parts};
use crate::secret::Secret;
use crate::table::{Table, TableError, ready};

pub(crate) const MODULE: Module = Module {
    name: "dummy",
    aliases: &[],
    offers: &[Offer::Provider, Offer::Table],
    arguments: "",
    doc: "Accepts any password of any user. As a table it finds nothing. For tests only.",
    directives: &[],
    build: |_, declaration| {
        declaration.no_args()?;
        declaration.bind(&[])?;
        Ok(Parts {
            provider: Some(Arc::new(Dummy)),
            table: Some(Arc::new(Dummy)),
            ..Parts::default()
        })
    },
};

/// The provider and table.
pub struct Dummy;

impl Provider for Dummy {
    fn authenticate<'a>(
        &'a self,
        _user: &'a str,
        _password: &'a Secret,
    ) -> Answer<'a, Result<(), Denied>> {
        ready(Ok(()))
    }
}

impl Table for Dummy {
    fn lookup<'a>(&'a self, _key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        ready(Ok(None))
    }

    fn lookup_all<'a>(&'a self, _key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        ready(Ok(vec![String::new()]))
    }
}
