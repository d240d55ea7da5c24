//! The entities of one resource as a stream, with an outcome at its end.

use std::collections::BTreeSet;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::stream::{self, BoxStream, Stream, StreamExt};
use longshore_mapping::{Entity, Mapped, RUNAWAY_LIMIT};
use longshore_nested::Bindings;

use crate::checkpoint::{Checkpoint, Counts, Given, Point};
use crate::children::{
    Child, MOST_CAPPED, Search, Trouble, Tuple, cap_of, side_by_side, window_capped,
};
use crate::error::{Error, ErrorKind};
use crate::event::{Event, RawRecords};
use crate::fetch::Opening;
use crate::outcome::{Cause, ChildCounts, ChildOutcome, Complete, Outcome, Verdict};
use crate::pages::{End, Pages, RecordPage, cause_name};
use crate::resource::Resource;
use crate::session::{Publication, Session};
use crate::shared::Ended;

/// Causes and failures are kept for people to read: the first few of them say it.
const KEPT_CAUSES: usize = 20;

/// The entities of one resource, from [`Engine::entities`](crate::Engine::entities).
///
/// Lazy, `Send`, and cancelled by dropping it. Errors about one record do not end it; see [`ErrorKind`].
pub struct EntityStream {
    items: BoxStream<'static, Result<Entity, Error>>,
    progress: Progress,
    given: Given,
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

    /// Takes note that the read was given up from outside, which is then its end and the first to say of it.
    pub(crate) fn give_up(&self, cause: Cause) {
        let mut tally = self.0.lock();
        tally.causes.insert(0, cause);
        tally.cause_count += 1;
        tally.finished = true;
    }
}

impl EntityStream {
    pub(crate) fn new(session: Session, resource: Resource) -> Self {
        EntityStream::following(session, resource, Progress::default())
    }

    /// A stream whose progress others see too.
    pub(crate) fn following(session: Session, resource: Resource, progress: Progress) -> Self {
        EntityStream::begun(session, resource, progress, None)
    }

    /// The rest of a stream. Its counts go on from those of the part that was read before, and so does what was wrong with that.
    pub(crate) fn resumed(session: Session, resource: Resource, checkpoint: Checkpoint) -> Self {
        let progress = Progress::default();
        progress.0.lock().resume(&checkpoint.counts);
        EntityStream::begun(session, resource, progress, Some(checkpoint))
    }

    fn begun(
        session: Session,
        resource: Resource,
        progress: Progress,
        from: Option<Checkpoint>,
    ) -> Self {
        let over = Arc::new(Over(session.clone(), resource.clone()));
        let given = Given::default();
        let read = Read {
            session,
            resource,
            tally: progress.0.clone(),
            given: given.clone(),
            _over: over,
        };
        EntityStream {
            items: read.stream(from),
            progress,
            given,
        }
    }

    /// How many pages were given whole: all of their items, up to the one that was given last. 0 for paths with parameters.
    pub fn pages_given(&self) -> u64 {
        self.given.pages()
    }

    /// Where to go on after a crash, behind the last page that was given whole. To ask for it says that everything given so far was handled.
    ///
    /// The items of a page that was given in part come again: each at least once, none never. `None` before the first page was given whole, and
    /// for paths with parameters. It costs 16 bytes a page, so ask when [`pages_given`](EntityStream::pages_given) has grown, not for each item.
    pub fn checkpoint(&self) -> Option<Checkpoint> {
        self.given.checkpoint()
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
        let item = self.items.poll_next_unpin(context);
        if let Poll::Ready(Some(_)) = item {
            self.given.item();
        }
        item
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
    given: Given,
    /// Tells those who wait for this resource's records, when the last of it is gone.
    _over: Arc<Over>,
}

struct Over(Session, Resource);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.publishes_no_more(&self.1);
    }
}

impl Read {
    fn stream(self, from: Option<Checkpoint>) -> BoxStream<'static, Result<Entity, Error>> {
        let (first, last) = (self.clone(), self.clone());
        let started = stream::once(async move { first.start() }).filter_map(|()| async { None });
        let finished = stream::once(async move { last.finish() }).filter_map(|()| async { None });
        let items = match self.resource.parts().levels.is_empty() {
            true if from.as_ref().is_some_and(Checkpoint::is_done) => stream::empty().boxed(),
            true => self.only_list(from),
            false => self.children(),
        };
        started.chain(items).chain(finished).boxed()
    }

    fn start(&self) {
        self.tally.lock().begun = true;
        self.observe(&Event::ResourceStarted {
            kind: self.resource.kind(),
            place: self.resource.place(),
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
            place: self.resource.place(),
            outcome: &outcome,
        });
    }

    /// The entities of a resource without parameters.
    fn only_list(self, from: Option<Checkpoint>) -> BoxStream<'static, Result<Entity, Error>> {
        let request = self
            .resource
            .parts()
            .list
            .request
            .expand(&Bindings::default());
        match request {
            Ok(request) => {
                let child = Child {
                    tuple: Tuple::default(),
                    request,
                };
                self.list_from(child, from)
            }
            // A path without parameters is its text.
            Err(problem) => {
                let error = Error::new(ErrorKind::Config, problem.to_string());
                self.tally
                    .lock()
                    .cause(Cause::new("ConfigurationRefused", error.message()));
                stream::once(async { Err(error) }).boxed()
            }
        }
    }

    /// The entities of all children, whose lists are read side by side while further ones are found.
    fn children(self) -> BoxStream<'static, Result<Entity, Error>> {
        let limit = self.session.api.lists_at_once();
        let ordered = self.resource.parts().ordered;
        let search = Search::new(self.session.clone(), self.resource.clone());
        let (read, last) = (self.clone(), self);
        let lists = search.children().map(move |child| match child {
            Ok(child) => read.clone().list(child),
            Err(trouble) => read.trouble(trouble),
        });
        let told =
            stream::once(async move { last.all_found(&search) }).filter_map(|()| async { None });
        side_by_side(lists.chain(told), limit, ordered)
    }

    /// What made a child, or what would follow, unknown.
    fn trouble(&self, trouble: Trouble) -> BoxStream<'static, Result<Entity, Error>> {
        let Trouble { error, cause } = trouble;
        {
            let mut tally = self.tally.lock();
            tally.failed_parents += u64::from(error.kind() == ErrorKind::Parameter);
            tally.cause(Cause::new(cause, error.within_resource()));
        }
        if error.kind() == ErrorKind::Parameter {
            self.observe(&Event::RecordFailed {
                kind: self.resource.kind(),
                place: self.resource.place(),
                error: &error,
            });
        }
        stream::once(async { Err(*error) }).boxed()
    }

    fn all_found(&self, search: &Search) {
        let count = {
            let found = search.finish();
            let mut tally = self.tally.lock();
            if found.children == 0 {
                tally.stops.insert("NoParents".to_owned());
            }
            tally.warn(found.warnings.iter().cloned());
            found.children
        };
        self.observe(&Event::Parents {
            kind: self.resource.kind(),
            place: self.resource.place(),
            count,
        });
    }

    /// The entities of one list: of the resource itself, or of one of its children.
    fn list(self, child: Child) -> BoxStream<'static, Result<Entity, Error>> {
        self.list_from(child, None)
    }

    fn list_from(
        self,
        child: Child,
        from: Option<Checkpoint>,
    ) -> BoxStream<'static, Result<Entity, Error>> {
        let list = List {
            read: self,
            waiting: vec![child],
            current: None,
            from,
        };
        stream::unfold(list, |mut list| async move {
            let items = list.next().await?;
            Some((stream::iter(items), list))
        })
        .flatten()
        .boxed()
    }

    /// Maps the records of a page.
    fn map(&self, mut page: RecordPage, values: &Bindings) -> Items {
        for record in &mut page.records {
            values.attach(record);
        }
        let (kind, place) = (self.resource.kind(), self.resource.place());
        self.observe(&Event::Records {
            kind,
            place,
            records: RawRecords(&page.records),
        });
        let first = self.tally.lock().records + 1;
        let mut mapped = Mapped::default();
        let mapper = &*self.resource.parts().mapper;
        let api = &self.session.api;
        api.at_now(|| mapped.map_page(mapper, &page.records, first));
        let entities = std::mem::take(&mut mapped.entities);
        let failures: Vec<Error> = std::mem::take(&mut mapped.failures)
            .into_iter()
            .map(|failure| Error::new(ErrorKind::Record, failure.to_string()).of_resource(kind))
            .collect();
        let (pages, records, entities_so_far) = {
            let mut tally = self.tally.lock();
            tally.pages += u64::from(!page.is_void);
            tally.records += page.records.len() as u64;
            tally.take(mapped, &failures);
            tally.warn(page.warnings);
            (tally.pages, tally.records, tally.mapped.mapped)
        };
        for error in &failures {
            self.observe(&Event::RecordFailed { kind, place, error });
        }
        self.observe(&Event::Page {
            kind,
            place,
            pages,
            records,
            entities: entities_so_far,
        });
        let failures = failures.into_iter().map(Err);
        entities.into_iter().map(Ok).chain(failures).collect()
    }

    /// Whether no more is read, which has been said.
    fn is_given_up(&self) -> bool {
        let tally = self.tally.lock();
        tally.mapped.runaway().is_some() || tally.capped >= MOST_CAPPED
    }

    fn observe(&self, event: &Event<'_>) {
        self.session.api.observer.event(event);
    }
}

/// One list on its way; more than one where a window of time was split.
struct List {
    read: Read,
    waiting: Vec<Child>,
    current: Option<Current>,
    from: Option<Checkpoint>,
}

struct Current {
    child: Child,
    pages: Pages,
    publication: Option<Publication>,
    records: u64,
}

impl List {
    /// The items of the next page. A page that ends its list short of its end carries the error that says so.
    async fn next(&mut self) -> Option<Items> {
        loop {
            if self.read.is_given_up() {
                return None;
            }
            let Some(mut current) = self.current.take() else {
                let child = self.waiting.pop()?;
                if let Some(items) = self.begin(child) {
                    return Some(items);
                }
                continue;
            };
            match current.pages.next().await {
                None => {
                    if let Some(items) = self.end(current) {
                        return Some(items);
                    }
                }
                Some(Ok(page)) => {
                    current.records += page.records.len() as u64;
                    if let Some(publication) = &mut current.publication {
                        publication.page(&page);
                    }
                    let mut items = self.read.map(page, &current.child.tuple.values);
                    let point = self.point(&current.pages);
                    match current.pages.end() {
                        None => self.current = Some(current),
                        Some(_) => items.extend(self.end(current).into_iter().flatten()),
                    }
                    if let Some(mut point) = point {
                        point.counts = self.read.tally.lock().counts();
                        self.read.given.page(items.len(), point);
                    }
                    return Some(items);
                }
                Some(Err(error)) => {
                    if let Some(items) = self.failed(current, error) {
                        return Some(items);
                    }
                }
            }
        }
    }

    /// Where the read stands, for the only list of a resource.
    fn point(&self, pages: &Pages) -> Option<Point> {
        let parts = self.read.resource.parts();
        if !parts.levels.is_empty() {
            return None;
        }
        Some(Point {
            bookmark: pages.bookmark()?.clone(),
            paging: self.read.session.api.paging(&parts.list),
            begins_with_object: pages.begins_with_object(),
            counts: Counts::default(),
        })
    }

    /// Begins to read a child; gives the items that its parent's record holds already.
    fn begin(&mut self, child: Child) -> Option<Items> {
        let read = &self.read;
        let parts = read.resource.parts();
        let embed = parts
            .embedded
            .and_then(|embedded| child.tuple.embed(embedded));
        let mut opening = Opening::from(child.request.clone());
        let mut items = None;
        if let Some(embed) = embed {
            let records = match embed.records() {
                Ok(records) => records,
                Err(problem) => return Some(self.unreadable(&child, problem)),
            };
            let page = RecordPage {
                records,
                ..RecordPage::default()
            };
            let mapped = read.map(page, &child.tuple.values);
            let Some(next) = &embed.next else {
                read.tally.lock().stops.insert("Embedded".to_owned());
                self.child_finished(&child, None);
                return Some(mapped);
            };
            opening.next = Some(next.clone());
            items = Some(mapped);
        }
        let publication = match items {
            None if cap_of(&read.resource, &parts.list).is_none() => {
                read.session.publish(&read.resource, &opening.request)
            }
            _ => None,
        };
        let pages = Pages::of_resource(
            read.session.api.clone(),
            read.resource.kind(),
            &parts.list,
            opening,
            parts.levels.is_empty(),
        );
        let pages = match self.from.take() {
            Some(from) => pages.from(from.walk, from.begins_with_object),
            None => pages,
        };
        self.current = Some(Current {
            child,
            pages,
            publication,
            records: 0,
        });
        items
    }

    /// A child whose records stand in its parent's, and cannot be had from there.
    fn unreadable(&self, child: &Child, problem: String) -> Items {
        let read = &self.read;
        let error = Error::new(ErrorKind::Extract, problem).of_resource(read.resource.kind());
        let error = error_in(error, child);
        let cause = Cause::new("EmbeddedUnreadable", error.within_resource());
        read.tally.lock().cause(cause.clone());
        self.child_finished(child, Some(cause));
        vec![Err(error)]
    }

    fn end(&mut self, current: Current) -> Option<Items> {
        let read = self.read.clone();
        if let Some(split) = self.split(&current) {
            return split;
        }
        match current.pages.end() {
            Some(End::Stop(stop)) => {
                read.tally.lock().stops.insert(stop.clone());
                if let Some(publication) = &current.publication {
                    publication.end(Ended::Complete);
                }
                self.child_finished(&current.child, None);
                None
            }
            Some(End::Short(cause)) => {
                let error = Error::new(ErrorKind::Paginate, cause.to_string())
                    .of_resource(read.resource.kind());
                let cause = cause_in(cause.clone(), &current.child);
                Some(self.fall_short(&current, error, cause))
            }
            None => None,
        }
    }

    fn failed(&mut self, current: Current, error: Error) -> Option<Items> {
        if let Some(split) = self.split(&current) {
            return split;
        }
        let named = error_in(error.clone(), &current.child);
        let cause = Cause::new(cause_name(&named), named.within_resource());
        Some(self.fall_short(&current, error, cause))
    }

    fn fall_short(&mut self, current: &Current, error: Error, cause: Cause) -> Items {
        if let Some(publication) = &current.publication {
            publication.end(Ended::Short(error.clone()));
        }
        self.read.tally.lock().cause(cause.clone());
        self.child_finished(&current.child, Some(cause));
        vec![Err(error_in(error, &current.child))]
    }

    /// Reads a window of time that gave all that the API gives of one request again, in halves. What it gave is given again then.
    fn split(&mut self, current: &Current) -> Option<Option<Items>> {
        let (resource, list) = (&self.read.resource, &self.read.resource.parts().list);
        let cap = cap_of(resource, list)?;
        if current.records < cap {
            return None;
        }
        let Some(halves) = current.child.tuple.halves(resource, list) else {
            let capped = {
                let mut tally = self.read.tally.lock();
                tally.capped += 1;
                tally.capped
            };
            let error = window_capped(Some(cap), capped).of_resource(resource.kind());
            let named = error_in(error.clone(), &current.child);
            let cause = Cause::new("WindowCapped", named.within_resource());
            return Some(Some(self.fall_short(current, error, cause)));
        };
        for tuple in halves.into_iter().rev() {
            match list.request.expand(&tuple.values) {
                Ok(request) => self.waiting.push(Child { tuple, request }),
                Err(problem) => {
                    let error = Error::new(ErrorKind::Parameter, problem.to_string())
                        .of_resource(resource.kind());
                    let cause = Cause::new("ParametersFailed", error.within_resource());
                    return Some(Some(self.fall_short(current, error, cause)));
                }
            }
        }
        Some(None)
    }

    fn child_finished(&self, child: &Child, cause: Option<Cause>) {
        let values = &child.tuple.values;
        if values.is_empty() {
            return;
        }
        let outcome = ChildOutcome {
            values: values.pairs(),
            cause,
        };
        self.read.tally.lock().child(&outcome);
        self.read.observe(&Event::ChildFinished {
            kind: self.read.resource.kind(),
            place: self.read.resource.place(),
            outcome: &outcome,
        });
    }
}

/// Says for which parent's child an error came.
fn error_in(error: Error, child: &Child) -> Error {
    match child.tuple.values.is_empty() {
        true => error,
        false => error.of_child(&child.tuple.values.label()),
    }
}

/// The same for a cause, which reports show without its error.
fn cause_in(cause: Cause, child: &Child) -> Cause {
    match child.tuple.values.is_empty() {
        true => cause,
        false => Cause::new(
            cause.name(),
            format!("[{}] {}", child.tuple.values.label(), cause.message()),
        ),
    }
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
    /// Windows that could not be made smaller and gave all that the API gives.
    capped: u64,
    children: ChildCounts,
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

    fn child(&mut self, outcome: &ChildOutcome) {
        match &outcome.cause {
            None => self.children.complete += 1,
            Some(_) => {
                self.children.incomplete += 1;
                if self.children.first_incomplete.len() < KEPT_CAUSES {
                    self.children.first_incomplete.push(outcome.clone());
                }
            }
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

    fn counts(&self) -> Counts {
        Counts {
            pages: self.pages,
            records: self.records,
            entities: self.mapped.mapped,
            skipped: self.mapped.skipped,
            failed: self.failed,
            stops: self.stops.clone(),
        }
    }

    /// Goes on counting where a part that was read before ended.
    fn resume(&mut self, counts: &Counts) {
        (self.pages, self.records, self.failed) = (counts.pages, counts.records, counts.failed);
        (self.mapped.mapped, self.mapped.skipped) = (counts.entities, counts.skipped);
        self.stops.clone_from(&counts.stops);
        if counts.failed > 0 {
            self.cause(Cause::new(
                "RecordsFailed",
                "it was told before the read was interrupted",
            ));
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
            children: self.children.clone(),
            misconfigured: self.mapped.misconfigured.clone(),
            misconfigured_samples: self
                .mapped
                .samples
                .iter()
                .map(|(field, sample)| (field.clone(), sample.to_string()))
                .collect(),
            nulls: self.mapped.nulls.clone(),
            hints: self
                .mapped
                .hints()
                .map(|(field, hint)| (field.to_owned(), hint.to_owned()))
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
