//! Listing and printing messages.

use bytes::Bytes;
use pillarbox_message::{DigestRef, decode_header, fields};
use pillarbox_model::InternalDate;
use pillarbox_store::{Content, Mailbox, Row};
use serde_json::{Value, json};

use super::super::Failure;
use super::super::admin::{Outcome, say, say_json};
use super::super::console::Console;
use super::date;
use crate::storage::Storage;

/// Messages looked up at a time: bounds memory.
const BATCH: usize = 256;

/// How messages are listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Short,
    Full,
    Json,
}

impl Form {
    pub(super) fn new(full: bool, json: bool) -> Self {
        match (full, json) {
            (_, true) => Self::Json,
            (true, _) => Self::Full,
            _ => Self::Short,
        }
    }
}

/// A message as it is listed.
struct Summary {
    place: u32,
    row: Row,
    flags: Vec<String>,
    header: Bytes,
    sent: Option<InternalDate>,
}

/// Lists messages with their places in the mailbox.
pub(super) async fn list(
    storage: &Storage,
    mailbox: &Mailbox,
    messages: &[(u32, Row)],
    form: Form,
    console: &mut dyn Console,
) -> Outcome {
    let mut listed = Vec::new();
    for batch in messages.chunks(BATCH) {
        let rows: Vec<Row> = batch.iter().map(|(_, row)| *row).collect();
        let contents = storage.store.contents(&rows, true).await?;
        for ((place, row), content) in batch.iter().zip(contents) {
            let flags = flags(mailbox, row);
            let summary = Summary::new(storage, *place, *row, flags, &content).await?;
            match form {
                Form::Short => say(console, &summary.short()).await?,
                Form::Full => say(console, &summary.full()).await?,
                Form::Json => listed.push(summary.json()),
            }
        }
    }
    match form {
        Form::Json => say_json(console, &listed).await,
        _ => Ok(()),
    }
}

/// Prints messages one after the other.
pub(super) async fn dump(
    storage: &Storage,
    messages: &[(u32, Row)],
    console: &mut dyn Console,
) -> Outcome {
    for batch in messages.chunks(BATCH) {
        let rows: Vec<Row> = batch.iter().map(|(_, row)| *row).collect();
        for content in storage.store.contents(&rows, false).await? {
            let bytes = storage.store.read(&content.location).await?;
            console.print(&bytes).await?;
        }
    }
    Ok(())
}

fn flags(mailbox: &Mailbox, row: &Row) -> Vec<String> {
    let rows = mailbox.read();
    let names = rows.keywords().names_of(row.flags);
    names.map(str::to_owned).collect()
}

impl Summary {
    async fn new(
        storage: &Storage,
        place: u32,
        row: Row,
        flags: Vec<String>,
        content: &Content,
    ) -> Result<Self, Failure> {
        let digest = DigestRef::new(&content.digest);
        let bytes = storage.store.read(&content.location).await?;
        let header_len = digest
            .as_ref()
            .map_or(bytes.len(), |digest| digest.header_len() as usize);
        let sent = digest.and_then(|digest| digest.sent_date());
        Ok(Self {
            place,
            row,
            flags,
            header: bytes.slice(..header_len.min(bytes.len())),
            sent: sent.map(|(unix_seconds, zone_minutes)| InternalDate {
                unix_seconds,
                zone_minutes,
            }),
        })
    }

    /// A field of the header, decoded; empty if it is not there.
    fn field(&self, name: &str) -> String {
        let field = fields(&self.header).find(|field| field.is(name.as_bytes()));
        field.map_or_else(String::new, |field| decode_header(field.value))
    }

    /// The same for a terminal, which must not obey what strangers write.
    fn shown(&self, name: &str) -> String {
        self.field(name).replace(char::is_control, "\u{fffd}")
    }

    fn short(&self) -> String {
        format!(
            "UID {}: {} - {}\n  [{}], {}\n",
            self.row.uid,
            self.shown("From"),
            self.shown("Subject"),
            self.flags.join(" "),
            date::format(self.sent.unwrap_or(self.row.date)),
        )
    }

    fn full(&self) -> String {
        let mut text = format!(
            "- Server meta-data:\nUID: {}\nSequence number: {}\nFlags: [{}]\nBody size: {}\n\
             Internal date: {} {}\n- Envelope:\n",
            self.row.uid,
            self.place,
            self.flags.join(" "),
            self.row.size,
            self.row.date.unix_seconds,
            date::format(self.row.date),
        );
        for name in ["From", "To", "Cc", "Bcc", "In-Reply-To", "Message-Id"] {
            let value = self.shown(name);
            if !value.is_empty() {
                text.push_str(&format!("{name}: {value}\n"));
            }
        }
        if let Some(sent) = self.sent {
            text.push_str(&format!(
                "Date: {} {}\n",
                sent.unix_seconds,
                date::format(sent)
            ));
        }
        text.push_str(&format!("Subject: {}\n", self.shown("Subject")));
        text
    }

    fn json(&self) -> Value {
        json!({
            "uid": self.row.uid.0,
            "seq": self.place,
            "modseq": self.row.modseq.0,
            "flags": self.flags,
            "size_bytes": self.row.size,
            "internal_date": date::format(self.row.date),
            "date": self.sent.map(date::format),
            "from": self.field("From"),
            "to": self.field("To"),
            "cc": self.field("Cc"),
            "subject": self.field("Subject"),
            "message_id": self.field("Message-Id"),
        })
    }
}
