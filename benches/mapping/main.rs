//! Bytes of a page to entities as JSON text: 18 jq expressions on records of 900 bytes, beside the same by hand.
//!
//! `cargo bench --bench mapping`. Compare the two by their ratio in one run: machines are noisy.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark: nobody links to it, and what cannot be set up should panic"
)]

mod floor;
mod records;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use longshore_engine::jq::Val;
use longshore_engine::mapping::{JqMapper, Mapped, Mapper, RecordPath};
use longshore_engine::transport::json as reader;
use serde_json::{Value, json};

const RECORDS: u64 = 1_000;

fn main() {
    let (by_hand, by_jq) = (by_hand(&page(RECORDS)), by_jq(&page(RECORDS), &Jq::new()));
    assert!(
        lines(&by_hand) == lines(&by_jq),
        "both ways must give the same entities"
    );
    divan::main();
}

#[divan::bench]
fn hand_written_floor(bencher: Bencher<'_, '_>) {
    let body = page(RECORDS);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench(|| by_hand(black_box(&body)));
}

#[divan::bench]
fn eighteen_expressions(bencher: Bencher<'_, '_>) {
    let (body, jq) = (page(RECORDS), Jq::new());
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench(|| by_jq(black_box(&body), &jq));
}

#[divan::bench]
fn reading_the_bytes_only(bencher: Bencher<'_, '_>) {
    let body = page(RECORDS);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench(|| reader::read::<Val>(black_box(&body)).unwrap());
}

/// A page of `count` records below `items`, as bytes.
fn page(count: u64) -> Vec<u8> {
    let items: Vec<Value> = (0..count).map(records::record).collect();
    json!({ "items": items, "next": null })
        .to_string()
        .into_bytes()
}

fn by_hand(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    floor::map_page(body, &mut out);
    out
}

fn by_jq(body: &[u8], jq: &Jq) -> Vec<u8> {
    let body: Val = reader::read(body).unwrap();
    let mut mapped = Mapped::default();
    for record in jq.records.records(&body).unwrap().items {
        jq.mapper.map(&record, &mut mapped);
    }
    let mut out = Vec::new();
    for entity in &mapped.entities {
        serde_json::to_writer(&mut out, entity).unwrap();
        out.push(b'\n');
    }
    out
}

struct Jq {
    records: RecordPath,
    mapper: JqMapper,
}

impl Jq {
    fn new() -> Self {
        let mapper = JqMapper::builder()
            .selector(".type == \"incident\"")
            .identifier(".id | tostring")
            .title(".key + \": \" + .name")
            .blueprint("\"incident\"")
            .property("status", ".status.name")
            .property("category", ".status.category.key")
            .property("severity", ".severity | ascii_downcase")
            .property("score", ".score")
            .property("description", ".description")
            .property("url", ".url")
            .property("created", ".created_at")
            .property("updated", ".updated_at")
            .property("resolved", ".resolved")
            .property("resolvedAt", ".resolved_at // \"open\"")
            .property("labels", ".labels | map(.name)")
            .property("urgent", ".score > 100")
            .relation("owner", ".owner.email | ascii_downcase")
            .relation("service", ".service.id")
            .build()
            .unwrap();
        Jq {
            records: RecordPath::compile(".items").unwrap(),
            mapper,
        }
    }
}

fn lines(out: &[u8]) -> Vec<Value> {
    out.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}
