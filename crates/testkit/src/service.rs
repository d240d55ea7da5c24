//! What answers a request: the [`Service`] trait and the [`Answer`] it gives.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use longshore_transport::{Error, ErrorKind, Request, Response};
use serde_json::Value;

/// Something that answers requests: a scripted API, the double of Port, or a closure by [`service_fn`].
///
/// A service is asked in process by [`Network`](crate::Network) or over HTTP by [`serve`](crate::serve); it does not see the difference.
#[async_trait]
pub trait Service: fmt::Debug + Send + Sync + 'static {
    /// The answer to one request. May wait with [`tokio::time::sleep`], which costs nothing while tokio's time is paused.
    async fn answer(&self, request: Request) -> Answer;
}

#[async_trait]
impl<S: Service + ?Sized> Service for Arc<S> {
    async fn answer(&self, request: Request) -> Answer {
        (**self).answer(request).await
    }
}

/// A service made of an async closure.
///
/// ```
/// use longshore_testkit::{Answer, Network, service_fn};
///
/// let network = Network::new().at("https://api.example.com", service_fn(async |_request| Answer::status(204)));
/// # let _ = network;
/// ```
pub fn service_fn<F, Fut>(answer: F) -> impl Service
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    ServiceFn(answer)
}

struct ServiceFn<F>(F);

impl<F> fmt::Debug for ServiceFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceFn")
    }
}

#[async_trait]
impl<F, Fut> Service for ServiceFn<F>
where
    F: Fn(Request) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Answer> + Send + 'static,
{
    async fn answer(&self, request: Request) -> Answer {
        (self.0)(request).await
    }
}

/// One answer of a [`Service`]: a status with headers and a body, or a connection that breaks, after an optional wait.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: StatusCode,
    /// Headers as they go out.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
    /// How long the answer takes. None: at once.
    pub delay: Option<Duration>,
    /// Instead of an answer the connection breaks with this kind of error.
    /// [`serve`](crate::serve) closes the connection; [`Network`](crate::Network) returns the error.
    pub breaks: Option<ErrorKind>,
}

impl Answer {
    /// An empty answer with this status.
    ///
    /// # Panics
    /// When `status` is no HTTP status.
    pub fn status(status: u16) -> Answer {
        Answer {
            status: StatusCode::from_u16(status)
                .unwrap_or_else(|_| panic!("{status} is no HTTP status")),
            headers: HeaderMap::new(),
            body: Bytes::new(),
            delay: None,
            breaks: None,
        }
    }

    /// 200 with this JSON as body.
    pub fn json(body: impl Into<Value>) -> Answer {
        Answer::status(200).with_json(body)
    }

    /// 200 with this text as body and `text/plain` as type.
    pub fn text(body: impl Into<String>) -> Answer {
        let mut answer = Answer::status(200).header("content-type", "text/plain; charset=utf-8");
        answer.body = Bytes::from(body.into());
        answer
    }

    /// No answer: the connection breaks, as seen by a transport that reports `kind` (Connect, Timeout, Truncated …).
    pub fn breaks(kind: ErrorKind) -> Answer {
        let mut answer = Answer::status(500);
        answer.breaks = Some(kind);
        answer
    }

    /// The same answer with this JSON as body.
    pub fn with_json(mut self, body: impl Into<Value>) -> Answer {
        self.body = Bytes::from(body.into().to_string());
        self.headers
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self
    }

    /// The same answer with these bytes as body; no content type is set.
    pub fn with_body(mut self, body: impl Into<Bytes>) -> Answer {
        self.body = body.into();
        self
    }

    /// The same answer with one header more; repeated names are kept.
    ///
    /// # Panics
    /// When the name or the value is no HTTP header.
    pub fn header(mut self, name: &str, value: &str) -> Answer {
        let name: HeaderName = name
            .parse()
            .unwrap_or_else(|_| panic!("`{name}` is no header name"));
        let value = HeaderValue::from_str(value)
            .unwrap_or_else(|_| panic!("the value of `{name}` is no header value"));
        self.headers.append(name, value);
        self
    }

    /// The same answer, this much later.
    pub fn after(mut self, delay: Duration) -> Answer {
        self.delay = Some(delay);
        self
    }

    /// The body as JSON; null when it is none.
    pub fn body_json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// Waits as told, then gives what a transport would return.
    pub(crate) async fn arrive(self, request_url: url::Url) -> Result<Response, Error> {
        if let Some(delay) = self.delay {
            tokio::time::sleep(delay).await;
        }
        match self.breaks {
            Some(kind) => Err(Error::new(
                kind,
                "the test ordered this connection to break",
            )),
            None => Ok(Response::new(
                self.status,
                self.headers,
                self.body,
                request_url,
            )),
        }
    }
}
