//! A mailbox in memory, one for all sessions of this process that have it open.
//!
//! The engine's committer alone changes it, after the change is durable; everybody else reads. A
//! session that wants to know what happened asks for the rows changed since the mod-sequence it
//! knows; there are no queues.

mod cache;
mod chunk;
mod delta;
mod members;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use pillarbox_model::{
    AccountId, Acl, BlobId, Flags, InternalDate, KeywordTable, MailboxId, ModSeq, NumberSet, Uid,
    UidValidity,
};
use tokio::sync::watch;

pub(crate) use cache::{Cache, Opening, Ticket};
use chunk::Chunks;
pub(crate) use delta::Delta;
use members::{Departed, Members};

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
    /// Bytes of those with `\Deleted`.
    pub deleted_bytes: u64,
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
pub struct Mailbox {
    id: MailboxId,
    account: AccountId,
    uid_validity: UidValidity,
    state: RwLock<State>,
    /// Never held while `state` is waited for.
    members: Mutex<Members>,
    /// `Departed::oldest`, to see without the lock whether there is something to drop.
    oldest_departed: AtomicU64,
    deleted: AtomicBool,
    published: watch::Sender<u64>,
}

/// What changes.
#[derive(Default)]
struct State {
    rows: Chunks,
    departed: Departed,
    counters: Counters,
    keywords: KeywordTable,
    acl: Arc<Acl>,
    expunged_modseq: u64,
}

/// What a mailbox starts from in memory, as an engine loads it: everything but the rows.
pub(crate) struct Loaded {
    pub(crate) id: MailboxId,
    pub(crate) account: AccountId,
    pub(crate) uid_validity: UidValidity,
    pub(crate) counters: Counters,
    pub(crate) keywords: KeywordTable,
    pub(crate) acl: Acl,
}

impl Mailbox {
    /// The mailbox with these rows, which ascend.
    ///
    /// # Errors
    /// Whatever reading a row says.
    pub(crate) fn load<E>(
        from: Loaded,
        rows: impl IntoIterator<Item = Result<Row, E>>,
    ) -> Result<Self, E> {
        let mut state = State {
            counters: from.counters,
            keywords: from.keywords,
            acl: Arc::new(from.acl),
            // Nobody here knows of earlier ones.
            expunged_modseq: from.counters.highest_modseq.0,
            ..State::default()
        };
        for row in rows {
            state.rows.push(&row?);
        }
        Ok(Self {
            id: from.id,
            account: from.account,
            uid_validity: from.uid_validity,
            state: RwLock::new(state),
            members: Mutex::default(),
            oldest_departed: AtomicU64::new(u64::MAX),
            deleted: AtomicBool::new(false),
            published: watch::Sender::new(from.counters.highest_modseq.0),
        })
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> MailboxId {
        self.id
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> AccountId {
        self.account
    }

    /// Its UIDVALIDITY, which stays while the mailbox lives.
    #[must_use]
    pub fn uid_validity(&self) -> UidValidity {
        self.uid_validity
    }

    /// What STATUS says.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state().counters
    }

    /// Who may do what with it. Another list is another `Arc`.
    #[must_use]
    pub fn acl(&self) -> Arc<Acl> {
        self.state().acl.clone()
    }

    /// Whether somebody deleted it. Its rows stay as they were for those who still hold it.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted.load(Ordering::Acquire)
    }

    /// Wakes whoever waits on it after each change, and after a deletion. The value is the highest
    /// mod-sequence that can be read.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.published.subscribe()
    }

    /// A look at the rows. Changes wait for it, so it is short: some hundred rows at a time,
    /// nothing that waits in between (the guard can't cross an `.await` of a task that moves
    /// between threads).
    #[must_use]
    pub fn read(&self) -> Rows<'_> {
        Rows {
            state: self.state(),
        }
    }

    /// Joins those who have it selected, knowing everything up to now. To be called before the
    /// first look.
    #[must_use]
    pub fn join(self: &Arc<Self>) -> Member {
        let synced = self.counters().highest_modseq.0;
        let id = self.members().join(synced);
        Member {
            mailbox: self.clone(),
            id,
            synced: AtomicU64::new(synced),
        }
    }

    /// Bytes it takes in memory, about.
    pub(crate) fn size_bytes(&self) -> usize {
        size_of::<Self>() + self.state().rows.size_bytes()
    }

    /// Makes a durable change visible. Wakes nobody.
    pub(crate) fn apply(&self, delta: &Delta) {
        if delta.deleted {
            self.deleted.store(true, Ordering::Release);
            return;
        }
        let floor = self.members().floor();
        let mut state = self.state_mut();
        if let Some(acl) = &delta.acl {
            // No change of the mailbox: it has no mod-sequence.
            state.acl = Arc::new(acl.clone());
        }
        if delta.counters.highest_modseq <= state.counters.highest_modseq {
            return;
        }
        state.apply(delta, floor);
        self.oldest_departed
            .store(state.departed.oldest(), Ordering::Release);
    }

    /// Wakes those who watch.
    pub(crate) fn publish(&self) {
        let highest = self.counters().highest_modseq.0;
        self.published.send_replace(highest);
    }

    /// Drops expunged rows that everybody was told of.
    fn trim(&self) {
        let floor = self.members().floor();
        if floor >= self.oldest_departed.load(Ordering::Acquire) {
            let mut state = self.state_mut();
            state.departed.trim(floor);
            self.oldest_departed
                .store(state.departed.oldest(), Ordering::Release);
        }
    }

    // A panic while a lock is held leaves nothing half done that another could trip over.

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn state_mut(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mailbox({})", self.id)
    }
}

impl State {
    fn apply(&mut self, delta: &Delta, floor: u64) {
        let modseq = delta.counters.highest_modseq.0;
        let gone = self.rows.remove(&delta.expunged);
        if !gone.is_empty() {
            self.expunged_modseq = modseq;
        }
        if floor < modseq {
            self.departed.extend(gone, modseq);
        }
        self.rows.set_flags(&delta.flagged, modseq);
        for row in &delta.added {
            self.rows.push(row);
        }
        if let Some(keywords) = &delta.keywords {
            self.keywords = keywords.clone();
        }
        self.counters = delta.counters;
    }
}

/// A session's membership of a mailbox, until it is dropped. While a member has not been told of an
/// expunge, the expunged rows stay readable.
pub struct Member {
    mailbox: Arc<Mailbox>,
    id: u64,
    synced: AtomicU64,
}

impl Member {
    /// The mailbox.
    #[must_use]
    pub fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The client was told everything up to `modseq`.
    pub fn synced(&self, modseq: ModSeq) {
        let before = self.synced.swap(modseq.0, Ordering::AcqRel);
        if before != modseq.0 {
            self.mailbox
                .members()
                .moved(self.id, before, Some(modseq.0));
            self.mailbox.trim();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let synced = self.synced.load(Ordering::Acquire);
        self.mailbox.members().moved(self.id, synced, None);
        self.mailbox.trim();
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member({} of {:?})", self.id, self.mailbox)
    }
}

/// A look at a mailbox's rows, which stand still while it lasts.
pub struct Rows<'a> {
    state: RwLockReadGuard<'a, State>,
}

impl Rows<'_> {
    /// Of the last change that is seen here.
    #[must_use]
    pub fn highest_modseq(&self) -> ModSeq {
        self.state.counters.highest_modseq
    }

    /// What STATUS says.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.state.counters
    }

    /// Who may do what. Another list is another `Arc`.
    #[must_use]
    pub fn acl(&self) -> &Arc<Acl> {
        &self.state.acl
    }

    /// How many messages there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.state.rows.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What the keyword bits of [`Flags`] mean.
    #[must_use]
    pub fn keywords(&self) -> &KeywordTable {
        &self.state.keywords
    }

    /// The UID that the next message will have, at least.
    #[must_use]
    pub fn uid_next(&self) -> u32 {
        self.state.counters.uid_next
    }

    /// Of the latest expunge. A session that was told everything up to here need not look for
    /// expunged messages. Of a mailbox in which nothing was expunged since it was opened, the
    /// highest when it was.
    #[must_use]
    pub fn expunged_modseq(&self) -> ModSeq {
        ModSeq(self.state.expunged_modseq)
    }

    /// The row of a message that is here.
    #[must_use]
    pub fn get(&self, uid: Uid) -> Option<Row> {
        self.state.rows.get(uid.0)
    }

    /// The row of a message that is here, or was expunged and some member has not been told.
    #[must_use]
    pub fn get_known(&self, uid: Uid) -> Option<Row> {
        self.get(uid).or_else(|| self.state.departed.get(uid.0))
    }

    /// The rows `from <= uid <= to`, ascending.
    pub fn range(&self, from: u32, to: u32) -> impl Iterator<Item = Row> + '_ {
        self.state.rows.range(from, to)
    }

    /// The UIDs above `uid`, as ranges with both ends included: new messages.
    #[must_use]
    pub fn uid_ranges_above(&self, uid: u32) -> Vec<(u32, u32)> {
        let Some(from) = uid.checked_add(1) else {
            return Vec::new();
        };
        self.state.rows.uid_runs(from).collect()
    }

    /// All UIDs, as ranges with both ends included.
    #[must_use]
    pub fn uid_ranges(&self) -> Vec<(u32, u32)> {
        self.state.rows.uid_runs(0).collect()
    }

    /// Which UIDs of `known`, ranges that ascend, are not here any more. Linear in the ranges and
    /// the rows between the first and the last.
    pub fn missing_among(&self, known: impl Iterator<Item = (u32, u32)>) -> NumberSet {
        let mut known = known.peekable();
        let start = known.peek().map_or(u32::MAX, |&(from, _)| from);
        let mut live = self.state.rows.uid_runs(start).peekable();
        let mut missing = Vec::new();
        for (mut from, to) in known {
            loop {
                while live.next_if(|&(_, last)| last < from).is_some() {}
                // Not taken yet: this run may go on into the next range.
                let Some(&(first, last)) = live.peek().filter(|&&(first, _)| first <= to) else {
                    missing.push((from, to));
                    break;
                };
                if first > from {
                    missing.push((from, first - 1));
                }
                if last >= to {
                    break;
                }
                from = last + 1;
            }
        }
        NumberSet::from_ranges(missing)
    }

    /// Which messages were expunged after `modseq`, which is the last that some member was told;
    /// `None` if that is too long ago, and it can't be known here.
    #[must_use]
    pub fn departed_since(&self, modseq: ModSeq) -> Option<NumberSet> {
        let departed = self.state.departed.since(modseq.0)?;
        Some(NumberSet::from_ranges(departed.map(|uid| (uid, uid))))
    }

    /// The highest UID; 0 if there is no message.
    #[must_use]
    pub fn last_uid(&self) -> u32 {
        self.state.rows.last_uid()
    }

    /// The rows changed after `modseq`, ascending by UID. Passes over chunks in which nothing did.
    pub fn changed_since(&self, modseq: ModSeq) -> impl Iterator<Item = Row> + '_ {
        self.changed_above(0, modseq)
    }

    /// As [`Self::changed_since`], of the messages above `uid` only: to go on where one stopped.
    pub fn changed_above(&self, uid: u32, modseq: ModSeq) -> impl Iterator<Item = Row> + '_ {
        let chunks = self.state.rows.iter();
        chunks
            .filter(move |chunk| chunk.max_modseq() > modseq.0 && chunk.last() > uid)
            .flat_map(|chunk| (0..chunk.len()).map(|at| chunk.row(at)))
            .filter(move |row| row.modseq > modseq && row.uid.0 > uid)
    }

    /// The first message without `\Seen` (RFC 3501 §6.3.1).
    #[must_use]
    pub fn first_unseen(&self) -> Option<Uid> {
        if self.state.counters.unseen == 0 {
            return None;
        }
        self.state.rows.first_without(Flags::SEEN).map(Uid)
    }
}

impl fmt::Debug for Rows<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rows({})", self.len())
    }
}
