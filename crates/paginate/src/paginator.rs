//! The trait that every way of paging implements.

use std::fmt::Debug;
use std::sync::Arc;

use crate::ending::{Shortfall, StopReason};
use crate::error::Error;
use crate::page::Page;
use crate::request::PageRequest;
use crate::token::PageToken;

/// A way of paging: from a position to a request, and from its answer to the next position or to the end.
///
/// Implement it when an API pages in a way that [`Settings`](crate::Settings) cannot say. A [`Walk`](crate::Walk) drives
/// it: that is where loops, ignored parameters, endless empty pages and too many pages are caught, so an implementation
/// need not look for them.
///
/// # Contract
///
/// 1. **Pure.** Both methods are functions of their arguments. One value serves many reads at once, on many threads, and
///    a read may go on in another process: no counters, no interior state. What a position needs to remember stands in
///    the [`PageToken`], what a read has seen stands in [`Progress`](crate::Progress).
/// 2. **`apply` starts from the base.** It always gets a fresh copy of the caller's request, never one that was applied
///    to before. `None` is the first page. Applying twice gives what applying once gives.
/// 3. **The caller's request is kept.** Only what carries the position and the page size is set; all other parameters,
///    headers and body members stay. (A link replaces the whole URL, because the API put into it what it needs.)
/// 4. **`next` advances.** A token leads to another request than the one just answered.
/// 5. **The end is positive.** [`Next::Complete`] takes something that was seen. Where the end is likely but not proven,
///    it is [`Next::Incomplete`] with what to look at: whoever deletes what is absent relies on it.
/// 6. **A malformed answer is an error**, never an end: a page that cannot be understood proves nothing.
/// 7. **A token survives serialisation**: what comes back from serde leads to the same request.
///
/// # Example
///
/// An API that wants the date of the last record that was seen, and says `"complete": true` at its end:
///
/// ```
/// use longshore_paginate::{Error, ErrorKind, Next, Page, PageRequest, PageToken, Paginator, StopReason};
///
/// #[derive(Debug)]
/// struct Since;
///
/// impl Paginator for Since {
///     fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
///         if let Some(since) = token.and_then(PageToken::as_str) {
///             request.set_query("since", since);
///         }
///         Ok(())
///     }
///
///     fn next(&self, _: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
///         match page.body()["complete"].as_bool() {
///             Some(true) => Ok(Next::Complete(StopReason::Flag("complete".to_owned()))),
///             Some(false) => {
///                 let date = page.last_record().and_then(|record| record.get("date")?.as_str());
///                 let date = date.ok_or_else(|| Error::new(ErrorKind::Position, "the last record has no date"))?;
///                 Ok(Next::Continue(PageToken::from(date)))
///             }
///             None => Err(Error::new(ErrorKind::Body, "the answer has no `complete`")),
///         }
///     }
/// }
/// ```
pub trait Paginator: Debug + Send + Sync + 'static {
    /// Puts a position into a fresh copy of the caller's request; `None` is the first page.
    ///
    /// # Errors
    /// The request cannot carry the position, or the token is none of this paginator. Ends the read as failed.
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error>;

    /// Reads from an answer where to go on, or that and why this was the end. `token` is the one the page was asked with.
    ///
    /// # Errors
    /// The answer cannot be understood. Ends the read as failed.
    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error>;

    /// How many pages one read may have at most; `None` leaves it to the [`Walk`](crate::Walk).
    fn max_pages(&self) -> Option<u64> {
        None
    }
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Another page, at this position.
    Continue(PageToken),
    /// Nothing, for a positive reason.
    Complete(StopReason),
    /// Nothing that can be asked for, though the end is not proven.
    Incomplete(Shortfall),
}

impl<P: Paginator + ?Sized> Paginator for Arc<P> {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        (**self).apply(token, request)
    }

    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
        (**self).next(token, page)
    }

    fn max_pages(&self) -> Option<u64> {
        (**self).max_pages()
    }
}

impl<P: Paginator + ?Sized> Paginator for Box<P> {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        (**self).apply(token, request)
    }

    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
        (**self).next(token, page)
    }

    fn max_pages(&self) -> Option<u64> {
        (**self).max_pages()
    }
}
