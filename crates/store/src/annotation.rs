//! Annotations of mailboxes and of the store as a whole (RFC 5464), and who changed what of late.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use pillarbox_model::{AccountId, Depth, EntryName, MailboxId};
use tokio::sync::watch;

/// Changes that are remembered. Whoever missed more is told that it missed some.
const REMEMBERED: usize = 4_096;

/// Which annotations are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// These.
    pub entries: Vec<EntryName>,
    /// And so far below them.
    pub depth: Depth,
    /// Larger values are not read, in bytes.
    pub max_size: Option<u64>,
}

impl Wanted {
    /// Whether an entry is asked for, by its name.
    #[must_use]
    pub fn includes(&self, entry: &EntryName) -> bool {
        let mut roots = self.entries.iter();
        roots.any(|root| entry.is_within(root, self.depth))
    }
}

/// An annotation that there is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Annotation {
    /// Its name.
    pub entry: EntryName,
    /// The size of its value in bytes.
    pub size: u64,
    /// Its value, unless that is larger than was asked for.
    pub value: Option<Bytes>,
}

/// That an annotation was set or removed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnotationChange {
    /// Ascending, from 1.
    pub number: u64,
    /// Who did it, as they called themselves.
    pub origin: u64,
    /// Of which mailbox; `None` is the server.
    pub mailbox: Option<MailboxId>,
    /// Whose it is; `None` if it is shared.
    pub user: Option<AccountId>,
    /// Its name.
    pub entry: EntryName,
}

/// What became of annotations since the store was opened. Durable changes only.
#[derive(Debug)]
pub struct AnnotationChanges {
    recent: Mutex<VecDeque<AnnotationChange>>,
    last: watch::Sender<u64>,
}

impl Default for AnnotationChanges {
    fn default() -> Self {
        Self {
            recent: Mutex::default(),
            last: watch::Sender::new(0),
        }
    }
}

impl AnnotationChanges {
    /// The number of the last change; 0 if there was none.
    #[must_use]
    pub fn last(&self) -> u64 {
        *self.last.borrow()
    }

    /// Wakes when there is another change.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    /// The changes after a number, in order, and whether they are all there were.
    #[must_use]
    pub fn since(&self, number: u64) -> (Vec<AnnotationChange>, bool) {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let first = recent.front().map_or(u64::MAX, |change| change.number);
        let after = recent.iter().filter(|change| change.number > number);
        let whole = first <= number.saturating_add(1) || number >= self.last();
        (after.cloned().collect(), whole)
    }

    /// Notes changes that are durable, which have no numbers yet, and wakes whoever waits.
    pub(crate) fn note(&self, changes: Vec<AnnotationChange>) {
        if changes.is_empty() {
            return;
        }
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let mut number = self.last();
        for change in changes {
            number += 1;
            if recent.len() == REMEMBERED {
                recent.pop_front();
            }
            recent.push_back(AnnotationChange { number, ..change });
        }
        self.last.send_replace(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(count: usize) -> Vec<AnnotationChange> {
        let change = |at: usize| AnnotationChange {
            number: 0,
            origin: 0,
            mailbox: None,
            user: None,
            entry: EntryName::from_stored(&format!("/shared/{at}")),
        };
        (0..count).map(change).collect()
    }

    #[test]
    fn whoever_missed_too_much_is_told_so() {
        let changes = AnnotationChanges::default();
        assert_eq!(changes.since(0), (Vec::new(), true));
        changes.note(some(3));
        let (two, whole) = changes.since(1);
        assert_eq!((two.len(), two[0].number, whole), (2, 2, true));
        changes.note(some(REMEMBERED));
        assert_eq!(changes.since(3).0.len(), REMEMBERED);
        assert!(changes.since(3).1 && !changes.since(2).1);
        assert_eq!(changes.since(changes.last()), (Vec::new(), true));
    }
}
