use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex as StateLock, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Mutex;

use crate::{Clock, Generation, Renewal};

/// A credential is renewed this long before it expires, or a tenth of its lifetime if that is
/// less: a request that starts with it shall not arrive too late.
const LONGEST_MARGIN: Duration = Duration::from_secs(60);
const MARGIN_DIVISOR: u32 = 10;

/// What a login gave.
#[derive(Clone)]
#[non_exhaustive]
pub struct Issued<C> {
    /// The credential.
    pub credential: C,
    /// For how long it is valid, counted from the login. `None` or zero: until it is rejected.
    pub lifetime: Option<Duration>,
}

impl<C> Issued<C> {
    /// A credential, and for how long it is valid.
    pub fn new(credential: C, lifetime: Option<Duration>) -> Self {
        Issued {
            credential,
            lifetime,
        }
    }
}

/// A short-lived credential that many requests share and that is renewed once for all of them.
///
/// However many ask at once, there is one login at a time, and everybody who asked meanwhile gets
/// its result. Whoever carries out the login may be dropped: the next in line takes over, and
/// with the last one the login ends. A credential is replaced 60 s before it expires, or a tenth of
/// its lifetime if that is less, by the clock that never goes back. When that fails, the credential is
/// used on while it is valid, and the next login is tried half-way to its end.
///
/// A rejected credential whose renewal fails fails everything that is under way with it, whenever
/// its rejection arrives: one login for all of them. What starts afterwards tries again.
///
/// Each call brings the login along; all calls of one flight should bring the same one. An error is
/// given to everybody who waited for the login that failed, so it is cheap to clone.
pub struct SingleFlight<C, E> {
    clock: Arc<dyn Clock>,
    state: StateLock<State<C, E>>,
    /// Held by the one that logs in. The others stand in line for it.
    login: Mutex<()>,
}

struct State<C, E> {
    held: Option<Held<C>>,
    /// Counts credentials.
    generation: u64,
    /// Counts logins that came to an end, well or badly.
    logins: u64,
    /// The error of the last login that ended, if it failed.
    failure: Option<E>,
    /// The last generation that was rejected without there being another, and why.
    refused: Option<(Generation, E)>,
}

struct Held<C> {
    credential: C,
    /// On the monotonic clock.
    renewal: Option<Renewals>,
}

/// When a credential is replaced.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Renewals {
    due: Duration,
    /// It is not used any more.
    end: Duration,
}

impl<C: Clone, E: Clone> SingleFlight<C, E> {
    /// Starts without a credential: the first to ask logs in.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: StateLock::new(State {
                held: None,
                generation: 0,
                logins: 0,
                failure: None,
                refused: None,
            }),
            login: Mutex::new(()),
        }
    }

    /// The credential to use now, with its generation. Logs in if there is none or it is about
    /// to expire.
    ///
    /// # Errors
    ///
    /// The login failed. The next to ask after that tries again.
    pub async fn current<F>(&self, login: impl FnOnce() -> F + Send) -> Result<(Generation, C), E>
    where
        F: Future<Output = Result<Issued<C>, E>> + Send,
    {
        self.newer_than(None, login).await
    }

    /// Sees to it that there is a credential newer than `rejected`.
    ///
    /// # Errors
    ///
    /// The login failed. The next to ask after that tries again.
    pub async fn renew<F>(
        &self,
        rejected: Generation,
        login: impl FnOnce() -> F + Send,
    ) -> Result<Renewal, E>
    where
        F: Future<Output = Result<Issued<C>, E>> + Send,
    {
        self.newer_than(Some(rejected), login).await?;
        Ok(Renewal::Renewed)
    }

    async fn newer_than<F>(
        &self,
        rejected: Option<Generation>,
        login: impl FnOnce() -> F + Send,
    ) -> Result<(Generation, C), E>
    where
        F: Future<Output = Result<Issued<C>, E>> + Send,
    {
        let logins_before = {
            let state = self.state();
            if let Some(error) = state.refusal(rejected) {
                return Err(error);
            }
            if let Some(current) = state.usable(rejected, self.clock.now()) {
                return Ok(current);
            }
            state.logins
        };
        let _turn = self.login.lock().await;
        {
            let state = self.state();
            // A login that ended while this one stood in line answers for it: a failure is not
            // repeated by each in turn, and a credential that expires at once is still used once.
            if state.logins != logins_before {
                if let Some(error) = state.refusal(rejected) {
                    return Err(error);
                }
                if let Some(current) = state.usable(rejected, self.clock.now()) {
                    return Ok(current);
                }
                if let Some(failure) = &state.failure {
                    return Err(failure.clone());
                }
                if let Some(current) = state.issued(rejected) {
                    return Ok(current);
                }
            }
        }
        // Counted from before the login: the server's clock started somewhere in between.
        let start = self.clock.now();
        let result = login().await;
        let now = self.clock.now();
        self.state().finish(rejected, start, now, result)
    }

    fn state(&self) -> MutexGuard<'_, State<C, E>> {
        // Only a `clone` of the credential could panic under the lock, and it changes nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<C: Clone, E: Clone> State<C, E> {
    /// Why the credential of this generation has no successor.
    fn refusal(&self, rejected: Option<Generation>) -> Option<E> {
        let (last, error) = self.refused.as_ref()?;
        (rejected? <= *last).then(|| error.clone())
    }

    fn usable(&self, rejected: Option<Generation>, now: Duration) -> Option<(Generation, C)> {
        let is_due = |held: &Held<C>| held.renewal.is_some_and(|renewal| now >= renewal.due);
        // Who was rejected wants another credential, whatever its age.
        if rejected.is_none() && self.held.as_ref().is_some_and(is_due) {
            return None;
        }
        self.issued(rejected)
    }

    fn issued(&self, rejected: Option<Generation>) -> Option<(Generation, C)> {
        let generation = Generation(self.generation);
        let held = self.held.as_ref()?;
        rejected
            .is_none_or(|rejected| rejected < generation)
            .then(|| (generation, held.credential.clone()))
    }

    fn finish(
        &mut self,
        rejected: Option<Generation>,
        start: Duration,
        now: Duration,
        result: Result<Issued<C>, E>,
    ) -> Result<(Generation, C), E> {
        self.logins += 1;
        match result {
            Ok(issued) => {
                self.failure = None;
                self.refused = None;
                self.generation += 1;
                self.held = Some(Held {
                    credential: issued.credential.clone(),
                    renewal: Renewals::of(start, issued.lifetime),
                });
                Ok((Generation(self.generation), issued.credential))
            }
            Err(error) => {
                self.failure = Some(error.clone());
                if rejected.is_some() {
                    // Who has this generation shares the failure, now or later. The others get the next.
                    self.refused = Some((Generation(self.generation), error.clone()));
                    self.generation += 1;
                } else if self.used_on(now) {
                    return self.issued(None).ok_or(error);
                }
                Err(error)
            }
        }
    }

    /// Whether the credential, which was to be replaced, is still valid. The next login is tried half-way to its end.
    fn used_on(&mut self, now: Duration) -> bool {
        let renewal = self.held.as_mut().and_then(|held| held.renewal.as_mut());
        match renewal.filter(|renewal| now < renewal.end) {
            Some(renewal) => {
                renewal.due = now + (renewal.end - now) / 2;
                true
            }
            None => false,
        }
    }
}

impl Renewals {
    fn of(start: Duration, lifetime: Option<Duration>) -> Option<Renewals> {
        let lifetime = lifetime.filter(|lifetime| !lifetime.is_zero())?;
        let margin = LONGEST_MARGIN.min(lifetime / MARGIN_DIVISOR);
        let end = start.checked_add(lifetime)?;
        Some(Renewals {
            due: end - margin,
            end,
        })
    }
}

impl<C, E> fmt::Debug for SingleFlight<C, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("SingleFlight")
            .field("generation", &state.generation)
            .finish_non_exhaustive()
    }
}

impl<C> fmt::Debug for Issued<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued")
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_renewed_a_minute_or_a_tenth_of_its_lifetime_before_it_expires() {
        let secs = Duration::from_secs;
        for (lifetime, at) in [(10_800, 10_740), (600, 540), (300, 270), (10, 9)] {
            let renewal = Renewals::of(secs(5), Some(secs(lifetime))).unwrap();
            assert_eq!(
                (renewal.due, renewal.end),
                (secs(5 + at), secs(5 + lifetime))
            );
        }
        let renewal = Renewals::of(secs(0), Some(secs(1))).unwrap();
        assert_eq!(renewal.due, Duration::from_millis(900));
        for none in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
            assert_eq!(Renewals::of(secs(5_000), none), None);
        }
    }
}
