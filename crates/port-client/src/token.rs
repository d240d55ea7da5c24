//! Port's access token: fetched when first needed, renewed before it expires and after a 401, by one request for all.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::Method;
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue, USER_AGENT};
use longshore_transport::{
    self as transport, Client, Exchange, Generation, Prepare, Renewal, Request, RetryScope,
    Unauthenticated, json,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use url::Url;

use crate::client::OnAttempt;
use crate::{Error, ErrorKind};

pub(crate) const TOKEN_PATH: &str = "/v1/auth/access_token";

/// A token is renewed this long before it expires, or a tenth of its lifetime if that is less.
const MARGIN: Duration = Duration::from_secs(60);

/// Puts the token on requests.
pub(crate) struct PortToken {
    source: TokenSource,
    /// Held while a token is fetched, so that all others wait for it.
    state: Mutex<State>,
    /// Token requests that have ended.
    ended: AtomicU64,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    issued: u64,
    /// Which token request failed last, and how.
    failure: Option<(u64, Error)>,
}

#[derive(Clone)]
struct Held {
    generation: Generation,
    authorization: HeaderValue,
    /// By the transport's clock; never when Port names no lifetime.
    renew_at: Option<Duration>,
}

impl PortToken {
    pub(crate) fn new(source: TokenSource) -> PortToken {
        PortToken {
            source,
            state: Mutex::default(),
            ended: AtomicU64::new(0),
        }
    }

    /// The token that is held, if it is `good`; else a new one. All who ask meanwhile get the same one, or the same error.
    async fn get(&self, good: impl Fn(&Held) -> bool + Send) -> Result<Held, Error> {
        let ended = self.ended.load(Ordering::SeqCst);
        let mut state = self.state.lock().await;
        if let Some(held) = state.held.as_ref().filter(|held| good(held)) {
            return Ok(held.clone());
        }
        if let Some((_, error)) = state
            .failure
            .as_ref()
            .filter(|(request, _)| *request > ended)
        {
            return Err(error.clone());
        }
        let answer = self.source.fetch().await;
        let request = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        match answer {
            Ok((authorization, renew_at)) => {
                state.issued += 1;
                let held = Held {
                    generation: Generation(state.issued),
                    authorization,
                    renew_at,
                };
                state.held = Some(held.clone());
                Ok(held)
            }
            Err(error) => {
                state.failure = Some((request, error.clone()));
                Err(error)
            }
        }
    }
}

#[async_trait]
impl Prepare for PortToken {
    async fn prepare(&self, request: &mut Request) -> Result<Generation, transport::Error> {
        let now = self.source.http.clock().now();
        let held = self
            .get(|held| held.renew_at.is_none_or(|renew_at| now < renew_at))
            .await
            .map_err(no_token)?;
        request.headers.insert(AUTHORIZATION, held.authorization);
        Ok(held.generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, transport::Error> {
        self.get(|held| held.generation > rejected)
            .await
            .map_err(no_token)?;
        Ok(Renewal::Renewed)
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
    /// A header value, and when it has to be replaced.
    async fn fetch(&self) -> Result<(HeaderValue, Option<Duration>), Error> {
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
        // The lifetime counts from before the request: the token was made at some moment after that.
        let asked_at = self.http.clock().now();
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
        Ok((
            authorization,
            answer
                .expires_in
                .and_then(lifetime)
                .map(|l| asked_at + l - margin(l)),
        ))
    }
}

/// A lifetime that says something. Zero, negative and absurd ones do not.
fn lifetime(seconds: f64) -> Option<Duration> {
    const YEAR: f64 = 366.0 * 24.0 * 3600.0;
    (seconds > 0.0).then(|| Duration::from_secs_f64(seconds.min(YEAR)))
}

fn margin(lifetime: Duration) -> Duration {
    MARGIN.min(lifetime / 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_a_minute_or_a_tenth_of_its_lifetime_before_it_expires() {
        let secs = Duration::from_secs;
        assert_eq!(margin(secs(10_800)), secs(60));
        assert_eq!(margin(secs(600)), secs(60));
        assert_eq!(margin(secs(300)), secs(30));
        assert_eq!(margin(secs(1)), Duration::from_millis(100));
    }

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
