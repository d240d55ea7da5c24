//! What a person sees on stderr: bars on a terminal, log lines elsewhere, a summary at the end.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use longshore_engine::{Event, Observer, Report};
use tracing_subscriber::EnvFilter;

/// Progress of one run.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: Option<Arc<Bars>>,
}

#[derive(Default)]
struct Bars {
    all: MultiProgress,
    by_kind: Mutex<HashMap<String, ProgressBar>>,
}

impl Progress {
    /// Bars when stderr is a terminal and `RUST_LOG` is not set, log lines otherwise.
    pub(crate) fn start(level: Option<&str>) -> Progress {
        let terminal = std::io::stderr().is_terminal() && std::env::var_os("RUST_LOG").is_none();
        if !terminal {
            let level = level.unwrap_or("info").to_lowercase();
            let filter = EnvFilter::try_from_default_env()
                .or_else(|_| EnvFilter::try_new(level))
                .unwrap_or_else(|_| EnvFilter::new("info"));
            tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_writer(std::io::stderr)
                .with_ansi(false)
                .with_target(false)
                .init();
        }
        Progress {
            bars: terminal.then(Arc::default),
        }
    }

    /// What the engine tells its progress to.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        let progress = self.clone();
        move |event: &Event<'_>| match &progress.bars {
            Some(bars) => bars.event(event),
            None => log(event),
        }
    }

    /// A line that a person should see.
    pub(crate) fn warn(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.line(&format!("warning: {line}")),
            None => tracing::warn!("{line}"),
        }
    }

    /// The summary.
    pub(crate) fn finish(&self, report: &Report) {
        eprintln!("{report}");
    }
}

impl Bars {
    fn event(&self, event: &Event<'_>) {
        let mut bars = self.by_kind.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::ResourceStarted { kind } => {
                let bar = self.all.add(ProgressBar::new_spinner());
                if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {msg}") {
                    bar.set_style(style);
                }
                bar.set_prefix((*kind).to_owned());
                bar.enable_steady_tick(Duration::from_millis(100));
                bars.insert((*kind).to_owned(), bar);
            }
            Event::Page {
                kind,
                pages,
                records,
                entities,
            } => {
                if let Some(bar) = bars.get(*kind) {
                    bar.set_message(format!(
                        "{pages} pages, {records} records, {entities} entities"
                    ));
                }
            }
            Event::ResourceFinished { kind, .. } => {
                if let Some(bar) = bars.remove(*kind) {
                    bar.finish_and_clear();
                }
            }
            Event::RecordFailed { error, .. } => self.line(&error.to_string()),
            Event::Request { attempt, .. } if attempt.wait.is_some() => {
                self.line(&retry_line(attempt))
            }
            _ => {}
        }
    }

    fn line(&self, line: &str) {
        // A bar that cannot be drawn is no reason to fail.
        let _ = self.all.println(line);
    }
}

fn log(event: &Event<'_>) {
    match event {
        Event::ResourceStarted { kind } => tracing::info!("{kind}: reading"),
        Event::Parents { kind, count } => tracing::info!("{kind}: {count} parents"),
        Event::Request { attempt, .. } if attempt.wait.is_some() => {
            tracing::warn!("{}", retry_line(attempt))
        }
        Event::Page {
            kind,
            pages,
            records,
            ..
        } => tracing::info!("{kind}: {pages} pages, {records} records"),
        Event::RecordFailed { error, .. } => tracing::warn!("{error}"),
        Event::ResourceFinished { kind, outcome } => match outcome.cause() {
            None => tracing::info!("{kind}: complete, {} entities", outcome.entities),
            Some(cause) => tracing::error!("{kind}: incomplete: {cause}"),
        },
        Event::Written {
            upserted, rejected, ..
        } => tracing::info!("{upserted} upserted, {rejected} rejected"),
        _ => {}
    }
}

fn retry_line(attempt: &longshore_engine::transport::Attempt) -> String {
    let what = match (attempt.status, attempt.error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => format!("failed ({error:?})"),
        (None, None) => "failed".to_owned(),
    };
    let wait = attempt.wait.unwrap_or_default();
    format!(
        "{} {} {what}; next try in {:.1} s",
        attempt.method,
        attempt.url,
        wait.as_secs_f64()
    )
}
