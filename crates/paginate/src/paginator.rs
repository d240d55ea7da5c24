//! The trait that every way of paging implements.

use std::fmt::Debug;
use std::sync::Arc;

use http::StatusCode;

use crate::ending::{Shortfall, StopReason};
use crate::error::Error;
use crate::page::{Page, Progress};
use crate::request::PageRequest;
use crate::settings::Settings;
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

    /// Whether the position behind a token (`None` is the first page) is counted, in records or pages. Rows that come and go while a
    /// list is read move what such positions mean, so a read that is resumed looks whether they did.
    fn counts(&self, token: Option<&PageToken>) -> bool {
        let _ = token;
        false
    }

    /// Positions that follow `next` and are known before it is answered, in order and at most `limit`: they may be asked for side by side.
    /// `next` is what [`Paginator::next`] just said of `page`, the answer to `token`.
    ///
    /// They are a guess that costs nothing but requests: the read still goes by what [`Paginator::next`] says of one page after the other, and an
    /// answer to a position that it does not come to is thrown away.
    fn ahead(
        &self,
        token: Option<&PageToken>,
        page: &Page<'_>,
        next: &PageToken,
        limit: usize,
    ) -> Vec<PageToken> {
        let _ = (token, page, next, limit);
        Vec::new()
    }

    /// What follows when the API refused to answer at this position: with a status that says so, or (`None`) with a success that is no page of
    /// the list, an error inside it perhaps. `None` where that is the error that it looks like, which it is but for paginators that try
    /// things out.
    fn refused(
        &self,
        token: &PageToken,
        status: Option<StatusCode>,
        progress: &Progress,
    ) -> Option<Next> {
        let _ = (token, status, progress);
        None
    }

    /// The settings that page the same way from this position on, for paginators that found them out by themselves.
    fn found(&self, token: &PageToken) -> Option<Settings> {
        let _ = token;
        None
    }
}

/// What follows a page.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Next {
    /// Another page, at this position.
    Continue(PageToken),
    /// Nothing, for a positive reason.
    Complete(StopReason),
    /// Nothing that can be asked for, though the end is not proven.
    Incomplete(Shortfall),
    /// The answer is no page of this list, so that its records do not count. What follows in its place is inside.
    Discard(Box<Next>),
}

/// Forwards everything to the paginator inside: one that is forgotten would fall back to its default.
macro_rules! forward {
    ($self:ident => $inner:expr) => {
        fn apply(&$self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
            $inner.apply(token, request)
        }

        fn next(&$self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
            $inner.next(token, page)
        }

        fn max_pages(&$self) -> Option<u64> {
            $inner.max_pages()
        }

        fn counts(&$self, token: Option<&PageToken>) -> bool {
            $inner.counts(token)
        }

        fn ahead(&$self, token: Option<&PageToken>, page: &Page<'_>, next: &PageToken, limit: usize) -> Vec<PageToken> {
            $inner.ahead(token, page, next, limit)
        }

        fn refused(&$self, token: &PageToken, status: Option<StatusCode>, progress: &Progress) -> Option<Next> {
            $inner.refused(token, status, progress)
        }

        fn found(&$self, token: &PageToken) -> Option<Settings> {
            $inner.found(token)
        }
    };
}

impl<P: Paginator + ?Sized> Paginator for Arc<P> {
    forward! { self => (**self) }
}

impl<P: Paginator + ?Sized> Paginator for Box<P> {
    forward! { self => (**self) }
}
