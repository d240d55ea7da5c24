//! How each kind of a resync goes, for Port's page of data sources.

use bytes::Bytes;
use longshore_transport::Origin;
use serde::Serialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::client::{Call, Shared};
use crate::path::segment;
use crate::{Error, Integration, PortClient};

/// Domains of Port. What is reported goes to them with our token, and nowhere else.
const DOMAINS: [&str; 2] = ["getport.io", "port.io"];

/// How one kind of a resync goes (+): a resource of the mapping, by its place there.
#[derive(Clone, Debug, PartialEq)]
pub struct KindState {
    /// The resource's kind.
    pub kind: String,
    /// The resource's place in the mapping, from 0: two resources may be of one kind.
    pub index: usize,
    /// Where it stands.
    pub status: KindStatus,
    /// Its metrics, in the form of the reference: names in objects of their labels, `{"phase": {"resync": {"success": 1}}}`.
    pub metrics: Value,
}

/// Where a kind stands, in Port's words.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum KindStatus {
    /// It is to be read.
    #[default]
    Pending,
    /// It is being read.
    Syncing,
    /// It was read to its end.
    Completed,
    /// It was not.
    Failed,
}

impl KindState {
    /// The name that Port knows it by: its kind and its place.
    fn identifier(&self) -> String {
        format!("{}-{}", self.kind, self.index)
    }

    fn event(&self, shared: &Shared, resync: &str) -> Value {
        json!({
            "integrationType": shared.kind,
            "integrationIdentifier": shared.identifier,
            "integrationVersion": shared.version,
            "oceanVersion": shared.version,
            "kindIdentifier": self.identifier(),
            "kind": self.kind,
            "kindIndex": self.index,
            "eventId": resync,
            "syncState": self.status,
            "metrics": self.metrics,
        })
    }
}

impl PortClient {
    /// Tells Port which kinds a resync is about, before it reads any. `resync` is a name for it, for example a UUID.
    ///
    /// Nothing is sent, and that is no error, where Port does not ask for it ([`Integration::takes_kinds`]).
    ///
    /// # Errors
    ///
    /// Port cannot be reached, refuses the credentials or what it is told. Nothing of a resync depends on it: report it and go on.
    pub async fn report_kinds(
        &self,
        integration: &Integration,
        resync: &str,
        kinds: &[KindState],
    ) -> Result<(), Error> {
        let Some(url) = &integration.kinds_url else {
            return Ok(());
        };
        let events: Vec<Value> = kinds
            .iter()
            .map(|kind| kind.event(&self.shared, resync))
            .collect();
        let call = Call::post(
            below(url, "syncMetrics"),
            "{ingestUrl}/syncMetrics",
            "reporting the kinds of the resync".to_owned(),
            Bytes::from(json!({ "syncKindsMetrics": events }).to_string()),
        );
        self.ask(&call, |_| Ok(())).await
    }

    /// Tells Port how one kind of a resync stands now. As [`PortClient::report_kinds`].
    ///
    /// # Errors
    ///
    /// As [`PortClient::report_kinds`]; [`ErrorKind::Name`](crate::ErrorKind::Name) when the kind cannot stand in a URL.
    pub async fn report_kind(
        &self,
        integration: &Integration,
        resync: &str,
        kind: &KindState,
    ) -> Result<(), Error> {
        let Some(url) = &integration.kinds_url else {
            return Ok(());
        };
        let (resync_segment, kind_segment) = (
            segment("the name of the resync", resync)?,
            segment("the kind", &kind.identifier())?,
        );
        let path = format!("syncMetrics/resync/{resync_segment}/kind/{kind_segment}");
        let call = Call::put(
            below(url, &path),
            "{ingestUrl}/syncMetrics/resync/{resync}/kind/{kind}",
            "reporting a kind of the resync",
            Bytes::from(json!({ "syncKindMetrics": kind.event(&self.shared, resync) }).to_string()),
        );
        self.ask(&call, |_| Ok(())).await
    }
}

impl Integration {
    /// Whether Port wants to know how each kind of a resync goes, at an address that is its own.
    pub fn takes_kinds(&self) -> bool {
        self.kinds_url.is_some()
    }
}

/// Where Port wants to know how kinds go: an address in its answer about the integration. Taken where it has the origin of Port's API as we
/// know it, or where both are domains of Port.
pub(crate) fn kinds_url(integration: &Map<String, Value>, base: &Url) -> Option<Url> {
    let attributes = integration.get("metricAttributes")?;
    let url: Url = attributes.get("ingestUrl")?.as_str()?.parse().ok()?;
    let is_same = matches!((Origin::of(&url), Origin::of(base)), (Ok(a), Ok(b)) if a == b);
    (is_same || (is_ports(&url) && is_ports(base))).then_some(url)
}

fn is_ports(url: &Url) -> bool {
    let within = |host: &str| {
        DOMAINS.iter().any(|domain| {
            host.strip_suffix(domain)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    };
    url.scheme() == "https" && url.port().is_none() && url.host_str().is_some_and(within)
}

fn below(url: &Url, path: &str) -> Url {
    let mut below = url.clone();
    let base = below.path().trim_end_matches('/').to_owned();
    // What is encoded stays as it is.
    below.set_path(&format!("{base}/{path}"));
    below
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url_of(ingest: &str, base: &str) -> Option<String> {
        let integration = json!({"metricAttributes": {"ingestUrl": ingest}});
        let url = kinds_url(integration.as_object()?, &base.parse().unwrap());
        url.map(String::from)
    }

    #[test]
    fn the_address_for_kinds_is_ports_or_it_is_none() {
        for (ingest, base, taken) in [
            (
                "https://ingest.getport.io/x",
                "https://api.getport.io",
                true,
            ),
            (
                "https://ingest.us.getport.io",
                "https://api.us.getport.io",
                true,
            ),
            ("https://ingest.port.io", "https://api.getport.io", true),
            ("http://127.0.0.1:9/ingest", "http://127.0.0.1:9", true),
            ("http://127.0.0.1:8/ingest", "http://127.0.0.1:9", false),
            ("http://ingest.getport.io", "https://api.getport.io", false),
            (
                "https://ingest.getport.io:8443",
                "https://api.getport.io",
                false,
            ),
            ("https://evilgetport.io", "https://api.getport.io", false),
            (
                "https://getport.io.evil.example",
                "https://api.getport.io",
                false,
            ),
            (
                "https://ingest.getport.io",
                "https://port-proxy.example",
                false,
            ),
            ("not a URL", "https://api.getport.io", false),
        ] {
            assert_eq!(url_of(ingest, base).is_some(), taken, "{ingest} {base}");
        }
    }

    #[test]
    fn kinds_are_one_segment_of_the_path() {
        let url = "https://ingest.getport.io/a/".parse().unwrap();
        let kind = segment("the kind", "/api/{id}/x-0").unwrap();
        let below = below(&url, &format!("syncMetrics/resync/r/kind/{kind}"));
        assert_eq!(
            below.as_str(),
            "https://ingest.getport.io/a/syncMetrics/resync/r/kind/%2Fapi%2F%7Bid%7D%2Fx-0"
        );
    }
}
