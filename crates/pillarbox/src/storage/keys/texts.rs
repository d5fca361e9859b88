//! Texts by numbers, and their order.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Different texts, each kept once. Comparing ranks is comparing texts: sorting a hundred thousand messages then
/// compares numbers only.
#[derive(Clone, Default)]
pub(super) struct Texts {
    bytes: String,
    ends: Vec<usize>,
    /// Numbers by hash; one whose place was taken has the next that was free.
    numbers: HashMap<u64, u32>,
    hasher: RandomState,
    /// By number, of those that [`Self::settle`] saw.
    ranks: Vec<u32>,
}

impl Texts {
    /// The number of a text; the empty one is 0.
    pub(super) fn number(&mut self, text: &str) -> u32 {
        if text.is_empty() {
            return 0;
        }
        let mut place = self.hasher.hash_one(text);
        while let Some(&number) = self.numbers.get(&place) {
            if self.text(number) == text {
                return number;
            }
            place = place.wrapping_add(1);
        }
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
        let number = self.ends.len() as u32;
        self.numbers.insert(place, number);
        number
    }

    fn text(&self, number: u32) -> &str {
        let Some(at) = (number as usize).checked_sub(1) else {
            return "";
        };
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.bytes[start..self.ends[at]]
    }

    /// Ranks new texts among the others: they are sorted and merged in.
    pub(super) fn settle(&mut self) {
        let (known, all) = (self.ranks.len(), self.ends.len() + 1);
        if known == all {
            return;
        }
        let mut order = vec![0; known];
        for (number, rank) in (0..).zip(&self.ranks) {
            order[*rank as usize] = number;
        }
        order.extend(known as u32..all as u32);
        // Stable: what is in order already costs one comparison each.
        order.sort_by(|a, b| self.text(*a).cmp(self.text(*b)));
        self.ranks.resize(all, 0);
        for (rank, number) in (0..).zip(order) {
            self.ranks[number as usize] = rank;
        }
    }

    pub(super) fn rank(&self, number: u32) -> u32 {
        self.ranks.get(number as usize).copied().unwrap_or_default()
    }

    pub(super) fn size_bytes(&self) -> usize {
        // A place of a hash table is at least an eighth empty, often half.
        let place = 2 * (size_of::<(u64, u32)>() + 1);
        self.bytes.capacity()
            + self.ends.capacity() * (size_of::<usize>() + size_of::<u32>())
            + self.numbers.len() * place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_are_the_order_of_texts_whenever_they_came() {
        let mut texts = Texts::default();
        let mut seen = vec![String::new()];
        let mut seed = 5_u64;
        for round in 0..50 {
            for _ in 0..20 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let text = format!("{:x}", (seed >> 40) % 3_000);
                let number = texts.number(&text);
                assert_eq!(number, texts.number(&text));
                assert_eq!(texts.text(number), text);
                seen.push(text);
            }
            texts.settle();
            seen.sort();
            seen.dedup();
            let ranks: Vec<u32> = seen
                .iter()
                .map(|text| {
                    let number = texts.number(text);
                    texts.rank(number)
                })
                .collect();
            assert!(
                ranks.iter().copied().eq(0..seen.len() as u32),
                "{round}: {ranks:?}"
            );
        }
    }
}
