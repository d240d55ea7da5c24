//! What every scenario needs: an API and Port on a network in process, and an engine set up by configuration text.

use futures::StreamExt;
use longshore_engine::config::{Config, ConfigError};
use longshore_engine::mapping::Entity;
use longshore_engine::port_client::PortClient;
use longshore_engine::transport::Client;
use longshore_engine::{
    Engine, EngineBuilder, Error, Outcome, PortSink, PortSinkOptions, Report, Resource,
};
use longshore_testkit::{Network, PortDouble, ScriptedApi};
use serde_json::Value;

pub(crate) const API: &str = "https://api.example.com";
pub(crate) const PORT: &str = "https://api.getport.io";

/// An API, Port, and the network between them and us.
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) api: ScriptedApi,
    pub(crate) port: PortDouble,
    pub(crate) network: Network,
}

/// Everything that the read of one resource gave.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) entities: Vec<Entity>,
    pub(crate) errors: Vec<Error>,
    pub(crate) outcome: Outcome,
}

impl Rig {
    pub(crate) fn new(api: ScriptedApi) -> Rig {
        Rig::with_port(api, PortDouble::new())
    }

    pub(crate) fn with_port(api: ScriptedApi, port: PortDouble) -> Rig {
        Rig::over(Network::new().at(API, api.clone()), api, port)
    }

    /// A rig whose API is at another origin.
    pub(crate) fn at(origin: &str, api: ScriptedApi) -> Rig {
        Rig::over(
            Network::new().at(origin, api.clone()),
            api,
            PortDouble::new(),
        )
    }

    fn over(network: Network, api: ScriptedApi, port: PortDouble) -> Rig {
        let network = network.at(PORT, port.clone());
        Rig { api, port, network }
    }

    /// An engine from a connection file without a base URL and a mapping file, both as YAML.
    pub(crate) fn engine(&self, connection: &str, mapping: &str) -> Engine {
        self.engine_from(&config(connection, mapping).unwrap())
    }

    pub(crate) fn engine_from(&self, config: &Config) -> Engine {
        EngineBuilder::from_config(config)
            .unwrap()
            .transport(self.network.transport())
            .seed(7)
            .build()
            .unwrap()
    }

    /// Reads the first resource of a mapping.
    pub(crate) async fn read(&self, connection: &str, mapping: &str) -> Read {
        self.read_from(&config(connection, mapping).unwrap()).await
    }

    /// What the stream of the first resource of a mapping gives, as it comes.
    pub(crate) async fn read_in_order(
        &self,
        connection: &str,
        mapping: &str,
    ) -> Vec<Result<Entity, Error>> {
        let engine = self.engine(connection, mapping);
        engine.entities(&engine.resources()[0]).collect().await
    }

    /// Reads the first resource of a configuration.
    pub(crate) async fn read_from(&self, config: &Config) -> Read {
        let engine = self.engine_from(config);
        Read::of(&engine, &engine.resources()[0]).await
    }

    /// Syncs all resources of a mapping into Port.
    pub(crate) async fn sync(&self, connection: &str, mapping: &str) -> Report {
        self.sync_from(&config(connection, mapping).unwrap()).await
    }

    /// Syncs all resources of a configuration into Port.
    pub(crate) async fn sync_from(&self, config: &Config) -> Report {
        let options = PortSinkOptions::from(config.mapping.as_ref().unwrap());
        self.engine_from(config)
            .sync(&self.port_sink(options))
            .await
    }

    pub(crate) fn port_sink(&self, options: PortSinkOptions) -> PortSink {
        PortSink::new(self.port_client()).options(options)
    }

    pub(crate) fn port_client(&self) -> PortClient {
        PortClient::builder(Client::builder(self.network.transport()).seed(7).build())
            .base_url(PORT.parse().unwrap())
            .credentials("id", "secret".to_owned())
            .integration("custom", "test")
            .build()
            .unwrap()
    }
}

impl Read {
    /// Reads one resource to its end.
    pub(crate) async fn of(engine: &Engine, resource: &Resource) -> Read {
        let mut stream = engine.entities(resource);
        let (mut entities, mut errors) = (Vec::new(), Vec::new());
        while let Some(item) = stream.next().await {
            match item {
                Ok(entity) => entities.push(entity),
                Err(error) => errors.push(error),
            }
        }
        Read {
            entities,
            errors,
            outcome: stream.outcome(),
        }
    }

    /// The identifiers, in the order of delivery.
    pub(crate) fn identifiers(&self) -> Vec<&str> {
        self.entities
            .iter()
            .filter_map(|entity| entity.identifier.as_str())
            .collect()
    }

    /// How the read ended: the name of its stop reason, or of what made it incomplete.
    pub(crate) fn end(&self) -> &str {
        match self.outcome.cause() {
            Some(cause) => cause.name(),
            None => self.outcome.stop().unwrap(),
        }
    }

    /// The entities as JSON, as `--dry-run` prints them.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.entities
            .iter()
            .map(|entity| serde_json::to_value(entity).unwrap())
            .collect()
    }
}

/// The configuration of a connection file without a base URL and a mapping file, both as YAML.
pub(crate) fn config(connection: &str, mapping: &str) -> Result<Config, ConfigError> {
    Config::loader()
        .connection_text("connection.yaml", &format!("baseUrl: {API}\n{connection}"))
        .mapping_text("mapping.yaml", mapping)
        .load()
}

/// A mapping of one kind, with this selector (YAML in one line), whose records become entities of the blueprint `item`.
pub(crate) fn items(kind: &str, selector: &str) -> String {
    format!(
        r#"
resources:
  - kind: {kind}
    selector: {selector}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"item"'}}}}}}
"#
    )
}
