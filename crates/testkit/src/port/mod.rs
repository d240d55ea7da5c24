//! Port in memory.

mod catalog;
mod clock;
mod contract;
mod rules;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::header::{AUTHORIZATION, DATE, USER_AGENT};
use http::{HeaderValue, Method, StatusCode};
use longshore_transport::{Request, Transport};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use self::catalog::{Catalog, Datasource, Refusal, Upsert};
use self::clock::PortClock;
use crate::faults::{Fault, Faults};
use crate::seen::{Log, lock};
use crate::{Answer, Network, Seen, Server, Service};

/// A double of Port: what its API does, as far as these crates use it, in memory.
///
/// It keeps entities with owner and time of the last update, hands out tokens that expire, reads and writes integrations, refuses what
/// Port refuses, fails on order ([`PortDouble::fault`]) and remembers everything, so that a test can ask what was there, what was
/// deleted and why. Its clock is its own ([`PortDouble::advance`]) and stands in the header `Date` of every answer.
///
/// - Who owns an entity is the `User-Agent` of the call that wrote it last.
/// - A relation leads to the blueprint that [`PortDouble::relation`] declares. Undeclared, it leads to every entity with that identifier,
///   first of all in a blueprint of the relation's own name, which is also where a missing one is created.
/// - An entity that others relate to, other than those of the same call, has dependents.
/// - Every request is held against Port's published description where that file lies beside the project
///   (`shared/reference/port-openapi.json`); see [`PortDouble::violations`].
///
/// Clones are the same Port.
///
/// ```
/// use std::time::Duration;
/// use longshore_testkit::{Answer, Network, PortCall, PortDouble};
///
/// let port = PortDouble::new()
///     .credentials("id", "secret")
///     .relation("ticket", "author", "user")
///     .stale_entity("ticket", "T-1")
///     .fault(PortCall::UpsertMany, 2, Answer::status(503));
/// let network = Network::new().at("https://api.getport.io", port.clone());
/// // … a sync over this network …
/// # let _ = network;
/// assert!(port.entity("ticket", "T-1").is_some());
/// assert!(port.deleted().is_empty());
/// assert_eq!(port.violations(), Vec::<String>::new());
/// ```
#[derive(Clone, Default)]
pub struct PortDouble {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    log: Log,
}

#[derive(Default)]
struct State {
    clock: PortClock,
    credentials: Option<(String, String)>,
    token_lifetime: Option<Duration>,
    tokens: HashMap<String, SystemTime>,
    tokens_issued: u64,
    catalog: Catalog,
    blueprints: BTreeMap<String, Value>,
    integrations: BTreeMap<String, Value>,
    resync_requests: BTreeMap<String, SystemTime>,
    examples: BTreeMap<String, Vec<Value>>,
    resync_states: BTreeMap<String, Vec<Value>>,
    takes_kinds: bool,
    kinds: Vec<Value>,
    owned_page: Option<usize>,
    partial_status: Option<StatusCode>,
    rate: Option<Rate>,
    faults: Faults<PortCall>,
    violations: Vec<String>,
    events: Vec<PortEvent>,
}

/// A rate limit in windows of fixed length, the first of which begins with the first request.
struct Rate {
    limit: u64,
    period: Duration,
    began: Option<SystemTime>,
    used: u64,
}

impl Rate {
    /// Counts a request. Whether it is within the limit.
    fn take(&mut self, now: SystemTime) -> bool {
        let is_over = |began: SystemTime| {
            now.duration_since(began)
                .is_ok_and(|age| age >= self.period)
        };
        if self.began.is_none_or(is_over) {
            self.began = Some(now);
            self.used = 0;
        }
        self.used += 1;
        self.used <= self.limit
    }

    fn told(&self, answer: Answer, now: SystemTime) -> Answer {
        let reset = self.began.unwrap_or(now) + self.period;
        let reset = reset
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let remaining = self.limit.saturating_sub(self.used);
        answer
            .header("x-ratelimit-limit", &self.limit.to_string())
            .header("x-ratelimit-remaining", &remaining.to_string())
            .header("x-ratelimit-period", &self.period.as_secs().to_string())
            .header("x-ratelimit-reset", &reset.as_secs().to_string())
    }
}

/// The calls of Port's API that the double answers; the key by which faults are ordered and requests counted.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum PortCall {
    /// `POST /auth/access_token`
    Token,
    /// `POST /blueprints/{blueprint}/entities/bulk`
    UpsertMany,
    /// `POST /blueprints/{blueprint}/entities`
    UpsertOne,
    /// `POST /blueprints/{blueprint}/bulk/entities/delete`
    DeleteMany,
    /// `DELETE /blueprints/{blueprint}/entities/{entity}`
    DeleteOne,
    /// `POST /blueprints/entities/datasource-entities`
    Owned,
    /// `POST /entities/search`
    Search,
    /// `GET /blueprints/{blueprint}/entities`
    Entities,
    /// `GET /blueprints/{blueprint}/entities/{entity}`
    Entity,
    /// `GET /blueprints` and `GET /blueprints/{blueprint}`
    Blueprint,
    /// `POST /blueprints`
    CreateBlueprint,
    /// `PATCH /blueprints/{blueprint}`
    UpdateBlueprint,
    /// `GET /integration/{integration}`
    Integration,
    /// `POST /integration`
    CreateIntegration,
    /// `PATCH /integration/{integration}` and `PATCH /integration/{integration}/config`
    UpdateIntegration,
    /// `GET /integration/{integration}/resync-request`
    ResyncRequest,
    /// `PATCH /integration/{integration}/resync-state`
    ResyncState,
    /// `POST /integration/{integration}/kinds/{kind}/examples`
    Examples,
    /// `POST /ingest/syncMetrics` and `PUT /ingest/syncMetrics/resync/{resync}/kind/{kind}`: an address that the integration tells; see
    /// [`PortDouble::takes_kinds`]
    Kinds,
}

/// Something that changed at Port, in the order in which it happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum PortEvent {
    /// A token was handed out.
    TokenIssued,
    /// An entity was created or updated.
    Upserted {
        /// Its blueprint.
        blueprint: String,
        /// Its identifier.
        identifier: String,
        /// It was not there before.
        created: bool,
    },
    /// An entity was created because another one relates to it.
    Placeholder {
        /// Its blueprint.
        blueprint: String,
        /// Its identifier.
        identifier: String,
    },
    /// One entity of a call was refused.
    Rejected {
        /// Its blueprint.
        blueprint: String,
        /// Its identifier.
        identifier: String,
        /// The status Port gives for it.
        status: u16,
    },
    /// An entity was deleted.
    Deleted {
        /// Its blueprint.
        blueprint: String,
        /// Its identifier.
        identifier: String,
        /// Nobody named it: it went along as the dependent of another one.
        dependent: bool,
    },
}

/// Setting up.
impl PortDouble {
    /// An empty catalog that takes any credentials and any blueprint. Its clock begins at 2026-01-01T00:00:00Z and goes with tokio's time.
    pub fn new() -> PortDouble {
        PortDouble::default()
    }

    /// Gives tokens for these credentials only.
    pub fn credentials(self, client_id: &str, client_secret: &str) -> PortDouble {
        self.state().credentials = Some((client_id.to_owned(), client_secret.to_owned()));
        self
    }

    /// How long a token is good (3 hours).
    pub fn token_lifetime(self, lifetime: Duration) -> PortDouble {
        self.state().token_lifetime = Some(lifetime);
        self
    }

    /// Takes so many requests in a period, those for tokens not counted, and answers 429 to others. Unless set, every answer tells of a limit
    /// that is never reached.
    pub fn rate_limit(self, requests: u64, period: Duration) -> PortDouble {
        self.state().rate = Some(Rate {
            limit: requests,
            period,
            began: None,
            used: 0,
        });
        self
    }

    /// Knows this blueprint, and from now on only those that were named: others are a 404.
    pub fn blueprint(self, identifier: &str) -> PortDouble {
        self.state().blueprints.insert(
            identifier.to_owned(),
            json!({"identifier": identifier, "title": identifier}),
        );
        self
    }

    /// The relation `name` of this blueprint leads to entities of `target`.
    pub fn relation(self, blueprint: &str, name: &str, target: &str) -> PortDouble {
        self.state().catalog.relate(blueprint, name, target);
        self
    }

    /// Knows this integration, with this mapping as its `config`.
    pub fn integration(self, identifier: &str, config: impl Into<Value>) -> PortDouble {
        let integration = json!({
            "installationId": identifier,
            "identifier": identifier,
            "installationAppType": "custom",
            "config": config.into(),
        });
        self.state()
            .integrations
            .insert(identifier.to_owned(), integration);
        self
    }

    /// Tells integrations an address, its own, at which it wants to know how each kind of a resync goes.
    pub fn takes_kinds(self) -> PortDouble {
        self.state().takes_kinds = true;
        self
    }

    /// Asks the integration to resync as of now.
    pub fn request_resync(self, integration: &str) -> PortDouble {
        let mut state = self.state();
        let now = state.clock.now();
        state.resync_requests.insert(integration.to_owned(), now);
        drop(state);
        self
    }

    /// An entity that is there already, last updated at this time, and owned by whichever integration asks.
    pub fn owned_entity(
        self,
        blueprint: &str,
        identifier: &str,
        updated_at: SystemTime,
    ) -> PortDouble {
        self.with_entity(
            blueprint,
            json!({"identifier": identifier}),
            Datasource::Asking,
            updated_at,
        )
    }

    /// [`PortDouble::owned_entity`], last updated a day ago: a candidate for deletion.
    pub fn stale_entity(self, blueprint: &str, identifier: &str) -> PortDouble {
        let yesterday = self.now() - Duration::from_secs(24 * 60 * 60);
        self.owned_entity(blueprint, identifier, yesterday)
    }

    /// An entity that is there already with all of this (`identifier`, `title`, `properties`, `relations` …), updated a day ago and
    /// owned by whichever integration asks.
    ///
    /// # Panics
    /// When the entity has no identifier.
    pub fn stale_entity_with(self, blueprint: &str, entity: impl Into<Value>) -> PortDouble {
        let yesterday = self.now() - Duration::from_secs(24 * 60 * 60);
        self.with_entity(blueprint, entity.into(), Datasource::Asking, yesterday)
    }

    /// An entity that somebody else owns: no integration gets it as its own.
    pub fn foreign_entity(self, blueprint: &str, identifier: &str) -> PortDouble {
        let yesterday = self.now() - Duration::from_secs(24 * 60 * 60);
        let owner = Datasource::Agent("port-ui".to_owned());
        self.with_entity(
            blueprint,
            json!({"identifier": identifier}),
            owner,
            yesterday,
        )
    }

    /// Refuses this entity whenever it is upserted, with this status and message in the answer's `errors`.
    pub fn rejects(
        self,
        blueprint: &str,
        identifier: &str,
        status: u16,
        message: &str,
    ) -> PortDouble {
        self.state()
            .catalog
            .reject(blueprint, identifier, status, message);
        self
    }

    /// The most entities that one page of owned entities holds, whatever `limit` asks for.
    pub fn owned_page_size(self, entities: usize) -> PortDouble {
        self.state().owned_page = Some(entities.max(1));
        self
    }

    /// The status of a bulk upsert some of whose entities were refused: 207 unless set (Port lists errors in a 200 as well).
    ///
    /// # Panics
    /// When `status` is no HTTP status.
    pub fn partial_status(self, status: u16) -> PortDouble {
        self.state().partial_status = Some(Answer::status(status).status);
        self
    }

    /// Answers the `number`th request (from 1) of this call with this answer instead; the call has no effect.
    pub fn fault(self, call: PortCall, number: u64, answer: Answer) -> PortDouble {
        self.faults(call, number..=number, answer)
    }

    /// [`PortDouble::fault`] for all requests of this call whose number (from 1) is in the range: `1..` for all of them.
    pub fn faults(
        self,
        call: PortCall,
        numbers: impl RangeBounds<u64>,
        answer: Answer,
    ) -> PortDouble {
        self.state()
            .faults
            .order(call, numbers, Fault::Instead(answer));
        self
    }

    /// The `number`th request of this call takes effect, but its answer is this one: lost on the way, as far as the client can tell.
    pub fn lose_answer(self, call: PortCall, number: u64, answer: Answer) -> PortDouble {
        self.state()
            .faults
            .order(call, number..=number, Fault::Afterwards(answer));
        self
    }

    /// Sets the clock; it goes on from there.
    pub fn at_time(self, now: SystemTime) -> PortDouble {
        self.state().clock.set(now);
        self
    }

    /// This Port as a transport that takes every request, whatever its origin. Where origins matter, use [`Network`].
    pub fn transport(&self) -> Arc<dyn Transport> {
        Network::new().anywhere(self.clone()).transport()
    }

    /// Serves this Port on a free port of this machine until the server is dropped.
    pub async fn serve(&self) -> Server {
        crate::serve(self.clone()).await
    }
}

/// Time, and what happens outside of calls.
impl PortDouble {
    /// The time at Port.
    pub fn now(&self) -> SystemTime {
        self.state().clock.now()
    }

    /// Lets this much time pass at Port alone, so that what was written before is older.
    pub fn advance(&self, by: Duration) {
        self.state().clock.advance(by);
    }

    /// Makes every token worthless that was handed out so far: calls with it are a 401.
    pub fn revoke_tokens(&self) {
        self.state().tokens.clear();
    }
}

/// What a test asks afterwards.
impl PortDouble {
    /// Every entity, by blueprint and identifier.
    pub fn entities(&self) -> Vec<Value> {
        self.state().catalog.all()
    }

    /// One entity.
    pub fn entity(&self, blueprint: &str, identifier: &str) -> Option<Value> {
        self.state().catalog.one(blueprint, identifier)
    }

    /// The identifiers of a blueprint's entities, sorted.
    pub fn identifiers(&self, blueprint: &str) -> Vec<String> {
        self.state().catalog.identifiers(blueprint)
    }

    /// Whether this entity was created only because another one relates to it, and nobody wrote it since.
    pub fn is_placeholder(&self, blueprint: &str, identifier: &str) -> bool {
        self.state().catalog.is_placeholder(blueprint, identifier)
    }

    /// Blueprint and identifier of all that was deleted, in order; an entity deleted twice stands there twice.
    pub fn deleted(&self) -> Vec<(String, String)> {
        self.events()
            .into_iter()
            .filter_map(|event| match event {
                PortEvent::Deleted {
                    blueprint,
                    identifier,
                    ..
                } => Some((blueprint, identifier)),
                _ => None,
            })
            .collect()
    }

    /// Everything that changed, in order: equal runs give equal logs.
    pub fn events(&self) -> Vec<PortEvent> {
        self.state().events.clone()
    }

    /// Every request, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.log.all()
    }

    /// The requests of this call.
    pub fn calls(&self, call: PortCall) -> Vec<Seen> {
        let is_call = |seen: &Seen| {
            Target::of(&seen.method, seen.path()).is_some_and(|target| target.call == call)
        };
        self.requests().into_iter().filter(is_call).collect()
    }

    /// How many requests of this call there were.
    pub fn count(&self, call: PortCall) -> usize {
        self.calls(call).len()
    }

    /// What an integration is, its mapping included.
    pub fn known_integration(&self, identifier: &str) -> Option<Value> {
        self.state().integrations.get(identifier).cloned()
    }

    /// A blueprint as it was named or created.
    pub fn known_blueprint(&self, identifier: &str) -> Option<Value> {
        self.state().blueprints.get(identifier).cloned()
    }

    /// Replaces the mapping of an integration, as somebody does in Port's editor.
    pub fn set_mapping(&self, integration: &str, config: impl Into<Value>) {
        if let Some(known) = self.state().integrations.get_mut(integration) {
            known["config"] = config.into();
        }
    }

    /// The examples that were sent for this kind.
    pub fn examples(&self, kind: &str) -> Vec<Value> {
        self.state().examples.get(kind).cloned().unwrap_or_default()
    }

    /// The states of resyncs that this integration reported, in order.
    pub fn resync_states(&self, integration: &str) -> Vec<Value> {
        self.state()
            .resync_states
            .get(integration)
            .cloned()
            .unwrap_or_default()
    }

    /// What it was told of the kinds of resyncs, in order.
    pub fn kinds(&self) -> Vec<Value> {
        self.state().kinds.clone()
    }

    /// In what the requests so far broke Port's published description: method, path, query, body; empty is what a test wants.
    ///
    /// Calls that the description does not list are held against shapes written here. Where the file is missing, only those are
    /// ([`PortDouble::has_description`]).
    pub fn violations(&self) -> Vec<String> {
        self.state().violations.clone()
    }

    /// Whether Port's published description was found beside the project.
    pub fn has_description() -> bool {
        contract::is_there()
    }

    fn with_entity(
        self,
        blueprint: &str,
        entity: Value,
        owner: Datasource,
        updated_at: SystemTime,
    ) -> PortDouble {
        let Value::Object(entity) = entity else {
            panic!("an entity is an object, this is none: {entity}")
        };
        self.state()
            .catalog
            .preload(blueprint, entity, owner, updated_at);
        self
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.shared.state)
    }
}

#[async_trait]
impl Service for PortDouble {
    async fn answer(&self, request: Request) -> Answer {
        let number = self.shared.log.arrived(&request);
        let answer = self.state().answer(&request);
        self.shared.log.answered(number, answer.status);
        answer
    }
}

impl fmt::Debug for PortDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortDouble")
            .field("requests", &self.requests().len())
            .finish_non_exhaustive()
    }
}

/// Which call a request is, and the parameters in its path, decoded.
struct Target {
    call: PortCall,
    parameters: Vec<String>,
}

impl Target {
    fn of(method: &Method, path: &str) -> Option<Target> {
        let path: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let ["v1", path @ ..] = path.as_slice() else {
            return None;
        };
        let (call, parameters): (PortCall, Vec<&str>) = match (method.as_str(), path) {
            ("POST", ["auth", "access_token"]) => (PortCall::Token, vec![]),
            ("POST", ["blueprints", "entities", "datasource-entities"]) => {
                (PortCall::Owned, vec![])
            }
            ("POST", ["entities", "search"]) => (PortCall::Search, vec![]),
            ("POST", ["blueprints", blueprint, "entities", "bulk"]) => {
                (PortCall::UpsertMany, vec![blueprint])
            }
            ("POST", ["blueprints", blueprint, "entities"]) => {
                (PortCall::UpsertOne, vec![blueprint])
            }
            ("POST", ["blueprints", blueprint, "bulk", "entities", "delete"]) => {
                (PortCall::DeleteMany, vec![blueprint])
            }
            ("DELETE", ["blueprints", blueprint, "entities", entity]) => {
                (PortCall::DeleteOne, vec![blueprint, entity])
            }
            ("GET", ["blueprints", blueprint, "entities"]) => (PortCall::Entities, vec![blueprint]),
            ("GET", ["blueprints", blueprint, "entities", entity]) => {
                (PortCall::Entity, vec![blueprint, entity])
            }
            ("GET", ["blueprints"]) => (PortCall::Blueprint, vec![]),
            ("GET", ["blueprints", blueprint]) => (PortCall::Blueprint, vec![blueprint]),
            ("POST", ["blueprints"]) => (PortCall::CreateBlueprint, vec![]),
            ("PATCH", ["blueprints", blueprint]) => (PortCall::UpdateBlueprint, vec![blueprint]),
            ("POST", ["integration"]) => (PortCall::CreateIntegration, vec![]),
            ("GET", ["integration", integration]) => (PortCall::Integration, vec![integration]),
            ("PATCH", ["integration", integration] | ["integration", integration, "config"]) => {
                (PortCall::UpdateIntegration, vec![integration])
            }
            ("GET", ["integration", integration, "resync-request"]) => {
                (PortCall::ResyncRequest, vec![integration])
            }
            ("PATCH", ["integration", integration, "resync-state"]) => {
                (PortCall::ResyncState, vec![integration])
            }
            ("POST", ["integration", integration, "kinds", kind, "examples"]) => {
                (PortCall::Examples, vec![integration, kind])
            }
            ("POST", ["ingest", "syncMetrics"]) => (PortCall::Kinds, vec![]),
            ("PUT", ["ingest", "syncMetrics", "resync", resync, "kind", kind]) => {
                (PortCall::Kinds, vec![resync, kind])
            }
            _ => return None,
        };
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        Some(Target {
            call,
            parameters: parameters.into_iter().map(decoded).collect(),
        })
    }

    fn parameter(&self, index: usize) -> &str {
        self.parameters.get(index).map_or("", String::as_str)
    }
}

/// Port's limit on the body of any call.
const MAX_BODY: usize = 1 << 20;

impl State {
    fn answer(&mut self, request: &Request) -> Answer {
        let target = Target::of(&request.method, request.url.path());
        self.violations.extend(contract::violations(
            request,
            target.as_ref().map(|target| target.call),
        ));
        let Some(target) = target else {
            return self.dated(refuse(404, "not_found", "Route not found"));
        };
        let now = self.clock.now();
        let is_counted = target.call != PortCall::Token;
        let rate = self.rate.as_mut().filter(|_| is_counted);
        if rate.is_some_and(|rate| !rate.take(now)) {
            let answer = refuse(429, "rate_limit_exceeded", "Rate limit exceeded");
            let answer = self.with_rate_limit(answer);
            return self.dated(answer);
        }
        let answer = match self.faults.next(&target.call) {
            Some(Fault::Instead(answer)) => answer,
            Some(Fault::Afterwards(answer)) => {
                self.perform(request, &target);
                answer
            }
            None => {
                let answer = self.perform(request, &target);
                self.with_rate_limit(answer)
            }
        };
        self.dated(answer)
    }

    fn perform(&mut self, request: &Request, target: &Target) -> Answer {
        if target.call != PortCall::Token && !self.knows_token(request) {
            return refuse(
                401,
                "invalid_token",
                "The token is missing, unknown, revoked or expired",
            );
        }
        let bytes = request.body.as_deref().unwrap_or_default();
        if bytes.len() > MAX_BODY {
            return refuse(413, "payload_too_large", "Request body is too large");
        }
        let body: Value = match bytes {
            [] => Value::Null,
            bytes => match serde_json::from_slice(bytes) {
                Ok(body) => body,
                Err(_) => return refuse(422, "invalid_request", "The body is not JSON"),
            },
        };
        let done = match target.call {
            PortCall::Token => self.token(&body),
            PortCall::UpsertMany => self.upsert_many(request, target.parameter(0), &body),
            PortCall::UpsertOne => self.upsert_one(request, target.parameter(0), &body),
            PortCall::DeleteMany => self.delete_many(request, target.parameter(0), &body),
            PortCall::DeleteOne => {
                self.delete_one(request, target.parameter(0), target.parameter(1))
            }
            PortCall::Owned => self.owned(&body),
            PortCall::Search => self.search(request, &body),
            PortCall::Entities => self.known_blueprint(target.parameter(0)).map(|()| {
                Answer::json(
                    json!({"ok": true, "entities": self.catalog.of_blueprint(target.parameter(0))}),
                )
            }),
            PortCall::Entity => self.one(target.parameter(0), target.parameter(1)),
            PortCall::Blueprint => self.blueprints(target.parameters.first().map(String::as_str)),
            PortCall::CreateBlueprint => self.create_blueprint(body),
            PortCall::UpdateBlueprint => self.update_blueprint(target.parameter(0), body),
            PortCall::Integration => self.integration(request, target.parameter(0)),
            PortCall::CreateIntegration => self.create_integration(body),
            PortCall::UpdateIntegration => self.update_integration(target.parameter(0), body),
            PortCall::ResyncRequest => self.resync_request(target.parameter(0)),
            PortCall::ResyncState => self.report_resync(target.parameter(0), body),
            PortCall::Examples => self.take_examples(target.parameter(1), &body),
            PortCall::Kinds => self.take_kinds(&target.parameters, &body),
        };
        done.unwrap_or_else(Refusal::into_answer)
    }

    fn token(&mut self, body: &Value) -> Result<Answer, Refusal> {
        let (Some(id), Some(secret)) = (body["clientId"].as_str(), body["clientSecret"].as_str())
        else {
            return Err(Refusal::invalid(
                "`clientId` and `clientSecret` are required",
            ));
        };
        if self
            .credentials
            .as_ref()
            .is_some_and(|(known, password)| (id, secret) != (known, password))
        {
            return Err(Refusal::new(
                401,
                "invalid_credentials",
                "Client id or secret is wrong",
            ));
        }
        self.tokens_issued += 1;
        let lifetime = self
            .token_lifetime
            .unwrap_or(Duration::from_secs(3 * 60 * 60));
        let token = format!("port-token-{}", self.tokens_issued);
        self.tokens
            .insert(token.clone(), self.clock.now() + lifetime);
        self.events.push(PortEvent::TokenIssued);
        Ok(Answer::json(json!({
            "ok": true,
            "accessToken": token,
            "expiresIn": lifetime.as_secs(),
            "tokenType": "Bearer",
        })))
    }

    fn knows_token(&self, request: &Request) -> bool {
        let mut values = request.headers.get_all(AUTHORIZATION).iter();
        let token = values
            .next()
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.strip_prefix("Bearer "));
        let expires = token.and_then(|token| self.tokens.get(token));
        values.next().is_none() && expires.is_some_and(|expires| self.clock.now() < *expires)
    }

    fn known_blueprint(&self, blueprint: &str) -> Result<(), Refusal> {
        match self.blueprints.is_empty() || self.blueprints.contains_key(blueprint) {
            true => Ok(()),
            false => Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{blueprint}\" was not found"
            ))),
        }
    }

    fn upsert_many(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        let entities = match body["entities"].as_array() {
            Some(entities) if (1..=20).contains(&entities.len()) => entities,
            Some(entities) => {
                return Err(Refusal::invalid(format!(
                    "`entities` must have 1 to 20 items, these are {}",
                    entities.len()
                )));
            }
            None => return Err(Refusal::invalid("`entities` is missing")),
        };
        for entity in entities {
            catalog::check(entity)?;
        }
        let how = self.how(request);
        let (mut written, mut errors) = (Vec::new(), Vec::new());
        for (index, entity) in entities.iter().enumerate() {
            match self
                .catalog
                .upsert(blueprint, entity, &how, &mut self.events)
            {
                Ok((identifier, created)) => {
                    written.push(
                        json!({"identifier": identifier, "index": index, "created": created}),
                    );
                }
                Err(refusal) => errors.push(json!({
                    "identifier": catalog::name_of(entity),
                    "index": index,
                    "statusCode": refusal.status,
                    "error": refusal.error,
                    "message": refusal.message,
                })),
            }
        }
        let status = match errors.is_empty() {
            true => StatusCode::OK,
            false => self.partial_status.unwrap_or(StatusCode::MULTI_STATUS),
        };
        let answer = Answer::status(status.as_u16());
        Ok(answer.with_json(json!({"ok": true, "entities": written, "errors": errors})))
    }

    fn upsert_one(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        catalog::check(body)?;
        let how = self.how(request);
        let (identifier, _) = self
            .catalog
            .upsert(blueprint, body, &how, &mut self.events)?;
        Ok(Answer::status(201)
            .with_json(json!({"ok": true, "entity": self.catalog.one(blueprint, &identifier)})))
    }

    /// How an upsert is to be done: the query of the call, and who calls.
    fn how(&self, request: &Request) -> Upsert {
        let agent = request
            .headers
            .get(USER_AGENT)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        Upsert {
            upsert: is_true(request, "upsert"),
            merge: is_true(request, "merge"),
            create_missing: is_true(request, "create_missing_related_entities"),
            validation_only: is_true(request, "validation_only"),
            owner: agent.to_owned(),
            now: self.clock.now(),
            blueprints: (!self.blueprints.is_empty())
                .then(|| self.blueprints.keys().cloned().collect::<BTreeSet<_>>()),
        }
    }

    fn delete_many(
        &mut self,
        request: &Request,
        blueprint: &str,
        body: &Value,
    ) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        let identifiers: Vec<String> = match serde_json::from_value(body["entities"].clone()) {
            Ok(identifiers) => identifiers,
            Err(_) => return Err(Refusal::invalid("`entities` must be a list of identifiers")),
        };
        if !(1..=100).contains(&identifiers.len()) {
            return Err(Refusal::invalid(format!(
                "`entities` must have 1 to 100 items, these are {}",
                identifiers.len()
            )));
        }
        let dependents = is_true(request, "delete_dependents");
        let deleted = self
            .catalog
            .delete(blueprint, &identifiers, dependents, &mut self.events)?;
        Ok(Answer::json(
            json!({"ok": true, "deletedEntities": deleted}),
        ))
    }

    fn delete_one(
        &mut self,
        request: &Request,
        blueprint: &str,
        identifier: &str,
    ) -> Result<Answer, Refusal> {
        self.one(blueprint, identifier)?;
        let dependents = is_true(request, "delete_dependents");
        self.catalog.delete(
            blueprint,
            &[identifier.to_owned()],
            dependents,
            &mut self.events,
        )?;
        Ok(Answer::json(json!({"ok": true})))
    }

    fn one(&self, blueprint: &str, identifier: &str) -> Result<Answer, Refusal> {
        self.known_blueprint(blueprint)?;
        match self.catalog.one(blueprint, identifier) {
            Some(entity) => Ok(Answer::json(json!({"ok": true, "entity": entity}))),
            None => Err(Refusal::not_found(format!(
                "Entity with identifier \"{identifier}\" was not found"
            ))),
        }
    }

    fn owned(&self, body: &Value) -> Result<Answer, Refusal> {
        let (Some(prefix), Some(suffix)) = (
            body["datasource_prefix"].as_str(),
            body["datasource_suffix"].as_str(),
        ) else {
            return Err(Refusal::invalid(
                "`datasource_prefix` and `datasource_suffix` are required",
            ));
        };
        let before = match body.get("before").filter(|before| !before.is_null()) {
            Some(before) => {
                let parsed = before.as_str().and_then(clock::parse);
                Some(parsed.ok_or_else(|| Refusal::invalid("`before` is no ISO time"))?)
            }
            None => None,
        };
        let limit = body["limit"]
            .as_u64()
            .map_or(5000, |limit| limit.clamp(1, 5000) as usize);
        let limit = limit.min(self.owned_page.unwrap_or(limit));
        let from = body["from"]
            .as_str()
            .and_then(|from| serde_json::from_str(from).ok());
        let (entities, next) = self.catalog.owned(prefix, suffix, before, from, limit);
        let mut answer = json!({"ok": true, "entities": entities});
        if let Some(next) = next {
            answer["next"] = json!(json!(next).to_string());
        }
        Ok(Answer::json(answer))
    }

    fn search(&self, request: &Request, body: &Value) -> Result<Answer, Refusal> {
        let mut found = self.catalog.search(body)?;
        let include: Vec<String> = request
            .url
            .query_pairs()
            .filter(|(name, _)| name == "include" || name == "include[]")
            .map(|(_, value)| value.into_owned())
            .collect();
        if !include.is_empty() {
            for entity in found.iter_mut().filter_map(Value::as_object_mut) {
                // `properties.email` includes the properties as a whole: enough for a double.
                let wanted = |key: &String| {
                    include.iter().any(|name| {
                        name.trim_start_matches('$').split('.').next() == Some(key.as_str())
                    })
                };
                entity.retain(|key, _| key == "identifier" || key == "blueprint" || wanted(key));
            }
        }
        Ok(Answer::json(json!({"ok": true, "entities": found})))
    }

    fn blueprints(&self, one: Option<&str>) -> Result<Answer, Refusal> {
        let Some(identifier) = one else {
            let all: Vec<&Value> = self.blueprints.values().collect();
            return Ok(Answer::json(json!({"ok": true, "blueprints": all})));
        };
        match self.blueprints.get(identifier) {
            Some(blueprint) => Ok(Answer::json(json!({"ok": true, "blueprint": blueprint}))),
            None => Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{identifier}\" was not found"
            ))),
        }
    }

    fn create_blueprint(&mut self, body: Value) -> Result<Answer, Refusal> {
        let Some(identifier) = body["identifier"].as_str().map(str::to_owned) else {
            return Err(Refusal::invalid("`identifier` is missing"));
        };
        if self.blueprints.contains_key(&identifier) {
            return Err(Refusal::new(
                409,
                "identifier_taken",
                "A blueprint with this identifier exists",
            ));
        }
        self.relate(&identifier, &body)?;
        self.blueprints.insert(identifier, body.clone());
        Ok(Answer::status(201).with_json(json!({"ok": true, "blueprint": body})))
    }

    /// Takes note of where the relations of a blueprint lead. Where blueprints are known at all, their targets have to be.
    fn relate(&mut self, identifier: &str, blueprint: &Value) -> Result<(), Refusal> {
        for (name, relation) in blueprint["relations"].as_object().into_iter().flatten() {
            let Some(target) = relation["target"].as_str() else {
                continue;
            };
            if target != identifier && self.known_blueprint(target).is_err() {
                return Err(Refusal::new(
                    422,
                    "invalid_request",
                    format!("Relation \"{name}\": target blueprint \"{target}\" does not exist"),
                ));
            }
            self.catalog.relate(identifier, name, target);
        }
        Ok(())
    }

    fn update_blueprint(&mut self, identifier: &str, body: Value) -> Result<Answer, Refusal> {
        if self.blueprints.contains_key(identifier) {
            self.relate(identifier, &body)?;
        }
        let Some(blueprint) = self.blueprints.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{identifier}\" was not found"
            )));
        };
        for (name, value) in body.as_object().into_iter().flatten() {
            blueprint[name] = value.clone();
        }
        Ok(Answer::json(json!({"ok": true, "blueprint": blueprint})))
    }

    fn integration(&self, request: &Request, identifier: &str) -> Result<Answer, Refusal> {
        match self.integrations.get(identifier) {
            Some(integration) => {
                let mut integration = integration.clone();
                if self.takes_kinds {
                    let ours = request.url.origin().ascii_serialization();
                    integration["metricAttributes"] =
                        json!({"ingestUrl": format!("{ours}/v1/ingest")});
                }
                Ok(Answer::json(
                    json!({"ok": true, "integration": integration}),
                ))
            }
            None => Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            ))),
        }
    }

    fn create_integration(&mut self, mut body: Value) -> Result<Answer, Refusal> {
        let Some(identifier) = body["installationId"].as_str().map(str::to_owned) else {
            return Err(Refusal::invalid("`installationId` is missing"));
        };
        if self.integrations.contains_key(&identifier) {
            return Err(Refusal::new(
                409,
                "integration_exists",
                format!("Integration \"{identifier}\" exists"),
            ));
        }
        body["identifier"] = json!(identifier);
        body["updatedAt"] = json!(clock::format(self.clock.now()));
        self.integrations.insert(identifier, body.clone());
        Ok(Answer::status(201).with_json(json!({"ok": true, "integration": body})))
    }

    fn update_integration(&mut self, identifier: &str, body: Value) -> Result<Answer, Refusal> {
        let Value::Object(changes) = body else {
            return Err(Refusal::invalid("the body must be an object"));
        };
        let Some(integration) = self.integrations.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            )));
        };
        for (name, value) in changes {
            integration[name] = value;
        }
        integration["updatedAt"] = json!(clock::format(self.clock.now()));
        Ok(Answer::json(
            json!({"ok": true, "integration": integration}),
        ))
    }

    /// Not a change of the integration: its `updatedAt` stays.
    fn report_resync(&mut self, identifier: &str, state: Value) -> Result<Answer, Refusal> {
        let Some(integration) = self.integrations.get_mut(identifier) else {
            return Err(Refusal::not_found(format!(
                "Installation with id \"{identifier}\" was not found"
            )));
        };
        self.resync_states
            .entry(identifier.to_owned())
            .or_default()
            .push(state.clone());
        integration["resyncState"] = state;
        Ok(Answer::json(
            json!({"ok": true, "integration": integration}),
        ))
    }

    fn resync_request(&self, identifier: &str) -> Result<Answer, Refusal> {
        match self.resync_requests.get(identifier) {
            Some(at) => Ok(Answer::json(
                json!({"ok": true, "request": {"updatedAt": clock::format(*at)}}),
            )),
            None => Ok(Answer::json(json!({"ok": true, "request": null}))),
        }
    }

    fn take_examples(&mut self, kind: &str, body: &Value) -> Result<Answer, Refusal> {
        let Some(examples) = body["examples"].as_array() else {
            return Err(Refusal::invalid("`examples` must be a list"));
        };
        self.examples
            .entry(kind.to_owned())
            .or_default()
            .extend(examples.iter().cloned());
        Ok(Answer::json(json!({"ok": true})))
    }

    fn take_kinds(&mut self, named: &[String], body: &Value) -> Result<Answer, Refusal> {
        let told = match named {
            [] => body["syncKindsMetrics"].as_array().cloned(),
            _ => body.get("syncKindMetrics").map(|kind| vec![kind.clone()]),
        };
        let Some(told) = told else {
            return Err(Refusal::invalid("there is no kind in it"));
        };
        let is_named = |kind: &Value| match named {
            [resync, name] => kind["eventId"] == **resync && kind["kindIdentifier"] == **name,
            _ => true,
        };
        if !told.iter().all(is_named) {
            return Err(Refusal::invalid("the body is about another kind"));
        }
        self.kinds.extend(told);
        Ok(Answer::json(json!({"ok": true})))
    }

    fn dated(&self, mut answer: Answer) -> Answer {
        if !answer.headers.contains_key(DATE)
            && let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(self.clock.now()))
        {
            answer.headers.insert(DATE, date);
        }
        answer
    }

    /// What Port tells about its rate limit.
    fn with_rate_limit(&self, answer: Answer) -> Answer {
        let endless = Rate {
            limit: 1000,
            period: Duration::from_secs(300),
            began: None,
            used: 1,
        };
        let rate = self.rate.as_ref().unwrap_or(&endless);
        rate.told(answer, self.clock.now())
    }
}

fn is_true(request: &Request, parameter: &str) -> bool {
    request
        .url
        .query_pairs()
        .any(|(name, value)| name == parameter && value == "true")
}

fn refuse(status: u16, error: &str, message: &str) -> Answer {
    Refusal::new(status, error, message).into_answer()
}

impl Refusal {
    fn into_answer(self) -> Answer {
        let body: Map<String, Value> = [
            ("ok".to_owned(), json!(false)),
            ("error".to_owned(), json!(self.error)),
            ("message".to_owned(), json!(self.message)),
        ]
        .into_iter()
        .collect();
        Answer::status(self.status).with_json(body)
    }
}
