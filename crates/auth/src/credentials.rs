use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{HeaderName, HeaderValue};
use longshore_transport::{Generation, Renewal, Request, header};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Authenticator, Error, ErrorKind};

/// No credential at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAuth;

/// `Authorization: Bearer <token>` (RFC 6750).
#[derive(Clone, Debug)]
pub struct BearerToken(FixedHeader);

impl BearerToken {
    /// The scheme for one token, which never changes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the token is empty or holds white space or control characters: a
    /// copied line end, or `Bearer ` written in front.
    pub fn new(token: impl Into<SecretString>) -> Result<Self, Error> {
        let token = token.into();
        let token = token.expose_secret();
        if token.is_empty() {
            return config("the bearer token is empty");
        }
        if token.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return config(
                "the bearer token holds white space; give the token alone, \
                 without Bearer in front and without a line end",
            );
        }
        FixedHeader::new("authorization", &format!("Bearer {token}")).map(Self)
    }
}

/// A key in a header of its own, such as `X-API-Key`.
#[derive(Clone, Debug)]
pub struct ApiKey(FixedHeader);

impl ApiKey {
    /// The scheme for `key` in the header `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the key is empty or no header value, or the header is one that
    /// must not be set: see [`header`].
    pub fn header(name: &str, key: impl Into<SecretString>) -> Result<Self, Error> {
        let key = key.into();
        if key.expose_secret().trim().is_empty() {
            return config("the API key is empty");
        }
        FixedHeader::new(name, key.expose_secret()).map(Self)
    }
}

/// `Authorization: Basic …` (RFC 7617), in UTF-8.
#[derive(Clone, Debug)]
pub struct BasicAuth(FixedHeader);

impl BasicAuth {
    /// The scheme for one user. Many APIs want a token as the user and an empty password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the user name holds a colon, which would end it, or either holds
    /// a control character.
    pub fn new(user: &str, password: impl Into<SecretString>) -> Result<Self, Error> {
        let password = password.into();
        let password = password.expose_secret();
        if user.contains(':') {
            return config("the user name holds a colon, which Basic authentication cannot send");
        }
        if user.chars().chain(password.chars()).any(char::is_control) {
            return config(
                "the user name or the password holds a control character, perhaps a line end; \
                 remove it",
            );
        }
        let encoded = STANDARD.encode(format!("{user}:{password}"));
        FixedHeader::new("authorization", &format!("Basic {encoded}")).map(Self)
    }
}

/// One header, the same on every request.
#[derive(Clone, Debug)]
struct FixedHeader {
    name: HeaderName,
    /// Marked sensitive, so `Debug` does not show it.
    value: HeaderValue,
}

impl FixedHeader {
    fn new(name: &str, value: &str) -> Result<Self, Error> {
        let (name, mut value) = header(name, value)?;
        value.set_sensitive(true);
        Ok(Self { name, value })
    }

    fn put_on(&self, request: &mut Request) -> Generation {
        request
            .headers
            .insert(self.name.clone(), self.value.clone());
        FIXED
    }
}

/// The generation of what is never renewed.
const FIXED: Generation = Generation(0);

#[async_trait]
impl Authenticator for NoAuth {
    async fn authenticate(&self, _: &mut Request) -> Result<Generation, Error> {
        Ok(FIXED)
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

macro_rules! authenticate_by_fixed_header {
    ($($scheme:ty),*) => {$(
        #[async_trait]
        impl Authenticator for $scheme {
            async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
                Ok(self.0.put_on(request))
            }

            async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
                Ok(Renewal::Unchanged)
            }
        }
    )*};
}

authenticate_by_fixed_header!(BearerToken, ApiKey, BasicAuth);

fn config<T>(message: &str) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Config, message))
}
