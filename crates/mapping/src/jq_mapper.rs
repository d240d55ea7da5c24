//! The mapper of mapping files: selector, items and every field, in jq.

use std::fmt;

use longshore_jq::{EvalError, Filter, Output, Val, path_text};
use serde_json::Value;

use crate::explain::{self, Explanation, Part};
use crate::expression::{Expression, Failed, Given, Source, compile_jq};
use crate::fields::append;
use crate::hint;
use crate::path::leading_path;
use crate::{
    Entity, Fields, Identifier, Mapped, Mapper, RecordFailure, blueprint_name_problem,
    field_name_problem,
};

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

/// A field of the entity that may be null.
#[derive(Clone, Debug)]
struct Field {
    name: String,
    /// The name as a JSON key, with its colon.
    key: Vec<u8>,
    /// Under which name it is counted: `properties.email`.
    place: String,
    shape: Shape,
    /// The value for every record, where the expression is a literal.
    constant: Option<Value>,
    source: Source,
}

/// What a field's value is turned into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Shape {
    /// Any JSON.
    Any,
    /// Text; numbers become it.
    Text,
    /// Identifiers: numbers become text, also in an array. All else is Port's to judge.
    Identifiers,
    /// A team or a list of them: as identifiers, and neither objects nor booleans. Port takes no null among them.
    Teams,
}

impl Field {
    /// Appends the value's JSON; null also where the expression fails, unless it hit a limit. A null that nobody wrote is noted in `nulls`.
    fn write<'a>(
        &'a self,
        record: &Val,
        into: &mut Mapped,
        nulls: &mut Vec<&'a str>,
        out: &mut Vec<u8>,
    ) -> Result<(), Refused> {
        if let Some(constant) = &self.constant {
            append(constant, out);
            return Ok(());
        }
        let start = out.len();
        let problem = match self.source.output(record) {
            Ok(Some(value)) => {
                if nests_too_deeply(&value) {
                    return Err(Refused::new(
                        &self.place,
                        format!(
                            "gave arrays or objects inside of each other more than {DEEPEST} levels deep, which no reader of JSON takes"
                        ),
                    ));
                }
                nulls.extend(self.source.null_leaves(&value));
                let problem = self.shape.write(&value, out).err();
                if problem.is_none() && self.shape == Shape::Teams && has_null(&value) {
                    let left_out = "gave a list with null among the teams, which is left out; `map(values)` takes it away";
                    into.suspect(&self.place, || (left_out.to_owned(), identity(record)));
                }
                problem
            }
            Ok(None) => Some("gave nothing".to_owned()),
            Err(failed) if failed.limit => {
                return Err(Refused::by_failure(&self.place, failed));
            }
            Err(failed) => Some(format!(
                "fails: {}",
                of_parameters(failed, &self.source, record).with_hint()
            )),
        };
        if let Some(problem) = problem {
            into.suspect(&self.place, || (problem, identity(record)));
            out.extend_from_slice(b"null");
        }
        if out[start..] == *b"null" {
            nulls.push(&self.place);
        }
        Ok(())
    }
}

/// Deepest nesting of a field's value. Readers of JSON take 127 levels, and a value stands in an entity's properties, and that in a list.
const DEEPEST: usize = 124;

/// Whether readers of JSON would refuse the value, so that an entity that holds it could not be looked into, or sent.
fn nests_too_deeply(value: &Given<'_>) -> bool {
    match value {
        Given::Search(query) => depth(query) > DEEPEST,
        // A bound is known at once; what was taken away again may have been the deepest.
        Given::Jq(value) => {
            value.depth() > DEEPEST && depth(&value.clone().into_val().to_json()) > DEEPEST
        }
    }
}

fn depth(value: &Value) -> usize {
    let inside = match value {
        Value::Array(items) => items.iter().map(depth).max(),
        Value::Object(members) => members.values().map(depth).max(),
        _ => return 0,
    };
    1 + inside.unwrap_or(0)
}

/// Whether this is a list with null in it.
fn has_null(value: &Given<'_>) -> bool {
    match value {
        Given::Jq(value) if value.type_name() == "array" => {
            let list = value.clone().into_val();
            list.as_array()
                .is_some_and(|items| items.iter().any(Val::is_null))
        }
        _ => false,
    }
}

/// A field that is left out where it is null.
fn optional<'a>(
    field: &'a Option<Field>,
    record: &Val,
    into: &mut Mapped,
    nulls: &mut Vec<&'a str>,
) -> Result<Option<Value>, Refused> {
    let Some(field) = field else {
        return Ok(None);
    };
    let mut json = into.borrow_buffer();
    field.write(record, into, nulls, &mut json)?;
    // It was written right above.
    let value: Value = serde_json::from_slice(&json).unwrap_or_default();
    into.give_back(json);
    Ok((!value.is_null()).then_some(value))
}

fn written<'a>(
    fields: &'a [Field],
    record: &Val,
    into: &mut Mapped,
    nulls: &mut Vec<&'a str>,
) -> Result<Fields, Refused> {
    let mut json = into.borrow_buffer();
    json.push(b'{');
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            json.push(b',');
        }
        json.extend_from_slice(&field.key);
        field.write(record, into, nulls, &mut json)?;
    }
    json.push(b'}');
    let fields = Fields::of_json(&json);
    into.give_back(json);
    Ok(fields)
}

impl Shape {
    fn of(self, value: &Val) -> Result<Value, String> {
        match self {
            Shape::Any => Ok(value.to_json()),
            Shape::Identifiers => Ok(match value.as_array() {
                Some(items) => Value::Array(items.iter().map(identifier_json).collect()),
                None => identifier_json(value),
            }),
            Shape::Teams => match value.as_array() {
                Some(items) => {
                    let teams = items.iter().filter(|item| !item.is_null());
                    teams
                        .map(team_json)
                        .collect::<Result<_, _>>()
                        .map(Value::Array)
                }
                None if value.is_null() => Ok(Value::Null),
                None => team_json(value),
            },
            Shape::Text if value.is_null() => Ok(Value::Null),
            Shape::Text => match value.text() {
                Some(text) => Ok(Value::String(text)),
                None => Err(no_text(value.type_name())),
            },
        }
    }

    /// Appends what [`of`](Self::of) makes, or says why there is none.
    fn write(self, value: &Given<'_>, out: &mut Vec<u8>) -> Result<(), String> {
        let value = match value {
            Given::Jq(value) => value,
            Given::Search(query) => {
                append(query, out);
                return Ok(());
            }
        };
        match (self, value.type_name()) {
            (Shape::Any, _)
            | (_, "null")
            | (Shape::Identifiers, "string" | "boolean" | "object")
            | (Shape::Text | Shape::Teams, "string") => value.write_json(out),
            (Shape::Identifiers | Shape::Text | Shape::Teams, "number") => match value.text() {
                Some(text) => append(&text, out),
                None if self == Shape::Identifiers => out.extend_from_slice(b"null"),
                None => return Err(no_text("number")),
            },
            (Shape::Identifiers | Shape::Teams, _) => {
                append(&self.of(&value.clone().into_val())?, out)
            }
            (Shape::Text, other) => return Err(no_text(other)),
        }
        Ok(())
    }
}

fn team_json(value: &Val) -> Result<Value, String> {
    match value.text() {
        Some(text) => Ok(Value::String(text)),
        None => Err(format!(
            "gave {}, but a team's name or a list of names is needed",
            described(value.type_name())
        )),
    }
}

fn no_text(type_name: &str) -> String {
    format!("gave {}, but text is needed", described(type_name))
}

fn identifier_json(value: &Val) -> Value {
    match value.is_number() {
        true => value.text().map_or(Value::Null, Value::String),
        false => value.to_json(),
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

/// Collects the expressions of a [`JqMapper`]; [`build`](JqMapperBuilder::build) compiles them all.
#[derive(Clone, Debug, Default)]
pub struct JqMapperBuilder {
    selector: Option<String>,
    identifier: Option<Expression>,
    title: Option<String>,
    icon: Option<String>,
    team: Option<Expression>,
    blueprint: Option<String>,
    properties: Vec<(String, String)>,
    relations: Vec<(String, Expression)>,
    items_to_parse: Option<String>,
    items_to_parse_name: Option<String>,
    keep_items: bool,
}

impl JqMapperBuilder {
    /// jq that must give `true` for a record to become an entity. Every record does unless this is set.
    pub fn selector(mut self, jq: impl Into<String>) -> Self {
        self.selector = Some(jq.into());
        self
    }

    /// The identifier: jq, or a search query. Needed.
    pub fn identifier(mut self, expression: impl Into<Expression>) -> Self {
        self.identifier = Some(expression.into());
        self
    }

    /// jq to the title.
    pub fn title(mut self, jq: impl Into<String>) -> Self {
        self.title = Some(jq.into());
        self
    }

    /// jq to the icon.
    pub fn icon(mut self, jq: impl Into<String>) -> Self {
        self.icon = Some(jq.into());
        self
    }

    /// The team: jq to a name or an array of them, or a search query.
    pub fn team(mut self, expression: impl Into<Expression>) -> Self {
        self.team = Some(expression.into());
        self
    }

    /// jq to the blueprint. Needed. One blueprint for all is a literal: `"\"user\""`; [`Mapper::blueprint`] then knows it.
    pub fn blueprint(mut self, jq: impl Into<String>) -> Self {
        self.blueprint = Some(jq.into());
        self
    }

    /// Adds a property.
    pub fn property(mut self, name: impl Into<String>, jq: impl Into<String>) -> Self {
        self.properties.push((name.into(), jq.into()));
        self
    }

    /// Adds a relation: jq to an identifier, an array of them or null, or a search query.
    pub fn relation(mut self, name: impl Into<String>, expression: impl Into<Expression>) -> Self {
        self.relations.push((name.into(), expression.into()));
        self
    }

    /// jq to an array of the record. Each of its items is mapped for itself, selector included, as the record with the item added under
    /// [`items_to_parse_name`](Self::items_to_parse_name). An empty array gives no entity; anything but an array fails the record. A blank
    /// expression counts as none.
    pub fn items_to_parse(mut self, jq: impl Into<String>) -> Self {
        self.items_to_parse = Some(jq.into());
        self
    }

    /// The key that holds the item, `item` unless set. A key of that name in the record is hidden by it.
    pub fn items_to_parse_name(mut self, name: impl Into<String>) -> Self {
        self.items_to_parse_name = Some(name.into());
        self
    }

    /// Whether the array is taken out of the record that its items see; true unless set. It is found where the expression starts with a
    /// plain path (`.comments`, `.comments // []`, `.comments | map(…)`), else the record stays whole.
    pub fn items_to_parse_top_level_transform(mut self, on: bool) -> Self {
        self.keep_items = !on;
        self
    }

    /// Compiles everything.
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn build(self) -> Result<JqMapper, Vec<MappingProblem>> {
        let mut problems = Problems::default();
        let items = self.build_items(&mut problems);
        let selector = self.build_selector(&mut problems);
        let identifier = match &self.identifier {
            Some(written) => problems.identifier(written),
            None => problems.missing("identifier", ".id"),
        };
        let title = self
            .title
            .map(|jq| problems.field("title", "", jq.into(), Shape::Text));
        let icon = self
            .icon
            .map(|jq| problems.field("icon", "", jq.into(), Shape::Text));
        let team = self
            .team
            .map(|written| problems.field("team", "", written, Shape::Teams));
        let blueprint = match &self.blueprint {
            Some(jq) => problems.blueprint(jq),
            None => problems.missing("blueprint", r#""user""#),
        };
        let properties = self
            .properties
            .into_iter()
            .map(|(name, jq)| (name, Expression::Jq(jq)));
        let properties = problems.fields("properties", properties, Shape::Any);
        let relations = problems.fields("relations", self.relations, Shape::Identifiers);
        match (identifier, blueprint) {
            (Some(identifier), Some(blueprint)) if problems.found.is_empty() => Ok(JqMapper {
                items,
                selector,
                identifier,
                blueprint,
                title: title.flatten(),
                icon: icon.flatten(),
                team: team.flatten(),
                properties,
                relations,
                warnings: problems.warnings,
            }),
            _ => Err(problems.found),
        }
    }

    fn build_selector(&self, problems: &mut Problems) -> Option<Filter> {
        const PLACE: &str = "selector.query";
        let filter = problems.jq(PLACE, self.selector.as_deref()?)?;
        match filter.as_constant() {
            Some(constant) if constant.as_bool() == Some(true) => None,
            Some(constant) if constant.as_bool().is_none() => {
                let message = format!(
                    "is {} for every record; it must give true or false",
                    described(constant.type_name())
                );
                problems.add(PLACE, message);
                None
            }
            _ => Some(filter),
        }
    }

    fn build_items(&self, problems: &mut Problems) -> Option<Items> {
        let jq = self
            .items_to_parse
            .as_deref()
            .filter(|jq| !jq.trim().is_empty())?;
        let name = self
            .items_to_parse_name
            .clone()
            .unwrap_or_else(|| "item".to_owned());
        if name.is_empty() {
            problems.add(
                "itemsToParseName",
                "is empty; leave the line out for `item`",
            );
        }
        let array = problems.jq("itemsToParse", jq)?;
        let remove = match leading_path(jq).filter(|_| !self.keep_items) {
            None => None,
            Some(path) => Some(problems.jq("itemsToParse", &format!("del({})", path_text(&path)))?),
        };
        Some(Items {
            array,
            name,
            remove,
        })
    }
}

/// The problems found so far; compiling adds to them and goes on.
#[derive(Default)]
struct Problems {
    found: Vec<MappingProblem>,
    warnings: Vec<MappingProblem>,
}

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.found.push(MappingProblem {
            path: path.into(),
            message: message.into(),
        });
    }

    fn warn(&mut self, path: &str, message: &str) {
        self.warnings.push(MappingProblem {
            path: path.to_owned(),
            message: message.to_owned(),
        });
    }

    fn doubt(&mut self, path: &str, filter: &Filter) {
        if let Some(hint) = filter.hint() {
            self.warn(path, hint);
        }
    }

    fn missing<T>(&mut self, path: &str, example: &str) -> Option<T> {
        self.add(
            path,
            format!("is missing; every entity needs one, for example {path}: '{example}'"),
        );
        None
    }

    fn jq(&mut self, path: &str, jq: &str) -> Option<Filter> {
        let filter = compile_jq(jq)
            .map_err(|message| self.add(path, message))
            .ok()?;
        self.doubt(path, &filter);
        Some(filter)
    }

    fn source(&mut self, path: &str, written: &Expression) -> Option<Source> {
        let source = Source::compile(path, written, &mut |place, message| {
            self.add(place, message);
        })?;
        for (place, filter) in source.leaves(path) {
            self.doubt(place, filter);
        }
        Some(source)
    }

    fn identifier(&mut self, written: &Expression) -> Option<Source> {
        const PLACE: &str = "identifier";
        let source = self.source(PLACE, written)?;
        let constant = source.constant();
        let problem = constant.and_then(|constant| match constant.text() {
            Some(text) if !text.is_empty() => None,
            _ => Some(no_identifier(constant.type_name())),
        });
        match problem {
            None => Some(source),
            Some(problem) => {
                self.add(PLACE, format!("gives for every record {problem}"));
                None
            }
        }
    }

    fn blueprint(&mut self, jq: &str) -> Option<Blueprint> {
        const PLACE: &str = "blueprint";
        let filter = match compile_jq(jq) {
            Ok(filter) => filter,
            Err(mut message) => {
                let bare = jq.trim();
                if !bare.is_empty()
                    && bare
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                {
                    message.push_str(&format!("; a fixed name is written '\"{bare}\"'"));
                }
                self.add(PLACE, message);
                return None;
            }
        };
        self.doubt(PLACE, &filter);
        let Some(constant) = filter.as_constant() else {
            return Some(Blueprint::Jq(filter));
        };
        match constant.as_str() {
            Some("") => self.add(PLACE, "is empty text; write the blueprint's identifier"),
            Some(name) => {
                // A warning, as for the names of fields: it is Port that refuses them.
                if let Some(problem) = blueprint_name_problem(name) {
                    self.warn(PLACE, &format!("is text that Port refuses: {problem}"));
                }
                return Some(Blueprint::Fixed(name.to_owned()));
            }
            None => self.add(
                PLACE,
                format!(
                    "is {}; write the blueprint's identifier as text",
                    described(constant.type_name())
                ),
            ),
        }
        None
    }

    fn field(
        &mut self,
        place: &str,
        name: &str,
        written: Expression,
        shape: Shape,
    ) -> Option<Field> {
        let source = self.source(place, &written)?;
        let constant = match source.constant().map(|constant| shape.of(&constant)) {
            Some(Err(message)) => {
                self.add(place, format!("{message}, for every record"));
                return None;
            }
            Some(Ok(constant)) => Some(constant),
            None => None,
        };
        let mut key = Vec::new();
        append(name, &mut key);
        key.push(b':');
        Some(Field {
            name: name.to_owned(),
            key,
            place: place.to_owned(),
            shape,
            constant,
            source,
        })
    }

    fn fields(
        &mut self,
        group: &str,
        written: impl IntoIterator<Item = (String, Expression)>,
        shape: Shape,
    ) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for (name, expression) in written {
            let place = format!("{group}.{name}");
            if name.is_empty() {
                self.add(place, "has no name");
            } else if fields.iter().any(|field| field.name == name) {
                self.add(place, "is given twice; keep one");
            } else {
                if let Some(problem) = field_name_problem(&name) {
                    self.warn(&place, problem);
                }
                fields.extend(self.field(&place, &name, expression, shape));
            }
        }
        fields
    }
}
