use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use longshore_transport::{Generation, Renewal, Request};
use secrecy::{ExposeSecret as _, SecretString};

use crate::credential::{Credential, FIXED, config};
use crate::{Authenticator, Error};

/// No credential at all.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoAuth;

/// `Authorization: Bearer <token>` (RFC 6750).
#[derive(Clone, Debug)]
pub struct BearerToken(Credential);

impl BearerToken {
    /// The scheme for one token, which never changes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the token is empty or holds white space or control characters: a
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
        Credential::new()
            .header("authorization", &format!("Bearer {token}"))
            .map(Self)
    }
}

/// Where an API looks for a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum KeyPlace {
    /// In a header of this name.
    Header,
    /// In a query parameter.
    Query,
    /// In a cookie.
    Cookie,
    /// In a member of the JSON body; a dot in its name goes one object down.
    Body,
}

/// A key, or several, wherever an API wants them: in a header of its own such as `X-API-Key`, in the query, in a cookie, in the body.
///
/// ```
/// use longshore_auth::{ApiKey, KeyPlace};
///
/// # fn main() -> Result<(), longshore_auth::Error> {
/// let opsgenie = ApiKey::at(KeyPlace::Header, "Authorization", "GenieKey ", "k3y")?;
/// let datadog = ApiKey::header("DD-API-KEY", "k3y")?.and(ApiKey::header("DD-APPLICATION-KEY", "0ther")?);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ApiKey(Credential);

impl ApiKey {
    /// The scheme for `key` in the header `name`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the key is empty or no header value, or the header is one that
    /// must not be set: see [`header`](longshore_transport::header).
    pub fn header(name: &str, key: impl Into<SecretString>) -> Result<Self, Error> {
        Self::at(KeyPlace::Header, name, "", key)
    }

    /// The scheme for `key` under `name` in this place, with `prefix` right in front of it.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the key is empty, or name or key cannot be sent in this place.
    pub fn at(
        place: KeyPlace,
        name: &str,
        prefix: &str,
        key: impl Into<SecretString>,
    ) -> Result<Self, Error> {
        let key = key.into();
        if key.expose_secret().trim().is_empty() {
            return config("the API key is empty");
        }
        let value = format!("{prefix}{}", key.expose_secret());
        let credential = Credential::new();
        match place {
            KeyPlace::Header => credential.header(name, &value),
            KeyPlace::Query => credential.query(name, value),
            KeyPlace::Cookie => credential.cookie(name, value),
            KeyPlace::Body => credential.body_member(name, value),
        }
        .map(Self)
    }

    /// Sends the keys of `other` as well.
    #[must_use]
    pub fn and(self, other: ApiKey) -> Self {
        Self(self.0.and(other.0))
    }
}

/// `Authorization: Basic …` (RFC 7617), in UTF-8.
#[derive(Clone, Debug)]
pub struct BasicAuth(Credential);

impl BasicAuth {
    /// The scheme for one user. Many APIs want a token as the user and an empty password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if the user name holds a colon, which would end it, or either holds
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
        Credential::new()
            .header("authorization", &format!("Basic {encoded}"))
            .map(Self)
    }
}

#[async_trait]
impl Authenticator for NoAuth {
    async fn authenticate(&self, _: &mut Request) -> Result<Generation, Error> {
        Ok(FIXED)
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

macro_rules! authenticate_by_a_fixed_credential {
    ($($scheme:ty),*) => {$(
        #[async_trait]
        impl Authenticator for $scheme {
            async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
                self.0.authenticate(request).await
            }

            async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
                self.0.renew(rejected).await
            }
        }
    )*};
}

authenticate_by_a_fixed_credential!(BearerToken, ApiKey, BasicAuth);
