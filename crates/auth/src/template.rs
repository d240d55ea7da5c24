//! Text with `{{.path}}` in it, filled from the answer of a login.

use std::fmt;
use std::time::Duration;

use longshore_jq::{Filter, Val};
use longshore_transport::{BadSegment, is_absolute, path_segment};
use serde_json::{Map, Value};
use url::Url;

use crate::credential::config;
use crate::expiry::Made;
use crate::token_request::TokenAnswer;
use crate::{Error, ErrorKind, expiry};

/// How many keys of an answer an error names.
const SHOWN_KEYS: usize = 20;
/// Longer names of keys, and those with other characters than names have, are data.
const LONGEST_KEY: usize = 40;

/// Text that may hold `{{.path}}`, several times: jq over the answer of a login, beginning with a dot.
///
/// `Debug` shows the paths and nothing of the text around them.
#[derive(Clone)]
pub struct Template(Vec<Part>);

#[derive(Clone)]
enum Part {
    Text(String),
    Path(Filter),
}

/// How what an answer gives goes into the text around it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fill {
    /// As it is.
    Plain,
    /// As a value of a form (`application/x-www-form-urlencoded`).
    Form,
    /// As a part of one segment of a path, or of a value of a query.
    Url,
}

impl Template {
    /// Checks a text and compiles its paths.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for `{{` without `}}`, for nothing between them, for a path without its dot (`{{access_token}}`) and for
    /// one that is no jq.
    pub fn parse(text: &str) -> Result<Template, Error> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, from)) = rest.split_once("{{") {
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            let (filter, after) = path(from)?;
            parts.push(Part::Path(filter));
            rest = after;
        }
        if rest.contains("}}") {
            return config(
                "holds `}}` without `{{` before it; a path of the answer is written {{.access_token}}",
            );
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Template(parts))
    }

    /// Text as it is, whatever it holds.
    pub fn literal(text: impl Into<String>) -> Template {
        Template(vec![Part::Text(text.into())])
    }

    /// Whether nothing of an answer goes into it.
    pub fn is_literal(&self) -> bool {
        self.0.iter().all(|part| matches!(part, Part::Text(_)))
    }

    /// The text with `value` wherever an answer's would be.
    fn with(&self, value: &str) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Path(_) => value,
        });
        parts.collect()
    }

    pub(crate) fn fill(&self, answer: &Answers, fill: Fill) -> Result<String, Error> {
        let mut text = String::new();
        for part in &self.0 {
            match part {
                Part::Text(part) => text.push_str(part),
                Part::Path(filter) => {
                    let found = answer.text(filter)?;
                    match fill {
                        Fill::Plain => text.push_str(&found),
                        Fill::Form => {
                            text.extend(url::form_urlencoded::byte_serialize(found.as_bytes()));
                        }
                        Fill::Url => match path_segment(&found) {
                            Ok(found) => text.push_str(&found),
                            Err(why) => return Err(answer.unusable(filter, why)),
                        },
                    }
                }
            }
        }
        Ok(text)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.0.iter().filter_map(|part| match part {
            Part::Path(filter) => Some(filter.source()),
            Part::Text(_) => None,
        });
        f.debug_list().entries(paths).finish()
    }
}

/// A URL that may hold `{{.path}}` behind its host: see [`Template`]. What an answer gives is percent-encoded, all but letters, digits and `-._~`, so that
/// it stays within its segment, and leads to no other origin.
#[derive(Clone, Debug)]
pub struct UrlTemplate {
    base: Option<Url>,
    text: Template,
    /// With `{}` for what answers give.
    pub(crate) sample: Url,
}

impl UrlTemplate {
    /// A whole URL, or a path under `base`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a text that is no [`Template`], is no URL whatever is filled in, or takes scheme, host or port from an answer.
    pub fn parse(base: Option<&Url>, text: &str) -> Result<UrlTemplate, Error> {
        let text = Template::parse(text)?;
        let samples = ["x", "y"].map(|value| resolve(base, &text.with(value)));
        let [Ok(one), Ok(other)] = samples else {
            // Without what answers give it may be told better what is wrong.
            resolve(base, &text.with(""))?;
            return config(
                "is no URL with what an answer gives; {{…}} may stand in the path and in the query only",
            );
        };
        if one.origin() != other.origin() {
            return config(
                "takes its host from an answer; {{…}} may stand in the path and in the query only",
            );
        }
        Ok(UrlTemplate {
            sample: resolve(base, &text.with("{}"))?,
            base: base.cloned(),
            text,
        })
    }

    pub(crate) fn fill(&self, answers: &Answers) -> Result<Url, Error> {
        let url = resolve(self.base.as_ref(), &self.text.fill(answers, Fill::Url)?)?;
        // Two parts of one segment may be dots together.
        let segments = |url: &Url| url.path().split('/').count();
        let same = url.origin() == self.sample.origin() && segments(&url) == segments(&self.sample);
        match same {
            true => Ok(url),
            false => Err(Error::new(
                ErrorKind::Login,
                "what an answer gave would change which path is asked for; it is refused",
            )),
        }
    }
}

fn resolve(base: Option<&Url>, text: &str) -> Result<Url, Error> {
    let is_whole = is_absolute(text);
    Ok(match base {
        Some(base) if !is_whole => longshore_transport::join(base, text)?,
        _ => longshore_transport::parse_url(text)?,
    })
}

/// The path that begins here, and what comes after its `}}`.
fn path(from: &str) -> Result<(Filter, &str), Error> {
    // jq may hold `}}` itself: the first end that leaves jq is the one.
    let mut first_problem = None;
    for (end, _) in from.match_indices("}}") {
        let inner = from[..end].trim();
        let problem = match inner.chars().next() {
            None => "holds {{}}; a path of the answer is written {{.access_token}}".to_owned(),
            Some('.') => match Filter::compile(inner) {
                Ok(filter) => return Ok((filter, &from[end + 2..])),
                Err(error) => format!("holds {{{{…}}}} with a path that is no jq: {error}"),
            },
            Some(_) => {
                "holds {{…}} with a path that does not begin with a dot; a path of the answer is written {{.access_token}}"
                    .to_owned()
            }
        };
        first_problem.get_or_insert(problem);
    }
    config(first_problem.unwrap_or_else(|| {
        "holds `{{` without `}}` after it; a path of the answer is written {{.access_token}}"
            .to_owned()
    }))
}

/// A JSON value whose texts, at any depth, are templates.
#[derive(Clone)]
pub struct JsonTemplate(Json);

#[derive(Clone)]
enum Json {
    Text(Template),
    Other(Value),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl JsonTemplate {
    /// Checks every text in a value. Names of members are taken as they are.
    ///
    /// # Errors
    ///
    /// Each text that is no template, with its path in the value (`.auth.token`, `.[0]`).
    pub fn parse(value: &Value) -> Result<JsonTemplate, Vec<(String, Error)>> {
        let mut problems = Vec::new();
        let json = Json::read(value, "", &Template::parse, &mut problems);
        match problems.is_empty() {
            true => Ok(JsonTemplate(json)),
            false => Err(problems),
        }
    }

    /// A value as it is, whatever its texts hold.
    pub fn literal(value: &Value) -> JsonTemplate {
        let literal = |text: &str| Ok(Template::literal(text));
        JsonTemplate(Json::read(value, "", &literal, &mut Vec::new()))
    }

    pub(crate) fn is_object(&self) -> bool {
        matches!(self.0, Json::Object(_))
    }

    pub(crate) fn fill(&self, answer: &Answers) -> Result<Value, Error> {
        self.0.fill(answer)
    }
}

impl Json {
    fn read(
        value: &Value,
        path: &str,
        text: &dyn Fn(&str) -> Result<Template, Error>,
        problems: &mut Vec<(String, Error)>,
    ) -> Json {
        match value {
            Value::String(string) => match text(string) {
                Ok(template) => Json::Text(template),
                Err(error) => {
                    problems.push((path.to_owned(), error));
                    Json::Other(Value::Null)
                }
            },
            Value::Array(items) => Json::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| {
                        Json::read(item, &format!("{path}[{index}]"), text, problems)
                    })
                    .collect(),
            ),
            Value::Object(members) => Json::Object(
                members
                    .iter()
                    .map(|(name, value)| {
                        let value = Json::read(value, &format!("{path}.{name}"), text, problems);
                        (name.clone(), value)
                    })
                    .collect(),
            ),
            other => Json::Other(other.clone()),
        }
    }

    fn fill(&self, answer: &Answers) -> Result<Value, Error> {
        Ok(match self {
            Json::Text(template) => Value::String(template.fill(answer, Fill::Plain)?),
            Json::Other(value) => value.clone(),
            Json::List(items) => items
                .iter()
                .map(|item| item.fill(answer))
                .collect::<Result<_, _>>()?,
            Json::Object(members) => members
                .iter()
                .map(|(name, value)| Ok((name.clone(), value.fill(answer)?)))
                .collect::<Result<Map<_, _>, Error>>()
                .map(Value::Object)?,
        })
    }
}

impl fmt::Debug for JsonTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JsonTemplate").finish_non_exhaustive()
    }
}

/// What the steps of a login have answered so far. Paths see the body of the last answer; where that is an object (or a path asks
/// for one of them), also `__headers`, `__cookies` and `__steps`, the bodies of all answers.
#[derive(Clone, Default)]
pub(crate) struct Answers {
    /// Which request the last answer came from, as it may be shown.
    asked: String,
    /// What the server said of an error in it.
    said: Option<String>,
    body: Val,
    headers: Val,
    cookies: Val,
    steps: Vec<Val>,
}

/// What paths find beside the body.
const BESIDE: [&str; 3] = ["__headers", "__cookies", "__steps"];

impl Answers {
    pub(crate) fn add(&mut self, asked: String, body: Val, headers: &http::HeaderMap) {
        let mut names = Map::new();
        for name in headers.keys() {
            if let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) {
                names.insert(name.to_string(), Value::from(value));
            }
        }
        let mut cookies = Map::new();
        for cookie in headers.get_all(http::header::SET_COOKIE) {
            // RFC 6265 §5.2: up to the first semicolon, and up to the first equals sign in it.
            let pair = cookie.to_str().unwrap_or_default().split(';').next();
            if let Some((name, value)) = pair.and_then(|pair| pair.split_once('=')) {
                cookies.insert(name.trim().to_owned(), Value::from(value.trim()));
            }
        }
        self.asked = asked;
        self.said = None;
        self.steps.push(body.clone());
        self.body = body;
        self.headers = Value::Object(names).into();
        self.cookies = Value::Object(cookies).into();
    }

    /// As [`add`](Answers::add), with what the server said of an error.
    pub(crate) fn add_answer(&mut self, answer: &TokenAnswer) {
        self.add(answer.asked.clone(), answer.body.clone(), &answer.headers);
        self.said.clone_from(&answer.said);
    }

    /// What `filter` finds, as text.
    pub(crate) fn text(&self, filter: &Filter) -> Result<String, Error> {
        let found = self.found(filter)?;
        if found.is_object() || found.as_array().is_some() {
            return Err(Error::new(
                ErrorKind::Login,
                format!(
                    "`{}` gives a value of type {} in the answer of {}; write a path to a text or a number in it",
                    filter.source(),
                    found.type_name(),
                    self.asked
                ),
            ));
        }
        let text = found.text().or_else(|| Some(found.as_bool()?.to_string()));
        match text {
            Some(text) if text.is_empty() => Err(Error::new(
                ErrorKind::Login,
                format!(
                    "`{}` gives an empty text in the answer of {}",
                    filter.source(),
                    self.asked
                ),
            )),
            Some(text) => Ok(text),
            None => Err(self.missing(filter.source())),
        }
    }

    /// The text of a member of the last answer.
    pub(crate) fn member(&self, name: &str) -> Result<String, Error> {
        match self.body.get(name).and_then(Val::text) {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(self.missing(&format!(".{name}"))),
        }
    }

    /// What `filter` finds, which is not null.
    fn found(&self, filter: &Filter) -> Result<Val, Error> {
        self.first(filter)?
            .filter(|found| !found.is_null())
            .ok_or_else(|| self.missing(filter.source()))
    }

    /// The lifetime that `filter` finds. `None`: null, nothing, zero or the past, so that nobody knows (R25).
    pub(crate) fn lifetime(&self, filter: &Filter, made: Made) -> Result<Option<Duration>, Error> {
        let found = self.first(filter)?.unwrap_or_default();
        let is_empty = found.is_null() || found.as_str().is_some_and(|text| text.trim().is_empty());
        if !is_empty && !expiry::is_lifetime(&found) {
            return Err(Error::new(
                ErrorKind::Login,
                format!(
                    "`{}` gives a value of type {} in the answer of {} that is neither a number of seconds nor a moment",
                    filter.source(),
                    found.type_name(),
                    self.asked
                ),
            ));
        }
        Ok(expiry::lifetime(&found, made))
    }

    fn missing(&self, path: &str) -> Error {
        let there = match self.body.is_null() {
            true => "the answer is empty".to_owned(),
            false => format!("there is {}", shown_keys(&self.body)),
        };
        let said = match &self.said {
            Some(said) => format!("; the server says: {said}"),
            None => String::new(),
        };
        let message = format!(
            "`{path}` finds nothing in the answer of {}; {there}{said}",
            self.asked
        );
        Error::new(ErrorKind::Login, message)
    }

    fn unusable(&self, filter: &Filter, why: BadSegment) -> Error {
        let message = format!(
            "what `{}` finds in the answer of {} {why}",
            filter.source(),
            self.asked
        );
        Error::new(ErrorKind::Login, message)
    }

    fn first(&self, filter: &Filter) -> Result<Option<Val>, Error> {
        filter.first(&self.input(filter)).map_err(|error| {
            let message = format!(
                "`{}` fails on the answer of {}: {error}; there is {}",
                filter.source(),
                self.asked,
                shown_keys(&self.body)
            );
            Error::new(ErrorKind::Login, message)
        })
    }

    fn input(&self, filter: &Filter) -> Val {
        let asks = BESIDE.iter().any(|name| filter.source().contains(name));
        if !asks {
            return self.body.clone();
        }
        let mut input = match self.body.is_object() {
            true => self.body.clone(),
            false => Value::Object(Map::new()).into(),
        };
        let steps = Val::from(self.steps.clone());
        for (name, value) in BESIDE.iter().zip([&self.headers, &self.cookies, &steps]) {
            input.insert(name, value.clone());
        }
        input
    }
}

/// The names of what is in an answer, never the values.
fn shown_keys(body: &Val) -> String {
    if !body.is_object() {
        return format!("a value of type {}", body.type_name());
    }
    let plain = |name: &str| {
        name.chars().count() <= LONGEST_KEY
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || "_-@$:#".contains(c))
    };
    let mut names = Vec::new();
    let mut hidden = 0;
    for name in body.keys() {
        let below: Vec<&str> = body.get(name).map(Val::keys).unwrap_or_default();
        let paths = std::iter::once(name.to_owned())
            .chain(below.iter().map(|inner| format!("{name}.{inner}")));
        for path in paths {
            match names.len() < SHOWN_KEYS && path.split('.').all(plain) {
                true => names.push(path),
                false => hidden += 1,
            }
        }
    }
    match (names.is_empty(), hidden) {
        (true, 0) => "nothing in it".to_owned(),
        (true, _) => format!("{hidden} more"),
        (false, 0) => names.join(", "),
        (false, _) => format!("{}, and {hidden} more", names.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;

    fn answers(body: Value) -> Answers {
        let mut answers = Answers::default();
        answers.add(
            "POST https://h/login".to_owned(),
            body.into(),
            &HeaderMap::new(),
        );
        answers
    }

    fn filled(text: &str, body: Value) -> Result<String, String> {
        let template = Template::parse(text).map_err(|error| error.to_string())?;
        template
            .fill(&answers(body), Fill::Plain)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn paths_are_replaced_several_in_one_text() {
        let body = json!({"token": "t", "user": {"id": 7}, "list": [{"v": true}], "odd-key": "o"});
        for (text, expected) in [
            ("Bearer {{.token}}", "Bearer t"),
            ("{{.token}}:{{ .user.id }}", "t:7"),
            ("{{.list[0].v}}", "true"),
            ("{{.[\"odd-key\"]}}/{{.token | ascii_upcase}}", "o/T"),
            ("{{.user | {a: {b: .id}} | .a.b}}", "7"),
            ("plain } { text", "plain } { text"),
            ("", ""),
        ] {
            assert_eq!(filled(text, body.clone()).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn malformed_templates_are_refused() {
        for text in [
            "{{access_token}}",
            "{{}}",
            "{{ }}",
            "{{.a",
            "a}}",
            "{{.a}} }}",
            "{{.a |}}",
            "{{.a-b}}",
            "{{$x}}",
        ] {
            let error = Template::parse(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
        let problems =
            JsonTemplate::parse(&json!({"a": {"b": ["{{x}}", 1]}, "c": "{{.y"})).unwrap_err();
        let paths: Vec<&str> = problems.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, [".a.b[0]", ".c"]);
    }

    #[test]
    fn a_path_that_finds_nothing_names_itself_and_the_keys_that_are_there() {
        let error = filled(
            "{{.access_token}}",
            json!({"token": "s3cret", "data": {"jwt": "s3cret"}}),
        )
        .unwrap_err();
        assert_eq!(
            error,
            "`.access_token` finds nothing in the answer of POST https://h/login; there is data, data.jwt, token"
        );
        let error = filled("{{.a.b}}", json!({"a": "s3cret"})).unwrap_err();
        assert!(
            error.contains("`.a.b`") && !error.contains("s3cret"),
            "{error}"
        );
        let error = filled("{{.a}}", json!(["s3cret"])).unwrap_err();
        assert!(!error.contains("s3cret"), "{error}");
        let error = filled("{{.a}}", json!({"a": {"b": "s3cret"}})).unwrap_err();
        assert!(
            error.contains("object") && !error.contains("s3cret"),
            "{error}"
        );
        assert!(filled("{{.a}}", json!({"a": ""})).is_err());
        assert!(filled("{{.a}}", json!({"a": null})).is_err());
        for no_json in ["nan", "infinity"] {
            let error = filled("{{.a | tonumber}}", json!({"a": no_json})).unwrap_err();
            assert!(error.contains("`.a | tonumber` finds nothing"), "{error}");
        }
    }

    #[test]
    fn headers_cookies_and_earlier_steps_are_there_beside_the_body() {
        let mut headers = HeaderMap::new();
        headers.insert("x-subject-token", "h3ader".parse().unwrap());
        headers.append(
            "set-cookie",
            "sid=c00kie; Path=/; HttpOnly".parse().unwrap(),
        );
        headers.append("set-cookie", "lang=en".parse().unwrap());
        for body in [json!({"n": 2}), json!("text"), Value::Null] {
            let mut answers = Answers::default();
            answers.add(
                "one".into(),
                json!({"ticket": "t1"}).into(),
                &HeaderMap::new(),
            );
            answers.add("two".into(), body.into(), &headers);
            let template = Template::parse(
                r#"{{.__headers["x-subject-token"]}} {{.__cookies.sid}} {{.__steps[0].ticket}}"#,
            )
            .unwrap();
            assert_eq!(
                template.fill(&answers, Fill::Plain).unwrap(),
                "h3ader c00kie t1"
            );
        }
        assert_eq!(filled("{{.}}", json!("text")).unwrap(), "text");
    }

    #[test]
    fn what_goes_into_a_url_stays_in_its_segment_and_never_chooses_the_host() {
        let base = Url::parse("https://h/v1").unwrap();
        let filled = |text: &str, value: &str| {
            let template =
                UrlTemplate::parse(Some(&base), text).map_err(|error| error.to_string())?;
            let url = template.fill(&answers(json!({"t": value})));
            url.map(|url| url.to_string())
                .map_err(|error| error.to_string())
        };
        for (text, value, expected) in [
            (
                "/s/{{.t}}/token",
                "a b/c?d#e&f",
                "https://h/v1/s/a%20b%2Fc%3Fd%23e%26f/token",
            ),
            (
                "s-{{.t}}?q={{.t}}",
                "a&b=c",
                "https://h/v1/s-a%26b%3Dc?q=a%26b%3Dc",
            ),
            (
                "https://other:8443/{{.t}}",
                "@evil.example",
                "https://other:8443/%40evil.example",
            ),
            (
                "{{.t}}",
                "//evil.example/x",
                "https://h/v1/%2F%2Fevil.example%2Fx",
            ),
            (
                "{{.t}}",
                "https://evil.example",
                "https://h/v1/https%3A%2F%2Fevil.example",
            ),
            ("/s/{{.t}}", "...", "https://h/v1/s/..."),
        ] {
            assert_eq!(
                filled(text, value).as_deref(),
                Ok(expected),
                "{text} {value}"
            );
        }
        for (text, value) in [
            ("/s/{{.t}}", ".."),
            ("/s/{{.t}}/x", "."),
            ("/s/{{.t}}/x", "%2e%2E"),
            ("/s/{{.t}}/x", "a\nb"),
            ("/s/.{{.t | tostring}}/x", "."),
        ] {
            assert!(filled(text, value).is_err(), "{text} {value}");
        }
        for text in [
            "https://{{.t}}/x",
            "https://h{{.t}}",
            "https://h:{{.t}}/x",
            "{{.t}}://h/x",
            "https://{{.t}}@h/x",
            "/s/{{t}}",
            "/s/{{.t",
        ] {
            let error = UrlTemplate::parse(Some(&base), text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config, "{text}");
        }
    }

    #[test]
    fn what_goes_into_a_form_is_encoded_and_a_literal_is_not_looked_at() {
        let template = Template::parse("a=1&t={{.t}}").unwrap();
        assert_eq!(
            template
                .fill(&answers(json!({"t": "x&y=z +"})), Fill::Form)
                .unwrap(),
            "a=1&t=x%26y%3Dz+%2B"
        );
        let literal = Template::literal("{{x");
        assert_eq!(
            literal.fill(&Answers::default(), Fill::Plain).unwrap(),
            "{{x"
        );
        let value = json!({"a": ["{{x}}", 1.5, null]});
        assert_eq!(
            JsonTemplate::literal(&value)
                .fill(&Answers::default())
                .unwrap(),
            value
        );
    }
}
