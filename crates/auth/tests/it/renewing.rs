use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::future::join_all;
use longshore_auth::{CredentialSource, Error, ErrorKind, Issued, Renewing, async_trait};
use longshore_transport::{Generation, Renewal, TokioClock};

/// A login server: each login takes a second; some fail.
#[derive(Default)]
struct Logins {
    started: AtomicU64,
    failing: AtomicU64,
    lifetime: Option<Duration>,
}

struct Source(Arc<Logins>);

#[async_trait]
impl CredentialSource for Source {
    type Credential = String;

    async fn fetch(&self) -> Result<Issued<String>, Error> {
        let number = self.0.started.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let failing = self.0.failing.load(Ordering::SeqCst);
        if failing > 0 {
            self.0.failing.store(failing - 1, Ordering::SeqCst);
            return Err(Error::new(
                ErrorKind::Login,
                format!("login {number} failed"),
            ));
        }
        Ok(Issued::new(format!("s3cret-{number}"), self.0.lifetime))
    }
}

type Tokens = Renewing<Source>;

fn tokens(failing: u64, lifetime: Option<u64>) -> (Arc<Logins>, Arc<Tokens>) {
    let logins = Arc::new(Logins {
        started: AtomicU64::new(0),
        failing: AtomicU64::new(failing),
        lifetime: lifetime.map(Duration::from_secs),
    });
    let tokens = Renewing::new(Source(logins.clone()), Arc::new(TokioClock::new()));
    (logins, Arc::new(tokens))
}

impl Logins {
    fn count(&self) -> u64 {
        self.started.load(Ordering::SeqCst)
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_first_requests_log_in_once() {
    let (logins, tokens) = tokens(0, None);
    let all = join_all((0..50).map(|_| tokens.current())).await;
    for result in all {
        assert_eq!(result.unwrap(), (Generation(1), "s3cret-1".to_owned()));
    }
    assert_eq!(logins.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn fifty_rejections_log_in_once() {
    let (logins, tokens) = tokens(0, None);
    let (generation, _) = tokens.current().await.unwrap();
    let all = join_all((0..50).map(|_| tokens.renew(generation))).await;
    assert!(
        all.into_iter()
            .all(|result| result.unwrap() == Renewal::Renewed)
    );
    assert_eq!(logins.count(), 2);
    assert_eq!(tokens.current().await.unwrap().1, "s3cret-2");
    // One that comes late with the old credential.
    assert_eq!(tokens.renew(generation).await.unwrap(), Renewal::Renewed);
    assert_eq!(logins.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_that_start_during_a_renewal_do_not_log_in_again() {
    let (logins, tokens) = tokens(0, None);
    let (generation, _) = tokens.current().await.unwrap();
    let late = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        tokens.renew(generation).await
    };
    let (renewed, late) = futures::join!(tokens.renew(generation), late);
    renewed.and(late).unwrap();
    assert_eq!(logins.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failed_login_fails_all_who_wait_once_and_the_next_tries_again() {
    for rejected in [false, true] {
        let (logins, tokens) = tokens(0, None);
        if rejected {
            tokens.current().await.unwrap();
        }
        let before = logins.count();
        logins.failing.store(1, Ordering::SeqCst);
        let all = join_all((0..50).map(|_| async {
            match rejected {
                true => tokens.renew(Generation(1)).await.map(drop),
                false => tokens.current().await.map(drop),
            }
        }))
        .await;
        for result in all {
            let error = result.unwrap_err();
            assert_eq!(error.to_string(), format!("login {} failed", before + 1));
        }
        assert_eq!(logins.count(), before + 1);

        if rejected {
            // One of those, whose rejection arrives late, shares the failure.
            tokens.renew(Generation(1)).await.unwrap_err();
            assert_eq!(logins.count(), before + 1);
            // What starts now has another generation, and so another try.
            let (generation, _) = tokens.current().await.unwrap();
            assert_eq!(tokens.renew(generation).await.unwrap(), Renewal::Renewed);
        } else {
            tokens.current().await.unwrap();
        }
        assert_eq!(logins.count(), before + 2);
    }
}

#[tokio::test(start_paused = true)]
async fn when_the_one_that_logs_in_is_dropped_another_takes_over() {
    let (logins, tokens) = tokens(0, None);
    let leader = {
        let tokens = tokens.clone();
        tokio::spawn(async move { tokens.current().await })
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let tokens = tokens.clone();
            tokio::spawn(async move { tokens.current().await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(logins.count(), 1);
    leader.abort();
    let all = tokio::time::timeout(Duration::from_secs(10), join_all(waiters)).await;
    for result in all.expect("nobody waits for ever") {
        assert_eq!(result.unwrap().unwrap().1, "s3cret-2");
    }
    assert_eq!(logins.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_waiter_disturbs_nobody() {
    let (logins, tokens) = tokens(0, None);
    let dropped = tokio::time::timeout(Duration::from_millis(10), tokens.current());
    let (dropped, stays) = futures::join!(dropped, tokens.current());
    assert!(dropped.is_err());
    stays.unwrap();
    assert_eq!(logins.count(), 2, "the dropped one was logging in");
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_renewed_shortly_before_it_expires() {
    // Lifetime, and the age at which it is replaced: 60 s or a tenth before its end.
    for (lifetime, age) in [(3600, 3540), (600, 540), (100, 90), (10, 9)] {
        let (logins, tokens) = tokens(0, Some(lifetime));
        tokens.current().await.unwrap();
        // The login itself took the first second.
        tokio::time::sleep(Duration::from_secs(age - 1) - Duration::from_millis(1)).await;
        tokens.current().await.unwrap();
        assert_eq!(logins.count(), 1, "{lifetime}");
        tokio::time::sleep(Duration::from_millis(1)).await;
        let all = join_all((0..50).map(|_| tokens.current())).await;
        assert!(
            all.into_iter()
                .all(|result| result.unwrap().0 == Generation(2))
        );
        assert_eq!(logins.count(), 2, "{lifetime}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_lifetime_only_a_rejection_renews() {
    for lifetime in [None, Some(0)] {
        let (logins, tokens) = tokens(0, lifetime);
        let (generation, _) = tokens.current().await.unwrap();
        tokio::time::sleep(Duration::from_secs(1_000_000)).await;
        tokens.current().await.unwrap();
        assert_eq!(logins.count(), 1);
        tokens.renew(generation).await.unwrap();
        assert_eq!(logins.count(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_expires_at_once_is_still_used_by_all_who_waited() {
    // Valid for less time than the login takes.
    let (logins, tokens) = tokens(0, Some(1));
    let all = join_all((0..50).map(|_| tokens.current())).await;
    assert!(all.into_iter().all(|result| result.is_ok()));
    assert_eq!(logins.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_credential_is_not_shown() {
    let (_, tokens) = tokens(0, None);
    tokens.current().await.unwrap();
    let issued = Issued::new("s3cret", None);
    assert!(!format!("{tokens:?} {issued:?}").contains("s3cret"));
}
