//! The floor: the same page to the same entities, written by hand over `serde_json::Value`. Nothing configurable can be expected
//! to be cheaper; later work is measured against it and may not slow it down.

use serde_json::{Map, Value, json};

/// Makes the entity of a record, if it is to have one.
pub(crate) type Entity = fn(&Value) -> Option<Value>;

/// Reads a page, maps its records by hand, and writes the entities as JSON lines.
pub(crate) fn map_page(body: &[u8], entity: Entity, out: &mut Vec<u8>) {
    let body: Value = serde_json::from_slice(body).unwrap();
    for entity in body["items"].as_array().unwrap().iter().filter_map(entity) {
        serde_json::to_writer(&mut *out, &entity).unwrap();
        out.push(b'\n');
    }
}

/// What the 18 expressions do.
pub(crate) fn entity(record: &Value) -> Option<Value> {
    if record["type"] != "incident" {
        return None;
    }
    let mut properties = Map::new();
    properties.insert("status".into(), record["status"]["name"].clone());
    properties.insert(
        "category".into(),
        record["status"]["category"]["key"].clone(),
    );
    properties.insert(
        "severity".into(),
        record["severity"]
            .as_str()
            .unwrap()
            .to_ascii_lowercase()
            .into(),
    );
    properties.insert("score".into(), record["score"].clone());
    properties.insert("description".into(), record["description"].clone());
    properties.insert("url".into(), record["url"].clone());
    properties.insert("created".into(), record["created_at"].clone());
    properties.insert("updated".into(), record["updated_at"].clone());
    properties.insert("resolved".into(), record["resolved"].clone());
    let resolved_at = match &record["resolved_at"] {
        Value::Null | Value::Bool(false) => Value::from("open"),
        at => at.clone(),
    };
    properties.insert("resolvedAt".into(), resolved_at);
    let labels: Vec<Value> = record["labels"]
        .as_array()
        .unwrap()
        .iter()
        .map(|label| label["name"].clone())
        .collect();
    properties.insert("labels".into(), labels.into());
    properties.insert(
        "urgent".into(),
        (record["score"].as_f64().unwrap() > 100.0).into(),
    );
    Some(json!({
        "identifier": format!("{}", record["id"]),
        "title": format!("{}: {}", record["key"].as_str().unwrap(), record["name"].as_str().unwrap()),
        "blueprint": "incident",
        "properties": properties,
        "relations": {
            "owner": record["owner"]["email"].as_str().unwrap().to_ascii_lowercase(),
            "service": record["service"]["id"].clone(),
        },
    }))
}

/// What the plain paths do.
pub(crate) fn plain_entity(record: &Value) -> Option<Value> {
    let mut properties = Map::new();
    for (name, value) in [
        ("key", &record["key"]),
        ("status", &record["status"]["name"]),
        ("category", &record["status"]["category"]["key"]),
        ("severity", &record["severity"]),
        ("score", &record["score"]),
        ("description", &record["description"]),
        ("url", &record["url"]),
        ("created", &record["created_at"]),
        ("updated", &record["updated_at"]),
        ("resolved", &record["resolved"]),
        ("labels", &record["labels"]),
    ] {
        properties.insert(name.into(), value.clone());
    }
    Some(json!({
        "identifier": record["id"].to_string(),
        "title": record["name"].clone(),
        "blueprint": "incident",
        "properties": properties,
        "relations": { "owner": record["owner"]["email"].clone(), "service": record["service"]["id"].clone() },
    }))
}
