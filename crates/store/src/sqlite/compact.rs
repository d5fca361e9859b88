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

/// Lets the keeper move blobs, and takes over their new places. Old ones are doomed: sessions may
/// still read there for the grace period. A crash on the way leaves copies that no row names; a
/// check finds them.
pub(super) async fn compact(engine: &Engine) -> Result<(), Error> {
    let moved: HashMap<Location, Location> = engine.blobs.compact().await?.into_iter().collect();
    if moved.is_empty() {
        return Ok(());
    }
    // Whatever was put before, and belongs to an operation, has its rows when this is answered.
    engine.committer.submit(Vec::new(), |_, _| Ok(())).await?;
    let (moves, mut unnamed) =
        tokio::task::block_in_place(|| engine.readers.with(|sql| find(sql, moved)))?;
    for some in moves.chunks(BLOBS) {
        let some = some.to_vec();
        let repointed = engine
            .committer
            .submit(Vec::new(), move |tx, _| repoint(tx, &some));
        unnamed.extend(repointed.await?);
    }
    // Nobody was ever told of these.
    engine.blobs.forget(&unnamed).await?;
    Ok(())
}

/// The blobs that were moved, and new places that belong to none. One pass over all rows: cheaper
/// than an index of places, which every append would pay for.
fn find(
    sql: &Connection,
    mut moved: HashMap<Location, Location>,
) -> Result<(Vec<Move>, Vec<Location>), Error> {
    let mut moves = Vec::with_capacity(moved.len());
    let mut statement = sql.prepare("SELECT id, location FROM blob")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let old = super::read::location(row, 1)?;
        if let Some(new) = moved.remove(&old) {
            moves.push((row.get(0)?, old, new));
        }
    }
    Ok((moves, moved.into_values().collect()))
}

/// Returns new places of blobs whose rows are gone by now.
fn repoint(tx: &Tx<'_>, moves: &[Move]) -> Result<Vec<Location>, Error> {
    let mut gone = Vec::new();
    for (id, old, new) in moves {
        let update = "UPDATE blob SET location = ? WHERE id = ? AND location = ?";
        let changed = tx
            .sql
            .prepare_cached(update)?
            .execute(params![&*new.0, id, &*old.0])?;
        if changed == 0 {
            gone.push(new.clone());
        } else {
            tx.doom(std::slice::from_ref(old), tx.now)?;
        }
    }
    Ok(gone)
}
