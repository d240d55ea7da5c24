use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};

use crate::{Error, ErrorKind, Request, Response, Transport};

/// A connection attempt that takes longer has failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The time for one attempt, from the connection to the last byte of the body, unless set.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
/// Many servers close idle connections after 20 s and more: ours are given up before.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Enough for a page of a thousand large records; a compressed bomb stops here.
const MAX_BODY_BYTES: u64 = 64 << 20;
/// A length that is only announced reserves no more memory than this.
const LARGEST_GUESS: u64 = 1 << 20;

const USER_AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));

/// The [`Transport`] that talks to the network: HTTP/1.1 and HTTP/2, TLS, gzip, brotli, zstd,
/// deflate.
///
/// Redirects are not followed, no `Referer` is sent, and a request without `User-Agent` gets
/// `longshore/<version>`. Connections are kept for 15 s of idleness. Clones share them.
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
}

impl HttpTransport {
    /// Starts from the defaults: 10 s to connect, 30 s for an attempt, certificates verified,
    /// 64 MiB of body.
    pub fn builder() -> HttpTransportBuilder {
        HttpTransportBuilder {
            timeout: DEFAULT_TIMEOUT,
            connect_timeout: CONNECT_TIMEOUT,
            verify_tls: true,
            max_body_bytes: MAX_BODY_BYTES,
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
        let (kind, message) = if error.is_connect() {
            (ErrorKind::Connect, connect_message(&error))
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
        let mut builder = self.client.request(method, url.clone()).headers(headers);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let mut answer = builder.send().await.map_err(|error| self.explain(error))?;
        let status = answer.status();
        let headers = std::mem::take(answer.headers_mut());
        let body = self.read_body(answer).await?;
        Ok(Response {
            status,
            headers,
            body,
            url,
        })
    }
}

/// Settings of an [`HttpTransport`].
#[derive(Clone, Debug)]
pub struct HttpTransportBuilder {
    timeout: Duration,
    connect_timeout: Duration,
    verify_tls: bool,
    max_body_bytes: u64,
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

    /// Builds the transport; opens no connection.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when TLS cannot be set up, for example because the system has no
    /// certificate authorities.
    pub fn build(self) -> Result<HttpTransport, Error> {
        let client = reqwest::Client::builder()
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
                let message = "TLS cannot be set up; are the system's CA certificates installed?";
                Error::new(ErrorKind::Config, message).with_source(error.without_url())
            })?;
        Ok(HttpTransport {
            client,
            timeout: self.timeout,
            max_body_bytes: self.max_body_bytes,
        })
    }
}

fn connect_message(error: &reqwest::Error) -> String {
    let (mut untrusted, mut not_tls) = (false, false);
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        untrusted |= text.contains("certificate");
        not_tls |= text.contains("InvalidContentType") || text.contains("corrupt message");
        cause = error.source();
    }
    if not_tls {
        "the server does not answer in TLS; if it is meant to be plain HTTP, begin baseUrl with http://".to_owned()
    } else if untrusted {
        "the server's certificate is not trusted; install its authority, \
         or set verifySsl to false if you accept the risk"
            .to_owned()
    } else {
        "no connection; check the host and port of baseUrl".to_owned()
    }
}
