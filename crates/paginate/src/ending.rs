//! How a read of pages ends: for a positive reason, or short of a proof.

use std::fmt;

/// Why a read is known to be over. Each of them is something that was seen, never the mere lack of a sign.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StopReason {
    /// Paging is off, and nothing in the answer speaks of more.
    SinglePage,
    /// The configured `stopWhen` was true.
    StopWhen,
    /// A flag of the answer, by its name, says that this was the last page.
    Flag(String),
    /// Earlier pages gave a next position and this one does not, or its absence is otherwise the end.
    NoToken,
    /// As many records were read as the answer says there are.
    TotalReached(u64),
    /// As many pages were read as the answer says there are.
    LastPage(u64),
    /// The page held no records.
    EmptyPage,
    /// The page held fewer records than were asked for, and the server had honoured the size before.
    ShortPage,
    /// The API knows no page at the next position, and the page before was not full.
    NoSuchPage,
    /// A reason of a paginator of your own, in words.
    Other(String),
    /// One of the above, with something beside it that a person should look at.
    Doubtful {
        /// The reason.
        reason: Box<StopReason>,
        /// What to look at, in words.
        doubt: String,
    },
}

impl StopReason {
    /// The same reason with something that a person should look at. It becomes a warning of the read.
    pub fn doubting(self, doubt: impl Into<String>) -> Self {
        StopReason::Doubtful {
            reason: Box::new(self),
            doubt: doubt.into(),
        }
    }

    /// What a person should look at, if anything.
    pub fn doubt(&self) -> Option<&str> {
        match self {
            StopReason::Doubtful { doubt, .. } => Some(doubt),
            _ => None,
        }
    }

    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            StopReason::SinglePage => "SinglePage",
            StopReason::StopWhen => "StopWhen",
            StopReason::Flag(_) => "Flag",
            StopReason::NoToken => "NoToken",
            StopReason::TotalReached(_) => "TotalReached",
            StopReason::LastPage(_) => "LastPage",
            StopReason::EmptyPage => "EmptyPage",
            StopReason::ShortPage => "ShortPage",
            StopReason::NoSuchPage => "NoSuchPage",
            StopReason::Other(_) => "Other",
            StopReason::Doubtful { reason, .. } => reason.name(),
        }
    }
}

impl fmt::Display for StopReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StopReason::SinglePage => {
                f.write_str("paging is off and the answer speaks of no further page")
            }
            StopReason::StopWhen => f.write_str("stopWhen is true"),
            StopReason::Flag(flag) => write!(f, "{flag} says that this was the last page"),
            StopReason::NoToken => f.write_str("the answer gives no further position"),
            StopReason::TotalReached(total) => {
                write!(f, "all {total} records that the API speaks of were read")
            }
            StopReason::LastPage(pages) => {
                write!(f, "all {pages} pages that the API speaks of were read")
            }
            StopReason::EmptyPage => f.write_str("the page holds no records"),
            StopReason::ShortPage => {
                f.write_str("the page holds fewer records than were asked for")
            }
            StopReason::NoSuchPage => {
                f.write_str("the API knows no page behind this one, which is not full")
            }
            StopReason::Other(reason) => f.write_str(reason),
            StopReason::Doubtful { reason, .. } => reason.fmt(f),
        }
    }
}

/// Why the end of a read is not proven: there may be, or certainly is, more than was read.
///
/// What was read may be used, but nothing may be deleted because it was absent from it. `Display` is one sentence that
/// says which setting to look at.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Shortfall {
    /// The answer says that there is more, but not where it is.
    Truncated {
        /// What says that there is more.
        evidence: String,
        /// What to look at or to write.
        advice: String,
    },
    /// Nothing says that there is more, and nothing proves that there is not.
    EndNotProven {
        /// Records on the page.
        records: u64,
        /// What to look at or to write.
        advice: String,
    },
    /// The read ended below the total that the API speaks of.
    TotalNotReached {
        /// The total.
        expected: u64,
        /// What was read.
        got: u64,
        /// What is counted: `records` or `pages`.
        unit: &'static str,
    },
    /// Rows moved while pages were read by counting, so that some may have been passed over.
    RowsShifted {
        /// What shows it: a total that fell, or a record that came twice.
        evidence: String,
    },
    /// Paging is off, and the answer speaks of more.
    NotPaged {
        /// What speaks of more.
        evidence: String,
        /// The line to add to the resource.
        line: String,
    },
    /// The next request is one that was made before.
    PaginationLoop {
        /// The parameter that carries the position, where there is one.
        parameter: Option<String>,
    },
    /// Another position was asked for and the same page came.
    ParameterIgnored {
        /// The parameter that carries the position, where there is one.
        parameter: Option<String>,
        /// It stood in the body of a GET request.
        in_body_of_get: bool,
    },
    /// A later page gave the records of an earlier one, after others that were new.
    PageRepeated {
        /// Which page, from 1.
        page: u64,
    },
    /// Pages in a row held no records, each of them speaking of more.
    EmptyPages {
        /// How many.
        pages: u64,
    },
    /// There is more, but the cap on pages is reached.
    MaxPages {
        /// The cap.
        limit: u64,
    },
    /// A reason of a paginator of your own, in words.
    Other(String),
}

impl Shortfall {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Shortfall::Truncated { .. } => "Truncated",
            Shortfall::EndNotProven { .. } => "EndNotProven",
            Shortfall::TotalNotReached { .. } => "TotalNotReached",
            Shortfall::RowsShifted { .. } => "RowsShifted",
            Shortfall::NotPaged { .. } => "NotPaged",
            Shortfall::PaginationLoop { .. } => "PaginationLoop",
            Shortfall::ParameterIgnored { .. } => "ParameterIgnored",
            Shortfall::PageRepeated { .. } => "PageRepeated",
            Shortfall::EmptyPages { .. } => "EmptyPages",
            Shortfall::MaxPages { .. } => "MaxPages",
            Shortfall::Other(_) => "Other",
        }
    }
}

impl fmt::Display for Shortfall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shortfall::Truncated { evidence, advice } => {
                write!(f, "{evidence} says that there is more, but not where: {advice}")
            }
            Shortfall::EndNotProven { records, advice } => {
                write!(f, "the page of {records} records may or may not be the last: {advice}")
            }
            Shortfall::TotalNotReached { expected, got, unit } => write!(
                f,
                "the API speaks of {expected} {unit} and {got} were read: check `start` (`startPage`), `data_path` and limits of \
                 the API; if that total counts something else, set `totalPath` to the right one, or to `none`"
            ),
            Shortfall::RowsShifted { evidence } => write!(
                f,
                "{evidence}, so rows moved while pages were read and some may have been passed over: the next read may do better; a \
                 fixed order (a `sort` parameter in `query_params`) or `cursor` paging prevents it"
            ),
            Shortfall::NotPaged { evidence, line } => write!(
                f,
                "only the first page was read, and {evidence} says that there is more: add `{line}` to the settings of this list"
            ),
            Shortfall::PaginationLoop { parameter: Some(name) } => write!(
                f,
                "the API led back to a page that was asked for before (parameter `{name}`): check `cursorPath`, `hasMorePath` \
                 and `stopWhen`"
            ),
            Shortfall::PaginationLoop { parameter: None } => f.write_str(
                "the API led back to a page that was asked for before: check `nextLinkPath`, `headerLinkRel`, `hasMorePath` and \
                 `stopWhen`",
            ),
            Shortfall::ParameterIgnored { parameter: Some(name), in_body_of_get: true } => write!(
                f,
                "the API ignores the parameter `{name}`, which stands in the body of a GET request: another position gave the same page. \
                 Add `pagination: {{paramIn: query}}`, or `method: POST` if that is what the endpoint takes, to the settings of this list"
            ),
            Shortfall::ParameterIgnored { parameter: Some(name), .. } => write!(
                f,
                "the API ignores the parameter `{name}`: another position gave the same page. Set `param` to the name that the API \
                 knows, or, if this endpoint has no pages, add `pagination: {{type: none}}` to the settings of this list"
            ),
            Shortfall::ParameterIgnored { parameter: None, .. } => f.write_str(
                "the next link gave the same page again: check `nextLinkPath` and `headerLinkRel`, or, if this endpoint has no \
                 pages, add `pagination: {type: none}` to the settings of this list",
            ),
            Shortfall::PageRepeated { page } => write!(
                f,
                "page {page} gave the records of an earlier page, after others that were new: an API that repeats its last page for \
                 positions behind it needs `hasMorePath`, `lastPagePath`, `totalPath` or `stopWhen` to say which page is the last"
            ),
            Shortfall::EmptyPages { pages } => write!(
                f,
                "{pages} pages in a row held no records although the API speaks of more: check `data_path`, `hasMorePath` and \
                 `stopWhen`"
            ),
            Shortfall::MaxPages { limit } => write!(
                f,
                "there is more after {limit} pages: if that is right, raise `maxPages`; otherwise check `hasMorePath` and `stopWhen`"
            ),
            Shortfall::Other(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Shortfall {}
