//! `onStatus`, `successWhen` and `retryWhen`, of the connection and of a list; `rateLimitReset` of the connection.

use longshore_transport::ResetUnit;

use super::connection::Levels;
use super::fields::Fields;
use super::notice::Findings;
use super::resource::{Written, jq};
use super::spelling::Words;
use super::tree::Node;
use super::values;
use crate::rules::{AnswerRules, StatusAction};

const STATUS_ACTIONS: Words = Words {
    known: &["empty", "fail", "retry"],
    meant: &[
        ("ignore", "empty"),
        ("skip", "empty"),
        ("error", "fail"),
        ("wait", "retry"),
        ("repeat", "retry"),
    ],
};

const RESET_UNITS: Words = Words {
    known: &["auto", "seconds", "epoch", "epochMilliseconds"],
    meant: &[
        ("delta", "seconds"),
        ("s", "seconds"),
        ("epochSeconds", "epoch"),
        ("unix", "epoch"),
        ("timestamp", "epoch"),
        ("ms", "epochMilliseconds"),
        ("milliseconds", "epochMilliseconds"),
    ],
};

/// The rules of the connection. What the file says of a status holds where the environment says nothing of it.
pub(super) fn of_connection(levels: &mut Levels, findings: &mut Findings) -> AnswerRules {
    let mut rules = AnswerRules::default();
    let on_status = levels.section("onStatus", findings);
    for statuses in [on_status.file, Some(on_status.environment)]
        .into_iter()
        .flatten()
    {
        rules = add_statuses(rules, statuses, findings);
    }
    if let Some(unit) = levels
        .take(&["rateLimitReset"], findings)
        .and_then(|node| reset_unit(&node, findings))
    {
        rules = rules.reset_unit(unit);
    }
    let success_when = levels.take(&["successWhen"], findings);
    let retry_when = levels.take(&["retryWhen"], findings);
    for node in [&success_when, &retry_when].into_iter().flatten() {
        check_jq(node, findings);
    }
    add_predicates(rules, success_when, retry_when, findings)
}

/// The rules of a list that is written at `path` inside the resource.
pub(super) fn of_list(
    fields: &mut Fields,
    path: &str,
    written: &mut Written,
    findings: &mut Findings,
) -> AnswerRules {
    let mut rules = AnswerRules::default();
    if let Some(statuses) = fields.take_fields(&["onStatus"], findings) {
        rules = add_statuses(rules, statuses, findings);
    }
    let success_when = fields.take(&["successWhen"], findings);
    let retry_when = fields.take(&["retryWhen"], findings);
    for (name, node) in [("successWhen", &success_when), ("retryWhen", &retry_when)] {
        if let Some(node) = node {
            written.note(&format!("{path}.{name}"), node);
        }
    }
    add_predicates(rules, success_when, retry_when, findings)
}

fn reset_unit(node: &Node, findings: &mut Findings) -> Option<ResetUnit> {
    match values::text(node, findings)?.trim() {
        "auto" => Some(ResetUnit::BySize),
        "seconds" => Some(ResetUnit::DeltaSeconds),
        "epoch" => Some(ResetUnit::EpochSeconds),
        "epochMilliseconds" | "epoch_milliseconds" => Some(ResetUnit::EpochMilliseconds),
        other => {
            findings.problem(&node.place, RESET_UNITS.refusal(other));
            None
        }
    }
}

fn add_predicates(
    mut rules: AnswerRules,
    success_when: Option<Node>,
    retry_when: Option<Node>,
    findings: &mut Findings,
) -> AnswerRules {
    if let Some(expression) = success_when.and_then(|node| jq(&node, findings)) {
        rules = rules.success_when(expression);
    }
    if let Some(expression) = retry_when.and_then(|node| jq(&node, findings)) {
        rules = rules.retry_when(expression);
    }
    rules
}

/// Those of a list are checked with their resource; only here it is known where one of the connection is written.
fn check_jq(node: &Node, findings: &mut Findings) {
    if let Some(text) = node.text()
        && !text.trim().is_empty()
        && let Err(error) = longshore_jq::Filter::compile_mapping(text)
    {
        findings.problem(&node.place, error.to_string());
    }
}

fn add_statuses(mut rules: AnswerRules, statuses: Fields, findings: &mut Findings) -> AnswerRules {
    for entry in statuses.into_entries() {
        let status = entry
            .key
            .parse()
            .ok()
            .filter(|status| (400..600).contains(status));
        if status.is_none() {
            findings.problem(
                &entry.node.place,
                "must be a status from 400 to 599, as in `404: empty`",
            );
        }
        let action = match values::text(&entry.node, findings)
            .as_deref()
            .map(str::trim)
        {
            Some("empty") => StatusAction::Empty,
            Some("fail") => StatusAction::Fail,
            Some("retry") => StatusAction::Retry,
            Some(other) => {
                findings.problem(&entry.node.place, STATUS_ACTIONS.refusal(other));
                continue;
            }
            None => continue,
        };
        let Some(status) = status else { continue };
        if let Some(message) = AnswerRules::refusal(status, action) {
            findings.problem(&entry.node.place, message);
            continue;
        }
        rules = rules.on_status(status, action);
    }
    rules
}
