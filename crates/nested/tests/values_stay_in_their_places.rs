//! R32 outside of the path: whatever an API puts into a field, query, headers and body hold it as it is and nothing else, or it is refused.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of #[test]

use http::HeaderValue;
use longshore_nested::{Binding, Bindings, ErrorKind, Item, PathTemplate, RequestTemplate};
use serde_json::{Value, json};
use url::Url;

const PIECES: &[&str] = &[
    ".",
    "..",
    "/",
    "\\",
    "%",
    "%2e",
    "%0d%0a",
    "\t",
    "\n",
    "\r",
    "\0",
    " ",
    "?",
    "#",
    "&",
    "=",
    "+",
    ";",
    ",",
    "\"",
    "'",
    "{",
    "}",
    "{id}",
    "{x}",
    "[",
    "]",
    ":",
    "@",
    "http://evil",
    "a",
    "b7",
    "é",
    "\u{202e}",
    "𝄞",
    "\u{85}",
    "\u{7f}",
    "null",
    "1e999",
    "0",
];
const STRINGS: usize = 100_000;

#[test]
fn no_value_changes_query_headers_or_body() {
    let path = PathTemplate::parse("/fixed").unwrap();
    let template = RequestTemplate::new(path, &["id"])
        .query("before", "1")
        .query("id", "{id}")
        .query("inside", "{x}-{id}")
        .header("x-id", "id {id}")
        .body(json!({"id": "{id}", "text": "<{id}>", "list": ["{id}", 1], "{id}": "key"}));
    let mut rng = fastrand::Rng::with_seed(3232);
    let (mut taken, mut refused) = (0, 0);
    for n in 0..STRINGS {
        let text: String = (0..rng.usize(0..6))
            .map(|_| PIECES[rng.usize(0..PIECES.len())])
            .collect();
        let item = Item {
            is_number: n % 7 == 0 && serde_json::from_str::<serde_json::Number>(&text).is_ok(),
            text: text.clone(),
        };
        let is_number = item.is_number;
        let values = Bindings::default().with(Binding::new("id".into(), item));
        let request = match template.expand(&values) {
            Ok(request) => request,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Value);
                assert!(
                    text.is_empty() || text.chars().any(char::is_control),
                    "{text:?}"
                );
                assert!(
                    text.is_empty() || !error.to_string().contains(&text),
                    "{error}"
                );
                refused += 1;
                continue;
            }
        };
        taken += 1;
        let mut url = Url::parse("https://api.example.com/fixed?kept=1").unwrap();
        url.query_pairs_mut().extend_pairs(&request.query);
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let expected = [
            ("kept", "1".to_owned()),
            ("before", "1".to_owned()),
            ("id", text.clone()),
            ("inside", format!("{{x}}-{text}")),
        ];
        assert_eq!(
            pairs,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(
            (url.host_str(), url.path(), url.fragment()),
            (Some("api.example.com"), "/fixed", None)
        );

        let header = HeaderValue::from_str(&request.headers[0].1).unwrap();
        assert_eq!(header.as_bytes(), format!("id {text}").as_bytes());

        // As it goes over the wire and is read again.
        let sent = request.body.unwrap().to_string();
        let body: Value = serde_json::from_str(&sent).unwrap();
        let value: Value = match is_number {
            true => serde_json::from_str(&text).unwrap(),
            false => json!(text),
        };
        assert_eq!(
            body,
            json!({"id": value, "text": format!("<{text}>"), "list": [value, 1], "{id}": "key"})
        );
    }
    assert!(
        taken > STRINGS / 10 && refused > STRINGS / 10,
        "{taken} taken, {refused} refused"
    );
}
