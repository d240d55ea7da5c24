//! A place for what has to wait: in memory up to a limit, in a temporary file past it.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one spool keeps in memory, in bytes.
pub(crate) const IN_MEMORY: usize = 8 << 20;

/// Keeps pieces of bytes until they are dropped. Clones share the limit and the file.
///
/// The file has no name from its first moment on, so that it is gone with the last handle to it, however the process ends. Reading and
/// writing it blocks: pieces are small, and what was just written is in the system's cache.
#[derive(Clone)]
pub(crate) struct Spool(Arc<Mutex<State>>);

struct State {
    limit: usize,
    /// Bytes of the pieces in memory.
    held: usize,
    file: Option<File>,
    /// Where the next piece goes in the file.
    end: u64,
    /// Pieces in the file. Without any, it is empty again.
    filed: usize,
}

/// One piece, as long as it is kept.
pub(crate) struct Kept {
    spool: Spool,
    place: Place,
}

enum Place {
    Memory(Vec<u8>),
    File { offset: u64, length: usize },
}

impl Spool {
    pub(crate) fn new(limit: usize) -> Self {
        Spool(Arc::new(Mutex::new(State {
            limit,
            held: 0,
            file: None,
            end: 0,
            filed: 0,
        })))
    }

    /// Keeps a piece.
    ///
    /// # Errors
    /// There is no room in memory, and the temporary file cannot be made or written.
    pub(crate) fn keep(&self, bytes: Vec<u8>) -> io::Result<Kept> {
        let mut state = self.lock();
        let place = if state.held + bytes.len() <= state.limit {
            state.held += bytes.len();
            Place::Memory(bytes)
        } else {
            state.file(&bytes)?
        };
        Ok(Kept {
            spool: self.clone(),
            place,
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn file(&mut self, bytes: &[u8]) -> io::Result<Place> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(tempfile::tempfile()?),
        };
        file.seek(SeekFrom::Start(self.end))?;
        file.write_all(bytes)?;
        let place = Place::File {
            offset: self.end,
            length: bytes.len(),
        };
        self.end += bytes.len() as u64;
        self.filed += 1;
        Ok(place)
    }

    fn read(&mut self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let file = self
            .file
            .as_mut()
            .ok_or_else(|| io::Error::other("the temporary file is gone"))?;
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(offset))?;
        file.read_exact(&mut bytes)?;
        Ok(bytes)
    }
}

impl Kept {
    /// Does something with the bytes.
    ///
    /// # Errors
    /// The temporary file cannot be read.
    pub(crate) fn with<T>(&self, read: impl FnOnce(&[u8]) -> T) -> io::Result<T> {
        match &self.place {
            Place::Memory(bytes) => Ok(read(bytes)),
            Place::File { offset, length } => {
                let bytes = self.spool.lock().read(*offset, *length)?;
                Ok(read(&bytes))
            }
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut state = self.spool.lock();
        match &self.place {
            Place::Memory(bytes) => state.held -= bytes.len(),
            Place::File { .. } => {
                state.filed -= 1;
                if state.filed == 0 {
                    state.end = 0;
                    // A file that stays long costs room on a disk and nothing else.
                    let _ = state.file.as_ref().map(|file| file.set_len(0));
                }
            }
        }
    }
}

impl fmt::Debug for Spool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("Spool")
            .field("held", &state.held)
            .field("filed", &state.filed)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(kept: &Kept) -> Vec<u8> {
        kept.with(<[u8]>::to_vec).unwrap()
    }

    fn in_file(kept: &Kept) -> bool {
        matches!(kept.place, Place::File { .. })
    }

    #[test]
    fn what_is_past_the_limit_goes_to_the_file_and_comes_back_as_it_was() {
        let spool = Spool::new(10);
        let pieces: Vec<Kept> = (0..5_u8).map(|n| spool.keep(vec![n; 4]).unwrap()).collect();
        assert_eq!(
            pieces.iter().map(in_file).collect::<Vec<_>>(),
            [false, false, true, true, true]
        );
        for (n, piece) in (0..5_u8).zip(&pieces) {
            assert_eq!(bytes(piece), [n; 4]);
        }
    }

    #[test]
    fn what_is_dropped_makes_room_in_memory_and_in_the_file() {
        let spool = Spool::new(4);
        let first = spool.keep(vec![1; 4]).unwrap();
        let second = spool.keep(vec![2; 4]).unwrap();
        assert!(in_file(&second));
        drop((first, second));
        assert_eq!(spool.lock().end, 0, "the file is empty again");
        let third = spool.keep(vec![3; 4]).unwrap();
        assert!(!in_file(&third));
        assert_eq!(bytes(&third), [3; 4]);
    }
}
