//! A durable change on its way into memory.

use pillarbox_model::{AccountId, Acl, Flags, KeywordTable, MailboxId, NumberSet, Uid};

use super::{Counters, Row};

/// What one transaction did to one mailbox.
#[derive(Clone, Default, Debug)]
pub(crate) struct Delta {
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    /// Messages that came, ascending.
    pub(crate) added: Vec<Row>,
    /// Messages whose flags changed, ascending, with what they are now.
    pub(crate) flagged: Vec<(Uid, Flags)>,
    /// Messages that went.
    pub(crate) expunged: NumberSet,
    /// The keyword table, if it grew.
    pub(crate) keywords: Option<KeywordTable>,
    /// Who may do what, if that changed.
    pub(crate) acl: Option<Acl>,
    /// The mailbox's counters after it; the mod-sequence is that of the change.
    pub(crate) counters: Counters,
    /// The mailbox itself is gone. Nothing else counts then.
    pub(crate) deleted: bool,
}

impl Delta {
    /// The end of a mailbox.
    pub(crate) fn deletion(account: AccountId, mailbox: MailboxId) -> Self {
        Self {
            account,
            mailbox,
            deleted: true,
            ..Self::default()
        }
    }
}
