//! Schemes whose credential never changes.

use std::sync::Arc;

use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};
use longshore_auth::{ApiKey, Authenticator, BasicAuth, BearerToken, Error, ErrorKind, NoAuth};
use longshore_transport::{Generation, Renewal, Request, parse_url};

async fn authenticated(scheme: &dyn Authenticator) -> Request {
    let url = parse_url("https://api.example.com/users").unwrap();
    let mut request = Request::new(Method::GET, url);
    scheme.authenticate(&mut request).await.unwrap();
    request
}

async fn sent(scheme: &dyn Authenticator, header: &str) -> HeaderValue {
    let request = authenticated(scheme).await;
    assert_eq!(request.headers.len(), 1);
    request.headers[header].clone()
}

#[tokio::test]
async fn nothing_is_sent_without_authentication() {
    assert!(authenticated(&NoAuth).await.headers.is_empty());
}

#[tokio::test]
async fn a_bearer_token_is_sent_as_rfc_6750_says() {
    let token = BearerToken::new("mF_9.B5f-4.1JqM").unwrap();
    assert_eq!(
        sent(&token, "authorization").await,
        "Bearer mF_9.B5f-4.1JqM"
    );
}

#[tokio::test]
async fn an_api_key_goes_into_its_header() {
    let key = ApiKey::header("X-API-Key", "k3y with spaces").unwrap();
    assert_eq!(sent(&key, "x-api-key").await, "k3y with spaces");
    let scheme = ApiKey::header("Authorization", "token 0001").unwrap();
    assert_eq!(sent(&scheme, "authorization").await, "token 0001");
}

// RFC 7617 §2 and §2.1.
#[tokio::test]
async fn basic_matches_the_vectors_of_its_rfc() {
    for (user, password, value) in [
        (
            "Aladdin",
            "open sesame",
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
        ),
        ("test", "123£", "Basic dGVzdDoxMjPCow=="),
        ("token", "", "Basic dG9rZW46"),
        ("user", "a:b", "Basic dXNlcjphOmI="),
    ] {
        let basic = BasicAuth::new(user, password).unwrap();
        assert_eq!(sent(&basic, "authorization").await, value);
    }
}

#[tokio::test]
async fn credentials_replace_what_the_header_held() {
    let url = parse_url("https://api.example.com/users").unwrap();
    let mut request = Request::new(Method::GET, url);
    for value in ["first", "second"] {
        let value = HeaderValue::from_static(value);
        request.headers.append(AUTHORIZATION, value);
    }
    let token = BearerToken::new("t").unwrap();
    token.authenticate(&mut request).await.unwrap();
    let values: Vec<_> = request.headers.get_all(AUTHORIZATION).iter().collect();
    assert_eq!(values, ["Bearer t"]);
}

#[tokio::test]
async fn fixed_credentials_are_sensitive_never_shown_and_never_renewed() {
    let schemes: [(Arc<dyn Authenticator>, &str); 3] = [
        (
            Arc::new(BearerToken::new("s3cret").unwrap()),
            "authorization",
        ),
        (
            Arc::new(ApiKey::header("x-key", "s3cret").unwrap()),
            "x-key",
        ),
        (
            Arc::new(BasicAuth::new("s3cret", "s3cret").unwrap()),
            "authorization",
        ),
    ];
    for (scheme, header) in schemes {
        assert!(sent(&scheme, header).await.is_sensitive());
        let shown = format!("{scheme:?}");
        assert!(
            !shown.contains("s3cret") && !shown.contains("czNjcmV0"),
            "{shown}"
        );
        let generation = Generation(0);
        assert_eq!(scheme.renew(generation).await.unwrap(), Renewal::Unchanged);
    }
}

#[test]
fn credentials_that_cannot_be_sent_are_refused_without_being_shown() {
    let refused: [Result<(), Error>; 12] = [
        BearerToken::new("").map(drop),
        BearerToken::new("s3cret\n").map(drop),
        BearerToken::new("Bearer s3cret").map(drop),
        BearerToken::new("s3cret\r\nX-Admin: 1").map(drop),
        ApiKey::header("X-Key", " ").map(drop),
        ApiKey::header("X-Key", "s3cret\r\nX-Admin: 1").map(drop),
        ApiKey::header("Host", "s3cret").map(drop),
        ApiKey::header("content-length", "s3cret").map(drop),
        ApiKey::header("Transfer-Encoding", "s3cret").map(drop),
        ApiKey::header("X Key", "s3cret").map(drop),
        BasicAuth::new("s3cret:", "s3cret").map(drop),
        BasicAuth::new("s3cret", "s3cret\n").map(drop),
    ];
    for (number, result) in refused.into_iter().enumerate() {
        let error = result.expect_err(&number.to_string());
        assert_eq!(error.kind(), ErrorKind::Config, "{number}");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}
