//! From a parent record to the requests for its children.

use std::fmt;
use std::sync::Arc;

use longshore_jq::Val;

use crate::{Error, Parameter, PathTemplate};

/// Says which child requests a parent record leads to. Pure: no I/O, no waiting.
///
/// # Contract
/// No child is fine: this parent has none. An `Err` leaves other parents alone, but makes the read of the children incomplete, as nobody
/// can say what this parent's children are. Equal parents give equal children; whoever sends the requests asks once for equal paths.
///
/// [`TemplateExpander`] does it by template. Implement this for children that are found otherwise, such as one request per day of a range.
pub trait Expand: fmt::Debug + Send + Sync {
    /// The children of one parent.
    ///
    /// # Errors
    /// What this parent's children are cannot be said: see the contract.
    fn children(&self, parent: &Val) -> Result<Vec<Child>, Error>;
}

impl<E: Expand + ?Sized> Expand for Arc<E> {
    fn children(&self, parent: &Val) -> Result<Vec<Child>, Error> {
        (**self).children(parent)
    }
}

impl<E: Expand + ?Sized> Expand for Box<E> {
    fn children(&self, parent: &Val) -> Result<Vec<Child>, Error> {
        (**self).children(parent)
    }
}

/// One child request: its path, and what its records are told about their parent.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Child {
    /// Path and query, encoded, to be joined to the base URL.
    pub path: String,
    /// Names and values of the parameters, not encoded.
    pub parameters: Vec<(String, String)>,
}

impl Child {
    /// Tells a record of the child about its parent: for each parameter, `__name` always and `name` where the record has no such key.
    /// Records that are no objects stay as they are.
    pub fn attach(&self, record: &mut Val) {
        for (name, value) in &self.parameters {
            if record.get(name).is_none() {
                record.insert(name, Val::from(value.as_str()));
            }
            record.insert(&format!("__{name}"), Val::from(value.as_str()));
        }
    }
}

/// Children by template: the parameters are read from the parent record and put into the path.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_nested::{Expand, Parameter, PathTemplate, TemplateExpander};
/// use serde_json::json;
///
/// let template = PathTemplate::parse("/tickets/{ticket_id}/comments").unwrap();
/// let ticket_id = Parameter::new("ticket_id", ".id", None).unwrap();
/// let comments = TemplateExpander::new(&template, &ticket_id);
///
/// let children = comments.children(&Val::from(json!({"id": 101}))).unwrap();
/// assert_eq!(children[0].path, "/tickets/101/comments");
///
/// let mut comment = Val::from(json!({"id": 1, "text": "hello"}));
/// children[0].attach(&mut comment);
/// assert_eq!(comment.to_json(), json!({"id": 1, "text": "hello", "ticket_id": "101", "__ticket_id": "101"}));
/// ```
#[derive(Clone, Debug)]
pub struct TemplateExpander<'a> {
    template: &'a PathTemplate,
    parameters: Vec<&'a Parameter>,
}

impl<'a> TemplateExpander<'a> {
    /// The children at `template`, with `parameter` for its parameter of that name.
    ///
    /// A parameter of the template that gets no definition makes every parent an error ([`ErrorKind::MissingValue`](crate::ErrorKind)):
    /// compare [`PathTemplate::parameters`] with the names at load.
    pub fn new(template: &'a PathTemplate, parameter: &'a Parameter) -> Self {
        TemplateExpander {
            template,
            parameters: vec![parameter],
        }
    }

    /// Adds another parameter of the template, read from the same parent record.
    pub fn with_parameter(mut self, parameter: &'a Parameter) -> Self {
        self.parameters.push(parameter);
        self
    }
}

impl Expand for TemplateExpander<'_> {
    fn children(&self, parent: &Val) -> Result<Vec<Child>, Error> {
        let mut values = Vec::with_capacity(self.parameters.len());
        for parameter in &self.parameters {
            match parameter.value(parent)? {
                Some(value) => values.push((parameter.name().to_owned(), value)),
                None => return Ok(Vec::new()),
            }
        }
        let borrowed: Vec<(&str, &str)> = values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        Ok(vec![Child {
            path: self.template.expand(&borrowed)?,
            parameters: values,
        }])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::ErrorKind;

    fn attached(record: Value) -> Value {
        let child = Child {
            path: String::new(),
            parameters: vec![("id".into(), "7".into())],
        };
        let mut record = Val::from(record);
        child.attach(&mut record);
        record.to_json()
    }

    #[test]
    fn a_child_record_learns_the_parameter_but_keeps_its_own_key() {
        assert_eq!(
            attached(json!({"a": 1})),
            json!({"a": 1, "id": "7", "__id": "7"})
        );
        assert_eq!(attached(json!({"id": 3})), json!({"id": 3, "__id": "7"}));
        assert_eq!(
            attached(json!({"id": null})),
            json!({"id": null, "__id": "7"})
        );
        assert_eq!(
            attached(json!({"__id": "of the API"})),
            json!({"id": "7", "__id": "7"})
        );
    }

    #[test]
    fn records_that_are_no_objects_stay_as_they_are() {
        for record in [json!("latest"), json!([1]), json!(null), json!(7)] {
            assert_eq!(attached(record.clone()), record);
        }
    }

    #[test]
    fn a_filtered_or_null_parent_has_no_children_and_a_bad_value_is_an_error() {
        let template = PathTemplate::parse("/t/{id}/c").unwrap();
        let id = Parameter::new("id", ".id", Some(".open")).unwrap();
        let comments = TemplateExpander::new(&template, &id);
        let children = |parent: Value| comments.children(&Val::from(parent));
        assert_eq!(
            children(json!({"id": "a/b", "open": true})).unwrap()[0].path,
            "/t/a%2Fb/c"
        );
        assert!(
            children(json!({"id": 1, "open": false}))
                .unwrap()
                .is_empty()
        );
        assert!(
            children(json!({"id": null, "open": true}))
                .unwrap()
                .is_empty()
        );
        assert_eq!(
            children(json!({"id": "..", "open": true}))
                .unwrap_err()
                .kind(),
            ErrorKind::Value
        );
        assert_eq!(
            children(json!({"id": "", "open": true}))
                .unwrap_err()
                .kind(),
            ErrorKind::Value
        );
        assert_eq!(
            children(json!({"id": [1], "open": true}))
                .unwrap_err()
                .kind(),
            ErrorKind::Field
        );
    }

    #[test]
    fn several_parameters_of_one_parent_fill_one_path() {
        let template = PathTemplate::parse("/repos/{owner}/{repo}").unwrap();
        let repo = Parameter::new("repo", ".name", None).unwrap();
        let owner = Parameter::new("owner", ".owner.login", None).unwrap();
        let parent = Val::from(json!({"name": "r", "owner": {"login": "o"}}));
        let one = TemplateExpander::new(&template, &repo);
        assert_eq!(
            one.children(&parent).unwrap_err().kind(),
            ErrorKind::MissingValue
        );
        let both = one.with_parameter(&owner).children(&parent).unwrap();
        assert_eq!(both[0].path, "/repos/o/r");
    }
}
