//! `pillarbox man`.

use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, Context, Failure};

/// Prints the manual page, or writes the pages of all commands into a directory.
#[derive(clap::Args)]
pub(super) struct Man {
    /// A directory that is there
    directory: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        let command = Cli::command();
        match self.directory {
            Some(directory) => clap_mangen::generate_to(command, directory)?,
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                std::io::stdout().write_all(&page)?;
            }
        }
        Ok(())
    }
}
