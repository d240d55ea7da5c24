//! Values by name, which may be JSON text that nobody has taken apart.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

/// The properties or relations of an entity: a map of names to JSON values.
///
/// It is used like a [`Map`], to which it dereferences. Inside it may be the JSON text that a mapper wrote. That text is what
/// [`write_json`](Fields::write_json) copies, and it becomes a map only where somebody looks into it: an entity that goes from an API
/// to a catalog is never taken apart.
///
/// ```
/// use longshore_mapping::Entity;
///
/// let mut user = Entity::new("user", "7");
/// user.properties.insert("email".to_owned(), "ada@example.com".into());
/// assert_eq!(user.properties["email"], "ada@example.com");
/// ```
#[derive(Clone, Default)]
pub struct Fields {
    /// A JSON object, unless the map was changed since.
    json: Option<Box<[u8]>>,
    map: OnceLock<Map<String, Value>>,
}

impl Fields {
    /// Of the text of a JSON object, with each name once.
    #[cfg(feature = "jq")]
    pub(crate) fn of_json(json: &[u8]) -> Self {
        Fields {
            json: Some(json.into()),
            map: OnceLock::new(),
        }
    }

    /// Appends the JSON text.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match &self.json {
            Some(json) => out.extend_from_slice(json),
            None => append(&**self, out),
        }
    }
}

/// Appends the JSON text of a value. Keys are text here, and memory takes what is written: it cannot fail.
pub(crate) fn append(value: &(impl Serialize + ?Sized), out: &mut Vec<u8>) {
    let _ = serde_json::to_writer(out, value);
}

impl Deref for Fields {
    type Target = Map<String, Value>;

    fn deref(&self) -> &Map<String, Value> {
        self.map.get_or_init(|| {
            let json = self.json.as_deref().unwrap_or(b"{}");
            // A mapper wrote it, which takes no value that nests too deeply to be read: it is an object.
            serde_json::from_slice(json).unwrap_or_default()
        })
    }
}

/// Whoever changes the map lets go of the text.
impl DerefMut for Fields {
    fn deref_mut(&mut self) -> &mut Map<String, Value> {
        let _ = &**self;
        self.json = None;
        match self.map.get_mut() {
            Some(map) => map,
            None => unreachable!("the line above made the map"),
        }
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Fields {
            json: None,
            map: map.into(),
        }
    }
}

impl From<Fields> for Map<String, Value> {
    fn from(mut fields: Fields) -> Self {
        std::mem::take(&mut *fields)
    }
}

impl FromIterator<(String, Value)> for Fields {
    fn from_iter<I: IntoIterator<Item = (String, Value)>>(members: I) -> Self {
        members.into_iter().collect::<Map<_, _>>().into()
    }
}

impl IntoIterator for Fields {
    type Item = (String, Value);
    type IntoIter = serde_json::map::IntoIter;

    fn into_iter(self) -> Self::IntoIter {
        Map::from(self).into_iter()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = (&'a String, &'a Value);
    type IntoIter = serde_json::map::Iter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl PartialEq<Map<String, Value>> for Fields {
    fn eq(&self, other: &Map<String, Value>) -> bool {
        **self == *other
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (**self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Map::deserialize(deserializer).map(Fields::from)
    }
}

#[cfg(test)]
#[cfg(feature = "jq")]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(fields: &Fields) -> String {
        let mut out = Vec::new();
        fields.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn text_is_copied_as_it_is_and_looks_like_a_map() {
        let fields = Fields::of_json(br#"{"b":1,"a":[null]}"#);
        assert_eq!(text(&fields), r#"{"b":1,"a":[null]}"#);
        assert_eq!(fields["a"], json!([null]));
        assert_eq!((fields.len(), fields.get("c")), (2, None));
        assert_eq!(
            fields,
            Fields::from_iter([("a".to_owned(), json!([null])), ("b".to_owned(), json!(1))])
        );
        assert_eq!(
            serde_json::to_value(&fields).unwrap(),
            json!({"a": [null], "b": 1})
        );
        assert_eq!(
            text(&fields),
            r#"{"b":1,"a":[null]}"#,
            "looking changes nothing"
        );
    }

    #[test]
    fn a_change_is_written_whichever_way_the_fields_came() {
        for mut fields in [
            Fields::of_json(br#"{"a":1}"#),
            Fields::from_iter([("a".to_owned(), json!(1))]),
        ] {
            fields.insert("b".to_owned(), json!("x"));
            fields.remove("a");
            assert_eq!(text(&fields), r#"{"b":"x"}"#);
            let copy: Fields = serde_json::from_str(&text(&fields)).unwrap();
            assert_eq!(copy, fields);
            assert_eq!(
                Map::from(copy),
                json!({"b": "x"}).as_object().unwrap().clone()
            );
        }
        assert_eq!(text(&Fields::default()), "{}");
    }
}
