//! Giving room back: marks, compaction, and removal of segments in which nothing is wanted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::super::compress::{Codec, Compression};
use super::super::record::Header;
use super::lane::{Head, MOVED};
use super::segment::{Segment, mark};
use super::{Batch, Inner, NewRecord, lock, name, parse};
use crate::Error;
use crate::blob::Location;

/// Message bytes that one compaction moves: bounds the time of one, and the list of what it moved.
const COMPACT_BYTES: u64 = 256 * 1024 * 1024;
/// Bytes gathered for one write of a compaction.
const WRITE_BYTES: u64 = 4 * 1024 * 1024;

impl Inner {
    /// Marks records as given up, durably, and removes segments that were emptied a while ago.
    pub(super) fn forget(&self, locations: &[Location]) -> Result<u64, Error> {
        self.check_usable()?;
        let mut touched: BTreeMap<u32, Arc<Segment>> = BTreeMap::new();
        for location in locations {
            let (number, at, len) = parse(location)?;
            // Its segment may be gone: giving up twice is harmless.
            let Ok(segment) = self.segment(number) else {
                continue;
            };
            let file = self.file(&segment)?;
            if let Some(header) = segment.header_at(&*file, at)?
                && header.live
                && u64::from(header.len) == len
            {
                mark(&*file, at, false).map_err(|error| self.write_failed(error))?;
                segment.dead.fetch_add(header.len.into(), Ordering::Relaxed);
            }
            // Also where the mark was there: it may not be durable yet.
            touched.insert(number, segment);
        }
        self.settle(&touched)?;
        self.sweep()
    }

    /// Marks records as counting, durably.
    pub(super) fn keep(&self, locations: &[Location]) -> Result<(), Error> {
        self.check_usable()?;
        let mut touched = BTreeMap::new();
        for location in locations {
            let (number, at, len) = parse(location)?;
            let segment = self.segment(number)?;
            let file = self.file(&segment)?;
            let header = segment.header_at(&*file, at)?;
            let header = header.filter(|header| u64::from(header.len) == len);
            let nothing = || Error::Corrupt(format!("{} has no header", location.0).into());
            if !header.ok_or_else(nothing)?.live {
                mark(&*file, at, true).map_err(|error| self.write_failed(error))?;
                let less = |dead: u64| Some(dead.saturating_sub(len));
                let _ = segment
                    .dead
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
            }
            touched.insert(number, segment);
        }
        self.settle(&touched)
    }

    /// Makes marks durable, and writes down what they changed.
    fn settle(&self, touched: &BTreeMap<u32, Arc<Segment>>) -> Result<(), Error> {
        for segment in touched.values() {
            let file = self.file(segment)?;
            if segment.is_sealed() {
                segment.write_header(&*file)?;
            }
            self.sync(&*file)?;
        }
        Ok(())
    }

    /// Removes segments in which nothing is wanted, once they were so for a while. The last one stays, so
    /// that its number is not used again: an old place must never lead to another message.
    fn sweep(&self) -> Result<u64, Error> {
        let mut emptied = lock(&self.emptied);
        let mut freed = 0;
        let mut all = self.all();
        all.pop();
        for segment in all.iter().filter(|segment| segment.is_void()) {
            let since = *emptied.entry(segment.number()).or_insert_with(Instant::now);
            if since.elapsed() >= self.options.linger {
                emptied.remove(&segment.number());
                freed += self.remove(segment)?;
            }
        }
        Ok(freed)
    }

    /// The counters are a hint, which a crash may have left behind; the marks decide.
    fn remove(&self, segment: &Segment) -> Result<u64, Error> {
        let file = self.file(segment)?;
        let live = self.live(segment)?;
        if !live.is_empty() {
            let wanted: u64 = live.iter().map(|(_, header)| u64::from(header.len)).sum();
            let total = segment.dead.load(Ordering::Relaxed) + wanted;
            segment.total.store(total, Ordering::Relaxed);
            return Ok(0);
        }
        let size = file.size()?;
        self.disk.remove(&name(segment.number()))?;
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        segments.remove(&segment.number());
        Ok(size)
    }

    fn live(&self, segment: &Segment) -> Result<Vec<(u64, Header)>, Error> {
        let mut records = segment.scan(&*self.file(segment)?, segment.written())?;
        records.retain(|(_, header)| header.live);
        Ok(records)
    }

    /// Copies what is wanted out of segments that are mostly not, or not compressed yet.
    pub(super) fn compact(&self) -> Result<Vec<(Location, Location)>, Error> {
        self.check_usable()?;
        let mut head = lock(&self.lanes[MOVED]);
        let mut moved = Vec::new();
        let mut bytes = 0;
        for segment in self.all() {
            if bytes < COMPACT_BYTES && self.is_worth_moving(&segment) {
                bytes += self.move_out(&segment, &mut head, &mut moved)?;
            }
        }
        Ok(moved)
    }

    fn is_worth_moving(&self, segment: &Segment) -> bool {
        let compressible = self.options.compression != Compression::Off
            && segment.codec() == Codec::Raw
            && segment.is_idle();
        let moved = segment.moved.load(Ordering::Relaxed);
        (segment.is_sparse() || compressible) && !segment.is_void() && !moved
    }

    /// Copies a segment's records, and returns their bytes. Damaged ones stay where they are: what is left of them
    /// may be wanted by whoever repairs.
    fn move_out(
        &self,
        segment: &Segment,
        head: &mut Option<Head>,
        moved: &mut Vec<(Location, Location)>,
    ) -> Result<u64, Error> {
        let mut batch = Batch::default();
        let mut pairs = Vec::new();
        let (mut bytes, mut gathered) = (0, 0);
        for (at, header) in self.live(segment)? {
            let old = segment.location(at, header.len);
            let Some(record) = self.record_to_move(segment, at, &header)? else {
                tracing::error!(location = %old.0, "a message is damaged");
                continue;
            };
            gathered += record.header.room();
            bytes += u64::from(header.len);
            pairs.push((old, batch.add(self, MOVED, head, record)?));
            if gathered >= WRITE_BYTES {
                batch.write(self)?;
                gathered = 0;
            }
        }
        batch.sync(self)?;
        segment.moved.store(true, Ordering::Relaxed);
        moved.append(&mut pairs);
        Ok(bytes)
    }

    fn record_to_move(
        &self,
        segment: &Segment,
        at: u64,
        header: &Header,
    ) -> Result<Option<NewRecord>, Error> {
        let Some(stored) = segment.stored(&*self.file(segment)?, at, header)? else {
            return Ok(None);
        };
        let compression = self.options.compression;
        let encoded = match header.codec {
            Codec::Raw => compression.encode(&stored),
            Codec::Lz4 | Codec::Zstd => None,
        };
        let (codec, stored) = match encoded {
            Some(encoded) => (compression.codec(), encoded.into()),
            None => (header.codec, stored),
        };
        Ok(Some(NewRecord::new(
            false,
            header.about,
            codec,
            header.len,
            stored,
        )))
    }
}
