//! Sections of messages (RFC 3501 §6.4.5): which bytes they are.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;
use pillarbox_message::{DigestRef, SectionText as Text, header_fields};
use pillarbox_proto::imap::command::{Rfc822, Section, SectionText};

/// What stands for NUL in what is sent: no character of ASCII, and never alone in UTF-8.
const NUL_STAND_IN: u8 = 0x80;

/// Message bytes as a literal may have them: without NUL (RFC 3501 §9, `CHAR8`), which mail from files or
/// of careless programs has now and then. Another octet that is no text stands for it, so that sizes hold.
pub(super) fn sendable(bytes: Bytes) -> Bytes {
    if memchr::memchr(0, &bytes).is_none() {
        return bytes;
    }
    bytes
        .iter()
        .map(|&byte| if byte == 0 { NUL_STAND_IN } else { byte })
        .collect()
}

pub(super) fn old_section(which: Rfc822, parts: &DigestRef<'_>, bytes: &Bytes) -> Option<Bytes> {
    let text = match which {
        Rfc822::Whole => return Some(bytes.clone()),
        Rfc822::Header => Text::Header,
        Rfc822::Text => Text::Text,
    };
    let range = parts.parts().locate(&[], Some(&text))?;
    cut(bytes, range)
}

/// The bytes of a section; `None` if the message has no such part.
pub(super) fn new_section(
    section: &Section<'_>,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
) -> Option<Bytes> {
    let whole = match &section.text {
        None if section.path.is_empty() => bytes.clone(),
        None => cut(bytes, parts.parts().locate(&section.path, None)?)?,
        Some(SectionText::Header) => part(section, parts, bytes, &Text::Header)?,
        Some(SectionText::Text) => part(section, parts, bytes, &Text::Text)?,
        Some(SectionText::Mime) => part(section, parts, bytes, &Text::Mime)?,
        Some(SectionText::HeaderFields(names)) => fields(section, parts, bytes, names, true)?,
        Some(SectionText::HeaderFieldsNot(names)) => fields(section, parts, bytes, names, false)?,
    };
    Some(match section.partial {
        None => whole,
        Some((origin, length)) => {
            // A start past the end gives an empty string (RFC 3501 §6.4.5).
            let from = (origin as usize).min(whole.len());
            let to = from.saturating_add(length as usize).min(whole.len());
            whole.slice(from..to)
        }
    })
}

fn part(
    section: &Section<'_>,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
    text: &Text<'_>,
) -> Option<Bytes> {
    cut(bytes, parts.parts().locate(&section.path, Some(text))?)
}

fn fields(
    section: &Section<'_>,
    parts: &DigestRef<'_>,
    bytes: &Bytes,
    names: &[Cow<'_, [u8]>],
    keep_listed: bool,
) -> Option<Bytes> {
    let header = part(section, parts, bytes, &Text::Header)?;
    let names: Vec<&[u8]> = names.iter().map(|name| &**name).collect();
    Some(header_fields(&header, &names, keep_listed).into())
}

/// A range of the message; `None` if it lies outside, which only a damaged digest could say.
pub(super) fn cut(bytes: &Bytes, range: Range<u32>) -> Option<Bytes> {
    let range = range.start as usize..range.end as usize;
    bytes
        .get(range.clone())
        .is_some()
        .then(|| bytes.slice(range))
}
