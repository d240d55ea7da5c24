//! Times as Port writes them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use http::header::DATE;
use longshore_transport::Response;

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

/// The time of the latest answer, in seconds since 1970; 0 before the first.
#[derive(Debug, Default)]
pub(crate) struct LastAnswer(AtomicU64);

impl LastAnswer {
    pub(crate) fn note(&self, response: &Response) {
        let date = response.headers.get(DATE);
        let date = date
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .and_then(|date| date.duration_since(SystemTime::UNIX_EPOCH).ok());
        if let Some(date) = date {
            self.0.fetch_max(date.as_secs(), Ordering::Relaxed);
        }
    }

    pub(crate) fn time(&self) -> Option<SystemTime> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)),
        }
    }
}

#[cfg(test)]
mod tests {
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
