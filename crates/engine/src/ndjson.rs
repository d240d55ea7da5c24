//! Entities as lines of JSON, in a file or wherever bytes go.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use longshore_mapping::Entity;

use crate::error::{Error, ErrorKind};
use crate::sink::{Evidence, Mark, Reconciled, Sink, Written};

/// Writes each entity as one line of JSON, in the form that Port takes.
///
/// **A file** is there in full or not at all: lines go to `FILE.partial`, which takes the place of `FILE` at the end, where everything was read to
/// a proven end. Where it was not, what `FILE` has stays, the lines are in `FILE.incomplete`, and the report says why. Two entities that are
/// the same in Port are two lines.
///
/// **A writer**, stdout for one, gets the lines as they come; whether they are all says the report alone.
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
    out: Mutex<Option<Box<dyn Write + Send>>>,
}

impl NdjsonSink {
    /// Writes this file.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        NdjsonSink {
            file: Some(path.into()),
            out: Mutex::default(),
        }
    }

    /// Writes to stdout.
    pub fn stdout() -> Self {
        NdjsonSink::writer(io::stdout())
    }

    /// Writes there.
    pub fn writer(out: impl Write + Send + 'static) -> Self {
        NdjsonSink {
            file: None,
            out: Mutex::new(Some(Box::new(BufWriter::new(out)))),
        }
    }

    fn out(&self) -> MutexGuard<'_, Option<Box<dyn Write + Send>>> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn name(&self) -> String {
        match &self.file {
            Some(file) => file.display().to_string(),
            None => "the output".to_owned(),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::quoting(
            ErrorKind::Sink,
            format!("{} cannot be written: {error}", self.name()),
            error,
        )
    }

    fn put(&self, entities: &[Entity]) -> io::Result<()> {
        let mut out = self.out();
        let Some(out) = out.as_mut() else {
            return Err(io::Error::other("it is not open"));
        };
        for entity in entities {
            serde_json::to_writer(&mut *out, entity)?;
            out.write_all(b"\n")?;
        }
        out.flush()
    }
}

#[async_trait]
impl Sink for NdjsonSink {
    async fn begin(&self) -> Result<Mark, Error> {
        if let Some(file) = &self.file {
            let opened = File::create(beside(file, "partial"));
            let opened = opened.map_err(|error| self.failed(error))?;
            *self.out() = Some(Box::new(BufWriter::new(opened)));
        }
        Ok(Mark::default())
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        self.put(&entities).map_err(|error| self.failed(error))?;
        Ok(Written {
            upserted: entities.len() as u64,
            ..Written::default()
        })
    }

    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        let mut reconciled = Reconciled::default();
        let Some(file) = &self.file else {
            return Ok(reconciled);
        };
        // Closed before it is moved.
        drop(self.out().take());
        let (partial, incomplete) = (beside(file, "partial"), beside(file, "incomplete"));
        match evidence.shortfall() {
            None => File::open(&partial)
                .and_then(|written| written.sync_all())
                .and_then(|()| fs::rename(&partial, file))
                .map_err(|error| self.failed(error))?,
            Some(why) => {
                fs::rename(&partial, &incomplete).map_err(|error| self.failed(error))?;
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
        if let Some(file) = &self.file
            && self.out().take().is_some()
        {
            let _ = fs::rename(beside(file, "partial"), beside(file, "incomplete"));
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
