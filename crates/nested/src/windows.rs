//! Windows of time: one request for each, and smaller ones where an API gives only so many results.

use std::time::{Duration, SystemTime};

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, Timestamp, Unit};

use crate::grain::Grain;
use crate::{Error, ErrorKind};

/// Windows from one moment to another, each a step long; the last ends where they all do. All times are UTC.
///
/// What the [format](Windows::format) cannot tell apart is taken whole: written as dates, windows up to half past ten hold all of that day, as an
/// API would read the day as its beginning and leave the ten hours out.
///
/// ```
/// use longshore_nested::Windows;
/// use std::time::SystemTime;
///
/// let days = Windows::new("2024-02-28", "2024-03-02", "1d").unwrap();
/// let texts: Vec<_> = days.iter(SystemTime::now()).unwrap().map(|window| days.texts(&window)).collect();
/// assert_eq!(texts.len(), 3);
/// assert_eq!(texts[1], ("2024-02-29".to_owned(), "2024-03-01".to_owned()));
/// ```
#[derive(Clone, Debug)]
pub struct Windows {
    from: Moment,
    to: Moment,
    step: Span,
    format: Format,
    inclusive: bool,
    cap: Option<u64>,
}

/// From a moment up to another, which is the beginning of the next window.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Window {
    from: DateTime,
    to: DateTime,
}

impl Window {
    /// How long it is.
    pub fn length(&self) -> Duration {
        let length = self.from.duration_until(self.to);
        Duration::try_from(length).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
enum Moment {
    At(DateTime),
    /// Behind now, or behind the last midnight.
    Now {
        midnight: bool,
        offset: Span,
    },
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Format {
    Date,
    DateTime,
    Unix,
    UnixMillis,
    Pattern(String),
}

impl Windows {
    /// Windows between two moments. A moment is a date (`2024-01-31`), a date with time (`2024-01-31T12:00:00Z`), `now`, `today` (the last
    /// midnight), or one of these with a distance (`now-30d`). A step is a number with one of `s m h d w mo y`.
    ///
    /// # Errors
    /// [`ErrorKind::Window`], with the part (`from`, `to`, `step`) in front.
    pub fn new(from: &str, to: &str, step: &str) -> Result<Windows, Error> {
        let place =
            |part: &str, error: String| Error::new(ErrorKind::Window, format!("{part}: {error}"));
        let from_at = moment(from).map_err(|error| place("from", error))?;
        let to = moment(to).map_err(|error| place("to", error))?;
        let length = span(step).map_err(|error| place("step", error))?;
        if let (Moment::At(from), Moment::At(to)) = (from_at, to)
            && from > to
        {
            return Err(place("from", "is later than `to`".to_owned()));
        }
        let days =
            length.get_hours() == 0 && length.get_minutes() == 0 && length.get_seconds() == 0;
        let is_date = match from_at {
            Moment::At(_) => is_date(from.trim()),
            Moment::Now { midnight, .. } => midnight,
        };
        Ok(Windows {
            from: from_at,
            to,
            step: length,
            format: match days && is_date {
                true => Format::Date,
                false => Format::DateTime,
            },
            inclusive: false,
            cap: None,
        })
    }

    /// How a moment is written: `date`, `datetime`, `unix` (seconds), `unix_ms`, or a pattern of `strftime` such as `%d.%m.%Y`. Dates, unless
    /// times of day are spoken of, which are written as `datetime`.
    ///
    /// # Errors
    /// [`ErrorKind::Window`].
    pub fn format(mut self, format: &str) -> Result<Windows, Error> {
        self.format = match format {
            "date" => Format::Date,
            "datetime" => Format::DateTime,
            "unix" => Format::Unix,
            "unix_ms" => Format::UnixMillis,
            pattern if pattern.contains('%') => {
                let probe = DateTime::constant(2024, 1, 31, 0, 0, 0, 0).to_zoned(TimeZone::UTC);
                let written = probe.map(|at| jiff::fmt::strtime::format(pattern, &at));
                if !matches!(written, Ok(Ok(_))) {
                    return Err(Error::new(
                        ErrorKind::Window,
                        "format: is no pattern of strftime",
                    ));
                }
                Format::Pattern(pattern.to_owned())
            }
            _ => {
                return Err(Error::new(
                    ErrorKind::Window,
                    "format: must be date, datetime, unix, unix_ms or a pattern such as %Y-%m-%d",
                ));
            }
        };
        Ok(self)
    }

    /// For APIs whose end counts as inside: `to` is then the last day, or the last second, of a window instead of the first after it.
    #[must_use]
    pub fn inclusive(mut self, on: bool) -> Windows {
        self.inclusive = on;
        self
    }

    /// How many results the API gives of one request at most. A window that reaches it is read again in halves.
    #[must_use]
    pub fn cap(mut self, results: Option<u64>) -> Windows {
        self.cap = results;
        self
    }

    /// The cap on results.
    pub fn result_cap(&self) -> Option<u64> {
        self.cap
    }

    /// The windows, in order.
    ///
    /// # Errors
    /// [`ErrorKind::Window`] where a distance leads beyond what a calendar holds.
    pub fn iter(
        &self,
        now: SystemTime,
    ) -> Result<impl Iterator<Item = Window> + Send + use<>, Error> {
        let beyond = || Error::new(ErrorKind::Window, "from or to lies beyond the calendar");
        let now = Timestamp::try_from(now).map_err(|_| beyond())?;
        let now = now.to_zoned(TimeZone::UTC).datetime();
        let now = now.round(Unit::Second).map_err(|_| beyond())?;
        let at = |moment: Moment| match moment {
            Moment::At(at) => Ok(at),
            Moment::Now { midnight, offset } => {
                let base = match midnight {
                    true => now.date().to_datetime(Time::midnight()),
                    false => now,
                };
                base.checked_add(offset).map_err(|_| beyond())
            }
        };
        let (grain, step) = (self.grain(), self.step);
        let from = grain.floor(at(self.from)?);
        let to = grain.ceil(at(self.to)?).ok_or_else(beyond)?;
        let mut count = 0_i64;
        // Each beginning is counted from the first, so that months stay at their day: the 31st, the 29th, the 31st.
        let begin = move |count: i64| {
            let far = step.checked_mul(count).ok()?;
            Some(grain.floor(from.checked_add(far).ok()?))
        };
        Ok(std::iter::from_fn(move || {
            loop {
                let start = begin(count).filter(|start| *start < to)?;
                count += 1;
                let end = begin(count).map_or(to, |end| end.min(to));
                // Steps shorter than what the format tells apart: several of them are one window.
                if start < end {
                    return Some(Window {
                        from: start,
                        to: end,
                    });
                }
            }
        }))
    }

    /// The two halves of a window; `None` where it is as small as the format can tell: a day, or a second.
    pub fn split(&self, window: &Window) -> Option<(Window, Window)> {
        let grain = self.grain();
        let length = window.from.duration_until(window.to).as_secs();
        let half = SignedDuration::from_secs(length / 2);
        let middle = grain.floor(window.from.checked_add(half).ok()?);
        let middle = match middle > window.from {
            true => middle,
            false => grain.next(window.from)?,
        };
        let inside = window.from < middle && middle < window.to;
        inside.then(|| {
            let first = Window {
                from: window.from,
                to: middle,
            };
            let second = Window {
                from: middle,
                to: window.to,
            };
            (first, second)
        })
    }

    /// The texts of its two ends.
    pub fn texts(&self, window: &Window) -> (String, String) {
        let last_second = window.to.checked_sub(SignedDuration::from_secs(1));
        let end = match self.inclusive {
            true => last_second.unwrap_or(window.to),
            false => window.to,
        };
        (self.text(window.from), self.text(end.max(window.from)))
    }

    fn grain(&self) -> Grain {
        match &self.format {
            Format::Date => Grain::Day,
            Format::Pattern(pattern) => Grain::of_pattern(pattern),
            Format::DateTime | Format::Unix | Format::UnixMillis => Grain::Second,
        }
    }

    fn text(&self, at: DateTime) -> String {
        let zoned = at.to_zoned(TimeZone::UTC);
        let seconds = || zoned.as_ref().map_or(0, |at| at.timestamp().as_second());
        match &self.format {
            Format::Date => at.date().to_string(),
            Format::DateTime => format!("{at}Z"),
            Format::Unix => seconds().to_string(),
            Format::UnixMillis => (seconds() * 1000).to_string(),
            Format::Pattern(pattern) => zoned
                .as_ref()
                .ok()
                .and_then(|at| jiff::fmt::strtime::format(pattern, at).ok())
                .unwrap_or_else(|| at.to_string()),
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    for (word, midnight) in [("now", false), ("today", true)] {
        let Some(rest) = text.strip_prefix(word) else {
            continue;
        };
        let offset = match rest.chars().next() {
            None => Span::new(),
            Some('-') => span(&rest[1..])?.negate(),
            Some('+') => span(&rest[1..])?,
            Some(_) => break,
        };
        return Ok(Moment::Now { midnight, offset });
    }
    if text.contains('[') {
        return Err(
            "names a time zone; write how far it is from UTC instead (2024-01-31T12:00:00+01:00), or the time in UTC"
                .to_owned(),
        );
    }
    let at = if is_date(text) {
        let date = text.parse::<Date>().ok();
        date.map(|date| date.to_datetime(Time::midnight()))
    } else if let Ok(at) = text.parse::<Timestamp>() {
        Some(at.to_zoned(TimeZone::UTC).datetime())
    } else {
        // A time without an offset is UTC as everything here.
        text.parse::<DateTime>().ok()
    };
    at.map(Moment::At).ok_or_else(|| {
        "is no moment; write a date (2024-01-31), a date with time (2024-01-31T12:00:00Z), now, today, or now-30d"
            .to_owned()
    })
}

/// Whether a moment is written without a time of day.
fn is_date(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_digit() || c == '-')
}

fn span(text: &str) -> Result<Span, String> {
    let text = text.trim();
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let wrong = || {
        "is no length of time; write a number and one of s, m, h, d, w, mo, y, such as 1d"
            .to_owned()
    };
    let number: i64 = number.parse().map_err(|_| wrong())?;
    if number == 0 {
        return Err("must be longer than nothing".to_owned());
    }
    let span = Span::new();
    let span = match unit.trim() {
        "s" => span.try_seconds(number),
        "m" => span.try_minutes(number),
        "h" => span.try_hours(number),
        "d" => span.try_days(number),
        "w" => span.try_weeks(number),
        "mo" => span.try_months(number),
        "y" => span.try_years(number),
        _ => return Err(wrong()),
    };
    span.map_err(|_| "is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(windows: &Windows) -> Vec<(String, String)> {
        // 2024-03-10T15:04:05Z
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_710_083_045);
        windows
            .iter(now)
            .unwrap()
            .map(|window| windows.texts(&window))
            .collect()
    }

    fn ends(windows: Windows) -> Vec<String> {
        let texts = texts(&windows);
        for pair in texts.windows(2) {
            assert_eq!(pair[0].1, pair[1].0, "no gap and no overlap");
        }
        let last = texts.last().unwrap().1.clone();
        texts
            .into_iter()
            .map(|(from, _)| from)
            .chain([last])
            .collect()
    }

    fn windows(from: &str, to: &str, step: &str) -> Windows {
        Windows::new(from, to, step).unwrap()
    }

    #[test]
    fn the_last_window_ends_where_all_do_and_months_keep_their_day() {
        assert_eq!(
            ends(windows("2024-01-01", "2024-01-12", "1w")),
            ["2024-01-01", "2024-01-08", "2024-01-12"]
        );
        assert_eq!(
            ends(windows("2024-01-31", "2024-05-01", "1mo")),
            [
                "2024-01-31",
                "2024-02-29",
                "2024-03-31",
                "2024-04-30",
                "2024-05-01"
            ]
        );
        assert_eq!(
            ends(windows("2024-01-01T22:30:00Z", "2024-01-02", "1h")),
            [
                "2024-01-01T22:30:00Z",
                "2024-01-01T23:30:00Z",
                "2024-01-02T00:00:00Z"
            ]
        );
    }

    #[test]
    fn moments_may_be_counted_from_now_and_from_midnight() {
        assert_eq!(
            ends(windows("today-2d", "today", "1d")),
            ["2024-03-08", "2024-03-09", "2024-03-10"]
        );
        assert_eq!(
            ends(windows("now-1h", "now", "30m")),
            [
                "2024-03-10T14:04:05Z",
                "2024-03-10T14:34:05Z",
                "2024-03-10T15:04:05Z"
            ]
        );
        assert_eq!(texts(&windows("now", "2000-01-01", "1d")), []);
    }

    #[test]
    fn formats_and_inclusive_ends() {
        let day = || windows("2024-01-31", "2024-02-02", "1d");
        assert_eq!(
            texts(&day().inclusive(true)),
            [("2024-01-31", "2024-01-31"), ("2024-02-01", "2024-02-01")]
                .map(|(from, to)| (from.to_owned(), to.to_owned()))
        );
        assert_eq!(
            texts(&day().format("unix_ms").unwrap().inclusive(true))[0],
            ("1706659200000".to_owned(), "1706745599000".to_owned())
        );
        assert_eq!(texts(&day().format("%d.%m.%Y").unwrap())[0].0, "31.01.2024");
        assert!(day().format("iso").is_err());
    }

    #[test]
    fn halves_cover_the_window_down_to_a_day_or_a_second() {
        for (format, smallest) in [("date", 1), ("datetime", 86_400)] {
            let days = windows("2024-01-01", "2024-01-08", "7d")
                .format(format)
                .unwrap();
            let mut open: Vec<Window> = days.iter(SystemTime::now()).unwrap().collect();
            let mut closed = 0_u64;
            let mut splits = 0;
            while let Some(window) = open.pop() {
                match days.split(&window) {
                    Some((first, second)) if splits < 1000 => {
                        splits += 1;
                        assert_eq!(
                            (&first.from, &first.to, &second.to),
                            (&window.from, &second.from, &window.to)
                        );
                        open.extend([first, second]);
                    }
                    _ => closed += 1,
                }
            }
            assert!(
                closed == 7 * smallest || splits == 1000,
                "{format}: {closed}"
            );
        }
    }

    #[test]
    fn windows_hold_whole_days_where_dates_are_written() {
        // It is 15:04 of the tenth.
        for step in ["1d", "2d", "1w", "1mo"] {
            for from in ["today-3d", "2024-03-07"] {
                let last = texts(&windows(from, "now", step)).pop().unwrap();
                assert_eq!(last.1, "2024-03-11", "{from} {step}");
                let inclusive = windows(from, "now", step).inclusive(true);
                assert_eq!(texts(&inclusive).pop().unwrap().1, "2024-03-10");
            }
            let from_now = windows("now-3d", "now", step).format("date").unwrap();
            let all = texts(&from_now);
            assert_eq!(all[0].0, "2024-03-07", "{step}");
            assert_eq!(all.last().unwrap().1, "2024-03-11", "{step}");
        }
        let fixed = windows("2024-01-01", "2024-01-02T10:00:00Z", "1d");
        assert_eq!(ends(fixed), ["2024-01-01", "2024-01-02", "2024-01-03"]);
        let hours = windows("now-30h", "now", "1h").format("date").unwrap();
        assert_eq!(ends(hours), ["2024-03-09", "2024-03-10", "2024-03-11"]);
        let until_midnight = windows("2024-01-01", "2024-01-03", "1d");
        assert_eq!(texts(&until_midnight).pop().unwrap().1, "2024-01-03");
    }

    #[test]
    fn a_pattern_is_as_fine_as_its_finest_part() {
        for (pattern, last, inclusive) in [
            ("%d.%m.%Y", "11.03.2024", "10.03.2024"),
            (
                "%Y-%m-%dT00:00:00Z",
                "2024-03-11T00:00:00Z",
                "2024-03-10T00:00:00Z",
            ),
            ("%Y-%m", "2024-04", "2024-03"),
            ("%Y", "2025", "2024"),
            ("%G-W%V", "2024-W11", "2024-W10"),
            ("%Y%m%d%H", "2024031016", "2024031015"),
            ("%F %H:%M", "2024-03-10 15:05", "2024-03-10 15:04"),
            ("%FT%T", "2024-03-10T15:04:05", "2024-03-10T15:04:04"),
        ] {
            let until_now = || windows("2024-01-01", "now", "1mo").format(pattern).unwrap();
            assert_eq!(texts(&until_now()).pop().unwrap().1, last);
            assert_eq!(
                texts(&until_now().inclusive(true)).pop().unwrap().1,
                inclusive
            );
        }
        let months = windows("2024-01-15", "2024-04-15", "3mo")
            .format("%Y-%m")
            .unwrap();
        let mut open: Vec<Window> = months.iter(SystemTime::now()).unwrap().collect();
        open.reverse();
        let mut closed = Vec::new();
        while let Some(window) = open.pop() {
            match months.split(&window) {
                Some((first, second)) => open.extend([second, first]),
                None => closed.push(months.texts(&window).0),
            }
        }
        assert_eq!(closed, ["2024-01", "2024-02", "2024-03", "2024-04"]);
    }

    #[test]
    fn moments_are_what_is_written_or_refused() {
        for (to, last) in [
            ("2024-01-02 10:00", "2024-01-02T10:00:00Z"),
            ("2024-01-02T10:00", "2024-01-02T10:00:00Z"),
            ("2024-01-02 10:00:00+02:00", "2024-01-02T08:00:00Z"),
            ("2024-01-02t10:00:00z", "2024-01-02T10:00:00Z"),
            ("20240102", "2024-01-02T00:00:00Z"),
        ] {
            let windows = windows("2024-01-01T00:00:00Z", to, "1d");
            assert_eq!(texts(&windows).pop().unwrap().1, last, "{to}");
        }
        assert_eq!(
            texts(&windows("2024-01-01 00:00", "2024-01-02", "1d"))[0].0,
            "2024-01-01T00:00:00Z",
            "who writes a time reads times"
        );
        for to in [
            "2024-01-02[Europe/Berlin]",
            "2024-01-02T10:00[Europe/Berlin]",
            "2024-01-02T10:00:00+01:00[Europe/Berlin]",
        ] {
            let error = Windows::new("2024-01-01", to, "1d")
                .unwrap_err()
                .to_string();
            assert!(error.starts_with("to: names a time zone"), "{to}: {error}");
        }
        for to in ["2024-01-02 at ten", "2024-01-02 25:00", "2024-01", "-"] {
            assert!(Windows::new("2024-01-01", to, "1d").is_err(), "{to}");
        }
    }

    #[test]
    fn what_is_no_window_is_said_with_its_part() {
        for (from, to, step, part) in [
            ("yesterday", "now", "1d", "from: is no moment"),
            ("2024-01-01", "2024-13-01", "1d", "to: is no moment"),
            ("2024-01-01", "now-", "1d", "to: is no length"),
            ("2024-01-01", "now", "1 day", "step: is no length"),
            ("2024-01-01", "now", "0d", "step: must be longer"),
            ("2024-01-02", "2024-01-01", "1d", "from: is later"),
        ] {
            let error = Windows::new(from, to, step).unwrap_err().to_string();
            assert!(error.starts_with(part), "{from} {to} {step}: {error}");
        }
    }
}
