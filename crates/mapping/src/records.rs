//! Records out of a response body: `data_path`.

use longshore_jq::{CompileError, EvalError, Filter, Step, Val};

use crate::path::leading_path;
use crate::{Error, ErrorKind};

/// Most keys that are named when a path finds nothing, and most characters of each.
const KEYS_NAMED: usize = 20;
const KEY_LENGTH: usize = 60;

/// Where the records are in a body: a jq expression (`data_path`), or the body itself.
///
/// ```
/// use longshore_jq::Val;
/// use longshore_mapping::{Found, RecordPath};
/// use serde_json::json;
///
/// let path = RecordPath::compile(".data[].results").unwrap();
/// let body = Val::from(json!({"data": [{"results": [1, 2]}, {"results": [3]}]}));
/// assert_eq!(path.records(&body).unwrap().items, [1u64, 2, 3].map(Val::from));
///
/// // What is missing is told apart from what is empty.
/// let body = Val::from(json!({"error": "over quota"}));
/// let found = RecordPath::compile(".items").unwrap().records(&body).unwrap().found;
/// assert_eq!(found, Found::Nothing { keys: vec!["error".into()] });
/// ```
#[derive(Clone, Debug)]
pub struct RecordPath {
    filter: Option<Filter>,
    /// The plain path that the expression starts with: used to say what is there instead.
    steps: Vec<Step>,
}

/// The records of one body.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Records {
    /// In the body's order.
    pub items: Vec<Val>,
    /// What the records were found in.
    pub found: Found,
    /// Outputs of `data_path` that were null while others were not: `.active, .archived` on a body without `archived`. They give no
    /// record; a reader that wants proof of completeness looks here.
    pub missing: u64,
}

/// What the records were found in.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Found {
    /// A list, perhaps empty: an array, or several outputs, or none.
    Array,
    /// One value that is no array: one record.
    One,
    /// No `data_path`, and the body is an object: one record, which is seldom what was meant.
    WholeObject,
    /// Null, or nothing at the path. Not the same as an empty list: the API answered something else.
    Nothing {
        /// Keys of the deepest object that the path reaches (at most 20), with the path to it: `data.total`. No values.
        keys: Vec<String>,
    },
}

impl RecordPath {
    /// Records at a jq expression, in the dialect of mappings (single quotes allowed). A blank one is the body itself.
    ///
    /// # Errors
    /// The expression does not compile.
    pub fn compile(jq: &str) -> Result<Self, CompileError> {
        if jq.trim().is_empty() {
            return Ok(RecordPath::body());
        }
        Ok(RecordPath {
            filter: Some(Filter::compile_mapping(jq)?),
            steps: leading_path(jq).unwrap_or_default(),
        })
    }

    /// The body itself: the items of an array, or one record.
    pub fn body() -> Self {
        RecordPath {
            filter: None,
            steps: Vec::new(),
        }
    }

    /// The records of one body. Every output counts; an array gives its items (one level), null gives nothing, anything else is a
    /// record as it is, text and numbers too.
    ///
    /// # Errors
    /// [`ErrorKind::DataPath`]: the expression fails on this body, even if it gave outputs before.
    pub fn records(&self, body: &Val) -> Result<Records, Error> {
        match &self.filter {
            None => Ok(self.whole(body)),
            Some(filter) => {
                let outputs = filter
                    .all(body)
                    .map_err(|error| self.failed(body, &error))?;
                Ok(self.collect(outputs, body))
            }
        }
    }

    fn whole(&self, body: &Val) -> Records {
        let mut records = self.collect(vec![body.clone()], body);
        if body.is_object() {
            records.found = Found::WholeObject;
        }
        records
    }

    fn collect(&self, outputs: Vec<Val>, body: &Val) -> Records {
        let count = outputs.len();
        let mut items = Vec::new();
        let mut arrays = 0;
        let mut missing = 0;
        for output in outputs {
            if let Some(array) = output.as_array() {
                arrays += 1;
                items.extend_from_slice(array);
            } else if output.is_null() {
                missing += 1;
            } else {
                items.push(output);
            }
        }
        let found = if count > 0 && missing == count {
            missing = 0;
            Found::Nothing {
                keys: self.keys_there(body),
            }
        } else if count == 1 && arrays == 0 {
            Found::One
        } else {
            Found::Array
        };
        Records {
            items,
            found,
            missing: missing as u64,
        }
    }

    /// The caller knows which path it gave, so the message holds only the cause and what to change.
    fn failed(&self, body: &Val, cause: &EvalError) -> Error {
        let under_a_key = matches!(self.steps.first(), Some(Step::Key(_)));
        let hint = match self.keys_there(body).as_slice() {
            [] if under_a_key && body.as_array().is_some() => {
                "the body is an array: leave data_path out and its items are the records".to_owned()
            }
            [] => "make data_path fit what the API answers".to_owned(),
            keys => format!(
                "make data_path fit the body, which has the keys {}",
                keys.join(", ")
            ),
        };
        Error::new(ErrorKind::DataPath, format!("{cause}; {hint}"))
    }

    fn keys_there(&self, body: &Val) -> Vec<String> {
        let mut at = body;
        let mut path = String::new();
        for step in &self.steps {
            let Step::Key(key) = step else { break };
            match at.get(key) {
                Some(next) if next.is_object() => {
                    at = next;
                    path.push_str(key);
                    path.push('.');
                }
                _ => break,
            }
        }
        let shorten = |key: &str| key.chars().take(KEY_LENGTH).collect::<String>();
        at.keys()
            .into_iter()
            .take(KEYS_NAMED)
            .map(|key| format!("{path}{}", shorten(key)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn records(path: &str, body: Value) -> Records {
        RecordPath::compile(path)
            .unwrap()
            .records(&Val::from(body))
            .unwrap()
    }

    fn items(records: Records) -> Vec<Value> {
        records.items.iter().map(Val::to_json).collect()
    }

    fn nothing(keys: &[&str]) -> Found {
        Found::Nothing {
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
        }
    }

    #[test]
    fn without_data_path_an_array_gives_its_items_and_an_object_is_one_record() {
        let body = RecordPath::body();
        let list = body
            .records(&Val::from(json!([{"id": 1}, {"id": 2}])))
            .unwrap();
        assert_eq!(list.found, Found::Array);
        assert_eq!(items(list), [json!({"id": 1}), json!({"id": 2})]);

        let object = body.records(&Val::from(json!({"id": 1}))).unwrap();
        assert_eq!(object.found, Found::WholeObject);
        assert_eq!(items(object), [json!({"id": 1})]);

        assert_eq!(body.records(&Val::null()).unwrap().found, nothing(&[]));
        assert_eq!(
            body.records(&Val::from(json!([]))).unwrap().found,
            Found::Array
        );
    }

    #[test]
    fn blank_data_path_is_the_body() {
        assert_eq!(records("  ", json!({"id": 1})).found, Found::WholeObject);
    }

    #[test]
    fn every_output_counts_and_arrays_are_flattened_one_level() {
        let all = records(
            ".data[].results[]",
            json!({"data": [{"results": [{"id": 1}, {"id": 2}]}, {"results": []}, {"results": [{"id": 3}]}]}),
        );
        assert_eq!(all.found, Found::Array);
        assert_eq!(
            items(all),
            [json!({"id": 1}), json!({"id": 2}), json!({"id": 3})]
        );

        let nested = records(".rows", json!({"rows": [[1, 2], [3]]}));
        assert_eq!(items(nested), [json!([1, 2]), json!([3])]);
    }

    #[test]
    fn plain_strings_are_records_too() {
        let names = records(".repositories", json!({"repositories": ["a/b", "c"]}));
        assert_eq!(items(names), [json!("a/b"), json!("c")]);
        let one = records(".name", json!({"name": "a"}));
        assert_eq!(
            (one.found.clone(), items(one)),
            (Found::One, vec![json!("a")])
        );
        assert_eq!(
            items(records(".flag", json!({"flag": false}))),
            [json!(false)]
        );
    }

    #[test]
    fn empty_list_is_found_but_null_or_absent_is_nothing_and_names_the_keys() {
        assert_eq!(records(".users", json!({"users": []})).found, Found::Array);
        assert_eq!(
            records(".users[]", json!({"users": []})).found,
            Found::Array
        );
        assert_eq!(
            records(".users", json!({"members": [], "ok": true})).found,
            nothing(&["members", "ok"])
        );
        assert_eq!(
            records(".users", json!({"users": null})).found,
            nothing(&["users"])
        );
        assert_eq!(
            records(
                ".data.users.list",
                json!({"data": {"users": {"items": []}}, "x": 1})
            )
            .found,
            nothing(&["data.users.items"])
        );
        assert_eq!(records(".users // []", json!({})).found, Found::Array);
    }

    #[test]
    fn null_beside_other_outputs_is_no_record_but_is_counted() {
        let some = records(".active, .archived", json!({"active": [{"id": 1}]}));
        assert_eq!((some.missing, some.found.clone()), (1, Found::Array));
        assert_eq!(items(some), [json!({"id": 1})]);
    }

    #[test]
    fn null_inside_a_list_stays_a_record_so_that_it_fails_by_name() {
        assert_eq!(
            items(records(".a", json!({"a": [null, 1]}))),
            [json!(null), json!(1)]
        );
    }

    #[test]
    fn a_path_that_throws_is_an_error_even_after_some_outputs() {
        let path = RecordPath::compile(".pages[].items[]").unwrap();
        let body = Val::from(json!({"pages": [{"items": [1]}, {"items": 5}]}));
        let error = path.records(&body).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::DataPath);
        assert!(
            error.to_string().ends_with("which has the keys pages"),
            "{error}"
        );
    }

    #[test]
    fn an_array_body_under_a_key_says_to_leave_data_path_out() {
        let error = RecordPath::compile(".items")
            .unwrap()
            .records(&Val::from(json!([1])))
            .unwrap_err();
        assert!(error.to_string().contains("leave data_path out"), "{error}");
    }
}
