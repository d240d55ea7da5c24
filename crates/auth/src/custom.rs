use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::Method;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use longshore_jq::Filter;
use longshore_transport::{Client, Generation, Issued, Renewal, Request, SafeUrl, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use crate::credential::{append_query, config};
use crate::template::{Answers, Fill};
use crate::token_request::{self, TokenAnswer};
use crate::{
    Authenticator, Credential, CredentialSource, Error, ErrorKind, JsonTemplate, Renewing,
    Template, UrlTemplate, expiry,
};

/// A login of any shape: one request or several in sequence, and what of their answers goes on requests.
///
/// ```
/// use longshore_auth::{CustomAuth, CustomRequest, Template};
/// use longshore_transport::{Client, parse_url};
/// use serde_json::json;
///
/// # fn connect(client: Client) -> Result<CustomAuth, longshore_auth::Error> {
/// let login = CustomRequest::new(parse_url("https://api.example.com/login")?)
///     .json(&json!({"user": "ada", "password": "s3cret"}));
/// CustomAuth::builder(vec![login])
///     .header("Authorization", Template::parse("Bearer {{.data.token}}")?)?
///     .build(client)
/// # }
/// ```
#[derive(Debug)]
pub struct CustomAuth(Renewing<Steps>);

/// One request of a login. In all but the first, texts may hold `{{.path}}`: see [`Template`].
///
/// `Debug` shows method and URL without query.
#[derive(Clone)]
pub struct CustomRequest {
    method: Method,
    /// As far as it is known beforehand.
    url: Url,
    /// Where it is not wholly.
    template: Option<UrlTemplate>,
    headers: Vec<(HeaderName, Template)>,
    query: Vec<(String, Template)>,
    body: Body,
}

#[derive(Clone)]
enum Body {
    None,
    Json(JsonTemplate),
    Form(Template),
}

/// Collects the parts of a [`CustomAuth`].
#[derive(Clone)]
pub struct CustomAuthBuilder {
    steps: Vec<CustomRequest>,
    headers: Vec<(String, Template)>,
    query: Vec<(String, Template)>,
    body: Option<JsonTemplate>,
    lifetime: Option<Duration>,
    expiry_path: Option<Filter>,
}

impl CustomRequest {
    /// A POST to this URL, which may be of any origin: it gets what is said here and nothing else.
    pub fn new(url: Url) -> CustomRequest {
        CustomRequest {
            method: Method::POST,
            url,
            template: None,
            headers: Vec::new(),
            query: Vec::new(),
            body: Body::None,
        }
    }

    /// As [`new`](CustomRequest::new), to a URL that takes something from the answers before.
    pub fn to(template: UrlTemplate) -> CustomRequest {
        let request = CustomRequest::new(template.sample.clone());
        CustomRequest {
            template: Some(template),
            ..request
        }
    }

    /// Another method.
    #[must_use]
    pub fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// Adds a header.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that cannot be sent.
    pub fn header(mut self, name: &str, value: Template) -> Result<Self, Error> {
        let (name, _) = header(name, "")?;
        self.headers.push((name, value));
        Ok(self)
    }

    /// Adds a query parameter.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: Template) -> Self {
        self.query.push((name.into(), value));
        self
    }

    /// Sets a JSON body whose texts are taken as they are.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        self.json_template(JsonTemplate::literal(body))
    }

    /// Sets a JSON body whose texts are templates.
    #[must_use]
    pub fn json_template(mut self, body: JsonTemplate) -> Self {
        self.body = Body::Json(body);
        self
    }

    /// Sets a form as its text, `a=1&b=2`. What paths give is encoded.
    #[must_use]
    pub fn form(mut self, body: Template) -> Self {
        self.body = Body::Form(body);
        self
    }

    /// As it may be shown.
    fn asked(&self) -> String {
        token_request::shown(&self.method, &self.url)
    }

    fn fill(&self, answers: &Answers) -> Result<Request, Error> {
        let url = match &self.template {
            Some(template) => template.fill(answers)?,
            None => self.url.clone(),
        };
        let mut request = Request::new(self.method.clone(), url);
        for (name, template) in &self.query {
            let value = template.fill(answers, Fill::Plain)?;
            append_query(&mut request.url, name, &value);
        }
        let content_type = match &self.body {
            Body::None => None,
            Body::Json(body) => {
                request.body = Some(Bytes::from(body.fill(answers)?.to_string()));
                Some("application/json")
            }
            Body::Form(body) => {
                request.body = Some(Bytes::from(body.fill(answers, Fill::Form)?));
                Some("application/x-www-form-urlencoded")
            }
        };
        if let Some(content_type) = content_type {
            request
                .headers
                .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        }
        for (name, template) in &self.headers {
            let value = template.fill(answers, Fill::Plain)?;
            let (name, value) = header(name.as_str(), &value)?;
            request.headers.insert(name, value);
        }
        Ok(request)
    }
}

impl CustomAuth {
    /// A login of these requests, one after the other.
    pub fn builder(steps: Vec<CustomRequest>) -> CustomAuthBuilder {
        CustomAuthBuilder {
            steps,
            headers: Vec::new(),
            query: Vec::new(),
            body: None,
            lifetime: None,
            expiry_path: None,
        }
    }
}

impl CustomAuthBuilder {
    /// A header for requests.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a name that cannot be sent.
    pub fn header(mut self, name: &str, value: Template) -> Result<Self, Error> {
        header(name, "")?;
        self.headers.push((name.to_owned(), value));
        Ok(self)
    }

    /// A query parameter for requests.
    #[must_use]
    pub fn query(mut self, name: impl Into<String>, value: Template) -> Self {
        self.query.push((name.into(), value));
        self
    }

    /// Members for the JSON body of requests: an object.
    #[must_use]
    pub fn body(mut self, members: JsonTemplate) -> Self {
        self.body = Some(members);
        self
    }

    /// How long a login lasts at most. Where the answer names a shorter time, that counts.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }

    /// jq to the lifetime in the last answer, where it is not one of the well-known members. Null or nothing there: the login is used until it is rejected.
    #[must_use]
    pub fn expiry_path(mut self, path: Filter) -> Self {
        self.expiry_path = Some(path);
        self
    }

    /// Where the login asks, in order; `{}` stands for what an answer gives.
    pub fn urls(&self) -> impl Iterator<Item = &Url> {
        self.steps.iter().map(|step| &step.url)
    }

    /// The query parameters that requests get, for those who keep their values out of records.
    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_str())
    }

    /// Whether members go into the JSON body of requests, which is an object then.
    pub fn goes_into_body(&self) -> bool {
        self.body.is_some()
    }

    /// The authenticator. Logins go through `client`, with its timeouts, proxy, limits and clock. Sends nothing yet.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] when there is no request, or nothing for requests to carry, or a body that is no object.
    pub fn build(&self, client: Client) -> Result<CustomAuth, Error> {
        if self.steps.is_empty() {
            return config("a custom login needs at least one request");
        }
        if self.headers.is_empty() && self.query.is_empty() && self.body.is_none() {
            return config(
                "a custom login needs at least one of headers, queryParams and body to put on requests",
            );
        }
        if self.body.as_ref().is_some_and(|body| !body.is_object()) {
            return config(
                "the body of a custom login must be an object: its members go into the body of requests",
            );
        }
        let clock = client.clock().clone();
        let steps = Steps {
            login: self.clone(),
            client,
        };
        Ok(CustomAuth(Renewing::new(steps, clock)))
    }
}

#[async_trait]
impl Authenticator for CustomAuth {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, Error> {
        let (generation, credential) = self.0.current().await?;
        credential.put_on(request)?;
        Ok(generation)
    }

    async fn renew(&self, rejected: Generation) -> Result<Renewal, Error> {
        self.0.renew(rejected).await
    }
}

struct Steps {
    login: CustomAuthBuilder,
    client: Client,
}

#[async_trait]
impl CredentialSource for Steps {
    type Credential = Credential;

    async fn fetch(&self) -> Result<Issued<Credential>, Error> {
        let mut answers = Answers::default();
        let mut last = None;
        for step in &self.login.steps {
            let request = step.fill(&answers).map_err(|error| {
                // A header that an answer gave and that cannot be sent, mostly.
                Error::new(ErrorKind::Login, format!("{}: {error}", step.asked()))
            })?;
            let answer = token_request::ask(&self.client, request, &step.url).await?;
            answers.add_answer(&answer);
            last = Some(answer);
        }
        let last = last.ok_or_else(|| Error::new(ErrorKind::Config, "a login without requests"))?;
        let mut sent = Vec::new();
        Ok(Issued::new(
            self.credential(&answers, &mut sent)?,
            self.lifetime(&answers, &last, &sent)?,
        ))
    }
}

impl Steps {
    /// The credential, and the texts in it.
    fn credential(
        &self,
        answers: &Answers,
        sent: &mut Vec<SecretString>,
    ) -> Result<Credential, Error> {
        let unsendable = |error: Error| {
            let message = format!("what the login answered cannot be sent: {error}");
            Error::new(ErrorKind::Login, message)
        };
        let mut credential = Credential::new();
        for (name, template) in &self.login.headers {
            let value = template.fill(answers, Fill::Plain)?;
            credential = credential.header(name, &value).map_err(unsendable)?;
            sent.push(value.into());
        }
        for (name, template) in &self.login.query {
            let value = template.fill(answers, Fill::Plain)?;
            sent.push(value.as_str().into());
            credential = credential.query(name, value).map_err(unsendable)?;
        }
        if let Some(body) = &self.login.body
            && let Value::Object(members) = body.fill(answers)?
        {
            members.values().for_each(|value| note_texts(value, sent));
            credential = credential.body(members);
        }
        Ok(credential)
    }

    /// The shortest of what is configured and what the answer says, or a JWT in what is sent.
    fn lifetime(
        &self,
        answers: &Answers,
        last: &TokenAnswer,
        sent: &[SecretString],
    ) -> Result<Option<Duration>, Error> {
        let said = match &self.login.expiry_path {
            Some(path) => answers.lifetime(path, last.made)?,
            None => expiry::well_known(&last.body, last.made).or_else(|| {
                // `Bearer …`, and `sid=…` of a cookie.
                let around = |c: char| " =;,".contains(c);
                let words = sent
                    .iter()
                    .flat_map(|text| text.expose_secret().split(around));
                words
                    .filter_map(|word| expiry::of_jwt(word, last.made))
                    .min()
            }),
        };
        Ok(match (self.login.lifetime, said) {
            (Some(configured), Some(said)) => Some(configured.min(said)),
            (configured, said) => configured.or(said),
        })
    }
}

/// The texts of a value, at any depth.
fn note_texts(value: &Value, texts: &mut Vec<SecretString>) {
    match value {
        Value::String(text) => texts.push(text.as_str().into()),
        Value::Array(items) => items.iter().for_each(|item| note_texts(item, texts)),
        Value::Object(members) => members.values().for_each(|value| note_texts(value, texts)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

impl fmt::Debug for CustomRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomRequest")
            .field("method", &self.method)
            .field("url", &SafeUrl::of(&self.url))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for CustomAuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CustomAuthBuilder")
            .field("steps", &self.steps)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use longshore_transport::HttpTransport;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_body_without_members_is_refused() {
        let transport = HttpTransport::builder().build().unwrap();
        let client = Client::builder(Arc::new(transport)).build();
        let url = longshore_transport::parse_url("https://login.example.com/").unwrap();
        for (body, is_fine) in [
            (json!({"session": "{{.id}}"}), true),
            (json!(["{{.id}}"]), false),
        ] {
            let body = JsonTemplate::parse(&body).unwrap();
            let login = CustomAuth::builder(vec![CustomRequest::new(url.clone())]).body(body);
            assert_eq!(login.build(client.clone()).is_ok(), is_fine);
        }
    }
}
