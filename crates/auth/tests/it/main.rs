//! What is sent, and how often somebody logs in.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod fixed;
mod interleavings;
mod renewing;
mod through_client;
mod vectors;
