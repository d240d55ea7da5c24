//! Where entities go.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::time::SystemTime;

use async_trait::async_trait;
use longshore_mapping::Entity;
use longshore_port_client::{Ledger, Proof};
use serde::Serialize;
use serde_json::Value;

use crate::compact::CompactSet;
use crate::error::Error;

/// A place that a sync keeps in step: it takes entities while they are read and, at the end, removes what is gone.
///
/// # Contract
/// - `begin` is called once, before anything is read. Its error ends the sync.
/// - `write` is called any number of times, never twice at once, with entities in the order in which their resource gave them, one resource
///   after the other. Entities that are refused one by one belong in [`Written::rejected`]; a [`Written::failure`], or an `Err`, means that
///   some of the batch, or none, is known to be stored: nothing is removed at the end then. An error that says of itself that it is
///   [`retryable`](Error::retryable) means that the sink is away: after a few in a row no more is read for it. One that says that it
///   [closes the sink](Error::closing_sink) is the last: nothing more is read, written or removed.
/// - The same entity may come more than once in a sync, and comes again with the next: `write` replaces what is there.
/// - `reconcile` is called once, after every `write` has been answered, unless the sync was cancelled. It removes only what [`Evidence`]
///   permits.
/// - A future that is dropped at an await, because the sync was cancelled and its time is over, leaves the sink fit for the next sync.
///
/// A sink that only collects has nothing to do in `begin` and `reconcile`. [`NdjsonSink`](crate::NdjsonSink) and the example `sqlite_sink`
/// are larger ones.
///
/// # Example
///
/// Entities in memory, in step with the API:
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Mutex;
///
/// use longshore_engine::mapping::Entity;
/// use longshore_engine::{Engine, Error, Evidence, Mark, Reconciled, Resource, Sink, Written};
/// use longshore_testkit::{Network, ScriptedApi, numbered};
///
/// #[derive(Default)]
/// struct InMemory(Mutex<BTreeMap<(String, String), Entity>>);
///
/// #[async_trait::async_trait]
/// impl Sink for InMemory {
///     async fn begin(&self) -> Result<Mark, Error> {
///         Ok(Mark::default())
///     }
///
///     async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
///         let mut written = Written::default();
///         let mut kept = self.0.lock().unwrap();
///         for entity in entities {
///             // An identifier that is a search query is for Port alone.
///             match entity.identifier.as_str() {
///                 None => written.refuse(&entity, "it has no identifier of its own"),
///                 Some(identifier) => {
///                     let key = (entity.blueprint.clone(), identifier.to_owned());
///                     kept.insert(key, entity);
///                     written.upserted += 1;
///                 }
///             }
///         }
///         Ok(written)
///     }
///
///     async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
///         let mut reconciled = Reconciled::default();
///         self.0.lock().unwrap().retain(|(blueprint, identifier), _| {
///             let gone = !evidence.seen().contains(blueprint, identifier);
///             let goes = gone && evidence.permits(blueprint).is_ok();
///             reconciled.deleted += u64::from(goes);
///             !goes
///         });
///         Ok(reconciled)
///     }
/// }
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let api = ScriptedApi::new().json("/users", numbered(3));
/// let engine = Engine::builder()
///     .base_url("https://api.example.com")
///     .transport(Network::new().at("https://api.example.com", api.clone()).transport())
///     .resource(Resource::builder("/users").identifier(".id").blueprint("user").build()?)
///     .build()?;
/// let sink = InMemory::default();
/// assert!(engine.sync(&sink).await.is_clean());
/// let _ = api.json("/users", numbered(2));
/// assert_eq!(engine.sync(&sink).await.deleted, 1);
/// assert_eq!(sink.0.lock().unwrap().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait Sink: Send + Sync {
    /// Checks that writing will be possible, and marks the beginning in the sink's own time.
    ///
    /// # Errors
    /// Writing is not possible. Nothing is read then.
    async fn begin(&self) -> Result<Mark, Error>;

    /// Stores entities. Called with a few hundred at most.
    ///
    /// # Errors
    /// As [`Written::failure`], where nothing of the batch is known to be stored. Reading goes on; after some failures in a row it ends.
    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error>;

    /// Writes what waited for something else to be written first; what became of it. Called once, after the last `write` and before
    /// [`reconcile`](Sink::reconcile), unless the sync was cancelled. A sink that has nothing waiting leaves it as it is.
    ///
    /// # Errors
    /// As [`Written::failure`], where nothing of what waited is known to be stored.
    async fn settle(&self) -> Result<Written, Error> {
        Ok(Written::default())
    }

    /// Removes what the sync proved to be gone.
    ///
    /// # Errors
    /// Nothing was removed. What failed after a part was removed belongs in [`Reconciled::errors`].
    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error>;
}

/// When a sync began, by the sink's clock; `None` where the sink has none.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark(pub Option<SystemTime>);

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Written {
    /// How many were stored.
    pub upserted: u64,
    /// How many were there already as they are, and were not written.
    pub unchanged: u64,
    /// How many wait for others to be written first; [`Sink::settle`] tells what became of them.
    pub waiting: u64,
    /// Which were refused, and why.
    pub rejected: Vec<Rejection>,
    /// Blueprint and identifier of entities that were given by a search query, as far as the sink knows now which they are: they are not gone.
    pub looked_up: Vec<(String, String)>,
    /// Why the others have no answer of their own, if there are others.
    pub failure: Option<Error>,
}

impl Written {
    /// Adds an entity that is refused, and why.
    pub fn refuse(&mut self, entity: &Entity, why: impl Into<String>) {
        self.rejected.push(Rejection {
            blueprint: entity.blueprint.clone(),
            identifier: entity.identifier.as_str().unwrap_or_default().to_owned(),
            message: why.into(),
        });
    }
}

/// One entity that the sink refused.
#[derive(Clone, Debug, Serialize)]
pub struct Rejection {
    /// Its blueprint.
    pub blueprint: String,
    /// Its identifier.
    pub identifier: String,
    /// Why.
    pub message: String,
}

/// What was removed, and what was not although it looks gone.
#[derive(Clone, Debug, Default)]
pub struct Reconciled {
    /// How many were removed.
    pub deleted: u64,
    /// Deletes that a guard held back.
    pub withheld: Vec<WithheldDelete>,
    /// Deletes that were tried and failed, one line each.
    pub errors: Vec<String>,
}

impl Reconciled {
    /// Adds deletes that were held back, if there are any.
    pub fn withhold(&mut self, blueprint: &str, reason: String, count: u64) {
        if count > 0 {
            self.withheld.push(WithheldDelete {
                blueprint: blueprint.to_owned(),
                reason,
                count,
            });
        }
    }
}

/// Deletes that a guard held back.
#[derive(Clone, Debug, Serialize)]
pub struct WithheldDelete {
    /// Of which blueprint.
    pub blueprint: String,
    /// By which guard, and what to change.
    pub reason: String,
    /// How many entities looked gone.
    pub count: u64,
}

/// Why what was not seen of a blueprint is not known to be gone, in one line.
#[derive(Debug)]
pub(crate) enum Withheld {
    /// The sources of the blueprint gave no entity at all.
    NoneRead,
    Other(String),
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Withheld::NoneRead => "no entity of this blueprint was read this time",
            Withheld::Other(why) => why,
        })
    }
}

/// What a sync has seen: the only ground for removing anything.
#[derive(Debug)]
pub struct Evidence {
    pub(crate) ledger: Ledger,
    pub(crate) seen: Seen,
    pub(crate) mark: Mark,
    pub(crate) resources: usize,
    /// Of a sync of some kinds: the blueprints that those are known to feed.
    pub(crate) asked_for: Option<HashSet<String>>,
    pub(crate) withhold_all: Option<String>,
    /// Of what was read, the first that did not come to its end.
    pub(crate) shortfall: Option<String>,
}

impl Evidence {
    /// Which reads came to a proven end.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Which entities were produced.
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// When the sync began.
    pub fn mark(&self) -> Mark {
        self.mark
    }

    /// How many resources the mapping has. A mapping without resources removes nothing (R4).
    pub fn resources(&self) -> usize {
        self.resources
    }

    /// Whether the sync is about this blueprint. One of some kinds is not about what the others feed.
    pub fn concerns(&self, blueprint: &str) -> bool {
        match &self.asked_for {
            None => true,
            Some(asked_for) => asked_for.contains(blueprint) || self.seen.has_blueprint(blueprint),
        }
    }

    /// Whether what was not seen of this blueprint is gone and may be removed: everything that feeds it was read to a proven end, nothing is in
    /// the way, and it has at least one entity. How many of a blueprint may go at once is the sink's to say.
    ///
    /// # Errors
    /// Why not: one line, for [`Reconciled::withhold`].
    pub fn permits(&self, blueprint: &str) -> Result<(), String> {
        let proof = self.proof(blueprint, false);
        proof.map(drop).map_err(|withheld| withheld.to_string())
    }

    /// The proof that what was not seen of this blueprint is gone, or the guard that says no. Where it `may_be_empty` it need not have an entity.
    pub(crate) fn proof(&self, blueprint: &str, may_be_empty: bool) -> Result<Proof<'_>, Withheld> {
        let no = |why: &str| Err(Withheld::Other(why.to_owned()));
        if let Some(why) = self.withhold_all() {
            return no(why);
        }
        if self.resources == 0 {
            return no("the mapping has no resources");
        }
        if !self.concerns(blueprint) {
            return no("this sync was not asked to read it");
        }
        let proof = self.ledger.prove(blueprint);
        let proof = proof.map_err(|withheld| Withheld::Other(withheld.to_string()))?;
        if !may_be_empty && !self.seen.has_blueprint(blueprint) {
            return Err(Withheld::NoneRead);
        }
        if self.seen.has_unknown(blueprint) {
            return no(
                "an entity that is identified by a search query was rejected, and it may be any of them; see the rejections",
            );
        }
        Ok(proof)
    }

    /// Why what the sink has got is not all of what was asked for, if so: one line.
    pub fn shortfall(&self) -> Option<&str> {
        self.shortfall.as_deref().or(self.withhold_all.as_deref())
    }

    /// Why nothing at all may be removed, if so.
    pub fn withhold_all(&self) -> Option<&str> {
        self.withhold_all.as_deref()
    }
}

/// Which entities a sync produced and which they relate to, in about 10 bytes each.
///
/// Kept as keyed hashes. Two entities that share one by chance are taken for the same, which can only keep an entity that could go.
#[derive(Debug, Default)]
pub struct Seen {
    hasher: RandomState,
    entities: CompactSet,
    /// What was given by a search query.
    looked_up: CompactSet,
    duplicates: u64,
    blueprints: HashSet<String>,
    related: CompactSet,
    queries: Queries,
    pub(crate) unknown: HashSet<String>,
}

/// Different search queries of relations that are kept.
pub(crate) const MOST_QUERIES: usize = 1000;

/// What relations are given by instead of identifiers.
#[derive(Debug, Default)]
struct Queries {
    known: HashSet<u64>,
    kept: Vec<Value>,
}

impl Queries {
    fn note(&mut self, query: &Value, hasher: &RandomState) {
        if self.known.len() <= MOST_QUERIES && self.known.insert(hasher.hash_one(query.to_string()))
        {
            self.kept.push(query.clone());
        }
    }
}

impl Seen {
    /// Takes note of an entity, before it is written: one that fails to be written is not gone (R9).
    pub(crate) fn note(&mut self, entity: &Entity) {
        self.note_identifiers(
            &entity.blueprint,
            entity.identifier.as_str(),
            related_identifiers(entity),
        );
        for query in relation_queries(entity) {
            self.note_query(query);
        }
    }

    /// A search query that a produced entity is related by.
    pub(crate) fn note_query(&mut self, query: &Value) {
        self.queries.note(query, &self.hasher);
    }

    /// As [`note`](Seen::note), of an entity of which only this is known.
    pub(crate) fn note_identifiers<'e>(
        &mut self,
        blueprint: &str,
        identifier: Option<&str>,
        related: impl IntoIterator<Item = &'e str>,
    ) {
        if !self.blueprints.contains(blueprint) {
            self.blueprints.insert(blueprint.to_owned());
        }
        if let Some(identifier) = identifier {
            let is_new = self
                .entities
                .insert(self.hasher.hash_one((blueprint, identifier)));
            self.duplicates += u64::from(!is_new);
        }
        for target in related {
            self.related.insert(self.hasher.hash_one(target));
        }
    }

    /// Takes note of an entity that was given by a search query, when the sink knows which it is. It counts as no duplicate of itself.
    pub(crate) fn note_looked_up(&mut self, blueprint: &str, identifier: &str) {
        self.looked_up
            .insert(self.hasher.hash_one((blueprint, identifier)));
    }

    /// Whether this entity was produced.
    pub fn contains(&self, blueprint: &str, identifier: &str) -> bool {
        let key = self.hasher.hash_one((blueprint, identifier));
        self.entities.contains(key) || self.looked_up.contains(key)
    }

    /// How many entities were produced under a blueprint and identifier that had come before in the same sync.
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }

    /// Whether any entity of this blueprint was produced.
    pub fn has_blueprint(&self, blueprint: &str) -> bool {
        self.blueprints.contains(blueprint)
    }

    /// Whether an entity of this blueprint was produced of which nobody knows the identifier: it is a search query, and the entity was
    /// refused. Any entity of the blueprint may be the one that is meant.
    pub fn has_unknown(&self, blueprint: &str) -> bool {
        self.unknown.contains(blueprint)
    }

    /// Whether a produced entity relates to this identifier, in whatever blueprint.
    pub fn is_related_to(&self, identifier: &str) -> bool {
        self.related.contains(self.hasher.hash_one(identifier))
    }

    /// The search queries that produced entities are related by; `None` where there are too many of them to be kept.
    pub fn queries(&self) -> Option<&[Value]> {
        (self.queries.kept.len() <= MOST_QUERIES).then_some(&self.queries.kept)
    }
}

/// The search queries that stand for what an entity relates to.
pub(crate) fn relation_queries(entity: &Entity) -> impl Iterator<Item = &Value> {
    entity
        .relations
        .values()
        .filter(|target| target.is_object())
}

/// The identifiers that an entity relates to, as far as they are known: a search query names none.
pub(crate) fn related_identifiers(entity: &Entity) -> impl Iterator<Item = &str> {
    entity.relations.values().flat_map(|target| {
        let targets = match target {
            Value::Array(targets) => targets.as_slice(),
            one => std::slice::from_ref(one),
        };
        targets.iter().filter_map(Value::as_str)
    })
}
