//! Which mailboxes a user can reach, under which names, and with which rights.
//!
//! Everything that takes a mailbox from a client comes through here. A mailbox that a user may not know of
//! goes the way of one that does not exist, to the byte.

use std::sync::Arc;

use pillarbox_model::{AccountId, Acl, MailboxName, Rights};
use pillarbox_proto::imap::utf7;
use pillarbox_store::{Error, MailboxInfo};

use super::{Refusal, Selected, Session, User};
use crate::storage::Storage;
use crate::storage::names::composed;
use crate::storage::sharing::Location;

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
        let own = &self.user.account;
        let found = match self.locate(&name) {
            Location::Own => self.storage.find(own.id, &name).await?,
            Location::Of(owner, name) => {
                let found = self.storage.find_of(&owner, &name).await?;
                let reached = found.and_then(|info| self.reached(&owner, info));
                return Ok(reached.filter(|reached| reached.info.account != own.id));
            }
            Location::Nowhere => None,
        };
        Ok(found.map(|info| self.own(info)))
    }

    fn locate(&self, name: &MailboxName) -> Location {
        self.storage.sharing.locate(name, self.storage.delimiter)
    }

    /// A mailbox of the user's own.
    fn own(&self, info: MailboxInfo) -> Reached {
        Reached {
            kept_as: info.name.clone(),
            rights: info.acl.rights_of(&self.user.identity, true),
            info,
        }
    }

    /// A mailbox of another account; none if no namespace has it.
    fn reached(&self, owner: &str, info: MailboxInfo) -> Option<Reached> {
        let sharing = &self.storage.sharing;
        let shown = sharing.shown(owner, &info.name, self.storage.delimiter)?;
        Some(Reached {
            rights: info.acl.rights_of(&self.user.identity, false),
            kept_as: info.name,
            info: MailboxInfo {
                name: shown,
                // What it is for, it is for its owner.
                special_use: None,
                subscribed: false,
                ..info
            },
        })
    }

    /// The mailbox of that name, if the user has the rights `needs`.
    pub(super) async fn find(&self, raw: &[u8], needs: Rights) -> Result<Reached, Refusal> {
        match self.any(raw).await? {
            Some(found) if found.rights.all(needs) => Ok(found),
            Some(found) if found.rights.all(Rights::LOOKUP) => Err(Refusal::NoPerm),
            // RFC 4314 §6: whoever may not see it is told what they would be told if it did not exist.
            _ => Err(Refusal::Store(Error::NoMailbox)),
        }
    }

    /// The largest message that the user may append, in bytes.
    pub(super) fn append_limit(&self) -> u64 {
        let own = self.user.account.append_limit;
        own.unwrap_or(self.storage.append_limit)
    }

    /// The mailbox that messages are to go to. That CREATE could make it is said where there is none
    /// (RFC 3501 §6.3.11).
    pub(super) async fn target(&self, raw: &[u8]) -> Result<Reached, Refusal> {
        match self.find(raw, Rights::INSERT).await {
            Err(Refusal::Store(Error::NoMailbox)) => Err(Refusal::TryCreate),
            outcome => outcome,
        }
    }

    /// The mailbox of that name, if the user has one of the rights with which MYRIGHTS tells.
    async fn known(&self, raw: &[u8]) -> Result<Reached, Refusal> {
        let found = self.any(raw).await?;
        let known = found.filter(|found| found.rights.any(Rights::TELLING));
        known.ok_or(Refusal::Store(Error::NoMailbox))
    }

    /// All mailboxes that the user may see, in order of names.
    async fn visible(&self) -> Result<Vec<Reached>, Refusal> {
        let user = self.user;
        let store = &self.storage.store;
        let own = store.mailboxes(user.account.id).await?;
        // Names that a namespace took over lead there.
        let own = own
            .into_iter()
            .filter(|info| self.locate(&info.name) == Location::Own);
        let mut all: Vec<Reached> = own.map(|info| self.own(info)).collect();
        let sharing = &self.storage.sharing;
        if sharing.others.is_some() || sharing.shared.is_some() {
            let identifiers: Vec<&str> = user.identity.identifiers().collect();
            let others = store.shared_with(user.account.id, &identifiers).await?;
            let others = others.into_iter();
            all.extend(others.filter_map(|other| self.reached(&other.owner, other.mailbox)));
        }
        all.retain(|reached| reached.rights.all(Rights::LOOKUP));
        all.sort_unstable_by(|one, other| one.info.name.cmp(&other.info.name));
        Ok(all)
    }

    /// Where a new mailbox of that name is to be kept: the right to create is that of the nearest mailbox
    /// above it (RFC 4314 §4).
    async fn spot(&self, raw: &[u8]) -> Result<Spot, Refusal> {
        let name = self.new_name(raw)?;
        let own = self.user.account.id;
        let (owner, name) = match self.locate(&name) {
            Location::Own => (None, name),
            Location::Of(owner, name) => (Some(owner), name),
            Location::Nowhere => return Err(Refusal::NoPerm),
        };
        for above in name.ancestors(self.storage.delimiter).iter().rev() {
            let store = &self.storage.store;
            let found = match &owner {
                None => store.mailbox(own, above).await?,
                Some(owner) => store.mailbox_of(owner, above).await?,
            };
            let Some(found) = found.filter(|found| owner.is_none() == (found.account == own))
            else {
                continue;
            };
            let rights = found.acl.rights_of(&self.user.identity, owner.is_none());
            return match rights.all(Rights::CREATE) {
                true => Ok(Spot {
                    account: found.account,
                    name,
                }),
                false => Err(Refusal::NoPerm),
            };
        }
        match owner {
            None => Ok(Spot { account: own, name }),
            // Whether it is there or not: the first mailboxes of others are theirs to make.
            Some(_) => Err(Refusal::NoPerm),
        }
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
        self.reach()?.spot(raw).await
    }

    /// The mailbox that an argument names, if the user may know their rights on it (RFC 4314 §4, MYRIGHTS).
    pub(super) async fn known(&self, raw: &[u8]) -> Result<Reached, Refusal> {
        self.reach()?.known(raw).await
    }

    /// What the user may do with a mailbox whose list of rights this is.
    pub(super) fn rights_on(&self, account: AccountId, acl: &Acl) -> Rights {
        let user = self.user.as_ref();
        user.map_or(Rights::NONE, |user| {
            acl.rights_of(&user.identity, user.account.id == account)
        })
    }

    /// Looks whether the user's rights on the selected mailbox are still what they were. Whoever may not read it
    /// any more is put out, which RFC 4314 §5.1.1 lets the server do; other changes are told.
    pub(super) fn heed_rights(&mut self) {
        let Some(selected) = &self.selected else {
            return;
        };
        let mailbox = selected.member.mailbox().clone();
        let acl = mailbox.acl();
        if Arc::ptr_eq(&acl, &selected.acl) || mailbox.is_deleted() {
            return;
        }
        let rights = self.rights_on(mailbox.account(), &acl);
        if !rights.all(Rights::READ) {
            return self.say_bye(None, "The selected mailbox is no longer shared with you");
        }
        if let Some(selected) = &mut self.selected {
            let before = std::mem::replace(&mut selected.rights, rights);
            selected.acl = acl;
            if before.flags() != rights.flags() {
                selected.write_flags(mailbox.read().keywords(), &mut self.wire.out);
            }
        }
    }
}
