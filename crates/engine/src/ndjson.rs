//! Entities as lines of JSON, in a file or wherever bytes go.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longshore_mapping::Entity;

use crate::error::{Error, ErrorKind};
use crate::sink::{Evidence, Mark, Reconciled, Sink, Written};

/// Writes each entity as one line of JSON, in the form that Port takes.
///
/// **A file** is there in full or not at all: lines go to `FILE.partial`, which takes the place of `FILE` at the end, where everything was read to
/// a proven end. Where it was not, what `FILE` has stays, the lines are in `FILE.incomplete`, and the report says why. A link stays a link:
/// what it leads to is replaced. Two entities that are the same in Port are two lines.
///
/// **A writer**, stdout for one, gets the lines as they come; whether they are all says the report alone. So does a file that is none on
/// a disk: a named pipe, `/dev/stdout`.
///
/// After a write that failed (a full disk, a pipe that was closed) nothing further is written, so that no line stands behind half a line.
///
/// ```
/// use longshore_engine::{Engine, NdjsonSink, Resource};
/// use longshore_testkit::{Network, ScriptedApi, numbered};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let api = ScriptedApi::new().json("/users", numbered(2));
/// let engine = Engine::builder()
///     .base_url("https://api.example.com")
///     .transport(Network::new().at("https://api.example.com", api).transport())
///     .resource(Resource::builder("/users").identifier(".id").blueprint("user").build()?)
///     .build()?;
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("users.ndjson");
/// let report = engine.sync(&NdjsonSink::file(&file)).await;
/// assert!(report.is_clean());
/// assert_eq!(std::fs::read_to_string(&file)?.lines().count(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub struct NdjsonSink {
    file: Option<PathBuf>,
    open: Mutex<Open>,
}

/// Where lines go now.
#[derive(Default)]
struct Open {
    out: Option<Box<dyn Write + Send>>,
    /// The file that is replaced at the end.
    whole: Option<Whole>,
    /// What went wrong with the last write that was tried.
    broken: Option<String>,
}

/// A file that is there in full or not at all.
struct Whole {
    file: PathBuf,
    /// Bytes of it that are whole lines.
    written: u64,
}

impl NdjsonSink {
    /// Writes this file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        NdjsonSink {
            file: Some(path.into()),
            open: Mutex::default(),
        }
    }

    /// Writes to stdout.
    pub fn stdout() -> Self {
        NdjsonSink::writer(io::stdout())
    }

    /// Writes there.
    pub fn writer(out: impl Write + Send + 'static) -> Self {
        let open = Open {
            out: Some(Box::new(out)),
            ..Open::default()
        };
        NdjsonSink {
            file: None,
            open: Mutex::new(open),
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, why: impl fmt::Display) -> Error {
        let name = match &self.file {
            Some(file) => file.display().to_string(),
            None => "the output".to_owned(),
        };
        // The next batch is not tried for long: who has seen a few of them fail gives up.
        Error::new(ErrorKind::Sink, format!("{name} cannot be written: {why}")).retryable(true)
    }
}

impl Open {
    /// Opens a file to be replaced, or what is no file on a disk.
    fn of(file: &Path) -> io::Result<Open> {
        // A link is followed, so that it stays one.
        let file = match fs::canonicalize(file) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => file.to_owned(),
            Err(error) => return Err(error),
        };
        let (out, whole) = match fs::metadata(&file) {
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(there) if !there.is_file() => (OpenOptions::new().write(true).open(file)?, None),
            _ => {
                let out = File::create(beside(&file, "partial"))?;
                (out, Some(Whole { file, written: 0 }))
            }
        };
        Ok(Open {
            out: Some(Box::new(out)),
            whole,
            broken: None,
        })
    }

    fn put(&mut self, entities: &[Entity]) -> Result<(), String> {
        let mut lines = Vec::new();
        for entity in entities {
            serde_json::to_writer(&mut lines, entity).map_err(|error| error.to_string())?;
            lines.push(b'\n');
        }
        let out = match (&mut self.out, &self.broken) {
            (Some(out), _) => out,
            (None, Some(broken)) => return Err(broken.clone()),
            (None, None) => return Err("it is not open".to_owned()),
        };
        if let Err(error) = out.write_all(&lines).and_then(|()| out.flush()) {
            self.out = None;
            let broken = self.broken.insert(error.to_string());
            return Err(broken.clone());
        }
        if let Some(whole) = &mut self.whole {
            whole.written += lines.len() as u64;
        }
        Ok(())
    }
}

impl Whole {
    /// Puts the file into its place.
    fn keep(self) -> io::Result<()> {
        let partial = beside(&self.file, "partial");
        File::open(&partial)?.sync_all()?;
        fs::rename(&partial, &self.file)
    }

    /// Leaves the file as it was, and the lines beside it.
    fn set_aside(self) -> io::Result<PathBuf> {
        let (partial, incomplete) = (
            beside(&self.file, "partial"),
            beside(&self.file, "incomplete"),
        );
        let lines = OpenOptions::new().write(true).open(&partial)?;
        lines.set_len(self.written)?;
        fs::rename(&partial, &incomplete)?;
        Ok(incomplete)
    }
}

#[async_trait]
impl Sink for NdjsonSink {
    async fn begin(&self) -> Result<Mark, Error> {
        if let Some(file) = &self.file {
            *self.open() = Open::of(file).map_err(|error| self.failed(error))?;
        }
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        let put = self.open().put(&entities);
        put.map_err(|why| self.failed(why))?;
        Ok(Written {
            upserted: entities.len() as u64,
            ..Written::default()
        })
    }

    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        let mut reconciled = Reconciled::default();
        let mut open = self.open();
        let Some(whole) = open.whole.take() else {
            return Ok(reconciled);
        };
        // Closed before it is moved.
        drop(open.out.take());
        drop(open);
        let file = whole.file.clone();
        match evidence.shortfall() {
            None => whole.keep().map_err(|error| {
                let partial = beside(&file, "partial");
                self.failed(format!(
                    "{error}; what was read is in {}",
                    partial.display()
                ))
            })?,
            Some(why) => {
                let incomplete = whole.set_aside().map_err(|error| self.failed(error))?;
                reconciled.errors.push(format!(
                    "{} is left as it was, and what was read is in {}: {why}",
                    file.display(),
                    incomplete.display()
                ));
            }
        }
        Ok(reconciled)
    }
}

/// A sync that was cancelled comes to no reconcile: what it wrote is not taken for the whole either.
impl Drop for NdjsonSink {
    fn drop(&mut self) {
        let mut open = self.open();
        drop(open.out.take());
        if let Some(whole) = open.whole.take() {
            // Nobody is left to be told.
            let _ = whole.set_aside();
        }
    }
}

impl fmt::Debug for NdjsonSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdjsonSink")
            .field("file", &self.file)
            .finish_non_exhaustive()
    }
}

/// `users.ndjson` and `partial` give `users.ndjson.partial`.
fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}
