//! Which messages were read with the right checksum a short while ago.

use std::sync::atomic::{AtomicU64, Ordering};

/// Places that are remembered; a megabyte for all of a keeper's segments together.
const PLACES: usize = 128 * 1024;

/// A table of messages whose checksum was right when it was last looked at. Clients fetch the same
/// new messages again and again, and large ones in small parts: to check all of a message for each
/// of its parts would cost more than sending it. What is pushed out by others is checked again.
pub(super) struct Checked(Box<[AtomicU64]>);

impl Checked {
    pub(super) fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(0)).collect())
    }

    /// Whether the message there, with this checksum in its header, was found good.
    pub(super) fn has(&self, segment: u32, at: u64, crc: u32) -> bool {
        let (slot, entry) = self.entry(segment, at, crc);
        slot.load(Ordering::Relaxed) == entry
    }

    /// It was found good.
    pub(super) fn insert(&self, segment: u32, at: u64, crc: u32) {
        let (slot, entry) = self.entry(segment, at, crc);
        slot.store(entry, Ordering::Relaxed);
    }

    /// The place of a message in the table, and what stands there if it is known: half of a number
    /// that stands for where it is, and its checksum. Another message could be taken for it only
    /// where both are equal, and would then have to be damaged besides.
    fn entry(&self, segment: u32, at: u64, crc: u32) -> (&AtomicU64, u64) {
        // Fibonacci hashing: the upper bits depend on all bits of the place.
        let place = (u64::from(segment) << 40) ^ at;
        let hash = place.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let slot = (hash >> 40) as usize % PLACES;
        (&self.0[slot], (hash << 16 & !0xffff_ffff) | u64::from(crc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_good_is_known() {
        let checked = Checked::new();
        assert!(!checked.has(1, 64, 7));
        checked.insert(1, 64, 7);
        assert!(checked.has(1, 64, 7));
        assert!(!checked.has(1, 64, 8), "other bytes at the same place");
        assert!(!checked.has(2, 64, 7) && !checked.has(1, 128, 7));
        (0..100_000).for_each(|nth| checked.insert(3, nth * 64, 1));
        assert!(checked.has(3, 99_999 * 64, 1));
    }
}
