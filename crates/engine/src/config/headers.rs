//! `customHeaders`: headers for every request, with `${VAR}` from the environment.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::fields::unfold;
use super::notice::{Findings, Place};
use super::tree::{Entry, Node, Shape};

/// Reads an object, or JSON text of one, into headers that are all marked sensitive.
pub(super) fn read(
    node: Node,
    variables: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(node) = unfold(node, findings) else {
        return headers;
    };
    let Shape::Map(entries) = node.shape else {
        findings.problem(&node.place, "must be an object of header names and values");
        return headers;
    };
    for entry in entries {
        let place = entry.place();
        let Some(value) = value(&entry, &place, variables, findings) else {
            continue;
        };
        match longshore_transport::header(&entry.key, &value) {
            Ok((name, mut value)) => {
                value.set_sensitive(true);
                if headers.insert(name, value).is_some() {
                    findings.problem(
                        &place,
                        "is given twice (header names do not depend on case); keep one",
                    );
                }
            }
            Err(error) => findings.problem(&place, error.to_string()),
        }
    }
    headers
}

fn value(
    entry: &Entry,
    place: &Place,
    variables: &BTreeMap<String, String>,
    findings: &mut Findings,
) -> Option<String> {
    let text = match entry.node.text() {
        Some(_) if entry.node.is_null() => {
            findings.problem(place, "has no value; is a space missing after the colon?");
            return None;
        }
        Some(text) => text,
        None => {
            findings.problem(place, "must be text");
            return None;
        }
    };
    match expand(text, variables) {
        Ok(value) => Some(value),
        Err(problem) => {
            findings.problem(place, problem);
            None
        }
    }
}

/// Replaces each `${VAR}`.
fn expand(text: &str, variables: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, from)) = rest.split_once("${") {
        out.push_str(before);
        let name = from
            .split_once('}')
            .filter(|(name, _)| is_variable_name(name));
        let Some((name, after)) = name else {
            return Err("holds `${` without the name of a variable and `}` after it".to_owned());
        };
        match variables.get(name) {
            Some(value) => out.push_str(value),
            None => {
                return Err(format!(
                    "takes ${{{name}}} from the environment, where {name} is not set"
                ));
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

pub(super) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}
