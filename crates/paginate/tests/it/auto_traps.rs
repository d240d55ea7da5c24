//! What looks like a word about paging to `type: auto` and is none, and what it must not take for the end.

use longshore_paginate::{Auto, PageRequest};
use serde_json::{Value, json};

use crate::reading::{Read, Reply, base, number, read, slice, try_read};

/// A list of 34 in pages of ten by `page`, with something beside it.
fn pages_beside(beside: Value) -> Read {
    read(Auto::new(), move |request| {
        let page = number(request, "page", 1).max(1);
        Reply::items(slice(34, (page - 1) * 10, 10), beside.clone())
    })
}

/// A list of five, all on the one page that there is.
fn five_beside(beside: Value) -> Read {
    read(Auto::new(), move |_| {
        Reply::items(slice(5, 0, 5), beside.clone())
    })
}

#[test]
fn what_is_empty_elsewhere_is_not_the_end_of_the_list() {
    for beside in [
        json!({"icons": [{"url": "https://h/a.png"}]}),
        json!({"related": [{"href": "/x"}]}),
        json!({"assets": [{"rel": "icon", "href": "/x.ico"}]}),
        json!({"links": [{"rel": "stylesheet", "href": "/x.css"}]}),
        json!({"next_run": null}),
        json!({"account": {"next_payment_at": null, "next": null}}),
        json!({"owner": {"next_page": null}, "user": {"cursor": null}}),
    ] {
        let read = pages_beside(beside.clone());
        assert_eq!(
            read.ids.len(),
            34,
            "{beside}: {} {}",
            read.end(),
            read.told()
        );
    }
    // Where the list is described, it is.
    for beside in [
        json!({"next": null}),
        json!({"next_page_url": null}),
        json!({"meta": {"next_cursor": null}}),
        json!({"links": [{"rel": "self", "href": "/v1/items"}]}),
        json!({"_links": [{"self": "/v1/items"}]}),
    ] {
        let read = pages_beside(beside.clone());
        assert_eq!((read.end(), read.ids.len()), ("NoToken", 10), "{beside}");
    }
}

#[test]
fn records_that_are_links_themselves_are_no_place_for_one() {
    for record in [
        |n: u64| json!({"url": format!("https://h/{n}")}),
        |n: u64| json!({"rel": "item", "url": format!("https://h/{n}")}),
        |n: u64| json!({"href": format!("/{n}")}),
    ] {
        let mut seen = 0;
        let read = read(Auto::new(), |request| {
            let page = number(request, "page", 1).max(1);
            let records: Vec<Value> = ((page - 1) * 10..34.min(page * 10)).map(record).collect();
            seen = seen.max(page * 10);
            Reply::items(records, json!({}))
        });
        assert!(read.result.is_ok() && seen >= 34, "{}", read.told());
    }
}

#[test]
fn a_list_of_links_under_next_is_followed() {
    let read = read(Auto::new(), |request| {
        let offset = number(request, "offset", 0);
        let mut links = json!({"self": [{"href": "/v1/items"}]});
        if offset + 10 < 34 {
            links["next"] = json!([{"href": format!("/v1/items?offset={}", offset + 10)}]);
        }
        Reply::items(slice(34, offset, 10), json!({"_links": links}))
    });
    assert_eq!((read.end(), read.ids.len()), ("NoToken", 34));
    assert_eq!(read.dropped, 0);
}

#[test]
fn what_comes_next_is_not_always_a_page() {
    for beside in [
        json!({"nextSyncToken": "abc"}),
        json!({"next_sync": "2024-01-01T00:00:00Z"}),
        json!({"schedule": {"next_run": "2024-01-01"}}),
        json!({"_scroll_id": "x", "total": 5}),
        json!({"cursor": "x", "total": 5}),
        json!({"_scroll_id": "x", "hits": {"total": {"value": 5}}}),
        json!({"paging": {"start": 0, "count": 10, "links": []}}),
    ] {
        let read = five_beside(beside.clone());
        assert!(read.result.is_ok(), "{beside}: {}", read.told());
        assert_eq!(read.ids.len(), 5);
    }
}

#[test]
fn a_parameter_that_is_ignored_is_known_although_the_records_change() {
    let (mut asked, of) = (0, 34);
    let read = read(Auto::new(), |_| {
        asked += 1;
        let records = (0..10).map(|n| json!({"name": format!("n{n}"), "at": asked}));
        Reply::items(records.collect(), json!({"total": of}))
    });
    assert!(read.result.is_err(), "{}", read.end());
    assert!(read.requests.len() < 60, "{} requests", read.requests.len());
    assert!(read.told().contains("34"), "{}", read.told());
}

/// Groups are counted, and each becomes several records.
#[test]
fn a_total_of_groups_is_passed() {
    let read = read(Auto::new(), |request| {
        let page = number(request, "page", 1).max(1);
        let groups: Vec<Value> = ((page - 1) * 3..12.min(page * 3))
            .map(|n| json!({"items": slice(n * 3 + 3, n * 3, 3)}))
            .collect();
        let records = groups
            .iter()
            .flat_map(|group| group["items"].as_array().unwrap().clone());
        let records: Vec<Value> = records.collect();
        Reply {
            records,
            ..Reply::of(json!({"groups": groups, "total": 12}), "/none")
        }
    });
    assert_eq!(read.ids.len(), 36, "{} {}", read.end(), read.told());
}

#[test]
fn one_page_of_a_filtered_scroll_with_everything_on_it_is_complete() {
    let mut request: PageRequest = base();
    request.url.set_query(Some("scroll=1m"));
    let read = try_read(Auto::new(), request, |_| {
        Reply::of(
            json!({"_scroll_id": "DXF", "took": 1, "hits": {"total": {"value": 5, "relation": "eq"}, "hits": slice(5, 0, 5)}}),
            "/hits/hits",
        )
    })
    .unwrap();
    assert_eq!((read.end(), read.ids.len()), ("TotalReached", 5));
}

/// A list of 34 behind a request with a query of its own.
fn asked_with(query: &str, server: impl FnMut(&PageRequest) -> Reply) -> Read {
    let mut request: PageRequest = base();
    request.url.set_query(Some(query));
    try_read(Auto::new(), request, server).unwrap()
}

#[test]
fn positions_that_the_request_has_already_are_tried_first() {
    let by_query = asked_with("seite[page]=1", |request| {
        let page = number(request, "seite[page]", 1);
        Reply::items(slice(34, (page - 1) * 10, 10), json!({"total": 34}))
    });
    assert_eq!((by_query.ids.len(), by_query.dropped), (34, 0));
    let from_zero = asked_with("p=0", |request| {
        let page = number(request, "p", 0);
        Reply::items(slice(34, page * 10, 10), json!({"total": 34}))
    });
    assert_eq!((from_zero.ids.len(), from_zero.dropped), (34, 0));
    let mut request: PageRequest = base();
    request.method = http::Method::POST;
    request.body = Some(json!({"filter": {"a": 1}, "page": 0}));
    let by_body = try_read(Auto::new(), request, |request| {
        let page = request.body.as_ref().unwrap()["page"].as_u64().unwrap();
        Reply::items(slice(34, page * 10, 10), json!({"total": 34}))
    })
    .unwrap();
    assert_eq!((by_body.ids.len(), by_body.dropped), (34, 0));
}

#[test]
fn the_name_that_goes_with_a_size_of_the_request_is_tried() {
    let magento = asked_with("searchCriteria[pageSize]=10", |request| {
        let page = number(request, "searchCriteria[currentPage]", 1).clamp(1, 4);
        Reply::items(
            slice(34, (page - 1) * 10, 10),
            json!({"search_criteria": {"page_size": 10, "current_page": page}, "total_count": 34}),
        )
    });
    assert_eq!(magento.ids.len(), 34, "{}", magento.told());
    let keycloak = asked_with("max=7", |request| {
        Reply::bare(slice(34, number(request, "first", 0), 7))
    });
    assert_eq!(keycloak.ids.len(), 34, "{}", keycloak.told());
    for name in ["first", "$skip", "start"] {
        let full = asked_with("x=1", |request| {
            Reply::bare(slice(34, number(request, name, 0), 10))
        });
        assert_eq!(full.ids.len(), 34, "{name}: {}", full.told());
    }
}

#[test]
fn a_trial_that_the_server_fails_at_is_named() {
    let read = asked_with("x=1", |request| match number(request, "page", 1) {
        2 => Reply::refusal(500),
        _ => Reply::items(slice(34, 0, 10), json!({"total": 34})),
    });
    assert_eq!(read.end(), "Truncated");
    let told = read.told();
    assert!(told.contains("500") && told.contains("`page`"), "{told}");
}
