//! Functions of text.

use super::{Builtin, copied, f, made};
use crate::fail::{self, ValR};
use crate::limits;
use crate::val::{Num, Repr, Val, split};

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("ascii_downcase", |input| text(
            &input,
            "explode input must be a string"
        )
        .and_then(|s| made(s.to_ascii_lowercase()))),
        f!("ascii_upcase", |input| text(
            &input,
            "explode input must be a string"
        )
        .and_then(|s| made(s.to_ascii_uppercase()))),
        f!("explode", |input| {
            let text = text(&input, "explode input must be a string")?;
            Ok(text
                .chars()
                .map(|c| Val::from(u64::from(u32::from(c))))
                .collect())
        }),
        f!("implode", |input| implode(&input)),
        f!("utf8bytelength", |input| match input.as_str() {
            Some(text) => Ok(Val::from(text.len())),
            None => Err(fail::typed(&input, "only strings have UTF-8 byte length")),
        }),
        f!("startswith", |input, part| both(
            &input,
            &part,
            "startswith() requires string inputs"
        )
        .map(|(s, p)| s.starts_with(p).into())),
        f!("endswith", |input, part| both(
            &input,
            &part,
            "endswith() requires string inputs"
        )
        .map(|(s, p)| s.ends_with(p).into())),
        f!("ltrimstr", |input, part| {
            let (s, p) = both(&input, &part, "startswith() requires string inputs")?;
            s.strip_prefix(p).map_or_else(|| Ok(input.clone()), copied)
        }),
        f!("rtrimstr", |input, part| {
            let (s, p) = both(&input, &part, "endswith() requires string inputs")?;
            s.strip_suffix(p).map_or_else(|| Ok(input.clone()), copied)
        }),
        f!("trim", |input| text(&input, "trim input must be a string")
            .and_then(|s| copied(s.trim()))),
        f!("ltrim", |input| text(&input, "trim input must be a string")
            .and_then(|s| copied(s.trim_start()))),
        f!("rtrim", |input| text(&input, "trim input must be a string")
            .and_then(|s| copied(s.trim_end()))),
        f!("split", |input, separator| {
            let (s, separator) = both(
                &input,
                &separator,
                "split input and separator must be strings",
            )?;
            split(s, separator)
        }),
        f!("join", |input, separator| join(&input, &separator)),
        f!("tonumber", |input| tonumber(input)),
        f!("toboolean", |input| match (&input.0, input.as_str()) {
            (Repr::Bool(_), _) => Ok(input),
            (_, Some("true")) => Ok(true.into()),
            (_, Some("false")) => Ok(false.into()),
            _ => Err(fail::typed(&input, "cannot be parsed as a boolean")),
        }),
    ]
}

fn text<'v>(value: &'v Val, otherwise: &'static str) -> Result<&'v str, fail::Error> {
    value.as_str().ok_or_else(|| fail::message(otherwise))
}

fn both<'v>(
    value: &'v Val,
    other: &'v Val,
    otherwise: &'static str,
) -> Result<(&'v str, &'v str), fail::Error> {
    Ok((text(value, otherwise)?, text(other, otherwise)?))
}

fn implode(value: &Val) -> ValR {
    let Some(items) = value.as_array() else {
        return Err(fail::message("implode input must be an array"));
    };
    let mut text = String::with_capacity(items.len());
    for item in items {
        let Some(code) = item.as_f64().filter(|code| !code.is_nan()) else {
            return Err(fail::typed(
                item,
                "can't be imploded, unicode codepoint needs to be numeric",
            ));
        };
        let code = match code.trunc() {
            negative if negative < 0.0 => None,
            code => char::from_u32(code as u32),
        };
        text.push(code.unwrap_or(char::REPLACEMENT_CHARACTER));
    }
    made(text)
}

/// Numbers and booleans as text, null as nothing; the rest must add up by itself.
fn join(value: &Val, separator: &Val) -> ValR {
    let items = match &value.0 {
        Repr::Arr(a) => a.items().to_vec(),
        Repr::Obj(o) => o.entries().values().cloned().collect(),
        _ => return Err(fail::iterate(value)),
    };
    let part = |item: &Val| match &item.0 {
        Repr::Null => Val::from(""),
        Repr::Bool(_) | Repr::Num(_) => Val::from(item.to_string()),
        _ => item.clone(),
    };
    let mut joined = String::new();
    let mut charged = 0;
    for (i, item) in items.iter().enumerate() {
        if i > 0 {
            match &separator.0 {
                Repr::Str(s) => joined.push_str(s),
                Repr::Null => {}
                _ => return Err(fail::pair(&Val::from(joined), separator, fail::ADDED)),
            }
        }
        let part = part(item);
        match part.as_str() {
            Some(s) => joined.push_str(s),
            None => return Err(fail::pair(&Val::from(joined), &part, fail::ADDED)),
        }
        limits::charge_text(joined.len() - charged).map_err(fail::limit)?;
        charged = joined.len();
    }
    Ok(Val::from(joined))
}

fn tonumber(value: Val) -> ValR {
    const WHAT: &str = "cannot be parsed as a number";
    match &value.0 {
        Repr::Num(_) => Ok(value),
        Repr::Str(text) => {
            let unsigned = text.strip_prefix('+').unwrap_or(text);
            if let Some(number) = Num::literal(unsigned)
                .filter(|_| !(unsigned.len() < text.len() && unsigned.starts_with('-')))
            {
                return Ok(Val(Repr::Num(number)));
            }
            let (sign, word) = match text.strip_prefix('-') {
                Some(word) => (-1.0, word),
                None => (1.0, unsigned),
            };
            match word.to_ascii_lowercase().as_str() {
                "nan" => Ok(Val::from(f64::NAN)),
                "inf" | "infinity" => Ok(Val::from(sign * f64::INFINITY)),
                _ => Err(fail::typed(&value, WHAT)),
            }
        }
        _ => Err(fail::typed(&value, WHAT)),
    }
}
