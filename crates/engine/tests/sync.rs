//! What a sync of some kinds leaves alone, and what becomes of entities that wait when it is stopped.

// Panicking outside of `#[test]` functions is how tests report here.
#![allow(clippy::unwrap_used)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longshore_engine::mapping::Entity;
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::{
    AllowEmpty, Cancel, Engine, Error, ErrorKind, Evidence, Mark, NdjsonSink, PortSink,
    PortSinkOptions, Reconciled, Resource, Sink, SyncOptions, Written,
};
use longshore_testkit::{Network, PortDouble, ScriptedApi, numbered};
use serde_json::json;

fn users() -> Resource {
    let users = Resource::builder("/users").identifier(".id");
    users.blueprint("user").build().unwrap()
}

fn engine(api: ScriptedApi) -> Engine {
    Engine::builder()
        .base_url("https://api.example.com")
        .transport(
            Network::new()
                .at("https://api.example.com", api)
                .transport(),
        )
        .resource(users())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_some_kinds_deletes_nothing_of_blueprints_that_they_do_not_feed() {
    let api = ScriptedApi::new().json("/users", json!([{ "id": "ada" }]));
    let port = PortDouble::new()
        .stale_entity("user", "bob")
        .stale_entity("device", "of a mapping long gone");
    let network = Network::new()
        .at("https://api.example.com", api)
        .at("https://api.getport.io", port.clone());
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(network.transport())
        .resource(
            Resource::builder("/users")
                .identifier(".id")
                .blueprint("user")
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let options = PortSinkOptions {
        allow_empty: AllowEmpty::All,
        deletion_threshold: 1.0,
        ..PortSinkOptions::default()
    };
    let sink = || {
        let client = PortClient::builder(Client::builder(network.transport()).build())
            .base_url("https://api.getport.io".parse().unwrap())
            .credentials("id", "secret".to_owned())
            .integration("custom", "test")
            .build()
            .unwrap();
        PortSink::new(client).options(options.clone())
    };

    let some = engine.sync_kinds(&["/users".to_owned()], &sink()).await;
    assert_eq!((some.deleted, some.withheld.len()), (1, 0), "{some}");
    assert_eq!(port.identifiers("user"), ["ada"]);
    assert_eq!(port.identifiers("device").len(), 1);

    let all = engine.sync(&sink()).await;
    assert_eq!(all.deleted, 1, "{all}");
    assert!(port.identifiers("device").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_no_resource_has_is_an_error_and_begins_nothing() {
    let api = ScriptedApi::new().json("/users", numbered(2));
    let engine = engine(api.clone());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.ndjson");
    // None stands for all, as it does for an estimate.
    let all = engine.sync_kinds(&[], &NdjsonSink::file(&file)).await;
    assert!(all.is_clean(), "{all}");
    assert_eq!(engine.estimate(&[]).resources.len(), 1);
    let lines = std::fs::read_to_string(&file).unwrap();
    assert_eq!(lines.lines().count(), 2);

    let asked = api.requests().len();
    let mistyped = ["/users".to_owned(), "/user".to_owned()];
    let none = engine.sync_kinds(&mistyped, &NdjsonSink::file(&file)).await;
    assert_eq!(
        none.errors,
        ["/user: the mapping has no such kind; it has /users"]
    );
    assert!(!none.is_clean() && none.resources.is_empty(), "{none}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), lines);
    assert_eq!(api.requests().len(), asked);
}

/// Has everything wait, and takes a minute to write it in the end.
struct Waits;

#[async_trait]
impl Sink for Waits {
    async fn begin(&self) -> Result<Mark, Error> {
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        Ok(Written {
            waiting: entities.len() as u64,
            ..Written::default()
        })
    }

    async fn settle(&self) -> Result<Written, Error> {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(Written::default())
    }

    async fn reconcile(&self, _: Evidence) -> Result<Reconciled, Error> {
        Ok(Reconciled::default())
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_the_time_is_over_is_counted_as_not_written() {
    let engine = engine(ScriptedApi::new().json("/users", numbered(5)));
    let cancel = Cancel::new();
    let options = SyncOptions::new().cancel(cancel.clone());
    let stop = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        cancel.cancel();
    };
    let (report, ()) = tokio::join!(engine.sync_with(&options, &Waits), stop);
    assert_eq!((report.upserted, report.rejected), (0, 5), "{report}");
    assert!(!report.resources[0].is_well(), "{report}");
    assert!(
        report.errors[0].contains("5 entities could not be written: cancelled while they waited"),
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_is_used_again_forgets_what_waited_in_a_sync_that_was_stopped() {
    let port = PortDouble::new().relation("user", "team", "team");
    let network = Network::new().at("https://api.getport.io", port.clone());
    let client = PortClient::builder(Client::builder(network.transport()).build())
        .base_url("https://api.getport.io".parse().unwrap())
        .credentials("id", "secret".to_owned())
        .integration("custom", "test")
        .build()
        .unwrap();
    let sink = PortSink::new(client).options(PortSinkOptions {
        create_missing_related_entities: false,
        ..PortSinkOptions::default()
    });
    sink.begin().await.unwrap();
    let mut left = Entity::new("user", "of-the-last-sync");
    left.relations.insert("team".to_owned(), json!("red"));
    let waits = sink.write(vec![left]).await.unwrap();
    assert_eq!(waits.waiting, 1, "{waits:?}");

    sink.begin().await.unwrap();
    let team = sink.write(vec![Entity::new("team", "red")]).await.unwrap();
    assert_eq!(team.upserted, 1, "{team:?}");
    assert_eq!(sink.settle().await.unwrap().upserted, 0);
    assert!(port.identifiers("user").is_empty());
}

/// Says something else of every batch.
#[derive(Default)]
struct Moody(AtomicU64);

#[async_trait]
impl Sink for Moody {
    async fn begin(&self) -> Result<Mark, Error> {
        Ok(Mark::default())
    }

    async fn write(&self, _: Vec<Entity>) -> Result<Written, Error> {
        let nth = self.0.fetch_add(1, Ordering::Relaxed);
        Err(Error::new(ErrorKind::Sink, format!("mood {nth}")))
    }

    async fn reconcile(&self, _: Evidence) -> Result<Reconciled, Error> {
        Ok(Reconciled::default())
    }
}

#[tokio::test(start_paused = true)]
async fn of_failures_that_all_say_something_else_the_first_are_told_and_the_rest_is_counted() {
    let engine = engine(ScriptedApi::new().json("/users", numbered(150 * 200)));
    let report = engine.sync(&Moody::default()).await;
    assert_eq!(report.rejected, 150 * 200);
    assert_eq!(report.errors.len(), 101);
    assert_eq!(
        report.errors[99],
        "200 entities could not be written: mood 99"
    );
    assert_eq!(
        report.errors[100],
        "10000 entities could not be written for further reasons"
    );
}
