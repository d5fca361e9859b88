//! A cursor over a field's value: comments, quoted strings, runs of bytes (RFC 5322 §3.2).

use memchr::memchr2;

/// White space, the line ends of folding included (RFC 5322 §3.2.2 and §4.2).
pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Removes white space and line ends on both sides.
pub(crate) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}

/// A position in a field's value. Moves forward only, so that a value is read in linear time.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.rest = self.rest.get(count..).unwrap_or_default();
    }

    /// Takes `byte` if it is next.
    pub(crate) fn eat(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        if there {
            self.skip(1);
        }
        there
    }

    /// The longest run of bytes that `belongs` accepts; may be empty.
    pub(crate) fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self
            .rest
            .iter()
            .position(|&b| !belongs(b))
            .unwrap_or(self.rest.len());
        let (run, rest) = self.rest.split_at(end);
        self.rest = rest;
        run
    }

    pub(crate) fn skip_space(&mut self) {
        self.run(is_space);
    }

    /// Skips white space and comments, and gives the inside of the last comment.
    pub(crate) fn skip_cfws(&mut self) -> Option<&'a [u8]> {
        let mut last = None;
        loop {
            self.skip_space();
            if self.peek() != Some(b'(') {
                return last;
            }
            last = Some(self.comment());
        }
    }

    /// The inside of the comment that starts here; comments nest. One that does not end takes all.
    fn comment(&mut self) -> &'a [u8] {
        let start = self.rest;
        let mut depth = 0usize;
        let mut at = 0;
        while let Some(&byte) = start.get(at) {
            at += 1;
            match byte {
                b'\\' => at += 1,
                b'(' => depth += 1,
                b')' if depth == 1 => {
                    self.skip(at);
                    return start.get(1..at - 1).unwrap_or_default();
                }
                b')' => depth -= 1,
                _ => {}
            }
        }
        self.rest = &[];
        start.get(1..).unwrap_or_default()
    }

    /// Appends what the quoted string that starts here says: without quotes, backslashes and
    /// folding. One that does not end takes all.
    pub(crate) fn quoted(&mut self, out: &mut Vec<u8>) {
        self.skip(1);
        loop {
            let Some(at) = memchr2(b'"', b'\\', self.rest) else {
                push_unfolded(out, self.rest);
                self.rest = &[];
                return;
            };
            push_unfolded(out, &self.rest[..at]);
            let escape = self.rest[at] == b'\\';
            self.skip(at + 1);
            if !escape {
                return;
            }
            if let Some(byte) = self.peek() {
                push_unfolded(out, &[byte]);
                self.skip(1);
            }
        }
    }

    /// Skips the quoted string that starts here.
    pub(crate) fn skip_quoted(&mut self) {
        self.skip(1);
        while let Some(at) = memchr2(b'"', b'\\', self.rest) {
            let escape = self.rest[at] == b'\\';
            self.skip(at + 1 + usize::from(escape));
            if !escape {
                return;
            }
        }
        self.rest = &[];
    }
}

/// Appends `bytes` without the line ends of folding (RFC 5322 §2.2.3).
pub(crate) fn push_unfolded(out: &mut Vec<u8>, bytes: &[u8]) {
    if memchr2(b'\r', b'\n', bytes).is_none() {
        out.extend_from_slice(bytes);
    } else {
        out.extend(bytes.iter().filter(|b| !matches!(b, b'\r' | b'\n')));
    }
}

/// Appends the inside of a comment without backslashes and folding.
pub(crate) fn push_unescaped(out: &mut Vec<u8>, comment: &[u8]) {
    let mut escaped = false;
    for &byte in comment {
        if byte == b'\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            push_unfolded(out, &[byte]);
        }
    }
}
