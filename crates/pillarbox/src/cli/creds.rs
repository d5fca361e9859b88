//! `pillarbox creds`: users and their passwords.

use clap::ValueEnum;
use pillarbox_model::InternalDate;
use pillarbox_proto::sasl::ScramHash;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Failure;
use super::admin::{Blocks, Outcome, confirm, failed, password, say, say_json};
use super::console::Console;
use super::hash::Hashing;
use super::imap_msgs::date;
use crate::auth::credentials::{Making, generate};
use crate::auth::hash::Hash;
use crate::auth::pass_table::{Described, PassTable};
use crate::secret::Secret;

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
        /// With their passwords' labels, when they were made, and when last used
        #[arg(short, long)]
        long: bool,
        /// As JSON, with all that is known
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
    /// Change a user's password; those with labels stay
    Password(Password),
    /// Give a user one more password, as for one device
    Add {
        /// What it is for
        #[arg(long, value_name = "LABEL")]
        label: String,
        #[command(flatten)]
        password: Password,
    },
    /// Take one of a user's passwords away
    Revoke {
        /// The password's label
        #[arg(long, value_name = "LABEL")]
        label: String,
        /// The user
        name: String,
    },
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Password {
    /// The password; asked for if missing
    #[arg(short, long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Make a password up, and print it
    #[arg(short, long, conflicts_with_all = ["password", "hash", "bcrypt_cost"])]
    generate: bool,
    #[command(flatten)]
    hashing: Hashing,
    /// Keep what this SCRAM mechanism needs, too; may be given more than once
    #[arg(long, value_enum, value_name = "MECHANISM", default_values_t = [Scram::Sha256])]
    scram: Vec<Scram>,
    /// The user
    name: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
enum Scram {
    #[value(name = "sha-256")]
    Sha256,
    #[value(name = "sha-1")]
    Sha1,
    /// Nothing
    Off,
}

impl Password {
    fn making(&self) -> Making {
        let hash = match self.generate {
            true => Hash::Generated,
            false => self.hashing.kind(),
        };
        let scram = self.scram.iter().filter_map(|scram| match scram {
            Scram::Sha256 => Some(ScramHash::Sha256),
            Scram::Sha1 => Some(ScramHash::Sha1),
            Scram::Off => None,
        });
        let mut scram: Vec<_> = scram.collect();
        scram.sort_unstable();
        scram.dedup();
        Making { hash, scram }
    }

    /// The password: said, made up, or asked for.
    async fn secret(&self, console: &mut dyn Console) -> Result<Secret, Failure> {
        match self.generate {
            true => Ok(generate()?),
            false => password(console, self.password.clone()).await,
        }
    }

    /// A password that was made up is shown once it is kept, and never again.
    async fn show(&self, secret: &Secret, console: &mut dyn Console) -> Outcome {
        match self.generate {
            true => say(console, &String::from_utf8_lossy(secret.reveal())).await,
            false => Ok(()),
        }
    }
}

impl Creds {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let credentials = blocks.credentials(&self.cfg_block)?;
        match self.verb {
            Verb::List { long, json } => list(&credentials, long, json, console).await,
            Verb::Create(new) => {
                let (secret, making) = (new.secret(console).await?, new.making());
                credentials
                    .create(&new.name, secret.clone(), making)
                    .await?;
                new.show(&secret, console).await
            }
            Verb::Remove { yes, name } => remove(&credentials, yes, &name, console).await,
            Verb::Password(new) => {
                let (secret, making) = (new.secret(console).await?, new.making());
                credentials
                    .change(&new.name, secret.clone(), making)
                    .await?;
                new.show(&secret, console).await
            }
            Verb::Add {
                label,
                password: new,
            } => {
                if label.is_empty() {
                    return Err(Failure::Usage("the label is empty".to_owned()));
                }
                let (secret, making) = (new.secret(console).await?, new.making());
                credentials
                    .add(&new.name, &label, secret.clone(), making)
                    .await?;
                new.show(&secret, console).await
            }
            Verb::Revoke { label, name } => {
                credentials.revoke(&name, &label).await?;
                Ok(())
            }
        }
    }
}

async fn list(
    credentials: &PassTable,
    long: bool,
    json: bool,
    console: &mut dyn Console,
) -> Outcome {
    let users = credentials.users().await?;
    if json {
        let mut all = Vec::new();
        for name in users {
            let passwords = credentials.describe(&name).await;
            all.push(user_json(&name, passwords));
        }
        return say_json(console, &all).await;
    }
    if users.is_empty() {
        console.tell("No users.").await?;
    }
    for user in users {
        say(console, &user).await?;
        if long {
            for line in lines(credentials.describe(&user).await) {
                say(console, &line).await?;
            }
        }
    }
    Ok(())
}

fn user_json(name: &str, passwords: Result<Vec<Described>, anyhow::Error>) -> Value {
    let one = |password: Described| {
        let scram: Vec<_> = password.scram.iter().map(|hash| hash.word()).collect();
        json!({
            "label": password.label,
            "created": password.created.map(utc),
            "last_use": password.used.map(utc),
            "scram": scram,
        })
    };
    match passwords {
        Ok(passwords) => {
            let passwords: Vec<_> = passwords.into_iter().map(one).collect();
            json!({ "name": name, "passwords": passwords })
        }
        Err(error) => json!({ "name": name, "error": format!("{error:#}") }),
    }
}

/// What is told of a user's passwords.
fn lines(passwords: Result<Vec<Described>, anyhow::Error>) -> Vec<String> {
    let passwords = match passwords {
        Ok(passwords) => passwords,
        Err(error) => return vec![format!("  damaged: {error:#}")],
    };
    let time = |time: Option<u64>| time.map_or_else(|| "unknown".to_owned(), utc);
    let line = |password: Described| {
        let label = match password.label.as_str() {
            "" => "(main)",
            label => label,
        };
        let used = password.used.map_or_else(|| "never".to_owned(), utc);
        format!(
            "  {label}: created {}, last used {used}",
            time(password.created)
        )
    };
    passwords.into_iter().map(line).collect()
}

/// A time as RFC 3339 has it, in UTC.
fn utc(seconds: u64) -> String {
    date::format(InternalDate::utc(seconds.try_into().unwrap_or(i64::MAX)))
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
