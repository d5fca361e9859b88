//! BINARY (RFC 3516): parts of messages as they were before they were encoded.

use bytes::Bytes;
use pillarbox_message::{Decoder, DigestRef, Encoding, Kind, PartRef, decode_part};
use pillarbox_proto::imap::command::{BinarySection, FetchItem};

use super::section::cut;
use super::wire::Wire;

/// Bodies up to this size are decoded at once. Larger ones are decoded twice, first to know how much
/// comes of it, and in pieces: no more than a piece is ever held.
const AT_ONCE_BYTES: usize = 256 * 1024;
/// What is decoded between one look at the socket, or at other sessions, and the next.
const PIECE_BYTES: usize = 64 * 1024;

/// Whether an item can't be answered: it is of a part whose encoding is unknown.
pub(super) fn is_undecodable(item: &FetchItem<'_>, parts: &DigestRef<'_>) -> bool {
    let path = match item {
        FetchItem::Binary(section) => &section.path,
        FetchItem::BinarySize(path) => path,
        _ => return false,
    };
    let part = parts.parts().part(path).filter(|_| !path.is_empty());
    part.is_some_and(|part| encoding(&part) == Encoding::Unknown)
}

/// How a part is encoded. A multipart in which parts were found is not, whatever it says (RFC 2045
/// §6.4 allows nothing else).
fn encoding(part: &PartRef<'_>) -> Encoding {
    match (part.kind, part.encoding) {
        (Kind::Multipart, Encoding::Base64 | Encoding::QuotedPrintable) => Encoding::SevenBit,
        (_, encoding) => encoding,
    }
}

/// A decoded section, or some of it.
pub(super) enum Decoded {
    /// All is here.
    Held(Bytes),
    /// It is made as it goes out.
    Pieces {
        body: Bytes,
        encoding: Encoding,
        /// Which bytes of what is made, the last one excluded.
        from: u64,
        to: u64,
        has_nul: bool,
    },
}

impl Decoded {
    /// The section of an item; `None` if the message has no such part.
    pub(super) async fn of_section(
        section: &BinarySection,
        parts: &DigestRef<'_>,
        bytes: &Bytes,
    ) -> Option<Self> {
        Self::of(&section.path, section.partial, parts, bytes).await
    }

    /// How much BINARY would give. Of a part that there is not: nothing.
    pub(super) async fn size(path: &[u32], parts: &DigestRef<'_>, bytes: &Bytes) -> u64 {
        let all = Self::of(path, None, parts, bytes).await;
        all.map_or(0, |all| all.len())
    }

    /// The message as a whole has no encoding, its parts have; so for `BINARY[]` it is as it is.
    async fn of(
        path: &[u32],
        partial: Option<(u32, u32)>,
        parts: &DigestRef<'_>,
        bytes: &Bytes,
    ) -> Option<Self> {
        let (from, length) = partial.unwrap_or((0, u32::MAX));
        let (from, to) = (u64::from(from), u64::from(from) + u64::from(length));
        if path.is_empty() {
            return Some(Self::Held(some_of(bytes, from, to)));
        }
        let part = parts.parts().part(path)?;
        let encoding = encoding(&part);
        let body = cut(bytes, part.body.range())?;
        let encoded = matches!(encoding, Encoding::Base64 | Encoding::QuotedPrintable);
        Some(if !encoded {
            Self::Held(some_of(&body, from, to))
        } else if body.len() <= AT_ONCE_BYTES {
            let all = Bytes::from(decode_part(&body, encoding).into_owned());
            Self::Held(some_of(&all, from, to))
        } else {
            Self::measured(body, encoding, from, to).await
        })
    }

    /// Finds out what comes of a large body.
    async fn measured(body: Bytes, encoding: Encoding, from: u64, to: u64) -> Self {
        let (mut total, mut has_nul) = (0, false);
        let mut decoder = Decoder::new(&body, encoding);
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let mut more = true;
        while more && total < to {
            piece.clear();
            more = decoder.push(&mut piece, PIECE_BYTES);
            has_nul |= memchr::memchr(0, window(&piece, total, from, to)).is_some();
            total += piece.len() as u64;
            tokio::task::yield_now().await;
        }
        Self::Pieces {
            from: from.min(total),
            to: to.min(total),
            body,
            encoding,
            has_nul,
        }
    }

    /// In bytes.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Held(bytes) => bytes.len() as u64,
            Self::Pieces { from, to, .. } => to - from,
        }
    }

    /// Whether a NUL is among the bytes, which only a `literal8` can have.
    pub(super) fn has_nul(&self) -> bool {
        match self {
            Self::Held(bytes) => memchr::memchr(0, bytes).is_some(),
            Self::Pieces { has_nul, .. } => *has_nul,
        }
    }

    /// Sends the bytes.
    pub(super) async fn send(self, wire: &mut Wire) -> std::io::Result<()> {
        let (body, encoding, from, to) = match self {
            Self::Held(bytes) => return wire.send(bytes).await,
            Self::Pieces {
                body,
                encoding,
                from,
                to,
                ..
            } => (body, encoding, from, to),
        };
        let mut decoder = Decoder::new(&body, encoding);
        let (mut at, mut more) = (0, true);
        while more && at < to {
            let mut piece = Vec::with_capacity(PIECE_BYTES);
            more = decoder.push(&mut piece, PIECE_BYTES);
            let len = piece.len() as u64;
            wire.send(some_of(&piece.into(), from.saturating_sub(at), to - at))
                .await?;
            at += len;
            tokio::task::yield_now().await;
        }
        Ok(())
    }
}

/// The bytes `from..to`, as far as they are there.
fn some_of(bytes: &Bytes, from: u64, to: u64) -> Bytes {
    let len = bytes.len() as u64;
    bytes.slice(from.min(len) as usize..to.min(len).max(from.min(len)) as usize)
}

/// What of a piece that begins at `at` lies in `from..to`.
fn window(piece: &[u8], at: u64, from: u64, to: u64) -> &[u8] {
    let len = piece.len() as u64;
    let start = from.saturating_sub(at).min(len);
    let end = to.saturating_sub(at).min(len).max(start);
    &piece[start as usize..end as usize]
}
