//! The container image: the environment of Port's Helm chart, and nothing around the program.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use longshore_testkit::{PortDouble, ScriptedApi, numbered};
use serde_json::json;

/// The settings of the page's Helm example, as the chart hands them over. All that differs is where the two servers are.
fn environment(api: &str, port: &str) -> Vec<(&'static str, String)> {
    let plain = [
        ("OCEAN__PORT__CLIENT_ID", "the-client"),
        ("OCEAN__PORT__CLIENT_SECRET", "the-client-secret"),
        ("OCEAN__INITIALIZE_PORT_RESOURCES", "true"),
        ("OCEAN__SEND_RAW_DATA_EXAMPLES", "true"),
        ("OCEAN__SCHEDULED_RESYNC_INTERVAL", "60"),
        ("OCEAN__INTEGRATION__IDENTIFIER", "my-api"),
        ("OCEAN__INTEGRATION__TYPE", "custom"),
        ("OCEAN__EVENT_LISTENER", r#"{"type":"POLLING"}"#),
        ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token"),
        ("OCEAN__INTEGRATION__CONFIG__API_TOKEN", "the-api-token"),
        ("OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE", "none"),
        ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "100"),
        ("OCEAN__INTEGRATION__CONFIG__VERIFY_SSL", "true"),
        // What the image itself sets.
        ("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"),
    ];
    let mut all: Vec<(&'static str, String)> =
        plain.map(|(name, value)| (name, value.to_owned())).to_vec();
    all.push(("OCEAN__PORT__BASE_URL", port.to_owned()));
    all.push(("OCEAN__INTEGRATION__CONFIG__BASE_URL", api.to_owned()));
    all
}

fn api() -> ScriptedApi {
    ScriptedApi::new()
        .json("/api/v1/users", numbered(7))
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

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs the file system of the image, and root: examples/ocean_custom/container/check"]
async fn the_image_runs_with_the_environment_of_the_chart_alone() {
    let root = std::env::var("OCEAN_CUSTOM_ROOT").unwrap();
    let mut inside: Vec<String> = Vec::new();
    files(Path::new(&root), Path::new(&root), &mut inside);
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
        .envs(environment(
            api_server.url.as_str(),
            port_server.url.as_str(),
        ));
    let (code, stderr) = until_synced(command, &port).await;
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(port.identifiers("user").len(), 7, "{stderr}");
    assert_eq!(port.examples("/api/v1/users").len(), 5);
    assert!(!stderr.contains("not known"), "{stderr}");
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
