//! What a program asks a record for in vain.

use super::Expr;
use super::eval::{Part, Piece};
use crate::Val;

/// A key that a program asks for, in an object of the record that does not have it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Absent {
    /// The keys that lead to the object; none for the record itself.
    pub path: Vec<String>,
    /// The key that it lacks.
    pub key: String,
}

/// The first absent key of each path that starts at the record. What is asked of other values, such as the elements of an array, is not
/// looked at.
pub(crate) fn absent(expr: &Expr, record: &Val) -> Vec<Absent> {
    let mut paths = Vec::new();
    read_by(expr, &mut paths);
    let mut found: Vec<Absent> = Vec::new();
    for path in paths {
        let mut at = record;
        for (depth, key) in path.iter().enumerate() {
            match at.get(key) {
                Some(next) => at = next,
                None => {
                    let absent = Absent {
                        path: path[..depth].iter().map(|key| (*key).to_owned()).collect(),
                        key: (*key).to_owned(),
                    };
                    if at.is_object() && !found.contains(&absent) {
                        found.push(absent);
                    }
                    break;
                }
            }
        }
    }
    found
}

fn read_by<'e>(expr: &'e Expr, paths: &mut Vec<Vec<&'e str>>) {
    let mut read = |expr: &'e Expr| read_by(expr, paths);
    match expr {
        Expr::Keys(keys) => paths.push(keys.iter().map(|key| &**key).collect()),
        Expr::Path(head, parts) => {
            let keys = parts.iter().map_while(|(part, _)| match part {
                Part::Key(key) => Some(&**key),
                _ => None,
            });
            match &**head {
                Expr::Id => paths.push(keys.collect()),
                Expr::Keys(first) => {
                    paths.push(first.iter().map(|key| &**key).chain(keys).collect());
                }
                other => read(other),
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
        Expr::Pipe(l, r) => match &**l {
            Expr::Tick(inner) if matches!(**inner, Expr::Id) => read(r),
            l => read(l),
        },
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
    use crate::{Filter, Val};
    use serde_json::json;

    fn absent(program: &str) -> Vec<String> {
        let record = Val::from(
            json!({"id": 1, "user": {"name": "Ada", "roles": [{"id": 1}]}, "none": null}),
        );
        let found = Filter::compile(program).unwrap().absent(&record);
        found
            .into_iter()
            .map(|absent| [absent.path, vec![absent.key]].concat().join("."))
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
