use std::time::{Duration, SystemTime};

use longshore_port_client::{ErrorKind, Owned};
use longshore_testkit::{Answer, PortCall, PortDouble};
use serde_json::json;

use crate::support::{builder, client, network, scripted};

const PATH: &str = "/v1/blueprints/entities/datasource-entities";

fn names(owned: &[Owned]) -> Vec<&str> {
    owned
        .iter()
        .map(|owned| owned.identifier.as_str())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn all_pages_of_ours_and_nothing_of_others_are_listed() {
    let mut port = PortDouble::new()
        .owned_page_size(2)
        .foreign_entity("user", "theirs");
    for n in 0..5 {
        port = port.stale_entity("user", &format!("u{n}"));
    }
    let port = port.stale_entity("team", "t");
    let owned = client(network(port.clone()).transport())
        .owned(None)
        .await
        .unwrap();
    assert_eq!(names(&owned), ["t", "u0", "u1", "u2", "u3", "u4"]);
    assert_eq!(
        (owned[0].blueprint.as_str(), owned[1].blueprint.as_str()),
        ("team", "user")
    );
    assert_eq!(port.count(PortCall::Owned), 3);
}

#[tokio::test(start_paused = true)]
async fn prefix_and_suffix_are_those_of_the_integration() {
    let port = PortDouble::new();
    let client = builder(network(port.clone()).transport())
        .integration("custom", "eu-1")
        .build()
        .unwrap();
    client.owned(None).await.unwrap();
    assert_eq!(
        port.calls(PortCall::Owned)[0].json(),
        json!({"datasource_prefix": "port-ocean/custom/", "datasource_suffix": "/eu-1/exporter", "limit": 5000})
    );
}

#[tokio::test(start_paused = true)]
async fn with_a_time_only_what_was_updated_before_it_is_listed() {
    let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_250);
    let just_before = time - Duration::from_millis(1);
    let port = PortDouble::new()
        .owned_entity("user", "old", just_before)
        .owned_entity("user", "new", time);
    let client = client(network(port.clone()).transport());
    assert_eq!(names(&client.owned(Some(time)).await.unwrap()), ["old"]);
    assert_eq!(
        port.calls(PortCall::Owned)[0].json()["before"],
        "2023-11-14T22:13:20.250Z"
    );
    assert_eq!(names(&client.owned(None).await.unwrap()), ["new", "old"]);
}

#[tokio::test(start_paused = true)]
async fn the_pages_after_the_first_ask_for_the_same_list() {
    let port = scripted().on(PATH, |call| {
        assert_eq!(call.json()["limit"], 5000);
        assert_eq!(call.json()["before"], "1970-01-01T00:00:00.000Z");
        match call.json()["from"].as_str() {
            None => Answer::json(json!({"entities": [], "next": "p2"})),
            Some("p2") => Answer::json(
                json!({"entities": [{"identifier": "a", "blueprint": "user"}], "next": null}),
            ),
            Some(other) => panic!("{other}"),
        }
    });
    let owned = client(network(port).transport())
        .owned(Some(SystemTime::UNIX_EPOCH))
        .await
        .unwrap();
    assert_eq!(names(&owned), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_moves_between_pages_is_listed_once() {
    let a = json!({"identifier": "a", "blueprint": "user"});
    let other = json!({"identifier": "a", "blueprint": "team"});
    let port = scripted().answers(
        PATH,
        [
            Answer::json(json!({"entities": [a, other], "next": "2"})),
            Answer::json(json!({"entities": [a]})),
        ],
    );
    let owned = client(network(port).transport()).owned(None).await.unwrap();
    assert_eq!(owned.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_goes_in_circles_is_an_error() {
    let page = |next| {
        Answer::json(json!({"entities": [{"identifier": "a", "blueprint": "user"}], "next": next}))
    };
    let port = scripted().answers(PATH, [page("x"), page("y"), page("x"), page("y")]);
    let error = client(network(port.clone()).transport())
        .owned(None)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("no end"), "{error}");
    assert_eq!(port.count(PATH), 3);
}

#[tokio::test(start_paused = true)]
async fn there_is_never_half_a_list() {
    let first = || {
        Answer::json(json!({"entities": [{"identifier": "a", "blueprint": "user"}], "next": "2"}))
    };
    for (second, kind) in [
        (Answer::status(500), ErrorKind::Unavailable),
        (Answer::json(json!({"ok": true})), ErrorKind::Answer),
        (
            Answer::json(json!({"entities": [{"identifier": "b"}]})),
            ErrorKind::Answer,
        ),
        (Answer::json(json!({"entities": null})), ErrorKind::Answer),
        (
            Answer::text(r#"{"entities": [{"identifier": "b", "#),
            ErrorKind::Unavailable,
        ),
        (Answer::text("<html>"), ErrorKind::Answer),
    ] {
        let port = scripted().answers(PATH, [first(), second.clone()]);
        let error = client(network(port).transport())
            .owned(None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{second:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_on_after_a_temporary_failure() {
    let port = PortDouble::new()
        .owned_page_size(1)
        .stale_entity("user", "a")
        .stale_entity("user", "b")
        .fault(PortCall::Owned, 2, Answer::status(502))
        .fault(PortCall::Owned, 3, Answer::text(""));
    let owned = client(network(port.clone()).transport())
        .owned(None)
        .await
        .unwrap();
    assert_eq!(names(&owned), ["a", "b"]);
    assert_eq!(port.count(PortCall::Owned), 4);
}
