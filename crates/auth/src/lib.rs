//! Puts credentials on requests, and renews them without stampedes.
//!
//! - [`Authenticator`] is what a scheme implements: put the credential on this request, and renew
//!   it after a rejection. [`NoAuth`], [`BearerToken`], [`ApiKey`] and [`BasicAuth`] never renew.
//! - [`OAuth2`] asks a token endpoint; [`CustomAuth`] logs in with any requests and takes anything
//!   from their answers. [`TokenStore`] keeps refresh tokens that the server replaces.
//! - [`Rotation`] has several credentials with a limit each.
//! - [`Renewing`] keeps one short-lived credential for many concurrent requests; what a login
//!   looks like comes from a [`CredentialSource`].
//! - [`OriginBound`] plugs an authenticator into [`Client::send`](longshore_transport::Client::send)
//!   and lets its credentials reach one origin only, and others that are named.
//!
//! # Example
//!
//! An authenticator with a login of its own:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use http::header::AUTHORIZATION;
//! use longshore_auth::{
//!     async_trait, Authenticator, BearerToken, CredentialSource, Error, Issued, Renewing,
//! };
//! use longshore_transport::{Generation, Renewal, Request, TokioClock};
//!
//! struct Login;
//!
//! #[async_trait]
//! impl CredentialSource for Login {
//!     type Credential = BearerToken;
//!
//!     async fn fetch(&self) -> Result<Issued<BearerToken>, Error> {
//!         // A real one asks a server here.
//!         Ok(Issued::new(BearerToken::new("t0ken")?, Some(Duration::from_secs(3600))))
//!     }
//! }
//!
//! #[derive(Debug)]
//! struct LoginAuth(Renewing<Login>);
//!
//! #[async_trait]
//! impl Authenticator for LoginAuth {
//!     async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
//!         let (generation, token) = self.0.current().await?;
//!         token.authenticate(request).await?;
//!         Ok(generation)
//!     }
//!
//!     async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
//!         self.0.renew(rejected).await
//!     }
//! }
//!
//! # async fn run() -> Result<(), Error> {
//! let auth = LoginAuth(Renewing::new(Login, Arc::new(TokioClock::new())));
//! let url = longshore_transport::parse_url("https://api.example.com/users")?;
//! let mut request = Request::new(http::Method::GET, url);
//! let generation = auth.authenticate(&mut request).await?;
//! assert_eq!(request.headers[AUTHORIZATION], "Bearer t0ken");
//! assert_eq!(auth.renew(generation).await?, Renewal::Renewed);
//! # Ok(())
//! # }
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(run()).unwrap();
//! ```

mod assertion;
mod authenticator;
#[cfg(feature = "aws-sigv4")]
mod aws;
mod credential;
mod credentials;
mod custom;
mod error;
mod expiry;
mod jwk;
mod lasting;
mod oauth2;
mod origin_bound;
mod renewing;
mod rotation;
mod signing;
mod template;
mod token_request;
mod token_store;

pub use self::assertion::{Assertion, check_certificate};
pub use self::authenticator::Authenticator;
#[cfg(feature = "aws-sigv4")]
pub use self::aws::AwsSigV4;
pub use self::credential::Credential;
pub use self::credentials::{ApiKey, BasicAuth, BearerToken, KeyPlace, NoAuth};
pub use self::custom::{CustomAuth, CustomAuthBuilder, CustomRequest};
pub use self::error::{Error, ErrorKind};
pub use self::oauth2::{ClientAuth, Grant, OAuth2, OAuth2Builder};
pub use self::origin_bound::OriginBound;
pub use self::renewing::{CredentialSource, Renewing};
pub use self::rotation::Rotation;
pub use self::signing::{Algorithm, SigningKey};
pub use self::template::{JsonTemplate, Template, UrlTemplate};
pub use self::token_store::{FileTokenStore, MemoryTokenStore, TokenStore};

/// What a login gives.
pub use longshore_transport::Issued;

/// Needed to implement the traits of this crate.
pub use async_trait::async_trait;
/// Needed to implement a [`TokenStore`].
pub use secrecy::{ExposeSecret, SecretString};
