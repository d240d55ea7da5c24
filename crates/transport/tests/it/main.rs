//! Whole exchanges: waiting rules in paused time over a transport in process, the rest over real sockets.

mod credentials;
mod gate;
mod origins;
mod retries;
mod secrets;
mod sockets;
mod support;
