//! Times as Port writes them.

use std::time::SystemTime;

use crate::{Error, ErrorKind};

/// ISO 8601 in UTC with milliseconds, rounded down.
pub(crate) fn iso(time: SystemTime) -> Result<String, Error> {
    jiff::Timestamp::try_from(time)
        .map(|time| format!("{time:.3}"))
        .map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "a time that is to be told to Port is out of range",
            )
        })
}

/// A time with its offset from UTC.
pub(crate) fn parse_iso(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().map(SystemTime::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_iso_in_utc_with_milliseconds_rounded_down() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_micros(1_718_798_400_123_999);
        assert_eq!(iso(time).unwrap(), "2024-06-19T12:00:00.123Z");
        assert_eq!(
            iso(SystemTime::UNIX_EPOCH).unwrap(),
            "1970-01-01T00:00:00.000Z"
        );
    }

    #[test]
    fn an_offset_is_counted_and_what_is_no_time_is_none() {
        let noon = SystemTime::UNIX_EPOCH + Duration::from_secs(1_718_798_400);
        for text in ["2024-06-19T12:00:00Z", "2024-06-19T14:00:00.000+02:00"] {
            assert_eq!(parse_iso(text), Some(noon), "{text}");
        }
        for text in ["", "yesterday", "2024-06-19"] {
            assert_eq!(parse_iso(text), None, "{text}");
        }
    }
}
