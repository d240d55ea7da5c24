//! What can go wrong with an expression.

use crate::advice;
use crate::limits::Limit;
use crate::syntax;
use std::fmt;

/// An expression that is no jq.
///
/// Its text is one line that says what is wrong and where. It quotes the expression, never data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CompileError {
    message: String,
    position: Option<usize>,
}

impl CompileError {
    pub(crate) fn new(message: impl Into<String>, position: Option<usize>) -> Self {
        Self {
            message: message.into(),
            position,
        }
    }

    /// Adds what the person who wrote the program most likely meant, where that is plain.
    pub(crate) fn hinted(mut self, text: &str) -> Self {
        // Some messages say it by themselves.
        let says_it = self.message.contains(" is written ");
        if let Some(at) = self.position.filter(|_| !says_it)
            && let Some(hint) = syntax::hint::of(text, at)
        {
            self.message.push_str("; ");
            self.message.push_str(hint);
        }
        self
    }

    /// Where the problem begins: characters from the start of the expression, if it is in one place.
    pub fn position(&self) -> Option<usize> {
        self.position
    }
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for CompileError {}

/// Why an evaluation ended without an output.
///
/// Its text is one line without any of the data. A message that the program raised itself is shown where it stands in the program
/// (`error("no team")`), and not where it is made of data.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EvalError {
    kind: EvalErrorKind,
    message: String,
}

/// What kind of thing ended an evaluation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum EvalErrorKind {
    /// An operation did not fit the data (`1 + "a"`, `.a` on a string). Other records may do better.
    Data,
    /// The expression called `error`. Other records may do better.
    Raised,
    /// The expression used more time, memory or stack than one evaluation may. It will most likely do so again.
    Limit,
    /// The expression called `halt`, `halt_error` or `input`, which have no meaning here.
    Halt,
}

impl EvalError {
    pub(crate) fn new(kind: EvalErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    pub(crate) fn limit(limit: Limit) -> Self {
        Self::new(EvalErrorKind::Limit, limit.text())
    }

    /// What kind of thing ended the evaluation.
    pub fn kind(&self) -> EvalErrorKind {
        self.kind
    }

    /// What to write instead, in one line, where the cause is plain.
    ///
    /// ```
    /// use longshore_jq::{Filter, Val};
    ///
    /// let record = Val::from_json(&serde_json::json!({"key": "AB-", "id": 7}));
    /// let error = Filter::compile(".key + .id")?.first(&record).unwrap_err();
    /// assert_eq!(error.to_string(), "string and number cannot be added");
    /// assert!(error.hint().unwrap().contains("(.id | tostring)"));
    /// # Ok::<(), longshore_jq::CompileError>(())
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        match self.kind {
            EvalErrorKind::Data => advice::of_failure(&self.message),
            _ => None,
        }
    }
}

impl fmt::Display for EvalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for EvalError {}
