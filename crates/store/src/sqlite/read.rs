//! Reading rows.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use pillarbox_model::{BlobId, Flags, InternalDate, MailboxId, ModSeq, Uid};
use rusqlite::{Connection, OptionalExtension, params};

use super::Settings;
use crate::mailbox::Row;
use crate::{Content, Error, Location};

/// Idle connections kept for readers: as many as can do something at once.
const IDLE_READERS: usize = 8;

/// Connections that only read. WAL lets them go on while a batch commits.
pub(super) struct Readers {
    settings: Settings,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            idle: Mutex::default(),
        }
    }

    /// Does some reading, on a connection of its own.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = match idle {
            Some(connection) => connection,
            None => super::connect(&self.settings)?,
        };
        let result = work(&connection);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS {
            idle.push(connection);
        }
        result
    }
}

/// The rows with a UID in a range, by UID.
pub(super) const ROWS: &str = "SELECT uid, modseq, flags, seconds, zone, size, blob FROM message
    WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid";

/// One of [`ROWS`].
pub(super) fn row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        uid: Uid(row.get(0)?),
        modseq: ModSeq(row.get::<_, i64>(1)? as u64),
        flags: Flags(row.get::<_, i64>(2)? as u64),
        date: InternalDate {
            unix_seconds: row.get(3)?,
            zone_minutes: row.get(4)?,
        },
        size: row.get(5)?,
        blob: BlobId(row.get::<_, i64>(6)? as u64),
    })
}

/// The rows with `first <= uid <= last`, by UID.
pub(super) fn row_range(
    sql: &Connection,
    mailbox: MailboxId,
    first: u32,
    last: u32,
) -> Result<Vec<Row>, Error> {
    let mut statement = sql.prepare_cached(ROWS)?;
    let rows = statement.query_map(params![mailbox.0 as i64, first, last], row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A location in a column.
pub(super) fn location(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Location> {
    Ok(Location(row.get_ref(column)?.as_str()?.into()))
}

/// Where the bytes of these blobs are, and their digests.
pub(super) fn contents(
    sql: &Connection,
    blobs: &[BlobId],
    digests: bool,
) -> Result<Vec<Content>, Error> {
    // One for all, or SQLite takes and gives back its locks for each.
    let snapshot = sql.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached(if digests {
        "SELECT location, bytes FROM blob LEFT JOIN digest ON digest.blob = blob.id
         WHERE blob.id = ?"
    } else {
        "SELECT location, NULL FROM blob WHERE id = ?"
    })?;
    let mut contents = Vec::with_capacity(blobs.len());
    for blob in blobs {
        let found = statement.query_row([blob.0 as i64], |found| {
            let digest = found.get_ref(1)?.as_blob_or_null()?.unwrap_or_default();
            Ok(Content {
                location: Location(found.get_ref(0)?.as_str()?.into()),
                digest: Bytes::copy_from_slice(digest),
            })
        });
        let lost = || Error::Corrupt(format!("blob {blob} has no row").into());
        contents.push(found.optional()?.ok_or_else(lost)?);
    }
    Ok(contents)
}
