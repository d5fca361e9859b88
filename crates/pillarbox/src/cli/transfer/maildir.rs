//! Maildir, with subfolders as Maildir++ (`.A.B`) or as nested directories.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use pillarbox_model::Flag;
use pillarbox_proto::imap::utf7;

use super::{Found, LETTERS, Source, entries, file_name, modified, with_crlf};

/// Directories within directories that are followed: deeper than any name may be.
const DEPTH: usize = 64;

/// All mailboxes of a Maildir, INBOX first.
pub(super) fn sources(root: &Path) -> io::Result<Vec<Source>> {
    let mut found = vec![Source {
        levels: vec!["INBOX".to_owned()],
        path: root.to_owned(),
    }];
    descend(root, &[], &mut found)?;
    Ok(found)
}

fn descend(path: &Path, above: &[String], found: &mut Vec<Source>) -> io::Result<()> {
    for child in entries(path)?.into_iter().filter(|child| child.is_dir()) {
        let name = file_name(&child);
        if matches!(name.as_str(), "cur" | "new" | "tmp" | "courierimapkeywords")
            || above.len() > DEPTH
        {
            continue;
        }
        let mut levels = above.to_vec();
        match name.strip_prefix('.') {
            // Maildir++: one flat directory, levels by dots.
            Some(rest) => levels.extend(rest.split('.').map(readable)),
            None => levels.push(readable(&name)),
        }
        if child.join("cur").is_dir() {
            found.push(Source {
                levels: levels.clone(),
                path: child.clone(),
            });
        }
        descend(&child, &levels, found)?;
    }
    Ok(())
}

/// A level's name: directories have it in modified UTF-7.
fn readable(name: &str) -> String {
    utf7::decode(name.as_bytes()).unwrap_or_else(|_| name.to_owned())
}

/// The files of a mailbox.
pub(super) fn files(source: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for part in ["new", "cur"] {
        let directory = source.join(part);
        if directory.is_dir() {
            files.extend(
                entries(&directory)?
                    .into_iter()
                    .filter(|path| path.is_file()),
            );
        }
    }
    // Names begin with the time of delivery.
    files.sort_by_key(|path| file_name(path));
    Ok(files)
}

/// The keywords of a mailbox's messages, as other servers keep them.
#[derive(Default)]
pub(super) struct Keywords {
    /// Dovecot's, by the letter in file names.
    letters: HashMap<char, String>,
    /// Courier's, by file names without flags.
    files: HashMap<String, Vec<String>>,
}

impl Keywords {
    pub(super) fn of(source: &Path) -> Self {
        Self {
            letters: dovecot(source),
            files: courier(source),
        }
    }
}

/// Dovecot's file `dovecot-keywords` has a line `0 name` for `a`.
fn dovecot(source: &Path) -> HashMap<char, String> {
    let text = std::fs::read_to_string(source.join("dovecot-keywords")).unwrap_or_default();
    let line = |line: &str| {
        let (number, name) = line.split_once(' ')?;
        let number: u8 = number.parse().ok().filter(|number| *number < 26)?;
        Some((char::from(b'a' + number), name.to_owned()))
    };
    text.lines().filter_map(line).collect()
}

/// Courier's directory `courierimapkeywords`. In its file `:list` stand the names, an empty line, and lines
/// `FILE:0 2` with the places of names in that list. What changed since has a file of its own, with a name
/// on each line.
fn courier(source: &Path) -> HashMap<String, Vec<String>> {
    let directory = source.join("courierimapkeywords");
    let text = std::fs::read_to_string(directory.join(":list")).unwrap_or_default();
    let mut lines = text.lines();
    let names: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
    let line = |line: &str| {
        let (file, places) = line.rsplit_once(':')?;
        let places = places
            .split_ascii_whitespace()
            .filter_map(|place| place.parse::<usize>().ok());
        let named = places
            .filter_map(|place| names.get(place))
            .map(|name| (*name).to_owned());
        Some((file.to_owned(), named.collect()))
    };
    let mut files: HashMap<_, _> = lines.filter_map(line).collect();
    for path in entries(&directory).unwrap_or_default() {
        let name = file_name(&path);
        if name.starts_with([':', '.']) {
            continue;
        }
        if let Ok(text) = std::fs::read_to_string(&path) {
            files.insert(name, text.lines().map(str::to_owned).collect());
        }
    }
    files
}

pub(super) fn read(path: &Path, keywords: &Keywords) -> io::Result<Found> {
    let name = file_name(path);
    let (base, letters) = name.rsplit_once(":2,").unwrap_or((&name, ""));
    let named = keywords.files.get(base).into_iter().flatten();
    let mut flags: Vec<_> = letters
        .chars()
        .filter_map(|letter| flag(letter, &keywords.letters))
        .collect();
    flags.extend(named.filter_map(|name| Flag::parse(name)));
    Ok(Found {
        bytes: with_crlf(std::fs::read(path)?),
        flags,
        date: modified(path),
    })
}

fn flag(letter: char, keywords: &HashMap<char, String>) -> Option<Flag> {
    if let Some((_, system)) = LETTERS.iter().find(|(known, _)| *known == letter) {
        return Some(Flag::System(*system));
    }
    Flag::parse(keywords.get(&letter)?)
}
