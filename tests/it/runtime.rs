//! Running on: when a sync begins, what Port is told, and how the process is stopped. Time is paused.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_engine::config::Config;
use longshore_engine::mapping::Entity;
use longshore_engine::runtime::{News, Runtime, Stopped, Telemetry, Trigger};
use longshore_engine::{
    Cancel, EngineBuilder, Error, Evidence, Mark, PortSink, PortSinkOptions, Reconciled, Report,
    Sink, Written,
};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::rig::{API, Rig};

const MINUTE: Duration = Duration::from_secs(60);

fn users() -> Value {
    json!([{"id": 1, "name": "Ada Lovelace", "email": "ada@lovelace.example", "active": true}, {"id": 2, "name": null}])
}

fn mapping(blueprint: &str) -> Value {
    json!({"resources": [{
        "kind": "/api/v1/users",
        "selector": {"query": "true"},
        "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": format!("\"{blueprint}\"")}}},
    }]})
}

fn rig() -> Rig {
    rig_of(ScriptedApi::new().json("/api/v1/users", users()))
}

fn rig_of(api: ScriptedApi) -> Rig {
    Rig::with_port(api, PortDouble::new().integration("test", mapping("user")))
}

/// What a person hears, with the time since the start.
#[derive(Clone, Debug, Default)]
struct Heard(Arc<Mutex<Vec<(Duration, String)>>>);

impl Heard {
    fn syncs(&self) -> Vec<(u64, String)> {
        let heard = self.0.lock().unwrap();
        let begun = heard.iter().filter(|(_, what)| what.starts_with("begun"));
        begun
            .map(|(at, what)| (at.as_secs(), what["begun by ".len()..].to_owned()))
            .collect()
    }

    fn all(&self) -> Vec<String> {
        let heard = self.0.lock().unwrap();
        heard.iter().map(|(_, what)| what.clone()).collect()
    }
}

struct Running {
    heard: Heard,
    telemetry: Telemetry,
    cancel: Cancel,
    task: tokio::task::JoinHandle<Stopped>,
}

/// A process that runs on, with the mapping at Port unless a file is given.
fn start(rig: &Rig, connection: &str, file: Option<&str>) -> Running {
    let (mut runtime, heard, telemetry, cancel) = runtime(rig, connection, file);
    Running {
        task: tokio::spawn(async move { runtime.poll().await }),
        heard,
        telemetry,
        cancel,
    }
}

fn runtime(rig: &Rig, connection: &str, file: Option<&str>) -> (Runtime, Heard, Telemetry, Cancel) {
    runtime_into(rig, connection, file, |sink| sink)
}

/// One whose sinks are what `wrap` makes of them.
fn runtime_into(
    rig: &Rig,
    connection: &str,
    file: Option<&str>,
    wrap: impl Fn(Arc<dyn Sink>) -> Arc<dyn Sink> + Send + Sync + 'static,
) -> (Runtime, Heard, Telemetry, Cancel) {
    let text =
        format!("integration: {{identifier: test, config: {{baseUrl: '{API}'}}}}\n{connection}");
    let mut loader = Config::loader().connection_text("connection.yaml", &text);
    if let Some(file) = file {
        loader = loader.mapping_text("mapping.yaml", file);
    }
    let config = loader.load().unwrap();
    let telemetry = Telemetry::new().with_examples(config.port.send_raw_data_examples);
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .seed(7)
        .observer(telemetry.clone())
        .build()
        .unwrap();
    let (port, heard, cancel) = (rig.port_client(), Heard::default(), Cancel::new());
    let (to_port, hears, began) = (port.clone(), heard.clone(), Instant::now());
    let runtime = Runtime::new(config, engine, port, move |mapping| {
        wrap(Arc::new(
            PortSink::new(to_port.clone()).options(PortSinkOptions::from(mapping)),
        ))
    })
    .telemetry(telemetry.clone())
    .cancel(cancel.clone())
    .on_news(move |news| {
        let what = match news {
            News::Begun(trigger) => format!("begun by {trigger}"),
            News::Ended(report) if report.is_clean() => "ended well".to_owned(),
            News::Ended(report) => format!("ended badly: {report}"),
            News::Created(created) => created.to_string(),
            News::Problem(problem) => format!("problem: {problem}"),
            News::Warning(warning) => format!("warning: {warning}"),
            _ => "something".to_owned(),
        };
        hears.0.lock().unwrap().push((began.elapsed(), what));
    });
    (runtime, heard, telemetry, cancel)
}

async fn minutes(count: u32) {
    tokio::time::sleep(MINUTE * count).await;
}

async fn stop(running: Running) -> Stopped {
    running.cancel.cancel();
    running.task.await.unwrap()
}

fn by(trigger: Trigger) -> String {
    trigger.to_string()
}

// When a sync begins

#[tokio::test(start_paused = true)]
async fn polling_syncs_at_the_start_and_then_waits_for_a_reason() {
    let rig = rig();
    let running = start(&rig, "", None);
    minutes(30).await;
    assert_eq!(running.heard.syncs(), [(0, by(Trigger::Start))]);
    assert_eq!(rig.port.identifiers("user"), ["1", "2"]);
    // About one question a minute.
    let asked = rig.port.count(PortCall::ResyncRequest);
    assert!((28..=32).contains(&asked), "{asked}");
    assert_eq!(stop(running).await, Stopped::Idle);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn without_resync_on_start_the_first_reason_counts() {
    let rig = rig();
    let running = start(
        &rig,
        "eventListener: {type: POLLING, resyncOnStart: false, interval: 30}",
        None,
    );
    minutes(5).await;
    assert_eq!(
        (running.heard.syncs(), rig.api.requests().len()),
        (vec![], 0)
    );
    let _ = rig.port.clone().request_resync("test");
    minutes(1).await;
    let syncs = running.heard.syncs();
    assert_eq!(syncs.len(), 1, "{syncs:?}");
    assert!((300..=331).contains(&syncs[0].0), "{syncs:?}");
    assert_eq!(syncs[0].1, by(Trigger::Request));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_served_once_and_one_from_before_the_start_not_again() {
    let rig = rig();
    let _ = rig.port.clone().request_resync("test");
    let running = start(&rig, "", None);
    minutes(10).await;
    assert_eq!(running.heard.syncs().len(), 1, "{:?}", running.heard.all());
    let _ = rig.port.clone().request_resync("test");
    minutes(10).await;
    let _ = rig.port.clone().request_resync("test");
    let _ = rig.port.clone().request_resync("test");
    minutes(10).await;
    let triggers: Vec<_> = running
        .heard
        .syncs()
        .into_iter()
        .map(|(_, by)| by)
        .collect();
    assert_eq!(
        triggers,
        [
            by(Trigger::Start),
            by(Trigger::Request),
            by(Trigger::Request)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_during_a_sync_is_served_after_it_and_nothing_overlaps() {
    // A sync takes 5 minutes.
    let api = ScriptedApi::new().on("/api/v1/users", |_| Answer::json(users()).after(MINUTE * 5));
    let rig = rig_of(api);
    let running = start(&rig, "scheduledResyncInterval: 2", None);
    minutes(2).await;
    let _ = rig.port.clone().request_resync("test");
    minutes(18).await;
    let heard = running.heard.all();
    let mut under_way = 0;
    for what in &heard {
        under_way += i32::from(what.starts_with("begun")) - i32::from(what.starts_with("ended"));
        assert!((0..=1).contains(&under_way), "{heard:?}");
    }
    assert!(running.heard.syncs().len() >= 3, "{heard:?}");
}

#[tokio::test(start_paused = true)]
async fn a_changed_mapping_at_port_is_synced_with_and_our_own_reports_are_no_change() {
    let rig = rig();
    let running = start(&rig, "", None);
    minutes(10).await;
    assert_eq!(running.heard.syncs().len(), 1);
    rig.port.set_mapping("test", mapping("person"));
    minutes(2).await;
    assert_eq!(running.heard.syncs()[1].1, by(Trigger::Change));
    assert_eq!(rig.port.identifiers("person"), ["1", "2"]);
    minutes(10).await;
    assert_eq!(running.heard.syncs().len(), 2, "{:?}", running.heard.all());
}

#[tokio::test(start_paused = true)]
async fn a_mapping_with_mistakes_is_told_once_and_mended_without_a_restart() {
    let rig = rig();
    rig.port
        .set_mapping("test", json!({"resources": [{"kind": "/api/v1/users"}]}));
    let running = start(&rig, "", None);
    minutes(10).await;
    let heard = running.heard.all();
    let problems = heard.iter().filter(|what| what.contains("port")).count();
    assert_eq!(problems, 1, "{heard:?}");
    assert_eq!(rig.api.requests().len(), 0);
    rig.port.set_mapping("test", mapping("user"));
    minutes(2).await;
    assert_eq!(running.heard.syncs().len(), 1, "{:?}", running.heard.all());
    assert_eq!(rig.port.identifiers("user"), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_schedule_begins_a_sync_by_the_clock_and_any_other_sync_starts_it_anew() {
    let rig = rig();
    let running = start(&rig, "scheduledResyncInterval: 60", None);
    minutes(90).await;
    let _ = rig.port.clone().request_resync("test");
    minutes(89).await;
    let syncs = running.heard.syncs();
    let triggers: Vec<_> = syncs.iter().map(|(_, by)| by.clone()).collect();
    assert_eq!(
        triggers,
        [
            Trigger::Start,
            Trigger::Schedule,
            Trigger::Request,
            Trigger::Schedule
        ]
        .map(by),
    );
    assert_eq!(syncs[1].0, 3600);
    assert_eq!(syncs[3].0 - syncs[2].0, 3600, "{syncs:?}");
}

/// Every request for the integration fails for a while, whatever is asked first.
fn away_for_a_while(rig: &Rig, requests: u64) {
    let next = rig.port.count(PortCall::Integration) as u64 + 1;
    let numbers = next..next + requests;
    let _ = rig
        .port
        .clone()
        .faults(PortCall::Integration, numbers, Answer::status(500));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_while_port_fails_is_served_when_it_does_not() {
    for file in [None, Some(THREE_RESOURCES)] {
        let rig = rig();
        let running = start(&rig, "", file);
        minutes(5).await;
        let _ = rig.port.clone().request_resync("test");
        // All six attempts of several questions about the integration.
        away_for_a_while(&rig, 24);
        minutes(10).await;
        let syncs = running.heard.syncs();
        assert_eq!(syncs.len(), 2, "{:?}", running.heard.all());
        assert_eq!(syncs[1].1, by(Trigger::Request));
        minutes(10).await;
        assert_eq!(running.heard.syncs().len(), 2, "served once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_scheduled_sync_that_cannot_begin_is_tried_at_the_next_question() {
    let rig = rig();
    let running = start(&rig, "scheduledResyncInterval: 60", None);
    minutes(59).await;
    away_for_a_while(&rig, 12);
    minutes(10).await;
    let syncs = running.heard.syncs();
    assert_eq!(syncs.len(), 2, "{:?}", running.heard.all());
    assert_eq!(syncs[1].1, by(Trigger::Schedule));
    assert!((3600..=3600 + 240).contains(&syncs[1].0), "{syncs:?}");
    minutes(30).await;
    assert_eq!(running.heard.syncs().len(), 2);
}

// Trouble

#[tokio::test(start_paused = true)]
async fn a_failed_sync_ends_nothing_and_the_next_one_does_the_rest() {
    let api = ScriptedApi::new().on("/api/v1/users", |_| Answer::status(401));
    let rig = rig_of(api.clone());
    let running = start(&rig, "scheduledResyncInterval: 10", None);
    minutes(15).await;
    assert_eq!(running.heard.syncs().len(), 2);
    let _ = api.json("/api/v1/users", users());
    minutes(10).await;
    assert_eq!(
        rig.port.identifiers("user"),
        ["1", "2"],
        "{:?}",
        running.heard.all()
    );
    assert_eq!(running.heard.all().last().unwrap(), "ended well");
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_away_at_the_start_is_waited_for() {
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .faults(PortCall::Token, 1..=30, Answer::status(503));
    let rig = Rig::with_port(ScriptedApi::new().json("/api/v1/users", users()), port);
    let running = start(&rig, "", None);
    minutes(2).await;
    assert_eq!(running.heard.syncs().len(), 0);
    assert!(
        running.heard.all()[0].starts_with("problem: Port:"),
        "{:?}",
        running.heard.all()
    );
    minutes(20).await;
    assert_eq!(running.heard.syncs().len(), 1, "{:?}", running.heard.all());
    assert_eq!(rig.port.identifiers("user"), ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_sync_ends_that_sync_alone() {
    let rig = rig();
    let count = Mutex::new(0);
    let (mut runtime, heard, _, cancel) =
        runtime_into(&rig, "scheduledResyncInterval: 5", None, move |sink| {
            let mut count = count.lock().unwrap();
            *count += 1;
            match *count {
                1 => Arc::new(Panicking),
                _ => sink,
            }
        });
    let task = tokio::spawn(async move { runtime.poll().await });
    minutes(7).await;
    let all = heard.all();
    assert!(all.iter().any(|what| what.contains("a panic")), "{all:?}");
    assert_eq!(all.last().unwrap(), "ended well");
    cancel.cancel();
    assert_eq!(task.await.unwrap(), Stopped::Idle);
}

#[derive(Debug)]
struct Panicking;

#[async_trait::async_trait]
impl Sink for Panicking {
    async fn begin(&self) -> Result<Mark, Error> {
        panic!("on order")
    }

    async fn write(&self, _entities: Vec<Entity>) -> Result<Written, Error> {
        unreachable!("it did not begin")
    }

    async fn reconcile(&self, _evidence: Evidence) -> Result<Reconciled, Error> {
        unreachable!("it did not begin")
    }
}

// Stopping

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_ends_a_wait_at_once_and_a_sync_within_ten_seconds_with_its_report() {
    let rig = rig();
    let running = start(&rig, "", None);
    minutes(3).await;
    let told = Instant::now();
    assert_eq!(stop(running).await, Stopped::Idle);
    assert!(told.elapsed() < Duration::from_secs(1));

    let api = ScriptedApi::new().on("/api/v1/users", |_| Answer::json(users()).after(MINUTE));
    let rig = rig_of(api);
    let _ = rig.port.clone().stale_entity("user", "gone");
    let running = start(&rig, "", None);
    tokio::time::sleep(Duration::from_secs(10)).await;
    let (told, heard) = (Instant::now(), running.heard.clone());
    assert_eq!(stop(running).await, Stopped::DuringSync);
    assert!(
        told.elapsed() < Duration::from_secs(10),
        "{:?}",
        told.elapsed()
    );
    let last = heard.all().pop().unwrap();
    assert!(last.contains("Cancelled"), "{last}");
    assert_eq!(rig.port.deleted(), []);
    assert_eq!(
        rig.port.resync_states("test").last().unwrap()["status"],
        "aborted"
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_while_port_is_away_ends_at_once() {
    let port = PortDouble::new().faults(PortCall::Token, 1.., Answer::status(503));
    let rig = Rig::with_port(ScriptedApi::new(), port);
    let running = start(&rig, "", None);
    minutes(2).await;
    let told = Instant::now();
    assert_eq!(stop(running).await, Stopped::Idle);
    assert!(told.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_before_a_single_sync_begins_gives_a_report_as_well() {
    let rig = rig();
    let _ = rig.port.clone().faults(
        PortCall::Integration,
        1..,
        Answer::status(200).after(MINUTE * 60),
    );
    let (mut runtime, heard, _, cancel) = runtime(&rig, "", None);
    let task = tokio::spawn(async move { runtime.once().await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    cancel.cancel();
    assert!(!task.await.unwrap().unwrap().is_clean());
    let last = heard.all().pop().unwrap();
    assert!(
        last.starts_with("ended badly") && last.contains("cancelled"),
        "{last}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_word_to_stop_while_examples_hang_comes_after_the_state_was_told() {
    let rig = rig();
    let _ = rig.port.clone().faults(
        PortCall::Examples,
        1..,
        Answer::status(200).after(MINUTE * 60),
    );
    let running = start(&rig, "", None);
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(rig.port.count(PortCall::Examples), 1);
    let told = Instant::now();
    assert_eq!(stop(running).await, Stopped::Idle);
    assert!(told.elapsed() < Duration::from_secs(10));
    let states = rig.port.resync_states("test");
    assert_eq!(states.last().unwrap()["status"], "completed");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_port_refuses_are_asked_for_once_and_said_once() {
    let port = PortDouble::new().credentials("id", "another");
    let rig = Rig::with_port(ScriptedApi::new().json("/api/v1/users", users()), port);
    let (mut runtime, heard, ..) = runtime(&rig, "", Some(THREE_RESOURCES));
    let error = runtime.once().await.unwrap_err().to_string();
    assert!(error.contains("OCEAN__PORT__CLIENT_SECRET"), "{error}");
    assert_eq!(heard.all(), Vec::<String>::new());
    assert_eq!(rig.port.count(PortCall::Token), 1);
    assert_eq!(rig.api.requests().len(), 0);
}

// What Port is told

#[tokio::test(start_paused = true)]
async fn two_resources_of_one_kind_have_counts_of_their_own() {
    let api = ScriptedApi::new()
        .json("/api/v1/users", users())
        .json("/api/v1/users/1/devices", json!([{"id": "a"}]))
        .json("/api/v1/users/2/devices", json!([{"id": "b"}]));
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .takes_kinds();
    let rig = Rig::with_port(api, port);
    let (mut runtime, _, telemetry, _) = runtime(&rig, "", Some(THREE_RESOURCES));
    runtime.once().await.unwrap();
    let metrics = telemetry.metrics();
    for line in [
        "object_count{kind=\"/api/v1/users-0\",phase=\"load\",object_count_type=\"loaded\"} 2",
        "object_count{kind=\"/api/v1/users-1\",phase=\"load\",object_count_type=\"loaded\"} 1",
        "object_count{kind=\"/api/v1/users/{id}/devices-2\",phase=\"load\",object_count_type=\"loaded\"} 2",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    for name in ["/api/v1/users-0", "/api/v1/users-1"] {
        let line = format!("duration_seconds{{kind=\"{name}\",phase=\"resync\"}}");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    let loaded = |name: &str| {
        let told = rig.port.kinds();
        let last = told.iter().rfind(|kind| kind["kindIdentifier"] == name);
        last.unwrap()["metrics"]["phase"]["load"]["object_count_type"]["loaded"]["object_count"]
            .clone()
    };
    assert_eq!(
        (loaded("/api/v1/users-0"), loaded("/api/v1/users-1")),
        (json!(2), json!(1))
    );
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_one_kind_calls_it_by_its_place_in_the_mapping_everywhere() {
    let api = ScriptedApi::new()
        .json("/api/v1/users", users())
        .on("/api/v1/users/{id}/devices", |_| Answer::json(json!([])));
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .takes_kinds();
    let rig = Rig::with_port(api, port);
    let (runtime, _, telemetry, _) = runtime(&rig, "", Some(THREE_RESOURCES));
    let only = "/api/v1/users/{id}/devices";
    runtime.kinds([only]).once().await.unwrap();
    let metrics = telemetry.metrics();
    assert!(
        metrics.contains("success{kind=\"/api/v1/users/{id}/devices-2\",phase=\"resync\"} 1"),
        "{metrics}"
    );
    assert!(!metrics.contains("devices-0"), "{metrics}");
    let told = told_of_kinds(&rig);
    assert!(
        told.iter()
            .all(|told| told.starts_with("/api/v1/users/{id}/devices-2 ")),
        "{told:?}"
    );
    assert!(told.last().unwrap().contains(" completed "), "{told:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_whose_entities_are_refused_is_no_success() {
    let api = ScriptedApi::new()
        .json("/api/v1/users", users())
        .on("/api/v1/users/{id}/devices", |_| Answer::json(json!([])));
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .takes_kinds()
        .rejects("active", "1", 422, "no");
    let rig = Rig::with_port(api, port);
    let (mut runtime, _, telemetry, _) = runtime(&rig, "", Some(THREE_RESOURCES));
    runtime.once().await.unwrap();
    let metrics = telemetry.metrics();
    for (name, success) in [("users-0", 1), ("users-1", 0), ("users/{id}/devices-2", 1)] {
        let line = format!("success{{kind=\"/api/v1/{name}\",phase=\"resync\"}} {success}");
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
        let told = told_of_kinds(&rig);
        let name = format!("/api/v1/{name} ");
        let of: Vec<_> = told.iter().filter(|told| told.starts_with(&name)).collect();
        let status = if success == 1 {
            " completed "
        } else {
            " failed "
        };
        assert!(of.last().unwrap().contains(status), "{told:?}");
        // Never said to be well before it was.
        assert!(
            success == 1 || !of.iter().any(|told| told.contains("completed")),
            "{told:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn port_is_told_how_it_goes_and_gets_masked_examples_of_each_kind() {
    let rig = rig();
    let running = start(&rig, "scheduledResyncInterval: 60", None);
    minutes(5).await;
    let states = rig.port.resync_states("test");
    let told: Vec<_> = states
        .iter()
        .map(|state| state["status"].as_str().unwrap())
        .collect();
    assert_eq!(told, ["running", "completed"]);
    assert_eq!(states[1]["intervalInMinuets"], 60);
    assert!(states[1]["lastResyncEnd"].is_string() && states[1]["nextResync"].is_string());
    assert_eq!(
        rig.port.examples("/api/v1/users"),
        [
            json!({"id": 0, "name": "xxxxxxxxxxxx", "email": "user@example.com", "active": true}),
            json!({"id": 0, "name": null}),
        ]
    );
    assert!(!format!("{:?}", running.telemetry).contains("Lovelace"));
}

#[tokio::test(start_paused = true)]
async fn five_examples_at_most_and_none_where_they_are_not_wanted() {
    let many: Vec<Value> = (0..50).map(|id| json!({ "id": id })).collect();
    let rig = rig_of(ScriptedApi::new().json("/api/v1/users", json!(many)));
    let running = start(&rig, "", None);
    minutes(2).await;
    assert_eq!(rig.port.examples("/api/v1/users").len(), 5);
    drop(running);
    let rig = rig_of(ScriptedApi::new().json("/api/v1/users", json!(many)));
    let running = start(&rig, "sendRawDataExamples: false", None);
    minutes(2).await;
    assert_eq!(rig.port.count(PortCall::Examples), 0);
    drop(running);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_takes_no_reports_and_examples_still_gets_its_entities() {
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .faults(PortCall::ResyncState, 1.., Answer::status(404))
        .faults(PortCall::Examples, 1.., Answer::status(404));
    let rig = Rig::with_port(ScriptedApi::new().json("/api/v1/users", users()), port);
    let (mut runtime, heard, ..) = runtime(&rig, "", None);
    let report = runtime.once().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    let problems = heard
        .all()
        .iter()
        .filter(|what| what.starts_with("problem"))
        .count();
    assert!(problems >= 2, "{:?}", heard.all());
}

/// As `kind-place state`, with what was read.
fn told_of_kinds(rig: &Rig) -> Vec<String> {
    let told = rig.port.kinds().into_iter();
    told.map(|kind| {
        format!(
            "{} {} {}",
            kind["kindIdentifier"].as_str().unwrap(),
            kind["syncState"].as_str().unwrap(),
            kind["metrics"]["phase"]["extract"]["object_count_type"]["raw_extracted"]["object_count"],
        )
    })
    .collect()
}

const THREE_RESOURCES: &str = r#"
resources:
  - kind: /api/v1/users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
  - kind: /api/v1/users
    selector: {query: '.active == true'}
    port: {entity: {mappings: {identifier: .id, blueprint: '"active"'}}}
  - kind: /api/v1/users/{id}/devices
    selector: {path_parameters: {id: {endpoint: /api/v1/users, field: .id}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"device"'}}}
"#;

#[tokio::test(start_paused = true)]
async fn port_is_told_how_each_kind_goes_where_it_wants_to_know() {
    let api = ScriptedApi::new()
        .json("/api/v1/users", users())
        .on("/api/v1/users/{id}/devices", |_| Answer::status(403));
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .takes_kinds();
    let rig = Rig::with_port(api, port);
    let (mut runtime, heard, ..) = runtime(&rig, "", Some(THREE_RESOURCES));
    runtime.once().await.unwrap();
    let told = told_of_kinds(&rig);
    let (users, active, devices) = (
        "/api/v1/users-0",
        "/api/v1/users-1",
        "/api/v1/users/{id}/devices-2",
    );
    let of = |name: &str| -> Vec<String> {
        let of = told.iter().filter_map(|told| told.strip_prefix(name));
        of.map(str::to_owned).collect()
    };
    assert_eq!(of(users).first().unwrap(), " pending 0");
    assert_eq!(of(users).last().unwrap(), " completed 2");
    assert_eq!(of(active).last().unwrap(), " completed 2");
    assert_eq!(of(devices).last().unwrap(), " failed 0");
    assert!(told.contains(&format!("{users} syncing 0")), "{told:?}");
    // One name for the whole sync, and kinds are one segment of their path.
    let names: std::collections::BTreeSet<_> = rig
        .port
        .kinds()
        .iter()
        .map(|kind| kind["eventId"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 1);
    let last = rig.port.calls(PortCall::Kinds).pop().unwrap();
    assert!(
        last.url
            .path()
            .ends_with("/kind/%2Fapi%2Fv1%2Fusers%2F%7Bid%7D%2Fdevices-2"),
        "{}",
        last.url
    );
    assert_eq!(rig.port.violations(), Vec::<String>::new());
    assert!(
        !heard.all().iter().any(|what| what.starts_with("problem")),
        "{:?}",
        heard.all()
    );
}

#[tokio::test(start_paused = true)]
async fn a_port_that_cannot_be_told_of_kinds_is_told_the_rest_and_asked_no_further() {
    let port = PortDouble::new()
        .integration("test", mapping("user"))
        .takes_kinds()
        .faults(PortCall::Kinds, 1.., Answer::status(422));
    let rig = Rig::with_port(ScriptedApi::new().json("/api/v1/users", users()), port);
    let (mut runtime, heard, ..) = runtime(&rig, "", None);
    let report = runtime.once().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(rig.port.count(PortCall::Kinds), 1);
    let problems = heard
        .all()
        .into_iter()
        .filter(|what| what.starts_with("problem"));
    let problems: Vec<String> = problems.collect();
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("how each kind goes"), "{problems:?}");
    assert_eq!(
        rig.port.resync_states("test").last().unwrap()["status"],
        "completed"
    );
}

// Health and metrics

#[tokio::test(start_paused = true)]
async fn metrics_have_the_names_that_users_of_ocean_know() {
    let api = ScriptedApi::new().on("/api/v1/users", {
        let asked = Mutex::new(0);
        move |_| {
            let mut asked = asked.lock().unwrap();
            *asked += 1;
            match *asked {
                1 => Answer::status(429).header("Retry-After", "7"),
                _ => Answer::json(users()),
            }
        }
    });
    let rig = rig_of(api);
    let running = start(&rig, "", None);
    minutes(2).await;
    let metrics = running.telemetry.metrics();
    for line in [
        "success{kind=\"/api/v1/users-0\",phase=\"resync\"} 1",
        "success{kind=\"__runtime__\",phase=\"resync\"} 1",
        "object_count{kind=\"/api/v1/users-0\",phase=\"extract\",object_count_type=\"raw_extracted\"} 2",
        "object_count{kind=\"/api/v1/users-0\",phase=\"transform\",object_count_type=\"transformed\"} 2",
        "object_count{kind=\"/api/v1/users-0\",phase=\"transform\",object_count_type=\"filtered_out\"} 0",
        "object_count{kind=\"/api/v1/users-0\",phase=\"load\",object_count_type=\"loaded\"} 2",
        "object_count{kind=\"__runtime__\",phase=\"delete\",object_count_type=\"deleted\"} 0",
        "longshore_requests_total{kind=\"/api/v1/users\",status=\"429\"} 1",
        "longshore_requests_total{kind=\"/api/v1/users\",status=\"200\"} 1",
        "longshore_syncs_total{outcome=\"clean\"} 1",
        "longshore_sync_running 0",
    ] {
        assert!(
            metrics.lines().any(|found| found == line),
            "{line}\n{metrics}"
        );
    }
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.starts_with(name));
        let line = line.unwrap_or_else(|| panic!("{name}\n{metrics}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let waited = value("rate_limit_wait_seconds{kind=\"/api/v1/users-0\",phase=\"extract\"");
    assert!((7.0..=7.7).contains(&waited), "{waited}");
    let took = value("duration_seconds{kind=\"/api/v1/users-0\",phase=\"resync\"}");
    assert!((7.0..=9.0).contains(&took), "{took}");
    // Every family stands together, below its own help.
    let types: Vec<_> = metrics
        .lines()
        .filter(|line| line.starts_with("# TYPE"))
        .collect();
    let distinct: std::collections::BTreeSet<_> = types.iter().collect();
    assert_eq!(types.len(), distinct.len(), "{metrics}");
}

#[tokio::test(start_paused = true)]
async fn metrics_of_a_second_sync_count_what_was_there_and_of_what_waited_whose_it_is() {
    let mapping = json!({"resources": [
        {"kind": "/employees", "port": {"entity": {"mappings": {
            "identifier": ".id", "blueprint": "\"employee\"", "relations": {"boss": ".boss"},
        }}}},
    ], "createMissingRelatedEntities": false});
    // The first relates to one that comes after it.
    let api = ScriptedApi::new().json(
        "/employees",
        json!([{"id": "a", "boss": "b"}, {"id": "b", "boss": null}]),
    );
    let port = PortDouble::new()
        .integration("test", mapping)
        .relation("employee", "boss", "employee");
    let rig = Rig::with_port(api, port);
    let running = start(&rig, "scheduledResyncInterval: 60", None);
    minutes(1).await;
    let count = |what: &str| {
        let metrics = running.telemetry.metrics();
        let name = format!("object_count_type=\"{what}\"}} ");
        let found = metrics.lines().filter_map(|line| line.split_once(&name));
        let found = found
            .map(|(kind, count)| (kind.split('"').nth(1).unwrap().to_owned(), count.to_owned()));
        found.collect::<Vec<_>>()
    };
    let of = |kind: &str, count: &str| (kind.to_owned(), count.to_owned());
    assert_eq!(
        count("loaded"),
        [of("__runtime__", "1"), of("/employees-0", "1")],
        "{}",
        running.telemetry.metrics()
    );
    minutes(60).await;
    assert_eq!(count("loaded"), [of("/employees-0", "0")]);
    assert_eq!(count("skipped"), [of("/employees-0", "2")]);
}

#[tokio::test]
async fn health_is_answered_over_http_and_says_why_it_is_not_ready() {
    let port = PortDouble::new();
    let rig = Rig::with_port(
        ScriptedApi::new().json("/api/v1/users", users()),
        port.clone(),
    );
    let (mut runtime, _, telemetry, _) = runtime(&rig, "", None);
    let server = longshore_engine::runtime::serve("127.0.0.1:0".parse().unwrap(), telemetry)
        .await
        .unwrap();
    assert_eq!(get(&server, "/health/live").await.0, 200);
    assert_eq!(get(&server, "/health/ready").await.0, 503);
    runtime.once().await.unwrap_err();
    let _ = port.integration("test", mapping("user"));
    runtime.once().await.unwrap();
    let (status, body) = get(&server, "/health/ready").await;
    assert_eq!(status, 200);
    assert!(body.contains("\"status\":\"healthy\""), "{body}");
    // Older versions of Port's Helm chart probe this.
    assert_eq!(get(&server, "/docs").await.0, 200);
    assert_eq!(get(&server, "/metrics/").await.0, 200);
    assert_eq!(get(&server, "/nothing").await.0, 404);
    let (status, body) = get(&server, "/metrics").await;
    assert_eq!(status, 200);
    assert!(body.contains("# TYPE object_count gauge"), "{body}");
}

#[tokio::test]
async fn connections_of_the_health_server_end_with_it() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let (.., telemetry, _) = runtime(&rig(), "", None);
    let server = longshore_engine::runtime::serve("127.0.0.1:0".parse().unwrap(), telemetry)
        .await
        .unwrap();
    let mut stream = tokio::net::TcpStream::connect(server.address())
        .await
        .unwrap();
    let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'H');
    drop(server);
    let mut rest = Vec::new();
    let end = stream.read_to_end(&mut rest);
    let ended = tokio::time::timeout(Duration::from_secs(5), end).await;
    assert!(ended.is_ok(), "it is still open");
}

/// Status and the whole answer of a GET.
async fn get(server: &longshore_engine::runtime::Server, path: &str) -> (u16, String) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(server.address())
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    (answer[9..12].parse().unwrap(), answer)
}

// Once

#[tokio::test(start_paused = true)]
async fn once_reads_everything_once_and_gives_its_report() {
    let rig = rig();
    let (mut runtime, heard, ..) = runtime(&rig, "eventListener: {type: ONCE}", None);
    let report: Report = runtime.once().await.unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(heard.syncs().len(), 1);
    assert_eq!(rig.port.identifiers("user"), ["1", "2"]);
}
