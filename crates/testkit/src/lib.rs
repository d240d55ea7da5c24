//! Doubles and conformance checks: what tests of the longshore crates, and of crates built on them, are made of.
//!
//! - [`ScriptedApi`] is an API that a test sets up in a few lines: fixed answers, answers in order, closures, and whole collections in
//!   every style of paging ([`Pages`]), with expected credentials and faults to order.
//! - [`PortDouble`] is Port in memory, for whole syncs: it knows what was live and remembers what was deleted.
//! - [`Network`] puts services behind origins and is a [`Transport`](longshore_transport::Transport). Nothing leaves the process, so
//!   tests run in paused tokio time; what was sent where is on record. [`serve`] puts a service behind a real socket instead.
//! - [`FaultPlan`] says which answers go wrong and how; [`Faulty`] does so in process, [`serve_faulty`] byte by byte on a real socket.
//! - [`conformance`] holds the checks that every paginator and every authenticator must pass, the built-in ones and yours.
//!
//! All of it is test code: it panics where a test is written wrongly.
//!
//! # Example
//!
//! ```
//! use longshore_testkit::{Network, Pages, PortDouble, ScriptedApi, numbered};
//! use longshore_transport::{Request, Transport};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let api = ScriptedApi::new().pages("/users", Pages::page(numbered(250)).under("users").total("total"));
//! let port = PortDouble::new();
//! let network = Network::new().at("https://api.example.com", api.clone()).at("https://api.getport.io", port.clone());
//!
//! let third = "https://api.example.com/users?page=3&size=100".parse().unwrap();
//! let answer = network.send(Request::new(http::Method::GET, third)).await.unwrap();
//! let body: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
//! assert_eq!((body["users"].as_array().unwrap().len(), &body["total"]), (50, &250.into()));
//! assert_eq!(api.count("/users"), 1);
//! assert!(network.strangers().is_empty());
//! # });
//! ```

// Panicking is how test code reports a test that is written wrongly.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chaos;
pub mod conformance;
mod faults;
mod network;
mod port;
mod scripted;
mod seen;
mod server;
mod service;

pub use self::chaos::{Fault, FaultPlan, FaultServer, Faulty, serve_faulty};
pub use self::network::Network;
pub use self::port::{PortCall, PortDouble, PortEvent};
pub use self::scripted::{Call, Pages, ScriptedApi, numbered};
pub use self::seen::Seen;
pub use self::server::{Server, serve};
pub use self::service::{Answer, Service, service_fn};

/// Needed to implement [`Service`].
pub use async_trait::async_trait;
