//! Searching a mailbox (RFC 3501 §6.4.4): which messages match, apart from how the answer is written.

use std::collections::HashMap;

use bytes::Bytes;
use pillarbox_message::{Comparator, DigestRef};
use pillarbox_model::{NumberSet, Uid};
use pillarbox_proto::imap::command::Search;
use pillarbox_proto::imap::encode::Progress;
use pillarbox_store::{Facts, Row};

use super::facts;
use super::matcher::Matcher;
use super::outcome::Halt;
use super::pulse::Pulse;
use super::{Endpoint, Refusal, Selected, Session};
use crate::clock;

/// Messages judged by their rows at one go.
pub(super) const ROWS_AT_ONCE: usize = 4_096;
/// Messages whose text is looked at before others get a turn.
const TEXTS_AT_ONCE: usize = 64;

/// A look through one mailbox: the selected one, or any other by a [`Selected`] made for it alone.
pub(super) struct Look<'a> {
    pub(super) endpoint: &'a Endpoint,
    /// Whose messages: those in its view, also if they were expunged since its client was told.
    pub(super) selected: &'a Selected,
    /// How texts are compared.
    pub(super) comparator: Comparator,
    /// Tells the client that it takes a while.
    pub(super) pulse: Option<Pulse<'a>>,
}

impl Session {
    /// A look through the selected mailbox.
    pub(super) fn look(&mut self) -> Result<Look<'_>, Refusal> {
        let every = self.endpoint.progress;
        let selected = self.selected.as_ref();
        Ok(Look {
            endpoint: &self.endpoint,
            selected: selected.ok_or(Refusal::State("No mailbox is selected"))?,
            comparator: self.comparator,
            pulse: Some(Pulse::new(&mut self.wire, &self.tag, every)),
        })
    }

    /// A look through any mailbox, one of several.
    pub(super) fn look_through<'a>(&'a mut self, selected: &'a Selected) -> Look<'a> {
        Look {
            endpoint: &self.endpoint,
            selected,
            comparator: self.comparator,
            pulse: Some(
                Pulse::new(&mut self.wire, &self.tag, self.endpoint.progress).without_numbers(),
            ),
        }
    }
}

impl Look<'_> {
    /// The UIDs of the messages that match, ascending. Every message that matches is found: text is
    /// compared, not an index of words. Others get their turn meanwhile, and no lock is held while it waits.
    ///
    /// # Errors
    /// A charset that is not known, or a sequence number that does not exist; what the store says.
    pub(super) async fn search(&mut self, search: &Search<'_>) -> Result<NumberSet, Halt> {
        Ok(self.find(search).await?.1)
    }

    /// As [`Self::search`], with the keys as they were prepared.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub(super) async fn find(&mut self, search: &Search<'_>) -> Result<(Matcher, NumberSet), Halt> {
        let matcher = self.matcher(search)?;
        let candidates = matcher.candidates(self.selected);
        let found = self.matching(&matcher, &candidates).await?;
        Ok((matcher, found))
    }

    /// Prepares the keys of a search in this mailbox, as of now.
    ///
    /// # Errors
    /// As [`Self::search`].
    pub(super) fn matcher(&self, search: &Search<'_>) -> Result<Matcher, Refusal> {
        let rows = self.selected.member.mailbox().read();
        let (keywords, now) = (rows.keywords(), clock::now());
        Matcher::new(search, self.selected, keywords, now, self.comparator)
    }

    /// Those of `candidates`, messages of the view, that match.
    ///
    /// # Errors
    /// What the store says.
    pub(super) async fn matching(
        &mut self,
        matcher: &Matcher,
        candidates: &NumberSet,
    ) -> Result<NumberSet, Halt> {
        let mailbox = self.selected.member.mailbox().clone();
        let (mut judged, goal) = (0, candidates.len());
        let mut found = NumberSet::new();
        let mut next = candidates.first();
        while let Some(from) = next {
            let (some, after) =
                self.selected
                    .rows_from(&mailbox.read(), candidates, from, ROWS_AT_ONCE);
            next = after;
            let (mut matches, mut undecided) = (Vec::new(), Vec::new());
            for (_, row) in &some {
                match matcher.judge_row(row, None) {
                    Some(true) => matches.push(row.uid.0),
                    Some(false) => {}
                    None => undecided.push(*row),
                }
            }
            let known = self
                .judge_facts(matcher, &mut undecided, &mut matches)
                .await?;
            for some in undecided.chunks(TEXTS_AT_ONCE) {
                self.judge_texts(matcher, some, &known, &mut matches)
                    .await?;
                judged += some.len() as u64;
                self.breathe(Progress::of(judged, goal)).await?;
            }
            matches.sort_unstable();
            matches.into_iter().for_each(|uid| found.insert(uid));
            judged += (some.len() - undecided.len()) as u64;
            self.breathe(Progress::of(judged, goal)).await?;
        }
        Ok(found)
    }

    /// Lets others have a turn, and tells the client how far this is.
    pub(super) async fn breathe(&mut self, progress: Progress) -> Result<(), Halt> {
        tokio::task::yield_now().await;
        if let Some(pulse) = &mut self.pulse {
            pulse.beat(progress).await?;
        }
        Ok(())
    }

    /// Judges messages whose rows don't decide, if some key looks at what is known beside them; leaves
    /// those that this does not decide, and gives what is known.
    async fn judge_facts(
        &self,
        matcher: &Matcher,
        rows: &mut Vec<Row>,
        matches: &mut Vec<u32>,
    ) -> Result<HashMap<Uid, Facts>, Halt> {
        if !matcher.needs_facts() || rows.is_empty() {
            return Ok(HashMap::new());
        }
        let mailbox = self.selected.member.mailbox().id();
        let known = facts::of(&*self.endpoint.storage.store, mailbox, rows).await?;
        rows.retain(|row| {
            let judged = matcher.judge_row(row, known.get(&row.uid));
            if judged == Some(true) {
                matches.push(row.uid.0);
            }
            judged.is_none()
        });
        Ok(known)
    }

    /// Judges messages whose rows don't decide.
    async fn judge_texts(
        &self,
        matcher: &Matcher,
        rows: &[Row],
        known: &HashMap<Uid, Facts>,
        matches: &mut Vec<u32>,
    ) -> Result<(), Halt> {
        // Unreadable bytes match no text; FETCH will say that they are unreadable.
        let stored = self.stored(rows, matcher.needs_bytes()).await?;
        let mut judge = || {
            for (row, stored) in rows.iter().zip(&stored) {
                let (facts, digest) = (known.get(&row.uid), DigestRef::new(&stored.digest));
                let judge = |digest| matcher.judge(row, facts, &digest, &stored.bytes);
                if digest.is_some_and(judge) {
                    matches.push(row.uid.0);
                }
            }
        };
        // Headers are soon looked through; to tell others that this takes long would take longer.
        if matcher.decodes_texts() {
            tokio::task::block_in_place(judge);
        } else {
            judge();
        }
        Ok(())
    }

    /// What is stored of messages, in their order. Digests that are missing are made, and kept for the next time.
    pub(super) async fn stored(&self, rows: &[Row], bytes: bool) -> Result<Vec<Stored>, Halt> {
        let store = &self.endpoint.storage.store;
        let (mut all, mut made) = (Vec::with_capacity(rows.len()), Vec::new());
        for (row, content) in rows.iter().zip(store.contents(rows, true).await?) {
            let known = DigestRef::new(&content.digest).is_some();
            let mut stored = Stored {
                digest: content.digest,
                bytes: Bytes::new(),
                whole: true,
            };
            if bytes || !known {
                stored.bytes = store.read(&content.location).await.unwrap_or_default();
                // Bytes that could not be read are none: RFC822.SIZE tells.
                stored.whole = stored.bytes.len() as u64 == u64::from(row.size);
            }
            if !known {
                stored.digest = pillarbox_message::digest(&stored.bytes).encode().into();
                if stored.whole {
                    made.push((row.blob, stored.digest.clone()));
                }
            }
            all.push(stored);
        }
        self.endpoint.keep_digests(made).await;
        Ok(all)
    }
}

/// What is stored of a message.
pub(super) struct Stored {
    pub(super) digest: Bytes,
    /// Empty if not asked for, or if it can't be read.
    pub(super) bytes: Bytes,
    /// All that was asked for could be read.
    pub(super) whole: bool,
}
