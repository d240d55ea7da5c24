//! Settings are checked before any request, all at once.

use longshore_paginate::{ErrorKind, PageNumber, PageRequest, Paginator, ParamIn, Settings, Style};

use crate::reading::base;

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn all_problems_come_at_once_under_the_names_of_the_configuration() {
    let settings = Settings {
        param: text("page"),
        size_param: text("page"),
        size: Some(0),
        cursor_path: text(".data["),
        has_more_path: text("header:bad name | .x"),
        last_page_path: text("data[0].last"),
        next_link_path: text(".a |"),
        total_path: text("header:X-Page | .x ||"),
        stop_when: text(".done =="),
        max_pages: Some(0),
        ..Settings::of(Style::Page)
    };
    let problems = settings.build().unwrap_err();
    let mut names: Vec<_> = problems.iter().map(|problem| problem.setting).collect();
    names.sort_unstable();
    let all = [
        "cursorPath",
        "hasMorePath",
        "lastPagePath",
        "maxPages",
        "nextLinkPath",
        "size",
        "sizeParam",
        "stopWhen",
        "totalPath",
    ];
    assert_eq!(names, all, "{problems:?}");
    let bracket = problems
        .iter()
        .find(|problem| problem.setting == "lastPagePath")
        .unwrap();
    assert!(bracket.message.contains("`.data[0].last`"), "{bracket}");
}

#[test]
fn names_that_cannot_be_headers_are_refused_where_they_go_into_one() {
    let settings = Settings {
        param: text("page[after]"),
        size_param: text("x size"),
        param_in: Some(ParamIn::Header),
        ..Settings::of(Style::Cursor)
    };
    let names: Vec<_> = settings
        .build()
        .unwrap_err()
        .iter()
        .map(|problem| problem.setting)
        .collect();
    assert_eq!(names, ["param", "sizeParam"]);
}

#[test]
fn blank_settings_are_absent() {
    let blank = text(" ");
    let settings = Settings {
        param: blank.clone(),
        cursor_path: blank.clone(),
        has_more_path: blank.clone(),
        next_link_path: blank.clone(),
        header_link_rel: blank.clone(),
        stop_when: blank,
        ..Settings::of(Style::Offset)
    };
    let mut request = base();
    settings.build().unwrap().apply(None, &mut request).unwrap();
    assert_eq!(request.query("offset").as_deref(), Some("0"));
}

#[test]
fn start_page_is_for_pages_alone_and_start_for_both() {
    let first = |settings: Settings| {
        let mut request: PageRequest = base();
        settings.build().unwrap().apply(None, &mut request).unwrap();
        request.query("page").or(request.query("offset")).unwrap()
    };
    let page = |start, start_page| Settings {
        start,
        start_page,
        ..Settings::of(Style::Page)
    };
    let offset = |start, start_page| Settings {
        start,
        start_page,
        ..Settings::of(Style::Offset)
    };
    assert_eq!(first(page(None, Some(0))), "0");
    assert_eq!(first(page(Some(5), Some(0))), "5");
    assert_eq!(
        first(offset(None, Some(1))),
        "0",
        "startPage: 1 beside offsets must not skip the first record"
    );
    assert_eq!(first(offset(Some(1), None)), "1", "SCIM counts from 1");
}

#[test]
fn position_and_size_go_where_they_are_told_to() {
    let at = |part: ParamIn| {
        let mut request = base();
        PageNumber::new()
            .param("x-page")
            .size_param("x-size")
            .param_in(part)
            .apply(None, &mut request)
            .unwrap();
        request
    };
    let header = at(ParamIn::Header);
    assert_eq!(
        (
            header.headers["x-page"].to_str().unwrap(),
            header.headers["x-size"].to_str().unwrap()
        ),
        ("1", "100")
    );
    assert_eq!(header.url, base().url);
    assert_eq!(
        at(ParamIn::Body).body,
        Some(serde_json::json!({"x-page": 1, "x-size": 100}))
    );
}

#[test]
fn a_style_with_a_setting_that_cannot_be_used_says_so_at_build_and_at_first_use() {
    let wrong = PageNumber::new().has_more_path(".[");
    let used = wrong.apply(None, &mut base()).unwrap_err();
    let built = wrong.build().unwrap_err();
    assert_eq!(
        (used.kind(), built.kind()),
        (ErrorKind::Setting, ErrorKind::Setting)
    );
    assert!(built.to_string().contains("hasMorePath"), "{built}");
}

#[test]
fn a_token_of_another_paginator_is_refused() {
    let cursor = "abc".into();
    assert!(PageNumber::new().apply(Some(&cursor), &mut base()).is_err());
    assert!(
        longshore_paginate::SinglePage::new()
            .apply(Some(&cursor), &mut base())
            .is_err()
    );
    assert!(
        longshore_paginate::NextLink::new()
            .apply(Some(&cursor), &mut base())
            .is_err()
    );
}

#[test]
fn tokens_and_requests_do_not_show_what_they_hold() {
    let token: longshore_paginate::PageToken = "https://h/?key=canary".into();
    assert!(!format!("{token:?}").contains("canary"));
}
