//! The environment as one more tree: `OCEAN__INTEGRATION__CONFIG__BASE_URL` is the key `BASE_URL` of `CONFIG` of `INTEGRATION`.

use std::collections::BTreeMap;

use super::fields::{Fields, Unknown};
use super::notice::{Findings, Place};
use super::spelling::Keys;
use super::tree::{Entry, Node, Shape};

/// What problems call it.
pub(super) const FILE: &str = "environment";
/// What the names of settings begin with, in any case.
const PREFIX: &str = "OCEAN__";

/// The settings among the variables; names that nobody asks for become a warning each.
///
/// Each variable is a branch of its own, since `OCEAN__INTEGRATION__CONFIG` (JSON text) and
/// `OCEAN__INTEGRATION__CONFIG__BASE_URL` may stand side by side. An empty variable is one that is not set.
pub(super) fn settings(variables: &BTreeMap<String, String>, findings: &mut Findings) -> Fields {
    let entries = variables
        .iter()
        .filter_map(|(name, value)| {
            let path = below(name)?;
            let prefix = name.strip_suffix(path)?;
            Some(branch(prefix.trim_end_matches('_'), path, value))
        })
        .collect();
    let node = Node {
        shape: Shape::Map(entries),
        place: place("OCEAN"),
    };
    Fields::of(node, Keys::Variables, Unknown::Warned, findings)
        .unwrap_or_else(|| Fields::none(place("OCEAN"), Keys::Variables))
}

/// What stands behind the prefix in the name of a setting; `None` for other variables.
pub(super) fn below(name: &str) -> Option<&str> {
    let (prefix, path) = name.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(path)
}

/// The place of a variable.
pub(super) fn place(name: &str) -> Place {
    Place {
        path: name.to_owned(),
        ..Place::file(FILE)
    }
}

fn branch(parent: &str, path: &str, value: &str) -> Entry {
    let (key, below) = match path.split_once("__") {
        Some((key, below)) => (key, Some(below)),
        None => (path, None),
    };
    let name = format!("{parent}__{key}");
    let node = match below {
        Some(below) => Node {
            shape: Shape::Map(vec![branch(&name, below, value)]),
            place: place(&name),
        },
        None => Node::scalar(value, !value.is_empty(), place(&name)),
    };
    Entry {
        key: key.to_owned(),
        line: None,
        node,
    }
}
