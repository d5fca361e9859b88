//! Binary parts in an encoding that IMAP can carry.

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr;

use crate::encoding::Encoding;
use crate::header::{Known, fields};
use crate::scan::{Kind, Part, Structure, scan};

const FIELD: &[u8] = b"Content-Transfer-Encoding: base64\r\n";
/// Bytes on one line of base64: 76 characters of it, as RFC 2045 §6.8 has them.
const LINE_BYTES: usize = 57;
/// Bytes encoded at once: whole lines, so that pieces are of a moderate size.
const CHUNK_BYTES: usize = 1_024 * LINE_BYTES;

/// A message with its binary parts encoded, as pieces of the original.
#[derive(Clone, Debug)]
pub struct Recoded<'a> {
    message: &'a [u8],
    pieces: Vec<Piece>,
}

/// A piece of a recoded message.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    /// As it is.
    Same(Range<usize>),
    /// The field that names the encoding.
    Field,
    /// In base64, with line ends.
    Base64(Range<usize>),
}

/// What becomes of a message with NUL in parts that are labelled binary: these in base64, all else
/// as it is. `None` if there is nothing to do, which is found out by looking for a NUL.
///
/// IMAP has to describe and give such parts "in a CTE acceptable to the IMAP4 base specification"
/// (RFC 3516 §6). Nothing is lost: the decoded parts are the same to the byte.
pub fn recode_binary(message: &[u8]) -> Option<Recoded<'_>> {
    memchr(0, message)?;
    let structure = scan(message);
    let mut pieces = Vec::new();
    let mut at = 0;
    for part in structure.parts() {
        if is_raw_binary(message, &structure, part) {
            recode(message, part, &mut at, &mut pieces);
        }
    }
    if pieces.is_empty() {
        return None;
    }
    pieces.push(Piece::Same(at..message.len()));
    Some(Recoded { message, pieces })
}

/// Whether a part is not encoded, says so, and has a NUL. A header without a blank line after it is
/// left alone.
fn is_raw_binary(message: &[u8], structure: &Structure, part: &Part) -> bool {
    let label = structure.field(message, part, Known::ContentTransferEncoding);
    let header = part.header.of(message);
    matches!(part.kind, Kind::Leaf | Kind::Text)
        && label.is_some_and(|value| Encoding::from_value(value) == Encoding::Binary)
        && (header.ends_with(b"\n\r\n") || header.ends_with(b"\n\n"))
        && memchr(0, part.body.of(message)).is_some()
}

/// Adds the pieces from `at` to the end of a part.
fn recode(message: &[u8], part: &Part, at: &mut usize, pieces: &mut Vec<Piece>) {
    let start = part.header.start as usize;
    for field in fields(part.header.of(message)) {
        if !field.is(b"Content-Transfer-Encoding") {
            continue;
        }
        // A name has no colon.
        let name = memchr(b':', field.raw).map_or(0, |colon| colon + 1);
        let from = start + field.value_at - name;
        pieces.push(Piece::Same(*at..from));
        *at = from + field.raw.len();
    }
    let body = part.body.range();
    let body = body.start as usize..body.end as usize;
    // Before the blank line.
    let blank = match part.header.of(message) {
        [.., b'\r', b'\n'] => 2,
        _ => 1,
    };
    pieces.push(Piece::Same(*at..body.start - blank));
    pieces.push(Piece::Field);
    pieces.push(Piece::Same(body.start - blank..body.start));
    *at = body.end;
    pieces.push(Piece::Base64(body));
}

impl<'a> Recoded<'a> {
    /// Its size in bytes.
    pub fn len(&self) -> u64 {
        let sizes = self.pieces.iter().map(|piece| match piece {
            Piece::Same(range) => range.len(),
            Piece::Field => FIELD.len(),
            Piece::Base64(range) => {
                range.len().div_ceil(3) * 4 + range.len().div_ceil(LINE_BYTES) * 2
            }
        });
        sizes.sum::<usize>() as u64
    }

    /// Always false: it has an encoded part.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Its bytes, in pieces of moderate size where they had to be made.
    pub fn chunks(&self) -> impl Iterator<Item = Cow<'a, [u8]>> + '_ {
        let message = self.message;
        self.pieces.iter().flat_map(move |piece| {
            let (same, encoded) = match piece {
                Piece::Same(range) => (&message[range.clone()], &[][..]),
                Piece::Field => (FIELD, &[][..]),
                Piece::Base64(range) => (&[][..], &message[range.clone()]),
            };
            let same = (!same.is_empty()).then_some(Cow::Borrowed(same));
            same.into_iter().chain(
                encoded
                    .chunks(CHUNK_BYTES)
                    .map(|chunk| Cow::Owned(lines(chunk))),
            )
        })
    }
}

fn lines(chunk: &[u8]) -> Vec<u8> {
    let mut out = String::with_capacity(chunk.len() / 3 * 4 + chunk.len() / LINE_BYTES * 2 + 8);
    for line in chunk.chunks(LINE_BYTES) {
        STANDARD.encode_string(line, &mut out);
        out.push_str("\r\n");
    }
    out.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode_part;
    use crate::digest;
    use crate::parts::PartIndex;

    fn recoded(message: &[u8]) -> Vec<u8> {
        let recoded = recode_binary(message).expect("something to do");
        let all = recoded.chunks().collect::<Vec<_>>().concat();
        assert_eq!(all.len() as u64, recoded.len());
        assert!(!recoded.is_empty());
        all
    }

    #[test]
    fn a_binary_part_with_a_nul_is_encoded_and_nothing_else_changes() {
        let head = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n";
        let text = b"--b\r\n\r\na \xff b\r\n";
        let binary = b"--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding:\r\n binary\r\nX: y\r\n\r\n";
        let data: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
        let tail = b"\r\n--b--\r\n";
        let message = [&head[..], text, binary, &data, tail].concat();
        let made = recoded(&message);
        let expected = [
            &head[..],
            text,
            b"--b\r\nContent-Type: image/x\r\nX: y\r\n",
            FIELD,
            b"\r\n",
        ];
        assert!(made.starts_with(&expected.concat()));
        assert!(made.ends_with(tail) && memchr(0, &made).is_none());
        let digest = digest(&made);
        let index = PartIndex::new(&digest.parts).unwrap();
        let part = index.part(&[2]).unwrap();
        assert_eq!(*decode_part(part.body.of(&made), part.encoding), data[..]);
        assert!(made.split(|&b| b == b'\n').all(|line| line.len() <= 77));
    }

    #[test]
    fn a_whole_message_may_be_binary() {
        let made = recoded(b"Content-Transfer-Encoding: binary\nA: b\n\n\0");
        assert_eq!(
            made,
            b"A: b\nContent-Transfer-Encoding: base64\r\n\nAA==\r\n"
        );
    }

    #[test]
    fn what_is_not_labelled_or_has_no_nul_stays() {
        for message in [
            &b"A: b\r\n\r\n\0"[..],
            b"A: \0\r\nContent-Transfer-Encoding: binary\r\n\r\nx",
            b"Content-Transfer-Encoding: 8bit\r\n\r\n\0",
            b"Content-Transfer-Encoding: binary\r\n\r\nlong line",
            b"",
        ] {
            assert!(recode_binary(message).is_none(), "{message:?}");
        }
    }
}
