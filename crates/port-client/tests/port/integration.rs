use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use longshore_port_client::{ErrorKind, PortClient};
use longshore_testkit::{Answer, PortCall, PortDouble};
use longshore_transport::{Client, Clock, TokioClock, async_trait};
use serde_json::{Value, json};

use crate::support::{BASE, builder, client, network, over, scripted};

#[tokio::test(start_paused = true)]
async fn the_mapping_at_port_is_the_config_of_the_integration() {
    let mapping = json!({"resources": [{"kind": "/users"}]});
    let port = PortDouble::new().integration("my-api", mapping.clone());
    let found = client(network(port).transport())
        .integration()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.identifier.as_str(), found.config),
        ("my-api", mapping)
    );
}

#[tokio::test(start_paused = true)]
async fn an_integration_that_port_does_not_know_is_none_and_one_without_mapping_is_null() {
    let unknown = client(network(PortDouble::new()).transport());
    assert_eq!(unknown.integration().await.unwrap(), None);
    let bare = scripted().json(
        "/v1/integration/{id}",
        json!({"ok": true, "integration": {"installationId": "my-api"}}),
    );
    let found = client(network(bare).transport())
        .integration()
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.config, Value::Null);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_integration_is_an_error() {
    for body in [json!({"ok": true}), json!([]), json!({"integration": null})] {
        let port = scripted().json("/v1/integration/{id}", body.clone());
        let error = client(network(port).transport())
            .integration()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Answer, "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_call_names_the_integration_as_its_source() {
    let port = PortDouble::new().integration("my-api", json!({}));
    let network = network(port);
    let client = client(network.transport());
    client.integration().await.unwrap();
    client.owned(None).await.unwrap();
    let requests = network.requests();
    assert_eq!(requests.len(), 3);
    for seen in requests {
        assert_eq!(
            seen.header("user-agent"),
            Some("port-ocean/custom/1.2.3/my-api/exporter"),
            "{seen:?}"
        );
    }
}

// R10
#[tokio::test(start_paused = true)]
async fn the_time_is_ports_whatever_the_local_clock_says() {
    for day in [-1, 0, 1] {
        let port = PortDouble::new();
        let http = Client::builder(network(port.clone()).transport())
            .clock(Arc::new(WrongClock::by_days(day)))
            .build();
        let client = over(http).build().unwrap();
        assert_eq!(client.server_time().await.unwrap(), port.now());
        tokio::time::sleep(Duration::from_secs(90)).await;
        assert_eq!(client.server_time().await.unwrap(), port.now());
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_that_port_does_not_tell_is_an_error_and_not_the_local_time() {
    for answer in [
        Answer::json(json!({"integration": {}})),
        Answer::json(json!({"integration": {}})).header("date", "yesterday"),
    ] {
        let port = scripted().answer("/v1/integration/{id}", answer);
        let error = client(network(port).transport())
            .server_time()
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Undated);
        assert!(error.to_string().contains("Date header"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_port_is_not_asked_for_the_time_of_its_error_page() {
    let failing = Answer::status(503).header("date", "Thu, 01 Jan 2026 00:00:00 GMT");
    let port = PortDouble::new().faults(PortCall::Integration, 1.., failing);
    let error = client(network(port.clone()).transport())
        .server_time()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    assert_eq!(port.count(PortCall::Integration), 6);
}

#[tokio::test(start_paused = true)]
async fn each_status_says_what_to_change() {
    for (status, kind, hint) in [
        (401, ErrorKind::Unauthorized, "OCEAN__PORT__CLIENT_SECRET"),
        (403, ErrorKind::Refused, "use credentials that may do that"),
        (410, ErrorKind::Refused, "410"),
        (429, ErrorKind::RateLimited, "less often"),
        (500, ErrorKind::Unavailable, "run again later"),
        (302, ErrorKind::Config, "OCEAN__PORT__BASE_URL"),
    ] {
        let port = scripted().answer(
            "/v1/blueprints/entities/datasource-entities",
            Answer::status(status),
        );
        let error = client(network(port).transport())
            .owned(None)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{status}");
        assert_eq!(error.status().map(|s| s.as_u16()), Some(status));
        assert!(error.to_string().contains(hint), "{error}");
        assert!(
            error.to_string().contains("listing the entities"),
            "{error}"
        );
        assert_eq!(error.to_string().lines().count(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_403_that_is_a_rate_limit_is_told_as_one() {
    let limited = Answer::status(403).header("retry-after", "1");
    let port = scripted().answer("/v1/integration/{id}", limited);
    let error = client(network(port).transport())
        .integration()
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
}

#[test]
fn what_is_missing_or_cannot_be_sent_is_found_before_the_first_request() {
    let transport = || network(PortDouble::new()).transport();
    let bare = || PortClient::builder(Client::builder(transport()).build());
    let url = || BASE.parse().unwrap();
    let secret = || "secret".to_owned();
    for (built, hint) in [
        (
            bare()
                .credentials("id", secret())
                .integration("custom", "a")
                .build(),
            "BASE_URL",
        ),
        (
            bare().base_url(url()).integration("custom", "a").build(),
            "CLIENT_ID",
        ),
        (
            bare().base_url(url()).credentials("id", secret()).build(),
            "INTEGRATION__IDENTIFIER",
        ),
        (
            builder(transport())
                .base_url("file:///etc/passwd".parse().unwrap())
                .build(),
            "BASE_URL",
        ),
        (
            builder(transport())
                .base_url("https://user:pw@api.getport.io".parse().unwrap())
                .build(),
            "BASE_URL",
        ),
        // With suffixes, `prod` would own everything that `eu/prod` wrote.
        (
            builder(transport())
                .integration("custom", "eu/prod")
                .build(),
            "without `/`",
        ),
        (
            builder(transport()).integration("a/b", "prod").build(),
            "INTEGRATION__TYPE",
        ),
        (
            builder(transport()).integration("custom", "").build(),
            "INTEGRATION__IDENTIFIER",
        ),
        (
            builder(transport()).integration("custom", "a\nb").build(),
            "INTEGRATION__IDENTIFIER",
        ),
        (
            builder(transport()).integration("custom", "größe").build(),
            "INTEGRATION__IDENTIFIER",
        ),
    ] {
        let error = built.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!error.to_string().contains("pw@"), "{error}");
    }
    assert!(
        builder(transport())
            .integration("custom", "My API")
            .build()
            .is_ok()
    );
}

#[tokio::test(start_paused = true)]
async fn an_address_with_a_path_is_kept() {
    let proxied = scripted()
        .json(
            "POST /port/v1/auth/access_token",
            json!({"accessToken": "t"}),
        )
        .json(
            "/port/v1/integration/{id}",
            json!({"integration": {"config": 1}}),
        );
    let network = network(proxied);
    let client = builder(network.transport())
        .base_url(format!("{BASE}/port/").parse().unwrap())
        .build()
        .unwrap();
    assert_eq!(
        client.integration().await.unwrap().unwrap().config,
        json!(1)
    );
}

#[tokio::test(start_paused = true)]
async fn every_request_is_reported_without_query_and_names() {
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&attempts);
    let client = builder(network(PortDouble::new()).transport())
        .on_attempt(Arc::new(move |attempt| {
            sink.lock().unwrap().push(attempt.url.to_string())
        }))
        .build()
        .unwrap();
    client.integration().await.unwrap();
    assert_eq!(
        *attempts.lock().unwrap(),
        [
            format!("{BASE}/v1/auth/access_token"),
            format!("{BASE}/v1/integration/{{identifier}}")
        ]
    );
}

/// A clock whose days are wrong.
struct WrongClock {
    inner: TokioClock,
    wall: SystemTime,
}

impl WrongClock {
    fn by_days(days: i64) -> WrongClock {
        let day = Duration::from_secs(24 * 3600);
        let now = SystemTime::now();
        WrongClock {
            inner: TokioClock::new(),
            wall: if days < 0 {
                now - day
            } else {
                now + day * days as u32
            },
        }
    }
}

impl fmt::Debug for WrongClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WrongClock")
    }
}

#[async_trait]
impl Clock for WrongClock {
    fn now(&self) -> Duration {
        self.inner.now()
    }

    fn wall(&self) -> SystemTime {
        self.wall
    }

    async fn sleep(&self, duration: Duration) {
        self.inner.sleep(duration).await;
    }
}
