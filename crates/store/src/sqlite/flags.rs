//! Changing flags.

use pillarbox_model::{Flag, Flags, MailboxId, ModSeq, NumberSet, Uid};
use rusqlite::params;

use super::tx::Tx;
use crate::mailbox::Counters;
use crate::{Error, FlagAction, FlagsSet};

/// Bits to set and bits to clear.
#[derive(Clone, Copy)]
struct Masks {
    set: Flags,
    clear: Flags,
}

impl Masks {
    fn apply(self, flags: Flags) -> Flags {
        flags.without(self.clear) | self.set
    }
}

impl Tx<'_> {
    pub(super) fn set_flags(
        &mut self,
        id: MailboxId,
        uids: &NumberSet,
        action: FlagAction,
        flags: &[Flag],
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsSet, Error> {
        let mut row = self.mailbox(id)?;
        let bits = match action {
            // What is to be removed need not enter the table.
            FlagAction::Remove => known_bits(&row.keywords, flags),
            FlagAction::Replace | FlagAction::Add | FlagAction::ReplaceAmong(_) => {
                row.resolve(flags)?
            }
        };
        let masks = match action {
            FlagAction::Replace => Masks {
                set: bits,
                clear: !Flags::NONE,
            },
            FlagAction::ReplaceAmong(rights) => Masks {
                set: bits & rights.flags(),
                clear: rights.flags(),
            },
            FlagAction::Add => Masks {
                set: bits,
                clear: Flags::NONE,
            },
            FlagAction::Remove => Masks {
                set: Flags::NONE,
                clear: bits,
            },
        };
        let limit = unchanged_since.map_or(i64::MAX, |modseq| {
            i64::try_from(modseq.0).unwrap_or(i64::MAX)
        });
        let mut change = row.change();
        let mut result = FlagsSet::default();
        for &(first, last) in uids.ranges() {
            for (uid, modseq, before, size) in self.differing(id, first, last, masks)? {
                if modseq > limit {
                    result.modified.insert(uid);
                    continue;
                }
                let after = masks.apply(before);
                row.counters.unseen = recount(row.counters.unseen, !before, !after, Flags::SEEN);
                row.counters.deleted = recount(row.counters.deleted, before, after, Flags::DELETED);
                row.counters.recount_deleted_bytes(before, after, size);
                change.flagged.push((Uid(uid), after));
                let before = ModSeq(modseq.cast_unsigned());
                result.newest_before = result.newest_before.max(before);
            }
        }
        // RFC 7162 §3.1.3: those unlike what the client thinks fail even where nothing would
        // differ.
        if unchanged_since.is_some() {
            result.modified = self.newer(id, uids, limit)?;
        }
        if change.flagged.is_empty() {
            result.modseq = row.counters.highest_modseq;
            return Ok(result);
        }
        result.modseq = row.next_modseq();
        self.write_flags(id, uids, masks, result.modseq, limit)?;
        result.changed = change.flagged.iter().map(|(uid, _)| uid.0).collect();
        let changed = std::mem::take(&mut change.flagged);
        let change = crate::mailbox::Delta {
            flagged: changed,
            ..row.change()
        };
        self.finish(&row, change)?;
        Ok(result)
    }

    /// UID, mod-sequence, flags and size of the messages that the masks would change.
    fn differing(
        &self,
        id: MailboxId,
        first: u32,
        last: u32,
        masks: Masks,
    ) -> Result<Vec<(u32, i64, Flags, u32)>, Error> {
        if let Some(mailbox) = self.in_memory(id) {
            let rows = mailbox.read();
            let differing = rows
                .range(first, last)
                .filter(|row| masks.apply(row.flags) != row.flags);
            return Ok(differing
                .map(|row| (row.uid.0, row.modseq.0.cast_signed(), row.flags, row.size))
                .collect());
        }
        let mut statement = self.sql.prepare_cached(
            "SELECT uid, modseq, flags, size FROM message
             WHERE mailbox = ? AND uid BETWEEN ? AND ? AND ((flags & ~?) | ?) <> flags",
        )?;
        let (clear, set) = (masks.clear.0 as i64, masks.set.0 as i64);
        let rows = statement.query_map(params![id.0 as i64, first, last, clear, set], |row| {
            Ok((
                row.get(0)?,
                row.get(1)?,
                Flags(row.get::<_, i64>(2)? as u64),
                row.get(3)?,
            ))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The messages whose mod-sequence is above a limit.
    fn newer(&self, id: MailboxId, uids: &NumberSet, limit: i64) -> Result<NumberSet, Error> {
        let mut statement = self.sql.prepare_cached(
            "SELECT uid FROM message WHERE mailbox = ? AND uid BETWEEN ? AND ? AND modseq > ?",
        )?;
        let mut newer = NumberSet::new();
        for &(first, last) in uids.ranges() {
            let mut rows = statement.query(params![id.0 as i64, first, last, limit])?;
            while let Some(row) = rows.next()? {
                newer.insert(row.get(0)?);
            }
        }
        Ok(newer)
    }

    /// One statement a range, however many messages are in it.
    fn write_flags(
        &self,
        id: MailboxId,
        uids: &NumberSet,
        masks: Masks,
        modseq: ModSeq,
        limit: i64,
    ) -> Result<(), Error> {
        let mut statement = self.sql.prepare_cached(
            "UPDATE message SET flags = (flags & ~?1) | ?2, modseq = ?3
             WHERE mailbox = ?4 AND uid BETWEEN ?5 AND ?6 AND modseq <= ?7
               AND ((flags & ~?1) | ?2) <> flags",
        )?;
        let (clear, set) = (masks.clear.0 as i64, masks.set.0 as i64);
        for &(first, last) in uids.ranges() {
            let mailbox = id.0 as i64;
            statement.execute(params![
                clear,
                set,
                modseq.0 as i64,
                mailbox,
                first,
                last,
                limit
            ])?;
        }
        Ok(())
    }
}

/// The bits of flags, of which unknown keywords are on no message.
fn known_bits(keywords: &pillarbox_model::KeywordTable, flags: &[Flag]) -> Flags {
    let bit = |flag: &Flag| match flag {
        Flag::System(bit) => *bit,
        Flag::Keyword(name) => keywords.find(name).unwrap_or_default(),
    };
    flags
        .iter()
        .map(bit)
        .fold(Flags::NONE, |all, bit| all | bit)
}

impl Counters {
    /// Counts the bytes of messages with `\Deleted` after one of so many bytes changed.
    fn recount_deleted_bytes(&mut self, before: Flags, after: Flags, size: u32) {
        let size = u64::from(size);
        match (
            before.contains(Flags::DELETED),
            after.contains(Flags::DELETED),
        ) {
            (false, true) => self.deleted_bytes += size,
            (true, false) => self.deleted_bytes = self.deleted_bytes.saturating_sub(size),
            _ => {}
        }
    }
}

/// A counter of messages that have `flag`, after one message changed.
fn recount(count: u32, before: Flags, after: Flags, flag: Flags) -> u32 {
    match (before.contains(flag), after.contains(flag)) {
        (false, true) => count + 1,
        (true, false) => count.saturating_sub(1),
        _ => count,
    }
}
