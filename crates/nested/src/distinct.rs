//! Which values came before, in 16 bytes each.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Remembers values by keyed hashes of 128 bits: two values that share one by chance would cost the children of one of them, and with 128
/// bits that does not happen.
#[derive(Debug, Default)]
pub struct Distinct {
    keys: [RandomState; 2],
    seen: HashSet<u128>,
}

impl Distinct {
    /// Nothing yet.
    pub fn new() -> Self {
        Distinct::default()
    }

    /// Takes note of a value that has these parts. Says whether it is new.
    pub fn insert(&mut self, parts: &[&str]) -> bool {
        let [high, low] = self.keys.each_ref().map(|key| key.hash_one(parts));
        self.seen.insert(u128::from(high) << 64 | u128::from(low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let mut distinct = Distinct::new();
        assert!(distinct.insert(&["ab", "c"]));
        assert!(distinct.insert(&["a", "bc"]));
        assert!(!distinct.insert(&["ab", "c"]));
    }
}
