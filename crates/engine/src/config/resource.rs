//! One entry of `resources`: from what is written to a [`Resource`], and the resource's problems back to where they are written.

use std::collections::BTreeMap;

use super::fields::Fields;
use super::list::{self, List};
use super::mapping::Against;
use super::notice::{Findings, Place};
use super::spelling::Keys;
use super::tree::{Node, Shape};
use super::values;
use crate::resource::ResourceBuilder;
use crate::{Expression, ParameterSource, Problem, Resource};

/// The kind of the older form, which has its endpoint in the selector.
const OLD_KIND: &str = "api_resource";

/// Reads a resource. `None` when anything in it is a problem.
pub(super) fn read(node: Node, against: Against<'_>, findings: &mut Findings) -> Option<Resource> {
    let before = findings.problem_count();
    let mut written = Written::below(node.place.clone());
    let mut fields = Fields::of(node, Keys::Mapping, against.unknown, findings)?;
    let kind = fields.take(&["kind"], findings);
    let selector = fields.take_fields(&["selector"], findings);
    let mut selector = selector.unwrap_or_else(|| fields.without_keys("selector"));
    let port = fields.take_fields(&["port"], findings);
    let mut port = port.unwrap_or_else(|| fields.without_keys("port"));
    fields.finish(findings);

    let endpoint = endpoint(kind, &mut selector, &mut written, findings);
    let mut builder = Resource::builder(endpoint);
    builder = read_selector(builder, selector, against, &mut written, findings);
    builder = read_entity(builder, &mut port, &mut written, findings);
    builder = read_items(builder, port, &mut written, findings);
    match builder.build() {
        Ok(resource) => (findings.problem_count() == before).then_some(resource),
        Err(problems) => {
            written.report(problems, findings);
            None
        }
    }
}

/// Where the parts of a resource are written, by their path inside it.
#[derive(Debug)]
pub(super) struct Written {
    resource: Place,
    parts: BTreeMap<String, Node>,
}

impl Written {
    fn below(resource: Place) -> Written {
        Written {
            resource,
            parts: BTreeMap::new(),
        }
    }

    /// Remembers a part and all that is in it.
    pub(super) fn note(&mut self, path: &str, node: &Node) {
        match &node.shape {
            Shape::Scalar { .. } => {}
            Shape::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.note(&format!("{path}[{index}]"), item);
                }
            }
            Shape::Map(entries) => {
                for entry in entries {
                    self.note(&format!("{path}.{}", entry.key), &entry.node);
                }
            }
        }
        self.parts.insert(path.to_owned(), node.clone());
    }

    /// The place of a part; for one that is not written, the place of what should hold it.
    pub(super) fn place(&self, path: &str) -> Place {
        let mut known = path;
        loop {
            if let Some(node) = self.parts.get(known) {
                let place = node.place.clone();
                let path = format!("{}{}", place.path, &path[known.len()..]);
                return Place { path, ..place };
            }
            match known.rfind(['.', '[']) {
                Some(end) => known = &known[..end],
                None => return self.resource.child(path),
            }
        }
    }

    /// Reports what the builder found, except for parts that are known to be broken.
    fn report(&self, problems: impl IntoIterator<Item = Problem>, findings: &mut Findings) {
        let new: Vec<_> = problems
            .into_iter()
            .map(|problem| (self.place(&problem.path), problem))
            .filter(|(place, _)| !findings.has_problem_above(place, &self.resource))
            .collect();
        for (place, problem) in new {
            let hint = self.quotes_hint(&problem);
            findings.problem(&place, problem.message + hint);
        }
    }

    /// `(.type == 'Bug')`: of the two quotes only the first is read as a double one.
    fn quotes_hint(&self, problem: &Problem) -> &'static str {
        let text = self.parts.get(&problem.path).and_then(Node::text);
        match text {
            Some(text) if text.contains('\'') && problem.message.contains("no closing quote") => {
                "; single quotes are read as double quotes only at the start or the end of a word, so write \"…\" here"
            }
            _ => "",
        }
    }
}

/// The path of the endpoint, which is the kind; the older form has it in the selector.
fn endpoint(
    kind: Option<Node>,
    selector: &mut Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> String {
    let Some(kind) = kind else {
        return String::new();
    };
    written.note("kind", &kind);
    let name = values::text(&kind, findings).unwrap_or_default();
    if name != OLD_KIND {
        return name;
    }
    findings.warning(
        &kind.place,
        "is the older form; write the endpoint's path as kind and the rest into `selector`",
    );
    if let Some(old) = selector.take_object(&["query"], findings) {
        selector.join(old);
    }
    match selector.take(&["endpoint"], findings) {
        Some(endpoint) => {
            written.note("kind", &endpoint);
            values::text(&endpoint, findings).unwrap_or_default()
        }
        None => {
            let message =
                format!("is missing; `kind: {OLD_KIND}` takes the endpoint's path from here");
            findings.problem(&selector.missing("endpoint"), message);
            "/".to_owned()
        }
    }
}

fn read_selector(
    mut builder: ResourceBuilder,
    mut selector: Fields,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> ResourceBuilder {
    match selector.take(&["query"], findings) {
        Some(query) if matches!(query.shape, Shape::Map(_)) => findings.problem(
            &query.place,
            format!(
                "must be a jq expression; an object here belongs to the older `kind: {OLD_KIND}`"
            ),
        ),
        Some(query) => {
            written.note("selector.query", &query);
            if let Some(jq) = jq(&query, findings) {
                builder = builder.selector(&jq);
            }
        }
        None => builder = builder.selector("true"),
    }
    let list = list::read(&mut selector, "selector", against, written, findings);
    builder = builder
        .method(list.method)
        .pagination(list.pagination)
        .answer_rules(list.answer_rules);
    for (name, value) in list.query_params {
        builder = builder.query_param(name, value);
    }
    for (name, value) in list.headers {
        builder = builder.header(name, value);
    }
    if let Some(body) = list.body {
        builder = builder.body(body);
    }
    if let Some(data_path) = list.data_path {
        builder = builder.data_path(data_path);
    }
    if let Some(parameters) = selector.take_fields(&["pathParameters"], findings) {
        for entry in parameters.into_entries() {
            let name = entry.key;
            written.note(&format!("selector.path_parameters.{name}"), &entry.node);
            let source = parameter(&name, entry.node, against, written, findings);
            builder = builder.parameter(name, source);
        }
    }
    selector.finish(findings);
    builder
}

/// A path parameter. What is missing is reported and filled up, so that the parameter counts as defined.
fn parameter(
    name: &str,
    node: Node,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> ParameterSource {
    let path = format!("selector.path_parameters.{name}");
    let mut source = ParameterSource::new("/", ".");
    let Some(mut fields) = Fields::of(node, Keys::Mapping, against.unknown, findings) else {
        return source;
    };
    match fields.take(&["endpoint"], findings) {
        Some(endpoint) => {
            written.note(&format!("{path}.endpoint"), &endpoint);
            if let Some(endpoint) = values::filled_text(&endpoint, findings) {
                source.endpoint = endpoint;
            }
        }
        None => findings.problem(
            &fields.missing("endpoint"),
            "is missing; write the path of the list that the values come from",
        ),
    }
    match fields.take(&["field"], findings) {
        Some(field) => {
            written.note(&format!("{path}.field"), &field);
            if let Some(field) = jq(&field, findings) {
                source.field = field;
            }
        }
        None => findings.problem(
            &fields.missing("field"),
            "is missing; write jq to the value in each record of the list, such as .id",
        ),
    }
    if let Some(filter) = fields.take(&["filter"], findings) {
        written.note(&format!("{path}.filter"), &filter);
        source.filter = jq(&filter, findings);
    }
    let list = list::read(&mut fields, &path, against, written, findings);
    fields.finish(findings);
    let List {
        method,
        query_params,
        headers,
        body,
        data_path,
        pagination,
        answer_rules,
    } = list;
    ParameterSource {
        method,
        query_params,
        headers,
        body,
        data_path,
        pagination,
        answer_rules,
        ..source
    }
}

/// `port.entity.mappings`.
fn read_entity(
    mut builder: ResourceBuilder,
    port: &mut Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> ResourceBuilder {
    let mappings = port
        .take_fields(&["entity"], findings)
        .and_then(|mut entity| {
            let mappings = entity.take_fields(&["mappings"], findings);
            entity.finish(findings);
            mappings
        });
    let Some(mut mappings) = mappings else {
        let place = written.place("port.entity.mappings");
        findings.problem(
            &place,
            "is missing; it says at least the identifier and the blueprint",
        );
        return builder;
    };
    let path = |name: &str| format!("port.entity.mappings.{name}");
    match mappings.take(&["identifier"], findings) {
        Some(node) => {
            written.note(&path("identifier"), &node);
            if let Some(identifier) = expression(&node, findings) {
                builder = builder.identifier(identifier);
            }
        }
        None => findings.problem(
            &mappings.missing("identifier"),
            "is missing; write jq to what identifies a record, such as .id",
        ),
    }
    match mappings.take(&["blueprint"], findings) {
        Some(node) => {
            written.note(&path("blueprint"), &node);
            if let Some(blueprint) = jq(&node, findings) {
                builder = builder.blueprint_jq(&blueprint);
            }
        }
        None => findings.problem(
            &mappings.missing("blueprint"),
            "is missing; write the blueprint's name in two pairs of quotes, such as '\"user\"'",
        ),
    }
    if let Some(node) = mappings.take(&["title"], findings) {
        written.note(&path("title"), &node);
        if let Some(title) = jq(&node, findings) {
            builder = builder.title(&title);
        }
    }
    if let Some(node) = mappings.take(&["icon"], findings) {
        written.note(&path("icon"), &node);
        if let Some(icon) = jq(&node, findings) {
            builder = builder.icon(&icon);
        }
    }
    if let Some(node) = mappings.take(&["team"], findings) {
        written.note(&path("team"), &node);
        if let Some(team) = expression(&node, findings) {
            builder = builder.team(team);
        }
    }
    for entry in named(&mut mappings, "properties", findings) {
        written.note(&path(&format!("properties.{}", entry.0)), &entry.1);
        if let Some(property) = jq(&entry.1, findings) {
            builder = builder.property(&entry.0, &property);
        }
    }
    for entry in named(&mut mappings, "relations", findings) {
        written.note(&path(&format!("relations.{}", entry.0)), &entry.1);
        if let Some(relation) = expression(&entry.1, findings) {
            builder = builder.relation(&entry.0, relation);
        }
    }
    mappings.finish(findings);
    builder
}

/// The entries of an object whose keys are the user's.
fn named(fields: &mut Fields, name: &'static str, findings: &mut Findings) -> Vec<(String, Node)> {
    fields
        .take_fields(&[name], findings)
        .map(Fields::into_entries)
        .unwrap_or_default()
        .into_iter()
        .map(|entry| (entry.key, entry.node))
        .collect()
}

/// `port.itemsToParse` and what belongs to it.
fn read_items(
    mut builder: ResourceBuilder,
    mut port: Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> ResourceBuilder {
    if let Some(node) = port.take(&["itemsToParse"], findings) {
        written.note("port.itemsToParse", &node);
        if let Some(items) = jq(&node, findings) {
            builder = builder.items_to_parse(&items);
        }
    }
    if let Some(node) = port.take(&["itemsToParseName"], findings) {
        written.note("port.itemsToParseName", &node);
        if let Some(name) = values::filled_text(&node, findings) {
            builder = builder.items_to_parse_name(&name);
        }
    }
    if let Some(node) = port.take(&["itemsToParseTopLevelTransform"], findings)
        && let Some(on) = values::boolean(&node, findings)
    {
        builder = builder.items_to_parse_top_level_transform(on);
    }
    port.finish(findings);
    builder
}

/// The text of a jq expression.
pub(super) fn jq(node: &Node, findings: &mut Findings) -> Option<String> {
    match node.text() {
        Some(text) if text.trim().is_empty() => {
            findings.problem(
                &node.place,
                "is empty; write a jq expression, or remove the line",
            );
            None
        }
        Some(text) => Some(text.to_owned()),
        None => {
            findings.problem(
                &node.place,
                "must be a jq expression; an object is written as one too: '{name: .name}'",
            );
            None
        }
    }
}

/// A jq expression or a search query.
fn expression(node: &Node, findings: &mut Findings) -> Option<Expression> {
    match &node.shape {
        Shape::Map(_) => Some(Expression::Search(node.to_json_of_texts())),
        Shape::Scalar { .. } | Shape::List(_) => jq(node, findings).map(Expression::Jq),
    }
}
