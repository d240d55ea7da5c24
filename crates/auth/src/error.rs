use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use longshore_transport as transport;

/// Why a request could not be authenticated.
///
/// Cheap to clone: one failed login is the error of everybody who waited for it. `Display` is one
/// line that says what to change; it holds no credential and does not repeat
/// [`source`](StdError::source).
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
    retryable: bool,
}

/// What kind of failure an [`Error`] is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A credential that can never be sent: empty, with a line break, in a forbidden header.
    Config,
    /// The request for a new credential failed.
    Login,
    /// None of the above.
    Other,
}

impl Error {
    /// An error of `kind`. `message` is shown to people: no credential in it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
            retryable: false,
        }))
    }

    /// A login that failed because its exchange failed. Retryable as `source` is.
    pub fn login(message: impl Into<String>, source: transport::Error) -> Self {
        Self(Arc::new(Inner {
            kind: ErrorKind::Login,
            message: message.into(),
            retryable: source.is_retryable(),
            source: Some(Box::new(source)),
        }))
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the failure is of a temporary kind.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }
}

/// Errors of configuration checks keep their words; failed exchanges become failed logins.
impl From<transport::Error> for Error {
    fn from(error: transport::Error) -> Self {
        if error.kind() == transport::ErrorKind::Config {
            Self::new(ErrorKind::Config, error.to_string())
        } else {
            Self::login("no credential could be fetched", error)
        }
    }
}

impl From<Error> for transport::Error {
    fn from(error: Error) -> Self {
        let message = "the request could not be authenticated";
        transport::Error::new(transport::ErrorKind::Auth, message)
            .retryable(error.is_retryable())
            .with_source(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("retryable", &self.0.retryable)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
