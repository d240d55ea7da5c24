//! Headers that speak of limits (`Retry-After`, `RateLimit`, `x-ratelimit-*`), with any status: a wait or none, and no panic.
#![no_main]

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use libfuzzer_sys::fuzz_target;
use longshore_engine::transport::{ErrorKind, Response, parse_url};

const NAMES: [&str; 12] = [
    "retry-after",
    "date",
    "ratelimit",
    "ratelimit-policy",
    "ratelimit-remaining",
    "ratelimit-reset",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
    "x-rate-limit-remaining",
    "x-rate-limit-reset",
    "x-ratelimit-reset-after",
    "x-retry-after",
];

fuzz_target!(|input: &[u8]| {
    let Some((status, lines)) = input.split_first() else {
        return;
    };
    let status = [200, 403, 429, 500, 503][usize::from(*status) % 5];
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        let Some((name, value)) = line.split_first() else {
            continue;
        };
        let name = HeaderName::from_static(NAMES[usize::from(*name) % NAMES.len()]);
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    let url = parse_url("https://api.example.com/").unwrap();
    let response = Response::new(StatusCode::from_u16(status).unwrap(), headers, "[]", url);
    if let Err(error) = response.success() {
        let _ = (error.told_wait(), error.to_string(), format!("{error:?}"));
        if status == 429 {
            assert_eq!(error.kind(), ErrorKind::RateLimited);
        }
    }
});
