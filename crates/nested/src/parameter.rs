//! Path parameters: a value out of each parent record.

use longshore_jq::{CompileError, EvalError, EvalErrorKind, Filter, Val};

use crate::value::Item;
use crate::{Error, ErrorKind, Expand, Expanded};

/// A path parameter: where its value is in a parent record (`field`), and which parents count (`filter`). Both are jq.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_nested::{Expand, Parameter};
/// use serde_json::json;
///
/// let open = Parameter::new("ticket_id", ".id", Some(".state == 'open'")).unwrap();
/// let ticket = |id: u64, state: &str| Val::from(json!({"id": id, "state": state}));
/// assert_eq!(open.values(&ticket(101, "open")).unwrap()[0].item.text, "101");
/// assert!(open.values(&ticket(102, "closed")).unwrap().is_empty());
/// ```
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    field: Filter,
    filter: Option<Filter>,
    include: Vec<(String, Filter)>,
}

impl Parameter {
    /// A parameter with the name that it has in the path.
    ///
    /// # Errors
    /// The expressions that do not compile, under `"field"` and `"filter"`.
    pub fn new(
        name: &str,
        field: &str,
        filter: Option<&str>,
    ) -> Result<Parameter, Vec<(&'static str, CompileError)>> {
        let compiled = (
            Filter::compile_mapping(field),
            filter.map(Filter::compile_mapping).transpose(),
        );
        match compiled {
            (Ok(field), Ok(filter)) => Ok(Parameter {
                name: name.to_owned(),
                field,
                filter,
                include: Vec::new(),
            }),
            (field, filter) => {
                let field = field.err().map(|error| ("field", error));
                let filter = filter.err().map(|error| ("filter", error));
                Err(field.into_iter().chain(filter).collect())
            }
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds what children are told of each parent: a key, and jq of the parent record.
    ///
    /// # Errors
    /// The expression does not compile.
    pub fn include(mut self, key: &str, jq: &str) -> Result<Parameter, CompileError> {
        self.include
            .push((key.to_owned(), Filter::compile_mapping(jq)?));
        Ok(self)
    }

    fn item(&self, value: &Val) -> Result<Option<Item>, Error> {
        if value.is_null() {
            return Ok(None);
        }
        match value.text() {
            Some(text) => Ok(Some(Item {
                text,
                is_number: value.is_number(),
            })),
            None => Err(self.field_refused(
                ErrorKind::Field,
                format!(
                    "gave a value of type {} for a parent; it must give text or a number",
                    value.type_name()
                ),
            )),
        }
    }

    fn field_refused(&self, kind: ErrorKind, what: String) -> Error {
        Error::new(
            kind,
            format!(
                "field `{}` of {{{}}} {what}",
                self.field.source(),
                self.name
            ),
        )
    }

    fn included(&self, parent: &Val) -> Result<Vec<(String, Val)>, Error> {
        let included = self.include.iter().map(|(key, jq)| match jq.first(parent) {
            Ok(value) => Ok((key.clone(), value.unwrap_or_default())),
            Err(error) => Err(Error::new(
                kind_of(&error, ErrorKind::Include),
                format!(
                    "include.{key} of {{{}}} fails on a parent: {error}",
                    self.name
                ),
            )),
        });
        included.collect()
    }

    fn passes(&self, parent: &Val) -> Result<bool, Error> {
        let Some(filter) = &self.filter else {
            return Ok(true);
        };
        let refused = |kind: ErrorKind, what: String| {
            Err(Error::new(
                kind,
                format!("filter `{}` of {{{}}} {what}", filter.source(), self.name),
            ))
        };
        match filter.first(parent) {
            Ok(None) => Ok(false),
            // A parent without the key that the filter looks at.
            Ok(Some(answer)) if answer.is_null() => Ok(false),
            Ok(Some(answer)) => match answer.as_bool() {
                Some(passes) => Ok(passes),
                None => refused(
                    ErrorKind::Filter,
                    format!(
                        "gave a value of type {} for a parent; it must give true or false",
                        answer.type_name()
                    ),
                ),
            },
            Err(error) => refused(
                kind_of(&error, ErrorKind::Filter),
                format!("fails on a parent: {error}"),
            ),
        }
    }
}

fn kind_of(error: &EvalError, otherwise: ErrorKind) -> ErrorKind {
    match error.kind() {
        EvalErrorKind::Limit => ErrorKind::Limit,
        _ => otherwise,
    }
}

impl Expand for Parameter {
    /// The values in a parent record: every output of the field, but for null. None where the parent has no children to ask for: the filter
    /// says false, null or nothing, or the field gives nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Filter`]: the filter fails, or gives what is neither boolean nor null. [`ErrorKind::Field`]: the field fails, or gives a
    /// boolean, an object or an array. [`ErrorKind::Include`]: what is to be told fails. [`ErrorKind::Limit`]: one of them hits a limit. The children of that parent are then not known, so
    /// they must not count as absent.
    fn values(&self, parent: &Val) -> Result<Vec<Expanded>, Error> {
        if !self.passes(parent)? {
            return Ok(Vec::new());
        }
        let outputs = self.field.all(parent).map_err(|error| {
            self.field_refused(
                kind_of(&error, ErrorKind::Field),
                format!("fails on a parent: {error}"),
            )
        })?;
        let items = outputs
            .iter()
            .filter_map(|value| self.item(value).transpose());
        let items: Vec<Item> = items.collect::<Result<_, Error>>()?;
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let include = self.included(parent)?;
        let expanded = items.into_iter().map(|item| Expanded {
            item,
            include: include.clone(),
        });
        Ok(expanded.collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn value(
        field: &str,
        filter: Option<&str>,
        parent: Value,
    ) -> Result<Option<String>, ErrorKind> {
        let parameter = Parameter::new("id", field, filter).unwrap();
        let values = parameter.values(&Val::from(parent));
        let values = values.map_err(|error| error.kind())?;
        assert!(values.len() <= 1);
        Ok(values.into_iter().next().map(|value| value.item.text))
    }

    #[test]
    fn every_output_of_the_field_is_a_value_with_what_is_told_of_the_parent() {
        let members = Parameter::new("id", ".members[].id", None).unwrap();
        let members = members
            .include("__team", "{name, size: (.members | length)}")
            .unwrap();
        let team = json!({"name": "blue", "members": [{"id": 1}, {"id": null}, {"id": "x"}]});
        let values = members.values(&Val::from(team)).unwrap();
        let items: Vec<_> = values
            .iter()
            .map(|value| (&*value.item.text, value.item.is_number))
            .collect();
        assert_eq!(items, [("1", true), ("x", false)]);
        assert_eq!(
            values[1].include[0].1.to_json(),
            json!({"name": "blue", "size": 3})
        );
        let broken = Parameter::new("id", ".id", None)
            .unwrap()
            .include("__x", ".id.x")
            .unwrap();
        let error = broken.values(&Val::from(json!({"id": 1}))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Include);
    }

    #[test]
    fn text_and_numbers_are_values_and_null_or_nothing_has_no_children() {
        assert_eq!(
            value(".id", None, json!({"id": "a/b"})),
            Ok(Some("a/b".into()))
        );
        assert_eq!(
            value(".id", None, json!({"id": 18446744073709551615_u64})),
            Ok(Some("18446744073709551615".into()))
        );
        assert_eq!(value(".", None, json!("plain")), Ok(Some("plain".into())));
        assert_eq!(value(".id", None, json!({"id": null})), Ok(None));
        assert_eq!(value(".id", None, json!({})), Ok(None));
        assert_eq!(value("empty", None, json!({})), Ok(None));
    }

    #[test]
    fn other_values_and_a_failing_field_are_that_parents_error() {
        for parent in [json!({"id": true}), json!({"id": {}}), json!({"id": ["a"]})] {
            assert_eq!(value(".id", None, parent), Err(ErrorKind::Field));
        }
        assert_eq!(value(".id", None, json!("text")), Err(ErrorKind::Field));
        assert_eq!(value("infinite", None, json!({})), Err(ErrorKind::Field));
    }

    #[test]
    fn only_true_passes_the_filter() {
        let parent = || json!({"id": 1, "open": true, "n": 1});
        assert_eq!(value(".id", Some(".open"), parent()), Ok(Some("1".into())));
        assert_eq!(value(".id", Some(".open | not"), parent()), Ok(None));
        assert_eq!(value(".id", Some("empty"), parent()), Ok(None));
        assert_eq!(value(".id", Some(".n"), parent()), Err(ErrorKind::Filter));
        assert_eq!(value(".id", Some(".missing"), parent()), Ok(None));
        assert_eq!(value(".id", Some(".n.x"), parent()), Err(ErrorKind::Filter));
    }

    #[test]
    fn the_field_of_a_parent_that_is_filtered_out_is_not_looked_at() {
        assert_eq!(
            value(".id.x", Some(".open"), json!({"id": 1, "open": false})),
            Ok(None)
        );
    }

    #[test]
    fn both_broken_expressions_are_reported() {
        let problems = Parameter::new("id", ".[", Some("nonsense(")).unwrap_err();
        assert_eq!(
            problems.iter().map(|(place, _)| *place).collect::<Vec<_>>(),
            ["field", "filter"]
        );
    }
}
