//! The runner: two configuration files (or the environment) in, a catalog in step out.
//!
//! ```text
//! ocean_custom [--config FILE] [--mapping FILE] [--once] [--kind KIND]…                sync into Port
//! ocean_custom … [--dry-run | --explain | --plan | --validate | --replay FILE | --output FILE] [--record FILE]  look, check, or write elsewhere
//! ocean_custom … --shard INDEX/COUNT --shard-dir DIR                                    sync a part
//! ocean_custom reconcile DIR [--plan] [--config FILE] [--mapping FILE]                  delete what no part has seen
//! ocean_custom init [--infer [--incomplete] | --blueprints FILE] [--dry-run] [--config FILE] [--mapping FILE]
//! ocean_custom --schema connection|mapping
//! ```
//!
//! stdout: with `--dry-run` and `--replay` one JSON line for each entity, with `--explain` tables, otherwise the report of each sync as one JSON object.
//! stderr: progress on a terminal, log lines elsewhere, then a summary.
//! Exit code: 0 all well, 1 something is incomplete, rejected or held back, 2 refused before the API was asked anything.

mod dry_run;
mod explain;
mod init;
mod progress;
mod reconcile;
mod report;
mod run;
mod setup;
mod signals;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use longshore_engine::config::Config;
use longshore_engine::init::FirstStart;
use longshore_engine::shard::Shard;

use crate::progress::{counted, say};
use crate::setup::{Files, Traffic, build, check_kinds, kinds};

/// Pulls an API into the Port catalog, as two configuration files say.
#[derive(Debug, Parser)]
#[command(
    name = "ocean_custom",
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "Exit code: 0 all well; 1 something is incomplete, rejected or held back, or Port refused; \
                  2 command line, files, environment or mapping refused, before the API was asked anything."
)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    arguments: Arguments,
}

/// What else it does.
#[derive(Debug, Subcommand)]
enum Command {
    Init(init::Init),
    Reconcile(reconcile::Reconcile),
}

/// How it syncs.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    files: Files,
    /// Print the entities, one JSON line each, and do not call Port.
    #[arg(long, conflicts_with = "validate", requires = "mapping")]
    dry_run: bool,
    /// Read the first record of each kind, show what every expression of its mapping gives for it, and do not call Port.
    #[arg(long, conflicts_with_all = ["validate", "dry_run", "plan", "output", "shard"], requires = "mapping")]
    explain: bool,
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
    /// Say what a sync would create, change and delete at Port, as text and as JSON, and write nothing.
    #[arg(long, conflicts_with_all = ["validate", "dry_run", "replay", "output", "shard"])]
    plan: bool,
    /// Write the entities into this file, one JSON line each, instead of into Port; `-` is stdout.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["validate", "dry_run", "replay"])]
    output: Option<PathBuf>,
    /// End after one pass.
    #[arg(long)]
    pub(crate) once: bool,
    /// Read this part of everything, from 0/COUNT to COUNT-1/COUNT, once; `reconcile` deletes when all parts have ended.
    #[arg(long, value_name = "INDEX/COUNT", conflicts_with_all = ["validate", "dry_run", "replay", "output", "kind"])]
    pub(crate) shard: Option<Shard>,
    /// The folder for what the shards have seen, the same for all.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["validate", "dry_run", "replay", "output"])]
    pub(crate) shard_dir: Option<PathBuf>,
    /// Print the JSON Schema of one of the two files, for editors, and end.
    #[arg(long, value_name = "FILE", value_enum)]
    schema: Option<SchemaOf>,
    /// Read only resources of this kind; may be repeated.
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Vec<String>,
}

/// The two files.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum SchemaOf {
    Connection,
    Mapping,
}

/// Why the runner ends before or without a report.
pub(crate) enum Stop {
    /// Command line, files, environment or mapping: nothing was asked of the API.
    Refused(String),
    /// Port could not be reached or said no, or nobody reads what is printed.
    Failed(String),
}

#[tokio::main]
async fn main() -> ExitCode {
    let line = CommandLine::parse();
    let done = match &line.command {
        None => sync(&line.arguments).await,
        Some(Command::Init(arguments)) => init::run(arguments).await,
        Some(Command::Reconcile(arguments)) => reconcile::run(arguments).await,
    };
    match done {
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
async fn sync(arguments: &Arguments) -> Result<bool, Stop> {
    if let Some(file) = arguments.schema {
        return print_schema(file);
    }
    let (config, progress) = arguments.files.load()?;
    check_kinds(&config, &arguments.kind)?;
    if arguments.validate {
        let engine = build(&config, &Traffic::Live, &progress, None)?;
        FirstStart::of(&config).map_err(|error| Stop::Refused(error.to_string()))?;
        say(describe(&config));
        if !engine.resources().is_empty() {
            say(engine.estimate(&arguments.kind));
        }
        return Ok(true);
    }
    let traffic = Traffic::of(arguments.record.as_ref(), arguments.replay.as_ref())?;
    if arguments.explain {
        signals::end_at_once(progress.clone());
        return explain::run(&config, &arguments.kind, &traffic, &progress).await;
    }
    if arguments.dry_run || arguments.replay.is_some() {
        signals::end_at_once(progress.clone());
        return dry_run::run(&config, &arguments.kind, &traffic, &progress).await;
    }
    if arguments.plan {
        signals::end_at_once(progress.clone());
        return run::plan(config, arguments, &traffic, &progress).await;
    }
    match &arguments.output {
        Some(file) => run::into_file(config, arguments, file, &traffic, &progress).await,
        None => run::run(config, arguments, &traffic, &progress).await,
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
