use std::time::Duration;

use longshore_port_client::{Delete, Entity, Feeds, Identifier, Ledger, Upsert, Verdict};
use longshore_testkit::PortDouble;
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
        .clone();
    let search = json!({"combinator": "and", "rules": [{"property": "email", "operator": "=", "value": "a@b"}]});
    rich.relations = json!({"one": "x", "many": ["y", "z"], "none": null, "found": search})
        .as_object()
        .unwrap()
        .clone();
    let mut bare = Entity::new("user", "x".repeat(1000));
    bare.title = Some(json!(null));
    bare.team = Some(json!(null));
    let mut queried = Entity::new("user", "");
    queried.identifier = Identifier::Search(search);
    let refused =
        ["", ".", "..", "a b", "a\u{301}", &"x".repeat(1001)].map(|id| Entity::new("user", id));
    let mut entities = vec![rich, bare, queried];
    entities.extend(refused);
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

    assert_eq!(port.violations(), Vec::<String>::new());
    assert!(port.requests().len() >= 10);
}
