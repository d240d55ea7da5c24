use std::collections::HashMap;

use longshore_port_client::{
    Delete, Deleted, Error, ErrorKind, Feeds, Ledger, NotDeletedReason, PortClient, Verdict,
};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::json;

use crate::support::{client, complete, network, refusal, scripted};

const PATH: &str = "/v1/blueprints/user/bulk/entities/delete";
const KEEP_DEPENDENTS: Delete = Delete {
    delete_dependents: false,
};

fn ids(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("u{n:03}")).collect()
}

fn with_users(count: usize) -> PortDouble {
    ids(count)
        .iter()
        .fold(PortDouble::new(), |port, id| port.stale_entity("user", id))
}

async fn delete(client: &PortClient, ids: &[String], how: Delete) -> Result<Deleted, Error> {
    client
        .delete(&complete("user").prove("user").unwrap(), ids, &how)
        .await
}

fn not_deleted(deleted: &Deleted) -> Vec<(&str, &NotDeletedReason)> {
    deleted
        .not_deleted
        .iter()
        .map(|not| (not.identifier.as_str(), &not.reason))
        .collect()
}

/// How often each identifier was in a call that Port did not refuse.
fn acknowledged(port: &PortDouble) -> HashMap<String, usize> {
    let mut times = HashMap::new();
    for seen in port.calls(PortCall::DeleteMany) {
        if seen.status.is_some_and(|status| status.is_success()) {
            for id in seen.json()["entities"].as_array().unwrap() {
                *times.entry(id.as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    times
}

#[tokio::test(start_paused = true)]
async fn identifiers_go_out_in_calls_of_a_hundred() {
    let port = with_users(250);
    let client = client(network(port.clone()).transport());
    let deleted = delete(&client, &ids(250), KEEP_DEPENDENTS).await.unwrap();
    assert_eq!(deleted.deleted, ids(250));
    assert_eq!(deleted.not_deleted, []);
    let calls = port.calls(PortCall::DeleteMany);
    assert_eq!(
        calls[0].json()["entities"][0],
        "u000",
        "in the order that was given"
    );
    let sizes: Vec<_> = calls
        .iter()
        .map(|seen| seen.json()["entities"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert!(
        calls
            .iter()
            .all(|seen| seen.query("delete_dependents").as_deref() == Some("false"))
    );
    assert_eq!(port.identifiers("user"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn nothing_to_delete_asks_nothing() {
    let port = PortDouble::new();
    let deleted = delete(
        &client(network(port.clone()).transport()),
        &[],
        KEEP_DEPENDENTS,
    )
    .await
    .unwrap();
    assert_eq!((deleted, port.requests().len()), (Deleted::default(), 0));
}

#[tokio::test(start_paused = true)]
async fn only_the_blueprint_of_the_proof_is_touched() {
    let port = PortDouble::new()
        .stale_entity("user", "x")
        .stale_entity("team", "x");
    let client = client(network(port.clone()).transport());
    let mut ledger = Ledger::new();
    for blueprint in ["user", "team"] {
        let id = ledger.open(blueprint, Feeds::Blueprint(blueprint.to_owned()));
        ledger.close(id, Verdict::Complete);
    }
    let proof = ledger.prove("team").unwrap();
    let deleted = client
        .delete(&proof, &["x".to_owned()], &KEEP_DEPENDENTS)
        .await
        .unwrap();
    assert_eq!(deleted.deleted, ["x"]);
    assert_eq!(
        (
            port.identifiers("user").len(),
            port.identifiers("team").len()
        ),
        (1, 0)
    );
}

// R11
#[tokio::test(start_paused = true)]
async fn an_identifier_that_is_given_twice_is_sent_once() {
    let port = with_users(120);
    let mut twice = ids(120);
    twice.extend(ids(120));
    let deleted = delete(
        &client(network(port.clone()).transport()),
        &twice,
        KEEP_DEPENDENTS,
    )
    .await
    .unwrap();
    assert_eq!(deleted.deleted, ids(120));
    assert_eq!(port.deleted().len(), 120);
    assert!(acknowledged(&port).values().all(|times| *times == 1));
}

#[tokio::test(start_paused = true)]
async fn only_what_port_names_is_gone() {
    let port = scripted().json(
        PATH,
        json!({"ok": true, "deletedEntities": ["u001", "stranger"]}),
    );
    let deleted = delete(&client(network(port).transport()), &ids(3), KEEP_DEPENDENTS)
        .await
        .unwrap();
    assert_eq!(deleted.deleted, ["u001"]);
    assert_eq!(
        not_deleted(&deleted),
        [
            ("u000", &NotDeletedReason::NotConfirmed),
            ("u002", &NotDeletedReason::NotConfirmed)
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_success_without_a_list_is_not_taken_as_deleted() {
    let port = scripted().json(PATH, json!({"ok": true}));
    let error = delete(&client(network(port).transport()), &ids(2), KEEP_DEPENDENTS)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.deleted().unwrap().deleted.is_empty());
}

/// A Port where each of these makes a whole call fail in this way.
fn that_refuses(bad: &'static [&'static str], answer: Answer) -> ScriptedApi {
    scripted().on(PATH, move |call| {
        let sent = call.json()["entities"].clone();
        let is_bad = |id: &serde_json::Value| bad.contains(&id.as_str().unwrap());
        match sent.as_array().unwrap().iter().any(is_bad) {
            true => answer.clone(),
            false => Answer::json(json!({"ok": true, "deletedEntities": sent})),
        }
    })
}

// R11
#[tokio::test(start_paused = true)]
async fn what_port_does_not_know_any_more_is_deleted_and_does_not_keep_the_others() {
    let port = that_refuses(
        &["u003", "u090"],
        refusal(404, "not_found", "Entity was not found"),
    );
    let client = client(network(port.clone()).transport());
    let deleted = delete(&client, &ids(100), KEEP_DEPENDENTS).await.unwrap();
    let mut gone = deleted.deleted.clone();
    gone.sort();
    assert_eq!((gone, deleted.not_deleted), (ids(100), vec![]));
    let really: usize = port
        .requests()
        .iter()
        .filter(|seen| seen.path() == PATH && seen.status.is_some_and(|status| status == 200))
        .map(|seen| seen.json()["entities"].as_array().unwrap().len())
        .sum();
    assert_eq!(really, 98, "the others are not left alone");
}

#[tokio::test(start_paused = true)]
async fn an_entity_with_dependents_is_found_by_halving_and_named() {
    let port = with_users(100)
        .relation("ticket", "author", "user")
        .stale_entity_with(
            "ticket",
            json!({"identifier": "T-1", "relations": {"author": "u042"}}),
        );
    let client = client(network(port.clone()).transport());
    let deleted = delete(&client, &ids(100), KEEP_DEPENDENTS).await.unwrap();
    assert_eq!(
        not_deleted(&deleted),
        [("u042", &NotDeletedReason::Dependents)]
    );
    assert_eq!(deleted.deleted.len(), 99);
    assert_eq!(port.identifiers("user"), ["u042"]);
    assert!(
        port.count(PortCall::DeleteMany) <= 2 * 7 + 1,
        "{}",
        port.count(PortCall::DeleteMany)
    );
    assert!(acknowledged(&port).values().all(|times| *times == 1));
    assert!(
        deleted.not_deleted[0]
            .reason
            .to_string()
            .contains("deleteDependentEntities: true")
    );
}

#[tokio::test(start_paused = true)]
async fn dependents_among_the_deleted_are_no_obstacle() {
    let port = PortDouble::new()
        .relation("user", "manager", "user")
        .stale_entity_with(
            "user",
            json!({"identifier": "a", "relations": {"manager": "b"}}),
        )
        .stale_entity_with(
            "user",
            json!({"identifier": "b", "relations": {"manager": "a"}}),
        )
        .stale_entity_with(
            "user",
            json!({"identifier": "c", "relations": {"manager": "c"}}),
        );
    let client = client(network(port.clone()).transport());
    let all = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(
        delete(&client, &all, KEEP_DEPENDENTS)
            .await
            .unwrap()
            .deleted,
        all
    );
    assert_eq!(port.count(PortCall::DeleteMany), 1);
}

// Number 26 of the reference's ways to delete live data.
#[tokio::test(start_paused = true)]
async fn reference_deletes_when_a_stale_parent_has_live_dependents() {
    let port = || {
        PortDouble::new()
            .relation("ticket", "author", "user")
            .stale_entity("user", "u000")
            .stale_entity_with(
                "ticket",
                json!({"identifier": "live", "relations": {"author": "u000"}}),
            )
    };
    let by_default = port();
    let deleted = delete(
        &client(network(by_default.clone()).transport()),
        &ids(1),
        Delete::default(),
    )
    .await
    .unwrap();
    assert_eq!(deleted.deleted, Vec::<String>::new());
    assert_eq!(by_default.deleted(), []);

    let on_demand = port();
    let along = Delete {
        delete_dependents: true,
    };
    let deleted = delete(
        &client(network(on_demand.clone()).transport()),
        &ids(1),
        along,
    )
    .await
    .unwrap();
    assert_eq!(deleted.deleted, ids(1));
    assert_eq!(on_demand.identifiers("ticket"), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn every_entity_of_a_call_may_be_refused() {
    let all: &[&str] = &["u000", "u001", "u002", "u003", "u004"];
    let port = that_refuses(all, refusal(409, "protected", "Entity is\nprotected"));
    let deleted = delete(
        &client(network(port.clone()).transport()),
        &ids(5),
        KEEP_DEPENDENTS,
    )
    .await
    .unwrap();
    let reason = NotDeletedReason::Refused {
        status: 409,
        message: "Entity is protected".to_owned(),
    };
    let expected: Vec<_> = all.iter().map(|id| (*id, &reason)).collect();
    assert_eq!(not_deleted(&deleted), expected);
    assert_eq!(port.count(PATH), 2 * 5 - 1);
    assert_eq!(
        reason.to_string(),
        "Port refused it (409): Entity is protected"
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_error_stops_and_says_how_many_are_deleted() {
    let port = with_users(250).faults(PortCall::DeleteMany, 2.., Answer::status(500));
    let client = client(network(port.clone()).transport());
    let error = delete(&client, &ids(250), KEEP_DEPENDENTS)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(
        error
            .to_string()
            .starts_with("deleted 100 of 250, then stopped: Port answered 500"),
        "{error}"
    );
    let done = error.deleted().unwrap();
    assert_eq!(done.deleted, ids(100));
    assert_eq!(done.not_deleted.len(), 150);
    assert_eq!(not_deleted(done)[0], ("u100", &NotDeletedReason::Stopped));
    assert_eq!(
        port.count(PortCall::DeleteMany),
        1 + 6,
        "the third call is never begun"
    );
    assert_eq!(port.identifiers("user").len(), 150);
}

#[tokio::test(start_paused = true)]
async fn the_next_run_deletes_the_rest() {
    let port = with_users(250).faults(PortCall::DeleteMany, 2..=7, Answer::status(503));
    let client = client(network(port.clone()).transport());
    let first = delete(&client, &ids(250), KEEP_DEPENDENTS)
        .await
        .unwrap_err();
    let rest: Vec<String> = client
        .owned(None)
        .await
        .unwrap()
        .into_iter()
        .map(|owned| owned.identifier)
        .collect();
    let second = delete(&client, &rest, KEEP_DEPENDENTS).await.unwrap();
    assert_eq!(
        (first.deleted().unwrap().deleted.len(), second.deleted.len()),
        (100, 150)
    );
    assert_eq!(port.deleted().len(), 250);
}

#[tokio::test(start_paused = true)]
async fn a_temporary_failure_is_waited_out() {
    let port = with_users(3)
        .fault(
            PortCall::DeleteMany,
            1,
            Answer::status(429).header("retry-after", "7"),
        )
        .fault(PortCall::DeleteMany, 2, Answer::status(503));
    let client = client(network(port.clone()).transport());
    let start = tokio::time::Instant::now();
    assert_eq!(
        delete(&client, &ids(3), KEEP_DEPENDENTS)
            .await
            .unwrap()
            .deleted,
        ids(3)
    );
    assert!(start.elapsed().as_secs_f64() >= 7.0);
}

#[tokio::test(start_paused = true)]
async fn credentials_that_may_not_delete_stop_at_the_first_call() {
    let port = with_users(3).faults(PortCall::DeleteMany, 1.., refusal(403, "forbidden", "no"));
    let error = delete(
        &client(network(port.clone()).transport()),
        &ids(3),
        KEEP_DEPENDENTS,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().starts_with("deleted 0 of 3"), "{error}");
    assert_eq!(port.count(PortCall::DeleteMany), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_that_fails_in_between_keeps_what_was_done_and_its_own_reason() {
    let port = with_users(150)
        .fault(PortCall::DeleteMany, 2, refusal(401, "invalid_token", "no"))
        .fault(
            PortCall::Token,
            2,
            refusal(401, "invalid_credentials", "no"),
        );
    let error = delete(
        &client(network(port).transport()),
        &ids(150),
        KEEP_DEPENDENTS,
    )
    .await
    .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(error.deleted().unwrap().deleted.len(), 100);
    assert!(error.to_string().contains("asking for a token"), "{error}");
}
