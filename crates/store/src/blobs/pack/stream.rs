//! Messages that are written as they come, and held in memory never.

use std::io::IoSlice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;

use super::super::compress::Codec;
use super::super::disk::DiskFile;
use super::super::record::{ALIGNMENT, HEADER_BYTES, Header, room};
use super::lane::LARGE;
use super::segment::{Segment, Writing, mark};
use super::{Inner, length, lock, parse};
use crate::blob::{About, BlobWriter, Location, Reservation, Written};
use crate::{Error, Reply};

/// A message that is written as it comes.
pub(super) struct Stream {
    claim: Claim,
    file: Arc<dyn DiskFile>,
    about: About,
    len: u32,
    written: u64,
    crc: u32,
    hash: blake3::Hasher,
}

/// Room in a segment. The record in it counts when a batch says so; until then, and when this is dropped, it is
/// a void one.
struct Claim {
    inner: Arc<Inner>,
    writing: Writing,
    at: u64,
    stored: u32,
    kept: bool,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({}:{})", self.segment().number(), self.at)
    }
}

impl Claim {
    fn segment(&self) -> &Segment {
        &self.writing.0
    }
}

impl Reservation for Claim {
    fn keep(&mut self) {
        self.kept = true;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        let segment = self.segment();
        // A batch that failed may have marked it. If this fails too, the record stays, named by nothing.
        if let Ok(file) = self.inner.file(segment)
            && let Ok(Some(header)) = segment.header_at(&*file, self.at)
            && header.live
        {
            let _ = mark(&*file, self.at, false);
        }
        let end = self.at + room(self.stored.into());
        self.inner.give_back(segment, self.at..end);
    }
}

impl Inner {
    pub(super) fn begin(self: &Arc<Self>, about: About, size: u64) -> Result<Stream, Error> {
        self.check_usable()?;
        let len = length(size)?;
        let mut head = lock(&self.lanes[LARGE]);
        let (segment, at, full) = self.claim(LARGE, &mut head, room(size))?;
        // Counted as written to before the lock is gone: else it could be sealed and removed.
        let writing = Writing::new(segment);
        drop(head);
        let claim = Claim {
            inner: self.clone(),
            writing,
            at,
            stored: len,
            kept: false,
        };
        full.map_or(Ok(()), |full| self.seal(full))?;
        Ok(Stream {
            file: self.file(claim.segment())?,
            claim,
            about,
            len,
            written: 0,
            crc: 0,
            hash: blake3::Hasher::new(),
        })
    }
}

impl Stream {
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.written + bytes.len() as u64 > u64::from(self.len) {
            return Err(Error::Corrupt("more bytes than were announced".into()));
        }
        let inner = &self.claim.inner;
        let at = self.claim.at + ALIGNMENT + self.written;
        let done = self.file.write_at(at, &mut [IoSlice::new(bytes)]);
        done.map_err(|error| inner.write_failed(error))?;
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The bytes are synced here, by the task that brought them, and not by the batch with everybody else's.
    pub(super) fn end(self) -> Result<(Written, Bytes), Error> {
        if self.written != u64::from(self.len) {
            return Err(Error::Corrupt("the message is not complete".into()));
        }
        let header = Header {
            live: false,
            about: self.about,
            codec: Codec::Raw,
            len: self.len,
            stored: self.len,
            crc: self.crc,
        };
        let (inner, segment, at) = (&self.claim.inner, self.claim.segment(), self.claim.at);
        let encoded = header.encode(segment.place(at));
        let done = self.file.write_at(at, &mut [IoSlice::new(&encoded)]);
        done.map_err(|error| inner.write_failed(error))?;
        inner.sync(&*self.file)?;
        let start = at + ALIGNMENT;
        let bytes = self.file.slice(start..start + self.written)?;
        let written = Written {
            location: segment.location(at, self.len),
            size_bytes: self.written,
            hash: *self.hash.finalize().as_bytes(),
            reservation: Box::new(self.claim),
        };
        Ok((written, bytes))
    }
}

impl BlobWriter for Stream {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.add(bytes)) })
    }

    fn finish(self: Box<Self>) -> Reply<'static, (Written, Bytes)> {
        Box::pin(async move { tokio::task::block_in_place(|| self.end()) })
    }
}

impl Inner {
    /// Marks a finished message as counting. Durable with the next sync of its file.
    pub(super) fn enliven(&self, segment: &Segment, at: u64) -> Result<Arc<dyn DiskFile>, Error> {
        let file = self.file(segment)?;
        let mut bytes = [0; HEADER_BYTES];
        file.read_at(at, &mut bytes)?;
        let header = Header::decode(&bytes, segment.place(at));
        let header = header
            .ok_or_else(|| Error::Corrupt(format!("no message was finished at {at}").into()))?;
        segment.publish(at + header.room());
        mark(&*file, at, true).map_err(|error| self.write_failed(error))?;
        Ok(file)
    }

    /// Counts a message that is durable; its segment may have been sealed before it came.
    pub(super) fn arrived(&self, location: &Location, size: u64) -> Result<(), Error> {
        let (number, ..) = parse(location)?;
        let segment = self.segment(number)?;
        segment.total.fetch_add(size, Ordering::Relaxed);
        if segment.is_sealed() {
            segment.write_header(&*self.file(&segment)?)?;
        }
        Ok(())
    }
}
