//! Programs that need no jaq: the forms that mappings are made of, run on values where they are.
//!
//! A program becomes an [`Expr`] where every part of it has a form here; otherwise the whole of it stays with jaq. What an
//! `Expr` answers is what jaq answers for the same term, outputs, errors and their order included, which the tests hold by
//! running both on random programs and records. The gain is that nothing is built on the way: a path is a walk over the
//! page, a text is written into the text that is made of it, and what an entity takes over goes from page to entity.

mod absent;
mod compile;
mod eval;
mod view;

pub use self::absent::{Absent, Step, path_text};
pub(crate) use self::absent::{absent, asks_for};
pub(crate) use self::compile::compile;
pub(crate) use self::eval::{Expr, Stop};
pub(crate) use self::view::View;

#[cfg(test)]
mod tests;
