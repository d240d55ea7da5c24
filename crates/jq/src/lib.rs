//! The jq compiler and evaluator of the longshore crates, with its limits.

mod builtins;
mod error;
mod fail;
mod filter;
mod limits;
mod syntax;
mod val;

pub use error::{CompileError, EvalError, EvalErrorKind};
pub use filter::Filter;
pub use limits::{MAX_MEMORY, MAX_TIME};
pub use syntax::MAX_PROGRAM;
pub use val::{MAX_DEPTH, Val};
