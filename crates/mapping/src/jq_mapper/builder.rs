//! From expressions as they are written to a mapper.

use longshore_jq::{Filter, path_text};

use super::field::{Field, Shape};
use super::{Blueprint, Items, JqMapper, MappingProblem, described, no_identifier};
use crate::expression::{Expression, Source, compile_jq};
use crate::fields::append;
use crate::path::leading_path;
use crate::{blueprint_name_problem, field_name_problem};

/// Collects the expressions of a [`JqMapper`]; [`build`](JqMapperBuilder::build) compiles them all.
#[derive(Clone, Debug, Default)]
pub struct JqMapperBuilder {
    selector: Option<String>,
    identifier: Option<Expression>,
    title: Option<String>,
    icon: Option<String>,
    team: Option<Expression>,
    blueprint: Option<String>,
    properties: Vec<(String, String)>,
    relations: Vec<(String, Expression)>,
    items_to_parse: Option<String>,
    items_to_parse_name: Option<String>,
    keep_items: bool,
}

impl JqMapperBuilder {
    /// jq that must give `true` for a record to become an entity. Every record does unless this is set.
    pub fn selector(mut self, jq: impl Into<String>) -> Self {
        self.selector = Some(jq.into());
        self
    }

    /// The identifier: jq, or a search query. Needed.
    pub fn identifier(mut self, expression: impl Into<Expression>) -> Self {
        self.identifier = Some(expression.into());
        self
    }

    /// jq to the title.
    pub fn title(mut self, jq: impl Into<String>) -> Self {
        self.title = Some(jq.into());
        self
    }

    /// jq to the icon.
    pub fn icon(mut self, jq: impl Into<String>) -> Self {
        self.icon = Some(jq.into());
        self
    }

    /// The team: jq to a name or an array of them, or a search query.
    pub fn team(mut self, expression: impl Into<Expression>) -> Self {
        self.team = Some(expression.into());
        self
    }

    /// jq to the blueprint. Needed. One blueprint for all is a literal: `"\"user\""`; [`Mapper::blueprint`](crate::Mapper::blueprint) then knows it.
    pub fn blueprint(mut self, jq: impl Into<String>) -> Self {
        self.blueprint = Some(jq.into());
        self
    }

    /// Adds a property.
    pub fn property(mut self, name: impl Into<String>, jq: impl Into<String>) -> Self {
        self.properties.push((name.into(), jq.into()));
        self
    }

    /// Adds a relation: jq to an identifier, an array of them or null, or a search query.
    pub fn relation(mut self, name: impl Into<String>, expression: impl Into<Expression>) -> Self {
        self.relations.push((name.into(), expression.into()));
        self
    }

    /// jq to an array of the record. Each of its items is mapped for itself, selector included, as the record with the item added under
    /// [`items_to_parse_name`](Self::items_to_parse_name). An empty array gives no entity; anything but an array fails the record. A blank
    /// expression counts as none.
    pub fn items_to_parse(mut self, jq: impl Into<String>) -> Self {
        self.items_to_parse = Some(jq.into());
        self
    }

    /// The key that holds the item, `item` unless set. A key of that name in the record is hidden by it.
    pub fn items_to_parse_name(mut self, name: impl Into<String>) -> Self {
        self.items_to_parse_name = Some(name.into());
        self
    }

    /// Whether the array is taken out of the record that its items see; true unless set. It is found where the expression starts with a
    /// plain path (`.comments`, `.comments // []`, `.comments | map(…)`), else the record stays whole.
    pub fn items_to_parse_top_level_transform(mut self, on: bool) -> Self {
        self.keep_items = !on;
        self
    }

    /// Compiles everything.
    ///
    /// # Errors
    /// Every problem, not only the first.
    pub fn build(self) -> Result<JqMapper, Vec<MappingProblem>> {
        let mut problems = Problems::default();
        let items = self.build_items(&mut problems);
        let selector = self.build_selector(&mut problems);
        let identifier = match &self.identifier {
            Some(written) => problems.identifier(written),
            None => problems.missing("identifier", ".id"),
        };
        let title = self
            .title
            .map(|jq| problems.field("title", "", jq.into(), Shape::Text));
        let icon = self
            .icon
            .map(|jq| problems.field("icon", "", jq.into(), Shape::Text));
        let team = self
            .team
            .map(|written| problems.field("team", "", written, Shape::Teams));
        let blueprint = match &self.blueprint {
            Some(jq) => problems.blueprint(jq),
            None => problems.missing("blueprint", r#""user""#),
        };
        let properties = self
            .properties
            .into_iter()
            .map(|(name, jq)| (name, Expression::Jq(jq)));
        let properties = problems.fields("properties", properties, Shape::Any);
        let relations = problems.fields("relations", self.relations, Shape::Identifiers);
        match (identifier, blueprint) {
            (Some(identifier), Some(blueprint)) if problems.found.is_empty() => Ok(JqMapper {
                items,
                selector,
                identifier,
                blueprint,
                title: title.flatten(),
                icon: icon.flatten(),
                team: team.flatten(),
                properties,
                relations,
                warnings: problems.warnings,
            }),
            _ => Err(problems.found),
        }
    }

    fn build_selector(&self, problems: &mut Problems) -> Option<Filter> {
        const PLACE: &str = "selector.query";
        let filter = problems.jq(PLACE, self.selector.as_deref()?)?;
        match filter.as_constant() {
            Some(constant) if constant.as_bool() == Some(true) => None,
            Some(constant) if constant.as_bool().is_none() => {
                let message = format!(
                    "is {} for every record; it must give true or false",
                    described(constant.type_name())
                );
                problems.add(PLACE, message);
                None
            }
            _ => Some(filter),
        }
    }

    fn build_items(&self, problems: &mut Problems) -> Option<Items> {
        let jq = self
            .items_to_parse
            .as_deref()
            .filter(|jq| !jq.trim().is_empty())?;
        let name = self
            .items_to_parse_name
            .clone()
            .unwrap_or_else(|| "item".to_owned());
        if name.is_empty() {
            problems.add(
                "itemsToParseName",
                "is empty; leave the line out for `item`",
            );
        }
        let array = problems.jq("itemsToParse", jq)?;
        let remove = match leading_path(jq).filter(|_| !self.keep_items) {
            None => None,
            Some(path) => Some(problems.jq("itemsToParse", &format!("del({})", path_text(&path)))?),
        };
        Some(Items {
            array,
            name,
            remove,
        })
    }
}

/// The problems found so far; compiling adds to them and goes on.
#[derive(Default)]
struct Problems {
    found: Vec<MappingProblem>,
    warnings: Vec<MappingProblem>,
}

impl Problems {
    fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.found.push(MappingProblem {
            path: path.into(),
            message: message.into(),
        });
    }

    fn warn(&mut self, path: &str, message: &str) {
        self.warnings.push(MappingProblem {
            path: path.to_owned(),
            message: message.to_owned(),
        });
    }

    fn doubt(&mut self, path: &str, filter: &Filter) {
        if let Some(hint) = filter.hint() {
            self.warn(path, hint);
        }
    }

    fn missing<T>(&mut self, path: &str, example: &str) -> Option<T> {
        self.add(
            path,
            format!("is missing; every entity needs one, for example {path}: '{example}'"),
        );
        None
    }

    fn jq(&mut self, path: &str, jq: &str) -> Option<Filter> {
        let filter = compile_jq(jq)
            .map_err(|message| self.add(path, message))
            .ok()?;
        self.doubt(path, &filter);
        Some(filter)
    }

    fn source(&mut self, path: &str, written: &Expression) -> Option<Source> {
        let source = Source::compile(path, written, &mut |place, message| {
            self.add(place, message);
        })?;
        for (place, filter) in source.leaves(path) {
            self.doubt(place, filter);
        }
        Some(source)
    }

    fn identifier(&mut self, written: &Expression) -> Option<Source> {
        const PLACE: &str = "identifier";
        let source = self.source(PLACE, written)?;
        let constant = source.constant();
        let problem = constant.and_then(|constant| match constant.text() {
            Some(text) if !text.is_empty() => None,
            _ => Some(no_identifier(constant.type_name())),
        });
        match problem {
            None => Some(source),
            Some(problem) => {
                self.add(PLACE, format!("gives for every record {problem}"));
                None
            }
        }
    }

    fn blueprint(&mut self, jq: &str) -> Option<Blueprint> {
        const PLACE: &str = "blueprint";
        let filter = match compile_jq(jq) {
            Ok(filter) => filter,
            Err(mut message) => {
                let bare = jq.trim();
                if !bare.is_empty()
                    && bare
                        .chars()
                        .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
                {
                    message.push_str(&format!("; a fixed name is written '\"{bare}\"'"));
                }
                self.add(PLACE, message);
                return None;
            }
        };
        self.doubt(PLACE, &filter);
        let Some(constant) = filter.as_constant() else {
            return Some(Blueprint::Jq(filter));
        };
        match constant.as_str() {
            Some("") => self.add(PLACE, "is empty text; write the blueprint's identifier"),
            Some(name) => {
                // A warning, as for the names of fields: it is Port that refuses them.
                if let Some(problem) = blueprint_name_problem(name) {
                    self.warn(PLACE, &format!("is text that Port refuses: {problem}"));
                }
                return Some(Blueprint::Fixed(name.to_owned()));
            }
            None => self.add(
                PLACE,
                format!(
                    "is {}; write the blueprint's identifier as text",
                    described(constant.type_name())
                ),
            ),
        }
        None
    }

    fn field(
        &mut self,
        place: &str,
        name: &str,
        written: Expression,
        shape: Shape,
    ) -> Option<Field> {
        let source = self.source(place, &written)?;
        let constant = match source.constant().map(|constant| shape.of(&constant)) {
            Some(Err(message)) => {
                self.add(place, format!("{message}, for every record"));
                return None;
            }
            Some(Ok(constant)) => Some(constant),
            None => None,
        };
        let mut key = Vec::new();
        append(name, &mut key);
        key.push(b':');
        Some(Field {
            name: name.to_owned(),
            key,
            place: place.to_owned(),
            shape,
            constant,
            source,
        })
    }

    fn fields(
        &mut self,
        group: &str,
        written: impl IntoIterator<Item = (String, Expression)>,
        shape: Shape,
    ) -> Vec<Field> {
        let mut fields: Vec<Field> = Vec::new();
        for (name, expression) in written {
            let place = format!("{group}.{name}");
            if name.is_empty() {
                self.add(place, "has no name");
            } else if fields.iter().any(|field| field.name == name) {
                self.add(place, "is given twice; keep one");
            } else {
                if let Some(problem) = field_name_problem(&name) {
                    self.warn(&place, problem);
                }
                fields.extend(self.field(&place, &name, expression, shape));
            }
        }
        fields
    }
}
