//! The structure of a message: where each header and body begins and ends.
//!
//! One pass over the bytes, without recursion: a stack holds the open containers and their
//! boundaries, and only lines that start with `--` are looked at in bodies.

use std::ops::Range;

use memchr::memmem::Finder;
use memchr::{memchr, memchr_iter};

use crate::header::{Known, fields, has_field};
use crate::limit::{MAX_DEPTH, MAX_FIELDS, MAX_HEADER_BYTES, MAX_PARTS};
use crate::media::{Media, param};

/// A range of bytes in a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of the first byte.
    pub start: u32,
    /// Offset after the last byte; never below `start`.
    pub end: u32,
}

impl Span {
    pub(crate) fn new(start: usize, end: usize) -> Self {
        // A message is cut at 4 GiB before it is looked at.
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// The number of bytes.
    pub fn len(self) -> u32 {
        self.end.saturating_sub(self.start)
    }

    /// True for a range without bytes.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The bytes of `message` in this range; none if it lies outside.
    pub fn of(self, message: &[u8]) -> &[u8] {
        message
            .get(self.start as usize..self.end as usize)
            .unwrap_or_default()
    }

    /// The same as a range.
    pub fn range(self) -> Range<u32> {
        self.start..self.end
    }
}

/// What a part's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Neither text nor a container.
    Leaf,
    /// A text, or what has no usable Content-Type.
    Text,
    /// A multipart; the parts that follow in the subtree, one level down, are its children. It has
    /// at least one.
    Multipart,
    /// A message/rfc822 or message/global (RFC 6532 §3.7); the next part is the message in it.
    Message,
}

/// One entity: a message, or a part of a multipart.
#[derive(Clone, Debug)]
pub struct Part {
    /// The header block with its blank line. Ends where the body begins.
    pub header: Span,
    /// The body, without the line end that belongs to a boundary after it (RFC 2046 §5.1.1).
    pub body: Span,
    /// Line ends (LF) in the body.
    pub lines: u32,
    /// What the body is.
    pub kind: Kind,
    /// The index after the last part within this one; this part's own index + 1 if there is none.
    pub subtree_end: u32,
    fields: Span,
}

/// The structure of a message: its parts in the order of the message, each before what it holds.
/// The first is the message itself. A message/rfc822 part holds one part, the message in it.
#[derive(Clone, Debug)]
pub struct Structure {
    parts: Vec<Part>,
    fields: Vec<(Known, Span)>,
}

impl Structure {
    /// All parts; there is at least one.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// The indices of the parts directly within part `index`.
    pub fn children(&self, index: usize) -> impl Iterator<Item = usize> + '_ {
        let end = self
            .parts
            .get(index)
            .map_or(0, |part| part.subtree_end as usize);
        let next = move |child: usize| (child < end).then_some(child);
        std::iter::successors(next(index + 1), move |&child| {
            next(self.parts[child].subtree_end as usize)
        })
    }

    /// The known fields of a part, in their order: values as they stand, without the line end.
    pub(crate) fn fields(&self, part: &Part) -> &[(Known, Span)] {
        self.fields
            .get(part.fields.start as usize..part.fields.end as usize)
            .unwrap_or_default()
    }

    /// The value of the first such field of a part.
    pub(crate) fn field<'a>(
        &self,
        message: &'a [u8],
        part: &Part,
        known: Known,
    ) -> Option<&'a [u8]> {
        let (_, span) = self.fields(part).iter().find(|(k, _)| *k == known)?;
        Some(span.of(message))
    }

    /// The part's media type; `None` if it has none or none that can be read.
    pub(crate) fn media<'a>(&self, message: &'a [u8], part: &Part) -> Option<Media<'a>> {
        Media::parse(self.field(message, part, Known::ContentType)?)
    }
}

/// Finds the structure of a message, in one pass. Never fails: bytes that are no valid mail are one
/// text/plain part.
///
/// A header block without a single field is no header, and belongs to the body. What is beyond
/// [`crate::limit`] stays plain bytes of the part it is in, as does all beyond 4 GiB.
pub fn scan(message: &[u8]) -> Structure {
    let message = &message[..message.len().min(u32::MAX as usize)];
    let dashes = Finder::new(b"\n--");
    let mut scanner = Scanner::new(message, &dashes);
    scanner.open(true, false);
    while let Some(crossing) = scanner.next_boundary() {
        scanner.cross(&crossing);
    }
    scanner.advance(message.len());
    scanner.close_above(0, message.len());
    Structure {
        parts: scanner.parts,
        fields: scanner.fields,
    }
}

/// An entity whose end is not known yet.
struct Open {
    part: usize,
    /// What separates its children; empty if it has none, or after the closing one.
    boundary: Vec<u8>,
    /// Its children are messages unless they say otherwise (RFC 2046 §5.1.5).
    digest: bool,
    /// Line ends before its body.
    lines_before: u32,
}

/// A boundary line.
struct Crossing {
    /// The open entity whose boundary it is.
    level: usize,
    closing: bool,
    /// Offset after the line.
    line_end: usize,
}

struct Scanner<'a> {
    message: &'a [u8],
    /// Always the start of a line.
    at: usize,
    /// Line ends before `at`.
    lines: u32,
    parts: Vec<Part>,
    fields: Vec<(Known, Span)>,
    open: Vec<Open>,
    /// How many of `open` have a boundary.
    boundaries: usize,
    dashes: &'a Finder<'static>,
}

impl<'a> Scanner<'a> {
    fn new(message: &'a [u8], dashes: &'a Finder<'static>) -> Self {
        Self {
            message,
            at: 0,
            lines: 0,
            parts: Vec::with_capacity(8),
            fields: Vec::with_capacity(32),
            open: Vec::with_capacity(4),
            boundaries: 0,
            dashes,
        }
    }

    /// Moves on to the line start `to`.
    fn advance(&mut self, to: usize) {
        let passed = self.message.get(self.at..to).unwrap_or_default();
        self.lines += memchr_iter(b'\n', passed).count() as u32;
        self.at = to;
    }

    /// Opens the entity that starts here, and the messages within it.
    fn open(&mut self, is_message: bool, in_digest: bool) {
        if !self.open_entity(is_message, in_digest) {
            return;
        }
        // A message in a message in a message: each is the only child of the one before.
        while self.open.len() < MAX_DEPTH && self.parts.len() < MAX_PARTS {
            if !self.open_entity(true, false) {
                return;
            }
        }
        self.push(self.at, Kind::Text, 0);
    }

    /// Opens one entity; true if a message follows as its child.
    fn open_entity(&mut self, is_message: bool, in_digest: bool) -> bool {
        let start = self.at;
        let first_field = self.fields.len();
        let end = self.header_end();
        let block = &self.message[start..end];
        let is_header = matches!(block, [b'\n', ..] | [b'\r', b'\n', ..]) || has_field(block);
        if is_header {
            self.remember_fields(start, end, is_message);
            self.advance(end);
        }
        let media = self.content_type(first_field).and_then(Media::parse);
        let typed = self.content_type(first_field).is_some();
        let kind = match &media {
            Some(media) => self.kind(media),
            None if in_digest && !typed => Kind::Message,
            None => Kind::Text,
        };
        self.push(start, kind, first_field);
        if let (Kind::Multipart, Some(media)) = (kind, media) {
            self.set_boundary(&media);
        }
        kind == Kind::Message
    }

    fn content_type(&self, first_field: usize) -> Option<&'a [u8]> {
        let fields = self.fields.get(first_field..)?;
        let (_, span) = fields
            .iter()
            .find(|(known, _)| *known == Known::ContentType)?;
        Some(span.of(self.message))
    }

    /// RFC 2045 §6.4 forbids encoded containers; where they are found anyway, nothing will be found
    /// in them.
    fn kind(&self, media: &Media<'_>) -> Kind {
        if media.kind.eq_ignore_ascii_case(b"text") {
            Kind::Text
        } else if media.kind.eq_ignore_ascii_case(b"multipart") {
            Kind::Multipart
        } else if media.is(b"message", b"rfc822") || media.is(b"message", b"global") {
            Kind::Message
        } else {
            Kind::Leaf
        }
    }

    fn set_boundary(&mut self, media: &Media<'_>) {
        if self.open.len() >= MAX_DEPTH {
            return;
        }
        let boundary = param(media.params.clone(), "boundary").unwrap_or_default();
        let boundary = boundary.trim_end().as_bytes().to_vec();
        if let Some(open) = self.open.last_mut() {
            self.boundaries += usize::from(!boundary.is_empty());
            open.boundary = boundary;
            open.digest = media.subtype.eq_ignore_ascii_case(b"digest");
        }
    }

    /// Adds an entity whose body begins here.
    fn push(&mut self, start: usize, kind: Kind, first_field: usize) {
        let part = self.parts.len();
        self.parts.push(Part {
            header: Span::new(start, self.at),
            body: Span::new(self.at, self.at),
            lines: 0,
            kind,
            subtree_end: part as u32 + 1,
            fields: Span::new(first_field, self.fields.len()),
        });
        let lines_before = self.lines;
        self.open.push(Open {
            part,
            boundary: Vec::new(),
            digest: false,
            lines_before,
        });
    }

    fn remember_fields(&mut self, start: usize, end: usize, is_message: bool) {
        let block = &self.message[start..end.min(start + MAX_HEADER_BYTES)];
        let known = fields(block).filter_map(|field| {
            let known = Known::from_name(field.name).filter(|k| is_message || k.is_mime())?;
            let value_at = start + field.value_at;
            Some((known, Span::new(value_at, value_at + field.value.len())))
        });
        self.fields.extend(known.take(MAX_FIELDS));
    }

    /// The offset after the blank line, or of the boundary line that cuts the header, or the end.
    fn header_end(&self) -> usize {
        let mut at = self.at;
        loop {
            match &self.message[at..] {
                [b'\n', ..] => return at + 1,
                [b'\r', b'\n', ..] => return at + 2,
                [b'-', b'-', ..] if self.crossing(at).is_some() => return at,
                rest => match memchr(b'\n', rest) {
                    Some(line_end) => at += line_end + 1,
                    None => return self.message.len(),
                },
            }
        }
    }

    /// Moves on to the next boundary line of any open entity.
    fn next_boundary(&mut self) -> Option<Crossing> {
        if self.boundaries == 0 || self.parts.len() >= MAX_PARTS {
            return None;
        }
        let mut at = self.at;
        loop {
            if self.message[at..].starts_with(b"--")
                && let Some(crossing) = self.crossing(at)
            {
                self.advance(at);
                return Some(crossing);
            }
            at += self.dashes.find(&self.message[at..])? + 1;
        }
    }

    /// What the line at `at`, which starts with `--`, is the boundary of.
    ///
    /// A line is a delimiter if it begins with the boundary (RFC 2046 §5.1.1). Where boundaries are
    /// beginnings of one another the longest is meant; of equal ones, the innermost.
    fn crossing(&self, at: usize) -> Option<Crossing> {
        let line = &self.message[at + 2..];
        let matching = self
            .open
            .iter()
            .enumerate()
            .filter(|(_, open)| !open.boundary.is_empty() && line.starts_with(&open.boundary));
        let (level, open) = matching.max_by_key(|(_, open)| open.boundary.len())?;
        let after = &line[open.boundary.len()..];
        let line_end = memchr(b'\n', after).map_or(self.message.len(), |lf| {
            at + 2 + open.boundary.len() + lf + 1
        });
        Some(Crossing {
            level,
            closing: after.starts_with(b"--"),
            line_end,
        })
    }

    fn cross(&mut self, crossing: &Crossing) {
        self.close_above(crossing.level + 1, self.at);
        self.advance(crossing.line_end);
        if crossing.closing {
            self.open[crossing.level].boundary.clear();
            self.boundaries -= 1;
        } else {
            let in_digest = self.open[crossing.level].digest;
            self.open(false, in_digest);
        }
    }

    /// Closes all entities from `level` on. `end` is the start of a boundary line, whose line end
    /// before it is no part of any body, or (for level 0) the end of the message.
    fn close_above(&mut self, level: usize, end: usize) {
        if self.open.len() > level {
            self.add_missing_child();
        }
        let before = match &self.message[..end] {
            _ if level == 0 => end,
            [.., b'\r', b'\n'] => end - 2,
            [.., b'\n'] => end - 1,
            _ => end,
        };
        let subtree_end = self.parts.len() as u32;
        let mut outer_end = end;
        for (nth, open) in self.open.drain(level..).enumerate() {
            let part = &mut self.parts[open.part];
            let body_start = part.body.start as usize;
            // The outermost keeps its blank line; what is within has to fit into its body.
            let body_end = before.max(body_start).min(outer_end);
            let body_start = body_start.min(body_end);
            part.header = Span::new((part.header.start as usize).min(body_start), body_start);
            part.body = Span::new(body_start, body_end);
            let lines = self.lines - u32::from(body_end < end);
            part.lines = lines.saturating_sub(open.lines_before);
            part.subtree_end = subtree_end;
            self.boundaries -= usize::from(!open.boundary.is_empty());
            if nth == 0 {
                outer_end = body_end;
            }
        }
    }

    /// A multipart in which no part was found holds one text: its whole body. Clients can't show,
    /// nor IMAP's syntax say, a multipart of nothing.
    fn add_missing_child(&mut self) {
        let last = self.parts.len() - 1;
        let childless = self.parts[last].kind == Kind::Multipart
            && self.open.last().is_some_and(|open| open.part == last);
        if childless {
            let lines_before = self.open.last().map_or(0, |open| open.lines_before);
            let body_start = self.parts[last].body.start as usize;
            self.push(body_start, Kind::Text, self.fields.len());
            let child = &mut self.parts[last + 1];
            child.header = Span::new(body_start, body_start);
            child.body = child.header;
            if let Some(open) = self.open.last_mut() {
                open.lines_before = lines_before;
            }
        }
    }
}

#[cfg(test)]
mod tests;
