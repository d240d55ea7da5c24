//! What stands around the connection: Port, and when a sync runs.

use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::connection::{self, Levels};
use super::notice::Findings;
use super::spelling::Words;
use super::tree::Node;
use super::values;

/// How Port is reached, and as which integration.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PortSettings {
    /// `port.clientId`.
    pub client_id: Option<String>,
    /// `port.clientSecret`.
    pub client_secret: Option<SecretString>,
    /// `https://api.getport.io` unless set.
    pub base_url: Url,
    /// `custom` unless set. What the integration owns at Port is found by this and the identifier.
    pub integration_type: String,
    /// Which integration this is.
    pub integration_identifier: Option<String>,
    /// `initializePortResources`: whether defaults are to be created at Port when the integration is new; true unless set. Checked, but
    /// nothing in this version creates them.
    pub initialize_port_resources: bool,
    /// `sendRawDataExamples`: whether Port is to get masked examples of raw records; true unless set. Checked, but nothing in this
    /// version sends them.
    pub send_raw_data_examples: bool,
}

/// When a sync runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunSettings {
    /// What starts a sync; polling unless set.
    pub listener: Listener,
    /// `scheduledResyncInterval`, written in minutes; 0 is none. For whoever starts syncs: the engine runs one at a time, when told.
    pub scheduled_resync_interval: Option<Duration>,
    /// `clientTimeout`: for one request to Port.
    pub client_timeout: Option<Duration>,
    /// `logLevel` as written.
    pub log_level: Option<String>,
}

/// What starts a sync.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Listener {
    /// Asks Port for changes and requests, again and again.
    Polling {
        /// Between two questions; 60 seconds unless set.
        interval: Duration,
        /// Whether a sync runs at the start; true unless set.
        resync_on_start: bool,
    },
    /// One sync, then the end.
    Once,
}

const LISTENERS: Words = Words {
    known: &["POLLING", "ONCE"],
    meant: &[],
};

/// The objects of the settings around the connection, from file and environment.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) top: Levels,
    pub(super) port: Levels,
    pub(super) listener: Levels,
}

/// Reads what stands around the connection.
pub(super) fn read(
    around: &mut Around,
    integration: &mut Levels,
    findings: &mut Findings,
) -> Option<(PortSettings, RunSettings)> {
    let port = port(around, integration, findings);
    let listener = listener(&mut around.listener, findings);
    let top = &mut around.top;
    let interval = top.take(&["scheduledResyncInterval"], findings);
    let interval = interval.map(|node| values::whole_number(&node, 0, findings).map(minutes));
    let client_timeout = top.take(&["clientTimeout"], findings);
    let client_timeout = client_timeout.map(|node| values::seconds(&node, findings));
    let log_level = top.take(&["logLevel"], findings);
    let log_level = log_level.map(|node| values::filled_text(&node, findings));
    // `?` only here: everything is read before anything is given up.
    let run = RunSettings {
        listener: listener?,
        scheduled_resync_interval: values::all_or_nothing(interval)?.flatten(),
        client_timeout: values::all_or_nothing(client_timeout)?,
        log_level: values::all_or_nothing(log_level)?,
    };
    Some((port?, run))
}

fn minutes(count: u64) -> Option<Duration> {
    (count > 0).then(|| Duration::from_secs(count.saturating_mul(60)))
}

fn port(
    around: &mut Around,
    integration: &mut Levels,
    findings: &mut Findings,
) -> Option<PortSettings> {
    let text =
        |levels: &mut Levels, name, findings: &mut Findings| match levels.take(&[name], findings) {
            Some(node) => values::filled_text(&node, findings).map(Some),
            None => Some(None),
        };
    let client_id = text(&mut around.port, "clientId", findings);
    let client_secret = text(&mut around.port, "clientSecret", findings);
    let integration_type = text(integration, "type", findings);
    let identifier = text(integration, "identifier", findings);
    let base_url = match around.port.take(&["baseUrl"], findings) {
        Some(node) => connection::url(&node, findings),
        None => Url::parse("https://api.getport.io").ok(),
    };
    let mut switch = |name| match around.top.take(&[name], findings) {
        Some(node) => values::boolean(&node, findings),
        None => Some(true),
    };
    let initialize_port_resources = switch("initializePortResources");
    let send_raw_data_examples = switch("sendRawDataExamples");
    Some(PortSettings {
        client_id: client_id?,
        client_secret: client_secret?.map(SecretString::from),
        base_url: base_url?,
        integration_type: integration_type?.unwrap_or_else(|| "custom".to_owned()),
        integration_identifier: identifier?,
        initialize_port_resources: initialize_port_resources?,
        send_raw_data_examples: send_raw_data_examples?,
    })
}

fn listener(levels: &mut Levels, findings: &mut Findings) -> Option<Listener> {
    let name = levels.take(&["type"], findings);
    let interval = levels.take(&["interval"], findings);
    let resync_on_start = levels.take(&["resyncOnStart"], findings);
    let written = match &name {
        Some(node) => values::text(node, findings)?,
        None => "POLLING".to_owned(),
    };
    let written = written.trim();
    match written.to_ascii_uppercase().as_str() {
        "POLLING" => polling(interval, resync_on_start, findings),
        "ONCE" => Some(Listener::Once),
        unsupported @ ("KAFKA" | "WEBHOOK" | "WEBHOOKS_ONLY") => {
            // Their other settings are not ours to judge.
            levels.take_the_rest();
            if let Some(node) = &name {
                findings.problem(
                    &node.place,
                    format!(
                        "{unsupported} is not supported; for a single pass, which a scheduler may repeat, set eventListener to \
                         {{\"type\": \"ONCE\"}}, or to {{\"type\": \"POLLING\"}} and start with --once"
                    ),
                );
            }
            None
        }
        _ => {
            if let Some(node) = &name {
                findings.problem(&node.place, LISTENERS.refusal(written));
            }
            None
        }
    }
}

fn polling(
    interval: Option<Node>,
    resync_on_start: Option<Node>,
    findings: &mut Findings,
) -> Option<Listener> {
    let interval = match interval {
        Some(node) => values::seconds(&node, findings),
        None => Some(Duration::from_secs(60)),
    };
    let resync_on_start = match resync_on_start {
        Some(node) => values::boolean(&node, findings),
        None => Some(true),
    };
    Some(Listener::Polling {
        interval: interval?,
        resync_on_start: resync_on_start?,
    })
}
