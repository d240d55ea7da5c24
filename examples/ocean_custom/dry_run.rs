//! The sink of `--dry-run`: entities as JSON lines on stdout.

use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use longshore_engine::config::Config;
use longshore_engine::mapping::Entity;
use longshore_engine::port_client::entity_problem;
use longshore_engine::{
    Error, ErrorKind, Evidence, Mark, Reconciled, Rejection, Sink, SyncOptions, Written,
};
use tokio::sync::watch;

use crate::Stop;
use crate::progress::{Progress, counted};
use crate::report::summarize;
use crate::setup::{Traffic, build};

/// Reads everything once and prints it. Whether all is well.
pub(crate) async fn run(
    config: &Config,
    kinds: &[String],
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let engine = build(config, traffic, progress, None)?;
    let sink = DryRun::new(progress.clone());
    let options = SyncOptions::new().kinds(kinds);
    let report = tokio::select! {
        report = engine.sync_with(&options, &sink) => Some(report),
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

/// Prints entities and keeps nothing. Names those that Port would refuse.
pub(crate) struct DryRun {
    progress: Progress,
    printed: AtomicU64,
    closed: watch::Sender<bool>,
}

impl DryRun {
    pub(crate) fn new(progress: Progress) -> DryRun {
        DryRun {
            progress,
            printed: AtomicU64::new(0),
            closed: watch::Sender::new(false),
        }
    }

    /// How many entities were printed.
    pub(crate) fn printed(&self) -> u64 {
        self.printed.load(Ordering::Relaxed)
    }

    /// Whether whoever reads stdout has had enough (`| head`).
    pub(crate) fn is_closed(&self) -> bool {
        *self.closed.borrow()
    }

    /// Waits until it is.
    pub(crate) async fn closed(&self) {
        // The sender lives as long as `self`, so this does not fail.
        let _ = self.closed.subscribe().wait_for(|closed| *closed).await;
    }

    fn print(&self, entities: &[Entity]) -> io::Result<()> {
        let mut out = BufWriter::new(io::stdout().lock());
        for entity in entities {
            serde_json::to_writer(&mut out, entity)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

#[async_trait::async_trait]
impl Sink for DryRun {
    async fn begin(&self) -> Result<Mark, Error> {
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        self.progress
            .aside(|| self.print(&entities))
            .map_err(|error| {
                if error.kind() == io::ErrorKind::BrokenPipe {
                    self.closed.send_replace(true);
                }
                Error::new(
                    ErrorKind::Sink,
                    format!("stdout cannot be written to: {}", error.kind()),
                )
            })?;
        self.printed
            .fetch_add(entities.len() as u64, Ordering::Relaxed);
        Ok(Written {
            rejected: entities.iter().filter_map(refusal).collect(),
            ..Written::default()
        })
    }

    async fn reconcile(&self, _evidence: Evidence) -> Result<Reconciled, Error> {
        Ok(Reconciled::default())
    }
}

fn refusal(entity: &Entity) -> Option<Rejection> {
    let problem = entity_problem(entity)?;
    Some(Rejection {
        blueprint: entity.blueprint.clone(),
        identifier: entity.identifier.as_str().unwrap_or_default().to_owned(),
        message: problem,
    })
}
