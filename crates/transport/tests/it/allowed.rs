//! R30, R31: origins of `allowedOrigins` are reached without anything of ours, and no other is reached at all.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::header::HeaderValue;
use http::{Method, StatusCode};
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, Generation, HttpTransport, Origin, Prepare, Quota, Renewal,
    Request, Response, RetryBudget, RetryPolicy, async_trait, parse_url,
};
use proptest::prelude::*;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use url::Url;

use crate::sockets::{raw_server, read_head};
use crate::support::{Events, Fake, answer};

const HOME: &str = "https://api.example.com/v1/users?team=payments";
const FILES: &str = "https://files.example.net/export/7?signature=abc";
const MORE: &str = "https://more.example.org/";

/// Puts a key into the header and the query, and counts.
#[derive(Debug, Default)]
struct Key {
    prepared: AtomicUsize,
    renewed: AtomicUsize,
}

#[async_trait]
impl Prepare for Key {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        self.prepared.fetch_add(1, Ordering::SeqCst);
        let key = HeaderValue::from_static("s3cret-header");
        request.headers.insert("x-api-key", key);
        let mut query = request.url.query_pairs_mut();
        query.append_pair("key", "s3cret-query");
        drop(query);
        Ok(Generation(0))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        self.renewed.fetch_add(1, Ordering::SeqCst);
        Ok(Renewal::Renewed)
    }
}

fn origins(of: &[&str]) -> Vec<Origin> {
    of.iter()
        .map(|url| Origin::of(&parse_url(url).unwrap()).unwrap())
        .collect()
}

/// A GET with a header of the user's.
fn request(url: &str) -> Request {
    let mut request = Request::new(Method::GET, Url::parse(url).unwrap());
    let team = HeaderValue::from_static("s3cret-team");
    request.headers.insert("x-team", team);
    request
}

/// Asks `url` with home as the origin that it must have, and `allowed` beside it.
async fn ask(client: &Client, url: &str, allowed: &[&str], key: &Key) -> Result<Response, Error> {
    let allowed = origins(allowed);
    let how = Exchange::new(key)
        .origin(origins(&[HOME]).remove(0))
        .allowed_origins(&allowed);
    client.send(request(url), &how, Response::success).await
}

/// Answers by redirects from each URL (without query) to the next, and the last one with 200.
fn chain(urls: &'static [&'static str]) -> Arc<Fake> {
    Fake::new(move |n, request| match urls.get(n) {
        Some(target) => Ok(answer(request, 302, &[("location", target)])),
        None => Ok(answer(request, 200, &[])),
    })
}

#[tokio::test(start_paused = true)]
async fn a_redirect_to_an_allowed_origin_is_followed_with_nothing_of_ours() {
    for method in [Method::GET, Method::HEAD] {
        let api = chain(&[FILES]);
        let key = Key::default();
        let allowed = origins(&[FILES]);
        let how = Exchange::new(&key).allowed_origins(&allowed);
        let mut request = request(HOME);
        request.method = method.clone();
        let client = api.client();
        let response = client.send(request, &how, Response::success).await;
        assert_eq!(response.unwrap().url.as_str(), FILES);

        let sent = api.requests();
        assert_eq!(sent[0].headers["x-api-key"], "s3cret-header");
        assert_eq!(sent[0].headers["x-team"], "s3cret-team");
        assert_eq!(
            sent[1].url.as_str(),
            FILES,
            "the Location's query is the server's"
        );
        assert_eq!(sent[1].method, method);
        assert!(sent[1].headers.is_empty(), "{:?}", sent[1]);
        assert!(sent[1].body.is_none());
        assert_eq!(key.prepared.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_to_an_allowed_origin_is_asked_with_nothing_of_ours() {
    let api = chain(&[]);
    let key = Key::default();
    ask(&api.client(), FILES, &[FILES], &key).await.unwrap();
    let sent = api.requests();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].url.as_str(), FILES);
    assert!(sent[0].headers.is_empty());
    assert_eq!(key.prepared.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn who_left_home_stays_without_credentials_even_back_home() {
    let api = chain(&[FILES, MORE, "https://api.example.com/v1/other", "/v1/last"]);
    let key = Key::default();
    ask(&api.client(), HOME, &[FILES, MORE], &key)
        .await
        .unwrap();
    let sent = api.requests();
    assert_eq!(sent[4].url.as_str(), "https://api.example.com/v1/last");
    assert!(sent[1..].iter().all(|sent| sent.headers.is_empty()));
    assert_eq!(key.prepared.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_allowed_origin_leads_no_further_than_to_allowed_ones() {
    let api = chain(&[FILES, MORE]);
    let error = ask(&api.client(), HOME, &[FILES], &Key::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
    assert!(error.to_string().contains("allowedOrigins"), "{error}");
    assert!(
        error.to_string().contains("https://more.example.org"),
        "{error}"
    );
    assert!(!error.to_string().contains("signature"), "{error}");
    assert_eq!(api.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_allowed_is_refused_and_the_setting_named() {
    // Scheme, host and port all count.
    for allowed in [
        "http://files.example.net/",
        "https://files.example.net:8443/",
        "https://example.net/",
    ] {
        for first in [HOME, FILES] {
            let api = chain(&[FILES]);
            let error = ask(&api.client(), first, &[allowed], &Key::default())
                .await
                .unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
            assert!(error.to_string().contains("allowedOrigins"), "{error}");
            assert_eq!(api.count(), usize::from(first == HOME));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_and_a_password_in_the_url_are_refused_there_too() {
    const WITH_USER: &str = "https://user:s3cret@files.example.net/";
    for first in [HOME, WITH_USER] {
        let api = chain(&[WITH_USER]);
        let error = ask(&api.client(), first, &[FILES], &Key::default())
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!format!("{error} {error:?}").contains("s3cret"));
        assert_eq!(api.count(), usize::from(first == HOME));
    }
}

#[tokio::test(start_paused = true)]
async fn giving_up_encryption_is_an_error_whatever_is_allowed() {
    const PLAIN: &str = "http://files.example.net/";
    for (first, targets, requests) in [
        (HOME, &[PLAIN][..], 1),
        (PLAIN, &[], 0),
        (HOME, &[FILES, PLAIN], 2),
    ] {
        let api = Fake::new(move |n, request| match targets.get(n) {
            Some(target) => Ok(answer(request, 302, &[("location", target)])),
            None => Ok(answer(request, 200, &[])),
        });
        let error = ask(&api.client(), first, &[FILES, PLAIN], &Key::default())
            .await
            .unwrap_err();
        assert!(error.to_string().contains("gives up encryption"), "{error}");
        assert!(!error.is_retryable());
        assert_eq!(api.count(), requests);
    }
    // Home itself is plain here, and the way back to it is closed all the same.
    let api = chain(&[FILES, "http://api.example.com/"]);
    let key = Key::default();
    let allowed = origins(&[FILES]);
    let how = Exchange::new(&key).allowed_origins(&allowed);
    let error = api
        .client()
        .send(
            request("http://api.example.com/v1"),
            &how,
            Response::success,
        )
        .await
        .unwrap_err();
    assert!(error.to_string().contains("gives up encryption"), "{error}");
    assert_eq!(api.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn requests_with_a_body_and_writes_go_home_only() {
    for (method, body) in [
        (Method::POST, None),
        (Method::PUT, Some("{}")),
        (Method::GET, Some("{}")),
    ] {
        for first in [HOME, FILES] {
            let api = chain(&[FILES]);
            let mut request = request(first);
            request.method = method.clone();
            request.body = body.map(Into::into);
            let key = Key::default();
            let allowed = origins(&[FILES]);
            let how = Exchange::new(&key)
                .origin(origins(&[HOME]).remove(0))
                .allowed_origins(&allowed);
            let result = api.client().send(request, &how, Response::success).await;
            let text = result.unwrap_err().to_string();
            assert!(text.contains("GET and HEAD"), "{text}");
            assert_eq!(api.count(), usize::from(first == HOME), "{method}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_from_an_allowed_origin_renews_nothing_and_says_whose_it_is() {
    let api = Fake::new(|n, request| match n {
        0 => Ok(answer(request, 302, &[("location", FILES)])),
        _ => Ok(answer(request, 401, &[])),
    });
    let key = Key::default();
    let error = ask(&api.client(), HOME, &[FILES], &key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(
        error
            .to_string()
            .contains("https://files.example.net of allowedOrigins"),
        "{error}"
    );
    assert_eq!(key.renewed.load(Ordering::SeqCst), 0);
    assert_eq!(api.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failure_there_starts_again_at_home_with_fresh_credentials() {
    let api = Fake::new(|n, request| match n {
        0 | 2 => Ok(answer(request, 302, &[("location", FILES)])),
        1 => Ok(answer(request, 503, &[])),
        _ => Ok(answer(request, 200, &[])),
    });
    let key = Key::default();
    ask(&api.client(), HOME, &[FILES], &key).await.unwrap();
    assert_eq!(api.count(), 4);
    assert_eq!(key.prepared.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn pauses_budgets_and_quotas_are_those_of_the_origin_that_is_asked() {
    // A limit of the files pauses them, and not the API.
    let api = Fake::new(|n, request| match n {
        0 => Ok(answer(request, 429, &[("retry-after", "60")])),
        _ => Ok(answer(request, 200, &[])),
    });
    let client = api.client();
    let key = Key::default();
    let files = ask(&client, FILES, &[FILES], &key);
    let home = async {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        ask(&client, HOME, &[FILES], &key).await
    };
    let (files, home) = futures::join!(files, home);
    files.and(home).unwrap();
    let times = api.times();
    assert_eq!(times[1], 1.0);
    assert!(times[2] >= 60.0);

    // Their failures are paid for from their bucket, and the API's from its own.
    let api = Fake::new(
        |_, request| match (request.url.host_str(), request.url.path()) {
            (Some("files.example.net"), _) | (_, "/down") => Ok(answer(request, 503, &[])),
            _ => Ok(answer(request, 302, &[("location", FILES)])),
        },
    );
    let retry = RetryPolicy::default().budget(Some(RetryBudget::new(5)));
    let client = Client::builder(api.clone()).retry(retry).build();
    let error = ask(&client, HOME, &[FILES], &key).await.unwrap_err();
    let budget = "the retry budget of https://files.example.net is spent";
    assert!(error.to_string().contains(budget), "{error}");
    assert_eq!(api.count(), 4);
    let down = "https://api.example.com/down";
    ask(&client, down, &[FILES], &key).await.unwrap_err();
    assert_eq!(api.count(), 6);

    // A redirect there takes from their quota.
    let api = Fake::new(|_, request| match request.url.host_str() {
        Some("files.example.net") => Ok(answer(request, 200, &[])),
        _ => Ok(answer(request, 302, &[("location", FILES)])),
    });
    let quota = Quota::per_second(1.0).unwrap();
    let client = Client::builder(api.clone()).quota(quota).build();
    for _ in 0..2 {
        ask(&client, HOME, &[FILES], &key).await.unwrap();
    }
    assert_eq!(api.times(), [0.0, 0.0, 1.0, 1.0]);
}

#[tokio::test(start_paused = true)]
async fn events_show_of_an_allowed_origin_no_more_than_its_name() {
    let api = chain(&[FILES]);
    let events = Events::default();
    let listener = |attempt: &_| events.push(attempt);
    let key = Key::default();
    let allowed = origins(&[FILES]);
    let how = Exchange::new(&key)
        .allowed_origins(&allowed)
        .label("/v1/{what}")
        .on_attempt(&listener);
    api.client()
        .send(request(HOME), &how, Response::success)
        .await
        .unwrap();
    let urls: Vec<_> = events.all().iter().map(|e| e.url.to_string()).collect();
    assert_eq!(
        urls,
        [
            "https://api.example.com/v1/{what}",
            "https://files.example.net/"
        ]
    );
}

#[tokio::test]
async fn a_spy_at_an_allowed_origin_sees_nothing_of_ours() {
    let spy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let spied = format!("http://{}/file?signature=abc", spy.local_addr().unwrap());
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = spy.accept().await {
            let head = read_head(&mut stream).await.unwrap_or_default();
            ears.lock().unwrap().push(String::from_utf8(head).unwrap());
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n[]";
            let _ = stream.write_all(answer).await;
        }
    });
    let location = spied.clone();
    let home = raw_server(move |mut stream| {
        let head = format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\nset-cookie: id=s3cret-cookie\r\ncontent-length: 0\r\n\r\n"
        );
        async move {
            let _ = stream.write_all(head.as_bytes()).await;
        }
    })
    .await;

    let transport = Arc::new(HttpTransport::builder().build().unwrap());
    let client = Client::builder(transport).build();
    let key = Key::default();
    let allowed = origins(&[&spied]);
    let how = Exchange::new(&key)
        .origin(origins(&[&home]).remove(0))
        .allowed_origins(&allowed);
    let by_redirect = format!("{home}?team=s3cret-team");
    for url in [by_redirect.as_str(), spied.as_str()] {
        let answer = client.send(request(url), &how, Response::success).await;
        assert_eq!(answer.unwrap().status, StatusCode::OK);
    }

    let heard = heard.lock().unwrap();
    assert_eq!(heard.len(), 2);
    for head in heard.iter() {
        assert!(
            head.starts_with("GET /file?signature=abc HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(!head.contains("s3cret"), "{head}");
        let mut names: Vec<&str> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        names.sort_unstable();
        assert_eq!(
            names,
            ["accept", "accept-encoding", "host", "user-agent"],
            "{head}"
        );
    }
}

/// What a hostile server might write into a link or a `Location`.
fn lead() -> impl Strategy<Value = String> {
    let host = prop_oneof![
        Just("api.example.com"),
        Just("API.example.com."),
        Just("files.example.net"),
        Just("evil.example"),
        Just("api.example.com.evil.example"),
        Just("127.0.0.1"),
        Just("[::1]"),
        Just(""),
    ];
    let scheme = prop_oneof![
        Just("https:"),
        Just("HTTPS:"),
        Just("http:"),
        Just("file:"),
        Just("data:"),
        Just("https:\t"),
        Just(""),
    ];
    let slashes = prop_oneof![
        Just("//"),
        Just("\\\\"),
        Just("/\\"),
        Just("///"),
        Just("/\t/"),
        Just("/"),
        Just(""),
    ];
    let user = prop_oneof![
        Just(""),
        Just("good@"),
        Just("https://api.example.com@"),
        Just("api.example.com\\@"),
        Just("api.example.com%5c@"),
        Just("a:b@"),
    ];
    let port = prop_oneof![
        Just(""),
        Just(":443"),
        Just(":8443"),
        Just(":80"),
        Just(":")
    ];
    let rest = "[ -~\t]{0,12}";
    let built = (scheme, slashes, user, host, port, rest)
        .prop_map(|(a, b, c, d, e, f)| format!("{a}{b}{c}{d}{e}{f}"));
    prop_oneof![4 => built, 1 => "[ -~\t]{0,40}", 1 => "\\PC{0,30}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_link_and_no_redirect_leads_to_another_origin(leads in prop::collection::vec(lead(), 1..4), is_link in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let mut leads = leads;
        let home = Url::parse(HOME).unwrap();
        let first = match is_link {
            // As links are read: joined to the URL of the page that they stood on.
            true => leads.pop().and_then(|link| home.join(&link).ok()).unwrap_or(home.clone()),
            false => home.clone(),
        };
        let api = Fake::new(move |n, request| {
            let mut response = answer(request, 302, &[]);
            match leads.get(n).map(|lead| HeaderValue::from_bytes(lead.as_bytes())) {
                Some(Ok(lead)) => drop(response.headers.insert("location", lead)),
                Some(Err(_)) => {}
                None => response.status = StatusCode::OK,
            }
            Ok(response)
        });
        let outcome = runtime.block_on(ask(&api.client(), first.as_str(), &[FILES], &Key::default()));
        if let Err(error) = outcome {
            prop_assert!(!error.is_retryable(), "{error}");
        }
        let allowed = origins(&[HOME, FILES]);
        let mut has_left = false;
        for sent in api.requests() {
            let origin = Origin::of(&sent.url).unwrap();
            prop_assert!(allowed.contains(&origin), "{}", sent.url);
            prop_assert!(sent.url.username().is_empty() && sent.url.password().is_none());
            has_left |= origin == allowed[1];
            prop_assert_eq!(sent.headers.is_empty(), has_left, "{}", sent.url);
            if has_left {
                prop_assert!(!sent.url.as_str().contains("s3cret"));
            }
        }
    }
}
