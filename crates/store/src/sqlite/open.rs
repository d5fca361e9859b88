//! The mailboxes in memory.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use pillarbox_model::MailboxId;

use crate::mailbox::Mailbox;

/// Mailboxes that somebody has open, and some that were open lately.
///
/// Whoever holds a mailbox holds the one that changes: it can't be dropped here while it is in use.
pub(super) struct OpenMailboxes {
    inner: Mutex<Inner>,
    cache_bytes: usize,
}

#[derive(Default)]
struct Inner {
    all: HashMap<MailboxId, Weak<Mailbox>>,
    /// Kept although nobody may use them, the latest last.
    kept: VecDeque<Arc<Mailbox>>,
}

impl OpenMailboxes {
    pub(super) fn new(cache_bytes: usize) -> Self {
        Self {
            inner: Mutex::default(),
            cache_bytes,
        }
    }

    pub(super) fn get(&self, id: MailboxId) -> Option<Arc<Mailbox>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.all.get(&id)?.upgrade()
    }

    pub(super) fn insert(&self, mailbox: Arc<Mailbox>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.all.insert(mailbox.id(), Arc::downgrade(&mailbox));
        inner.kept.push_back(mailbox);
        let mut bytes: usize = inner.kept.iter().map(|mailbox| mailbox.bytes()).sum();
        while bytes > self.cache_bytes && inner.kept.len() > 1 {
            let oldest = inner.kept.pop_front();
            bytes -= oldest.map_or(0, |mailbox| mailbox.bytes());
        }
        inner.all.retain(|_, mailbox| mailbox.strong_count() > 0);
    }

    pub(super) fn remove(&self, id: MailboxId) -> Option<Arc<Mailbox>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.kept.retain(|mailbox| mailbox.id() != id);
        inner.all.remove(&id)?.upgrade()
    }
}
