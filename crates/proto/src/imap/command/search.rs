//! What SEARCH and its relatives look for, and how they answer.

use pillarbox_model::{Flag, SequenceSet};

use super::{Bytes, FetchItem, PartialRange};

/// SEARCH (RFC 3501 §6.4.4, RFC 4731).
#[derive(Clone, PartialEq, Debug)]
pub struct Search<'a> {
    /// `RETURN (…)`; `None` if not written, then the answer is an untagged SEARCH.
    pub returns: Option<SearchReturn>,
    /// `UPDATE (…)`: what is to be told of new messages that come into the result (RFC 5465 §7).
    pub fetch: Vec<FetchItem<'a>>,
    /// `CHARSET`, in the client's spelling.
    pub charset: Option<Bytes<'a>>,
    /// What must hold; several keys are an `And`.
    pub key: SearchKey<'a>,
}

/// Return options of SEARCH. `RETURN ()` means ALL.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SearchReturn {
    /// MIN.
    pub min: bool,
    /// MAX.
    pub max: bool,
    /// ALL.
    pub all: bool,
    /// COUNT.
    pub count: bool,
    /// SAVE (RFC 5182).
    pub save: bool,
    /// CONTEXT (RFC 5267 §4.2): the same search will be made again.
    pub context: bool,
    /// UPDATE (RFC 5267 §4.3): changes of the result are to be told.
    pub update: bool,
    /// PARTIAL (RFC 9394 §3.1).
    pub partial: Option<PartialRange>,
}

impl SearchReturn {
    /// Whether it asks for something of the result, rather than to do something with it.
    #[must_use]
    pub const fn wants_data(&self) -> bool {
        self.min || self.max || self.all || self.count || self.partial.is_some()
    }
}

/// A search key.
#[derive(Clone, PartialEq, Debug)]
pub enum SearchKey<'a> {
    /// ALL.
    All,
    /// All of these; a parenthesised list.
    And(Vec<Self>),
    /// Either.
    Or(Box<Self>, Box<Self>),
    /// NOT.
    Not(Box<Self>),
    /// Sequence numbers.
    Sequence(SequenceSet),
    /// UID.
    Uid(SequenceSet),
    /// A flag or keyword that is set; with NOT for `UNSEEN` and the like. NEW, OLD and RECENT are
    /// expressed by [`Self::Recent`].
    Flag(Flag),
    /// `\Recent`.
    Recent,
    /// Internal date before that day (days since 1970-01-01).
    Before(i64),
    /// Internal date on that day.
    On(i64),
    /// Internal date on or after that day.
    Since(i64),
    /// Date header before that day.
    SentBefore(i64),
    /// Date header on that day.
    SentOn(i64),
    /// Date header on or after that day.
    SentSince(i64),
    /// Internal date more than so many seconds ago (RFC 5032).
    Older(u32),
    /// Internal date at most so many seconds ago.
    Younger(u32),
    /// Larger than so many bytes.
    Larger(u64),
    /// Smaller than so many bytes.
    Smaller(u64),
    /// HEADER, BCC, CC, FROM, SUBJECT, TO: field name and text, in the command's charset.
    Header(Bytes<'a>, Bytes<'a>),
    /// BODY.
    Body(Bytes<'a>),
    /// TEXT.
    Text(Bytes<'a>),
    /// MODSEQ (RFC 7162 §3.1.5).
    ModSeq(u64),
    /// FILTER (RFC 5466 §3.1): the keys that are stored under this name.
    Filter(&'a str),
    /// EMAILID (RFC 8474 §6), as written.
    EmailId(&'a str),
    /// THREADID, as written.
    ThreadId(&'a str),
    /// Saved in this mailbox before that day (RFC 8514 §4.3).
    SavedBefore(i64),
    /// Saved on that day.
    SavedOn(i64),
    /// Saved on or after that day.
    SavedSince(i64),
}

impl<'a> SearchKey<'a> {
    /// The names of all filters in it.
    #[must_use]
    pub fn filters(&self) -> Vec<&'a str> {
        match self {
            Self::And(keys) => keys.iter().flat_map(Self::filters).collect(),
            Self::Or(one, other) => [one.filters(), other.filters()].concat(),
            Self::Not(key) => key.filters(),
            Self::Filter(name) => vec![name],
            _ => Vec::new(),
        }
    }
}

impl SearchKey<'_> {
    /// Whether MODSEQ is one of its keys, which changes the answer (RFC 7162 §3.1.5).
    #[must_use]
    pub fn has_modseq(&self) -> bool {
        self.any(&|key| matches!(key, Self::ModSeq(_)))
    }

    /// Whether one of its keys is a set of sequence numbers. `$` is none: it stands for messages.
    #[must_use]
    pub fn has_numbers(&self) -> bool {
        self.any(&|key| matches!(key, Self::Sequence(SequenceSet::Ranges(_))))
    }

    /// Whether it or a key in it is like that.
    fn any(&self, like: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::And(keys) => keys.iter().any(|key| key.any(like)),
            Self::Or(one, other) => one.any(like) || other.any(like),
            Self::Not(key) => key.any(like),
            key => like(key),
        }
    }
}
