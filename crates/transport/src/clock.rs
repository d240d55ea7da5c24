use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

/// Where time comes from, so that tests decide how it passes.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Time since some fixed moment; never goes back. All waiting is reckoned with it.
    fn now(&self) -> Duration;

    /// Time of day. Only for comparing with dates that a server sends.
    fn wall(&self) -> SystemTime;

    /// Ends after `duration`.
    async fn sleep(&self, duration: Duration);
}

/// The clock of the tokio runtime; stands still where the runtime's time is paused.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        Self {
            start: tokio::time::Instant::now(),
        }
    }
}

impl Default for TokioClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for TokioClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}
