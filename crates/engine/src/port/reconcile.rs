//! What is gone, and may be deleted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use longshore_port_client::{
    Delete, Feeds, Ledger, NotDeletedReason, Owned, PortClient, Proof, SEARCH_IDENTIFIERS, Search,
    Verdict,
};
use serde_json::json;

use super::{AllowEmpty, PortSinkOptions, port_error, same};
use crate::compact::CompactSet;
use crate::error::Error;
use crate::sink::{Evidence, Mark, Reconciled, Withheld, WithheldDelete};

/// How far the cut-off for "not updated since" lies before the beginning of a sync, for clocks inside Port that disagree (R10).
pub(crate) const CLOCK_SLACK: Duration = Duration::from_secs(60);
/// Search queries of relations that go into one search.
const QUERIES_AT_ONCE: usize = 50;

/// What looks gone, and which of it may go.
#[derive(Debug, Default)]
pub(super) struct Stale<'e> {
    /// With the permission to delete them.
    pub(super) deletions: Vec<(Proof<'e>, Vec<String>)>,
    /// With the guard that says no, and some of their identifiers.
    pub(super) withheld: Vec<(WithheldDelete, Vec<String>)>,
}

/// Compares what Port lists as ours with what was seen. `joining` is what will be ours and is not listed yet, by blueprint.
pub(super) async fn find<'e>(
    client: &PortClient,
    options: &PortSinkOptions,
    evidence: &'e Evidence,
    joining: &HashMap<String, usize>,
) -> Result<Stale<'e>, Error> {
    let mut stale = Stale::default();
    let Mark(Some(began)) = evidence.mark() else {
        return Ok(stale);
    };
    let mut blueprints: BTreeMap<String, Blueprint> = BTreeMap::new();
    let mut listed = CompactSet::default();
    let note = |entity: Owned| {
        if !listed.insert(same::key(&entity.blueprint, &entity.identifier)) {
            return;
        }
        let is_seen = evidence
            .seen()
            .contains(&entity.blueprint, &entity.identifier);
        let blueprint = blueprints.entry(entity.blueprint).or_default();
        blueprint.owned += 1;
        if !is_seen {
            blueprint.unseen.insert(entity.identifier, false);
        }
    };
    client.each_owned(None, note).await.map_err(port_error)?;
    drop(listed);
    if blueprints.values().all(|of| of.unseen.is_empty()) {
        return Ok(stale);
    }
    let untouched = |entity: Owned| {
        let blueprint = blueprints.get_mut(&entity.blueprint);
        if let Some(is_untouched) = blueprint.and_then(|of| of.unseen.get_mut(&entity.identifier)) {
            *is_untouched = true;
        }
    };
    let cut_off = began - CLOCK_SLACK;
    let listed = client.each_owned(Some(cut_off), untouched).await;
    listed.map_err(port_error)?;
    let mut candidates = Vec::new();
    for (blueprint, Blueprint { owned, unseen }) in blueprints {
        let mut identifiers: Vec<String> = unseen
            .into_iter()
            .filter_map(|(identifier, is_untouched)| is_untouched.then_some(identifier))
            .collect();
        let share = Share {
            stale: identifiers.len(),
            owned: owned + joining.get(&blueprint).copied().unwrap_or_default(),
        };
        if options.create_missing_related_entities {
            // Port would create it again, as a placeholder (R11).
            identifiers.retain(|identifier| !evidence.seen().is_related_to(identifier));
        }
        if !identifiers.is_empty() && evidence.concerns(&blueprint) {
            candidates.push((blueprint, identifiers, share));
        }
    }
    for (blueprint, mut identifiers, share) in candidates {
        let permitted = match permit(options, evidence, &blueprint, share) {
            Err(reason) => Err(reason),
            Ok(proof) if !options.create_missing_related_entities => Ok(proof),
            Ok(proof) => {
                match found_by_relations(client, evidence, &blueprint, &identifiers).await? {
                    Ok(related) => {
                        identifiers.retain(|identifier| !related.contains(identifier));
                        Ok(proof)
                    }
                    Err(reason) => Err(reason),
                }
            }
        };
        match permitted {
            Ok(_) if identifiers.is_empty() => {}
            Ok(proof) => stale.deletions.push((proof, identifiers)),
            Err(reason) => stale.withheld.push((
                WithheldDelete {
                    blueprint,
                    reason,
                    count: identifiers.len() as u64,
                },
                identifiers,
            )),
        }
    }
    Ok(stale)
}

#[derive(Default)]
struct Blueprint {
    owned: usize,
    /// What was not produced, and whether it was last updated before the cut-off.
    unseen: BTreeMap<String, bool>,
}

/// How many of a blueprint's owned entities look gone.
#[derive(Clone, Copy)]
struct Share {
    stale: usize,
    owned: usize,
}

/// The proof that stale entities of this blueprint are gone, or the guard that says no.
fn permit<'e>(
    options: &PortSinkOptions,
    evidence: &'e Evidence,
    blueprint: &str,
    share: Share,
) -> Result<Proof<'e>, String> {
    let may_be_empty = options.allow_empty.holds(blueprint);
    let proof = evidence.proof(blueprint, may_be_empty);
    let proof = proof.map_err(|withheld| match withheld {
        Withheld::NoneRead => format!(
            "{withheld}; if that is right, add to the mapping: allowEmpty: [{blueprint}] \
             (and entityDeletionThreshold: 1 if all of them are to go)"
        ),
        Withheld::Other(why) => why,
    })?;
    let Share { stale, owned } = share;
    if stale as f64 / owned as f64 > options.deletion_threshold {
        return Err(format!(
            "{stale} of {owned} owned entities would go, more than entityDeletionThreshold {} allows",
            options.deletion_threshold
        ));
    }
    Ok(proof)
}

/// Which of these entities the search queries of produced relations find (R11); a guard where that cannot be found out.
async fn found_by_relations(
    client: &PortClient,
    evidence: &Evidence,
    blueprint: &str,
    identifiers: &[String],
) -> Result<Result<BTreeSet<String>, String>, Error> {
    let Some(queries) = evidence.seen().queries() else {
        return Ok(Err(format!(
            "relations are given by more than {} different search queries, and an entity that one of them finds is not deleted; \
             write createMissingRelatedEntities: false in the mapping to delete what is gone all the same",
            crate::sink::MOST_QUERIES
        )));
    };
    let mut related = BTreeSet::new();
    for queries in queries.chunks(QUERIES_AT_ONCE) {
        for part in identifiers.chunks(SEARCH_IDENTIFIERS) {
            let query = json!({
                "combinator": "and",
                "rules": [
                    {"property": "$blueprint", "operator": "=", "value": blueprint},
                    {"property": "$identifier", "operator": "in", "value": part},
                    {"combinator": "or", "rules": queries},
                ],
            });
            let search = Search::new(query).include("identifier");
            let found = client.search(&search).await.map_err(port_error)?;
            related.extend(found.into_iter().map(|found| found.identifier));
        }
    }
    Ok(Ok(related))
}

/// Lets blueprints go empty that the mapping says may: its word counts as a source of theirs that was read and is empty (R4).
pub(super) fn allow_empty(options: &PortSinkOptions, mut evidence: Evidence) -> Evidence {
    let word_of = |feeds, ledger: &mut Ledger| {
        let source = ledger.open("allowEmpty", feeds);
        ledger.close(source, Verdict::Complete);
    };
    match &options.allow_empty {
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

/// Deletes blueprint by blueprint. What is refused because others depend on it is tried again as long as others go.
pub(super) async fn delete_all(
    client: &PortClient,
    how: &Delete,
    mut deletions: Vec<(Proof<'_>, Vec<String>)>,
    reconciled: &mut Reconciled,
) {
    loop {
        let before = reconciled.deleted;
        let mut refused = Vec::new();
        let mut waiting = deletions.into_iter();
        while let Some((proof, identifiers)) = waiting.next() {
            if identifiers.is_empty() {
                continue;
            }
            match client.delete(&proof, &identifiers, how).await {
                Ok(deleted) => {
                    reconciled.deleted += deleted.deleted.len() as u64;
                    let mut dependents = Vec::new();
                    let mut others: BTreeMap<String, Vec<String>> = BTreeMap::new();
                    for left in deleted.not_deleted {
                        match left.reason {
                            NotDeletedReason::Dependents => dependents.push(left.identifier),
                            reason => others
                                .entry(reason.to_string())
                                .or_default()
                                .push(left.identifier),
                        }
                    }
                    for (reason, left) in others {
                        let reason = format!("{}: {reason}", named(&left));
                        reconciled.withhold(proof.blueprint(), reason, left.len() as u64);
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
                let reason = format!(
                    "other entities depend on {}; write deleteDependentEntities: true in the mapping to delete those along",
                    named(&left)
                );
                reconciled.withhold(proof.blueprint(), reason, left.len() as u64);
            }
            return;
        }
        deletions = refused;
    }
}

/// Entities that are named in one line; of many the first.
fn named(identifiers: &[String]) -> String {
    const MOST: usize = 10;
    let first = &identifiers[..identifiers.len().min(MOST)];
    match identifiers.len() - first.len() {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}
