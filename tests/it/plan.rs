//! What a sync would do, said without doing it.

use longshore_engine::{Plan, PlanSink, PortSinkOptions, Report};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::{Value, json};

use crate::rig::{Rig, config};

const MAPPING: &str = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {age: .age}}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;

fn api() -> ScriptedApi {
    ScriptedApi::new()
        .json(
            "/users",
            json!([
                {"id": "new", "name": "New"},
                {"id": "same", "name": "Same", "age": 1},
                {"id": "other", "name": "Other", "age": 2},
                {"id": "a b", "name": "refused"},
            ]),
        )
        .json("/teams", json!([{"id": "t1"}]))
}

fn port() -> PortDouble {
    PortDouble::new()
        .stale_entity_with(
            "user",
            json!({"identifier": "same", "title": "Same", "properties": {"age": 1.0}}),
        )
        .stale_entity_with(
            "user",
            json!({"identifier": "other", "title": "Another", "properties": {"age": 3}}),
        )
        .stale_entity("user", "gone")
        .foreign_entity("team", "t1")
}

async fn plan(rig: &Rig, mapping: &str) -> (Report, Plan) {
    let config = config("", mapping).unwrap();
    let options = PortSinkOptions::from(config.mapping.as_ref().unwrap());
    let client = rig.port_sink(options.clone()).client().clone();
    let sink = PlanSink::new(client).options(options);
    let report = rig.engine_from(&config).sync(&sink).await;
    (report, sink.plan())
}

/// No request that writes was made.
fn nothing_is_written(rig: &Rig) {
    for call in [
        PortCall::UpsertMany,
        PortCall::UpsertOne,
        PortCall::DeleteMany,
        PortCall::DeleteOne,
    ] {
        assert_eq!(rig.port.count(call), 0, "{call:?}");
    }
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_what_would_be_created_changed_and_deleted_and_nothing_is_written() {
    let rig = Rig::with_port(api(), port());
    let (report, plan) = plan(&rig, MAPPING).await;
    nothing_is_written(&rig);
    assert_eq!(
        (report.upserted, report.deleted, report.rejected),
        (0, 0, 1),
        "{report}"
    );
    assert_eq!(
        serde_json::to_value(&plan).unwrap(),
        json!({"blueprints": {
            "team": {
                "create": {"count": 0, "samples": []}, "change": {"count": 0, "samples": []},
                "unchanged": 1, "look_up": 0, "delete": {"count": 0, "samples": []}, "held_back": null,
            },
            "user": {
                "create": {"count": 1, "samples": ["new"]},
                "change": {"count": 1, "samples": [{"identifier": "other", "fields": ["title", "properties.age"]}]},
                "unchanged": 1, "look_up": 0, "delete": {"count": 1, "samples": ["gone"]}, "held_back": null,
            },
        }})
    );
    assert_eq!(
        plan.to_string(),
        "team: 0 to create, 0 to change, 0 to delete, 1 unchanged\n\
         user: 1 to create, 1 to change, 1 to delete, 1 unchanged\n  \
         create new\n  change other: title, properties.age\n  delete gone"
    );
    assert!(!plan.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_done_is_what_was_planned() {
    let rig = Rig::with_port(api(), port());
    let (_, planned) = plan(&rig, MAPPING).await;
    let done = rig.sync("", MAPPING).await;
    let sum = |of: fn(&longshore_engine::BlueprintPlan) -> u64| -> u64 {
        planned.blueprints.values().map(of).sum()
    };
    let written = sum(|plan| plan.create.count + plan.change.count);
    // The team is as it is, but somebody else's: writing it makes it ours.
    assert_eq!(done.upserted, written + 1, "{done}");
    assert_eq!(done.deleted, sum(|plan| plan.delete.count), "{done}");
    rig.port.advance(std::time::Duration::from_secs(600));
    let (_, after) = plan(&rig, MAPPING).await;
    assert!(after.is_empty(), "{after}");
}

#[tokio::test(start_paused = true)]
async fn guards_hold_back_in_a_plan_as_they_do_in_a_sync() {
    let incomplete = api().answer("/users", Answer::status(500));
    let too_many = api().json("/users", json!([{"id": "same"}]));
    for (api, mapping, guard) in [
        (incomplete, MAPPING.to_owned(), "was not read to its end"),
        (
            too_many,
            format!("entityDeletionThreshold: 0.5\n{MAPPING}"),
            "entityDeletionThreshold 0.5",
        ),
    ] {
        let rig = Rig::with_port(api.clone(), port());
        let (report, planned) = plan(&rig, &mapping).await;
        nothing_is_written(&rig);
        let user = &planned.blueprints["user"];
        assert_eq!(user.delete.count, 0, "{planned}");
        let held_back = user.held_back.as_ref().unwrap();
        assert!(held_back.reason.contains(guard), "{planned}");
        assert!(
            planned.to_string().contains("not to be deleted"),
            "{planned}"
        );
        assert!(!report.is_clean());
        let done = rig.sync("", &mapping).await;
        assert_eq!(done.withheld[0].count, held_back.count);
        assert_eq!(done.withheld[0].reason, held_back.reason);
    }
}

#[tokio::test(start_paused = true)]
async fn the_threshold_of_a_plan_counts_what_would_be_created() {
    // Afterwards 4 of 9 are stale.
    let users: Vec<Value> = (0..5).map(|n| json!({"id": format!("n{n}")})).collect();
    let port = (0..4).fold(PortDouble::new(), |port, n| {
        port.stale_entity("user", &format!("gone{n}"))
    });
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/users", users)
            .json("/teams", json!([])),
        port,
    );
    let mapping = format!("entityDeletionThreshold: 0.5\n{MAPPING}");
    let (_, planned) = plan(&rig, &mapping).await;
    assert_eq!(planned.blueprints["user"].delete.count, 4, "{planned}");
    assert_eq!(rig.sync("", &mapping).await.deleted, 4);
}

#[tokio::test(start_paused = true)]
async fn ten_are_named_and_all_are_counted() {
    let users: Vec<Value> = (0..25).map(|n| json!({"id": n})).collect();
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/users", users)
            .json("/teams", json!([])),
        PortDouble::new(),
    );
    let (_, planned) = plan(&rig, MAPPING).await;
    let create = &planned.blueprints["user"].create;
    assert_eq!((create.count, create.samples.len()), (25, 10));
    assert!(
        planned.to_string().ends_with("  … and 15 more"),
        "{planned}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_comes_twice_is_planned_once() {
    let twice = json!([
        {"id": "same", "name": "Same", "age": 1}, {"id": "same", "name": "Other", "age": 1},
        {"id": "new"}, {"id": "new", "name": "again"},
    ]);
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/users", twice)
            .json("/teams", json!([])),
        port(),
    );
    let (report, planned) = plan(&rig, MAPPING).await;
    let user = &planned.blueprints["user"];
    assert_eq!(
        (user.create.count, user.change.count, user.unchanged),
        (1, 1, 0),
        "{planned}"
    );
    assert_eq!(report.duplicates, 2);
}

#[tokio::test(start_paused = true)]
async fn a_plan_says_that_dependents_go_along_where_the_mapping_says_so() {
    for dependents in [true, false] {
        let rig = Rig::with_port(api(), port());
        let mapping = format!("deleteDependentEntities: {dependents}\n{MAPPING}");
        let (_, planned) = plan(&rig, &mapping).await;
        let text = "delete gone\n  … and what depends on them (deleteDependentEntities)";
        assert_eq!(planned.to_string().contains(text), dependents, "{planned}");
        let json = serde_json::to_value(&planned).unwrap();
        let said = json["blueprints"]["user"].get("with_dependents");
        assert_eq!(said, dependents.then_some(&json!(true)));
        assert_eq!(json["blueprints"]["team"].get("with_dependents"), None);
    }
}

/// Which entity a query means is known when it is written; that it is not gone is known before.
#[tokio::test(start_paused = true)]
async fn what_a_search_query_finds_is_not_planned_to_go() {
    let mapping = r#"
resources:
  - kind: /ratings
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"mail"', operator: '"="', value: .mail}]}
          blueprint: '"user"'
          properties: {rating: .rating}
"#;
    let ada = json!({"identifier": "ada", "properties": {"mail": "a@b"}});
    let port = || {
        PortDouble::new()
            .stale_entity_with("user", ada.clone())
            .stale_entity("user", "gone")
    };
    let of = |mail: &str| json!({"mail": mail, "rating": 5});
    let rig = Rig::with_port(
        ScriptedApi::new().json("/ratings", json!([of("a@b")])),
        port(),
    );
    let (report, planned) = plan(&rig, mapping).await;
    nothing_is_written(&rig);
    assert!(report.is_clean(), "{report}");
    let user = &planned.blueprints["user"];
    assert_eq!((user.look_up, user.delete.count), (1, 1), "{planned}");
    assert_eq!(user.delete.samples, ["gone"]);
    assert!(
        planned
            .to_string()
            .contains("1 to look up by a search query"),
        "{planned}"
    );
    let done = rig.sync("", mapping).await;
    assert_eq!((done.upserted, done.deleted), (1, 1), "{done}");

    // A query that Port refuses may have meant any of them.
    let refusal = Answer::status(422)
        .with_json(json!({"ok": false, "error": "invalid_request", "message": "no"}));
    let rig = Rig::with_port(
        ScriptedApi::new().json("/ratings", json!([of("a@b"), of("who@knows")])),
        port().fault(PortCall::Search, 2, refusal),
    );
    let (report, planned) = plan(&rig, mapping).await;
    nothing_is_written(&rig);
    assert_eq!(report.rejected, 1, "{report}");
    let user = &planned.blueprints["user"];
    assert_eq!((user.look_up, user.delete.count), (1, 0), "{planned}");
    assert_eq!(user.held_back.as_ref().unwrap().count, 1, "{planned}");
    let done = rig.sync("", mapping).await;
    assert_eq!((done.rejected, done.deleted), (1, 0), "{done}");
    assert_eq!(done.withheld[0].count, 1, "{done}");
}

#[tokio::test(start_paused = true)]
async fn port_that_is_away_is_an_error_and_no_plan_of_deletes() {
    for call in [PortCall::Owned, PortCall::Search] {
        let rig = Rig::with_port(api(), port().faults(call, 1.., Answer::status(503)));
        let (report, planned) = plan(&rig, MAPPING).await;
        assert!(!report.is_clean(), "{report}");
        assert!(
            planned
                .blueprints
                .values()
                .all(|plan| plan.delete.count == 0),
            "{planned}"
        );
        nothing_is_written(&rig);
    }
}
