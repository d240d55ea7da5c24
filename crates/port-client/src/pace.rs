//! Going slower before Port's rate limit is reached, and waiting at it.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use longshore_transport::{Allowance, Clock, ResetUnit, Response};

/// Requests are spread evenly over the rest of the window from the moment on when one of so many is left: others of the organisation share them.
const SCARCE: u64 = 5;
/// `Date` and `x-ratelimit-reset` are cut to seconds.
const PRECISION: Duration = Duration::from_secs(1);
/// No window is waited for that goes on for longer: Port is asked, and how long its answer is waited for is the transport's to say.
const LONGEST: Duration = Duration::from_secs(300);

/// Lets requests pass at a pace that Port's limit allows.
///
/// Each organisation may make so many requests in a window, and every answer says how many are left and when the next window begins. Limits are
/// not guessed: before the first answer, and after the end of a window, requests pass as they come.
pub(crate) struct Pace {
    clock: Arc<dyn Clock>,
    window: Mutex<Option<Window>>,
    in_flight: AtomicU64,
}

/// What is known of the limit. Times are those of the clock.
#[derive(Clone, Copy, Debug)]
struct Window {
    limit: Option<u64>,
    /// Requests that are left by the latest answer, those in flight taken off.
    left: u64,
    ends: Duration,
    /// When the next request may pass.
    next: Duration,
}

/// A request that is under way.
pub(crate) struct Pass<'a>(&'a Pace);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Pace {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Pace {
        Pace {
            clock,
            window: Mutex::default(),
            in_flight: AtomicU64::default(),
        }
    }

    /// Waits until a request may go out. It is in flight until the pass is dropped.
    pub(crate) async fn pass(&self) -> Pass<'_> {
        while let Some(wait) = self.take() {
            self.clock.sleep(wait).await;
        }
        Pass(self)
    }

    /// Takes one of the requests that are left, or says how long to wait before trying again.
    fn take(&self) -> Option<Duration> {
        let now = self.clock.now();
        let mut window = self.lock();
        if window.is_some_and(|window| window.ends <= now) {
            *window = None;
        }
        let wait = window.as_mut().and_then(|window| window.take(now));
        if wait.is_none() {
            self.in_flight.fetch_add(1, Ordering::Relaxed);
        }
        wait
    }

    /// Takes note of what an answer says; its own request is still in flight.
    pub(crate) fn note(&self, response: &Response) {
        let told = Allowance::of(&response.headers, ResetUnit::BySize, || self.clock.wall());
        let Some(told) = told.filter(|told| told.reset <= LONGEST) else {
            return;
        };
        let now = self.clock.now();
        let ends = now + told.reset + PRECISION;
        let mut window = self.lock();
        // An answer from before the window may come late.
        if window.is_some_and(|known| ends + PRECISION * 2 < known.ends) {
            return;
        }
        // Whether those that are in flight are counted already nobody knows.
        let others = self.in_flight.load(Ordering::Relaxed).saturating_sub(1);
        *window = Some(Window {
            limit: told.limit,
            left: told.remaining.saturating_sub(others),
            ends: window.map_or(ends, |known| ends.max(known.ends)),
            next: window.map_or(now, |known| known.next),
        });
    }

    fn lock(&self) -> MutexGuard<'_, Option<Window>> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Window {
    fn take(&mut self, now: Duration) -> Option<Duration> {
        let rest = self.ends - now;
        if self.left == 0 {
            tracing::info!(
                seconds = rest.as_secs(),
                "Port's rate limit is used up, waiting for it"
            );
            return Some(rest);
        }
        if now < self.next {
            return Some(self.next - now);
        }
        self.left -= 1;
        let is_scarce = self
            .limit
            .is_some_and(|limit| self.left.saturating_mul(SCARCE) < limit);
        if is_scarce {
            let requests = u32::try_from(self.left + 1).unwrap_or(u32::MAX);
            self.next = now + rest / requests;
        }
        None
    }
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pace")
            .field("window", &*self.lock())
            .finish_non_exhaustive()
    }
}
