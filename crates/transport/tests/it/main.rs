//! Whole exchanges: waiting rules in paused time over a transport in process, the rest over real sockets.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod addresses;
mod allowed;
mod budget;
mod cassettes;
mod credentials;
mod gate;
mod origins;
mod proxy;
mod quota;
mod retries;
mod secrets;
mod sockets;
mod support;
mod tls;
