//! What may be deleted, and what may not: R1 to R11.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_engine::Report;
use longshore_engine::transport::ErrorKind as Broken;
use longshore_testkit::{Answer, Pages, PortCall, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Rig, config};

const USERS: &str = r#"
resources:
  - kind: /users
    selector: {query: 'true', data_path: .users}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', properties: {name: .name}}}}
"#;
const PAGED: &str = "paginationType: page\npageSize: 10";

fn users(count: u64) -> Pages {
    Pages::page(numbered(count)).under("users").total("total")
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_is_deleted_after_a_complete_read() {
    let rig = Rig::with_port(
        ScriptedApi::new().pages("/users", users(25)),
        PortDouble::new().stale_entity("user", "left-last-year"),
    );
    let report = rig.sync(PAGED, USERS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.upserted, report.deleted), (25, 1));
    assert_eq!(
        rig.port.deleted(),
        [("user".to_owned(), "left-last-year".to_owned())]
    );
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_for_good_deletes_nothing_and_keeps_what_was_read() {
    for page in 1..=3 {
        for status in [400, 403, 404, 500, 501, 503, 529] {
            let rig = Rig::with_port(
                ScriptedApi::new().pages("/users", users(25)).faults(
                    "/users",
                    page..,
                    Answer::status(status),
                ),
                PortDouble::new().stale_entity("user", "u1"),
            );
            let report = rig.sync(PAGED, USERS).await;
            assert_eq!(
                report.resources[0].outcome, "incomplete",
                "page {page}, status {status}"
            );
            assert_eq!(
                report.upserted,
                (page - 1) * 10,
                "page {page}, status {status}"
            );
            assert_eq!(rig.port.deleted(), [], "page {page}, status {status}");
            assert_eq!(report.withheld[0].count, 1);
            assert!(!report.is_clean());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_that_heals_loses_nothing() {
    for page in 1..=3 {
        let rig = Rig::with_port(
            ScriptedApi::new().pages("/users", users(25)).faults(
                "/users",
                page..page + 4,
                Answer::status(503),
            ),
            PortDouble::new().stale_entity("user", "gone"),
        );
        let report = rig.sync(PAGED, USERS).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.upserted, report.deleted), (25, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_read_protects_its_blueprint_and_leaves_the_others() {
    let mapping = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .answer("/users", Answer::status(500))
            .json("/teams", json!([{"id": "t1"}])),
        PortDouble::new()
            .stale_entity("user", "u1")
            .stale_entity("team", "t0"),
    );
    let report = rig.sync("", mapping).await;
    assert_eq!(rig.port.deleted(), [("team".to_owned(), "t0".to_owned())]);
    assert_eq!(report.withheld.len(), 1);
    assert_eq!(report.withheld[0].blueprint, "user");
}

#[tokio::test(start_paused = true)]
async fn an_incomplete_read_with_a_computed_blueprint_protects_every_blueprint() {
    let mapping = r#"
resources:
  - kind: /things
    port: {entity: {mappings: {identifier: .id, blueprint: .type}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .answer("/things", Answer::status(500))
            .json("/teams", json!([{"id": "t1"}])),
        PortDouble::new()
            .stale_entity("thing", "u1")
            .stale_entity("team", "t0"),
    );
    rig.sync("", mapping).await;
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_without_entities_or_without_source_is_not_deleted_unless_the_mapping_allows_it()
 {
    let api = || ScriptedApi::new().json("/users", json!({"users": []}));
    let port = || {
        PortDouble::new()
            .stale_entity("user", "u1")
            .stale_entity("forgotten", "f1")
    };
    for (allow, deleted) in [
        ("", vec![]),
        ("allowEmpty: [user]\nentityDeletionThreshold: 1", vec!["u1"]),
        (
            "allowEmpty: true\nentityDeletionThreshold: 1",
            vec!["f1", "u1"],
        ),
    ] {
        let rig = Rig::with_port(api(), port());
        let report = rig.sync("", &format!("{allow}\n{USERS}")).await;
        let mut gone: Vec<String> = rig
            .port
            .deleted()
            .into_iter()
            .map(|(_, identifier)| identifier)
            .collect();
        gone.sort();
        assert_eq!(gone, deleted, "{allow}");
        assert_eq!(report.withheld.len(), 2 - deleted.len(), "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_threshold_counts_for_each_blueprint_and_equal_passes() {
    // 1 of 10 users is read again: 9 are stale, and 0.9 is the default threshold.
    for (stale, deleted) in [(9, 9), (10, 0)] {
        let mut port = PortDouble::new();
        for n in 0..stale {
            port = port.stale_entity("user", &format!("gone-{n}"));
        }
        let rig = Rig::with_port(
            ScriptedApi::new().json("/users", json!({"users": [{"id": "here"}]})),
            port,
        );
        let report = rig.sync("", USERS).await;
        assert_eq!(report.deleted, deleted, "{report}");
        assert_eq!(report.withheld.len(), usize::from(deleted == 0));
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_record_withholds_the_deletes_of_its_kind() {
    let rig = Rig::with_port(
        ScriptedApi::new().json("/users", json!({"users": [{"id": "a"}, {"name": "no id"}]})),
        PortDouble::new().stale_entity("user", "no id"),
    );
    let report = rig.sync("", USERS).await;
    assert_eq!((report.upserted, report.resources[0].failed), (1, 1));
    assert!(
        report.resources[0]
            .cause
            .as_ref()
            .unwrap()
            .starts_with("RecordsFailed"),
        "{report}"
    );
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_port_refuses_is_reported_and_neither_deleted_nor_in_the_way() {
    let rig = Rig::with_port(
        ScriptedApi::new().json(
            "/users",
            json!({"users": [{"id": "a"}, {"id": "with space"}, {"id": "b"}]}),
        ),
        PortDouble::new()
            .stale_entity_with(
                "user",
                json!({"identifier": "b", "properties": {"name": "as it was"}}),
            )
            .stale_entity("user", "gone")
            .rejects("user", "b", 422, "no"),
    );
    let report = rig.sync("", USERS).await;
    assert_eq!(
        (report.upserted, report.rejected, report.deleted),
        (1, 2, 1),
        "{report}"
    );
    assert_eq!(rig.port.deleted(), [("user".to_owned(), "gone".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_deleted_when_a_batch_could_not_be_written() {
    let rig = Rig::with_port(
        ScriptedApi::new().pages("/users", users(25)),
        PortDouble::new().stale_entity("user", "gone").faults(
            PortCall::UpsertMany,
            2..,
            Answer::status(500),
        ),
    );
    let report = rig.sync(PAGED, USERS).await;
    assert_eq!(rig.port.deleted(), []);
    assert!(!report.is_clean());
    assert_eq!(report.upserted + report.rejected, 25, "{report}");
}

#[tokio::test(start_paused = true)]
async fn what_produced_entities_relate_to_is_never_deleted() {
    let mapping = r#"
resources:
  - kind: /users
    selector: {data_path: .users}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', relations: {boss: .boss}}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new().json("/users", json!({"users": [{"id": "a", "boss": "chief"}]})),
        PortDouble::new()
            .stale_entity("user", "chief")
            .stale_entity("user", "gone"),
    );
    rig.sync("", mapping).await;
    assert!(
        !rig.port
            .deleted()
            .iter()
            .any(|(_, identifier)| identifier == "chief")
    );
}

#[tokio::test(start_paused = true)]
async fn stale_parents_wait_for_their_stale_children_and_live_dependents_stay() {
    let mapping = r#"
createMissingRelatedEntities: false
resources:
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"a-team"'}}}
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', relations: {team: .team}}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/teams", json!([{"id": "t1"}]))
            .json("/users", json!([{"id": "u1"}])),
        PortDouble::new()
            .relation("user", "team", "a-team")
            .stale_entity("a-team", "old")
            .stale_entity_with(
                "user",
                json!({"identifier": "old-user", "relations": {"team": "old"}}),
            ),
    );
    let report = rig.sync("", mapping).await;
    assert_eq!(report.deleted, 2, "{report}");
    assert_eq!(rig.port.identifiers("a-team"), ["t1"]);
}

#[tokio::test(start_paused = true)]
async fn what_others_depend_on_is_found_among_many_and_named_and_the_rest_goes() {
    let mapping = r#"
createMissingRelatedEntities: false
resources:
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
"#;
    let mut port = PortDouble::new().relation("user", "team", "team");
    for n in 0..150 {
        port = port.stale_entity("team", &format!("old-{n}"));
    }
    for n in [7, 99, 149] {
        let user =
            json!({"identifier": format!("u{n}"), "relations": {"team": format!("old-{n}")}});
        port = port.stale_entity_with("user", user);
    }
    let users = json!([{"id": "u7"}, {"id": "u99"}, {"id": "u149"}]);
    let teams: Vec<Value> = (0..100).map(|n| json!({"id": format!("t{n}")})).collect();
    let api = ScriptedApi::new()
        .json("/teams", teams)
        .json("/users", users);
    let rig = Rig::with_port(api, port);
    let report = rig.sync("", mapping).await;
    assert_eq!(
        (report.deleted, report.withheld.len()),
        (147, 1),
        "{report}"
    );
    assert_eq!(report.withheld[0].count, 3);
    let reason = &report.withheld[0].reason;
    assert!(
        reason.contains("depend on old-149, old-7, old-99;"),
        "{reason}"
    );
    for call in rig.port.calls(PortCall::DeleteMany) {
        assert_eq!(call.query("delete_dependents").as_deref(), Some("false"));
    }
    assert_eq!(rig.port.identifiers("user").len(), 3);
}

// The ways in which the reference deletes live data, by their numbers in the requirements. Every sync below begins with a catalog that
// holds what the API has, last updated yesterday: whatever the sync deletes of it is lost.

/// 25 users at the API and at Port.
fn live() -> PortDouble {
    (1..=25).fold(PortDouble::new(), |port, id: u64| {
        port.stale_entity_with(
            "user",
            json!({"identifier": id.to_string(), "properties": {"name": "as it was"}}),
        )
    })
}

/// Syncs and asserts that no user is gone.
async fn keeps_all(api: ScriptedApi, connection: &str, mapping: &str) -> Report {
    let rig = Rig::with_port(api, live());
    let report = rig.sync(connection, mapping).await;
    assert_eq!(rig.port.deleted(), [], "{report}");
    assert_eq!(rig.network.strangers().len(), 0);
    report
}

/// [`keeps_all`] for what can only end as Incomplete.
async fn keeps_all_of_a_short_read(api: ScriptedApi, connection: &str, mapping: &str) -> Report {
    let report = keeps_all(api, connection, mapping).await;
    assert_eq!(report.resources[0].outcome, "incomplete", "{report}");
    report
}

/// [`keeps_all`] for what heals: everything is read.
async fn keeps_all_and_reads_all(api: ScriptedApi, connection: &str, mapping: &str) {
    let report = keeps_all(api, connection, mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.upserted, 25, "{report}");
}

fn paged_users() -> ScriptedApi {
    ScriptedApi::new().pages("/users", users(25))
}

/// Users below teams: `/teams/{team}/users`, five teams of five.
fn teams() -> ScriptedApi {
    let teams: Vec<Value> = (0..5).map(|id| json!({"id": id, "name": "t"})).collect();
    ScriptedApi::new()
        .pages("/teams", Pages::page(teams))
        .on("/teams/{team}/users", |call| {
            let team: u64 = call.parameter("team").parse().unwrap();
            Answer::json(numbered(25)[team as usize * 5..][..5].to_vec())
        })
}

/// A mapping of them with this parameter.
fn users_of(parameter: &str) -> String {
    format!(
        r#"
resources:
  - kind: /teams/{{team}}/users
    selector: {{path_parameters: {{team: {parameter}}}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"user"', properties: {{name: .name}}}}}}}}
"#
    )
}

const TEAM: &str = "{endpoint: /teams, field: .id, pagination: {type: page, size: 2}}";

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_1_a_status_is_outside_its_retry_list() {
    for status in [500, 520, 521, 522, 523, 524, 529] {
        let fault =
            |api: ScriptedApi, numbers| api.faults("/users", numbers, Answer::status(status));
        keeps_all_of_a_short_read(fault(paged_users(), 2..u64::MAX), PAGED, USERS).await;
        keeps_all_and_reads_all(fault(paged_users(), 2..4), PAGED, USERS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_2_it_is_throttled_for_longer_than_it_waits() {
    let throttled = |wait: &str| Answer::status(429).header("retry-after", wait);
    let heals = paged_users().faults("/users", 2..=5, throttled("120"));
    keeps_all_and_reads_all(heals, PAGED, USERS).await;
    let never = paged_users().faults("/users", 2.., throttled("120"));
    keeps_all_of_a_short_read(never, PAGED, USERS).await;
    let too_long = paged_users().faults("/users", 2..=2, throttled("3600"));
    keeps_all_of_a_short_read(too_long, PAGED, USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_3_a_read_by_post_is_throttled_or_cut_once() {
    let by_post = USERS.replace("query: 'true'", "query: 'true', method: POST, body: {}");
    for fault in [
        Answer::status(429),
        Answer::status(503),
        Answer::breaks(Broken::Truncated),
        Answer::breaks(Broken::Reset),
    ] {
        let api = paged_users().faults("/users", 2..=2, fault);
        keeps_all_and_reads_all(api, PAGED, &by_post).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_4_a_limit_is_told_by_403() {
    let limited = Answer::status(403).header("retry-after", "30");
    let api = paged_users().faults("/users", 2..=3, limited);
    keeps_all_and_reads_all(api, PAGED, USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_5_it_is_redirected() {
    let moved = |to: &str| Answer::status(302).header("location", to);
    let here = ScriptedApi::new()
        .answer("/users", moved("/v2/users"))
        .json("/v2/users", json!({"users": numbered(25)}));
    keeps_all_and_reads_all(here, "", USERS).await;
    let elsewhere = ScriptedApi::new().answer("/users", moved("https://login.example.org/"));
    keeps_all_of_a_short_read(elsewhere, "", USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_6_the_connection_fails() {
    for broken in [
        Broken::Connect,
        Broken::Reset,
        Broken::Timeout,
        Broken::Truncated,
    ] {
        for page in 1..=3 {
            let never = paged_users().faults("/users", page.., Answer::breaks(broken));
            keeps_all_of_a_short_read(never, PAGED, USERS).await;
            let heals = paged_users().faults("/users", page..page + 5, Answer::breaks(broken));
            keeps_all_and_reads_all(heals, PAGED, USERS).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_7_credentials_are_refused() {
    for page in 1..=3 {
        let api = paged_users().faults("/users", page.., Answer::status(401));
        let connection = format!("{PAGED}\nauthType: bearer_token\napiToken: t");
        let report = keeps_all_of_a_short_read(api, &connection, USERS).await;
        let cause = report.resources[0].cause.as_ref().unwrap();
        assert!(cause.contains("401"), "{cause}");
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_8_success_comes_with_html_or_nothing() {
    for page in 1..=3 {
        for body in ["<html>Scheduled maintenance</html>", "", "  ", "null", "{}"] {
            let fault = Answer::status(200).with_body(body);
            let api = paged_users().faults("/users", page.., fault);
            keeps_all_of_a_short_read(api, PAGED, USERS).await;
        }
    }
    // A 204 is an empty page, so what was counted before decides; an empty first page clears nothing.
    let first = paged_users().faults("/users", 1.., Answer::status(204));
    let report = keeps_all(first, PAGED, USERS).await;
    assert_eq!(report.withheld[0].count, 25, "{report}");
    let second = paged_users().faults("/users", 2.., Answer::status(204));
    keeps_all_of_a_short_read(second, PAGED, USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_9_a_parameter_value_makes_no_url() {
    for value in ["..", "", "a\nb"] {
        let api = teams().json("/teams", json!([{"id": 0}, {"id": value}, {"id": 2}]));
        let report =
            keeps_all_of_a_short_read(api, "", &users_of("{endpoint: /teams, field: .id}")).await;
        assert_eq!(report.upserted, 10, "the others are read");
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_10_and_11_the_parents_list_fails() {
    for page in 1..=3 {
        for fault in [
            Answer::status(500),
            Answer::status(400),
            Answer::text("<html>"),
        ] {
            let api = teams().faults("/teams", page.., fault);
            let report = keeps_all_of_a_short_read(api, "", &users_of(TEAM)).await;
            assert_eq!(report.upserted, (page - 1) * 10);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_12_one_child_of_many_fails() {
    for fault in [
        Answer::status(403),
        Answer::status(404),
        Answer::status(500),
        Answer::breaks(Broken::Timeout),
    ] {
        let api = teams().faults("/teams/3/users", 1.., fault);
        let report = keeps_all_of_a_short_read(api, "", &users_of(TEAM)).await;
        assert_eq!(report.upserted, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_13_field_or_filter_fails_on_a_parent() {
    for parameter in [
        "{endpoint: /teams, field: '.id | ltrimstr(\"t\") | tonumber'}",
        "{endpoint: /teams, field: .id, filter: '.name | startswith(\"t\")'}",
        "{endpoint: /teams, field: .id, filter: '.name'}",
        "{endpoint: /teams, field: 'if .name == 7 then [.id] else .id end'}",
    ] {
        let api = teams().json(
            "/teams",
            json!([
                {"id": "0", "name": "t"},
                {"id": "seven", "name": 7},
                {"id": "2", "name": "t"},
            ]),
        );
        keeps_all_of_a_short_read(api, "", &users_of(parameter)).await;
    }
}

#[test]
fn reference_deletes_when_14_a_parameter_is_undefined() {
    let undefined = users_of(TEAM).replace("/teams/{team}/users", "/orgs/{org}/teams/{team}/users");
    let refused = config("", &undefined).unwrap_err().to_string();
    assert!(refused.contains("{org}"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_15_data_path_finds_nothing() {
    for body in [
        json!({"ok": false, "error": "over quota"}),
        json!({"users": null}),
        json!({"data": {"users": numbered(25)}}),
    ] {
        let api = ScriptedApi::new().json("/users", body);
        keeps_all_of_a_short_read(api, "", USERS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_16_data_path_throws_on_one_page() {
    let throws = USERS.replace("data_path: .users", "data_path: '.users[]'");
    for page in 1..=3 {
        let api = paged_users().faults(
            "/users",
            page..=page,
            Answer::json(json!({"users": "see /v2", "total": 25})),
        );
        let report = keeps_all_of_a_short_read(api, PAGED, &throws).await;
        assert_eq!(report.upserted, (page - 1) * 10);
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_17_identifier_or_blueprint_is_null() {
    for broken in [
        USERS.replace("identifier: .id", "identifier: .uuid"),
        USERS.replace(
            "identifier: .id",
            "identifier: 'if .id == 7 then null else .id end'",
        ),
        USERS.replace(r#"'"user"'"#, ".type"),
        USERS.replace(r#"'"user"'"#, r#"'if .id == 7 then null else "user" end'"#),
    ] {
        keeps_all_of_a_short_read(paged_users(), PAGED, &broken).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_18_items_to_parse_is_no_list() {
    let mapping = r#"
resources:
  - kind: /teams
    port:
      itemsToParse: .members
      entity: {mappings: {identifier: .item.id, blueprint: '"user"'}}
"#;
    for members in [json!("hidden"), json!({"id": 1}), Value::Null] {
        let api = ScriptedApi::new().json(
            "/teams",
            json!([{"members": numbered(10)}, {"members": members}]),
        );
        keeps_all_of_a_short_read(api, "", mapping).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_19_a_cursor_comes_without_flag() {
    let api = ScriptedApi::new().pages("/users", Pages::cursor(numbered(25)).under("users"));
    keeps_all_and_reads_all(api, "paginationType: cursor\npageSize: 10", USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_20_pages_are_objects_without_a_known_flag() {
    for style in ["page", "offset"] {
        let pages = match style {
            "page" => Pages::page(numbered(25)),
            _ => Pages::offset(numbered(25)),
        };
        let api = ScriptedApi::new().pages("/users", pages.under("users"));
        let connection = format!("paginationType: {style}\npageSize: 10");
        keeps_all_and_reads_all(api, &connection, USERS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_21_the_server_caps_the_page_size() {
    for style in ["page", "offset"] {
        let pages = match style {
            "page" => Pages::page(numbered(25)),
            _ => Pages::offset(numbered(25)),
        };
        let api = ScriptedApi::new().pages("/users", pages.under("users").cap(10));
        let connection = format!("paginationType: {style}\npageSize: 100");
        keeps_all_and_reads_all(api, &connection, USERS).await;
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_22_rows_are_inserted_while_it_reads() {
    // A user appears on the first page after that was read, so that user 10 comes twice.
    let asked = Arc::new(AtomicU64::new(0));
    let api = ScriptedApi::new().on("/users", move |call| {
        let mut rows = numbered(25);
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            rows.insert(0, json!({"id": "new"}));
        }
        Pages::offset(rows)
            .under("users")
            .total("total")
            .answer(call)
    });
    keeps_all(api, "paginationType: offset\npageSize: 10", USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_22_rows_go_away_while_it_reads() {
    // User 1 is deleted between the first page and the second, so that user 11 moves to the first page and is never seen.
    let asked = Arc::new(AtomicU64::new(0));
    let api = ScriptedApi::new().on("/users", move |call| {
        let mut rows = numbered(25);
        if asked.fetch_add(1, Ordering::SeqCst) > 0 {
            rows.remove(0);
        }
        Pages::offset(rows)
            .under("users")
            .total("total")
            .answer(call)
    });
    keeps_all_of_a_short_read(api, "paginationType: offset\npageSize: 10", USERS).await;
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_23_and_24_kinds_share_half_a_list_of_parents() {
    let second = users_of(TEAM)
        .replace("resources:", "")
        .replace(r#"'"user"'"#, r#"'"member"'"#);
    let api = teams().faults("/teams", 2..=7, Answer::status(500));
    let rig = Rig::with_port(
        api,
        live()
            .stale_entity("member", "1")
            .stale_entity("member", "gone"),
    );
    let report = rig.sync("", &format!("{}{second}", users_of(TEAM))).await;
    assert_eq!(report.resources[0].outcome, "incomplete", "{report}");
    assert_eq!(report.resources[1].outcome, "complete", "{report}");
    assert_eq!(
        rig.port.deleted(),
        [("member".to_owned(), "gone".to_owned())]
    );
    assert_eq!(rig.port.identifiers("member").len(), 25);
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_25_upserts_fail() {
    let refused = live().rejects("user", "7", 422, "no");
    let failing = live().faults(PortCall::UpsertMany, 2.., Answer::status(500));
    for port in [refused, failing] {
        let rig = Rig::with_port(paged_users(), port);
        let report = rig.sync(PAGED, USERS).await;
        assert!(!report.is_clean());
        assert_eq!(rig.port.deleted(), [], "{report}");
    }
}

#[tokio::test(start_paused = true)]
async fn reference_deletes_when_26_a_stale_parent_has_live_dependents() {
    let mapping = r#"
createMissingRelatedEntities: false
resources:
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
"#;
    // The merge keeps a relation that the mapping does not name.
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/teams", json!([{"id": "new"}]))
            .json("/users", json!([{"id": "u1"}])),
        PortDouble::new()
            .relation("user", "team", "team")
            .stale_entity("team", "old")
            .stale_entity_with(
                "user",
                json!({"identifier": "u1", "relations": {"team": "old"}}),
            ),
    );
    let report = rig.sync("", mapping).await;
    assert_eq!(rig.port.deleted(), [], "{report}");
    assert_eq!(report.withheld[0].blueprint, "team");
    assert!(
        report.withheld[0]
            .reason
            .contains("deleteDependentEntities: true"),
        "{report}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_that_port_does_not_know_keeps_no_other_kind_from_being_read_and_written() {
    let mapping = r#"
resources:
  - kind: /users
    selector: {data_path: .users}
    port: {entity: {mappings: {identifier: .id, blueprint: '"usr"'}}}
  - kind: /teams
    selector: {pagination: {type: none}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .pages(
                "/users",
                Pages::page(numbered(1000)).under("users").total("total"),
            )
            .json("/teams", json!([{"id": "t1"}])),
        PortDouble::new().blueprint("team"),
    );
    let report = rig.sync("paginationType: page", mapping).await;
    assert_eq!((report.upserted, report.rejected), (1, 1000), "{report}");
    assert_eq!(report.errors.len(), 1, "one line for one cause: {report}");
    assert_eq!(report.resources.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn when_port_stays_away_the_rest_is_not_read_and_says_so() {
    let mapping = r#"
resources:
  - kind: /users
    selector: {data_path: .users}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .pages(
                "/users",
                Pages::page(numbered(1000)).under("users").total("total"),
            )
            .json("/teams", json!([{"id": "t1"}])),
        PortDouble::new().faults(
            longshore_testkit::PortCall::UpsertMany,
            1..,
            Answer::status(503),
        ),
    );
    let report = rig.sync("paginationType: page", mapping).await;
    assert_eq!(rig.api.count("/teams"), 0);
    let cause = report.resources[1].cause.as_deref().unwrap();
    assert!(cause.starts_with("NotRead"), "{report}");
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn an_object_among_the_pages_of_parents_is_no_parent() {
    // Five teams on two pages of a bare list; the second page is an error in disguise, and none of its fields is a team.
    for page in [1, 2] {
        let disguised = Answer::json(json!({"ok": false, "error": "internal"}));
        let rig = Rig::with_port(teams().faults("/teams", page.., disguised), live());
        let report = rig
            .sync("paginationType: page\npageSize: 3", &users_of(TEAM))
            .await;
        assert_eq!(report.resources[0].outcome, "incomplete", "{report}");
        assert_eq!(rig.port.deleted(), [], "{report}");
    }
}

const ONE_KIND: &str = r#"
entityDeletionThreshold: 1
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
"#;

// R23
#[tokio::test(start_paused = true)]
async fn a_port_that_refuses_the_credentials_is_not_asked_again_and_again() {
    let api = ScriptedApi::new().json("/users", longshore_testkit::numbered(1000));
    let port = PortDouble::new().stale_entity("user", "gone").faults(
        PortCall::UpsertMany,
        1..,
        Answer::status(401),
    );
    let rig = Rig::with_port(api, port);
    let report = rig.sync("", ONE_KIND).await;
    // No more is read for a Port that takes nothing.
    assert_eq!(report.upserted, 0, "{report}");
    assert!(report.rejected >= 200, "{report}");
    assert_eq!(report.resources[0].outcome, "incomplete");
    // Four at once, each once more with a token that is new to it, and no batch after them.
    assert!(
        rig.port.count(PortCall::Token) <= 5,
        "{}",
        rig.port.count(PortCall::Token)
    );
    assert!(
        rig.port.count(PortCall::UpsertMany) <= 8,
        "{}",
        rig.port.count(PortCall::UpsertMany)
    );
    assert!(report.errors[0].contains("401"), "{report}");
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn a_delete_whose_answer_got_lost_is_found_to_be_done() {
    let api = ScriptedApi::new().json("/users", json!([{"id": 1}]));
    let port = PortDouble::new().stale_entity("user", "gone").lose_answer(
        PortCall::DeleteMany,
        1,
        Answer::status(502),
    );
    let rig = Rig::with_port(api, port);
    let report = rig.sync("", ONE_KIND).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.deleted, 1);
    assert_eq!(rig.port.deleted().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_port_without_a_clock_takes_entities_and_loses_none() {
    let api = ScriptedApi::new().json("/users", json!([{"id": 1}]));
    let no_time = Answer::status(404).header("Date", "some day");
    let port =
        PortDouble::new()
            .stale_entity("user", "gone")
            .faults(PortCall::Integration, 1.., no_time);
    let rig = Rig::with_port(api, port);
    let report = rig.sync("", ONE_KIND).await;
    assert_eq!((report.upserted, report.errors.len()), (1, 1), "{report}");
    assert!(
        report.errors[0].contains("no usable Date header"),
        "{report}"
    );
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn a_port_whose_token_cannot_be_read_ends_the_sync_before_the_api_is_asked() {
    let api = ScriptedApi::new().json("/users", json!([{"id": 1}]));
    let odd = Answer::json(json!({"accessToken": "t", "expiresIn": "10800"}));
    let port = PortDouble::new()
        .stale_entity("user", "gone")
        .faults(PortCall::Token, 1.., odd);
    let rig = Rig::with_port(api.clone(), port);
    let report = rig.sync("", ONE_KIND).await;
    assert_eq!(report.upserted, 0);
    assert_eq!(api.requests().len(), 0);
    assert!(report.errors[0].contains("asking for a token"), "{report}");
    assert_eq!(rig.port.deleted(), []);
}
