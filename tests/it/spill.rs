//! What does not fit in memory goes to a temporary file, which is gone with the sync, however that ends.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use longshore_engine::{Cancel, NdjsonSink, SyncOptions};
use longshore_testkit::{Answer, Pages, ScriptedApi};
use serde_json::{Value, json};

use crate::rig::Rig;

/// Two kinds of the same parents, one of them slow, each of which is told much of every parent.
const TWO_KINDS: &str = r#"
resources:
  - kind: /parents/{id}/quick
    selector: {path_parameters: {id: {endpoint: /parents, field: .id, include: {__text: .text}, pagination: {type: page, size: 50}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"quick"'}}}
  - kind: /parents/{id}/slow
    selector: {path_parameters: {id: {endpoint: /parents, field: .id, include: {__text: .text}, pagination: {type: page, size: 50}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"slow"'}}}
"#;

/// 20 MB of parents.
fn api() -> ScriptedApi {
    let parents: Vec<Value> = (0..1_000)
        .map(|id| json!({"id": id, "text": "x".repeat(20_000)}))
        .collect();
    let child =
        |call: &longshore_testkit::Call| Answer::json(json!([{"id": call.parameter("id")}]));
    ScriptedApi::new()
        .pages("/parents", Pages::page(parents))
        .on("/parents/{id}/quick", child)
        .on("/parents/{id}/slow", move |call| {
            child(call).after(Duration::from_secs(60))
        })
}

/// A process of its own has a folder for temporary files of its own.
#[test]
fn what_was_spilled_is_gone_after_a_sync_that_was_cancelled() {
    let folder = tempfile::tempdir().unwrap();
    let ended = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spill::a_sync_that_spills", "--ignored"])
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && told.contains("1 passed"),
        "{told}"
    );
    assert_eq!(names_in(folder.path()), 0);
}

#[tokio::test(start_paused = true)]
#[ignore = "is run by another test, in a process of its own"]
async fn a_sync_that_spills() {
    for ends_by_itself in [true, false] {
        let rig = Rig::new(api());
        let engine = rig.engine("", TWO_KINDS);
        let output = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let sink = NdjsonSink::file(output.path().join("entities"));
        let cancel = Cancel::new();
        let options = SyncOptions::new().cancel(cancel.clone());
        let mut sync = Box::pin(engine.sync_with(&options, &sink));
        while open_files() == 0 {
            tokio::select! {
                biased;
                report = &mut sync => panic!("nothing was spilled: {report}"),
                () = tokio::time::sleep(Duration::from_secs(1)) => {}
            }
        }
        assert_eq!(
            names_in(&std::env::temp_dir()),
            0,
            "no other process finds it"
        );
        if ends_by_itself {
            cancel.cancel();
            let report = sync.await;
            assert!(!report.is_clean(), "{report}");
        } else {
            drop(sync);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(open_files(), 0);
    }
}

fn names_in(folder: &Path) -> usize {
    std::fs::read_dir(folder).unwrap().count()
}

/// Files of this process in the folder for temporary files, those without a name included.
fn open_files() -> usize {
    let folder = std::env::temp_dir();
    let files = std::fs::read_dir("/proc/self/fd").unwrap();
    let files = files.filter_map(|file| std::fs::read_link(file.ok()?.path()).ok());
    files.filter(|file| file.starts_with(&folder)).count()
}
