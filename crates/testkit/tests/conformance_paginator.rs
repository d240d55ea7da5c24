//! Each rule for paginators passes a sound one and fails the one that breaks it.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

use http::Method;
use longshore_paginate::{
    Error, ErrorKind, Next, Page, PageRequest, PageToken, Paginator, Shortfall, StopReason,
};
use longshore_testkit::conformance::{self, ModelApi, ModelPage};
use longshore_testkit::{Pages, numbered};

/// What is wrong with a paginator.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    None,
    DropsParameters,
    DropsHeadersLater,
    ChangesMethod,
    DropsBody,
    CountsRequests,
    Wavers,
    Appends,
    StaysWhereItIs,
    StopsOnSecondPage,
    StopsOnFullFirstPage,
    NeverStops,
    RefusesItsToken,
    TakesMalformedForTheEnd,
    TakesMissingCursorForTheEnd,
    KeepsTokensInMemory,
    AsksForNoSize,
}

/// `?limit=10&cursor=…` with the next cursor in `next_cursor`, wrong in one way.
#[derive(Debug)]
struct TenEach {
    defect: Defect,
    asked: AtomicU64,
}

impl Paginator for TenEach {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        if self.defect != Defect::AsksForNoSize {
            request.set_query("limit", "10");
        }
        if let Some(cursor) = token.and_then(PageToken::as_str) {
            request.set_query("cursor", cursor);
        }
        match (self.defect, token) {
            (Defect::DropsParameters, _) => request.url.set_query(Some("limit=10")),
            (Defect::DropsHeadersLater, Some(_)) => request.headers.clear(),
            (Defect::ChangesMethod, _) => request.method = Method::PUT,
            (Defect::DropsBody, _) => {
                request.body = request.body.take().map(|_| serde_json::json!({}))
            }
            (Defect::CountsRequests, _) => {
                request.set_query("n", &self.asked.fetch_add(1, Ordering::SeqCst).to_string());
            }
            (Defect::Appends, Some(_)) => {
                request.url.query_pairs_mut().append_pair("later", "1");
            }
            (Defect::RefusesItsToken, Some(_)) => {
                return Err(Error::new(ErrorKind::Position, "no"));
            }
            (Defect::KeepsTokensInMemory, Some(token)) => {
                let address = token
                    .as_str()
                    .map(|text| text.as_ptr() as usize)
                    .unwrap_or_default();
                request.set_query("at", &address.to_string());
            }
            _ => {}
        }
        Ok(())
    }

    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
        let body = page.body();
        let end = |reason: &str| Ok(Next::Complete(StopReason::Other(reason.to_owned())));
        match self.defect {
            Defect::StaysWhereItIs if token.is_some() => {
                return Ok(Next::Continue(token.unwrap().clone()));
            }
            Defect::StopsOnSecondPage if token.is_some() => return end("enough"),
            Defect::StopsOnFullFirstPage if page.records() == 10 => return end("a page"),
            Defect::NeverStops if body.get("next_cursor").is_none() => {
                let further = page.request().query("cursor").unwrap_or("c0".to_owned()) + "0";
                return Ok(Next::Continue(PageToken::from(further)));
            }
            Defect::Wavers if self.asked.fetch_add(1, Ordering::SeqCst) == 7 => {
                return end("why not");
            }
            Defect::TakesMalformedForTheEnd if !body["data"].is_array() => return end("no data"),
            Defect::TakesMissingCursorForTheEnd
                if body["data"].is_array() && !body["next_cursor"].is_string() =>
            {
                return end("no cursor");
            }
            _ => {}
        }
        if !body["data"].is_array() {
            return Err(Error::new(ErrorKind::Body, "the answer has no `data`"));
        }
        match &body["next_cursor"] {
            serde_json::Value::String(cursor) => {
                Ok(Next::Continue(PageToken::from(cursor.as_str())))
            }
            serde_json::Value::Null if page.records() < 10 || page.progress().had_token => {
                end("no cursor")
            }
            serde_json::Value::Null => Ok(Next::Incomplete(Shortfall::Other(
                "a full page without a cursor".to_owned(),
            ))),
            _ => Err(Error::new(ErrorKind::Body, "the cursor is no text")),
        }
    }
}

/// The panic of the check, or nothing when it passes.
fn check(defect: Defect) -> Option<String> {
    let paginator = TenEach {
        defect,
        asked: AtomicU64::new(0),
    };
    let checked = catch_unwind(AssertUnwindSafe(|| {
        conformance::paginator(paginator, Pages::cursor(numbered(35)))
    }));
    Some(checked.err()?.downcast_ref::<String>().unwrap().clone())
}

#[test]
fn a_sound_paginator_passes() {
    assert_eq!(check(Defect::None), None);
}

#[test]
fn each_defect_fails_by_the_name_of_its_rule() {
    let cases = [
        (Defect::DropsParameters, "keeps-request"),
        (Defect::DropsHeadersLater, "keeps-request"),
        (Defect::ChangesMethod, "keeps-request"),
        (Defect::DropsBody, "keeps-request"),
        (Defect::CountsRequests, "pure"),
        (Defect::Wavers, "pure"),
        (Defect::Appends, "idempotent"),
        (Defect::StaysWhereItIs, "advances"),
        (Defect::RefusesItsToken, "advances"),
        (Defect::StopsOnSecondPage, "complete-is-all"),
        (Defect::StopsOnFullFirstPage, "complete-is-all"),
        (Defect::NeverStops, "terminates"),
        (Defect::TakesMalformedForTheEnd, "malformed-is-no-end"),
        (Defect::TakesMissingCursorForTheEnd, "malformed-is-no-end"),
        (Defect::KeepsTokensInMemory, "token-survives-serde"),
    ];
    for (defect, rule) in cases {
        let panic = check(defect).unwrap_or_else(|| panic!("{defect:?} passes"));
        assert!(panic.contains(&format!("`{rule}`")), "{defect:?}: {panic}");
    }
}

/// An API that nobody made pages for in the testkit.
#[derive(Debug)]
struct OwnApi(Pages);

impl ModelApi for OwnApi {
    fn answer(&self, request: &PageRequest, of: u64) -> Result<ModelPage, String> {
        match request.query("limit") {
            Some(_) => ModelApi::answer(&self.0, request, of),
            None => Err("`limit` is required".to_owned()),
        }
    }

    fn records(&self) -> u64 {
        25
    }
}

#[test]
fn an_api_of_ones_own_is_refused_or_read_like_the_ready_made_ones() {
    let check = |defect| {
        let paginator = TenEach {
            defect,
            asked: AtomicU64::new(0),
        };
        let api = OwnApi(Pages::cursor(numbered(25)));
        let checked = catch_unwind(AssertUnwindSafe(|| conformance::paginator(paginator, api)));
        checked
            .err()
            .map(|panic| panic.downcast_ref::<String>().unwrap().clone())
    };
    assert_eq!(check(Defect::None), None);
    assert!(
        check(Defect::TakesMalformedForTheEnd)
            .unwrap()
            .contains("`malformed-is-no-end`")
    );
    assert!(
        check(Defect::AsksForNoSize)
            .unwrap()
            .contains("`limit` is required")
    );
}
