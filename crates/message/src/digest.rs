//! The digest: all that a store keeps of a message, so that FETCH, SORT and THREAD parse nothing.

use crate::bodystructure::{self, Form, Revision, push_structure};
use crate::comparator::Comparator;
use crate::envelope::push_envelope;
use crate::parts::{self, PartIndex};
use crate::preview::preview;
use crate::scan::{Structure, scan};
use crate::sort::{SortKeys, sort_keys};

/// The version of the encoded form. A digest of another version is made anew from the message.
const VERSION: u8 = 2;

/// Bytes before the sections: version, flags, zone, date, header length, and the ends of sections.
const FIXED: usize = 1 + 1 + 2 + 8 + 4;

/// The number of sections.
const SECTIONS: usize = 15;

const IS_REPLY: u8 = 1;
const HAS_DATE: u8 = 2;

/// What a store keeps of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// ENVELOPE, ready to be sent: a parenthesised list. 8-bit header data is in literals.
    pub envelope: Vec<u8>,
    /// BODYSTRUCTURE, ready to be sent.
    pub bodystructure: Vec<u8>,
    /// BODY, the form without extension data, ready to be sent.
    pub body: Vec<u8>,
    /// BODYSTRUCTURE as IMAP4rev2 has it (RFC 9051 §7.5.2); empty if that is the same.
    pub bodystructure_rev2: Vec<u8>,
    /// BODY as IMAP4rev2 has it; empty if that is the same.
    pub body_rev2: Vec<u8>,
    /// The length of the message's header in bytes, its blank line included.
    pub header_len: u32,
    /// The index of parts; read it with [`PartIndex`].
    pub parts: Vec<u8>,
    /// What SORT and THREAD compare.
    pub sort: SortKeys,
    /// The beginning of the text, for PREVIEW (RFC 8970); empty if there is no text.
    pub preview: String,
}

/// Makes the digest of a message. Never fails, see [`scan`]; linear in the message's size.
pub fn digest(message: &[u8]) -> Digest {
    let structure = scan(message);
    digest_of(message, &structure)
}

fn digest_of(message: &[u8], structure: &Structure) -> Digest {
    // A structure has at least the message itself.
    let root = &structure.parts()[0];
    let mut envelope = Vec::with_capacity(512);
    push_envelope(&mut envelope, message, structure, root);
    let told = |form, revision| {
        let mut out = Vec::with_capacity(256);
        push_structure(&mut out, message, structure, 0, form, revision);
        out
    };
    let rev2 = |form| match bodystructure::differs(message, structure) {
        true => told(form, Revision::Rev2),
        false => Vec::new(),
    };
    let parts = parts::encode(message, structure);
    let preview = PartIndex::new(&parts)
        .map(|index| preview(message, &index))
        .unwrap_or_default();
    Digest {
        envelope,
        bodystructure: told(Form::Extended, Revision::Rev1),
        body: told(Form::Basic, Revision::Rev1),
        bodystructure_rev2: rev2(Form::Extended),
        body_rev2: rev2(Form::Basic),
        header_len: root.header.len(),
        sort: sort_keys(message, structure, root, Comparator::default()),
        preview,
        parts,
    }
}

impl Digest {
    /// One string of bytes for the store, read back by [`DigestRef`].
    pub fn encode(&self) -> Vec<u8> {
        let sections = self.sections();
        let total: usize = sections.iter().map(|section| section.len()).sum();
        let mut out = Vec::with_capacity(FIXED + SECTIONS * 4 + total);
        let (secs, zone) = self.sort.sent_date.unwrap_or_default();
        let reply = if self.sort.is_reply { IS_REPLY } else { 0 };
        let date = if self.sort.sent_date.is_some() {
            HAS_DATE
        } else {
            0
        };
        out.extend_from_slice(&[VERSION, reply | date]);
        out.extend_from_slice(&zone.to_le_bytes());
        out.extend_from_slice(&secs.to_le_bytes());
        out.extend_from_slice(&self.header_len.to_le_bytes());
        let mut end = 0;
        for section in sections {
            end += section.len() as u32;
            out.extend_from_slice(&end.to_le_bytes());
        }
        for section in sections {
            out.extend_from_slice(section);
        }
        out
    }

    /// In the order of the accessors of [`DigestRef`].
    fn sections(&self) -> [&[u8]; SECTIONS] {
        let sort = &self.sort;
        [
            &self.envelope,
            &self.bodystructure,
            &self.body,
            &self.parts,
            &sort.message_id,
            &sort.references,
            sort.base_subject.as_bytes(),
            sort.from.as_bytes(),
            sort.to.as_bytes(),
            sort.cc.as_bytes(),
            sort.display_from.as_bytes(),
            sort.display_to.as_bytes(),
            self.preview.as_bytes(),
            &self.bodystructure_rev2,
            &self.body_rev2,
        ]
    }
}

/// A stored digest, read in place.
#[derive(Clone, Copy, Debug)]
pub struct DigestRef<'a> {
    bytes: &'a [u8],
    parts: PartIndex<'a>,
}

impl<'a> DigestRef<'a> {
    /// Reads the bytes of [`Digest::encode`]. `None` if their frame is damaged or of another
    /// version: then make the digest anew. Constant time; only the beginning is looked at.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        if bytes.first() != Some(&VERSION) {
            return None;
        }
        let parts = PartIndex::new(section(bytes, 3)?)?;
        let ends = (0..SECTIONS).map(|nth| section_end(bytes, nth));
        let in_order = ends.is_sorted() && section_end(bytes, SECTIONS - 1)? == bytes.len();
        in_order.then_some(Self { bytes, parts })
    }

    fn section(&self, nth: usize) -> &'a [u8] {
        section(self.bytes, nth).unwrap_or_default()
    }

    fn text(&self, nth: usize) -> &'a str {
        str::from_utf8(self.section(nth)).unwrap_or_default()
    }

    fn fixed<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk().copied())
            .unwrap_or([0; N])
    }

    /// ENVELOPE, ready to be sent.
    pub fn envelope(&self) -> &'a [u8] {
        self.section(0)
    }

    /// BODYSTRUCTURE, ready to be sent, as IMAP4rev1 has it or as IMAP4rev2 does.
    pub fn bodystructure(&self, rev2: bool) -> &'a [u8] {
        self.by_revision(1, 13, rev2)
    }

    /// BODY, the form without extension data, ready to be sent.
    pub fn body(&self, rev2: bool) -> &'a [u8] {
        self.by_revision(2, 14, rev2)
    }

    fn by_revision(&self, rev1: usize, rev2: usize, wanted: bool) -> &'a [u8] {
        match self.section(rev2) {
            different if wanted && !different.is_empty() => different,
            _ => self.section(rev1),
        }
    }

    /// The index of parts.
    pub fn parts(&self) -> PartIndex<'a> {
        self.parts
    }

    /// The length of the message's header in bytes, its blank line included.
    pub fn header_len(&self) -> u32 {
        u32::from_le_bytes(self.fixed(12))
    }

    /// The Date field: seconds since 1970 (UTC), and its zone in minutes east. `None` if it is
    /// absent or cannot be read.
    pub fn sent_date(&self) -> Option<(i64, i16)> {
        let [_, flags] = self.fixed(0);
        let date = (
            i64::from_le_bytes(self.fixed(4)),
            i16::from_le_bytes(self.fixed(2)),
        );
        (flags & HAS_DATE != 0).then_some(date)
    }

    /// True if the subject is that of a reply or a forward (RFC 5256 §2.1).
    pub fn is_reply(&self) -> bool {
        let [_, flags] = self.fixed(0);
        flags & IS_REPLY != 0
    }

    /// Message-ID, normalised and without brackets.
    pub fn message_id(&self) -> Option<&'a [u8]> {
        Some(self.section(4)).filter(|id| !id.is_empty())
    }

    /// The identifiers this message refers to, the nearest ancestor last; see
    /// [`SortKeys::references`].
    pub fn references(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.section(5)
            .split(|&b| b == b'\n')
            .filter(|id| !id.is_empty())
    }

    /// The base subject, folded.
    pub fn base_subject(&self) -> &'a str {
        self.text(6)
    }

    /// Sort key FROM: the first address's mailbox, folded.
    pub fn from(&self) -> &'a str {
        self.text(7)
    }

    /// Sort key TO.
    pub fn to(&self) -> &'a str {
        self.text(8)
    }

    /// Sort key CC.
    pub fn cc(&self) -> &'a str {
        self.text(9)
    }

    /// Sort key DISPLAYFROM (RFC 5957): the first address's name, else the address, folded.
    pub fn display_from(&self) -> &'a str {
        self.text(10)
    }

    /// Sort key DISPLAYTO.
    pub fn display_to(&self) -> &'a str {
        self.text(11)
    }

    /// All that SORT and THREAD compare.
    pub fn sort_keys(&self) -> SortKeys {
        SortKeys {
            sent_date: self.sent_date(),
            message_id: self.section(4).to_vec(),
            references: self.section(5).to_vec(),
            base_subject: self.base_subject().to_owned(),
            is_reply: self.is_reply(),
            from: self.from().to_owned(),
            to: self.to().to_owned(),
            cc: self.cc().to_owned(),
            display_from: self.display_from().to_owned(),
            display_to: self.display_to().to_owned(),
        }
    }

    /// The beginning of the text, for PREVIEW (RFC 8970).
    pub fn preview(&self) -> &'a str {
        self.text(12)
    }
}

/// Where a section ends in all the bytes.
fn section_end(bytes: &[u8], nth: usize) -> Option<usize> {
    let end: &[u8; 4] = bytes.get(FIXED + nth * 4..)?.first_chunk()?;
    Some(FIXED + SECTIONS * 4 + u32::from_le_bytes(*end) as usize)
}

fn section(bytes: &[u8], nth: usize) -> Option<&[u8]> {
    let start = match nth {
        0 => FIXED + SECTIONS * 4,
        _ => section_end(bytes, nth - 1)?,
    };
    bytes.get(start..section_end(bytes, nth)?)
}
