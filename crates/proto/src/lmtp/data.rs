//! The data of a message after DATA.

use memchr::memchr;

/// Takes data apart from the dots that protect it (RFC 5321 §4.5.2), up to the line that has nothing
/// but a dot.
#[derive(Debug)]
pub(super) struct Data {
    state: State,
    /// Bytes of the present line so far, as they came.
    line: usize,
}

/// Where in a line we are. Only CRLF ends one (RFC 5321 §2.3.8).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    /// At its beginning.
    Start,
    /// After a dot at its beginning, which is not part of the message.
    Dot,
    /// After such a dot and CR.
    DotCr,
    /// Somewhere else.
    Text,
    /// After CR.
    Cr,
}

/// What some bytes amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step<'i> {
    /// Nothing by themselves.
    Nothing,
    /// They are of the message.
    Content(&'i [u8]),
    /// The message is complete.
    End,
}

impl Data {
    pub(super) const fn new() -> Self {
        Self {
            state: State::Start,
            line: 0,
        }
    }

    /// Bytes of the present line so far.
    pub(super) const fn line_bytes(&self) -> usize {
        self.line
    }

    /// Takes bytes, one line at most; says how many.
    pub(super) fn step<'i>(&mut self, input: &'i [u8]) -> (usize, Step<'i>) {
        let Some(&first) = input.first() else {
            return (0, Step::Nothing);
        };
        if self.state == State::Start {
            self.line = 0;
        }
        match (self.state, first) {
            (State::Start, b'.') => self.pass(State::Dot),
            (State::Dot, b'\r') => self.pass(State::DotCr),
            (State::DotCr, b'\n') => (1, Step::End),
            (State::DotCr, _) => {
                // The CR was of the message after all.
                self.state = State::Cr;
                (0, Step::Content(b"\r"))
            }
            _ => {
                let used = self.text(input);
                (used, Step::Content(&input[..used]))
            }
        }
    }

    fn pass(&mut self, state: State) -> (usize, Step<'static>) {
        self.state = state;
        self.line += 1;
        (1, Step::Nothing)
    }

    /// Goes to the end of the line, or of the input.
    fn text(&mut self, input: &[u8]) -> usize {
        let mut at = 0;
        loop {
            if self.state == State::Cr && input.get(at) == Some(&b'\n') {
                self.state = State::Start;
                self.line += at + 1;
                return at + 1;
            }
            let rest = input.get(at..).unwrap_or_default();
            let Some(cr) = memchr(b'\r', rest) else {
                if !rest.is_empty() {
                    self.state = State::Text;
                }
                self.line += input.len();
                return input.len();
            };
            self.state = State::Cr;
            at += cr + 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message in a stream that begins with its data, and what is left of the stream.
    fn read<'i>(pieces: impl IntoIterator<Item = &'i [u8]>) -> (Vec<u8>, bool, usize) {
        let (mut data, mut message, mut left) = (Data::new(), Vec::new(), 0);
        let mut ended = false;
        for mut piece in pieces {
            while !piece.is_empty() {
                if ended {
                    left += piece.len();
                    break;
                }
                let (used, step) = data.step(piece);
                piece = &piece[used..];
                match step {
                    Step::Nothing => {}
                    Step::Content(bytes) => message.extend_from_slice(bytes),
                    Step::End => ended = true,
                }
            }
        }
        (message, ended, left)
    }

    #[track_caller]
    fn reads(stream: &[u8], message: &[u8], left: usize) {
        let expected = (message.to_vec(), true, left);
        assert_eq!(
            read([stream]),
            expected,
            "{:?}",
            stream.escape_ascii().to_string()
        );
        assert_eq!(read(stream.chunks(1)), expected, "byte by byte");
    }

    #[test]
    fn dots_at_the_beginning_of_lines_are_taken_off() {
        reads(b".\r\n", b"", 0);
        reads(b"a\r\n.\r\nrest", b"a\r\n", 4);
        reads(b"..\r\n...b\r\n.c\r\n.\r\n", b".\r\n..b\r\nc\r\n", 0);
        reads(b"a.\r\n.\r\n", b"a.\r\n", 0);
        reads(b"\r\n.\r\n", b"\r\n", 0);
    }

    /// CVE-2023-51764 and its relatives: whatever looks like an end to somebody else is not one.
    #[test]
    fn only_crlf_dot_crlf_ends_a_message() {
        for end in [
            &b"\n.\n"[..],
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r\n.\r",
            b"\r.\r\n",
            b"\n.\r",
            b"\r\n\0.\r\n",
            b"\r\n.\0\r\n",
            b"\r\n.\r\r\n",
        ] {
            let stream = [b"a", end, b"MAIL FROM:<x@y>\r\n.\r\n"].concat();
            let (message, ended, left) = read([stream.as_slice()]);
            assert!(ended && left == 0, "{}", end.escape_ascii());
            assert!(
                message.ends_with(b"MAIL FROM:<x@y>\r\n"),
                "{}",
                end.escape_ascii()
            );
            assert_eq!(read(stream.chunks(1)), (message, true, 0));
        }
    }

    #[test]
    fn bare_line_ends_stay_as_they_came() {
        reads(b"a\nb\rc\r\r\nd\r\n.\r\n", b"a\nb\rc\r\r\nd\r\n", 0);
        reads(b"a\n..b\r\n.\r\n", b"a\n..b\r\n", 0);
        reads(b".\rx\r\n.\r\n", b"\rx\r\n", 0);
        reads(b".\r\r\n.\r\n", b"\r\r\n", 0);
    }

    #[test]
    fn lines_are_measured_as_they_came() {
        let mut data = Data::new();
        assert_eq!(data.step(b"abc\r\nde"), (5, Step::Content(b"abc\r\n")));
        assert_eq!(data.line_bytes(), 5);
        assert_eq!(data.step(b"de"), (2, Step::Content(b"de")));
        assert_eq!(data.step(b"f"), (1, Step::Content(b"f")));
        assert_eq!(data.line_bytes(), 3);
    }
}
