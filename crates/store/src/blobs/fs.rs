//! One file a message, in one flat directory: the layout of maddy's `storage.blob.fs`.
//!
//! A file holds the message, or an LZ4 or Zstandard frame of it; which one its first bytes say. A message
//! that begins like a frame is always kept in one.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::compress::{Codec, Compression, pays};
use super::map::Map;
use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
use crate::lock::Lock;
use crate::{Error, Reply};

/// Files from this size on are mapped, not read.
const MAP_BYTES: u64 = 256 * 1024;
/// The longest message that a compressed file may make, in bytes.
const MESSAGE_BYTES_MAX: usize = 1 << 30;

/// Keeps each message in a file of its own, named by 32 hexadecimal digits.
pub struct Files {
    directory: PathBuf,
    compression: Compression,
    /// What another process writes must not be cleared away.
    _lock: Lock,
}

impl Files {
    /// Opens a directory, which is made if need be. Files that were being written are removed.
    ///
    /// # Errors
    /// What the file system says; [`Error::Unavailable`] if another process has it open.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        std::fs::create_dir_all(directory)?;
        let lock = Lock::take(directory)?;
        for entry in std::fs::read_dir(directory)? {
            let path = entry?.path();
            if is_passing(&path) {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            compression: Compression::Off,
            _lock: lock,
        })
    }

    /// Compresses new messages, if that pays. Those that are there are read whatever they are.
    #[must_use]
    pub fn compressed(self, compression: Compression) -> Self {
        Self {
            compression,
            ..self
        }
    }

    fn path(&self, location: &Location) -> Result<PathBuf, Error> {
        if !is_plain(&location.0) {
            return Err(Error::Corrupt(
                format!("{} is no file name", location.0).into(),
            ));
        }
        Ok(self.directory.join(&*location.0))
    }

    /// Writes a file under a passing name, durably.
    fn write(&self, bytes: &[u8]) -> Result<(PathBuf, PathBuf, Location), Error> {
        let location = Location(new_key()?.into());
        let (path, passing) = (
            self.path(&location)?,
            self.directory.join(format!("{}.tmp", location.0)),
        );
        let mut file = File::create_new(&passing)?;
        let encoded = encode(self.compression, bytes);
        file.write_all(encoded.as_deref().unwrap_or(bytes))
            .and_then(|()| file.sync_all())
            .inspect_err(|_| {
                let _ = std::fs::remove_file(&passing);
            })?;
        Ok((passing, path, location))
    }

    fn put_all(&self, blobs: Vec<(About, NewBlob)>) -> Result<Vec<Location>, Error> {
        let mut locations = Vec::with_capacity(blobs.len());
        let mut moves = Vec::with_capacity(blobs.len());
        for (_, blob) in blobs {
            match blob {
                NewBlob::Memory(bytes) => {
                    let (passing, path, location) = self.write(&bytes)?;
                    moves.push((passing, path));
                    locations.push(location);
                }
                NewBlob::Written(mut written) => {
                    let passing = self.directory.join(format!("{}.tmp", written.location.0));
                    File::open(&passing)?.sync_all()?;
                    moves.push((passing, self.path(&written.location)?));
                    written.reservation.keep();
                    locations.push(written.location);
                }
            }
        }
        for (passing, path) in moves {
            std::fs::rename(passing, path)?;
        }
        File::open(&self.directory)?.sync_all()?;
        Ok(locations)
    }

    fn names(&self) -> io::Result<Vec<(Location, u64)>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let name = entry.file_name().into_string().unwrap_or_default();
            if is_plain(&name) && entry.metadata()?.is_file() {
                names.push((Location(name.into()), entry.metadata()?.len()));
            }
        }
        Ok(names)
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a file is one of ours that was being written.
fn is_passing(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let key = name.and_then(|name| name.strip_suffix(".tmp"));
    key.is_some_and(|key| key.len() >= 32 && key[..32].bytes().all(|b| b.is_ascii_hexdigit()))
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

fn read(path: &Path) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let stored = if size >= MAP_BYTES {
        let all = Map::new(&file)?.slice(0..size);
        all.ok_or(io::ErrorKind::UnexpectedEof)?
    } else {
        let mut bytes = Vec::with_capacity(size as usize);
        io::Read::read_to_end(&mut file, &mut bytes)?;
        bytes.into()
    };
    match Codec::sniff(&stored) {
        Codec::Raw => Ok(stored),
        codec => {
            let message = codec.decode(&stored, MESSAGE_BYTES_MAX);
            Ok(message
                .ok_or_else(|| io::Error::other("can't be decompressed"))?
                .into())
        }
    }
}

/// Replaces a finished message's file by a compressed one, if that pays. What is mapped of the old one
/// stays.
fn compress(passing: &Path, message: &[u8], compression: Compression) -> io::Result<()> {
    let framed = Codec::sniff(message) != Codec::Raw;
    let compression = match compression {
        Compression::Off if framed => Compression::Lz4,
        Compression::Off => return Ok(()),
        wanted => wanted,
    };
    let smaller = passing.with_extension("z.tmp");
    let mut file = File::create_new(&smaller)?;
    compression.encode_to(message, &mut file)?;
    if framed || pays(message.len(), file.metadata()?.len() as usize) {
        std::fs::rename(&smaller, passing)
    } else {
        std::fs::remove_file(&smaller)
    }
}

/// 16 random bytes in hexadecimal.
fn new_key() -> io::Result<String> {
    let mut bytes = [0; 16];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

struct Writer {
    passing: PathBuf,
    location: Location,
    file: File,
    size: u64,
    written: u64,
    hash: blake3::Hasher,
    claim: Claim,
    compression: Compression,
}

/// Removes the file unless it is kept.
#[derive(Debug)]
struct Claim(Option<PathBuf>);

impl Reservation for Claim {
    fn keep(&mut self) {
        self.0 = None;
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some(path) = self.0.take() {
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Writer {
    /// The message, mapped, whatever its file is compressed to.
    fn finished(&self) -> io::Result<Bytes> {
        if self.size == 0 {
            return Ok(Bytes::new());
        }
        let all = Map::new(&self.file)?.slice(0..self.size);
        let all = all.ok_or(io::ErrorKind::UnexpectedEof)?;
        compress(&self.passing, &all, self.compression)?;
        File::open(&self.passing)?.sync_all()?;
        Ok(all)
    }
}

impl BlobWriter for Writer {
    fn write<'a>(&'a mut self, bytes: &'a [u8]) -> Reply<'a, ()> {
        Box::pin(async move {
            self.written += bytes.len() as u64;
            if self.written > self.size {
                return Err(Error::Corrupt("more bytes than were announced".into()));
            }
            self.hash.update(bytes);
            Ok(tokio::task::block_in_place(|| self.file.write_all(bytes))?)
        })
    }

    fn finish(self: Box<Self>) -> Reply<'static, (Written, Bytes)> {
        Box::pin(async move {
            if self.written != self.size {
                return Err(Error::Corrupt("the message is not complete".into()));
            }
            let bytes = tokio::task::block_in_place(|| self.finished())?;
            let written = Written {
                location: self.location,
                size_bytes: self.size,
                hash: *self.hash.finalize().as_bytes(),
                reservation: Box::new(self.claim),
            };
            Ok((written, bytes))
        })
    }
}

impl Blobs for Files {
    fn put<'a>(&'a self, blobs: Vec<(About, NewBlob)>) -> Reply<'a, Vec<Location>> {
        Box::pin(async move { tokio::task::block_in_place(|| self.put_all(blobs)) })
    }

    fn begin(&self, _about: About, size_bytes: u64) -> Reply<'_, Box<dyn BlobWriter>> {
        Box::pin(async move {
            let location = Location(new_key()?.into());
            let passing = self.directory.join(format!("{}.tmp", location.0));
            let writer: Box<dyn BlobWriter> = Box::new(Writer {
                file: OpenOptions::new()
                    .read(true)
                    .write(true)
                    .create_new(true)
                    .open(&passing)?,
                claim: Claim(Some(passing.clone())),
                compression: self.compression,
                passing,
                location,
                size: size_bytes,
                written: 0,
                hash: blake3::Hasher::new(),
            });
            Ok(writer)
        })
    }

    fn read<'a>(&'a self, location: &'a Location) -> Reply<'a, Bytes> {
        Box::pin(async move {
            let path = self.path(location)?;
            let bytes = tokio::task::block_in_place(|| read(&path));
            bytes.map_err(|error| Error::Corrupt(format!("{}: {error}", location.0).into()))
        })
    }

    fn forget<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, u64> {
        Box::pin(async move {
            let mut freed = 0;
            for location in locations {
                let path = self.path(location)?;
                let size = std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
                if std::fs::remove_file(path).is_ok() {
                    freed += size;
                }
            }
            Ok(freed)
        })
    }

    fn keep<'a>(&'a self, locations: &'a [Location]) -> Reply<'a, ()> {
        Box::pin(async move {
            for location in locations {
                File::open(self.path(location)?)?.sync_all()?;
            }
            Ok(File::open(&self.directory)?.sync_all()?)
        })
    }

    fn says_whose(&self) -> Result<bool, Error> {
        Ok(false)
    }

    fn list(&self) -> Reply<'_, Vec<(Location, Option<About>, u64)>> {
        Box::pin(async move {
            let names = tokio::task::block_in_place(|| self.names())?;
            Ok(names
                .into_iter()
                .map(|(location, size)| (location, None, size))
                .collect())
        })
    }

    fn backup<'a>(&'a self, directory: &'a Path) -> Reply<'a, ()> {
        Box::pin(async move {
            let target = directory.join(self.directory.file_name().unwrap_or_default());
            std::fs::create_dir_all(&target)?;
            for (location, _) in self.names()? {
                std::fs::copy(self.path(&location)?, target.join(&*location.0))?;
            }
            Ok(())
        })
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
        let files = Files::open(directory.path()).unwrap();
        let location = put(&files, b"one").await;
        assert_eq!(location.0.len(), 32);
        let path = directory.path().join(&*location.0);
        assert_eq!(std::fs::read(path).unwrap(), b"one");
    }

    /// Files that were being written go; what else is in the directory stays and is no message.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_others_keep_there_is_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        std::mem::forget(files.begin(about(), 9).await.unwrap());
        std::fs::write(directory.path().join("notes.tmp"), "x").unwrap();
        std::fs::create_dir(directory.path().join("lost")).unwrap();
        drop(files);
        let files = Files::open(directory.path()).unwrap();
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
            let files = Files::open(directory.path())
                .unwrap()
                .compressed(compression);
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
