//! The built-in styles pass the checks that a paginator of anyone's own must pass.

use longshore_paginate::{
    Auto, Cursor, HeaderLink, NextLink, Offset, PageNumber, PageRequest, ParamIn, Settings,
    SinglePage, Style,
};
use longshore_testkit::conformance::{self, ModelApi, ModelPage};
use longshore_testkit::{Pages, numbered};

#[test]
fn single_page() {
    conformance::paginator(SinglePage::new(), Pages::single(numbered(35)));
}

#[test]
fn offset() {
    conformance::paginator(Offset::new().page_size(10), Pages::offset(numbered(35)));
    let capped = Pages::offset(numbered(35))
        .cap(4)
        .under("items")
        .total("meta.total");
    conformance::paginator(Offset::new().page_size(10), capped);
}

#[test]
fn page_number() {
    conformance::paginator(PageNumber::new().page_size(10), Pages::page(numbered(35)));
    let flagged = Pages::page(numbered(35))
        .start(0)
        .under("content")
        .last_flag("last")
        .total_pages("totalPages");
    conformance::paginator(PageNumber::new().page_size(10).start(0), flagged);
}

#[test]
fn cursor() {
    conformance::paginator(Cursor::new().page_size(10), Pages::cursor(numbered(35)));
    let stripe = || {
        Pages::cursor(numbered(35))
            .flag("has_more")
            .after_record("starting_after", "id")
    };
    conformance::paginator(
        Cursor::new().param("starting_after").page_size(10),
        stripe(),
    );
    let by_header = Pages::cursor(numbered(35)).bare().cursor_header("x-next");
    conformance::paginator(
        Cursor::new().page_size(10).cursor_path("header:X-Next"),
        by_header,
    );
}

#[test]
fn cursor_in_the_body() {
    let settings = Settings {
        param_in: Some(ParamIn::Body),
        size: Some(10),
        ..Settings::of(Style::Cursor)
    };
    conformance::paginator(
        settings.build().unwrap(),
        Pages::cursor(numbered(35)).flag("has_more"),
    );
}

#[test]
fn next_link() {
    let paging = || {
        NextLink::new()
            .path("next")
            .size_param("limit")
            .page_size(10)
    };
    conformance::paginator(paging(), Pages::next_link(numbered(35)));
    conformance::paginator(paging(), Pages::next_link(numbered(35)).relative_links());
    let odata = Pages::next_link(numbered(35))
        .under("value")
        .link_at("@odata.nextLink")
        .size(10);
    conformance::paginator(NextLink::new(), odata);
}

#[test]
fn header_link() {
    let paging = HeaderLink::new().size_param("per_page").page_size(10);
    conformance::paginator(paging, Pages::header_link(numbered(35)));
    conformance::paginator(
        HeaderLink::new(),
        Pages::header_link(numbered(35)).size(10).relative_links(),
    );
}

#[test]
fn auto() {
    let all = || numbered(35);
    let lists = [
        Pages::single(all()),
        Pages::offset(all()).size(10).under("items").total("total"),
        Pages::page(all())
            .size(10)
            .under("content")
            .start(0)
            .last_flag("last"),
        Pages::cursor(all()).size(10),
        Pages::next_link(all()).size(10),
        Pages::header_link(all()).size(10).relative_links(),
    ];
    for list in lists {
        conformance::paginator(Auto::new(), list);
    }
}

#[test]
fn position_in_a_nested_body_and_in_headers() {
    for (style, pages) in [
        (Style::Offset, Pages::offset(numbered(35))),
        (
            Style::Page,
            Pages::page(numbered(35)).size_param("paging.size"),
        ),
        (Style::Cursor, Pages::cursor(numbered(35))),
    ] {
        let settings = Settings {
            param: Some("paging.after".to_owned()),
            size_param: Some("paging.size".to_owned()),
            size: Some(10),
            param_in: Some(ParamIn::Body),
            ..Settings::of(style)
        };
        let pages = pages
            .position_param("paging.after")
            .size_param("paging.size");
        conformance::paginator(settings.build().unwrap(), pages);
    }
}

#[test]
fn computed_position() {
    let settings = Settings {
        next_position: Some(".body.next_cursor".to_owned()),
        size: Some(10),
        ..Settings::of(Style::Cursor)
    };
    conformance::paginator(
        settings.build().unwrap(),
        EndsByAbsence(Pages::cursor(numbered(35))),
    );
}

#[test]
fn every_preset() {
    for preset in Settings::presets() {
        println!("{preset}");
        let paginator = Settings::preset(preset).unwrap().build().unwrap();
        let pages = pages_of(preset);
        match *preset {
            "scim" => conformance::paginator(paginator, CountsFrom1(pages)),
            "jira" | "pagerduty" | "rootly" | "servicenow" | "sonarqube" | "spring" | "stripe" => {
                conformance::paginator(paginator, pages)
            }
            _ => conformance::paginator(paginator, EndsByAbsence(pages)),
        }
    }
}

/// A list as the API that a preset is for pages it.
fn pages_of(preset: &str) -> Pages {
    let all = || numbered(435);
    let cursor = |param: &str, size: &str, under: &str, at: &str| {
        let pages = Pages::cursor(all()).position_param(param).size_param(size);
        pages.under(under).cursor_at(at)
    };
    let link = |under: &str, at: &str| Pages::next_link(all()).under(under).link_at(at);
    let offset = |param: &str, size: &str, under: &str| {
        let pages = Pages::offset(all()).position_param(param);
        pages.size_param(size).under(under)
    };
    let page = |param: &str, size: &str, under: &str| {
        let pages = Pages::page(all()).position_param(param);
        pages.size_param(size).under(under)
    };
    match preset {
        "airtable" => cursor("offset", "pageSize", "records", "offset"),
        "asana" => cursor("offset", "limit", "data", "next_page.offset"),
        "azure_devops" => cursor("continuationToken", "$top", "value", "x")
            .cursor_header("x-ms-continuationtoken"),
        "bitbucket" => link("values", "next").size_param("pagelen").total("size"),
        "datadog" => cursor("page[cursor]", "page[limit]", "data", "meta.page.after"),
        "django" => link("results", "next").total("count"),
        "github" | "gitlab" => Pages::header_link(all()),
        "google" => cursor("pageToken", "pageSize", "items", "nextPageToken"),
        "hubspot" => cursor("after", "limit", "results", "paging.next.after"),
        "hubspot_search" => cursor("after", "limit", "results", "paging.next.after").total("total"),
        "intercom" => cursor(
            "starting_after",
            "per_page",
            "data",
            "pages.next.starting_after",
        )
        .total("total_count")
        .total_pages("pages.total_pages"),
        "jira" => offset("startAt", "maxResults", "issues").total("total"),
        "jira_search" => {
            cursor("nextPageToken", "maxResults", "issues", "nextPageToken").last_flag("isLast")
        }
        "jsonapi" => link("data", "links.next").relative_links(),
        "notion" => cursor("start_cursor", "page_size", "results", "next_cursor").flag("has_more"),
        "odata" => link("value", "@odata.nextLink"),
        "okta" => Pages::header_link(all())
            .position_param("after")
            .size_param("limit"),
        "opsgenie" => link("data", "paging.next").size_param("limit"),
        "pagerduty" => offset("offset", "limit", "services").flag("more"),
        "rootly" => page("page[number]", "page[size]", "data").total_pages("meta.total_pages"),
        "salesforce" => link("records", "nextRecordsUrl")
            .relative_links()
            .last_flag("done")
            .total("totalSize"),
        "scim" => offset("startIndex", "count", "Resources").total("totalResults"),
        "servicenow" => {
            offset("sysparm_offset", "sysparm_limit", "result").total_header("x-total-count")
        }
        "slack" => cursor(
            "cursor",
            "limit",
            "members",
            "response_metadata.next_cursor",
        ),
        "sonarqube" => page("p", "ps", "components").total("paging.total"),
        "spring" => page("page", "size", "content")
            .start(0)
            .last_flag("last")
            .total_pages("totalPages")
            .total("totalElements"),
        "stripe" => cursor("starting_after", "limit", "data", "x")
            .after_record("starting_after", "id")
            .flag("has_more"),
        "twilio" => link("accounts", "next_page_uri")
            .size_param("PageSize")
            .relative_links(),
        "zendesk" => cursor("page[after]", "page[size]", "tickets", "meta.after_cursor")
            .flag("meta.has_more"),
        "zendesk_offset" => link("tickets", "next_page")
            .size_param("per_page")
            .total("count"),
        other => panic!("the preset `{other}` has no API to be tried on"),
    }
}

/// An API whose last page is the one without a position: a body that merely lacks it is none that is malformed.
#[derive(Debug)]
struct EndsByAbsence(Pages);

impl ModelApi for EndsByAbsence {
    fn answer(&self, request: &PageRequest, of: u64) -> Result<ModelPage, String> {
        ModelApi::answer(&self.0, request, of)
    }

    fn records(&self) -> u64 {
        self.0.records()
    }

    fn malformed(&self, request: &PageRequest) -> Vec<ModelPage> {
        let mut pages = ModelApi::malformed(&self.0, request);
        pages.retain(|page| page.body.get("unexpected").is_none());
        pages
    }
}

/// SCIM's first record has the number 1.
#[derive(Debug)]
struct CountsFrom1(Pages);

impl ModelApi for CountsFrom1 {
    fn answer(&self, request: &PageRequest, of: u64) -> Result<ModelPage, String> {
        let mut request = request.clone();
        if let Some(start) = request.query("startIndex") {
            let before = start.parse::<u64>().ok().and_then(|at| at.checked_sub(1));
            let before = before.ok_or("startIndex begins with 1")?;
            request.set_query("startIndex", &before.to_string());
        }
        ModelApi::answer(&self.0, &request, of)
    }

    fn records(&self) -> u64 {
        self.0.records()
    }

    fn malformed(&self, request: &PageRequest) -> Vec<ModelPage> {
        let mut first = request.clone();
        first.set_query("startIndex", "0");
        ModelApi::malformed(&self.0, &first)
    }
}
