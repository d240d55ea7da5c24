//! Finding entities, whoever wrote them.

use std::collections::HashSet;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use longshore_transport::json;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::client::Call;
use crate::{Error, PortClient};

/// Identifiers that are asked for in one search.
pub const SEARCH_IDENTIFIERS: usize = 50;

const PATH: &str = "/v1/entities/search";

/// What to look for, and what of it to bring.
#[derive(Clone, Debug, PartialEq)]
pub struct Search {
    /// A [search query](https://docs.port.io/search-and-query/): `{"combinator": "and", "rules": […]}`.
    pub query: Value,
    /// What to bring, such as `properties.email`, beside identifier and blueprint, which always come. Empty brings everything.
    pub include: Vec<String>,
}

/// An entity that was found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Found {
    /// Its identifier.
    pub identifier: String,
    /// Its blueprint.
    pub blueprint: String,
    /// Whatever else was brought: `title`, `properties`, `relations`, `updatedAt` …
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

impl Search {
    /// A search that brings everything but calculated properties.
    pub fn new(query: Value) -> Search {
        Search {
            query,
            include: Vec::new(),
        }
    }

    /// Brings this field, too.
    #[must_use]
    pub fn include(mut self, field: impl Into<String>) -> Search {
        self.include.push(field.into());
        self
    }

    /// Port brings what is named and nothing else, which would leave entities without a name.
    fn included(&self) -> impl Iterator<Item = (&'static str, String)> {
        let always: &[&str] = match self.include.is_empty() {
            true => &[],
            false => &["identifier", "blueprint"],
        };
        let asked_for = self.include.iter().map(String::as_str);
        let asked_for = asked_for.filter(|field| !always.contains(field));
        let all = always.iter().copied().chain(asked_for);
        all.map(|field| ("include", field.to_owned()))
    }
}

impl PortClient {
    /// The entities that a query finds, without their calculated properties.
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses the credentials or, with its words, the query, or answers with something else.
    pub async fn search(&self, search: &Search) -> Result<Vec<Found>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            entities: Vec<Found>,
        }
        let call = Call::post(
            PATH.to_owned(),
            PATH,
            "searching entities".to_owned(),
            Bytes::from(search.query.to_string()),
        )
        .query([("exclude_calculated_properties", "true".to_owned())])
        .query(search.included());
        let answer: Answer = self
            .ask(&call, |response| json::read(&response.body))
            .await?;
        Ok(answer.entities)
    }

    /// Those of these entities of a blueprint that exist, whoever wrote them; [`SEARCH_IDENTIFIERS`] are asked for at once.
    ///
    /// # Errors
    ///
    /// As [`PortClient::search`]. There is never half an answer.
    pub async fn find(
        &self,
        blueprint: &str,
        identifiers: &[&str],
        include: &[&str],
    ) -> Result<Vec<Found>, Error> {
        let asked_for: HashSet<&str> = identifiers.iter().copied().collect();
        let searches: Vec<Search> = identifiers
            .chunks(SEARCH_IDENTIFIERS)
            .map(|part| by_identifier(blueprint, part, include))
            .collect();
        let mut found: Vec<Found> = futures::stream::iter(searches)
            .map(|search| async move { self.search(&search).await })
            .buffered(self.shared.concurrent_batches)
            .try_concat()
            .await?;
        found.retain(|entity| {
            entity.blueprint == blueprint && asked_for.contains(entity.identifier.as_str())
        });
        Ok(found)
    }
}

fn by_identifier(blueprint: &str, identifiers: &[&str], include: &[&str]) -> Search {
    let mut search = Search::new(json!({
        "combinator": "and",
        "rules": [
            {"property": "$blueprint", "operator": "=", "value": blueprint},
            {"property": "$identifier", "operator": "in", "value": identifiers},
        ],
    }));
    search.include = include.iter().map(ToString::to_string).collect();
    search
}
