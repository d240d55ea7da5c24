//! What can go wrong with Port, for programs and for the person who has to change something.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use http::StatusCode;
use longshore_transport as transport;

use crate::{Deleted, Upserted};

/// Why a call to Port failed. `Display` is one line that says what to change; it holds no secret, query or body.
///
/// A call that is made of many requests may fail after some of them: [`Error::upserted`] and [`Error::deleted`] give
/// what Port had acknowledged by then.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    status: Option<StatusCode>,
    retryable: bool,
    /// Shared, because one failed token request fails all that waited for it.
    source: Option<Arc<dyn StdError + Send + Sync>>,
    done: Done,
}

/// What Port had acknowledged when the call failed.
#[derive(Clone, Default)]
enum Done {
    #[default]
    Nothing,
    Upserted(Upserted),
    Deleted(Deleted),
}

/// The kinds of [`Error`]. None of them ends the client: the next call starts afresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The client was set up with something unusable; no request was made.
    Config,
    /// A blueprint or an integration has a name that cannot stand in a URL; no request was made.
    Name,
    /// Port does not accept the credentials (401), also after a new token.
    Unauthorized,
    /// Port refuses the request for good (another status below 500).
    Refused,
    /// What is to be created is there already (409).
    Conflict,
    /// What the request is about does not exist at Port (404).
    NotFound,
    /// Port still asked to wait (429) when all attempts were used up.
    RateLimited,
    /// Port could not be reached, or failed (5xx), in every attempt. Worth another run later.
    Unavailable,
    /// Port answered with success, but with something that cannot be read or trusted.
    Answer,
    /// Port answered without a usable `Date`.
    Undated,
}

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Error {
        Error(Box::new(Inner {
            kind,
            message: message.into(),
            status: None,
            retryable: false,
            source: None,
            done: Done::Nothing,
        }))
    }

    /// An exchange that failed while `doing` something, such as "reading the integration".
    pub(crate) fn exchange(doing: &str, error: transport::Error) -> Error {
        if let Some(token) = in_chain(&error) {
            return token.clone();
        }
        let (kind, message) = judge(doing, &error);
        let mut ours = Error::new(kind, message);
        ours.0.status = error.status();
        ours.0.retryable = error.is_retryable();
        match kind {
            // The transport's advice for a 401 is about the credentials of the API that is read.
            ErrorKind::Unauthorized => ours,
            _ => ours.because(error),
        }
    }

    /// A refusal that Port explains.
    pub(crate) fn refused(doing: &str, status: StatusCode, words: &str) -> Error {
        let kind = match status {
            StatusCode::CONFLICT => ErrorKind::Conflict,
            _ => ErrorKind::Refused,
        };
        let mut ours = Error::new(
            kind,
            format!(
                "Port refused (status {}) while {doing}: {words}",
                status.as_u16()
            ),
        );
        ours.0.status = Some(status);
        ours
    }

    pub(crate) fn because(mut self, cause: transport::Error) -> Error {
        self.0.source = Some(Arc::new(cause));
        self
    }

    pub(crate) fn after_upserting(mut self, upserted: Upserted) -> Error {
        self.0.done = Done::Upserted(upserted);
        self
    }

    pub(crate) fn after_deleting(mut self, deleted: Deleted, of: usize) -> Error {
        self.0.message = format!(
            "deleted {} of {of}, then stopped: {}",
            deleted.deleted.len(),
            self.0.message
        );
        self.0.done = Done::Deleted(deleted);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may succeed later without a change of settings.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The status of Port's last answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// What a failed [`PortClient::upsert`](crate::PortClient::upsert) had done.
    pub fn upserted(&self) -> Option<&Upserted> {
        match &self.0.done {
            Done::Upserted(upserted) => Some(upserted),
            _ => None,
        }
    }

    /// What a failed [`PortClient::delete`](crate::PortClient::delete) had done.
    pub fn deleted(&self) -> Option<&Deleted> {
        match &self.0.done {
            Done::Deleted(deleted) => Some(deleted),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("status", &self.0.status)
            .field("source", &self.0.source)
            .finish_non_exhaustive()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// An error of ours that travelled through the transport: the token request's.
fn in_chain(error: &transport::Error) -> Option<&Error> {
    let mut next = error.source();
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        next = error.source();
    }
    None
}

fn judge(doing: &str, error: &transport::Error) -> (ErrorKind, String) {
    use transport::ErrorKind as Cause;
    // A 403 may be a rate limit, too.
    if error.kind() == Cause::RateLimited {
        return by_status(doing, StatusCode::TOO_MANY_REQUESTS);
    }
    if let Some(status) = error.status().filter(|status| !status.is_success()) {
        return by_status(doing, status);
    }
    match error.kind() {
        Cause::EmptyBody | Cause::Truncated => (
            ErrorKind::Unavailable,
            format!(
                "Port's answer was cut short in every attempt while {doing}: check the network and proxies, then run again"
            ),
        ),
        Cause::NotJson | Cause::TooDeep | Cause::Shape | Cause::BodyTooLarge => (
            ErrorKind::Answer,
            format!(
                "Port's answer could not be read while {doing}: check that OCEAN__PORT__BASE_URL is the address of Port's API"
            ),
        ),
        Cause::Config | Cause::ForeignOrigin | Cause::Redirect => (
            ErrorKind::Config,
            format!("the request was not possible while {doing}: check OCEAN__PORT__BASE_URL"),
        ),
        _ => (
            ErrorKind::Unavailable,
            format!(
                "Port could not be reached while {doing}: check OCEAN__PORT__BASE_URL, the network and proxies, then run again"
            ),
        ),
    }
}

fn by_status(doing: &str, status: StatusCode) -> (ErrorKind, String) {
    let code = status.as_u16();
    match code {
        300..=399 => (
            ErrorKind::Config,
            format!(
                "Port's address leads elsewhere ({code}) while {doing}: set OCEAN__PORT__BASE_URL to the address of Port's API itself"
            ),
        ),
        401 => (
            ErrorKind::Unauthorized,
            format!(
                "Port does not accept the credentials (401) while {doing}: check OCEAN__PORT__CLIENT_ID and OCEAN__PORT__CLIENT_SECRET, \
                 and that OCEAN__PORT__BASE_URL is the region of your account (https://api.getport.io or https://api.us.getport.io)"
            ),
        ),
        403 => (
            ErrorKind::Refused,
            format!("Port forbids (403) {doing}: use credentials that may do that"),
        ),
        404 => (
            ErrorKind::NotFound,
            format!(
                "Port does not know what is asked for (404) while {doing}: check that it exists, and OCEAN__PORT__BASE_URL"
            ),
        ),
        429 => (
            ErrorKind::RateLimited,
            format!(
                "Port's rate limit was still exceeded after all attempts while {doing}: run again later, or less often"
            ),
        ),
        408 | 500.. => (
            ErrorKind::Unavailable,
            format!("Port answered {code} in every attempt while {doing}: run again later"),
        ),
        _ => (
            ErrorKind::Refused,
            format!(
                "Port refused (status {code}) while {doing}: check OCEAN__PORT__BASE_URL and the mapping"
            ),
        ),
    }
}
