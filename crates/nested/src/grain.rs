//! How fine a written moment is.

use jiff::civil::{DateTime, Weekday};
use jiff::{Span, Unit};

/// The smallest length of time that tells two written moments apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Grain {
    Second,
    Minute,
    Hour,
    Day,
    /// From Monday, as ISO has it.
    Week,
    /// From Sunday.
    SundayWeek,
    Month,
    Year,
}

impl Grain {
    /// Of a pattern of `strftime`: that of its finest part.
    pub(crate) fn of_pattern(pattern: &str) -> Grain {
        let mut finest = Grain::Year;
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                continue;
            }
            // Flags and widths stand before the letter.
            let letter = rest.find(|c| !matches!(c, '-' | '_' | '0'..='9' | '^' | '#' | ':' | '.'));
            let grain = match letter {
                Some('%' | 'n' | 't' | 'z' | 'Z' | 'Q' | 'C' | 'Y' | 'y' | 'G' | 'g') => continue,
                Some('m' | 'b' | 'B' | 'h') => Grain::Month,
                Some('V' | 'W') => Grain::Week,
                Some('U') => Grain::SundayWeek,
                Some('d' | 'e' | 'j' | 'D' | 'F' | 'x' | 'a' | 'A' | 'u' | 'w') => Grain::Day,
                Some('H' | 'k' | 'I' | 'l' | 'p' | 'P') => Grain::Hour,
                Some('M' | 'R') => Grain::Minute,
                _ => Grain::Second,
            };
            finest = finest.min(grain);
        }
        finest
    }

    /// The last moment up to this one that can be written.
    pub(crate) fn floor(self, at: DateTime) -> DateTime {
        let midnight = |date: jiff::civil::Date| date.to_datetime(jiff::civil::Time::midnight());
        let week = |begin: Weekday| {
            let behind = at.weekday().since(begin);
            at.checked_sub(Span::new().days(behind))
                .map_or(at, |at| midnight(at.date()))
        };
        let round = |unit: Unit| {
            let round = jiff::civil::DateTimeRound::new();
            at.round(round.smallest(unit).mode(jiff::RoundMode::Trunc))
                .unwrap_or(at)
        };
        match self {
            Grain::Second => round(Unit::Second),
            Grain::Minute => round(Unit::Minute),
            Grain::Hour => round(Unit::Hour),
            Grain::Day => midnight(at.date()),
            Grain::Week => week(Weekday::Monday),
            Grain::SundayWeek => week(Weekday::Sunday),
            Grain::Month => midnight(at.date().first_of_month()),
            Grain::Year => midnight(at.date().first_of_year()),
        }
    }

    /// The first moment from this one on that can be written; `None` where it lies beyond the calendar.
    pub(crate) fn ceil(self, at: DateTime) -> Option<DateTime> {
        match self.floor(at) {
            floor if floor == at => Some(at),
            _ => self.next(at),
        }
    }

    /// The first moment after this one that can be written; `None` where it lies beyond the calendar.
    pub(crate) fn next(self, at: DateTime) -> Option<DateTime> {
        let one = match self {
            Grain::Second => Span::new().seconds(1),
            Grain::Minute => Span::new().minutes(1),
            Grain::Hour => Span::new().hours(1),
            Grain::Day => Span::new().days(1),
            Grain::Week | Grain::SundayWeek => Span::new().weeks(1),
            Grain::Month => Span::new().months(1),
            Grain::Year => Span::new().years(1),
        };
        self.floor(at).checked_add(one).ok()
    }
}
