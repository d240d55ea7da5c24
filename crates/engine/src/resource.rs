//! One configured thing to pull: an endpoint, how it is read, and how its records become entities.

use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, Method};
use longshore_jq::Val;
use longshore_mapping::{
    Explanation, Expression, JqMapper, JqMapperBuilder, Mapper, MappingProblem, RecordPath,
};
use longshore_nested::{PathTemplate, RequestTemplate, TextTemplate};
use longshore_paginate::{Paginator, Settings};
use longshore_port_client::Feeds;
use serde_json::Value;

use crate::login::ListAuth;
use crate::parameters::{
    self, Embedded, EmbeddedSource, Level, ParameterValues, ReadIdentity, Source,
};
use crate::rules::{AnswerRules, CompiledRules};

/// Children of one resource that are read at most, unless set.
const DEFAULT_MAX_CHILDREN: u64 = 1_000_000;

/// Something in a resource that cannot work, found before any request.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
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
#[non_exhaustive]
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
pub struct Resource(Arc<Parts>, usize);

pub(crate) struct Parts {
    pub(crate) kind: String,
    pub(crate) list: Arc<ListRequest>,
    pub(crate) mapper: Arc<dyn Mapper>,
    pub(crate) warnings: Vec<Problem>,
    /// Where the values of the parameters come from, each after those that it builds on.
    pub(crate) levels: Vec<Level>,
    pub(crate) embedded: Option<Embedded>,
    pub(crate) max_children: u64,
    pub(crate) ordered: bool,
    /// Under which its own records may be parents of another resource.
    pub(crate) identity: ReadIdentity,
    pub(crate) lineage: ReadIdentity,
}

/// How one list is asked for: the records of a resource, or of the parents of a path parameter.
pub(crate) struct ListRequest {
    pub(crate) request: RequestTemplate,
    pub(crate) method: Method,
    /// Those without parameters.
    pub(crate) headers: HeaderMap,
    pub(crate) data_path: Option<String>,
    pub(crate) records: RecordPath,
    pub(crate) pagination: Settings,
    pub(crate) paginator: Option<Arc<dyn Paginator>>,
    pub(crate) rules: CompiledRules,
    /// The connection's, unless said.
    pub(crate) auth: Option<ListAuth>,
}

impl Resource {
    /// The same resource, at this place among those of its engine.
    pub(crate) fn at(mut self, place: usize) -> Resource {
        self.1 = place;
        self
    }

    /// Its place among the resources of its engine, from 0; what tells two of one kind apart.
    pub(crate) fn place(&self) -> usize {
        self.1
    }

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
            expressions: Vec::new(),
            parameters: Vec::new(),
            embedded: None,
            max_children: DEFAULT_MAX_CHILDREN,
            ordered: false,
        }
    }

    /// The endpoint's path as configured.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }

    /// What each part of its mapping gives for a record: for the person who writes the mapping, as it shows what is in the record. `None`
    /// where the records are mapped by code that does not explain itself.
    pub fn explain(&self, record: &Val) -> Option<Explanation> {
        self.0.mapper.explain(record)
    }

    /// What works but most likely does not do what is meant, such as a property whose name no blueprint can have, under the paths that
    /// [`Problem`]s have. Configuration files show these when they are loaded.
    pub fn warnings(&self) -> &[Problem] {
        &self.0.warnings
    }

    /// The blueprint of all its entities, where the mapping names one and the same for every record.
    pub fn blueprint(&self) -> Option<&str> {
        self.0.mapper.blueprint()
    }

    /// What its entities are of.
    pub(crate) fn feeds(&self) -> Feeds {
        match self.blueprint() {
            Some(blueprint) => Feeds::Blueprint(blueprint.to_owned()),
            None => Feeds::Any,
        }
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
        for level in &self.0.levels {
            if let Source::List(parents) = &level.source {
                check(
                    &parents.list,
                    &format!("selector.path_parameters.{}.pagination", level.name),
                );
            }
        }
        InvalidResource::unless_empty(problems)
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0
    }
}

/// A kind, or the path of a list, as far as it may be shown: a query that stands in it may hold a secret (R34).
pub(crate) fn without_query(endpoint: &str) -> &str {
    endpoint.split('?').next().unwrap_or_default()
}

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("kind", &without_query(&self.kind))
            .field("list", &self.list)
            .field("mapper", &self.mapper)
            .field("levels", &self.levels)
            .field("embedded", &self.embedded)
            .field("max_children", &self.max_children)
            .field("ordered", &self.ordered)
            .finish_non_exhaustive()
    }
}

// Query, headers and body may hold secrets, so what is printed of a list is its endpoint (R34).
impl fmt::Debug for ListRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListRequest")
            .field("method", &self.method)
            .field("endpoint", &without_query(self.endpoint()))
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ResourceBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResourceBuilder")
            .field("kind", &without_query(&self.kind))
            .finish_non_exhaustive()
    }
}

impl ListRequest {
    /// The path as it is written.
    pub(crate) fn endpoint(&self) -> &str {
        self.request.path().as_str()
    }

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
    /// Every expression of the mapping, to tell which parameters it looks at.
    expressions: Vec<String>,
    parameters: Vec<(String, ParameterValues)>,
    embedded: Option<EmbeddedSource>,
    max_children: u64,
    ordered: bool,
}

/// A list as written, before it is checked.
#[derive(Default)]
pub(crate) struct ListSpec {
    pub(crate) method: Method,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) data_path: Option<String>,
    pub(crate) pagination: Settings,
    pub(crate) paginator: Option<Arc<dyn Paginator>>,
    pub(crate) answer_rules: AnswerRules,
    pub(crate) auth: Option<ListAuth>,
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
        self.expressions.push(jq.to_owned());
        self.jq = self.jq.selector(jq);
        self
    }

    /// The entity's identifier.
    pub fn identifier(mut self, expression: impl Into<Expression>) -> Self {
        let expression = expression.into();
        self.note(&expression);
        self.jq = self.jq.identifier(expression);
        self
    }

    fn note(&mut self, expression: &Expression) {
        match expression {
            Expression::Jq(jq) => self.expressions.push(jq.clone()),
            Expression::Search(query) => {
                parameters::in_body(query, &mut |text| self.expressions.push(text.to_owned()));
            }
        }
    }

    /// jq to the entity's title.
    pub fn title(mut self, jq: &str) -> Self {
        self.expressions.push(jq.to_owned());
        self.jq = self.jq.title(jq);
        self
    }

    /// jq to the entity's icon.
    pub fn icon(mut self, jq: &str) -> Self {
        self.expressions.push(jq.to_owned());
        self.jq = self.jq.icon(jq);
        self
    }

    /// The entity's team.
    pub fn team(mut self, expression: impl Into<Expression>) -> Self {
        let expression = expression.into();
        self.note(&expression);
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
        self.expressions.push(jq.to_owned());
        self.jq = self.jq.blueprint(jq);
        self
    }

    /// Adds a property.
    pub fn property(mut self, name: &str, jq: &str) -> Self {
        self.expressions.push(jq.to_owned());
        self.jq = self.jq.property(name, jq);
        self
    }

    /// Adds a relation.
    pub fn relation(mut self, name: &str, expression: impl Into<Expression>) -> Self {
        let expression = expression.into();
        self.note(&expression);
        self.jq = self.jq.relation(name, expression);
        self
    }

    /// jq to an array of the record: one entity for each of its items.
    pub fn items_to_parse(mut self, jq: &str) -> Self {
        self.expressions.push(jq.to_owned());
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

    /// The credentials of this resource where they are not the connection's; [`ListAuth::none`] for none.
    pub fn auth(mut self, auth: impl Into<ListAuth>) -> Self {
        self.list.auth = Some(auth.into());
        self
    }

    /// Says where the values of `{name}` come from: in the path, in query parameters, headers and body, and in the requests of the lists that
    /// other parameters come from.
    pub fn parameter(
        mut self,
        name: impl Into<String>,
        source: impl Into<ParameterValues>,
    ) -> Self {
        self.parameters.push((name.into(), source.into()));
        self
    }

    /// Children that stand in their parent's record already need no request.
    pub fn embedded(mut self, embedded: EmbeddedSource) -> Self {
        self.embedded = Some(embedded);
        self
    }

    /// How many children are read at most; 1,000,000 unless said. More make the read incomplete.
    pub fn max_children(mut self, count: u64) -> Self {
        self.max_children = count;
        self
    }

    /// Gives the children's entities in the order of the parents, instead of as they come.
    pub fn ordered(mut self, on: bool) -> Self {
        self.ordered = on;
        self
    }

    /// Checks and compiles everything: path, headers, every jq expression, paging.
    ///
    /// # Errors
    /// All problems at once.
    pub fn build(self) -> Result<Resource, InvalidResource> {
        let (mut problems, mut warnings) = (Vec::new(), Vec::new());
        if self.kind.trim().is_empty() {
            problems.push(Problem::new(
                "kind",
                "is empty; write the endpoint's path, such as /api/v1/users",
            ));
        }
        let names: Vec<String> = self
            .parameters
            .iter()
            .map(|(name, _)| name.clone())
            .collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let template = parse_path(&self.kind, "kind", &mut problems);
        let identity = ReadIdentity::of(&self.kind, &self.list);
        // Code that maps may look at anything.
        let looked_at = match self.mapper {
            Some(_) => None,
            None => Some(self.expressions.as_slice()),
        };
        let compiled = parameters::compile(self.parameters, &mut problems, &mut warnings);
        parameters::check_texts(&self.list, &names, "selector", &mut problems, &mut warnings);
        if self.max_children == 0 {
            problems.push(Problem::new(
                "selector.maxChildren",
                parameters::NO_CHILDREN,
            ));
        }
        if let Some(template) = &template {
            let request = self.list.request(template.clone(), &names);
            parameters::check_use(&request, &compiled, &mut problems);
        }
        let list = self
            .list
            .compile(template, &names, "selector", &mut problems);
        let levels = parameters::arrange(
            compiled,
            list.as_ref().map(|list| &list.request),
            self.embedded.as_ref(),
            looked_at,
            &mut problems,
        );
        let placed = |p: &MappingProblem| Problem::new(place_of(&p.path), &*p.message);
        let mapper = self.mapper.or_else(|| match self.jq.build() {
            Ok(mapper) => {
                warnings.extend(mapper.warnings().iter().map(placed));
                Some(Arc::new(mapper) as Arc<dyn Mapper>)
            }
            Err(found) => {
                problems.extend(found.iter().map(placed));
                None
            }
        });
        match (list, mapper, levels) {
            (Some(list), Some(mapper), Some(arranged)) if problems.is_empty() => {
                let lineage = parameters::lineage(&identity, &list.request, &arranged.levels);
                Ok(Resource(
                    Arc::new(Parts {
                        kind: self.kind,
                        list: Arc::new(list),
                        mapper,
                        warnings,
                        levels: arranged.levels,
                        embedded: arranged.embedded,
                        max_children: self.max_children,
                        ordered: self.ordered,
                        identity,
                        lineage,
                    }),
                    0,
                ))
            }
            _ => Err(InvalidResource { problems }),
        }
    }
}

impl ListSpec {
    /// What is asked for, with `{name}` of these names where a value goes.
    pub(crate) fn request(&self, path: PathTemplate, names: &[&str]) -> RequestTemplate {
        let mut request = RequestTemplate::new(path, names);
        for (name, value) in &self.query {
            request = request.query(name, value);
        }
        for (name, value) in &self.headers {
            if has_parameters(value, names) {
                request = request.header(name, value);
            }
        }
        match &self.body {
            Some(body) => request.body(body.clone()),
            None => request,
        }
    }

    /// Checks it. `{name}` of these names stands for values.
    pub(crate) fn compile(
        self,
        template: Option<PathTemplate>,
        names: &[&str],
        place: &str,
        problems: &mut Vec<Problem>,
    ) -> Option<ListRequest> {
        let before = problems.len();
        let mut headers = HeaderMap::new();
        for (name, text) in &self.headers {
            match longshore_transport::header(name, text) {
                Ok((name, mut value)) => {
                    value.set_sensitive(true);
                    if !has_parameters(text, names) {
                        headers.insert(name, value);
                    }
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
            request: self.request(template?, names),
            method: self.method,
            headers,
            data_path: self.data_path,
            records: records?,
            pagination: self.pagination,
            paginator: self.paginator,
            rules,
            auth: self.auth,
        })
    }
}

fn has_parameters(text: &str, names: &[&str]) -> bool {
    let template = TextTemplate::parse(text, names);
    template.parameters().next().is_some()
}

pub(crate) fn parse_path(
    path: &str,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Option<PathTemplate> {
    PathTemplate::parse(path)
        .map_err(|error| problems.push(Problem::new(place, error.to_string())))
        .ok()
}

/// Where a part of the mapping stands in a mapping file.
fn place_of(part: &str) -> String {
    match part {
        part if part.starts_with("selector.") => part.to_owned(),
        part if part.starts_with("itemsToParse") => format!("port.{part}"),
        part => format!("port.entity.mappings.{part}"),
    }
}
