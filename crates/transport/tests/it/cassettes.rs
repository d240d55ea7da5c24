//! What is recorded, what is not, and what plays.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use http::{Method, StatusCode};
use longshore_transport::cassette::{Player, Recorder, SECRET, Scrub};
use longshore_transport::{
    Client, Clock as _, Error, ErrorKind, Exchange, Generation, Prepare, Renewal, Request,
    Response, TokioClock, Transport, async_trait, json, parse_url,
};
use serde_json::{Value, json};

use crate::support::{Fake, answer, get};

const TOKEN: &str = "tok/en+with=4ll&k\"inds";
const KEY: &str = "k3y in a query";

/// A folder of its own for each test.
fn cassette() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.cassette");
    (folder, path)
}

#[derive(Debug)]
struct Bearer;

#[async_trait]
impl Prepare for Bearer {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        let value = format!("Bearer {TOKEN}").parse().unwrap();
        request.headers.insert("authorization", value);
        request.url.query_pairs_mut().append_pair("api_key", KEY);
        Ok(Generation(0))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

/// Other credentials, as they are where a cassette is played.
#[derive(Debug)]
struct Dummy;

#[async_trait]
impl Prepare for Dummy {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, Error> {
        request.url.query_pairs_mut().append_pair("api_key", "none");
        Ok(Generation(0))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

async fn pages(client: &Client, prepare: &dyn Prepare) -> Vec<Result<Value, ErrorKind>> {
    let mut read = Vec::new();
    for page in 1..=3 {
        let request = get(&format!("https://api.example.com/users?page={page}"));
        let page = client
            .send(request, &Exchange::new(prepare), |response| {
                json::read::<Value>(&response.success()?.body)
            })
            .await;
        read.push(page.map_err(|error| error.kind()));
    }
    read
}

/// Page 2 is limited once, with a wait of a minute; page 3 says what it was asked with and ends in a reset for good.
fn api() -> Arc<Fake> {
    Fake::new(|number, request| {
        let query = request.url.query().unwrap_or_default().to_owned();
        match number {
            0 => Ok(with_body(
                request,
                json!([{"id": 1, "echo": TOKEN, "query": query}]),
            )),
            1 => Ok(answer(request, 429, &[("retry-after", "60")])),
            2 => Ok(with_body(request, json!([{"id": 2, "key": "PROJECT-1"}]))),
            _ => Err(Error::new(ErrorKind::Reset, "broken").retryable(false)),
        }
    })
}

fn with_body(request: &Request, body: Value) -> Response {
    let mut response = answer(
        request,
        200,
        &[
            ("x-next", "2"),
            ("set-cookie", "session=1"),
            ("x-echo", TOKEN),
        ],
    );
    response.body = body.to_string().into();
    response
}

#[tokio::test(start_paused = true)]
async fn what_was_recorded_plays_without_credentials_and_without_waiting() {
    let (_folder, path) = cassette();
    let recorder = Recorder::create(&path, api(), &Scrub::new()).unwrap();
    let client = Client::builder(Arc::new(recorder)).build();
    let recorded = pages(&client, &Bearer).await;

    let player = Player::open(&path).unwrap();
    assert_eq!(player.len(), 4);
    let clock = player.clock();
    let client = Client::builder(Arc::new(player.clone()))
        .clock(clock.clone())
        .build();
    let start = tokio::time::Instant::now();
    let played = pages(&client, &Dummy).await;
    assert_eq!(start.elapsed(), Duration::ZERO, "nothing is waited for");
    assert!(
        clock.now() >= Duration::from_secs(60),
        "but time has passed"
    );

    let echo = |read: &[Result<Value, ErrorKind>]| read[0].clone().unwrap()[0]["echo"].clone();
    assert_eq!(echo(&recorded), TOKEN);
    assert_eq!(echo(&played), SECRET);
    assert_eq!(recorded[1..], played[1..]);
    assert_eq!(played[1], Ok(json!([{"id": 2, "key": "PROJECT-1"}])));
    assert_eq!(played[2], Err(ErrorKind::Reset));
    assert_eq!(player.unplayed(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_written_in_any_form() {
    let (_folder, path) = cassette();
    let login = Fake::new(|_, request| {
        let mut response = answer(request, 200, &[]);
        response.body = json!({"access_token": "fr3sh", "nested": [{"refresh_token": "ag4in"}], "token": "0123456789abcdef"})
            .to_string()
            .into();
        Ok(response)
    });
    let scrub = Scrub::new().secret("t0ld").query("tenant");
    let recorder = Recorder::create(&path, login, &scrub).unwrap();
    let mut form = Request::new(
        Method::POST,
        parse_url("https://h.example/token?tenant=acm3&x=t0ld&page=7").unwrap(),
    );
    form.body = Some("grant_type=x&client_secret=cl%2Fs3cret".into());
    recorder.send(form).await.unwrap();
    let mut basic = get("https://h.example/fr3sh/next?token=p4ge");
    basic.headers.insert(
        "authorization",
        "Basic dXNlcjpwYXNzdzByZC0x".parse().unwrap(),
    );
    basic.body = Some(
        json!({"password": "b0dy", "echo": "dXNlcjpwYXNzdzByZC0x passw0rd-1"})
            .to_string()
            .into(),
    );
    recorder.send(basic).await.unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    for secret in [
        "fr3sh",
        "ag4in",
        "0123456789abcdef",
        "t0ld",
        "acm3",
        "cl%2Fs3cret",
        "cl/s3cret",
        "p4ge",
        "b0dy",
        "dXNlcjpwYXNzdzByZC0x",
        "passw0rd-1",
    ] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(
        text.contains("page=7") && text.contains("grant_type=x"),
        "the rest stays: {text}"
    );
    assert_eq!(text.lines().count(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_is_a_secret_by_accident_only_leaves_the_rest_as_it_is() {
    let (_folder, path) = cassette();
    let server = Fake::new(|_, request| {
        let signed = "https://files.example/x?X-Amz-Signature=s1gned-l0cation&part=2";
        let mut response = answer(request, 200, &[("location", signed)]);
        response.body = json!({"id": 22, "name": "secretary"}).to_string().into();
        Ok(response)
    });
    let scrub = Scrub::new().secret("secret");
    let recorder = Recorder::create(&path, server, &scrub).unwrap();
    let mut request = get("https://h.example/pages?token=2&client_secret=long-enough-s3cret");
    // A token as the user name, and no password.
    let user = "Basic dG9rZW4tYXMtdXNlcjp4".parse().unwrap();
    request.headers.insert("authorization", user);
    recorder.send(request).await.unwrap();
    recorder
        .send(get("https://h.example/token-as-user/2"))
        .await
        .unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    for secret in ["token=2", "s1gned-l0cation", "token-as-user"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(text.contains(r#"\"id\":22"#), "{text}");
    assert!(text.contains("part=2"), "{text}");
    assert!(!text.contains("<<"), "{text}");
    let player = Player::open(&path).unwrap();
    for url in [
        "https://h.example/pages?token=3&client_secret=other",
        "https://h.example/another-user/2",
    ] {
        player.send(get(url)).await.unwrap();
    }
}

#[tokio::test]
async fn another_request_is_an_error_that_names_it() {
    let (_folder, path) = cassette();
    let recorder =
        Recorder::create(&path, Fake::sequence(vec![(200, &[])]), &Scrub::new()).unwrap();
    recorder
        .send(get("https://h.example/users?page=1"))
        .await
        .unwrap();
    let player = Player::open(&path).unwrap();
    assert_eq!(player.unplayed(), ["GET https://h.example/users"]);
    for (url, message) in [
        (
            "https://h.example/users?page=2",
            "the cassette has no answer to GET https://h.example/users; record it again",
        ),
        ("https://h.example/users?page=1", ""),
        (
            "https://h.example/users?page=1",
            "the cassette has 1 answers to GET https://h.example/users, and it was asked once more; record it again",
        ),
    ] {
        match player.send(get(url)).await {
            Ok(response) => assert_eq!((response.status, message), (StatusCode::OK, "")),
            Err(error) => {
                assert_eq!(error.to_string(), message);
                assert!(!error.is_retryable());
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_cassette_is_refused_with_its_line() {
    let (_folder, path) = cassette();
    let head = r#"{"cassette":1,"recorded":"Tue, 24 Nov 2026 10:00:00 GMT"}"#;
    for (text, message) in [
        (
            String::new(),
            Some("is none: line 1 is not the head of one"),
        ),
        (
            "users: []\n".to_owned(),
            Some("is none: line 1 is not the head of one"),
        ),
        (
            head.replace(":1,", ":9,"),
            Some("is of format 9, and 1 is what can be played; record it again"),
        ),
        (
            format!("{head}\nno\n{{}}\n"),
            Some("line 2 is no interaction"),
        ),
        // The recording broke off.
        (format!("{head}\n{{\"requ"), None),
        (head.to_owned(), None),
    ] {
        std::fs::write(&path, &text).unwrap();
        match (Player::open(&path), message) {
            (Ok(player), None) => assert!(player.is_empty()),
            (Err(error), Some(message)) => {
                assert!(error.to_string().ends_with(message), "{error}");
                assert_eq!(error.kind(), ErrorKind::Config);
            }
            (opened, message) => panic!("{text}: {opened:?} is not {message:?}"),
        }
    }
    assert!(Player::open(path.with_extension("missing")).is_err());
}

#[tokio::test(start_paused = true)]
async fn the_clock_begins_at_the_time_of_the_recording() {
    let (_folder, path) = cassette();
    let before = SystemTime::now();
    Recorder::create(&path, Fake::sequence(vec![(200, &[])]), &Scrub::new()).unwrap();
    let clock = Player::open(&path).unwrap().clock();
    let apart = before.duration_since(clock.wall()).unwrap_or_default();
    assert!(apart <= Duration::from_secs(2), "{apart:?}");
    clock.sleep(Duration::from_secs(3_600)).await;
    assert_eq!(clock.now(), Duration::from_secs(3_600));
    assert!(TokioClock::new().now() < Duration::from_secs(1));
}

#[tokio::test]
async fn bytes_that_are_no_text_come_back_as_they_were() {
    let (_folder, path) = cassette();
    let binary = Fake::new(|_, request| {
        let mut response = answer(request, 200, &[("content-type", "application/pdf")]);
        response.body = vec![0, 159, 146, 150, 255].into();
        Ok(response)
    });
    let recorder = Recorder::create(&path, binary, &Scrub::new()).unwrap();
    let request = || get("https://h.example/file");
    let recorded = recorder.send(request()).await.unwrap();
    let played = Player::open(&path).unwrap().send(request()).await.unwrap();
    assert_eq!(recorded.body, played.body);
    assert_eq!(played.headers["content-type"], "application/pdf");
}
