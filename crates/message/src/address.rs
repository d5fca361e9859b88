//! Address lists (RFC 5322 §3.4 with the obsolete forms of §4.4), in the raw form ENVELOPE wants.

use crate::cursor::{Cursor, is_space, push_unescaped};
use crate::limit::MAX_BROKEN_WORD_BYTES;
use crate::media::allow_except;

/// An entry of an address list. Quotes, backslashes, folding and comments are removed; encoded
/// words stand as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry<'a> {
    Mailbox {
        /// The display name; in its absence the comment after the address, as old mail has it.
        name: Option<&'a [u8]>,
        /// The source route of RFC 822, without the colon.
        route: Option<&'a [u8]>,
        local: &'a [u8],
        /// Empty if there is none.
        domain: &'a [u8],
    },
    GroupStart(&'a [u8]),
    GroupEnd,
}

/// Reads an address list entry by entry, into buffers that each entry uses anew.
///
/// Reads what it can: text without an address is a local part if it is one word, else a name.
pub(crate) struct Addresses<'a> {
    at: Cursor<'a>,
    in_group: bool,
    name: Vec<u8>,
    route: Vec<u8>,
    local: Vec<u8>,
    domain: Vec<u8>,
    comment: Option<&'a [u8]>,
    words: usize,
}

/// What an entry turned out to be once its end was seen.
enum Shape {
    Bare,
    Angle { route: bool },
    GroupStart,
    GroupEnd,
}

impl<'a> Addresses<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self {
            at: Cursor::new(value),
            in_group: false,
            name: Vec::new(),
            route: Vec::new(),
            local: Vec::new(),
            domain: Vec::new(),
            comment: None,
            words: 0,
        }
    }

    /// Goes on with the next field of the same name, as if a comma stood between them.
    pub(crate) fn continue_with(&mut self, value: &'a [u8]) {
        self.at = Cursor::new(value);
    }

    /// The next entry; `None` at the end of the value, when an open group has been closed.
    pub(crate) fn next(&mut self) -> Option<Entry<'_>> {
        let shape = self.read()?;
        let name = (!self.name.is_empty()).then_some(self.name.as_slice());
        Some(match shape {
            Shape::GroupStart => Entry::GroupStart(&self.name),
            Shape::GroupEnd => Entry::GroupEnd,
            Shape::Angle { route } => Entry::Mailbox {
                name,
                route: route.then_some(&self.route),
                local: &self.local,
                domain: &self.domain,
            },
            Shape::Bare => Entry::Mailbox {
                name,
                route: None,
                local: &self.local,
                domain: &self.domain,
            },
        })
    }

    fn read(&mut self) -> Option<Shape> {
        self.name.clear();
        self.local.clear();
        self.domain.clear();
        self.comment = None;
        self.words = 0;
        if !self.skip_separators() {
            let was_open = std::mem::take(&mut self.in_group);
            return was_open.then_some(Shape::GroupEnd);
        }
        if self.at.eat(b';') {
            self.in_group = false;
            return Some(Shape::GroupEnd);
        }
        Some(self.entry())
    }

    /// Skips empty entries; false at the end. A semicolon outside a group means nothing.
    fn skip_separators(&mut self) -> bool {
        loop {
            self.at.skip_cfws();
            match self.at.peek() {
                None => return false,
                Some(b';') if self.in_group => return true,
                Some(b',' | b';') => self.at.skip(1),
                Some(_) => return true,
            }
        }
    }

    fn entry(&mut self) -> Shape {
        // Looked for once an entry, which keeps rows of `@` linear.
        let mut angle_follows = false;
        loop {
            let spaced = self.skip_cfws();
            match self.at.peek() {
                None | Some(b',' | b';') => return self.finish_without_domain(),
                Some(b'<') => return self.angle(),
                Some(b':') if !self.in_group && !self.name.is_empty() => {
                    self.at.skip(1);
                    self.in_group = true;
                    return Shape::GroupStart;
                }
                Some(b'@') if !self.name.is_empty() => {
                    self.at.skip(1);
                    std::mem::swap(&mut self.name, &mut self.local);
                    self.domain();
                    angle_follows = angle_follows || self.angle_follows();
                    if !angle_follows {
                        return self.finish_bare();
                    }
                    self.address_was_name();
                }
                Some(_) => self.word(spaced),
            }
        }
    }

    /// True if the entry ends with an address in brackets.
    fn angle_follows(&self) -> bool {
        let rest = self.at.rest();
        rest.iter().find(|b| matches!(b, b'<' | b',' | b';')) == Some(&b'<')
    }

    /// `a@b <c@d>`: what looked like an address is a display name.
    fn address_was_name(&mut self) {
        std::mem::swap(&mut self.name, &mut self.local);
        self.name.push(b'@');
        self.name.append(&mut self.domain);
        self.local.clear();
        self.words = 1;
    }

    /// Text without `@` and `<`: one word is a local part, several are a name.
    fn finish_without_domain(&mut self) -> Shape {
        if self.words <= 1 {
            std::mem::swap(&mut self.name, &mut self.local);
            self.name.clear();
        }
        self.finish_bare()
    }

    fn finish_bare(&mut self) -> Shape {
        // What comes between an address and the comma belongs to nothing.
        self.skip_to_separator();
        if self.name.is_empty()
            && let Some(comment) = self.comment
        {
            push_unescaped(&mut self.name, comment);
        }
        Shape::Bare
    }

    fn skip_to_separator(&mut self) {
        loop {
            self.skip_cfws();
            match self.at.peek() {
                None | Some(b',' | b';') => return,
                Some(b'"') => self.at.skip_quoted(),
                Some(_) => self.at.skip(1),
            }
        }
    }

    /// Skips white space and comments, of which the last is remembered; true if there were any.
    fn skip_cfws(&mut self) -> bool {
        let before = self.at.rest().len();
        if let Some(comment) = self.at.skip_cfws() {
            self.comment = Some(comment);
        }
        self.at.rest().len() < before
    }

    /// Adds an atom or quoted string to the name. Words are parted by one space, but not the words
    /// of a local part, which dots join.
    fn word(&mut self, spaced: bool) {
        let dotted = self.name.ends_with(b".") || self.at.peek() == Some(b'.');
        if self.name.is_empty() {
            self.words += 1;
        } else if spaced || !dotted {
            self.words += 1;
            self.name.push(b' ');
        }
        take_word(&mut self.at, &mut self.name);
    }

    /// `"<" [route ":"] addr-spec ">"`; the closing bracket may be missing.
    fn angle(&mut self) -> Shape {
        self.at.skip(1);
        self.skip_cfws();
        let route = self.at.peek() == Some(b'@') && self.route();
        self.angle_local();
        if self.at.eat(b'@') {
            self.domain();
        }
        while !matches!(self.at.peek(), None | Some(b'>' | b',' | b';')) {
            self.at.skip(1);
        }
        self.at.eat(b'>');
        let shape = Shape::Angle { route };
        self.finish_bare();
        shape
    }

    fn angle_local(&mut self) {
        loop {
            self.skip_cfws();
            match self.at.peek() {
                None | Some(b'@' | b'>' | b',' | b';') => return,
                Some(b'<' | b':') => self.at.skip(1),
                Some(next) => {
                    let dotted = self.local.ends_with(b".") || next == b'.';
                    if !dotted && !self.local.is_empty() {
                        self.local.push(b' ');
                    }
                    take_word(&mut self.at, &mut self.local);
                }
            }
        }
    }

    /// `obs-route = *(CFWS / ",") "@" domain *("," [CFWS] ["@" domain]) ":"`; false if no colon
    /// follows, when it was none.
    fn route(&mut self) -> bool {
        let before = self.at.clone();
        self.route.clear();
        while self.at.eat(b'@') {
            if !self.route.is_empty() {
                self.route.push(b',');
            }
            self.route.push(b'@');
            self.domain();
            self.route.append(&mut self.domain);
            while self.at.eat(b',') {
                self.skip_cfws();
            }
        }
        let found = self.at.eat(b':');
        if !found {
            self.at = before;
            self.domain.clear();
        }
        found
    }

    /// `domain`: atoms and dots, or a literal in brackets.
    fn domain(&mut self) {
        loop {
            self.skip_cfws();
            match self.at.peek() {
                Some(b'[') => {
                    let literal = self.at.run(|b| b != b']' && b != b'>' && b != b',');
                    let printable = literal.iter().filter(|b| !is_space(**b));
                    self.domain.extend(printable);
                    if self.at.eat(b']') {
                        self.domain.push(b']');
                    }
                }
                Some(byte) if is_atom(byte) => {
                    if !self.domain.is_empty() && byte != b'.' && !self.domain.ends_with(b".") {
                        return;
                    }
                    let atom = self.at.run(is_atom);
                    self.domain.extend_from_slice(atom);
                }
                _ => return,
            }
        }
    }
}

/// What may stand in a word: all but white space and what the grammar needs. Dots count as letters;
/// square brackets and backslashes, which mean nothing here, too.
fn is_atom(byte: u8) -> bool {
    ATOM[usize::from(byte)]
}

const ATOM: [bool; 256] = allow_except(false, br#"()<>@,;:""#);

/// Appends the atom, encoded word or quoted string that stands here, or else the one byte.
fn take_word(at: &mut Cursor<'_>, out: &mut Vec<u8>) {
    if at.peek() == Some(b'"') {
        return at.quoted(out);
    }
    let encoded = broken_word_len(at.rest()).unwrap_or(0);
    let rest = at.rest();
    at.skip(encoded);
    let mut len = encoded + at.run(is_atom).len();
    if len == 0 {
        at.skip(1);
        len = 1;
    }
    out.extend_from_slice(&rest[..len.min(rest.len())]);
}

/// The length of the encoded word that stands here. It ought to be an atom, but often enough holds
/// commas and brackets.
fn broken_word_len(bytes: &[u8]) -> Option<usize> {
    let inside = bytes.strip_prefix(b"=?")?;
    let inside = &inside[..inside.len().min(MAX_BROKEN_WORD_BYTES)];
    let word = inside
        .iter()
        .enumerate()
        .take_while(|(_, b)| !is_space(**b));
    let mut marks = word.filter(|(_, b)| **b == b'?').map(|(at, _)| at);
    // The first two follow the character set and the encoding.
    let end = marks
        .by_ref()
        .skip(2)
        .find(|end| inside.get(end + 1) == Some(&b'='))?;
    Some(2 + end + 2)
}
