//! Reading and changing values at keys, indexes, slices and paths.

use super::{Entries, Repr, Slice, Val};
use crate::fail::{self, ValR};
use crate::limits;
use std::sync::Arc;

/// Largest index that an array may grow to: jq's own limit.
const MAX_INDEX: f64 = 536_870_911.0;

const SLICE_OF_ARRAY: &str = "A slice of an array can only be assigned another array";

impl Val {
    /// `.[key]`; null where nothing is.
    pub(crate) fn at(&self, key: &Val) -> ValR {
        match (&self.0, &key.0) {
            (Repr::Obj(o), Repr::Str(k)) => Ok(o.get(k).unwrap_or_default()),
            (Repr::Arr(a), Repr::Num(n)) => Ok(position(n.as_f64(), a.items().len())
                .and_then(|i| a.items().get(i))
                .cloned()
                .unwrap_or_default()),
            (Repr::Null, Repr::Str(_) | Repr::Num(_)) => Ok(Val::null()),
            (Repr::Arr(a), Repr::Arr(wanted)) => windows(a.items(), wanted.items()),
            (Repr::Arr(_) | Repr::Null, Repr::Obj(o)) => {
                let (start, end) = (o.entries().get("start"), o.entries().get("end"));
                if start.is_none() && end.is_none() && !self.is_null() {
                    return Err(fail::message("Array/string slice indices must be integers"));
                }
                self.slice(start, end)
            }
            _ => Err(fail::index(self, key)),
        }
    }

    /// `.[start:end]`
    pub(crate) fn slice(&self, start: Option<&Val>, end: Option<&Val>) -> ValR {
        match &self.0 {
            Repr::Null => Ok(Val::null()),
            Repr::Arr(a) => {
                let slice = Slice::of(start, end, a.items().len())?;
                let part = &a.items()[slice.start..slice.end];
                limits::charge(size_of_val(part)).map_err(fail::limit)?;
                Ok(Val::array(part.to_vec()))
            }
            Repr::Str(s) => {
                let chars = if s.is_ascii() {
                    s.len()
                } else {
                    s.chars().count()
                };
                let slice = Slice::of(start, end, chars)?;
                let byte = |n: usize| {
                    if chars == s.len() {
                        n
                    } else {
                        s.char_indices().nth(n).map_or(s.len(), |(i, _)| i)
                    }
                };
                let part = &s[byte(slice.start)..byte(slice.end)];
                limits::charge(part.len()).map_err(fail::limit)?;
                Ok(Val::from(part))
            }
            _ => Err(fail::index(self, &range_key(start, end))),
        }
    }

    /// Replaces what is at the key by what `f` makes of it; `None` removes it.
    pub(crate) fn update_at<E: From<fail::Error>>(
        self,
        key: &Val,
        f: impl FnOnce(Val) -> Result<Option<Val>, E>,
    ) -> Result<Val, E> {
        match (self.0, &key.0) {
            (Repr::Null, Repr::Str(k)) => {
                let mut entries = Entries::new();
                if let Some(new) = f(Val::null())? {
                    fit(&new)?;
                    entries.insert(k.clone(), new);
                } else {
                    return Ok(Val::null());
                }
                Ok(Val::object(entries))
            }
            (Repr::Obj(mut o), Repr::Str(k)) => {
                charge_copy(Arc::strong_count(&o), o.entries().len() * 2)?;
                let map = Arc::make_mut(&mut o);
                // Take the old value out, so that `f` can change it in place.
                let old = map.take(k);
                let had = old.is_some();
                match f(old.unwrap_or_default())? {
                    Some(new) => {
                        fit(&new)?;
                        map.put(k.clone(), new);
                    }
                    None if had => {
                        map.remove(k);
                    }
                    None => {}
                }
                Ok(Val(Repr::Obj(o)))
            }
            (this @ (Repr::Null | Repr::Arr(_)), Repr::Num(n)) => {
                let mut list = match this {
                    Repr::Arr(a) => a,
                    _ => Arc::default(),
                };
                let at = n.as_f64();
                let len = list.items().len();
                let i = match position(at, len) {
                    Some(i) => i,
                    None if at.is_nan() => {
                        return Err(fail::message("Cannot set array element at NaN index").into());
                    }
                    None => return Err(fail::message("Out of bounds negative array index").into()),
                };
                if i as f64 > MAX_INDEX {
                    return Err(fail::message("Array index too large").into());
                }
                charge_copy(Arc::strong_count(&list), len)?;
                let old = match Arc::get_mut(&mut list) {
                    Some(list) => list.take(i),
                    None => list.items().get(i).cloned(),
                };
                let had = old.is_some();
                let new = f(old.unwrap_or_default())?;
                let list_mut = Arc::make_mut(&mut list);
                match new {
                    Some(new) => {
                        fit(&new)?;
                        if i >= len {
                            limits::charge((i + 1 - len) * size_of::<Val>())
                                .map_err(fail::limit)?;
                        }
                        list_mut.set(i, new);
                    }
                    None if had => {
                        list_mut.remove(i);
                    }
                    None => {}
                }
                Ok(Val(Repr::Arr(list)))
            }
            (this @ (Repr::Null | Repr::Arr(_)), Repr::Obj(o)) => {
                Val(this).update_slice(o.entries().get("start"), o.entries().get("end"), f)
            }
            (this, _) => Err(fail::index(&Val(this), key).into()),
        }
    }

    /// Replaces a slice of an array by what `f` makes of it; `None` removes it.
    pub(crate) fn update_slice<E: From<fail::Error>>(
        self,
        start: Option<&Val>,
        end: Option<&Val>,
        f: impl FnOnce(Val) -> Result<Option<Val>, E>,
    ) -> Result<Val, E> {
        let list = match self.0 {
            Repr::Null => Arc::default(),
            Repr::Arr(a) => a,
            Repr::Str(_) => return Err(fail::message("Cannot update string slices").into()),
            _ => return Err(fail::index(&self, &range_key(start, end)).into()),
        };
        let slice = Slice::of(start, end, list.items().len())?;
        let part = Val::array(list.items()[slice.start..slice.end].to_vec());
        let new = match f(part)? {
            Some(Val(Repr::Arr(new))) => new,
            Some(_) => return Err(fail::message(SLICE_OF_ARRAY).into()),
            None => Arc::default(),
        };
        limits::charge((list.items().len() + new.items().len()) * size_of::<Val>())
            .map_err(fail::limit)?;
        let mut items = Arc::unwrap_or_clone(list).into_items();
        items.splice(slice.start..slice.end, new.items().iter().cloned());
        Ok(Val::array(items))
    }

    /// The value at a path, null where nothing is.
    pub(crate) fn at_path(&self, path: &[Val]) -> ValR {
        let mut value = self.clone();
        for key in path {
            if value.is_null() {
                return Ok(value);
            }
            value = value.at(key)?;
        }
        Ok(value)
    }

    /// The value with another one at the path.
    pub(crate) fn set_path(self, path: &[Val], new: Val) -> ValR {
        match path.split_first() {
            None => Ok(new),
            Some((key, rest)) => self.update_at(key, |old| old.set_path(rest, new).map(Some)),
        }
    }

    /// The value without what is at the paths, all of which mean the value as it was before.
    pub(crate) fn delete_paths(self, paths: &[Val]) -> ValR {
        let mut sorted: Vec<&Val> = paths.iter().collect();
        super::sort_by(&mut sorted, |path| path).map_err(fail::limit)?;
        let paths = sorted.into_iter().map(|path| {
            path.as_array().ok_or_else(|| {
                let message = format!("Path must be specified as array, not {}", path.type_name());
                fail::told(message, "a path is an array")
            })
        });
        let paths = paths.collect::<Result<Vec<_>, _>>()?;
        match paths.first() {
            None => Ok(self),
            Some([]) => Ok(Val::null()),
            Some(_) => self.delete_sorted(&paths),
        }
    }

    /// Deletes what is at paths of at least one key. First what is inside of the values at the first keys, then all those that
    /// are to go themselves at once, as jq does it.
    fn delete_sorted(mut self, paths: &[&[Val]]) -> ValR {
        let mut keys = Vec::new();
        for same in paths.chunk_by(|a, b| a[0].cmp(&b[0]).is_eq()) {
            limits::tick().map_err(fail::limit)?;
            let key = &same[0][0];
            if same[0].len() == 1 {
                keys.push(key);
                continue;
            }
            if self.at(key)?.is_null() {
                continue;
            }
            let rests: Vec<&[Val]> = same.iter().map(|path| &path[1..]).collect();
            self = self.update_at(key, |old| old.delete_sorted(&rests).map(Some))?;
        }
        self.delete_keys(&keys)
    }

    fn delete_keys(self, keys: &[&Val]) -> ValR {
        if keys.is_empty() {
            return Ok(self);
        }
        match self.0 {
            Repr::Null => Ok(Val::null()),
            Repr::Obj(mut o) => {
                let names = keys.iter().map(|key| match &key.0 {
                    Repr::Str(name) => Ok(name),
                    _ => Err(fail::typed(
                        key,
                        "is no field of an object that could be deleted",
                    )),
                });
                let names = names.collect::<Result<Vec<_>, _>>()?;
                if names.iter().any(|name| o.entries().contains_key(*name)) {
                    charge_copy::<fail::Error>(Arc::strong_count(&o), o.entries().len() * 2)?;
                    Arc::make_mut(&mut o).remove_all(&names);
                }
                Ok(Val(Repr::Obj(o)))
            }
            Repr::Arr(a) => {
                let goes = doomed(&a, keys)?;
                if goes.iter().all(|goes| !goes) {
                    return Ok(Val(Repr::Arr(a)));
                }
                charge_copy::<fail::Error>(Arc::strong_count(&a), a.items().len())?;
                let items = Arc::unwrap_or_clone(a).into_items().into_iter().zip(goes);
                Ok(Val::array(
                    items
                        .filter(|(_, goes)| !goes)
                        .map(|(item, _)| item)
                        .collect(),
                ))
            }
            this => Err(fail::typed(&Val(this), "has no fields to delete")),
        }
    }
}

/// Which elements the keys mean: indexes, cut towards zero, and slices.
fn doomed(list: &super::List, keys: &[&Val]) -> Result<Vec<bool>, fail::Error> {
    let len = list.items().len();
    let mut goes = vec![false; len];
    for key in keys {
        match &key.0 {
            Repr::Num(n) => {
                // A negative index counts from the end even where nothing is left of it: `-0.5` is behind the last.
                let at = n.as_f64();
                let at = if at < 0.0 {
                    at.trunc() + len as f64
                } else {
                    at.trunc()
                };
                if at >= 0.0 && at < len as f64 {
                    goes[at as usize] = true;
                }
            }
            Repr::Obj(bounds) => {
                let bounds = bounds.entries();
                let slice = Slice::of(bounds.get("start"), bounds.get("end"), len)?;
                limits::work((slice.end - slice.start) as u64).map_err(fail::limit)?;
                goes[slice.start..slice.end].fill(true);
            }
            _ => {
                return Err(fail::typed(
                    key,
                    "is no element of an array that could be deleted",
                ));
            }
        }
    }
    Ok(goes)
}

/// The key that stands for a slice in a path.
pub(crate) fn range_key(start: Option<&Val>, end: Option<&Val>) -> Val {
    let bound = |v: Option<&Val>| v.cloned().unwrap_or_default();
    Val::object(
        [("start".into(), bound(start)), ("end".into(), bound(end))]
            .into_iter()
            .collect(),
    )
}

/// An index, cut towards zero, negative ones from the end. None for `nan` and before the beginning.
fn position(at: f64, len: usize) -> Option<usize> {
    let at = at.trunc();
    let at = if at < 0.0 { at + len as f64 } else { at };
    (at >= 0.0).then_some(at as usize)
}

/// Where `wanted` occurs as a run of elements.
pub(crate) fn windows(items: &[Val], wanted: &[Val]) -> ValR {
    let mut found = Vec::new();
    if wanted.is_empty() {
        return Ok(Val::array(found));
    }
    for (i, window) in items.windows(wanted.len()).enumerate() {
        // Most windows differ in their first element, and cost nothing.
        if window[0] == wanted[0] {
            limits::work(size_of_val(wanted) as u64).map_err(fail::limit)?;
            if window == wanted {
                limits::charge(size_of::<Val>()).map_err(fail::limit)?;
                found.push(Val::num(i));
            }
        }
    }
    Ok(Val::array(found))
}

fn fit<E: From<fail::Error>>(value: &Val) -> Result<(), E> {
    limits::fit_inside(value, 1).map_err(|l| fail::limit(l).into())
}

/// Accounts for the copy that changing a shared container makes.
fn charge_copy<E: From<fail::Error>>(holders: usize, items: usize) -> Result<(), E> {
    if holders > 1 {
        limits::charge(items * size_of::<Val>()).map_err(|l| fail::limit(l).into())
    } else {
        Ok(())
    }
}
