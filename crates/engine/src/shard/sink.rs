//! What a shard leaves behind: a sink around another that keeps book of what goes through it.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use longshore_mapping::Entity;
use serde_json::{Value, json};

use super::{Shard, file_name};
use crate::error::{Error, ErrorKind};
use crate::sink::{
    Evidence, Mark, Reconciled, Sink, Written, related_identifiers, relation_queries,
};
use crate::stable::StableHash;
use crate::sync::Report;

/// The version of the files' format. Files of another version are refused.
pub(super) const VERSION: u64 = 1;

/// Writes what a shard produces into another sink, and its identifiers into a file.
///
/// Every entity is on file before it goes to the sink behind: one that fails to be written is not gone. The file is under its name only after
/// [`finish`](ShardSink::finish), and one of an earlier run is gone as soon as this one begins, so that a shard that was killed has none.
///
/// Nothing is ever removed through it: [`Sink::reconcile`] is not passed on.
#[derive(Debug)]
pub struct ShardSink<S> {
    inner: S,
    shard: Shard,
    identity: String,
    folder: PathBuf,
    book: Mutex<Kept>,
    unknown: Mutex<Vec<String>>,
}

/// What became of the book.
#[derive(Debug, Default)]
enum Kept {
    #[default]
    NotBegun,
    Open(Book),
    /// It could not be written to its end.
    Broken(Error),
}

#[derive(Debug)]
struct Book {
    file: BufWriter<File>,
    hash: StableHash,
    entities: u64,
}

impl<S: Sink> ShardSink<S> {
    /// Keeps book in this folder, which is made if it is not there. `identity` says what is read and how, so that files of different
    /// mappings are never taken for one sync; [`Config::identity`](crate::Config::identity) has it.
    pub fn new(
        inner: S,
        shard: Shard,
        identity: impl Into<String>,
        folder: impl Into<PathBuf>,
    ) -> Self {
        ShardSink {
            inner,
            shard,
            identity: identity.into(),
            folder: folder.into(),
            book: Mutex::default(),
            unknown: Mutex::default(),
        }
    }

    /// Puts the file under its name, with how the shard's reads ended.
    ///
    /// # Errors
    /// The file cannot be written, could not on the way, or the sync did not even begin: there is no file then, and nothing can be reconciled with it.
    pub fn finish(&self, report: &Report) -> Result<PathBuf, Error> {
        let file = self.folder.join(file_name(self.shard));
        let mut book = match std::mem::take(&mut *lock(&self.book)) {
            Kept::Open(book) => book,
            Kept::Broken(error) => return Err(error),
            Kept::NotBegun => {
                return Err(Error::new(
                    ErrorKind::Sink,
                    format!(
                        "{} is not written: the sync of this shard did not begin",
                        file.display()
                    ),
                ));
            }
        };
        let resources: Vec<Value> = report
            .resources
            .iter()
            .map(|resource| {
                json!({"kind": resource.kind, "outcome": resource.outcome, "cause": resource.cause})
            })
            .collect();
        let end = json!({"end": {
            "entities": book.entities,
            "resources": resources,
            "unknown": *lock(&self.unknown),
            "failure": report.errors.first(),
            "rejected": report.rejected,
            "checksum": book.hash.hex(),
        }});
        let written = book
            .file
            .write_all(format!("{end}\n").as_bytes())
            .and_then(|()| book.file.flush())
            .and_then(|()| book.file.get_ref().sync_all())
            .and_then(|()| fs::rename(self.partial(), &file));
        written.map_err(|error| cannot_write(&file, error))?;
        Ok(file)
    }

    fn partial(&self) -> PathBuf {
        self.folder
            .join(format!(".{}.partial", file_name(self.shard)))
    }

    /// Writes something into the book.
    fn keep(&self, note: impl FnOnce(&mut Book) -> io::Result<()>) -> Result<(), Error> {
        let mut kept = lock(&self.book);
        if let Kept::Open(book) = &mut *kept
            && let Err(error) = note(book)
        {
            // Without its book the shard proves nothing, so there must not be one.
            let error = cannot_write(&self.partial(), error);
            *kept = Kept::Broken(error.clone());
            return Err(error);
        }
        Ok(())
    }

    /// Begins the file.
    fn open(&self, mark: Mark) -> Result<Book, Error> {
        let file = self.folder.join(file_name(self.shard));
        let began = mark.0.map(milliseconds);
        let head = json!({
            "longshore": "shard",
            "version": VERSION,
            "identity": self.identity,
            "index": self.shard.index(),
            "count": self.shard.count(),
            "began": began,
        });
        let opened = fs::create_dir_all(&self.folder).and_then(|()| File::create(self.partial()));
        let mut book = Book {
            file: BufWriter::new(opened.map_err(|error| cannot_write(&file, error))?),
            hash: StableHash::new(),
            entities: 0,
        };
        book.line(&head)
            .map_err(|error| cannot_write(&file, error))?;
        Ok(book)
    }
}

impl Book {
    fn line(&mut self, line: &Value) -> io::Result<()> {
        let line = format!("{line}\n");
        self.hash.add(line.as_bytes());
        self.file.write_all(line.as_bytes())
    }

    /// Blueprint, identifier (null where it is a search query), and what it relates to, where that is something.
    fn note(&mut self, entity: &Entity) -> io::Result<()> {
        let related: Vec<Value> = related_identifiers(entity)
            .map(Value::from)
            .chain(relation_queries(entity).cloned())
            .collect();
        let mut line = vec![json!(entity.blueprint), json!(entity.identifier.as_str())];
        if !related.is_empty() {
            line.push(json!(related));
        }
        self.entities += 1;
        self.line(&Value::Array(line))
    }

    /// Which entities search queries stood for.
    fn note_looked_up(&mut self, looked_up: &[(String, String)]) -> io::Result<()> {
        looked_up
            .iter()
            .try_for_each(|found| self.line(&json!({ "looked_up": found })))
    }
}

#[async_trait]
impl<S: Sink> Sink for ShardSink<S> {
    async fn begin(&self) -> Result<Mark, Error> {
        forget_result(&self.folder, self.shard)?;
        let mark = self.inner.begin().await?;
        let book = self.open(mark)?;
        *lock(&self.book) = Kept::Open(book);
        Ok(mark)
    }

    async fn write(&self, entities: Vec<Entity>) -> Result<Written, Error> {
        self.keep(|book| entities.iter().try_for_each(|entity| book.note(entity)))?;
        let written = self.inner.write(entities).await?;
        self.keep(|book| book.note_looked_up(&written.looked_up))?;
        Ok(written)
    }

    async fn settle(&self) -> Result<Written, Error> {
        let written = self.inner.settle().await?;
        self.keep(|book| book.note_looked_up(&written.looked_up))?;
        Ok(written)
    }

    async fn reconcile(&self, evidence: Evidence) -> Result<Reconciled, Error> {
        *lock(&self.unknown) = evidence.seen().unknown.iter().cloned().collect();
        Ok(Reconciled::default())
    }
}

/// Takes away what an earlier run of this shard left behind in the folder. [`ShardSink`] does so when a sync begins; whoever has to ask for something
/// before that, Port for the mapping say, does it first: beside the new results of the other shards the old one would look like part of them.
///
/// # Errors
/// There is one, and it cannot be removed.
pub fn forget_result(folder: &Path, shard: Shard) -> Result<(), Error> {
    let file = folder.join(file_name(shard));
    match fs::remove_file(&file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Error::quoting(
            ErrorKind::Sink,
            format!(
                "{} of an earlier run cannot be removed: {error}",
                file.display()
            ),
            error,
        )),
        _ => Ok(()),
    }
}

pub(super) fn milliseconds(time: SystemTime) -> u64 {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn cannot_write(file: &Path, error: io::Error) -> Error {
    Error::quoting(
        ErrorKind::Sink,
        format!("{} cannot be written: {error}", file.display()),
        error,
    )
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
