//! Tokens of commands (RFC 3501 §9).
//!
//! Stricter than some clients and looser than the grammar where that can't be misread: several
//! spaces count as one, also at a command's end and inside parentheses; quoted strings and
//! `astring`s may have bytes above 127.

use std::borrow::Cow;

use pillarbox_model::{Bound, SequenceSet, limit};

use super::command::Bytes;
use super::frame::{Frame, Literal, LiteralData};

/// What is wrong with a command, and where.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Syntax {
    /// A clause in ASCII that begins with a capital: "Expected a mailbox name".
    pub(super) problem: &'static str,
    /// The byte of the frame.
    pub(super) at: usize,
}

pub(super) type Parsed<T> = Result<T, Syntax>;

/// `ASTRING-CHAR` without `+`.
pub(super) const fn is_tag_char(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b'+')
}

/// `ATOM-CHAR`.
pub(super) const fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

/// `ASTRING-CHAR`, and bytes above 127: harmless, and typed in names and passwords.
const fn is_astring_char(byte: u8) -> bool {
    is_atom_char(byte) || byte == b']' || byte >= 0x80
}

/// `list-char`: as an `astring`, with wildcards.
const fn is_list_char(byte: u8) -> bool {
    is_astring_char(byte) || matches!(byte, b'%' | b'*')
}

/// A place in a frame.
#[derive(Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    literals: &'a [Literal],
}

/// What stands where a message is expected.
pub(super) enum Datum<'a> {
    Held(Bytes<'a>),
    Streamed { size: u64, binary: bool },
}

impl<'a> Cursor<'a> {
    pub(super) fn new(frame: &'a Frame, at: usize) -> Self {
        Self {
            bytes: &frame.bytes,
            at,
            literals: &frame.literals,
        }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    /// An error at this place.
    pub(super) const fn fail<T>(&self, problem: &'static str) -> Parsed<T> {
        self.fail_at(self.at, problem)
    }

    pub(super) const fn fail_at<T>(&self, at: usize, problem: &'static str) -> Parsed<T> {
        Err(Syntax { problem, at })
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    /// Takes `byte` if it is next.
    pub(super) fn eat(&mut self, byte: u8) -> bool {
        let next = self.peek() == Some(byte);
        self.at += usize::from(next);
        next
    }

    pub(super) fn expect(&mut self, byte: u8, problem: &'static str) -> Parsed<()> {
        if self.eat(byte) {
            Ok(())
        } else {
            self.fail(problem)
        }
    }

    /// Takes any number of spaces.
    pub(super) fn skip_spaces(&mut self) {
        while self.eat(b' ') {}
    }

    /// `SP`.
    pub(super) fn space(&mut self) -> Parsed<()> {
        self.expect(b' ', "Expected a space")?;
        self.skip_spaces();
        Ok(())
    }

    /// Whether the command goes on after a space, which is taken.
    pub(super) fn more(&mut self) -> Parsed<bool> {
        let spaced = self.peek() == Some(b' ');
        self.skip_spaces();
        if !spaced && self.peek().is_some() {
            return self.fail("Expected a space or the end of the command");
        }
        Ok(self.peek().is_some())
    }

    /// The end of the command.
    pub(super) fn end(&mut self) -> Parsed<()> {
        self.skip_spaces();
        match self.peek() {
            None => Ok(()),
            Some(_) => self.fail("Expected the end of the command"),
        }
    }

    /// One or more bytes of a kind.
    fn run(&mut self, kind: impl Fn(u8) -> bool, problem: &'static str) -> Parsed<&'a [u8]> {
        let rest = self.rest();
        let len = rest.iter().position(|&b| !kind(b)).unwrap_or(rest.len());
        if len == 0 {
            return self.fail(problem);
        }
        self.at += len;
        Ok(&rest[..len])
    }

    /// As [`Self::run`], of bytes that are ASCII.
    pub(super) fn text(
        &mut self,
        kind: impl Fn(u8) -> bool,
        problem: &'static str,
    ) -> Parsed<&'a str> {
        let start = self.at;
        let run = self.run(|b| b.is_ascii() && kind(b), problem)?;
        std::str::from_utf8(run).or_else(|_| self.fail_at(start, problem))
    }

    /// `atom`.
    pub(super) fn atom(&mut self, problem: &'static str) -> Parsed<&'a str> {
        self.text(is_atom_char, problem)
    }

    /// The text from here to where `end` is in the same frame.
    pub(super) fn text_up_to(&self, end: &Self) -> Parsed<&'a str> {
        let text = self.bytes.get(self.at..end.at).unwrap_or_default();
        std::str::from_utf8(text).or_else(|_| self.fail("Expected ASCII"))
    }

    /// Takes an atom if it is next and is this word, in any case.
    pub(super) fn word(&mut self, word: &str) -> bool {
        let rest = self.rest();
        let Some(head) = rest.get(..word.len()) else {
            return false;
        };
        let ends = rest.get(word.len()).is_none_or(|&b| !is_atom_char(b));
        let found = ends && head.eq_ignore_ascii_case(word.as_bytes());
        self.at += if found { word.len() } else { 0 };
        found
    }

    /// Takes these letters if they are next, in any case, whatever follows.
    pub(super) fn prefix(&mut self, letters: &str) -> bool {
        let head = self.rest().get(..letters.len());
        let found = head.is_some_and(|head| head.eq_ignore_ascii_case(letters.as_bytes()));
        self.at += if found { letters.len() } else { 0 };
        found
    }

    /// A name of keys and items: letters, digits, `.`, `-`. Empty if there is none.
    pub(super) fn name(&mut self) -> &'a str {
        let kind = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-');
        self.text(kind, "").unwrap_or_default()
    }

    /// `number`, as large as 63 bits (RFC 9051 §9, `number64`).
    pub(super) fn number64(&mut self, problem: &'static str) -> Parsed<u64> {
        let start = self.at;
        let digits = self.run(|b| b.is_ascii_digit(), problem)?;
        let number = digits.iter().try_fold(0_u64, |number, digit| {
            number.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
        });
        match number {
            Some(number) if number <= i64::MAX as u64 => Ok(number),
            _ => self.fail_at(start, "Number is too large"),
        }
    }

    /// `number`: 32 bits.
    pub(super) fn number(&mut self, problem: &'static str) -> Parsed<u32> {
        let start = self.at;
        let number = self.number64(problem)?;
        u32::try_from(number).or_else(|_| self.fail_at(start, "Number is too large"))
    }

    /// `nz-number`.
    pub(super) fn nz_number(&mut self, problem: &'static str) -> Parsed<u32> {
        let start = self.at;
        match self.number(problem)? {
            0 => self.fail_at(start, "0 is not allowed here"),
            number => Ok(number),
        }
    }

    /// `astring`.
    pub(super) fn astring(&mut self, problem: &'static str) -> Parsed<Bytes<'a>> {
        self.string_or(is_astring_char, problem)
    }

    /// `list-mailbox`.
    pub(super) fn list_mailbox(&mut self, problem: &'static str) -> Parsed<Bytes<'a>> {
        self.string_or(is_list_char, problem)
    }

    fn string_or(&mut self, kind: fn(u8) -> bool, problem: &'static str) -> Parsed<Bytes<'a>> {
        match self.string()? {
            Some(string) => Ok(string),
            None => self.run(kind, problem).map(Cow::Borrowed),
        }
    }

    /// `string`, if one is next.
    pub(super) fn string(&mut self) -> Parsed<Option<Bytes<'a>>> {
        let at = self.at;
        match self.datum()? {
            None => Ok(None),
            Some(Datum::Held(bytes)) => Ok(Some(bytes)),
            Some(Datum::Streamed { .. }) => self.fail_at(at, "A message is not allowed here"),
        }
    }

    /// A string or a `literal8`, if one is next. It may have any octets.
    pub(super) fn binary_string(&mut self) -> Parsed<Option<Bytes<'a>>> {
        let next = self.literals.first().filter(|l| l.header == self.at);
        match next {
            Some(Literal {
                data: LiteralData::Held(len),
                start,
                binary: true,
                ..
            }) => {
                self.literals = &self.literals[1..];
                self.held(*start, *len).map(Some)
            }
            _ => self.string(),
        }
    }

    /// The bytes of a literal.
    fn held(&mut self, start: usize, len: usize) -> Parsed<Bytes<'a>> {
        let Some(bytes) = self.bytes.get(start..start + len) else {
            return self.fail("Literal is not complete");
        };
        self.at = start + len;
        Ok(Cow::Borrowed(bytes))
    }

    /// A string or a streamed message, if one is next.
    pub(super) fn datum(&mut self) -> Parsed<Option<Datum<'a>>> {
        if self.peek() == Some(b'"') {
            return Ok(Some(Datum::Held(self.quoted()?)));
        }
        let Some(literal) = self.literals.first().filter(|l| l.header == self.at) else {
            return Ok(None);
        };
        self.literals = &self.literals[1..];
        let datum = match literal.data {
            LiteralData::Streamed(size) => {
                self.at = literal.start;
                Datum::Streamed {
                    size,
                    binary: literal.binary,
                }
            }
            LiteralData::Held(_) if literal.binary => {
                return self.fail("literal8 is not allowed here");
            }
            LiteralData::Held(len) => Datum::Held(self.held(literal.start, len)?),
        };
        Ok(Some(datum))
    }

    /// `quoted`. Borrowed unless it has a backslash.
    fn quoted(&mut self) -> Parsed<Bytes<'a>> {
        let start = self.at;
        self.at += 1;
        let mut text = Cow::Borrowed(&self.bytes[self.at..self.at]);
        loop {
            let rest = self.rest();
            let Some(len) = memchr::memchr3(b'"', b'\\', b'\r', rest) else {
                return self.fail_at(start, "Quoted string has no end");
            };
            append(&mut text, &rest[..len]);
            self.at += len + 1;
            if text.len() > limit::QUOTED_BYTES {
                return self.fail_at(start, "Quoted string is too long");
            }
            match rest[len] {
                // RFC 9755 §3: BAD, in whatever session.
                b'"' if std::str::from_utf8(&text).is_err() => {
                    return self.fail_at(start, "Quoted string is not UTF-8");
                }
                b'"' => return Ok(text),
                b'\\' => append(&mut text, self.escaped()?),
                _ => return self.fail_at(self.at - 1, "CR is not allowed in a quoted string"),
            }
        }
    }

    /// What follows a backslash: RFC 3501 §9 `quoted-specials`, two characters that must be escaped
    /// and nothing else.
    fn escaped(&mut self) -> Parsed<&'a [u8]> {
        match self.peek() {
            Some(b'"' | b'\\') => {
                self.at += 1;
                Ok(&self.bytes[self.at - 1..self.at])
            }
            _ => self.fail("Only \\\\ and \\\" may follow a backslash in a quoted string"),
        }
    }

    /// `"(" [item *(SP item)] ")"`, with lenient spaces.
    pub(super) fn list<T>(
        &mut self,
        problem: &'static str,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.expect(b'(', problem)?;
        let mut items = Vec::new();
        self.skip_spaces();
        while !self.eat(b')') {
            items.push(item(self)?);
            if self.peek() != Some(b')') {
                self.expect(b' ', "Expected a space or )")?;
            }
            self.skip_spaces();
        }
        Ok(items)
    }

    /// As [`Self::list`], with at least one item.
    pub(super) fn nonempty_list<T>(
        &mut self,
        problem: &'static str,
        item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        let start = self.at;
        let items = self.list(problem, item)?;
        if items.is_empty() {
            return self.fail_at(start, problem);
        }
        Ok(items)
    }

    /// `sequence-set` (RFC 3501 §9), or `$` (RFC 5182 §3).
    pub(super) fn sequence_set(&mut self) -> Parsed<SequenceSet> {
        if self.eat(b'$') {
            return Ok(SequenceSet::Saved);
        }
        let mut ranges = Vec::new();
        loop {
            let from = self.bound()?;
            let to = if self.eat(b':') { self.bound()? } else { from };
            if ranges.len() == limit::SEQUENCE_RANGES {
                return self.fail("Too many ranges");
            }
            ranges.push((from, to));
            if !self.eat(b',') {
                return Ok(SequenceSet::Ranges(ranges));
            }
        }
    }

    /// A `sequence-set` of plain numbers: no `*`, no `$`.
    pub(super) fn known_set(&mut self) -> Parsed<SequenceSet> {
        let start = self.at;
        let set = self.sequence_set()?;
        match &set {
            SequenceSet::Ranges(ranges)
                if ranges
                    .iter()
                    .all(|r| r.0 != Bound::Last && r.1 != Bound::Last) =>
            {
                Ok(set)
            }
            _ => self.fail_at(start, "* and $ are not allowed here"),
        }
    }

    /// `seq-number`.
    pub(super) fn bound(&mut self) -> Parsed<Bound> {
        if self.eat(b'*') {
            return Ok(Bound::Last);
        }
        self.nz_number("Expected a message number")
            .map(Bound::Number)
    }
}

/// Joins pieces; a single piece stays borrowed.
fn append<'a>(text: &mut Cow<'a, [u8]>, piece: &'a [u8]) {
    if text.is_empty() {
        *text = Cow::Borrowed(piece);
    } else if !piece.is_empty() {
        text.to_mut().extend_from_slice(piece);
    }
}
