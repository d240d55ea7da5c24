//! The one error of this crate.

use std::fmt;

/// A template that cannot work, or a parent that gives no usable parameter. Never worth a repeat with the same input.
///
/// `Display` is one line and holds the parameter's name, but never its value.
#[derive(Clone, Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
}

/// What an [`Error`] is about.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The template's text, or parameters that do not fit it. Found before any record.
    Template,
    /// A request was to be made without a value for a parameter.
    MissingValue,
    /// A value that would change the path: empty, `.`, `..`, or with control characters. Concerns this one parent.
    Value,
    /// `field` fails on a parent, or gives what is neither text nor number. Concerns this one parent.
    Field,
    /// `filter` fails on a parent, or gives no boolean. Concerns this one parent.
    Filter,
    /// What children are to be told of a parent fails on it. Concerns this one parent.
    Include,
    /// An expression used more time, memory or stack than it may on a parent, and most likely will on others. Concerns this one parent; who
    /// sees it again and again had better stop.
    Limit,
    /// A window of time that cannot be: a moment, a step or a format that nobody can read. Found before any record.
    Window,
}

impl ErrorKind {
    /// Whether other parents can still be expanded.
    pub fn is_about_one_parent(self) -> bool {
        matches!(
            self,
            ErrorKind::Value
                | ErrorKind::Field
                | ErrorKind::Filter
                | ErrorKind::Include
                | ErrorKind::Limit
        )
    }
}

impl Error {
    /// An error for an [`Expand`](crate::Expand) of your own. The message is one line that says what to change, and holds no value.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error {
            kind,
            message: message.into(),
        }
    }

    /// What it is about.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// Always false: nothing here depends on time.
    pub fn is_retryable(&self) -> bool {
        false
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
