//! `table.file`: entries of a text file, which may change while the server runs.

use std::collections::HashMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use pillarbox_config::{Directive, Kind};

use super::{Table, TableError};
use crate::Answer;
use crate::assemble::Assembly;
use crate::module::{Built, Declaration, Module, Offer, Parts};

pub(crate) const MODULE: Module = Module {
    name: "table.file",
    aliases: &[],
    offers: &[Offer::Table],
    arguments: "[PATH]",
    doc: "Looks keys up in a text file with one entry a line: `KEY: VALUE, VALUE`. A key without \
          a colon has an empty value, keys may be repeated, and lines that begin with `#` are \
          comments. Changes are seen within 15 seconds; a file with an error in it changes \
          nothing. A file that isn't there is an empty table.",
    directives: DIRECTIVES,
    build: |assembly, declaration| Ok(Parts::table(File::build(assembly, declaration)?)),
};

/// The directives of the block.
const DIRECTIVES: &[Directive] = &[
    Directive::new(
        "file",
        Kind::Text,
        "",
        "The path, if it is not an argument.",
    ),
    Directive::new("debug", Kind::Bool, "no", "Logs more."),
];

/// How long a change may stay unseen.
const CHECK_EVERY: Duration = Duration::from_secs(15);
/// A file that was written to in place may be half written; after this time it is not.
const SETTLED: Duration = Duration::from_millis(7_500);
/// Bytes in one line, as other readers of such files have it.
const LINE_BYTES: usize = 64 * 1024;
/// Bytes in the file, all of which are held in memory.
const FILE_BYTES: u64 = 256 * 1024 * 1024;

type Entries = HashMap<String, Vec<String>>;

/// The table.
struct File {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    entries: Arc<Entries>,
    /// What the file looked like when it was read; nothing if it wasn't there.
    stamp: Option<Stamp>,
    checked: Instant,
}

/// Tells one content of a file from another without reading it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Stamp {
    inode: u64,
    size: u64,
    modified: SystemTime,
}

impl Stamp {
    fn new(metadata: &Metadata) -> io::Result<Self> {
        Ok(Self {
            inode: metadata.ino(),
            size: metadata.len(),
            modified: metadata.modified()?,
        })
    }

    /// Whether the file can be taken at `now`: it was put in place whole, or is quiet.
    fn is_settled(&self, known: Option<&Self>, now: SystemTime) -> bool {
        let replaced = known.is_some_and(|known| known.inode != self.inode);
        // A time in the future says nothing; waiting for it could take for ever.
        let fresh = now
            .duration_since(self.modified)
            .is_ok_and(|age| age < SETTLED);
        replaced || !fresh
    }
}

impl File {
    fn build(assembly: &mut Assembly<'_>, declaration: &Declaration<'_>) -> Built<Self> {
        let bound = declaration.bind(DIRECTIVES)?;
        let path = match (declaration.texts().as_slice(), bound.text("file")) {
            ([path], None) => *path,
            ([], Some(path)) => path,
            ([], None) => {
                let error = declaration.error("file: path is required");
                return Err(vec![error.help("as in `file /etc/pillarbox/aliases`")]);
            }
            _ => return Err(vec![declaration.error("file: only one path is expected")]),
        };
        let path = assembly.path(path);
        let (stamp, entries) = read(&path)
            .map_err(|error| vec![declaration.error(format!("file: {error:#}"))])?
            .map_or((None, Entries::new()), |(stamp, entries)| {
                (Some(stamp), entries)
            });
        if stamp.is_none() {
            let text = format!("ignoring non-existent file: {}", path.display());
            assembly.warn(declaration.span(), text);
        }
        let state = Mutex::new(State {
            entries: Arc::new(entries),
            stamp,
            checked: Instant::now(),
        });
        let shared = Arc::new(Shared { path, state });
        Ok(Self { shared })
    }

    /// The entries, not older than [`CHECK_EVERY`].
    async fn entries(&self) -> Result<Arc<Entries>, TableError> {
        let due = self.shared.claim_check(Instant::now());
        if due {
            let shared = Arc::clone(&self.shared);
            tokio::task::spawn_blocking(move || shared.check(SystemTime::now())).await?;
        }
        Ok(self.shared.current())
    }
}

impl Shared {
    /// Whether it is time to look at the file. Only one caller is told so.
    fn claim_check(&self, now: Instant) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let due = now.saturating_duration_since(state.checked) >= CHECK_EVERY;
        if due {
            state.checked = now;
        }
        due
    }

    fn current(&self) -> Arc<Entries> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&state.entries)
    }

    /// Reads the file again if it changed. What can't be read leaves the entries as they are.
    fn check(&self, now: SystemTime) {
        match self.reread(now) {
            Ok(()) => {}
            Err(error) => tracing::error!("{error:#}; the entries read before stay in use"),
        }
    }

    fn reread(&self, now: SystemTime) -> Result<(), TableError> {
        let known = {
            let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.stamp.clone()
        };
        let seen = match stat(&self.path)? {
            Some(seen) if Some(&seen) == known.as_ref() => return Ok(()),
            Some(seen) if !seen.is_settled(known.as_ref(), now) => return Ok(()),
            seen => seen,
        };
        let (stamp, entries) = match seen {
            None => (None, Entries::new()),
            Some(before) => match read(&self.path)? {
                Some((after, entries)) if after == before => (Some(after), entries),
                // It changed under our hands: the next check will see to it.
                _ => return Ok(()),
            },
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.stamp = stamp;
        state.entries = Arc::new(entries);
        Ok(())
    }
}

impl Table for File {
    fn lookup<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Option<String>, TableError>> {
        Box::pin(async move { Ok(self.lookup_all(key).await?.into_iter().next()) })
    }

    fn lookup_all<'a>(&'a self, key: &'a str) -> Answer<'a, Result<Vec<String>, TableError>> {
        Box::pin(async move {
            let entries = self.entries().await?;
            Ok(entries.get(key).cloned().unwrap_or_default())
        })
    }
}

fn stat(path: &Path) -> Result<Option<Stamp>, TableError> {
    match fs::metadata(path).and_then(|metadata| Stamp::new(&metadata)) {
        Ok(stamp) => Ok(Some(stamp)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).context(path.display().to_string()),
    }
}

/// The file's entries and the stamp of what was read; nothing if it isn't there.
fn read(path: &Path) -> Result<Option<(Stamp, Entries)>, TableError> {
    let Some(stamp) = stat(path)? else {
        return Ok(None);
    };
    if stamp.size > FILE_BYTES {
        bail!("{}: more than {FILE_BYTES} bytes", path.display());
    }
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    if stat(path)?.as_ref() != Some(&stamp) {
        bail!("{}: changed while it was read", path.display());
    }
    Ok(Some((stamp, parse(path, &text)?)))
}

fn parse(path: &Path, text: &str) -> Result<Entries, TableError> {
    let mut entries = Entries::new();
    for (number, line) in (1..).zip(text.lines()) {
        let place = || format!("{}:{number}", path.display());
        if line.len() > LINE_BYTES {
            bail!("{}: the line is longer than {LINE_BYTES} bytes", place());
        }
        if line.starts_with('#') || line.trim().is_empty() {
            continue;
        }
        let (key, values) = line.split_once(':').unwrap_or((line, ""));
        let key = key.trim();
        if key.is_empty() {
            bail!("{}: empty address before colon", place());
        }
        let values = values.split(',').map(|value| value.trim().to_owned());
        entries.entry(key.to_owned()).or_default().extend(values);
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{first, look, refused_table, table};

    fn on_disk(text: &str) -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("aliases");
        fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn one_entry_a_line() {
        let text = "# comment\n\na: b, c\n  d :e\nf\na: g\nh # x: y\n";
        let (_directory, path) = on_disk(text);
        for way in ["file PATH", "file {\n file PATH\n}"] {
            let table = table(&way.replace("PATH", path.to_str().unwrap()));
            assert_eq!(look(&*table, "a"), ["b", "c", "g"]);
            assert_eq!(look(&*table, "d"), ["e"]);
            assert_eq!(look(&*table, "f"), [""]);
            assert_eq!(first(&*table, "h # x").as_deref(), Some("y"));
            assert_eq!(first(&*table, "# comment"), None);
        }
    }

    #[test]
    fn broken_files_are_refused_with_their_line() {
        let (_directory, path) = on_disk("a: b\n: c\n");
        let refused = refused_table(&format!("file {}", path.display()));
        assert!(
            refused.contains("aliases:2: empty address before colon"),
            "{refused}"
        );
        let long = "x".repeat(LINE_BYTES + 1);
        assert!(parse(&path, &long).is_err());
        assert!(refused_table("file").contains("path is required"));
        assert!(refused_table("file a b").contains("only one path"));
    }

    #[test]
    fn a_missing_file_is_an_empty_table() {
        let table = table("file /nonexistent/aliases");
        assert_eq!(first(&*table, "a"), None);
    }

    /// The table, with the file as it is now taken in.
    fn opened(path: &Path) -> Shared {
        let (stamp, entries) = read(path).unwrap().unwrap();
        Shared {
            path: path.to_owned(),
            state: Mutex::new(State {
                entries: Arc::new(entries),
                stamp: Some(stamp),
                checked: Instant::now(),
            }),
        }
    }

    #[test]
    fn changes_are_taken_when_the_file_is_quiet() {
        let (_directory, path) = on_disk("a: 1\n");
        let shared = opened(&path);
        fs::write(&path, "a: 22\n").unwrap();
        shared.check(SystemTime::now());
        assert_eq!(
            shared.current()["a"],
            ["1"],
            "somebody may still be writing"
        );
        shared.check(SystemTime::now() + SETTLED);
        assert_eq!(shared.current()["a"], ["22"]);
    }

    #[test]
    fn a_file_put_in_place_whole_is_taken_at_once() {
        let (directory, path) = on_disk("a: 1\n");
        let shared = opened(&path);
        let new = directory.path().join("new");
        fs::write(&new, "a: 2\n").unwrap();
        fs::rename(&new, &path).unwrap();
        shared.check(SystemTime::now());
        assert_eq!(shared.current()["a"], ["2"]);
    }

    #[test]
    fn an_error_changes_nothing_and_removal_empties() {
        let (_directory, path) = on_disk("a: 1\n");
        let shared = opened(&path);
        fs::write(&path, ": broken\n").unwrap();
        shared.check(SystemTime::now() + SETTLED);
        assert_eq!(shared.current()["a"], ["1"]);
        fs::remove_file(&path).unwrap();
        shared.check(SystemTime::now());
        assert!(shared.current().is_empty());
    }

    #[test]
    fn looking_is_due_every_fifteen_seconds_and_for_one_caller() {
        let (_directory, path) = on_disk("");
        let shared = opened(&path);
        let start = Instant::now();
        assert!(!shared.claim_check(start));
        assert!(shared.claim_check(start + CHECK_EVERY));
        assert!(!shared.claim_check(start + CHECK_EVERY));
    }
}
