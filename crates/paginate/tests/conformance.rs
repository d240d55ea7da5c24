//! The built-in styles pass the checks that every paginator must pass, each against APIs that page its way.

use longshore_paginate::{Cursor, HeaderLink, NextLink, Offset, PageNumber, Paginator, SinglePage};
use longshore_testkit::{Pages, conformance, numbered};

/// Thirty-five records: three pages of ten and a short one.
fn holds(paginator: impl Paginator, pages: impl FnOnce(Vec<serde_json::Value>) -> Pages) {
    conformance::paginator(paginator, pages(numbered(35)));
}

#[test]
fn offset() {
    let offset = || Offset::new().page_size(10);
    holds(offset(), Pages::offset);
    holds(offset(), |all| {
        Pages::offset(all).under("items").flag("has_more")
    });
    holds(offset(), |all| {
        Pages::offset(all).under("items").total("total")
    });
    holds(offset(), |all| Pages::offset(all).cap(7));
    holds(offset().param("skip"), |all| {
        Pages::offset(all)
            .position_param("skip")
            .total_header("X-Total-Count")
    });
}

#[test]
fn page() {
    let page = || PageNumber::new().page_size(10);
    holds(page(), Pages::page);
    holds(page(), |all| {
        Pages::page(all)
            .under("users")
            .total_pages("meta.total_pages")
    });
    holds(page(), |all| {
        Pages::page(all).under("users").last_flag("last")
    });
    holds(page().start(0), |all| Pages::page(all).start(0));
    holds(page(), |all| Pages::page(all).cap(7));
}

#[test]
fn cursor() {
    let cursor = || Cursor::new().page_size(10);
    holds(cursor(), Pages::cursor);
    holds(cursor(), |all| {
        Pages::cursor(all)
            .cursor_at("meta.after_cursor")
            .flag("meta.has_more")
    });
    holds(cursor().cursor_path("header:X-Next"), |all| {
        Pages::cursor(all).cursor_header("X-Next")
    });
    let stripe = |all| {
        Pages::cursor(all)
            .after_record("starting_after", "id")
            .flag("has_more")
    };
    holds(cursor().param("starting_after"), stripe);
}

#[test]
fn next_link() {
    holds(NextLink::new().path("next"), |all| {
        Pages::next_link(all).size(10)
    });
    holds(
        NextLink::new()
            .path("next")
            .size_param("limit")
            .page_size(10),
        Pages::next_link,
    );
    holds(NextLink::new().path("@odata.nextLink"), |all| {
        Pages::next_link(all)
            .size(10)
            .under("value")
            .link_at("@odata.nextLink")
    });
    holds(NextLink::new().path("links.next"), |all| {
        Pages::next_link(all)
            .size(10)
            .link_at("links.next")
            .relative_links()
    });
}

#[test]
fn header_link() {
    holds(HeaderLink::new(), |all| Pages::header_link(all).size(10));
    holds(HeaderLink::new(), |all| {
        Pages::header_link(all).size(10).relative_links()
    });
    holds(
        HeaderLink::new().size_param("per_page").page_size(10),
        Pages::header_link,
    );
}

#[test]
fn single_page() {
    conformance::paginator(SinglePage::new(), Pages::single(numbered(7)));
}
