//! Deleting entities, by proof only.

use std::collections::HashSet;
use std::fmt;

use bytes::Bytes;
use http::StatusCode;
use longshore_transport::{self as transport, Response, json};
use serde::Deserialize;
use serde_json::json;

use crate::client::Call;
use crate::path::segment;
use crate::refusal::{Refusal, said};
use crate::{Error, PortClient, Proof};

/// Entities that Port deletes in one call.
pub const DELETE_BATCH: usize = 100;

const TEMPLATE: &str = "/v1/blueprints/{blueprint}/bulk/entities/delete";

/// How entities are deleted. By default an entity that others depend on stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delete {
    /// Delete the entities that have a required relation to a deleted one along with it.
    pub delete_dependents: bool,
}

/// What became of the entities of one [`PortClient::delete`]: each identifier is in one of the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use = "entities that were not deleted are not errors"]
#[non_exhaustive]
pub struct Deleted {
    /// Those that are gone: named by Port as deleted, or unknown to it (404).
    pub deleted: Vec<String>,
    /// Those that are, or may be, still there.
    pub not_deleted: Vec<NotDeleted>,
}

/// An entity that was not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotDeleted {
    /// Its identifier.
    pub identifier: String,
    /// Why it was not.
    pub reason: NotDeletedReason,
}

/// Why an entity was not deleted. `Display` is one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotDeletedReason {
    /// Other entities depend on it, and they are not to be deleted.
    Dependents,
    /// Port refused it for another reason.
    Refused {
        /// The status of the answer.
        status: u16,
        /// Port's words, in one line.
        message: String,
    },
    /// Port's answer is a success that does not name it.
    NotConfirmed,
    /// Port failed before its turn came, or while it was its turn.
    Stopped,
}

impl fmt::Display for NotDeletedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotDeletedReason::Dependents => f.write_str(
                "other entities depend on it: delete them first, or write `deleteDependentEntities: true` in the mapping",
            ),
            NotDeletedReason::Refused { status, message } => write!(f, "Port refused it ({status}): {message}"),
            NotDeletedReason::NotConfirmed => f.write_str("Port's answer does not name it as deleted"),
            NotDeletedReason::Stopped => f.write_str("Port failed: the next run tries again"),
        }
    }
}

impl PortClient {
    /// Deletes entities of the proof's blueprint, in calls of at most 100, one after another.
    ///
    /// An identifier that is given several times counts once. Only what Port names in its answer is taken as deleted, or what is not there any more when
    /// it is looked for afterwards (the answer to a call that was repeated names nothing that went with the first); a 404 says
    /// that the entity is gone already. No call repeats an identifier that was acknowledged. Port refuses a call as a whole when one of its entities has
    /// dependents: it then deleted nothing, and the call is halved until that entity is alone and reported as [`NotDeletedReason::Dependents`].
    ///
    /// # Errors
    ///
    /// When Port cannot be reached, fails (5xx) in every attempt, or refuses the credentials, everything stops there: the error says
    /// "deleted k of n" and [`Error::deleted`] names them.
    pub async fn delete(
        &self,
        proof: &Proof<'_>,
        identifiers: &[String],
        how: &Delete,
    ) -> Result<Deleted, Error> {
        let blueprint = proof.blueprint();
        let path = format!(
            "/v1/blueprints/{}/bulk/entities/delete",
            segment("the blueprint", blueprint)?
        );
        let doing = format!("deleting entities of blueprint `{blueprint}`");

        let mut given = HashSet::with_capacity(identifiers.len());
        let unique: Vec<&str> = identifiers
            .iter()
            .map(String::as_str)
            .filter(|identifier| given.insert(*identifier))
            .collect();
        let mut done = Deleted::default();
        // What is still to be sent, the first on top.
        let mut parts: Vec<&[&str]> = unique.chunks(DELETE_BATCH).rev().collect();
        while let Some(part) = parts.pop() {
            let body = json!({ "entities": part }).to_string();
            let call = Call::post(path.clone(), TEMPLATE, doing.clone(), Bytes::from(body))
                .query([("delete_dependents", how.delete_dependents.to_string())])
                .query(self.resync_query());
            match self.call(&call, read_answer).await {
                Ok(Answer::Done(named)) => done.count(part, &named),
                Ok(Answer::NotFound | Answer::Refused { .. }) if part.len() > 1 => {
                    tracing::debug!(
                        entities = part.len(),
                        "Port refused to delete these together, halving"
                    );
                    let (first, second) = part.split_at(part.len() / 2);
                    parts.push(second);
                    parts.push(first);
                }
                Ok(Answer::NotFound) => done.deleted.extend(part.iter().map(ToString::to_string)),
                Ok(Answer::Refused { reason }) => done.keep(part, &reason),
                Err(error) => {
                    done.keep(part, &NotDeletedReason::Stopped);
                    for part in parts.into_iter().rev() {
                        done.keep(part, &NotDeletedReason::Stopped);
                    }
                    return Err(error.after_deleting(done, unique.len()));
                }
            }
        }
        self.look_for_unconfirmed(blueprint, &mut done).await;
        Ok(done)
    }

    /// What Port's answer did not name is gone all the same where it is not found.
    async fn look_for_unconfirmed(&self, blueprint: &str, done: &mut Deleted) {
        let is_unconfirmed = |left: &NotDeleted| left.reason == NotDeletedReason::NotConfirmed;
        let unconfirmed: Vec<&str> = done
            .not_deleted
            .iter()
            .filter(|left| is_unconfirmed(left))
            .map(|left| left.identifier.as_str())
            .collect();
        if unconfirmed.is_empty() {
            return;
        }
        let found = match self.find(blueprint, &unconfirmed, &[]).await {
            Ok(found) => found,
            Err(error) => {
                tracing::debug!("what was not confirmed as deleted cannot be looked for: {error}");
                return;
            }
        };
        let found: HashSet<String> = found.into_iter().map(|found| found.identifier).collect();
        let gone = done.not_deleted.extract_if(.., |left| {
            is_unconfirmed(left) && !found.contains(&left.identifier)
        });
        done.deleted.extend(gone.map(|left| left.identifier));
    }
}

impl Deleted {
    fn count(&mut self, sent: &[&str], named: &HashSet<String>) {
        for identifier in sent {
            if named.contains(*identifier) {
                self.deleted.push((*identifier).to_owned());
            } else {
                self.keep(&[identifier], &NotDeletedReason::NotConfirmed);
            }
        }
    }

    fn keep(&mut self, identifiers: &[&str], reason: &NotDeletedReason) {
        self.not_deleted
            .extend(identifiers.iter().map(|identifier| NotDeleted {
                identifier: (*identifier).to_owned(),
                reason: reason.clone(),
            }));
    }
}

enum Answer {
    Done(HashSet<String>),
    /// One of them at least is gone already.
    NotFound,
    /// All of them, because of at least one.
    Refused {
        reason: NotDeletedReason,
    },
}

fn read_answer(response: Response) -> Result<Answer, transport::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Raw {
        deleted_entities: HashSet<String>,
    }
    match response.status {
        StatusCode::NOT_FOUND => Ok(Answer::NotFound),
        status if may_be_about_one(status) => {
            let refusal = Refusal::of(&response);
            let reason = if refusal.is_about_dependents() {
                NotDeletedReason::Dependents
            } else {
                NotDeletedReason::Refused {
                    status: status.as_u16(),
                    message: said(refusal.text()),
                }
            };
            Ok(Answer::Refused { reason })
        }
        _ => {
            let raw: Raw = json::read(&response.success()?.body)?;
            Ok(Answer::Done(raw.deleted_entities))
        }
    }
}

/// Refusals that one entity of a call may have caused. Port does not document the status for dependents.
fn may_be_about_one(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST
            | StatusCode::CONFLICT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::PAYLOAD_TOO_LARGE
            | StatusCode::UNPROCESSABLE_ENTITY
            | StatusCode::FAILED_DEPENDENCY
    )
}
