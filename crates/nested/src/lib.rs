//! Nested endpoints: from parent records to child requests, without sending anything.
//!
//! "All tickets, then the comments of each" is a [`RequestTemplate`] (`/tickets/{ticket_id}/comments`) and a [`Parameter`] that says where a
//! ticket has its `ticket_id`. Parameters may build on each other to any depth ([`order`]), be [`Windows`] of time, or stand for several
//! values at once ([`Binding::batch`]). [`Expand`] is the trait for values that are found otherwise than by jq.
//!
//! ```
//! use longshore_jq::Val;
//! use longshore_nested::{Binding, Bindings, Expand, Parameter, PathTemplate, RequestTemplate};
//! use serde_json::json;
//!
//! let path = PathTemplate::parse("/tickets/{ticket_id}/comments").unwrap();
//! let comments = RequestTemplate::new(path, &["ticket_id"]);
//! let ticket_id = Parameter::new("ticket_id", ".id", Some(".comments > 0")).unwrap();
//!
//! let tickets = [json!({"id": 101, "comments": 2}), json!({"id": 102, "comments": 0}), json!({"id": "a/../b", "comments": 1})];
//! let mut paths = Vec::new();
//! for ticket in tickets {
//!     for value in ticket_id.values(&Val::from(ticket)).unwrap() {
//!         let values = Bindings::default().with(Binding::new("ticket_id".into(), value.item));
//!         paths.push(comments.expand(&values).unwrap().path);
//!     }
//! }
//! assert_eq!(paths, ["/tickets/101/comments", "/tickets/a%2F..%2Fb/comments"]);
//! ```

mod distinct;
mod error;
mod expand;
mod grain;
mod order;
mod parameter;
mod request;
mod template;
mod value;
mod windows;

pub use distinct::Distinct;
pub use error::{Error, ErrorKind};
pub use expand::{Expand, Expanded};
pub use order::{Needs, order};
pub use parameter::Parameter;
pub use request::{ChildRequest, RequestTemplate, TextTemplate};
pub use template::PathTemplate;
pub use value::{Binding, Bindings, Item};
pub use windows::{Window, Windows};
