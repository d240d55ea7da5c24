//! Each rung of the ladder: what decides, and before what.

use longshore_paginate::{Cursor, HeaderLink, NextLink, Offset, PageNumber, Paginator};
use serde_json::{Value, json};

use crate::reading::{Read, Reply, base, ids, number, read, script, slice, try_read};

/// A read of pages of ten by page number.
fn pages(change: fn(PageNumber) -> PageNumber, replies: Vec<Reply>) -> Read {
    read(change(PageNumber::new().page_size(10)), script(replies))
}

fn cursors(change: fn(Cursor) -> Cursor, replies: Vec<Reply>) -> Read {
    read(change(Cursor::new().page_size(10)), script(replies))
}

fn ten(more: Value) -> Reply {
    Reply::items(ids(1..=10), more)
}

fn next_ten(more: Value) -> Reply {
    Reply::items(ids(11..=20), more)
}

fn same<T>(value: T) -> T {
    value
}

#[test]
fn stop_when_decides_before_every_flag() {
    let stop = |paging: PageNumber| {
        paging
            .stop_when(".state == \"end\"")
            .has_more_path("has_more")
    };
    let read = pages(
        stop,
        vec![ten(json!({"state": "end", "has_more": true, "total": 50}))],
    );
    assert_eq!(read.end(), "StopWhen");
    assert!(
        read.told().contains("50"),
        "a total above is a warning: {}",
        read.told()
    );
}

#[test]
fn stop_when_false_goes_on_past_a_flag_an_empty_page_and_a_short_one() {
    let stop = |paging: PageNumber| paging.stop_when(".state == \"end\"");
    let replies = vec![
        ten(json!({"state": "go", "has_more": false})),
        Reply::items(ids(11..=12), json!({"state": "go"})),
        Reply::items(vec![], json!({"state": "go"})),
        Reply::items(ids(13..=13), json!({"state": "end"})),
    ];
    let read = pages(stop, replies);
    assert_eq!((read.end(), read.ids.len()), ("StopWhen", 13));
}

#[test]
fn stop_when_null_says_nothing() {
    let read = pages(
        |paging| paging.stop_when(".state"),
        vec![ten(json!({"has_more": false}))],
    );
    assert_eq!(read.end(), "Flag");
}

#[test]
fn stop_when_false_does_not_make_up_a_cursor() {
    let stop = |paging: Cursor| paging.stop_when(".ok == false");
    let replies = vec![
        ten(json!({"ok": true, "next_cursor": "a"})),
        next_ten(json!({"ok": true})),
    ];
    assert_eq!(cursors(stop, replies).end(), "NoToken");
}

#[test]
fn a_stop_when_that_fails_is_an_error_and_no_end() {
    let paging = PageNumber::new().stop_when(".items | keys | .[0].x");
    let error = try_read(paging, base(), script(vec![ten(json!({}))])).unwrap_err();
    assert!(error.to_string().contains("stopWhen"), "{error}");
}

#[test]
fn the_configured_flag_decides_before_well_known_ones() {
    let configured = |paging: PageNumber| paging.has_more_path("x.y");
    let replies = vec![
        ten(json!({"x": {"y": 1}, "has_more": false})),
        next_ten(json!({"x": {"y": 0}, "has_more": true})),
    ];
    let read = pages(configured, replies);
    assert_eq!((read.end(), read.requests.len()), ("Flag", 2));
    assert_eq!(
        read.result.unwrap().to_string(),
        "`x.y` says that this was the last page"
    );
}

#[test]
fn has_more_path_wins_over_last_page_path() {
    let both = |paging: PageNumber| paging.has_more_path("go").last_page_path("halt");
    let replies = vec![
        ten(json!({"go": true, "halt": true})),
        // Where it is missing the other one speaks.
        next_ten(json!({"go": null, "halt": true})),
    ];
    assert_eq!(pages(both, replies).requests.len(), 2);
}

#[test]
fn a_configured_flag_is_false_when_it_is_empty_zero_or_says_so() {
    for no in [
        json!(false),
        json!("false"),
        json!("False"),
        json!("0"),
        json!(0),
        json!(""),
        json!([]),
        json!({}),
    ] {
        let read = pages(
            |paging| paging.has_more_path("go"),
            vec![ten(json!({"go": no}))],
        );
        assert_eq!(read.end(), "Flag", "{no}");
    }
    for yes in [
        json!(true),
        json!("true"),
        json!("yes"),
        json!(1),
        json!("https://h/2"),
        json!({"page": 2}),
    ] {
        let read = pages(
            |paging| paging.has_more_path("go"),
            vec![ten(json!({"go": yes})), next_ten(json!({"go": false}))],
        );
        assert_eq!(read.requests.len(), 2, "{yes}");
    }
}

#[test]
fn a_configured_flag_that_is_missing_or_null_says_nothing() {
    for silent in [json!({}), json!({"go": null})] {
        let mut first = silent.clone();
        first["has_more"] = json!(true);
        let mut last = silent;
        last["has_more"] = json!(false);
        let read = pages(
            |paging| paging.has_more_path("go"),
            vec![ten(first), next_ten(last)],
        );
        assert_eq!(
            read.result.unwrap().to_string(),
            "`has_more` says that this was the last page"
        );
    }
}

#[test]
fn well_known_flags_are_found_where_apis_put_them() {
    let more = [
        "/has_more",
        "/hasMore",
        "/has_next",
        "/hasNextPage",
        "/pageInfo/hasNextPage",
        "/more",
        "/meta/has_more",
        "/pagination/has_more",
    ];
    let last = ["/last", "/isLast", "/is_last", "/done", "/end_of_stream"];
    let cases = more
        .iter()
        .map(|at| (at, true))
        .chain(last.iter().map(|at| (at, false)));
    for (at, on) in cases {
        let put = |value: Value| {
            at.split('/')
                .skip(1)
                .collect::<Vec<_>>()
                .iter()
                .rev()
                .fold(value, |inner, key| json!({*key: inner}))
        };
        let replies = vec![ten(put(json!(on))), next_ten(put(json!(!on)))];
        let read = pages(same, replies);
        assert_eq!((read.end(), read.requests.len()), ("Flag", 2), "{at}");
    }
}

#[test]
fn a_well_known_name_that_holds_no_boolean_is_no_flag() {
    let odd = json!({"last": "Miller", "done": 7, "isLast": null, "more": "ask"});
    let read = pages(
        same,
        vec![ten(odd.clone()), Reply::items(ids(11..=12), odd)],
    );
    assert_eq!(read.end(), "ShortPage");
}

#[test]
fn the_keys_of_a_single_record_are_no_flags() {
    // The body is the record: `done` and `next` are its own.
    let body = json!({"id": 1, "done": true, "next": null, "total": 1});
    let record = || Reply {
        records: vec![body.clone()],
        ..Reply::of(body.clone(), "/none")
    };
    let read = pages(same, vec![record(), Reply::of(json!({}), "/none")]);
    assert_eq!((read.end(), read.requests.len()), ("EmptyPage", 2));
}

#[test]
fn a_next_page_that_is_null_ends_pages_and_offsets_and_one_that_is_there_goes_on() {
    for (on, off) in [
        (json!({"next_page": 2}), json!({"next_page": null})),
        (json!({"next": "https://h/?page=2"}), json!({"next": null})),
        (
            json!({"meta": {"next_page": 2}}),
            json!({"meta": {"next_page": null}}),
        ),
        (
            json!({"links": {"next": "/x?page=2"}}),
            json!({"links": {"next": null}}),
        ),
    ] {
        let read = pages(same, vec![ten(on.clone()), next_ten(off.clone())]);
        assert_eq!((read.end(), read.requests.len()), ("Flag", 2), "{on}");
        let offsets = crate::reading::read(
            Offset::new().page_size(10),
            script(vec![ten(on.clone()), next_ten(off)]),
        );
        assert_eq!((offsets.end(), offsets.requests.len()), ("Flag", 2), "{on}");
    }
}

#[test]
fn a_token_goes_on_without_any_flag() {
    let replies = vec![
        ten(json!({"next_cursor": "a"})),
        next_ten(json!({"next_cursor": "b"})),
        Reply::items(ids(21..=21), json!({})),
    ];
    let read = cursors(same, replies);
    assert_eq!((read.end(), read.ids.len()), ("NoToken", 21));
    assert_eq!(
        read.sent("cursor"),
        [None, Some("a".to_owned()), Some("b".to_owned())]
    );
    assert_eq!(read.sent("limit"), vec![Some("10".to_owned()); 3]);
}

#[test]
fn a_token_that_is_given_for_ever_ends_with_the_empty_page_after_all_that_the_total_says() {
    let pages = |total: Value| {
        script(vec![
            Reply::items(ids(1..=2), json!({"next_cursor": "a", "total": total})),
            Reply::items(ids(3..=3), json!({"next_cursor": "b", "total": total})),
            Reply::items(vec![], json!({"next_cursor": "c", "total": total})),
            Reply::items(vec![], json!({"next_cursor": "d", "total": total})),
            Reply::items(vec![], json!({"next_cursor": "e", "total": total})),
        ])
    };
    let whole = read(Cursor::new(), pages(json!(3)));
    assert_eq!((whole.end(), whole.requests.len()), ("TotalReached", 3));
    // Below the total, or without one, an empty page may be one in the middle.
    for total in [json!(4), Value::Null] {
        let short = read(Cursor::new(), pages(total));
        assert_eq!((short.end(), short.requests.len()), ("EmptyPages", 5));
    }
    // What is no more than a page may count just that, unless the user says that it does not.
    let page = || {
        script(vec![
            Reply::items(ids(1..=2), json!({"next_cursor": "a", "total": 2})),
            Reply::items(vec![], json!({"next_cursor": "b"})),
            Reply::items(ids(3..=3), json!({})),
        ])
    };
    assert_eq!(read(Cursor::new(), page()).ids.len(), 3);
    let told = Cursor::new().total_path("total");
    let none = || Reply::items(vec![], json!({"next_cursor": "a", "total": 0}));
    assert_eq!(read(told, script(vec![none()])).end(), "TotalReached");
}

#[test]
fn a_token_with_a_flag_that_says_no_is_the_end() {
    assert_eq!(
        cursors(
            same,
            vec![ten(json!({"next_cursor": "a", "has_more": false}))]
        )
        .end(),
        "Flag"
    );
}

#[test]
fn no_token_with_a_flag_that_says_more_is_truncated_and_names_both() {
    let read = cursors(
        |paging| paging.cursor_path("meta.after"),
        vec![ten(json!({"has_more": true}))],
    );
    assert_eq!(read.end(), "Truncated");
    assert!(
        read.told().contains("has_more") && read.told().contains("meta.after"),
        "{}",
        read.told()
    );
}

#[test]
fn a_full_first_page_without_token_does_not_prove_the_end() {
    for paging in [
        Box::new(Cursor::new().page_size(10)) as Box<dyn Paginator>,
        Box::new(NextLink::new().size_param("top").page_size(10)),
        Box::new(HeaderLink::new().size_param("top").page_size(10)),
    ] {
        let read = read(paging, script(vec![ten(json!({}))]));
        assert_eq!(read.end(), "EndNotProven");
        assert!(
            read.told().contains("endWhenAbsent: true"),
            "{}",
            read.told()
        );
    }
    assert!(
        cursors(same, vec![ten(json!({}))])
            .told()
            .contains("cursorPath")
    );
}

#[test]
fn a_missing_token_is_the_end_when_the_page_is_empty_or_short_or_a_total_says_so() {
    for reply in [
        Reply::items(vec![], json!({})),
        Reply::items(ids(1..=3), json!({})),
        ten(json!({"total": 10})),
        ten(json!({})).header("x-total-count", "10"),
    ] {
        let read = cursors(same, vec![reply]);
        assert_eq!(
            (read.end(), read.warnings.len()),
            ("NoToken", 0),
            "{:?}",
            read.result
        );
    }
}

#[test]
fn values_that_are_no_token_are_none() {
    for none in [json!(null), json!(""), json!(false), json!(0)] {
        let read = cursors(
            same,
            vec![
                ten(json!({"next_cursor": "a"})),
                next_ten(json!({"next_cursor": none})),
            ],
        );
        assert_eq!(read.end(), "NoToken", "{none}");
    }
}

#[test]
fn a_token_of_another_shape_is_no_end_and_takes_nothing_from_its_page() {
    for paging in [Cursor::new(), Cursor::new().cursor_path("next_cursor")] {
        for odd in [json!({"a": 1}), json!([1]), json!(true)] {
            let replies = vec![
                ten(json!({"next_cursor": "a"})),
                next_ten(json!({"next_cursor": odd})),
            ];
            let read = read(paging.clone(), script(replies));
            assert_eq!((read.end(), read.ids.len()), ("Truncated", 20), "{odd}");
            assert!(read.told().contains("next_cursor"), "{}", read.told());
        }
    }
}

#[test]
fn cursors_are_found_where_apis_put_them_and_numbers_are_cursors() {
    for at in [
        "next_cursor",
        "nextCursor",
        "cursor",
        "meta.after_cursor",
        "meta.next_cursor",
        "pagination.next_cursor",
        "response_metadata.next_cursor",
        "paging.next.after",
        "nextPageToken",
        "next_page_token",
        "links.next",
    ] {
        let token = at
            .rsplit('.')
            .fold(json!(77), |inner, key| json!({key: inner}));
        let read = cursors(
            same,
            vec![ten(token), Reply::items(ids(11..=11), json!({}))],
        );
        assert_eq!(read.sent("cursor")[1].as_deref(), Some("77"), "{at}");
    }
}

#[test]
fn a_next_link_is_no_cursor_and_is_pointed_to() {
    let read = cursors(
        same,
        vec![ten(
            json!({"links": {"next": "https://api.example.com/v1/items?page=2"}}),
        )],
    );
    assert_eq!(read.end(), "Truncated");
    assert!(
        read.told()
            .contains("pagination: {type: next_link, nextLinkPath: links.next}"),
        "{}",
        read.told()
    );
}

#[test]
fn a_cursor_at_another_place_than_configured_is_pointed_to() {
    let read = cursors(
        |paging| paging.cursor_path("meta.cursor"),
        vec![ten(json!({"nextPageToken": "a"}))],
    );
    assert_eq!(read.end(), "Truncated");
    assert!(
        read.told().contains("cursorPath: nextPageToken"),
        "{}",
        read.told()
    );
}

#[test]
fn literal_keys_come_before_dotted_paths_and_jq_reaches_the_rest() {
    let body =
        json!({"a.b": "literal", "a": {"b": "dotted"}, "rows": [{"k": "first"}, {"k": "last"}]});
    for (path, cursor) in [
        ("a.b", "literal"),
        (".a.b", "literal"),
        (".a | .b", "dotted"),
        ("rows.1.k", "last"),
        (".rows[-1].k", "last"),
        ("header:X-Next", "from header"),
    ] {
        let first = ten(body.clone()).header("x-next", "from header");
        let paging = Cursor::new().page_size(10).cursor_path(path);
        let read = read(paging, script(vec![first, Reply::items(vec![], json!({}))]));
        assert_eq!(read.sent("cursor")[1].as_deref(), Some(cursor), "{path}");
    }
}

#[test]
fn a_record_without_id_does_not_end_a_read_by_ids() {
    let named = || Reply::items(vec![json!({"name": "x"})], json!({}));
    let read = cursors(|paging| paging.param("starting_after"), vec![named()]);
    assert_eq!(read.end(), "EndNotProven");
    assert!(read.told().contains("cursorPath"), "{}", read.told());
}

#[test]
fn reading_by_ids_without_a_flag_ends_with_the_empty_page() {
    let read = cursors(
        |paging| paging.param("starting_after"),
        vec![
            ten(json!({})),
            Reply::items(ids(11..=13), json!({})),
            Reply::items(vec![], json!({})),
        ],
    );
    assert_eq!((read.end(), read.ids.len()), ("NoToken", 13));
    assert_eq!(
        read.sent("starting_after"),
        [None, Some("10".to_owned()), Some("13".to_owned())]
    );
}

#[test]
fn a_total_that_is_reached_ends_and_one_that_is_not_goes_on() {
    for at in [
        "total",
        "total_count",
        "meta.total",
        "pagination.totalCount",
        "page.totalElements",
        "paging.total",
    ] {
        let put = || {
            at.rsplit('.')
                .fold(json!(13), |inner, key| json!({key: inner}))
        };
        let read = pages(same, vec![ten(put()), Reply::items(ids(11..=13), put())]);
        assert_eq!(
            (read.end(), read.requests.len()),
            ("TotalReached", 2),
            "{at}"
        );
    }
    for header in ["x-total-count", "x-total"] {
        let replies = vec![
            ten(json!({})).header(header, "13"),
            Reply::items(ids(11..=13), json!({})).header(header, "13"),
        ];
        assert_eq!(pages(same, replies).end(), "TotalReached", "{header}");
    }
}

#[test]
fn the_text_of_a_header_is_read_by_jq() {
    let told = |page: u64| {
        let told = json!({"TotalPages": 2, "TotalCount": 13, "HasNext": page < 2, "Next": (page < 2).then_some("/v1/items?page=2")});
        let records = if page == 1 { ids(1..=10) } else { ids(11..=13) };
        Reply::bare(records).header("x-pagination", &told.to_string())
    };
    let replies = || vec![told(1), told(2)];
    let at = |jq: &str| format!("header:X-Pagination | fromjson | {jq}");
    let paging = || PageNumber::new().page_size(10);
    for (paging, end) in [
        (paging().total_path(at(".TotalCount")), "TotalReached"),
        (paging().total_path(at(".TotalPages")), "LastPage"),
        (paging().total_path(at(".[\"TotalPages\"]")), "LastPage"),
        (paging().has_more_path(at(".HasNext")), "Flag"),
    ] {
        assert_eq!(read(paging, script(replies())).end(), end);
    }
    let by_link = read(NextLink::new().path(at(".Next")), script(replies()));
    assert_eq!((by_link.end(), by_link.ids.len()), ("NoToken", 13));
    // A header that is absent says nothing, one that is no JSON is an error.
    let bare = |text: &'static str| Reply::bare(ids(1..=10)).header("x-pagination", text);
    let by_cursor = || Cursor::new().page_size(10).cursor_path(at(".Cursor"));
    let absent = read(by_cursor(), script(vec![Reply::bare(ids(1..=10))]));
    assert_eq!(absent.end(), "EndNotProven");
    let broken = try_read(by_cursor(), base(), script(vec![bare("<none>")]));
    let error = broken.unwrap_err().to_string();
    assert!(error.contains("header:X-Pagination"), "{error}");
}

#[test]
fn totals_of_pages_count_pages() {
    for at in [
        "total_pages",
        "totalPages",
        "pages",
        "page_count",
        "meta.total_pages",
        "pagination.pages",
    ] {
        let put = || {
            at.rsplit('.')
                .fold(json!(2), |inner, key| json!({key: inner}))
        };
        let read = pages(same, vec![ten(put()), next_ten(put())]);
        assert_eq!((read.end(), read.requests.len()), ("LastPage", 2), "{at}");
    }
    let total = |paging: PageNumber| paging.total_path("info.total_pages");
    let info = || json!({"info": {"total_pages": 2}});
    assert_eq!(
        pages(total, vec![ten(info()), next_ten(info())]).end(),
        "LastPage"
    );
    let header = |reply: Reply| reply.header("x-total-pages", "2");
    assert_eq!(
        pages(
            same,
            vec![header(ten(json!({}))), header(next_ten(json!({})))]
        )
        .end(),
        "LastPage"
    );
}

#[test]
fn a_count_no_larger_than_a_page_is_no_total() {
    // The count of the page under the name of a total, and under `count`.
    for name in ["count", "total"] {
        let read = pages(
            same,
            vec![
                ten(json!({name: 10})),
                next_ten(json!({name: 10})),
                Reply::items(ids(21..=25), json!({name: 5})),
            ],
        );
        assert_eq!((read.end(), read.ids.len()), ("ShortPage", 25), "{name}");
    }
    let read = pages(
        same,
        vec![
            ten(json!({"count": 13})),
            Reply::items(ids(11..=13), json!({"count": 13})),
        ],
    );
    assert_eq!(read.end(), "TotalReached");
}

#[test]
fn a_count_of_the_page_from_a_server_that_caps_the_size_is_no_total() {
    let count = |n: u64| json!({"count": n});
    let replies = vec![
        Reply::items(ids(1..=7), count(7)),
        Reply::items(ids(8..=14), count(7)),
        Reply::items(ids(15..=15), count(1)),
        Reply::items(vec![], count(0)),
    ];
    assert_eq!(pages(same, replies).ids.len(), 15);
}

#[test]
fn an_empty_last_page_of_several_is_incomplete() {
    // Pages from 0 that are asked for from 1: the last one is empty, and the first one was never asked for.
    let three = || json!({"total_pages": 3});
    let read = pages(
        same,
        vec![
            ten(three()),
            next_ten(three()),
            Reply::items(vec![], three()),
        ],
    );
    assert_eq!(read.end(), "TotalNotReached");
    assert!(
        read.told().contains("3 pages and 2 were read"),
        "{}",
        read.told()
    );
    // No page of none is fine.
    assert_eq!(
        pages(same, vec![Reply::items(vec![], json!({"total_pages": 1}))]).end(),
        "EmptyPage"
    );
    assert_eq!(
        pages(same, vec![Reply::items(vec![], json!({"total_pages": 0}))]).end(),
        "EmptyPage"
    );
}

#[test]
fn an_only_page_that_is_empty_is_the_end_with_a_warning_where_the_number_of_the_first_is_assumed() {
    let one = || vec![Reply::items(vec![], json!({"total_pages": 1}))];
    let assumed = pages(same, one());
    assert_eq!(assumed.end(), "EmptyPage");
    assert!(assumed.told().contains("`start: 0`"), "{}", assumed.told());
    let told = pages(|paging| paging.start(1), one());
    assert_eq!((told.end(), told.told().as_str()), ("EmptyPage", ""));
    for more in [
        json!({"total_pages": 0}),
        json!({"total_pages": 1, "total": 0}),
    ] {
        let none = pages(same, vec![Reply::items(vec![], more)]);
        assert_eq!((none.end(), none.told().as_str()), ("EmptyPage", ""));
    }
}

#[test]
fn an_empty_page_in_the_middle_is_passed_over_where_there_are_more_pages() {
    let three = || json!({"total_pages": 3});
    let read = pages(
        same,
        vec![
            ten(three()),
            Reply::items(vec![], three()),
            Reply::items(ids(11..=12), three()),
        ],
    );
    assert_eq!((read.end(), read.ids.len()), ("LastPage", 12));
}

#[test]
fn a_total_that_counts_something_else_ends_nothing() {
    // Two groups on the page, five records in each: the total speaks of groups.
    let read = pages(
        same,
        vec![
            ten(json!({"total": 4})),
            next_ten(json!({"total": 4})),
            Reply::items(vec![], json!({"total": 4})),
        ],
    );
    assert_eq!((read.end(), read.ids.len()), ("EmptyPage", 20));
}

#[test]
fn an_empty_page_below_a_total_is_incomplete_also_where_only_the_first_page_had_it() {
    for later in [json!({"total": 30}), json!({})] {
        let read = pages(
            same,
            vec![ten(json!({"total": 30})), Reply::items(vec![], later)],
        );
        assert_eq!(read.end(), "TotalNotReached");
        assert!(
            read.told().contains("30 records and 10 were read"),
            "{}",
            read.told()
        );
        assert!(read.told().contains("totalPath"), "{}", read.told());
    }
}

#[test]
fn a_total_path_of_none_looks_at_no_total() {
    for none in ["none", ""] {
        let thirty = || json!({"total": 30});
        let paging = PageNumber::new().page_size(10).total_path(none);
        let replies = vec![ten(thirty()), Reply::items(vec![], thirty())];
        assert_eq!(read(paging, script(replies)).end(), "EmptyPage", "{none:?}");
    }
}

#[test]
fn a_well_known_flag_below_the_total_is_not_believed_and_a_configured_one_is_with_a_warning() {
    let reply = || ten(json!({"has_more": false, "total": 30}));
    assert_eq!(pages(same, vec![reply()]).end(), "TotalNotReached");
    let read = pages(|paging| paging.has_more_path("has_more"), vec![reply()]);
    assert_eq!(read.end(), "Flag");
    assert!(read.told().contains("30"), "{}", read.told());
}

#[test]
fn an_empty_page_ends() {
    assert_eq!(pages(same, vec![Reply::bare(vec![])]).end(), "EmptyPage");
    assert_eq!(
        pages(same, vec![ten(json!({})), Reply::of(Value::Null, "")]).end(),
        "EmptyPage"
    );
}

#[test]
fn a_short_page_ends_only_where_the_size_was_honoured_before() {
    // The first page is short: one more request decides.
    let read = pages(same, vec![Reply::bare(ids(1..=3)), Reply::bare(vec![])]);
    assert_eq!((read.end(), read.requests.len()), ("EmptyPage", 2));
    // Ten of ten came before.
    let read = pages(
        same,
        vec![Reply::bare(ids(1..=10)), Reply::bare(ids(11..=12))],
    );
    assert_eq!((read.end(), read.requests.len()), ("ShortPage", 2));
    // The server caps ten to five, so that five are not few.
    let read = pages(
        same,
        vec![
            Reply::bare(ids(1..=5)),
            Reply::bare(ids(6..=10)),
            Reply::bare(ids(11..=11)),
            Reply::bare(vec![]),
        ],
    );
    assert_eq!((read.end(), read.ids.len()), ("EmptyPage", 11));
    // More than ten came: whatever is counted here, ten is not its measure.
    let read = pages(
        same,
        vec![
            Reply::bare(ids(1..=12)),
            Reply::bare(ids(13..=15)),
            Reply::bare(ids(16..=27)),
            Reply::bare(vec![]),
        ],
    );
    assert_eq!((read.end(), read.ids.len()), ("EmptyPage", 27));
}

#[test]
fn offsets_advance_by_what_was_received() {
    let capped = |request: &longshore_paginate::PageRequest| {
        Reply::bare(slice(13, number(request, "offset", 0), 5))
    };
    let read = read(Offset::new().page_size(10), capped);
    assert_eq!(read.ids, (1..=13).collect::<Vec<_>>());
    assert_eq!(
        read.sent("offset"),
        ["0", "5", "10", "13"].map(|at| Some(at.to_owned()))
    );
}

#[test]
fn offsets_do_not_run_ahead_of_a_data_path_that_makes_several_records_of_one() {
    // Each of the server's 25 groups gives three records.
    let grouped = |request: &longshore_paginate::PageRequest| {
        let groups = slice(
            25,
            number(request, "offset", 0),
            number(request, "limit", 10),
        );
        let records = groups.iter().flat_map(|group| {
            (0..3).map(move |n| json!({"id": group["id"].as_u64().unwrap() * 10 + n}))
        });
        Reply {
            records: records.collect(),
            ..Reply::items(groups.clone(), json!({"total": 25}))
        }
    };
    let read = read(Offset::new().page_size(10), grouped);
    let mut ids = read.ids.clone();
    ids.dedup();
    assert!(read.result.is_ok(), "{}", read.told());
    assert_eq!(ids.len(), 75);
}

#[test]
fn a_server_that_ignores_the_size_of_offsets_loses_nothing() {
    // Pages of 20 where 10 were asked for: they overlap, and what came twice does not count towards the total.
    let large = |request: &longshore_paginate::PageRequest| {
        Reply::items(
            slice(50, number(request, "offset", 0), 20),
            json!({"total": 50}),
        )
    };
    let read = read(Offset::new().page_size(10), large);
    let mut ids = read.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((read.end(), ids.len()), ("TotalReached", 50));
}

#[test]
fn an_empty_page_in_the_middle_of_offsets_is_passed_over_where_a_flag_says_more() {
    let replies = vec![
        ten(json!({"has_more": true})),
        Reply::items(vec![], json!({"has_more": true})),
        Reply::items(ids(21..=22), json!({"has_more": false})),
    ];
    let read = read(Offset::new().page_size(10), script(replies));
    assert_eq!((read.end(), read.ids.len()), ("Flag", 12));
    assert_eq!(read.sent("offset")[2].as_deref(), Some("20"));
    let nothing = vec![Reply::items(vec![], json!({"has_more": true}))];
    assert_eq!(
        crate::reading::read(Offset::new(), script(nothing)).end(),
        "Truncated"
    );
}

#[test]
fn something_that_is_no_page_is_an_error_and_no_end() {
    for body in [json!("<html>Maintenance</html>"), json!(7), json!(true)] {
        for paging in [
            Box::new(PageNumber::new()) as Box<dyn Paginator>,
            Box::new(Cursor::new()),
            Box::new(NextLink::new()),
            Box::new(longshore_paginate::SinglePage::new()),
        ] {
            let error = try_read(
                paging,
                base(),
                script(vec![Reply::of(body.clone(), "/none")]),
            )
            .unwrap_err();
            assert!(error.to_string().contains("cannot be a page"), "{error}");
        }
    }
}

/// Puts on an answer what it says, from whether there is more and how many records were before it.
type Say = fn(Reply, bool, u64) -> Reply;

/// Pages of ten out of 34, but for the second one, which holds fewer; `say` puts on whatever speaks of more.
fn with_a_lean_page(paging: impl Paginator, lean: usize, say: Say) -> Read {
    read(paging, move |request| {
        let skip = match request.query("page") {
            Some(page) => (page.parse::<u64>().unwrap() - 1) * 10,
            None => number(request, "offset", 0),
        };
        let mut records = slice(34, skip, 10);
        if skip == 10 {
            records.truncate(lean);
        }
        say(Reply::items(records, json!({})), skip + 10 < 34, skip)
    })
}

#[test]
fn a_total_of_what_is_given_is_not_reached_by_positions_that_gave_nothing() {
    // One record for each position, but for the second; the total counts what there is.
    let read = read(Offset::new().page_size(5), |request| {
        let skip = number(request, "offset", 0);
        let records = match skip {
            1 => vec![],
            _ => slice(8, skip, 1),
        };
        let body = json!({"total": 7, "page_info": {"has_next_page": skip < 7}});
        Reply::items(records, body)
    });
    assert_eq!(read.ids, [1, 3, 4, 5, 6, 7, 8]);
    assert!(read.result.is_ok(), "{}", read.end());
}

#[test]
fn a_template_of_a_link_says_nothing_of_another_page() {
    let read = with_a_lean_page(
        PageNumber::new().size_param("size").page_size(10),
        7,
        |mut reply, _, _| {
            reply.body["_links"] = json!({"next": {"href": "/v1/items{?page}"}});
            reply
        },
    );
    assert_eq!((read.ids.len(), read.end()), (17, "ShortPage"));
}

#[test]
fn a_lean_page_that_says_that_another_one_follows_is_not_the_last() {
    let says: [(&str, Say); 8] = [
        ("Link", |reply, more, skip| match more {
            true => reply.header(
                "link",
                &format!("</v1/items?page={}>; rel=\"next\"", skip / 10 + 2),
            ),
            false => reply,
        }),
        ("link in the body", |mut reply, more, skip| {
            reply.body["_links"] = json!({});
            if more {
                let to = format!("/v1/items?page={}", skip / 10 + 2);
                reply.body["_links"]["next"] = json!({"href": to});
            }
            reply
        }),
        ("link in a list", |mut reply, more, skip| {
            reply.body["links"] = json!([{"rel": "self", "href": "/v1/items"}]);
            if more {
                let to = format!("/v1/items?page={}", skip / 10 + 2);
                reply.body["links"] = json!([{"rel": "next", "href": to}]);
            }
            reply
        }),
        ("next_cursor", |mut reply, more, _| {
            reply.body["next_cursor"] = json!(more.then_some("x"));
            reply
        }),
        ("token below meta", |mut reply, more, _| {
            reply.body["meta"] = json!({"nextPageToken": more.then_some("x")});
            reply
        }),
        ("X-Next-Page", |reply, more, skip| {
            match (more, skip / 10 + 2) {
                (true, next) => reply.header("x-next-page", &next.to_string()),
                (false, _) => reply.header("x-next-page", ""),
            }
        }),
        ("a flag elsewhere", |mut reply, more, _| {
            reply.body["page_info"] = json!({"has_next_page": more});
            reply
        }),
        ("a total elsewhere", |mut reply, _, _| {
            // All but what the lean page lacks.
            reply.body["meta"] = json!({"pagination": {"total": 34}});
            reply
        }),
    ];
    for (name, say) in says {
        for lean in [7, 0] {
            let page = with_a_lean_page(
                PageNumber::new().size_param("size").page_size(10),
                lean,
                say,
            );
            assert!(
                page.ids.len() == 24 + lean || page.result.is_err(),
                "{name}, {lean} by page: {} of {} {}",
                page.ids.len(),
                24 + lean,
                page.end()
            );
            if name != "a total elsewhere" {
                assert!(page.result.is_ok(), "{name}, {lean}: {}", page.told());
                assert_eq!(page.ids.len(), 24 + lean, "{name}, {lean}");
            }
        }
        // From an offset the page after a lean one begins where that ends, so that nothing is passed over.
        let offset = with_a_lean_page(Offset::new().page_size(10), 7, say);
        assert!(offset.ids.contains(&34), "{name}: {}", offset.end());
    }
}

#[test]
fn what_also_stands_on_last_pages_does_not_make_a_short_one_another() {
    for sign in [
        json!({"cursor": "x"}),
        json!({"paging": {"cursors": {"after": "x"}}}),
        json!({"next_cursor": "x", "has_more": false}),
        json!({"next_cursor": "x", "total": 14}),
        json!({"nextSyncToken": "x"}),
        json!({"schedule": {"next_run": "2024-01-01"}}),
        json!({"truncated": true}),
    ] {
        let replies = vec![ten(json!({})), Reply::items(ids(11..=14), sign.clone())];
        let read = pages(same, replies);
        assert!(read.result.is_ok(), "{sign}: {}", read.told());
        assert_eq!(read.ids.len(), 14, "{sign}");
    }
}

#[test]
fn empty_pages_that_speak_of_more_for_ever_end_it_after_three() {
    let read = read(PageNumber::new().page_size(10), |request| {
        let page = number(request, "page", 1);
        Reply::items(slice(14, (page - 1) * 10, 10), json!({"next_cursor": "x"}))
    });
    assert_eq!((read.end(), read.ids.len()), ("EmptyPages", 14));
}

#[test]
fn an_empty_page_whose_next_link_is_its_own_is_the_last() {
    let read = read(PageNumber::new().page_size(10), |request| {
        let page = number(request, "page", 1);
        let to = request.url.to_string().replace("page=1", "page=2");
        let to = if page == 2 {
            to.replace("page=2", "page=3")
        } else {
            to
        };
        Reply::items(
            slice(14, (page - 1) * 10, 10),
            json!({"paging": {"next": to}}),
        )
    });
    assert_eq!((read.end(), read.ids.len()), ("EmptyPage", 14));
}

#[test]
fn a_count_that_is_the_size_asked_for_is_no_total() {
    let linkedin = |request: &longshore_paginate::PageRequest| {
        let (start, count) = (number(request, "start", 0), number(request, "count", 10));
        Reply::items(
            slice(5, start, count),
            json!({"paging": {"start": start, "count": count, "links": []}}),
        )
    };
    let offset = read(Offset::new().param("start").size_param("count"), linkedin);
    assert_eq!((offset.end(), offset.ids.len()), ("EmptyPage", 5));
    let alone = read(longshore_paginate::SinglePage::new(), linkedin);
    assert_eq!((alone.end(), alone.warnings.len()), ("SinglePage", 0));
    let auto = read(longshore_paginate::Auto::new(), linkedin);
    assert_eq!((auto.result.is_ok(), auto.ids.len()), (true, 5));
    // One that is beside a size of its own counts everything.
    let count = json!({"paging": {"start": 0, "limit": 5, "count": 100}});
    let counted = read(
        longshore_paginate::SinglePage::new(),
        script(vec![Reply::items(ids(1..=5), count)]),
    );
    assert_eq!(counted.end(), "NotPaged");
}

#[test]
fn an_only_page_that_is_empty_is_doubted_whatever_its_flag_says() {
    let only = json!({"has_more": false, "total_pages": 1});
    let unsaid = pages(same, vec![Reply::items(vec![], only.clone())]);
    assert_eq!((unsaid.end(), unsaid.warnings.len()), ("Flag", 1));
    assert!(unsaid.told().contains("start: 0"), "{}", unsaid.told());
    let said = pages(|paging| paging.start(1), vec![Reply::items(vec![], only)]);
    assert_eq!((said.end(), said.warnings.len()), ("Flag", 0));
}
