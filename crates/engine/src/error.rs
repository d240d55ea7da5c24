//! The one error of this crate.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use crate::resource::without_query;

/// What went wrong while reading, mapping or writing, with its place: resource, page, record.
///
/// `Display` is one line for a person and says what to change where that is known. It holds no secret, no query string and no body: of a kind
/// with a query what stands before that.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    resource: Option<String>,
    child: Option<String>,
    page: Option<u64>,
    message: String,
    retryable: bool,
    closes_sink: bool,
    source: Option<Arc<dyn StdError + Send + Sync>>,
    /// The message holds the words of `source`, so that the chain goes on behind it.
    quotes_source: bool,
}

/// What an [`Error`] is about, and what it does to the stream that it comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Settings that cannot work. Nothing was sent.
    Config,
    /// A request failed for good, after its repeats. The resource ends as Incomplete.
    Fetch,
    /// The last page was not proven to be the last, or paging runs in circles. The resource ends as Incomplete.
    Paginate,
    /// `data_path` failed or found nothing. The resource ends as Incomplete.
    Extract,
    /// One record could not become an entity. The stream goes on; the resource ends as Incomplete.
    Record,
    /// One parent gives no usable path parameter. The other parents go on; the resource ends as Incomplete.
    Parameter,
    /// A limit of the settings, such as `maxChildren`, was reached. What it is a limit of is not read further: the resource, or one of
    /// its lists (more values than a parents' list may give, a window of time that cannot be halved), whose others go on. The resource ends as Incomplete.
    Limit,
    /// The place that entities are written to refused or could not be reached. The sync ends without deleting.
    Sink,
}

impl ErrorKind {
    /// Whether the list that is read goes on after an error of this kind. After others the lists of other children still do.
    pub fn is_about_one_record(self) -> bool {
        matches!(self, ErrorKind::Record | ErrorKind::Parameter)
    }
}

impl Error {
    /// An error with a message that says what to change.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            resource: None,
            child: None,
            page: None,
            message: message.into(),
            retryable: false,
            closes_sink: false,
            source: None,
            quotes_source: false,
        }
    }

    /// An error whose message holds the words of the one that it comes from.
    pub(crate) fn quoting(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl StdError + Send + Sync + 'static,
    ) -> Self {
        Error {
            quotes_source: true,
            ..Error::new(kind, message).with_source(source)
        }
    }

    /// Adds what it comes from.
    pub fn with_source(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// Adds what to do about it.
    pub(crate) fn advising(mut self, advice: &str) -> Self {
        self.message.push_str("; ");
        self.message.push_str(advice);
        self
    }

    pub(crate) fn of_resource(mut self, kind: &str) -> Self {
        self.resource = Some(kind.to_owned());
        self
    }

    /// For which parent's child, as `name=value`.
    pub(crate) fn of_child(mut self, child: &str) -> Self {
        self.child = Some(child.to_owned());
        self
    }

    pub(crate) fn of_page(mut self, page: u64) -> Self {
        self.page = Some(page);
        self
    }

    /// Says whether the same might work later, with nothing changed. A [`Sink`](crate::Sink) that says so of several batches in a row is away,
    /// and no more is read for it.
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.retryable = retryable;
        self
    }

    /// Says that the sink will refuse everything else as well, for the rest of the sync: its credentials are not accepted, say. No more is read or written
    /// then.
    pub fn closing_sink(mut self, closes: bool) -> Self {
        self.closes_sink = closes;
        self
    }

    /// Whether the sink will refuse everything else as well, for the rest of the sync.
    pub fn closes_sink(&self) -> bool {
        self.closes_sink
    }

    /// The failed exchange that it comes from, if it comes from one.
    pub(crate) fn exchange(&self) -> Option<&longshore_transport::Error> {
        self.source.as_deref()?.downcast_ref()
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The kind of the resource that was read.
    pub fn resource(&self) -> Option<&str> {
        self.resource.as_deref()
    }

    /// The page that was read, from 1.
    pub fn page(&self) -> Option<u64> {
        self.page
    }

    /// Whether the same might work later, with nothing changed.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }

    /// The error where it is clear which resource it is about: `[ticket_id=7] page 2: …`.
    pub(crate) fn within_resource(&self) -> String {
        let child = self.child.as_ref().map(|child| format!("[{child}]"));
        let page = self.page.map(|page| format!("page {page}"));
        let place: Vec<String> = child.into_iter().chain(page).collect();
        if place.is_empty() {
            return self.message.clone();
        }
        format!("{}: {}", place.join(" "), self.message)
    }

    /// The message without its place.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.resource {
            Some(resource) => {
                write!(f, "{}: {}", without_query(resource), self.within_resource())
            }
            None => f.write_str(&self.within_resource()),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        let source: &(dyn StdError + 'static) = self.source.as_deref()?;
        if self.quotes_source {
            source.source()
        } else {
            Some(source)
        }
    }
}

/// An error with all that it comes from, on one line: for those whose own words do not say enough to act on.
pub(crate) fn chain(error: &(dyn StdError + 'static)) -> String {
    let words: Vec<String> = std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect();
    words.join(": ")
}
