//! A set of numbers that takes little more room than the numbers.

use std::collections::HashSet;

/// A set of 64-bit numbers in about 10 bytes each: an ordered list, and a small set of what has come since the list was made.
///
/// A hash table takes 18 to 20 bytes for each right after it has grown, and half as much again while it grows.
#[derive(Clone, Debug, Default)]
pub(crate) struct CompactSet {
    ordered: Vec<u64>,
    recent: HashSet<u64>,
}

/// A list is not made for less.
const LEAST: usize = 4096;

impl CompactSet {
    /// Adds a number. Says whether it was not there.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        if self.ordered.binary_search(&number).is_ok() || !self.recent.insert(number) {
            return false;
        }
        if self.recent.len() >= LEAST.max(self.ordered.len() / 8) {
            self.settle();
        }
        true
    }

    pub(crate) fn contains(&self, number: u64) -> bool {
        self.recent.contains(&number) || self.ordered.binary_search(&number).is_ok()
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.ordered.len() + self.recent.len()
    }

    fn settle(&mut self) {
        // Not `reserve`, which would double.
        self.ordered.reserve_exact(self.recent.len());
        self.ordered.extend(self.recent.drain());
        self.ordered.sort_unstable();
        self.recent.shrink_to(LEAST.max(self.ordered.len() / 8));
    }
}

impl FromIterator<u64> for CompactSet {
    fn from_iter<I: IntoIterator<Item = u64>>(numbers: I) -> Self {
        let mut ordered: Vec<u64> = numbers.into_iter().collect();
        ordered.sort_unstable();
        ordered.dedup();
        ordered.shrink_to_fit();
        CompactSet {
            ordered,
            recent: HashSet::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_added_and_nothing_else() {
        let mut random = 7_u64;
        let mut next = || {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            // A small range, so that numbers come again.
            (random >> 33) % 60_000
        };
        let (mut set, mut model) = (CompactSet::default(), HashSet::new());
        for _ in 0..50_000 {
            let number = next();
            assert_eq!(set.insert(number), model.insert(number), "{number}");
        }
        assert_eq!(set.len(), model.len());
        for number in 0..60_000 {
            assert_eq!(set.contains(number), model.contains(&number), "{number}");
        }
        let collected: CompactSet = model.iter().chain(&model).copied().collect();
        assert_eq!(collected.len(), model.len());
        assert!(model.iter().all(|number| collected.contains(*number)));
    }

    #[test]
    fn a_million_numbers_take_less_than_12_bytes_each() {
        let mut set = CompactSet::default();
        for n in 0..1_000_000_u64 {
            set.insert(n.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        assert_eq!(set.len(), 1_000_000);
        // A hash set has a byte of its own beside each place.
        let bytes = set.ordered.capacity() * 8 + set.recent.capacity() * 9 * 8 / 7;
        assert!(bytes < 12_000_000, "{bytes}");
    }
}
