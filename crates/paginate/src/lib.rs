//! Paginators without I/O: from a request and its answer to the next request, or to a reason to stop.
//!
//! A [`Paginator`] is a value that says two things: how a position goes into a request, and where the answer says to go on,
//! or that it was the last. A [`Walk`] is one read with it: whoever sends requests asks it for the next one and hands it the
//! answer. The end of a read is [`Complete`](Next::Complete) for a reason that was seen, or it is
//! [`Incomplete`](Next::Incomplete) with the setting to look at; nothing in between.
//!
//! The built-in styles come from [`Settings`] (configuration) or from [`PageNumber`], [`Offset`], [`Cursor`], [`NextLink`],
//! [`HeaderLink`] and [`SinglePage`] (Rust).
//!
//! ```
//! use std::sync::Arc;
//!
//! use http::{HeaderMap, Method};
//! use longshore_jq::Val;
//! use longshore_paginate::{Cursor, PageRequest, Step, Walk};
//! use serde_json::json;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let paginator = Cursor::new().param("after").page_size(2).cursor_path("paging.next.after").build()?;
//! let base = PageRequest::new(Method::GET, "https://api.example.com/users?active=true".parse()?);
//! let mut walk = Walk::new(Arc::new(paginator), base);
//!
//! let answers = [
//!     json!({"users": [{"id": 1}, {"id": 2}], "paging": {"next": {"after": "abc"}}}),
//!     json!({"users": [{"id": 3}]}),
//! ];
//! let mut asked = Vec::new();
//! for answer in answers {
//!     asked.push(walk.request()?.url.to_string()); // send it here
//!     let body = Val::from_json(&answer);
//!     let records = body.get("users").and_then(Val::as_array).unwrap_or_default();
//!     match walk.accept(&HeaderMap::new(), &body, records)? {
//!         Step::Done(ending) | Step::Dropped(Some(ending)) => assert_eq!(ending.result?.name(), "NoToken"),
//!         _ => {} // there is another page
//!     }
//! }
//! assert_eq!(asked, [
//!     "https://api.example.com/users?active=true&limit=2",
//!     "https://api.example.com/users?active=true&after=abc&limit=2",
//! ]);
//! # Ok(())
//! # }
//! ```

mod auto;
#[macro_use]
mod paginator;
mod configured;
mod elsewhere;
mod ending;
mod error;
mod fingerprint;
mod ladder;
mod link_header;
mod page;
mod path;
mod presets;
mod request;
mod settings;
mod signs;
mod styles;
mod survey;
mod token;
mod walk;

pub use configured::Configured;
pub use ending::{Shortfall, StopReason};
pub use error::{Error, ErrorKind};
pub use link_header::link_target;
pub use page::{Page, Progress};
pub use paginator::{Next, Paginator};
pub use request::PageRequest;
pub use settings::{ParamIn, SettingProblem, Settings, Style};
pub use styles::{Auto, Cursor, HeaderLink, NextLink, Offset, PageNumber, SinglePage};
pub use token::PageToken;
pub use walk::{Bookmark, Checkpoint, DEFAULT_MAX_PAGES, EMPTY_PAGES, Ending, Step, Walk};
