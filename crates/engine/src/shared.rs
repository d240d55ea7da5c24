//! A list of parents that is read once, as a log that several follow at their own pace.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_jq::Val;
use longshore_nested::{Expanded, Item};
use longshore_transport::json;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::error::Error;
use crate::pages::{Pages, RecordPage};
use crate::parameters::{Embeds, Projection};
use crate::spool::{Kept, Spool};

/// What is kept of the records of one page.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Chunk {
    /// How many records there were.
    pub(crate) records: u64,
    /// For each projection, what it makes of them.
    pub(crate) cells: Vec<Vec<Cell>>,
    pub(crate) warnings: Vec<String>,
    pub(crate) is_one_object: bool,
}

/// What one parent record gives: a value, or why it gives none.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Cell {
    Value {
        text: String,
        is_number: bool,
        /// Values as JSON text, which loses nothing on the way through the spool.
        include: Vec<(String, String)>,
        embeds: Vec<Option<Embed>>,
    },
    Problem(String),
}

/// A list that stands in a parent record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Embed {
    /// An array, as JSON text.
    records: String,
    /// Where the rest is.
    pub(crate) next: Option<String>,
}

impl Chunk {
    pub(crate) fn of(page: &RecordPage, projections: &[Arc<Projection>]) -> Chunk {
        let cells = projections.iter().map(|projection| {
            let cells = page
                .records
                .iter()
                .flat_map(|record| projection.cells(record));
            cells.collect()
        });
        Chunk {
            records: page.records.len() as u64,
            cells: cells.collect(),
            warnings: page.warnings.clone(),
            is_one_object: page.is_one_object,
        }
    }
}

impl Projection {
    /// What is kept of a record.
    pub(crate) fn cells(&self, record: &Val) -> Vec<Cell> {
        let values = match self.expand.values(record) {
            Ok(values) => values,
            Err(problem) => return vec![Cell::Problem(problem.to_string())],
        };
        if values.is_empty() {
            return Vec::new();
        }
        let embeds: Result<Vec<Option<Embed>>, String> =
            self.embeds.iter().map(|embeds| embeds.of(record)).collect();
        let embeds = match embeds {
            Ok(embeds) => embeds,
            Err(problem) => return vec![Cell::Problem(problem)],
        };
        let cell = |value: Expanded| Cell::Value {
            text: value.item.text,
            is_number: value.item.is_number,
            include: value
                .include
                .into_iter()
                .map(|(key, value)| (key, value.to_string()))
                .collect(),
            embeds: embeds.clone(),
        };
        values.into_iter().map(cell).collect()
    }
}

impl Embeds {
    fn of(&self, record: &Val) -> Result<Option<Embed>, String> {
        let source = self.records.source();
        let outputs = self
            .records
            .all(record)
            .map_err(|error| format!("embedded `{source}` fails on a parent: {error}"))?;
        let mut records = Vec::new();
        let mut found = false;
        for output in outputs.into_iter().filter(|output| !output.is_null()) {
            found = true;
            match output.as_array() {
                Some(items) => records.extend(items.iter().cloned()),
                None => records.push(output),
            }
        }
        if !found {
            return Ok(None);
        }
        let next = match &self.next {
            None => None,
            Some(next) => match next.first(record) {
                Ok(Some(position)) if position.truthy() => match position.text() {
                    Some(text) => Some(text).filter(|text| !text.is_empty()),
                    None => {
                        let source = next.source();
                        let what = position.type_name();
                        return Err(format!(
                            "embedded.next `{source}` gave a value of type {what} for a parent; it must give a link or a cursor"
                        ));
                    }
                },
                Ok(_) => None,
                Err(error) => {
                    let source = next.source();
                    return Err(format!(
                        "embedded.next `{source}` fails on a parent: {error}"
                    ));
                }
            },
        };
        Ok(Some(Embed {
            records: Val::from(records).to_string(),
            next,
        }))
    }
}

impl Embed {
    pub(crate) fn records(&self) -> Vec<Val> {
        let records: Val = json::read(self.records.as_bytes()).unwrap_or_default();
        records.as_array().unwrap_or_default().to_vec()
    }
}

/// A value of a parent as it was, out of the text that it was kept as.
pub(crate) fn included(include: Vec<(String, String)>) -> Vec<(String, Val)> {
    let value = |text: String| json::read(text.as_bytes()).unwrap_or_default();
    include
        .into_iter()
        .map(|(key, text)| (key, value(text)))
        .collect()
}

/// The item of a cell.
pub(crate) fn item(text: String, is_number: bool) -> Item {
    Item { text, is_number }
}

/// How a log ended.
#[derive(Clone, Debug)]
pub(crate) enum Ended {
    /// Everything is in it.
    Complete,
    /// It may not be all, and this is why.
    Short(Error),
    /// The API gives no more results of one window of time than it gave.
    Capped,
    /// Whoever filled it went away. It says nothing about the list.
    Abandoned,
}

/// What a follower finds at its place.
pub(crate) enum Next {
    Chunk(Arc<Kept>),
    End(Ended),
}

/// Chunks in order, each kept until all who are expected have passed it.
pub(crate) struct Log {
    spool: Spool,
    /// How many follow it; `None` where nobody can tell, so that all of it is kept.
    followers: Option<usize>,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    /// The index of the first chunk that is still kept.
    first: usize,
    chunks: VecDeque<(Arc<Kept>, usize)>,
    /// How many chunks the fastest follower has asked for.
    wanted: usize,
    /// Followers that came to the end.
    done: usize,
    ended: Option<Ended>,
}

impl Log {
    pub(crate) fn new(spool: Spool, followers: Option<usize>) -> Self {
        Log {
            spool,
            followers,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    pub(crate) fn append(&self, chunk: &Chunk) -> io::Result<()> {
        let kept = self.spool.keep(serde_json::to_vec(chunk)?)?;
        self.lock().chunks.push_back((Arc::new(kept), 0));
        self.changed.notify_waiters();
        Ok(())
    }

    /// Ends the log, unless it has ended.
    pub(crate) fn end(&self, ended: Ended) {
        self.lock().ended.get_or_insert(ended);
        self.changed.notify_waiters();
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Waits for what stands at an index.
    pub(crate) async fn at(&self, index: usize) -> Next {
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                if index < state.first {
                    // Nobody expected another follower.
                    return Next::End(Ended::Abandoned);
                }
                if let Some((kept, _)) = state.chunks.get(index - state.first) {
                    return Next::Chunk(kept.clone());
                }
                if let Some(ended) = &state.ended {
                    return Next::End(ended.clone());
                }
                if index >= state.wanted {
                    state.wanted = index + 1;
                    self.changed.notify_waiters();
                }
            }
            changed.await;
        }
    }

    /// Takes note that one follower is past an index.
    pub(crate) fn passed(&self, index: usize) {
        let Some(followers) = self.followers else {
            return;
        };
        let mut state = self.lock();
        let place = index.checked_sub(state.first);
        if let Some((_, passed)) = place.and_then(|place| state.chunks.get_mut(place)) {
            *passed += 1;
        }
        while state
            .chunks
            .front()
            .is_some_and(|(_, passed)| *passed >= followers)
        {
            state.chunks.pop_front();
            state.first += 1;
        }
    }

    /// Takes note that one follower is done. Says whether none is expected any more.
    pub(crate) fn is_done_with(&self) -> bool {
        let mut state = self.lock();
        state.done += 1;
        self.followers
            .is_some_and(|followers| state.done >= followers)
    }

    /// Waits until somebody wants more than there is: look-ahead is the pages' own business.
    async fn is_wanted(&self) {
        loop {
            let changed = self.changed.notified();
            {
                let state = self.lock();
                if state.wanted > state.first + state.chunks.len() {
                    return;
                }
            }
            changed.await;
        }
    }

    /// Fills the log with the pages of a list, as fast as the fastest follower goes.
    pub(crate) async fn fill(
        &self,
        mut pages: Pages,
        projections: Vec<Arc<Projection>>,
        cap: Option<u64>,
    ) {
        let mut records = 0;
        let ended = loop {
            match pages.next().await {
                None => {
                    break match pages.shortfall() {
                        None => Ended::Complete,
                        Some(shortfall) => Ended::Short(shortfall),
                    };
                }
                Some(Err(error)) => break Ended::Short(error),
                Some(Ok(page)) => {
                    records += page.records.len() as u64;
                    if let Err(error) = self.append(&Chunk::of(&page, &projections)) {
                        break Ended::Short(spool_failed(error));
                    }
                }
            }
            if pages.end().is_none() {
                self.is_wanted().await;
            }
        };
        let capped = cap.is_some_and(|cap| records >= cap);
        self.end(if capped { Ended::Capped } else { ended });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").finish_non_exhaustive()
    }
}

/// What is read cannot be kept, or not be found again.
pub(crate) fn spool_failed(error: io::Error) -> Error {
    Error::quoting(
        crate::error::ErrorKind::Fetch,
        format!("what has to wait cannot be kept in a temporary file: {error}"),
        error,
    )
}
