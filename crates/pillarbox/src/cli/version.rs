//! `pillarbox version`.

use std::env::consts::{ARCH, OS};

use super::{Context, DEFAULT_CONFIG, Failure};
use crate::assemble::GLOBAL_DIRECTIVES;

/// Shows the version and where files are expected.
#[derive(clap::Args)]
pub(super) struct Version {}

impl Version {
    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        let default = |name| {
            let row = GLOBAL_DIRECTIVES.iter().find(|row| row.is_named(name));
            row.map_or("", |row| row.default)
        };
        println!("pillarbox {} {OS}/{ARCH}", env!("CARGO_PKG_VERSION"));
        println!();
        println!("default config: {DEFAULT_CONFIG}");
        println!("default state_dir: {}", default("state_dir"));
        println!("default runtime_dir: {}", default("runtime_dir"));
        Ok(())
    }
}
