//! The runner: two configuration files (or the environment) in, a catalog in step out.
//!
//! ```text
//! ocean_custom [--config FILE] [--mapping FILE] [--dry-run | --validate] [--once] [--kind KIND]…
//! ```
//!
//! stdout: with `--dry-run` one JSON line for each entity, otherwise the report of the sync as one JSON object.
//! stderr: progress on a terminal, log lines elsewhere, then a summary.
//! Exit code: 0 all well, 1 something is incomplete, rejected or held back, 2 refused before the API was asked anything.

mod dry_run;
mod progress;

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use longshore_engine::config::{Config, Listener};
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::{Client, HttpTransport};
use longshore_engine::{Engine, EngineBuilder, PortSink, PortSinkOptions, Report};

use crate::dry_run::DryRun;
use crate::progress::Progress;

/// Pulls an API into the Port catalog, as two configuration files say.
#[derive(Debug, Parser)]
#[command(name = "ocean_custom")]
struct Arguments {
    /// Connection settings, YAML or JSON; the environment (OCEAN__…) goes over them.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Mapping, YAML or JSON. Without it the mapping comes from the integration at Port.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Print the entities, one JSON line each, and do not call Port.
    #[arg(long, conflicts_with = "validate", requires = "mapping")]
    dry_run: bool,
    /// Check the configuration and end.
    #[arg(long)]
    validate: bool,
    /// End after one pass.
    #[arg(long)]
    once: bool,
    /// Read only resources of this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
}

/// Why the runner ends before or without a report.
enum Stop {
    /// Command line, files, environment or mapping: nothing was asked of the API.
    Refused(String),
    /// Port could not be reached or said no.
    Failed(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Stop::Failed(message)) => {
            eprintln!("error: {message}");
            ExitCode::from(1)
        }
        Err(Stop::Refused(message)) => {
            eprintln!("{message}");
            ExitCode::from(2)
        }
    }
}

async fn run(arguments: &Arguments) -> Result<bool, Stop> {
    let config = load(arguments)?;
    let progress = Progress::start(config.run.log_level.as_deref());
    for warning in &config.warnings {
        progress.warn(&warning.to_string());
    }
    if arguments.validate {
        check_kinds(&config, &arguments.kind)?;
        build(&config, None)?;
        eprintln!("{}", describe(&config));
        return Ok(true);
    }
    refuse_listener(&config, arguments)?;
    if arguments.dry_run {
        check_kinds(&config, &arguments.kind)?;
        let engine = build(&config, Some(&progress))?;
        let report = sync(&engine, &arguments.kind, &DryRun::default()).await;
        progress.finish(&report);
        return Ok(report.is_clean());
    }
    let port = port_client(&config)?;
    let config = match &config.mapping {
        Some(_) => config,
        None => mapping_from_port(config, &port, &progress).await?,
    };
    check_kinds(&config, &arguments.kind)?;
    let engine = build(&config, Some(&progress))?;
    let sink = PortSink::new(port).options(options(&config));
    let report = sync(&engine, &arguments.kind, &sink).await;
    progress.finish(&report);
    let json = serde_json::to_string(&report).map_err(|error| Stop::Failed(error.to_string()))?;
    println!("{json}");
    Ok(report.is_clean())
}

fn load(arguments: &Arguments) -> Result<Config, Stop> {
    let mut loader = Config::loader().process_environment();
    if let Some(file) = &arguments.config {
        loader = loader.connection_file(file);
    }
    if let Some(file) = &arguments.mapping {
        loader = loader.mapping_file(file);
    }
    loader
        .load()
        .map_err(|error| Stop::Refused(error.to_string()))
}

/// Listeners that this version cannot serve are refused instead of ignored.
fn refuse_listener(config: &Config, arguments: &Arguments) -> Result<(), Stop> {
    let refusal = match &config.run.listener {
        Listener::Kafka | Listener::Webhook => {
            "eventListener: KAFKA and WEBHOOK are not supported; use {\"type\": \"ONCE\"}, or --once"
        }
        Listener::Polling { .. } if !arguments.once && !arguments.dry_run => {
            "eventListener: POLLING (the default) is not there yet; \
             run a single pass with --once or {\"type\": \"ONCE\"}, for example from a scheduler"
        }
        _ => return Ok(()),
    };
    Err(Stop::Refused(refusal.to_owned()))
}

fn check_kinds(config: &Config, kinds: &[String]) -> Result<(), Stop> {
    let Some(mapping) = &config.mapping else {
        return Ok(());
    };
    let known: BTreeSet<&str> = mapping
        .resources
        .iter()
        .map(|resource| resource.kind())
        .collect();
    match kinds.iter().find(|kind| !known.contains(kind.as_str())) {
        None => Ok(()),
        Some(unknown) => Err(Stop::Refused(format!(
            "--kind {unknown}: the mapping has no such kind; it has {}",
            known.into_iter().collect::<Vec<_>>().join(", ")
        ))),
    }
}

fn build(config: &Config, progress: Option<&Progress>) -> Result<Engine, Stop> {
    let mut builder =
        EngineBuilder::from_config(config).map_err(|error| Stop::Refused(chain(&error)))?;
    if let Some(progress) = progress {
        builder = builder.observer(progress.observer());
    }
    builder
        .build()
        .map_err(|error| Stop::Refused(chain(&error)))
}

async fn sync(engine: &Engine, kinds: &[String], sink: &dyn longshore_engine::Sink) -> Report {
    if kinds.is_empty() {
        engine.sync(sink).await
    } else {
        engine.sync_kinds(kinds, sink).await
    }
}

fn port_client(config: &Config) -> Result<PortClient, Stop> {
    let missing = |name: &str| {
        Stop::Refused(format!(
            "{name} is not set; it is needed to write to Port (or use --dry-run)"
        ))
    };
    let port = &config.port;
    let id = port
        .client_id
        .as_deref()
        .ok_or_else(|| missing("OCEAN__PORT__CLIENT_ID"))?;
    let secret = port
        .client_secret
        .clone()
        .ok_or_else(|| missing("OCEAN__PORT__CLIENT_SECRET"))?;
    let identifier = port
        .integration_identifier
        .as_deref()
        .ok_or_else(|| missing("OCEAN__INTEGRATION__IDENTIFIER"))?;
    let transport = HttpTransport::builder()
        .build()
        .map_err(|error| Stop::Refused(chain(&error)))?;
    PortClient::builder(Client::builder(Arc::new(transport)).build())
        .base_url(port.base_url.clone())
        .credentials(id, secret)
        .integration(&port.integration_type, identifier)
        .build()
        .map_err(|error| Stop::Refused(chain(&error)))
}

async fn mapping_from_port(
    config: Config,
    port: &PortClient,
    progress: &Progress,
) -> Result<Config, Stop> {
    let integration = port
        .integration()
        .await
        .map_err(|error| {
            Stop::Failed(format!(
                "the mapping cannot be read from Port: {}",
                chain(&error)
            ))
        })?
        .ok_or_else(|| {
            Stop::Refused(
                "Port does not know this integration, so there is no mapping; pass --mapping FILE"
                    .to_owned(),
            )
        })?;
    let known_warnings = config.warnings.len();
    let config = config
        .with_mapping_from_port(integration.config)
        .map_err(|error| Stop::Refused(error.to_string()))?;
    for warning in config.warnings.iter().skip(known_warnings) {
        progress.warn(&warning.to_string());
    }
    Ok(config)
}

fn options(config: &Config) -> PortSinkOptions {
    config
        .mapping
        .as_ref()
        .map(PortSinkOptions::from)
        .unwrap_or_default()
}

fn describe(config: &Config) -> String {
    match &config.mapping {
        Some(mapping) => {
            let kinds: Vec<&str> = mapping
                .resources
                .iter()
                .map(|resource| resource.kind())
                .collect();
            format!(
                "the configuration is fine: {} resources ({})",
                kinds.len(),
                kinds.join(", ")
            )
        }
        None => "the connection settings are fine; the mapping is at Port and was not checked"
            .to_owned(),
    }
}

/// An error with everything it comes from, on one line.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line = format!("{line}: {cause}");
        source = cause.source();
    }
    line
}
