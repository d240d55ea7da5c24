//! In which order blueprints are created: a relation's target has to be there first.

use std::collections::BTreeSet;

use longshore_port_client::Blueprint;

/// Reckoned over the entities of other blueprints, so only once those are there.
pub(super) const LATE: [&str; 2] = ["aggregationProperties", "mirrorProperties"];

/// One blueprint, as it is created first and as it is to be in the end.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) blueprint: Blueprint,
    pub(super) first: Blueprint,
}

impl Step {
    /// Whether something has to be added once the others are there.
    pub(super) fn needs_second(&self) -> bool {
        self.first != self.blueprint
    }
}

/// Those first that others relate to. Where relations run in a circle, one of them is created without what is not there yet.
pub(super) fn steps(blueprints: &[Blueprint]) -> Vec<Step> {
    let wanted: BTreeSet<&str> = names(blueprints.iter());
    let mut waiting: Vec<&Blueprint> = blueprints.iter().collect();
    let mut steps: Vec<Step> = Vec::new();
    while !waiting.is_empty() {
        let still: BTreeSet<&str> = names(waiting.iter().copied());
        // What nobody here creates is Port's to refuse; what is one's own is there with oneself.
        let missing = |blueprint: &Blueprint| {
            blueprint
                .relations
                .values()
                .filter(|relation| {
                    relation.target != blueprint.identifier
                        && wanted.contains(relation.target.as_str())
                        && still.contains(relation.target.as_str())
                })
                .count()
        };
        let next = (0..waiting.len())
            .min_by_key(|index| missing(waiting[*index]))
            .unwrap_or_default();
        let blueprint = waiting.remove(next).clone();
        let mut first = blueprint.clone();
        first.relations.retain(|_, relation| {
            relation.target == blueprint.identifier || !still.contains(relation.target.as_str())
        });
        for late in LATE {
            first.further.remove(late);
        }
        steps.push(Step { blueprint, first });
    }
    steps
}

fn names<'b>(blueprints: impl Iterator<Item = &'b Blueprint>) -> BTreeSet<&'b str> {
    blueprints
        .map(|blueprint| blueprint.identifier.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use longshore_port_client::BlueprintRelation;

    use super::*;

    fn blueprint(name: &str, targets: &[&str]) -> Blueprint {
        let mut blueprint = Blueprint::new(name, name);
        for target in targets {
            let relation = BlueprintRelation::to(*target);
            blueprint.relations.insert(format!("to_{target}"), relation);
        }
        blueprint
    }

    fn order(steps: &[Step]) -> Vec<(&str, usize, bool)> {
        steps
            .iter()
            .map(|step| {
                let first = &step.first;
                (
                    first.identifier.as_str(),
                    first.relations.len(),
                    step.needs_second(),
                )
            })
            .collect()
    }

    #[test]
    fn targets_come_first_and_what_is_not_ours_is_left_to_port() {
        let all = [
            blueprint("device", &["user", "site"]),
            blueprint("user", &["team", "user"]),
            blueprint("team", &[]),
        ];
        assert_eq!(
            order(&steps(&all)),
            [("team", 0, false), ("user", 2, false), ("device", 2, false)]
        );
    }

    #[test]
    fn a_circle_is_opened_at_one_place_and_closed_afterwards() {
        let all = [
            blueprint("a", &["b"]),
            blueprint("b", &["c"]),
            blueprint("c", &["a"]),
        ];
        let steps = steps(&all);
        assert_eq!(
            order(&steps),
            [("a", 0, true), ("c", 1, false), ("b", 1, false)]
        );
        assert_eq!(steps[0].blueprint, all[0]);
    }
}
