//! What a sync came to: for a person on stderr, for programs on stdout.

use std::io::Write as _;

use longshore_engine::{Plan, Report};

use crate::Stop;
use crate::progress::{Progress, counted, say};

/// The report as one line of JSON on stdout.
pub(crate) fn print(report: &Report) -> Result<(), Stop> {
    let json = serde_json::to_string(report).map_err(|error| Stop::Failed(error.to_string()))?;
    // Whoever closed stdout has no use for the report; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{json}");
    Ok(())
}

/// What a sync or a reconcile would do: as text on stderr, as one line of JSON on stdout.
pub(crate) fn show(plan: &Plan) -> Result<(), Stop> {
    say(plan);
    let json = serde_json::to_string(plan).map_err(|error| Stop::Failed(error.to_string()))?;
    // Whoever closed stdout has no use for the plan; the exit code still tells.
    let _ = writeln!(std::io::stdout(), "{json}");
    Ok(())
}

/// The summary, and last what the exit code says.
pub(crate) fn summarize(report: &Report, progress: &Progress, all_well: &str) {
    summarize_as("exit code 1", report, progress, all_well);
}

/// The summary of one sync of several, or of a part of one: the exit code says something else.
pub(crate) fn summarize_one(report: &Report, progress: &Progress, all_well: &str) {
    summarize_as("not all well", report, progress, all_well);
}

fn summarize_as(unwell: &str, report: &Report, progress: &Progress, all_well: &str) {
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
        troubles => say(format_args!("{unwell}: {}", troubles.join(", "))),
    }
}
