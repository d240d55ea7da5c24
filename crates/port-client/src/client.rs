//! The client, its settings, and the one way in which it talks to Port.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue, USER_AGENT};
use http::{Method, StatusCode};
use longshore_transport::{
    self as transport, Attempt, Client, Exchange, Origin, Request, Response,
};
use secrecy::SecretString;
use url::Url;

use crate::pace::Pace;
use crate::refusal::{Refusal, said};
use crate::time::LastAnswer;
use crate::token::{PortToken, TOKEN_PATH, TokenSource};
use crate::{Error, ErrorKind};

/// Bulk calls that are under way at once, unless set.
pub const CONCURRENT_BATCHES: usize = 4;

/// A client for Port's API, for one integration.
///
/// Cloning is cheap; clones share the token. All calls are safe to repeat, and are repeated by the rules of the transport that the client was
/// built with: waits that Port tells are kept, temporary failures are retried, a rejected token is renewed once. When a fifth of Port's rate limit
/// is left (`x-ratelimit-remaining` of `x-ratelimit-limit`), calls are spread evenly over the rest of its window; when nothing is left, they
/// wait for the next one.
///
/// Every call carries `User-Agent: port-ocean/<type>/<version>/<identifier>/exporter`. Port remembers it as the source of what
/// is written, and [`PortClient::owned`] finds it again by that.
#[derive(Clone)]
pub struct PortClient {
    pub(crate) shared: Arc<Shared>,
    resync_id: Option<Arc<str>>,
}

pub(crate) struct Shared {
    http: Client,
    pub(crate) base_url: Url,
    token: PortToken,
    user_agent: HeaderValue,
    pub(crate) kind: String,
    pub(crate) identifier: String,
    pub(crate) version: String,
    pub(crate) concurrent_batches: usize,
    on_attempt: Option<OnAttempt>,
    last_answer: LastAnswer,
    pace: Pace,
}

pub(crate) type OnAttempt = Arc<dyn Fn(&Attempt) + Send + Sync>;

impl PortClient {
    /// Starts a client that sends through `http`. Its retry policy, clock and concurrency hold here too.
    pub fn builder(http: Client) -> PortClientBuilder {
        PortClientBuilder {
            http,
            base_url: None,
            credentials: None,
            integration: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            resync_id: None,
            concurrent_batches: CONCURRENT_BATCHES,
            on_attempt: None,
        }
    }

    /// The same client for another resync: with an id, entity calls tell Port that they belong to it.
    #[must_use]
    pub fn with_resync_id(&self, resync_id: Option<String>) -> PortClient {
        PortClient {
            shared: Arc::clone(&self.shared),
            resync_id: resync_id.map(Into::into),
        }
    }

    /// The latest time of day, by Port's clock and to the second, of all answers so far; `None` before the first.
    pub fn last_answer(&self) -> Option<SystemTime> {
        self.shared.last_answer.time()
    }

    /// Which integration at which Port this is, as text: equal for clients that own the same entities.
    pub fn source(&self) -> String {
        let shared = &*self.shared;
        let address = shared.base_url.as_str().trim_end_matches('/');
        format!("{address} {}/{}", shared.kind, shared.identifier)
    }

    /// The query that marks an entity call as part of a resync.
    pub(crate) fn resync_query(&self) -> impl Iterator<Item = (&'static str, String)> + use<> {
        self.resync_id.clone().into_iter().flat_map(|id| {
            [
                ("ocean_info_event_type", "resync".to_owned()),
                ("ocean_info_resync_id", id.as_ref().to_owned()),
            ]
        })
    }

    /// Every request but the token's goes through here.
    pub(crate) async fn call<T: Send>(
        &self,
        call: &Call,
        read: impl Fn(Response) -> Result<T, transport::Error> + Send + Sync,
    ) -> Result<T, Error> {
        let shared = &*self.shared;
        let request = call
            .request(shared)
            .map_err(|error| Error::exchange(&call.doing, error))?;
        let mut exchange = Exchange::new(&shared.token).label(call.template);
        if let Some(on_attempt) = &shared.on_attempt {
            exchange = exchange.on_attempt(&**on_attempt);
        }
        let read = |response: Response| {
            shared.last_answer.note(&response);
            shared.pace.note(&response);
            read(response)
        };
        let _in_flight = shared.pace.pass().await;
        shared
            .http
            .send(request, &exchange, read)
            .await
            .map_err(|error| Error::exchange(&call.doing, error))
    }
}

impl PortClient {
    /// As [`PortClient::call`] for requests about something that people write: the error of a refusal holds Port's own words.
    pub(crate) async fn ask<T: Send>(
        &self,
        call: &Call,
        read: impl Fn(Response) -> Result<T, transport::Error> + Send + Sync,
    ) -> Result<T, Error> {
        let answer = self
            .call(call, |response| match response.status {
                StatusCode::BAD_REQUEST
                | StatusCode::CONFLICT
                | StatusCode::UNPROCESSABLE_ENTITY => {
                    Ok(Err((response.status, said(Refusal::of(&response).text()))))
                }
                _ => read(response.success()?).map(Ok),
            })
            .await?;
        answer.map_err(|(status, words)| Error::refused(&call.doing, status, &words))
    }
}

impl fmt::Debug for PortClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortClient")
            .field("origin", &Origin::of(&self.shared.base_url).ok())
            .field("user_agent", &self.shared.user_agent)
            .field("resync_id", &self.resync_id)
            .finish_non_exhaustive()
    }
}

/// Where a request goes.
pub(crate) enum Address {
    /// Below the base URL, with its names encoded.
    Path(String),
    /// An address of Port's own that it has told.
    Told(Url),
}

impl From<String> for Address {
    fn from(path: String) -> Self {
        Address::Path(path)
    }
}

impl From<Url> for Address {
    fn from(url: Url) -> Self {
        Address::Told(url)
    }
}

/// One request to Port.
pub(crate) struct Call {
    method: Method,
    to: Address,
    /// The path without names, for errors and metrics.
    template: &'static str,
    /// Completes "… while …" in errors.
    doing: String,
    query: Vec<(&'static str, String)>,
    body: Option<Bytes>,
}

impl Call {
    pub(crate) fn get(path: String, template: &'static str, doing: &str) -> Call {
        Call::new(Method::GET, path, template, doing.to_owned(), None)
    }

    pub(crate) fn post(
        to: impl Into<Address>,
        template: &'static str,
        doing: String,
        body: Bytes,
    ) -> Call {
        Call::new(Method::POST, to, template, doing, Some(body))
    }

    pub(crate) fn put(
        to: impl Into<Address>,
        template: &'static str,
        doing: &str,
        body: Bytes,
    ) -> Call {
        Call::new(Method::PUT, to, template, doing.to_owned(), Some(body))
    }

    pub(crate) fn patch(path: String, template: &'static str, doing: &str, body: Bytes) -> Call {
        Call::new(Method::PATCH, path, template, doing.to_owned(), Some(body))
    }

    fn new(
        method: Method,
        to: impl Into<Address>,
        template: &'static str,
        doing: String,
        body: Option<Bytes>,
    ) -> Call {
        Call {
            method,
            to: to.into(),
            template,
            doing,
            query: Vec::new(),
            body,
        }
    }

    pub(crate) fn query(mut self, query: impl IntoIterator<Item = (&'static str, String)>) -> Call {
        self.query.extend(query);
        self
    }

    fn request(&self, shared: &Shared) -> Result<Request, transport::Error> {
        let mut url = match &self.to {
            Address::Path(path) => transport::join(&shared.base_url, path)?,
            Address::Told(url) => url.clone(),
        };
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        let mut request = Request::new(self.method.clone(), url);
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        request
            .headers
            .insert(USER_AGENT, shared.user_agent.clone());
        if let Some(body) = &self.body {
            request
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            request.body = Some(body.clone());
        }
        Ok(request)
    }
}

/// Settings of a [`PortClient`]; the base URL, the credentials and the integration are needed.
#[must_use]
pub struct PortClientBuilder {
    http: Client,
    base_url: Option<Url>,
    credentials: Option<(String, SecretString)>,
    integration: Option<(String, String)>,
    version: String,
    resync_id: Option<String>,
    concurrent_batches: usize,
    on_attempt: Option<OnAttempt>,
}

impl PortClientBuilder {
    /// The address of Port's API, without `/v1`: `https://api.getport.io`, or `https://api.us.getport.io` for accounts in the US region.
    pub fn base_url(mut self, base_url: Url) -> Self {
        self.base_url = Some(base_url);
        self
    }

    /// The client id and secret of the account. They go to the token route of the base URL and nowhere else.
    pub fn credentials(
        mut self,
        client_id: impl Into<String>,
        client_secret: impl Into<SecretString>,
    ) -> Self {
        self.credentials = Some((client_id.into(), client_secret.into()));
        self
    }

    /// The type of the integration (such as `custom`) and the identifier of this installation.
    pub fn integration(mut self, kind: impl Into<String>, identifier: impl Into<String>) -> Self {
        self.integration = Some((kind.into(), identifier.into()));
        self
    }

    /// The version in the `User-Agent`, instead of this crate's. It plays no part in ownership.
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// Marks all entity calls as part of this resync. See [`PortClient::with_resync_id`].
    pub fn resync_id(mut self, resync_id: Option<String>) -> Self {
        self.resync_id = resync_id;
        self
    }

    /// How many bulk calls may be under way at once: 4 unless set, at least 1.
    pub fn concurrent_batches(mut self, batches: usize) -> Self {
        self.concurrent_batches = batches.max(1);
        self
    }

    /// Is told about every single request, the token's included, for progress and metrics.
    pub fn on_attempt(mut self, on_attempt: Arc<dyn Fn(&Attempt) + Send + Sync>) -> Self {
        self.on_attempt = Some(on_attempt);
        self
    }

    /// The client. No request is made yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when something is missing or cannot be sent.
    pub fn build(self) -> Result<PortClient, Error> {
        let config = |message: &str| Error::new(ErrorKind::Config, message);
        let base_url = self
            .base_url
            .ok_or_else(|| config("Port's address is missing: set OCEAN__PORT__BASE_URL"))?;
        transport::parse_url(base_url.as_str()).map_err(|error| {
            config("Port's address cannot be used: check OCEAN__PORT__BASE_URL").because(error)
        })?;
        let (client_id, client_secret) = self.credentials.ok_or_else(|| {
            config("Port's credentials are missing: set OCEAN__PORT__CLIENT_ID and OCEAN__PORT__CLIENT_SECRET")
        })?;
        let (kind, identifier) = self.integration.ok_or_else(|| {
            config("the integration's identifier is missing: set OCEAN__INTEGRATION__IDENTIFIER")
        })?;
        for (setting, value) in [
            ("OCEAN__INTEGRATION__TYPE", &kind),
            ("OCEAN__INTEGRATION__IDENTIFIER", &identifier),
            ("the version of the client", &self.version),
        ] {
            // Ownership is a prefix and a suffix of this header. With a slash in it, `prod` would own what `eu/prod` wrote.
            let fits = |b: u8| (b.is_ascii_graphic() && b != b'/') || b == b' ';
            if value.is_empty() || value.trim() != value || !value.bytes().all(fits) {
                return Err(Error::new(
                    ErrorKind::Config,
                    format!(
                        "{setting} must be ASCII text without `/`: Port tells by it which entities are ours"
                    ),
                ));
            }
        }
        let user_agent = HeaderValue::from_str(&format!(
            "port-ocean/{kind}/{}/{identifier}/exporter",
            self.version
        ))
        .map_err(|_| config("the integration's type and identifier cannot be sent as a header"))?;
        let token = PortToken::new(TokenSource {
            http: self.http.clone(),
            url: transport::join(&base_url, TOKEN_PATH)
                .map_err(|error| Error::exchange("setting up the token request", error))?,
            user_agent: user_agent.clone(),
            client_id,
            client_secret,
            on_attempt: self.on_attempt.clone(),
        });
        Ok(PortClient {
            shared: Arc::new(Shared {
                pace: Pace::new(self.http.clock().clone()),
                http: self.http,
                base_url,
                token,
                user_agent,
                kind,
                identifier,
                version: self.version,
                concurrent_batches: self.concurrent_batches,
                on_attempt: self.on_attempt,
                last_answer: LastAnswer::default(),
            }),
            resync_id: self.resync_id.map(Into::into),
        })
    }
}

impl fmt::Debug for PortClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortClientBuilder")
            .field("integration", &self.integration)
            .field("resync_id", &self.resync_id)
            .finish_non_exhaustive()
    }
}
