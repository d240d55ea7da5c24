//! R29: requests to an origin keep their distance.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, Generation, Prepare, Quota, Renewal, Request, Response,
    Unauthenticated, async_trait,
};

use crate::support::{Fake, answer, get, read};

const OTHER: &str = "https://other.example.com/";

fn ok() -> Arc<Fake> {
    Fake::sequence(vec![(200, &[])])
}

fn client(api: &Arc<Fake>, quota: Quota) -> Client {
    Client::builder(api.clone()).quota(quota).seed(7).build()
}

fn burst(requests: u32) -> NonZeroU32 {
    NonZeroU32::new(requests).unwrap()
}

async fn ask(client: &Client, url: &str) -> Result<Response, Error> {
    let how = Exchange::new(&Unauthenticated);
    client.send(get(url), &how, Response::success).await
}

/// Whether requests were made at these seconds, but for the millisecond to which timers are rounded up.
fn near(times: &[f64], expected: &[f64]) -> bool {
    times.len() == expected.len()
        && times
            .iter()
            .zip(expected)
            .all(|(at, expected)| (-0.000_001..0.002).contains(&(at - expected)))
}

#[tokio::test(start_paused = true)]
async fn requests_are_spaced_evenly_whether_they_come_together_or_in_turn() {
    let quotas = [
        (Quota::per_second(5.0).unwrap(), 0.2),
        (Quota::per_minute(30.0).unwrap(), 2.0),
        (Quota::per_second(0.1).unwrap(), 10.0),
    ];
    for (quota, distance) in quotas {
        let expected: Vec<f64> = (0..11).map(|n| f64::from(n) * distance).collect();

        let api = ok();
        let together = client(&api, quota);
        join_all((0..11).map(|_| read(&together, &Unauthenticated))).await;
        assert!(near(&api.times(), &expected), "{:?}", api.times());

        let api = ok();
        let in_turn = client(&api, quota);
        for _ in 0..11 {
            read(&in_turn, &Unauthenticated).await.unwrap();
        }
        assert!(near(&api.times(), &expected), "{:?}", api.times());
    }
}

#[tokio::test(start_paused = true)]
async fn a_burst_goes_at_once_and_again_after_a_pause() {
    let api = ok();
    let client = client(&api, Quota::per_second(2.0).unwrap().burst(burst(3)));
    join_all((0..5).map(|_| read(&client, &Unauthenticated))).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    join_all((0..4).map(|_| read(&client, &Unauthenticated))).await;
    let times = api.times();
    assert!(near(&times[..5], &[0.0, 0.0, 0.0, 0.5, 1.0]), "{times:?}");
    assert!(
        near(&times[5..], &[61.0, 61.0, 61.0, 61.5]),
        "a pause saves up one burst and no more: {times:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn each_origin_has_a_quota_of_its_own() {
    let api = ok();
    let client = client(&api, Quota::per_second(1.0).unwrap());
    let here = join_all((0..3).map(|_| read(&client, &Unauthenticated)));
    let there = join_all((0..3).map(|_| ask(&client, OTHER)));
    futures::join!(here, there);
    for is_other in [true, false] {
        let requests = api.requests();
        let times: Vec<f64> = api
            .times()
            .into_iter()
            .zip(&requests)
            .filter(|(_, request)| (request.url.as_str() == OTHER) == is_other)
            .map(|(at, _)| at)
            .collect();
        assert!(near(&times, &[0.0, 1.0, 2.0]), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn repeats_and_redirects_count() {
    let api = Fake::new(|n, request| {
        Ok(match n {
            0 => answer(request, 503, &[]),
            1 => answer(request, 302, &[("location", "/v2")]),
            _ => answer(request, 200, &[]),
        })
    });
    let client = client(&api, Quota::per_minute(6.0).unwrap());
    read(&client, &Unauthenticated).await.unwrap();
    assert!(near(&api.times(), &[0.0, 10.0, 20.0]), "{:?}", api.times());
}

#[tokio::test(start_paused = true)]
async fn waiting_for_the_quota_holds_no_permit() {
    let api = ok();
    let client = Client::builder(api.clone())
        .quota(Quota::per_minute(1.0).unwrap())
        .max_concurrent_requests(1)
        .build();
    read(&client, &Unauthenticated).await.unwrap();
    let elsewhere = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        ask(&client, OTHER).await
    };
    tokio::select! {
        result = elsewhere => drop(result.unwrap()),
        _ = read(&client, &Unauthenticated) => panic!("it waits for a minute"),
    }
    assert!(near(&api.times(), &[0.0, 1.0]), "{:?}", api.times());
}

#[tokio::test(start_paused = true)]
async fn whoever_is_dropped_while_waiting_takes_nothing_along() {
    let api = ok();
    let client = client(&api, Quota::per_second(0.1).unwrap());
    read(&client, &Unauthenticated).await.unwrap();
    let dropped = join_all((0..5).map(|_| read(&client, &Unauthenticated)));
    let dropped = tokio::time::timeout(Duration::from_secs(5), dropped).await;
    assert!(dropped.is_err());
    read(&client, &Unauthenticated).await.unwrap();
    assert!(near(&api.times(), &[0.0, 10.0]), "{:?}", api.times());
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_was_told_is_kept_beside_the_quota() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "30")]), (200, &[])]);
    let client = client(&api, Quota::per_second(1.0).unwrap());
    let results = join_all((0..3).map(|_| read(&client, &Unauthenticated))).await;
    assert!(results.iter().all(Result::is_ok));
    let times = api.times();
    assert_eq!(times[0], 0.0);
    assert!(times[1] >= 30.0, "{times:?}");
    assert!(times[2] >= times[1] + 0.999, "{times:?}");
    assert!(times[3] >= times[2] + 0.999, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn credentials_are_made_after_the_wait() {
    /// Says when it was asked last, in seconds.
    #[derive(Debug)]
    struct Stamp(tokio::time::Instant, AtomicUsize);

    #[async_trait]
    impl Prepare for Stamp {
        async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
            self.1.fetch_add(1, Ordering::SeqCst);
            let value = self.0.elapsed().as_secs().to_string().parse().unwrap();
            request.headers.insert("x-date", value);
            Ok(Generation(0))
        }

        async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
            Ok(Renewal::Unchanged)
        }
    }

    let api = ok();
    let client = client(&api, Quota::per_minute(1.0).unwrap());
    let stamp = Stamp(tokio::time::Instant::now(), AtomicUsize::new(0));
    for _ in 0..3 {
        read(&client, &stamp).await.unwrap();
    }
    let sent = api.requests();
    let dates: Vec<_> = sent.iter().map(|sent| &sent.headers["x-date"]).collect();
    assert_eq!(dates, ["0", "60", "120"]);
}

#[test]
fn a_quota_that_makes_no_sense_is_refused() {
    for requests in [
        0.0,
        -1.0,
        f64::NAN,
        f64::INFINITY,
        1e12,
        1e-9,
        f64::MIN_POSITIVE,
    ] {
        for quota in [Quota::per_second(requests), Quota::per_minute(requests)] {
            assert_eq!(quota.unwrap_err().kind(), ErrorKind::Config, "{requests}");
        }
    }
    assert!(Quota::per_second(1e9).is_ok());
    assert!(Quota::per_minute(1.0 / 1_440.0).is_ok(), "one a day");
}

#[tokio::test(start_paused = true)]
async fn extreme_quotas_do_not_overflow() {
    for quota in [
        Quota::per_minute(1.0 / 1_440.0).unwrap(),
        Quota::per_second(1e9).unwrap(),
    ] {
        let api = ok();
        let client = client(&api, quota.burst(NonZeroU32::MAX));
        for _ in 0..300 {
            read(&client, &Unauthenticated).await.unwrap();
        }
        assert_eq!(api.count(), 300);
        assert_eq!(api.times()[299], 0.0);
    }
}
