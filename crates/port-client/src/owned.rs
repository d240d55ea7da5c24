//! Which entities at Port come from this integration.

use std::collections::HashSet;
use std::time::SystemTime;

use bytes::Bytes;
use longshore_transport::json;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Call;
use crate::time::iso;
use crate::{Error, ErrorKind, PortClient};

/// Entities that are asked for at once.
pub const OWNED_PAGE: usize = 5000;

const PATH: &str = "/v1/blueprints/entities/datasource-entities";

/// An entity that this integration wrote.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Owned {
    /// Its blueprint.
    pub blueprint: String,
    /// Its identifier.
    pub identifier: String,
}

impl PortClient {
    /// All entities that this integration owns, each once, ordered by blueprint and identifier.
    ///
    /// With `before` (a time by Port's clock, see [`PortClient::server_time`]) only those that were last updated before it.
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses, answers with something else, or with a list that has no end
    /// ([`ErrorKind::Answer`]). There is never half a list.
    pub async fn owned(&self, before: Option<SystemTime>) -> Result<Vec<Owned>, Error> {
        let mut owned = Vec::new();
        self.each_owned(before, |entity| owned.push(entity)).await?;
        // A list that moves while it is read repeats entities, and what counts entities would count them twice.
        owned.sort_unstable();
        owned.dedup();
        Ok(owned)
    }

    /// As [`PortClient::owned`], one after the other as they are listed, for lists that are too long to be kept. An entity that moves while the
    /// list is read may come twice.
    ///
    /// # Errors
    ///
    /// As [`PortClient::owned`]. What came before an error is half a list, and nothing follows from what is not in it.
    pub async fn each_owned(
        &self,
        before: Option<SystemTime>,
        mut each: impl FnMut(Owned) + Send,
    ) -> Result<(), Error> {
        #[derive(Deserialize)]
        struct Answer {
            entities: Vec<Raw>,
            #[serde(default)]
            next: Value,
        }
        #[derive(Deserialize)]
        struct Raw {
            identifier: String,
            blueprint: String,
        }

        let doing = "listing the entities that this integration owns";
        let mut query = json!({
            "datasource_prefix": format!("port-ocean/{}/", self.shared.kind),
            "datasource_suffix": format!("/{}/exporter", self.shared.identifier),
            "limit": OWNED_PAGE,
        });
        if let Some(before) = before {
            query["before"] = iso(before)?.into();
        }
        let mut seen = HashSet::new();
        loop {
            let call = Call::post(
                PATH.to_owned(),
                PATH,
                doing.to_owned(),
                Bytes::from(query.to_string()),
            );
            let page = self
                .call(&call, |response| {
                    json::read::<Answer>(&response.success()?.body)
                })
                .await?;
            for raw in page.entities {
                each(Owned {
                    blueprint: raw.blueprint,
                    identifier: raw.identifier,
                });
            }
            if page.next.is_null() || page.next == "" {
                return Ok(());
            }
            if !seen.insert(page.next.to_string()) {
                return Err(Error::new(
                    ErrorKind::Answer,
                    format!(
                        "Port's list has no end while {doing}: it names the same next page twice; run again"
                    ),
                ));
            }
            query["from"] = page.next;
        }
    }
}
