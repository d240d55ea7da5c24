use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use longshore_transport::{Generation, Renewal, Request, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use crate::{Authenticator, Error, ErrorKind};

/// What is put on a request: headers, query parameters, cookies, members of its JSON body.
///
/// Everything is checked when it is added, so putting it on fails for one reason only: a body that takes no members. What is there
/// under the same name is replaced, so a request that is authenticated twice carries each part once.
///
/// As an [`Authenticator`] it is a credential that never changes. `Debug` shows names and no values.
///
/// ```
/// use longshore_auth::Credential;
/// use longshore_transport::{Request, parse_url};
///
/// # fn main() -> Result<(), longshore_auth::Error> {
/// let credential = Credential::new().header("X-Api-Key", "s3cret")?.query("account", "42")?;
/// let mut request = Request::new(http::Method::GET, parse_url("https://api.example.com/users?page=2")?);
/// credential.put_on(&mut request)?;
/// assert_eq!(request.url.as_str(), "https://api.example.com/users?page=2&account=42");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct Credential {
    /// Marked sensitive.
    headers: Vec<(HeaderName, HeaderValue)>,
    query: Vec<(String, SecretString)>,
    cookies: Vec<(String, SecretString)>,
    body: Map<String, Value>,
}

impl Credential {
    /// Nothing yet.
    pub fn new() -> Credential {
        Credential::default()
    }

    /// Adds a header, marked sensitive.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name or a value that cannot be sent: see [`header`].
    pub fn header(mut self, name: &str, value: &str) -> Result<Credential, Error> {
        let (name, mut value) = header(name, value)?;
        value.set_sensitive(true);
        self.headers.retain(|(known, _)| *known != name);
        self.headers.push((name, value));
        Ok(self)
    }

    /// Adds a query parameter.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an empty name.
    pub fn query(
        mut self,
        name: &str,
        value: impl Into<SecretString>,
    ) -> Result<Credential, Error> {
        if name.is_empty() {
            return config("the query parameter of a credential has no name");
        }
        self.query.retain(|(known, _)| known != name);
        self.query.push((name.to_owned(), value.into()));
        Ok(self)
    }

    /// Adds a cookie (RFC 6265 §4.2.1). Other cookies of a request stay.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that is no token, and for a value with white space, control characters or one of `",;\`.
    pub fn cookie(
        mut self,
        name: &str,
        value: impl Into<SecretString>,
    ) -> Result<Credential, Error> {
        let value = value.into();
        if HeaderName::from_bytes(name.as_bytes()).is_err() {
            return config(
                "the name of a cookie may hold letters, digits and -_.!#$%&'*+^`|~ only",
            );
        }
        let odd = |c: char| !c.is_ascii_graphic() || matches!(c, '"' | ',' | ';' | '\\');
        let bare = value.expose_secret();
        // RFC 6265 allows the whole value to stand in quotes.
        let bare = match bare
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
        {
            Some(quoted) => quoted,
            None => bare,
        };
        if bare.contains(odd) {
            return config(
                "the value of a cookie holds a character that cookies cannot hold (white space, a comma, a semicolon, a quote); \
                 write it as the API's own Set-Cookie does",
            );
        }
        self.cookies.retain(|(known, _)| known != name);
        self.cookies.push((name.to_owned(), value));
        Ok(self)
    }

    /// Adds a member of the JSON body; a dot in the name goes one object down.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that is empty or has an empty part.
    pub fn body_member(self, name: &str, value: impl Into<Value>) -> Result<Credential, Error> {
        if name.split('.').any(str::is_empty) {
            return config(
                "the name of a member of the body is empty, or has nothing between two dots",
            );
        }
        let mut path = name.rsplit('.');
        // `rsplit` gives at least one part.
        let last = path.next().unwrap_or_default().to_owned();
        let innermost = Map::from_iter([(last, value.into())]);
        let members = path.fold(innermost, |below, part| {
            Map::from_iter([(part.to_owned(), Value::Object(below))])
        });
        Ok(self.body(members))
    }

    /// Adds members of the JSON body. Objects on both sides become one.
    pub fn body(mut self, members: Map<String, Value>) -> Credential {
        merge(&mut self.body, &members);
        self
    }

    /// Adds the parts of another one.
    pub fn and(mut self, other: Credential) -> Credential {
        for (name, value) in other.headers {
            self.headers.retain(|(known, _)| *known != name);
            self.headers.push((name, value));
        }
        for (ours, theirs) in [
            (&mut self.query, other.query),
            (&mut self.cookies, other.cookies),
        ] {
            for (name, value) in theirs {
                ours.retain(|(known, _)| *known != name);
                ours.push((name, value));
            }
        }
        self.body(other.body)
    }

    /// Puts everything on `request`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when members go into the body and that is no JSON object.
    pub fn put_on(&self, request: &mut Request) -> Result<(), Error> {
        if !self.body.is_empty() {
            self.put_into_body(request)?;
        }
        for (name, value) in &self.headers {
            request.headers.insert(name.clone(), value.clone());
        }
        for (name, value) in &self.query {
            set_query(&mut request.url, name, value.expose_secret());
        }
        if !self.cookies.is_empty() {
            self.put_cookies(request)?;
        }
        Ok(())
    }

    fn put_into_body(&self, request: &mut Request) -> Result<(), Error> {
        let mut members = match &request.body {
            None => Map::new(),
            Some(body) => match serde_json::from_slice(body) {
                Ok(Value::Object(members)) => members,
                _ => {
                    return config(
                        "the credential goes into the JSON body, and the request has a body that is no JSON object",
                    );
                }
            },
        };
        merge(&mut members, &self.body);
        request
            .headers
            .entry(CONTENT_TYPE)
            .or_insert(HeaderValue::from_static("application/json"));
        request.body = Some(Bytes::from(Value::Object(members).to_string()));
        Ok(())
    }

    fn put_cookies(&self, request: &mut Request) -> Result<(), Error> {
        let ours = |pair: &str| {
            let name = pair.split('=').next().unwrap_or_default().trim();
            self.cookies.iter().any(|(known, _)| known == name)
        };
        let there: Vec<String> = request
            .headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| std::str::from_utf8(value.as_bytes()).ok())
            .flat_map(|value| value.split(';'))
            .map(|pair| pair.trim().to_owned())
            .filter(|pair| !pair.is_empty() && !ours(pair))
            .collect();
        let cookies: Vec<String> = there
            .into_iter()
            .chain(
                self.cookies
                    .iter()
                    .map(|(name, value)| format!("{name}={}", value.expose_secret())),
            )
            .collect();
        let (name, mut value) = header(COOKIE.as_str(), &cookies.join("; "))?;
        value.set_sensitive(true);
        request.headers.insert(name, value);
        Ok(())
    }
}

/// The generation of what is never renewed.
pub(crate) const FIXED: Generation = Generation(0);

#[async_trait]
impl Authenticator for Credential {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        self.put_on(request)?;
        Ok(FIXED)
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, Error> {
        Ok(Renewal::Unchanged)
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |pairs: &[(String, SecretString)]| -> Vec<String> {
            pairs.iter().map(|(name, _)| name.clone()).collect()
        };
        let headers: Vec<&str> = self.headers.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Credential")
            .field("headers", &headers)
            .field("query", &names(&self.query))
            .field("cookies", &names(&self.cookies))
            .field("body", &self.body.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// Sets a parameter in the place of the first of its name; the text of the others stays as it is.
fn set_query(url: &mut Url, name: &str, value: &str) {
    let mut pair = Some(query_pair(name, value));
    let mut pairs: Vec<String> = Vec::new();
    for text in url.query().unwrap_or_default().split('&') {
        let is_it = url::form_urlencoded::parse(text.as_bytes())
            .next()
            .is_some_and(|(known, _)| known == name);
        match is_it {
            true => pairs.extend(pair.take()),
            false if text.is_empty() => {}
            false => pairs.push(text.to_owned()),
        }
    }
    pairs.extend(pair);
    url.set_query(Some(&pairs.join("&")));
}

/// Adds a parameter at the end.
pub(crate) fn append_query(url: &mut Url, name: &str, value: &str) {
    let pair = query_pair(name, value);
    let query = match url.query() {
        None | Some("") => pair,
        Some(query) => format!("{query}&{pair}"),
    };
    url.set_query(Some(&query));
}

/// Every server reads `%20` as a space, and not every one reads a plus sign so.
fn query_pair(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish()
        .replace('+', "%20")
}

fn merge(into: &mut Map<String, Value>, members: &Map<String, Value>) {
    for (name, value) in members {
        match (into.get_mut(name), value) {
            (Some(Value::Object(there)), Value::Object(more)) => merge(there, more),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

pub(crate) fn config<T>(message: impl Into<String>) -> Result<T, Error> {
    Err(Error::new(ErrorKind::Config, message))
}

#[cfg(test)]
mod tests {
    use http::Method;
    use serde_json::json;

    use super::*;

    fn request(url: &str) -> Request {
        Request::new(Method::POST, url.parse().unwrap())
    }

    #[test]
    fn a_query_parameter_replaces_its_namesakes_and_leaves_the_others_as_written() {
        for (before, after) in [
            ("https://h/a", "https://h/a?key=s%2F%2B%3D%20x"),
            (
                "https://h/a?b=%20&c",
                "https://h/a?b=%20&c&key=s%2F%2B%3D%20x",
            ),
            (
                "https://h/a?key=old&b=1&k%65y=older",
                "https://h/a?key=s%2F%2B%3D%20x&b=1",
            ),
        ] {
            let credential = Credential::new().query("key", "s/+= x".to_owned()).unwrap();
            let mut request = request(before);
            for _ in 0..2 {
                credential.put_on(&mut request).unwrap();
                assert_eq!(request.url.as_str(), after);
            }
        }
    }

    #[test]
    fn cookies_of_others_stay_and_ours_come_once() {
        let credential = Credential::new()
            .cookie("sid", "s3cret==".to_owned())
            .unwrap();
        let mut request = request("https://h/");
        request
            .headers
            .append(COOKIE, "a=1; sid=old".parse().unwrap());
        request.headers.append(COOKIE, "b=2".parse().unwrap());
        for _ in 0..2 {
            credential.put_on(&mut request).unwrap();
            assert_eq!(request.headers[COOKIE], "a=1; b=2; sid=s3cret==");
            assert_eq!(request.headers.get_all(COOKIE).iter().count(), 1);
            assert!(request.headers[COOKIE].is_sensitive());
        }
        for bad in ["a b", "a;b", "a,b", "a\r\nb", "a\"b", "ü"] {
            let error = Credential::new().cookie("sid", bad.to_owned()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(!error.to_string().contains(bad));
        }
        assert!(Credential::new().cookie("a=b", "c".to_owned()).is_err());
        assert!(Credential::new().cookie("a", "\"c\"".to_owned()).is_ok());
    }

    #[test]
    fn members_of_the_body_are_merged_and_other_bodies_are_refused() {
        let credential = Credential::new()
            .body_member("auth.key", "s3cret")
            .unwrap()
            .body_member("auth.user", "ada")
            .unwrap();
        let mut with_body =
            request("https://h/").with_json(&json!({"auth": {"tenant": 1, "key": "?"}, "n": 2}));
        credential.put_on(&mut with_body).unwrap();
        let body: Value = serde_json::from_slice(with_body.body.as_deref().unwrap()).unwrap();
        assert_eq!(
            body,
            json!({"auth": {"tenant": 1, "key": "s3cret", "user": "ada"}, "n": 2})
        );

        let mut without = request("https://h/");
        credential.put_on(&mut without).unwrap();
        let body: Value = serde_json::from_slice(without.body.as_deref().unwrap()).unwrap();
        assert_eq!(body, json!({"auth": {"key": "s3cret", "user": "ada"}}));
        assert_eq!(without.headers[CONTENT_TYPE], "application/json");

        for odd in ["[1]", "text", ""] {
            let mut other = request("https://h/");
            other.body = Some(Bytes::from(odd));
            let error = credential.put_on(&mut other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{odd}");
        }
        for bad in ["", ".a", "a.", "a..b"] {
            assert!(Credential::new().body_member(bad, "x").is_err(), "{bad}");
        }
    }

    #[test]
    fn debug_shows_names_alone() {
        let credential = Credential::new()
            .header("X-Key", "s3cret")
            .and_then(|c| c.query("q", "s3cret".to_owned()))
            .and_then(|c| c.cookie("c", "s3cret".to_owned()))
            .and_then(|c| c.body_member("b", "s3cret"))
            .unwrap();
        let shown = format!("{credential:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(shown.contains("x-key"), "{shown}");
    }
}
