//! `pillarbox completions`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::{Cli, Context, Failure};

/// Prints a script that completes this command line in a shell.
#[derive(clap::Args)]
pub(super) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "pillarbox", &mut script);
        Ok(std::io::Write::write_all(&mut std::io::stdout(), &script)?)
    }
}
