//! Many parents: in the time that their requests take, in no more memory than few of them, and the first child long before the last parent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use longshore_engine::transport::{Error as TransportError, Request, Response, Transport};
use longshore_engine::{Engine, EngineBuilder, NdjsonSink};
use longshore_testkit::{Answer, Pages, ScriptedApi, Service, numbered, service_fn};
use serde_json::{Value, json};

use crate::rig::{Rig, config};

const ANSWER: Duration = Duration::from_millis(20);
const AT_ONCE: u32 = 10;

const CHILDREN: &str = r#"
resources:
  - kind: /parents/{id}/children
    selector: {pagination: {type: none}, path_parameters: {id: {endpoint: /parents, field: .id, pagination: {type: page, size: 100}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"child"', relations: {parent: .__id}}}}
"#;

/// Ten children of one parent.
fn ten(parent: &str) -> Vec<Value> {
    (0..10)
        .map(|n| json!({"id": format!("{parent}-{n}"), "name": format!("child {n} of {parent}")}))
        .collect()
}

fn family(parents: u64) -> ScriptedApi {
    let list = Pages::page(numbered(parents)).size(100);
    ScriptedApi::new()
        .pages("/parents", list)
        .on("/parents/{id}/children", |call| {
            Answer::json(ten(call.parameter("id")))
        })
}

#[tokio::test(start_paused = true)]
async fn a_thousand_parents_with_ten_children_take_the_time_of_their_requests() {
    let mut rig = Rig::new(family(1_000));
    rig.network = rig.network.clone().latency(ANSWER);
    let begin = tokio::time::Instant::now();
    let read = rig.read("", CHILDREN).await;
    let took = begin.elapsed();
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 10_000);
    let requests = rig.api.requests().len() as u32;
    let ideal = ANSWER * requests / AT_ONCE;
    println!("{requests} requests: {took:?}, ideal {ideal:?}");
    assert!(requests <= 1_011, "{requests}");
    assert!(took <= ideal * 115 / 100, "{took:?} instead of {ideal:?}");
}

/// Otherwise each permit is idle while the answer that it was used for is taken, mapped and handed on.
#[tokio::test(start_paused = true)]
async fn while_the_first_children_are_looked_at_as_many_again_are_asked_for() {
    let mut rig = Rig::new(family(1_000));
    rig.network = rig.network.clone().latency(ANSWER);
    let engine = rig.engine("", CHILDREN);
    let mut entities = engine.entities(&engine.resources()[0]);
    entities.next().await.unwrap().unwrap();
    tokio::time::sleep(ANSWER * 100).await;
    let paths = rig.api.paths();
    let children = paths.iter().filter(|path| path.ends_with("/children"));
    let asked = children.count() as u32;
    assert_eq!(
        asked,
        2 * AT_ONCE,
        "and no more for a consumer that is slow"
    );
}

/// The same in real time over sockets.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures real time: run it alone and in release"]
async fn a_thousand_parents_over_sockets() {
    let api = family(1_000);
    let answering = api.clone();
    let server = longshore_testkit::serve(service_fn(move |request| {
        let answering = answering.clone();
        async move {
            // A thread sleeps to within a tenth of a millisecond; tokio's timers would add one to each answer.
            let slept = tokio::task::spawn_blocking(|| std::thread::sleep(ANSWER)).await;
            slept.unwrap();
            Service::answer(&answering, request).await
        }
    }))
    .await;
    let connection = format!("baseUrl: {}", server.url);
    let config = longshore_engine::Config::loader()
        .connection_text("connection.yaml", &connection)
        .mapping_text("mapping.yaml", CHILDREN)
        .load()
        .unwrap();
    for _ in 0..5 {
        let engine = EngineBuilder::from_config(&config)
            .unwrap()
            .build()
            .unwrap();
        let before = api.requests().len();
        let begin = std::time::Instant::now();
        let mut entities = engine.entities(&engine.resources()[0]);
        let mut count = 0;
        while let Some(entity) = entities.next().await {
            entity.unwrap();
            count += 1;
        }
        let took = begin.elapsed();
        assert!(entities.outcome().is_complete());
        assert_eq!(count, 10_000);
        let requests = (api.requests().len() - before) as u32;
        let ideal = ANSWER * requests / AT_ONCE;
        println!(
            "{requests} requests: {took:?}, ideal {ideal:?}, ratio {:.3}",
            took.as_secs_f64() / ideal.as_secs_f64()
        );
        assert!(took <= ideal * 115 / 100, "{took:?} instead of {ideal:?}");
    }
}

/// Parents and children that are made as they are asked for, so that what is in memory is ours.
#[derive(Debug)]
struct Endless {
    parents: u64,
    /// Lists of children that end so are slow.
    slow: &'static str,
    pages_asked: AtomicU64,
}

impl Endless {
    fn new(parents: u64) -> Arc<Self> {
        Arc::new(Endless {
            parents,
            slow: "/slow",
            pages_asked: AtomicU64::new(0),
        })
    }
}

#[async_trait]
impl Transport for Endless {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let path = request.url.path();
        let body = match path {
            "/parents" => {
                self.pages_asked.fetch_add(1, Ordering::SeqCst);
                let page = request.url.query_pairs().find(|(name, _)| name == "page");
                let page: u64 = page.map_or(1, |(_, page)| page.parse().unwrap());
                let ids = (page - 1) * 100..(page * 100).min(self.parents);
                ids.map(|id| json!({"id": id, "name": format!("parent {id} {}", "x".repeat(500))}))
                    .collect()
            }
            path => vec![json!({"id": path.split('/').nth(2)})],
        };
        if path.ends_with(self.slow) {
            tokio::time::sleep(ANSWER * 5).await;
        } else {
            tokio::time::sleep(ANSWER).await;
        }
        Ok(Response::new(
            http::StatusCode::OK,
            http::HeaderMap::new(),
            Value::from(body).to_string(),
            request.url,
        ))
    }
}

fn two_kinds() -> String {
    ["quick", "slow"]
        .iter()
        .fold("resources:".to_owned(), |before, kind| {
            format!(
                r#"{before}
  - kind: /parents/{{id}}/{kind}
    selector: {{pagination: {{type: none}}, path_parameters: {{id: {{endpoint: /parents, field: .id, include: {{__name: .name}},
      pagination: {{type: page, size: 100}}}}}}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"{kind}"', title: .__name}}}}}}"#
            )
        })
}

/// What this process has in memory, in bytes.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = status.split_whitespace().nth(1).unwrap().parse().unwrap();
    pages * 4_096
}

fn engine_over(api: &Arc<Endless>, mapping: &str) -> Engine {
    EngineBuilder::from_config(&config("", mapping).unwrap())
        .unwrap()
        .transport(api.clone())
        .build()
        .unwrap()
}

/// Reads the children of so many parents. Says how many pages of parents were asked for when the first child came, and the most memory
/// that was in use after each tenth.
async fn read(parents: u64) -> (u64, Vec<u64>) {
    let api = Endless::new(parents);
    let engine = engine_over(&api, &two_kinds());
    let mut entities = engine.entities(&engine.resources()[0]);
    entities.next().await.unwrap().unwrap();
    let at_first = api.pages_asked.load(Ordering::SeqCst);
    let (mut count, mut memory) = (1, vec![resident()]);
    while let Some(entity) = entities.next().await {
        entity.unwrap();
        count += 1;
        if count % (parents / 10) == 0 {
            memory.push(resident());
        }
    }
    assert!(entities.outcome().is_complete());
    assert_eq!(count, parents);
    assert_eq!(api.pages_asked.load(Ordering::SeqCst), parents / 100 + 1);
    (at_first, memory)
}

#[tokio::test(start_paused = true)]
async fn the_first_child_comes_long_before_the_last_parents_are_asked_for() {
    let (at_first, _) = read(3_000).await;
    assert!(at_first <= 2, "{at_first} of 31 pages");
}

#[tokio::test(start_paused = true)]
#[ignore = "measures memory: run it alone and in release"]
async fn a_hundred_thousand_parents_take_no_more_memory_than_a_tenth_of_them() {
    let (at_first, memory) = read(100_000).await;
    assert!(at_first <= 2, "{at_first} of 1,001 pages");
    println!(
        "first child after {at_first} pages of 1001; MB: {:?}",
        in_mb(&memory)
    );
    assert!(memory[10] < memory[1] + (12 << 20));

    // Two kinds of the same parents, one of them five times slower, into a file: what waits for the slow one is spilled.
    let mut peaks = Vec::new();
    for parents in [10_000, 100_000] {
        let api = Endless::new(parents);
        let engine = engine_over(&api, &two_kinds());
        let file = tempfile::NamedTempFile::new().unwrap();
        let sink = NdjsonSink::file(file.path());
        let mut sync = Box::pin(engine.sync(&sink));
        let mut peak = 0;
        let report = loop {
            tokio::select! {
                biased;
                report = &mut sync => break report,
                () = tokio::time::sleep(Duration::from_secs(1)) => peak = peak.max(resident()),
            }
        };
        assert!(report.is_clean(), "{report}");
        assert_eq!(report.upserted, 2 * parents);
        assert_eq!(api.pages_asked.load(Ordering::SeqCst), parents / 100 + 1);
        peaks.push(peak);
    }
    println!(
        "two kinds, 10,000 and 100,000 parents: peak MB {:?}",
        in_mb(&peaks)
    );
    assert!(peaks[1] < peaks[0] + (48 << 20), "{:?}", in_mb(&peaks));
}

fn in_mb(bytes: &[u64]) -> Vec<u64> {
    bytes.iter().map(|bytes| bytes >> 20).collect()
}
