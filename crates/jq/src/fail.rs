//! Errors that a program raises while it runs.
//!
//! jq's messages quote the data (`Cannot index string ("Ada")…`), and a program can catch them. What leaves the crate
//! must not hold data, so the message of each error carries a second text without it.

use crate::limits::Limit;
use crate::val::{Repr, Text, Told, Val, dump};

pub(crate) type Error = jaq_core::Error<Val>;
pub(crate) type ValR = Result<Val, Error>;

/// A message without data, as pieces to put together only when somebody reads it.
#[derive(Clone, Copy)]
pub(crate) struct Plain([&'static str; 4]);

impl std::fmt::Display for Plain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|part| f.write_str(part))
    }
}

fn raise(message: String, plain: [&'static str; 4]) -> Error {
    let told = Told {
        message: message.into(),
        plain: Plain(plain),
    };
    Error::new(Val(Repr::Str(Text::Told(told.into()))))
}

/// The text without data of an error of ours, if `value` is its message.
pub(crate) fn plain(value: &Val) -> Option<Plain> {
    match &value.0 {
        Repr::Str(Text::Told(told)) => Some(told.plain),
        _ => None,
    }
}

/// A message that holds no data.
pub(crate) fn message(text: &'static str) -> Error {
    raise(text.to_owned(), [text, "", "", ""])
}

/// A message that quotes data after a fixed part.
pub(crate) fn quoting(text: &'static str, data: &str) -> Error {
    raise(format!("{text}: {data}"), [text, "", "", ""])
}

/// A message that quotes data, and the same without it.
pub(crate) fn told(message: String, plain: &'static str) -> Error {
    raise(message, [plain, "", "", ""])
}

/// `string ("a") cannot be negated`
pub(crate) fn typed(value: &Val, what: &'static str) -> Error {
    raise(
        format!("{} {what}", quote(value)),
        [value.type_name(), " ", what, ""],
    )
}

/// `number (1) and string ("a") cannot be added`
pub(crate) fn pair(left: &Val, right: &Val, what: &'static str) -> Error {
    raise(
        format!("{} and {} {what}", quote(left), quote(right)),
        [left.type_name(), " and ", right.type_name(), pair_end(what)],
    )
}

pub(crate) fn index(value: &Val, key: &Val) -> Error {
    raise(
        format!("Cannot index {} with {}", value.type_name(), quote(key)),
        [
            "cannot index ",
            value.type_name(),
            " with ",
            key.type_name(),
        ],
    )
}

/// `Cannot check whether array has a string key`
pub(crate) fn has(value: &Val, key: &Val) -> Error {
    raise(
        format!(
            "Cannot check whether {} has a {} key",
            value.type_name(),
            key.type_name()
        ),
        [
            "cannot look for a key of type ",
            key.type_name(),
            " in ",
            value.type_name(),
        ],
    )
}

/// `Cannot use number (1) as object key`
pub(crate) fn key(key: &Val) -> Error {
    raise(
        format!("Cannot use {} as object key", quote(key)),
        ["cannot use ", key.type_name(), " as object key", ""],
    )
}

pub(crate) fn iterate(value: &Val) -> Error {
    raise(
        format!("Cannot iterate over {}", quote(value)),
        ["cannot iterate over ", value.type_name(), "", ""],
    )
}

pub(crate) fn limit(limit: Limit) -> Error {
    message(limit.text())
}

fn quote(value: &Val) -> String {
    format!("{} ({})", value.type_name(), dump(value))
}

/// The end of a message with a space before it.
fn pair_end(what: &'static str) -> &'static str {
    match what {
        ADDED => " cannot be added",
        SUBTRACTED => " cannot be subtracted",
        MULTIPLIED => " cannot be multiplied",
        DIVIDED => " cannot be divided",
        REMAINDER => " cannot be divided (remainder)",
        DIVIDED_BY_ZERO => " cannot be divided because the divisor is zero",
        REMAINDER_BY_ZERO => " cannot be divided (remainder) because the divisor is zero",
        CONTAINMENT => " cannot have their containment checked",
        UNSORTED => " cannot be sorted, as they are not both arrays",
        UNITERATED => " cannot be iterated over",
        _ => " do not go together here",
    }
}

pub(crate) const ADDED: &str = "cannot be added";
pub(crate) const SUBTRACTED: &str = "cannot be subtracted";
pub(crate) const MULTIPLIED: &str = "cannot be multiplied";
pub(crate) const DIVIDED: &str = "cannot be divided";
pub(crate) const REMAINDER: &str = "cannot be divided (remainder)";
pub(crate) const DIVIDED_BY_ZERO: &str = "cannot be divided because the divisor is zero";
pub(crate) const REMAINDER_BY_ZERO: &str =
    "cannot be divided (remainder) because the divisor is zero";
pub(crate) const CONTAINMENT: &str = "cannot have their containment checked";
pub(crate) const UNSORTED: &str = "cannot be sorted, as they are not both arrays";
pub(crate) const UNITERATED: &str = "cannot be iterated over";
