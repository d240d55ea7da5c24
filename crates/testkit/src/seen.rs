//! The log of requests that every double keeps.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use longshore_transport::Request;
use serde_json::Value;
use tokio::time::Instant;
use url::Url;

/// One request as a double saw it.
///
/// `Debug` prints method and URL only: a failed assertion over a log stays readable.
#[derive(Clone)]
pub struct Seen {
    /// When the request arrived, counted from the creation of the double (tokio's time, so paused time counts).
    pub at: Duration,
    /// Method.
    pub method: Method,
    /// The whole URL with its query.
    pub url: Url,
    /// Headers, credentials included: this is a test's log.
    pub headers: HeaderMap,
    /// The body, if there was one.
    pub body: Option<Bytes>,
    /// The status of the answer; None while it is under way, was given up, or broke.
    pub status: Option<StatusCode>,
}

impl Seen {
    /// The path, still percent-encoded.
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Path and query as they went over the wire.
    pub fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }

    /// The first value of this query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.url
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The first value of this header, if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        self.body
            .as_deref()
            .and_then(|body| serde_json::from_slice(body).ok())
            .unwrap_or(Value::Null)
    }
}

impl fmt::Debug for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.url)?;
        match self.status {
            Some(status) => write!(f, " -> {}", status.as_u16()),
            None => f.write_str(" -> nothing"),
        }
    }
}

/// Requests in the order of their arrival.
#[derive(Debug)]
pub(crate) struct Log {
    start: Instant,
    seen: Mutex<Vec<Seen>>,
}

impl Default for Log {
    fn default() -> Log {
        Log {
            start: Instant::now(),
            seen: Mutex::default(),
        }
    }
}

impl Log {
    /// Notes a request; the number is the handle for [`Log::answered`].
    pub(crate) fn arrived(&self, request: &Request) -> usize {
        let mut seen = lock(&self.seen);
        seen.push(Seen {
            at: self.start.elapsed(),
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: None,
        });
        seen.len() - 1
    }

    pub(crate) fn answered(&self, number: usize, status: StatusCode) {
        if let Some(seen) = lock(&self.seen).get_mut(number) {
            seen.status = Some(status);
        }
    }

    pub(crate) fn all(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }
}

/// A lock that a panicking test thread left behind is still good for its other threads' reports.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
