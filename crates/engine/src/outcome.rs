//! How the read of a resource ended: Complete, or Incomplete with a cause.

use std::collections::BTreeMap;
use std::fmt;

/// What a read came to. A stream has one when it has given its last item.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// Complete or Incomplete, and why.
    pub verdict: Verdict,
    /// Pages read, those of children included.
    pub pages: u64,
    /// Records found on them, before the selector.
    pub records: u64,
    /// Entities that records became.
    pub entities: u64,
    /// Records that the selector or an identifier without output left out.
    pub skipped: u64,
    /// Records that could not become an entity, and parents that gave no parameter.
    pub failed: u64,
    /// How the lists of the children ended, where the resource has path parameters.
    pub children: ChildCounts,
    /// For each field whose expression failed or gave no output: how often. The field was null then.
    pub misconfigured: BTreeMap<String, u64>,
    /// For each misconfigured field the first reason, with the record that showed it.
    pub misconfigured_samples: BTreeMap<String, String>,
    /// For each field that was null in some entity: in how many, misconfigured ones included.
    pub nulls: BTreeMap<String, u64>,
    /// What to change, in one line, for fields that were null in every entity and for a selector that left everything out, where the
    /// cause is plain.
    pub hints: BTreeMap<String, String>,
    /// Fields that were null in every record: often a misspelled path.
    pub always_null: Vec<String>,
    /// What deserves a look although nothing failed.
    pub warnings: Vec<String>,
    /// Every cause of an Incomplete read, the first few of them; the verdict has the first.
    pub causes: Vec<Cause>,
    /// How many causes there were, those that were not kept included.
    pub cause_count: u64,
}

/// How the lists of the children of a resource ended.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ChildCounts {
    /// Lists that were read to their end.
    pub complete: u64,
    /// Lists that were not.
    pub incomplete: u64,
    /// The first few of those that were not. [`Event::ChildFinished`](crate::Event::ChildFinished) tells all.
    pub first_incomplete: Vec<ChildOutcome>,
}

/// How the list of one child ended.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ChildOutcome {
    /// The names and values of its parents' parameters.
    pub values: Vec<(String, String)>,
    /// Why it is incomplete, if it is.
    pub cause: Option<Cause>,
}

/// Complete or Incomplete.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Everything there was has been read and mapped.
    Complete(Complete),
    /// Something was not read, or its end was not proven.
    Incomplete(Cause),
}

/// The proof that a read is complete: only a read that came to a positive end makes one.
#[derive(Clone, Debug)]
pub struct Complete {
    stop: String,
}

/// Why a read is not complete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cause {
    name: &'static str,
    message: String,
}

impl Outcome {
    /// Of a resource that was not even asked for.
    pub(crate) fn not_read(why: &str) -> Self {
        let cause = Cause::new("NotRead", why);
        Outcome {
            verdict: Verdict::Incomplete(cause.clone()),
            pages: 0,
            records: 0,
            entities: 0,
            skipped: 0,
            failed: 0,
            children: ChildCounts::default(),
            misconfigured: BTreeMap::new(),
            misconfigured_samples: BTreeMap::new(),
            nulls: BTreeMap::new(),
            hints: BTreeMap::new(),
            always_null: Vec::new(),
            warnings: Vec::new(),
            causes: vec![cause],
            cause_count: 1,
        }
    }

    /// Of a resource whose turn had not come when the sync was cancelled.
    pub(crate) fn cancelled_before() -> Self {
        Outcome::not_read("").cancelled()
    }

    /// Of a read that was cancelled: that is why it is Incomplete, whatever else was found before.
    pub(crate) fn cancelled(mut self) -> Self {
        let cause = Cause::new(
            "Cancelled",
            "the sync was cancelled before this was read to its end",
        );
        self.causes
            .retain(|cause| !matches!(cause.name(), "NotRead" | "NotFinished"));
        self.causes.insert(0, cause.clone());
        self.cause_count = (self.cause_count.max(1)).max(self.causes.len() as u64);
        self.verdict = Verdict::Incomplete(cause);
        self
    }

    /// Whether everything was read.
    pub fn is_complete(&self) -> bool {
        matches!(self.verdict, Verdict::Complete(_))
    }

    /// Why not everything was read.
    pub fn cause(&self) -> Option<&Cause> {
        match &self.verdict {
            Verdict::Complete(_) => None,
            Verdict::Incomplete(cause) => Some(cause),
        }
    }

    /// What proved the end: the name of a stop reason, several joined by a comma where children ended differently.
    pub fn stop(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Complete(complete) => Some(&complete.stop),
            Verdict::Incomplete(_) => None,
        }
    }
}

impl Complete {
    pub(crate) fn new(stop: String) -> Self {
        Complete { stop }
    }

    /// What proved the end.
    pub fn stop(&self) -> &str {
        &self.stop
    }
}

impl Cause {
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Cause {
            name,
            message: message.into(),
        }
    }

    /// A short fixed name, such as `RecordsFailed`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// One line for a person: what happened and what to change.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.message)
    }
}
