//! `ocean_custom reconcile DIR`: deletes what no shard has seen, where all shards came to a proven end.

use std::path::PathBuf;

use clap::Args;
use longshore_engine::shard::ShardResults;
use longshore_engine::{PlanSink, PortSink, PortSinkOptions};

use crate::Stop;
use crate::progress::{counted, say};
use crate::report::{print, show, summarize};
use crate::setup::{Files, Traffic, build, port_client, with_mapping};
use crate::signals::end_at_once;

/// Deletes what no shard has seen, where all shards came to a proven end. Reads nothing from the API.
#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    /// The folder with the results of all shards.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    files: Files,
    /// Say what would be deleted, and delete nothing.
    #[arg(long)]
    plan: bool,
}

/// Whether all is well.
pub(crate) async fn run(arguments: &Reconcile) -> Result<bool, Stop> {
    let (config, progress) = arguments.files.load()?;
    end_at_once(progress.clone());
    let port = port_client(&config)?;
    let config = with_mapping(config, &port, &progress).await?;
    let engine = build(&config, &Traffic::Live, &progress, None)?;
    let identity = config.identity().unwrap_or_default();
    let results = ShardResults::read(&arguments.folder, &identity, engine.resources()).map_err(
        |problems| {
            let count = counted(problems.0.len() as u64, "problem", "problems");
            Stop::Refused(format!("{problems}\n{count}; nothing was deleted"))
        },
    )?;
    say(format_args!(
        "{} produced {}",
        counted(u64::from(results.shards()), "shard", "shards"),
        counted(results.entities(), "entity", "entities")
    ));
    let options = config.mapping.as_ref().map(PortSinkOptions::from);
    let options = options.unwrap_or_default();
    if arguments.plan {
        let sink = PlanSink::new(port).options(options);
        let report = engine.reconcile(results, &sink).await;
        summarize(&report, &progress, "nothing was deleted");
        show(&sink.plan())?;
        return Ok(report.is_clean());
    }
    let sink = PortSink::new(port).options(options);
    let report = engine.reconcile(results, &sink).await;
    summarize(
        &report,
        &progress,
        "nothing is at Port that no shard has seen",
    );
    print(&report)?;
    Ok(report.is_clean())
}
