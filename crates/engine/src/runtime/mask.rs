//! Raw records made fit to be shown: their shape stays, what is in them does not.

use serde_json::{Map, Number, Value};

/// Items of a list that an example keeps.
const ITEMS: usize = 3;
/// Keys of an object that an example keeps.
const KEYS: usize = 200;
/// How deep an example goes.
const DEPTH: usize = 12;
/// The longest text an example has, in characters.
const LETTERS: usize = 24;

/// The record with its keys and types, and nothing of what its values are.
///
/// - Text keeps its length, up to 24 characters, and becomes `xxxx`. Where its form is all that a mapping works with, it becomes a neutral text of
///   that form: dates and times, web addresses, e-mail addresses, UUIDs, and digits (`000`).
/// - Numbers become 0, or 0.5 where they have a fraction. `true`, `false` and `null` stay.
/// - Keys stay, but for those that are data themselves (an address, a UUID, a number, text with blanks, anything long): those are masked too.
/// - Lists keep 3 items, objects 200 keys, and what is nested deeper than 12 levels is left out.
///
/// So no secret, name, address or number of a record leaves; what kind of value a field has does.
///
/// ```
/// use longshore_engine::runtime::masked;
/// use serde_json::json;
///
/// let record = json!({"id": 7, "email": "ada@lovelace.example", "key": "sk-1234", "since": "1843-07-10", "tags": ["a", "b"]});
/// assert_eq!(
///     masked(&record),
///     json!({"id": 0, "email": "user@example.com", "key": "xxxxxxx", "since": "2000-01-01", "tags": ["x", "x"]}),
/// );
/// ```
pub fn masked(record: &Value) -> Value {
    mask(record, 0)
}

fn mask(value: &Value, depth: usize) -> Value {
    match value {
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Number(number) => Value::Number(mask_number(number)),
        Value::String(text) => Value::String(mask_text(text)),
        Value::Array(_) if depth >= DEPTH => Value::Array(Vec::new()),
        Value::Array(items) => items
            .iter()
            .take(ITEMS)
            .map(|item| mask(item, depth + 1))
            .collect(),
        Value::Object(_) if depth >= DEPTH => Value::Object(Map::new()),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .take(KEYS)
                .map(|(key, value)| (mask_key(key), mask(value, depth + 1)))
                .collect(),
        ),
    }
}

fn mask_number(number: &Number) -> Number {
    if number.is_f64() && number.as_f64().is_some_and(|number| number.fract() != 0.0) {
        Number::from_f64(0.5).unwrap_or_else(|| Number::from(0))
    } else {
        Number::from(0)
    }
}

fn mask_text(text: &str) -> String {
    let neutral = match form_of(text) {
        Form::Empty => "",
        Form::DateTime => "2000-01-01T00:00:00Z",
        Form::Date => "2000-01-01",
        Form::Url => "https://example.com/",
        Form::Email => "user@example.com",
        Form::Uuid => "00000000-0000-0000-0000-000000000000",
        Form::Digits => return "0".repeat(text.len().min(LETTERS)),
        Form::Other => return "x".repeat(text.chars().take(LETTERS).count()),
    };
    neutral.to_owned()
}

/// A name that somebody gave a field stays. What may be a value in the place of a name does not.
fn mask_key(key: &str) -> String {
    let is_name = !key.is_empty()
        && key.len() <= 40
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_-.@$:#/".contains(c))
        && key.chars().filter(char::is_ascii_digit).count() <= 4
        && matches!(form_of(key), Form::Other);
    if is_name {
        key.to_owned()
    } else {
        mask_text(key)
    }
}

/// The forms of text that Port and jq tell apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Form {
    /// Nothing in it.
    Empty,
    /// A day and a time with its offset, as RFC 3339 writes them.
    DateTime,
    /// A day.
    Date,
    /// A web address.
    Url,
    /// An e-mail address.
    Email,
    /// A UUID.
    Uuid,
    /// Digits alone.
    Digits,
    /// Anything else.
    Other,
}

pub(crate) fn form_of(text: &str) -> Form {
    if text.is_empty() {
        Form::Empty
    } else if text.bytes().all(|byte| byte.is_ascii_digit()) {
        Form::Digits
    } else if is_date(text) {
        Form::Date
    } else if is_date_time(text) {
        Form::DateTime
    } else if is_url(text) {
        Form::Url
    } else if is_email(text) {
        Form::Email
    } else if uuid::Uuid::try_parse(text).is_ok() && text.len() == 36 {
        Form::Uuid
    } else {
        Form::Other
    }
}

/// `2024-02-29`.
fn is_date(text: &str) -> bool {
    let (Some(year), Some(month), Some(day)) =
        (digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2))
    else {
        return false;
    };
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return false,
    };
    text.len() == 10
        && text.as_bytes()[4] == b'-'
        && text.as_bytes()[7] == b'-'
        && (1..=days).contains(&day)
}

/// RFC 3339: `2024-02-29T23:59:59.5+01:00`. Without an offset nobody knows when it is, and Port refuses it.
fn is_date_time(text: &str) -> bool {
    let (Some(day), Some(rest)) = (text.get(..10), text.get(10..)) else {
        return false;
    };
    if !is_date(day) || !rest.starts_with(['T', 't', ' ']) {
        return false;
    }
    let (Some(hour), Some(minute), Some(second)) =
        (digits(rest, 1, 2), digits(rest, 4, 2), digits(rest, 7, 2))
    else {
        return false;
    };
    let colons = rest.as_bytes().get(3) == Some(&b':') && rest.as_bytes().get(6) == Some(&b':');
    if !colons || hour > 23 || minute > 59 || second > 60 {
        return false;
    }
    let Some(mut rest) = rest.get(9..) else {
        return false;
    };
    if let Some(fraction) = rest.strip_prefix('.') {
        rest = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
        if rest.len() == fraction.len() {
            return false;
        }
    }
    if rest.eq_ignore_ascii_case("z") {
        return true;
    }
    rest.len() == 6
        && rest.starts_with(['+', '-'])
        && rest.as_bytes()[3] == b':'
        && digits(rest, 1, 2).is_some_and(|hours| hours <= 23)
        && digits(rest, 4, 2).is_some_and(|minutes| minutes <= 59)
}

fn digits(text: &str, from: usize, count: usize) -> Option<u32> {
    let digits = text.get(from..from + count)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn is_url(text: &str) -> bool {
    (text.starts_with("https://") || text.starts_with("http://"))
        && !text.contains(char::is_whitespace)
        && url::Url::parse(text).is_ok_and(|url| url.has_host())
}

fn is_email(text: &str) -> bool {
    let Some((user, host)) = text.split_once('@') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    !user.is_empty()
        && !user.starts_with('.')
        && !user.ends_with('.')
        && user
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c))
        && host.contains('.')
        && host.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn forms_are_told_apart_and_what_only_looks_like_one_is_text() {
        for (text, form) in [
            ("", Form::Empty),
            ("2024-02-29", Form::Date),
            ("2023-02-29", Form::Other),
            ("2024-13-01", Form::Other),
            ("2024-02-29T10:00:00Z", Form::DateTime),
            ("2024-02-29t10:00:00.123456+05:30", Form::DateTime),
            ("2024-02-29T10:00:00", Form::Other),
            ("2024-02-29T10:00:00.Z", Form::Other),
            ("2024-02-29T25:00:00Z", Form::Other),
            ("2024-02-29T10:00:00+0530", Form::Other),
            ("https://example.com/a?b=c", Form::Url),
            ("https://", Form::Other),
            ("ftp://example.com", Form::Other),
            ("see https://example.com", Form::Other),
            ("ada@example.com", Form::Email),
            ("ada@example", Form::Other),
            ("@example.com", Form::Other),
            ("a@b@c.d", Form::Other),
            ("550e8400-e29b-41d4-a716-446655440000", Form::Uuid),
            ("550e8400e29b41d4a716446655440000", Form::Other),
            ("0049", Form::Digits),
            ("Ada", Form::Other),
            ("é", Form::Other),
            ("2024-02-é", Form::Other),
        ] {
            assert_eq!(form_of(text), form, "{text}");
        }
    }

    #[test]
    fn nothing_of_a_value_is_left_wherever_it_stands() {
        let secrets = [
            "hunter2",
            "Ada Lovelace",
            "ada@lovelace.example",
            "+44 20 7946 0000",
            "4111111111111111",
            "sk-live-123456789012345678901234567890",
            "https://user:pass@host/path?token=abc",
            "Ünïcode",
            "1815-12-10",
            "1815-12-10T10:00:00Z",
            "550e8400-e29b-41d4-a716-446655440000",
        ];
        for secret in secrets {
            // A value that looks like a name of a field, in the place of one, is not told apart from it.
            let key = if secret == "hunter2" || secret == "Ünïcode" {
                "key"
            } else {
                secret
            };
            let record = json!({
                "plain": secret,
                "list": [secret, [secret]],
                "deep": {"a": {"b": {key: secret}}},
                key: 1,
            });
            let shown = masked(&record).to_string();
            assert!(!shown.contains(secret), "{shown}");
            for piece in secret
                .split([' ', '@', '-', '/', ':', '='])
                .filter(|piece| piece.len() > 4)
            {
                assert!(
                    !shown.contains(piece) || ["https", "example", "example.com"].contains(&piece),
                    "{piece} in {shown}"
                );
            }
        }
        let shown = masked(
            &json!({"salary": 123_456, "rate": 12.75, "whole": 3.0, "big": 18_446_744_073_709_551_615_u64}),
        );
        assert_eq!(
            shown,
            json!({"salary": 0, "rate": 0.5, "whole": 0, "big": 0})
        );
    }

    #[test]
    fn names_of_fields_stay_and_types_stay() {
        let record = json!({
            "id": 1, "first-name": "Ada", "@odata.id": "x", "is_active": true, "manager": null, "tags": [], "meta": {}, "line1": "",
        });
        assert_eq!(
            masked(&record),
            json!({
                "id": 0, "first-name": "xxx", "@odata.id": "x", "is_active": true, "manager": null, "tags": [], "meta": {}, "line1": "",
            })
        );
    }

    #[test]
    fn large_records_become_small_examples() {
        let mut deep = json!("end");
        for _ in 0..50 {
            deep = json!({ "d": deep });
        }
        let many: Map<String, Value> = (0..1000)
            .map(|n| {
                (
                    format!("k{}", (b'a' + (n % 26) as u8) as char).repeat(1 + n / 26),
                    json!(n),
                )
            })
            .collect();
        let record =
            json!({"list": vec![1; 1000], "text": "x".repeat(100_000), "deep": deep, "many": many});
        let shown = masked(&record);
        assert_eq!(shown["list"].as_array().unwrap().len(), ITEMS);
        assert_eq!(shown["text"].as_str().unwrap().len(), LETTERS);
        assert!(
            shown.to_string().len() < 20_000,
            "{}",
            shown.to_string().len()
        );
    }
}
