//! Port's rate limit is kept before Port has to say no.

use std::time::Duration;

use http::StatusCode;
use longshore_port_client::{ErrorKind, Upsert};
use longshore_testkit::{Answer, PortCall, PortDouble, Seen};
use tokio::time::Instant;

use crate::support::{builder, client, network, users};

const MINUTE: Duration = Duration::from_secs(60);

fn refused(port: &PortDouble) -> usize {
    let is_refused = |seen: &&Seen| seen.status == Some(StatusCode::TOO_MANY_REQUESTS);
    port.requests().iter().filter(is_refused).count()
}

/// Writes so many batches, each of which takes 100 ms.
async fn write(port: &PortDouble, batches: usize) -> Duration {
    let network = network(port.clone()).latency(Duration::from_millis(100));
    let client = client(network.transport());
    let begun = Instant::now();
    client.server_time().await.unwrap();
    let entities = users(batches * 20);
    let upserted = client.upsert("user", &entities, &Upsert::default()).await;
    assert_eq!(upserted.unwrap().upserted, entities.len() as u64);
    begun.elapsed()
}

#[tokio::test(start_paused = true)]
async fn more_than_the_limit_allows_is_waited_for_and_never_refused() {
    let port = PortDouble::new().rate_limit(20, MINUTE);
    let took = write(&port, 70).await;
    assert_eq!(refused(&port), 0);
    assert!(took > MINUTE * 3 && took < MINUTE * 4, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn what_the_limit_has_room_for_is_not_held_up() {
    let port = PortDouble::new().rate_limit(1000, MINUTE);
    let took = write(&port, 200).await;
    // 200 batches, four at once, 100 ms each.
    assert!(took < Duration::from_secs(6), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_is_not_used_up_by_our_requests_holds_nothing_up() {
    // As the double tells by itself: 999 of 1000 left, whatever comes, and the end of the window always as far away.
    let took = write(&PortDouble::new(), 2000).await;
    assert!(took < Duration::from_secs(51), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_last_fifth_is_spread_over_the_rest_of_the_window() {
    let port = PortDouble::new().rate_limit(100, MINUTE);
    write(&port, 98).await;
    assert_eq!(refused(&port), 0);
    let times: Vec<Duration> = port
        .calls(PortCall::UpsertMany)
        .iter()
        .map(|call| call.at)
        .collect();
    let gaps = |from: usize, to: usize| times[to] - times[from];
    assert!(gaps(0, 75) < Duration::from_secs(3), "{times:?}");
    assert!(gaps(80, 97) > Duration::from_secs(40), "{times:?}");
    for pair in times[82..].windows(2) {
        let gap = pair[1] - pair[0];
        assert!(
            gap > Duration::from_secs(2) && gap < Duration::from_secs(4),
            "{times:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn what_others_of_the_organisation_use_up_counts() {
    let port = PortDouble::new().rate_limit(30, MINUTE);
    // Two processes that know nothing of each other.
    let (a, b) = tokio::join!(write(&port, 25), write(&port, 25));
    assert!(a.max(b) > MINUTE, "{a:?} {b:?}");
    // Each may overlook what the other has in flight.
    assert!(refused(&port) <= 8, "{}", refused(&port));
}

#[tokio::test(start_paused = true)]
async fn a_limit_of_a_few_requests_is_kept() {
    let port = PortDouble::new().rate_limit(5, Duration::from_secs(10));
    write(&port, 30).await;
    assert_eq!(refused(&port), 0);
}

#[tokio::test(start_paused = true)]
async fn a_window_that_goes_on_for_longer_than_is_waited_for_is_ports_to_refuse() {
    let port = PortDouble::new().rate_limit(1, Duration::from_secs(3600));
    let client = client(network(port.clone()).transport());
    client.server_time().await.unwrap();
    let begun = Instant::now();
    let error = client.server_time().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited, "{error}");
    assert!(begun.elapsed() < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_says_no_number_or_no_end_holds_nothing_up() {
    for headers in [
        vec![("x-ratelimit-remaining", "0")],
        vec![("x-ratelimit-limit", "10"), ("x-ratelimit-reset", "60")],
        vec![
            ("x-ratelimit-remaining", "soon"),
            ("x-ratelimit-reset", "60"),
        ],
    ] {
        let mut answer = Answer::json(serde_json::json!({"integration": {"installationId": "x"}}));
        for (name, value) in headers {
            answer = answer.header(name, value);
        }
        let port = PortDouble::new().faults(PortCall::Integration, 1.., answer);
        let client = builder(network(port).transport()).build().unwrap();
        let begun = Instant::now();
        for _ in 0..20 {
            client.integration().await.unwrap();
        }
        assert!(begun.elapsed() < Duration::from_secs(1));
    }
}
