//! Scalars as the types that settings want. All are text first, so `"100"` is as good as `100`.
//!
//! No message shows the text that was written: which setting holds a secret is not known here.

use std::path::PathBuf;
use std::time::Duration;

use longshore_jq::{Filter, Val};

use super::notice::Findings;
use super::tree::{Node, Shape};

/// Text as written.
pub(super) fn text(node: &Node, findings: &mut Findings) -> Option<String> {
    match &node.shape {
        Shape::Scalar { text, .. } => Some(text.clone()),
        Shape::List(_) | Shape::Map(_) => {
            findings.problem(&node.place, "must be text");
            None
        }
    }
}

/// Text with something in it, without the blanks around it.
pub(super) fn filled_text(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = text(node, findings)?;
    if text.trim().is_empty() {
        findings.problem(&node.place, "is empty");
        return None;
    }
    Some(text.trim().to_owned())
}

/// The path of a file or folder, counted from the file that names it.
pub(super) fn path(node: &Node, findings: &mut Findings) -> Option<PathBuf> {
    let text = filled_text(node, findings)?;
    Some(node.place.path_to(&text))
}

/// The path of a file that is going to be written: its folder has to be there.
pub(super) fn file_to_write(node: &Node, findings: &mut Findings) -> Option<PathBuf> {
    let path = path(node, findings)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        findings.problem(
            &node.place,
            "is in a directory that does not exist; make it, or write another path",
        );
        return None;
    }
    Some(path)
}

/// Text as written, blanks around it too, for what is not trimmed: a line end that came along is a problem.
pub(super) fn text_without_controls(node: &Node, findings: &mut Findings) -> Option<String> {
    let text = text(node, findings)?;
    if text.contains(char::is_control) {
        findings.problem(
            &node.place,
            "holds a control character, perhaps a line end; remove it",
        );
        return None;
    }
    Some(text)
}

/// true, false, yes, no, on, off, 1, 0, in any case.
pub(super) fn boolean(node: &Node, findings: &mut Findings) -> Option<bool> {
    let value = node.text().and_then(boolean_word);
    if value.is_none() {
        findings.problem(
            &node.place,
            "must be true or false (also: yes, no, on, off, 1, 0)",
        );
    }
    value
}

pub(super) fn boolean_word(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Some(true),
        "false" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A whole number of at least `least`.
pub(super) fn whole_number(node: &Node, least: u64, findings: &mut Findings) -> Option<u64> {
    let number = node
        .text()
        .and_then(|text| text.trim().parse().ok())
        .filter(|number| *number >= least);
    if number.is_none() {
        findings.problem(
            &node.place,
            format!("must be a whole number of at least {least}"),
        );
    }
    number
}

/// A number from `least` to `most`.
pub(super) fn number_within(
    node: &Node,
    least: f64,
    most: f64,
    findings: &mut Findings,
) -> Option<f64> {
    let number = node
        .text()
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|number| (least..=most).contains(number));
    if number.is_none() {
        findings.problem(
            &node.place,
            format!("must be a number from {least} to {most}"),
        );
    }
    number
}

/// A moment, as `2024-03-05T10:11:12Z` or in seconds since 1970: what jq's `fromdate` reads, in seconds.
pub(super) fn moment(node: &Node, findings: &mut Findings) -> Option<f64> {
    let text = filled_text(node, findings)?;
    let number = text.parse::<f64>().ok().filter(|n| n.is_finite());
    let moment = number.or_else(|| {
        let read = Filter::compile("fromdate").ok()?;
        read.first(&Val::from(text)).ok()??.as_f64()
    });
    if moment.is_none() {
        findings.problem(
            &node.place,
            "is no moment; write 2024-03-05T10:11:12Z, or seconds since 1970",
        );
    }
    moment
}

/// A time in seconds, more than none and at most a day.
pub(super) fn seconds(node: &Node, findings: &mut Findings) -> Option<Duration> {
    let seconds = node
        .text()
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0);
    if seconds.is_none() {
        findings.problem(
            &node.place,
            "must be a number of seconds above 0 and at most 86400",
        );
    }
    seconds.map(Duration::from_secs_f64)
}

/// A setting that is absent is fine, one that cannot be read is not.
pub(super) fn all_or_nothing<T>(setting: Option<Option<T>>) -> Option<Option<T>> {
    match setting {
        None => Some(None),
        Some(None) => None,
        Some(value) => Some(value),
    }
}
