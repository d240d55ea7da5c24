//! The reader of bodies takes strict JSON and nothing else (R36): whatever it takes serde_json takes with the same value, and what it
//! refuses serde_json refuses, but for nesting, an empty body and a byte order mark.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longshore_engine::jq::Val;
use longshore_engine::transport::{ErrorKind, json};
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let ours = json::read::<Value>(body);
    let bare = body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body);
    let theirs = serde_json::from_slice::<Value>(bare);
    match (&ours, &theirs) {
        (Ok(ours), Ok(theirs)) => assert!(same(ours, theirs), "{ours} is not {theirs}"),
        (Err(_), Err(_)) => {}
        (Err(error), Ok(_)) => assert_eq!(error.kind(), ErrorKind::TooDeep, "{error}"),
        (Ok(_), Err(error)) => panic!("takes what is no JSON: {error}"),
    }
    // The engine reads into its own values, at once or where somebody looks: the same answers.
    for read in [json::read::<Val>(body), json::read_with(body, |text| Val::read_page(text))] {
        match (read, &ours) {
            (Ok(value), Ok(ours)) => assert!(same(&value.to_json(), ours), "{value:?} is not {ours}"),
            (Err(_), Err(_)) => {}
            (value, ours) => panic!("{value:?} is not {ours:?}"),
        }
    }
});

/// Equal as jq has it: `3` and `3.0` are one number, and integers that fit are exact.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs || !(theirs.is_i64() || theirs.is_u64()) && ours.as_f64() == theirs.as_f64()
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .zip(theirs)
                    .all(|(ours, theirs)| ours.0 == theirs.0 && same(ours.1, theirs.1))
        }
        _ => ours == theirs,
    }
}
