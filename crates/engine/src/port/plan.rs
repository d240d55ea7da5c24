//! What a sync would do at Port, without doing it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures::StreamExt;
use longshore_mapping::{Entity, Identifier};
use longshore_port_client::{
    CONCURRENT_BATCHES, ErrorKind as PortErrorKind, Found, PortClient, Search, entity_problem,
};
use serde::Serialize;
use serde_json::{Value, json};

use super::changed::owned_keys;
use super::{NO_TIME, PortSinkOptions, by_blueprint, port_error, port_time, reconcile, same};
use crate::compact::CompactSet;
use crate::error::Error;
use crate::sink::{Evidence, Mark, Reconciled, Rejection, Sink, WithheldDelete, Written};

/// Entities named for each thing that would happen.
const SAMPLES: usize = 10;

/// A sink for one sync that compares with Port and writes nothing: no upsert and no delete goes out.
///
/// ```no_run
/// # async fn plan(engine: longshore_engine::Engine, client: longshore_engine::port_client::PortClient) {
/// use longshore_engine::PlanSink;
///
/// let sink = PlanSink::new(client);
/// let report = engine.sync(&sink).await;
/// println!("{report}\n{}", sink.plan());
/// # }
/// ```
#[derive(Debug)]
pub struct PlanSink {
    client: PortClient,
    options: PortSinkOptions,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    plan: Plan,
    owned: CompactSet,
    /// What was produced, and what of it would be written.
    seen: CompactSet,
    written: CompactSet,
    /// Entities by blueprint that would be ours afterwards and are not now.
    joining: HashMap<String, usize>,
}

/// What a sync would do at Port.
///
/// Its JSON form has for each blueprint `create`, `change`, `unchanged`, `look_up`, `delete` and `held_back`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// By blueprint.
    pub blueprints: BTreeMap<String, BlueprintPlan>,
}

/// What a sync would do to the entities of one blueprint.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct BlueprintPlan {
    /// What Port does not have.
    pub create: Planned<String>,
    /// What Port has otherwise.
    pub change: Planned<PlannedChange>,
    /// Entities that Port has as they are.
    pub unchanged: u64,
    /// Entities that are given by a search query: which they are Port finds out when they are written. What a query finds now is not among
    /// those to delete.
    pub look_up: u64,
    /// What is gone. Some of it may stay because others depend on it, which Port finds out when it is told to delete it.
    pub delete: Planned<String>,
    /// What depends on the entities to delete goes along (`deleteDependentEntities`), and is not among them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub with_dependents: bool,
    /// What looks gone and would stay, with the guard that holds it back.
    pub held_back: Option<HeldBack>,
}

/// Entities to which one thing would happen.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Planned<T> {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<T>,
}

/// An entity that Port has otherwise.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct PlannedChange {
    /// Its identifier.
    pub identifier: String,
    /// What differs: `title`, `properties.email` and so on. Empty where a search query stands for a value, which only Port can compare.
    pub fields: Vec<String>,
}

/// Deletes that a guard would hold back.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HeldBack {
    /// By which guard, and what to change.
    pub reason: String,
    /// How many entities look gone.
    pub count: u64,
    /// The first of them.
    pub samples: Vec<String>,
}

impl<T> Default for Planned<T> {
    fn default() -> Self {
        Planned {
            count: 0,
            samples: Vec::new(),
        }
    }
}

impl<T> Planned<T> {
    fn add(&mut self, sample: T) {
        self.count += 1;
        if self.samples.len() < SAMPLES {
            self.samples.push(sample);
        }
    }
}

impl Plan {
    /// Whether nothing would be written and nothing deleted.
    pub fn is_empty(&self) -> bool {
        self.blueprints.values().all(|blueprint| {
            blueprint.create.count
                + blueprint.change.count
                + blueprint.look_up
                + blueprint.delete.count
                == 0
        })
    }
}

impl PlanSink {
    /// A sink that plans with the reference's defaults.
    pub fn new(client: PortClient) -> Self {
        PlanSink {
            client,
            options: PortSinkOptions::default(),
            book: Mutex::default(),
        }
    }

    /// Sets what the mapping says.
    pub fn options(mut self, options: PortSinkOptions) -> Self {
        self.options = options;
        self
    }

    /// What would be done, as far as the sync has come.
    pub fn plan(&self) -> Plan {
        self.lock().plan.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Sink for PlanSink {
    async fn begin(&self) -> Result<Mark, Error> {
        let time = port_time(&self.client).await?;
        let owned = owned_keys(&self.client, None).await.map_err(port_error)?;
        *self.lock() = Book {
            owned,
            ..Book::default()
        };
        Ok(Mark(time))
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let mut written = Written::default();
        for (blueprint, mut entities) in by_blueprint(entities) {
            entities.retain(|entity| {
                let Some(problem) = entity_problem(entity) else {
                    return true;
                };
                written.refuse(entity, problem);
                false
            });
            self.look_up(&blueprint, &mut entities, &mut written)
                .await?;
            let mut identifiers: Vec<&str> = entities
                .iter()
                .filter_map(|entity| entity.identifier.as_str())
                .collect();
            identifiers.sort_unstable();
            identifiers.dedup();
            let found = self.client.find(&blueprint, &identifiers, &[]).await;
            let found = found.map_err(port_error)?.into_iter();
            let found: HashMap<String, Found> = found
                .map(|found| (found.identifier.clone(), found))
                .collect();
            let mut book = self.lock();
            for entity in &entities {
                let found = entity
                    .identifier
                    .as_str()
                    .and_then(|identifier| found.get(identifier));
                written.unchanged += u64::from(book.note(entity, found, self.options.merge));
            }
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
        let joining = std::mem::take(&mut self.lock().joining);
        let stale = reconcile::find(&self.client, &self.options, &evidence, &joining).await?;
        let mut book = self.lock();
        for (proof, identifiers) in &stale.deletions {
            let plan = book.blueprint(proof.blueprint());
            plan.with_dependents = self.options.delete_dependents && !identifiers.is_empty();
            for identifier in identifiers {
                plan.delete.add(identifier.clone());
            }
        }
        for (
            WithheldDelete {
                blueprint,
                reason,
                count,
            },
            identifiers,
        ) in &stale.withheld
        {
            book.blueprint(blueprint).held_back = Some(HeldBack {
                reason: reason.clone(),
                count: *count,
                samples: identifiers.iter().take(SAMPLES).cloned().collect(),
            });
        }
        Ok(Reconciled {
            withheld: stale.withheld.into_iter().map(|(why, _)| why).collect(),
            ..Reconciled::default()
        })
    }
}

impl PlanSink {
    /// Finds out which entities are meant by search queries, so that none of them is taken for gone. Leaves out what Port refuses to look up.
    async fn look_up(
        &self,
        blueprint: &str,
        entities: &mut Vec<Entity>,
        written: &mut Written,
    ) -> Result<(), Error> {
        let queries = entities
            .iter()
            .filter_map(|entity| match &entity.identifier {
                Identifier::Search(query) => Some(query.clone()),
                Identifier::Text(_) => None,
            });
        let queries: Vec<Value> = queries.collect();
        let mut answers = futures::stream::iter(queries)
            .map(|query| async move {
                let rules =
                    json!([{"property": "$blueprint", "operator": "=", "value": blueprint}, query]);
                let search =
                    Search::new(json!({"combinator": "and", "rules": rules})).include("identifier");
                (query, self.client.search(&search).await)
            })
            .buffered(CONCURRENT_BATCHES);
        let mut refused = Vec::new();
        while let Some((query, answer)) = answers.next().await {
            match answer {
                Ok(found) => written.looked_up.extend(
                    found
                        .into_iter()
                        .map(|found| (found.blueprint, found.identifier)),
                ),
                Err(error) if error.kind() == PortErrorKind::Refused => {
                    written.rejected.push(Rejection {
                        blueprint: blueprint.to_owned(),
                        identifier: query.to_string(),
                        message: error.to_string(),
                    });
                    refused.push(query);
                }
                Err(error) => return Err(port_error(error)),
            }
        }
        drop(answers);
        entities.retain(|entity| match &entity.identifier {
            Identifier::Search(query) => !refused.contains(query),
            Identifier::Text(_) => true,
        });
        Ok(())
    }
}

impl Book {
    fn blueprint(&mut self, blueprint: &str) -> &mut BlueprintPlan {
        let blueprints = &mut self.plan.blueprints;
        blueprints.entry(blueprint.to_owned()).or_default()
    }

    /// Takes note of a produced entity and of what Port has of it. Says whether nothing would be written.
    fn note(&mut self, entity: &Entity, found: Option<&Found>, merge: bool) -> bool {
        let blueprint = entity.blueprint.as_str();
        let Some(identifier) = entity.identifier.as_str() else {
            self.blueprint(blueprint).look_up += 1;
            return false;
        };
        let key = same::key(blueprint, identifier);
        let is_again = !self.seen.insert(key);
        if self.written.contains(key) {
            return false;
        }
        let changes = found.map(|found| same::changes(entity, found, merge));
        if matches!(&changes, Some(Some(changes)) if changes.is_empty()) {
            self.blueprint(blueprint).unchanged += u64::from(!is_again);
            return true;
        }
        self.written.insert(key);
        if !self.owned.contains(key) {
            *self.joining.entry(blueprint.to_owned()).or_default() += 1;
        }
        let plan = self.blueprint(blueprint);
        // Came before as it is, and now otherwise.
        plan.unchanged -= u64::from(is_again);
        match changes {
            None => plan.create.add(identifier.to_owned()),
            Some(fields) => plan.change.add(PlannedChange {
                identifier: identifier.to_owned(),
                fields: fields.unwrap_or_default(),
            }),
        }
        false
    }
}

/// Blueprint by blueprint what would happen, with samples.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.blueprints.is_empty() {
            return f.write_str("nothing would be written or deleted");
        }
        let mut lines = Vec::new();
        for (name, plan) in &self.blueprints {
            lines.push(format!(
                "{name}: {} to create, {} to change, {} to delete, {} unchanged",
                plan.create.count, plan.change.count, plan.delete.count, plan.unchanged
            ));
            if plan.look_up > 0 {
                lines.push(format!("  {} to look up by a search query", plan.look_up));
            }
            push(
                &mut lines,
                "create",
                plan.create.count,
                &plan.create.samples,
            );
            for change in &plan.change.samples {
                let fields = match change.fields.as_slice() {
                    [] => "what a search query finds".to_owned(),
                    fields => fields.join(", "),
                };
                lines.push(format!("  change {}: {fields}", change.identifier));
            }
            push_rest(&mut lines, plan.change.count, plan.change.samples.len());
            push(
                &mut lines,
                "delete",
                plan.delete.count,
                &plan.delete.samples,
            );
            if plan.with_dependents {
                lines.push("  … and what depends on them (deleteDependentEntities)".to_owned());
            }
            if let Some(held_back) = &plan.held_back {
                lines.push(format!(
                    "  {} not to be deleted ({}): {}",
                    held_back.count,
                    held_back.samples.join(", "),
                    held_back.reason
                ));
            }
        }
        f.write_str(&lines.join("\n"))
    }
}

fn push(lines: &mut Vec<String>, what: &str, count: u64, samples: &[String]) {
    for sample in samples {
        lines.push(format!("  {what} {sample}"));
    }
    push_rest(lines, count, samples.len());
}

fn push_rest(lines: &mut Vec<String>, count: u64, shown: usize) {
    let rest = count - shown as u64;
    if rest > 0 {
        lines.push(format!("  … and {rest} more"));
    }
}
