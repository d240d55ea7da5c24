//! A sync: every resource read, its entities written, and what is proven to be gone removed.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_mapping::{Entity, Identifier};
use longshore_port_client::{Ledger, Verdict as Ending};
use serde::Serialize;

use crate::error::{Error, ErrorKind};
use crate::event::Event;
use crate::fetch::Api;
use crate::options::{SyncOptions, unknown_kind};
use crate::outcome::Outcome;
use crate::resource::Resource;
use crate::session::Session;
use crate::shard::too_old;
use crate::sink::{Evidence, Reconciled, Rejection, Seen, Sink, WithheldDelete, Written};
use crate::transfer::transfer;

/// After this many batches in a row that the sink could not take for the time being it is given up.
const FAILED_BATCHES: usize = 3;
/// Rejections, and different failures, kept for people to read.
const KEPT: usize = 100;
/// What a cancelled sync says last.
const CANCELLED: &str =
    "cancelled before its end; nothing was deleted, and the next sync does the rest";

/// What a sync came to. Its JSON form has a fixed set of keys; what is left out of it is for people and in `Display`.
#[derive(Clone, Debug, Default, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// How the read of each resource ended, in their order.
    pub resources: Vec<ResourceReport>,
    /// Entities stored.
    pub upserted: u64,
    /// Entities that were there already as they are, and were not written.
    #[serde(skip_serializing_if = "is_none")]
    pub unchanged: u64,
    /// Entities that came under a blueprint and identifier that had come before, from the same resource or from another.
    #[serde(skip_serializing_if = "is_none")]
    pub duplicates: u64,
    /// Entities refused, or part of a batch that could not be stored.
    pub rejected: u64,
    /// Entities removed.
    pub deleted: u64,
    /// Deletes that a guard held back.
    pub withheld: Vec<WithheldDelete>,
    /// The first rejections.
    #[serde(skip)]
    pub rejections: Vec<Rejection>,
    /// What else failed, one line each.
    #[serde(skip)]
    pub errors: Vec<String>,
}

/// How the read of one resource ended.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct ResourceReport {
    /// Its kind.
    pub kind: String,
    /// Its place among the resources of the engine, from 0: what tells two of one kind apart.
    #[serde(skip)]
    pub place: usize,
    /// Whether the sink took, or had, every entity of it.
    #[serde(skip)]
    pub is_loaded: bool,
    /// `complete` or `incomplete`.
    pub outcome: &'static str,
    /// Why not complete: a fixed name, a colon, a sentence.
    pub cause: Option<String>,
    /// What proved the end.
    pub stop: Option<String>,
    /// Pages read.
    pub pages: u64,
    /// Records found.
    pub records: u64,
    /// Entities made.
    pub entities: u64,
    /// Records left out by the selector.
    pub skipped: u64,
    /// Records that could not become entities, and parents that gave no parameter.
    pub failed: u64,
    /// Fields whose expression failed or gave no output, with how often.
    pub misconfigured: BTreeMap<String, u64>,
    /// For each misconfigured field the first reason.
    #[serde(skip)]
    pub misconfigured_samples: BTreeMap<String, String>,
    /// Fields that were null in some entity, with in how many.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub nulls: BTreeMap<String, u64>,
    /// What to change in fields that were null in every entity, and in a selector that left everything out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub hints: BTreeMap<String, String>,
    /// Fields that were null in every record.
    #[serde(skip)]
    pub always_null: Vec<String>,
    /// What deserves a look.
    #[serde(skip)]
    pub warnings: Vec<String>,
    /// Further causes, the first few of them.
    #[serde(skip)]
    pub further_causes: Vec<String>,
    /// How many causes there are in all.
    #[serde(skip)]
    pub cause_count: u64,
}

impl ResourceReport {
    /// Whether it was read to a proven end and the sink took, or had, every entity of it.
    pub fn is_well(&self) -> bool {
        self.outcome == "complete" && self.is_loaded
    }

    /// The report of a read, of a resource at the first place and with nothing that could not be written.
    pub fn new(kind: &str, outcome: &Outcome) -> Self {
        let cause = outcome.cause().map(ToString::to_string);
        ResourceReport {
            kind: kind.to_owned(),
            place: 0,
            is_loaded: true,
            outcome: if outcome.is_complete() {
                "complete"
            } else {
                "incomplete"
            },
            stop: outcome.stop().map(str::to_owned),
            pages: outcome.pages,
            records: outcome.records,
            entities: outcome.entities,
            skipped: outcome.skipped,
            failed: outcome.failed,
            misconfigured: outcome.misconfigured.clone(),
            misconfigured_samples: outcome.misconfigured_samples.clone(),
            nulls: outcome.nulls.clone(),
            hints: outcome.hints.clone(),
            always_null: outcome.always_null.clone(),
            warnings: outcome.warnings.clone(),
            further_causes: outcome
                .causes
                .iter()
                .filter(|further| Some(*further) != outcome.cause())
                .map(ToString::to_string)
                .collect(),
            cause_count: outcome.cause_count,
            cause,
        }
    }
}

impl Report {
    /// Of a sync that was cancelled before it began.
    pub(crate) fn cancelled() -> Self {
        Report {
            errors: vec![CANCELLED.to_owned()],
            ..Report::default()
        }
    }

    /// Of a sync of which nothing else is known.
    pub(crate) fn panicked() -> Self {
        let what = "the sync ended by a panic, which is a mistake in this program; the next sync does the rest";
        Report {
            errors: vec![what.to_owned()],
            ..Report::default()
        }
    }

    fn take(&mut self, reconciled: Result<Reconciled, Error>) {
        match reconciled {
            Ok(reconciled) => {
                self.deleted = reconciled.deleted;
                self.withheld = reconciled.withheld;
                self.errors.extend(reconciled.errors);
            }
            Err(error) => self.errors.push(error.to_string()),
        }
    }

    /// Whether every resource is Complete, nothing was rejected or withheld, and nothing failed.
    pub fn is_clean(&self) -> bool {
        self.resources
            .iter()
            .all(|resource| resource.outcome == "complete")
            && self.rejected == 0
            && self.withheld.is_empty()
            && self.errors.is_empty()
    }
}

/// The blueprints that the kinds of a sync are known to feed; `None` where it is asked for all.
fn asked_for(options: &SyncOptions, resources: &[Resource]) -> Option<HashSet<String>> {
    if options.kinds.is_empty() {
        return None;
    }
    let wanted = resources
        .iter()
        .filter(|resource| options.wants(resource.kind()));
    let fed = wanted.filter_map(|resource| resource.blueprint().map(str::to_owned));
    Some(fed.collect())
}

pub(crate) async fn run(
    api: &Arc<Api>,
    resources: &[Resource],
    options: &SyncOptions,
    sink: &dyn Sink,
) -> Report {
    let cancel = &options.cancel;
    let mut report = Report::default();
    if let Some(problem) = unknown_kind(&options.kinds, resources) {
        report.errors.push(problem);
        return report;
    }
    let begun = tokio::select! {
        biased;
        () = cancel.cancelled() => {
            report.errors.push(CANCELLED.to_owned());
            return report;
        }
        begun = sink.begin() => begun,
    };
    let mark = match begun {
        Ok(mark) => mark,
        Err(error) => {
            report.errors.push(error.to_string());
            return report;
        }
    };
    let mut ledger = Ledger::new();
    let entries: Vec<_> = resources
        .iter()
        .map(|resource| ledger.open(resource.kind(), resource.feeds()))
        .collect();
    let seen = Mutex::new(Seen::default());
    let mut writing = Writing {
        api,
        sink,
        seen: &seen,
        report,
        away_in_a_row: 0,
        failures: Vec::new(),
        failed_otherwise: 0,
        unknown: HashSet::new(),
        waiting: 0,
        waiting_looked_up: HashSet::new(),
        waiting_places: HashSet::new(),
        not_loaded: HashSet::new(),
        is_closed: false,
    };
    let wanted: Vec<&Resource> = resources
        .iter()
        .filter(|resource| options.leaves_out(resource).is_none())
        .collect();
    let session = Session::new(api.clone(), wanted.iter().copied()).shard(options.shard);
    let outcomes = transfer(session, &wanted, cancel, &mut writing).await;
    let mut outcomes = outcomes.into_iter();
    for (resource, entry) in resources.iter().zip(entries) {
        if let Some(why) = options.leaves_out(resource) {
            ledger.close(entry, Ending::Incomplete(why.to_owned()));
            continue;
        }
        let Some(outcome) = outcomes.next() else {
            continue;
        };
        let ending = match outcome.cause() {
            None => Ending::Complete,
            Some(cause) => Ending::Incomplete(cause.to_string()),
        };
        ledger.close(entry, ending);
        writing.report.resources.push(ResourceReport {
            place: resource.place(),
            ..ResourceReport::new(resource.kind(), &outcome)
        });
    }
    if !cancel.is_cancelled() && !writing.is_closed {
        tokio::select! {
            () = cancel.out_of_time() => {}
            () = writing.settle() => {}
        }
    }
    writing.reject_waiting();
    for read in &mut writing.report.resources {
        read.is_loaded = !writing.not_loaded.contains(&read.place);
    }
    let mut seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
    writing.report.duplicates = seen.duplicates();
    let withhold_all = withhold_all(options, &writing);
    seen.unknown = writing.unknown;
    let evidence = Evidence {
        ledger,
        seen,
        mark,
        resources: resources.len(),
        asked_for: asked_for(options, resources),
        withhold_all,
        shortfall: shortfall(&writing.report),
    };
    let (is_closed, otherwise) = (writing.is_closed, writing.failed_otherwise);
    let mut report = writing.report;
    report.errors = writing
        .failures
        .iter()
        .map(|(failure, count)| format!("{count} entities could not be written: {failure}"))
        .collect();
    if otherwise > 0 {
        report.errors.push(format!(
            "{otherwise} entities could not be written for further reasons"
        ));
    }
    if is_closed {
        // It would say the same once more.
        return report;
    }
    tokio::select! {
        biased;
        () = cancel.cancelled() => report.errors.push(CANCELLED.to_owned()),
        reconciled = sink.reconcile(evidence) => report.take(reconciled),
    }
    report
}

/// Has the sink remove what is proven to be gone by what shards have seen.
pub(crate) async fn reconcile(evidence: Evidence, sink: &dyn Sink) -> Report {
    let mut report = Report::default();
    match sink.begin().await {
        // When the shards began counts, and that is in what they have seen.
        Ok(now) => match too_old(evidence.mark(), now) {
            Some(why) => report.errors.push(why),
            None => report.take(sink.reconcile(evidence).await),
        },
        Err(error) => report.errors.push(error.to_string()),
    }
    report
}

/// The first read that did not come to its end, with its cause.
fn shortfall(report: &Report) -> Option<String> {
    let mut short = report
        .resources
        .iter()
        .filter(|read| read.outcome != "complete");
    short.next().map(|read| {
        let cause = read.cause.as_deref().unwrap_or("it says no cause");
        format!("{} was not read completely: {cause}", read.kind)
    })
}

/// Why nothing at all may be removed after this sync, if so.
fn withhold_all(options: &SyncOptions, writing: &Writing<'_>) -> Option<String> {
    if !writing.failures.is_empty() {
        return Some("not everything could be written; nothing is deleted before that".to_owned());
    }
    options.shard.map(|shard| {
        format!("this was shard {shard}; what is gone shows when all shards are put together")
    })
}

/// The writing side of a sync.
pub(crate) struct Writing<'a> {
    api: &'a Api,
    sink: &'a dyn Sink,
    pub(crate) seen: &'a Mutex<Seen>,
    report: Report,
    /// Batches in a row that the sink could not take for the time being.
    away_in_a_row: usize,
    /// What kept entities from being written, and how many.
    failures: Vec<(String, u64)>,
    /// How many were kept from it by others than these failures, the first of all.
    failed_otherwise: u64,
    /// Blueprints of which an entity without a known identifier was refused.
    unknown: HashSet<String>,
    /// Entities that wait in the sink for others, and the blueprints of those among them that are looked up.
    waiting: u64,
    waiting_looked_up: HashSet<String>,
    /// Places of the resources that they are of.
    waiting_places: HashSet<usize>,
    /// Places of resources of which not every entity was taken.
    pub(crate) not_loaded: HashSet<usize>,
    /// The sink will take nothing more, whatever it is.
    is_closed: bool,
}

impl Writing<'_> {
    pub(crate) fn is_given_up(&self) -> bool {
        self.is_closed || self.away_in_a_row >= FAILED_BATCHES
    }

    /// Whether the last batch, if there was one, found the sink away.
    pub(crate) fn is_away(&self) -> bool {
        self.away_in_a_row > 0
    }

    pub(crate) async fn write(&mut self, kind: &str, place: usize, batch: Vec<Entity>) {
        let count = batch.len() as u64;
        let looked_up = blueprints_looked_up(&batch);
        let written = self.sink.write(batch).await;
        let (waited, rejected) = (self.waiting, self.report.rejected);
        self.take(kind, Some(place), count, &looked_up, written);
        if self.waiting > waited {
            self.waiting_looked_up.extend(looked_up);
            self.waiting_places.insert(place);
        }
        if self.report.rejected > rejected {
            self.not_loaded.insert(place);
        }
    }

    /// Has the sink write what waited for others to be there.
    pub(crate) async fn settle(&mut self) {
        let settled = self.sink.settle().await;
        // Only now: where the time is over before that, they are still waiting.
        let count = std::mem::take(&mut self.waiting);
        let looked_up = std::mem::take(&mut self.waiting_looked_up);
        let rejected = self.report.rejected;
        self.take("", None, count, &looked_up, settled);
        let waited = std::mem::take(&mut self.waiting_places);
        if self.report.rejected > rejected {
            // Whose they are nobody knows any more; those of which none had to wait have all of theirs.
            self.not_loaded.extend(waited);
        }
    }

    /// What still waits at the end of a cancelled sync was not written.
    pub(crate) fn reject_waiting(&mut self) {
        let count = std::mem::take(&mut self.waiting);
        if count > 0 {
            self.not_loaded.extend(self.waiting_places.drain());
            let why = match self.is_closed {
                true => "not tried again: the sink takes nothing more",
                false => "cancelled while they waited for what they relate to",
            };
            self.note_failure(count, &Error::new(ErrorKind::Sink, why));
        }
    }

    /// Counts what became of `count` entities.
    fn take(
        &mut self,
        kind: &str,
        place: Option<usize>,
        count: u64,
        looked_up: &HashSet<String>,
        written: Result<Written, Error>,
    ) {
        let written = written.unwrap_or_else(|failure| Written {
            failure: Some(failure),
            ..Written::default()
        });
        if !written.looked_up.is_empty() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            for (blueprint, identifier) in &written.looked_up {
                seen.note_looked_up(blueprint, identifier);
            }
        }
        let refused = written.rejected.len() as u64;
        let answered = written.upserted + written.unchanged + written.waiting + refused;
        self.unknown.extend(
            written
                .rejected
                .iter()
                .map(|rejection| &rejection.blueprint)
                .filter(|blueprint| looked_up.contains(*blueprint))
                .cloned(),
        );
        self.report.upserted += written.upserted;
        self.report.unchanged += written.unchanged;
        self.waiting += written.waiting;
        self.report.rejected += refused;
        let room = KEPT.saturating_sub(self.report.rejections.len());
        self.report
            .rejections
            .extend(written.rejected.into_iter().take(room));
        match written.failure {
            None => self.away_in_a_row = 0,
            Some(failure) => self.note_failure(count.saturating_sub(answered), &failure),
        }
        self.api.observer.event(&Event::Written {
            kind,
            place,
            upserted: self.report.upserted,
            unchanged: self.report.unchanged,
            rejected: self.report.rejected,
        });
    }

    /// A failure that time may heal means that the sink is away; one that closes the sink is the last; any other is about these entities, and the
    /// next may be taken.
    pub(crate) fn note_failure(&mut self, count: u64, failure: &Error) {
        self.is_closed |= failure.closes_sink();
        self.away_in_a_row = match failure.is_retryable() {
            true => self.away_in_a_row + 1,
            false => 0,
        };
        self.report.rejected += count;
        let failure = failure.to_string();
        let is_room = self.failures.len() < KEPT;
        let known = self
            .failures
            .iter_mut()
            .find(|(known, _)| *known == failure);
        match known {
            Some((_, entities)) => *entities += count,
            None if is_room => self.failures.push((failure, count)),
            None => self.failed_otherwise += count,
        }
    }
}

fn is_none(count: &u64) -> bool {
    *count == 0
}

/// Blueprints of entities whose identifier is a search query: which entity is meant only the sink finds out.
fn blueprints_looked_up(batch: &[Entity]) -> HashSet<String> {
    batch
        .iter()
        .filter(|entity| matches!(entity.identifier, Identifier::Search(_)))
        .map(|entity| entity.blueprint.clone())
        .collect()
}
