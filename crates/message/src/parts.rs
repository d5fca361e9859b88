//! The stored index of a message's parts: sections are found in it without the message being read.
//!
//! A record of [`RECORD`] bytes a part, in the order of [`crate::scan::Structure`], little-endian:
//!
//! | bytes  | what                                              |
//! |--------|---------------------------------------------------|
//! | 0..4   | offset of the header                              |
//! | 4..8   | offset of the body, where the header ends         |
//! | 8..12  | offset after the body                             |
//! | 12..16 | index after the last part within                  |
//! | 16     | kind                                              |
//! | 17     | content transfer encoding                         |
//! | 18     | 1 if its disposition is "attachment"              |
//! | 19     | length of the type's name, after which `/`        |
//! | 20..24 | offset of media type and character set in the pool |
//! | 24..26 | length of the media type, slash included          |
//! | 26..28 | length of the character set                       |
//!
//! Before the records stands their number (4 bytes), after them the pool of names.

use std::ops::Range;

use crate::cursor::Cursor;
use crate::encoding::Encoding;
use crate::header::Known;
use crate::media::{is_token, param};
use crate::scan::{Kind, Part, Span, Structure};

const RECORD: usize = 28;
const COUNT: usize = 4;

/// Names longer than this are cut off: no media type or character set has such a name.
const MAX_NAME_BYTES: usize = 127;

/// What of a part a client asks for (RFC 9051 §6.4.5.1, `section-text`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SectionText<'a> {
    /// HEADER: the header of the message, or of the message in a message/rfc822 part.
    Header,
    /// HEADER.FIELDS: of that header, the fields with these names.
    HeaderFields(&'a [&'a [u8]]),
    /// HEADER.FIELDS.NOT: of that header, the fields without these names.
    HeaderFieldsNot(&'a [&'a [u8]]),
    /// TEXT: the body of the message, or of the message in a message/rfc822 part.
    Text,
    /// MIME: the header of the part itself.
    Mime,
}

pub(crate) fn encode(message: &[u8], structure: &Structure) -> Vec<u8> {
    let parts = structure.parts();
    let mut out = Vec::with_capacity(COUNT + parts.len() * (RECORD + 16));
    out.extend_from_slice(&(parts.len() as u32).to_le_bytes());
    let mut pool = Vec::new();
    for part in parts {
        push_record(&mut out, &mut pool, message, structure, part);
    }
    out.append(&mut pool);
    out
}

fn push_record(
    out: &mut Vec<u8>,
    pool: &mut Vec<u8>,
    message: &[u8],
    structure: &Structure,
    part: &Part,
) {
    let pool_at = pool.len() as u32;
    let media = structure.media(message, part);
    let (kind, subtype): (&[u8], &[u8]) = match (&media, part.kind) {
        (Some(media), _) => (media.kind, media.subtype),
        (None, Kind::Message) => (b"message", b"rfc822"),
        (None, _) => (b"text", b"plain"),
    };
    let kind_len = push_name(pool, kind);
    pool.push(b'/');
    let media_len = kind_len + 1 + push_name(pool, subtype);
    let charset = match (part.kind, media) {
        (Kind::Text, Some(media)) => param(media.params, "charset").unwrap_or_default(),
        _ => String::new(),
    };
    let charset_len = push_name(pool, charset.as_bytes());
    let encoding = structure.field(message, part, Known::ContentTransferEncoding);
    let encoding = encoding.map_or(Encoding::SevenBit, Encoding::from_value);
    for offset in [
        part.header.start,
        part.body.start,
        part.body.end,
        part.subtree_end,
    ] {
        out.extend_from_slice(&offset.to_le_bytes());
    }
    let attached = u8::from(is_attachment(message, structure, part));
    out.extend_from_slice(&[
        kind_code(part.kind),
        encoding.code(),
        attached,
        kind_len as u8,
    ]);
    out.extend_from_slice(&pool_at.to_le_bytes());
    out.extend_from_slice(&(media_len as u16).to_le_bytes());
    out.extend_from_slice(&(charset_len as u16).to_le_bytes());
}

/// Appends a name in lower case, and gives its length.
fn push_name(pool: &mut Vec<u8>, name: &[u8]) -> usize {
    let name = &name[..name.len().min(MAX_NAME_BYTES)];
    pool.extend(name.iter().map(|&b| {
        if b.is_ascii() {
            b.to_ascii_lowercase()
        } else {
            b'?'
        }
    }));
    name.len()
}

fn is_attachment(message: &[u8], structure: &Structure, part: &Part) -> bool {
    let value = structure
        .field(message, part, Known::ContentDisposition)
        .unwrap_or_default();
    let mut at = Cursor::new(value);
    at.skip_cfws();
    at.run(is_token).eq_ignore_ascii_case(b"attachment")
}

fn kind_code(kind: Kind) -> u8 {
    match kind {
        Kind::Leaf => 0,
        Kind::Text => 1,
        Kind::Multipart => 2,
        Kind::Message => 3,
    }
}

/// The index of a message's parts, as stored.
///
/// Reads with every access checked: a damaged index gives wrong or no ranges, never a panic.
#[derive(Clone, Copy, Debug)]
pub struct PartIndex<'a> {
    records: &'a [u8],
    pool: &'a [u8],
}

/// One part in the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartRef<'a> {
    /// The header block with its blank line; ends where the body begins.
    pub header: Span,
    /// The body, encoded as it is in the message.
    pub body: Span,
    /// What the body is.
    pub kind: Kind,
    /// How the body is encoded.
    pub encoding: Encoding,
    /// True if the part's disposition is "attachment" (RFC 2183 §2.2).
    pub attachment: bool,
    /// The media type, in lower case: `text/plain`.
    pub media: &'a str,
    /// The first half of the media type: `text`.
    pub media_type: &'a str,
    /// The name of the character set, in lower case; empty if there is none.
    pub charset: &'a str,
    subtree_end: u32,
}

impl PartRef<'_> {
    /// The whole part: header and body.
    pub fn span(&self) -> Span {
        Span {
            start: self.header.start,
            end: self.body.end,
        }
    }
}

/// What a path leads to.
enum Place<'a> {
    /// The message itself, or the message in a message/rfc822: the path has no number more.
    Message(PartRef<'a>),
    /// A numbered part. `inner` is the message it holds, if it is a message/rfc822.
    Part {
        part: PartRef<'a>,
        inner: Option<PartRef<'a>>,
    },
}

impl<'a> PartIndex<'a> {
    /// Reads a stored index. `None` if it cannot be one.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<COUNT>()?;
        let len = (u32::from_le_bytes(*count) as usize).checked_mul(RECORD)?;
        let (records, pool) = rest.split_at_checked(len)?;
        // Names are looked at when they are asked for: most who come here want none.
        (!records.is_empty()).then_some(Self { records, pool })
    }

    /// The number of parts, at least one.
    pub fn len(&self) -> usize {
        self.records.len() / RECORD
    }

    /// Always false: a message is a part.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The part with that index in the order of [`crate::scan::Structure`].
    pub fn get(&self, index: usize) -> Option<PartRef<'a>> {
        let start = index.checked_mul(RECORD)?;
        let record: &[u8; RECORD] = self.records.get(start..)?.first_chunk()?;
        let word = |at: usize| {
            u32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let half = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
        let (header_start, body_start, body_end) = (word(0), word(4), word(8));
        let names = self.pool.get(word(20) as usize..)?;
        let (media_len, charset_len) = (half(24), half(26));
        let name = |range: Range<usize>| str::from_utf8(names.get(range)?).ok();
        let in_order = header_start <= body_start && body_start <= body_end;
        in_order.then_some(PartRef {
            header: Span {
                start: header_start,
                end: body_start,
            },
            body: Span {
                start: body_start,
                end: body_end,
            },
            kind: match record[16] {
                0 => Kind::Leaf,
                1 => Kind::Text,
                2 => Kind::Multipart,
                3 => Kind::Message,
                _ => return None,
            },
            encoding: Encoding::from_code(record[17]),
            attachment: record[18] != 0,
            media: name(0..media_len)?,
            media_type: name(0..usize::from(record[19]).min(media_len))?,
            charset: name(media_len..media_len + charset_len)?,
            subtree_end: word(12),
        })
    }

    /// All parts in the order of the message; the first is the message.
    pub fn iter(&self) -> impl Iterator<Item = PartRef<'a>> + use<'a> {
        let index = *self;
        (0..index.len()).map_while(move |at| index.get(at))
    }

    /// The text parts, attached ones included.
    pub fn texts(&self) -> impl Iterator<Item = PartRef<'a>> + use<'a> {
        self.iter().filter(|part| part.kind == Kind::Text)
    }

    /// The part with these numbers: the one whose body `BODY[1.2]` is. No numbers mean the message
    /// itself. `None` if there is no such part.
    pub fn part(&self, path: &[u32]) -> Option<PartRef<'a>> {
        Some(match self.find(path)? {
            Place::Message(part) | Place::Part { part, .. } => part,
        })
    }

    /// The bytes of a section (RFC 9051 §6.4.5.1); `None` if there is no such part, or if it has no
    /// such text, when a client gets NIL.
    ///
    /// For HEADER.FIELDS and HEADER.FIELDS.NOT this is the header block to be filtered by
    /// [`crate::header_fields`]. Cost: one step for each part before the one asked for.
    pub fn locate(&self, path: &[u32], text: Option<&SectionText<'_>>) -> Option<Range<u32>> {
        use SectionText::{Header, HeaderFields, HeaderFieldsNot, Mime, Text};
        let place = self.find(path)?;
        let span = match (text, place) {
            (None, Place::Message(part)) => part.span(),
            (None, Place::Part { part, .. }) => part.body,
            (Some(Mime), Place::Part { part, .. }) => part.header,
            (Some(Mime), Place::Message(_)) => return None,
            (
                Some(text),
                Place::Message(message)
                | Place::Part {
                    inner: Some(message),
                    ..
                },
            ) => match text {
                Header | HeaderFields(_) | HeaderFieldsNot(_) => message.header,
                Text | Mime => message.body,
            },
            (Some(_), Place::Part { inner: None, .. }) => return None,
        };
        Some(span.range())
    }

    fn find(&self, path: &[u32]) -> Option<Place<'a>> {
        let mut message = 0;
        let mut numbers = path.iter();
        // Each round enters one message: the outermost, then those in message/rfc822 parts.
        loop {
            let mut at = message;
            let Some(first) = numbers.next() else {
                return Some(Place::Message(self.get(message)?));
            };
            if self.get(message)?.kind == Kind::Multipart {
                at = self.child(at, *first)?;
                while self.get(at)?.kind == Kind::Multipart
                    && let Some(number) = numbers.next()
                {
                    at = self.child(at, *number)?;
                }
            } else if *first != 1 {
                return None;
            }
            let part = self.get(at)?;
            let is_message = part.kind == Kind::Message;
            if numbers.as_slice().is_empty() {
                let inner = if is_message {
                    Some(self.get(at + 1)?)
                } else {
                    None
                };
                return Some(Place::Part { part, inner });
            }
            if !is_message {
                return None;
            }
            message = at + 1;
        }
    }

    /// The index of a multipart's child by its number, from 1.
    fn child(&self, parent: usize, number: u32) -> Option<usize> {
        let end = self.get(parent)?.subtree_end as usize;
        let mut at = parent + 1;
        for _ in 1..number {
            // Only a damaged index has a subtree that does not go forward.
            at = (self.get(at)?.subtree_end as usize).max(at + 1);
            if at >= end {
                return None;
            }
        }
        (number > 0 && at < end).then_some(at)
    }
}
