//! Comparing what is stored with itself.
//!
//! Looking is done beside the committer, on one snapshot; mending in it, where everything is
//! counted anew.

use std::collections::HashSet;

use pillarbox_model::{BlobId, MailboxId};
use rusqlite::Connection;

use super::tx::Tx;
use super::{Engine, mark};
use crate::blob::{About, Location};
use crate::{Digester, Error, Finding, Store};

/// Bytes that a keeper has.
pub(super) type Kept = (Location, Option<About>, u64);

/// Compares counters with rows, rows with blobs, and blobs with what their keeper has. Reads all
/// bytes once.
pub(super) async fn check(
    engine: &Engine,
    repair: Option<Digester>,
) -> Result<Vec<Finding>, Error> {
    let _copying = engine.copying.lock().await;
    let kept = engine.blobs.list().await?;
    // Whatever was put before that list and belongs to an operation has its rows when this is
    // answered.
    engine.committer.submit(Vec::new(), |_, _| Ok(())).await?;
    let seen = tokio::task::block_in_place(|| engine.readers.with(look))?;
    let mut findings = seen.damage;
    findings.extend(mend_rows(engine, &seen.mailboxes, seen.counts, repair.is_some()).await?);
    findings.extend(mend_digests(engine, seen.undigested, repair).await?);
    let names: HashSet<&Location> = seen.named.iter().map(|(location, _)| location).collect();
    for (location, size) in &seen.named {
        findings.extend(check_bytes(engine, location, *size).await);
    }
    let unnamed = |kept: &Kept| !names.contains(&kept.0) && !seen.known.contains(&kept.0);
    let orphans: Vec<Kept> = kept.into_iter().filter(unnamed).collect();
    findings.extend(super::recover::recover(engine, orphans, seen.bereft, repair).await?);
    Ok(findings)
}

/// What the index says at one moment.
#[derive(Default)]
struct Seen {
    /// What can't be mended.
    damage: Vec<Finding>,
    /// Messages whose digest is missing.
    undigested: Vec<(Finding, BlobId, Location)>,
    /// Whether the database is new, and messages are older.
    bereft: bool,
    /// Mailboxes whose counters are wrong, with a name to print.
    mailboxes: Vec<(MailboxId, String)>,
    /// Accounts and blobs whose counts are wrong.
    counts: Vec<Finding>,
    /// Bytes that have to be there.
    named: Vec<(Location, u64)>,
    /// Bytes that wait to be given up.
    known: HashSet<Location>,
}

fn look(sql: &Connection) -> Result<Seen, Error> {
    let snapshot = sql.unchecked_transaction()?;
    let named = "SELECT location, size FROM blob WHERE refs > 0";
    let known = "SELECT location FROM blob WHERE refs = 0 UNION ALL SELECT location FROM doomed";
    Ok(Seen {
        damage: damage(&snapshot)?,
        undigested: undigested(&snapshot)?,
        bereft: mark::is_set(&snapshot, mark::BEREFT)?,
        mailboxes: miscounted(&snapshot)?,
        counts: [miscounted_accounts(&snapshot)?, references(&snapshot)?].concat(),
        named: snapshot
            .prepare(named)?
            .query_map([], |row| {
                Ok((super::read::location(row, 0)?, row.get::<_, i64>(1)? as u64))
            })?
            .collect::<Result<_, _>>()?,
        known: snapshot
            .prepare(known)?
            .query_map([], |row| super::read::location(row, 0))?
            .collect::<Result<_, _>>()?,
    })
}

pub(super) fn finding(subject: String, problem: String) -> Finding {
    Finding {
        subject,
        problem,
        repaired: false,
    }
}

/// What SQLite says of its file, and messages whose bytes have no row.
fn damage(sql: &Connection) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    let mut statement = sql.prepare("PRAGMA quick_check(100)")?;
    let mut said = statement.query([])?;
    while let Some(row) = said.next()? {
        let text: String = row.get(0)?;
        if text != "ok" {
            findings.push(finding("database".into(), text));
        }
    }
    let mut statement = sql.prepare(
        "SELECT g.mailbox, g.uid FROM message g LEFT JOIN blob b ON b.id = g.blob
         WHERE b.id IS NULL",
    )?;
    let mut lost = statement.query([])?;
    while let Some(row) = lost.next()? {
        findings.push(finding(message(row)?, "its bytes have no row".into()));
    }
    Ok(findings)
}

/// A message by its mailbox and UID, the first two columns.
fn message(row: &rusqlite::Row<'_>) -> rusqlite::Result<String> {
    let (mailbox, uid): (i64, u32) = (row.get(0)?, row.get(1)?);
    Ok(format!("message {uid} of mailbox {mailbox}"))
}

/// Messages without a digest.
fn undigested(sql: &Connection) -> Result<Vec<(Finding, BlobId, Location)>, Error> {
    let mut statement = sql.prepare(
        "SELECT g.mailbox, g.uid, b.id, b.location FROM message g JOIN blob b ON b.id = g.blob
         LEFT JOIN digest d ON d.blob = g.blob WHERE d.blob IS NULL OR d.bytes = x''",
    )?;
    let found = statement.query_map([], |row| {
        let found = finding(message(row)?, "it has no digest".into());
        let blob = BlobId(row.get::<_, i64>(2)? as u64);
        Ok((found, blob, super::read::location(row, 3)?))
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Mailboxes whose counters are not what their rows say.
fn miscounted(sql: &Connection) -> Result<Vec<(MailboxId, String)>, Error> {
    let mut statement = sql.prepare(
        "SELECT m.id, a.name || ' ' || m.name
         FROM mailbox m JOIN account a ON a.id = m.account
         JOIN (SELECT x.id, count(g.uid) AS messages, count(g.uid) - total(g.flags & 1) AS unseen,
                      total((g.flags >> 3) & 1) AS deleted, total(g.size) AS size,
                      total(g.size * ((g.flags >> 3) & 1)) AS deleted_size,
                      ifnull(max(g.uid), 0) AS last_uid, ifnull(max(g.modseq), 0) AS last_modseq
               FROM mailbox x LEFT JOIN message g ON g.mailbox = x.id GROUP BY x.id) c
           ON c.id = m.id
         WHERE c.messages <> m.messages OR c.unseen <> m.unseen OR c.deleted <> m.deleted
            OR c.size <> m.size_bytes OR c.deleted_size <> m.deleted_bytes OR c.last_uid >= m.uid_next
            OR c.last_modseq > m.highest_modseq",
    )?;
    let wrong = statement.query_map([], |row| {
        Ok((MailboxId(row.get::<_, i64>(0)? as u64), row.get(1)?))
    })?;
    Ok(wrong.collect::<Result<_, _>>()?)
}

/// Accounts whose counters are not what the rows of all their mailboxes say.
fn miscounted_accounts(sql: &Connection) -> Result<Vec<Finding>, Error> {
    let mut statement = sql.prepare(
        "SELECT a.name FROM account a
         LEFT JOIN (SELECT m.account, count(*) AS messages, total(g.size) AS size
                    FROM message g JOIN mailbox m ON m.id = g.mailbox GROUP BY m.account) c
           ON c.account = a.id
         WHERE a.messages <> ifnull(c.messages, 0) OR a.size_bytes <> ifnull(c.size, 0)",
    )?;
    let wrong = statement.query_map([], |row| {
        let problem = "its counters differ from its messages".into();
        Ok(finding(
            format!("account {}", row.get::<_, String>(0)?),
            problem,
        ))
    })?;
    Ok(wrong.collect::<Result<_, _>>()?)
}

/// Blobs that are named by more or fewer messages than they say.
fn references(sql: &Connection) -> Result<Vec<Finding>, Error> {
    let mut statement = sql.prepare(
        "SELECT b.id, b.refs, count(g.uid) FROM blob b LEFT JOIN message g ON g.blob = b.id
         GROUP BY b.id HAVING b.refs <> count(g.uid)",
    )?;
    let wrong = statement.query_map([], |row| {
        let (id, says, is): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let problem = format!("is named by {is} messages and says {says}");
        Ok(finding(format!("blob {id}"), problem))
    })?;
    Ok(wrong.collect::<Result<_, _>>()?)
}

/// Reports what is wrong with counters and references, and counts anew if asked.
async fn mend_rows(
    engine: &Engine,
    mailboxes: &[(MailboxId, String)],
    counts: Vec<Finding>,
    repair: bool,
) -> Result<Vec<Finding>, Error> {
    let mut findings = counts;
    let miscounted = mailboxes
        .iter()
        .map(|(_, name)| finding(name.clone(), "its counters differ from its messages".into()));
    findings.extend(miscounted);
    if repair && !findings.is_empty() {
        let ids: Vec<_> = mailboxes.iter().map(|(id, _)| *id).collect();
        let mend = move |tx: &mut Tx<'_>, _| {
            tx.count_references()?;
            ids.into_iter().try_for_each(|id| tx.recount(id))?;
            tx.count_accounts()
        };
        engine.committer.submit(Vec::new(), mend).await?;
        findings
            .iter_mut()
            .for_each(|finding| finding.repaired = true);
    }
    Ok(findings)
}

impl Tx<'_> {
    /// Writes a mailbox's counters anew, as a change of it. UIDNEXT and the mod-sequence only ever
    /// rise.
    fn recount(&mut self, id: MailboxId) -> Result<(), Error> {
        self.sql.execute(
            "UPDATE mailbox SET
               messages = (SELECT count(*) FROM message WHERE mailbox = ?1),
               unseen = (SELECT count(*) FROM message WHERE mailbox = ?1 AND flags & 1 = 0),
               deleted = (SELECT count(*) FROM message WHERE mailbox = ?1 AND flags & 8 <> 0),
               size_bytes = (SELECT ifnull(sum(size), 0) FROM message WHERE mailbox = ?1),
               deleted_bytes = (SELECT ifnull(sum(size), 0) FROM message
                                WHERE mailbox = ?1 AND flags & 8 <> 0),
               uid_next = max(uid_next,
                 (SELECT ifnull(max(uid), 0) + 1 FROM message WHERE mailbox = ?1)),
               highest_modseq = max(highest_modseq,
                 (SELECT ifnull(max(modseq), 1) FROM message WHERE mailbox = ?1))
             WHERE id = ?1",
            [id.0 as i64],
        )?;
        let mut row = self.mailbox(id)?;
        row.next_modseq();
        let change = row.change();
        self.finish(&row, change)
    }

    /// Writes the counters of all accounts anew, of those of their mailboxes.
    fn count_accounts(&self) -> Result<(), Error> {
        self.sql.execute(
            "UPDATE account SET (messages, size_bytes) =
               (SELECT ifnull(sum(m.messages), 0), ifnull(sum(m.size_bytes), 0)
                FROM mailbox m WHERE m.account = account.id)",
            [],
        )?;
        Ok(())
    }

    /// Writes the references of all blobs anew.
    fn count_references(&self) -> Result<(), Error> {
        self.sql.execute(
            "UPDATE blob SET refs = c.n,
                    dead_since = CASE WHEN c.n = 0 THEN ifnull(dead_since, ?) END
             FROM (SELECT b.id, count(g.uid) AS n FROM blob b
                   LEFT JOIN message g ON g.blob = b.id GROUP BY b.id) AS c
             WHERE c.id = blob.id AND c.n <> blob.refs",
            [self.now],
        )?;
        Ok(())
    }
}

async fn check_bytes(engine: &Engine, location: &Location, size: u64) -> Option<Finding> {
    let problem = match engine.blobs.read_anew(location).await {
        Ok(bytes) if bytes.len() as u64 == size => return None,
        Ok(bytes) => format!("has {} bytes, the index says {size}", bytes.len()),
        Err(error) => error.to_string(),
    };
    Some(finding(format!("blob at {}", location.0), problem))
}

/// Reports messages without a digest, and makes it if asked.
async fn mend_digests(
    engine: &Engine,
    undigested: Vec<(Finding, BlobId, Location)>,
    repair: Option<Digester>,
) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::with_capacity(undigested.len());
    for (mut found, blob, location) in undigested {
        if let Some(digest) = repair
            && let Ok(bytes) = engine.blobs.read(&location).await
        {
            engine.redigest(vec![(blob, digest(&bytes).digest)]).await?;
            found.repaired = true;
        }
        findings.push(found);
    }
    Ok(findings)
}
