//! A storage as a table of who has an account there.

use std::sync::Arc;

use super::{AccountError, Storage};
use crate::Answer;
use crate::table::{Table, TableError};

/// The table: a name that has an account has an empty value. When verifying there is no storage, and
/// nobody has an account.
pub(super) struct AccountTable(pub(super) Option<Arc<Storage>>);

impl Table for AccountTable {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(async move {
            let Some(storage) = &self.0 else {
                return Ok(None);
            };
            let name = match storage.auth.account_name(key).await {
                Ok(name) => name,
                Err(AccountError::Name(_) | AccountError::Unmapped) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            Ok(storage.store.account(&name).await?.map(|_| String::new()))
        })
    }
}
