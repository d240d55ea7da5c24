//! A value never changes the path around it (R32): the URL's segments are the template's.
#![no_main]

use libfuzzer_sys::fuzz_target;
use longshore_engine::nested::PathTemplate;
use longshore_engine::transport::{join, parse_url};

fuzz_target!(|value: &str| {
    let base = parse_url("https://api.example.com/v2").unwrap();
    let template = PathTemplate::parse("/teams/{id}/members").unwrap();
    if let Ok(path) = template.expand(&[("id", value)]) {
        let url = join(&base, &path).unwrap();
        let segments: Vec<&str> = url.path_segments().unwrap().collect();
        assert_eq!(segments.len(), 4, "{url}");
        assert_eq!((segments[0], segments[1], segments[3]), ("v2", "teams", "members"));
        assert!(!segments[2].is_empty() && url.query().is_none() && url.fragment().is_none());
    }
    let template = PathTemplate::parse("/repos/{+name}/pulls").unwrap();
    if let Ok(path) = template.expand(&[("name", value)]) {
        let url = join(&base, &path).unwrap();
        assert!(url.path().starts_with("/v2/repos/") && url.path().ends_with("/pulls"), "{url}");
        assert!(url.query().is_none() && url.fragment().is_none());
        assert!(url.path_segments().unwrap().all(|segment| !segment.is_empty() && segment != ".."));
    }
    // Any text as template.
    if let Ok(template) = PathTemplate::parse(value) {
        let names = template.parameters();
        let values: Vec<(&str, &str)> = names.iter().map(|name| (*name, "x")).collect();
        let _ = template.expand(&values);
    }
});
