//! Getting past what was refused.

use super::frame::FrameError;
use super::line::{Header, strip_line_end};

/// What is thrown away, up to the end of its command.
#[derive(Debug)]
pub(super) struct Swallow {
    pub(super) tag: Option<String>,
    /// `None` if the session refused it.
    pub(super) why: Option<FrameError>,
    /// Bytes of a literal to come.
    pub(super) literal: u64,
    /// How much may still be thrown away.
    pub(super) left: u64,
    /// The last bytes of the line, in which a literal may be announced; `None` in a line that is no
    /// command.
    pub(super) tail: Option<Vec<u8>>,
}

/// As many bytes as the header of a literal can have, and a line end.
pub(super) const TAIL_BYTES: usize = Header::DIGITS + "~{+}\r\n".len();

impl Swallow {
    /// Throws away some of `input`; says how much, and whether the command is over.
    pub(super) fn take(&mut self, input: &[u8]) -> (usize, bool) {
        if self.literal > 0 {
            let taken =
                usize::try_from(self.literal).map_or(input.len(), |left| left.min(input.len()));
            self.literal -= taken as u64;
            return (taken, false);
        }
        let end = memchr::memchr(b'\n', input).map(|at| at + 1);
        let taken = end.unwrap_or(input.len());
        if let Some(tail) = &mut self.tail {
            let kept = taken.saturating_sub(TAIL_BYTES);
            tail.extend_from_slice(&input[kept..taken]);
            tail.drain(..tail.len().saturating_sub(TAIL_BYTES));
        }
        (taken, end.is_some() && !self.goes_on())
    }

    /// Whether the line that just ended announced a literal that is already on its way.
    fn goes_on(&mut self) -> bool {
        let Some(tail) = &mut self.tail else {
            return false;
        };
        strip_line_end(tail, 0);
        let header = Header::at_end(tail).filter(|header| !header.synchronizing);
        tail.clear();
        self.literal = header.map_or(0, |header| header.size);
        header.is_some()
    }
}
