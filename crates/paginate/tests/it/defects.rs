//! What the reference does by its own account, kept; and each of its known defects, not copied.

use longshore_paginate::{Cursor, NextLink, PageRequest, Settings, Style};
use serde_json::{Value, json};

use crate::reading::{BASE, Read, Reply, ids, number, read, script, slice, try_read};

/// A style with nothing but its defaults.
fn plain(style: Style, server: impl FnMut(&PageRequest) -> Reply) -> Read {
    read(Settings::of(style).build().unwrap(), server)
}

fn sent(read: &Read, name: &str) -> Vec<String> {
    read.sent(name)
        .into_iter()
        .map(|value| value.unwrap_or_else(|| "-".to_owned()))
        .collect()
}

#[test]
fn offset_sends_offset_and_limit_from_0_with_100() {
    let read = plain(Style::Offset, |request| {
        Reply::bare(slice(
            150,
            number(request, "offset", 7),
            number(request, "limit", 7),
        ))
    });
    assert_eq!(
        (sent(&read, "offset"), sent(&read, "limit")),
        (
            ["0", "100"].map(str::to_owned).to_vec(),
            vec!["100".to_owned(); 2]
        )
    );
    assert_eq!(read.end(), "ShortPage");
}

#[test]
fn page_sends_page_and_size_from_1_with_100() {
    let read = plain(Style::Page, |request| {
        Reply::bare(slice(
            150,
            (number(request, "page", 7) - 1) * 100,
            number(request, "size", 7),
        ))
    });
    assert_eq!(
        (sent(&read, "page"), sent(&read, "size")),
        (
            ["1", "2"].map(str::to_owned).to_vec(),
            vec!["100".to_owned(); 2]
        )
    );
    assert_eq!(read.ids.len(), 150);
}

#[test]
fn cursor_sends_limit_first_and_the_cursor_then() {
    let replies = vec![
        Reply::items(ids(1..=2), json!({"cursor": "a b&c"})),
        Reply::items(ids(3..=3), json!({"cursor": null})),
    ];
    let read = plain(Style::Cursor, script(replies));
    assert_eq!(
        read.urls(),
        [
            format!("{BASE}&limit=100"),
            format!("{BASE}&cursor=a%20b%26c&limit=100")
        ]
    );
}

#[test]
fn links_go_out_as_they_stand_and_the_first_request_is_not_touched() {
    let link = "https://api.example.com/v2/users?$skiptoken=X%27Y&sort=%2Bid";
    let replies = || {
        vec![
            Reply::items(ids(1..=2), json!({"@odata.nextLink": link})),
            Reply::items(ids(3..=3), json!({})),
        ]
    };
    let body = plain(Style::NextLink, script(replies()));
    assert_eq!(
        body.urls(),
        [BASE, link],
        "no parameter of the record request is added again"
    );
    let header = vec![
        Reply::bare(ids(1..=2)).header("link", &format!("<{link}>; rel=\"next\"")),
        Reply::bare(ids(3..=3)),
    ];
    assert_eq!(
        plain(Style::HeaderLink, script(header)).urls(),
        [BASE, link]
    );
}

#[test]
fn the_link_of_another_relation_can_be_followed() {
    let settings = Settings {
        header_link_rel: Some("older".to_owned()),
        ..Settings::of(Style::HeaderLink)
    };
    let replies = vec![
        Reply::bare(ids(1..=2)).header("link", "</b>; rel=older, </c>; rel=next"),
        Reply::bare(ids(3..=3)),
    ];
    assert_eq!(
        read(settings.build().unwrap(), script(replies)).urls()[1],
        "https://api.example.com/b"
    );
}

#[test]
fn relative_links_are_joined_to_the_current_url() {
    for (link, joined) in [
        ("?page=2", "https://api.example.com/v1/items?page=2"),
        (
            "/v2/items?page=2",
            "https://api.example.com/v2/items?page=2",
        ),
        ("more?page=2", "https://api.example.com/v1/more?page=2"),
        ("//api.example.com/x", "https://api.example.com/x"),
    ] {
        let replies = vec![
            Reply::items(ids(1..=1), json!({"next": link})),
            Reply::items(ids(2..=2), json!({})),
        ];
        assert_eq!(
            read(NextLink::new().path("next"), script(replies)).urls()[1],
            joined,
            "{link}"
        );
    }
}

#[test]
fn a_link_that_is_no_link_is_no_end_and_takes_nothing_from_its_page() {
    for link in [
        json!("file:///etc/passwd"),
        json!("javascript:alert(1)"),
        json!(7),
        json!(["x"]),
        json!("https://["),
    ] {
        let replies = vec![Reply::items(ids(1..=1), json!({"next": link}))];
        let read = read(NextLink::new().path("next"), script(replies));
        assert_eq!((read.end(), read.ids.len()), ("Truncated", 1), "{link}");
        assert!(read.told().contains("nextLinkPath"), "{}", read.told());
    }
    let broken = vec![Reply::bare(ids(1..=1)).header("link", "no link at all")];
    let header = read(longshore_paginate::HeaderLink::new(), script(broken));
    assert_eq!((header.end(), header.ids.len()), ("Truncated", 1));
}

#[test]
fn link_parameters_of_the_size_go_out_once_and_only_when_configured() {
    let settings = Settings {
        size_param: Some("$top".to_owned()),
        size: Some(5),
        ..Settings::of(Style::NextLink)
    };
    let replies = vec![
        Reply::items(ids(1..=5), json!({"@odata.nextLink": "/b"})),
        Reply::items(ids(6..=6), json!({})),
    ];
    let read = read(settings.build().unwrap(), script(replies));
    assert_eq!(
        read.urls(),
        [
            format!("{BASE}&%24top=5"),
            "https://api.example.com/b".to_owned()
        ]
    );
}

#[test]
fn offset_over_an_object_without_flag_ends() {
    let server = |request: &PageRequest| {
        Reply::items(slice(250, number(request, "offset", 0), 100), json!({}))
    };
    let read = plain(Style::Offset, server);
    assert_eq!((read.end(), read.ids.len()), ("ShortPage", 250));
}

#[test]
fn page_over_an_object_without_flag_reads_all_pages() {
    let server = |request: &PageRequest| {
        Reply::items(
            slice(250, (number(request, "page", 1) - 1) * 100, 100),
            json!({}),
        )
    };
    assert_eq!(plain(Style::Page, server).ids.len(), 250);
}

#[test]
fn cursor_without_flag_reads_all_pages() {
    let server = |request: &PageRequest| {
        let skip = number(request, "cursor", 0);
        let next = (skip + 100 < 250).then_some(skip + 100);
        Reply::items(slice(250, skip, 100), json!({"next_cursor": next}))
    };
    assert_eq!(plain(Style::Cursor, server).ids.len(), 250);
}

#[test]
fn a_server_that_ignores_the_parameters_or_repeats_the_cursor_is_not_read_forever() {
    for style in [Style::Offset, Style::Page] {
        assert_eq!(
            plain(style, |_| Reply::items(ids(1..=100), json!({}))).end(),
            "ParameterIgnored"
        );
    }
    let mut n = 0;
    let repeats = |_: &PageRequest| {
        n += 1;
        Reply::items(ids(n..=n), json!({"next_cursor": "a"}))
    };
    assert_eq!(plain(Style::Cursor, repeats).end(), "PaginationLoop");
}

#[test]
fn the_documented_stripe_block_works_as_printed() {
    // paginationType: cursor, paginationParam: starting_after, sizeParam: limit
    let settings = Settings {
        param: Some("starting_after".to_owned()),
        size_param: Some("limit".to_owned()),
        ..Settings::of(Style::Cursor)
    };
    let server = |request: &PageRequest| {
        let skip = request
            .query("starting_after")
            .map_or(0, |id| id.strip_prefix("ch_").unwrap().parse().unwrap());
        let data: Vec<Value> = slice(250, skip, 100)
            .iter()
            .map(|record| json!({"id": format!("ch_{}", record["id"])}))
            .collect();
        Reply::of(json!({"data": data, "has_more": skip + 100 < 250}), "/data")
    };
    let read = read(settings.build().unwrap(), server);
    assert_eq!(sent(&read, "starting_after"), ["-", "ch_100", "ch_200"]);
    assert_eq!(read.end(), "Flag");
}

#[test]
fn the_documented_cursor_paths_work_as_printed() {
    let settings = Settings {
        cursor_path: Some("meta.after_cursor".to_owned()),
        has_more_path: Some("meta.has_more".to_owned()),
        ..Settings::of(Style::Cursor)
    };
    let replies = vec![
        Reply::items(
            ids(1..=2),
            json!({"meta": {"after_cursor": "xyz123", "has_more": true}}),
        ),
        Reply::items(
            ids(3..=4),
            json!({"meta": {"after_cursor": "xyz124", "has_more": false}}),
        ),
    ];
    let read = read(settings.build().unwrap(), script(replies));
    assert_eq!(sent(&read, "cursor"), ["-", "xyz123"]);
}

#[test]
fn links_next_as_default_cursor_is_not_sent_when_it_is_a_url() {
    let replies = vec![Reply::items(
        ids(1..=100),
        json!({"links": {"next": "/v1/items?page=2"}}),
    )];
    let read = plain(Style::Cursor, script(replies));
    assert_eq!((read.end(), read.requests.len()), ("Truncated", 1));
}

#[test]
fn a_size_that_the_caller_asks_for_is_kept_unless_one_is_configured() {
    let request = |query: &str| {
        PageRequest::new(
            http::Method::GET,
            format!("https://h/a?{query}").parse().unwrap(),
        )
    };
    let size = |paging: Cursor| {
        try_read(
            paging,
            request("limit=7"),
            script(vec![Reply::items(ids(1..=3), json!({}))]),
        )
        .unwrap()
    };
    assert_eq!(sent(&size(Cursor::new()), "limit"), ["7"]);
    assert_eq!(sent(&size(Cursor::new().page_size(9)), "limit"), ["9"]);
    assert_eq!(
        sent(&size(Cursor::new().size_param("none")), "limit"),
        ["7"]
    );
    // It is the measure of a full page, too.
    let full = try_read(
        Cursor::new(),
        request("limit=3"),
        script(vec![Reply::items(ids(1..=3), json!({}))]),
    )
    .unwrap();
    assert_eq!(full.end(), "EndNotProven");
}

#[test]
fn a_position_on_the_empty_last_page_that_is_its_own_is_the_end() {
    let mailgun = |request: &PageRequest| {
        let skip = number(request, "p", 0);
        let records = slice(5, skip, 2);
        let next = skip + records.len() as u64;
        let to = format!("https://api.example.com/v1/items?page=next&p={next}");
        Reply::items(records, json!({"paging": {"next": to}}))
    };
    let link = read(NextLink::new().path("paging.next"), mailgun);
    assert_eq!((link.end(), link.ids.len()), ("NoToken", 5));
    let auto = read(longshore_paginate::Auto::new(), mailgun);
    assert_eq!(
        (auto.end(), auto.ids.len()),
        ("NoToken", 5),
        "{}",
        auto.told()
    );
    let cursor = read(Cursor::new().param("p").cursor_path("next"), |request| {
        let skip = number(request, "p", 0);
        let records = slice(5, skip, 2);
        let next = skip + records.len() as u64;
        Reply::items(records, json!({"next": next}))
    });
    assert_eq!((cursor.end(), cursor.ids.len()), ("NoToken", 5));
    // One that comes with records goes round in a circle.
    let circle = read(NextLink::new().path("next"), |request| {
        let to = request.url.to_string();
        Reply::items(ids(1..=2), json!({"next": to}))
    });
    assert_eq!(circle.end(), "PaginationLoop");
}

#[test]
fn a_parameter_in_the_body_of_a_get_is_told_where_to_go() {
    let settings = Settings::preset("notion").unwrap();
    let read = read(settings.build().unwrap(), |_| {
        Reply::items(ids(1..=2), json!({"next_cursor": "x", "has_more": true}))
    });
    assert_eq!(read.end(), "ParameterIgnored");
    assert!(read.told().contains("paramIn: query"), "{}", read.told());
}

#[test]
fn a_page_of_which_a_filter_leaves_nothing_ends_the_read_with_a_word_about_it() {
    let read = read(
        longshore_paginate::PageNumber::new().page_size(3),
        |request| {
            let page = number(request, "page", 1);
            let all = slice(9, (page - 1) * 3, 3);
            let kept = all.iter().filter(|_| page != 2).cloned().collect();
            Reply {
                records: kept,
                ..Reply::items(all, json!({}))
            }
        },
    );
    assert_eq!((read.end(), read.warnings.len()), ("EmptyPage", 1));
    assert!(read.told().contains("data_path"), "{}", read.told());
}
