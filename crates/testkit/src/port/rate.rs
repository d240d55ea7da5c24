//! Port's limit on requests.

use std::time::{Duration, SystemTime};

use crate::Answer;

/// A rate limit in windows of fixed length, the first of which begins with the first request.
pub(super) struct Rate {
    limit: u64,
    period: Duration,
    began: Option<SystemTime>,
    used: u64,
}

impl Rate {
    pub(super) fn new(limit: u64, period: Duration) -> Rate {
        Rate {
            limit,
            period,
            began: None,
            used: 0,
        }
    }

    /// Counts a request. Whether it is within the limit.
    pub(super) fn take(&mut self, now: SystemTime) -> bool {
        let is_over = |began: SystemTime| {
            now.duration_since(began)
                .is_ok_and(|age| age >= self.period)
        };
        if self.began.is_none_or(is_over) {
            self.began = Some(now);
            self.used = 0;
        }
        self.used += 1;
        self.used <= self.limit
    }

    pub(super) fn told(&self, answer: Answer, now: SystemTime) -> Answer {
        let reset = self.began.unwrap_or(now) + self.period;
        let reset = reset
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let remaining = self.limit.saturating_sub(self.used);
        answer
            .header("x-ratelimit-limit", &self.limit.to_string())
            .header("x-ratelimit-remaining", &remaining.to_string())
            .header("x-ratelimit-period", &self.period.as_secs().to_string())
            .header("x-ratelimit-reset", &reset.as_secs().to_string())
    }
}
