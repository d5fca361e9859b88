//! Results of searches that a client follows (RFC 5267 §4.3): what came into them, and what left.

use std::io;

use pillarbox_model::{ModSeq, NumberSet, View};
use pillarbox_proto::imap::command::{FetchItem, SortCriterion};
use pillarbox_proto::imap::encode::{self, Change, Code, Dialect, Numbers, Status};
use pillarbox_store::Rows;

use super::matcher::Matcher;
use super::outcome::Halt;
use super::{Selected, Session, fetch};
use crate::log::Text;

/// Results followed by one session: each is looked at with every change of the mailbox. A client has one for each
/// list that it shows.
const CONTEXTS: usize = 16;
/// Messages in all sorted results of one session, whose places are remembered at 4 bytes each.
const SORTED_MESSAGES: usize = 1_000_000;
/// Pieces of a result told in one response.
const CHANGES_AT_ONCE: usize = 500;

/// What a session follows in the selected mailbox.
#[derive(Default)]
pub(crate) struct Contexts {
    all: Vec<Context>,
}

/// One result that is followed.
pub(super) struct Context {
    /// Of the command that asked.
    pub(super) tag: Box<str>,
    /// Whether its client names messages by UID.
    pub(super) uid: bool,
    pub(super) matcher: Matcher,
    pub(super) result: Followed,
    /// What is told of new messages in it, before they are in it (RFC 5465 §7).
    pub(super) fetch: Vec<FetchItem<'static>>,
}

/// A result as its client knows it, as UIDs.
pub(super) enum Followed {
    /// In the order of the mailbox.
    Set(NumberSet),
    /// Sorted.
    Sorted(Vec<u32>, Vec<SortCriterion>),
}

/// Numbers that came to a result or left it, and at which place, from 1; at 0, wherever they stand.
struct Piece {
    place: u32,
    uids: Vec<u32>,
}

impl Followed {
    fn set(&self) -> NumberSet {
        match self {
            Self::Set(set) => set.clone(),
            Self::Sorted(sorted, _) => sorted.iter().copied().collect(),
        }
    }

    fn sorted_len(&self) -> usize {
        match self {
            Self::Set(_) => 0,
            Self::Sorted(sorted, _) => sorted.len(),
        }
    }

    /// Takes messages out, and says how.
    fn remove(&mut self, gone: &NumberSet) -> Vec<Piece> {
        match self {
            Self::Set(set) => {
                let leaving = set.intersection(gone);
                *set = set.difference(gone);
                at_any_place(&leaving)
            }
            Self::Sorted(sorted, _) => {
                let mut pieces = pieces(sorted, |uid| gone.contains(uid));
                // From the end, so that places before it stay.
                pieces.reverse();
                sorted.retain(|uid| !gone.contains(*uid));
                pieces
            }
        }
    }

    /// Puts messages in, by the order that the result has with them, and says how.
    fn insert(&mut self, new: &NumberSet, with_them: Option<Vec<u32>>) -> Vec<Piece> {
        match (self, with_them) {
            (Self::Sorted(sorted, _), Some(order)) => {
                *sorted = order;
                pieces(sorted, |uid| new.contains(uid))
            }
            (Self::Set(set), _) => {
                let all = set.ranges().iter().chain(new.ranges()).copied();
                *set = NumberSet::from_ranges(all);
                at_any_place(new)
            }
            (Self::Sorted(..), None) => Vec::new(),
        }
    }
}

/// RFC 5267 §4.3.3: the order of the mailbox needs no places.
fn at_any_place(uids: &NumberSet) -> Vec<Piece> {
    match uids.is_empty() {
        true => Vec::new(),
        false => vec![Piece {
            place: 0,
            uids: uids.iter().collect(),
        }],
    }
}

/// The runs of a result that are chosen, with their places, ascending.
fn pieces(sorted: &[u32], chosen: impl Fn(u32) -> bool) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut open = false;
    for (place, &uid) in (1..).zip(sorted) {
        let is_chosen = chosen(uid);
        match pieces.last_mut().filter(|_| open && is_chosen) {
            Some(last) => last.uids.push(uid),
            None if is_chosen => pieces.push(Piece {
                place,
                uids: vec![uid],
            }),
            None => {}
        }
        open = is_chosen;
    }
    pieces
}

impl Contexts {
    fn has(&self, tag: &str) -> bool {
        self.all.iter().any(|context| &*context.tag == tag)
    }

    fn has_room(&self, result: &Followed) -> bool {
        let sorted: usize = self.all.iter().map(|known| known.result.sorted_len()).sum();
        self.all.len() < CONTEXTS && sorted + result.sorted_len() <= SORTED_MESSAGES
    }
}

impl Selected {
    /// Whether a tag is that of a result which is followed.
    pub(super) fn follows(&self, tag: &str) -> bool {
        self.contexts.as_ref().is_some_and(|known| known.has(tag))
    }

    /// Follows a result from now on; says whether there is room.
    pub(super) fn follow(&mut self, context: Context) -> bool {
        let contexts = self.contexts.get_or_insert_default();
        let room = contexts.has_room(&context.result);
        if room {
            contexts.all.push(context);
        }
        room
    }

    /// Follows these no more. Tags of no result are passed over: so it is already.
    pub(super) fn unfollow(&mut self, tags: &[impl AsRef<[u8]>]) {
        let Some(contexts) = &mut self.contexts else {
            return;
        };
        let named = |tag: &str| tags.iter().any(|named| named.as_ref() == tag.as_bytes());
        contexts.all.retain(|context| !named(&context.tag));
        if contexts.all.is_empty() {
            self.contexts = None;
        }
    }

    /// What is gone from results that are followed, told before EXPUNGE makes its numbers mean others (RFC 5267
    /// §4.3.4): also where EXPUNGE has to wait. To be called with the rows that the view is then compared to.
    pub(super) fn leaving(&mut self, rows: &Rows<'_>, dialect: Dialect) -> Option<Leaving> {
        if dialect.uid_only
            && let Some(contexts) = &mut self.contexts
        {
            // Results in sequence numbers, of before there were none any more (RFC 9586 §3).
            contexts.all.retain(|context| context.uid);
        }
        if self.contexts.is_none() || rows.expunged_modseq() <= self.told_expunges {
            return None;
        }
        Some(Leaving {
            gone: rows.missing_among(self.view.ranges()),
            view: self.view.clone(),
        })
    }

    /// Takes messages out of all results, and tells it.
    pub(super) fn tell_leaving(&mut self, leaving: &Leaving, out: &mut Vec<u8>) {
        for context in self.contexts.iter_mut().flat_map(|known| &mut known.all) {
            let pieces = context.result.remove(&leaving.gone);
            context.tell(encode::remove_from, &pieces, &leaving.view, out);
        }
    }
}

/// Messages that are gone, and the numbers that they had.
pub(super) struct Leaving {
    gone: NumberSet,
    view: View,
}

/// What happened in the mailbox.
struct Changes {
    changed: NumberSet,
    known_to: u32,
}

type Tell = fn(&mut Vec<u8>, &str, bool, &[Change<'_>]);

impl Context {
    fn tell(&self, tell: Tell, pieces: &[Piece], view: &View, out: &mut Vec<u8>) {
        let number = |uid: &u32| if self.uid { Some(*uid) } else { view.seq(*uid) };
        for some in pieces.chunks(CHANGES_AT_ONCE) {
            let numbers: Vec<Vec<u32>> = some
                .iter()
                .map(|piece| piece.uids.iter().filter_map(number).collect())
                .collect();
            let changes: Vec<Change<'_>> = some
                .iter()
                .zip(&numbers)
                .map(|(piece, numbers)| Change {
                    place: piece.place,
                    numbers: Numbers::Sorted(numbers),
                })
                .collect();
            tell(out, &self.tag, self.uid, &changes);
        }
    }
}

impl Session {
    /// Tells what changes after `since`, which the client was told, did to results that are followed.
    /// Messages above `known_to` are new.
    pub(super) async fn tell_results(&mut self, since: ModSeq, known_to: u32) -> io::Result<()> {
        let Some(selected) = self.selected.as_mut().filter(|s| s.contexts.is_some()) else {
            return Ok(());
        };
        let changed: NumberSet = {
            let rows = selected.member.mailbox().read();
            rows.changed_since(since).map(|row| row.uid.0).collect()
        };
        let changed = selected.view.known_among(&changed);
        if changed.is_empty() {
            return Ok(());
        }
        let mut contexts = selected.contexts.take().unwrap_or_default();
        let changes = Changes { changed, known_to };
        let mut at = 0;
        while at < contexts.all.len() {
            match self.tell_result(&mut contexts.all[at], &changes).await {
                Ok(()) => at += 1,
                Err(Halt::Broken(error)) => return Err(error),
                Err(Halt::Refused(refusal)) => {
                    // What can't be looked at now would never be told.
                    let fields: crate::log::Fields<'_> = &[("reason", &Text(&refusal))];
                    self.endpoint
                        .log
                        .error("a result can't be followed", fields);
                    let lost = contexts.all.remove(at);
                    self.no_update(&lost.tag, "The result can't be followed any more");
                }
            }
        }
        if let Some(selected) = &mut self.selected {
            selected.contexts = (!contexts.all.is_empty()).then_some(contexts);
        }
        Ok(())
    }

    /// Tells what these changed messages did to one result.
    async fn tell_result(&mut self, context: &mut Context, changes: &Changes) -> Result<(), Halt> {
        let mut look = self.look()?;
        let selected = look.selected;
        let anew = {
            let rows = selected.member.mailbox().read();
            context.matcher.follow(selected, rows.keywords())
        };
        let judged = match anew {
            true => NumberSet::from_ranges(selected.view.ranges()),
            false => changes.changed.clone(),
        };
        let matching = look.matching(&context.matcher, &judged).await?;
        let known = context.result.set();
        let lost = judged.difference(&matching).intersection(&known);
        let new = matching.difference(&known);
        let removed = context.result.remove(&lost);
        let order = match &context.result {
            Followed::Sorted(sorted, criteria) if !new.is_empty() => {
                let all: NumberSet = sorted.iter().copied().chain(new.iter()).collect();
                Some(look.sort(&all, criteria).await?)
            }
            _ => None,
        };
        let inserted = match new.is_empty() {
            true => Vec::new(),
            false => context.result.insert(&new, order),
        };
        if !context.fetch.is_empty() {
            let arrived = new.difference(&NumberSet::range(0..=changes.known_to));
            fetch::tell(self, &arrived, &context.fetch).await?;
        }
        let view = &self.selected()?.view;
        let mut out = Vec::new();
        context.tell(encode::remove_from, &removed, view, &mut out);
        context.tell(encode::add_to, &inserted, view, &mut out);
        self.wire.out.append(&mut out);
        Ok(self.wire.flush_if_full().await?)
    }

    /// A result is not followed (RFC 5267 §4.3.1).
    pub(super) fn no_update(&mut self, tag: &str, text: &str) {
        let code = Code::NoUpdate(tag);
        encode::untagged(&mut self.wire.out, Status::No, Some(&code), text);
    }
}
