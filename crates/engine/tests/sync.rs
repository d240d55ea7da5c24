//! What a sync of some kinds leaves alone.

// Panicking outside of `#[test]` functions is how tests report here.
#![allow(clippy::unwrap_used)]

use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::{AllowEmpty, Engine, PortSink, PortSinkOptions, Resource};
use longshore_testkit::{Network, PortDouble, ScriptedApi};
use serde_json::json;

#[tokio::test(start_paused = true)]
async fn a_sync_of_some_kinds_deletes_nothing_of_blueprints_that_they_do_not_feed() {
    let api = ScriptedApi::new().json("/users", json!([{ "id": "ada" }]));
    let port = PortDouble::new()
        .stale_entity("user", "bob")
        .stale_entity("device", "of a mapping long gone");
    let network = Network::new()
        .at("https://api.example.com", api)
        .at("https://api.getport.io", port.clone());
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(network.transport())
        .resource(
            Resource::builder("/users")
                .identifier(".id")
                .blueprint("user")
                .build()
                .unwrap(),
        )
        .build()
        .unwrap();
    let options = PortSinkOptions {
        allow_empty: AllowEmpty::All,
        deletion_threshold: 1.0,
        ..PortSinkOptions::default()
    };
    let sink = || {
        let client = PortClient::builder(Client::builder(network.transport()).build())
            .base_url("https://api.getport.io".parse().unwrap())
            .credentials("id", "secret".to_owned())
            .integration("custom", "test")
            .build()
            .unwrap();
        PortSink::new(client).options(options.clone())
    };

    let some = engine.sync_kinds(&["/users".to_owned()], &sink()).await;
    assert_eq!((some.deleted, some.withheld.len()), (1, 0), "{some}");
    assert_eq!(port.identifiers("user"), ["ada"]);
    assert_eq!(port.identifiers("device").len(), 1);

    let all = engine.sync(&sink()).await;
    assert_eq!(all.deleted, 1, "{all}");
    assert!(port.identifiers("device").is_empty());
}
