//! What operations do inside the committer's transaction.

use std::sync::Arc;

use pillarbox_model::{AccountId, Flag, KeywordTable, MailboxId, ModSeq, PerResource, UidValidity};
use rusqlite::{Connection, OptionalExtension, params};

use super::Settings;
use super::quota::Growth;
use crate::annotation::AnnotationChange;
use crate::mailbox::{Cache, Counters, Delta, Mailbox};
use crate::{Error, Location};

/// The transaction in which a batch of operations runs, and what memory has to take over after it.
pub(super) struct Tx<'c> {
    pub(super) sql: &'c Connection,
    pub(super) settings: &'c Settings,
    /// The mailboxes in memory, as they were before the transaction.
    pub(super) cache: &'c Cache,
    /// Seconds since 1970.
    pub(super) now: i64,
    /// What memory takes over once it is committed, in the order in which it happened.
    pub(super) effects: Vec<Delta>,
    /// What became of annotations in it.
    pub(super) annotated: Vec<AnnotationChange>,
    /// What accounts may have that have no limits of their own.
    pub(super) default_quota: PerResource<Option<u64>>,
    /// What the operation that runs has added to accounts.
    pub(super) growth: Growth,
    /// Accounts in which names or subscriptions may have changed, or that may see others than before.
    pub(super) renamed: Vec<AccountId>,
    /// Rights changed of many: of a group, or of all.
    pub(super) regrouped: bool,
}

/// A mailbox's row while an operation works on it.
pub(super) struct MailboxRow {
    pub(super) id: MailboxId,
    pub(super) account: AccountId,
    pub(super) uid_validity: UidValidity,
    pub(super) counters: Counters,
    pub(super) keywords: KeywordTable,
    keywords_before: usize,
    usage_before: Usage,
}

/// What counts against an account's quota (RFC 9208 §5).
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    messages: i64,
    size_bytes: i64,
}

impl Usage {
    pub(super) fn of(counters: &Counters) -> Self {
        Self {
            messages: counters.messages.into(),
            size_bytes: counters.size_bytes as i64,
        }
    }
}

impl MailboxRow {
    /// The mod-sequence of the change that is being made.
    pub(super) fn next_modseq(&mut self) -> ModSeq {
        self.counters.highest_modseq.0 += 1;
        self.counters.highest_modseq
    }

    /// The bits of flags, of which new keywords enter the table.
    pub(super) fn resolve(&mut self, flags: &[Flag]) -> Result<pillarbox_model::Flags, Error> {
        self.keywords
            .resolve(flags)
            .map_err(|_| Error::TooManyKeywords)
    }

    /// A change of this mailbox that has everything but rows.
    pub(super) fn change(&self) -> Delta {
        let grew = self.keywords.names().len() > self.keywords_before;
        Delta {
            account: self.account,
            mailbox: self.id,
            counters: self.counters,
            keywords: grew.then(|| self.keywords.clone()),
            ..Delta::default()
        }
    }
}

/// A mailbox's row.
pub(super) fn mailbox_row(sql: &Connection, id: MailboxId) -> Result<MailboxRow, Error> {
    let mut statement = sql.prepare_cached(
        "SELECT account, uid_validity, uid_next, highest_modseq, messages, unseen, deleted,
                    size_bytes, keywords, deleted_bytes
             FROM mailbox WHERE id = ?",
    )?;
    let row = statement.query_row([id.0 as i64], |row| {
        let keywords: String = row.get(8)?;
        let keywords = KeywordTable::new(keywords.split_ascii_whitespace().map(Into::into));
        let counters = Counters {
            uid_next: row.get(2)?,
            highest_modseq: ModSeq(row.get::<_, i64>(3)? as u64),
            messages: row.get(4)?,
            unseen: row.get(5)?,
            deleted: row.get(6)?,
            size_bytes: row.get::<_, i64>(7)? as u64,
            deleted_bytes: row.get::<_, i64>(9)? as u64,
        };
        Ok(MailboxRow {
            id,
            account: AccountId(row.get::<_, i64>(0)? as u64),
            uid_validity: UidValidity(row.get(1)?),
            usage_before: Usage::of(&counters),
            counters,
            keywords_before: keywords.names().len(),
            keywords,
        })
    });
    row.optional()?.ok_or(Error::NoMailbox)
}

impl Tx<'_> {
    /// A mailbox's row.
    pub(super) fn mailbox(&self, id: MailboxId) -> Result<MailboxRow, Error> {
        mailbox_row(self.sql, id)
    }

    /// A mailbox as it is in memory, if it is there and this transaction has not changed it: its rows
    /// are those of the database then, and sooner looked through.
    pub(super) fn in_memory(&self, id: MailboxId) -> Option<Arc<Mailbox>> {
        let changed = self.effects.iter().any(|change| change.mailbox == id);
        self.cache.get(id).filter(|_| !changed)
    }

    /// Writes a mailbox's row back, and notes the change for memory.
    pub(super) fn finish(&mut self, row: &MailboxRow, change: Delta) -> Result<(), Error> {
        let counters = &row.counters;
        let keywords = row.keywords.names().join(" ");
        self.sql
            .prepare_cached(
                "UPDATE mailbox SET uid_next = ?, highest_modseq = ?, messages = ?, unseen = ?,
                        deleted = ?, size_bytes = ?, deleted_bytes = ?, keywords = ?
                 WHERE id = ?",
            )?
            .execute(params![
                counters.uid_next,
                counters.highest_modseq.0 as i64,
                counters.messages,
                counters.unseen,
                counters.deleted,
                counters.size_bytes as i64,
                counters.deleted_bytes as i64,
                keywords,
                row.id.0 as i64,
            ])?;
        self.count(row.account, row.usage_before, Usage::of(counters))?;
        self.effects.push(change);
        Ok(())
    }

    /// Counts for an account what became of a part of its mail.
    pub(super) fn count(
        &mut self,
        account: AccountId,
        before: Usage,
        after: Usage,
    ) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        let more = PerResource {
            storage: after.size_bytes - before.size_bytes,
            message: after.messages - before.messages,
            mailbox: 0,
        };
        self.sql
            .prepare_cached(
                "UPDATE account SET messages = messages + ?, size_bytes = size_bytes + ?
                 WHERE id = ?",
            )?
            .execute(params![more.message, more.storage, account.0 as i64])?;
        self.growth.add(account, more);
        Ok(())
    }

    /// Notes bytes that no row names, to be given up a grace period after `since`: so that they are
    /// not taken for lost messages.
    pub(super) fn doom(&self, places: &[Location], since: i64) -> Result<(), Error> {
        for place in places {
            self.sql
                .prepare_cached("INSERT OR IGNORE INTO doomed (location, since) VALUES (?, ?)")?
                .execute(params![&*place.0, since])?;
        }
        Ok(())
    }

    /// A row names the bytes at a place now.
    pub(super) fn undoom(&self, place: &Location) -> Result<(), Error> {
        self.sql
            .prepare_cached("DELETE FROM doomed WHERE location = ?")?
            .execute([&*place.0])?;
        Ok(())
    }
}
