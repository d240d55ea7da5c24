use std::time::Duration;

use futures::future::join_all;
use longshore_port_client::{ErrorKind, PortClient};
use longshore_testkit::{Answer, PortCall, PortDouble};
use longshore_transport::{self as transport, Client};
use serde_json::json;
use tokio::time::sleep;

use crate::support::{self, SECRET, client, everything_it_says, network, over, refusal, scripted};

const SECOND: Duration = Duration::from_secs(1);

fn known() -> PortDouble {
    PortDouble::new()
        .credentials("id", SECRET)
        .integration("my-api", json!({}))
}

/// A client that may do fifty things at once, on a network where each of them takes a second.
fn busy(port: &PortDouble) -> PortClient {
    let network = network(port.clone()).latency(SECOND);
    let http = Client::builder(network.transport()).max_concurrent_requests(50);
    over(http.build()).build().unwrap()
}

async fn fifty_reads(client: &PortClient) -> Vec<Result<(), longshore_port_client::Error>> {
    join_all((0..50).map(|_| async { client.integration().await.map(drop) })).await
}

#[tokio::test(start_paused = true)]
async fn fifty_first_calls_make_one_token_request() {
    let port = known();
    let all = fifty_reads(&busy(&port)).await;
    assert!(all.iter().all(Result::is_ok));
    assert_eq!(
        (
            port.count(PortCall::Token),
            port.count(PortCall::Integration)
        ),
        (1, 50)
    );
}

#[tokio::test(start_paused = true)]
async fn fifty_concurrent_401s_renew_the_token_once() {
    let port = known();
    let client = busy(&port);
    client.integration().await.unwrap();
    port.revoke_tokens();
    let all = fifty_reads(&client).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    assert_eq!(port.count(PortCall::Token), 2);
    assert_eq!(
        port.count(PortCall::Integration),
        1 + 50 + 50,
        "each call is repeated once"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_request_that_fails_fails_all_waiters_once_and_the_next_call_tries_again() {
    let port = known().fault(PortCall::Token, 1, refusal(401, "invalid_credentials", ""));
    let client = busy(&port);
    let all = fifty_reads(&client).await;
    assert_eq!(port.count(PortCall::Token), 1);
    for result in all {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthorized);
    }
    client.integration().await.unwrap();
    assert_eq!(port.count(PortCall::Token), 2);
}

#[tokio::test(start_paused = true)]
async fn a_401_that_stays_is_an_error_after_one_renewal_and_one_repeat() {
    let port = known().faults(
        PortCall::Integration,
        1..,
        refusal(401, "invalid_token", "no"),
    );
    let error = client(network(port.clone()).transport())
        .integration()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert_eq!(
        (
            port.count(PortCall::Token),
            port.count(PortCall::Integration)
        ),
        (2, 2)
    );
    assert!(
        !everything_it_says(&error).contains("authType"),
        "that is the other API's setting: {error:?}"
    );
    assert!(!error.is_retryable());
}

#[tokio::test(start_paused = true)]
async fn wrong_credentials_name_the_settings_and_both_regions() {
    let port = PortDouble::new().credentials("other", "other");
    let error = client(network(port).transport())
        .integration()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    let text = error.to_string();
    for hint in [
        "OCEAN__PORT__CLIENT_ID",
        "OCEAN__PORT__CLIENT_SECRET",
        "api.us.getport.io",
        "asking for a token",
    ] {
        assert!(text.contains(hint), "{text}");
    }
    assert_eq!(text.lines().count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_renewed_before_it_expires() {
    for (lifetime, last_use) in [(10_800, 10_740), (300, 270)] {
        let port = known().token_lifetime(Duration::from_secs(lifetime));
        let client = client(network(port.clone()).transport());
        client.integration().await.unwrap();
        sleep(Duration::from_secs(last_use - 1)).await;
        client.integration().await.unwrap();
        assert_eq!(port.count(PortCall::Token), 1, "{lifetime} s: still good");
        sleep(SECOND).await;
        client.integration().await.unwrap();
        assert_eq!(
            port.count(PortCall::Token),
            2,
            "{lifetime} s: renewed in time"
        );
        assert_eq!(port.count(PortCall::Integration), 3, "without a 401");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_without_a_lifetime_is_renewed_on_401_only() {
    for lifetime in [json!(0), json!(null), json!(-5)] {
        let port = scripted()
            .json(
                "POST /v1/auth/access_token",
                json!({"accessToken": "t", "expiresIn": lifetime}),
            )
            .json("/v1/integration/{id}", json!({"integration": {}}));
        let client = client(network(port.clone()).transport());
        client.integration().await.unwrap();
        sleep(Duration::from_secs(365 * 24 * 3600)).await;
        client.integration().await.unwrap();
        assert_eq!(port.count("/v1/auth/access_token"), 1, "{lifetime}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_token_type_that_port_names_is_used() {
    let port = scripted()
        .json(
            "POST /v1/auth/access_token",
            json!({"accessToken": "abc", "expiresIn": 60.5, "tokenType": "Special"}),
        )
        .json("/v1/integration/{id}", json!({"integration": {}}));
    client(network(port.clone()).transport())
        .integration()
        .await
        .unwrap();
    assert_eq!(
        port.requests()[1].header("authorization"),
        Some("Special abc")
    );
}

#[tokio::test(start_paused = true)]
async fn token_requests_are_repeated_where_no_login_can_have_happened() {
    for (fault, requests) in [
        (Answer::status(503), 2),
        (Answer::status(429).header("retry-after", "3"), 2),
        (Answer::breaks(transport::ErrorKind::Connect), 2),
        (Answer::status(500), 1),
        (Answer::breaks(transport::ErrorKind::Timeout), 1),
        (Answer::status(403), 1),
    ] {
        let port = known().fault(PortCall::Token, 1, fault.clone());
        let result = client(network(port.clone()).transport())
            .integration()
            .await;
        assert_eq!(port.count(PortCall::Token), requests, "{fault:?}");
        assert_eq!(result.is_ok(), requests == 2, "{fault:?}: {result:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_gives_up_does_not_hold_the_others_up() {
    let port = known();
    let client = busy(&port);
    let hasty = tokio::time::timeout(SECOND / 2, client.integration());
    let (hasty, patient) = tokio::join!(hasty, client.integration());
    assert!(hasty.is_err());
    assert!(patient.is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_permit_is_enough_for_a_call_that_needs_a_token_first() {
    let port = known();
    let http = Client::builder(network(port).transport()).max_concurrent_requests(1);
    let client = over(http.build()).build().unwrap();
    let both = async { tokio::join!(client.integration(), client.server_time()) };
    let (integration, time) = tokio::time::timeout(SECOND, both).await.unwrap();
    assert!(integration.is_ok() && time.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_token_goes_to_ports_origin_and_no_further() {
    let elsewhere =
        Answer::status(307).header("location", "https://evil.example/v1/integration/my-api");
    let port = scripted().answer("/v1/integration/{id}", elsewhere);
    let network = network(port);
    let error = client(network.transport()).integration().await.unwrap_err();
    assert_eq!(network.strangers().len(), 0);
    assert_ne!(error.kind(), ErrorKind::Unavailable);
}

#[tokio::test(start_paused = true)]
async fn secrets_are_in_no_error_and_no_debug_text() {
    const TOKEN: &str = "c4nary-t0ken";
    let answer = |body| scripted().json("POST /v1/auth/access_token", body);
    let good = || answer(json!({"accessToken": TOKEN, "expiresIn": 60, "tokenType": "Bearer"}));
    for port in [
        answer(json!({"accessToken": format!("{TOKEN}\n"), "tokenType": "Bearer"})),
        answer(json!({"accessToken": {"nested": TOKEN}})),
        answer(json!({"token": TOKEN})),
        scripted().answer("POST /v1/auth/access_token", refusal(401, SECRET, SECRET)),
        scripted().answer(
            "POST /v1/auth/access_token",
            Answer::text(format!("<html>{SECRET}")),
        ),
        good().answer("/v1/integration/{id}", refusal(401, TOKEN, TOKEN)),
        good().answer("/v1/integration/{id}", refusal(403, TOKEN, TOKEN)),
        good().answer("/v1/integration/{id}", Answer::text(TOKEN)),
        good().answer(
            "/v1/integration/{id}",
            Answer::breaks(transport::ErrorKind::Connect),
        ),
    ] {
        let client = client(network(port).transport());
        let text =
            everything_it_says(&client.integration().await.unwrap_err()) + &format!("{client:?}");
        assert!(!text.contains(SECRET) && !text.contains(TOKEN), "{text}");
    }
    let builder = support::builder(network(PortDouble::new()).transport());
    assert!(!format!("{builder:?}").contains(SECRET));
}
