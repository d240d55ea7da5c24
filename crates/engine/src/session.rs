//! What the reads of one sync share: the API and the lists of parents.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use longshore_nested::ChildRequest;
use tokio::sync::SetOnce;
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::children::cap_of;
use crate::fetch::{Api, Opening};
use crate::pages::{Pages, RecordPage};
use crate::parameters::{ParentList, Projection, ReadIdentity, Source};
use crate::resource::Resource;
use crate::shard::Shard;
use crate::shared::{Chunk, Ended, Hits, Log, spool_failed};
use crate::spool::{IN_MEMORY, Spool};

/// One run over an API. Parents that several resources need are read once in it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) api: Arc<Api>,
    shared: Arc<Shared>,
    shard: Option<Shard>,
    /// The moment that windows of time are counted from, the same for all of them.
    pub(crate) now: SystemTime,
}

struct Shared {
    spool: Spool,
    /// Who needs which list.
    lists: HashMap<ListKey, Need>,
    reads: Mutex<HashMap<Key, Arc<Read>>>,
    /// How many resources have still to read a list of this lineage for themselves.
    publishers: Mutex<HashMap<ReadIdentity, usize>>,
    /// Somebody waits for what another resource reads.
    demand: Arc<SetOnce<()>>,
}

/// What is known of a list before it is read.
#[derive(Default)]
struct Need {
    projections: Vec<Arc<Projection>>,
    followers: usize,
    repeated: bool,
}

/// A list, and how many results count as all that the API gives: where that differs, so does what is made of the same answers.
type ListKey = (ReadIdentity, Option<u64>);

/// One list with its values in it.
type Key = (ListKey, String);

/// A list that is read, or was, or will be.
pub(crate) struct Read {
    pub(crate) log: Arc<Log>,
    key: Key,
    lineage: ReadIdentity,
    /// Ends the read when nobody holds it any more; none where a resource reads it.
    _driver: Option<AbortOnDropHandle<()>>,
    /// A resource has begun to fill it.
    published: Mutex<bool>,
}

impl Session {
    /// A run over these resources.
    pub(crate) fn new<'a>(
        api: Arc<Api>,
        resources: impl IntoIterator<Item = &'a Resource>,
    ) -> Self {
        let mut lists: HashMap<ListKey, Need> = HashMap::new();
        let mut publishers: HashMap<ReadIdentity, usize> = HashMap::new();
        for resource in resources {
            for level in &resource.parts().levels {
                if let Source::List(parents) = &level.source {
                    let cap = cap_of(resource, &parents.list);
                    let list = (parents.identity.clone(), cap);
                    lists.entry(list).or_default().add(parents);
                }
            }
            if resource.parts().embedded.is_none() {
                *publishers
                    .entry(resource.parts().lineage.clone())
                    .or_default() += 1;
            }
        }
        Session {
            now: api.client.clock().wall(),
            api,
            shared: Arc::new(Shared {
                spool: Spool::new(IN_MEMORY),
                lists,
                reads: Mutex::default(),
                publishers: Mutex::new(publishers),
                demand: Arc::default(),
            }),
            shard: None,
        }
    }

    /// Reads this part of everything.
    pub(crate) fn shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        match shard {
            // A part of the children is no whole list of parents.
            Some(_) => self.without_publishers(),
            None => self,
        }
    }

    /// Nobody but those who need parents reads anything.
    pub(crate) fn without_publishers(self) -> Self {
        lock(&self.shared.publishers).clear();
        self
    }

    /// Whether a child is read here, and not by another shard. `share` is equal for what is to stay together.
    pub(crate) fn reads_child(&self, share: impl FnOnce() -> String) -> bool {
        self.shard.is_none_or(|shard| shard.holds(&share()))
    }

    /// Is set when a resource waits for what another one reads.
    pub(crate) fn demand(&self) -> Arc<SetOnce<()>> {
        self.shared.demand.clone()
    }

    /// The read of a parents' list with its values in it, and whether it was begun for this. A resource that reads the same list is waited for.
    pub(crate) fn read(
        &self,
        kind: &str,
        parents: &ParentList,
        opening: &Opening,
        cap: Option<u64>,
    ) -> (Arc<Read>, bool) {
        let key = ((parents.identity.clone(), cap), opening.identity());
        let mut reads = lock(&self.shared.reads);
        if let Some(read) = reads.get(&key) {
            return (read.clone(), false);
        }
        let is_published =
            cap.is_none() && lock(&self.shared.publishers).contains_key(&parents.lineage);
        let read = match is_published {
            true => {
                // Whoever came first is as good as any.
                let _ = self.shared.demand.set(());
                self.unread(key.clone(), parents.lineage.clone())
            }
            false => self.begun(kind, key.clone(), parents, opening, cap),
        };
        reads.insert(key, read.clone());
        (read, !is_published)
    }

    /// Another read of the same list, after one that failed (R13), and whether it was begun for this.
    pub(crate) fn read_again(
        &self,
        kind: &str,
        parents: &ParentList,
        opening: &Opening,
        cap: Option<u64>,
        failed: &Arc<Read>,
    ) -> (Arc<Read>, bool) {
        let key = ((parents.identity.clone(), cap), opening.identity());
        let mut reads = lock(&self.shared.reads);
        match reads.get(&key) {
            Some(read) if !Arc::ptr_eq(read, failed) => (read.clone(), false),
            _ => {
                let read = self.begun(kind, key.clone(), parents, opening, cap);
                reads.insert(key, read.clone());
                (read, true)
            }
        }
    }

    /// One follower needs a read no longer.
    pub(crate) fn is_done_with(&self, read: &Arc<Read>) {
        if read.log.is_done_with() {
            let mut reads = lock(&self.shared.reads);
            if reads
                .get(&read.key)
                .is_some_and(|known| Arc::ptr_eq(known, read))
            {
                reads.remove(&read.key);
            }
        }
    }

    /// Which of the columns of a read's chunks a list's projection is.
    pub(crate) fn column(&self, read: &Read, parents: &ParentList) -> usize {
        let projections = self.projections(&read.key.0);
        let column = projections
            .iter()
            .position(|projection| projection.key == parents.projection.key);
        column.unwrap_or(usize::MAX)
    }

    /// Makes the records that a resource reads available to those who need them as parents, where anybody does.
    pub(crate) fn publish(
        &self,
        resource: &Resource,
        request: &ChildRequest,
    ) -> Option<Publication> {
        let lineage = &resource.parts().lineage;
        let list = (resource.parts().identity.clone(), None);
        let projections = self.projections(&list);
        if projections.is_empty() || !lock(&self.shared.publishers).contains_key(lineage) {
            return None;
        }
        let key = (list, request.identity());
        let mut reads = lock(&self.shared.reads);
        let read = reads
            .entry(key.clone())
            .or_insert_with(|| self.unread(key, lineage.clone()))
            .clone();
        let mut published = lock(&read.published);
        if *published || read._driver.is_some() || read.log.has_ended() || read.lineage != *lineage
        {
            return None;
        }
        *published = true;
        Some(Publication {
            api: self.api.clone(),
            log: read.log.clone(),
            projections,
            hits: Hits::default(),
        })
    }

    /// A resource reads nothing any more: what others wait for from it they read for themselves.
    pub(crate) fn publishes_no_more(&self, resource: &Resource) {
        if resource.parts().embedded.is_some() {
            // It was never one of them.
            return;
        }
        let lineage = &resource.parts().lineage;
        {
            let mut publishers = lock(&self.shared.publishers);
            match publishers.get_mut(lineage) {
                Some(count) if *count > 1 => {
                    *count -= 1;
                    return;
                }
                _ => publishers.remove(lineage),
            };
        }
        for read in lock(&self.shared.reads).values() {
            if read.lineage == *lineage && read._driver.is_none() && !*lock(&read.published) {
                read.log.end(Ended::Abandoned);
            }
        }
    }

    fn projections(&self, list: &ListKey) -> Vec<Arc<Projection>> {
        let need = self.shared.lists.get(list);
        need.map(|need| need.projections.clone())
            .unwrap_or_default()
    }

    fn log(&self, list: &ListKey) -> Arc<Log> {
        let need = self.shared.lists.get(list);
        let followers = need
            .filter(|need| !need.repeated)
            .map(|need| need.followers);
        Arc::new(Log::new(self.shared.spool.clone(), followers))
    }

    fn unread(&self, key: Key, lineage: ReadIdentity) -> Arc<Read> {
        Arc::new(Read {
            log: self.log(&key.0),
            key,
            lineage,
            _driver: None,
            published: Mutex::default(),
        })
    }

    fn begun(
        &self,
        kind: &str,
        key: Key,
        parents: &ParentList,
        opening: &Opening,
        cap: Option<u64>,
    ) -> Arc<Read> {
        let log = self.log(&key.0);
        let pages = Pages::of_parents(self.api.clone(), kind, parents, opening.clone());
        let projections = self.projections(&key.0);
        let fill = {
            let (api, log) = (self.api.clone(), log.clone());
            async move { log.fill(&api, pages, projections, cap).await }
        };
        Arc::new(Read {
            log,
            key,
            lineage: parents.lineage.clone(),
            _driver: Some(AbortOnDropHandle::new(tokio::spawn(fill.in_current_span()))),
            published: Mutex::default(),
        })
    }
}

impl Need {
    fn add(&mut self, parents: &ParentList) {
        self.followers += 1;
        self.repeated |= parents.repeated;
        let key = &parents.projection.key;
        if !self.projections.iter().any(|known| known.key == *key) {
            self.projections.push(parents.projection.clone());
        }
    }
}

/// A log that a resource fills with what it reads. Dropped before its end, it says nothing about the list.
pub(crate) struct Publication {
    api: Arc<Api>,
    log: Arc<Log>,
    projections: Vec<Arc<Projection>>,
    hits: Hits,
}

impl Publication {
    pub(crate) fn page(&mut self, page: &RecordPage) {
        let (projections, hits) = (&self.projections, &mut self.hits);
        let chunk = self.api.at_now(|| Chunk::of(page, projections, hits));
        if let Err(error) = self.log.append(&chunk) {
            self.log.end(Ended::Short(spool_failed(error)));
        }
    }

    pub(crate) fn end(&self, ended: Ended) {
        self.log.end(ended);
    }
}

impl Drop for Publication {
    fn drop(&mut self) {
        self.log.end(Ended::Abandoned);
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
