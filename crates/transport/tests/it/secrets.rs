//! R34: what must stay secret does not turn up in anything that people or logs get to see.

use std::error::Error as StdError;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use longshore_transport::{
    Client, Error, Exchange, Generation, HttpTransport, Prepare, Renewal, Request, Response,
    RetryPolicy, Transport as _, async_trait, header, json, parse_url,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use url::Url;

use crate::sockets::raw_server;
use crate::tls::{Authority, Server, Settings, local};

/// Differs from itself under percent-encoding and base64.
const CANARIES: [&str; 5] = [
    "h3ader/c@nary+1",
    "qu3ry/c@nary+2",
    "b0dy/c@nary+3",
    "us3r/c@nary+4",
    "answ3r/c@nary+5",
];
const HEADER: &str = CANARIES[0];
const QUERY: &str = CANARIES[1];
const BODY: &str = CANARIES[2];
const USER: &str = CANARIES[3];
const ANSWER: &str = CANARIES[4];

#[derive(Debug)]
struct Key;

#[async_trait]
impl Prepare for Key {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        let (name, value) = header("x-api-key", HEADER)?;
        request.headers.insert(name, value);
        request.url.query_pairs_mut().append_pair("key", QUERY);
        Ok(Generation(0))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

/// Everything that was written, for searching.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Written {
    fn add(&self, text: &str) {
        self.0.lock().unwrap().extend(text.as_bytes());
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

fn leaks(text: &str) -> Vec<String> {
    CANARIES
        .iter()
        .flat_map(|canary| {
            let doubled = STANDARD.encode(format!("{canary}:{canary}"));
            [
                (*canary).to_owned(),
                utf8_percent_encode(canary, NON_ALPHANUMERIC).to_string(),
                STANDARD.encode(canary).trim_end_matches('=').to_owned(),
                doubled,
                // The word alone, whatever became of the rest.
                canary.split('/').next().unwrap_or_default().to_owned(),
            ]
        })
        .filter(|needle| text.contains(needle.as_str()))
        .collect()
}

fn everything_about(error: &Error) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn no_canary_is_in_errors_chains_debug_or_trace_logs() {
    let written = Written::default();
    let sink = written.clone();
    // Also turns the records of the `log` crate into events.
    let _guard = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || sink.clone())
        .with_ansi(false)
        .set_default();

    let answers = [
        format!("HTTP/1.1 200 OK\r\ncontent-length: 60\r\n\r\n[\"{ANSWER}\""),
        format!("HTTP/1.1 200 OK\r\nx-token: {ANSWER}\r\n\r\n<html>{ANSWER}"),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{{\"token\":\"{ANSWER}\"}}"),
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[\"{ANSWER}\","),
        format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 15\r\n\r\n{ANSWER}"),
        format!(
            "HTTP/1.1 302 Found\r\nlocation: http://evil.example/?{ANSWER}\r\ncontent-length: 0\r\n\r\n"
        ),
        format!("HTTP/1.1 302 Found\r\nlocation: /?{ANSWER}\r\ncontent-length: 0\r\n\r\n"),
        format!("HTTP/1.1 401 No\r\nwww-authenticate: {ANSWER}\r\ncontent-length: 0\r\n\r\n"),
        format!("HTTP/1.1 404 {ANSWER}\r\ncontent-length: 15\r\n\r\n{ANSWER}"),
        format!("HTTP/1.1 500 No\r\ncontent-length: 15\r\n\r\n{ANSWER}"),
        format!("nonsense {ANSWER}\r\n\r\n"),
        String::new(),
    ];
    let transport = HttpTransport::builder()
        .timeout(Duration::from_millis(500))
        .build()
        .unwrap();
    let retry = RetryPolicy::default()
        .attempts(2)
        .base(Duration::from_millis(1));
    let client = Client::builder(Arc::new(transport)).retry(retry).build();
    let mut errors = 0;
    for answer in answers {
        let base = raw_server(move |mut stream| {
            let answer = answer.clone();
            async move {
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        })
        .await;
        for method in [Method::GET, Method::POST] {
            let mut url = parse_url(&base).unwrap();
            url.query_pairs_mut().append_pair("q", QUERY);
            let request = Request::new(method, url).with_json(&json!({ "body": BODY }));
            written.add(&format!("{request:?}"));
            let result = client
                .send(request, &Exchange::new(&Key), |response: Response| {
                    written.add(&format!("{response:?}"));
                    json::read::<Vec<u64>>(&response.success()?.body)
                })
                .await;
            written.add(&everything_about(&result.unwrap_err()));
            errors += 1;
        }
    }

    let mut with_user = Url::parse("http://127.0.0.1:1/").unwrap();
    with_user.set_username(USER).unwrap();
    with_user.set_password(Some(USER)).unwrap();
    let request = Request::new(Method::GET, with_user.clone());
    written.add(&format!("{request:?}"));
    let how = Exchange::new(&Key);
    let error = client
        .send(request, &how, Response::success)
        .await
        .unwrap_err();
    written.add(&everything_about(&error));
    written.add(&everything_about(
        &parse_url(with_user.as_str()).unwrap_err(),
    ));
    written.add(&everything_about(
        &header("x-key", &format!("{HEADER}\n")).unwrap_err(),
    ));
    written.add(&everything_about(
        &json::read::<Value>(format!("[{ANSWER}]").as_bytes()).unwrap_err(),
    ));

    let text = written.text();
    assert_eq!(errors, 24);
    assert!(text.contains("hyper"), "the layers below were listened to");
    assert!(
        text.contains("starting new connection"),
        "and those that use `log`"
    );
    assert_eq!(leaks(&text), Vec::<String>::new());
}

#[tokio::test]
async fn no_canary_is_in_errors_or_trace_logs_over_tls_http_2_and_a_proxy_either() {
    let written = Written::default();
    let sink = written.clone();
    let _guard = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || sink.clone())
        .with_ansi(false)
        .set_default();

    let authority = Authority::new();
    let settings = || Settings {
        clients_of: Some(authority.der()),
        token: ANSWER,
        ..Settings::default()
    };
    let server = Server::start(&authority.issue(local()), settings()).await;
    let ours = authority.issue(local());
    let key = ours.key.serialize_pem();
    let builder = HttpTransport::builder()
        .root_certificates(authority.pem())
        .client_certificate(&ours.certificate.pem(), &key.clone().into());
    written.add(&format!("{builder:?}"));
    let client = Client::builder(Arc::new(builder.clone().build().unwrap())).build();
    for method in [Method::GET, Method::POST] {
        let mut url = parse_url(&server.url).unwrap();
        url.query_pairs_mut().append_pair("q", QUERY);
        let request = Request::new(method, url).with_json(&json!({ "body": BODY }));
        let result = client
            .send(request, &Exchange::new(&Key), |response: Response| {
                assert_eq!(response.body, "HTTP/2.0");
                written.add(&format!("{response:?}"));
                json::read::<Vec<u64>>(&response.success()?.body)
            })
            .await;
        written.add(&everything_about(&result.unwrap_err()));
    }
    assert_eq!(server.heard()[0]["x-api-key"], HEADER);

    // A proxy that hangs up, in front of a plain and of an encrypted URL.
    let proxy = raw_server(|stream| async move { drop(stream) }).await;
    let user = utf8_percent_encode(USER, NON_ALPHANUMERIC).to_string();
    let with_user = proxy.replace("://", &format!("://{user}:{user}@"));
    let transport = builder.proxy(with_user).build().unwrap();
    written.add(&format!("{transport:?}"));
    for url in ["http://api.invalid/", server.url.as_str()] {
        let mut url = parse_url(url).unwrap();
        url.query_pairs_mut().append_pair("q", QUERY);
        let mut request = Request::new(Method::GET, url);
        Key.prepare(&mut request).await.unwrap();
        let (name, mut value) = header("x-api-key", HEADER).unwrap();
        value.set_sensitive(true);
        request.headers.insert(name, value);
        let error = transport.send(request).await.unwrap_err();
        written.add(&everything_about(&error));
    }

    let text = written.text();
    for layer in ["h2::", "hyper_util::"] {
        assert!(text.contains(layer), "{layer} was listened to");
    }
    assert_eq!(leaks(&text), Vec::<String>::new());
    assert!(!text.contains(key.lines().nth(1).unwrap()));
}

#[test]
fn a_leak_would_be_seen() {
    let encoded = STANDARD.encode(format!("{USER}:{USER}"));
    assert!(!leaks(&format!("Basic {encoded}")).is_empty());
    assert!(!leaks("?key=qu3ry%2Fc%40nary%2B2").is_empty());
}
