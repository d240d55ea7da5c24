use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use http::header::{AUTHORIZATION, COOKIE, HeaderMap, LOCATION, PROXY_AUTHORIZATION};
use http::{Method, StatusCode};
use url::Url;

use crate::address::{Lead, refuse_userinfo};
use crate::budget::{Budgets, Spent};
use crate::gate::Gate;
use crate::quota::Quotas;
use crate::turns::{Turn, Turns};
use crate::{
    Allowance, Clock, Error, ErrorKind, Generation, Origin, Prepare, Quota, Renewal, Request,
    ResetUnit, Response, RetryPolicy, SafeUrl, TokioClock, Transport,
};

/// Redirects that are followed in a row.
const MAX_HOPS: usize = 5;
/// Who has to fetch credentials when its turn has come loses the turn, but not for ever.
const MAX_LOST_TURNS: u32 = 20;
/// Requests of one client that are under way at once, unless set.
pub const DEFAULT_MAX_CONCURRENT_REQUESTS: usize = 10;

/// Runs exchanges: everything around [`Transport::send`] that makes one request reliable.
///
/// One client serves all origins of an application; clones share permits and pauses.
///
/// What it keeps to:
///
/// - The unit of retry is the whole exchange: credentials, send, whole body, reading. See
///   [`ErrorKind`] for what is retried and [`RetryPolicy`] for when.
/// - Retries are paid for from a [`RetryBudget`](crate::RetryBudget) of their origin.
/// - An answer that says that a rate limit is reached pauses its origin for every exchange, and a
///   [`Quota`] keeps requests apart before it comes to that.
/// - A 401 leads to one renewal and one repeat.
/// - Redirects of GET and HEAD are followed inside the origin, at most five in a row.
/// - No request goes to another origin than the exchange's, but for those that it
///   [allows](Exchange::allowed_origins), which get nothing of ours, and those that it
///   [trusts](Exchange::credential_origins) like its own.
/// - A permit is held from the first byte sent until it is known what the answer says of limits, and at no other time:
///   neither while credentials are fetched nor while waiting. One that gets free goes to the
///   [lane](Exchange::lane) that holds the fewest.
///
/// Dropping the future of an exchange ends it at once.
#[derive(Clone)]
pub struct Client(Arc<Inner>);

struct Inner {
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
    random: Mutex<fastrand::Rng>,
    permits: Arc<Turns>,
    gate: Gate,
    budgets: Option<Budgets>,
    quotas: Option<Quotas>,
}

/// How one exchange is done.
#[derive(Clone)]
pub struct Exchange<'a> {
    prepare: &'a dyn Prepare,
    scope: RetryScope,
    origin: Option<Origin>,
    allowed_origins: &'a [Origin],
    credential_origins: &'a [Origin],
    label: Option<&'a str>,
    lane: &'a str,
    reset_unit: ResetUnit,
    on_attempt: Option<&'a (dyn Fn(&Attempt) + Send + Sync)>,
}

/// What may be asked again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum RetryScope {
    /// Reads (also those sent as POST), and writes that may be repeated: every temporary failure.
    #[default]
    Read,
    /// Token requests, each of which may count as a login: connect errors, 429 and 503 only.
    Token,
}

/// One request of an exchange and what came of it, for progress, logs and metrics.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The method.
    pub method: Method,
    /// The URL without query; with the exchange's label as path, where it has one. Of an
    /// [allowed](Exchange::allowed_origins) origin, the origin alone.
    pub url: SafeUrl,
    /// Which request of the exchange this is, counted from 1. Redirects and repeats count.
    pub number: u32,
    /// The status, if an answer came.
    pub status: Option<StatusCode>,
    /// Size of the body in bytes, decompressed.
    pub bytes: usize,
    /// Time from sending to the last byte.
    pub elapsed: Duration,
    /// The wait before the next request of the exchange; `None` if this was the last.
    pub wait: Option<Duration>,
    /// What was wrong, if something was.
    pub error: Option<ErrorKind>,
}

impl Client {
    /// Starts a client over `transport`.
    pub fn builder(transport: Arc<dyn Transport>) -> ClientBuilder {
        ClientBuilder {
            transport,
            retry: RetryPolicy::default(),
            clock: None,
            seed: None,
            max_concurrent_requests: DEFAULT_MAX_CONCURRENT_REQUESTS,
            quota: None,
        }
    }

    /// The client's clock, for others that have to agree with it.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// Runs one exchange and returns what `read` made of the answer.
    ///
    /// `read` sees every answer that is no redirect, also 404 and 500, so its usual first line is
    /// `let response = response.success()?`. Its errors decide: a retryable one starts the
    /// exchange again. It may run several times and should be free of side effects.
    ///
    /// # Errors
    ///
    /// The error of the last try, with what was asked and how often.
    pub async fn send<T: Send>(
        &self,
        request: Request,
        how: &Exchange<'_>,
        read: impl Fn(Response) -> Result<T, Error> + Send + Sync,
    ) -> Result<T, Error> {
        let mut run = Run::new(&self.0, request, how)?;
        let result = run.finish(read).await;
        result.map_err(|error| error.at(|| run.asked_for(), run.number))
    }
}

impl<'a> Exchange<'a> {
    /// A read with the credentials of `prepare`, bound to the origin of its request.
    pub fn new(prepare: &'a dyn Prepare) -> Self {
        Self {
            prepare,
            scope: RetryScope::default(),
            origin: None,
            allowed_origins: &[],
            credential_origins: &[],
            label: None,
            lane: "",
            reset_unit: ResetUnit::default(),
            on_attempt: None,
        }
    }

    /// What is retried.
    #[must_use]
    pub fn retry_scope(mut self, scope: RetryScope) -> Self {
        self.scope = scope;
        self
    }

    /// The origin that the request must have, where its URL comes from somebody else, such as a
    /// link in an answer.
    #[must_use]
    pub fn origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// Other origins that a redirect or a link may lead to.
    ///
    /// They are asked by GET and HEAD only, with nothing of ours: no credentials, no header, no body, and of the query only what the
    /// link or redirect itself says. What they redirect to must be listed as well or be the exchange's own origin, and gets as little
    /// even then: who leads back home could choose what is asked for there in our name. Leaving TLS is refused whatever is listed, and
    /// a 401 from there renews nothing.
    #[must_use]
    pub fn allowed_origins(mut self, origins: &'a [Origin]) -> Self {
        self.allowed_origins = origins;
        self
    }

    /// Other origins that a redirect or a link may lead to and that are trusted like the exchange's own: they get the whole request,
    /// credentials included, and a 401 from there renews. Leaving TLS is refused all the same.
    #[must_use]
    pub fn credential_origins(mut self, origins: &'a [Origin]) -> Self {
        self.credential_origins = origins;
        self
    }

    /// A path template to be shown in errors and events instead of the path, which may hold data.
    #[must_use]
    pub fn label(mut self, label: &'a str) -> Self {
        self.label = Some(label);
        self
    }

    /// On whose behalf it is. Exchanges of different lanes share the permits alike, however many
    /// there are of each; those of one lane come one after the other. One lane for all unless set.
    #[must_use]
    pub fn lane(mut self, lane: &'a str) -> Self {
        self.lane = lane;
        self
    }

    /// The unit of the resets in answers, as for [`StatusRules`](crate::StatusRules::reset_unit): what a success says of a used-up limit is told to
    /// [`Prepare::used_up`].
    #[must_use]
    pub fn reset_unit(mut self, unit: ResetUnit) -> Self {
        self.reset_unit = unit;
        self
    }

    /// Is called after every request.
    #[must_use]
    pub fn on_attempt(mut self, listener: &'a (dyn Fn(&Attempt) + Send + Sync)) -> Self {
        self.on_attempt = Some(listener);
        self
    }
}

/// The state of one exchange.
struct Run<'a> {
    client: &'a Inner,
    how: &'a Exchange<'a>,
    origin: Origin,
    /// As the caller gave it, without credentials.
    request: Request,
    /// Requests made.
    number: u32,
    /// Starts from the beginning after a temporary failure.
    retries: u32,
    spent: Spent,
    renewed: bool,
    /// The credentials of the last request.
    used: Option<Generation>,
    /// Credentials whose limit was reached.
    limited: Vec<Generation>,
}

/// Where one request of an exchange goes.
struct Target {
    url: Url,
    /// The origin, where it is not the exchange's own.
    away: Option<Origin>,
    /// Outside the exchange's origin, or led to from there: gets nothing of ours.
    stranger: bool,
}

impl Target {
    fn origin<'t>(&'t self, home: &'t Origin) -> &'t Origin {
        self.away.as_ref().unwrap_or(home)
    }
}

/// One request and its result.
struct Asked {
    /// Of the credentials on it; none went to a stranger.
    generation: Option<Generation>,
    elapsed: Duration,
    result: Result<Response, Error>,
    permit: Turn,
}

/// The part of an answer that an [`Attempt`] shows.
#[derive(Clone, Copy)]
struct Seen {
    status: Option<StatusCode>,
    bytes: usize,
    elapsed: Duration,
}

impl<'a> Run<'a> {
    fn new(client: &'a Inner, request: Request, how: &'a Exchange<'a>) -> Result<Self, Error> {
        let origin = match &how.origin {
            Some(origin) => origin.clone(),
            None => Origin::of(&request.url)?,
        };
        let run = Self {
            client,
            how,
            origin,
            request,
            number: 0,
            retries: 0,
            spent: Spent::default(),
            renewed: false,
            used: None,
            limited: Vec::new(),
        };
        run.away(&run.request.url, &run.origin, Lead::Link)
            .map_err(|error| error.at(|| run.asked_for(), 0))?;
        Ok(run)
    }

    async fn finish<T: Send>(
        &mut self,
        read: impl Fn(Response) -> Result<T, Error> + Send + Sync,
    ) -> Result<T, Error> {
        'exchange: loop {
            let url = self.request.url.clone();
            let away = self.away(&url, &self.origin, Lead::Link)?;
            let mut target = Target {
                stranger: self.is_stranger(&away),
                away,
                url,
            };
            let mut hops = 0;
            let (seen, mut error, permit) = loop {
                let asked = self.ask(&target).await?;
                let seen = asked.seen();
                let generation = asked.generation;
                // Given back when it is known what the answer says of limits: whoever is next in line asks at once.
                let mut permit = Some(asked.permit);
                let response = match asked.result {
                    Ok(response) => response,
                    Err(error) => break (seen, error, permit),
                };
                if is_redirect(response.status) {
                    match self.next_hop(&target, &response, hops) {
                        Ok(next) => {
                            self.report(&target, seen, Some(Duration::ZERO), None);
                            hops += 1;
                            target = next;
                            continue;
                        }
                        Err(error) => break (seen, error, permit),
                    }
                }
                if let Some(generation) = generation
                    && response.status == StatusCode::UNAUTHORIZED
                    && !self.renewed
                {
                    self.renewed = true;
                    permit = None;
                    match self.how.prepare.renew(generation).await {
                        Ok(Renewal::Renewed) => {
                            let wait = Some(Duration::ZERO);
                            self.report(&target, seen, wait, Some(ErrorKind::Unauthorized));
                            continue 'exchange;
                        }
                        Ok(Renewal::Unchanged) => {}
                        Err(error) => {
                            self.report(&target, seen, None, Some(error.kind()));
                            return Err(error);
                        }
                    }
                }
                if response.status.is_success() {
                    if let Some(generation) = generation
                        && let Some(reset) = self.used_up_for(&response)
                    {
                        self.how.prepare.used_up(generation, reset);
                    }
                    permit = None;
                }
                match read(response) {
                    Ok(value) => {
                        if let Some(budgets) = &self.client.budgets {
                            budgets.succeeded(target.origin(&self.origin), &self.spent);
                        }
                        self.report(&target, seen, None, None);
                        return Ok(value);
                    }
                    Err(error) => break (seen, error, permit),
                }
            };

            let wait = self.decide(&target, &mut error);
            drop(permit);
            self.report(&target, seen, wait, Some(error.kind()));
            match wait {
                None => return Err(error),
                Some(wait) => self.client.clock.sleep(wait).await,
            }
        }
    }

    /// How long the limit that this answer tells of admits no further request.
    fn used_up_for(&self, response: &Response) -> Option<Duration> {
        let now = || self.client.clock.wall();
        let left = Allowance::of(&response.headers, self.how.reset_unit, now)?;
        (left.remaining == 0 && !left.reset.is_zero()).then_some(left.reset)
    }

    /// Sends one request as soon as its origin, the credentials, the permits and the quota allow.
    ///
    /// `Err` ends the exchange; what went wrong with the request itself is in [`Asked`].
    async fn ask(&mut self, target: &Target) -> Result<Asked, Error> {
        let origin = target.origin(&self.origin);
        loop {
            self.wait_for_gate(origin).await?;
            let (permit, request, generation) = self.turn(target).await?;
            if self.pause(origin).is_some() {
                // Another exchange was told to wait while this one stood in line.
                continue;
            }
            if let Some(quotas) = &self.client.quotas
                && let Err(wait) = quotas.take(origin)
            {
                // After the wait everything is made anew: credentials may have expired.
                drop(permit);
                self.client.clock.sleep(wait).await;
                continue;
            }
            self.number += 1;
            let start = self.client.clock.now();
            let result = self.client.transport.send(request).await;
            let elapsed = self.client.clock.now().saturating_sub(start);

            let result = result.and_then(|response| {
                // A transport that follows redirects by itself would get around the rule.
                if !origin.is_of(&response.url) {
                    return Err(origin.refuse(Lead::Answer, &Origin::of(&response.url)?));
                }
                Ok(response)
            });
            self.used = generation;
            return Ok(Asked {
                generation,
                elapsed,
                result,
                permit,
            });
        }
    }

    /// A permit, and the request as it goes out.
    async fn turn(&self, target: &Target) -> Result<(Turn, Request, Option<Generation>), Error> {
        let mut prepared = self.prepared(target).await?;
        let mut lost = 0;
        loop {
            // Never held while credentials are fetched: that takes a request, too, and with one
            // permit it would wait for itself.
            let mut turn = pin!(self.client.permits.next(self.how.lane));
            let (permit, waited) = match at_once(turn.as_mut()).await {
                Some(permit) => (permit, false),
                None => (turn.await, true),
            };
            // Standing in line is a wait as well: a token may have expired or been rejected, a limit been reached, and a signature is
            // of a time gone by.
            if waited && lost < MAX_LOST_TURNS {
                let mut anew = pin!(self.prepared(target));
                match at_once(anew.as_mut()).await {
                    Some(fresh) => prepared = fresh?,
                    None => {
                        drop(permit);
                        prepared = anew.await?;
                        lost += 1;
                        continue;
                    }
                }
            }
            let (request, generation) = prepared;
            return Ok((permit, request, generation));
        }
    }

    /// The request as it goes out, with credentials unless a stranger gets it.
    async fn prepared(&self, target: &Target) -> Result<(Request, Option<Generation>), Error> {
        if target.stranger {
            let request = Request::new(self.request.method.clone(), target.url.clone());
            return Ok((request, None));
        }
        let mut request = self.request.clone();
        request.url = target.url.clone();
        let generation = self.how.prepare.prepare(&mut request).await?;
        // Credentials may go into the query, but not elsewhere.
        let origin = target.origin(&self.origin);
        if !origin.is_of(&request.url) {
            let elsewhere = Origin::of(&request.url)?;
            return Err(origin.refuse(Lead::Credentials, &elsewhere));
        }
        refuse_userinfo(&request.url)?;
        hide_secrets(&mut request.headers, &self.request.headers);
        Ok((request, Some(generation)))
    }

    /// What to do about `error`: the wait before the next try, which is counted, or `None` to give up.
    fn decide(&mut self, target: &Target, error: &mut Error) -> Option<Duration> {
        let origin = target.origin(&self.origin);
        match &target.away {
            Some(away) if self.is_stranger(&target.away) => error.add_advice(&format!(
                "that was {away} of allowedOrigins, which gets no credentials and no headers"
            )),
            _ if target.stranger => {
                error.add_advice("another origin led there, so it was asked without credentials");
            }
            _ => {}
        }
        let policy = &self.client.retry;
        let clock = &self.client.clock;
        let told = error.settle_told(|| clock.wall());
        let mut wait = {
            let mut random = self
                .client
                .random
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            policy.wait(self.retries + 1, told, &mut random)
        };
        let mut too_long = told.is_some_and(|told| told > policy.told_cap);
        let mut switched = false;
        if error.kind() == ErrorKind::RateLimited {
            let pause = match self.used {
                Some(used) => self.how.prepare.limited(used, wait),
                None => wait,
            };
            // Another credential goes on sooner.
            if pause < wait {
                wait = pause;
                too_long = pause > policy.told_cap;
            }
            if let Some(used) = self.used
                && wait.is_zero()
                && !self.limited.contains(&used)
            {
                self.limited.push(used);
                switched = true;
            }
            // Also for those who do not ask again: others shall not ask earlier than was told.
            if !wait.is_zero() {
                let until = clock.now().saturating_add(wait);
                self.client.gate.pause(origin, until);
            }
        }
        if !self.how.scope.allows(error) {
            return None;
        }
        if switched {
            // Not counted as a retry: however many credentials there are, each has its turn.
            return Some(Duration::ZERO);
        }
        if too_long {
            error.add_advice(&too_long_a_wait(told.unwrap_or(wait).min(wait), policy));
            return None;
        }
        if self.retries + 1 >= policy.attempts {
            return None;
        }
        if let Some(budgets) = &self.client.budgets
            && !budgets.take(origin, error, &mut self.spent)
        {
            error.add_advice(&format!(
                "it is not asked again, because the retry budget of {origin} is spent (retry.budget)"
            ));
            return None;
        }
        self.retries += 1;
        Some(wait)
    }

    async fn wait_for_gate(&self, origin: &Origin) -> Result<(), Error> {
        // A pause may be prolonged while it is slept through.
        while let Some(pause) = self.pause(origin) {
            let policy = &self.client.retry;
            if pause > policy.longest_pause() {
                let message = format!(
                    "the rate limit of {origin} is reached; {}",
                    too_long_a_wait(pause, policy)
                );
                return Err(Error::new(ErrorKind::RateLimited, message));
            }
            self.client.clock.sleep(pause).await;
        }
        Ok(())
    }

    fn pause(&self, origin: &Origin) -> Option<Duration> {
        let now = self.client.clock.now();
        self.client.gate.remaining(origin, now)
    }

    fn next_hop(
        &self,
        current: &Target,
        response: &Response,
        hops: usize,
    ) -> Result<Target, Error> {
        let refuse = |message: String| {
            Err(Error::new(ErrorKind::Redirect, message).with_status(response.status))
        };
        let status = response.status.as_u16();
        if !matches!(self.request.method, Method::GET | Method::HEAD) {
            return refuse(format!(
                "the answer is a redirect ({status}), which is followed for GET and HEAD only; \
                 configure the endpoint that it leads to"
            ));
        }
        if hops == MAX_HOPS {
            return refuse(format!("more than {MAX_HOPS} redirects in a row"));
        }
        let location = response
            .headers
            .get(LOCATION)
            .and_then(|location| std::str::from_utf8(location.as_bytes()).ok())
            .and_then(|location| current.url.join(location).ok());
        let Some(mut url) = location else {
            return refuse(format!("a redirect ({status}) without a usable Location"));
        };
        url.set_fragment(None);
        let away = self
            .away(&url, current.origin(&self.origin), Lead::Redirect)
            .map_err(|error| error.with_status(response.status))?;
        Ok(Target {
            stranger: current.stranger || self.is_stranger(&away),
            away,
            url,
        })
    }

    /// The origin of `url` where that is not the exchange's own, if it may be asked; `from` is where it was said.
    fn away(&self, url: &Url, from: &Origin, lead: Lead) -> Result<Option<Origin>, Error> {
        if from.is_secure() && url.scheme() == "http" {
            return Err(from.refuse(lead, &Origin::of(url)?));
        }
        let away = if self.origin.is_of(url) {
            None
        } else {
            Some(self.allowed(Origin::of(url)?, lead)?)
        };
        refuse_userinfo(url)?;
        Ok(away)
    }

    /// Whether what is there gets nothing of ours.
    fn is_stranger(&self, away: &Option<Origin>) -> bool {
        away.as_ref()
            .is_some_and(|origin| !self.how.credential_origins.contains(origin))
    }

    fn allowed(&self, origin: Origin, lead: Lead) -> Result<Origin, Error> {
        if self.how.credential_origins.contains(&origin) {
            return Ok(origin);
        }
        if !self.how.allowed_origins.contains(&origin) {
            return Err(self.origin.refuse(lead, &origin));
        }
        let is_read = matches!(self.request.method, Method::GET | Method::HEAD);
        if !is_read || self.request.body.is_some() {
            let message = format!(
                "{lead} leads to {origin} of allowedOrigins, which is asked by GET and HEAD without a body only; \
                 nothing was sent there"
            );
            return Err(Error::new(ErrorKind::ForeignOrigin, message));
        }
        Ok(origin)
    }

    fn report(
        &self,
        target: &Target,
        seen: Seen,
        wait: Option<Duration>,
        error: Option<ErrorKind>,
    ) {
        let attempt = Attempt {
            method: self.request.method.clone(),
            url: match &target.away {
                Some(origin) => SafeUrl::labelled(origin, ""),
                None => self.shown_url(),
            },
            number: self.number,
            status: seen.status,
            bytes: seen.bytes,
            elapsed: seen.elapsed,
            wait,
            error,
        };
        tracing::debug!(
            method = %attempt.method,
            url = %attempt.url,
            number = attempt.number,
            status = attempt.status.map(|status| status.as_u16()),
            bytes = attempt.bytes,
            elapsed = ?attempt.elapsed,
            wait = ?attempt.wait,
            error = ?attempt.error,
            "request"
        );
        if let Some(listener) = self.how.on_attempt {
            listener(&attempt);
        }
    }

    fn asked_for(&self) -> String {
        format!("{} {}", self.request.method, self.shown_url())
    }

    fn shown_url(&self) -> SafeUrl {
        match self.how.label {
            Some(label) => SafeUrl::labelled(&self.origin, label),
            None => SafeUrl::of(&self.request.url),
        }
    }
}

impl Asked {
    fn seen(&self) -> Seen {
        let response = self.result.as_ref().ok();
        Seen {
            status: response.map(|response| response.status),
            bytes: response.map_or(0, |response| response.body.len()),
            elapsed: self.elapsed,
        }
    }
}

impl RetryScope {
    fn allows(self, error: &Error) -> bool {
        let token_may_be_asked_again = || {
            error.kind() == ErrorKind::Connect
                || matches!(
                    error.status(),
                    Some(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
                )
        };
        error.is_retryable()
            && match self {
                RetryScope::Read => true,
                RetryScope::Token => token_may_be_asked_again(),
            }
    }
}

/// What a future gives without waiting; nothing is lost of one that has to wait.
async fn at_once<F: Future>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn too_long_a_wait(wait: Duration, policy: &RetryPolicy) -> String {
    format!(
        "it ends in {} s, and no more than {} s are waited for",
        wait.as_secs_f64().ceil(),
        policy.told_cap.as_secs()
    )
}

/// Keeps credentials out of logs and compression tables of the layers below (RFC 7541 §7.1.3).
fn hide_secrets(headers: &mut HeaderMap, without_credentials: &HeaderMap) {
    for (name, value) in headers.iter_mut() {
        let known = without_credentials
            .get_all(name)
            .iter()
            .any(|other| other == value);
        if !known || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name) {
            value.set_sensitive(true);
        }
    }
}

/// Settings of a [`Client`].
#[derive(Debug)]
pub struct ClientBuilder {
    transport: Arc<dyn Transport>,
    retry: RetryPolicy,
    clock: Option<Arc<dyn Clock>>,
    seed: Option<u64>,
    max_concurrent_requests: usize,
    quota: Option<Quota>,
}

impl ClientBuilder {
    /// How often and after which waits exchanges are tried again.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Where time comes from. The default is a [`TokioClock`].
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Makes the random part of waits repeatable.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Most requests that are under way at once, over all exchanges and origins; 0 counts as 1.
    /// The default is [`DEFAULT_MAX_CONCURRENT_REQUESTS`].
    #[must_use]
    pub fn max_concurrent_requests(mut self, requests: usize) -> Self {
        self.max_concurrent_requests = requests;
        self
    }

    /// How many requests each origin may get in a time; as many as it answers unless set.
    #[must_use]
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// The client.
    pub fn build(self) -> Client {
        let clock = self.clock.unwrap_or_else(|| Arc::new(TokioClock::new()));
        Client(Arc::new(Inner {
            budgets: self.retry.budget.map(Budgets::new),
            quotas: self.quota.map(|quota| Quotas::new(quota, clock.clone())),
            transport: self.transport,
            clock,
            retry: self.retry,
            random: Mutex::new(match self.seed {
                Some(seed) => fastrand::Rng::with_seed(seed),
                None => fastrand::Rng::new(),
            }),
            permits: Turns::new(self.max_concurrent_requests),
            gate: Gate::default(),
        }))
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("transport", &self.0.transport)
            .field("retry", &self.0.retry)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Exchange<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange")
            .field("prepare", &self.prepare)
            .field("scope", &self.scope)
            .field("origin", &self.origin)
            .field("allowed_origins", &self.allowed_origins)
            .field("credential_origins", &self.credential_origins)
            .field("label", &self.label)
            .field("lane", &self.lane)
            .finish_non_exhaustive()
    }
}
