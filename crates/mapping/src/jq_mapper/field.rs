//! The fields of an entity that may be null.

use longshore_jq::Val;
use serde_json::Value;

use super::{Refused, described, identity, of_parameters};
use crate::expression::{Given, Source};
use crate::fields::append;
use crate::{Fields, Mapped};

/// A field of the entity that may be null.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) name: String,
    /// The name as a JSON key, with its colon.
    pub(super) key: Vec<u8>,
    /// Under which name it is counted: `properties.email`.
    pub(super) place: String,
    pub(super) shape: Shape,
    /// The value for every record, where the expression is a literal.
    pub(super) constant: Option<Value>,
    pub(super) source: Source,
}

/// What a field's value is turned into.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Shape {
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
    pub(super) fn write<'a>(
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
pub(super) fn optional<'a>(
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

pub(super) fn written<'a>(
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
    pub(super) fn of(self, value: &Val) -> Result<Value, String> {
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
