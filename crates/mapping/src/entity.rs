//! What Port's catalog holds.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Fields;
use crate::fields::append;

/// One entity as Port takes it.
///
/// Serialises with `identifier`, `blueprint`, `properties` and `relations` always, and with `title`, `icon` and `team` only where
/// there is one: Port refuses a null there (422), while a null property or relation clears it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Entity {
    /// The identifier, unique in its blueprint, or a query that finds the entity.
    pub identifier: Identifier,
    /// Name shown to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<Value>,
    /// Name of one of Port's icons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<Value>,
    /// One team, a list of teams, or a search query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Value>,
    /// Identifier of the blueprint.
    pub blueprint: String,
    /// Property values, as JSON.
    pub properties: Fields,
    /// By relation: an identifier, a list of them, null, or a search query.
    pub relations: Fields,
}

impl Entity {
    /// An entity without title, properties and relations.
    pub fn new(blueprint: impl Into<String>, identifier: impl Into<Identifier>) -> Self {
        Entity {
            identifier: identifier.into(),
            title: None,
            icon: None,
            team: None,
            blueprint: blueprint.into(),
            properties: Fields::default(),
            relations: Fields::default(),
        }
    }

    /// Appends the entity's JSON text, as Port takes it: a title, icon or team that is null is left out. What a mapper wrote as text is
    /// copied.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"identifier\":");
        append(&self.identifier, out);
        let optional = [
            (&self.title, ",\"title\":"),
            (&self.icon, ",\"icon\":"),
            (&self.team, ",\"team\":"),
        ];
        for (value, name) in optional {
            if let Some(value) = value.as_ref().filter(|value| !value.is_null()) {
                out.extend_from_slice(name.as_bytes());
                append(value, out);
            }
        }
        out.extend_from_slice(b",\"blueprint\":");
        append(&self.blueprint, out);
        out.extend_from_slice(b",\"properties\":");
        self.properties.write_json(out);
        out.extend_from_slice(b",\"relations\":");
        self.relations.write_json(out);
        out.push(b'}');
    }
}

/// How an entity is found: as JSON text or an object.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(untagged, try_from = "Value")]
pub enum Identifier {
    /// By its identifier. Port's pattern is checked where the entity is sent.
    Text(String),
    /// By a [search query](https://docs.port.io/search-and-query/) (`combinator` and `rules`) that Port evaluates.
    /// Which entity that is, only Port knows, so it takes no part in deleting.
    Search(Value),
}

impl Identifier {
    /// The identifier, unless it is a search query.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Identifier::Text(text) => Some(text),
            Identifier::Search(_) => None,
        }
    }
}

impl TryFrom<Value> for Identifier {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Ok(Identifier::Text(text)),
            Value::Object(_) => Ok(Identifier::Search(value)),
            _ => Err("an identifier is text or a search query".to_owned()),
        }
    }
}

impl From<&str> for Identifier {
    fn from(text: &str) -> Self {
        Identifier::Text(text.to_owned())
    }
}

impl From<String> for Identifier {
    fn from(text: String) -> Self {
        Identifier::Text(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn absent_title_icon_and_team_are_left_out_of_the_json() {
        let entity = Entity::new("user", "7");
        assert_eq!(
            serde_json::to_value(&entity).unwrap(),
            json!({"identifier": "7", "blueprint": "user", "properties": {}, "relations": {}})
        );
    }

    #[test]
    fn the_text_for_port_is_the_entity_without_nulls_that_port_refuses() {
        let mut entity = Entity::new("user", "a \"b\"\u{1}");
        entity.icon = Some("User".into());
        entity.properties.insert("n".to_owned(), json!([1.5, null]));
        entity.relations.insert("boss".to_owned(), Value::Null);
        let text = |entity: &Entity| {
            let mut out = Vec::new();
            entity.write_json(&mut out);
            serde_json::from_slice::<Value>(&out).unwrap()
        };
        assert_eq!(text(&entity), serde_json::to_value(&entity).unwrap());
        let without = text(&entity);
        entity.title = Some(Value::Null);
        entity.team = Some(Value::Null);
        assert_eq!(text(&entity), without);
    }

    #[test]
    fn a_search_identifier_is_an_object_in_the_json_and_no_text() {
        let query = json!({"combinator": "and", "rules": []});
        let mut entity = Entity::new("user", "7");
        entity.identifier = Identifier::Search(query.clone());
        entity.team = Some(json!(["a", "b"]));
        let json = serde_json::to_value(&entity).unwrap();
        assert_eq!(json["identifier"], query);
        assert_eq!(json["team"], json!(["a", "b"]));
        assert_eq!(entity.identifier.as_str(), None);
        assert_eq!(serde_json::from_value::<Entity>(json).unwrap(), entity);
    }

    #[test]
    fn what_is_neither_text_nor_a_query_is_no_identifier() {
        for identifier in [json!(7), json!(true), json!(["7"]), Value::Null] {
            let entity = json!({"identifier": identifier, "blueprint": "user", "properties": {}, "relations": {}});
            let error = serde_json::from_value::<Entity>(entity).unwrap_err();
            assert!(
                error.to_string().contains("text or a search query"),
                "{error}"
            );
        }
    }
}
