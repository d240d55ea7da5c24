//! A `Link` header, however broken, gives a next request, an end or an error (RFC 8288).
#![no_main]

use http::header::LINK;
use http::{HeaderMap, HeaderValue, Method};
use libfuzzer_sys::fuzz_target;
use longshore_engine::jq::Val;
use longshore_engine::paginate::{
    HeaderLink, Next, Page, PageRequest, Paginator, Progress,
};
use url::Url;

fuzz_target!(|lines: &[u8]| {
    let mut headers = HeaderMap::new();
    for line in lines.split(|byte| *byte == b'\n') {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(LINK, value);
        }
    }
    let base = Url::parse("https://api.example.com/v1/items?q=1").unwrap();
    let request = PageRequest::new(Method::GET, base);
    let body = Val::from_json(&serde_json::json!([{"id": 1}]));
    let records = [Val::from_json(&serde_json::json!({"id": 1}))];
    let progress = Progress::default();
    let page = Page::new(&request, &headers, &body, &records, &progress);
    let paginator = HeaderLink::new();
    if let Ok(Next::Continue(token)) = paginator.next(None, &page) {
        let mut next = request.clone();
        if paginator.apply(Some(&token), &mut next).is_ok() {
            assert!(matches!(next.url.scheme(), "http" | "https"), "{}", next.url);
        }
    }
});
