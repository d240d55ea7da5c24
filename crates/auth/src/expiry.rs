//! How long the answer of a login says that its credential lasts.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use longshore_jq::Val;
use serde::Deserialize;

/// What counts as a moment (seconds since 1970) and no longer as a number of seconds: R16.
const EPOCH_SECONDS: f64 = 1e9;
const EPOCH_MILLISECONDS: f64 = 1e12;
/// Nothing lasts longer, and sums stay within the clock.
const LONGEST: f64 = 366.0 * 24.0 * 3600.0;

/// Members of an answer that hold a lifetime or a moment.
const KNOWN: [&str; 7] = [
    "expires_in",
    "expiresIn",
    "expires_at",
    "expiresAt",
    "expires_on",
    "expiresOn",
    "expire_in",
];
/// Members that hold a moment. As a lifetime nobody knows their unit: seconds, minutes, days.
const MOMENTS: [&str; 10] = [
    "expires",
    "expiration",
    "expiry",
    "exp",
    "expire_at",
    "expireAt",
    "expiration_time",
    "expirationTime",
    "valid_until",
    "validUntil",
];

/// When an answer was made: what moments are reckoned against.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Made {
    /// The `Date` of the answer. Preferred, for the server's clock made the moment too.
    pub(crate) date: Option<SystemTime>,
    /// Our own time of day.
    pub(crate) wall: SystemTime,
}

/// The lifetime that the well-known members of `answer` say, or those of an object in it (`data`, `session`). `None`: nothing, zero, the past.
pub(crate) fn well_known(answer: &Val, made: Made) -> Option<Duration> {
    let below = answer
        .keys()
        .into_iter()
        .filter_map(|name| answer.get(name));
    std::iter::once(answer)
        .chain(below)
        .find_map(|object| of_object(object, made))
}

fn of_object(object: &Val, made: Made) -> Option<Duration> {
    let known = KNOWN
        .iter()
        .filter_map(|name| object.get(name))
        .find_map(|value| lifetime(value, made));
    known.or_else(|| {
        MOMENTS
            .iter()
            .filter_map(|name| object.get(name))
            .filter(|value| number(value).is_none_or(|number| number >= EPOCH_SECONDS))
            .find_map(|value| lifetime(value, made))
    })
}

fn number(value: &Val) -> Option<f64> {
    value
        .as_f64()
        .or_else(|| value.as_str()?.trim().parse::<f64>().ok())
}

/// A lifetime as it may be written: seconds from now, seconds or milliseconds since 1970, or a date (RFC 3339, or as in HTTP).
/// Numbers may be text. `None`: zero, the past, anything else.
pub(crate) fn lifetime(value: &Val, made: Made) -> Option<Duration> {
    match number(value) {
        Some(number) if number >= EPOCH_MILLISECONDS => {
            seconds_after(number / 1000.0, made.now(None))
        }
        Some(number) if number >= EPOCH_SECONDS => seconds_after(number, made.now(None)),
        Some(number) => seconds(number),
        None => {
            let at = moment(value)?;
            seconds_after(epoch(at), made.now(None))
        }
    }
}

/// Whether it can be read as a lifetime at all, whatever it says.
pub(crate) fn is_lifetime(value: &Val) -> bool {
    number(value).is_some() || moment(value).is_some()
}

/// A date, with its time or alone. One without a zone is in UTC: no server can mean the reader's.
fn moment(value: &Val) -> Option<SystemTime> {
    let text = value.as_str()?.trim();
    let exact = || text.parse::<jiff::Timestamp>().map(SystemTime::from).ok();
    let of_http = || httpdate::parse_http_date(text).ok();
    let without_zone = || {
        let at: jiff::civil::DateTime = text.parse().ok()?;
        let at = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(SystemTime::from(at.timestamp()))
    };
    exact().or_else(of_http).or_else(without_zone)
}

/// The lifetime of a token that says it itself: the claim `exp` of a JWT (RFC 7519 §4.1.4), whose signature is not our business.
pub(crate) fn of_jwt(token: &str, made: Made) -> Option<Duration> {
    #[derive(Deserialize)]
    struct Claims {
        exp: f64,
        iat: Option<f64>,
    }
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims = URL_SAFE_NO_PAD.decode(claims.trim_end_matches('=')).ok()?;
    let claims: Claims = serde_json::from_slice(&claims).ok()?;
    seconds_after(claims.exp, made.now(claims.iat))
}

impl Made {
    /// Seconds since 1970 when the answer was made: by the server's `Date`, by what the token itself says, by our clock.
    fn now(self, issued: Option<f64>) -> f64 {
        match (self.date, issued) {
            (Some(date), _) => epoch(date),
            (None, Some(issued)) => issued,
            (None, None) => epoch(self.wall),
        }
    }
}

fn epoch(at: SystemTime) -> f64 {
    match at.duration_since(UNIX_EPOCH) {
        Ok(since) => since.as_secs_f64(),
        Err(before) => -before.duration().as_secs_f64(),
    }
}

fn seconds_after(at: f64, now: f64) -> Option<Duration> {
    seconds(at - now)
}

/// Zero, negative and odd numbers say nothing.
fn seconds(seconds: f64) -> Option<Duration> {
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(LONGEST)))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn made() -> Made {
        let wall = UNIX_EPOCH + Duration::from_secs(NOW);
        Made { date: None, wall }
    }

    fn seconds_of(value: Value) -> Option<f64> {
        lifetime(&value.into(), made()).map(|lifetime| lifetime.as_secs_f64())
    }

    #[test]
    fn lifetimes_come_as_seconds_moments_and_dates() {
        for (value, expected) in [
            (json!(3600), Some(3600.0)),
            (json!("3600"), Some(3600.0)),
            (json!(1.5), Some(1.5)),
            (json!(NOW + 60), Some(60.0)),
            (json!((NOW + 60).to_string()), Some(60.0)),
            (json!((NOW + 60) * 1000), Some(60.0)),
            (json!("2023-11-14T22:14:20Z"), Some(60.0)),
            (json!("2023-11-14T23:14:20.000+01:00"), Some(60.0)),
            (json!("Tue, 14 Nov 2023 22:14:20 GMT"), Some(60.0)),
            // Without a zone: UTC.
            (json!("2023-11-14T22:14:20"), Some(60.0)),
            (json!("2023-11-14 22:14:20"), Some(60.0)),
            (json!("2023-11-14 22:14:20.5"), Some(60.5)),
            (json!("2023-11-14 22:14:20+01:00"), None),
            (json!("2023-11-15 00:14:20+02:00"), Some(60.0)),
            (json!("2023-11-15"), Some(6400.0)),
            (json!(0), None),
            (json!(-5), None),
            (json!(NOW - 60), None),
            (json!("2023-11-14T22:12:20Z"), None),
            (json!("soon"), None),
            (json!(null), None),
            (json!({"a": 1}), None),
            (json!(9e99), Some(LONGEST)),
        ] {
            assert_eq!(seconds_of(value.clone()), expected, "{value}");
        }
    }

    #[test]
    fn moments_are_reckoned_against_the_servers_own_clock() {
        let made = Made {
            date: Some(UNIX_EPOCH + Duration::from_secs(NOW + 86_400)),
            ..made()
        };
        let at = Value::from(NOW + 86_400 + 30).into();
        assert_eq!(lifetime(&at, made), Some(Duration::from_secs(30)));
    }

    #[test]
    fn the_first_member_that_says_something_counts() {
        let answer = json!({"expires_in": 0, "expires_at": NOW + 90}).into();
        assert_eq!(well_known(&answer, made()), Some(Duration::from_secs(90)));
        assert_eq!(well_known(&json!({"expires": 5}).into(), made()), None);
        for answer in [
            json!({"expires": NOW + 90}),
            json!({"expiry": "2023-11-14T22:14:50Z"}),
            json!({"data": {"token": "t", "expires_in": 90}}),
            json!({"session": {"validUntil": (NOW + 90) * 1000}, "user": {"exp": 3}}),
        ] {
            let lifetime = well_known(&answer.clone().into(), made());
            assert_eq!(lifetime, Some(Duration::from_secs(90)), "{answer}");
        }
        assert_eq!(well_known(&json!("text").into(), made()), None);
    }

    #[test]
    fn a_jwt_says_itself_when_it_expires() {
        let jwt =
            |claims: Value| format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let lifetime = |claims| of_jwt(&jwt(claims), made());
        assert_eq!(
            lifetime(json!({"exp": NOW + 45})),
            Some(Duration::from_secs(45))
        );
        // Our clock is off: what the token says of itself still holds.
        assert_eq!(
            lifetime(json!({"exp": 5_000_100, "iat": 5_000_000})),
            Some(Duration::from_secs(100))
        );
        assert_eq!(lifetime(json!({"exp": NOW - 1})), None);
        assert_eq!(lifetime(json!({"sub": "x"})), None);
        for other in ["opaque", "a.b", "a.b.c", "a.b.c.d", "..", ""] {
            assert_eq!(of_jwt(other, made()), None, "{other}");
        }
    }
}
