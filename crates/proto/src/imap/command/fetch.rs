//! What FETCH is to say of messages.

use super::{Bytes, PartialRange};

/// A modifier of FETCH (RFC 4466 §2.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FetchModifier {
    /// `CHANGEDSINCE`.
    ChangedSince(u64),
    /// `VANISHED`.
    Vanished,
    /// `PARTIAL` (RFC 9394 §3.3).
    Partial(PartialRange),
}

impl FetchModifier {
    /// The range of PARTIAL.
    #[must_use]
    pub const fn partial(&self) -> Option<PartialRange> {
        match self {
            Self::Partial(range) => Some(*range),
            _ => None,
        }
    }
}

/// An item of FETCH.
#[derive(Clone, PartialEq, Debug)]
pub enum FetchItem<'a> {
    /// UID.
    Uid,
    /// FLAGS.
    Flags,
    /// INTERNALDATE.
    InternalDate,
    /// RFC822.SIZE.
    Size,
    /// ENVELOPE.
    Envelope,
    /// BODY: the structure without extension data.
    Body,
    /// BODYSTRUCTURE.
    BodyStructure,
    /// MODSEQ.
    ModSeq,
    /// RFC822, RFC822.HEADER, RFC822.TEXT: sections by their old names.
    Rfc822(Rfc822),
    /// `BODY[…]` and `BODY.PEEK[…]`.
    Section(Section<'a>),
    /// `BINARY[…]` and `BINARY.PEEK[…]` (RFC 3516 §4.2).
    Binary(BinarySection),
    /// `BINARY.SIZE[…]`, of the part with these numbers.
    BinarySize(Vec<u32>),
    /// EMAILID (RFC 8474 §5.3).
    EmailId,
    /// THREADID.
    ThreadId,
    /// SAVEDATE (RFC 8514 §4.2).
    SaveDate,
    /// PREVIEW (RFC 8970 §3.1).
    Preview {
        /// `(LAZY)`: only if it is there already (§4.1).
        lazy: bool,
    },
}

/// `BINARY[section-part]<partial>` (RFC 3516 §7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BinarySection {
    /// `BINARY.PEEK`: does not set `\Seen`.
    pub peek: bool,
    /// The part, `[]` for the message.
    pub path: Vec<u32>,
    /// `<origin.length>`, counted in decoded bytes.
    pub partial: Option<(u32, u32)>,
}

impl FetchItem<'_> {
    /// The same, for longer than its command.
    #[must_use]
    pub fn into_owned(self) -> FetchItem<'static> {
        match self {
            Self::Uid => FetchItem::Uid,
            Self::Flags => FetchItem::Flags,
            Self::InternalDate => FetchItem::InternalDate,
            Self::Size => FetchItem::Size,
            Self::Envelope => FetchItem::Envelope,
            Self::Body => FetchItem::Body,
            Self::BodyStructure => FetchItem::BodyStructure,
            Self::ModSeq => FetchItem::ModSeq,
            Self::Rfc822(which) => FetchItem::Rfc822(which),
            Self::Section(section) => FetchItem::Section(section.into_owned()),
            Self::Binary(section) => FetchItem::Binary(section),
            Self::BinarySize(path) => FetchItem::BinarySize(path),
            Self::EmailId => FetchItem::EmailId,
            Self::ThreadId => FetchItem::ThreadId,
            Self::SaveDate => FetchItem::SaveDate,
            Self::Preview { lazy } => FetchItem::Preview { lazy },
        }
    }
}

impl Section<'_> {
    /// The same, for longer than its command.
    #[must_use]
    pub fn into_owned(self) -> Section<'static> {
        let own = |fields: Vec<Bytes<'_>>| -> Vec<Bytes<'static>> {
            let owned = fields.into_iter().map(|field| field.into_owned().into());
            owned.collect()
        };
        Section {
            peek: self.peek,
            path: self.path,
            text: self.text.map(|text| match text {
                SectionText::Header => SectionText::Header,
                SectionText::HeaderFields(fields) => SectionText::HeaderFields(own(fields)),
                SectionText::HeaderFieldsNot(fields) => SectionText::HeaderFieldsNot(own(fields)),
                SectionText::Text => SectionText::Text,
                SectionText::Mime => SectionText::Mime,
            }),
            partial: self.partial,
        }
    }
}

/// The old names of three sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rfc822 {
    /// `RFC822`: `BODY[]`.
    Whole,
    /// `RFC822.HEADER`: `BODY.PEEK[HEADER]`.
    Header,
    /// `RFC822.TEXT`: `BODY[TEXT]`.
    Text,
}

/// `BODY[section]<partial>`.
#[derive(Clone, PartialEq, Debug)]
pub struct Section<'a> {
    /// `BODY.PEEK`: does not set `\Seen`.
    pub peek: bool,
    /// The part, `[]` for the message.
    pub path: Vec<u32>,
    /// What of the part; `None` is all of it.
    pub text: Option<SectionText<'a>>,
    /// `<origin.length>`.
    pub partial: Option<(u32, u32)>,
}

/// What of a part.
#[derive(Clone, PartialEq, Debug)]
pub enum SectionText<'a> {
    /// HEADER.
    Header,
    /// HEADER.FIELDS, in the client's spelling and order, which the answer repeats.
    HeaderFields(Vec<Bytes<'a>>),
    /// HEADER.FIELDS.NOT.
    HeaderFieldsNot(Vec<Bytes<'a>>),
    /// TEXT.
    Text,
    /// MIME.
    Mime,
}
