//! Messages in append-only segments: one sync makes a whole batch durable.
//!
//! A segment is a file of fixed size with a header and records (`record.rs`). Three lanes append, each to a
//! segment of its own: batches of small messages, large messages that come in pieces, and what compaction moves.
//! A full segment is sealed: cut behind its last record, and only its marks change from then on.
//!
//! *Opening* reads each segment's header; those that were not sealed are scanned for their last record, and the
//! latest of each lane goes on from there. What a crash tore lies behind it, or fails its checksum.
//! *Giving up* a message marks its record, durably. Segments of which less than half is wanted are compacted:
//! copies are marked as given up too until whoever keeps the index is ready to name them.

mod checked;
mod compact;
mod lane;
mod open;
#[cfg(test)]
mod power;
mod segment;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;

use self::checked::Checked;
use self::lane::{Head, LANES, SMALL};
use self::segment::Segment;
use super::compress::{Codec, Compression};
use super::disk::{Directory, Disk, DiskFile};
use super::record::{HEADER_BYTES, Header};
use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Written};
use crate::lock::Lock;
use crate::{Error, Reply};

/// The largest message, in bytes: lengths are 32 bits, and a segment is mapped whole.
const MESSAGE_BYTES_MAX: u64 = 1 << 30;
/// Segments' files open and mapped at a time: 64 GB of mail in the default size, and far below what a
/// process may open.
const OPEN_FILES_MAX: usize = 1_024;

/// How segments are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where they are.
    pub directory: PathBuf,
    /// Bytes a segment is preallocated with. A larger message gets a larger segment.
    pub segment_bytes: u64,
    /// What compaction does to messages. Segments written before it was turned on are rewritten one by one.
    pub compression: Compression,
    /// How long a segment stays after all of it was given up, for readers who know an old place.
    pub linger: Duration,
}

impl Options {
    /// Segments of 64 MB in a directory, not compressed.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            segment_bytes: 64 * 1024 * 1024,
            compression: Compression::Off,
            linger: Duration::from_secs(60),
        }
    }
}

/// Keeps messages in segments.
pub struct Pack(Arc<Inner>);

struct Inner {
    disk: Box<dyn Disk>,
    options: Options,
    lanes: [Mutex<Option<Head>>; LANES],
    segments: RwLock<BTreeMap<u32, Arc<Segment>>>,
    /// Held while a segment is made: two lanes that are full at the same time need two numbers.
    making: Mutex<()>,
    /// What need not be checked again for now.
    checked: Checked,
    /// Files that are open; an estimate.
    open_files: Mutex<usize>,
    /// Segments to be removed, with when they were emptied.
    emptied: Mutex<HashMap<u32, std::time::Instant>>,
    /// After a failed write or sync nothing can be said of what is on disk: a sync that is tried again reports success
    /// for pages that the kernel dropped already.
    poisoned: AtomicBool,
    /// Cutting a segment that another process writes to would lose mail.
    lock: Option<Lock>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn length(size: u64) -> Result<u32, Error> {
    let len = u32::try_from(size)
        .ok()
        .filter(|_| size <= MESSAGE_BYTES_MAX);
    len.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge).into())
}

impl Pack {
    /// Opens the segments of a directory, which is made if need be.
    ///
    /// # Errors
    /// What the file system says; [`Error::Unavailable`] if another process has it open.
    pub fn open(options: Options) -> Result<Self, Error> {
        let disk = Directory::open(&options.directory)?;
        let held = Lock::take(&options.directory)?;
        let mut inner = Inner::open(Box::new(disk), options)?;
        inner.lock = Some(held);
        Ok(Self(Arc::new(inner)))
    }
}

/// A record to be written.
struct NewRecord {
    header: Header,
    stored: Bytes,
}

impl NewRecord {
    fn raw(about: About, bytes: Bytes) -> Result<Self, Error> {
        let len = length(bytes.len() as u64)?;
        Ok(Self::new(true, about, Codec::Raw, len, bytes))
    }

    fn new(live: bool, about: About, codec: Codec, len: u32, stored: Bytes) -> Self {
        let header = Header {
            live,
            about,
            codec,
            len,
            stored: stored.len() as u32,
            crc: crc32c::crc32c(&stored),
        };
        Self { header, stored }
    }
}

/// What is to be made durable together.
#[derive(Default)]
struct Batch {
    /// Records that follow each other, the segment and offset where they go.
    run: Vec<NewRecord>,
    start: Option<(Arc<Segment>, u64)>,
    /// Files that are to be synced.
    files: HashMap<u32, Arc<dyn DiskFile>>,
    /// What may be read once they are: its end, and its header.
    done: Vec<(Arc<Segment>, u64, Header)>,
    /// Segments that are full.
    full: Vec<Head>,
}

impl Batch {
    /// Adds a record to a lane, and says where it will be.
    fn add(
        &mut self,
        inner: &Inner,
        lane: usize,
        head: &mut Option<Head>,
        record: NewRecord,
    ) -> Result<Location, Error> {
        let room = record.header.room();
        let (segment, at, full) = inner.claim(lane, head, room)?;
        let location = segment.location(at, record.header.len);
        let follows =
            matches!(&self.start, Some((started, _)) if started.number() == segment.number());
        if !follows {
            self.write(inner)?;
            self.start = Some((segment.clone(), at));
        }
        self.full.extend(full);
        self.done.push((segment, at + room, record.header));
        self.run.push(record);
        Ok(location)
    }

    /// Writes what has been gathered, with one call.
    fn write(&mut self, inner: &Inner) -> Result<(), Error> {
        const PADDING: [u8; HEADER_BYTES] = [0; HEADER_BYTES];
        let Some((segment, start)) = self.start.take() else {
            return Ok(());
        };
        let mut at = start;
        let mut headers = Vec::with_capacity(self.run.len());
        for record in &self.run {
            headers.push(record.header.encode(segment.place(at)));
            at += record.header.room();
        }
        let mut parts = Vec::with_capacity(self.run.len() * 3);
        for (header, record) in headers.iter().zip(&self.run) {
            let padding = record.header.room() as usize - HEADER_BYTES - record.stored.len();
            let all = [&header[..], &record.stored, &PADDING[..padding]];
            parts.extend(all.map(IoSlice::new));
        }
        let file = inner.file(&segment)?;
        let done = file.write_at(start, &mut parts);
        done.map_err(|error| inner.write_failed(error))?;
        self.files.insert(segment.number(), file);
        drop(parts);
        self.run.clear();
        Ok(())
    }

    /// Makes all of it durable, then readable.
    fn sync(mut self, inner: &Inner) -> Result<(), Error> {
        self.write(inner)?;
        for file in self.files.values() {
            inner.sync(&**file)?;
        }
        for (segment, end, header) in self.done {
            segment.publish(end);
            let len = header.len.into();
            segment.total.fetch_add(len, Ordering::Relaxed);
            let unwanted = if header.live { 0 } else { len };
            segment.dead.fetch_add(unwanted, Ordering::Relaxed);
        }
        self.full.into_iter().try_for_each(|head| inner.seal(head))
    }
}

impl Inner {
    fn check_usable(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) {
            let text = "writing a segment failed; a restart recovers what was acknowledged";
            return Err(Error::Unavailable(text.into()));
        }
        Ok(())
    }

    /// A write without room leaves all as it was. Any other failure ends writing.
    fn write_failed(&self, error: io::Error) -> Error {
        let error = Error::from(error);
        match error {
            Error::Full(_) => error,
            _ => self.poison(&error),
        }
    }

    fn poison(&self, reason: &Error) -> Error {
        self.poisoned.store(true, Ordering::Release);
        tracing::error!(%reason, "a segment can't be written, writing stops");
        Error::Unavailable(format!("a segment can't be written: {reason}").into())
    }

    fn sync(&self, file: &dyn DiskFile) -> Result<(), Error> {
        file.sync().map_err(|error| self.poison(&error.into()))
    }

    /// The segment's file, opened if it is not. If too many are, those of sealed segments are closed first; mapped
    /// bytes in use stay.
    fn file(&self, segment: &Segment) -> Result<Arc<dyn DiskFile>, Error> {
        let mut slot = lock(&segment.file);
        if let Some(file) = &*slot {
            return Ok(file.clone());
        }
        let file = self.disk.open(&name(segment.number()))?;
        *slot = Some(file.clone());
        drop(slot);
        self.count_open();
        Ok(file)
    }

    fn count_open(&self) {
        let mut open = lock(&self.open_files);
        *open += 1;
        if *open < OPEN_FILES_MAX {
            return;
        }
        *open = 0;
        for segment in self.all() {
            let mut file = lock(&segment.file);
            if segment.is_idle() {
                *file = None;
            }
            *open += usize::from(file.is_some());
        }
    }

    fn all(&self) -> Vec<Arc<Segment>> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        segments.values().cloned().collect()
    }

    fn segment(&self, number: u32) -> Result<Arc<Segment>, Error> {
        let segments = self.segments.read().unwrap_or_else(PoisonError::into_inner);
        let segment = segments.get(&number).cloned();
        segment.ok_or_else(|| Error::Corrupt(format!("there is no segment {number}").into()))
    }

    /// One batch at a time: the lane is locked until it is durable.
    fn put(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        self.check_usable()?;
        let mut head = lock(&self.lanes[SMALL]);
        let mark = head.as_ref().map(|head| (head.segment.number(), head.end));
        let done = self.put_in(&mut head, blobs);
        // What a failed batch claimed is used again.
        if let (Err(_), Some(head), Some((number, end))) = (&done, &mut *head, mark)
            && head.segment.number() == number
        {
            head.end = end;
        }
        done
    }

    fn put_in(
        &self,
        head: &mut Option<Head>,
        blobs: Vec<(About, NewBlob)>,
    ) -> Result<Vec<Location>, Error> {
        let mut batch = Batch::default();
        let mut locations = Vec::with_capacity(blobs.len());
        let mut written: Vec<Written> = Vec::new();
        for (about, blob) in blobs {
            locations.push(match blob {
                NewBlob::Memory(bytes) => {
                    batch.add(self, SMALL, head, NewRecord::raw(about, bytes)?)?
                }
                NewBlob::Written(blob) => {
                    let location = blob.location.clone();
                    written.push(blob);
                    location
                }
            });
        }
        for blob in &written {
            let (number, at, _) = parse(&blob.location)?;
            let segment = self.segment(number)?;
            let file = self.enliven(&segment, at)?;
            batch.files.insert(number, file);
        }
        batch.sync(self)?;
        for blob in &mut written {
            blob.reservation.keep();
            self.arrived(&blob.location, blob.size_bytes)?;
        }
        Ok(locations)
    }

    fn read(&self, location: &Location) -> Result<Bytes, Error> {
        self.read_checked(location, false)
    }

    /// Also finds what was given up, as long as its segment is there: a reader may know an old place.
    /// With `anew`, its checksum is looked at whatever is known of it.
    fn read_checked(&self, location: &Location, anew: bool) -> Result<Bytes, Error> {
        let (number, at, len) = parse(location)?;
        let damaged = |what: &str| Error::Corrupt(format!("{} {what}", location.0).into());
        let segment = self.segment(number)?;
        let file = self.file(&segment)?;
        let header = segment.header_at(&*file, at)?;
        let header = header.filter(|header| u64::from(header.len) == len);
        let header = header.ok_or_else(|| damaged("has no header"))?;
        let stored = if anew {
            segment.stored(&*file, at, &header)?
        } else {
            self.stored(&segment, &*file, at, &header)?
        };
        let stored = stored.ok_or_else(|| damaged("has a wrong checksum"))?;
        if header.codec == Codec::Raw {
            return Ok(stored);
        }
        let message = header.codec.decode(&stored, len as usize);
        let message = message.filter(|message| message.len() as u64 == len);
        Ok(message
            .ok_or_else(|| damaged("can't be decompressed"))?
            .into())
    }

    /// The bytes of a record as they are stored, checked unless they were a short while ago.
    fn stored(
        &self,
        segment: &Segment,
        file: &dyn DiskFile,
        at: u64,
        header: &Header,
    ) -> io::Result<Option<Bytes>> {
        let (number, crc) = (segment.number(), header.crc);
        if self.checked.has(number, at, crc) {
            return segment.unchecked(file, at, header);
        }
        let stored = segment.stored(file, at, header)?;
        if stored.is_some() {
            self.checked.insert(number, at, crc);
        }
        Ok(stored)
    }

    fn list(&self) -> Result<Vec<(Location, Option<About>, u64)>, Error> {
        let mut all = Vec::new();
        for segment in self.all() {
            let file = self.file(&segment)?;
            for (at, header) in segment.scan(&*file, segment.written())? {
                if header.live {
                    let location = segment.location(at, header.len);
                    all.push((location, Some(header.about), header.len.into()));
                }
            }
        }
        Ok(all)
    }

    fn backup(&self, directory: &Path) -> Result<(), Error> {
        let target = directory.join(self.options.directory.file_name().unwrap_or_default());
        std::fs::create_dir_all(&target)?;
        for segment in self.all() {
            let bytes = self.file(&segment)?.slice(0..segment.written())?;
            let path = target.join(name(segment.number()));
            std::fs::write(&path, &bytes)?;
            std::fs::File::open(&path)?.sync_all()?;
        }
        std::fs::File::open(&target)?.sync_all()?;
        Ok(())
    }
}

fn name(number: u32) -> String {
    format!("{number:08}.seg")
}

fn parse(location: &Location) -> Result<(u32, u64, u64), Error> {
    let mut parts = location.0.split(':');
    let mut next = || parts.next()?.parse::<u64>().ok();
    let read = (|| Some((u32::try_from(next()?).ok()?, next()?, next()?)))();
    read.ok_or_else(|| Error::Corrupt(format!("{} is no place in a segment", location.0).into()))
}

impl Blobs for Pack {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.put(blobs)) })
    }

    fn begin(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let stream = tokio::task::block_in_place(|| self.0.begin(about, size_bytes))?;
            let stream: Box<dyn BlobWriter> = Box::new(stream);
            Ok(stream)
        })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move { self.0.read(location) })
    }

    fn read_anew<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move { self.0.read_checked(location, true) })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.forget(locations)) })
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.list()) })
    }

    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.keep(locations)) })
    }

    fn says_whose(&self) -> Result<bool, Error> {
        let wrote = |segment: &Arc<Segment>| segment.total.load(Ordering::Relaxed) > 0;
        Ok(self.0.all().iter().any(wrote))
    }

    fn compact(&self) -> Reply<'_, Vec<(Location, Location)>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.compact()) })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.backup(directory)) })
    }
}
