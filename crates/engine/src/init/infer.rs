//! Blueprints out of the first records: what their entities look like is what a blueprint says.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;

use futures::StreamExt;
use longshore_mapping::{Entity, blueprint_name_problem, field_name_problem};
use longshore_port_client::{Blueprint, BlueprintRelation};
use serde_json::{Map, Value, json};

use crate::engine::Engine;
use crate::runtime::{Form, form_of};

/// Blueprints that fit what was read, and what a person should look at before they are created.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Inference {
    /// One for each blueprint that the mapping makes entities of, by name.
    pub blueprints: Vec<Blueprint>,
    /// What could not be told from the records, one line each.
    pub notes: Vec<String>,
    /// Whether as many entities were read of every resource as were asked for, or all that there are. Otherwise blueprints may be missing, and
    /// properties of those that are there.
    pub is_complete: bool,
}

/// Reads the first entities of every resource, `sample` of each, and says which blueprints they fit.
///
/// - A property is what all of its values are: `boolean`, `number`, `object`, `array` (with its items, where they are of one type), or `string`;
///   with a `format` where every text has it: `date-time`, `url`, `email`. Values that are of several types, and properties that are null
///   in every record, are named in the notes.
/// - A relation leads to the blueprint whose list its path parameter comes from, else to the one of its name, else to the only one that
///   has all of its values as identifiers. One whose target cannot be told is left out and named.
/// - What Port takes no such name of, and would refuse the whole blueprint for, is left out and named.
/// - There are no enums: records never show that there is no further value, and Port refuses one that is not listed.
pub async fn infer(engine: &Engine, mapping: &Value, sample: NonZeroUsize) -> Inference {
    let mut found: BTreeMap<String, Found> = BTreeMap::new();
    let mut notes = Vec::new();
    let mut is_complete = true;
    for (index, resource) in engine.resources().iter().enumerate() {
        let mut entities = engine.entities(resource);
        let (mut count, mut problem) = (0, None);
        while let Some(item) = entities.next().await {
            match item {
                Ok(entity) => {
                    found
                        .entry(entity.blueprint.clone())
                        .or_default()
                        .note(&entity, index);
                    count += 1;
                    if count == sample.get() {
                        break;
                    }
                }
                Err(error) => {
                    problem.get_or_insert(error.to_string());
                }
            }
        }
        if count < sample.get() && problem.is_none() {
            problem = entities.outcome().cause().map(ToString::to_string);
        }
        is_complete &= problem.is_none();
        match problem {
            Some(problem) => notes.push(format!("not everything could be read: {problem}")),
            None if count == 0 => notes.push(format!(
                "{}: there is no entity to learn from",
                resource.kind()
            )),
            None => {}
        }
    }
    let targets = Targets {
        mapping,
        found: &found,
    };
    let mut blueprints = Vec::new();
    for (name, found) in &found {
        match blueprint_name_problem(name) {
            None => blueprints.push(found.blueprint(name, &targets, &mut notes)),
            Some(problem) => notes.push(format!(
                "blueprint `{name}` is left out, and Port will refuse its entities: {problem}; change `blueprint` in the mapping"
            )),
        }
    }
    Inference {
        blueprints,
        notes,
        is_complete,
    }
}

/// The longest title, in characters.
const LONGEST: usize = 100;

/// What the entities of one blueprint have shown.
#[derive(Debug, Default)]
struct Found {
    identifiers: BTreeSet<String>,
    properties: BTreeMap<String, Property>,
    relations: BTreeMap<String, Relation>,
}

/// What the values of a property have shown. Null is no value.
#[derive(Debug, Default)]
struct Property {
    types: BTreeSet<&'static str>,
    forms: BTreeSet<Form>,
    /// Of the items of its lists.
    items: BTreeSet<&'static str>,
    /// Some item of a list is null, which is of no type.
    null_items: bool,
}

#[derive(Debug, Default)]
struct Relation {
    many: bool,
    targets: BTreeSet<String>,
    /// Blueprints that a search query names.
    searched: BTreeSet<String>,
    /// Which resources make it.
    resources: BTreeSet<usize>,
}

impl Found {
    fn note(&mut self, entity: &Entity, resource: usize) {
        if let Some(identifier) = entity.identifier.as_str() {
            self.identifiers.insert(identifier.to_owned());
        }
        for (name, value) in &entity.properties {
            let property = self.properties.entry(name.clone()).or_default();
            property.note(value);
        }
        for (name, value) in &entity.relations {
            let relation = self.relations.entry(name.clone()).or_default();
            relation.resources.insert(resource);
            relation.note(value);
        }
    }

    fn blueprint(&self, name: &str, targets: &Targets<'_>, notes: &mut Vec<String>) -> Blueprint {
        let mut blueprint = Blueprint::new(name, title(name));
        for (property, seen) in &self.properties {
            if let Some(problem) = field_name_problem(property) {
                notes.push(format!(
                    "blueprint {name}: property `{property}` is left out: {problem}"
                ));
                continue;
            }
            let mut schema = seen.schema(|what| {
                notes.push(format!("blueprint {name}: property {property} {what}"));
            });
            schema.insert("title".to_owned(), json!(title(property)));
            blueprint
                .schema
                .properties
                .insert(property.clone(), Value::Object(schema));
        }
        for (relation, seen) in &self.relations {
            if let Some(problem) = field_name_problem(relation) {
                notes.push(format!(
                    "blueprint {name}: relation `{relation}` is left out: {problem}"
                ));
                continue;
            }
            match targets.of(relation, seen) {
                Some(target) => {
                    let mut to = BlueprintRelation::to(target);
                    to.title = Some(title(relation));
                    to.many = seen.many;
                    blueprint.relations.insert(relation.clone(), to);
                }
                None => notes.push(format!(
                    "blueprint {name}: relation {relation} is left out, for its records do not tell which blueprint it leads to; add it at Port"
                )),
            }
        }
        blueprint
    }
}

impl Property {
    fn note(&mut self, value: &Value) {
        let Some(of) = type_of(value) else { return };
        self.types.insert(of);
        match value {
            Value::String(text) => {
                self.forms.insert(form_of(text));
            }
            Value::Array(items) => {
                self.items.extend(items.iter().filter_map(type_of));
                self.null_items |= items.iter().any(Value::is_null);
            }
            _ => {}
        }
    }

    fn schema(&self, note: impl FnOnce(&str)) -> Map<String, Value> {
        let mut schema = Map::new();
        let types: Vec<&str> = self.types.iter().copied().collect();
        match types.as_slice() {
            [] => {
                note("was null in every record; it is taken for text");
                schema.insert("type".to_owned(), json!("string"));
            }
            ["string"] => {
                schema.insert("type".to_owned(), json!("string"));
                // Of nothing in it a text is no address and no date, so a format would refuse it.
                let forms: Vec<Form> = self.forms.iter().copied().collect();
                let format = match forms.as_slice() {
                    [Form::DateTime] => Some("date-time"),
                    [Form::Url] => Some("url"),
                    [Form::Email] => Some("email"),
                    _ => None,
                };
                if let Some(format) = format {
                    schema.insert("format".to_owned(), json!(format));
                }
            }
            ["array"] => {
                schema.insert("type".to_owned(), json!("array"));
                let items: Vec<&str> = self.items.iter().copied().collect();
                if let ([one], false) = (items.as_slice(), self.null_items) {
                    schema.insert("items".to_owned(), json!({"type": one}));
                }
            }
            [one] => {
                schema.insert("type".to_owned(), json!(one));
            }
            several => {
                note(&format!(
                    "is {} in different records; it is taken for text, so make it that in the mapping: (… | tostring)",
                    several.join(" and ")
                ));
                schema.insert("type".to_owned(), json!("string"));
            }
        }
        schema
    }
}

impl Relation {
    fn note(&mut self, value: &Value) {
        match value {
            Value::String(target) => {
                self.targets.insert(target.clone());
            }
            Value::Array(targets) => {
                self.many = true;
                let targets = targets.iter().filter_map(Value::as_str);
                self.targets.extend(targets.map(str::to_owned));
            }
            Value::Object(query) => {
                let rules = query.get("rules").and_then(Value::as_array);
                for rule in rules.into_iter().flatten() {
                    if rule["property"] == "$blueprint"
                        && rule["operator"] == "="
                        && let Some(blueprint) = rule["value"].as_str()
                    {
                        self.searched.insert(blueprint.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
}

/// Where relations may lead.
struct Targets<'a> {
    mapping: &'a Value,
    found: &'a BTreeMap<String, Found>,
}

impl Targets<'_> {
    fn of(&self, name: &str, relation: &Relation) -> Option<String> {
        let only = |blueprints: BTreeSet<String>| match blueprints.len() {
            1 => blueprints.into_iter().next(),
            _ => None,
        };
        only(relation.searched.clone())
            .or_else(|| only(self.by_parameter(name, relation)))
            .or_else(|| only(self.by_name(name)))
            .or_else(|| only(self.by_values(&relation.targets)))
    }

    /// The blueprint of the list that the path parameter comes from: `relations: {owner: .__user_id}`.
    fn by_parameter(&self, name: &str, relation: &Relation) -> BTreeSet<String> {
        let mut targets = BTreeSet::new();
        for index in &relation.resources {
            let resource = &self.mapping["resources"][*index];
            let expression = &resource["port"]["entity"]["mappings"]["relations"][name];
            let Some(expression) = expression.as_str() else {
                continue;
            };
            let Some(parameter) = parameter_of(expression) else {
                continue;
            };
            let selector = &resource["selector"];
            let parameters = selector
                .get("path_parameters")
                .or_else(|| selector.get("pathParameters"));
            let endpoint =
                parameters.and_then(|parameters| parameters[parameter]["endpoint"].as_str());
            let Some(endpoint) = endpoint else { continue };
            let resources = self.mapping["resources"].as_array();
            for other in resources.into_iter().flatten() {
                let blueprint = other["port"]["entity"]["mappings"]["blueprint"].as_str();
                if other["kind"] == endpoint
                    && let Some(blueprint) = blueprint
                        .and_then(|jq| serde_json::from_str::<String>(&jq.replace('\'', "\"")).ok())
                {
                    targets.insert(blueprint);
                }
            }
        }
        targets
    }

    /// The blueprint that is called as the relation is: `company` for `company`, `companies` and `company_id`.
    fn by_name(&self, name: &str) -> BTreeSet<String> {
        let plain = |text: &str| -> String {
            let letters = text.chars().filter(|c| c.is_alphanumeric());
            letters.flat_map(char::to_lowercase).collect()
        };
        let name = plain(name);
        let name = name
            .strip_suffix("id")
            .filter(|name| name.len() > 2)
            .unwrap_or(&name)
            .to_owned();
        let is_called = |blueprint: &String| {
            let blueprint = plain(blueprint);
            [
                blueprint.clone(),
                format!("{blueprint}s"),
                format!("{blueprint}es"),
            ]
            .contains(&name)
                || blueprint
                    .strip_suffix('y')
                    .is_some_and(|stem| format!("{stem}ies") == name)
                || format!("{name}s") == blueprint
        };
        self.found
            .keys()
            .filter(|blueprint| is_called(blueprint))
            .cloned()
            .collect()
    }

    /// Blueprints that have all of these as identifiers.
    fn by_values(&self, values: &BTreeSet<String>) -> BTreeSet<String> {
        self.found
            .iter()
            .filter(|(_, found)| !values.is_empty() && values.is_subset(&found.identifiers))
            .map(|(blueprint, _)| blueprint.clone())
            .collect()
    }
}

/// The parameter that an expression gives as it is or as text: `.__user_id`, `.user_id | tostring`.
fn parameter_of(expression: &str) -> Option<&str> {
    let field = expression.trim().strip_prefix('.')?;
    let field = field.strip_prefix("__").unwrap_or(field);
    let end = field.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    let (parameter, rest) = field.split_at(end.unwrap_or(field.len()));
    matches!(rest.trim(), "" | "| tostring" | "|tostring").then_some(parameter)
}

/// A value's type in Port's words; none of null.
fn type_of(value: &Value) -> Option<&'static str> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    })
}

/// A name for people: `created_at` and `createdAt` are `Created At`.
fn title(name: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut after_small = false;
    for c in name.chars() {
        let breaks = !c.is_alphanumeric() || (c.is_uppercase() && after_small);
        if breaks || words.is_empty() {
            words.push(String::new());
        }
        after_small = c.is_lowercase() || c.is_numeric();
        if let Some(word) = words.last_mut()
            && c.is_alphanumeric()
        {
            match word.is_empty() {
                true => word.extend(c.to_uppercase()),
                false => word.push(c),
            }
        }
    }
    words.retain(|word| !word.is_empty());
    let title: String = words.join(" ").chars().take(LONGEST).collect();
    match title.is_empty() {
        true => name.to_owned(),
        false => title,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema(values: &[Value]) -> (Value, Vec<String>) {
        let mut property = Property::default();
        values.iter().for_each(|value| property.note(value));
        let mut notes = Vec::new();
        let schema = property.schema(|note| notes.push(note.to_owned()));
        (Value::Object(schema), notes)
    }

    #[test]
    fn a_property_is_what_all_of_its_values_are() {
        for (values, expected) in [
            (
                vec![json!(1), json!(2.5), Value::Null],
                json!({"type": "number"}),
            ),
            (vec![json!(true)], json!({"type": "boolean"})),
            (vec![json!({"a": 1})], json!({"type": "object"})),
            (
                vec![json!(["a"]), json!([])],
                json!({"type": "array", "items": {"type": "string"}}),
            ),
            (vec![json!(["a", 1])], json!({"type": "array"})),
            (vec![json!([])], json!({"type": "array"})),
            // An item that is null is of no type, and Port would refuse it.
            (vec![json!([null, "a"])], json!({"type": "array"})),
            (
                vec![Value::Null, json!([null]), json!([1])],
                json!({"type": "array"}),
            ),
            (
                vec![json!("2024-01-01T00:00:00Z"), Value::Null],
                json!({"type": "string", "format": "date-time"}),
            ),
            (vec![json!("2024-01-01")], json!({"type": "string"})),
            (
                vec![json!("https://a.example"), json!("http://b.example/c")],
                json!({"type": "string", "format": "url"}),
            ),
            (
                vec![json!("https://a.example"), json!("")],
                json!({"type": "string"}),
            ),
            (
                vec![json!("a@example.com")],
                json!({"type": "string", "format": "email"}),
            ),
            (
                vec![json!("a@example.com"), json!("https://a.example")],
                json!({"type": "string"}),
            ),
            (vec![json!("active")], json!({"type": "string"})),
        ] {
            assert_eq!(schema(&values), (expected, Vec::new()), "{values:?}");
        }
    }

    #[test]
    fn what_cannot_be_told_is_text_and_noted() {
        let (mixed, notes) = schema(&[json!(1), json!("a")]);
        assert_eq!(mixed, json!({"type": "string"}));
        assert!(notes[0].contains("number and string"), "{notes:?}");
        let (null, notes) = schema(&[Value::Null]);
        assert_eq!(null, json!({"type": "string"}));
        assert!(notes[0].contains("null in every record"), "{notes:?}");
    }

    #[test]
    fn a_parameter_is_known_by_its_field_alone() {
        for (expression, parameter) in [
            (".__user_id", Some("user_id")),
            (".ticket_id | tostring", Some("ticket_id")),
            (" .__team|tostring ", Some("team")),
            (".team.id", None),
            (".team // 1", None),
            ("user_id", None),
        ] {
            assert_eq!(parameter_of(expression), parameter, "{expression}");
        }
    }

    #[test]
    fn titles_are_words() {
        for (name, words) in [
            ("created_at", "Created At"),
            ("createdAt", "Created At"),
            ("service-now.item", "Service Now Item"),
            ("URL", "URL"),
            ("line2", "Line2"),
            ("_links", "Links"),
            ("__", "__"),
            (&"a".repeat(300), &format!("A{}", "a".repeat(99))),
        ] {
            assert_eq!(title(name), words);
        }
    }
}
