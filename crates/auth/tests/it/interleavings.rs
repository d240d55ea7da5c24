//! However the steps of many requests fall between each other: one login for all of them (R24). Each seed has starts, latencies and permits
//! of its own; 100 of them are part of every run, 1,000 come with
//! `cargo test --release -p longshore-auth -- --ignored interleavings_1k`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, StatusCode};
use longshore_auth::{ClientAuth, Grant, OAuth2, OriginBound, async_trait};
use longshore_transport::{
    self as transport, Client, ErrorKind, Exchange, Origin, Request, Response, Transport, parse_url,
};
use tokio::time::Instant;

const CROWD: usize = 50;
const API: &str = "https://api.example.com/items";
const TOKEN: &str = "https://login.example.net/token";

/// An API and a token endpoint whose answers take as long as the seed says.
#[derive(Debug)]
struct World {
    random: Mutex<fastrand::Rng>,
    start: Instant,
    /// Until when tokens are taken.
    tokens: Mutex<HashMap<String, Duration>>,
    lifetime: Duration,
    logins: AtomicU64,
    reads: AtomicU64,
    /// How many of the next logins are refused.
    refusals: AtomicU64,
}

impl World {
    fn new(seed: u64, lifetime: u64) -> Arc<World> {
        Arc::new(World {
            random: Mutex::new(fastrand::Rng::with_seed(seed)),
            start: Instant::now(),
            tokens: Mutex::default(),
            lifetime: Duration::from_secs(lifetime),
            logins: AtomicU64::new(0),
            reads: AtomicU64::new(0),
            refusals: AtomicU64::new(0),
        })
    }

    fn millis(&self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.random.lock().unwrap().u64(from..=to))
    }

    fn logins(&self) -> u64 {
        self.logins.load(Ordering::SeqCst)
    }

    fn revoke(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// A client with any number of permits, and the credentials.
    fn connect(self: &Arc<World>) -> (Client, OriginBound) {
        let (seed, permits) = {
            let mut random = self.random.lock().unwrap();
            (random.u64(..), random.usize(1..=CROWD + 10))
        };
        let client = Client::builder(Arc::clone(self) as Arc<dyn Transport>)
            .seed(seed)
            .max_concurrent_requests(permits)
            .build();
        let auth = OAuth2::builder(parse_url(TOKEN).unwrap(), Grant::ClientCredentials)
            .client("id", ClientAuth::Basic("secret".into()))
            .build(client.clone())
            .unwrap();
        let origin = Origin::of(&parse_url(API).unwrap()).unwrap();
        (client, OriginBound::new(Arc::new(auth), origin))
    }

    fn log_in(&self) -> (u16, String) {
        let number = self.logins.fetch_add(1, Ordering::SeqCst) + 1;
        let refused = self
            .refusals
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        if refused.is_ok() {
            return (400, r#"{"error":"invalid_grant"}"#.to_owned());
        }
        let token = format!("t{number}");
        let until = self.start.elapsed() + self.lifetime;
        self.tokens.lock().unwrap().insert(token.clone(), until);
        let lifetime = self.lifetime.as_secs();
        (
            200,
            format!(r#"{{"access_token":"{token}","expires_in":{lifetime}}}"#),
        )
    }

    fn takes(&self, request: &Request) -> bool {
        self.reads.fetch_add(1, Ordering::SeqCst);
        let given = request.headers[AUTHORIZATION].to_str().unwrap_or_default();
        let tokens = self.tokens.lock().unwrap();
        let until = given
            .strip_prefix("Bearer ")
            .and_then(|token| tokens.get(token));
        until.is_some_and(|until| self.start.elapsed() < *until)
    }
}

#[async_trait]
impl Transport for World {
    async fn send(&self, request: Request) -> Result<Response, transport::Error> {
        let (there, back) = (self.millis(20, 120), self.millis(20, 120));
        tokio::time::sleep(there).await;
        let (status, body) = match request.url.as_str() == TOKEN {
            true => self.log_in(),
            false if self.takes(&request) => (200, "[]".to_owned()),
            false => (401, "{}".to_owned()),
        };
        tokio::time::sleep(back).await;
        Ok(Response::new(
            StatusCode::from_u16(status).unwrap(),
            HeaderMap::new(),
            body,
            request.url,
        ))
    }
}

async fn read(client: &Client, credentials: &OriginBound) -> Result<Response, transport::Error> {
    let request = Request::new(Method::GET, parse_url(API).unwrap());
    let how = Exchange::new(credentials);
    client.send(request, &how, Response::success).await
}

/// Fifty reads, each beginning at some moment of this span.
async fn crowd(
    world: &World,
    client: &Client,
    credentials: &OriginBound,
    span: (u64, u64),
) -> Vec<Result<Response, transport::Error>> {
    join_all((0..CROWD).map(|_| async {
        tokio::time::sleep(world.millis(span.0, span.1)).await;
        read(client, credentials).await
    }))
    .await
}

/// A test of 100 seeds for each scenario, and one of 1,000 for all of them.
macro_rules! scenarios {
    ($($name:ident),* $(,)?) => {
        mod seeds_100 {
            $(#[test]
            fn $name() {
                super::run(100, super::$name);
            })*
        }

        #[test]
        #[ignore = "1,000 seeds of each: half a minute in a debug build"]
        fn interleavings_1k() {
            $(run(1_000, $name);)*
        }
    };
}

scenarios! {
    fifty_first_requests_log_in_once,
    a_first_login_that_fails_fails_all_who_wait_for_it_once,
    fifty_rejections_log_in_once,
    a_renewal_while_requests_are_in_flight_is_one,
    a_rejection_whose_renewal_fails_fails_all_with_it_once_whenever_theirs_arrives,
    a_renewal_before_the_end_that_fails_fails_nothing,
    whoever_is_dropped_meanwhile_the_others_are_served,
}

fn run<F: Future<Output = ()>>(seeds: u64, scenario: impl Fn(u64) -> F) {
    for seed in 0..seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(scenario(seed));
    }
}

async fn fifty_first_requests_log_in_once(seed: u64) {
    let world = World::new(seed, 3600);
    let (client, credentials) = world.connect();
    let reads = crowd(&world, &client, &credentials, (0, 300)).await;
    assert!(reads.iter().all(Result::is_ok), "seed {seed}");
    assert_eq!(world.logins(), 1, "seed {seed}");
}

async fn a_first_login_that_fails_fails_all_who_wait_for_it_once(seed: u64) {
    let world = World::new(seed, 3600);
    world.refusals.store(1, Ordering::SeqCst);
    let (client, credentials) = world.connect();
    // All are there before the answer can be.
    let reads = crowd(&world, &client, &credentials, (0, 39)).await;
    for read in reads {
        assert_eq!(read.unwrap_err().kind(), ErrorKind::Auth, "seed {seed}");
    }
    assert_eq!(world.logins(), 1, "seed {seed}");
    read(&client, &credentials).await.unwrap();
    assert_eq!(world.logins(), 2, "seed {seed}: the next tries again");
}

async fn fifty_rejections_log_in_once(seed: u64) {
    let world = World::new(seed, 3600);
    let (client, credentials) = world.connect();
    read(&client, &credentials).await.unwrap();
    let when = world.millis(0, 200);
    let revoke = async {
        tokio::time::sleep(when).await;
        world.revoke();
    };
    let (reads, ()) = futures::join!(crowd(&world, &client, &credentials, (0, 300)), revoke);
    assert!(reads.iter().all(Result::is_ok), "seed {seed}");
    assert_eq!(world.logins(), 2, "seed {seed}");
}

async fn a_renewal_while_requests_are_in_flight_is_one(seed: u64) {
    let world = World::new(seed, 1_000);
    let (client, credentials) = world.connect();
    read(&client, &credentials).await.unwrap();
    // Due at 940 s; what is under way with the old token is served with it.
    let reads = crowd(&world, &client, &credentials, (938_000, 942_000)).await;
    assert!(reads.iter().all(Result::is_ok), "seed {seed}");
    assert_eq!(world.logins(), 2, "seed {seed}");
}

async fn a_rejection_whose_renewal_fails_fails_all_with_it_once_whenever_theirs_arrives(seed: u64) {
    let world = World::new(seed, 3600);
    let (client, credentials) = world.connect();
    read(&client, &credentials).await.unwrap();
    world.revoke();
    world.refusals.store(1, Ordering::SeqCst);
    let reads = crowd(&world, &client, &credentials, (0, 39)).await;
    for read in reads {
        let error = read.unwrap_err();
        assert!(!error.is_retryable(), "seed {seed}: {error}");
    }
    assert_eq!(world.logins(), 2, "seed {seed}");
    let reads = world.reads.load(Ordering::SeqCst) as usize;
    assert_eq!(
        reads,
        1 + CROWD,
        "seed {seed}: nobody repeats without a newer token"
    );
    read(&client, &credentials).await.unwrap();
    assert_eq!(world.logins(), 3, "seed {seed}: the next tries again");
}

async fn a_renewal_before_the_end_that_fails_fails_nothing(seed: u64) {
    let world = World::new(seed, 1_000);
    let (client, credentials) = world.connect();
    read(&client, &credentials).await.unwrap();
    world.refusals.store(1, Ordering::SeqCst);
    let reads = crowd(&world, &client, &credentials, (938_000, 942_000)).await;
    assert!(reads.iter().all(Result::is_ok), "seed {seed}");
    assert_eq!(world.logins(), 2, "seed {seed}: one that failed");
    // Half-way to the end it is tried again.
    tokio::time::sleep(Duration::from_secs(31)).await;
    let reads = crowd(&world, &client, &credentials, (0, 300)).await;
    assert!(reads.iter().all(Result::is_ok), "seed {seed}");
    assert_eq!(world.logins(), 3, "seed {seed}");
}

async fn whoever_is_dropped_meanwhile_the_others_are_served(seed: u64) {
    let world = World::new(seed, 3600);
    let (client, credentials) = world.connect();
    let patience = |index: usize| match index % 5 {
        0 => world.millis(0, 300),
        _ => Duration::from_secs(3600),
    };
    let reads = join_all((0..CROWD).map(|index| {
        let patience = patience(index);
        let reading = async {
            tokio::time::sleep(world.millis(0, 100)).await;
            read(&client, &credentials).await
        };
        async move { tokio::time::timeout(patience, reading).await.ok() }
    }))
    .await;
    let dropped = reads.iter().filter(|read| read.is_none()).count() as u64;
    assert!(reads.iter().flatten().all(Result::is_ok), "seed {seed}");
    // Each that is dropped in the middle of its login leaves it to the next in line.
    assert!((1..=1 + dropped).contains(&world.logins()), "seed {seed}");
}
