//! One process at a time, and one engine or keeper in it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::Error;

/// How often and at what distance a lock is tried for: whoever just stopped may still be finishing.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(50);

/// A lock on a database or a directory, which the kernel releases when this is dropped or the
/// process ends.
#[derive(Debug)]
pub(crate) struct Lock(#[expect(dead_code, reason = "it is held, not used")] File);

impl Lock {
    /// Takes the lock, and writes this process's id into it for whoever comes second.
    ///
    /// # Errors
    /// [`Error::Unavailable`] names the file and the process that has it.
    pub(crate) fn take(what: &Path) -> Result<Self, Error> {
        let path = path(what);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempt < TRIES => std::thread::sleep(PAUSE),
                Err(TryLockError::WouldBlock) => return Err(held(&path, &mut file)),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self(file))
    }
}

/// Beside what it locks. It stays there: removing it would let two processes lock different files.
fn path(what: &Path) -> PathBuf {
    let mut path = what.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn held(path: &Path, file: &mut File) -> Error {
    let mut holder = String::new();
    // What it says is only for people.
    let _ = file.take(32).read_to_string(&mut holder);
    let text = format!("{} is held by process {}", path.display(), holder.trim());
    Error::Unavailable(text.into())
}
