//! Who has a mailbox selected, and the expunged messages that they have not been told of.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Row;

/// Expunged rows that stay readable in one mailbox. A session that reads nothing for long while
/// others expunge more than this sees the oldest of them as gone: their number must end somewhere,
/// and these take some 10 MB.
pub(super) const DEPARTED_ROWS: usize = 100_000;

/// The sessions that have a mailbox selected, by what they were told last.
#[derive(Default)]
pub(super) struct Members {
    synced: BTreeSet<(u64, u64)>,
    next_id: u64,
}

impl Members {
    /// A new member, which knows everything up to `modseq`. Returns its id.
    pub(super) fn join(&mut self, modseq: u64) -> u64 {
        self.next_id += 1;
        self.synced.insert((modseq, self.next_id));
        self.next_id
    }

    /// A member was told everything up to `to`, or leaves if there is none.
    pub(super) fn moved(&mut self, id: u64, from: u64, to: Option<u64>) {
        self.synced.remove(&(from, id));
        self.synced.extend(to.map(|to| (to, id)));
    }

    /// What every member was told. The highest number there is if nobody is here.
    pub(super) fn floor(&self) -> u64 {
        self.synced.first().map_or(u64::MAX, |&(modseq, _)| modseq)
    }
}

/// Rows of expunged messages that somebody has not been told of.
#[derive(Default)]
pub(super) struct Departed {
    rows: BTreeMap<u32, Row>,
    /// The UIDs with the mod-sequences of their expunges, which ascend.
    order: VecDeque<(u64, u32)>,
    /// The mod-sequence of the last expunge of which rows were dropped for want of room.
    dropped: u64,
}

impl Departed {
    pub(super) fn get(&self, uid: u32) -> Option<Row> {
        self.rows.get(&uid).copied()
    }

    /// The mod-sequence of the oldest expunge here.
    pub(super) fn oldest(&self) -> u64 {
        self.order.front().map_or(u64::MAX, |&(modseq, _)| modseq)
    }

    pub(super) fn extend(&mut self, rows: Vec<Row>, modseq: u64) {
        let excess = rows.len().saturating_sub(DEPARTED_ROWS);
        if excess > 0 {
            self.dropped = modseq;
        }
        for row in rows.into_iter().skip(excess) {
            self.order.push_back((modseq, row.uid.0));
            self.rows.insert(row.uid.0, row);
        }
        while self.order.len() > DEPARTED_ROWS {
            self.dropped = self.dropped.max(self.oldest());
            self.pop();
        }
    }

    /// The UIDs of expunges after `modseq`; `None` if some were dropped for want of room.
    pub(super) fn since(&self, modseq: u64) -> Option<impl Iterator<Item = u32> + '_> {
        let later = self
            .order
            .iter()
            .rev()
            .take_while(move |(at, _)| *at > modseq);
        (self.dropped <= modseq).then(|| later.map(|(_, uid)| *uid))
    }

    /// Drops those of expunges that everybody was told of.
    pub(super) fn trim(&mut self, floor: u64) {
        while self.oldest() <= floor && !self.order.is_empty() {
            self.pop();
        }
    }

    fn pop(&mut self) {
        if let Some((_, uid)) = self.order.pop_front() {
            self.rows.remove(&uid);
        }
    }
}
