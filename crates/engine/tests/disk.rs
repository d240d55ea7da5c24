//! What happens where there is no room for what has to wait.

// Panicking outside of `#[test]` functions is how tests report here.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use async_trait::async_trait;
use longshore_engine::mapping::Entity;
use longshore_engine::{Engine, Error, Evidence, Mark, Reconciled, Resource, Sink, Written};
use longshore_testkit::{Network, ScriptedApi, numbered};
use serde_json::{Value, json};

/// Takes its time for the first kind, so that the second has to wait.
struct Slow;

#[async_trait]
impl Sink for Slow {
    async fn begin(&self) -> Result<Mark, Error> {
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        if entities[0].blueprint == "a" {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        Ok(Written {
            upserted: entities.len() as u64,
            ..Written::default()
        })
    }

    async fn reconcile(&self, _: Evidence) -> Result<Reconciled, Error> {
        Ok(Reconciled::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_takes_nothing_is_named_as_what_ended_the_read() {
    // The only test of its process: nothing else needs the folder.
    tempfile::env::override_temp_dir(std::path::Path::new("/nowhere/at/all")).unwrap();
    let large: Vec<Value> = (0..12_000)
        .map(|n| json!({"id": n, "text": "x".repeat(1_000)}))
        .collect();
    let api = ScriptedApi::new()
        .json("/a", numbered(500))
        .json("/b", Value::from(large));
    let kind = |kind: &str, blueprint: &str| {
        Resource::builder(kind)
            .identifier(".id")
            .blueprint(blueprint)
            .property("text", ".text")
            .build()
            .unwrap()
    };
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(
            Network::new()
                .at("https://api.example.com", api)
                .transport(),
        )
        .resource(kind("/a", "a"))
        .resource(kind("/b", "b"))
        .build()
        .unwrap();
    let report = engine.sync(&Slow).await;
    let short = &report.resources[1];
    let cause = short.cause.as_deref().unwrap();
    assert!(
        cause.starts_with(
            "SpoolFailed: what has to wait for the sink cannot be kept in /nowhere/at/all: "
        ),
        "{cause}"
    );
    assert_eq!(
        (short.cause_count, short.further_causes.len()),
        (1, 0),
        "{report:?}"
    );
    assert_eq!(report.resources[0].outcome, "complete");
}
