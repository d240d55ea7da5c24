//! Bytes of a page to entities as JSON text, on records of 900 bytes: 18 jq expressions, and 16 plain paths, each beside the same by
//! hand over `serde_json::Value`.
//!
//! `cargo bench --bench mapping`. Compare each with its floor by their ratio in one run, because machines are noisy; with `RATIOS=1`
//! nothing but these ratios is measured, by turns.
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
use longshore_engine::mapping::{JqMapper, Mapped, RecordPath};
use longshore_engine::transport::json as reader;
use serde_json::{Value, json};

const RECORDS: u64 = 1_000;

/// What is written by hand, and what does the same by jq.
struct Pair {
    name: &'static str,
    by_hand: floor::Entity,
    by_jq: fn() -> Jq,
}

const PAIRS: [Pair; 2] = [
    Pair {
        name: "18 expressions",
        by_hand: floor::entity,
        by_jq: Jq::eighteen,
    },
    Pair {
        name: "plain paths",
        by_hand: floor::plain_entity,
        by_jq: Jq::plain,
    },
];

fn main() {
    let body = page(RECORDS);
    for pair in PAIRS {
        let (by_hand, by_jq) = (
            map_by_hand(&body, pair.by_hand),
            map_by_jq(&body, &(pair.by_jq)()),
        );
        assert!(
            lines(&by_hand) == lines(&by_jq),
            "both ways must give the same entities: {}",
            pair.name
        );
    }
    match std::env::var_os("RATIOS") {
        Some(_) => ratios(&body),
        None => divan::main(),
    }
}

/// By turns, so that whatever slows the machine slows both.
fn ratios(body: &[u8]) {
    const TURNS: usize = 60;
    let timed = |run: &mut dyn FnMut() -> Vec<u8>| {
        let start = std::time::Instant::now();
        black_box(run());
        start.elapsed().as_secs_f64() * 1e6 / RECORDS as f64
    };
    for Pair {
        name,
        by_hand,
        by_jq,
    } in PAIRS
    {
        let jq = by_jq();
        let (mut floor, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..TURNS {
            floor.push(timed(&mut || map_by_hand(black_box(body), by_hand)));
            ours.push(timed(&mut || map_by_jq(black_box(body), &jq)));
        }
        floor.sort_by(f64::total_cmp);
        ours.sort_by(f64::total_cmp);
        println!(
            "{name}: by hand {:.2} to {:.2} µs a record, by jq {:.2} to {:.2} (fastest to median): {:.2} to {:.2} times",
            floor[0],
            floor[TURNS / 2],
            ours[0],
            ours[TURNS / 2],
            ours[0] / floor[0],
            ours[TURNS / 2] / floor[TURNS / 2],
        );
    }
}

#[divan::bench]
fn hand_written_floor(bencher: Bencher<'_, '_>) {
    bench(bencher, |body| map_by_hand(body, floor::entity));
}

#[divan::bench]
fn eighteen_expressions(bencher: Bencher<'_, '_>) {
    let jq = Jq::eighteen();
    bench(bencher, |body| map_by_jq(body, &jq));
}

#[divan::bench]
fn hand_written_floor_of_plain_paths(bencher: Bencher<'_, '_>) {
    bench(bencher, |body| map_by_hand(body, floor::plain_entity));
}

#[divan::bench]
fn plain_paths(bencher: Bencher<'_, '_>) {
    let jq = Jq::plain();
    bench(bencher, |body| map_by_jq(body, &jq));
}

#[divan::bench]
fn reading_the_bytes_only(bencher: Bencher<'_, '_>) {
    bench(bencher, read);
}

fn bench<T>(bencher: Bencher<'_, '_>, run: impl Fn(&[u8]) -> T + Sync) {
    let body = page(RECORDS);
    bencher
        .counter(ItemsCount::new(RECORDS))
        .bench(|| run(black_box(&body)));
}

/// As the engine reads a body.
fn read(body: &[u8]) -> Val {
    reader::read_with(body, |text| Val::read_page(text)).unwrap()
}

/// A page of `count` records below `items`, as bytes.
fn page(count: u64) -> Vec<u8> {
    let items: Vec<Value> = (0..count).map(records::record).collect();
    json!({ "items": items, "next": null })
        .to_string()
        .into_bytes()
}

fn map_by_hand(body: &[u8], entity: floor::Entity) -> Vec<u8> {
    let mut out = Vec::new();
    floor::map_page(body, entity, &mut out);
    out
}

fn map_by_jq(body: &[u8], jq: &Jq) -> Vec<u8> {
    let body = read(body);
    let mut mapped = Mapped::default();
    let records = jq.records.records(&body).unwrap();
    mapped.map_page(&jq.mapper, &records.items, 1);
    let mut out = Vec::new();
    for entity in &mapped.entities {
        entity.write_json(&mut out);
        out.push(b'\n');
    }
    out
}

struct Jq {
    records: RecordPath,
    mapper: JqMapper,
}

impl Jq {
    fn eighteen() -> Self {
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
        Jq::of(mapper)
    }

    fn plain() -> Self {
        let mapper = JqMapper::builder()
            .identifier(".id")
            .title(".name")
            .blueprint("\"incident\"")
            .property("key", ".key")
            .property("status", ".status.name")
            .property("category", ".status.category.key")
            .property("severity", ".severity")
            .property("score", ".score")
            .property("description", ".description")
            .property("url", ".url")
            .property("created", ".created_at")
            .property("updated", ".updated_at")
            .property("resolved", ".resolved")
            .property("labels", ".labels")
            .relation("owner", ".owner.email")
            .relation("service", ".service.id")
            .build()
            .unwrap();
        Jq::of(mapper)
    }

    fn of(mapper: JqMapper) -> Self {
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
