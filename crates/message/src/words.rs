//! Encoded words (RFC 2047, with the language of RFC 2231 §5): header text as people read it.

use memchr::memmem;

use crate::charset;
use crate::cursor::{is_space, push_unfolded, trim};
use crate::encoding::decode_base64;
use crate::media::hex;

/// An encoded word, not decoded yet.
struct Word<'a> {
    charset: &'a [u8],
    base64: bool,
    text: &'a [u8],
}

impl Word<'_> {
    fn push_bytes(&self, out: &mut Vec<u8>) {
        if self.base64 {
            out.extend_from_slice(&decode_base64(self.text));
        } else {
            push_q_decoded(out, self.text);
        }
    }
}

/// The text of a header field's value: unfolded, encoded words decoded, white space around it gone.
///
/// White space between encoded words goes too, and adjacent words of one character set are decoded
/// together, so that a character split between them is whole (which RFC 2047 §5 forbids and mailers
/// do). Encoded words are found anywhere, also within quoted strings and without white space around
/// them; what cannot be decoded stays as it is. Bytes above 127 are UTF-8 or, failing that,
/// Windows-1252.
pub fn decode_header(raw: &[u8]) -> String {
    let value = trim(raw);
    let mut unfolded = Vec::with_capacity(value.len());
    push_unfolded(&mut unfolded, value);
    decode_unfolded(&unfolded)
}

pub(crate) fn decode_unfolded(value: &[u8]) -> String {
    let mut out = String::with_capacity(value.len());
    // Decoded bytes whose character set is that of the last encoded word.
    let mut pending: Option<(&[u8], Vec<u8>)> = None;
    let mut rest = value;
    let mut words = WordFinder::default();
    while let Some((before, word, after)) = words.find(rest) {
        let joined = pending.is_some() && before.iter().all(|&b| is_space(b));
        if !joined {
            flush(&mut out, pending.take());
            out.push_str(&charset::guess(before));
        }
        rest = after;
        match &mut pending {
            Some((charset, bytes)) if charset.eq_ignore_ascii_case(word.charset) => {
                word.push_bytes(bytes);
            }
            _ => {
                flush(&mut out, pending.take());
                let mut bytes = Vec::with_capacity(word.text.len());
                word.push_bytes(&mut bytes);
                pending = Some((word.charset, bytes));
            }
        }
    }
    flush(&mut out, pending);
    out.push_str(&charset::guess(rest));
    out
}

fn flush(out: &mut String, pending: Option<(&[u8], Vec<u8>)>) {
    if let Some((charset, bytes)) = pending {
        let text = charset::decode(charset, &bytes);
        // A decoded line end would make two lines of one.
        out.extend(text.chars().map(|c| {
            if matches!(c, '\r' | '\n' | '\0') {
                ' '
            } else {
                c
            }
        }));
    }
}

/// Finds encoded words. Remembers that there is no end mark any more, so that many beginnings
/// without an end cost linear time.
#[derive(Default)]
struct WordFinder {
    no_end: bool,
}

impl WordFinder {
    /// What is before the first encoded word, the word, and what is after it.
    fn find<'a>(&mut self, bytes: &'a [u8]) -> Option<(&'a [u8], Word<'a>, &'a [u8])> {
        let mut from = 0;
        while !self.no_end {
            let start = from + memmem::find(&bytes[from..], b"=?")?;
            if let Some((word, after)) = self.word(&bytes[start + 2..]) {
                return Some((&bytes[..start], word, after));
            }
            from = start + 2;
        }
        None
    }

    /// `charset ["*" language] "?" encoding "?" encoded-text "?="`, after its first two characters.
    fn word<'a>(&mut self, bytes: &'a [u8]) -> Option<(Word<'a>, &'a [u8])> {
        let charset_len = bytes
            .iter()
            .take(64)
            .position(|&b| b == b'?' || is_space(b))?;
        let (charset, rest) = bytes.split_at(charset_len);
        let [b'?', encoding, b'?', text_on @ ..] = rest else {
            return None;
        };
        let base64 = match encoding {
            b'B' | b'b' => true,
            b'Q' | b'q' => false,
            _ => return None,
        };
        let charset = charset.split(|&b| b == b'*').next().unwrap_or_default();
        if !charset::is_known(charset) {
            return None;
        }
        let Some(end) = memmem::find(text_on, b"?=") else {
            self.no_end = true;
            return None;
        };
        Some((
            Word {
                charset,
                base64,
                text: &text_on[..end],
            },
            &text_on[end + 2..],
        ))
    }
}

/// The "Q" encoding (RFC 2047 §4.2).
fn push_q_decoded(out: &mut Vec<u8>, mut text: &[u8]) {
    while let [first, rest @ ..] = text {
        text = rest;
        match (first, rest) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..])
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                out.push(hex(*high) << 4 | hex(*low));
                text = after;
            }
            _ => out.push(*first),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::decode_header;

    #[track_caller]
    fn check(raw: &str, expected: &str) {
        assert_eq!(decode_header(raw.as_bytes()), expected, "{raw}");
    }

    #[test]
    fn encoded_words_are_decoded_and_joined() {
        // RFC 2047 §8.
        check("=?ISO-8859-1?Q?a?=", "a");
        check("=?ISO-8859-1?Q?a?= b", "a b");
        check("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab");
        check("=?ISO-8859-1?Q?a?=\r\n  =?ISO-8859-1?Q?b?=", "ab");
        check("=?ISO-8859-1?Q?a_b?=", "a b");
        check("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b");
        check("=?US-ASCII*EN?Q?Keith_Moore?= <m@e>", "Keith Moore <m@e>");
        check("\"=?utf-8?q?J=C3=BCrgen?=\" x", "\"J\u{fc}rgen\" x");
        check("a=?utf-8?q?b?=c", "abc");
        check("=?utf-8?q??=", "");
        check("=?utf-8?q?=41?=", "A");
        check("=?iso-2022-jp?B?GyRCJCIbKEI=?=", "\u{3042}");
        check("=?utf-8?q?a=0Ab?=", "a b");
    }

    #[test]
    fn a_character_split_between_words_is_whole() {
        check("=?utf-8?B?w6TD?= =?UTF-8?B?pA==?=", "\u{e4}\u{e4}");
        check("=?utf-8?Q?=C3?=\r\n =?utf-8?B?pA==?= x", "\u{e4} x");
    }

    #[test]
    fn what_cannot_be_decoded_stays() {
        check("=?nothing?q?a?=", "=?nothing?q?a?=");
        check("=?utf-8?x?a?=", "=?utf-8?x?a?=");
        check("=?utf-8?q?a", "=?utf-8?q?a");
        check("=?=?utf-8?q?a?=", "=?a");
        check(" plain\r\n\ttext ", "plain\ttext");
        assert_eq!(decode_header(b"\xe4"), "\u{e4}");
        assert_eq!(decode_header("\u{e4}".as_bytes()), "\u{e4}");
        check("=?utf-8?q?=ff?=", "\u{fffd}");
    }

    #[test]
    fn many_beginnings_without_an_end_are_harmless() {
        let many = "=?utf-8?q?x".repeat(100_000);
        assert_eq!(decode_header(many.as_bytes()).len(), many.len());
    }
}
