use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::Origin;

/// Which origins asked to be left alone, and until when on the client's clock.
#[derive(Debug, Default)]
pub(crate) struct Gate(Mutex<HashMap<Origin, Duration>>);

impl Gate {
    /// Pauses `origin`; never shortens a pause that is longer.
    pub(crate) fn pause(&self, origin: &Origin, until: Duration) {
        let mut pauses = self.lock();
        let end = pauses.entry(origin.clone()).or_default();
        *end = until.max(*end);
    }

    /// How long `origin` is still paused.
    pub(crate) fn remaining(&self, origin: &Origin, now: Duration) -> Option<Duration> {
        let mut pauses = self.lock();
        let end = *pauses.get(origin)?;
        if end > now {
            Some(end - now)
        } else {
            pauses.remove(origin);
            None
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, Duration>> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
