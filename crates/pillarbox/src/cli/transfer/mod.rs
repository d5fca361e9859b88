//! `pillarbox import` and `pillarbox export`: Maildir, mbox, and directories of EML files.

mod eml;
mod export;
mod import;
mod maildir;
mod mbox;

use std::path::{Path, PathBuf};

use pillarbox_model::{Flag, Flags, InternalDate};

pub(super) use export::Export;
pub(super) use import::Import;

/// How mail lies in files.
#[derive(
    clap::ValueEnum, Clone, Copy, PartialEq, Eq, Debug, serde::Serialize, serde::Deserialize,
)]
pub(super) enum Format {
    /// Maildir with Maildir++ or nested subfolders, as Dovecot and Courier lay them out
    Maildir,
    /// One file a mailbox
    Mbox,
    /// One file a message, in one directory a mailbox
    Eml,
}

impl Format {
    /// What lies at a path: a file is an mbox, a directory with `cur` a Maildir.
    fn at(path: &Path) -> Self {
        if path.is_file() {
            Self::Mbox
        } else if path.join("cur").is_dir() {
            Self::Maildir
        } else {
            Self::Eml
        }
    }
}

/// A message as it lies in a file.
struct Found {
    bytes: Vec<u8>,
    flags: Vec<Flag>,
    date: InternalDate,
}

/// A mailbox as it lies in files: its name by levels, and where it is.
struct Source {
    levels: Vec<String>,
    path: PathBuf,
}

/// The letters of system flags in Maildir names, in the order in which they must stand.
const LETTERS: [(char, Flags); 5] = [
    ('D', Flags::DRAFT),
    ('F', Flags::FLAGGED),
    ('R', Flags::ANSWERED),
    ('S', Flags::SEEN),
    ('T', Flags::DELETED),
];

/// The time a file was last written, for want of better.
fn modified(path: &Path) -> InternalDate {
    let modified = std::fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = modified
        .ok()
        .and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    since.map_or_else(crate::clock::now, |since| {
        InternalDate::utc(since.as_secs() as i64)
    })
}

/// The time that a message says, or else that of its file.
fn said_date(bytes: &[u8], path: &Path) -> InternalDate {
    let header = pillarbox_message::fields(bytes)
        .find(|field| field.name.eq_ignore_ascii_case(b"Date"))
        .and_then(|field| pillarbox_message::date::parse(field.value));
    header.map_or_else(
        || modified(path),
        |(unix_seconds, zone_minutes)| InternalDate {
            unix_seconds,
            zone_minutes,
        },
    )
}

/// Line ends as mail has them. Files on disk often have bare LF; bytes that have CRLF stay as they are.
fn with_crlf(bytes: Vec<u8>) -> Vec<u8> {
    let bare = |at: usize| bytes[at] == b'\n' && (at == 0 || bytes[at - 1] != b'\r');
    if !(0..bytes.len()).any(bare) {
        return bytes;
    }
    let mut out = Vec::with_capacity(bytes.len() + bytes.len() / 30);
    for (at, byte) in bytes.iter().enumerate() {
        if bare(at) {
            out.push(b'\r');
        }
        out.push(*byte);
    }
    out
}

/// The entries of a directory, by name.
fn entries(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(path)? {
        paths.push(entry?.path());
    }
    paths.sort();
    Ok(paths)
}

/// The last part of a path as text.
fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
