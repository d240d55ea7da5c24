//! `ocean_custom init`: the integration and its blueprints at Port, from files or from the first records.

use std::io::Write as _;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use longshore_engine::init::{FirstStart, Inference, infer};
use serde_json::json;

use crate::Stop;
use crate::progress::say;
use crate::setup::{Files, Traffic, build, chain, port_client, refused, with_mapping};
use crate::signals::end_at_once;

/// Creates the integration and its blueprints at Port, and prints the blueprints. What exists is left as it is.
#[derive(Debug, Args)]
pub(crate) struct Init {
    #[command(flatten)]
    files: Files,
    /// Find out from the first records what the blueprints are.
    #[arg(long, conflicts_with = "blueprints")]
    infer: bool,
    /// How many entities of each resource are looked at.
    #[arg(long, value_name = "COUNT", default_value = "100", requires = "infer")]
    sample: NonZeroUsize,
    /// Create what the records tell even where not everything could be read.
    #[arg(long, requires = "infer")]
    incomplete: bool,
    /// Blueprints as JSON or YAML, instead of blueprints.json in resourcesPath.
    #[arg(long, value_name = "FILE")]
    blueprints: Option<PathBuf>,
    /// Print the blueprints, and do not create anything at Port.
    #[arg(long)]
    dry_run: bool,
}

/// Whether all is well.
pub(crate) async fn run(arguments: &Init) -> Result<bool, Stop> {
    let (config, progress) = arguments.files.load()?;
    end_at_once(progress.clone());
    let invalid = |error: &(dyn std::error::Error + 'static)| {
        Stop::Refused(format!("{}\nnothing was created", chain(error)))
    };
    // Asking for it is more than the setting that is about starts. What comes from elsewhere is not read: it may be about to be written.
    let mut asked = config.clone();
    asked.port.initialize_port_resources = !arguments.infer && arguments.blueprints.is_none();
    let mut plan = FirstStart::of(&asked).map_err(|error| invalid(&error))?;
    if let Some(file) = &arguments.blueprints {
        plan = plan
            .with_blueprints_of(file)
            .map_err(|error| invalid(&error))?;
    }
    let port = match arguments.dry_run {
        // Only where the mapping has to come from there.
        true => None,
        false => Some(port_client(&config)?),
    };
    let mut notes = Vec::new();
    let mut read_well = true;
    if arguments.infer {
        let config = match (&config.mapping, &plan.mapping) {
            (Some(_), _) => config,
            (None, Some(mapping)) => config
                .with_mapping_from_port(mapping.clone())
                .map_err(|error| refused(&error))?,
            (None, None) => with_mapping(config.clone(), &port_client(&config)?, &progress).await?,
        };
        let engine = build(&config, &Traffic::Live, &progress, None)?;
        let mapping = config.mapping.as_ref().map(|mapping| mapping.for_port());
        let Inference {
            blueprints,
            notes: found,
            is_complete,
            ..
        } = infer(&engine, &mapping.unwrap_or_default(), arguments.sample).await;
        progress.clear();
        plan.blueprints = blueprints;
        notes = found;
        read_well = is_complete;
    }
    for note in &notes {
        say(format_args!("note: {note}"));
    }
    if plan.blueprints.is_empty() {
        say(
            "there are no blueprints; add --infer, --blueprints FILE, or put blueprints.json into resourcesPath",
        );
    }
    writeln!(std::io::stdout(), "{:#}", json!(plan.blueprints))
        .map_err(|error| Stop::Failed(format!("the blueprints cannot be printed: {error}")))?;
    let Some(port) = port else {
        say("nothing was created (--dry-run)");
        return Ok(read_well);
    };
    if !read_well && !arguments.incomplete {
        say(
            "nothing was created: not everything could be read, so that blueprints or properties may be missing; add --incomplete to create these all the same",
        );
        return Ok(false);
    }
    let created = plan
        .create(&port)
        .await
        .map_err(|error| Stop::Failed(chain(&error)))?;
    for created in &created {
        say(created);
    }
    Ok(read_well)
}
