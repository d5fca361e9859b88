//! What one client believes about the mailbox it has selected.

use crate::NumberSet;

/// A session's messages in sequence order, as this client was told of them.
///
/// Sequence numbers exist only here: number `n` is the `n`th UID of the view, and it changes only
/// when the client is sent an EXPUNGE or VANISHED (RFC 3501 §7.4.1). Kept as runs of consecutive
/// UIDs, so a mailbox in which little was expunged costs a few bytes, and the worst one 8 a message.
///
/// Of a client that uses no numbers (RFC 9586) nothing is kept but how many messages it knows of and
/// the last UID. Each UID up to that one passes for a message then, and for its own number; which of
/// them are there, the mailbox knows.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct View {
    runs: Vec<Run>,
    len: u32,
    /// The last UID, where there are no numbers.
    without_numbers: Option<u32>,
}

/// UIDs `uid..` with numbers `seq..`, up to where the next run starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Run {
    uid: u32,
    seq: u32,
}

impl View {
    /// The view of the UIDs in these ranges, both ends included, which ascend.
    pub fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut view = Self::default();
        view.extend(ranges);
        view
    }

    /// The view of a client without numbers, which knows of so many messages, up to this UID.
    #[must_use]
    pub const fn without_numbers(len: u32, last_uid: u32) -> Self {
        Self {
            runs: Vec::new(),
            len,
            without_numbers: Some(last_uid),
        }
    }

    /// Whether it has sequence numbers.
    #[must_use]
    pub const fn has_numbers(&self) -> bool {
        self.without_numbers.is_none()
    }

    /// How many messages the client knows of (what EXISTS last said).
    #[must_use]
    pub const fn len(&self) -> u32 {
        self.len
    }

    /// Whether the client knows of no message.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The highest UID, or 0.
    #[must_use]
    pub fn last_uid(&self) -> u32 {
        let last = |run: &Run| run.uid + (self.len - run.seq);
        self.without_numbers
            .unwrap_or_else(|| self.runs.last().map_or(0, last))
    }

    /// Adds new messages at the end, by ranges of UIDs with both ends included. They ascend and are
    /// above all others; a UID that is not is passed over.
    pub fn extend(&mut self, ranges: impl IntoIterator<Item = (u32, u32)>) {
        for (from, to) in ranges {
            let from = from.max(self.last_uid() + 1);
            if from <= to {
                // The last UIDs there could be are never given.
                self.push_run(from, to.saturating_add(1));
            }
        }
    }

    /// The UID at a sequence number.
    #[must_use]
    pub fn uid(&self, seq: u32) -> Option<u32> {
        if let Some(last) = self.without_numbers {
            return (1..=last).contains(&seq).then_some(seq);
        }
        if seq == 0 || seq > self.len {
            return None;
        }
        let run = self.runs[self.runs.partition_point(|run| run.seq <= seq) - 1];
        Some(run.uid + (seq - run.seq))
    }

    /// The sequence number of a UID.
    #[must_use]
    pub fn seq(&self, uid: u32) -> Option<u32> {
        if let Some(last) = self.without_numbers {
            return (1..=last).contains(&uid).then_some(uid);
        }
        let index = self
            .runs
            .partition_point(|run| run.uid <= uid)
            .checked_sub(1)?;
        let run = self.runs[index];
        let seq = run.seq.checked_add(uid - run.uid)?;
        (seq < self.end_of(index)).then_some(seq)
    }

    /// The first sequence number after the run at `index`.
    fn end_of(&self, index: usize) -> u32 {
        self.runs
            .get(index + 1)
            .map_or(self.len + 1, |next| next.seq)
    }

    /// Takes out messages, and says their sequence numbers in the order in which EXPUNGE responses
    /// must tell them: ascending, each counted after those before it are gone.
    ///
    /// Costs one pass over the view's runs.
    pub fn remove(&mut self, uids: &NumberSet) -> Vec<u32> {
        let mut gone = Vec::new();
        let mut kept = Self::default();
        let mut rest = uids.ranges().iter().copied().peekable();
        for index in 0..self.runs.len() {
            let run = self.runs[index];
            let mut from = run.uid;
            let end = run.uid + (self.end_of(index) - run.seq);
            while let Some(&(first, last)) = rest.peek() {
                if first >= end {
                    break;
                }
                if last >= from {
                    kept.push_run(from, first.max(from));
                    let (first, after) = (first.max(from), last.saturating_add(1).min(end));
                    gone.extend((first..after).map(|_| kept.len + 1));
                    from = after;
                }
                if last >= end {
                    break;
                }
                rest.next();
            }
            kept.push_run(from, end);
        }
        *self = kept;
        gone
    }

    /// Adds the UIDs `from..end`, which are above all others.
    fn push_run(&mut self, from: u32, end: u32) {
        if from >= end {
            return;
        }
        let adjoins = !self.runs.is_empty() && self.last_uid() + 1 == from;
        if !adjoins {
            self.runs.push(Run {
                uid: from,
                seq: self.len + 1,
            });
        }
        self.len += end - from;
    }

    /// The UIDs, ascending.
    pub fn uids(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges().flat_map(|(from, to)| from..=to)
    }

    /// The UIDs as ranges with both ends included, ascending.
    pub fn ranges(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        let runs = (0..self.runs.len()).map(|index| {
            let run = self.runs[index];
            (run.uid, run.uid + (self.end_of(index) - run.seq) - 1)
        });
        let all = self.without_numbers.filter(|last| *last > 0);
        runs.chain(all.map(|last| (1, last)))
    }

    /// The UIDs of the view that are in `uids`.
    #[must_use]
    pub fn known_among(&self, uids: &NumberSet) -> NumberSet {
        NumberSet::from_ranges(self.ranges()).intersection(uids)
    }

    /// The UIDs at these sequence numbers; `None` if one is past the end, which is the client's
    /// error (RFC 3501 §9, `seq-number`).
    #[must_use]
    pub fn uids_at(&self, seqs: &NumberSet) -> Option<NumberSet> {
        if let Some(last) = self.without_numbers {
            let all = seqs.last().is_none_or(|seq| seq <= last);
            return all.then(|| seqs.clone());
        }
        if seqs.last().is_some_and(|last| last > self.len) || seqs.first() == Some(0) {
            return None;
        }
        let mut found = Vec::new();
        for &(from, to) in seqs.ranges() {
            self.push_uids(from, to, &mut found);
        }
        Some(NumberSet::from_ranges(found))
    }

    /// The UIDs at sequence numbers `from..=to`, which exist, as ranges.
    fn push_uids(&self, from: u32, to: u32, found: &mut Vec<(u32, u32)>) {
        let mut index = self.runs.partition_point(|run| run.seq <= from) - 1;
        let mut seq = from;
        while seq <= to {
            let run = self.runs[index];
            let last = to.min(self.end_of(index) - 1);
            found.push((run.uid + (seq - run.seq), run.uid + (last - run.seq)));
            seq = last + 1;
            index += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_shift_as_messages_go() {
        let mut view = View::new([(1, 5)]);
        assert_eq!(view.remove(&[2, 4].into_iter().collect()), [2, 3]);
        assert_eq!(view.uids().collect::<Vec<_>>(), [1, 3, 5]);
        assert_eq!(view.seq(5), Some(3));
        assert_eq!(view.seq(2), None);
        assert_eq!(view.remove(&NumberSet::range(1..=9)), [1, 1, 1]);
        assert!(view.is_empty());
        assert_eq!(view.last_uid(), 0);
    }

    /// Random appends, removals and lookups do what a plain list of UIDs does.
    #[test]
    fn a_view_agrees_with_a_plain_list() {
        let mut seed = 99_u64;
        let mut next = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for _ in 0..300 {
            let (mut view, mut list, mut last) = (View::default(), Vec::new(), 0_u32);
            for _ in 0..40 {
                if next(2) == 0 {
                    last += 1 + next(3) as u32;
                    view.extend([(last, last)]);
                    list.push(last);
                } else {
                    let start = next(u64::from(last) + 2) as u32;
                    let doomed = NumberSet::range(start..=start + next(6) as u32);
                    let mut expected = Vec::new();
                    list.retain(|uid| !doomed.contains(*uid));
                    let before: Vec<_> = view.uids().collect();
                    for (index, uid) in before.iter().enumerate() {
                        if doomed.contains(*uid) {
                            expected.push((index - expected.len() + 1) as u32);
                        }
                    }
                    assert_eq!(view.remove(&doomed), expected);
                }
                assert!(view.uids().eq(list.iter().copied()));
                assert_eq!(view.len() as usize, list.len());
                for seq in 1..=view.len() {
                    let uid = view.uid(seq).unwrap();
                    assert_eq!(uid, list[seq as usize - 1]);
                    assert_eq!(view.seq(uid), Some(seq));
                }
                assert!((0..last + 3).all(|uid| view.seq(uid).is_some() == list.contains(&uid)));
                if !list.is_empty() {
                    let seqs = NumberSet::range(1..=1 + next(u64::from(view.len())) as u32);
                    let uids = view.uids_at(&seqs).unwrap();
                    assert!(
                        uids.iter()
                            .eq(list.iter().copied().take(seqs.len() as usize))
                    );
                }
            }
        }
    }

    /// RFC 9586: nothing is kept for each message, however many gaps there are.
    #[test]
    fn without_numbers_a_uid_stands_for_itself_and_no_map_is_built() {
        let view = View::without_numbers(1_000_000, 4_000_000);
        assert_eq!(view.runs.capacity(), 0);
        assert_eq!((view.len(), view.last_uid()), (1_000_000, 4_000_000));
        assert_eq!((view.seq(7), view.uid(7)), (Some(7), Some(7)));
        assert_eq!((view.seq(4_000_001), view.seq(0)), (None, None));
        let some = NumberSet::range(3_999_999..=4_000_002);
        assert_eq!(view.known_among(&some).to_string(), "3999999:4000000");
        assert!(view.ranges().eq([(1, 4_000_000)]));
        assert!(View::without_numbers(0, 0).ranges().next().is_none());
        assert!(!view.has_numbers() && View::default().has_numbers());
    }

    #[test]
    fn a_number_past_the_end_is_an_error() {
        let view = View::new([(7, 7), (9, 9)]);
        assert_eq!(view.uids_at(&NumberSet::range(2..=3)), None);
        assert_eq!(view.uid(0), None);
    }
}
