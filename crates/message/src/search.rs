//! SEARCH's text keys (RFC 9051 §6.4.4): a substring of decoded text, whatever the case of letters.

use std::borrow::Cow;

use memchr::memmem::Finder;

use crate::charset;
use crate::comparator::Comparator;
use crate::encoding::decode_part;
use crate::fold::fold;
use crate::header::{Field, fields};
use crate::html;
use crate::media::{Media, decode_params, parse_disposition};
use crate::parts::{PartIndex, PartRef};
use crate::scan::Kind;
use crate::words::decode_header;

/// Text is folded in pieces of about this size, so that a large part is not there twice.
const CHUNK_BYTES: usize = 16 << 10;

/// How far before a piece's end an ASCII character is looked for, where no combining sequence is
/// cut.
const CUT_WINDOW_BYTES: usize = 256;

/// A text to be looked for, prepared once for many messages.
#[derive(Clone, Debug)]
pub struct Needle {
    comparator: Comparator,
    folded: String,
    finder: Finder<'static>,
}

impl Needle {
    /// Prepares `text`, which is matched as [`fold`] sees it.
    pub fn new(text: &str) -> Self {
        Self::by(Comparator::default(), text)
    }

    /// Prepares `text`, which is matched as a comparator sees it.
    pub fn by(comparator: Comparator, text: &str) -> Self {
        let folded = comparator.key(text).into_owned();
        let finder = Finder::new(&folded).into_owned();
        Self {
            comparator,
            folded,
            finder,
        }
    }

    /// True for the empty text, which is in every text.
    pub fn is_empty(&self) -> bool {
        self.folded.is_empty()
    }

    /// The text as it is compared.
    pub fn folded(&self) -> &str {
        &self.folded
    }

    /// True if it is part of `text`.
    pub fn found_in(&self, text: &str) -> bool {
        let overlap = self.folded.len().saturating_sub(1);
        let mut window: Vec<u8> = Vec::with_capacity(text.len().min(CHUNK_BYTES) + overlap);
        let mut rest = text;
        loop {
            let (chunk, after) = rest.split_at(chunk_len(rest));
            let done = window.len().saturating_sub(overlap);
            window.drain(..done);
            push_folded(&mut window, chunk, self.comparator);
            if self.finder.find(&window).is_some() {
                return true;
            }
            if after.is_empty() {
                return false;
            }
            rest = after;
        }
    }
}

fn push_folded(out: &mut Vec<u8>, text: &str, comparator: Comparator) {
    if comparator == Comparator::Octet {
        out.extend_from_slice(text.as_bytes());
    } else if comparator == Comparator::AsciiCasemap || text.is_ascii() {
        let start = out.len();
        out.extend_from_slice(text.as_bytes());
        out[start..].make_ascii_uppercase();
    } else {
        out.extend_from_slice(fold(text).as_bytes());
    }
}

/// The length of a piece that can be folded alone: nothing composes with an ASCII character after
/// it.
fn chunk_len(text: &str) -> usize {
    if text.len() <= CHUNK_BYTES {
        return text.len();
    }
    let end = text.floor_char_boundary(CHUNK_BYTES);
    let window = &text.as_bytes()[end.saturating_sub(CUT_WINDOW_BYTES)..end];
    match window.iter().rposition(u8::is_ascii) {
        Some(at) => end - window.len() + at,
        None => end,
    }
}

/// True if a field of that name holds the text, or, for the empty text, exists (HEADER, SUBJECT,
/// FROM and the like).
pub fn header_contains(header_block: &[u8], field_name: &[u8], needle: &Needle) -> bool {
    fields(header_block)
        .filter(|field| field.is(field_name))
        .any(|field| needle.is_empty() || field_holds(&field, needle))
}

/// True if the message holds the text: in its body (BODY), or anywhere (TEXT, with
/// `include_headers`).
///
/// The body is the decoded text of all text parts and reports (message/delivery-status), and the
/// headers of messages within the message. HTML is searched both as it stands and as the text it
/// shows. Cost: the text parts are decoded.
pub fn text_contains(
    message: &[u8],
    parts: &PartIndex<'_>,
    needle: &Needle,
    include_headers: bool,
) -> bool {
    needle.is_empty()
        || for_each_text(message, parts, include_headers, |text| {
            needle.found_in(text)
        })
}

/// Calls `each` for every text that [`text_contains`] looks into, until it returns true: what an
/// index for search has to cover. True if `each` did.
pub fn for_each_text(
    message: &[u8],
    parts: &PartIndex<'_>,
    include_headers: bool,
    mut each: impl FnMut(&str) -> bool,
) -> bool {
    let mut in_message = false;
    parts.iter().any(|part| {
        let with_header = include_headers || in_message;
        in_message = part.kind == Kind::Message;
        (with_header && any_field(part.header.of(message), &mut each))
            || (is_readable(&part) && any_body(message, &part, &mut each))
    })
}

/// Texts, and what else people read in mail: message/delivery-status and the like.
fn is_readable(part: &PartRef<'_>) -> bool {
    part.kind == Kind::Text || (part.kind == Kind::Leaf && part.media_type == "message")
}

fn any_field(header_block: &[u8], each: &mut impl FnMut(&str) -> bool) -> bool {
    fields(header_block).any(|field| {
        let name = String::from_utf8_lossy(field.name);
        each(&format!("{name}: {}", decode_header(field.value)))
            || field_params(&field).iter().any(|value| each(value))
    })
}

fn field_holds(field: &Field<'_>, needle: &Needle) -> bool {
    needle.found_in(&decode_header(field.value))
        || field_params(field)
            .iter()
            .any(|value| needle.found_in(value))
}

/// The parameters that say something else once they are decoded (RFC 2231).
fn field_params(field: &Field<'_>) -> Vec<String> {
    let params = if field.is(b"Content-Type") {
        Media::parse(field.value).map(|media| media.params)
    } else if field.is(b"Content-Disposition") {
        parse_disposition(field.value).map(|(_, params)| params)
    } else {
        None
    };
    match params {
        Some(params) if field.value.contains(&b'*') => decode_params(params)
            .into_iter()
            .map(|(_, value)| value)
            .collect(),
        _ => Vec::new(),
    }
}

fn any_body(message: &[u8], part: &PartRef<'_>, each: &mut impl FnMut(&str) -> bool) -> bool {
    let decoded = decode_part(part.body.of(message), part.encoding);
    let text: Cow<'_, str> = charset::decode(part.charset.as_bytes(), &decoded);
    each(&text) || (part.media == "text/html" && each(&html::to_text(&text, usize::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needles_are_found_across_pieces() {
        let needle = Needle::new("Gr\u{fc}\u{df}e, ELL");
        for pad in [0, CHUNK_BYTES - 20, CHUNK_BYTES - 3, CHUNK_BYTES * 3 - 5] {
            for filler in ["x", "\u{e4}"] {
                let text = format!("{}gr\u{fc}\u{df}E, ellipse", filler.repeat(pad));
                assert!(needle.found_in(&text), "{pad} {filler}");
                assert!(!needle.found_in(&text[..text.len() - 7]), "{pad} {filler}");
            }
        }
        assert!(Needle::new("").found_in(""));
    }
}
