//! Tables: names to names.

use crate::Answer;

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
