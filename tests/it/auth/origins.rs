//! Which origins get credentials: the base URL's, those of `credentialOrigins`, and no other.

use longshore_testkit::{Answer, Network, PortDouble, ScriptedApi};
use serde_json::json;

use super::chains;
use crate::rig::{API, PORT, Rig, items};

const FILES: &str = "https://files.example.net";

/// An API whose second page, or whose redirect, leads to another host.
fn rig(first: Answer, files: ScriptedApi) -> Rig {
    let api = ScriptedApi::new().bearer("t").answer("/items", first);
    let port = PortDouble::new();
    let network = Network::new()
        .at(API, api.clone())
        .at(FILES, files)
        .at(PORT, port.clone());
    Rig { api, port, network }
}

fn linked() -> Answer {
    Answer::json(json!({"items": [{"id": 1}], "next": format!("{FILES}/more")}))
}

fn redirected() -> Answer {
    Answer::status(302).header("location", &format!("{FILES}/more"))
}

const CONNECTION: &str = "paginationType: next_link\nnextLinkPath: next\nauthType: bearer_token\napiToken: t\ncustomHeaders: {X-Tenant: x}\n";

fn mapping() -> String {
    items("/items", "{data_path: .items}")
}

#[tokio::test(start_paused = true)]
async fn another_origin_gets_credentials_only_where_credential_origins_names_it() {
    for (first, identifiers) in [(linked(), &["1", "2"][..]), (redirected(), &["2"])] {
        let files = ScriptedApi::new()
            .bearer("t")
            .json("/more", json!({"items": [{"id": 2}], "next": null}));
        let rig = rig(first, files.clone());
        let connection = format!("{CONNECTION}credentialOrigins: [{FILES}]");
        let read = rig.read(&connection, &mapping()).await;
        assert_eq!(read.identifiers(), identifiers, "{:?}", chains(&read));
        let asked = &files.requests()[0];
        assert_eq!(
            (asked.header("authorization"), asked.header("x-tenant")),
            (Some("Bearer t"), Some("x"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn allowed_origins_are_reached_without_credentials() {
    for (first, identifiers) in [(linked(), &["1", "2"][..]), (redirected(), &["2"])] {
        let files = ScriptedApi::new().json("/more", json!({"items": [{"id": 2}], "next": null}));
        let rig = rig(first, files.clone());
        let read = rig
            .read(
                &format!("{CONNECTION}allowedOrigins: [{FILES}]"),
                &mapping(),
            )
            .await;
        assert_eq!(read.identifiers(), identifiers, "{:?}", chains(&read));
        let asked = &files.requests()[0];
        assert_eq!(
            (asked.header("authorization"), asked.header("x-tenant")),
            (None, None)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_either_nothing_is_sent_there() {
    for first in [linked(), redirected()] {
        let files = ScriptedApi::new().json("/more", json!({"items": []}));
        let rig = rig(first, files.clone());
        let read = rig.read(CONNECTION, &mapping()).await;
        assert_eq!(read.end(), "RequestFailed");
        assert_eq!(files.requests().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_of_a_trusted_origin_renews_and_one_of_a_stranger_does_not() {
    for (setting, logins) in [("credentialOrigins", 2), ("allowedOrigins", 1)] {
        let login = ScriptedApi::new().answers(
            "/token",
            [
                Answer::json(json!({"access_token": "t"})),
                Answer::json(json!({"access_token": "u"})),
            ],
        );
        let files = ScriptedApi::new()
            .bearer("u")
            .json("/more", json!({"items": [{"id": 2}], "next": null}));
        let api = ScriptedApi::new().bearer("t").answer("/items", linked());
        let port = PortDouble::new();
        let network = Network::new()
            .at(API, api.clone())
            .at(FILES, files.clone())
            .at(super::LOGIN, login.clone())
            .at(PORT, port.clone());
        let rig = Rig { api, port, network };
        let connection = format!(
            "paginationType: next_link\nnextLinkPath: next\n{setting}: ['{FILES}']\n\
             authType: oauth2\ntokenUrl: {}/token\nclientId: a\nclientSecret: b",
            super::LOGIN
        );
        let read = rig.read(&connection, &mapping()).await;
        assert_eq!(login.requests().len(), logins, "{setting}");
        let all = read.identifiers() == ["1", "2"];
        assert_eq!(all, setting == "credentialOrigins", "{:?}", chains(&read));
    }
}

#[tokio::test(start_paused = true)]
async fn leaving_tls_is_refused_whatever_is_trusted() {
    let first =
        Answer::json(json!({"items": [{"id": 1}], "next": "http://files.example.net/more"}));
    let rig = rig(first, ScriptedApi::new());
    let read = rig
        .read(
            &format!("{CONNECTION}credentialOrigins: ['http://files.example.net']"),
            &mapping(),
        )
        .await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(rig.network.strangers().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_login_of_another_origin_gets_no_credentials_by_credential_origins() {
    // The token endpoint is trusted, but a token request says by itself what it sends.
    let login = ScriptedApi::new().json("/token", json!({"access_token": "t"}));
    let rig = super::two_hosts(
        ScriptedApi::new()
            .bearer("t")
            .json("/items", json!([{"id": 1}])),
        login.clone(),
    );
    let connection = format!(
        "credentialOrigins: ['{0}']\ncustomHeaders: {{X-Tenant: x}}\nauthType: oauth2\ntokenUrl: {0}/token\nclientId: a\nclientSecret: b",
        super::LOGIN
    );
    let engine = rig.engine(&connection, &items("/items", "{}"));
    super::well(&engine).await;
    assert_eq!(login.requests()[0].header("x-tenant"), None);
}
