//! UIDBATCHES (RFC 10022): ranges of UIDs with as many messages each.

use pillarbox_proto::imap::encode;

use super::{Completed, Outcome, Refusal, Session};
use crate::imap::Selected;

/// Messages in the smallest batch that may be asked for: with fewer, clients could make sequence numbers of it
/// (RFC 10022 §3.1.3.2).
const LEAST: u32 = 500;
/// Ranges in one answer, which is made at once: of five million messages in the smallest batches. RFC 10022
/// §3.1.5 asks for a hundred thousand messages.
const MOST: usize = 10_000;

/// UIDBATCHES. The batches tile the UIDs from the last message down to 1, and all but the last have exactly as
/// many messages as were asked for, or as MESSAGELIMIT allows. `$` stays as it is.
pub(super) fn uid_batches(
    session: &mut Session,
    tag: &str,
    size: u32,
    range: Option<(u32, u32)>,
) -> Outcome {
    let (from, to) = range.unwrap_or((1, u32::MAX));
    if from > to {
        return Err(Refusal::Client("A range of batches ascends".into()).into());
    }
    // No batch is larger than what the commands are that it is made for (RFC 10022 §3.4).
    let limit = session.endpoint.limits.messages.unwrap_or(u32::MAX);
    let size = size.min(limit);
    if size < LEAST.min(limit) {
        return Err(Refusal::TooFew("The smallest batch has 500 messages").into());
    }
    let runs = session.selected()?.runs();
    let wanted = (to - from) as usize + 1;
    let asked = batches(&runs, size).skip(from as usize - 1).take(wanted);
    let batches: Vec<_> = asked.take(MOST + 1).collect();
    if batches.len() > MOST {
        let text = "Ask for fewer batches, by their numbers or of more messages";
        return Err(Refusal::TooMany(text).into());
    }
    encode::uid_batches(&mut session.wire.out, tag, &batches);
    Ok(Completed::default())
}

impl Selected {
    /// The UIDs that the client knows of, as ranges with both ends included.
    fn runs(&self) -> Vec<(u32, u32)> {
        match self.view.has_numbers() {
            true => self.view.ranges().collect(),
            false => self.member.mailbox().read().uid_ranges(),
        }
    }
}

/// The batches of messages that have these UIDs, from the last to the first: of each its last UID and its first.
fn batches(runs: &[(u32, u32)], size: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
    // The runs that are left, and where the next batch begins: what is above it is in one already.
    let (mut left, mut next) = (runs, runs.last().map(|&(_, to)| to));
    std::iter::from_fn(move || {
        let high = next.take()?;
        let mut missing = size;
        while let Some((&(from, to), before)) = left.split_last() {
            let to = to.min(high);
            let here = to - from + 1;
            if here > missing || here == missing && !before.is_empty() {
                let low = to - missing + 1;
                next = Some(low - 1);
                if low == from {
                    left = before;
                }
                return Some((high, low));
            }
            missing -= here;
            left = before;
        }
        Some((high, 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(runs: &[(u32, u32)], size: u32) -> Vec<(u32, u32)> {
        batches(runs, size).collect()
    }

    #[test]
    fn batches_go_from_the_last_message_down_to_the_first_uid() {
        assert_eq!(told(&[], 2), []);
        assert_eq!(told(&[(7, 7)], 2), [(7, 1)]);
        assert_eq!(told(&[(1, 4)], 2), [(4, 3), (2, 1)]);
        assert_eq!(told(&[(3, 6)], 2), [(6, 5), (4, 1)]);
        assert_eq!(told(&[(1, 5)], 2), [(5, 4), (3, 2), (1, 1)]);
        assert_eq!(told(&[(1, 1), (5, 6), (9, 9)], 2), [(9, 6), (5, 1)]);
        assert_eq!(
            told(&[(2, 2), (5, 6), (9, 10)], 2),
            [(10, 9), (8, 5), (4, 1)]
        );
    }

    #[test]
    fn batches_tile_the_uids_and_have_what_was_asked_for() {
        let mut seed = 5_u32;
        let mut next = |below: u32| {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (seed >> 16) % below
        };
        for _ in 0..500 {
            let (mut runs, mut above) = (Vec::new(), 0);
            for _ in 0..next(12) {
                let from = above + 1 + u32::from(above > 0) + next(5);
                above = from + next(6);
                runs.push((from, above));
            }
            let size = 1 + next(7);
            let there = |uid: u32| runs.iter().any(|&(from, to)| (from..=to).contains(&uid));
            let told = told(&runs, size);
            let mut expected = runs.last().map_or(0, |&(_, to)| to);
            for (index, &(high, low)) in told.iter().enumerate() {
                assert_eq!(high, expected, "{runs:?} by {size}: {told:?}");
                expected = low - 1;
                let messages = (low..=high).filter(|uid| there(*uid)).count() as u32;
                let last = index + 1 == told.len();
                assert!(
                    messages == size || last && (1..size).contains(&messages),
                    "{told:?}"
                );
            }
            assert_eq!(expected, 0, "{runs:?} by {size}: {told:?}");
        }
    }
}
