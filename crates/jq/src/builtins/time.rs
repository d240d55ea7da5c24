//! Times: seconds since 1970, "broken down" arrays, and text. All in UTC, as jq's environment is empty.

use super::{Builtin, f};
use crate::fail::{self, ValR};
use crate::limits::{self, Limit};
use crate::val::Val;
use jiff::civil::Date;
use std::cell::Cell;
use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = [
    "Sunday",
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
];

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("gmtime", |input| gmtime(&input)),
        f!("localtime", |input| gmtime(&input)),
        f!("mktime", |input| mktime(&input)),
        f!("strftime", |input, format| strftime(
            &input,
            &format,
            "strftime/1 requires parsed datetime inputs",
            "GMT"
        )),
        f!("strflocaltime", |input, format| strftime(
            &input,
            &format,
            "strflocaltime/1 requires parsed datetime inputs",
            "UTC"
        )),
        f!("strptime", |input, format| strptime(&input, &format)),
    ]
}

thread_local! {
    /// What `now` is, where it is not the clock's.
    static NOW: Cell<Option<f64>> = const { Cell::new(None) };
}

/// Runs `work` while `now` is that moment for all expressions on this thread, in seconds since 1970: what they make of a record
/// is the same then whenever it is done.
///
/// ```
/// use longshore_jq::{Filter, Val, at_time};
///
/// let today = Filter::compile("now | todate")?;
/// let answer = at_time(0.0, || today.first(&Val::null()))?;
/// assert_eq!(answer, Some(Val::from("1970-01-01T00:00:00Z")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn at_time<T>(seconds: f64, work: impl FnOnce() -> T) -> T {
    /// Puts back what was before, even where `work` panics.
    struct Before(Option<f64>);
    impl Drop for Before {
        fn drop(&mut self) {
            NOW.set(self.0);
        }
    }
    let _before = Before(NOW.replace(Some(seconds)));
    work()
}

/// Seconds since 1970.
pub(super) fn now() -> f64 {
    if let Some(now) = NOW.get() {
        return now;
    }
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// A moment as its parts; the month counts from 0 as in C.
#[derive(Clone, Copy, Default)]
struct Parts {
    year: i64,
    month: i64,
    day: i64,
    hour: i64,
    minute: i64,
    second: i64,
}

impl Parts {
    /// Seconds since 1970. Parts out of their range carry over, as in C's `timegm`.
    fn seconds(self) -> i64 {
        let year = self.year + self.month.div_euclid(12);
        let days = days_before(year, self.month.rem_euclid(12)) + self.day - 1;
        days * 86_400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    fn of(seconds: i64) -> Parts {
        let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
        let (year, month, day) = civil(days);
        Parts {
            year,
            month,
            day,
            hour: rest / 3600,
            minute: rest / 60 % 60,
            second: rest % 60,
        }
    }

    /// 0 is Sunday.
    fn weekday(self) -> i64 {
        (self.seconds().div_euclid(86_400) + 4).rem_euclid(7)
    }

    /// From 0.
    fn day_of_year(self) -> i64 {
        self.seconds().div_euclid(86_400) - days_before(self.year, 0)
    }
}

/// Days from 1970 to the first of a month in the Gregorian calendar, for any year. Eras of 400 years are all alike, so
/// jiff's calendar serves for all of them.
fn days_before(year: i64, month: i64) -> i64 {
    let era = year.div_euclid(400);
    let within = year.rem_euclid(400) + 1600;
    let first = Date::new(within as i16, month as i8 + 1, 1).unwrap_or(Date::constant(1970, 1, 1));
    days_since_1970(first) + (era - 4) * 146_097
}

fn days_since_1970(date: Date) -> i64 {
    let span = date.duration_since(Date::constant(1970, 1, 1));
    span.as_secs() / 86_400
}

fn civil(days: i64) -> (i64, i64, i64) {
    let start = days_since_1970(Date::constant(1600, 1, 1));
    let (era, within) = (
        (days - start).div_euclid(146_097),
        (days - start).rem_euclid(146_097),
    );
    let offset = jiff::SignedDuration::from_hours(24 * within);
    let date = Date::constant(1600, 1, 1)
        .checked_add(offset)
        .unwrap_or(Date::constant(1970, 1, 1));
    (
        i64::from(date.year()) + era * 400,
        i64::from(date.month()) - 1,
        i64::from(date.day()),
    )
}

/// The largest second that C's `struct tm` can hold, about.
const LARGEST: f64 = 67_768_036_191_676_799.0;

fn gmtime(value: &Val) -> ValR {
    let Some(moment) = value.as_f64() else {
        return Err(fail::message("gmtime() requires a number"));
    };
    if moment.is_nan() || moment.abs() > LARGEST {
        return Err(fail::message(
            "error converting number of seconds since epoch to datetime",
        ));
    }
    // As in jq: the parts are those of the moment cut towards zero, the fraction is that above the floor.
    let parts = Parts::of(moment as i64);
    let second = parts.second as f64 + (moment - moment.floor());
    let mut array = broken_down(parts);
    array[5] = Val::from(second);
    Ok(Val::array(array.into()))
}

fn broken_down(t: Parts) -> [Val; 8] {
    let (weekday, day_of_year) = (t.weekday(), t.day_of_year());
    [
        t.year,
        t.month,
        t.day,
        t.hour,
        t.minute,
        t.second,
        weekday,
        day_of_year,
    ]
    .map(Val::from)
}

/// The parts in an array. Missing ones are 0, the year 1900.
fn parts(value: &Val, otherwise: &'static str) -> Result<Parts, fail::Error> {
    let items = value.as_array().ok_or_else(|| fail::message(otherwise))?;
    // Behind the parts `strptime` puts what it did not read.
    if !items.iter().take(8).all(Val::is_number) {
        return Err(fail::message(otherwise));
    }
    let mut numbers = [1900, 0, 0, 0, 0, 0];
    for (number, item) in numbers.iter_mut().zip(items) {
        let item = item
            .as_f64()
            .filter(|n| n.abs() < 1e12)
            .ok_or_else(|| fail::message(otherwise))?;
        // The default is where C counts from; what is behind it is cut towards that.
        let start = *number as f64;
        *number += (item - start).trunc() as i64;
    }
    let [year, month, day, hour, minute, second] = numbers;
    Ok(Parts {
        year,
        month,
        day,
        hour,
        minute,
        second,
    })
}

fn mktime(value: &Val) -> ValR {
    if value.as_array().is_none() {
        return Err(fail::message("mktime requires array inputs"));
    }
    match parts(value, "mktime requires parsed datetime inputs")?.seconds() {
        // C's `timegm` tells an error by -1.
        -1 => Err(fail::message("invalid gmtime representation")),
        seconds => Ok(Val::from(seconds)),
    }
}

fn strftime(value: &Val, format: &Val, otherwise: &'static str, zone: &str) -> ValR {
    let parts = match value.as_f64() {
        Some(_) => parts(&gmtime(value)?, otherwise)?,
        None => parts(value, otherwise)?,
    };
    let Some(format) = format.as_str() else {
        return Err(fail::message("strftime/1 requires a string format"));
    };
    let mut out = String::new();
    write_time(format, Parts::of(parts.seconds()), zone, &mut out, 0).map_err(fail::limit)?;
    limits::charge_text(out.len()).map_err(fail::limit)?;
    Ok(Val::from(out))
}

/// C's `strftime` in the C locale. What is no conversion stays as it is.
fn write_time(
    format: &str,
    t: Parts,
    zone: &str,
    out: &mut String,
    inside: u8,
) -> Result<(), Limit> {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        limits::tick()?;
        let rest = chars.as_str();
        let mut flag = None;
        let mut conversion = chars.next();
        // GNU: no padding, padding by spaces, zeros, upper case.
        if let Some(f @ ('-' | '_' | '0' | '^')) = conversion {
            flag = Some(f);
            conversion = chars.next();
        }
        // And a width; more than 255 is nobody's.
        let mut wider = 0;
        while let Some(digit) = conversion.and_then(|c| c.to_digit(10)) {
            wider = (wider * 10 + digit as usize).min(255);
            conversion = chars.next();
        }
        if let Some('E' | 'O') = conversion {
            conversion = chars.next();
        }
        let Some(conversion) = conversion else {
            out.push('%');
            out.push_str(rest);
            return Ok(());
        };
        let padded = |width: usize, fill: char, n: i64| match (flag, fill, width.max(wider)) {
            (Some('-'), ..) => n.to_string(),
            (Some('_'), _, width) | (None | Some('^'), ' ', width) => format!("{n:>width$}"),
            (.., width) => format!("{n:0>width$}"),
        };
        let hour12 = if t.hour % 12 == 0 { 12 } else { t.hour % 12 };
        let month = MONTHS[t.month.rem_euclid(12) as usize];
        let day = DAYS[t.weekday() as usize];
        let monday_based = (t.weekday() + 6) % 7;
        let composed = match conversion {
            'c' => Some("%a %b %e %H:%M:%S %Y"),
            'D' | 'x' => Some("%m/%d/%y"),
            'F' => Some("%Y-%m-%d"),
            'R' => Some("%H:%M"),
            'r' => Some("%I:%M:%S %p"),
            'T' | 'X' => Some("%H:%M:%S"),
            '+' => Some("%a %b %e %H:%M:%S %Z %Y"),
            _ => None,
        };
        if let Some(composed) = composed.filter(|_| inside == 0) {
            write_time(composed, t, zone, out, 1)?;
            continue;
        }
        let text = match conversion {
            'Y' => t.year.to_string(),
            'C' => t.year.div_euclid(100).to_string(),
            'y' => padded(2, '0', t.year.rem_euclid(100)),
            'm' => padded(2, '0', t.month + 1),
            'd' => padded(2, '0', t.day),
            'e' => padded(2, ' ', t.day),
            'H' => padded(2, '0', t.hour),
            'k' => padded(2, ' ', t.hour),
            'I' => padded(2, '0', hour12),
            'l' => padded(2, ' ', hour12),
            'M' => padded(2, '0', t.minute),
            'S' => padded(2, '0', t.second),
            's' => t.seconds().to_string(),
            'j' => padded(3, '0', t.day_of_year() + 1),
            'p' => (if t.hour < 12 { "AM" } else { "PM" }).to_owned(),
            'P' => (if t.hour < 12 { "am" } else { "pm" }).to_owned(),
            'A' => day.to_owned(),
            'a' => day[..3].to_owned(),
            'B' => month.to_owned(),
            'b' | 'h' => month[..3].to_owned(),
            'u' => (monday_based + 1).to_string(),
            'w' => t.weekday().to_string(),
            'U' => padded(2, '0', (t.day_of_year() + 7 - t.weekday()) / 7),
            'W' => padded(2, '0', (t.day_of_year() + 7 - monday_based) / 7),
            'V' => padded(2, '0', iso_week(t).1),
            'G' => iso_week(t).0.to_string(),
            'g' => padded(2, '0', iso_week(t).0.rem_euclid(100)),
            'Z' => zone.to_owned(),
            'z' => "+0000".to_owned(),
            'n' => "\n".to_owned(),
            't' => "\t".to_owned(),
            '%' => "%".to_owned(),
            other => {
                let _ = write!(out, "%{}", flag.map(String::from).unwrap_or_default());
                out.push(other);
                continue;
            }
        };
        limits::charge(text.len())?;
        if flag == Some('^') {
            out.push_str(&text.to_uppercase())
        } else {
            out.push_str(&text)
        }
    }
    Ok(())
}

/// Year and week of ISO 8601.
fn iso_week(t: Parts) -> (i64, i64) {
    let within = t.year.rem_euclid(400) + 1600;
    let date = Date::new(within as i16, t.month as i8 + 1, t.day as i8)
        .unwrap_or(Date::constant(1970, 1, 1));
    let week = date.iso_week_date();
    (
        i64::from(week.year()) - within + t.year,
        i64::from(week.week()),
    )
}

fn strptime(value: &Val, format: &Val) -> ValR {
    let (Some(text), Some(format)) = (value.as_str(), format.as_str()) else {
        return Err(fail::message(
            "strptime/1 requires string inputs and arguments",
        ));
    };
    let mut read = Read {
        rest: text,
        t: Parts {
            year: 1900,
            ..Parts::default()
        },
        century: None,
        afternoon: None,
        day_of_year: None,
        weekday: None,
        dated: false,
    };
    let matches =
        read.format(format).is_some() && (read.rest.is_empty() || read.rest.starts_with(is_space));
    if !matches {
        let message = format!("date \"{text}\" does not match format \"{format}\"");
        return Err(fail::told(message, "the date does not match the format"));
    }
    let (rest, weekday, dated) = (read.rest, read.weekday, read.dated);
    let t = read.finish();
    let mut array = broken_down(t);
    if !dated {
        // C leaves what jq put there: these are no days.
        array[6] = Val::from(8i64);
        array[7] = Val::from(367i64);
    }
    if let Some(weekday) = weekday {
        array[6] = Val::from(weekday);
    }
    let mut array = Vec::from(array);
    if !rest.is_empty() {
        // jq hands on what it did not read, if there is a space before it.
        array.push(Val::from(rest));
    }
    Ok(Val::array(array))
}

/// C's `isspace`.
fn is_space(c: char) -> bool {
    c.is_ascii_whitespace() || c == '\x0b'
}

/// C's `strptime`, reading one conversion after the other.
struct Read<'t> {
    rest: &'t str,
    t: Parts,
    century: Option<i64>,
    afternoon: Option<bool>,
    day_of_year: Option<i64>,
    /// As it is written, right or wrong.
    weekday: Option<i64>,
    /// Whether any part of the date was read.
    dated: bool,
}

impl Read<'_> {
    fn format(&mut self, format: &str) -> Option<()> {
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if is_space(c) {
                self.space();
                continue;
            }
            if c != '%' {
                self.rest = self.rest.strip_prefix(c)?;
                continue;
            }
            let mut conversion = chars.next()?;
            while matches!(conversion, '-' | '_' | '0' | 'E' | 'O') {
                conversion = chars.next()?;
            }
            self.conversion(conversion)?;
        }
        Some(())
    }

    fn conversion(&mut self, conversion: char) -> Option<()> {
        self.dated |= matches!(
            conversion,
            'Y' | 'C' | 'y' | 'm' | 'd' | 'e' | 'j' | 'b' | 'B' | 'h' | 's' | 'U' | 'W'
        );
        match conversion {
            'Y' => self.t.year = self.signed(4)?,
            'C' => self.century = Some(self.number(2, 0, 99)?),
            'y' => {
                let year = self.number(2, 0, 99)?;
                self.t.year = if year < 69 { 2000 + year } else { 1900 + year };
            }
            'm' => self.t.month = self.number(2, 1, 12)? - 1,
            'd' | 'e' => {
                self.space();
                self.t.day = self.number(2, 1, 31)?;
            }
            'H' | 'k' => {
                self.space();
                self.t.hour = self.number(2, 0, 23)?;
            }
            'I' | 'l' => {
                self.space();
                self.t.hour = self.number(2, 1, 12)?;
            }
            'M' => self.t.minute = self.number(2, 0, 59)?,
            'S' => self.t.second = self.number(2, 0, 61)?,
            'j' => self.day_of_year = Some(self.number(3, 1, 366)? - 1),
            'p' | 'P' => {
                let (half, rest) = (
                    self.rest.get(..2)?.to_ascii_lowercase(),
                    self.rest.get(2..)?,
                );
                self.afternoon = Some(match half.as_str() {
                    "am" => false,
                    "pm" => true,
                    _ => return None,
                });
                self.rest = rest;
            }
            'a' | 'A' => self.weekday = Some(self.name(&DAYS)? as i64),
            'b' | 'B' | 'h' => self.t.month = self.name(&MONTHS)? as i64,
            'u' => self.weekday = Some(self.number(1, 1, 7)? % 7),
            'w' => self.weekday = Some(self.number(1, 0, 6)?),
            'U' | 'W' | 'V' => {
                self.number(2, 0, 53)?;
            }
            's' => {
                let seconds = self.signed(19)?;
                self.t = Parts::of(seconds);
            }
            // An offset or a zone is read, and does not move the time: jq's `mktime` takes everything as UTC.
            'z' => self.offset()?,
            'Z' => {
                self.space();
                self.rest = self.rest.trim_start_matches(|c| !is_space(c));
            }
            'c' => self.format("%a %b %e %H:%M:%S %Y")?,
            'D' | 'x' => self.format("%m/%d/%y")?,
            'F' => self.format("%Y-%m-%d")?,
            'R' => self.format("%H:%M")?,
            'r' => self.format("%I:%M:%S %p")?,
            'T' | 'X' => self.format("%H:%M:%S")?,
            'n' | 't' => self.space(),
            '%' => self.rest = self.rest.strip_prefix('%')?,
            _ => return None,
        }
        Some(())
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches(is_space);
    }

    fn digits(&mut self, most: usize) -> Option<i64> {
        let count = self
            .rest
            .bytes()
            .take(most)
            .take_while(u8::is_ascii_digit)
            .count();
        let (digits, rest) = self.rest.split_at(count);
        let number = digits.parse().ok()?;
        self.rest = rest;
        Some(number)
    }

    fn number(&mut self, most: usize, from: i64, upto: i64) -> Option<i64> {
        self.digits(most).filter(|n| (from..=upto).contains(n))
    }

    fn signed(&mut self, most: usize) -> Option<i64> {
        let (sign, rest) = match self.rest.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, self.rest.strip_prefix('+').unwrap_or(self.rest)),
        };
        self.rest = rest;
        Some(sign * self.digits(most)?)
    }

    /// A name, whole or its first three letters, in any case. Its number.
    fn name(&mut self, names: &[&str]) -> Option<usize> {
        let starts = |name: &str| {
            self.rest
                .get(..name.len())
                .is_some_and(|text| text.eq_ignore_ascii_case(name))
        };
        let (i, length) = names.iter().enumerate().find_map(|(i, name)| {
            if starts(name) {
                Some((i, name.len()))
            } else {
                starts(&name[..3]).then_some((i, 3))
            }
        })?;
        self.rest = &self.rest[length..];
        Some(i)
    }

    /// `Z`, `+hh`, `+hhmm`, `+hh:mm`
    fn offset(&mut self) -> Option<()> {
        if let Some(rest) = self.rest.strip_prefix('Z') {
            self.rest = rest;
            return Some(());
        }
        self.rest = self.rest.strip_prefix(['+', '-'])?;
        let before = self.rest;
        self.digits(2)
            .filter(|_| before.len() - self.rest.len() == 2)?;
        let minutes = self.rest.strip_prefix(':').unwrap_or(self.rest);
        if minutes.len() >= 2 && minutes.as_bytes()[..2].iter().all(u8::is_ascii_digit) {
            self.rest = &minutes[2..];
        }
        Some(())
    }

    fn finish(self) -> Parts {
        let mut t = self.t;
        if let Some(century) = self.century {
            t.year = century * 100 + t.year.rem_euclid(100);
        }
        match self.afternoon {
            Some(true) if t.hour < 12 => t.hour += 12,
            Some(false) if t.hour == 12 => t.hour = 0,
            _ => {}
        }
        if let Some(day) = self.day_of_year
            && t.day == 0
        {
            let date = Parts::of(
                Parts {
                    month: 0,
                    day: day + 1,
                    ..t
                }
                .seconds(),
            );
            t = Parts {
                month: date.month,
                day: date.day,
                ..t
            };
        }
        t
    }
}
