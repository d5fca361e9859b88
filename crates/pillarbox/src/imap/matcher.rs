//! Search keys made ready: what a row decides, what only the text does.

use pillarbox_message::{Comparator, DigestRef, Needle};
use pillarbox_model::{Flag, Flags, InternalDate, KeywordTable, NumberSet, SequenceSet};
use pillarbox_proto::imap::command::{Search, SearchKey};
use pillarbox_store::{Facts, Row};

use super::{Refusal, Selected, facts};

/// Prepared search keys.
pub(super) struct Matcher {
    test: Test,
    bytes: bool,
    texts: bool,
    facts: bool,
    /// If all that can match is among these.
    among: Option<NumberSet>,
}

enum Test {
    Constant(bool),
    All(Vec<Self>),
    Any(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Uids(NumberSet),
    /// UIDs written with a star, and what they mean now.
    Starred(SequenceSet, NumberSet),
    Flags(Flags),
    /// A keyword that the mailbox does not know: it is on no message.
    Unknown(Box<str>),
    /// Local day of the internal date, both ends included.
    Day(i64, i64),
    /// The instant of the internal date, both ends included.
    Instant(i64, i64),
    /// Size in bytes, both ends included.
    Size(u64, u64),
    ModSeq(u64),
    /// The number of its EMAILID.
    Email(u64),
    /// The number of its THREADID.
    Thread(u64),
    /// Day on which it was saved, both ends included.
    Saved(i64, i64),
    /// Local day of the Date header, both ends included.
    Sent(i64, i64),
    Header(Vec<u8>, Needle),
    Body(Needle),
    Text(Needle),
}

impl Matcher {
    /// Prepares the keys of a search.
    ///
    /// # Errors
    /// A charset that is not known, or a sequence number that does not exist.
    pub(super) fn new(
        search: &Search<'_>,
        selected: &Selected,
        keywords: &KeywordTable,
        now: InternalDate,
        comparator: Comparator,
    ) -> Result<Self, Refusal> {
        let charset = search.charset.as_deref().unwrap_or(b"UTF-8");
        // Also where no key has a text (RFC 3501 §6.4.4).
        if !pillarbox_message::is_known_charset(charset) {
            return Err(Refusal::Charset);
        }
        let maker = Maker {
            selected,
            keywords,
            now: now.unix_seconds,
            charset,
            comparator,
        };
        let test = maker.make(&search.key)?;
        Ok(Self {
            bytes: test
                .has(&|test| matches!(test, Test::Header(..) | Test::Body(_) | Test::Text(_))),
            texts: test.has(&|test| matches!(test, Test::Body(_) | Test::Text(_))),
            facts: test
                .has(&|test| matches!(test, Test::Email(_) | Test::Thread(_) | Test::Saved(..))),
            among: test.among(),
            test,
        })
    }

    /// The messages worth looking at.
    pub(super) fn candidates(&self, selected: &Selected) -> NumberSet {
        match &self.among {
            Some(among) => selected.view.known_among(among),
            None => NumberSet::from_ranges(selected.view.ranges()),
        }
    }

    /// Makes it what the search would be now, when UIDs and keywords may be there that were not. Says whether
    /// messages have to be judged anew that have not changed.
    pub(super) fn follow(&mut self, selected: &Selected, keywords: &KeywordTable) -> bool {
        let last = selected.view.last_uid();
        let mut anew = false;
        self.test.visit(&mut |test| match test {
            Test::Unknown(name) => {
                if let Some(flags) = keywords.find(name) {
                    *test = Test::Flags(flags);
                }
            }
            Test::Starred(set, uids) => {
                let now = set.resolve(last).unwrap_or_default();
                anew |= now != *uids;
                *uids = now;
            }
            _ => {}
        });
        if anew {
            self.among = self.test.among();
        }
        anew
    }

    /// Whether some key looks at the message itself.
    pub(super) const fn needs_bytes(&self) -> bool {
        self.bytes
    }

    /// Whether some key looks at the text of whole messages.
    pub(super) const fn decodes_texts(&self) -> bool {
        self.texts
    }

    /// Whether some key looks at what is known beside the row.
    pub(super) const fn needs_facts(&self) -> bool {
        self.facts
    }

    /// What the row and, if given, what is known beside it decide alone; `None` if they do not.
    pub(super) fn judge_row(&self, row: &Row, facts: Option<&Facts>) -> Option<bool> {
        self.test.judge_row(row, facts)
    }

    /// Whether a message matches.
    pub(super) fn judge(
        &self,
        row: &Row,
        facts: Option<&Facts>,
        digest: &DigestRef<'_>,
        bytes: &[u8],
    ) -> bool {
        self.test.judge(row, facts, digest, bytes)
    }
}

struct Maker<'a> {
    selected: &'a Selected,
    keywords: &'a KeywordTable,
    now: i64,
    charset: &'a [u8],
    comparator: Comparator,
}

impl Maker<'_> {
    fn make(&self, key: &SearchKey<'_>) -> Result<Test, Refusal> {
        Ok(match key {
            SearchKey::All => Test::Constant(true),
            // No message is ever recent.
            SearchKey::Recent => Test::Constant(false),
            SearchKey::And(keys) => Test::All(
                keys.iter()
                    .map(|key| self.make(key))
                    .collect::<Result<_, _>>()?,
            ),
            SearchKey::Or(a, b) => Test::Any(Box::new(self.make(a)?), Box::new(self.make(b)?)),
            SearchKey::Not(key) => Test::Not(Box::new(self.make(key)?)),
            SearchKey::Sequence(set) => Test::Uids(self.by_sequence(set)),
            SearchKey::Uid(set) => self.by_uid(set),
            SearchKey::Flag(flag) => self.flag(flag),
            SearchKey::Before(day) => Test::Day(i64::MIN, day - 1),
            SearchKey::On(day) => Test::Day(*day, *day),
            SearchKey::Since(day) => Test::Day(*day, i64::MAX),
            SearchKey::SentBefore(day) => Test::Sent(i64::MIN, day - 1),
            SearchKey::SentOn(day) => Test::Sent(*day, *day),
            SearchKey::SentSince(day) => Test::Sent(*day, i64::MAX),
            // RFC 5032 §2: YOUNGER is within the interval, OLDER is not.
            SearchKey::Older(seconds) => Test::Instant(i64::MIN, self.now - i64::from(*seconds)),
            SearchKey::Younger(seconds) => {
                Test::Instant(self.now - i64::from(*seconds) + 1, i64::MAX)
            }
            SearchKey::Larger(size) => Test::Size(size.saturating_add(1), u64::MAX),
            SearchKey::Smaller(0) => Test::Constant(false),
            SearchKey::Smaller(size) => Test::Size(0, size - 1),
            SearchKey::ModSeq(modseq) => Test::ModSeq(*modseq),
            SearchKey::EmailId(id) => facts::email(id).map_or(Test::Constant(false), Test::Email),
            SearchKey::ThreadId(id) => {
                facts::thread(id).map_or(Test::Constant(false), Test::Thread)
            }
            SearchKey::SavedBefore(day) => Test::Saved(i64::MIN, day - 1),
            SearchKey::SavedOn(day) => Test::Saved(*day, *day),
            SearchKey::SavedSince(day) => Test::Saved(*day, i64::MAX),
            SearchKey::Header(name, text) => Test::Header(name.to_vec(), self.needle(text)),
            SearchKey::Body(text) => Test::Body(self.needle(text)),
            SearchKey::Text(text) => Test::Text(self.needle(text)),
            // By now its keys stand in its place, if there are any.
            SearchKey::Filter(name) => return Err(Refusal::UndefinedFilter((*name).into())),
        })
    }

    /// Numbers past the end are no error, and no message's (RFC 7377 §2).
    fn by_sequence(&self, set: &SequenceSet) -> NumberSet {
        let view = &self.selected.view;
        let Some(numbers) = set.resolve(view.len()) else {
            return self.selected.saved.clone();
        };
        let there = NumberSet::range(1..=view.len());
        view.uids_at(&numbers.intersection(&there))
            .unwrap_or_default()
    }

    fn by_uid(&self, set: &SequenceSet) -> Test {
        match set.resolve(self.selected.view.last_uid()) {
            None => Test::Uids(self.selected.saved.clone()),
            Some(uids) if set.has_star() => Test::Starred(set.clone(), uids),
            Some(uids) => Test::Uids(uids),
        }
    }

    /// A keyword that the mailbox does not know is on no message.
    fn flag(&self, flag: &Flag) -> Test {
        match flag {
            Flag::System(bit) => Test::Flags(*bit),
            Flag::Keyword(name) => self
                .keywords
                .find(name)
                .map_or_else(|| Test::Unknown((**name).into()), Test::Flags),
        }
    }

    fn needle(&self, text: &[u8]) -> Needle {
        let text = pillarbox_message::decode_charset(self.charset, text);
        Needle::by(self.comparator, &text)
    }
}

impl Test {
    fn judge_row(&self, row: &Row, facts: Option<&Facts>) -> Option<bool> {
        Some(match self {
            Self::Constant(value) => *value,
            Self::All(tests) => {
                let mut sure = true;
                for test in tests {
                    match test.judge_row(row, facts) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => sure = false,
                    }
                }
                return sure.then_some(true);
            }
            Self::Any(a, b) => match (a.judge_row(row, facts), b.judge_row(row, facts)) {
                (Some(true), _) | (_, Some(true)) => true,
                (Some(false), Some(false)) => false,
                _ => return None,
            },
            Self::Not(test) => return test.judge_row(row, facts).map(|value| !value),
            Self::Uids(set) | Self::Starred(_, set) => set.contains(row.uid.0),
            Self::Unknown(_) => false,
            Self::Flags(flags) => row.flags.contains(*flags),
            Self::Day(from, to) => (*from..=*to).contains(&row.date.local_day()),
            Self::Instant(from, to) => (*from..=*to).contains(&row.date.unix_seconds),
            Self::Size(from, to) => (*from..=*to).contains(&u64::from(row.size)),
            Self::ModSeq(least) => row.modseq.0 >= *least,
            Self::Email(email) => facts?.email == *email,
            Self::Thread(thread) => facts?.thread == Some(*thread),
            Self::Saved(from, to) => {
                (*from..=*to).contains(&InternalDate::utc(facts?.saved).local_day())
            }
            Self::Sent(..) | Self::Header(..) | Self::Body(_) | Self::Text(_) => return None,
        })
    }

    fn judge(
        &self,
        row: &Row,
        facts: Option<&Facts>,
        digest: &DigestRef<'_>,
        bytes: &[u8],
    ) -> bool {
        match self {
            Self::All(tests) => tests
                .iter()
                .all(|test| test.judge(row, facts, digest, bytes)),
            Self::Any(a, b) => {
                a.judge(row, facts, digest, bytes) || b.judge(row, facts, digest, bytes)
            }
            Self::Not(test) => !test.judge(row, facts, digest, bytes),
            Self::Sent(from, to) => {
                sent_day(digest).is_some_and(|day| (*from..=*to).contains(&day))
            }
            Self::Header(name, needle) => {
                let header = bytes.get(..digest.header_len() as usize).unwrap_or(bytes);
                pillarbox_message::header_contains(header, name, needle)
            }
            Self::Body(needle) => {
                pillarbox_message::text_contains(bytes, &digest.parts(), needle, false)
            }
            Self::Text(needle) => {
                pillarbox_message::text_contains(bytes, &digest.parts(), needle, true)
            }
            by_row => by_row.judge_row(row, facts).unwrap_or(false),
        }
    }

    /// Shows it each of its keys.
    fn visit(&mut self, each: &mut impl FnMut(&mut Self)) {
        match self {
            Self::All(tests) => tests.iter_mut().for_each(|test| test.visit(each)),
            Self::Any(a, b) => {
                a.visit(each);
                b.visit(each);
            }
            Self::Not(test) => test.visit(each),
            one => each(one),
        }
    }

    /// Whether one of its keys is like that.
    fn has(&self, key: &impl Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(tests) => tests.iter().any(|test| test.has(key)),
            Self::Any(a, b) => a.has(key) || b.has(key),
            Self::Not(test) => test.has(key),
            one => key(one),
        }
    }

    /// A set outside of which nothing matches, if that is plain.
    fn among(&self) -> Option<NumberSet> {
        match self {
            Self::Uids(set) | Self::Starred(_, set) => Some(set.clone()),
            Self::All(tests) => tests
                .iter()
                .filter_map(Self::among)
                .reduce(|a, b| a.intersection(&b)),
            _ => None,
        }
    }
}

/// The day of the Date header in its own zone (RFC 3501 §6.4.4, SENTON).
fn sent_day(digest: &DigestRef<'_>) -> Option<i64> {
    let (unix_seconds, zone_minutes) = digest.sent_date()?;
    Some(
        InternalDate {
            unix_seconds,
            zone_minutes,
        }
        .local_day(),
    )
}
