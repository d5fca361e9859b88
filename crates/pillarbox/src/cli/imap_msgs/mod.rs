//! `pillarbox imap-msgs`: the messages of a mailbox.

pub(super) mod date;
mod list;
mod select;

use std::sync::Arc;

use bytes::Bytes;
use pillarbox_model::{Flag, InternalDate, Rights};
use pillarbox_store::{Digested, FlagAction, Mailbox, NewBlob, NewMessage};
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use self::select::Set;
use super::Failure;
use super::admin::{Blocks, Outcome, StorageBlock, account, confirm, failed, mailbox, say};
use super::console::Console;
use crate::storage::Storage;
use crate::storage::incoming::digested;

/// List and change the messages of a mailbox.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct ImapMsgs {
    #[command(flatten)]
    block: StorageBlock,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(clap::Subcommand, Serialize, Deserialize)]
enum Verb {
    /// Add the message on the standard input, and print its UID; its lines may end with LF or CRLF
    Add(Add),
    /// Give messages flags
    AddFlags(Flags),
    /// Take flags away from messages
    RemFlags(Flags),
    /// Replace all flags of messages
    SetFlags(Flags),
    /// Remove messages for good
    Remove {
        #[command(flatten)]
        numbering: Numbering,
        /// Don't ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        place: Place,
        /// The messages, as in 1:3,7 or *
        seq: String,
    },
    /// Copy messages to another mailbox of the account
    Copy(Transfer),
    /// Move messages to another mailbox of the account
    Move(Transfer),
    /// List messages
    List {
        #[command(flatten)]
        numbering: Numbering,
        /// More of each message
        #[arg(short, long)]
        full: bool,
        /// As JSON
        #[arg(long, conflicts_with = "full")]
        json: bool,
        #[command(flatten)]
        place: Place,
        /// The messages, as in 1:3,7 or *
        #[arg(default_value = "1:*")]
        seq: String,
    },
    /// Print messages as they are
    Dump {
        #[command(flatten)]
        numbering: Numbering,
        #[command(flatten)]
        place: Place,
        /// The messages, as in 1:3,7 or *
        seq: String,
    },
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Numbering {
    /// Messages are said by UID instead of by their place in the mailbox
    #[arg(short, long)]
    uid: bool,
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Place {
    /// The account
    name: String,
    /// The mailbox
    mailbox: String,
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Add {
    /// A flag of the message, such as \Seen; may be repeated
    #[arg(short, long = "flag", value_name = "FLAG")]
    flags: Vec<String>,
    /// When it arrived, as in 2024-05-01T12:30:00Z; now if missing
    #[arg(short, long)]
    date: Option<String>,
    #[command(flatten)]
    place: Place,
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Flags {
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    place: Place,
    /// The messages, as in 1:3,7 or *
    seq: String,
    /// The flags
    #[arg(required = true, value_name = "FLAG")]
    flags: Vec<String>,
}

#[derive(clap::Args, Serialize, Deserialize)]
struct Transfer {
    #[command(flatten)]
    numbering: Numbering,
    #[command(flatten)]
    place: Place,
    /// The messages, as in 1:3,7 or *
    seq: String,
    /// The mailbox to copy or move to
    target: String,
}

impl ImapMsgs {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        let storage = self.block.storage(blocks)?;
        match self.verb {
            Verb::Add(add) => add.perform(&storage, console).await,
            Verb::AddFlags(flags) => flags.perform(&storage, FlagAction::Add).await,
            Verb::RemFlags(flags) => flags.perform(&storage, FlagAction::Remove).await,
            Verb::SetFlags(flags) => flags.perform(&storage, FlagAction::Replace).await,
            Verb::Remove {
                numbering,
                yes,
                place,
                seq,
            } => {
                let set = Set::new(&seq, numbering.uid)?;
                remove(&storage, &place, &set, yes, console).await
            }
            Verb::Copy(transfer) => transfer.perform(&storage, false).await,
            Verb::Move(transfer) => transfer.perform(&storage, true).await,
            Verb::List {
                numbering,
                full,
                json,
                place,
                seq,
            } => {
                let set = Set::new(&seq, numbering.uid)?;
                let mailbox = place.open(&storage).await?;
                let form = list::Form::new(full, json);
                list::list(&storage, &mailbox, &set.select(&mailbox), form, console).await
            }
            Verb::Dump {
                numbering,
                place,
                seq,
            } => {
                let set = Set::new(&seq, numbering.uid)?;
                let mailbox = place.open(&storage).await?;
                list::dump(&storage, &set.select_some(&mailbox)?, console).await
            }
        }
    }
}

impl Place {
    async fn open(&self, storage: &Storage) -> Result<Arc<Mailbox>, Failure> {
        let account = account(storage, &self.name).await?;
        let mailbox = mailbox(storage, &account, &self.mailbox).await?;
        Ok(storage.store.open(mailbox.id).await?)
    }
}

impl Add {
    async fn perform(self, storage: &Storage, console: &mut dyn Console) -> Outcome {
        let flags = read_flags(&self.flags)?;
        let date = self.date()?;
        let mailbox = self.place.open(storage).await?;
        let bytes = with_crlf(console.input().await?);
        if bytes.is_empty() {
            return Err(failed("the message on the standard input is empty".into()));
        }
        let Digested { digest, links } = block_in_place(|| digested(&bytes));
        let message = NewMessage {
            flags,
            date,
            digest,
            links,
            blob: NewBlob::Memory(bytes),
        };
        let appended = storage.store.append(mailbox.id(), vec![message]).await?;
        for uid in appended.uids {
            say(console, &uid.to_string()).await?;
        }
        Ok(())
    }

    fn date(&self) -> Result<InternalDate, Failure> {
        let Some(text) = &self.date else {
            return Ok(crate::clock::now());
        };
        let fault = || Failure::Usage(format!("{text} is no date, as in 2024-05-01T12:30:00Z"));
        date::parse(text).ok_or_else(fault)
    }
}

impl Flags {
    async fn perform(self, storage: &Storage, action: FlagAction) -> Outcome {
        let flags = read_flags(&self.flags)?;
        let set = Set::new(&self.seq, self.numbering.uid)?;
        let mailbox = self.place.open(storage).await?;
        let uids = set.uids(&mailbox)?;
        let store = &storage.store;
        store
            .set_flags(mailbox.id(), &uids, action, &flags, None)
            .await?;
        Ok(())
    }
}

impl Transfer {
    async fn perform(self, storage: &Storage, remove: bool) -> Outcome {
        let set = Set::new(&self.seq, self.numbering.uid)?;
        let account = account(storage, &self.place.name).await?;
        let target = mailbox(storage, &account, &self.target).await?;
        let source = self.place.open(storage).await?;
        let uids = set.uids(&source)?;
        storage
            .store
            .copy(source.id(), &uids, target.id, remove, Rights::ALL)
            .await?;
        Ok(())
    }
}

async fn remove(
    storage: &Storage,
    place: &Place,
    set: &Set,
    yes: bool,
    console: &mut dyn Console,
) -> Outcome {
    let mailbox = place.open(storage).await?;
    let uids = set.uids(&mailbox)?;
    confirm(
        console,
        yes,
        "Are you sure you want to delete these messages?",
    )
    .await?;
    storage.store.remove(mailbox.id(), &uids).await?;
    Ok(())
}

/// A message as the protocol has it: lines end with CRLF (RFC 5322 §2.1), whatever the file that it
/// comes from does.
pub(super) fn with_crlf(bytes: Bytes) -> Bytes {
    let bare = |&at: &usize| at == 0 || bytes[at - 1] != b'\r';
    let all_bare = || memchr::memchr_iter(b'\n', &bytes).filter(bare);
    let missing = all_bare().count();
    if missing == 0 {
        return bytes;
    }
    let mut text = Vec::with_capacity(bytes.len() + missing);
    let mut from = 0;
    for at in all_bare() {
        text.extend_from_slice(&bytes[from..at]);
        text.push(b'\r');
        from = at;
    }
    text.extend_from_slice(&bytes[from..]);
    text.into()
}

/// Flags as a client may write them: atoms (RFC 9051 §9, `flag`).
fn read_flags(texts: &[String]) -> Result<Vec<Flag>, Failure> {
    let read = |text: &String| {
        let name = text.strip_prefix('\\').unwrap_or(text);
        let special = |c: char| !c.is_ascii_graphic() || "(){%*\"\\]".contains(c);
        let flag = Flag::parse(text).filter(|_| !name.contains(special));
        flag.filter(|_| text.len() <= pillarbox_model::limit::KEYWORD_BYTES)
            .ok_or_else(|| Failure::Usage(format!("{text} is no flag that messages can have")))
    };
    texts.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_crlf() {
        for (file, message) in [
            ("", ""),
            ("a: b\n\nc\n", "a: b\r\n\r\nc\r\n"),
            ("a: b\r\n\r\nc\r\n", "a: b\r\n\r\nc\r\n"),
            ("\na\r\nb\nc\rd", "\r\na\r\nb\r\nc\rd"),
        ] {
            assert_eq!(with_crlf(file.into()), message);
        }
    }
}
