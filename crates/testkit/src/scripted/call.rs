//! What a scripted reply sees.

use longshore_transport::Request;
use serde_json::Value;

/// One request to a [`ScriptedApi`](crate::ScriptedApi), with the parameters that its path template took.
#[derive(Clone, Debug)]
pub struct Call {
    /// The request as it came.
    pub request: Request,
    parameters: Vec<(String, String)>,
}

impl Call {
    /// A call of this request with these path parameters (already decoded).
    pub fn new(request: Request, parameters: Vec<(String, String)>) -> Call {
        Call {
            request,
            parameters,
        }
    }

    /// The value that a `{name}` of the template took, percent-decoded; empty when the template has no such name.
    pub fn parameter(&self, name: &str) -> &str {
        self.parameters
            .iter()
            .find(|(key, _)| key == name)
            .map_or("", |(_, value)| value)
    }

    /// The first value of this query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.request
            .url
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        self.request
            .body
            .as_deref()
            .and_then(|body| serde_json::from_slice(body).ok())
            .unwrap_or(Value::Null)
    }

    /// A position or size: from the query, else from the JSON body, where `a.b` goes one level down.
    pub(crate) fn setting(&self, name: &str) -> Option<String> {
        self.query(name).or_else(|| {
            let body = self.json();
            let found = name
                .split('.')
                .try_fold(&body, |value, key| value.get(key))?;
            match found {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            }
        })
    }
}
