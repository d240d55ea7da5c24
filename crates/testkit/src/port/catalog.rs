//! The entities at Port, and what upserting and deleting does to them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::{PortEvent, clock, rules};

type Key = (String, String);

#[derive(Debug, Default)]
pub(super) struct Catalog {
    entities: BTreeMap<Key, Stored>,
    /// (blueprint, relation) → target blueprint.
    relations: BTreeMap<Key, String>,
    rejected: BTreeMap<Key, (u16, String)>,
}

#[derive(Clone, Debug)]
struct Stored {
    entity: Map<String, Value>,
    datasource: Datasource,
    created_at: SystemTime,
    updated_at: SystemTime,
    placeholder: bool,
}

/// Who wrote an entity last.
#[derive(Clone, Debug)]
pub(super) enum Datasource {
    /// Whoever asks: entities that a test put there.
    Asking,
    /// The `User-Agent` of the call.
    Agent(String),
}

/// How an upsert is to be done.
pub(super) struct Upsert {
    pub(super) upsert: bool,
    pub(super) merge: bool,
    pub(super) create_missing: bool,
    pub(super) validation_only: bool,
    pub(super) owner: String,
    pub(super) now: SystemTime,
    /// The blueprints that exist; None: all do.
    pub(super) blueprints: Option<BTreeSet<String>>,
}

/// Why Port refuses a call, or one entity of it.
#[derive(Clone, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) error: String,
    pub(super) message: String,
}

impl Refusal {
    pub(super) fn new(
        status: u16,
        error: impl Into<String>,
        message: impl Into<String>,
    ) -> Refusal {
        Refusal {
            status,
            error: error.into(),
            message: message.into(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(422, "invalid_request", message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(404, "not_found", message)
    }
}

impl Catalog {
    pub(super) fn relate(&mut self, blueprint: &str, relation: &str, target: &str) {
        self.relations
            .insert(key(blueprint, relation), target.to_owned());
    }

    pub(super) fn reject(&mut self, blueprint: &str, identifier: &str, status: u16, message: &str) {
        self.rejected
            .insert(key(blueprint, identifier), (status, message.to_owned()));
    }

    pub(super) fn preload(
        &mut self,
        blueprint: &str,
        entity: Map<String, Value>,
        owner: Datasource,
        updated_at: SystemTime,
    ) {
        let Some(identifier) = entity
            .get("identifier")
            .and_then(Value::as_str)
            .map(str::to_owned)
        else {
            panic!("an entity of `{blueprint}` was given without an identifier");
        };
        let stored = Stored::new(blueprint, &identifier, entity, owner, updated_at);
        self.entities.insert(key(blueprint, &identifier), stored);
    }

    /// Writes one entity; its identifier, and whether it is new.
    pub(super) fn upsert(
        &mut self,
        blueprint: &str,
        entity: &Value,
        how: &Upsert,
        events: &mut Vec<PortEvent>,
    ) -> Result<(String, bool), Refusal> {
        let written = self.try_upsert(blueprint, entity, how, events);
        if let Err(refusal) = &written {
            let (blueprint, identifier) = key(blueprint, &name_of(entity));
            events.push(PortEvent::Rejected {
                blueprint,
                identifier,
                status: refusal.status,
            });
        }
        written
    }

    fn try_upsert(
        &mut self,
        blueprint: &str,
        entity: &Value,
        how: &Upsert,
        events: &mut Vec<PortEvent>,
    ) -> Result<(String, bool), Refusal> {
        let identifier = self.identifier_of(blueprint, entity)?;
        let here = key(blueprint, &identifier);
        if let Some((status, message)) = self.rejected.get(&here) {
            return Err(Refusal::new(*status, "rejected", message));
        }
        let before = self.entities.get(&here);
        if before.is_some() && !how.upsert {
            return Err(Refusal::new(
                409,
                "entity_exists",
                format!("Entity \"{identifier}\" exists"),
            ));
        }

        let (relations, missing) = self.resolve(&here, entity)?;
        if let Some((relation, target)) = missing.first().filter(|_| !how.create_missing) {
            let (target_blueprint, target) = target;
            return Err(Refusal::not_found(format!(
                "Entity with identifier \"{target}\" and blueprint \"{target_blueprint}\" was not found (relation \"{relation}\")"
            )));
        }
        let unknown = |target: &Key| {
            how.blueprints
                .as_ref()
                .is_some_and(|known| !known.contains(&target.0))
        };
        if let Some((_, (target, _))) = missing.iter().find(|(_, target)| unknown(target)) {
            return Err(Refusal::not_found(format!(
                "Blueprint with identifier \"{target}\" was not found"
            )));
        }
        let created = before.is_none();
        if how.validation_only {
            return Ok((identifier, created));
        }

        let owner = Datasource::Agent(how.owner.clone());
        for (_, target) in missing {
            if self.entities.contains_key(&target) {
                continue; // named twice by the same entity
            }
            let mut placeholder =
                Stored::new(&target.0, &target.1, Map::new(), owner.clone(), how.now);
            placeholder.placeholder = true;
            self.entities.insert(target.clone(), placeholder);
            events.push(PortEvent::Placeholder {
                blueprint: target.0,
                identifier: target.1,
            });
        }

        let mut fields = entity.as_object().cloned().unwrap_or_default();
        fields.insert("relations".to_owned(), Value::Object(relations));
        let mut stored = Stored::new(blueprint, &identifier, fields, owner, how.now);
        if let Some(before) = self.entities.get(&here) {
            stored.created_at = before.created_at;
            if how.merge {
                stored.entity = merged(&before.entity, stored.entity, entity);
            }
        }
        self.entities.insert(here, stored);
        events.push(PortEvent::Upserted {
            blueprint: blueprint.to_owned(),
            identifier: identifier.clone(),
            created,
        });
        Ok((identifier, created))
    }

    /// Deletes these of the blueprint's entities that are there, with their dependents or, if they have some, not at all.
    pub(super) fn delete(
        &mut self,
        blueprint: &str,
        identifiers: &[String],
        with_dependents: bool,
        events: &mut Vec<PortEvent>,
    ) -> Result<Vec<String>, Refusal> {
        let mut going: Vec<Key> = Vec::new();
        for identifier in identifiers {
            let named = key(blueprint, identifier);
            if self.entities.contains_key(&named) && !going.contains(&named) {
                going.push(named);
            }
        }
        let named = going.len();
        let mut next = 0;
        while let Some(target) = going.get(next).cloned() {
            next += 1;
            let dependents = self.dependents(&target);
            let others = dependents
                .into_iter()
                .filter(|dependent| !going.contains(dependent));
            let others: Vec<Key> = others.collect();
            if let Some((dependent_blueprint, dependent)) =
                others.first().filter(|_| !with_dependents)
            {
                return Err(Refusal::new(
                    422,
                    "entity_has_dependents",
                    format!(
                        "Entity \"{}\" has dependents: \"{dependent}\" of \"{dependent_blueprint}\" relates to it",
                        target.1
                    ),
                ));
            }
            going.extend(others);
        }
        let deleted = going[..named]
            .iter()
            .map(|(_, identifier)| identifier.clone())
            .collect();
        for (index, (blueprint, identifier)) in going.into_iter().enumerate() {
            self.entities.remove(&key(&blueprint, &identifier));
            events.push(PortEvent::Deleted {
                blueprint,
                identifier,
                dependent: index >= named,
            });
        }
        Ok(deleted)
    }

    /// One page of what an integration owns: entities after `from`, and where the next page begins.
    pub(super) fn owned(
        &self,
        prefix: &str,
        suffix: &str,
        before: Option<SystemTime>,
        from: Option<Key>,
        limit: usize,
    ) -> (Vec<Value>, Option<Key>) {
        let after = from.map_or(Bound::Unbounded, Bound::Excluded);
        let mut owned = self
            .entities
            .range((after, Bound::Unbounded))
            .filter(|(_, stored)| stored.datasource.matches(prefix, suffix))
            .filter(|(_, stored)| before.is_none_or(|before| stored.updated_at < before));
        let page: Vec<(&Key, &Stored)> = owned.by_ref().take(limit).collect();
        let next = owned
            .next()
            .and_then(|_| page.last())
            .map(|(key, _)| (*key).clone());
        (
            page.into_iter()
                .map(|(_, stored)| stored.to_json())
                .collect(),
            next,
        )
    }

    pub(super) fn search(&self, query: &Value) -> Result<Vec<Value>, Refusal> {
        let mut found = Vec::new();
        let everything = || self.entities.values().collect();
        for stored in self.named_in(query).unwrap_or_else(everything) {
            let entity = stored.to_json();
            if rules::matches(query, &entity).map_err(Refusal::invalid)? {
                found.push(entity);
            }
        }
        Ok(found)
    }

    /// Where a query asks for named entities of one blueprint, which is what clients do by the thousand, those of them that are there.
    fn named_in(&self, query: &Value) -> Option<Vec<&Stored>> {
        let rules = query["rules"].as_array()?;
        let value = |property: &str, operator: &str| {
            rules
                .iter()
                .find(|rule| rule["property"] == property && rule["operator"] == operator)
                .map(|rule| &rule["value"])
        };
        let blueprint = value("$blueprint", "=")?.as_str()?;
        let names = value("$identifier", "in")?.as_array()?;
        let names: BTreeSet<&str> = names.iter().filter_map(Value::as_str).collect();
        let named = names
            .into_iter()
            .filter_map(|name| self.entities.get(&key(blueprint, name)));
        (query["combinator"] == "and").then(|| named.collect())
    }

    pub(super) fn all(&self) -> Vec<Value> {
        self.entities.values().map(Stored::to_json).collect()
    }

    pub(super) fn of_blueprint(&self, blueprint: &str) -> Vec<Value> {
        self.entities
            .iter()
            .filter(|((of, _), _)| of == blueprint)
            .map(|(_, stored)| stored.to_json())
            .collect()
    }

    pub(super) fn one(&self, blueprint: &str, identifier: &str) -> Option<Value> {
        self.entities
            .get(&key(blueprint, identifier))
            .map(Stored::to_json)
    }

    pub(super) fn identifiers(&self, blueprint: &str) -> Vec<String> {
        self.entities
            .keys()
            .filter(|(of, _)| of == blueprint)
            .map(|(_, identifier)| identifier.clone())
            .collect()
    }

    pub(super) fn is_placeholder(&self, blueprint: &str, identifier: &str) -> bool {
        self.entities
            .get(&key(blueprint, identifier))
            .is_some_and(|stored| stored.placeholder)
    }

    /// The identifier as text; a search query must find exactly one entity of the blueprint.
    fn identifier_of(&self, blueprint: &str, entity: &Value) -> Result<String, Refusal> {
        match &entity["identifier"] {
            Value::String(identifier) => Ok(identifier.clone()),
            query => {
                let mut found = self.search(query)?;
                found.retain(|entity| entity["blueprint"] == blueprint);
                match found.as_slice() {
                    [one] => Ok(one["identifier"].as_str().unwrap_or_default().to_owned()),
                    [] => Err(Refusal::not_found(
                        "No entity was found for the search query of the identifier",
                    )),
                    _ => Err(Refusal::invalid(
                        "More than one entity was found for the search query of the identifier",
                    )),
                }
            }
        }
    }

    /// The relations with search queries replaced by what they find, and the targets that are not there.
    fn resolve(&self, here: &Key, entity: &Value) -> Result<Resolved, Refusal> {
        let (mut relations, mut missing) = (Map::new(), Vec::new());
        for (name, value) in entity["relations"].as_object().into_iter().flatten() {
            let value = match value {
                Value::Object(_) => {
                    let target = self.relations.get(&key(&here.0, name));
                    let mut found = self.search(value)?;
                    found.retain(|entity| {
                        target.is_none_or(|target| entity["blueprint"] == *target)
                    });
                    Value::Array(
                        found
                            .into_iter()
                            .map(|mut entity| entity["identifier"].take())
                            .collect(),
                    )
                }
                value => value.clone(),
            };
            for identifier in targets(&value) {
                let target = self.target(&here.0, name, identifier);
                if !self.entities.contains_key(&target) && target != *here {
                    missing.push((name.clone(), target));
                }
            }
            relations.insert(name.clone(), value);
        }
        Ok((relations, missing))
    }

    /// Which entity a relation means.
    fn target(&self, blueprint: &str, relation: &str, identifier: &str) -> Key {
        if let Some(target) = self.relations.get(&key(blueprint, relation)) {
            return key(target, identifier);
        }
        let own_name = key(relation, identifier);
        if self.entities.contains_key(&own_name) {
            return own_name;
        }
        let anywhere = self.entities.keys().find(|(_, known)| known == identifier);
        anywhere.cloned().unwrap_or(own_name)
    }

    fn dependents(&self, of: &Key) -> Vec<Key> {
        let relates = |(here, stored): &(&Key, &Stored)| {
            let relations = stored
                .entity
                .get("relations")
                .and_then(Value::as_object)
                .into_iter()
                .flatten();
            *here != of
                && relations.into_iter().any(|(name, value)| {
                    targets(value).any(|identifier| {
                        identifier == of.1 && self.target(&here.0, name, identifier) == *of
                    })
                })
        };
        self.entities
            .iter()
            .filter(relates)
            .map(|(here, _)| here.clone())
            .collect()
    }
}

type Resolved = (Map<String, Value>, Vec<(String, Key)>);

impl Stored {
    fn new(
        blueprint: &str,
        identifier: &str,
        mut entity: Map<String, Value>,
        datasource: Datasource,
        now: SystemTime,
    ) -> Stored {
        entity.insert("identifier".to_owned(), json!(identifier));
        entity.insert("blueprint".to_owned(), json!(blueprint));
        for name in ["properties", "relations"] {
            entity.entry(name).or_insert_with(|| json!({}));
        }
        Stored {
            entity,
            datasource,
            created_at: now,
            updated_at: now,
            placeholder: false,
        }
    }

    fn to_json(&self) -> Value {
        let mut entity = self.entity.clone();
        entity.insert(
            "createdAt".to_owned(),
            json!(clock::format(self.created_at)),
        );
        entity.insert(
            "updatedAt".to_owned(),
            json!(clock::format(self.updated_at)),
        );
        if let Datasource::Agent(agent) = &self.datasource {
            entity.insert("datasource".to_owned(), json!(agent));
        }
        Value::Object(entity)
    }
}

impl Datasource {
    fn matches(&self, prefix: &str, suffix: &str) -> bool {
        match self {
            Datasource::Asking => true,
            Datasource::Agent(agent) => {
                agent.len() >= prefix.len() + suffix.len()
                    && agent.starts_with(prefix)
                    && agent.ends_with(suffix)
            }
        }
    }
}

/// Refuses what Port's schema of an entity refuses; that is a refusal of the whole call.
pub(super) fn check(entity: &Value) -> Result<(), Refusal> {
    let Some(fields) = entity.as_object() else {
        return Err(Refusal::invalid("an entity must be an object"));
    };
    match fields.get("identifier") {
        Some(Value::String(identifier)) if is_identifier(identifier) => {}
        Some(Value::Object(_)) => {}
        Some(Value::String(_)) => {
            return Err(Refusal::invalid(
                "entity/identifier must match Port's pattern",
            ));
        }
        _ => {
            return Err(Refusal::invalid(
                "entity/identifier must be a string or a search query",
            ));
        }
    }
    for name in ["title", "icon"] {
        if fields.get(name).is_some_and(|value| !value.is_string()) {
            return Err(Refusal::invalid(format!("entity/{name} must be a string")));
        }
    }
    let is_team = |team: &Value| match team {
        Value::String(_) | Value::Object(_) => true,
        Value::Array(teams) => teams.iter().all(Value::is_string),
        _ => false,
    };
    if fields.get("team").is_some_and(|team| !is_team(team)) {
        return Err(Refusal::invalid(
            "entity/team must be a string, a list of strings or a search query",
        ));
    }
    if fields
        .get("properties")
        .is_some_and(|properties| !properties.is_object())
    {
        return Err(Refusal::invalid("entity/properties must be an object"));
    }
    let relations = match fields.get("relations") {
        None => return Ok(()),
        Some(Value::Object(relations)) => relations,
        Some(_) => return Err(Refusal::invalid("entity/relations must be an object")),
    };
    let is_target = |value: &Value| match value {
        Value::Null | Value::Object(_) => true,
        Value::String(text) => is_identifier(text),
        Value::Array(items) => items
            .iter()
            .all(|item| item.as_str().is_some_and(is_identifier)),
        _ => false,
    };
    match relations.iter().find(|(_, value)| !is_target(value)) {
        Some((name, _)) => Err(Refusal::invalid(format!(
            "entity/relations/{name} must hold identifiers"
        ))),
        None => Ok(()),
    }
}

/// What an answer calls an entity: its identifier, or for a search query its text.
pub(super) fn name_of(entity: &Value) -> String {
    match &entity["identifier"] {
        Value::String(identifier) => identifier.clone(),
        query => query.to_string(),
    }
}

/// Port's pattern and length of an identifier, written out by hand so that the double needs no description file.
fn is_identifier(text: &str) -> bool {
    let allowed = |c: char| c.is_alphabetic() || c.is_ascii_digit() || "@_.+:\\/=-".contains(c);
    !text.is_empty()
        && text != "."
        && text != ".."
        && text.chars().count() <= 1000
        && text.chars().all(allowed)
}

/// What was there with what came laid over it: properties and relations one by one, the rest as a whole.
fn merged(
    before: &Map<String, Value>,
    resolved: Map<String, Value>,
    sent: &Value,
) -> Map<String, Value> {
    let mut result = before.clone();
    for (name, value) in resolved {
        match (result.get_mut(&name).and_then(Value::as_object_mut), value) {
            (Some(old), Value::Object(new)) if name == "properties" || name == "relations" => {
                old.extend(new)
            }
            (_, value) if sent.get(&name).is_some() => {
                result.insert(name, value);
            }
            _ => {}
        }
    }
    // A search query as identifier has found its entity: that one's identifier stays.
    if let Some(identifier) = before.get("identifier") {
        result.insert("identifier".to_owned(), identifier.clone());
    }
    result
}

fn targets(relation: &Value) -> impl Iterator<Item = &str> {
    let one = relation.as_str().into_iter();
    one.chain(
        relation
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str),
    )
}

fn key(blueprint: &str, identifier: &str) -> Key {
    (blueprint.to_owned(), identifier.to_owned())
}
