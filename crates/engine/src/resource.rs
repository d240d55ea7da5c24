//! One configured thing to pull: an endpoint, how it is read, and how its records become entities.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method};
use longshore_mapping::{Expression, JqMapper, JqMapperBuilder, Mapper, RecordPath};
use longshore_nested::{Parameter, PathTemplate};
use longshore_paginate::{Paginator, Settings};
use serde_json::Value;

use crate::rules::{AnswerRules, CompiledRules};

/// Something in a resource that cannot work, found before any request.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem {
    /// Where, in the spelling of the mapping file and relative to the resource: `port.entity.mappings.properties.email`.
    pub path: String,
    /// What is wrong and what to change, one line.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Problem {
            path: path.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// A resource that cannot work: everything that is wrong with it, at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidResource {
    /// What is wrong, in the order of the resource's parts.
    pub problems: Vec<Problem>,
}

impl InvalidResource {
    fn unless_empty(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(InvalidResource { problems })
        }
    }
}

impl fmt::Display for InvalidResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.problems.iter().enumerate() {
            let separator = if n == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for InvalidResource {}

impl IntoIterator for InvalidResource {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.problems.into_iter()
    }
}

/// One configured thing to pull. Cheap to clone.
///
/// ```
/// use longshore_engine::Resource;
///
/// let users = Resource::builder("/api/v1/users")
///     .data_path(".users")
///     .identifier(".id")
///     .blueprint("user")
///     .property("email", ".email")
///     .build()
///     .unwrap();
/// assert_eq!(users.kind(), "/api/v1/users");
/// ```
#[derive(Clone, Debug)]
pub struct Resource(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) kind: String,
    pub(crate) list: Arc<ListRequest>,
    pub(crate) mapper: Arc<dyn Mapper>,
    pub(crate) parents: Option<ParentList>,
}

/// How one list is asked for: the records of a resource, or of the parents of a path parameter.
pub(crate) struct ListRequest {
    pub(crate) template: PathTemplate,
    pub(crate) method: Method,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Option<Value>,
    pub(crate) data_path: Option<String>,
    pub(crate) records: RecordPath,
    pub(crate) pagination: Settings,
    pub(crate) paginator: Option<Arc<dyn Paginator>>,
    pub(crate) rules: CompiledRules,
}

/// The list that the children of a resource come from.
#[derive(Debug)]
pub(crate) struct ParentList {
    pub(crate) list: Arc<ListRequest>,
    pub(crate) parameter: Parameter,
    pub(crate) identity: ReadIdentity,
}

/// Equal for two lists that are fed by one read.
#[derive(Clone, Eq, Hash, PartialEq)]
pub(crate) struct ReadIdentity(String);

/// Where the values of one path parameter come from: a list endpoint and a field of its records.
///
/// `Debug` leaves out what may hold a secret: query, headers and body.
#[derive(Clone)]
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
    /// jq to the value, on each parent record.
    pub field: String,
    /// jq that must give `true` for a parent to count.
    pub filter: Option<String>,
    /// Paging of the parents' list where it differs from the connection's.
    pub pagination: Settings,
    /// What the answers of the parents' list mean where it differs from the connection's.
    pub answer_rules: AnswerRules,
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
            pagination: Settings::default(),
            answer_rules: AnswerRules::default(),
        }
    }
}

impl Resource {
    /// Starts a resource. `kind` is the path of its endpoint, joined to the base URL; `{name}` in it is a path parameter.
    pub fn builder(kind: impl Into<String>) -> ResourceBuilder {
        ResourceBuilder {
            kind: kind.into(),
            list: ListSpec {
                method: Method::GET,
                ..ListSpec::default()
            },
            jq: JqMapper::builder(),
            mapper: None,
            parameters: Vec::new(),
        }
    }

    /// The endpoint's path as configured.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// The blueprint of all its entities, where the mapping names one and the same for every record.
    pub fn blueprint(&self) -> Option<&str> {
        self.0.mapper.blueprint()
    }

    /// Checks the paging of this resource and of its parents' lists over that of a connection.
    ///
    /// # Errors
    /// Every setting that does not fit, under its path.
    pub fn check_pagination(&self, connection: &Settings) -> Result<(), InvalidResource> {
        let mut problems = Vec::new();
        let mut check = |list: &ListRequest, prefix: &str| {
            if let Err(found) = list.paginator(connection) {
                problems.extend(
                    found
                        .into_iter()
                        .map(|p| Problem::new(format!("{prefix}.{}", p.setting), p.message)),
                );
            }
        };
        check(&self.0.list, "selector.pagination");
        if let Some(parents) = &self.0.parents {
            let name = parents.parameter.name();
            check(
                &parents.list,
                &format!("selector.path_parameters.{name}.pagination"),
            );
        }
        InvalidResource::unless_empty(problems)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }
}

// Query, headers and body may hold secrets, so what is printed of a list is its endpoint (R34).
impl fmt::Debug for ListRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("method", &self.method)
            .field("template", &self.template)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ReadIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadIdentity(…)")
    }
}

impl fmt::Debug for ParameterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParameterSource")
            .field("method", &self.method)
            .field("endpoint", &self.endpoint)
            .field("data_path", &self.data_path)
            .field("field", &self.field)
            .field("filter", &self.filter)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceBuilder")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

impl ListRequest {
    /// The paginator of this list: its own, or the one configured here over the connection's settings.
    pub(crate) fn paginator(
        &self,
        connection: &Settings,
    ) -> Result<Arc<dyn Paginator>, Vec<longshore_paginate::SettingProblem>> {
        if let Some(paginator) = &self.paginator {
            return Ok(paginator.clone());
        }
        let configured = self.pagination.clone().or(connection).build()?;
        Ok(Arc::new(configured))
    }
}

/// Collects the parts of a [`Resource`]; [`build`](ResourceBuilder::build) checks them all at once.
pub struct ResourceBuilder {
    kind: String,
    list: ListSpec,
    jq: JqMapperBuilder,
    mapper: Option<Arc<dyn Mapper>>,
    parameters: Vec<(String, ParameterSource)>,
}

/// A list as written, before it is checked.
#[derive(Default)]
struct ListSpec {
    method: Method,
    query: Vec<(String, String)>,
    headers: Vec<(String, String)>,
    body: Option<Value>,
    data_path: Option<String>,
    pagination: Settings,
    paginator: Option<Arc<dyn Paginator>>,
    answer_rules: AnswerRules,
}

impl ResourceBuilder {
    /// HTTP method of the read; GET unless said. Other methods are repeated on failure as GET is: they are configured as reads.
    pub fn method(mut self, method: Method) -> Self {
        self.list.method = method;
        self
    }

    /// Adds a query parameter to every request of the list.
    pub fn query_param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.list.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header to every request of the list.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.list.headers.push((name.into(), value.into()));
        self
    }

    /// JSON body of every request of the list.
    pub fn body(mut self, body: Value) -> Self {
        self.list.body = Some(body);
        self
    }

    /// jq from an answer's body to its records. Without it an array gives its items and an object is one record.
    pub fn data_path(mut self, jq: impl Into<String>) -> Self {
        self.list.data_path = Some(jq.into());
        self
    }

    /// jq that must give `true` for a record to become an entity.
    pub fn selector(mut self, jq: &str) -> Self {
        self.jq = self.jq.selector(jq);
        self
    }

    /// The entity's identifier.
    pub fn identifier(mut self, expression: impl Into<Expression>) -> Self {
        self.jq = self.jq.identifier(expression);
        self
    }

    /// jq to the entity's title.
    pub fn title(mut self, jq: &str) -> Self {
        self.jq = self.jq.title(jq);
        self
    }

    /// jq to the entity's icon.
    pub fn icon(mut self, jq: &str) -> Self {
        self.jq = self.jq.icon(jq);
        self
    }

    /// The entity's team.
    pub fn team(mut self, expression: impl Into<Expression>) -> Self {
        self.jq = self.jq.team(expression);
        self
    }

    /// The one blueprint of all entities, by name.
    pub fn blueprint(self, name: &str) -> Self {
        let literal = Value::from(name).to_string();
        self.blueprint_jq(&literal)
    }

    /// jq to the blueprint of each entity, as mapping files have it: `'"user"'`, or computed.
    ///
    /// A computed blueprint may be any: when such a read is incomplete, nothing of any blueprint is deleted.
    pub fn blueprint_jq(mut self, jq: &str) -> Self {
        self.jq = self.jq.blueprint(jq);
        self
    }

    /// Adds a property.
    pub fn property(mut self, name: &str, jq: &str) -> Self {
        self.jq = self.jq.property(name, jq);
        self
    }

    /// Adds a relation.
    pub fn relation(mut self, name: &str, expression: impl Into<Expression>) -> Self {
        self.jq = self.jq.relation(name, expression);
        self
    }

    /// jq to an array of the record: one entity for each of its items.
    pub fn items_to_parse(mut self, jq: &str) -> Self {
        self.jq = self.jq.items_to_parse(jq);
        self
    }

    /// Under which key an item is seen by the expressions; `item` unless said.
    pub fn items_to_parse_name(mut self, name: &str) -> Self {
        self.jq = self.jq.items_to_parse_name(name);
        self
    }

    /// Whether the array itself is taken out of the record that each item sees; `true` unless said.
    pub fn items_to_parse_top_level_transform(mut self, on: bool) -> Self {
        self.jq = self.jq.items_to_parse_top_level_transform(on);
        self
    }

    /// Maps records by code instead of jq. The expressions given to this builder are then not used.
    pub fn mapper(mut self, mapper: impl Mapper) -> Self {
        self.mapper = Some(Arc::new(mapper));
        self
    }

    /// Paging of this resource where it differs from the connection's.
    pub fn pagination(mut self, settings: impl Into<Settings>) -> Self {
        self.list.pagination = settings.into();
        self
    }

    /// Pages this resource by code instead of settings.
    pub fn paginator(mut self, paginator: impl Paginator) -> Self {
        self.list.paginator = Some(Arc::new(paginator));
        self
    }

    /// What the answers of the list mean where it differs from the connection's; for endpoints that answer 404 for "none", say.
    pub fn answer_rules(mut self, rules: AnswerRules) -> Self {
        self.list.answer_rules = rules;
        self
    }

    /// Says where the values of `{name}` in the path come from.
    pub fn parameter(mut self, name: impl Into<String>, source: ParameterSource) -> Self {
        self.parameters.push((name.into(), source));
        self
    }

    /// Checks and compiles everything: path, headers, every jq expression, paging.
    ///
    /// # Errors
    /// All problems at once.
    pub fn build(self) -> Result<Resource, InvalidResource> {
        let mut problems = Vec::new();
        if self.kind.trim().is_empty() {
            problems.push(Problem::new(
                "kind",
                "is empty; write the endpoint's path, such as /api/v1/users",
            ));
        }
        let template = parse_path(&self.kind, "kind", &mut problems);
        let parameters = compile_parameters(self.parameters, &mut problems);
        if let Some(template) = &template {
            check_parameters(template, &parameters, &mut problems);
        }
        let list = self.list.compile(template, "selector", &mut problems);
        let mapper = self.mapper.or_else(|| match self.jq.build() {
            Ok(mapper) => Some(Arc::new(mapper) as Arc<dyn Mapper>),
            Err(found) => {
                problems.extend(
                    found
                        .into_iter()
                        .map(|p| Problem::new(place_of(&p.path), p.message)),
                );
                None
            }
        });
        let parents = parameters.into_iter().find_map(|(_, parents)| parents);
        match (list, mapper) {
            (Some(list), Some(mapper)) if problems.is_empty() => Ok(Resource(Arc::new(Parts {
                kind: self.kind,
                list: Arc::new(list),
                mapper,
                parents,
            }))),
            _ => Err(InvalidResource { problems }),
        }
    }
}

impl ListSpec {
    fn compile(
        self,
        template: Option<PathTemplate>,
        place: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<ListRequest> {
        let before = problems.len();
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            match longshore_transport::header(name, value) {
                Ok((name, mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(name, value);
                }
                Err(error) => problems.push(Problem::new(
                    format!("{place}.headers.{name}"),
                    error.to_string(),
                )),
            }
        }
        let records = match &self.data_path {
            None => Some(RecordPath::body()),
            Some(jq) => match RecordPath::compile(jq) {
                Ok(records) => Some(records),
                Err(error) => {
                    problems.push(Problem::new(
                        format!("{place}.data_path"),
                        error.to_string(),
                    ));
                    None
                }
            },
        };
        let rules = self.answer_rules.compile(place, problems);
        if self.pagination.style.is_some()
            && let Err(found) = self.pagination.clone().build()
        {
            problems.extend(
                found
                    .into_iter()
                    .map(|p| Problem::new(format!("{place}.pagination.{}", p.setting), p.message)),
            );
        }
        if problems.len() > before {
            return None;
        }
        Some(ListRequest {
            template: template?,
            method: self.method,
            query: self.query,
            headers,
            body: self.body,
            data_path: self.data_path,
            records: records?,
            pagination: self.pagination,
            paginator: self.paginator,
            rules,
        })
    }
}

/// Compiles the parameters. A name stays in the answer when its source is broken, so that it is not reported as missing too.
fn compile_parameters(
    sources: Vec<(String, ParameterSource)>,
    problems: &mut Vec<Problem>,
) -> Vec<(String, Option<ParentList>)> {
    let mut compiled: Vec<(String, Option<ParentList>)> = Vec::new();
    for (name, source) in sources {
        let place = format!("selector.path_parameters.{name}");
        if compiled.iter().any(|(other, _)| *other == name) {
            problems.push(Problem::new(place, "is defined twice; keep one"));
            continue;
        }
        let identity = ReadIdentity::of(&source);
        let parameter = match Parameter::new(&name, &source.field, source.filter.as_deref()) {
            Ok(parameter) => Some(parameter),
            Err(found) => {
                problems.extend(found.into_iter().map(|(field, error)| {
                    Problem::new(format!("{place}.{field}"), error.to_string())
                }));
                None
            }
        };
        let endpoint_place = format!("{place}.endpoint");
        if source.endpoint.trim().is_empty() {
            problems.push(Problem::new(
                &endpoint_place,
                "is empty; write the path of the parents' list",
            ));
        }
        let template = parse_path(&source.endpoint, &endpoint_place, problems);
        let list = ListSpec {
            method: source.method,
            query: source.query_params,
            headers: source.headers,
            body: source.body,
            data_path: source.data_path,
            pagination: source.pagination,
            answer_rules: source.answer_rules,
            ..ListSpec::default()
        }
        .compile(template, &place, problems);
        if list
            .as_ref()
            .is_some_and(|list| !list.template.parameters().is_empty())
        {
            problems.push(Problem::new(
                endpoint_place,
                "holds a parameter itself; parents of parents are not read by this version",
            ));
        }
        let parents = parameter.zip(list).map(|(parameter, list)| ParentList {
            list: Arc::new(list),
            parameter,
            identity,
        });
        compiled.push((name, parents));
    }
    compiled
}

fn parse_path(path: &str, place: &str, problems: &mut Vec<Problem>) -> Option<PathTemplate> {
    PathTemplate::parse(path)
        .map_err(|error| problems.push(Problem::new(place, error.to_string())))
        .ok()
}

fn check_parameters(
    template: &PathTemplate,
    parameters: &[(String, Option<ParentList>)],
    problems: &mut Vec<Problem>,
) {
    let wanted = template.parameters();
    for name in &wanted {
        if !parameters.iter().any(|(known, _)| known == name) {
            problems.push(Problem::new(
                "kind",
                format!(
                    "the path holds {{{name}}} but nothing says where its values come from; \
                     add selector.path_parameters.{name} with endpoint and field"
                ),
            ));
        }
    }
    for (name, _) in parameters {
        if !wanted.contains(&name.as_str()) {
            problems.push(Problem::new(
                format!("selector.path_parameters.{name}"),
                format!("is not used: the kind holds no {{{name}}}"),
            ));
        }
    }
    if wanted.len() > 1 {
        problems.push(Problem::new(
            "kind",
            format!(
                "holds {} path parameters; this version resolves one for each path",
                wanted.len()
            ),
        ));
    }
}

impl ReadIdentity {
    fn of(source: &ParameterSource) -> Self {
        ReadIdentity(format!(
            "{} {} {:?} {:?} {:?} {:?} {:?} {:?}",
            source.method,
            source.endpoint,
            source.query_params,
            source.headers,
            source.body,
            source.data_path,
            source.pagination,
            source.answer_rules
        ))
    }
}

/// Where a part of the mapping stands in a mapping file.
fn place_of(part: &str) -> String {
    match part {
        part if part.starts_with("selector.") => part.to_owned(),
        part if part.starts_with("itemsToParse") => format!("port.{part}"),
        part => format!("port.entity.mappings.{part}"),
    }
}
