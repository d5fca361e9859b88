//! `pillarbox imap-acl`: who may do what with the mailboxes of an account.

use pillarbox_model::acl::is_user;
use pillarbox_model::{Rights, RightsChange};
use pillarbox_store::{Account, MailboxInfo};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Failure;
use super::admin::{Blocks, Outcome, StorageBlock, account, mailbox, say, say_json};
use super::console::Console;
use crate::normalize::Normalize;
use crate::storage::sharing::signed;

/// Show and change who may do what with a mailbox.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct ImapAcl {
    #[command(flatten)]
    block: StorageBlock,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Serialize, Deserialize)]
enum Verb {
    /// List identifiers with their rights
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
        /// The account whose the mailbox is
        name: String,
        /// The mailbox
        mailbox: String,
    },
    /// Set the rights of a user, of a group or of everybody
    ///
    /// A mailbox of the account of shared mailboxes (`shared_namespace`) is shared so for the first time.
    Set {
        /// The account whose the mailbox is
        name: String,
        /// The mailbox
        mailbox: String,
        /// An account's name, `$GROUP`, or `anyone`; with `-` before it, rights are taken away
        #[arg(allow_hyphen_values = true)]
        identifier: String,
        /// Letters of lrswipkxtea; with `+` or `-` before them, they are added or taken away
        #[arg(allow_hyphen_values = true)]
        rights: String,
    },
    /// Take an identifier out of the list
    Remove {
        /// The account whose the mailbox is
        name: String,
        /// The mailbox
        mailbox: String,
        /// As in the list
        #[arg(allow_hyphen_values = true)]
        identifier: String,
    },
}

impl ImapAcl {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        let (Verb::List {
            name, mailbox: of, ..
        }
        | Verb::Set {
            name, mailbox: of, ..
        }
        | Verb::Remove {
            name, mailbox: of, ..
        }) = &self.verb;
        let owner = account(&storage, name).await?;
        let mailbox = mailbox(&storage, &owner, of).await?;
        let (identifier, change) = match &self.verb {
            Verb::List { json, .. } => return list(&owner, &mailbox, *json, console).await,
            Verb::Set {
                identifier, rights, ..
            } => (identifier, change(rights)?),
            Verb::Remove { identifier, .. } => (identifier, RightsChange::Set(Rights::NONE)),
        };
        let identifier = canonical(identifier)?;
        let store = &storage.store;
        store.set_rights(mailbox.id, &identifier, change).await?;
        Ok(())
    }
}

/// One line an identifier, the owner first, as GETACL has it.
async fn list(
    owner: &Account,
    mailbox: &MailboxInfo,
    as_json: bool,
    console: &mut dyn Console,
) -> Outcome {
    let of_owner = mailbox.acl.get(&owner.name).unwrap_or(Rights::ALL) | Rights::ADMINISTER;
    let owners = is_user(&owner.name).then_some((&*owner.name, of_owner));
    let others = mailbox
        .acl
        .entries()
        .filter(|(identifier, _)| *identifier != &*owner.name);
    let entries = owners
        .into_iter()
        .chain(others)
        .map(|(identifier, rights)| {
            let letters: String = rights.each().map(|(letter, _)| letter).collect();
            (identifier, letters)
        });
    if as_json {
        let entry = |(identifier, rights)| json!({ "identifier": identifier, "rights": rights });
        return say_json(console, &entries.map(entry).collect::<Vec<_>>()).await;
    }
    for (identifier, rights) in entries {
        say(console, &format!("{identifier}\t{rights}")).await?;
    }
    Ok(())
}

fn change(text: &str) -> Result<RightsChange, Failure> {
    let (make, letters): (fn(Rights) -> RightsChange, _) = match text.split_at_checked(1) {
        Some(("+", rest)) => (RightsChange::Add, rest),
        Some(("-", rest)) => (RightsChange::Remove, rest),
        _ => (RightsChange::Set, text),
    };
    let rights = Rights::parse(letters);
    rights
        .map(make)
        .map_err(|error| Failure::Usage(format!("{text}: {error}")))
}

/// An identifier as lists have it: names of accounts are in lower case.
fn canonical(text: &str) -> Result<String, Failure> {
    let bad = || Failure::Usage(format!("{text:?} can't be an identifier"));
    let folded = Normalize::Casefold.apply(text).map_err(|_| bad())?;
    let proper = signed(&folded).is_some() && !folded.chars().any(char::is_control);
    proper.then_some(folded).ok_or_else(bad)
}
