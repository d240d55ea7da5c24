use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_transport::{Clock, Generation, Issued, Renewal, SingleFlight};

use crate::Error;

/// Where new credentials come from: one login.
#[async_trait]
pub trait CredentialSource: Send + Sync + 'static {
    /// What a login gives. It is never shown.
    type Credential: Clone + Send + Sync;

    /// Logs in once. Repeating a failed login is up to the source, and
    /// [`RetryScope::Token`](longshore_transport::RetryScope::Token) is made for it.
    ///
    /// # Errors
    ///
    /// The login failed. Everybody who waits for it gets this error; the next to ask after that
    /// tries again.
    async fn fetch(&self) -> Result<Issued<Self::Credential>, Error>;
}

/// A credential that many requests share and that is renewed once for all of them: a
/// [`CredentialSource`] behind a [`SingleFlight`], which says when it logs in.
pub struct Renewing<S: CredentialSource> {
    source: S,
    flight: SingleFlight<S::Credential, Error>,
}

impl<S: CredentialSource> Renewing<S> {
    /// Starts without a credential: the first to ask logs in.
    pub fn new(source: S, clock: Arc<dyn Clock>) -> Self {
        Self {
            source,
            flight: SingleFlight::new(clock),
        }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    /// The credential to use now, with its generation. Logs in if there is none or it is about
    /// to expire.
    ///
    /// # Errors
    ///
    /// The login failed.
    pub async fn current(&self) -> Result<(Generation, S::Credential), Error> {
        self.flight.current(|| self.source.fetch()).await
    }

    /// Sees to it that there is a credential newer than `rejected`.
    ///
    /// # Errors
    ///
    /// The login failed.
    pub async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.flight.renew(rejected, || self.source.fetch()).await
    }
}

impl<S: CredentialSource> fmt::Debug for Renewing<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewing")
            .field("flight", &self.flight)
            .finish_non_exhaustive()
    }
}
