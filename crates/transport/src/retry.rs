use std::time::Duration;

use crate::RetryBudget;

/// How often and after which waits an exchange is tried again.
///
/// Where the server told how long to wait, that is waited plus up to a tenth; else a random part
/// of a bound that doubles ("full jitter", from the AWS Architecture Blog's "Exponential Backoff
/// And Jitter").
///
/// ```
/// use std::time::Duration;
/// use longshore_transport::RetryPolicy;
///
/// let patient = RetryPolicy::default().attempts(10).cap(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RetryPolicy {
    pub(crate) attempts: u32,
    base: Duration,
    cap: Duration,
    pub(crate) told_cap: Duration,
    pub(crate) budget: Option<RetryBudget>,
}

impl Default for RetryPolicy {
    /// Six tries, waits from 200 ms doubling to 20 s, told waits up to 300 s, and the default [`RetryBudget`].
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_millis(200),
            cap: Duration::from_secs(20),
            told_cap: Duration::from_secs(300),
            budget: Some(RetryBudget::default()),
        }
    }
}

impl RetryPolicy {
    /// Tries of an exchange in all, the first included. 0 counts as 1.
    #[must_use]
    pub fn attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    /// Bound of the first wait, and the least wait where the server told one.
    #[must_use]
    pub fn base(mut self, base: Duration) -> Self {
        self.base = base;
        self
    }

    /// Largest bound that doubling leads to.
    #[must_use]
    pub fn cap(mut self, cap: Duration) -> Self {
        self.cap = cap;
        self
    }

    /// Longest told wait that is waited for; a longer one ends the exchange at once.
    #[must_use]
    pub fn told_cap(mut self, cap: Duration) -> Self {
        self.told_cap = cap;
        self
    }

    /// Retries that each origin gets over all exchanges; `None` is without end.
    #[must_use]
    pub fn budget(mut self, budget: Option<RetryBudget>) -> Self {
        self.budget = budget;
        self
    }

    /// The wait before retry number `retry` (from 1).
    ///
    /// A server that tells a wait shorter than `base`, none that makes sense, or one in the past
    /// gets the growing backoff, but never less than `base`: no loop without delay.
    pub(crate) fn wait(
        &self,
        retry: u32,
        told: Option<Duration>,
        random: &mut fastrand::Rng,
    ) -> Duration {
        let doublings = retry.saturating_sub(1).min(31);
        let bound = self.base.saturating_mul(1 << doublings).min(self.cap);
        match told {
            None => bound.mul_f64(random.f64()),
            Some(told) => {
                let least = if told >= self.base {
                    told
                } else {
                    let growth = bound.saturating_sub(self.base);
                    self.base + growth.mul_f64(random.f64())
                };
                least.saturating_add(least.mul_f64(random.f64() * TOLD_JITTER))
            }
        }
    }

    /// The longest pause that a told wait within the cap can lead to.
    pub(crate) fn longest_pause(&self) -> Duration {
        self.told_cap
            .saturating_add(self.told_cap.mul_f64(TOLD_JITTER))
    }
}

/// Part of a told wait that is added at random, so that clients do not come back all at once.
const TOLD_JITTER: f64 = 0.1;

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(retry: u32, told: Option<Duration>) -> Vec<f64> {
        (0..1_000)
            .map(|seed| {
                RetryPolicy::default()
                    .wait(retry, told, &mut fastrand::Rng::with_seed(seed))
                    .as_secs_f64()
            })
            .collect()
    }

    #[test]
    fn full_jitter_has_half_the_bound_as_its_mean() {
        for (retry, bound) in [(1, 0.2), (2, 0.4), (5, 3.2), (20, 20.0), (u32::MAX, 20.0)] {
            let waits = waits(retry, None);
            let mean = waits.iter().sum::<f64>() / 1_000.0;
            assert!(
                (mean / (bound / 2.0) - 1.0).abs() < 0.05,
                "retry {retry}: {mean}"
            );
            assert!(waits.iter().all(|wait| *wait <= bound));
            assert!(waits.iter().any(|wait| *wait > 0.95 * bound));
        }
    }

    #[test]
    fn a_told_wait_is_kept_and_exceeded_by_a_tenth_at_most() {
        for retry in [1, 5] {
            let waits = waits(retry, Some(Duration::from_secs(7)));
            assert!(waits.iter().all(|wait| (7.0..=7.7).contains(wait)));
            assert!(waits.iter().any(|wait| *wait > 7.6));
        }
    }

    #[test]
    fn a_told_wait_without_length_is_never_below_the_base() {
        assert!(
            waits(1, Some(Duration::ZERO))
                .iter()
                .all(|wait| (0.2..=0.22).contains(wait))
        );
        let later = waits(5, Some(Duration::ZERO));
        assert!(later.iter().all(|wait| (0.2..=3.52).contains(wait)));
        assert!(later.iter().any(|wait| *wait > 2.0), "it grows");
    }

    #[test]
    fn extreme_policies_do_not_overflow() {
        let policy = RetryPolicy {
            attempts: 0,
            base: Duration::MAX / 2,
            cap: Duration::MAX / 2,
            told_cap: Duration::MAX / 2,
            budget: None,
        };
        let random = &mut fastrand::Rng::with_seed(1);
        policy.wait(9, None, random);
        policy.wait(9, Some(Duration::MAX / 2), random);
        policy.longest_pause();
    }
}
