//! The built-in styles pass the checks that a paginator of anyone's own must pass.

use longshore_paginate::{
    Cursor, HeaderLink, NextLink, Offset, PageNumber, Settings, SinglePage, Style,
};
use longshore_testkit::{Pages, conformance, numbered};

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
        param_in: Some("body".to_owned()),
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
