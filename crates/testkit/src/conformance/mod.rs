//! Checks that every implementor of a trait must pass, the built-in ones and yours. Call them from a test; they panic with the name of
//! the rule that is broken.

mod authenticator;
mod paginator;

pub use self::authenticator::{Candidate, authenticator};
pub use self::paginator::{ModelApi, ModelPage, paginator};

/// Ends a check: who broke which rule, and how it showed.
fn broken(who: &dyn std::fmt::Debug, rule: &str, what: &str) -> ! {
    panic!("{who:?} breaks the rule `{rule}`: {what}")
}
