//! `pillarbox verify-config`.

use super::{Context, Failure};
use crate::assemble::{Mode, Options, assemble};

/// Checks the configuration and all files that it names. Nothing is created, and no port is opened.
#[derive(clap::Args)]
pub(super) struct VerifyConfig {}

impl VerifyConfig {
    pub(super) fn run(self, context: &Context) -> Result<(), Failure> {
        let tree = context.load()?;
        let options = Options::new(Mode::Verify, crate::storage::engine::open);
        let server = assemble(&tree, &options).map_err(Failure::Configuration)?;
        for warning in server.warnings {
            eprintln!("warning: {warning}");
        }
        eprintln!("No errors detected");
        Ok(())
    }
}
