//! Where in an account a message goes.

use pillarbox_message::fields;
use pillarbox_model::{Flag, MailboxId, MailboxName, Resource, SpecialUse};
use pillarbox_store::{Account, Error, MailboxInfo};

use super::filter::Facts;
use super::post::Letter;
use super::{Detail, Recipient};
use crate::storage::Storage;
use crate::storage::names::composed;

/// A mailbox, and what the message is marked with there.
pub(super) struct Place {
    pub(super) mailbox: MailboxId,
    pub(super) flags: Vec<Flag>,
}

impl Storage {
    /// The place of a message: junk in its mailbox, else where the first of the filters says, else
    /// where the address says, else INBOX.
    pub(super) async fn place(
        &self,
        letter: &Letter<'_>,
        recipient: &Recipient,
    ) -> Result<Place, Error> {
        let account = &recipient.account;
        if self.is_junk(&letter.header) {
            return Ok(Place {
                mailbox: self.junk(account).await?,
                flags: Vec::new(),
            });
        }
        let (folder, flags) = self.ask_filters(letter, recipient).await;
        let chosen = match folder {
            Some(folder) => self.folder(account, &folder, false).await?,
            None => None,
        };
        let chosen = match (chosen, &recipient.detail) {
            (None, Some(detail)) => self.detail(account, detail).await?,
            (chosen, _) => chosen,
        };
        let mailbox = match chosen {
            Some(mailbox) => mailbox,
            None => self.inbox(account).await?,
        };
        Ok(Place { mailbox, flags })
    }

    async fn inbox(&self, account: &Account) -> Result<MailboxId, Error> {
        let found = self
            .store
            .mailbox(account.id, &MailboxName::inbox())
            .await?;
        Ok(found.ok_or(Error::NoMailbox)?.id)
    }

    /// Whether a header field marks the message.
    fn is_junk(&self, header: &[u8]) -> bool {
        let marks = &self.delivery.quarantine;
        !marks.is_empty()
            && fields(header).any(|field| {
                let value = field.value.trim_ascii_start();
                let marked = |value: &[u8], mark: &str| {
                    let start = value.get(..mark.len()).unwrap_or_default();
                    start.eq_ignore_ascii_case(mark.as_bytes())
                };
                marks
                    .iter()
                    .any(|(name, mark)| field.is(name.as_bytes()) && marked(value, mark))
            })
    }

    /// The mailbox for junk, which is made if it isn't there.
    async fn junk(&self, account: &Account) -> Result<MailboxId, Error> {
        let find = async || {
            let all = self.store.mailboxes(account.id).await?;
            let of_use = |info: &&MailboxInfo| info.special_use == Some(SpecialUse::Junk);
            let by_name = || all.iter().find(|info| info.name == self.junk_mailbox);
            Ok::<_, Error>(all.iter().find(of_use).or_else(by_name).map(|info| info.id))
        };
        if let Some(mailbox) = find().await? {
            return Ok(mailbox);
        }
        let junk = Some(SpecialUse::Junk);
        let made = self
            .store
            .create_mailbox(account.id, &self.junk_mailbox, junk)
            .await;
        match made {
            Ok(mailbox) => Ok(mailbox.id),
            // Another delivery, or the user, was faster.
            Err(Error::MailboxExists | Error::SpecialUseTaken) => {
                find().await?.ok_or(Error::NoMailbox)
            }
            Err(error) if no_more_mailboxes(&error) => self.inbox(account).await,
            Err(error) => Err(error),
        }
    }

    /// What the programs say. If one of them fails, that is logged, and it counts as if it had said
    /// nothing.
    async fn ask_filters(
        &self,
        letter: &Letter<'_>,
        recipient: &Recipient,
    ) -> (Option<String>, Vec<Flag>) {
        let (mut folder, mut flags) = (None, Vec::new());
        for filter in &self.delivery.filters {
            match filter.ask(&Facts { letter, recipient }).await {
                Ok(verdict) => {
                    folder = folder.or(verdict.folder);
                    flags.extend(verdict.flags);
                }
                Err(error) => {
                    let id = letter.trace.message_id.as_str();
                    let fields: crate::log::Fields<'_> = &[("msg_id", &id), ("reason", &error)];
                    self.log.error("imap_filter failed", fields);
                }
            }
        }
        (folder, flags)
    }

    /// The mailbox that the detail of an address names.
    async fn detail(&self, account: &Account, detail: &str) -> Result<Option<MailboxId>, Error> {
        match self.delivery.detail {
            Detail::Off | Detail::Inbox => Ok(None),
            Detail::Folder => self.folder(account, detail, false).await,
            Detail::Create => self.folder(account, detail, true).await,
        }
    }

    async fn create_composed(
        &self,
        account: &Account,
        name: &MailboxName,
    ) -> Result<MailboxInfo, Error> {
        let name = composed(name, self.delimiter).unwrap_or_else(|_| name.clone());
        self.store.create_mailbox(account.id, &name, None).await
    }

    /// A mailbox by name. Addresses lose the case of their letters on their way, so that it counts
    /// only where there are several.
    async fn folder(
        &self,
        account: &Account,
        name: &str,
        create: bool,
    ) -> Result<Option<MailboxId>, Error> {
        let Ok(name) = MailboxName::new(name, self.delimiter) else {
            return Ok(None);
        };
        if let Some(exact) = self.find(account.id, &name).await? {
            return Ok(Some(exact.id));
        }
        let lower = name.as_str().to_lowercase();
        let all = self.store.mailboxes(account.id).await?;
        let alike = all
            .iter()
            .find(|info| info.name.as_str().to_lowercase() == lower);
        match alike {
            Some(mailbox) => Ok(Some(mailbox.id)),
            None if create => match self.create_composed(account, &name).await {
                Ok(mailbox) => Ok(Some(mailbox.id)),
                Err(error) if no_more_mailboxes(&error) => Ok(None),
                Err(Error::MailboxExists) => {
                    let found = self.store.mailbox(account.id, &name).await?;
                    Ok(found.map(|mailbox| mailbox.id))
                }
                Err(error) => Err(error),
            },
            None => Ok(None),
        }
    }
}

/// Whether a mailbox can't be made since there are as many as there may be. Mail is not lost for that.
const fn no_more_mailboxes(error: &Error) -> bool {
    matches!(
        error,
        Error::TooManyMailboxes
            | Error::OverQuota {
                resource: Resource::Mailbox,
                ..
            }
    )
}
