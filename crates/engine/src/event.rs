//! Progress, told while it happens: for bars, logs and metrics.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use longshore_jq::Val;
use longshore_transport::Attempt;

use crate::outcome::{ChildOutcome, Outcome};

/// Something that happened. Borrowed: an observer copies what it keeps.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// The read of a resource begins.
    #[non_exhaustive]
    ResourceStarted {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
    },
    /// One try of one request is over, good or bad.
    #[non_exhaustive]
    Request {
        /// The resource's kind.
        kind: &'a str,
        /// What was tried and how it went.
        attempt: &'a Attempt,
    },
    /// Records as the API gave them, before any of them is mapped. What is in them may be secret or personal.
    #[non_exhaustive]
    Records {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// The records of one page, with the parameters of their path on each.
        records: RawRecords<'a>,
    },
    /// A page has been read.
    #[non_exhaustive]
    Page {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// Pages of this resource so far, this one included.
        pages: u64,
        /// Records of this resource so far, those of this page included.
        records: u64,
        /// Entities of this resource so far.
        entities: u64,
    },
    /// A record could not become an entity, or a parent gave no parameter. The read goes on.
    #[non_exhaustive]
    RecordFailed {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// Which record and why.
        error: &'a crate::Error,
    },
    /// All children of a resource with path parameters are known. Many of them may have been read by then.
    #[non_exhaustive]
    Parents {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// How many there are.
        count: u64,
    },
    /// The list of one child of a resource with path parameters is over.
    #[non_exhaustive]
    ChildFinished {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// Which child, and how it ended.
        outcome: &'a ChildOutcome,
    },
    /// The read of a resource is over.
    #[non_exhaustive]
    ResourceFinished {
        /// The resource's kind.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0: what tells two of one kind apart.
        place: usize,
        /// How it ended.
        outcome: &'a Outcome,
    },
    /// Entities have been written.
    #[non_exhaustive]
    Written {
        /// The resource's kind; empty for entities of any kind that had waited for others to be there.
        kind: &'a str,
        /// The resource's place among those of its engine, from 0; none for entities of any kind.
        place: Option<usize>,
        /// Entities accepted so far in this sync.
        upserted: u64,
        /// Entities that were there as they are, so far in this sync.
        unchanged: u64,
        /// Entities refused so far in this sync.
        rejected: u64,
    },
}

/// Is told what happens. Called from the middle of the work: return quickly.
///
/// Closures implement it:
///
/// ```
/// use longshore_engine::{Engine, Event};
///
/// let observer = |event: &Event<'_>| {
///     if let Event::Page { kind, records, .. } = event {
///         println!("{kind}: {records} records");
///     }
/// };
/// let engine = Engine::builder().base_url("https://api.example.com").observer(observer);
/// ```
pub trait Observer: Send + Sync + 'static {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);
}

impl<F: Fn(&Event<'_>) + Send + Sync + 'static> Observer for F {
    fn event(&self, event: &Event<'_>) {
        self(event);
    }
}

/// Records that come from the API as they are: its `Debug` gives their number only, because secrets and people's data may be in them.
#[derive(Clone, Copy)]
pub struct RawRecords<'a>(pub &'a [Val]);

impl Deref for RawRecords<'_> {
    type Target = [Val];

    fn deref(&self) -> &[Val] {
        self.0
    }
}

impl fmt::Debug for RawRecords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} records", self.0.len())
    }
}

impl<O: Observer + ?Sized> Observer for Arc<O> {
    fn event(&self, event: &Event<'_>) {
        (**self).event(event);
    }
}

/// Everybody who is told.
#[derive(Clone, Default)]
pub(crate) struct Observers(Vec<Arc<dyn Observer>>);

impl Observers {
    pub(crate) fn add(&mut self, observer: impl Observer) {
        self.0.push(Arc::new(observer));
    }
}

impl Observer for Observers {
    fn event(&self, event: &Event<'_>) {
        for observer in &self.0 {
            observer.event(event);
        }
    }
}
