use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Error, ErrorKind, Origin};

/// Retries that an origin is worth before it counts as down, unless set: one hundred in a row.
const DEFAULT_CAPACITY: u32 = 500;
/// What a retry takes out.
const RETRY_COST: u32 = 5;
/// What a retry after a timeout takes out: those cost the server most.
const TIMEOUT_COST: u32 = 10;
/// What an exchange that succeeds with its first request puts in.
const FIRST_SUCCESS_GAIN: u32 = 1;

/// How many retries an origin gets before it counts as down.
///
/// Each origin has a bucket of tokens, full at first. A retry takes 5, after a timeout 10; an exchange that succeeds at the first
/// request puts 1 in, and one that succeeds after retries puts back what the last of them took. An empty bucket ends exchanges at
/// their first failure, so that a server that is down is not asked six times for every page. (The rule is that of the AWS SDKs'
/// standard retry mode.)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RetryBudget {
    capacity: u32,
}

impl RetryBudget {
    /// A bucket of `capacity` tokens; the default is 500.
    pub const fn new(capacity: u32) -> Self {
        Self { capacity }
    }
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self::new(DEFAULT_CAPACITY)
    }
}

/// What the last retry of one exchange took, and from which bucket; nothing while there was none.
#[derive(Debug, Default)]
pub(crate) struct Spent(Option<(Origin, u32)>);

/// The buckets of all origins.
#[derive(Debug)]
pub(crate) struct Budgets {
    capacity: u32,
    /// Tokens of the buckets that are not full.
    buckets: Mutex<HashMap<Origin, u32>>,
    /// How many those are, so that nothing is locked while all goes well.
    open: AtomicUsize,
}

impl Budgets {
    pub(crate) fn new(budget: RetryBudget) -> Self {
        Self {
            capacity: budget.capacity,
            buckets: Mutex::default(),
            open: AtomicUsize::new(0),
        }
    }

    /// Takes the price of a retry after `error`; says whether the bucket had it.
    pub(crate) fn take(&self, origin: &Origin, error: &Error, spent: &mut Spent) -> bool {
        let price = match error.kind() {
            ErrorKind::Timeout => TIMEOUT_COST,
            _ => RETRY_COST,
        };
        let mut buckets = self.lock();
        let tokens = buckets.entry(origin.clone()).or_insert(self.capacity);
        let enough = *tokens >= price;
        if enough {
            *tokens -= price;
            spent.0 = Some((origin.clone(), price));
        }
        self.open.store(buckets.len(), Ordering::Relaxed);
        enough
    }

    /// Puts in what a success at `origin` is worth.
    pub(crate) fn succeeded(&self, origin: &Origin, spent: &Spent) {
        if self.open.load(Ordering::Relaxed) == 0 {
            return;
        }
        let (origin, gain) = match &spent.0 {
            None => (origin, FIRST_SUCCESS_GAIN),
            Some((charged, price)) => (charged, *price),
        };
        let mut buckets = self.lock();
        if let Some(tokens) = buckets.get_mut(origin) {
            *tokens = tokens.saturating_add(gain);
            if *tokens >= self.capacity {
                buckets.remove(origin);
            }
        }
        self.open.store(buckets.len(), Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, u32>> {
        // No code that can panic runs under the lock.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
