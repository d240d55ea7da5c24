//! Records mapped by code instead of jq, for what is easier to say in Rust: `cargo run --example custom_mapper`

use futures::TryStreamExt;
use longshore_engine::jq::Val;
use longshore_engine::mapping::{Entity, FnMapper, Mapped, RecordFailure};
use longshore_engine::{Engine, Resource};
use longshore_testkit::{Answer, ScriptedApi, serve};
use serde_json::json;

/// `v1.10.2` comes after `v1.9.0`: a number that sorts as versions do.
fn rank(version: &str) -> Option<u64> {
    let parts = version.trim_start_matches('v').split('.');
    parts.map(str::parse::<u64>).try_fold(0, |rank, part| {
        Some(rank * 1_000 + part.ok().filter(|part| *part < 1_000)?)
    })
}

fn release(record: &Val, into: &mut Mapped) {
    let text = |key: &str| record.get(key).and_then(Val::as_str);
    if record.get("draft").is_some_and(Val::truthy) {
        return into.skip();
    }
    let Some(tag) = text("tag") else {
        return into.fail(RecordFailure::new("identifier", "the record has no tag"));
    };
    let mut entity = Entity::new("release", tag);
    entity.title = text("name").map(Into::into);
    match rank(tag) {
        Some(rank) => {
            entity.properties.insert("rank".to_owned(), rank.into());
        }
        None => into.misconfigured("properties.rank", || "the tag is no version".to_owned()),
    }
    into.push(entity);
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = ScriptedApi::new().on("/releases", |_| {
        Answer::json(json!([
            {"tag": "v1.9.0", "name": "Spring"},
            {"tag": "v1.10.2", "name": "Summer"},
            {"tag": "nightly", "name": "Tonight"},
            {"tag": "v2.0.0", "draft": true},
        ]))
    });
    let server = serve(api).await;
    let engine = Engine::builder().base_url(server.url.as_str()).build()?;
    let releases = Resource::builder("/releases")
        .mapper(FnMapper::new("release", release))
        .build()?;
    let mut entities = engine.entities(&releases);
    while let Some(entity) = entities.try_next().await? {
        println!("{}", serde_json::to_string(&entity)?);
    }
    Ok(())
}
