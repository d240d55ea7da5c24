//! The client against Port in memory, in paused time.

// A helper that panics is how a test says that it is wrong.
#![allow(clippy::unwrap_used)]

mod contract;
mod delete;
mod integration;
mod owned;
mod pace;
mod routes;
mod support;
mod token;
mod upsert;
