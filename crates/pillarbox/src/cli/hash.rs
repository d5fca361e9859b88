//! `pillarbox hash`, and the options of hashing that other commands have too.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::admin::password;
use super::console::Terminal;
use super::{Context, Failure};
use crate::auth::hash;

/// Prints the hash of a password, as credentials tables keep it.
#[derive(clap::Args)]
pub(super) struct Hash {
    /// The password; asked for if missing
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    #[command(flatten)]
    hashing: Hashing,
    /// Argon2: passes over the memory
    #[arg(long, value_name = "N", default_value_t = 3)]
    argon2_time: u32,
    /// Argon2: memory in KiB
    #[arg(long, value_name = "KIB", default_value_t = 1024)]
    argon2_memory: u32,
    /// Argon2: lanes
    #[arg(long, value_name = "N", default_value_t = 1)]
    argon2_threads: u32,
}

/// How a password is hashed.
#[derive(clap::Args, Serialize, Deserialize)]
pub(super) struct Hashing {
    /// The hash function
    #[arg(long, value_enum, default_value_t = Function::Bcrypt)]
    hash: Function,
    /// bcrypt: 2 to the power of this rounds
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(4..=31))]
    bcrypt_cost: u32,
}

#[derive(Clone, Copy, ValueEnum, Serialize, Deserialize)]
enum Function {
    Bcrypt,
    Argon2,
}

impl Hashing {
    /// With the usual parameters for Argon2.
    pub(super) fn kind(&self) -> hash::Hash {
        match self.hash {
            Function::Bcrypt => hash::Hash::Bcrypt {
                cost: self.bcrypt_cost,
            },
            Function::Argon2 => hash::Hash::ARGON2,
        }
    }
}

impl Hash {
    fn kind(&self) -> hash::Hash {
        match self.hashing.hash {
            Function::Bcrypt => self.hashing.kind(),
            Function::Argon2 => hash::Hash::Argon2 {
                time: self.argon2_time,
                memory_kib: self.argon2_memory,
                threads: self.argon2_threads,
            },
        }
    }

    pub(super) fn run(self, _: &Context) -> Result<(), Failure> {
        let kind = self.kind();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .build()
            .map_err(anyhow::Error::from)?;
        runtime.block_on(async {
            let password = password(&mut Terminal::default(), self.password).await?;
            let hash = kind.create(&password)?;
            super::admin::say(&mut Terminal::default(), &hash).await
        })
    }
}
