//! Port as the place that entities go to, and what may be deleted there.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use longshore_mapping::Entity;
use longshore_port_client::{
    Delete, Feeds, Ledger, NotDeletedReason, PortClient, Proof, Upsert, Verdict,
};
use uuid::Uuid;

use crate::config::Mapping;
use crate::error::{Error, ErrorKind};
use crate::sink::{Evidence, Mark, Reconciled, Rejection, Sink, WithheldDelete, Written};

/// How far the cut-off for "not updated since" lies before the beginning of a sync, for clocks inside Port that disagree (R10).
const CLOCK_SLACK: Duration = Duration::from_secs(60);

/// What a mapping says about writing and deleting.
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
}

impl Default for PortSinkOptions {
    fn default() -> Self {
        PortSinkOptions {
            merge: true,
            create_missing_related_entities: true,
            delete_dependents: false,
            deletion_threshold: 0.9,
            allow_empty: AllowEmpty::No,
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

/// Writes entities to Port and deletes what is proven to be gone.
#[derive(Debug)]
pub struct PortSink {
    client: PortClient,
    options: PortSinkOptions,
}

impl PortSink {
    /// A sink for one sync, with the reference's defaults, but for dependents: those are deleted only when told.
    pub fn new(client: PortClient) -> Self {
        PortSink {
            client: client.with_resync_id(Some(Uuid::new_v4().to_string())),
            options: PortSinkOptions::default(),
        }
    }

    /// Sets what the mapping says.
    pub fn options(mut self, options: PortSinkOptions) -> Self {
        self.options = options;
        self
    }

    /// The client behind it.
    pub fn client(&self) -> &PortClient {
        &self.client
    }

    /// The proof that stale entities of this blueprint are gone, or the guard that says no.
    fn permit<'e>(
        &self,
        evidence: &'e Evidence,
        blueprint: &str,
        share: Share,
    ) -> Result<Proof<'e>, String> {
        if let Some(reason) = evidence.withhold_all() {
            return Err(reason.to_owned());
        }
        if evidence.resources() == 0 {
            return Err("the mapping has no resources".to_owned());
        }
        let proof = evidence
            .ledger()
            .prove(blueprint)
            .map_err(|withheld| withheld.to_string())?;
        if !self.options.allow_empty.holds(blueprint) && !evidence.seen().has_blueprint(blueprint) {
            return Err(format!(
                "no entity of this blueprint was read this time; if that is right, add to the mapping: allowEmpty: [{blueprint}] \
                 (and entityDeletionThreshold: 1 if all of them are to go)"
            ));
        }
        if evidence.seen().has_unknown(blueprint) {
            return Err(
                "an entity that is identified by a search query was rejected, and it may be any of them; see the rejections"
                    .to_owned(),
            );
        }
        let Share { stale, owned } = share;
        if stale as f64 / owned as f64 > self.options.deletion_threshold {
            return Err(format!(
                "{stale} of {owned} owned entities would go, more than entityDeletionThreshold {} allows",
                self.options.deletion_threshold
            ));
        }
        Ok(proof)
    }
}

/// How many of a blueprint's owned entities look gone.
#[derive(Clone, Copy)]
struct Share {
    stale: usize,
    owned: usize,
}

#[async_trait]
impl Sink for PortSink {
    async fn begin(&self) -> Result<Mark, Error> {
        let time = self.client.server_time().await.map_err(port_error)?;
        Ok(Mark(Some(time)))
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let mut by_blueprint: BTreeMap<String, Vec<Entity>> = BTreeMap::new();
        for entity in entities {
            by_blueprint
                .entry(entity.blueprint.clone())
                .or_default()
                .push(entity);
        }
        let how = Upsert {
            merge: self.options.merge,
            create_missing_related_entities: self.options.create_missing_related_entities,
            ..Upsert::default()
        };
        let mut written = Written::default();
        for (blueprint, entities) in by_blueprint {
            let answer = match self.client.upsert(&blueprint, &entities, &how).await {
                Ok(answer) => answer,
                Err(error) => {
                    let acknowledged = error.upserted().cloned().unwrap_or_default();
                    written.failure = Some(port_error(error));
                    acknowledged
                }
            };
            written.upserted += answer.upserted;
            for rejected in answer.rejected {
                if rejected.unanswered {
                    // It may be stored or not, so the upserts are not all acknowledged (R12).
                    written.failure.get_or_insert_with(|| {
                        Error::new(ErrorKind::Sink, "Port's answer does not mention them")
                    });
                } else {
                    written.rejected.push(Rejection {
                        blueprint: blueprint.clone(),
                        identifier: rejected.identifier,
                        message: rejected.message,
                    });
                }
            }
        }
        Ok(written)
    }

    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        let Mark(Some(began)) = evidence.mark() else {
            return Ok(Reconciled::default());
        };
        let owned = self.client.owned(None).await.map_err(port_error)?;
        let mut owned_by_blueprint: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entity in owned {
            owned_by_blueprint
                .entry(entity.blueprint)
                .or_default()
                .push(entity.identifier);
        }
        let untouched: HashSet<(String, String)> = self
            .client
            .owned(Some(began - CLOCK_SLACK))
            .await
            .map_err(port_error)?
            .into_iter()
            .map(|entity| (entity.blueprint, entity.identifier))
            .collect();
        let evidence = self.allow_empty(evidence);
        let mut reconciled = Reconciled::default();
        let mut deletions = Vec::new();
        for (blueprint, identifiers) in owned_by_blueprint {
            let owned = identifiers.len();
            let stale: Vec<String> = identifiers
                .into_iter()
                .filter(|identifier| !evidence.seen().contains(&blueprint, identifier))
                .filter(|identifier| untouched.contains(&(blueprint.clone(), identifier.clone())))
                .collect();
            let share = Share {
                stale: stale.len(),
                owned,
            };
            let unneeded = self.unrelated(stale, &evidence);
            if unneeded.is_empty() || !evidence.concerns(&blueprint) {
                continue;
            }
            match self.permit(&evidence, &blueprint, share) {
                Ok(proof) => deletions.push((proof, unneeded)),
                Err(reason) => reconciled.withheld.push(WithheldDelete {
                    blueprint,
                    reason,
                    count: unneeded.len() as u64,
                }),
            }
        }
        self.delete_all(deletions, &mut reconciled).await;
        Ok(reconciled)
    }
}

impl PortSink {
    /// Lets blueprints go empty that the mapping says may: its word counts as a source of theirs that was read and is empty (R4).
    fn allow_empty(&self, mut evidence: Evidence) -> Evidence {
        let word_of = |feeds, ledger: &mut Ledger| {
            let source = ledger.open("allowEmpty", feeds);
            ledger.close(source, Verdict::Complete);
        };
        match &self.options.allow_empty {
            AllowEmpty::No => {}
            AllowEmpty::All => word_of(Feeds::Any, &mut evidence.ledger),
            AllowEmpty::Blueprints(blueprints) => {
                for blueprint in blueprints {
                    word_of(Feeds::Blueprint(blueprint.clone()), &mut evidence.ledger);
                }
            }
        }
        evidence
    }

    /// Leaves out what a produced entity relates to: Port would create it again, as a placeholder (R11).
    fn unrelated(&self, stale: Vec<String>, evidence: &Evidence) -> Vec<String> {
        if !self.options.create_missing_related_entities {
            return stale;
        }
        stale
            .into_iter()
            .filter(|identifier| !evidence.seen().is_related_to(identifier))
            .collect()
    }

    /// Deletes blueprint by blueprint. What is refused because others depend on it is tried again as long as others go.
    async fn delete_all(
        &self,
        mut deletions: Vec<(Proof<'_>, Vec<String>)>,
        reconciled: &mut Reconciled,
    ) {
        let how = Delete {
            delete_dependents: self.options.delete_dependents,
        };
        loop {
            let before = reconciled.deleted;
            let mut refused = Vec::new();
            let mut waiting = deletions.into_iter();
            while let Some((proof, identifiers)) = waiting.next() {
                if identifiers.is_empty() {
                    continue;
                }
                match self.client.delete(&proof, &identifiers, &how).await {
                    Ok(deleted) => {
                        reconciled.deleted += deleted.deleted.len() as u64;
                        let mut dependents = Vec::new();
                        let mut others: BTreeMap<String, u64> = BTreeMap::new();
                        for left in deleted.not_deleted {
                            match left.reason {
                                NotDeletedReason::Dependents => dependents.push(left.identifier),
                                reason => *others.entry(reason.to_string()).or_default() += 1,
                            }
                        }
                        for (reason, count) in others {
                            reconciled.withhold(proof.blueprint(), reason, count);
                        }
                        refused.push((proof, dependents));
                    }
                    Err(error) => {
                        let gone = error.deleted().map_or(0, |deleted| deleted.deleted.len());
                        reconciled.deleted += gone as u64;
                        reconciled.errors.push(port_error(error).to_string());
                        let left = (proof, identifiers[gone.min(identifiers.len())..].to_vec());
                        for (proof, left) in refused.into_iter().chain([left]).chain(waiting) {
                            let reason = "Port failed; the next run tries again".to_owned();
                            reconciled.withhold(proof.blueprint(), reason, left.len() as u64);
                        }
                        return;
                    }
                }
            }
            refused.retain(|(_, left): &(Proof<'_>, Vec<String>)| !left.is_empty());
            if refused.is_empty() {
                return;
            }
            if reconciled.deleted == before {
                for (proof, left) in refused {
                    let reason = "other entities depend on them; \
                                  write deleteDependentEntities: true in the mapping to delete those along";
                    reconciled.withhold(proof.blueprint(), reason.to_owned(), left.len() as u64);
                }
                return;
            }
            deletions = refused;
        }
    }
}

pub(crate) fn port_error(error: longshore_port_client::Error) -> Error {
    let retryable = error.is_retryable();
    Error::quoting(ErrorKind::Sink, format!("Port: {error}"), error).retryable(retryable)
}
