use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{HeaderValue, StatusCode};

/// Longest wait that is told apart from longer ones; far beyond any cap.
const FOREVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The unit of the numbers in `x-ratelimit-reset`, `ratelimit-reset` and `RateLimit`, on which
/// vendors do not agree.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum ResetUnit {
    /// By size: from 10^12 on milliseconds since 1970, from 10^9 on seconds since 1970, else
    /// seconds from now.
    #[default]
    BySize,
    /// Seconds from now.
    DeltaSeconds,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMilliseconds,
}

/// What a server said about when to come back.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Told {
    after: Duration,
    /// A date, where the answer has no `Date` of its own to reckon it against.
    until: Option<SystemTime>,
}

impl Told {
    pub(crate) fn after(wait: Duration) -> Self {
        Self {
            after: wait,
            until: None,
        }
    }

    pub(crate) fn wait(self, now: impl FnOnce() -> SystemTime) -> Duration {
        match self.until {
            Some(until) => self
                .after
                .max(until.duration_since(now()).unwrap_or_default()),
            None => self.after,
        }
    }

    fn at(moment: SystemTime, date: Option<SystemTime>) -> Self {
        match date {
            Some(date) => Self::after(moment.duration_since(date).unwrap_or_default()),
            None => Self {
                after: Duration::ZERO,
                until: Some(moment),
            },
        }
    }

    fn or_longer(self, other: Self) -> Self {
        Self {
            after: self.after.max(other.after),
            until: self.until.max(other.until),
        }
    }

    fn is_usable(self) -> bool {
        !self.after.is_zero() || self.until.is_some()
    }
}

/// The headers of an answer, as far as they speak about limits.
#[derive(Debug)]
pub(crate) struct Limits {
    retry_after: Option<Told>,
    windows: Vec<Window>,
}

/// One limit and when it starts anew.
#[derive(Debug, Default)]
struct Window {
    limit: Option<f64>,
    remaining: Option<f64>,
    reset: Option<Told>,
}

/// What is left of a rate limit, as an answer tells in `x-ratelimit-limit`, `-remaining` and `-reset` or headers like these.
///
/// The client itself waits where an answer says no. This is for callers that want to go slower before it comes to that.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Allowance {
    /// Requests in one window.
    pub limit: Option<u64>,
    /// Requests that are left in this window.
    pub remaining: u64,
    /// How long this window goes on, counted from the answer's own `Date`.
    pub reset: Duration,
}

impl Allowance {
    /// Of the window that has the fewest requests left; `None` where no window says how many and until when. `now` is the time of day, for
    /// answers without a `Date`.
    pub fn of(
        headers: &HeaderMap,
        unit: ResetUnit,
        now: impl FnOnce() -> SystemTime,
    ) -> Option<Self> {
        let windows = Limits::of(headers, unit).windows.into_iter();
        let known = windows.filter_map(|window| Some((window.remaining?, window.reset?, window)));
        let (remaining, reset, window) = known.min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Allowance {
            limit: window.limit.map(|limit| limit as u64),
            remaining: remaining as u64,
            reset: reset.wait(now),
        })
    }
}

impl Limits {
    pub(crate) fn of(headers: &HeaderMap, unit: ResetUnit) -> Self {
        let date = headers.get(DATE).and_then(http_date);
        let retry_after = headers
            .get_all(RETRY_AFTER)
            .iter()
            .map(|value| retry_after(value, date))
            .reduce(Told::or_longer);
        let mut windows: Vec<Window> = HEADERS
            .iter()
            .map(|(limit, remaining, reset)| Window {
                limit: numbers(headers, limit).reduce(f64::min),
                remaining: numbers(headers, remaining).reduce(f64::min),
                reset: numbers(headers, reset)
                    .map(|number| unit.told(number, date))
                    .reduce(Told::or_longer),
            })
            .collect();
        for value in headers.get_all(RATE_LIMIT) {
            windows.extend(rate_limit(value, unit, date));
        }
        Self {
            retry_after,
            windows,
        }
    }

    /// Whether a 403 with these headers is a limit in disguise (GitHub's, for one).
    pub(crate) fn reached(&self) -> bool {
        self.retry_after.is_some() || self.windows.iter().any(Window::is_used_up)
    }

    /// The longest wait that was asked for.
    ///
    /// The reset of a window counts when the window is used up. For a 429 that names neither the
    /// window nor a `Retry-After`, every reset counts.
    pub(crate) fn told(&self, status: StatusCode) -> Option<Told> {
        let too_many = status == StatusCode::TOO_MANY_REQUESTS;
        let resets = |counts: &dyn Fn(&Window) -> bool| {
            self.windows
                .iter()
                .filter(|window| counts(window))
                .filter_map(|window| window.reset)
                .reduce(Told::or_longer)
        };
        let used_up =
            resets(&|window| window.is_used_up() || (too_many && window.remaining.is_none()));
        let told = [self.retry_after, used_up]
            .into_iter()
            .flatten()
            .reduce(Told::or_longer);
        match told {
            Some(told) if told.is_usable() => Some(told),
            _ if too_many => resets(&|_| true).or(told),
            _ => told,
        }
    }
}

impl Window {
    fn is_used_up(&self) -> bool {
        self.remaining.is_some_and(|remaining| remaining <= 0.0)
    }
}

impl ResetUnit {
    fn told(self, number: f64, date: Option<SystemTime>) -> Told {
        let epoch = |seconds: f64| {
            // The clock of some systems ends before `FOREVER` after 1970.
            let moment = UNIX_EPOCH.checked_add(seconds_from(seconds));
            moment.map_or(Told::after(FOREVER), |moment| Told::at(moment, date))
        };
        match self {
            ResetUnit::BySize if number >= 1e12 => epoch(number / 1e3),
            ResetUnit::BySize if number >= 1e9 => epoch(number),
            ResetUnit::BySize | ResetUnit::DeltaSeconds => Told::after(seconds_from(number)),
            ResetUnit::EpochSeconds => epoch(number),
            ResetUnit::EpochMilliseconds => epoch(number / 1e3),
        }
    }
}

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Limit, remaining, reset.
const HEADERS: [(HeaderName, HeaderName, HeaderName); 3] = [
    (
        HeaderName::from_static("x-ratelimit-limit"),
        HeaderName::from_static("x-ratelimit-remaining"),
        HeaderName::from_static("x-ratelimit-reset"),
    ),
    (
        HeaderName::from_static("x-rate-limit-limit"),
        HeaderName::from_static("x-rate-limit-remaining"),
        HeaderName::from_static("x-rate-limit-reset"),
    ),
    (
        HeaderName::from_static("ratelimit-limit"),
        HeaderName::from_static("ratelimit-remaining"),
        HeaderName::from_static("ratelimit-reset"),
    ),
];

/// RFC 9110 §10.2.3: seconds, or a date in one of three forms. What is neither counts as told,
/// with no usable length. Proxies join repeated headers with commas.
fn retry_after(value: &HeaderValue, date: Option<SystemTime>) -> Told {
    if let Some(moment) = http_date(value) {
        return Told::at(moment, date);
    }
    text(value)
        .split(',')
        .filter_map(number)
        .map(|seconds| Told::after(seconds_from(seconds)))
        .reduce(Told::or_longer)
        .unwrap_or_default()
}

/// The `RateLimit` field of the IETF drafts: `limit=100, remaining=0, reset=7` until draft 7,
/// `"policy";r=0;t=7, "other";r=5;t=60` since draft 8.
fn rate_limit(value: &HeaderValue, unit: ResetUnit, date: Option<SystemTime>) -> Vec<Window> {
    let mut flat = Window::default();
    let mut windows = Vec::new();
    for member in text(value).split(',') {
        let mut window = Window::default();
        for parameter in member.split(';') {
            let Some((key, value)) = parameter.split_once('=') else {
                continue;
            };
            let Some(number) = number(value) else {
                continue;
            };
            match key.trim().to_ascii_lowercase().as_str() {
                "r" => window.remaining = Some(number),
                "t" => window.reset = Some(unit.told(number, date)),
                "limit" => flat.limit = Some(number),
                "remaining" => flat.remaining = Some(number),
                "reset" => flat.reset = Some(unit.told(number, date)),
                _ => {}
            }
        }
        windows.push(window);
    }
    windows.push(flat);
    windows
}

fn numbers<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = f64> + 'a {
    headers
        .get_all(name)
        .iter()
        .flat_map(|value| text(value).split(','))
        .filter_map(number)
}

/// Digits, perhaps with a fraction: no sign, no exponent, no `inf`.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b'.');
    if plain { text.parse().ok() } else { None }
}

fn seconds_from(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).map_or(FOREVER, |wait| wait.min(FOREVER))
}

fn http_date(value: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(text(value).trim()).ok()
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DATE_TEXT: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| {
                (
                    name.parse::<HeaderName>().unwrap(),
                    value.parse::<HeaderValue>().unwrap(),
                )
            })
            .fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
    }

    /// Seconds told by a 429 whose `Date` is [`DATE_TEXT`].
    fn told(pairs: &[(&str, &str)]) -> Option<f64> {
        told_by(StatusCode::TOO_MANY_REQUESTS, pairs, ResetUnit::BySize)
    }

    fn told_by(status: StatusCode, pairs: &[(&str, &str)], unit: ResetUnit) -> Option<f64> {
        let mut pairs = pairs.to_vec();
        pairs.push(("date", DATE_TEXT));
        Limits::of(&headers(&pairs), unit)
            .told(status)
            .map(|told| told.wait(|| panic!("the answer has a date")).as_secs_f64())
    }

    #[test]
    fn retry_after_is_read_in_all_its_forms() {
        for (value, seconds) in [
            ("7", 7.0),
            ("2.5", 2.5),
            ("Sun, 06 Nov 1994 08:49:44 GMT", 7.0),
            ("Sunday, 06-Nov-94 08:49:44 GMT", 7.0),
            ("Sun Nov  6 08:49:44 1994", 7.0),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 0.0),
            ("0", 0.0),
            ("-5", 0.0),
            ("soon", 0.0),
            ("1e3", 0.0),
            ("", 0.0),
            ("3, 9", 9.0),
        ] {
            assert_eq!(told(&[("retry-after", value)]), Some(seconds), "{value:?}");
        }
        assert_eq!(told(&[]), None);
    }

    #[test]
    fn what_is_left_is_told_of_the_tightest_window_that_says_until_when() {
        let left = |pairs: &[(&str, &str)]| {
            let mut pairs = pairs.to_vec();
            pairs.push(("date", DATE_TEXT));
            let left = Allowance::of(&headers(&pairs), ResetUnit::BySize, || {
                panic!("the answer has a date")
            });
            left.map(|left| (left.limit, left.remaining, left.reset.as_secs()))
        };
        // The date is 784,111,777 seconds after 1970.
        let port = [
            ("x-ratelimit-limit", "1000"),
            ("x-ratelimit-remaining", "12"),
            ("x-ratelimit-period", "300"),
            ("x-ratelimit-reset", "1784111777"),
        ];
        assert_eq!(left(&port), Some((Some(1000), 12, 1_000_000_000)));
        assert_eq!(
            left(&[
                ("x-ratelimit-remaining", "12"),
                ("x-ratelimit-reset", "60"),
                ("ratelimit", "\"burst\";r=3;t=1, \"day\";r=900;t=7200"),
            ]),
            Some((None, 3, 1))
        );
        assert_eq!(left(&[("x-ratelimit-remaining", "12")]), None);
        assert_eq!(left(&[("x-ratelimit-reset", "60")]), None);
        assert_eq!(left(&[]), None);
    }

    #[test]
    fn an_absurdly_long_wait_is_long_and_not_garbage() {
        let told = told(&[("retry-after", &"9".repeat(400))]).unwrap();
        assert_eq!(told, FOREVER.as_secs_f64());
    }

    #[test]
    fn a_date_is_reckoned_by_the_callers_clock_only_where_the_answer_has_none() {
        let limits = Limits::of(
            &headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:44 GMT")]),
            ResetUnit::BySize,
        );
        let told = limits.told(StatusCode::TOO_MANY_REQUESTS).unwrap();
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:40 GMT").unwrap();
        assert_eq!(told.wait(|| now), Duration::from_secs(4));
    }

    #[test]
    fn the_largest_of_several_headers_wins() {
        assert_eq!(
            told(&[
                ("retry-after", "3"),
                ("retry-after", "8"),
                ("retry-after", "x")
            ]),
            Some(8.0)
        );
        assert_eq!(
            told(&[("retry-after", "1"), ("x-ratelimit-reset", "5")]),
            Some(5.0)
        );
    }

    #[test]
    fn the_unit_of_a_reset_follows_from_its_size() {
        // DATE_TEXT is 784111777 seconds after 1970: below 10^9, so this needs a later date.
        let with_date = |value: &str, unit| {
            let headers = headers(&[
                ("date", "Sun, 09 Sep 2001 01:46:40 GMT"), // 10^9
                ("x-ratelimit-reset", value),
            ]);
            let told = Limits::of(&headers, unit).told(StatusCode::TOO_MANY_REQUESTS);
            told.unwrap()
                .wait(|| panic!("the answer has a date"))
                .as_secs_f64()
        };
        assert_eq!(with_date("1000000007", ResetUnit::BySize), 7.0);
        assert_eq!(with_date("1000000007000", ResetUnit::BySize), 7.0);
        assert_eq!(with_date("999999999", ResetUnit::BySize), 999_999_999.0);
        assert_eq!(with_date("1000000007", ResetUnit::EpochSeconds), 7.0);
        assert_eq!(
            with_date("1000000007000", ResetUnit::EpochMilliseconds),
            7.0
        );
        assert_eq!(
            with_date("1000000007", ResetUnit::DeltaSeconds),
            1_000_000_007.0
        );
        assert_eq!(with_date("5", ResetUnit::EpochSeconds), 0.0);
    }

    #[test]
    fn the_ietf_field_is_read_in_both_drafts() {
        assert_eq!(
            told(&[("ratelimit", "limit=100, remaining=0, reset=7")]),
            Some(7.0)
        );
        assert_eq!(
            told(&[("ratelimit", r#""burst";r=0;t=7, "day";r=500;t=40000"#)]),
            Some(7.0)
        );
        assert_eq!(told(&[("ratelimit", r#""burst";r=3;t=7"#)]), Some(7.0));
        assert_eq!(told(&[("ratelimit-reset", "7")]), Some(7.0));
    }

    #[test]
    fn a_window_that_is_not_used_up_prolongs_nothing() {
        let github_secondary = [
            ("retry-after", "60"),
            ("x-ratelimit-remaining", "4000"),
            ("x-ratelimit-reset", "3000"),
        ];
        assert_eq!(told(&github_secondary), Some(60.0));
        let busy = [
            ("x-ratelimit-remaining", "4000"),
            ("x-ratelimit-reset", "3000"),
        ];
        assert_eq!(
            told_by(StatusCode::SERVICE_UNAVAILABLE, &busy, ResetUnit::BySize),
            None
        );
        assert_eq!(told(&busy), Some(3000.0), "a 429 has no other reason");
    }

    /// `moment` as RFC 9110 §5.6.7 lets it be written, in this order: IMF-fixdate, RFC 850, asctime.
    fn written(moment: SystemTime) -> [String; 3] {
        let imf = httpdate::fmt_http_date(moment);
        let words: Vec<&str> = imf
            .split([' ', ','])
            .filter(|word| !word.is_empty())
            .collect();
        let [short, day, month, year, time, _] = words[..] else {
            panic!("{imf}");
        };
        let days = [
            "Sunday",
            "Monday",
            "Tuesday",
            "Wednesday",
            "Thursday",
            "Friday",
            "Saturday",
        ];
        let long = days
            .into_iter()
            .find(|long| long.starts_with(short))
            .unwrap();
        [
            imf.clone(),
            format!("{long}, {day}-{month}-{} {time} GMT", &year[2..]),
            format!(
                "{short} {month} {:>2} {time} {year}",
                day.trim_start_matches('0')
            ),
        ]
    }

    proptest! {
        // R15: in each of its forms a date is reckoned against the answer's own, and one that has passed gives no wait. The years
        // of RFC 850 have two digits: 1970 to 2069.
        #[test]
        fn a_date_in_any_form_gives_the_time_from_the_answers_own(
            date in 1_000_000_u64..3_000_000_000, wait in -1_000_000_i64..1_000_000,
        ) {
            let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(seconds);
            let date_of_answer = httpdate::fmt_http_date(at(date));
            let moment = at(date.saturating_add_signed(wait));
            let expected = Duration::from_secs(u64::try_from(wait).unwrap_or(0));
            for text in written(moment) {
                let headers = headers(&[("date", &date_of_answer), ("retry-after", &text)]);
                let limits = Limits::of(&headers, ResetUnit::BySize);
                let told = limits.told(StatusCode::SERVICE_UNAVAILABLE).unwrap();
                prop_assert_eq!(told.wait(|| panic!("there is a date")), expected, "{}", text);
            }
        }

        // R16: of several headers, garbage among them, the largest number counts.
        #[test]
        fn the_largest_number_among_garbage_is_told(
            values in prop::collection::vec((any::<bool>(), 0_u32..1_000_000, "[ -~&&[^0-9]]{0,12}"), 1..6),
        ) {
            let texts: Vec<String> = values
                .iter()
                .map(|(good, number, garbage)| if *good { number.to_string() } else { garbage.clone() })
                .collect();
            let pairs: Vec<(&str, &str)> = texts.iter().map(|text| ("retry-after", text.as_str())).collect();
            let largest = values.iter().filter(|(good, ..)| *good).map(|(_, number, _)| *number).max();
            prop_assert_eq!(told(&pairs), Some(f64::from(largest.unwrap_or(0))), "{:?}", texts);
        }

        // R16: whatever a server writes, the wait is a number, and adding to it cannot overflow.
        #[test]
        fn any_header_text_gives_a_bounded_wait(
            after in "[ -~]{0,40}", reset in "[0-9.,-]{0,30}", limit in "[ -~]{0,60}", ok in any::<bool>(),
        ) {
            let headers = headers(&[
                ("retry-after", &after), ("x-ratelimit-reset", &reset), ("ratelimit", &limit),
            ]);
            let status = if ok { StatusCode::OK } else { StatusCode::TOO_MANY_REQUESTS };
            let limits = Limits::of(&headers, ResetUnit::BySize);
            if let Some(told) = limits.told(status) {
                prop_assert!(told.wait(|| UNIX_EPOCH) <= FOREVER);
            }
        }
    }
}
