//! What is to be known of the whole database when it is opened.

use rusqlite::{Connection, params};

use super::commit::now;
use crate::Error;

/// It is a copy that nobody opened yet.
pub(super) const COPY: &str = "copy";

/// It was made beside messages that it does not know: another one was lost. Until a check took them
/// in, no account is made, since its id may be that of somebody whose messages these are.
pub(super) const BEREFT: &str = "bereft";

pub(super) fn is_set(sql: &Connection, name: &str) -> Result<bool, Error> {
    let mut statement = sql.prepare_cached("SELECT 1 FROM mark WHERE name = ?")?;
    Ok(statement.exists([name])?)
}

pub(super) fn set(sql: &Connection, name: &str) -> Result<(), Error> {
    sql.execute("INSERT OR IGNORE INTO mark (name) VALUES (?)", [name])?;
    Ok(())
}

/// Whether it was set.
pub(super) fn clear(sql: &Connection, name: &str) -> Result<bool, Error> {
    Ok(sql.execute("DELETE FROM mark WHERE name = ?", [name])? > 0)
}

/// Makes a copy that is opened for the first time a store of its own.
///
/// Since it was made the original may have gone on, and given UIDs and mod-sequences to other
/// messages and changes than will be given here. So all mailboxes get another UIDVALIDITY: clients
/// then trust nothing that they were told of these (RFC 3501 §2.3.1.1).
pub(super) fn part_from_original(sql: &Connection) -> Result<(), Error> {
    let transaction = sql.unchecked_transaction()?;
    if !clear(&transaction, COPY)? {
        return Ok(());
    }
    transaction.execute(
        "UPDATE mailbox SET uid_validity = new.uid_validity
         FROM (SELECT m.id, max(a.last_uid_validity, ?)
                 + row_number() OVER (PARTITION BY m.account ORDER BY m.id) AS uid_validity
               FROM mailbox m JOIN account a ON a.id = m.account) AS new
         WHERE new.id = mailbox.id",
        params![now()],
    )?;
    transaction.execute(
        "UPDATE account SET last_uid_validity = max(last_uid_validity,
           (SELECT ifnull(max(m.uid_validity), 0) FROM mailbox m WHERE m.account = account.id))",
        [],
    )?;
    Ok(transaction.commit()?)
}
