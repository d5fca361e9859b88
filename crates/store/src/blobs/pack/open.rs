//! Opening: what is there, and where to go on.

use std::io::{self, IoSlice};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use super::super::compress::Codec;
use super::super::disk::{Disk, DiskFile};
use super::super::record::{ALIGNMENT, HEADER_BYTES, SegmentHeader};
use super::checked::Checked;
use super::lane::{Head, LANES, MOVED};
use super::segment::Segment;
use super::{Inner, Options, lock, name};
use crate::Error;

impl Inner {
    pub(super) fn open(disk: Box<dyn Disk>, options: Options) -> Result<Self, Error> {
        let inner = Self {
            disk,
            options,
            lanes: Default::default(),
            segments: RwLock::default(),
            making: Mutex::default(),
            checked: Checked::new(),
            open_files: Mutex::default(),
            emptied: Mutex::default(),
            poisoned: AtomicBool::new(false),
            lock: None,
        };
        let mut numbers: Vec<u32> = inner
            .disk
            .names()?
            .iter()
            .filter_map(|name| number(name))
            .collect();
        numbers.sort_unstable();
        for number in numbers {
            inner.find(number)?;
        }
        // Whoever made the segments that are gone on with may have died before their names were durable.
        inner.disk.sync()?;
        Ok(inner)
    }

    /// Takes in a segment that was there before.
    fn find(&self, number: u32) -> Result<(), Error> {
        let file = self.disk.open(&name(number))?;
        let size = file.size()?;
        let Some(header) = identify(&*file, number, size)? else {
            // Nothing in it was ever acknowledged: a segment and its header are durable before that.
            return Ok(self.disk.remove(&name(number))?);
        };
        if header.sealed {
            self.add(Segment::new(header, None, size));
            return Ok(());
        }
        let (total, dead, end) = measure(header, &*file, size)?;
        let found = SegmentHeader {
            total,
            dead,
            ..header
        };
        let segment = self.add(Segment::new(found, Some(file), end));
        let head = Head::new(segment, end);
        let lane = usize::from(header.lane);
        // A lane goes on with its latest segment; one before it that a crash left open is sealed.
        let goes_on = lane < LANES
            && size == header.capacity
            && (lane != MOVED || header.codec == self.options.compression.codec());
        let before = if goes_on {
            self.file(&head.segment)?.sync()?;
            lock(&self.lanes[lane]).replace(head)
        } else {
            Some(head)
        };
        before.map_or(Ok(()), |head| self.seal(head))
    }

    fn add(&self, segment: Segment) -> Arc<Segment> {
        let segment = Arc::new(segment);
        let mut segments = self
            .segments
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        segments.insert(segment.number(), segment.clone());
        segment
    }

    /// Makes a segment with room for a record at least, durable with its name before anything in it is
    /// acknowledged. Numbers ascend and are not used again: `Inner::sweep` never removes the last.
    pub(super) fn create(&self, lane: usize, room: u64) -> Result<Arc<Segment>, Error> {
        let _making = lock(&self.making);
        let last = self.all().last().map_or(0, |segment| segment.number());
        let compressed = lane == MOVED;
        let header = SegmentHeader {
            number: last + 1,
            nonce: random()?,
            capacity: self.options.segment_bytes.max(ALIGNMENT + room),
            lane: lane as u8,
            codec: if compressed {
                self.options.compression.codec()
            } else {
                Codec::Raw
            },
            sealed: false,
            total: 0,
            dead: 0,
        };
        let file = self.create_file(&header)?;
        Ok(self.add(Segment::new(header, Some(file), ALIGNMENT)))
    }

    fn create_file(&self, header: &SegmentHeader) -> Result<Arc<dyn DiskFile>, Error> {
        let name = name(header.number);
        let file = self.disk.create(&name, header.capacity)?;
        let written = file.write_at(0, &mut [IoSlice::new(&header.encode())]);
        if let Err(error) = written {
            self.disk.remove(&name)?;
            return Err(self.write_failed(error));
        }
        self.sync(&*file)?;
        self.disk
            .sync()
            .map_err(|error| self.poison(&error.into()))?;
        Ok(file)
    }
}

fn number(name: &str) -> Option<u32> {
    name.strip_suffix(".seg")?.parse().ok()
}

/// The segment's header. Where it is damaged, the records say what is needed to read them. `None` if there are
/// none.
fn identify(file: &dyn DiskFile, number: u32, size: u64) -> io::Result<Option<SegmentHeader>> {
    if size < ALIGNMENT {
        return Ok(None);
    }
    let mut bytes = [0; HEADER_BYTES];
    file.read_at(0, &mut bytes)?;
    let header = SegmentHeader::decode(&bytes).filter(|header| header.number == number);
    if header.is_some() || size < 2 * ALIGNMENT {
        return Ok(header);
    }
    file.read_at(ALIGNMENT, &mut bytes)?;
    let mut nonce = [0; 8];
    nonce.copy_from_slice(&bytes[8..16]);
    let guess = SegmentHeader {
        number,
        nonce: u64::from_le_bytes(nonce),
        capacity: size,
        lane: LANES as u8,
        codec: Codec::Raw,
        sealed: false,
        total: 0,
        dead: 0,
    };
    let (total, ..) = measure(guess, file, size)?;
    Ok((total > 0).then_some(guess))
}

/// Message bytes in an unsealed segment, how many bytes are holes, and the end of the last record. Also of one
/// that was given up: its place is not used again, since an index may still know it as one to be given up.
fn measure(header: SegmentHeader, file: &dyn DiskFile, size: u64) -> io::Result<(u64, u64, u64)> {
    let records = Segment::new(header, None, size).scan(file, size)?;
    let (mut total, mut used, mut end) = (0, 0, ALIGNMENT);
    for (at, header) in &records {
        if header.live {
            total += u64::from(header.len);
            used += header.room();
        }
        end = end.max(at + header.room());
    }
    let holes = end - ALIGNMENT - used;
    Ok((total + holes, holes, end))
}

/// A number that nobody outside can guess.
fn random() -> io::Result<u64> {
    let mut bytes = [0; 8];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}
