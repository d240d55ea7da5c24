use http::header::{CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};

use crate::{Error, ErrorKind};

/// Checks a header that comes from configuration, once, at load.
///
/// # Errors
///
/// [`ErrorKind::Config`] for a name that is no token (RFC 9110 §5.1), for `Host`,
/// `Content-Length` and `Transfer-Encoding` (they say how the request is sent, and a second one
/// lets a request be read as two), and for values with line breaks or other control characters.
/// The error names the header and never shows the value.
///
/// ```
/// use longshore_transport::header;
///
/// assert!(header("X-Team", "payments").is_ok());
/// assert!(header("Host", "other.example.com").is_err());
/// assert!(header("X-Team", "a\r\nX-Admin: true").is_err());
/// ```
pub fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), Error> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return refuse("a header name may hold letters, digits and -_.!#$%&'*+^`|~ only".into());
    };
    if [HOST, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
        return refuse(format!("the header {name} is set by the client; remove it"));
    }
    match HeaderValue::from_bytes(value.as_bytes()) {
        Ok(value) => Ok((name, value)),
        Err(_) if value.contains(['\r', '\n']) => refuse(format!(
            "the value of the header {name} holds a line break (at its end, perhaps); remove it"
        )),
        Err(_) => refuse(format!(
            "the value of the header {name} holds a control character; remove it"
        )),
    }
}

fn refuse<T>(message: String) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Config, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_headers_are_refused_in_any_spelling() {
        for name in ["Host", "hOST", "content-length", "Transfer-Encoding"] {
            assert_eq!(
                header(name, "1").unwrap_err().kind(),
                ErrorKind::Config,
                "{name}"
            );
        }
    }

    #[test]
    fn names_and_values_cannot_smuggle_a_second_header() {
        for (name, value) in [
            ("X-A: b\r\nX-C", "d"),
            ("X A", "d"),
            ("", "d"),
            ("X-A", "s3cret\r\nX-C: d"),
            ("X-A", "s3cret\n"),
            ("X-A", "s3cret\0"),
        ] {
            let error = header(name, value).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn text_beyond_ascii_is_sent_as_utf_8() {
        let (_, value) = header("X-Team", "Zürich").unwrap();
        assert_eq!(value.as_bytes(), "Zürich".as_bytes());
    }
}
