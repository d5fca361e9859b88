//! Rows as arrays of their columns, in chunks.

use pillarbox_model::{BlobId, Flags, InternalDate, ModSeq, NumberSet, Uid};

use super::Row;

/// Rows in one chunk. Large enough that a pass over a mailbox is a pass over arrays, small enough
/// that removing a row in the middle moves 40 KB at most.
pub(super) const CHUNK_ROWS: usize = 1_024;

/// Rows in ascending order of UIDs: 40 bytes each.
#[derive(Default)]
pub(super) struct Chunk {
    uids: Vec<u32>,
    modseqs: Vec<u64>,
    flags: Vec<u64>,
    dates: Vec<i64>,
    sizes: Vec<u32>,
    blobs: Vec<u64>,
    /// No row here has a mod-sequence above this. After an expunge it may be higher than any has.
    max_modseq: u64,
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        self.uids.len()
    }

    pub(super) fn max_modseq(&self) -> u64 {
        self.max_modseq
    }

    fn first(&self) -> u32 {
        self.uids.first().copied().unwrap_or(0)
    }

    pub(super) fn last(&self) -> u32 {
        self.uids.last().copied().unwrap_or(0)
    }

    pub(super) fn row(&self, at: usize) -> Row {
        Row {
            uid: Uid(self.uids[at]),
            modseq: ModSeq(self.modseqs[at]),
            flags: Flags(self.flags[at]),
            date: unpack(self.dates[at]),
            size: self.sizes[at],
            blob: BlobId(self.blobs[at]),
        }
    }

    fn push(&mut self, row: &Row) {
        self.uids.push(row.uid.0);
        self.modseqs.push(row.modseq.0);
        self.flags.push(row.flags.0);
        self.dates.push(pack(row.date));
        self.sizes.push(row.size);
        self.blobs.push(row.blob.0);
        self.max_modseq = self.max_modseq.max(row.modseq.0);
    }

    fn append(&mut self, other: &mut Self) {
        self.uids.append(&mut other.uids);
        self.modseqs.append(&mut other.modseqs);
        self.flags.append(&mut other.flags);
        self.dates.append(&mut other.dates);
        self.sizes.append(&mut other.sizes);
        self.blobs.append(&mut other.blobs);
        self.max_modseq = self.max_modseq.max(other.max_modseq);
    }

    /// Keeps the rows for which `keep` says so.
    fn retain(&mut self, keep: &[bool]) {
        fn sift<T>(column: &mut Vec<T>, keep: &[bool]) {
            let mut verdicts = keep.iter();
            column.retain(|_| verdicts.next() == Some(&true));
        }
        sift(&mut self.uids, keep);
        sift(&mut self.modseqs, keep);
        sift(&mut self.flags, keep);
        sift(&mut self.dates, keep);
        sift(&mut self.sizes, keep);
        sift(&mut self.blobs, keep);
    }
}

/// Seconds and zone in 64 bits: a zone is less than a day (RFC 3501 §9, `zone`), so 12 bits hold
/// it.
fn pack(date: InternalDate) -> i64 {
    let seconds = date.unix_seconds.clamp(-(1 << 51), (1 << 51) - 1);
    seconds << 12 | i64::from(date.zone_minutes.clamp(-2_048, 2_047) + 2_048)
}

fn unpack(packed: i64) -> InternalDate {
    InternalDate {
        unix_seconds: packed >> 12,
        zone_minutes: (packed & 0xfff) as i16 - 2_048,
    }
}

/// All rows of a mailbox, in ascending order of UIDs. No chunk is empty.
#[derive(Default)]
pub(super) struct Chunks {
    chunks: Vec<Chunk>,
    len: usize,
}

impl Chunks {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that the rows take, room to grow included.
    pub(super) fn size_bytes(&self) -> usize {
        self.chunks
            .iter()
            .map(|chunk| chunk.uids.capacity() * 40 + size_of::<Chunk>())
            .sum()
    }

    pub(super) fn iter(&self) -> std::slice::Iter<'_, Chunk> {
        self.chunks.iter()
    }

    /// The highest UID; 0 if there is none.
    pub(super) fn last_uid(&self) -> u32 {
        self.chunks.last().map_or(0, Chunk::last)
    }

    /// Adds a row above all others. One that is not is passed over: it is here already.
    pub(super) fn push(&mut self, row: &Row) {
        if row.uid.0 <= self.last_uid() {
            return;
        }
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.len() >= CHUNK_ROWS)
        {
            self.chunks.push(Chunk::default());
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(row);
            self.len += 1;
        }
    }

    /// The chunk in which a UID is if it is anywhere, and the place where it is or would be.
    fn seek(&self, uid: u32) -> (usize, usize) {
        let index = self.chunks.partition_point(|chunk| chunk.last() < uid);
        let at = self
            .chunks
            .get(index)
            .map_or(0, |c| c.uids.partition_point(|&u| u < uid));
        (index, at)
    }

    pub(super) fn get(&self, uid: u32) -> Option<Row> {
        let (index, at) = self.seek(uid);
        let chunk = self.chunks.get(index)?;
        (*chunk.uids.get(at)? == uid).then(|| chunk.row(at))
    }

    /// The rows `from <= uid <= to`.
    pub(super) fn range(&self, from: u32, to: u32) -> impl Iterator<Item = Row> + '_ {
        let (index, at) = self.seek(from);
        let chunks = self
            .chunks
            .get(index..)
            .unwrap_or_default()
            .iter()
            .enumerate();
        chunks
            .take_while(move |(_, chunk)| chunk.first() <= to)
            .flat_map(move |(nth, chunk)| {
                let start = if nth == 0 { at } else { 0 };
                let end = chunk.uids.partition_point(|&uid| uid <= to);
                (start..end).map(move |at| chunk.row(at))
            })
    }

    /// The UIDs from `from` on, as ranges with both ends included. Lazy; a chunk in which no UID is
    /// missing is one step, another one a step a message.
    pub(super) fn uid_runs(&self, from: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let (index, at) = self.seek(from);
        let chunks = self.chunks.get(index..).unwrap_or_default().iter();
        let mut pieces = chunks
            .enumerate()
            .flat_map(move |(nth, chunk)| Runs(&chunk.uids[if nth == 0 { at } else { 0 }..]))
            .peekable();
        std::iter::from_fn(move || {
            let (first, mut last) = pieces.next()?;
            while let Some((_, to)) = pieces.next_if(|&(from, _)| from == last + 1) {
                last = to;
            }
            Some((first, last))
        })
    }

    /// The first UID whose flags lack `flag`. A pass over the flags alone.
    pub(super) fn first_without(&self, flag: Flags) -> Option<u32> {
        self.chunks.iter().find_map(|chunk| {
            let mut flags = chunk.flags.iter();
            let at = flags.position(|&flags| flags & flag.0 != flag.0)?;
            Some(chunk.uids[at])
        })
    }

    /// Gives messages the flags they have now. `flagged` ascends; UIDs that are not there are
    /// passed over.
    pub(super) fn set_flags(&mut self, flagged: &[(Uid, Flags)], modseq: u64) {
        let Some(&(first, _)) = flagged.first() else {
            return;
        };
        let (mut index, mut at) = self.seek(first.0);
        for &(uid, flags) in flagged {
            while self
                .chunks
                .get(index)
                .is_some_and(|chunk| chunk.last() < uid.0)
            {
                (index, at) = (index + 1, 0);
            }
            let Some(chunk) = self.chunks.get_mut(index) else {
                return;
            };
            at += chunk.uids[at..].partition_point(|&known| known < uid.0);
            if chunk.uids[at] == uid.0 {
                chunk.flags[at] = flags.0;
                chunk.modseqs[at] = modseq;
                chunk.max_modseq = chunk.max_modseq.max(modseq);
            }
        }
    }

    /// Takes out messages and returns their rows, ascending.
    pub(super) fn remove(&mut self, uids: &NumberSet) -> Vec<Row> {
        let mut gone = Vec::new();
        let mut ranges = uids.ranges().iter().copied().peekable();
        for chunk in &mut self.chunks {
            while ranges.next_if(|&(_, to)| to < chunk.first()).is_some() {}
            if ranges.peek().is_some_and(|&(from, _)| from <= chunk.last()) {
                take(chunk, uids, &mut gone);
            }
        }
        if !gone.is_empty() {
            self.len -= gone.len();
            self.merge();
        }
        gone
    }

    /// Puts chunks together that fit into one, so that a mailbox which lost most messages does not
    /// keep many almost empty ones.
    fn merge(&mut self) {
        let mut merged: Vec<Chunk> = Vec::with_capacity(self.chunks.len());
        for mut chunk in self.chunks.drain(..) {
            match merged.last_mut() {
                Some(last) if last.len() + chunk.len() <= CHUNK_ROWS => last.append(&mut chunk),
                _ => merged.push(chunk),
            }
        }
        merged.retain(|chunk| chunk.len() > 0);
        self.chunks = merged;
    }
}

/// The runs of consecutive UIDs in some that ascend.
struct Runs<'a>(&'a [u32]);

impl Iterator for Runs<'_> {
    type Item = (u32, u32);

    fn next(&mut self) -> Option<(u32, u32)> {
        let (&first, &last) = (self.0.first()?, self.0.last()?);
        let all = last - first == self.0.len() as u32 - 1;
        let len = if all {
            self.0.len()
        } else {
            let broken = self.0.windows(2).position(|pair| pair[1] != pair[0] + 1);
            broken.map_or(self.0.len(), |at| at + 1)
        };
        let (run, rest) = self.0.split_at(len);
        self.0 = rest;
        run.last().map(|&last| (first, last))
    }
}

/// Moves the rows that are in `uids` from a chunk to `gone`.
fn take(chunk: &mut Chunk, uids: &NumberSet, gone: &mut Vec<Row>) {
    let keep: Vec<bool> = chunk.uids.iter().map(|&uid| !uids.contains(uid)).collect();
    gone.extend(
        (0..chunk.len())
            .filter(|&at| !keep[at])
            .map(|at| chunk.row(at)),
    );
    if keep.contains(&false) {
        chunk.retain(&keep);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_comes_back_with_its_zone() {
        for unix_seconds in [i64::from(i32::MIN), -1, 0, 1, 253_402_300_799] {
            for zone_minutes in [-1_439, -1, 0, 60, 1_439] {
                let date = InternalDate {
                    unix_seconds,
                    zone_minutes,
                };
                assert_eq!(unpack(pack(date)), date);
            }
        }
    }
}
