//! Any REST API as a stream of mapped entities, and that stream as a sync of the Port software catalog.
//!
//! An [`Engine`] knows one API: where it is, who we are to it, how it pages. A [`Resource`] is one endpoint of it and the way its records
//! become entities. [`Engine::entities`] gives them as a stream, [`Engine::sync`] writes those of all resources to a [`Sink`] and has it
//! remove what is gone. Both come from code, or from the two files that users of Ocean Custom have ([`Config`]).
//!
//! Every read ends in an [`Outcome`]: Complete with what proved the end, or Incomplete with a cause. A failed, short or unmapped read never
//! looks like an empty one: it gives an error in the stream, and nothing is deleted on its ground.
//!
//! ```
//! use futures::TryStreamExt;
//! use longshore_engine::paginate::PageNumber;
//! use longshore_engine::{Engine, Resource};
//! use longshore_testkit::{Network, Pages, ScriptedApi, numbered};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! // An API in this process; leave `transport` out to read a real one.
//! let api = ScriptedApi::new().pages("/users", Pages::page(numbered(25)).under("users"));
//! let engine = Engine::builder()
//!     .base_url("https://api.example.com")
//!     .paginator(PageNumber::new().page_size(10))
//!     .transport(Network::new().at("https://api.example.com", api).transport())
//!     .build()?;
//! let users = Resource::builder("/users").data_path(".users").identifier(".id").blueprint("user").build()?;
//!
//! let mut entities = engine.entities(&users);
//! let mut count = 0;
//! while let Some(entity) = entities.try_next().await? {
//!     assert_eq!(entity.blueprint, "user");
//!     count += 1;
//! }
//! assert_eq!(count, 25);
//! assert_eq!(entities.outcome().pages, 3);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! The other crates are re-exported as modules, so that one dependency is enough.

mod cancel;
mod checkpoint;
mod children;
mod compact;
pub mod config;
mod engine;
mod error;
mod estimate;
mod event;
mod fetch;
mod in_order;
pub mod init;
mod login;
mod ndjson;
mod options;
mod outcome;
mod pages;
mod parameters;
mod port;
mod queue;
mod resource;
mod rules;
pub mod runtime;
mod session;
pub mod shard;
mod shared;
mod sink;
mod spool;
mod stable;
mod stream;
mod summary;
mod sync;
mod transfer;

pub use longshore_auth as auth;
pub use longshore_jq as jq;
pub use longshore_mapping as mapping;
pub use longshore_nested as nested;
pub use longshore_paginate as paginate;
pub use longshore_port_client as port_client;
pub use longshore_transport as transport;

pub use cancel::Cancel;
pub use checkpoint::Checkpoint;
pub use config::Config;
pub use engine::{Engine, EngineBuilder, NextLinkOrigin};
pub use error::{Error, ErrorKind};
pub use estimate::{Estimate, ListEstimate, ResourceEstimate};
pub use event::{Event, Observer, RawRecords};
pub use login::ListAuth;
pub use longshore_mapping::Expression;
pub use ndjson::NdjsonSink;
pub use options::SyncOptions;
pub use outcome::{Cause, ChildCounts, ChildOutcome, Complete, Outcome, Verdict};
pub use parameters::{
    Batch, EmbeddedSource, FixedValues, ParameterSource, ParameterValues, WindowSource,
};
pub use port::{
    AllowEmpty, BlueprintPlan, FileState, HeldBack, MemoryState, Plan, PlanSink, Planned,
    PlannedChange, PortSink, PortSinkOptions, SyncState,
};
pub use resource::{InvalidResource, Problem, Resource, ResourceBuilder};
pub use rules::{AnswerRules, StatusAction};
pub use sink::{Evidence, Mark, Reconciled, Rejection, Seen, Sink, WithheldDelete, Written};
pub use stream::EntityStream;
pub use sync::{Report, ResourceReport};

/// The examples of the project's page compile.
#[cfg(doctest)]
#[doc = include_str!("../project.md")]
struct ProjectPage;
