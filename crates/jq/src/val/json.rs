//! JSON in and out of values.

use super::page::{Placed, end_of_plain};
use super::{Entries, MAX_DEPTH, Num, Repr, Text, Val};
use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt::{self, Write as _};

/// Under `arbitrary_precision`, `serde_json` hands numbers to visitors as a map of this one key.
const NUMBER_TOKEN: &str = "$serde_json::private::Number";

pub(super) fn from_json(value: &serde_json::Value, depth: usize) -> Val {
    use serde_json::Value;
    match value {
        Value::Null => Val::null(),
        Value::Bool(b) => Val::from(*b),
        Value::Number(n) => Val(Repr::Num(number(n))),
        Value::String(s) => Val::from(s.as_str()),
        Value::Array(_) | Value::Object(_) if depth >= MAX_DEPTH => Val::null(),
        Value::Array(a) => Val::array(a.iter().map(|item| from_json(item, depth + 1)).collect()),
        Value::Object(o) => Val::object(
            o.iter()
                .map(|(key, item)| (Text::from(key.as_str()), from_json(item, depth + 1)))
                .collect(),
        ),
    }
}

fn number(n: &serde_json::Number) -> Num {
    if let Some(i) = n.as_i64() {
        Num::Int(i)
    } else if let Some(u) = n.as_u64() {
        Num::Big(u)
    } else {
        // Only a number beyond the range of doubles has no double.
        Num::data(n.as_f64().unwrap_or_else(|| {
            if n.to_string().starts_with('-') {
                f64::MIN
            } else {
                f64::MAX
            }
        }))
    }
}

pub(super) fn to_json(value: &Val) -> serde_json::Value {
    use serde_json::Value;
    match &value.0 {
        Repr::Null => Value::Null,
        Repr::Bool(b) => Value::Bool(*b),
        Repr::Num(n) => match finite(n) {
            Some(Plain::Int(i)) => i.into(),
            Some(Plain::Big(u)) => u.into(),
            Some(Plain::Float(f)) => f.into(),
            None => Value::Null,
        },
        Repr::Str(s) => Value::String(s.to_string()),
        Repr::Arr(a) => Value::Array(a.items().iter().map(to_json).collect()),
        Repr::Obj(o) => Value::Object(
            o.entries()
                .iter()
                .map(|(key, item)| (key.to_string(), to_json(item)))
                .collect(),
        ),
    }
}

/// A number as JSON can carry it.
enum Plain {
    Int(i64),
    Big(u64),
    Float(f64),
}

fn finite(n: &Num) -> Option<Plain> {
    if let Some(i) = n.as_i64() {
        return Some(Plain::Int(i));
    }
    if let Some(u) = n.as_u64() {
        return Some(Plain::Big(u));
    }
    match n.as_f64() {
        f if f.is_nan() => None,
        f => Some(Plain::Float(f.clamp(f64::MIN, f64::MAX))),
    }
}

/// Writes the text that `tojson` gives.
pub(super) fn write(value: &Val, out: &mut String) {
    match &value.0 {
        Repr::Null => out.push_str("null"),
        Repr::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Repr::Num(n) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{n}");
        }
        Repr::Str(s) => write_str(s, out),
        Repr::Arr(a) => {
            out.push('[');
            for (i, item) in a.items().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Repr::Obj(o) => {
            out.push('{');
            for (i, (key, item)) in o.entries().iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_str(key, out);
                out.push(':');
                write(item, out);
            }
            out.push('}');
        }
    }
}

fn write_str(s: &str, out: &mut String) {
    out.push('"');
    let mut rest = s;
    while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\' | '\0'..='\x1f' | '\x7f')) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        match special.as_bytes()[0] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\t' => out.push_str("\\t"),
            b'\r' => out.push_str("\\r"),
            8 => out.push_str("\\b"),
            12 => out.push_str("\\f"),
            control => {
                let _ = write!(out, "\\u{control:04x}");
            }
        }
        rest = &special[1..];
    }
    out.push_str(rest);
    out.push('"');
}

pub(super) fn serialize_number<S: Serializer>(n: &Num, serializer: S) -> Result<S::Ok, S::Error> {
    match finite(n) {
        Some(Plain::Int(i)) => serializer.serialize_i64(i),
        Some(Plain::Big(u)) => serializer.serialize_u64(u),
        Some(Plain::Float(f)) => serializer.serialize_f64(f),
        None => serializer.serialize_unit(),
    }
}

/// Appends a number as `serde_json` writes it.
pub(crate) fn write_json_number(n: &Num, out: &mut Vec<u8>) {
    // Writing a number into memory cannot fail.
    let _ = match finite(n) {
        Some(Plain::Int(i)) => serde_json::to_writer(out, &i),
        Some(Plain::Big(u)) => serde_json::to_writer(out, &u),
        Some(Plain::Float(f)) => serde_json::to_writer(out, &f),
        None => {
            out.extend_from_slice(b"null");
            Ok(())
        }
    };
}

/// Appends a string as `serde_json` writes it.
pub(crate) fn write_json_text(text: &str, out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let bytes = text.as_bytes();
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut from = 0;
    loop {
        let at = end_of_plain(bytes, from);
        out.extend_from_slice(&bytes[from..at]);
        let Some(special) = bytes.get(at) else { break };
        match special {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\r' => out.extend_from_slice(b"\\r"),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            control => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
        }
        from = at + 1;
    }
    out.push(b'"');
}

impl Serialize for Val {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(place) = self.place() {
            return Placed(&place.page, place.at).serialize(serializer);
        }
        match &self.0 {
            Repr::Null => serializer.serialize_unit(),
            Repr::Bool(b) => serializer.serialize_bool(*b),
            Repr::Num(n) => serialize_number(n, serializer),
            Repr::Str(s) => serializer.serialize_str(s),
            Repr::Arr(a) => {
                let mut seq = serializer.serialize_seq(Some(a.items().len()))?;
                for item in a.items() {
                    seq.serialize_element(item)?;
                }
                seq.end()
            }
            Repr::Obj(o) => {
                let mut map = serializer.serialize_map(Some(o.entries().len()))?;
                for (key, item) in o.entries() {
                    map.serialize_entry(&**key, item)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Val {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Seed { depth: 0 }.deserialize(deserializer)
    }
}

#[derive(Clone, Copy)]
struct Seed {
    depth: usize,
}

impl Seed {
    fn inner<E: serde::de::Error>(self) -> Result<Seed, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deeply"));
        }
        Ok(Seed {
            depth: self.depth + 1,
        })
    }
}

impl<'de> DeserializeSeed<'de> for Seed {
    type Value = Val;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Seed {
    type Value = Val;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Val, E> {
        Ok(Val::null())
    }

    fn visit_none<E>(self) -> Result<Val, E> {
        Ok(Val::null())
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Val, D::Error> {
        self.deserialize(deserializer)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Val, E> {
        Ok(Val::from(b))
    }

    fn visit_i64<E>(self, i: i64) -> Result<Val, E> {
        Ok(Val::from(i))
    }

    fn visit_u64<E>(self, u: u64) -> Result<Val, E> {
        Ok(Val::from(u))
    }

    fn visit_f64<E>(self, f: f64) -> Result<Val, E> {
        Ok(Val(Repr::Num(Num::data(f))))
    }

    fn visit_str<E>(self, s: &str) -> Result<Val, E> {
        Ok(Val::from(s))
    }

    fn visit_string<E>(self, s: String) -> Result<Val, E> {
        Ok(Val::from(s))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Val, A::Error> {
        let seed = self.inner()?;
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(1024));
        while let Some(item) = seq.next_element_seed(seed)? {
            items.push(item);
        }
        Ok(Val::array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Val, A::Error> {
        let seed = self.inner()?;
        let mut entries = Entries::with_capacity(map.size_hint().unwrap_or(0).min(1024));
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value_seed(seed)?;
            if key == NUMBER_TOKEN
                && entries.is_empty()
                && let Some(number) = value.as_str().and_then(precise)
            {
                return Ok(number);
            }
            entries.insert(key.into(), value);
        }
        Ok(Val::object(entries))
    }
}

fn precise(text: &str) -> Option<Val> {
    if let Ok(i) = text.parse::<i64>() {
        return Some(Val::from(i));
    }
    if let Ok(u) = text.parse::<u64>() {
        return Some(Val::from(u));
    }
    let f: f64 = text.parse().ok()?;
    Some(Val(Repr::Num(Num::data(f.clamp(f64::MIN, f64::MAX)))))
}
