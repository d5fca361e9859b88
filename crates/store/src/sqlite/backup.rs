//! A copy while the store is in use.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::{Engine, mark};
use crate::Error;

/// Pages copied at a time: all. A reader keeps no writer waiting, and a copy in steps would start
/// again after each commit, on a busy server for ever.
const PAGES: i32 = i32::MAX;

/// Rows first, then bytes: bytes are only ever added, and none are given up meanwhile, so what the
/// rows name is there.
pub(super) async fn backup(engine: &Engine, directory: &Path) -> Result<(), Error> {
    let _copying = engine.copying.lock().await;
    std::fs::create_dir_all(directory)?;
    let target = directory.join(engine.settings.path.file_name().unwrap_or_default());
    if target.exists() {
        let text = format!("{} exists already", target.display());
        return Err(std::io::Error::new(std::io::ErrorKind::AlreadyExists, text).into());
    }
    tokio::task::block_in_place(|| {
        engine.readers.with(|source| {
            let mut copy = Connection::open(&target)?;
            let backup = Backup::new(source, &mut copy)?;
            backup.run_to_completion(PAGES, Duration::ZERO, None)?;
            drop(backup);
            mark::set(&copy, mark::COPY)
        })
    })?;
    engine.blobs.backup(directory).await
}
