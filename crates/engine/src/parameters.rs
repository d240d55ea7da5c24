//! Where the values of path parameters come from, and in which order they are found.

use std::fmt;
use std::sync::Arc;

use http::Method;
use longshore_jq::Filter;
use longshore_nested::{
    Expand, Item, Needs, Parameter, PathTemplate, RequestTemplate, Windows, order,
};
use longshore_paginate::Settings;
use serde_json::Value;

use crate::login::ListAuth;
use crate::resource::{ListRequest, ListSpec, Problem, parse_path, without_query};
use crate::rules::AnswerRules;

/// Why nobody can mean `maxChildren: 0`.
pub(crate) const NO_CHILDREN: &str =
    "is 0, so that nothing could be read; write how many there may be at most";

/// How many parameters may build on each other.
pub(crate) const MAX_DEPTH: usize = 8;

/// Where the values of one path parameter come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ParameterValues {
    /// A list of the API, which may have parameters itself.
    List(Box<ParameterSource>),
    /// Values that are known.
    Fixed(FixedValues),
    /// Windows of time.
    Windows(WindowSource),
}

/// Where the values of one path parameter come from: a list endpoint and a field of its records.
///
/// Endpoint, query, headers and body may hold `{name}` of other parameters. `Debug` leaves out what may hold a secret: query, headers and
/// body.
#[derive(Clone)]
#[non_exhaustive]
pub struct ParameterSource {
    /// Path of the parents' list, joined to the base URL.
    pub endpoint: String,
    /// Method of the parents' list.
    pub method: Method,
    /// Query of the parents' list.
    pub query_params: Vec<(String, String)>,
    /// Headers of the parents' list.
    pub headers: Vec<(String, String)>,
    /// JSON body of the parents' list.
    pub body: Option<Value>,
    /// jq to the parent records.
    pub data_path: Option<String>,
    /// jq to the value, on each parent record. Every output is a value.
    pub field: String,
    /// jq that must give `true` for a parent to count.
    pub filter: Option<String>,
    /// Keys that each record of the children gets, with jq of the parent record.
    pub include: Vec<(String, String)>,
    /// Finds the values by code; `field`, `filter` and `include` are then not used.
    pub expand: Option<Arc<dyn Expand>>,
    /// How many values go into one request, joined.
    pub batch: Option<Batch>,
    /// The parents may stand in the record of another parameter already.
    pub embedded: Option<EmbeddedSource>,
    /// How many values one list may give; more make the read incomplete.
    pub max_children: Option<u64>,
    /// Paging of the parents' list where it differs from the connection's.
    pub pagination: Settings,
    /// What the answers of the parents' list mean where it differs from the connection's.
    pub answer_rules: AnswerRules,
    /// The credentials of the parents' list where they are not the connection's.
    pub auth: Option<ListAuth>,
}

/// Values that are known.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FixedValues {
    /// The values.
    pub values: Vec<Item>,
    /// How many of them go into one request, joined.
    pub batch: Option<Batch>,
}

/// Several values in one request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Batch {
    /// At most so many.
    pub size: usize,
    /// What stands between them in text.
    pub separator: String,
}

/// Windows of time: see [`Windows`] for how its parts are written.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct WindowSource {
    /// Where the first begins.
    pub from: String,
    /// Where the last ends.
    pub to: String,
    /// How long each is.
    pub step: String,
    /// How a moment is written.
    pub format: Option<String>,
    /// Whether the end counts as inside.
    pub inclusive: bool,
    /// How many results the API gives of one request at most. Windows that reach it are read again in halves.
    pub cap: Option<u64>,
}

/// Records that stand in a parent's record already. Where they do not, they are asked for.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct EmbeddedSource {
    /// jq to them, on the parent record: a list, or each as an output. Null or nothing means that they have to be asked for.
    pub data_path: String,
    /// jq to where the rest is, on the parent record: a link, or a cursor. Null or nothing means that these are all.
    pub next: Option<String>,
    /// In the records of which parameter; the last one unless said.
    pub of: Option<String>,
}

impl ParameterSource {
    /// The values of `field` in the records of `endpoint`, asked for by GET.
    pub fn new(endpoint: impl Into<String>, field: impl Into<String>) -> Self {
        ParameterSource {
            endpoint: endpoint.into(),
            method: Method::GET,
            query_params: Vec::new(),
            headers: Vec::new(),
            body: None,
            data_path: None,
            field: field.into(),
            filter: None,
            include: Vec::new(),
            expand: None,
            batch: None,
            embedded: None,
            max_children: None,
            pagination: Settings::default(),
            answer_rules: AnswerRules::default(),
            auth: None,
        }
    }
}

impl WindowSource {
    /// Windows of this length, from here to there. Each is written as [`Windows`] says.
    pub fn new(from: impl Into<String>, to: impl Into<String>, step: impl Into<String>) -> Self {
        WindowSource {
            from: from.into(),
            to: to.into(),
            step: step.into(),
            ..WindowSource::default()
        }
    }
}

impl FixedValues {
    /// These values, one for each request.
    pub fn new(values: impl IntoIterator<Item = impl Into<String>>) -> Self {
        FixedValues {
            values: values.into_iter().map(Item::text).collect(),
            batch: None,
        }
    }
}

impl Batch {
    /// At most so many, with commas between them.
    pub fn of(size: usize) -> Self {
        Batch {
            size,
            separator: ",".to_owned(),
        }
    }
}

impl EmbeddedSource {
    /// What this jq gives on the record of the last parameter, and nothing more.
    pub fn new(data_path: impl Into<String>) -> Self {
        EmbeddedSource {
            data_path: data_path.into(),
            next: None,
            of: None,
        }
    }
}

impl From<ParameterSource> for ParameterValues {
    fn from(source: ParameterSource) -> Self {
        ParameterValues::List(Box::new(source))
    }
}

impl From<FixedValues> for ParameterValues {
    fn from(values: FixedValues) -> Self {
        ParameterValues::Fixed(values)
    }
}

impl From<WindowSource> for ParameterValues {
    fn from(windows: WindowSource) -> Self {
        ParameterValues::Windows(windows)
    }
}

impl fmt::Debug for ParameterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterSource")
            .field("method", &self.method)
            .field("endpoint", &without_query(&self.endpoint))
            .field("data_path", &self.data_path)
            .field("field", &self.field)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

/// Equal for two lists that one read can serve.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct ReadIdentity(String);

impl ReadIdentity {
    /// Of a list as it is written.
    pub(crate) fn of(endpoint: &str, list: &ListSpec) -> Self {
        let code = list.paginator.as_ref().map(Arc::as_ptr);
        // In which order different keys stand makes no difference.
        let mut query = list.query.clone();
        query.sort_by(|one, other| one.0.cmp(&other.0));
        // Nor does a slash in front of a path, or the case of a header's name.
        let endpoint = endpoint.trim_start_matches('/');
        let headers = list.headers.iter();
        let mut headers: Vec<(String, &String)> = headers
            .map(|(name, value)| (name.to_ascii_lowercase(), value))
            .collect();
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        ReadIdentity(format!(
            "{} {endpoint} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {code:?}",
            list.method,
            query,
            headers,
            list.body,
            list.data_path
                .as_deref()
                .map(str::trim)
                .filter(|jq| !jq.is_empty()),
            list.pagination,
            list.answer_rules,
            list.auth.as_ref().map(ListAuth::identity)
        ))
    }
}

// It holds what the list's query, headers and body hold (R34).
impl fmt::Debug for ReadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadIdentity(…)")
    }
}

/// One parameter, after those that it builds on.
#[derive(Debug)]
pub(crate) struct Level {
    pub(crate) name: Arc<str>,
    pub(crate) source: Source,
    pub(crate) batch: Option<Batch>,
    /// Values of the batch are joined somewhere, so that none may hold the separator.
    joins: bool,
    /// The parameters found so far that make a difference to what follows.
    pub(crate) live: Vec<String>,
    /// The keys of its `include` that make one; `None` where any may.
    told: Option<Vec<String>>,
    lineage: ReadIdentity,
}

impl Level {
    /// Whether it makes a difference what records are told under a key of its `include`.
    pub(crate) fn tells(&self, key: &str) -> bool {
        let told = self.told.as_ref();
        told.is_none_or(|told| told.iter().any(|known| known == key))
    }

    /// Whether a value would be read as several where it is joined to others.
    pub(crate) fn is_ambiguous(&self, item: &Item) -> bool {
        let batch = self.batch.as_ref().filter(|_| self.joins);
        batch.is_some_and(|batch| item.text.contains(&batch.separator))
    }
}

#[derive(Debug)]
pub(crate) enum Source {
    List(Box<ParentList>),
    Fixed(Vec<Item>),
    Windows(Box<Windows>),
}

/// A list that the values of a parameter come from.
#[derive(Debug)]
pub(crate) struct ParentList {
    pub(crate) list: Arc<ListRequest>,
    pub(crate) identity: ReadIdentity,
    /// The same for equal lists with equal values in them.
    pub(crate) lineage: ReadIdentity,
    pub(crate) projection: Arc<Projection>,
    pub(crate) embedded: Option<Embedded>,
    pub(crate) max_children: Option<u64>,
    /// The same list may be needed again with other values of parameters that it is not asked for with.
    pub(crate) repeated: bool,
    pub(crate) settings_place: String,
}

/// What is kept of a parent record.
#[derive(Debug)]
pub(crate) struct Projection {
    /// Equal for projections that keep the same.
    pub(crate) key: String,
    pub(crate) expand: Arc<dyn Expand>,
    pub(crate) embeds: Vec<Embeds>,
}

/// Where a parent record holds a list.
#[derive(Clone, Debug)]
pub(crate) struct Embeds {
    pub(crate) records: Filter,
    pub(crate) next: Option<Filter>,
}

/// A list that may stand in the record of an earlier level.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Embedded {
    pub(crate) level: usize,
    /// Which of that record's lists.
    pub(crate) slot: usize,
}

/// A parameter that was checked by itself.
pub(crate) struct Compiled {
    name: String,
    /// `None` where its path cannot be read.
    uses: Option<Uses>,
    is_window: bool,
    /// `None` where it is broken, which has been said.
    source: Option<CompiledSource>,
}

/// What a list is asked for with.
#[derive(Default)]
pub(crate) struct Uses {
    /// Names of parameters.
    names: Vec<String>,
    /// Those of which it asks for an end.
    with_ends: Vec<String>,
}

impl Uses {
    pub(crate) fn of(request: &RequestTemplate) -> Self {
        let names = request.parameters().into_iter();
        Uses {
            names: names.map(str::to_owned).collect(),
            with_ends: request.parameters_with_ends(),
        }
    }
}

enum CompiledSource {
    List {
        list: Box<ListRequest>,
        identity: ReadIdentity,
        expand: Arc<dyn Expand>,
        key: String,
        source: Box<ParameterSource>,
    },
    Fixed(FixedValues),
    Windows(Windows),
}

impl CompiledSource {
    fn batch(&self) -> Option<&Batch> {
        match self {
            CompiledSource::List { source, .. } => source.batch.as_ref(),
            CompiledSource::Fixed(fixed) => fixed.batch.as_ref(),
            CompiledSource::Windows(_) => None,
        }
    }
}

/// Where a parameter stands in a mapping.
fn place_of(name: &str) -> String {
    format!("selector.path_parameters.{name}")
}

/// Checks the parameters one by one. A name stays in the answer when its source is broken, so that it is not reported as missing too.
pub(crate) fn compile(
    sources: Vec<(String, ParameterValues)>,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> Vec<Compiled> {
    let names: Vec<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check_told(&sources, problems);
    let mut compiled: Vec<Compiled> = Vec::new();
    for (name, source) in sources {
        let place = place_of(&name);
        if compiled.iter().any(|other| other.name == name) {
            problems.push(Problem::new(place, "is defined twice; keep one"));
            continue;
        }
        let is_window = matches!(source, ParameterValues::Windows(_));
        let nothing = Some(Uses::default());
        let (uses, source) = match source {
            ParameterValues::List(source) => {
                compile_list(&name, *source, &names, &place, problems, warnings)
            }
            ParameterValues::Fixed(fixed) => (nothing, compile_fixed(fixed, &place, problems)),
            ParameterValues::Windows(windows) => {
                (nothing, compile_windows(&windows, &place, problems))
            }
        };
        if let Some(batch) = source.as_ref().and_then(CompiledSource::batch)
            && batch.size == 0
        {
            problems.push(Problem::new(
                format!("{place}.batch"),
                "is 0; write how many values go into one request",
            ));
        }
        if let Some(batch) = source.as_ref().and_then(CompiledSource::batch)
            && batch.separator.is_empty()
        {
            problems.push(Problem::new(
                format!("{place}.separator"),
                "is empty, so that nobody could tell the values apart; write what stands between them, such as a comma",
            ));
        }
        compiled.push(Compiled {
            name,
            uses,
            is_window,
            source,
        });
    }
    compiled
}

/// Reports keys that records of the children would be told twice, of which one would be lost.
fn check_told(sources: &[(String, ParameterValues)], problems: &mut Vec<Problem>) {
    let mut told: Vec<(String, String)> = Vec::new();
    for (name, source) in sources {
        let is_window = matches!(source, ParameterValues::Windows(_));
        for key in [Some(name.clone()), is_window.then(|| format!("{name}_to"))] {
            let keys = key.into_iter().flat_map(|key| [format!("__{key}"), key]);
            told.extend(keys.map(|key| (key, format!("as the value of {{{name}}}"))));
        }
    }
    for (name, source) in sources {
        let ParameterValues::List(source) = source else {
            continue;
        };
        for (key, _) in &source.include {
            let place = format!("{}.include.{key}", place_of(name));
            match told.iter().find(|(known, _)| known == key) {
                Some((_, how)) => problems.push(Problem::new(
                    place,
                    format!("is told already, {how}; write another key"),
                )),
                None => told.push((key.clone(), format!("by the include of {{{name}}}"))),
            }
        }
    }
}

fn compile_list(
    name: &str,
    source: ParameterSource,
    names: &[&str],
    place: &str,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) -> (Option<Uses>, Option<CompiledSource>) {
    let spec = ListSpec {
        method: source.method.clone(),
        query: source.query_params.clone(),
        headers: source.headers.clone(),
        body: source.body.clone(),
        data_path: source.data_path.clone(),
        pagination: source.pagination.clone(),
        answer_rules: source.answer_rules.clone(),
        auth: source.auth.clone(),
        paginator: None,
    };
    let identity = ReadIdentity::of(&source.endpoint, &spec);
    let (expand, key) = match &source.expand {
        Some(expand) => {
            let key = format!("{:p}", Arc::as_ptr(expand));
            (Some(expand.clone()), key)
        }
        None => (
            compile_field(name, &source, place, problems),
            format!(
                "{:?} {:?} {:?}",
                source.field, source.filter, source.include
            ),
        ),
    };
    if source.max_children == Some(0) {
        problems.push(Problem::new(format!("{place}.maxChildren"), NO_CHILDREN));
    }
    if source.batch.is_some() && !source.include.is_empty() {
        problems.push(Problem::new(
            format!("{place}.include"),
            "cannot go along with batch: a child of several parents belongs to none of them; remove one of the two",
        ));
    }
    let endpoint = format!("{place}.endpoint");
    if source.endpoint.trim().is_empty() {
        problems.push(Problem::new(
            &endpoint,
            "is empty; write the path of the parents' list",
        ));
    }
    let template = parse_path(&source.endpoint, &endpoint, problems);
    if let Some(template) = &template {
        report_unknown(template, names, &endpoint, "endpoint and field", problems);
    }
    check_texts(&spec, names, place, problems, warnings);
    let uses = template.as_ref().map(|template| {
        let mut uses = Uses::of(&spec.request(template.clone(), names));
        let of = source.embedded.as_ref().and_then(|it| it.of.clone());
        uses.names.extend(of);
        uses
    });
    let list = spec.compile(template, names, place, problems);
    let (Some(list), Some(expand)) = (list, expand) else {
        return (uses, None);
    };
    let compiled = CompiledSource::List {
        list: Box::new(list),
        identity,
        expand,
        key,
        source: Box::new(source),
    };
    (uses, Some(compiled))
}

fn compile_field(
    name: &str,
    source: &ParameterSource,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<Arc<dyn Expand>> {
    let mut parameter =
        match Parameter::new(name, &source.field, source.filter.as_deref()) {
            Ok(parameter) => Some(parameter),
            Err(found) => {
                problems.extend(found.into_iter().map(|(field, error)| {
                    Problem::new(format!("{place}.{field}"), error.to_string())
                }));
                None
            }
        };
    for (key, jq) in &source.include {
        if let Err(error) = Filter::compile_mapping(jq) {
            let place = format!("{place}.include.{key}");
            problems.push(Problem::new(place, error.to_string()));
            parameter = None;
        }
        parameter = parameter.and_then(|parameter| parameter.include(key, jq).ok());
    }
    Some(Arc::new(parameter?))
}

fn compile_fixed(
    fixed: FixedValues,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<CompiledSource> {
    if fixed.values.is_empty() {
        problems.push(Problem::new(
            format!("{place}.values"),
            "is empty; write at least one value",
        ));
        return None;
    }
    for (index, item) in fixed.values.iter().enumerate() {
        if item.text.is_empty() {
            let place = format!("{place}.values[{index}]");
            problems.push(Problem::new(place, "is empty; remove it"));
        }
    }
    Some(CompiledSource::Fixed(fixed))
}

fn compile_windows(
    windows: &WindowSource,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<CompiledSource> {
    let compiled = Windows::new(&windows.from, &windows.to, &windows.step);
    let compiled = compiled.and_then(|compiled| match &windows.format {
        None => Ok(compiled),
        Some(format) => compiled.format(format),
    });
    if windows.cap == Some(0) {
        problems.push(Problem::new(
            format!("{place}.cap"),
            "is 0; write how many results the API gives at most",
        ));
    }
    match compiled {
        Ok(compiled) => Some(CompiledSource::Windows(
            compiled.inclusive(windows.inclusive).cap(windows.cap),
        )),
        Err(error) => {
            // The part stands in front: `from: is no moment`.
            let text = error.to_string();
            let (part, message) = text.split_once(": ").unwrap_or(("from", &text));
            problems.push(Problem::new(format!("{place}.{part}"), message));
            None
        }
    }
}

/// Reports what a path holds that is no parameter.
fn report_unknown(
    template: &PathTemplate,
    names: &[&str],
    place: &str,
    with: &str,
    problems: &mut Vec<Problem>,
) {
    for name in template.parameters() {
        let base = name.rsplit_once('.');
        let is_end =
            base.is_some_and(|(base, end)| names.contains(&base) && matches!(end, "from" | "to"));
        if !names.contains(&name) && !is_end {
            problems.push(Problem::new(
                place,
                format!(
                    "the path holds {{{name}}} but nothing says where its values come from; \
                     add selector.path_parameters.{name} with {with}"
                ),
            ));
        }
    }
}

/// Reports `{name}` of a name that is no parameter: anywhere in query and headers, and in a body where a text is nothing else, as within longer
/// ones braces may mean anything there, as in GraphQL. In a query too they are text where they stand behind a word or inside of other braces, as
/// in `fields=posts{message}`; of these `warnings` tells.
pub(crate) fn check_texts(
    list: &ListSpec,
    names: &[&str],
    place: &str,
    problems: &mut Vec<Problem>,
    warnings: &mut Vec<Problem>,
) {
    let is_known = |name: &str| {
        let base = match name.rsplit_once('.') {
            Some((base, "from" | "to")) => base,
            _ => name,
        };
        names.contains(&base)
    };
    let unknown = |name: &str| {
        format!(
            "holds {{{name}}} but nothing says where its values come from; add selector.path_parameters.{}",
            name.strip_suffix(".from")
                .or(name.strip_suffix(".to"))
                .unwrap_or(name)
        )
    };
    let texts = |part: &'static str, pairs: &[(String, String)]| -> Vec<(String, String)> {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (format!("{place}.{part}.{name}"), value.clone()))
            .collect()
    };
    let in_texts = texts("query_params", &list.query)
        .into_iter()
        .chain(texts("headers", &list.headers));
    for (place, text) in in_texts {
        for (name, is_apart) in placeholders(&text) {
            if is_known(name) {
                continue;
            }
            match is_apart {
                true => problems.push(Problem::new(&place, unknown(name))),
                false => warnings.push(Problem::new(
                    &place,
                    format!("holds {{{name}}}, which is sent as it stands, as no parameter has this name"),
                )),
            }
        }
    }
    if let Some(body) = &list.body {
        in_body(body, &mut |text| {
            let inside = text
                .strip_prefix('{')
                .and_then(|rest| rest.strip_suffix('}'));
            if let Some(name) = inside.filter(|name| is_name(name) && !is_known(name)) {
                problems.push(Problem::new(format!("{place}.body"), unknown(name)));
            }
        });
    }
}

/// What looks like `{name}` in a text, and whether it stands apart: neither right behind a word nor inside of other braces.
fn placeholders(text: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => {
                let before = text[..at].chars().next_back();
                let is_apart = depth == 0 && before.is_none_or(|c| !c.is_alphanumeric());
                let name = text[at + 1..].split(['{', '}']).next().unwrap_or_default();
                let is_closed = text[at + 1 + name.len()..].starts_with('}');
                if is_closed && is_name(name) {
                    found.push((name, is_apart));
                }
                depth += 1;
            }
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    found
}

/// What stands at the end of a name and means an end of a window of time.
fn end_in(name: &str) -> Option<&'static str> {
    [".from", ".to"].into_iter().find(|end| name.ends_with(end))
}

pub(crate) fn in_body(body: &Value, visit: &mut impl FnMut(&str)) {
    match body {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| in_body(item, visit)),
        Value::Object(members) => members.values().for_each(|item| in_body(item, visit)),
        _ => {}
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// Holds the parameters against where they are used.
pub(crate) fn check_use(
    list: &RequestTemplate,
    parameters: &[Compiled],
    problems: &mut Vec<Problem>,
) {
    let names: Vec<&str> = parameters
        .iter()
        .map(|parameter| parameter.name.as_str())
        .collect();
    report_unknown(list.path(), &names, "kind", "endpoint and field", problems);
    let of_list = Uses::of(list);
    let of_parameters = parameters.iter().filter_map(|it| it.uses.as_ref());
    let of_all = || std::iter::once(&of_list).chain(of_parameters.clone());
    for parameter in parameters {
        let name = &parameter.name;
        if let Some(end) = end_in(name) {
            problems.push(Problem::new(
                place_of(name),
                format!("ends in {end}, which stands for an end of a window of time; give it another name"),
            ));
        }
        if !parameter.is_window && of_all().any(|uses| uses.with_ends.contains(name)) {
            problems.push(Problem::new(
                place_of(name),
                format!(
                    "is asked for as {{{name}.from}} or {{{name}.to}}, but only a window of time (from, to, step) has two ends"
                ),
            ));
        }
    }
    // Where it is not known what one of them uses, nothing is known to be unused.
    if parameters.iter().any(|parameter| parameter.uses.is_none()) {
        return;
    }
    for name in names {
        if end_in(name).is_none()
            && !of_all().any(|uses| uses.names.iter().any(|used| used == name))
        {
            problems.push(Problem::new(
                place_of(name),
                format!(
                    "is not used: the kind holds no {{{name}}}, nor do query_params, headers, body or the list of another parameter"
                ),
            ));
        }
    }
}

/// The parameters in the order in which they are found.
pub(crate) struct Arranged {
    pub(crate) levels: Vec<Level>,
    pub(crate) embedded: Option<Embedded>,
}

/// Puts the parameters in order. `looked_at` are the expressions of the mapping; none where it may look at anything.
pub(crate) fn arrange(
    parameters: Vec<Compiled>,
    list: Option<&RequestTemplate>,
    embedded: Option<&EmbeddedSource>,
    looked_at: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> Option<Arranged> {
    let whole: Option<Vec<(String, Vec<String>, CompiledSource)>> = parameters
        .into_iter()
        .map(|parameter| Some((parameter.name, parameter.uses?.names, parameter.source?)))
        .collect();
    let (whole, list) = (whole?, list?);
    let needs: Vec<Needs<'_>> = whole
        .iter()
        .map(|(name, needs, _)| Needs {
            name,
            needs: needs.iter().map(String::as_str).collect(),
        })
        .collect();
    let order = match order(&needs) {
        Ok(order) => order,
        Err(cycle) => {
            problems.push(Problem::new(
                place_of(&cycle[0]),
                format!(
                    "builds on itself ({}); one of these lists must do without the others",
                    cycle.join(" → ")
                ),
            ));
            return None;
        }
    };
    let names: Vec<String> = order.iter().map(|&index| whole[index].0.clone()).collect();
    // Of each level, the levels that its list is asked for with, themselves included in what follows.
    let uses: Vec<Vec<usize>> = order
        .iter()
        .map(|&index| {
            let level = |need: &String| names.iter().position(|name| name == need);
            whole[index].1.iter().filter_map(level).collect()
        })
        .collect();
    if let Some(level) = too_deep(&uses) {
        problems.push(Problem::new(
            format!("{}.endpoint", place_of(&names[level])),
            format!("is more than {MAX_DEPTH} lists deep; parameters may build on each other {MAX_DEPTH} times"),
        ));
        return None;
    }
    let mut embeds: Vec<Vec<Embeds>> = vec![Vec::new(); order.len()];
    let mut place_embedded = |source: &EmbeddedSource,
                              before: usize,
                              place: &str,
                              problems: &mut Vec<Problem>| {
        let is_list = |level: usize| matches!(whole[order[level]].2, CompiledSource::List { .. });
        let level = match &source.of {
            Some(of) => names[..before].iter().position(|name| name == of),
            None => (0..before).rev().find(|&level| is_list(level)),
        };
        let Some(level) = level.filter(|&level| is_list(level)) else {
            problems.push(Problem::new(
                place,
                "has no parent record to look into: no parameter before it comes from a list of the API",
            ));
            return None;
        };
        if whole[order[level]].2.batch().is_some() {
            problems.push(Problem::new(
                place,
                "cannot look into the record of a parameter with batch",
            ));
            return None;
        }
        let mut filter = |part: &str, jq: &str| {
            Filter::compile_mapping(jq)
                .map_err(|error| {
                    problems.push(Problem::new(format!("{place}{part}"), error.to_string()))
                })
                .ok()
        };
        let records = filter(".data_path", &source.data_path);
        let next = source.next.as_ref().map(|jq| filter(".next", jq));
        let slot = embeds[level].len();
        embeds[level].push(Embeds {
            records: records?,
            next: match next {
                None => None,
                Some(next) => Some(next?),
            },
        });
        Some(Embedded { level, slot })
    };
    let mut in_lists = Vec::new();
    for (level, &index) in order.iter().enumerate() {
        in_lists.push(match &whole[index].2 {
            CompiledSource::List { source, .. } => source.embedded.as_ref().and_then(|embedded| {
                let place = format!("{}.embedded", place_of(&names[level]));
                place_embedded(embedded, level, &place, problems)
            }),
            _ => None,
        });
    }
    let embedded = embedded
        .and_then(|embedded| place_embedded(embedded, order.len(), "selector.embedded", problems));

    let included: Vec<Vec<String>> = order
        .iter()
        .map(|&index| match &whole[index].2 {
            CompiledSource::List { source, .. } => {
                let include = source.include.iter();
                include.map(|(key, _)| key.clone()).collect()
            }
            _ => Vec::new(),
        })
        .collect();
    let mut whole: Vec<Option<(String, CompiledSource)>> = whole
        .into_iter()
        .map(|(name, _, source)| Some((name, source)))
        .collect();
    let of_parents = whole
        .iter()
        .flatten()
        .filter_map(|(_, source)| match source {
            CompiledSource::List { list, .. } => Some(list.request.clone()),
            _ => None,
        });
    let requests: Vec<RequestTemplate> = of_parents.chain([list.clone()]).collect();
    let in_texts = requests
        .iter()
        .flat_map(RequestTemplate::parameters_in_text);
    let in_texts: Vec<String> = in_texts.collect();
    let mut levels: Vec<Level> = Vec::new();
    let of_list = list.parameters();
    for (level, &index) in order.iter().enumerate() {
        let Some((name, source)) = whole[index].take() else {
            continue;
        };
        let live = (0..=level).filter(|&earlier| {
            let name = names[earlier].as_str();
            let later = in_lists[level + 1..].iter().chain([&embedded]).flatten();
            of_list.contains(&name)
                || uses[level + 1..].iter().any(|uses| uses.contains(&earlier))
                || later.into_iter().any(|embedded| embedded.level == earlier)
                || looked_at.is_none_or(|texts| {
                    let told = |key: &str| texts.iter().any(|text| mentions(text, key));
                    told(name) || included[earlier].iter().any(|key| told(key))
                })
        });
        let live = live.map(|earlier| names[earlier].clone()).collect();
        let told = match (&source, looked_at) {
            // What code tells is not known before.
            (CompiledSource::List { source, .. }, _) if source.expand.is_some() => None,
            (_, None) => None,
            (_, Some(texts)) => {
                let keys = included[level].iter();
                let keys = keys.filter(|key| texts.iter().any(|text| mentions(text, key)));
                Some(keys.cloned().collect())
            }
        };
        let batch = source.batch().cloned();
        let (source, mut lineage) = match source {
            CompiledSource::List {
                list,
                identity,
                expand,
                key,
                source,
            } => {
                let lineage = self::lineage(&identity, &list.request, &levels);
                let in_request = list.request.parameters();
                let repeated = levels.last().is_some_and(|before| {
                    let mut live = before.live.iter();
                    live.any(|name| !in_request.contains(&name.as_str()))
                });
                let embeds = std::mem::take(&mut embeds[level]);
                let projection = Arc::new(Projection {
                    key: format!("{key} {embeds:?}"),
                    expand,
                    embeds,
                });
                let mut of_level = ReadIdentity(format!("{} of {}", projection.key, lineage.0));
                if let Some(Embedded { level, slot }) = in_lists[level] {
                    of_level.0 += &format!(" in {slot} of {}", levels[level].lineage.0);
                }
                let parents = ParentList {
                    list: Arc::from(list),
                    identity,
                    lineage,
                    projection,
                    embedded: in_lists[level],
                    max_children: source.max_children,
                    repeated,
                    settings_place: place_of(&name),
                };
                (Source::List(Box::new(parents)), of_level)
            }
            CompiledSource::Fixed(fixed) => {
                let lineage = ReadIdentity(format!("{:?}", fixed.values));
                (Source::Fixed(fixed.values), lineage)
            }
            CompiledSource::Windows(windows) => {
                let lineage = ReadIdentity(format!("{windows:?}"));
                (Source::Windows(Box::new(windows)), lineage)
            }
        };
        lineage.0 += &format!(" {batch:?}");
        let level = Level {
            joins: in_texts.contains(&name),
            name: name.into(),
            source,
            batch,
            live,
            told,
            lineage,
        };
        if let Source::Fixed(items) = &level.source {
            for (index, item) in items.iter().enumerate() {
                let refused = requests
                    .iter()
                    .find_map(|request| request.check(&level.name, &item.text).err());
                if let Some(refused) = refused.filter(|_| !item.text.is_empty()) {
                    let place = format!("{}.values[{index}]", place_of(&level.name));
                    problems.push(Problem::new(place, refused.to_string()));
                }
            }
        }
        if let (Source::Fixed(items), Some(batch)) = (&level.source, &level.batch)
            && let Some(index) = items.iter().position(|item| level.is_ambiguous(item))
        {
            problems.push(Problem::new(
                format!("{}.values[{index}]", place_of(&level.name)),
                crate::children::ambiguous(&level.name, batch),
            ));
        }
        levels.push(level);
    }
    problems.is_empty().then_some(Arranged { levels, embedded })
}

fn too_deep(uses: &[Vec<usize>]) -> Option<usize> {
    let mut depths: Vec<usize> = Vec::new();
    for level in uses {
        let deepest = level.iter().map(|&used| depths[used]).max();
        depths.push(1 + deepest.unwrap_or(0));
    }
    depths.iter().position(|&depth| depth > MAX_DEPTH)
}

/// Whether an expression has a word that is the name, with or without underscores in front.
fn mentions(expression: &str, name: &str) -> bool {
    let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
    let mut words = expression.split(|c: char| !c.is_alphanumeric() && c != '_');
    let bare = name.trim_start_matches('_');
    match plain {
        true => words.any(|word| word.trim_start_matches('_').starts_with(bare)),
        false => expression.contains(name),
    }
}

/// Of a list together with everything that its values come from.
pub(crate) fn lineage(
    identity: &ReadIdentity,
    request: &RequestTemplate,
    levels: &[Level],
) -> ReadIdentity {
    let names = request.parameters();
    let used = levels.iter().filter(|level| names.contains(&&*level.name));
    let mut used: Vec<&str> = used.map(|level| level.lineage.0.as_str()).collect();
    // In which order parameters are written makes no difference.
    used.sort_unstable();
    ReadIdentity(format!("{} for {used:?}", identity.0))
}
