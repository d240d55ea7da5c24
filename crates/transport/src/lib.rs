//! One HTTP exchange done right: whole bodies, timeouts, size caps, retries, rate gates, origin
//! policy and redaction.
//!
//! An *exchange* is everything between "I want this page" and "here is its decoded value, or the
//! reason why not". [`Client::send`] runs it: it asks [`Prepare`] for credentials, waits while the
//! origin is paused, takes a permit, hands one request to a [`Transport`], follows redirects inside
//! the origin, lets the caller read the answer, and starts again from the beginning when what went
//! wrong is temporary. Half a body is never delivered, and a page is delivered once or not at all.
//!
//! The parts are small so that they can be replaced:
//!
//! - [`Transport`] makes **one** attempt. [`HttpTransport`] is the real one; a test double or
//!   your own HTTP client is about ten lines.
//! - [`Prepare`] puts credentials on each attempt and renews them after a 401; [`SingleFlight`] is how
//!   many rejected requests lead to one login.
//! - [`Clock`] and the jitter seed come from outside, so every waiting rule can be tested without
//!   waiting.
//!
//! Nothing here knows pages, entities or authentication schemes. No type of the HTTP library
//! inside is public: the vocabulary is `http`, `bytes` and `url`.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use longshore_transport::{
//!     async_trait, Client, Error, Exchange, Request, Response, Transport, Unauthenticated, json,
//! };
//! use http::{HeaderMap, Method, StatusCode};
//!
//! /// A transport that needs no network.
//! #[derive(Debug)]
//! struct Canned(&'static str);
//!
//! #[async_trait]
//! impl Transport for Canned {
//!     async fn send(&self, request: Request) -> Result<Response, Error> {
//!         Ok(Response::new(StatusCode::OK, HeaderMap::new(), self.0, request.url))
//!     }
//! }
//!
//! # async fn run() -> Result<(), Error> {
//! let client = Client::builder(Arc::new(Canned(r#"{"users": ["ada"]}"#))).build();
//! let url = longshore_transport::parse_url("https://api.example.com/v1/users")?;
//! let page: serde_json::Value = client
//!     .send(
//!         Request::new(Method::GET, url),
//!         &Exchange::new(&Unauthenticated),
//!         |response| json::read(&response.success()?.body),
//!     )
//!     .await?;
//! assert_eq!(page["users"][0], "ada");
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```

mod address;
mod budget;
pub mod cassette;
mod client;
mod clock;
mod error;
mod gate;
mod header;
mod http_transport;
pub mod json;
mod message;
mod prepare;
mod private;
mod quota;
mod retry;
mod segment;
mod single_flight;
mod status;
mod told;
mod transport;
mod turns;

pub use self::address::{Origin, SafeUrl, is_absolute, join, parse_url};
pub use self::budget::RetryBudget;
pub use self::client::{
    Attempt, Client, ClientBuilder, DEFAULT_MAX_CONCURRENT_REQUESTS, Exchange, RetryScope,
};
pub use self::clock::{Clock, TokioClock};
pub use self::error::{Error, ErrorKind};
pub use self::header::header;
pub use self::http_transport::{
    DEFAULT_MAX_BODY_BYTES, DEFAULT_TIMEOUT, HttpTransport, HttpTransportBuilder,
};
pub use self::message::{Request, Response};
pub use self::prepare::{Generation, Prepare, Renewal, Unauthenticated};
pub use self::quota::Quota;
pub use self::retry::RetryPolicy;
pub use self::segment::{BadSegment, path_segment};
pub use self::single_flight::{Issued, SingleFlight};
pub use self::status::{StatusRules, is_temporary};
pub use self::told::{Allowance, ResetUnit};
pub use self::transport::Transport;

/// Needed to implement the traits of this crate.
pub use async_trait::async_trait;
