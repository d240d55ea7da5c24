//! Names as segments of Port's URLs.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::{Error, ErrorKind};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `name` percent-encoded as one path segment. `what` it is appears in the error.
///
/// # Errors
///
/// What cannot stand in a path without a chance of being read as another path: nothing, `.`, `..` (also when they are
/// percent-encoded, or hidden by characters that URL parsers skip) and control characters.
pub(crate) fn segment(what: &str, name: &str) -> Result<String, Error> {
    let refuse = |why: &str| {
        Err(Error::new(
            ErrorKind::Name,
            format!(
                "{what} {why}, so there is no URL for it: correct it in the mapping or in the settings"
            ),
        ))
    };
    if name.is_empty() {
        return refuse("is empty");
    }
    if name.chars().any(char::is_control) {
        return refuse("has a control character");
    }
    let mut decoded = percent_decode_str(name).decode_utf8_lossy().into_owned();
    decoded.retain(|c| !matches!(c, '\t' | '\r' | '\n'));
    if matches!(decoded.as_str(), "" | "." | "..") {
        return refuse("is a dot segment");
    }
    Ok(utf8_percent_encode(name, RESERVED).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_unreserved_characters_are_encoded() {
        assert_eq!(segment("x", "Az09-._~").unwrap(), "Az09-._~");
        assert_eq!(
            segment("x", "a/b+c=d@e:f\\g").unwrap(),
            "a%2Fb%2Bc%3Dd%40e%3Af%5Cg"
        );
        assert_eq!(segment("x", "ä?#%").unwrap(), "%C3%A4%3F%23%25");
        assert_eq!(segment("x", "...").unwrap(), "...");
    }

    #[test]
    fn names_that_could_change_the_path_are_refused() {
        for name in [
            "", ".", "..", "%2e", "%2E%2e", ".%2e", "\t..", "..\n", "%0a..", "%09", "a\0b",
            "a\r\nb", "\u{85}",
        ] {
            let error = segment("the blueprint", name).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Name, "{name:?}");
            assert!(error.to_string().starts_with("the blueprint "), "{error}");
        }
    }

    #[test]
    fn a_segment_stays_one_segment_when_the_url_is_parsed() {
        for name in [
            "../../x", "a/../b", "//evil", "%2e%2e/", "?a#b", "\\..\\x", "..;", "。。",
        ] {
            let path = format!(
                "https://h/v1/blueprints/{}/entities",
                segment("x", name).unwrap()
            );
            let url = url::Url::parse(&path).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            assert_eq!(segments.len(), 4, "{name:?}");
            assert_eq!(
                (segments[1], segments[3]),
                ("blueprints", "entities"),
                "{name:?}"
            );
            assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }
}
