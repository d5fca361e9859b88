//! `pillarbox creds`: users and their passwords.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Failure;
use super::admin::{Blocks, Outcome, confirm, failed, password, say, say_json};
use super::console::Console;
use super::hash::Hashing;
use crate::auth::pass_table::PassTable;

/// List and change users and their passwords.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Creds {
    /// The credentials' block in the configuration
    #[arg(
        long,
        global = true,
        value_name = "BLOCK",
        env = "PILLARBOX_CFGBLOCK",
        default_value = "local_authdb"
    )]
    cfg_block: String,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Serialize, Deserialize)]
enum Verb {
    /// List users
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a user
    Create(Password),
    /// Remove a user; mail stays
    Remove {
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        /// The user
        name: String,
    },
    /// Change a user's password
    Password(Password),
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Password {
    /// The password; asked for if missing
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    #[command(flatten)]
    hashing: Hashing,
    /// The user
    name: String,
}

impl Creds {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let credentials = blocks.credentials(&self.cfg_block)?;
        match self.verb {
            Verb::List { json } => list(&credentials, json, console).await,
            Verb::Create(Password {
                password: said,
                hashing,
                name,
            }) => {
                let secret = password(console, said).await?;
                credentials.create(&name, secret, hashing.kind()).await?;
                Ok(())
            }
            Verb::Remove { yes, name } => remove(&credentials, yes, &name, console).await,
            Verb::Password(Password {
                password: said,
                hashing,
                name,
            }) => {
                let secret = password(console, said).await?;
                credentials.change(&name, secret, hashing.kind()).await?;
                Ok(())
            }
        }
    }
}

async fn list(credentials: &PassTable, json: bool, console: &mut dyn Console) -> Outcome {
    let users = credentials.users().await?;
    if json {
        let users: Vec<_> = users.iter().map(|name| json!({ "name": name })).collect();
        return say_json(console, &users).await;
    }
    if users.is_empty() {
        console.tell("No users.").await?;
    }
    for user in users {
        say(console, &user).await?;
    }
    Ok(())
}

async fn remove(
    credentials: &PassTable,
    yes: bool,
    name: &str,
    console: &mut dyn Console,
) -> Result<(), Failure> {
    let question = "Are you sure you want to delete this user account?";
    confirm(console, yes, question).await?;
    match credentials.remove(name).await? {
        true => Ok(()),
        false => Err(failed(format!("there are no credentials for {name}"))),
    }
}
