//! Authenticators inside the loop of the transport's client.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::join_all;
use http::header::{AUTHORIZATION, HeaderMap};
use http::{Method, StatusCode};
use longshore_auth::{
    Authenticator, BearerToken, CredentialSource, Error, Issued, NoAuth, OriginBound, Renewing,
    async_trait,
};
use longshore_transport::{
    self as transport, Client, Exchange, Generation, Origin, Prepare, Renewal, Request, Response,
    RetryScope, Transport, Unauthenticated, json, parse_url,
};
use url::Url;

/// An API whose tokens come from `/token` and are good until the next one is made.
struct Api {
    /// The token that is accepted; 0 accepts none.
    valid: AtomicU64,
    issued: AtomicU64,
    token_status: AtomicU64,
    requests: Mutex<Vec<Request>>,
}

impl Api {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            valid: AtomicU64::new(0),
            issued: AtomicU64::new(0),
            token_status: AtomicU64::new(200),
            requests: Mutex::default(),
        })
    }

    fn count(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests
            .iter()
            .filter(|request| request.url.path() == path)
            .count()
    }
}

#[async_trait]
impl Transport for Api {
    async fn send(&self, request: Request) -> Result<Response, transport::Error> {
        self.requests.lock().unwrap().push(request.clone());
        tokio::time::sleep(Duration::from_millis(100)).await;
        let (status, body) = if request.url.path() == "/token" {
            let status = self.token_status.load(Ordering::SeqCst) as u16;
            let number = self.issued.fetch_add(1, Ordering::SeqCst) + 1;
            self.valid.store(number, Ordering::SeqCst);
            (status, format!(r#"{{"token":"t{number}"}}"#))
        } else {
            let expected = format!("Bearer t{}", self.valid.load(Ordering::SeqCst));
            let given = request.headers.get(AUTHORIZATION);
            match given.is_some_and(|given| *given == expected) {
                true => (200, "[]".to_owned()),
                false => (401, "no".to_owned()),
            }
        };
        Ok(Response::new(
            StatusCode::from_u16(status).unwrap(),
            HeaderMap::new(),
            body,
            request.url,
        ))
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api").finish_non_exhaustive()
    }
}

struct Login(Client);

#[async_trait]
impl CredentialSource for Login {
    type Credential = BearerToken;

    async fn fetch(&self) -> Result<Issued<BearerToken>, Error> {
        let request = Request::new(Method::POST, url("https://api.example.com/token"));
        let how = Exchange::new(&Unauthenticated).retry_scope(RetryScope::Token);
        let token = self
            .0
            .send(request, &how, |response| {
                let answer: serde_json::Value = json::read(&response.success()?.body)?;
                Ok(answer["token"].as_str().unwrap_or_default().to_owned())
            })
            .await?;
        Ok(Issued::new(BearerToken::new(token)?, None))
    }
}

#[derive(Debug)]
struct LoginAuth(Renewing<Login>);

#[async_trait]
impl Authenticator for LoginAuth {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        let (generation, token) = self.0.current().await?;
        token.authenticate(request).await?;
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.0.renew(rejected).await
    }
}

fn url(text: &str) -> Url {
    parse_url(text).unwrap()
}

fn bound(authenticator: impl Authenticator) -> OriginBound {
    let origin = Origin::of(&url("https://api.example.com")).unwrap();
    OriginBound::new(Arc::new(authenticator), origin)
}

/// One permit for everything, logins included.
fn client_and_login(api: &Arc<Api>) -> (Client, OriginBound) {
    let client = Client::builder(api.clone())
        .max_concurrent_requests(1)
        .seed(1)
        .build();
    let login = Login(client.clone());
    let login = LoginAuth(Renewing::new(login, client.clock().clone()));
    (client, bound(login))
}

async fn read(client: &Client, prepare: &OriginBound) -> Result<Response, transport::Error> {
    let request = Request::new(Method::GET, url("https://api.example.com/users"));
    let how = Exchange::new(prepare);
    client.send(request, &how, Response::success).await
}

#[tokio::test(start_paused = true)]
async fn fifty_requests_share_one_login_and_fifty_rejections_one_more() {
    let api = Api::new();
    let (client, login) = client_and_login(&api);
    let all = join_all((0..50).map(|_| read(&client, &login))).await;
    assert!(all.into_iter().all(|result| result.is_ok()));
    assert_eq!((api.count("/token"), api.count("/users")), (1, 50));

    // Somebody revokes the token.
    api.valid.store(0, Ordering::SeqCst);
    let wide = Client::builder(api.clone()).build();
    let all = join_all((0..50).map(|_| read(&wide, &login))).await;
    assert!(all.into_iter().all(|result| result.is_ok()));
    assert_eq!(api.count("/token"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_login_that_is_refused_fails_every_request_with_one_line_that_says_why() {
    let api = Api::new();
    api.token_status.store(403, Ordering::SeqCst);
    let (client, login) = client_and_login(&api);
    let all = join_all((0..50).map(|_| read(&client, &login))).await;
    for result in all {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), transport::ErrorKind::Auth);
        assert!(!error.is_retryable());
        let chain: Vec<String> =
            std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                error.source()
            })
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            chain,
            [
                "GET https://api.example.com/users: the request could not be authenticated",
                "no credential could be fetched",
                "POST https://api.example.com/token: the server answered 403 Forbidden",
            ]
        );
    }
    assert_eq!((api.count("/token"), api.count("/users")), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_rejected_fixed_credential_is_not_tried_again() {
    let api = Api::new();
    let client = Client::builder(api.clone()).build();
    for scheme in [
        bound(NoAuth),
        bound(Box::new(BearerToken::new("wrong").unwrap()) as Box<dyn Authenticator>),
    ] {
        let error = read(&client, &scheme).await.unwrap_err();
        assert_eq!(error.kind(), transport::ErrorKind::Unauthorized);
    }
    assert_eq!(api.count("/users"), 2);
}

#[tokio::test(start_paused = true)]
async fn another_origin_gets_no_credential_and_its_401_renews_nothing() {
    let api = Api::new();
    let (client, login) = client_and_login(&api);
    for foreign in [
        "https://api.example.com:8443/users",
        "http://api.example.com/users",
        "https://evil.example/users",
    ] {
        let request = Request::new(Method::GET, url(foreign));
        let how = Exchange::new(&login);
        let result = client.send(request, &how, Response::success).await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), transport::ErrorKind::Unauthorized);
    }
    assert_eq!((api.count("/token"), api.count("/users")), (0, 3));
    let requests = api.requests.lock().unwrap();
    assert!(requests.iter().all(|request| request.headers.is_empty()));
}

#[tokio::test]
async fn the_bound_origin_is_compared_whole() {
    let scheme = bound(BearerToken::new("s3cret").unwrap());
    let mut own = Request::new(Method::GET, url("https://api.example.com:443/a?b"));
    scheme.prepare(&mut own).await.unwrap();
    assert!(own.headers[AUTHORIZATION].is_sensitive());
    let mut foreign = Request::new(Method::GET, url("https://xapi.example.com/"));
    scheme.prepare(&mut foreign).await.unwrap();
    assert!(foreign.headers.is_empty());
}
