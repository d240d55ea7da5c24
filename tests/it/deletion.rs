//! What may be deleted, and what may not: R1 to R11.

use longshore_testkit::{Answer, Pages, PortDouble, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::Rig;

const USERS: &str = r#"
resources:
  - kind: /users
    selector: {query: 'true', data_path: .users}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
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
            .stale_entity("user", "b")
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
            longshore_testkit::PortCall::UpsertMany,
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
