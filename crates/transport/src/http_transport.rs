use std::error::Error as StdError;
use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use secrecy::{ExposeSecret as _, SecretString};
use url::{Host, Url};

use crate::private::is_private;
use crate::{Error, ErrorKind, Request, Response, Transport};

/// A connection attempt that takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for one attempt, from the connection to the last byte of the body, unless set.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Many servers close idle connections after 20 s and more: ours are given up before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest body that is read, in bytes, unless set: enough for a page of a thousand large records, and a compressed bomb stops
/// here.
pub const DEFAULT_MAX_BODY_BYTES: u64 = 64 << 20;
/// A length that is only announced reserves no more memory than this.
const LARGEST_GUESS: u64 = 1 << 20;

const USER_AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));

/// The [`Transport`] that talks to the network: HTTP/1.1 and HTTP/2, TLS, gzip, brotli, zstd,
/// deflate.
///
/// Redirects are not followed, no `Referer` is sent, and a request without `User-Agent` gets
/// `longshore/<version>`. Connections are kept for 15 s of idleness. Clones share them. The proxy that
/// the variables `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` of the environment name is used, unless the builder says otherwise.
///
/// ```no_run
/// use std::time::Duration;
/// use longshore_transport::HttpTransport;
///
/// # fn main() -> Result<(), longshore_transport::Error> {
/// let transport = HttpTransport::builder()
///     .timeout(Duration::from_secs(60))
///     .max_body_bytes(8 << 20)
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct HttpTransport {
    client: reqwest::Client,
    timeout: Duration,
    max_body_bytes: u64,
    has_proxy: bool,
    deny_private_addresses: bool,
}

impl HttpTransport {
    /// Starts from the defaults: 10 s to connect, 30 s for an attempt, certificates verified,
    /// 64 MiB of body.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder {
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            verify_tls: true,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            proxy: None,
            root_certificates: Vec::new(),
            client_certificate: None,
            deny_private_addresses: false,
        }
    }

    async fn read_body(&self, mut response: reqwest::Response) -> Result<Bytes, Error> {
        // Known only where nothing has to be decompressed; the loop counts in any case.
        let announced = response.content_length().unwrap_or_default();
        if announced > self.max_body_bytes {
            return Err(self.too_large());
        }
        let room = announced.min(LARGEST_GUESS);
        let mut body = BytesMut::with_capacity(usize::try_from(room).unwrap_or_default());
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|error| self.explain(error))?
        {
            if (body.len() + chunk.len()) as u64 > self.max_body_bytes {
                return Err(self.too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn too_large(&self) -> Error {
        let message = format!(
            "the body is larger than {} bytes (decompressed); ask for smaller pages",
            self.max_body_bytes
        );
        Error::new(ErrorKind::BodyTooLarge, message)
    }

    /// The only way from an error of the HTTP library to ours: its URL is removed here.
    fn explain(&self, error: reqwest::Error) -> Error {
        let error = error.without_url();
        if let Some(reason) = lasting_reason(&error) {
            return Error::new(ErrorKind::Connect, reason)
                .retryable(false)
                .with_source(error);
        }
        let (kind, message) = if error.is_connect() {
            let what = match self.has_proxy {
                true => "no connection; check proxy, and the host and port of baseUrl",
                false => "no connection; check the host and port of baseUrl",
            };
            (ErrorKind::Connect, what.to_owned())
        } else if error.is_timeout() {
            let message = format!("no whole answer within {:?}; raise timeout", self.timeout);
            (ErrorKind::Timeout, message)
        } else if error.is_body() || error.is_decode() {
            let message = "the body was cut short or cannot be decompressed";
            (ErrorKind::Truncated, message.to_owned())
        } else if error.is_builder() {
            let message = "the request cannot be sent as it is configured";
            (ErrorKind::Config, message.to_owned())
        } else {
            let message = "the connection broke before an answer came";
            (ErrorKind::Reset, message.to_owned())
        };
        Error::new(kind, message).with_source(error)
    }
}

#[async_trait]
impl Transport for HttpTransport {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let Request {
            method,
            url,
            headers,
            body,
        } = request;
        if self.deny_private_addresses && is_private_literal(&url) {
            return Err(Error::new(ErrorKind::Connect, PrivateAddress.to_string()).retryable(false));
        }
        let mut builder = self.client.request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let mut answer = builder.send().await.map_err(|error| self.explain(error))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = self.read_body(answer).await?;
        Ok(Response::new(status, headers, body, url))
    }
}

/// Settings of an [`HttpTransport`].
#[derive(Clone)]
pub struct HttpTransportBuilder {
    timeout: Duration,
    connect_timeout: Duration,
    verify_tls: bool,
    max_body_bytes: u64,
    proxy: Option<SecretString>,
    root_certificates: Vec<u8>,
    /// The certificate and its key, one after the other.
    client_certificate: Option<SecretString>,
    deny_private_addresses: bool,
}

impl fmt::Debug for HttpTransportBuilder {
    /// Shows neither the proxy, whose URL may hold a password, nor the client's key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpTransportBuilder")
            .field("timeout", &self.timeout)
            .field("connect_timeout", &self.connect_timeout)
            .field("verify_tls", &self.verify_tls)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("deny_private_addresses", &self.deny_private_addresses)
            .finish_non_exhaustive()
    }
}

impl HttpTransportBuilder {
    /// The time for one attempt in all, body included. A server that sends a byte now and then
    /// does not prolong it.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// The time for name resolution, connection and TLS.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Whether certificates are verified. `false` lets anyone in between read the credentials.
    #[must_use]
    pub fn verify_tls(mut self, verify: bool) -> Self {
        self.verify_tls = verify;
        self
    }

    /// The largest body that is read, in bytes, counted after decompression.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: u64) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Sends everything through this proxy, whatever the environment says: an `http` or `https` URL, which may hold a user name and
    /// a password.
    #[must_use]
    pub fn proxy(mut self, url: impl Into<SecretString>) -> Self {
        self.proxy = Some(url.into());
        self
    }

    /// Certificate authorities that are trusted beside the system's, as PEM.
    #[must_use]
    pub fn root_certificates(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.root_certificates.extend_from_slice(pem.as_ref());
        self.root_certificates.push(b'\n');
        self
    }

    /// The certificate, with its chain, and the private key that the client shows to servers that ask for one (mutual TLS), as PEM.
    /// The key is PKCS #8, PKCS #1 or SEC 1, and not encrypted.
    #[must_use]
    pub fn client_certificate(mut self, certificate: &str, key: &SecretString) -> Self {
        let both = format!("{certificate}\n{}", key.expose_secret());
        self.client_certificate = Some(both.into());
        self
    }

    /// Connects to public addresses only: for services whose URLs come from people that shall not reach the network around the
    /// service, such as a cloud's metadata. A host name is checked by the addresses that it resolves to, and only those are connected
    /// to. Proxies of the environment are not used, because they would resolve names by themselves.
    #[must_use]
    pub fn deny_private_addresses(mut self, deny: bool) -> Self {
        self.deny_private_addresses = deny;
        self
    }

    /// Builds the transport; opens no connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when TLS cannot be set up, for example because the system has no
    /// certificate authorities; for certificates and keys that cannot be read; for a proxy that is no URL, or that would have to
    /// resolve names whose private addresses are denied.
    pub fn build(self) -> Result<HttpTransport, Error> {
        let mut client = reqwest::Client::builder();
        if self.deny_private_addresses {
            if self.proxy.is_some() {
                let message = "denyPrivateAddresses cannot hold behind a proxy, which resolves names by itself; set one of the two";
                return Err(Error::new(ErrorKind::Config, message));
            }
            client = client.no_proxy().dns_resolver(PublicOnly);
        }
        if let Some(proxy) = &self.proxy {
            client = client.proxy(read_proxy(proxy.expose_secret())?);
        }
        if !self.root_certificates.is_empty() {
            client = client.tls_certs_merge(read_roots(&self.root_certificates)?);
        }
        if let Some(pem) = &self.client_certificate {
            let identity = reqwest::Identity::from_pem(pem.expose_secret().as_bytes()).map_err(|error| {
                let message = "clientCert and clientKey cannot be read: write a certificate and its private key as PEM, the key not encrypted";
                Error::new(ErrorKind::Config, message).with_source(error.without_url())
            })?;
            client = client.identity(identity);
        }
        let has_identity = self.client_certificate.is_some();
        let client = client
            .user_agent(USER_AGENT)
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            // There is one retry loop, and it is not in here.
            .retry(reqwest::retry::never())
            .timeout(self.timeout)
            .connect_timeout(self.connect_timeout)
            .pool_idle_timeout(IDLE_TIMEOUT)
            .tls_danger_accept_invalid_certs(!self.verify_tls)
            .build()
            .map_err(|error| {
                let message = match has_identity {
                    true => "TLS cannot be set up; does clientKey belong to clientCert, and are the system's CA certificates installed?",
                    false => "TLS cannot be set up; are the system's CA certificates installed?",
                };
                Error::new(ErrorKind::Config, message).with_source(error.without_url())
            })?;
        Ok(HttpTransport {
            client,
            timeout: self.timeout,
            max_body_bytes: self.max_body_bytes,
            has_proxy: self.proxy.is_some(),
            deny_private_addresses: self.deny_private_addresses,
        })
    }
}

fn read_proxy(text: &str) -> Result<reqwest::Proxy, Error> {
    let refuse = || {
        let message = "proxy must be an http:// or https:// URL, as in http://proxy.example:3128";
        Error::new(ErrorKind::Config, message)
    };
    let url = Url::parse(text).map_err(|error| refuse().with_source(error))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(refuse());
    }
    // Its error may hold the text.
    reqwest::Proxy::all(url).map_err(|error| refuse().with_source(error.without_url()))
}

fn read_roots(pem: &[u8]) -> Result<Vec<reqwest::Certificate>, Error> {
    let refuse = || {
        let message = "caFile holds no certificate; write one or more as PEM";
        Error::new(ErrorKind::Config, message)
    };
    let roots = reqwest::Certificate::from_pem_bundle(pem)
        .map_err(|error| refuse().with_source(error.without_url()))?;
    if roots.is_empty() {
        return Err(refuse());
    }
    Ok(roots)
}

/// The host is an address, which no resolver ever sees, and a private one.
fn is_private_literal(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => is_private(address.into()),
        Some(Host::Ipv6(address)) => is_private(address.into()),
        Some(Host::Domain(_)) | None => false,
    }
}

/// Resolves names as the system does and keeps public addresses only, so that what is connected to is what was checked.
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> =
                found.filter(|address| !is_private(address.ip())).collect();
            if public.is_empty() {
                return Err(PrivateAddress.into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

#[derive(Debug)]
struct PrivateAddress;

impl fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host has a private address, and denyPrivateAddresses is set")
    }
}

impl StdError for PrivateAddress {}

/// Why a connection cannot be had for as long as nobody changes a setting or a certificate. The libraries below say it in words only.
fn lasting_reason(error: &reqwest::Error) -> Option<String> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<PrivateAddress>() {
            return Some(error.to_string());
        }
        let text = error.to_string();
        let reason = LASTING_REASONS
            .iter()
            .find(|(words, _)| words.iter().all(|word| text.contains(word)));
        if let Some((_, reason)) = reason {
            return Some((*reason).to_owned());
        }
        cause = error.source();
    }
    None
}

/// Words of an error, all of which must be there, and what to do about it. The first that fits counts.
const LASTING_REASONS: &[(&[&str], &str)] = &[
    (
        &["received corrupt message", "InvalidContentType"],
        "the server does not answer in TLS; if it is meant to be plain HTTP, begin baseUrl with http://",
    ),
    (
        &["invalid peer certificate", "not valid for name"],
        "the server's certificate is for another host; check the host of baseUrl",
    ),
    (
        &["invalid peer certificate", "expired"],
        "the server's certificate has expired; it needs a new one (and this machine the right time)",
    ),
    (
        &["invalid peer certificate", "not valid yet"],
        "the server's certificate is not valid yet; check the time of this machine",
    ),
    (
        &["invalid peer certificate"],
        "the server's certificate is not trusted; name the authority that signed it in caFile, \
         or set verifySsl to false if you accept the risk",
    ),
    // "BadCertificate", "CertificateRequired" and their like.
    (&["received fatal alert", "ertificate"], REFUSED_OURS),
    (&["received fatal alert", "UnknownCA"], REFUSED_OURS),
    (&["received fatal alert", "AccessDenied"], REFUSED_OURS),
    // A signature of the handshake does not hold: signed by an authority that has the right name only.
    (&["received fatal alert", "DecryptError"], REFUSED_OURS),
    (
        &["proxy authorization required"],
        "the proxy asks for a user name and a password; write them into proxy, as in http://user:password@proxy.example:3128",
    ),
];

const REFUSED_OURS: &str =
    "the server refused our certificate; set clientCert and clientKey to those that it expects";
