//! One file a message, in one flat directory: the layout of maddy's `storage.blob.fs`.
//!
//! A file holds the message, or an LZ4 or Zstandard frame of it; which one its first bytes say. A message
//! that begins like a frame is always kept in one.
//!
//! A message is written under a passing name and synced, gets its own name, and counts when the directory is
//! synced: one sync for all messages of a batch.

#[cfg(test)]
mod power;
mod stream;

use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;

use super::compress::{Codec, Compression};
use super::disk::{Directory, Disk};
use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Written};
use crate::lock::Lock;
use crate::{Error, Reply};

/// Files from this size on are mapped, not read.
const MAP_BYTES: u64 = 256 * 1024;
/// The longest message that a compressed file may make, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Keeps each message in a file of its own, named by 32 hexadecimal digits.
pub struct Files {
    inner: Arc<Inner>,
    /// For the name of its copy.
    directory: PathBuf,
    /// What another process writes must not be cleared away.
    _lock: Lock,
}

struct Inner {
    disk: Box<dyn Disk>,
    compression: Compression,
    /// After a failed sync nothing can be said of what is on disk.
    poisoned: AtomicBool,
}

impl Files {
    /// Opens a directory, which is made if need be. New messages are compressed so, if that pays; those that
    /// are there are read whatever they are. Files that were being written are removed.
    ///
    /// # Errors
    /// What the file system says; [`Error::Unavailable`] if another process has it open.
    pub fn open(directory: &Path, compression: Compression) -> Result<Self, Error> {
        let disk = Directory::open(directory)?;
        let lock = Lock::take(directory)?;
        Ok(Self {
            inner: Arc::new(Inner::open(Box::new(disk), compression)?),
            directory: directory.to_owned(),
            _lock: lock,
        })
    }
}

impl Inner {
    fn open(disk: Box<dyn Disk>, compression: Compression) -> Result<Self, Error> {
        for name in disk.names()? {
            if is_passing(&name) {
                disk.remove(&name)?;
            }
        }
        // Whoever gave files their names may have died before these were durable.
        disk.sync()?;
        Ok(Self {
            disk,
            compression,
            poisoned: AtomicBool::new(false),
        })
    }

    fn check_usable(&self) -> Result<(), Error> {
        if self.poisoned.load(Ordering::Acquire) {
            let text = "writing a file failed; a restart recovers what was acknowledged";
            return Err(Error::Unavailable(text.into()));
        }
        Ok(())
    }

    /// A write without room leaves all as it was. Any other failure ends writing.
    fn failed(&self, error: io::Error) -> Error {
        match Error::from(error) {
            full @ Error::Full(_) => full,
            error => self.poison(&error),
        }
    }

    fn poison(&self, reason: &Error) -> Error {
        self.poisoned.store(true, Ordering::Release);
        tracing::error!(%reason, "a message can't be written, writing stops");
        Error::Unavailable(format!("a message can't be written: {reason}").into())
    }

    /// Even a full disk must not be tried again after this.
    fn sync(&self, synced: io::Result<()>) -> Result<(), Error> {
        synced.map_err(|error| self.poison(&error.into()))
    }

    /// Makes a file whole and durable; none is left of it if that fails.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), Error> {
        let file = self
            .disk
            .create(name, bytes.len() as u64)
            .map_err(|error| self.failed(error))?;
        let written = file.write_at(0, &mut [IoSlice::new(bytes)]);
        let written = written.map_err(|error| self.failed(error));
        written
            .and_then(|()| self.sync(file.sync()))
            .inspect_err(|_| {
                let _ = self.disk.remove(name);
            })
    }

    fn put(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        self.check_usable()?;
        let (mut locations, mut written) = (Vec::with_capacity(blobs.len()), Vec::new());
        let done = self.put_in(blobs, &mut locations, &mut written);
        if let Err(error) = done {
            // None of them counts.
            for location in locations {
                let _ = self.disk.remove(&passing(&location));
                let _ = self.disk.remove(&location.0);
            }
            return Err(error);
        }
        for blob in &mut written {
            blob.reservation.keep();
        }
        Ok(locations)
    }

    fn put_in(
        &self,
        blobs: Vec<(About, NewBlob)>,
        locations: &mut Vec<Location>,
        written: &mut Vec<Written>,
    ) -> Result<(), Error> {
        for (_, blob) in blobs {
            locations.push(match blob {
                NewBlob::Memory(bytes) => {
                    let location = Location(new_key()?.into());
                    let encoded = encode(self.compression, &bytes);
                    self.write(&passing(&location), encoded.as_deref().unwrap_or(&bytes))?;
                    location
                }
                NewBlob::Written(blob) => {
                    let location = blob.location.clone();
                    written.push(blob);
                    location
                }
            });
        }
        for location in &*locations {
            let renamed = self.disk.rename(&passing(location), &location.0);
            renamed.map_err(|error| self.failed(error))?;
        }
        self.sync(self.disk.sync())
    }

    /// What is in a file.
    fn stored(&self, location: &Location) -> io::Result<Bytes> {
        let file = self.disk.open(name(location)?)?;
        let size = file.size()?;
        if size >= MAP_BYTES {
            return file.slice(0..size);
        }
        let mut bytes = vec![0; size as usize];
        file.read_at(0, &mut bytes)?;
        Ok(bytes.into())
    }

    fn read(&self, location: &Location) -> Result<Bytes, Error> {
        let corrupt = |reason: &dyn std::fmt::Display| {
            Error::Corrupt(format!("{}: {reason}", location.0).into())
        };
        let stored = self.stored(location).map_err(|error| corrupt(&error))?;
        match Codec::sniff(&stored) {
            Codec::Raw => Ok(stored),
            codec => {
                let message = codec.decode(&stored, MESSAGE_BYTES_MAX);
                let message = message.ok_or_else(|| corrupt(&"can't be decompressed"))?;
                Ok(message.into())
            }
        }
    }

    fn forget(&self, locations: &[Location]) -> Result<u64, Error> {
        self.check_usable()?;
        let mut freed = 0;
        for location in locations {
            let name = name(location)?;
            if let Some(size) = self.disk.size(name)? {
                self.disk.remove(name)?;
                freed += size;
            }
        }
        self.sync(self.disk.sync())?;
        Ok(freed)
    }

    fn keep(&self, locations: &[Location]) -> Result<(), Error> {
        self.check_usable()?;
        for location in locations {
            let missing = |_| Error::Corrupt(format!("there is no {}", location.0).into());
            let file = self.disk.open(name(location)?).map_err(missing)?;
            self.sync(file.sync())?;
        }
        self.sync(self.disk.sync())
    }

    fn list(&self) -> Result<Vec<(Location, Option<About>, u64)>, Error> {
        let mut all = Vec::new();
        for name in self.disk.names()? {
            if is_plain(&name)
                && let Some(size) = self.disk.size(&name)?
            {
                all.push((Location(name.into()), None, size));
            }
        }
        Ok(all)
    }

    fn backup(&self, target: &Path) -> Result<(), Error> {
        std::fs::create_dir_all(target)?;
        for (location, ..) in self.list()? {
            let mut copy = std::fs::File::create(target.join(&*location.0))?;
            io::Write::write_all(&mut copy, &self.stored(&location)?)?;
            copy.sync_all()?;
        }
        Ok(std::fs::File::open(target)?.sync_all()?)
    }
}

/// The file's name, if it is one that a message may have.
fn name(location: &Location) -> io::Result<&str> {
    if is_plain(&location.0) {
        Ok(&location.0)
    } else {
        let text = format!("{} is no file name", location.0);
        Err(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// The name under which a message is written.
fn passing(location: &Location) -> String {
    format!("{}.tmp", location.0)
}

/// Whether a file is one of ours that was being written.
fn is_passing(name: &str) -> bool {
    let key = name.strip_suffix(".tmp");
    key.is_some_and(|key| key.len() >= 32 && key.bytes().take(32).all(|b| b.is_ascii_hexdigit()))
}

/// What to keep instead of the message, if anything.
fn encode(compression: Compression, message: &[u8]) -> Option<Vec<u8>> {
    let encoded = compression.encode(message);
    if encoded.is_some() || Codec::sniff(message) == Codec::Raw {
        return encoded;
    }
    let mut framed = Vec::new();
    Compression::Lz4.encode_to(message, &mut framed).ok()?;
    Some(framed)
}

/// 16 random bytes in hexadecimal.
fn new_key() -> io::Result<String> {
    let mut bytes = [0; 16];
    io::Read::read_exact(&mut std::fs::File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

impl Blobs for Files {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.put(blobs)) })
    }

    fn begin(&self, _about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let stream = tokio::task::block_in_place(|| self.inner.begin(size_bytes))?;
            let stream: Box<dyn BlobWriter> = Box::new(stream);
            Ok(stream)
        })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.read(location)) })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.forget(locations)) })
    }

    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.keep(locations)) })
    }

    fn says_whose(&self) -> Result<bool, Error> {
        Ok(false)
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.list()) })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        let target = directory.join(self.directory.file_name().unwrap_or_default());
        Box::pin(async move { tokio::task::block_in_place(|| self.inner.backup(&target)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            account: Default::default(),
            mailbox: Default::default(),
            date: Default::default(),
        }
    }

    async fn put(files: &Files, message: &[u8]) -> Location {
        let blob = NewBlob::Memory(Bytes::copy_from_slice(message));
        files.put(vec![(about(), blob)]).await.unwrap().remove(0)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_is_a_file_with_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path(), Compression::Off).unwrap();
        let location = put(&files, b"one").await;
        assert_eq!(location.0.len(), 32);
        let path = directory.path().join(&*location.0);
        assert_eq!(std::fs::read(path).unwrap(), b"one");
    }

    /// Files that were being written go; what else is in the directory stays and is no message.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_keep_there_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path(), Compression::Off).unwrap();
        std::mem::forget(files.begin(about(), 9).await.unwrap());
        std::fs::write(directory.path().join("notes.tmp"), "x").unwrap();
        std::fs::create_dir(directory.path().join("lost")).unwrap();
        drop(files);
        let files = Files::open(directory.path(), Compression::Off).unwrap();
        assert_eq!(files.list().await.unwrap(), []);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
    }

    /// Whether a tree is compressed, and how, may change; a message that looks compressed is one still.
    #[tokio::test(flavor = "multi_thread")]
    async fn files_say_how_they_are_compressed() {
        let directory = tempfile::tempdir().unwrap();
        let text = b"Received: from somewhere\r\n".repeat(20_000);
        let mut hostile = vec![0x28, 0xb5, 0x2f, 0xfd];
        hostile.extend_from_slice(&text);
        let mut kept = Vec::new();
        for compression in [Compression::Off, Compression::Lz4, Compression::Zstd(3)] {
            let files = Files::open(directory.path(), compression).unwrap();
            for message in [&text, &hostile] {
                kept.push((put(&files, message).await, message));
                let mut writer = files.begin(about(), message.len() as u64).await.unwrap();
                writer.write(message).await.unwrap();
                let (written, bytes) = writer.finish().await.unwrap();
                assert_eq!(bytes, *message);
                let blob = (about(), NewBlob::Written(written));
                kept.push((files.put(vec![blob]).await.unwrap().remove(0), message));
            }
            for (location, message) in &kept {
                assert_eq!(files.read(location).await.unwrap(), **message);
            }
        }
        assert_eq!(
            std::fs::read_dir(directory.path()).unwrap().count(),
            kept.len()
        );
        let size = |n: usize| {
            std::fs::metadata(directory.path().join(&*kept[n].0.0))
                .unwrap()
                .len()
        };
        assert!(size(9) < text.len() as u64 / 10 && size(0) == text.len() as u64);
    }
}
