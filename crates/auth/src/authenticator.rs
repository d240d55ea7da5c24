use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use longshore_transport::{Generation, Renewal, Request};

use crate::Error;

/// A way to authenticate requests.
///
/// # Contract
///
/// - [`authenticate`](Authenticator::authenticate) is called for every request anew, also for
///   repeats, and must leave everything but the credential as it is: never the origin.
/// - It returns the generation of the credential that it used: the same for the same credential, a greater one for one that replaces it.
/// - [`renew`](Authenticator::renew) gets the generation that was rejected. When a newer one is
///   there already, it answers [`Renewal::Renewed`] and asks nobody: that is how fifty rejected
///   requests lead to one login.
/// - [`limited`](Authenticator::limited) and [`used_up`](Authenticator::used_up) are for those who have several credentials with a limit each. A wrapper passes them on.
/// - What [`authenticate`](Authenticator::authenticate) and [`renew`](Authenticator::renew) do ends when they are dropped, but for what must not be lost:
///   [`settled`](Authenticator::settled) waits for that.
/// - Header values are marked sensitive, `Debug` and errors show no credential.
///
/// The two that every scheme needs are required, so that a wrapper cannot forget to pass one on.
#[async_trait]
pub trait Authenticator: fmt::Debug + Send + Sync + 'static {
    /// Puts the credential on `request`, fetching it first if need be.
    ///
    /// # Errors
    ///
    /// There is no usable credential; the request is not sent.
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error>;

    /// Replaces the credential of generation `rejected`, unless that has been done.
    ///
    /// # Errors
    ///
    /// There should be a new one, and it could not be had.
    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error>;

    /// Hears that the API told the credential of generation `used` to wait, and says for how long all requests have to: not at all
    /// when another credential can go on. See [`Prepare::limited`](longshore_transport::Prepare::limited).
    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        let _ = used;
        wait
    }

    /// Hears that a success was the last that the limit of generation `used` admits for as long as `reset`. See
    /// [`Prepare::used_up`](longshore_transport::Prepare::used_up).
    fn used_up(&self, used: Generation, reset: Duration) {
        let _ = (used, reset);
    }

    /// Waits for what goes on when nobody waits for it, since it must not be lost: a refresh token that a server is about to replace. A program awaits it
    /// before it ends, for as long as it can wait. A wrapper passes it on.
    async fn settled(&self) {}
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        (**self).authenticate(request).await
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        (**self).renew(rejected).await
    }

    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        (**self).limited(used, wait)
    }

    fn used_up(&self, used: Generation, reset: Duration) {
        (**self).used_up(used, reset);
    }

    async fn settled(&self) {
        (**self).settled().await;
    }
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Box<A> {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        (**self).authenticate(request).await
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        (**self).renew(rejected).await
    }

    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        (**self).limited(used, wait)
    }

    fn used_up(&self, used: Generation, reset: Duration) {
        (**self).used_up(used, reset);
    }

    async fn settled(&self) {
        (**self).settled().await;
    }
}
