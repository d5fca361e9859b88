//! Mapped segments. The only place with `unsafe` code.
//!
//! Three rules make it sound, and everything outside keeps them:
//!
//! 1. Only ranges that were written are asked for, so none reaches past the end of the file: a segment is
//!    preallocated, and when it is sealed it is cut behind its last record, never inside one.
//! 2. The bytes of a message never change once they are asked for. What does change (the marks in headers)
//!    is copied out, never borrowed.
//! 3. Unlinking a file leaves its mapping in place.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use memmap2::{MmapOptions, MmapRaw};

/// A file in memory, as long as somebody holds bytes of it.
#[derive(Clone, Debug)]
pub(super) struct Map(Arc<MmapRaw>);

struct Slice {
    map: Map,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    #[allow(unsafe_code)]
    fn as_ref(&self) -> &[u8] {
        // SAFETY: the range lies in the mapping (checked in `Map::slice`), which lives as long as `self`;
        // the file backs it and nothing writes to it (rules 1 and 2).
        unsafe {
            let start = self.map.0.as_ptr().add(self.range.start);
            std::slice::from_raw_parts(start, self.range.len())
        }
    }
}

impl Map {
    /// Maps a file whole, with the size it has now.
    pub(super) fn new(file: &File) -> io::Result<Self> {
        let map = MmapOptions::new().map_raw_read_only(file)?;
        Ok(Self(Arc::new(map)))
    }

    /// Some bytes of messages, without a copy. `None` if they are not all there.
    pub(super) fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let range = self.check(range)?;
        let map = self.clone();
        Some(Bytes::from_owner(Slice { map, range }))
    }

    /// Copies bytes that may change meanwhile; what changes is a mark of four bytes, and a torn one fails
    /// its checksum. `None` if they are not all there.
    #[allow(unsafe_code)]
    pub(super) fn copy(&self, at: u64, into: &mut [u8]) -> Option<()> {
        let range = self.check(at..at.checked_add(into.len() as u64)?)?;
        // SAFETY: the range lies in the mapping and is backed by the file (rule 1); `into` is borrowed
        // exclusively, so the two can't overlap. No reference to mapped bytes is made.
        unsafe {
            let from = self.0.as_ptr().add(range.start);
            std::ptr::copy_nonoverlapping(from, into.as_mut_ptr(), range.len());
        }
        Some(())
    }

    fn check(&self, range: Range<u64>) -> Option<Range<usize>> {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        (range.start <= range.end && range.end <= self.0.len()).then_some(range)
    }
}
