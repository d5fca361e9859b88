//! Copying messages from one account to another. Bytes go along: each account's are its own.

use bytes::Bytes;
use pillarbox_model::{AccountId, Flag, Flags, MailboxId, NumberSet, Rights};

use super::Engine;
use super::commit::{Stored, places};
use super::message::Described;
use super::read;
use super::tx::Tx;
use crate::blob::{About, NewBlob};
use crate::mailbox::Row;
use crate::{Copied, Error, Links, Store};

/// Messages up to this size are held until they are written with the others of their batch; larger ones
/// are written as they are read.
const IN_MEMORY_BYTES: u64 = 256 * 1024;
/// And no more than this of all of them together.
const ALL_IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

/// Messages of one copy: all of them are one transaction, and what is kept to answer from is held until then.
const MESSAGES: u64 = 10_000;

/// As [`Store::copy`].
pub(super) async fn copy(
    engine: &Engine,
    from: MailboxId,
    uids: &NumberSet,
    (account, to): (AccountId, MailboxId),
    remove: bool,
    keep: Rights,
) -> Result<Copied, Error> {
    if uids.len() > MESSAGES {
        return Err(Error::TooManyMessages);
    }
    let rows = engine.readers.with(|sql| {
        let ranges = uids.ranges().iter();
        let rows = ranges.map(|&(first, last)| read::row_range(sql, from, first, last));
        Ok(rows.collect::<Result<Vec<_>, _>>()?.concat())
    })?;
    let contents = engine.contents(&rows, true).await?;
    let (mut blobs, mut held) = (Vec::new(), 0);
    for (row, content) in rows.iter().zip(&contents) {
        let about = About {
            account,
            mailbox: to,
            date: row.date,
        };
        let bytes = engine.read(&content.location).await?;
        blobs.push((about, carry(engine, about, bytes, &mut held).await?));
    }
    let digests: Vec<Bytes> = contents.into_iter().map(|content| content.digest).collect();
    let work = move |tx: &mut Tx<'_>, stored: Vec<Stored>| {
        let messages = rows.into_iter().zip(digests).zip(stored);
        tx.copy_across(from, messages, to, remove, keep)
    };
    engine.committer.submit(blobs, work).await
}

/// Bytes on their way to another account.
async fn carry(
    engine: &Engine,
    about: About,
    bytes: Bytes,
    held: &mut u64,
) -> Result<NewBlob, Error> {
    let size = bytes.len() as u64;
    if size <= IN_MEMORY_BYTES.min(ALL_IN_MEMORY_BYTES - *held) {
        *held += size;
        return Ok(NewBlob::Memory(bytes));
    }
    let mut writer = engine.blobs.begin(about, size).await?;
    writer.write(&bytes).await?;
    let (written, _) = writer.finish().await?;
    Ok(NewBlob::Written(written))
}

impl Tx<'_> {
    /// Adds those of the messages that are still there, as they are now.
    fn copy_across(
        &mut self,
        from: MailboxId,
        messages: impl Iterator<Item = ((Row, Bytes), Stored)>,
        to: MailboxId,
        remove: bool,
        keep: Rights,
    ) -> Result<Copied, Error> {
        let keywords = self.mailbox(from)?.keywords;
        let (mut copied, mut described, mut bytes) = (NumberSet::new(), Vec::new(), Vec::new());
        for ((row, digest), stored) in messages {
            let uid = row.uid.0;
            let Some(now) = read::row_range(self.sql, from, uid, uid)?.pop() else {
                self.doom(&places(std::slice::from_ref(&stored)), self.now)?;
                continue;
            };
            copied.insert(uid);
            let kept = now.flags & keep.flags();
            described.push(Described {
                flags: keywords.names_of(kept).filter_map(Flag::parse).collect(),
                date: now.date,
                digest,
                // Which other messages it belongs to, only its bytes say.
                links: Links::default(),
            });
            bytes.push(stored);
        }
        if described.is_empty() {
            let target = self.mailbox(to).map_err(no_target)?;
            return Ok(Copied {
                uid_validity: target.uid_validity,
                from: copied,
                to: NumberSet::new(),
                modseq: target.counters.highest_modseq,
            });
        }
        let appended = self
            .append(to, described, bytes.into_iter())
            .map_err(no_target)?;
        if remove {
            self.remove(from, &copied, Flags::NONE)?;
        }
        Ok(Copied {
            uid_validity: appended.uid_validity,
            from: copied,
            to: appended.uids.iter().map(|uid| uid.0).collect(),
            modseq: appended.modseq,
        })
    }
}

/// The mailbox that is missing is the one to copy to.
pub(super) fn no_target(error: Error) -> Error {
    match error {
        Error::NoMailbox => Error::NoTarget,
        other => other,
    }
}
