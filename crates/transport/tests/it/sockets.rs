//! The transport over real sockets: well-formed HTTP by wiremock, the rest byte by byte.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use flate2::write::GzEncoder;
use flate2::{Compress, Compression, FlushCompress};
use futures::FutureExt as _;
use http::Method;
use longshore_transport::{
    Client, DEFAULT_MAX_BODY_BYTES, Error, ErrorKind, Exchange, HttpTransport, Request, Response,
    RetryPolicy, Transport, Unauthenticated, json, parse_url,
};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use wiremock::matchers::{body_json, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::support::get;

fn transport() -> HttpTransport {
    HttpTransport::builder().build().unwrap()
}

async fn fetch(url: &str) -> Result<Response, Error> {
    transport().send(get(url)).await
}

/// Serves each connection with `serve`; the request has been read up to its empty line.
pub(crate) async fn raw_server<F, R>(serve: F) -> String
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if read_head(&mut stream).await.is_some() {
                tokio::spawn(serve(stream));
            }
        }
    });
    url
}

/// The head of a request up to its empty line, unless the connection ends before.
pub(crate) async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(head)
}

/// A server that writes `answer` to each connection and closes it.
async fn raw_answer(answer: impl Into<Vec<u8>>) -> String {
    let answer: Arc<[u8]> = answer.into().into();
    raw_server(move |mut stream| {
        let answer = answer.clone();
        async move {
            // A client that has seen enough hangs up.
            let _ = stream.write_all(&answer).await;
            let _ = stream.shutdown().await;
        }
    })
    .await
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn method_query_headers_and_body_arrive_and_the_answer_comes_back_whole() {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/search"))
        .and(query_param("q", "a b"))
        .and(header("x-team", "payments"))
        .and(header("content-type", "application/json"))
        .and(body_json(json!({"page": 1})))
        .respond_with(
            ResponseTemplate::new(404)
                .insert_header("x-request-id", "7")
                .set_body_json(json!(["ä"])),
        )
        .expect(1)
        .mount(&server)
        .await;
    let url = parse_url(&format!("{}/search?q=a+b", server.uri())).unwrap();
    let mut request = Request::new(Method::POST, url.clone()).with_json(&json!({"page": 1}));
    request
        .headers
        .insert("x-team", "payments".parse().unwrap());
    let response = transport().send(request).await.unwrap();
    assert_eq!(response.status, 404);
    assert_eq!(response.headers["x-request-id"], "7");
    assert_eq!(response.url, url);
    assert_eq!(json::read::<Value>(&response.body).unwrap(), json!(["ä"]));
}

#[tokio::test]
async fn a_request_says_who_asks_and_where_from_never() {
    let server = MockServer::start().await;
    let transport = transport();
    let mut own = get(&server.uri());
    own.headers
        .insert("user-agent", "port-ocean/x".parse().unwrap());
    transport.send(get(&server.uri())).await.unwrap();
    transport.send(own).await.unwrap();
    let requests = server.received_requests().await.unwrap();
    let agent = concat!("longshore/", env!("CARGO_PKG_VERSION"));
    assert_eq!(requests[0].headers["user-agent"], agent);
    assert_eq!(requests[1].headers["user-agent"], "port-ocean/x");
    assert!(
        requests
            .iter()
            .all(|request| !request.headers.contains_key("referer"))
    );
}

#[tokio::test]
async fn compressed_bodies_are_read() {
    let server = MockServer::start().await;
    let body = gzip(b"[1, 2, 3]");
    Mock::given(method("GET"))
        .respond_with(
            ResponseTemplate::new(200)
                .insert_header("content-encoding", "gzip")
                .set_body_bytes(body),
        )
        .mount(&server)
        .await;
    let response = fetch(&server.uri()).await.unwrap();
    assert_eq!(response.body, "[1, 2, 3]");
    let sent = server.received_requests().await.unwrap();
    let offered = sent[0].headers["accept-encoding"].to_str().unwrap();
    for encoding in ["gzip", "br", "zstd", "deflate"] {
        assert!(offered.contains(encoding), "{offered}");
    }
}

#[tokio::test]
async fn a_body_that_is_cut_is_an_error_that_may_be_retried() {
    let broken_gzip = {
        let mut body = gzip(&[7; 10_000]);
        let middle = body.len() / 2;
        body[middle] ^= 0xff;
        body.truncate(middle + 4);
        let mut answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend(body);
        answer
    };
    for answer in [
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[1, 2".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\n[1, 2,\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n[1, 2".to_vec(),
        broken_gzip,
    ] {
        let error = fetch(&raw_answer(answer).await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{error:?}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_body_of_unknown_length_that_is_cut_is_found_by_its_json() {
    let url = raw_answer("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[1, 2").await;
    let response = fetch(&url).await.expect("no HTTP client can tell");
    let error = json::read::<Value>(&response.body).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}

#[tokio::test]
async fn a_plain_server_behind_an_https_url_is_told_as_such() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
            open.push(stream);
        }
    });
    let error = fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect);
    assert!(error.to_string().contains("http://"), "{error:?}");
}

#[tokio::test]
async fn no_connection_and_no_answer_are_told_apart() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let error = fetch(&closed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(error.is_retryable());

    let plain = MockServer::start().await;
    let url = plain.uri().replace("http:", "https:");
    let error = fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "no TLS there: {error:?}");

    for answer in ["", "HTTP/1.1 20"] {
        let error = fetch(&raw_answer(answer).await).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Reset, "{error:?}");
        assert!(error.is_retryable());
    }
}

#[tokio::test]
async fn a_compressed_bomb_stops_at_the_cap() {
    let bomb = gzip(&vec![0; 8 << 20]);
    assert!(bomb.len() < 20_000);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let url = raw_answer([head.into_bytes(), bomb].concat()).await;
    let capped = |bytes| {
        HttpTransport::builder()
            .max_body_bytes(bytes)
            .build()
            .unwrap()
    };
    let error = capped(1 << 20).send(get(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
    assert!(!error.is_retryable());
    let whole = capped(8 << 20).send(get(&url)).await.unwrap();
    assert_eq!(whole.body.len(), 8 << 20, "the cap itself is allowed");
}

#[tokio::test]
async fn a_bomb_of_305_kilobytes_stops_at_64_mebibytes() {
    // One mebibyte that begins anew and ends at a whole byte, three hundred times: much faster than to compress it all.
    let mut mebibyte = Vec::with_capacity(1 << 20);
    Compress::new(Compression::best(), false)
        .compress_vec(&vec![0; 1 << 20], &mut mebibyte, FlushCompress::Full)
        .unwrap();
    // RFC 1952 §2.3.1; nobody gets as far as its end.
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    let bomb = [&header[..], &mebibyte.repeat(300)].concat();
    assert!((300_000..320_000).contains(&bomb.len()), "{}", bomb.len());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
        bomb.len()
    );
    let url = raw_answer([head.into_bytes(), bomb].concat()).await;
    let error = fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge, "{error:?}");
    assert!(error.to_string().contains("67108864"), "{error}");
    assert_eq!(DEFAULT_MAX_BODY_BYTES, 67_108_864);
}

#[tokio::test]
async fn a_page_that_comes_in_pieces_is_delivered_once_it_came_whole() {
    let broken_gzip = {
        let mut body = gzip(b"[1, 2, 3]");
        body.truncate(body.len() - 6);
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        [head.into_bytes(), body].concat()
    };
    let answers: Arc<[Vec<u8>]> = Arc::new([
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[1, 2".to_vec(),
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n[1, 2".to_vec(),
        broken_gzip,
        b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec(),
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n[1, 2, 3]".to_vec(),
    ]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let url = raw_server(move |mut stream| {
        let answers = answers.clone();
        let n = count.fetch_add(1, Ordering::SeqCst);
        async move {
            let _ = stream.write_all(&answers[n]).await;
            let _ = stream.shutdown().await;
        }
    })
    .await;
    let retry = RetryPolicy::default().base(Duration::from_millis(1));
    let client = Client::builder(Arc::new(transport())).retry(retry).build();
    let delivered = AtomicUsize::new(0);
    let page = client
        .send(get(&url), &Exchange::new(&Unauthenticated), |response| {
            let page = json::read::<Vec<u64>>(&response.success()?.body)?;
            delivered.fetch_add(1, Ordering::SeqCst);
            Ok(page)
        })
        .await;
    assert_eq!(page.unwrap(), [1, 2, 3]);
    assert_eq!(delivered.load(Ordering::SeqCst), 1);
    assert_eq!(asked.load(Ordering::SeqCst), 5);
}

#[tokio::test]
async fn an_announced_length_over_the_cap_is_refused_without_reading() {
    let url = raw_server(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n";
        let _ = stream.write_all(head).await;
        std::future::pending::<()>().await;
    })
    .await;
    let error = fetch(&url).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BodyTooLarge);
}

#[tokio::test]
async fn a_server_that_drips_bytes_runs_into_the_timeout() {
    let url = raw_server(|mut stream| async move {
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n";
        let _ = stream.write_all(head).await;
        let mut drip = tokio::time::interval(Duration::from_millis(20));
        while stream.write_all(b" ").await.is_ok() {
            drip.tick().await;
        }
    })
    .await;
    let impatient = HttpTransport::builder()
        .timeout(Duration::from_millis(250))
        .build()
        .unwrap();
    let error = impatient.send(get(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error:?}");
    assert!(error.is_retryable());
    assert!(error.to_string().contains("250ms"));
}

#[tokio::test]
async fn a_second_server_gets_not_even_a_connection() {
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = format!("http://{}/", second.local_addr().unwrap());
    let server = MockServer::start().await;
    Mock::given(path("/redirect"))
        .respond_with(ResponseTemplate::new(307).insert_header("location", target.as_str()))
        .expect(1)
        .mount(&server)
        .await;
    let client = Client::builder(Arc::new(transport())).build();
    let error = client
        .send(
            get(&format!("{}/redirect", server.uri())),
            &Exchange::new(&Unauthenticated),
            Response::success,
        )
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ForeignOrigin);
    // The kernel would have completed a connection by now, accepted or not.
    assert!(second.accept().now_or_never().is_none());
}

/// A server that keeps connections and closes those that have been idle for `idle`. Gives the number of connections, too.
async fn idle_closing_server(idle: Duration) -> (String, Arc<AtomicUsize>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    let url = raw_server(move |mut stream| {
        count.fetch_add(1, Ordering::SeqCst);
        async move {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]";
            while stream.write_all(answer).await.is_ok() {
                let next = tokio::time::timeout(idle, read_head(&mut stream)).await;
                if !matches!(next, Ok(Some(_))) {
                    break;
                }
            }
        }
    })
    .await;
    (url, connections)
}

// R26. Time stands still but for waits: server and client share this thread, and what one writes the other has at once.
#[tokio::test(start_paused = true)]
async fn a_thousand_requests_survive_a_server_that_closes_idle_connections() {
    // Closed just before, at the very moment of, just after and well after the next request.
    for idle in [1_999, 2_000, 2_001, 60_000] {
        let (url, connections) = idle_closing_server(Duration::from_millis(idle)).await;
        let client = Client::builder(Arc::new(transport())).seed(1).build();
        let how = Exchange::new(&Unauthenticated);
        for _ in 0..1_000 {
            let response = client.send(get(&url), &how, Response::success).await;
            assert_eq!(response.unwrap().body, "[]");
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        let connections = connections.load(Ordering::SeqCst);
        match idle {
            ..2_000 => assert_eq!(connections, 1_000),
            60_000 => assert_eq!(connections, 1),
            _ => {}
        }
    }
}

#[tokio::test]
async fn connections_that_the_server_closes_while_idle_cost_nothing() {
    // Keeps the connection after the answer, as far as the headers say, and then closes it.
    let url = raw_answer("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n[]").await;
    let client = Client::builder(Arc::new(transport())).seed(1).build();
    for _ in 0..100 {
        let how = Exchange::new(&Unauthenticated);
        let response = client.send(get(&url), &how, Response::success).await;
        assert_eq!(response.unwrap().body, "[]");
    }
}
