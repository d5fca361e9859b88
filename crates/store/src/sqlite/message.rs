//! Adding and copying messages.

use std::collections::HashMap;

use bytes::Bytes;
use pillarbox_model::{
    AccountId, BlobId, Flag, Flags, InternalDate, KeywordTable, MailboxId, NumberSet, Rights, Uid,
};
use rusqlite::params;

use super::commit::{Source, Stored};
use super::read;
use super::tx::{MailboxRow, Tx};
use crate::mailbox::Row;
use crate::{Appended, Copied, Error, Links};

/// What an append says of a message, its bytes aside.
pub(super) struct Described {
    pub(super) flags: Vec<Flag>,
    pub(super) date: InternalDate,
    pub(super) digest: Bytes,
    pub(super) links: Links,
}

/// What a message shares with its copies.
struct Identity {
    email: i64,
    thread: Option<i64>,
}

impl Tx<'_> {
    pub(super) fn append(
        &mut self,
        id: MailboxId,
        messages: Vec<Described>,
        stored: impl Iterator<Item = Stored>,
    ) -> Result<Appended, Error> {
        let mut row = self.mailbox(id)?;
        let modseq = row.next_modseq();
        let mut change = row.change();
        let mut seen = HashMap::new();
        let mut identities = Vec::with_capacity(messages.len());
        let mut emails = self.next_emails(messages.len())?;
        for (message, stored) in messages.into_iter().zip(stored) {
            let email = emails.next().unwrap_or_default();
            let thread = self.thread(row.account, email, &message.links)?;
            identities.push(Identity {
                email,
                thread: Some(thread),
            });
            let blob = self.blob(row.account, &stored, &message.digest, &mut seen)?;
            let flags = row.resolve(&message.flags)?;
            change.added.push(Row {
                uid: next_uid(&mut row)?,
                modseq,
                flags,
                date: message.date,
                size: u32::try_from(stored.size_bytes).unwrap_or(u32::MAX),
                blob,
            });
        }
        self.insert(&mut row, &change.added, identities.into_iter())?;
        let uids = change.added.iter().map(|row| row.uid).collect();
        let change = crate::mailbox::Delta {
            added: change.added,
            ..row.change()
        };
        self.finish(&row, change)?;
        Ok(Appended {
            uid_validity: row.uid_validity,
            uids,
            modseq,
        })
    }

    /// So many new email ids (RFC 8474 §5.1), ascending. They follow the clock: so a store that was
    /// restored from a copy does not give ids again that it gave after the copy was made.
    fn next_emails(&self, count: usize) -> Result<std::ops::Range<i64>, Error> {
        let count = count as i64;
        let mut statement = self.sql.prepare_cached(
            "UPDATE counter SET value = max(value, ?) + ? WHERE name = 'email' RETURNING value",
        )?;
        let clock = self.now.saturating_mul(1_000_000);
        let last: i64 = statement.query_row(params![clock, count], |row| row.get(0))?;
        Ok(last - count + 1..last + 1)
    }

    /// The blob's row, with one more message that names it.
    fn blob(
        &self,
        account: AccountId,
        stored: &Stored,
        digest: &Bytes,
        seen: &mut HashMap<[u8; 32], BlobId>,
    ) -> Result<BlobId, Error> {
        let known = match &stored.source {
            Source::Known(id) => Some(*id),
            Source::New(_) => seen.get(&stored.hash).copied(),
        };
        if let Some(id) = known {
            self.refer(id)?;
            if let Source::New(twice) = &stored.source {
                self.doom(std::slice::from_ref(twice), self.now)?;
            }
            return Ok(id);
        }
        let Source::New(location) = &stored.source else {
            return Err(Error::Corrupt("a blob without a place".into()));
        };
        let insert =
            "INSERT INTO blob (account, hash, size, location, refs) VALUES (?, ?, ?, ?, 1)";
        self.sql.prepare_cached(insert)?.execute(params![
            account.0 as i64,
            stored.hash.as_slice(),
            stored.size_bytes as i64,
            &*location.0,
        ])?;
        let id = BlobId(self.sql.last_insert_rowid() as u64);
        self.undoom(location)?;
        self.sql
            .prepare_cached("INSERT INTO digest (blob, bytes) VALUES (?, ?)")?
            .execute(params![id.0 as i64, &digest[..]])?;
        seen.insert(stored.hash, id);
        Ok(id)
    }

    /// One more message names a blob.
    fn refer(&self, id: BlobId) -> Result<(), Error> {
        let update = "UPDATE blob SET refs = refs + 1, dead_since = NULL WHERE id = ?";
        match self.sql.prepare_cached(update)?.execute([id.0 as i64])? {
            1 => Ok(()),
            _ => Err(Error::Corrupt(format!("blob {id} has no row").into())),
        }
    }

    /// Inserts rows and counts them.
    fn insert(
        &mut self,
        row: &mut MailboxRow,
        added: &[Row],
        identities: impl Iterator<Item = Identity>,
    ) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(
            "INSERT INTO message (mailbox, uid, modseq, created, flags, seconds, zone, size, blob,
                                  saved, email, thread)
             VALUES (?, ?, ?3, ?3, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        for (message, identity) in added.iter().zip(identities) {
            statement.execute(params![
                row.id.0 as i64,
                message.uid.0,
                message.modseq.0 as i64,
                message.flags.0 as i64,
                message.date.unix_seconds,
                message.date.zone_minutes,
                message.size,
                message.blob.0 as i64,
                self.now,
                identity.email,
                identity.thread,
            ])?;
            let counters = &mut row.counters;
            counters.messages += 1;
            counters.unseen += u32::from(!message.flags.contains(Flags::SEEN));
            counters.size_bytes += u64::from(message.size);
            if message.flags.contains(Flags::DELETED) {
                counters.deleted += 1;
                counters.deleted_bytes += u64::from(message.size);
            }
        }
        Ok(())
    }

    /// What the messages `first <= uid <= last` share with their copies, by UID.
    fn identities(
        &self,
        mailbox: MailboxId,
        first: u32,
        last: u32,
    ) -> Result<Vec<Identity>, Error> {
        let mut statement = self.sql.prepare_cached(
            "SELECT email, thread FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?
             ORDER BY uid",
        )?;
        let found = statement.query_map(params![mailbox.0 as i64, first, last], |row| {
            Ok(Identity {
                email: row.get(0)?,
                thread: row.get(1)?,
            })
        })?;
        Ok(found.collect::<Result<_, _>>()?)
    }

    /// Copies messages, and removes them from where they were if asked.
    pub(super) fn copy(
        &mut self,
        from: MailboxId,
        uids: &NumberSet,
        to: MailboxId,
        remove: bool,
        keep: Rights,
    ) -> Result<Copied, Error> {
        let source = self.mailbox(from)?;
        let mut target = self.mailbox(to).map_err(|error| match error {
            Error::NoMailbox => Error::NoTarget,
            other => other,
        })?;
        if source.account != target.account {
            // Blobs belong to accounts: see `across`.
            return Err(Error::NoTarget);
        }
        let (mut rows, mut identities) = (Vec::new(), Vec::new());
        for &(first, last) in uids.ranges() {
            rows.extend(read::row_range(self.sql, from, first, last)?);
            identities.extend(self.identities(from, first, last)?);
        }
        if rows.is_empty() {
            return Ok(Copied {
                uid_validity: target.uid_validity,
                from: NumberSet::new(),
                to: NumberSet::new(),
                modseq: target.counters.highest_modseq,
            });
        }
        let copied: NumberSet = rows.iter().map(|row| row.uid.0).collect();
        let modseq = target.next_modseq();
        let mut mapping = HashMap::new();
        for row in &mut rows {
            row.flags = row.flags & keep.flags();
            row.flags = translate(row.flags, &source.keywords, &mut target, &mut mapping)?;
            row.uid = next_uid(&mut target)?;
            row.modseq = modseq;
            self.refer(row.blob)?;
        }
        self.insert(&mut target, &rows, identities.into_iter())?;
        let made = rows.iter().map(|row| row.uid.0).collect();
        let mut change = target.change();
        change.added = rows;
        self.finish(&target, change)?;
        if remove {
            self.remove(from, &copied, Flags::NONE)?;
        }
        Ok(Copied {
            uid_validity: target.uid_validity,
            from: copied,
            to: made,
            modseq,
        })
    }
}

/// The next UID. The last two are never given: ranges and `UIDNEXT` have to end somewhere.
fn next_uid(row: &mut MailboxRow) -> Result<Uid, Error> {
    let uid = row.counters.uid_next;
    if uid >= u32::MAX - 1 {
        return Err(Error::UidsExhausted);
    }
    row.counters.uid_next += 1;
    Ok(Uid(uid))
}

/// Flags of one mailbox as the bits of another.
fn translate(
    flags: Flags,
    from: &KeywordTable,
    to: &mut MailboxRow,
    known: &mut HashMap<Flags, Flags>,
) -> Result<Flags, Error> {
    if flags.keywords().next().is_none() {
        return Ok(flags);
    }
    if let Some(found) = known.get(&flags) {
        return Ok(*found);
    }
    let named: Vec<Flag> = from.names_of(flags).filter_map(Flag::parse).collect();
    let translated = to.resolve(&named)?;
    known.insert(flags, translated);
    Ok(translated)
}
