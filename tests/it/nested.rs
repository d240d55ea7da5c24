//! Nested endpoints: a path parameter, the list that its values come from, and a request for each.

use std::time::Duration;

use longshore_engine::ErrorKind;
use longshore_testkit::{Answer, Pages, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Read, Rig, config};

/// `/tickets/{ticket_id}/comments` with this parameter and more of the selector, both YAML in one line.
fn comments(parameter: &str, more: &str) -> String {
    format!(
        r#"
resources:
  - kind: /tickets/{{ticket_id}}/comments
    selector: {{path_parameters: {{ticket_id: {parameter}}}, {more}}}
    port:
      entity:
        mappings: {{identifier: .id, blueprint: '"comment"', properties: {{ticket: .ticket_id, __ticket: .__ticket_id}}}}
"#
    )
}

/// An API with these tickets as a bare list, each with one comment.
fn tickets(tickets: impl Into<Value>) -> ScriptedApi {
    ScriptedApi::new()
        .json("/tickets", tickets)
        .on("/tickets/{id}/comments", |call| {
            Answer::json(json!([{"id": format!("c-{}", call.parameter("id"))}]))
        })
}

async fn read(rig: &Rig, parameter: &str) -> Read {
    rig.read("", &comments(parameter, "")).await
}

fn sorted(read: &Read) -> Vec<&str> {
    let mut identifiers = read.identifiers();
    identifiers.sort_unstable();
    identifiers
}

/// The paths that were asked for, but for those of the parents' list; sorted.
fn children(rig: &Rig) -> Vec<String> {
    let mut paths = rig.api.paths();
    paths.retain(|path| !path.starts_with("/tickets?") && path != "/tickets");
    paths.sort_unstable();
    paths
}

#[tokio::test(start_paused = true)]
async fn every_parent_is_asked_for_its_children_and_they_know_it_under_both_names() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/tickets", json!({"tickets": [{"id": 101}, {"id": "T-2"}]}))
            .on("/tickets/{id}/comments", |call| {
                let id = call.parameter("id");
                Answer::json(json!({"comments": [{"id": format!("c-{id}")}]}))
            }),
    );
    let mapping = comments(
        "{endpoint: /tickets, data_path: .tickets, field: .id}",
        "data_path: .comments",
    );
    let read = rig.read("", &mapping).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["c-101", "c-T-2"]);
    let first = read
        .json()
        .into_iter()
        .find(|entity| entity["identifier"] == "c-101")
        .unwrap();
    assert_eq!(
        first["properties"],
        json!({"ticket": "101", "__ticket": "101"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_child_record_keeps_its_own_key_of_the_parameters_name() {
    let rig = Rig::new(tickets(json!([{"id": 7}])).json(
        "/tickets/7/comments",
        json!([{"id": "c", "ticket_id": "its own"}]),
    ));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert_eq!(
        read.json()[0]["properties"],
        json!({"ticket": "its own", "__ticket": "7"})
    );
}

#[tokio::test(start_paused = true)]
async fn a_parent_whose_field_is_null_or_absent_has_no_children_and_that_is_no_fault() {
    let rig = Rig::new(tickets(json!([{"id": 1}, {"id": null}, {"name": "x"}])));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(children(&rig), ["/tickets/1/comments"]);
}

#[tokio::test(start_paused = true)]
async fn field_is_any_jq_and_sees_the_whole_parent() {
    let rig = Rig::new(tickets(
        json!([{"project": "A", "n": 1}, {"project": "B", "n": 2}]),
    ));
    read(
        &rig,
        r#"{endpoint: /tickets, field: '.project + "-" + (.n | tostring)'}"#,
    )
    .await;
    assert_eq!(
        children(&rig),
        ["/tickets/A-1/comments", "/tickets/B-2/comments"]
    );
}

#[tokio::test(start_paused = true)]
async fn only_parents_that_pass_the_filter_are_asked() {
    let rig = Rig::new(tickets(
        json!([{"id": 1, "state": "open"}, {"id": 2, "state": "closed"}, {"id": 3, "state": "open"}]),
    ));
    let read = read(
        &rig,
        r#"{endpoint: /tickets, field: .id, filter: '.state == "open"'}"#,
    )
    .await;
    assert!(read.outcome.is_complete());
    assert_eq!(
        children(&rig),
        ["/tickets/1/comments", "/tickets/3/comments"]
    );
}

#[tokio::test(start_paused = true)]
async fn the_parents_list_has_its_own_method_query_and_headers() {
    let rig = Rig::new(tickets(json!([])).json("POST /tickets", json!([{"id": 1}])));
    let read = rig
        .read(
            "",
            &comments(
                "{endpoint: /tickets, method: POST, query_params: {state: open, page: 012}, headers: {X-View: parents}, field: .id}",
                "query_params: {sort: asc}, headers: {X-View: children}",
            ),
        )
        .await;
    assert!(read.outcome.is_complete());
    let requests = rig.api.requests();
    assert_eq!(requests[0].method, "POST");
    assert_eq!(requests[0].path_and_query(), "/tickets?state=open&page=012");
    assert_eq!(requests[0].header("x-view"), Some("parents"));
    assert_eq!(requests[1].method, "GET");
    assert_eq!(requests[1].path_and_query(), "/tickets/1/comments?sort=asc");
    assert_eq!(requests[1].header("x-view"), Some("children"));
}

#[tokio::test(start_paused = true)]
async fn parents_and_children_are_paged_by_the_connections_settings() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/tickets", Pages::page(numbered(25)))
            .pages("/tickets/{id}/comments", Pages::page(numbered(12))),
    );
    let read = rig
        .read(
            "paginationType: page\npageSize: 10",
            &comments("{endpoint: /tickets, field: .id}", ""),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(rig.api.count("/tickets"), 3);
    assert_eq!(read.entities.len(), 25 * 12);
    assert_eq!((read.outcome.pages, read.outcome.records), (50, 300));
}

#[tokio::test(start_paused = true)]
async fn the_parents_list_may_be_paged_otherwise_than_the_children() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/tickets", Pages::cursor(numbered(5)))
            .pages(
                "/tickets/{id}/comments",
                Pages::page(numbered(3)).total("total").under("items"),
            ),
    );
    let read = rig
        .read(
            "",
            &comments(
                "{endpoint: /tickets, data_path: .data, field: .id, pagination: {type: cursor, size: 2}}",
                "data_path: .items, pagination: {type: page, size: 2}",
            ),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(rig.api.count("/tickets"), 3);
    assert_eq!(rig.api.count("/tickets/5/comments"), 2);
    assert_eq!(read.entities.len(), 15);
}

#[tokio::test(start_paused = true)]
async fn values_are_percent_encoded_so_that_they_stay_one_segment() {
    let values = ["a/b?x=1", "50%", "a b", "ü", "x#y", "a;b=c", "..%2f.."];
    let parents: Vec<Value> = values.iter().map(|id| json!({"id": id})).collect();
    let rig = Rig::new(tickets(parents));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut asked = vec![
        "/tickets/a%2Fb%3Fx%3D1/comments",
        "/tickets/50%25/comments",
        "/tickets/a%20b/comments",
        "/tickets/%C3%BC/comments",
        "/tickets/x%23y/comments",
        "/tickets/a%3Bb%3Dc/comments",
        "/tickets/..%252f../comments",
    ];
    asked.sort_unstable();
    assert_eq!(children(&rig), asked);
    let told = read
        .json()
        .into_iter()
        .any(|entity| entity["properties"]["__ticket"] == "a/b?x=1");
    assert!(told, "records are told the value as it is, not encoded");
}

#[tokio::test(start_paused = true)]
async fn a_value_that_would_change_the_path_is_that_parents_error_and_is_never_sent() {
    for value in ["..", ".", "", "%2e%2e", ".\t.", "a\nb"] {
        let rig = Rig::new(tickets(json!([{"id": 1}, {"id": value}, {"id": 2}])));
        let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
        assert_eq!(
            children(&rig),
            ["/tickets/1/comments", "/tickets/2/comments"],
            "{value:?}"
        );
        assert_eq!(sorted(&read), ["c-1", "c-2"], "{value:?}");
        assert_eq!(read.errors[0].kind(), ErrorKind::Parameter, "{value:?}");
        assert_eq!(read.end(), "ParametersFailed", "{value:?}");
        assert_eq!(read.outcome.failed, 1, "{value:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plus_parameter_keeps_slashes_and_nothing_else() {
    let mapping = r#"
resources:
  - kind: /repos/{+name}/tags
    selector: {path_parameters: {name: {endpoint: /repos, field: .}}}
    port: {entity: {mappings: {identifier: '.id', blueprint: '"tag"', properties: {repo: .__name}}}}
"#;
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/repos", json!(["library/debian", "a?b/c", "x/../y"]))
            .on("/repos/{+name}/tags", |call| {
                Answer::json(json!([{"id": call.parameter("name")}]))
            }),
    );
    let read = rig.read("", mapping).await;
    let mut paths = rig.api.paths();
    paths.sort_unstable();
    assert_eq!(
        paths,
        [
            "/repos",
            "/repos/a%3Fb/c/tags",
            "/repos/library/debian/tags"
        ]
    );
    assert_eq!(sorted(&read), ["a?b/c", "library/debian"]);
    assert_eq!(read.end(), "ParametersFailed");
}

#[tokio::test(start_paused = true)]
async fn a_404_on_an_encoded_slash_proposes_to_keep_slashes() {
    let rig = Rig::new(ScriptedApi::new().json("/tickets", json!([{"id": "a/b"}])));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert!(
        read.errors[0].to_string().contains("{+name}"),
        "{}",
        read.errors[0]
    );
}

#[tokio::test(start_paused = true)]
async fn equal_values_are_asked_for_once() {
    let rig = Rig::new(tickets(
        json!([{"id": 1}, {"id": "1"}, {"id": 2}, {"id": 1}, {"id": 2}]),
    ));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert_eq!(sorted(&read), ["c-1", "c-2"]);
    assert_eq!(
        children(&rig),
        ["/tickets/1/comments", "/tickets/2/comments"]
    );
}

#[tokio::test(start_paused = true)]
async fn one_failing_child_leaves_the_others_and_is_named_by_its_parent() {
    for status in [400, 403, 500] {
        let parents: Vec<Value> = (1..=20).map(|id| json!({"id": id})).collect();
        let rig =
            Rig::new(tickets(parents).faults("/tickets/13/comments", 1.., Answer::status(status)));
        let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
        assert_eq!(read.entities.len(), 19, "{status}");
        assert_eq!(read.errors.len(), 1, "{status}");
        let error = read.errors[0].to_string();
        assert!(error.contains("ticket_id=13"), "{error}");
        let cause = read.outcome.cause().unwrap();
        assert_eq!(cause.name(), "RequestFailed");
        assert!(
            cause.message().contains("ticket_id=13"),
            "the report says which child: {cause}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn every_failing_child_is_a_cause_of_its_own() {
    let rig = Rig::new(
        tickets(json!([{"id": 1}, {"id": 2}, {"id": 3}]))
            .faults("/tickets/1/comments", 1.., Answer::status(400))
            .faults("/tickets/3/comments", 1.., Answer::status(400)),
    );
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert_eq!(read.outcome.causes.len(), 2, "{:?}", read.outcome.causes);
}

#[tokio::test(start_paused = true)]
async fn a_child_whose_end_is_not_proven_is_named_by_its_parent() {
    let rig = Rig::new(tickets(json!([{"id": 1}, {"id": 2}])).json(
        "/tickets/2/comments",
        json!({"items": [{"id": "c"}], "has_more": true}),
    ));
    let mapping = comments(
        "{endpoint: /tickets, field: .id}",
        "data_path: 'if type == \"array\" then . else .items end'",
    );
    let read = rig.read("", &mapping).await;
    assert_eq!(read.entities.len(), 2);
    assert_eq!(read.end(), "NotPaged");
    let cause = read.outcome.cause().unwrap().to_string();
    assert!(cause.contains("ticket_id=2"), "{cause}");
    assert!(read.errors[0].to_string().contains("ticket_id=2"));
}

#[tokio::test(start_paused = true)]
async fn a_404_of_a_child_fails_and_proposes_the_line_that_accepts_it() {
    let rig = Rig::new(
        tickets(json!([{"id": 1}, {"id": 2}])).answer("/tickets/2/comments", Answer::status(404)),
    );
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    assert!(!read.outcome.is_complete());
    assert!(
        read.errors[0]
            .to_string()
            .contains("onStatus: {404: empty}"),
        "{}",
        read.errors[0]
    );
}

#[tokio::test(start_paused = true)]
async fn statuses_that_the_mapping_calls_empty_are_empty_and_complete() {
    let rig = Rig::new(
        tickets(json!([{"id": 1}, {"id": 2}, {"id": 3}]))
            .answer("/tickets/2/comments", Answer::status(404))
            .answer("/tickets/3/comments", Answer::status(403)),
    );
    let mapping = comments(
        "{endpoint: /tickets, field: .id}",
        "onStatus: {404: empty, 403: empty}",
    );
    let read = rig.read("", &mapping).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["c-1"]);
    assert_eq!(rig.api.count("/tickets/2/comments"), 1);
}

#[tokio::test(start_paused = true)]
async fn what_a_childs_status_means_does_not_hold_for_the_parents_list() {
    let rig = Rig::new(ScriptedApi::new().answer("/tickets", Answer::status(404)));
    let mapping = comments("{endpoint: /tickets, field: .id}", "onStatus: {404: empty}");
    let read = rig.read("", &mapping).await;
    assert_eq!(read.end(), "ParentsIncomplete");
    let error = read.errors[0].to_string();
    assert!(
        error.contains("add to selector.path_parameters.ticket_id: onStatus: {404: empty}"),
        "{error}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_parents_list_may_have_rules_of_its_own() {
    let rig = Rig::new(ScriptedApi::new().answer("/tickets", Answer::status(404)));
    let mapping = comments(
        "{endpoint: /tickets, field: .id, onStatus: {404: empty}}",
        "",
    );
    let read = rig.read("", &mapping).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(rig.api.count("/tickets"), 1);
}

#[tokio::test(start_paused = true)]
async fn no_parent_is_a_complete_and_empty_read() {
    for (parents, filter) in [(json!([]), "'true'"), (json!([{"id": 1}]), "'false'")] {
        let rig = Rig::new(tickets(parents));
        let read = read(
            &rig,
            &format!("{{endpoint: /tickets, field: .id, filter: {filter}}}"),
        )
        .await;
        assert!(read.outcome.is_complete());
        assert_eq!((read.entities.len(), read.errors.len()), (0, 0));
        assert_eq!(read.end(), "NoParents");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parents_list_that_fails_half_way_still_gives_the_children_it_named() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/tickets", Pages::page(numbered(25)))
            .fault("/tickets", 2, Answer::status(400))
            .on("/tickets/{id}/comments", |call| {
                Answer::json(json!([{"id": call.parameter("id")}]))
            }),
    );
    let read = rig
        .read(
            "paginationType: page\npageSize: 10",
            &comments(
                "{endpoint: /tickets, field: .id, pagination: {type: page, size: 10}}",
                "pagination: {type: none}",
            ),
        )
        .await;
    assert_eq!(read.entities.len(), 10);
    assert_eq!(read.errors.len(), 1);
    assert_eq!(read.end(), "ParentsIncomplete");
}

#[tokio::test(start_paused = true)]
async fn what_deserves_a_look_in_the_parents_list_is_told() {
    let rig = Rig::new(tickets(json!({"tickets": [{"id": 1}], "id": 7})));
    let read = read(&rig, "{endpoint: /tickets, field: .id}").await;
    let warnings = read.outcome.warnings.join("\n");
    assert!(warnings.contains("data_path"), "{warnings}");
    assert!(warnings.contains("/tickets"), "{warnings}");
}

/// Comments and votes of the same tickets, the votes with another field and a filter.
const TWO_KINDS: &str = r#"
resources:
  - kind: /tickets/{ticket_id}/comments
    selector: {path_parameters: {ticket_id: {endpoint: /tickets, field: .id}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"'}}}
  - kind: /keys/{key}/votes
    selector: {path_parameters: {key: {endpoint: /tickets, field: .key, filter: .open}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"vote"'}}}
"#;

fn two_kinds() -> ScriptedApi {
    tickets(json!([{"id": 1, "key": "K1", "open": true}, {"id": 2, "key": "K2", "open": false}]))
        .on("/keys/{key}/votes", |call| {
            Answer::json(json!([{"id": format!("v-{}", call.parameter("key"))}]))
        })
}

#[tokio::test(start_paused = true)]
async fn parents_that_several_resources_need_are_read_once_in_a_sync() {
    let rig = Rig::new(two_kinds());
    let report = rig.sync("", TWO_KINDS).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.api.count("/tickets"), 1);
    assert_eq!(rig.port.identifiers("comment"), ["c-1", "c-2"]);
    assert_eq!(rig.port.identifiers("vote"), ["v-K1"]);
}

#[tokio::test(start_paused = true)]
async fn the_next_sync_reads_the_parents_again() {
    let rig = Rig::new(two_kinds());
    rig.sync("", TWO_KINDS).await;
    rig.sync("", TWO_KINDS).await;
    assert_eq!(rig.api.count("/tickets"), 2);
}

#[tokio::test(start_paused = true)]
async fn parents_lists_that_differ_in_any_part_of_the_request_are_not_shared() {
    let other = TWO_KINDS.replace(
        "endpoint: /tickets, field: .key",
        "endpoint: /tickets, query_params: {view: keys}, field: .key",
    );
    let rig = Rig::new(two_kinds());
    rig.sync("", &other).await;
    assert_eq!(rig.api.count("/tickets"), 2);
}

#[tokio::test(start_paused = true)]
async fn a_parents_read_that_failed_is_not_passed_on() {
    let rig = Rig::with_port(
        two_kinds().fault("/tickets", 1, Answer::status(400)),
        PortDouble::new()
            .stale_entity("comment", "c-1")
            .stale_entity("vote", "gone"),
    );
    let report = rig.sync("", TWO_KINDS).await;
    assert_eq!(report.resources[0].outcome, "incomplete");
    assert_eq!(report.resources[1].outcome, "complete");
    assert_eq!(rig.api.count("/tickets"), 2);
    assert_eq!(rig.port.deleted(), [("vote".to_owned(), "gone".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn a_parents_read_that_broke_off_is_not_passed_on_as_complete() {
    let paged = TWO_KINDS.replace(
        "endpoint: /tickets",
        "endpoint: /tickets, pagination: {type: page, size: 2}",
    );
    let all: Vec<Value> = (1..=5)
        .map(|id| json!({"id": id, "key": format!("K{id}"), "open": true}))
        .collect();
    let rig = Rig::new(two_kinds().pages("/tickets", Pages::page(all)).fault(
        "/tickets",
        2,
        Answer::status(400),
    ));
    let report = rig.sync("", &paged).await;
    assert_eq!(rig.port.identifiers("comment"), ["c-1", "c-2"]);
    assert_eq!(report.resources[0].outcome, "incomplete");
    assert_eq!(rig.port.identifiers("vote").len(), 5);
    assert_eq!(report.resources[1].outcome, "complete");
}

#[tokio::test(start_paused = true)]
async fn children_are_asked_for_at_once_up_to_max_concurrent_requests() {
    for (allowed, peak) in [(4, 4), (1, 1), (50, 20)] {
        let parents: Vec<Value> = (1..=20).map(|id| json!({"id": id})).collect();
        let mut rig = Rig::new(tickets(parents));
        rig.network = rig.network.clone().latency(Duration::from_millis(100));
        let read = rig
            .read(
                &format!("maxConcurrentRequests: {allowed}"),
                &comments("{endpoint: /tickets, field: .id}", ""),
            )
            .await;
        assert!(read.outcome.is_complete());
        assert_eq!(read.entities.len(), 20);
        assert_eq!(rig.network.peak_in_flight(), peak);
    }
}

#[tokio::test(start_paused = true)]
async fn paged_parents_and_paged_children_finish_with_one_request_at_a_time() {
    let mut rig = Rig::new(
        ScriptedApi::new()
            .pages("/tickets", Pages::page(numbered(7)))
            .pages("/tickets/{id}/comments", Pages::page(numbered(5))),
    );
    rig.network = rig.network.clone().latency(Duration::from_millis(100));
    let read = rig
        .read(
            "maxConcurrentRequests: 1\npaginationType: page\npageSize: 2",
            &comments("{endpoint: /tickets, field: .id}", ""),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 35);
    assert_eq!(rig.network.peak_in_flight(), 1);
}

#[tokio::test(start_paused = true)]
async fn pages_of_one_child_arrive_in_order() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/tickets", json!([{"id": 1}]))
            .pages("/tickets/1/comments", Pages::page(numbered(25))),
    );
    let read = rig
        .read(
            "",
            &comments(
                "{endpoint: /tickets, field: .id}",
                "pagination: {type: page, size: 10}",
            ),
        )
        .await;
    let expected: Vec<String> = (1..=25).map(|n| n.to_string()).collect();
    assert_eq!(read.identifiers(), expected);
}

#[tokio::test(start_paused = true)]
async fn parents_and_children_lie_below_the_path_of_the_base_url() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/api/v2/tickets", json!([{"id": 1}]))
            .json("/api/v2/tickets/1/comments", json!([{"id": "c"}])),
    );
    let config = longshore_engine::Config::loader()
        .connection_text(
            "connection.yaml",
            "baseUrl: https://api.example.com/api/v2/",
        )
        .mapping_text(
            "mapping.yaml",
            &comments("{endpoint: /tickets, field: .id}", ""),
        )
        .load()
        .unwrap();
    let read = rig.read_from(&config).await;
    assert_eq!(read.identifiers(), ["c"]);
}

#[test]
fn a_parameter_without_definition_and_one_that_no_path_holds_are_refused_before_any_request() {
    let undefined = r#"
resources:
  - kind: /tickets/{ticket_id}/comments
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"'}}}
"#;
    let problem = config("", undefined).unwrap_err().to_string();
    assert!(problem.contains("path_parameters.ticket_id"), "{problem}");

    let unused = comments("{endpoint: /tickets, field: .id}", "")
        .replace("kind: /tickets/{ticket_id}/comments", "kind: /comments");
    let problem = config("", &unused).unwrap_err().to_string();
    assert!(problem.contains("is not used"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn a_null_of_the_api_under_the_name_of_a_parameter_is_told_with_the_name_to_write() {
    let api = ScriptedApi::new()
        .json("/tickets", json!([{"id": 1}]))
        .json(
            "/tickets/1/comments",
            json!([{"id": "c", "ticket_id": null}]),
        );
    let read = read(&Rig::new(api), "{endpoint: /tickets, field: .id}").await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let hint = &read.outcome.hints["properties.ticket"];
    assert!(hint.ends_with("write `.__ticket_id`"), "{hint}");
}
