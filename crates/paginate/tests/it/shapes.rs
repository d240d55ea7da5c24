//! Well-known APIs with the settings that a user would write for them. The facts are those of their public documentation.

use http::Method;
use longshore_paginate::{PageRequest, ParamIn, Settings, Style};
use serde_json::{Value, json};

use crate::reading::{Reply, base, number, slice, try_read};

/// An API: how it answers when it has this many records.
pub(crate) type Server = fn(&PageRequest, u64) -> Reply;

struct Shape {
    name: &'static str,
    settings: Settings,
    server: Server,
    /// The name of the end of a read of 250 records, and its number of requests.
    end: &'static str,
    requests: usize,
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn of(style: Style, param: &str, size_param: &str) -> Settings {
    let filled = |name: &str| (!name.is_empty()).then(|| name.to_owned());
    Settings {
        param: filled(param),
        size_param: filled(size_param),
        ..Settings::of(style)
    }
}

pub(crate) fn github(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 1), number(request, "per_page", 30));
    let reply = Reply::bare(slice(of, (page - 1) * size, size));
    link_header(reply, page, size, of)
}

fn link_header(reply: Reply, page: u64, size: u64, of: u64) -> Reply {
    let last = of.div_ceil(size);
    let url = |page| {
        format!("<https://api.github.com/repositories/1/issues?per_page={size}&page={page}>")
    };
    match page < last {
        true => reply.header(
            "link",
            &format!(
                r#"{}; rel="prev", {}; rel="next", {}; rel="last""#,
                url(1),
                url(page + 1),
                url(last)
            ),
        ),
        false if page > 1 => reply.header("link", &format!(r#"{}; rel="prev""#, url(page - 1))),
        false => reply,
    }
}

fn github_search(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 1), number(request, "per_page", 30));
    let body = json!({"total_count": of, "incomplete_results": false, "items": slice(of, (page - 1) * size, size)});
    link_header(Reply::of(body, "/items"), page, size, of)
}

fn github_by_number(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 1), number(request, "per_page", 30));
    Reply::bare(slice(of, (page - 1) * size, size))
}

/// A cursor that is the text "c" and the number of records before it.
pub(crate) fn after(request: &PageRequest, name: &str) -> u64 {
    request.query(name).map_or(0, |cursor| {
        cursor.strip_prefix('c').unwrap().parse().unwrap()
    })
}

pub(crate) fn slack(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (after(request, "cursor"), number(request, "limit", 20));
    let next = if skip + size < of {
        format!("c{}", skip + size)
    } else {
        String::new()
    };
    let body = json!({"ok": true, "members": slice(of, skip, size), "response_metadata": {"next_cursor": next}});
    Reply::of(body, "/members")
}

pub(crate) fn stripe(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        number(request, "starting_after", 0),
        number(request, "limit", 10),
    );
    let body = json!({"object": "list", "url": "/v1/charges", "has_more": skip + size < of, "data": slice(of, skip, size)});
    Reply::of(body, "/data")
}

fn stripe_backwards(request: &PageRequest, of: u64) -> Reply {
    let (before, size) = (
        number(request, "ending_before", of + 1),
        number(request, "limit", 10),
    );
    let first = before.saturating_sub(size).max(1);
    let records: Vec<Value> = slice(before - 1, first - 1, size);
    Reply::of(json!({"has_more": first > 1, "data": records}), "/data")
}

fn zendesk_offset(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 1), number(request, "per_page", 100));
    let next = (page * size < of).then(|| {
        format!(
            "https://example.zendesk.com/api/v2/tickets.json?page={}",
            page + 1
        )
    });
    let body = json!({"tickets": slice(of, (page - 1) * size, size), "next_page": next, "previous_page": null, "count": of});
    Reply::of(body, "/tickets")
}

pub(crate) fn zendesk_cursor(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        after(request, "page[after]"),
        number(request, "page[size]", 100),
    );
    let cursor = format!("c{}", skip + size);
    let link = format!(
        "https://example.zendesk.com/api/v2/tickets.json?page%5Bafter%5D={cursor}&page%5Bsize%5D={size}"
    );
    let body = json!({
        "tickets": slice(of, skip, size),
        // Both are there on the last page, too.
        "meta": {"has_more": skip + size < of, "after_cursor": cursor, "before_cursor": "x"},
        "links": {"next": link, "prev": null},
    });
    Reply::of(body, "/tickets")
}

pub(crate) fn hubspot(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (number(request, "after", 0), number(request, "limit", 10));
    hubspot_page(skip, size, of, json!({}))
}

fn hubspot_page(skip: u64, size: u64, of: u64, mut body: Value) -> Reply {
    body["results"] = json!(slice(of, skip, size));
    if skip + size < of {
        let link = format!(
            "https://api.hubapi.com/crm/v3/objects/contacts?after={}",
            skip + size
        );
        body["paging"] = json!({"next": {"after": (skip + size).to_string(), "link": link}});
    }
    Reply::of(body, "/results")
}

pub(crate) fn hubspot_search(request: &PageRequest, of: u64) -> Reply {
    assert_eq!(
        request.body_at("filter"),
        Some(&json!("x")),
        "the caller's body is kept"
    );
    let after = request
        .body_at("after")
        .map_or(0, |after| after.as_str().unwrap().parse().unwrap());
    let size = request.body_at("limit").and_then(Value::as_u64).unwrap();
    hubspot_page(after, size, of, json!({"total": of}))
}

fn jira_classic(request: &PageRequest, of: u64) -> Reply {
    // The server caps 100 to 50.
    let (skip, size) = (
        number(request, "startAt", 0),
        number(request, "maxResults", 50).min(50),
    );
    let body = json!({
        "startAt": skip, "maxResults": size, "total": of, "isLast": skip + size >= of, "values": slice(of, skip, size),
    });
    Reply::of(body, "/values")
}

pub(crate) fn jira_issues(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        number(request, "startAt", 0),
        number(request, "maxResults", 50).min(50),
    );
    let body =
        json!({"startAt": skip, "maxResults": size, "total": of, "issues": slice(of, skip, size)});
    Reply::of(body, "/issues")
}

pub(crate) fn jira_new(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        after(request, "nextPageToken"),
        number(request, "maxResults", 50),
    );
    let mut body = json!({"issues": slice(of, skip, size), "isLast": skip + size >= of});
    if skip + size < of {
        body["nextPageToken"] = json!(format!("c{}", skip + size));
    }
    Reply::of(body, "/issues")
}

fn odata(request: &PageRequest, of: u64) -> Reply {
    let skip = number(request, "$skiptoken", 0);
    assert!(
        request.query("$top").is_some() || skip > 0,
        "the size goes out on the first request"
    );
    let mut body = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "value": slice(of, skip, 100)});
    if skip + 100 < of {
        body["@odata.nextLink"] = json!(format!(
            "https://graph.microsoft.com/v1.0/users?$skiptoken={}",
            skip + 100
        ));
    }
    Reply::of(body, "/value")
}

pub(crate) fn spring(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 0), number(request, "size", 20));
    let pages = of.div_ceil(size);
    let body = json!({
        "content": slice(of, page * size, size), "number": page, "size": size, "totalPages": pages, "totalElements": of,
        "first": page == 0, "last": page + 1 >= pages,
    });
    Reply::of(body, "/content")
}

fn spring_paged_model(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 0), number(request, "size", 20));
    let body = json!({
        "_embedded": {"users": slice(of, page * size, size)},
        "page": {"size": size, "number": page, "totalElements": of, "totalPages": of.div_ceil(size)},
    });
    Reply::of(body, "/_embedded/users")
}

pub(crate) fn pagerduty(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (number(request, "offset", 0), number(request, "limit", 25));
    let body = json!({"services": slice(of, skip, size), "offset": skip, "limit": size, "more": skip + size < of, "total": null});
    Reply::of(body, "/services")
}

pub(crate) fn datadog(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        after(request, "page[cursor]"),
        number(request, "page[limit]", 10),
    );
    let mut body = json!({"data": slice(of, skip, size), "meta": {"page": {}}});
    if skip + size < of {
        body["meta"]["page"]["after"] = json!(format!("c{}", skip + size));
    }
    Reply::of(body, "/data")
}

fn datadog_offset(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        number(request, "page[offset]", 0),
        number(request, "page[limit]", 10),
    );
    let mut body = json!({"data": slice(of, skip, size), "meta": {"pagination": {"offset": skip}}});
    if skip + size < of {
        body["meta"]["pagination"]["next_offset"] = json!(skip + size);
    }
    Reply::of(body, "/data")
}

pub(crate) fn notion(request: &PageRequest, of: u64) -> Reply {
    assert_eq!(request.method, Method::POST);
    let cursor = request
        .body_at("start_cursor")
        .map(|cursor| cursor.as_str().unwrap()[1..].parse().unwrap());
    let (skip, size) = (
        cursor.unwrap_or(0),
        request
            .body_at("page_size")
            .and_then(Value::as_u64)
            .unwrap(),
    );
    let more = skip + size < of;
    let next = more.then(|| format!("c{}", skip + size));
    Reply::of(
        json!({"results": slice(of, skip, size), "has_more": more, "next_cursor": next}),
        "/results",
    )
}

pub(crate) fn salesforce(request: &PageRequest, of: u64) -> Reply {
    let skip = request
        .url
        .path()
        .rsplit_once("01g-")
        .map_or(0, |(_, skip)| skip.parse().unwrap());
    let done = skip + 100 >= of;
    let mut body = json!({"totalSize": of, "done": done, "records": slice(of, skip, 100)});
    if !done {
        body["nextRecordsUrl"] = json!(format!("/services/data/v60.0/query/01g-{}", skip + 100));
    }
    Reply::of(body, "/records")
}

pub(crate) fn servicenow(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        number(request, "sysparm_offset", 0),
        number(request, "sysparm_limit", 10_000),
    );
    Reply::of(json!({"result": slice(of, skip, size)}), "/result")
        .header("x-total-count", &of.to_string())
}

pub(crate) fn opsgenie(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (number(request, "offset", 0), number(request, "limit", 20));
    let mut body = json!({"data": slice(of, skip, size), "paging": {"first": "https://api.opsgenie.com/v2/alerts?limit=100"}});
    if skip + size < of {
        body["paging"]["next"] = json!(format!(
            "https://api.opsgenie.com/v2/alerts?limit={size}&offset={}",
            skip + size
        ));
    }
    Reply::of(body, "/data")
}

pub(crate) fn sonarqube(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "p", 1), number(request, "ps", 100));
    let body = json!({
        "paging": {"pageIndex": page, "pageSize": size, "total": of}, "components": slice(of, (page - 1) * size, size),
    });
    Reply::of(body, "/components")
}

pub(crate) fn json_api(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (
        number(request, "page[number]", 1),
        number(request, "page[size]", 100),
    );
    let next = (page * size < of).then(|| json!({"href": format!("/v1/items?page%5Bnumber%5D={}&page%5Bsize%5D={size}", page + 1)}));
    Reply::of(
        json!({"data": slice(of, (page - 1) * size, size), "links": {"next": next}}),
        "/data",
    )
}

pub(crate) fn google(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (
        after(request, "pageToken"),
        number(request, "pageSize", 100),
    );
    let mut body = json!({"items": slice(of, skip, size)});
    if skip + size < of {
        body["nextPageToken"] = json!(format!("c{}", skip + size));
    }
    Reply::of(body, "/items")
}

pub(crate) fn rootly(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (
        number(request, "page[number]", 1),
        number(request, "page[size]", 10),
    );
    let pages = of.div_ceil(size);
    let next = (page < pages).then_some(page + 1);
    let meta = json!({"current_page": page, "next_page": next, "prev_page": null, "total_count": of, "total_pages": pages});
    Reply::of(
        json!({"data": slice(of, (page - 1) * size, size), "meta": meta}),
        "/data",
    )
}

fn gitlab(request: &PageRequest, of: u64) -> Reply {
    let (page, size) = (number(request, "page", 1), number(request, "per_page", 20));
    let next = if page * size < of {
        (page + 1).to_string()
    } else {
        String::new()
    };
    Reply::bare(slice(of, (page - 1) * size, size)).header("x-next-page", &next)
}

fn registry(request: &PageRequest, of: u64) -> Reply {
    let (skip, size) = (number(request, "last", 0), number(request, "n", 100));
    let reply = Reply::of(
        json!({"repositories": slice(of, skip, size)}),
        "/repositories",
    );
    match skip + size < of {
        true => reply.header(
            "link",
            &format!(
                r#"</v2/_catalog?last={}&n={size}>; rel="next""#,
                skip + size
            ),
        ),
        false => reply,
    }
}

fn shapes() -> Vec<Shape> {
    let shape = |name, settings, server: Server, end, requests| Shape {
        name,
        settings,
        server,
        end,
        requests,
    };
    let with = |settings: Settings, change: fn(&mut Settings)| {
        let mut settings = settings;
        change(&mut settings);
        settings
    };
    let (page, offset, cursor) = (Style::Page, Style::Offset, Style::Cursor);
    vec![
        shape(
            "GitHub",
            of(Style::HeaderLink, "", "per_page"),
            github,
            "NoToken",
            3,
        ),
        shape(
            "GitHub search",
            of(Style::HeaderLink, "", "per_page"),
            github_search,
            "NoToken",
            3,
        ),
        shape(
            "GitHub by page number",
            of(page, "page", "per_page"),
            github_by_number,
            "ShortPage",
            3,
        ),
        shape("Slack", of(cursor, "", ""), slack, "NoToken", 3),
        shape(
            "Stripe",
            of(cursor, "starting_after", "limit"),
            stripe,
            "Flag",
            3,
        ),
        shape(
            "Stripe, backwards",
            of(cursor, "ending_before", "limit"),
            stripe_backwards,
            "Flag",
            3,
        ),
        shape(
            "Stripe, by jq",
            with(of(cursor, "starting_after", ""), |s| {
                s.cursor_path = text(".data[-1].id")
            }),
            stripe,
            "Flag",
            3,
        ),
        shape(
            "Zendesk, offset",
            of(page, "", "per_page"),
            zendesk_offset,
            "Flag",
            3,
        ),
        shape(
            "Zendesk, cursor",
            of(cursor, "page[after]", "page[size]"),
            zendesk_cursor,
            "Flag",
            3,
        ),
        shape(
            "Zendesk, cursor as documented by Port",
            with(of(cursor, "page[after]", "page[size]"), |s| {
                s.cursor_path = text("meta.after_cursor");
                s.has_more_path = text("meta.has_more");
            }),
            zendesk_cursor,
            "Flag",
            3,
        ),
        shape("HubSpot", of(cursor, "after", ""), hubspot, "NoToken", 3),
        shape(
            "HubSpot search",
            with(of(cursor, "after", ""), |s| {
                s.param_in = Some(ParamIn::Body)
            }),
            hubspot_search,
            "NoToken",
            3,
        ),
        shape(
            "Jira, classic",
            of(offset, "startAt", "maxResults"),
            jira_classic,
            "Flag",
            5,
        ),
        shape(
            "Jira issues, classic",
            of(offset, "startAt", "maxResults"),
            jira_issues,
            "TotalReached",
            5,
        ),
        shape(
            "Jira, new search",
            of(cursor, "nextPageToken", "maxResults"),
            jira_new,
            "Flag",
            3,
        ),
        shape(
            "OData",
            of(Style::NextLink, "", "$top"),
            odata,
            "NoToken",
            3,
        ),
        shape(
            "Spring",
            with(of(page, "", ""), |s| s.start = Some(0)),
            spring,
            "Flag",
            3,
        ),
        shape(
            "Spring, by lastPagePath",
            with(of(page, "", ""), |s| {
                s.start_page = Some(0);
                s.last_page_path = text("last");
            }),
            spring,
            "Flag",
            3,
        ),
        shape(
            "Spring, paged model",
            with(of(page, "", ""), |s| s.start = Some(0)),
            spring_paged_model,
            "TotalReached",
            3,
        ),
        shape("PagerDuty", of(offset, "", ""), pagerduty, "Flag", 3),
        shape(
            "Datadog",
            with(of(cursor, "page[cursor]", "page[limit]"), |s| {
                s.cursor_path = text("meta.page.after")
            }),
            datadog,
            "NoToken",
            3,
        ),
        shape(
            "Datadog, offset",
            with(of(cursor, "page[offset]", "page[limit]"), |s| {
                s.cursor_path = text("meta.pagination.next_offset")
            }),
            datadog_offset,
            "NoToken",
            3,
        ),
        shape(
            "Notion",
            with(of(cursor, "start_cursor", "page_size"), |s| {
                s.param_in = Some(ParamIn::Body)
            }),
            notion,
            "Flag",
            3,
        ),
        shape(
            "Salesforce",
            with(Settings::of(Style::NextLink), |s| {
                s.next_link_path = text("nextRecordsUrl")
            }),
            salesforce,
            "Flag",
            3,
        ),
        shape(
            "ServiceNow",
            of(offset, "sysparm_offset", "sysparm_limit"),
            servicenow,
            "TotalReached",
            3,
        ),
        shape(
            "Opsgenie",
            with(of(Style::NextLink, "", "limit"), |s| {
                s.next_link_path = text("paging.next")
            }),
            opsgenie,
            "NoToken",
            3,
        ),
        shape(
            "SonarQube",
            of(page, "p", "ps"),
            sonarqube,
            "TotalReached",
            3,
        ),
        shape(
            "JSON:API",
            with(Settings::of(Style::NextLink), |s| {
                s.next_link_path = text("links.next")
            }),
            json_api,
            "NoToken",
            3,
        ),
        shape(
            "JSON:API, by page number",
            of(page, "page[number]", "page[size]"),
            json_api,
            "Flag",
            3,
        ),
        shape(
            "Google",
            of(cursor, "pageToken", "pageSize"),
            google,
            "NoToken",
            3,
        ),
        shape(
            "Rootly",
            of(page, "page[number]", "page[size]"),
            rootly,
            "Flag",
            3,
        ),
        shape(
            "GitLab, by header",
            with(of(cursor, "page", "per_page"), |s| {
                s.cursor_path = text("header:X-Next-Page")
            }),
            gitlab,
            "NoToken",
            3,
        ),
        shape(
            "Docker registry",
            of(Style::HeaderLink, "", "n"),
            registry,
            "NoToken",
            3,
        ),
    ]
}

/// The caller's request: read by POST where the API wants that.
fn request_of(name: &str) -> PageRequest {
    let mut request = base();
    if name == "Notion" || name == "HubSpot search" {
        request.method = Method::POST;
        request.body = Some(json!({"filter": "x"}));
    }
    request
}

#[test]
fn every_well_known_api_is_read_to_its_end_with_the_settings_a_user_would_write() {
    for shape in shapes() {
        let paginator = shape.settings.build().unwrap();
        let read = try_read(paginator, request_of(shape.name), |request| {
            (shape.server)(request, 250)
        })
        .unwrap();
        assert_eq!(read.ids.len(), 250, "{}: {:?}", shape.name, read.result);
        let mut ids = read.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 250, "{}: no record twice", shape.name);
        assert!(read.result.is_ok(), "{}: {}", shape.name, read.told());
        assert_eq!(
            (read.end(), read.requests.len()),
            (shape.end, shape.requests),
            "{}",
            shape.name
        );
        assert_eq!(read.warnings, Vec::<String>::new(), "{}", shape.name);
        let first = &read.requests[0];
        assert_eq!(
            first.query("keep").as_deref(),
            Some("a b"),
            "{}: the caller's parameter",
            shape.name
        );
    }
}

#[test]
fn whatever_the_number_of_records_all_are_read_or_the_read_is_incomplete() {
    for shape in shapes() {
        let paginator = std::sync::Arc::new(shape.settings.build().unwrap());
        for of in [0, 1, 10, 49, 50, 51, 99, 100, 101, 199, 200, 201, 300] {
            let request = request_of(shape.name);
            let read = try_read(paginator.clone(), request, |request| {
                (shape.server)(request, of)
            })
            .unwrap();
            let complete = read.result.is_ok();
            assert!(
                !complete || read.ids.len() as u64 == of,
                "{} of {of}: {} read",
                shape.name,
                read.ids.len()
            );
            // Only a full first page of an API whose end is the absence of a position leaves a doubt.
            assert!(
                complete || (of == 100 && read.end() == "EndNotProven"),
                "{} of {of}: {}",
                shape.name,
                read.told()
            );
            let pages = of.div_ceil(50) as usize;
            assert!(
                read.requests.len() <= pages + 3,
                "{} of {of}: {} requests",
                shape.name,
                read.requests.len()
            );
        }
    }
}

#[test]
fn a_full_only_page_is_the_end_where_absence_is_the_end() {
    for name in ["HubSpot", "Google", "OData", "GitHub", "Datadog"] {
        let shape = shapes()
            .into_iter()
            .find(|shape| shape.name == name)
            .unwrap();
        let mut settings = shape.settings;
        let read = |settings: &Settings| {
            try_read(settings.build().unwrap(), base(), |request| {
                (shape.server)(request, 100)
            })
            .unwrap()
        };
        let doubted = read(&settings);
        assert_eq!(doubted.end(), "EndNotProven", "{name}");
        assert!(
            doubted.told().contains("endWhenAbsent: true"),
            "{name}: {}",
            doubted.told()
        );
        settings.end_when_absent = Some(true);
        assert_eq!(read(&settings).end(), "NoToken", "{name}");
    }
}

#[test]
fn a_search_that_is_capped_below_its_total_is_incomplete() {
    // GitHub ends its search at 1,000 records, HubSpot at 10,000; both go on giving the true total.
    let capped = |request: &PageRequest| {
        let mut reply = github_search(request, 200);
        reply.body["total_count"] = json!(5_000);
        reply
    };
    let read = try_read(
        of(Style::HeaderLink, "", "per_page").build().unwrap(),
        base(),
        capped,
    )
    .unwrap();
    assert_eq!(read.end(), "TotalNotReached", "{}", read.told());
    assert!(
        read.told().contains("5000") && read.told().contains("200"),
        "{}",
        read.told()
    );

    let capped = |request: &PageRequest| {
        let mut reply = zendesk_offset(request, 200);
        reply.body["count"] = json!(5_000);
        reply
    };
    let read = try_read(
        of(Style::Page, "", "per_page").build().unwrap(),
        base(),
        capped,
    )
    .unwrap();
    assert_eq!(read.end(), "TotalNotReached", "{}", read.told());
}

#[test]
fn counting_from_the_wrong_page_is_not_complete() {
    // Spring counts from 0; the default start of pages is 1.
    for server in [spring, spring_paged_model] {
        let read = try_read(
            of(Style::Page, "", "").build().unwrap(),
            base(),
            |request| server(request, 250),
        )
        .unwrap();
        assert_eq!(read.end(), "TotalNotReached");
        assert!(read.told().contains("`start`"), "{}", read.told());
    }
}
