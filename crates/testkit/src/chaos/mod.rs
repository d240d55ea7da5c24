//! Faults on order: what goes wrong with which answer, in process and on the wire.

mod plan;
mod service;
mod wire;

pub use self::plan::{Fault, FaultPlan};
pub use self::service::Faulty;
pub use self::wire::{FaultServer, serve_faulty};
