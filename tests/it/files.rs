//! Entities as lines of JSON: a file in full or as it was, and what is no file on a disk.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use longshore_engine::{NdjsonSink, Report};
use longshore_testkit::{Pages, ScriptedApi, numbered};
use serde_json::Value;
use tempfile::TempDir;

use crate::rig::{Rig, items};

/// 1,000 records in pages of 100.
async fn sync_into(sink: &NdjsonSink) -> Report {
    let api = ScriptedApi::new().pages("/items", Pages::page(numbered(1000)));
    Rig::new(api)
        .engine("paginationType: page", &items("/items", "{}"))
        .sync(sink)
        .await
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap().lines().count()
}

/// Everything in a folder, by name.
fn names(folder: &TempDir) -> Vec<String> {
    let entries = fs::read_dir(folder.path()).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Takes this many bytes and has no room for more, until it is emptied; what it got is kept.
#[derive(Clone, Debug)]
struct Full {
    room: Arc<Mutex<usize>>,
    got: Arc<Mutex<Vec<u8>>>,
}

impl Full {
    fn after(bytes: usize) -> Full {
        Full {
            room: Arc::new(Mutex::new(bytes)),
            got: Arc::default(),
        }
    }
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut room = self.room.lock().unwrap();
        if *room == 0 {
            // Somebody tidies up meanwhile.
            *room = usize::MAX;
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = bytes.len().min(*room);
        *room -= taken;
        self.got.lock().unwrap().extend(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_stays_a_link_and_what_it_leads_to_is_replaced() {
    let folder = TempDir::new().unwrap();
    let (file, link) = (folder.path().join("a.ndjson"), folder.path().join("latest"));
    fs::write(&file, "old\n").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    let report = sync_into(&NdjsonSink::file(&link)).await;
    assert!(report.is_clean(), "{report:?}");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(lines(&file), 1000);
    assert_eq!(names(&folder), ["a.ndjson", "latest"]);
}

/// A named pipe that was made into a file, or `/dev/null`, would be lost to everybody else.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_on_a_disk_is_written_to_and_never_replaced() {
    let folder = TempDir::new().unwrap();
    let pipe: PathBuf = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    let sink = NdjsonSink::file(&pipe);
    let report = sync_into(&sink).await;
    drop(sink);
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(reader.join().unwrap().lines().count(), 1000);
    assert_eq!(names(&folder), ["pipe"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_in_the_place_of_the_file_is_refused_before_anything_is_read() {
    let folder = TempDir::new().unwrap();
    let report = sync_into(&NdjsonSink::file(folder.path())).await;
    assert_eq!(report.resources.len(), 0, "{report:?}");
    assert!(
        report.errors[0].contains("cannot be written: "),
        "{report:?}"
    );
    assert_eq!(names(&folder), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_is_full_gets_no_line_behind_half_a_line_and_the_sync_is_not_well() {
    let full = Full::after(1234);
    let report = sync_into(&NdjsonSink::writer(full.clone())).await;
    assert!(!report.is_clean());
    assert!(
        report.errors[0].contains("the output cannot be written"),
        "{report:?}"
    );
    // After a few batches nobody reads on for a writer that takes nothing.
    assert_eq!(report.resources[0].outcome, "incomplete");
    assert_eq!(
        report.upserted + report.rejected,
        report.resources[0].entities,
        "{report:?}"
    );
    assert!(report.resources[0].entities < 1000, "{report:?}");
    let got = String::from_utf8(full.got.lock().unwrap().clone()).unwrap();
    assert_eq!(got.len(), 1234);
    let whole = got
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_ok());
    assert_eq!(whole.count(), got.lines().count() - 1);
}
