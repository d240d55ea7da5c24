//! A read that is killed goes on where it stood: this program reads a list in a child process, kills it now and then with SIGKILL (whatever your
//! system has for it), and starts it again until all is read.
//!
//! `cargo run --example resume`

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures::TryStreamExt;
use longshore_engine::paginate::Cursor;
use longshore_engine::{Checkpoint, Engine, Resource};
use longshore_testkit::{Pages, ScriptedApi, numbered, serve};

const RECORDS: u64 = 600;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [url, folder] => read(url, Path::new(folder)).await,
        _ => watch().await,
    }
}

/// The child: reads on from the checkpoint, if there is one.
async fn read(url: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let engine = Engine::builder()
        .base_url(url)
        .paginator(Cursor::new().page_size(20))
        .build()?;
    let users = Resource::builder("/users")
        .data_path(".data")
        .identifier(".id")
        .blueprint("user")
        .build()?;

    let stored = folder.join("checkpoint.json");
    let mut entities = match fs::read(&stored) {
        Ok(text) => engine.entities_from(&users, serde_json::from_slice::<Checkpoint>(&text)?)?,
        Err(_) => engine.entities(&users),
    };
    let mut catalog = OpenOptions::new()
        .create(true)
        .append(true)
        .open(folder.join("catalog.txt"))?;
    let mut pages = entities.pages_given();
    while let Some(entity) = entities.try_next().await? {
        // First the work, then the checkpoint: what is lost between the two comes again, and nothing is passed over.
        // In one call, so that a kill leaves no half of a line.
        let line = format!("{}\n", entity.identifier.as_str().unwrap_or_default());
        catalog.write_all(line.as_bytes())?;
        if entities.pages_given() > pages {
            pages = entities.pages_given();
            catalog.sync_data()?;
            store(&stored, &entities.checkpoint())?;
        }
    }
    let outcome = entities.outcome();
    println!(
        "    child: {} records on {} pages, {}",
        outcome.records,
        outcome.pages,
        outcome.stop().unwrap_or("incomplete")
    );
    Ok(())
}

/// A file is the old one or the new one, never half of one.
fn store(path: &Path, checkpoint: &Option<Checkpoint>) -> Result<(), Box<dyn Error>> {
    let beside = path.with_extension("new");
    let mut file = File::create(&beside)?;
    serde_json::to_writer(&mut file, checkpoint)?;
    file.sync_data()?;
    fs::rename(beside, path)?;
    Ok(())
}

/// The parent: an API, and a child that it kills twice while it reads.
async fn watch() -> Result<(), Box<dyn Error>> {
    let pages = Pages::cursor(numbered(RECORDS));
    let api = ScriptedApi::new().on("/users", move |call| {
        pages.answer(call).after(Duration::from_millis(20))
    });
    let server = serve(api.clone()).await;
    let folder = tempfile::tempdir()?;
    println!("{RECORDS} records in pages of 20");
    for kill_after in [Some(130), Some(410), None] {
        let mut child = start(server.url.as_str(), folder.path())?;
        let killed = match kill_after {
            Some(lines) => wait_for(lines, folder.path(), &mut child).await?,
            None => false,
        };
        if killed {
            child.kill()?;
        }
        let status = child.wait()?;
        let checkpoint: Checkpoint =
            serde_json::from_slice(&fs::read(folder.path().join("checkpoint.json"))?)?;
        println!(
            "  {} ({status}): {} entities written, checkpoint behind page {}, {} requests so far",
            if killed { "killed" } else { "ended" },
            written(folder.path()).len(),
            checkpoint.pages(),
            api.requests().len()
        );
        if !killed && !status.success() {
            return Err("the child failed".into());
        }
    }

    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    for id in written(folder.path()) {
        *times.entry(id.parse()?).or_default() += 1;
    }
    let twice = times.values().filter(|times| **times > 1).count();
    println!(
        "{} of {RECORDS} records are there, {twice} of them came again after a kill",
        times.len()
    );
    if !times.keys().copied().eq(1..=RECORDS) {
        return Err("records are missing".into());
    }
    Ok(())
}

fn start(url: &str, folder: &Path) -> Result<Child, Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let child = Command::new(program)
        .args([url.as_ref(), folder.as_os_str()])
        .stdin(Stdio::null())
        .spawn()?;
    Ok(child)
}

/// Waits until the child has written so many entities; false when it ended before.
async fn wait_for(
    entities: usize,
    folder: &Path,
    child: &mut Child,
) -> Result<bool, Box<dyn Error>> {
    while written(folder).len() < entities {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(true)
}

/// The identifiers in the catalog. A line that was cut is none.
fn written(folder: &Path) -> Vec<String> {
    let text = fs::read_to_string(folder.join("catalog.txt")).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().map(str::to_owned).collect()
}
