//! Moving pages from the write-ahead log into the database, beside the committer.
//!
//! A commit that has to checkpoint makes everybody wait who is in its batch. So a task of its own
//! does it, while batches go on. As they add to the log, it would never be empty: when it grew long
//! in spite of this, the committer itself moves the rest between two batches, which is little by
//! then.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use super::Settings;
use crate::Error;

/// Rows changed until pages are moved: some 4 MB of log.
const EVERY_ROWS: u64 = 4_000;
/// Pages in the log (64 MB) from which on the committer waits until it is empty.
const LONG_PAGES: i64 = 16_384;
/// How long it waits for readers; everybody who writes waits with it.
const PATIENCE: Duration = Duration::from_millis(50);

/// Says when to checkpoint, and does.
pub(super) struct Checkpoint {
    settings: Settings,
    connection: Mutex<Option<Connection>>,
    running: AtomicBool,
    long: AtomicBool,
    /// Rows changed when the last one began.
    rows: AtomicU64,
}

impl Checkpoint {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            connection: Mutex::new(None),
            running: AtomicBool::new(false),
            long: AtomicBool::new(false),
            rows: AtomicU64::new(0),
        }
    }

    /// To be called between two batches, with the connection that writes.
    pub(super) fn after_batch(self: &Arc<Self>, writer: &Connection) {
        if self.long.swap(false, Ordering::AcqRel)
            && let Err(error) = self.restart(writer)
        {
            tracing::warn!(reason = %error, "the log can't be emptied");
        }
        let rows = writer.total_changes();
        let due = rows.saturating_sub(self.rows.load(Ordering::Acquire)) >= EVERY_ROWS;
        if due && !self.running.swap(true, Ordering::AcqRel) {
            self.rows.store(rows, Ordering::Release);
            let this = self.clone();
            tokio::task::spawn_blocking(move || this.run());
        }
    }

    /// Moves the rest and begins the log anew, unless somebody reads from it for long: a backup,
    /// say.
    fn restart(&self, writer: &Connection) -> Result<(), Error> {
        writer.busy_timeout(PATIENCE)?;
        let moved = pages(writer, "PRAGMA wal_checkpoint(RESTART)");
        writer.busy_timeout(self.settings.busy_timeout)?;
        moved.map(drop)
    }

    fn run(&self) {
        match self.passive() {
            Ok(pages) => self.long.store(pages > LONG_PAGES, Ordering::Release),
            Err(error) => tracing::warn!(reason = %error, "checkpoint failed"),
        }
        self.running.store(false, Ordering::Release);
    }

    /// Moves what can be moved without waiting. Returns the pages in the log.
    fn passive(&self) -> Result<i64, Error> {
        let mut slot = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let connection = match slot.take() {
            Some(connection) => connection,
            None => super::connect(&self.settings)?,
        };
        let pages = pages(&connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        *slot = Some(connection);
        Ok(pages)
    }
}

fn pages(connection: &Connection, statement: &str) -> Result<i64, Error> {
    Ok(connection
        .prepare_cached(statement)?
        .query_row([], |row| row.get(1))?)
}
