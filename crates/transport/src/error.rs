use std::error::Error as StdError;
use std::fmt;
use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::told::Told;

/// Why an exchange gave no value.
///
/// `Display` is one line for a person: what was asked (method, origin and path, never a query),
/// what happened and what to change. It never holds a header value, a query string or a body, and
/// never repeats [`source`](StdError::source).
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    retryable: bool,
    status: Option<StatusCode>,
    told: Option<Told>,
    target: Option<String>,
    attempts: u32,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What kind of failure an [`Error`] is.
///
/// "Retried" says what [`Client`](crate::Client) does with a read; see
/// [`RetryScope::Token`](crate::RetryScope::Token) for token requests.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting or a request that can never work: fix the configuration. Not retried.
    Config,
    /// No connection: name resolution, refusal, TLS. Nothing was sent. Retried, unless it is a certificate or a setting that stands
    /// in the way.
    Connect,
    /// No whole answer within the time allowed. Retried.
    Timeout,
    /// The connection broke before the answer began. Retried.
    Reset,
    /// The body was cut short, could not be decompressed or ended inside JSON. Retried.
    Truncated,
    /// The body is larger than allowed. Not retried.
    BodyTooLarge,
    /// JSON was expected, the body is empty. Retried.
    EmptyBody,
    /// The body is no JSON, an HTML page for example. Not retried.
    NotJson,
    /// JSON, but not of the shape that the caller reads. Not retried.
    Shape,
    /// JSON nested too deeply. Not retried.
    TooDeep,
    /// The status is a success and the body says that the request failed, by a rule of the caller. Not retried, unless the rule says
    /// so.
    Rejected,
    /// A status that is no success. Retried when the status is a temporary one.
    Status,
    /// 429, or a 403 that says that a limit is reached. Retried after the wait that was told.
    RateLimited,
    /// 401, after renewal if there was one. Not retried.
    Unauthorized,
    /// A redirect that is not followed. Not retried.
    Redirect,
    /// An URL of another origin than the one that this exchange may talk to. Nothing was sent
    /// there. Not retried.
    ForeignOrigin,
    /// Credentials could not be put on the request or renewed. Not retried here: whoever renews
    /// has its own retries.
    Auth,
    /// None of the above.
    Other,
}

impl ErrorKind {
    fn is_retryable(self) -> bool {
        matches!(
            self,
            ErrorKind::Connect
                | ErrorKind::Timeout
                | ErrorKind::Reset
                | ErrorKind::Truncated
                | ErrorKind::EmptyBody
                | ErrorKind::RateLimited
        )
    }
}

impl Error {
    /// An error of `kind`; retryable as the kind says, see [`Error::retryable`].
    ///
    /// `message` is shown to people: say what to change, and put no secret, no query string and
    /// no body into it.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            retryable: kind.is_retryable(),
            status: None,
            told: None,
            target: None,
            attempts: 0,
            source: None,
        }))
    }

    /// Adds the cause. It must be as free of secrets as the message.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Overrides whether asking again may help.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = retryable;
        self
    }

    /// Adds the status of the answer.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = Some(status);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the failure is of a temporary kind.
    ///
    /// An error that [`Client::send`](crate::Client::send) returns has been retried already as
    /// far as the policy allows.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable
    }

    /// The status of the answer, if there was one.
    pub fn status(&self) -> Option<StatusCode> {
        self.0.status
    }

    /// How long the server asked to wait.
    ///
    /// Zero when it asked for a wait that has passed or cannot be understood.
    pub fn told_wait(&self) -> Option<Duration> {
        self.0.told.map(|told| told.wait(SystemTime::now))
    }

    /// How many requests were made, when [`Client::send`](crate::Client::send) returned this.
    pub fn attempts(&self) -> u32 {
        self.0.attempts
    }

    pub(crate) fn with_told(mut self, told: Option<Told>) -> Self {
        self.0.told = told;
        self
    }

    /// Turns a date that was told into a duration, by the client's clock.
    pub(crate) fn settle_told(&mut self, now: impl FnOnce() -> SystemTime) -> Option<Duration> {
        let wait = self.0.told?.wait(now);
        self.0.told = Some(Told::after(wait));
        Some(wait)
    }

    pub(crate) fn add_advice(&mut self, advice: &str) {
        self.0.message.push_str("; ");
        self.0.message.push_str(advice);
    }

    pub(crate) fn at(mut self, target: impl FnOnce() -> String, attempts: u32) -> Self {
        if self.0.target.is_none() {
            self.0.target = Some(target());
            self.0.attempts = attempts;
        }
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.0.target {
            write!(f, "{target}: ")?;
        }
        f.write_str(&self.0.message)?;
        if self.0.attempts > 1 {
            write!(f, " (after {} requests)", self.0.attempts)?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("retryable", &self.0.retryable)
            .field("status", &self.0.status)
            .field("told_wait", &self.told_wait())
            .field("target", &self.0.target)
            .field("attempts", &self.0.attempts)
            .field("source", &self.0.source)
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
