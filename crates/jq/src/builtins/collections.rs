//! Functions of arrays and objects.

use super::{Builtin, Data, f, halt, step};
use crate::fail::{self, ValR};
use crate::limits::{self, Limit};
use crate::val::{Entries, Repr, Text, Val, sort_by, windows};
use jaq_core::box_iter::box_once;
use jaq_core::native::v;
use jaq_core::{Bind, Cv, Exn, Native};
use std::cmp::Ordering;

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("length", |input| length(&input)),
        f!("keys", |input| keys(&input, true)),
        f!("keys_unsorted", |input| keys(&input, false)),
        f!("has", |input, key| has(&input, &key)),
        f!("contains", |input, part| contains(&input, &part)
            .map(Val::from)),
        f!("add", |input| add(input)),
        f!("sort", |input| sorted(input)),
        f!("_sort_by", |input, keys| ordered(&input, &keys).map(
            |pairs| array(pairs.into_iter().map(|(_, item)| item.clone()))
        )),
        f!("_group_by", |input, keys| ordered(&input, &keys)
            .map(|pairs| groups(&pairs))),
        f!("_min_by", |input, keys| extreme(
            &input,
            &keys,
            |new, old| new.cmp(old) == Ordering::Less
        )),
        f!("_max_by", |input, keys| extreme(
            &input,
            &keys,
            |new, old| new.cmp(old) != Ordering::Less
        )),
        f!("min", |input| extreme(&input, &input, |new, old| new
            .cmp(old)
            == Ordering::Less)),
        f!("max", |input| extreme(&input, &input, |new, old| new
            .cmp(old)
            != Ordering::Less)),
        f!("reverse", |input| reverse(input)),
        f!("flatten", |input, depth| flatten(&input, &depth)),
        f!("transpose", |input| transpose(&input)),
        f!("to_entries", |input| to_entries(&input)),
        f!("from_entries", |input| from_entries(input)),
        f!("indices", |input, wanted| indices(&input, &wanted)),
        f!("bsearch", |input, wanted| match input.as_array() {
            Some(items) => Ok(Val::from(found(items, &wanted))),
            None => Err(fail::typed(&input, "cannot be searched from")),
        }),
        ("_range", v(2), Native::<Data>::new(range)).into(),
        ("_range_by", v(3), Native::<Data>::new(range_by)).into(),
        ("walk", [Bind::Fun(())].into(), Native::<Data>::new(walk)).into(),
    ]
}

fn array(items: impl Iterator<Item = Val>) -> Val {
    items.collect()
}

fn length(value: &Val) -> ValR {
    Ok(match &value.0 {
        Repr::Null => Val::from(0i64),
        Repr::Bool(_) => return Err(fail::typed(value, "has no length")),
        Repr::Num(n) if n.as_f64() < 0.0 => Val(Repr::Num(n.negate())),
        Repr::Num(_) => value.clone(),
        Repr::Str(s) => Val::from(s.chars().count()),
        Repr::Arr(a) => Val::from(a.items().len()),
        Repr::Obj(o) => Val::from(o.entries().len()),
    })
}

fn keys(value: &Val, sort: bool) -> ValR {
    match &value.0 {
        Repr::Arr(a) => Ok(array((0..a.items().len()).map(Val::from))),
        Repr::Obj(o) => {
            let mut keys: Vec<Text> = o.entries().keys().cloned().collect();
            if sort {
                keys.sort_unstable();
            }
            Ok(array(keys.into_iter().map(|key| Val(Repr::Str(key)))))
        }
        _ => Err(fail::typed(value, "has no keys")),
    }
}

fn has(value: &Val, key: &Val) -> ValR {
    Ok(Val::from(match (&value.0, &key.0) {
        (Repr::Obj(o), Repr::Str(key)) => o.entries().contains_key(key),
        (Repr::Arr(a), Repr::Num(n)) => n.as_f64() >= 0.0 && n.as_f64() < a.items().len() as f64,
        (Repr::Null, _) => false,
        _ => return Err(fail::has(value, key)),
    }))
}

fn contains(value: &Val, part: &Val) -> Result<bool, fail::Error> {
    if same_kind(value, part) {
        contains_inside(value, part).map_err(fail::limit)
    } else {
        Err(fail::pair(value, part, fail::CONTAINMENT))
    }
}

/// Values of different kinds are an error at the top only: inside, they just do not contain each other.
fn contains_inside(value: &Val, part: &Val) -> Result<bool, Limit> {
    match (&value.0, &part.0) {
        (Repr::Obj(o), Repr::Obj(part)) => all(part.entries().iter(), |(key, part)| {
            limits::tick()?;
            match o.entries().get(key) {
                Some(value) => contains_inside(value, part),
                None => Ok(false),
            }
        }),
        (Repr::Arr(a), Repr::Arr(part)) => all(part.items().iter(), |part| {
            limits::tick()?;
            any(a.items().iter(), |item| contains_inside(item, part))
        }),
        (Repr::Str(s), Repr::Str(part)) => {
            limits::work(s.len() as u64)?;
            Ok(s.contains(&**part))
        }
        _ => {
            limits::work(0)?;
            Ok(value == part)
        }
    }
}

/// For jq, `true` and `false` are of different kinds.
fn same_kind(a: &Val, b: &Val) -> bool {
    a.type_name() == b.type_name() && (a.as_bool().is_none() || a.as_bool() == b.as_bool())
}

fn all<T>(
    items: impl Iterator<Item = T>,
    mut test: impl FnMut(T) -> Result<bool, Limit>,
) -> Result<bool, Limit> {
    for item in items {
        if !test(item)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn any<T>(
    mut items: impl Iterator<Item = T>,
    mut test: impl FnMut(T) -> Result<bool, Limit>,
) -> Result<bool, Limit> {
    all(&mut items, |item| Ok(!test(item)?)).map(|none| !none)
}

/// The values of an array or object, or an error.
fn items(value: &Val) -> Result<Vec<Val>, fail::Error> {
    match &value.0 {
        Repr::Arr(a) => Ok(a.items().to_vec()),
        Repr::Obj(o) => Ok(o.entries().values().cloned().collect()),
        _ => Err(fail::iterate(value)),
    }
}

fn add(value: Val) -> ValR {
    let items = items(&value)?;
    drop(value);
    if items.iter().all(|item| item.as_str().is_some()) && !items.is_empty() {
        let length = items.iter().filter_map(Val::as_str).map(str::len).sum();
        limits::charge_text(length).map_err(fail::limit)?;
        return Ok(Val::from(
            items.iter().filter_map(Val::as_str).collect::<String>(),
        ));
    }
    items.into_iter().try_fold(Val::null(), |sum, item| {
        limits::tick().map_err(fail::limit)?;
        sum + item
    })
}

fn sorted(value: Val) -> ValR {
    match value.0 {
        Repr::Arr(a) => {
            let mut items: Vec<&Val> = a.items().iter().collect();
            sort_by(&mut items, |item| item).map_err(fail::limit)?;
            Ok(array(items.into_iter().cloned()))
        }
        _ => Err(fail::typed(
            &value,
            "cannot be sorted, as it is not an array",
        )),
    }
}

/// Items with their keys, by keys.
fn ordered<'v>(value: &'v Val, keys: &'v Val) -> Result<Vec<(&'v Val, &'v Val)>, fail::Error> {
    let mut pairs = pairs(value, keys, fail::UNSORTED)?;
    sort_by(&mut pairs, |pair| pair.0).map_err(fail::limit)?;
    Ok(pairs)
}

fn pairs<'v>(
    value: &'v Val,
    keys: &'v Val,
    what: &'static str,
) -> Result<Vec<(&'v Val, &'v Val)>, fail::Error> {
    match (value.as_array(), keys.as_array()) {
        (Some(items), Some(keys)) => Ok(keys.iter().zip(items).collect()),
        _ => Err(fail::pair(value, keys, what)),
    }
}

fn groups(pairs: &[(&Val, &Val)]) -> Val {
    let same = |a: &(&Val, &Val), b: &(&Val, &Val)| {
        // Where the time is over, the answer is thrown away.
        limits::work(a.0.weight()).is_ok() && a.0.cmp(b.0) == Ordering::Equal && (a.0 == b.0)
    };
    array(
        pairs
            .chunk_by(same)
            .map(|group| array(group.iter().map(|(_, item)| (*item).clone()))),
    )
}

fn extreme(value: &Val, keys: &Val, better: fn(&Val, &Val) -> bool) -> ValR {
    let mut pairs = pairs(value, keys, fail::UNITERATED)?.into_iter();
    let Some(mut best) = pairs.next() else {
        return Ok(Val::null());
    };
    for pair in pairs {
        limits::work(pair.0.weight().min(best.0.weight())).map_err(fail::limit)?;
        if better(pair.0, best.0) {
            best = pair;
        }
    }
    Ok(best.1.clone())
}

fn reverse(value: Val) -> ValR {
    if let Some(items) = value.as_array() {
        return Ok(array(items.iter().rev().cloned()));
    }
    // jq 1.8 counts the elements of anything, and fails when it takes the last one.
    let count = length(&value)?.as_f64().unwrap_or(0.0);
    match count > 0.0 {
        true => Err(fail::index(&value, &Val::from(count - 1.0))),
        false => Ok(Val::array(Vec::new())),
    }
}

fn flatten(value: &Val, depth: &Val) -> ValR {
    let depth = match depth.as_f64() {
        Some(depth) if depth < 0.0 => {
            return Err(fail::message("flatten depth must not be negative"));
        }
        Some(depth) => depth as usize,
        None => return Err(fail::typed(depth, "is no depth for flatten")),
    };
    fn into(items: &[Val], depth: usize, out: &mut Vec<Val>) -> Result<(), Limit> {
        for item in items {
            limits::tick()?;
            match &item.0 {
                Repr::Arr(inner) if depth > 0 => into(inner.items(), depth - 1, out)?,
                _ => {
                    limits::charge(size_of::<Val>())?;
                    out.push(item.clone());
                }
            }
        }
        Ok(())
    }
    let mut out = Vec::new();
    into(&items(value)?, depth, &mut out).map_err(fail::limit)?;
    Ok(Val::array(out))
}

fn transpose(value: &Val) -> ValR {
    let rows = items(value)?;
    let mut width = 0;
    for row in &rows {
        width = width.max(length(row)?.as_u64().unwrap_or(0));
    }
    limits::charge(
        rows.len()
            .saturating_mul(width as usize)
            .saturating_mul(size_of::<Val>()),
    )
    .map_err(fail::limit)?;
    let column = |i: u64| {
        rows.iter()
            .map(|row| row.at(&Val::from(i)))
            .collect::<Result<Vec<_>, _>>()
    };
    (0..width)
        .map(|i| column(i).map(Val::array))
        .collect::<Result<Vec<_>, _>>()
        .map(Val::array)
}

fn to_entries(value: &Val) -> ValR {
    let entry = |key: Val, value: Val| {
        Val::object(
            [("key".into(), key), ("value".into(), value)]
                .into_iter()
                .collect::<Entries>(),
        )
    };
    match &value.0 {
        Repr::Obj(o) => {
            Ok(array(o.entries().iter().map(|(key, value)| {
                entry(Val(Repr::Str(key.clone())), value.clone())
            })))
        }
        Repr::Arr(a) => Ok(array(
            a.items()
                .iter()
                .enumerate()
                .map(|(i, value)| entry(Val::from(i), value.clone())),
        )),
        _ => Err(fail::typed(value, "has no keys")),
    }
}

fn from_entries(value: Val) -> ValR {
    let mut entries = Entries::new();
    for entry in items(&value)? {
        let at = |name: &str| entry.at(&Val::from(name));
        let mut key = Val::null();
        for name in ["key", "Key", "name", "Name"] {
            key = at(name)?;
            if key.truthy() {
                break;
            }
        }
        let Repr::Str(key) = key.0 else {
            return Err(fail::key(&key));
        };
        let value = if entry.get("value").is_some() {
            at("value")?
        } else {
            at("Value")?
        };
        limits::charge(2 * size_of::<Val>()).map_err(fail::limit)?;
        entries.insert(key, value);
    }
    Ok(Val::object(entries))
}

fn indices(value: &Val, wanted: &Val) -> ValR {
    match (&value.0, &wanted.0) {
        (Repr::Arr(a), Repr::Arr(wanted)) => windows(a.items(), wanted.items()),
        (Repr::Arr(a), _) => windows(a.items(), std::slice::from_ref(wanted)),
        (Repr::Str(s), Repr::Str(wanted)) => occurrences(s, wanted).map_err(fail::limit),
        _ => value.at(wanted),
    }
}

/// Where the value stands in a sorted array, or, as a negative number, where it would. Of several that are equal it is the one
/// that jq meets first.
fn found(items: &[Val], wanted: &Val) -> i64 {
    let (mut start, mut end) = (0, items.len());
    while start < end {
        let middle = start + (end - start) / 2;
        match wanted.cmp(&items[middle]) {
            Ordering::Equal => return middle as i64,
            Ordering::Less => end = middle,
            Ordering::Greater => start = middle + 1,
        }
    }
    -1 - start as i64
}

/// Where a text occurs in another one, in characters; occurrences may overlap.
fn occurrences(text: &str, wanted: &str) -> Result<Val, Limit> {
    let Some(first) = wanted.chars().next() else {
        return Ok(Val::array(Vec::new()));
    };
    let mut found = Vec::new();
    let (mut at, mut chars) = (0, 0);
    while let Some(next) = text[at..].find(wanted) {
        limits::work((next + wanted.len()) as u64)?;
        limits::charge(size_of::<Val>())?;
        chars += text[at..at + next].chars().count();
        found.push(Val::from(chars));
        at += next + first.len_utf8();
        chars += 1;
    }
    Ok(Val::array(found))
}

/// `_range(from; upto)`: one by one, numbers only.
fn range<'a>(mut cv: Cv<'a, Data>) -> jaq_core::ValXs<'a, Val> {
    let (upto, from) = (cv.0.pop_var(), cv.0.pop_var());
    match (from.as_f64(), upto.as_f64()) {
        (Some(from), Some(upto)) => Box::new(steps(from, upto, 1.0)),
        _ => box_once(Err(Exn::from(fail::message(
            "Range bounds must be numeric",
        )))),
    }
}

/// `range(from; upto; by)`: for jq a loop that adds and compares, whatever the values are.
fn range_by<'a>(mut cv: Cv<'a, Data>) -> jaq_core::ValXs<'a, Val> {
    let (by, upto, from) = (cv.0.pop_var(), cv.0.pop_var(), cv.0.pop_var());
    if let (Some(from), Some(upto), Some(by)) = (from.as_f64(), upto.as_f64(), by.as_f64())
        && !by.is_nan()
    {
        return Box::new(steps(from, upto, by));
    }
    let zero = Val::from(0i64);
    let (up, down) = (by > zero, by < zero);
    let mut next = Some(Ok(from));
    Box::new(std::iter::from_fn(move || {
        let at: Val = match next.take()? {
            Ok(at) => at,
            Err(error) => return Some(Err(Exn::from(error))),
        };
        if !(up && at < upto || down && at > upto) {
            return None;
        }
        if let Err(e) = step() {
            return Some(Err(e));
        }
        next = Some(at.clone() + by.clone());
        Some(Ok(at))
    }))
}

fn steps<'a>(from: f64, upto: f64, by: f64) -> impl Iterator<Item = Result<Val, Exn<'a, Val>>> {
    let mut at = from;
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended
            || !(if by > 0.0 {
                at < upto
            } else {
                by < 0.0 && at > upto
            })
        {
            return None;
        }
        if let Err(e) = step() {
            ended = true;
            return Some(Err(e));
        }
        let this = at;
        at += by;
        Some(Ok(Val::from(this)))
    })
}

/// `walk(f)`: `f` on every value, the inner ones first.
fn walk<'a>(mut cv: Cv<'a, Data>) -> jaq_core::ValXs<'a, Val> {
    let (f, ctx) = cv.0.pop_fun();
    let mut apply =
        |value: Val| -> Result<Vec<Val>, Exn<'a, Val>> { f.run((ctx.clone(), value)).collect() };
    match walked(cv.1, &mut apply) {
        Ok(outputs) => Box::new(outputs.into_iter().map(Ok)),
        Err(e) => box_once(Err(e)),
    }
}

type Apply<'f, 'a> = &'f mut dyn FnMut(Val) -> Result<Vec<Val>, Exn<'a, Val>>;

fn walked<'a>(value: Val, apply: Apply<'_, 'a>) -> Result<Vec<Val>, Exn<'a, Val>> {
    step()?;
    let value = match value.0 {
        Repr::Arr(a) => {
            let mut items = Vec::with_capacity(a.items().len());
            for item in a.items() {
                items.extend(walked(item.clone(), apply)?);
            }
            checked(Val::array(items))?
        }
        Repr::Obj(o) => {
            let mut entries = Entries::with_capacity(o.entries().len());
            for (key, value) in o.entries() {
                if let Some(first) = walked(value.clone(), apply)?.into_iter().next() {
                    entries.insert(key.clone(), first);
                }
            }
            checked(Val::object(entries))?
        }
        scalar => Val(scalar),
    };
    apply(value)
}

fn checked<'a>(value: Val) -> Result<Val, Exn<'a, Val>> {
    limits::fit(&value).map_err(|_| halt())?;
    Ok(value)
}
