//! Random servers against what they truly hold: all of it is read, or the read says that it is not.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use longshore_paginate::{PageRequest, ParamIn, Settings, Style};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use serde_json::{Value, json};

use crate::reading::{Read, Reply, base, try_read};

/// A server, and how well the settings fit it.
#[derive(Clone, Debug)]
struct Model {
    /// How the server pages.
    style: Style,
    /// The settings say nothing of that.
    auto: bool,
    /// Where the position goes.
    place: Place,
    /// Records that it holds, some of them perhaps twice.
    of: u64,
    twice: Option<Twice>,
    /// Of positions behind its end it gives its last page again.
    clamps: bool,
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
    /// What speaks of the next page beside a position that is counted.
    beside: Beside,
    /// The page of this number lacks this many of its records; they are not part of the truth, unless an offset comes by them.
    lean: Option<(u64, u64)>,
    /// Its records hold a field that is another one each time.
    volatile: bool,
}

/// A sign that is not read, but seen.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Beside {
    Nothing,
    Header,
    Link,
    Links,
    Token,
    NextPage,
}

/// What a server gives more than once.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Twice {
    /// The record at this index again, so many further on.
    Record(u64, u64),
    /// All records of the page of this number again, as the page after it.
    Page(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Query,
    Header,
    Body,
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
        1 => prop_oneof![Just("has_more"), Just("hasMore"), Just("more"), Just("meta.has_more"), Just("page_info.has_next_page"), Just("meta.page.hasMore"),
            Just("info.more_records"), Just("data.list.pageInfo.hasNextPage")].prop_map(Flag::More),
        1 => prop_oneof![Just("isLast"), Just("last"), Just("done")].prop_map(Flag::Last),
        1 => prop_oneof![Just("next_page"), Just("next"), Just("meta.next_page")].prop_map(Flag::NextPage),
    ];
    let total = prop_oneof![
        3 => Just(Total::Absent),
        1 => prop_oneof![Just("total"), Just("meta.totalCount"), Just("count"), Just("paging.total"), Just("meta.pagination.total"),
            Just("response.total"), Just("data.pagination.total"), Just("pagination.total_entries"), Just("data.totalCount")].prop_map(Total::Records),
        1 => prop_oneof![Just("total_pages"), Just("pages"), Just("page.totalPages"), Just("meta.pagination.total_pages")].prop_map(Total::Pages),
        1 => Just(Total::Header),
        1 => prop_oneof![Just("count"), Just("total")].prop_map(Total::OfThePage),
    ];
    let size = || prop_oneof![1u64..12, Just(5), Just(10)];
    let twice = prop_oneof![
        3 => (0u64..40, 0u64..25).prop_map(|(index, further)| Twice::Record(index, further)),
        1 => (0u64..4).prop_map(Twice::Page),
    ];
    let place =
        prop_oneof![4 => Just(Place::Query), 1 => Just(Place::Header), 1 => Just(Place::Body)];
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
        (
            prop::bool::weighted(0.25),
            place,
            prop::option::weighted(0.2, twice),
            prop::bool::weighted(0.1),
        ),
        (
            prop_oneof![
                5 => Just(Beside::Nothing),
                1 => Just(Beside::Header),
                1 => Just(Beside::Link),
                1 => Just(Beside::Links),
                1 => Just(Beside::Token),
                1 => Just(Beside::NextPage),
            ],
            prop::option::weighted(0.3, (1u64..4, 1u64..6)),
            prop::bool::weighted(0.2),
        ),
    )
        .prop_map(
            |(
                (style, of, asked, cap, fixed, first_page, told_start),
                (flag, total, total_once, hole),
                (deaf, elsewhere, bare),
                (auto, place, twice, clamps),
                (beside, lean, volatile),
            )| {
                Model {
                    style,
                    auto,
                    place,
                    of,
                    twice,
                    clamps,
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
                    beside,
                    lean,
                    volatile,
                }
                .knowable()
            },
        )
}

impl Model {
    /// The same without what no reader could tell from a server that has less.
    fn knowable(mut self) -> Model {
        if self.auto {
            // No size goes out, and what the settings would say is not said.
            (self.cap, self.deaf, self.elsewhere, self.told_start) =
                (self.asked, false, false, false);
            if self.style == Style::None {
                self.auto = false;
            }
        }
        if !matches!(self.style, Style::Offset | Style::Page | Style::Cursor) || self.auto {
            // Links go where they say; and without a word of it, headers and bodies are not tried.
            self.place = Place::Query;
        }
        if !matches!(self.style, Style::Offset | Style::Page) {
            self.clamps = false;
        }
        let silent = matches!(self.flag, Flag::Absent | Flag::NextPage(_))
            && matches!(self.style, Style::Offset | Style::Page);
        let says_nothing = self.bare && !matches!(self.style, Style::HeaderLink);
        if silent || says_nothing || self.style == Style::None {
            // An empty page where nothing speaks of more is the end.
            self.hole = None;
        }
        if !matches!(self.style, Style::None | Style::Offset | Style::Page) {
            self.beside = Beside::Nothing;
        }
        if self.bare && !matches!(self.beside, Beside::Header | Beside::NextPage) {
            self.beside = Beside::Nothing;
        }
        if matches!(self.style, Style::Offset | Style::None) {
            // From an offset the next page begins where this one ends.
            self.lean = None;
        }
        let tells = self.tells();
        if self.auto && !tells && matches!(self.style, Style::Offset | Style::Page) {
            // A first page that comes again is what a list without pages gives.
            self.twice = None;
        }
        let counts = match self.total {
            Total::Absent | Total::OfThePage(_) => false,
            Total::Header => !self.total_once,
            Total::Records(_) | Total::Pages(_) => !self.total_once && !self.bare,
        };
        if self.style == Style::None && !tells {
            // Where paging is off, only a usual size tells the page of a silent server from all it has.
            self.fixed = Some(10);
        }
        if matches!(self.total, Total::OfThePage(_)) && self.style != Style::None {
            // The count of a page is told from a total where the page is full or of a usual size.
            (self.fixed, self.cap) = (None, 10);
            if self.auto {
                self.fixed = Some(10);
            }
        }
        let says_of_each_page = self.beside != Beside::Nothing
            || !self.bare && self.flag != Flag::Absent
            || matches!(
                self.style,
                Style::Cursor | Style::NextLink | Style::HeaderLink
            );
        if !says_of_each_page {
            // A short page is the last one where nothing says that it is not.
            self.lean = None;
        }
        if self.style == Style::Page && !counts && !self.auto {
            // Nor could one see that pages are counted from 0 where nothing tells how many there are.
            self.told_start = true;
        }
        self
    }

    /// Something in an answer tells that there are more records than it holds.
    fn tells(&self) -> bool {
        let beside = self.beside != Beside::Nothing;
        let counts = !matches!(self.total, Total::Absent | Total::OfThePage(_));
        beside
            || match self.bare {
                true => self.total == Total::Header,
                false => self.flag != Flag::Absent || counts,
            }
    }

    /// The identifiers of all rows, in the order of the server.
    fn rows(&self) -> Vec<u64> {
        let mut rows: Vec<u64> = (1..=self.of).collect();
        let size = self.fixed.unwrap_or(self.asked.min(self.cap));
        match self.twice {
            Some(Twice::Record(index, further)) if index < self.of => {
                let again = (index + 1 + further).min(self.of);
                rows.insert(again as usize, index + 1);
            }
            Some(Twice::Page(page)) => {
                let (from, to) = (page * size, ((page + 1) * size).min(self.of));
                if from < to {
                    let again: Vec<u64> = rows[from as usize..to as usize].to_vec();
                    rows.splice(to as usize..to as usize, again);
                }
            }
            _ => {}
        }
        rows
    }

    fn size(&self, request: &PageRequest) -> u64 {
        // Where no size goes out it is the server's own.
        let asked = self.given(request, "limit").unwrap_or(self.asked);
        self.fixed.unwrap_or(asked.min(self.cap))
    }

    /// A number of the request, wherever this server looks for it.
    fn given(&self, request: &PageRequest, name: &str) -> Option<u64> {
        match self.place {
            Place::Query => request.query(name)?.parse().ok(),
            Place::Header => request.headers.get(name)?.to_str().ok()?.parse().ok(),
            Place::Body => match request.body_at(&format!("paging.{name}"))? {
                Value::String(text) => text.parse().ok(),
                number => number.as_u64(),
            },
        }
    }

    fn pages(&self) -> u64 {
        (self.rows().len() as u64).div_ceil(self.fixed.unwrap_or(self.asked.min(self.cap)))
    }

    /// What can truly be read: all but the hole.
    fn truth(&self, size: u64) -> Vec<u64> {
        let rows = self.rows().into_iter().enumerate();
        let rows = rows.filter(|(index, _)| self.hole != Some(*index as u64 / size));
        let rows = rows.filter(|(index, _)| {
            let (page, at) = (*index as u64 / size, *index as u64 % size);
            at < self.on_page(page, size)
        });
        rows.map(|(_, id)| id).collect()
    }

    /// What the server calls the position. `auto` has to guess it, so it has a usual name there.
    fn name(&self) -> &'static str {
        match (self.auto, self.style) {
            (true, Style::Page) => "page",
            (true, Style::Offset) => "offset",
            (true, Style::Cursor) => "page_token",
            _ => "at",
        }
    }

    /// How many records a full page of this number gives.
    fn on_page(&self, page: u64, size: u64) -> u64 {
        match self.lean {
            // The last page tells nothing of another one.
            Some((lean, by)) if lean == page && (page + 1) * size < self.rows().len() as u64 => {
                size.saturating_sub(by).max(1)
            }
            _ => size,
        }
    }

    fn settings(&self) -> Settings {
        let text = |text: &str| Some(text.to_owned());
        if self.auto {
            return Settings::of(Style::Auto);
        }
        let below = |name: &str| match self.place {
            Place::Body => format!("paging.{name}"),
            _ => name.to_owned(),
        };
        Settings {
            param: Some(below(if self.deaf { "wrong" } else { "at" }))
                .filter(|_| self.style != Style::HeaderLink),
            size_param: Some(below("limit")),
            param_in: Some(match self.place {
                Place::Query => ParamIn::Query,
                Place::Header => ParamIn::Header,
                Place::Body => ParamIn::Body,
            }),
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

    fn answer(&self, request: &PageRequest, now: u64) -> Reply {
        let (rows, size) = (self.rows(), self.size(request));
        let of = rows.len() as u64;
        let first = if self.style == Style::Page {
            self.first_page
        } else {
            0
        };
        let at = self.given(request, self.name()).unwrap_or(first);
        let mut skip = match self.style {
            Style::Page => at.saturating_sub(first) * size,
            _ => at,
        };
        if self.clamps && skip >= of {
            skip = of.saturating_sub(1) / size * size;
        }
        let hole = self.hole == Some(skip / size) && skip.is_multiple_of(size);
        let records: Vec<Value> = match hole {
            true => Vec::new(),
            false => rows
                .iter()
                .skip(skip as usize)
                .take(self.on_page(skip / size, size) as usize)
                .map(|id| {
                    let mut record = json!({"id": id, "name": format!("record {id}")});
                    if self.volatile {
                        record["at"] = json!(now);
                    }
                    record
                })
                .collect(),
        };
        let more = skip + size < of;
        let mut body = json!({});
        match self.flag {
            Flag::Absent => {}
            Flag::More(path) => put(&mut body, path, json!(more)),
            Flag::Last(path) => put(&mut body, path, json!(!more)),
            Flag::NextPage(path) => put(
                &mut body,
                path,
                if more {
                    json!(skip / size + 1 + self.first_page)
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
                Total::Pages(path) => put(&mut body, path, json!(of.div_ceil(size))),
                Total::Header => header = Some(total.to_string()),
                Total::OfThePage(path) => put(&mut body, path, json!(records.len())),
            }
        }
        let at_next = match self.style {
            Style::Page => skip / size + 1 + first,
            _ => skip + size,
        };
        let next = format!("/v1/items?{}={at_next}&limit={size}", self.name());
        let seen = if more { self.beside } else { Beside::Nothing };
        match seen {
            Beside::Link => put(&mut body, "_links.next.href", json!(next.clone())),
            Beside::Links => body["links"] = json!([{"rel": "next", "href": next.clone()}]),
            Beside::Token => put(&mut body, "meta.nextPageToken", json!("opaque")),
            _ => {}
        }
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
        if seen == Beside::NextPage {
            reply = reply.header("x-next-page", &(skip / size + 1 + first).to_string());
        }
        if seen == Beside::Header || more && self.style == Style::HeaderLink {
            reply = reply.header("link", &format!("<{next}>; rel=\"next\""));
        }
        reply
    }

    fn read(&self) -> Read {
        let mut request = base();
        if self.place == Place::Body {
            request.method = http::Method::POST;
        }
        let mut now = 0;
        try_read(self.settings().build().unwrap(), request, |request| {
            now += 1;
            self.answer(request, now)
        })
        .unwrap()
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

/// How many servers: few by default, `PAGINATE_SEEDS=10000` for the proof.
fn seeds() -> u32 {
    variable("PAGINATE_SEEDS").unwrap_or(500)
}

fn variable<T: std::str::FromStr>(name: &str) -> Option<T> {
    std::env::var(name).ok()?.parse().ok()
}

fn config(seed: u64) -> Config {
    Config {
        cases: seeds(),
        rng_seed: RngSeed::Fixed(variable("PAGINATE_SEED").unwrap_or(seed)),
        failure_persistence: None,
        ..Config::default()
    }
}

type Tally = RefCell<BTreeMap<&'static str, u32>>;

/// All is read or the read is incomplete, within three requests more than pages. (`auto` pays for its trials beside that.)
#[test]
fn random_servers_are_read_whole_or_said_not_to_be() {
    let (ends, verdicts) = (Tally::default(), Tally::default());
    let requests = Cell::new((0, 0));
    TestRunner::new(config(7))
        .run(&model(), |model| {
            let read = model.read();
            *ends.borrow_mut().entry(read.end()).or_default() += 1;
            let size = model.size(&read.requests[0]);
            let mut ids = read.ids.clone();
            ids.sort_unstable();
            ids.dedup();
            let truth = model.truth(size).into_iter();
            let lost: Vec<u64> = truth.filter(|id| ids.binary_search(id).is_err()).collect();
            let verdict = match (&read.result, read.warnings.is_empty(), lost.is_empty()) {
                (Err(_), ..) => "incomplete",
                (Ok(_), true, true) => "complete",
                (Ok(_), true, false) => "complete and silent about what is missing",
                (Ok(_), false, true) => "complete with a needless warning",
                (Ok(_), false, false) => "complete with a warning of what is missing",
            };
            *verdicts.borrow_mut().entry(verdict).or_default() += 1;
            // A warning is enough only where the server says nothing of what is missing.
            // ("One page" is also what it says where it has nothing.)
            let tells =
                model.tells() && !(matches!(model.total, Total::Pages(_)) && model.pages() == 1);
            if read.result.is_ok() && (read.warnings.is_empty() || tells) {
                prop_assert!(
                    lost.is_empty(),
                    "lost {:?} of {}: {:?} {:?}",
                    lost,
                    model.of,
                    read.result,
                    read.urls()
                );
            }
            let overlapping = model.style == Style::Offset && size > model.asked;
            let pages = match overlapping {
                true => (model.rows().len() as u64).div_ceil(model.asked),
                false => model.pages(),
            };
            let asked = (read.requests.len() - read.dropped) as u64;
            let (all, needed) = requests.get();
            requests.set((all + asked, needed + pages));
            prop_assert!(
                asked <= pages + 3,
                "{} requests for {} pages: {:?}",
                asked,
                pages,
                read.result
            );
            prop_assert!(
                read.dropped == 0 || model.auto && read.dropped <= 48,
                "{} trials",
                read.dropped
            );
            Ok(())
        })
        .unwrap();
    let (all, needed) = requests.get();
    println!(
        "{} random servers, {all} requests for {needed} pages: {:?} {:?}",
        seeds(),
        verdicts.borrow(),
        ends.borrow()
    );
}

/// The property would also hold for a reader that always gives up. This one does not.
#[test]
fn servers_that_say_where_they_end_are_complete() {
    for auto in [false, true] {
        let (sound, complete) = (Cell::new(0u32), Cell::new(0u32));
        let (warned, whole) = (Cell::new(0u32), Cell::new(0u32));
        TestRunner::new(config(8))
            .run(&model(), |model| {
                let fits = !model.deaf
                    && !model.elsewhere
                    && model.hole.is_none()
                    && (model.fixed.is_none() || auto)
                    && model.twice.is_none()
                    && !model.clamps
                    && model.style != Style::None;
                let counted_right = model.told_start || model.first_page == 1 || auto;
                if fits && counted_right && model.auto == auto {
                    sound.set(sound.get() + 1);
                    let read = model.read();
                    let truth = model.truth(model.size(&read.requests[0]));
                    let all = truth.iter().all(|id| read.ids.contains(id));
                    let quiet = read.warnings.is_empty();
                    whole.set(whole.get() + u32::from(all));
                    warned.set(warned.get() + u32::from(read.result.is_ok() && !quiet));
                    complete.set(complete.get() + u32::from(read.result.is_ok() && quiet));
                }
                Ok(())
            })
            .unwrap();
        let (sound, complete) = (sound.get(), complete.get());
        println!(
            "auto {auto}: {complete} of {sound} sound servers are complete, {} more with a warning; of {} all records were read",
            warned.get(),
            whole.get()
        );
        assert!(sound > seeds() / 20, "{sound} sound servers");
        assert!(
            complete * 100 >= sound * 95,
            "auto {auto}: {complete} of {sound} sound servers are complete"
        );
    }
}
