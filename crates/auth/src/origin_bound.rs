use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longshore_transport::{Error, Generation, Origin, Prepare, Renewal, Request};

use crate::Authenticator;

/// Lets the credentials of an authenticator reach one origin and no other, unless others are named.
///
/// A request to any other origin gets nothing, and its 401 renews nothing.
#[derive(Clone, Debug)]
pub struct OriginBound {
    authenticator: Arc<dyn Authenticator>,
    origins: Vec<Origin>,
}

impl OriginBound {
    /// Binds `authenticator` to `origin`.
    pub fn new(authenticator: Arc<dyn Authenticator>, origin: Origin) -> Self {
        Self {
            authenticator,
            origins: vec![origin],
        }
    }

    /// Lets the credentials reach these origins as well.
    #[must_use]
    pub fn and_origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.origins.extend(origins);
        self
    }

    /// Waits for what must not be lost: see [`Authenticator::settled`].
    pub async fn settled(&self) {
        self.authenticator.settled().await;
    }
}

/// Marks requests that went without credentials; no authenticator counts this far.
const WITHOUT: Generation = Generation(u64::MAX);

#[async_trait]
impl Prepare for OriginBound {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        if self.origins.contains(&Origin::of(&request.url)?) {
            Ok(self.authenticator.authenticate(request).await?)
        } else {
            Ok(WITHOUT)
        }
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        if rejected == WITHOUT {
            Ok(Renewal::Unchanged)
        } else {
            Ok(self.authenticator.renew(rejected).await?)
        }
    }

    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        match used {
            WITHOUT => wait,
            used => self.authenticator.limited(used, wait),
        }
    }

    fn used_up(&self, used: Generation, reset: Duration) {
        if used != WITHOUT {
            self.authenticator.used_up(used, reset);
        }
    }
}
