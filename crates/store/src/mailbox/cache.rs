//! The mailboxes that are in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pillarbox_model::MailboxId;
use tokio::sync::watch;

use super::{Delta, Mailbox};

/// Every mailbox that anybody holds, and as many others as fit. There is never more than one
/// [`Mailbox`] of an id that still gets changes.
pub(crate) struct Cache {
    limit_bytes: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    entries: HashMap<MailboxId, Entry>,
    /// Of the entries that are ready, as measured when they were used last.
    size_bytes: usize,
    tick: u64,
}

enum Entry {
    Ready(Ready),
    Loading(Loading),
}

struct Ready {
    mailbox: Arc<Mailbox>,
    size_bytes: usize,
    used: u64,
}

/// A mailbox that somebody is reading from disk. What is committed meanwhile is kept, since it may
/// or may not be in what they read. When this is dropped, those who wait look again.
struct Loading {
    deltas: Vec<Delta>,
    done: watch::Sender<()>,
}

/// What asking for a mailbox gives.
pub(crate) enum Opening<'a> {
    /// Here it is.
    Ready(Arc<Mailbox>),
    /// Somebody loads it: ask again when the sender is gone.
    Wait(watch::Receiver<()>),
    /// To be loaded by whoever got this, from a snapshot that is taken later than now.
    Load(Ticket<'a>),
}

/// The duty to load a mailbox. Dropped, it lets the next one try.
pub(crate) struct Ticket<'a> {
    cache: &'a Cache,
    id: MailboxId,
}

impl Cache {
    /// A cache that drops what nobody holds when all take more than `limit_bytes`.
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            inner: Mutex::default(),
        }
    }

    /// Looks for a mailbox to open it.
    pub(crate) fn open(&self, id: MailboxId) -> Opening<'_> {
        let mut inner = self.inner();
        inner.tick += 1;
        let tick = inner.tick;
        match inner.entries.get_mut(&id) {
            Some(Entry::Ready(ready)) => {
                ready.used = tick;
                return Opening::Ready(ready.mailbox.clone());
            }
            Some(Entry::Loading(loading)) => return Opening::Wait(loading.done.subscribe()),
            None => {}
        }
        let loading = Loading {
            deltas: Vec::new(),
            done: watch::Sender::new(()),
        };
        inner.entries.insert(id, Entry::Loading(loading));
        Opening::Load(Ticket { cache: self, id })
    }

    /// The mailbox, if it is in memory.
    pub(crate) fn get(&self, id: MailboxId) -> Option<Arc<Mailbox>> {
        match self.inner().entries.get(&id) {
            Some(Entry::Ready(ready)) => Some(ready.mailbox.clone()),
            _ => None,
        }
    }

    /// Brings durable changes into memory, in order. Returns the mailboxes whose watchers are to be
    /// woken.
    pub(crate) fn apply(&self, deltas: Vec<Delta>) -> Vec<Arc<Mailbox>> {
        let mut touched: Vec<Arc<Mailbox>> = Vec::new();
        for delta in deltas {
            let Some(mailbox) = self.target(&delta) else {
                continue;
            };
            mailbox.apply(&delta);
            if touched.last().is_none_or(|last| last.id() != mailbox.id()) {
                touched.push(mailbox);
            }
        }
        touched
    }

    /// The mailbox in memory that a change goes to. Keeps the change if it is being loaded.
    fn target(&self, delta: &Delta) -> Option<Arc<Mailbox>> {
        let mut inner = self.inner();
        match inner.entries.get_mut(&delta.mailbox)? {
            Entry::Loading(loading) => {
                loading.deltas.push(delta.clone());
                None
            }
            Entry::Ready(ready) => {
                let mailbox = ready.mailbox.clone();
                if delta.deleted {
                    inner.remove(delta.mailbox);
                }
                Some(mailbox)
            }
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket<'_> {
    /// The mailbox was read from disk.
    pub(crate) fn finish(self, mailbox: Mailbox) -> Arc<Mailbox> {
        let mailbox = Arc::new(mailbox);
        let mut inner = self.cache.inner();
        if let Some(Entry::Loading(loading)) = inner.entries.remove(&self.id) {
            for delta in &loading.deltas {
                mailbox.apply(delta);
            }
            mailbox.publish();
        }
        if !mailbox.is_deleted() {
            inner.insert(mailbox.clone());
            inner.evict(self.cache.limit_bytes);
        }
        mailbox
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut inner = self.cache.inner();
        if let Some(Entry::Loading(_)) = inner.entries.get(&self.id) {
            inner.entries.remove(&self.id);
        }
    }
}

impl Inner {
    fn insert(&mut self, mailbox: Arc<Mailbox>) {
        let size_bytes = mailbox.size_bytes();
        self.size_bytes += size_bytes;
        let ready = Ready {
            size_bytes,
            used: self.tick,
            mailbox,
        };
        self.entries.insert(ready.mailbox.id(), Entry::Ready(ready));
    }

    fn remove(&mut self, id: MailboxId) {
        if let Some(Entry::Ready(ready)) = self.entries.remove(&id) {
            self.size_bytes -= ready.size_bytes;
        }
    }

    /// Drops what was not used for longest and nobody holds, until there is an eighth to spare: so
    /// that the next ones need not sort again. Nobody can take hold meanwhile, as that goes through
    /// here.
    fn evict(&mut self, limit_bytes: usize) {
        if self.size_bytes <= limit_bytes {
            return;
        }
        let mut idle = self.idle();
        idle.sort_unstable();
        for (_, id) in idle {
            if self.size_bytes <= limit_bytes / 8 * 7 {
                return;
            }
            self.remove(id);
        }
    }

    /// What nobody holds, by last use. Mailboxes grow: they are measured again on the way.
    fn idle(&mut self) -> Vec<(u64, MailboxId)> {
        let mut idle = Vec::new();
        self.size_bytes = 0;
        for (id, entry) in &mut self.entries {
            let Entry::Ready(ready) = entry else {
                continue;
            };
            ready.size_bytes = ready.mailbox.size_bytes();
            self.size_bytes += ready.size_bytes;
            if Arc::strong_count(&ready.mailbox) == 1 {
                idle.push((ready.used, *id));
            }
        }
        idle
    }
}
