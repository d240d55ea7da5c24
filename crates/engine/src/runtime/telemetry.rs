//! What is known of the syncs of a process: counts by kind, examples of records, and whether all is well.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use longshore_transport::{Clock, TokioClock};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::kinds::Turn;
use super::mask::masked;
use crate::event::{Event, Observer};
use crate::sync::Report;

/// Examples of each kind that Port gets.
const EXAMPLES: usize = 5;

/// Keeps book of what happens: give it to [`EngineBuilder::observer`](crate::EngineBuilder::observer) and to a
/// [`Runtime`](super::Runtime). Clones keep the same book.
#[derive(Clone, Debug)]
pub struct Telemetry {
    book: Arc<Mutex<Book>>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Default)]
struct Book {
    takes_examples: bool,
    examples: BTreeMap<String, Vec<Value>>,
    totals: Totals,
    kinds: BTreeMap<String, KindTotals>,
    state: State,
    /// Of the sync that runs, by the place of a resource: when it began, how long it took, and what was written of it; without a place what had waited.
    started: BTreeMap<usize, Duration>,
    took: BTreeMap<usize, Duration>,
    loaded: BTreeMap<Option<usize>, Loaded>,
    written: Loaded,
    last: Option<Finished>,
    /// Who is told what happens to the kinds of the sync that runs.
    turns: Option<UnboundedSender<Turn>>,
}

/// Counts since the process began.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) syncs_clean: u64,
    pub(crate) syncs_unclean: u64,
}

/// Counts of one kind since the process began.
#[derive(Clone, Debug, Default)]
pub(crate) struct KindTotals {
    /// By status, and by `error` where no answer came.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Seconds waited because the API said that it was asked too often, by endpoint.
    pub(crate) limited: BTreeMap<String, f64>,
}

/// Entities that the sink took, had already, and did not take.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Loaded {
    pub(crate) upserted: u64,
    pub(crate) unchanged: u64,
    pub(crate) rejected: u64,
}

/// The last sync that came to an end.
#[derive(Clone, Debug)]
pub(crate) struct Finished {
    pub(crate) report: Report,
    #[cfg_attr(
        not(feature = "server"),
        allow(dead_code, reason = "only the metrics of the server tell it")
    )]
    pub(crate) took: Duration,
    /// By the place of a resource in the mapping.
    pub(crate) took_by_place: BTreeMap<usize, Duration>,
    /// By the place; without one what had waited for others.
    pub(crate) loaded: BTreeMap<Option<usize>, Loaded>,
}

/// What a process that runs on is doing, for health checks.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct State {
    /// Port was reached, and there is a mapping that can be read.
    pub(crate) ready: bool,
    /// Why it is not ready, or what is wrong although it is.
    pub(crate) problem: Option<String>,
    /// A sync is under way.
    pub(crate) syncing: bool,
}

impl Default for Telemetry {
    fn default() -> Self {
        Telemetry::new()
    }
}

impl Telemetry {
    /// An empty book, which takes no examples.
    pub fn new() -> Self {
        Telemetry {
            book: Arc::default(),
            clock: Arc::new(TokioClock::new()),
        }
    }

    /// Keeps the first five records of each kind of a sync, [masked](super::masked) as soon as they are seen.
    pub fn with_examples(self, wanted: bool) -> Self {
        self.book().takes_examples = wanted;
        self
    }

    /// Measures by this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    pub(crate) fn sync_begins(&self) {
        let mut book = self.book();
        book.examples.clear();
        book.started.clear();
        book.took.clear();
        book.loaded.clear();
        book.written = Loaded::default();
        book.state.syncing = true;
    }

    /// What happens to the kinds of the sync that runs, until it ends.
    pub(crate) fn turns(&self) -> UnboundedReceiver<Turn> {
        let (sender, receiver) = unbounded_channel();
        self.book().turns = Some(sender);
        receiver
    }

    pub(crate) fn last(&self) -> Option<Finished> {
        self.book().last.clone()
    }

    pub(crate) fn sync_ends(&self, report: &Report, took: Duration) {
        let mut book = self.book();
        match report.is_clean() {
            true => book.totals.syncs_clean += 1,
            false => book.totals.syncs_unclean += 1,
        }
        book.state.syncing = false;
        book.turns = None;
        book.last = Some(Finished {
            report: report.clone(),
            took,
            took_by_place: std::mem::take(&mut book.took),
            loaded: std::mem::take(&mut book.loaded),
        });
    }

    /// The masked examples of the last sync, by kind.
    pub(crate) fn examples(&self) -> BTreeMap<String, Vec<Value>> {
        self.book().examples.clone()
    }

    pub(crate) fn is_ready(&self) {
        let mut book = self.book();
        book.state.ready = true;
        book.state.problem = None;
    }

    /// Something is wrong, and it is not ready before that is mended.
    pub(crate) fn is_not_ready(&self, problem: &str) {
        let mut book = self.book();
        book.state.ready = false;
        book.state.problem = Some(problem.to_owned());
    }

    /// Something is wrong that does not stop it.
    pub(crate) fn has_problem(&self, problem: Option<String>) {
        self.book().state.problem = problem;
    }

    #[cfg(feature = "server")]
    pub(crate) fn state(&self) -> State {
        self.book().state.clone()
    }

    #[cfg(feature = "server")]
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Totals, &BTreeMap<String, KindTotals>, &State, Option<&Finished>) -> T,
    ) -> T {
        let book = self.book();
        read(&book.totals, &book.kinds, &book.state, book.last.as_ref())
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    fn tell(&self, turn: Turn) {
        if let Some(turns) = &self.turns {
            // Whoever does not listen any more need not know.
            let _ = turns.send(turn);
        }
    }
}

impl Observer for Telemetry {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Records { kind, records, .. } => {
                let wanted = {
                    let mut book = self.book();
                    if !book.takes_examples {
                        return;
                    }
                    EXAMPLES - book.examples.entry((*kind).to_owned()).or_default().len()
                };
                let more: Vec<Value> = records
                    .iter()
                    .take(wanted)
                    .map(|record| masked(&record.to_json()))
                    .collect();
                let mut book = self.book();
                let kept = book.examples.entry((*kind).to_owned()).or_default();
                kept.extend(more);
                kept.truncate(EXAMPLES);
            }
            Event::Request { kind, attempt } => {
                let mut book = self.book();
                let totals = book.kinds.entry((*kind).to_owned()).or_default();
                let status = attempt
                    .status
                    .map_or_else(|| "error".to_owned(), |status| status.as_str().to_owned());
                *totals.requests.entry(status).or_default() += 1;
                if attempt.status == Some(StatusCode::TOO_MANY_REQUESTS)
                    && let Some(wait) = attempt.wait
                {
                    *totals.limited.entry(attempt.url.to_string()).or_default() +=
                        wait.as_secs_f64();
                }
            }
            Event::ResourceStarted { place, .. } => {
                let now = self.clock.now();
                let mut book = self.book();
                book.started.insert(*place, now);
                book.tell(Turn::Begun(*place));
            }
            Event::ResourceFinished { place, outcome, .. } => {
                let now = self.clock.now();
                let mut book = self.book();
                if !outcome.is_complete() {
                    book.tell(Turn::Failed(*place));
                }
                if let Some(start) = book.started.remove(place) {
                    book.took.insert(*place, now.saturating_sub(start));
                }
            }
            Event::Written {
                place,
                upserted,
                unchanged,
                rejected,
                ..
            } => {
                // The event counts from the beginning of the sync.
                let now = Loaded {
                    upserted: *upserted,
                    unchanged: *unchanged,
                    rejected: *rejected,
                };
                let mut book = self.book();
                let before = std::mem::replace(&mut book.written, now);
                if before == now {
                    return;
                }
                let loaded = book.loaded.entry(*place).or_default();
                loaded.upserted += now.upserted.saturating_sub(before.upserted);
                loaded.unchanged += now.unchanged.saturating_sub(before.unchanged);
                loaded.rejected += now.rejected.saturating_sub(before.rejected);
            }
            _ => {}
        }
    }
}
