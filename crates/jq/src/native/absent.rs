//! What a program asks a record for in vain.

use super::Expr;
use super::eval::{Part, Piece};
use crate::Val;

/// A key that a program asks for, in an object of the record that does not have it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Absent {
    /// What leads to the object; nothing for the record itself.
    pub path: Vec<Step>,
    /// The key that it lacks.
    pub key: String,
}

/// A step on a path.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// `.key`
    Key(String),
    /// `[0]`, from the end where negative.
    Index(i64),
    /// `[]`, of which the first item of a list is looked at.
    Each,
}

impl Step {
    /// Where the step leads from a value, if there is something.
    ///
    /// ```
    /// use longshore_jq::{Step, Val};
    ///
    /// let tags = Val::from_json(&serde_json::json!(["a", "b"]));
    /// assert_eq!(Step::Index(-1).from(&tags), Some(&Val::from("b")));
    /// assert_eq!(Step::Key("name".into()).from(&tags), None);
    /// ```
    pub fn from<'v>(&self, value: &'v Val) -> Option<&'v Val> {
        match self {
            Step::Key(key) => value.get(key),
            Step::Each => value.as_array()?.first(),
            Step::Index(index) => {
                let items = value.as_array()?;
                let from_end = usize::try_from(index.unsigned_abs()).ok()?;
                match index {
                    0.. => items.get(from_end),
                    _ => items.get(items.len().checked_sub(from_end)?),
                }
            }
        }
    }
}

/// A path as people write it in jq: `.owner.email`, `.["first-name"]`, `.labels[0].name`.
///
/// ```
/// use longshore_jq::{Step, path_text};
///
/// assert_eq!(path_text(&[Step::Key("odd key".into()), Step::Each, Step::Key("id".into())]), r#".["odd key"][].id"#);
/// assert_eq!(path_text(&[]), ".");
/// ```
pub fn path_text(steps: &[Step]) -> String {
    let mut text = String::new();
    for step in steps {
        let inside = match step {
            Step::Key(key) if is_plain(key) => {
                text.push('.');
                text.push_str(key);
                continue;
            }
            Step::Key(key) => serde_json::Value::from(key.as_str()).to_string(),
            Step::Index(index) => index.to_string(),
            Step::Each => String::new(),
        };
        if text.is_empty() {
            text.push('.');
        }
        text.push('[');
        text.push_str(&inside);
        text.push(']');
    }
    match text.is_empty() {
        true => ".".to_owned(),
        false => text,
    }
}

/// Whether a key can stand behind a dot as it is.
fn is_plain(key: &str) -> bool {
    key.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic())
        && key.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

/// The first absent key of each path that starts at the record. What is asked of other values, such as what a function makes, is not
/// looked at.
pub(crate) fn absent(expr: &Expr, record: &Val) -> Vec<Absent> {
    let mut paths = Vec::new();
    read_by(expr, &mut paths);
    let mut found: Vec<Absent> = Vec::new();
    for path in paths {
        let mut at = record;
        for (depth, step) in path.iter().enumerate() {
            match step.from(at) {
                Some(next) => at = next,
                None => {
                    if let Step::Key(key) = step
                        && at.is_object()
                    {
                        let absent = Absent {
                            path: path[..depth].to_vec(),
                            key: key.clone(),
                        };
                        if !found.contains(&absent) {
                            found.push(absent);
                        }
                    }
                    break;
                }
            }
        }
    }
    found
}

/// Whether a path that starts at the record starts with that key.
pub(crate) fn asks_for(expr: &Expr, key: &str) -> bool {
    let mut paths = Vec::new();
    read_by(expr, &mut paths);
    paths
        .iter()
        .any(|path| matches!(path.first(), Some(Step::Key(first)) if first == key))
}

/// The step that a part of a path is, where it is the same for every record.
fn step(part: &Part) -> Option<Step> {
    match part {
        Part::Key(key) => Some(Step::Key(key.to_string())),
        Part::Each => Some(Step::Each),
        Part::Index(Expr::Const(index)) => {
            let number = index.as_f64().filter(|number| number.fract() == 0.0)?;
            // Larger ones saturate, and no list has so many items.
            Some(Step::Index(number as i64))
        }
        Part::Index(_) | Part::Slice(..) => None,
    }
}

/// Whether the output, if there is one, is the input: `select(…)`, `.`.
fn hands_on(expr: &Expr) -> bool {
    match expr {
        Expr::Id => true,
        Expr::Tick(inner) => hands_on(inner),
        Expr::If(_, then, otherwise) => {
            let same = |branch: &Expr| matches!(branch, Expr::Empty) || hands_on(branch);
            same(then) && same(otherwise)
        }
        _ => false,
    }
}

fn read_by<'e>(expr: &'e Expr, paths: &mut Vec<Vec<Step>>) {
    let mut read = |expr: &'e Expr| read_by(expr, paths);
    let key = |key: &str| Step::Key(key.to_owned());
    match expr {
        Expr::Keys(keys) => paths.push(keys.iter().map(|name| key(name)).collect()),
        Expr::Path(head, parts) => {
            let steps = parts.iter().map_while(|(part, _)| step(part));
            match &**head {
                Expr::Id => paths.push(steps.collect()),
                Expr::Keys(first) => {
                    paths.push(first.iter().map(|name| key(name)).chain(steps).collect());
                }
                other => read(other),
            }
        }
        // `.labels[0].name` is a path and then keys.
        Expr::Pipe(l, r) if matches!((&**l, &**r), (Expr::Path(..), Expr::Keys(_))) => {
            let known = paths.len();
            read_by(l, paths);
            let is_whole =
                |parts: &[(Part, bool)]| parts.iter().all(|(part, _)| step(part).is_some());
            if let (Expr::Path(_, parts), Expr::Keys(keys), Some(path)) =
                (&**l, &**r, paths.get_mut(known))
                && is_whole(parts)
            {
                path.extend(keys.iter().map(|name| key(name)));
            }
        }
        Expr::Text(pieces) => pieces.iter().for_each(|piece| {
            if let Piece::Expr(expr) = piece {
                read(expr);
            }
        }),
        Expr::Object(members) => members.iter().for_each(|(key, value)| {
            read(key);
            read(value);
        }),
        // Only the left side is asked of the record, unless that hands it on.
        Expr::Pipe(l, r) => {
            read(l);
            if hands_on(l) {
                read(r);
            }
        }
        Expr::Bind(l, _, r)
        | Expr::Comma(l, r)
        | Expr::Math(l, _, r)
        | Expr::Compare(l, _, r)
        | Expr::Logic(l, _, r)
        | Expr::Alternative(l, r) => {
            read(l);
            read(r);
        }
        Expr::If(condition, then, otherwise) => {
            [condition, then, otherwise]
                .into_iter()
                .for_each(|e| read(e));
        }
        Expr::Array(inner)
        | Expr::Negate(inner)
        | Expr::Try(inner, _)
        | Expr::First(inner)
        | Expr::Last(inner, _)
        | Expr::Tick(inner) => read(inner),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::Step;
    use crate::{Filter, Val};
    use serde_json::json;

    fn absent(program: &str) -> Vec<String> {
        let record = Val::from(
            json!({"id": 1, "user": {"name": "Ada", "roles": [{"id": 1}]}, "none": null}),
        );
        let found = Filter::compile(program).unwrap().absent(&record);
        found
            .into_iter()
            .map(|absent| {
                let steps = absent.path.iter().map(|step| match step {
                    Step::Key(key) => format!("{key}."),
                    Step::Index(index) => format!("{index}."),
                    Step::Each => "[].".to_owned(),
                });
                steps.chain([absent.key]).collect()
            })
            .collect()
    }

    #[test]
    fn every_path_from_the_record_is_followed_to_where_it_ends() {
        assert_eq!(absent(".idd"), ["idd"]);
        assert_eq!(absent(".user.nmae.first | ascii_downcase"), ["user.nmae"]);
        assert_eq!(
            absent(r#""\(.key): \(.user.title // "x")""#),
            ["key", "user.title"]
        );
        assert_eq!(absent(".a // .b // .id"), ["a", "b"]);
        assert_eq!(
            absent("if .x == 1 then .y else {z: .z, id} end"),
            ["x", "y", "z"]
        );
        assert_eq!(absent(".users | map(.name)"), ["users"]);
        assert_eq!(absent("[.roles[]?.id]"), ["roles"]);
    }

    #[test]
    fn paths_go_through_items_and_past_what_only_selects() {
        assert_eq!(absent(".user.roles[0].nmae"), ["user.roles.0.nmae"]);
        assert_eq!(absent(".user.roles[-1].name.x"), ["user.roles.-1.name"]);
        assert_eq!(absent("[.user.roles[].name]"), ["user.roles.[].name"]);
        assert_eq!(absent("first(.user.roles[].name)"), ["user.roles.[].name"]);
        assert_eq!(absent("select(.idd == 1) | .nmae"), ["idd", "nmae"]);
        assert_eq!(absent(".user.roles[1].x"), [""; 0]);
        assert_eq!(absent(".user[0].x"), [""; 0]);
        assert_eq!(absent(".user.roles[1:].x"), [""; 0]);
    }

    #[test]
    fn what_is_there_is_null_or_lies_elsewhere_is_not_absent() {
        for program in [
            ".id",
            ".none",
            ".none.x",
            ".user.name",
            ".user.roles | map(.nothing)",
            ".id.x",
            ".",
            "1",
            "reduce .x as $x (0; .)",
        ] {
            assert!(absent(program).is_empty(), "{program}");
        }
    }
}
