//! How long a read takes: as long as its requests must, not longer. And how much of it is in memory meanwhile.

use std::time::Duration;

use futures::StreamExt;
use longshore_engine::Engine;
use longshore_engine::config::Config;
use longshore_testkit::{Pages, ScriptedApi, numbered};
use tokio::time::Instant;

use crate::rig::{Read, Rig, items};

const EACH: Duration = Duration::from_millis(50);
const PAGES: u64 = 100;

/// A hundred pages of 10 records.
fn hundred(pages: fn(Vec<serde_json::Value>) -> Pages) -> Pages {
    pages(numbered(PAGES * 10))
}

/// How long the whole read takes, and the most requests that were under way at once.
async fn time(connection: &str, selector: &str, pages: Pages) -> (Duration, usize) {
    let mut rig = Rig::new(ScriptedApi::new().pages("/items", pages));
    rig.network = rig.network.clone().latency(EACH);
    let begin = Instant::now();
    let read = rig.read(connection, &items("/items", selector)).await;
    let taken = begin.elapsed();
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let expected: Vec<String> = (1..=PAGES * 10).map(|id| id.to_string()).collect();
    assert_eq!(read.identifiers(), expected, "in order, each once");
    assert_eq!(rig.api.requests().len() as u64, PAGES);
    (taken, rig.network.peak_in_flight())
}

fn counted() -> [(&'static str, &'static str, Pages); 4] {
    [
        (
            "paginationType: page",
            "{data_path: .data}",
            hundred(|all| Pages::page(all).under("data").total("total")),
        ),
        (
            "paginationType: page",
            "{data_path: .data}",
            hundred(|all| {
                Pages::page(all)
                    .under("data")
                    .total_pages("meta.total_pages")
            }),
        ),
        (
            "paginationType: offset",
            "{}",
            hundred(|all| Pages::offset(all).total_header("X-Total-Count")),
        ),
        (
            "preset: sonarqube",
            "{data_path: .data}",
            hundred(|all| {
                let pages = Pages::page(all).under("data").total("paging.total");
                pages.position_param("p").size_param("ps")
            }),
        ),
    ]
}

/// One page to learn the total, then 99 of them, ten at once: 50 ms + 10 × 50 ms.
#[tokio::test(start_paused = true)]
async fn pages_that_a_total_tells_of_take_a_tenth_of_the_time() {
    let ideal = EACH * (1 + 99_u32.div_ceil(10));
    for (connection, selector, pages) in counted() {
        let (taken, at_once) = time(&format!("{connection}\npageSize: 10"), selector, pages).await;
        println!("{connection}: {taken:?} of {ideal:?}, {at_once} at once");
        assert!(taken >= ideal, "{connection}: {taken:?}");
        assert!(
            taken * 100 <= ideal * 115,
            "{connection}: {taken:?} of {ideal:?}"
        );
        assert_eq!(at_once, 10, "{connection}");
    }
}

#[tokio::test(start_paused = true)]
async fn as_many_are_under_way_as_are_allowed_and_no_more() {
    for (limit, rounds) in [(1, 99), (2, 50), (5, 20), (50, 2)] {
        let (connection, selector, pages) = counted()[0].clone();
        let connection = format!("{connection}\npageSize: 10\nmaxConcurrentRequests: {limit}");
        let (taken, at_once) = time(&connection, selector, pages).await;
        assert_eq!((taken, at_once), (EACH * (1 + rounds), limit));
    }
    let (connection, selector, pages) = counted()[0].clone();
    let (taken, at_once) = time(
        &format!("{connection}\npageSize: 10\nlookAhead: 0"),
        selector,
        pages,
    )
    .await;
    assert_eq!((taken, at_once), (EACH * 100, 1));
}

/// Where the answer gives the next position, or nothing tells how many there are, a page cannot be asked for before the one in front of it.
#[tokio::test(start_paused = true)]
async fn pages_that_nobody_tells_of_take_no_longer_than_one_after_the_other() {
    let ideal = EACH * 100;
    for (connection, selector, pages) in [
        (
            "paginationType: cursor",
            "{data_path: .data}",
            hundred(Pages::cursor),
        ),
        (
            "paginationType: next_link\nsizeParam: limit",
            "{data_path: .data}",
            hundred(Pages::next_link),
        ),
        (
            "paginationType: header_link\nsizeParam: per_page",
            "{}",
            hundred(Pages::header_link),
        ),
        (
            "paginationType: page",
            "{data_path: .data}",
            hundred(|all| Pages::page(all).under("data").flag("has_more")),
        ),
    ] {
        let (taken, at_once) = time(&format!("{connection}\npageSize: 10"), selector, pages).await;
        println!("{connection}: {taken:?} of {ideal:?}");
        assert!(
            taken >= ideal && taken * 100 <= ideal * 105,
            "{connection}: {taken:?}"
        );
        assert_eq!(at_once, 1, "{connection}");
    }
}

/// Without a total only those pages are asked for beyond the end that `lookAhead` allows, and what comes for them changes nothing.
#[tokio::test(start_paused = true)]
async fn asking_ahead_of_what_is_known_is_faster_and_costs_requests_behind_the_end() {
    let pages = hundred(|all| Pages::page(all).under("data").flag("has_more"));
    let mut rig = Rig::new(ScriptedApi::new().pages("/items", pages));
    rig.network = rig.network.clone().latency(EACH);
    let begin = Instant::now();
    let read = rig
        .read(
            "paginationType: page\npageSize: 10\nlookAhead: 4",
            &items("/items", "{data_path: .data}"),
        )
        .await;
    assert_eq!((read.entities.len(), read.end()), (1000, "Flag"));
    assert_eq!(begin.elapsed(), EACH * (1 + 99_u32.div_ceil(5)));
    assert!(
        rig.api.requests().len() <= 104,
        "{}",
        rig.api.requests().len()
    );
}

/// R42: what was asked for and not yet given to the reader is the pages that may be under way, and one more; the page in hand makes two.
#[tokio::test(start_paused = true)]
async fn a_slow_reader_has_no_more_pages_before_it_than_may_be_under_way() {
    for (connection, look_ahead) in [
        ("maxConcurrentRequests: 10", 9),
        ("maxConcurrentRequests: 3", 2),
        ("lookAhead: 5", 5),
        ("lookAhead: 0", 0),
        // More than are under way at once, where somebody wants them in hand.
        ("maxConcurrentRequests: 2\nlookAhead: 50", 50),
    ] {
        let pages = hundred(|all| Pages::page(all).under("data").total("total"));
        let rig = Rig::new(ScriptedApi::new().pages("/items", pages));
        let connection = format!("paginationType: page\npageSize: 10\n{connection}");
        let engine = rig.engine(&connection, &items("/items", "{data_path: .data}"));
        let mut entities = engine.entities(&engine.resources()[0]);
        let (mut given, mut most) = (0_usize, 0);
        while let Some(item) = entities.next().await {
            item.unwrap();
            given += 1;
            tokio::time::sleep(EACH).await;
            let asked = rig.api.count("/items");
            most = most.max(asked - given.div_ceil(10));
        }
        assert_eq!(given, 1_000);
        assert!(most <= look_ahead + 1, "{connection}: {most} pages ahead");
        assert!(
            most >= look_ahead.min(50),
            "{connection}: {most} pages ahead, so it does not look ahead"
        );
    }
}

/// The same over sockets and in real time: `cargo test --test it pace:: -- --ignored --nocapture`.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes real time, and the machine for itself"]
async fn the_same_in_real_time() {
    for (connection, selector, pages, ideal, percent) in [
        (
            "paginationType: page",
            "{data_path: .data}",
            hundred(|all| Pages::page(all).under("data").total("total")),
            EACH * 11,
            115,
        ),
        (
            "paginationType: cursor",
            "{data_path: .data}",
            hundred(Pages::cursor),
            EACH * 100,
            105,
        ),
    ] {
        let api = ScriptedApi::new().on("/items", move |call| pages.answer(call).after(EACH));
        let server = api.serve().await;
        let config = Config::loader()
            .connection_text(
                "connection.yaml",
                &format!("baseUrl: {}\npageSize: 10\n{connection}", server.url),
            )
            .mapping_text("mapping.yaml", &items("/items", selector))
            .load()
            .unwrap();
        let engine = Engine::from_config(&config).unwrap();
        let begin = std::time::Instant::now();
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let taken = begin.elapsed();
        println!("{connection}: {taken:?} of {ideal:?}");
        assert_eq!((read.entities.len(), read.errors.len()), (1_000, 0));
        assert!(taken * 100 <= ideal * percent, "{connection}: {taken:?}");
    }
}
