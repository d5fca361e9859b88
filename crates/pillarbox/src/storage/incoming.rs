//! A message on its way into the store.

use bytes::Bytes;
use pillarbox_message::{Recoded, SortKeys, recode_binary};
use pillarbox_store::{About, BlobWriter, Digested, Error, Links, NewBlob, Store};

/// Messages up to this size wait in memory for their commit; larger ones are written as they come.
const IN_MEMORY_BYTES: u64 = 256 * 1024;
/// Scanning a message this large would hold up other connections of the same thread.
const SCAN_APART_BYTES: usize = 512 * 1024;

/// A message of which not all is here.
pub(crate) struct Incoming {
    about: About,
    bytes: Held,
}

enum Held {
    /// It is held.
    Memory(Vec<u8>),
    /// It is written as it comes.
    Stream(Box<dyn BlobWriter>),
}

/// A message that is all here, though nothing of it is acknowledged.
pub(crate) struct Received {
    pub(crate) blob: NewBlob,
    pub(crate) digest: Bytes,
    pub(crate) links: Links,
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
        let bytes = if size <= IN_MEMORY_BYTES.min(room) {
            Held::Memory(Vec::with_capacity(size as usize))
        } else {
            Held::Stream(store.begin_blob(about, size).await?)
        };
        Ok(Self { about, bytes })
    }

    /// Bytes that it takes in memory, once it is complete.
    pub(crate) fn held_bytes(&self) -> u64 {
        match &self.bytes {
            Held::Memory(buffer) => buffer.capacity() as u64,
            Held::Stream(_) => 0,
        }
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// As [`BlobWriter::write`]; it is of no more use.
    pub(crate) async fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        match &mut self.bytes {
            Held::Memory(buffer) => {
                buffer.extend_from_slice(bytes);
                Ok(())
            }
            Held::Stream(writer) => writer.write(bytes).await,
        }
    }

    /// It is complete: works out what is kept of it to answer from. Parts that IMAP can't carry as
    /// they are get another encoding.
    ///
    /// # Errors
    /// As [`Store::begin_blob`] and [`BlobWriter::finish`].
    pub(crate) async fn finish(self, store: &dyn Store) -> Result<Received, Error> {
        let about = self.about;
        let (blob, bytes) = self.complete().await?;
        let (blob, bytes) = match recoded(&bytes) {
            None => (blob, bytes),
            Some(recoded) => {
                let mut again = Self::begin(store, about, recoded.len(), u64::MAX).await?;
                for chunk in recoded.chunks() {
                    again.write(&chunk).await?;
                }
                again.complete().await?
            }
        };
        let Digested { digest, links } = apart(&bytes, || digested(&bytes));
        Ok(Received {
            blob,
            digest,
            links,
        })
    }

    /// It is complete, and is kept as it is.
    ///
    /// # Errors
    /// As [`BlobWriter::finish`].
    pub(crate) async fn complete(self) -> Result<(NewBlob, Bytes), Error> {
        Ok(match self.bytes {
            Held::Memory(buffer) => {
                let bytes = Bytes::from(buffer);
                (NewBlob::Memory(bytes.clone()), bytes)
            }
            Held::Stream(writer) => {
                let (written, bytes) = writer.finish().await?;
                (NewBlob::Written(written), bytes)
            }
        })
    }
}

/// The message as it is to be kept, if not as it came (RFC 3516 §6).
fn recoded(bytes: &Bytes) -> Option<Recoded<'_>> {
    apart(bytes, || recode_binary(bytes))
}

/// What the store keeps of a message besides its bytes.
pub(crate) fn digested(message: &[u8]) -> Digested {
    let digest = pillarbox_message::digest(message);
    Digested {
        links: links(&digest.sort),
        digest: digest.encode().into(),
    }
}

fn links(keys: &SortKeys) -> Links {
    let own = Some(&keys.message_id).filter(|id| !id.is_empty());
    let ids = keys.references.split(|&byte| byte == b'\n');
    Links {
        own: own.map(|id| hash(id)),
        references: ids.filter(|id| !id.is_empty()).map(hash).collect(),
        subject: hash(keys.base_subject.as_bytes()),
    }
}

/// Wide enough that two texts of an account do not have one by accident.
fn hash(text: &[u8]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(text).as_bytes();
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

/// Does work that looks through the whole message.
fn apart<T>(bytes: &Bytes, work: impl FnOnce() -> T) -> T {
    if bytes.len() > SCAN_APART_BYTES {
        tokio::task::block_in_place(work)
    } else {
        work()
    }
}
