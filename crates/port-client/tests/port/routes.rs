//! Blueprints, the integration and what it reports, searches, single upserts.

use std::time::Duration;

use longshore_port_client::{
    Blueprint, BlueprintRelation, Entity, ErrorKind, Identifier, IntegrationChanges,
    NewIntegration, ResyncState, ResyncStatus, Search, Upsert,
};
use longshore_testkit::{Answer, PortCall, PortDouble};
use serde_json::{Value, json};

use crate::support::{client, network, refusal, scripted};

fn device() -> Blueprint {
    let mut device = Blueprint::new("device", "Device");
    device.schema.properties.insert(
        "seen".into(),
        json!({"type": "string", "format": "date-time"}),
    );
    device
        .relations
        .insert("owner".into(), BlueprintRelation::to("user"));
    device
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_is_created_once_and_read_back_as_it_was_written() {
    let client = client(network(PortDouble::new()).transport());
    assert_eq!(client.blueprint("device").await.unwrap(), None);
    assert_eq!(client.create_blueprint(&device()).await.unwrap(), device());
    assert_eq!(client.blueprint("device").await.unwrap(), Some(device()));
    assert_eq!(client.blueprints().await.unwrap(), [device()]);

    let error = client.create_blueprint(&device()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(
        error.to_string(),
        "Port refused (status 409) while creating blueprint `device`: A blueprint with this identifier exists"
    );
}

#[tokio::test(start_paused = true)]
async fn what_port_has_beside_the_known_keys_of_a_blueprint_is_kept() {
    let stored = json!({
        "identifier": "device", "title": "Device", "mirrorProperties": {"a": {"path": "owner.name"}},
        "schema": {"properties": {}, "required": [], "x": 1},
        "relations": {"owner": {"target": "user", "required": true, "many": false, "type": "t"}},
        "updatedAt": "2026-01-01T00:00:00.000Z",
    });
    let port = scripted().json(
        "/v1/blueprints/{id}",
        json!({"ok": true, "blueprint": stored}),
    );
    let read = client(network(port).transport())
        .blueprint("device")
        .await
        .unwrap()
        .unwrap();
    assert!(read.relations["owner"].required);
    assert_eq!(serde_json::to_value(read).unwrap(), stored);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_what_people_wrote_holds_ports_words() {
    let words = "the property seen has an unknown format";
    let port = scripted().answer(
        "POST /v1/blueprints",
        refusal(422, "invalid_request", words),
    );
    let error = client(network(port).transport())
        .create_blueprint(&device())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().ends_with(words), "{error}");
}

#[tokio::test(start_paused = true)]
async fn an_integration_is_created_once_and_its_mapping_can_be_replaced() {
    let port = PortDouble::new();
    let client = client(network(port.clone()).transport());
    let created = client
        .create_integration(&NewIntegration::default())
        .await
        .unwrap();
    assert_eq!(
        (created.identifier.as_str(), &created.config),
        ("my-api", &json!({}))
    );
    let sent = port.calls(PortCall::CreateIntegration)[0].json();
    assert_eq!(sent["installationAppType"], "custom");
    assert_eq!(sent["version"], "1.2.3");
    let again = client.create_integration(&NewIntegration::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Conflict);

    let mapping = json!({"resources": []});
    port.advance(Duration::from_secs(5));
    let changed = client.update_integration_config(&mapping).await.unwrap();
    assert_eq!(changed.config, mapping);
    assert!(changed.updated_at > created.updated_at);
    let changes = IntegrationChanges {
        version: Some("2.0.0".to_owned()),
        ..IntegrationChanges::default()
    };
    let renewed = client.update_integration(&changes).await.unwrap();
    assert_eq!(renewed.config, mapping, "what is not named stays");
    assert_eq!(renewed.raw["version"], "2.0.0");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_integration_cannot_be_updated() {
    let client = client(network(PortDouble::new()).transport());
    let error = client
        .update_integration_config(&json!({}))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(
        error.to_string().contains("writing the mapping to Port"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_resync_request_is_known_by_its_time() {
    let port = PortDouble::new().integration("my-api", json!({}));
    let client = client(network(port.clone()).transport());
    assert_eq!(client.resync_request().await.unwrap(), None);
    let port = port.request_resync("my-api");
    let first = client.resync_request().await.unwrap().unwrap();
    assert_eq!(client.resync_request().await.unwrap(), Some(first));
    port.advance(Duration::from_secs(1));
    let _ = port.request_resync("my-api");
    assert!(client.resync_request().await.unwrap().unwrap() > first);
}

#[tokio::test(start_paused = true)]
async fn an_old_port_without_resync_requests_has_none_and_an_unreadable_time_is_an_error() {
    let old = client(network(scripted()).transport());
    assert_eq!(old.resync_request().await.unwrap(), None);
    let odd = scripted().json(
        "/v1/integration/{id}/resync-request",
        json!({"request": {"updatedAt": "soon"}}),
    );
    let error = client(network(odd).transport())
        .resync_request()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
}

#[tokio::test(start_paused = true)]
async fn the_state_of_a_resync_is_told_in_ports_words() {
    let port = PortDouble::new().integration("my-api", json!({}));
    let client = client(network(port.clone()).transport());
    let start = port.now();
    let mut state = ResyncState {
        last_resync_start: Some(start),
        interval_minutes: Some(60),
        ..ResyncState::default()
    };
    client.report_resync(&state).await.unwrap();
    state.status = ResyncStatus::Completed;
    state.last_resync_end = Some(start + Duration::from_secs(90));
    client.report_resync(&state).await.unwrap();
    assert_eq!(
        port.resync_states("my-api"),
        [
            json!({"status": "running", "lastResyncStart": "2026-01-01T00:00:00.000Z", "lastResyncEnd": null,
                   "nextResync": null, "intervalInMinuets": 60}),
            json!({"status": "completed", "lastResyncStart": "2026-01-01T00:00:00.000Z",
                   "lastResyncEnd": "2026-01-01T00:01:30.000Z", "nextResync": null, "intervalInMinuets": 60}),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn examples_go_to_their_kind_however_many_slashes_it_has() {
    let port = PortDouble::new().integration("my-api", json!({}));
    let client = client(network(port.clone()).transport());
    for kind in ["/api/v1/users", "/a b/{id}?x=1#y", "plain"] {
        client
            .send_examples(kind, &[json!({"id": kind})])
            .await
            .unwrap();
        assert_eq!(port.examples(kind), [json!({"id": kind})], "{kind}");
    }
    let error = client.send_examples("..", &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Name);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn entities_are_found_by_50_identifiers_at_a_time() {
    let mut port = PortDouble::new().foreign_entity("team", "u7");
    for n in 0..120 {
        port = port.stale_entity_with(
            "user",
            json!({"identifier": format!("u{n}"), "title": "T", "properties": {"n": n}}),
        );
    }
    let client = client(network(port.clone()).transport());
    let wanted: Vec<String> = (0..240).map(|n| format!("u{}", n * 2)).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let found = client
        .find("user", &wanted, &["properties", "title"])
        .await
        .unwrap();
    assert_eq!(found.len(), 60);
    assert!(found.iter().all(|entity| entity.blueprint == "user"));
    assert_eq!(found[1].fields["properties"]["n"], json!(10), "{found:?}");
    assert_eq!(port.count(PortCall::Search), 5);
    for call in port.calls(PortCall::Search) {
        assert_eq!(
            call.query("exclude_calculated_properties").as_deref(),
            Some("true")
        );
    }
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn whatever_a_search_brings_its_entities_have_names() {
    let port = PortDouble::new().stale_entity("user", "ada");
    let client = client(network(port).transport());
    let query = json!({"combinator": "and", "rules": [{"property": "$blueprint", "operator": "=", "value": "user"}]});
    for field in ["title", "identifier"] {
        let search = Search::new(query.clone()).include(field);
        let found = client.search(&search).await.unwrap();
        assert_eq!(
            (&*found[0].blueprint, &*found[0].identifier),
            ("user", "ada")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_search_that_port_refuses_says_why() {
    let port = PortDouble::new().stale_entity("user", "ada");
    let client = client(network(port).transport());
    let error = client
        .search(&Search::new(json!({"combinator": "and"})))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(error.to_string().contains("`rules`"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_entity_is_written_and_comes_back_as_port_has_it() {
    let port = PortDouble::new().stale_entity_with(
        "user",
        json!({"identifier": "ada", "properties": {"mail": "a@b"}}),
    );
    let client = client(network(port.clone()).transport());
    let mut ada = Entity::new("user", "");
    ada.identifier = Identifier::Search(json!({
        "combinator": "and", "rules": [{"property": "mail", "operator": "=", "value": "a@b"}],
    }));
    ada.title = Some(Value::Null);
    ada.properties.insert("age".to_owned(), json!(36));
    let written = client.upsert_one(&ada, &Upsert::default()).await.unwrap();
    assert_eq!(written["identifier"], "ada");
    assert_eq!(written["properties"], json!({"mail": "a@b", "age": 36}));
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn one_entity_that_port_refuses_is_named_with_ports_words() {
    let port = PortDouble::new().rejects("user", "ada", 422, "no adas");
    let client = client(network(port.clone()).transport());
    let refused = client
        .upsert_one(&Entity::new("user", "ada"), &Upsert::default())
        .await
        .unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Port refused (status 422) while upserting entity `ada` of blueprint `user`: no adas"
    );
    let unsent = client
        .upsert_one(&Entity::new("user", "a b"), &Upsert::default())
        .await
        .unwrap_err();
    assert_eq!(unsent.kind(), ErrorKind::Refused);
    assert_eq!(port.count(PortCall::UpsertOne), 1);
}

#[tokio::test(start_paused = true)]
async fn validation_writes_nothing_and_says_what_port_would_refuse() {
    let port = PortDouble::new().rejects("user", "bob", 422, "no bobs");
    let client = client(network(port.clone()).transport());
    let how = Upsert {
        validation_only: true,
        ..Upsert::default()
    };
    let users = ["ada", "bob"].map(|id| Entity::new("user", id));
    let done = client.upsert("user", &users, &how).await.unwrap();
    assert_eq!((done.upserted, done.rejected.len()), (1, 1));
    client.upsert_one(&users[0], &how).await.unwrap();
    assert_eq!(port.entities(), Vec::<Value>::new());
}

#[tokio::test(start_paused = true)]
async fn both_regions_are_only_another_address() {
    for base in ["https://api.getport.io", "https://api.us.getport.io"] {
        let port = PortDouble::new().integration("my-api", json!({}));
        let network = longshore_testkit::Network::new().at(base, port.clone());
        let client = crate::support::builder(network.transport())
            .base_url(base.parse().unwrap())
            .build()
            .unwrap();
        client.integration().await.unwrap().unwrap();
        assert_eq!(
            port.count(PortCall::Token),
            1,
            "the token comes from the same region"
        );
        assert_eq!(network.strangers().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_of_a_report_is_no_failure_of_the_next_one() {
    let port = PortDouble::new()
        .integration("my-api", json!({}))
        .lose_answer(PortCall::ResyncState, 1, Answer::status(502));
    let client = client(network(port.clone()).transport());
    client.report_resync(&ResyncState::default()).await.unwrap();
    assert_eq!(port.count(PortCall::ResyncState), 2);
}
