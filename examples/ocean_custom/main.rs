//! The runner: two configuration files (or the environment) in, a catalog in step out.
//!
//! ```text
//! ocean_custom --schema connection|mapping
//! ocean_custom [--config FILE] [--mapping FILE] [--dry-run | --validate | --replay FILE] [--record FILE] [--once] [--kind KIND]…
//! ```
//!
//! stdout: with `--dry-run` and `--replay` one JSON line for each entity, otherwise the report of the sync as one JSON object.
//! stderr: progress on a terminal, log lines elsewhere, then a summary.
//! Exit code: 0 all well, 1 something is incomplete, rejected or held back, 2 refused before the API was asked anything.

mod dry_run;
mod progress;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use longshore_engine::config::{Config, ConfigError, Listener};
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::transport::cassette::{Player, Recorder};
use longshore_engine::{Engine, EngineBuilder, PortSink, PortSinkOptions, Report, Sink};

use crate::dry_run::DryRun;
use crate::progress::{Progress, counted, say};

/// Pulls an API into the Port catalog, as two configuration files say.
#[derive(Debug, Parser)]
#[command(
    name = "ocean_custom",
    after_help = "Exit code: 0 all well; 1 something is incomplete, rejected or held back, or Port refused; \
                  2 command line, files, environment or mapping refused, before the API was asked anything."
)]
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
    /// Check the configuration and end. Sends nothing.
    #[arg(long)]
    validate: bool,
    /// Write what the API is asked and answers into this file, without the secrets, for --replay.
    #[arg(long, value_name = "FILE", conflicts_with = "validate")]
    record: Option<PathBuf>,
    /// As --dry-run, with the answers from this file instead of the API: no network, no waiting, any credentials.
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["validate", "record", "dry_run"],
        requires = "mapping"
    )]
    replay: Option<PathBuf>,
    /// End after one pass.
    #[arg(long)]
    once: bool,
    /// Print the JSON Schema of one of the two files, for editors, and end.
    #[arg(long, value_name = "FILE", value_enum)]
    schema: Option<SchemaOf>,
    /// Read only resources of this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
}

/// The two files.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaOf {
    Connection,
    Mapping,
}

/// Why the runner ends before or without a report.
enum Stop {
    /// Command line, files, environment or mapping: nothing was asked of the API.
    Refused(String),
    /// Port could not be reached or said no, or nobody reads what is printed.
    Failed(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(Stop::Failed(message)) => {
            say(format_args!("error: {message}"));
            ExitCode::from(1)
        }
        Err(Stop::Refused(message)) => {
            say(message);
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
async fn run(arguments: &Arguments) -> Result<bool, Stop> {
    if let Some(file) = arguments.schema {
        return print_schema(file);
    }
    let config = load(arguments)?;
    let progress = Progress::start(config.run.log_level.as_deref());
    for warning in &config.warnings {
        progress.warn(&warning.to_string());
    }
    refuse_listener(&config.run.listener, arguments)?;
    check_kinds(&config, &arguments.kind)?;
    if arguments.validate {
        build(&config, &Traffic::Live, &progress)?;
        say(describe(&config));
        return Ok(true);
    }
    end_on_signal(progress.clone());
    let traffic = Traffic::of(arguments)?;
    if arguments.dry_run || arguments.replay.is_some() {
        dry_run(&config, arguments, &traffic, &progress).await
    } else {
        sync_into_port(config, arguments, &traffic, &progress).await
    }
}

async fn dry_run(
    config: &Config,
    arguments: &Arguments,
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let engine = build(config, traffic, progress)?;
    let sink = DryRun::new(progress.clone());
    let report = tokio::select! {
        report = sync(&engine, &arguments.kind, &sink) => Some(report),
        () = sink.closed() => None,
    };
    // A sync that gives up for the same reason may be the first to be ready.
    let Some(report) = report.filter(|_| !sink.is_closed()) else {
        progress.clear();
        return Err(Stop::Failed(
            "stdout was closed before the last entity".to_owned(),
        ));
    };
    if let Traffic::Played(player) = traffic
        && let unplayed = player.unplayed()
        && let Some(first) = unplayed.first()
    {
        let count = counted(unplayed.len() as u64, "request", "requests");
        progress.warn(&format!(
            "{count} of the cassette were not made, the first of them {first}"
        ));
    }
    let printed = counted(sink.printed(), "entity", "entities");
    summarize(
        &report,
        progress,
        &format!("{printed} printed, nothing sent to Port"),
    );
    Ok(report.is_clean())
}

async fn sync_into_port(
    config: Config,
    arguments: &Arguments,
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let port = port_client(&config)?;
    let config = match &config.mapping {
        Some(_) => config,
        None => mapping_from_port(config, &port, progress).await?,
    };
    check_kinds(&config, &arguments.kind)?;
    let engine = build(&config, traffic, progress)?;
    let options = config.mapping.as_ref().map(PortSinkOptions::from);
    let sink = PortSink::new(port).options(options.unwrap_or_default());
    let report = sync(&engine, &arguments.kind, &sink).await;
    summarize(&report, progress, "all of it read completely");
    let json = serde_json::to_string(&report).map_err(|error| Stop::Failed(error.to_string()))?;
    // Whoever closed stdout has no use for the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{json}");
    Ok(report.is_clean())
}

async fn sync(engine: &Engine, kinds: &[String], sink: &dyn Sink) -> Report {
    if kinds.is_empty() {
        engine.sync(sink).await
    } else {
        engine.sync_kinds(kinds, sink).await
    }
}

fn print_schema(file: SchemaOf) -> Result<bool, Stop> {
    let schema = match file {
        SchemaOf::Connection => Config::connection_schema(),
        SchemaOf::Mapping => Config::mapping_schema(),
    };
    writeln!(std::io::stdout(), "{schema:#}")
        .map_err(|error| Stop::Failed(format!("the schema cannot be printed: {error}")))?;
    Ok(true)
}

fn load(arguments: &Arguments) -> Result<Config, Stop> {
    let mut loader = Config::loader().process_environment();
    if let Some(file) = &arguments.config {
        loader = loader.connection_file(file);
    }
    if let Some(file) = &arguments.mapping {
        loader = loader.mapping_file(file);
    }
    loader.load().map_err(|error| refused(&error))
}

/// All problems, and how many they are.
fn refused(error: &ConfigError) -> Stop {
    let count = counted(error.problems.len() as u64, "problem", "problems");
    Stop::Refused(format!("{error}\n{count}; the API was not asked anything"))
}

/// Listeners that this version cannot serve are refused instead of ignored.
fn refuse_listener(listener: &Listener, arguments: &Arguments) -> Result<(), Stop> {
    let one_pass =
        arguments.once || arguments.dry_run || arguments.validate || arguments.replay.is_some();
    match listener {
        Listener::Polling { .. } if !one_pass => Err(Stop::Refused(
            "eventListener: POLLING, the default, is not there yet: add --once; for a single pass, which a scheduler may repeat, \
             set OCEAN__EVENT_LISTENER='{\"type\": \"ONCE\"}'"
                .to_owned(),
        )),
        _ => Ok(()),
    }
}

fn check_kinds(config: &Config, wanted: &[String]) -> Result<(), Stop> {
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
fn kinds(config: &Config) -> Vec<&str> {
    let mut kinds = Vec::new();
    for resource in config.mapping.iter().flat_map(|mapping| &mapping.resources) {
        if !kinds.contains(&resource.kind()) {
            kinds.push(resource.kind());
        }
    }
    kinds
}

/// Where answers come from.
enum Traffic {
    Live,
    /// From the API, and into this file.
    Recorded(PathBuf),
    Played(Player),
}

impl Traffic {
    fn of(arguments: &Arguments) -> Result<Traffic, Stop> {
        Ok(match (&arguments.record, &arguments.replay) {
            (Some(file), _) => Traffic::Recorded(file.clone()),
            (None, Some(file)) => {
                let player = Player::open(file).map_err(|error| Stop::Refused(chain(&error)))?;
                Traffic::Played(player)
            }
            (None, None) => Traffic::Live,
        })
    }
}

fn build(config: &Config, traffic: &Traffic, progress: &Progress) -> Result<Engine, Stop> {
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
    builder
        .observer(progress.observer())
        .build()
        .map_err(|error| refused(&error))
}

fn port_client(config: &Config) -> Result<PortClient, Stop> {
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

async fn mapping_from_port(
    config: Config,
    port: &PortClient,
    progress: &Progress,
) -> Result<Config, Stop> {
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

fn describe(config: &Config) -> String {
    if config.mapping.is_none() {
        return "the connection settings are fine; the mapping is at Port and was not checked"
            .to_owned();
    }
    let kinds = kinds(config);
    format!(
        "the configuration is fine: {} ({})",
        counted(kinds.len() as u64, "kind", "kinds"),
        kinds.join(", ")
    )
}

/// The summary, and last what the exit code says.
fn summarize(report: &Report, progress: &Progress, all_well: &str) {
    progress.clear();
    let text = report.to_string();
    if !text.is_empty() {
        say(text);
    }
    let incomplete = report
        .resources
        .iter()
        .filter(|resource| resource.outcome != "complete")
        .count() as u64;
    let troubles = [
        (incomplete, "incomplete resource", "incomplete resources"),
        (report.rejected, "rejected entity", "rejected entities"),
        (
            report.withheld.len() as u64,
            "blueprint with deletes held back",
            "blueprints with deletes held back",
        ),
        (report.errors.len() as u64, "error", "errors"),
    ];
    let troubles: Vec<String> = troubles
        .into_iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| counted(count, one, many))
        .collect();
    match troubles.as_slice() {
        [] => say(all_well),
        troubles => say(format_args!("exit code 1: {}", troubles.join(", "))),
    }
}

/// Ends the process on Ctrl-C or SIGTERM, even where it waits for whoever reads stdout.
fn end_on_signal(progress: Progress) {
    tokio::spawn(async move {
        let signal = stop_signal().await;
        progress.clear();
        say(format_args!(
            "{signal}: ended early; what was written stays, and the next run does the rest"
        ));
        std::process::exit(1);
    });
}

#[cfg(unix)]
async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
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
