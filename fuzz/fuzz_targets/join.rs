//! No path leads away from the base URL's origin (R31), and what is sent is what was checked.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longshore_engine::transport::{Origin, join, parse_url};

fuzz_target!(|path: &str| {
    for base in ["https://good.example/v1?k=v", "http://good.example:8080"] {
        let base = parse_url(base).unwrap();
        let Ok(url) = join(&base, path) else { continue };
        assert_eq!(Origin::of(&url).unwrap(), Origin::of(&base).unwrap());
        assert!(url.username().is_empty() && url.password().is_none());
        assert_eq!(parse_url(url.as_str()).unwrap(), url);
        assert_eq!(url.query_pairs().next(), base.query_pairs().next().or(url.query_pairs().next()));
    }
});
