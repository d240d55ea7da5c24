//! R32: whatever an API puts into a field, the path that is asked for is the template's, or the value is refused.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of #[test]

use longshore_nested::{ErrorKind, PathTemplate};
use percent_encoding::percent_decode_str;
use url::Url;

/// What URL parsers, proxies and servers are known to stumble over, and plain text between.
const PIECES: &[&str] = &[
    ".",
    "..",
    "/",
    "\\",
    "%",
    "%2e",
    "%2E",
    "%2f",
    "%5c",
    "%00",
    "%09",
    "%0d",
    "%25",
    "%252e",
    "\t",
    "\n",
    "\r",
    "\0",
    " ",
    "?",
    "#",
    "@",
    ":",
    ";",
    "&",
    "=",
    "+",
    "//",
    "http://evil",
    "{x}",
    "a",
    "b7",
    "é",
    "\u{202e}",
    "𝄞",
    "\u{ff0e}",
    "\u{2024}",
    "\u{7f}",
    "~",
    "-",
    "_",
];

const STRINGS: usize = 100_000;

#[test]
fn no_value_changes_the_segments_of_the_template() {
    let plain = PathTemplate::parse("/api/{id}/rest?fixed=1").unwrap();
    let glued = PathTemplate::parse("/api/.{id}.{other}/rest").unwrap();
    let mut rng = fastrand::Rng::with_seed(32);
    let (mut taken, mut refused) = (0, 0);
    for _ in 0..STRINGS {
        let value = string(&mut rng);
        match plain.expand(&[("id", &value)]) {
            Ok(path) => {
                assert!(!refusable(&value), "{value:?} → {path}");
                taken += 1;
                let url = url(&path);
                assert_eq!(
                    segments(&url),
                    ["api", &value, "rest"],
                    "{value:?} → {path}"
                );
                assert_eq!(
                    (url.query(), url.fragment()),
                    (Some("fixed=1"), None),
                    "{value:?} → {path}"
                );
            }
            Err(error) => {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Value, "{value:?}");
                assert!(refusable(&value), "{value:?}");
            }
        }
        if let Ok(path) = glued.expand(&[("id", &value), ("other", "x")]) {
            assert_eq!(
                segments(&url(&path)),
                ["api", &format!(".{value}.x"), "rest"],
                "{value:?} → {path}"
            );
        }
    }
    assert!(
        taken > STRINGS / 10 && refused > STRINGS / 10,
        "{taken} taken, {refused} refused: the strings are too much alike"
    );
}

#[test]
fn no_value_that_keeps_its_slashes_leaves_its_place() {
    let template = PathTemplate::parse("/v2/{+name}/tags/list").unwrap();
    let mut rng = fastrand::Rng::with_seed(6570);
    let mut taken = 0;
    for _ in 0..STRINGS {
        let value = string(&mut rng);
        if let Ok(path) = template.expand(&[("name", &value)]) {
            taken += 1;
            let mut expected = vec!["v2"];
            expected.extend(value.split('/'));
            expected.extend(["tags", "list"]);
            assert_eq!(segments(&url(&path)), expected, "{value:?} → {path}");
        }
    }
    assert!(taken > STRINGS / 10, "{taken} taken");
}

fn string(rng: &mut fastrand::Rng) -> String {
    (0..rng.usize(0..6))
        .map(|_| PIECES[rng.usize(0..PIECES.len())])
        .collect()
}

fn url(path: &str) -> Url {
    let url = Url::parse(&format!("https://api.example.com{path}")).unwrap();
    assert_eq!(url.host_str(), Some("api.example.com"));
    url
}

/// As a server sees them: split, then decoded once.
fn segments(url: &Url) -> Vec<String> {
    let decode = |segment: &str| {
        percent_decode_str(segment)
            .decode_utf8()
            .unwrap()
            .into_owned()
    };
    url.path_segments().unwrap().map(decode).collect()
}

/// What R32 names: all of it must be refused, and nothing that is harmless.
fn refusable(value: &str) -> bool {
    let decoded = percent_decode_str(value)
        .decode_utf8_lossy()
        .replace(['\t', '\r', '\n'], "");
    matches!(decoded.as_str(), "" | "." | "..") || value.chars().any(char::is_control)
}
