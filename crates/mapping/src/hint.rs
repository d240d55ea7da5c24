//! What a person most likely meant, where an expression gives null because a key is not there.

use longshore_jq::{Absent, Filter, Step, Val, path_text};

/// How much two names must be alike for one to be taken for the other, from 0 to 1.
const ALIKE: f64 = 0.7;

/// How deep a key is looked for elsewhere in the record.
const DEPTH: usize = 3;

/// Objects that a search for a key looks into at most.
const LOOKED_INTO: usize = 200;

/// One line about a filter that gives null or false for a record: about the first of the keys it asks for in vain about which there is
/// something to say, or about the filter itself.
pub(crate) fn of_filter(record: &Val, filter: &Filter) -> Option<String> {
    if let Some(hint) = of_parameter(record, filter) {
        return Some(hint);
    }
    let absent = filter.absent(record);
    let mut of_keys = absent.iter().filter_map(|absent| of_one(record, absent));
    of_keys.next().or_else(|| filter.hint().map(str::to_owned))
}

/// A record of a child has the parameters of its path under their name with two underscores, and under the name alone unless the API has
/// that key too, where it may be null.
fn of_parameter(record: &Val, filter: &Filter) -> Option<String> {
    let keys = record.keys();
    let mut names = keys.iter().filter_map(|key| key.strip_prefix("__"));
    let name =
        names.find(|name| record.get(name).is_some_and(Val::is_null) && filter.asks_for(name))?;
    Some(format!(
        "the API gives `{name}` as null, and the parameter of the path is `__{name}`: write `.__{name}`"
    ))
}

fn of_one(record: &Val, absent: &Absent) -> Option<String> {
    let there = absent
        .path
        .iter()
        .try_fold(record, |value, step| step.from(value))?;
    let asked = with(&absent.path, &absent.key);
    let keys = there.keys();
    let parameter = format!("__{}", absent.key);
    if absent.path.is_empty() && keys.contains(&&*parameter) {
        return Some(format!(
            "the record has no `{}` but the parameter `{parameter}` of its path: write `.{parameter}`",
            absent.key
        ));
    }
    if let Some(near) = nearest(&absent.key, &keys) {
        return Some(format!(
            "there is no `{asked}`; did you mean `{}`?",
            with(&absent.path, near)
        ));
    }
    let elsewhere = elsewhere(record, &absent.key)?;
    Some(format!(
        "there is no `{asked}`; did you mean `{elsewhere}`?"
    ))
}

/// The key that is spelled the same but for case and separators, or else nearly so.
fn nearest<'k>(asked: &str, keys: &[&'k str]) -> Option<&'k str> {
    let plain = |key: &str| -> String {
        let letters = key.chars().filter(|c| c.is_alphanumeric());
        letters.flat_map(char::to_lowercase).collect()
    };
    let wanted = plain(asked);
    let alike = |key: &str| match plain(key) {
        same if same == wanted => 2.0,
        other => strsim::normalized_damerau_levenshtein(&wanted, &other),
    };
    let best = keys
        .iter()
        .map(|key| (alike(key), *key))
        .max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}

/// Where else in the record the key is, the nearest place first.
fn elsewhere(record: &Val, key: &str) -> Option<String> {
    let mut level: Vec<(Vec<Step>, &Val)> = vec![(Vec::new(), record)];
    let mut looked = 0;
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (path, value) in level {
            for name in value.keys() {
                let Some(inner) = value.get(name).filter(|inner| inner.is_object()) else {
                    continue;
                };
                looked += 1;
                if looked > LOOKED_INTO {
                    return None;
                }
                let path = [path.clone(), vec![Step::Key(name.to_owned())]].concat();
                if inner.get(key).is_some() {
                    return Some(with(&path, key));
                }
                next.push((path, inner));
            }
        }
        level = next;
    }
    None
}

/// A path with one key more.
fn with(path: &[Step], key: &str) -> String {
    path_text(&[path, &[Step::Key(key.to_owned())]].concat())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hint(program: &str) -> Option<String> {
        let record = Val::from(json!({
            "__ticket_id": "7", "firstName": "Ada", "e-mail": "a@b", "owner": {"login": "ada", "profile": {"timezone": "UTC"}}, "state": "open",
            "labels": [{"name": "a", "text-colour": "red"}],
        }));
        of_filter(&record, &Filter::compile(program).unwrap())
    }

    #[test]
    fn a_parameter_of_the_path_is_pointed_at() {
        assert!(
            hint(".ticket_id")
                .unwrap()
                .ends_with("write `.__ticket_id`")
        );
    }

    #[test]
    fn a_parameter_that_a_null_of_the_api_hides_is_pointed_at() {
        let record = Val::from(
            json!({"ticket_id": null, "__ticket_id": "7", "__other": 1, "other": 2, "x": null}),
        );
        let hint = |program| of_filter(&record, &Filter::compile(program).unwrap());
        let told = hint("\"\\(.x)-\\(.ticket_id)\" | ascii_downcase").unwrap();
        assert!(told.ends_with("write `.__ticket_id`"), "{told}");
        assert_eq!(
            (hint(".x"), hint(".other"), hint(".__ticket_id")),
            (None, None, None)
        );
    }

    #[test]
    fn near_misses_are_found_whatever_their_case_and_separators() {
        for (program, meant) in [
            (".first_name", "`.firstName`"),
            (".firstname", "`.firstName`"),
            (".email", "`.[\"e-mail\"]`"),
            (".stat | ascii_upcase", "`.state`"),
            (".owner.logn // \"nobody\"", "`.owner.login`"),
            ("\"\\(.state): \\(.fristName)\"", "`.firstName`"),
            (".labels[0].nmae", "`.labels[0].name`"),
            (
                "first(.labels[].textColour)",
                "`.labels[][\"text-colour\"]`",
            ),
        ] {
            let hint = hint(program).unwrap();
            assert!(
                hint.ends_with(&format!("did you mean {meant}?")),
                "{program}: {hint}"
            );
        }
    }

    #[test]
    fn a_key_that_lies_deeper_is_found_there() {
        assert!(
            hint(".login")
                .unwrap()
                .ends_with("did you mean `.owner.login`?")
        );
        assert!(
            hint(".owner.timezone")
                .unwrap()
                .ends_with("did you mean `.owner.profile.timezone`?")
        );
    }

    #[test]
    fn where_nothing_is_alike_nothing_is_said() {
        for program in [".priority", ".owner.zzz", ".state", ".", "1"] {
            assert_eq!(hint(program), None, "{program}");
        }
    }
}
