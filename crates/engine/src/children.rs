//! The children of a resource, as they are found: level by level, each while those before it are still being read.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::stream::{self, BoxStream, StreamExt};
use longshore_mapping::RUNAWAY_LIMIT;
use longshore_nested::{Binding, Bindings, ChildRequest, Distinct, Item, Windows};

use crate::error::{Error, ErrorKind};
use crate::fetch::Opening;
use crate::in_order::InOrder;
use crate::parameters::{Batch, Embedded, Level, ParentList, Source};
use crate::resource::{ListRequest, Resource};
use crate::session::{Read, Session};
use crate::shared::{Cell, Chunk, Embed, Ended, Next, included, item, spool_failed};

/// One child: the values that it is asked for with, and its request.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) tuple: Tuple,
    pub(crate) request: ChildRequest,
}

impl Child {
    /// Whether it takes a request: not where all of it stands in a parent's record.
    pub(crate) fn is_asked_for(&self, resource: &Resource) -> bool {
        let embedded = resource.parts().embedded;
        embedded
            .and_then(|embedded| self.tuple.embed(embedded))
            .is_none_or(|embed| embed.next.is_some())
    }
}

/// The values of the parameters so far, and the lists that stand in the records that they come from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tuple {
    pub(crate) values: Bindings,
    embeds: Vec<Arc<Vec<Option<Embed>>>>,
}

/// Why a child, or all that would follow, is not known.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) error: Box<Error>,
    /// The name of the cause that it makes the read incomplete by.
    pub(crate) cause: &'static str,
}

impl Trouble {
    /// Whether nothing is looked for behind it.
    fn is_last(&self) -> bool {
        matches!(self.cause, "TooManyChildren" | "ExpressionLimit")
    }
}

type Found = Result<Tuple, Trouble>;

/// What a resource's search for its children has come to.
#[derive(Clone)]
pub(crate) struct Search {
    session: Session,
    resource: Resource,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
pub(crate) struct State {
    levels: Vec<AtLevel>,
    /// Children that this run reads.
    pub(crate) children: u64,
    /// Children in all, those of other shards included.
    found: u64,
    pub(crate) warnings: Vec<String>,
    troubles: u64,
    /// Parents on which an expression hit a limit.
    runaways: u64,
    /// Windows that could not be made smaller and gave all that the API gives.
    capped: u64,
}

/// Warnings kept for people to read.
const KEPT_WARNINGS: usize = 20;

impl State {
    /// Every page of every list may have something to say; the first few say it for all.
    fn warn(&mut self, warning: String) {
        if self.warnings.len() < KEPT_WARNINGS && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

#[derive(Debug, Default)]
struct AtLevel {
    distinct: Distinct,
    /// Values that are in batches.
    in_batches: Distinct,
    /// Lists that were asked for here.
    lists: u64,
    records: u64,
    values: u64,
}

impl Search {
    pub(crate) fn new(session: Session, resource: Resource) -> Self {
        let levels = resource.parts().levels.iter().map(|_| AtLevel::default());
        let state = State {
            levels: levels.collect(),
            ..State::default()
        };
        Search {
            session,
            resource,
            state: Arc::new(Mutex::new(state)),
        }
    }

    /// Every child once. What fails is told and leaves the others (R3).
    pub(crate) fn children(&self) -> BoxStream<'static, Result<Child, Trouble>> {
        let levels = self.resource.parts().levels.len();
        let mut found = stream::once(async { Ok(Tuple::default()) }).boxed();
        for level in 0..levels {
            found = self.level(level, found);
        }
        let search = self.clone();
        let limited = stream::unfold((found, false), move |(mut found, over)| {
            let search = search.clone();
            async move {
                loop {
                    if over {
                        return None;
                    }
                    let child = match found.next().await? {
                        Ok(tuple) => search.child(tuple),
                        Err(trouble) => Some(Err(trouble)),
                    };
                    if let Some(child) = child {
                        let over = matches!(&child, Err(trouble) if trouble.is_last());
                        return Some((child, (found, over)));
                    }
                }
            }
        });
        limited.boxed()
    }

    /// How many lists of parents were asked for, of each level that comes from lists.
    pub(crate) fn lists(&self) -> Vec<u64> {
        let state = self.lock();
        let levels = self.resource.parts().levels.iter().zip(&state.levels);
        levels
            .filter(|(level, _)| matches!(level.source, Source::List(_)))
            .map(|(_, at)| at.lists)
            .collect()
    }

    /// What is to be said when all children are known.
    pub(crate) fn finish(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let State {
            levels,
            warnings,
            troubles,
            ..
        } = &mut *state;
        for (level, at) in self.resource.parts().levels.iter().zip(levels) {
            if let Source::List(parents) = &level.source
                && *troubles == 0
                && at.records > 0
                && at.values == 0
            {
                warnings.push(format!(
                    "parents at {}: none of {} gave a value for {{{}}}; check its field and filter",
                    parents.list.endpoint(),
                    at.records,
                    level.name
                ));
            }
        }
        state
    }

    /// One level more: the values of its parameter for each of what was found before.
    fn level(&self, level: usize, before: BoxStream<'static, Found>) -> BoxStream<'static, Found> {
        let (search, filter) = (self.clone(), self.clone());
        let limit = self.session.api.lists_at_once();
        let each = before.map(move |found| match found {
            Ok(tuple) => search.values(level, tuple),
            Err(trouble) => stream::once(async { Err(trouble) }).boxed(),
        });
        let all = side_by_side(each, limit, self.resource.parts().ordered);
        all.filter(move |found| {
            let new = match found {
                Ok(tuple) => filter.is_new(level, tuple),
                Err(_) => true,
            };
            async move { new }
        })
        .boxed()
    }

    fn is_new(&self, level: usize, tuple: &Tuple) -> bool {
        let parts = self.live(level, tuple);
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.lock().levels[level].distinct.insert(&parts)
    }

    /// Whether a value goes into a batch: it is in none yet that is asked for with the same other values.
    fn is_new_in_batches(&self, level: usize, before: &Tuple, item: &Item) -> bool {
        let mut parts = self.live(level, before);
        parts.push(item.text.clone());
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.lock().levels[level].in_batches.insert(&parts)
    }

    /// What makes a difference to what follows a level: values, what the mapping looks at beside them, and lists that stand in the records that
    /// they come from. Records with equal values may hold different ones.
    fn live(&self, level: usize, tuple: &Tuple) -> Vec<String> {
        let live = &self.resource.parts().levels[level].live;
        let is_live = |name: &str| live.iter().any(|live| live == name);
        let pairs = tuple.values.pairs().into_iter();
        let values = pairs.filter(|(name, _)| {
            let base = name.strip_suffix(".to").unwrap_or(name);
            is_live(name) || is_live(base)
        });
        let mut parts: Vec<String> = values.map(|(_, value)| value).collect();
        let levels = self.resource.parts().levels.iter().zip(&tuple.embeds);
        for (_, embeds) in levels.filter(|(level, _)| is_live(&level.name)) {
            for embed in embeds.iter() {
                let identity = embed.as_ref().map_or(["", ""], Embed::identity);
                parts.extend(identity.map(str::to_owned));
            }
        }
        for level in &self.resource.parts().levels[..=level] {
            for (key, value) in tuple.values.included(&level.name) {
                if level.tells(key) {
                    parts.extend([key.clone(), value.to_string()]);
                }
            }
        }
        parts
    }

    /// Whether one of the values of a batch may be asked for, wherever it goes: joined to others it would not be seen any more.
    fn check(&self, level: &Level, item: &Item) -> Result<(), longshore_nested::Error> {
        let parts = self.resource.parts();
        let of_parents = parts.levels.iter().filter_map(|level| match &level.source {
            Source::List(parents) => Some(&parents.list.request),
            _ => None,
        });
        let mut requests = of_parents.chain([&parts.list.request]);
        requests.try_for_each(|request| request.check(&level.name, &item.text))
    }

    fn values(&self, level: usize, tuple: Tuple) -> BoxStream<'static, Found> {
        let definition = &self.resource.parts().levels[level];
        match &definition.source {
            Source::Fixed(items) => {
                let is_new = |item: &&Item| {
                    definition.batch.is_none() || self.is_new_in_batches(level, &tuple, item)
                };
                let items: Vec<Item> = items.iter().filter(is_new).cloned().collect();
                let bindings = bindings(&definition.name, items, definition.batch.as_ref());
                let tuples: Vec<Found> = bindings
                    .into_iter()
                    .map(|binding| Ok(tuple.bind(binding, Vec::new())))
                    .collect();
                stream::iter(tuples).boxed()
            }
            Source::Windows(windows) => self.windows(definition, windows, tuple),
            Source::List(_) => {
                let reader = Reader {
                    search: self.clone(),
                    level,
                    tuples: VecDeque::from([tuple]),
                    at: None,
                    out: VecDeque::new(),
                    batch: Vec::new(),
                    given: 0,
                    given_embedded: 0,
                    is_one_object: false,
                };
                stream::unfold(reader, |mut reader| async move {
                    let found = reader.next().await?;
                    Some((found, reader))
                })
                .boxed()
            }
        }
    }

    fn windows(&self, level: &Level, windows: &Windows, tuple: Tuple) -> BoxStream<'static, Found> {
        let (name, windows) = (level.name.clone(), windows.clone());
        match windows.iter(self.session.now) {
            Ok(iter) => stream::iter(iter)
                .map(move |window| {
                    let (from, to) = windows.texts(&window);
                    Ok(tuple.bind(Binding::window(name.clone(), window, from, to), Vec::new()))
                })
                .boxed(),
            Err(problem) => {
                let trouble = self.problem(&tuple, problem.to_string());
                stream::once(async { Err(trouble) }).boxed()
            }
        }
    }

    /// The request of a child; none where another shard reads it.
    fn child(&self, tuple: Tuple) -> Option<Result<Child, Trouble>> {
        let limit = self.resource.parts().max_children;
        let mut state = self.lock();
        state.found += 1;
        if state.found > limit {
            drop(state);
            return Some(Err(self.too_many(
                &Tuple::default(),
                format!(
                    "there are more than {limit} children; narrow them by the filters of their parameters, or raise selector.maxChildren"
                ),
            )));
        }
        match self.resource.parts().list.request.expand(&tuple.values) {
            Ok(request) if self.session.reads_child(|| self.share(&tuple, &request)) => {
                state.children += 1;
                Some(Ok(Child { tuple, request }))
            }
            Ok(_) => None,
            Err(problem) => {
                drop(state);
                Some(Err(self.problem(&tuple, problem.to_string())))
            }
        }
    }

    /// What says which shard reads a child: its path with what else it is asked with. Windows of time and batches are cut by every process for
    /// itself, at its own time and as it finds the values, so that one process's cut is nobody else's: children that differ in nothing else are
    /// read by the same shard.
    fn share(&self, tuple: &Tuple, request: &ChildRequest) -> String {
        let parts = self.resource.parts();
        let is_cut =
            |level: &&Level| level.batch.is_some() || matches!(level.source, Source::Windows(_));
        let cut: Vec<&str> = parts
            .levels
            .iter()
            .filter(is_cut)
            .map(|level| &*level.name)
            .collect();
        if cut.is_empty() {
            return request.identity();
        }
        let asked = parts.list.request.parameters();
        let counts = |name: &str| asked.contains(&name) && !cut.contains(&name);
        let values = tuple.values.pairs().into_iter();
        let values: Vec<(String, String)> = values.filter(|(name, _)| counts(name)).collect();
        format!("{} {values:?}", self.resource.kind())
    }

    /// One parent, or one value, that leads nowhere.
    fn problem(&self, tuple: &Tuple, what: String) -> Trouble {
        self.trouble(
            tuple,
            Error::new(ErrorKind::Parameter, what),
            "ParametersFailed",
        )
    }

    /// A parent on which an expression hit a limit; and the end of all looking where that is one too many.
    fn runaway(&self, tuple: &Tuple, what: String) -> Vec<Trouble> {
        let hits = {
            let mut state = self.lock();
            state.runaways += 1;
            state.runaways
        };
        let end = format!(
            "the limit of an expression was hit on {RUNAWAY_LIMIT} parents, so no further parents are looked at: {what}"
        );
        let mut troubles = vec![self.problem(tuple, what)];
        if hits == RUNAWAY_LIMIT {
            let error = Error::new(ErrorKind::Limit, end);
            troubles.push(self.trouble(&Tuple::default(), error, "ExpressionLimit"));
        }
        troubles
    }

    fn too_many(&self, tuple: &Tuple, what: String) -> Trouble {
        self.trouble(tuple, Error::new(ErrorKind::Limit, what), "TooManyChildren")
    }

    fn trouble(&self, tuple: &Tuple, error: Error, cause: &'static str) -> Trouble {
        self.lock().troubles += 1;
        let error = error.of_resource(self.resource.kind());
        Trouble {
            error: Box::new(match tuple.values.is_empty() {
                true => error,
                false => error.of_child(&tuple.values.label()),
            }),
            cause,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tuple {
    fn bind(&self, binding: Binding, embeds: Vec<Option<Embed>>) -> Tuple {
        let mut all = self.embeds.clone();
        all.push(Arc::new(embeds));
        Tuple {
            values: self.values.with(binding),
            embeds: all,
        }
    }

    /// The list that stands in the record that one of the values comes from.
    pub(crate) fn embed(&self, embedded: Embedded) -> Option<&Embed> {
        self.embeds
            .get(embedded.level)?
            .get(embedded.slot)?
            .as_ref()
    }

    /// Both halves of the longest window with a cap that a list is asked for with, and that can be halved.
    pub(crate) fn halves(&self, resource: &Resource, list: &ListRequest) -> Option<[Tuple; 2]> {
        let halves = capped_windows(resource, list).filter_map(|(name, windows)| {
            let whole = self.values.window(name)?;
            Some((name, windows, whole.length(), windows.split(whole)?))
        });
        let longest = halves.reduce(|one, other| if other.2 > one.2 { other } else { one });
        let (name, windows, _, (first, second)) = longest?;
        let half = |window| {
            let (from, to) = windows.texts(&window);
            Tuple {
                values: self
                    .values
                    .with(Binding::window(name.clone(), window, from, to)),
                embeds: self.embeds.clone(),
            }
        };
        Some([half(first), half(second)])
    }
}

/// The windows with a cap that a list is asked for with.
fn capped_windows<'a>(
    resource: &'a Resource,
    list: &ListRequest,
) -> impl Iterator<Item = (&'a Arc<str>, &'a Windows)> {
    let names = list.request.parameters();
    let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
    let levels = resource.parts().levels.iter();
    levels.filter_map(move |level| match &level.source {
        Source::Windows(windows) => {
            let is_asked = names.iter().any(|name| **name == *level.name);
            let is_capped = windows.result_cap().is_some();
            (is_asked && is_capped).then_some((&level.name, &**windows))
        }
        _ => None,
    })
}

/// How many results of a list the API gives at most, where a window says so.
pub(crate) fn cap_of(resource: &Resource, list: &ListRequest) -> Option<u64> {
    let windows = capped_windows(resource, list);
    windows
        .filter_map(|(_, windows)| windows.result_cap())
        .min()
}

/// Streams read at once, as many as may be, as they come; or in order, and then those behind the first wait with what they have.
pub(crate) fn side_by_side<T: Send + 'static>(
    streams: impl futures::Stream<Item = BoxStream<'static, T>> + Send + 'static,
    limit: usize,
    ordered: bool,
) -> BoxStream<'static, T> {
    match ordered {
        false => streams.flatten_unordered(limit).boxed(),
        true => InOrder::new(streams, limit).boxed(),
    }
}

/// What a parameter is bound to in each of the requests that known values take.
fn bindings(name: &Arc<str>, items: Vec<Item>, batch: Option<&Batch>) -> Vec<Binding> {
    let Some(batch) = batch else {
        let items = items.into_iter();
        return items.map(|item| Binding::new(name.clone(), item)).collect();
    };
    items
        .chunks(batch.size.max(1))
        .map(|items| Binding::batch(name.clone(), items.to_vec(), &batch.separator))
        .collect()
}

/// Follows the lists of one parameter for one set of values before it.
struct Reader {
    search: Search,
    level: usize,
    /// What is still to be read: one set of values, or more where windows were split.
    tuples: VecDeque<Tuple>,
    at: Option<At>,
    out: VecDeque<Found>,
    /// Values that wait for a batch to be full.
    batch: Vec<Item>,
    /// Values of the list that is followed.
    given: u64,
    /// Of them, those that stood in a record already.
    given_embedded: u64,
    is_one_object: bool,
}

/// Where a reader is in the list that it follows.
struct At {
    tuple: Tuple,
    opening: Opening,
    read: Arc<Read>,
    /// It was begun for this reader, so that its failure is this reader's.
    own: bool,
    index: usize,
}

impl Reader {
    async fn next(&mut self) -> Option<Found> {
        loop {
            if let Some(found) = self.out.pop_front() {
                return Some(found);
            }
            if self.at.is_none() {
                let tuple = self.tuples.pop_front()?;
                self.begin(tuple);
                continue;
            }
            self.advance().await;
        }
    }

    fn definition(&self) -> &Level {
        &self.search.resource.parts().levels[self.level]
    }

    fn begin(&mut self, tuple: Tuple) {
        self.given = 0;
        let search = self.search.clone();
        if search.lock().capped >= MOST_CAPPED {
            return;
        }
        let Some(parents) = parents(&search.resource, self.level) else {
            return;
        };
        let mut opening = match parents.list.request.expand(&tuple.values) {
            Ok(request) => Opening::from(request),
            Err(problem) => {
                let trouble = search.problem(&tuple, problem.to_string());
                self.out.push_back(Err(trouble));
                return;
            }
        };
        if let Some(embed) = parents.embedded.and_then(|embedded| tuple.embed(embedded)) {
            let records = match embed.records() {
                Ok(records) => records,
                Err(problem) => {
                    let trouble = search.problem(&tuple, problem);
                    self.out.push_back(Err(trouble));
                    return;
                }
            };
            search.lock().levels[self.level].records += records.len() as u64;
            for record in &records {
                if search.lock().runaways >= RUNAWAY_LIMIT {
                    break;
                }
                let api = &search.session.api;
                for cell in api.at_now(|| parents.projection.cells(record)) {
                    self.take(&tuple, cell);
                }
            }
            match &embed.next {
                None => {
                    self.flush(&tuple);
                    return;
                }
                Some(next) => opening.next = Some(next.clone()),
            }
        }
        let kind = search.resource.kind();
        let cap = cap_of(&search.resource, &parents.list);
        let (read, own) = search.session.read(kind, parents, &opening, cap);
        search.lock().levels[self.level].lists += u64::from(own);
        (self.given_embedded, self.is_one_object) = (self.given, false);
        self.at = Some(At {
            tuple,
            opening,
            read,
            own,
            index: 0,
        });
    }

    async fn advance(&mut self) {
        let Some(at) = &self.at else { return };
        let next = at.read.log.at(at.index).await;
        let Some(mut at) = self.at.take() else { return };
        match next {
            Next::Chunk(kept) => {
                let chunk = kept.with(|bytes| serde_json::from_slice::<Chunk>(bytes));
                match chunk.and_then(|chunk| Ok(chunk?)) {
                    Ok(chunk) => self.chunk(&at, chunk),
                    Err(error) => {
                        let error = spool_failed(error);
                        self.fail(&at, error, "ParentsIncomplete");
                        return;
                    }
                }
                at.read.log.passed(at.index);
                at.index += 1;
                match self.is_over() {
                    // Whoever else follows the list goes on.
                    true => {
                        self.flush(&at.tuple);
                        self.search.session.is_done_with(&at.read);
                    }
                    false => self.at = Some(at),
                }
            }
            Next::End(ended) => self.ended(at, ended),
        }
    }

    fn chunk(&mut self, at: &At, mut chunk: Chunk) {
        let search = self.search.clone();
        let Some(parents) = parents(&search.resource, self.level) else {
            return;
        };
        let column = search.session.column(&at.read, parents);
        let endpoint = parents.list.endpoint();
        {
            let mut state = search.lock();
            state.levels[self.level].records += chunk.records;
            for warning in &chunk.warnings {
                state.warn(format!("parents at {endpoint}: {warning}"));
            }
        }
        self.is_one_object |= chunk.is_one_object;
        if column < chunk.cells.len() {
            for cell in chunk.cells.swap_remove(column) {
                self.take(&at.tuple, cell);
            }
        }
    }

    fn take(&mut self, tuple: &Tuple, cell: Cell) {
        let search = self.search.clone();
        match cell {
            Cell::Problem(problem) => {
                let trouble = search.problem(tuple, problem);
                self.out.push_back(Err(trouble));
            }
            Cell::Runaway(problem) => {
                let troubles = search.runaway(tuple, problem);
                self.out.extend(troubles.into_iter().map(Err));
            }
            Cell::Value {
                text,
                is_number,
                include,
                embeds,
            } => {
                self.given += 1;
                search.lock().levels[self.level].values += 1;
                if !self.is_within_limit(tuple) {
                    return;
                }
                let item = item(text, is_number);
                let level = &search.resource.parts().levels[self.level];
                let Some(batch) = &level.batch else {
                    let found = included(include)
                        .map(|include| {
                            let value = Binding::new(level.name.clone(), item);
                            tuple.bind(value.including(include), embeds)
                        })
                        .map_err(|problem| search.problem(tuple, problem));
                    self.out.push_back(found);
                    return;
                };
                if level.is_ambiguous(&item) {
                    let trouble = search.problem(tuple, ambiguous(&level.name, batch));
                    self.out.push_back(Err(trouble));
                    return;
                }
                if let Err(problem) = search.check(level, &item) {
                    let value = Binding::new(level.name.clone(), item);
                    let of_value = tuple.bind(value, Vec::new());
                    let trouble = search.problem(&of_value, problem.to_string());
                    self.out.push_back(Err(trouble));
                    return;
                }
                if search.is_new_in_batches(self.level, tuple, &item) {
                    self.batch.push(item);
                }
                if self.batch.len() >= batch.size {
                    self.flush(tuple);
                }
            }
        }
    }

    /// Whether the list may give another value; says so once where it may not.
    fn is_within_limit(&mut self, tuple: &Tuple) -> bool {
        let search = self.search.clone();
        let limit = parents(&search.resource, self.level).and_then(|parents| parents.max_children);
        let Some(limit) = limit else { return true };
        if self.given == limit.saturating_add(1) {
            let name = &self.definition().name;
            let what = format!(
                "one list gives more than {limit} values for {{{name}}}; narrow them by its filter, or raise selector.path_parameters.{name}.maxChildren"
            );
            let trouble =
                search.trouble(tuple, Error::new(ErrorKind::Limit, what), "TooManyValues");
            self.out.push_back(Err(trouble));
        }
        self.given <= limit
    }

    /// Whether the list gave more than it may, so that the rest of it is of no use.
    fn is_over(&self) -> bool {
        let limit =
            parents(&self.search.resource, self.level).and_then(|parents| parents.max_children);
        limit.is_some_and(|limit| self.given > limit)
    }

    fn flush(&mut self, tuple: &Tuple) {
        if !self.batch.is_empty() {
            let items = std::mem::take(&mut self.batch);
            let level = &self.search.resource.parts().levels[self.level];
            let separator = level.batch.as_ref().map_or("", |batch| &batch.separator);
            let batch = Binding::batch(level.name.clone(), items, separator);
            self.out.push_back(Ok(tuple.bind(batch, Vec::new())));
        }
    }

    fn ended(&mut self, at: At, ended: Ended) {
        let search = self.search.clone();
        let Some(parents) = parents(&search.resource, self.level) else {
            return;
        };
        let kind = search.resource.kind();
        match ended {
            Ended::Complete => {
                if self.is_one_object && self.given == 0 {
                    // Not a list without values, but something else in its place: an error in disguise, it may be.
                    let what = format!(
                        "parents at {}: the body is an object and gives no value for {{{}}}; set its data_path to the list in it",
                        parents.list.endpoint(),
                        self.definition().name
                    );
                    self.fail(
                        &at,
                        Error::new(ErrorKind::Extract, what),
                        "ParentsIncomplete",
                    );
                    return;
                }
                self.flush(&at.tuple);
                search.session.is_done_with(&at.read);
            }
            Ended::Short(error) if at.own => {
                self.fail(&at, error, "ParentsIncomplete");
                search.session.is_done_with(&at.read);
            }
            // Somebody else's read: whoever comes after a failed one asks again (R13). What came before counts once.
            Ended::Short(_) | Ended::Abandoned => {
                let cap = cap_of(&search.resource, &parents.list);
                let (read, own) =
                    search
                        .session
                        .read_again(kind, parents, &at.opening, cap, &at.read);
                // What it gave so far is given again, and counts once.
                self.given = self.given_embedded;
                self.at = Some(At {
                    read,
                    own,
                    index: 0,
                    ..at
                });
            }
            Ended::Capped => match at.tuple.halves(&search.resource, &parents.list) {
                Some([first, second]) => {
                    self.flush(&at.tuple);
                    self.tuples.push_front(second);
                    self.tuples.push_front(first);
                    search.session.is_done_with(&at.read);
                }
                None => {
                    let capped = {
                        let mut state = search.lock();
                        state.capped += 1;
                        state.capped
                    };
                    let cap = cap_of(&search.resource, &parents.list);
                    let error = window_capped(cap, capped);
                    self.fail(&at, error, "WindowCapped");
                }
            },
        }
    }

    fn fail(&mut self, at: &At, error: Error, cause: &'static str) {
        self.flush(&at.tuple);
        let trouble = self.search.trouble(&at.tuple, error, cause);
        self.out.push_back(Err(trouble));
    }
}

/// Why a value cannot go into a batch.
pub(crate) fn ambiguous(name: &str, batch: &Batch) -> String {
    format!(
        "a value for {{{name}}} holds the separator `{}`, by which a batch is told apart; set selector.path_parameters.{name}.separator to \
         another one, or do without batch",
        batch.separator
    )
}

fn parents(resource: &Resource, level: usize) -> Option<&ParentList> {
    match &resource.parts().levels[level].source {
        Source::List(parents) => Some(parents),
        _ => None,
    }
}

/// So many of the smallest windows may reach the cap before no more are asked for: an API that takes no note of its window would be asked for
/// each second of years.
pub(crate) const MOST_CAPPED: u64 = 100;

/// A window that cannot be made smaller gives as many results as the API gives at most. `capped` is how many did so far.
pub(crate) fn window_capped(cap: Option<u64>, capped: u64) -> Error {
    let mut what = format!(
        "the smallest window of time gives {} results, which is all that the API gives of one request; \
         write it with a finer format, or narrow the request by another parameter",
        cap.unwrap_or_default()
    );
    if capped >= MOST_CAPPED {
        what.push_str(&format!(
            "; {capped} windows did so, so no further ones are asked for: does the API take note of the parameters that hold the window?"
        ));
    }
    Error::new(ErrorKind::Limit, what)
}
