use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, Generation, Prepare, Renewal, Request, Response,
    Unauthenticated, async_trait,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::support::{Fake, answer, get, read};

const OTHER: &str = "https://other.example.com/";

#[tokio::test(start_paused = true)]
async fn one_429_pauses_its_origin_for_all_and_no_other_origin() {
    // The first answer comes when three requests are under way and seventeen stand in line.
    let api = Fake::slow(Duration::from_millis(10), |n, request| {
        Ok(answer(
            request,
            if n == 0 { 429 } else { 200 },
            &[("retry-after", "7")],
        ))
    });
    let client = Client::builder(api.clone())
        .max_concurrent_requests(3)
        .seed(3)
        .build();
    let all = join_all((0..20).map(|_| read(&client, &Unauthenticated)));
    let elsewhere = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let how = Exchange::new(&Unauthenticated);
        client.send(get(OTHER), &how, Response::success).await
    };
    let (all, elsewhere) = futures::join!(all, elsewhere);
    assert!(all.into_iter().all(|result| result.is_ok()));
    elsewhere.unwrap();

    let times = api.times();
    assert_eq!(
        times.iter().filter(|at| **at < 0.01).count(),
        3,
        "{times:?}"
    );
    let requests = api.requests();
    let paused: Vec<_> = times
        .iter()
        .zip(&requests)
        .filter(|(at, _)| (0.01..7.01).contains(*at))
        .map(|(_, request)| request.url.as_str())
        .collect();
    assert_eq!(paused, [OTHER]);
    assert_eq!(times.len(), 22, "20 exchanges, one repeat, one elsewhere");
}

#[tokio::test(start_paused = true)]
async fn a_503_delays_its_own_exchange_only() {
    let api = Fake::new(|n, request| {
        Ok(answer(
            request,
            if n == 0 { 503 } else { 200 },
            &[("retry-after", "7")],
        ))
    });
    let client = api.client();
    let (first, second) = futures::join!(
        read(&client, &Unauthenticated),
        read(&client, &Unauthenticated)
    );
    first.and(second).unwrap();
    let times = api.times();
    assert_eq!(times[1], 0.0);
    assert!(times[2] >= 7.0);
}

#[tokio::test(start_paused = true)]
async fn of_two_pauses_the_one_that_ends_later_counts() {
    // The answers come after 1 s and after 1.5 s.
    for (first, second, end) in [("2", "20", 21.5), ("20", "2", 21.0)] {
        let api = Fake::slow(Duration::from_secs(1), move |n, request| match n {
            0 => Ok(answer(request, 429, &[("retry-after", first)])),
            1 => Ok(answer(request, 429, &[("retry-after", second)])),
            _ => Ok(answer(request, 200, &[])),
        });
        let client = api.client();
        let later = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            read(&client, &Unauthenticated).await
        };
        let (one, other) = futures::join!(read(&client, &Unauthenticated), later);
        one.and(other).unwrap();
        let times = api.times();
        assert!(times[2..].iter().all(|at| *at >= end), "{times:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn while_a_pause_is_longer_than_the_cap_nobody_asks() {
    let api = Fake::sequence(vec![(429, &[("retry-after", "3600")]), (200, &[])]);
    let client = api.client();
    read(&client, &Unauthenticated).await.unwrap_err();
    let error = read(&client, &Unauthenticated).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert!(
        error
            .to_string()
            .contains("no more than 300 s are waited for")
    );
    assert_eq!(api.count(), 1);

    tokio::time::sleep(Duration::from_secs(3660)).await;
    read(&client, &Unauthenticated).await.unwrap();
    assert!(api.times()[1] >= 3600.0);
}

#[tokio::test(start_paused = true)]
async fn permits_bound_what_is_under_way() {
    let api = Fake::slow(Duration::from_millis(50), |_, request| {
        Ok(answer(request, 200, &[]))
    });
    let client = Client::builder(api.clone())
        .max_concurrent_requests(4)
        .build();
    join_all((0..40).map(|_| read(&client, &Unauthenticated))).await;
    assert_eq!(api.most_under_way(), 4);
    assert_eq!(*api.times().last().unwrap(), 0.45);
}

#[tokio::test(start_paused = true)]
async fn waiting_holds_no_permit() {
    let api = Fake::new(|_, request| {
        let status = if request.url.as_str() == OTHER {
            200
        } else {
            503
        };
        Ok(answer(request, status, &[("retry-after", "60")]))
    });
    let client = Client::builder(api.clone())
        .max_concurrent_requests(1)
        .build();
    let elsewhere = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let how = Exchange::new(&Unauthenticated);
        client.send(get(OTHER), &how, Response::success).await
    };
    let waiting = read(&client, &Unauthenticated);
    tokio::select! {
        result = elsewhere => drop(result.unwrap()),
        _ = waiting => panic!("it waits for a minute"),
    }
    assert_eq!(api.times()[1], 1.0);
}

/// Fetches a token over the same client, as a login does.
#[derive(Debug)]
struct Login(Client);

#[async_trait]
impl Prepare for Login {
    async fn prepare(&self, _: &mut Request) -> Result<Generation, Error> {
        read(&self.0, &Unauthenticated).await?;
        Ok(Generation(1))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_over_the_same_client_needs_no_second_permit() {
    let api = Fake::sequence(vec![(200, &[])]);
    let client = Client::builder(api.clone())
        .max_concurrent_requests(1)
        .build();
    let login: Arc<dyn Prepare> = Arc::new(Login(client.clone()));
    let exchange = read(&client, &*login);
    tokio::time::timeout(Duration::from_secs(60), exchange)
        .await
        .expect("no deadlock")
        .unwrap();
    assert_eq!(api.count(), 2);
}

/// A token that is good for half a minute, in a header with the time at which it was put there. Fetched over the same client.
#[derive(Debug)]
struct ShortLived {
    client: Client,
    start: Instant,
    fetched: Mutex<Option<Instant>>,
    logins: AtomicUsize,
}

#[async_trait]
impl Prepare for ShortLived {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        let mut fetched = self.fetched.lock().await;
        if fetched.is_none_or(|at| at.elapsed() >= Duration::from_secs(30)) {
            let how = Exchange::new(&Unauthenticated);
            self.client
                .send(get(OTHER), &how, Response::success)
                .await?;
            self.logins.fetch_add(1, Ordering::SeqCst);
            *fetched = Some(Instant::now());
        }
        let now = self.start.elapsed().as_secs_f64().to_string();
        request.headers.insert("x-time", now.parse().unwrap());
        Ok(Generation(1))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

/// R19: whoever stands in line for a permit waits, too. A signature may be good for half a minute only.
#[tokio::test(start_paused = true)]
async fn credentials_are_as_fresh_as_the_request_however_long_the_line_was() {
    for (permits, latency) in [(1, 12), (1, 40), (2, 25), (3, 1)] {
        let api = Fake::slow(Duration::from_secs(latency), |_, request| {
            Ok(answer(request, 200, &[]))
        });
        let client = Client::builder(api.clone())
            .max_concurrent_requests(permits)
            .build();
        let credentials = ShortLived {
            client: client.clone(),
            start: Instant::now(),
            fetched: Mutex::default(),
            logins: AtomicUsize::new(0),
        };
        let crowd = join_all((0..12).map(|_| read(&client, &credentials)));
        let all = tokio::time::timeout(Duration::from_secs(3600), crowd);
        for read in all.await.expect("no deadlock") {
            read.unwrap();
        }
        let mut sent = 0;
        for (at, request) in api.times().into_iter().zip(api.requests()) {
            let Some(made) = request.headers.get("x-time") else {
                continue;
            };
            let made: f64 = made.to_str().unwrap().parse().unwrap();
            assert!(at - made < 1.0, "made at {made}, sent at {at}");
            sent += 1;
        }
        assert_eq!(sent, 12);
        let logins = credentials.logins.load(Ordering::SeqCst);
        assert_eq!(api.count(), 12 + logins, "{permits} permits, {latency} s");
        let enough = 1 + *api.times().last().unwrap() as usize / 30;
        assert!(
            logins <= enough,
            "{logins} logins, {permits} permits, {latency} s"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_dropped_exchange_gives_its_permit_back_and_asks_no_more() {
    let api = Fake::slow(Duration::from_secs(10), |_, request| {
        Ok(answer(request, 500, &[]))
    });
    let client = Client::builder(api.clone())
        .max_concurrent_requests(1)
        .build();
    let dropped = tokio::time::timeout(Duration::from_secs(1), read(&client, &Unauthenticated));
    assert!(dropped.await.is_err());
    let next = tokio::time::timeout(Duration::from_secs(1), read(&client, &Unauthenticated));
    assert!(next.await.is_err());
    assert_eq!(api.times(), [0.0, 1.0]);
    tokio::time::sleep(Duration::from_secs(100)).await;
    assert_eq!(api.count(), 2);
}

#[test]
fn exchanges_can_be_spawned() {
    fn is_send<T: Send>(_: T) {}
    let build = |client: &'static Client| is_send(read(client, &Unauthenticated));
    let _ = build;
}
