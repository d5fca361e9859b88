//! Messages in memory: for tests of those who need a keeper.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
use crate::{Error, Reply};

/// Keeps messages in memory.
#[derive(Default)]
pub struct Memory(Arc<Mutex<Kept>>);

#[derive(Default, Debug)]
struct Kept {
    last: u64,
    messages: BTreeMap<u64, (About, Bytes)>,
    /// Finished, and not put yet.
    pending: BTreeMap<u64, Bytes>,
}

impl Kept {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

fn place(number: u64) -> Location {
    Location(number.to_string().into())
}

fn number(location: &Location) -> Result<u64, Error> {
    let number = location.0.parse();
    number.map_err(|_| Error::Corrupt(format!("{} is no place in memory", location.0).into()))
}

impl Memory {
    fn put_all(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        let mut locations = Vec::with_capacity(blobs.len());
        for (about, blob) in blobs {
            let (at, bytes) = match blob {
                NewBlob::Memory(bytes) => (lock(&self.0).next(), bytes),
                NewBlob::Written(mut written) => {
                    let at = number(&written.location)?;
                    let bytes = lock(&self.0).pending.remove(&at);
                    written.reservation.keep();
                    let missing = || Error::Corrupt("nothing was finished there".into());
                    (at, bytes.ok_or_else(missing)?)
                }
            };
            lock(&self.0).messages.insert(at, (about, bytes));
            locations.push(place(at));
        }
        Ok(locations)
    }
}

impl Blobs for Memory {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { self.put_all(blobs) })
    }

    fn begin(&self, _about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let writer: Box<dyn BlobWriter> = Box::new(Writer {
                kept: self.0.clone(),
                size: size_bytes,
                bytes: Vec::new(),
            });
            Ok(writer)
        })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move {
            let found = lock(&self.0).messages.get(&number(location)?).cloned();
            let (_, bytes) = found.ok_or_else(|| Error::Corrupt("no message there".into()))?;
            Ok(bytes)
        })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move {
            let mut freed = 0;
            for location in locations {
                let gone = lock(&self.0).messages.remove(&number(location)?);
                freed += gone.map_or(0, |(_, bytes)| bytes.len() as u64);
            }
            Ok(freed)
        })
    }

    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()> {
        Box::pin(async move {
            for location in locations {
                self.read(location).await?;
            }
            Ok(())
        })
    }

    fn says_whose(&self) -> Result<bool, Error> {
        Ok(!lock(&self.0).messages.is_empty())
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        Box::pin(async move {
            let kept = lock(&self.0);
            let each = kept.messages.iter();
            Ok(each
                .map(|(&at, (about, bytes))| (place(at), Some(*about), bytes.len() as u64))
                .collect())
        })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        Box::pin(async move {
            for (at, (_, bytes)) in &lock(&self.0).messages {
                std::fs::write(directory.join(at.to_string()), bytes)?;
            }
            Ok(())
        })
    }
}

struct Writer {
    kept: Arc<Mutex<Kept>>,
    size: u64,
    bytes: Vec<u8>,
}

impl BlobWriter for Writer {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()> {
        Box::pin(async move {
            if (self.bytes.len() + bytes.len()) as u64 > self.size {
                return Err(Error::Corrupt("more bytes than were announced".into()));
            }
            self.bytes.extend_from_slice(bytes);
            Ok(())
        })
    }

    fn finish(self: Box<Self>) -> Reply<'static, (Written, Bytes)> {
        Box::pin(async move {
            if self.bytes.len() as u64 != self.size {
                return Err(Error::Corrupt("the message is not complete".into()));
            }
            let bytes = Bytes::from(self.bytes);
            let mut kept = lock(&self.kept);
            let at = kept.next();
            kept.pending.insert(at, bytes.clone());
            drop(kept);
            let written = Written {
                location: place(at),
                size_bytes: self.size,
                hash: *blake3::hash(&bytes).as_bytes(),
                reservation: Box::new(Claim(self.kept, at)),
            };
            Ok((written, bytes))
        })
    }
}

/// A finished message; nothing is left of it unless it was put.
#[derive(Debug)]
struct Claim(Arc<Mutex<Kept>>, u64);

impl Reservation for Claim {
    fn keep(&mut self) {}
}

impl Drop for Claim {
    fn drop(&mut self) {
        lock(&self.0).pending.remove(&self.1);
    }
}
