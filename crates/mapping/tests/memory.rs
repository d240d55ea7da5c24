//! Mapping keeps nothing of what it has mapped. In a process of its own, because the memory of the whole process is looked at.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // helpers of tests, outside of #[test]

use longshore_jq::Val;
use longshore_mapping::{JqMapper, Mapped, RecordPath};

const PAGE: u64 = 500;

/// Resident memory of this process, in KiB.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().split_whitespace().next();
    number.unwrap().parse().unwrap()
}

/// A page of records of some 400 bytes, all of them different.
fn page(first: u64) -> String {
    let records: Vec<String> = (first..first + PAGE)
        .map(|n| {
            format!(
                r#"{{"id": {n}, "key": "AB-{n}", "name": "Record number {n}", "state": "OPEN", "labels": [{{"name": "l{n}"}}, {{"name": "b"}}],
                "owner": {{"email": "Person{n}@Example.com"}}, "score": {n}.5, "text": "{}", "created": "2024-03-05T10:11:12Z"}}"#,
                "lorem ipsum ".repeat(15)
            )
        })
        .collect();
    format!(r#"{{"items": [{}]}}"#, records.join(","))
}

/// Maps that many records, page by page. How much more memory the process has at the end than after a tenth of them, in KiB.
fn growth(records: u64) -> u64 {
    let mapper = JqMapper::builder()
        .selector(".state | ascii_downcase == \"open\"")
        .identifier(".id | tostring")
        .title(".key + \": \" + .name")
        .blueprint("\"thing\"")
        .property("labels", ".labels | map(.name)")
        .property("first", ".text | split(\" \") | .[0:3] | join(\"-\")")
        .property(
            "numbers",
            ".name | [scan(\"[0-9]+\")] | map(tonumber) | add",
        )
        .property("age", ".created | fromdate")
        .property("fails", ".key + 1")
        .property("never", ".no_such_key")
        .property("changed", ".owner.email |= ascii_downcase | .owner")
        .property("counted", "reduce .labels[] as $l ({}; .[$l.name] += 1)")
        .relation("owner", ".owner.email | ascii_downcase")
        .build()
        .unwrap();
    let path = RecordPath::compile(".items").unwrap();
    let mut total = Mapped::default();
    let mut written = Vec::new();
    let mut early = 0;
    for first in (0..records).step_by(PAGE as usize) {
        let body = Val::read_page(page(first)).unwrap();
        let found = path.records(&body).unwrap();
        let mut mapped = Mapped::default();
        mapped.map_page(&mapper, &found.items, first + 1);
        for entity in std::mem::take(&mut mapped.entities) {
            written.clear();
            entity.write_json(&mut written);
        }
        total.merge(mapped);
        if first < records / 10 {
            early = resident();
        }
    }
    assert_eq!(total.mapped, records);
    assert_eq!(total.misconfigured["properties.fails"], records);
    let late = resident();
    println!("{records} records: {early} KiB after a tenth of them, {late} KiB after all");
    late.saturating_sub(early)
}

#[test]
fn memory_stays_as_it_is_while_records_are_mapped() {
    assert!(growth(20_000) < 4 << 10);
}

#[test]
#[ignore = "a million records, a minute in release"]
fn memory_stays_as_it_is_over_a_million_records() {
    assert!(growth(1_000_000) < 4 << 10);
}
