//! From records to entities: the seam, and what comes out of it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use longshore_jq::Val;

use crate::{Entity, Explanation};

/// Makes entities of records. [`JqMapper`](crate::JqMapper) does it by jq; implement this to do it in code.
///
/// It is pure and quick: no I/O, no waiting. Not the place to fetch what a record lacks.
///
/// # Contract
/// For each record, `map` pushes its entities, or says that the record was [skipped](Mapped::skip) on purpose, or that it
/// [failed](Mapped::fail). A record for which nothing is said counts as read and gives no entity. A failed record leaves the others alone
/// but the read counts as incomplete, so nothing is deleted on its account; a skipped record has no such consequence.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_mapping::{Entity, Mapped, Mapper, RecordFailure};
///
/// #[derive(Debug)]
/// struct Users;
///
/// impl Mapper for Users {
///     fn map(&self, record: &Val, into: &mut Mapped) {
///         match record.get("login").and_then(Val::as_str) {
///             Some(login) => into.push(Entity::new("user", login)),
///             None => into.fail(RecordFailure::new("login", "is missing")),
///         }
///     }
///
///     fn blueprint(&self) -> Option<&str> {
///         Some("user")
///     }
/// }
/// ```
pub trait Mapper: fmt::Debug + Send + Sync + 'static {
    /// Maps one record.
    fn map(&self, record: &Val, into: &mut Mapped);

    /// The blueprint of every entity that this mapper can make, or `None` where it depends on the record.
    ///
    /// With `None`, an incomplete read protects every blueprint from deletes; with a name only that one. Naming a blueprint and pushing
    /// entities of another loses that protection.
    fn blueprint(&self) -> Option<&str>;

    /// What each part of the mapping gives for one record, for people who write the mapping. `None`, unless this is overridden.
    fn explain(&self, _record: &Val) -> Option<Explanation> {
        None
    }

    /// Why a field is null for a record, in one line that says what to change, where that is plain. `None`, unless this is overridden.
    fn hint(&self, _field: &str, _record: &Val) -> Option<String> {
        None
    }
}

impl<M: Mapper + ?Sized> Mapper for Arc<M> {
    fn map(&self, record: &Val, into: &mut Mapped) {
        (**self).map(record, into);
    }

    fn blueprint(&self) -> Option<&str> {
        (**self).blueprint()
    }

    fn explain(&self, record: &Val) -> Option<Explanation> {
        (**self).explain(record)
    }

    fn hint(&self, field: &str, record: &Val) -> Option<String> {
        (**self).hint(field, record)
    }
}

impl<M: Mapper + ?Sized> Mapper for Box<M> {
    fn map(&self, record: &Val, into: &mut Mapped) {
        (**self).map(record, into);
    }

    fn blueprint(&self) -> Option<&str> {
        (**self).blueprint()
    }

    fn explain(&self, record: &Val) -> Option<Explanation> {
        (**self).explain(record)
    }

    fn hint(&self, field: &str, record: &Val) -> Option<String> {
        (**self).hint(field, record)
    }
}

/// A mapper of a closure.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_mapping::{Entity, FnMapper, Mapped, RecordFailure};
///
/// let users = FnMapper::new("user", |record: &Val, into: &mut Mapped| {
///     match record.get("login").and_then(Val::as_str) {
///         Some(login) => into.push(Entity::new("user", login)),
///         None => into.fail(RecordFailure::new("login", "is missing")),
///     }
/// });
/// let mut mapped = Mapped::default();
/// mapped.map_page(&users, &[Val::from(serde_json::json!({"login": "ada"}))], 1);
/// assert_eq!(mapped.entities, [Entity::new("user", "ada")]);
/// ```
pub struct FnMapper<F> {
    blueprint: Option<String>,
    map: F,
}

impl<F: Fn(&Val, &mut Mapped) + Send + Sync + 'static> FnMapper<F> {
    /// Of entities of one blueprint.
    pub fn new(blueprint: impl Into<String>, map: F) -> Self {
        FnMapper {
            blueprint: Some(blueprint.into()),
            map,
        }
    }

    /// Of entities of several blueprints, as the records say.
    pub fn of_any_blueprint(map: F) -> Self {
        FnMapper {
            blueprint: None,
            map,
        }
    }
}

impl<F: Fn(&Val, &mut Mapped) + Send + Sync + 'static> Mapper for FnMapper<F> {
    fn map(&self, record: &Val, into: &mut Mapped) {
        (self.map)(record, into);
    }

    fn blueprint(&self) -> Option<&str> {
        self.blueprint.as_deref()
    }
}

impl<F> fmt::Debug for FnMapper<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FnMapper")
            .field("blueprint", &self.blueprint)
            .finish_non_exhaustive()
    }
}

/// How many hits of a limit make a field a [`runaway`](Mapped::runaway).
pub const RUNAWAY_LIMIT: u64 = 3;

/// Records of a page in which a hint is looked for.
const LOOKED_AT: usize = 3;

/// What became of the records of a page, or of many pages after [`merge`](Mapped::merge).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Mapped {
    /// The entities, in the records' order.
    pub entities: Vec<Entity>,
    /// Records left out on purpose: by the selector, or by an identifier expression without output.
    pub skipped: u64,
    /// Those among them whose identifier expression had no output.
    pub unidentified: u64,
    /// Records that could not become an entity.
    pub failures: Vec<RecordFailure>,
    /// How often a field's expression used more time, memory or stack than one evaluation may, by field: `properties.email`. The record
    /// is among `failures` then.
    pub limits: BTreeMap<String, u64>,
    /// How often a field's expression failed or gave nothing, by field: `properties.email`. The field is null then.
    pub misconfigured: BTreeMap<String, u64>,
    /// For each misconfigured field what happened on the first record that showed it.
    pub samples: BTreeMap<String, Sample>,
    /// How often a field was null, by field, misconfigured ones included. Fields that are always null by intent (`null` as expression)
    /// are not counted.
    pub nulls: BTreeMap<String, u64>,
    /// Entities made, also those that were taken out of `entities` since.
    pub mapped: u64,
    /// What to change, in one line, for fields that were null in every entity when it was looked for. See [`hints`](Self::hints).
    hints: BTreeMap<String, Option<String>>,
    /// The record that is mapped: its place in the read.
    position: Option<u64>,
    /// Where JSON is written before it is known how long it is.
    buffer: Vec<u8>,
}

impl Mapped {
    /// Maps the records of one page. `first` is the position of the first of them in the whole read, from 1; failures carry theirs.
    ///
    /// It stops as soon as there is a [`runaway`](Self::runaway): the records behind it are neither mapped nor counted, because each may
    /// cost as long as one evaluation may take. So ask for it after each page, and end the read as incomplete if there is one.
    pub fn map_page(&mut self, mapper: &dyn Mapper, records: &[Val], first: u64) {
        for (position, record) in (first..).zip(records) {
            if self.runaway().is_some() {
                return;
            }
            let before = self.failures.len();
            self.position = Some(position);
            mapper.map(record, self);
            self.position = None;
            for failure in self.failures.iter_mut().skip(before) {
                failure.position = Some(position);
            }
        }
        self.look_for_hints(mapper, records);
    }

    /// Asks the mapper, once for each field that has been null so far, what is wrong with it.
    fn look_for_hints(&mut self, mapper: &dyn Mapper, records: &[Val]) {
        let unexplained: Vec<String> = self
            .suspects()
            .filter(|field| !self.hints.contains_key(*field))
            .map(str::to_owned)
            .collect();
        for field in unexplained {
            // It is the same for nearly all records of a list, and looking through each would cost more than mapping it.
            let hint = records
                .iter()
                .take(LOOKED_AT)
                .find_map(|record| mapper.hint(&field, record));
            self.hints.insert(field, hint);
        }
    }

    /// What to change, by field, where a field is null in every entity so far, or everything was left out by the selector or the identifier, and the cause
    /// is plain: ``there is no `.email`; did you mean `.["e-mail"]`?``. Only [`map_page`](Self::map_page) looks for it.
    pub fn hints(&self) -> impl Iterator<Item = (&str, &str)> {
        self.suspects()
            .filter_map(|field| Some((field, self.hints.get(field)?.as_deref()?)))
    }

    /// What most likely does not mean what it says.
    fn suspects(&self) -> impl Iterator<Item = &str> {
        let selects_nothing = self.mapped == 0 && self.skipped > 0 && self.failures.is_empty();
        let by = match self.unidentified == self.skipped {
            true => "identifier",
            false => "selector.query",
        };
        self.always_null().chain(selects_nothing.then_some(by))
    }

    /// Adds an entity.
    pub fn push(&mut self, entity: Entity) {
        self.mapped += 1;
        self.entities.push(entity);
    }

    /// An empty buffer to write into; [`give_back`](Self::give_back) saves the next one from growing again.
    pub(crate) fn borrow_buffer(&mut self) -> Vec<u8> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        buffer
    }

    pub(crate) fn give_back(&mut self, buffer: Vec<u8>) {
        self.buffer = buffer;
    }

    /// Counts a record that was left out on purpose.
    pub fn skip(&mut self) {
        self.skipped += 1;
    }

    /// Counts a record that was left out because its identifier expression had no output.
    pub(crate) fn skip_unidentified(&mut self) {
        self.skip();
        self.unidentified += 1;
    }

    /// Adds a record that could not become an entity. One that [hit a limit](RecordFailure::hit_limit) counts in `limits` too.
    pub fn fail(&mut self, failure: RecordFailure) {
        if failure.limit {
            count(&mut self.limits, &failure.field, 1);
        }
        self.failures.push(failure);
    }

    /// The field whose expression hit a limit [`RUNAWAY_LIMIT`] times or more: it most likely will on every record, so mapping more is a
    /// waste. The first by name where there are several. After [`merge`](Self::merge) the hits of all pages count.
    pub fn runaway(&self) -> Option<&str> {
        self.limits
            .iter()
            .find(|(_, hits)| **hits >= RUNAWAY_LIMIT)
            .map(|(field, _)| field.as_str())
    }

    /// Counts a field that is null because its expression failed or gave nothing, and keeps the first reason.
    pub fn misconfigured(&mut self, field: &str, why: impl FnOnce() -> String) {
        self.suspect(field, || (why(), None));
        self.null(field);
    }

    /// [`misconfigured`](Self::misconfigured), for who counts nulls later and knows what the record is called.
    pub(crate) fn suspect(&mut self, field: &str, why: impl FnOnce() -> (String, Option<String>)) {
        count(&mut self.misconfigured, field, 1);
        if !self.samples.contains_key(field) {
            let (message, identity) = why();
            let sample = Sample {
                message,
                position: self.position,
                identity,
            };
            self.samples.insert(field.to_owned(), sample);
        }
    }

    /// Counts a field that is null.
    pub fn null(&mut self, field: &str) {
        count(&mut self.nulls, field, 1);
    }

    /// The fields that were null in every entity so far: most likely a misspelt path.
    pub fn always_null(&self) -> impl Iterator<Item = &str> {
        self.nulls
            .iter()
            .filter(|(_, nulls)| self.mapped > 0 && **nulls >= self.mapped)
            .map(|(field, _)| field.as_str())
    }

    /// Adds what became of another page. Entities and failures are appended: take them out of `page` first where only counts are wanted.
    pub fn merge(&mut self, page: Mapped) {
        self.entities.extend(page.entities);
        self.skipped += page.skipped;
        self.unidentified += page.unidentified;
        self.failures.extend(page.failures);
        for (field, times) in &page.limits {
            count(&mut self.limits, field, *times);
        }
        for (field, times) in &page.misconfigured {
            count(&mut self.misconfigured, field, *times);
        }
        for (field, sample) in page.samples {
            self.samples.entry(field).or_insert(sample);
        }
        for (field, times) in &page.nulls {
            count(&mut self.nulls, field, *times);
        }
        for (field, hint) in page.hints {
            let known = self.hints.entry(field).or_default();
            *known = known.take().or(hint);
        }
        self.mapped += page.mapped;
    }
}

fn count(counts: &mut BTreeMap<String, u64>, field: &str, times: u64) {
    // Not `entry`: this runs for each null of each record, and the name is nearly always there already.
    match counts.get_mut(field) {
        Some(count) => *count += times,
        None => {
            counts.insert(field.to_owned(), times);
        }
    }
}

/// What happened to a field on one record.
///
/// `Display` is one line: `fails: cannot index string with string (record 12, id "a7")`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    /// Why the field is null. It holds nothing of the record.
    pub message: String,
    /// Position of the record in the whole read, from 1; only [`Mapped::map_page`] knows it.
    pub position: Option<u64>,
    /// Which record it is, as people know it: `id "a7"`.
    pub identity: Option<String>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match (self.position, &self.identity) {
            (Some(position), Some(identity)) => write!(f, " (record {position}, {identity})"),
            (Some(position), None) => write!(f, " (record {position})"),
            (None, Some(identity)) => write!(f, " (record with {identity})"),
            (None, None) => Ok(()),
        }
    }
}

/// A record that could not become an entity: which field stood in the way, and why.
///
/// `Display` is one line: `record 12 (id "a7"): identifier: gave null; …`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordFailure {
    field: String,
    message: String,
    position: Option<u64>,
    identity: Option<String>,
    limit: bool,
}

impl RecordFailure {
    /// A failure of `field` (`identifier`, `selector.query`); `message` says in one line what is wrong and what to change.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        RecordFailure {
            field: field.into(),
            message: message.into(),
            position: None,
            identity: None,
            limit: false,
        }
    }

    /// Says which record it is, as people know it: `id "a7"`.
    pub fn with_identity(mut self, identity: impl Into<String>) -> Self {
        self.identity = Some(identity.into());
        self
    }

    /// Says where the record stands in the whole read, from 1.
    pub fn at(mut self, position: u64) -> Self {
        self.position = Some(position);
        self
    }

    /// Says that an expression used more than one evaluation may ([`EvalErrorKind::Limit`](longshore_jq::EvalErrorKind::Limit)).
    pub fn by_limit(mut self) -> Self {
        self.limit = true;
        self
    }

    /// The field that stood in the way, relative to the mapping.
    pub fn field(&self) -> &str {
        &self.field
    }

    /// What is wrong with it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Position of the record in the whole read, from 1.
    pub fn position(&self) -> Option<u64> {
        self.position
    }

    /// Which record it is, as people know it.
    pub fn identity(&self) -> Option<&str> {
        self.identity.as_deref()
    }

    /// Whether an expression ran into a limit of time, memory or stack. The next record will most likely fare no better.
    pub fn hit_limit(&self) -> bool {
        self.limit
    }
}

impl fmt::Display for RecordFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.position, &self.identity) {
            (Some(position), Some(identity)) => write!(f, "record {position} ({identity}): ")?,
            (Some(position), None) => write!(f, "record {position}: ")?,
            (None, Some(identity)) => write!(f, "record with {identity}: ")?,
            (None, None) => {}
        }
        write!(f, "{}: {}", self.field, self.message)
    }
}

impl std::error::Error for RecordFailure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails on null, skips on false, and makes an entity of anything else.
    #[derive(Debug)]
    struct Sample;

    impl Mapper for Sample {
        fn map(&self, record: &Val, into: &mut Mapped) {
            if record.is_null() {
                into.fail(RecordFailure::new("identifier", "gave null"));
            } else if !record.truthy() {
                into.skip();
            } else {
                into.push(Entity::new("b", "x"));
            }
        }

        fn blueprint(&self) -> Option<&str> {
            Some("b")
        }
    }

    #[test]
    fn failures_carry_the_position_of_their_record_in_the_read() {
        let mut mapped = Mapped::default();
        let records = [Val::from(true), Val::null(), Val::from(false), Val::null()];
        mapped.map_page(&Arc::new(Sample), &records, 201);
        let positions: Vec<_> = mapped
            .failures
            .iter()
            .map(RecordFailure::position)
            .collect();
        assert_eq!(positions, [Some(202), Some(204)]);
        assert_eq!(
            mapped.failures[0].to_string(),
            "record 202: identifier: gave null"
        );
        assert_eq!((mapped.skipped, mapped.mapped), (1, 1));
    }

    #[test]
    fn merged_pages_keep_the_first_sample_and_add_the_counts() {
        let mut total = Mapped::default();
        for why in ["first", "second"] {
            let mut page = Mapped::default();
            page.push(Entity::new("b", why));
            page.misconfigured("properties.a", || why.to_owned());
            page.null("properties.b");
            total.merge(page);
        }
        let mut last = Mapped::default();
        last.push(Entity::new("b", "third"));
        last.null("properties.b");
        total.merge(last);

        assert_eq!(total.mapped, 3);
        assert_eq!(total.misconfigured["properties.a"], 2);
        assert_eq!(total.samples["properties.a"].message, "first");
        assert_eq!(total.always_null().collect::<Vec<_>>(), ["properties.b"]);
    }

    #[test]
    fn hits_of_limits_add_up_over_pages_for_each_field_until_one_runs_away() {
        let page = |fields: &[&str]| {
            let mut page = Mapped::default();
            for field in fields {
                page.fail(RecordFailure::new(*field, "takes too long").by_limit());
            }
            page.fail(RecordFailure::new("properties.b", "fails otherwise"));
            page
        };
        let mut total = page(&["properties.a", "properties.b"]);
        total.merge(page(&["properties.b"]));
        total.merge(page(&["properties.a"]));
        assert_eq!(total.runaway(), None);
        total.merge(page(&["properties.b"]));
        assert_eq!(total.runaway(), Some("properties.b"));
        assert_eq!(total.limits["properties.a"], 2);
    }

    #[test]
    fn nothing_is_always_null_before_there_is_an_entity() {
        let mut mapped = Mapped::default();
        mapped.null("title");
        assert_eq!(mapped.always_null().count(), 0);
    }
}
