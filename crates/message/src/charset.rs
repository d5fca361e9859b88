//! Character sets: bytes to text.

use std::borrow::Cow;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};

use crate::utf7;

/// Text from bytes in the character set named `label`. What cannot be decoded becomes U+FFFD; an
/// unknown label is treated as none, see [`guess`].
pub fn decode<'a>(label: &[u8], bytes: &'a [u8]) -> Cow<'a, str> {
    if bytes.is_ascii() && !is_stateful(label) {
        return guess(bytes);
    }
    if is_utf7(label) {
        return Cow::Owned(utf7::decode(bytes));
    }
    match find(label) {
        Some(encoding) => encoding.decode_without_bom_handling(bytes).0,
        None => guess(bytes),
    }
}

/// Text from bytes whose character set is not known: UTF-8 if they are, else Windows-1252.
pub fn guess(bytes: &[u8]) -> Cow<'_, str> {
    match str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0,
    }
}

/// True if text in this character set may be there in ASCII bytes that do not mean themselves.
fn is_stateful(label: &[u8]) -> bool {
    let starts = |prefix: &[u8]| {
        label
            .get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    };
    starts(b"iso-2022") || starts(b"csiso2022") || starts(b"utf-16") || is_utf7(label)
}

fn is_utf7(label: &[u8]) -> bool {
    [&b"utf-7"[..], b"unicode-1-1-utf-7", b"csunicode11utf7"]
        .iter()
        .any(|name| label.eq_ignore_ascii_case(name))
}

/// True if the label names no more than ASCII, or says that nobody knows.
///
/// Mail that is so labelled and has 8-bit bytes is as well UTF-8 as anything.
fn says_nothing(label: &[u8]) -> bool {
    [
        &b"us-ascii"[..],
        b"ascii",
        b"ansi_x3.4-1968",
        b"unknown-8bit",
        b"x-unknown",
    ]
    .iter()
    .any(|name| label.eq_ignore_ascii_case(name))
}

/// True if [`decode`] knows this character set.
#[must_use]
pub fn is_known(label: &[u8]) -> bool {
    says_nothing(label) || is_utf7(label) || find(label).is_some()
}

fn find(label: &[u8]) -> Option<&'static Encoding> {
    if says_nothing(label) {
        return None;
    }
    // The Web's answer to dangerous or forgotten encodings is one big U+FFFD; guessing is better.
    Encoding::for_label(label)
        .or_else(|| alias(label))
        .filter(|found| *found != REPLACEMENT)
}

/// Names in mail that the Web does not know.
fn alias(label: &[u8]) -> Option<&'static Encoding> {
    let label = str::from_utf8(label).ok()?.to_ascii_lowercase();
    let label = match label.as_str() {
        "utf8mb4" | "utf-8mb4" | "utf_8" => return Some(UTF_8),
        "cp932" | "ms932" => "shift_jis",
        "cp936" | "ms936" | "gb18030-2000" => "gb18030",
        "cp949" | "ms949" | "ks_c_5601" => "euc-kr",
        "cp950" | "ms950" => "big5",
        "iso-2022-jp-1" | "iso-2022-jp-2" | "iso-2022-jp-ms" | "cp50220" => "iso-2022-jp",
        other => {
            // "windows1252", "win-1251", "cp-1250" are all the same family.
            let page = other
                .trim_start_matches("windows")
                .trim_start_matches("win");
            let page = page.trim_start_matches("cp").trim_start_matches(['-', '_']);
            return Encoding::for_label(format!("windows-{page}").as_bytes());
        }
    };
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_decoded_by_its_label_or_guessed() {
        let cases: [(&str, &[u8], &str); 9] = [
            ("utf-8", b"\xc3\xa4", "\u{e4}"),
            ("ISO-8859-1", b"\xe4", "\u{e4}"),
            ("iso-8859-2", b"\xb1", "\u{105}"),
            ("us-ascii", b"\xe4", "\u{e4}"),
            ("us-ascii", b"\xc3\xa4", "\u{e4}"),
            ("no-such-thing", b"\xc3\xa4", "\u{e4}"),
            ("iso-2022-jp", b"\x1b$B$\"\x1b(B", "\u{3042}"),
            ("cp932", b"\x82\xa0", "\u{3042}"),
            ("utf-7", b"+AOQ-", "\u{e4}"),
        ];
        for (label, bytes, text) in cases {
            assert_eq!(decode(label.as_bytes(), bytes), text, "{label} {bytes:?}");
        }
        assert_eq!(find(b"win-1251").map(Encoding::name), Some("windows-1251"));
        assert_eq!(find(b"cp1250").map(Encoding::name), Some("windows-1250"));
    }
}
