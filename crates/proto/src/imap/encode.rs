//! Responses as bytes. All functions append to a buffer, and none lets an argument break out of its
//! place: no text can bring a line end, close a quote or end a response code.

use pillarbox_model::{MailboxName, NumberSet};

use super::{lex, utf7};

pub use super::date::push_date_time;
pub use super::fetch::{Fetch, binary_label, binary_size_label, section_label};
pub use super::found::{
    Change, Esearch, FoundIn, Numbers, ThreadPiece, add_to, esearch, esearch_in, remove_from,
    search, sort, thread,
};
pub use super::response::list_news;
pub use super::response::{
    StatusValue, capability, comparator, enabled, exists, expunge, flags, id, language, list,
    list_root, list_status, metadata, metadata_changed, namespace, permanent_flags, quota,
    quota_root, recent, uid_batches, vanished,
};
pub use super::rights::{acl, list_rights, my_rights};
pub use super::status::{Code, Progress, Status, Wording, bye, continuation, tagged, untagged};

/// How this session is spoken to: what its client has enabled (RFC 5161), once and until it leaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dialect {
    /// UTF8=ACCEPT is enabled (RFC 9755), by itself or with IMAP4rev2: quoted strings may have UTF-8.
    pub utf8: bool,
    /// IMAP4rev2 is enabled (RFC 9051).
    pub rev2: bool,
    /// The client knows mod-sequences (RFC 7162 §3.1): changes are told with MODSEQ.
    pub condstore: bool,
    /// QRESYNC is enabled (RFC 7162 §3.2), which implies `condstore`: VANISHED stands for EXPUNGE.
    pub qresync: bool,
    /// UIDONLY is enabled (RFC 9586): no sequence numbers either way.
    pub uid_only: bool,
}

/// Longer strings are sent as literals: some clients read a line into a buffer.
const QUOTED_BYTES: usize = 1_024;

/// Pairs of digits, so that a number takes half as many divisions.
const PAIRS: &[u8; 200] = &{
    let mut pairs = [0; 200];
    let mut number = 0;
    while number < 100 {
        pairs[2 * number] = b'0' + (number / 10) as u8;
        pairs[2 * number + 1] = b'0' + (number % 10) as u8;
        number += 1;
    }
    pairs
};

/// Appends a number in decimal.
pub fn push_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    while number >= 100 {
        let pair = 2 * (number % 100) as usize;
        number /= 100;
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    }
    let pair = 2 * number as usize;
    if number >= 10 {
        at -= 2;
        digits[at..at + 2].copy_from_slice(&PAIRS[pair..pair + 2]);
    } else {
        at -= 1;
        digits[at] = PAIRS[pair + 1];
    }
    out.extend_from_slice(&digits[at..]);
}

/// Appends a set as `sequence-set`.
pub fn push_set(out: &mut Vec<u8>, set: &NumberSet) {
    for (index, &(from, to)) in set.ranges().iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        push_number(out, from.into());
        if from != to {
            out.push(b':');
            push_number(out, to.into());
        }
    }
}

/// Appends items with a space between.
pub(super) fn push_spaced<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    mut push: impl FnMut(&mut Vec<u8>, T),
) {
    let mut first = true;
    for item in items {
        if !first {
            out.push(b' ');
        }
        first = false;
        push(out, item);
    }
}

/// Appends a space and a number.
pub(super) fn spaced_number(out: &mut Vec<u8>, number: u64) {
    out.push(b' ');
    push_number(out, number);
}

/// Appends a space and a set.
pub(super) fn spaced_set(out: &mut Vec<u8>, set: &NumberSet) {
    out.push(b' ');
    push_set(out, set);
}

/// Appends a space and items in parentheses.
pub(super) fn parenthesised<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    push: impl FnMut(&mut Vec<u8>, T),
) {
    out.extend_from_slice(b" (");
    push_spaced(out, items, push);
    out.push(b')');
}

/// Ends a response.
pub(super) fn end_line(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Appends text for people (`resp-text`'s text): what is not printable becomes `?`, and so does what is
/// not ASCII where that is not asked for. No text is empty.
pub(super) fn push_text(out: &mut Vec<u8>, text: Wording<'_>) {
    let start = out.len();
    match text {
        Wording::Ascii(text) => out.extend(
            text.bytes()
                .map(|b| if matches!(b, b' '..=b'~') { b } else { b'?' }),
        ),
        Wording::Utf8(text) => {
            let printable = |c: char| if c.is_control() { '?' } else { c };
            let text: String = text.chars().map(printable).collect();
            out.extend_from_slice(text.as_bytes());
        }
    }
    if out.len() == start {
        out.extend_from_slice(b"Done");
    }
}

/// Appends words inside a response code: as text, and without what would end the code.
pub(super) fn push_in_code(out: &mut Vec<u8>, text: &str) {
    let printable = |b: u8| matches!(b, b' '..=b'~') && b != b']';
    out.extend(text.bytes().map(|b| if printable(b) { b } else { b'?' }));
}

/// Appends a client's tag as a string.
pub(super) fn push_tag(out: &mut Vec<u8>, tag: &str) {
    string(
        out,
        tag.replace(|c: char| !c.is_ascii_graphic(), "?").as_bytes(),
    );
}

/// Whether bytes can stand in quotes: printable ASCII and tabs, and not too many.
fn is_quotable(bytes: &[u8]) -> bool {
    bytes.len() <= QUOTED_BYTES && bytes.iter().all(|b| matches!(b, b'\t' | b' '..=b'~'))
}

/// Appends bytes in quotes. They have no line end.
fn push_quoted(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Appends bytes as a literal. NUL, which a literal can't have (RFC 3501 §9, `CHAR8`), becomes `?`.
fn push_literal(out: &mut Vec<u8>, bytes: &[u8]) {
    literal_header(out, bytes.len() as u64);
    out.extend(bytes.iter().map(|&b| if b == 0 { b'?' } else { b }));
}

/// Appends bytes as a `literal8`, which may have NUL (RFC 3516 §4.3).
pub(super) fn push_literal8(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'~');
    literal_header(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends `{len}` and a line end; exactly `len` bytes must follow.
pub fn literal_header(out: &mut Vec<u8>, len: u64) {
    out.push(b'{');
    push_number(out, len);
    out.extend_from_slice(b"}\r\n");
}

/// Appends a `string`: quoted if that is safe, else a literal.
pub fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    if is_quotable(bytes) {
        push_quoted(out, bytes);
    } else {
        push_literal(out, bytes);
    }
}

/// Appends a `string` to somebody who takes UTF-8 in quotes: quoted if it is that, else as
/// [`string`].
pub(super) fn utf8_string(out: &mut Vec<u8>, bytes: &[u8]) {
    let plain = |text: &str| text.chars().all(|c| c == '\t' || !c.is_control());
    let quotable = bytes.len() <= QUOTED_BYTES && std::str::from_utf8(bytes).is_ok_and(plain);
    match quotable {
        true => push_quoted(out, bytes),
        false => string(out, bytes),
    }
}

/// Appends an `nstring`: `NIL` for nothing, `""` for nothing in it.
pub fn nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => string(out, bytes),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends an `astring`: bare if it is an atom other than NIL, else as a `string`.
pub fn astring(out: &mut Vec<u8>, bytes: &[u8]) {
    let nil = bytes.eq_ignore_ascii_case(b"NIL");
    if !bytes.is_empty() && !nil && bytes.iter().all(|&b| lex::is_atom_char(b)) {
        out.extend_from_slice(bytes);
    } else {
        string(out, bytes);
    }
}

/// Appends a mailbox name: INBOX bare, others in quotes; in modified UTF-7 unless UTF8=ACCEPT is
/// enabled.
pub fn mailbox(out: &mut Vec<u8>, name: &MailboxName, dialect: Dialect) {
    let text = name.as_str();
    let ascii = text.bytes().all(|b| matches!(b, b' '..=b'~'));
    if name.is_inbox() {
        out.extend_from_slice(b"INBOX");
    } else if dialect.utf8 && text.chars().any(char::is_control) {
        push_literal(out, text.as_bytes());
    } else if dialect.utf8 || (ascii && !text.contains('&')) {
        push_quoted(out, text.as_bytes());
    } else {
        push_quoted(out, utf7::encode(text).as_bytes());
    }
}
