//! Work that goes on when those who wait for it are dropped.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared};
use longshore_transport::{Clock, Issued};

use crate::{Error, ErrorKind};

/// At most one login under way, in a task of its own. Whoever asks meanwhile, or after nobody waited for its end, gets what it gives.
///
/// Dropping the waiters ends everything else in this workspace. Here the server has taken a refresh token already and its answer is the only copy of the next.
pub(crate) struct Lasting<T> {
    clock: Arc<dyn Clock>,
    running: Mutex<Option<Running<T>>>,
}

#[derive(Clone)]
struct Running<T> {
    start: Duration,
    end: Shared<BoxFuture<'static, Result<T, Error>>>,
}

impl<C: Clone + Send + Sync + 'static> Lasting<Issued<C>> {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Lasting {
            clock,
            running: Mutex::default(),
        }
    }

    /// What the work under way gives; begins `work` where there is none.
    pub(crate) async fn result_of(
        &self,
        work: impl Future<Output = Result<Issued<C>, Error>> + Send + 'static,
    ) -> Result<Issued<C>, Error> {
        let asked = self.clock.now();
        let running = {
            let mut running = self.running();
            let known = running.take().filter(|known| self.is_of_use(known));
            running
                .insert(known.unwrap_or_else(|| self.begin(work)))
                .clone()
        };
        let result = running.end.clone().await;
        // It was told to somebody: who asks from now on wants another.
        let mut current = self.running();
        if current
            .as_ref()
            .is_some_and(|current| current.end.ptr_eq(&running.end))
        {
            *current = None;
        }
        drop(current);
        // It lasts from its beginning, and whoever joined counts from when it asked.
        result.map(|issued| {
            let lifetime = issued.lifetime;
            let left = lifetime.map(|lifetime| running.left(lifetime, asked));
            Issued::new(issued.credential, left)
        })
    }

    /// Waits until no work is under way.
    pub(crate) async fn settled(&self) {
        let running = self.running().clone();
        if let Some(running) = running {
            let _ = running.end.await;
        }
    }

    fn begin(
        &self,
        work: impl Future<Output = Result<Issued<C>, Error>> + Send + 'static,
    ) -> Running<Issued<C>> {
        let task = tokio::spawn(work);
        let end = async {
            task.await.unwrap_or_else(|_| {
                let message = "the runtime ended during the login";
                Err(Error::new(ErrorKind::Other, message))
            })
        };
        Running {
            start: self.clock.now(),
            end: end.boxed().shared(),
        }
    }

    /// Whether it is under way, or ended well with nobody there and lasts still.
    fn is_of_use(&self, running: &Running<Issued<C>>) -> bool {
        match running.end.clone().now_or_never() {
            None => true,
            Some(Err(_)) => false,
            Some(Ok(issued)) => issued
                .lifetime
                .is_none_or(|lifetime| !running.left(lifetime, self.clock.now()).is_zero()),
        }
    }

    fn running(&self) -> MutexGuard<'_, Option<Running<Issued<C>>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Running<T> {
    /// What is left at `now` of a lifetime that began with it.
    fn left(&self, lifetime: Duration, now: Duration) -> Duration {
        lifetime.saturating_sub(now.saturating_sub(self.start))
    }
}
