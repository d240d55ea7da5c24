//! R42: what a read holds in memory does not grow with what it reads. Looks at the process, so it is the only test in it.
#![cfg(target_os = "linux")]
// Panicking outside of `#[test]` functions is how tests report here.
#![allow(clippy::unwrap_used)]

use futures::StreamExt;
use longshore_engine::paginate::PageNumber;
use longshore_engine::{Engine, Resource};
use longshore_testkit::{Answer, Network, ScriptedApi};
use serde_json::json;

const API: &str = "https://api.example.com";

/// The most memory that this process had, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find(|line| line.starts_with("VmHWM:"))
        .unwrap();
    let kilobytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kilobytes * 1024
}

/// Reads so many pages of so many records, each with this much text, ten at once.
async fn read(pages: u64, records: u64, text: usize) {
    let filler = "x".repeat(text);
    let api = ScriptedApi::new().on("/items", move |call| {
        let page: u64 = call.query("page").unwrap().parse().unwrap();
        let first = (page - 1) * records;
        let all: Vec<_> = (first..first + records)
            .map(|id| json!({"id": id, "text": filler}))
            .collect();
        Answer::json(json!({"data": all, "total": pages * records}))
    });
    let engine = Engine::builder()
        .base_url(API)
        .transport(Network::new().at(API, api).transport())
        .paginator(PageNumber::new().page_size(records))
        .build()
        .unwrap();
    let items = Resource::builder("/items")
        .data_path(".data")
        .identifier(".id")
        .blueprint("item")
        .property("text", ".text")
        .build()
        .unwrap();
    let mut entities = engine.entities(&items);
    let mut given = 0;
    while let Some(item) = entities.next().await {
        item.unwrap();
        given += 1;
    }
    assert_eq!(given, pages * records);
    assert!(entities.outcome().is_complete());
}

/// `cargo test --release -p longshore-engine --test memory -- --ignored --nocapture` reads a million records.
fn flat(few: u64, many: u64, records: u64, text: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(read(few, records, text));
    let before = peak();
    runtime.block_on(read(many, records, text));
    let after = peak();
    let page = records * text as u64;
    let grown = after - before;
    println!(
        "{} records: {before} bytes, then {grown} more",
        many * records
    );
    // The marks by which a record that comes again is known, and slack for the log that the double keeps of requests.
    let marks = 32 * many * records;
    assert!(
        grown <= marks + 10 * page,
        "{grown} bytes more for {many} pages of {page} than for {few}"
    );
}

#[test]
fn three_hundred_pages_take_no_more_memory_than_thirty() {
    flat(30, 300, 100, 2_000);
}

#[test]
#[ignore = "a million records, for release builds"]
fn a_million_records_take_no_more_memory_than_a_hundred_thousand() {
    flat(100, 1_000, 1_000, 200);
}
