//! Which mailboxes a user can reach, under which names, and with which rights.
//!
//! Everything that takes a mailbox from a client comes through here. A mailbox that a user may not know of
//! goes the way of one that does not exist, to the byte.

use pillarbox_model::{AccountId, MailboxName, Rights};
use pillarbox_proto::imap::utf7;
use pillarbox_store::{Error, MailboxInfo};

use super::{Refusal, Selected, Session, User};
use crate::storage::Storage;
use crate::storage::names::composed;

/// A mailbox that a user can reach.
#[derive(Clone, Debug)]
pub(crate) struct Reached {
    /// The mailbox, under the name by which this user knows it.
    pub(crate) info: MailboxInfo,
    /// Its name in the account whose it is.
    pub(crate) kept_as: MailboxName,
    /// What the user may do with it.
    pub(crate) rights: Rights,
}

/// Where a name that a client gave is kept, whether or not there is a mailbox.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Spot {
    /// In whose account.
    pub(crate) account: AccountId,
    /// Under which name.
    pub(crate) name: MailboxName,
}

/// From names to mailboxes, for one user.
pub(super) struct Reach<'a> {
    pub(super) storage: &'a Storage,
    pub(super) user: &'a User,
    /// Whether mailbox arguments are UTF-8.
    pub(super) utf8: bool,
}

impl Reach<'_> {
    /// A mailbox argument as a name.
    fn name(&self, raw: &[u8]) -> Result<MailboxName, Refusal> {
        utf7::mailbox_argument(raw, self.utf8, self.storage.delimiter)
            .map_err(|bad| Refusal::Name(bad.to_string().into()))
    }

    /// A mailbox argument as a name to be kept from now on.
    fn new_name(&self, raw: &[u8]) -> Result<MailboxName, Refusal> {
        composed(&self.name(raw)?, self.storage.delimiter)
            .map_err(|bad| Refusal::Name(bad.to_string().into()))
    }

    /// The mailbox of that name, whatever the user's rights on it are.
    async fn any(&self, raw: &[u8]) -> Result<Option<Reached>, Refusal> {
        let name = self.name(raw)?;
        let found = self.storage.find(self.user.account.id, &name).await?;
        Ok(found.map(|info| Reached {
            kept_as: info.name.clone(),
            info,
            rights: Rights::ALL,
        }))
    }

    /// The mailbox of that name, if the user has the rights `needs`.
    async fn find(&self, raw: &[u8], needs: Rights) -> Result<Reached, Refusal> {
        match self.any(raw).await? {
            Some(found) if found.rights.all(needs) => Ok(found),
            Some(found) if found.rights.all(Rights::LOOKUP) => Err(Refusal::NoPerm),
            // RFC 4314 §6: whoever may not see it is told what they would be told if it did not exist.
            _ => Err(Refusal::Store(Error::NoMailbox)),
        }
    }

    /// The mailbox that messages are to go to. That CREATE could make it is said where there is none
    /// (RFC 3501 §6.3.11).
    pub(super) async fn target(&self, raw: &[u8]) -> Result<Reached, Refusal> {
        match self.find(raw, Rights::INSERT).await {
            Err(Refusal::Store(Error::NoMailbox)) => Err(Refusal::TryCreate),
            outcome => outcome,
        }
    }

    /// All mailboxes that the user may see, in order of names.
    async fn visible(&self) -> Result<Vec<Reached>, Refusal> {
        let own = self.storage.store.mailboxes(self.user.account.id).await?;
        let reached = own.into_iter().map(|info| Reached {
            kept_as: info.name.clone(),
            info,
            rights: Rights::ALL,
        });
        Ok(reached.collect())
    }
}

impl Selected {
    /// Whether the user may change the mailbox in a way that takes these rights.
    ///
    /// # Errors
    /// The refusal to give: it is open read-only, or a right is missing.
    pub(super) fn admit(&self, needs: Rights) -> Result<(), Refusal> {
        match (self.read_only, self.rights.all(needs)) {
            (true, _) => Err(Refusal::ReadOnly),
            (false, false) => Err(Refusal::NoPerm),
            (false, true) => Ok(()),
        }
    }
}

impl Session {
    pub(super) fn reach(&self) -> Result<Reach<'_>, Refusal> {
        Ok(Reach {
            storage: &self.endpoint.storage,
            user: self.user()?,
            utf8: self.dialect.utf8,
        })
    }

    /// A mailbox argument as a name, which is the client's: where it leads, only [`Self::find`] and
    /// [`Self::spot`] know.
    pub(super) fn name(&self, raw: &[u8]) -> Result<MailboxName, Refusal> {
        self.reach()?.name(raw)
    }

    /// As [`Self::name`], of a name to be kept from now on.
    pub(super) fn new_name(&self, raw: &[u8]) -> Result<MailboxName, Refusal> {
        self.reach()?.new_name(raw)
    }

    /// The mailbox that an argument names, on which the user has the rights `needs`.
    ///
    /// # Errors
    /// The refusal to give: NOPERM if the user may see the mailbox but lacks a right, NONEXISTENT if they
    /// may not see it or it isn't there.
    pub(super) async fn find(&self, raw: &[u8], needs: Rights) -> Result<Reached, Refusal> {
        self.reach()?.find(raw, needs).await
    }

    /// As [`Self::find`], of a mailbox that messages are to go to: needs `i`, and says TRYCREATE.
    pub(super) async fn target(&self, raw: &[u8]) -> Result<Reached, Refusal> {
        self.reach()?.target(raw).await
    }

    /// The mailbox that an argument names, if it is there and the user may see it.
    pub(super) async fn visible(&self, raw: &[u8]) -> Result<Option<Reached>, Refusal> {
        let found = self.reach()?.any(raw).await?;
        Ok(found.filter(|found| found.rights.all(Rights::LOOKUP)))
    }

    /// All mailboxes that the user may see: their own, those of others, shared ones. In order of the names
    /// by which the user knows them. A bounded number of queries.
    pub(super) async fn visible_mailboxes(&self) -> Result<Vec<Reached>, Refusal> {
        self.reach()?.visible().await
    }

    /// Where a new mailbox of that name is to be kept, if the user may make one there (RFC 4314 §4).
    pub(super) async fn spot(&self, raw: &[u8]) -> Result<Spot, Refusal> {
        let reach = self.reach()?;
        Ok(Spot {
            account: reach.user.account.id,
            name: reach.new_name(raw)?,
        })
    }
}
