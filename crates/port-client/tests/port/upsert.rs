use std::collections::HashSet;
use std::time::Duration;

use longshore_port_client::{Entity, ErrorKind, Identifier, MAX_BODY_BYTES, Rejected, Upsert};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi, Seen};
use longshore_transport as transport;
use serde_json::{Value, json};

use crate::support::{builder, client, network, refusal, scripted, users};

const PATH: &str = "/v1/blueprints/user/entities/bulk";

fn sizes(calls: &[Seen]) -> Vec<usize> {
    calls
        .iter()
        .map(|seen| seen.json()["entities"].as_array().unwrap().len())
        .collect()
}

fn brief(rejected: &[Rejected]) -> Vec<(usize, Option<u16>)> {
    rejected.iter().map(|r| (r.index, r.status)).collect()
}

/// An entity whose JSON has this many bytes.
fn of_size(identifier: &str, bytes: usize) -> Entity {
    let mut entity = Entity::new("user", identifier);
    entity.properties.insert("text".to_owned(), "".into());
    let bare = serde_json::to_vec(&entity).unwrap().len();
    entity
        .properties
        .insert("text".to_owned(), "x".repeat(bytes - bare).into());
    entity
}

/// Answers a bulk call as Port does when all is well.
fn all_written(body: &Value) -> Answer {
    let entities = body["entities"].as_array().unwrap().iter().enumerate();
    let written: Vec<_> = entities
        .map(|(index, entity)| json!({"identifier": entity["identifier"], "index": index, "created": true}))
        .collect();
    Answer::json(json!({"ok": true, "entities": written, "errors": []}))
}

/// A Port that refuses whole calls with such an answer when one of their entities is named `bad…`.
fn that_refuses_bad_ones(answer: Answer) -> ScriptedApi {
    scripted().on(PATH, move |call| {
        let body = call.json();
        let is_bad = |entity: &Value| entity["identifier"].as_str().unwrap().starts_with("bad");
        match body["entities"].as_array().unwrap().iter().any(is_bad) {
            true => answer.clone(),
            false => all_written(&body),
        }
    })
}

#[tokio::test(start_paused = true)]
async fn entities_go_out_twenty_at_a_time() {
    let port = PortDouble::new();
    let done = client(network(port.clone()).transport())
        .upsert("user", &users(45), &Upsert::default())
        .await
        .unwrap();
    assert_eq!((done.upserted, done.rejected), (45, vec![]));
    assert_eq!(sizes(&port.calls(PortCall::UpsertMany)), [20, 20, 5]);
    assert_eq!(port.identifiers("user").len(), 45);
}

#[tokio::test(start_paused = true)]
async fn no_entities_make_no_request() {
    let port = PortDouble::new();
    let done = client(network(port.clone()).transport())
        .upsert("user", &[], &Upsert::default())
        .await
        .unwrap();
    assert_eq!((done.upserted, port.requests().len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_request_is_filled_to_the_last_byte_of_a_mebibyte_and_not_beyond() {
    let room = MAX_BODY_BYTES - r#"{"entities":[,,]}"#.len();
    for (last, requests) in [(room - 2 * (room / 3), 1), (room - 2 * (room / 3) + 1, 2)] {
        let port = PortDouble::new();
        let entities = [
            of_size("a", room / 3),
            of_size("b", room / 3),
            of_size("c", last),
        ];
        let done = client(network(port.clone()).transport())
            .upsert("user", &entities, &Upsert::default())
            .await;
        assert_eq!(done.unwrap().upserted, 3);
        let calls = port.calls(PortCall::UpsertMany);
        assert_eq!(calls.len(), requests);
        let sent: Vec<_> = calls
            .iter()
            .map(|seen| seen.body.as_ref().unwrap().len())
            .collect();
        assert!(sent.iter().all(|bytes| *bytes <= MAX_BODY_BYTES));
        assert_eq!(sent[0] == MAX_BODY_BYTES, requests == 1);
    }
}

#[tokio::test(start_paused = true)]
async fn bytes_are_counted_and_not_characters() {
    let port = PortDouble::new();
    let mut entities = users(2);
    for entity in &mut entities {
        entity
            .properties
            .insert("text".to_owned(), "ä\n".repeat(200_000).into());
    }
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 2);
    assert_eq!(
        port.count(PortCall::UpsertMany),
        2,
        "800,000 bytes of JSON each"
    );
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_no_request_can_hold_is_rejected_without_one() {
    let limit = MAX_BODY_BYTES - r#"{"entities":[]}"#.len();
    let port = PortDouble::new();
    let entities = [
        of_size("fits", limit),
        of_size("fat", limit + 1),
        Entity::new("user", "small"),
    ];
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 2);
    assert_eq!(brief(&done.rejected), [(1, None)]);
    assert_eq!(done.rejected[0].identifier, "fat");
    assert!(
        done.rejected[0].message.contains("1048577 bytes"),
        "{}",
        done.rejected[0].message
    );
    assert_eq!(port.identifiers("user"), ["fits", "small"]);
}

#[tokio::test(start_paused = true)]
async fn answers_are_read_by_index_whether_the_status_is_207_or_200() {
    for status in [207, 200] {
        let port = PortDouble::new()
            .partial_status(status)
            .rejects("user", "user-3", 422, "\"email\" is\n no string")
            .rejects("user", "user-41", 404, "no such target");
        let done = client(network(port.clone()).transport())
            .upsert("user", &users(45), &Upsert::default())
            .await
            .unwrap();
        assert_eq!(done.upserted, 43);
        assert_eq!(brief(&done.rejected), [(3, Some(422)), (41, Some(404))]);
        assert_eq!(done.rejected[0].identifier, "user-3");
        assert_eq!(
            done.rejected[0].message, "\"email\" is no string",
            "one line"
        );
        assert_eq!(done.rejected[1].identifier, "user-41");
        assert_eq!(port.count(PortCall::UpsertMany), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_the_answer_does_not_mention_is_not_taken_as_written() {
    for (answer, upserted) in [
        (
            json!({"ok": true, "entities": [{"index": 1, "created": true}], "errors": []}),
            1,
        ),
        (
            json!({"ok": true, "entities": [{"index": 1, "created": true}, {"index": 7, "created": true}]}),
            1,
        ),
        (json!({"ok": true, "entities": null, "errors": null}), 0),
        (json!({"ok": true}), 0),
    ] {
        let port = scripted().json(PATH, answer.clone());
        let done = client(network(port).transport())
            .upsert("user", &users(2), &Upsert::default())
            .await
            .unwrap();
        assert_eq!(done.upserted, upserted, "{answer}");
        assert_eq!(done.rejected.len() as u64, 2 - upserted, "{answer}");
        assert!(done.rejected[0].message.contains("does not mention"));
        assert!(done.rejected[0].unanswered);
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_that_finds_nothing_wrong_need_not_mention_anything() {
    let how = Upsert {
        validation_only: true,
        ..Upsert::default()
    };
    let port = scripted().json(
        PATH,
        json!({"ok": true, "entities": [], "errors": [{"index": 1, "statusCode": 422}]}),
    );
    let done = client(network(port).transport())
        .upsert("user", &users(3), &how)
        .await
        .unwrap();
    assert_eq!(
        (done.upserted, brief(&done.rejected)),
        (2, vec![(1, Some(422))])
    );
}

#[tokio::test(start_paused = true)]
async fn rejected_entities_come_in_the_order_in_which_they_were_given() {
    let port = scripted().on(PATH, |call| {
        let body = call.json();
        let first = body["entities"][0]["identifier"].as_str().unwrap();
        let answer = Answer::json(json!({"errors": [{"index": 0, "statusCode": 422}]}));
        let delay = if first == "user-0" { 9 } else { 1 };
        answer.after(Duration::from_secs(delay))
    });
    let done = client(network(port).transport())
        .upsert("user", &users(60), &Upsert::default())
        .await
        .unwrap();
    let indices: Vec<_> = done
        .rejected
        .iter()
        .map(|rejected| rejected.index)
        .collect();
    assert_eq!(indices, (0..60).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn an_entity_that_is_in_both_lists_counts_as_refused_and_once() {
    let twice = json!({
        "entities": [{"index": 0}, {"index": 0}],
        "errors": [{"index": 0, "statusCode": 422, "error": "invalid_request"}, {"index": 0, "statusCode": 409}]
    });
    let port = scripted().json(PATH, twice);
    let done = client(network(port).transport())
        .upsert("user", &users(1), &Upsert::default())
        .await
        .unwrap();
    assert_eq!((done.upserted, done.rejected.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_is_too_large_is_halved_down_to_the_entity() {
    let port = that_refuses_bad_ones(refusal(413, "payload_too_large", "too large"));
    let mut entities = users(20);
    entities[13].identifier = "bad".into();
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 19);
    assert_eq!(brief(&done.rejected), [(13, Some(413))]);
    assert!(done.rejected[0].message.contains("too large"));
    assert!(port.count(PATH) <= 11, "{}", port.count(PATH));
}

#[tokio::test(start_paused = true)]
async fn one_entity_against_the_schema_does_not_take_its_batch_along() {
    for status in [400, 422] {
        let port = that_refuses_bad_ones(refusal(
            status,
            "invalid_request",
            "body/relations must be string",
        ));
        let mut entities = users(20);
        entities[0].identifier = "bad-0".into();
        entities[19].identifier = "bad-19".into();
        let done = client(network(port).transport())
            .upsert("user", &entities, &Upsert::default())
            .await
            .unwrap();
        assert_eq!(done.upserted, 18);
        assert_eq!(
            brief(&done.rejected),
            [(0, Some(status)), (19, Some(status))]
        );
        assert_eq!(done.rejected[1].message, "body/relations must be string");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_without_words_or_with_too_many_is_still_one_line() {
    for answer in [
        Answer::status(422),
        Answer::text("<html>").after(Duration::ZERO),
    ] {
        let mut answer = answer;
        answer.status = 422.try_into().unwrap();
        let port = that_refuses_bad_ones(answer);
        let bad = [Entity::new("user", "bad")];
        let done = client(network(port).transport())
            .upsert("user", &bad, &Upsert::default())
            .await
            .unwrap();
        assert_eq!(done.rejected[0].message, "Port gives no reason");
    }
    let port = that_refuses_bad_ones(refusal(
        422,
        "invalid_request",
        &"no \u{1b}[31m".repeat(1000),
    ));
    let bad = [Entity::new("user", "bad")];
    let done = client(network(port).transport())
        .upsert("user", &bad, &Upsert::default())
        .await
        .unwrap();
    let message = &done.rejected[0].message;
    assert_eq!(message.chars().count(), 501);
    assert!(!message.contains('\u{1b}'));
}

// R6
#[tokio::test(start_paused = true)]
async fn identifiers_that_port_refuses_are_rejected_with_their_index_and_not_sent() {
    let port = PortDouble::new();
    let mut entities = users(25);
    entities[2].identifier = "has space".into();
    entities[24].identifier = "".into();
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 23);
    assert_eq!(brief(&done.rejected), [(2, None), (24, None)]);
    assert!(
        done.rejected[0]
            .message
            .starts_with("the identifier has the character ' '"),
        "{:?}",
        done.rejected
    );
    assert_eq!(sizes(&port.calls(PortCall::UpsertMany)), [20, 3]);
}

#[tokio::test(start_paused = true)]
async fn rejecting_everything_needs_no_request() {
    let port = PortDouble::new();
    let entities: Vec<_> = (0..50)
        .map(|n| Entity::new("user", format!("a b {n}")))
        .collect();
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(
        (done.upserted, done.rejected.len(), port.requests().len()),
        (0, 50, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn an_entity_of_another_blueprint_is_never_written_under_this_one() {
    let port = PortDouble::new();
    let entities = [Entity::new("user", "a"), Entity::new("team", "b")];
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!((done.upserted, brief(&done.rejected)), (1, vec![(1, None)]));
    assert!(done.rejected[0].message.contains("`team`"));
}

// R40
#[tokio::test(start_paused = true)]
async fn null_title_icon_and_team_are_left_out_and_null_properties_and_relations_are_not() {
    let port = PortDouble::new();
    let mut entity = Entity::new("user", "a");
    entity.title = Some(Value::Null);
    entity.icon = Some(Value::Null);
    entity.team = Some(Value::Null);
    entity.properties = json!({"a": null, "b": 0, "c": ""})
        .as_object()
        .unwrap()
        .clone()
        .into();
    entity.relations = json!({"boss": null}).as_object().unwrap().clone().into();
    let mut titled = Entity::new("user", "b");
    titled.title = Some("Ada".into());
    titled.team = Some(Value::Null);
    let entities = [entity, titled];
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 2);
    assert_eq!(
        port.calls(PortCall::UpsertMany)[0].json()["entities"],
        json!([
            {"identifier": "a", "blueprint": "user", "properties": {"a": null, "b": 0, "c": ""}, "relations": {"boss": null}},
            {"identifier": "b", "title": "Ada", "blueprint": "user", "properties": {}, "relations": {}},
        ])
    );
}

#[tokio::test(start_paused = true)]
async fn a_search_query_as_identifier_goes_through_as_it_is() {
    let port = scripted().on(PATH, |call| all_written(&call.json()));
    let query = json!({"combinator": "and", "rules": [{"property": "email", "operator": "=", "value": "a@b"}]});
    let mut entity = Entity::new("user", "x");
    entity.identifier = Identifier::Search(query.clone());
    let entities = [entity.clone(), entity];
    let done = client(network(port.clone()).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 2);
    assert_eq!(
        port.requests()[1].json()["entities"][0]["identifier"],
        query
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_search_query_found_is_known_by_the_answer() {
    let query = json!({"combinator": "and", "rules": []});
    let by_query = || {
        let mut entity = Entity::new("user", "x");
        entity.identifier = Identifier::Search(query.clone());
        entity
    };
    // The third names nothing, the fourth the query itself, the fifth was refused.
    let port = scripted().on(PATH, {
        let query = query.clone();
        move |_| {
            Answer::status(207).with_json(json!({
                "ok": true,
                "entities": [
                    {"identifier": "text", "index": 0, "created": false},
                    {"identifier": "ada", "index": 1, "created": false},
                    {"index": 2, "created": false},
                    {"identifier": query, "index": 3, "created": false},
                    {"identifier": "bob", "index": 5, "created": false},
                ],
                "errors": [{"identifier": "x", "index": 4, "statusCode": 404, "error": "not_found", "message": "none"}],
            }))
        }
    });
    let entities = [
        Entity::new("user", "text"),
        by_query(),
        by_query(),
        by_query(),
        by_query(),
        by_query(),
    ];
    let done = client(network(port).transport())
        .upsert("user", &entities, &Upsert::default())
        .await
        .unwrap();
    assert_eq!((done.upserted, done.rejected.len()), (5, 1));
    let found: Vec<(usize, &str)> = done
        .looked_up
        .iter()
        .map(|found| (found.index, found.identifier.as_str()))
        .collect();
    assert_eq!(found, [(1, "ada"), (5, "bob")]);
}

#[tokio::test(start_paused = true)]
async fn the_query_says_how_and_during_a_resync_which() {
    let how = Upsert {
        merge: false,
        create_missing_related_entities: true,
        validation_only: false,
    };
    let port = PortDouble::new();
    let client = builder(network(port.clone()).transport()).build().unwrap();
    let done = client.upsert("user", &users(1), &how).await.unwrap();
    assert_eq!((done.upserted, port.identifiers("user").len()), (1, 1));
    let resync = client.with_resync_id(Some("7f3a".to_owned()));
    let checking = Upsert {
        validation_only: true,
        ..how
    };
    let checked = resync.upsert("user", &users(2), &checking).await.unwrap();
    assert_eq!(
        (checked.upserted, port.identifiers("user").len()),
        (2, 1),
        "nothing is written"
    );
    let queries: Vec<_> = port
        .calls(PortCall::UpsertMany)
        .iter()
        .map(|seen| seen.url.query().unwrap().to_owned())
        .collect();
    let common = "upsert=true&merge=false&create_missing_related_entities=true&validation_only";
    assert_eq!(queries[0], format!("{common}=false"));
    assert_eq!(
        queries[1],
        format!("{common}=true&ocean_info_event_type=resync&ocean_info_resync_id=7f3a")
    );
    assert_eq!(port.count(PortCall::Token), 1, "both have the same token");
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn as_many_batches_as_allowed_are_in_flight_and_no_more() {
    for (allowed, expected) in [(1, 1), (3, 3), (0, 1), (100, 6)] {
        let network = network(PortDouble::new()).latency(Duration::from_secs(1));
        let client = builder(network.transport())
            .concurrent_batches(allowed)
            .build()
            .unwrap();
        client.server_time().await.unwrap();
        assert_eq!(
            client
                .upsert("user", &users(120), &Upsert::default())
                .await
                .unwrap()
                .upserted,
            120
        );
        assert_eq!(network.peak_in_flight(), expected, "allowed {allowed}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_entities_with_the_same_identifier_the_last_one_wins() {
    let port = PortDouble::new();
    let network = network(port.clone()).latency(Duration::from_secs(1));
    let versions: Vec<_> = (0..3)
        .flat_map(|version| {
            users(25).into_iter().map(move |mut user| {
                user.properties.insert("version".to_owned(), version.into());
                user
            })
        })
        .collect();
    let done = client(network.transport())
        .upsert("user", &versions, &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 75);
    for user in port.entities() {
        assert_eq!(user["properties"]["version"], 2);
    }
    // All that were in flight at the same time arrived at the same time.
    let mut together = HashSet::new();
    for seen in port.calls(PortCall::UpsertMany) {
        for entity in seen.json()["entities"].as_array().unwrap() {
            assert!(together.insert((seen.at, entity["identifier"].to_string())));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_that_port_does_not_have_is_an_error_that_names_it() {
    let port = PortDouble::new().blueprint("team");
    let error = client(network(port).transport())
        .upsert("user", &users(3), &Upsert::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains("blueprint `user`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn after_a_failure_no_batch_is_begun_and_what_was_done_is_known() {
    let port = PortDouble::new()
        .rejects("user", "user-5", 422, "no")
        .fault(PortCall::UpsertMany, 2, refusal(403, "forbidden", "no"));
    let client = builder(network(port.clone()).transport())
        .concurrent_batches(1)
        .build()
        .unwrap();
    let error = client
        .upsert("user", &users(100), &Upsert::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    let done = error.upserted().unwrap();
    assert_eq!(
        (done.upserted, brief(&done.rejected)),
        (19, vec![(5, Some(422))])
    );
    assert_eq!(port.count(PortCall::UpsertMany), 2);
    assert_eq!(error.deleted(), None);
}

#[tokio::test(start_paused = true)]
async fn batches_in_flight_are_finished_when_another_one_fails() {
    let port = PortDouble::new().fault(PortCall::UpsertMany, 1, Answer::status(403));
    let network = network(port.clone()).latency(Duration::from_secs(1));
    let client = builder(network.transport())
        .concurrent_batches(3)
        .build()
        .unwrap();
    let error = client
        .upsert("user", &users(200), &Upsert::default())
        .await
        .unwrap_err();
    assert_eq!(
        error.upserted().unwrap().upserted as usize,
        port.identifiers("user").len()
    );
    assert!(port.count(PortCall::UpsertMany) <= 3);
}

#[tokio::test(start_paused = true)]
async fn temporary_failures_and_lost_answers_are_repeated_and_counted_once() {
    for fault in [
        Answer::status(429).header("retry-after", "2"),
        Answer::status(503),
        Answer::breaks(transport::ErrorKind::Reset),
        Answer::text(""),
        Answer::text(r#"{"ok": true, "entiti"#),
    ] {
        let port = PortDouble::new().lose_answer(PortCall::UpsertMany, 1, fault.clone());
        let done = client(network(port.clone()).transport())
            .upsert("user", &users(20), &Upsert::default())
            .await;
        assert_eq!(done.unwrap().upserted, 20, "{fault:?}");
        assert_eq!(port.count(PortCall::UpsertMany), 2);
        assert_eq!(port.identifiers("user").len(), 20);
    }
}

// R32
#[tokio::test(start_paused = true)]
async fn a_blueprint_stays_one_segment_of_the_path() {
    let port = scripted().on("/v1/blueprints/{blueprint}/entities/bulk", |call| {
        all_written(&call.json())
    });
    let client = client(network(port.clone()).transport());
    let name = "a/b c?ä";
    let done = client
        .upsert(name, &[Entity::new(name, "x")], &Upsert::default())
        .await
        .unwrap();
    assert_eq!(done.upserted, 1);
    assert_eq!(
        port.requests()[1].path(),
        "/v1/blueprints/a%2Fb%20c%3F%C3%A4/entities/bulk"
    );
    for name in ["", "..", "%2e%2E", "a\nb"] {
        let error = client
            .upsert(name, &[Entity::new(name, "x")], &Upsert::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Name, "{name:?}");
    }
    assert_eq!(port.requests().len(), 2);
}
