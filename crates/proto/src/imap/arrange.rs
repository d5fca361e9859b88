//! How a result is to be arranged: sorted, threaded, or a part of it alone.

use std::fmt;
use std::ops::Range;

/// Places in a result, from 1, or counted from its end (RFC 9394 §4). Its `Display` is the wire form.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PartialRange {
    /// One end, as written: it may be the greater one.
    pub from: u32,
    /// The other end, included.
    pub to: u32,
    /// `-1` is the last one, `-2` the one before it.
    pub from_end: bool,
}

impl PartialRange {
    /// Which of `len` results are meant, from 0. What is not there is left out.
    #[must_use]
    pub fn within(&self, len: usize) -> Range<usize> {
        let first = (self.from.min(self.to) as usize - 1).min(len);
        let last = (self.from.max(self.to) as usize).min(len);
        match self.from_end {
            true => len - last..len - first,
            false => first..last,
        }
    }
}

impl fmt::Display for PartialRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minus = if self.from_end { "-" } else { "" };
        write!(f, "{minus}{}:{minus}{}", self.from, self.to)
    }
}

/// A key of SORT, and whether it counts backwards.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SortCriterion {
    /// By what.
    pub key: SortKey,
    /// REVERSE.
    pub reverse: bool,
}

/// What SORT sorts by (RFC 5256 §3, RFC 5957 §4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SortKey {
    /// The internal date.
    Arrival,
    /// The mailbox of the first Cc address.
    Cc,
    /// The sent date in UTC; without one, the internal date.
    Date,
    /// The mailbox of the first From address.
    From,
    /// RFC822.SIZE.
    Size,
    /// The base subject.
    Subject,
    /// The mailbox of the first To address.
    To,
    /// What is shown for the first From address.
    DisplayFrom,
    /// What is shown for the first To address.
    DisplayTo,
}

/// How THREAD puts messages together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadAlgorithm {
    /// By base subject alone (RFC 5256 §3).
    OrderedSubject,
    /// By References, then by subject (RFC 5256 §3).
    References,
    /// By References; the thread with the newest message comes last (draft-ietf-morg-inthread).
    Refs,
}
