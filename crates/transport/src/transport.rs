use std::fmt;

use async_trait::async_trait;

use crate::{Error, Request, Response};

/// Sends one request and returns the whole answer.
///
/// Implement it to use another HTTP client, to record traffic or to play a server in a test.
///
/// # Contract
///
/// - One call is **one** attempt: no retry, no redirect followed, no wait for rate limits. All of
///   that is [`Client`](crate::Client)'s.
/// - `Ok` means that the whole body is there, decompressed. A body that was cut is an error of
///   kind [`Truncated`](crate::ErrorKind::Truncated).
/// - Every status is `Ok`, also 404 and 500.
/// - `Response::url` is the URL that was asked for.
/// - Errors hold no header value, no query and no body.
/// - Dropping the future ends the attempt and frees its connection.
#[async_trait]
pub trait Transport: fmt::Debug + Send + Sync + 'static {
    /// Makes one attempt.
    ///
    /// # Errors
    ///
    /// Whatever prevented a whole answer; [`Error::is_retryable`] decides whether another attempt
    /// is made.
    async fn send(&self, request: Request) -> Result<Response, Error>;
}
