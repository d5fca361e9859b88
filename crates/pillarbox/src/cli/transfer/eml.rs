//! Directories of EML files.

use std::io;
use std::path::{Path, PathBuf};

use super::{Found, Source, entries, file_name, said_date, with_crlf};

/// Directories within directories that are followed: deeper than any name may be.
const DEPTH: usize = 64;

/// All directories with messages in them.
pub(super) fn sources(root: &Path, top: &str) -> io::Result<Vec<Source>> {
    let mut found = Vec::new();
    descend(root, vec![top.to_owned()], &mut found)?;
    Ok(found)
}

fn descend(path: &Path, levels: Vec<String>, found: &mut Vec<Source>) -> io::Result<()> {
    found.push(Source {
        levels: levels.clone(),
        path: path.to_owned(),
    });
    for child in entries(path)?.into_iter().filter(|child| child.is_dir()) {
        // What lies below INBOX stands beside it.
        let mut below = if levels == ["INBOX"] {
            Vec::new()
        } else {
            levels.clone()
        };
        below.push(file_name(&child));
        if below.len() <= DEPTH {
            descend(&child, below, found)?;
        }
    }
    Ok(())
}

pub(super) fn files(source: &Path) -> io::Result<Vec<PathBuf>> {
    let eml = |path: &PathBuf| {
        path.is_file()
            && path
                .extension()
                .is_some_and(|end| end.eq_ignore_ascii_case("eml"))
    };
    Ok(entries(source)?.into_iter().filter(eml).collect())
}

pub(super) fn read(path: &Path) -> io::Result<Found> {
    let bytes = with_crlf(std::fs::read(path)?);
    Ok(Found {
        flags: Vec::new(),
        date: said_date(&bytes, path),
        bytes,
    })
}
