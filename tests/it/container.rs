//! The container image: the environment of Port's Helm chart, and nothing around the program.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use longshore_engine::config::Config;
use longshore_testkit::{Pages, PortDouble, ScriptedApi, Server, numbered};
use serde_json::json;

use crate::program;

/// What the chart hands over by itself, whatever its values are.
const OF_THE_CHART: [(&str, &str); 6] = [
    ("OCEAN__PORT__INGEST_URL", "https://ingest.getport.io"),
    ("OCEAN__ALLOW_ENVIRONMENT_VARIABLES_JQ_ACCESS", "true"),
    ("OCEAN__PROCESS_EXECUTION_MODE", "single_process"),
    ("OCEAN__LAKEHOUSE_ENABLED", "false"),
    ("OCEAN__EXECUTION_AGENT__ENABLED", "false"),
    // Of the service that the chart makes, by Kubernetes.
    ("OCEAN_CUSTOM_MY_API_SERVICE_PORT", "tcp://10.0.0.1:8000"),
];
/// The brokers of the chart's default listener stay where another listener is chosen.
const BROKERS: &str = "b-1.example.com:9196,b-2.example.com:9196";

/// The values of a `helm` command, by path.
fn helm_values(text: &str) -> Vec<(String, String)> {
    let set = text.split("--set ").skip(1);
    set.filter_map(|set| {
        let set = set.lines().next()?.trim_end_matches('\\').trim();
        let (path, value) = set.split_once('=')?;
        Some((path.to_owned(), value.trim_matches('"').to_owned()))
    })
    .collect()
}

/// The environment that the chart makes of its values.
fn environment(values: &[(String, String)]) -> Vec<(String, String)> {
    let mut variables = Vec::new();
    for (path, value) in values {
        let name = match path.as_str() {
            "port.clientId" => "PORT__CLIENT_ID".to_owned(),
            "port.clientSecret" => "PORT__CLIENT_SECRET".to_owned(),
            "port.baseUrl" => "PORT__BASE_URL".to_owned(),
            "integration.identifier" => "INTEGRATION__IDENTIFIER".to_owned(),
            "integration.type" => "INTEGRATION__TYPE".to_owned(),
            "integration.eventListener.type" => {
                let listener = json!({"brokers": BROKERS, "type": value});
                variables.push(("OCEAN__EVENT_LISTENER".to_owned(), listener.to_string()));
                continue;
            }
            // About the image.
            "imageRegistry" | "integration.version" => continue,
            path => match path
                .strip_prefix("integration.config.")
                .or(path.strip_prefix("integration.secrets."))
            {
                Some(key) => format!("INTEGRATION__CONFIG__{}", shouted(key)),
                None if !path.contains('.') => shouted(path),
                None => panic!("the chart has no value {path}"),
            },
        };
        variables.push((format!("OCEAN__{name}"), value.clone()));
    }
    let own = OF_THE_CHART.map(|(name, value)| (name.to_owned(), value.to_owned()));
    variables.extend(own);
    variables
}

/// `baseUrl` as `BASE_URL`.
fn shouted(name: &str) -> String {
    let mut shouted = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            shouted.push('_');
        }
        shouted.extend(c.to_uppercase());
    }
    shouted
}

/// The example of the integration's page, which nothing has to be added to.
const OF_THE_PAGE: &str = r#"
    --set port.clientId="the-client"
    --set port.clientSecret="the-client-secret"
    --set port.baseUrl="https://api.getport.io"
    --set initializePortResources=true
    --set scheduledResyncInterval=60
    --set integration.identifier="my-api"
    --set integration.type="custom"
    --set integration.eventListener.type="POLLING"
    --set integration.config.baseUrl="https://api.yourcompany.com"
    --set integration.config.authType="bearer_token"
    --set integration.secrets.authValue="the-api-token"
    --set integration.config.paginationType="page"
    --set integration.config.pageSize=100
"#;

/// The page's example against these two servers.
fn of_the_page(api: &Server, port: &Server) -> Vec<(String, String)> {
    let mut variables = environment(&helm_values(OF_THE_PAGE));
    for (name, value) in &mut variables {
        match name.as_str() {
            "OCEAN__PORT__BASE_URL" => *value = port.url.to_string(),
            "OCEAN__INTEGRATION__CONFIG__BASE_URL" => *value = api.url.to_string(),
            _ => {}
        }
    }
    variables
}

#[test]
fn the_readmes_helm_command_and_the_manifest_set_nothing_that_is_not_known() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/ocean_custom");
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let values = helm_values(&read("README.md"));
    assert!(values.len() > 8, "{values:?}");
    let config = Config::loader().environment(environment(&values)).load();
    assert_eq!(config.unwrap().warnings, []);

    let manifest = read("container/kubernetes.yaml");
    let mut variables: Vec<(String, String)> = manifest
        .lines()
        .filter_map(|line| {
            let line = line
                .trim()
                .trim_start_matches("- {name: ")
                .trim_end_matches('}');
            let (name, value) = line.split_once(": ")?;
            let (name, value) = match name.split_once(", value") {
                Some((name, _)) => (name, value),
                None => (name, value),
            };
            let is_ours = name.starts_with("OCEAN__");
            is_ours.then(|| (name.to_owned(), value.trim_matches('"').to_owned()))
        })
        .collect();
    assert_eq!(variables.len(), 10, "{variables:?}");
    variables.push(("JOB_COMPLETION_INDEX".to_owned(), "3".to_owned()));
    let config = Config::loader().environment(variables).load().unwrap();
    assert_eq!(config.warnings, []);
    let shard = config.run.shard.unwrap();
    assert_eq!((shard.shard.index(), shard.shard.count()), (3, 4));
    // What reading again would not mend is not read again.
    assert!(manifest.contains("backoffLimitPerIndex: 1"));
    assert!(manifest.contains("action: FailJob") && manifest.contains("values: [2]"));
    assert!(manifest.contains("completions: 4\n  parallelism: 4\n"));
}

fn api() -> ScriptedApi {
    ScriptedApi::new()
        .pages("/api/v1/users", Pages::page(numbered(107)))
        .bearer("the-api-token")
}

fn port() -> PortDouble {
    let mapping = json!({"resources": [{
        "kind": "/api/v1/users",
        "selector": {"query": "true"},
        "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\""}}},
    }]});
    PortDouble::new()
        .credentials("the-client", "the-client-secret")
        .integration("my-api", mapping)
}

/// Runs until the first sync is told to be complete, then is terminated; its exit code and stderr.
async fn until_synced(mut command: Command, port: &PortDouble) -> (Option<i32>, String) {
    let child = command
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let id = child.id().to_string();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    for _ in 0..600 {
        let states = port.resync_states("my-api");
        if ended.is_finished() || states.iter().any(|state| state["status"] == "completed") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Command::new("kill").args(["-TERM", &id]).status().unwrap();
    let output = ended.await.unwrap();
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// As in the image, but for its file system: nothing in the environment but what the chart hands over, and nothing in the folder.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn the_environment_of_the_chart_is_all_that_the_program_needs() {
    let (api, port) = (api(), port());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(program::executable());
    command
        .env_clear()
        .envs(of_the_page(&api_server, &port_server))
        // Others may listen at 8000 on this machine.
        .env("OCEAN__LISTEN", "127.0.0.1:0")
        .current_dir(folder.path());
    let (code, stderr) = until_synced(command, &port).await;
    assert_well(code, &stderr, &port);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the file system of the image, and root: examples/ocean_custom/container/check, a step of .ci/run"]
async fn the_image_runs_with_the_environment_of_the_chart_alone() {
    let root = std::env::var("OCEAN_CUSTOM_ROOT").unwrap();
    let mut inside: Vec<String> = Vec::new();
    files(Path::new(&root), Path::new(&root), &mut inside);
    // None in a static image.
    inside.retain(|file| !file.contains(".so"));
    inside.sort();
    assert_eq!(
        inside,
        [
            "etc/passwd",
            "etc/ssl/certs/ca-certificates.crt",
            "ocean_custom"
        ]
    );
    let (api, port) = (api(), port());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let mut command = Command::new("chroot");
    command
        .args(["--userspec=65532:65532", &root, "/ocean_custom"])
        .env_clear()
        .env("PATH", std::env::var("PATH").unwrap())
        // What the image itself sets.
        .env("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt")
        .env("OCEAN__LISTEN", "127.0.0.1:0")
        .envs(of_the_page(&api_server, &port_server));
    let (code, stderr) = until_synced(command, &port).await;
    assert_well(code, &stderr, &port);
}

fn assert_well(code: Option<i32>, stderr: &str, port: &PortDouble) {
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(port.identifiers("user").len(), 107, "{stderr}");
    assert_eq!(port.examples("/api/v1/users").len(), 5);
    assert!(!stderr.contains("WARN"), "{stderr}");
    assert!(stderr.contains("health and metrics at"), "{stderr}");
    assert_eq!(port.violations(), Vec::<String>::new());
}

/// The files below a folder.
fn files(folder: &Path, root: &Path, into: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, root, into);
        } else {
            into.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}
