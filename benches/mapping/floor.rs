//! The floor: the same page to the same entities, written by hand over `serde_json::Value`. Nothing configurable can be expected
//! to be cheaper; later work is measured against it and may not slow it down.

use serde_json::{Map, Value, json};

/// Reads a page, maps its records by hand, and writes the entities as JSON lines.
pub(crate) fn map_page(body: &[u8], out: &mut Vec<u8>) -> usize {
    let body: Value = serde_json::from_slice(body).unwrap();
    let records = body["items"].as_array().unwrap();
    let mut count = 0;
    for record in records {
        if record["type"] != "incident" {
            continue;
        }
        serde_json::to_writer(&mut *out, &entity(record)).unwrap();
        out.push(b'\n');
        count += 1;
    }
    count
}

fn entity(record: &Value) -> Value {
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
    json!({
        "identifier": format!("{}", record["id"]),
        "title": format!("{}: {}", record["key"].as_str().unwrap(), record["name"].as_str().unwrap()),
        "blueprint": "incident",
        "properties": properties,
        "relations": {
            "owner": record["owner"]["email"].as_str().unwrap().to_ascii_lowercase(),
            "service": record["service"]["id"].clone(),
        },
    })
}
