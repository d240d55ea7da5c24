//! Blueprints: the types of the catalog.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::StatusCode;
use longshore_transport::json;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::client::Call;
use crate::path::segment;
use crate::{Error, PortClient};

const ALL: &str = "/v1/blueprints";
const ONE: &str = "/v1/blueprints/{blueprint}";

/// A type of entities. Also the form of a blueprint in the `blueprints.json` files of integrations.
///
/// Port takes an identifier of 100 characters at most and asks for a title.
///
/// ```
/// use longshore_port_client::{Blueprint, BlueprintRelation};
/// use serde_json::json;
///
/// let mut device = Blueprint::new("device", "Device");
/// device.schema.properties.insert("seen".into(), json!({"type": "string", "format": "date-time"}));
/// device.relations.insert("owner".into(), BlueprintRelation::to("user"));
/// assert_eq!(json!(device)["relations"]["owner"], json!({"target": "user", "required": false, "many": false}));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Blueprint {
    /// Its identifier.
    pub identifier: String,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The name of one of Port's icons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// What its entities are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Its properties.
    #[serde(default)]
    pub schema: BlueprintSchema,
    /// Its relations by name.
    #[serde(default)]
    pub relations: BTreeMap<String, BlueprintRelation>,
    /// Everything else: calculated, mirrored and aggregated properties, ownership, times.
    #[serde(flatten)]
    pub further: Map<String, Value>,
}

/// The properties of a blueprint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlueprintSchema {
    /// By name, each as a JSON Schema of Port's kind: `{"type": "string", "format": "url"}`.
    #[serde(default)]
    pub properties: Map<String, Value>,
    /// Names of properties that every entity has.
    #[serde(default)]
    pub required: Vec<String>,
    /// Everything else.
    #[serde(flatten)]
    pub further: Map<String, Value>,
}

/// A relation of a blueprint's entities.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BlueprintRelation {
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The blueprint that it leads to.
    pub target: String,
    /// Every entity has it.
    #[serde(default)]
    pub required: bool,
    /// It leads to a list of entities.
    #[serde(default)]
    pub many: bool,
    /// Everything else.
    #[serde(flatten)]
    pub further: Map<String, Value>,
}

impl Blueprint {
    /// A blueprint without properties and relations.
    pub fn new(identifier: impl Into<String>, title: impl Into<String>) -> Self {
        Blueprint {
            identifier: identifier.into(),
            title: Some(title.into()),
            ..Blueprint::default()
        }
    }
}

impl BlueprintRelation {
    /// A relation to at most one entity of this blueprint.
    pub fn to(target: impl Into<String>) -> Self {
        BlueprintRelation {
            target: target.into(),
            ..BlueprintRelation::default()
        }
    }
}

impl PortClient {
    /// All blueprints of the account.
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses the credentials, or answers with something else.
    pub async fn blueprints(&self) -> Result<Vec<Blueprint>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            blueprints: Vec<Blueprint>,
        }
        let call = Call::get(ALL.to_owned(), ALL, "listing the blueprints");
        let answer: Answer = self
            .call(&call, |response| json::read(&response.success()?.body))
            .await?;
        Ok(answer.blueprints)
    }

    /// One blueprint; `None` when there is none of this name (404).
    ///
    /// # Errors
    ///
    /// As [`PortClient::blueprints`]; [`ErrorKind::Name`](crate::ErrorKind::Name) when the name cannot stand in a URL.
    pub async fn blueprint(&self, identifier: &str) -> Result<Option<Blueprint>, Error> {
        let path = format!("{ALL}/{}", segment("the blueprint", identifier)?);
        let doing = format!("reading blueprint `{identifier}`");
        let answer = self
            .call(&Call::get(path, ONE, &doing), |response| {
                if response.status == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                json::read::<Answer>(&response.success()?.body).map(Some)
            })
            .await?;
        Ok(answer.map(|answer| answer.blueprint))
    }

    /// Creates a blueprint. The targets of its relations have to exist.
    ///
    /// # Errors
    ///
    /// As [`PortClient::blueprints`]; [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when there is one of this name,
    /// [`ErrorKind::Refused`](crate::ErrorKind::Refused), with Port's words, when it does not fit Port's rules.
    pub async fn create_blueprint(&self, blueprint: &Blueprint) -> Result<Blueprint, Error> {
        let call = Call::post(
            ALL.to_owned(),
            ALL,
            format!("creating blueprint `{}`", blueprint.identifier),
            Bytes::from(json!(blueprint).to_string()),
        );
        let answer: Answer = self
            .ask(&call, |response| json::read(&response.body))
            .await?;
        Ok(answer.blueprint)
    }

    /// Changes a blueprint that is there: relations that had to wait for their targets, say.
    ///
    /// # Errors
    ///
    /// As [`PortClient::create_blueprint`]; [`ErrorKind::NotFound`](crate::ErrorKind::NotFound) when there is none of this name.
    pub async fn update_blueprint(&self, blueprint: &Blueprint) -> Result<Blueprint, Error> {
        let identifier = &blueprint.identifier;
        let call = Call::patch(
            format!("{ALL}/{}", segment("the blueprint", identifier)?),
            ONE,
            &format!("changing blueprint `{identifier}`"),
            Bytes::from(json!(blueprint).to_string()),
        );
        let answer: Answer = self
            .ask(&call, |response| json::read(&response.body))
            .await?;
        Ok(answer.blueprint)
    }
}

#[derive(Deserialize)]
struct Answer {
    blueprint: Blueprint,
}
