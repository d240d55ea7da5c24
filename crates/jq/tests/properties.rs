//! Whatever the text and the record are: an answer or an error, never a panic.

use longshore_jq::{Filter, Val};
use proptest::prelude::*;
use serde_json::{Value, json};

/// Pieces that programs are made of, put together without grammar.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        ".",
        ".a",
        ".[",
        "]",
        "(",
        ")",
        "{",
        "}",
        "|",
        ",",
        ":",
        ";",
        "?",
        "//",
        "?//",
        "=",
        "|=",
        "+=",
        "==",
        "<",
        "-",
        "+",
        "*",
        "/",
        "%",
        "1",
        "0.5",
        "1e3",
        "\"",
        "\"x\"",
        "\\(",
        "\\u",
        "$x",
        "$__loc__",
        "@base64",
        "@csv",
        " as ",
        "if ",
        " then ",
        " else ",
        " elif ",
        " end",
        "try ",
        " catch ",
        "reduce ",
        "foreach ",
        "label $x",
        "break $x",
        "def f: ",
        "def g($a; h): ",
        "f",
        "g(1; .)",
        "and",
        " or ",
        "not",
        "..",
        "[]",
        "empty",
        "error",
        "map(",
        "select(",
        "path(",
        "limit(",
        "é",
        "'",
        "#",
        "\n",
        "\\",
        "import ",
        "::",
    ]);
    prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat())
}

fn record() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("[a-d]", inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// Functions of the input alone, each on every kind of value.
const FUNCTIONS: [&str; 84] = [
    "add",
    "all",
    "any",
    "ascii_downcase",
    "ascii_upcase",
    "arrays",
    "booleans",
    "combinations",
    "explode",
    "first",
    "flatten",
    "floor",
    "from_entries",
    "fromdate",
    "fromjson",
    "gmtime",
    "implode",
    "isnormal",
    "join(\",\")",
    "keys",
    "last",
    "length",
    "ltrimstr(\"a\")",
    "map(.)",
    "max",
    "min",
    "mktime",
    "not",
    "paths",
    "recurse",
    "reverse",
    "round",
    "sort",
    "sqrt",
    "tojson",
    "todate",
    "tonumber",
    "tostream",
    "tostring",
    "transpose",
    "trim",
    "type",
    "unique",
    "values",
    "@base32",
    "@base32d",
    "@base64",
    "@base64d",
    "@csv",
    "@html",
    "@json",
    "@sh",
    "@text",
    "@tsv",
    "@uri",
    "@urid",
    ".[0]",
    ".a",
    ".[]",
    ".[1:]",
    ".[:-1]",
    ".[1.5]",
    ".. |= .",
    ".[0] = 1",
    ".a = 1",
    ".[] |= empty",
    "del(.[0], .a)",
    "to_entries",
    "with_entries(.)",
    "walk(.)",
    "group_by(.)",
    "split(\"a\")",
    "split(\"a*\"; null)",
    "[match(\"\"; \"g\")]",
    "gsub(\"\"; \"-\")",
    "test(\"\\\\w\")",
    "capture(\"(?<a>.)?\")",
    "strptime(\"%Y-%m-%d\")",
    "strftime(\"%A %j %U %V\")",
    "indices(\"a\")",
    "indices(1)",
    "tostring * 2",
    "-.",
    ". % 3",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_compiles_or_is_refused(text in pieces(), noise in ".{0,40}") {
        for text in [text, noise] {
            match Filter::compile_mapping(&text) {
                Ok(filter) => {
                    let _ = filter.first(&Val::from(json!({"a": [1, "x", null]})));
                }
                Err(error) => prop_assert!(!error.to_string().contains('\n'), "{error}"),
            }
        }
    }

    #[test]
    fn a_record_keeps_its_value_on_every_way(record in record()) {
        let value = Val::from_json(&record);
        prop_assert_eq!(&Val::from_json(&value.to_json()), &value);
        let text = serde_json::to_string(&value).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Val>(&text).unwrap(), &value);
        let again = Filter::compile("tojson | fromjson").unwrap().first(&value).unwrap();
        prop_assert_eq!(again, Some(value));
    }
}

#[test]
fn every_function_takes_every_kind_of_value() {
    let values = [
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(""),
        json!("aé😀\u{0}"),
        json!("2024-02-30"),
        json!([]),
        json!([1, null, "a", [2], {"a": 1}]),
        json!([[1, 2], [3]]),
        json!([2024, 1, 30, 0, 0, 0]),
        json!([1e300, -1]),
        json!({}),
        json!({"a": {"b": [1]}, "c": null}),
        json!([{"key": "a", "value": 1}]),
        json!({"start": 1}),
    ];
    for function in FUNCTIONS {
        let filter = Filter::compile(function).unwrap_or_else(|e| panic!("{function}: {e}"));
        for value in &values {
            if let Ok(outputs) = filter.all(&Val::from_json(value)) {
                // What comes out can be written.
                outputs
                    .iter()
                    .for_each(|output| drop(serde_json::to_string(output).unwrap()));
            }
        }
    }
}

#[test]
fn equal_programs_agree_on_every_record() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for (one, other) in [
        (".a.b", ".a | .b"),
        (".a", "(.a, empty)"),
        (".a // 1", "if .a then .a else 1 end"),
        ("[.[]?]", "[try .[] catch empty]"),
        ("map(.)?", "[.[]]?"),
        ("to_entries? // []", "[try to_entries[] catch empty]"),
        ("sort?", "sort_by(.)?"),
        ("tojson", "@json"),
        ("[paths]", "[path(..) | select(length > 0)]"),
        (". == .", "[., .] | .[0] == .[1]"),
        ("del(.a)?", "delpaths([[\"a\"]])?"),
        (".a |= 1", "setpath([\"a\"]; 1)"),
        ("[tostream] | fromstream(.[])", "."),
        ("walk(.)", "."),
    ] {
        let [one_filter, other_filter] = [one, other].map(|text| Filter::compile(text).unwrap());
        runner
            .run(&record(), |record| {
                let value = Val::from_json(&record);
                let [a, b] = [&one_filter, &other_filter].map(|filter| filter.first(&value).ok());
                prop_assert_eq!(a, b, "{} and {} on {}", one, other, record);
                Ok(())
            })
            .unwrap();
    }
}
