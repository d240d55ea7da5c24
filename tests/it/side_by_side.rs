//! The resources of a sync: read side by side, written in the order of the mapping.

use std::time::Duration;

use longshore_testkit::{Answer, Pages, PortCall, PortDouble, PortEvent, ScriptedApi, numbered};
use tokio::time::Instant;

use crate::rig::Rig;

const PAGED: &str = "paginationType: page\npageSize: 10";

/// Lists at these paths, each of its own blueprint.
fn lists(paths: &[&str]) -> String {
    let list = |path: &&str| {
        format!(
            "  - kind: /{path}\n    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"{path}\"'}}}}}}\n"
        )
    };
    let all: String = paths.iter().map(list).collect();
    format!("resources:\n{all}")
}

/// A list whose every page takes this long.
fn slow(api: ScriptedApi, path: &str, records: u64, each: Duration) -> ScriptedApi {
    let pages = Pages::page(numbered(records));
    api.on(path, move |call| pages.answer(call).after(each))
}

/// The blueprints in the order in which they were written.
fn written(port: &PortDouble) -> Vec<String> {
    let events = port.events().into_iter();
    let mut blueprints: Vec<String> = events
        .filter_map(|event| match event {
            PortEvent::Upserted { blueprint, .. } => Some(blueprint),
            _ => None,
        })
        .collect();
    blueprints.dedup();
    blueprints
}

#[tokio::test(start_paused = true)]
async fn resources_are_read_side_by_side_and_reported_in_order() {
    let each = Duration::from_millis(100);
    let api = ["a", "b", "c"]
        .into_iter()
        .fold(ScriptedApi::new(), |api, list| {
            slow(api, &format!("/{list}"), 195, each)
        });
    let rig = Rig::new(api);
    let begin = Instant::now();
    let report = rig.sync(PAGED, &lists(&["a", "b", "c"])).await;
    assert!(report.is_clean(), "{report}");
    let kinds: Vec<&str> = report.resources.iter().map(|r| &*r.kind).collect();
    assert_eq!(kinds, ["/a", "/b", "/c"]);
    assert_eq!(report.upserted, 3 * 195);
    // Twenty pages for the first; the others begin when the first entities of it are written.
    let taken = begin.elapsed();
    assert!(taken <= 22 * each, "{taken:?}");
}

#[tokio::test(start_paused = true)]
async fn resources_are_written_in_the_order_of_the_mapping_however_fast_they_are_read() {
    let api = slow(ScriptedApi::new(), "/a", 60, Duration::from_secs(10));
    let api = api
        .pages("/b", Pages::page(numbered(5_000)))
        .pages("/c", Pages::page(numbered(30)));
    let rig = Rig::new(api);
    let report = rig.sync(PAGED, &lists(&["a", "b", "c"])).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(written(&rig.port), ["a", "b", "c"]);
    assert_eq!(rig.port.identifiers("b").len(), 5_000);
}

#[tokio::test(start_paused = true)]
async fn a_first_resource_that_gives_nothing_for_long_keeps_the_others_waiting_for_seconds_only() {
    let api = slow(ScriptedApi::new(), "/a", 60, Duration::from_secs(10));
    let b = Duration::from_millis(100);
    let rig = Rig::new(slow(api, "/b", 195, b));
    let report = rig.sync(PAGED, &lists(&["a", "b"])).await;
    assert!(report.is_clean(), "{report}");
    let seen = rig.api.requests();
    let first = seen.iter().find(|seen| seen.path() == "/b").unwrap();
    assert_eq!(first.at, Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn when_the_sink_goes_away_later_what_was_begun_is_not_finished_and_says_so() {
    let api = slow(ScriptedApi::new(), "/a", 2_000, Duration::from_secs(1));
    let rig = Rig::with_port(
        slow(api, "/b", 10_000, Duration::from_secs(1)),
        PortDouble::new()
            .stale_entity("a", "gone")
            .stale_entity("b", "gone")
            .faults(PortCall::UpsertMany, 2.., Answer::status(503)),
    );
    let report = rig.sync(PAGED, &lists(&["a", "b"])).await;
    for resource in &report.resources {
        let cause = resource.cause.as_deref().unwrap();
        assert!(cause.starts_with("NotFinished"), "{report}");
    }
    assert!(rig.api.count("/b") > 0);
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn one_resource_that_fails_leaves_those_beside_it() {
    let rig = Rig::with_port(
        slow(ScriptedApi::new(), "/b", 195, Duration::from_secs(1))
            .pages("/a", Pages::page(numbered(1)))
            .answer("/c", Answer::status(403)),
        PortDouble::new()
            .stale_entity("b", "gone")
            .stale_entity("c", "gone"),
    );
    let report = rig.sync(PAGED, &lists(&["a", "b", "c"])).await;
    let outcomes: Vec<&str> = report.resources.iter().map(|r| r.outcome).collect();
    assert_eq!(outcomes, ["complete", "complete", "incomplete"]);
    assert_eq!(rig.port.deleted(), [("b".to_owned(), "gone".to_owned())]);
}
