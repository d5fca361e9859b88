//! `pillarbox man`.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;

use clap::CommandFactory;

use super::{Cli, Context, EXIT_STATUSES, Failure};

/// Prints the manual page, or writes the pages of all commands into a directory.
#[derive(clap::Args)]
pub(super) struct Man {
    /// A directory that is there
    directory: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        // The section of the manual says it.
        let command = Cli::command().after_long_help(None);
        match self.directory {
            Some(directory) => {
                let page = directory.join("pillarbox.1");
                clap_mangen::generate_to(command, directory)?;
                let mut page = OpenOptions::new().append(true).open(page)?;
                page.write_all(exit_status().as_bytes())?;
            }
            None => {
                let mut page = Vec::new();
                clap_mangen::Man::new(command).render(&mut page)?;
                page.extend_from_slice(exit_status().as_bytes());
                std::io::stdout().write_all(&page)?;
            }
        }
        Ok(())
    }
}

/// The section on exit statuses, for man(7). Its texts begin no line with a dot or a quote.
fn exit_status() -> String {
    let items = EXIT_STATUSES
        .iter()
        .map(|(status, meaning)| format!(".TP\n\\fB{status}\\fR\n{meaning}\n"));
    format!(".SH \"EXIT STATUS\"\n{}", items.collect::<String>())
}
