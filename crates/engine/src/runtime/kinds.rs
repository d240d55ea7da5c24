//! Port is told how each kind goes: before a sync, while it runs, and after it.

use std::time::Duration;

use longshore_port_client::{Integration, KindState, KindStatus, PortClient};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;
use uuid::Uuid;

use super::telemetry::{Finished, Loaded};
use crate::error::Error;
use crate::port::port_error;
use crate::sync::ResourceReport;

/// What is told after a sync may keep the next one waiting this long.
const LONGEST: Duration = Duration::from_secs(30);

/// Something that happened to the resource at this place in the mapping.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Turn {
    Begun(usize),
    /// It was not read to its end. That all went well shows only when everything is written.
    Failed(usize),
}

/// Tells Port of the kinds of one sync. After a failure it says no more: nothing depends on it.
#[derive(Debug)]
pub(super) struct Kinds {
    port: PortClient,
    integration: Integration,
    resync: String,
    /// The kinds of the resources that are read, with their places in the mapping.
    kinds: Vec<Known>,
    failed: Option<Error>,
}

#[derive(Debug)]
struct Known {
    kind: String,
    index: usize,
    status: KindStatus,
}

impl Kinds {
    /// Of a sync of these resources; none where Port does not ask.
    pub(super) fn of<'k>(
        port: &PortClient,
        integration: Option<&Integration>,
        resources: impl IntoIterator<Item = (usize, &'k str)>,
    ) -> Option<Kinds> {
        let integration = integration.filter(|integration| integration.takes_kinds())?;
        let kinds = resources.into_iter().map(|(index, kind)| Known {
            kind: kind.to_owned(),
            index,
            status: KindStatus::Pending,
        });
        Some(Kinds {
            port: port.clone(),
            integration: integration.clone(),
            resync: Uuid::new_v4().to_string(),
            kinds: kinds.collect(),
            failed: None,
        })
    }

    /// What kept Port from being told, if something did.
    pub(super) fn failure(self) -> Option<Error> {
        self.failed
    }

    /// That they are to be read.
    pub(super) async fn begin(&mut self) {
        let nothing = metrics(false, None, None, &Loaded::default());
        let states: Vec<KindState> = self
            .kinds
            .iter()
            .map(|known| known.state(nothing.clone()))
            .collect();
        let told = self
            .port
            .report_kinds(&self.integration, &self.resync, &states)
            .await;
        self.failed = told.err().map(port_error);
    }

    /// What happens to them, as it happens; ends when nobody is left to say so.
    pub(super) async fn follow(&mut self, turns: &mut UnboundedReceiver<Turn>) {
        while let Some(turn) = turns.recv().await {
            if self.failed.is_none()
                && let Some(known) = self.turn(turn)
            {
                let nothing = metrics(false, None, None, &Loaded::default());
                let state = self.kinds[known].state(nothing);
                self.tell(&state).await;
            }
        }
    }

    /// How they ended.
    pub(super) async fn end(&mut self, finished: &Finished) {
        let told = async {
            for place in 0..self.kinds.len() {
                if self.failed.is_some() {
                    return;
                }
                let state = self.ended(place, finished);
                self.tell(&state).await;
            }
        };
        if tokio::time::timeout(LONGEST, told).await.is_err() {
            self.failed = Some(Error::new(
                crate::error::ErrorKind::Sink,
                "Port took too long",
            ));
        }
    }

    fn ended(&self, place: usize, finished: &Finished) -> KindState {
        let known = &self.kinds[place];
        let mut reads = finished.report.resources.iter();
        let read = reads.find(|read| read.place == known.index);
        let took = finished.took_by_place.get(&known.index);
        let loaded = finished.loaded.get(&Some(known.index)).copied();
        let complete = read.is_some_and(ResourceReport::is_well);
        KindState {
            kind: known.kind.clone(),
            index: known.index,
            status: match complete {
                true => KindStatus::Completed,
                false => KindStatus::Failed,
            },
            metrics: metrics(complete, read, took, &loaded.unwrap_or_default()),
        }
    }

    /// Takes note of it; the place of the resource that it is about, where it changes something.
    fn turn(&mut self, turn: Turn) -> Option<usize> {
        let (index, from, to) = match turn {
            Turn::Begun(index) => (index, KindStatus::Pending, KindStatus::Syncing),
            Turn::Failed(index) => (index, KindStatus::Syncing, KindStatus::Failed),
        };
        let place = self
            .kinds
            .iter()
            .position(|known| known.index == index && known.status == from)?;
        self.kinds[place].status = to;
        Some(place)
    }

    async fn tell(&mut self, state: &KindState) {
        let told = self
            .port
            .report_kind(&self.integration, &self.resync, state)
            .await;
        self.failed = told.err().map(port_error);
    }
}

impl Known {
    fn state(&self, metrics: Value) -> KindState {
        KindState {
            kind: self.kind.clone(),
            index: self.index,
            status: self.status,
            metrics,
        }
    }
}

/// The metrics of one kind, in objects of their labels.
fn metrics(
    success: bool,
    read: Option<&ResourceReport>,
    took: Option<&Duration>,
    loaded: &Loaded,
) -> Value {
    let count = |count: u64| json!({ "object_count": count });
    let of = |count: fn(&ResourceReport) -> u64| read.map_or(0, count);
    json!({"phase": {
        "resync": {
            "success": u8::from(success),
            "duration_seconds": took.map_or(0.0, Duration::as_secs_f64),
        },
        "extract": {"object_count_type": {"raw_extracted": count(of(|read| read.records))}},
        "transform": {"object_count_type": {
            "transformed": count(of(|read| read.entities)),
            "filtered_out": count(of(|read| read.skipped)),
            "failed": count(of(|read| read.failed)),
        }},
        "load": {"object_count_type": {
            "loaded": count(loaded.upserted),
            "skipped": count(loaded.unchanged),
            "failed": count(loaded.rejected),
        }},
    }})
}
