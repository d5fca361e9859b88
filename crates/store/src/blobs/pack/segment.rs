//! One segment: its file, its counters, its records.

use std::io::{self, IoSlice};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::super::compress::Codec;
use super::super::disk::DiskFile;
use super::super::record::{self, ALIGNMENT, HEADER_BYTES, Header, Place, SegmentHeader};
use crate::blob::Location;

/// Bytes a scan reads at a time.
const SCAN_BYTES: usize = 64 * 1024;

/// A segment.
pub(super) struct Segment {
    header: SegmentHeader,
    /// Open while it is used; see `Inner::file`.
    pub(super) file: Mutex<Option<Arc<dyn DiskFile>>>,
    /// Bytes from the start in which there are, or may be, records.
    written: AtomicU64,
    pub(super) sealed: AtomicBool,
    /// Message bytes in it, including those given up.
    pub(super) total: AtomicU64,
    /// Message bytes given up.
    pub(super) dead: AtomicU64,
    /// Messages being written into it. While there are any it is neither compacted nor removed.
    pub(super) writers: AtomicUsize,
    /// Whether what is wanted of it was copied elsewhere already, since it was opened.
    pub(super) moved: AtomicBool,
}

impl Segment {
    pub(super) fn new(header: SegmentHeader, file: Option<Arc<dyn DiskFile>>, end: u64) -> Self {
        Self {
            header,
            file: Mutex::new(file),
            written: AtomicU64::new(end),
            sealed: AtomicBool::new(header.sealed),
            total: AtomicU64::new(header.total),
            dead: AtomicU64::new(header.dead),
            writers: AtomicUsize::new(0),
            moved: AtomicBool::new(false),
        }
    }

    pub(super) fn number(&self) -> u32 {
        self.header.number
    }

    pub(super) fn capacity(&self) -> u64 {
        self.header.capacity
    }

    pub(super) fn lane(&self) -> usize {
        self.header.lane.into()
    }

    /// What its records were compressed with, where it paid.
    pub(super) fn codec(&self) -> Codec {
        self.header.codec
    }

    pub(super) fn place(&self, at: u64) -> Place {
        Place {
            nonce: self.header.nonce,
            at,
        }
    }

    pub(super) fn location(&self, at: u64, len: u32) -> Location {
        Location(format!("{}:{at}:{len}", self.number()).into())
    }

    pub(super) fn written(&self) -> u64 {
        self.written.load(Ordering::Acquire)
    }

    /// Reads may go up to here from now on.
    pub(super) fn publish(&self, end: u64) {
        self.written.fetch_max(end, Ordering::AcqRel);
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.load(Ordering::Acquire)
    }

    /// Whether less than half of it is wanted. Never while it is written to.
    pub(super) fn is_sparse(&self) -> bool {
        let (total, dead) = (
            self.total.load(Ordering::Relaxed),
            self.dead.load(Ordering::Relaxed),
        );
        self.is_idle() && dead > 0 && dead >= total - total / 2
    }

    /// Whether nothing in it is wanted.
    pub(super) fn is_void(&self) -> bool {
        self.is_idle() && self.dead.load(Ordering::Relaxed) >= self.total.load(Ordering::Relaxed)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.is_sealed() && self.writers.load(Ordering::Acquire) == 0
    }

    /// Writes down that nothing is added any more, or how much of it is given up. Not synced: if this is
    /// lost the next opening finds the end again, and at worst a compaction comes later.
    pub(super) fn write_header(&self, file: &dyn DiskFile) -> io::Result<()> {
        let header = SegmentHeader {
            sealed: self.is_sealed(),
            total: self.total.load(Ordering::Relaxed),
            dead: self.dead.load(Ordering::Relaxed),
            ..self.header
        };
        file.write_at(0, &mut [IoSlice::new(&header.encode())])
    }

    /// The header of the record there, if there is one.
    pub(super) fn header_at(&self, file: &dyn DiskFile, at: u64) -> io::Result<Option<Header>> {
        let inside = at
            .checked_add(ALIGNMENT)
            .is_some_and(|end| end <= self.written());
        if !inside {
            return Ok(None);
        }
        let mut bytes = [0; HEADER_BYTES];
        file.read_at(at, &mut bytes)?;
        Ok(Header::decode(&bytes, self.place(at)))
    }

    /// The bytes of a record as they are stored, which nobody has checked.
    pub(super) fn unchecked(
        &self,
        file: &dyn DiskFile,
        at: u64,
        header: &Header,
    ) -> io::Result<Option<Bytes>> {
        let start = at + ALIGNMENT;
        let end = start + u64::from(header.stored);
        if end > self.written() {
            return Ok(None);
        }
        file.slice(start..end).map(Some)
    }

    /// The bytes of a record as they are stored. `None` if the checksum is wrong.
    pub(super) fn stored(
        &self,
        file: &dyn DiskFile,
        at: u64,
        header: &Header,
    ) -> io::Result<Option<Bytes>> {
        let bytes = self.unchecked(file, at, header)?;
        Ok(bytes.filter(|bytes| header.crc == crc32c::crc32c(bytes)))
    }

    /// The records up to `end` with their offsets; damage and what was never finished is passed over.
    pub(super) fn scan(&self, file: &dyn DiskFile, end: u64) -> io::Result<Vec<(u64, Header)>> {
        let mut found = Vec::new();
        let mut window = Window::new(file, end);
        let mut at = ALIGNMENT;
        while at + ALIGNMENT <= end {
            let header = Header::decode(window.at(at)?, self.place(at));
            let header = header.filter(|header| at + header.room() <= end);
            found.extend(header.map(|header| (at, header)));
            // A void record says how long it was to be, not what is there now.
            at += match header {
                Some(header) if header.live => header.room(),
                _ => ALIGNMENT,
            };
        }
        Ok(found)
    }
}

/// Part of a file that a scan walks through.
struct Window<'a> {
    file: &'a dyn DiskFile,
    end: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl<'a> Window<'a> {
    fn new(file: &'a dyn DiskFile, end: u64) -> Self {
        Self {
            file,
            end,
            start: 0,
            bytes: Vec::new(),
        }
    }

    /// The header's worth of bytes at an offset, which only ascends.
    fn at(&mut self, at: u64) -> io::Result<&[u8; HEADER_BYTES]> {
        let held = self.start + self.bytes.len() as u64;
        if at < self.start || at + ALIGNMENT > held {
            let len = (self.end - at).min(SCAN_BYTES as u64);
            self.bytes.resize(len as usize, 0);
            self.file.read_at(at, &mut self.bytes)?;
            self.start = at;
        }
        let from = (at - self.start) as usize;
        let bytes = self.bytes[from..].first_chunk();
        bytes.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

/// A message being written into a segment.
pub(super) struct Writing(pub(super) Arc<Segment>);

impl Writing {
    pub(super) fn new(segment: Arc<Segment>) -> Self {
        segment.writers.fetch_add(1, Ordering::AcqRel);
        Self(segment)
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Marks a record as counting, or not. A mark of four bytes never spans two sectors.
pub(super) fn mark(file: &dyn DiskFile, at: u64, live: bool) -> io::Result<()> {
    let mark = if live { &record::LIVE } else { &record::VOID };
    file.write_at(at, &mut [IoSlice::new(mark)])
}
