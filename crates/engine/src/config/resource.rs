//! One entry of `resources`: from what is written to a [`Resource`], and the resource's problems back to where they are written.

use std::collections::BTreeMap;

use longshore_nested::Item;

use super::fields::{Fields, unfold};
use super::list::{self, List};
use super::mapping::Against;
use super::notice::{Findings, Place};
use super::spelling::Keys;
use super::tree::{Node, Shape};
use super::values;
use crate::resource::ResourceBuilder;
use crate::{
    Batch, EmbeddedSource, Expression, FixedValues, ParameterSource, ParameterValues, Problem,
    Resource, WindowSource,
};

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
        Ok(resource) => {
            for warning in resource.warnings() {
                findings.warning(&written.place(&warning.path), &*warning.message);
            }
            (findings.problem_count() == before).then_some(resource)
        }
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
    if let Some(auth) = list.auth {
        builder = builder.auth(auth);
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
    if let Some(node) = selector.take(&["embedded"], findings)
        && let Some(embedded) = embedded(node, "selector.embedded", against, written, findings)
    {
        builder = builder.embedded(embedded);
    }
    if let Some(node) = selector.take(&["maxChildren"], findings) {
        written.note("selector.maxChildren", &node);
        if let Some(most) = count(&node, findings) {
            builder = builder.max_children(most);
        }
    }
    if let Some(node) = selector.take(&["ordered"], findings)
        && let Some(on) = values::boolean(&node, findings)
    {
        builder = builder.ordered(on);
    }
    selector.finish(findings);
    builder
}

/// A path parameter: a list of the API, known values, or windows of time.
fn parameter(
    name: &str,
    node: Node,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> ParameterValues {
    let path = format!("selector.path_parameters.{name}");
    let Some(mut fields) = Fields::of(node, Keys::Mapping, against.unknown, findings) else {
        return ParameterSource::new("/", ".").into();
    };
    let sources = ["endpoint", "values", "from"];
    let said = sources.map(|key| fields.place_of(key));
    let said: Vec<Place> = said.into_iter().flatten().collect();
    let is_window = ["from", "to", "step"]
        .iter()
        .any(|key| fields.place_of(key).is_some());
    // Something of the same sort, so that nothing else is said of it.
    let instead = || match is_window {
        true => any_window().into(),
        false => ParameterSource::new("/", ".").into(),
    };
    if let [_, .., last] = said.as_slice() {
        findings.problem(
            last,
            "cannot stand beside another source of values; choose one of endpoint, values, from",
        );
        // What else belongs to which of them is anybody's guess.
        fields.take_the_rest();
        return instead();
    }
    let values = fields.take(&["values"], findings);
    let from = fields.take(&["from"], findings);
    match (values, from) {
        (Some(values), _) => {
            let values = fixed(values, &path, &mut fields, written, findings);
            fields.finish(findings);
            values.into()
        }
        (None, None) if is_window && said.is_empty() => {
            findings.problem(
                &fields.missing("from"),
                "is missing; write where the first window of time begins, such as today-30d",
            );
            fields.take_the_rest();
            instead()
        }
        (None, Some(from)) => {
            let windows = windows(from, &path, &mut fields, written, findings);
            fields.finish(findings);
            windows.into()
        }
        (None, None) => parent_list(&path, fields, against, written, findings).into(),
    }
}

fn any_window() -> WindowSource {
    WindowSource {
        from: "now".to_owned(),
        to: "now".to_owned(),
        step: "1d".to_owned(),
        ..WindowSource::default()
    }
}

/// Values that are known.
fn fixed(
    values: Node,
    path: &str,
    fields: &mut Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> FixedValues {
    written.note(&format!("{path}.values"), &values);
    let items = match unfold(values, findings) {
        Some(Node {
            shape: Shape::List(items),
            ..
        }) => items
            .iter()
            .map(|item| {
                if item.is_null() {
                    findings.problem(
                        &item.place,
                        "is null, or empty; remove it, or put it in quotes if it is the value",
                    );
                    return Item::text("-");
                }
                let Some(text) = values::text(item, findings) else {
                    return Item::text("-");
                };
                let json = item.to_json();
                Item {
                    is_number: serde_json::from_str::<serde_json::Number>(&text)
                        .is_ok_and(|number| json == serde_json::Value::Number(number)),
                    text,
                }
            })
            .collect(),
        Some(other) => {
            findings.problem(&other.place, "must be a list of values: [eu, us]");
            vec![Item::text("-")]
        }
        None => vec![Item::text("-")],
    };
    FixedValues {
        values: items,
        batch: batch(path, fields, written, findings),
    }
}

/// Windows of time.
fn windows(
    from: Node,
    path: &str,
    fields: &mut Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> WindowSource {
    let mut text = |name: &'static str, node: Option<Node>, findings: &mut Findings| {
        let node = node?;
        written.note(&format!("{path}.{name}"), &node);
        values::filled_text(&node, findings)
    };
    let mut source = WindowSource {
        from: text("from", Some(from), findings).unwrap_or_else(|| "now".to_owned()),
        ..WindowSource::default()
    };
    let to = fields.take(&["to"], findings);
    source.to = text("to", to, findings).unwrap_or_else(|| "now".to_owned());
    let step = fields.take(&["step"], findings);
    if step.is_none() {
        findings.problem(
            &fields.missing("step"),
            "is missing; write how long a window is, such as 1d",
        );
    }
    source.step = text("step", step, findings).unwrap_or_else(|| "1d".to_owned());
    let format = fields.take(&["format"], findings);
    source.format = text("format", format, findings);
    if let Some(node) = fields.take(&["inclusive"], findings) {
        source.inclusive = values::boolean(&node, findings).unwrap_or(false);
    }
    if let Some(node) = fields.take(&["cap"], findings) {
        written.note(&format!("{path}.cap"), &node);
        source.cap = count(&node, findings);
    }
    source
}

/// `batch` and `separator`.
fn batch(
    path: &str,
    fields: &mut Fields,
    written: &mut Written,
    findings: &mut Findings,
) -> Option<Batch> {
    let size = fields.take(&["batch"], findings);
    let separator = fields.take(&["separator"], findings);
    if let (None, Some(separator)) = (&size, &separator) {
        findings.problem(
            &separator.place,
            "counts with batch only; write how many values go into one request as batch",
        );
    }
    let size = size?;
    written.note(&format!("{path}.batch"), &size);
    let mut batch = Batch::of(usize::try_from(count(&size, findings)?).unwrap_or(usize::MAX));
    if let Some(separator) = separator.and_then(|node| values::text(&node, findings)) {
        batch.separator = separator;
    }
    Some(batch)
}

/// `embedded`: jq, or an object.
fn embedded(
    node: Node,
    path: &str,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Option<EmbeddedSource> {
    written.note(path, &node);
    if node.text().is_some() {
        written.note(&format!("{path}.data_path"), &node);
        return jq(&node, findings).map(EmbeddedSource::new);
    }
    let mut fields = Fields::of(node, Keys::Mapping, against.unknown, findings)?;
    let data_path = fields.take(&["dataPath"], findings);
    if data_path.is_none() {
        findings.problem(
            &fields.missing("data_path"),
            "is missing; write jq to the records in the parent's record",
        );
    }
    let mut source = None;
    if let Some(node) = &data_path {
        written.note(&format!("{path}.data_path"), node);
        source = jq(node, findings).map(EmbeddedSource::new);
    }
    if let Some(node) = fields.take(&["next"], findings) {
        written.note(&format!("{path}.next"), &node);
        let next = jq(&node, findings);
        source = source.map(|source| EmbeddedSource { next, ..source });
    }
    if let Some(node) = fields.take(&["of"], findings) {
        let of = values::filled_text(&node, findings);
        source = source.map(|source| EmbeddedSource { of, ..source });
    }
    fields.finish(findings);
    source
}

/// A whole number from 0.
fn count(node: &Node, findings: &mut Findings) -> Option<u64> {
    let count = values::text(node, findings)?.trim().parse().ok();
    if count.is_none() {
        findings.problem(&node.place, "must be a whole number");
    }
    count
}

/// A list of the API. What is missing is reported and filled up, so that the parameter counts as defined.
fn parent_list(
    path: &str,
    mut fields: Fields,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> ParameterSource {
    let mut source = ParameterSource::new("/", ".");
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
    for (key, node) in named(&mut fields, "include", findings) {
        written.note(&format!("{path}.include.{key}"), &node);
        if let Some(jq) = jq(&node, findings) {
            source.include.push((key, jq));
        }
    }
    source.batch = batch(path, &mut fields, written, findings);
    if let Some(node) = fields.take(&["embedded"], findings) {
        source.embedded = embedded(
            node,
            &format!("{path}.embedded"),
            against,
            written,
            findings,
        );
    }
    if let Some(node) = fields.take(&["maxChildren"], findings) {
        written.note(&format!("{path}.maxChildren"), &node);
        source.max_children = count(&node, findings);
    }
    let list = list::read(&mut fields, path, against, written, findings);
    fields.finish(findings);
    let List {
        method,
        query_params,
        headers,
        body,
        data_path,
        pagination,
        answer_rules,
        auth,
    } = list;
    ParameterSource {
        method,
        query_params,
        headers,
        body,
        data_path,
        pagination,
        answer_rules,
        auth,
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
