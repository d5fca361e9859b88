//! Giving room back.

use std::sync::PoisonError;

use rusqlite::{Connection, params};

use super::Engine;
use super::commit::now;
use super::expunge::RANGES;
use super::tx::Tx;
use crate::{Error, Location};

/// Blobs given up in one go: bounds the transaction.
const BLOBS: i64 = 10_000;

/// Gives up blobs whose grace period is over: first their rows, durably, then their bytes. In
/// between they are listed as doomed, so that a crash neither leaks them nor makes them look like
/// lost messages. Then what lives is moved out of files that are mostly empty.
pub(super) async fn reap(engine: &Engine) -> Result<u64, Error> {
    let _copying = engine.copying.lock().await;
    let before = now() - engine.settings.grace.as_secs() as i64;
    engine
        .committer
        .submit(Vec::new(), |tx, _| trim_expunged(tx.sql))
        .await?;
    forget_links(engine).await?;
    let mut freed = 0;
    loop {
        let submitted = engine
            .committer
            .submit(Vec::new(), move |tx, _| doom_dead(tx, before));
        let doomed = submitted.await?;
        if doomed.is_empty() {
            break;
        }
        freed += engine.blobs.forget(&doomed).await?;
        engine
            .committer
            .submit(Vec::new(), move |tx, _| forget_doomed(tx.sql, &doomed))
            .await?;
    }
    super::compact::compact(engine).await?;
    Ok(freed)
}

/// Some of the identifiers that lead to threads are looked at each time.
async fn forget_links(engine: &Engine) -> Result<(), Error> {
    let seen = || {
        engine
            .links_seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    let after = *seen();
    let forget = move |tx: &mut Tx<'_>, _| tx.forget_links(after);
    let next = engine.committer.submit(Vec::new(), forget).await?;
    *seen() = next;
    Ok(())
}

/// Takes rows of dead blobs away. Returns the locations to be given up, some at a time.
fn doom_dead(tx: &Tx<'_>, before: i64) -> Result<Vec<Location>, Error> {
    let mut statement = tx.sql.prepare_cached(
        "DELETE FROM blob WHERE id IN
           (SELECT id FROM blob WHERE refs = 0 AND dead_since <= ? LIMIT ?)
         RETURNING id, location, dead_since",
    )?;
    let dead = statement.query_map(params![before, BLOBS], |row| {
        Ok((row.get(0)?, super::read::location(row, 1)?, row.get(2)?))
    })?;
    for (id, place, since) in dead.collect::<Result<Vec<(i64, _, _)>, _>>()? {
        tx.sql
            .prepare_cached("DELETE FROM digest WHERE blob = ?")?
            .execute([id])?;
        tx.doom(&[place], since)?;
    }
    let doomed = "SELECT location FROM doomed WHERE since <= ? LIMIT ?";
    let mut statement = tx.sql.prepare_cached(doomed)?;
    let doomed =
        statement.query_map(params![before, BLOBS], |row| super::read::location(row, 0))?;
    Ok(doomed.collect::<Result<_, _>>()?)
}

fn forget_doomed(sql: &Connection, gone: &[Location]) -> Result<(), Error> {
    let mut statement = sql.prepare_cached("DELETE FROM doomed WHERE location = ?")?;
    for place in gone {
        statement.execute([&*place.0])?;
    }
    Ok(())
}

/// Drops what is too long ago, and notes up to where.
fn trim_expunged(sql: &Connection) -> Result<(), Error> {
    let long = "SELECT mailbox FROM expunged GROUP BY mailbox HAVING count(*) > ?";
    let mut long = sql.prepare(long)?;
    let long = long.query_map([RANGES], |row| row.get::<_, i64>(0))?;
    for mailbox in long.collect::<Result<Vec<_>, _>>()? {
        sql.execute(
            "UPDATE mailbox SET expunge_floor =
               (SELECT modseq FROM expunged WHERE mailbox = ?1
                ORDER BY modseq DESC LIMIT 1 OFFSET ?2)
             WHERE id = ?1",
            [mailbox, RANGES.into()],
        )?;
        sql.execute(
            "DELETE FROM expunged WHERE mailbox = ?1
               AND modseq <= (SELECT expunge_floor FROM mailbox WHERE id = ?1)",
            [mailbox],
        )?;
    }
    Ok(())
}
