//! A value where it is: in a page, in a record, or just made.

use crate::limits;
use crate::val::page::{Kind, Page, Place, value};
use crate::val::{Repr, Val, write_json_number, write_json_text};
use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Shows the JSON text.
impl fmt::Debug for View<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.to_val(), f)
    }
}

/// A value that is copied only where somebody keeps it.
#[derive(Clone)]
pub(crate) enum View<'v> {
    /// In a page of which no value was made here.
    Page(&'v Arc<Page>, u32),
    Ref(&'v Val),
    /// Text that was just made.
    Text(String),
    Own(Val),
}

impl<'v> View<'v> {
    pub(crate) fn of(value: &'v Val) -> Self {
        match value.place() {
            Some(Place { page, at }) => View::Page(page, *at),
            None => View::Ref(value),
        }
    }

    pub(crate) fn into_val(self) -> Val {
        match self {
            View::Page(page, at) => value(page, at),
            View::Ref(value) => value.clone(),
            View::Text(text) => Val::from(text),
            View::Own(value) => value,
        }
    }

    pub(crate) fn to_val(&self) -> Cow<'_, Val> {
        match self {
            View::Page(page, at) => Cow::Owned(value(page, *at)),
            View::Ref(value) => Cow::Borrowed(value),
            View::Text(text) => Cow::Owned(Val::from(text.as_str())),
            View::Own(value) => Cow::Borrowed(value),
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        match self {
            View::Page(page, at) => page.kind(*at) == Kind::Null,
            View::Ref(value) => value.is_null(),
            View::Text(_) => false,
            View::Own(value) => value.is_null(),
        }
    }

    pub(crate) fn truthy(&self) -> bool {
        match self {
            View::Page(page, at) => !matches!(page.kind(*at), Kind::Null | Kind::False),
            View::Ref(value) => value.truthy(),
            View::Text(_) => true,
            View::Own(value) => value.truthy(),
        }
    }

    pub(crate) fn as_bool(&self) -> Option<bool> {
        match self {
            View::Page(page, at) => match page.kind(*at) {
                Kind::True => Some(true),
                Kind::False => Some(false),
                _ => None,
            },
            View::Ref(value) => value.as_bool(),
            View::Text(_) => None,
            View::Own(value) => value.as_bool(),
        }
    }

    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            View::Page(page, at) => match page.kind(*at) {
                Kind::Null => "null",
                Kind::True | Kind::False => "boolean",
                Kind::Integer | Kind::Decimal => "number",
                Kind::Plain | Kind::Escaped => "string",
                Kind::Array => "array",
                Kind::Object => "object",
            },
            View::Ref(value) => value.type_name(),
            View::Text(_) => "string",
            View::Own(value) => value.type_name(),
        }
    }

    /// Upper bound of the nesting: 0 for scalars.
    pub(crate) fn depth(&self) -> u32 {
        match self {
            View::Page(page, at) => page.depth(*at),
            View::Ref(value) => value.depth(),
            View::Text(_) => 0,
            View::Own(value) => value.depth(),
        }
    }

    /// The text, if this is a string.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            View::Page(page, at) => page.string(*at),
            View::Ref(value) => value.as_str().map(Cow::Borrowed),
            View::Text(text) => Some(Cow::Borrowed(text)),
            View::Own(value) => value.as_str().map(Cow::Borrowed),
        }
    }

    /// Appends what `tostring` gives. The text is for the caller to account for.
    pub(crate) fn push_text(&self, out: &mut String) -> Result<(), limits::Limit> {
        match self {
            View::Page(page, at) => match page.kind(*at) {
                Kind::Plain => {
                    out.push_str(page.raw(*at));
                    return Ok(());
                }
                Kind::Integer if is_canonical(page.raw(*at)) => {
                    out.push_str(page.raw(*at));
                    return Ok(());
                }
                _ => {}
            },
            View::Text(text) => {
                out.push_str(text);
                return Ok(());
            }
            _ => {}
        }
        let value = self.to_val();
        match &value.0 {
            Repr::Str(text) => out.push_str(text),
            _ => {
                limits::work_on(&value)?;
                // Writing to a String cannot fail.
                let _ = write!(out, "{value}");
            }
        }
        Ok(())
    }

    /// The member, if this is an object: null if there is none.
    pub(crate) fn member(&self, key: &str) -> Option<View<'v>> {
        match self {
            View::Page(page, at) => (page.kind(*at) == Kind::Object).then(|| {
                page.member(*at, key)
                    .map_or(View::Own(Val::null()), |at| View::Page(page, at))
            }),
            View::Ref(value) => match &value.0 {
                Repr::Obj(o) if o.place().is_none() => Some(
                    o.entries()
                        .get(key)
                        .map_or(View::Own(Val::null()), View::of),
                ),
                Repr::Obj(o) => Some(View::Own(o.get(key).unwrap_or_default())),
                _ => None,
            },
            View::Text(_) => None,
            View::Own(value) => match &value.0 {
                Repr::Obj(o) => Some(View::Own(o.get(key).unwrap_or_default())),
                _ => None,
            },
        }
    }

    /// Calls `f` for each element of an array or value of an object; `None` if this is neither.
    pub(crate) fn each<E>(
        &self,
        f: &mut dyn FnMut(View<'v>) -> Result<(), E>,
    ) -> Option<Result<(), E>>
    where
        E: From<limits::Limit>,
    {
        let mut step = |view: View<'v>| {
            limits::tick()?;
            f(view)
        };
        Some(match self {
            View::Page(page, at) => match page.kind(*at) {
                Kind::Array => page
                    .elements(*at)
                    .try_for_each(|at| step(View::Page(page, at))),
                Kind::Object => page
                    .members(*at)
                    .try_for_each(|(_, at)| step(View::Page(page, at))),
                _ => return None,
            },
            View::Ref(value) => match &value.0 {
                Repr::Arr(a) => a.items().iter().try_for_each(|item| step(View::of(item))),
                Repr::Obj(o) => o
                    .entries()
                    .values()
                    .try_for_each(|value| step(View::of(value))),
                _ => return None,
            },
            View::Text(_) => return None,
            View::Own(value) => match &value.0 {
                Repr::Arr(a) => a
                    .items()
                    .iter()
                    .try_for_each(|item| step(View::Own(item.clone()))),
                Repr::Obj(o) => o
                    .entries()
                    .values()
                    .try_for_each(|value| step(View::Own(value.clone()))),
                _ => return None,
            },
        })
    }

    /// Appends the JSON text, as `serde_json` writes it.
    pub(crate) fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            View::Page(page, at) => write_placed(page, *at, out),
            View::Ref(value) => write_val(value, out),
            View::Text(text) => write_json_text(text, out),
            View::Own(value) => write_val(value, out),
        }
    }
}

/// Whether the text of a whole number is how every writer has it, and fits an integer.
fn is_canonical(digits: &str) -> bool {
    digits.len() <= 18 && digits != "-0"
}

/// Whether the text of a number with a fraction is how `serde_json` writes the double that it means: few enough digits to come
/// back as they are, none of them for nothing, and no exponent.
fn is_shortest(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let bytes = digits.as_bytes();
    let significant = match digits.strip_prefix("0.") {
        // Small numbers are written with an exponent.
        Some(fraction) => !fraction.starts_with('0'),
        None => true,
    };
    bytes.len() <= 16
        && significant
        && !matches!(bytes.last(), Some(b'0'))
        && bytes.iter().all(|b| matches!(b, b'0'..=b'9' | b'.'))
}

fn write_placed(page: &Page, at: u32, out: &mut Vec<u8>) {
    match page.kind(at) {
        Kind::Null | Kind::True | Kind::False => out.extend_from_slice(page.raw(at).as_bytes()),
        Kind::Integer if is_canonical(page.raw(at)) => {
            out.extend_from_slice(page.raw(at).as_bytes());
        }
        Kind::Decimal if is_shortest(page.raw(at)) => {
            out.extend_from_slice(page.raw(at).as_bytes());
        }
        Kind::Integer | Kind::Decimal => {
            if let Some(number) = page.number(at) {
                write_json_number(&number, out);
            }
        }
        Kind::Plain => {
            out.push(b'"');
            out.extend_from_slice(page.raw(at).as_bytes());
            out.push(b'"');
        }
        Kind::Escaped => {
            let text = page.string(at).unwrap_or_default();
            write_json_text(&text, out);
        }
        Kind::Array => {
            out.push(b'[');
            for (i, at) in page.elements(at).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_placed(page, at, out);
            }
            out.push(b']');
        }
        Kind::Object => {
            out.push(b'{');
            for (i, (key, at)) in page.members(at).enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_placed(page, key, out);
                out.push(b':');
                write_placed(page, at, out);
            }
            out.push(b'}');
        }
    }
}

fn write_val(value: &Val, out: &mut Vec<u8>) {
    if let Some(place) = value.place() {
        return write_placed(&place.page, place.at, out);
    }
    match &value.0 {
        Repr::Null => out.extend_from_slice(b"null"),
        Repr::Bool(true) => out.extend_from_slice(b"true"),
        Repr::Bool(false) => out.extend_from_slice(b"false"),
        Repr::Num(n) => write_json_number(n, out),
        Repr::Str(s) => write_json_text(s, out),
        Repr::Arr(a) => {
            out.push(b'[');
            for (i, item) in a.items().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_val(item, out);
            }
            out.push(b']');
        }
        Repr::Obj(o) => {
            out.push(b'{');
            for (i, (key, item)) in o.entries().iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                write_json_text(key, out);
                out.push(b':');
                write_val(item, out);
            }
            out.push(b'}');
        }
    }
}
