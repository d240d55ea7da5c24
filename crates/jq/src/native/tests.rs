//! The same answers as jaq's, on random programs and records.

use crate::filter::tests::by_jaq;
use crate::{EvalError, EvalErrorKind, Filter, Val};
use fastrand::Rng;
use serde_json::{Map, Value, json};

const KEYS: [&str; 8] = ["a", "b", "id", "name", "labels", "x y", "é", "state"];

/// A value of up to that many levels. Few keys and few texts, so that programs meet what they look for.
fn value(rng: &mut Rng, depth: u32) -> Value {
    let numbers = [
        json!(0),
        json!(1),
        json!(-1),
        json!(2),
        json!(0.5),
        json!(-2.5),
        json!(1e17),
        json!(1e300),
        json!(100),
        json!(3.0),
    ];
    let texts = [
        "",
        "a",
        "b",
        "open",
        "Closed",
        "a,b,c",
        "Ünï cödé",
        "x y",
        "2024-03-05T10:11:12Z",
        "12",
        "1.50",
        "true",
        "null",
        "[1,2]",
        "{\"a\":1}",
        "line\nbreak \"quoted\"",
        "aGVsbG8=",
    ];
    match rng.u32(0..if depth == 0 { 7 } else { 12 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 | 3 => rng.choice(numbers).unwrap_or_default(),
        4..=6 => (*rng.choice(&texts).unwrap_or(&"")).into(),
        7 | 8 => (0..rng.usize(0..4))
            .map(|_| value(rng, depth - 1))
            .collect::<Vec<_>>()
            .into(),
        _ => {
            let mut map = Map::new();
            for _ in 0..rng.usize(0..5) {
                map.insert(
                    (*rng.choice(&KEYS).unwrap_or(&"a")).into(),
                    value(rng, depth - 1),
                );
            }
            map.into()
        }
    }
}

/// A program of the forms that have an expression, and now and then one that has none.
struct Programs<'r> {
    rng: &'r mut Rng,
    variables: Vec<String>,
}

impl Programs<'_> {
    fn pick<'t>(&mut self, all: &[&'t str]) -> &'t str {
        all[self.rng.usize(0..all.len())]
    }

    fn key(&mut self) -> String {
        let key = self.pick(&KEYS);
        match key.chars().all(|c| c.is_ascii_alphanumeric()) {
            true => format!(".{key}"),
            false => format!(".[\"{key}\"]"),
        }
    }

    fn path(&mut self, depth: u32) -> String {
        let mut path = self.key();
        for _ in 0..self.rng.usize(0..3) {
            let part = match self.rng.u32(0..12) {
                0 => "[0]".into(),
                1 => "[-1]".into(),
                2 => "[1:]".into(),
                3 => "[:2]".into(),
                4 => "[]".into(),
                5 => "[]?".into(),
                6 if depth > 0 => format!("[{}]", self.program(depth - 1)),
                7 if depth > 0 => {
                    format!("[{}:{}]?", self.program(depth - 1), self.program(depth - 1))
                }
                8 => "?".into(),
                _ => {
                    let key = self.key();
                    match self.rng.bool() {
                        true => key,
                        false => key + "?",
                    }
                }
            };
            path.push_str(&part);
        }
        path
    }

    fn literal(&mut self) -> &'static str {
        self.pick(&[
            "null",
            "true",
            "false",
            "0",
            "1",
            "-1",
            "2.50",
            "1e3",
            "\"\"",
            "\"a\"",
            "\"open\"",
            "\"-\"",
            "[]",
            "{}",
            "[1,2]",
            "{\"a\":1}",
            "\"a,b\"",
        ])
    }

    fn program(&mut self, depth: u32) -> String {
        if depth == 0 {
            return match self.rng.u32(0..8) {
                0 => ".".into(),
                1 if !self.variables.is_empty() => {
                    let i = self.rng.usize(0..self.variables.len());
                    self.variables[i].clone()
                }
                2 | 3 => self.literal().into(),
                _ => self.path(0),
            };
        }
        let d = depth - 1;
        match self.rng.u32(0..30) {
            0 | 1 => self.path(d),
            2 => format!("({} // {})", self.program(d), self.program(d)),
            3 => format!("({} | {})", self.program(d), self.program(d)),
            4 => format!("({}, {})", self.program(d), self.program(d)),
            5 => {
                let op = self.pick(&["+", "-", "*", "/", "%"]);
                format!("({} {op} {})", self.program(d), self.program(d))
            }
            6 => format!("({} + {})", self.program(d), self.program(d)),
            7 => {
                let op = self.pick(&["==", "!=", "<", "<=", ">", ">="]);
                format!("({} {op} {})", self.program(d), self.program(d))
            }
            8 => {
                let op = self.pick(&["and", "or"]);
                format!("({} {op} {})", self.program(d), self.program(d))
            }
            9 => format!(
                "(if {} then {} else {} end)",
                self.program(d),
                self.program(d),
                self.program(d)
            ),
            10 => format!(
                "(if {} then {} elif {} then {} end)",
                self.program(d),
                self.program(d),
                self.program(d),
                self.program(d)
            ),
            11 => format!("({})?", self.program(d)),
            12 => format!("(try {} catch {})", self.program(d), self.program(d)),
            13 => format!("[{}]", self.program(d)),
            14 => format!("{{a: {}, \"b c\": {}}}", self.program(d), self.program(d)),
            15 => format!(
                "{{({}): {}, id, \"name\"}}",
                self.program(d),
                self.program(d)
            ),
            16 => format!("\"<\\({})-\\({})>\"", self.program(d), self.program(d)),
            17 => {
                let format = self.pick(&[
                    "@text", "@json", "@base64", "@uri", "@html", "@sh", "@csv", "@nope",
                ]);
                format!("{format} \"x\\({})\"", self.program(d))
            }
            18 => {
                let name = format!("${}", self.pick(&["x", "y", "row", "path"]));
                let bound = self.program(d);
                self.variables.push(name.clone());
                let body = self.program(d);
                self.variables.pop();
                format!("({bound} as {name} | {body})")
            }
            19 => format!("-({})", self.program(d)),
            20 => {
                let f = self.pick(&[
                    "map",
                    "select",
                    "any",
                    "all",
                    "first",
                    "last",
                    "sort_by",
                    "group_by",
                    "unique_by",
                    "min_by",
                    "max_by",
                    "with_entries",
                    "isempty",
                    "add",
                    "map_values",
                    "to_entries | map",
                    "error",
                    "IN",
                    "INDEX",
                    "limit(2; .[]?) | select",
                    "skip(1; .[]?) | select",
                ]);
                format!("({f}({}))", self.program(d))
            }
            21 => {
                let f = self.pick(&[
                    "has",
                    "contains",
                    "inside",
                    "startswith",
                    "endswith",
                    "ltrimstr",
                    "rtrimstr",
                    "trimstr",
                    "split",
                    "join",
                    "test",
                    "index",
                    "rindex",
                    "indices",
                    "getpath",
                    "in",
                    "flatten",
                    "splits",
                    "scan",
                    "match",
                    "capture",
                    "nth",
                    "strftime",
                    "strptime",
                ]);
                format!("({f}({}))", self.program(d))
            }
            22 => {
                let f = self.pick(&[
                    "sub", "gsub", "test", "any", "all", "IN", "split", "nth", "scan",
                ]);
                format!("({f}({}; {}))", self.program(d), self.program(d))
            }
            23 => format!("(gsub(\"[a-c]\"; {}))", self.program(d)),
            24 => format!("(. as {{a: $x}} | {})", self.program(d)),
            25 => format!(
                "(def f($x; g): {}; f({}; {}))",
                "[$x, x, g]",
                self.program(d),
                self.program(d)
            ),
            26 => format!("(def slug: {}; [.[]? | slug])", self.program(d)),
            27 => "..".into(),
            _ => {
                let f = self.pick(&[
                    "length",
                    "keys",
                    "keys_unsorted",
                    "add",
                    "any",
                    "all",
                    "not",
                    "type",
                    "tostring",
                    "tonumber",
                    "tojson",
                    "fromjson",
                    "ascii_downcase",
                    "ascii_upcase",
                    "explode",
                    "implode",
                    "to_entries",
                    "from_entries",
                    "first",
                    "last",
                    "sort",
                    "unique",
                    "min",
                    "max",
                    "reverse",
                    "flatten",
                    "trim",
                    "ltrim",
                    "floor",
                    "round",
                    "abs",
                    "values",
                    "nulls",
                    "strings",
                    "numbers",
                    "booleans",
                    "arrays",
                    "objects",
                    "scalars",
                    "iterables",
                    "empty",
                    "error",
                    "todate",
                    "fromdate",
                    "fromdateiso8601",
                    "@base64",
                    "@base64d",
                    "@uri",
                    "@csv",
                    "@text",
                    "@json",
                    "recurse",
                    "transpose",
                    "toboolean",
                    "halt",
                    "env",
                    "utf8bytelength",
                    "tostream",
                    "paths",
                    "infinite",
                    "nan",
                    "isnan",
                ]);
                match self.rng.bool() {
                    true => f.into(),
                    false => format!("({} | {f})", self.path(d)),
                }
            }
        }
    }
}

/// Outputs and the end, as text: what differs in spelling alone differs.
fn answer(result: &Result<Vec<Val>, EvalError>) -> String {
    match result {
        Ok(outputs) => format!("{outputs:?}"),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

fn first(result: &Result<Option<Val>, EvalError>) -> String {
    match result {
        Ok(output) => format!("{output:?}"),
        Err(error) => format!("{:?}: {error}", error.kind()),
    }
}

/// jaq begins with the parts of an object or a sum before it knows whether those in front of them fail, so a part that nobody asks for
/// may run into a limit. jq does not begin with it, and neither does an expression.
fn runs_ahead<T>(jaq: &Result<T, EvalError>, got: &Result<T, EvalError>) -> bool {
    let kind = |result: &Result<T, EvalError>| result.as_ref().err().map(EvalError::kind);
    kind(jaq) == Some(EvalErrorKind::Limit)
        && matches!(kind(got), Some(EvalErrorKind::Data | EvalErrorKind::Raised))
}

/// Compares on that many random pairs of program and record. Says how many there were, and how many programs had an expression.
fn compare(pairs: usize, seed: u64) {
    const RECORDS: usize = 20;
    let mut rng = Rng::with_seed(seed);
    let (mut compared, mut native, mut programs, mut errors, mut ahead) = (0, 0, 0, 0, 0);
    while compared < pairs {
        let depth = rng.u32(1..4);
        let text = Programs {
            rng: &mut rng,
            variables: Vec::new(),
        }
        .program(depth);
        let Ok(either) = Filter::compile(&text) else {
            continue;
        };
        programs += 1;
        if !either.is_native() {
            continue;
        }
        native += 1;
        let jaq = by_jaq(&text).unwrap_or_else(|e| panic!("{text}: {e}"));
        for _ in 0..RECORDS {
            let record = value(&mut rng, 3);
            let (made, read) = (
                Val::from(&record),
                Val::read_page(record.to_string()).unwrap(),
            );
            let wanted = jaq.all(&made);
            errors += usize::from(wanted.is_err());
            for input in [&made, &read] {
                let got = either.all(input);
                if runs_ahead(&wanted, &got) {
                    ahead += 1;
                    continue;
                }
                assert_eq!(
                    answer(&got),
                    answer(&wanted),
                    "seed {seed}: all outputs of {text} on {record}"
                );
            }
            let wanted = jaq.first(&made);
            for input in [&made, &read] {
                let got = either.first(input);
                if runs_ahead(&wanted, &got) {
                    continue;
                }
                assert_eq!(
                    first(&got),
                    first(&wanted),
                    "seed {seed}: the first output of {text} on {record}"
                );
                if let (Ok(Some(view)), Ok(Some(wanted))) = (either.output(input), &wanted) {
                    let mut json = Vec::new();
                    view.write_json(&mut json);
                    assert_eq!(
                        String::from_utf8(json).unwrap(),
                        serde_json::to_string(wanted).unwrap(),
                        "seed {seed}: the JSON of {text} on {record}"
                    );
                    assert_eq!(
                        (view.is_null(), view.type_name()),
                        (wanted.is_null(), wanted.type_name())
                    );
                }
            }
            compared += 1;
        }
    }
    println!(
        "{compared} pairs, {errors} of them errors, no difference; {native} of {programs} programs have an expression; \
         {ahead} times jaq ran ahead into a limit"
    );
    assert!(ahead * 10_000 <= compared, "{ahead} of {compared}");
}

#[test]
fn expressions_answer_as_jaq_does() {
    compare(6_000, 1);
}

#[test]
#[ignore = "a million pairs, minutes even in release"]
fn a_million_pairs_answer_as_jaq_does() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(7);
    compare(1_000_000, seed);
}
