//! Expressions of real mappings against the answers of libjq 1.8.2, where the collection is at hand.

use longshore_jq::{Filter, Val};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;

/// Expressions that answer differently here on purpose, with the reason.
const DEVIATIONS: [(&str, &str); 0] = [];

#[derive(Deserialize)]
struct Line {
    expr: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    #[serde(rename = "in")]
    input: Val,
    out: Vec<Value>,
    #[serde(default)]
    err: bool,
}

#[test]
fn real_mappings_answer_as_in_jq() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/jq-golden/mappings.jsonl");
    let Ok(text) = std::fs::read_to_string(&path) else {
        assert!(
            std::env::var_os("CI").is_none(),
            "{} is missing",
            path.display()
        );
        println!("skipped: {} is not there", path.display());
        return;
    };
    let (mut total, mut equal, mut differences) = (0, 0, Vec::new());
    for line in text.lines() {
        let line: Line = serde_json::from_str(line).expect("a line of the collection");
        total += 1;
        match difference(&line) {
            None => equal += 1,
            Some(_) if DEVIATIONS.iter().any(|(expr, _)| *expr == line.expr) => {}
            Some(difference) => differences.push(format!("{}\n    {difference}", line.expr)),
        }
    }
    println!("{equal} of {total} expressions answer as in jq");
    assert!(total > 1000, "only {total} expressions were read");
    assert!(
        differences.is_empty(),
        "{} differ:\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn difference(line: &Line) -> Option<String> {
    let filter = match Filter::compile_mapping(&line.expr) {
        Ok(filter) => filter,
        Err(e) => return Some(format!("does not compile: {e}")),
    };
    line.cases.iter().find_map(|case| {
        let told = |what: &str| Some(format!("{what}\n    input {}", case.input));
        let first = filter.first(&case.input);
        match (&first, case.out.first()) {
            (Ok(Some(got)), Some(wanted)) if *got == Val::from_json(wanted) => {}
            (Ok(None), None) if !case.err => {}
            (Err(_), None) if case.err => {}
            (got, wanted) => {
                return told(&format!(
                    "first output {got:?}, in jq {wanted:?}, error {}",
                    case.err
                ));
            }
        }
        match filter.all(&case.input) {
            Err(_) if case.err => None,
            Ok(got) if !case.err => {
                let same = got
                    .iter()
                    .take(8)
                    .map(Val::to_json)
                    .map(Val::from)
                    .eq(case.out.iter().map(Val::from_json));
                if same {
                    None
                } else {
                    told(&format!("outputs {got:?}, in jq {:?}", case.out))
                }
            }
            got => told(&format!("outputs {got:?}, in jq an error: {}", case.err)),
        }
    })
}
