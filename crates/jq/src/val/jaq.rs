//! What jaq asks of a value.

use super::path::range_key;
use super::{Entries, List, Num, Repr, Val};
use crate::fail::{self, ValR};
use crate::limits;
use jaq_core::box_iter::{BoxIter, box_once};
use jaq_core::path::Opt;
use jaq_core::val::Range;
use jaq_core::{Exn, ValX};
use std::sync::Arc;

impl From<isize> for Val {
    fn from(n: isize) -> Self {
        Self::num(n as i64)
    }
}

impl From<usize> for Val {
    fn from(n: usize) -> Self {
        Self::num(n)
    }
}

impl From<Range<Val>> for Val {
    fn from(range: Range<Val>) -> Self {
        range_key(range.start.as_ref(), range.end.as_ref())
    }
}

/// An array. A program that collects too much gets a shorter one, and its evaluation ends as an error.
impl FromIterator<Val> for Val {
    fn from_iter<I: IntoIterator<Item = Val>>(items: I) -> Self {
        let mut list = List::default();
        for item in items {
            list.push(item);
            if limits::charge(size_of::<Val>())
                .and_then(|()| limits::tick())
                .is_err()
            {
                break;
            }
        }
        let array = Val(Repr::Arr(Arc::new(list)));
        match limits::fit(&array) {
            Ok(()) => array,
            Err(_) => Val::null(),
        }
    }
}

impl jaq_core::ValT for Val {
    fn from_num(text: &str) -> ValR {
        Num::literal(text)
            .map(Val::num)
            .ok_or_else(|| fail::message("no number"))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR {
        let mut entries = Entries::new();
        for (key, value) in members {
            let Repr::Str(key) = key.0 else {
                return Err(fail::key(&key));
            };
            limits::charge(2 * size_of::<Val>())
                .and_then(|()| limits::fit_inside(&value, 1))
                .map_err(fail::limit)?;
            entries.insert(key, value);
        }
        Ok(Val::object(entries))
    }

    fn key_values(self) -> BoxIter<'static, Result<(Val, Val), fail::Error>> {
        match self.0 {
            Repr::Arr(a) => Box::new(
                (0..a.items().len()).map(move |i| step((Val::num(i), a.items()[i].clone()))),
            ),
            Repr::Obj(o) => Box::new((0..o.entries().len()).filter_map(move |i| {
                let (key, value) = o.entries().get_index(i)?;
                Some(step((Val(Repr::Str(key.clone())), value.clone())))
            })),
            other => box_once(Err(fail::iterate(&Val(other)))),
        }
    }

    fn values(self) -> Box<dyn Iterator<Item = ValR>> {
        match self.0 {
            Repr::Arr(a) => Box::new((0..a.items().len()).map(move |i| step(a.items()[i].clone()))),
            Repr::Obj(o) => Box::new(
                (0..o.entries().len())
                    .filter_map(move |i| Some(step(o.entries().get_index(i)?.1.clone()))),
            ),
            other => box_once(Err(fail::iterate(&Val(other)))),
        }
    }

    fn index(self, key: &Self) -> ValR {
        self.at(key)
    }

    fn range(self, range: Range<&Self>) -> ValR {
        self.slice(range.start, range.end)
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        match self.0 {
            Repr::Arr(a) => {
                let items = Arc::try_unwrap(a)
                    .unwrap_or_else(|shared| (*shared).clone())
                    .into_items();
                limits::charge(items.len() * size_of::<Val>()).map_err(fail::limit)?;
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    if let Some(new) = f(item).next() {
                        list.push(checked(new?)?);
                    }
                }
                Ok(Val::array(list))
            }
            Repr::Obj(o) => {
                let members = Arc::try_unwrap(o)
                    .unwrap_or_else(|shared| (*shared).clone())
                    .into_entries();
                limits::charge(members.len() * 2 * size_of::<Val>()).map_err(fail::limit)?;
                let mut entries = Entries::with_capacity(members.len());
                for (key, value) in members {
                    if let Some(new) = f(value).next() {
                        entries.insert(key, checked(new?)?);
                    }
                }
                Ok(Val::object(entries))
            }
            other => opt.fail(Val(other), |v| Exn::from(fail::iterate(&v))),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        key: &Self,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if matches!(opt, Opt::Optional) && self.at(key).is_err() {
            return Ok(self);
        }
        self.update_at(key, |old| f(old).next().transpose())
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a, Self>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        f: impl Fn(Self) -> I,
    ) -> ValX<'a, Self> {
        if matches!(opt, Opt::Optional) && self.slice(range.start, range.end).is_err() {
            return Ok(self);
        }
        self.update_slice(range.start, range.end, |old| f(old).next().transpose())
    }

    fn as_bool(&self) -> bool {
        self.truthy()
    }

    fn into_string(self) -> Self {
        match self.0 {
            Repr::Str(_) => self,
            _ => {
                // A limit that is hit here ends the evaluation at its next step.
                if limits::work_on(&self).is_err() {
                    return Val::null();
                }
                let text = self.to_string();
                let _ = limits::charge_text(text.len());
                Val::from(text)
            }
        }
    }
}

/// One item of an iteration.
fn step<T>(item: T) -> Result<T, fail::Error> {
    limits::tick().map(|()| item).map_err(fail::limit)
}

fn checked<'a>(value: Val) -> ValX<'a, Val> {
    limits::fit_inside(&value, 1).map_err(fail::limit)?;
    Ok(value)
}

impl jaq_std::ValT for Val {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self.0 {
            Repr::Arr(a) => Ok(match Arc::try_unwrap(a) {
                Ok(list) => list.into_items().into_iter().collect(),
                Err(shared) => shared.items().iter().cloned().collect(),
            }),
            other => Err(Val(other)),
        }
    }

    fn is_int(&self) -> bool {
        matches!(&self.0, Repr::Num(n) if n.as_i64().is_some())
    }

    fn as_isize(&self) -> Option<isize> {
        match &self.0 {
            Repr::Num(n) => n.as_i64().and_then(|i| isize::try_from(i).ok()),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        Val::as_f64(self)
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self.0, Repr::Str(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        self.as_str().map(str::as_bytes)
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        Val::from(&*String::from_utf8_lossy(part))
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        Val::from(&*String::from_utf8_lossy(bytes.as_ref()))
    }
}
