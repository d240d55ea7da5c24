//! Functions of numbers.

use super::{Builtin, Data, f};
use crate::fail::{self, ValR};
use crate::val::Val;
use jaq_core::native::Fun;

/// Functions of C's mathematical library that jaq-std brings.
const OF_JAQ: [&str; 51] = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cbrt",
    "copysign",
    "cos",
    "cosh",
    "erf",
    "erfc",
    "exp",
    "exp10",
    "exp2",
    "expm1",
    "fabs",
    "fdim",
    "fma",
    "fmax",
    "fmin",
    "fmod",
    "frexp",
    "hypot",
    "ilogb",
    "j0",
    "j1",
    "jn",
    "ldexp",
    "lgamma",
    "log",
    "log10",
    "log1p",
    "log2",
    "modf",
    "nextafter",
    "pow",
    "remainder",
    "rint",
    "scalbln",
    "sin",
    "sinh",
    "sqrt",
    "tan",
    "tanh",
    "tgamma",
    "trunc",
    "y0",
    "y1",
    "yn",
];

pub(super) fn of_jaq() -> impl Iterator<Item = Fun<Data>> {
    jaq_std::extra_funs::<Data>().filter(|(name, ..)| OF_JAQ.contains(name))
}

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("floor", |input| rounded(&input, f64::floor)),
        f!("ceil", |input| rounded(&input, f64::ceil)),
        f!("round", |input| rounded(&input, f64::round)),
        f!("nearbyint", |input| rounded(&input, f64::round_ties_even)),
        f!("nan", |_input| Ok(Val::from(f64::NAN))),
        f!("infinite", |_input| Ok(Val::from(f64::INFINITY))),
        f!("isnan", |input| is(&input, f64::is_nan)),
        f!("isinfinite", |input| is(&input, f64::is_infinite)),
        f!("isfinite", |input| Ok(Val::from(
            input.as_f64().is_some_and(|n| !n.is_infinite())
        ))),
        f!("isnormal", |input| is(&input, f64::is_normal)),
    ]
}

fn number(value: &Val) -> Result<f64, fail::Error> {
    value
        .as_f64()
        .ok_or_else(|| fail::typed(value, "number required"))
}

/// False for what is no number.
fn is(value: &Val, kind: fn(f64) -> bool) -> ValR {
    Ok(Val::from(value.as_f64().is_some_and(kind)))
}

fn rounded(value: &Val, round: fn(f64) -> f64) -> ValR {
    Ok(Val::from(round(number(value)?)))
}
