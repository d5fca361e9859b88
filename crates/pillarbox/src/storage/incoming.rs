//! A message on its way into the store.

use bytes::Bytes;
use pillarbox_store::{About, BlobWriter, Error, NewBlob, Store};

/// Messages up to this size wait in memory for their commit; larger ones are written as they come.
const IN_MEMORY_BYTES: u64 = 256 * 1024;
/// Scanning a message this large would hold up other connections of the same thread.
const SCAN_APART_BYTES: usize = 512 * 1024;

/// A message of which not all is here.
pub(crate) enum Incoming {
    /// It is held.
    Memory(Vec<u8>),
    /// It is written as it comes.
    Stream(Box<dyn BlobWriter>),
}

/// A message that is all here, though nothing of it is acknowledged.
pub(crate) struct Received {
    pub(crate) blob: NewBlob,
    pub(crate) digest: Bytes,
}

impl Incoming {
    /// A message of that size. It waits in memory only if it is small, and if there is `room` for it
    /// beside what waits already.
    ///
    /// # Errors
    /// As [`Store::begin_blob`].
    pub(crate) async fn begin(
        store: &dyn Store,
        about: About,
        size: u64,
        room: u64,
    ) -> Result<Self, Error> {
        if size <= IN_MEMORY_BYTES.min(room) {
            return Ok(Self::Memory(Vec::with_capacity(size as usize)));
        }
        Ok(Self::Stream(store.begin_blob(about, size).await?))
    }

    /// Bytes that it takes in memory, once it is complete.
    pub(crate) fn held_bytes(&self) -> u64 {
        match self {
            Self::Memory(buffer) => buffer.capacity() as u64,
            Self::Stream(_) => 0,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// As [`BlobWriter::write`]; it is of no more use.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match self {
            Self::Memory(buffer) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Self::Stream(writer) => writer.write(bytes).await,
        }
    }

    /// It is complete: works out what is kept of it to answer from.
    ///
    /// # Errors
    /// As [`BlobWriter::finish`].
    pub(crate) async fn finish(self) -> Result<Received, Error> {
        let (blob, bytes) = match self {
            Self::Memory(buffer) => {
                let bytes = Bytes::from(buffer);
                (NewBlob::Memory(bytes.clone()), bytes)
            }
            Self::Stream(writer) => {
                let (written, bytes) = writer.finish().await?;
                (NewBlob::Written(written), bytes)
            }
        };
        let digest = digest(&bytes);
        Ok(Received { blob, digest })
    }
}

/// What is kept of a message, encoded for the store.
fn digest(bytes: &Bytes) -> Bytes {
    let work = || Bytes::from(pillarbox_message::digest(bytes).encode());
    if bytes.len() > SCAN_APART_BYTES {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
