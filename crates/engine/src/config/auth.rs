//! `authType` and its credentials.

use std::fmt;
use std::sync::Arc;

use longshore_auth::{ApiKey, Authenticator, BasicAuth, BearerToken, NoAuth};
use secrecy::SecretString;

use super::connection::Levels;
use super::notice::{Findings, Place};
use super::spelling::Words;
use super::tree::Node;
use super::values;

/// How the API knows who asks.
#[derive(Clone)]
#[non_exhaustive]
pub enum AuthSettings {
    /// It does not: public data.
    None,
    /// `Authorization: Bearer …`.
    BearerToken(SecretString),
    /// A key in a header of its own.
    ApiKey {
        /// The header's name.
        header: String,
        /// The key.
        key: SecretString,
    },
    /// HTTP Basic, RFC 7617.
    Basic {
        /// The user's name; some APIs take a key here.
        username: String,
        /// The password, possibly empty.
        password: SecretString,
    },
}

impl AuthSettings {
    /// The authenticator that puts these credentials on requests.
    ///
    /// # Errors
    /// When a credential cannot be put into a header. Settings of a loaded [`Config`](super::Config) are checked already.
    pub fn authenticator(&self) -> Result<Arc<dyn Authenticator>, longshore_auth::Error> {
        Ok(match self {
            AuthSettings::None => Arc::new(NoAuth),
            AuthSettings::BearerToken(token) => Arc::new(BearerToken::new(token.clone())?),
            AuthSettings::ApiKey { header, key } => Arc::new(ApiKey::header(header, key.clone())?),
            AuthSettings::Basic { username, password } => {
                Arc::new(BasicAuth::new(username, password.clone())?)
            }
        })
    }
}

impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthSettings::None => "None",
            AuthSettings::BearerToken(_) => "BearerToken([redacted])",
            AuthSettings::ApiKey { .. } => "ApiKey([redacted])",
            AuthSettings::Basic { .. } => "Basic([redacted])",
        })
    }
}

const TYPES: Words = Words {
    known: &["none", "bearer_token", "api_key", "basic"],
    meant: &[
        ("bearer", "bearer_token"),
        ("token", "bearer_token"),
        ("oauth2", "bearer_token"),
        ("pat", "bearer_token"),
        ("header", "api_key"),
        ("password", "basic"),
        ("public", "none"),
        ("no", "none"),
    ],
};

/// Every credential as written, whatever the type.
struct Written {
    token: Option<Node>,
    key: Option<Node>,
    key_header: Option<Node>,
    username: Option<Node>,
    password: Option<Node>,
    custom: Vec<Node>,
}

/// Reads the type and what it needs.
pub(super) fn read(levels: &mut Levels, findings: &mut Findings) -> Option<AuthSettings> {
    let auth_type = levels.take(&["authType"], findings);
    let written = Written {
        token: levels.take(&["apiToken", "authValue"], findings),
        key: levels.take(&["apiKey"], findings),
        key_header: levels.take(&["apiKeyHeader"], findings),
        username: levels.take(&["username"], findings),
        password: levels.take(&["password"], findings),
        custom: [
            levels.take(&["customAuthRequest"], findings),
            levels.take(
                &["customAuthRequestTemplate", "customAuthResponse"],
                findings,
            ),
        ]
        .into_iter()
        .flatten()
        .collect(),
    };
    let place = match &auth_type {
        Some(node) => node.place.clone(),
        None => levels.missing("authType"),
    };
    let name = match &auth_type {
        Some(node) => values::text(node, findings)?,
        None => "none".to_owned(),
    };
    let settings = match name.trim() {
        "none" => AuthSettings::None,
        "bearer_token" => AuthSettings::BearerToken(secret(
            "bearer_token",
            "apiToken",
            written.token.as_ref(),
            &place,
            findings,
        )?),
        "api_key" => api_key(&written, &place, findings)?,
        "basic" | "basic_auth" => basic(&written, &place, findings)?,
        "custom" => {
            findings.problem(
                &place,
                "custom authentication is not in this version, which has none, bearer_token, api_key and basic; \
                 a fixed header can go into `customHeaders`",
            );
            return None;
        }
        other => {
            findings.problem(&place, TYPES.refusal(other));
            return None;
        }
    };
    warn_of_unused(&written, &settings, findings);
    if let Err(error) = settings.authenticator() {
        let credential = match &settings {
            AuthSettings::BearerToken(_) => written.token.as_ref(),
            AuthSettings::ApiKey { .. } => written.key.as_ref(),
            _ => written.password.as_ref(),
        };
        findings.problem(
            credential.map_or(&place, |node| &node.place),
            error.to_string(),
        );
        return None;
    }
    Some(settings)
}

fn api_key(written: &Written, place: &Place, findings: &mut Findings) -> Option<AuthSettings> {
    let key = secret("api_key", "apiKey", written.key.as_ref(), place, findings);
    let header = match &written.key_header {
        None => Some("X-API-Key".to_owned()),
        Some(node) => values::filled_text(node, findings).filter(|name| {
            let checked = longshore_transport::header(name, "");
            if let Err(error) = &checked {
                findings.problem(&node.place, error.to_string());
            }
            checked.is_ok()
        }),
    };
    Some(AuthSettings::ApiKey {
        header: header?,
        key: key?,
    })
}

fn basic(written: &Written, place: &Place, findings: &mut Findings) -> Option<AuthSettings> {
    let mut part = |node: &Option<Node>, name: &str| match node {
        Some(node) => values::text(node, findings),
        None => {
            findings.problem(
                place,
                format!("basic needs `{name}`, which is not set (if it is meant to be empty, write `{name}: ''`)"),
            );
            None
        }
    };
    let username = part(&written.username, "username");
    let password = part(&written.password, "password");
    Some(AuthSettings::Basic {
        username: username?,
        password: password?.into(),
    })
}

fn secret(
    auth_type: &str,
    name: &str,
    node: Option<&Node>,
    place: &Place,
    findings: &mut Findings,
) -> Option<SecretString> {
    let Some(node) = node else {
        findings.problem(
            place,
            format!("{auth_type} needs `{name}`, which is not set"),
        );
        return None;
    };
    values::filled_text(node, findings).map(SecretString::from)
}

/// A credential that is not sent is almost always a type that was forgotten.
fn warn_of_unused(written: &Written, settings: &AuthSettings, findings: &mut Findings) {
    let bearer = matches!(settings, AuthSettings::BearerToken(_));
    let key = matches!(settings, AuthSettings::ApiKey { .. });
    let basic = matches!(settings, AuthSettings::Basic { .. });
    let unused = [
        (&written.token, bearer, "bearer_token"),
        (&written.key, key, "api_key"),
        (&written.key_header, key, "api_key"),
        (&written.username, basic, "basic"),
        (&written.password, basic, "basic"),
    ];
    for (node, used, auth_type) in unused {
        if let (Some(node), false) = (node, used) {
            findings.warning(
                &node.place,
                format!("is not sent: it belongs to `authType: {auth_type}`"),
            );
        }
    }
    for node in &written.custom {
        findings.warning(&node.place, "is not used: it belongs to `authType: custom`");
    }
}
