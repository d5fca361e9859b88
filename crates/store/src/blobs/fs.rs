//! One file a message, in one flat directory: the layout of maddy's `storage.blob.fs`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::blob::{About, BlobWriter, Blobs, Location, NewBlob, Reservation, Written};
use crate::lock::Lock;
use crate::{Error, Reply};

/// Keeps each message in a file of its own, named by 32 hexadecimal digits.
pub struct Files {
    directory: PathBuf,
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
            if path.extension().is_some_and(|extension| extension == "tmp") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(Self {
            directory: directory.to_owned(),
            _lock: lock,
        })
    }

    fn path(&self, location: &Location) -> Result<PathBuf, Error> {
        let plain = location.0.bytes().all(|b| b.is_ascii_alphanumeric());
        if !plain || location.0.is_empty() {
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
        file.write_all(bytes)
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
            if let (Some(name), true) = (entry.file_name().to_str(), entry.metadata()?.is_file()) {
                names.push((Location(name.into()), entry.metadata()?.len()));
            }
        }
        Ok(names)
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
            let bytes = tokio::task::block_in_place(|| std::fs::read(&self.passing))?;
            let written = Written {
                location: self.location,
                size_bytes: self.size,
                hash: *self.hash.finalize().as_bytes(),
                reservation: Box::new(self.claim),
            };
            Ok((written, bytes.into()))
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
                file: File::create_new(&passing)?,
                claim: Claim(Some(passing.clone())),
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
            let bytes = tokio::task::block_in_place(|| std::fs::read(path));
            bytes
                .map(Bytes::from)
                .map_err(|error| Error::Corrupt(format!("{}: {error}", location.0).into()))
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

    #[tokio::test(flavor = "multi_thread")]
    async fn a_message_is_a_file_with_its_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let files = Files::open(directory.path()).unwrap();
        let about = About {
            account: Default::default(),
            mailbox: Default::default(),
            date: Default::default(),
        };
        let blob = NewBlob::Memory(Bytes::from_static(b"one"));
        let mut writer = files.begin(about, 3).await.unwrap();
        let dropped = files.begin(about, 9).await.unwrap();
        writer.write(b"two").await.unwrap();
        let (written, bytes) = writer.finish().await.unwrap();
        assert_eq!(bytes, "two");
        let blobs = vec![(about, blob), (about, NewBlob::Written(written))];
        let locations = files.put(blobs).await.unwrap();
        drop(dropped);
        drop(files);
        let files = Files::open(directory.path()).unwrap();
        assert_eq!(files.read(&locations[0]).await.unwrap(), "one");
        assert_eq!(files.read(&locations[1]).await.unwrap(), "two");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2);
        assert_eq!(files.forget(&locations).await.unwrap(), 6);
        assert!(matches!(
            files.read(&locations[0]).await,
            Err(Error::Corrupt(_))
        ));
        let outside = Location("../x".into());
        assert!(files.read(&outside).await.is_err());
    }
}
