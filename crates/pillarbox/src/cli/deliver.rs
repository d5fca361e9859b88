//! `pillarbox deliver`: mail from an MTA that runs a program for it.

use std::fmt::Display;

use bytes::Bytes;
use pillarbox_message::fields;
use pillarbox_proto::lmtp::Address;
use pillarbox_store::Error;
use serde::{Deserialize, Serialize};

use super::Failure;
use super::admin::{Blocks, Outcome, StorageBlock};
use super::console::Console;
use super::imap_msgs::with_crlf;
use crate::clock;
use crate::delivery::{
    Buffer, Letter, NoRecipient, Recipient, Spool, Trace, deliver, header_len, message_id,
};
use crate::storage::Storage;

/// Statuses of sysexits.h, which MTAs understand.
mod status {
    /// What was said makes no sense: sent back.
    pub(in super::super) const USAGE: u8 = 64;
    /// The message is none: sent back.
    pub(in super::super) const DATA: u8 = 65;
    /// There is no such user: sent back.
    pub(in super::super) const NO_USER: u8 = 67;
    /// The mailbox is full: sent back.
    pub(in super::super) const CANT_CREATE: u8 = 73;
    /// To be tried again.
    pub(in super::super) const TEMPORARY: u8 = 75;
}

pub(super) use status::USAGE;

/// The exit status of the command that failed so: the MTA keeps the message if a configuration is
/// broken or a server went away.
pub(super) const fn status(failure: &Failure) -> u8 {
    match failure {
        Failure::Told(status) => *status,
        _ => status::TEMPORARY,
    }
}

/// `deliver`, with its arguments.
#[derive(clap::Args, Serialize, Deserialize)]
pub struct Deliver {
    #[command(flatten)]
    block: StorageBlock,
    /// A recipient; may be repeated
    #[arg(short = 'd', long = "to", value_name = "ADDRESS")]
    to: Vec<String>,
    /// The sender in the envelope; nobody if missing
    #[arg(short = 'f', long = "from", value_name = "ADDRESS", default_value = "")]
    from: String,
    /// Further recipients
    #[arg(value_name = "ADDRESS")]
    recipients: Vec<String>,
}

impl Deliver {
    pub(super) async fn perform(self, blocks: &dyn Blocks, console: &mut dyn Console) -> Outcome {
        match self.deliver(blocks, console).await {
            Ok(()) => Ok(()),
            // The MTA decides by the status, and whoever reads its log by the text.
            Err(refused) => {
                console.tell(&format!("Error: {}", refused.text)).await?;
                Err(Failure::Told(refused.status))
            }
        }
    }

    async fn deliver(&self, blocks: &dyn Blocks, console: &mut dyn Console) -> Result<(), Refused> {
        let storage = blocks.storage(self.block.name()).map_err(temporary)?;
        let sender = self.sender()?;
        let recipients = self.recipients(&storage).await?;
        let message = with_crlf(without_separator(console.input().await.map_err(temporary)?));
        if message.is_empty() {
            let text = "the message on the standard input is empty".to_owned();
            return Err(Refused::new(status::DATA, text));
        }
        let trace = Trace {
            message_id: message_id(),
            sender,
            helo: "localhost".to_owned(),
            address: None,
            hostname: blocks.hostname(),
            protocol: "local",
            date: clock::now(),
        };
        post(&storage, &trace, &message, &recipients).await
    }

    fn sender(&self) -> Result<String, Refused> {
        // Postfix and Exim say `MAILER-DAEMON` or `<>` where there is no sender, if told to.
        let sender = self.from.trim_start_matches('<').trim_end_matches('>');
        match sender {
            "" => Ok(String::new()),
            sender if Address::parse(sender).is_some() => Ok(sender.to_owned()),
            sender => Err(Refused::new(USAGE, format!("{sender} is no address"))),
        }
    }

    async fn recipients(&self, storage: &Storage) -> Result<Vec<Recipient>, Refused> {
        let mut found = Vec::new();
        for address in self.to.iter().chain(&self.recipients) {
            if Address::parse(address).is_none() {
                return Err(Refused::new(USAGE, format!("{address} is no address")));
            }
            match storage.recipient(address).await {
                Ok(recipient) => found.push(recipient),
                Err(NoRecipient::Unknown) => {
                    let text = format!("User does not exist: {address}");
                    return Err(Refused::new(status::NO_USER, text));
                }
                Err(error) => return Err(temporary(error)),
            }
        }
        match found.is_empty() {
            true => Err(Refused::new(USAGE, "no recipient was named".to_owned())),
            false => Ok(found),
        }
    }
}

/// Why a message was not delivered.
struct Refused {
    status: u8,
    text: String,
}

impl Refused {
    const fn new(status: u8, text: String) -> Self {
        Self { status, text }
    }
}

/// What may pass.
fn temporary(error: impl Display) -> Refused {
    Refused::new(
        status::TEMPORARY,
        format!("{error:#}").trim_end().to_owned(),
    )
}

async fn post(
    storage: &Storage,
    trace: &Trace,
    message: &[u8],
    recipients: &[Recipient],
) -> Result<(), Refused> {
    let mut spool = Spool::new(Buffer::memory());
    spool.write(message).map_err(temporary)?;
    let header = message.get(..header_len(message)).unwrap_or_default();
    let letter = Letter::new(trace, &spool, header);
    for outcome in deliver(storage, &letter, recipients).await {
        outcome.map_err(|error| match error {
            Error::OverQuota { .. } if storage.delivery.reject_over_quota => {
                Refused::new(status::CANT_CREATE, "Mailbox is full".to_owned())
            }
            error => temporary(error),
        })?;
    }
    Ok(())
}

/// Some MTAs put a line of mbox files in front (`F` of Postfix's pipe).
fn without_separator(message: Bytes) -> Bytes {
    let is_separator = message.starts_with(b"From ")
        && fields(&message).next().is_none_or(|first| {
            // What follows is the header, which does not begin with the message.
            first.raw.as_ptr() != message.as_ptr()
        });
    let end = message.iter().position(|&b| b == b'\n');
    match end {
        Some(end) if is_separator => message.slice(end + 1..),
        _ => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_separator_is_no_part_of_the_message() {
        let without = |text: &'static str| without_separator(Bytes::from(text));
        assert_eq!(
            without("From a Thu Jan  1\nSubject: x\n\ny"),
            "Subject: x\n\ny"
        );
        assert_eq!(without("From: a\n\ny"), "From: a\n\ny");
        assert_eq!(
            without("Subject: x\n\nFrom here"),
            "Subject: x\n\nFrom here"
        );
        assert_eq!(without(""), "");
    }
}
