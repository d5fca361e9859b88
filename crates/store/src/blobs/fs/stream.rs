//! Messages that are written as they come.

use std::io::{self, BufWriter, IoSlice, Write};
use std::sync::Arc;

use bytes::Bytes;

use super::super::compress::{Codec, Compression, pays};
use super::super::disk::DiskFile;
use super::{Inner, new_key, passing};
use crate::blob::{BlobWriter, Location, Reservation, Written};
use crate::{Error, Reply};

/// A message that is written as it comes.
pub(super) struct Stream {
    location: Location,
    file: Arc<dyn DiskFile>,
    size: u64,
    written: u64,
    hash: blake3::Hasher,
    claim: Claim,
}

/// A file that goes unless it is kept.
struct Claim {
    inner: Arc<Inner>,
    passing: Option<String>,
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({:?})", self.passing)
    }
}

impl Reservation for Claim {
    fn keep(&mut self) {
        self.passing = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(name) = self.passing.take() {
            let _ = self.inner.disk.remove(&name);
        }
    }
}

impl Inner {
    pub(super) fn begin(self: &Arc<Self>, size: u64) -> Result<Stream, Error> {
        self.check_usable()?;
        let location = Location(new_key()?.into());
        let name = passing(&location);
        let file = self.disk.create(&name, size);
        Ok(Stream {
            file: file.map_err(|error| self.failed(error))?,
            claim: Claim {
                inner: self.clone(),
                passing: Some(name),
            },
            location,
            size,
            written: 0,
            hash: blake3::Hasher::new(),
        })
    }

    /// Replaces a finished message's file by a compressed one, if that pays. What is mapped of the old one
    /// stays.
    fn compress(&self, name: &str, message: &[u8]) -> Result<(), Error> {
        let framed = Codec::sniff(message) != Codec::Raw;
        let compression = match self.compression {
            Compression::Off if framed => Compression::Lz4,
            Compression::Off => return Ok(()),
            wanted => wanted,
        };
        let smaller = name.replace(".tmp", ".z.tmp");
        let file = self.disk.create(&smaller, 0);
        let file = file.map_err(|error| self.failed(error))?;
        let mut end = End {
            file: &*file,
            at: 0,
        };
        let mut buffered = BufWriter::new(&mut end);
        let encoded = compression
            .encode_to(message, &mut buffered)
            .and_then(|()| buffered.flush());
        drop(buffered);
        let wanted = framed || pays(message.len(), end.at as usize);
        let replaced = encoded
            .map_err(|error| self.failed(error))
            .and_then(|()| match wanted {
                true => self.sync(file.sync()),
                false => Ok(()),
            });
        if let (Ok(()), true) = (&replaced, wanted) {
            let renamed = self.disk.rename(&smaller, name);
            return renamed.map_err(|error| self.failed(error));
        }
        let _ = self.disk.remove(&smaller);
        replaced
    }
}

/// Writes where a file ends.
struct End<'a> {
    file: &'a dyn DiskFile,
    at: u64,
}

impl Write for End<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write_at(self.at, &mut [IoSlice::new(bytes)])?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stream {
    pub(super) fn add(&mut self, bytes: &[u8]) -> Result<(), Error> {
        if self.written + bytes.len() as u64 > self.size {
            return Err(Error::Corrupt("more bytes than were announced".into()));
        }
        let done = self.file.write_at(self.written, &mut [IoSlice::new(bytes)]);
        done.map_err(|error| self.claim.inner.failed(error))?;
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// The bytes are synced here, by the task that brought them. They stay readable as they came, whatever
    /// their file is compressed to.
    pub(super) fn end(self) -> Result<(Written, Bytes), Error> {
        if self.written != self.size {
            return Err(Error::Corrupt("the message is not complete".into()));
        }
        let inner = &self.claim.inner;
        inner.sync(self.file.sync())?;
        let bytes = match self.size {
            0 => Bytes::new(),
            size => self.file.slice(0..size)?,
        };
        inner.compress(&passing(&self.location), &bytes)?;
        let written = Written {
            location: self.location,
            size_bytes: self.size,
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
