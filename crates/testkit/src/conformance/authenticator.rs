//! What every authenticator must do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use http::{HeaderName, HeaderValue, Method};
use longshore_auth::Authenticator;
use longshore_transport::{Generation, Renewal, Request};
use serde_json::Value;

use super::broken;

/// Holds an authenticator against the contract of [`Authenticator`]. The rules, by the names that a panic says:
///
/// - `adds-something`: an authenticated request is not the bare one (unless the candidate says that nothing is to be added);
/// - `keeps-request`: method, origin, path, parameters and headers of the caller stay;
/// - `idempotent`: a request that is authenticated twice (it is repeated, or redirected) carries each credential once;
/// - `sensitive`: every header that is added is marked sensitive;
/// - `no-secret-in-debug`: neither the authenticator nor the request shows a secret in `Debug`;
/// - `stable`: without a renewal the generation stays;
/// - `renews`: a rejected credential leads to a greater generation (for candidates that say so), or `Unchanged` means unchanged;
/// - `stale-generation`: a generation that is no longer current renews nothing;
/// - `single-flight`: fifty requests at once, and fifty renewals at once, fetch one credential (for candidates that count), and all end;
/// - `abandoned`: a renewal that is dropped half-way (its stream was dropped, its request timed out) stands in nobody's way;
/// - `limited`: the API is never told to rest longer than it said itself.
///
/// Give it an authenticator that was not used before.
///
/// # Panics
/// When a rule is broken.
pub async fn authenticator(candidate: Candidate) {
    let check = Check {
        authenticator: Arc::clone(&candidate.authenticator),
        candidate,
    };
    check.first_requests().await;
    check.one_request().await;
    check.renewal().await;
    check.limit().await;
    check.debug(
        &format!("{:?} {:#?}", check.authenticator, check.authenticator),
        "its own",
    );
}

/// An authenticator to be checked, with what only its author knows.
///
/// ```no_run
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use std::sync::Arc;
/// use longshore_testkit::conformance::{self, Candidate};
///
/// # async fn check(authenticator: impl longshore_auth::Authenticator, fetched: Arc<AtomicU64>) {
/// let candidate = Candidate::new(authenticator)
///     .secret("s3cr3t")
///     .renews()
///     .fetches(move || fetched.load(Ordering::SeqCst));
/// conformance::authenticator(candidate).await;
/// # }
/// ```
pub struct Candidate {
    authenticator: Arc<dyn Authenticator>,
    secrets: Vec<String>,
    fetches: Option<Box<dyn Fn() -> u64 + Send + Sync>>,
    renews: bool,
    adds_nothing: bool,
}

impl Candidate {
    /// An authenticator that adds something and may or may not renew.
    pub fn new(authenticator: impl Authenticator) -> Candidate {
        Candidate {
            authenticator: Arc::new(authenticator),
            secrets: Vec::new(),
            fetches: None,
            renews: false,
            adds_nothing: false,
        }
    }

    /// Text that must show nowhere, neither as it is nor in base64 or percent-encoded.
    pub fn secret(mut self, secret: &str) -> Candidate {
        self.secrets.push(secret.to_owned());
        self
    }

    /// How often a credential was fetched so far.
    pub fn fetches(mut self, count: impl Fn() -> u64 + Send + Sync + 'static) -> Candidate {
        self.fetches = Some(Box::new(count));
        self
    }

    /// After a rejection there must be a newer credential.
    pub fn renews(mut self) -> Candidate {
        self.renews = true;
        self
    }

    /// Nothing is added to a request.
    pub fn adds_nothing(mut self) -> Candidate {
        self.adds_nothing = true;
        self
    }
}

impl fmt::Debug for Candidate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Candidate")
            .field("authenticator", &self.authenticator)
            .finish_non_exhaustive()
    }
}

/// How many at once: R24.
const CROWD: usize = 50;

struct Check {
    authenticator: Arc<dyn Authenticator>,
    candidate: Candidate,
}

impl Check {
    async fn first_requests(&self) {
        let before = self.fetched();
        let crowd = join_all((0..CROWD).map(|_| async { self.authenticated(&mut bare()).await }));
        let generations = self.in_time(crowd, "fifty first requests at once").await;
        if generations
            .iter()
            .any(|generation| *generation != generations[0])
        {
            self.broken(
                "single-flight",
                "fifty first requests at once got credentials of several generations",
            );
        }
        let fetched = self.fetched() - before;
        if fetched > 1 {
            self.broken(
                "single-flight",
                &format!("fifty first requests at once fetched {fetched} credentials"),
            );
        }
    }

    async fn one_request(&self) {
        let mut once = bare();
        let generation = self.authenticated(&mut once).await;
        let added = carried(&once) != carried(&bare()) || once.body != bare().body;
        if added == self.candidate.adds_nothing {
            let what = if added {
                "something is added to a request"
            } else {
                "nothing is added to a request"
            };
            self.broken("adds-something", what);
        }
        self.keeps(&once);
        let ours = bare().headers;
        if let Some((name, _)) = once
            .headers
            .iter()
            .find(|(name, value)| !ours.contains_key(*name) && !value.is_sensitive())
        {
            self.broken(
                "sensitive",
                &format!("the header `{name}` is not marked sensitive"),
            );
        }
        self.debug(&format!("{once:?} {:?}", once.headers), "the request's");

        let mut twice = once.clone();
        if self.authenticated(&mut twice).await != generation {
            self.broken(
                "stable",
                "two requests without a renewal between them have different generations",
            );
        }
        if carried(&twice) != carried(&once) {
            self.broken("idempotent", "a request that is authenticated twice carries more than one that is authenticated once");
        }
    }

    async fn renewal(&self) {
        let first = self.authenticated(&mut bare()).await;
        if self.renewed(first).await == Renewal::Unchanged {
            if self.candidate.renews {
                self.broken("renews", "a rejected credential is not renewed");
            }
            if self.authenticated(&mut bare()).await != first {
                self.broken(
                    "renews",
                    "a renewal said `Unchanged`, but the generation changed",
                );
            }
            return;
        }
        let second = self.authenticated(&mut bare()).await;
        if second <= first {
            self.broken(
                "renews",
                "a renewal said `Renewed`, but the generation is the rejected one, or a smaller one, which counts as replaced",
            );
        }

        let before = self.fetched();
        let late = self.renewed(first).await;
        if late != Renewal::Renewed
            || self.authenticated(&mut bare()).await != second
            || self.fetched() != before
        {
            self.broken("stale-generation", "a rejection of the generation before the current one renews again, or is not told to repeat");
        }

        let before = self.fetched();
        let crowd = join_all((0..CROWD).map(|_| self.renewed(second)));
        let renewals = self.in_time(crowd, "fifty renewals at once").await;
        if renewals.contains(&Renewal::Unchanged) {
            self.broken(
                "single-flight",
                "of fifty renewals at once some are not told that there is a newer credential",
            );
        }
        let third = self.authenticated(&mut bare()).await;
        let fetched = self.fetched() - before;
        if third <= second || (self.candidate.fetches.is_some() && fetched != 1) {
            self.broken(
                "single-flight",
                &format!("fifty renewals at once fetched {fetched} credentials, not one"),
            );
        }
        self.abandoned(third).await;
    }

    async fn abandoned(&self, current: Generation) {
        let mut dropped = Box::pin(self.authenticator.renew(current));
        let done = futures::poll!(dropped.as_mut()).is_ready();
        drop(dropped);
        let again = tokio::time::timeout(Duration::from_secs(60), self.renewed(current)).await;
        if again.is_err() {
            self.broken(
                "abandoned",
                "after a renewal that was dropped half-way the next does not end within a minute",
            );
        }
        if !done && self.authenticated(&mut bare()).await <= current {
            self.broken(
                "abandoned",
                "after a renewal that was dropped half-way the next one leaves the rejected credential",
            );
        }
    }

    async fn limit(&self) {
        let used = self.authenticated(&mut bare()).await;
        let told = Duration::from_secs(7);
        if self.authenticator.limited(used, told) > told {
            self.broken("limited", "a limit of seven seconds becomes a longer one");
        }
        // Whoever goes on, with this credential or another one.
        self.authenticated(&mut bare()).await;
    }

    fn keeps(&self, request: &Request) {
        let before = bare();
        let same_place = (&before.method, before.url.origin(), before.url.path())
            == (&request.method, request.url.origin(), request.url.path());
        if !same_place {
            self.broken(
                "keeps-request",
                "method, origin or path of the caller is not what it was",
            );
        }
        for (what, values) in names(&before) {
            if names(request).get(&what) != Some(&values) {
                self.broken(
                    "keeps-request",
                    &format!("{what} of the caller is not what it was"),
                );
            }
        }
        if body(request).get("keep") != body(&before).get("keep") {
            self.broken("keeps-request", "the body of the caller is not what it was");
        }
    }

    fn debug(&self, text: &str, whose: &str) {
        for secret in &self.candidate.secrets {
            let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, secret);
            let percent =
                percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC)
                    .to_string();
            if [secret, &base64, &percent]
                .into_iter()
                .any(|form| text.contains(form.as_str()))
            {
                // Not `broken`: that would print the secret once more.
                panic!(
                    "an authenticator breaks the rule `no-secret-in-debug`: {whose} Debug shows a secret"
                );
            }
        }
    }

    async fn authenticated(&self, request: &mut Request) -> Generation {
        match self.authenticator.authenticate(request).await {
            Ok(generation) => generation,
            Err(error) => self.broken(
                "adds-something",
                &format!("a request cannot be authenticated: {error}"),
            ),
        }
    }

    async fn renewed(&self, rejected: Generation) -> Renewal {
        match self.authenticator.renew(rejected).await {
            Ok(renewal) => renewal,
            Err(error) => self.broken("renews", &format!("a renewal fails: {error}")),
        }
    }

    /// A crowd that never ends (a lock that waits for itself) fails instead of hanging the test.
    async fn in_time<T>(&self, crowd: impl Future<Output = T>, what: &str) -> T {
        match tokio::time::timeout(Duration::from_secs(60), crowd).await {
            Ok(done) => done,
            Err(_) => self.broken(
                "single-flight",
                &format!("{what} do not end within a minute"),
            ),
        }
    }

    fn fetched(&self) -> u64 {
        self.candidate.fetches.as_ref().map_or(0, |count| count())
    }

    fn broken(&self, rule: &str, what: &str) -> ! {
        broken(&self.authenticator, rule, what)
    }
}

/// A request as a caller makes it.
fn bare() -> Request {
    let url = "https://api.example.com/v1/items?keep=a%20b&keep=2"
        .parse()
        .expect("a URL");
    let mut request = Request::new(Method::POST, url).with_json(&serde_json::json!({"keep": true}));
    request.headers.insert(
        HeaderName::from_static("x-keep"),
        HeaderValue::from_static("yes"),
    );
    request
}

/// Every parameter and header by name with its values.
fn names(request: &Request) -> BTreeMap<String, Vec<Vec<u8>>> {
    let mut names: BTreeMap<String, Vec<Vec<u8>>> = BTreeMap::new();
    for (name, value) in request.url.query_pairs() {
        names
            .entry(format!("the parameter `{name}`"))
            .or_default()
            .push(value.as_bytes().to_vec());
    }
    for (name, value) in &request.headers {
        names
            .entry(format!("the header `{name}`"))
            .or_default()
            .push(value.as_bytes().to_vec());
    }
    names
}

fn body(request: &Request) -> Value {
    request
        .body
        .as_deref()
        .and_then(|body| serde_json::from_slice(body).ok())
        .unwrap_or_default()
}

/// What a request carries, by name and number. Not by value: a signature with a time in it is another one each time.
fn carried(request: &Request) -> BTreeMap<String, usize> {
    names(request)
        .into_iter()
        .map(|(name, values)| (name, values.len()))
        .collect()
}
