//! What can go wrong between an answer and the next request.

use std::fmt;
use std::sync::Arc;

/// Why no next request could be made from an answer.
///
/// An error ends the read it came from, as a failure and never as an end: a paginator that cannot read an answer does
/// not know whether it was the last one. Nothing here is worth a retry, because a paginator does no I/O.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// What an [`Error`] is about. Each of them ends the read.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting cannot be used, or does not fit the request.
    Setting,
    /// The answer has no shape that a position can be read from.
    Body,
    /// A value was found where the position should be, but it is no position.
    Position,
    /// A next link that is no URL for HTTP.
    Link,
    /// A jq expression of the settings failed on this answer.
    Expression,
}

impl Error {
    /// An error of this kind. The message is one line for a person and holds no value of the answer.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
            source: None,
        }
    }

    /// Keeps the error that this one comes from, for [`std::error::Error::source`].
    pub fn with_source(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Whether the same call may succeed later: never, as a paginator is a pure function of its input.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.source {
            Some(source) => Some(source.as_ref()),
            None => None,
        }
    }
}
