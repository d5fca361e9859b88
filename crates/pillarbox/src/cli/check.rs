//! `pillarbox check`.

use pillarbox_store::{Digester, Finding};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admin::{Blocks, Outcome, StorageBlock, failed, say, say_json};
use super::console::Console;
use crate::storage::incoming::digested;

/// Look for damage, and repair it.
///
/// Compares rows, counters, message bytes and checksums. The exit status is 0 if all is well, or
/// was made well, and 1 if something is wrong.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Check {
    #[command(flatten)]
    block: StorageBlock,
    /// Mend what can be mended without losing a message
    #[arg(long)]
    repair: bool,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        let repair = self.repair.then_some(digested as Digester);
        let findings = storage.store.check(repair).await?;
        if self.json {
            say_json(console, &findings.iter().map(json).collect::<Vec<_>>()).await?;
        } else {
            for finding in &findings {
                say(console, &line(finding)).await?;
            }
        }
        match findings.iter().filter(|finding| !finding.repaired).count() {
            0 => Ok(()),
            wrong => Err(failed(format!("{wrong} problems remain"))),
        }
    }
}

fn line(finding: &Finding) -> String {
    let repaired = if finding.repaired { " (repaired)" } else { "" };
    format!("{}: {}{repaired}", finding.subject, finding.problem)
}

fn json(finding: &Finding) -> serde_json::Value {
    json!({
        "subject": finding.subject,
        "problem": finding.problem,
        "repaired": finding.repaired,
    })
}
