//! What stands around the connection: Port, and when a sync runs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::connection::{self, Levels};
use super::notice::Findings;
use super::spelling::Words;
use super::tree::Node;
use super::values;
use crate::shard::Shard;

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
    /// `initializePortResources`: whether blueprints that are on file are created at Port when the integration is new; true unless set.
    pub initialize_port_resources: bool,
    /// `resourcesPath`: the folder with the blueprints and the mapping of a new integration; `.port/resources`, if it is there, unless set.
    pub resources_path: PathBuf,
    /// `sendRawDataExamples`: whether Port gets masked examples of raw records; true unless set.
    pub send_raw_data_examples: bool,
}

/// When a sync runs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunSettings {
    /// What starts a sync; polling unless set.
    pub listener: Listener,
    /// `scheduledResyncInterval`, written in minutes; 0 is none.
    pub scheduled_resync_interval: Option<Duration>,
    /// `listen`: where health and metrics are answered while polling; port 8000 of every address unless set, `none` is nowhere.
    pub listen: Listen,
    /// `shard`: which part of everything this process reads.
    pub shard: Option<ShardSettings>,
    /// `syncState`: the file that keeps digests of what Port acknowledged from one sync to the next.
    pub sync_state: Option<PathBuf>,
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

/// Where health and metrics are answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Listen {
    /// Nobody said: [`Listen::DEFAULT`], and where that cannot be had, nowhere.
    Unset,
    /// Nowhere.
    None,
    /// At this address.
    At(SocketAddr),
}

impl Listen {
    /// Where the reference answers too.
    pub const DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 8000);
}

/// Which part of everything a process reads, and where it leaves what it has seen.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ShardSettings {
    /// `shard.index`, or the index of a Kubernetes Indexed Job, and `shard.count`.
    pub shard: Shard,
    /// `shard.directory`: the folder for the results of all shards.
    pub directory: Option<PathBuf>,
}

impl ShardSettings {
    /// This part, with its results in this folder.
    pub fn new(shard: Shard, directory: Option<PathBuf>) -> Self {
        ShardSettings { shard, directory }
    }
}

const LISTENERS: Words = Words {
    known: &["POLLING", "ONCE"],
    meant: &[],
};

/// A year: more is a mistake of units.
const MOST_MINUTES: u64 = 525_600;

/// Settings of listeners that are not ours. Port's Helm chart has the brokers of Kafka among its values and leaves them there when
/// another listener is chosen.
const OF_OTHER_LISTENERS: [&str; 6] = [
    "brokers",
    "securityProtocol",
    "authenticationMechanism",
    "kafkaSecurityEnabled",
    "consumerPollTimeout",
    "appHost",
];

/// Variables that Port's Helm chart sets by itself, whatever its values say: about parts of the reference that are not here.
const OF_THE_CHART: [&str; 6] = [
    "allowEnvironmentVariablesJqAccess",
    "processExecutionMode",
    "lakehouseEnabled",
    "executionAgent",
    "actionsProcessor",
    "database",
];

/// The objects of the settings around the connection, from file and environment.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) top: Levels,
    pub(super) port: Levels,
    pub(super) listener: Levels,
    pub(super) shard: Levels,
    /// `JOB_COMPLETION_INDEX`: which of its pods Kubernetes says that this is.
    pub(super) job_index: Option<String>,
}

/// Reads what stands around the connection.
pub(super) fn read(
    around: &mut Around,
    integration: &mut Levels,
    findings: &mut Findings,
) -> Option<(PortSettings, RunSettings)> {
    around.top.environment.ignore(&OF_THE_CHART);
    around.port.environment.ignore(&["ingestUrl"]);
    let port = port(around, integration, findings);
    let listener = listener(&mut around.listener, findings);
    let top = &mut around.top;
    let interval = top.take(&["scheduledResyncInterval"], findings);
    let interval = interval.map(|node| minutes(&node, findings));
    let client_timeout = top.take(&["clientTimeout"], findings);
    let client_timeout = client_timeout.map(|node| values::seconds(&node, findings));
    let log_level = top.take(&["logLevel"], findings);
    let log_level = log_level.map(|node| values::filled_text(&node, findings));
    let sync_state = top.take(&["syncState"], findings);
    let sync_state = sync_state.map(|node| values::file_to_write(&node, findings));
    let listen = top.take(&["listen"], findings);
    let listen = listen.map(|node| listen_at(&node, findings));
    let shard = shard(&mut around.shard, around.job_index.take(), findings);
    // `?` only here: everything is read before anything is given up.
    let run = RunSettings {
        listener: listener?,
        scheduled_resync_interval: values::all_or_nothing(interval)?.flatten(),
        listen: values::all_or_nothing(listen)?.unwrap_or(Listen::Unset),
        shard: shard?,
        sync_state: values::all_or_nothing(sync_state)?,
        client_timeout: values::all_or_nothing(client_timeout)?,
        log_level: values::all_or_nothing(log_level)?,
    };
    Some((port?, run))
}

/// Minutes between two syncs; none of them is no schedule.
fn minutes(node: &Node, findings: &mut Findings) -> Option<Option<Duration>> {
    let count = node.text().and_then(|text| text.trim().parse::<u64>().ok());
    match count.filter(|count| *count <= MOST_MINUTES) {
        Some(0) => Some(None),
        Some(count) => Some(Some(Duration::from_secs(count * 60))),
        None => {
            findings.problem(
                &node.place,
                format!(
                    "must be a whole number of minutes, at most {MOST_MINUTES}, 0 for no schedule; a cron expression belongs to the \
                     scheduler that starts single passes (eventListener {{\"type\": \"ONCE\"}})"
                ),
            );
            None
        }
    }
}

fn listen_at(node: &Node, findings: &mut Findings) -> Option<Listen> {
    let text = values::filled_text(node, findings)?;
    if text.eq_ignore_ascii_case("none") {
        return Some(Listen::None);
    }
    let everywhere = |port| SocketAddr::new(Listen::DEFAULT.ip(), port);
    let numeric = text.replacen("localhost", "127.0.0.1", 1);
    let address = numeric
        .parse()
        .or_else(|_| text.trim_start_matches(':').parse().map(everywhere));
    match address {
        Ok(address) => Some(Listen::At(address)),
        Err(_) => {
            findings.problem(
                &node.place,
                "must be an address and a port, such as 0.0.0.0:8000, or `none`",
            );
            None
        }
    }
}

/// The part that this process reads. `job_index` counts where no index is written, but does not ask for parts by itself.
fn shard(
    levels: &mut Levels,
    job_index: Option<String>,
    findings: &mut Findings,
) -> Option<Option<ShardSettings>> {
    let mut number = |name, least| match levels.take(&[name], findings) {
        Some(node) => values::whole_number(&node, least, findings)
            .map(|number| Some((node.place, u32::try_from(number).unwrap_or(u32::MAX)))),
        None => Some(None),
    };
    let (index, count) = (number("index", 0), number("count", 1));
    let directory = match levels.take(&["directory"], findings) {
        Some(node) => values::path(&node, findings).map(Some),
        None => Some(None),
    };
    let (index, count, directory) = (index?, count?, directory?);
    let Some((place, count)) = count else {
        if index.is_some() || directory.is_some() {
            let place = levels.missing("count");
            findings.problem(&place, "is missing; say how many shards there are");
            return None;
        }
        return Some(None);
    };
    let job = job_index.as_deref().map(|index| index.trim().parse().ok());
    let Some((place, index)) = index.or(job.flatten().map(|index| (place, index))) else {
        let place = levels.missing("index");
        let why = match job {
            None => "is missing",
            Some(_) => "is missing, and JOB_COMPLETION_INDEX is no number",
        };
        findings.problem(
            &place,
            format!(
                "{why}; say which of the shards this is, from 0 (in a Kubernetes Indexed Job JOB_COMPLETION_INDEX says it)"
            ),
        );
        return None;
    };
    match Shard::new(index, count) {
        Ok(shard) => Some(Some(ShardSettings { shard, directory })),
        Err(error) => {
            findings.problem(&place, error.to_string());
            None
        }
    }
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
        Some(node) => connection::url(&node, findings).map(without_version),
        None => Url::parse("https://api.getport.io").ok(),
    };
    let resources_path = match around.top.take(&["resourcesPath"], findings) {
        Some(node) => resources_path(&node, findings),
        None => Some(PathBuf::from(".port/resources")),
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
        // In small letters, as the reference has it: what is owned at Port is found by it.
        integration_type: integration_type?
            .map_or_else(|| "custom".to_owned(), |name| name.to_lowercase()),
        integration_identifier: identifier?,
        initialize_port_resources: initialize_port_resources?,
        resources_path: resources_path?,
        send_raw_data_examples: send_raw_data_examples?,
    })
}

/// Where nothing is written there need be no folder; one that is written is there, or it is not the one that is meant.
fn resources_path(node: &Node, findings: &mut Findings) -> Option<PathBuf> {
    let folder = values::path(node, findings)?;
    if !folder.is_dir() {
        let why = match folder.exists() {
            true => "is no folder",
            false => "is not there",
        };
        findings.problem(
            &node.place,
            format!(
                "{} {why}; write the folder with blueprints.json and port-app-config.yml, counted from the file that names it, or leave the setting out",
                folder.display()
            ),
        );
        return None;
    }
    Some(folder)
}

/// Older values of the chart have the version in it, which every path below brings along.
fn without_version(mut url: Url) -> Url {
    let path = url.path().trim_end_matches('/');
    if let Some(root) = path.strip_suffix("/v1") {
        let root = root.to_owned();
        url.set_path(&root);
    }
    url
}

fn listener(levels: &mut Levels, findings: &mut Findings) -> Option<Listener> {
    levels.environment.ignore(&OF_OTHER_LISTENERS);
    if let Some(file) = &mut levels.file {
        file.ignore(&OF_OTHER_LISTENERS);
    }
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
                        "{unsupported} is not supported; set eventListener to {{\"type\": \"POLLING\"}} to run on and ask Port for \
                         changes, or to {{\"type\": \"ONCE\"}} for a single pass, which a scheduler may repeat"
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
