//! Tables: names to names.

mod chain;
mod email_localpart;
mod email_localpart_optional;
mod email_with_domain;
mod file;
mod identity;
mod regexp;
mod sql;
mod sql_query;
mod sql_table;
mod static_;

use crate::Answer;
use crate::module::Module;

/// All tables.
pub(crate) const MODULES: &[&Module] = &[
    &identity::MODULE,
    &static_::MODULE,
    &file::MODULE,
    &regexp::MODULE,
    &chain::MODULE,
    &email_localpart::MODULE,
    &email_localpart_optional::MODULE,
    &email_with_domain::MODULE,
    &sql_query::MODULE,
    &sql_table::MODULE,
];

/// Why a lookup gave no answer at all (as opposed to "not found"). For the log, never for a client.
pub type TableError = anyhow::Error;

/// A mapping from texts to texts.
pub trait Table: Send + Sync {
    /// The value of a key, if it has one.
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>>;

    /// All values of a key; none if it is not there. [`Table::lookup`] gives the first.
    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        Box::pin(async move { Ok(self.lookup(key).await?.into_iter().collect()) })
    }

    /// The table as one that can be changed, if it can.
    fn writable(&self) -> Option<&dyn WritableTable> {
        None
    }
}

/// A table whose entries can be listed and changed.
pub trait WritableTable: Send + Sync {
    /// All keys.
    fn keys(&self) -> Answer<'_, Result<Vec<String>, TableError>>;
    /// Sets a key's value, whether it is there or not.
    fn set<'a>(&'a self, key: &'a str, value: &'a str) -> Answer<'a, Result<(), TableError>>;
    /// Removes a key; says whether it was there.
    fn remove<'a>(&'a self, key: &'a str) -> Answer<'a, Result<bool, TableError>>;
}

/// An answer that is there already.
pub(crate) fn ready<'a, T: Send + 'a>(value: T) -> Answer<'a, T> {
    Box::pin(std::future::ready(value))
}
