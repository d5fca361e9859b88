//! The preview of a message (RFC 8970): the beginning of its text.

use crate::charset;
use crate::encoding::decode_part;
use crate::html;
use crate::limit::{MAX_PREVIEW_BYTES, MAX_PREVIEW_CHARS};
use crate::parts::{PartIndex, PartRef};

/// Bytes of plain text that are enough for a preview: what it quotes may come first.
const MAX_PLAIN_BYTES: usize = 8 << 10;

/// Bytes of text from HTML that fill a preview, white space to be collapsed included.
const MAX_HTML_TEXT_BYTES: usize = MAX_PREVIEW_CHARS * 8;

/// The beginning of the first text/plain or text/html that is no attachment and shows something,
/// white space collapsed. Quoted lines of plain text are passed over, if there is anything else.
pub(crate) fn preview(message: &[u8], parts: &PartIndex<'_>) -> String {
    let shown = parts.texts().filter(|part| !part.attachment);
    let mut previews = shown.filter_map(|part| match part.media {
        "text/plain" => Some(plain(message, &part)),
        "text/html" => Some(collapse(&html_text(message, &part))),
        _ => None,
    });
    previews.find(|text| !text.is_empty()).unwrap_or_default()
}

fn plain(message: &[u8], part: &PartRef<'_>) -> String {
    with_text(message, part, MAX_PLAIN_BYTES, |text| {
        let signed = text.lines().take_while(|line| *line != "-- ");
        let own = collapse_lines(signed.filter(|line| !line.starts_with('>')));
        if own.is_empty() { collapse(text) } else { own }
    })
}

fn html_text(message: &[u8], part: &PartRef<'_>) -> String {
    with_text(message, part, MAX_PREVIEW_BYTES, |text| {
        html::to_text(text, MAX_HTML_TEXT_BYTES)
    })
}

fn with_text(
    message: &[u8],
    part: &PartRef<'_>,
    max_bytes: usize,
    make: impl FnOnce(&str) -> String,
) -> String {
    let body = part.body.of(message);
    let start = decode_part(&body[..body.len().min(max_bytes)], part.encoding);
    make(&charset::decode(part.charset.as_bytes(), &start))
}

fn collapse(text: &str) -> String {
    collapse_lines(std::iter::once(text))
}

/// Words parted by single spaces; characters that show nothing are left out.
fn collapse_lines<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let mut out = String::with_capacity(MAX_PREVIEW_CHARS);
    let mut chars = 0;
    for word in lines.flat_map(str::split_whitespace) {
        let word = word.chars().filter(|c| !is_invisible(*c));
        let mut space = chars > 0;
        for c in word {
            for c in space.then_some(' ').into_iter().chain([c]) {
                if chars == MAX_PREVIEW_CHARS {
                    return out.trim_end().to_owned();
                }
                out.push(c);
                chars += 1;
            }
            space = false;
        }
    }
    out
}

/// Control characters, soft hyphen, and the zero-width padding of newsletters.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{200b}' | '\u{200c}' | '\u{2060}' | '\u{feff}'
        )
}
