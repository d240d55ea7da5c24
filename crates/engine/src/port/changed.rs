//! Which entities of a sync are written, and which are at Port already as they are.
//!
//! Skipping an entity takes a reason to believe that Port has it as it is *now*, whoever else writes there:
//!
//! - with a [`SyncState`], that Port acknowledged an entity of the same digest, still lists it as ours, and has not updated it since;
//! - without one, or when the state is older than [`VERIFY_AFTER`], that Port, asked, has it as it is.
//!
//! What is skipped, written or lost stays right through crashes: the state is taken away before anything is written and stored again only when
//! every write has an answer; what was not acknowledged has no digest in it.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use longshore_mapping::Entity;
use longshore_port_client::{Found, Owned, PortClient};

use super::same;
use super::state::{Known, Row, SyncState};
use crate::compact::CompactSet;
use crate::sink::related_identifiers;

/// Digests are trusted so long. After that entities are compared with what Port has, in case somebody changed one in a way that Port's list
/// of owned entities does not show.
const VERIFY_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// Port's `Date` header is cut to seconds.
const DATE_PRECISION: Duration = Duration::from_secs(1);

/// Decides what is written, and keeps book of what Port acknowledged.
#[derive(Debug)]
pub(super) struct Changed {
    state: Option<Arc<dyn SyncState>>,
    identity: String,
    merge: bool,
    book: Mutex<Book>,
}

/// What is known in one sync.
#[derive(Debug, Default)]
struct Book {
    others: Others,
    /// What the state knows, ordered.
    rows: Vec<Row>,
    /// For each row whether it holds at Port, and whether it was seen in this sync.
    marks: Vec<Marks>,
    /// What Port acknowledged in this sync, or has, as it said when it was asked.
    news: Vec<Row>,
    /// Entities that are written in this sync: what was known about them before no longer holds, and what comes later goes over it.
    written: CompactSet,
    /// Entities of which nobody knows what Port has of them.
    unsure: HashSet<u64>,
    /// What is no longer there, though it was: Port may have cleared relations to it.
    gone: HashSet<u64>,
    /// Of everything that is known.
    blueprints: BTreeSet<String>,
    began: Option<SystemTime>,
    /// The bound of fresh rows before this sync.
    fresh_before: Option<SystemTime>,
    verified: Option<SystemTime>,
}

/// What to do with an entity of which no digest holds.
#[derive(Debug, Default)]
enum Others {
    /// It is written: it is new, or has changed.
    #[default]
    AreWritten,
    /// Those that Port lists as ours are compared with what Port has.
    AreCompared(CompactSet),
}

#[derive(Clone, Copy, Debug, Default)]
struct Marks {
    holds: bool,
    confirmed: bool,
}

impl Changed {
    pub(super) fn new(state: Option<Arc<dyn SyncState>>, identity: String, merge: bool) -> Self {
        Changed {
            state,
            identity,
            merge,
            book: Mutex::default(),
        }
    }

    /// Takes the state, and asks Port what of it still holds. Without Port's time nothing is known of what was updated since, and no state is left
    /// behind.
    pub(super) async fn begin(&self, client: &PortClient, now: Option<SystemTime>) {
        let taken = self.take().await;
        let Some(now) = now else {
            let owned = owned_keys(client, None).await;
            let others = owned.map(Others::AreCompared).unwrap_or_else(|error| {
                all_are_written(&error);
                Others::default()
            });
            *self.lock() = Book {
                others,
                ..Book::default()
            };
            return;
        };
        let is_fit = |known: &Known| {
            now.duration_since(known.verified)
                .is_ok_and(|age| age < VERIFY_AFTER)
        };
        let book = match taken.filter(is_fit) {
            Some(known) => Book::of(known, client, now).await,
            None => owned_keys(client, None).await.map(|owned| Book {
                others: Others::AreCompared(owned),
                ..Book::at(now)
            }),
        };
        let book = match book {
            Ok(book) => book,
            Err(error) => {
                all_are_written(&error);
                Book::at(now)
            }
        };
        *self.lock() = book;
    }

    async fn take(&self) -> Option<Known> {
        let taken = match &self.state {
            None => return None,
            Some(state) => state.take().await,
        };
        match taken {
            Ok(bytes) => Known::decode(&bytes?, &self.identity),
            Err(error) => {
                tracing::warn!("{error}; entities are compared with Port instead");
                None
            }
        }
    }

    /// Which of these entities, all of one blueprint, have to be written. Counts on it that those are sent next.
    pub(super) async fn to_write(
        &self,
        client: &PortClient,
        blueprint: &str,
        entities: &[Entity],
    ) -> Vec<bool> {
        let keys: Vec<Option<u64>> = entities
            .iter()
            .map(|entity| Some(same::key(blueprint, entity.identifier.as_str()?)))
            .collect();
        let compared = self.lock().to_compare(entities, &keys);
        let found = match client.find(blueprint, &compared, &[]).await {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!("{error}; from here on entities are written, changed or not");
                self.lock().others = Others::AreWritten;
                Vec::new()
            }
        };
        let found: HashMap<String, Found> = found
            .into_iter()
            .map(|found| (found.identifier.clone(), found))
            .collect();
        let mut book = self.lock();
        if !book.blueprints.contains(blueprint) {
            book.blueprints.insert(blueprint.to_owned());
        }
        let mut decisions = Vec::with_capacity(entities.len());
        for (entity, key) in entities.iter().zip(keys) {
            let is_at_port = key.is_some_and(|key| {
                book.is_at_port(entity, key, &found, self.merge, self.state.is_some())
            });
            if let Some(key) = key.filter(|_| !is_at_port) {
                book.written.insert(key);
            }
            decisions.push(!is_at_port);
        }
        decisions
    }

    /// Port acknowledged this one.
    pub(super) fn acknowledged(&self, entity: &Entity) {
        if self.state.is_none() {
            return;
        }
        if let (Some(identifier), Some(digest)) = (entity.identifier.as_str(), same::digest(entity))
        {
            let row = Row::new(same::key(&entity.blueprint, identifier), digest, true);
            self.lock().news.push(row);
        }
    }

    /// This one was sent, and nobody knows whether Port has it now.
    pub(super) fn unanswered(&self, entity: &Entity) {
        if let Some(identifier) = entity.identifier.as_str() {
            let key = same::key(&entity.blueprint, identifier);
            self.lock().unsure.insert(key);
        }
    }

    /// Leaves behind what the next sync needs. Every write has an answer by now, the last of them at this time.
    pub(super) async fn store(&self, last_answer: Option<SystemTime>) {
        let Some(state) = &self.state else { return };
        let book = std::mem::take(&mut *self.lock());
        let Some(known) = book.into_known(last_answer) else {
            return;
        };
        if let Err(error) = state.store(known.encode(&self.identity)).await {
            tracing::warn!("{error}; the next sync compares with Port instead");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Nothing is known, and everything is written.
    fn at(now: SystemTime) -> Book {
        Book {
            began: Some(now),
            verified: Some(now),
            ..Book::default()
        }
    }

    /// What is known, held against what Port lists: an entity that it does not list, or has updated since, is not as we left it.
    async fn of(
        mut known: Known,
        client: &PortClient,
        now: SystemTime,
    ) -> Result<Book, longshore_port_client::Error> {
        let fresh = owned_keys(client, Some(known.fresh_before)).await?;
        let steady = match known.rows.iter().all(|row| row.fresh) {
            true => CompactSet::default(),
            false => owned_keys(client, Some(known.steady_before)).await?,
        };
        let mut gone = HashSet::new();
        if known.rows.iter().any(|row| !fresh.contains(row.key)) {
            let all = owned_keys(client, None).await?;
            known.rows.retain(|row| {
                let is_there = all.contains(row.key);
                if !is_there {
                    gone.insert(row.key);
                }
                is_there
            });
        }
        let marks = known.rows.iter().map(|row| Marks {
            holds: match row.fresh {
                true => fresh.contains(row.key),
                false => steady.contains(row.key),
            },
            confirmed: false,
        });
        Ok(Book {
            marks: marks.collect(),
            rows: known.rows,
            gone,
            blueprints: known.blueprints,
            fresh_before: Some(known.fresh_before),
            verified: Some(known.verified),
            ..Book::at(now)
        })
    }

    /// The identifiers that Port is to be asked about.
    fn to_compare<'e>(&self, entities: &'e [Entity], keys: &[Option<u64>]) -> Vec<&'e str> {
        let Others::AreCompared(owned) = &self.others else {
            return Vec::new();
        };
        let mut asked_for = HashSet::new();
        entities
            .iter()
            .zip(keys)
            .filter(|(_, key)| {
                key.is_some_and(|key| {
                    owned.contains(key) && !self.written.contains(key) && asked_for.insert(key)
                })
            })
            .filter_map(|(entity, _)| entity.identifier.as_str())
            .collect()
    }

    fn is_at_port(
        &mut self,
        entity: &Entity,
        key: u64,
        found: &HashMap<String, Found>,
        merge: bool,
        keeps_digests: bool,
    ) -> bool {
        // What was written before goes below what comes now.
        if self.written.contains(key) || self.relates_to_gone(entity) {
            return false;
        }
        let found = entity
            .identifier
            .as_str()
            .and_then(|identifier| found.get(identifier));
        if self.rows.is_empty() && found.is_none() {
            return false;
        }
        let Some(digest) = same::digest(entity) else {
            return false;
        };
        let first = self.rows.partition_point(|row| row.key < key);
        for (row, marks) in self.rows[first..].iter().zip(&mut self.marks[first..]) {
            if row.key != key {
                break;
            }
            if marks.holds && row.digest() == digest {
                marks.confirmed = true;
                return true;
            }
        }
        let is_same = found.is_some_and(|found| {
            same::changes(entity, found, merge).is_some_and(|changes| changes.is_empty())
        });
        if is_same && keeps_digests {
            self.news.push(Row::new(key, digest, false));
        }
        is_same
    }

    /// A relation names an identifier only, so it may be meant in any blueprint.
    fn relates_to_gone(&self, entity: &Entity) -> bool {
        !self.gone.is_empty()
            && related_identifiers(entity).any(|target| {
                self.blueprints
                    .iter()
                    .any(|blueprint| self.gone.contains(&same::key(blueprint, target)))
            })
    }

    fn into_known(self, last_answer: Option<SystemTime>) -> Option<Known> {
        let (began, verified) = (self.began?, self.verified?);
        let kept = self
            .rows
            .into_iter()
            .zip(self.marks)
            .filter(|(row, marks)| {
                marks.holds && (marks.confirmed || !self.written.contains(row.key))
            })
            .map(|(row, _)| row.steady());
        let mut rows: Vec<Row> = kept
            .chain(self.news)
            .filter(|row| !self.unsure.contains(&row.key))
            .collect();
        // The last of equal ones is fresh, if one of them is.
        rows.sort_unstable_by(|a, b| b.cmp(a));
        rows.dedup_by_key(|row| row.identity());
        rows.reverse();
        let steady_before = self.fresh_before.map_or(began, |before| before.max(began));
        let fresh_before = last_answer.map_or(began, |answer| answer + DATE_PRECISION);
        Some(Known {
            rows,
            blueprints: self.blueprints,
            steady_before,
            fresh_before: fresh_before.max(steady_before),
            verified,
        })
    }
}

/// What Port has is not known. That is only a saving: what can be written is written.
fn all_are_written(error: &longshore_port_client::Error) {
    tracing::warn!("{error}; all entities are written, changed or not");
}

/// What Port lists as ours, in little room.
pub(super) async fn owned_keys(
    client: &PortClient,
    before: Option<SystemTime>,
) -> Result<CompactSet, longshore_port_client::Error> {
    let mut keys = CompactSet::default();
    let note = |owned: Owned| {
        keys.insert(same::key(&owned.blueprint, &owned.identifier));
    };
    client.each_owned(before, note).await?;
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn user(identifier: &str, boss: Option<&str>) -> Entity {
        let mut user = Entity::new("user", identifier);
        user.relations.insert("boss".to_owned(), json!(boss));
        user
    }

    fn book(known: &[&Entity]) -> Book {
        let mut rows: Vec<Row> = known
            .iter()
            .map(|entity| {
                let key = same::key("user", entity.identifier.as_str().unwrap());
                Row::new(key, same::digest(entity).unwrap(), false)
            })
            .collect();
        rows.sort_unstable();
        Book {
            marks: vec![
                Marks {
                    holds: true,
                    confirmed: false
                };
                rows.len()
            ],
            rows,
            blueprints: BTreeSet::from(["user".to_owned()]),
            ..Book::at(SystemTime::UNIX_EPOCH)
        }
    }

    fn is_at_port(book: &mut Book, entity: &Entity) -> bool {
        let key = same::key("user", entity.identifier.as_str().unwrap());
        book.is_at_port(entity, key, &HashMap::new(), true, true)
    }

    #[test]
    fn what_relates_to_something_that_has_gone_since_is_written_again() {
        // Port clears a relation when its target is deleted, and the entity need not look updated for it.
        let (lone, bossed) = (user("7", None), user("8", Some("chief")));
        let mut known = book(&[&lone, &bossed]);
        assert!(is_at_port(&mut known, &lone) && is_at_port(&mut known, &bossed));
        known.gone.insert(same::key("user", "chief"));
        assert!(is_at_port(&mut known, &lone));
        assert!(!is_at_port(&mut known, &bossed));
    }

    #[test]
    fn a_digest_that_was_not_confirmed_ends_with_a_write_and_one_that_was_stays() {
        let (before, after) = (user("7", None), user("7", Some("x")));
        let key = same::key("user", "7");
        for confirmed in [true, false] {
            let mut known = book(&[&before]);
            if confirmed {
                assert!(is_at_port(&mut known, &before));
            }
            assert!(!is_at_port(&mut known, &after));
            known.written.insert(key);
            known
                .news
                .push(Row::new(key, same::digest(&after).unwrap(), true));
            assert!(
                !is_at_port(&mut known, &before),
                "what comes later goes over it"
            );
            let rows = known.into_known(None).unwrap().rows;
            assert_eq!(rows.len(), if confirmed { 2 } else { 1 });
        }
    }

    #[test]
    fn an_entity_of_which_nobody_knows_what_port_has_leaves_no_digest() {
        let entity = user("7", None);
        let key = same::key("user", "7");
        let mut known = book(&[&entity]);
        known.news.push(Row::new(key, 1, true));
        known.unsure.insert(key);
        assert_eq!(known.into_known(None).unwrap().rows, []);
    }

    #[test]
    fn bounds_lie_behind_the_last_answer_and_never_before_those_of_rows_that_are_kept() {
        let second = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let known = Book {
            fresh_before: Some(second(11)),
            ..Book::at(second(10))
        };
        let known = known.into_known(Some(second(10))).unwrap();
        assert_eq!(
            (known.steady_before, known.fresh_before),
            (second(11), second(11))
        );
        let known = Book::at(second(10)).into_known(Some(second(25))).unwrap();
        assert_eq!(
            (known.steady_before, known.fresh_before),
            (second(10), second(26))
        );
    }
}
