//! A request as a paginator sees it: a value to be changed, not something that can be sent.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};

use crate::error::{Error, ErrorKind};

/// One request of a read, before credentials are put on it.
///
/// `Debug` shows method, origin and path, and the names of query parameters and headers, but no value of them: any of
/// them may be a credential.
#[derive(Clone, PartialEq)]
pub struct PageRequest {
    /// The method.
    pub method: Method,
    /// The whole URL with its query.
    pub url: Url,
    /// The headers of the caller, and the position where it goes into a header.
    pub headers: HeaderMap,
    /// The JSON body, if the request has one.
    pub body: Option<Value>,
}

impl PageRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        PageRequest {
            method,
            url,
            headers: HeaderMap::new(),
            body: None,
        }
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.url
            .query_pairs()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
    }

    /// Sets a query parameter, in the place of all of the same name. The other parameters keep their spelling to the byte.
    pub fn set_query(&mut self, name: &str, value: &str) {
        let ours = format!("{}={}", encode(name), encode(value));
        let mut ours = Some(ours);
        let mut parts = Vec::new();
        for part in self
            .url
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|part| !part.is_empty())
        {
            if decoded_name(part) != name {
                parts.push(part.to_owned());
            } else if let Some(ours) = ours.take() {
                parts.push(ours);
            }
        }
        parts.extend(ours);
        self.url.set_query(Some(&parts.join("&")));
    }

    /// Adds a query parameter at the end. The other parameters keep their spelling to the byte.
    pub fn append_query(&mut self, name: &str, value: &str) {
        let ours = format!("{}={}", encode(name), encode(value));
        let query = match self.url.query() {
            None | Some("") => ours,
            Some(query) => format!("{query}&{ours}"),
        };
        self.url.set_query(Some(&query));
    }

    /// Sets a header, in the place of all of the same name.
    ///
    /// # Errors
    /// [`ErrorKind::Setting`] for a name, [`ErrorKind::Position`] for a value that no header can hold.
    pub fn set_header(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let name = HeaderName::try_from(name).map_err(|_| {
            Error::new(
                ErrorKind::Setting,
                format!("`{name}` is no name for a header"),
            )
        })?;
        let value = HeaderValue::try_from(value).map_err(|_| {
            Error::new(
                ErrorKind::Position,
                format!("the position cannot stand in the header `{name}`"),
            )
        })?;
        self.headers.insert(name, value);
        Ok(())
    }

    /// A member of the JSON body by its dotted path (`paging.after`).
    pub fn body_at(&self, path: &str) -> Option<&Value> {
        path.split('.')
            .try_fold(self.body.as_ref()?, |value, key| value.get(key))
    }

    /// Sets a member of the JSON body by its dotted path (`paging.after`). Objects on the way are made; a request without
    /// body gets one.
    ///
    /// # Errors
    /// [`ErrorKind::Setting`] where the body, or a value on the way, is no object.
    pub fn set_body(&mut self, path: &str, value: Value) -> Result<(), Error> {
        let no_object = |at: &str| {
            Error::new(
                ErrorKind::Setting,
                format!(
                    "`{path}` cannot be set in the request's body: {at} is no object; look at `param` and `paramIn`"
                ),
            )
        };
        let mut place = self.body.get_or_insert_with(|| Value::Object(Map::new()));
        let mut at = "the body";
        for key in path.split('.') {
            let object = place.as_object_mut().ok_or_else(|| no_object(at))?;
            place = object
                .entry(key)
                .or_insert_with(|| Value::Object(Map::new()));
            at = key;
        }
        *place = value;
        Ok(())
    }
}

/// Percent-encodes for a query. A space becomes `%20`: every server reads that, and not every one reads `+`.
fn encode(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

fn decoded_name(part: &str) -> String {
    form_urlencoded::parse(part.as_bytes())
        .next()
        .map(|(name, _)| name.into_owned())
        .unwrap_or_default()
}

impl fmt::Debug for PageRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self
            .url
            .query_pairs()
            .map(|(name, _)| name.into_owned())
            .collect();
        f.debug_struct("PageRequest")
            .field("method", &self.method)
            .field("origin", &self.url.origin().ascii_serialization())
            .field("path", &self.url.path())
            .field("query", &parameters)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("body", &self.body.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str) -> PageRequest {
        PageRequest::new(Method::GET, Url::parse(url).unwrap())
    }

    #[test]
    fn setting_a_parameter_replaces_all_of_its_name_and_leaves_the_others_as_they_were_written() {
        let mut request = request("https://h/a?$filter=x%20eq+1&page%5Bafter%5D=1&b&page[after]=2");
        request.set_query("page[after]", "a+b c/&=");
        assert_eq!(
            request.url.query(),
            Some("$filter=x%20eq+1&page%5Bafter%5D=a%2Bb%20c%2F%26%3D&b")
        );
        assert_eq!(request.query("page[after]").as_deref(), Some("a+b c/&="));
    }

    #[test]
    fn a_parameter_is_added_behind_those_that_are_there() {
        let mut request = request("https://h/a");
        for value in ["project = X", "1+1"] {
            request.append_query("jql", value);
        }
        assert_eq!(request.url.query(), Some("jql=project%20%3D%20X&jql=1%2B1"));
    }

    #[test]
    fn setting_a_parameter_starts_a_query() {
        let mut request = request("https://h/a");
        request.set_query("page", "1");
        assert_eq!(request.url.as_str(), "https://h/a?page=1");
    }

    #[test]
    fn body_members_are_set_by_dotted_path() {
        let mut request = request("https://h/a");
        request.set_body("paging.after", Value::from("x")).unwrap();
        request.set_body("limit", Value::from(5)).unwrap();
        assert_eq!(
            request.body,
            Some(serde_json::json!({"paging": {"after": "x"}, "limit": 5}))
        );
        assert_eq!(request.body_at("paging.after"), Some(&Value::from("x")));
        assert_eq!(
            request.set_body("limit.x", Value::Null).unwrap_err().kind(),
            ErrorKind::Setting
        );
        request.body = Some(serde_json::json!([1]));
        assert_eq!(
            request.set_body("limit", Value::Null).unwrap_err().kind(),
            ErrorKind::Setting
        );
    }

    #[test]
    fn debug_shows_no_value() {
        let mut request = request("https://user:canary1@h/a?key=canary2#canary3");
        request.set_header("x-api-key", "canary4").unwrap();
        request.set_body("token", Value::from("canary5")).unwrap();
        let text = format!("{request:?}");
        assert!(text.contains("/a") && text.contains("key"), "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
