//! SEARCH and UID SEARCH (RFC 3501 §6.4.4, RFC 4731, RFC 5182, RFC 9394): what they answer.

use std::ops::Range;

use pillarbox_model::{NumberSet, View};
use pillarbox_proto::imap::command::{FetchItem, Search, SearchReturn};
use pillarbox_proto::imap::encode::{self, Esearch, Numbers};

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::Selected;
use crate::imap::context::{Context, Followed};
use crate::imap::matcher::Matcher;
use crate::imap::outcome::Halt;

impl Session {
    /// Refuses a charset where texts are UTF-8 anyway (RFC 9755 §3). IMAP4rev2 allows it (RFC 9051 §6.4.4).
    pub(super) fn check_charset(&self, search: &Search<'_>) -> Result<(), Refusal> {
        let agreed = self.dialect.utf8 && !self.dialect.rev2;
        match agreed && search.charset.is_some() {
            true => Err(Refusal::Client(
                "After ENABLE, texts are UTF-8: no CHARSET".into(),
            )),
            false => Ok(()),
        }
    }
}

/// SEARCH.
pub(super) async fn search(
    session: &mut Session,
    tag: &str,
    uid: bool,
    search: &Search<'_>,
) -> Outcome {
    session.check_charset(search)?;
    // IMAP4rev2 answers with ESEARCH also where nothing was asked for (RFC 9051 §6.4.4).
    let all = SearchReturn {
        all: true,
        ..SearchReturn::default()
    };
    let asked = Asked {
        returns: search.returns.or(session.dialect.rev2.then_some(all)),
        ..Asked::new(tag, uid, search)
    };
    asked.is_new(session)?;
    let (matcher, found) = match find(session, search).await {
        Ok(found) => found,
        Err(halt) => {
            // A refused search that was to be saved leaves nothing saved (RFC 5182 §2.1).
            if search.returns.is_some_and(|returns| returns.save)
                && let Some(selected) = &mut session.selected
            {
                selected.saved = NumberSet::new();
            }
            return Err(halt);
        }
    };
    let found = Found::Set(found);
    answer(session, &asked, &found)?;
    let Found::Set(found) = found else {
        return Ok(Completed::default());
    };
    asked.follow(session, matcher, Followed::Set(found))?;
    Ok(Completed::default())
}

/// The messages that match, of those that one command may look at (RFC 9738 §3.1): what counts is how many
/// are looked at, and not how many match.
async fn find(session: &mut Session, search: &Search<'_>) -> Result<(Matcher, NumberSet), Halt> {
    let look = session.look()?;
    let matcher = look.matcher(search)?;
    let candidates = matcher.candidates(look.selected);
    let candidates = session.curb(candidates)?;
    let found = session.look()?.matching(&matcher, &candidates).await?;
    Ok((matcher, found))
}

/// What was found, as UIDs or sequence numbers.
pub(super) enum Found {
    /// Ascending.
    Set(NumberSet),
    /// As sorted.
    Sorted(Vec<u32>),
}

impl Found {
    /// UIDs as this client names them.
    fn numbered(&self, view: &View, uid: bool) -> Self {
        let number = |uid: u32| view.seq(uid);
        match self {
            Self::Set(uids) if uid => Self::Set(uids.clone()),
            Self::Sorted(uids) if uid => Self::Sorted(uids.clone()),
            Self::Set(uids) => Self::Set(uids.iter().filter_map(number).collect()),
            Self::Sorted(uids) => Self::Sorted(uids.iter().copied().filter_map(number).collect()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Set(set) => set.len() as usize,
            Self::Sorted(sorted) => sorted.len(),
        }
    }

    fn first(&self) -> Option<u32> {
        match self {
            Self::Set(set) => set.first(),
            Self::Sorted(sorted) => sorted.first().copied(),
        }
    }

    fn last(&self) -> Option<u32> {
        match self {
            Self::Set(set) => set.last(),
            Self::Sorted(sorted) => sorted.last().copied(),
        }
    }

    /// Those at some places, from 0.
    fn slice(&self, places: Range<usize>) -> Self {
        match self {
            Self::Set(set) => Self::Set(set.slice(places)),
            Self::Sorted(sorted) => Self::Sorted(sorted.get(places).unwrap_or_default().to_vec()),
        }
    }

    pub(super) fn set(&self) -> NumberSet {
        match self {
            Self::Set(set) => set.clone(),
            Self::Sorted(sorted) => sorted.iter().copied().collect(),
        }
    }

    fn wire(&self) -> Numbers<'_> {
        match self {
            Self::Set(set) => Numbers::Set(set),
            Self::Sorted(sorted) => Numbers::Sorted(sorted),
        }
    }
}

/// What was asked of a result.
pub(super) struct Asked<'a> {
    tag: &'a str,
    uid: bool,
    returns: Option<SearchReturn>,
    /// Whether MODSEQ was among the keys, so that the answer tells it (RFC 7162 §3.1.5).
    modseq: bool,
    /// What UPDATE tells of new messages.
    fetch: &'a [FetchItem<'a>],
}

impl<'a> Asked<'a> {
    pub(super) fn new(tag: &'a str, uid: bool, search: &'a Search<'a>) -> Self {
        Self {
            tag,
            uid,
            returns: search.returns,
            modseq: search.key.has_modseq(),
            fetch: &search.fetch,
        }
    }

    fn updates(&self) -> bool {
        self.returns.is_some_and(|returns| returns.update)
    }

    /// Whether its tag is that of no result which is followed, if it wants one of its own.
    ///
    /// # Errors
    /// RFC 5267 §4.3: the command is wrong.
    pub(super) fn is_new(&self, session: &mut Session) -> Result<(), Refusal> {
        match self.updates() && session.selected()?.follows(self.tag) {
            true => Err(Refusal::Client("The tag is in use for updates".into())),
            false => Ok(()),
        }
    }

    /// Follows the result from now on, if that is asked for.
    ///
    /// # Errors
    /// Nothing is selected.
    pub(super) fn follow(
        &self,
        session: &mut Session,
        matcher: Matcher,
        result: Followed,
    ) -> Result<(), Refusal> {
        if !self.updates() {
            return Ok(());
        }
        let followed = session.selected()?.follow(Context {
            tag: self.tag.into(),
            uid: self.uid,
            matcher,
            result,
            fetch: self
                .fetch
                .iter()
                .cloned()
                .map(FetchItem::into_owned)
                .collect(),
        });
        if !followed {
            session.no_update(self.tag, "As many results are followed as may be");
        }
        Ok(())
    }
}

/// Writes the answer, and saves the result if asked.
pub(super) fn answer(
    session: &mut Session,
    asked: &Asked<'_>,
    found: &Found,
) -> Result<(), Refusal> {
    let selected = session
        .selected
        .as_mut()
        .ok_or(Refusal::State("Nothing is selected"))?;
    let numbers = found.numbered(&selected.view, asked.uid);
    let out = &mut session.wire.out;
    let highest = |selected: &Selected, told: &NumberSet| {
        let highest = asked.modseq.then(|| selected.highest_modseq(told))?;
        highest.map(|modseq| modseq.0)
    };
    let Some(returns) = asked.returns else {
        let modseq = highest(selected, &found.set());
        match &numbers {
            Found::Set(set) => encode::search(out, set.iter(), modseq),
            Found::Sorted(sorted) => encode::sort(out, sorted.iter().copied(), modseq),
        }
        return Ok(());
    };
    if returns.save {
        selected.saved = returned(found, returns);
    }
    if returns.wants_data() {
        let modseq = highest(selected, &returned(found, returns));
        with_result(&numbers, returns, modseq, |result| {
            encode::esearch(out, asked.tag, asked.uid, result);
        });
    }
    Ok(())
}

/// Gives what was asked for of these numbers to whoever writes it.
pub(super) fn with_result(
    numbers: &Found,
    returns: SearchReturn,
    modseq: Option<u64>,
    write: impl FnOnce(&Esearch<'_>),
) {
    let part = returns.partial.map(|range| {
        let places = range.within(numbers.len());
        (range, numbers.slice(places))
    });
    write(&Esearch {
        min: numbers.first().filter(|_| returns.min),
        max: numbers.last().filter(|_| returns.max),
        count: returns.count.then(|| numbers.len() as u64),
        all: returns.all.then(|| numbers.wire()),
        partial: part.as_ref().map(|(range, part)| (*range, part.wire())),
        modseq,
    });
}

/// The messages that the answer is about: all, unless only MIN, MAX or PARTIAL are asked for. They are what `$`
/// becomes (RFC 5182 §2.4, RFC 9394 §3.2), and whose mod-sequence is told (RFC 4731 §3.2).
pub(super) fn returned(found: &Found, returns: SearchReturn) -> NumberSet {
    if returns.all || returns.count || !returns.wants_data() {
        return found.set();
    }
    let part = returns
        .partial
        .map(|range| found.slice(range.within(found.len())));
    let ends = [
        found.first().filter(|_| returns.min),
        found.last().filter(|_| returns.max),
    ];
    let mut returned = part.map(|part| part.set()).unwrap_or_default();
    ends.into_iter()
        .flatten()
        .for_each(|uid| returned.insert(uid));
    returned
}
