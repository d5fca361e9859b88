//! The messages of an APPEND on their way in.

use pillarbox_model::{InternalDate, PerResource, limit};
use pillarbox_proto::imap::command::{AppendData, AppendMessage};
use pillarbox_proto::imap::frame::Frame;
use pillarbox_store::{About, NewMessage, Quota, Row, Store};

use super::catenate::{Piece, Source};
use super::reach::Reach;
use super::{Reached, Refusal};
use crate::storage::incoming::{Incoming, Received};

/// Bytes that the messages of one MULTIAPPEND may hold in memory together; beyond that they are written
/// as they come, whatever their size.
const BATCH_IN_MEMORY_BYTES: u64 = 4 * 1024 * 1024;

/// An APPEND in progress.
#[derive(Default)]
pub(super) struct Upload {
    target: Option<Reached>,
    pub(super) done: Vec<Received>,
    pub(super) current: Option<Incoming>,
    pub(super) in_memory: u64,
    /// What is here of a message that is put together (RFC 4469), and how large that is.
    pub(super) pieces: Vec<Piece>,
    pub(super) size: u64,
    /// The current literal is one of its texts.
    is_text: bool,
    /// What all literals announced so far take, and what the account may have.
    wanted: PerResource<u64>,
    quota: Option<Quota>,
    /// The message that goes when this one comes (RFC 8508).
    replaced: Option<Row>,
    /// The first thing that went wrong.
    pub(super) refusal: Option<Refusal>,
}

impl Upload {
    /// Judges an offered literal; says whether its bytes are wanted. If not, the reason is kept for the
    /// end of the command.
    pub(super) async fn offer(&mut self, source: &Source<'_>, prefix: &Frame, size: u64) -> bool {
        match self.admit(source, prefix, size).await {
            Ok(()) => true,
            Err(refusal) => {
                self.refusal.get_or_insert(refusal);
                false
            }
        }
    }

    /// The message that REPLACE names, or why it can't be replaced.
    pub(super) fn judge_replaced(&mut self, replaced: Result<Option<Row>, Refusal>) {
        match replaced {
            Ok(replaced) => self.replaced = replaced,
            Err(refusal) => self.fail(refusal),
        }
    }

    async fn admit(
        &mut self,
        source: &Source<'_>,
        prefix: &Frame,
        size: u64,
    ) -> Result<(), Refusal> {
        let reach = &source.reach;
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        let read = prefix
            .append_prefix()
            .map_err(|bad| Refusal::Client(bad.message))?;
        self.aim(reach, &read.mailbox).await?;
        let limit_bytes = reach.append_limit();
        if size > limit_bytes {
            return Err(Refusal::TooBig { limit_bytes });
        }
        for data in read.data.iter().take(read.before).skip(self.done.len()) {
            self.end_catenated(source, data).await?;
        }
        if self.done.len() >= limit::MESSAGES_PER_APPEND {
            return Err(Refusal::Limit("Too many messages in one APPEND"));
        }
        self.is_text = false;
        if let Some(AppendData::Catenated { parts, .. }) = read.data.last() {
            let before = parts.split_last().map(|(_, before)| before);
            self.add_urls(source, before.unwrap_or_default()).await?;
            self.is_text = true;
            return self.begin_piece(reach, size).await;
        }
        if size == 0 {
            return Err(Refusal::Cannot("An empty message can't be appended"));
        }
        self.fits(reach, size, true).await?;
        self.begin(reach, size).await
    }

    /// Finds the mailbox that the messages are to go to.
    pub(super) async fn aim(&mut self, reach: &Reach<'_>, mailbox: &[u8]) -> Result<(), Refusal> {
        if self.target.is_none() {
            self.target = Some(reach.target(mailbox).await?);
        }
        Ok(())
    }

    /// Whether the account of the mailbox has room for it beside what was announced before (RFC 9208
    /// §4.3.1). The commit decides: others may be faster, or make room. Bytes of a message that began before
    /// are part of it.
    pub(super) async fn fits(
        &mut self,
        reach: &Reach<'_>,
        size: u64,
        begins: bool,
    ) -> Result<(), Refusal> {
        let account = self.target.as_ref().map(|target| target.info.account);
        let account = account.unwrap_or(reach.user.account.id);
        let quota = match self.quota {
            Some(quota) => quota,
            None => reach.storage.store.quota(account).await?,
        };
        self.quota = Some(quota);
        self.wanted.storage = self.wanted.storage.saturating_add(size);
        self.wanted.message += u64::from(begins);
        // Only the net counts (RFC 8508 §3.4). In another account nothing is freed; the commit knows.
        if let Some(replaced) = self.replaced.take().filter(|_| begins) {
            let freed = u64::from(replaced.size);
            self.wanted.storage = self.wanted.storage.saturating_sub(freed);
            self.wanted.message -= 1;
        }
        Ok(quota.admit(self.wanted)?)
    }

    pub(super) fn about(&self) -> Result<About, Refusal> {
        let target = self.target.as_ref().ok_or(Refusal::TryCreate)?;
        Ok(About {
            account: target.info.account,
            mailbox: target.info.id,
            date: InternalDate::default(),
        })
    }

    /// Bytes that may still be held in memory.
    pub(super) const fn room(&self) -> u64 {
        BATCH_IN_MEMORY_BYTES.saturating_sub(self.in_memory)
    }

    pub(super) async fn begin(&mut self, reach: &Reach<'_>, size: u64) -> Result<(), Refusal> {
        let (about, room) = (self.about()?, self.room());
        let incoming = Incoming::begin(&*reach.storage.store, about, size, room).await?;
        self.in_memory += incoming.held_bytes();
        self.current = Some(incoming);
        Ok(())
    }

    /// Takes bytes of the current message.
    pub(super) async fn write(&mut self, bytes: &[u8]) {
        if let Some(incoming) = &mut self.current
            && let Err(error) = incoming.write(bytes).await
        {
            self.fail(error.into());
        }
    }

    /// The current message is complete.
    pub(super) async fn end(&mut self, store: &dyn Store) {
        if let Some(incoming) = self.current.take() {
            if self.is_text {
                return match Piece::new(incoming).await {
                    Ok(piece) => self.pieces.push(piece),
                    Err(error) => self.fail(error.into()),
                };
            }
            match incoming.finish(store).await {
                Ok(received) => self.done.push(received),
                Err(error) => self.fail(error.into()),
            }
        }
    }

    /// The bytes can't be kept. The rest of the command is read, and then refused.
    fn fail(&mut self, refusal: Refusal) {
        self.current = None;
        self.refusal.get_or_insert(refusal);
    }

    /// Why nothing came of it.
    pub(super) fn into_refusal(self) -> Option<Refusal> {
        self.refusal
    }

    /// The messages with the flags and dates that the command gave them.
    pub(super) fn into_messages(
        self,
        described: Vec<AppendMessage<'_>>,
        now: InternalDate,
    ) -> Result<(Reached, Vec<NewMessage>), Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let target = self
            .target
            .ok_or(Refusal::Client("APPEND without a message".into()))?;
        if described.len() != self.done.len() {
            return Err(Refusal::Client(
                "A message of APPEND must be a literal".into(),
            ));
        }
        let rights = target.rights;
        let messages = described
            .into_iter()
            .zip(self.done)
            .map(|(about, received)| NewMessage {
                // Those that the user may set; the others are passed over (RFC 4314 §4).
                flags: about
                    .flags
                    .into_iter()
                    .filter(|flag| rights.change(flag))
                    .collect(),
                date: about.date.unwrap_or(now),
                digest: received.digest,
                links: received.links,
                blob: received.blob,
            });
        Ok((target, messages.collect()))
    }
}
