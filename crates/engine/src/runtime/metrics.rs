//! Metrics in the text format of Prometheus, under the names that the reference has.
//!
//! The gauges `duration_seconds`, `object_count`, `success` and `rate_limit_wait_seconds` are those of the reference, with its labels: `kind` is
//! the kind and the place of its resource in the mapping (`/api/v1/users-0`), `__runtime__` is the whole sync. They show the last sync. The
//! counters that begin with `longshore_` are ours: they count from the start of the process and go on during a sync.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::telemetry::{Finished, KindTotals, State, Telemetry, Totals};

/// The kind of what concerns no single one.
const RUNTIME: &str = "__runtime__";

impl Telemetry {
    /// All metrics, as `/metrics` answers them.
    pub fn metrics(&self) -> String {
        self.read(render)
    }
}

fn render(
    totals: &Totals,
    kinds: &BTreeMap<String, KindTotals>,
    state: &State,
    last: Option<&Finished>,
) -> String {
    let mut page = Page::default();
    if let Some(last) = last {
        last_sync(last, &mut page);
    }
    for (kind, counts) in kinds {
        let kind = first_of(kind, last);
        for (endpoint, seconds) in &counts.limited {
            page.gauge(
                "rate_limit_wait_seconds",
                "Seconds waited because the API said that it was asked too often.",
                &[
                    ("kind", &kind),
                    ("phase", "extract"),
                    ("endpoint", endpoint),
                ],
                *seconds,
            );
        }
    }
    for (kind, counts) in kinds {
        for (status, count) in &counts.requests {
            page.counter(
                "longshore_requests_total",
                "Requests to the API by status; error where no answer came.",
                &[("kind", kind), ("status", status)],
                *count,
            );
        }
    }
    for (outcome, count) in [
        ("clean", totals.syncs_clean),
        ("unclean", totals.syncs_unclean),
    ] {
        page.counter(
            "longshore_syncs_total",
            "Syncs that came to an end; unclean where something was incomplete, rejected or held back.",
            &[("outcome", outcome)],
            count,
        );
    }
    page.gauge(
        "longshore_sync_running",
        "1 while a sync is under way.",
        &[],
        f64::from(u8::from(state.syncing)),
    );
    page.text
}

/// Kinds as the reference labels them: with the place of their resource.
fn first_of(kind: &str, last: Option<&Finished>) -> String {
    let place = last.and_then(|last| {
        let mut resources = last.report.resources.iter();
        resources
            .find(|resource| resource.kind == kind)
            .map(|resource| resource.place)
    });
    format!("{kind}-{}", place.unwrap_or_default())
}

fn last_sync(last: &Finished, page: &mut Page) {
    let labels: Vec<String> = last
        .report
        .resources
        .iter()
        .map(|resource| format!("{}-{}", resource.kind, resource.place))
        .collect();
    let resources = || last.report.resources.iter().zip(&labels);
    let success = "1 where everything was read to a proven end and written.";
    for (resource, kind) in resources() {
        let complete = f64::from(u8::from(resource.is_well()));
        page.gauge(
            "success",
            success,
            &[("kind", kind), ("phase", "resync")],
            complete,
        );
    }
    let clean = f64::from(u8::from(last.report.is_clean()));
    page.gauge(
        "success",
        success,
        &[("kind", RUNTIME), ("phase", "resync")],
        clean,
    );
    let duration = "Seconds that the last sync took.";
    for (resource, kind) in resources() {
        let Some(took) = last.took_by_place.get(&resource.place) else {
            continue;
        };
        page.gauge(
            "duration_seconds",
            duration,
            &[("kind", kind), ("phase", "resync")],
            took.as_secs_f64(),
        );
    }
    page.gauge(
        "duration_seconds",
        duration,
        &[("kind", RUNTIME), ("phase", "resync")],
        last.took.as_secs_f64(),
    );
    let mut count = |kind: &str, phase, what, count: u64| {
        page.gauge(
            "object_count",
            "What the last sync read, made and wrote.",
            &[
                ("kind", kind),
                ("phase", phase),
                ("object_count_type", what),
            ],
            count as f64,
        );
    };
    for (resource, kind) in resources() {
        count(kind, "extract", "raw_extracted", resource.records);
        count(kind, "transform", "transformed", resource.entities);
        count(kind, "transform", "filtered_out", resource.skipped);
        count(kind, "transform", "failed", resource.failed);
    }
    // Of several kinds, which had waited for each other.
    let waited = last.loaded.get(&None).map(|loaded| (RUNTIME, loaded));
    let of_resources = resources().filter_map(|(resource, kind)| {
        Some((kind.as_str(), last.loaded.get(&Some(resource.place))?))
    });
    for (kind, loaded) in waited.into_iter().chain(of_resources) {
        count(kind, "load", "loaded", loaded.upserted);
        count(kind, "load", "skipped", loaded.unchanged);
        count(kind, "load", "failed", loaded.rejected);
    }
    count(RUNTIME, "delete", "deleted", last.report.deleted);
}

/// Lines of metrics; those of one name have to stand together, below its help.
#[derive(Default)]
struct Page {
    text: String,
    last: &'static str,
}

impl Page {
    fn gauge(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.line(name, "gauge", help, labels, value);
    }

    fn counter(&mut self, name: &'static str, help: &str, labels: &[(&str, &str)], value: u64) {
        self.line(name, "counter", help, labels, value as f64);
    }

    fn line(
        &mut self,
        name: &'static str,
        of: &str,
        help: &str,
        labels: &[(&str, &str)],
        value: f64,
    ) {
        // Writing to text cannot fail.
        if self.last != name {
            let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {of}");
            self.last = name;
        }
        let labels: Vec<String> = labels
            .iter()
            .map(|(label, value)| format!("{label}=\"{}\"", escape(value)))
            .collect();
        let braces = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.text, "{name}{braces} {value}");
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_labels_cannot_leave_their_quotes() {
        let mut page = Page::default();
        page.gauge("success", "Help.", &[("kind", "/a\"b\\c\n")], 1.0);
        assert_eq!(
            page.text,
            "# HELP success Help.\n# TYPE success gauge\nsuccess{kind=\"/a\\\"b\\\\c\\n\"} 1\n"
        );
    }

    #[test]
    fn before_the_first_sync_there_are_counters_alone() {
        assert_eq!(
            Telemetry::new().metrics(),
            "# HELP longshore_syncs_total Syncs that came to an end; unclean where something was incomplete, rejected or held back.\n\
             # TYPE longshore_syncs_total counter\n\
             longshore_syncs_total{outcome=\"clean\"} 0\n\
             longshore_syncs_total{outcome=\"unclean\"} 0\n\
             # HELP longshore_sync_running 1 while a sync is under way.\n\
             # TYPE longshore_sync_running gauge\n\
             longshore_sync_running 0\n"
        );
    }
}
