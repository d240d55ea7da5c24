//! From files, text and variables to a checked [`Config`].

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::connection::{self, Connection, Levels};
use super::environment;
use super::fields::{Fields, Unknown};
use super::mapping::{self, Against, Mapping};
use super::notice::{ConfigError, Findings, Notice, Place};
use super::runtime::{self, Around, PortSettings, RunSettings};
use super::spelling::Keys;
use super::tree::Node;
use super::{Config, values, yaml};

/// What a mapping from Port is called in notices.
const MAPPING_AT_PORT: &str = "mapping at Port";

/// Collects where a configuration comes from; [`load`](Loader::load) reads and checks all of it.
///
/// Nothing is taken from the environment unless [`environment`](Loader::environment) or
/// [`process_environment`](Loader::process_environment) is called.
#[derive(Debug, Default)]
pub struct Loader {
    connection: Option<Source>,
    mapping: Option<Source>,
    variables: BTreeMap<String, String>,
    unreadable_variables: Vec<String>,
}

enum Source {
    File(PathBuf),
    Text { name: String, text: String },
    Value { name: String, value: Value },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

impl Loader {
    /// The connection settings, flat or shaped as Helm values. May be left out where the environment has them.
    pub fn connection_file(mut self, path: impl AsRef<Path>) -> Self {
        self.connection = Some(Source::File(path.as_ref().to_owned()));
        self
    }

    /// The connection settings as text; `name` is what notices call it.
    pub fn connection_text(mut self, name: &str, text: &str) -> Self {
        self.connection = Some(Source::text(name, text));
        self
    }

    /// The mapping.
    pub fn mapping_file(mut self, path: impl AsRef<Path>) -> Self {
        self.mapping = Some(Source::File(path.as_ref().to_owned()));
        self
    }

    /// The mapping as text; `name` is what notices call it.
    pub fn mapping_text(mut self, name: &str, text: &str) -> Self {
        self.mapping = Some(Source::text(name, text));
        self
    }

    /// The mapping as it came from Port: keys that are unknown are a warning each.
    pub fn mapping_value(mut self, name: &str, mapping: Value) -> Self {
        self.mapping = Some(Source::Value {
            name: name.to_owned(),
            value: mapping,
        });
        self
    }

    /// Adds variables: `OCEAN__…`, which win over the connection file, and those that `customHeaders` name.
    pub fn environment<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let variables = variables.into_iter();
        self.variables
            .extend(variables.map(|(name, value)| (name.into(), value.into())));
        self
    }

    /// Adds the variables of this process.
    pub fn process_environment(mut self) -> Self {
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    self.variables.insert(name, value);
                }
                Err(_) => self.unreadable_variables.push(name),
            }
        }
        self
    }

    /// Reads and checks everything.
    ///
    /// # Errors
    /// All problems of all sources at once.
    pub fn load(self) -> Result<Config, ConfigError> {
        let mut findings = Findings::default();
        for name in &self.unreadable_variables {
            if environment::below(name).is_some() {
                findings.problem(&environment::place(name), "is not UTF-8");
            }
        }
        let settings = self.settings(&mut findings);
        let credentials = settings
            .as_ref()
            .map(|(connection, ..)| connection.named_credentials());
        let mapping = self.mapping.as_ref().map(|source| {
            let node = source.read(&mut findings)?;
            let against = Against {
                unknown: source.unknown_keys(),
                paging: settings
                    .as_ref()
                    .map(|(connection, ..)| &connection.pagination),
                credentials: credentials.as_ref(),
            };
            mapping::read(node, against, &mut findings)
        });
        let all = settings.zip(values::all_or_nothing(mapping));
        let (((connection, port, run), mapping), warnings) = findings.finish(all)?;
        Ok(Config {
            connection,
            port,
            run,
            mapping,
            warnings,
        })
    }

    fn settings(&self, findings: &mut Findings) -> Option<(Connection, PortSettings, RunSettings)> {
        let file = match &self.connection {
            Some(source) => {
                let tree = source.read(findings)?;
                Some(Fields::of(
                    tree,
                    Keys::Settings,
                    Unknown::Refused,
                    findings,
                )?)
            }
            None => None,
        };
        let mut top = Levels {
            environment: environment::settings(&self.variables, findings),
            file,
        };
        let mut integration = top.section("integration", findings);
        let mut listener = top.section("eventListener", findings);
        listener.join(integration.section("eventListener", findings));
        let mut around = Around {
            port: top.section("port", findings),
            shard: top.section("shard", findings),
            job_index: self.variables.get("JOB_COMPLETION_INDEX").cloned(),
            listener,
            top,
        };
        let mut connection = integration.section("config", findings);
        connection.join(integration.section("secrets", findings));
        let run = runtime::read(&mut around, &mut integration, findings);
        // In a flat file the connection's keys stand beside those around it.
        connection.join_file(around.top.file.take());
        let read = connection::read(&mut connection, &self.variables, findings);
        for levels in [
            connection,
            integration,
            around.port,
            around.listener,
            around.shard,
            around.top,
        ] {
            levels.finish(findings);
        }
        let (port, run) = run?;
        Some((read?, port, run))
    }
}

/// Checks a mapping that the integration at Port holds.
pub(super) fn mapping_from_port(
    mapping: &Value,
    connection: &Connection,
) -> Result<(Mapping, Vec<Notice>), ConfigError> {
    let mut findings = Findings::default();
    let node = Node::from_json(mapping, Place::file(MAPPING_AT_PORT));
    let credentials = connection.named_credentials();
    let against = Against {
        unknown: Unknown::Warned,
        paging: Some(&connection.pagination),
        credentials: Some(&credentials),
    };
    let mapping = mapping::read(node, against, &mut findings);
    findings.finish(mapping)
}

/// Checks a mapping in a file of its own.
pub(crate) fn mapping_file(path: &Path, connection: &Connection) -> Result<Mapping, ConfigError> {
    let source = Source::File(path.to_owned());
    let mut findings = Findings::default();
    let credentials = connection.named_credentials();
    let against = Against {
        unknown: source.unknown_keys(),
        paging: Some(&connection.pagination),
        credentials: Some(&credentials),
    };
    let mapping = source
        .read(&mut findings)
        .and_then(|node| mapping::read(node, against, &mut findings));
    findings.finish(mapping).map(|(mapping, _)| mapping)
}

/// A YAML or JSON file as JSON.
pub(crate) fn json_file(path: &Path) -> Result<Value, ConfigError> {
    let mut findings = Findings::default();
    let node = Source::File(path.to_owned()).read(&mut findings);
    findings
        .finish(node.map(|node| node.to_json()))
        .map(|(json, _)| json)
}

impl Source {
    fn text(name: &str, text: &str) -> Source {
        Source::Text {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }

    fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Text { name, .. } | Source::Value { name, .. } => name.clone(),
        }
    }

    fn unknown_keys(&self) -> Unknown {
        match self {
            Source::File(_) | Source::Text { .. } => Unknown::Refused,
            Source::Value { .. } => Unknown::Warned,
        }
    }

    fn read(&self, findings: &mut Findings) -> Option<Node> {
        let name = self.name();
        match self {
            Source::Text { text, .. } => yaml::parse(&name, text, findings),
            Source::Value { value, .. } => Some(Node::from_json(value, Place::file(&name))),
            Source::File(path) => yaml::parse(&name, &read_file(path, &name, findings)?, findings),
        }
    }
}

fn read_file(path: &Path, name: &str, findings: &mut Findings) -> Option<String> {
    let place = Place::file(name);
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                io::ErrorKind::PermissionDenied => "reading it is not permitted".to_owned(),
                io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
                kind => kind.to_string(),
            };
            findings.problem(&place, format!("cannot be read: {why}"));
            return None;
        }
    };
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|byte| **byte == b'\n').count();
            let place = Place {
                line: Some(line),
                ..place
            };
            findings.problem(&place, "is not UTF-8; save the file as UTF-8");
            None
        }
    }
}
