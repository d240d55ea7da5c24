//! The program `ocean_custom` beyond one sync: running on, parts side by side, files instead of Port, and the first start.

use std::time::Duration;

use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi, Server, numbered};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Ended, Program};

const MAPPING: &str = r#"
resources:
  - kind: /tickets
    port: {entity: {mappings: {identifier: .id, blueprint: '"ticket"'}}}
  - kind: /tickets/{ticket_id}/comments
    selector: {path_parameters: {ticket_id: {endpoint: /tickets, field: .id}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"', relations: {ticket: .__ticket_id}}}}
"#;

fn tickets() -> ScriptedApi {
    ScriptedApi::new()
        .json("/tickets", numbered(12))
        .on("/tickets/{id}/comments", |call| {
            Answer::json(json!([{"id": format!("c{}", call.parameter("id"))}]))
        })
}

fn syncing(api: &Server, port: &Server) -> Program {
    Program::reading(api).port(port).mapping(MAPPING)
}

// Running on

/// Waits until this is so, or gives up after a minute.
async fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..1200 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it did not come to that within a minute");
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn polling_syncs_again_on_request_and_ends_well_when_it_is_terminated_between_two_syncs() {
    let (api, port) = (tickets(), PortDouble::new());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let (begun, waiting) = std::sync::mpsc::channel();
    let program = syncing(&api_server, &port_server)
        .variable(
            "OCEAN__EVENT_LISTENER",
            r#"{"type": "POLLING", "interval": 0.2}"#,
        )
        .variable("OCEAN__LISTEN", "127.0.0.1:0");
    let running = tokio::spawn(program.run_until(waiting));
    let completed = {
        let port = port.clone();
        move || {
            let states = port.resync_states("my-api");
            states
                .iter()
                .filter(|state| state["status"] == "completed")
                .count()
        }
    };
    until(|| completed() == 1).await;
    let _ = port.clone().request_resync("my-api");
    until(|| completed() == 2).await;
    begun.send(()).unwrap();
    let ended = running.await.unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.lines().len(),
        2,
        "a report for each sync: {}",
        ended.stdout
    );
    assert!(ended.stderr.contains("SIGTERM: ending"), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("health and metrics at http://127.0.0.1:"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("the integration was created at Port"),
        "{}",
        ended.stderr
    );
    assert_eq!(port.identifiers("ticket").len(), 12);
    assert_eq!(port.violations(), Vec::<String>::new());
}

/// A sync that fails, a mapping with a mistake and one that is mended, then a word to stop in the middle of a sync.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn polling_outlives_failures_and_ends_within_ten_seconds_without_deletes_in_the_middle_of_a_sync()
 {
    let mapping = |kind: &str, blueprint: &str| json!({"resources": [{"kind": kind, "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": blueprint}}}}]});
    let (begun, waiting) = std::sync::mpsc::channel();
    let api = tickets()
        .answer("/broken", Answer::status(403))
        .on("/slow", move |_| {
            let _ = begun.send(());
            Answer::json(numbered(3)).after(Duration::from_secs(600))
        });
    let port = PortDouble::new().integration("my-api", mapping("/broken", "\"ticket\""));
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let program = Program::reading(&api_server)
        .port(&port_server)
        .variable(
            "OCEAN__EVENT_LISTENER",
            r#"{"type": "POLLING", "interval": 0.2}"#,
        )
        .variable("OCEAN__LISTEN", "none");
    let running = tokio::spawn(program.run_until(waiting));
    let states = |status: &'static str| {
        let port = port.clone();
        move || {
            port.resync_states("my-api")
                .iter()
                .any(|state| state["status"] == status)
        }
    };
    until(states("failed")).await;
    port.set_mapping("my-api", mapping("/tickets", "ticket {"));
    tokio::time::sleep(Duration::from_millis(500)).await;
    port.set_mapping("my-api", mapping("/tickets", "\"other\""));
    until(states("completed")).await;
    assert_eq!(port.identifiers("other").len(), 12);
    // What was written a moment ago is in nothing that this one reads before its end.
    port.set_mapping("my-api", mapping("/slow", "\"other\""));
    let told = std::time::Instant::now();
    let ended = running.await.unwrap();
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        told.elapsed() < Duration::from_secs(20),
        "{:?}",
        told.elapsed()
    );
    assert!(states("aborted")(), "{:?}", port.resync_states("my-api"));
    assert_eq!(port.deleted(), []);
    assert!(
        ended.stderr.contains("not all well: 1 incomplete resource"),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("mapping at Port: resources[0]"),
        "{}",
        ended.stderr
    );
    assert_eq!(ended.lines().len(), 3, "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_cannot_be_listened_at_is_refused_where_it_was_asked_for() {
    let (api, port) = (tickets().serve().await, PortDouble::new());
    let port_server = port.serve().await;
    let taken = format!("127.0.0.1:{}", port_server.url.port().unwrap());
    let program = syncing(&api, &port_server).variable("OCEAN__LISTEN", &taken);
    let ended = program.run().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains(&format!("listen: {taken} cannot be listened at")),
        "{}",
        ended.stderr
    );
    assert!(port.requests().is_empty());
}

// Parts side by side

/// Runs all shards at the same time, each as a process of its own.
async fn all_shards(api: &Server, port: &Server, folder: &TempDir, count: usize) -> Vec<Ended> {
    let folder = folder.path().to_str().unwrap().to_owned();
    let shards = (0..count).map(|index| {
        // As in a Kubernetes Indexed Job: everything but the index is the same for all.
        syncing(api, port)
            .variable("OCEAN__SHARD__COUNT", count.to_string())
            .variable("OCEAN__SHARD__DIRECTORY", &folder)
            .variable("JOB_COMPLETION_INDEX", index.to_string())
            .run()
    });
    futures::future::join_all(shards).await
}

async fn reconcile(api: &Server, port: &Server, folder: &TempDir) -> Ended {
    reconcile_with(api, port, folder, &[]).await
}

async fn reconcile_with(api: &Server, port: &Server, folder: &TempDir, more: &[&str]) -> Ended {
    let arguments = ["reconcile", folder.path().to_str().unwrap()];
    Program::new()
        .arguments(&[&arguments, more].concat())
        .connection(&format!("baseUrl: {}", api.url))
        .mapping(MAPPING)
        .port(port)
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_as_processes_write_everything_and_reconcile_deletes_what_none_has_seen() {
    let port = PortDouble::new()
        .integration("my-api", json!({"resources": []}))
        .stale_entity("ticket", "gone")
        .stale_entity("comment", "gone");
    let (api_server, port_server) = (tickets().serve().await, port.serve().await);
    let folder = TempDir::new().unwrap();
    let ended = all_shards(&api_server, &port_server, &folder, 3).await;
    let mut upserted = 0;
    for ended in &ended {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        upserted += ended.report()["upserted"].as_u64().unwrap();
        // A ticket that another shard's comment related to first is there already; the count is left out where it is zero.
        upserted += ended.report()["unchanged"].as_u64().unwrap_or(0);
        assert!(
            ended.stderr.contains("ocean_custom reconcile"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(upserted, 24);
    let planned = reconcile_with(&api_server, &port_server, &folder, &["--plan"]).await;
    assert_eq!(planned.code, Some(0), "{}", planned.stderr);
    for blueprint in ["ticket", "comment"] {
        let delete = &planned.report()["blueprints"][blueprint]["delete"];
        assert_eq!(delete, &json!({"count": 1, "samples": ["gone"]}));
    }
    assert!(
        planned.stderr.contains("  delete gone"),
        "{}",
        planned.stderr
    );
    assert_eq!(port.count(PortCall::DeleteMany), 0);
    let ended = reconcile(&api_server, &port_server, &folder).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.report()["deleted"], 2);
    assert!(
        ended.stderr.contains("3 shards produced 24 entities"),
        "{}",
        ended.stderr
    );
    assert_eq!(port.identifiers("ticket").len(), 12);
    assert_eq!(port.identifiers("comment").len(), 12);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rejected_entity_is_no_reason_to_read_a_shard_again_and_is_not_forgotten() {
    let port = PortDouble::new()
        .integration("my-api", json!({"resources": []}))
        .stale_entity("ticket", "gone")
        .rejects("ticket", "3", 422, "no");
    let (api_server, port_server) = (tickets().serve().await, port.serve().await);
    let folder = TempDir::new().unwrap();
    let shards = all_shards(&api_server, &port_server, &folder, 2).await;
    let mut rejected = 0;
    for ended in &shards {
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(!ended.stderr.contains("exit code 1"), "{}", ended.stderr);
        rejected += ended.report()["rejected"].as_u64().unwrap();
    }
    assert_eq!(rejected, 1);
    let ended = reconcile(&api_server, &port_server, &folder).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(
        (&ended.report()["rejected"], &ended.report()["deleted"]),
        (&json!(1), &json!(1))
    );
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_shard_that_was_ended_early_keeps_everything_and_one_that_never_ran_is_missed() {
    let (begun, waiting) = std::sync::mpsc::channel();
    let api = tickets().on("/tickets/3/comments", move |_| {
        let _ = begun.send(());
        Answer::json(json!([])).after(Duration::from_secs(600))
    });
    let port = PortDouble::new()
        .integration("my-api", json!({"resources": []}))
        .stale_entity("ticket", "gone")
        .stale_entity("comment", "gone");
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let folder = TempDir::new().unwrap();
    let program = syncing(&api_server, &port_server).arguments(&[
        "--shard",
        "0/1",
        "--shard-dir",
        folder.path().to_str().unwrap(),
    ]);
    let ended = program.run_until(waiting).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let ended = reconcile(&api_server, &port_server, &folder).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert_eq!(ended.report()["deleted"], 0);
    assert_eq!(
        ended.report()["withheld"].as_array().unwrap().len(),
        2,
        "{}",
        ended.stdout
    );

    let nothing = TempDir::new().unwrap();
    let ended = reconcile(&api_server, &port_server, &nothing).await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("1 problem; nothing was deleted"),
        "{}",
        ended.stderr
    );
    assert_eq!(port.deleted(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn shards_that_cannot_be_are_refused_in_one_line() {
    let (api, port) = (tickets().serve().await, PortDouble::new());
    let port_server = port.serve().await;
    for (arguments, variables, says) in [
        (
            &["--shard", "3/3", "--shard-dir", "x"] as &[&str],
            &[] as &[(&str, &str)],
            "counts from 0 to count - 1",
        ),
        (
            &["--shard", "x", "--shard-dir", "x"],
            &[],
            "write it as INDEX/COUNT",
        ),
        (&["--shard", "0/3"], &[], "add --shard-dir DIR"),
        (&["--shard-dir", "x"], &[], "add --shard INDEX/COUNT"),
        (
            &[],
            &[("OCEAN__SHARD__INDEX", "1")],
            "OCEAN__SHARD__COUNT: is missing",
        ),
        (
            &[],
            &[("OCEAN__SHARD__COUNT", "3")],
            "OCEAN__SHARD__INDEX: is missing",
        ),
        (
            &[],
            &[("OCEAN__SHARD", r#"{"index": 3, "count": 3}"#)],
            "counts from 0 to count - 1",
        ),
    ] {
        let mut program = syncing(&api, &port_server).arguments(arguments);
        for (name, value) in variables {
            program = program.variable(name, value);
        }
        let ended = program.run().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(says), "{says}: {}", ended.stderr);
    }
    assert!(port.requests().is_empty());
}

// Files instead of Port

#[tokio::test(flavor = "multi_thread")]
async fn entities_go_into_a_file_in_full_or_the_file_stays_as_it_was() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("entities.ndjson");
    let path = file.to_str().unwrap();
    let api = tickets();
    let server = api.serve().await;
    let run = async || {
        Program::reading(&server)
            .mapping(MAPPING)
            .arguments(&["--output", path])
            .run()
            .await
    };
    let ended = run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.report()["upserted"], 24);
    let first = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<Value> = first
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 24);
    assert_eq!(
        lines[0],
        json!({"identifier": "1", "blueprint": "ticket", "properties": {}, "relations": {}})
    );

    let _ = api.on("/tickets/7/comments", |_| Answer::status(403));
    let ended = run().await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("is left as it was, and what was read is in"),
        "{}",
        ended.stderr
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), first);
    let rest = std::fs::read_to_string(format!("{path}.incomplete")).unwrap();
    assert_eq!(rest.lines().count(), 23);
    assert!(!folder.path().join("entities.ndjson.partial").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_go_to_stdout_and_a_file_that_cannot_be_written_is_named() {
    let server = tickets().serve().await;
    let program = || Program::reading(&server).mapping(MAPPING);
    let ended = program()
        .arguments(&["--output", "-", "--kind", "/tickets"])
        .run()
        .await;
    assert_eq!(
        (ended.code, ended.lines().len()),
        (Some(0), 12),
        "{}",
        ended.stderr
    );
    let ended = program()
        .arguments(&["--output", "no/such/folder/x"])
        .run()
        .await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("no/such/folder/x cannot be written"),
        "{}",
        ended.stderr
    );
}

// The first start

#[tokio::test(flavor = "multi_thread")]
async fn init_infers_blueprints_prints_them_and_creates_them_once() {
    let port = PortDouble::new().blueprint("other");
    let (api_server, port_server) = (tickets().serve().await, port.serve().await);
    let init = async |more: &[&str]| {
        Program::new()
            // As a shell leaves it that is to write the blueprints into it.
            .with_file(".port/resources/blueprints.json", "")
            .arguments(&["init", "--infer"])
            .arguments(more)
            .connection(&format!("baseUrl: {}", api_server.url))
            .mapping(MAPPING)
            .port(&port_server)
            .run()
            .await
    };
    let ended = init(&["--dry-run"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let printed: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(printed[0]["identifier"], "comment");
    assert_eq!(printed[0]["relations"]["ticket"]["target"], "ticket");
    assert!(port.requests().is_empty());

    let ended = init(&[]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        serde_json::from_str::<Value>(&ended.stdout).unwrap(),
        printed
    );
    assert!(
        ended
            .stderr
            .contains("blueprint ticket was created at Port"),
        "{}",
        ended.stderr
    );
    assert!(port.known_integration("my-api").is_some());
    let ended = init(&[]).await;
    assert!(
        ended
            .stderr
            .contains("blueprint ticket is at Port and stays as it is"),
        "{}",
        ended.stderr
    );
    assert_eq!(port.count(PortCall::CreateBlueprint), 2);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn init_creates_nothing_by_half_a_read_unless_told() {
    let api = tickets().on("/tickets", |_| Answer::status(404));
    let port = PortDouble::new().blueprint("other");
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let init = async |more: &[&str]| {
        Program::new()
            .arguments(&["init", "--infer"])
            .arguments(more)
            .connection(&format!("baseUrl: {}", api_server.url))
            .mapping(MAPPING)
            .port(&port_server)
            .run()
            .await
    };
    for arguments in [&[][..], &["--dry-run"]] {
        let ended = init(arguments).await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(
            ended.stderr.contains("nothing was created"),
            "{}",
            ended.stderr
        );
        assert!(
            ended.stderr.contains("note: not everything could be read"),
            "{}",
            ended.stderr
        );
    }
    assert_eq!(port.count(PortCall::CreateBlueprint), 0);
    assert!(port.known_integration("my-api").is_none());
    let ended = init(&["--incomplete"]).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        port.known_integration("my-api").is_some(),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_creates_what_lies_in_the_folder_of_resources() {
    let port = PortDouble::new().blueprint("other");
    let (api_server, port_server) = (tickets().serve().await, port.serve().await);
    let blueprint =
        |name: &str| json!({"identifier": name, "title": name, "schema": {"properties": {}}});
    let ended = Program::reading(&api_server)
        .port(&port_server)
        .with_file(".port/resources/port-app-config.yaml", MAPPING)
        .with_file(
            ".port/resources/blueprints.json",
            &json!([blueprint("ticket"), blueprint("comment")]).to_string(),
        )
        .arguments(&["--once"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(port.identifiers("ticket").len(), 12);
    assert_eq!(port.identifiers("comment").len(), 12);
    assert!(port.known_integration("my-api").is_some());
}
