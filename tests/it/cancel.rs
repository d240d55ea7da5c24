//! A sync that is told to stop: what it still does, what it no longer does, and what it says (R43).

use std::time::Duration;

use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::{Cancel, PortSink, Report, SyncOptions};
use longshore_testkit::{Network, Pages, PortCall, PortDouble, ScriptedApi, numbered};
use tokio::time::Instant;

use crate::rig::{API, PORT, Rig, items};

const PAGED: &str = "paginationType: page\npageSize: 10";

/// An API of 30 pages and Port, each answering after its time.
fn slow(api: Duration, port: Duration) -> (Rig, PortSink) {
    let mut rig = Rig::with_port(
        ScriptedApi::new().pages("/items", Pages::page(numbered(300))),
        PortDouble::new().stale_entity("item", "gone"),
    );
    rig.network = rig.network.clone().latency(api);
    let to_port = Network::new().at(PORT, rig.port.clone()).latency(port);
    let client = PortClient::builder(Client::builder(to_port.transport()).seed(7).build())
        .base_url(PORT.parse().unwrap())
        .credentials("id", "secret".to_owned())
        .integration("custom", "test")
        .build()
        .unwrap();
    (rig, PortSink::new(client))
}

/// Syncs, with the word to stop after this time, and says how long it went on after it.
async fn stopped_after(rig: &Rig, sink: &PortSink, after: Duration) -> (Report, Duration) {
    let cancel = Cancel::new();
    let engine = rig.engine(PAGED, &items("/items", "{}"));
    let options = SyncOptions::new().cancel(cancel.clone());
    let stop = async {
        tokio::time::sleep(after).await;
        cancel.cancel();
        Instant::now()
    };
    let (report, told) = futures::join!(engine.sync_with(&options, sink), stop);
    (report, told.elapsed())
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_sync_asks_no_further_and_writes_what_it_has_and_deletes_nothing() {
    let (rig, sink) = slow(Duration::from_secs(1), Duration::from_millis(10));
    let (report, went_on) = stopped_after(&rig, &sink, Duration::from_millis(10_500)).await;
    let asked = rig.api.requests().len();
    let users = &report.resources[0];
    assert_eq!(users.outcome, "incomplete");
    assert_eq!(
        users.cause.as_deref(),
        Some("Cancelled: the sync was cancelled before this was read to its end")
    );
    assert!((80..=110).contains(&users.entities), "{report:?}");
    assert_eq!(report.upserted, users.entities, "{report:?}");
    assert!(went_on < Duration::from_secs(1), "{went_on:?}");
    assert_eq!(
        report.errors,
        ["cancelled before its end; nothing was deleted, and the next sync does the rest"]
    );
    assert!(!report.is_clean());
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.api.requests().len(), asked);
    assert_eq!(rig.port.count(PortCall::DeleteMany), 0);
    assert!(rig.port.entity("item", "gone").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_port_that_hangs_does_not_keep_a_cancelled_sync() {
    // The first batch is full after 20 pages; Port then takes an hour for it.
    let (rig, sink) = slow(Duration::from_millis(10), Duration::from_secs(3600));
    let (report, went_on) = stopped_after(&rig, &sink, Duration::from_secs(8000)).await;
    assert!(went_on < Duration::from_secs(6), "{went_on:?}");
    assert_eq!(report.upserted, 0);
    assert!(!report.is_clean());
    assert_eq!(rig.port.count(PortCall::DeleteMany), 0);
}

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_before_the_beginning_sends_nothing() {
    let (rig, sink) = slow(Duration::ZERO, Duration::ZERO);
    let cancel = Cancel::new();
    cancel.cancel();
    let options = SyncOptions::new().cancel(cancel);
    let engine = rig.engine(PAGED, &items("/items", "{}"));
    let report = engine.sync_with(&options, &sink).await;
    assert!(report.resources.is_empty());
    assert_eq!(report.errors.len(), 1);
    assert_eq!(
        (rig.api.requests().len(), rig.port.requests().len()),
        (0, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_while_port_is_asked_what_it_has_deletes_nothing() {
    let (rig, sink) = slow(Duration::from_millis(1), Duration::from_secs(5));
    // Two calls before the read, 15 bulk calls in batches of four at once behind it; then the lists of what is owned.
    let (report, went_on) = stopped_after(&rig, &sink, Duration::from_secs(47)).await;
    assert_eq!(report.resources[0].outcome, "complete", "{report:?}");
    assert_eq!(report.upserted, 300);
    assert!(went_on < Duration::from_secs(1), "{went_on:?}");
    assert_eq!(report.errors.len(), 1);
    assert_eq!(rig.port.count(PortCall::DeleteMany), 0);
    assert!(rig.port.count(PortCall::Owned) > 0);
}

#[tokio::test(start_paused = true)]
async fn resources_whose_turn_had_not_come_are_named_as_cancelled() {
    let api = ScriptedApi::new()
        .pages("/items", Pages::page(numbered(300)))
        .json("/more", numbered(1));
    let mut rig = Rig::new(api);
    rig.network = rig.network.clone().latency(Duration::from_secs(1));
    let mapping = format!(
        "{}{}",
        items("/items", "{}"),
        items("/more", "{}").replace("\nresources:\n", "")
    );
    let cancel = Cancel::new();
    let engine = rig.engine(PAGED, &mapping);
    assert_eq!(engine.resources().len(), 2);
    let sink = rig.port_sink(Default::default());
    let options = SyncOptions::new().cancel(cancel.clone());
    let stop = async {
        // The login, the first page, and its entities are still on their way: nothing is read beside it before.
        tokio::time::sleep(Duration::from_secs(4)).await;
        cancel.cancel();
    };
    let (report, ()) = futures::join!(engine.sync_with(&options, &sink), stop);
    let causes: Vec<_> = report
        .resources
        .iter()
        .map(|resource| {
            resource
                .cause
                .as_deref()
                .unwrap()
                .split(':')
                .next()
                .unwrap()
        })
        .collect();
    assert_eq!(causes, ["Cancelled", "Cancelled"]);
    assert!(
        rig.api
            .paths()
            .iter()
            .all(|path| !path.starts_with("/more")),
        "{API}"
    );
}
