//! Mapped segments. The only place with `unsafe` code.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

/// A segment in memory, as long as somebody holds bytes of it.
#[derive(Clone, Debug)]
pub(super) struct Map(Arc<memmap2::Mmap>);

struct Slice {
    map: Map,
    range: Range<usize>,
}

impl AsRef<[u8]> for Slice {
    fn as_ref(&self) -> &[u8] {
        &self.map.0[self.range.clone()]
    }
}

impl Map {
    /// Maps a segment's file whole.
    ///
    /// Segments keep the size they were created with: they are preallocated, and cut only when a store is
    /// opened, before anything is mapped. Unlinking leaves mapped bytes in place.
    #[allow(unsafe_code)]
    pub(super) fn new(file: &File) -> io::Result<Self> {
        // SAFETY: the file is never truncated while it is mapped (above), so no access can fault. Bytes that
        // are handed out lie in records that are complete, and nothing writes to those again: what other
        // parts of the mapping see change is never borrowed.
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Self(Arc::new(map)))
    }

    /// All bytes: for scans, which copy what they find.
    pub(super) fn whole(&self) -> &[u8] {
        &self.0
    }

    /// Some bytes, without a copy. `None` if they are not all there.
    pub(super) fn slice(&self, range: Range<u64>) -> Option<Bytes> {
        let range = usize::try_from(range.start).ok()?..usize::try_from(range.end).ok()?;
        self.0.get(range.clone())?;
        Some(Bytes::from_owner(Slice {
            map: self.clone(),
            range,
        }))
    }
}
