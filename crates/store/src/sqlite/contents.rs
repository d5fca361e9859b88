//! What is stored of messages that were asked for a short while ago.
//!
//! Clients ask for the same new messages again and again: each of a user's devices, after each
//! delivery. Their digests stay in memory, so that no query is made for them.

use std::sync::atomic::{AtomicU64, Ordering};

use pillarbox_model::BlobId;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::read::{self, Readers};
use crate::mailbox::Row;
use crate::{Content, Error};

/// Bytes that an entry takes besides what it holds, about.
const ENTRY_BYTES: usize = 128;
/// A digest of usual mail, to know how many entries there will be.
const USUAL_BYTES: usize = 2_048;

/// Digests and places of blobs, in a bounded number of bytes.
pub(super) struct Contents {
    recent: Cache<Key, Content, Weight>,
    /// How often blobs have moved. It is part of every key, so that a place which was read before a
    /// move is not found after it, whenever it came in here.
    moves: AtomicU64,
}

/// A blob, as of so many moves.
type Key = (u64, BlobId);

#[derive(Clone)]
struct Weight;

impl Weighter<Key, Content> for Weight {
    fn weight(&self, _: &Key, content: &Content) -> u64 {
        (ENTRY_BYTES + content.location.0.len() + content.digest.len()) as u64
    }
}

impl Contents {
    /// Room for so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            recent: Cache::with_weighter(bytes / USUAL_BYTES, bytes as u64, Weight),
            moves: AtomicU64::new(0),
        }
    }

    /// What is stored of these messages, in their order. One query for all that is not here.
    pub(super) fn get(
        &self,
        readers: &Readers,
        rows: &[Row],
        digests: bool,
    ) -> Result<Vec<Content>, Error> {
        // Before anything is read: what is read later is at least as new.
        let moves = self.moves.load(Ordering::Acquire);
        let mut found: Vec<_> = rows
            .iter()
            .map(|row| self.recent.get(&(moves, row.blob)))
            .collect();
        let missing: Vec<BlobId> = rows
            .iter()
            .zip(&found)
            .filter(|(_, content)| content.is_none())
            .map(|(row, _)| row.blob)
            .collect();
        if !missing.is_empty() {
            let read = readers.with(|sql| read::contents(sql, &missing, digests))?;
            for (blob, content) in missing.iter().zip(&read) {
                // One that is still to be made is looked for again.
                if !content.digest.is_empty() {
                    self.recent.insert((moves, *blob), content.clone());
                }
            }
            let mut read = read.into_iter();
            for slot in found.iter_mut().filter(|content| content.is_none()) {
                *slot = read.next();
            }
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Blobs have moved, durably.
    pub(super) fn moved(&self) {
        self.moves.fetch_add(1, Ordering::AcqRel);
    }

    /// A blob has another digest.
    pub(super) fn forget(&self, blob: BlobId) {
        let moves = self.moves.load(Ordering::Acquire);
        self.recent.remove(&(moves, blob));
    }
}
