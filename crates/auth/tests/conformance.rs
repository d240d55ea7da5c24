//! The built-in authenticators pass the checks that every authenticator must pass.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longshore_auth::{
    ApiKey, Authenticator, BasicAuth, BearerToken, CredentialSource, Error, Issued, NoAuth,
    Renewing, async_trait,
};
use longshore_testkit::conformance::{self, Candidate};
use longshore_transport::{Generation, Renewal, Request, TokioClock};

const SECRET: &str = "s3cr3t/+";

#[tokio::test(start_paused = true)]
async fn fixed_credentials_pass_and_never_renew() {
    let basic = format!("ada:{SECRET}");
    for candidate in [
        Candidate::new(BearerToken::new(SECRET).unwrap()),
        Candidate::new(ApiKey::header("X-API-Key", SECRET).unwrap()),
        Candidate::new(BasicAuth::new("ada", SECRET).unwrap()).secret(&basic),
        Candidate::new(NoAuth).adds_nothing(),
    ] {
        conformance::authenticator(candidate.secret(SECRET)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_login_behind_renewing_passes_with_one_fetch_for_fifty() {
    let fetched = Arc::new(AtomicU64::new(0));
    let login = Login(Renewing::new(
        Source(Arc::clone(&fetched)),
        Arc::new(TokioClock::new()),
    ));
    let candidate = Candidate::new(Arc::new(login) as Arc<dyn Authenticator>)
        .secret(SECRET)
        .renews()
        .fetches(move || fetched.load(Ordering::SeqCst));
    conformance::authenticator(candidate).await;
}

/// A login that takes its time, so that a crowd really waits for it.
struct Source(Arc<AtomicU64>);

#[async_trait]
impl CredentialSource for Source {
    type Credential = BearerToken;

    async fn fetch(&self) -> Result<Issued<BearerToken>, Error> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(Issued {
            credential: BearerToken::new(format!("{SECRET}{number}"))?,
            lifetime: Some(Duration::from_secs(3600)),
        })
    }
}

#[derive(Debug)]
struct Login(Renewing<Source>);

#[async_trait]
impl Authenticator for Login {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        let (generation, token) = self.0.current().await?;
        token.authenticate(request).await?;
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.0.renew(rejected).await
    }
}
