use std::fmt;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use http::{Method, StatusCode};
use url::Url;

use crate::{Error, SafeUrl, StatusRules};

/// A request, whole and ready to be repeated.
///
/// `Debug` shows no query, no header value and no body.
#[derive(Clone)]
#[non_exhaustive]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The absolute URL, query included.
    pub url: Url,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, if any.
    pub body: Option<Bytes>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// Sets a JSON body and `Content-Type: application/json`.
    #[must_use]
    pub fn with_json(mut self, body: &serde_json::Value) -> Self {
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(body.to_string().into());
        self
    }
}

/// An answer with its whole body.
///
/// `Debug` shows no query, no header value and no body.
#[derive(Clone)]
#[non_exhaustive]
pub struct Response {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body, decompressed.
    pub body: Bytes,
    /// The URL that answered.
    pub url: Url,
}

impl Response {
    /// An answer, for a [`Transport`](crate::Transport) of one's own: `body` is whole and unpacked, `url` is the one that answered.
    pub fn new(status: StatusCode, headers: HeaderMap, body: impl Into<Bytes>, url: Url) -> Self {
        Self {
            status,
            headers,
            body: body.into(),
            url,
        }
    }

    /// This answer if its status is a success (2xx), else the error that its status means.
    ///
    /// # Errors
    ///
    /// Retryable for 408, 425, 429, 500, 502, 503, 504, 520–524 and 529, and for a 403 that says
    /// that a limit is reached; with the wait that the server told. Final for all others. See
    /// [`StatusRules`] for APIs that need other rules.
    pub fn success(self) -> Result<Response, Error> {
        StatusRules::default().check(self)
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &SafeUrl::of(&self.url))
            .field("headers", &Names(&self.headers))
            .field("body", &self.body.as_ref().map(Length::of))
            .finish()
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("url", &SafeUrl::of(&self.url))
            .field("headers", &Names(&self.headers))
            .field("body", &Length::of(&self.body))
            .finish()
    }
}

struct Names<'a>(&'a HeaderMap);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.keys().map(|name| name.as_str()))
            .finish()
    }
}

struct Length(usize);

impl Length {
    fn of(bytes: &Bytes) -> Self {
        Self(bytes.len())
    }
}

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}
