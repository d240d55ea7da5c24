use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Error, ErrorKind};

/// Keeps what a login must remember from one run to the next: a refresh token that the server replaces at each use.
///
/// # Contract
///
/// - [`load`](TokenStore::load) gives what [`save`](TokenStore::save) was last given under this key, or `None`.
/// - When `save` has returned, the value outlives the process, as far as the store promises that at all.
/// - A value that was there before is either whole or replaced whole, also when the process ends in the middle.
/// - Values are secrets: they are in no error and in no `Debug`.
#[async_trait]
pub trait TokenStore: fmt::Debug + Send + Sync + 'static {
    /// The value under `key`.
    ///
    /// # Errors
    ///
    /// The store cannot be read, or [`save`](TokenStore::save) is going to fail as far as that can be known: what is loaded is about to be used up. The login
    /// fails, before anything is sent.
    async fn load(&self, key: &str) -> Result<Option<SecretString>, Error>;

    /// Replaces the value under `key`.
    ///
    /// # Errors
    ///
    /// The store cannot be written. The login fails; the value is kept in memory and saved at the next one.
    async fn save(&self, key: &str, value: &SecretString) -> Result<(), Error>;
}

/// Forgets at the end of the process.
#[derive(Clone, Default)]
pub struct MemoryTokenStore(Arc<Mutex<BTreeMap<String, SecretString>>>);

impl MemoryTokenStore {
    /// An empty store. Clones are the same store.
    pub fn new() -> MemoryTokenStore {
        MemoryTokenStore::default()
    }
}

#[async_trait]
impl TokenStore for MemoryTokenStore {
    async fn load(&self, key: &str) -> Result<Option<SecretString>, Error> {
        let values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(values.get(key).cloned())
    }

    async fn save(&self, key: &str, value: &SecretString) -> Result<(), Error> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        values.insert(key.to_owned(), value.clone());
        Ok(())
    }
}

impl fmt::Debug for MemoryTokenStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryTokenStore").finish_non_exhaustive()
    }
}

/// One JSON file for any number of keys, readable by its owner alone (0600 on Unix), replaced atomically.
///
/// It is replaced once at each load too, with what is in it: a refresh token is not used up where the next could not be saved.
///
/// Several processes may share it: each save holds a lock on the file beside it (`….lock`) and keeps the keys of the others.
#[derive(Clone, Debug)]
pub struct FileTokenStore {
    path: Arc<Path>,
    /// Saves of this process, one after the other.
    saves: Arc<Mutex<()>>,
}

impl FileTokenStore {
    /// A store at `path`, whose directory must exist; the file need not.
    pub fn new(path: impl Into<PathBuf>) -> FileTokenStore {
        FileTokenStore {
            path: path.into().into(),
            saves: Arc::default(),
        }
    }

    /// Finds out whether it can be saved to, and leaves everything as it is: for a program that wants to know before it begins.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for a directory, another thing that is no file, and a place where nothing can be written.
    pub fn check(&self) -> Result<(), Error> {
        let is_other = |path: &Path| fs::metadata(path).is_ok_and(|found| !found.is_file());
        if is_other(&self.path) {
            let message = format!(
                "the token file {} is a directory or another thing that is no file; write the path of a file",
                self.path.display()
            );
            return Err(Error::new(ErrorKind::Config, message));
        }
        let lock = self.beside(".lock");
        // What is not there can be made where anything can.
        let opened = match lock.exists() {
            true => private(&lock).map(drop),
            false => Ok(()),
        };
        opened.map_err(|error| self.broken("cannot be locked", &error))?;
        let trial = self.beside(&format!(".{}.check", std::process::id()));
        let made = private(&trial).and_then(|_| match fs::remove_file(&trial) {
            // Another login of a process with this number, as in containers, has looked at the same time.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        });
        made.map_err(|error| self.broken("cannot be written", &error))
    }

    /// The value under `key`, where a save is going to succeed: whoever loads it is about to use it up.
    fn load_before_use(&self, key: &str) -> Result<Option<SecretString>, Error> {
        self.check()?;
        let (_turn, _lock) = self.lock()?;
        let mut values = self.read()?;
        // A file that is mounted alone can be read and opened, but not replaced.
        if self.path.exists() {
            self.replace(&values)
                .map_err(|error| self.broken("cannot be written", &error))?;
        }
        Ok(values.remove(key).map(SecretString::from))
    }

    fn read(&self) -> Result<BTreeMap<String, String>, Error> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
            Err(error) => return Err(self.broken("cannot be read", &error)),
        };
        // serde's words may quote what was found.
        serde_json::from_str(&text).map_err(|_| {
            let message = format!(
                "the token file {} is no file of tokens; remove it, and log in anew if the refresh token in it was the last",
                self.path.display()
            );
            Error::new(ErrorKind::Config, message)
        })
    }

    fn write(&self, key: &str, value: &SecretString) -> Result<(), Error> {
        let (_turn, _lock) = self.lock()?;
        let mut values = self.read()?;
        values.insert(key.to_owned(), value.expose_secret().to_owned());
        self.replace(&values)
            .map_err(|error| self.broken("cannot be written", &error))
    }

    /// Held until the end: threads of this process wait for the first, other processes for the second.
    fn lock(&self) -> Result<(MutexGuard<'_, ()>, File), Error> {
        let turn = self.saves.lock().unwrap_or_else(PoisonError::into_inner);
        let locked = (|| {
            let lock = private(&self.beside(".lock"))?;
            lock.lock()?;
            Ok(lock)
        })();
        match locked {
            Ok(lock) => Ok((turn, lock)),
            Err(error) => Err(self.broken("cannot be locked", &error)),
        }
    }

    /// What is there stays whole until the new file is whole.
    fn replace(&self, values: &BTreeMap<String, String>) -> io::Result<()> {
        let new = self.beside(&format!(".{}.new", std::process::id()));
        let result = (|| {
            let mut file = private(&new)?;
            file.set_len(0)?;
            file.write_all(&serde_json::to_vec_pretty(values)?)?;
            file.write_all(b"\n")?;
            file.sync_all()?;
            fs::rename(&new, &self.path)
        })();
        if result.is_err() {
            let _ = fs::remove_file(&new);
        }
        result
    }

    fn beside(&self, suffix: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    }

    fn broken(&self, what: &str, error: &io::Error) -> Error {
        let message = format!(
            "the token file {} {what}: {}; it and its directory must be writable",
            self.path.display(),
            error.kind()
        );
        Error::new(ErrorKind::Config, message)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&FileTokenStore) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .map_err(|_| {
                Error::new(
                    ErrorKind::Other,
                    "the runtime ended while the token file was used",
                )
            })?
    }
}

#[async_trait]
impl TokenStore for FileTokenStore {
    async fn load(&self, key: &str) -> Result<Option<SecretString>, Error> {
        let key = key.to_owned();
        self.blocking(move |store| store.load_before_use(&key))
            .await
    }

    async fn save(&self, key: &str, value: &SecretString) -> Result<(), Error> {
        let (key, value) = (key.to_owned(), value.clone());
        self.blocking(move |store| store.write(&key, &value)).await
    }
}

/// A file for its owner alone, made so before anything is in it.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
        let file = options.mode(0o600).open(path)?;
        // One that was left behind may be readable by others.
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
        Ok(file)
    }
    #[cfg(not(unix))]
    options.open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens.json");
        (directory, path)
    }

    async fn loaded(store: &impl TokenStore, key: &str) -> Option<String> {
        let value = store.load(key).await.unwrap()?;
        Some(value.expose_secret().to_owned())
    }

    #[tokio::test]
    async fn stores_give_back_what_was_saved_last_for_each_key() {
        async fn check(store: impl TokenStore) {
            assert_eq!(loaded(&store, "a").await, None);
            for value in ["one", "two"] {
                store.save("a", &SecretString::from(value)).await.unwrap();
            }
            store.save("b", &SecretString::from("three")).await.unwrap();
            assert_eq!(loaded(&store, "a").await.as_deref(), Some("two"));
            assert_eq!(loaded(&store, "b").await.as_deref(), Some("three"));
            assert!(!format!("{store:?}").contains("two"));
        }
        check(MemoryTokenStore::new()).await;
        let (_directory, path) = file();
        check(FileTokenStore::new(&path)).await;
        // Another process finds it.
        assert_eq!(
            loaded(&FileTokenStore::new(&path), "a").await.as_deref(),
            Some("two")
        );
    }

    #[test]
    fn logins_that_load_at_once_do_not_stand_in_each_others_way() {
        let (_directory, path) = file();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        FileTokenStore::new(&path).load_before_use("a").unwrap();
                    }
                });
            }
        });
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn the_file_is_its_owners_alone_and_never_half_written() {
        use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
        let (directory, path) = file();
        fs::write(&path, r#"{"old": "value"}"#).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        let before = fs::metadata(&path).unwrap().ino();
        let store = FileTokenStore::new(&path);
        store
            .save("a", &SecretString::from("s3cret"))
            .await
            .unwrap();
        let after = fs::metadata(&path).unwrap();
        assert_eq!(after.permissions().mode() & 0o777, 0o600);
        assert_ne!(after.ino(), before, "replaced, not written over");
        assert_eq!(loaded(&store, "old").await.as_deref(), Some("value"));
        let mut names: Vec<_> = fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        assert_eq!(
            names,
            ["tokens.json", "tokens.json.lock"],
            "nothing is left behind"
        );
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_file_is_said_without_what_is_in_it() {
        let (directory, path) = file();
        fs::write(&path, "s3cret").unwrap();
        let store = FileTokenStore::new(&path);
        let missing = FileTokenStore::new(directory.path().join("none/tokens.json"));
        for error in [
            store.load("a").await.unwrap_err(),
            store
                .save("a", &SecretString::from("s3cret"))
                .await
                .unwrap_err(),
            missing
                .save("a", &SecretString::from("s3cret"))
                .await
                .unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains("tokens.json"), "{error}");
            assert!(!format!("{error} {error:?}").contains("s3cret"));
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "s3cret", "left alone");
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_store_that_cannot_save_says_so_at_the_load_and_before() {
        use std::os::unix::fs::PermissionsExt as _;
        let (directory, path) = file();
        fs::create_dir(&path).unwrap();
        let nowhere = directory.path().join("none/tokens.json");
        let mut refused = vec![
            path.clone(),
            nowhere,
            directory.path().join(".."),
            "/proc/tokens.json".into(),
            "/dev/null".into(),
        ];
        // Somebody else's lock. Whoever may do everything may open it too.
        let locked = directory.path().join("locked.json");
        let lock = directory.path().join("locked.json.lock");
        fs::create_dir(&lock).unwrap();
        refused.push(locked);
        for path in &refused {
            let store = FileTokenStore::new(path);
            for error in [
                store.check().unwrap_err(),
                store.load("a").await.unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Config, "{}", path.display());
                assert!(
                    error.to_string().contains(&*path.to_string_lossy()),
                    "{error}"
                );
            }
        }
        // A check leaves nothing behind, and what is there as it is.
        let fine = directory.path().join("fine.json");
        fs::write(&fine, "{}").unwrap();
        fs::set_permissions(&fine, fs::Permissions::from_mode(0o444)).unwrap();
        let count = || fs::read_dir(directory.path()).unwrap().count();
        let before = count();
        FileTokenStore::new(&fine).check().unwrap();
        FileTokenStore::new(directory.path().join("new.json"))
            .check()
            .unwrap();
        assert_eq!(count(), before);
        assert_eq!(loaded(&FileTokenStore::new(&fine), "a").await, None);
    }

    #[tokio::test]
    async fn saves_at_the_same_time_lose_nothing() {
        let (_directory, path) = file();
        // Two stores, as two processes have.
        let stores = [FileTokenStore::new(&path), FileTokenStore::new(&path)];
        let saves = (0..20).map(|number| {
            let store = &stores[number % 2];
            async move {
                let value = SecretString::from(format!("value {number}"));
                store.save(&number.to_string(), &value).await.unwrap();
            }
        });
        futures::future::join_all(saves).await;
        for number in 0..20 {
            let value = loaded(&stores[0], &number.to_string()).await;
            assert_eq!(value, Some(format!("value {number}")));
        }
    }
}
