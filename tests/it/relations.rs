//! Relations: what is written in which order, what is tried again, and what is kept because something relates to it.

use longshore_engine::Report;
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::{Value, json};

use crate::rig::Rig;

/// Users before the teams that they relate to; Port creates nothing.
const USERS_FIRST: &str = r#"
createMissingRelatedEntities: false
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', relations: {team: .team, boss: .boss, friends: .friends}}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"', relations: {part_of: .part_of}}}}
"#;

fn port() -> PortDouble {
    PortDouble::new()
        .relation("user", "team", "team")
        .relation("user", "boss", "user")
        .relation("user", "friends", "user")
        .relation("team", "part_of", "team")
}

async fn sync(users: Value, teams: Value, port: PortDouble) -> (Report, PortDouble) {
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/users", users)
            .json("/teams", teams),
        port,
    );
    let report = rig.sync("", USERS_FIRST).await;
    assert_eq!(rig.port.violations(), Vec::<String>::new());
    (report, rig.port)
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_its_target_is_tried_again_after_everything_else() {
    let users: Vec<Value> = (0..45)
        .map(|n| json!({"id": n, "team": format!("t{}", n % 3)}))
        .collect();
    let teams = json!([{"id": "t0"}, {"id": "t1", "part_of": "t2"}, {"id": "t2"}]);
    let (report, port) = sync(users.into(), teams, port()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.upserted, report.rejected), (48, 0));
    assert_eq!(port.identifiers("user").len(), 45);
    assert_eq!(
        port.entity("user", "44").unwrap()["relations"]["team"],
        "t2"
    );
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_stands_on_its_head_is_written_in_one_pass_and_in_order() {
    let users: Vec<Value> = (0..30)
        .map(|n| json!({"id": n, "boss": (n + 1).to_string()}))
        .chain([json!({"id": 30})])
        .collect();
    let (report, port) = sync(users.into(), json!([]), port()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(port.entity("user", "0").unwrap()["relations"]["boss"], "1");
    // Each once in vain, each once in its turn, the last one once.
    let sent: usize = port
        .calls(PortCall::UpsertMany)
        .iter()
        .map(|call| call.json()["entities"].as_array().unwrap().len())
        .sum();
    assert!(sent <= 61, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn what_relates_to_nothing_that_comes_is_rejected_with_ports_words_after_one_pass() {
    let users = json!([{"id": "a", "team": "nowhere"}, {"id": "b"}]);
    let (report, port) = sync(users, json!([{"id": "t"}]), port()).await;
    assert_eq!((report.upserted, report.rejected), (2, 1), "{report}");
    assert!(
        report.rejections[0].message.contains("\"nowhere\""),
        "{report}"
    );
    assert_eq!(report.rejections[0].identifier, "a");
    // Users, teams, and the one again.
    assert_eq!(port.count(PortCall::UpsertMany), 3);
}

#[tokio::test(start_paused = true)]
async fn cycles_and_self_references_end() {
    let users = json!([
        {"id": "self", "boss": "self"},
        {"id": "a", "boss": "b"}, {"id": "b", "boss": "a"},
        {"id": "after", "boss": "a"},
        {"id": "friends", "friends": ["friends", "self"]},
    ]);
    let (report, port) = sync(users, json!([]), port()).await;
    assert_eq!(report.upserted + report.rejected, 5, "{report}");
    assert_eq!(
        report.rejected, 3,
        "the cycle and what waits for it: {report}"
    );
    assert!(port.entity("user", "self").is_some() && port.entity("user", "friends").is_some());
    assert_eq!(port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn what_comes_later_under_the_same_identifier_is_written_after_what_waits() {
    let mapping = r#"
createMissingRelatedEntities: false
resources:
  - kind: /people
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {a: .a}, relations: {team: .team}}}}
  - kind: /accounts
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {b: .b}}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json(
                "/people",
                json!([{"id": 1, "name": "person", "a": 1, "team": "t"}]),
            )
            .json("/accounts", json!([{"id": 1, "name": "account", "b": 2}]))
            .json("/teams", json!([{"id": "t"}])),
        port(),
    );
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.upserted, report.duplicates), (3, 1));
    let user = rig.port.entity("user", "1").unwrap();
    assert_eq!(user["title"], "account");
    assert_eq!(user["properties"], json!({"a": 1, "b": 2}));
    assert_eq!(user["relations"]["team"], "t");
}

#[tokio::test(start_paused = true)]
async fn there_are_three_passes_at_most() {
    // A Port that takes one entity of each call and refuses the others for now.
    let users: Vec<Value> = (0..9).map(|n| json!({"id": n, "boss": "chief"})).collect();
    let stingy = Answer::status(207).with_json(json!({
        "ok": true,
        "entities": [{"identifier": "0", "index": 0, "created": true}],
        "errors": (1..9).map(|index| json!({
            "identifier": index.to_string(), "index": index, "statusCode": 404, "error": "not_found", "message": "not yet",
        })).collect::<Vec<_>>(),
    }));
    let port = port().faults(PortCall::UpsertMany, 1.., stingy);
    let (report, port) = sync(users.into(), json!([]), port).await;
    assert_eq!(port.count(PortCall::UpsertMany), 1 + 3);
    assert_eq!((report.upserted, report.rejected), (4, 5), "{report}");
}

#[tokio::test(start_paused = true)]
async fn refusals_that_have_nothing_to_do_with_relations_are_not_tried_again() {
    let users = json!([{"id": "a"}, {"id": "b"}]);
    let (report, port) = sync(users, json!([]), port().rejects("user", "a", 422, "no")).await;
    assert_eq!((report.upserted, report.rejected), (1, 1));
    assert_eq!(port.count(PortCall::UpsertMany), 1);
}

#[tokio::test(start_paused = true)]
async fn port_that_fails_while_things_are_tried_again_loses_count_of_none_and_deletes_nothing() {
    let users: Vec<Value> = (0..10).map(|n| json!({"id": n, "team": "t"})).collect();
    let port =
        port()
            .stale_entity("user", "gone")
            .faults(PortCall::UpsertMany, 3.., Answer::status(500));
    let (report, port) = sync(users.into(), json!([{"id": "t"}]), port).await;
    assert_eq!((report.upserted, report.rejected), (1, 10), "{report}");
    assert!(!report.is_clean());
    assert_eq!(port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_is_found_by_a_query_waits_for_what_is_found() {
    let mapping = r#"
resources:
  - kind: /ratings
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"mail"', operator: '"="', value: .mail}]}
          blueprint: '"user"'
          properties: {rating: .rating}
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', properties: {mail: .mail}}}}
"#;
    let rig = Rig::with_port(
        ScriptedApi::new()
            .json("/ratings", json!([{"mail": "a@b", "rating": 5}]))
            .json("/users", json!([{"id": "ada", "mail": "a@b"}])),
        PortDouble::new().stale_entity("user", "gone"),
    );
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        rig.port.entity("user", "ada").unwrap()["properties"],
        json!({"mail": "a@b", "rating": 5})
    );
    assert_eq!(report.deleted, 1);
}

const RATINGS: &str = r#"
resources:
  - kind: /ratings
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"mail"', operator: '"="', value: .mail}]}
          blueprint: '"user"'
          properties: {rating: .rating}
"#;

/// A Port that takes an entity as it is and counts that as no update.
#[tokio::test(start_paused = true)]
async fn what_was_found_by_a_query_is_not_gone_whatever_port_says_of_its_last_update() {
    let taken = |identifier: Value| {
        let entities = json!([{"identifier": identifier, "index": 0, "created": false}]);
        Answer::json(json!({"ok": true, "entities": entities, "errors": []}))
    };
    let query = json!({"combinator": "and", "rules": []});
    for (named, gone) in [
        (json!("ada"), vec!["gone"]),
        // Nobody knows what was found, so it is as the last updates say.
        (query.clone(), vec!["ada", "gone"]),
        (json!(query.to_string()), vec!["ada", "gone"]),
    ] {
        let rig = Rig::with_port(
            ScriptedApi::new().json("/ratings", json!([{"mail": "a@b", "rating": 5}])),
            PortDouble::new()
                .stale_entity("user", "ada")
                .stale_entity("user", "gone")
                .faults(PortCall::UpsertMany, 1.., taken(named)),
        );
        let mapping = format!("entityDeletionThreshold: 1\n{RATINGS}");
        let report = rig.sync("", &mapping).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!((report.upserted, report.duplicates), (1, 0), "{report}");
        let mut deleted: Vec<String> = rig.port.deleted().into_iter().map(|(_, id)| id).collect();
        deleted.sort();
        assert_eq!(deleted, gone);
    }
}

const BY_QUERY: &str = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          relations:
            team: {combinator: '"and"', rules: [{property: '"$title"', operator: '"="', value: .team}]}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"team"'}}}
"#;

/// R11 for relations whose targets only Port knows.
#[tokio::test(start_paused = true)]
async fn what_a_produced_relation_finds_by_a_query_is_not_deleted() {
    for (create, deleted) in [(true, vec!["t3"]), (false, vec!["t2", "t3"])] {
        let team =
            |identifier: &str, title: &str| json!({"identifier": identifier, "title": title});
        let rig = Rig::with_port(
            ScriptedApi::new()
                .json(
                    "/users",
                    json!([{"id": 1, "team": "Blue"}, {"id": 2, "team": "Red"}]),
                )
                .json("/teams", json!([{"id": "t1", "name": "Blue"}])),
            PortDouble::new()
                .relation("user", "team", "team")
                .stale_entity_with("team", team("t2", "Red"))
                .stale_entity_with("team", team("t3", "Green")),
        );
        let mapping = format!(
            "createMissingRelatedEntities: {create}\ndeleteDependentEntities: {}\n{BY_QUERY}",
            !create
        );
        rig.sync("", &mapping).await;
        let mut gone: Vec<String> = rig
            .port
            .deleted()
            .into_iter()
            .filter(|(blueprint, _)| blueprint == "team")
            .map(|(_, identifier)| identifier)
            .collect();
        gone.sort();
        assert_eq!(gone, deleted, "createMissingRelatedEntities: {create}");
        assert_eq!(rig.port.violations(), Vec::<String>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn more_queries_than_can_be_held_against_what_is_gone_keep_all_of_it() {
    let users: Vec<Value> = (0..1001)
        .map(|n| json!({"id": n, "team": format!("T{n}")}))
        .collect();
    // Port takes everything without looking anything up: that would be a million comparisons.
    let taken: Vec<Value> = (0..20).map(|index| json!({"index": index})).collect();
    let taken = Answer::json(json!({"ok": true, "entities": taken}));
    let port = || {
        PortDouble::new()
            .relation("user", "team", "team")
            .stale_entity("team", "t2")
            .faults(PortCall::UpsertMany, 1.., taken.clone())
    };
    for (count, withheld) in [(1000, 0), (1001, 1)] {
        let rig = Rig::with_port(
            ScriptedApi::new()
                .json("/users", users[..count].to_vec())
                .json("/teams", json!([{"id": "t1", "name": "Blue"}])),
            port(),
        );
        // The double took without keeping, so what is gone is all that it has.
        let mapping = format!("entityDeletionThreshold: 1\n{BY_QUERY}");
        let report = rig.sync("", &mapping).await;
        assert_eq!(report.withheld.len(), withheld, "{report}");
        assert_eq!(report.deleted as usize, 1 - withheld);
        if withheld > 0 {
            assert!(
                report.withheld[0]
                    .reason
                    .contains("createMissingRelatedEntities: false")
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn stale_cycles_end_and_every_identifier_is_deleted_once() {
    let mapping = r#"
createMissingRelatedEntities: false
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}
"#;
    let related = |id: &str, to: &str| json!({"identifier": id, "relations": {"boss": to}});
    let rig = Rig::with_port(
        ScriptedApi::new().json("/users", json!([{"id": "here"}])),
        PortDouble::new()
            .relation("user", "boss", "user")
            .stale_entity_with("user", related("a", "b"))
            .stale_entity_with("user", related("b", "a"))
            .stale_entity_with("user", related("self", "self")),
    );
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.deleted, 3);
    let mut named: Vec<String> = rig
        .port
        .calls(PortCall::DeleteMany)
        .iter()
        .flat_map(|call| {
            let body = call.json();
            body["entities"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    named.sort();
    assert_eq!(named, ["a", "b", "self"]);
}

// What Port fails to take

/// One user and one that is gone.
fn with_one_gone() -> PortDouble {
    (0..9).fold(port().stale_entity("user", "gone"), |port, n| {
        port.stale_entity("user", &n.to_string())
    })
}

/// Port's answer to a bulk call of one entity that it could not take for the moment.
fn busy(status: u16) -> Answer {
    Answer::status(207).with_json(json!({
        "ok": false, "entities": [],
        "errors": [{"identifier": "0", "index": 0, "statusCode": status, "error": "busy", "message": "try again"}],
    }))
}

const PLAIN: &str = r#"
entityDeletionThreshold: 1
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"'}}}
"#;

#[tokio::test(start_paused = true)]
async fn an_entity_that_port_fails_to_take_for_the_moment_is_sent_again_in_the_same_sync() {
    for status in [408, 425, 429, 500, 503, 529] {
        let api = ScriptedApi::new().json("/users", json!([{"id": 0, "name": "new"}]));
        let port = with_one_gone()
            .fault(PortCall::UpsertMany, 1, busy(status))
            .fault(PortCall::UpsertMany, 2, busy(status));
        let rig = Rig::with_port(api, port);
        let report = rig.sync("", PLAIN).await;
        assert!(report.is_clean(), "{status}: {report}");
        assert_eq!(rig.port.entity("user", "0").unwrap()["title"], "new");
        assert_eq!(rig.port.count(PortCall::UpsertMany), 3);
        assert!(rig.port.entity("user", "gone").is_none(), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_port_fails_to_take_for_good_keeps_everything() {
    let users: Vec<Value> = (0..9).map(|id| json!({"id": id, "name": "new"})).collect();
    let api = ScriptedApi::new().json("/users", users);
    let port = with_one_gone().rejects("user", "3", 503, "busy");
    let rig = Rig::with_port(api, port);
    let report = rig.sync("", PLAIN).await;
    assert_eq!((report.upserted, report.rejected), (8, 1), "{report}");
    assert!(report.errors[0].contains("Port answered 503"), "{report}");
    assert_eq!(rig.port.deleted(), []);
    assert!(
        report.withheld[0].reason.contains("could be written"),
        "{report}"
    );
    // At once, and in each pass.
    assert_eq!(rig.port.count(PortCall::UpsertMany), 4);
}

// Targets that Port refuses whatever is there

#[tokio::test(start_paused = true)]
async fn targets_that_port_refuses_are_found_before_anything_is_sent() {
    let mut users: Vec<Value> = (0..20).map(|id| json!({"id": id, "team": "t"})).collect();
    users.extend([
        json!({"id": "spaced", "team": "blue team"}),
        json!({"id": "empty", "team": ""}),
        json!({"id": "with-null", "friends": ["1", null]}),
        json!({"id": "in-list", "friends": ["1", "a b"]}),
        json!({"id": "fine", "team": null, "friends": []}),
    ]);
    let (report, port) = sync(users.into(), json!([{"id": "t"}]), port()).await;
    assert_eq!((report.upserted, report.rejected), (22, 4), "{report}");
    let says = |identifier: &str| {
        let found = report
            .rejections
            .iter()
            .find(|rejection| rejection.identifier == identifier);
        found.unwrap().message.clone()
    };
    assert!(
        says("spaced")
            .starts_with("the relation `team`: the identifier `blue team` has the character ' '")
    );
    assert!(says("empty").starts_with("the relation `team`: it has an empty text"));
    assert!(says("with-null").starts_with("the relation `friends`: its list has a null"));
    assert!(says("in-list").starts_with("the relation `friends`: the identifier `a b`"));
    // None of them had a batch halved: users, teams, and the users again.
    assert!(
        port.count(PortCall::UpsertMany) <= 5,
        "{}",
        port.count(PortCall::UpsertMany)
    );
    assert!(port.entity("user", "fine").is_some());
}
