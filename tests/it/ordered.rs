//! `ordered: true`: entities in the order of the parents, at the speed of those that come as they are read.

use std::time::Duration;

use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::rig::{Rig, items};

const EACH: Duration = Duration::from_millis(100);

/// Three pages of two comments for each of these tickets, 100 ms for each answer.
fn tickets(count: u64) -> ScriptedApi {
    ScriptedApi::new()
        .json("/tickets", numbered(count))
        .on("/tickets/{id}/comments", |call| {
            let id = call.parameter("id");
            let comments: Vec<Value> = (1..=6)
                .map(|n| json!({"id": format!("{id}-{n}")}))
                .collect();
            Pages::page(comments).answer(call).after(EACH)
        })
}

fn of_tickets(ordered: bool) -> String {
    let selector = format!(
        "{{ordered: {ordered}, pagination: {{type: page, size: 2}}, path_parameters: {{id: {{endpoint: /tickets, field: .id, pagination: {{type: none}}}}}}}}"
    );
    items("/tickets/{id}/comments", &selector)
}

fn in_order(count: u64) -> Vec<String> {
    (1..=count)
        .flat_map(|id| (1..=6).map(move |n| format!("{id}-{n}")))
        .collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_is_empty_takes_nothing_from_the_others() {
    let empty = Answer::json(json!([]));
    for (api, field, expected) in [
        (tickets(0), ".id", in_order(0)),
        (tickets(2), "empty", in_order(0)),
        (
            tickets(2).answer("/tickets/1/comments", empty.clone()),
            ".id",
            in_order(2)[6..].to_vec(),
        ),
        (
            tickets(2).answer("/tickets/2/comments", empty.clone()),
            ".id",
            in_order(1),
        ),
        (
            tickets(2)
                .answer("/tickets/1/comments", empty.clone())
                .answer("/tickets/2/comments", empty),
            ".id",
            in_order(0),
        ),
    ] {
        let rig = Rig::new(api);
        let mapping = of_tickets(true).replace("field: .id", &format!("field: {field}"));
        let read = rig.read("", &mapping).await;
        assert!(read.outcome.is_complete(), "{field}: {:?}", read.errors);
        assert_eq!(read.identifiers(), expected, "{field}");
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_are_all_left_out_and_statuses_that_mean_empty_are_no_end() {
    let rig = Rig::new(tickets(3).answer("/tickets/2/comments", Answer::status(404)));
    let mapping = of_tickets(true).replace(
        "ordered: true",
        "ordered: true, onStatus: {404: empty}, query: '.id | startswith(\"3\")'",
    );
    let read = rig.read("", &mapping).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.identifiers(), in_order(3)[12..]);
}

#[tokio::test(start_paused = true)]
async fn children_with_several_pages_are_read_as_fast_in_order_as_otherwise() {
    let taken = async |ordered| {
        let rig = Rig::new(tickets(30));
        let begin = Instant::now();
        let read = rig
            .read("maxConcurrentRequests: 10", &of_tickets(ordered))
            .await;
        assert!(read.outcome.is_complete(), "{:?}", read.errors);
        if ordered {
            assert_eq!(read.identifiers(), in_order(30));
        }
        assert_eq!(read.entities.len(), 180);
        assert!(rig.network.peak_in_flight() <= 10);
        begin.elapsed()
    };
    let (unordered, ordered) = (taken(false).await, taken(true).await);
    assert!(ordered <= unordered + EACH, "{ordered:?} for {unordered:?}");
}

#[tokio::test(start_paused = true)]
async fn one_request_at_a_time_is_enough_at_any_depth() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/orgs", Pages::page(numbered(5)))
            .pages("/orgs/{org}/repos", Pages::page(numbered(5)))
            .on("/orgs/{org}/repos/{repo}/tags", |call| {
                let id = format!("{}-{}", call.parameter("org"), call.parameter("repo"));
                let tags: Vec<Value> = (1..=5)
                    .map(|n| json!({"id": format!("{id}-{n}")}))
                    .collect();
                Pages::page(tags).answer(call)
            }),
    );
    let selector = "{ordered: true, path_parameters: {org: {endpoint: /orgs, field: .id}, repo: {endpoint: '/orgs/{org}/repos', field: .id}}}";
    let read = rig
        .read(
            "maxConcurrentRequests: 1\npaginationType: page\npageSize: 2",
            &items("/orgs/{org}/repos/{repo}/tags", selector),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut sorted = read.identifiers();
    sorted.sort_unstable();
    assert_eq!(read.identifiers(), sorted);
    assert_eq!(sorted.len(), 125);
}
