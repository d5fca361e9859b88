//! Into the store, for all recipients at once.

use std::collections::HashMap;
use std::io;

use pillarbox_message::without_fields;
use pillarbox_model::{AccountId, Flag, MailboxId};
use pillarbox_store::{About, Account, Error, NewMessage};

use super::{Recipient, Spool, Trace};
use crate::storage::Storage;
use crate::storage::incoming::Incoming;

/// Bytes of copies that wait in memory for one commit; the rest of many recipients has another.
const BATCH_BYTES: u64 = 16 * 1024 * 1024;

/// A message that is all here.
pub struct Letter<'a> {
    /// How it came.
    pub(super) trace: &'a Trace,
    /// Its header, without what is replaced.
    pub(super) header: Vec<u8>,
    spool: &'a Spool,
    /// Where in the spool the header ends.
    body: u64,
}

/// One copy of the message.
struct Copy<'a> {
    account: &'a Account,
    mailbox: MailboxId,
    flags: Vec<Flag>,
    /// Who gets it, by their numbers.
    readers: Vec<usize>,
}

/// Delivers a message. Recipients who have one account, and one mailbox in it, share a copy. Says for
/// each what came of it; what is `Ok` is durable.
///
/// All copies are one transaction, unless they are too many to be held; if it can't be done for
/// one of them, the others are done alone.
pub async fn deliver(
    storage: &Storage,
    letter: &Letter<'_>,
    recipients: &[Recipient],
) -> Vec<Result<(), Error>> {
    let mut outcomes = vec![Ok(()); recipients.len()];
    let copies = copies(storage, letter, recipients, &mut outcomes).await;
    let mut rest = copies.as_slice();
    while !rest.is_empty() {
        let (done, outcome) = post(storage, letter, rest).await;
        let (batch, further) = rest.split_at(done);
        rest = further;
        match outcome {
            Err(error) if batch.len() > 1 && concerns_one(&error) => {
                for copy in batch {
                    let alone = post(storage, letter, std::slice::from_ref(copy)).await.1;
                    note(&mut outcomes, &copy.readers, &alone);
                }
            }
            outcome => batch
                .iter()
                .for_each(|copy| note(&mut outcomes, &copy.readers, &outcome)),
        }
    }
    outcomes
}

fn note(outcomes: &mut [Result<(), Error>], readers: &[usize], outcome: &Result<(), Error>) {
    for &reader in readers {
        if let Some(place) = outcomes.get_mut(reader) {
            *place = outcome.clone();
        }
    }
}

/// Whether others may fare better.
const fn concerns_one(error: &Error) -> bool {
    matches!(
        error,
        Error::NoAccount
            | Error::NoMailbox
            | Error::TooManyKeywords
            | Error::UidsExhausted
            | Error::OverQuota { .. }
    )
}

/// The copies that are needed. Where no place can be found for one, that is noted.
async fn copies<'a>(
    storage: &Storage,
    letter: &Letter<'_>,
    recipients: &'a [Recipient],
    outcomes: &mut [Result<(), Error>],
) -> Vec<Copy<'a>> {
    let mut alike: HashMap<(AccountId, Option<&str>), Vec<usize>> = HashMap::new();
    for (reader, recipient) in recipients.iter().enumerate() {
        let key = (recipient.account.id, recipient.detail.as_deref());
        alike.entry(key).or_default().push(reader);
    }
    let mut copies: Vec<Copy<'a>> = Vec::new();
    let mut places: HashMap<MailboxId, usize> = HashMap::new();
    for (reader, recipient) in recipients.iter().enumerate() {
        let key = (recipient.account.id, recipient.detail.as_deref());
        // The first of those that are alike asks for all of them.
        let Some(readers) = alike.remove(&key) else {
            continue;
        };
        debug_assert_eq!(readers.first(), Some(&reader));
        match storage.place(letter, recipient).await {
            Ok(place) => {
                let index = *places.entry(place.mailbox).or_insert(copies.len());
                match copies.get_mut(index) {
                    Some(copy) => copy.readers.extend(readers),
                    None => copies.push(Copy {
                        account: &recipient.account,
                        mailbox: place.mailbox,
                        flags: place.flags,
                        readers,
                    }),
                }
            }
            Err(error) => note(outcomes, &readers, &Err(error)),
        }
    }
    copies
}

/// Puts some copies into the store, at least one; says how many, and what came of them.
async fn post(
    storage: &Storage,
    letter: &Letter<'_>,
    copies: &[Copy<'_>],
) -> (usize, Result<(), Error>) {
    let (mut batch, mut held) = (Vec::new(), 0);
    for copy in copies {
        match message(storage, letter, copy).await {
            Ok((message, bytes)) => {
                batch.push((copy.mailbox, vec![message]));
                held += bytes;
            }
            // Nothing of the batch is in the store; the one that failed ends it.
            Err(error) if batch.is_empty() => return (1, Err(error)),
            Err(_) => break,
        }
        if held >= BATCH_BYTES {
            break;
        }
    }
    let count = batch.len();
    (count, storage.store.deliver(batch).await.map(drop))
}

/// A copy as it will be stored, and how much of it is in memory.
async fn message(
    storage: &Storage,
    letter: &Letter<'_>,
    copy: &Copy<'_>,
) -> Result<(NewMessage, u64), Error> {
    let header = letter.trace.header(&copy.account.name);
    let date = letter.trace.date;
    let about = About {
        account: copy.account.id,
        mailbox: copy.mailbox,
        date,
    };
    let size = header.len() as u64 + letter.len();
    let mut incoming = Incoming::begin(&*storage.store, about, size, u64::MAX).await?;
    let held = incoming.held_bytes();
    incoming.write(&header).await?;
    letter.write_to(&mut incoming).await?;
    let received = incoming.finish(&*storage.store).await?;
    let message = NewMessage {
        flags: copy.flags.clone(),
        date,
        digest: received.digest,
        links: received.links,
        blob: received.blob,
    };
    Ok((message, held))
}

impl<'a> Letter<'a> {
    /// The message in `spool`, which begins with `header`.
    ///
    /// Where it came from before is of no more use than confusion: the one field for that is ours
    /// (RFC 5321 §4.4).
    #[must_use]
    pub fn new(trace: &'a Trace, spool: &'a Spool, header: &[u8]) -> Self {
        Self {
            trace,
            header: without_fields(header, b"Return-Path"),
            spool,
            body: header.len() as u64,
        }
    }

    /// Its size in bytes, without the fields of the trace.
    fn len(&self) -> u64 {
        self.header.len() as u64 + self.spool.len().saturating_sub(self.body)
    }

    async fn write_to(&self, incoming: &mut Incoming) -> Result<(), Error> {
        let (mut at, mut space) = (0, Vec::new());
        while let Some(piece) = self.piece(at, &mut space)? {
            incoming.write(piece).await?;
            at += piece.len() as u64;
        }
        Ok(())
    }

    /// The piece of the message that begins at `offset`, if there is one.
    pub(super) fn piece<'s>(
        &'s self,
        offset: u64,
        space: &'s mut Vec<u8>,
    ) -> io::Result<Option<&'s [u8]>> {
        let header = self.header.len() as u64;
        let piece = match usize::try_from(offset)
            .ok()
            .and_then(|at| self.header.get(at..))
        {
            Some(rest) if !rest.is_empty() => rest,
            _ => self.spool.piece(offset - header + self.body, space)?,
        };
        Ok((!piece.is_empty()).then_some(piece))
    }
}
