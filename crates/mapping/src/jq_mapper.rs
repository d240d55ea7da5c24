//! The mapper of mapping files: selector, items and every field, in jq.

mod builder;
mod field;

use std::fmt;

use longshore_jq::{EvalError, Filter, Output, Val};
use serde_json::Value;

pub use self::builder::JqMapperBuilder;
use self::field::{Field, optional, written};

use crate::explain::{self, Explanation, Part};
use crate::expression::{Failed, Given, Source};
use crate::hint;
use crate::{Entity, Identifier, Mapped, Mapper, RecordFailure, blueprint_name_problem};

/// Maps records by jq, as the `selector.query` and `port` parts of a mapping file say. What becomes of which value: see the
/// [crate page](crate#what-becomes-of-a-record).
///
/// An identifier is the text of its expression; numbers become their jq text (`7` → `"7"`). Whether Port's pattern allows it is asked
/// where it is sent. So are relations, also inside arrays; null stays null. Properties are any JSON as it is. A title or icon is text or a
/// number; where it is null it is left out, as Port wants it.
#[derive(Clone, Debug)]
pub struct JqMapper {
    items: Option<Items>,
    /// `None`: every record.
    selector: Option<Filter>,
    identifier: Source,
    blueprint: Blueprint,
    title: Option<Field>,
    icon: Option<Field>,
    team: Option<Field>,
    properties: Vec<Field>,
    relations: Vec<Field>,
    warnings: Vec<MappingProblem>,
}

/// A part of a mapping that cannot work, found before any record.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MappingProblem {
    /// Where: `identifier`, `properties.email`, `relations.owner.rules[0].value`, `selector.query`, `itemsToParse`.
    pub path: String,
    /// What is wrong and what to change, one line.
    pub message: String,
}

impl fmt::Display for MappingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

impl std::error::Error for MappingProblem {}

impl JqMapper {
    /// Starts a mapper. An identifier and a blueprint are needed, all else is optional.
    pub fn builder() -> JqMapperBuilder {
        JqMapperBuilder::default()
    }

    fn map_one(&self, record: &Val, into: &mut Mapped) -> Result<(), Refused> {
        if !self.selects(record)? {
            into.skip();
            return Ok(());
        }
        // Counted once there is an entity, so that a record that fails has no say in what is always null.
        let mut nulls = Vec::new();
        let Some(identifier) = self.identify(record, &mut nulls)? else {
            into.skip_unidentified();
            return Ok(());
        };
        let blueprint = self.blueprint_of(record)?;
        let title = optional(&self.title, record, into, &mut nulls)?;
        let icon = optional(&self.icon, record, into, &mut nulls)?;
        let team = optional(&self.team, record, into, &mut nulls)?;
        let properties = written(&self.properties, record, into, &mut nulls)?;
        let relations = written(&self.relations, record, into, &mut nulls)?;
        for field in nulls {
            into.null(field);
        }
        into.push(Entity {
            identifier,
            title,
            icon,
            team,
            blueprint,
            properties,
            relations,
        });
        Ok(())
    }

    fn selects(&self, record: &Val) -> Result<bool, Refused> {
        let Some(selector) = &self.selector else {
            return Ok(true);
        };
        match selector.output(record) {
            Ok(None) => Ok(false),
            Ok(Some(answer)) => answer.as_bool().ok_or_else(|| {
                let asks = "it must give true or false, as `.state == \"open\"` does";
                Refused::new(
                    "selector.query",
                    gave_instead(&answer, asks, selector, record),
                )
            }),
            Err(error) => Err(Refused::by_failure("selector.query", error)),
        }
    }

    /// `None` deselects the record.
    fn identify<'a>(
        &'a self,
        record: &Val,
        nulls: &mut Vec<&'a str>,
    ) -> Result<Option<Identifier>, Refused> {
        let refused = |message: String| Err(Refused::new("identifier", message));
        let given = match self.identifier.output(record) {
            Ok(Some(given)) => given,
            Ok(None) => return Ok(None),
            Err(failed) => {
                let failed = of_parameters(failed, &self.identifier, record);
                return Err(Refused::by_failure("identifier", failed));
            }
        };
        nulls.extend(self.identifier.null_leaves(&given));
        let value = match given {
            Given::Jq(value) => value,
            Given::Search(query) => return Ok(Some(Identifier::Search(query))),
        };
        match value.text() {
            Some(text) if !text.is_empty() => Ok(Some(Identifier::Text(text))),
            Some(_) => refused(format!("gave {}", no_identifier("string"))),
            None if value.is_null() => {
                let mut leaves = self.identifier.leaves("identifier").into_iter();
                let hint = leaves.find_map(|(_, filter)| hint::of_filter(record, filter));
                refused(match hint {
                    Some(hint) => format!("gave null: {hint}"),
                    None => format!("gave {}", no_identifier("null")),
                })
            }
            None => refused(format!("gave {}", no_identifier(value.type_name()))),
        }
    }

    fn blueprint_of(&self, record: &Val) -> Result<String, Refused> {
        let filter = match &self.blueprint {
            Blueprint::Fixed(name) => return Ok(name.clone()),
            Blueprint::Jq(filter) => filter,
        };
        let refused = |message: String| Err(Refused::new("blueprint", message));
        match filter.output(record) {
            Ok(Some(value)) => match value.as_text() {
                Some(name) if name.is_empty() => {
                    refused("gave empty text; it must give a blueprint's identifier".to_owned())
                }
                Some(name) => match blueprint_name_problem(&name) {
                    None => Ok(name.into_owned()),
                    Some(problem) => refused(format!("gave text that Port refuses: {problem}")),
                },
                None => {
                    let asks = "it must give a blueprint's identifier";
                    refused(gave_instead(&value, asks, filter, record))
                }
            },
            Ok(None) => {
                refused("gave nothing; to leave such records out use selector.query".to_owned())
            }
            Err(error) => Err(Refused::by_failure("blueprint", error)),
        }
    }
}

impl Mapper for JqMapper {
    fn map(&self, record: &Val, into: &mut Mapped) {
        let Some(items) = &self.items else {
            if let Err(refused) = self.map_one(record, into) {
                into.fail(refused.on(record, None));
            }
            return;
        };
        match items.of(record) {
            Err(refused) => into.fail(refused.on(record, None)),
            Ok(expanded) => {
                for (number, item) in (1..).zip(expanded) {
                    if let Err(refused) = self.map_one(&item, into) {
                        let limit = refused.limit;
                        into.fail(refused.on(record, Some(number)));
                        // One record may hold thousands of items, each of which would take its second.
                        if limit && into.runaway().is_some() {
                            return;
                        }
                    }
                }
            }
        }
    }

    fn blueprint(&self) -> Option<&str> {
        match &self.blueprint {
            Blueprint::Fixed(name) => Some(name),
            Blueprint::Jq(_) => None,
        }
    }

    fn explain(&self, record: &Val) -> Option<Explanation> {
        Some(self.explained(record))
    }

    fn hint(&self, field: &str, record: &Val) -> Option<String> {
        // Fields see the items of a record, where it has some.
        let record = match &self.items {
            None => record.clone(),
            Some(items) => items.of(record).ok()?.next()?,
        };
        if field == "selector.query" {
            return hint::of_filter(&record, self.selector.as_ref()?);
        }
        let identifier = [("identifier", &self.identifier)].into_iter();
        let fields = self
            .fields()
            .map(|field| (field.place.as_str(), &field.source));
        let mut leaves = identifier
            .chain(fields)
            .flat_map(|(place, source)| source.leaves(place));
        let (_, filter) = leaves.find(|(place, _)| *place == field)?;
        let hint = hint::of_filter(&record, filter);
        match field {
            // Null is an error in an identifier, so this is about one that has no output.
            "identifier" => {
                hint.or_else(|| Some("it has no output; check its expression".to_owned()))
            }
            _ => hint,
        }
    }
}

impl JqMapper {
    /// All that may be null.
    fn fields(&self) -> impl Iterator<Item = &Field> {
        [&self.title, &self.icon, &self.team]
            .into_iter()
            .flatten()
            .chain(&self.properties)
            .chain(&self.relations)
    }

    /// What works but most likely does not do what is meant, whatever the records are: names that no blueprint can have, and expressions
    /// such as `.state | IN(["open", "new"])`.
    ///
    /// ```
    /// use longshore_mapping::JqMapper;
    ///
    /// let mapper = JqMapper::builder().identifier(".id").blueprint(r#""user""#).property("e mail", ".email").build().unwrap();
    /// assert_eq!(mapper.warnings()[0].path, "properties.e mail");
    /// ```
    pub fn warnings(&self) -> &[MappingProblem] {
        &self.warnings
    }

    /// What every part of the mapping gives for one record, and what becomes of it.
    ///
    /// ```
    /// use longshore_jq::Val;
    /// use longshore_mapping::JqMapper;
    /// use serde_json::json;
    ///
    /// let mapper = JqMapper::builder()
    ///     .identifier(".id")
    ///     .blueprint(r#""user""#)
    ///     .property("email", ".e_mail | ascii_downcase")
    ///     .build()
    ///     .unwrap();
    /// let explanation = mapper.explained(&Val::from(json!({"id": 7, "email": "Ada@example.com"})));
    /// let text = explanation.to_string();
    /// assert!(text.contains("did you mean `.email`?"), "{text}");
    /// ```
    pub fn explained(&self, record: &Val) -> Explanation {
        let mut parts = Vec::new();
        let items: Vec<Val> = match &self.items {
            None => vec![record.clone()],
            Some(items) => {
                let array = Given::from_first(items.array.output(record));
                parts.push(part(
                    "itemsToParse",
                    items.array.source(),
                    array,
                    Some(&items.array),
                    record,
                ));
                items.of(record).map(Iterator::collect).unwrap_or_default()
            }
        };
        let mut explained = Vec::new();
        for item in &items {
            let mut parts = Vec::new();
            if let Some(selector) = &self.selector {
                let given = Given::from_first(selector.output(item));
                parts.push(part(
                    "selector.query",
                    selector.source(),
                    given,
                    Some(selector),
                    item,
                ));
            }
            let mut push = |place: &str, source: &Source| {
                let leaves = source.leaves(place);
                if let Source::Search(_) = source {
                    let given = Given::from_first(source.output(item));
                    parts.push(part(place, &source.text(), given, None, item));
                }
                for (place, leaf) in leaves {
                    let given = Given::from_first(leaf.output(item));
                    parts.push(part(place, leaf.source(), given, Some(leaf), item));
                }
            };
            push("identifier", &self.identifier);
            if let Blueprint::Jq(filter) = &self.blueprint {
                push("blueprint", &Source::Jq(filter.clone()));
            }
            for field in self.fields() {
                push(&field.place, &field.source);
            }
            let mut mapped = Mapped::default();
            if let Err(refused) = self.map_one(item, &mut mapped) {
                mapped.fail(refused.on(item, None));
            }
            explained.push(explain::Item {
                parts,
                verdict: explain::Verdict::of(mapped),
            });
        }
        if self.items.is_some() && items.is_empty() {
            let mut mapped = Mapped::default();
            self.map(record, &mut mapped);
            let verdict = explain::Verdict::of(mapped);
            explained.push(explain::Item {
                parts: Vec::new(),
                verdict,
            });
        }
        Explanation {
            before: parts,
            items: explained,
        }
    }
}

#[derive(Clone, Debug)]
enum Blueprint {
    Fixed(String),
    Jq(Filter),
}

/// `itemsToParse`: one record for each item of an array in the record.
#[derive(Clone, Debug)]
struct Items {
    array: Filter,
    name: String,
    /// Takes the array out of the record that each item sees.
    remove: Option<Filter>,
}

impl Items {
    fn of<'a>(&'a self, record: &'a Val) -> Result<impl Iterator<Item = Val> + use<'a>, Refused> {
        let refused = |message: String| Err(Refused::new("itemsToParse", message));
        let source = self.array.source();
        let array = match self.array.first(record) {
            Ok(Some(array)) => array,
            Ok(None) => return refused(format!("`{source}` gave nothing, but an array is needed")),
            Err(error) => return Err(Self::failed(source, error)),
        };
        let Some(items) = array.as_array().map(<[Val]>::to_vec) else {
            return refused(match array.is_null() {
                true => format!(
                    "`{source}` gave null, but an array is needed; where it may be missing write `{source} // []`"
                ),
                false => format!(
                    "`{source}` gave {}, but an array is needed",
                    described(array.type_name())
                ),
            });
        };
        if !record.is_object() {
            return refused(format!(
                "works on records that are objects; this one is {}",
                described(record.type_name())
            ));
        }
        let rest = match &self.remove {
            None => record.clone(),
            Some(remove) => match remove.first(record) {
                Ok(Some(rest)) => rest,
                Err(error) => return Err(Self::failed(remove.source(), error)),
                // Unreachable: deleting a path has an output.
                Ok(None) => record.clone(),
            },
        };
        Ok(items.into_iter().map(move |item| {
            let mut record = rest.clone();
            record.insert(&self.name, item);
            record
        }))
    }

    fn failed(source: &str, error: EvalError) -> Refused {
        let failed = Failed::from(error);
        Refused {
            limit: failed.limit,
            ..Refused::new(
                "itemsToParse",
                format!("`{source}` fails: {}", failed.with_hint()),
            )
        }
    }
}

/// A kind of value in words. Never the value: it belongs to the API's users.
fn described(type_name: &str) -> &'static str {
    match type_name {
        "null" => "null",
        "boolean" => "a boolean",
        "number" => "a number",
        "string" => "text",
        "array" => "an array",
        _ => "an object",
    }
}

/// What an expression gives, and what to write instead where that is plain.
fn part(
    place: &str,
    expression: &str,
    given: Result<Option<Value>, Failed>,
    filter: Option<&Filter>,
    record: &Val,
) -> Part {
    let of_failure = given.as_ref().err().and_then(|failed| failed.hint);
    let hint = filter
        .and_then(|filter| hint::of_filter(record, filter))
        .or_else(|| of_failure.map(str::to_owned));
    Part::new(
        place,
        expression,
        given.map_err(|failed| failed.message),
        hint,
    )
}

/// Why a value of that type, or empty text, is no identifier: what it is, and what to write.
fn no_identifier(type_name: &str) -> String {
    match type_name {
        "string" => "empty text; to leave such records out use selector.query".to_owned(),
        "array" => "an array, but identifiers are single; pick or join its items, or make one entity of each by itemsToParse".to_owned(),
        "null" => "null; correct the path, or leave such records out by selector.query".to_owned(),
        other => format!("{}; an identifier is text or a number", described(other)),
    }
}

/// That an expression gave a value of the wrong type, what it `asks` for, and why it is null where that is plain.
fn gave_instead(value: &Output<'_>, asks: &str, filter: &Filter, record: &Val) -> String {
    let gave = format!("gave {}; {asks}", described(value.type_name()));
    match hint::of_filter(record, filter).filter(|_| value.is_null()) {
        Some(hint) => format!("{gave}; {hint}"),
        None => gave,
    }
}

/// Adds to an error what it comes from where that is plain: only records that are objects can carry the parameters of their parent.
fn of_parameters(failed: Failed, source: &Source, record: &Val) -> Failed {
    if failed.limit || record.is_object() || !source.reads_parameters() {
        return failed;
    }
    Failed {
        message: format!(
            "{}; the record is {}, and only objects carry `__` parameters: build objects in data_path, as `.tags[] | {{name: .}}` does",
            failed.message,
            described(record.type_name())
        ),
        hint: None,
        ..failed
    }
}

/// Why a record fails, before it is known which one it is.
struct Refused {
    field: String,
    message: String,
    limit: bool,
}

impl Refused {
    fn new(field: &str, message: String) -> Self {
        Refused {
            field: field.to_owned(),
            message,
            limit: false,
        }
    }

    fn by_failure(field: &str, failed: impl Into<Failed>) -> Self {
        let failed = failed.into();
        Refused {
            limit: failed.limit,
            ..Refused::new(field, format!("fails: {}", failed.with_hint()))
        }
    }

    fn on(self, record: &Val, item: Option<u64>) -> RecordFailure {
        let mut failure = RecordFailure::new(self.field, self.message);
        if self.limit {
            failure = failure.by_limit();
        }
        let identity = identity(record);
        match (identity, item) {
            (Some(identity), Some(item)) => {
                failure.with_identity(format!("{identity}, item {item}"))
            }
            (Some(identity), None) => failure.with_identity(identity),
            (None, Some(item)) => failure.with_identity(format!("item {item}")),
            (None, None) => failure,
        }
    }
}

/// How people would point at the record: the first key that usually names one, with the start of its value.
fn identity(record: &Val) -> Option<String> {
    const NAMING: [&str; 7] = ["id", "key", "uuid", "identifier", "slug", "login", "name"];
    const SHOWN: usize = 60;
    NAMING.iter().find_map(|key| {
        let text = record.get(key)?.text().filter(|text| !text.is_empty())?;
        let start: String = text.chars().take(SHOWN).collect();
        Some(format!("{key} {start:?}"))
    })
}
