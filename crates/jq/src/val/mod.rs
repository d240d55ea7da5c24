//! The value that everything here works on.

mod jaq;
mod json;
mod num;
mod ops;
pub(crate) mod page;
mod path;
mod read;
mod text;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, OnceLock};

use self::page::{Page, Place};

pub(crate) use self::json::{write_json_number, write_json_text};
pub(crate) use self::num::Num;
pub(crate) use self::ops::{Slice, dump, sort_by, split};
pub(crate) use self::path::windows;
pub(crate) use self::read::{read, read_data};
pub(crate) use self::text::{Text, Told};

/// Deepest nesting of a [`Val`]. What a program would build beyond it is an error, so that no walk over a value can
/// exhaust the stack.
pub const MAX_DEPTH: usize = 256;

/// A JSON value as jq sees it.
///
/// Cloning costs a counter, so records can be handed around freely; changing a shared value copies the one level
/// that changes. Objects keep the order in which keys came. Integers between [`i64::MIN`] and [`u64::MAX`] are exact,
/// all other numbers are doubles.
///
/// Two numbers are equal when they have the same value (`3` and `3.0`), and objects when they have the same members in
/// any order. As in jq, `nan` equals nothing, not even itself.
///
/// ```
/// use longshore_jq::Val;
///
/// let mut user = Val::from_json(&serde_json::json!({"id": 7, "tags": ["a", "b"]}));
/// assert_eq!(user.get("id").and_then(Val::text).as_deref(), Some("7"));
/// user.insert("name", Val::from("Ada"));
/// assert_eq!(user.keys(), ["id", "tags", "name"]);
/// ```
#[derive(Clone, Default)]
pub struct Val(pub(crate) Repr);

#[derive(Clone, Default)]
pub(crate) enum Repr {
    #[default]
    Null,
    Bool(bool),
    Num(Num),
    Str(Text),
    Arr(Arc<List>),
    Obj(Arc<Map>),
}

pub(crate) type Entries = indexmap::IndexMap<Text, Val>;

/// An array that knows how deep and how large it is. One that a page holds has its elements made when somebody asks.
#[derive(Clone, Default)]
pub(crate) struct List {
    items: OnceLock<Vec<Val>>,
    place: Option<Place>,
    size: Size,
}

/// An object that knows how deep and how large it is. One that a page holds has its members made when somebody asks.
#[derive(Clone, Default)]
pub(crate) struct Map {
    entries: OnceLock<Entries>,
    place: Option<Place>,
    size: Size,
}

#[derive(Clone, Copy, Default)]
struct Size {
    /// Upper bound of the nesting inside, not counting the container itself.
    inner: u32,
    /// About the bytes of the JSON text of what is inside. Parts that are shared count every time: a few steps of
    /// `[., .]` make a value that is small in memory and endless to walk over.
    weight: u64,
}

impl Size {
    fn plus(&mut self, key: usize, value: &Val) {
        self.inner = self.inner.max(value.depth());
        self.weight = self
            .weight
            .saturating_add(key as u64)
            .saturating_add(value.weight());
    }

    fn minus(&mut self, key: usize, value: &Val) {
        self.weight = self
            .weight
            .saturating_sub(key as u64)
            .saturating_sub(value.weight());
    }
}

impl Size {
    fn of(place: &Place) -> Size {
        Size {
            inner: place.page.depth(place.at).saturating_sub(1),
            weight: place.page.weight(place.at),
        }
    }
}

impl List {
    pub(crate) fn new(items: Vec<Val>) -> Self {
        let mut size = Size::default();
        items.iter().for_each(|item| size.plus(0, item));
        Self {
            items: items.into(),
            place: None,
            size,
        }
    }

    pub(crate) fn placed(place: Place) -> Self {
        Self {
            items: OnceLock::new(),
            size: Size::of(&place),
            place: Some(place),
        }
    }

    pub(crate) fn items(&self) -> &[Val] {
        self.items
            .get_or_init(|| self.place.as_ref().map(Place::items).unwrap_or_default())
    }

    /// Where the array stands in a page, unless it was made or changed by a program.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    pub(crate) fn into_items(mut self) -> Vec<Val> {
        std::mem::take(self.items_mut())
    }

    fn items_mut(&mut self) -> &mut Vec<Val> {
        self.items();
        self.place = None;
        match self.items.get_mut() {
            Some(items) => items,
            None => unreachable!("an array has its elements"),
        }
    }

    fn push(&mut self, item: Val) {
        self.size.plus(0, &item);
        self.items_mut().push(item);
    }

    fn take(&mut self, i: usize) -> Option<Val> {
        let old = std::mem::take(self.items_mut().get_mut(i)?);
        self.size.minus(0, &old);
        self.size.plus(0, &Val::null());
        Some(old)
    }

    fn set(&mut self, i: usize, item: Val) {
        while self.items().len() <= i {
            self.push(Val::null());
        }
        self.size.plus(0, &item);
        let old = std::mem::replace(&mut self.items_mut()[i], item);
        self.size.minus(0, &old);
    }

    fn remove(&mut self, i: usize) {
        let old = self.items_mut().remove(i);
        self.size.minus(0, &old);
    }
}

impl Map {
    pub(crate) fn new(entries: Entries) -> Self {
        let mut size = Size::default();
        entries
            .iter()
            .for_each(|(key, value)| size.plus(key.len(), value));
        Self {
            entries: entries.into(),
            place: None,
            size,
        }
    }

    pub(crate) fn placed(place: Place) -> Self {
        Self {
            entries: OnceLock::new(),
            size: Size::of(&place),
            place: Some(place),
        }
    }

    pub(crate) fn entries(&self) -> &Entries {
        self.entries
            .get_or_init(|| self.place.as_ref().map(Place::entries).unwrap_or_default())
    }

    /// Where the object stands in a page, unless it was made or changed by a program.
    pub(crate) fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// The value of a member, without a look at the others.
    pub(crate) fn get(&self, key: &str) -> Option<Val> {
        match (self.entries.get(), &self.place) {
            (None, Some(place)) => {
                let at = place.page.member(place.at, key)?;
                Some(page::value(&place.page, at))
            }
            _ => self.entries().get(key).cloned(),
        }
    }

    fn into_entries(mut self) -> Entries {
        std::mem::take(self.entries_mut())
    }

    fn entries_mut(&mut self) -> &mut Entries {
        self.entries();
        self.place = None;
        match self.entries.get_mut() {
            Some(entries) => entries,
            None => unreachable!("an object has its members"),
        }
    }

    fn put(&mut self, key: Text, value: Val) {
        let length = key.len();
        self.size.plus(length, &value);
        if let Some(old) = self.entries_mut().insert(key, value) {
            self.size.minus(length, &old);
        }
    }

    fn take(&mut self, key: &str) -> Option<Val> {
        let old = std::mem::take(self.entries_mut().get_mut(key)?);
        self.size.minus(0, &old);
        self.size.plus(0, &Val::null());
        Some(old)
    }

    /// Removes several members at once: one by one, each would move all that come behind it.
    fn remove_all(&mut self, keys: &[&Text]) {
        if let [key] = keys {
            self.remove(key);
            return;
        }
        for key in keys {
            if let Some(value) = self.entries_mut().get_mut(&***key) {
                let old = std::mem::take(value);
                self.size.minus(key.len(), &old);
            }
        }
        let gone: std::collections::HashSet<&str> = keys.iter().map(|key| &***key).collect();
        self.entries_mut().retain(|key, _| !gone.contains(&**key));
    }

    fn remove(&mut self, key: &str) -> Option<Val> {
        let old = self.entries_mut().shift_remove(key)?;
        self.size.minus(key.len(), &old);
        Some(old)
    }
}

impl Val {
    /// The value `null`.
    pub const fn null() -> Self {
        Self(Repr::Null)
    }

    /// Takes over a `serde_json` value.
    ///
    /// What is nested deeper than [`MAX_DEPTH`] becomes null; text that [`Val`] or `serde_json` reads never is.
    pub fn from_json(value: &serde_json::Value) -> Self {
        json::from_json(value, 0)
    }

    /// Reads a whole page: one JSON text, as strictly as RFC 8259 has it. White space around it is skipped, a byte order mark is not.
    ///
    /// The text is checked to its last byte, and that is all: values are made of it where somebody looks, one level at a time. Each of
    /// them keeps the whole text in memory while it lives.
    ///
    /// `None` if the text is no JSON, nests 128 levels or more, holds a number beyond the range of doubles, or has an object
    /// with a key that comes twice (where the last value counts): [`read_data`](Self::read_data) takes some of these. What is wrong with
    /// it, a reader behind serde tells: `serde_json::from_str::<Val>`.
    ///
    /// ```
    /// use longshore_jq::Val;
    ///
    /// let page = Val::read_page(r#"{"items": [{"id": 7}]}"#).unwrap();
    /// assert_eq!(page.get("items").and_then(Val::as_array).map(<[Val]>::len), Some(1));
    /// assert!(Val::read_page("[1, 2").is_none());
    /// ```
    pub fn read_page(text: impl Into<Box<str>>) -> Option<Val> {
        let page = Page::read(text.into())?;
        Some(page::value(&page, 0))
    }

    /// Reads what [`read_page`](Self::read_page) leaves, and copies all of it: a key that comes twice has the last value in the place of
    /// the first, half of a surrogate pair (`"\ud800"`) is the replacement character, and a number beyond the range of doubles the largest
    /// of them, as in jq. `None` if the text is no JSON or nests 128 levels or more.
    ///
    /// ```
    /// use longshore_jq::Val;
    ///
    /// let cut = r#"{"title": "half an emoji: \ud83d"}"#;
    /// assert!(Val::read_page(cut).is_none());
    /// assert_eq!(Val::read_data(cut).unwrap().get("title"), Some(&Val::from("half an emoji: \u{fffd}")));
    /// ```
    pub fn read_data(text: &str) -> Option<Val> {
        read_data(text)
    }

    /// The JSON text of an array or object as it stands in the [page](Self::read_page) that it was read from, white space and all;
    /// nothing for values that were made otherwise.
    pub fn source_text(&self) -> Option<&str> {
        let place = self.place()?;
        Some(place.page.raw(place.at))
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        match &self.0 {
            Repr::Arr(a) => a.place(),
            Repr::Obj(o) => o.place(),
            _ => None,
        }
    }

    /// The value as `serde_json` has it. `nan` becomes null and infinities the largest double, as jq prints them.
    pub fn to_json(&self) -> serde_json::Value {
        json::to_json(self)
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.0, Repr::Null)
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self.0 {
            Repr::Bool(b) => Some(b),
            _ => None,
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.0 {
            Repr::Str(s) => Some(s),
            _ => None,
        }
    }

    /// The elements, if this is an array.
    pub fn as_array(&self) -> Option<&[Val]> {
        match &self.0 {
            Repr::Arr(a) => Some(a.items()),
            _ => None,
        }
    }

    /// The number, if it is a whole one between 0 and [`u64::MAX`].
    pub fn as_u64(&self) -> Option<u64> {
        match &self.0 {
            Repr::Num(n) => n.as_u64(),
            _ => None,
        }
    }

    /// The number as a double, if this is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match &self.0 {
            Repr::Num(n) => Some(n.as_f64()),
            _ => None,
        }
    }

    /// Whether this is a number.
    pub fn is_number(&self) -> bool {
        matches!(self.0, Repr::Num(_))
    }

    /// Whether this is an object.
    pub fn is_object(&self) -> bool {
        matches!(self.0, Repr::Obj(_))
    }

    /// The member of that name, if this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Val> {
        match &self.0 {
            Repr::Obj(o) => o.entries().get(key),
            _ => None,
        }
    }

    /// The keys in their order; none if this is no object.
    pub fn keys(&self) -> Vec<&str> {
        match &self.0 {
            Repr::Obj(o) => o.entries().keys().map(|key| &**key).collect(),
            _ => Vec::new(),
        }
    }

    /// Sets a member of an object. Returns false, and changes nothing, if this is no object.
    pub fn insert(&mut self, key: &str, value: Val) -> bool {
        match &mut self.0 {
            Repr::Obj(o) if (value.depth() as usize) < MAX_DEPTH => {
                Arc::make_mut(o).put(key.into(), value);
                true
            }
            _ => false,
        }
    }

    /// Removes a member of an object, keeping the order of the others, and returns it.
    pub fn remove(&mut self, key: &str) -> Option<Val> {
        match &mut self.0 {
            Repr::Obj(o) if o.entries().contains_key(key) => Arc::make_mut(o).remove(key),
            _ => None,
        }
    }

    /// Strings as they are and numbers as jq writes them (`7034.55`, `5.5E-7`); nothing for other values, nor for `nan` and infinities,
    /// which are no JSON.
    pub fn text(&self) -> Option<String> {
        match &self.0 {
            Repr::Str(s) => Some(s.to_string()),
            Repr::Num(n) => n.as_f64().is_finite().then(|| n.to_string()),
            _ => None,
        }
    }

    /// Whether jq's `if` takes the value as true: everything but `null` and `false`.
    pub fn truthy(&self) -> bool {
        !matches!(self.0, Repr::Null | Repr::Bool(false))
    }

    /// `null`, `boolean`, `number`, `string`, `array` or `object`.
    pub fn type_name(&self) -> &'static str {
        match self.0 {
            Repr::Null => "null",
            Repr::Bool(_) => "boolean",
            Repr::Num(_) => "number",
            Repr::Str(_) => "string",
            Repr::Arr(_) => "array",
            Repr::Obj(_) => "object",
        }
    }

    pub(crate) fn array(items: Vec<Val>) -> Self {
        Self(Repr::Arr(Arc::new(List::new(items))))
    }

    pub(crate) fn object(entries: Entries) -> Self {
        Self(Repr::Obj(Arc::new(Map::new(entries))))
    }

    pub(crate) fn num(n: impl Into<Num>) -> Self {
        Self(Repr::Num(n.into()))
    }

    /// Upper bound of the nesting: 0 for scalars, 1 for `[]`.
    pub(crate) fn depth(&self) -> u32 {
        match &self.0 {
            Repr::Arr(a) => a.size.inner + 1,
            Repr::Obj(o) => o.size.inner + 1,
            _ => 0,
        }
    }

    /// About how many bytes of JSON text the value makes.
    pub(crate) fn weight(&self) -> u64 {
        8 + match &self.0 {
            Repr::Str(s) => s.len() as u64,
            Repr::Arr(a) => a.size.weight,
            Repr::Obj(o) => o.size.weight,
            _ => 0,
        }
    }
}

impl From<bool> for Val {
    fn from(b: bool) -> Self {
        Self(Repr::Bool(b))
    }
}

impl From<&str> for Val {
    fn from(s: &str) -> Self {
        Self(Repr::Str(s.into()))
    }
}

impl From<String> for Val {
    fn from(s: String) -> Self {
        Self(Repr::Str(s.into()))
    }
}

impl From<u64> for Val {
    fn from(n: u64) -> Self {
        Self::num(n)
    }
}

impl From<i64> for Val {
    fn from(n: i64) -> Self {
        Self::num(n)
    }
}

/// Whole doubles that an `i64` holds become integers. `nan` and infinities can be held, but not written as JSON.
impl From<f64> for Val {
    fn from(n: f64) -> Self {
        Self::num(n)
    }
}

impl From<Vec<Val>> for Val {
    /// An array; elements nested too deeply become null (see [`MAX_DEPTH`]).
    fn from(mut items: Vec<Val>) -> Self {
        for item in &mut items {
            if item.depth() as usize >= MAX_DEPTH {
                *item = Val::null();
            }
        }
        Self::array(items)
    }
}

impl From<serde_json::Value> for Val {
    fn from(value: serde_json::Value) -> Self {
        Self::from_json(&value)
    }
}

impl From<&serde_json::Value> for Val {
    fn from(value: &serde_json::Value) -> Self {
        Self::from_json(value)
    }
}

/// As jq's `tojson` writes it.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        json::write(self, &mut text);
        f.write_str(&text)
    }
}

/// As [`Display`](fmt::Display): the JSON text.
impl fmt::Debug for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Equal values have equal hashes, whatever the order of their keys.
impl Hash for Val {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::mem::discriminant(&self.0).hash(state);
        match &self.0 {
            Repr::Null => {}
            Repr::Bool(b) => b.hash(state),
            // Doubles and integers of the same value are equal; the double is common to both.
            Repr::Num(n) => (n.as_f64() + 0.0).to_bits().hash(state),
            Repr::Str(s) => s.hash(state),
            Repr::Arr(a) => a.items().hash(state),
            Repr::Obj(o) => {
                let mut members: Vec<_> = o.entries().iter().collect();
                members.sort_by_key(|(key, _)| *key);
                members.hash(state);
            }
        }
    }
}
