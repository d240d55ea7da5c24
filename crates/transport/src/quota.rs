use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use governor::RateLimiter;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};

use crate::{Clock, Error, ErrorKind, Origin};

/// The slowest quota: one request in this time.
const LONGEST_INTERVAL: Duration = Duration::from_secs(86_400);
/// The limiter reckons in 64 bits of nanoseconds; a burst of this length leaves room for five hundred years of running.
const LONGEST_BURST: Duration = Duration::from_secs(365 * 86_400);

/// How many requests an origin may get in a time.
///
/// Requests are spaced evenly: 5 a second are one every 200 ms, so that no window of a second holds more, however the server counts.
/// A [burst](Quota::burst) lets some go at once after a pause. Everything that one [`Client`](crate::Client) sends to an origin counts,
/// repeats and redirects included.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quota(governor::Quota);

impl Quota {
    /// So many requests a second; 0.5 is one every two seconds.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for less than one request a day, and for more than 10^9 a second.
    pub fn per_second(requests: f64) -> Result<Self, Error> {
        Self::every(1.0 / requests)
    }

    /// So many requests a minute.
    ///
    /// # Errors
    ///
    /// As for [`per_second`](Quota::per_second).
    pub fn per_minute(requests: f64) -> Result<Self, Error> {
        Self::every(60.0 / requests)
    }

    /// Requests that may go at once after a pause; 1 unless set. More than the quota lets through in a year are no more than that.
    #[must_use]
    pub fn burst(self, requests: NonZeroU32) -> Self {
        let most = LONGEST_BURST.as_nanos() / self.0.replenish_interval().as_nanos();
        let most = NonZeroU32::new(u32::try_from(most).unwrap_or(u32::MAX));
        Self(
            self.0
                .allow_burst(most.map_or(requests, |most| requests.min(most))),
        )
    }

    fn every(seconds: f64) -> Result<Self, Error> {
        Duration::try_from_secs_f64(seconds)
            .ok()
            .filter(|interval| *interval <= LONGEST_INTERVAL)
            .and_then(governor::Quota::with_period)
            .map(Self)
            .ok_or_else(|| {
                let message = "a quota must be a number from one request a day to 10^9 a second";
                Error::new(ErrorKind::Config, message)
            })
    }
}

/// What each origin has left of its quota.
pub(crate) struct Quotas {
    quota: Quota,
    clock: Arc<dyn Clock>,
    limiters: Mutex<HashMap<Origin, Arc<Limiter>>>,
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, LimiterClock, NoOpMiddleware<Nanos>>;

impl Quotas {
    pub(crate) fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        Self {
            quota,
            clock,
            limiters: Mutex::default(),
        }
    }

    /// Takes the place of one request, or says how long there is none.
    pub(crate) fn take(&self, origin: &Origin) -> Result<(), Duration> {
        let limiter = self.limiter(origin);
        limiter.check().map_err(|early| {
            let now = governor::clock::Clock::now(limiter.clock());
            early.wait_time_from(now)
        })
    }

    fn limiter(&self, origin: &Origin) -> Arc<Limiter> {
        let mut limiters = self.limiters.lock().unwrap_or_else(PoisonError::into_inner);
        limiters
            .entry(origin.clone())
            .or_insert_with(|| {
                let clock = LimiterClock(self.clock.clone());
                Arc::new(RateLimiter::direct_with_clock(self.quota.0, clock))
            })
            .clone()
    }
}

impl fmt::Debug for Quotas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quotas")
            .field("quota", &self.quota)
            .finish_non_exhaustive()
    }
}

/// The client's clock as the limiter reads it.
#[derive(Clone)]
struct LimiterClock(Arc<dyn Clock>);

impl governor::clock::Clock for LimiterClock {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        // 584 years of running fit.
        let nanos = u64::try_from(self.0.now().as_nanos()).unwrap_or(u64::MAX / 2);
        Nanos::from(Duration::from_nanos(nanos))
    }
}
