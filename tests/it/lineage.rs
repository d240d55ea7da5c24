//! What must not get lost, and not be asked for twice, between parents and their children: lists that stand in records, batches, windows,
//! expressions that hit a limit, and lists that are the same or only look so.

use std::sync::Arc;
use std::time::Duration;

use longshore_engine::transport::TokioClock;
use longshore_engine::{EngineBuilder, ErrorKind};
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::{Read, Rig, config, items};

fn sorted(read: &Read) -> Vec<&str> {
    let mut identifiers = read.identifiers();
    identifiers.sort_unstable();
    identifiers
}

/// Comments of tickets, each with its ticket's number as identifier.
fn comments() -> ScriptedApi {
    ScriptedApi::new().on("/tickets/{id}/comments", |call| {
        Answer::json(json!([{"id": format!("c{}", call.parameter("id"))}]))
    })
}

fn problems(kind: &str, selector: &str) -> String {
    config("", &items(kind, selector)).unwrap_err().to_string()
}

/// jq that nests what it is given so deeply that no reader takes it, wherever `.deep` says so.
const NESTED: &str = "if .deep then reduce range(200) as $n (.comments; [.]) else .comments end";

#[tokio::test(start_paused = true)]
async fn an_embedded_list_that_cannot_be_kept_is_no_empty_one() {
    let rig = Rig::new(ScriptedApi::new().json(
        "/tickets",
        json!([{"id": 1, "comments": [{"id": "a"}]}, {"id": 2, "deep": true, "comments": [{"id": "b"}]}]),
    ));
    let selector = format!(
        "{{embedded: '{NESTED}', path_parameters: {{id: {{endpoint: /tickets, field: .id}}}}}}"
    );
    let read = rig
        .read("", &items("/tickets/{id}/comments", &selector))
        .await;
    assert_eq!(read.identifiers(), ["a"]);
    assert_eq!(read.end(), "EmbeddedUnreadable");
    assert_eq!(read.errors[0].kind(), ErrorKind::Extract);
    let error = read.errors[0].to_string();
    assert!(
        error.contains("id=2") && error.contains("embedded"),
        "{error}"
    );
    let children = &read.outcome.children;
    assert_eq!((children.complete, children.incomplete), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_no_json_is_no_position_of_the_rest_of_an_embedded_list() {
    for no_json in ["nan", "infinity"] {
        let rig = Rig::new(ScriptedApi::new().json(
            "/tickets",
            json!([{"id": 1, "comments": {"nodes": [{"id": "a"}], "next": no_json}}]),
        ));
        let selector = "{data_path: .data, pagination: {type: cursor, param: after}, embedded: {data_path: .comments.nodes, \
             next: '.comments.next | tonumber'}, path_parameters: {id: {endpoint: /tickets, field: .id, pagination: {type: none}}}}";
        let read = rig
            .read("", &items("/tickets/{id}/comments", selector))
            .await;
        assert!(!read.outcome.is_complete(), "{no_json}");
        let error = read.errors[0].to_string();
        assert!(error.contains("must give a link or a cursor"), "{error}");
        assert_eq!(rig.api.paths(), ["/tickets"], "{no_json}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_embedded_list_of_parents_that_cannot_be_kept_is_no_empty_one() {
    let rig = Rig::new(ScriptedApi::new().json(
        "/orgs",
        json!([{"id": "x", "comments": [{"id": 1}]}, {"id": "y", "deep": true, "comments": [{"id": 2}]}]),
    ).on("/{org}/{ticket}", |call| Answer::json(json!([{"id": call.parameter("ticket")}]))));
    let selector = format!(
        "{{path_parameters: {{org: {{endpoint: /orgs, field: .id}}, ticket: {{endpoint: '/orgs/{{org}}/tickets', field: .id, embedded: '{NESTED}'}}}}}}"
    );
    let read = rig.read("", &items("/{org}/{ticket}", &selector)).await;
    assert_eq!(read.identifiers(), ["1"]);
    assert_eq!(read.end(), "ParametersFailed");
    assert!(
        read.errors[0].to_string().contains("org=y"),
        "{:?}",
        read.errors
    );
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_told_of_a_parent_is_that_parents_error_and_not_null() {
    let rig = Rig::new(comments().json(
        "/tickets",
        json!([{"id": 1, "comments": 7}, {"id": 2, "deep": true, "comments": 7}]),
    ));
    let selector = format!(
        "{{path_parameters: {{id: {{endpoint: /tickets, field: .id, include: {{__n: '{NESTED}'}}}}}}}}"
    );
    let read = rig
        .read("", &items("/tickets/{id}/comments", &selector))
        .await;
    assert_eq!(read.identifiers(), ["c1"]);
    assert_eq!(read.end(), "ParametersFailed");
    assert_eq!(read.errors[0].kind(), ErrorKind::Parameter);
    assert!(
        read.errors[0].to_string().contains("include.__n"),
        "{:?}",
        read.errors
    );
}

#[tokio::test(start_paused = true)]
async fn equal_values_whose_records_hold_different_lists_lose_none_of_them() {
    let rig = Rig::new(comments().json(
        "/events",
        json!([
            {"ticket": 1, "comments": [{"id": "a"}]},
            {"ticket": 1, "comments": [{"id": "b"}]},
            {"ticket": 1, "comments": [{"id": "a"}]},
            {"ticket": 1, "comments": null},
            {"ticket": 1, "comments": null},
        ]),
    ));
    let selector =
        "{embedded: .comments, path_parameters: {id: {endpoint: /events, field: .ticket}}}";
    let read = rig
        .read("", &items("/tickets/{id}/comments", selector))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["a", "b", "c1"]);
    assert_eq!(rig.api.requests().len(), 2);
}

/// Users by their teams, of which one has a user of another; and what is asked for by several users at once.
fn teams() -> ScriptedApi {
    ScriptedApi::new()
        .json("/teams", numbered(2))
        .on("/teams/{team}/users", |call| match call.parameter("team") {
            "1" => Answer::json(json!([{"id": "u1"}, {"id": "u2"}, {"id": "a,b"}])),
            _ => Answer::json(json!([{"id": "u2"}, {"id": "u3"}])),
        })
        .on("/devices", |call| {
            let ids = call.query("ids").unwrap();
            let devices = ids.split(',').map(|id| json!({"id": format!("d-{id}")}));
            Answer::json(devices.collect::<Vec<_>>())
        })
}

const OF_TEAMS: &str = "path_parameters: {team: {endpoint: /teams, field: .id}, \
    user: {endpoint: '/teams/{team}/users', field: .id, filter: FILTER, batch: 10, separator: 'SEP'}}";

fn of_teams(filter: &str, separator: &str) -> String {
    OF_TEAMS.replace("FILTER", filter).replace("SEP", separator)
}

#[tokio::test(start_paused = true)]
async fn a_value_of_several_lists_is_in_one_batch_only() {
    let rig = Rig::new(teams());
    let selector = format!(
        "{{query_params: {{ids: '{{user}}'}}, {}}}",
        of_teams("'.id != \"a,b\"'", ",")
    );
    let read = rig
        .read("maxConcurrentRequests: 1", &items("/devices", &selector))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["d-u1", "d-u2", "d-u3"]);

    // Where the team makes a difference to the request, so do the users of each.
    let rig = Rig::new(teams());
    let selector = selector.replace("ids:", "of: '{team}', ids:");
    let read = rig.read("", &items("/devices", &selector)).await;
    assert_eq!(sorted(&read), ["d-u1", "d-u2", "d-u2", "d-u3"]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_holds_the_separator_of_its_batch_is_not_taken_for_two() {
    let rig = Rig::new(teams());
    let selector = format!(
        "{{query_params: {{ids: '{{user}}'}}, {}}}",
        of_teams("'true'", ",")
    );
    let read = rig.read("", &items("/devices", &selector)).await;
    assert_eq!(sorted(&read), ["d-u1", "d-u2", "d-u3"]);
    assert_eq!(read.end(), "ParametersFailed");
    assert_eq!(read.errors.len(), 1);
    let error = read.errors[0].to_string();
    assert!(
        error.contains("path_parameters.user.separator") && error.contains("team=1"),
        "{error}"
    );

    // Where nothing is joined, it is as good a value as any.
    let rig = Rig::new(teams().on("POST /devices", |call| {
        let ids = call.json()["ids"].as_array().unwrap().clone();
        Answer::json(
            ids.into_iter()
                .map(|id| json!({"id": id}))
                .collect::<Vec<_>>(),
        )
    }));
    let selector = format!(
        "{{method: POST, body: {{ids: ['{{user}}']}}, {}}}",
        of_teams("'true'", ",")
    );
    let read = rig.read("", &items("/devices", &selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["a,b", "u1", "u2", "u3"]);
}

#[test]
fn batches_that_could_not_be_told_apart_are_refused_before_any_request() {
    let of = |parameter: &str| {
        problems(
            "/x/{a}",
            &format!("{{path_parameters: {{a: {parameter}}}}}"),
        )
    };
    let fixed = of("{values: [x, 'y,z'], batch: 2}");
    assert!(
        fixed.contains("path_parameters.a.values[1]: a value for {a} holds the separator `,`"),
        "{fixed}"
    );
    let empty = of("{endpoint: /y, field: .id, batch: 2, separator: ''}");
    assert!(
        empty.contains("path_parameters.a.separator: is empty"),
        "{empty}"
    );
}

/// A list of three events each day, of which one request gives five at most.
fn events() -> ScriptedApi {
    ScriptedApi::new()
        .on("/events", |call| {
            let day = |name: &str| -> u64 { call.query(name).unwrap()[8..].parse().unwrap() };
            // User 0 is in the events of every day.
            let all = (day("since")..day("until"))
                .flat_map(|day| [0, day, 100 + day])
                .map(|user| json!({"id": user}));
            Answer::json(all.take(5).collect::<Vec<_>>())
        })
        .on("/scores", |call| {
            let (since, until) = (call.query("since").unwrap(), call.query("until").unwrap());
            let ids = call.query("ids").unwrap();
            let scores = ids
                .split(',')
                .map(|id| json!({"id": format!("{id} {since} {until}")}));
            Answer::json(scores.collect::<Vec<_>>())
        })
}

#[tokio::test(start_paused = true)]
async fn batches_of_a_window_that_is_split_are_asked_for_with_the_window_that_they_come_from() {
    let rig = Rig::new(events());
    let selector = "{query_params: {ids: '{user}', since: '{w.from}', until: '{w.to}'}, path_parameters: {\
        w: {from: 2024-01-01, to: 2024-01-03, step: 2d, cap: 5}, \
        user: {endpoint: /events, field: .id, batch: 50, query_params: {since: '{w.from}', until: '{w.to}'}}}}";
    let read = rig.read("", &items("/scores", selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let found = sorted(&read);
    for (user, from, to) in [
        (0, "01", "02"),
        (1, "01", "02"),
        (101, "01", "02"),
        (0, "02", "03"),
        (2, "02", "03"),
        (102, "02", "03"),
    ] {
        let wanted = format!("{user} 2024-01-{from} 2024-01-{to}");
        assert!(found.contains(&wanted.as_str()), "{wanted}: {found:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_are_counted_from_one_moment_however_long_the_read_takes() {
    let regions = Pages::page(numbered(6));
    let rig = Rig::new(
        ScriptedApi::new()
            .on("/regions", move |call| {
                regions.answer(call).after(Duration::from_secs(100))
            })
            .on("/{region}/bills", |call| {
                Answer::json(json!([{"id": call.query("until")}]))
            }),
    );
    let selector = "{query_params: {until: '{w.to}'}, path_parameters: {\
        region: {endpoint: /regions, field: .id, pagination: {type: page, size: 2}}, w: {from: now-2h, step: 1h}}}";
    let config = config("", &items("/{region}/bills", selector)).unwrap();
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .clock(Arc::new(TokioClock::new()))
        .build()
        .unwrap();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut ends = sorted(&read);
    assert_eq!(ends.len(), 12);
    ends.dedup();
    assert_eq!(ends.len(), 2, "{ends:?}");
}

/// jq that hits a limit on every record: that of nesting, which takes the least time.
const TOO_DEEP: &str = "reduce range(300) as $n (.; [.]) | length";

#[tokio::test(start_paused = true)]
async fn an_expression_that_hits_a_limit_stops_the_search_for_parents() {
    for (parameter, told) in [
        (format!("field: '{TOO_DEEP}'"), "field"),
        (format!("field: .id, filter: '{TOO_DEEP}'"), "filter"),
        (
            format!("field: .id, include: {{__x: '{TOO_DEEP}'}}"),
            "include.__x",
        ),
    ] {
        let rig = Rig::new(comments().pages("/tickets", Pages::page(numbered(100))));
        let selector = format!(
            "{{path_parameters: {{id: {{endpoint: /tickets, pagination: {{type: page, size: 10}}, {parameter}}}}}}}"
        );
        let read = rig
            .read("", &items("/tickets/{id}/comments", &selector))
            .await;
        let causes: Vec<&str> = read
            .outcome
            .causes
            .iter()
            .map(|cause| cause.name())
            .collect();
        assert_eq!(causes, ["ParametersFailed", "ExpressionLimit"], "{told}");
        assert_eq!(read.errors.len(), 4, "{told}: {:?}", read.errors);
        let last = read.errors[3].to_string();
        assert!(last.contains(told) && last.contains("3 parents"), "{last}");
        assert!(rig.api.count("/tickets") <= 3, "{:?}", rig.api.paths());
    }
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_hits_a_limit_over_many_lists_stops_the_search_too() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/orgs", numbered(50))
            .on("/orgs/{org}/teams", |_| Answer::json(json!([{"id": 1}]))),
    );
    for embedded in ["", ", embedded: '[{id: 1}]'"] {
        let selector = format!(
            "{{path_parameters: {{org: {{endpoint: /orgs, field: .id}}, team: {{endpoint: '/orgs/{{org}}/teams', field: '{TOO_DEEP}'{embedded}}}}}}}"
        );
        let read = rig
            .read(
                "maxConcurrentRequests: 2",
                &items("/orgs/{org}/teams/{team}", &selector),
            )
            .await;
        let causes: Vec<&str> = read
            .outcome
            .causes
            .iter()
            .map(|cause| cause.name())
            .collect();
        assert!(causes.contains(&"ExpressionLimit"), "{causes:?}");
        assert!(read.errors.len() <= 5, "{:?}", read.errors);
    }
    assert!(rig.api.requests().len() <= 10, "{:?}", rig.api.paths());
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_hits_a_limit_is_no_trouble_for_others_that_follow_the_same_list() {
    let rig = Rig::new(
        comments()
            .pages("/tickets", Pages::page(numbered(30)))
            .on("/tickets/{id}/votes", |call| {
                Answer::json(json!([{"id": call.parameter("id")}]))
            }),
    );
    let kind = |name: &str, field: &str| {
        format!(
            r#"
  - kind: /tickets/{{id}}/{name}
    selector: {{path_parameters: {{id: {{endpoint: /tickets, field: '{field}', pagination: {{type: page, size: 10}}}}}}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"{name}"'}}}}}}"#
        )
    };
    let mapping = format!(
        "resources:{}{}\n",
        kind("comments", TOO_DEEP),
        kind("votes", ".id")
    );
    let report = rig.sync("", &mapping).await;
    let outcomes: Vec<&str> = report.resources.iter().map(|read| read.outcome).collect();
    assert_eq!(outcomes, ["incomplete", "complete"], "{report}");
    assert_eq!(rig.port.identifiers("votes").len(), 30);
    assert_eq!(rig.api.count("/tickets"), 4);
}

#[test]
fn a_key_that_children_would_be_told_twice_is_refused_with_its_place() {
    for (parameters, part) in [
        (
            "a: {endpoint: /y, field: .id, include: {__a: .x}}",
            "path_parameters.a.include.__a: is told already, as the value of {a}",
        ),
        (
            "a: {endpoint: /y, field: .id, include: {a: .x}}",
            "path_parameters.a.include.a: is told already, as the value of {a}",
        ),
        (
            "a: {endpoint: '/y/{w}', field: .id, include: {w_to: .x}}, w: {from: now-2d, step: 1d}",
            "path_parameters.a.include.w_to: is told already, as the value of {w}",
        ),
        (
            "a: {endpoint: '/y/{b}', field: .id, include: {__name: .x}}, b: {endpoint: /z, field: .id, include: {__name: .x}}",
            "path_parameters.b.include.__name: is told already, by the include of {a}",
        ),
    ] {
        let problems = problems("/x/{a}", &format!("{{path_parameters: {{{parameters}}}}}"));
        assert!(problems.contains(part), "{parameters}: {problems}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_gives_more_values_than_allowed_is_not_read_further() {
    let rig = Rig::new(comments().pages("/tickets", Pages::page(numbered(100))));
    let selector = "{path_parameters: {id: {endpoint: /tickets, field: .id, maxChildren: 12, pagination: {type: page, size: 10}}}}";
    let read = rig
        .read("", &items("/tickets/{id}/comments", selector))
        .await;
    assert_eq!(read.end(), "TooManyValues");
    assert_eq!((read.entities.len(), read.errors.len()), (12, 1));
    assert!(rig.api.count("/tickets") <= 4, "{:?}", rig.api.paths());
}

/// Tickets as a resource, and as the parents of their comments.
fn as_both(own: &str, as_parents: &str) -> String {
    format!(
        r#"
resources:
  - kind: /tickets
    selector: {{{own}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"ticket"'}}}}}}
  - kind: /tickets/{{id}}/comments
    selector: {{path_parameters: {{id: {{endpoint: /tickets, field: .id, {as_parents}}}}}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"comment"'}}}}}}
"#
    )
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_a_resource_too_is_shared_only_where_all_of_its_request_is_the_same() {
    const POST: &str = "method: POST, body: {state: [open], by: {id: 1}}";
    const PAGED: &str = "pagination: {type: page, size: 10}";
    for (own, as_parents, reads) in [
        ("", "", 1),
        (POST, POST, 1),
        (
            POST,
            "method: POST, body: {state: [closed], by: {id: 1}}",
            2,
        ),
        (POST, "method: POST", 2),
        (POST, "", 2),
        (
            "query_params: {state: open, by: '1'}",
            "query_params: {state: open, by: '1'}",
            1,
        ),
        (
            "query_params: {state: open, by: '1'}",
            "query_params: {by: '1', state: open}",
            1,
        ),
        (
            "query_params: {state: open}",
            "query_params: {state: closed}",
            2,
        ),
        ("headers: {X-View: a}", "headers: {X-View: a}", 1),
        ("headers: {X-View: a}", "headers: {X-View: b}", 2),
        (
            "headers: {X-View: a}",
            "headers: {X-View: a}, method: POST",
            2,
        ),
        (PAGED, PAGED, 2),
        (PAGED, "pagination: {type: page, size: 20}", 4),
        (PAGED, "", 3),
        ("data_path: .", "", 2),
        ("onStatus: {404: empty}", "", 2),
        ("onStatus: {404: empty}", "onStatus: {404: empty}", 1),
        ("successWhen: 'true'", "", 2),
        ("auth: {authType: none}", "", 2),
    ] {
        let tickets = Pages::page(numbered(13));
        let rig = Rig::new(
            comments()
                .on("POST /tickets", |_| Answer::json(numbered(13)))
                .on("/tickets", move |call| match call.query("page") {
                    // Both are read by pages, or one of them.
                    Some(_) => tickets.answer(call),
                    None => Answer::json(numbered(13)),
                }),
        );
        let report = rig.sync("", &as_both(own, as_parents)).await;
        assert!(report.is_clean(), "{own} / {as_parents}: {report}");
        assert_eq!(rig.api.count("/tickets"), reads, "{own} / {as_parents}");
        assert_eq!(rig.port.identifiers("ticket").len(), 13);
        assert_eq!(rig.port.identifiers("comment").len(), 13);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_resource_selects_of_its_list_is_no_matter_for_those_who_need_all_of_it() {
    let rig = Rig::new(comments().json("/tickets", numbered(5)));
    let report = rig.sync("", &as_both("query: .id == 1", "")).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.api.count("/tickets"), 1);
    assert_eq!(rig.port.identifiers("ticket"), ["1"]);
    assert_eq!(rig.port.identifiers("comment").len(), 5);
}

#[tokio::test(start_paused = true)]
async fn three_levels_that_are_resources_too_finish_with_one_request_at_a_time_in_any_order() {
    let levels = [
        r#"
  - kind: /orgs
    port: {entity: {mappings: {identifier: .id, blueprint: '"org"'}}}"#,
        r#"
  - kind: /orgs/{org}/repos
    selector: {path_parameters: {org: {endpoint: /orgs, field: .id}}}
    port: {entity: {mappings: {identifier: '.__org + "-" + (.id | tostring)', blueprint: '"repo"'}}}"#,
        r#"
  - kind: /orgs/{org}/repos/{repo}/issues
    selector: {ORDERED, path_parameters: {repo: {endpoint: '/orgs/{org}/repos', field: .id}, org: {endpoint: /orgs, field: .id}}}
    port: {entity: {mappings: {identifier: '[.__org, .__repo, .id] | map(tostring) | join("-")', blueprint: '"issue"'}}}"#,
    ];
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        for ordered in ["ordered: true", "ordered: false"] {
            let mut rig = Rig::new(
                ScriptedApi::new()
                    .json("/orgs", numbered(3))
                    .on("/orgs/{org}/repos", |_| Answer::json(numbered(4)))
                    .on("/orgs/{org}/repos/{repo}/issues", |_| {
                        Answer::json(numbered(2))
                    }),
            );
            rig.network = rig.network.clone().latency(Duration::from_millis(100));
            let resources: String = order.iter().map(|&level| levels[level]).collect();
            let mapping = format!("resources:{resources}\n").replace("ORDERED", ordered);
            let sync = rig.sync("maxConcurrentRequests: 1", &mapping);
            let report = tokio::time::timeout(Duration::from_secs(60), sync).await;
            let report = report.unwrap_or_else(|_| panic!("{order:?} {ordered}: stands still"));
            assert!(report.is_clean(), "{order:?} {ordered}: {report}");
            assert_eq!(rig.api.requests().len(), 1 + 3 + 12, "{order:?} {ordered}");
            assert_eq!(rig.port.identifiers("issue").len(), 24);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_failed_for_one_is_asked_for_again_and_gives_each_child_once() {
    for ordered in [true, false] {
        let rig = Rig::new(
            comments()
                .pages("/tickets", Pages::page(numbered(30)))
                .fault("/tickets", 3, Answer::status(400)),
        );
        let paged = "pagination: {type: page, size: 10}";
        let mapping = as_both(paged, paged).replace(
            "path_parameters",
            &format!("ordered: {ordered}, path_parameters"),
        );
        let report = rig.sync("", &mapping).await;
        let outcomes: Vec<&str> = report.resources.iter().map(|read| read.outcome).collect();
        assert_eq!(outcomes, ["incomplete", "complete"], "{report}");
        assert_eq!(rig.port.identifiers("comment").len(), 30);
        let mut children = rig.api.paths();
        children.retain(|path| path.ends_with("/comments"));
        assert_eq!(children.len(), 30, "{children:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_of_two_resources_of_a_list_that_ends_early_leaves_it_to_the_other_for_those_who_wait()
{
    let of_all_orgs = "org: {endpoint: /orgs, field: .id}";
    // The first reads the repos of one organisation only, and the second those of all: both come before those who need them as parents.
    let mapping = format!(
        r#"
resources:
  - kind: /orgs/{{org}}/repos
    selector: {{maxChildren: 1, path_parameters: {{{of_all_orgs}}}}}
    port: {{entity: {{mappings: {{identifier: '.__org + "-" + (.id | tostring)', blueprint: '"some"'}}}}}}
  - kind: /orgs/{{org}}/repos/{{repo}}/issues
    selector: {{path_parameters: {{{of_all_orgs}, repo: {{endpoint: '/orgs/{{org}}/repos', field: .id}}}}}}
    port: {{entity: {{mappings: {{identifier: '[.__org, .__repo, .id] | map(tostring) | join("-")', blueprint: '"issue"'}}}}}}
  - kind: /orgs/{{org}}/repos
    selector: {{ordered: true, path_parameters: {{{of_all_orgs}}}}}
    port: {{entity: {{mappings: {{identifier: '.__org + "-" + (.id | tostring)', blueprint: '"repo"'}}}}}}
"#
    );
    let mut rig = Rig::new(
        ScriptedApi::new()
            .json("/orgs", numbered(8))
            .on("/orgs/{org}/repos", |_| Answer::json(numbered(2)))
            .on("/orgs/{org}/repos/{repo}/issues", |_| {
                Answer::json(numbered(1))
            }),
    );
    rig.network = rig.network.clone().latency(Duration::from_millis(100));
    let report = rig.sync("maxConcurrentRequests: 1", &mapping).await;
    let outcomes: Vec<&str> = report.resources.iter().map(|read| read.outcome).collect();
    assert_eq!(outcomes, ["incomplete", "complete", "complete"], "{report}");
    assert_eq!(rig.port.identifiers("issue").len(), 16);
    let mut lists = rig.api.paths();
    lists.retain(|path| path.ends_with("/repos"));
    // One organisation for each of the two, and the others once for all.
    assert_eq!(lists.len(), 1 + 8, "{lists:?}");
}
