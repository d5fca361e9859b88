//! Content transfer encodings (RFC 2045 §6).

use std::borrow::Cow;

use memchr::memchr;

use crate::cursor::Cursor;
use crate::media::{hex, is_token};

/// How the bytes of a body are encoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// `7bit`, which is what a part without the field has.
    #[default]
    SevenBit,
    /// `8bit`.
    EightBit,
    /// `binary`.
    Binary,
    /// `quoted-printable`.
    QuotedPrintable,
    /// `base64`.
    Base64,
    /// Any other word: such a body cannot be decoded (RFC 3516 §4.3, UNKNOWN-CTE).
    Unknown,
}

impl Encoding {
    /// The encoding that a Content-Transfer-Encoding field's value names.
    pub fn from_value(value: &[u8]) -> Self {
        let mut at = Cursor::new(value);
        at.skip_cfws();
        let word = at.run(is_token);
        let known: [(&[u8], Self); 7] = [
            (b"7bit", Self::SevenBit),
            (b"8bit", Self::EightBit),
            (b"binary", Self::Binary),
            (b"quoted-printable", Self::QuotedPrintable),
            (b"base64", Self::Base64),
            (b"7-bit", Self::SevenBit),
            (b"8-bit", Self::EightBit),
        ];
        let found = known
            .iter()
            .find(|(name, _)| word.eq_ignore_ascii_case(name));
        match found {
            Some((_, encoding)) => *encoding,
            None if word.is_empty() => Self::SevenBit,
            None => Self::Unknown,
        }
    }

    /// One byte for the store, and back.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_code(code: u8) -> Self {
        match code {
            0 => Self::SevenBit,
            1 => Self::EightBit,
            2 => Self::Binary,
            3 => Self::QuotedPrintable,
            4 => Self::Base64,
            _ => Self::Unknown,
        }
    }
}

/// The bytes that a body stands for. Unknown encodings are left as they are.
pub fn decode_part(body: &[u8], encoding: Encoding) -> Cow<'_, [u8]> {
    match encoding {
        Encoding::Base64 => Cow::Owned(decode_base64(body)),
        Encoding::QuotedPrintable => Cow::Owned(decode_quoted_printable(body)),
        _ => Cow::Borrowed(body),
    }
}

const BASE64: [u8; 256] = {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut table = [0xff; 256];
    let mut at = 0;
    while at < alphabet.len() {
        table[alphabet[at] as usize] = at as u8;
        at += 1;
    }
    table
};

pub(crate) fn base64_value(byte: u8) -> Option<u8> {
    let value = BASE64[usize::from(byte)];
    (value != 0xff).then_some(value)
}

/// Decodes base64 (RFC 2045 §6.8). Bytes outside the alphabet are passed over; padding ends a
/// group, and more may follow it (mail with several encoded files in one body exists). Left-over
/// bits of a cut group are dropped.
pub fn decode_base64(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len() / 4 * 3 + 3);
    let (mut bits, mut count) = (0u32, 0u32);
    for &byte in body {
        let value = BASE64[usize::from(byte)];
        if value != 0xff {
            bits = bits << 6 | u32::from(value);
            count += 1;
            if count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (bits, count) = (0, 0);
            }
        } else if byte == b'=' {
            push_rest(&mut out, bits, count);
            (bits, count) = (0, 0);
        }
    }
    push_rest(&mut out, bits, count);
    out
}

/// The one or two bytes of an unfinished group.
fn push_rest(out: &mut Vec<u8>, bits: u32, count: u32) {
    match count {
        2 => out.push((bits >> 4) as u8),
        3 => out.extend_from_slice(&((bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
}

/// Decodes quoted-printable (RFC 2045 §6.7). A `=` that starts no escape stays; white space at the
/// end of a line is transport padding and goes.
pub fn decode_quoted_printable(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    for line in body.split_inclusive(|&b| b == b'\n') {
        let text = line.trim_ascii_end();
        let line_end = match line {
            [.., b'\r', b'\n'] => &b"\r\n"[..],
            [.., b'\n'] => b"\n",
            _ => b"",
        };
        if !push_line(&mut out, text) {
            out.extend_from_slice(line_end);
        }
    }
    out
}

/// Decodes a line; true if it ends with a soft line break.
fn push_line(out: &mut Vec<u8>, mut text: &[u8]) -> bool {
    while let Some(at) = memchr(b'=', text) {
        out.extend_from_slice(&text[..at]);
        text = &text[at + 1..];
        match text {
            [] => return true,
            [high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                text = rest;
            }
            _ => out.push(b'='),
        }
    }
    out.extend_from_slice(text);
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded_as_far_as_it_goes() {
        for (body, expected) in [
            ("", ""),
            ("aGVsbG8=", "hello"),
            ("aGVs\r\nbG8=\r\n", "hello"),
            ("aGVsbG8", "hello"),
            ("aGVs!bG8*", "hello"),
            ("aA==aA==", "hh"),
            ("a", ""),
            ("====", ""),
        ] {
            assert_eq!(
                decode_base64(body.as_bytes()),
                expected.as_bytes(),
                "{body}"
            );
        }
    }

    #[test]
    fn quoted_printable_is_decoded_as_far_as_it_goes() {
        for (body, expected) in [
            ("", ""),
            ("a=\r\nb", "ab"),
            ("a=\nb", "ab"),
            ("a= \t\r\nb", "ab"),
            ("a  \r\nb", "a\r\nb"),
            ("a=3Db=3d", "a=b="),
            ("a=zz=", "a=zz"),
            ("100%=20\r\n\r\n", "100% \r\n\r\n"),
        ] {
            assert_eq!(
                decode_quoted_printable(body.as_bytes()),
                expected.as_bytes(),
                "{body}"
            );
        }
        assert_eq!(decode_quoted_printable(b"=C3=A4"), "\u{e4}".as_bytes());
    }

    #[test]
    fn encodings_are_known_by_name() {
        assert_eq!(Encoding::from_value(b" BASE64 (really)"), Encoding::Base64);
        assert_eq!(
            Encoding::from_value(b"quoted-Printable;"),
            Encoding::QuotedPrintable
        );
        assert_eq!(Encoding::from_value(b" "), Encoding::SevenBit);
        assert_eq!(Encoding::from_value(b"x-uuencode"), Encoding::Unknown);
        for code in 0..=5 {
            assert_eq!(Encoding::from_code(code).code(), code);
        }
    }
}
