//! `pillarbox export`.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use pillarbox_model::{Flags, KeywordTable};
use pillarbox_proto::imap::utf7;
use pillarbox_store::{MailboxInfo, Row};
use serde::{Deserialize, Serialize};
use tokio::task::block_in_place;

use super::super::Failure;
use super::super::admin::{Blocks, Outcome, StorageBlock, account, failed, say};
use super::super::console::Console;
use super::{Format, LETTERS, mbox};
use crate::storage::Storage;

/// Messages read at once.
const AT_ONCE: usize = 128;

/// Write the mail of an account into files.
///
/// A Maildir keeps flags, keywords, dates and mailboxes; other programs read it as it is.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Export {
    #[command(flatten)]
    block: StorageBlock,
    /// How the mail is to lie there
    #[arg(long, value_enum, default_value = "maildir")]
    format: Format,
    /// The account
    name: String,
    /// A directory that is empty or not there yet; the server's user has to be able to write to it
    directory: PathBuf,
}

impl Export {
    /// Makes sense of the directory where the command was started: the server works in another.
    pub(in super::super) fn make_absolute(&mut self) -> Outcome {
        self.directory = std::path::absolute(&self.directory)?;
        Ok(())
    }

    pub(in super::super) async fn perform(
        self,
        blocks: &dyn Blocks,
        console: &mut dyn Console,
    ) -> Outcome {
        let storage = self.block.storage(blocks)?;
        let account = account(&storage, &self.name).await?;
        std::fs::create_dir_all(&self.directory)?;
        if std::fs::read_dir(&self.directory)?.next().is_some() {
            return Err(failed(format!("{} is not empty", self.directory.display())));
        }
        for mailbox in storage.store.mailboxes(account.id).await? {
            let written = self.export(&storage, &mailbox).await?;
            say(
                console,
                &format!("{}: {written} messages written", mailbox.name),
            )
            .await?;
        }
        Ok(())
    }

    async fn export(&self, storage: &Storage, mailbox: &MailboxInfo) -> Result<usize, Failure> {
        let open = storage.store.open(mailbox.id).await?;
        let (rows, keywords) = {
            let rows = open.read();
            (
                rows.range(0, u32::MAX).collect::<Vec<_>>(),
                rows.keywords().clone(),
            )
        };
        let mut writer = self.writer(storage, mailbox, keywords)?;
        for some in rows.chunks(AT_ONCE) {
            let contents = storage.store.contents(some, false).await?;
            for (row, content) in some.iter().zip(&contents) {
                let bytes = storage.store.read(&content.location).await?;
                block_in_place(|| writer.write(row, &bytes))?;
            }
        }
        block_in_place(|| writer.finish())?;
        Ok(rows.len())
    }

    fn writer(
        &self,
        storage: &Storage,
        mailbox: &MailboxInfo,
        keywords: KeywordTable,
    ) -> io::Result<Box<dyn Writer>> {
        let levels: Vec<String> = mailbox
            .name
            .as_str()
            .split(storage.delimiter.0)
            .map(safe)
            .collect();
        Ok(match self.format {
            Format::Maildir => Box::new(Maildir::new(&self.directory, &levels, keywords)?),
            Format::Mbox => {
                let path = self.directory.join(format!("{}.mbox", levels.join(".")));
                Box::new(Mbox(io::BufWriter::new(File::create_new(path)?)))
            }
            Format::Eml => {
                let directory = self.directory.join(levels.join("/"));
                std::fs::create_dir_all(&directory)?;
                Box::new(Eml(directory))
            }
        })
    }
}

/// A level of a mailbox name as part of a path.
fn safe(level: &str) -> String {
    let plain = level.replace(['/', '\0'], "_");
    if plain.starts_with('.') {
        format!("_{plain}")
    } else {
        plain
    }
}

/// A mailbox's files.
trait Writer: Send {
    fn write(&mut self, row: &Row, bytes: &Bytes) -> io::Result<()>;
    /// Brings all of it to the disk.
    fn finish(&mut self) -> io::Result<()>;
}

struct Maildir {
    directory: PathBuf,
    keywords: KeywordTable,
}

impl Maildir {
    fn new(root: &Path, levels: &[String], keywords: KeywordTable) -> io::Result<Self> {
        let encoded: Vec<_> = levels
            .iter()
            .map(|level| utf7::encode(level).replace('.', "_"))
            .collect();
        let directory = match encoded.as_slice() {
            [inbox] if inbox == "INBOX" => root.to_owned(),
            _ => root.join(format!(".{}", encoded.join("."))),
        };
        for part in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(directory.join(part))?;
        }
        Ok(Self {
            directory,
            keywords,
        })
    }

    /// `DFRST` and a letter for each of the first 26 keywords, in alphabetical order.
    fn letters(flags: Flags) -> String {
        let system = LETTERS
            .iter()
            .filter(|(_, bit)| flags.contains(*bit))
            .map(|(c, _)| *c);
        let own = flags.keywords().filter(|index| *index < 26);
        system
            .chain(own.map(|index| char::from(b'a' + index as u8)))
            .collect()
    }
}

impl Writer for Maildir {
    fn write(&mut self, row: &Row, bytes: &Bytes) -> io::Result<()> {
        let seconds = row.date.unix_seconds.max(0).cast_unsigned();
        let name = format!(
            "{seconds}.U{:010}.pillarbox,S={}:2,{}",
            row.uid.0,
            bytes.len(),
            Self::letters(row.flags)
        );
        let mut file = File::create_new(self.directory.join("cur").join(name))?;
        file.write_all(bytes)?;
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))?;
        file.sync_all()
    }

    fn finish(&mut self) -> io::Result<()> {
        let names = self.keywords.names().iter().take(26).enumerate();
        let text: String = names
            .map(|(number, name)| format!("{number} {name}\n"))
            .collect();
        if !text.is_empty() {
            std::fs::write(self.directory.join("dovecot-keywords"), text)?;
        }
        File::open(self.directory.join("cur"))?.sync_all()
    }
}

struct Mbox(io::BufWriter<File>);

impl Writer for Mbox {
    fn write(&mut self, row: &Row, bytes: &Bytes) -> io::Result<()> {
        let mut out = Vec::with_capacity(bytes.len() + 64);
        mbox::push_separator(&mut out, row.date);
        mbox::push_quoted(&mut out, bytes);
        self.0.write_all(&out)
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.flush()?;
        self.0.get_ref().sync_all()
    }
}

struct Eml(PathBuf);

impl Writer for Eml {
    fn write(&mut self, row: &Row, bytes: &Bytes) -> io::Result<()> {
        let mut file = File::create_new(self.0.join(format!("{:010}.eml", row.uid.0)))?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn finish(&mut self) -> io::Result<()> {
        File::open(&self.0)?.sync_all()
    }
}
