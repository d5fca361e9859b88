//! Moving blobs together, so that room which was given up can be used again.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use super::Engine;
use super::tx::Tx;
use crate::{Error, Location};

/// Blobs repointed in one transaction: bounds how long it keeps writers waiting.
const BLOBS: usize = 10_000;

/// A blob with its old and its new place.
type Move = (i64, Location, Location);

/// Lets the keeper copy blobs, and takes over their new places. Old ones are doomed: sessions may
/// still read there for the grace period.
///
/// A copy counts for the keeper only after its place was noted as doomed, and is so until a row
/// names it. So whatever a crash leaves is given up in its time, and never taken for lost mail.
pub(super) async fn compact(engine: &Engine) -> Result<(), Error> {
    let moved: HashMap<Location, Location> = engine.blobs.compact().await?.into_iter().collect();
    if moved.is_empty() {
        return Ok(());
    }
    // Whatever was put before, and belongs to an operation, has its rows when this is answered.
    engine.committer.submit(Vec::new(), |_, _| Ok(())).await?;
    let moves = tokio::task::block_in_place(|| engine.readers.with(|sql| find(sql, moved)))?;
    for some in moves.chunks(BLOBS) {
        let new: Vec<_> = some.iter().map(|(_, _, new)| new.clone()).collect();
        let noted = new.clone();
        let doom = engine
            .committer
            .submit(Vec::new(), move |tx, _| tx.doom(&noted, tx.now));
        doom.await?;
        engine.blobs.keep(&new).await?;
        let some = some.to_vec();
        let repoint = engine
            .committer
            .submit(Vec::new(), move |tx, _| repoint(tx, &some));
        repoint.await?;
        engine.contents.moved();
    }
    Ok(())
}

/// The blobs that were moved. What belongs to none is not kept. One pass over all rows: cheaper
/// than an index of places, which every append would pay for.
fn find(sql: &Connection, mut moved: HashMap<Location, Location>) -> Result<Vec<Move>, Error> {
    let mut moves = Vec::with_capacity(moved.len());
    let mut statement = sql.prepare("SELECT id, location FROM blob")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let old = super::read::location(row, 1)?;
        if let Some(new) = moved.remove(&old) {
            moves.push((row.get(0)?, old, new));
        }
    }
    Ok(moves)
}

/// Where a blob's row is gone by now, the copy stays doomed.
fn repoint(tx: &Tx<'_>, moves: &[Move]) -> Result<(), Error> {
    for (id, old, new) in moves {
        let update = "UPDATE blob SET location = ? WHERE id = ? AND location = ?";
        let key = params![&*new.0, id, &*old.0];
        if tx.sql.prepare_cached(update)?.execute(key)? > 0 {
            tx.undoom(new)?;
            tx.doom(std::slice::from_ref(old), tx.now)?;
        }
    }
    Ok(())
}
