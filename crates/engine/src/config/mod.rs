//! What users of Ocean Custom already have, read and checked: a connection file, a mapping file, and `OCEAN__…` in the environment.
//!
//! Everything is checked while loading, before any request, and all problems come at once, each with file, line and the path of
//! the setting. No problem shows a value that may be secret, nor the lines around it.
//!
//! ```
//! use longshore_engine::Config;
//!
//! let config = Config::loader()
//!     .connection_text("config.yaml", "baseUrl: https://api.example.com\nauthType: bearer_token\n")
//!     .mapping_text(
//!         "port-app-config.yml",
//!         r#"
//! resources:
//!   - kind: /api/v1/users
//!     port:
//!       entity:
//!         mappings:
//!           identifier: .id
//!           blueprint: '"user"'
//!           properties:
//!             email: .email | ascii_downcas
//! "#,
//!     )
//!     .environment([("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "many")])
//!     .load();
//!
//! let problems = config.unwrap_err().problems;
//! assert_eq!(problems[0].to_string(), "config.yaml:2: authType: bearer_token needs `apiToken`, which is not set");
//! assert_eq!(problems[1].path, "OCEAN__INTEGRATION__CONFIG__PAGE_SIZE");
//! assert_eq!(problems[2].line, Some(10));
//! assert_eq!(problems[2].path, "resources[0].port.entity.mappings.properties.email");
//! ```
//!
//! # Spelling
//!
//! Keys of more than one word are known in camelCase and snake_case, those of the connection in SCREAMING_SNAKE_CASE too. Numbers and
//! booleans may be text, objects may be JSON text. Values that have no type of their own stay the text that was written:
//! `query_params: {country: NO, code: 012}` asks for `country=NO&code=012`.
//!
//! # Precedence
//!
//! The environment wins over the file. Inside one of them a setting that is given twice with different values, under an alias or as
//! both `config` and `secrets`, is a problem.

mod answers;
mod auth;
mod auth_custom;
mod auth_oauth2;
mod auth_sigv4;
mod connection;
mod environment;
mod fields;
mod headers;
mod list;
mod loader;
mod mapping;
mod notice;
mod pagination;
mod reach;
mod resource;
mod runtime;
mod schema;
mod spelling;
mod tree;
mod values;
mod yaml;

use std::collections::BTreeSet;
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};

pub use self::auth::{AuthSettings, AwsSettings, KeySettings};
pub use self::connection::Connection;
pub use self::loader::Loader;
pub(crate) use self::loader::{json_file, mapping_file};
pub use self::mapping::Mapping;
pub use self::notice::{ConfigError, Notice};
pub use self::reach::ClientCertificate;
pub use self::runtime::{Listen, Listener, PortSettings, RunSettings, ShardSettings};

/// Everything that a run needs to know, checked.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// How the API is reached.
    pub connection: Connection,
    /// How Port is reached.
    pub port: PortSettings,
    /// When a sync runs.
    pub run: RunSettings,
    /// What becomes an entity. None where the mapping is to come from Port.
    pub mapping: Option<Mapping>,
    /// What loads but is probably not meant.
    pub warnings: Vec<Notice>,
}

impl Config {
    /// Loads a connection file and a mapping file, YAML or JSON, with the environment of the process on top.
    ///
    /// # Errors
    /// All problems of both files and of the environment.
    pub fn load(
        connection: impl AsRef<Path>,
        mapping: impl AsRef<Path>,
    ) -> Result<Config, ConfigError> {
        Config::loader()
            .connection_file(connection)
            .mapping_file(mapping)
            .process_environment()
            .load()
    }

    /// Loads from other places than two files: text, values in memory, any environment.
    pub fn loader() -> Loader {
        Loader::default()
    }

    /// The JSON Schema (2020-12) of connection files, for editors and for checks before a start. It knows what this page calls usual
    /// spellings; the loader knows more.
    pub fn connection_schema() -> serde_json::Value {
        schema::connection()
    }

    /// The JSON Schema of mapping files.
    pub fn mapping_schema() -> serde_json::Value {
        schema::mapping()
    }

    /// What is read and for whom, in a short text: the API (the whole `baseUrl` with its query, and `customHeaders`, which may name a tenant), the
    /// integration at Port, and the whole mapping. Equal for equal configurations on every machine, whatever the order of keys. None where
    /// there is no mapping yet. Credentials are not part of it, since they are renewed: two tenants that differ in nothing but a key need integrations
    /// of their own. Nothing can be read back out of it, but whoever knows all else can check guesses at a secret in it.
    pub fn identity(&self) -> Option<String> {
        self.mapping
            .as_ref()
            .map(|mapping| self.identity_with(mapping))
    }

    /// The same with this mapping.
    pub fn identity_with(&self, mapping: &Mapping) -> String {
        let mut hash = Context::new(&SHA256);
        // With their lengths, so that `ab`, `c` and `a`, `bc` differ.
        let mut add = |part: &[u8]| {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        let connection = &self.connection;
        let base_url = &connection.base_url;
        let port_number = base_url.port_or_known_default().unwrap_or_default();
        for part in [
            base_url.scheme(),
            base_url.host_str().unwrap_or_default(),
            &port_number.to_string(),
            base_url.path(),
            base_url.query().unwrap_or_default(),
            self.port.base_url.as_str(),
            &self.port.integration_type,
            self.port
                .integration_identifier
                .as_deref()
                .unwrap_or_default(),
            &mapping.digest,
        ] {
            add(part.as_bytes());
        }
        let headers: BTreeSet<(&str, &[u8])> = connection
            .custom_headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_bytes()))
            .collect();
        for (name, value) in headers {
            add(name.as_bytes());
            add(value);
        }
        let digest = hash.finish();
        let bytes = digest.as_ref().iter().take(16);
        bytes.map(|byte| format!("{byte:02x}")).collect()
    }

    /// Takes the mapping that the integration at Port holds. Keys in it that are unknown are a warning each.
    ///
    /// # Errors
    /// All problems of the mapping.
    pub fn with_mapping_from_port(
        mut self,
        mapping: serde_json::Value,
    ) -> Result<Config, ConfigError> {
        let (mapping, warnings) = loader::mapping_from_port(&mapping, &self.connection)?;
        self.mapping = Some(mapping);
        self.warnings.extend(warnings);
        Ok(self)
    }
}
