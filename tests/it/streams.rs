//! The stream of entities: lazy, bounded, cancelled by dropping, and honest about its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{Stream, StreamExt};
use longshore_engine::transport::ErrorKind as Broken;
use longshore_engine::{Engine, EngineBuilder, EntityStream, Event};
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Rig, config, items};

const PAGED: &str = "paginationType: page\npageSize: 10";

fn slow(api: ScriptedApi, each: Duration) -> Rig {
    let mut rig = Rig::new(api);
    rig.network = rig.network.clone().latency(each);
    rig
}

fn stream(engine: &Engine) -> EntityStream {
    engine.entities(&engine.resources()[0])
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

/// Comments of this many tickets; of each ticket a page at a time.
fn nested() -> String {
    items(
        "/tickets/{id}/comments",
        "{path_parameters: {id: {endpoint: /tickets, field: .id, pagination: {type: none}}}}",
    )
}

fn tickets(count: u64) -> ScriptedApi {
    ScriptedApi::new()
        .json("/tickets", numbered(count))
        .pages("/tickets/{id}/comments", Pages::page(numbered(25)))
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_before_the_first_poll() {
    let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::page(numbered(25))));
    let mut entities = stream(&rig.engine(PAGED, &items("/items", "{}")));
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(rig.api.requests().len(), 0);
    entities.next().await.unwrap().unwrap();
    assert_eq!(rig.api.paths()[0], "/items?page=1&size=10");
}

#[tokio::test(start_paused = true)]
async fn one_page_is_read_ahead_and_no_more_however_slow_the_reader() {
    let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::page(numbered(95))));
    let mut entities = stream(&rig.engine(PAGED, &items("/items", "{}")));
    let mut read = 0;
    while let Some(item) = entities.next().await {
        item.unwrap();
        read += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let needed = (read as usize).div_ceil(10);
        let asked = rig.api.count("/items");
        assert_eq!(asked, (needed + 1).min(10), "after {read} items");
    }
    assert_eq!(read, 95);
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_children_keeps_one_page_of_few_children_in_hand() {
    let rig = Rig::new(tickets(50));
    let engine = rig.engine(
        "maxConcurrentRequests: 4\npaginationType: page\npageSize: 10",
        &nested(),
    );
    let mut entities = stream(&engine);
    for read in 1..=60_usize {
        entities.next().await.unwrap().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        // One for the parents; of four children the page that is read and the one after it.
        let allowed = 1 + read.div_ceil(10) + 2 * 4;
        let asked = rig.api.requests().len();
        assert!(asked <= allowed, "{asked} requests after {read} items");
    }
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_ends_all_its_work() {
    for (mapping, what) in [(items("/items", "{}"), "a list"), (nested(), "children")] {
        for after in [0, 1, 15] {
            let rig = slow(
                tickets(30).pages("/items", Pages::page(numbered(95))),
                Duration::from_secs(1),
            );
            let before = alive_tasks();
            let mut entities = stream(&rig.engine(PAGED, &mapping));
            for _ in 0..after {
                entities.next().await.unwrap().unwrap();
            }
            // Leaves a request under way.
            let cut = Duration::from_millis(500);
            tokio::time::timeout(cut, async { while entities.next().await.is_some() {} })
                .await
                .unwrap_err();
            assert!(rig.network.in_flight() > 0, "{what} after {after}");
            drop(entities);
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(rig.network.in_flight(), 0, "{what} after {after}");
            assert_eq!(alive_tasks(), before, "{what} after {after}");
            let sent = rig.api.requests().len();
            tokio::time::sleep(Duration::from_secs(600)).await;
            assert_eq!(rig.api.requests().len(), sent, "{what} after {after}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn permits_come_back_when_streams_are_dropped() {
    let rig = slow(
        tickets(5).pages("/items", Pages::page(numbered(95))),
        Duration::from_secs(1),
    );
    let engine = rig.engine(
        "maxConcurrentRequests: 1\npaginationType: page\npageSize: 10",
        &items("/items", "{}"),
    );
    for _ in 0..20 {
        let mut entities = stream(&engine);
        let cut = Duration::from_millis(500);
        tokio::time::timeout(cut, entities.next())
            .await
            .unwrap_err();
    }
    let whole = stream(&engine);
    let all = tokio::time::timeout(Duration::from_secs(60), whole.count())
        .await
        .unwrap();
    assert_eq!(all, 95);
}

#[tokio::test(start_paused = true)]
async fn streams_that_are_read_in_turn_keep_no_permit_from_each_other() {
    let rig = Rig::new(ScriptedApi::new().json("/tickets", numbered(5)).on(
        "/tickets/{id}/comments",
        |call| {
            let id: u64 = call.parameter("id").parse().unwrap();
            Answer::json(numbered(3)).after(Duration::from_secs(id))
        },
    ));
    let engine = rig.engine("maxConcurrentRequests: 2", &nested());
    let mut streams: Vec<_> = (0..5).map(|_| stream(&engine)).collect();
    let in_turn = async {
        let mut read = 0;
        while !streams.is_empty() {
            let mut next = Vec::new();
            for mut entities in streams.drain(..) {
                if let Some(item) = entities.next().await {
                    item.unwrap();
                    read += 1;
                    next.push(entities);
                }
            }
            streams = next;
        }
        read
    };
    let read = tokio::time::timeout(Duration::from_secs(3600), in_turn)
        .await
        .unwrap();
    assert_eq!(read, 5 * 5 * 3);
}

#[tokio::test(start_paused = true)]
async fn before_its_end_a_read_is_incomplete() {
    let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::page(numbered(25))));
    let mut entities = stream(&rig.engine(PAGED, &items("/items", "{}")));
    for read in 0..25 {
        let outcome = entities.outcome();
        assert_eq!(outcome.cause().unwrap().name(), "NotFinished", "{read}");
        entities.next().await.unwrap().unwrap();
    }
    assert!(
        !entities.outcome().is_complete(),
        "its end was not asked for"
    );
    assert!(entities.next().await.is_none());
    assert!(entities.outcome().is_complete());
    assert!(
        entities.next().await.is_none(),
        "an ended stream stays ended"
    );
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_read_of_a_list_ends_in_an_error() {
    let html = Answer::text("<html>maintenance</html>");
    let faults: Vec<(&str, Answer)> = vec![
        ("status", Answer::status(400)),
        ("forbidden", Answer::status(403)),
        ("failing", Answer::status(503)),
        ("connect", Answer::breaks(Broken::Connect)),
        ("cut", Answer::breaks(Broken::Truncated)),
        ("html", html),
        ("cut JSON", Answer::status(200).with_body("[{\"id\": 1}")),
        ("nothing", Answer::json(json!({"error": "over quota"}))),
        ("null", Answer::json(Value::Null)),
    ];
    for (what, fault) in faults {
        for page in 1..=3 {
            let rig = Rig::new(
                ScriptedApi::new()
                    .pages(
                        "/items",
                        Pages::page(numbered(25)).under("items").total("total"),
                    )
                    .faults("/items", page.., fault.clone()),
            );
            let read = rig
                .read_in_order(PAGED, &items("/items", "{data_path: .items}"))
                .await;
            let (last, entities) = read.split_last().unwrap();
            assert!(last.is_err(), "{what} on page {page}: {read:?}");
            assert!(
                entities.iter().all(Result::is_ok),
                "{what} on page {page}: {read:?}"
            );
            assert_eq!(
                entities.len() as u64,
                (page - 1) * 10,
                "{what} on page {page}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_incomplete_read_gives_an_error_and_no_complete_one_does() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/failed-record", json!([{"id": 1}, {}]))
            .json(
                "/not-paged",
                json!({"items": [{"id": 1}], "has_more": true}),
            )
            .json("/fine", json!([{"id": 1}]))
            .json("/empty", json!([])),
    );
    for (kind, complete) in [
        ("/failed-record", false),
        ("/not-paged", false),
        ("/fine", true),
        ("/empty", true),
    ] {
        let read = rig
            .read(
                "",
                &items(
                    kind,
                    "{data_path: 'if type == \"object\" then .items else . end'}",
                ),
            )
            .await;
        assert_eq!(read.outcome.is_complete(), complete, "{kind}");
        assert_eq!(read.errors.is_empty(), complete, "{kind}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_can_be_moved_to_another_task() {
    fn movable<S: Stream + Send + Unpin + 'static>(stream: S) -> S {
        stream
    }
    let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::page(numbered(25))));
    let entities = movable(stream(&rig.engine(PAGED, &items("/items", "{}"))));
    let count = tokio::spawn(entities.count()).await.unwrap();
    assert_eq!(count, 25);
}

#[tokio::test(start_paused = true)]
async fn events_tell_each_page_in_order_between_start_and_finish() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/items", Pages::page(numbered(25)))
            .fault("/items", 2, Answer::status(503)),
    );
    let log = Arc::new(Mutex::new(Vec::new()));
    let noted = log.clone();
    let config = config(PAGED, &items("/items", "{}")).unwrap();
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .observer(move |event: &Event<'_>| {
            let line = match event {
                Event::ResourceStarted { kind, .. } => format!("started {kind}"),
                Event::Page {
                    pages,
                    records,
                    entities,
                    ..
                } => format!("page {pages}: {records} {entities}"),
                Event::ResourceFinished { outcome, .. } => {
                    format!("finished {}", outcome.is_complete())
                }
                Event::Request { attempt, .. } => {
                    format!("request {:?}", attempt.status.map(|status| status.as_u16()))
                }
                other => format!("{other:?}"),
            };
            noted.lock().unwrap().push(line);
        })
        .build()
        .unwrap();
    assert_eq!(stream(&engine).count().await, 25);
    let log = log.lock().unwrap();
    assert_eq!(log.first().unwrap(), "started /items");
    assert_eq!(log.last().unwrap(), "finished true");
    let pages: Vec<&String> = log.iter().filter(|line| line.starts_with("page")).collect();
    assert_eq!(pages, ["page 1: 10 10", "page 2: 20 20", "page 3: 25 25"]);
    let requests: Vec<&String> = log
        .iter()
        .filter(|line| line.starts_with("request"))
        .collect();
    assert_eq!(
        requests,
        [
            "request Some(200)",
            "request Some(503)",
            "request Some(200)",
            "request Some(200)"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_hundred_streams_of_one_engine_share_its_limit() {
    let rig = slow(
        tickets(3).pages("/items", Pages::page(numbered(25))),
        Duration::from_millis(100),
    );
    let mapping = nested()
        + r#"
  - kind: /items
    port: {entity: {mappings: {identifier: .id, blueprint: '"item"'}}}
"#;
    let engine = rig.engine(
        "maxConcurrentRequests: 7\npaginationType: page\npageSize: 10",
        &mapping,
    );
    let streams = (0..100).map(|n| engine.entities(&engine.resources()[n % 2]).count());
    let counts = futures::future::join_all(streams).await;
    for (n, count) in counts.into_iter().enumerate() {
        assert_eq!(count, if n % 2 == 0 { 75 } else { 25 });
    }
    assert_eq!(rig.network.peak_in_flight(), 7);
}
