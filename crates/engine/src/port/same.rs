//! Whether an entity is what Port has already.
//!
//! Two questions, one notion of equality. Numbers count by their value (`1` is `1.0`), keys of objects have no order, and neither have the
//! targets of a relation and the teams; everything else is as it is written. What a search query comes to only Port knows, so an entity with
//! one is never known to be the same.

use std::collections::BTreeSet;

use longshore_mapping::{Entity, Identifier};
use longshore_port_client::Found;
use serde_json::{Map, Number, Value};

use crate::stable::StableHash;

/// A number for an entity's name; two entities may share one by chance.
pub(super) fn key(blueprint: &str, identifier: &str) -> u64 {
    let mut hash = StableHash::new();
    hash.add_text(blueprint);
    hash.add_text(identifier);
    hash.short()
}

/// A digest of all that an upsert of this entity says, equal for entities that are the same; `None` where only Port knows what it comes to.
pub(super) fn digest(entity: &Entity) -> Option<u128> {
    let mut hash = StableHash::new();
    match &entity.identifier {
        Identifier::Text(identifier) => hash.add_text(identifier),
        Identifier::Search(_) => return None,
    }
    hash.add_text(&entity.blueprint);
    for field in [&entity.title, &entity.icon] {
        match stated(field) {
            None => hash.add(b"-"),
            Some(value) => add(value, &mut hash),
        }
    }
    match stated(&entity.team) {
        None => hash.add(b"-"),
        Some(team) => add_texts(&texts(team)?, &mut hash),
    }
    hash.add(b"p");
    add_object(&entity.properties, &mut hash);
    hash.add(b"r");
    let relations: BTreeSet<&String> = entity.relations.keys().collect();
    for name in relations {
        hash.add_text(name);
        match &entity.relations[name] {
            Value::Array(targets) => {
                hash.add(b"[");
                add_texts(&all_texts(targets)?, &mut hash);
            }
            Value::Object(_) => return None,
            one => add(one, &mut hash),
        }
    }
    Some(hash.value())
}

/// What an upsert of this entity would change of what Port has, as `title`, `properties.email` and so on; `None` where only Port knows.
///
/// With `merge`, what the entity does not name stays as it is; without, it is cleared.
pub(super) fn changes(entity: &Entity, found: &Found, merge: bool) -> Option<Vec<String>> {
    let mut changes = Vec::new();
    let none = Value::Null;
    let stored = |name: &str| found.fields.get(name).unwrap_or(&none);
    let identifier = entity.identifier.as_str()?;
    for (name, field) in [("title", &entity.title), ("icon", &entity.icon)] {
        let is_same = match stated(field) {
            Some(value) => same(value, stored(name)),
            // Port shows the identifier where there is no title.
            None => merge || stored(name).is_null() || *stored(name) == identifier,
        };
        if !is_same {
            changes.push(name.to_owned());
        }
    }
    let stored_teams = texts(stored("team")).unwrap_or_default();
    let is_same = match stated(&entity.team) {
        Some(team) => texts(team)? == stored_teams,
        None => merge || stored_teams.is_empty(),
    };
    if !is_same {
        changes.push("team".to_owned());
    }
    let empty = Map::new();
    let stored = |name: &str| found.fields.get(name).and_then(Value::as_object);
    let properties = stored("properties").unwrap_or(&empty);
    for (name, value) in &entity.properties {
        if !same(value, properties.get(name).unwrap_or(&none)) {
            changes.push(format!("properties.{name}"));
        }
    }
    let relations = stored("relations").unwrap_or(&empty);
    for (name, value) in &entity.relations {
        let here = targets(value)?;
        // What cannot be read is not the same.
        let there = relations.get(name).map_or(Some(Targets::None), targets);
        if Some(here) != there {
            changes.push(format!("relations.{name}"));
        }
    }
    if !merge {
        let is_cleared = |(name, value): &(&String, &Value), sent: &Map<String, Value>| {
            !sent.contains_key(*name) && !is_nothing(value)
        };
        let properties = properties
            .iter()
            .filter(|field| is_cleared(field, &entity.properties))
            .map(|(name, _)| format!("properties.{name}"));
        let relations = relations
            .iter()
            .filter(|field| is_cleared(field, &entity.relations))
            .map(|(name, _)| format!("relations.{name}"));
        changes.extend(properties.chain(relations));
    }
    Some(changes)
}

/// A field that is there: a null title, icon or team is not sent.
fn stated(field: &Option<Value>) -> Option<&Value> {
    field.as_ref().filter(|value| !value.is_null())
}

/// One text or a list of texts, without order; `None` for anything else but nothing.
fn texts(value: &Value) -> Option<BTreeSet<&str>> {
    match value {
        Value::Null => Some(BTreeSet::new()),
        Value::String(one) => Some(BTreeSet::from([one.as_str()])),
        Value::Array(items) => all_texts(items),
        _ => None,
    }
}

fn all_texts(items: &[Value]) -> Option<BTreeSet<&str>> {
    items.iter().map(Value::as_str).collect()
}

/// What a relation leads to. A list of one is another thing than the one.
#[derive(PartialEq)]
enum Targets<'v> {
    None,
    One(&'v str),
    Many(BTreeSet<&'v str>),
}

fn targets(value: &Value) -> Option<Targets<'_>> {
    Some(match value {
        Value::Null => Targets::None,
        Value::String(one) => Targets::One(one),
        Value::Array(items) if items.is_empty() => Targets::None,
        Value::Array(items) => Targets::Many(all_texts(items)?),
        _ => return None,
    })
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => number(a) == number(b),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        (a, b) => a == b,
    }
}

/// A number by its value.
#[derive(PartialEq)]
enum Exact {
    Integer(i128),
    /// Of what is no integer, or beyond all of them, the bits.
    Float(u64),
}

fn number(number: &Number) -> Exact {
    /// Above this every float is an integer and fits in no `i128`.
    const TOO_LARGE: f64 = 1e38;
    if let Some(integer) = number.as_i128() {
        return Exact::Integer(integer);
    }
    let float = number.as_f64().unwrap_or(f64::NAN);
    if float.fract() == 0.0 && float.abs() < TOO_LARGE {
        Exact::Integer(float as i128)
    } else {
        Exact::Float(float.to_bits())
    }
}

fn add(value: &Value, hash: &mut StableHash) {
    match value {
        Value::Null => hash.add(b"0"),
        Value::Bool(false) => hash.add(b"f"),
        Value::Bool(true) => hash.add(b"t"),
        Value::Number(value) => match number(value) {
            Exact::Integer(integer) => {
                hash.add(b"i");
                hash.add(&integer.to_le_bytes());
            }
            Exact::Float(bits) => {
                hash.add(b"d");
                hash.add(&bits.to_le_bytes());
            }
        },
        Value::String(text) => {
            hash.add(b"s");
            hash.add_text(text);
        }
        Value::Array(items) => {
            hash.add(b"a");
            hash.add(&(items.len() as u64).to_le_bytes());
            for item in items {
                add(item, hash);
            }
        }
        Value::Object(fields) => add_object(fields, hash),
    }
}

fn add_object(fields: &Map<String, Value>, hash: &mut StableHash) {
    hash.add(b"o");
    hash.add(&(fields.len() as u64).to_le_bytes());
    let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
    // Whether a map of `serde_json` keeps an order of its own is a feature that others may have set.
    fields.sort_unstable_by_key(|(name, _)| *name);
    for (name, value) in fields {
        hash.add_text(name);
        add(value, hash);
    }
}

fn add_texts(texts: &BTreeSet<&str>, hash: &mut StableHash) {
    hash.add(&(texts.len() as u64).to_le_bytes());
    for text in texts {
        hash.add_text(text);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entity(value: Value) -> Entity {
        let mut entity = Entity::new("user", "ada");
        let field = |name: &str| value.get(name).cloned();
        entity.title = field("title");
        entity.icon = field("icon");
        entity.team = field("team");
        let map = |name: &str| value[name].as_object().cloned().unwrap_or_default();
        entity.properties = map("properties").into();
        entity.relations = map("relations").into();
        entity
    }

    fn found(mut value: Value) -> Found {
        value["identifier"] = json!("ada");
        value["blueprint"] = json!("user");
        serde_json::from_value(value).unwrap()
    }

    fn number_of(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    type Pairs = Vec<(Value, Value)>;

    /// Pairs that are the same at Port, and pairs that are not.
    fn pairs() -> (Pairs, Pairs) {
        let property = |value: Value| json!({"properties": {"p": value}});
        let relation = |value: Value| json!({"relations": {"r": value}});
        let equal = vec![
            (json!({}), json!({})),
            (property(number_of("1")), property(number_of("1.0"))),
            (property(number_of("-0.0")), property(number_of("0"))),
            (property(number_of("1e3")), property(number_of("1000"))),
            (
                property(number_of("18446744073709551615")),
                property(number_of("18446744073709551615")),
            ),
            (
                property(json!({"a": 1, "b": [1.0, 2]})),
                property(json!({"b": [1, 2.0], "a": 1.0})),
            ),
            (
                relation(json!(["b", "a", "b"])),
                relation(json!(["a", "b"])),
            ),
            (json!({"team": ["b", "a"]}), json!({"team": ["a", "b"]})),
            (json!({"team": "a"}), json!({"team": ["a"]})),
        ];
        let different = vec![
            (property(json!(1)), property(json!("1"))),
            (property(json!(1)), property(json!(true))),
            (property(json!(0)), property(json!(false))),
            (property(json!("")), property(json!(0))),
            (property(json!([1, 2])), property(json!([2, 1]))),
            (property(json!([])), property(json!({}))),
            (property(json!([[]])), property(json!([]))),
            (property(json!({"a": null})), property(json!({}))),
            (
                property(number_of("9007199254740993")),
                property(number_of("9007199254740992")),
            ),
            (
                property(number_of("9007199254740993")),
                property(number_of("9007199254740992.0")),
            ),
            (property(number_of("0.1")), property(number_of("0.2"))),
            (property(number_of("1e300")), property(number_of("1e301"))),
            (relation(json!("a")), relation(json!(["a"]))),
            (relation(json!("a")), relation(json!("b"))),
            (relation(json!(["a", "b"])), relation(json!(["a"]))),
            (
                json!({"properties": {"a": "b"}}),
                json!({"properties": {"ab": ""}}),
            ),
            (json!({"title": "a"}), json!({"title": "b"})),
            (json!({"title": "a"}), json!({"icon": "a"})),
        ];
        (equal, different)
    }

    #[test]
    fn digests_are_equal_for_what_is_the_same_and_for_nothing_else() {
        let (equal, different) = pairs();
        for (a, b) in equal {
            assert_eq!(
                digest(&entity(a.clone())),
                digest(&entity(b.clone())),
                "{a} and {b}"
            );
        }
        for (a, b) in different {
            assert_ne!(
                digest(&entity(a.clone())),
                digest(&entity(b.clone())),
                "{a} and {b}"
            );
        }
        let other_name = Entity::new("user", "bob");
        assert_ne!(digest(&other_name), digest(&entity(json!({}))));
    }

    #[test]
    fn null_and_absent_differ_where_absent_keeps_what_port_has() {
        for (a, b) in [
            (json!({"properties": {"p": null}}), json!({})),
            (json!({"relations": {"r": null}}), json!({})),
            (
                json!({"relations": {"r": []}}),
                json!({"relations": {"r": null}}),
            ),
        ] {
            assert_ne!(digest(&entity(a)), digest(&entity(b)));
        }
        for name in ["title", "icon", "team"] {
            assert_eq!(
                digest(&entity(json!({name: null}))),
                digest(&entity(json!({}))),
                "a null {name} is not sent"
            );
        }
    }

    #[test]
    fn what_is_the_same_changes_nothing_at_port() {
        let (equal, different) = pairs();
        for (a, b) in equal {
            for merge in [true, false] {
                let changes = changes(&entity(a.clone()), &found(b.clone()), merge);
                assert_eq!(changes, Some(vec![]), "{a} and {b}");
            }
        }
        for (a, b) in different {
            for merge in [true, false] {
                let changes = changes(&entity(a.clone()), &found(b.clone()), merge).unwrap();
                assert!(!changes.is_empty(), "{a} and {b}");
            }
        }
    }

    #[test]
    fn nothing_is_what_port_shows_where_nothing_is() {
        let sent =
            entity(json!({"properties": {"p": null}, "relations": {"one": null, "many": []}}));
        for stored in [
            json!({"title": "ada", "team": [], "properties": {}, "relations": {}}),
            json!({"title": null, "properties": {"p": null}, "relations": {"one": null, "many": []}}),
            json!({"relations": {"many": null, "other": null, "more": []}}),
        ] {
            for merge in [true, false] {
                assert_eq!(
                    changes(&sent, &found(stored.clone()), merge),
                    Some(vec![]),
                    "{stored}"
                );
            }
        }
    }

    #[test]
    fn what_is_not_named_stays_with_merge_and_is_cleared_without() {
        let stored = found(json!({
            "title": "Ada", "icon": "User", "team": ["t"],
            "properties": {"kept": 1, "p": 2}, "relations": {"boss": "bob"},
        }));
        let sent = entity(json!({"properties": {"p": 2}}));
        assert_eq!(changes(&sent, &stored, true), Some(vec![]));
        assert_eq!(
            changes(&sent, &stored, false).unwrap(),
            ["title", "icon", "team", "properties.kept", "relations.boss"]
        );
    }

    #[test]
    fn what_changes_is_named() {
        let stored =
            found(json!({"title": "Ada", "properties": {"a": 1}, "relations": {"r": "x"}}));
        let sent = entity(json!({
            "title": "Ada L.", "team": ["t"], "properties": {"a": 2, "b": 0}, "relations": {"r": "y"},
        }));
        assert_eq!(
            changes(&sent, &stored, true).unwrap(),
            [
                "title",
                "team",
                "properties.a",
                "properties.b",
                "relations.r"
            ]
        );
    }

    #[test]
    fn what_a_query_finds_only_port_knows() {
        let query = json!({"combinator": "and", "rules": []});
        let mut by_query = entity(json!({}));
        by_query.identifier = Identifier::Search(query.clone());
        for sent in [
            by_query,
            entity(json!({"team": query})),
            entity(json!({"relations": {"r": query}})),
            entity(json!({"relations": {"r": ["a", query]}})),
        ] {
            assert_eq!(digest(&sent), None);
            assert_eq!(changes(&sent, &found(json!({})), true), None);
        }
    }
}
