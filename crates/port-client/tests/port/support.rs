//! Clients, entities and a Port that says what a test wants it to say.

use std::sync::Arc;

use longshore_port_client::{Entity, Feeds, Ledger, PortClient, PortClientBuilder, Verdict};
use longshore_testkit::{Answer, Network, ScriptedApi};
use longshore_transport::{Client, Transport};
use serde_json::json;

pub(crate) const BASE: &str = "https://api.getport.io";
pub(crate) const SECRET: &str = "c4nary-s3cret";

pub(crate) fn builder(transport: Arc<dyn Transport>) -> PortClientBuilder {
    over(Client::builder(transport).seed(7).build())
}

pub(crate) fn over(http: Client) -> PortClientBuilder {
    PortClient::builder(http)
        .base_url(BASE.parse().unwrap())
        .credentials("id", SECRET.to_owned())
        .integration("custom", "my-api")
        .version("1.2.3")
}

pub(crate) fn client(transport: Arc<dyn Transport>) -> PortClient {
    builder(transport).build().unwrap()
}

/// Port behind its own origin and nothing behind any other.
pub(crate) fn network(port: impl longshore_testkit::Service) -> Network {
    Network::new().at(BASE, port)
}

/// A Port that hands out tokens; what else it answers is the test's.
pub(crate) fn scripted() -> ScriptedApi {
    ScriptedApi::new().answer(
        "POST /v1/auth/access_token",
        Answer::json(json!({"accessToken": "t", "expiresIn": 10_800, "tokenType": "Bearer"})),
    )
}

/// Port's words when it refuses.
pub(crate) fn refusal(status: u16, error: &str, message: &str) -> Answer {
    Answer::status(status).with_json(json!({"ok": false, "error": error, "message": message}))
}

pub(crate) fn users(count: usize) -> Vec<Entity> {
    (0..count)
        .map(|n| Entity::new("user", format!("user-{n}")))
        .collect()
}

/// A ledger that proves this blueprint.
pub(crate) fn complete(blueprint: &str) -> Ledger {
    let mut ledger = Ledger::new();
    let id = ledger.open("/all", Feeds::Blueprint(blueprint.to_owned()));
    ledger.close(id, Verdict::Complete);
    ledger
}

/// Display, Debug and every cause.
pub(crate) fn everything_it_says(error: &longshore_port_client::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text.push_str(&format!(" {cause} {cause:?}"));
        next = cause.source();
    }
    text
}
