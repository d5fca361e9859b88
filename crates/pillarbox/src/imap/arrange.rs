//! What was found, in order: sorted or in threads (RFC 5256).

#[cfg(test)]
mod tests;

use std::cmp::Ordering::Equal;
use std::sync::Arc;

use pillarbox_message::thread::{self, Piece, Threaded};
use pillarbox_message::{Comparator, DigestRef, SortKeys, sort_keys_by};
use pillarbox_model::NumberSet;
use pillarbox_proto::imap::command::{SortCriterion, SortKey, ThreadAlgorithm};
use pillarbox_proto::imap::encode::{Progress, ThreadPiece};

use super::Refusal;
use super::outcome::Halt;
use super::search::{Look, ROWS_AT_ONCE, Stored};
use crate::storage::keys::{KEYS_BYTES, Keys, MessageKeys, Place};

/// Messages whose keys are read before others get a turn.
const KEYS_AT_ONCE: usize = 256;
/// From so many messages on, others are told that arranging them takes a while.
const MANY: usize = 10_000;
/// Keys of so many expunged messages may stay with those of others, however few these are.
const SPARE_KEYS: usize = 1_000;

/// A message to be arranged.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    uid: u32,
    /// The internal date, in seconds.
    arrived: i64,
    size: u32,
    /// Its place in [`Keys::messages`], if it is there.
    at: usize,
}

impl Candidate {
    fn keys<'k>(&self, keys: &'k Keys) -> Option<&'k MessageKeys> {
        keys.messages()
            .get(self.at)
            .filter(|keys| keys.uid == self.uid)
    }
}

impl Look<'_> {
    /// These messages sorted, as UIDs. Equal ones stay in the order of the mailbox; none is lost, whatever is
    /// expunged meanwhile. The store is asked for the keys of many messages at once, and only for those that nobody
    /// sorted lately.
    ///
    /// # Errors
    /// What the store says; too much to be sorted at once.
    pub(super) async fn sort(
        &mut self,
        found: &NumberSet,
        criteria: &[SortCriterion],
    ) -> Result<Vec<u32>, Halt> {
        let by_row =
            |criterion: &SortCriterion| matches!(criterion.key, SortKey::Arrival | SortKey::Size);
        let keys = match criteria.iter().all(by_row) {
            true => Arc::default(),
            false => self.keys(found).await?,
        };
        let candidates = self.candidates(found, &keys).await;
        Ok(at_length(candidates.len(), || {
            sorted(&candidates, &keys, criteria)
        }))
    }

    /// These messages in threads, where messages are UIDs.
    ///
    /// # Errors
    /// As [`Self::sort`].
    pub(super) async fn thread(
        &mut self,
        found: &NumberSet,
        algorithm: ThreadAlgorithm,
    ) -> Result<Vec<ThreadPiece>, Halt> {
        let keys = self.keys(found).await?;
        let candidates = self.candidates(found, &keys).await;
        Ok(at_length(candidates.len(), || {
            threaded(&candidates, &keys, algorithm)
        }))
    }

    /// What the rows say of messages, and where their keys are.
    async fn candidates(&mut self, found: &NumberSet, keys: &Keys) -> Vec<Candidate> {
        let mailbox = self.selected.member.mailbox().clone();
        let mut candidates = Vec::with_capacity(found.len() as usize);
        let (mut next, mut at) = (found.first(), 0);
        while let Some(from) = next {
            let (some, after) = self
                .selected
                .rows_from(&mailbox.read(), found, from, ROWS_AT_ONCE);
            next = after;
            for (_, row) in some {
                let behind = |keys: &MessageKeys| keys.uid < row.uid.0;
                while keys.messages().get(at).is_some_and(behind) {
                    at += 1;
                }
                candidates.push(Candidate {
                    uid: row.uid.0,
                    arrived: row.date.unix_seconds,
                    size: row.size,
                    at,
                });
            }
            tokio::task::yield_now().await;
        }
        candidates
    }

    /// The keys of these messages, and perhaps of others.
    async fn keys(&mut self, uids: &NumberSet) -> Result<Arc<Keys>, Halt> {
        let mailbox = self.selected.member.mailbox().clone();
        let cache = &self.endpoint.storage.keys;
        let place: Place = (mailbox.account(), mailbox.id(), self.comparator);
        let mut known = cache.get(place);
        if known.messages().len() > 2 * mailbox.read().len() + SPARE_KEYS {
            // Mostly of messages that are gone.
            known = Arc::default();
        }
        let missing = known.missing_among(uids);
        if missing.is_empty() {
            return Ok(known);
        }
        let mut keys = Keys::clone(&known);
        let whole = self.read_keys(&missing, &mut keys).await?;
        at_length(keys.messages().len(), || keys.settle());
        let keys = Arc::new(keys);
        if whole {
            cache.keep(place, keys.clone());
        }
        Ok(keys)
    }

    /// Adds the keys of messages, and says whether all could be read. Messages that can't be read sort as empty.
    async fn read_keys(&mut self, uids: &NumberSet, keys: &mut Keys) -> Result<bool, Halt> {
        let mailbox = self.selected.member.mailbox().clone();
        let by_digest = self.comparator == Comparator::default();
        let mut whole = true;
        let mut next = uids.first();
        while let Some(from) = next {
            let (some, after) = self
                .selected
                .rows_from(&mailbox.read(), uids, from, KEYS_AT_ONCE);
            next = after;
            let rows: Vec<_> = some.iter().map(|(_, row)| *row).collect();
            let stored = self.stored(&rows, !by_digest).await?;
            for (row, stored) in rows.iter().zip(&stored) {
                keys.add(row.uid.0, &sort_keys(stored, self.comparator));
                whole &= stored.whole;
            }
            if keys.size_bytes() > KEYS_BYTES {
                return Err(Refusal::Limit("Too much to put in order at once").into());
            }
            // How far the search was has been told: it would seem to begin again.
            self.breathe(Progress::default()).await?;
        }
        Ok(whole)
    }
}

fn sort_keys(stored: &Stored, comparator: Comparator) -> SortKeys {
    let Some(digest) = DigestRef::new(&stored.digest) else {
        return SortKeys::default();
    };
    if comparator == Comparator::default() {
        return digest.sort_keys();
    }
    let header = stored.bytes.get(..digest.header_len() as usize);
    sort_keys_by(header.unwrap_or(&stored.bytes), comparator)
}

/// Does something with so many messages; if it takes long, other tasks of this thread go elsewhere.
fn at_length<T>(messages: usize, work: impl FnOnce() -> T) -> T {
    match messages < MANY {
        true => work(),
        false => tokio::task::block_in_place(work),
    }
}

/// The UIDs of candidates, which come in the order of the mailbox, sorted.
fn sorted(candidates: &[Candidate], keys: &Keys, criteria: &[SortCriterion]) -> Vec<u32> {
    let columns: Vec<Vec<u64>> = criteria
        .iter()
        .map(|criterion| column(candidates, keys, *criterion))
        .collect();
    let Some((first, rest)) = columns.split_first() else {
        return candidates.iter().map(|candidate| candidate.uid).collect();
    };
    let mut order: Vec<(u64, usize)> = first.iter().copied().zip(0..).collect();
    order.sort_unstable_by(|&(a, i), &(b, j)| {
        let others = || rest.iter().map(|column| column[i].cmp(&column[j]));
        a.cmp(&b)
            .then_with(|| others().find(|order| order.is_ne()).unwrap_or(Equal))
            .then(i.cmp(&j))
    });
    order.iter().map(|&(_, at)| candidates[at].uid).collect()
}

/// What one criterion compares, as numbers that ascend as it wants.
fn column(candidates: &[Candidate], keys: &Keys, criterion: SortCriterion) -> Vec<u64> {
    let of = |text: fn(&MessageKeys) -> u32| {
        move |candidate: &Candidate| {
            let rank = candidate.keys(keys).map(|of| keys.rank(text(of)));
            u64::from(rank.unwrap_or_default())
        }
    };
    let values = candidates.iter();
    let mut column: Vec<u64> = match criterion.key {
        SortKey::Arrival => values.map(|c| ascending(c.arrived)).collect(),
        SortKey::Size => values.map(|c| c.size.into()).collect(),
        SortKey::Date => values.map(|c| ascending(sent(c, keys))).collect(),
        SortKey::Subject => values.map(of(|keys| keys.subject)).collect(),
        SortKey::From => values.map(of(|keys| keys.from)).collect(),
        SortKey::To => values.map(of(|keys| keys.to)).collect(),
        SortKey::Cc => values.map(of(|keys| keys.cc)).collect(),
        SortKey::DisplayFrom => values.map(of(|keys| keys.display_from)).collect(),
        SortKey::DisplayTo => values.map(of(|keys| keys.display_to)).collect(),
    };
    if criterion.reverse {
        column.iter_mut().for_each(|value| *value = !*value);
    }
    column
}

/// The sent date; without one, the internal date (RFC 5256 §2.2).
fn sent(candidate: &Candidate, keys: &Keys) -> i64 {
    let sent = candidate.keys(keys).and_then(|keys| keys.sent);
    sent.unwrap_or(candidate.arrived)
}

/// Numbers with a sign in the order of those without.
fn ascending(number: i64) -> u64 {
    number.cast_unsigned() ^ (1 << 63)
}

fn threaded(candidates: &[Candidate], keys: &Keys, algorithm: ThreadAlgorithm) -> Vec<ThreadPiece> {
    let messages: Vec<Threaded<'_>> = candidates
        .iter()
        .map(|candidate| {
            let of = candidate.keys(keys);
            Threaded {
                id: of.and_then(|of| of.id),
                references: of.map(|of| keys.references(of)).unwrap_or_default(),
                subject: of.map(|of| of.subject).filter(|subject| *subject > 0),
                is_reply: of.is_some_and(|of| of.is_reply),
                sent: sent(candidate, keys),
                arrived: candidate.arrived,
            }
        })
        .collect();
    let pieces = match algorithm {
        ThreadAlgorithm::OrderedSubject => thread::ordered_subject(&messages),
        ThreadAlgorithm::References => thread::references(&messages),
        ThreadAlgorithm::Refs => thread::refs(&messages),
    };
    pieces
        .into_iter()
        .map(|piece| match piece {
            Piece::Open => ThreadPiece::Open,
            Piece::Close => ThreadPiece::Close,
            Piece::Message(at) => ThreadPiece::Number(candidates[at as usize].uid),
        })
        .collect()
}
