//! The built-in authenticators pass the checks that every authenticator must pass.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use longshore_auth::{
    ApiKey, Authenticator, BasicAuth, BearerToken, ClientAuth, Credential, CredentialSource,
    CustomAuth, CustomRequest, Error, Grant, Issued, KeyPlace, NoAuth, OAuth2, Renewing, Rotation,
    Template, async_trait,
};
use longshore_testkit::conformance::{self, Candidate};
use longshore_testkit::{Answer, Network, ScriptedApi};
use longshore_transport::{Client, Generation, Renewal, Request, TokioClock, parse_url};
use serde_json::json;

const SECRET: &str = "s3cr3t/+";

#[tokio::test(start_paused = true)]
async fn fixed_credentials_pass_and_never_renew() {
    let basic = format!("ada:{SECRET}");
    for candidate in [
        Candidate::new(BearerToken::new(SECRET).unwrap()),
        Candidate::new(ApiKey::header("X-API-Key", SECRET).unwrap()),
        Candidate::new(BasicAuth::new("ada", SECRET).unwrap()).secret(&basic),
        Candidate::new(NoAuth).adds_nothing(),
        Candidate::new(ApiKey::at(KeyPlace::Header, "Authorization", "Token ", SECRET).unwrap()),
        Candidate::new(ApiKey::at(KeyPlace::Query, "key", "", SECRET).unwrap()),
        Candidate::new(ApiKey::at(KeyPlace::Cookie, "sid", "", SECRET).unwrap()),
        Candidate::new(ApiKey::at(KeyPlace::Body, "auth.key", "", SECRET).unwrap()),
        Candidate::new(
            ApiKey::header("X-A", SECRET)
                .unwrap()
                .and(ApiKey::header("X-B", SECRET).unwrap()),
        ),
        Candidate::new(Credential::new().header("X-C", SECRET).unwrap()),
        Candidate::new(
            Rotation::new(
                vec![
                    Box::new(BearerToken::new(SECRET).unwrap()),
                    Box::new(ApiKey::header("X-API-Key", SECRET).unwrap()),
                ],
                Arc::new(TokioClock::new()),
            )
            .unwrap(),
        ),
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

/// A login server whose answers take their time, so that a crowd really waits for it, and a client for it.
fn login_server() -> (ScriptedApi, Client) {
    let count = AtomicU64::new(0);
    let server = ScriptedApi::new().on("/token", move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst);
        let mut answer = Answer::json(json!({
            "access_token": format!("{SECRET}{number}"),
            "refresh_token": format!("{SECRET}r{number}"),
            "expires_in": 3600,
        }));
        answer.delay = Some(Duration::from_millis(300));
        answer
    });
    let network = Network::new().at("https://login.example.net", server.clone());
    (server, Client::builder(network.transport()).seed(1).build())
}

#[tokio::test(start_paused = true)]
async fn oauth2_and_logins_of_any_shape_pass() {
    fn url() -> url::Url {
        parse_url("https://login.example.net/token").unwrap()
    }
    let oauth2 =
        |grant| OAuth2::builder(url(), grant).client("id", ClientAuth::Post(SECRET.into()));
    let custom = || {
        CustomAuth::builder(vec![
            CustomRequest::new(url()).json(&json!({"password": SECRET})),
        ])
        .header("X-Session", Template::parse("{{.access_token}}").unwrap())
        .unwrap()
        .query("session", Template::parse("{{.access_token}}").unwrap())
    };
    type Make = Box<dyn Fn(Client) -> Box<dyn Authenticator>>;
    let candidates: [Make; 5] = [
        Box::new(move |client| Box::new(oauth2(Grant::ClientCredentials).build(client).unwrap())),
        Box::new(move |client| {
            Box::new(
                oauth2(Grant::RefreshToken(SECRET.into()))
                    .build(client)
                    .unwrap(),
            )
        }),
        Box::new(move |client| {
            let (username, password) = ("ada".to_owned(), SECRET.into());
            Box::new(
                oauth2(Grant::Password { username, password })
                    .build(client)
                    .unwrap(),
            )
        }),
        Box::new(move |client| Box::new(custom().build(client).unwrap())),
        Box::new(move |client| {
            let clock = client.clock().clone();
            let login = oauth2(Grant::ClientCredentials).build(client).unwrap();
            let other = BearerToken::new(SECRET).unwrap();
            Box::new(Rotation::new(vec![Box::new(login), Box::new(other)], clock).unwrap())
        }),
    ];
    for make in candidates {
        let (server, client) = login_server();
        let candidate = Candidate::new(make(client))
            .secret(SECRET)
            .renews()
            .fetches(move || server.requests().len() as u64);
        conformance::authenticator(candidate).await;
    }
}

#[cfg(feature = "aws-sigv4")]
#[tokio::test(start_paused = true)]
async fn signed_requests_pass() {
    let secret = SECRET.into();
    let clock = Arc::new(TokioClock::new());
    let signer = longshore_auth::AwsSigV4::new("id", &secret, Some(&secret), "r", "s", clock);
    conformance::authenticator(Candidate::new(signer.unwrap()).secret(SECRET)).await;
}

/// A login that takes its time, so that a crowd really waits for it.
struct Source(Arc<AtomicU64>);

#[async_trait]
impl CredentialSource for Source {
    type Credential = BearerToken;

    async fn fetch(&self) -> Result<Issued<BearerToken>, Error> {
        let number = self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(Issued::new(
            BearerToken::new(format!("{SECRET}{number}"))?,
            Some(Duration::from_secs(3600)),
        ))
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
