use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Error, Request};

/// Puts credentials on each request of an exchange, and renews them.
///
/// This is where authentication plugs into [`Client::send`](crate::Client::send). It may also sign
/// a request or stamp a date: it sees every request in its final form, each time anew.
///
/// # Contract
///
/// - [`prepare`](Prepare::prepare) runs before every request that gets credentials: the first, each
///   retry, each redirect hop inside the origin; again for one that stood in line. It may
///   wait (for a token), and it must not change the origin of the URL.
/// - Headers that it adds are treated as secrets.
/// - An error of either method ends the exchange at once.
#[async_trait]
pub trait Prepare: fmt::Debug + Send + Sync {
    /// Adds what the request needs and says of which generation the credential is.
    ///
    /// # Errors
    ///
    /// There is no usable credential.
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error>;

    /// Called after a 401 on a request of generation `rejected`, at most once per exchange.
    ///
    /// # Errors
    ///
    /// The credential should have been renewed and could not be.
    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error>;

    /// Called after an answer that says that a rate limit is reached, with the wait that it leads to. Says for how long nobody shall
    /// ask the origin: `wait`, or less for those who have another credential with a limit of its own. Zero repeats the request at
    /// once, with whatever [`prepare`](Prepare::prepare) puts on it then.
    ///
    /// It is only told, so it neither waits nor fails. A wrapper passes it on.
    fn limited(&self, used: Generation, wait: Duration) -> Duration {
        let _ = used;
        wait
    }

    /// Called after a success that says that it was the last that the limit of this credential admits for as long as `reset`. For those who have
    /// another credential: nobody waits for it, and a request that goes out with this one all the same may well be answered.
    ///
    /// It is only told. A wrapper passes it on.
    fn used_up(&self, used: Generation, reset: Duration) {
        let _ = (used, reset);
    }
}

/// Counts renewals of a credential, so that many requests that were rejected together renew once.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Generation(pub u64);

/// What became of a rejected credential.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Renewal {
    /// There is a newer one: the request is repeated once.
    Renewed,
    /// There is none to be had: the rejection stands.
    Unchanged,
}

/// A [`Prepare`] that adds nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unauthenticated;

#[async_trait]
impl Prepare for Unauthenticated {
    async fn prepare(&self, _: &mut Request) -> Result<Generation, Error> {
        Ok(Generation(0))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}
