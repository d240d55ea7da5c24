//! The form of a cassette.

use serde::{Deserialize, Serialize};

use crate::ErrorKind;

/// What this version writes and reads.
pub(super) const FORMAT: u32 = 1;

/// The first line.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Head {
    /// The format.
    pub(super) cassette: u32,
    /// When the recording began, in the form of HTTP dates.
    pub(super) recorded: String,
}

/// Every other line.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Interaction {
    pub(super) request: Asked,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
}

/// A request without its headers.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) url: String,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub(super) body: Option<Body>,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Response(Answered),
    Error(Failure),
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    #[serde(flatten)]
    pub(super) body: Body,
}

/// A body as text, or as hexadecimal digits where it is none.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Body {
    Text(String),
    Hex(String),
}

/// What became of a request that got no answer.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(super) struct Failure {
    kind: Kind,
    /// Whether asking again could have helped.
    passes: bool,
}

/// The kinds of errors that transports report.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Connect,
    Timeout,
    Reset,
    Truncated,
    BodyTooLarge,
    Other,
}

impl Failure {
    pub(super) fn of(error: &crate::Error) -> Self {
        let kind = match error.kind() {
            ErrorKind::Connect => Kind::Connect,
            ErrorKind::Timeout => Kind::Timeout,
            ErrorKind::Reset => Kind::Reset,
            ErrorKind::Truncated => Kind::Truncated,
            ErrorKind::BodyTooLarge => Kind::BodyTooLarge,
            _ => Kind::Other,
        };
        Failure {
            kind,
            passes: error.is_retryable(),
        }
    }

    pub(super) fn error(self) -> crate::Error {
        let (kind, what) = match self.kind {
            Kind::Connect => (ErrorKind::Connect, "there was no connection"),
            Kind::Timeout => (ErrorKind::Timeout, "there was no whole answer in time"),
            Kind::Reset => (
                ErrorKind::Reset,
                "the connection broke before an answer came",
            ),
            Kind::Truncated => (ErrorKind::Truncated, "the body was cut short"),
            Kind::BodyTooLarge => (ErrorKind::BodyTooLarge, "the body was too large"),
            Kind::Other => (ErrorKind::Other, "the request failed"),
        };
        crate::Error::new(kind, format!("{what} when this was recorded")).retryable(self.passes)
    }
}

impl Body {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Body::Text(text.to_owned()),
            Err(_) => Body::Hex(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        }
    }

    /// The bytes; `None` where the digits are none.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Body::Text(text) => Some(text.clone().into_bytes()),
            Body::Hex(digits) => digits
                .as_bytes()
                .chunks(2)
                .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
                .collect(),
        }
    }
}
