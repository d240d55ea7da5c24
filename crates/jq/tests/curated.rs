//! Expressions of our own, function group by function group, with the answers of libjq 1.8.2.

use longshore_jq::{Filter, Val};

struct Case<'t> {
    group: &'t str,
    program: &'t str,
    input: Val,
    outputs: Vec<Val>,
    error: bool,
}

fn cases() -> Vec<Case<'static>> {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|e| panic!("{text}: {e}"));
    let mut cases: Vec<Case<'static>> = Vec::new();
    let mut group = "";
    for line in include_str!("curated.txt").lines() {
        let last = cases.last_mut();
        match (line.split_at_checked(2), last) {
            (Some(("##", name)), _) => group = name.trim(),
            (Some(("> ", program)), _) => {
                cases.push(Case {
                    group,
                    program,
                    input: Val::null(),
                    outputs: Vec::new(),
                    error: false,
                });
            }
            (Some(("< ", input)), Some(case)) => case.input = json(input),
            (Some(("# ", _)), _) | (None, None) => {}
            (_, Some(case)) if line == "error" => case.error = true,
            (_, Some(case)) if !line.is_empty() => case.outputs.push(json(line)),
            _ => {}
        }
    }
    cases
}

#[test]
fn functions_answer_as_in_jq() {
    let cases = cases();
    assert!(cases.len() >= 300, "only {} cases were read", cases.len());
    let mut problems = Vec::new();
    for case in &cases {
        let Case {
            group,
            program,
            input,
            outputs,
            error,
        } = case;
        let filter = match Filter::compile(program) {
            Ok(filter) => filter,
            Err(e) => {
                problems.push(format!("{group}: {program}\n    {e}"));
                continue;
            }
        };
        let first = filter.first(input);
        let all = filter.all(input);
        let equal = match (outputs.first(), error) {
            (None, true) => first.is_err(),
            (wanted, _) => first
                .as_ref()
                .is_ok_and(|got| got.as_ref().map(shown) == wanted.map(shown)),
        };
        let all_equal = match &all {
            Ok(got) => !error && got.iter().map(shown).eq(outputs.iter().map(shown)),
            Err(_) => *error,
        };
        if !equal || !all_equal {
            problems.push(format!("{group}: {program}\n    input {input}\n    got {all:?}\n    jq  {outputs:?}, error {error}"));
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {} differ:\n{}",
        problems.len(),
        cases.len(),
        problems.join("\n")
    );
}

/// As it leaves the program: jq prints `nan` as null.
fn shown(value: &Val) -> Val {
    Val::from_json(&value.to_json())
}
