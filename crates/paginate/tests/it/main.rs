//! Whole reads against servers that are plain functions.

#![allow(
    clippy::unwrap_used,
    reason = "the servers of these tests may assume what they are asked"
)]

mod auto;
mod auto_others;
mod auto_traps;
mod defects;
mod guards;
mod ladder;
mod model;
mod presets;
mod reading;
mod settings;
mod shapes;
mod silence;
