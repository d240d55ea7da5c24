//! Port in memory.

mod catalog;
mod clock;
mod contract;
mod rate;
mod routes;
mod rules;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::StatusCode;
use longshore_transport::{Request, Transport};
use serde_json::{Value, json};

use self::catalog::{Catalog, Datasource};
use self::clock::PortClock;
use self::rate::Rate;
use self::routes::Target;
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
        self.state().rate = Some(Rate::new(requests, period));
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
