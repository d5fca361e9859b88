//! Lines: fields between tabs, ended by a line feed.

/// Bytes of a line, its end not counted. Dovecot itself reads no longer ones than 8 KiB from
/// clients; answers may have more fields.
pub const LINE_BYTES: usize = 16 * 1024;
/// Fields of a line. Answers have a dozen.
pub const FIELDS: usize = 256;

/// Stands before a byte that can't be in a field as it is.
const ESCAPE: u8 = 0x01;
/// What can't be in a field as it is, and what is written for it after the escape.
const ESCAPED: [(u8, u8); 5] = [
    (0, b'0'),
    (ESCAPE, b'1'),
    (b'\t', b't'),
    (b'\r', b'r'),
    (b'\n', b'n'),
];

/// Why the other side can't be understood any more. The connection is of no more use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineError {
    /// More than [`LINE_BYTES`] without an end.
    TooLong,
    /// More than [`FIELDS`].
    TooManyFields,
}

impl std::fmt::Display for LineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::TooLong => write!(f, "a line of more than {LINE_BYTES} bytes"),
            Self::TooManyFields => write!(f, "a line of more than {FIELDS} fields"),
        }
    }
}

impl std::error::Error for LineError {}

/// One line, its escapes undone. The first field is the command. `Debug` says no more than the
/// command, since parameters may be passwords.
#[derive(Clone, PartialEq, Eq)]
pub struct Line(Vec<Vec<u8>>);

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let command = String::from_utf8_lossy(self.command());
        write!(f, "{command} with {} fields", self.0.len() - 1)
    }
}

impl Line {
    /// Reads a line, which comes without its end.
    ///
    /// # Errors
    /// It has too many fields.
    pub fn parse(line: &[u8]) -> Result<Self, LineError> {
        let fields: Vec<_> = line
            .split(|&byte| byte == b'\t')
            .take(FIELDS + 1)
            .map(unescape)
            .collect();
        match fields.len() {
            ..=FIELDS => Ok(Self(fields)),
            _ => Err(LineError::TooManyFields),
        }
    }

    /// What the line is about, as in `AUTH`. May be empty.
    #[must_use]
    pub fn command(&self) -> &[u8] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    /// The fields after the command.
    #[must_use]
    pub fn arguments(&self) -> &[Vec<u8>] {
        self.0.get(1..).unwrap_or_default()
    }

    /// An argument by its place.
    #[must_use]
    pub fn argument(&self, index: usize) -> Option<&[u8]> {
        self.arguments().get(index).map(Vec::as_slice)
    }

    /// A number by its place, as in the id of a request.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<u32> {
        number(self.argument(index)?)
    }

    /// The value of the first parameter `name=value`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&[u8]> {
        self.arguments().iter().find_map(|field| {
            field
                .strip_prefix(name.as_bytes())
                .and_then(|rest| rest.strip_prefix(b"="))
        })
    }

    /// Whether there is the parameter `name`, without a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.arguments()
            .iter()
            .any(|field| field == name.as_bytes())
    }
}

/// A number in decimal digits and nothing else.
#[must_use]
pub fn number(field: &[u8]) -> Option<u32> {
    if !field.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(field).ok()?.parse().ok()
}

/// Appends a line of these fields, with its end. What can't be in a field is escaped.
pub fn push_line(out: &mut Vec<u8>, fields: &[&[u8]]) {
    for (nth, field) in fields.iter().enumerate() {
        if nth > 0 {
            out.push(b'\t');
        }
        push_escaped(out, field);
    }
    out.push(b'\n');
}

fn push_escaped(out: &mut Vec<u8>, field: &[u8]) {
    for &byte in field {
        match ESCAPED.iter().find(|(plain, _)| *plain == byte) {
            Some((_, letter)) => out.extend([ESCAPE, *letter]),
            None => out.push(byte),
        }
    }
}

/// A byte after the escape that is none of ours stands for itself; an escape at the end for nothing.
fn unescape(field: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(field.len());
    let mut bytes = field.iter();
    while let Some(&byte) = bytes.next() {
        if byte != ESCAPE {
            plain.push(byte);
        } else if let Some(&letter) = bytes.next() {
            let known = ESCAPED.iter().find(|(_, known)| *known == letter);
            plain.push(known.map_or(letter, |(byte, _)| *byte));
        }
    }
    plain
}

/// Cuts a stream into lines.
#[derive(Default)]
pub struct Lines {
    /// The beginning of a line whose end has not come yet, after what was taken already.
    pending: Vec<u8>,
    /// How many of those bytes are lines that were taken.
    taken: usize,
}

impl Lines {
    /// Takes bytes as they came. Of what came before, nothing more than a line's beginning is kept,
    /// if all lines are taken in between.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.taken);
        self.taken = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// The next line, if it is whole.
    ///
    /// # Errors
    /// It is too long or has too many fields; nothing sensible follows.
    pub fn next_line(&mut self) -> Result<Option<Line>, LineError> {
        let rest = &self.pending[self.taken..];
        match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) if end <= LINE_BYTES => {
                let line = Line::parse(&rest[..end]);
                self.taken += end + 1;
                line.map(Some)
            }
            None if rest.len() <= LINE_BYTES => Ok(None),
            _ => Err(LineError::TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(stream: &[u8]) -> Vec<Line> {
        let mut lines = Lines::default();
        lines.feed(stream);
        std::iter::from_fn(|| lines.next_line().unwrap()).collect()
    }

    #[test]
    fn a_line_is_a_command_and_its_parameters() {
        let stream = b"OK\t7\tuser=ann\tnologin\nMECH\tPLAIN\n";
        let [ok, mech] = lines(stream).try_into().unwrap();
        assert_eq!(ok.command(), b"OK");
        assert_eq!(ok.number(0), Some(7));
        assert_eq!(ok.value("user"), Some(&b"ann"[..]));
        assert!(ok.has("nologin") && !ok.has("user") && ok.value("nologin").is_none());
        assert_eq!(mech.argument(0), Some(&b"PLAIN"[..]));
        assert_eq!(mech.argument(1), None);
    }

    #[test]
    fn separators_inside_of_fields_are_escaped() {
        let mut out = Vec::new();
        push_line(&mut out, &[b"A", b"a\tb\nc\rd\0e\x01f"]);
        assert_eq!(out, b"A\ta\x01tb\x01nc\x01rd\x010e\x011f\n");
        assert_eq!(lines(&out)[0].argument(0), Some(&b"a\tb\nc\rd\0e\x01f"[..]));
    }

    #[test]
    fn strange_escapes_harm_nothing() {
        assert_eq!(lines(b"a\x01zb\x01\n")[0].command(), b"azb");
        assert_eq!(lines(b"\n")[0].command(), b"");
    }

    #[test]
    fn numbers_are_digits() {
        for wrong in [&b""[..], b"+1", b"-1", b"1 ", b"4294967296", b"\xff"] {
            assert_eq!(number(wrong), None, "{wrong:?}");
        }
        assert_eq!(number(b"4294967295"), Some(u32::MAX));
    }

    #[test]
    fn a_line_has_a_bound() {
        let mut lines = Lines::default();
        lines.feed(&[b'x'; LINE_BYTES]);
        assert_eq!(lines.next_line(), Ok(None));
        lines.feed(b"\n");
        assert!(lines.next_line().unwrap().is_some());
        lines.feed(&[b'x'; LINE_BYTES + 1]);
        assert_eq!(lines.next_line(), Err(LineError::TooLong));
        let mut ended = Lines::default();
        ended.feed(&[[b'x'; LINE_BYTES + 1].as_slice(), b"\n"].concat());
        assert_eq!(ended.next_line(), Err(LineError::TooLong));
        let many = [b'\t'; FIELDS];
        assert_eq!(Line::parse(&many), Err(LineError::TooManyFields));
        assert!(Line::parse(&many[1..]).is_ok());
    }

    #[test]
    fn passwords_are_not_shown() {
        let line = Line::parse(b"AUTH\t1\tPLAIN\tresp=secret").unwrap();
        assert_eq!(format!("{line:?}"), "AUTH with 3 fields");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            fields in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..20), 1..9),
            cut in 1_usize..9,
        ) {
            let mut out = Vec::new();
            let slices: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            push_line(&mut out, &slices);
            let mut lines = Lines::default();
            let mut read = Vec::new();
            for piece in out.chunks(cut) {
                lines.feed(piece);
                while let Some(line) = lines.next_line().unwrap() {
                    read.push(line);
                }
            }
            prop_assert_eq!(read, vec![Line(fields)]);
        }
    }
}
