use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986 §2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// A value as one segment of a path: percent-encoded, all but letters, digits and `-._~`, so that nothing in it is read as another part of the
/// URL.
///
/// ```
/// use longshore_transport::{BadSegment, path_segment};
///
/// assert_eq!(path_segment("a/b?c")?, "a%2Fb%3Fc");
/// assert_eq!(path_segment("..").unwrap_err(), BadSegment::Dots);
/// # Ok::<(), BadSegment>(())
/// ```
///
/// # Errors
///
/// What might be taken for another path all the same.
pub fn path_segment(value: &str) -> Result<String, BadSegment> {
    if value.is_empty() {
        return Err(BadSegment::Empty);
    }
    if value.chars().any(char::is_control) {
        return Err(BadSegment::Control);
    }
    // Some servers decode twice, and URL parsers skip tabs and line ends.
    let mut reading = percent_decode_str(value).decode_utf8_lossy().into_owned();
    reading.retain(|c| !matches!(c, '\t' | '\r' | '\n'));
    match reading.as_str() {
        "" | "." | ".." => Err(BadSegment::Dots),
        _ => Ok(utf8_percent_encode(value, RESERVED).to_string()),
    }
}

/// Why a value cannot be a segment of a path. `Display` completes "the value …".
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BadSegment {
    /// There is nothing in it.
    Empty,
    /// It is `.` or `..`, or may be read as that once it is decoded.
    Dots,
    /// There is a control character in it.
    Control,
}

impl fmt::Display for BadSegment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadSegment::Empty => "is empty",
            BadSegment::Dots => "reads as another path in a URL",
            BadSegment::Control => "has a control character, which no URL may",
        })
    }
}

impl std::error::Error for BadSegment {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_but_unreserved_characters_are_encoded() {
        for (value, encoded) in [
            ("Az09-._~", "Az09-._~"),
            ("a/b+c=d@e:f\\g", "a%2Fb%2Bc%3Dd%40e%3Af%5Cg"),
            ("ä?#%", "%C3%A4%3F%23%25"),
            ("...", "..."),
        ] {
            assert_eq!(path_segment(value).as_deref(), Ok(encoded));
        }
    }

    #[test]
    fn values_that_could_change_the_path_are_refused() {
        for (values, why) in [
            (&[""][..], BadSegment::Empty),
            (
                &[".", "..", "%2e", "%2E%2e", ".%2e", "%0a..", "%09"],
                BadSegment::Dots,
            ),
            (
                &["\t..", "..\n", "a\0b", "a\r\nb", "\u{85}"],
                BadSegment::Control,
            ),
        ] {
            for value in values {
                assert_eq!(path_segment(value), Err(why), "{value:?}");
            }
        }
    }

    #[test]
    fn a_segment_stays_one_segment_when_the_url_is_parsed() {
        for value in [
            "../../x", "a/../b", "//evil", "%2e%2e/", "?a#b", "\\..\\x", "..;", "。。",
        ] {
            let segment = path_segment(value).unwrap();
            let url = format!("https://h/v1/blueprints/{segment}/entities");
            let url = url::Url::parse(&url).unwrap();
            let segments: Vec<_> = url.path_segments().unwrap().collect();
            assert_eq!(segments.len(), 4, "{value:?}");
            assert_eq!(
                (segments[1], segments[3]),
                ("blueprints", "entities"),
                "{value:?}"
            );
            assert_eq!((url.query(), url.fragment()), (None, None));
        }
    }
}
