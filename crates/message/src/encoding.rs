//! Content transfer encodings (RFC 2045 §6).

use std::borrow::Cow;

use crate::cursor::Cursor;
use crate::decoder::Decoder;
use crate::media::is_token;

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

/// Decodes base64 (RFC 2045 §6.8), see [`Decoder`].
pub fn decode_base64(body: &[u8]) -> Vec<u8> {
    decode(body, Encoding::Base64)
}

/// Decodes quoted-printable (RFC 2045 §6.7), see [`Decoder`].
pub fn decode_quoted_printable(body: &[u8]) -> Vec<u8> {
    decode(body, Encoding::QuotedPrintable)
}

fn decode(body: &[u8], encoding: Encoding) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len());
    let mut decoder = Decoder::new(body, encoding);
    while decoder.push(&mut out, usize::MAX) {}
    out
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
