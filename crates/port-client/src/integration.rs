//! The integration as Port keeps it: its mapping, how its last resync went, and whether somebody wants another one.

use std::time::SystemTime;

use bytes::Bytes;
use http::StatusCode;
use http::header::DATE;
use longshore_transport::{self as transport, Response, json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::Call;
use crate::kinds::kinds_url;
use crate::path::segment;
use crate::time::{iso, parse_iso};
use crate::{Error, ErrorKind, PortClient};

const TEMPLATE: &str = "/v1/integration/{identifier}";

/// What Port knows about an integration.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Integration {
    /// The identifier it is installed with.
    pub identifier: String,
    /// The mapping that is kept at Port, as JSON; null when there is none.
    pub config: Value,
    /// When somebody changed it last, as Port writes it. A changed text is a changed integration.
    pub updated_at: Option<String>,
    /// Everything that Port says about it.
    pub raw: Map<String, Value>,
    pub(crate) kinds_url: Option<Url>,
}

/// An integration that Port does not know yet. Its type, identifier and version are the client's.
#[derive(Clone, Debug, PartialEq)]
pub struct NewIntegration {
    /// The mapping to be kept at Port; an empty object is none.
    pub config: Value,
    /// What reports changes of the integration, in Port's form: `{}` for an integration that asks (`POLLING`, `ONCE`).
    pub changelog_destination: Value,
}

impl Default for NewIntegration {
    fn default() -> Self {
        NewIntegration {
            config: json!({}),
            changelog_destination: json!({}),
        }
    }
}

/// Changes of an integration. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IntegrationChanges {
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub installation_app_type: Option<String>,
    /// The version of the program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<Value>,
    /// What reports changes of the integration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changelog_destination: Option<Value>,
}

/// How a resync goes or went, as Port shows it on the page of data sources.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ResyncState {
    /// Where it stands.
    pub status: ResyncStatus,
    /// When it began.
    pub last_resync_start: Option<SystemTime>,
    /// When it ended; `None` while it runs.
    pub last_resync_end: Option<SystemTime>,
    /// When the next one is due.
    pub next_resync: Option<SystemTime>,
    /// Minutes between resyncs; `None` where there is no schedule.
    pub interval_minutes: Option<u64>,
}

/// Where a resync stands, in Port's words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ResyncStatus {
    /// It is under way.
    #[default]
    Running,
    /// It came to its end.
    Completed,
    /// It could not do all of its work.
    Failed,
    /// It was ended early.
    Aborted,
}

impl PortClient {
    /// What Port knows about this integration; `None` when it does not know it (404).
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses the credentials, or answers with something else.
    pub async fn integration(&self) -> Result<Option<Integration>, Error> {
        self.call(
            &self.integration_call("reading the integration")?,
            |response| {
                if response.status == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                json::read::<Answer>(&response.success()?.body).map(Some)
            },
        )
        .await
        .map(|answer| answer.map(|answer| self.known(answer)))
    }

    /// Installs this integration at Port (+).
    ///
    /// # Errors
    ///
    /// As [`PortClient::integration`]; [`ErrorKind::Conflict`] when it is installed already, [`ErrorKind::Refused`], with Port's words, when Port does not take it.
    pub async fn create_integration(
        &self,
        integration: &NewIntegration,
    ) -> Result<Integration, Error> {
        let body = json!({
            "installationId": self.shared.identifier,
            "installationAppType": self.shared.kind,
            "version": self.shared.version,
            "changelogDestination": integration.changelog_destination,
            "config": integration.config,
            "actionsProcessingEnabled": false,
        });
        let call = Call::post(
            "/v1/integration".to_owned(),
            "/v1/integration",
            "creating the integration".to_owned(),
            Bytes::from(body.to_string()),
        );
        let answer = self.ask(&call, read).await?;
        Ok(self.known(answer))
    }

    /// Changes what Port knows about this integration.
    ///
    /// # Errors
    ///
    /// As [`PortClient::integration`]; [`ErrorKind::NotFound`] when Port does not know it.
    pub async fn update_integration(
        &self,
        changes: &IntegrationChanges,
    ) -> Result<Integration, Error> {
        let body = json!(changes).to_string();
        let path = self.integration_path("")?;
        let call = Call::patch(path, TEMPLATE, "updating the integration", body.into());
        let answer = self.ask(&call, read).await?;
        Ok(self.known(answer))
    }

    /// Replaces the mapping that is kept at Port.
    ///
    /// # Errors
    ///
    /// As [`PortClient::update_integration`].
    pub async fn update_integration_config(&self, config: &Value) -> Result<Integration, Error> {
        let body = json!({ "config": config }).to_string();
        let call = Call::patch(
            self.integration_path("/config")?,
            "/v1/integration/{identifier}/config",
            "writing the mapping to Port",
            body.into(),
        );
        let answer = self.ask(&call, read).await?;
        Ok(self.known(answer))
    }

    /// Tells Port how the resync goes (+), for its page of data sources.
    ///
    /// # Errors
    ///
    /// As [`PortClient::update_integration`]. Nothing of a resync depends on it: report it and go on.
    pub async fn report_resync(&self, state: &ResyncState) -> Result<(), Error> {
        let time = |time: Option<SystemTime>| time.map(iso).transpose();
        let body = json!({
            "status": state.status,
            "lastResyncStart": time(state.last_resync_start)?,
            "lastResyncEnd": time(state.last_resync_end)?,
            "nextResync": time(state.next_resync)?,
            // Port's spelling.
            "intervalInMinuets": state.interval_minutes,
        });
        let call = Call::patch(
            self.integration_path("/resync-state")?,
            "/v1/integration/{identifier}/resync-state",
            "reporting the state of the resync",
            Bytes::from(body.to_string()),
        );
        self.ask(&call, |_| Ok(())).await
    }

    /// When somebody last asked at Port for a resync (+); `None` when nobody did.
    ///
    /// A time later than the last one that was seen is a request.
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses the credentials, or answers with something else.
    pub async fn resync_request(&self) -> Result<Option<SystemTime>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            #[serde(default)]
            request: Option<Asked>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Asked {
            updated_at: Option<String>,
        }
        let doing = "asking whether somebody wants a resync";
        let call = Call::get(
            self.integration_path("/resync-request")?,
            "/v1/integration/{identifier}/resync-request",
            doing,
        );
        let answer = self
            .call(&call, |response| {
                if response.status == StatusCode::NOT_FOUND {
                    return Ok(None);
                }
                json::read::<Answer>(&response.success()?.body).map(|answer| answer.request)
            })
            .await?;
        match answer.and_then(|asked| asked.updated_at) {
            None => Ok(None),
            Some(text) => parse_iso(&text).map(Some).ok_or_else(|| {
                Error::new(
                    ErrorKind::Answer,
                    format!("Port's answer has no usable time while {doing}: try again later"),
                )
            }),
        }
    }

    /// Shows Port raw records of a kind (+), from which its mapping editor offers fields. Mask what is in them first.
    ///
    /// # Errors
    ///
    /// As [`PortClient::update_integration`]; [`ErrorKind::Name`] when the kind cannot stand in a URL.
    pub async fn send_examples(&self, kind: &str, examples: &[Value]) -> Result<(), Error> {
        let kind = segment("the kind", kind)?;
        let call = Call::post(
            self.integration_path(&format!("/kinds/{kind}/examples"))?,
            "/v1/integration/{identifier}/kinds/{kind}/examples",
            "sending examples of records".to_owned(),
            Bytes::from(json!({ "examples": examples }).to_string()),
        );
        self.ask(&call, |_| Ok(())).await
    }

    /// The time of day by Port's clock, from the `Date` header of an answer: to the second, and never ahead of Port.
    ///
    /// Use it, and not the local clock, to tell what was updated before a run began: a clock that is ahead would make fresh entities look stale.
    ///
    /// # Errors
    ///
    /// As [`PortClient::integration`]; [`ErrorKind::Undated`] when there is no usable `Date` in the answer.
    pub async fn server_time(&self) -> Result<SystemTime, Error> {
        let date = self
            .call(
                &self.integration_call("asking for Port's time")?,
                |response| {
                    let date = response.headers.get(DATE).cloned();
                    if response.status != StatusCode::NOT_FOUND {
                        response.success()?;
                    }
                    Ok(date)
                },
            )
            .await?;
        date.as_ref()
            .and_then(|date| date.to_str().ok())
            .and_then(|date| httpdate::parse_http_date(date).ok())
            .ok_or_else(|| {
                Error::new(
                    ErrorKind::Undated,
                    "Port's answer has no usable Date header, so nothing can be dated: \
                     check whether a proxy in front of OCEAN__PORT__BASE_URL removes it",
                )
            })
    }

    fn integration_call(&self, doing: &'static str) -> Result<Call, Error> {
        Ok(Call::get(self.integration_path("")?, TEMPLATE, doing))
    }

    fn integration_path(&self, below: &str) -> Result<String, Error> {
        let identifier = segment("the integration's identifier", &self.shared.identifier)?;
        Ok(format!("/v1/integration/{identifier}{below}"))
    }

    fn known(&self, answer: Answer) -> Integration {
        let raw = answer.integration;
        Integration {
            identifier: self.shared.identifier.clone(),
            config: raw.get("config").cloned().unwrap_or_default(),
            updated_at: raw
                .get("updatedAt")
                .and_then(Value::as_str)
                .map(str::to_owned),
            kinds_url: kinds_url(&raw, &self.shared.base_url),
            raw,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    integration: Map<String, Value>,
}

fn read(response: Response) -> Result<Answer, transport::Error> {
    json::read(&response.body)
}
