//! The value type as other crates use it.

use longshore_jq::{Filter, MAX_DEPTH, Step, Val, path_text};
use serde_json::json;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

fn hash(value: &Val) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn val(json: serde_json::Value) -> Val {
    Val::from(json)
}

#[test]
fn values_and_filters_cross_threads() {
    fn shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    shared::<Val>();
    shared::<Filter>();
}

#[test]
fn equality_is_of_values_not_of_spelling() {
    assert_eq!(val(json!(3)), val(json!(3.0)));
    assert_eq!(
        val(json!({"a": 1, "b": [2]})),
        val(json!({"b": [2.0], "a": 1.0}))
    );
    assert_ne!(val(json!("3")), val(json!(3)));
    assert_ne!(val(json!([])), val(json!({})));
    assert_ne!(
        val(json!(9_007_199_254_740_993u64)),
        val(json!(9_007_199_254_740_992u64))
    );
    assert_ne!(Val::from(f64::NAN), Val::from(f64::NAN));
    for (a, b) in [
        (json!(3), json!(3.0)),
        (json!(0.0), json!(-0.0)),
        (json!({"a": 1, "b": 2}), json!({"b": 2, "a": 1})),
    ] {
        assert_eq!(hash(&val(a)), hash(&val(b)));
    }
}

#[test]
fn text_of_json_comes_back_as_it_was() {
    let text = r#"{"z":1,"a":[18446744073709551615,-9223372036854775808,0.1,null,true,"é\n"],"m":{"k":{}}}"#;
    let value: Val = serde_json::from_str(text).unwrap();
    assert_eq!(value.keys(), ["z", "a", "m"]);
    assert_eq!(serde_json::to_string(&value).unwrap(), text);
    assert_eq!(value.to_string(), text);
    assert_eq!(Val::from_json(&value.to_json()), value);
}

#[test]
fn whole_doubles_of_the_data_are_integers() {
    let value: Val = serde_json::from_str("[46088.000, 1e17, 7034.550, 1e300]").unwrap();
    let texts: Vec<String> = value
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Val::text)
        .collect();
    assert_eq!(texts[..3], ["46088", "100000000000000000", "7034.55"]);
    assert!(texts[3].starts_with("1000000000000000052504760255") && texts[3].len() == 301);
    assert_eq!(value.as_array().unwrap()[0].as_u64(), Some(46088));
}

#[test]
fn numbers_that_json_cannot_hold_become_what_jq_prints() {
    assert_eq!(Val::from(f64::NAN).to_json(), json!(null));
    assert_eq!(Val::from(f64::INFINITY).to_json(), json!(f64::MAX));
    assert_eq!(
        Val::from(f64::NEG_INFINITY).to_string(),
        "-1.7976931348623157e+308"
    );
    for no_json in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(Val::from(no_json).text(), None, "{no_json}");
    }
    let written =
        serde_json::to_string(&vec![Val::from(f64::NEG_INFINITY), Val::from(f64::NAN)]).unwrap();
    assert_eq!(
        serde_json::from_str::<Vec<Option<f64>>>(&written).unwrap(),
        [Some(f64::MIN), None]
    );
}

#[test]
fn numbers_of_arbitrary_precision_are_read() {
    // What serde_json's `arbitrary_precision`, switched on by any crate of a program, hands to visitors.
    let token = |number: &str| format!(r#"{{"$serde_json::private::Number":"{number}"}}"#);
    let read = |text: &str| serde_json::from_str::<Val>(text).unwrap();
    assert_eq!(read(&token("18446744073709551615")), Val::from(u64::MAX));
    assert_eq!(read(&token("2.50")).text().as_deref(), Some("2.5"));
    assert_eq!(read(&token("1e400")).to_json(), json!(f64::MAX));
    assert!(read(&token("x")).is_object());
}

#[test]
fn a_change_does_not_reach_other_holders() {
    let before = val(json!({"a": 1}));
    let mut after = before.clone();
    assert!(after.insert("b", Val::from(2u64)));
    assert!(after.insert("a", Val::from("x")));
    assert_eq!(after.keys(), ["a", "b"]);
    assert_eq!(before, val(json!({"a": 1})));
    assert_eq!(after.remove("a"), Some(Val::from("x")));
    assert_eq!(after.remove("a"), None);
    assert_eq!(after, val(json!({"b": 2})));
    assert!(!Val::from("text").insert("a", Val::null()));
}

#[test]
fn the_text_of_a_path_leads_where_the_path_leads() {
    for key in [
        "a",
        "_x9",
        "a b",
        "é",
        "1",
        "",
        "a-b",
        "$x",
        "if",
        "and",
        "reduce",
        "__loc__",
        "q\"\\(.x)",
        "\n\u{0}",
    ] {
        let record = val(json!({"x": 1, key: [{key: "found"}]}));
        let key = || Step::Key(key.to_owned());
        for path in [
            vec![key(), Step::Index(0), key()],
            vec![key(), Step::Each, key()],
        ] {
            let text = path_text(&path);
            let found = Filter::compile(&text).unwrap().first(&record).unwrap();
            assert_eq!(found, Some(Val::from("found")), "{text}");
        }
        let without = format!("del({})", path_text(&[key()]));
        let rest = Filter::compile(&without).unwrap().first(&record).unwrap();
        assert_eq!(rest, Some(val(json!({"x": 1}))), "{without}");
    }
}

#[test]
fn kinds_tell_themselves_apart() {
    for (value, name, truthy) in [
        (json!(null), "null", false),
        (json!(false), "boolean", false),
        (json!(0), "number", true),
        (json!(""), "string", true),
        (json!([]), "array", true),
        (json!({}), "object", true),
    ] {
        let value = val(value);
        assert_eq!((value.type_name(), value.truthy()), (name, truthy));
        assert_eq!(value.is_null(), name == "null");
        assert_eq!(value.is_number(), name == "number");
        assert_eq!(value.is_object(), name == "object");
        assert_eq!(value.as_bool().is_some(), name == "boolean");
        assert_eq!(value.as_str().is_some(), name == "string");
        assert_eq!(value.as_array().is_some(), name == "array");
        assert_eq!(value.text().is_some(), name == "string" || name == "number");
    }
    assert!(Val::default().is_null());
    assert_eq!(val(json!(-1)).as_u64(), None);
    assert_eq!(val(json!(1.5)).as_u64(), None);
    assert_eq!(val(json!(1.5)).as_f64(), Some(1.5));
    assert_eq!(val(json!([1])).get("a"), None);
}

#[test]
fn no_value_is_deeper_than_the_limit() {
    let mut deep = json!(1);
    for _ in 0..2 * MAX_DEPTH {
        deep = json!([deep]);
    }
    let value = Val::from_json(&deep);
    assert_eq!(value.to_string().matches('[').count(), MAX_DEPTH);
    let mut object = val(json!({"a": 1}));
    assert!(!object.insert("b", value.clone()));
    assert_eq!(Val::from(vec![value]), val(json!([null])));
}
