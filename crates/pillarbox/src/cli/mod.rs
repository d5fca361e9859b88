//! The command line: one file a command.
//!
//! A command is a type with [`clap::Args`] and a method `run(self, &Context) -> Result<(),
//! Failure>`. What the exit status means is in `EXIT_STATUSES`.

pub mod admin;
mod backup;
mod check;
mod completions;
pub mod console;
mod creds;
mod deliver;
mod docs;
mod hash;
mod imap_acct;
mod imap_acl;
mod imap_mboxes;
mod imap_msgs;
mod imap_quota;
mod man;
mod quickstart;
mod run;
mod transfer;
mod verify_config;
mod version;

use std::fmt;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use pillarbox_config::{Errors, Tree};

/// Where the configuration is if nobody says.
pub const DEFAULT_CONFIG: &str = "/etc/pillarbox/pillarbox.conf";

/// What the exit status says, for help and the manual.
const EXIT_STATUSES: [(u8, &str); 3] = [
    (
        0,
        "What was asked for was done; the server was told to stop, and did.",
    ),
    (
        1,
        "It failed, and may succeed later with the same command line and configuration: what was asked for \
         is not there, or there already; a question was not answered with yes; a check found damage; a \
         database is locked or can't be opened; a port is taken; a disk is full. A service manager should \
         try again.",
    ),
    (
        2,
        "The command line or the configuration is wrong, and will be at the next try. Nothing was changed.",
    ),
];

/// An IMAP server.
#[derive(Parser)]
#[command(
    name = "pillarbox",
    version,
    about,
    arg_required_else_help = true,
    after_long_help = exit_statuses()
)]
pub struct Cli {
    #[command(flatten)]
    context: Context,
    #[command(subcommand)]
    command: Command,
}

/// What holds for all commands.
#[derive(clap::Args, Clone, Debug)]
pub struct Context {
    /// The configuration file
    #[arg(
        long,
        global = true,
        value_name = "PATH",
        env = "PILLARBOX_CONFIG",
        default_value = DEFAULT_CONFIG
    )]
    pub config: PathBuf,
    /// Log more, whatever the configuration says
    #[arg(long, global = true)]
    pub debug: bool,
}

#[derive(Subcommand)]
enum Command {
    Quickstart(quickstart::Quickstart),
    /// Run the server
    Run(run::Run),
    /// Check the configuration without starting anything
    VerifyConfig(verify_config::VerifyConfig),
    /// Write the reference out of the tables of directives
    #[command(hide = true)]
    Docs(docs::Docs),
    /// Print the hash of a password
    Hash(hash::Hash),
    #[command(flatten)]
    Admin(admin::Admin),
    /// Print a script that completes this command line in a shell
    Completions(completions::Completions),
    /// Print or write manual pages
    Man(man::Man),
    /// Show the version and where files are expected
    Version(version::Version),
}

/// Why a command failed.
#[derive(Debug)]
pub enum Failure {
    /// The configuration can't be used. Exit status 2, which tells the service manager that trying again
    /// is no use, unless it may pass ([`Errors::may_pass`]).
    Configuration(Errors),
    /// What was asked for, on the command line or in its place, makes no sense. Exit status 2.
    Usage(String),
    /// Anything else. Exit status 1.
    Failed(anyhow::Error),
    /// What was told already, by the command or the running server, with the exit status.
    Told(u8),
}

/// The exit statuses as help shows them.
fn exit_statuses() -> String {
    let lines = EXIT_STATUSES
        .iter()
        .map(|(status, meaning)| format!("  {status}  {meaning}"));
    let lines: Vec<_> = lines.collect();
    format!("Exit status:\n{}", lines.join("\n"))
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    let Cli { context, command } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    let for_mta = matches!(command, Command::Admin(admin::Admin::Deliver(_)));
    let outcome = match command {
        Command::Quickstart(command) => command.run(&context),
        Command::Run(command) => command.run(&context),
        Command::VerifyConfig(command) => command.run(&context),
        Command::Docs(command) => command.run(&context),
        Command::Hash(command) => command.run(&context),
        Command::Admin(command) => command.run(&context),
        Command::Completions(command) => command.run(&context),
        Command::Man(command) => command.run(&context),
        Command::Version(command) => command.run(&context),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprint!("{failure}");
            ExitCode::from(if for_mta {
                deliver::status(&failure)
            } else {
                failure.code()
            })
        }
    }
}

/// Says what is wrong with the command line, or the help that was asked for.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    let for_mta = std::env::args().any(|word| word == "deliver");
    match error.exit_code() {
        0 => ExitCode::SUCCESS,
        _ if for_mta => ExitCode::from(deliver::USAGE),
        _ => ExitCode::from(2),
    }
}

impl Context {
    /// Reads the configuration.
    ///
    /// # Errors
    ///
    /// The file can't be read, or is not in the language.
    pub fn load(&self) -> Result<Tree, Failure> {
        load(&self.config).map_err(Failure::Configuration)
    }
}

/// Reads a configuration with all that it imports.
///
/// # Errors
///
/// A file can't be read, or is not in the language.
pub fn load(path: &Path) -> Result<Tree, Errors> {
    let mut read = |path: &str| std::fs::read_to_string(path);
    let environment = |name: &str| std::env::var(name).ok();
    pillarbox_config::load(&path.to_string_lossy(), &mut read, &environment)
}

impl Failure {
    /// The exit status.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Configuration(errors) if errors.may_pass() => 1,
            Self::Configuration(_) | Self::Usage(_) => 2,
            Self::Failed(_) => 1,
            Self::Told(code) => *code,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(errors) => {
                f.write_str(&errors.render(std::io::stderr().is_terminal()))
            }
            Self::Usage(text) => writeln!(f, "Error: {text}"),
            Self::Failed(error) => writeln!(f, "Error: {error:#}"),
            Self::Told(_) => Ok(()),
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_may_stand_on_either_side() {
        for words in [
            ["pillarbox", "--config", "a.conf", "run"],
            ["pillarbox", "run", "--config", "a.conf"],
        ] {
            let cli = Cli::try_parse_from(words).unwrap();
            assert_eq!(cli.context.config, Path::new("a.conf"));
        }
    }
}
