//! Removing messages.

use pillarbox_model::{Flags, MailboxId, ModSeq, NumberSet};
use rusqlite::{Connection, OptionalExtension, params};

use super::tx::Tx;
use crate::{Error, Expunged, Vanished};

/// Ranges of expunged UIDs remembered for each mailbox: some hundred kilobytes, and years of most
/// mailboxes. A client that is further behind is answered by comparing what it knows with what
/// there is (RFC 7162 §5.3).
pub(super) const RANGES: u32 = 10_000;

/// What was expunged after `modseq`, of the UIDs `among`.
pub(super) fn since(
    sql: &Connection,
    id: MailboxId,
    modseq: ModSeq,
    among: &NumberSet,
) -> Result<Vanished, Error> {
    let snapshot = sql.unchecked_transaction()?;
    let mut floor = snapshot.prepare_cached("SELECT expunge_floor FROM mailbox WHERE id = ?")?;
    let floor = floor.query_row([id.0 as i64], |row| row.get::<_, i64>(0));
    let floor = floor.optional()?.ok_or(Error::NoMailbox)?;
    if modseq.0 < floor as u64 {
        return Ok(Vanished::default());
    }
    // The newest are asked for first, so that what nobody has forgotten yet is bounded, too.
    let mut statement = snapshot.prepare_cached(
        "SELECT first, last FROM expunged WHERE mailbox = ? AND modseq > ?
         ORDER BY modseq DESC LIMIT ?",
    )?;
    let modseq = i64::try_from(modseq.0).unwrap_or(i64::MAX);
    let ranges = statement.query_map(params![id.0 as i64, modseq, RANGES + 1], |row| {
        Ok((row.get(0)?, row.get(1)?))
    })?;
    let ranges = ranges.collect::<Result<Vec<(u32, u32)>, _>>()?;
    if ranges.len() > RANGES as usize {
        return Ok(Vanished::default());
    }
    Ok(Vanished {
        uids: NumberSet::from_ranges(ranges).intersection(among),
        complete: true,
    })
}

impl Tx<'_> {
    /// Removes those of `uids` that carry all of `marked`.
    pub(super) fn remove(
        &mut self,
        id: MailboxId,
        uids: &NumberSet,
        marked: Flags,
    ) -> Result<Expunged, Error> {
        let mut row = self.mailbox(id)?;
        let mut gone = NumberSet::new();
        for &(first, last) in uids.ranges() {
            for (uid, flags, size, blob) in self.doomed(id, first, last, marked)? {
                gone.insert(uid);
                let counters = &mut row.counters;
                counters.messages = counters.messages.saturating_sub(1);
                let unseen = u32::from(!flags.contains(Flags::SEEN));
                counters.unseen = counters.unseen.saturating_sub(unseen);
                let deleted = u32::from(flags.contains(Flags::DELETED));
                counters.deleted = counters.deleted.saturating_sub(deleted);
                counters.size_bytes = counters.size_bytes.saturating_sub(size);
                if flags.contains(Flags::DELETED) {
                    counters.deleted_bytes = counters.deleted_bytes.saturating_sub(size);
                }
                self.release(blob)?;
            }
        }
        if gone.is_empty() {
            return Ok(Expunged {
                uids: gone,
                modseq: row.counters.highest_modseq,
            });
        }
        let modseq = row.next_modseq();
        for &(first, last) in gone.ranges() {
            self.sql
                .prepare_cached("DELETE FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ?")?
                .execute(params![id.0 as i64, first, last])?;
            self.sql
                .prepare_cached("INSERT INTO expunged VALUES (?, ?, ?, ?)")?
                .execute(params![id.0 as i64, modseq.0 as i64, first, last])?;
        }
        let mut change = row.change();
        change.expunged = gone.clone();
        self.finish(&row, change)?;
        Ok(Expunged { uids: gone, modseq })
    }

    /// UID, flags, size and blob of the messages to go.
    fn doomed(
        &self,
        id: MailboxId,
        first: u32,
        last: u32,
        marked: Flags,
    ) -> Result<Vec<(u32, Flags, u64, i64)>, Error> {
        let mut statement = self.sql.prepare_cached(
            "SELECT uid, flags, size, blob FROM message
             WHERE mailbox = ?1 AND uid BETWEEN ?2 AND ?3 AND flags & ?4 = ?4",
        )?;
        let rows =
            statement.query_map(params![id.0 as i64, first, last, marked.0 as i64], |row| {
                let flags = Flags(row.get::<_, i64>(1)? as u64);
                Ok((
                    row.get(0)?,
                    flags,
                    row.get::<_, i64>(2)? as u64,
                    row.get(3)?,
                ))
            })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// One message less names a blob; the last one leaves it to its grace period.
    fn release(&self, blob: i64) -> Result<(), Error> {
        self.sql
            .prepare_cached(
                "UPDATE blob SET refs = refs - 1,
                        dead_since = CASE WHEN refs = 1 THEN ?2 ELSE NULL END
                 WHERE id = ?1",
            )?
            .execute(params![blob, self.now])?;
        Ok(())
    }
}
