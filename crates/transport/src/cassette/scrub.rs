//! Secrets out of what is recorded.

use std::collections::BTreeSet;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, LOCATION, PROXY_AUTHORIZATION};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::{Request, Response};

/// Stands in a cassette where a secret was; a player takes anything in its place.
pub const SECRET: &str = "<secret>";

/// What is found in headers counts from this length on: shorter values, a version for one, occur everywhere.
const SHORTEST_FOUND: usize = 8;

/// Names whose values are secrets in queries, forms and JSON bodies; compared without case, dashes and underscores.
const SECRET_NAMES: [&str; 15] = [
    "accesstoken",
    "apikey",
    "apitoken",
    "appkey",
    "assertion",
    "authtoken",
    "clientassertion",
    "clientsecret",
    "idtoken",
    "password",
    "refreshtoken",
    "sessiontoken",
    "xamzsecuritytoken",
    "xamzsignature",
    "xgoogsignature",
];

/// Names that are as common for data (the key of an issue, the token of a page): in JSON their values count from
/// [`SHORTEST_RANDOM`] on, and without blanks. Shorter ones than [`SHORTEST_FOUND`] in a query stand there only.
const DOUBTFUL_NAMES: [&str; 5] = ["key", "secret", "sig", "signature", "token"];
const SHORTEST_RANDOM: usize = 16;

/// What a [`Recorder`](super::Recorder) shall not write, beside what it finds by itself.
#[derive(Clone, Default)]
pub struct Scrub {
    secrets: Vec<SecretString>,
    query_names: Vec<String>,
    logins: Vec<Url>,
}

impl Scrub {
    /// Only what is found.
    pub fn new() -> Scrub {
        Scrub::default()
    }

    /// This text wherever it occurs, if it is not empty.
    #[must_use]
    pub fn secret(mut self, secret: impl Into<SecretString>) -> Scrub {
        self.secrets.push(secret.into());
        self
    }

    /// The values of this query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>) -> Scrub {
        self.query_names.push(name.into());
        self
    }

    /// Every text of some length that requests to this URL, whatever their query, and their answers hold: it is where tokens come from. A segment of its
    /// path with braces in it (`/sessions/{}/token`) stands for every segment.
    #[must_use]
    pub fn login(mut self, url: Url) -> Scrub {
        self.logins.push(url);
        self
    }
}

impl fmt::Debug for Scrub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scrub")
            .field("query_names", &self.query_names)
            .finish_non_exhaustive()
    }
}

/// Whether a path is the one of a login, in which a segment with braces stands for every one.
fn is_path_of(login: &str, path: &str) -> bool {
    let (mut known, mut segments) = (login.split('/'), path.split('/'));
    loop {
        match (known.next(), segments.next()) {
            (None, None) => return true,
            (Some(known), Some(segment)) if known == segment || known.contains("%7B") => {}
            _ => return false,
        }
    }
}

/// All secrets that are known so far.
pub(super) struct Scrubber {
    /// In every form, the longest first, so that none is left in pieces.
    forms: BTreeSet<ByLength>,
    query_names: Vec<String>,
    logins: Vec<Url>,
}

#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct ByLength(std::cmp::Reverse<usize>, String);

impl Scrubber {
    pub(super) fn new(scrub: &Scrub) -> Self {
        let mut scrubber = Scrubber {
            forms: BTreeSet::new(),
            query_names: scrub.query_names.clone(),
            logins: scrub.logins.clone(),
        };
        for secret in &scrub.secrets {
            scrubber.learn(secret.expose_secret());
        }
        scrubber
    }

    /// Takes the secrets out of a request before anything of it is written.
    pub(super) fn learn_request(&mut self, request: &Request) {
        self.learn_headers(&request.headers);
        self.learn_query(&request.url);
        if let Some(body) = &request.body {
            self.learn_body(body);
        }
    }

    /// Where an answer leads may be signed, too.
    pub(super) fn learn_location(&mut self, request: &Request, response: &Response) {
        let location = response.headers.get(LOCATION);
        let location = location.and_then(|location| location.to_str().ok());
        if let Some(url) = location.and_then(|location| request.url.join(location).ok()) {
            self.learn_query(&url);
        }
    }

    fn learn_query(&mut self, url: &Url) {
        for (name, value) in url.query_pairs() {
            if self.is_secret_query(&name) && !is_short(&name, &value) {
                self.learn(&value);
            }
        }
    }

    fn is_secret_query(&self, name: &str) -> bool {
        self.query_names.iter().any(|secret| secret == name) || is_secret_name(name)
    }

    /// What a login says and hears.
    pub(super) fn learn_login(&mut self, request: &Request, response: Option<&Response>) {
        let here = |url: &Url| {
            url.origin() == request.url.origin() && is_path_of(url.path(), request.url.path())
        };
        if !self.logins.iter().any(here) {
            return;
        }
        let bodies = [
            request.body.as_deref(),
            response.map(|response| &*response.body),
        ];
        for body in bodies.into_iter().flatten() {
            match serde_json::from_slice::<Value>(body) {
                Ok(json) => self.learn_texts(&json),
                Err(_) => {
                    for (_, value) in url::form_urlencoded::parse(body) {
                        self.learn_long(&value);
                    }
                }
            }
        }
        for (_, value) in request.url.query_pairs() {
            self.learn_long(&value);
        }
        let headers = response.map(|response| &response.headers);
        for value in headers.into_iter().flat_map(HeaderMap::values) {
            // Dates and media types have blanks or slashes in them, tokens of this length have none.
            if let Ok(text) = value.to_str()
                && text.len() >= SHORTEST_RANDOM
                && !text.contains(|c: char| c.is_whitespace() || c == '/')
            {
                self.learn(text);
            }
        }
    }

    fn learn_texts(&mut self, json: &Value) {
        match json {
            Value::String(text) => self.learn_long(text),
            Value::Array(items) => items.iter().for_each(|item| self.learn_texts(item)),
            Value::Object(members) => members.values().for_each(|value| self.learn_texts(value)),
            _ => {}
        }
    }

    fn learn_long(&mut self, text: &str) {
        if text.len() >= SHORTEST_FOUND {
            self.learn(text);
        }
    }

    /// The same for the body of an answer: a token, for one.
    pub(super) fn learn_body(&mut self, body: &[u8]) {
        if let Ok(json) = serde_json::from_slice::<Value>(body) {
            self.learn_json(&json);
        } else if let Ok(text) = std::str::from_utf8(body)
            && !text.contains(['\n', '<', '{'])
        {
            for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
                if is_secret_name(&name) {
                    self.learn(&value);
                }
            }
        }
    }

    fn learn_json(&mut self, json: &Value) {
        match json {
            Value::Object(object) => {
                for (name, value) in object {
                    match value {
                        Value::String(text) if is_secret_member(name, text) => self.learn(text),
                        value => self.learn_json(value),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.learn_json(item)),
            _ => {}
        }
    }

    fn learn_headers(&mut self, headers: &HeaderMap) {
        for (name, value) in headers {
            let secret = value.is_sensitive()
                || [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(name)
                || is_secret_name(name.as_str().trim_start_matches("x-"));
            let Some(text) = value.to_str().ok().filter(|_| secret) else {
                continue;
            };
            for part in text.split([' ', ';', ',']).chain([text]) {
                if part.len() >= SHORTEST_FOUND {
                    self.learn(part);
                    self.learn_basic(part);
                }
            }
        }
    }

    /// User name and password. Where there is no password to speak of, the user name is the token.
    fn learn_basic(&mut self, credentials: &str) {
        let pair = BASE64_STANDARD.decode(credentials).ok();
        let pair = pair.and_then(|bytes| String::from_utf8(bytes).ok());
        if let Some((user, password)) = pair.as_deref().and_then(|pair| pair.split_once(':')) {
            match password.len() >= SHORTEST_FOUND {
                true => self.learn(password),
                false => self.learn_long(user),
            }
        }
    }

    fn learn(&mut self, secret: &str) {
        if secret.is_empty() || secret == SECRET {
            return;
        }
        let json = Value::from(secret).to_string();
        let escaped = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let in_url = Url::parse("http://h/").map(|mut url| {
            url.set_query(Some(secret));
            url.query().unwrap_or_default().to_owned()
        });
        let forms = [
            Some(secret.to_owned()),
            Some(json[1..json.len() - 1].to_owned()),
            Some(escaped.to_ascii_lowercase()).filter(|_| escaped != secret),
            Some(escaped),
            Some(form),
            in_url.ok(),
        ];
        for form in forms.into_iter().flatten().filter(|form| !form.is_empty()) {
            self.forms
                .insert(ByLength(std::cmp::Reverse(form.len()), form));
        }
    }

    /// A URL without the secrets.
    pub(super) fn clean_url(&self, url: &Url) -> String {
        let Some((before, query)) = url.as_str().split_once('?') else {
            return self.clean(url.as_str());
        };
        let parts = query.split('&').map(|part| {
            let parsed = url::form_urlencoded::parse(part.as_bytes()).next();
            let is_secret = parsed.is_some_and(|(name, value)| {
                !value.is_empty() && self.is_secret_query(&name) && is_short(&name, &value)
            });
            match part.split_once('=') {
                Some((name, _)) if is_secret => format!("{name}={SECRET}"),
                _ => self.clean(part),
            }
        });
        let query = parts.collect::<Vec<_>>().join("&");
        format!("{}?{query}", self.clean(before))
    }

    /// `text` without the secrets.
    pub(super) fn clean(&self, text: &str) -> String {
        let mut clean = text.to_owned();
        for ByLength(_, form) in &self.forms {
            if clean.contains(form.as_str()) {
                // What was put in already is left alone: a secret may be a part of that.
                let parts = clean.split(SECRET);
                let parts: Vec<String> = parts
                    .map(|part| part.replace(form.as_str(), SECRET))
                    .collect();
                clean = parts.join(SECRET);
            }
        }
        clean
    }
}

/// In a query or a form both kinds of names count.
fn is_secret_name(name: &str) -> bool {
    let name = bare(name);
    SECRET_NAMES.contains(&name.as_str()) || DOUBTFUL_NAMES.contains(&name.as_str())
}

/// Whether such a value may be in other places as well by accident, `2` for one.
fn is_short(name: &str, value: &str) -> bool {
    value.len() < SHORTEST_FOUND && DOUBTFUL_NAMES.contains(&bare(name).as_str())
}

fn is_secret_member(name: &str, value: &str) -> bool {
    let name = bare(name);
    SECRET_NAMES.contains(&name.as_str())
        || DOUBTFUL_NAMES.contains(&name.as_str())
            && value.len() >= SHORTEST_RANDOM
            && !value.contains(char::is_whitespace)
}

fn bare(name: &str) -> String {
    name.chars()
        .filter(|c| !matches!(c, '-' | '_'))
        .flat_map(char::to_lowercase)
        .collect()
}
