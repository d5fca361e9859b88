//! Messages in append-only segments: one sync makes a whole batch durable.

use std::collections::{BTreeSet, HashMap};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::map::Map;
use super::record::{self, HEADER_BYTES, Header};
use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
use crate::lock::Lock;
use crate::{Error, Reply};

/// How segments are made.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where they are.
    pub directory: PathBuf,
    /// Bytes a segment is preallocated with. A message that does not fit gets a segment of its own.
    pub segment_bytes: u64,
}

impl Options {
    /// Segments of 64 MB in a directory.
    #[must_use]
    pub fn new(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
            segment_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Keeps messages in segments.
pub struct Pack(Arc<Inner>);

struct Inner {
    options: Options,
    current: Mutex<Option<Segment>>,
    next_number: Mutex<u32>,
    maps: Mutex<HashMap<u32, Map>>,
    /// After a failed sync what was written may or may not be on disk.
    poisoned: AtomicBool,
    /// Cutting a segment that another process writes to would lose mail.
    _lock: Lock,
}

/// A segment that is written to.
struct Segment {
    number: u32,
    file: Arc<File>,
    /// Where the next record goes.
    end: u64,
    size: u64,
}

/// Room for a record.
struct Place {
    segment: u32,
    file: Arc<File>,
    at: u64,
}

impl Place {
    fn location(&self, len: u64) -> Location {
        Location(format!("{}:{}:{len}", self.segment, self.at).into())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pack {
    /// Opens the segments of a directory, which is made if need be.
    ///
    /// Segments of earlier runs are cut behind their last record and never written to again.
    ///
    /// # Errors
    /// What the file system says; [`Error::Unavailable`] if another process has it open.
    pub fn open(options: Options) -> Result<Self, Error> {
        std::fs::create_dir_all(&options.directory)?;
        let held = Lock::take(&options.directory)?;
        let inner = Inner {
            current: Mutex::new(None),
            next_number: Mutex::new(1),
            maps: Mutex::default(),
            poisoned: AtomicBool::new(false),
            options,
            _lock: held,
        };
        let numbers = inner.numbers()?;
        if let Some(&last) = numbers.last() {
            inner.seal(last)?;
            *lock(&inner.next_number) = last + 1;
        }
        Ok(Self(Arc::new(inner)))
    }
}

impl Inner {
    fn path(&self, number: u32) -> PathBuf {
        self.options.directory.join(format!("{number:08}.seg"))
    }

    /// The numbers of all segments, ascending.
    fn numbers(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.options.directory)? {
            let name = entry?.file_name();
            let number: Option<u32> = name
                .to_str()
                .and_then(|name| name.strip_suffix(".seg")?.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// Gives back the room behind the last record of a segment that nobody writes to.
    fn seal(&self, number: u32) -> Result<(), Error> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(number))?;
        let size = file.metadata()?.len();
        if size == 0 {
            return Ok(());
        }
        let map = Map::new(&file)?;
        let last = record::scan(map.whole()).last();
        let end = last.map_or(0, |(at, header)| at + record::room(header.len));
        drop(map);
        if end < size {
            file.set_len(end)?;
            file.sync_all()?;
        }
        Ok(())
    }

    /// Claims room for a record of `len` message bytes.
    fn reserve(&self, len: u64) -> Result<Place, Error> {
        let needed = record::room(len);
        let mut current = lock(&self.current);
        let fits = current
            .as_ref()
            .is_some_and(|segment| segment.end + needed <= segment.size);
        if !fits && needed > self.options.segment_bytes {
            // A segment of its own; the current one goes on.
            let alone = self.create(needed)?;
            return Ok(Place {
                segment: alone.number,
                file: alone.file,
                at: 0,
            });
        }
        if !fits {
            *current = Some(self.create(self.options.segment_bytes)?);
        }
        let segment = current
            .as_mut()
            .ok_or_else(|| Error::Unavailable("no segment".into()))?;
        let place = Place {
            segment: segment.number,
            file: segment.file.clone(),
            at: segment.end,
        };
        segment.end += needed;
        Ok(place)
    }

    /// Makes a segment, durable with its name before anything in it is acknowledged.
    fn create(&self, size: u64) -> Result<Segment, Error> {
        let mut next = lock(&self.next_number);
        let (number, path) = (*next, self.path(*next));
        let made = self.allocate(&path, size);
        let file = match made {
            Ok(file) => file,
            Err(error) => {
                let _ = std::fs::remove_file(&path);
                return Err(error.into());
            }
        };
        *next += 1;
        Ok(Segment {
            number,
            file: Arc::new(file),
            end: 0,
            size,
        })
    }

    fn allocate(&self, path: &Path, size: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let bytes = i64::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, bytes)?;
        file.sync_all()?;
        File::open(&self.options.directory)?.sync_all()?;
        Ok(file)
    }

    fn check_usable(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) {
            return Err(Error::Unavailable(
                "writing a segment failed; restart to recover".into(),
            ));
        }
        Ok(())
    }

    /// After a failed write or sync nothing can be said of what is on disk: a retried sync would report success
    /// for pages the kernel already dropped.
    fn sync(&self, file: &File) -> Result<(), Error> {
        file.sync_data().inspect_err(|error| {
            self.poisoned.store(true, Ordering::Release);
            tracing::error!(reason = %error, "segment can't be synced, writing stops");
        })?;
        Ok(())
    }

    fn put(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        self.check_usable()?;
        let mut locations = Vec::with_capacity(blobs.len());
        let mut run = Run::default();
        let mut files: HashMap<u32, Arc<File>> = HashMap::new();
        for (about, blob) in blobs {
            match blob {
                NewBlob::Memory(bytes) => {
                    let place = self.reserve(bytes.len() as u64)?;
                    locations.push(place.location(bytes.len() as u64));
                    files.insert(place.segment, place.file.clone());
                    run.add(place, &header(about, &bytes), &bytes)?;
                }
                NewBlob::Written(mut written) => {
                    let (number, ..) = parse(&written.location)?;
                    let file = File::open(self.path(number))?;
                    files.entry(number).or_insert_with(|| Arc::new(file));
                    written.reservation.keep();
                    locations.push(written.location);
                }
            }
        }
        run.write()?;
        for file in files.values() {
            self.sync(file)?;
        }
        Ok(locations)
    }

    fn map(&self, number: u32) -> Result<Map, Error> {
        if let Some(map) = lock(&self.maps).get(&number) {
            return Ok(map.clone());
        }
        let map = Map::new(&File::open(self.path(number))?)?;
        lock(&self.maps).insert(number, map.clone());
        Ok(map)
    }

    fn read(&self, location: &Location) -> Result<Bytes, Error> {
        let (number, at, len) = parse(location)?;
        let damaged = |what: &str| Error::Corrupt(format!("{} {what}", location.0).into());
        let map = self
            .map(number)
            .map_err(|error| damaged(&error.to_string()))?;
        let start = at + HEADER_BYTES as u64;
        let header = map
            .slice(at..start)
            .and_then(|bytes| Header::decode(&bytes));
        let header = header.ok_or_else(|| damaged("has no header"))?;
        let bytes = map
            .slice(start..start + len)
            .ok_or_else(|| damaged("is cut off"))?;
        if header.len != len || header.crc != crc32c::crc32c(&bytes) {
            return Err(damaged("has a wrong checksum"));
        }
        Ok(bytes)
    }

    /// Marks records as given up, and removes sealed segments in which none is left.
    fn forget(&self, locations: &[Location]) -> Result<u64, Error> {
        let mut touched = BTreeSet::new();
        for location in locations {
            let (number, at, _) = parse(location)?;
            if self.void(number, at).is_ok() {
                touched.insert(number);
            }
        }
        let current = lock(&self.current).as_ref().map(|segment| segment.number);
        let mut freed = 0;
        for number in touched
            .into_iter()
            .filter(|number| Some(*number) != current)
        {
            let map = self.map(number)?;
            if !record::scan(map.whole()).any(|(_, header)| header.live) {
                freed += map.whole().len() as u64;
                std::fs::remove_file(self.path(number))?;
                lock(&self.maps).remove(&number);
            }
        }
        Ok(freed)
    }

    fn void(&self, number: u32, at: u64) -> io::Result<()> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(number))?;
        let mut bytes = [0; HEADER_BYTES];
        file.read_exact_at(&mut bytes, at)?;
        if let Some(header) = Header::decode(&bytes) {
            file.write_all_at(
                &Header {
                    live: false,
                    ..header
                }
                .encode(),
                at,
            )?;
        }
        Ok(())
    }

    fn list(&self) -> Result<Vec<(Location, Option<About>, u64)>, Error> {
        let mut all = Vec::new();
        for number in self.numbers()? {
            if std::fs::metadata(self.path(number))?.len() == 0 {
                continue;
            }
            let map = self.map(number)?;
            for (at, header) in record::scan(map.whole()).filter(|(_, header)| header.live) {
                let location = Location(format!("{number}:{at}:{}", header.len).into());
                all.push((location, Some(header.about), header.len));
            }
        }
        Ok(all)
    }

    fn backup(&self, directory: &Path) -> Result<(), Error> {
        let name = self.options.directory.file_name().unwrap_or_default();
        let target = directory.join(name);
        std::fs::create_dir_all(&target)?;
        for number in self.numbers()? {
            let path = self.path(number);
            std::fs::copy(&path, target.join(path.file_name().unwrap_or_default()))?;
        }
        Ok(())
    }
}

/// Records that follow each other in one segment go out with one write.
#[derive(Default)]
struct Run {
    bytes: Vec<u8>,
    start: Option<Place>,
}

impl Run {
    fn add(&mut self, place: Place, header: &Header, bytes: &[u8]) -> Result<(), Error> {
        let follows = self.start.as_ref().is_some_and(|start| {
            start.segment == place.segment && start.at + self.bytes.len() as u64 == place.at
        });
        if !follows {
            self.write()?;
            self.start = Some(place);
        }
        self.bytes.extend_from_slice(&header.encode());
        self.bytes.extend_from_slice(bytes);
        let padded = self
            .bytes
            .len()
            .next_multiple_of(record::ALIGNMENT as usize);
        self.bytes.resize(padded, 0);
        Ok(())
    }

    fn write(&mut self) -> Result<(), Error> {
        if let Some(start) = self.start.take() {
            start.file.write_all_at(&self.bytes, start.at)?;
            self.bytes.clear();
        }
        Ok(())
    }
}

fn header(about: About, bytes: &[u8]) -> Header {
    Header {
        len: bytes.len() as u64,
        crc: crc32c::crc32c(bytes),
        live: true,
        about,
    }
}

fn parse(location: &Location) -> Result<(u32, u64, u64), Error> {
    let mut parts = location.0.split(':');
    let mut next = || parts.next()?.parse::<u64>().ok();
    let read = (|| Some((u32::try_from(next()?).ok()?, next()?, next()?)))();
    read.ok_or_else(|| Error::Corrupt(format!("{} is no place in a segment", location.0).into()))
}

/// A message that is written as it comes.
struct Writer {
    inner: Arc<Inner>,
    place: Option<Place>,
    about: About,
    size: u64,
    written: u64,
    crc: u32,
    hash: blake3::Hasher,
}

/// The record counts once its header says so; until then, and when the writer is dropped, it is a void
/// one of known length.
#[derive(Debug)]
struct Claim {
    void: Option<(Arc<File>, u64, Header)>,
}

impl Reservation for Claim {
    fn keep(&mut self) {
        self.void = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((file, at, header)) = self.void.take() {
            // If this fails the record stays, named by nothing: a check finds it.
            let _ = file.write_all_at(
                &Header {
                    live: false,
                    ..header
                }
                .encode(),
                at,
            );
        }
    }
}

impl BlobWriter for Writer {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()> {
        Box::pin(async move {
            let Some(place) = &self.place else {
                return Err(Error::Unavailable("the writer is closed".into()));
            };
            if self.written + bytes.len() as u64 > self.size {
                return Err(Error::Corrupt("more bytes than were announced".into()));
            }
            let at = place.at + HEADER_BYTES as u64 + self.written;
            tokio::task::block_in_place(|| place.file.write_all_at(bytes, at))?;
            self.crc = crc32c::crc32c_append(self.crc, bytes);
            self.hash.update(bytes);
            self.written += bytes.len() as u64;
            Ok(())
        })
    }

    fn finish(mut self: Box<Self>) -> Reply<'static, (Written, Bytes)> {
        Box::pin(async move {
            let place = self.place.take();
            let place = place.filter(|_| self.written == self.size);
            let place =
                place.ok_or_else(|| Error::Corrupt("the message is not complete".into()))?;
            let header = Header {
                len: self.size,
                crc: self.crc,
                live: true,
                about: self.about,
            };
            place.file.write_all_at(&header.encode(), place.at)?;
            let location = place.location(self.size);
            let claim = Claim {
                void: Some((place.file, place.at, header)),
            };
            let bytes = self.inner.read(&location)?;
            let written = Written {
                location,
                size_bytes: self.size,
                hash: *self.hash.finalize().as_bytes(),
                reservation: Box::new(claim),
            };
            Ok((written, bytes))
        })
    }
}

impl Blobs for Pack {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.put(blobs)) })
    }

    fn begin(&self, about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            self.0.check_usable()?;
            let place = tokio::task::block_in_place(|| self.0.reserve(size_bytes))?;
            let void = Header {
                len: size_bytes,
                crc: 0,
                live: false,
                about,
            };
            place.file.write_all_at(&void.encode(), place.at)?;
            let writer: Box<dyn BlobWriter> = Box::new(Writer {
                inner: self.0.clone(),
                place: Some(place),
                about,
                size: size_bytes,
                written: 0,
                crc: 0,
                hash: blake3::Hasher::new(),
            });
            Ok(writer)
        })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move { self.0.read(location) })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.forget(locations)) })
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.list()) })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.0.backup(directory)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn small(directory: &Path) -> Pack {
        Pack::open(Options {
            segment_bytes: 4_096,
            ..Options::new(directory)
        })
        .unwrap()
    }

    fn about() -> About {
        About {
            account: Default::default(),
            mailbox: Default::default(),
            date: Default::default(),
        }
    }

    fn message(n: usize) -> Bytes {
        format!("{n}").repeat(100 + n * 37 % 500).into()
    }

    async fn put(pack: &Pack, messages: impl Iterator<Item = usize>) -> Vec<Location> {
        let blobs = messages
            .map(|n| (about(), NewBlob::Memory(message(n))))
            .collect();
        pack.put(blobs).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn batches_span_segments_and_read_back_after_reopening() {
        let directory = tempfile::tempdir().unwrap();
        let mut all = Vec::new();
        for run in 0..3 {
            let pack = small(directory.path());
            for (n, location) in all.iter().enumerate() {
                assert_eq!(pack.read(location).await.unwrap(), message(n));
            }
            all.extend(put(&pack, run * 20..run * 20 + 20).await);
            assert_eq!(pack.list().await.unwrap().len(), all.len());
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_large_message_streams_in_beside_small_ones() {
        let directory = tempfile::tempdir().unwrap();
        let pack = small(directory.path());
        let large = vec![b'x'; 20_000];
        let mut writer = pack.begin(about(), 20_000).await.unwrap();
        let dropped = pack.begin(about(), 1_000).await.unwrap();
        writer.write(&large[..7_000]).await.unwrap();
        let beside = put(&pack, 0..3).await;
        writer.write(&large[7_000..]).await.unwrap();
        drop(dropped);
        let (written, bytes) = writer.finish().await.unwrap();
        assert_eq!(bytes, large);
        let blob = (about(), NewBlob::Written(written));
        let location = pack.put(vec![blob]).await.unwrap().remove(0);
        drop(pack);
        let pack = small(directory.path());
        assert_eq!(pack.read(&location).await.unwrap(), large);
        assert_eq!(pack.read(&beside[2]).await.unwrap(), message(2));
        assert_eq!(pack.list().await.unwrap().len(), 4);
    }

    /// A message that nobody committed leaves nothing behind.
    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_that_is_not_kept_is_void() {
        let directory = tempfile::tempdir().unwrap();
        let pack = small(directory.path());
        let mut writer = pack.begin(about(), 3).await.unwrap();
        writer.write(b"abc").await.unwrap();
        drop(writer.finish().await.unwrap());
        assert_eq!(pack.list().await.unwrap(), []);
        let mut short = pack.begin(about(), 3).await.unwrap();
        assert!(short.write(b"abcd").await.is_err());
        assert!(short.finish().await.is_err());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn damage_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let pack = small(directory.path());
        let location = put(&pack, 5..6).await.remove(0);
        let file = OpenOptions::new()
            .write(true)
            .open(directory.path().join("00000001.seg"));
        file.unwrap()
            .write_all_at(b"?", HEADER_BYTES as u64 + 3)
            .unwrap();
        assert!(matches!(pack.read(&location).await, Err(Error::Corrupt(_))));
        let nonsense = Location("a:b".into());
        assert!(matches!(pack.read(&nonsense).await, Err(Error::Corrupt(_))));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_segment_goes_when_all_of_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let pack = small(directory.path());
        let locations = put(&pack, 0..30).await;
        let before = std::fs::read_dir(directory.path()).unwrap().count();
        let held = pack.read(&locations[0]).await.unwrap();
        let freed = pack.forget(&locations[..29]).await.unwrap();
        assert!(freed >= 4_096 && before > 1);
        assert!(std::fs::read_dir(directory.path()).unwrap().count() < before);
        assert_eq!(held, message(0), "bytes in use outlive their segment");
        assert_eq!(pack.read(&locations[29]).await.unwrap(), message(29));
        assert_eq!(
            pack.forget(&locations[..29]).await.unwrap(),
            0,
            "twice is harmless"
        );
    }
}
