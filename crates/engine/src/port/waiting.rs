//! Entities that Port refused while something else was not there yet, or while it failed itself, and the order in which they are tried again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use longshore_mapping::{Entity, Identifier};
use longshore_port_client::Rejected;
use serde_json::Value;

use super::same;
use crate::sink::related_identifiers;

/// Entities that are kept to be tried again. Above this they are rejected at once; the next sync, which finds what they relate to, takes them.
pub(super) const MOST: usize = 50_000;
/// How often they are tried again.
pub(super) const PASSES: usize = 3;

/// How long Port has before the second pass, and twice as long before the third, where it was Port that failed.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// A refused entity, and Port's words.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) entity: Entity,
    pub(super) message: String,
    /// The status, where it says that Port failed and nothing is wrong with the entity.
    pub(super) temporary: Option<u16>,
}

/// What waits until everything else is written.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    entities: Vec<Refused>,
    keys: HashSet<u64>,
}

impl Waiting {
    /// Keeps refused entities, as far as there is room. Gives back the others, and says how many are kept.
    pub(super) fn keep(&mut self, refused: Vec<Refused>) -> (u64, impl Iterator<Item = Refused>) {
        let room = MOST.saturating_sub(self.entities.len()).min(refused.len());
        let mut refused = refused.into_iter();
        for kept in refused.by_ref().take(room) {
            self.keys.extend(key_of(&kept.entity));
            self.entities.push(kept);
        }
        (room as u64, refused)
    }

    /// Takes out the entities that have to wait because something of the same name does: what came last is to be written last.
    pub(super) fn behind(&self, entities: &mut Vec<Entity>) -> Vec<Refused> {
        if self.keys.is_empty() {
            return Vec::new();
        }
        let waits =
            |entity: &mut Entity| key_of(entity).is_some_and(|key| self.keys.contains(&key));
        let behind = entities.extract_if(.., waits).map(|entity| Refused {
            entity,
            message: "what came before it under the same identifier was refused".to_owned(),
            temporary: None,
        });
        behind.collect()
    }

    pub(super) fn take(&mut self) -> Vec<Refused> {
        std::mem::take(self).entities
    }
}

fn key_of(entity: &Entity) -> Option<u64> {
    Some(same::key(&entity.blueprint, entity.identifier.as_str()?))
}

/// Whether Port may take this entity later: Port failed, or others may be there by then. It relates to something in that case, or is itself looked up,
/// and Port said no to it alone.
pub(super) fn may_be_taken_later(entity: &Entity, rejected: &Rejected) -> bool {
    if rejected.is_temporary() {
        return true;
    }
    let depends = matches!(entity.identifier, Identifier::Search(_))
        || entity.relations.values().any(|target| match target {
            Value::Null => false,
            Value::Array(targets) => !targets.is_empty(),
            _ => true,
        });
    depends && matches!(rejected.status, Some(400 | 404 | 409 | 412 | 422 | 424))
}

/// The entities in the order of their relations.
pub(super) fn split(waiting: Vec<Refused>) -> Vec<Vec<Refused>> {
    let parts = in_order(&waiting);
    let mut waiting: Vec<Option<Refused>> = waiting.into_iter().map(Some).collect();
    parts
        .into_iter()
        .map(|part| {
            part.into_iter()
                .filter_map(|position| waiting[position].take())
                .collect()
        })
        .collect()
}

/// The positions of these entities in the order of their relations: each part relates to earlier parts only. Those that relate to each other in a
/// circle, and what waits for them, make up the last part.
fn in_order(waiting: &[Refused]) -> Vec<Vec<usize>> {
    let mut by_identifier: HashMap<&str, Vec<usize>> = HashMap::new();
    for (position, refused) in waiting.iter().enumerate() {
        if let Some(identifier) = refused.entity.identifier.as_str() {
            by_identifier.entry(identifier).or_default().push(position);
        }
    }
    // A relation does not say in which blueprint its target is: all of that name come first.
    let mut before: Vec<usize> = vec![0; waiting.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); waiting.len()];
    for (position, refused) in waiting.iter().enumerate() {
        let is_itself = |target: usize| {
            let (one, other) = (&waiting[target].entity, &refused.entity);
            one.identifier == other.identifier && one.blueprint == other.blueprint
        };
        let targets = related_identifiers(&refused.entity)
            .filter_map(|target| by_identifier.get(target))
            .flatten()
            .filter(|target| !is_itself(**target));
        // What came before under the same name is written before.
        let earlier = refused
            .entity
            .identifier
            .as_str()
            .and_then(|identifier| by_identifier.get(identifier))
            .into_iter()
            .flatten()
            .filter(|earlier| **earlier < position && is_itself(**earlier));
        for target in targets.chain(earlier) {
            before[position] += 1;
            after[*target].push(position);
        }
    }
    let mut parts = Vec::new();
    let mut part: Vec<usize> = (0..waiting.len())
        .filter(|position| before[*position] == 0)
        .collect();
    while !part.is_empty() {
        let mut next = Vec::new();
        for position in &part {
            for waiter in &after[*position] {
                before[*waiter] -= 1;
                if before[*waiter] == 0 {
                    next.push(*waiter);
                }
            }
        }
        next.sort_unstable();
        parts.push(std::mem::replace(&mut part, next));
    }
    let circles: Vec<usize> = (0..waiting.len())
        .filter(|position| before[*position] > 0)
        .collect();
    if !circles.is_empty() {
        parts.push(circles);
    }
    parts
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(identifier: &str, targets: &[&str]) -> Refused {
        let mut entity = Entity::new("user", identifier);
        entity.relations.insert("r".to_owned(), json!(targets));
        Refused {
            entity,
            message: String::new(),
            temporary: None,
        }
    }

    #[test]
    fn what_others_relate_to_comes_first() {
        let waiting = [
            refused("c", &["b", "a", "elsewhere"]),
            refused("b", &["a"]),
            refused("a", &[]),
            refused("d", &["a"]),
        ];
        assert_eq!(in_order(&waiting), [vec![2], vec![1, 3], vec![0]]);
        assert_eq!(in_order(&[]), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn circles_and_what_waits_for_them_come_last_and_self_references_do_not_count() {
        let waiting = [
            refused("a", &["b"]),
            refused("b", &["a"]),
            refused("self", &["self"]),
            refused("after", &["a"]),
            refused("twice", &["self", "self"]),
        ];
        assert_eq!(in_order(&waiting), [vec![2], vec![4], vec![0, 1, 3]]);
    }

    #[test]
    fn what_comes_twice_is_written_in_the_order_in_which_it_came() {
        let waiting = [
            refused("a", &["team", "a"]),
            refused("a", &[]),
            refused("a", &["a"]),
            refused("team", &[]),
        ];
        assert_eq!(in_order(&waiting), [vec![3], vec![0], vec![1], vec![2]]);
    }

    #[test]
    fn a_long_chain_is_put_in_order_without_recursion() {
        let waiting: Vec<Refused> = (0..20_000)
            .map(|n| refused(&n.to_string(), &[&(n + 1).to_string()]))
            .collect();
        let parts = in_order(&waiting);
        assert_eq!(parts.len(), 20_000);
        assert_eq!((parts[0][0], parts[19_999][0]), (19_999, 0));
    }
}
