//! The network in process and the server behind a socket.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use futures::future::join_all;
use http::Method;
use longshore_testkit::{Answer, Network, ScriptedApi, service_fn};
use longshore_transport::{ErrorKind, HttpTransport, Request, Transport};
use serde_json::json;
use tokio::time::Instant;

fn get(url: &str) -> Request {
    Request::new(Method::GET, url.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn an_unknown_origin_is_a_connect_error_and_on_record() {
    let network = Network::new().at(
        "https://api.example.com/v2/",
        ScriptedApi::new().json("/a", json!(1)),
    );
    assert_eq!(
        network
            .send(get("https://api.example.com/a"))
            .await
            .unwrap()
            .body,
        "1"
    );

    for stranger in [
        "http://api.example.com/a",
        "https://api.example.com:8443/a",
        "https://evil.example/a?key=s",
    ] {
        let error = network.send(get(stranger)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{stranger}");
        assert!(error.is_retryable());
    }
    let strangers: Vec<String> = network
        .strangers()
        .iter()
        .map(|seen| seen.url.to_string())
        .collect();
    assert_eq!(strangers[2], "https://evil.example/a?key=s");
    assert_eq!((strangers.len(), network.requests().len()), (3, 4));
}

#[tokio::test(start_paused = true)]
async fn waits_pass_in_paused_time_and_requests_carry_theirs() {
    let api = ScriptedApi::new().answer(
        "/slow",
        Answer::json(json!([])).after(Duration::from_secs(3600)),
    );
    let network = Network::new()
        .at("https://api.example.com", api)
        .latency(Duration::from_secs(5));
    let start = Instant::now();
    network
        .send(get("https://api.example.com/slow"))
        .await
        .unwrap();
    network
        .send(get("https://api.example.com/slow"))
        .await
        .unwrap();
    assert_eq!(start.elapsed(), Duration::from_secs(2 * 3605));
    let times: Vec<u64> = network
        .requests()
        .iter()
        .map(|seen| seen.at.as_secs())
        .collect();
    assert_eq!(times, [0, 3605]);
}

#[tokio::test(start_paused = true)]
async fn requests_under_way_are_counted_and_dropped_ones_are_not_left_over() {
    let api = ScriptedApi::new().json("/a", json!(1));
    let network = Network::new()
        .at("https://api.example.com", api)
        .latency(Duration::from_secs(1));
    join_all((0..7).map(|_| network.send(get("https://api.example.com/a")))).await;
    assert_eq!((network.peak_in_flight(), network.in_flight()), (7, 0));

    let given_up = tokio::time::timeout(
        Duration::from_millis(1),
        network.send(get("https://api.example.com/a")),
    )
    .await;
    assert!(given_up.is_err());
    assert_eq!(network.in_flight(), 0);
    assert_eq!(network.requests().last().unwrap().status, None);
}

#[tokio::test]
async fn a_connection_that_breaks_is_an_error_in_process_and_over_a_socket() {
    let breaking = service_fn(async |_| Answer::breaks(ErrorKind::Truncated));
    let network = Network::new().at("https://api.example.com", breaking);
    assert_eq!(
        network
            .send(get("https://api.example.com/"))
            .await
            .unwrap_err()
            .kind(),
        ErrorKind::Truncated
    );

    let server =
        longshore_testkit::serve(service_fn(async |_| Answer::breaks(ErrorKind::Truncated))).await;
    let http = HttpTransport::builder().build().unwrap();
    assert!(
        http.send(get(server.url.as_str()))
            .await
            .unwrap_err()
            .is_retryable()
    );
}

#[tokio::test]
async fn a_server_answers_over_its_socket_and_is_gone_when_dropped() {
    let api = ScriptedApi::new().on("POST /echo/{name}", |call| {
        Answer::status(201)
            .header("x-name", call.parameter("name"))
            .with_json(json!({"got": call.json(), "q": call.query("q")}))
    });
    let server = api.serve().await;
    let http = HttpTransport::builder().build().unwrap();

    let mut request =
        get(server.url.join("/echo/a%2Fb?q=1%202").unwrap().as_str()).with_json(&json!([true]));
    request.method = Method::POST;
    let response = http.send(request.clone()).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), &response.headers["x-name"]),
        (201, &"a/b".parse().unwrap())
    );
    assert_eq!(
        response.body,
        json!({"got": [true], "q": "1 2"}).to_string()
    );

    drop(server);
    tokio::task::yield_now().await;
    assert!(http.send(request).await.is_err());
    assert_eq!(api.requests().len(), 1);
}
