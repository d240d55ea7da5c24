//! Faults to order: which request of a path or call is answered with what.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::{Bound, RangeBounds};

use crate::Answer;

/// Ordered faults by key, and how often each key was asked.
#[derive(Debug)]
pub(crate) struct Faults<K> {
    ordered: Vec<Order<K>>,
    asked: HashMap<K, u64>,
}

#[derive(Debug)]
struct Order<K> {
    key: K,
    numbers: (Bound<u64>, Bound<u64>),
    fault: Fault,
}

/// What happens to a request for which a fault is ordered.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// It is answered with this and has no effect.
    Instead(Answer),
    /// It takes effect, and then this is the answer.
    Afterwards(Answer),
}

impl<K> Default for Faults<K> {
    fn default() -> Faults<K> {
        Faults {
            ordered: Vec::new(),
            asked: HashMap::new(),
        }
    }
}

impl<K: Eq + Hash + Clone> Faults<K> {
    pub(crate) fn order(&mut self, key: K, numbers: impl RangeBounds<u64>, fault: Fault) {
        let numbers = (numbers.start_bound().cloned(), numbers.end_bound().cloned());
        self.ordered.push(Order {
            key,
            numbers,
            fault,
        });
    }

    /// Counts this request and gives the fault that was ordered for it last.
    pub(crate) fn next(&mut self, key: &K) -> Option<Fault> {
        let number = self.asked.entry(key.clone()).or_default();
        *number += 1;
        let number = *number;
        let due = |order: &&Order<K>| order.key == *key && order.numbers.contains(&number);
        self.ordered
            .iter()
            .rev()
            .find(due)
            .map(|order| order.fault.clone())
    }
}
