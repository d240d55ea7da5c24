//! Random servers against what they truly hold: all of it is read, or the read says that it is not.

use longshore_paginate::{PageRequest, Settings, Style};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use serde_json::{Value, json};

use crate::reading::{Reply, number, read, slice};

/// A server, and how well the settings fit it.
#[derive(Clone, Debug)]
struct Model {
    style: Style,
    /// Records that it holds.
    of: u64,
    /// Records that are asked for.
    asked: u64,
    /// Records that it gives at most.
    cap: u64,
    /// It gives this many, whatever is asked for.
    fixed: Option<u64>,
    first_page: u64,
    /// The user says so.
    told_start: bool,
    flag: Flag,
    total: Total,
    /// The total comes with the first page only.
    total_once: bool,
    /// Records of this page are withheld and the page is empty; they are not part of the truth.
    hole: Option<u64>,
    /// The position is misspelled, so that the server never sees it.
    deaf: bool,
    /// The cursor or link is not where the settings look.
    elsewhere: bool,
    bare: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Flag {
    Absent,
    More(&'static str),
    Last(&'static str),
    NextPage(&'static str),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Total {
    Absent,
    Records(&'static str),
    Pages(&'static str),
    Header,
    OfThePage(&'static str),
}

fn model() -> impl Strategy<Value = Model> {
    let style = prop_oneof![
        Just(Style::None),
        Just(Style::Offset),
        Just(Style::Page),
        Just(Style::Cursor),
        Just(Style::NextLink),
        Just(Style::HeaderLink),
    ];
    let flag = prop_oneof![
        3 => Just(Flag::Absent),
        1 => prop_oneof![Just("has_more"), Just("hasMore"), Just("more"), Just("meta.has_more")].prop_map(Flag::More),
        1 => prop_oneof![Just("isLast"), Just("last"), Just("done")].prop_map(Flag::Last),
        1 => prop_oneof![Just("next_page"), Just("next"), Just("meta.next_page")].prop_map(Flag::NextPage),
    ];
    let total = prop_oneof![
        3 => Just(Total::Absent),
        1 => prop_oneof![Just("total"), Just("meta.totalCount"), Just("count"), Just("paging.total")].prop_map(Total::Records),
        1 => prop_oneof![Just("total_pages"), Just("pages"), Just("page.totalPages")].prop_map(Total::Pages),
        1 => Just(Total::Header),
        1 => prop_oneof![Just("count"), Just("total")].prop_map(Total::OfThePage),
    ];
    let size = || prop_oneof![1u64..12, Just(5), Just(10)];
    (
        (
            style,
            0u64..60,
            size(),
            size(),
            prop::option::weighted(0.1, size()),
            0u64..2,
            prop::bool::weighted(0.9),
        ),
        (
            flag,
            total,
            any::<bool>(),
            prop::option::weighted(0.3, 1u64..4),
        ),
        (
            prop::bool::weighted(0.1),
            prop::bool::weighted(0.1),
            any::<bool>(),
        ),
    )
        .prop_map(
            |(
                (style, of, asked, cap, fixed, first_page, told_start),
                (flag, total, total_once, hole),
                (deaf, elsewhere, bare),
            )| {
                let mut model = Model {
                    style,
                    of,
                    asked,
                    cap,
                    fixed,
                    first_page,
                    told_start,
                    flag,
                    total,
                    total_once,
                    hole,
                    deaf,
                    elsewhere,
                    bare,
                };
                let silent = matches!(model.flag, Flag::Absent | Flag::NextPage(_))
                    && matches!(style, Style::Offset | Style::Page);
                let says_nothing = model.bare && !matches!(style, Style::HeaderLink);
                if silent || says_nothing || style == Style::None {
                    // An empty page where nothing speaks of more is the end: no reader could know better.
                    model.hole = None;
                }
                let counts = match model.total {
                    Total::Absent | Total::OfThePage(_) => false,
                    Total::Header => !total_once,
                    Total::Records(_) | Total::Pages(_) => !total_once && !bare,
                };
                if style == Style::None {
                    // Where paging is off, only a usual size tells the page of a silent server from all it has.
                    model.fixed = Some(10);
                }
                if matches!(model.total, Total::OfThePage(_)) && style != Style::None {
                    // The count of a page is told from a total where the page is full or of a usual size.
                    (model.fixed, model.cap) = (None, 10);
                }
                if style == Style::Page && !counts {
                    // Nor could one see that pages are counted from 0 where nothing tells how many there are.
                    model.told_start = true;
                }
                model
            },
        )
}

impl Model {
    fn size(&self, request: &PageRequest) -> u64 {
        // Where no size goes out it is the server's own.
        self.fixed
            .unwrap_or_else(|| number(request, "limit", self.asked).min(self.cap))
    }

    fn pages(&self) -> u64 {
        self.of
            .div_ceil(self.fixed.unwrap_or(self.asked.min(self.cap)))
    }

    /// What can truly be read: all but the hole.
    fn truth(&self, size: u64) -> Vec<u64> {
        (1..=self.of)
            .filter(|id| self.hole != Some((id - 1) / size))
            .collect()
    }

    fn settings(&self) -> Settings {
        let text = |text: &str| Some(text.to_owned());
        Settings {
            param: text(if self.deaf { "wrong" } else { "at" })
                .filter(|_| self.style != Style::HeaderLink),
            size_param: text("limit"),
            size: Some(self.asked),
            start: (self.style == Style::Page && self.told_start).then_some(self.first_page),
            cursor_path: text(if self.elsewhere {
                "meta.cursor"
            } else {
                "page_info.next_token"
            }),
            next_link_path: text(if self.elsewhere {
                "meta.link"
            } else {
                "page_info.urls.next"
            }),
            ..Settings::of(self.style)
        }
    }

    fn answer(&self, request: &PageRequest) -> Reply {
        let size = self.size(request);
        let first = if self.style == Style::Page {
            self.first_page
        } else {
            0
        };
        let at = number(request, "at", first);
        let skip = match self.style {
            Style::Page => at.saturating_sub(first) * size,
            _ => at,
        };
        let hole = self.hole == Some(skip / size) && skip.is_multiple_of(size);
        let records = if hole {
            Vec::new()
        } else {
            slice(self.of, skip, size)
        };
        let more = skip + size < self.of;
        let mut body = json!({});
        match self.flag {
            Flag::Absent => {}
            Flag::More(path) => put(&mut body, path, json!(more)),
            Flag::Last(path) => put(&mut body, path, json!(!more)),
            Flag::NextPage(path) => put(
                &mut body,
                path,
                if more {
                    json!(skip / size + 2)
                } else {
                    Value::Null
                },
            ),
        }
        // The hole is not part of the truth, so it is not part of a true total.
        let total = self.truth(size).len();
        let mut header = None;
        if skip == 0 || !self.total_once {
            match self.total {
                Total::Absent => {}
                Total::Records(path) => put(&mut body, path, json!(total)),
                Total::Pages(path) => put(&mut body, path, json!(self.of.div_ceil(size))),
                Total::Header => header = Some(total.to_string()),
                Total::OfThePage(path) => put(&mut body, path, json!(records.len())),
            }
        }
        let next = format!("/v1/items?at={}&limit={size}", skip + size);
        if more && self.style == Style::Cursor {
            put(
                &mut body,
                "page_info.next_token",
                json!(format!("{}", skip + size)),
            );
        }
        if more && self.style == Style::NextLink {
            put(&mut body, "page_info.urls.next", json!(next.clone()));
        }
        let mut reply = match self.bare && !matches!(self.style, Style::Cursor | Style::NextLink) {
            true => Reply::bare(records),
            false => Reply::items(records, body),
        };
        if let Some(total) = header {
            reply = reply.header("x-total-count", &total);
        }
        if more && self.style == Style::HeaderLink {
            reply = reply.header("link", &format!("<{next}>; rel=\"next\""));
        }
        reply
    }
}

fn put(body: &mut Value, path: &str, value: Value) {
    match path.split_once('.') {
        Some((key, rest)) => {
            let inner = &mut body[key];
            if inner.is_null() {
                *inner = json!({});
            }
            put(inner, rest, value);
        }
        None => body[path] = value,
    }
}

fn seeds() -> u32 {
    std::env::var("PAGINATE_SEEDS")
        .ok()
        .and_then(|seeds| seeds.parse().ok())
        .unwrap_or(3_000)
}

proptest! {
    #![proptest_config(Config {
        cases: seeds(),
        rng_seed: RngSeed::Fixed(7),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn all_is_read_or_the_read_is_incomplete_within_three_requests_more_than_pages(model in model()) {
        let read = read(model.settings().build().unwrap(), |request| model.answer(request));
        let size = model.size(&read.requests[0]);
        let mut ids = read.ids.clone();
        ids.sort_unstable();
        ids.dedup();
        if read.result.is_ok() && read.warnings.is_empty() {
            let lost: Vec<u64> = model.truth(size).into_iter().filter(|id| ids.binary_search(id).is_err()).collect();
            prop_assert!(lost.is_empty(), "lost {:?} of {}: {:?} {:?}", lost, model.of, read.result, read.urls());
        }
        let overlapping = model.style == Style::Offset && size > model.asked;
        let pages = if overlapping { model.of.div_ceil(model.asked) } else { model.pages() };
        prop_assert!(read.requests.len() as u64 <= pages + 3, "{} requests for {} pages: {:?}", read.requests.len(), pages, read.result);
    }
}

/// The property would also hold for a reader that always gives up. This one does not.
#[test]
fn servers_that_say_where_they_end_are_complete() {
    let mut runner = proptest::test_runner::TestRunner::new(Config {
        cases: seeds() / 3,
        rng_seed: RngSeed::Fixed(8),
        failure_persistence: None,
        ..Config::default()
    });
    let (sound, complete) = (std::cell::Cell::new(0u32), std::cell::Cell::new(0u32));
    runner
        .run(&model(), |model| {
            let fits = !model.deaf
                && !model.elsewhere
                && model.hole.is_none()
                && model.fixed.is_none()
                && model.style != Style::None;
            let counted_right = model.told_start || model.first_page == 1;
            if fits && counted_right {
                sound.set(sound.get() + 1);
                let read = read(model.settings().build().unwrap(), |request| {
                    model.answer(request)
                });
                complete.set(complete.get() + u32::from(read.result.is_ok()));
            }
            Ok(())
        })
        .unwrap();
    let (sound, complete) = (sound.get(), complete.get());
    assert!(sound > seeds() / 9, "{sound} sound servers");
    assert!(
        complete * 100 >= sound * 95,
        "{complete} of {sound} sound servers are complete"
    );
}
