//! Reading every page, and knowing that it was every page: from settings as they are written to what the API was asked.

use longshore_testkit::{Answer, Call, Network, Pages, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{API, Read, Rig, config, items};

/// What was asked of `/items`, in order, and what came of it.
struct Walked {
    asked: Vec<String>,
    read: Read,
}

impl Walked {
    /// Entities, requests and the end: what most tests look at.
    fn summary(&self) -> (usize, usize, &str) {
        (self.read.entities.len(), self.asked.len(), self.read.end())
    }

    /// What an incomplete read says.
    fn said(&self) -> String {
        self.read.outcome.cause().unwrap().to_string()
    }
}

async fn walk(
    connection: &str,
    selector: &str,
    reply: impl Fn(&Call) -> Answer + Send + Sync + 'static,
) -> Walked {
    let rig = Rig::new(ScriptedApi::new().on("/{+path}", reply));
    let read = rig.read(connection, &items("/items", selector)).await;
    assert_eq!(rig.network.strangers().len(), 0);
    Walked {
        asked: rig.api.paths(),
        read,
    }
}

async fn pages(connection: &str, selector: &str, pages: Pages) -> Walked {
    walk(connection, selector, move |call| pages.answer(call)).await
}

fn number(call: &Call, name: &str, default: u64) -> u64 {
    call.query(name)
        .map_or(default, |text| text.parse().unwrap())
}

/// The records after the first `skip` of 250.
fn of_250(skip: u64, size: u64) -> Vec<Value> {
    numbered(250.min(skip + size)).split_off(skip.min(250) as usize)
}

const DATA: &str = "{data_path: .data}";

// The rows of the table

#[tokio::test(start_paused = true)]
async fn none_asks_once() {
    let walked = pages(
        "paginationType: none",
        DATA,
        Pages::single(numbered(7)).under("data"),
    )
    .await;
    assert_eq!(walked.asked, ["/items"]);
    assert_eq!(walked.summary(), (7, 1, "SinglePage"));
}

#[tokio::test(start_paused = true)]
async fn offset_stops_by_flag_total_short_or_empty_page() {
    for (what, records, api, requests, end) in [
        (
            "bare array",
            250,
            Pages::offset(numbered(250)),
            3,
            "ShortPage",
        ),
        (
            "bare array, last page full",
            200,
            Pages::offset(numbered(200)),
            3,
            "EmptyPage",
        ),
        (
            "has_more",
            200,
            Pages::offset(numbered(200)).under("data").flag("has_more"),
            2,
            "Flag",
        ),
        (
            "hasMore",
            200,
            Pages::offset(numbered(200)).under("data").flag("hasMore"),
            2,
            "Flag",
        ),
        (
            "total",
            200,
            Pages::offset(numbered(200)).under("data").total("total"),
            2,
            "TotalReached",
        ),
        (
            "meta.total_count",
            200,
            Pages::offset(numbered(200))
                .under("data")
                .total("meta.total_count"),
            2,
            "TotalReached",
        ),
        (
            "X-Total-Count",
            200,
            Pages::offset(numbered(200)).total_header("X-Total-Count"),
            2,
            "TotalReached",
        ),
        (
            "total pages",
            200,
            Pages::offset(numbered(200))
                .under("data")
                .total_pages("totalPages"),
            2,
            "LastPage",
        ),
        (
            "object without any sign",
            250,
            Pages::offset(numbered(250)).under("data"),
            3,
            "ShortPage",
        ),
    ] {
        let walked = pages("paginationType: offset", "{data_path: '.data? // .'}", api).await;
        assert_eq!(
            walked.summary(),
            (records, requests, end),
            "{what}: {:?}",
            walked.read.errors
        );
        let offsets: Vec<String> = (0..requests)
            .map(|n| format!("/items?offset={}&limit=100", n * 100))
            .collect();
        assert_eq!(walked.asked, offsets, "{what}");
    }
    let flag = "paginationType: offset\nhasMorePath: page.more_rows";
    let walked = pages(
        flag,
        DATA,
        Pages::offset(numbered(200))
            .under("data")
            .flag("page.more_rows"),
    )
    .await;
    assert_eq!(walked.summary(), (200, 2, "Flag"));
}

#[tokio::test(start_paused = true)]
async fn page_stops_by_the_configured_flags_then_by_known_signs() {
    let of = |body: fn(u64) -> Value| {
        move |call: &Call| {
            let page = number(call, "page", 1);
            let mut body = body(page);
            body["data"] = json!(of_250((page - 1) * 100, 100));
            Answer::json(body)
        }
    };
    let both = "hasMorePath: more_rows\nlastPagePath: is_final";
    for (what, settings, body, end) in [
        (
            "hasMorePath",
            "hasMorePath: more_rows",
            (|page| json!({"more_rows": page < 3})) as fn(u64) -> Value,
            "Flag",
        ),
        (
            "hasMorePath as text",
            "hasMorePath: more_rows",
            |page| json!({"more_rows": if page < 3 { "true" } else { "false" }}),
            "Flag",
        ),
        (
            "hasMorePath as number",
            "hasMorePath: more_rows",
            |page| json!({"more_rows": 3 - page}),
            "Flag",
        ),
        (
            "lastPagePath",
            "lastPagePath: is_final",
            |page| json!({"is_final": page == 3}),
            "Flag",
        ),
        (
            "hasMorePath wins",
            both,
            |page| json!({"more_rows": page < 3, "is_final": true}),
            "Flag",
        ),
        (
            "a path that is missing falls through",
            both,
            |page| json!({"next_page": (page < 3).then_some(page + 1)}),
            "Flag",
        ),
        (
            "next_page",
            "",
            |page| json!({"next_page": (page < 3).then_some(page + 1)}),
            "Flag",
        ),
        (
            "next",
            "",
            |page| json!({"next": (page < 3).then(|| format!("/items?page={}", page + 1))}),
            "Flag",
        ),
        ("hasMore", "", |page| json!({"hasMore": page < 3}), "Flag"),
        ("no sign at all", "", |_| json!({}), "ShortPage"),
    ] {
        let walked = walk(&format!("paginationType: page\n{settings}"), DATA, of(body)).await;
        assert_eq!(
            walked.summary(),
            (250, 3, end),
            "{what}: {:?}",
            walked.read.errors
        );
        assert_eq!(walked.asked[2], "/items?page=3&size=100", "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn cursor_is_found_at_its_path_or_under_a_known_name_with_or_without_a_flag() {
    for (path, at, flag, end) in [
        ("", "next_cursor", None, "NoToken"),
        ("", "cursor", None, "NoToken"),
        ("", "meta.after_cursor", None, "NoToken"),
        ("", "next_cursor", Some("has_more"), "Flag"),
        ("", "meta.after_cursor", Some("meta.has_more"), "Flag"),
        ("cursorPath: a.b", "a.b", None, "NoToken"),
        ("cursorPath: .a.b", "a.b", None, "NoToken"),
        ("cursorPath: '.a | .b'", "a.b", None, "NoToken"),
        (
            "cursorPath: a.b\nhasMorePath: c.d",
            "a.b",
            Some("c.d"),
            "Flag",
        ),
    ] {
        let mut api = Pages::cursor(numbered(250)).cursor_at(at);
        if let Some(flag) = flag {
            api = api.flag(flag);
        }
        let walked = pages(&format!("paginationType: cursor\n{path}"), DATA, api).await;
        assert_eq!(
            walked.summary(),
            (250, 3, end),
            "{path} {at}: {:?}",
            walked.read.errors
        );
        assert_eq!(
            walked.asked,
            [
                "/items?limit=100",
                "/items?cursor=c100&limit=100",
                "/items?cursor=c200&limit=100"
            ]
        );
    }
    let header = "paginationType: cursor\ncursorPath: header:X-Next-Cursor";
    let walked = pages(
        header,
        DATA,
        Pages::cursor(numbered(250)).cursor_header("X-Next-Cursor"),
    )
    .await;
    assert_eq!(walked.summary(), (250, 3, "NoToken"));
}

#[tokio::test(start_paused = true)]
async fn next_links_are_followed_as_they_stand_without_the_parameters_of_the_resource() {
    for (path, at) in [
        ("", "@odata.nextLink"),
        ("", "next"),
        ("nextLinkPath: '@odata.nextLink'", "@odata.nextLink"),
        ("nextLinkPath: paging.next", "paging.next"),
    ] {
        for relative in [false, true] {
            let mut api = Pages::next_link(numbered(25)).size(10).link_at(at);
            if relative {
                api = api.relative_links();
            }
            let walked = pages(
                &format!("paginationType: next_link\n{path}"),
                "{data_path: .data, query_params: {active: true}}",
                api,
            )
            .await;
            assert_eq!(walked.summary(), (25, 3, "NoToken"), "{at}");
            assert_eq!(
                walked.asked,
                [
                    "/items?active=true",
                    "/items?active=true&after=c10",
                    "/items?active=true&after=c20"
                ]
            );
        }
    }
    // A path is one literal key first, and only then a way through objects.
    for body in [
        json!({"a.b": "/items?page=2"}),
        json!({"a": {"b": "/items?page=2"}}),
    ] {
        let walked = walk(
            "paginationType: next_link\nnextLinkPath: a.b",
            "{data_path: '.data // [{id: 2}]'}",
            move |call| match call.query("page") {
                None => Answer::json(body.clone()),
                Some(_) => Answer::json(json!({"data": [{"id": 3}]})),
            },
        )
        .await;
        assert_eq!(walked.read.identifiers(), ["2", "3"]);
    }
    let walked = walk("paginationType: next_link", "{data_path: .value, query_params: {a: 1}}", |call| {
        Answer::json(match call.query("skiptoken") {
            None => json!({"value": [{"id": 1}], "@odata.nextLink": format!("{API}/items?skiptoken=x%2Fy")}),
            Some(_) => json!({"value": [{"id": 2}]}),
        })
    })
    .await;
    assert_eq!(walked.asked, ["/items?a=1", "/items?skiptoken=x%2Fy"]);
}

#[tokio::test(start_paused = true)]
async fn link_headers_are_followed_by_their_relation() {
    for relative in [false, true] {
        let mut api = Pages::header_link(numbered(250));
        if relative {
            api = api.relative_links();
        }
        let walked = pages(
            "paginationType: header_link\nsizeParam: per_page",
            "{}",
            api,
        )
        .await;
        assert_eq!(
            walked.summary(),
            (250, 3, "NoToken"),
            "{:?}",
            walked.read.errors
        );
        assert_eq!(
            walked.asked,
            [
                "/items?per_page=100",
                "/items?per_page=100&page=2",
                "/items?per_page=100&page=3"
            ]
        );
    }
    let walked = walk(
        "paginationType: header_link\nheaderLinkRel: older",
        "{}",
        |call| {
            let answer = Answer::json(json!([{"id": number(call, "page", 1)}]));
            match call.query("page") {
                None => answer.header(
                    "link",
                    r#"</items?page=9>; rel="next", </items?page=2>; rel="older""#,
                ),
                Some(_) => answer,
            }
        },
    )
    .await;
    assert_eq!(
        (walked.read.identifiers(), walked.asked.len()),
        (vec!["1", "2"], 2)
    );
}

#[tokio::test(start_paused = true)]
async fn a_resource_pages_its_own_way() {
    let connection = "paginationType: page\npaginationParam: p\nsizeParam: ps\npageSize: 10";
    let cursor = "{data_path: .data, pagination: {type: cursor, cursorPath: meta.next, size: 50}}";
    let walked = pages(
        connection,
        cursor,
        Pages::cursor(numbered(120)).cursor_at("meta.next"),
    )
    .await;
    assert_eq!(
        walked.asked,
        [
            "/items?limit=50",
            "/items?cursor=c50&limit=50",
            "/items?cursor=c100&limit=50"
        ]
    );
    let walked = pages(
        connection,
        "{pagination: {size: 25}}",
        Pages::page(numbered(40))
            .position_param("p")
            .size_param("ps"),
    )
    .await;
    assert_eq!(walked.asked, ["/items?p=1&ps=25", "/items?p=2&ps=25"]);
    let walked = pages(connection, "{pagination: none}", Pages::single(numbered(7))).await;
    assert_eq!(walked.summary(), (7, 1, "SinglePage"));

    let stop = "{data_path: .data, pagination: {stopWhen: '.state == \"end\"'}}";
    let walked = walk(connection, stop, |call| {
        let page = number(call, "p", 1);
        Answer::json(json!({"data": [{"id": page}], "state": if page < 3 { "on" } else { "end" }}))
    })
    .await;
    assert_eq!(walked.summary(), (3, 3, "StopWhen"));

    let total = "{data_path: .data, pagination: {totalPath: summary.all}}";
    let walked = pages(
        connection,
        total,
        Pages::page(numbered(20))
            .position_param("p")
            .size_param("ps")
            .under("data")
            .total("summary.all"),
    )
    .await;
    assert_eq!(walked.summary(), (20, 2, "TotalReached"));
}

#[tokio::test(start_paused = true)]
async fn position_and_size_can_go_into_the_body_or_into_headers() {
    let body = "{method: POST, body: {filter: x}, data_path: .data, pagination: {type: cursor, param: paging.after, sizeParam: limit, paramIn: body}}";
    let rig = Rig::new(ScriptedApi::new().pages(
        "POST /items",
        Pages::cursor(numbered(250)).position_param("paging.after"),
    ));
    let read = rig.read("", &items("/items", body)).await;
    assert_eq!((read.entities.len(), read.end()), (250, "NoToken"));
    assert_eq!(
        rig.api.requests()[2].json(),
        json!({"filter": "x", "paging": {"after": "c200"}, "limit": 100})
    );

    let header = "{pagination: {type: page, param: X-Page, sizeParam: X-Size, paramIn: header}}";
    let rig = Rig::new(ScriptedApi::new().on("/items", |call| {
        let of = |name: &str| {
            call.request.headers[name]
                .to_str()
                .unwrap()
                .parse::<u64>()
                .unwrap()
        };
        Answer::json(of_250((of("x-page") - 1) * of("x-size"), of("x-size")))
    }));
    let read = rig.read("", &items("/items", header)).await;
    assert_eq!((read.entities.len(), read.end()), (250, "ShortPage"));
}

// What the reference gets wrong

#[tokio::test(start_paused = true)]
async fn page_over_an_object_without_a_flag_does_not_stop_after_the_first() {
    let walked = pages(
        "paginationType: page",
        DATA,
        Pages::page(numbered(250)).under("data"),
    )
    .await;
    assert_eq!(walked.summary(), (250, 3, "ShortPage"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_caps_the_size_loses_nothing() {
    for (connection, api) in [
        (
            "paginationType: offset",
            Pages::offset(numbered(120)).cap(50),
        ),
        ("paginationType: page", Pages::page(numbered(120)).cap(50)),
    ] {
        let walked = pages(connection, "{}", api).await;
        assert_eq!(walked.summary(), (120, 4, "EmptyPage"), "{connection}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_the_position_is_not_read_forever() {
    for (connection, selector, api) in [
        (
            "paginationType: offset",
            "{}",
            Pages::offset(numbered(250)).ignores_position(),
        ),
        (
            "paginationType: page",
            "{}",
            Pages::page(numbered(250)).ignores_position(),
        ),
        (
            "paginationType: page",
            DATA,
            Pages::page(numbered(250))
                .under("data")
                .flag("has_more")
                .ignores_position(),
        ),
        (
            "paginationType: cursor",
            DATA,
            Pages::cursor(numbered(250)).ignores_position(),
        ),
        (
            "paginationType: next_link",
            DATA,
            Pages::next_link(numbered(250)).ignores_position(),
        ),
        (
            "paginationType: header_link",
            "{}",
            Pages::header_link(numbered(250)).ignores_position(),
        ),
    ] {
        let walked = pages(connection, selector, api).await;
        assert_eq!(
            walked.read.end(),
            "ParameterIgnored",
            "{connection}: {}",
            walked.said()
        );
        assert_eq!(walked.asked.len(), 2, "{connection}");
        assert!(
            walked.said().contains("pagination: {type: none}"),
            "{connection}: {}",
            walked.said()
        );
        assert!(
            walked.read.errors[0].to_string().contains("/items"),
            "{}",
            walked.read.errors[0]
        );
    }
    let walked = pages(
        "paginationType: page\npaginationParam: p",
        "{}",
        Pages::page(numbered(250)).position_param("page"),
    )
    .await;
    assert!(
        walked.said().contains("ignores the parameter `p`"),
        "{}",
        walked.said()
    );
}

#[tokio::test(start_paused = true)]
async fn cursors_and_links_that_go_in_circles_are_not_followed_forever() {
    // A→A and A→B→A, each page with records of its own.
    for circle in [vec!["a"], vec!["a", "b"]] {
        let turns = std::sync::atomic::AtomicUsize::new(0);
        let length = circle.len();
        let walked = walk("paginationType: cursor", DATA, move |_| {
            let turn = turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Answer::json(
                json!({"data": [{"id": turn}], "next_cursor": circle[turn % circle.len()]}),
            )
        })
        .await;
        assert_eq!(
            walked.summary(),
            (length + 1, length + 1, "PaginationLoop"),
            "{}",
            walked.said()
        );
        assert!(walked.said().contains("cursorPath"), "{}", walked.said());
    }
    let turns = std::sync::atomic::AtomicUsize::new(0);
    let walked = walk("paginationType: next_link", DATA, move |_| {
        let turn = turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        Answer::json(json!({"data": [{"id": turn}], "next": "/items"}))
    })
    .await;
    assert_eq!(
        walked.summary(),
        (1, 1, "PaginationLoop"),
        "{}",
        walked.said()
    );
    assert!(walked.said().contains("nextLinkPath"), "{}", walked.said());
}

#[tokio::test(start_paused = true)]
async fn the_position_may_come_from_the_first_or_last_record_by_default_or_by_jq() {
    let stripe = |param: &str| format!("paginationType: cursor\npaginationParam: {param}");
    let api = Pages::cursor(numbered(250))
        .flag("has_more")
        .after_record("starting_after", "id");
    let walked = pages(&stripe("starting_after"), DATA, api.clone()).await;
    assert_eq!(walked.summary(), (250, 3, "Flag"));
    assert_eq!(walked.asked[1], "/items?starting_after=100&limit=100");

    let jq = "paginationType: cursor\npaginationParam: from\ncursorPath: .data[-1].name";
    let named = Pages::cursor(numbered(250))
        .flag("has_more")
        .after_record("from", "name");
    let walked = pages(jq, DATA, named).await;
    assert_eq!(walked.summary(), (250, 3, "Flag"));
    assert_eq!(walked.asked[1], "/items?from=record%20100&limit=100");

    let walked = walk(&stripe("ending_before"), DATA, |call| {
        // Towards newer ones: the page before the given id, itself newest first.
        let oldest_wanted = call
            .query("ending_before")
            .map_or(1, |id| id.parse::<u64>().unwrap() + 1);
        let newest = (oldest_wanted + 99).min(250);
        let page: Vec<Value> = (oldest_wanted..=newest)
            .rev()
            .map(|id| json!({"id": id}))
            .collect();
        Answer::json(json!({"data": page, "has_more": newest < 250}))
    })
    .await;
    assert_eq!(walked.summary(), (250, 3, "Flag"));
    assert_eq!(walked.asked[1], "/items?ending_before=100&limit=100");
}

#[tokio::test(start_paused = true)]
async fn a_link_to_another_host_or_scheme_gets_nothing_of_ours() {
    for link in [
        "https://evil.example/items?page=2",
        "//evil.example/items?page=2",
        "http://api.example.com/items?page=2",
        "https://api.example.com:8443/items",
    ] {
        for in_header in [false, true] {
            let link = link.to_owned();
            let evil = ScriptedApi::new().json("/items", json!({"data": [{"id": 2}]}));
            let api = ScriptedApi::new().on("/items", move |_| {
                if in_header {
                    Answer::json(json!([{"id": 1}]))
                        .header("link", &format!("<{link}>; rel=\"next\""))
                } else {
                    Answer::json(json!([{"id": 1, "next": link}]))
                }
            });
            let settings = if in_header {
                "header_link"
            } else {
                "next_link\nnextLinkPath: '.[0].next'"
            };
            let network = Network::new().at(API, api).anywhere(evil.clone());
            let rig = Rig {
                api: evil,
                port: PortDouble::new(),
                network,
            };
            let read = rig
                .read(
                    &format!("paginationType: {settings}\nauthType: bearer_token\napiToken: t"),
                    &items("/items", "{}"),
                )
                .await;
            assert_eq!(
                (read.identifiers(), read.end()),
                (vec!["1"], "RequestFailed"),
                "{:?}",
                read.errors
            );
            assert_eq!(rig.api.requests().len(), 0, "{:?}", rig.api.requests());
            assert!(
                !read.errors[0].to_string().contains("page=2"),
                "{}",
                read.errors[0]
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_url_in_links_next_is_not_sent_as_a_cursor() {
    let body =
        json!({"data": numbered(3), "links": {"next": "https://api.example.com/items?page=2"}});
    let walked = walk("paginationType: cursor", DATA, move |_| {
        Answer::json(body.clone())
    })
    .await;
    assert_eq!(walked.asked, ["/items?limit=100"]);
    assert_eq!(walked.read.end(), "Truncated");
    assert!(
        walked.said().contains("next_link") && walked.said().contains("links.next"),
        "{}",
        walked.said()
    );

    let walked = pages(
        "paginationType: cursor",
        DATA,
        Pages::cursor(numbered(250)).cursor_at("links.next"),
    )
    .await;
    assert_eq!(walked.summary(), (250, 3, "NoToken"));
}

#[tokio::test(start_paused = true)]
async fn query_credentials_are_on_every_page_of_links_once() {
    // The first links repeat the key, the later ones leave it out or bring another.
    let api = ScriptedApi::new()
        .query_key("key", "K")
        .on("/items", |call| {
            Answer::json(match call.query("page").as_deref() {
                None => json!({"data": [{"id": 1}], "next": "/items?page=2&key=K"}),
                Some("2") => json!({"data": [{"id": 2}], "next": "/items?page=3"}),
                Some("3") => json!({"data": [{"id": 3}], "next": "/items?key=stale&page=4"}),
                _ => json!({"data": [{"id": 4}], "next": null}),
            })
        });
    let rig = Rig::new(api);
    let config = longshore_engine::Config::loader()
        .connection_text(
            "connection.yaml",
            &format!("baseUrl: {API}?key=K\npaginationType: next_link"),
        )
        .mapping_text(
            "mapping.yaml",
            &items("/items", "{data_path: .data, query_params: {a: 1}}"),
        )
        .load()
        .unwrap();
    let read = rig.read_from(&config).await;
    assert_eq!(
        read.identifiers(),
        ["1", "2", "3", "4"],
        "{:?}",
        read.errors
    );
    assert_eq!(
        rig.api.paths(),
        [
            "/items?key=K&a=1",
            "/items?page=2&key=K",
            "/items?page=3&key=K",
            "/items?key=K&page=4"
        ]
    );
}

// Ends that are not proven

#[tokio::test(start_paused = true)]
async fn a_total_that_is_not_reached_is_incomplete_with_both_numbers() {
    let stops_short = |call: &Call| {
        let page = number(call, "page", 1);
        let records = if page == 1 { numbered(10) } else { vec![] };
        Answer::json(json!({"data": records, "total": 25}))
    };
    let one_by_one = "paginationType: page\npageSize: 10\nlookAhead: 0";
    let walked = walk(one_by_one, DATA, stops_short).await;
    assert_eq!(walked.summary(), (10, 2, "TotalNotReached"));
    // The third page was asked for along with the second, because the total spoke of it.
    let walked = walk("paginationType: page\npageSize: 10", DATA, stops_short).await;
    assert_eq!(walked.summary(), (10, 3, "TotalNotReached"));
    assert!(
        walked.said().contains("25") && walked.said().contains("10"),
        "{}",
        walked.said()
    );
    // APIs that cap a search say that it is over.
    let walked = walk("paginationType: page\npageSize: 10", DATA, |_| {
        Answer::json(json!({"data": numbered(10), "has_more": false, "total": 25}))
    })
    .await;
    assert_eq!(walked.read.end(), "TotalNotReached");
}

#[tokio::test(start_paused = true)]
async fn a_full_first_page_without_a_cursor_is_no_end_unless_absence_is_said_to_be_one() {
    let full = || |_: &Call| Answer::json(json!({"data": numbered(100)}));
    let walked = walk("paginationType: cursor", DATA, full()).await;
    assert_eq!(walked.summary(), (100, 1, "EndNotProven"));
    for setting in ["cursorPath", "endWhenAbsent: true"] {
        assert!(walked.said().contains(setting), "{}", walked.said());
    }
    let walked = walk("paginationType: cursor\nendWhenAbsent: true", DATA, full()).await;
    assert_eq!(walked.summary(), (100, 1, "NoToken"));
    let walked = walk("paginationType: cursor", DATA, |_| {
        Answer::json(json!({"data": numbered(7)}))
    })
    .await;
    assert_eq!(walked.summary(), (7, 1, "NoToken"));
}

#[tokio::test(start_paused = true)]
async fn a_flag_that_says_more_without_a_position_is_truncated() {
    let walked = walk("paginationType: cursor", DATA, |_| {
        Answer::json(json!({"data": numbered(3), "has_more": true}))
    })
    .await;
    assert_eq!(walked.summary(), (3, 1, "Truncated"));
    for name in ["has_more", "cursorPath"] {
        assert!(walked.said().contains(name), "{}", walked.said());
    }
}

#[tokio::test(start_paused = true)]
async fn empty_pages_and_the_cap_on_pages_end_a_read_that_is_not_complete() {
    let walked = walk("paginationType: cursor", DATA, |call| {
        let turn = call
            .query("cursor")
            .map_or(1, |text| text.parse::<u64>().unwrap() + 1);
        Answer::json(json!({"data": [], "next_cursor": turn.to_string()}))
    })
    .await;
    assert_eq!(walked.summary(), (0, 3, "EmptyPages"));

    let endless = |call: &Call| Answer::json(json!([{"id": number(call, "page", 1)}]));
    let walked = walk("paginationType: page\nmaxPages: 5", "{}", endless).await;
    assert_eq!(walked.summary(), (5, 5, "MaxPages"));
    assert!(walked.said().contains("maxPages"), "{}", walked.said());
    let walked = walk("paginationType: page", "{}", endless).await;
    assert_eq!(walked.summary(), (10_000, 10_000, "MaxPages"));
}

#[tokio::test(start_paused = true)]
async fn no_content_is_an_empty_page_and_a_body_that_is_no_json_is_an_error() {
    let walked = walk("", "{}", |_| Answer::status(204)).await;
    assert_eq!(walked.summary(), (0, 1, "SinglePage"));
    let walked = walk(
        "paginationType: page\npageSize: 10",
        "{}",
        |call| match number(call, "page", 1) {
            1 => Answer::json(json!(numbered(10))),
            _ => Answer::status(204),
        },
    )
    .await;
    assert_eq!(walked.summary(), (10, 2, "EmptyPage"));

    for body in [
        "",
        "<html>Sign in</html>",
        "[{\"id\": 1}",
        "[] []",
        "\"text\"",
    ] {
        let walked = walk("", "{}", move |_| Answer::status(200).with_body(body)).await;
        assert!(!walked.read.outcome.is_complete(), "{body}");
        assert_eq!(walked.read.entities.len(), 0, "{body}");
    }
}

// Silence is the enemy

#[tokio::test(start_paused = true)]
async fn evidence_of_more_while_paging_is_off_is_incomplete_and_an_explicit_none_makes_it_a_warning()
 {
    let list = |key: &str, value: Value| {
        let mut body = json!({"data": numbered(7)});
        let place = key.split('.').fold(&mut body, |place, key| &mut place[key]);
        *place = value;
        body
    };
    for (key, value, line) in [
        ("has_more", json!(true), "type: page"),
        ("meta.has_more", json!(true), "type: page"),
        ("isLast", json!(false), "type: page"),
        (
            "next_cursor",
            json!("abc"),
            "type: cursor, cursorPath: next_cursor",
        ),
        (
            "meta.after_cursor",
            json!("abc"),
            "type: cursor, cursorPath: meta.after_cursor",
        ),
        (
            "links.next",
            json!("https://api.example.com/items?page=2"),
            "type: next_link, nextLinkPath: links.next",
        ),
        ("total", json!(8), "type: page"),
        ("meta.total_pages", json!(2), "type: page"),
    ] {
        let body = list(key, value);
        for connection in ["", "paginationType: none"] {
            let answer = body.clone();
            let walked = walk(connection, DATA, move |_| Answer::json(answer.clone())).await;
            assert_eq!(walked.summary(), (7, 1, "NotPaged"), "{key}");
            assert!(walked.said().contains(key), "{key}: {}", walked.said());
            assert!(
                walked.said().contains(&format!("pagination: {{{line}")),
                "{key}: {}",
                walked.said()
            );
        }
        for explicit in [
            "{data_path: .data, pagination: {type: none}}",
            "{data_path: .data, pagination: none}",
        ] {
            let answer = body.clone();
            let walked = walk("", explicit, move |_| Answer::json(answer.clone())).await;
            assert_eq!(walked.summary(), (7, 1, "SinglePage"), "{key}");
            assert_eq!(walked.read.outcome.warnings.len(), 1, "{key}");
            assert!(
                walked.read.outcome.warnings[0].contains(key),
                "{:?}",
                walked.read.outcome.warnings
            );
        }
    }
    let walked = walk("", "{}", |_| {
        Answer::json(json!(numbered(7))).header("link", "</items?page=2>; rel=\"next\"")
    })
    .await;
    assert_eq!(walked.summary(), (7, 1, "NotPaged"));
    assert!(
        walked.said().contains("pagination: {type: header_link}"),
        "{}",
        walked.said()
    );
    let walked = walk("", "{}", |_| {
        Answer::json(json!(numbered(7))).header("x-total-count", "9")
    })
    .await;
    assert_eq!(walked.summary(), (7, 1, "NotPaged"));
}

#[tokio::test(start_paused = true)]
async fn a_usual_number_of_records_without_paging_is_complete_with_a_warning() {
    for (connection, records, warnings) in [
        ("", 7, 0),
        ("", 10, 1),
        ("", 20, 1),
        ("", 25, 1),
        ("", 30, 1),
        ("", 50, 1),
        ("", 100, 1),
        ("", 99, 0),
        ("pageSize: 77", 77, 1),
    ] {
        let walked = walk(connection, "{}", move |_| {
            Answer::json(json!(numbered(records)))
        })
        .await;
        assert_eq!(
            walked.summary(),
            (records as usize, 1, "SinglePage"),
            "{records}"
        );
        assert_eq!(
            walked.read.outcome.warnings.len(),
            warnings,
            "{records}: {:?}",
            walked.read.outcome.warnings
        );
    }
}

// Well-known APIs, with what a user would write for them

#[tokio::test(start_paused = true)]
async fn well_known_apis_are_read_to_their_end() {
    type Reply = fn(&Call) -> Answer;
    let apis: Vec<(&str, &str, &str, Reply)> = vec![
        (
            "GitHub",
            "{type: header_link, sizeParam: per_page}",
            ".",
            |call| {
                let (page, size) = (number(call, "page", 1), number(call, "per_page", 30));
                let answer = Answer::json(of_250((page - 1) * size, size));
                let last = format!("<{API}/items?page=1>; rel=\"first\"");
                match page * size < 250 {
                    true => answer.header(
                        "link",
                        &format!(
                            "<{API}/items?per_page={size}&page={}>; rel=\"next\", {last}",
                            page + 1
                        ),
                    ),
                    false => answer.header("link", &last),
                }
            },
        ),
        ("Slack", "{type: cursor}", ".channels", |call| {
            let skip = number(call, "cursor", 0);
            let next = if skip + 100 < 250 {
                (skip + 100).to_string()
            } else {
                String::new()
            };
            Answer::json(
                json!({"ok": true, "channels": of_250(skip, 100), "response_metadata": {"next_cursor": next}}),
            )
        }),
        (
            "Zendesk, offset",
            "{type: page, sizeParam: per_page}",
            ".tickets",
            |call| {
                let page = number(call, "page", 1);
                let next = (page < 3).then(|| format!("{API}/items?page={}", page + 1));
                Answer::json(
                    json!({"tickets": of_250((page - 1) * 100, 100), "next_page": next, "count": 250}),
                )
            },
        ),
        (
            "Zendesk, cursor",
            "{type: cursor, param: 'page[after]', sizeParam: 'page[size]'}",
            ".tickets",
            |call| {
                let (skip, size) = (
                    number(call, "page[after]", 0),
                    number(call, "page[size]", 10),
                );
                Answer::json(json!({
                    "tickets": of_250(skip, size),
                    "meta": {"has_more": skip + size < 250, "after_cursor": (skip + size).to_string()},
                    "links": {"next": format!("{API}/items?x=1")},
                }))
            },
        ),
        (
            "HubSpot",
            "{type: cursor, param: after}",
            ".results",
            |call| {
                let skip = number(call, "after", 0);
                let mut body = json!({"results": of_250(skip, 100)});
                if skip + 100 < 250 {
                    body["paging"] =
                        json!({"next": {"after": (skip + 100).to_string(), "link": "?after=x"}});
                }
                Answer::json(body)
            },
        ),
        // It caps what is asked for at 40.
        (
            "Jira, classic",
            "{type: offset, param: startAt, sizeParam: maxResults}",
            ".issues",
            |call| {
                let skip = number(call, "startAt", 0);
                Answer::json(
                    json!({"startAt": skip, "maxResults": 40, "total": 250, "issues": of_250(skip, 40)}),
                )
            },
        ),
        (
            "Jira, new search",
            "{type: cursor, param: nextPageToken, sizeParam: maxResults}",
            ".issues",
            |call| {
                let skip = number(call, "nextPageToken", 0);
                let mut body = json!({"issues": of_250(skip, 100), "isLast": skip + 100 >= 250});
                if skip + 100 < 250 {
                    body["nextPageToken"] = json!((skip + 100).to_string());
                }
                Answer::json(body)
            },
        ),
        (
            "Microsoft Graph",
            "{type: next_link, sizeParam: $top}",
            ".value",
            |call| {
                let skip = number(call, "$skiptoken", 0);
                let mut body = json!({"@odata.context": "x", "value": of_250(skip, 100)});
                if skip + 100 < 250 {
                    body["@odata.nextLink"] =
                        json!(format!("{API}/items?$top=100&$skiptoken={}", skip + 100));
                }
                Answer::json(body)
            },
        ),
        (
            "Spring Data",
            "{type: page, start: 0}",
            ".content",
            |call| {
                let (page, size) = (number(call, "page", 0), number(call, "size", 20));
                Answer::json(json!({
                    "content": of_250(page * size, size), "last": (page + 1) * size >= 250, "totalPages": 3, "totalElements": 250, "number": page,
                }))
            },
        ),
        ("PagerDuty", "{type: offset}", ".services", |call| {
            let (skip, size) = (number(call, "offset", 0), number(call, "limit", 25));
            Answer::json(
                json!({"services": of_250(skip, size), "limit": size, "offset": skip, "more": skip + size < 250, "total": null}),
            )
        }),
        (
            "Datadog",
            "{type: cursor, param: 'page[cursor]', sizeParam: 'page[limit]', cursorPath: meta.page.after}",
            ".data",
            |call| {
                let (skip, size) = (
                    number(call, "page[cursor]", 0),
                    number(call, "page[limit]", 10),
                );
                let meta = if skip + size < 250 {
                    json!({"page": {"after": (skip + size).to_string()}})
                } else {
                    json!({})
                };
                Answer::json(json!({"data": of_250(skip, size), "meta": meta}))
            },
        ),
        (
            "Notion",
            "{type: cursor, param: start_cursor, sizeParam: page_size, paramIn: body}",
            ".results",
            |call| {
                let body = call.json();
                let skip = body["start_cursor"]
                    .as_str()
                    .map_or(0, |text| text.parse().unwrap());
                let size = body["page_size"].as_u64().unwrap();
                let next = (skip + size < 250).then(|| (skip + size).to_string());
                Answer::json(
                    json!({"results": of_250(skip, size), "next_cursor": next, "has_more": next.is_some()}),
                )
            },
        ),
        (
            "Salesforce",
            "{type: next_link, nextLinkPath: nextRecordsUrl}",
            ".records",
            |call| {
                let skip = call
                    .parameter("path")
                    .strip_prefix("query/01g-")
                    .map_or(0, |skip| skip.parse().unwrap());
                let mut body = json!({"totalSize": 250, "done": skip + 100 >= 250, "records": of_250(skip, 100)});
                if skip + 100 < 250 {
                    body["nextRecordsUrl"] = json!(format!("/query/01g-{}", skip + 100));
                }
                Answer::json(body)
            },
        ),
        (
            "ServiceNow",
            "{type: offset, param: sysparm_offset, sizeParam: sysparm_limit}",
            ".result",
            |call| {
                let (skip, size) = (
                    number(call, "sysparm_offset", 0),
                    number(call, "sysparm_limit", 1000),
                );
                Answer::json(json!({"result": of_250(skip, size)})).header("x-total-count", "250")
            },
        ),
        (
            "Opsgenie",
            "{type: next_link, nextLinkPath: paging.next}",
            ".data",
            |call| {
                let skip = number(call, "offset", 0);
                let mut paging = json!({"first": format!("{API}/items?offset=0")});
                if skip + 100 < 250 {
                    paging["next"] = json!(format!("{API}/items?offset={}", skip + 100));
                }
                Answer::json(json!({"data": of_250(skip, 100), "paging": paging}))
            },
        ),
        (
            "SonarQube",
            "{type: page, param: p, sizeParam: ps}",
            ".components",
            |call| {
                let (page, size) = (number(call, "p", 1), number(call, "ps", 100));
                Answer::json(
                    json!({"paging": {"pageIndex": page, "pageSize": size, "total": 250}, "components": of_250((page - 1) * size, size)}),
                )
            },
        ),
        ("JSON:API", "{type: next_link}", ".data", |call| {
            let page = number(call, "page[number]", 1);
            let next = (page < 3)
                .then(|| json!({"href": format!("/items?page%5Bnumber%5D={}", page + 1)}));
            Answer::json(json!({"data": of_250((page - 1) * 100, 100), "links": {"next": next}}))
        }),
        (
            "GitLab",
            "{type: cursor, param: page, sizeParam: per_page, cursorPath: 'header:X-Next-Page'}",
            ".",
            |call| {
                let (page, size) = (number(call, "page", 1), number(call, "per_page", 20));
                let next = if page * size < 250 {
                    (page + 1).to_string()
                } else {
                    String::new()
                };
                Answer::json(of_250((page - 1) * size, size)).header("x-next-page", &next)
            },
        ),
        (
            "Docker registry",
            "{type: header_link, sizeParam: n}",
            ".repositories",
            |call| {
                let (skip, size) = (number(call, "last", 0), number(call, "n", 1000));
                let answer = Answer::json(json!({"repositories": of_250(skip, size)}));
                match skip + size < 250 {
                    true => answer.header(
                        "link",
                        &format!("</items?last={}&n={size}>; rel=\"next\"", skip + size),
                    ),
                    false => answer,
                }
            },
        ),
        (
            "Google",
            "{type: cursor, param: pageToken, sizeParam: pageSize}",
            ".items",
            |call| {
                let skip = number(call, "pageToken", 0);
                let mut body = json!({"items": of_250(skip, 100)});
                if skip + 100 < 250 {
                    body["nextPageToken"] = json!((skip + 100).to_string());
                }
                Answer::json(body)
            },
        ),
    ];
    for (name, pagination, data_path, reply) in apis {
        let method = if name == "Notion" { "POST" } else { "GET" };
        let selector =
            format!("{{method: {method}, data_path: {data_path}, pagination: {pagination}}}");
        let walked = walk("", &selector, reply).await;
        assert!(
            walked.read.outcome.is_complete(),
            "{name}: {:?}",
            walked.read.errors
        );
        let identifiers: Vec<String> = (1..=250).map(|id| id.to_string()).collect();
        assert_eq!(walked.read.identifiers(), identifiers, "{name}");
        assert_eq!(
            walked.asked.len(),
            if name == "Jira, classic" { 7 } else { 3 },
            "{name}: {:?}",
            walked.asked
        );
    }
}

#[test]
fn settings_of_paging_that_cannot_work_are_refused_before_any_request() {
    for (selector, part) in [
        (
            "{pagination: {type: skip_token}}",
            "did you mean `next_link`",
        ),
        ("{pagination: {type: page, paramIn: cookie}}", "paramIn"),
        (
            "{pagination: {type: cursor, cursorPath: '.data[-1'}}",
            "cursorPath",
        ),
        ("{pagination: {type: page, stopWhen: '.x =='}}", "stopWhen"),
        (
            "{pagination: {type: page, param: p, sizeParam: p}}",
            "sizeParam",
        ),
        ("{pagination: {type: page, size: 0}}", "size"),
        ("{pagination: {kind: page}}", "kind"),
    ] {
        let refused = config("", &items("/items", selector))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("selector.pagination") && refused.contains(part),
            "{selector}: {refused}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_refused_behind_others_names_the_way_around_a_limit_of_results() {
    for (last, is_told) in [(3, true), (0, false)] {
        let walked = walk(
            "",
            "{pagination: {type: page, size: 50}}",
            move |call| match number(call, "page", 1) {
                page if page > last => Answer::status(422),
                page => Answer::json(of_250(50 * (page - 1), 50)),
            },
        )
        .await;
        assert_eq!(walked.read.entities.len() as u64, 50 * last);
        assert_eq!(walked.read.end(), "RequestFailed");
        let said = walked.said();
        assert_eq!(said.contains("windows of time"), is_told, "{said}");
    }
}
