//! Nested endpoints: from parent records to child requests, without sending anything.
//!
//! "All tickets, then the comments of each" is a [`PathTemplate`] (`/tickets/{ticket_id}/comments`) with a [`Parameter`] that says where a
//! ticket has its `ticket_id`. [`TemplateExpander`] brings the two together; [`Expand`] is its trait, for children that are found otherwise.
//!
//! ```
//! use longshore_jq::Val;
//! use longshore_nested::{Expand, Parameter, PathTemplate, TemplateExpander};
//! use serde_json::json;
//!
//! let template = PathTemplate::parse("/tickets/{ticket_id}/comments").unwrap();
//! let ticket_id = Parameter::new("ticket_id", ".id", Some(".comments > 0")).unwrap();
//! let comments = TemplateExpander::new(&template, &ticket_id);
//!
//! let tickets = [json!({"id": 101, "comments": 2}), json!({"id": 102, "comments": 0}), json!({"id": "a/../b", "comments": 1})];
//! let paths: Vec<String> = tickets
//!     .into_iter()
//!     .flat_map(|ticket| comments.children(&Val::from(ticket)).unwrap())
//!     .map(|child| child.path)
//!     .collect();
//! assert_eq!(paths, ["/tickets/101/comments", "/tickets/a%2F..%2Fb/comments"]);
//! ```

mod error;
mod expand;
mod parameter;
mod template;

pub use error::{Error, ErrorKind};
pub use expand::{Child, Expand, TemplateExpander};
pub use parameter::Parameter;
pub use template::PathTemplate;
