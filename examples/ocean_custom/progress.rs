//! What a person sees on stderr: bars on a terminal, log lines elsewhere, a summary at the end.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use longshore_engine::transport::Attempt;
use longshore_engine::{Event, Observer, ResourceReport};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

/// Failed records of one resource that are named while it is read; the summary counts them all.
const NAMED_FAILURES: u64 = 5;
/// Between two lines that say how far a long read is.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// Progress of one run.
#[derive(Clone)]
pub(crate) struct Progress {
    bars: Option<Arc<Bars>>,
    failures: Arc<Mutex<HashMap<String, u64>>>,
    last_line: Arc<Mutex<Option<Instant>>>,
}

#[derive(Default)]
struct Bars {
    all: MultiProgress,
    by_kind: Mutex<HashMap<String, ProgressBar>>,
}

impl Progress {
    /// Bars when stderr is a terminal; log lines when it is none, or when `RUST_LOG` or a level below info asks for them.
    pub(crate) fn start(level: Option<&str>) -> Progress {
        let wanted = std::env::var("RUST_LOG").unwrap_or_default();
        let (level, unknown) = match level.map(parse_level) {
            None => ("info", None),
            Some(Some(level)) => (level, None),
            Some(None) => (
                "info",
                Some("logLevel is not known; it is one of DEBUG, INFO, WARNING, ERROR, CRITICAL"),
            ),
        };
        let lines = !std::io::stderr().is_terminal()
            || !wanted.is_empty()
            || matches!(level, "debug" | "trace");
        let progress = Progress {
            bars: (!lines).then(Arc::default),
            failures: Arc::default(),
            last_line: Arc::default(),
        };
        let unreadable = if lines {
            log_to_stderr(level, &wanted)
        } else {
            None
        };
        for warning in unknown.into_iter().chain(unreadable) {
            progress.warn(warning);
        }
        progress
    }

    /// What the engine tells its progress to.
    pub(crate) fn observer(&self) -> impl Observer + use<> {
        let progress = self.clone();
        move |event: &Event<'_>| match &progress.bars {
            Some(bars) => progress.draw(bars, event),
            None => progress.log(event),
        }
    }

    /// A line that a person should see.
    pub(crate) fn warn(&self, line: &str) {
        match &self.bars {
            Some(bars) => bars.line(&format!("warning: {line}")),
            None => tracing::warn!("{line}"),
        }
    }

    /// Does something that prints, with no bar on the screen meanwhile.
    pub(crate) fn aside<T>(&self, print: impl FnOnce() -> T) -> T {
        match &self.bars {
            Some(bars) => bars.all.suspend(print),
            None => print(),
        }
    }

    /// Takes the bars off the screen for good.
    pub(crate) fn clear(&self) {
        if let Some(bars) = &self.bars {
            for (_, bar) in lock(&bars.by_kind).drain() {
                bar.finish_and_clear();
            }
        }
    }

    fn draw(&self, bars: &Bars, event: &Event<'_>) {
        match event {
            Event::ResourceStarted { kind, .. } => bars.start(kind),
            Event::Parents { kind, count, .. } => {
                bars.say(
                    kind,
                    format!("for {}", counted(*count, "parent", "parents")),
                );
            }
            Event::Page {
                kind,
                pages,
                records,
                entities,
                ..
            } => bars.say(kind, so_far(*pages, *records, *entities)),
            Event::ResourceFinished { kind, .. } => {
                if let Some(bar) = lock(&bars.by_kind).remove(*kind) {
                    bar.finish_and_clear();
                }
            }
            Event::RecordFailed { kind, error, .. }
                if self.count_failure(kind) <= NAMED_FAILURES =>
            {
                bars.line(&error.to_string());
            }
            Event::Request { attempt, .. } if attempt.wait.is_some_and(|wait| !wait.is_zero()) => {
                bars.line(&retry_line(attempt));
            }
            _ => {}
        }
    }

    fn log(&self, event: &Event<'_>) {
        match event {
            Event::ResourceStarted { kind, .. } => tracing::info!("{kind}: reading"),
            Event::Parents { kind, count, .. } => {
                tracing::info!("{kind}: for {}", counted(*count, "parent", "parents"));
            }
            Event::Request { attempt, .. } if attempt.wait.is_some_and(|wait| !wait.is_zero()) => {
                tracing::warn!("{}", retry_line(attempt));
            }
            Event::Page {
                kind,
                pages,
                records,
                entities,
                ..
            } => {
                let line = so_far(*pages, *records, *entities);
                if self.is_time_for_a_line() {
                    tracing::info!("{kind}: {line} so far");
                } else {
                    tracing::debug!("{kind}: {line} so far");
                }
            }
            Event::RecordFailed { kind, error, .. } => match self.count_failure(kind) {
                ..NAMED_FAILURES => tracing::warn!("{error}"),
                NAMED_FAILURES => {
                    tracing::warn!(
                        "{error} (further ones are only counted; RUST_LOG=debug names all)"
                    );
                }
                _ => tracing::debug!("{error}"),
            },
            Event::ResourceFinished { kind, outcome, .. } => {
                let read = ResourceReport::new(kind, outcome);
                let counts = so_far(read.pages, read.records, read.entities);
                match (&read.cause, &read.stop) {
                    (Some(cause), _) => tracing::error!("{kind}: incomplete, {counts}; {cause}"),
                    (None, Some(stop)) => tracing::info!("{kind}: complete ({stop}), {counts}"),
                    (None, None) => tracing::info!("{kind}: complete, {counts}"),
                }
            }
            Event::Written {
                upserted, rejected, ..
            } if *upserted > 0 => {
                tracing::debug!("{upserted} upserted, {rejected} rejected so far")
            }
            _ => {}
        }
    }

    fn count_failure(&self, kind: &str) -> u64 {
        let mut failures = lock(&self.failures);
        let count = failures.entry(kind.to_owned()).or_default();
        *count += 1;
        *count
    }

    fn is_time_for_a_line(&self) -> bool {
        let mut last = lock(&self.last_line);
        let begun = *last.get_or_insert_with(Instant::now);
        let due = begun.elapsed() >= BETWEEN_LINES;
        if due {
            *last = Some(Instant::now());
        }
        due
    }
}

impl Bars {
    fn start(&self, kind: &str) {
        let bar = self.all.add(ProgressBar::new_spinner());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(kind.to_owned());
        bar.enable_steady_tick(Duration::from_millis(100));
        lock(&self.by_kind).insert(kind.to_owned(), bar);
    }

    fn say(&self, kind: &str, message: String) {
        if let Some(bar) = lock(&self.by_kind).get(kind) {
            bar.set_message(message);
        }
    }

    fn line(&self, line: &str) {
        // A line that cannot be drawn is no reason to fail.
        let _ = self.all.println(line);
    }
}

/// A line on stderr. One that nobody reads any more is no reason to fail.
pub(crate) fn say(line: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// `1 page`, `2 pages`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// Logs to stderr. What is wrong with `RUST_LOG`, if something is.
fn log_to_stderr(level: &str, wanted: &str) -> Option<&'static str> {
    // Below info the libraries underneath say more than a person asked for.
    let ours = match level {
        "debug" | "trace" => format!("info,ocean_custom={level},longshore={level}"),
        level => level.to_owned(),
    };
    let asked = (!wanted.is_empty()).then(|| EnvFilter::try_new(wanted));
    let (filter, spans, problem) = match asked {
        Some(Ok(filter)) => (filter, true, None),
        Some(Err(_)) => (
            EnvFilter::new(ours),
            false,
            Some(
                "RUST_LOG cannot be read and is ignored; write it as debug, or as longshore=debug,info",
            ),
        ),
        None => (EnvFilter::new(ours), false, None),
    };
    // The lines name their resource; spans are for those who filter by them.
    let filter = filter.and(filter_fn(move |metadata| spans || metadata.is_event()));
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .with_target(false)
        .log_internal_errors(false)
        .with_filter(filter);
    let _ = tracing_subscriber::registry().with(lines).try_init();
    problem
}

/// The level under the names of the reference and of `tracing`.
fn parse_level(name: &str) -> Option<&'static str> {
    Some(match name.trim().to_ascii_lowercase().as_str() {
        "trace" => "trace",
        "debug" => "debug",
        "info" => "info",
        "warning" | "warn" => "warn",
        "error" | "critical" => "error",
        _ => return None,
    })
}

fn so_far(pages: u64, records: u64, entities: u64) -> String {
    format!(
        "{}, {}, {}",
        counted(pages, "page", "pages"),
        counted(records, "record", "records"),
        counted(entities, "entity", "entities")
    )
}

fn retry_line(attempt: &Attempt) -> String {
    format!(
        "{} {} {}; next try in {:.1} s",
        attempt.method,
        attempt.url,
        result(attempt),
        attempt.wait.unwrap_or_default().as_secs_f64()
    )
}

fn result(attempt: &Attempt) -> String {
    match (attempt.status, attempt.error) {
        (Some(status), _) => format!("answered {status}"),
        (None, Some(error)) => format!("failed ({error:?})"),
        (None, None) => "failed".to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
