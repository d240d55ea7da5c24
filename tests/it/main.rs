//! Whole scenarios: configuration in, requests to an API in process, a catalog in a double of Port.
//!
//! Time is paused and nothing leaves the process, but for `runner` and `crash`, which start the `ocean_custom` program.
#![allow(
    clippy::unwrap_used,
    reason = "what cannot be set up should fail the test"
)]

mod auth;
mod cancel;
mod changed;
mod connection;
mod container;
mod crash;
mod deletion;
mod fair;
mod files;
mod first_start;
mod levels;
mod lineage;
mod many_parents;
mod matrix;
mod nested;
mod ordered;
mod pace;
mod page;
mod paging;
mod parameters;
mod plan;
mod presets;
mod program;
mod records;
mod relations;
mod resume;
mod resync;
mod rig;
mod runner;
mod runner_modes;
mod runtime;
mod scale;
mod secrets;
mod settings;
mod several;
mod shards;
mod side_by_side;
mod spill;
mod streams;
