//! The database's tables, and the steps from one version to the next.

use rusqlite::Connection;

use crate::Error;

/// Each step is one version: step `n` makes a database of version `n` one of version `n + 1`. Steps
/// are never changed once released.
const STEPS: &[&str] = &[V1];

/// What is not plain from the names:
///
/// - `account.messages` and `account.size_bytes` are what all its mailboxes have together, and
///   change in the same transactions. A quota that is NULL is the configuration's, one of -1 is
///   none (RFC 9208).
/// - `mailbox.id` together with its UIDVALIDITY is its object id (RFC 8474 §4): both stay when it
///   is renamed, ids are never used again, and where a restored copy goes other ways than the
///   original did, UIDVALIDITY tells them apart.
/// - `message.email` is the same for all copies of a message, and for no other of the store (RFC
///   8474 §5.1). It is not the blob: equal bytes with another INTERNALDATE are another message.
/// - `message.thread` goes along with copies too, and never changes. It is the `email` of the first
///   message of the thread.
/// - `link` leads from hashes of message identifiers and base subjects to threads; `used` is the second
///   of about the last time that a message had them.
/// - `message.created` is the mod-sequence at which the message came, `saved` the second (RFC 8514).
/// - `annotation` (RFC 5464): a `mailbox` of 0 is the server; a `user` of 0 is all of them; `payer` is the
///   account whose bounds count.
/// - `acl.rights` has a bit for each right (RFC 4314). No entry with an owner's name means all rights.
/// - `doomed` has places of bytes which no row names, to be given up.
/// - `mark` has what is to be known of the whole database when it is opened.
const V1: &str = "
CREATE TABLE account (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    append_limit INTEGER,
    last_uid_validity INTEGER NOT NULL DEFAULT 0,
    created INTEGER NOT NULL,
    messages INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    quota_messages INTEGER,
    quota_bytes INTEGER,
    quota_mailboxes INTEGER
) STRICT;
CREATE TABLE mailbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    special_use TEXT,
    uid_validity INTEGER NOT NULL,
    uid_next INTEGER NOT NULL DEFAULT 1,
    highest_modseq INTEGER NOT NULL DEFAULT 1,
    expunge_floor INTEGER NOT NULL DEFAULT 1,
    messages INTEGER NOT NULL DEFAULT 0,
    unseen INTEGER NOT NULL DEFAULT 0,
    deleted INTEGER NOT NULL DEFAULT 0,
    deleted_bytes INTEGER NOT NULL DEFAULT 0,
    size_bytes INTEGER NOT NULL DEFAULT 0,
    keywords TEXT NOT NULL DEFAULT '',
    created INTEGER NOT NULL,
    UNIQUE (account, name)
) STRICT;
CREATE TABLE acl (
    mailbox INTEGER NOT NULL,
    identifier TEXT NOT NULL,
    rights INTEGER NOT NULL,
    PRIMARY KEY (mailbox, identifier)
) STRICT, WITHOUT ROWID;
CREATE INDEX acl_by_identifier ON acl (identifier);
CREATE TABLE subscription (
    account INTEGER NOT NULL REFERENCES account (id),
    name TEXT NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
CREATE TABLE annotation (
    id INTEGER PRIMARY KEY,
    mailbox INTEGER NOT NULL,
    user INTEGER NOT NULL,
    entry TEXT NOT NULL,
    payer INTEGER NOT NULL,
    value BLOB NOT NULL,
    UNIQUE (mailbox, user, entry)
) STRICT;
CREATE INDEX annotation_by_payer ON annotation (payer);
CREATE INDEX annotation_by_user ON annotation (user);
CREATE TABLE blob (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL,
    hash BLOB NOT NULL,
    size INTEGER NOT NULL,
    location TEXT NOT NULL,
    refs INTEGER NOT NULL,
    dead_since INTEGER
) STRICT;
CREATE INDEX blob_by_hash ON blob (account, hash);
CREATE INDEX blob_dead ON blob (dead_since) WHERE refs = 0;
CREATE TABLE digest (
    blob INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE doomed (
    location TEXT PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE message (
    mailbox INTEGER NOT NULL,
    uid INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    created INTEGER NOT NULL,
    flags INTEGER NOT NULL,
    seconds INTEGER NOT NULL,
    zone INTEGER NOT NULL,
    size INTEGER NOT NULL,
    blob INTEGER NOT NULL,
    saved INTEGER NOT NULL,
    email INTEGER NOT NULL,
    thread INTEGER,
    PRIMARY KEY (mailbox, uid)
) STRICT, WITHOUT ROWID;
CREATE TABLE expunged (
    mailbox INTEGER NOT NULL,
    modseq INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (mailbox, modseq, first)
) STRICT, WITHOUT ROWID;
CREATE TABLE link (
    account INTEGER NOT NULL,
    id INTEGER NOT NULL,
    subject INTEGER NOT NULL,
    thread INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (account, id, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE counter (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counter (name, value) VALUES ('email', 0);
CREATE TABLE mark (
    name TEXT PRIMARY KEY
) STRICT, WITHOUT ROWID;
";

/// The version of a database; 0 if it is new.
///
/// # Errors
/// [`Error::Corrupt`] if it was written by a newer program: nothing has been touched.
pub(super) fn check_version(connection: &Connection) -> Result<usize, Error> {
    let version: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let known = STEPS.len();
    if version as usize > known {
        let text = format!("the database has version {version}, this program knows {known}");
        return Err(Error::Corrupt(text.into()));
    }
    Ok(version as usize)
}

/// Brings a database up to date, one transaction a step. Returns the version that it had.
///
/// # Errors
/// As [`check_version`].
pub(super) fn migrate(connection: &Connection) -> Result<usize, Error> {
    let version = check_version(connection)?;
    for (offset, step) in STEPS[version..].iter().enumerate() {
        let next = version + offset + 1;
        connection.execute_batch(&format!(
            "BEGIN IMMEDIATE;{step};PRAGMA user_version={next};COMMIT;"
        ))?;
    }
    Ok(version)
}
