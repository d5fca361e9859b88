//! A keeper of blobs in memory, which fails when it is told to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
use crate::{Error, Reply};

/// How the next puts fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// As a full disk does: nothing is written.
    Full,
    /// As a disk whose sync fails: from then on nothing can be written.
    Sync,
}

/// Keeps blobs in memory. It outlives the engine that uses it, as a directory does.
#[derive(Default, Debug)]
pub struct Memory {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default, Debug)]
struct Inner {
    next: u64,
    kept: BTreeMap<u64, (About, Bytes)>,
    fault: Option<Fault>,
}

impl Memory {
    /// Makes the next puts fail, or succeed again.
    pub fn fail(&self, fault: Option<Fault>) {
        self.inner().fault = fault;
    }

    /// How many blobs there are.
    pub fn count(&self) -> usize {
        self.inner().kept.len()
    }

    /// Loses the bytes at a place, as a damaged disk does.
    pub fn lose(&self, location: &Location) {
        let key = key(location);
        self.inner().kept.remove(&key);
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put_all(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        let mut inner = self.inner();
        match inner.fault {
            Some(Fault::Full) => {
                return Err(std::io::Error::from(std::io::ErrorKind::StorageFull).into());
            }
            Some(Fault::Sync) => return Err(Error::Unavailable("the sync failed".into())),
            None => {}
        }
        let mut locations = Vec::new();
        for (about, blob) in blobs {
            match blob {
                NewBlob::Memory(bytes) => locations.push(inner.keep(about, bytes)),
                NewBlob::Written(mut written) => {
                    written.reservation.keep();
                    locations.push(written.location);
                }
            }
        }
        Ok(locations)
    }
}

impl Inner {
    fn keep(&mut self, about: About, bytes: Bytes) -> Location {
        self.next += 1;
        self.kept.insert(self.next, (about, bytes));
        Location(self.next.to_string().into())
    }
}

/// A blob that comes in pieces.
struct Writer {
    inner: Arc<Mutex<Inner>>,
    about: About,
    bytes: Vec<u8>,
}

/// Takes the blob away again unless it is wanted.
#[derive(Debug)]
struct Claim {
    inner: Arc<Mutex<Inner>>,
    location: Option<Location>,
}

impl Reservation for Claim {
    fn keep(&mut self) {
        self.location = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(location) = &self.location {
            let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            inner.kept.remove(&key(location));
        }
    }
}

impl BlobWriter for Writer {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()> {
        self.bytes.extend_from_slice(bytes);
        Box::pin(async { Ok(()) })
    }

    fn finish(self: Box<Self>) -> Reply<'static, (Written, Bytes)> {
        let bytes = Bytes::from(self.bytes);
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let location = inner.keep(self.about, bytes.clone());
        drop(inner);
        let written = Written {
            location: location.clone(),
            size_bytes: bytes.len() as u64,
            hash: *blake3::hash(&bytes).as_bytes(),
            reservation: Box::new(Claim {
                inner: self.inner,
                location: Some(location),
            }),
        };
        Box::pin(async move { Ok((written, bytes)) })
    }
}

/// 0 is never used.
fn key(location: &Location) -> u64 {
    location.0.parse().unwrap_or(0)
}

impl Blobs for Memory {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { self.put_all(blobs) })
    }

    fn begin(&self, about: About, _: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        let writer: Box<dyn BlobWriter> = Box::new(Writer {
            inner: self.inner.clone(),
            about,
            bytes: Vec::new(),
        });
        Box::pin(async move { Ok(writer) })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        let found = self
            .inner()
            .kept
            .get(&key(location))
            .map(|(_, bytes)| bytes.clone());
        let missing = || Error::Corrupt(format!("no blob {}", location.0).into());
        Box::pin(async move { found.ok_or_else(missing) })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        let mut inner = self.inner();
        let gone = locations
            .iter()
            .filter_map(|location| inner.kept.remove(&key(location)));
        let freed = gone.map(|(_, bytes)| bytes.len() as u64).sum();
        Box::pin(async move { Ok(freed) })
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
        Ok(!self.inner().kept.is_empty())
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        let inner = self.inner();
        let all = inner.kept.iter().map(|(number, (about, bytes))| {
            (
                Location(number.to_string().into()),
                Some(*about),
                bytes.len() as u64,
            )
        });
        let all = all.collect();
        Box::pin(async move { Ok(all) })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        let inner = self.inner();
        let written = inner.kept.iter().try_for_each(|(number, (_, bytes))| {
            std::fs::write(directory.join(number.to_string()), bytes)
        });
        Box::pin(async move { Ok(written?) })
    }
}
