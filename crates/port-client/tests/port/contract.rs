use std::time::Duration;

use longshore_port_client::{
    Blueprint, BlueprintRelation, Delete, Entity, Feeds, Identifier, IntegrationChanges, Ledger,
    NewIntegration, ResyncState, Upsert, Verdict,
};
use longshore_testkit::{PortCall, PortDouble};
use serde_json::json;

use crate::support::{builder, network};

/// One of everything, with values at the edges of what may be sent.
#[tokio::test(start_paused = true)]
async fn every_request_fits_ports_published_description() {
    if !PortDouble::has_description() {
        assert!(
            std::env::var_os("CI").is_none(),
            "shared/reference/port-openapi.json is missing"
        );
        println!("skipped: shared/reference/port-openapi.json is not here");
        return;
    }
    let port = PortDouble::new()
        .integration("my-api", json!({}))
        .stale_entity("user", "gone")
        .owned_page_size(1);
    let client = builder(network(port.clone()).transport())
        .resync_id(Some("0b8f2d1c".to_owned()))
        .build()
        .unwrap();

    client.integration().await.unwrap();
    let time = client.server_time().await.unwrap();

    let mut rich = Entity::new("user", "größe/@_.+:\\=-0");
    rich.title = Some("Ada".into());
    rich.icon = Some("User".into());
    rich.team = Some(json!(["a", "b"]));
    rich.properties = json!({"n": 1.5, "deep": {"a": [null, {}]}, "null": null})
        .as_object()
        .unwrap()
        .clone()
        .into();
    let search = json!({"combinator": "and", "rules": [{"property": "email", "operator": "=", "value": "a@b"}]});
    rich.relations = json!({"one": "x", "many": ["y", "z"], "none": null, "found": search})
        .as_object()
        .unwrap()
        .clone()
        .into();
    let mut bare = Entity::new("user", "x".repeat(1000));
    bare.title = Some(json!(null));
    bare.team = Some(json!(null));
    let mut queried = Entity::new("user", "");
    queried.identifier = Identifier::Search(search);
    let refused =
        ["", ".", "..", "a b", "a\u{301}", &"x".repeat(1001)].map(|id| Entity::new("user", id));
    let related = [
        json!(""),
        json!(" "),
        json!("."),
        json!(["a", null]),
        json!(["a", ""]),
        json!(["a", "b c"]),
        json!([["a"]]),
        json!("x".repeat(1001)),
        json!(7),
        json!(true),
        json!([{}]),
    ]
    .map(|target| {
        let mut entity = Entity::new("user", "relates");
        entity.relations.insert("to".to_owned(), target);
        entity
    });
    let refusals = refused.len() + related.len();
    let mut entities = vec![rich, bare, queried];
    entities.extend(refused);
    entities.extend(related);
    entities.extend((0..40).map(|n| Entity::new("user", format!("u{n}"))));
    for validation_only in [true, false] {
        let how = Upsert {
            validation_only,
            ..Upsert::default()
        };
        let done = client.upsert("user", &entities, &how).await.unwrap();
        assert_eq!(
            done.upserted + done.rejected.len() as u64,
            entities.len() as u64
        );
        assert!(done.rejected.len() >= refusals, "{:?}", done.rejected);
    }

    let owned = client
        .owned(Some(time + Duration::from_millis(1)))
        .await
        .unwrap();
    assert!(!owned.is_empty());
    let mut ledger = Ledger::new();
    let id = ledger.open("/users", Feeds::Any);
    ledger.close(id, Verdict::Complete);
    let ids: Vec<_> = owned
        .into_iter()
        .map(|owned| owned.identifier)
        .chain((0..120).map(|n| format!("u{n}")))
        .collect();
    let deleted = client
        .delete(&ledger.prove("user").unwrap(), &ids, &Delete::default())
        .await
        .unwrap();
    assert!(deleted.deleted.contains(&"gone".to_owned()), "{deleted:?}");

    client
        .create_blueprint(&Blueprint::new("user", "User"))
        .await
        .unwrap();
    let mut device = Blueprint::new("device", "Device");
    device.schema.properties.insert(
        "seen".into(),
        json!({"type": "string", "format": "date-time"}),
    );
    device
        .relations
        .insert("owner".into(), BlueprintRelation::to("user"));
    client.create_blueprint(&device).await.unwrap();
    client.update_blueprint(&device).await.unwrap();
    client.blueprint("device").await.unwrap();
    client.blueprints().await.unwrap();

    client
        .create_integration(&NewIntegration::default())
        .await
        .unwrap_err();
    let mapping = json!({"deleteDependentEntities": true, "resources": [{
        "kind": "/users", "selector": {"query": "true"},
        "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\""}}},
    }]});
    client.update_integration_config(&mapping).await.unwrap();
    let changes = IntegrationChanges {
        title: Some("Mine".into()),
        installation_app_type: Some("custom".into()),
        version: Some("1".into()),
        config: Some(mapping),
        changelog_destination: Some(json!({})),
    };
    client.update_integration(&changes).await.unwrap();
    client.resync_request().await.unwrap();
    let state = ResyncState {
        last_resync_start: Some(time),
        last_resync_end: Some(time),
        next_resync: Some(time),
        interval_minutes: Some(60),
        ..ResyncState::default()
    };
    client.report_resync(&ResyncState::default()).await.unwrap();
    client.report_resync(&state).await.unwrap();
    client
        .send_examples("/api/v1/users", &[json!({"id": 1})])
        .await
        .unwrap();
    client
        .find("user", &["a", "b"], &["title", "properties"])
        .await
        .unwrap();
    let mut one = Entity::new("device", "größe/1");
    one.icon = Some(json!(null));
    client.upsert_one(&one, &Upsert::default()).await.unwrap();

    assert_eq!(port.violations(), Vec::<String>::new());
    // Every call of the client is above: a new one that is not would not be held against the description.
    for call in [
        PortCall::Token,
        PortCall::UpsertMany,
        PortCall::UpsertOne,
        PortCall::DeleteMany,
        PortCall::Owned,
        PortCall::Search,
        PortCall::Blueprint,
        PortCall::CreateBlueprint,
        PortCall::UpdateBlueprint,
        PortCall::Integration,
        PortCall::CreateIntegration,
        PortCall::UpdateIntegration,
        PortCall::ResyncRequest,
        PortCall::ResyncState,
        PortCall::Examples,
    ] {
        assert!(port.count(call) > 0, "{call:?} was not made");
    }
}
