//! Mailbox names as they are kept: in Unicode's normalisation form C, so that what looks the same is one
//! mailbox however a client spells it (RFC 9051 §5.1, RFC 5198 §2).
//!
//! Names that were kept before in another form stay reachable in exactly that spelling.

use pillarbox_model::{AccountId, BadName, Delimiter, MailboxName};
use pillarbox_store::{Error, MailboxInfo};

use super::Storage;
use crate::precis;

/// A name in normalisation form C.
///
/// # Errors
/// [`BadName::TooLong`]: few characters become longer by it.
pub fn composed(name: &MailboxName, delimiter: Delimiter) -> Result<MailboxName, BadName> {
    if name.as_str().is_ascii() {
        return Ok(name.clone());
    }
    MailboxName::new(&precis::nfc(name.as_str()), delimiter)
}

impl Storage {
    /// As [`Self::find`], of an account by its name. It asks as often whether or not something is there: what is
    /// not to be seen must not take another time.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find_of(
        &self,
        owner: &str,
        name: &MailboxName,
    ) -> Result<Option<MailboxInfo>, Error> {
        let exact = self.store.mailbox_of(owner, name).await?;
        match composed(name, self.delimiter) {
            Ok(composed) if composed != *name => {
                let other = self.store.mailbox_of(owner, &composed).await?;
                Ok(exact.or(other))
            }
            _ => Ok(exact),
        }
    }

    /// The mailbox that a name means: the one that is spelt exactly so, or else in form C.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(
        &self,
        account: AccountId,
        name: &MailboxName,
    ) -> Result<Option<MailboxInfo>, Error> {
        let exact = self.store.mailbox(account, name).await?;
        if exact.is_some() {
            return Ok(exact);
        }
        match composed(name, self.delimiter) {
            Ok(composed) if composed != *name => self.store.mailbox(account, &composed).await,
            _ => Ok(None),
        }
    }
}
