//! A mailbox in memory, shared by all sessions of this process that have it open.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use pillarbox_model::{
    AccountId, BlobId, Flags, InternalDate, KeywordTable, MailboxId, ModSeq, NumberSet, Uid,
    UidValidity,
};
use tokio::sync::watch;

/// Rows in one chunk: a change search skips a chunk at a time.
const CHUNK_ROWS: usize = 4_096;
/// Expunged rows kept readable for sessions that were not told yet. Beyond that the oldest go, and such a
/// session is answered as if it had been told.
const GHOSTS: usize = 100_000;

/// What STATUS says, without looking at messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Messages.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Bytes of all messages.
    pub size_bytes: u64,
    /// The UID that the next message will have, at least.
    pub uid_next: u32,
    /// The mod-sequence of the last change.
    pub highest_modseq: ModSeq,
}

/// One message as the index knows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    /// Its UID.
    pub uid: Uid,
    /// Of its last change.
    pub modseq: ModSeq,
    /// Its flags, by the mailbox's keyword table.
    pub flags: Flags,
    /// INTERNALDATE.
    pub date: InternalDate,
    /// RFC822.SIZE in bytes.
    pub size: u32,
    /// Its bytes.
    pub blob: BlobId,
}

/// A mailbox that is open somewhere in this process.
#[derive(Debug)]
pub struct Mailbox {
    id: MailboxId,
    account: AccountId,
    uid_validity: UidValidity,
    state: RwLock<State>,
    published: watch::Sender<u64>,
    deleted: AtomicBool,
    members: Mutex<Members>,
}

/// Rows as arrays, in the order of UIDs.
#[derive(Debug, Default)]
struct State {
    chunks: Vec<Chunk>,
    keywords: KeywordTable,
    counters: Counters,
    expunged_modseq: ModSeq,
    ghosts: BTreeMap<u32, (ModSeq, Row)>,
}

/// Up to [`CHUNK_ROWS`] rows: 42 bytes each.
#[derive(Debug, Default)]
struct Chunk {
    highest_modseq: u64,
    uids: Vec<u32>,
    modseqs: Vec<u64>,
    flags: Vec<u64>,
    seconds: Vec<i64>,
    zones: Vec<i16>,
    sizes: Vec<u32>,
    blobs: Vec<u64>,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    synced: HashMap<u64, Arc<AtomicU64>>,
}

/// A session's place at a mailbox. While it lives, what it was not told to be gone stays readable.
#[derive(Debug)]
pub struct Member {
    mailbox: Arc<Mailbox>,
    id: u64,
    synced: Arc<AtomicU64>,
}

impl Member {
    /// Where it is.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The session was told of all expunges up to here.
    pub fn synced(&self, modseq: ModSeq) {
        let before = self.synced.swap(modseq.0, Ordering::AcqRel);
        if before < modseq.0 && !self.mailbox.read().state.ghosts.is_empty() {
            self.mailbox.lay_ghosts();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        lock(&self.mailbox.members).synced.remove(&self.id);
        self.mailbox.lay_ghosts();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Mailbox {
    /// A mailbox with these rows, which ascend by UID.
    pub fn new(
        id: MailboxId,
        account: AccountId,
        uid_validity: UidValidity,
        keywords: KeywordTable,
        counters: Counters,
        rows: impl IntoIterator<Item = Row>,
    ) -> Self {
        let mut state = State {
            keywords,
            counters,
            expunged_modseq: counters.highest_modseq,
            ..State::default()
        };
        rows.into_iter().for_each(|row| state.push(row));
        Self {
            id,
            account,
            uid_validity,
            state: RwLock::new(state),
            published: watch::Sender::new(counters.highest_modseq.0),
            deleted: AtomicBool::new(false),
            members: Mutex::default(),
        }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> MailboxId {
        self.id
    }

    /// Whose it is.
    #[must_use]
    pub const fn account(&self) -> AccountId {
        self.account
    }

    /// Its UIDVALIDITY.
    #[must_use]
    pub const fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// What is in it.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.read().state.counters
    }

    /// Whether somebody deleted it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Wakes after each change. A missed value delays, never loses: what changed is read from the rows.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// A look at the rows. Not to be held across an await: the writer waits for it.
    #[must_use]
    pub fn read(&self) -> Rows<'_> {
        Rows {
            state: self.state.read().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Takes a place, which is told nothing yet.
    #[must_use]
    pub fn join(self: &Arc<Self>) -> Member {
        let synced = Arc::new(AtomicU64::new(self.read().highest_modseq().0));
        let mut members = lock(&self.members);
        members.next += 1;
        let id = members.next;
        members.synced.insert(id, synced.clone());
        drop(members);
        Member {
            mailbox: self.clone(),
            id,
            synced,
        }
    }

    /// Whether some session has it open.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !lock(&self.members).synced.is_empty()
    }

    /// About how many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let rows = self.read();
        rows.len() * 42 + rows.state.ghosts.len() * 80 + 512
    }

    /// Forgets expunged rows that every session was told of.
    fn lay_ghosts(&self) {
        let slowest = {
            let members = lock(&self.members);
            members
                .synced
                .values()
                .map(|synced| synced.load(Ordering::Acquire))
                .min()
        };
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match slowest {
            None => state.ghosts.clear(),
            Some(slowest) => state.ghosts.retain(|_, (gone, _)| gone.0 > slowest),
        }
    }

    /// Takes over committed changes, and then tells whoever watches.
    pub(crate) fn apply(&self, change: Change) {
        let in_use = self.is_in_use();
        let modseq = change.counters.highest_modseq;
        self.state
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .apply(change, in_use);
        self.published.send_replace(modseq.0);
    }

    /// It is gone.
    pub(crate) fn mark_deleted(&self) {
        self.deleted.store(true, Ordering::Release);
        self.published.send_modify(|_| {});
    }
}

/// A committed transaction's effect on one mailbox.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// As they are now.
    pub(crate) counters: Counters,
    /// The table, if it grew.
    pub(crate) keywords: Option<KeywordTable>,
    /// New rows, above all others.
    pub(crate) added: Vec<Row>,
    /// New flags by UID, ascending.
    pub(crate) flags: Vec<(u32, Flags)>,
    /// What went.
    pub(crate) removed: NumberSet,
}

impl State {
    fn push(&mut self, row: Row) {
        if self
            .chunks
            .last()
            .is_none_or(|chunk| chunk.uids.len() >= CHUNK_ROWS)
        {
            self.chunks.push(Chunk::default());
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(row);
        }
    }

    fn apply(&mut self, change: Change, in_use: bool) {
        let modseq = change.counters.highest_modseq;
        self.counters = change.counters;
        if let Some(keywords) = change.keywords {
            self.keywords = keywords;
        }
        change.added.into_iter().for_each(|row| self.push(row));
        self.set_flags(&change.flags, modseq);
        if !change.removed.is_empty() {
            self.remove(&change.removed, modseq, in_use);
        }
    }

    fn set_flags(&mut self, flags: &[(u32, Flags)], modseq: ModSeq) {
        let mut at = 0;
        for &(uid, flags) in flags {
            while self
                .chunks
                .get(at)
                .is_some_and(|chunk| chunk.last_uid() < uid)
            {
                at += 1;
            }
            let Some(chunk) = self.chunks.get_mut(at) else {
                return;
            };
            if let Ok(index) = chunk.uids.binary_search(&uid) {
                chunk.flags[index] = flags.0;
                chunk.modseqs[index] = modseq.0;
                chunk.highest_modseq = modseq.0;
            }
        }
    }

    fn remove(&mut self, uids: &NumberSet, modseq: ModSeq, in_use: bool) {
        self.expunged_modseq = modseq;
        for chunk in &mut self.chunks {
            let hit = uids.ranges().iter().any(|&(from, to)| {
                from <= chunk.last_uid() && chunk.uids.first().is_some_and(|&first| first <= to)
            });
            if !hit {
                continue;
            }
            let gone = chunk.remove(uids);
            if in_use {
                self.ghosts
                    .extend(gone.into_iter().map(|row| (row.uid.0, (modseq, row))));
            }
        }
        self.chunks.retain(|chunk| !chunk.uids.is_empty());
        while self.ghosts.len() > GHOSTS {
            self.ghosts.pop_first();
        }
    }

    /// The chunk that would hold a UID.
    fn chunk_of(&self, uid: u32) -> Option<&Chunk> {
        self.chunks
            .get(self.chunks.partition_point(|chunk| chunk.last_uid() < uid))
    }
}

impl Chunk {
    fn last_uid(&self) -> u32 {
        self.uids.last().copied().unwrap_or(0)
    }

    fn push(&mut self, row: Row) {
        self.highest_modseq = self.highest_modseq.max(row.modseq.0);
        self.uids.push(row.uid.0);
        self.modseqs.push(row.modseq.0);
        self.flags.push(row.flags.0);
        self.seconds.push(row.date.unix_seconds);
        self.zones.push(row.date.zone_minutes);
        self.sizes.push(row.size);
        self.blobs.push(row.blob.0);
    }

    fn row(&self, index: usize) -> Row {
        Row {
            uid: Uid(self.uids[index]),
            modseq: ModSeq(self.modseqs[index]),
            flags: Flags(self.flags[index]),
            date: InternalDate {
                unix_seconds: self.seconds[index],
                zone_minutes: self.zones[index],
            },
            size: self.sizes[index],
            blob: BlobId(self.blobs[index]),
        }
    }

    fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        (0..self.uids.len()).map(|index| self.row(index))
    }

    /// Takes rows out, and gives them back.
    fn remove(&mut self, uids: &NumberSet) -> Vec<Row> {
        let (gone, kept): (Vec<_>, Vec<_>) = self.rows().partition(|row| uids.contains(row.uid.0));
        let highest_modseq = self.highest_modseq;
        *self = Self::default();
        kept.into_iter().for_each(|row| self.push(row));
        self.highest_modseq = highest_modseq;
        gone
    }
}

/// A look at a mailbox's rows, during which nothing changes.
#[derive(Debug)]
pub struct Rows<'a> {
    state: RwLockReadGuard<'a, State>,
}

impl Rows<'_> {
    /// The mod-sequence of the last change.
    #[must_use]
    pub fn highest_modseq(&self) -> ModSeq {
        self.state.counters.highest_modseq
    }

    /// The mod-sequence of the last expunge, or one after it.
    #[must_use]
    pub fn expunged_modseq(&self) -> ModSeq {
        self.state.expunged_modseq
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.counters.messages as usize
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The UID that the next message will have, at least.
    #[must_use]
    pub fn uid_next(&self) -> u32 {
        self.state.counters.uid_next
    }

    /// What the keyword bits mean.
    #[must_use]
    pub fn keywords(&self) -> &KeywordTable {
        &self.state.keywords
    }

    /// A message that exists.
    #[must_use]
    pub fn get(&self, uid: Uid) -> Option<Row> {
        let chunk = self.state.chunk_of(uid.0)?;
        let index = chunk.uids.binary_search(&uid.0).ok()?;
        Some(chunk.row(index))
    }

    /// A message that exists, or that some session was not yet told to be gone.
    #[must_use]
    pub fn get_known(&self, uid: Uid) -> Option<Row> {
        self.get(uid)
            .or_else(|| self.state.ghosts.get(&uid.0).map(|(_, row)| *row))
    }

    /// The messages with `from <= uid <= to`, ascending.
    pub fn range(&self, from: u32, to: u32) -> impl Iterator<Item = Row> + '_ {
        let chunks = &self.state.chunks;
        let first = chunks.partition_point(|chunk| chunk.last_uid() < from);
        chunks[first..]
            .iter()
            .take_while(move |chunk| chunk.uids.first().is_some_and(|&uid| uid <= to))
            .flat_map(move |chunk| {
                let start = chunk.uids.partition_point(|&uid| uid < from);
                let end = chunk.uids.partition_point(|&uid| uid <= to);
                (start..end.max(start)).map(move |index| chunk.row(index))
            })
    }

    /// All UIDs, as ascending ranges with both ends included.
    #[must_use]
    pub fn uid_ranges(&self) -> Vec<(u32, u32)> {
        self.uid_ranges_above(0)
    }

    /// The UIDs above one, as ascending ranges with both ends included.
    #[must_use]
    pub fn uid_ranges_above(&self, uid: u32) -> Vec<(u32, u32)> {
        let chunks = &self.state.chunks;
        let first = chunks.partition_point(|chunk| chunk.last_uid() <= uid);
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for &next in chunks[first..].iter().flat_map(|chunk| &chunk.uids) {
            match ranges.last_mut() {
                _ if next <= uid => {}
                Some((_, end)) if *end + 1 == next => *end = next,
                _ => ranges.push((next, next)),
            }
        }
        ranges
    }

    /// Which UIDs of these ascending ranges are of no message any more. Linear in both.
    #[must_use]
    pub fn missing_among(&self, known: impl Iterator<Item = (u32, u32)>) -> NumberSet {
        let mut missing = Vec::new();
        for (from, to) in known {
            let mut next = from;
            for row in self.range(from, to) {
                if row.uid.0 > next {
                    missing.push((next, row.uid.0 - 1));
                }
                next = row.uid.0 + 1;
            }
            if next <= to {
                missing.push((next, to));
            }
        }
        NumberSet::from_ranges(missing)
    }

    /// The messages that changed after a mod-sequence, ascending by UID. Chunks without changes are
    /// skipped whole.
    pub fn changed_since(&self, modseq: ModSeq) -> impl Iterator<Item = Row> + '_ {
        let chunks = self.state.chunks.iter();
        chunks
            .filter(move |chunk| chunk.highest_modseq > modseq.0)
            .flat_map(move |chunk| {
                let indices = 0..chunk.uids.len();
                indices
                    .filter(move |&i| chunk.modseqs[i] > modseq.0)
                    .map(|i| chunk.row(i))
            })
    }

    /// The first message without `\Seen`.
    #[must_use]
    pub fn first_unseen(&self) -> Option<Uid> {
        if self.state.counters.unseen == 0 {
            return None;
        }
        self.state.chunks.iter().find_map(|chunk| {
            let index = chunk
                .flags
                .iter()
                .position(|&bits| bits & Flags::SEEN.0 == 0)?;
            Some(Uid(chunk.uids[index]))
        })
    }
}
