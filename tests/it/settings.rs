//! Settings of the transport and rules for answers, from the files to the requests.

use std::time::Duration;

use longshore_testkit::{Answer, Network, Pages, PortDouble, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::{API, Rig, config, items};

// onStatus

#[tokio::test(start_paused = true)]
async fn a_status_means_what_the_list_says_else_what_the_connection_says() {
    for (connection, selector, outcome, requests) in [
        ("onStatus: {404: empty}", "", "Status404", 1),
        (
            "onStatus: {404: empty}",
            "onStatus: {404: fail}",
            "RequestFailed",
            1,
        ),
        (
            "onStatus: {404: empty}",
            "onStatus: {403: empty}",
            "Status404",
            1,
        ),
        (
            "onStatus: {404: fail}",
            "onStatus: {404: empty}",
            "Status404",
            1,
        ),
        ("onStatus: {404: retry}", "", "RequestFailed", 6),
        ("", "onStatus: {404: retry}", "RequestFailed", 6),
        ("", "", "RequestFailed", 1),
    ] {
        let rig = Rig::new(ScriptedApi::new().answer("/items", Answer::status(404)));
        let read = rig
            .read(connection, &items("/items", &format!("{{{selector}}}")))
            .await;
        assert_eq!(read.end(), outcome, "{connection} {selector}");
        assert_eq!(rig.api.count("/items"), requests, "{connection} {selector}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_status_that_passes_by_the_rules_is_read_when_it_has_passed() {
    let api =
        ScriptedApi::new()
            .json("/items", numbered(3))
            .faults("/items", 1..=2, Answer::status(409));
    let rig = Rig::new(api);
    let read = rig
        .read("onStatus: {409: retry}", &items("/items", "{}"))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(rig.api.count("/items"), 3);
}

#[tokio::test(start_paused = true)]
async fn a_status_that_fails_by_the_rules_is_asked_for_once() {
    for status in [503, 429] {
        let limited = Answer::status(status).header("retry-after", "1");
        let rig = Rig::new(ScriptedApi::new().answer("/items", limited));
        let read = rig
            .read(
                &format!("onStatus: {{{status}: fail}}"),
                &items("/items", "{}"),
            )
            .await;
        assert_eq!(read.end(), "RequestFailed");
        assert_eq!(rig.api.count("/items"), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_is_told_in_the_unit_that_the_settings_name() {
    for (unit, least, most) in [
        ("", 40.0, 44.0),
        ("rateLimitReset: seconds", 40.0, 44.0),
        // Long past as a time, so the usual wait.
        ("rateLimitReset: epoch", 0.2, 0.3),
        ("rateLimitReset: epochMilliseconds", 0.2, 0.3),
    ] {
        let limited = Answer::status(429).header("x-ratelimit-reset", "40");
        let api = ScriptedApi::new()
            .json("/items", numbered(1))
            .faults("/items", 1..=1, limited);
        let rig = Rig::new(api);
        let begun = tokio::time::Instant::now();
        let read = rig.read(unit, &items("/items", "{}")).await;
        assert!(read.outcome.is_complete(), "{:?}", read.errors);
        let waited = begun.elapsed().as_secs_f64();
        assert!((least..=most).contains(&waited), "{unit}: {waited}");
    }
}

// successWhen, retryWhen

const SLACK: &str = r#"
successWhen: .ok == true
retryWhen: .error == 'ratelimited'
"#;

#[tokio::test(start_paused = true)]
async fn a_success_that_says_it_is_none_deletes_nothing() {
    for body in [
        json!({"ok": false, "error": "invalid_auth"}),
        json!({"ok": null, "members": []}),
        json!({"members": []}),
        json!({"ok": "true", "members": []}),
        json!([]),
    ] {
        let rig = Rig::with_port(
            ScriptedApi::new().json("/items", body.clone()),
            PortDouble::new().stale_entity("item", "1"),
        );
        let mapping = format!(
            "allowEmpty: true\n{}",
            items("/items", "{data_path: '.members'}")
        );
        let report = rig.sync(SLACK, &mapping).await;
        assert_eq!(
            report.resources[0].outcome, "incomplete",
            "{body}: {report}"
        );
        assert_eq!(rig.port.deleted(), []);
        assert_eq!(rig.api.count("/items"), 1, "{body}");
        assert!(
            !report.to_string().contains("invalid_auth"),
            "a body is shown: {report}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_that_says_it_failed_for_now_is_asked_for_again_after_the_told_wait() {
    let limited =
        Answer::json(json!({"ok": false, "error": "ratelimited"})).header("retry-after", "30");
    let api = ScriptedApi::new()
        .json("/items", json!({"ok": true, "members": numbered(2)}))
        .faults("/items", 1..=2, limited);
    let rig = Rig::new(api);
    let start = tokio::time::Instant::now();
    let read = rig
        .read(SLACK, &items("/items", "{data_path: .members}"))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!((read.entities.len(), rig.api.count("/items")), (2, 3));
    let waited = start.elapsed();
    assert!((60..67).contains(&waited.as_secs()), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn rules_about_bodies_hold_for_every_page_and_every_list() {
    // Page 2 of the children says that it failed; a parents' list has a rule of its own.
    let api = ScriptedApi::new()
        .json("/teams", json!({"status": "fine", "teams": [{"id": 1}]}))
        .on("/teams/{team}/members", |call| {
            match call.query("page").as_deref() {
                Some("1") => Answer::json(json!({"ok": true, "members": numbered(2), "total": 4})),
                _ => Answer::json(json!({"ok": false, "members": [], "total": 2})),
            }
        });
    let mapping = items(
        "/teams/{team}/members",
        "{data_path: .members, path_parameters: {team: {endpoint: /teams, field: .id, data_path: .teams, \
          success_when: .status == 'fine', pagination: none}}}",
    );
    let rig = Rig::new(api);
    let read = rig
        .read(
            "paginationType: page\npageSize: 2\nsuccessWhen: .ok",
            &mapping,
        )
        .await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(read.entities.len(), 2);
    let error = read.errors[0].to_string();
    assert!(
        error.contains("the body says that the request failed (successWhen `.ok` is not true)"),
        "{error}"
    );
}

// Origins

fn linked(to: &str) -> ScriptedApi {
    ScriptedApi::new().pages(
        "/items",
        Pages::next_link(numbered(5)).size(2).link_base(to),
    )
}

const LINKS: &str = "paginationType: next_link\nnextLinkPath: next\ncustomHeaders: {X-Team: payments}\napiToken: s3cret\nauthType: bearer_token\n";

#[tokio::test(start_paused = true)]
async fn links_that_name_the_host_behind_a_proxy_are_rebased_when_told() {
    let rig = Rig::new(linked("http://10.0.0.7:8080").bearer("s3cret"));
    let mapping = items("/items", "{data_path: .data}");
    let read = rig
        .read(&format!("{LINKS}nextLinkOrigin: rebase"), &mapping)
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 5);
    assert_eq!(rig.network.strangers().len(), 0);

    let rig = Rig::new(linked("http://10.0.0.7:8080").bearer("s3cret"));
    let read = rig.read(LINKS, &mapping).await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(rig.network.strangers().len(), 0);
    let error = read.errors[0].to_string();
    assert!(error.contains("nextLinkOrigin"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_allowed_origin_is_read_without_anything_of_ours() {
    let other = "https://mirror.example.com";
    let mirror = linked(other);
    let mut rig = Rig::new(linked(other).bearer("s3cret"));
    rig.network = Network::new()
        .at(API, rig.api.clone())
        .at(other, mirror.clone());
    let read = rig
        .read(
            &format!("{LINKS}allowedOrigins: ['{other}']"),
            &items("/items", "{data_path: .data, query_params: {mine: yes}}"),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 5);
    let asked = mirror.requests();
    assert_eq!(asked.len(), 2);
    for seen in asked {
        assert!(seen.headers.is_empty(), "{:?}", seen.headers);
        assert_eq!(seen.body, None);
    }
}

// Retries and quotas

#[tokio::test(start_paused = true)]
async fn the_retry_settings_say_how_often_and_how_long() {
    let rig = Rig::new(ScriptedApi::new().answer("/items", Answer::status(503)));
    let start = tokio::time::Instant::now();
    let read = rig
        .read(
            "retry: {attempts: 3, base: 40, cap: 80}",
            &items("/items", "{}"),
        )
        .await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(rig.api.count("/items"), 3);
    assert!(
        start.elapsed() > Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn the_retry_budget_holds_over_all_lists_of_the_api() {
    let api = ScriptedApi::new()
        .json(
            "/teams",
            json!((1..=50).map(|id| json!({"id": id})).collect::<Vec<_>>()),
        )
        .answer("/teams/{team}/members", Answer::status(503));
    let rig = Rig::new(api);
    let mapping = items(
        "/teams/{team}/members",
        "{path_parameters: {team: {endpoint: /teams, field: .id}}}",
    );
    rig.read("retry: {budget: 100}", &mapping).await;
    assert_eq!(rig.network.requests().len(), 1 + 50 + 100 / 5);
}

#[tokio::test(start_paused = true)]
async fn a_quota_holds_over_parents_and_children() {
    let api = ScriptedApi::new()
        .json(
            "/teams",
            json!((1..=9).map(|id| json!({"id": id})).collect::<Vec<_>>()),
        )
        .on("/teams/{team}/members", |_| Answer::json(numbered(1)));
    let rig = Rig::new(api);
    let mapping = items(
        "/teams/{team}/members",
        "{path_parameters: {team: {endpoint: /teams, field: .id}}}",
    );
    let start = tokio::time::Instant::now();
    let read = rig.read("requestsPerSecond: 2", &mapping).await;
    assert!(read.outcome.is_complete());
    // Ten requests, half a second apart.
    assert_eq!(
        start.elapsed().as_millis() / 10,
        450,
        "{:?}",
        start.elapsed()
    );
}

// The HTTP client

#[tokio::test]
async fn a_body_over_the_limit_is_an_error_that_names_it() {
    let server = ScriptedApi::new()
        .json("/items", numbered(1_000))
        .serve()
        .await;
    let config = longshore_engine::Config::loader()
        .connection_text(
            "connection.yaml",
            &format!("baseUrl: {}\nmaxBodyBytes: 2000", server.url),
        )
        .mapping_text("mapping.yaml", &items("/items", "{}"))
        .load()
        .unwrap();
    let engine = longshore_engine::Engine::from_config(&config).unwrap();
    let read = crate::rig::Read::of(&engine, &engine.resources()[0]).await;
    let error = read.errors[0].to_string();
    assert!(error.contains("larger than 2000 bytes"), "{error}");
}

#[tokio::test]
async fn private_addresses_are_not_connected_to_when_denied() {
    let api = ScriptedApi::new().json("/items", numbered(1));
    let server = api.serve().await;
    for host in ["127.0.0.1", "localhost"] {
        let config = longshore_engine::Config::loader()
            .connection_text(
                "connection.yaml",
                &format!(
                    "baseUrl: http://{host}:{}\ndenyPrivateAddresses: true",
                    server.url.port().unwrap()
                ),
            )
            .mapping_text("mapping.yaml", &items("/items", "{}"))
            .load()
            .unwrap();
        let engine = longshore_engine::Engine::from_config(&config).unwrap();
        let read = crate::rig::Read::of(&engine, &engine.resources()[0]).await;
        let error = read.errors[0].to_string();
        assert!(error.contains("denyPrivateAddresses"), "{error}");
    }
    assert_eq!(api.requests().len(), 0);
    // What is not connected to is not asked about either.
    assert!(config("denyPrivateAddresses: maybe", &items("/items", "{}")).is_err());
}
