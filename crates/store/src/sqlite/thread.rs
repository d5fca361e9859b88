//! What messages belong together (RFC 8474 §5.2), and what is known of each beside its row in memory.

use pillarbox_model::{AccountId, MailboxId, NumberSet, Uid};
use rusqlite::{Connection, OptionalExtension, params};

use super::tx::Tx;
use crate::{Error, Facts, Links};

/// Identifiers looked up for one message, the nearest ancestors first: bounds what a message with a
/// long list of references costs. Each of these ancestors had its own nearest ones.
const LOOKED_UP: usize = 32;
/// Seconds after which the last mention of an identifier is forgotten, two years. Without this a
/// store would grow with all mail that it ever had.
const KEPT_SECONDS: i64 = 2 * 365 * DAY;
/// A mention is noted anew after this time, thirty days: most replies come sooner, and write nothing.
const NOTED_SECONDS: i64 = 30 * DAY;
const DAY: i64 = 24 * 3_600;
/// Identifiers looked at when old ones are forgotten: bounds the transaction.
const LOOKED_THROUGH: usize = 20_000;

impl Tx<'_> {
    /// The thread of a new message: that of the nearest message it refers to, or of one that refers to
    /// it, under the same subject. Without any it begins one, by its own email id. Whatever it mentions
    /// leads to this thread from now on, unless it leads to another.
    pub(super) fn thread(
        &self,
        account: AccountId,
        email: i64,
        links: &Links,
    ) -> Result<i64, Error> {
        let nearest = links.references.iter().rev().take(LOOKED_UP);
        let ids: Vec<i64> = nearest.chain(&links.own).map(|id| *id as i64).collect();
        let subject = links.subject as i64;
        let mut thread = None;
        for id in &ids {
            thread = self.linked(account, *id, subject)?;
            if thread.is_some() {
                break;
            }
        }
        let thread = thread.unwrap_or(email);
        let mut statement = self.sql.prepare_cached(
            "INSERT INTO link (account, id, subject, thread, used) VALUES (?, ?, ?, ?, ?5)
             ON CONFLICT DO UPDATE SET used = ?5 WHERE used < ?5 - ?6",
        )?;
        for id in ids {
            let now = self.now;
            statement.execute(params![
                account.0 as i64,
                id,
                subject,
                thread,
                now,
                NOTED_SECONDS
            ])?;
        }
        Ok(thread)
    }

    fn linked(&self, account: AccountId, id: i64, subject: i64) -> Result<Option<i64>, Error> {
        let find = "SELECT thread FROM link WHERE account = ? AND id = ? AND subject = ?";
        let mut statement = self.sql.prepare_cached(find)?;
        let key = params![account.0 as i64, id, subject];
        Ok(statement.query_row(key, |row| row.get(0)).optional()?)
    }

    /// Forgets identifiers that nothing mentioned for long, some at a time. Says where to go on.
    pub(super) fn forget_links(&self, after: (i64, i64)) -> Result<(i64, i64), Error> {
        let mut statement = self.sql.prepare_cached(
            "SELECT account, id, used FROM link WHERE (account, id) > (?, ?)
             ORDER BY account, id LIMIT ?",
        )?;
        let some = statement
            .query_map(params![after.0, after.1, LOOKED_THROUGH as i64], |row| {
                Ok(((row.get(0)?, row.get(1)?), row.get(2)?))
            })?;
        let some = some.collect::<Result<Vec<((i64, i64), i64)>, _>>()?;
        let long_ago = self.now - KEPT_SECONDS;
        let mut forget = self
            .sql
            .prepare_cached("DELETE FROM link WHERE account = ? AND id = ? AND used < ?")?;
        for ((account, id), _) in some.iter().filter(|(_, used)| *used < long_ago) {
            forget.execute([*account, *id, long_ago])?;
        }
        let whole = some.len() == LOOKED_THROUGH;
        let last = some.last().filter(|_| whole).map(|(key, _)| *key);
        Ok(last.unwrap_or_default())
    }
}

/// What is known of these messages, by UID.
pub(super) fn facts(
    sql: &Connection,
    mailbox: MailboxId,
    uids: &NumberSet,
) -> Result<Vec<(Uid, Facts)>, Error> {
    let snapshot = sql.unchecked_transaction()?;
    let mut statement = snapshot.prepare_cached(
        "SELECT uid, email, thread, saved FROM message
         WHERE mailbox = ? AND uid BETWEEN ? AND ? ORDER BY uid",
    )?;
    let mut found = Vec::new();
    for &(first, last) in uids.ranges() {
        let rows = statement.query_map(params![mailbox.0 as i64, first, last], |row| {
            let facts = Facts {
                email: row.get::<_, i64>(1)? as u64,
                thread: row.get::<_, Option<i64>>(2)?.map(|thread| thread as u64),
                saved: row.get(3)?,
            };
            Ok((Uid(row.get(0)?), facts))
        })?;
        for row in rows {
            found.push(row?);
        }
    }
    Ok(found)
}
