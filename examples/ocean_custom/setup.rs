//! From arguments, files and environment to the parts that run: configuration, engine, Port.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use longshore_engine::config::{Config, ConfigError};
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::transport::cassette::{Player, Recorder};
use longshore_engine::{Engine, EngineBuilder, Observer};

use crate::Stop;
use crate::progress::{Progress, counted};
use crate::signals;

/// The two files.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Files {
    /// Connection settings, YAML or JSON; the environment (OCEAN__…) goes over them.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Mapping, YAML or JSON. Without it the mapping comes from the integration at Port.
    #[arg(long, value_name = "FILE")]
    pub(crate) mapping: Option<PathBuf>,
}

impl Files {
    /// Reads and checks them, and shows progress from here on.
    pub(crate) fn load(&self) -> Result<(Config, Progress), Stop> {
        let mut loader = Config::loader().process_environment();
        if let Some(file) = &self.config {
            loader = loader.connection_file(file);
        }
        if let Some(file) = &self.mapping {
            loader = loader.mapping_file(file);
        }
        let config = loader.load().map_err(|error| refused(&error))?;
        let progress = Progress::start(config.run.log_level.as_deref());
        for warning in &config.warnings {
            progress.warn(&warning.to_string());
        }
        Ok((config, progress))
    }
}

/// All problems, and how many they are.
pub(crate) fn refused(error: &ConfigError) -> Stop {
    let count = counted(error.problems.len() as u64, "problem", "problems");
    Stop::Refused(format!("{error}\n{count}; the API was not asked anything"))
}

pub(crate) fn check_kinds(config: &Config, wanted: &[String]) -> Result<(), Stop> {
    if config.mapping.is_none() {
        return Ok(());
    }
    let known = kinds(config);
    match wanted.iter().find(|kind| !known.contains(&kind.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Stop::Refused(format!(
            "--kind {unknown}: the mapping has no such kind; it has {}",
            known.join(", ")
        ))),
    }
}

/// The kinds of the mapping, each once.
pub(crate) fn kinds(config: &Config) -> Vec<&str> {
    let mut kinds = Vec::new();
    for resource in config.mapping.iter().flat_map(|mapping| &mapping.resources) {
        if !kinds.contains(&resource.kind()) {
            kinds.push(resource.kind());
        }
    }
    kinds
}

/// Where answers come from.
pub(crate) enum Traffic {
    Live,
    /// From the API, and into this file.
    Recorded(PathBuf),
    Played(Player),
}

impl Traffic {
    pub(crate) fn of(record: Option<&PathBuf>, replay: Option<&PathBuf>) -> Result<Traffic, Stop> {
        Ok(match (record, replay) {
            (Some(file), _) => Traffic::Recorded(file.clone()),
            (None, Some(file)) => {
                let player = Player::open(file).map_err(|error| Stop::Refused(chain(&error)))?;
                Traffic::Played(player)
            }
            (None, None) => Traffic::Live,
        })
    }
}

/// The engine. `also` is told what happens, beside the progress.
pub(crate) fn build(
    config: &Config,
    traffic: &Traffic,
    progress: &Progress,
    also: Option<Arc<dyn Observer>>,
) -> Result<Engine, Stop> {
    let refused = |error: &(dyn std::error::Error + 'static)| Stop::Refused(chain(error));
    let builder = EngineBuilder::from_config(config).map_err(|error| refused(&error))?;
    let builder = match traffic {
        Traffic::Live => builder,
        Traffic::Recorded(file) => {
            let connection = &config.connection;
            let http = connection.http().build().map_err(|error| refused(&error))?;
            let recorder = Recorder::create(file, Arc::new(http), &connection.scrub())
                .map_err(|error| refused(&error))?;
            builder.transport(Arc::new(recorder))
        }
        Traffic::Played(player) => builder
            .transport(Arc::new(player.clone()))
            .clock(player.clock()),
    };
    let mut builder = builder.observer(progress.observer());
    if let Some(observer) = also {
        builder = builder.observer(observer);
    }
    let engine = builder.build().map_err(|error| refused(&error))?;
    signals::spare_logins_of(&engine);
    Ok(engine)
}

pub(crate) fn port_client(config: &Config) -> Result<PortClient, Stop> {
    let port = &config.port;
    let (Some(id), Some(secret), Some(identifier)) = (
        &port.client_id,
        &port.client_secret,
        &port.integration_identifier,
    ) else {
        let needed = [
            ("OCEAN__PORT__CLIENT_ID", port.client_id.is_some()),
            ("OCEAN__PORT__CLIENT_SECRET", port.client_secret.is_some()),
            (
                "OCEAN__INTEGRATION__IDENTIFIER",
                port.integration_identifier.is_some(),
            ),
        ];
        let missing: Vec<&str> = needed
            .into_iter()
            .filter(|(_, is_set)| !is_set)
            .map(|(name, _)| name)
            .collect();
        return Err(Stop::Refused(format!(
            "not set, but needed to write to Port: {}; to look at the entities without Port use --dry-run",
            missing.join(", ")
        )));
    };
    let mut transport = config.connection.way_out();
    if let Some(timeout) = config.run.client_timeout {
        transport = transport.timeout(timeout);
    }
    let transport = transport
        .build()
        .map_err(|error| Stop::Refused(chain(&error)))?;
    PortClient::builder(Client::builder(Arc::new(transport)).build())
        .base_url(port.base_url.clone())
        .credentials(id, secret.clone())
        .integration(&port.integration_type, identifier)
        .build()
        .map_err(|error| Stop::Refused(chain(&error)))
}

/// The configuration with a mapping: its own, or the one that the integration has at Port.
pub(crate) async fn with_mapping(
    config: Config,
    port: &PortClient,
    progress: &Progress,
) -> Result<Config, Stop> {
    if config.mapping.is_some() {
        return Ok(config);
    }
    let integration = port.integration().await.map_err(|error| {
        Stop::Failed(format!(
            "the mapping cannot be read from Port: {}",
            chain(&error)
        ))
    })?;
    let Some(integration) = integration else {
        return Err(Stop::Refused(format!(
            "Port has no integration `{}`, so there is no mapping; correct OCEAN__INTEGRATION__IDENTIFIER or pass --mapping FILE",
            config
                .port
                .integration_identifier
                .as_deref()
                .unwrap_or_default()
        )));
    };
    let known_warnings = config.warnings.len();
    let config = config
        .with_mapping_from_port(integration.config)
        .map_err(|error| refused(&error))?;
    for warning in config.warnings.iter().skip(known_warnings) {
        progress.warn(&warning.to_string());
    }
    Ok(config)
}

/// An error with everything it comes from, on one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}
