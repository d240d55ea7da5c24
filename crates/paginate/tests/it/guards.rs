//! What stops a read that would not end, whatever the paginator.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{HeaderMap, StatusCode};
use longshore_jq::Val;
use longshore_paginate::{
    Checkpoint, Cursor, Error, HeaderLink, Next, NextLink, Offset, Page, PageNumber, PageRequest,
    PageToken, Paginator, ParamIn, Progress, Shortfall, Step, StopReason, Walk,
};
use serde_json::json;

use crate::reading::{Reply, base, ids, number, read, script, slice, try_read};

fn items(range: std::ops::RangeInclusive<u64>, more: serde_json::Value) -> Reply {
    Reply::items(ids(range), more)
}

#[test]
fn the_same_cursor_again_is_a_loop() {
    let replies = vec![
        items(1..=2, json!({"next_cursor": "a"})),
        items(3..=4, json!({"next_cursor": "a"})),
    ];
    let read = read(Cursor::new().param("after"), script(replies));
    assert_eq!(read.end(), "PaginationLoop");
    assert!(
        read.told().contains("`after`") && read.told().contains("cursorPath"),
        "{}",
        read.told()
    );
}

#[test]
fn cursors_that_go_round_are_a_loop() {
    let replies = ["b", "a", "b"].iter().enumerate().map(|(n, next)| {
        let n = n as u64;
        items(n + 1..=n + 1, json!({"next_cursor": next}))
    });
    let read = read(Cursor::new(), script(replies.collect()));
    assert_eq!((read.end(), read.requests.len()), ("PaginationLoop", 3));
}

#[test]
fn links_that_go_round_are_a_loop_that_names_the_link_settings() {
    // A → B → A.
    let reply = |n: u64, to: &str| {
        items(
            n..=n,
            json!({"@odata.nextLink": format!("https://api.example.com/v1/items{to}")}),
        )
    };
    let read = read(
        NextLink::new(),
        script(vec![reply(1, "?b"), reply(2, "?keep=a%20b")]),
    );
    assert_eq!((read.end(), read.requests.len()), ("PaginationLoop", 2));
    assert!(read.told().contains("nextLinkPath"), "{}", read.told());
}

#[test]
fn loops_are_seen_where_the_position_is_in_the_body_or_in_a_header() {
    for part in [ParamIn::Body, ParamIn::Header] {
        let paging = Cursor::new().param("after").size_param("").param_in(part);
        let replies = vec![
            items(1..=1, json!({"next_cursor": "a"})),
            items(2..=2, json!({"next_cursor": "a"})),
        ];
        let read = read(paging, script(replies));
        assert_eq!(read.end(), "PaginationLoop", "{part}");
        assert!(read.told().contains("`after`"), "{part}: {}", read.told());
    }
}

#[test]
fn a_page_that_comes_again_means_that_the_parameter_is_ignored() {
    let same = |_: &PageRequest| Reply::bare(ids(1..=30));
    let page = read(
        PageNumber::new()
            .param("pg")
            .size_param("per_page")
            .page_size(30),
        same,
    );
    let offset = read(Offset::new().page_size(30), same);
    for (read, parameter) in [(page, "`pg`"), (offset, "`offset`")] {
        assert_eq!((read.end(), read.requests.len()), ("ParameterIgnored", 2));
        let told = read.told();
        assert!(
            told.contains(parameter) && told.contains("`pagination: {type: none}`"),
            "{told}"
        );
    }
}

#[test]
fn an_ignored_parameter_is_seen_before_a_total_is_reached() {
    // Twice the same hundred records are not the two hundred of the total.
    let same = |_: &PageRequest| items(1..=100, json!({"total": 200}));
    assert_eq!(read(PageNumber::new(), same).end(), "ParameterIgnored");
    let replies = (0..3).map(|n| {
        items(
            1..=100,
            json!({"total": 200, "next_cursor": format!("c{n}")}),
        )
    });
    assert_eq!(
        read(Cursor::new(), script(replies.collect())).end(),
        "ParameterIgnored"
    );
}

#[test]
fn an_ignored_parameter_in_the_body_is_named_by_its_path() {
    let paging = PageNumber::new()
        .param("paging.number")
        .size_param("paging.size")
        .param_in(ParamIn::Body);
    let mut request = base();
    request.body = Some(json!({"paging": {"sort": "id"}}));
    let read = try_read(paging, request, |_| Reply::bare(ids(1..=100))).unwrap();
    assert!(read.told().contains("`paging.number`"), "{}", read.told());
    assert_eq!(
        read.requests[1].body,
        Some(json!({"paging": {"sort": "id", "number": 2, "size": 100}}))
    );
}

#[test]
fn a_link_to_the_same_page_names_the_link_settings() {
    let mut n = 0;
    let same = |_: &PageRequest| {
        n += 1;
        Reply::bare(ids(1..=3)).header("link", &format!("</v1/items?cachebust={n}>; rel=next"))
    };
    let read = read(HeaderLink::new(), same);
    assert_eq!(read.end(), "ParameterIgnored");
    assert!(read.told().contains("headerLinkRel"), "{}", read.told());
}

#[test]
fn three_empty_pages_in_a_row_end_although_more_is_said() {
    let read = read(PageNumber::new(), |_| {
        Reply::items(vec![], json!({"has_more": true}))
    });
    assert_eq!((read.end(), read.requests.len()), ("EmptyPages", 3));
    assert!(read.told().contains("hasMorePath"), "{}", read.told());
}

#[test]
fn two_empty_pages_in_a_row_are_passed_over() {
    let empty = || Reply::items(vec![], json!({"has_more": true}));
    let full = |n| items(n..=n, json!({"has_more": true}));
    let replies = vec![
        empty(),
        empty(),
        full(1),
        empty(),
        empty(),
        full(2),
        items(3..=3, json!({"has_more": false})),
    ];
    assert_eq!(read(PageNumber::new(), script(replies)).ids, [1, 2, 3]);
}

#[test]
fn too_many_pages_are_incomplete_and_name_the_setting() {
    let endless = |request: &PageRequest| {
        let page = number(request, "page", 1);
        items(page..=page, json!({"has_more": true}))
    };
    let read_to = |paging: PageNumber| read(paging, endless);
    let capped = read_to(PageNumber::new().max_pages(5));
    assert_eq!((capped.end(), capped.requests.len()), ("MaxPages", 5));
    assert!(capped.told().contains("maxPages"), "{}", capped.told());
    assert_eq!(read_to(PageNumber::new()).requests.len(), 10_000);
    let last = |request: &PageRequest| {
        let page = number(request, "page", 1);
        items(page..=page, json!({"has_more": page < 5}))
    };
    assert_eq!(read(PageNumber::new().max_pages(5), last).end(), "Flag");
}

#[test]
fn a_walk_goes_on_from_a_checkpoint_that_was_stored_as_if_nothing_had_happened() {
    let of = |request: &PageRequest| {
        let skip = number(request, "offset", 0);
        Reply::items(slice(35, skip, 10), json!({}))
    };
    let straight = read(Offset::new().page_size(10), of);
    let paginator: Arc<dyn Paginator> = Arc::new(Offset::new().page_size(10));
    let mut walk = Walk::new(paginator.clone(), base());
    let (mut got, mut urls, mut again) = (Vec::new(), Vec::new(), Vec::new());
    let ending = loop {
        let request = walk.request().unwrap();
        let reply = of(&request);
        urls.push(request.url.to_string());
        let records: Vec<Val> = reply.records.iter().map(Val::from_json).collect();
        let step = walk
            .accept(&HeaderMap::new(), &Val::from_json(&reply.body), &records)
            .unwrap();
        if step == Step::Dropped(None) {
            // The page before the interruption, looked at again: counted positions mean what they meant.
            again.extend(urls.pop());
            continue;
        }
        let ids = reply.records.iter();
        got.extend(ids.map(|record| record["id"].as_u64().unwrap()));
        match step {
            Step::Done(ending) | Step::Dropped(Some(ending)) => break ending,
            _ => {
                let stored = serde_json::to_string(&walk.checkpoint()).unwrap();
                let checkpoint: Checkpoint = serde_json::from_str(&stored).unwrap();
                assert!(!checkpoint.is_done());
                walk = Walk::resume(paginator.clone(), base(), checkpoint);
            }
        }
    };
    assert_eq!(again, urls[..urls.len() - 1]);
    assert!(walk.checkpoint().is_done());
    assert_eq!((got, urls), (straight.ids.clone(), straight.urls()));
    assert_eq!(ending.result, straight.result);
}

#[test]
fn a_resumed_walk_remembers_what_was_read_before() {
    let paginator: Arc<dyn Paginator> = Arc::new(Cursor::new());
    let mut walk = Walk::new(paginator.clone(), base());
    let accept = |walk: &mut Walk, next: &str, id: u64| {
        let record = Val::from_json(&json!({"id": id}));
        walk.accept(
            &HeaderMap::new(),
            &Val::from_json(&json!({"next_cursor": next})),
            &[record],
        )
        .unwrap()
    };
    accept(&mut walk, "a", 1);
    accept(&mut walk, "b", 2);
    let mut walk = Walk::resume(paginator.clone(), base(), walk.checkpoint());
    let Step::Done(ending) = accept(&mut walk, "a", 3) else {
        panic!("the loop is not seen")
    };
    assert_eq!(ending.result.unwrap_err().name(), "PaginationLoop");
    let mut walk = Walk::resume(paginator, base(), walk.checkpoint());
    let Step::Done(ending) = accept(&mut walk, "c", 1) else {
        panic!("the page that came before the checkpoint is not known")
    };
    assert_eq!(ending.result.unwrap_err().name(), "PageRepeated");
}

/// The guards hold for paginators that know nothing of them.
#[test]
fn a_paginator_of_ones_own_is_guarded_too() {
    #[derive(Debug)]
    struct Stubborn;
    impl Paginator for Stubborn {
        fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
            request.set_query("at", token.and_then(PageToken::as_str).unwrap_or("start"));
            Ok(())
        }
        fn next(&self, _: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
            let at = page.body()["at"].as_str().unwrap_or("start");
            Ok(Next::Continue(PageToken::from(at)))
        }
    }
    let read = |bodies: Vec<serde_json::Value>| {
        read(
            Stubborn,
            script(
                bodies
                    .into_iter()
                    .map(|body| Reply::of(body, "/items"))
                    .collect(),
            ),
        )
    };
    let looped = read(vec![
        json!({"items": ids(1..=1), "at": "x"}),
        json!({"items": ids(2..=2), "at": "x"}),
    ]);
    assert_eq!(looped.end(), "PaginationLoop");
    assert!(looped.told().contains("`at`"), "{}", looped.told());
    let empty = read(
        (0..3)
            .map(|n| json!({"items": [], "at": format!("{n}")}))
            .collect(),
    );
    assert_eq!(empty.end(), "EmptyPages");
}

#[test]
fn one_paginator_serves_many_reads_at_once() {
    let paginator: Arc<dyn Paginator> = Arc::new(Cursor::new().page_size(2).build().unwrap());
    let reads: Vec<_> = (0..8u64)
        .map(|of| {
            let paginator = paginator.clone();
            std::thread::spawn(move || {
                read(paginator, |request: &PageRequest| {
                    let skip = number(request, "cursor", 0);
                    let next = (skip + 2 < of).then_some(skip + 2);
                    Reply::items(
                        slice(of, skip, 2),
                        json!({"next_cursor": next, "has_more": next.is_some()}),
                    )
                })
            })
        })
        .collect();
    for (of, read) in reads.into_iter().enumerate() {
        let read = read.join().unwrap();
        assert_eq!(read.ids.len(), of, "{}", read.told());
    }
}

#[test]
fn a_total_that_falls_while_rows_are_counted_is_no_end() {
    let replies = vec![
        items(1..=10, json!({"total": 25})),
        items(11..=20, json!({"total": 25})),
        items(21..=24, json!({"total": 24})),
    ];
    let read = read(Offset::new().page_size(10), script(replies));
    assert_eq!(read.end(), "RowsShifted");
    assert!(read.told().contains("from 25 to 24"), "{}", read.told());
}

#[test]
fn a_total_that_grows_or_counts_the_page_is_no_sign_of_rows_that_went_away() {
    for totals in [[20, 24, 24], [10, 10, 4]] {
        let replies = vec![
            items(1..=10, json!({"total": totals[0]})),
            items(11..=20, json!({"total": totals[1]})),
            items(21..=24, json!({"total": totals[2]})),
            Reply::items(Vec::new(), json!({"total": 0})),
        ];
        let read = read(Offset::new().page_size(10), script(replies));
        assert!(
            ["TotalReached", "ShortPage", "EmptyPage"].contains(&read.end()),
            "{totals:?}: {}",
            read.end()
        );
    }
}

#[test]
fn a_record_that_comes_again_among_new_ones_shows_that_rows_moved() {
    for more in [json!({"total": 24}), json!({"total": 25}), json!({})] {
        let replies = vec![
            items(1..=10, more.clone()),
            items(10..=19, more.clone()),
            items(20..=24, more.clone()),
        ];
        let read = read(Offset::new().page_size(10), script(replies));
        assert_eq!(read.end(), "RowsShifted", "{more}");
    }
}

#[test]
fn a_last_page_that_repeats_itself_is_not_taken_for_an_ignored_parameter() {
    let replies = vec![
        items(1..=10, json!({})),
        items(11..=20, json!({})),
        items(11..=20, json!({})),
    ];
    let read = read(PageNumber::new().page_size(10), script(replies));
    assert_eq!(read.end(), "PageRepeated");
    assert!(!read.told().contains("none"), "{}", read.told());
}

#[test]
fn a_page_that_came_before_is_known_by_its_records_whatever_else_changes_in_them() {
    let mut asked = 0;
    let volatile = |first: u64, at: u64| {
        let records = (first..first + 2).map(|id| json!({"id": id, "at": at}));
        Reply::items(records.collect(), json!({}))
    };
    let ignored = read(PageNumber::new().page_size(2), |_| {
        asked += 1;
        volatile(1, asked)
    });
    assert_eq!(
        (ignored.end(), ignored.requests.len()),
        ("ParameterIgnored", 2)
    );
    let clamped = read(PageNumber::new().page_size(2), |request| {
        asked += 1;
        volatile(number(request, "page", 1).min(3) * 2, asked)
    });
    assert_eq!((clamped.end(), clamped.requests.len()), ("PageRepeated", 4));
}

#[test]
fn records_whose_identifier_is_shared_are_told_apart_by_what_they_hold() {
    let series = read(PageNumber::new().page_size(3), |request| {
        let page = number(request, "page", 1);
        let at = (page * 3..page * 3 + 3).filter(|at| *at < 11);
        let records = at.map(|at| json!({"id": "AAPL", "at": at}));
        Reply::items(records.collect(), json!({}))
    });
    assert_eq!((series.end(), series.requests.len()), ("ShortPage", 3));
}

/// Names positions, in the place of others, that were asked for before.
#[derive(Debug)]
struct Round {
    /// What it says of a page that is not the first.
    then: fn() -> Next,
    /// What it says of a position that is refused.
    instead: fn(&str) -> Next,
    refusals: AtomicUsize,
}

impl Round {
    fn new(then: fn() -> Next, instead: fn(&str) -> Next) -> Round {
        Round {
            then,
            instead,
            refusals: AtomicUsize::new(0),
        }
    }
}

impl Paginator for Round {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        request.set_query("at", token.and_then(PageToken::as_str).unwrap_or("a"));
        Ok(())
    }

    fn next(&self, token: Option<&PageToken>, _: &Page<'_>) -> Result<Next, Error> {
        Ok(match token {
            None => Next::Continue(PageToken::from("b")),
            Some(_) => (self.then)(),
        })
    }

    fn refused(&self, token: &PageToken, _: Option<StatusCode>, _: &Progress) -> Option<Next> {
        let refusals = self.refusals.fetch_add(1, Ordering::Relaxed);
        assert!(refusals < 10_000, "it goes round for ever");
        Some((self.instead)(token.as_str().unwrap_or_default()))
    }
}

fn at(position: &str) -> Next {
    Next::Continue(PageToken::from(position))
}

#[test]
fn known_positions_that_follow_each_other_for_ever_are_a_loop() {
    let other = |known: &str| at(if known == "a" { "b" } else { "a" });
    let second_page = items(2..=2, json!({}));
    let discarded = || Next::Discard(Box::new(at("a")));
    for (then, second) in [
        (Round::new(|| at("a"), other), second_page.clone()),
        (Round::new(discarded, other), second_page.clone()),
        (Round::new(|| at("a"), |_| at("b")), Reply::refusal(404)),
        (
            Round::new(|| at("b"), |_| Next::Discard(Box::new(at("b")))),
            second_page,
        ),
    ] {
        let read = read(then, script(vec![items(1..=1, json!({})), second]));
        assert_eq!((read.end(), read.requests.len()), ("PaginationLoop", 2));
        assert!(read.told().contains("`at`"), "{}", read.told());
    }
}

#[test]
fn the_end_that_stands_in_the_place_of_a_known_position_is_that_end() {
    let end = |_: &str| Next::Complete(StopReason::Other("all is read".to_owned()));
    let short = |_: &str| Next::Incomplete(Shortfall::Other("no way is left".to_owned()));
    for then in [|| at("a"), || Next::Discard(Box::new(at("a")))] {
        let replies = || script(vec![items(1..=1, json!({})), items(2..=2, json!({}))]);
        let complete = read(Round::new(then, end), replies());
        assert!(complete.result.is_ok(), "{}", complete.told());
        let short = read(Round::new(then, short), replies());
        assert!(short.told().contains("no way is left"), "{}", short.told());
    }
}

#[test]
fn records_that_come_again_are_looked_for_where_positions_are_counted() {
    #[derive(Debug)]
    struct Looking {
        counts: bool,
    }
    impl Paginator for Looking {
        fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
            request.set_query("at", token.and_then(PageToken::as_str).unwrap_or("0"));
            Ok(())
        }
        fn next(&self, _: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
            let seen = page.progress();
            Ok(match seen.pages {
                2 => Next::Complete(StopReason::Other(format!("repeated: {}", seen.repeated))),
                pages => at(&(pages + 1).to_string()),
            })
        }
        fn counts(&self, _: Option<&PageToken>) -> bool {
            self.counts
        }
    }
    for counts in [true, false] {
        let replies = vec![
            items(1..=3, json!({})),
            items(4..=6, json!({})),
            items(6..=8, json!({})),
        ];
        let read = read(Looking { counts }, script(replies));
        let end = StopReason::Other(format!("repeated: {counts}"));
        assert_eq!(read.result.unwrap(), end);
    }
}

#[test]
fn a_page_shows_no_data_and_no_credentials() {
    let body = Val::from_json(&json!({"items": [{"name": "Ada"}], "token": "s3cret"}));
    let records = body.get("items").and_then(Val::as_array).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert("set-cookie", "sid=s3cret".parse().unwrap());
    let (request, progress) = (base(), Progress::default());
    let page = Page::new(&request, &headers, &body, records, &progress);
    let _ = page.body();
    let shown = format!("{page:?}");
    assert!(
        shown.contains("set-cookie") && shown.contains("records: 1"),
        "{shown}"
    );
    assert!(
        !shown.contains("s3cret") && !shown.contains("Ada"),
        "{shown}"
    );
}
