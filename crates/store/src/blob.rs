//! What a keeper of message bytes promises.

use bytes::Bytes;
use pillarbox_model::{AccountId, InternalDate, MailboxId};

use crate::Reply;

/// Where a blob's bytes are: a short text which only the keeper that wrote it understands.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Location(pub std::sync::Arc<str>);

/// Whose message a blob is, kept beside the bytes so that the index can be rebuilt from them alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct About {
    /// Whose it is.
    pub account: AccountId,
    /// Where it was added.
    pub mailbox: MailboxId,
    /// INTERNALDATE.
    pub date: InternalDate,
}

/// Bytes on their way in.
#[derive(Debug)]
pub enum NewBlob {
    /// A message that is small enough to be held in memory.
    Memory(Bytes),
    /// One that a [`BlobWriter`] wrote already; not yet durable.
    Written(Written),
}

/// What a [`BlobWriter`] made.
#[derive(Debug)]
pub struct Written {
    /// Where it is.
    pub location: Location,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// The checksum that identifies equal messages of an account.
    pub hash: [u8; 32],
    /// Frees the room again when it is dropped before [`Blobs::put`] took it.
    pub reservation: Box<dyn Reservation>,
}

/// A claim on room that has been written but is named by nothing yet. Dropping it frees the room,
/// unless [`Reservation::keep`] was called.
pub trait Reservation: Send + Sync + std::fmt::Debug {
    /// The bytes are wanted.
    fn keep(&mut self);
}

impl NewBlob {
    /// The size in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Written(written) => written.size_bytes,
        }
    }
}

/// A keeper of message bytes. Bytes never change once written.
pub trait Blobs: Send + Sync {
    /// Makes all of these durable. On `Ok` each has its location, in order; on `Err` none counts,
    /// and what was written of them is room to be reaped.
    ///
    /// # Errors
    /// [`crate::Error::Full`] if there is no room; [`crate::Error::Unavailable`] after a failed
    /// sync, and from then on until the keeper is opened again.
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>>;

    /// Starts a blob whose bytes arrive in pieces.
    ///
    /// # Errors
    /// [`crate::Error::Full`]; nothing is left behind.
    fn begin(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>>;

    /// The bytes of a blob, whole. Without copying where that is possible.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if there are none or their checksum is wrong.
    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes>;

    /// As [`Blobs::read`], which may trust what it found good a short while ago; this does not.
    ///
    /// # Errors
    /// As [`Blobs::read`].
    fn read_anew<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        self.read(location)
    }

    /// Gives up blobs that nothing names any more: after this no crash brings them back. Their room
    /// is free again sooner or later; doing it twice is harmless. Blobs of the same call may share
    /// files. Returns bytes freed at once.
    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64>;

    /// Everything there is, also what nothing names: to compare with an index, or to build one.
    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>>;

    /// Makes these count, durably: copies that [`Blobs::compact`] made, or bytes that were found by
    /// [`Blobs::list`] and are to be named now.
    ///
    /// # Errors
    /// [`crate::Error::Corrupt`] if there is nothing; otherwise as [`Blobs::put`]. Some may count.
    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()>;

    /// Whether there are any blobs that say whose they are. Must be cheap.
    ///
    /// # Errors
    /// What the file system says.
    fn says_whose(&self) -> Result<bool, crate::Error>;

    /// Copies blobs together, so that files which hold mostly forgotten ones can go; at most some
    /// hundred megabytes a call. Returns old and new locations. A copy does not count, and a crash
    /// makes nothing of it, until the index [keeps](Blobs::keep) it. Then the index takes over the
    /// new location, durably, and when nobody reads there any more, the old one is forgotten.
    ///
    /// A keeper with a file a blob has nothing to move.
    fn compact(&self) -> Reply<'_, Vec<(Location, Location)>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    /// Copies (or links) all bytes into a directory.
    fn backup<'a>(&'a self, directory: &'a std::path::Path) -> Reply<'a, ()>;
}

/// A blob being written. Dropped before [`BlobWriter::finish`], it leaves nothing behind.
pub trait BlobWriter: Send + Sync {
    /// Adds bytes.
    ///
    /// # Errors
    /// [`crate::Error::Full`]; the writer is of no more use.
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()>;

    /// Ends it. All announced bytes must have been written.
    fn finish(self: Box<Self>) -> Reply<'static, (Written, Bytes)>;
}
