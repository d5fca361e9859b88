//! `pillarbox imap-mboxes`: the mailboxes of an account.

use clap::ValueEnum;
use pillarbox_model::SpecialUse;
use pillarbox_store::{Account, MailboxInfo};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::admin::{
    Blocks, Outcome, StorageBlock, account, confirm, mailbox, mailbox_name, say, say_json,
};
use super::console::Console;
use crate::storage::Storage;

/// List and change the mailboxes of an account.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct ImapMboxes {
    #[command(flatten)]
    block: StorageBlock,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Serialize, Deserialize)]
enum Verb {
    /// List mailboxes with their attributes
    List {
        /// Only those that are subscribed
        #[arg(short, long)]
        subscribed: bool,
        /// As JSON, with counters
        #[arg(long)]
        json: bool,
        /// The account
        name: String,
    },
    /// Make a mailbox
    Create {
        /// What it is for
        #[arg(long, value_enum, value_name = "USE")]
        special: Option<Special>,
        /// The account
        name: String,
        /// The new mailbox
        mailbox: String,
    },
    /// Remove a mailbox with all its messages
    Remove {
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        /// The account
        name: String,
        /// The mailbox
        mailbox: String,
    },
    /// Rename a mailbox and those below it
    Rename {
        /// The account
        name: String,
        /// As it is called now
        old: String,
        /// As it will be called
        new: String,
    },
}

/// The special uses that a mailbox can be given (RFC 6154 §2).
#[derive(Clone, Copy, ValueEnum, Serialize, Deserialize)]
enum Special {
    Archive,
    Drafts,
    Junk,
    Sent,
    Trash,
}

impl From<Special> for SpecialUse {
    fn from(special: Special) -> Self {
        match special {
            Special::Archive => Self::Archive,
            Special::Drafts => Self::Drafts,
            Special::Junk => Self::Junk,
            Special::Sent => Self::Sent,
            Special::Trash => Self::Trash,
        }
    }
}

impl ImapMboxes {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        match self.verb {
            Verb::List {
                subscribed,
                json,
                name,
            } => {
                let account = account(&storage, &name).await?;
                let list = List { subscribed, json };
                list.perform(&storage, &account, console).await
            }
            Verb::Create {
                special,
                name,
                mailbox,
            } => {
                let account = account(&storage, &name).await?;
                let mailbox = mailbox_name(&storage, &mailbox)?;
                let special_use = special.map(SpecialUse::from);
                let store = &storage.store;
                store
                    .create_mailbox(account.id, &mailbox, special_use)
                    .await?;
                Ok(())
            }
            Verb::Remove { yes, name, mailbox } => {
                let account = account(&storage, &name).await?;
                remove(&storage, &account, &mailbox, yes, console).await
            }
            Verb::Rename { name, old, new } => {
                let account = account(&storage, &name).await?;
                let old = mailbox(&storage, &account, &old).await?.name;
                let new = mailbox_name(&storage, &new)?;
                Ok(storage.store.rename_mailbox(account.id, &old, &new).await?)
            }
        }
    }
}

struct List {
    subscribed: bool,
    json: bool,
}

impl List {
    async fn perform(
        &self,
        storage: &Storage,
        account: &Account,
        console: &mut dyn Console,
    ) -> Outcome {
        let all = storage.store.mailboxes(account.id).await?;
        let wanted = all
            .iter()
            .filter(|mailbox| mailbox.subscribed || !self.subscribed);
        if self.json {
            return say_json(console, &wanted.map(json).collect::<Vec<_>>()).await;
        }
        for mailbox in wanted {
            let parent = |other: &MailboxInfo| {
                let above = other.name.parent(storage.delimiter);
                above.as_ref() == Some(&mailbox.name)
            };
            let attributes = attributes(mailbox, all.iter().any(parent));
            let line = format!("{}\t[{attributes}]", mailbox.name.as_str());
            say(console, &line).await?;
        }
        Ok(())
    }
}

/// What LIST says of a mailbox (RFC 3348, RFC 6154).
fn attributes(mailbox: &MailboxInfo, has_children: bool) -> String {
    let children = match has_children {
        true => "\\HasChildren",
        false => "\\HasNoChildren",
    };
    match mailbox.special_use {
        Some(special_use) => format!("{children} {}", special_use.attribute()),
        None => children.to_owned(),
    }
}

fn json(mailbox: &MailboxInfo) -> serde_json::Value {
    json!({
        "name": mailbox.name.as_str(),
        "special_use": mailbox.special_use.map(SpecialUse::attribute),
        "subscribed": mailbox.subscribed,
        "uid_validity": mailbox.uid_validity.0,
        "uid_next": mailbox.counters.uid_next,
        "highest_modseq": mailbox.counters.highest_modseq.0,
        "messages": mailbox.counters.messages,
        "unseen": mailbox.counters.unseen,
        "size_bytes": mailbox.counters.size_bytes,
    })
}

async fn remove(
    storage: &Storage,
    account: &Account,
    name: &str,
    yes: bool,
    console: &mut dyn Console,
) -> Outcome {
    let mailbox = mailbox(storage, account, name).await?;
    let messages = mailbox.counters.messages;
    if !yes && messages > 0 {
        let name = mailbox.name.as_str();
        let told = format!("Mailbox {name} contains {messages} messages.");
        console.tell(&told).await?;
    }
    let question = "Are you sure you want to delete that mailbox?";
    confirm(console, yes, question).await?;
    Ok(storage.store.delete_mailbox(mailbox.id).await?)
}
