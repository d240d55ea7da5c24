use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use longshore_transport::{Generation, Renewal, Request};

use crate::Error;

/// A way to authenticate requests.
///
/// # Contract
///
/// - [`authenticate`](Authenticator::authenticate) is called for every request anew, also for
///   repeats, and must leave everything but the credential as it is: never the origin.
/// - It returns the generation of the credential that it used. Generations only grow.
/// - [`renew`](Authenticator::renew) gets the generation that was rejected. When a newer one is
///   there already, it answers [`Renewal::Renewed`] and asks nobody: that is how fifty rejected
///   requests lead to one login.
/// - Header values are marked sensitive, `Debug` and errors show no credential.
///
/// Both methods are required, so that a wrapper cannot forget to pass one on.
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
}

#[async_trait]
impl<A: Authenticator + ?Sized> Authenticator for Arc<A> {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        (**self).authenticate(request).await
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        (**self).renew(rejected).await
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
}
