use http::StatusCode;

use crate::told::{Limits, ResetUnit};
use crate::{Error, ErrorKind, Response};

/// What the status of an answer means, see [`Response::success`].
///
/// ```
/// use http::StatusCode;
/// use longshore_transport::StatusRules;
///
/// // An API that answers 409 while it is busy, and 503 for accounts that are closed.
/// let rules = StatusRules::default()
///     .retry(StatusCode::CONFLICT)
///     .fail(StatusCode::SERVICE_UNAVAILABLE);
/// ```
#[derive(Clone, Debug, Default)]
pub struct StatusRules {
    reset_unit: ResetUnit,
    /// The few that mean something else than usual, and whether they are retried.
    exceptions: Vec<(StatusCode, bool)>,
}

impl StatusRules {
    /// The unit of rate limit resets, for an API whose numbers mislead the default rule.
    #[must_use]
    pub fn reset_unit(mut self, unit: ResetUnit) -> Self {
        self.reset_unit = unit;
        self
    }

    /// This status is a failure that passes: it is asked again. Says nothing about a success (2xx).
    #[must_use]
    pub fn retry(self, status: StatusCode) -> Self {
        self.except(status, true)
    }

    /// This status is a failure that stays: it is not asked again, a 403 not even where it says that a limit is reached. (After a
    /// 429 others still wait for as long as was told.) Says nothing about a success (2xx).
    #[must_use]
    pub fn fail(self, status: StatusCode) -> Self {
        self.except(status, false)
    }

    /// The error for an answer that is a success by its status and says in its body that the request failed: of kind
    /// [`ErrorKind::Rejected`], with the wait that its headers tell. `message` must be free of what the body says.
    pub fn rejection(&self, response: &Response, message: impl Into<String>) -> Error {
        let limits = Limits::of(&response.headers, self.reset_unit);
        Error::new(ErrorKind::Rejected, message)
            .with_status(response.status)
            .with_told(limits.told(response.status))
    }

    fn except(mut self, status: StatusCode, retried: bool) -> Self {
        self.exceptions.retain(|(known, _)| *known != status);
        self.exceptions.push((status, retried));
        self
    }

    /// The answer if its status is a success (2xx).
    ///
    /// # Errors
    ///
    /// What its status means, with the wait that was told.
    pub fn check(&self, response: Response) -> Result<Response, Error> {
        let status = response.status;
        if status.is_success() {
            return Ok(response);
        }
        let limits = Limits::of(&response.headers, self.reset_unit);
        let exception = self.exceptions.iter().find(|(known, _)| *known == status);
        let stays = exception.is_some_and(|(_, retried)| !retried);
        let limited = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::FORBIDDEN && limits.reached() && !stays);
        let error = if limited {
            let message = format!("the rate limit is reached ({})", name(status));
            Error::new(ErrorKind::RateLimited, message)
        } else if status == StatusCode::UNAUTHORIZED {
            let message = "the credentials were refused (401); check authType and its credentials";
            Error::new(ErrorKind::Unauthorized, message)
        } else if status.is_redirection() {
            let message = format!("the answer is a redirect ({}), not a result", name(status));
            Error::new(ErrorKind::Redirect, message)
        } else {
            Error::new(
                ErrorKind::Status,
                format!("the server answered {}", name(status)),
            )
            .retryable(is_temporary(status))
        };
        let error = match exception {
            Some((_, retried)) => error.retryable(*retried),
            None => error,
        };
        let told = if limited || error.is_retryable() {
            limits.told(status)
        } else {
            None
        };
        Err(error.with_status(status).with_told(told))
    }
}

/// Whether this status says that the same request may succeed later: 408, 425, 429, 500, 502, 503, 504, 520–524 and 529.
pub fn is_temporary(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        408 | 425 | 429 | 500 | 502 | 503 | 504 | 520..=524 | 529
    )
}

/// `503 Service Unavailable`, or the number alone where no name is registered.
fn name(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}
