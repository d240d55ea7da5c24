//! Order, equality and arithmetic of values.

use super::{List, Map, Num, Repr, Text, Val};
use crate::fail::{self, ValR};
use crate::limits;
use std::cmp::Ordering;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};
use std::sync::Arc;

/// What `.[a:b]` selects: positions in an array, or in the characters of a string.
pub(crate) struct Slice {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Slice {
    /// Bounds of a slice in something of that length: the start is rounded down and the end up, negative ones count
    /// from the end, and what lies outside is cut.
    pub(crate) fn of(
        start: Option<&Val>,
        end: Option<&Val>,
        len: usize,
    ) -> Result<Slice, fail::Error> {
        let bound = |bound: Option<&Val>, default: f64| match bound.map(|v| &v.0) {
            None | Some(Repr::Null) => Ok(default),
            Some(Repr::Num(n)) if n.is_nan() => Ok(default),
            Some(Repr::Num(n)) => Ok(n.as_f64()),
            Some(_) => Err(fail::message("Array/string slice indices must be integers")),
        };
        let len = len as f64;
        let absolute = |at: f64| if at < 0.0 { at + len } else { at };
        let start = absolute(bound(start, 0.0)?).clamp(0.0, len);
        let end = absolute(bound(end, len)?).clamp(start, len);
        Ok(Slice {
            start: start.floor() as usize,
            end: end.ceil() as usize,
        })
    }
}

/// The beginning of a value's JSON text, as error messages quote it.
pub(crate) fn dump(value: &Val) -> String {
    const LONGEST: usize = 29;
    let mut text = String::new();
    dump_into(value, &mut text, LONGEST + 1);
    if text.len() > LONGEST {
        let closing = match value.0 {
            Repr::Str(_) => "\"",
            Repr::Arr(_) => "]",
            Repr::Obj(_) => "}",
            _ => "",
        };
        let mut at = LONGEST - 3 - closing.len();
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        text.truncate(at);
        text.push_str("...");
        text.push_str(closing);
    }
    text
}

/// Stops soon after `enough` bytes, so that quoting a large value costs nothing.
fn dump_into(value: &Val, text: &mut String, enough: usize) {
    if text.len() > enough {
        return;
    }
    match &value.0 {
        Repr::Arr(a) => {
            text.push('[');
            for (i, item) in a.items().iter().enumerate().take(enough) {
                if i > 0 {
                    text.push(',');
                }
                dump_into(item, text, enough);
            }
            text.push(']');
        }
        Repr::Obj(o) => {
            text.push('{');
            for (i, (key, item)) in o.entries().iter().enumerate().take(enough) {
                if i > 0 {
                    text.push(',');
                }
                dump_into(&Val(Repr::Str(key.clone())), text, enough);
                text.push(':');
                dump_into(item, text, enough);
            }
            text.push('}');
        }
        Repr::Str(s) => {
            let mut end = s.len().min(enough);
            while !s.is_char_boundary(end) {
                end += 1;
            }
            super::json::write(&Val::from(&s[..end]), text);
        }
        _ => super::json::write(value, text),
    }
}

impl PartialEq for Val {
    fn eq(&self, other: &Self) -> bool {
        if let (Some(a), Some(b)) = (self.place(), other.place())
            && a.is_same(b)
        {
            // No page holds `nan`.
            return true;
        }
        if limits::work_on(self).is_err() {
            // The evaluation is over, whatever the answer is.
            return false;
        }
        match (&self.0, &other.0) {
            (Repr::Null, Repr::Null) => true,
            (Repr::Bool(a), Repr::Bool(b)) => a == b,
            (Repr::Num(a), Repr::Num(b)) => !a.is_nan() && a.order(b) == Ordering::Equal,
            (Repr::Str(a), Repr::Str(b)) => a == b,
            (Repr::Arr(a), Repr::Arr(b)) => a.items() == b.items(),
            (Repr::Obj(a), Repr::Obj(b)) => a.entries() == b.entries(),
            _ => false,
        }
    }
}

/// Not quite: `nan` differs from itself. Sorting and grouping use [`Ord`], where it does not.
impl Eq for Val {}

impl PartialOrd for Val {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }

    fn lt(&self, other: &Self) -> bool {
        // For jq `nan < nan`, also inside of arrays.
        self.cmp(other) == Ordering::Less || (self.cmp(other) == Ordering::Equal && self != other)
    }

    fn le(&self, other: &Self) -> bool {
        self.cmp(other) != Ordering::Greater
    }

    fn gt(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Greater
    }

    fn ge(&self, other: &Self) -> bool {
        !self.lt(other)
    }
}

/// The order of jq's `sort`: null, false, true, numbers, strings, arrays, objects.
impl Ord for Val {
    fn cmp(&self, other: &Self) -> Ordering {
        // Once a limit is hit the answer no longer matters; but it must still be an order, so this goes on.
        match (&self.0, &other.0) {
            (Repr::Bool(a), Repr::Bool(b)) => a.cmp(b),
            (Repr::Num(a), Repr::Num(b)) => a.order(b),
            (Repr::Str(a), Repr::Str(b)) => a.cmp(b),
            (Repr::Arr(a), Repr::Arr(b)) if Arc::ptr_eq(a, b) => Ordering::Equal,
            (Repr::Obj(a), Repr::Obj(b)) if Arc::ptr_eq(a, b) => Ordering::Equal,
            (Repr::Arr(a), Repr::Arr(b)) => a.items().cmp(b.items()),
            (Repr::Obj(a), Repr::Obj(b)) => order_objects(a, b),
            _ => rank(self).cmp(&rank(other)),
        }
    }
}

fn rank(value: &Val) -> u8 {
    match value.0 {
        Repr::Null => 0,
        Repr::Bool(_) => 1,
        Repr::Num(_) => 2,
        Repr::Str(_) => 3,
        Repr::Arr(_) => 4,
        Repr::Obj(_) => 5,
    }
}

/// First the sorted keys as arrays, then the values key by key.
fn order_objects(a: &Map, b: &Map) -> Ordering {
    let sorted = |map: &Map| {
        let mut keys: Vec<Text> = map.entries().keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    let keys = sorted(a);
    keys.cmp(&sorted(b)).then_with(|| {
        keys.iter()
            .map(|key| a.entries().get(key).cmp(&b.entries().get(key)))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    })
}

/// Sorts by keys, and keeps the order of those that are equal. Long sorting is stopped when the evaluation's time is over.
pub(crate) fn sort_by<T: Copy>(
    items: &mut Vec<T>,
    key: impl Fn(&T) -> &Val,
) -> Result<(), limits::Limit> {
    /// Weight of all that is compared up to which nobody waits.
    const QUICK: u64 = 4_000_000;
    let weight: u64 = items.iter().map(|item| key(item).weight()).sum();
    let rounds = u64::from(items.len().max(2).ilog2());
    if weight.saturating_mul(rounds) < QUICK {
        items.sort_by(|a, b| key(a).cmp(key(b)));
        return Ok(());
    }
    // The library's sorting cannot be left in the middle, nor be told orders that contradict each other.
    let mut width = 1;
    while width < items.len() {
        let mut merged = Vec::with_capacity(items.len());
        for run in items.chunks(2 * width) {
            let (mut left, mut right) = run.split_at(width.min(run.len()));
            while let (Some(a), Some(b)) = (left.first(), right.first()) {
                limits::work(key(a).weight().min(key(b).weight()))?;
                if key(b).cmp(key(a)).is_lt() {
                    merged.push(*b);
                    right = &right[1..];
                } else {
                    merged.push(*a);
                    left = &left[1..];
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        *items = merged;
        width *= 2;
    }
    Ok(())
}

impl Add for Val {
    type Output = ValR;

    fn add(self, other: Val) -> ValR {
        match (self.0, other.0) {
            (Repr::Null, any) | (any, Repr::Null) => Ok(Val(any)),
            (Repr::Num(a), Repr::Num(b)) => Ok(Val::num(a.as_f64() + b.as_f64())),
            (Repr::Str(a), Repr::Str(b)) => {
                if a.is_empty() {
                    return Ok(Val(Repr::Str(b)));
                }
                if b.is_empty() {
                    return Ok(Val(Repr::Str(a)));
                }
                limits::charge_text(a.len() + b.len()).map_err(fail::limit)?;
                let mut text = String::with_capacity(a.len() + b.len());
                text.push_str(&a);
                text.push_str(&b);
                Ok(Val::from(text))
            }
            (Repr::Arr(a), Repr::Arr(b)) => {
                let grown = if Arc::strong_count(&a) == 1 {
                    b.items().len()
                } else {
                    a.items().len() + b.items().len()
                };
                limits::charge(grown * size_of::<Val>()).map_err(fail::limit)?;
                let mut list = unshare(a);
                b.items().iter().for_each(|item| list.push(item.clone()));
                fitting(Val(Repr::Arr(Arc::new(list))))
            }
            (Repr::Obj(mut a), Repr::Obj(b)) => {
                let grown = if Arc::strong_count(&a) == 1 {
                    b.entries().len()
                } else {
                    a.entries().len() + b.entries().len()
                };
                limits::charge(grown * 2 * size_of::<Val>()).map_err(fail::limit)?;
                let map = Arc::make_mut(&mut a);
                b.entries()
                    .iter()
                    .for_each(|(key, value)| map.put(key.clone(), value.clone()));
                fitting(Val(Repr::Obj(a)))
            }
            (a, b) => Err(fail::pair(&Val(a), &Val(b), fail::ADDED)),
        }
    }
}

fn fitting(value: Val) -> ValR {
    limits::fit(&value).map_err(fail::limit)?;
    Ok(value)
}

/// Takes the array out of its counter, copying it only when somebody else holds it too.
fn unshare(list: Arc<List>) -> List {
    Arc::try_unwrap(list).unwrap_or_else(|shared| (*shared).clone())
}

impl Sub for Val {
    type Output = ValR;

    fn sub(self, other: Val) -> ValR {
        match (self.0, other.0) {
            (Repr::Num(a), Repr::Num(b)) => Ok(Val::num(a.as_f64() - b.as_f64())),
            (Repr::Arr(a), Repr::Arr(b)) => {
                let mut without: Vec<&Val> = b.items().iter().collect();
                sort_by(&mut without, |item| item).map_err(fail::limit)?;
                let mut kept = Vec::new();
                for item in a.items() {
                    limits::work(item.weight()).map_err(fail::limit)?;
                    // `nan` is found by the search, yet equals nothing.
                    match without.binary_search(&item) {
                        Ok(found) if without[found] == item => {}
                        _ => kept.push(item.clone()),
                    }
                }
                limits::charge(kept.len() * size_of::<Val>()).map_err(fail::limit)?;
                Ok(Val::array(kept))
            }
            (a, b) => Err(fail::pair(&Val(a), &Val(b), fail::SUBTRACTED)),
        }
    }
}

impl Mul for Val {
    type Output = ValR;

    fn mul(self, other: Val) -> ValR {
        match (self.0, other.0) {
            (Repr::Num(a), Repr::Num(b)) => Ok(Val::num(a.as_f64() * b.as_f64())),
            (Repr::Str(text), Repr::Num(n)) | (Repr::Num(n), Repr::Str(text)) => {
                repeat(&text, n.as_f64())
            }
            (Repr::Obj(a), Repr::Obj(b)) => fitting(Val(Repr::Obj(merge(a, &b)?))),
            (a, b) => Err(fail::pair(&Val(a), &Val(b), fail::MULTIPLIED)),
        }
    }
}

/// `"ab" * n`: null for negative numbers and `nan`, otherwise the text as often as the whole part says.
fn repeat(text: &str, n: f64) -> ValR {
    if n.is_nan() || n < 0.0 {
        return Ok(Val::null());
    }
    // The cast saturates.
    let times = n as usize;
    limits::charge_text(text.len().saturating_mul(times)).map_err(fail::limit)?;
    Ok(Val::from(if text.is_empty() {
        String::new()
    } else {
        text.repeat(times)
    }))
}

/// Recursive merge of objects; the right side wins.
fn merge(mut a: Arc<Map>, b: &Map) -> Result<Arc<Map>, fail::Error> {
    limits::charge((a.entries().len() + b.entries().len()) * 2 * size_of::<Val>())
        .map_err(fail::limit)?;
    let map = Arc::make_mut(&mut a);
    for (key, right) in b.entries() {
        let merged = match (map.take(key), &right.0) {
            (Some(Val(Repr::Obj(l))), Repr::Obj(r)) => Val(Repr::Obj(merge(l, r)?)),
            _ => right.clone(),
        };
        map.put(key.clone(), merged);
    }
    Ok(a)
}

impl Div for Val {
    type Output = ValR;

    fn div(self, other: Val) -> ValR {
        match (&self.0, &other.0) {
            (Repr::Num(a), Repr::Num(b)) => {
                if b.as_f64() == 0.0 {
                    return Err(fail::pair(&self, &other, fail::DIVIDED_BY_ZERO));
                }
                Ok(Val::num(a.as_f64() / b.as_f64()))
            }
            (Repr::Str(text), Repr::Str(separator)) => split(text, separator),
            _ => Err(fail::pair(&self, &other, fail::DIVIDED)),
        }
    }
}

/// Parts of a text between separators; its characters for an empty separator.
pub(crate) fn split(text: &str, separator: &str) -> ValR {
    let part = |part: &str| {
        limits::charge(part.len() + size_of::<Val>()).map_err(fail::limit)?;
        Ok(Val::from(part))
    };
    let parts: Result<Vec<Val>, fail::Error> = if text.is_empty() {
        Ok(Vec::new())
    } else if separator.is_empty() {
        text.chars()
            .map(|c| part(c.encode_utf8(&mut [0; 4])))
            .collect()
    } else {
        text.split(separator).map(part).collect()
    };
    parts.map(Val::array)
}

impl Rem for Val {
    type Output = ValR;

    fn rem(self, other: Val) -> ValR {
        match (&self.0, &other.0) {
            (Repr::Num(a), Repr::Num(b)) => {
                if a.is_nan() || b.is_nan() {
                    return Ok(Val::num(f64::NAN));
                }
                // Both are cut to whole numbers first; the casts saturate as jq's do.
                let (a, b) = (truncated(a), truncated(b));
                if b == 0 {
                    return Err(fail::pair(&self, &other, fail::REMAINDER_BY_ZERO));
                }
                let rest = (a.unsigned_abs() % b.unsigned_abs()) as i64;
                Ok(Val::num(if a < 0 { -rest } else { rest }))
            }
            _ => Err(fail::pair(&self, &other, fail::REMAINDER)),
        }
    }
}

/// By way of a double, as everything that is calculated with.
fn truncated(n: &Num) -> i64 {
    n.as_f64() as i64
}

impl Neg for Val {
    type Output = ValR;

    fn neg(self) -> ValR {
        match &self.0 {
            Repr::Num(n) => Ok(Val(Repr::Num(n.negate()))),
            _ => Err(fail::typed(&self, "cannot be negated")),
        }
    }
}
