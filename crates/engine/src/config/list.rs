//! How a list is asked for: what `selector` and each path parameter have in common.

use http::Method;
use longshore_paginate::Settings;
use serde_json::Value;

use super::auth::{AuthSettings, Credentials};
use super::fields::{Fields, unfold};
use super::mapping::Against;
use super::notice::Findings;
use super::resource::{Written, jq};
use super::spelling::Words;
use super::tree::{Node, Shape};
use super::{answers, pagination, values, yaml};
use crate::login::ListAuth;
use crate::rules::AnswerRules;

const METHODS: Words = Words {
    known: &["GET", "POST", "PUT", "PATCH", "DELETE"],
    meant: &[],
};

/// A list as written.
pub(super) struct List {
    pub(super) method: Method,
    pub(super) query_params: Vec<(String, String)>,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Option<Value>,
    pub(super) data_path: Option<String>,
    pub(super) pagination: Settings,
    pub(super) answer_rules: AnswerRules,
    pub(super) auth: Option<ListAuth>,
}

/// Reads what is written at `path` inside the resource.
pub(super) fn read(
    fields: &mut Fields,
    path: &str,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> List {
    let method = fields.take(&["method"], findings);
    let query_params = fields.take(&["queryParams"], findings);
    if let Some(node) = &query_params {
        written.note(&format!("{path}.query_params"), node);
    }
    let headers = fields.take(&["headers"], findings);
    if let Some(node) = &headers {
        written.note(&format!("{path}.headers"), node);
    }
    let body = fields.take(&["body"], findings);
    if let Some(node) = &body {
        written.note(&format!("{path}.body"), node);
    }
    let data_path = fields.take(&["dataPath"], findings);
    if let Some(node) = &data_path {
        written.note(&format!("{path}.data_path"), node);
    }
    let pagination = match fields.take(&["pagination"], findings) {
        Some(node) => {
            let path = format!("{path}.pagination");
            written.note(&path, &node);
            pagination::of_list(node, &path, against, written, findings)
        }
        None => Settings::default(),
    };
    let answer_rules = answers::of_list(fields, path, written, findings);
    let auth = fields.take(&["auth"], findings).and_then(|node| {
        // Without a connection that could be read there is nothing to hold it against.
        let settings = against
            .credentials?
            .resolve(node, against.unknown, findings)?;
        Some(ListAuth::Settings(settings))
    });
    let body_place = body.as_ref().map(|node| node.place.clone());
    let body = body.and_then(|node| read_body(node, findings));
    if let (Some(place), Some(body)) = (body_place, &body)
        && !body.is_object()
        && goes_into_body(auth.as_ref(), against)
    {
        let message = "must be an object: the credential goes into it (apiKeyIn: body, or body in customAuthRequestTemplate)";
        findings.problem(&place, message);
    }
    List {
        method: method
            .and_then(|node| read_method(&node, findings))
            .unwrap_or(Method::GET),
        query_params: query_params
            .map(|node| pairs(node, findings))
            .unwrap_or_default(),
        headers: headers
            .map(|node| pairs(node, findings))
            .unwrap_or_default(),
        body,
        data_path: data_path.and_then(|node| jq(&node, findings)),
        pagination,
        answer_rules,
        auth,
    }
}

/// Whether the credential of a list, its own or the connection's, goes into the body.
fn goes_into_body(auth: Option<&ListAuth>, against: Against<'_>) -> bool {
    match auth {
        Some(ListAuth::Settings(settings)) => settings.goes_into_body(),
        Some(_) => false,
        None => against
            .credentials
            .and_then(Credentials::own)
            .is_some_and(AuthSettings::goes_into_body),
    }
}

pub(super) fn read_method(node: &Node, findings: &mut Findings) -> Option<Method> {
    let text = values::text(node, findings)?;
    let name = text.trim().to_ascii_uppercase();
    if METHODS.known.contains(&name.as_str()) {
        return Method::from_bytes(name.as_bytes()).ok();
    }
    findings.problem(&node.place, METHODS.refusal(text.trim()));
    None
}

/// Names and values as the text written. A list gives its name once for each item.
pub(super) fn pairs(node: Node, findings: &mut Findings) -> Vec<(String, String)> {
    let Some(node) = unfold(node, findings) else {
        return Vec::new();
    };
    let Shape::Map(entries) = node.shape else {
        findings.problem(&node.place, "must be an object of names and values");
        return Vec::new();
    };
    let mut pairs = Vec::new();
    for entry in entries {
        let place = entry.place();
        let items = match entry.node.shape {
            Shape::List(items) => items,
            _ => vec![entry.node],
        };
        for item in items {
            match item.text() {
                Some(_) if item.is_null() => findings.problem(
                    &place,
                    "has no value; for an empty one write '', for the word null write 'null'",
                ),
                Some(text) => pairs.push((entry.key.clone(), text.to_owned())),
                None => findings.problem(&place, "must be text, a number, true or false"),
            }
        }
    }
    pairs
}

/// A JSON body, as an object or as JSON text.
pub(super) fn read_body(node: Node, findings: &mut Findings) -> Option<Value> {
    match node.text() {
        Some(text) => yaml::parse_json_text(text, &node.place, findings).map(|node| node.to_json()),
        None => Some(node.to_json()),
    }
}
