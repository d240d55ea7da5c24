//! A request with parameters: in its path, its query, its headers and its JSON body.

use std::fmt;

use serde_json::Value;

use crate::value::Bindings;
use crate::{Error, ErrorKind, PathTemplate};

/// Text with `{name}` in it, outside of paths. Braces around anything but a known name are text, as GraphQL and JSON have them.
#[derive(Clone, Debug)]
pub struct TextTemplate {
    parts: Vec<Part>,
}

#[derive(Clone, Debug)]
enum Part {
    Literal(String),
    /// What stands between the braces.
    Parameter(String),
}

impl TextTemplate {
    /// Reads text in which `{name}` of these names stands for a value; of a window also `{name.from}` and `{name.to}`.
    pub fn parse(text: &str, names: &[&str]) -> TextTemplate {
        let mut parts = Vec::new();
        let (mut literal, mut rest) = (String::new(), text);
        while let Some(at) = rest.find('{') {
            let inside = &rest[at + 1..];
            let name = inside.find('}').map(|end| &inside[..end]);
            match name.filter(|name| names.contains(&base(name))) {
                Some(name) => {
                    literal.push_str(&rest[..at]);
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(Part::Parameter(name.to_owned()));
                    rest = &inside[name.len() + 1..];
                }
                None => {
                    literal.push_str(&rest[..=at]);
                    rest = inside;
                }
            }
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        TextTemplate { parts }
    }

    /// The names of the parameters in it.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.placeholders().map(base)
    }

    /// What stands between braces: names of parameters, with `.from` or `.to` where an end is asked for.
    fn placeholders(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Parameter(placeholder) => Some(placeholder.as_str()),
        })
    }

    /// The text with its values.
    ///
    /// # Errors
    /// [`ErrorKind::MissingValue`], and [`ErrorKind::Value`] for a value that is empty: most APIs read an empty condition as none.
    pub fn expand(&self, values: &Bindings) -> Result<String, Error> {
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Parameter(name) => text.push_str(value_of(name, values)?),
            }
        }
        Ok(text)
    }

    /// The one placeholder, where the text is nothing else.
    fn alone(&self) -> Option<&str> {
        match self.parts.as_slice() {
            [Part::Parameter(name)] => Some(name),
            _ => None,
        }
    }
}

/// `day` of `day.to`.
fn base(placeholder: &str) -> &str {
    let end = placeholder.rsplit_once('.');
    match end {
        Some((name, "from" | "to")) => name,
        _ => placeholder,
    }
}

fn value_of<'a>(name: &str, values: &'a Bindings) -> Result<&'a str, Error> {
    let value = values.text(name).ok_or_else(|| {
        Error::new(
            ErrorKind::MissingValue,
            format!("no value was given for {{{name}}}"),
        )
    })?;
    if value.is_empty() {
        return Err(refused(name, IS_EMPTY));
    }
    Ok(value)
}

const IS_EMPTY: &str = "is empty; leave such parents out by the filter";
const HOLDS_CONTROL: &str = "holds a control character";

fn refused(name: &str, why: &str) -> Error {
    Error::new(ErrorKind::Value, format!("the value for {{{name}}} {why}"))
}

/// How a list is asked for, with parameters in it.
///
/// ```
/// use longshore_nested::{Binding, Bindings, Item, PathTemplate, RequestTemplate};
/// use serde_json::json;
///
/// let path = PathTemplate::parse("/orgs/{org}/members").unwrap();
/// let members = RequestTemplate::new(path, &["org", "team"])
///     .query("team", "{team}")
///     .header("x-team", "team-{team}")
///     .body(json!({"filter": {"team": "{team}"}}));
/// let values = Bindings::default()
///     .with(Binding::new("org".into(), Item::text("a/b")))
///     .with(Binding::new("team".into(), Item { text: "7".into(), is_number: true }));
/// let request = members.expand(&values).unwrap();
/// assert_eq!(request.path, "/orgs/a%2Fb/members");
/// assert_eq!(request.query, [("team".to_owned(), "7".to_owned())]);
/// assert_eq!(request.headers, [("x-team".to_owned(), "team-7".to_owned())]);
/// assert_eq!(request.body, Some(json!({"filter": {"team": 7}})));
/// ```
#[derive(Clone)]
pub struct RequestTemplate {
    path: PathTemplate,
    names: Vec<String>,
    query: Vec<(String, TextTemplate)>,
    headers: Vec<(String, TextTemplate)>,
    body: Option<Value>,
}

/// A request with its values in it.
#[derive(Clone, Default, PartialEq)]
pub struct ChildRequest {
    /// Path and query of the path, encoded, to be joined to the base URL.
    pub path: String,
    /// Further query parameters, not encoded.
    pub query: Vec<(String, String)>,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// The JSON body.
    pub body: Option<Value>,
}

// Values of query, headers and body may be secret: their names say what is asked for.
impl fmt::Debug for RequestTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestTemplate")
            .field("path", &without_query(self.path.as_str()))
            .field("names", &self.names)
            .field("query", &names(&self.query))
            .field("headers", &names(&self.headers))
            .field("body", &self.body.is_some())
            .finish()
    }
}

impl fmt::Debug for ChildRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildRequest")
            .field("path", &without_query(&self.path))
            .field("query", &names(&self.query))
            .field("headers", &names(&self.headers))
            .field("body", &self.body.is_some())
            .finish()
    }
}

fn without_query(path: &str) -> &str {
    path.split('?').next().unwrap_or_default()
}

fn names<T>(pairs: &[(String, T)]) -> Vec<&str> {
    pairs.iter().map(|(name, _)| name.as_str()).collect()
}

impl RequestTemplate {
    /// A request for this path. Outside of it `{name}` stands for a value where the name is one of these.
    pub fn new(path: PathTemplate, names: &[&str]) -> Self {
        RequestTemplate {
            path,
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
        }
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: &str, value: &str) -> Self {
        let value = self.text(value);
        self.query.push((name.to_owned(), value));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let value = self.text(value);
        self.headers.push((name.to_owned(), value));
        self
    }

    /// Sets the JSON body. A text that is nothing but `{name}` becomes the value as the parent has it, a number as a number; in an array, one
    /// element for each value of a batch.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn text(&self, text: &str) -> TextTemplate {
        let names: Vec<&str> = self.names.iter().map(String::as_str).collect();
        TextTemplate::parse(text, &names)
    }

    /// The path as written.
    pub fn path(&self) -> &PathTemplate {
        &self.path
    }

    /// The names of the parameters that it is asked for with, each once.
    pub fn parameters(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let path = self.path.parameters().into_iter().map(base);
        let texts = self.query.iter().chain(&self.headers);
        let texts = texts.flat_map(|(_, text)| text.parameters());
        for name in path.chain(texts) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let in_body: Vec<String> = self
            .body
            .iter()
            .flat_map(|body| self.in_body(body))
            .collect();
        for name in &self.names {
            let is_in_body = in_body.iter().any(|placeholder| base(placeholder) == name);
            if is_in_body && !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The names of the parameters of which it asks for an end, as `{name.from}` or `{name.to}`: only windows of time have ends.
    pub fn parameters_with_ends(&self) -> Vec<String> {
        let path = self.path.parameters().into_iter().map(str::to_owned);
        let texts = self.query.iter().chain(&self.headers);
        let texts = texts.flat_map(|(_, text)| text.placeholders().map(str::to_owned));
        let body = self.body.iter().flat_map(|body| self.in_body(body));
        let mut names: Vec<String> = Vec::new();
        for placeholder in path.chain(texts).chain(body) {
            let name = base(&placeholder);
            if name != placeholder && !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The names of the parameters that stand in text, where the values of a batch are joined. In an array of a body they are its elements.
    pub fn parameters_in_text(&self) -> Vec<String> {
        let path = self.path.parameters().into_iter().map(base);
        let texts = self.query.iter().chain(&self.headers);
        let texts = texts.flat_map(|(_, text)| text.parameters());
        let mut names: Vec<String> = path.chain(texts).map(str::to_owned).collect();
        if let Some(body) = &self.body {
            self.texts_of_body(body, &mut names);
        }
        names
    }

    fn texts_of_body(&self, body: &Value, names: &mut Vec<String>) {
        match body {
            Value::String(text) => names.extend(self.text(text).parameters().map(str::to_owned)),
            Value::Array(items) => {
                let is_element = |item: &Value| {
                    let text = item.as_str().map(|text| self.text(text));
                    text.is_some_and(|text| text.alone().is_some())
                };
                let others = items.iter().filter(|item| !is_element(item));
                others.for_each(|item| self.texts_of_body(item, names));
            }
            Value::Object(members) => {
                let values = members.values();
                values.for_each(|value| self.texts_of_body(value, names));
            }
            _ => {}
        }
    }

    /// What stands between braces in the body.
    fn in_body(&self, body: &Value) -> Vec<String> {
        match body {
            Value::String(text) => {
                let text = self.text(text);
                text.placeholders().map(str::to_owned).collect()
            }
            Value::Array(items) => items.iter().flat_map(|item| self.in_body(item)).collect(),
            Value::Object(members) => members
                .values()
                .flat_map(|item| self.in_body(item))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Whether a value may stand for a parameter, by itself or as one of a batch; of what the request is not asked for with, any may.
    ///
    /// # Errors
    /// [`ErrorKind::Value`], as of [`RequestTemplate::expand`].
    pub fn check(&self, name: &str, value: &str) -> Result<(), Error> {
        if !self.parameters().contains(&name) {
            return Ok(());
        }
        if value.is_empty() {
            return Err(refused(name, IS_EMPTY));
        }
        self.path.check(name, value)?;
        let mut texts = self.query.iter().chain(&self.headers);
        let is_in_text = texts.any(|(_, text)| text.parameters().any(|used| used == name));
        match is_in_text && value.chars().any(char::is_control) {
            true => Err(refused(name, HOLDS_CONTROL)),
            false => Ok(()),
        }
    }

    /// The request with these values in it.
    ///
    /// # Errors
    /// [`ErrorKind::MissingValue`] for a parameter without value, [`ErrorKind::Value`] for one that is refused: see
    /// [`PathTemplate::expand`]; elsewhere than in the path, an empty one, and in query and headers one with control characters.
    pub fn expand(&self, values: &Bindings) -> Result<ChildRequest, Error> {
        let in_path = self.path.parameters();
        let in_path: Vec<(&str, &str)> = in_path
            .into_iter()
            .filter_map(|name| values.text(name).map(|value| (name, value)))
            .collect();
        let texts = |pairs: &[(String, TextTemplate)]| -> Result<Vec<(String, String)>, Error> {
            let texts = pairs.iter().map(|(name, text)| {
                for parameter in &text.parts {
                    if let Part::Parameter(name) = parameter
                        && value_of(name, values)?.chars().any(char::is_control)
                    {
                        return Err(refused(name, HOLDS_CONTROL));
                    }
                }
                Ok((name.clone(), text.expand(values)?))
            });
            texts.collect()
        };
        Ok(ChildRequest {
            path: self.path.expand(&in_path)?,
            query: texts(&self.query)?,
            headers: texts(&self.headers)?,
            body: match &self.body {
                None => None,
                Some(body) => Some(self.expand_body(body, values)?),
            },
        })
    }

    fn expand_body(&self, body: &Value, values: &Bindings) -> Result<Value, Error> {
        Ok(match body {
            Value::String(text) => {
                let text = self.text(text);
                match text.alone() {
                    Some(name) => {
                        let whole = value_of(name, values)?;
                        match values.only_item(name) {
                            Some(item) => item.to_json(),
                            None => Value::from(whole),
                        }
                    }
                    None => Value::from(text.expand(values)?),
                }
            }
            Value::Array(items) => {
                let mut expanded = Vec::with_capacity(items.len());
                for item in items {
                    let text = item.as_str().map(|text| self.text(text));
                    let batch = text.as_ref().and_then(TextTemplate::alone);
                    match batch.and_then(|name| Some((name, values.items(name)?))) {
                        Some((name, batch)) => {
                            value_of(name, values)?;
                            expanded.extend(batch.iter().map(|item| item.to_json()));
                        }
                        None => expanded.push(self.expand_body(item, values)?),
                    }
                }
                Value::Array(expanded)
            }
            Value::Object(members) => {
                let members = members
                    .iter()
                    .map(|(key, value)| Ok((key.clone(), self.expand_body(value, values)?)));
                Value::Object(members.collect::<Result<_, Error>>()?)
            }
            other => other.clone(),
        })
    }
}

impl ChildRequest {
    /// What tells it from other requests of the same template. In which order different query parameters stand is no difference, nor are a slash
    /// in front of the path and the case of a header's name.
    pub fn identity(&self) -> String {
        let more = |pairs: &[(String, String)]| match pairs.is_empty() {
            true => String::new(),
            false => format!(" {pairs:?}"),
        };
        let mut query = self.query.clone();
        query.sort_by(|one, other| one.0.cmp(&other.0));
        let headers = self.headers.iter();
        let mut headers: Vec<(String, String)> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
            .collect();
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        let body = self.body.as_ref().map(|body| format!(" {body}"));
        format!(
            "{}{}{}{}",
            self.path.trim_start_matches('/'),
            more(&query),
            more(&headers),
            body.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template(path: &str, names: &[&str]) -> RequestTemplate {
        RequestTemplate::new(PathTemplate::parse(path).unwrap(), names)
    }

    #[test]
    fn debug_output_names_what_is_asked_for_and_shows_no_value() {
        let path = PathTemplate::parse("/users/{id}?sig=CANARY").unwrap();
        let template = RequestTemplate::new(path, &["id"])
            .query("key", "CANARY-{id}")
            .header("x-key", "CANARY")
            .body(serde_json::json!({"key": "CANARY"}));
        let values =
            Bindings::default().with(crate::Binding::new("id".into(), crate::Item::text("7")));
        let request = template.expand(&values).unwrap();
        for printed in [format!("{template:?}"), format!("{request:?}")] {
            assert!(!printed.contains("CANARY"), "{printed}");
            assert!(
                printed.contains("key") && printed.contains("x-key"),
                "{printed}"
            );
        }
    }

    #[test]
    fn what_stands_alone_in_an_array_of_the_body_is_in_no_text() {
        let names = ["a", "b", "c", "d", "e", "f", "g"];
        let template = template("/x/{a}", &names)
            .query("q", "is:{b}")
            .header("x-c", "{c}")
            .body(json!({"alone": "{d}", "longer": ["id {e}"], "elements": [["{f}"], "{g}"]}));
        assert_eq!(template.parameters_in_text(), ["a", "b", "c", "d", "e"]);
    }

    #[test]
    fn requests_whose_query_differs_in_order_only_are_the_same() {
        let asked = |query: &[(&str, &str)]| {
            let template = template("/x", &[]);
            let template = query.iter().fold(template, |template, (name, value)| {
                template.query(name, value)
            });
            template.expand(&Bindings::default()).unwrap().identity()
        };
        assert_eq!(
            asked(&[("a", "1"), ("b", "2")]),
            asked(&[("b", "2"), ("a", "1")])
        );
        assert_ne!(
            asked(&[("a", "1"), ("a", "2")]),
            asked(&[("a", "2"), ("a", "1")])
        );
        assert_ne!(
            asked(&[("a", "1"), ("b", "2")]),
            asked(&[("a", "2"), ("b", "1")])
        );
    }
}
