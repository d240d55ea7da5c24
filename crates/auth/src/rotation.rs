use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use longshore_transport::{Clock, Generation, Renewal, Request};

use crate::credential::config;
use crate::{Authenticator, Error};

/// Several credentials for one API, each with a limit of its own: requests go with one until it is limited, then with the one whose limit lies back the
/// longest.
///
/// A credential that is limited rests for as long as the API told, while others go on at once. A success that says that nothing is left
/// (`X-RateLimit-Remaining: 0`) counts as well, so that no request is wasted on being refused while another credential is free. Only
/// when all of them rest does the API get a pause, until the first is free again; it begins with the first answer that refuses.
#[derive(Clone)]
pub struct Rotation {
    members: Arc<[Box<dyn Authenticator>]>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    /// For each member when it was limited last, by the clock.
    limited: Vec<Limit>,
    /// The member that requests go with.
    current: Option<usize>,
    /// What the generations that were handed out stand for.
    handed_out: BTreeMap<Generation, Used>,
}

#[derive(Clone, Copy, Default)]
struct Limit {
    at: Option<Duration>,
    until: Duration,
}

#[derive(Clone, Copy, Eq, PartialEq)]
struct Used {
    member: usize,
    generation: Generation,
}

/// Generations that requests may still come back with; older ones count as replaced.
const KEPT: usize = 1024;

impl Rotation {
    /// Rotates `members`, in this order as long as none was limited.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) when there are none.
    pub fn new(
        members: Vec<Box<dyn Authenticator>>,
        clock: Arc<dyn Clock>,
    ) -> Result<Rotation, Error> {
        if members.is_empty() {
            return config("there are no credentials to rotate");
        }
        Ok(Rotation {
            state: Arc::new(Mutex::new(State {
                limited: vec![Limit::default(); members.len()],
                current: None,
                handed_out: BTreeMap::new(),
            })),
            members: members.into(),
            clock,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The member to use: one that is free, else the one that will be first. The current one stays until it is limited.
    fn choose(&mut self, now: Duration) -> usize {
        if let Some(current) = self.current {
            return current;
        }
        let order = |index: &usize| {
            let limit = &self.limited[*index];
            match limit.at.is_none() || limit.until <= now {
                true => (false, limit.at.unwrap_or_default()),
                false => (true, limit.until),
            }
        };
        let chosen = (0..self.limited.len()).min_by_key(order).unwrap_or(0);
        self.current = Some(chosen);
        chosen
    }

    /// The member has reached its limit, and is not used for as long as `rest` while others can be.
    fn rest(&mut self, member: usize, now: Duration, rest: Duration) {
        let limit = &mut self.limited[member];
        limit.until = limit.until.max(now.saturating_add(rest));
        limit.at = Some(now);
        self.current = self.current.filter(|current| *current != member);
    }

    /// The generation of ours for what a member used, always the same: who meets it again knows that this one was tried.
    fn hand_out(&mut self, used: Used) -> Generation {
        let known = self.handed_out.iter().rev();
        if let Some((generation, _)) = known.clone().find(|(_, known)| **known == used) {
            return *generation;
        }
        let last = self.handed_out.last_key_value();
        let next = Generation(last.map_or(0, |(last, _)| last.0 + 1));
        self.handed_out.insert(next, used);
        if self.handed_out.len() > KEPT {
            self.handed_out.pop_first();
        }
        next
    }
}

#[async_trait]
impl Authenticator for Rotation {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        let member = self.state().choose(self.clock.now());
        let generation = self.members[member].authenticate(request).await?;
        Ok(self.state().hand_out(Used { member, generation }))
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        let used = self.state().handed_out.get(&rejected).copied();
        match used {
            Some(used) => self.members[used.member].renew(used.generation).await,
            // So old that another one has long been current.
            None => Ok(Renewal::Renewed),
        }
    }

    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(used) = state.handed_out.get(&used).copied() {
            // A member that has a rotation of its own may have another credential at once.
            let rest = self.members[used.member].limited(used.generation, wait);
            state.rest(used.member, now, rest);
        }
        let first_free = state.limited.iter().map(|limit| limit.until).min();
        first_free.unwrap_or_default().saturating_sub(now)
    }

    fn used_up(&self, used: Generation, reset: Duration) {
        let now = self.clock.now();
        let mut state = self.state();
        if let Some(used) = state.handed_out.get(&used).copied() {
            self.members[used.member].used_up(used.generation, reset);
            state.rest(used.member, now, reset);
        }
    }

    async fn settled(&self) {
        for member in self.members.iter() {
            member.settled().await;
        }
    }
}

impl fmt::Debug for Rotation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rotation")
            .field("members", &self.members)
            .finish_non_exhaustive()
    }
}
