//! Sorting agrees with a stable sort by the criteria, one after the other.

use pillarbox_proto::imap::command::SortCriterion;

use super::*;

const KEYS: [SortKey; 9] = [
    SortKey::Arrival,
    SortKey::Cc,
    SortKey::Date,
    SortKey::From,
    SortKey::Size,
    SortKey::Subject,
    SortKey::To,
    SortKey::DisplayFrom,
    SortKey::DisplayTo,
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % limit
    }

    fn text(&mut self) -> String {
        ["", "A", "AB", "B", "\u{e4}", "Z"][self.below(6) as usize].to_owned()
    }

    fn message(&mut self) -> SortKeys {
        SortKeys {
            sent_date: (self.below(3) > 0).then(|| (self.below(9) as i64 - 4, 60)),
            base_subject: self.text(),
            from: self.text(),
            to: self.text(),
            cc: self.text(),
            display_from: self.text(),
            display_to: self.text(),
            ..SortKeys::default()
        }
    }
}

/// What a key says of a message, by plain comparison.
fn plainly(key: SortKey, candidate: &Candidate, keys: &SortKeys) -> (i64, String) {
    let text = |text: &str| (0, text.to_owned());
    match key {
        SortKey::Arrival => (candidate.arrived, String::new()),
        SortKey::Size => (candidate.size.into(), String::new()),
        SortKey::Date => (
            keys.sent_date.map_or(candidate.arrived, |(sent, _)| sent),
            String::new(),
        ),
        SortKey::Subject => text(&keys.base_subject),
        SortKey::From => text(&keys.from),
        SortKey::To => text(&keys.to),
        SortKey::Cc => text(&keys.cc),
        SortKey::DisplayFrom => text(&keys.display_from),
        SortKey::DisplayTo => text(&keys.display_to),
    }
}

#[test]
fn sorting_is_a_stable_sort_by_each_key() {
    let mut random = Random(11);
    for _ in 0..300 {
        let messages: Vec<SortKeys> = (0..random.below(40)).map(|_| random.message()).collect();
        let mut keys = Keys::default();
        // In two steps, as a mailbox grows.
        let known = random.below(messages.len() as u64 + 1) as usize;
        for (at, message) in messages.iter().enumerate() {
            keys.add(3 + 2 * at as u32, message);
            if at + 1 == known {
                keys.settle();
            }
        }
        keys.settle();
        let candidates: Vec<Candidate> = (0..messages.len())
            .map(|at| Candidate {
                uid: 3 + 2 * at as u32,
                arrived: random.below(9) as i64 - 4,
                size: random.below(4) as u32,
                at,
            })
            .collect();
        let criteria: Vec<SortCriterion> = (0..random.below(4))
            .map(|_| SortCriterion {
                key: KEYS[random.below(9) as usize],
                reverse: random.below(2) == 0,
            })
            .collect();
        let mut expected: Vec<usize> = (0..messages.len()).collect();
        for criterion in criteria.iter().rev() {
            let value = |at: &usize| plainly(criterion.key, &candidates[*at], &messages[*at]);
            expected.sort_by(|a, b| match criterion.reverse {
                true => value(b).cmp(&value(a)),
                false => value(a).cmp(&value(b)),
            });
        }
        let expected: Vec<u32> = expected.iter().map(|at| candidates[*at].uid).collect();
        assert_eq!(
            sorted(&candidates, &keys, &criteria),
            expected,
            "{criteria:?}"
        );
    }
}

#[test]
fn messages_whose_keys_are_not_known_are_not_lost() {
    let mut keys = Keys::default();
    keys.add(5, &SortKeys::default());
    keys.settle();
    let candidates = [3, 5, 9].map(|uid| Candidate {
        uid,
        arrived: 0,
        size: 0,
        at: usize::from(uid > 5),
    });
    let by_subject = SortCriterion {
        key: SortKey::Subject,
        reverse: false,
    };
    assert_eq!(sorted(&candidates, &keys, &[by_subject]), [3, 5, 9]);
    let threads = threaded(&candidates, &keys, ThreadAlgorithm::References);
    let messages = threads
        .iter()
        .filter(|piece| matches!(piece, ThreadPiece::Number(_)));
    assert_eq!(messages.count(), 3);
}

#[test]
fn only_keys_that_are_missing_are_read() {
    let mut keys = Keys::default();
    for uid in [9, 2, 5] {
        keys.add(uid, &SortKeys::default());
    }
    keys.settle();
    let missing = keys.missing_among(&NumberSet::range(1..=10));
    assert_eq!(missing.to_string(), "1,3:4,6:8,10");
    assert!(keys.missing_among(&[2, 9].into_iter().collect()).is_empty());
}
