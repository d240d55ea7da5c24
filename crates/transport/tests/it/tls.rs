//! TLS: which certificates are trusted, which are shown, and what is spoken over it.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::HeaderMap;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use longshore_transport::{
    Client, Error, ErrorKind, Exchange, HttpTransport, HttpTransportBuilder, Response, Transport,
    Unauthenticated,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{RootCertStore, ServerConfig};

use crate::support::get;

/// Signs certificates.
pub(crate) struct Authority {
    certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key.
pub(crate) struct Identity {
    pub(crate) certificate: rcgen::Certificate,
    pub(crate) key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        Self::named("authority")
    }

    fn named(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap(),
            issuer: Issuer::new(params, key),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.certificate.pem()
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }

    pub(crate) fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        Identity {
            certificate: params.signed_by(&key, &self.issuer).unwrap(),
            key,
        }
    }
}

impl Identity {
    fn self_signed(params: CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap(),
            key,
        }
    }

    fn shown_by(&self, builder: HttpTransportBuilder) -> HttpTransportBuilder {
        let key = SecretString::from(self.key.serialize_pem());
        builder.client_certificate(&self.certificate.pem(), &key)
    }
}

/// For this machine, under both of its names.
pub(crate) fn local() -> CertificateParams {
    named(&["localhost", "127.0.0.1"])
}

fn named(names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    CertificateParams::new(names).unwrap()
}

/// Answers every request with the version of HTTP that it came by.
pub(crate) struct Server {
    pub(crate) url: String,
    connections: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<HeaderMap>>>,
}

#[derive(Default)]
pub(crate) struct Settings {
    /// Who signs the certificates that clients have to show.
    pub(crate) clients_of: Option<CertificateDer<'static>>,
    pub(crate) only_http_1: bool,
    /// The first answers break off in the middle of their bodies.
    pub(crate) broken_answers: usize,
    /// What comes with every answer in a header.
    pub(crate) token: &'static str,
}

impl Server {
    pub(crate) async fn start(identity: &Identity, settings: Settings) -> Self {
        let provider: Arc<CryptoProvider> = Arc::new(aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .unwrap();
        let config = match settings.clients_of {
            None => config.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                config.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let chain = vec![identity.certificate.der().clone()];
        let key = PrivateKeyDer::Pkcs8(identity.key.serialize_der().into());
        let mut config = config.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = match settings.only_http_1 {
            true => vec![b"http/1.1".to_vec()],
            false => vec![b"h2".to_vec(), b"http/1.1".to_vec()],
        };

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            url: format!("https://{}/", listener.local_addr().unwrap()),
            connections: Arc::default(),
            heard: Arc::default(),
        };
        let (connections, heard) = (server.connections.clone(), server.heard.clone());
        let to_break = Arc::new(AtomicUsize::new(settings.broken_answers));
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (acceptor, heard, to_break) =
                    (acceptor.clone(), heard.clone(), to_break.clone());
                tokio::spawn(async move {
                    // Clients that do not trust us hang up.
                    let Ok(stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let service = service_fn(|request: http::Request<Incoming>| {
                        heard.lock().unwrap().push(request.headers().clone());
                        let version = format!("{:?}", request.version());
                        let broken = to_break
                            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
                            .is_ok();
                        async move {
                            let response = http::Response::builder()
                                .header("x-token", settings.token)
                                .body(body(version, broken))
                                .unwrap();
                            Ok::<_, Infallible>(response)
                        }
                    });
                    // It ends with an error when a body breaks off, and when a client goes away.
                    let _ = if is_http_2 {
                        hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await
                    } else {
                        hyper::server::conn::http1::Builder::new()
                            .serve_connection(TokioIo::new(stream), service)
                            .await
                    };
                });
            }
        });
        server
    }

    /// Connections that were begun.
    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn heard(&self) -> Vec<HeaderMap> {
        self.heard.lock().unwrap().clone()
    }
}

fn body(text: String, broken: bool) -> BoxBody<Bytes, std::io::Error> {
    if !broken {
        return Full::from(text).map_err(|never| match never {}).boxed();
    }
    let half = Ok(Frame::data(Bytes::from(text).slice(..3)));
    let end = Err(std::io::Error::other("the rest got lost"));
    StreamBody::new(stream::iter([half, end])).boxed()
}

/// One whole exchange, with all its repeats.
async fn ask(builder: HttpTransportBuilder, url: &str) -> Result<Response, Error> {
    let transport = Arc::new(builder.build().unwrap());
    let client = Client::builder(transport).seed(1).build();
    let how = Exchange::new(&Unauthenticated);
    client.send(get(url), &how, Response::success).await
}

fn trusting(authority: &Authority) -> HttpTransportBuilder {
    HttpTransport::builder().root_certificates(authority.pem())
}

#[tokio::test]
async fn a_certificate_that_cannot_be_trusted_is_asked_for_once_and_the_reason_given() {
    let authority = Authority::new();
    let mut expired = local();
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let mut too_early = local();
    too_early.not_before = date_time_ymd(3001, 1, 1);
    too_early.not_after = date_time_ymd(3002, 1, 1);
    let known = || trusting(&authority);
    let unknown = HttpTransport::builder;
    let cases = [
        (authority.issue(local()), unknown(), "caFile"),
        (Identity::self_signed(local()), unknown(), "caFile"),
        (Authority::new().issue(local()), known(), "caFile"),
        (
            authority.issue(named(&["other.example"])),
            known(),
            "another host",
        ),
        (authority.issue(expired), known(), "expired"),
        (authority.issue(too_early), known(), "not valid yet"),
    ];
    for (identity, builder, reason) in cases {
        let server = Server::start(&identity, Settings::default()).await;
        let error = ask(builder, &server.url).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Connect);
        assert!(!error.is_retryable());
        assert!(error.to_string().contains(reason), "{reason}: {error}");
        assert_eq!((server.connections(), error.attempts()), (1, 1), "{reason}");
        assert!(server.heard().is_empty());
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_makes_a_server_trusted() {
    let (authority, other) = (Authority::new(), Authority::new());
    let self_signed = Identity::self_signed(local());
    let cases = [
        (authority.issue(local()), trusting(&authority)),
        (
            authority.issue(local()),
            trusting(&other).root_certificates(authority.pem()),
        ),
        (
            authority.issue(local()),
            HttpTransport::builder().root_certificates(other.pem() + &authority.pem()),
        ),
        (
            authority.issue(local()),
            HttpTransport::builder().verify_tls(false),
        ),
    ];
    for (identity, builder) in cases {
        let server = Server::start(&identity, Settings::default()).await;
        ask(builder, &server.url).await.unwrap();
        assert_eq!(server.heard().len(), 1);
    }
    // A server that signed its certificate itself is its own authority.
    let server = Server::start(&self_signed, Settings::default()).await;
    let builder = HttpTransport::builder().root_certificates(self_signed.certificate.pem());
    let by_name = server.url.replace("127.0.0.1", "localhost");
    ask(builder, &by_name).await.unwrap();
}

#[tokio::test]
async fn a_server_that_knows_its_clients_takes_their_certificate_and_no_other() {
    let authority = Authority::new();
    let client = authority.issue(named(&["us"]));
    let stranger = Authority::named("another").issue(named(&["us"]));
    let impostor = Authority::new().issue(named(&["us"]));
    for only_http_1 in [true, false] {
        let settings = || Settings {
            clients_of: Some(authority.der()),
            only_http_1,
            ..Settings::default()
        };
        let server = Server::start(&authority.issue(local()), settings()).await;
        ask(client.shown_by(trusting(&authority)), &server.url)
            .await
            .unwrap();
        assert_eq!(server.heard().len(), 1);

        for builder in [
            trusting(&authority),
            stranger.shown_by(trusting(&authority)),
            impostor.shown_by(trusting(&authority)),
        ] {
            let server = Server::start(&authority.issue(local()), settings()).await;
            let error = ask(builder, &server.url).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
            assert!(error.to_string().contains("clientCert"), "{error:?}");
            assert_eq!(
                (server.connections(), server.heard().len()),
                (1, 0),
                "{error:?}"
            );
        }
    }
}

#[tokio::test]
async fn http_2_is_spoken_where_the_server_speaks_it() {
    let authority = Authority::new();
    for (only_http_1, version) in [(false, "HTTP/2.0"), (true, "HTTP/1.1")] {
        let settings = Settings {
            only_http_1,
            ..Settings::default()
        };
        let server = Server::start(&authority.issue(local()), settings).await;
        let transport = trusting(&authority).build().unwrap();
        let asked = (0..5).map(|_| transport.send(get(&server.url)));
        for response in futures::future::join_all(asked).await {
            assert_eq!(response.unwrap().body, version);
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_is_asked_for_again_over_http_2_too() {
    let authority = Authority::new();
    for (only_http_1, version) in [(false, "HTTP/2.0"), (true, "HTTP/1.1")] {
        let settings = || Settings {
            only_http_1,
            broken_answers: 1,
            ..Settings::default()
        };
        let server = Server::start(&authority.issue(local()), settings()).await;
        let transport = trusting(&authority).build().unwrap();
        let error = transport.send(get(&server.url)).await.unwrap_err();
        // The head may not be on its way yet when the stream of HTTP/2 is given up.
        assert!(
            matches!(error.kind(), ErrorKind::Truncated | ErrorKind::Reset),
            "{error:?}"
        );
        assert!(error.is_retryable());

        let server = Server::start(&authority.issue(local()), settings()).await;
        let response = ask(trusting(&authority), &server.url).await.unwrap();
        assert_eq!(response.body, version);
        assert_eq!(server.heard().len(), 2);
    }
}

#[tokio::test]
async fn a_server_that_never_ends_its_handshake_runs_into_the_connect_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let transport = HttpTransport::builder()
        .connect_timeout(Duration::from_millis(100))
        .build()
        .unwrap();
    let error = transport.send(get(&url)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connect, "{error:?}");
    assert!(error.is_retryable());
}

#[test]
fn certificates_and_keys_that_cannot_be_read_are_refused_and_never_shown() {
    let identity = Authority::new().issue(local());
    let other = Authority::new().issue(local());
    let (certificate, key) = (identity.certificate.pem(), identity.key.serialize_pem());
    let canary = "s3cretKeyMaterial";
    let broken = key
        .replace('\n', "\ns3cretKeyMaterial")
        .replacen(canary, "", 1);
    let http = HttpTransport::builder;
    let with = |certificate: &str, key: &str| {
        http().client_certificate(certificate, &key.to_owned().into())
    };
    let cases = [
        (http().root_certificates("no PEM"), "caFile"),
        (http().root_certificates(""), "caFile"),
        (http().root_certificates(&key), "caFile"),
        (
            http().root_certificates(
                "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            ),
            "",
        ),
        (with("", ""), "clientCert"),
        (with(&certificate, ""), "clientCert"),
        (with("", &key), "clientCert"),
        (with(&certificate, &broken), "clientCert"),
        (with(&certificate, &other.key.serialize_pem()), "clientKey"),
    ];
    for (n, (builder, setting)) in cases.into_iter().enumerate() {
        let shown = format!("{builder:?}");
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{n}");
        assert!(error.to_string().contains(setting), "{n}: {error}");
        let body_of_key = key.lines().nth(1).unwrap();
        for secret in [canary, body_of_key] {
            assert!(!format!("{shown}{error}{error:?}").contains(secret), "{n}");
        }
    }
    let good = with(&certificate, &key);
    assert!(!format!("{good:?}{:?}", good.clone().build().unwrap()).contains("BEGIN"));
}
