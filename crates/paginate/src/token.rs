//! The position of a read, opaque to all but the paginator that made it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

/// Where a read goes on: an offset, a page number, a cursor, a link, or whatever a paginator puts in.
///
/// Only the paginator that made a token can read it. It survives serialisation, so that a read can go on in another
/// process. Its `Debug` does not show the value, because a link may hold a credential.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct PageToken(Value);

impl PageToken {
    /// The text of a token that was made from text or from a URL.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_str()
    }

    /// The number of a token that was made from a number.
    pub fn as_u64(&self) -> Option<u64> {
        self.0.as_u64()
    }

    /// The URL of a token that was made from a URL.
    pub fn as_url(&self) -> Option<Url> {
        self.as_str().and_then(|text| Url::parse(text).ok())
    }

    /// The value as it was put in; a URL is its text.
    pub fn as_value(&self) -> &Value {
        &self.0
    }
}

impl From<&str> for PageToken {
    fn from(text: &str) -> Self {
        PageToken(Value::String(text.to_owned()))
    }
}

impl From<String> for PageToken {
    fn from(text: String) -> Self {
        PageToken(Value::String(text))
    }
}

impl From<u64> for PageToken {
    fn from(number: u64) -> Self {
        PageToken(Value::from(number))
    }
}

impl From<Url> for PageToken {
    fn from(url: Url) -> Self {
        PageToken(Value::String(url.into()))
    }
}

impl From<Value> for PageToken {
    fn from(value: Value) -> Self {
        PageToken(value)
    }
}

impl fmt::Debug for PageToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PageToken(..)")
    }
}
