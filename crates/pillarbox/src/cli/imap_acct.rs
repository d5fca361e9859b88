//! `pillarbox imap-acct`: storage accounts.

use pillarbox_model::{MailboxName, SpecialUse};
use serde::{Deserialize, Serialize};

use super::Failure;
use super::admin::{
    Blocks, Outcome, StorageBlock, account, account_name, confirm, mailbox_name, say, say_json,
};
use super::console::Console;
use super::imap_quota::{Quota, as_json};
use crate::storage::Storage;

/// List and change storage accounts.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct ImapAcct {
    #[command(flatten)]
    block: StorageBlock,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Serialize, Deserialize)]
enum Verb {
    /// List accounts in order of creation
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Make an account with its mailboxes
    Create(Create),
    /// Remove an account with all its mail; credentials stay
    Remove {
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        /// The account
        name: String,
    },
    /// Show or set what accounts may have
    ///
    /// Storage is in bytes, or with a unit, as in 10G. Each may be `default`, which is the
    /// configuration's, or `none` for no limit. Mail beyond a limit stays; no more is added.
    Quota(Quota),
    /// Show or set how large an appended message may be
    Appendlimit {
        /// The new limit in bytes; -1 for the limit of the configuration
        #[arg(short, long, value_name = "BYTES", allow_negative_numbers = true,
              value_parser = clap::value_parser!(i64).range(-1..=LARGEST_APPEND))]
        value: Option<i64>,
        /// The account
        name: String,
    },
}

/// Sizes that IMAP can say (RFC 7889 §2).
const LARGEST_APPEND: i64 = u32::MAX as i64;

#[derive(clap::Args, Serialize, Deserialize)]
struct Create {
    /// Make no mailboxes with a special use
    #[arg(long)]
    no_specialuse: bool,
    /// The name of the mailbox for sent mail; empty for none
    #[arg(long, value_name = "MAILBOX")]
    sent_name: Option<String>,
    /// The name of the mailbox for deleted mail; empty for none
    #[arg(long, value_name = "MAILBOX")]
    trash_name: Option<String>,
    /// The name of the mailbox for junk; empty for none
    #[arg(long, value_name = "MAILBOX")]
    junk_name: Option<String>,
    /// The name of the mailbox for drafts; empty for none
    #[arg(long, value_name = "MAILBOX")]
    drafts_name: Option<String>,
    /// The name of the mailbox for the archive; empty for none
    #[arg(long, value_name = "MAILBOX")]
    archive_name: Option<String>,
    /// The account
    name: String,
}

impl ImapAcct {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        match self.verb {
            Verb::List { json } => list(&storage, json, console).await,
            Verb::Create(create) => create.perform(&storage).await,
            Verb::Remove { yes, name } => remove(&storage, yes, &name, console).await,
            Verb::Quota(quota) => quota.perform(&storage, console).await,
            Verb::Appendlimit { value, name } => {
                append_limit(&storage, value, &name, console).await
            }
        }
    }
}

async fn list(storage: &Storage, json: bool, console: &mut dyn Console) -> Outcome {
    let accounts = storage.store.accounts().await?;
    if json {
        let mut listing = Vec::with_capacity(accounts.len());
        for account in &accounts {
            listing.push(as_json(account, &storage.store.quota(account.id).await?));
        }
        return say_json(console, &listing).await;
    }
    if accounts.is_empty() {
        console.tell("No users.").await?;
    }
    for account in accounts {
        say(console, &account.name).await?;
    }
    Ok(())
}

impl Create {
    async fn perform(self, storage: &Storage) -> Outcome {
        let name = account_name(&self.name)?;
        let mailboxes = self.mailboxes(storage)?;
        storage.store.create_account(&name, &mailboxes).await?;
        Ok(())
    }

    /// The configuration's mailboxes, with the names that were said instead.
    fn mailboxes(
        &self,
        storage: &Storage,
    ) -> Result<Vec<(MailboxName, Option<SpecialUse>)>, Failure> {
        let mut mailboxes = storage.default_mailboxes.clone();
        if self.no_specialuse {
            mailboxes.retain(|(_, special_use)| special_use.is_none());
            return Ok(mailboxes);
        }
        for (special_use, name) in [
            (SpecialUse::Sent, &self.sent_name),
            (SpecialUse::Trash, &self.trash_name),
            (SpecialUse::Junk, &self.junk_name),
            (SpecialUse::Drafts, &self.drafts_name),
            (SpecialUse::Archive, &self.archive_name),
        ] {
            let Some(name) = name else { continue };
            mailboxes.retain(|(_, other)| *other != Some(special_use));
            if !name.is_empty() {
                mailboxes.push((mailbox_name(storage, name)?, Some(special_use)));
            }
        }
        Ok(mailboxes)
    }
}

async fn remove(storage: &Storage, yes: bool, name: &str, console: &mut dyn Console) -> Outcome {
    let account = account(storage, name).await?;
    let question = "Are you sure you want to delete this user account?";
    confirm(console, yes, question).await?;
    Ok(storage.store.remove_account(account.id).await?)
}

async fn append_limit(
    storage: &Storage,
    value: Option<i64>,
    name: &str,
    console: &mut dyn Console,
) -> Outcome {
    let account = account(storage, name).await?;
    if let Some(value) = value {
        let limit = u64::try_from(value).ok();
        return Ok(storage.store.set_append_limit(account.id, limit).await?);
    }
    match account.append_limit {
        Some(limit) => say(console, &limit.to_string()).await,
        None => say(console, "No limit").await,
    }
}
