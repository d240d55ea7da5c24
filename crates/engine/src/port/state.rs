//! What a sync leaves behind for the next one: digests of the entities that Port has acknowledged.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind};
use crate::stable::StableHash;

/// Where a sync leaves what the next one needs to write only what has changed.
///
/// What is stored is opaque and brings its own version and checksum: an implementor keeps bytes, in a file, a bucket, a database.
/// Whatever is missing, cut or of another version only means that entities are compared with Port, never that one is not written.
///
/// # Contract
/// - `take` gives what was stored last and removes it, so that a sync that is killed leaves nothing behind that may be wrong by then. What was
///   taken must not come back.
/// - `store` replaces whatever is there, in one step: a reader sees the old bytes, the new ones or none.
#[async_trait]
pub trait SyncState: Send + Sync + fmt::Debug {
    /// Takes away what was stored last, if anything was.
    ///
    /// # Errors
    /// It cannot be read, or not be removed. It is not used then.
    async fn take(&self) -> Result<Option<Bytes>, Error>;

    /// Stores this for the next sync.
    ///
    /// # Errors
    /// It is not stored. The next sync compares with Port.
    async fn store(&self, state: Bytes) -> Result<(), Error>;
}

/// Keeps the state in this process, for one that runs on.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<Option<Bytes>>);

impl MemoryState {
    /// A state with nothing in it.
    pub fn new() -> Self {
        MemoryState::default()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl SyncState for MemoryState {
    async fn take(&self) -> Result<Option<Bytes>, Error> {
        Ok(self.lock().take())
    }

    async fn store(&self, state: Bytes) -> Result<(), Error> {
        *self.lock() = Some(state);
        Ok(())
    }
}

/// Keeps the state in a file, for a process that is started for each sync. One integration for each file.
#[derive(Debug)]
pub struct FileState(PathBuf);

impl FileState {
    /// The state in this file. Its folder has to be there.
    pub fn new(file: impl Into<PathBuf>) -> Self {
        FileState(file.into())
    }

    fn failed(&self, what: &str, error: io::Error) -> Error {
        Error::quoting(
            ErrorKind::Sink,
            format!(
                "the sync state {} cannot be {what}: {error}",
                self.0.display()
            ),
            error,
        )
    }
}

#[async_trait]
impl SyncState for FileState {
    async fn take(&self) -> Result<Option<Bytes>, Error> {
        let state = match fs::read(&self.0) {
            Ok(state) => state,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read", error)),
        };
        fs::remove_file(&self.0).map_err(|error| self.failed("removed", error))?;
        Ok(Some(state.into()))
    }

    async fn store(&self, state: Bytes) -> Result<(), Error> {
        replace(&self.0, &state).map_err(|error| self.failed("written", error))
    }
}

/// Writes beside the file and renames: the file is whole or not there.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".partial");
    let partial = file.with_file_name(name);
    let mut written = File::create(&partial)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    drop(written);
    fs::rename(partial, file)
}

/// Digests of what Port has acknowledged, and since when they hold.
#[derive(Debug, PartialEq)]
pub(super) struct Known {
    /// Ordered by entity and digest.
    pub(super) rows: Vec<Row>,
    /// The blueprints of all entities that are known.
    pub(super) blueprints: BTreeSet<String>,
    /// Rows that are not fresh hold for entities that were last updated before this, by Port's clock.
    pub(super) steady_before: SystemTime,
    /// Fresh ones before this.
    pub(super) fresh_before: SystemTime,
    /// When entities were last compared with what Port has, or all were written.
    pub(super) verified: SystemTime,
}

/// One entity as Port acknowledged it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Row {
    pub(super) key: u64,
    digest: [u8; 16],
    /// Written in the last sync.
    pub(super) fresh: bool,
}

impl Row {
    pub(super) fn new(key: u64, digest: u128, fresh: bool) -> Row {
        Row {
            key,
            digest: digest.to_be_bytes(),
            fresh,
        }
    }

    pub(super) fn digest(&self) -> u128 {
        u128::from_be_bytes(self.digest)
    }

    /// As a row of the syncs before.
    pub(super) fn steady(self) -> Row {
        Row {
            fresh: false,
            ..self
        }
    }

    /// What makes a row the same whether fresh or not.
    pub(super) fn identity(&self) -> (u64, [u8; 16]) {
        (self.key, self.digest)
    }
}

const MAGIC: &[u8] = b"longshore sync state 1\n";
const ROW: usize = 8 + 16 + 1;
const CHECKSUM: usize = 16;

#[derive(Deserialize, Serialize)]
struct Head {
    /// Of which integration, and written how.
    identity: String,
    blueprints: BTreeSet<String>,
    steady_before: u64,
    fresh_before: u64,
    verified: u64,
    rows: u64,
}

impl Known {
    /// Magic and version, one line of JSON, the rows, a checksum of all that.
    pub(super) fn encode(&self, identity: &str) -> Bytes {
        let head = Head {
            identity: identity.to_owned(),
            blueprints: self.blueprints.clone(),
            steady_before: milliseconds(self.steady_before),
            fresh_before: milliseconds(self.fresh_before),
            verified: milliseconds(self.verified),
            rows: self.rows.len() as u64,
        };
        let head = serde_json::json!(head).to_string();
        let size = MAGIC.len() + head.len() + 1 + self.rows.len() * ROW + CHECKSUM;
        let mut bytes = Vec::with_capacity(size);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(head.as_bytes());
        bytes.push(b'\n');
        for row in &self.rows {
            bytes.extend_from_slice(&row.key.to_be_bytes());
            bytes.extend_from_slice(&row.digest);
            bytes.push(u8::from(row.fresh));
        }
        let checksum = StableHash::of(&bytes).value();
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes.into()
    }

    /// `None` for anything that was not stored whole, by this version, for this identity.
    pub(super) fn decode(bytes: &[u8], identity: &str) -> Option<Known> {
        let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
        let rest = content.strip_prefix(MAGIC)?;
        if StableHash::of(content).value().to_be_bytes() != *checksum {
            return None;
        }
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (head, rows) = rest.split_at(end);
        let head: Head = serde_json::from_slice(head).ok()?;
        let (rows, rest) = rows.get(1..)?.as_chunks::<ROW>();
        if head.identity != identity || rows.len() as u64 != head.rows || !rest.is_empty() {
            return None;
        }
        let rows: Vec<Row> = rows
            .iter()
            .map(|row| {
                let mut key = [0; 8];
                let mut digest = [0; 16];
                key.copy_from_slice(&row[..8]);
                digest.copy_from_slice(&row[8..24]);
                Row {
                    key: u64::from_be_bytes(key),
                    digest,
                    fresh: row[24] != 0,
                }
            })
            .collect();
        Some(Known {
            rows: rows.is_sorted().then_some(rows)?,
            blueprints: head.blueprints,
            steady_before: time(head.steady_before),
            fresh_before: time(head.fresh_before),
            verified: time(head.verified),
        })
    }
}

fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

fn time(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH
        .checked_add(Duration::from_millis(milliseconds))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let mut rows: Vec<Row> = (0..100_u64)
            .map(|n| {
                Row::new(
                    n.wrapping_mul(0x9e37_79b9_7f4a_7c15),
                    u128::from(n) << 64,
                    n % 3 == 0,
                )
            })
            .collect();
        rows.sort_unstable();
        Known {
            rows,
            blueprints: BTreeSet::from(["team".to_owned(), "user".to_owned()]),
            steady_before: time(1_767_225_600_000),
            fresh_before: time(1_767_225_660_001),
            verified: time(1_767_225_600_000),
        }
    }

    #[test]
    fn what_is_stored_comes_back() {
        let bytes = known().encode("custom/mine");
        assert_eq!(Known::decode(&bytes, "custom/mine"), Some(known()));
        let empty = Known {
            rows: vec![],
            ..known()
        };
        assert_eq!(Known::decode(&empty.encode("x"), "x"), Some(empty));
    }

    #[test]
    fn what_was_stored_for_another_integration_is_not_used() {
        assert_eq!(
            Known::decode(&known().encode("custom/mine"), "custom/yours"),
            None
        );
    }

    #[test]
    fn what_was_cut_or_changed_anywhere_is_not_used() {
        let bytes = known().encode("custom/mine");
        for length in 0..bytes.len() {
            assert_eq!(
                Known::decode(&bytes[..length], "custom/mine"),
                None,
                "{length}"
            );
        }
        for position in 0..bytes.len() {
            let mut changed = bytes.to_vec();
            changed[position] ^= 0x10;
            assert_eq!(Known::decode(&changed, "custom/mine"), None, "{position}");
        }
        let mut longer = bytes.to_vec();
        longer.push(0);
        assert_eq!(Known::decode(&longer, "custom/mine"), None);
    }

    #[tokio::test]
    async fn a_state_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = FileState::new(folder.path().join("state"));
        let memory = MemoryState::new();
        for state in [&file as &dyn SyncState, &memory] {
            assert_eq!(state.take().await.unwrap(), None);
            state.store(Bytes::from_static(b"one")).await.unwrap();
            state.store(Bytes::from_static(b"two")).await.unwrap();
            assert_eq!(state.take().await.unwrap().as_deref(), Some(&b"two"[..]));
            assert_eq!(state.take().await.unwrap(), None, "{state:?}");
        }
        assert_eq!(
            fs::read_dir(folder.path()).unwrap().count(),
            0,
            "nothing is left behind"
        );
    }

    #[tokio::test]
    async fn a_state_that_cannot_be_kept_says_which_file() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = FileState::new(folder.path().join("no/such/folder/state"));
        let error = nowhere.store(Bytes::new()).await.unwrap_err().to_string();
        assert!(error.contains("no/such/folder/state"), "{error}");
        let no_file = FileState::new(folder.path());
        assert!(no_file.take().await.is_err());
    }
}
