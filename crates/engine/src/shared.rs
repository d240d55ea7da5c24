//! A list of parents that is read once, as a log that several follow at their own pace.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_jq::{EvalError, EvalErrorKind, Val};
use longshore_mapping::RUNAWAY_LIMIT;
use longshore_nested::{ErrorKind as NestedErrorKind, Expanded, Item};
use longshore_transport::json;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use crate::error::Error;
use crate::fetch::Api;
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
    /// An expression used more time, memory or stack than it may, and most likely will on every record.
    Runaway(String),
}

/// How often each projection hit the limit of an expression, over all pages of a list.
#[derive(Debug, Default)]
pub(crate) struct Hits(Vec<u64>);

/// A list that stands in a parent record.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Embed {
    /// An array, as JSON text.
    records: String,
    /// Where the rest is.
    pub(crate) next: Option<String>,
}

impl Chunk {
    /// What is kept of a page. A projection that hit a limit [`RUNAWAY_LIMIT`] times is asked no more: whoever follows it has seen them all,
    /// and looks no further.
    pub(crate) fn of(page: &RecordPage, projections: &[Arc<Projection>], hits: &mut Hits) -> Chunk {
        hits.0.resize(projections.len(), 0);
        let cells = projections.iter().zip(&mut hits.0);
        let cells = cells.map(|(projection, hits)| {
            let mut cells = Vec::new();
            for record in &page.records {
                if *hits >= RUNAWAY_LIMIT {
                    break;
                }
                let found = projection.cells(record);
                *hits += u64::from(matches!(found.as_slice(), [Cell::Runaway(_)]));
                cells.extend(found);
            }
            cells
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
            Err(problem) if problem.kind() == NestedErrorKind::Limit => {
                return vec![Cell::Runaway(problem.to_string())];
            }
            Err(problem) => return vec![Cell::Problem(problem.to_string())],
        };
        if values.is_empty() {
            return Vec::new();
        }
        let embeds: Result<Vec<Option<Embed>>, Cell> =
            self.embeds.iter().map(|embeds| embeds.of(record)).collect();
        let embeds = match embeds {
            Ok(embeds) => embeds,
            Err(problem) => return vec![problem],
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
    /// The list that a record holds, or the cell that says why that is not known.
    fn of(&self, record: &Val) -> Result<Option<Embed>, Cell> {
        let fails = |setting: &str, source: &str, error: &EvalError| {
            let what = format!("{setting} `{source}` fails on a parent: {error}");
            match error.kind() {
                EvalErrorKind::Limit => Cell::Runaway(what),
                _ => Cell::Problem(what),
            }
        };
        let outputs = self
            .records
            .all(record)
            .map_err(|error| fails("embedded", self.records.source(), &error))?;
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
                        return Err(Cell::Problem(format!(
                            "embedded.next `{source}` gave a value of type {what} for a parent; it must give a link or a cursor"
                        )));
                    }
                },
                Ok(_) => None,
                Err(error) => return Err(fails("embedded.next", next.source(), &error)),
            },
        };
        Ok(Some(Embed {
            records: Val::from(records).to_string(),
            next,
        }))
    }
}

impl Embed {
    /// The records, as they stood in the parent's.
    ///
    /// # Errors
    /// What jq made of them is no JSON that is read: it nests too deeply. To take it for an empty list would lose children.
    pub(crate) fn records(&self) -> Result<Vec<Val>, String> {
        let records = kept("embedded", &self.records)?;
        match records.as_array() {
            Some(records) => Ok(records.to_vec()),
            None => Err("what embedded gives is no list".to_owned()),
        }
    }

    /// What tells it from other lists.
    pub(crate) fn identity(&self) -> [&str; 2] {
        [&self.records, self.next.as_deref().unwrap_or_default()]
    }
}

/// A value of a parent as it was, out of the text that it was kept as.
///
/// # Errors
/// As of [`Embed::records`].
pub(crate) fn included(include: Vec<(String, String)>) -> Result<Vec<(String, Val)>, String> {
    let include = include.into_iter();
    let values = include.map(|(key, text)| {
        let value = kept(&format!("include.{key}"), &text)?;
        Ok((key, value))
    });
    values.collect()
}

fn kept(setting: &str, text: &str) -> Result<Val, String> {
    json::read(text.as_bytes())
        .map_err(|error| format!("what {setting} gives for a parent cannot be used: {error}"))
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
        api: &Api,
        mut pages: Pages,
        projections: Vec<Arc<Projection>>,
        cap: Option<u64>,
    ) {
        let (mut records, mut hits) = (0, Hits::default());
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
                    let chunk = api.at_now(|| Chunk::of(&page, &projections, &mut hits));
                    if let Err(error) = self.append(&chunk) {
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
