//! Messages that are put together from texts and from what is here already (RFC 4469).

use std::sync::Arc;

use bytes::Bytes;
use pillarbox_message::{DigestRef, digest};
use pillarbox_model::{MailboxId, Rights, Uid};
use pillarbox_proto::imap::command::{AppendData, AppendMessage, CatPart};
use pillarbox_proto::imap::url::{MessageUrl, UrlMailbox};
use pillarbox_store::{Content, Error, Mailbox, NewBlob};

use super::reach::Reach;
use super::section::{new_section, sendable};
use super::upload::Upload;
use super::{Refusal, Session};
use crate::storage::incoming::Incoming;

/// Bytes that are copied at once, so that no copy holds up other connections of the same thread.
const COPIED_AT_ONCE: usize = 256 * 1024;

/// A piece of a message that is put together: small ones in memory, large ones on disk for as long.
pub(super) struct Piece {
    _blob: NewBlob,
    bytes: Bytes,
    /// Bytes of it in memory.
    held: u64,
}

impl Piece {
    /// All of it came.
    pub(super) async fn new(incoming: Incoming) -> Result<Self, Error> {
        let held = incoming.held_bytes();
        let (blob, bytes) = incoming.complete().await?;
        Ok(Self {
            _blob: blob,
            bytes,
            held,
        })
    }
}

/// Where the messages of URLs come from.
pub(super) struct Source<'a> {
    pub(super) reach: Reach<'a>,
    /// The selected mailbox, if the user may read it.
    selected: Option<Arc<Mailbox>>,
    /// Names that do not start with a slash lie beside the selected mailbox (RFC 3986 §5.2.3).
    beside: bool,
}

impl Session {
    pub(super) fn source(&self) -> Result<Source<'_>, Refusal> {
        let selected = self.selected.as_ref();
        let mailbox = selected.map(|selected| selected.member.mailbox().clone());
        // Rights as they are now: they may have changed since the last command.
        let readable = mailbox.filter(|mailbox| {
            let rights = self.rights_on(mailbox.account(), &mailbox.acl());
            rights.all(Rights::READ)
        });
        Ok(Source {
            reach: self.reach()?,
            selected: readable,
            beside: selected.is_some() && self.endpoint.storage.delimiter.0 == '/',
        })
    }

    /// The messages of a command that is whole: what of them the texts left to be done is done.
    pub(super) async fn put_together(
        &mut self,
        mailbox: &[u8],
        messages: &[AppendMessage<'_>],
        upload: Option<Upload>,
    ) -> Result<Upload, Refusal> {
        let mut upload = upload.unwrap_or_default();
        upload.complete(&self.source()?, mailbox, messages).await?;
        Ok(upload)
    }
}

impl Source<'_> {
    /// The bytes that a URL points to.
    ///
    /// # Errors
    /// Whatever is wrong with it, BADURL is all that is said: not whether there is such a mailbox.
    async fn read(&self, url: &[u8]) -> Result<Bytes, Refusal> {
        match self.find(url).await {
            Ok(Some(bytes)) => Ok(sendable(bytes)),
            Err(refusal) if refusal.is_failure() => Err(refusal),
            Ok(None) | Err(_) => Err(Refusal::BadUrl(url.into())),
        }
    }

    async fn find(&self, url: &[u8]) -> Result<Option<Bytes>, Refusal> {
        let Some(url) = MessageUrl::parse(url) else {
            return Ok(None);
        };
        let Some(mailbox) = self.mailbox(url.mailbox.as_ref()).await? else {
            return Ok(None);
        };
        let validity = mailbox.uid_validity().0;
        if url.uid_validity.is_some_and(|wanted| wanted != validity) {
            return Ok(None);
        }
        let Some(row) = mailbox.read().get(Uid(url.uid)) else {
            return Ok(None);
        };
        let store = &self.reach.storage.store;
        let contents = store.contents(&[row], true).await?;
        let Some(Content { location, digest }) = contents.first() else {
            return Ok(None);
        };
        let bytes = store.read(location).await?;
        Ok(section(&url, digest, &bytes))
    }

    async fn mailbox(&self, named: Option<&UrlMailbox>) -> Result<Option<Arc<Mailbox>>, Refusal> {
        let store = &self.reach.storage.store;
        let mailbox = match named {
            None => self.selected.clone(),
            Some(named) => {
                let found = self.named(named).await?;
                Some(store.open(found).await?)
            }
        };
        let Some(mailbox) = mailbox.filter(|mailbox| !mailbox.is_deleted()) else {
            return Ok(None);
        };
        store.refresh(&mailbox).await?;
        Ok(Some(mailbox))
    }
}

impl Source<'_> {
    /// The mailbox of that name, if the user may read it.
    async fn named(&self, named: &UrlMailbox) -> Result<MailboxId, Refusal> {
        // Where that is in a hierarchy with slashes, nobody could say: names start from the root.
        if self.beside && !named.absolute {
            return Err(Refusal::NoMessage);
        }
        let reach = |utf8| Reach { utf8, ..self.reach };
        // UTF-8 (RFC 5092 §8). Some clients write the name as they do elsewhere.
        match reach(true).find(&named.name, Rights::READ).await {
            Err(refusal) if !refusal.is_failure() && named.name.contains(&b'&') => {
                let found = reach(false).find(&named.name, Rights::READ).await;
                found.map(|found| found.info.id)
            }
            found => found.map(|found| found.info.id),
        }
    }
}

/// The part that is meant; `None` if the message has none such.
fn section(url: &MessageUrl, known: &Bytes, bytes: &Bytes) -> Option<Bytes> {
    let made;
    let parts = match DigestRef::new(known) {
        Some(parts) => parts,
        None => {
            made = tokio::task::block_in_place(|| digest(bytes).encode());
            DigestRef::new(&made)?
        }
    };
    new_section(&url.section, &parts, bytes)
}

impl Upload {
    /// The messages that no text ended, of a command that is whole.
    async fn complete(
        &mut self,
        source: &Source<'_>,
        mailbox: &[u8],
        messages: &[AppendMessage<'_>],
    ) -> Result<(), Refusal> {
        if let Some(refusal) = self.refusal.take() {
            return Err(refusal);
        }
        for message in messages.iter().skip(self.done.len()) {
            if matches!(message.data, AppendData::Catenated { .. }) {
                self.aim(&source.reach, mailbox).await?;
            }
            self.end_catenated(source, &message.data).await?;
        }
        Ok(())
    }

    /// A message that is put together is complete: what of it is missing comes from URLs.
    pub(super) async fn end_catenated(
        &mut self,
        source: &Source<'_>,
        data: &AppendData<'_>,
    ) -> Result<(), Refusal> {
        let AppendData::Catenated { parts, .. } = data else {
            let text = "A message of APPEND must be a literal";
            return Err(Refusal::Client(text.into()));
        };
        self.add_urls(source, parts).await?;
        let size = std::mem::take(&mut self.size);
        if size == 0 {
            return Err(Refusal::Cannot("An empty message can't be appended"));
        }
        let store = &*source.reach.storage.store;
        let mut whole = Incoming::begin(store, self.about()?, size, self.room()).await?;
        self.in_memory += whole.held_bytes();
        for piece in std::mem::take(&mut self.pieces) {
            for some in piece.bytes.chunks(COPIED_AT_ONCE) {
                whole.write(some).await?;
            }
            self.in_memory = self.in_memory.saturating_sub(piece.held);
        }
        self.done.push(whole.finish(store).await?);
        Ok(())
    }

    /// Takes the pieces that URLs point to, up to the next text.
    pub(super) async fn add_urls(
        &mut self,
        source: &Source<'_>,
        parts: &[CatPart<'_>],
    ) -> Result<(), Refusal> {
        for part in parts.iter().skip(self.pieces.len()) {
            let CatPart::Url(url) = part else {
                let text = "A text of CATENATE must be a literal";
                return Err(Refusal::Client(text.into()));
            };
            let bytes = source.read(url).await?;
            self.begin_piece(&source.reach, bytes.len() as u64).await?;
            let Some(mut incoming) = self.current.take() else {
                return Err(Refusal::TryCreate);
            };
            for some in bytes.chunks(COPIED_AT_ONCE) {
                incoming.write(some).await?;
            }
            self.pieces.push(Piece::new(incoming).await?);
        }
        Ok(())
    }

    /// A piece of that size is to come.
    pub(super) async fn begin_piece(
        &mut self,
        reach: &Reach<'_>,
        size: u64,
    ) -> Result<(), Refusal> {
        let limit_bytes = reach.append_limit();
        let whole = self.size.saturating_add(size);
        if whole > limit_bytes {
            return Err(Refusal::TooBig { limit_bytes });
        }
        self.fits(reach, size, self.pieces.is_empty()).await?;
        self.size = whole;
        self.begin(reach, size).await
    }
}
