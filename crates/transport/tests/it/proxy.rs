//! Proxies: configured, from the environment, and where none may be.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, HttpTransport, HttpTransportBuilder, Response, RetryPolicy,
    Transport, Unauthenticated,
};
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::sockets::read_head;
use crate::support::get;
use crate::tls::{Authority, Server, Settings, local};

const PASSWORD: &str = "s3cret@proxy";
const PROXIED: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy";

/// A proxy on this machine: tunnels `CONNECT` and answers everything else itself.
struct Proxy {
    /// `host:port`
    address: String,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `refusal` is answered to whoever asks for a tunnel.
    async fn start(refusal: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let log = heads.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, refusal, log.clone()));
            }
        });
        Self { address, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

/// Errors mean that somebody hung up.
async fn serve(
    mut stream: TcpStream,
    refusal: Option<&'static str>,
    log: Arc<Mutex<Vec<String>>>,
) -> Option<()> {
    loop {
        let head = String::from_utf8(read_head(&mut stream).await?).unwrap();
        log.lock().unwrap().push(head.clone());
        let Some(target) = head.strip_prefix("CONNECT ") else {
            stream.write_all(PROXIED).await.ok()?;
            continue;
        };
        if let Some(refusal) = refusal {
            stream.write_all(refusal.as_bytes()).await.ok()?;
            return None;
        }
        let target = target.split(' ').next().unwrap();
        let mut server = TcpStream::connect(target).await.ok()?;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        copy_bidirectional(&mut stream, &mut server).await.ok()?;
        return None;
    }
}

async fn ask(builder: HttpTransportBuilder, url: &str) -> Result<Response, Error> {
    let transport = Arc::new(builder.build().unwrap());
    let retry = RetryPolicy::default().base(Duration::from_millis(1));
    let client = Client::builder(transport).retry(retry).build();
    let how = Exchange::new(&Unauthenticated);
    client.send(get(url), &how, Response::success).await
}

fn through(proxy: &str) -> HttpTransportBuilder {
    HttpTransport::builder().proxy(proxy.to_owned())
}

#[tokio::test]
async fn plain_requests_are_handed_to_the_proxy_whole() {
    let proxy = Proxy::start(None).await;
    let builder = through(&format!("http://{}", proxy.address));
    let response = ask(builder, "http://api.invalid/v1/users?page=2").await;
    assert_eq!(response.unwrap().body, "proxy");
    let heads = proxy.heads();
    let line = "GET http://api.invalid/v1/users?page=2 HTTP/1.1\r\n";
    assert!(heads[0].starts_with(line), "{}", heads[0]);
    assert!(!heads[0].to_lowercase().contains("proxy-authorization"));
}

#[tokio::test]
async fn encrypted_requests_go_through_a_tunnel_and_its_password_no_further() {
    let proxy = Proxy::start(None).await;
    let authority = Authority::new();
    let server = Server::start(&authority.issue(local()), Settings::default()).await;
    let with_password = format!("http://user:s3cret%40proxy@{}", proxy.address);
    let builder = through(&with_password).root_certificates(authority.pem());
    assert_eq!(ask(builder, &server.url).await.unwrap().body, "HTTP/2.0");

    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    let authority_of_url = server
        .url
        .trim_start_matches("https://")
        .trim_end_matches('/');
    assert!(heads[0].starts_with(&format!("CONNECT {authority_of_url} HTTP/1.1\r\n")));
    let expected = STANDARD.encode(format!("user:{PASSWORD}"));
    let line = format!("proxy-authorization: basic {expected}").to_lowercase();
    assert!(heads[0].to_lowercase().contains(&line), "{}", heads[0]);
    assert!(!server.heard()[0].contains_key("proxy-authorization"));
}

#[tokio::test]
async fn a_proxy_that_lets_nothing_through_says_so() {
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let refusing = Proxy::start(Some("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n")).await;
    let asking = Proxy::start(Some(
        "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
    ))
    .await;
    for (address, advice, requests) in [
        (closed.to_string(), "check proxy", 6),
        (refusing.address.clone(), "check proxy", 6),
        (asking.address.clone(), "user name and a password", 1),
    ] {
        let proxy = format!("http://{address}");
        let error = ask(through(&proxy), "https://api.invalid/")
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
        assert!(error.to_string().contains(advice), "{error:?}");
        assert_eq!(error.attempts(), requests, "{error:?}");
    }
    assert_eq!((refusing.heads().len(), asking.heads().len()), (6, 1));
}

#[tokio::test]
async fn the_password_of_a_proxy_is_never_shown() {
    let proxy = format!("http://user:s3cret%40proxy@{}", "127.0.0.1:1");
    let builder = through(&proxy);
    let mut shown = format!("{builder:?}");
    let transport = builder.build().unwrap();
    shown.push_str(&format!("{transport:?}"));
    for url in ["http://api.invalid/", "https://api.invalid/"] {
        let error = transport.send(get(url)).await.unwrap_err();
        shown.push_str(&format!("{error} {error:?}"));
    }
    for wrong in [
        "ftp://user:s3cret%40proxy@proxy.example",
        "user:s3cret@proxy.example:3128",
        "http://user:s3cret@:3128",
        "http://user:s3cret@proxy.example:99999",
        "",
    ] {
        let error = through(wrong).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("proxy"), "{error}");
        shown.push_str(&format!("{error} {error:?} {:?}", through(wrong)));
    }
    let encoded = STANDARD.encode(format!("user:{PASSWORD}"));
    for secret in ["s3cret", encoded.as_str()] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[test]
fn a_proxy_and_private_addresses_denied_exclude_each_other() {
    let builder = through("http://proxy.example:3128").deny_private_addresses(true);
    let error = builder.build().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("denyPrivateAddresses"));
    assert!(error.to_string().contains("proxy"));
}

/// Set for the second process of the test below, to the URL that it asks.
const CHILD: &str = "LONGSHORE_TEST_PROXY_CHILD";

// The environment belongs to the process, so a second one is started with another.
#[tokio::test]
async fn the_proxy_of_the_environment_is_used_unless_private_addresses_are_denied() {
    if let Ok(url) = std::env::var(CHILD) {
        let response = HttpTransport::builder()
            .build()
            .unwrap()
            .send(get(&url))
            .await;
        assert_eq!(response.unwrap().body, "proxy");
        let public_only = HttpTransport::builder().deny_private_addresses(true);
        let error = public_only
            .build()
            .unwrap()
            .send(get(&url))
            .await
            .unwrap_err();
        assert!(
            error.to_string().contains("denyPrivateAddresses"),
            "{error:?}"
        );
        return;
    }
    let proxy = Proxy::start(None).await;
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args([
            "--exact",
            "proxy::the_proxy_of_the_environment_is_used_unless_private_addresses_are_denied",
        ])
        .env("http_proxy", format!("http://{}", proxy.address))
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .env(CHILD, "http://localhost:9/");
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}"
    );
    let heads = proxy.heads();
    assert_eq!(heads.len(), 1, "{heads:?}");
    assert!(heads[0].starts_with("GET http://localhost:9/ HTTP/1.1\r\n"));
}
