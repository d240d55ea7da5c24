//! `authType: rotate`: several credentials for one API, each with a limit of its own.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_testkit::{Answer, ScriptedApi};
use serde_json::json;
use tokio::time::Instant;

use super::{chains, pass, well};
use crate::rig::{Read, Rig, config, items};

const LATENCY: Duration = Duration::from_millis(300);

const THREE: &str = r#"
authType: rotate
credentials:
  a: {authType: bearer_token, apiToken: a}
  b: {authType: api_key, apiKey: b, apiKeyHeader: Authorization, apiKeyPrefix: 'Bearer '}
rotate: [a, b, {authType: bearer_token, apiToken: c}]
"#;

/// An API that gives each token so many requests a minute, and tells the others to come back when the minute is over.
fn limited(each: usize) -> (Rig, Arc<Mutex<Vec<String>>>) {
    let served: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&served);
    let start = Instant::now();
    let windows: Mutex<std::collections::HashMap<(String, u64), usize>> = Mutex::default();
    let api = ScriptedApi::new().on("/items", move |call| {
        let token = call.request.headers["authorization"]
            .to_str()
            .unwrap()
            .replace("Bearer ", "");
        let now = start.elapsed().as_secs();
        let mut windows = windows.lock().unwrap();
        let used = windows.entry((token.clone(), now / 60)).or_default();
        if *used == each {
            return Answer::status(429).header("retry-after", &(60 - now % 60).to_string());
        }
        *used += 1;
        log.lock().unwrap().push(token);
        Answer::json(json!([{"id": 1}]))
    });
    (Rig::new(api), served)
}

/// What stood in line has its credentials from a time when nobody knew of the limit.
#[tokio::test(start_paused = true)]
async fn requests_that_stood_in_line_go_with_a_credential_that_is_free() {
    let refused: Arc<Mutex<Vec<String>>> = Arc::default();
    let (log, used) = (
        Arc::clone(&refused),
        Mutex::new(std::collections::HashMap::new()),
    );
    let api = ScriptedApi::new().on("/c/{x}", move |call| {
        let token = call.request.headers["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        let mut used = used.lock().unwrap();
        let used: &mut usize = used.entry(token.clone()).or_default();
        *used += 1;
        if *used > 30 {
            log.lock().unwrap().push(token);
            return Answer::status(429)
                .header("retry-after", "60")
                .after(LATENCY);
        }
        Answer::json(json!([{"id": call.parameter("x")}])).after(LATENCY)
    });
    let rig = Rig::new(api);
    let values: Vec<u64> = (0..80).collect();
    let selector = format!("{{path_parameters: {{x: {{values: {values:?}}}}}}}");
    let engine = rig.engine(THREE, &items("/c/{x}", &selector));
    let begin = Instant::now();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 80);
    assert!(begin.elapsed() < Duration::from_secs(10));
    // Those that were under way when the first was refused, of two credentials.
    let refused = refused.lock().unwrap().len();
    assert!(refused <= 2 * 10, "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_limited_credential_rests_while_the_next_goes_on_at_once() {
    let (rig, served) = limited(2);
    let engine = rig.engine(THREE, &items("/items", "{}"));
    let start = Instant::now();
    for _ in 0..6 {
        well(&engine).await;
        pass(Duration::from_secs(1)).await;
    }
    let elapsed = start.elapsed();
    assert_eq!(
        elapsed,
        Duration::from_secs(6),
        "no waiting while one is free"
    );
    assert_eq!(*served.lock().unwrap(), ["a", "a", "b", "b", "c", "c"]);
    assert_eq!(
        rig.api.requests().len(),
        8,
        "two of them heard that they are at their limit"
    );

    // All rest: the API gets a pause until the first is free.
    well(&engine).await;
    let waited = start.elapsed().as_secs_f64();
    assert!((60.0..=67.0).contains(&waited), "{waited}");

    // Long after all limits the one in use has its two, then comes the one whose limit lies back the longest.
    pass(Duration::from_secs(120)).await;
    for _ in 0..3 {
        well(&engine).await;
    }
    let served = served.lock().unwrap();
    let in_use = served[6].as_str();
    let next = if in_use == "a" { "b" } else { "a" };
    assert_eq!(served[7..], [in_use, in_use, next]);
}

#[tokio::test(start_paused = true)]
async fn more_credentials_than_attempts_are_all_tried_before_anybody_waits() {
    let (rig, served) = limited(1);
    let named: String = (0..12)
        .map(|n| format!("  k{n}: {{authType: bearer_token, apiToken: k{n}}}\n"))
        .collect();
    let names: Vec<String> = (0..12).map(|n| format!("k{n}")).collect();
    let engine = rig.engine(
        &format!(
            "authType: rotate\ncredentials:\n{named}rotate: [{}]",
            names.join(", ")
        ),
        &items("/items", "{}"),
    );
    let start = Instant::now();
    for _ in 0..11 {
        well(&engine).await;
    }
    assert_eq!(served.lock().unwrap().len(), 11);
    assert_eq!(start.elapsed(), Duration::ZERO);

    // Another engine knows of none of these limits and finds the last one free.
    let other = rig.engine(
        &format!(
            "authType: rotate\ncredentials:\n{named}rotate: [{}]",
            names.join(", ")
        ),
        &items("/items", "{}"),
    );
    well(&other).await;
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(served.lock().unwrap().last().unwrap(), "k11");
}

#[tokio::test(start_paused = true)]
async fn many_requests_at_once_learn_of_a_limit_together() {
    let (rig, served) = limited(10);
    let mapping = r#"
resources:
  - kind: /items
    selector: {query: 'true', query_params: {n: '1'}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"item"'}}}
"#;
    let engine = rig.engine(THREE, mapping);
    let start = Instant::now();
    let reads = (0..30).map(|_| Read::of(&engine, &engine.resources()[0]));
    for read in futures::future::join_all(reads).await {
        assert_eq!(read.identifiers(), ["1"], "{:?}", chains(&read));
    }
    assert_eq!(start.elapsed(), Duration::ZERO);
    let served = served.lock().unwrap().clone();
    for token in ["a", "b", "c"] {
        assert_eq!(
            served.iter().filter(|one| *one == token).count(),
            10,
            "{token}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_rotation_renews_the_credential_that_was_rejected_and_no_other() {
    let login = ScriptedApi::new().answers(
        "/token",
        [
            Answer::json(json!({"access_token": "old"})),
            Answer::json(json!({"access_token": "new"})),
        ],
    );
    let api = ScriptedApi::new()
        .bearer("new")
        .json("/items", json!([{"id": 1}]));
    let rig = super::two_hosts(api, login.clone());
    let connection = format!(
        "authType: rotate\nrotate:\n- {{authType: oauth2, tokenUrl: '{}/token', clientId: a, clientSecret: b}}\n- {{authType: bearer_token, apiToken: x}}",
        super::LOGIN
    );
    let engine = rig.engine(&connection, &items("/items", "{}"));
    well(&engine).await;
    assert_eq!((login.requests().len(), rig.api.requests().len()), (2, 2));
    pass(Duration::from_secs(1)).await;
    well(&engine).await;
    assert_eq!(login.requests().len(), 2);
}

#[test]
fn a_rotation_needs_credentials_that_can_be_told_apart() {
    let named = "credentials: {a: {authType: bearer_token, apiToken: x}, n: {authType: none}}\n";
    for (settings, said) in [
        (
            "",
            "rotate needs `rotate`, a list of names of `credentials`, which is not set",
        ),
        ("rotate: [a]", "must be a list of at least two"),
        ("rotate: [a, n]", "rotate[1]: is no credential"),
        ("rotate: [a, none]", "rotate[1]: is no credential"),
        (
            "rotate: [a, bb]",
            "rotate[1]: names no entry of `credentials`",
        ),
        (
            "rotate: [a, {authType: rotate, rotate: [a, a]}]",
            "is a rotation itself",
        ),
        (
            "rotate: [a, {authType: bearer_token}]",
            "bearer_token needs `apiToken`",
        ),
        (
            "rotate: [a, {apiToken: x}]",
            "rotate[1].authType: is not set",
        ),
    ] {
        let refused = config(
            &format!("{named}authType: rotate\n{settings}"),
            &items("/items", "{}"),
        )
        .unwrap_err()
        .to_string();
        assert!(refused.contains(said), "{settings}:\n{refused}");
    }
}

/// Names are in no order that matters.
#[tokio::test(start_paused = true)]
async fn a_rotation_may_have_a_name_wherever_that_sorts() {
    for name in ["a", "zz", "k1a"] {
        let (rig, served) = limited(1);
        let connection = format!(
            "credentials:\n  {name}: {{authType: rotate, rotate: [k1, k2]}}\n  k1: {{authType: bearer_token, apiToken: one}}\n  k2: {{authType: bearer_token, apiToken: two}}"
        );
        let engine = rig.engine(&connection, &items("/items", &format!("{{auth: {name}}}")));
        well(&engine).await;
        well(&engine).await;
        assert_eq!(*served.lock().unwrap(), ["one", "two"], "{name}");
    }
    for (a, b) in [("a", "b"), ("b", "a")] {
        let connection = format!(
            "credentials:\n  {a}: {{authType: rotate, rotate: [{b}, k1]}}\n  {b}: {{authType: rotate, rotate: [k1, k2]}}\n  k1: {{authType: bearer_token, apiToken: one}}\n  k2: {{authType: bearer_token, apiToken: two}}"
        );
        let refused = config(&connection, &items("/items", "{}"))
            .unwrap_err()
            .to_string();
        let said =
            format!("credentials.{a}.rotate[0]: is a rotation itself; list its credentials here");
        assert!(refused.contains(&said), "{refused}");
        assert_eq!(refused.matches("rotation itself").count(), 1, "{refused}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_has_nothing_left_rests_before_it_is_refused() {
    // Two requests a minute for each.
    let start = Instant::now();
    let used: Mutex<std::collections::HashMap<(String, u64), u64>> = Mutex::default();
    let served: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = Arc::clone(&served);
    let api = ScriptedApi::new().on("/items", move |call| {
        let token = call.request.headers["authorization"]
            .to_str()
            .unwrap()
            .replace("Bearer ", "");
        let now = start.elapsed().as_secs();
        let mut used = used.lock().unwrap();
        let used = used.entry((token.clone(), now / 60)).or_default();
        *used += 1;
        log.lock().unwrap().push(token);
        let answer = match *used > 2 {
            true => Answer::status(429),
            false => Answer::json(json!([{"id": 1}])),
        };
        answer
            .header(
                "x-ratelimit-remaining",
                &2u64.saturating_sub(*used).to_string(),
            )
            .header("x-ratelimit-reset", &(60 - now % 60).to_string())
    });
    let rig = Rig::new(api);
    let engine = rig.engine(THREE, &items("/items", "{}"));
    for _ in 0..6 {
        well(&engine).await;
    }
    assert_eq!(
        *served.lock().unwrap(),
        ["a", "a", "b", "b", "c", "c"],
        "none was refused"
    );
    assert_eq!(start.elapsed(), Duration::ZERO);
    // All rest: the first of them is asked, is refused, and then the API has its pause.
    well(&engine).await;
    assert!(start.elapsed() >= Duration::from_secs(60));
}
