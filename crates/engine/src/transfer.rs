//! From the API to the sink: resources are read side by side and written one after the other.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::{Either, join, join_all, select};
use futures::{FutureExt, StreamExt};
use longshore_mapping::Entity;
use tokio::sync::SetOnce;
use tracing::Instrument;

use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind};
use crate::outcome::{Cause, Outcome};
use crate::queue::{Lost, Queue};
use crate::resource::Resource;
use crate::session::Session;
use crate::sink::Seen;
use crate::spool::{IN_MEMORY, Spool};
use crate::stream::{EntityStream, Progress};
use crate::sync::Writing;

/// Entities handed to the sink at once.
const BATCH: usize = 200;
/// A first resource that gives nothing for so long keeps the others waiting no longer.
const QUIET: Duration = Duration::from_secs(5);

/// Reads the resources side by side and writes what they give in their order. Says how each read ended.
pub(crate) async fn transfer(
    session: Session,
    resources: &[&Resource],
    cancel: &Cancel,
    writing: &mut Writing<'_>,
) -> Vec<Outcome> {
    let spool = Spool::new(IN_MEMORY);
    let seen = writing.seen;
    let start = Start(session.demand());
    if resources.len() == 1 {
        start.now();
    }
    let lanes: Vec<Lane> = resources
        .iter()
        .map(|resource| Lane::new(resource, &spool))
        .collect();
    let readers = resources.iter().zip(&lanes).enumerate();
    let readers = readers.map(|(n, (resource, lane))| {
        let start = &start;
        let entities =
            EntityStream::following(session.clone(), (*resource).clone(), lane.progress.clone());
        let read = async move {
            let wait = async {
                if n > 0 {
                    start.wait().await;
                }
            };
            match cancel.unless_cancelled(wait).await {
                Some(()) => lane.read(entities, start, cancel, seen).await,
                None => lane.queue.finish(),
            }
        };
        read.instrument(tracing::info_span!("resource", kind = lane.kind))
    });
    let readers: Vec<_> = readers.collect();
    // What is shared lives as long as somebody reads.
    drop(session);
    let read = join(join_all(readers), start.after_quiet(lanes.first()));
    let write = async {
        for (n, lane) in lanes.iter().enumerate() {
            if n > 0 {
                start.now();
            }
            lane.write(&start, writing)
                .instrument(tracing::info_span!("resource", kind = lane.kind))
                .await;
            if writing.is_given_up() {
                break;
            }
        }
    };
    let write = async {
        tokio::select! {
            () = write => {}
            () = cancel.out_of_time() => {}
        }
    };
    // The writer is the last to be done, or gives up: then the rest is not read.
    match select(pin!(write), pin!(read)).await {
        Either::Left(((), _)) => {}
        Either::Right((_, write)) => write.await,
    }
    let short = lanes.iter().filter(|lane| lane.queue.unwritten() > 0);
    writing.not_loaded.extend(short.map(|lane| lane.place));
    let unwritten = lanes.iter().map(|lane| lane.queue.unwritten()).sum();
    if unwritten > 0 {
        let why = match cancel.is_cancelled() {
            true => "cancelled before they were written",
            false => "what came before them could not be written, so they were not tried",
        };
        writing.note_failure(unwritten, &Error::new(ErrorKind::Sink, why));
    }
    lanes.iter().map(|lane| lane.outcome(cancel)).collect()
}

/// One resource on its way.
struct Lane<'a> {
    kind: &'a str,
    place: usize,
    progress: Progress,
    queue: Queue,
}

impl<'a> Lane<'a> {
    fn new(resource: &'a Resource, spool: &Spool) -> Self {
        Lane {
            kind: resource.kind(),
            place: resource.place(),
            progress: Progress::default(),
            queue: Queue::new(spool.clone()),
        }
    }

    /// Puts the entities into the queue, in batches.
    async fn read(
        &self,
        entities: EntityStream,
        start: &Start,
        cancel: &Cancel,
        seen: &Mutex<Seen>,
    ) {
        if let Err(error) = self.enqueue(entities, start, cancel, seen).await {
            let folder = tempfile::env::temp_dir();
            let what = format!(
                "what has to wait for the sink cannot be kept in {}: {error}",
                folder.display()
            );
            self.progress.give_up(Cause::new("SpoolFailed", what));
        }
        self.queue.finish();
    }

    async fn enqueue(
        &self,
        mut entities: EntityStream,
        start: &Start,
        cancel: &Cancel,
        seen: &Mutex<Seen>,
    ) -> std::io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let item = match entities.next().now_or_never() {
                Some(item) => item,
                None => {
                    if !start.is_now() {
                        // The others wait for the sink to take something.
                        self.hand(&mut batch).await?;
                    }
                    cancel.unless_cancelled(entities.next()).await.flatten()
                }
            };
            if cancel.is_cancelled() {
                entities.cancel();
            }
            match item {
                None => return self.hand(&mut batch).await,
                // Errors are counted in the outcome and told to the observer as they happen.
                Some(Err(_)) => {}
                Some(Ok(entity)) => {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.note(&entity);
                    batch.push(entity);
                }
            }
            if batch.len() == BATCH {
                self.hand(&mut batch).await?;
            }
        }
    }

    async fn hand(&self, batch: &mut Vec<Entity>) -> std::io::Result<()> {
        match batch.is_empty() {
            true => Ok(()),
            false => self.queue.push(std::mem::take(batch)).await,
        }
    }

    /// Writes what comes out of the queue.
    async fn write(&self, start: &Start, writing: &mut Writing<'_>) {
        while let Some(batch) = self.queue.next().await {
            match batch {
                Ok(batch) => {
                    writing.write(self.kind, self.place, batch).await;
                    self.queue.written();
                }
                Err(Lost { entities, error }) => {
                    let what =
                        format!("what had to wait for the sink cannot be read back: {error}");
                    writing.not_loaded.insert(self.place);
                    writing.note_failure(entities, &Error::new(ErrorKind::Sink, what));
                    self.queue.written();
                }
            }
            if writing.is_given_up() {
                return;
            }
            if !writing.is_away() {
                start.now();
            }
        }
    }

    fn outcome(&self, cancel: &Cancel) -> Outcome {
        if self.progress.has_begun() {
            return self.progress.outcome();
        }
        match cancel.is_cancelled() {
            true => Outcome::cancelled_before(),
            false => Outcome::not_read(
                "what was read before it could not be written, so it was not asked for",
            ),
        }
    }
}

/// When the resources after the first are read: once the sink has taken something, so that an API is not read for a sink that is away.
/// Or once the first has nothing for it, or waits for what another one reads.
#[derive(Debug)]
struct Start(Arc<SetOnce<()>>);

impl Start {
    fn now(&self) {
        // Whoever was first is as good as any.
        let _ = self.0.set(());
    }

    fn is_now(&self) -> bool {
        self.0.initialized()
    }

    async fn wait(&self) {
        self.0.wait().await;
    }

    async fn after_quiet(&self, first: Option<&Lane<'_>>) {
        tokio::time::sleep(QUIET).await;
        if first.is_none_or(|lane| !lane.queue.was_used()) {
            self.now();
        }
    }
}
