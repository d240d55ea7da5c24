//! `--explain`: what every expression of a mapping gives for the first record, while it is being written.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use longshore_engine::config::Config;
use longshore_engine::jq::Val;
use longshore_engine::{Event, Observer};

use crate::Stop;
use crate::progress::Progress;
use crate::setup::{Traffic, build};

/// Reads the first record of each kind and explains it. Whether there was one of each.
pub(crate) async fn run(
    config: &Config,
    kinds: &[String],
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let seen = Arc::new(FirstRecords::default());
    let engine = build(config, traffic, progress, Some(seen.clone()))?;
    let mut all = true;
    for resource in engine.resources() {
        if !kinds.is_empty() && !kinds.iter().any(|kind| kind == resource.kind()) {
            continue;
        }
        seen.forget(resource.kind());
        let mut entities = engine.entities(resource);
        let mut trouble = None;
        let record = loop {
            let next = entities.next().await;
            if let Some(record) = seen.of(resource.kind()) {
                break Some(record);
            }
            match next {
                Some(Ok(_)) => {}
                Some(Err(error)) => trouble = Some(error.to_string()),
                None => break None,
            }
        };
        let text = match (record, trouble) {
            (Some(record), _) => resource.explain(&record).map_or_else(
                || "mapped by code that does not explain itself".to_owned(),
                |explanation| explanation.to_string(),
            ),
            (None, trouble) => {
                all = false;
                trouble.unwrap_or_else(|| "no record".to_owned())
            }
        };
        print(progress, resource.kind(), &text)?;
    }
    Ok(all)
}

fn print(progress: &Progress, kind: &str, text: &str) -> Result<(), Stop> {
    progress
        .aside(|| writeln!(std::io::stdout(), "{kind}\n{text}\n"))
        .map_err(|error| Stop::Failed(format!("stdout cannot be written to: {}", error.kind())))
}

/// The first record of each kind.
#[derive(Debug, Default)]
struct FirstRecords(Mutex<HashMap<String, Val>>);

impl FirstRecords {
    fn of(&self, kind: &str) -> Option<Val> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(kind).cloned()
    }

    /// Several mappings may be of one kind, each with records of its own.
    fn forget(&self, kind: &str) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.remove(kind);
    }
}

impl Observer for FirstRecords {
    fn event(&self, event: &Event<'_>) {
        if let Event::Records { kind, records, .. } = event
            && let Some(first) = records.first()
        {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.entry((*kind).to_owned())
                .or_insert_with(|| first.clone());
        }
    }
}
