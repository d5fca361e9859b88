//! `pillarbox import`.

use std::collections::HashMap;
use std::path::PathBuf;

use bytes::Bytes;
use pillarbox_model::MailboxName;
use pillarbox_store::{Account, Digested, MailboxInfo, NewBlob, NewMessage};
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use super::super::Failure;
use super::super::admin::{Blocks, Outcome, StorageBlock, account, failed, mailbox_name, say};
use super::super::console::{Console, Progress};
use super::{Format, Found, Source, eml, maildir, mbox};
use crate::storage::Storage;
use crate::storage::incoming::digested;

/// Messages added in one transaction.
const BATCH: usize = 200;
/// Bytes held before they are added.
const BATCH_BYTES: usize = 16 * 1024 * 1024;
/// Messages of which the checksums are read at once.
const SUMS_AT_ONCE: usize = 256;

/// Bring mail from files into an account.
///
/// Flags, keywords, dates and mailboxes come along. What is there already is passed over, so an import that was
/// broken off is just run again. In the end each mailbox is compared with its files, message by message.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Import {
    #[command(flatten)]
    block: StorageBlock,
    /// How the mail lies there; found out if missing
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// What kind of mbox it is; found out if missing, but for mboxo, which looks like mboxrd
    #[arg(long, value_enum)]
    mbox: Option<mbox::Kind>,
    /// The mailbox for an mbox, or for the EML files of the top directory
    #[arg(long, default_value = "INBOX")]
    mailbox: String,
    /// The account, which has to be there
    name: String,
    /// A Maildir, an mbox file, or a directory of EML files; the server's user has to be able to read it
    path: PathBuf,
}

/// How often each message is there, by checksum.
type Sums = HashMap<[u8; 32], usize>;

/// What came of one mailbox.
#[derive(Default)]
struct Tally {
    found: usize,
    added: usize,
    bytes: u64,
}

impl Import {
    /// Makes sense of the path where the command was started: the server works in another directory.
    pub(in super::super) fn make_absolute(&mut self) -> Outcome {
        self.path = std::path::absolute(&self.path)?;
        Ok(())
    }

    pub(in super::super) async fn perform(
        self,
        blocks: &dyn Blocks,
        console: &mut dyn Console,
    ) -> Outcome {
        let storage = self.block.storage(blocks)?;
        let account = account(&storage, &self.name).await?;
        let format = self.format.unwrap_or_else(|| Format::at(&self.path));
        let mut missing = 0;
        for source in self.sources(format)? {
            missing += self
                .import(&storage, &account, format, &source, console)
                .await?;
        }
        match missing {
            0 => Ok(()),
            _ => Err(failed(format!(
                "{missing} messages are in files and not in the account"
            ))),
        }
    }

    fn sources(&self, format: Format) -> Result<Vec<Source>, Failure> {
        Ok(match format {
            Format::Maildir => maildir::sources(&self.path)?,
            Format::Eml => eml::sources(&self.path, &self.mailbox)?,
            Format::Mbox => vec![Source {
                levels: vec![self.mailbox.clone()],
                path: self.path.clone(),
            }],
        })
    }

    /// Imports one mailbox, compares, and says how many messages are missing.
    async fn import(
        &self,
        storage: &Storage,
        account: &Account,
        format: Format,
        source: &Source,
        console: &mut dyn Console,
    ) -> Result<usize, Failure> {
        let delimiter = storage.delimiter.0.to_string();
        let levels: Vec<String> = source
            .levels
            .iter()
            .map(|level| level.replace(&delimiter, "_"))
            .collect();
        let name = if source.levels.len() == 1 {
            source.levels[0].clone()
        } else {
            levels.join(&delimiter)
        };
        let target = target(storage, account, &mailbox_name(storage, &name)?).await?;
        let mut there = sums(storage, &target).await?;
        let (mut tally, mut wanted, mut batch, mut held) =
            (Tally::default(), Sums::new(), Vec::new(), 0);
        let mut messages = block_in_place(|| Messages::open(format, source, self.mbox))?;
        while let Some(found) = block_in_place(|| messages.next())? {
            let sum = *blake3::hash(&found.bytes).as_bytes();
            tally.found += 1;
            tally.bytes += found.bytes.len() as u64;
            *wanted.entry(sum).or_default() += 1;
            if let Some(count) = there.get_mut(&sum).filter(|count| **count > 0) {
                *count -= 1;
                continue;
            }
            held += found.bytes.len();
            batch.push(found);
            if batch.len() >= BATCH || held >= BATCH_BYTES {
                tally.added += add(storage, &target, std::mem::take(&mut batch)).await?;
                held = 0;
                console.progress(&messages.progress(&name)).await?;
            }
        }
        tally.added += add(storage, &target, batch).await?;
        console.progress(&messages.progress(&name)).await?;
        let after = sums(storage, &target).await?;
        let short = |(sum, count): (&[u8; 32], &usize)| {
            count.saturating_sub(after.get(sum).copied().unwrap_or(0))
        };
        let missing: usize = wanted.iter().map(short).sum();
        let Tally {
            found,
            added,
            bytes,
        } = tally;
        let line = format!(
            "{name}: {found} messages ({bytes} bytes) in files, {added} added, {} compared equal",
            found - missing
        );
        say(console, &line).await?;
        Ok(missing)
    }
}

/// The messages of a source, read one by one.
enum Messages {
    Files {
        paths: std::vec::IntoIter<PathBuf>,
        total: usize,
        /// Of a Maildir.
        keywords: Option<maildir::Keywords>,
    },
    Mbox {
        messages: mbox::Messages,
        size_bytes: u64,
    },
}

impl Messages {
    fn open(format: Format, source: &Source, kind: Option<mbox::Kind>) -> std::io::Result<Self> {
        let path = &source.path;
        let (paths, keywords) = match format {
            Format::Mbox => {
                return Ok(Self::Mbox {
                    messages: mbox::Messages::open(path, kind)?,
                    size_bytes: std::fs::metadata(path)?.len(),
                });
            }
            Format::Eml => (eml::files(path)?, None),
            Format::Maildir => (maildir::files(path)?, Some(maildir::Keywords::of(path))),
        };
        Ok(Self::Files {
            total: paths.len(),
            paths: paths.into_iter(),
            keywords,
        })
    }

    fn next(&mut self) -> std::io::Result<Option<Found>> {
        match self {
            Self::Mbox { messages, .. } => messages.next(),
            Self::Files {
                paths, keywords, ..
            } => {
                let read = |path: PathBuf| match keywords {
                    Some(keywords) => maildir::read(&path, keywords),
                    None => eml::read(&path),
                };
                paths.next().map(read).transpose()
            }
        }
    }

    fn progress(&self, what: &str) -> Progress {
        let (done, total) = match self {
            Self::Files { paths, total, .. } => ((total - paths.len()) as u64, *total as u64),
            Self::Mbox {
                messages,
                size_bytes,
            } => (messages.position(), *size_bytes),
        };
        Progress {
            what: what.to_owned(),
            done,
            total,
        }
    }
}

async fn target(
    storage: &Storage,
    account: &Account,
    name: &MailboxName,
) -> Result<MailboxInfo, Failure> {
    match storage.store.mailbox(account.id, name).await? {
        Some(found) => Ok(found),
        None => Ok(storage.store.create_mailbox(account.id, name, None).await?),
    }
}

async fn add(storage: &Storage, target: &MailboxInfo, batch: Vec<Found>) -> Result<usize, Failure> {
    if batch.is_empty() {
        return Ok(0);
    }
    let message = |found: Found| {
        let bytes = Bytes::from(found.bytes);
        let Digested { digest, links } = digested(&bytes);
        NewMessage {
            flags: found.flags,
            date: found.date,
            digest,
            links,
            blob: NewBlob::Memory(bytes),
        }
    };
    let count = batch.len();
    let messages = block_in_place(|| batch.into_iter().map(message).collect());
    storage.store.append(target.id, messages).await?;
    Ok(count)
}

/// The checksums of all messages of a mailbox, from their bytes as they are stored.
async fn sums(storage: &Storage, mailbox: &MailboxInfo) -> Result<Sums, Failure> {
    let mut sums = Sums::new();
    let open = storage.store.open(mailbox.id).await?;
    let rows: Vec<_> = open.read().range(0, u32::MAX).collect();
    for some in rows.chunks(SUMS_AT_ONCE) {
        for content in storage.store.contents(some, false).await? {
            let bytes = storage.store.read(&content.location).await?;
            *sums.entry(*blake3::hash(&bytes).as_bytes()).or_default() += 1;
        }
    }
    Ok(sums)
}
