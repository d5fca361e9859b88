//! Sets of numbers: what a client writes, and what it resolves to.

use std::fmt;
use std::ops::RangeInclusive;

/// One end of a range in a client's set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Bound {
    /// A number, never 0.
    Number(u32),
    /// `*`: the largest in use.
    Last,
}

impl Bound {
    const fn resolve(self, last: u32) -> u32 {
        match self {
            Self::Number(number) => number,
            Self::Last => last,
        }
    }
}

/// A `sequence-set` as written (RFC 3501 §9): numbers or UIDs, of which `*` has yet to be resolved.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SequenceSet {
    /// Ranges in the client's order; `4:2` means `2:4`.
    Ranges(Vec<(Bound, Bound)>),
    /// `$`: the saved result of a search (RFC 5182).
    Saved,
}

impl SequenceSet {
    /// The numbers meant, where `*` stands for `last`. `5:*` always has `last` in it, also if that
    /// is below 5 (RFC 3501 §9); with nothing in use (`last` is 0) nothing is meant by `*`.
    ///
    /// `None` for [`Self::Saved`], which only the session can resolve.
    #[must_use]
    pub fn resolve(&self, last: u32) -> Option<NumberSet> {
        let Self::Ranges(ranges) = self else {
            return None;
        };
        let pairs = ranges.iter().filter_map(|&(from, to)| {
            let starred = from == Bound::Last || to == Bound::Last;
            let (from, to) = (from.resolve(last), to.resolve(last));
            (!starred || last > 0).then_some((from.min(to), from.max(to)))
        });
        Some(NumberSet::from_ranges(pairs))
    }

    /// Whether `*` is in it, so that it means something else when there is more.
    #[must_use]
    pub fn has_star(&self) -> bool {
        let Self::Ranges(ranges) = self else {
            return false;
        };
        ranges
            .iter()
            .any(|&(from, to)| from == Bound::Last || to == Bound::Last)
    }
}

/// A set of numbers as sorted, disjoint, non-adjacent ranges. Its `Display` is the wire form.
///
/// Costs 8 bytes a range; [`Self::contains`] is a binary search.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NumberSet {
    ranges: Vec<(u32, u32)>,
}

impl NumberSet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { ranges: Vec::new() }
    }

    /// All numbers of `range`.
    #[must_use]
    pub fn range(range: RangeInclusive<u32>) -> Self {
        Self::from_ranges([(*range.start(), *range.end())])
    }

    /// The union of ranges in any order, overlapping or not. Ranges whose end is before their start
    /// are empty.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut sorted: Vec<_> = ranges.into_iter().filter(|(from, to)| from <= to).collect();
        sorted.sort_unstable();
        let mut set = Self::new();
        for (from, to) in sorted {
            set.push_range(from, to);
        }
        set
    }

    /// Adds a range that does not start before the last one does.
    fn push_range(&mut self, from: u32, to: u32) {
        match self.ranges.last_mut() {
            Some((_, end)) if from <= end.saturating_add(1) => *end = to.max(*end),
            _ => self.ranges.push((from, to)),
        }
    }

    /// Adds one number. Amortised constant time if it is above all others, else linear in ranges.
    pub fn insert(&mut self, number: u32) {
        let above = self.ranges.last().is_none_or(|&(start, _)| start <= number);
        if above {
            self.push_range(number, number);
        } else if !self.contains(number) {
            let at = self.ranges.partition_point(|&(start, _)| start < number);
            self.ranges.insert(at, (number, number));
            let ranges = std::mem::take(&mut self.ranges);
            *self = Self::from_ranges(ranges);
        }
    }

    /// Whether `number` is in the set.
    #[must_use]
    pub fn contains(&self, number: u32) -> bool {
        let at = self.ranges.partition_point(|&(_, end)| end < number);
        self.ranges
            .get(at)
            .is_some_and(|&(start, _)| start <= number)
    }

    /// Whether no number is in the set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many numbers are in the set.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.ranges
            .iter()
            .map(|&(from, to)| u64::from(to - from) + 1)
            .sum()
    }

    /// The smallest number.
    #[must_use]
    pub fn first(&self) -> Option<u32> {
        self.ranges.first().map(|&(from, _)| from)
    }

    /// The largest number.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.ranges.last().map(|&(_, to)| to)
    }

    /// The ranges, ascending, with both ends included.
    #[must_use]
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// The numbers, ascending. Mind the cost: a client's `1:4294967295` has four billion.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.ranges.iter().flat_map(|&(from, to)| from..=to)
    }

    /// The numbers at these places, counted from 0, as far as there are any. Linear in ranges.
    #[must_use]
    pub fn slice(&self, places: std::ops::Range<usize>) -> Self {
        let (mut skip, mut left) = (places.start, places.len());
        let mut some = Self::new();
        for &(from, to) in &self.ranges {
            let len = (to - from) as usize + 1;
            let take = len.saturating_sub(skip).min(left);
            if take > 0 {
                let first = from + skip as u32;
                some.push_range(first, first + (take as u32 - 1));
            }
            skip = skip.saturating_sub(len);
            left -= take;
        }
        some
    }

    /// The numbers in both sets. Linear in the ranges of both.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let (mut a, mut b) = (
            self.ranges.iter().peekable(),
            other.ranges.iter().peekable(),
        );
        let mut both = Self::new();
        while let (Some(&&(a_from, a_to)), Some(&&(b_from, b_to))) = (a.peek(), b.peek()) {
            let (from, to) = (a_from.max(b_from), a_to.min(b_to));
            if from <= to {
                both.push_range(from, to);
            }
            if a_to < b_to {
                a.next();
            } else {
                b.next();
            }
        }
        both
    }
}

impl NumberSet {
    /// The numbers in this set that are not in `other`. Linear in the ranges of both.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = other.ranges.iter().copied().peekable();
        let mut left = Self::new();
        for &(mut from, to) in &self.ranges {
            while rest.next_if(|&(_, end)| end < from).is_some() {}
            // Not taken yet: it may go on into the next range.
            while let Some(&(start, end)) = rest.peek().filter(|&&(start, _)| start <= to) {
                if start > from {
                    left.push_range(from, start - 1);
                }
                from = end.saturating_add(1);
                if end >= to {
                    break;
                }
                rest.next();
            }
            if from <= to && !(from == u32::MAX && other.contains(from)) {
                left.push_range(from, to);
            }
        }
        left
    }

    /// The highest `count` numbers, or all if there are not more. Linear in the ranges.
    #[must_use]
    pub fn highest(&self, count: u64) -> Self {
        let mut left = count;
        let mut ranges = Vec::new();
        for &(from, to) in self.ranges.iter().rev() {
            let here = (u64::from(to - from) + 1).min(left);
            let Some(less) = here.checked_sub(1) else {
                break;
            };
            ranges.push((to - less as u32, to));
            left -= here;
        }
        ranges.reverse();
        Self { ranges }
    }

    /// The numbers of this set up to `last`.
    #[must_use]
    pub fn up_to(&self, last: u32) -> Self {
        self.intersection(&Self::range(0..=last))
    }
}

impl FromIterator<u32> for NumberSet {
    fn from_iter<I: IntoIterator<Item = u32>>(numbers: I) -> Self {
        let mut set = Self::new();
        let mut unsorted = Vec::new();
        for number in numbers {
            if set.ranges.last().is_none_or(|&(start, _)| start <= number) {
                set.push_range(number, number);
            } else {
                unsorted.push((number, number));
            }
        }
        if unsorted.is_empty() {
            return set;
        }
        Self::from_ranges(set.ranges.into_iter().chain(unsorted))
    }
}

impl fmt::Display for NumberSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (from, to)) in self.ranges.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            if from == to {
                write!(f, "{from}")?;
            } else {
                write!(f, "{from}:{to}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ranges: &[(Bound, Bound)], last: u32) -> String {
        SequenceSet::Ranges(ranges.to_vec())
            .resolve(last)
            .unwrap()
            .to_string()
    }

    #[test]
    fn a_star_is_the_last_in_use() {
        use Bound::{Last, Number};
        assert_eq!(written(&[(Number(5), Last)], 3), "3:5");
        assert_eq!(written(&[(Number(5), Last)], 9), "5:9");
        assert_eq!(written(&[(Last, Last)], 0), "");
        assert_eq!(written(&[(Number(4), Number(2))], 9), "2:4");
        let overlapping = [
            (Number(1), Number(3)),
            (Number(3), Number(4)),
            (Number(6), Number(6)),
        ];
        assert_eq!(written(&overlapping, 9), "1:4,6");
    }

    #[test]
    fn sets_agree_with_a_plain_set_of_numbers() {
        let mut seed = 7_u32;
        let mut next = || {
            seed = seed.wrapping_mul(1_103_515_245).wrapping_add(12_345);
            (seed >> 16) % 64
        };
        for _ in 0..500 {
            let mut model = std::collections::BTreeSet::new();
            let mut other = std::collections::BTreeSet::new();
            let mut set = NumberSet::new();
            for _ in 0..20 {
                let number = next();
                set.insert(number);
                model.insert(number);
                other.insert(next());
            }
            let collected: NumberSet = other.iter().copied().collect();
            assert!(set.iter().eq(model.iter().copied()));
            assert_eq!(set.len(), model.len() as u64);
            assert!((0..64).all(|n| set.contains(n) == model.contains(&n)));
            let (start, len) = (next() as usize % 24, next() as usize % 24);
            let some = set.slice(start..start + len);
            assert!(some.iter().eq(model.iter().copied().skip(start).take(len)));
            let both = set.intersection(&collected);
            assert!(both.iter().eq(model.intersection(&other).copied()));
            let rest = set.difference(&collected);
            assert!(rest.iter().eq(model.difference(&other).copied()));
            let count = next() as usize;
            let mut highest: Vec<u32> = model.iter().rev().take(count).copied().collect();
            highest.reverse();
            assert!(set.highest(count as u64).iter().eq(highest));
        }
    }

    #[test]
    fn the_end_of_the_number_line_is_no_trap() {
        let set = NumberSet::from_ranges([(u32::MAX - 1, u32::MAX), (1, u32::MAX)]);
        assert_eq!(set.to_string(), "1:4294967295");
        assert_eq!(set.len(), u64::from(u32::MAX));
        assert!(set.difference(&set).is_empty());
        assert_eq!(set.highest(u64::MAX), set);
        let last = NumberSet::range(u32::MAX..=u32::MAX);
        assert_eq!(set.difference(&last).to_string(), "1:4294967294");
        assert_eq!(last.difference(&NumberSet::range(1..=5)), last);
    }
}
