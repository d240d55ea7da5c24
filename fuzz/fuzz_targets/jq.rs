//! A program compiles or does not; one that does ends within its limits (R36 to R40), and gives JSON.
#![no_main]

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use longshore_engine::jq::{Filter, Val};

fn input() -> &'static Val {
    static INPUT: OnceLock<Val> = OnceLock::new();
    INPUT.get_or_init(|| {
        Val::from_json(&serde_json::json!({
            "id": 7, "a": [1, 2.5, "x", null, {"b": [true, false]}], "name": "Ada \u{1F600}", "key-with-dash": {"c": -0.0},
            "when": "2024-03-05T10:11:12Z", "big": 18446744073709551615_u64, "s": "a,b;c"
        }))
    })
}

fuzz_target!(|text: &str| {
    let Ok(filter) = Filter::compile_mapping(text) else {
        return;
    };
    let start = Instant::now();
    if let Ok(Some(value)) = filter.first(input()) {
        let json = value.to_json().to_string();
        assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }
    // The limit is 0.8 s; the rest is for a busy machine and an instrumented build.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
});
