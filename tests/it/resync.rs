//! A full resync: what is asked of Port, in which order, and what Port holds afterwards.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use longshore_engine::config::Config;
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::{Client, Clock, TokioClock};
use longshore_engine::{EngineBuilder, PortSink, PortSinkOptions, Report};
use longshore_testkit::{Answer, Pages, PortCall, PortDouble, PortEvent, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{API, PORT, Rig, config, items};

const USERS: &str = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {name: .name}}}}
"#;
const PAGED: &str = "paginationType: page\npageSize: 10";

fn users(count: u64) -> ScriptedApi {
    ScriptedApi::new().pages("/users", Pages::page(numbered(count)))
}

fn two_kinds(port: PortDouble) -> (Rig, &'static str) {
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/users", json!([{"id": "u1"}]))
            .json("/teams", json!([{"id": "t1"}])),
        port,
    );
    let mapping = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    (rig, mapping)
}

/// Where the requests of a sync went, one word each, repeats left out.
fn way(rig: &Rig) -> Vec<&'static str> {
    let mut way: Vec<&str> = rig
        .network
        .requests()
        .iter()
        .map(|seen| match seen.path() {
            "/v1/auth/access_token" => "token",
            path if path.starts_with("/v1/integration/") => "integration",
            path if path.ends_with("/entities/bulk") => "upsert",
            path if path.ends_with("/datasource-entities") => "owned",
            path if path.ends_with("/bulk/entities/delete") => "delete",
            path if path.starts_with("/v1/") => "another call of Port",
            _ => "read",
        })
        .collect();
    way.dedup();
    way
}

fn deleted(rig: &Rig) -> Vec<String> {
    let mut gone: Vec<String> = rig
        .port
        .deleted()
        .into_iter()
        .map(|(blueprint, identifier)| format!("{blueprint} {identifier}"))
        .collect();
    gone.sort();
    gone
}

#[tokio::test(start_paused = true)]
async fn a_sync_asks_port_for_a_token_and_the_integration_then_reads_and_writes_and_deletes_last() {
    let (rig, mapping) = two_kinds(
        PortDouble::new()
            .stale_entity("user", "gone")
            .stale_entity("team", "gone"),
    );
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        way(&rig),
        [
            "token",
            "integration",
            "owned",
            "read",
            "upsert",
            "read",
            "upsert",
            "owned",
            "delete"
        ]
    );
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_wrong_secret_of_port_is_reported_and_nothing_is_read() {
    let rig = Rig::with_port(users(5), PortDouble::new().credentials("id", "another"));
    let report = rig.sync(PAGED, USERS).await;
    assert!(!report.is_clean());
    assert_eq!(report.errors.len(), 1, "{report}");
    assert!(
        report.errors[0].contains("OCEAN__PORT__CLIENT"),
        "it says which setting to look at: {}",
        report.errors[0]
    );
    assert_eq!(rig.api.requests().len(), 0);
    assert_eq!(rig.port.count(PortCall::Token), 1);
}

#[tokio::test(start_paused = true)]
async fn entities_go_out_in_batches_of_20_at_most() {
    let rig = Rig::new(users(45));
    let report = rig.sync("paginationType: page", USERS).await;
    assert_eq!(report.upserted, 45);
    let mut sizes: Vec<usize> = rig
        .port
        .calls(PortCall::UpsertMany)
        .iter()
        .map(|call| call.json()["entities"].as_array().unwrap().len())
        .collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [5, 20, 20]);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn no_request_to_port_is_larger_than_a_mebibyte() {
    let big: Vec<Value> = (0..10)
        .map(|id| json!({"id": id, "name": "x".repeat(300_000)}))
        .collect();
    let rig = Rig::new(ScriptedApi::new().json("/users", big));
    let report = rig.sync("", &USERS.replace("title: .name, ", "")).await;
    assert_eq!((report.upserted, report.rejected), (10, 0), "{report}");
    for call in rig.port.calls(PortCall::UpsertMany) {
        assert!(call.body.unwrap().len() <= 1 << 20);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_what_was_mapped_and_belongs_to_this_integration() {
    let rig = Rig::new(users(3));
    rig.sync("", USERS).await;
    let entity = rig.port.entity("user", "2").unwrap();
    assert_eq!(entity["title"], "record 2");
    assert_eq!(entity["properties"], json!({"name": "record 2"}));
    for seen in rig.port.requests() {
        let agent = seen.header("user-agent").unwrap().to_owned();
        assert!(
            agent.starts_with("port-ocean/custom/") && agent.ends_with("/test/exporter"),
            "{agent}"
        );
    }
    for call in rig.port.calls(PortCall::Owned) {
        assert_eq!(call.json()["datasource_prefix"], "port-ocean/custom/");
        assert_eq!(call.json()["datasource_suffix"], "/test/exporter");
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_own_is_never_deleted() {
    let rig = Rig::with_port(
        users(3),
        PortDouble::new()
            .foreign_entity("user", "of somebody else")
            .stale_entity("user", "ours"),
    );
    let report = rig.sync("", USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(deleted(&rig), ["user ours"]);
}

#[tokio::test(start_paused = true)]
async fn calls_about_entities_say_to_which_resync_they_belong() {
    let rig = Rig::new(users(30));
    rig.sync(PAGED, USERS).await;
    let ids: BTreeSet<Option<String>> = rig
        .port
        .calls(PortCall::UpsertMany)
        .iter()
        .map(|call| call.query("ocean_info_resync_id"))
        .collect();
    assert_eq!(ids.len(), 1);
    assert!(ids.iter().all(Option::is_some));
}

#[tokio::test(start_paused = true)]
async fn the_mapping_says_how_entities_are_merged_and_what_is_created() {
    for (mapping, merge, create) in [
        ("", "true", "true"),
        (
            "enableMergeEntity: false\ncreateMissingRelatedEntities: false",
            "false",
            "false",
        ),
    ] {
        let rig = Rig::new(users(1));
        rig.sync("", &format!("{mapping}\n{USERS}")).await;
        let call = &rig.port.calls(PortCall::UpsertMany)[0];
        assert_eq!(call.query("upsert").as_deref(), Some("true"));
        assert_eq!(call.query("merge").as_deref(), Some(merge));
        assert_eq!(
            call.query("create_missing_related_entities").as_deref(),
            Some(create)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn dependents_go_along_only_when_the_mapping_itself_says_so() {
    for (line, sent) in [
        ("", "false"),
        ("deleteDependentEntities: true", "true"),
        ("deleteDependentEntities: false", "false"),
    ] {
        let rig = Rig::with_port(users(1), PortDouble::new().stale_entity("user", "gone"));
        rig.sync("", &format!("{line}\n{USERS}")).await;
        let call = &rig.port.calls(PortCall::DeleteMany)[0];
        assert_eq!(call.query("delete_dependents").as_deref(), Some(sent));
    }
}

#[tokio::test(start_paused = true)]
async fn the_mapping_may_be_kept_at_port() {
    let mapping = json!({
        "resources": [{
            "kind": "/users",
            "selector": {"query": "true"},
            "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\""}}},
        }],
    });
    let rig = Rig::with_port(users(3), PortDouble::new().integration("test", mapping));
    let sink = rig.port_sink(PortSinkOptions::default());
    let kept = sink.client().integration().await.unwrap().unwrap();
    let config = Config::loader()
        .connection_text("connection.yaml", &format!("baseUrl: {API}"))
        .load()
        .unwrap()
        .with_mapping_from_port(kept.config)
        .unwrap();
    let report = rig.sync_from(&config).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.port.identifiers("user"), ["1", "2", "3"]);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

/// A clock whose time of day is wrong.
#[derive(Debug)]
struct Skewed {
    ticks: TokioClock,
    wall: SystemTime,
}

#[async_trait]
impl Clock for Skewed {
    fn now(&self) -> Duration {
        self.ticks.now()
    }

    fn wall(&self) -> SystemTime {
        self.wall + self.ticks.now()
    }

    async fn sleep(&self, duration: Duration) {
        self.ticks.sleep(duration).await;
    }
}

/// A sync on a machine whose clock is at `wall`.
async fn sync_with_clock_at(rig: &Rig, wall: SystemTime, mapping: &str) -> Report {
    let clock: Arc<dyn Clock> = Arc::new(Skewed {
        ticks: TokioClock::default(),
        wall,
    });
    let config = config("", mapping).unwrap();
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .clock(clock.clone())
        .build()
        .unwrap();
    let http = Client::builder(rig.network.transport())
        .clock(clock)
        .build();
    let client = PortClient::builder(http)
        .base_url(PORT.parse().unwrap())
        .credentials("id", "secret".to_owned())
        .integration("custom", "test")
        .build()
        .unwrap();
    let options = PortSinkOptions::from(config.mapping.as_ref().unwrap());
    engine.sync(&PortSink::new(client).options(options)).await
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_the_local_clock_runs_ahead_of_ports() {
    let day = Duration::from_secs(24 * 60 * 60);
    let port_time = PortDouble::new().now();
    for wall in [port_time - day, port_time, port_time + day] {
        let minute = Duration::from_secs(60);
        let rig = Rig::with_port(
            users(3),
            PortDouble::new()
                .stale_entity("user", "updated yesterday")
                .owned_entity("user", "updated before the slack", port_time - 2 * minute)
                .owned_entity("user", "updated within the slack", port_time - minute / 2)
                .owned_entity("user", "updated just now", port_time)
                .owned_entity("user", "updated while we read", port_time + minute),
        );
        let report = sync_with_clock_at(&rig, wall, USERS).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(
            deleted(&rig),
            ["user updated before the slack", "user updated yesterday"]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_cut_off_is_the_beginning_of_the_sync_and_not_its_end() {
    // The read takes ten minutes; what somebody writes in the fifth is not stale.
    let port = PortDouble::new();
    let start = port.now();
    let slow = users(3).answer(
        "/users",
        Answer::json(json!([{"id": 1}])).after(Duration::from_secs(600)),
    );
    let rig = Rig::with_port(
        slow,
        port.owned_entity(
            "user",
            "written meanwhile",
            start + Duration::from_secs(300),
        ),
    );
    rig.sync("", USERS).await;
    assert_eq!(deleted(&rig), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_some_kinds_leaves_the_blueprints_of_the_others_alone() {
    let (rig, mapping) = two_kinds(
        PortDouble::new()
            .stale_entity("user", "gone")
            .stale_entity("team", "gone"),
    );
    let config = config("", mapping).unwrap();
    let report = rig
        .engine_from(&config)
        .sync_kinds(
            &["/users".to_owned()],
            &rig.port_sink(PortSinkOptions::default()),
        )
        .await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.resources.len(), 1);
    assert_eq!(rig.api.paths(), ["/users"]);
    assert_eq!(deleted(&rig), ["user gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_that_another_kind_feeds_too_is_not_cleared_by_a_sync_of_one_kind() {
    let (rig, mapping) = two_kinds(PortDouble::new().stale_entity("user", "t1"));
    let mapping = mapping.replace(r#"'"team"'"#, r#"'"user"'"#);
    let config = config("", &mapping).unwrap();
    rig.engine_from(&config)
        .sync_kinds(
            &["/users".to_owned()],
            &rig.port_sink(PortSinkOptions::default()),
        )
        .await;
    assert_eq!(deleted(&rig), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_kind_of_a_partial_sync_that_comes_back_empty_is_told_as_withheld() {
    let (rig, mapping) = two_kinds(
        PortDouble::new()
            .stale_entity("user", "u1")
            .stale_entity("team", "gone"),
    );
    let rig = Rig {
        api: rig.api.clone().json("/users", json!([])),
        ..rig
    };
    let config = config("", mapping).unwrap();
    let report = rig
        .engine_from(&config)
        .sync_kinds(
            &["/users".to_owned()],
            &rig.port_sink(PortSinkOptions::default()),
        )
        .await;
    assert_eq!(deleted(&rig), Vec::<String>::new());
    let withheld: Vec<&str> = report
        .withheld
        .iter()
        .map(|withheld| withheld.blueprint.as_str())
        .collect();
    assert_eq!(withheld, ["user"], "{report}");
}

#[tokio::test(start_paused = true)]
async fn placeholders_that_port_made_for_relations_stay_while_something_relates_to_them() {
    let mapping = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', relations: {team: .team, friends: .friends}}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new().json(
            "/users",
            json!([{"id": "u1", "team": "t1", "friends": ["u1", "u2"]}]),
        ),
        PortDouble::new()
            .relation("user", "team", "team")
            .relation("user", "friends", "user"),
    );
    for _ in 0..3 {
        let report = rig.sync("", mapping).await;
        assert!(report.is_clean(), "{report}");
        rig.port.advance(Duration::from_secs(24 * 60 * 60));
    }
    assert!(rig.port.is_placeholder("team", "t1"));
    assert!(rig.port.is_placeholder("user", "u2"));
    assert_eq!(deleted(&rig), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn relations_in_a_circle_are_written_and_cleared() {
    let mapping = r#"
createMissingRelatedEntities: false
entityDeletionThreshold: 1
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new().json("/users", json!([{"id": "here"}])),
        PortDouble::new()
            .relation("user", "boss", "user")
            .stale_entity_with(
                "user",
                json!({"identifier": "a", "relations": {"boss": "b"}}),
            )
            .stale_entity_with(
                "user",
                json!({"identifier": "b", "relations": {"boss": "a"}}),
            )
            .stale_entity_with(
                "user",
                json!({"identifier": "self", "relations": {"boss": "self"}}),
            ),
    );
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(deleted(&rig), ["user a", "user b", "user self"]);
}

#[tokio::test(start_paused = true)]
async fn identifiers_that_port_would_refuse_are_rejected_before_sending_and_the_others_go_out() {
    let rig = Rig::new(ScriptedApi::new().json(
        "/users",
        json!([{"id": "a"}, {"id": "no spaces"}, {"id": ".."}, {"id": "x".repeat(1001)}, {"id": "ü/=@"}]),
    ));
    let report = rig.sync("", USERS).await;
    assert_eq!((report.upserted, report.rejected), (2, 3), "{report}");
    assert_eq!(report.resources[0].outcome, "complete");
    assert_eq!(report.rejections[0].identifier, "no spaces");
    assert_eq!(rig.port.identifiers("user"), ["a", "ü/=@"]);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_port_refuses_leaves_the_rest_of_its_batch() {
    for status in [200, 207] {
        let rig = Rig::with_port(
            users(30),
            PortDouble::new().partial_status(status).rejects(
                "user",
                "17",
                422,
                "the property `name` is wrong",
            ),
        );
        let report = rig.sync("", USERS).await;
        assert_eq!((report.upserted, report.rejected), (29, 1), "{report}");
        assert_eq!(report.rejections[0].identifier, "17");
        assert!(report.rejections[0].message.contains("`name` is wrong"));
        assert!(!report.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_was_looked_up_by_a_query_and_refused_is_not_taken_for_gone() {
    let mapping = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"mail"', operator: '"="', value: .mail}]}
          blueprint: '"user"'
          relations: {team: .team}
createMissingRelatedEntities: false
"#;
    let rig = Rig::with_port(
        ScriptedApi::new().json(
            "/users",
            json!([{"mail": "a@x", "team": "unknown"}, {"mail": "b@x", "team": null}]),
        ),
        PortDouble::new()
            .relation("user", "team", "team")
            .stale_entity_with(
                "user",
                json!({"identifier": "ada", "properties": {"mail": "a@x"}}),
            )
            .stale_entity_with(
                "user",
                json!({"identifier": "bob", "properties": {"mail": "b@x"}}),
            ),
    );
    let report = rig.sync("", mapping).await;
    assert_eq!((report.upserted, report.rejected), (1, 1), "{report}");
    assert_eq!(deleted(&rig), Vec::<String>::new(), "{report}");
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_is_gone_already_counts_as_deleted() {
    let rig = Rig::with_port(
        users(3),
        PortDouble::new().stale_entity("user", "gone").fault(
            PortCall::DeleteMany,
            1,
            Answer::status(404).with_json(json!({"ok": false, "error": "not_found"})),
        ),
    );
    let report = rig.sync("", USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.deleted, 1);
}

#[tokio::test(start_paused = true)]
async fn a_delete_that_port_fails_stops_there_says_how_far_it_came_and_the_next_sync_ends_it() {
    let mut port = PortDouble::new();
    for n in 0..250 {
        port = port.stale_entity("user", &format!("gone-{n}"));
    }
    let rig = Rig::with_port(
        users(3),
        port.faults(PortCall::DeleteMany, 2..=7, Answer::status(500)),
    );
    let mapping = format!("entityDeletionThreshold: 1\n{USERS}");
    let first = rig.sync("", &mapping).await;
    assert_eq!(first.deleted, 100, "{first}");
    assert!(first.errors.join("").contains("100 of 250"), "{first}");
    assert!(!first.is_clean());
    let second = rig.sync("", &mapping).await;
    assert!(second.is_clean(), "{second}");
    assert_eq!(second.deleted, 150);
    assert_eq!(rig.port.identifiers("user"), ["1", "2", "3"]);
    let gone = deleted(&rig);
    let once: BTreeSet<&String> = gone.iter().collect();
    assert_eq!(gone.len(), once.len(), "nothing is deleted twice");
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_answer_was_lost_is_settled_by_the_next_sync() {
    let rig = Rig::with_port(
        users(3),
        PortDouble::new().stale_entity("user", "gone").lose_answer(
            PortCall::DeleteMany,
            1,
            Answer::status(503),
        ),
    );
    rig.sync("", USERS).await;
    let second = rig.sync("", USERS).await;
    assert!(second.is_clean(), "{second}");
    assert_eq!(deleted(&rig), ["user gone"]);
}

#[tokio::test(start_paused = true)]
async fn an_upsert_whose_answer_was_lost_is_repeated() {
    let rig = Rig::with_port(
        users(30),
        PortDouble::new().lose_answer(PortCall::UpsertMany, 1, Answer::status(502)),
    );
    let report = rig.sync("", USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.port.identifiers("user").len(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_was_revoked_on_the_way_is_renewed_once() {
    let rig = Rig::with_port(
        users(30),
        PortDouble::new().stale_entity("user", "gone").fault(
            PortCall::UpsertMany,
            2,
            Answer::status(401),
        ),
    );
    let report = rig.sync(PAGED, USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.upserted, 30);
    assert_eq!(rig.port.count(PortCall::Token), 2);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_twice_is_one_entity_and_the_last_one_wins() {
    let rig = Rig::new(ScriptedApi::new().json(
        "/users",
        json!([{"id": "a", "name": "first"}, {"id": "b"}, {"id": "a", "name": "last"}]),
    ));
    let report = rig.sync("", USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.port.entity("user", "a").unwrap()["title"], "last");
}

#[tokio::test(start_paused = true)]
async fn one_incomplete_kind_of_several_protects_the_blueprint_that_they_share() {
    let mapping = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"person"'}}}
  - kind: /guests
    port: {entity: {mappings: {identifier: .id, blueprint: '"person"'}}}
"#;
    for (faulty, deletes) in [("/users", 0), ("/guests", 0), ("/none", 1)] {
        let rig = Rig::with_port(
            ScriptedApi::new()
                .json("/users", json!([{"id": "u1"}]))
                .json("/guests", json!([{"id": "g1"}]))
                .faults(faulty, 1.., Answer::status(400)),
            PortDouble::new()
                .stale_entity("person", "u1")
                .stale_entity("person", "g1")
                .stale_entity("person", "gone"),
        );
        let report = rig.sync("", mapping).await;
        assert_eq!(report.deleted, deletes, "{faulty}: {report}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_delete_is_sent_before_the_last_upsert_was_acknowledged() {
    let rig = Rig::with_port(
        users(95),
        PortDouble::new().stale_entity("user", "gone").faults(
            PortCall::UpsertMany,
            3..=5,
            Answer::status(503),
        ),
    );
    let report = rig.sync(PAGED, USERS).await;
    assert!(report.is_clean(), "{report}");
    let events = rig.port.events();
    let first_delete = events
        .iter()
        .position(|event| matches!(event, PortEvent::Deleted { .. }))
        .unwrap();
    let upserts = events[..first_delete]
        .iter()
        .filter(|event| matches!(event, PortEvent::Upserted { .. }))
        .count();
    assert_eq!(upserts, 95);
}

/// Users in pages, their posts as children, and something stale of each.
fn crash_rig() -> Rig {
    let mut rig = Rig::with_port(
        ScriptedApi::new()
            .pages("/users", Pages::page(numbered(35)))
            .on("/users/{id}/posts", |call| {
                Answer::json(json!([{"id": format!("p{}", call.parameter("id"))}]))
            }),
        PortDouble::new()
            .stale_entity("user", "35")
            .stale_entity("user", "gone")
            .stale_entity("post", "p35")
            .stale_entity("post", "gone"),
    );
    rig.network = rig.network.clone().latency(Duration::from_millis(10));
    rig
}

const USERS_AND_POSTS: &str = r#"
resources:
  - kind: /users
    selector: {pagination: {type: page, size: 10}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
  - kind: /users/{id}/posts
    selector: {path_parameters: {id: {endpoint: /users, field: .id, pagination: {type: page, size: 10}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"post"', relations: {author: .__id}}}}
"#;

#[tokio::test(start_paused = true)]
async fn a_sync_that_is_cut_at_any_moment_harms_nothing_and_the_next_one_reaches_the_truth() {
    let whole = crash_rig();
    let start = tokio::time::Instant::now();
    whole.sync("", USERS_AND_POSTS).await;
    let length = start.elapsed();
    let truth = |rig: &Rig| (rig.port.identifiers("user"), rig.port.identifiers("post"));
    assert_eq!((truth(&whole).0.len(), truth(&whole).1.len()), (35, 35));

    let moments = length.as_millis() / 4;
    assert!(moments > 30, "{length:?}");
    for moment in 0..=moments {
        let rig = crash_rig();
        let at = Duration::from_millis(4 * moment as u64);
        tokio::time::timeout(at, rig.sync("", USERS_AND_POSTS))
            .await
            .ok();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(rig.network.in_flight(), 0, "cut at {at:?}");
        let gone = deleted(&rig);
        assert!(
            gone.iter().all(|gone| gone.ends_with(" gone")),
            "cut at {at:?}: {gone:?}"
        );
        let report = rig.sync("", USERS_AND_POSTS).await;
        assert!(report.is_clean(), "cut at {at:?}: {report}");
        assert_eq!(truth(&rig), truth(&whole), "cut at {at:?}");
        assert_eq!(deleted(&rig), ["post gone", "user gone"]);
    }
}

#[tokio::test(start_paused = true)]
async fn equal_syncs_leave_equal_logs_at_port() {
    let mut logs = Vec::new();
    for _ in 0..2 {
        let rig = crash_rig();
        rig.sync("", USERS_AND_POSTS).await;
        logs.push(rig.port.events());
    }
    assert_eq!(logs[0], logs[1]);
}

#[tokio::test(start_paused = true)]
async fn entities_that_an_answer_of_port_does_not_mention_hold_all_deletes_back() {
    let silent = Answer::json(json!({"ok": true, "entities": [], "errors": []}));
    let rig = Rig::with_port(
        ScriptedApi::new().json("/items", json!([{"id": "1"}, {"id": "2"}])),
        PortDouble::new()
            .stale_entity("item", "gone")
            .fault(PortCall::UpsertMany, 1, silent),
    );
    let report = rig
        .sync(
            "",
            &format!("entityDeletionThreshold: 1{}", items("/items", "{}")),
        )
        .await;
    assert_eq!((report.upserted, report.rejected), (0, 2), "{report}");
    assert_eq!(rig.port.deleted(), []);
}
