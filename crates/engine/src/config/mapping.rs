//! The mapping: its switches, and its resources in order.

use std::fmt;

use longshore_paginate::Settings;
use serde_json::{Map, Value, json};

use super::auth::Credentials;
use super::fields::{Fields, Unknown};
use super::notice::{Findings, Place};
use super::spelling::Keys;
use super::tree::{Node, Shape};
use super::{resource, values};
use crate::resource::without_query;
use crate::{AllowEmpty, PortSinkOptions, Resource};

/// What becomes an entity, and what may be deleted.
#[derive(Clone)]
#[non_exhaustive]
pub struct Mapping {
    /// True only when the mapping itself writes so: the reference's silent default takes live dependents along.
    pub delete_dependent_entities: bool,
    /// Whether Port creates the targets of relations; true unless written.
    pub create_missing_related_entities: bool,
    /// Whether properties that a record does not give are kept; true unless written.
    pub enable_merge_entity: bool,
    /// The share of a blueprint's entities, 0 to 1, above which none is deleted; 0.9 unless written.
    pub entity_deletion_threshold: f64,
    /// Which blueprints may lose all their entities.
    pub allow_empty: AllowEmpty,
    /// Whether entities that Port has as they are are not written; true unless written.
    pub skip_unchanged: bool,
    /// In the order written; never empty.
    pub resources: Vec<Resource>,
    /// Equal for mappings that say the same.
    pub(crate) digest: String,
    /// As written, and the same with every scalar as text.
    pub(crate) written: Value,
    pub(crate) written_as_text: Value,
}

impl Mapping {
    /// The mapping as Port keeps it: as it was written, with a selector in each resource, and every jq program as text.
    pub fn for_port(&self) -> Value {
        let mut mapping = self.written.clone();
        let resources = mapping["resources"].as_array_mut();
        for (index, resource) in resources.into_iter().flatten().enumerate() {
            let text = &self.written_as_text["resources"][index];
            let Some(resource) = resource.as_object_mut() else {
                continue;
            };
            if let Some(port) = text.get("port") {
                resource.insert("port".to_owned(), port.clone());
            }
            let query = text["selector"].get("query");
            let query = query.cloned().unwrap_or_else(|| "true".into());
            let selector = resource
                .entry("selector")
                .or_insert_with(|| Value::Object(Map::new()));
            match selector {
                Value::Object(selector) => {
                    selector.insert("query".to_owned(), query);
                }
                Value::Null => *selector = json!({ "query": query }),
                // JSON text, which the loader reads as well.
                _ => {}
            }
        }
        mapping
    }
}

impl fmt::Debug for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of the resources only the kinds: their queries, headers and bodies may hold secrets.
        let kinds: Vec<_> = self
            .resources
            .iter()
            .map(|resource| without_query(resource.kind()))
            .collect();
        f.debug_struct("Mapping")
            .field("delete_dependent_entities", &self.delete_dependent_entities)
            .field(
                "create_missing_related_entities",
                &self.create_missing_related_entities,
            )
            .field("enable_merge_entity", &self.enable_merge_entity)
            .field("entity_deletion_threshold", &self.entity_deletion_threshold)
            .field("allow_empty", &self.allow_empty)
            .field("skip_unchanged", &self.skip_unchanged)
            .field("resources", &kinds)
            .finish()
    }
}

/// What a mapping is held against.
#[derive(Clone, Copy)]
pub(super) struct Against<'a> {
    /// What a key that nobody knows is.
    pub(super) unknown: Unknown,
    /// The paging of the connection, where that could be read.
    pub(super) paging: Option<&'a Settings>,
    /// The credentials that it may name, likewise.
    pub(super) credentials: Option<&'a Credentials>,
}

/// Reads a whole mapping.
pub(super) fn read(node: Node, against: Against<'_>, findings: &mut Findings) -> Option<Mapping> {
    let before = findings.problem_count();
    let digest = node.digest();
    let (written, written_as_text) = (node.to_json(), node.to_json_of_texts());
    let mut fields = Fields::of(node, Keys::Mapping, against.unknown, findings)?;
    let mut switch = |name, default, findings: &mut Findings| match fields.take(&[name], findings) {
        Some(node) => values::boolean(&node, findings),
        None => Some(default),
    };
    let default = PortSinkOptions::default();
    let delete_dependent_entities = switch(
        "deleteDependentEntities",
        default.delete_dependents,
        findings,
    );
    let create_missing_related_entities = switch(
        "createMissingRelatedEntities",
        default.create_missing_related_entities,
        findings,
    );
    let enable_merge_entity = switch("enableMergeEntity", default.merge, findings);
    let skip_unchanged = switch("skipUnchanged", default.skip_unchanged, findings);
    let entity_deletion_threshold = match fields.take(&["entityDeletionThreshold"], findings) {
        Some(node) => values::number_within(&node, 0.0, 1.0, findings),
        None => Some(default.deletion_threshold),
    };
    let allow_empty = match fields.take(&["allowEmpty"], findings) {
        Some(node) => allow_empty(&node, findings),
        None => default.allow_empty,
    };
    let list = fields.take(&["resources"], findings);
    let resources = match list {
        Some(list) => resources(list, against, findings),
        None => {
            let place = fields.missing("resources");
            findings.problem(
                &place,
                "is missing or empty; list what is to be read, each with its kind",
            );
            Vec::new()
        }
    };
    fields.finish(findings);
    if findings.problem_count() > before {
        return None;
    }
    Some(Mapping {
        delete_dependent_entities: delete_dependent_entities?,
        create_missing_related_entities: create_missing_related_entities?,
        enable_merge_entity: enable_merge_entity?,
        entity_deletion_threshold: entity_deletion_threshold?,
        allow_empty,
        skip_unchanged: skip_unchanged?,
        resources,
        digest,
        written,
        written_as_text,
    })
}

fn resources(list: Node, against: Against<'_>, findings: &mut Findings) -> Vec<Resource> {
    let Shape::List(items) = list.shape else {
        findings.problem(
            &list.place,
            "must be a list; begin each resource with `- kind: …`",
        );
        return Vec::new();
    };
    if items.is_empty() {
        findings.problem(
            &list.place,
            "is missing or empty; list what is to be read, each with its kind",
        );
    }
    items
        .into_iter()
        .filter_map(|item| resource::read(item, against, findings))
        .collect()
}

/// `true`, `false`, or the blueprints it holds for.
fn allow_empty(node: &Node, findings: &mut Findings) -> AllowEmpty {
    match &node.shape {
        Shape::List(items) => AllowEmpty::Blueprints(
            items
                .iter()
                .filter_map(|item| values::filled_text(item, findings))
                .collect(),
        ),
        Shape::Scalar { text, .. } => match values::boolean_word(text) {
            Some(true) => AllowEmpty::All,
            Some(false) => AllowEmpty::No,
            None => {
                refuse_allow_empty(&node.place, findings);
                AllowEmpty::No
            }
        },
        Shape::Map(_) => {
            refuse_allow_empty(&node.place, findings);
            AllowEmpty::No
        }
    }
}

fn refuse_allow_empty(place: &Place, findings: &mut Findings) {
    findings.problem(
        place,
        "must be true, false, or a list of blueprints: [user, project]",
    );
}
