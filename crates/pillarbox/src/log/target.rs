//! Where lines go: stderr, the journal, syslog, files.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use super::line::{line, timestamp};
use super::{Captured, Fields, Level};

/// The socket of the local syslog daemon.
const SYSLOG_SOCKET: &str = "/dev/log";
/// Where the journal takes entries (systemd.journal-fields(7)).
const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";
/// Facility `mail` of RFC 5424 §6.2.1, in its place beside the severity.
const FACILITY_MAIL: u8 = 2 << 3;

/// Why a log target can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// `off` beside other targets.
    #[error("'off' can't be combined with other log targets")]
    OffIsAlone,
    /// Nothing named.
    #[error("at least one log target is required")]
    None,
    /// A file that can't be opened for appending.
    #[error("can't open log file {path}: {source}")]
    File {
        /// Its path, made absolute.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No daemon listens.
    #[error("can't log to {socket}: {source}")]
    Daemon {
        /// Where it should.
        socket: &'static str,
        /// Why not.
        source: io::Error,
    },
}

/// A set of targets; every line goes to each of them.
pub struct Sink(Vec<Target>);

enum Target {
    Stderr {
        stamped: bool,
    },
    /// Stderr, where the journal reads it: each line says its priority first (sd-daemon(3)).
    StderrOfJournal,
    Journal(UnixDatagram),
    Syslog(UnixDatagram),
    File {
        path: PathBuf,
        file: Mutex<File>,
    },
    Memory(Captured),
}

impl Sink {
    /// Opens the targets of a `log` directive: `stderr`, `stderr_ts`, `syslog`, `journald`, `off`,
    /// or the path of a file, relative to `directory`.
    ///
    /// # Errors
    ///
    /// See [`TargetError`]; nothing is open then.
    pub fn open<T: AsRef<str>>(names: &[T], directory: &Path) -> Result<Self, TargetError> {
        match names {
            [] => Err(TargetError::None),
            [only] if only.as_ref() == "off" => Ok(Self(Vec::new())),
            _ => names
                .iter()
                .map(|name| Target::open(name.as_ref(), directory))
                .collect::<Result<_, _>>()
                .map(Self),
        }
    }

    /// Stderr alone, or the journal if that is what stderr is.
    #[must_use]
    pub fn stderr() -> Self {
        Self(vec![Target::stderr()])
    }

    pub(super) fn memory(captured: Captured) -> Self {
        Self(vec![Target::Memory(captured)])
    }

    pub(super) fn write(&self, level: Level, name: &str, message: &str, fields: Fields<'_>) {
        if self.0.is_empty() {
            return;
        }
        let line = line(level, name, message, fields);
        for target in &self.0 {
            // A line that can't be written is lost: there is nowhere to say so.
            let _ = target.write(level, &line);
        }
    }

    /// Opens files anew; gives the failures, after which the old file stays in use.
    pub(super) fn reopen(&self) -> Vec<TargetError> {
        self.0.iter().filter_map(|t| t.reopen().err()).collect()
    }
}

impl Target {
    fn open(name: &str, directory: &Path) -> Result<Self, TargetError> {
        match name {
            "off" => Err(TargetError::OffIsAlone),
            "stderr" => Ok(Self::stderr()),
            "stderr_ts" => Ok(Self::Stderr { stamped: true }),
            "syslog" => daemon(SYSLOG_SOCKET).map(Self::Syslog),
            "journald" => daemon(JOURNAL_SOCKET).map(Self::Journal),
            path => {
                let path = directory.join(path);
                let file = Mutex::new(append_to(&path)?);
                Ok(Self::File { path, file })
            }
        }
    }

    fn stderr() -> Self {
        if stderr_is_the_journal() {
            Self::StderrOfJournal
        } else {
            Self::Stderr { stamped: false }
        }
    }

    fn write(&self, level: Level, line: &str) -> io::Result<()> {
        match self {
            Self::Stderr { stamped: false } => io::stderr().lock().write_all(line.as_bytes()),
            Self::Stderr { stamped: true } => io::stderr().lock().write_all(stamp(line).as_bytes()),
            Self::StderrOfJournal => {
                let line = format!("<{}>{line}", severity(level));
                io::stderr().lock().write_all(line.as_bytes())
            }
            Self::Journal(socket) => socket.send(journal_entry(level, line).as_bytes()).map(drop),
            Self::Syslog(socket) => socket.send(syslog_packet(level, line).as_bytes()).map(drop),
            Self::File { file, .. } => file
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(stamp(line).as_bytes()),
            Self::Memory(captured) => {
                captured.push(line);
                Ok(())
            }
        }
    }

    fn reopen(&self) -> Result<(), TargetError> {
        if let Self::File { path, file } = self {
            *file.lock().unwrap_or_else(PoisonError::into_inner) = append_to(path)?;
        }
        Ok(())
    }
}

fn append_to(path: &Path) -> Result<File, TargetError> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)
        .map_err(|source| TargetError::File {
            path: path.to_owned(),
            source,
        })
}

/// A datagram socket that never blocks: a daemon that stands still must not stop mail.
fn daemon(path: &'static str) -> Result<UnixDatagram, TargetError> {
    let open = || {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    };
    open().map_err(|source| TargetError::Daemon {
        socket: path,
        source,
    })
}

/// The form that syslog daemons take on their local socket (RFC 3164 §4.1, without time and host).
fn syslog_packet(level: Level, line: &str) -> String {
    let (priority, pid) = (FACILITY_MAIL | severity(level), std::process::id());
    format!(
        "<{priority}>pillarbox[{pid}]: {}",
        line.trim_end_matches('\n')
    )
}

/// Fields, one a line: a line of ours holds no line break. It ends with one.
fn journal_entry(level: Level, line: &str) -> String {
    let priority = severity(level);
    format!("PRIORITY={priority}\nSYSLOG_FACILITY=2\nSYSLOG_IDENTIFIER=pillarbox\nMESSAGE={line}")
}

fn stamp(line: &str) -> String {
    format!("{} {line}", timestamp(SystemTime::now()))
}

/// The severity of RFC 5424 §6.2.1, which the journal uses too.
fn severity(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warning => 4,
        Level::Info => 6,
        Level::Debug => 7,
    }
}

/// Whether stderr is the stream that the service manager named in `JOURNAL_STREAM` ("DEVICE:INODE",
/// systemd.exec(5)). A child with a redirected stderr inherits the variable but not the stream.
fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    std::fs::metadata("/proc/self/fd/2")
        .is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn say(sink: &Sink, message: &str) {
        sink.write(Level::Info, "test", message, &[]);
    }

    /// logrotate moves the file away, sends the signal, and expects the next line in a new file.
    #[test]
    fn a_rotated_file_is_left_behind() {
        let directory = tempfile::tempdir().unwrap();
        let (path, moved) = (directory.path().join("log"), directory.path().join("log.1"));
        let sink = Sink::open(&["log"], directory.path()).unwrap();
        say(&sink, "first");
        std::fs::rename(&path, &moved).unwrap();
        say(&sink, "second");
        assert!(sink.reopen().is_empty());
        say(&sink, "third");

        let text = std::fs::read_to_string(moved).unwrap();
        let lines: Vec<_> = text
            .lines()
            .map(|l| l.split_once("Z ").unwrap().1)
            .collect();
        assert_eq!(lines, ["test: first\t", "test: second\t"]);
        assert!(
            std::fs::read_to_string(path)
                .unwrap()
                .ends_with("Z test: third\t\n")
        );
    }

    #[test]
    fn a_file_that_went_away_with_its_directory_is_reported() {
        let directory = tempfile::tempdir().unwrap();
        let sink = Sink::open(&["log"], directory.path()).unwrap();
        std::fs::remove_dir_all(directory.path()).unwrap();
        let [TargetError::File { .. }] = sink.reopen()[..] else {
            panic!("one file, one failure");
        };
    }

    #[test]
    fn daemons_get_priorities() {
        let packet = syslog_packet(Level::Warning, "imap: odd\t\n");
        let (head, rest) = packet.split_once('[').unwrap();
        assert_eq!(head, "<20>pillarbox");
        assert!(rest.ends_with("]: imap: odd\t"), "{packet:?}");
        let entry = journal_entry(Level::Debug, "[debug] imap: odd\t\n");
        assert!(entry.starts_with("PRIORITY=7\n"), "{entry}");
        assert!(
            entry.ends_with("\nMESSAGE=[debug] imap: odd\t\n"),
            "{entry}"
        );
    }

    #[test]
    fn off_is_alone() {
        let here = Path::new("/");
        assert!(Sink::open(&["off"], here).is_ok());
        let error = Sink::open(&["stderr", "off"], here).err().unwrap();
        assert_eq!(
            error.to_string(),
            "'off' can't be combined with other log targets"
        );
        assert!(matches!(
            Sink::open::<&str>(&[], here),
            Err(TargetError::None)
        ));
    }
}
