//! Port as the place that entities go to, and what may be deleted there.

mod changed;
mod plan;
mod reconcile;
mod same;
mod state;
mod waiting;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use async_trait::async_trait;
use longshore_mapping::{Entity, Identifier};
use longshore_port_client::{Delete, ErrorKind as PortErrorKind, PortClient, Upsert};
use uuid::Uuid;

use self::changed::Changed;
pub use self::plan::{BlueprintPlan, HeldBack, Plan, PlanSink, Planned, PlannedChange};
pub(crate) use self::reconcile::CLOCK_SLACK;
pub use self::state::{FileState, MemoryState, SyncState};
use self::waiting::{PASSES, PAUSE, Refused, Waiting};
use crate::config::Mapping;
use crate::error::{Error, ErrorKind};
use crate::sink::{Evidence, Mark, Reconciled, Rejection, Sink, Written};

/// What a mapping says about writing and deleting.
///
/// Write literals with `..PortSinkOptions::default()`: fields are added in minor releases.
#[derive(Clone, Debug, PartialEq)]
pub struct PortSinkOptions {
    /// Keeps properties that an upsert does not name; `enableMergeEntity`.
    pub merge: bool,
    /// Has Port create the targets of relations; `createMissingRelatedEntities`. What a produced entity relates to is then never deleted.
    pub create_missing_related_entities: bool,
    /// Deletes what depends on a deleted entity along with it; `deleteDependentEntities`.
    pub delete_dependents: bool,
    /// The share of a blueprint's owned entities, 0 to 1, above which none of them is deleted; `entityDeletionThreshold`.
    pub deletion_threshold: f64,
    /// Blueprints that may become empty; `allowEmpty`.
    pub allow_empty: AllowEmpty,
    /// Does not write entities that Port has as they are; `skipUnchanged`.
    pub skip_unchanged: bool,
}

impl Default for PortSinkOptions {
    fn default() -> Self {
        PortSinkOptions {
            merge: true,
            create_missing_related_entities: true,
            delete_dependents: false,
            deletion_threshold: 0.9,
            allow_empty: AllowEmpty::No,
            skip_unchanged: true,
        }
    }
}

impl From<&Mapping> for PortSinkOptions {
    fn from(mapping: &Mapping) -> Self {
        PortSinkOptions {
            merge: mapping.enable_merge_entity,
            create_missing_related_entities: mapping.create_missing_related_entities,
            delete_dependents: mapping.delete_dependent_entities,
            deletion_threshold: mapping.entity_deletion_threshold,
            allow_empty: mapping.allow_empty.clone(),
            skip_unchanged: mapping.skip_unchanged,
        }
    }
}

/// Which blueprints may lose all their entities in one sync.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum AllowEmpty {
    /// None: no entity of a blueprint read looks like a mistake.
    #[default]
    No,
    /// Every one.
    All,
    /// These.
    Blueprints(BTreeSet<String>),
}

impl AllowEmpty {
    fn holds(&self, blueprint: &str) -> bool {
        match self {
            AllowEmpty::No => false,
            AllowEmpty::All => true,
            AllowEmpty::Blueprints(blueprints) => blueprints.contains(blueprint),
        }
    }
}

/// Writes entities to Port, as far as they have changed, and deletes what is proven to be gone.
#[derive(Debug)]
pub struct PortSink {
    client: PortClient,
    options: PortSinkOptions,
    state: Option<Arc<dyn SyncState>>,
    /// `None` where everything is written.
    changed: Option<Changed>,
    /// What Port refused while something else was not there yet.
    waiting: Mutex<Waiting>,
}

impl PortSink {
    /// A sink for one sync, with the reference's defaults, but for dependents: those are deleted only when told.
    pub fn new(client: PortClient) -> Self {
        let sink = PortSink {
            client: client.with_resync_id(Some(Uuid::new_v4().to_string())),
            options: PortSinkOptions::default(),
            state: None,
            changed: None,
            waiting: Mutex::default(),
        };
        sink.set_up()
    }

    /// Sets what the mapping says.
    pub fn options(mut self, options: PortSinkOptions) -> Self {
        self.options = options;
        self.set_up()
    }

    /// Keeps digests of what Port acknowledged there, so that the next sync with the same state need not ask Port about each entity.
    pub fn state(mut self, state: Arc<dyn SyncState>) -> Self {
        self.state = Some(state);
        self.set_up()
    }

    fn set_up(mut self) -> Self {
        let options = &self.options;
        // Digests are of entities that were written for this integration, in this way.
        let identity = format!(
            "{} merge={} create={}",
            self.client.source(),
            options.merge,
            options.create_missing_related_entities
        );
        self.changed = options
            .skip_unchanged
            .then(|| Changed::new(self.state.clone(), identity, options.merge));
        self
    }

    /// The client behind it.
    pub fn client(&self) -> &PortClient {
        &self.client
    }
}

#[async_trait]
impl Sink for PortSink {
    async fn begin(&self) -> Result<Mark, Error> {
        // What a sync that was cancelled left waiting is not of this one.
        drop(self.waiting().take());
        let time = port_time(&self.client).await?;
        if let Some(changed) = &self.changed {
            changed.begin(&self.client, time).await;
        }
        Ok(Mark(time))
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let mut written = Written::default();
        for (blueprint, entities) in by_blueprint(entities) {
            let mut entities = self.changed(&blueprint, entities, &mut written).await;
            let behind = self.waiting().behind(&mut entities);
            self.keep_or_reject(behind, &mut written);
            if !entities.is_empty() {
                let refused = self.send(&blueprint, entities, &mut written).await;
                self.keep_or_reject(refused, &mut written);
            }
        }
        Ok(written)
    }

    async fn settle(&self) -> Result<Written, Error> {
        let mut written = Written::default();
        let mut waiting = self.waiting().take();
        let mut pause = PAUSE;
        for pass in 0..PASSES {
            let port_failed = waiting.iter().any(|refused| refused.temporary.is_some());
            if pass > 0 && port_failed {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            let before = written.upserted;
            let mut again = Vec::new();
            for part in waiting::split(waiting) {
                if written.failure.is_some() {
                    again.extend(part);
                    continue;
                }
                let part = part.into_iter().map(|refused| refused.entity).collect();
                for (blueprint, entities) in by_blueprint(part) {
                    again.extend(self.send(&blueprint, entities, &mut written).await);
                }
            }
            waiting = again;
            let may_yet = waiting.iter().any(|refused| refused.temporary.is_some());
            if waiting.is_empty()
                || written.failure.is_some()
                || (written.upserted == before && !may_yet)
            {
                break;
            }
        }
        written.reject(waiting);
        if let Some(changed) = &self.changed {
            changed.store(self.client.last_answer()).await;
        }
        Ok(written)
    }

    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        if evidence.mark().0.is_none() {
            return Ok(Reconciled {
                errors: vec![NO_TIME.to_owned()],
                ..Reconciled::default()
            });
        }
        let evidence = reconcile::allow_empty(&self.options, evidence);
        let none = HashMap::new();
        let stale = reconcile::find(&self.client, &self.options, &evidence, &none).await?;
        let mut reconciled = Reconciled {
            withheld: stale.withheld.into_iter().map(|(why, _)| why).collect(),
            ..Reconciled::default()
        };
        let how = Delete {
            delete_dependents: self.options.delete_dependents,
        };
        reconcile::delete_all(&self.client, &how, stale.deletions, &mut reconciled).await;
        Ok(reconciled)
    }
}

impl PortSink {
    /// Leaves out what Port has already, and counts it.
    async fn changed(
        &self,
        blueprint: &str,
        mut entities: Vec<Entity>,
        written: &mut Written,
    ) -> Vec<Entity> {
        let Some(changed) = &self.changed else {
            return entities;
        };
        let to_write = changed.to_write(&self.client, blueprint, &entities).await;
        let all = entities.len();
        let mut to_write = to_write.into_iter();
        entities.retain(|_| to_write.next().unwrap_or(true));
        written.unchanged += (all - entities.len()) as u64;
        entities
    }

    /// Upserts entities of one blueprint. Gives back those that Port may take when others are there.
    async fn send(
        &self,
        blueprint: &str,
        entities: Vec<Entity>,
        written: &mut Written,
    ) -> Vec<Refused> {
        let how = Upsert {
            merge: self.options.merge,
            create_missing_related_entities: self.options.create_missing_related_entities,
            ..Upsert::default()
        };
        let (answer, is_whole) = match self.client.upsert(blueprint, &entities, &how).await {
            Ok(answer) => (answer, true),
            Err(error) => {
                let acknowledged = error.upserted().cloned().unwrap_or_default();
                written.failure.get_or_insert(port_error(error));
                (acknowledged, false)
            }
        };
        written.upserted += answer.upserted;
        written.looked_up.extend(
            answer
                .looked_up
                .into_iter()
                .map(|found| (blueprint.to_owned(), found.identifier)),
        );
        let mut rejected = answer.rejected.into_iter().peekable();
        let mut refused = Vec::new();
        for (index, entity) in entities.into_iter().enumerate() {
            let Some(no) = rejected.next_if(|rejected| rejected.index == index) else {
                self.note(&entity, is_whole);
                continue;
            };
            if no.unanswered {
                // It may be stored or not, so the upserts are not all acknowledged (R12).
                self.note(&entity, false);
                written.failure.get_or_insert_with(|| {
                    Error::new(ErrorKind::Sink, "Port's answer does not mention them")
                });
            } else if waiting::may_be_taken_later(&entity, &no) {
                let temporary = no.status.filter(|_| no.is_temporary());
                refused.push(Refused {
                    entity,
                    message: no.message,
                    temporary,
                });
            } else {
                written.rejected.push(Rejection {
                    blueprint: blueprint.to_owned(),
                    identifier: no.identifier,
                    message: no.message,
                });
            }
        }
        refused
    }

    /// Takes note of an entity that was sent. Of one that has no answer of its own nobody knows whether Port has it.
    fn note(&self, entity: &Entity, is_acknowledged: bool) {
        match &self.changed {
            Some(changed) if is_acknowledged => changed.acknowledged(entity),
            Some(changed) => changed.unanswered(entity),
            None => {}
        }
    }

    /// Keeps refused entities to be tried again, as far as there is room.
    fn keep_or_reject(&self, refused: Vec<Refused>, written: &mut Written) {
        let mut waiting = self.waiting();
        let (kept, others) = waiting.keep(refused);
        written.waiting += kept;
        written.reject(others);
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    /// What Port refuses for good is rejected. What it failed to take is a failure: not every upsert is acknowledged (R12).
    fn reject(&mut self, refused: impl IntoIterator<Item = Refused>) {
        for refused in refused {
            if let Some(status) = refused.temporary {
                self.failure.get_or_insert_with(|| {
                    let message = format!(
                        "Port answered {status} for single entities in every attempt ({}); the next sync tries again",
                        refused.message
                    );
                    Error::new(ErrorKind::Sink, message).retryable(true)
                });
                continue;
            }
            self.rejected.push(Rejection {
                blueprint: refused.entity.blueprint.clone(),
                identifier: match refused.entity.identifier {
                    Identifier::Text(text) => text,
                    Identifier::Search(query) => query.to_string(),
                },
                message: refused.message,
            });
        }
    }
}

fn by_blueprint(entities: Vec<Entity>) -> BTreeMap<String, Vec<Entity>> {
    let mut by_blueprint: BTreeMap<String, Vec<Entity>> = BTreeMap::new();
    for entity in entities {
        by_blueprint
            .entry(entity.blueprint.clone())
            .or_default()
            .push(entity);
    }
    by_blueprint
}

/// What a sync says whose beginning has no time.
const NO_TIME: &str = "Port's answers have no usable Date header, so that nothing can be told to be older than this sync; nothing was deleted: check \
    whether a proxy in front of OCEAN__PORT__BASE_URL removes it";

/// The time at Port. None where its answers have none: entities are written without, only deleting takes one (R10).
async fn port_time(client: &PortClient) -> Result<Option<SystemTime>, Error> {
    match client.server_time().await {
        Ok(time) => Ok(Some(time)),
        Err(error) if error.kind() == PortErrorKind::Undated => Ok(None),
        Err(error) => Err(port_error(error)),
    }
}

pub(crate) fn port_error(error: longshore_port_client::Error) -> Error {
    let retryable = error.is_retryable();
    // Also with a token of its own it was refused: so will be whatever comes next (R23).
    let closes = error.kind() == PortErrorKind::Unauthorized;
    Error::quoting(ErrorKind::Sink, format!("Port: {error}"), error)
        .retryable(retryable)
        .closing_sink(closes)
}
