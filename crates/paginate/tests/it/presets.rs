//! Each preset reads the API that it is named after, whatever the number of records, to a proven end. The facts are those of the public
//! documentation of each API.

use http::Method;
use longshore_paginate::{PageRequest, Settings};
use serde_json::{Value, json};

use crate::reading::{Reply, base, number, slice, try_read};
use crate::shapes::{self, Server, after};

fn server(preset: &str) -> Server {
    match preset {
        "airtable" => |request, of| {
            let (skip, size) = (after(request, "offset"), number(request, "pageSize", 100));
            let body = json!({"records": slice(of, skip, size)});
            Reply::of(with(body, "/offset", cursor(of, skip + size)), "/records")
        },
        "asana" => |request, of| {
            let (skip, size) = (after(request, "offset"), number(request, "limit", 20));
            let next = cursor(of, skip + size);
            let page = next.map(|at| json!({"offset": at, "path": format!("/v1/items?offset={at}"), "uri": "https://h/x"}));
            Reply::of(
                json!({"data": slice(of, skip, size), "next_page": page}),
                "/data",
            )
        },
        "azure_devops" => |request, of| {
            let (skip, size) = (
                after(request, "continuationToken"),
                number(request, "$top", 50),
            );
            let records = slice(of, skip, size);
            let reply = Reply::of(json!({"count": records.len(), "value": records}), "/value");
            match cursor(of, skip + size) {
                Some(at) => reply.header("x-ms-continuationtoken", &at),
                None => reply,
            }
        },
        "bitbucket" => |request, of| {
            let (page, size) = (number(request, "page", 1), number(request, "pagelen", 10));
            let body = json!({"pagelen": size, "page": page, "size": of, "values": slice(of, (page - 1) * size, size)});
            let next = (page * size < of).then(|| {
                format!(
                    "https://api.bitbucket.org/2.0/x?pagelen={size}&page={}",
                    page + 1
                )
            });
            Reply::of(with(body, "/next", next), "/values")
        },
        "datadog" => shapes::datadog,
        "django" => |request, of| {
            let page = number(request, "page", 1);
            let link = |page: u64| format!("http://api.example.org/accounts/?page={page}");
            let body = json!({
                "count": of, "next": (page * 100 < of).then(|| link(page + 1)), "previous": (page > 1).then(|| link(page - 1)),
                "results": slice(of, (page - 1) * 100, 100),
            });
            Reply::of(body, "/results")
        },
        "github" | "gitlab" => shapes::github,
        "google" => shapes::google,
        "hubspot" => shapes::hubspot,
        "hubspot_search" => shapes::hubspot_search,
        "intercom" => |request, of| {
            let (skip, size) = (
                after(request, "starting_after"),
                number(request, "per_page", 50),
            );
            let (page, pages) = (skip / size + 1, of.div_ceil(size));
            let body = json!({
                "type": "list", "total_count": of, "data": slice(of, skip, size),
                "pages": {"type": "pages", "page": page, "per_page": size, "total_pages": pages},
            });
            let next =
                cursor(of, skip + size).map(|at| json!({"page": page + 1, "starting_after": at}));
            Reply::of(with(body, "/pages/next", next), "/data")
        },
        "jira" => shapes::jira_issues,
        "jira_search" => shapes::jira_new,
        "jsonapi" => shapes::json_api,
        "notion" => shapes::notion,
        "odata" => |request, of| {
            let skip = after(request, "$skiptoken");
            let body = json!({"@odata.context": "https://h/$metadata#users", "value": slice(of, skip, 100)});
            let next = cursor(of, skip + 100)
                .map(|at| format!("https://graph.microsoft.com/v1.0/users?$skiptoken={at}"));
            Reply::of(with(body, "@odata.nextLink", next), "/value")
        },
        "okta" => {
            |request, of| {
                let (skip, size) = (after(request, "after"), number(request, "limit", 200));
                let own = format!("<https://h.okta.com/api/v1/users?limit={size}>; rel=\"self\"");
                let reply = Reply::bare(slice(of, skip, size)).header("link", &own);
                match cursor(of, skip + size) {
                Some(at) => reply.header(
                    "link",
                    &format!("<https://h.okta.com/api/v1/users?after={at}&limit={size}>; rel=\"next\""),
                ),
                None => reply,
            }
            }
        }
        "opsgenie" => shapes::opsgenie,
        "pagerduty" => shapes::pagerduty,
        "rootly" => shapes::rootly,
        "salesforce" => shapes::salesforce,
        "scim" => |request, of| {
            let (start, size) = (
                number(request, "startIndex", 1),
                number(request, "count", 100),
            );
            let records = slice(of, start - 1, size);
            let body = json!({
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": of, "startIndex": start,
                "itemsPerPage": records.len(), "Resources": records,
            });
            Reply::of(body, "/Resources")
        },
        "servicenow" => shapes::servicenow,
        "slack" => shapes::slack,
        "sonarqube" => shapes::sonarqube,
        "spring" => shapes::spring,
        "stripe" => shapes::stripe,
        "twilio" => |request, of| {
            let (page, size) = (number(request, "Page", 0), number(request, "PageSize", 50));
            let next = ((page + 1) * size < of).then(|| {
                format!(
                    "/2010-04-01/Accounts.json?PageSize={size}&Page={}",
                    page + 1
                )
            });
            let body = json!({
                "first_page_uri": "/2010-04-01/Accounts.json", "next_page_uri": next, "page": page, "page_size": size,
                "accounts": slice(of, page * size, size),
            });
            Reply::of(body, "/accounts")
        },
        "zendesk" => shapes::zendesk_cursor,
        "zendesk_offset" => |request, of| {
            let (page, size) = (number(request, "page", 1), number(request, "per_page", 100));
            let next = (page * size < of).then(|| {
                format!(
                    "https://h.zendesk.com/api/v2/tickets.json?page={}&per_page={size}",
                    page + 1
                )
            });
            Reply::of(
                json!({"tickets": slice(of, (page - 1) * size, size), "next_page": next, "previous_page": null, "count": of}),
                "/tickets",
            )
        },
        other => panic!("the preset `{other}` has no API to be tried on"),
    }
}

fn cursor(of: u64, skip: u64) -> Option<String> {
    (skip < of).then(|| format!("c{skip}"))
}

/// A member that is there only while there is a value.
fn with(mut body: Value, at: &str, value: Option<impl Into<Value>>) -> Value {
    if let Some(value) = value {
        match at.strip_prefix('/').and_then(|at| at.rsplit_once('/')) {
            Some((parent, key)) => body[parent][key] = value.into(),
            None => body[at.trim_start_matches('/')] = value.into(),
        }
    }
    body
}

fn request_of(preset: &str) -> PageRequest {
    let mut request = base();
    if matches!(preset, "notion" | "hubspot_search") {
        request.method = Method::POST;
        request.body = Some(json!({"filter": "x"}));
    }
    request
}

#[test]
fn every_preset_reads_its_api_to_a_proven_end_whatever_the_number_of_records() {
    for preset in Settings::presets() {
        let settings = Settings::preset(preset).unwrap();
        for of in [0, 1, 49, 50, 51, 99, 100, 101, 199, 200, 201, 250, 400] {
            let server = server(preset);
            let read = try_read(settings.build().unwrap(), request_of(preset), |request| {
                server(request, of)
            })
            .unwrap();
            let place = format!("{preset}, {of} records: {} {}", read.end(), read.told());
            assert!(read.result.is_ok(), "{place}");
            assert_eq!(read.ids, (1..=of).collect::<Vec<_>>(), "{place}");
            let pages = of.div_ceil(50) as usize;
            assert!(
                read.requests.len() <= pages + 1,
                "{place}: {:?}",
                read.urls()
            );
        }
    }
}
