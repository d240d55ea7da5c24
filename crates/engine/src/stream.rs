//! The entities of one resource as a stream, with an outcome at its end.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use longshore_jq::Val;
use longshore_mapping::{Entity, Mapped, RUNAWAY_LIMIT};
use longshore_nested::{Child, Expand, TemplateExpander};

use crate::error::{Error, ErrorKind};
use crate::event::{Event, RawRecords};
use crate::outcome::{Cause, Complete, Outcome, Verdict};
use crate::pages::{End, Pages, cause_name};
use crate::resource::Resource;
use crate::session::Session;

/// Causes and failures are kept for people to read: the first few of them say it.
const KEPT_CAUSES: usize = 20;

/// The entities of one resource, from [`Engine::entities`](crate::Engine::entities).
///
/// Lazy, `Send`, and cancelled by dropping it. Errors about one record do not end it; see [`ErrorKind`].
pub struct EntityStream {
    items: BoxStream<'static, Result<Entity, Error>>,
    progress: Progress,
}

/// How far a read is, for whoever does not hold its stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress(SharedTally);

impl Progress {
    pub(crate) fn has_begun(&self) -> bool {
        self.0.lock().begun
    }

    pub(crate) fn outcome(&self) -> Outcome {
        self.0.lock().outcome()
    }

    /// Takes note that the read was cancelled before it came to its end, if so.
    pub(crate) fn cancel(&self) {
        let mut tally = self.0.lock();
        tally.cancelled = !tally.finished;
    }

    /// Takes note of what makes the read incomplete from outside.
    pub(crate) fn cause(&self, cause: Cause) {
        self.0.lock().cause(cause);
    }
}

impl EntityStream {
    pub(crate) fn new(session: Session, resource: Resource) -> Self {
        EntityStream::following(session, resource, Progress::default())
    }

    /// A stream whose progress others see too.
    pub(crate) fn following(session: Session, resource: Resource, progress: Progress) -> Self {
        let read = Read {
            session,
            resource,
            tally: progress.0.clone(),
        };
        EntityStream {
            items: read.stream(),
            progress,
        }
    }

    /// How the read ended. Before the stream has given its last item this is Incomplete: what was not read is not known.
    pub fn outcome(&self) -> Outcome {
        self.progress.outcome()
    }

    /// Ends the read where it is.
    pub(crate) fn cancel(&mut self) {
        self.items = stream::empty().boxed();
        self.progress.cancel();
    }
}

impl Stream for EntityStream {
    type Item = Result<Entity, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.items.poll_next_unpin(context)
    }
}

impl fmt::Debug for EntityStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EntityStream").finish_non_exhaustive()
    }
}

type Items = Vec<Result<Entity, Error>>;

/// The read of one resource.
#[derive(Clone)]
struct Read {
    session: Session,
    resource: Resource,
    tally: SharedTally,
}

impl Read {
    fn stream(self) -> BoxStream<'static, Result<Entity, Error>> {
        let (first, last) = (self.clone(), self.clone());
        let started = stream::once(async move { first.start() }).filter_map(|()| async { None });
        let finished = stream::once(async move { last.finish() }).filter_map(|()| async { None });
        let items = match &self.resource.parts().parents {
            None => {
                let path = self.resource.parts().list.template.as_str().to_owned();
                self.list(path, None).boxed()
            }
            Some(_) => self.children(),
        };
        started.chain(items).chain(finished).boxed()
    }

    fn start(&self) {
        self.tally.lock().begun = true;
        self.observe(&Event::ResourceStarted {
            kind: self.resource.kind(),
        });
    }

    fn finish(&self) {
        let outcome = {
            let mut tally = self.tally.lock();
            tally.finished = true;
            tally.outcome()
        };
        self.observe(&Event::ResourceFinished {
            kind: self.resource.kind(),
            outcome: &outcome,
        });
    }

    /// The entities of one list: of the resource itself, or of one of its children.
    fn list(
        self,
        path: String,
        child: Option<Child>,
    ) -> impl Stream<Item = Result<Entity, Error>> + Send + 'static {
        let pages = Pages::of_resource(
            self.session.api.clone(),
            self.resource.kind(),
            &self.resource.parts().list,
            path,
            child.is_none(),
        );
        stream::unfold(
            (self, pages, child),
            |(read, mut pages, child)| async move {
                let items = read.page(&mut pages, child.as_ref()).await?;
                Some((stream::iter(items), (read, pages, child)))
            },
        )
        .flatten()
    }

    /// One page of a list, mapped. The page that ends a list short of its end carries the error that says so.
    async fn page(&self, pages: &mut Pages, child: Option<&Child>) -> Option<Items> {
        if self.tally.lock().mapped.runaway().is_some() {
            return None;
        }
        let page = match pages.next().await? {
            Ok(page) => page,
            Err(error) => {
                let error = error_in(error, child);
                let cause = Cause::new(cause_name(&error), error.within_resource());
                self.tally.lock().cause(cause);
                return Some(vec![Err(error)]);
            }
        };
        let mut records = page.records;
        if let Some(child) = child {
            for record in &mut records {
                child.attach(record);
            }
        }
        self.observe(&Event::Records {
            kind: self.resource.kind(),
            records: RawRecords(&records),
        });
        let first = self.tally.lock().records + 1;
        let mut mapped = Mapped::default();
        mapped.map_page(&*self.resource.parts().mapper, &records, first);
        let entities = std::mem::take(&mut mapped.entities);
        let kind = self.resource.kind();
        let failures: Vec<Error> = std::mem::take(&mut mapped.failures)
            .into_iter()
            .map(|failure| Error::new(ErrorKind::Record, failure.to_string()).of_resource(kind))
            .collect();
        let short = match pages.end() {
            Some(End::Short(cause)) => Some(cause.clone()),
            _ => None,
        };
        let (so_far_pages, so_far_records, so_far_entities) = {
            let mut tally = self.tally.lock();
            tally.pages += u64::from(!page.is_void);
            tally.records += records.len() as u64;
            tally.take(mapped, &failures);
            tally.warn(page.warnings);
            if let Some(End::Stop(stop)) = pages.end() {
                tally.stops.insert(stop.clone());
            }
            if let Some(cause) = &short {
                tally.cause(cause_in(cause.clone(), child));
            }
            (tally.pages, tally.records, tally.mapped.mapped)
        };
        for error in &failures {
            self.observe(&Event::RecordFailed { kind, error });
        }
        self.observe(&Event::Page {
            kind,
            pages: so_far_pages,
            records: so_far_records,
            entities: so_far_entities,
        });
        let short = short.map(|cause| {
            error_in(
                Error::new(ErrorKind::Paginate, cause.to_string()).of_resource(kind),
                child,
            )
        });
        Some(
            entities
                .into_iter()
                .map(Ok)
                .chain(failures.into_iter().chain(short).map(Err))
                .collect(),
        )
    }

    /// The entities of all children: parents first, then their lists side by side, as they come.
    fn children(self) -> BoxStream<'static, Result<Entity, Error>> {
        let limit = self.session.api.max_concurrent_requests;
        stream::once(async move {
            let (children, errors) = self.expand().await;
            let errors = stream::iter(errors.into_iter().map(Err));
            let lists = stream::iter(children)
                .map(move |child| Box::pin(self.clone().list(child.path.clone(), Some(child))))
                .flatten_unordered(limit);
            errors.chain(lists)
        })
        .flatten()
        .boxed()
    }

    /// Reads the parents and makes a child of every distinct value. What fails is told and leaves the others (R3).
    async fn expand(&self) -> (Vec<Child>, Vec<Error>) {
        let Some(list) = &self.resource.parts().parents else {
            return (Vec::new(), Vec::new());
        };
        let kind = self.resource.kind();
        let (parents, mut failure) = match self.session.parents(kind, list).await {
            Ok(parents) => (parents, None),
            Err(some) => (some.parents, Some(some.failure)),
        };
        let mut errors = Vec::new();
        let expander = TemplateExpander::new(&self.resource.parts().list.template, &list.parameter);
        let mut children = distinct_children(&expander, &parents.records, |problem| {
            errors.push(Error::new(ErrorKind::Parameter, problem.to_string()).of_resource(kind));
        });
        for error in &errors {
            self.observe(&Event::RecordFailed { kind, error });
        }
        if parents.is_one_object && children.is_empty() && failure.is_none() {
            // Not a list without values, but something else in its place: an error in disguise, it may be.
            let what = format!(
                "parents at {}: the body is an object and gives no value for {{{}}}; set its data_path to the list in it",
                list.list.template.as_str(),
                list.parameter.name()
            );
            failure = Some(Error::new(ErrorKind::Extract, what).of_resource(kind));
        }
        {
            let mut tally = self.tally.lock();
            tally.failed_parents += errors.len() as u64;
            for error in &errors {
                tally.cause(Cause::new("ParametersFailed", error.within_resource()));
            }
            if let Some(failure) = &failure {
                tally.cause(Cause::new("ParentsIncomplete", failure.within_resource()));
            }
            if children.is_empty() {
                tally.stops.insert("NoParents".to_owned());
            }
            tally.warn(parents.warnings.iter().cloned());
            if children.is_empty()
                && errors.is_empty()
                && failure.is_none()
                && !parents.records.is_empty()
            {
                tally.warnings.insert(format!(
                    "parents at {}: none of {} gave a value for {{{}}}; check its field and filter",
                    list.list.template.as_str(),
                    parents.records.len(),
                    list.parameter.name()
                ));
            }
        }
        errors.extend(failure);
        children.retain(|child| self.session.reads_child(&child.path));
        self.observe(&Event::Parents {
            kind,
            count: children.len() as u64,
        });
        (children, errors)
    }

    fn observe(&self, event: &Event<'_>) {
        self.session.api.observer.event(event);
    }
}

fn distinct_children(
    expander: &dyn Expand,
    parents: &[Val],
    mut on_problem: impl FnMut(longshore_nested::Error),
) -> Vec<Child> {
    let mut seen = HashSet::new();
    let mut children = Vec::new();
    for parent in parents {
        match expander.children(parent) {
            Ok(found) => children.extend(
                found
                    .into_iter()
                    .filter(|child| seen.insert(child.path.clone())),
            ),
            Err(problem) => on_problem(problem),
        }
    }
    children
}

/// Says for which parent's child an error came.
fn error_in(error: Error, child: Option<&Child>) -> Error {
    match child {
        None => error,
        Some(child) => error.of_child(&values(child)),
    }
}

/// The same for a cause, which reports show without its error.
fn cause_in(cause: Cause, child: Option<&Child>) -> Cause {
    match child {
        None => cause,
        Some(child) => Cause::new(
            cause.name(),
            format!("[{}] {}", values(child), cause.message()),
        ),
    }
}

fn values(child: &Child) -> String {
    let values: Vec<String> = child
        .parameters
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    values.join(", ")
}

/// Counts while a resource is read.
#[derive(Debug, Default)]
struct Tally {
    begun: bool,
    finished: bool,
    cancelled: bool,
    pages: u64,
    records: u64,
    failed: u64,
    failed_parents: u64,
    /// Counts only: entities and failures go to the reader of the stream.
    mapped: Mapped,
    warnings: BTreeSet<String>,
    stops: BTreeSet<String>,
    causes: Vec<Cause>,
    /// How many there were, those that were not kept included.
    cause_count: u64,
}

impl Tally {
    fn take(&mut self, page: Mapped, failures: &[Error]) {
        self.mapped.merge(page);
        if self.failed == 0
            && let Some(first) = failures.first()
        {
            self.cause(Cause::new("RecordsFailed", first.message()));
        }
        self.failed += failures.len() as u64;
        if let Some(field) = self.mapped.runaway() {
            let message = format!(
                "{field} hit the limit of an expression {RUNAWAY_LIMIT} times, so the resource is not read further"
            );
            self.cause(Cause::new("ExpressionLimit", message));
        }
    }

    /// Children may each have something to say; the first few say it for all.
    fn warn(&mut self, warnings: impl IntoIterator<Item = String>) {
        for warning in warnings {
            if self.warnings.len() < KEPT_CAUSES {
                self.warnings.insert(warning);
            }
        }
    }

    fn cause(&mut self, cause: Cause) {
        if self.causes.contains(&cause) {
            return;
        }
        self.cause_count += 1;
        if self.causes.len() < KEPT_CAUSES {
            self.causes.push(cause);
        }
    }

    fn outcome(&self) -> Outcome {
        let causes: Vec<Cause> = self
            .causes
            .iter()
            .map(|cause| self.with_counts(cause))
            .collect();
        let verdict = match causes.first() {
            _ if !self.finished => Verdict::Incomplete(Cause::new(
                "NotFinished",
                "the stream was not read to its end",
            )),
            Some(cause) => Verdict::Incomplete(cause.clone()),
            None => Verdict::Complete(Complete::new(
                self.stops
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>()
                    .join(","),
            )),
        };
        let outcome = Outcome {
            verdict,
            pages: self.pages,
            records: self.records,
            entities: self.mapped.mapped,
            skipped: self.mapped.skipped,
            failed: self.failed + self.failed_parents,
            misconfigured: self.mapped.misconfigured.clone(),
            misconfigured_samples: self
                .mapped
                .samples
                .iter()
                .map(|(field, sample)| (field.clone(), sample.to_string()))
                .collect(),
            always_null: self.mapped.always_null().map(str::to_owned).collect(),
            warnings: self.warnings.iter().cloned().collect(),
            causes,
            cause_count: self.cause_count,
        };
        match self.cancelled {
            true => outcome.cancelled(),
            false => outcome,
        }
    }

    /// Failed records are one cause, with how many there were.
    fn with_counts(&self, cause: &Cause) -> Cause {
        match cause.name() {
            "RecordsFailed" => Cause::new(
                "RecordsFailed",
                format!(
                    "{} of {} records could not become entities; the first: {}",
                    self.failed,
                    self.records,
                    cause.message()
                ),
            ),
            _ => cause.clone(),
        }
    }
}

#[derive(Clone, Debug, Default)]
struct SharedTally(Arc<Mutex<Tally>>);

impl SharedTally {
    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
