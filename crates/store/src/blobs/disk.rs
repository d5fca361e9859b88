//! The few things that a keeper asks of a file system: real, or one that fails on purpose.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use super::map::Map;

/// Parts of one vectored write; the kernel takes no more (`IOV_MAX`).
const WRITE_PARTS: usize = 1_024;

/// A flat directory of files.
pub(super) trait Disk: Send + Sync {
    /// The names of all files, in no order.
    fn names(&self) -> io::Result<Vec<String>>;
    /// Makes a file with room for `size` bytes, which read as zeros.
    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>>;
    /// The size of a file in bytes; `None` if there is no plain file of that name.
    fn size(&self, name: &str) -> io::Result<Option<u64>>;
    /// Gives a file another name, which may be taken: then that file goes.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Unlinks a file. Bytes of it in use stay.
    fn remove(&self, name: &str) -> io::Result<()>;
    /// Makes the names durable.
    fn sync(&self) -> io::Result<()>;
}

/// An open file.
pub(super) trait DiskFile: Send + Sync {
    /// Its size in bytes.
    fn size(&self) -> io::Result<u64>;
    /// Copies bytes out; they must all be there.
    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()>;
    /// Bytes that are written already and won't change, without a copy where that is possible.
    fn slice(&self, range: Range<u64>) -> io::Result<Bytes>;
    /// Writes these one behind the other.
    fn write_at(&self, at: u64, parts: &mut [IoSlice<'_>]) -> io::Result<()>;
    /// Makes bytes and size durable.
    fn sync(&self) -> io::Result<()>;
    /// Gives back the room behind `size` bytes.
    fn cut(&self, size: u64) -> io::Result<()>;
}

/// A real directory.
pub(super) struct Directory(PathBuf);

impl Directory {
    /// Opens a directory, which is made if need be.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path).map_err(|error| named(path, error))?;
        Ok(Self(path.to_owned()))
    }

    fn allocate(path: &Path, size: u64) -> io::Result<File> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        let bytes = i64::try_from(size).map_err(|_| io::ErrorKind::FileTooLarge)?;
        if bytes == 0 {
            return Ok(file);
        }
        match nix::fcntl::fallocate(&file, nix::fcntl::FallocateFlags::empty(), 0, bytes) {
            // A file system that can't reserve room still works: appends then cost more.
            Err(nix::errno::Errno::EOPNOTSUPP) => file.set_len(size)?,
            done => done?,
        }
        Ok(file)
    }
}

/// Says which file an error is about.
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

impl Disk for Directory {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.0).map_err(|error| named(&self.0, error))? {
            names.extend(entry?.file_name().into_string().ok());
        }
        Ok(names)
    }

    fn create(&self, name: &str, size: u64) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.0.join(name);
        match Self::allocate(&path, size) {
            Ok(file) => Ok(Arc::new(RealFile::new(file))),
            Err(error) => {
                if error.kind() != io::ErrorKind::AlreadyExists {
                    let _ = std::fs::remove_file(&path);
                }
                Err(named(&path, error))
            }
        }
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let path = self.0.join(name);
        let file = OpenOptions::new().read(true).write(true).open(&path);
        Ok(Arc::new(RealFile::new(
            file.map_err(|error| named(&path, error))?,
        )))
    }

    fn size(&self, name: &str) -> io::Result<Option<u64>> {
        match std::fs::metadata(self.0.join(name)) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(named(&self.0.join(name), error)),
        }
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.0.join(from), self.0.join(to));
        std::fs::rename(&from, to).map_err(|error| named(&from, error))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.0.join(name)).map_err(|error| named(&self.0.join(name), error))
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}

struct RealFile {
    file: File,
    map: OnceLock<Map>,
}

impl RealFile {
    fn new(file: File) -> Self {
        let map = OnceLock::new();
        Self { file, map }
    }

    /// Two threads may both map; one mapping stays.
    fn map(&self) -> io::Result<&Map> {
        if self.map.get().is_none() {
            let _ = self.map.set(Map::new(&self.file)?);
        }
        self.map.get().ok_or_else(|| io::ErrorKind::Other.into())
    }
}

impl DiskFile for RealFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> io::Result<()> {
        match self.map.get().and_then(|map| map.copy(at, into)) {
            Some(()) => Ok(()),
            None => self.file.read_exact_at(into, at),
        }
    }

    fn slice(&self, range: Range<u64>) -> io::Result<Bytes> {
        let slice = self.map()?.slice(range);
        slice.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn write_at(&self, mut at: u64, mut parts: &mut [IoSlice<'_>]) -> io::Result<()> {
        IoSlice::advance_slices(&mut parts, 0);
        while !parts.is_empty() {
            let some = &parts[..parts.len().min(WRITE_PARTS)];
            let offset = i64::try_from(at).map_err(|_| io::ErrorKind::FileTooLarge)?;
            match nix::sys::uio::pwritev(&self.file, some, offset) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    at += written as u64;
                    IoSlice::advance_slices(&mut parts, written);
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn cut(&self, size: u64) -> io::Result<()> {
        self.file.set_len(size)
    }
}
