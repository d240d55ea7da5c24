//! The first start: an integration that Port does not know yet, and the blueprints of its entities.
//!
//! Blueprints come from files ([`FirstStart`]) or from what the first records become ([`infer`]). What exists is never changed.

mod files;
mod infer;
mod order;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use longshore_port_client::{
    Blueprint, BlueprintRelation, ErrorKind as PortErrorKind, Integration, NewIntegration,
    PortClient,
};
use serde_json::Value;

pub use self::files::InvalidFile;
pub use self::infer::{Inference, infer};

use crate::config::Config;
use crate::error::Error;
use crate::port::port_error;

/// What is to be created at Port when the integration is new.
///
/// - The integration, with the mapping of the configuration, or with `port-app-config.yml` (`.yaml`, `.json`) from `resourcesPath`.
/// - The blueprints in `blueprints.json` (`.yml`, `.yaml`) there, unless `initializePortResources` is false.
///
/// An integration that is there without a mapping gets that mapping. Everything else that is there stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FirstStart {
    /// The mapping in Port's form.
    pub mapping: Option<Value>,
    /// The blueprints, in any order.
    pub blueprints: Vec<Blueprint>,
}

/// Something that was created at Port, or that was there.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Created {
    /// The integration is new.
    Integration,
    /// The integration was there without a mapping, and has one now.
    Mapping,
    /// A blueprint is new.
    Blueprint(String),
    /// A blueprint was there and stays as it is; these of the wanted properties and relations it does not have.
    Kept {
        /// The blueprint.
        blueprint: String,
        /// What it lacks.
        lacks: Vec<String>,
    },
}

impl fmt::Display for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Created::Integration => f.write_str("the integration was created at Port"),
            Created::Mapping => {
                f.write_str("the integration at Port had no mapping and has one now")
            }
            Created::Blueprint(blueprint) => write!(f, "blueprint {blueprint} was created at Port"),
            Created::Kept { blueprint, lacks } if lacks.is_empty() => {
                write!(f, "blueprint {blueprint} is at Port and stays as it is")
            }
            Created::Kept { blueprint, lacks } => write!(
                f,
                "blueprint {blueprint} is at Port and stays as it is; it lacks {}",
                lacks.join(", ")
            ),
        }
    }
}

impl FirstStart {
    /// What the configuration and the files of its `resourcesPath` say.
    ///
    /// # Errors
    /// A file that is there and cannot be read.
    pub fn of(config: &Config) -> Result<FirstStart, InvalidFile> {
        let folder = &config.port.resources_path;
        let mapping = match &config.mapping {
            Some(mapping) => Some(mapping.for_port()),
            None => files::mapping(folder, config)?,
        };
        let blueprints = match config.port.initialize_port_resources {
            true => files::blueprints(folder)?,
            false => Vec::new(),
        };
        Ok(FirstStart {
            mapping,
            blueprints,
        })
    }

    /// Creates what is missing, if the integration is new. The integration comes last, so that a start that was cut short begins again.
    ///
    /// # Errors
    /// Port cannot be reached, or refuses something.
    pub async fn run(
        &self,
        port: &PortClient,
    ) -> Result<(Option<Integration>, Vec<Created>), Error> {
        match port.integration().await.map_err(port_error)? {
            Some(integration) if !is_no_mapping(&integration.config) => {
                Ok((Some(integration), Vec::new()))
            }
            Some(integration) => {
                let Some(mapping) = &self.mapping else {
                    return Ok((Some(integration), Vec::new()));
                };
                let integration = port
                    .update_integration_config(mapping)
                    .await
                    .map_err(port_error)?;
                Ok((Some(integration), vec![Created::Mapping]))
            }
            None => {
                let Some(mapping) = &self.mapping else {
                    return Ok((None, Vec::new()));
                };
                let mut created = self.create_blueprints(port).await?;
                let new = NewIntegration {
                    config: mapping.clone(),
                    ..NewIntegration::default()
                };
                let integration = port.create_integration(&new).await.map_err(port_error)?;
                created.push(Created::Integration);
                Ok((Some(integration), created))
            }
        }
    }

    /// Creates the blueprints that are not there, also of an integration that is there, and then does what [`run`](FirstStart::run) does.
    ///
    /// # Errors
    /// As [`run`](FirstStart::run).
    pub async fn create(&self, port: &PortClient) -> Result<Vec<Created>, Error> {
        let mut created = self.create_blueprints(port).await?;
        let rest = FirstStart {
            blueprints: Vec::new(),
            ..self.clone()
        };
        created.extend(rest.run(port).await?.1);
        Ok(created)
    }

    /// Creates the blueprints that are not there, those first that others relate to. As long as the integration is unknown, one that is there just as it
    /// is created first, before what its relations lead to is there, was left by a start that was cut short and is finished.
    ///
    /// # Errors
    /// Port cannot be reached, or refuses one. Those before it are there then.
    pub async fn create_blueprints(&self, port: &PortClient) -> Result<Vec<Created>, Error> {
        let mut done = Vec::new();
        let mut new = BTreeSet::new();
        let steps = order::steps(&self.blueprints);
        for step in &steps {
            let wanted = &step.blueprint;
            if let Some(there) = port
                .blueprint(&wanted.identifier)
                .await
                .map_err(port_error)?
            {
                let was_cut_short = step.needs_second() && is_just(&there, &step.first);
                if was_cut_short && port.integration().await.map_err(port_error)?.is_none() {
                    new.insert(wanted.identifier.as_str());
                    done.push(Created::Blueprint(wanted.identifier.clone()));
                } else {
                    done.push(kept(wanted, &there));
                }
                continue;
            }
            match port.create_blueprint(&step.first).await {
                Ok(_) => {
                    new.insert(wanted.identifier.as_str());
                    done.push(Created::Blueprint(wanted.identifier.clone()));
                }
                // Somebody was quicker.
                Err(error) if error.kind() == PortErrorKind::Conflict => done.push(Created::Kept {
                    blueprint: wanted.identifier.clone(),
                    lacks: Vec::new(),
                }),
                Err(error) => return Err(port_error(error)),
            }
        }
        // Relations that run in a circle, once all that they lead to is there.
        for step in steps.iter().filter(|step| step.needs_second()) {
            if new.contains(step.blueprint.identifier.as_str()) {
                port.update_blueprint(&step.blueprint)
                    .await
                    .map_err(port_error)?;
            }
        }
        Ok(done)
    }
}

/// Whether a blueprint at Port is what was once created as `first`: all of that and, but for what Port adds of its own, nothing else.
fn is_just(there: &Blueprint, first: &Blueprint) -> bool {
    let holds = |there: &Value, first: &Value| match first {
        // Port writes down what was left out.
        Value::Null => true,
        first => there == first,
    };
    let relation = |relation: &BlueprintRelation| {
        let BlueprintRelation {
            target,
            required,
            many,
            ..
        } = relation;
        (target.clone(), *required, *many)
    };
    let relations = |blueprint: &Blueprint| -> BTreeMap<String, (String, bool, bool)> {
        let relations = blueprint.relations.iter();
        relations
            .map(|(name, to)| (name.clone(), relation(to)))
            .collect()
    };
    let lacks_late = order::LATE.iter().all(|late| {
        let late = there.further.get(*late);
        late.is_none_or(|late| late.as_object().is_some_and(serde_json::Map::is_empty))
    });
    lacks_late
        && there.title == first.title
        && there.schema.properties == first.schema.properties
        && relations(there) == relations(first)
        && first
            .further
            .iter()
            .all(|(name, first)| holds(there.further.get(name).unwrap_or(&Value::Null), first))
}

/// What a blueprint that is there lacks of what is wanted.
fn kept(wanted: &Blueprint, there: &Blueprint) -> Created {
    let properties = wanted.schema.properties.keys();
    let properties = properties
        .filter(|name| !there.schema.properties.contains_key(*name))
        .map(|name| format!("property {name}"));
    let relations = wanted.relations.keys();
    let relations = relations
        .filter(|name| !there.relations.contains_key(*name))
        .map(|name| format!("relation {name}"));
    Created::Kept {
        blueprint: wanted.identifier.clone(),
        lacks: properties.chain(relations).collect(),
    }
}

/// Whether what an integration at Port has as its mapping is none.
pub(crate) fn is_no_mapping(config: &Value) -> bool {
    match config {
        Value::Null => true,
        Value::Object(object) => object.is_empty(),
        _ => false,
    }
}

/// What to do where there is no mapping anywhere.
pub(crate) fn no_mapping(config: &Config) -> String {
    format!(
        "Port has no integration `{}`, or none with a mapping; correct OCEAN__INTEGRATION__IDENTIFIER, pass --mapping FILE, \
         or put the mapping of a new integration into {}/port-app-config.yml",
        config
            .port
            .integration_identifier
            .as_deref()
            .unwrap_or_default(),
        config.port.resources_path.display()
    )
}
