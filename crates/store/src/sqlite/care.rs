//! Backup, checks, and giving room back.

use std::collections::HashSet;
use std::path::Path;

use rusqlite::backup::Backup;
use rusqlite::{Connection, Row, params};

use super::Engine;
use super::commit::now;
use super::tx::Tx;
use crate::blob::Location;
use crate::{Error, Finding};

/// Pages copied at a time: all. A reader keeps no writer waiting, and a copy in steps would start again after each
/// commit, on a busy server for ever.
const BACKUP_PAGES: i32 = i32::MAX;
/// Blobs given up in one go: bounds the transaction.
const REAP_BLOBS: i64 = 10_000;

/// Rows first, then bytes: bytes are only ever added, so what the rows name is there. Nothing is reaped meanwhile
/// that was not dead for the grace period before.
pub(super) async fn backup(engine: &Engine, directory: &Path) -> Result<(), Error> {
    let _copying = engine.copying.lock().await;
    std::fs::create_dir_all(directory)?;
    let name = engine.settings.path.file_name().unwrap_or_default();
    let target = directory.join(name);
    if target.exists() {
        let text = format!("{} exists already", target.display());
        return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, text).into());
    }
    tokio::task::block_in_place(|| {
        engine.readers.with(|source| {
            let mut copy = Connection::open(&target)?;
            let backup = Backup::new(source, &mut copy)?;
            backup.run_to_completion(BACKUP_PAGES, std::time::Duration::ZERO, None)?;
            Ok(())
        })
    })?;
    engine.blobs.backup(directory).await
}

/// Compares counters with rows, rows with blobs, and blobs with what their keeper has.
pub(super) async fn check(engine: &Engine, repair: bool) -> Result<Vec<Finding>, Error> {
    let mut findings = engine
        .committer
        .submit(Vec::new(), move |tx, _| {
            let mut findings = counters(tx.sql, repair)?;
            findings.extend(references(tx.sql, repair)?);
            Ok(findings)
        })
        .await?;
    let there: HashSet<Location> = engine
        .blobs
        .list()
        .await?
        .into_iter()
        .map(|(location, _, _)| location)
        .collect();
    let named = engine.readers.with(named_blobs)?;
    for (location, size) in named {
        let problem = if there.contains(&location) {
            match engine.blobs.read(&location).await {
                Ok(bytes) if bytes.len() as u64 == size => continue,
                Ok(bytes) => format!("has {} bytes, the index says {size}", bytes.len()),
                Err(error) => error.to_string(),
            }
        } else {
            "is missing".to_owned()
        };
        findings.push(Finding {
            subject: format!("blob at {}", location.0),
            problem,
            repaired: false,
        });
    }
    Ok(findings)
}

/// Mailboxes whose counters are not what their rows say.
fn counters(sql: &Connection, repair: bool) -> Result<Vec<Finding>, Error> {
    let mut statement = sql.prepare(
        "SELECT m.id, a.name, m.name, c.messages, c.unseen, c.deleted, c.size,
                c.last_uid >= m.uid_next, c.last_modseq > m.highest_modseq
         FROM mailbox m JOIN account a ON a.id = m.account
         JOIN (SELECT x.id, count(g.uid) AS messages, count(g.uid) - total(g.flags & 1) AS unseen,
                      total((g.flags >> 3) & 1) AS deleted, total(g.size) AS size,
                      ifnull(max(g.uid), 0) AS last_uid, ifnull(max(g.modseq), 0) AS last_modseq
               FROM mailbox x LEFT JOIN message g ON g.mailbox = x.id GROUP BY x.id) c
           ON c.id = m.id
         WHERE c.messages <> m.messages OR c.unseen <> m.unseen OR c.deleted <> m.deleted
            OR c.size <> m.size_bytes OR c.last_uid >= m.uid_next OR c.last_modseq > m.highest_modseq",
    )?;
    let mut wrong = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = wrong.next()? {
        findings.push(Finding {
            subject: format!("{} {}", row.get::<_, String>(1)?, row.get::<_, String>(2)?),
            problem: "counters differ from the messages".into(),
            repaired: repair,
        });
        if repair {
            recount(sql, row.get(0)?)?;
        }
    }
    Ok(findings)
}

/// Writes a mailbox's counters anew. UIDNEXT and the mod-sequence only ever rise.
fn recount(sql: &Connection, mailbox: i64) -> Result<(), Error> {
    sql.execute(
        "UPDATE mailbox SET
           messages = (SELECT count(*) FROM message WHERE mailbox = ?1),
           unseen = (SELECT count(*) FROM message WHERE mailbox = ?1 AND flags & 1 = 0),
           deleted = (SELECT count(*) FROM message WHERE mailbox = ?1 AND flags & 8 <> 0),
           size_bytes = (SELECT ifnull(sum(size), 0) FROM message WHERE mailbox = ?1),
           uid_next = max(uid_next, (SELECT ifnull(max(uid), 0) + 1 FROM message WHERE mailbox = ?1)),
           highest_modseq =
             max(highest_modseq, (SELECT ifnull(max(modseq), 1) FROM message WHERE mailbox = ?1))
         WHERE id = ?1",
        [mailbox],
    )?;
    Ok(())
}

/// Blobs that are named by more or fewer messages than they say.
fn references(sql: &Connection, repair: bool) -> Result<Vec<Finding>, Error> {
    let mut statement = sql.prepare(
        "SELECT b.id, b.refs, count(g.uid) FROM blob b LEFT JOIN message g ON g.blob = b.id
         GROUP BY b.id HAVING b.refs <> count(g.uid)",
    )?;
    let mut wrong = statement.query([])?;
    let mut findings = Vec::new();
    while let Some(row) = wrong.next()? {
        let (id, says, is): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        findings.push(Finding {
            subject: format!("blob {id}"),
            problem: format!("is named by {is} messages and says {says}"),
            repaired: repair,
        });
        if repair {
            let dead = (is == 0).then(now);
            let update = "UPDATE blob SET refs = ?, dead_since = ? WHERE id = ?";
            sql.execute(update, params![is, dead, id])?;
        }
    }
    Ok(findings)
}

fn named_blobs(sql: &Connection) -> Result<Vec<(Location, u64)>, Error> {
    let mut statement = sql.prepare("SELECT location, size FROM blob WHERE refs > 0")?;
    let blobs = statement.query_map([], |row| {
        Ok((
            Location(row.get_ref(0)?.as_str()?.into()),
            row.get::<_, i64>(1)? as u64,
        ))
    })?;
    Ok(blobs.collect::<Result<_, _>>()?)
}

/// Gives up blobs whose grace period is over: first their rows, durably, then their bytes. In between they are
/// listed as doomed, so that a crash neither leaks them nor makes them look like lost messages.
pub(super) async fn reap(engine: &Engine) -> Result<u64, Error> {
    let _copying = engine.copying.lock().await;
    let before = now() - engine.settings.grace.as_secs() as i64;
    let mut freed = 0;
    loop {
        let submitted = engine
            .committer
            .submit(Vec::new(), move |tx, _| doom_dead(tx, before));
        let doomed = submitted.await?;
        if doomed.is_empty() {
            return Ok(freed);
        }
        freed += engine.blobs.forget(&doomed).await?;
        engine
            .committer
            .submit(Vec::new(), move |tx, _| forget_doomed(tx.sql, &doomed))
            .await?;
    }
}

/// Takes rows of dead blobs away. Returns the locations to be given up, some at a time.
fn doom_dead(tx: &Tx<'_>, before: i64) -> Result<Vec<Location>, Error> {
    let mut statement = tx.sql.prepare_cached(
        "DELETE FROM blob WHERE id IN
           (SELECT id FROM blob WHERE refs = 0 AND dead_since <= ? LIMIT ?)
         RETURNING id, location",
    )?;
    let dead = statement.query_map(params![before, REAP_BLOBS], |row| {
        Ok((row.get(0)?, location(row, 1)?))
    })?;
    for (id, place) in dead.collect::<Result<Vec<(i64, _)>, _>>()? {
        tx.sql
            .prepare_cached("DELETE FROM digest WHERE blob = ?")?
            .execute([id])?;
        tx.doom(&[place])?;
    }
    let mut statement = tx
        .sql
        .prepare_cached("SELECT location FROM doomed LIMIT ?")?;
    let doomed = statement.query_map([REAP_BLOBS], |row| location(row, 0))?;
    Ok(doomed.collect::<Result<_, _>>()?)
}

fn forget_doomed(sql: &Connection, gone: &[Location]) -> Result<(), Error> {
    let mut statement = sql.prepare_cached("DELETE FROM doomed WHERE location = ?")?;
    for place in gone {
        statement.execute([&*place.0])?;
    }
    Ok(())
}

fn location(row: &Row<'_>, column: usize) -> rusqlite::Result<Location> {
    Ok(Location(row.get_ref(column)?.as_str()?.into()))
}
