//! Decoding a body piece by piece, so that no more of it is held than is wanted at once.

use memchr::memchr;

use crate::encoding::Encoding;
use crate::media::hex;

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

/// A body that is decoded as far as it goes, whatever is wrong with it. Never longer than what it
/// is made of.
///
/// - base64 (RFC 2045 §6.8): bytes outside the alphabet are passed over; padding ends a group, and
///   more may follow it (mail with several encoded files in one body exists). Left-over bits of a cut
///   group are dropped.
/// - quoted-printable (§6.7): a `=` that starts no escape stays; white space at the end of a line is
///   transport padding and goes.
/// - Everything else is left as it is.
#[derive(Clone, Debug)]
pub struct Decoder<'a> {
    rest: &'a [u8],
    state: State<'a>,
}

#[derive(Clone, Debug)]
enum State<'a> {
    Plain,
    /// Bits of an unfinished group, and from how many digits they are.
    Base64 {
        bits: u32,
        count: u32,
    },
    /// What is left of the line in hand, and its end.
    QuotedPrintable {
        text: &'a [u8],
        line_end: &'a [u8],
    },
}

impl<'a> Decoder<'a> {
    /// At the beginning of a body.
    pub fn new(body: &'a [u8], encoding: Encoding) -> Self {
        let state = match encoding {
            Encoding::Base64 => State::Base64 { bits: 0, count: 0 },
            Encoding::QuotedPrintable => State::QuotedPrintable {
                text: b"",
                line_end: b"",
            },
            _ => State::Plain,
        };
        Self { rest: body, state }
    }

    /// Appends up to about `most` bytes (a few more at most) and says whether there may be more.
    pub fn push(&mut self, out: &mut Vec<u8>, most: usize) -> bool {
        let most = most.max(1);
        match &mut self.state {
            State::Plain => {
                out.extend_from_slice(take(&mut self.rest, most));
                !self.rest.is_empty()
            }
            State::Base64 { bits, count } => {
                push_base64(out, take(&mut self.rest, most), bits, count);
                if self.rest.is_empty() {
                    push_group(out, bits, count);
                }
                !self.rest.is_empty()
            }
            State::QuotedPrintable { text, line_end } => {
                let full = out.len().saturating_add(most);
                while out.len() < full {
                    if !text.is_empty() {
                        push_quoted(out, text, line_end, full - out.len());
                    } else if !line_end.is_empty() {
                        out.extend_from_slice(line_end);
                        *line_end = b"";
                    } else if self.rest.is_empty() {
                        return false;
                    } else {
                        (*text, *line_end) = next_line(&mut self.rest);
                    }
                }
                true
            }
        }
    }
}

/// The first bytes, as many as there are.
fn take<'a>(rest: &mut &'a [u8], most: usize) -> &'a [u8] {
    let (taken, left) = rest.split_at(most.min(rest.len()));
    *rest = left;
    taken
}

fn push_base64(out: &mut Vec<u8>, body: &[u8], bits: &mut u32, count: &mut u32) {
    for &byte in body {
        let value = BASE64[usize::from(byte)];
        if value != 0xff {
            *bits = *bits << 6 | u32::from(value);
            *count += 1;
            if *count == 4 {
                out.extend_from_slice(&bits.to_be_bytes()[1..]);
                (*bits, *count) = (0, 0);
            }
        } else if byte == b'=' {
            push_group(out, bits, count);
        }
    }
}

/// The one or two bytes of an unfinished group.
fn push_group(out: &mut Vec<u8>, bits: &mut u32, count: &mut u32) {
    match *count {
        2 => out.push((*bits >> 4) as u8),
        3 => out.extend_from_slice(&((*bits >> 2) as u16).to_be_bytes()),
        _ => {}
    }
    (*bits, *count) = (0, 0);
}

/// The next line without padding, and its end.
fn next_line<'a>(rest: &mut &'a [u8]) -> (&'a [u8], &'a [u8]) {
    let len = memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
    let line = take(rest, len);
    let line_end = match line {
        [.., b'\r', b'\n'] => &line[len - 2..],
        [.., b'\n'] => &line[len - 1..],
        _ => b"",
    };
    (line.trim_ascii_end(), line_end)
}

/// Decodes up to about `most` bytes of a line's text. A soft line break takes the line's end away.
fn push_quoted<'a>(out: &mut Vec<u8>, text: &mut &'a [u8], line_end: &mut &'a [u8], most: usize) {
    let window = &text[..most.min(text.len())];
    let Some(at) = memchr(b'=', window) else {
        out.extend_from_slice(take(text, most));
        return;
    };
    out.extend_from_slice(&text[..at]);
    *text = &text[at + 1..];
    match text {
        [] => *line_end = b"",
        [high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
            out.push(hex(*high) << 4 | hex(*low));
            *text = rest;
        }
        _ => out.push(b'='),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::decode_part;

    /// However small the pieces, the whole is the same.
    #[test]
    fn pieces_make_the_whole() {
        let bodies: [&[u8]; 7] = [
            b"",
            b"aGVsbG8=\r\naGVsbG8",
            b"a=\r\nb=3Dc =\t\r\n\r\n  \n=",
            b"=41=4",
            b"a  \r\nb\r\n\r\n",
            b"====\n=\n\n",
            b"\0\x01 plain = \r",
        ];
        for body in bodies {
            for code in 0..=5 {
                let encoding = Encoding::from_code(code);
                for most in 0..5 {
                    let mut decoder = Decoder::new(body, encoding);
                    let mut all = Vec::new();
                    loop {
                        let before = all.len();
                        let more = decoder.push(&mut all, most);
                        assert!(all.len() - before <= most + 4);
                        if !more {
                            break;
                        }
                    }
                    assert_eq!(all, *decode_part(body, encoding), "{body:?} {encoding:?}");
                    assert!(all.len() <= body.len());
                }
            }
        }
    }
}
