//! How the API is reached: the connection settings of file and environment.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use longshore_paginate::Settings;
use longshore_transport::cassette::Scrub;
use longshore_transport::{
    DEFAULT_MAX_BODY_BYTES, DEFAULT_MAX_CONCURRENT_REQUESTS, DEFAULT_TIMEOUT, HttpTransport,
    HttpTransportBuilder, Origin, Quota, RetryPolicy, SafeUrl, parse_url,
};
use secrecy::SecretString;
use url::Url;

use super::auth::{self, AuthSettings, Credentials, Inline};
use super::fields::Fields;
use super::notice::{Findings, Place};
use super::reach::{self, ClientCertificate};
use super::tree::Node;
use super::{answers, headers, pagination, values};
use crate::engine::NextLinkOrigin;
use crate::rules::AnswerRules;

/// How the API is reached.
#[derive(Clone)]
#[non_exhaustive]
pub struct Connection {
    /// Root URL. It may carry a path, and a query that goes out with every request and is a secret.
    pub base_url: Url,
    /// The credentials.
    pub auth: AuthSettings,
    /// Those that resources may name.
    pub credentials: BTreeMap<String, Arc<AuthSettings>>,
    /// Those that stand where a name could, in every mapping that was read.
    pub(super) inline_credentials: Inline,
    /// Headers for every request, all marked sensitive.
    pub custom_headers: HeaderMap,
    /// Paging, where a resource says nothing else.
    pub pagination: Settings,
    /// For one request with its whole answer; 30 seconds unless set.
    pub timeout: Duration,
    /// False accepts any certificate.
    pub verify_tls: bool,
    /// Requests in flight at once; 10 unless set.
    pub max_concurrent_requests: usize,
    /// `now`: what jq's `now` is, in seconds since 1970; the clock's unless set.
    pub now: Option<f64>,
    /// How often and when a failed request is repeated.
    pub retry: RetryPolicy,
    /// Requests in a time; as many as the API answers unless set.
    pub quota: Option<Quota>,
    /// The largest body that is read, in bytes, decompressed; 64 MiB unless set.
    pub max_body_bytes: u64,
    /// Other origins that links and redirects may lead to, without anything of ours.
    pub allowed_origins: Vec<Origin>,
    /// Other origins that are trusted like the base URL's.
    pub credential_origins: Vec<Origin>,
    /// What becomes of links to other origins.
    pub next_link_origin: NextLinkOrigin,
    /// True connects to public addresses only.
    pub deny_private_addresses: bool,
    /// The proxy for everything; it may hold a password.
    pub proxy: Option<SecretString>,
    /// Certificate authorities that are trusted beside the system's, as PEM.
    pub root_certificates: Option<String>,
    /// What is shown to servers that ask for a certificate.
    pub client_certificate: Option<ClientCertificate>,
    /// What answers mean, where a resource says nothing else.
    pub answer_rules: AnswerRules,
}

impl Connection {
    /// The HTTP client that these settings describe.
    pub fn http(&self) -> HttpTransportBuilder {
        let mut http = self
            .way_out()
            .timeout(self.timeout)
            .max_body_bytes(self.max_body_bytes)
            .verify_tls(self.verify_tls)
            .deny_private_addresses(self.deny_private_addresses);
        if let Some(client) = &self.client_certificate {
            http = http.client_certificate(&client.certificate, &client.key);
        }
        http
    }

    /// What a recording of this API shall not hold, beside what a recorder finds by itself: the values of the base URL's query, and keys of all credentials,
    /// those that stand in a mapping included where it was read before this is asked for.
    pub fn scrub(&self) -> Scrub {
        let scrub = self
            .base_url
            .query_pairs()
            .fold(Scrub::new(), |scrub, (name, _)| scrub.query(name));
        let inline = self.inline_credentials.all();
        self.credentials
            .values()
            .chain(&inline)
            .map(AsRef::as_ref)
            .chain([&self.auth])
            .fold(scrub, |scrub, auth| auth.scrub(scrub))
    }

    pub(super) fn named_credentials(&self) -> Credentials {
        Credentials::of(
            &self.base_url,
            &self.auth,
            &self.credentials,
            &self.inline_credentials,
        )
    }

    /// An HTTP client for other servers than the API, Port for one: with the proxy and the authorities of the network around us, and
    /// nothing that is about the API.
    pub fn way_out(&self) -> HttpTransportBuilder {
        let mut http = HttpTransport::builder();
        if let Some(proxy) = &self.proxy {
            http = http.proxy(proxy.clone());
        }
        if let Some(pem) = &self.root_certificates {
            http = http.root_certificates(pem);
        }
        http
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("base_url", &SafeUrl::of(&self.base_url))
            .field("auth", &self.auth)
            .field("credentials", &self.credentials)
            .field("custom_headers", &self.custom_headers)
            .field("pagination", &self.pagination)
            .field("timeout", &self.timeout)
            .field("verify_tls", &self.verify_tls)
            .field("max_concurrent_requests", &self.max_concurrent_requests)
            .field("now", &self.now)
            .field("retry", &self.retry)
            .field("quota", &self.quota)
            .field("max_body_bytes", &self.max_body_bytes)
            .field("allowed_origins", &self.allowed_origins)
            .field("credential_origins", &self.credential_origins)
            .field("next_link_origin", &self.next_link_origin)
            .field("deny_private_addresses", &self.deny_private_addresses)
            .field("proxy", &self.proxy)
            .field("client_certificate", &self.client_certificate)
            .field("answer_rules", &self.answer_rules)
            .finish_non_exhaustive()
    }
}

/// The same settings from two places: what the environment has, wins.
#[derive(Debug)]
pub(super) struct Levels {
    pub(super) environment: Fields,
    pub(super) file: Option<Fields>,
}

impl Levels {
    /// A setting under any of its names.
    pub(super) fn take(&mut self, names: &[&'static str], findings: &mut Findings) -> Option<Node> {
        let variable = self.environment.take(names, findings);
        let written = self
            .file
            .as_mut()
            .and_then(|file| file.take(names, findings));
        variable.or(written)
    }

    /// The text of a setting that is still to be taken.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        let written = || self.file.as_ref()?.text_of(name);
        self.environment.text_of(name).or_else(written)
    }

    /// The settings of an object, from both places.
    pub(super) fn section(&mut self, name: &'static str, findings: &mut Findings) -> Levels {
        let environment = self.environment.take_fields(&[name], findings);
        let file = self.file.as_mut();
        Levels {
            environment: environment.unwrap_or_else(|| self.environment.without_keys(name)),
            file: file.and_then(|file| file.take_fields(&[name], findings)),
        }
    }

    /// Also takes the settings of `other`, as if they were written here.
    pub(super) fn join(&mut self, other: Levels) {
        self.environment.join(other.environment);
        self.join_file(other.file);
    }

    /// Also takes the settings of another object in the file.
    pub(super) fn join_file(&mut self, other: Option<Fields>) {
        match (&mut self.file, other) {
            (Some(file), Some(other)) => file.join(other),
            (None, other) => self.file = other,
            (Some(_), None) => {}
        }
    }

    /// Where a setting that is missing would stand.
    pub(super) fn missing(&self, name: &str) -> Place {
        self.file
            .as_ref()
            .unwrap_or(&self.environment)
            .missing(name)
    }

    /// Takes everything that is left, so that nothing of it is unknown.
    pub(super) fn take_the_rest(&mut self) {
        self.environment.take_the_rest();
        if let Some(file) = &mut self.file {
            file.take_the_rest();
        }
    }

    /// Reports what nobody asked for.
    pub(super) fn finish(self, findings: &mut Findings) {
        self.environment.finish(findings);
        if let Some(file) = self.file {
            file.finish(findings);
        }
    }
}

/// Reads all settings of the connection. `None` when something in it is a problem.
pub(super) fn read(
    levels: &mut Levels,
    variables: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Option<Connection> {
    let before = findings.problem_count();
    let base_url = base_url(levels, findings);
    let (auth, credentials) = auth::read(levels, base_url.as_ref(), findings);
    let custom_headers = match levels.take(&["customHeaders"], findings) {
        Some(node) => headers::read(node, variables, findings),
        None => HeaderMap::new(),
    };
    let pagination = pagination::of_connection(levels, findings);
    let timeout = match levels.take(&["timeout"], findings) {
        Some(node) => values::seconds(&node, findings),
        None => Some(DEFAULT_TIMEOUT),
    };
    let verify_tls = match levels.take(&["verifySsl"], findings) {
        Some(node) => {
            let verify = values::boolean(&node, findings);
            if verify == Some(false) {
                findings.warning(
                    &node.place,
                    "certificates are not checked: whoever is in between can read and change everything",
                );
            }
            verify
        }
        None => Some(true),
    };
    let max_concurrent_requests = match levels.take(&["maxConcurrentRequests"], findings) {
        Some(node) => values::whole_number(&node, 1, findings)
            .map(|count| usize::try_from(count).unwrap_or(usize::MAX)),
        None => Some(DEFAULT_MAX_CONCURRENT_REQUESTS),
    };
    let now = levels
        .take(&["now"], findings)
        .map(|node| values::moment(&node, findings));
    let max_body_bytes = match levels.take(&["maxBodyBytes"], findings) {
        Some(node) => values::whole_number(&node, 1, findings),
        None => Some(DEFAULT_MAX_BODY_BYTES),
    };
    let retry = reach::retry(levels, findings);
    let quota = reach::quota(levels, findings);
    let allowed_origins = reach::origins(levels, "allowedOrigins", findings);
    let credential_origins = reach::origins(levels, "credentialOrigins", findings);
    let next_link_origin = reach::next_link_origin(levels, findings);
    let denied = levels.take(&["denyPrivateAddresses"], findings);
    let deny_private_addresses = match &denied {
        Some(node) => values::boolean(node, findings),
        None => Some(false),
    };
    let proxy = reach::proxy(levels, findings);
    if let (Some(node), Some(true), Some(_)) = (&denied, deny_private_addresses, &proxy) {
        findings.problem(
            &node.place,
            "cannot hold behind a proxy, which resolves names by itself; set this or proxy",
        );
    }
    let root_certificates = reach::ca_file(levels, findings);
    let client_certificate = reach::client_certificate(levels, findings);
    let answer_rules = answers::of_connection(levels, findings);
    if findings.problem_count() > before {
        return None;
    }
    Some(Connection {
        max_body_bytes: max_body_bytes?,
        retry,
        quota,
        allowed_origins,
        credential_origins,
        next_link_origin,
        deny_private_addresses: deny_private_addresses?,
        proxy,
        root_certificates,
        client_certificate,
        answer_rules,
        base_url: base_url?,
        auth: auth?,
        inline_credentials: credentials.inline(),
        credentials: credentials.into_named(),
        custom_headers,
        pagination,
        timeout: timeout?,
        verify_tls: verify_tls?,
        max_concurrent_requests: max_concurrent_requests?,
        now: values::all_or_nothing(now)?,
    })
}

fn base_url(levels: &mut Levels, findings: &mut Findings) -> Option<Url> {
    match levels.take(&["baseUrl"], findings) {
        Some(node) => url(&node, findings),
        None => {
            let place = levels.missing("baseUrl");
            findings.problem(
                &place,
                "is not set; write the root URL of the API, as in https://api.example.com",
            );
            None
        }
    }
}

/// An `http` or `https` URL. Problems show nothing of it: its query may hold a key.
pub(super) fn url(node: &Node, findings: &mut Findings) -> Option<Url> {
    let text = values::filled_text(node, findings)?;
    let scheme = text
        .split_once("://")
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    if !matches!(scheme.as_deref(), Some("http" | "https")) {
        findings.problem(
            &node.place,
            "must begin with https:// or http://, as in https://api.example.com",
        );
        return None;
    }
    match parse_url(&text) {
        Ok(url) if url.fragment().is_some() => {
            findings.problem(
                &node.place,
                "holds a `#`, and what follows it is never sent; take it out",
            );
            None
        }
        Ok(url) => Some(url),
        Err(error) => {
            findings.problem(&node.place, error.to_string());
            None
        }
    }
}
