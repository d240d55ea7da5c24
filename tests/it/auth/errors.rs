//! Logins that fail: what is said, how often is asked, and that a sync deletes nothing.

use std::time::Duration;

use longshore_testkit::{Answer, PortDouble, ScriptedApi};
use serde_json::json;

use super::{Issuer, LOGIN, chains};
use crate::rig::{Read, items};

async fn refused_with(answer: Answer) -> (String, usize) {
    let issuer = Issuer::answering(move |_| answer.clone());
    let engine = issuer.engine(&format!(
        "authType: oauth2\ntokenUrl: {LOGIN}/token?k=s3cret\nclientId: a\nclientSecret: s3cret"
    ));
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(
        issuer.rig.api.requests().len(),
        0,
        "nothing is asked without a token"
    );
    let said = chains(&read).join(" | ");
    assert!(!said.contains("s3cret"), "{said}");
    (said, issuer.logins())
}

#[tokio::test(start_paused = true)]
async fn what_the_server_says_is_explained() {
    let refusal = |status: u16, code: &str| {
        Answer::status(status).with_json(json!({"error": code, "error_description": "s3cret"}))
    };
    for (answer, said) in [
        (
            refusal(401, "invalid_client"),
            "the login was refused (invalid_client, 401); check clientId and clientSecret",
        ),
        (
            refusal(400, "invalid_client"),
            "the login was refused (invalid_client, 400)",
        ),
        (
            refusal(400, "invalid_grant"),
            "(invalid_grant, 400); the refresh token, the assertion or the password is not accepted any more",
        ),
        (
            refusal(400, "invalid_scope"),
            "does not know or allow one of the scopes",
        ),
        (
            refusal(400, "unsupported_grant_type"),
            "tokenUrl is not its token endpoint",
        ),
        (refusal(400, "s3cret"), "400"),
        (
            refusal(401, "s3cret"),
            "the login was refused (401); check its credentials",
        ),
        (refusal(404, "x"), "404"),
        (
            refusal(200, "incorrect_client_credentials"),
            "incorrect_client_credentials",
        ),
        (
            refusal(400, "interaction_required"),
            "the server wants a person to act",
        ),
        (refusal(400, "consent_required"), "has to agree"),
        (refusal(400, "login_required"), "to log in anew"),
        // Not by the book, and without a status that says so.
        (
            Answer::json(
                json!({"error": "bad_app", "error_description": "The app (a) with 's3cret' is  not\nenabled: xs3cretx"}),
            ),
            "there is error, error_description; the server says: bad_app: The app (a) with … is not enabled: …",
        ),
        (
            Answer::json(json!({"error": "s3cret", "error_description": "x".repeat(41)})),
            "; the server says: …: …",
        ),
        (
            Answer::json(json!({"error_description": "no ".repeat(100)})),
            "no no…",
        ),
        (
            Answer::json(json!({"token": "s3cret", "data": {"a": 1}})),
            "`.access_token` finds nothing in the answer of POST https://login.example.net/token; there is data, data.a, token",
        ),
        (
            Answer::json(json!({"access_token": ""})),
            "`.access_token` finds nothing",
        ),
        (
            Answer::json(json!({"access_token": null})),
            "`.access_token` finds nothing",
        ),
        (Answer::json(json!(["s3cret"])), "a value of type array"),
        (
            Answer::text("<html>s3cret</html>"),
            "https://login.example.net/token",
        ),
        (
            Answer::json(json!({"access_token": "s3cret\r\nx"})),
            "cannot be sent in a header",
        ),
    ] {
        let (text, logins) = refused_with(answer).await;
        assert!(text.contains(said), "{said}: {text}");
        assert_eq!(logins, 1, "{text}");
    }
}

/// R20: connect errors, 429 and 503, and nothing else.
#[tokio::test(start_paused = true)]
async fn a_login_is_repeated_for_what_cannot_have_been_heard() {
    for (fault, repeated) in [
        (
            Answer::breaks(longshore_engine::transport::ErrorKind::Connect),
            true,
        ),
        (Answer::status(429).header("retry-after", "3"), true),
        (Answer::status(503), true),
        (Answer::status(500), false),
        (Answer::status(502), false),
        (
            Answer::breaks(longshore_engine::transport::ErrorKind::Timeout),
            false,
        ),
        (
            Answer::breaks(longshore_engine::transport::ErrorKind::Truncated),
            false,
        ),
    ] {
        let issuer = Issuer::new(json!({}));
        let _ = issuer.login.clone().faults("/token", 1..=2, fault.clone());
        let engine = issuer.engine(&format!(
            "authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b"
        ));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let (ended, logins) = if repeated { (1, 3) } else { (0, 1) };
        assert_eq!(
            (read.entities.len(), issuer.logins()),
            (ended, logins),
            "{fault:?}: {:?}",
            chains(&read)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_that_fails_in_the_middle_of_a_sync_deletes_nothing() {
    let login = ScriptedApi::new().answers(
        "/token",
        [
            Answer::json(json!({"access_token": "t"})),
            Answer::status(400).with_json(json!({"error": "invalid_grant"})),
        ],
    );
    let api = ScriptedApi::new().on("/items", |call| match call.query("page").as_deref() {
        Some("3") => Answer::status(401),
        Some(page) => Answer::json(json!({"items": [{"id": page}], "hasMore": true})),
        None => Answer::status(400),
    });
    let port = PortDouble::new().stale_entity("item", "gone");
    let network = longshore_testkit::Network::new()
        .at(crate::rig::API, api.clone())
        .at(LOGIN, login.clone())
        .at(crate::rig::PORT, port.clone());
    let rig = crate::rig::Rig { api, port, network };
    let connection = format!(
        "paginationType: page\nauthType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b"
    );
    let report = rig
        .sync(&connection, &items("/items", "{data_path: .items}"))
        .await;
    assert_eq!(report.resources[0].outcome, "incomplete", "{report}");
    assert_eq!(login.requests().len(), 2);
    assert!(rig.port.entity("item", "gone").is_some());
    assert!(
        rig.port.entity("item", "2").is_some(),
        "what was read is there"
    );
    tokio::time::sleep(Duration::from_secs(1)).await;
}
