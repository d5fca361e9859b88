//! Files on a disk that loses power.

use super::super::power::{self, Keeper, List};
use super::super::sim::Sim;
use super::stream::Stream;
use super::*;

impl Keeper for Arc<Inner> {
    type Stream = Stream;

    fn open(disk: Sim, compression: Compression) -> Result<Self, Error> {
        Ok(Self::new(Inner::open(Box::new(disk), compression)?))
    }

    fn put(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        Inner::put(self, blobs)
    }

    fn begin(&self, _: About, size: u64) -> Result<Stream, Error> {
        Inner::begin(self, size)
    }

    fn add(stream: &mut Stream, bytes: &[u8]) -> Result<(), Error> {
        stream.add(bytes)
    }

    fn end(stream: Stream) -> Result<(Written, Bytes), Error> {
        stream.end()
    }

    fn read(&self, location: &Location) -> Result<Bytes, Error> {
        Inner::read(self, location)
    }

    fn forget(&self, locations: &[Location]) -> Result<u64, Error> {
        Inner::forget(self, locations)
    }

    fn keep(&self, locations: &[Location]) -> Result<(), Error> {
        Inner::keep(self, locations)
    }

    fn compact(&self) -> Result<Vec<(Location, Location)>, Error> {
        Ok(Vec::new())
    }

    fn list(&self) -> Result<List, Error> {
        Inner::list(self)
    }
}

#[test]
fn what_was_acknowledged_survives_and_nothing_else_is_made_up() {
    power::tell::<Arc<Inner>>();
}

#[test]
fn a_full_disk_is_not_the_end() {
    power::a_full_disk_is_not_the_end::<Arc<Inner>>();
}

/// A file's sync, its name, and the directory's sync.
#[test]
fn a_failed_sync_ends_writing() {
    for after in [2, 3, 4] {
        power::a_failed_sync_ends_writing::<Arc<Inner>>(after);
    }
}
