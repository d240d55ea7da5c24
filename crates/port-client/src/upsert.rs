//! Creating and updating entities in bulk.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures::StreamExt;
use http::StatusCode;
use longshore_mapping::{Entity, Identifier};
use longshore_transport::{self as transport, Response, json};
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::client::Call;
use crate::path::segment;
use crate::refusal::{Refusal, said};
use crate::{Error, ErrorKind, PortClient, entity_problem, identifier_problem};

/// Entities that Port takes in one bulk call.
pub const UPSERT_BATCH: usize = 20;

/// Bytes that Port takes as the body of one request: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;

const TEMPLATE: &str = "/v1/blueprints/{blueprint}/entities/bulk";
const HEAD: &[u8] = br#"{"entities":["#;
const TAIL: &[u8] = b"]}";

/// How entities are written. The default is what Ocean Custom does when the mapping says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upsert {
    /// Keep properties and relations that the entity has at Port and that are not sent; otherwise they are cleared.
    pub merge: bool,
    /// Create the targets of relations that do not exist yet, with nothing but their identifier.
    pub create_missing_related_entities: bool,
    /// Let Port check the entities and write nothing.
    pub validation_only: bool,
}

impl Default for Upsert {
    fn default() -> Self {
        Upsert {
            merge: true,
            create_missing_related_entities: true,
            validation_only: false,
        }
    }
}

/// What became of the entities of one [`PortClient::upsert`]: each is counted once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "rejected entities are not errors"]
#[non_exhaustive]
pub struct Upserted {
    /// Entities that Port acknowledged.
    pub upserted: u64,
    /// The others, in the order in which they were given.
    pub rejected: Vec<Rejected>,
    /// Of those that Port acknowledged and that were given by a search query: which entity it found, in the order in which they were given.
    pub looked_up: Vec<LookedUp>,
}

/// An entity that was given by a search query and written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LookedUp {
    /// Its position in the slice that was given.
    pub index: usize,
    /// The identifier of the entity that the query found.
    pub identifier: String,
}

/// An entity that was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// Its position in the slice that was given.
    pub index: usize,
    /// Its identifier; a search query as its JSON text.
    pub identifier: String,
    /// Port's status for this entity; `None` when it was not sent, or when Port's answer did not mention it.
    pub status: Option<u16>,
    /// Why, in one line.
    pub message: String,
    /// It was sent and Port's answer does not mention it: whether it is stored is not known.
    pub unanswered: bool,
}

impl Rejected {
    /// Port says of this entity alone what it says of a request that may be repeated: a limit is exceeded (429), or it fails (5xx). Nothing is wrong
    /// with the entity.
    pub fn is_temporary(&self) -> bool {
        let status = self.status.map(StatusCode::from_u16);
        matches!(status, Some(Ok(status)) if transport::is_temporary(status))
    }
}

impl PortClient {
    /// Creates or updates `entities`, all of one blueprint.
    ///
    /// They are sent in batches of at most 20 entities and 1 MiB, several at once. A batch that Port finds too large (413), or
    /// refuses as a whole because of one entity (400, 422), is halved until that entity is alone. Entities with the
    /// same identifier are never in flight together, so the last one given wins. What Port would refuse in any
    /// case (an identifier or the target of a relation against its pattern, see [`entity_problem`]; an entity above 1 MiB) is rejected without
    /// being sent.
    ///
    /// An `Ok` says that every entity has an answer, not that all were taken: see [`Upserted::rejected`].
    ///
    /// # Errors
    ///
    /// When a batch has no answer of its own: Port cannot be reached or fails in every attempt, refuses the
    /// credentials, or has no such blueprint ([`ErrorKind::NotFound`](crate::ErrorKind::NotFound)). No further batch is then begun, those in flight
    /// are finished, and [`Error::upserted`] says what was acknowledged.
    pub async fn upsert(
        &self,
        blueprint: &str,
        entities: &[Entity],
        how: &Upsert,
    ) -> Result<Upserted, Error> {
        let route = Route {
            path: format!(
                "/v1/blueprints/{}/entities/bulk",
                segment("the blueprint", blueprint)?
            ),
            doing: format!("upserting entities of blueprint `{blueprint}`"),
            how,
        };
        let mut total = Upserted::default();
        let mut failure = None;
        for wave in waves(entities) {
            let stop = AtomicBool::new(false);
            let batches = Batches::new(blueprint, entities, wave)
                .take_while(|_| !stop.load(Ordering::Relaxed));
            let mut answers = futures::stream::iter(batches)
                .map(|batch| self.upsert_batch(&route, batch))
                .buffer_unordered(self.shared.concurrent_batches);
            while let Some((done, error)) = answers.next().await {
                total.upserted += done.upserted;
                total.rejected.extend(done.rejected);
                total.looked_up.extend(done.looked_up);
                if let Some(error) = error {
                    stop.store(true, Ordering::Relaxed);
                    failure.get_or_insert(error);
                }
            }
            if failure.is_some() {
                break;
            }
        }
        total
            .rejected
            .sort_unstable_by_key(|rejected| rejected.index);
        total.looked_up.sort_unstable_by_key(|found| found.index);
        match failure {
            Some(error) => Err(error.after_upserting(total)),
            None => Ok(total),
        }
    }

    /// Creates or updates one entity of `entity.blueprint` and gives it back as Port has it then.
    ///
    /// # Errors
    ///
    /// As [`PortClient::upsert`]; a refused entity is [`ErrorKind::Refused`](crate::ErrorKind::Refused), with Port's words. With
    /// [`Upsert::validation_only`] an `Ok` says that Port would take it.
    pub async fn upsert_one(
        &self,
        entity: &Entity,
        how: &Upsert,
    ) -> Result<Map<String, Value>, Error> {
        #[derive(Deserialize)]
        struct Answer {
            entity: Option<Map<String, Value>>,
        }
        let name = match &entity.identifier {
            Identifier::Text(text) => format!("entity `{text}`"),
            // It holds values of a record.
            Identifier::Search(_) => "an entity that a search query finds".to_owned(),
        };
        if let Some(problem) = entity_problem(entity) {
            let message = format!("{name}: {problem}");
            return Err(Error::new(ErrorKind::Refused, message));
        }
        let mut json = Vec::new();
        entity.write_json(&mut json);
        let blueprint = &entity.blueprint;
        let call = Call::post(
            format!(
                "/v1/blueprints/{}/entities",
                segment("the blueprint", blueprint)?
            ),
            "/v1/blueprints/{blueprint}/entities",
            format!("upserting {name} of blueprint `{blueprint}`"),
            json.into(),
        )
        .query(how.query())
        .query(self.resync_query());
        let answer: Answer = self
            .ask(&call, |response| json::read(&response.body))
            .await?;
        Ok(answer.entity.unwrap_or_default())
    }

    async fn upsert_batch(&self, route: &Route<'_>, batch: Batch) -> (Upserted, Option<Error>) {
        let mut done = Upserted {
            rejected: batch.rejected,
            ..Upserted::default()
        };
        // Halves that are still to be sent, the first on top.
        let mut parts = vec![batch.items];
        while let Some(mut part) = parts.pop() {
            if part.is_empty() {
                continue;
            }
            let call = Call::post(
                route.path.clone(),
                TEMPLATE,
                route.doing.clone(),
                body(&part),
            )
            .query(route.how.query())
            .query(self.resync_query());
            match self.call(&call, read_answer).await {
                Err(error) => return (done, Some(error)),
                Ok(Answer::Done(answer)) => done.count(part, answer, route.how),
                Ok(Answer::Refused { status, .. }) if part.len() > 1 => {
                    tracing::debug!(
                        status = status.as_u16(),
                        entities = part.len(),
                        "Port refused a batch, halving it"
                    );
                    let second = part.split_off(part.len() / 2);
                    parts.push(second);
                    parts.push(part);
                }
                Ok(Answer::Refused { status, message }) => {
                    done.rejected.extend(part.into_iter().map(|item| Rejected {
                        index: item.index,
                        identifier: item.identifier,
                        status: Some(status.as_u16()),
                        message: message.clone(),
                        unanswered: false,
                    }));
                }
            }
        }
        (done, None)
    }
}

impl Upsert {
    fn query(&self) -> [(&'static str, String); 4] {
        [
            ("upsert", "true".to_owned()),
            ("merge", self.merge.to_string()),
            (
                "create_missing_related_entities",
                self.create_missing_related_entities.to_string(),
            ),
            ("validation_only", self.validation_only.to_string()),
        ]
    }
}

impl Upserted {
    /// Reads Port's answer by index. An entity that it does not mention counts as rejected: it may not be there.
    fn count(&mut self, sent: Vec<Item>, answer: BulkAnswer, how: &Upsert) {
        let mut acknowledged: Vec<bool> = vec![how.validation_only; sent.len()];
        let mut names = vec![Value::Null; sent.len()];
        for entity in answer.entities.unwrap_or_default() {
            if let Some(slot) = acknowledged.get_mut(entity.index) {
                *slot = true;
                names[entity.index] = entity.identifier;
            }
        }
        let mut errors: HashMap<usize, Failed> = answer
            .errors
            .unwrap_or_default()
            .into_iter()
            .map(|failed| (failed.index, failed))
            .collect();
        for (position, item) in sent.into_iter().enumerate() {
            let failed = errors.remove(&position);
            let unanswered = failed.is_none();
            let (status, message) = match failed {
                Some(failed) => (failed.status_code, said(failed.message.or(failed.error))),
                None if acknowledged[position] => {
                    self.upserted += 1;
                    if let Value::String(identifier) = names[position].take()
                        && item.is_query
                        // The text of the query is no identifier.
                        && identifier_problem(&identifier).is_none()
                    {
                        self.looked_up.push(LookedUp {
                            index: item.index,
                            identifier,
                        });
                    }
                    continue;
                }
                None => (
                    None,
                    "Port's answer does not mention this entity".to_owned(),
                ),
            };
            self.rejected.push(Rejected {
                index: item.index,
                identifier: item.identifier,
                status,
                message,
                unanswered,
            });
        }
    }
}

struct Route<'a> {
    path: String,
    doing: String,
    how: &'a Upsert,
}

enum Answer {
    Done(BulkAnswer),
    /// The whole batch, because of its size or of one entity in it.
    Refused {
        status: StatusCode,
        message: String,
    },
}

#[derive(Deserialize)]
struct BulkAnswer {
    entities: Option<Vec<Written>>,
    errors: Option<Vec<Failed>>,
}

#[derive(Deserialize)]
struct Written {
    index: usize,
    /// Text, or whatever Port makes of a search query.
    #[serde(default)]
    identifier: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Failed {
    index: usize,
    status_code: Option<u16>,
    error: Option<String>,
    message: Option<String>,
}

fn read_answer(response: Response) -> Result<Answer, transport::Error> {
    let status = response.status;
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => Ok(Answer::Refused {
            status,
            message: "Port finds this entity too large: leave large properties out of the mapping"
                .to_owned(),
        }),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Ok(Answer::Refused {
            status,
            message: said(Refusal::of(&response).text()),
        }),
        _ => json::read(&response.success()?.body).map(Answer::Done),
    }
}

/// Positions of entities that may be in flight together: no identifier twice in one wave.
fn waves(entities: &[Entity]) -> Vec<Vec<usize>> {
    let mut seen: HashMap<&str, usize> = HashMap::with_capacity(entities.len());
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (index, entity) in entities.iter().enumerate() {
        let wave = match entity.identifier.as_str() {
            Some(identifier) => {
                let times = seen.entry(identifier).or_default();
                *times += 1;
                *times - 1
            }
            // Which entity a query finds, only Port knows.
            None => 0,
        };
        if waves.len() <= wave {
            waves.resize_with(wave + 1, Vec::new);
        }
        waves[wave].push(index);
    }
    waves
}

/// Entities that go out in one request, and those that were rejected while it was filled.
#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    rejected: Vec<Rejected>,
}

/// An entity as it will be sent.
struct Item {
    index: usize,
    identifier: String,
    is_query: bool,
    json: Vec<u8>,
}

/// Fills batches one after another, so that only those in flight are in memory as JSON.
struct Batches<'a> {
    blueprint: &'a str,
    entities: &'a [Entity],
    positions: std::vec::IntoIter<usize>,
    held: Option<Item>,
}

impl<'a> Batches<'a> {
    fn new(blueprint: &'a str, entities: &'a [Entity], positions: Vec<usize>) -> Batches<'a> {
        Batches {
            blueprint,
            entities,
            positions: positions.into_iter(),
            held: None,
        }
    }

    fn item(&self, index: usize) -> Result<Item, Rejected> {
        let entity = &self.entities[index];
        let identifier = name_of(entity);
        let rejected = |identifier, message| {
            Err(Rejected {
                index,
                identifier,
                status: None,
                message,
                unanswered: false,
            })
        };
        if let Some(problem) = entity_problem(entity) {
            return rejected(identifier, problem);
        }
        if entity.blueprint != self.blueprint {
            return rejected(
                identifier,
                format!(
                    "it is of blueprint `{}` and was given with those of `{}`",
                    entity.blueprint, self.blueprint
                ),
            );
        }
        let mut json = Vec::new();
        entity.write_json(&mut json);
        let bytes = HEAD.len() + json.len() + TAIL.len();
        if bytes > MAX_BODY_BYTES {
            return rejected(
                identifier,
                format!(
                    "it makes a request of {bytes} bytes, and Port takes {MAX_BODY_BYTES}: leave large properties out of the mapping"
                ),
            );
        }
        Ok(Item {
            index,
            identifier,
            is_query: matches!(entity.identifier, Identifier::Search(_)),
            json,
        })
    }
}

impl Iterator for Batches<'_> {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut bytes = HEAD.len() + TAIL.len();
        while batch.items.len() < UPSERT_BATCH {
            let item = match self.held.take() {
                Some(item) => item,
                None => match self.positions.next().map(|index| self.item(index)) {
                    None => break,
                    Some(Ok(item)) => item,
                    Some(Err(rejected)) => {
                        batch.rejected.push(rejected);
                        continue;
                    }
                },
            };
            let comma = usize::from(!batch.items.is_empty());
            if bytes + comma + item.json.len() > MAX_BODY_BYTES {
                self.held = Some(item);
                break;
            }
            bytes += comma + item.json.len();
            batch.items.push(item);
        }
        (!batch.items.is_empty() || !batch.rejected.is_empty()).then_some(batch)
    }
}

fn body(items: &[Item]) -> Bytes {
    let bytes: usize = items.iter().map(|item| item.json.len() + 1).sum();
    let mut body = Vec::with_capacity(HEAD.len() + bytes + TAIL.len());
    body.extend_from_slice(HEAD);
    for (n, item) in items.iter().enumerate() {
        if n > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&item.json);
    }
    body.extend_from_slice(TAIL);
    body.into()
}

/// What answers call an entity.
fn name_of(entity: &Entity) -> String {
    match &entity.identifier {
        Identifier::Text(text) => text.clone(),
        Identifier::Search(query) => query.to_string(),
    }
}
