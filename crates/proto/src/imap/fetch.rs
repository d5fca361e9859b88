//! FETCH responses, written item by item.

use pillarbox_model::InternalDate;

use super::command::{BinarySection, Bytes, Section, SectionText};
use super::encode::{
    Dialect, astring, literal_header, nstring, push_date_time, push_number, utf8_string,
};
use super::lex::is_atom_char;

/// A FETCH response in the making. Nothing is allocated but room in the buffer.
///
/// A response that is dropped without [`Self::end`] is unfinished, and the connection useless.
#[derive(Debug)]
pub struct Fetch<'o> {
    out: &'o mut Vec<u8>,
    first: bool,
}

/// `ATOM-CHAR`s by byte: flags are checked for every message that is listed.
static ATOM: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_atom_char(byte as u8);
        byte += 1;
    }
    table
};

fn is_flag(name: &str) -> bool {
    let atom = name.strip_prefix('\\').unwrap_or(name);
    atom.bytes().all(|b| ATOM[usize::from(b)])
}

impl<'o> Fetch<'o> {
    /// Starts the response about the message of that number; to a client without numbers, of that
    /// UID (RFC 9586 §3.3).
    pub fn begin(out: &'o mut Vec<u8>, number: u32, dialect: Dialect) -> Self {
        out.extend_from_slice(b"* ");
        push_number(out, number.into());
        out.extend_from_slice(match dialect.uid_only {
            true => b" UIDFETCH (",
            false => b" FETCH (",
        });
        Self { out, first: true }
    }

    /// Goes on with a response of which at least one item is written and not the last byte of `out`
    /// any more: after a literal that was sent from elsewhere.
    pub const fn resume(out: &'o mut Vec<u8>) -> Self {
        Self { out, first: false }
    }

    /// The buffer, for what follows [`Self::literal_header`].
    pub const fn out(&mut self) -> &mut Vec<u8> {
        self.out
    }

    /// Writes what goes before an item.
    fn item(&mut self, label: &[u8]) {
        if !self.first {
            self.out.push(b' ');
        }
        self.first = false;
        self.out.extend_from_slice(label);
    }

    fn number(&mut self, label: &[u8], number: u64) {
        self.item(label);
        push_number(self.out, number);
    }

    /// UID.
    pub fn uid(&mut self, uid: u32) {
        self.number(b"UID ", uid.into());
    }

    /// FLAGS. A name that is no flag is left out.
    pub fn flags<'n>(&mut self, names: impl Iterator<Item = &'n str>) {
        self.item(b"FLAGS (");
        let start = self.out.len();
        for name in names.filter(|name| is_flag(name)) {
            if self.out.len() > start {
                self.out.push(b' ');
            }
            self.out.extend_from_slice(name.as_bytes());
        }
        self.out.push(b')');
    }

    /// MODSEQ (RFC 7162 §3.1.4).
    pub fn modseq(&mut self, modseq: u64) {
        self.number(b"MODSEQ (", modseq);
        self.out.push(b')');
    }

    /// INTERNALDATE.
    pub fn internal_date(&mut self, date: InternalDate) {
        self.item(b"INTERNALDATE ");
        push_date_time(self.out, date);
    }

    /// SAVEDATE (RFC 8514 §4.2).
    pub fn save_date(&mut self, date: InternalDate) {
        self.item(b"SAVEDATE ");
        push_date_time(self.out, date);
    }

    /// EMAILID or THREADID (RFC 8474 §5.3). `id` is an `objectid`.
    pub fn object_id(&mut self, name: &str, id: &str) {
        self.item(name.as_bytes());
        self.out.extend_from_slice(b" (");
        self.out.extend_from_slice(id.as_bytes());
        self.out.push(b')');
    }

    /// PREVIEW (RFC 8970 §3.2); `None` is "not without delay".
    pub fn preview(&mut self, text: Option<&str>) {
        self.item(b"PREVIEW ");
        nstring(self.out, text.map(str::as_bytes));
    }

    /// RFC822.SIZE, in bytes.
    pub fn size(&mut self, bytes: u64) {
        self.number(b"RFC822.SIZE ", bytes);
    }

    /// An item whose value is ready-made, as ENVELOPE's and BODYSTRUCTURE's, with 8-bit texts in
    /// literals. It is sent as it is, or, to who takes UTF-8 in quotes, with that in quotes.
    pub fn raw(&mut self, name: &str, value: &[u8], dialect: Dialect) {
        self.item(name.as_bytes());
        self.out.push(b' ');
        match dialect.utf8 {
            true => push_utf8_quoted(self.out, value),
            false => self.out.extend_from_slice(value),
        }
    }

    /// An item that the message doesn't have.
    pub fn nil(&mut self, label: &[u8]) {
        self.item(label);
        self.out.extend_from_slice(b" NIL");
    }

    /// An item whose value is a literal of `len` bytes. These must follow: into [`Self::out`], or,
    /// once this `Fetch` is dropped, from elsewhere; then [`Self::resume`].
    pub fn literal_header(&mut self, label: &[u8], len: u64) {
        self.item(label);
        self.out.push(b' ');
        literal_header(self.out, len);
    }

    /// As [`Self::literal_header`], for bytes that may have NUL among them; if so, it is a
    /// `literal8` (RFC 3516 §4.3).
    pub fn literal_or_literal8(&mut self, label: &[u8], len: u64, has_nul: bool) {
        self.item(label);
        self.out.push(b' ');
        if has_nul {
            self.out.push(b'~');
        }
        literal_header(self.out, len);
    }

    /// An item that is a number and has a name of its own, as BINARY.SIZE has.
    pub fn numbered(&mut self, label: &[u8], number: u64) {
        self.item(label);
        self.out.push(b' ');
        push_number(self.out, number);
    }

    /// Ends the response.
    pub fn end(self) {
        self.out.extend_from_slice(b")\r\n");
    }
}

/// Appends a ready-made value with its literals in quotes where they are UTF-8 (RFC 9051 §4.3, RFC
/// 9755 §3). Only a literal's header has a CR in such a value.
fn push_utf8_quoted(out: &mut Vec<u8>, value: &[u8]) {
    let mut rest = value;
    while let Some((before, literal, after)) = first_literal(rest) {
        out.extend_from_slice(before);
        utf8_string(out, literal);
        rest = after;
    }
    out.extend_from_slice(rest);
}

/// What goes before the first literal, what it has, and what follows.
fn first_literal(value: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let end = memchr::memchr(b'\r', value)?;
    let start = memchr::memrchr(b'{', &value[..end])?;
    let digits = value[start + 1..end].strip_suffix(b"}")?;
    let len: usize = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let (literal, after) = value.get(end + 2..)?.split_at_checked(len)?;
    Some((&value[..start], literal, after))
}

/// Appends a section as the answer repeats it: without PEEK, and with the partial's origin only
/// (RFC 3501 §7.4.2).
pub fn section_label(out: &mut Vec<u8>, section: &Section<'_>) {
    out.extend_from_slice(b"BODY[");
    push_path(out, &section.path);
    if let Some(text) = &section.text {
        if !section.path.is_empty() {
            out.push(b'.');
        }
        push_section_text(out, text);
    }
    out.push(b']');
    push_origin(out, section.partial);
}

/// Appends `BINARY[…]<…>` as the answer repeats it (RFC 3516 §4.3).
pub fn binary_label(out: &mut Vec<u8>, section: &BinarySection) {
    out.extend_from_slice(b"BINARY[");
    push_path(out, &section.path);
    out.push(b']');
    push_origin(out, section.partial);
}

/// Appends `BINARY.SIZE[…]`.
pub fn binary_size_label(out: &mut Vec<u8>, path: &[u32]) {
    out.extend_from_slice(b"BINARY.SIZE[");
    push_path(out, path);
    out.push(b']');
}

fn push_path(out: &mut Vec<u8>, path: &[u32]) {
    for (index, part) in path.iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        push_number(out, (*part).into());
    }
}

fn push_origin(out: &mut Vec<u8>, partial: Option<(u32, u32)>) {
    if let Some((origin, _)) = partial {
        out.push(b'<');
        push_number(out, origin.into());
        out.push(b'>');
    }
}

fn push_section_text(out: &mut Vec<u8>, text: &SectionText<'_>) {
    match text {
        SectionText::Header => out.extend_from_slice(b"HEADER"),
        SectionText::Text => out.extend_from_slice(b"TEXT"),
        SectionText::Mime => out.extend_from_slice(b"MIME"),
        SectionText::HeaderFields(fields) => push_fields(out, b"HEADER.FIELDS (", fields),
        SectionText::HeaderFieldsNot(fields) => push_fields(out, b"HEADER.FIELDS.NOT (", fields),
    }
}

fn push_fields(out: &mut Vec<u8>, name: &[u8], fields: &[Bytes<'_>]) {
    out.extend_from_slice(name);
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        astring(out, field);
    }
    out.push(b')');
}
