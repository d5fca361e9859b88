//! What was found, as SEARCH, SORT and THREAD say it (RFC 3501 §7.2.5, RFC 4731, RFC 5256 §4, RFC 5267).

use pillarbox_model::{MailboxName, NumberSet};

use super::command::PartialRange;
use super::encode::{
    Dialect, end_line, mailbox, parenthesised, push_number, push_set, push_tag, spaced_number,
};

/// The untagged SEARCH of the base protocol, with the highest mod-sequence if MODSEQ was asked for
/// (RFC 7162 §3.1.5).
pub fn search(out: &mut Vec<u8>, found: impl Iterator<Item = u32>, modseq: Option<u64>) {
    numbers(out, b"* SEARCH", found, modseq);
}

fn numbers(out: &mut Vec<u8>, name: &[u8], found: impl Iterator<Item = u32>, modseq: Option<u64>) {
    out.extend_from_slice(name);
    let start = out.len();
    for number in found {
        spaced_number(out, number.into());
    }
    if let Some(modseq) = modseq.filter(|_| out.len() > start) {
        out.extend_from_slice(b" (MODSEQ ");
        push_number(out, modseq);
        out.push(b')');
    }
    end_line(out);
}

/// Numbers of a result, in its order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Numbers<'a> {
    /// Ascending.
    Set(&'a NumberSet),
    /// As sorted (RFC 5267 §3.2).
    Sorted(&'a [u32]),
}

impl Numbers<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::Set(set) => set.ranges().is_empty(),
            Self::Sorted(numbers) => numbers.is_empty(),
        }
    }

    /// As `sequence-set`. In a sorted one only neighbours that ascend make a range, so that taking it apart gives
    /// the same order (RFC 5267 §3.2).
    fn push(&self, out: &mut Vec<u8>) {
        let numbers = match self {
            Self::Set(set) => return push_set(out, set),
            Self::Sorted(numbers) => numbers,
        };
        for (index, run) in numbers
            .chunk_by(|a, b| a.checked_add(1) == Some(*b))
            .enumerate()
        {
            if index > 0 {
                out.push(b',');
            }
            push_number(out, run[0].into());
            if let [_, .., last] = run {
                out.push(b':');
                push_number(out, (*last).into());
            }
        }
    }
}

impl<'a> From<&'a NumberSet> for Numbers<'a> {
    fn from(set: &'a NumberSet) -> Self {
        Self::Set(set)
    }
}

/// What ESEARCH says: what was asked for and is there (RFC 4731 §3.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Esearch<'a> {
    /// MIN.
    pub min: Option<u32>,
    /// MAX.
    pub max: Option<u32>,
    /// COUNT.
    pub count: Option<u64>,
    /// ALL, left out if it is empty.
    pub all: Option<Numbers<'a>>,
    /// PARTIAL: the range asked for, and what is in it (RFC 9394 §3.1).
    pub partial: Option<(PartialRange, Numbers<'a>)>,
    /// MODSEQ (RFC 7162 §3.1.10).
    pub modseq: Option<u64>,
}

/// The mailbox in which ESEARCH found something: its name and its UIDVALIDITY (RFC 7377 §2.1).
pub type FoundIn<'a> = (&'a MailboxName, u32);

/// The answer to SEARCH and SORT with RETURN.
pub fn esearch(out: &mut Vec<u8>, tag: &str, uid: bool, result: &Esearch<'_>) {
    push_esearch_head(out, tag, uid);
    push_result(out, result);
}

/// The answer to ESEARCH, for one mailbox.
pub fn esearch_in(
    out: &mut Vec<u8>,
    tag: &str,
    (name, uid_validity): FoundIn<'_>,
    result: &Esearch<'_>,
    dialect: Dialect,
) {
    push_start(out, tag);
    out.extend_from_slice(b" MAILBOX ");
    mailbox(out, name, dialect);
    out.extend_from_slice(b" UIDVALIDITY");
    spaced_number(out, uid_validity.into());
    out.extend_from_slice(b") UID");
    push_result(out, result);
}

fn push_result(out: &mut Vec<u8>, result: &Esearch<'_>) {
    let mut number = |name: &[u8], value: Option<u64>| {
        if let Some(value) = value {
            out.extend_from_slice(name);
            push_number(out, value);
        }
    };
    number(b" MIN ", result.min.map(u64::from));
    number(b" MAX ", result.max.map(u64::from));
    number(b" COUNT ", result.count);
    number(b" MODSEQ ", result.modseq);
    if let Some(all) = result.all.filter(|all| !all.is_empty()) {
        out.extend_from_slice(b" ALL ");
        all.push(out);
    }
    if let Some((range, numbers)) = result.partial {
        out.extend_from_slice(format!(" PARTIAL ({range} ").as_bytes());
        match numbers.is_empty() {
            true => out.extend_from_slice(b"NIL"),
            false => numbers.push(out),
        }
        out.push(b')');
    }
    end_line(out);
}

fn push_start(out: &mut Vec<u8>, tag: &str) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    push_tag(out, tag);
}

fn push_esearch_head(out: &mut Vec<u8>, tag: &str, uid: bool) {
    push_start(out, tag);
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
}

/// What came to a result or left it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Change<'a> {
    /// The place of the first one, from 1, once the changes before are made; 0 means wherever they stand, in a result
    /// in the order of the mailbox.
    pub place: u32,
    /// In the order of the result; not empty.
    pub numbers: Numbers<'a>,
}

/// What is in a result that a client follows from now on (RFC 5267 §4.3.3). Nothing is sent for no changes.
pub fn add_to(out: &mut Vec<u8>, tag: &str, uid: bool, changes: &[Change<'_>]) {
    push_changes(out, tag, uid, b" ADDTO", changes);
}

/// What is not in it any more (RFC 5267 §4.3.4).
pub fn remove_from(out: &mut Vec<u8>, tag: &str, uid: bool, changes: &[Change<'_>]) {
    push_changes(out, tag, uid, b" REMOVEFROM", changes);
}

fn push_changes(out: &mut Vec<u8>, tag: &str, uid: bool, verb: &[u8], changes: &[Change<'_>]) {
    if changes.iter().all(|change| change.numbers.is_empty()) {
        return;
    }
    push_esearch_head(out, tag, uid);
    out.extend_from_slice(verb);
    let said = changes.iter().filter(|change| !change.numbers.is_empty());
    parenthesised(out, said, |out, change| {
        push_number(out, change.place.into());
        out.push(b' ');
        change.numbers.push(out);
    });
    end_line(out);
}

/// The answer to SORT (RFC 5256 §4), with the highest mod-sequence if MODSEQ was asked for (RFC 7162 §3.1.9).
pub fn sort(out: &mut Vec<u8>, found: impl Iterator<Item = u32>, modseq: Option<u64>) {
    numbers(out, b"* SORT", found, modseq);
}

/// A piece of what THREAD answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ThreadPiece {
    /// A list of members begins.
    Open,
    /// The next member, a child of the one before it in the same list.
    Number(u32),
    /// The list ends.
    Close,
}

/// The answer to THREAD (RFC 5256 §4), of pieces in their order.
pub fn thread(out: &mut Vec<u8>, pieces: impl Iterator<Item = ThreadPiece>) {
    out.extend_from_slice(b"* THREAD");
    let mut before = None;
    for piece in pieces {
        if matches!(before, None | Some(ThreadPiece::Number(_))) && piece != ThreadPiece::Close {
            out.push(b' ');
        }
        match piece {
            ThreadPiece::Open => out.push(b'('),
            ThreadPiece::Number(number) => push_number(out, number.into()),
            ThreadPiece::Close => out.push(b')'),
        }
        before = Some(piece);
    }
    end_line(out);
}
