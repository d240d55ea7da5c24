//! Paging that is off is reported, not swallowed.

use longshore_paginate::{Settings, SinglePage, Style};
use serde_json::{Value, json};

use crate::reading::{Read, Reply, ids, read, script};

fn off(reply: Reply) -> Read {
    read(SinglePage::new(), script(vec![reply]))
}

fn seven(more: Value) -> Reply {
    Reply::items(ids(1..=7), more)
}

#[test]
fn one_page_is_complete_when_nothing_speaks_of_more() {
    for quiet in [
        json!({}),
        json!({"has_more": false, "next_cursor": "x", "links": {"next": "https://h/2"}}),
        json!({"next": null, "next_cursor": "", "next_page": null, "isLast": true}),
        json!({"total": 7, "count": 7, "total_pages": 1}),
        json!({"count": 3, "cursor": null, "@odata.nextLink": null}),
    ] {
        let read = off(seven(quiet.clone()));
        assert_eq!(
            (read.end(), read.warnings.len()),
            ("SinglePage", 0),
            "{quiet}: {}",
            read.told()
        );
    }
}

#[test]
fn everything_that_speaks_of_more_is_not_paged_and_names_the_key_and_the_line() {
    for (more, key, line) in [
        (json!({"has_more": true}), "`has_more`", "type: page"),
        (json!({"isLast": false}), "`isLast`", "type: page"),
        (
            json!({"meta": {"next_page": 2}}),
            "`meta.next_page`",
            "type: page",
        ),
        (
            json!({"next_cursor": "a"}),
            "`next_cursor`",
            "{type: cursor, cursorPath: next_cursor}",
        ),
        (
            json!({"response_metadata": {"next_cursor": "a"}}),
            "`response_metadata.next_cursor`",
            "{type: cursor, cursorPath: response_metadata.next_cursor}",
        ),
        (
            json!({"@odata.nextLink": "https://h/2"}),
            "`@odata.nextLink`",
            "{type: next_link, nextLinkPath: '@odata.nextLink'}",
        ),
        (
            json!({"links": {"next": {"href": "/2"}}}),
            "`links.next`",
            "{type: next_link, nextLinkPath: links.next}",
        ),
        (
            json!({"next": "https://h/?page=2"}),
            "`next`",
            "{type: next_link, nextLinkPath: next}",
        ),
        (
            json!({"next_page": {"offset": "x", "path": "/v1", "uri": "https://h/v1?offset=x"}}),
            "`next_page`",
            "{type: next_link, nextLinkPath: next_page}",
        ),
        (json!({"total": 8}), "`total` = 8", "type: page"),
        (
            json!({"meta": {"total_count": 8}}),
            "`meta.total_count` = 8",
            "type: page",
        ),
        (
            json!({"has_more": false, "total": 8}),
            "`total` = 8",
            "type: page",
        ),
        (json!({"count": 8}), "`count` = 8", "type: page"),
        (
            json!({"pagination": {"total_pages": 2}}),
            "`pagination.total_pages` = 2",
            "type: page",
        ),
    ] {
        let read = off(seven(more.clone()));
        assert_eq!(read.end(), "NotPaged", "{more}");
        let told = read.told();
        assert!(
            told.contains(key) && told.contains(line) && told.contains("pagination: {"),
            "{more}: {told}"
        );
    }
}

#[test]
fn what_auto_would_see_is_seen_where_paging_is_off() {
    for (more, key, line) in [
        (
            json!({"page_info": {"has_next_page": true, "end_cursor": "x"}}),
            "`page_info.has_next_page`",
            "{type: auto}",
        ),
        (
            json!({"data": {"users": {"pageInfo": {"hasNextPage": true}}}}),
            "`data.users.pageInfo.hasNextPage`",
            "{type: auto}",
        ),
        (
            json!({"meta": {"page": {"hasMore": true}}}),
            "`meta.page.hasMore`",
            "{type: auto}",
        ),
        (
            json!({"info": {"more_records": true, "count": 7}}),
            "`info.more_records`",
            "{type: auto}",
        ),
        (
            json!({"metadata": {"continue": "abc", "remainingItemCount": 27}}),
            "`metadata.continue`",
            "{type: cursor, cursorPath: metadata.continue}",
        ),
        (
            json!({"links": [{"rel": "self", "href": "/v1/items"}, {"rel": "next", "href": "/v1/items?page=2"}]}),
            "links",
            "{type: next_link, nextLinkPath: ",
        ),
        (
            json!({"_links": {"next": [{"href": "/v1/items?offset=7"}]}}),
            "_links",
            "{type: next_link, nextLinkPath: ",
        ),
        (
            json!({"meta": {"pagination": {"total": 34}}}),
            "`meta.pagination.total` = 34",
            "type: page",
        ),
        (
            json!({"response": {"total": 34}}),
            "`response.total` = 34",
            "type: page",
        ),
        (
            json!({"data": {"pagination": {"total": 34}}}),
            "`data.pagination.total` = 34",
            "type: page",
        ),
        (
            json!({"pagination": {"total_entries": 34}}),
            "`pagination.total_entries` = 34",
            "type: page",
        ),
        (
            json!({"hits": {"total": {"value": 34, "relation": "eq"}}}),
            "`hits.total.value` = 34",
            "{type: auto}",
        ),
        (
            json!({"total_matching": 34, "total_returned": 7}),
            "`total_matching` = 34",
            "{type: auto}",
        ),
        (
            json!({"response": {"meta": {"hits": 34, "offset": 0, "time": 5}}}),
            "`response.meta.hits` = 34",
            "{type: auto}",
        ),
        (
            json!({"LastEvaluatedKey": {"id": {"N": "7"}}}),
            "`LastEvaluatedKey`",
            "cursorPath: LastEvaluatedKey",
        ),
        (
            json!({"batchcomplete": true, "continue": {"gcmcontinue": "x", "continue": "gcmcontinue||"}}),
            "`continue.gcmcontinue`",
            "cursorPath: continue.gcmcontinue",
        ),
        (
            json!({"next'cursor": "a"}),
            "`next'cursor`",
            "cursorPath: 'next''cursor'",
        ),
        (
            json!({"exceededTransferLimit": true}),
            "`exceededTransferLimit`",
            "{type: auto}",
        ),
    ] {
        let read = off(seven(more.clone()));
        assert_eq!(read.end(), "NotPaged", "{more}");
        let told = read.told();
        assert!(told.contains(key) && told.contains(line), "{more}: {told}");
    }
    for (name, value, line) in [
        ("x-wp-total", "34", "type: page"),
        ("x-wp-totalpages", "5", "type: page"),
        ("x-next-cursor", "abc", "cursorPath: 'header:x-next-cursor'"),
        ("x-next-page", "2", "{type: page}"),
        ("after-cursor", "abc", "cursorPath: 'header:after-cursor'"),
    ] {
        let read = off(Reply::bare(ids(1..=7)).header(name, value));
        assert_eq!(read.end(), "NotPaged", "{name}");
        assert!(read.told().contains(line), "{name}: {}", read.told());
    }
}

#[test]
fn a_position_that_does_not_say_next_is_a_warning() {
    for more in [
        json!({"pagination": {"cursor": "x"}}),
        json!({"paging": {"cursors": {"after": "x"}}}),
    ] {
        let read = off(seven(more.clone()));
        assert_eq!(
            (read.end(), read.warnings.len()),
            ("SinglePage", 1),
            "{more}"
        );
        assert!(read.told().contains("cursorPath"), "{}", read.told());
    }
}

#[test]
fn what_has_to_do_with_other_things_than_paging_is_passed_over() {
    for other in [
        json!({"nextSyncToken": "x"}),
        json!({"next_sync": "2024-01-01", "schedule": {"next_run": "2024-01-02"}}),
        json!({"account": {"next_payment_at": "2024-01-01", "cursor": "x", "total": 99}}),
        json!({"data": {"count": 7}, "meta": {"pagination": {"total": 7}}}),
        json!({"icons": [{"url": "https://h/a.png"}], "related": [{"href": "/x"}]}),
        json!({"links": [{"rel": "self", "href": "/v1/items"}, {"rel": "stylesheet", "href": "/x.css"}]}),
    ] {
        let read = off(seven(other.clone()));
        assert_eq!(
            (read.end(), read.warnings.len()),
            ("SinglePage", 0),
            "{other}: {}",
            read.told()
        );
    }
}

#[test]
fn the_total_of_a_record_below_data_is_its_own() {
    let body = json!({"data": {"id": 1, "total": 99, "count": 5, "pages": 3}});
    let read = off(Reply {
        records: vec![body["data"].clone()],
        ..Reply::of(body, "/none")
    });
    assert_eq!(
        (read.end(), read.warnings.len()),
        ("SinglePage", 0),
        "{}",
        read.told()
    );
}

#[test]
fn as_many_records_as_the_request_asks_for_are_a_warning() {
    for (query, body) in [
        ("per_page=7", None),
        ("page[size]=7", None),
        ("max=7", None),
        ("first=7", None),
        ("count=7", None),
        ("$top=7", None),
        ("x=1", Some(json!({"paging": {"limit": 7}}))),
    ] {
        for style in [Style::None, Style::Auto, Style::NextLink] {
            let mut request = crate::reading::base();
            request.url.set_query(Some(query));
            if body.is_some() {
                request.method = http::Method::POST;
                request.body = body.clone();
            }
            let read =
                crate::reading::try_read(Settings::of(style).build().unwrap(), request, |_| {
                    seven(json!({}))
                })
                .unwrap();
            assert!(read.result.is_ok(), "{query}");
            assert_eq!(read.warnings.len(), 1, "{query} {style:?}");
        }
    }
    let mut request = crate::reading::base();
    request.url.set_query(Some("per_page=8&count=true"));
    let single = SinglePage::new();
    let read = crate::reading::try_read(single, request, |_| seven(json!({}))).unwrap();
    assert_eq!(read.warnings.len(), 0);
}

#[test]
fn headers_that_speak_of_more_are_not_paged() {
    let linked = off(seven(json!({})).header("link", r#"</v1/items?page=2>; rel="next""#));
    assert_eq!(linked.end(), "NotPaged");
    assert!(
        linked.told().contains("pagination: {type: header_link}"),
        "{}",
        linked.told()
    );
    assert_eq!(
        off(seven(json!({})).header("x-total-count", "8")).end(),
        "NotPaged"
    );
    assert_eq!(
        off(seven(json!({})).header("x-total-pages", "2")).end(),
        "NotPaged"
    );
    assert_eq!(
        off(seven(json!({})).header("x-total-count", "7")).end(),
        "SinglePage"
    );
    for (range, end) in [
        ("items 0-6/8", "NotPaged"),
        ("0-6/8", "NotPaged"),
        ("0-6/7", "SinglePage"),
        ("0-6/*", "SinglePage"),
        ("bytes 0-6/800", "SinglePage"),
        ("items", "SinglePage"),
    ] {
        let told = off(seven(json!({})).header("content-range", range));
        assert_eq!(told.end(), end, "{range}");
    }
}

#[test]
fn a_usual_number_of_records_is_complete_with_a_warning() {
    for records in [10, 20, 25, 30, 50, 100] {
        let read = off(Reply::bare(ids(1..=records)));
        assert_eq!(
            (read.end(), read.warnings.len()),
            ("SinglePage", 1),
            "{records}"
        );
        assert!(
            read.told().contains(&format!("exactly {records} records")),
            "{}",
            read.told()
        );
    }
    assert_eq!(off(Reply::bare(ids(1..=11))).warnings.len(), 0);
    let sized = Settings {
        size: Some(11),
        ..Settings::of(Style::None)
    };
    assert_eq!(
        read(
            sized.build().unwrap(),
            script(vec![Reply::bare(ids(1..=11))])
        )
        .warnings
        .len(),
        1
    );
}

#[test]
fn an_explicit_none_turns_evidence_into_a_warning() {
    let explicit = Settings {
        explicit: true,
        ..Settings::of(Style::None)
    };
    let read = read(
        explicit.build().unwrap(),
        script(vec![seven(json!({"has_more": true}))]),
    );
    assert_eq!((read.end(), read.warnings.len()), ("SinglePage", 1));
    assert!(read.told().contains("`has_more`"), "{}", read.told());
}

#[test]
fn the_keys_of_a_single_record_speak_of_nothing_but_those_no_record_has_do() {
    let alone = |body: Value| {
        off(Reply {
            records: vec![body.clone()],
            ..Reply::of(body, "/none")
        })
    };
    let record = json!({"id": 1, "done": false, "next": "/steps/2", "total": 99, "count": 5, "pages": 3, "cursor": "x", "more": true});
    assert_eq!(alone(record).end(), "SinglePage");
    // A list whose `data_path` was forgotten.
    assert_eq!(
        alone(json!({"items": [1, 2], "has_more": true})).end(),
        "NotPaged"
    );
    assert_eq!(
        alone(json!({"value": [1, 2], "@odata.nextLink": "https://h/2"})).end(),
        "NotPaged"
    );
}

#[test]
fn nothing_is_added_to_the_request_while_paging_is_off() {
    assert_eq!(off(seven(json!({}))).urls(), [crate::reading::BASE]);
}
