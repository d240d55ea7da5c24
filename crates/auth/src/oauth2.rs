use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::Method;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use longshore_jq::{Filter, Val};
use longshore_transport::{Client, Generation, Issued, Renewal, Request, SafeUrl, header};
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use crate::credential::config;
use crate::lasting::Lasting;
use crate::template::Answers;
use crate::token_request::{self, TokenAnswer};
use crate::{
    Assertion, Authenticator, Credential, CredentialSource, Error, ErrorKind, MemoryTokenStore,
    Renewing, TokenStore, expiry,
};

/// Access tokens from an OAuth 2.0 token endpoint (RFC 6749): fetched when first needed, renewed shortly before they expire and after a 401, by one request
/// for all.
///
/// A request that uses up a refresh token is a task of its own, and goes on until the token that comes for it is kept, also when nobody waits for it any
/// more: all other work ends when it is dropped. A program that ends should let it: see [`settled`](Authenticator::settled).
///
/// ```no_run
/// use longshore_auth::{ClientAuth, Grant, OAuth2};
/// use longshore_transport::{Client, parse_url};
///
/// # fn connect(client: Client) -> Result<OAuth2, longshore_auth::Error> {
/// OAuth2::builder(parse_url("https://login.example.com/oauth2/token")?, Grant::ClientCredentials)
///     .client("id", ClientAuth::Basic("s3cret".into()))
///     .scope("read")
///     .build(client)
/// # }
/// ```
#[derive(Debug)]
pub struct OAuth2(Renewing<Once>);

/// What a token is given for.
#[derive(Clone)]
#[non_exhaustive]
pub enum Grant {
    /// The client itself (RFC 6749 §4.4).
    ClientCredentials,
    /// A refresh token from an earlier login of a person (RFC 6749 §6). When the server replaces it, the new one is handed to the
    /// [`TokenStore`] before it is relied on.
    RefreshToken(SecretString),
    /// A user's name and password (RFC 6749 §4.3).
    Password {
        /// The name.
        username: String,
        /// The password.
        password: SecretString,
    },
    /// A signed assertion (RFC 7523 §2.1), as of Google's service accounts.
    JwtBearer(Assertion),
}

/// How the client shows who it is at the token endpoint.
#[derive(Clone)]
#[non_exhaustive]
pub enum ClientAuth {
    /// Its id alone, for public clients and for those that show a certificate (RFC 8705).
    None,
    /// `client_secret_basic`: HTTP Basic (RFC 6749 §2.3.1).
    Basic(SecretString),
    /// `client_secret_post`: in the form.
    Post(SecretString),
    /// `private_key_jwt` or `client_secret_jwt`: a signed assertion (RFC 7523 §2.2).
    Assertion(Assertion),
}

/// Collects the parts of an [`OAuth2`]. `Debug` shows no secret.
#[derive(Clone)]
pub struct OAuth2Builder {
    token_url: Url,
    grant: Grant,
    client_id: Option<String>,
    client_auth: ClientAuth,
    scopes: Vec<String>,
    parameters: Vec<(String, String)>,
    headers: HeaderMap,
    token_path: Option<Filter>,
    refresh_token_path: Option<Filter>,
    expiry_path: Option<Filter>,
    placed: (String, String),
    store: Option<Arc<dyn TokenStore>>,
}

impl OAuth2 {
    /// Tokens of `grant` from the endpoint at `token_url`, which may be of any origin: it gets what its request says and nothing
    /// else.
    pub fn builder(token_url: Url, grant: Grant) -> OAuth2Builder {
        OAuth2Builder {
            token_url,
            grant,
            client_id: None,
            client_auth: ClientAuth::None,
            scopes: Vec::new(),
            parameters: Vec::new(),
            headers: HeaderMap::new(),
            token_path: None,
            refresh_token_path: None,
            expiry_path: None,
            placed: (AUTHORIZATION.to_string(), "Bearer ".to_owned()),
            store: None,
        }
    }
}

impl OAuth2Builder {
    /// The client and how it shows who it is.
    #[must_use]
    pub fn client(mut self, id: impl Into<String>, auth: ClientAuth) -> Self {
        self.client_id = Some(id.into());
        self.client_auth = auth;
        self
    }

    /// Asks for a scope, or for several with blanks between them.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scopes.push(scope.into());
        self
    }

    /// Adds a parameter to the token request: `audience`, `resource` or whatever the server wants. It replaces one of the same name
    /// that would be sent anyway.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Adds a header to the token request.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name or a value that cannot be sent.
    pub fn header(mut self, name: &str, value: &str) -> Result<Self, Error> {
        let (name, value) = header(name, value)?;
        self.headers.insert(name, value);
        Ok(self)
    }

    /// jq to the token in the answer; `.access_token` unless set.
    #[must_use]
    pub fn token_path(mut self, path: Filter) -> Self {
        self.token_path = Some(path);
        self
    }

    /// jq to the refresh token that the server puts in the place of the one it was given; `refresh_token` or `refreshToken`, at the top of the answer or
    /// beside the token, unless set.
    #[must_use]
    pub fn refresh_token_path(mut self, path: Filter) -> Self {
        self.refresh_token_path = Some(path);
        self
    }

    /// jq to the lifetime in the answer, where it is not `expires_in`, `expires_at` or in the token itself (a JWT's `exp`): seconds, a moment in
    /// seconds or milliseconds since 1970, or a date. Null or nothing there: the token is used until it is rejected.
    #[must_use]
    pub fn expiry_path(mut self, path: Filter) -> Self {
        self.expiry_path = Some(path);
        self
    }

    /// The header that carries the token, and what stands before it; `Authorization` and `Bearer ` unless set.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a header that cannot be sent.
    pub fn placed(mut self, name: &str, prefix: &str) -> Result<Self, Error> {
        header(name, prefix)?;
        self.placed = (name.to_owned(), prefix.to_owned());
        Ok(self)
    }

    /// Where refresh tokens are kept that the server replaces; in memory unless set. Each login has a key of its own: several may share a store, and
    /// what is kept of an earlier one stays and is not looked at any more.
    #[must_use]
    pub fn token_store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Where tokens are asked for.
    pub fn token_url(&self) -> &Url {
        &self.token_url
    }

    /// The authenticator. Token requests go through `client`, with its timeouts, proxy, limits and clock. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when the parts do not fit together.
    pub fn build(&self, client: Client) -> Result<OAuth2, Error> {
        let secret = match &self.client_auth {
            ClientAuth::Basic(secret) | ClientAuth::Post(secret) => Some(secret),
            ClientAuth::None | ClientAuth::Assertion(_) => None,
        };
        if secret.is_some_and(|secret| secret.expose_secret().is_empty()) {
            return config("the client secret is empty");
        }
        if self.client_id.as_deref() == Some("") {
            return config("the client id is empty");
        }
        if matches!(self.grant, Grant::ClientCredentials)
            && matches!(self.client_auth, ClientAuth::None)
            && self.client_id.is_none()
        {
            return config("client credentials need a client id");
        }
        let clock = client.clock().clone();
        let login = Login {
            settings: self.clone(),
            client,
            store: match &self.store {
                Some(store) => Arc::clone(store),
                None => Arc::new(MemoryTokenStore::new()),
            },
            unsaved: Mutex::default(),
        };
        let login = Once {
            login: Arc::new(login),
            lasting: Lasting::new(clock.clone()),
        };
        Ok(OAuth2(Renewing::new(login, clock)))
    }

    /// Under which key a store keeps what descends from this refresh token: several people may have logged in to one client, and a token that
    /// is configured anew counts more than what is kept of the one before.
    fn store_key(&self, configured: &SecretString) -> String {
        let id = self.client_id.as_deref().unwrap_or_default();
        let digest = digest::digest(&digest::SHA256, configured.expose_secret().as_bytes());
        let login = URL_SAFE_NO_PAD.encode(&digest.as_ref()[..12]);
        format!("{} {id} {login}", SafeUrl::of(&self.token_url))
    }
}

#[async_trait]
impl Authenticator for OAuth2 {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        let (generation, token) = self.0.current().await?;
        token.put_on(request)?;
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.0.renew(rejected).await
    }

    async fn settled(&self) {
        self.0.source().lasting.settled().await;
    }
}

/// A login that ends with those who wait for it, unless it uses something up.
struct Once {
    login: Arc<Login>,
    lasting: Lasting<Issued<Credential>>,
}

#[async_trait]
impl CredentialSource for Once {
    type Credential = Credential;

    async fn fetch(&self) -> Result<Issued<Credential>, Error> {
        if !matches!(self.login.settings.grant, Grant::RefreshToken(_)) {
            return self.login.ask().await;
        }
        let login = Arc::clone(&self.login);
        let work = async move { login.ask().await };
        self.lasting.result_of(work).await
    }
}

/// One login.
struct Login {
    settings: OAuth2Builder,
    client: Client,
    store: Arc<dyn TokenStore>,
    /// A refresh token that the store could not take.
    unsaved: Mutex<Option<SecretString>>,
}

impl Login {
    async fn ask(&self) -> Result<Issued<Credential>, Error> {
        let refresh = match &self.settings.grant {
            Grant::RefreshToken(configured) => Some((configured, self.refresh(configured).await?)),
            _ => None,
        };
        if let Some((configured, _)) = &refresh {
            // What could not be saved last time: before the server replaces it once more.
            let unsaved = self.unsaved().clone();
            if let Some(token) = unsaved {
                self.keep(configured, token).await?;
            }
        }
        let request = self.request(refresh.as_ref().map(|(_, token)| token))?;
        let answer = token_request::ask(&self.client, request, &self.settings.token_url).await?;
        // First of all: whatever else is in the answer, the old one may be worth nothing any more.
        if let Some((configured, used)) = refresh
            && let Some(new) = self.replacement(&answer)
            && new.expose_secret() != used.expose_secret()
        {
            self.keep(configured, new).await?;
        }
        self.read(&answer)
    }

    /// The refresh token in an answer. One without it leaves the old one valid (RFC 6749 §6).
    fn replacement(&self, answer: &TokenAnswer) -> Option<SecretString> {
        let settings = &self.settings;
        let text = |found: &Val| {
            found
                .as_str()
                .filter(|text| !text.is_empty())
                .map(SecretString::from)
        };
        let at = |filter: &Filter| text(&filter.first(&answer.body).ok()??);
        if let Some(path) = &settings.refresh_token_path {
            return at(path);
        }
        let member = |name: &str| answer.body.get(name).and_then(text);
        let beside = |name: &str| at(&beside(settings.token_path.as_ref()?, name)?);
        REFRESH_TOKENS
            .iter()
            .find_map(|name| member(name).or_else(|| beside(name)))
    }

    fn request(&self, refresh: Option<&SecretString>) -> Result<Request, Error> {
        let settings = &self.settings;
        let mut form: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        match &settings.grant {
            Grant::ClientCredentials => add("grant_type", "client_credentials"),
            Grant::RefreshToken(configured) => {
                add("grant_type", "refresh_token");
                let token = refresh.unwrap_or(configured);
                add("refresh_token", token.expose_secret());
            }
            Grant::Password { username, password } => {
                add("grant_type", "password");
                add("username", username);
                add("password", password.expose_secret());
            }
            Grant::JwtBearer(assertion) => {
                add("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
                let assertion = assertion.sign(self.client.clock().wall())?;
                add("assertion", assertion.expose_secret());
            }
        }
        if !settings.scopes.is_empty() {
            add("scope", &settings.scopes.join(" "));
        }
        let mut headers = settings.headers.clone();
        let id = settings.client_id.as_deref();
        match (&settings.client_auth, id) {
            (ClientAuth::Basic(secret), Some(id)) => {
                headers.insert(AUTHORIZATION, basic(id, secret)?);
            }
            (ClientAuth::Post(secret), Some(id)) => {
                add("client_id", id);
                add("client_secret", secret.expose_secret());
            }
            (ClientAuth::Assertion(assertion), _) => {
                if let Some(id) = id {
                    add("client_id", id);
                }
                add(
                    "client_assertion_type",
                    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                );
                let assertion = assertion.sign(self.client.clock().wall())?;
                add("client_assertion", assertion.expose_secret());
            }
            (ClientAuth::None, Some(id)) => add("client_id", id),
            (_, None) => {}
        }
        form.retain(|(name, _)| !settings.parameters.iter().any(|(other, _)| other == name));
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form.iter().chain(&settings.parameters))
            .finish();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        let mut request = Request::new(Method::POST, settings.token_url.clone());
        request.headers = headers;
        request.body = Some(Bytes::from(body));
        Ok(request)
    }

    fn read(&self, answer: &TokenAnswer) -> Result<Issued<Credential>, Error> {
        let settings = &self.settings;
        let mut answers = Answers::default();
        answers.add_answer(answer);
        if let Some(kind) = unusable_type(&answer.body) {
            let message = format!(
                "{} gives a token of token_type {kind}, which is no bearer token; set up the client for bearer tokens",
                answer.asked
            );
            return Err(Error::new(ErrorKind::Login, message));
        }
        let token = SecretString::from(match &settings.token_path {
            Some(path) => answers.text(path)?,
            None => answers.member("access_token")?,
        });
        let (name, prefix) = &settings.placed;
        let value = SecretString::from(format!("{prefix}{}", token.expose_secret()));
        let credential = Credential::new()
            .header(name, value.expose_secret())
            .map_err(|_| {
                let message = format!(
                    "the token in the answer of {} cannot be sent in a header",
                    answer.asked
                );
                Error::new(ErrorKind::Login, message)
            })?;
        let configured = match &settings.expiry_path {
            Some(path) => Some(answers.lifetime(path, answer.made)?),
            None => None,
        };
        let lifetime = configured.unwrap_or_else(|| {
            expiry::well_known(&answer.body, answer.made)
                .or_else(|| expiry::of_jwt(token.expose_secret(), answer.made))
        });
        Ok(Issued::new(credential, lifetime))
    }

    /// The refresh token to use now: the last that the server gave, or the one that is configured.
    async fn refresh(&self, configured: &SecretString) -> Result<SecretString, Error> {
        if let Some(unsaved) = self.unsaved().clone() {
            return Ok(unsaved);
        }
        let key = self.settings.store_key(configured);
        let kept = self.store.load(&key).await?;
        Ok(kept.unwrap_or_else(|| configured.clone()))
    }

    async fn keep(&self, configured: &SecretString, token: SecretString) -> Result<(), Error> {
        *self.unsaved() = Some(token.clone());
        let key = self.settings.store_key(configured);
        self.store.save(&key, &token).await?;
        *self.unsaved() = None;
        Ok(())
    }

    fn unsaved(&self) -> std::sync::MutexGuard<'_, Option<SecretString>> {
        self.unsaved.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How servers call the refresh token.
const REFRESH_TOKENS: [&str; 2] = ["refresh_token", "refreshToken"];

/// The path of the member `name` of the object that has what `path` leads to: `.data.refresh_token` for `.data.access_token`.
fn beside(path: &Filter, name: &str) -> Option<Filter> {
    let source = path.source().trim_end();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let above = match source.strip_suffix("\"]") {
        Some(quoted) => quoted.rsplit_once("[\"")?.0.trim_end_matches('.'),
        None => source.trim_end_matches(is_name).strip_suffix('.')?,
    };
    let above = match above.trim_end() {
        "" => ".".to_owned(),
        above if above.ends_with('|') => format!("{above} ."),
        above => above.to_owned(),
    };
    Filter::compile(&format!("({above}) | .{name}?")).ok()
}

/// A type of token whose requests carry a proof of their own (RFC 6749 §7.1, RFC 9449). Anything else is written in so many ways for `Bearer` that
/// it says nothing.
fn unusable_type(answer: &Val) -> Option<&'static str> {
    let said = answer.get("token_type")?.as_str()?;
    ["DPoP", "mac", "pop"]
        .into_iter()
        .find(|kind| kind.eq_ignore_ascii_case(said))
}

/// Both parts are encoded as in a form before they become Basic credentials: RFC 6749 §2.3.1.
fn basic(id: &str, secret: &SecretString) -> Result<HeaderValue, Error> {
    let encoded =
        |text: &str| -> String { url::form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let pair = format!("{}:{}", encoded(id), encoded(secret.expose_secret()));
    let value = format!("Basic {}", STANDARD.encode(pair));
    Ok(header(AUTHORIZATION.as_str(), &value)?.1)
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Grant::ClientCredentials => "ClientCredentials",
            Grant::RefreshToken(_) => "RefreshToken([redacted])",
            Grant::Password { .. } => "Password([redacted])",
            Grant::JwtBearer(_) => "JwtBearer([redacted])",
        })
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ClientAuth::None => "None",
            ClientAuth::Basic(_) => "Basic([redacted])",
            ClientAuth::Post(_) => "Post([redacted])",
            ClientAuth::Assertion(_) => "Assertion([redacted])",
        })
    }
}

impl fmt::Debug for OAuth2Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth2Builder")
            .field("token_url", &SafeUrl::of(&self.token_url))
            .field("grant", &self.grant)
            .field("client_auth", &self.client_auth)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}
