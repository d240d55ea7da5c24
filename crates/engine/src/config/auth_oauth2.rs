//! `authType: oauth2`: what a token endpoint is asked, and what its answer says.

use std::sync::Arc;
use std::time::Duration;

use longshore_auth::{
    Algorithm, Assertion, ClientAuth, FileTokenStore, Grant, OAuth2, OAuth2Builder, SigningKey,
};
use longshore_jq::Filter;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Map, Value};
use url::Url;

use super::auth::{Written, header_name};
use super::auth_custom::endpoint;
use super::fields::unfold;
use super::list::pairs;
use super::notice::Findings;
use super::spelling::Words;
use super::tree::{Node, Shape};
use super::{reach, values, yaml};

pub(super) const GRANTS: Words = Words {
    known: &[
        "client_credentials",
        "refresh_token",
        "password",
        "jwt_bearer",
    ],
    meant: &[
        ("client-credentials", "client_credentials"),
        ("authorization_code", "refresh_token"),
        ("refresh", "refresh_token"),
        ("resource_owner", "password"),
        ("ropc", "password"),
        ("jwt", "jwt_bearer"),
        ("service_account", "jwt_bearer"),
        ("assertion", "jwt_bearer"),
    ],
};

pub(super) const CLIENT_AUTHS: Words = Words {
    known: &[
        "basic",
        "post",
        "private_key_jwt",
        "client_secret_jwt",
        "none",
    ],
    meant: &[
        ("header", "basic"),
        ("body", "post"),
        ("form", "post"),
        ("jwt", "private_key_jwt"),
        ("public", "none"),
        ("tls_client_auth", "none"),
    ],
};

pub(super) const ALGORITHMS: Words = Words {
    known: &[
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
    ],
    meant: &[("Ed25519", "EdDSA"), ("RSA", "RS256"), ("ECDSA", "ES256")],
};

#[derive(Clone, Copy, Eq, PartialEq)]
enum GrantType {
    ClientCredentials,
    RefreshToken,
    Password,
    JwtBearer,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum ClientAuthType {
    Basic,
    Post,
    PrivateKeyJwt,
    ClientSecretJwt,
    None,
}

/// Reads everything about tokens.
pub(super) fn read(
    written: &mut Written,
    base_url: Option<&Url>,
    findings: &mut Findings,
) -> Option<OAuth2Builder> {
    let before = findings.problem_count();
    let grant_type = grant_type(written, findings);
    let client_auth_type = client_auth_type(written, grant_type, findings);
    let uses_key = grant_type == Some(GrantType::JwtBearer)
        || client_auth_type == Some(ClientAuthType::PrivateKeyJwt);
    let key = match uses_key {
        true => private_key(written, findings),
        false => None,
    };
    let account = key.as_ref().and_then(|key| key.account.clone());
    let token_url = match written.take("tokenUrl") {
        Some(node) => endpoint(&node, base_url, findings),
        None => match account
            .as_ref()
            .and_then(|account| account.token_url.clone())
        {
            Some(url) => Some(url),
            None => {
                findings.problem(
                    &written.place,
                    "oauth2 needs `tokenUrl`, which is not set: the URL of the token endpoint, or its path under baseUrl",
                );
                None
            }
        },
    };
    let client_id = written.text("clientId", findings);
    let scopes = match written.take("scopes") {
        Some(node) => texts(&node, findings),
        None => Vec::new(),
    };
    let assertions = Assertions::read(written, findings);
    let grant = grant_type.and_then(|grant_type| {
        Some(match grant_type {
            GrantType::ClientCredentials => Grant::ClientCredentials,
            GrantType::RefreshToken => {
                let token = written.needed("grantType: refresh_token", "refreshToken", findings)?;
                Grant::RefreshToken(token.into())
            }
            GrantType::Password => {
                let username = written.needed("grantType: password", "username", findings);
                let password = password(written, findings);
                Grant::Password {
                    username: username?,
                    password: password?.into(),
                }
            }
            GrantType::JwtBearer => {
                let key = key.as_ref()?;
                let issuer = assertions
                    .issuer
                    .clone()
                    .or_else(|| account.as_ref().map(|account| account.email.clone()))
                    .or_else(|| client_id.clone());
                let Some(issuer) = issuer else {
                    findings.problem(
                        &written.place,
                        "jwt_bearer needs `assertionIssuer`, which is not set (or `clientId`, which is taken for it)",
                    );
                    return None;
                };
                let mut assertion = assertions.of(key, &issuer, token_url.as_ref()?)?;
                if account.is_some() {
                    // Google wants the scopes inside.
                    if !scopes.is_empty() && !assertions.claims.contains_key("scope") {
                        assertion = assertion.claim("scope", scopes.join(" "));
                    }
                    if let Some(subject) = &assertions.subject {
                        assertion = assertion.subject(subject);
                    }
                } else {
                    assertion =
                        assertion.subject(assertions.subject.as_deref().unwrap_or(&issuer));
                }
                Grant::JwtBearer(assertion)
            }
        })
    });
    let client = client_auth_type.and_then(|client_auth_type| {
        let id_is_needed = !matches!(client_auth_type, ClientAuthType::None)
            || grant_type == Some(GrantType::ClientCredentials);
        if id_is_needed && client_id.is_none() {
            findings.problem(&written.place, "oauth2 needs `clientId`, which is not set");
        }
        let secret = |written: &mut Written, findings: &mut Findings| {
            let secret = written.needed("oauth2", "clientSecret", findings);
            secret.map(SecretString::from)
        };
        Some(match client_auth_type {
            ClientAuthType::None => ClientAuth::None,
            ClientAuthType::Basic => ClientAuth::Basic(secret(written, findings)?),
            ClientAuthType::Post => ClientAuth::Post(secret(written, findings)?),
            ClientAuthType::ClientSecretJwt => {
                let secret = secret(written, findings)?;
                let key = Key {
                    key: SigningKey::from_secret(secret.expose_secret().as_bytes()),
                    id: None,
                    certificate: None,
                    account: None,
                };
                let id = client_id.as_deref()?;
                ClientAuth::Assertion(assertions.of_client(&key, id, token_url.as_ref()?)?)
            }
            ClientAuthType::PrivateKeyJwt => {
                let key = key.as_ref()?;
                let id = client_id.as_deref()?;
                ClientAuth::Assertion(assertions.of_client(key, id, token_url.as_ref()?)?)
            }
        })
    });
    let mut extras = Extras::read(written, grant_type, findings);
    if findings.problem_count() > before {
        return None;
    }
    let mut builder = OAuth2::builder(token_url?, grant?);
    let client = client?;
    if let Some(id) = client_id {
        builder = builder.client(id, client);
    }
    for scope in scopes {
        builder = builder.scope(scope);
    }
    for (name, value) in extras.parameters.drain(..) {
        builder = builder.parameter(name, value);
    }
    for (name, value) in extras.headers.drain(..) {
        // Checked where they were read.
        builder = builder.header(&name, &value).ok()?;
    }
    if let Some(path) = extras.token_path {
        builder = builder.token_path(path);
    }
    if let Some(path) = extras.expiry_path {
        builder = builder.expiry_path(path);
    }
    if extras.header.is_some() || extras.prefix.is_some() {
        let header = extras.header.as_deref().unwrap_or("Authorization");
        let prefix = match (&extras.prefix, &extras.header) {
            (Some(prefix), _) => prefix.as_str(),
            (None, Some(name)) if !name.eq_ignore_ascii_case("authorization") => "",
            (None, _) => "Bearer ",
        };
        builder = builder.placed(header, prefix).ok()?;
    }
    if let Some(path) = extras.refresh_token_path {
        builder = builder.refresh_token_path(path);
    }
    if let Some(store) = extras.token_file {
        builder = builder.token_store(Arc::new(store));
    }
    Some(builder)
}

/// As written: blanks around it may be part of it, a line end is not.
fn password(written: &mut Written, findings: &mut Findings) -> Option<String> {
    let place = written.place_of("password");
    let Some(node) = written.take("password") else {
        findings.problem(
            &place,
            "grantType: password needs `password`, which is not set",
        );
        return None;
    };
    let password = values::text_without_controls(&node, findings)?;
    if password.is_empty() {
        findings.problem(&place, "is empty");
        return None;
    }
    Some(password)
}

fn grant_type(written: &mut Written, findings: &mut Findings) -> Option<GrantType> {
    let Some(node) = written.take("grantType") else {
        return Some(GrantType::ClientCredentials);
    };
    match values::text(&node, findings)?.trim() {
        "client_credentials" => Some(GrantType::ClientCredentials),
        "refresh_token" => Some(GrantType::RefreshToken),
        "password" => Some(GrantType::Password),
        "jwt_bearer" | "urn:ietf:params:oauth:grant-type:jwt-bearer" => Some(GrantType::JwtBearer),
        other => {
            findings.problem(&node.place, GRANTS.refusal(other));
            None
        }
    }
}

/// As written, else what fits to the secrets that are there.
fn client_auth_type(
    written: &mut Written,
    grant: Option<GrantType>,
    findings: &mut Findings,
) -> Option<ClientAuthType> {
    let Some(node) = written.take("clientAuth") else {
        return Some(if written.has("clientSecret") {
            ClientAuthType::Basic
        } else if written.has("privateKey") && grant != Some(GrantType::JwtBearer) {
            ClientAuthType::PrivateKeyJwt
        } else if grant == Some(GrantType::ClientCredentials) {
            // Says below that the secret is missing.
            ClientAuthType::Basic
        } else {
            ClientAuthType::None
        });
    };
    match values::text(&node, findings)?.trim() {
        "basic" | "client_secret_basic" => Some(ClientAuthType::Basic),
        "post" | "client_secret_post" => Some(ClientAuthType::Post),
        "private_key_jwt" => Some(ClientAuthType::PrivateKeyJwt),
        "client_secret_jwt" => Some(ClientAuthType::ClientSecretJwt),
        "none" => Some(ClientAuthType::None),
        other => {
            findings.problem(&node.place, CLIENT_AUTHS.refusal(other));
            None
        }
    }
}

/// A private key and what belongs to it.
struct Key {
    key: SigningKey,
    id: Option<String>,
    certificate: Option<String>,
    account: Option<Account>,
}

/// What the file of a Google service account says beside its key.
#[derive(Clone)]
struct Account {
    email: String,
    key_id: Option<String>,
    token_url: Option<Url>,
}

fn private_key(written: &mut Written, findings: &mut Findings) -> Option<Key> {
    let id = written.text("privateKeyId", findings);
    let algorithm = match written.take("signingAlgorithm") {
        Some(node) => {
            let name = values::text(&node, findings)?;
            let algorithm = Algorithm::parse(name.trim()).filter(|one| *one != Algorithm::HS256);
            if algorithm.is_none() {
                findings.problem(&node.place, ALGORITHMS.refusal(name.trim()));
                return None;
            }
            algorithm
        }
        None => None,
    };
    let certificate = written.take("privateKeyCertificate").and_then(|node| {
        let pem = reach::pem(&node, findings)?;
        let checked = longshore_auth::check_certificate(&pem);
        if let Err(error) = &checked {
            findings.problem(&node.place, error.to_string());
        }
        checked.is_ok().then_some(pem)
    });
    let Some(node) = written.take("privateKey") else {
        findings.problem(
            &written.place,
            "oauth2 needs `privateKey` here, which is not set: a PEM file, counted from this one, or the PEM text itself; a JSON Web Key or the JSON file of a Google service account does as well",
        );
        return None;
    };
    let text = match node.shape {
        Shape::Map(_) => node.to_json().to_string(),
        _ => reach::pem(&node, findings)?,
    };
    let is_json = text.trim_start().starts_with('{');
    let json: Option<Value> = match is_json {
        true => serde_json::from_str(&text).ok(),
        false => None,
    };
    if json.as_ref().is_some_and(|json| json.get("kty").is_some()) {
        return match SigningKey::from_jwk(text, algorithm) {
            Ok((key, own_id)) => Some(Key {
                key,
                id: id.or(own_id),
                certificate,
                account: None,
            }),
            Err(error) => {
                findings.problem(&node.place, error.to_string());
                None
            }
        };
    }
    let (text, account) = match is_json {
        true => service_account(json.as_ref(), &node, findings)?,
        false => (text, None),
    };
    match SigningKey::from_pem(text, algorithm) {
        Ok(key) => Some(Key {
            key,
            id: id.or_else(|| account.as_ref().and_then(|account| account.key_id.clone())),
            certificate,
            account,
        }),
        Err(error) => {
            findings.problem(&node.place, error.to_string());
            None
        }
    }
}

/// `{"client_email": …, "private_key": …, "private_key_id": …, "token_uri": …}`.
fn service_account(
    value: Option<&Value>,
    node: &Node,
    findings: &mut Findings,
) -> Option<(String, Option<Account>)> {
    let member = |name: &str| Some(value?.get(name)?.as_str()?.to_owned());
    let (Some(key), Some(email)) = (member("private_key"), member("client_email")) else {
        findings.problem(
            &node.place,
            "is JSON, but neither a service account's (`private_key`, `client_email`) nor a JSON Web Key (`kty`)",
        );
        return None;
    };
    let token_url = member("token_uri").and_then(|url| longshore_transport::parse_url(&url).ok());
    let account = Account {
        email,
        key_id: member("private_key_id"),
        token_url,
    };
    Some((key, Some(account)))
}

/// What assertions say.
struct Assertions {
    issuer: Option<String>,
    subject: Option<String>,
    audience: Option<String>,
    claims: Map<String, Value>,
    lifetime: Option<Duration>,
}

impl Assertions {
    fn read(written: &mut Written, findings: &mut Findings) -> Assertions {
        Assertions {
            issuer: written.text("assertionIssuer", findings),
            subject: written.text("assertionSubject", findings),
            audience: written.text("assertionAudience", findings),
            claims: written
                .take("assertionClaims")
                .and_then(|node| {
                    let node = unfold(node, findings)?;
                    match node.to_json() {
                        Value::Object(claims) => Some(claims),
                        _ => {
                            findings.problem(&node.place, "must be an object of names and values");
                            None
                        }
                    }
                })
                .unwrap_or_default(),
            lifetime: written
                .take("assertionLifetimeSeconds")
                .and_then(|node| values::whole_number(&node, 1, findings))
                .map(Duration::from_secs),
        }
    }

    fn of(&self, key: &Key, issuer: &str, token_url: &Url) -> Option<Assertion> {
        let audience = self.audience.as_deref().unwrap_or(token_url.as_str());
        let mut assertion = Assertion::new(key.key.clone(), issuer, audience);
        if let Some(id) = &key.id {
            assertion = assertion.key_id(id);
        }
        if let Some(lifetime) = self.lifetime {
            assertion = assertion.lifetime(lifetime);
        }
        if let Some(certificate) = &key.certificate {
            // Checked where it was read.
            assertion = assertion.certificate(certificate).ok()?;
        }
        for (name, value) in &self.claims {
            assertion = assertion.claim(name, value.clone());
        }
        Some(assertion)
    }

    /// Issuer and subject are the client: RFC 7523 §3.
    fn of_client(&self, key: &Key, id: &str, token_url: &Url) -> Option<Assertion> {
        let issuer = self.issuer.as_deref().unwrap_or(id);
        Some(
            self.of(key, issuer, token_url)?
                .subject(self.subject.as_deref().unwrap_or(id)),
        )
    }
}

/// The rest.
struct Extras {
    parameters: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    token_path: Option<Filter>,
    expiry_path: Option<Filter>,
    header: Option<String>,
    prefix: Option<String>,
    refresh_token_path: Option<Filter>,
    token_file: Option<FileTokenStore>,
}

impl Extras {
    fn read(written: &mut Written, grant: Option<GrantType>, findings: &mut Findings) -> Extras {
        let mut parameters = Vec::new();
        for name in ["audience", "resource"] {
            if let Some(value) = written.text(name, findings) {
                parameters.push((name.to_owned(), value));
            }
        }
        if let Some(node) = written.take("tokenParams") {
            parameters.extend(pairs(node, findings));
        }
        let mut headers = Vec::new();
        if let Some(node) = written.take("tokenHeaders") {
            let place = node.place.clone();
            for (name, value) in pairs(node, findings) {
                if let Err(error) = longshore_transport::header(&name, &value) {
                    findings.problem(&place.child(&name), error.to_string());
                }
                headers.push((name, value));
            }
        }
        let mut path = |name| {
            let node = written.take(name)?;
            path_filter(&node, findings)
        };
        let token_path = path("tokenPath");
        let expiry_path = path("expiryPath");
        // As with the file: nothing looks at it without the grant.
        let refresh_token_path = match grant {
            Some(GrantType::RefreshToken) => path("refreshTokenPath"),
            _ => None,
        };
        let header = written
            .take("tokenHeader")
            .and_then(|node| header_name(&node, findings));
        let prefix = written.take("tokenPrefix").and_then(|node| {
            let mut prefix = values::text_without_controls(&node, findings)?;
            if let Err(error) = longshore_transport::header("authorization", &prefix) {
                findings.problem(&node.place, error.to_string());
            }
            // As with `apiKeyPrefix`: YAML drops the blank.
            if prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                prefix.push(' ');
            }
            Some(prefix)
        });
        // A file that nothing is ever written to is a setting that was misunderstood: it stays, and is warned of.
        let token_file = match grant {
            Some(GrantType::RefreshToken) => written.take("tokenFile").and_then(|node| {
                let path = values::file_to_write(&node, findings)?;
                let store = FileTokenStore::new(path);
                store
                    .check()
                    .map_err(|error| findings.problem(&node.place, error.to_string()))
                    .ok()?;
                Some(store)
            }),
            _ => None,
        };
        Extras {
            parameters,
            headers,
            token_path,
            expiry_path,
            refresh_token_path,
            header,
            prefix,
            token_file,
        }
    }
}

/// Where something stands in an answer: a dotted path, or jq when it begins with a dot.
pub(super) fn path_filter(node: &Node, findings: &mut Findings) -> Option<Filter> {
    let text = values::filled_text(node, findings)?;
    let jq = match text.starts_with('.') {
        true => text,
        false => text
            .split('.')
            .map(|key| format!("[{}]", Value::from(key)))
            .fold(String::from("."), |path, key| path + &key),
    };
    match Filter::compile(&jq) {
        Ok(filter) => Some(filter),
        Err(error) => {
            findings.problem(&node.place, error.to_string());
            None
        }
    }
}

/// A list of texts, or one text.
fn texts(node: &Node, findings: &mut Findings) -> Vec<String> {
    let unfolded;
    let node = match node.text() {
        Some(text) if text.trim_start().starts_with('[') => {
            match yaml::parse_json_text(text, &node.place, findings) {
                Some(node) => {
                    unfolded = node;
                    &unfolded
                }
                None => return Vec::new(),
            }
        }
        _ => node,
    };
    match &node.shape {
        Shape::List(items) => items
            .iter()
            .filter_map(|item| values::filled_text(item, findings))
            .collect(),
        _ => values::filled_text(node, findings).into_iter().collect(),
    }
}
