//! The log: one line an event, in a form that people read and fail2ban matches.
//!
//! ```text
//! imap: authentication failed<TAB>{"reason":"...","src_ip":"192.0.2.7:5000","username":"..."}
//! ```
//!
//! That is the logger's name, a colon and a message that never varies, a tab (always there), and
//! what varies as a JSON object with sorted keys (nothing at all if there is none). Debug lines
//! begin with `[debug] `; the targets `stderr_ts` and files put a time stamp before that.
//!
//! **How to log.** Whoever speaks has a [`Logger`], made once with the name under which an
//! administrator knows the thing (`imap`, `imap/sasl`, `pass_table`) and cloned freely:
//!
//! ```
//! # use pillarbox::log::Logger;
//! # let (peer, user) = ("192.0.2.7:5000", "user@example.org");
//! let log = Logger::new("imap").with_debug(false);
//! log.info("authentication failed", &[("src_ip", &peer), ("username", &user)]);
//! log.child("sasl").debug("mechanism chosen", &[("mechanism", &"PLAIN")]);
//! ```
//!
//! Whether debug lines are written is a property of the logger, since `debug` is a directive of
//! each endpoint. Nothing is formatted for a line that is not written. Crates that don't know this
//! one (the store) use `tracing` with the same split of message and fields: what they say arrives
//! under their module's path, `pillarbox_store::sqlite` as `store/sqlite`.
//!
//! A line is written by the caller, at once and whole; what can't be written is lost, since there
//! is nowhere to complain. Never log secrets, message bodies or whole commands.

mod bridge;
mod line;
mod target;

pub(crate) use line::timestamp;

use std::borrow::Cow;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use arc_swap::ArcSwap;

pub use line::{Text, Value};
pub use target::{Sink, TargetError};

/// How much an event matters. Decides the priority in syslog and the journal, not the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something failed that should not: an administrator has to look.
    Error,
    /// Something will bite later or is not as safe as it could be.
    Warning,
    /// What an administrator wants to know on a normal day.
    Info,
    /// For whoever hunts a fault.
    Debug,
}

/// What varies in an event: keys and values, in any order.
pub type Fields<'a> = &'a [(&'a str, &'a dyn Value)];

/// Where all loggers without a sink of their own write: stderr until [`install`] is called.
static SINK: LazyLock<ArcSwap<Sink>> = LazyLock::new(|| ArcSwap::from_pointee(Sink::stderr()));

/// Makes `sink` the one that all loggers write to, those that exist included. Gives the one before.
pub fn install(sink: impl Into<Arc<Sink>>) -> Arc<Sink> {
    SINK.swap(sink.into())
}

/// Opens log files anew, after they were rotated. A file that can't be opened stays with its old
/// handle, and that is logged.
pub fn reopen() {
    for error in SINK.load().reopen() {
        Logger::new("log").error("failed to reopen", &[("reason", &Text(error))]);
    }
}

/// Brings what is said through `tracing` into the log. `debug` includes its debug lines; later
/// calls only change that.
pub fn bridge_tracing(debug: bool) {
    bridge::install(debug);
}

/// A name to log under, and whether debug lines are wanted. Cheap to clone.
#[derive(Clone)]
pub struct Logger {
    name: Arc<str>,
    debug: bool,
    /// `None` writes to the installed one.
    sink: Option<Arc<Sink>>,
}

impl Logger {
    /// A logger without debug lines.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: Arc::from(name),
            debug: false,
            sink: None,
        }
    }

    /// A logger that writes nowhere but to the returned text: for tests.
    #[must_use]
    pub fn captured(name: &str) -> (Self, Captured) {
        let captured = Captured::default();
        let mut logger = Self::new(name);
        logger.sink = Some(Arc::new(Sink::memory(captured.clone())));
        (logger, captured)
    }

    /// The same logger, with debug lines or without.
    #[must_use]
    pub fn with_debug(mut self, debug: bool) -> Self {
        self.debug = debug;
        self
    }

    /// A logger for a part: `imap` has a child `imap/sasl`.
    #[must_use]
    pub fn child(&self, part: &str) -> Self {
        Self {
            name: Arc::from(format!("{}/{part}", self.name)),
            ..self.clone()
        }
    }

    /// The name it logs under.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether debug lines are written; asks whoever would have to work for one.
    #[must_use]
    pub fn debugs(&self) -> bool {
        self.debug
    }

    /// Logs a failure that an administrator has to look at.
    pub fn error(&self, message: &str, fields: Fields<'_>) {
        self.log(Level::Error, message, fields);
    }

    /// Logs what will bite later.
    pub fn warn(&self, message: &str, fields: Fields<'_>) {
        self.log(Level::Warning, message, fields);
    }

    /// Logs what is worth knowing on a normal day.
    pub fn info(&self, message: &str, fields: Fields<'_>) {
        self.log(Level::Info, message, fields);
    }

    /// Logs for whoever hunts a fault; does nothing unless the logger has debug lines on.
    pub fn debug(&self, message: &str, fields: Fields<'_>) {
        if self.debug {
            self.log(Level::Debug, message, fields);
        }
    }

    fn log(&self, level: Level, message: &str, fields: Fields<'_>) {
        match &self.sink {
            Some(sink) => sink.write(level, &self.name, message, fields),
            None => SINK.load().write(level, &self.name, message, fields),
        }
    }
}

/// What a captured logger has written.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<String>>);

impl Captured {
    /// All lines so far.
    #[must_use]
    pub fn text(&self) -> String {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn push(&self, line: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_str(line);
    }
}

/// The name of a `tracing` target as a logger's: `pillarbox_store::sqlite` is `store/sqlite`.
fn name_of_target(target: &str) -> Cow<'_, str> {
    let own = target
        .strip_prefix("pillarbox_")
        .or_else(|| target.strip_prefix("pillarbox::"))
        .unwrap_or(target);
    if own.contains("::") {
        Cow::Owned(own.replace("::", "/"))
    } else {
        Cow::Borrowed(own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_login_reads_as_fail2ban_expects() {
        let (log, written) = Logger::captured("imap");
        log.info(
            "authentication failed",
            &[
                ("username", &"user@example.org"),
                ("src_ip", &"192.0.2.7:5000"),
                ("reason", &"wrong \"password\"\r\nor user"),
            ],
        );
        assert_eq!(
            written.text(),
            "imap: authentication failed\t{\"reason\":\"wrong \\\"password\\\"\\r\\nor user\",\
             \"src_ip\":\"192.0.2.7:5000\",\"username\":\"user@example.org\"}\n"
        );
    }

    #[test]
    fn the_tab_is_there_without_fields() {
        let (log, written) = Logger::captured("imap");
        log.child("sasl").warn("odd", &[]);
        assert_eq!(written.text(), "imap/sasl: odd\t\n");
    }

    #[test]
    fn debug_is_a_property_of_the_logger() {
        let (quiet, written) = Logger::captured("imap");
        quiet.debug("unheard", &[]);
        quiet
            .clone()
            .with_debug(true)
            .child("io")
            .debug("heard", &[("bytes", &7)]);
        assert_eq!(written.text(), "[debug] imap/io: heard\t{\"bytes\":7}\n");
    }

    /// A name or message must not forge a second line.
    #[test]
    fn control_characters_stay_inside_the_line() {
        let (log, written) = Logger::captured("imap");
        log.info("one\ntwo\u{1b}[0m", &[("k\n", &"\u{7f}\u{85}\u{2028}")]);
        assert_eq!(
            written.text(),
            "imap: one two [0m\t{\"k\\n\":\"\\u007f\\u0085\\u2028\"}\n"
        );
    }

    #[test]
    fn modules_become_names() {
        assert_eq!(
            name_of_target("pillarbox_store::sqlite::write"),
            "store/sqlite/write"
        );
        assert_eq!(name_of_target("pillarbox::auth::pam"), "auth/pam");
        assert_eq!(name_of_target("imap"), "imap");
    }
}
