//! From an address to an account.

use pillarbox_proto::lmtp::Address;
use pillarbox_store::{Account, Error};

use super::Detail;
use crate::storage::{AccountError, Storage};

/// Somebody who gets a message.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// The address as it was given.
    pub address: String,
    /// Whose mailbox it is.
    pub account: Account,
    /// The detail in the address, if the storage makes something of it.
    pub detail: Option<String>,
}

/// Why there is nobody to deliver to.
#[derive(Debug, thiserror::Error)]
pub enum NoRecipient {
    /// There is no such user.
    #[error("User does not exist")]
    Unknown,
    /// Nobody can tell at the moment.
    #[error(transparent)]
    Unavailable(AccountError),
}

impl Storage {
    /// Who gets mail to an address. The address counts as it is; if nobody has it, without its
    /// detail. No account is made unless the storage has a table for that, and the address is in it.
    ///
    /// # Errors
    /// [`NoRecipient`].
    pub async fn recipient(&self, address: &str) -> Result<Recipient, NoRecipient> {
        let recipient = |account, detail| Recipient {
            address: address.to_owned(),
            account,
            detail,
        };
        if let Some(account) = self.account_at(address).await? {
            return Ok(recipient(account, None));
        }
        let Some((bare, detail)) = self.split(address) else {
            return Err(NoRecipient::Unknown);
        };
        match self.account_at(&bare).await? {
            Some(account) => Ok(recipient(account, Some(detail))),
            None => Err(NoRecipient::Unknown),
        }
    }

    async fn account_at(&self, address: &str) -> Result<Option<Account>, NoRecipient> {
        match self.find_or_create(address).await {
            Ok(account) => Ok(account),
            // A name that nobody can have, or that no table knows.
            Err(AccountError::Name(_) | AccountError::Unmapped) => Ok(None),
            Err(error) => Err(NoRecipient::Unavailable(error)),
        }
    }

    async fn find_or_create(&self, address: &str) -> Result<Option<Account>, AccountError> {
        if let Some(account) = self.account_for_delivery(address).await? {
            return Ok(Some(account));
        }
        let rules = &self.delivery;
        let Some(table) = &rules.create_from else {
            return Ok(None);
        };
        let normal = rules.mapping.normalize.apply(address)?;
        let known = table.lookup(&normal).await.map_err(AccountError::Table)?;
        if known.is_none() {
            return Ok(None);
        }
        let name = rules.mapping.account_name(address).await?;
        self.log
            .info(&format!("auto-creating storage account {name}"), &[]);
        match self.create_account(&name).await {
            // Somebody else was faster, on another connection.
            Err(AccountError::Store(Error::AccountExists)) => Ok(self.store.account(&name).await?),
            outcome => outcome.map(Some),
        }
    }

    /// An address without its detail, and that, if it has one.
    fn split(&self, address: &str) -> Option<(String, String)> {
        let rules = &self.delivery;
        if rules.detail == Detail::Off || address.starts_with('"') {
            return None;
        }
        let parsed = Address::parse(address)?;
        let (user, detail) = parsed.local().split_once(&rules.separator)?;
        let domain = parsed.domain().map(|domain| format!("@{domain}"));
        let bare = format!("{user}{}", domain.unwrap_or_default());
        (!user.is_empty() && !detail.is_empty()).then(|| (bare, detail.to_owned()))
    }
}
