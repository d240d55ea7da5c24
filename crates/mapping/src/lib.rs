//! Records out of a response body, and entities out of records, by jq.
//!
//! - [`RecordPath`] is `data_path`: it finds the records of a body and tells "none" from "not there".
//! - [`JqMapper`] is `selector`, `itemsToParse` and `mappings`: it makes [`Entity`]s of a record, and counts what it left out and why.
//! - [`Mapper`] is the seam between the two worlds: implement it to map in code instead of jq, or give a closure to [`FnMapper`].
//! - [`JqMapper::explained`] shows what each expression of a mapping gives for one record, and what to change where one gives nothing.
//!
//! ```
//! use longshore_jq::Val;
//! use longshore_mapping::{JqMapper, Mapped, RecordPath};
//! use serde_json::json;
//!
//! let users = JqMapper::builder()
//!     .selector(".is_active")
//!     .identifier(".id")
//!     .title(".name")
//!     .blueprint(r#""user""#)
//!     .property("email", ".email")
//!     .relation("company", ".company_id")
//!     .build()
//!     .unwrap();
//!
//! let body = Val::from(json!({"users": [
//!     {"id": 7, "name": "Ann", "is_active": true, "email": "ann@example.com", "company_id": 12},
//!     {"id": 8, "name": "Bob", "is_active": false},
//! ]}));
//! let records = RecordPath::compile(".users").unwrap().records(&body).unwrap();
//! let mut mapped = Mapped::default();
//! mapped.map_page(&users, &records.items, 1);
//!
//! assert_eq!(mapped.skipped, 1);
//! assert_eq!(
//!     serde_json::to_value(&mapped.entities).unwrap(),
//!     json!([{
//!         "identifier": "7", "title": "Ann", "blueprint": "user",
//!         "properties": {"email": "ann@example.com"}, "relations": {"company": "12"}
//!     }])
//! );
//! ```
//!
//! # What becomes of a record
//!
//! | in the mapping | gives | then |
//! |---|---|---|
//! | `selector.query` | false, or no output | skipped |
//! | | no boolean, or it fails | failed |
//! | `identifier` | no output (`empty`, `select(…)`) | skipped |
//! | | null, empty text, a boolean, an object, an array, or it fails | failed |
//! | `blueprint` | anything but text, or text that Port refuses as a name | failed |
//! | `itemsToParse` | anything but an array | failed |
//! | any other field | it fails, or no output | the field is null, counted under its name |
//! | | arrays or objects that nest deeper than readers of JSON take | failed |
//! | any of these | it uses more time, memory or stack than one evaluation may | failed, counted in [`limits`](Mapped::limits) |
//!
//! A skipped record has no consequence. A failed one means that the catalog's truth is not known, so a sync withholds deletes.
//! A field that hits a limit [`RUNAWAY_LIMIT`] times is a [`runaway`](Mapped::runaway): no record behind it is mapped, because each might
//! take a second more. What limits there are: see [`longshore_jq`].
//!
//! # Features
//!
//! `jq` (default): all but [`Entity`], [`Fields`] and [`Identifier`]. Without it the crate is only the shape of an entity, for writers of catalogs.

mod entity;
#[cfg(feature = "jq")]
mod error;
#[cfg(feature = "jq")]
pub mod explain;
#[cfg(feature = "jq")]
mod expression;
mod fields;
#[cfg(feature = "jq")]
mod hint;
#[cfg(feature = "jq")]
mod jq_mapper;
#[cfg(feature = "jq")]
mod mapper;
mod names;
#[cfg(feature = "jq")]
mod path;
#[cfg(feature = "jq")]
mod records;

pub use entity::{Entity, Identifier};
#[cfg(feature = "jq")]
pub use error::{Error, ErrorKind};
#[cfg(feature = "jq")]
pub use explain::Explanation;
#[cfg(feature = "jq")]
pub use expression::Expression;
pub use fields::Fields;
#[cfg(feature = "jq")]
pub use jq_mapper::{JqMapper, JqMapperBuilder, MappingProblem};
#[cfg(feature = "jq")]
pub use mapper::{FnMapper, Mapped, Mapper, RUNAWAY_LIMIT, RecordFailure, Sample};
pub use names::{blueprint_name_problem, field_name_problem};
#[cfg(feature = "jq")]
pub use records::{Found, RecordPath, Records};
