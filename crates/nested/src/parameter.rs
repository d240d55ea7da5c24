//! Path parameters: a value out of each parent record.

use longshore_jq::{CompileError, Filter, Val};

use crate::{Error, ErrorKind};

/// A path parameter: where its value is in a parent record (`field`), and which parents count (`filter`). Both are jq.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_nested::Parameter;
/// use serde_json::json;
///
/// let open = Parameter::new("ticket_id", ".id", Some(".state == 'open'")).unwrap();
/// let ticket = |id: u64, state: &str| Val::from(json!({"id": id, "state": state}));
/// assert_eq!(open.value(&ticket(101, "open")).unwrap().as_deref(), Some("101"));
/// assert_eq!(open.value(&ticket(102, "closed")).unwrap(), None);
/// ```
#[derive(Clone, Debug)]
pub struct Parameter {
    name: String,
    field: Filter,
    filter: Option<Filter>,
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

    /// The value in a parent record, as text; a number is its jq text. `None` where the parent has no children to ask for: the filter
    /// says false, null or nothing, or the field is null or gives nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Filter`]: the filter fails, or gives what is neither boolean nor null. [`ErrorKind::Field`]: the field fails, or gives a
    /// boolean, an object or an array. The children of that parent are then not known, so they must not count as absent.
    pub fn value(&self, parent: &Val) -> Result<Option<String>, Error> {
        if !self.passes(parent)? {
            return Ok(None);
        }
        let refused = |what: String| {
            Err(Error::new(
                ErrorKind::Field,
                format!(
                    "field `{}` of {{{}}} {what}",
                    self.field.source(),
                    self.name
                ),
            ))
        };
        let value = match self.field.first(parent) {
            Ok(Some(value)) if !value.is_null() => value,
            Ok(_) => return Ok(None),
            Err(error) => return refused(format!("fails on a parent: {error}")),
        };
        // NaN and the infinities have a text in jq, but none that an API would know.
        let finite = !value.is_number() || value.as_f64().is_none_or(f64::is_finite);
        match value.text().filter(|_| finite) {
            Some(text) => Ok(Some(text)),
            None => refused(format!(
                "gave a value of type {} for a parent; it must give text or a number",
                value.type_name()
            )),
        }
    }

    fn passes(&self, parent: &Val) -> Result<bool, Error> {
        let Some(filter) = &self.filter else {
            return Ok(true);
        };
        let refused = |what: String| {
            Err(Error::new(
                ErrorKind::Filter,
                format!("filter `{}` of {{{}}} {what}", filter.source(), self.name),
            ))
        };
        match filter.first(parent) {
            Ok(None) => Ok(false),
            // A parent without the key that the filter looks at.
            Ok(Some(answer)) if answer.is_null() => Ok(false),
            Ok(Some(answer)) => match answer.as_bool() {
                Some(passes) => Ok(passes),
                None => refused(format!(
                    "gave a value of type {} for a parent; it must give true or false",
                    answer.type_name()
                )),
            },
            Err(error) => refused(format!("fails on a parent: {error}")),
        }
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
        parameter
            .value(&Val::from(parent))
            .map_err(|error| error.kind())
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
