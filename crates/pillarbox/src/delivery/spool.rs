//! A message that comes in: its bytes, until all are here.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::task::block_in_place;

/// Bytes that are read of a file at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// Where messages wait.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Buffer {
    /// Messages up to this size do so in memory.
    pub memory_bytes: usize,
    /// Larger ones in files in this directory, which are removed as soon as they are open.
    pub directory: PathBuf,
}

/// A message, in memory or, if it is large, in a file without a name. Its size is known only at its
/// end, and its blobs, one for each recipient, need that at their beginning.
pub struct Spool {
    buffer: Buffer,
    memory: Vec<u8>,
    file: Option<File>,
    len: u64,
}

impl Spool {
    /// An empty one.
    #[must_use]
    pub const fn new(buffer: Buffer) -> Self {
        Self {
            buffer,
            memory: Vec::new(),
            file: None,
            len: 0,
        }
    }

    /// The size in bytes.
    #[must_use]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Whether it has no bytes at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds bytes.
    ///
    /// # Errors
    /// The file can't be made or written; the message is of no more use.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.len += bytes.len() as u64;
        if self.file.is_none() && self.memory.len() + bytes.len() <= self.buffer.memory_bytes {
            self.memory.extend_from_slice(bytes);
            return Ok(());
        }
        block_in_place(|| self.write_file(bytes))
    }

    fn write_file(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            let mut file = self.buffer.open()?;
            file.write_all(&std::mem::take(&mut self.memory))?;
            self.file = Some(file);
        }
        self.file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(bytes))
    }

    /// Its first bytes, as many as there are.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn head(&self, bytes: usize) -> io::Result<Vec<u8>> {
        let len = usize::try_from(self.len).map_or(bytes, |len| len.min(bytes));
        let Some(file) = &self.file else {
            return Ok(self.memory.get(..len).unwrap_or_default().to_vec());
        };
        let mut head = vec![0; len];
        block_in_place(|| file.read_exact_at(&mut head, 0))?;
        Ok(head)
    }

    /// The piece that begins at `offset`, in `space` if it is not in memory; empty at the end.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn piece<'s>(&'s self, offset: u64, space: &'s mut Vec<u8>) -> io::Result<&'s [u8]> {
        let Some(file) = &self.file else {
            let at = usize::try_from(offset).unwrap_or(usize::MAX);
            return Ok(self.memory.get(at..).unwrap_or_default());
        };
        let left = self.len.saturating_sub(offset);
        let len = usize::try_from(left).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        space.resize(len, 0);
        block_in_place(|| file.read_exact_at(space, offset))?;
        Ok(space)
    }
}

impl Buffer {
    /// All in memory: for messages that are there already.
    #[must_use]
    pub fn memory() -> Self {
        Self {
            memory_bytes: usize::MAX,
            directory: PathBuf::new(),
        }
    }

    /// A file that nobody else can open, and that is gone when it is closed.
    fn open(&self) -> io::Result<File> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = self
            .directory
            .join(format!("{}-{number}", std::process::id()));
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = match options.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut directory = DirBuilder::new();
                directory
                    .recursive(true)
                    .mode(0o700)
                    .create(&self.directory)?;
                options.open(&path)?
            }
            // Of a process with our number that was killed between these two lines.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&path)?;
                options.open(&path)?
            }
            outcome => outcome?,
        };
        fs::remove_file(&path)?;
        Ok(file)
    }
}

/// Where the header ends: before the first empty line. Those that know line feeds alone count too, as
/// they do for whoever reads the message.
#[must_use]
pub fn header_len(message: &[u8]) -> usize {
    let mut at = 0;
    for line in message.split_inclusive(|&b| b == b'\n') {
        if matches!(line, b"\r\n" | b"\n") {
            return at;
        }
        at += line.len();
    }
    message.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::now;

    #[test]
    fn a_message_is_the_same_in_memory_and_in_a_file() {
        let directory = tempfile::tempdir().unwrap();
        let message: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
        for memory_bytes in [0, 1_000, 200_000, 1 << 20] {
            let buffer = Buffer {
                memory_bytes,
                directory: directory.path().join("made/by/need"),
            };
            let (read, head) = now(async {
                let mut spool = Spool::new(buffer);
                for piece in message.chunks(777) {
                    spool.write(piece).unwrap();
                }
                assert_eq!(spool.file.is_some(), memory_bytes < message.len());
                let (mut read, mut space) = (Vec::new(), Vec::new());
                loop {
                    let piece = spool.piece(read.len() as u64, &mut space).unwrap().to_vec();
                    if piece.is_empty() {
                        break;
                    }
                    read.extend(piece);
                }
                (read, spool.head(10).unwrap())
            });
            assert!(read == message && head == message[..10]);
        }
        let left = fs::read_dir(directory.path().join("made/by/need")).unwrap();
        assert_eq!(left.count(), 0, "files have no names");
    }
}
