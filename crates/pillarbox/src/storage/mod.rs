//! Storages: mail, and how the names of users become accounts.

mod account_table;
pub mod engine;
pub mod imapsql;
pub(crate) mod incoming;
pub mod keys;
pub mod names;
pub mod sharing;

use std::path::PathBuf;
use std::sync::Arc;

use pillarbox_model::{Delimiter, MailboxName, PerResource, SpecialUse};
use pillarbox_store::{Account, Store};

use self::sharing::Sharing;
use crate::delivery::Rules;
use crate::log::Logger;
use crate::module::Module;
use crate::normalize::{BadName, Normalize};
use crate::table::{Table, TableError};

/// All storages, and where they put messages.
pub(crate) const MODULES: &[&Module] = &[&imapsql::MODULE, &imapsql::PACK, &imapsql::FS];

/// A place for mail, as a `storage.*` block describes it.
pub struct Storage {
    /// The engine.
    pub store: Arc<dyn Store>,
    /// What stands between levels of mailbox names.
    pub delimiter: Delimiter,
    /// The largest message an APPEND may carry, in bytes, for accounts without a limit of their
    /// own.
    pub append_limit: u64,
    /// What accounts may have that have no quota of their own.
    pub default_quota: PerResource<Option<u64>>,
    /// The mailboxes of a new account besides INBOX.
    pub default_mailboxes: Vec<(MailboxName, Option<SpecialUse>)>,
    /// Whether an account that comes into being by a login gets them too, or INBOX alone.
    pub default_mailboxes_at_login: bool,
    /// Where junk is delivered in an account without a mailbox for it.
    pub junk_mailbox: MailboxName,
    /// What a login's account name goes through. Deprecated: `storage_map` of the endpoint does it.
    pub auth: Mapping,
    /// How mailboxes are shared.
    pub sharing: Sharing,
    /// What becomes of mail that is delivered.
    pub delivery: Rules,
    /// What was sorted lately.
    pub keys: keys::KeyCache,
    /// Under the name of the block.
    pub log: Logger,
}

/// A normalisation and a table after it.
pub struct Mapping {
    /// Applied first.
    pub normalize: Normalize,
    /// Without one, the name stays.
    pub map: Option<Arc<dyn Table>>,
}

/// Why there is no account for a login.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The name can't be anybody's: to the client, wrong credentials.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The name is not in the table: likewise.
    #[error("the name maps to nothing")]
    Unmapped,
    /// The table could not tell.
    #[error(transparent)]
    Table(TableError),
    /// The store could not tell.
    #[error(transparent)]
    Store(#[from] pillarbox_store::Error),
}

impl Mapping {
    /// The account name for a name, in lower case.
    ///
    /// # Errors
    /// [`AccountError::Name`], [`AccountError::Unmapped`], [`AccountError::Table`].
    pub async fn account_name(&self, name: &str) -> Result<String, AccountError> {
        let name = self.normalize.apply(name)?;
        let Some(map) = &self.map else {
            return Ok(Normalize::Casefold.apply(&name)?);
        };
        let mapped = map.lookup(&name).await.map_err(AccountError::Table)?;
        Ok(Normalize::Casefold.apply(&mapped.ok_or(AccountError::Unmapped)?)?)
    }
}

impl Storage {
    /// From now on what is said here counts for what is stored: this is the configuration in force.
    pub fn take_effect(&self) {
        self.store.set_default_quota(self.default_quota);
    }

    /// The account of somebody who has logged in, which is made if it isn't there.
    ///
    /// # Errors
    /// [`AccountError`]. Nothing was made.
    pub async fn account_at_login(&self, name: &str) -> Result<Account, AccountError> {
        let name = self.auth.account_name(name).await?;
        if self.sharing.is_shared_account(&name) {
            return Err(AccountError::Unmapped);
        }
        if let Some(account) = self.store.account(&name).await? {
            return Ok(account);
        }
        let further: &[_] = if self.default_mailboxes_at_login {
            &self.default_mailboxes
        } else {
            &[]
        };
        let creating = format!("auto-creating storage account {name}");
        self.log.info(&creating, &[]);
        match self.store.create_account(&name, further).await {
            // Somebody else was faster, on another connection.
            Err(pillarbox_store::Error::AccountExists) => {
                let account = self.store.account(&name).await?;
                Ok(account.ok_or(pillarbox_store::Error::NoAccount)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// The account that mail to this address goes to, if there is one. None is made.
    ///
    /// # Errors
    /// [`AccountError`]; [`AccountError::Name`] and [`AccountError::Unmapped`] mean that there is
    /// no such user.
    pub async fn account_for_delivery(
        &self,
        address: &str,
    ) -> Result<Option<Account>, AccountError> {
        let name = self.delivery.mapping.account_name(address).await?;
        Ok(self.store.account(&name).await?)
    }

    /// Makes an account as an administrator wants it: with all default mailboxes.
    ///
    /// # Errors
    /// [`AccountError`], also if the account exists. Nothing was made.
    pub async fn create_account(&self, name: &str) -> Result<Account, AccountError> {
        let name = Normalize::Casefold.apply(name)?;
        Ok(self
            .store
            .create_account(&name, &self.default_mailboxes)
            .await?)
    }
}

/// Where and how message bytes are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MessageStore {
    /// Segment files in this directory, or in one beside the database: `imapsql.messages` for
    /// `imapsql.db`.
    Pack(Option<PathBuf>),
    /// One file a message in this directory.
    Fs(PathBuf),
}
