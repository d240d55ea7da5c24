//! Each rule for authenticators passes a sound one and fails the one that breaks it.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::FutureExt;
use http::HeaderValue;
use longshore_auth::{Authenticator, Error};
use longshore_testkit::async_trait;
use longshore_testkit::conformance::{self, Candidate};
use longshore_transport::{Generation, Renewal, Request};
use tokio::sync::Mutex;

const SECRET: &str = "s3cr3t/+";

/// What is wrong with a login.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    AddsNothing,
    Appends,
    DropsHeader,
    DropsParameter,
    NotSensitive,
    ShowsSecret,
    ShowsSecretEncoded,
    NewGenerationEachTime,
    NeverRenews,
    RenewsStale,
    IgnoresStale,
    FetchesForEachRenewal,
    FetchesForEachFirstRequest,
    SaysRenewedOnly,
    Hangs,
    NobodyTakesOver,
    RestsLonger,
    CountsBackwards,
}

/// A login that renews by generation, and can be wrong in one way.
struct Login {
    defect: Defect,
    generation: Mutex<u64>,
    fetched: Arc<AtomicU64>,
    asked: AtomicU64,
    renewing: AtomicBool,
}

impl Login {
    fn new(defect: Defect) -> Login {
        Login {
            defect,
            generation: Mutex::new(0),
            fetched: Arc::default(),
            asked: AtomicU64::new(0),
            renewing: AtomicBool::new(false),
        }
    }

    async fn fetch(&self) {
        self.fetched.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[async_trait]
impl Authenticator for Login {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        if self.defect == Defect::FetchesForEachFirstRequest && *self.generation.lock().await == 0 {
            self.fetch().await;
        }
        let mut generation = self.generation.lock().await;
        if *generation == 0 {
            if self.defect != Defect::FetchesForEachFirstRequest {
                self.fetch().await;
            }
            *generation = 1;
        }
        let mut value = HeaderValue::from_str(&format!("Token {SECRET}{generation}")).unwrap();
        value.set_sensitive(self.defect != Defect::NotSensitive);
        match self.defect {
            Defect::AddsNothing => {}
            Defect::Appends => {
                request.headers.append("x-token", value);
            }
            _ => {
                request.headers.insert("x-token", value);
            }
        }
        match self.defect {
            Defect::DropsHeader => {
                request.headers.remove("x-keep");
            }
            Defect::DropsParameter => request.url.set_query(Some("keep=2")),
            Defect::NewGenerationEachTime => {
                let asked = self.asked.fetch_add(1, Ordering::SeqCst);
                return Ok(Generation(if asked < 50 { 0 } else { asked }));
            }
            Defect::CountsBackwards => return Ok(Generation(1_000 - *generation)),
            _ => {}
        }
        Ok(Generation(*generation))
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        match self.defect {
            Defect::NeverRenews => return Ok(Renewal::Unchanged),
            Defect::SaysRenewedOnly => return Ok(Renewal::Renewed),
            Defect::Hangs if rejected.0 > 1 => futures::future::pending().await,
            Defect::FetchesForEachRenewal if rejected.0 == *self.generation.lock().await => {
                self.fetch().await
            }
            Defect::NobodyTakesOver if rejected.0 > 2 => {
                // Whoever sets the flag is dropped before it is taken back.
                while self.renewing.swap(true, Ordering::SeqCst) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            _ => {}
        }
        let rejected = match self.defect {
            Defect::CountsBackwards => Generation(1_000 - rejected.0),
            _ => rejected,
        };
        let mut generation = self.generation.lock().await;
        if rejected.0 == *generation || self.defect == Defect::RenewsStale {
            if self.defect != Defect::FetchesForEachRenewal {
                self.fetch().await;
            }
            *generation += 1;
        } else if self.defect == Defect::IgnoresStale {
            return Ok(Renewal::Unchanged);
        }
        drop(generation);
        self.renewing.store(false, Ordering::SeqCst);
        Ok(Renewal::Renewed)
    }

    fn limited(&self, _: Generation, wait: Duration) -> Duration {
        match self.defect {
            Defect::RestsLonger => wait * 2,
            _ => wait,
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.defect {
            Defect::ShowsSecret => write!(f, "Login {{ secret: {SECRET} }}"),
            Defect::ShowsSecretEncoded => write!(f, "Login {{ query: token=s3cr3t%2F%2B }}"),
            _ => f.write_str("Login"),
        }
    }
}

/// The panic of the check, or nothing when it passes.
async fn check(defect: Defect) -> Option<String> {
    let login = Login::new(defect);
    let fetched = Arc::clone(&login.fetched);
    let candidate = Candidate::new(login)
        .secret(SECRET)
        .renews()
        .fetches(move || fetched.load(Ordering::SeqCst));
    let panic = std::panic::AssertUnwindSafe(conformance::authenticator(candidate))
        .catch_unwind()
        .await
        .err()?;
    Some(panic.downcast_ref::<String>().unwrap().clone())
}

#[tokio::test(start_paused = true)]
async fn a_sound_authenticator_passes() {
    assert_eq!(check(Defect::None).await, None);
}

#[tokio::test(start_paused = true)]
async fn each_defect_fails_by_the_name_of_its_rule() {
    let cases = [
        (Defect::AddsNothing, "adds-something"),
        (Defect::Appends, "idempotent"),
        (Defect::DropsHeader, "keeps-request"),
        (Defect::DropsParameter, "keeps-request"),
        (Defect::NotSensitive, "sensitive"),
        (Defect::ShowsSecret, "no-secret-in-debug"),
        (Defect::ShowsSecretEncoded, "no-secret-in-debug"),
        (Defect::NewGenerationEachTime, "stable"),
        (Defect::NeverRenews, "renews"),
        (Defect::SaysRenewedOnly, "renews"),
        (Defect::RenewsStale, "stale-generation"),
        (Defect::IgnoresStale, "stale-generation"),
        (Defect::FetchesForEachRenewal, "single-flight"),
        (Defect::FetchesForEachFirstRequest, "single-flight"),
        (Defect::Hangs, "single-flight"),
        (Defect::NobodyTakesOver, "abandoned"),
        (Defect::RestsLonger, "limited"),
        (Defect::CountsBackwards, "renews"),
    ];
    for (defect, rule) in cases {
        let panic = check(defect)
            .await
            .unwrap_or_else(|| panic!("{defect:?} passes"));
        assert!(panic.contains(&format!("`{rule}`")), "{defect:?}: {panic}");
        assert!(defect == Defect::None || !panic.contains(SECRET), "{panic}");
    }
}
