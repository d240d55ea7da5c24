//! Entities on their way from the reader of a resource to the writer, who takes one resource after the other.

use std::collections::VecDeque;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use longshore_mapping::Entity;
use tokio::sync::Notify;

use crate::spool::{Kept, Spool};

/// Batches that wait in memory.
const WAITING: usize = 4;

/// Batches of entities of one resource, in order.
///
/// While it is the resource's turn to be written, its reader waits for the writer. Before that it never waits: what does not fit goes to
/// the spool, so that no resource stands in the way of another, and the order of writing is still that of the mapping.
#[derive(Debug)]
pub(crate) struct Queue {
    spool: Spool,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Batch>,
    used: bool,
    /// Entities that nobody has said to be written.
    unwritten: u64,
    /// Of them, those of the batch that was taken last.
    taken: u64,
    being_written: bool,
    finished: bool,
}

#[derive(Debug)]
enum Batch {
    Here(Vec<Entity>),
    Spooled { kept: Kept, entities: u64 },
}

/// A batch that was spooled and cannot be read back.
#[derive(Debug)]
pub(crate) struct Lost {
    /// How many entities it held.
    pub(crate) entities: u64,
    pub(crate) error: io::Error,
}

impl Queue {
    pub(crate) fn new(spool: Spool) -> Self {
        Queue {
            spool,
            state: Mutex::default(),
            changed: Notify::new(),
        }
    }

    /// Adds a batch, as soon as there is room where it must wait for room.
    ///
    /// # Errors
    /// The batch has to go to the spool and cannot.
    pub(crate) async fn push(&self, batch: Vec<Entity>) -> io::Result<()> {
        let mut batch = Some(batch);
        loop {
            let changed = self.changed.notified();
            {
                let mut state = self.lock();
                let has_room = state.waiting.len() < WAITING;
                if let Some(entities) = batch.take_if(|_| has_room || !state.being_written) {
                    state.used = true;
                    state.unwritten += entities.len() as u64;
                    let batch = match has_room {
                        true => Batch::Here(entities),
                        false => Batch::Spooled {
                            kept: self.spool.keep(serde_json::to_vec(&entities)?)?,
                            entities: entities.len() as u64,
                        },
                    };
                    state.waiting.push_back(batch);
                }
            }
            if batch.is_none() {
                self.changed.notify_waiters();
                return Ok(());
            }
            changed.await;
        }
    }

    /// Whether any batch was added.
    pub(crate) fn was_used(&self) -> bool {
        self.lock().used
    }

    /// The batch that was taken last has been written, or was tried.
    pub(crate) fn written(&self) {
        let mut state = self.lock();
        state.unwritten -= std::mem::take(&mut state.taken);
    }

    /// How many entities were not even tried to be written.
    pub(crate) fn unwritten(&self) -> u64 {
        self.lock().unwritten
    }

    /// No batch comes any more.
    pub(crate) fn finish(&self) {
        self.lock().finished = true;
        self.changed.notify_waiters();
    }

    /// The next batch, now that it is the resource's turn; `None` after the last.
    ///
    /// # Errors
    /// The batch was spooled and cannot be read back.
    pub(crate) async fn next(&self) -> Option<Result<Vec<Entity>, Lost>> {
        loop {
            let changed = self.changed.notified();
            let batch = {
                let mut state = self.lock();
                state.being_written = true;
                let batch = state.waiting.pop_front();
                if batch.is_none() && state.finished {
                    return None;
                }
                state.taken = batch.as_ref().map_or(0, Batch::count);
                batch
            };
            match batch {
                None => changed.await,
                Some(batch) => {
                    self.changed.notify_waiters();
                    return Some(batch.entities());
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    fn count(&self) -> u64 {
        match self {
            Batch::Here(entities) => entities.len() as u64,
            Batch::Spooled { entities, .. } => *entities,
        }
    }

    fn entities(self) -> Result<Vec<Entity>, Lost> {
        match self {
            Batch::Here(entities) => Ok(entities),
            Batch::Spooled { kept, entities } => kept
                .with(|bytes| serde_json::from_slice(bytes))
                .and_then(|batch| Ok(batch?))
                .map_err(|error| Lost { entities, error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use longshore_mapping::Identifier;
    use serde_json::json;

    use super::*;

    fn batch(n: u64) -> Vec<Entity> {
        let mut entity = Entity::new("user", n.to_string());
        entity.title = Some(json!(n));
        entity.properties = [
            ("third".to_owned(), json!(1.0 / 3.0)),
            ("small".to_owned(), json!(5e-324)),
            ("large".to_owned(), json!(u64::MAX)),
            ("none".to_owned(), json!(null)),
        ]
        .into_iter()
        .collect();
        let search = Entity::new(
            "user",
            Identifier::Search(json!({"combinator": "and", "rules": []})),
        );
        vec![entity, search]
    }

    async fn take(queue: &Queue) -> Vec<Entity> {
        queue.next().await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn batches_come_in_order_whether_they_waited_in_memory_or_in_the_file() {
        let queue = Queue::new(Spool::new(0));
        for n in 0..20 {
            queue.push(batch(n)).now_or_never().unwrap().unwrap();
        }
        queue.finish();
        for n in 0..20 {
            assert_eq!(take(&queue).await, batch(n));
        }
        assert!(queue.next().await.is_none());
    }

    #[tokio::test]
    async fn a_reader_waits_for_the_writer_only_while_it_is_its_turn() {
        let queue = Queue::new(Spool::new(0));
        for n in 0..10 {
            assert!(queue.push(batch(n)).now_or_never().is_some());
        }
        take(&queue).await;
        let mut push = std::pin::pin!(queue.push(batch(10)));
        assert!((&mut push).now_or_never().is_none());
        for _ in 1..10 {
            take(&queue).await;
        }
        push.await.unwrap();
        assert_eq!(take(&queue).await, batch(10));
    }
}
