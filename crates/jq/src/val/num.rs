//! Numbers: exact integers, doubles, and the text that jq gives them.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// Above this, whole doubles are no longer all exact, and jq writes results of arithmetic differently from data.
const EXACT: f64 = 9_007_199_254_740_992.0;

#[derive(Clone)]
pub(crate) enum Num {
    Int(i64),
    /// Above `i64::MAX` only.
    Big(u64),
    /// A result of arithmetic. Whole numbers up to 2^53 are `Int` instead.
    Float(f64),
    /// A number of the data that no integer holds. It differs from `Float` in its text only.
    Data(f64),
    /// A number as a program or a string spells it, where that text would be lost: `1.10`, `1e2`.
    Literal(Arc<(f64, Box<str>)>),
}

impl Num {
    pub(crate) fn as_f64(&self) -> f64 {
        match self {
            Num::Int(i) => *i as f64,
            Num::Big(u) => *u as f64,
            Num::Float(f) | Num::Data(f) => *f,
            Num::Literal(l) => l.0,
        }
    }

    pub(crate) fn as_u64(&self) -> Option<u64> {
        match self {
            Num::Int(i) => u64::try_from(*i).ok(),
            Num::Big(u) => Some(*u),
            Num::Float(f) | Num::Data(f) => whole(*f).and_then(|i| u64::try_from(i).ok()),
            Num::Literal(l) => whole(l.0).and_then(|i| u64::try_from(i).ok()),
        }
    }

    /// The number as an `i64`, if it is whole and fits.
    pub(crate) fn as_i64(&self) -> Option<i64> {
        match self {
            Num::Int(i) => Some(*i),
            Num::Big(_) => None,
            Num::Float(f) | Num::Data(f) => whole(*f).and_then(|i| i64::try_from(i).ok()),
            Num::Literal(l) => whole(l.0).and_then(|i| i64::try_from(i).ok()),
        }
    }

    /// A number of the data: whole ones become integers where they fit.
    pub(crate) fn data(f: f64) -> Num {
        match whole(f) {
            Some(i) => i64::try_from(i)
                .map(Num::Int)
                .or_else(|_| u64::try_from(i).map(Num::Big))
                .unwrap_or(Num::Data(f)),
            None => Num::Data(f),
        }
    }

    /// Reads a decimal number in the grammar of JSON, leading zeros and a bare point allowed (`007`, `.5`, `5.`), and
    /// keeps how it is spelled as far as jq would. None if the text is no number.
    pub(crate) fn literal(text: &str) -> Option<Num> {
        let decimal = Decimal::parse(text)?;
        if decimal.exponent == 0 && !(decimal.negative && decimal.digits == "0") {
            let canonical = decimal.text();
            if let Ok(i) = canonical.parse::<i64>() {
                return Some(Num::Int(i));
            }
            if let Ok(u) = canonical.parse::<u64>() {
                return Some(Num::Big(u));
            }
        }
        let value: f64 = text.parse().ok()?;
        if value.is_infinite() {
            return Some(Num::Float(value));
        }
        Some(Num::Literal(Arc::new((value, decimal.text().into()))))
    }

    pub(crate) fn is_nan(&self) -> bool {
        self.as_f64().is_nan()
    }

    pub(crate) fn negate(&self) -> Num {
        match self {
            Num::Int(i) => i
                .checked_neg()
                .map_or_else(|| Num::Big(i.unsigned_abs()), Num::Int),
            // Below what an integer holds, but jq keeps its digits.
            Num::Big(u) => Num::Literal(Arc::new((-(*u as f64), format!("-{u}").into()))),
            Num::Literal(l) => {
                let text = match l.1.strip_prefix('-') {
                    Some(positive) => positive.into(),
                    // jq's decimal numbers have no negative zero.
                    None if l.0 == 0.0 => return self.clone(),
                    None => format!("-{}", l.1).into(),
                };
                Num::Literal(Arc::new((-l.0, text)))
            }
            Num::Data(f) => Num::Data(-f),
            other => Num::from(-other.as_f64()),
        }
    }

    /// Total order by value; `nan` is below everything and equal to itself.
    pub(crate) fn order(&self, other: &Num) -> Ordering {
        match (self.integer(), other.integer()) {
            (Some(a), Some(b)) => a.cmp(&b),
            (None, None) => order_floats(self.as_f64(), other.as_f64()),
            (Some(a), None) => order_mixed(a, other.as_f64()),
            (None, Some(b)) => order_mixed(b, self.as_f64()).reverse(),
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Num::Int(i) => Some((*i).into()),
            Num::Big(u) => Some((*u).into()),
            _ => None,
        }
    }
}

fn order_floats(a: f64, b: f64) -> Ordering {
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (false, false) => a.partial_cmp(&b).unwrap_or(Ordering::Equal),
    }
}

/// Exact, so that the order stays transitive where doubles are coarser than integers.
fn order_mixed(a: i128, b: f64) -> Ordering {
    if b.is_nan() {
        return Ordering::Greater;
    }
    // Beyond 2^70 the sign decides: integers here are below 2^64.
    let bound = 2f64.powi(70);
    if b.abs() >= bound {
        return if b > 0.0 {
            Ordering::Less
        } else {
            Ordering::Greater
        };
    }
    let floor = b.floor();
    a.cmp(&(floor as i128)).then(if b > floor {
        Ordering::Less
    } else {
        Ordering::Equal
    })
}

/// The double as an integer, if it is whole and below 2^64 in size.
fn whole(f: f64) -> Option<i128> {
    (f.fract() == 0.0 && f.abs() < 2f64.powi(64)).then_some(f as i128)
}

impl From<i64> for Num {
    fn from(i: i64) -> Self {
        Num::Int(i)
    }
}

impl From<u64> for Num {
    fn from(u: u64) -> Self {
        i64::try_from(u).map_or(Num::Big(u), Num::Int)
    }
}

impl From<usize> for Num {
    fn from(u: usize) -> Self {
        Num::from(u as u64)
    }
}

/// A result of arithmetic.
impl From<f64> for Num {
    fn from(f: f64) -> Self {
        if f.fract() == 0.0 && f.abs() <= EXACT && !(f == 0.0 && f.is_sign_negative()) {
            Num::Int(f as i64)
        } else {
            Num::Float(f)
        }
    }
}

/// As jq 1.8 writes numbers: results of arithmetic like C's `%.17g` cut to the shortest text that reads back, numbers that
/// were spelled in a program or in data as the decimal arithmetic specification (speleotrove.com/decimal) does.
impl fmt::Display for Num {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Num::Int(i) => i.fmt(f),
            Num::Big(u) => u.fmt(f),
            Num::Literal(l) => f.write_str(&l.1),
            Num::Float(x) | Num::Data(x) if !x.is_finite() => f.write_str(match x {
                x if x.is_nan() => "null",
                x if *x > 0.0 => "1.7976931348623157e+308",
                _ => "-1.7976931348623157e+308",
            }),
            Num::Float(x) => f.write_str(&double_text(*x)),
            // A whole number too large for an integer reaches jq with all its digits.
            Num::Data(x) if x.fract() == 0.0 => write!(f, "{x:.0}"),
            Num::Data(x) => match Decimal::parse(&format!("{x:e}")) {
                Some(decimal) => f.write_str(&decimal.text()),
                None => write!(f, "{x}"),
            },
        }
    }
}

/// A finite double with the fewest digits that read back, in scientific notation where `%g` with 17 digits has it.
fn double_text(x: f64) -> String {
    let scientific = format!("{x:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count() as i32;
    // The point comes before digit number `exponent + 1`.
    if exponent < -4 || exponent > digits + 14 {
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{mantissa}e{sign}{:02}", exponent.abs())
    } else {
        format!("{x}")
    }
}

/// A decimal number: `digits × 10^exponent`.
struct Decimal {
    negative: bool,
    /// Without leading zeros; `"0"` for zero.
    digits: String,
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Decimal> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => {
                let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
                if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
                    return None;
                }
                let bound = 1_000_000_000;
                let sign = if exponent.starts_with('-') { -1 } else { 1 };
                (
                    mantissa,
                    sign * digits.parse::<i64>().unwrap_or(bound).min(bound),
                )
            }
            None => (rest, 0),
        };
        let (int, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let mut digits = format!("{int}{fraction}");
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let zeros = digits
            .bytes()
            .take_while(|b| *b == b'0')
            .count()
            .min(digits.len() - 1);
        digits.drain(..zeros);
        Some(Decimal {
            negative,
            digits,
            exponent: exponent - fraction.len() as i64,
        })
    }

    /// "To scientific string" of the specification.
    fn text(&self) -> String {
        let sign = if self.negative { "-" } else { "" };
        let digits = &self.digits;
        let count = digits.len() as i64;
        let adjusted = self.exponent + count - 1;
        if self.exponent == 0 {
            return format!("{sign}{digits}");
        }
        if self.exponent < 0 && adjusted >= -6 {
            let point = count + self.exponent;
            return if point > 0 {
                let (int, fraction) = digits.split_at(point as usize);
                format!("{sign}{int}.{fraction}")
            } else {
                format!(
                    "{sign}0.{}{digits}",
                    "0".repeat(point.unsigned_abs() as usize)
                )
            };
        }
        let (first, rest) = digits.split_at(1);
        let point = if rest.is_empty() { "" } else { "." };
        format!("{sign}{first}{point}{rest}E{adjusted:+}")
    }
}

#[cfg(test)]
mod tests {
    use super::Num;

    #[test]
    fn text_of_data_is_decimal_and_text_of_results_is_c_like() {
        let data = |f: f64| Num::data(f).to_string();
        let result = |f: f64| Num::from(f).to_string();
        assert_eq!(data(7034.550), "7034.55");
        assert_eq!(data(46088.000), "46088");
        assert_eq!(data(5.5e-7), "5.5E-7");
        assert_eq!(data(10.5e-7), "0.00000105");
        assert_eq!(data(1e17), "100000000000000000");
        assert_eq!(data(1e20), "100000000000000000000");
        assert_eq!(Num::from(u64::MAX).to_string(), "18446744073709551615");
        assert_eq!(result(1e17), "1e+17");
        assert_eq!(result(1e15), "1000000000000000");
        assert_eq!(result(12345678901234567890.0), "12345678901234567000");
        assert_eq!(result(1e-5), "1e-05");
        assert_eq!(result(0.0001), "0.0001");
        assert_eq!(result(0.1 + 0.2), "0.30000000000000004");
        assert_eq!(result(f64::INFINITY), "1.7976931348623157e+308");
    }

    #[test]
    fn literals_keep_their_spelling_as_far_as_jq_does() {
        let literal = |text| Num::literal(text).unwrap().to_string();
        assert_eq!(literal("1.10"), "1.10");
        assert_eq!(literal("1e2"), "1E+2");
        assert_eq!(literal("1e17"), "1E+17");
        assert_eq!(literal("0.5e1"), "5");
        assert_eq!(literal("007"), "7");
        assert_eq!(literal("0.00001"), "0.00001");
        assert_eq!(literal("0.00000001"), "1E-8");
        assert!(Num::literal("1e").is_none());
        assert!(Num::literal("").is_none());
        assert!(Num::literal("0x10").is_none());
    }

    #[test]
    fn integers_and_doubles_order_exactly() {
        use std::cmp::Ordering::*;
        let big = Num::Int(9_007_199_254_740_993);
        assert_eq!(big.order(&Num::Float(9_007_199_254_740_992.0)), Greater);
        assert_eq!(Num::Int(3).order(&Num::Data(3.5)), Less);
        assert_eq!(Num::Int(-3).order(&Num::Data(-3.5)), Greater);
        assert_eq!(Num::Int(0).order(&Num::Float(f64::NAN)), Greater);
        assert_eq!(Num::Big(u64::MAX).order(&Num::Float(f64::INFINITY)), Less);
    }
}
