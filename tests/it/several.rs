//! Several mappings of one kind, several kinds of one blueprint, and entities that come from more than one of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use longshore_engine::{EngineBuilder, Event, PortSinkOptions};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::{Value, json};

use crate::rig::{Rig, config};

/// One endpoint that gives people and, from the same records, teams and accounts.
const ONE_KIND: &str = r#"
entityDeletionThreshold: 1
resources:
  - kind: /people
    selector: {query: .active}
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"'}}}
  - kind: /people
    selector: {query: .active | not}
    port: {entity: {mappings: {identifier: .id, title: '.name + " (left)"', blueprint: '"user"'}}}
  - kind: /people
    port: {entity: {mappings: {identifier: .team, blueprint: '"team"'}}}
"#;

fn people() -> Vec<Value> {
    (0..30)
        .map(|n| {
            json!({"id": n, "name": format!("P{n}"), "active": n % 3 > 0, "team": format!("t{}", n % 4)})
        })
        .collect()
}

#[tokio::test(start_paused = true)]
async fn every_mapping_of_a_kind_counts_and_what_none_of_them_gives_is_gone() {
    let port = PortDouble::new()
        .stale_entity("user", "99")
        .stale_entity("team", "t99");
    let rig = Rig::with_port(ScriptedApi::new().json("/people", people()), port);
    let report = rig.sync("", ONE_KIND).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(report.resources.len(), 3);
    let entities: Vec<u64> = report.resources.iter().map(|read| read.entities).collect();
    assert_eq!(entities, [20, 10, 30]);
    assert_eq!(rig.port.identifiers("user").len(), 30);
    assert_eq!(rig.port.identifiers("team"), ["t0", "t1", "t2", "t3"]);
    assert_eq!(rig.port.entity("user", "3").unwrap()["title"], "P3 (left)");
    assert_eq!((report.deleted, report.duplicates), (2, 26));
}

#[tokio::test(start_paused = true)]
async fn events_of_several_mappings_of_a_kind_say_whose_they_are() {
    let rig = Rig::new(ScriptedApi::new().json("/people", people()));
    let entities = Arc::new(Mutex::new(BTreeMap::new()));
    let noted = entities.clone();
    let mapping = config("", ONE_KIND).unwrap();
    let engine = EngineBuilder::from_config(&mapping)
        .unwrap()
        .transport(rig.network.transport())
        .observer(move |event: &Event<'_>| {
            if let Event::Page {
                place, entities, ..
            } = event
            {
                noted.lock().unwrap().insert(*place, *entities);
            }
        })
        .build()
        .unwrap();
    let sink = rig.port_sink(PortSinkOptions::default());
    assert!(engine.sync(&sink).await.is_clean());
    let entities = entities.lock().unwrap().clone();
    assert_eq!(entities, BTreeMap::from([(0, 20), (1, 10), (2, 30)]));
}

#[tokio::test(start_paused = true)]
async fn a_failed_record_of_one_mapping_protects_its_blueprint_and_not_that_of_the_others() {
    let mut people = people();
    people[4]["team"] = json!(null);
    let port = PortDouble::new()
        .stale_entity("user", "99")
        .stale_entity("team", "t99");
    let rig = Rig::with_port(ScriptedApi::new().json("/people", people), port);
    let report = rig.sync("", ONE_KIND).await;
    assert_eq!(
        rig.port.deleted(),
        [("user".to_owned(), "99".to_owned())],
        "{report}"
    );
    assert_eq!(report.withheld[0].blueprint, "team");
}

/// One blueprint that two endpoints know about.
const TWO_KINDS: &str = r#"
entityDeletionThreshold: 1
resources:
  - kind: /people
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {mail: .mail}, relations: {team: .team}}}}
  - kind: /accounts
    port: {entity: {mappings: {identifier: .person, blueprint: '"user"', properties: {login: .login}, relations: {manager: .manager}}}}
"#;

fn two_kinds(people: std::ops::Range<u64>, accounts: std::ops::Range<u64>) -> ScriptedApi {
    let people: Vec<Value> = people
        .map(|n| json!({"id": n, "name": format!("P{n}"), "mail": format!("{n}@x"), "team": "t"}))
        .collect();
    let accounts: Vec<Value> = accounts
        .map(|n| json!({"person": n, "login": format!("l{n}"), "manager": "0"}))
        .collect();
    ScriptedApi::new()
        .json("/people", people)
        .json("/accounts", accounts)
}

fn port() -> PortDouble {
    PortDouble::new()
        .relation("user", "manager", "user")
        .relation("user", "team", "team")
}

#[tokio::test(start_paused = true)]
async fn an_entity_of_two_kinds_has_what_both_say_and_is_left_alone_when_neither_says_anything_new()
{
    let rig = Rig::with_port(two_kinds(0..30, 10..40), port());
    let report = rig.sync("", TWO_KINDS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.upserted, report.duplicates), (60, 20));
    let both = rig.port.entity("user", "15").unwrap();
    assert_eq!(both["title"], "P15");
    assert_eq!(both["properties"], json!({"mail": "15@x", "login": "l15"}));
    assert_eq!(both["relations"], json!({"team": "t", "manager": "0"}));

    let upserts = rig.port.count(PortCall::UpsertMany);
    let report = rig.sync("", TWO_KINDS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!((report.upserted, report.unchanged), (0, 60), "{report}");
    assert_eq!(rig.port.count(PortCall::UpsertMany), upserts);
}

#[tokio::test(start_paused = true)]
async fn what_one_kind_still_has_stays_and_what_neither_has_goes() {
    let rig = Rig::with_port(two_kinds(0..30, 10..40), port());
    rig.sync("", TWO_KINDS).await;
    rig.port.advance(std::time::Duration::from_secs(600));
    let later = Rig::with_port(two_kinds(0..20, 12..35), rig.port.clone());
    let report = later.sync("", TWO_KINDS).await;
    assert!(report.is_clean(), "{report}");
    let mut gone: Vec<String> = rig.port.deleted().into_iter().map(|(_, id)| id).collect();
    gone.sort();
    assert_eq!(gone, ["35", "36", "37", "38", "39"]);
    // 10 and 11 have lost their account, and a merge keeps what nobody names.
    let kept = rig.port.entity("user", "10").unwrap();
    assert_eq!(kept["properties"], json!({"mail": "10@x", "login": "l10"}));
}

#[tokio::test(start_paused = true)]
async fn one_kind_that_fails_protects_what_only_the_other_had() {
    let rig = Rig::with_port(two_kinds(0..30, 10..40), port());
    rig.sync("", TWO_KINDS).await;
    rig.port.advance(std::time::Duration::from_secs(600));
    let api = two_kinds(0..0, 10..40).answer("/people", Answer::status(500));
    let later = Rig::with_port(api, rig.port.clone());
    let report = later.sync("", TWO_KINDS).await;
    assert_eq!(report.resources[0].outcome, "incomplete");
    assert_eq!(rig.port.deleted(), [], "{report}");
    let users = report.withheld.iter().find(|held| held.blueprint == "user");
    // All but the one that accounts relate to.
    assert_eq!(users.unwrap().count, 9, "{report}");
}
