//! The one JSON reader: strict, to the last byte, with a limit on nesting.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::{Error, ErrorKind};

/// Nesting of this many levels is refused (the limit of `serde_json`).
const DEPTH: usize = 128;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads `body` as one JSON text (RFC 8259), all of it. A byte order mark is skipped.
///
/// # Errors
///
/// - [`EmptyBody`](ErrorKind::EmptyBody): there is nothing but white space. Retryable.
/// - [`Truncated`](ErrorKind::Truncated): the text ends in the middle, which is how a body of
///   unknown length looks when its connection broke. Retryable.
/// - [`NotJson`](ErrorKind::NotJson): anything that is no JSON, such as HTML, `NaN`, comments or
///   text after the end; and a number that no 64-bit float can hold, such as `1e1000`.
/// - [`TooDeep`](ErrorKind::TooDeep): 128 levels or more.
/// - [`Shape`](ErrorKind::Shape): JSON, but no `T`.
///
/// The error says at which byte, and shows nothing of the body.
///
/// ```
/// use longshore_transport::{ErrorKind, json};
///
/// let ids: Vec<u64> = json::read(b"[1, 18446744073709551615]").unwrap();
/// assert_eq!(ids, [1, u64::MAX]);
/// let cut = json::read::<Vec<u64>>(b"[1, 1844").unwrap_err();
/// assert_eq!(cut.kind(), ErrorKind::Truncated);
/// assert!(cut.is_retryable());
/// ```
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Error> {
    read_with(body, |_| None)
}

/// As [`read`], with a reader of your own that is asked first: it is given the text without its byte order mark, and gives `None`
/// where it does not take it, which needs no reason. What it takes beyond [`read`] is its own affair.
///
/// # Errors
///
/// As [`read`], after both have refused the body.
///
/// ```
/// use longshore_transport::json;
///
/// let one = |text: &str| (text == "1").then_some(1);
/// assert_eq!(json::read_with::<u64>(b"1", one).unwrap(), 1);
/// assert_eq!(json::read_with::<u64>(b"2", one).unwrap(), 2);
/// assert!(json::read_with::<u64>(b"x", one).is_err());
/// ```
pub fn read_with<T: DeserializeOwned>(
    body: &[u8],
    first: impl FnOnce(&str) -> Option<T>,
) -> Result<T, Error> {
    let body = body.strip_prefix(BYTE_ORDER_MARK).unwrap_or(body);
    let start = match body.iter().position(|byte| !b" \t\r\n".contains(byte)) {
        None => return Err(Error::new(ErrorKind::EmptyBody, "the body is empty")),
        Some(start) => start,
    };
    // serde_json checks the encoding only of the text that `T` keeps.
    let text = match std::str::from_utf8(body) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => return Err(truncated(body.len())),
        Err(error) => return Err(not_json(body, start, error.valid_up_to())),
    };
    if let Some(value) = first(text) {
        return Ok(value);
    }
    serde_json::from_str(text).map_err(|error| {
        let offset = offset(text, error.line(), error.column());
        match error.classify() {
            Category::Eof if body[start] == b'<' => not_json(body, start, offset),
            Category::Eof => truncated(body.len()),
            Category::Syntax if is_deep(&body[..offset]) => Error::new(
                ErrorKind::TooDeep,
                format!("the JSON is nested {DEPTH} levels deep at byte {offset}; that is refused"),
            ),
            // With serde_json's feature "arbitrary_precision" a number that is cut after its sign,
            // point or exponent mark counts as a wrong number.
            Category::Syntax if offset >= body.len() && ends_in_number(body) => {
                truncated(body.len())
            }
            Category::Syntax if error.to_string().starts_with("number out of range") => Error::new(
                ErrorKind::NotJson,
                format!("the number at byte {offset} of the body is out of range (beyond 1.8e308)"),
            ),
            Category::Syntax | Category::Io => not_json(body, start, offset),
            Category::Data => shape(&error, offset),
        }
    })
}

fn truncated(length: usize) -> Error {
    Error::new(
        ErrorKind::Truncated,
        format!("the body ends after {length} bytes, in the middle of its JSON"),
    )
}

fn not_json(body: &[u8], start: usize, offset: usize) -> Error {
    let message = if body[start] == b'<' {
        "the body looks like HTML or XML, not JSON; check the endpoint and the credentials".into()
    } else {
        format!("the body is not valid JSON at byte {offset}")
    };
    Error::new(ErrorKind::NotJson, message)
}

/// The text of a serde error may quote the value that was found; that of a missing field quotes
/// nothing but the program.
fn shape(error: &serde_json::Error, offset: usize) -> Error {
    let text = error.to_string();
    let field = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split_once('`'))
        .map(|(field, _)| field);
    let message = match field {
        Some(field) => format!("the JSON lacks the field `{field}` (seen at byte {offset})"),
        None => format!("the JSON is not of the expected shape at byte {offset}"),
    };
    Error::new(ErrorKind::Shape, message)
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text
        .split_inclusive('\n')
        .take(line.saturating_sub(1))
        .map(str::len)
        .sum();
    (before + column).min(text.len())
}

/// Whether nesting reaches [`DEPTH`] by the end of `text`, which is valid so far.
fn is_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth >= DEPTH {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

fn ends_in_number(body: &[u8]) -> bool {
    matches!(body.last(), Some(b'-' | b'+' | b'.' | b'e' | b'E'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;
    use serde::de::IgnoredAny;
    use serde_json::{Value, json};

    use super::*;

    fn kind(body: impl AsRef<[u8]>) -> ErrorKind {
        read::<Value>(body.as_ref()).unwrap_err().kind()
    }

    #[test]
    fn only_strict_json_is_read() {
        for body in [
            "NaN",
            "[Infinity]",
            "[1,]",
            "{\"a\":1,}",
            "[+1]",
            "[01]",
            "[.5]",
            "// c\n1",
            "/**/1",
            "'a'",
            "{a:1}",
            "[1] [2]",
            "[1]x",
            "\"\u{1}\"",
            "\u{feff}\u{feff}1",
        ] {
            assert_eq!(kind(body), ErrorKind::NotJson, "{body:?}");
        }
        assert_eq!(kind(b"[\"\xff\"]"), ErrorKind::NotJson);
        let skipped = read::<IgnoredAny>(b"[\"\xff\"]").unwrap_err();
        assert_eq!(
            skipped.kind(),
            ErrorKind::NotJson,
            "also where the text is not kept"
        );
    }

    #[test]
    fn a_byte_order_mark_is_skipped_and_large_integers_survive() {
        let value: Value = read(b"\xEF\xBB\xBF {\"id\": 18446744073709551615}\n").unwrap();
        assert_eq!(value["id"].as_u64(), Some(u64::MAX));
    }

    #[test]
    fn an_empty_body_is_an_error_of_its_own() {
        for body in [&b""[..], b" \r\n\t", b"\xEF\xBB\xBF"] {
            assert_eq!(kind(body), ErrorKind::EmptyBody);
        }
    }

    #[test]
    fn html_is_named_and_never_retried_even_when_cut() {
        for body in ["<html><body>s3cret</body></html>", "  <", "<?xml"] {
            let error = read::<Value>(body.as_bytes()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotJson);
            assert!(!error.is_retryable());
            assert!(error.to_string().contains("looks like HTML"));
        }
    }

    #[test]
    fn the_depth_limit_is_128_levels() {
        let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
        assert!(read::<Value>(nested(127).as_bytes()).is_ok());
        assert_eq!(kind(nested(128)), ErrorKind::TooDeep);
        assert_eq!(kind(nested(200_000)), ErrorKind::TooDeep);
        assert_eq!(kind("{\"a\":".repeat(100_000)), ErrorKind::TooDeep);
        let text = json!({ "brackets": "[".repeat(300) });
        assert!(read::<Value>(text.to_string().as_bytes()).is_ok());
    }

    #[test]
    fn an_error_shows_where_and_never_what() {
        #[derive(Debug, Deserialize)]
        struct Token {
            #[allow(dead_code)]
            token: u64,
        }
        let wrong_type = read::<Token>(br#"{"token":"s3cret"}"#).unwrap_err();
        assert_eq!(wrong_type.kind(), ErrorKind::Shape);
        assert!(!format!("{wrong_type} {wrong_type:?}").contains("s3cret"));
        let missing = read::<Token>(br#"{"other":"s3cret"}"#).unwrap_err();
        assert!(missing.to_string().contains("`token`"));
        assert!(!format!("{missing:?}").contains("s3cret"));
        let syntax = read::<Value>(b"{\n\"a\": s3cret}").unwrap_err();
        assert_eq!(syntax.to_string(), "the body is not valid JSON at byte 8");
    }

    #[test]
    fn a_number_out_of_range_is_named_as_one() {
        let error = read::<Vec<f64>>(b"[1,\n 1e1000]").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotJson);
        assert!(!error.is_retryable());
        assert_eq!(
            error.to_string(),
            "the number at byte 11 of the body is out of range (beyond 1.8e308)"
        );
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<i32>().prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
            "[\\PC\u{0}-\u{1f}]{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..4)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
        .prop_map(|value| json!([value]))
    }

    proptest! {
        // R27: a body that was cut anywhere is seen as cut, and not as something that is final.
        #[test]
        fn every_proper_beginning_of_a_document_is_retryable(value in any_json(), cut in any::<prop::sample::Index>()) {
            let text = value.to_string().into_bytes();
            let error = read::<Value>(&text[..cut.index(text.len())]).unwrap_err();
            prop_assert!(error.is_retryable(), "{error}");
            prop_assert_eq!(read::<Value>(&text).unwrap(), value);
        }

        #[test]
        fn no_bytes_make_the_reader_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = read::<Value>(&body);
            let _ = read::<Vec<String>>(&body);
        }
    }
}
