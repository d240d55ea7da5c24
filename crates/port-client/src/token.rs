//! Port's access token: fetched when first needed, renewed before it expires and after a 401, by one request for all.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use longshore_transport::{
    self as transport, Client, Exchange, Generation, Issued, Prepare, Renewal, Request, RetryScope,
    SingleFlight, Unauthenticated, json,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use crate::client::OnAttempt;
use crate::{Error, ErrorKind};

pub(crate) const TOKEN_PATH: &str = "/v1/auth/access_token";

/// Puts the token on requests.
pub(crate) struct PortToken {
    source: TokenSource,
    flight: SingleFlight<HeaderValue, Error>,
}

impl PortToken {
    pub(crate) fn new(source: TokenSource) -> PortToken {
        PortToken {
            flight: SingleFlight::new(source.http.clock().clone()),
            source,
        }
    }
}

#[async_trait]
impl Prepare for PortToken {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, transport::Error> {
        let (generation, authorization) = self
            .flight
            .current(|| self.source.fetch())
            .await
            .map_err(no_token)?;
        request.headers.insert(AUTHORIZATION, authorization);
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, transport::Error> {
        self.flight
            .renew(rejected, || self.source.fetch())
            .await
            .map_err(no_token)
    }
}

fn no_token(error: Error) -> transport::Error {
    transport::Error::new(transport::ErrorKind::Auth, "there is no token for Port")
        .with_source(error)
}

impl fmt::Debug for PortToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortToken").finish_non_exhaustive()
    }
}

/// Where tokens come from.
pub(crate) struct TokenSource {
    pub(crate) http: Client,
    pub(crate) url: Url,
    pub(crate) user_agent: HeaderValue,
    pub(crate) client_id: String,
    pub(crate) client_secret: SecretString,
    pub(crate) on_attempt: Option<OnAttempt>,
}

impl TokenSource {
    /// The value of the header `Authorization`.
    async fn fetch(&self) -> Result<Issued<HeaderValue>, Error> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            access_token: String,
            expires_in: Option<f64>,
            token_type: Option<String>,
        }

        let doing = "asking for a token";
        let mut request =
            Request::new(Method::POST, self.url.clone()).with_json(&serde_json::json!({
                "clientId": self.client_id,
                "clientSecret": self.client_secret.expose_secret(),
            }));
        request
            .headers
            .insert(ACCEPT, HeaderValue::from_static("application/json"));
        request.headers.insert(USER_AGENT, self.user_agent.clone());
        let mut exchange = Exchange::new(&Unauthenticated)
            .retry_scope(RetryScope::Token)
            .label(TOKEN_PATH);
        if let Some(on_attempt) = &self.on_attempt {
            exchange = exchange.on_attempt(&**on_attempt);
        }
        let answer: Answer = self
            .http
            .send(request, &exchange, |response| {
                json::read(&response.success()?.body)
            })
            .await
            .map_err(|error| Error::exchange(doing, error))?;

        let scheme = answer.token_type.as_deref().unwrap_or("Bearer");
        let mut authorization = HeaderValue::from_str(&format!("{scheme} {}", answer.access_token))
            .map_err(|_| {
                Error::new(
                    ErrorKind::Answer,
                    "Port's token cannot be sent as a header: check OCEAN__PORT__BASE_URL",
                )
            })?;
        authorization.set_sensitive(true);
        Ok(Issued::new(
            authorization,
            answer.expires_in.and_then(lifetime),
        ))
    }
}

/// A lifetime that says something. Zero, negative and absurd ones do not.
fn lifetime(seconds: f64) -> Option<Duration> {
    const YEAR: f64 = 366.0 * 24.0 * 3600.0;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(YEAR)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_that_says_nothing_is_none() {
        for nothing in [0.0, -1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(lifetime(nothing), None, "{nothing}");
        }
        assert_eq!(lifetime(1.5), Some(Duration::from_millis(1500)));
        assert!(lifetime(f64::INFINITY).is_some());
        assert!(lifetime(1e300).is_some());
    }
}
