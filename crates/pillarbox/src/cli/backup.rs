//! `pillarbox backup`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::admin::{Blocks, Outcome, StorageBlock};
use super::console::Console;

/// Copy all mail into a directory, while the server goes on.
///
/// The copy is consistent: it is the storage as it was at one moment.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Backup {
    #[command(flatten)]
    block: StorageBlock,
    /// A directory that is empty or not there yet; the server's user has to be able to write to it
    directory: PathBuf,
}

impl Backup {
    /// Makes sense of the directory where the command was started: the server works in another.
    pub(super) fn make_absolute(&mut self) -> Outcome {
        self.directory = std::path::absolute(&self.directory)?;
        Ok(())
    }

    pub(super) async fn perform(self, blocks: &dyn Blocks, _: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        Ok(storage.store.backup(&self.directory).await?)
    }
}
