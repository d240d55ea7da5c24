//! `authType` and its credentials: of the connection, of each entry of `credentials`, and of `selector.auth`.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use longshore_auth::{
    ApiKey, Authenticator, BasicAuth, BearerToken, Credential, CustomAuthBuilder, KeyPlace, NoAuth,
    OAuth2Builder, Rotation,
};
use longshore_transport::Client;
use longshore_transport::cassette::Scrub;
use secrecy::SecretString;
use url::Url;

use super::connection::Levels;
use super::fields::{Fields, Unknown};
use super::notice::{Findings, Place};
use super::spelling::{Keys, Words, nearest, snake_case};
use super::tree::{Node, Shape};
use super::{auth_custom, auth_oauth2, auth_sigv4, values};

/// How the API knows who asks.
#[derive(Clone)]
#[non_exhaustive]
pub enum AuthSettings {
    /// It does not: public data.
    None,
    /// `Authorization: Bearer …`.
    BearerToken(SecretString),
    /// A key in a header of its own, as it is.
    ApiKey {
        /// The header's name.
        header: String,
        /// The key.
        key: SecretString,
    },
    /// A key with a prefix or in another place, or several keys.
    ApiKeys(Vec<KeySettings>),
    /// HTTP Basic, RFC 7617.
    Basic {
        /// The user's name, possibly empty; some APIs take a key here.
        username: String,
        /// The password, possibly empty.
        password: SecretString,
    },
    /// Tokens from an OAuth 2.0 token endpoint.
    OAuth2(Box<OAuth2Builder>),
    /// A login of any shape.
    Custom(Box<CustomAuthBuilder>),
    /// Requests signed for AWS (Signature Version 4).
    AwsSigV4(AwsSettings),
    /// Several credentials, the least recently limited first.
    Rotate(Vec<Arc<AuthSettings>>),
}

/// A key and where it goes.
#[derive(Clone)]
#[non_exhaustive]
pub struct KeySettings {
    /// Where.
    pub place: KeyPlace,
    /// Under which name.
    pub name: String,
    /// What stands right in front of it.
    pub prefix: String,
    /// The key.
    pub key: SecretString,
}

/// What requests to AWS are signed with.
#[derive(Clone)]
#[non_exhaustive]
pub struct AwsSettings {
    /// The id of the access key.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: SecretString,
    /// The session token of temporary credentials.
    pub session_token: Option<SecretString>,
    /// The region, such as `eu-central-1`.
    pub region: String,
    /// The service as signatures name it, such as `execute-api`.
    pub service: String,
}

impl AuthSettings {
    /// The authenticator that puts these credentials on requests. Logins go through `client`.
    ///
    /// # Errors
    /// When a credential cannot be sent. Settings of a loaded [`Config`](super::Config) are checked already.
    pub fn authenticator(
        &self,
        client: &Client,
    ) -> Result<Arc<dyn Authenticator>, longshore_auth::Error> {
        Ok(match self {
            AuthSettings::OAuth2(settings) => Arc::new(settings.build(client.clone())?),
            AuthSettings::Custom(settings) => Arc::new(settings.build(client.clone())?),
            AuthSettings::AwsSigV4(settings) => {
                auth_sigv4::authenticator(settings, client.clock().clone())?
            }
            AuthSettings::Rotate(members) => {
                let members = members
                    .iter()
                    .map(|member| {
                        let member = member.authenticator(client)?;
                        Ok(Box::new(member) as Box<dyn Authenticator>)
                    })
                    .collect::<Result<_, longshore_auth::Error>>()?;
                Arc::new(Rotation::new(members, client.clock().clone())?)
            }
            fixed => Arc::new(fixed.fixed()?),
        })
    }

    /// The credential of those that never change; nothing for all others.
    fn fixed(&self) -> Result<Box<dyn Authenticator>, longshore_auth::Error> {
        Ok(match self {
            AuthSettings::BearerToken(token) => Box::new(BearerToken::new(token.clone())?),
            AuthSettings::ApiKey { header, key } => Box::new(ApiKey::header(header, key.clone())?),
            AuthSettings::ApiKeys(keys) => {
                let mut all: Option<ApiKey> = None;
                for one in keys {
                    let key = one.key.clone();
                    let key = ApiKey::at(one.place, &one.name, &one.prefix, key)?;
                    all = Some(match all {
                        Some(all) => all.and(key),
                        None => key,
                    });
                }
                match all {
                    Some(all) => Box::new(all),
                    None => Box::new(Credential::new()),
                }
            }
            AuthSettings::Basic { username, password } => {
                Box::new(BasicAuth::new(username, password.clone())?)
            }
            _ => Box::new(NoAuth),
        })
    }

    /// Whether something of it goes into the JSON body, which is an object then.
    pub(super) fn goes_into_body(&self) -> bool {
        match self {
            AuthSettings::ApiKeys(keys) => keys.iter().any(|key| key.place == KeyPlace::Body),
            AuthSettings::Custom(settings) => settings.goes_into_body(),
            AuthSettings::Rotate(members) => members.iter().any(|member| member.goes_into_body()),
            _ => false,
        }
    }

    /// What a recording shall not hold, beside what a recorder finds by itself.
    pub(super) fn scrub(&self, scrub: Scrub) -> Scrub {
        match self {
            AuthSettings::ApiKeys(keys) => keys.iter().fold(scrub, |scrub, key| {
                let scrub = scrub.secret(key.key.clone());
                match key.place {
                    KeyPlace::Query => scrub.query(&key.name),
                    _ => scrub,
                }
            }),
            AuthSettings::OAuth2(settings) => scrub.login(settings.token_url().clone()),
            AuthSettings::Custom(settings) => {
                let scrub = settings
                    .query_names()
                    .fold(scrub, |scrub, name| scrub.query(name));
                settings
                    .urls()
                    .fold(scrub, |scrub, url| scrub.login(url.clone()))
            }
            AuthSettings::Rotate(members) => members
                .iter()
                .fold(scrub, |scrub, member| member.scrub(scrub)),
            _ => scrub,
        }
    }
}

impl fmt::Debug for AuthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AuthSettings::None => "None",
            AuthSettings::BearerToken(_) => "BearerToken([redacted])",
            AuthSettings::ApiKey { .. } => "ApiKey([redacted])",
            AuthSettings::ApiKeys(_) => "ApiKeys([redacted])",
            AuthSettings::Basic { .. } => "Basic([redacted])",
            AuthSettings::OAuth2(settings) => return write!(f, "OAuth2({settings:?})"),
            AuthSettings::Custom(settings) => return write!(f, "Custom({settings:?})"),
            AuthSettings::AwsSigV4(_) => "AwsSigV4([redacted])",
            AuthSettings::Rotate(members) => return write!(f, "Rotate({members:?})"),
        })
    }
}

impl KeySettings {
    /// Whether both go to one place, so that the second takes it from the first.
    fn is_in_place_of(&self, other: &KeySettings) -> bool {
        self.place == other.place
            && match self.place {
                KeyPlace::Header => self.name.eq_ignore_ascii_case(&other.name),
                _ => self.name == other.name,
            }
    }
}

impl fmt::Debug for KeySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySettings")
            .field("place", &self.place)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for AwsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AwsSettings")
            .field("region", &self.region)
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}

pub(super) const TYPES: Words = Words {
    known: &[
        "none",
        "bearer_token",
        "api_key",
        "basic",
        "oauth2",
        "custom",
        "aws_sigv4",
        "rotate",
    ],
    meant: &[
        ("bearer", "bearer_token"),
        ("token", "bearer_token"),
        ("pat", "bearer_token"),
        ("header", "api_key"),
        ("query", "api_key"),
        ("cookie", "api_key"),
        ("apikey", "api_key"),
        ("password", "basic"),
        ("public", "none"),
        ("no", "none"),
        ("oauth", "oauth2"),
        ("client_credentials", "oauth2"),
        ("oauth2_client_credentials", "oauth2"),
        ("service_account", "oauth2"),
        ("jwt", "oauth2"),
        ("private_key_jwt", "oauth2"),
        ("login", "custom"),
        ("session", "custom"),
        ("token_exchange", "custom"),
        ("aws", "aws_sigv4"),
        ("sigv4", "aws_sigv4"),
        ("aws4", "aws_sigv4"),
        ("rotation", "rotate"),
    ],
};

/// Every key with its aliases, and the `authType` that it belongs to.
pub(super) const KEYS: &[(&[&str], &str)] = &[
    (&["apiToken", "authValue"], "bearer_token"),
    (&["apiKey"], "api_key"),
    (&["apiKeyHeader", "apiKeyName"], "api_key"),
    (&["apiKeyIn"], "api_key"),
    (&["apiKeyPrefix"], "api_key"),
    (&["apiKeys"], "api_key"),
    (&["username"], "basic"),
    (&["password"], "basic"),
    (&["tokenUrl"], "oauth2"),
    (&["grantType"], "oauth2"),
    (&["clientId"], "oauth2"),
    (&["clientSecret"], "oauth2"),
    (&["clientAuth"], "oauth2"),
    (&["scopes", "scope"], "oauth2"),
    (&["audience"], "oauth2"),
    (&["resource"], "oauth2"),
    (&["tokenParams"], "oauth2"),
    (&["tokenHeaders"], "oauth2"),
    (&["tokenPath"], "oauth2"),
    (&["expiryPath"], "oauth2"),
    (&["tokenHeader"], "oauth2"),
    (&["tokenPrefix"], "oauth2"),
    (&["refreshToken"], "oauth2"),
    (&["refreshTokenPath"], "oauth2"),
    (&["tokenFile"], "oauth2"),
    (&["privateKey"], "oauth2"),
    (&["privateKeyId"], "oauth2"),
    (&["privateKeyCertificate"], "oauth2"),
    (&["signingAlgorithm"], "oauth2"),
    (&["assertionIssuer"], "oauth2"),
    (&["assertionSubject"], "oauth2"),
    (&["assertionAudience"], "oauth2"),
    (&["assertionClaims"], "oauth2"),
    (&["assertionLifetimeSeconds"], "oauth2"),
    (&["customAuthRequest"], "custom"),
    (
        &["customAuthRequestTemplate", "customAuthResponse"],
        "custom",
    ),
    (&["accessKeyId"], "aws_sigv4"),
    (&["secretAccessKey"], "aws_sigv4"),
    (&["sessionToken"], "aws_sigv4"),
    (&["region"], "aws_sigv4"),
    (&["service"], "aws_sigv4"),
    (&["rotate"], "rotate"),
];

pub(super) const PLACES: Words = Words {
    known: &["header", "query", "cookie", "body"],
    meant: &[
        ("headers", "header"),
        ("queryparam", "query"),
        ("url", "query"),
        ("param", "query"),
        ("cookies", "cookie"),
        ("json", "body"),
    ],
};

/// Every credential as written, whatever the type: those that a type uses are taken out, and what is left is not sent.
pub(super) struct Written {
    /// By the first name of the key.
    keys: BTreeMap<&'static str, Node>,
    /// Empty texts of variables that count as not set elsewhere.
    empty: BTreeMap<&'static str, Node>,
    /// Where `authType` is, or should be.
    pub(super) place: Place,
}

impl Written {
    fn of(levels: &mut Levels, findings: &mut Findings) -> Written {
        let keys: BTreeMap<&str, Node> = KEYS
            .iter()
            .filter_map(|(names, _)| Some((names[0], levels.take(names, findings)?)))
            .collect();
        for node in keys.values() {
            warn_of_variable(node, findings);
        }
        let empty = ["username", "password"].into_iter().filter_map(|name| {
            let place = levels.environment.empty_variable(name)?;
            Some((name, Node::scalar("", true, place.clone())))
        });
        Written {
            empty: empty.collect(),
            keys,
            place: levels.missing("authType"),
        }
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<Node> {
        self.keys.remove(name)
    }

    /// As [`take`](Written::take), for texts that may be empty: a variable has no other way to say that than to be set and empty.
    fn take_possibly_empty(&mut self, name: &'static str) -> Option<Node> {
        self.take(name).or_else(|| self.empty.remove(name))
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.keys.contains_key(name)
    }

    /// Where a key is written; for one that is not, where `authType` is.
    pub(super) fn place_of(&self, name: &str) -> Place {
        let node = self.keys.get(name);
        node.map_or_else(|| self.place.clone(), |node| node.place.clone())
    }

    /// Text that must be there.
    pub(super) fn needed(
        &mut self,
        auth_type: &str,
        name: &'static str,
        findings: &mut Findings,
    ) -> Option<String> {
        match self.take(name) {
            Some(node) => values::filled_text(&node, findings),
            None => {
                findings.problem(
                    &self.place,
                    format!("{auth_type} needs `{name}`, which is not set"),
                );
                None
            }
        }
    }

    /// Text that may be there.
    pub(super) fn text(&mut self, name: &'static str, findings: &mut Findings) -> Option<String> {
        self.take(name)
            .and_then(|node| values::filled_text(&node, findings))
    }

    /// A credential that is not sent is almost always a type that was forgotten.
    /// Where one of them is wrong, the others of its type may not have been looked at.
    fn warn_of_unused(self, auth_type: &str, is_read: bool, findings: &mut Findings) {
        for (name, node) in self.keys {
            let owner = KEYS.iter().find(|(names, _)| names[0] == name);
            let owner = owner.map_or("", |(_, owner)| *owner);
            if owner == auth_type && !is_read {
                continue;
            }
            let what = match owner {
                "custom" | "rotate" => "is not used",
                _ => "is not sent",
            };
            let belongs = match owner == auth_type {
                true => "other settings of this authType leave no use for it".to_owned(),
                false => format!("it belongs to `authType: {owner}`"),
            };
            findings.warning(&node.place, format!("{what}: {belongs}"));
        }
    }
}

/// The entries of `credentials`, by the names that `selector.auth` and `rotate` say, and whatever stands in their place.
#[derive(Debug, Default)]
pub(super) struct Credentials {
    base_url: Option<Url>,
    /// The connection's own.
    own: Option<AuthSettings>,
    named: BTreeMap<String, Arc<AuthSettings>>,
    /// Names whose settings have problems of their own.
    broken: Vec<String>,
    /// Rotations, which come after all that they may name.
    rotations: Vec<String>,
    inline: Inline,
}

/// Settings that are written where a name could stand, by their file and their text: those that say the same are the same login, also in a mapping that is
/// read once more.
#[derive(Clone, Default)]
pub(super) struct Inline(Arc<Mutex<BTreeMap<String, Arc<AuthSettings>>>>);

impl Inline {
    /// All that were read so far.
    pub(super) fn all(&self) -> Vec<Arc<AuthSettings>> {
        self.known().values().cloned().collect()
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<String, Arc<AuthSettings>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Inline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inline").finish_non_exhaustive()
    }
}

impl Credentials {
    /// Those of a connection that was read.
    pub(super) fn of(
        base_url: &Url,
        own: &AuthSettings,
        named: &BTreeMap<String, Arc<AuthSettings>>,
        inline: &Inline,
    ) -> Credentials {
        Credentials {
            base_url: Some(base_url.clone()),
            own: Some(own.clone()),
            named: named.clone(),
            inline: inline.clone(),
            ..Credentials::default()
        }
    }

    /// Those of lists that name none.
    pub(super) fn own(&self) -> Option<&AuthSettings> {
        self.own.as_ref()
    }

    /// What a name, `none`, or an object with settings stands for.
    pub(super) fn resolve(
        &self,
        node: Node,
        unknown: Unknown,
        findings: &mut Findings,
    ) -> Option<Arc<AuthSettings>> {
        if let Shape::Scalar { text, .. } = &node.shape
            && !text.trim_start().starts_with('{')
        {
            return self.by_name(text.trim(), &node, findings);
        }
        // Paths of files in it count from the file that it is in.
        let text = format!("{} {}", node.place.file, node.to_json_of_texts());
        if let Some(known) = self.inline.known().get(&text) {
            return Some(Arc::clone(known));
        }
        let place = node.place.clone();
        let fields = Fields::of(node, Keys::Settings, unknown, findings)?;
        let mut levels = Levels {
            environment: Fields::none(place.clone(), Keys::Variables),
            file: Some(fields),
        };
        let before = findings.problem_count();
        let settings = self.settings(&mut levels, Needs::Type, findings);
        levels.finish(findings);
        let settings = Arc::new(settings.filter(|_| findings.problem_count() == before)?);
        self.inline.known().insert(text, Arc::clone(&settings));
        Some(settings)
    }

    fn by_name(
        &self,
        name: &str,
        node: &Node,
        findings: &mut Findings,
    ) -> Option<Arc<AuthSettings>> {
        if let Some(known) = self.named.get(name) {
            return Some(Arc::clone(known));
        }
        if name == "none" {
            return Some(Arc::new(AuthSettings::None));
        }
        if self.broken.iter().any(|broken| broken == name) {
            return None;
        }
        if self.rotations.iter().any(|rotation| rotation == name) {
            findings.problem(&node.place, ROTATION_IN_ROTATION);
            return None;
        }
        let names = self.named.keys().chain(&self.broken);
        let names: Vec<&str> = names.map(String::as_str).collect();
        let meant = nearest(name, names.iter().copied().chain(["none"]));
        let meant = meant.map(|meant| format!("; did you mean `{meant}`?"));
        let known = match names.as_slice() {
            [] => "of the connection there are none".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        findings.problem(
            &node.place,
            format!(
                "names no entry of `credentials`{} ({known}); write `none`, a name from there, or an object with authType",
                meant.unwrap_or_default()
            ),
        );
        None
    }

    /// Reads a type and what it needs.
    fn settings(
        &self,
        levels: &mut Levels,
        needs: Needs,
        findings: &mut Findings,
    ) -> Option<AuthSettings> {
        let auth_type = levels.take(&["authType"], findings);
        let mut written = Written::of(levels, findings);
        let name = match &auth_type {
            Some(node) => {
                written.place = node.place.clone();
                values::text(node, findings)?
            }
            None if needs == Needs::Type => {
                let message = format!("is not set; write one of {}", TYPES.known.join(", "));
                findings.problem(&written.place, message);
                return None;
            }
            None => "none".to_owned(),
        };
        let name = name.trim();
        let settings = match name {
            "none" => Some(AuthSettings::None),
            "bearer_token" => bearer_token(&mut written, findings),
            "api_key" => api_key(&mut written, findings),
            "basic" | "basic_auth" => basic(&mut written, findings),
            "oauth2" => auth_oauth2::read(&mut written, self.base_url.as_ref(), findings)
                .map(|settings| AuthSettings::OAuth2(Box::new(settings))),
            "custom" => auth_custom::read(&mut written, self.base_url.as_ref(), findings)
                .map(|settings| AuthSettings::Custom(Box::new(settings))),
            "aws_sigv4" => auth_sigv4::read(&mut written, findings).map(AuthSettings::AwsSigV4),
            "rotate" => self.rotate(&mut written, findings),
            other => {
                findings.problem(&written.place, TYPES.refusal(other));
                return None;
            }
        };
        written.warn_of_unused(name, settings.is_some(), findings);
        settings
    }

    fn rotate(&self, written: &mut Written, findings: &mut Findings) -> Option<AuthSettings> {
        let Some(node) = written.take("rotate") else {
            let message =
                "rotate needs `rotate`, a list of names of `credentials`, which is not set";
            findings.problem(&written.place, message);
            return None;
        };
        let node = super::fields::unfold(node, findings)?;
        let items = match node.shape {
            Shape::List(items) if items.len() > 1 => items,
            _ => {
                let message = "must be a list of at least two: names of `credentials`, or objects with authType";
                findings.problem(&node.place, message);
                return None;
            }
        };
        let count = items.len();
        let mut members = Vec::new();
        for item in items {
            let place = item.place.clone();
            let Some(member) = self.resolve(item, Unknown::Refused, findings) else {
                continue;
            };
            match &*member {
                AuthSettings::None => {
                    findings.problem(&place, "is no credential; a rotation needs some");
                }
                AuthSettings::Rotate(_) => {
                    findings.problem(&place, ROTATION_IN_ROTATION);
                }
                _ => members.push(member),
            }
        }
        (members.len() == count).then_some(AuthSettings::Rotate(members))
    }
}

const ROTATION_IN_ROTATION: &str = "is a rotation itself; list its credentials here";

/// What an object of settings must say.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Needs {
    /// An `authType`.
    Type,
    /// Nothing: without one there is no authentication.
    Nothing,
}

/// Reads the connection's own credentials and those of `credentials`.
pub(super) fn read(
    levels: &mut Levels,
    base_url: Option<&Url>,
    findings: &mut Findings,
) -> (Option<AuthSettings>, Credentials) {
    let mut credentials = Credentials {
        base_url: base_url.cloned(),
        ..Credentials::default()
    };
    let (rotations, others): (Vec<_>, Vec<_>) =
        named(levels, findings).into_iter().partition(|(_, entry)| {
            entry
                .text_of("authType")
                .is_some_and(|it| it.trim() == "rotate")
        });
    credentials.rotations = rotations.iter().map(|(name, _)| name.clone()).collect();
    for (name, mut entry) in others.into_iter().chain(rotations) {
        let before = findings.problem_count();
        let settings = credentials.settings(&mut entry, Needs::Type, findings);
        entry.finish(findings);
        match settings.filter(|_| findings.problem_count() == before) {
            Some(settings) => {
                credentials.named.insert(name, Arc::new(settings));
            }
            None => credentials.broken.push(name),
        }
    }
    let settings = credentials.settings(levels, Needs::Nothing, findings);
    (settings, credentials)
}

impl Credentials {
    pub(super) fn inline(&self) -> Inline {
        self.inline.clone()
    }

    pub(super) fn into_named(self) -> BTreeMap<String, Arc<AuthSettings>> {
        self.named
    }
}

/// The entries of `credentials`, each from file and environment. A variable says the name in any case.
fn named(levels: &mut Levels, findings: &mut Findings) -> BTreeMap<String, Levels> {
    let section = levels.section("credentials", findings);
    let mut all: BTreeMap<String, Levels> = BTreeMap::new();
    for entry in section.file.into_iter().flat_map(Fields::into_entries) {
        if matches!(entry.key.as_str(), "" | "none") {
            let place = entry.place();
            findings.problem(&place, "is no name for a credential; take another");
            continue;
        }
        let place = entry.node.place.clone();
        let Some(fields) = Fields::of(entry.node, Keys::Settings, Unknown::Refused, findings)
        else {
            continue;
        };
        all.insert(
            entry.key,
            Levels {
                environment: Fields::none(place, Keys::Variables),
                file: Some(fields),
            },
        );
    }
    for (entry, keys, unknown) in section.environment.into_entries_with_keys() {
        let place = entry.node.place.clone();
        if keys != Keys::Variables && matches!(entry.key.as_str(), "" | "none") {
            findings.problem(&place, "is no name for a credential; take another");
            continue;
        }
        let known = all
            .keys()
            .find(|name| {
                entry.key.eq_ignore_ascii_case(name)
                    || entry.key.eq_ignore_ascii_case(&snake_case(name))
            })
            .cloned();
        let name = known.unwrap_or_else(|| match keys {
            Keys::Variables => entry.key.to_ascii_lowercase(),
            // A name in JSON text is written as it is.
            _ => entry.key.clone(),
        });
        let Some(fields) = Fields::of(entry.node, keys, unknown, findings) else {
            continue;
        };
        all.entry(name)
            .or_insert_with(|| Levels {
                environment: Fields::none(place, Keys::Variables),
                file: None,
            })
            .environment
            .join(fields);
    }
    all
}

/// `${NAME}` where it stays what it is. Only one that is the whole text: any other may be part of a secret.
fn warn_of_variable(node: &Node, findings: &mut Findings) {
    let name = node.text().and_then(|text| {
        let name = text.trim().strip_prefix("${")?.strip_suffix('}')?;
        super::headers::is_variable_name(name).then_some(name)
    });
    if name.is_some() {
        findings.warning(
            &node.place,
            "is sent as it is written: `${…}` is taken from the environment in customHeaders alone; every setting has a variable of its own, as OCEAN__INTEGRATION__CONFIG__API_TOKEN is for apiToken",
        );
    }
}

fn bearer_token(written: &mut Written, findings: &mut Findings) -> Option<AuthSettings> {
    let place = written.place_of("apiToken");
    let token = written.needed("bearer_token", "apiToken", findings)?;
    let settings = AuthSettings::BearerToken(token.into());
    checked(settings, &place, findings)
}

fn basic(written: &mut Written, findings: &mut Findings) -> Option<AuthSettings> {
    let place = written.place_of("username");
    let [username, password] = ["username", "password"].map(|name| match written.take_possibly_empty(name) {
        Some(node) => values::text_without_controls(&node, findings),
        None => {
            findings.problem(
                &written.place,
                format!("basic needs `{name}`, which is not set (if it is meant to be empty, write `{name}: ''`)"),
            );
            None
        }
    });
    let settings = AuthSettings::Basic {
        username: username?,
        password: password?.into(),
    };
    checked(settings, &place, findings)
}

fn checked(settings: AuthSettings, place: &Place, findings: &mut Findings) -> Option<AuthSettings> {
    match settings.fixed() {
        Ok(_) => Some(settings),
        Err(error) => {
            findings.problem(place, error.to_string());
            None
        }
    }
}

/// A key as written, before it is known where it goes.
struct KeyNodes {
    /// Where the key itself is.
    key: Node,
    name: Option<Node>,
    place: Option<Node>,
    prefix: Option<Node>,
}

fn api_key(written: &mut Written, findings: &mut Findings) -> Option<AuthSettings> {
    let name = written.take("apiKeyHeader");
    let place = written.take("apiKeyIn");
    let prefix = written.take("apiKeyPrefix");
    let one = written.take("apiKey");
    let several = written.take("apiKeys");
    let mut keys: Vec<KeySettings> = Vec::new();
    let mut all_read = true;
    if let Some(key) = one {
        // The plain case stays what it was.
        let plain = place.is_none() && prefix.is_none() && several.is_none();
        let nodes = KeyNodes {
            key,
            name: name.clone(),
            place: place.clone(),
            prefix: prefix.clone(),
        };
        match read_key(nodes, findings) {
            Some(key) if plain => {
                return Some(AuthSettings::ApiKey {
                    header: key.name,
                    key: key.key,
                });
            }
            Some(key) => keys.push(key),
            None => all_read = false,
        }
    } else if several.is_none() {
        findings.problem(&written.place, "api_key needs `apiKey`, which is not set");
        // The name is checked all the same: all problems at once.
        if let Some(node) = &name {
            header_name(node, findings);
        }
        return None;
    }
    if let Some(node) = several {
        let (nodes, read) = key_list(node, place, prefix, findings);
        all_read &= read;
        for nodes in nodes {
            let name_place = nodes.name.as_ref().map(|node| node.place.clone());
            let place = name_place.unwrap_or_else(|| nodes.key.place.clone());
            match read_key(nodes, findings) {
                Some(key) if keys.iter().any(|known| known.is_in_place_of(&key)) => {
                    let case = match key.place {
                        KeyPlace::Header => " (header names do not depend on case)",
                        _ => "",
                    };
                    findings.problem(&place, format!("is given twice{case}; keep one"));
                    all_read = false;
                }
                Some(key) => keys.push(key),
                None => all_read = false,
            }
        }
    }
    (all_read && !keys.is_empty()).then_some(AuthSettings::ApiKeys(keys))
}

/// `apiKeys`: names with their keys, or a list of `{name, key, in, prefix}`; false when something in it cannot be read.
fn key_list(
    node: Node,
    place: Option<Node>,
    prefix: Option<Node>,
    findings: &mut Findings,
) -> (Vec<KeyNodes>, bool) {
    let shape = "must be an object of names and keys, or a list of {name, key, in, prefix}";
    let Some(node) = super::fields::unfold(node, findings) else {
        return (Vec::new(), false);
    };
    match node.shape {
        Shape::Map(entries) if !entries.is_empty() => {
            let keys = entries.into_iter().map(|entry| KeyNodes {
                name: Some(Node::scalar(entry.key.clone(), true, entry.place())),
                key: entry.node,
                place: place.clone(),
                prefix: prefix.clone(),
            });
            (keys.collect(), true)
        }
        Shape::List(items) if !items.is_empty() => {
            let mut keys = Vec::new();
            let mut all = true;
            for item in items {
                let Some(mut fields) = Fields::of(item, Keys::Settings, Unknown::Refused, findings)
                else {
                    all = false;
                    continue;
                };
                let key = fields.take(&["key"], findings);
                if key.is_none() {
                    findings.problem(&fields.missing("key"), "is not set");
                    all = false;
                }
                let name = fields.take(&["name"], findings);
                let own_place = fields.take(&["in"], findings);
                let own_prefix = fields.take(&["prefix"], findings);
                fields.finish(findings);
                keys.extend(key.map(|key| KeyNodes {
                    key,
                    name,
                    place: own_place.or_else(|| place.clone()),
                    prefix: own_prefix.or_else(|| prefix.clone()),
                }));
            }
            (keys, all)
        }
        _ => {
            findings.problem(&node.place, shape);
            (Vec::new(), false)
        }
    }
}

fn read_key(nodes: KeyNodes, findings: &mut Findings) -> Option<KeySettings> {
    let key = values::filled_text(&nodes.key, findings);
    let place = match &nodes.place {
        None => Some(KeyPlace::Header),
        Some(node) => values::text(node, findings).and_then(|text| match text.trim() {
            "header" => Some(KeyPlace::Header),
            "query" => Some(KeyPlace::Query),
            "cookie" => Some(KeyPlace::Cookie),
            "body" => Some(KeyPlace::Body),
            other => {
                findings.problem(&node.place, PLACES.refusal(other));
                None
            }
        }),
    };
    let name = match (&nodes.name, place) {
        (Some(node), Some(KeyPlace::Header)) => header_name(node, findings),
        (Some(node), _) => values::filled_text(node, findings),
        (None, Some(KeyPlace::Header)) => Some("X-API-Key".to_owned()),
        (None, Some(_)) => {
            let message =
                "needs `apiKeyName`, the name of the parameter, cookie or member that carries it";
            findings.problem(&nodes.key.place, message);
            None
        }
        (None, None) => None,
    };
    // The blank at its end counts, so it is not trimmed.
    let prefix = match &nodes.prefix {
        None => Some(String::new()),
        Some(node) => values::text_without_controls(node, findings),
    };
    let mut prefix = prefix?;
    if place == Some(KeyPlace::Header) && prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
        // YAML drops the blank of `apiKeyPrefix: Token `, and a scheme is always followed by one.
        prefix.push(' ');
    }
    let settings = KeySettings {
        place: place?,
        name: name?,
        prefix,
        key: key?.into(),
    };
    let made = ApiKey::at(
        settings.place,
        &settings.name,
        &settings.prefix,
        settings.key.clone(),
    );
    match made {
        Ok(_) => Some(settings),
        Err(error) => {
            findings.problem(&nodes.key.place, error.to_string());
            None
        }
    }
}

pub(super) fn header_name(node: &Node, findings: &mut Findings) -> Option<String> {
    values::filled_text(node, findings).filter(|name| {
        let checked = longshore_transport::header(name, "");
        if let Err(error) = &checked {
            findings.problem(&node.place, error.to_string());
        }
        checked.is_ok()
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::{Value, json};

    use super::*;
    use crate::Config;

    /// A setting with a value that it cannot have, what stands beside it, and what is said.
    type Row = (&'static str, Value, Value, &'static str);

    fn rows() -> Vec<Row> {
        let key = || json!({"authType": "api_key", "apiKey": "k"});
        let oauth2 = || json!({"authType": "oauth2", "tokenUrl": "/token", "clientId": "a", "clientSecret": "b"});
        let with = |mut beside: Value, name: &str, value: &str| {
            beside[name] = value.into();
            beside
        };
        let jwk = r#"{"kty": "OKP", "crv": "Ed25519", "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let signed = || json!({"authType": "oauth2", "tokenUrl": "/token", "clientId": "a", "privateKey": jwk});
        let custom = || {
            json!({
                "authType": "custom", "customAuthRequest": {"endpoint": "/login"},
                "customAuthRequestTemplate": {"headers": {"A": "{{.t}}"}},
            })
        };
        let aws = || {
            json!({
                "authType": "aws_sigv4", "accessKeyId": "a", "secretAccessKey": "b", "region": "r", "service": "s",
            })
        };
        let basic = || json!({"authType": "basic", "username": "a", "password": "b"});
        let bearer = || json!({"authType": "bearer_token"});
        let control = "holds a control character, perhaps a line end; remove it";
        let blank = "holds white space; write it alone, in one line";
        let no_jq = "found the end";
        vec![
            (
                "apiToken",
                json!("Bearer abc"),
                bearer(),
                "without Bearer in front",
            ),
            ("authValue", json!(" "), bearer(), "is empty"),
            ("apiKey", json!(" "), key(), "is empty"),
            (
                "apiKeyHeader",
                json!("X Key"),
                key(),
                "a header name may hold",
            ),
            (
                "apiKeyName",
                json!("Content-Length"),
                key(),
                "is set by the client",
            ),
            ("apiKeyIn", json!("path"), key(), "`path` is not known"),
            ("apiKeyPrefix", json!("Token\n"), key(), control),
            (
                "apiKeys",
                json!("X-Key"),
                json!({"authType": "api_key"}),
                "must be an object of names and keys",
            ),
            ("username", json!("a:b"), basic(), "holds a colon"),
            ("password", json!("s3cret\n"), basic(), control),
            (
                "tokenUrl",
                json!("ftp://h/token"),
                oauth2(),
                "must begin with https:// or http://",
            ),
            (
                "grantType",
                json!("implicit"),
                oauth2(),
                "`implicit` is not known",
            ),
            ("clientId", json!(" "), oauth2(), "is empty"),
            ("clientSecret", json!(" "), oauth2(), "is empty"),
            ("clientAuth", json!("mtls"), oauth2(), "`mtls` is not known"),
            ("scopes", json!(" "), oauth2(), "is empty"),
            ("scope", json!(" "), oauth2(), "is empty"),
            ("audience", json!(" "), oauth2(), "is empty"),
            ("resource", json!(" "), oauth2(), "is empty"),
            (
                "tokenParams",
                json!("a=b"),
                oauth2(),
                "must be an object of names and values",
            ),
            (
                "tokenHeaders",
                json!("A: b"),
                oauth2(),
                "must be an object of names and values",
            ),
            ("tokenPath", json!(".a |"), oauth2(), no_jq),
            ("expiryPath", json!(".a |"), oauth2(), no_jq),
            (
                "tokenHeader",
                json!("Host"),
                oauth2(),
                "is set by the client",
            ),
            ("tokenPrefix", json!("a\nb"), oauth2(), control),
            (
                "refreshToken",
                json!(" "),
                with(oauth2(), "grantType", "refresh_token"),
                "is empty",
            ),
            (
                "refreshTokenPath",
                json!(".a |"),
                with(
                    with(oauth2(), "grantType", "refresh_token"),
                    "refreshToken",
                    "r",
                ),
                no_jq,
            ),
            (
                "tokenFile",
                json!("no/such/folder/t.json"),
                with(
                    with(oauth2(), "grantType", "refresh_token"),
                    "refreshToken",
                    "r",
                ),
                "is in a directory that does not exist",
            ),
            (
                "privateKey",
                json!("missing.pem"),
                signed(),
                "names a file that cannot be read",
            ),
            ("privateKeyId", json!(" "), signed(), "is empty"),
            (
                "privateKeyCertificate",
                json!("-----BEGIN CERTIFICATE-----"),
                signed(),
                "is no certificate in PEM",
            ),
            (
                "signingAlgorithm",
                json!("none"),
                signed(),
                "`none` is not known",
            ),
            ("assertionIssuer", json!(" "), signed(), "is empty"),
            ("assertionSubject", json!(" "), signed(), "is empty"),
            ("assertionAudience", json!(" "), signed(), "is empty"),
            (
                "assertionClaims",
                json!("a"),
                signed(),
                "must be an object of names and values",
            ),
            (
                "assertionLifetimeSeconds",
                json!("0"),
                signed(),
                "must be a whole number of at least 1",
            ),
            (
                "customAuthRequest",
                json!("/login"),
                custom(),
                "must be an object",
            ),
            (
                "customAuthRequestTemplate",
                json!("Bearer"),
                custom(),
                "must be an object",
            ),
            (
                "customAuthResponse",
                json!("Bearer"),
                json!({"authType": "custom", "customAuthRequest": {"endpoint": "/login"}}),
                "must be an object",
            ),
            ("accessKeyId", json!("a b"), aws(), blank),
            ("secretAccessKey", json!("a b"), aws(), blank),
            ("sessionToken", json!("a b"), aws(), blank),
            ("region", json!("eu central"), aws(), blank),
            ("service", json!("execute api"), aws(), blank),
            (
                "rotate",
                json!(["a"]),
                json!({"authType": "rotate"}),
                "must be a list of at least two",
            ),
        ]
    }

    fn refusal(connection: Option<Value>, variables: Vec<(String, String)>) -> String {
        let mut loader = Config::loader().environment(variables);
        if let Some(connection) = connection {
            loader = loader.connection_text("c.yml", &connection.to_string());
        }
        loader.load().map(|_| ()).unwrap_err().to_string()
    }

    /// Every setting, in every spelling, says what it cannot be, in the line of its own place.
    #[test]
    fn every_setting_refuses_what_it_cannot_be() {
        let mut silent = Vec::new();
        let mut left: BTreeSet<&str> = KEYS.iter().flat_map(|(names, _)| *names).copied().collect();
        for (name, value, beside, said) in rows() {
            assert!(left.remove(name), "{name} comes twice, or is no setting");
            let mut settings = beside;
            settings["baseUrl"] = "https://h".into();
            settings[name] = value;
            let settings = settings.as_object().unwrap();
            let text = |value: &Value| value.as_str().map_or(value.to_string(), str::to_owned);
            let in_snake_case: serde_json::Map<String, Value> = settings
                .iter()
                .map(|(name, value)| (snake_case(name), value.clone()))
                .collect();
            let variables: Vec<(String, String)> = settings
                .iter()
                .map(|(name, value)| {
                    let name = snake_case(name).to_ascii_uppercase();
                    (format!("OCEAN__INTEGRATION__CONFIG__{name}"), text(value))
                })
                .collect();
            let variable = snake_case(name).to_ascii_uppercase();
            for (refused, place) in [
                (
                    refusal(Some(Value::Object(settings.clone())), Vec::new()),
                    name.to_owned(),
                ),
                (
                    refusal(Some(in_snake_case.into()), Vec::new()),
                    snake_case(name),
                ),
                (refusal(None, variables), format!("CONFIG__{variable}")),
            ] {
                let found = refused
                    .lines()
                    .any(|line| line.contains(&format!("{place}: ")) && line.contains(said));
                if !found {
                    silent.push(format!("{place}: {said}, but:\n{refused}"));
                }
                assert!(!refused.contains("s3cret"), "{refused}");
            }
        }
        assert!(silent.is_empty(), "{}", silent.join("\n"));
        assert_eq!(left, BTreeSet::new(), "settings without a row");
    }
}
