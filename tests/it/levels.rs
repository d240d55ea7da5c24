//! Parameters beyond one list and one path: levels, products, windows, batches, places, what is shared and what is embedded.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use longshore_engine::{EngineBuilder, Event};
use longshore_testkit::{Answer, Pages, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Read, Rig, config, items};

/// A mapping of one kind; properties are whatever the child was told.
fn told(kind: &str, selector: &str, properties: &str) -> String {
    format!(
        r#"
resources:
  - kind: {kind}
    selector: {selector}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"item"', properties: {properties}}}}}}}
"#
    )
}

fn sorted(read: &Read) -> Vec<&str> {
    let mut identifiers = read.identifiers();
    identifiers.sort_unstable();
    identifiers
}

fn asked(rig: &Rig, prefix: &str) -> Vec<String> {
    let mut asked = rig.api.paths();
    asked.retain(|path| path.starts_with(prefix));
    asked.sort_unstable();
    asked
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

const COMMENTS: &str = "/orgs/{org}/repos/{repo}/issues/{n}/comments";
/// Written from the inside out: the order is found, not trusted.
const LEVELS: &str = "{path_parameters: {\
    n: {endpoint: '/orgs/{org}/repos/{repo}/issues', field: .number}, \
    repo: {endpoint: '/orgs/{org}/repos', field: .name}, \
    org: {endpoint: /orgs, field: .login}}}";

/// Organisations with repositories with issues with one comment each.
fn forge(orgs: u64, repos: u64, issues: u64) -> ScriptedApi {
    let many = |count: u64, key: &'static str| -> Vec<Value> {
        (1..=count)
            .map(|n| json!({key: n, "title": format!("t{n}")}))
            .collect()
    };
    let (repos, issues) = (many(repos, "name"), many(issues, "number"));
    ScriptedApi::new()
        .json("/orgs", many(orgs, "login"))
        .on("/orgs/{org}/repos", move |_| Answer::json(repos.clone()))
        .on("/orgs/{org}/repos/{repo}/issues", move |_| {
            Answer::json(issues.clone())
        })
        .on(COMMENTS, |call| {
            let id = ["org", "repo", "n"]
                .map(|name| call.parameter(name))
                .join("-");
            Answer::json(json!([{"id": id}]))
        })
}

#[tokio::test(start_paused = true)]
async fn parameters_build_on_each_other_to_any_depth_and_children_know_them_all() {
    let rig = Rig::new(forge(3, 2, 2));
    let mapping = told(
        COMMENTS,
        LEVELS,
        "{where: '[.__org, .repo, .__n] | join(\"/\")'}",
    );
    let read = rig.read("", &mapping).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 12);
    assert_eq!(rig.api.requests().len(), 1 + 3 + 6 + 12);
    let one = read
        .json()
        .into_iter()
        .find(|one| one["identifier"] == "3-2-1")
        .unwrap();
    assert_eq!(one["properties"]["where"], "3/2/1");
    assert_eq!(read.outcome.children.complete, 12);
}

#[tokio::test(start_paused = true)]
async fn three_levels_finish_with_one_request_at_a_time_and_with_many() {
    for (allowed, peak) in [(1, 1), (3, 3), (7, 7)] {
        let mut rig = Rig::new(forge(5, 4, 3));
        rig.network = rig.network.clone().latency(Duration::from_millis(100));
        let read = rig
            .read(
                &format!("maxConcurrentRequests: {allowed}"),
                &items(COMMENTS, LEVELS),
            )
            .await;
        assert!(read.outcome.is_complete(), "{:?}", read.errors);
        assert_eq!(read.entities.len(), 60);
        assert_eq!(rig.network.peak_in_flight(), peak);
    }
}

#[tokio::test(start_paused = true)]
async fn independent_parameters_give_their_product_and_no_list_is_read_twice() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/teams", numbered(3))
            .json("/years", json!([{"y": 2023}, {"y": 2024}]))
            .on("/{region}/teams/{team}/reports/{year}", |call| {
                let id = ["region", "team", "year"]
                    .map(|name| call.parameter(name))
                    .join("-");
                Answer::json(json!([{"id": id}]))
            }),
    );
    let selector = "{path_parameters: {team: {endpoint: /teams, field: .id}, region: {values: [eu, us]}, year: {endpoint: /years, field: .y}}}";
    let read = rig
        .read(
            "",
            &items("/{region}/teams/{team}/reports/{year}", selector),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 12);
    assert_eq!((rig.api.count("/teams"), rig.api.count("/years")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn parameters_go_into_query_headers_and_body_as_well() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/teams", json!([{"id": 7, "key": "a&b=c d"}]))
            .on("POST /search", |call| {
                Answer::json(json!([{"id": "x", "sent": call.json()}]))
            }),
    );
    let selector = "{method: POST, query_params: {team: '{team_id}', note: 'q {key} x{other} {', plain: '1'}, \
        headers: {X-Team: 'team {team_id}'}, \
        body: {team: '{team_id}', query: 'users(team: {team_id}) { id }', keys: ['{key}']}, \
        path_parameters: {team_id: {endpoint: /teams, field: .id}, key: {endpoint: /teams, field: .key}}}";
    let read = rig
        .read("", &told("/search", selector, "{sent: .sent}"))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(
        rig.api.count("/teams"),
        1,
        "both parameters come from one list"
    );
    let request = rig
        .api
        .requests()
        .into_iter()
        .find(|request| request.path() == "/search")
        .unwrap();
    assert_eq!(request.query("team").as_deref(), Some("7"));
    assert_eq!(
        request.query("note").as_deref(),
        Some("q a&b=c d x{other} {")
    );
    assert_eq!(request.query("plain").as_deref(), Some("1"));
    assert_eq!(request.header("x-team"), Some("team 7"));
    assert_eq!(
        read.json()[0]["properties"]["sent"],
        json!({"team": 7, "query": "users(team: 7) { id }", "keys": ["a&b=c d"]})
    );
}

#[tokio::test(start_paused = true)]
async fn batches_put_several_values_into_one_request() {
    let mut parents = numbered(7);
    parents.push(json!({"id": 3}));
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/users", parents)
            .on("/devices", |call| {
                let ids = call.query("ids").unwrap();
                Answer::json(
                    ids.split(',')
                        .map(|id| json!({"id": format!("d{id}")}))
                        .collect::<Vec<_>>(),
                )
            }),
    );
    let selector = "{query_params: {ids: '{id}'}, path_parameters: {id: {endpoint: /users, field: .id, batch: 3}}}";
    let read = rig
        .read("", &told("/devices", selector, "{of: .__id}"))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(
        asked(&rig, "/devices"),
        [
            "/devices?ids=1%2C2%2C3",
            "/devices?ids=4%2C5%2C6",
            "/devices?ids=7"
        ]
    );
    assert_eq!(sorted(&read), ["d1", "d2", "d3", "d4", "d5", "d6", "d7"]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_a_body_is_a_list_of_its_values() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/users", numbered(3))
            .on("POST /lookup", |call| {
                Answer::json(json!([{"id": call.json().to_string()}]))
            }),
    );
    let selector = "{method: POST, body: {ids: ['{id}']}, path_parameters: {id: {endpoint: /users, field: .id, batch: 2}}}";
    let read = rig.read("", &items("/lookup", selector)).await;
    assert_eq!(sorted(&read), [r#"{"ids":[1,2]}"#, r#"{"ids":[3]}"#]);
}

#[tokio::test(start_paused = true)]
async fn one_request_for_each_window_of_time() {
    let rig = Rig::new(ScriptedApi::new().on("/events", |call| {
        Answer::json(json!([{"id": call.query("since")}]))
    }));
    let selector = "{query_params: {since: '{day.from}', until: '{day.to}'}, path_parameters: {day: {from: 2024-02-28, to: 2024-03-01, step: 1d}}}";
    let read = rig
        .read(
            "",
            &told("/events", selector, "{from: .__day, to: .__day_to}"),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(
        asked(&rig, "/events"),
        [
            "/events?since=2024-02-28&until=2024-02-29",
            "/events?since=2024-02-29&until=2024-03-01"
        ]
    );
    let of_first = read
        .json()
        .into_iter()
        .find(|one| one["identifier"] == "2024-02-28")
        .unwrap();
    assert_eq!(
        of_first["properties"],
        json!({"from": "2024-02-28", "to": "2024-02-29"})
    );
}

/// Events by day, of which one request gives this many at most.
fn capped(cap: usize) -> ScriptedApi {
    // One event on the first day, two on the second, and so on.
    ScriptedApi::new().on("/events", move |call| {
        let day = |name: &str| -> u64 { call.query(name).unwrap()[8..].parse().unwrap() };
        let all = (day("since")..day("until"))
            .flat_map(|day| (1..=day).map(move |n| json!({"id": format!("{day}-{n}")})));
        Answer::json(all.take(cap).collect::<Vec<_>>())
    })
}

const EVENTS: &str = "{query_params: {since: '{w.from}', until: '{w.to}'}, path_parameters: {w: {from: 2024-01-01, to: 2024-01-09, step: 1w, cap: CAP}}}";

#[tokio::test(start_paused = true)]
async fn a_window_that_hits_the_cap_is_read_again_in_halves() {
    let rig = Rig::new(capped(9));
    let read = rig
        .read("", &items("/events", &EVENTS.replace("CAP", "9")))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut distinct = sorted(&read);
    distinct.dedup();
    assert_eq!(distinct.len(), 36, "1 + 2 + … + 8");
}

#[tokio::test(start_paused = true)]
async fn a_smallest_window_that_hits_the_cap_is_incomplete_and_the_others_go_on() {
    let rig = Rig::new(capped(7));
    let read = rig
        .read("", &items("/events", &EVENTS.replace("CAP", "7")))
        .await;
    assert_eq!(read.end(), "WindowCapped");
    let named: Vec<String> = read.errors.iter().map(ToString::to_string).collect();
    assert_eq!(named.len(), 2, "the seventh day and the eighth: {named:?}");
    assert!(
        named.iter().any(|error| error.contains("w=2024-01-07")),
        "{named:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_api_that_takes_no_note_of_its_windows_is_not_asked_for_every_second() {
    let all = json!([{"id": 1}, {"id": 2}]);
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/events", all.clone())
            .json("/events/{id}/notes", all),
    );
    let windows = "w: {from: 2020-01-01, to: 2024-01-01, step: 1y, format: unix, cap: 2}";
    let windows = windows.replace("1y", "12mo");
    let query = "query_params: {since: '{w.from}'}";
    let of_parents = format!(
        "{{path_parameters: {{id: {{endpoint: /events, field: .id, {query}}}, {windows}}}}}"
    );
    for (kind, selector) in [
        (
            "/events",
            format!("{{{query}, path_parameters: {{{windows}}}}}"),
        ),
        ("/events/{id}/notes", of_parents),
    ] {
        let before = rig.api.count("/events");
        let read = rig.read("", &items(kind, &selector)).await;
        assert_eq!(read.end(), "WindowCapped");
        let asked = rig.api.count("/events") - before;
        assert!(asked < 1_000, "{asked} requests");
        let said: Vec<String> = read.errors.iter().map(ToString::to_string).collect();
        assert!(
            said.iter().any(|error| error.contains("take note")),
            "{said:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn resources_with_different_caps_share_no_reads_of_windows() {
    for (first, second) in [
        ("", ", cap: 9"),
        (", cap: 9", ""),
        (", cap: 9", ", cap: 20"),
    ] {
        let rig = Rig::new(capped(9).on("/events/{id}/{of}", |call| {
            Answer::json(json!([{"id": call.parameter("id")}]))
        }));
        let kind = |name: &str, cap: &str| {
            format!(
                "\n  - kind: /events/{{id}}/{name}\n    selector: {{path_parameters: {{id: {{endpoint: /events, field: .id, \
                 query_params: {{since: '{{w.from}}', until: '{{w.to}}'}}}}, w: {{from: 2024-01-01, to: 2024-01-09, step: 1w{cap}}}}}}}\n    \
                 port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"{name}\"'}}}}}}"
            )
        };
        let mapping = format!("resources:{}{}", kind("a", first), kind("b", second));
        let report = rig.sync("", &mapping).await;
        for (resource, cap) in report.resources.iter().zip([first, second]) {
            // Where the API gives nine at most, and nine are all that it is known to give.
            if cap == ", cap: 9" {
                assert_eq!(resource.outcome, "complete", "{report}");
                assert_eq!(resource.entities, 36, "{report}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn windows_of_a_parents_list_are_split_too() {
    let rig = Rig::new(capped(9).on("/events/{id}/notes", |call| {
        Answer::json(json!([{"id": call.parameter("id")}]))
    }));
    let selector = EVENTS.replace("CAP", "9").replace("query_params: {since: '{w.from}', until: '{w.to}'}, ", "").replace(
        "path_parameters: {",
        "path_parameters: {id: {endpoint: /events, field: .id, query_params: {since: '{w.from}', until: '{w.to}'}}, ",
    );
    let read = rig.read("", &items("/events/{id}/notes", &selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 36);
    assert_eq!(asked(&rig, "/events/").len(), 36);
}

#[tokio::test(start_paused = true)]
async fn children_are_told_what_the_mapping_includes_of_each_parent() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json(
                "/teams",
                json!([{"id": 1, "name": "Blue", "owner": {"mail": "b@x"}}]),
            )
            .json(
                "/teams/1/members",
                json!([{"id": "a"}, {"id": "b", "name": "Bo"}]),
            ),
    );
    let selector = "{path_parameters: {team: {endpoint: /teams, field: .id, include: {__team_name: .name, name: .name, owner: .owner}}}}";
    let read = rig
        .read(
            "",
            &told(
                "/teams/{team}/members",
                selector,
                "{of: .__team_name, name: .name, mail: .owner.mail}",
            ),
        )
        .await;
    let properties: Vec<Value> = read
        .json()
        .into_iter()
        .map(|one| one["properties"].clone())
        .collect();
    assert_eq!(
        properties,
        [
            json!({"of": "Blue", "name": "Blue", "mail": "b@x"}),
            json!({"of": "Blue", "name": "Bo", "mail": "b@x"})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_field_with_several_outputs_gives_a_child_for_each() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json(
                "/teams",
                json!([{"members": [{"id": 1}, {"id": 2}]}, {"members": [{"id": 2}, {"id": 3}]}]),
            )
            .on("/members/{id}/devices", |call| {
                Answer::json(json!([{"id": call.parameter("id")}]))
            }),
    );
    let selector = "{path_parameters: {id: {endpoint: /teams, field: '.members[].id'}}}";
    let read = rig
        .read("", &items("/members/{id}/devices", selector))
        .await;
    assert_eq!(sorted(&read), ["1", "2", "3"]);
}

/// Members of teams of two companies which share a team.
fn companies() -> ScriptedApi {
    ScriptedApi::new()
        .json("/companies", json!([{"id": "a"}, {"id": "b"}]))
        .on("/companies/{c}/teams", |call| match call.parameter("c") {
            "a" => Answer::json(json!([{"id": 1}, {"id": 2}])),
            _ => Answer::json(json!([{"id": 2}, {"id": 3}])),
        })
        .on("/teams/{team}/members", |call| {
            Answer::json(json!([{"id": format!("m{}", call.parameter("team"))}]))
        })
}

const OF_COMPANIES: &str = "{path_parameters: {team: {endpoint: '/companies/{company}/teams', field: .id}, company: {endpoint: /companies, field: .id}}}";

#[tokio::test(start_paused = true)]
async fn a_value_that_comes_by_several_ways_is_asked_for_once() {
    let rig = Rig::new(companies());
    let read = rig
        .read("", &items("/teams/{team}/members", OF_COMPANIES))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["m1", "m2", "m3"]);
    assert_eq!(asked(&rig, "/teams/").len(), 3);
}

#[tokio::test(start_paused = true)]
async fn where_the_mapping_looks_at_the_way_nothing_of_it_is_lost() {
    let rig = Rig::new(companies());
    let mapping = told("/teams/{team}/members", OF_COMPANIES, "{}")
        .replace("identifier: .id", "identifier: '.__company + .id'");
    let read = rig.read("", &mapping).await;
    assert_eq!(sorted(&read), ["am1", "am2", "bm2", "bm3"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_mapping_looks_at_what_a_parent_includes_nothing_of_it_is_lost() {
    let rig = Rig::new(companies());
    let selector = OF_COMPANIES.replace(
        "{endpoint: /companies, field: .id}",
        "{endpoint: /companies, field: .id, include: {by: .id}}",
    );
    let mapping = told("/teams/{team}/members", &selector, "{}")
        .replace("identifier: .id", "identifier: '.by + .id'");
    let read = rig.read("", &mapping).await;
    assert_eq!(sorted(&read), ["am1", "am2", "bm2", "bm3"]);
}

#[tokio::test(start_paused = true)]
async fn lists_that_several_ways_lead_to_are_read_once_for_all_of_them() {
    let rig = Rig::new(companies().on("/members/{m}/devices", |call| {
        Answer::json(json!([{"id": format!("d-{}", call.parameter("m"))}]))
    }));
    let selector = OF_COMPANIES.replace(
        "{path_parameters: {",
        "{path_parameters: {m: {endpoint: '/teams/{team}/members', field: .id}, ",
    );
    let mapping = told("/members/{m}/devices", &selector, "{}")
        .replace("identifier: .id", "identifier: '.__company + .id'");
    let read = rig.read("maxConcurrentRequests: 1", &mapping).await;
    assert_eq!(sorted(&read), ["ad-m1", "ad-m2", "bd-m2", "bd-m3"]);
    assert_eq!(asked(&rig, "/teams/").len(), 3, "{:?}", rig.api.paths());
}

#[tokio::test(start_paused = true)]
async fn what_an_earlier_record_embeds_is_found_whatever_the_path_holds() {
    let teams = |ids: [u64; 2]| json!(ids.map(|id| json!({"id": id})));
    let rig = Rig::new(ScriptedApi::new().json(
        "/companies",
        json!([
            {"id": "a", "teams": teams([1, 2]), "badges": [{"id": "x"}]},
            {"id": "b", "teams": teams([2, 3]), "badges": [{"id": "y"}]},
        ]),
    ));
    let selector = "{embedded: {data_path: .badges, of: company}, path_parameters: {\
        team: {endpoint: '/companies/{company}/teams', field: .id, embedded: .teams}, company: {endpoint: /companies, field: .id}}}";
    let read = rig.read("", &items("/teams/{team}/badges", selector)).await;
    let mut found = sorted(&read);
    found.dedup();
    assert_eq!(found, ["x", "y"], "{:?}", read.errors);
    assert_eq!(rig.api.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn children_are_read_while_later_pages_of_parents_are_not_even_asked_for() {
    let rig = Rig::new(
        ScriptedApi::new()
            .pages("/tickets", Pages::page(numbered(100)))
            .on("/tickets/{id}/comments", |call| {
                Answer::json(json!([{"id": call.parameter("id")}]))
            }),
    );
    let selector = "{path_parameters: {id: {endpoint: /tickets, field: .id, pagination: {type: page, size: 10}}}}";
    let engine = rig.engine(
        "maxConcurrentRequests: 2",
        &items("/tickets/{id}/comments", selector),
    );
    let mut entities = engine.entities(&engine.resources()[0]);
    entities.next().await.unwrap().unwrap();
    assert!(rig.api.count("/tickets") <= 3, "{:?}", rig.api.paths());
    assert_eq!(
        99,
        entities
            .filter(|item| std::future::ready(item.is_ok()))
            .count()
            .await
    );
}

/// Two kinds of children of the same tickets, whose list comes in ten pages of a second each.
fn two_kinds() -> (Rig, &'static str) {
    let pages = Pages::page(numbered(100));
    let api = ScriptedApi::new()
        .on("/tickets", move |call| {
            pages.answer(call).after(Duration::from_secs(1))
        })
        .on("/tickets/{id}/comments", |call| {
            Answer::json(json!([{"id": call.parameter("id")}]))
        })
        .on("/tickets/{id}/votes", |call| {
            Answer::json(json!([{"id": call.parameter("id")}]))
        });
    (
        Rig::new(api),
        r#"
resources:
  - kind: /tickets/{id}/comments
    selector: {path_parameters: {id: {endpoint: /tickets, field: .id, pagination: {type: page, size: 10}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"'}}}
  - kind: /tickets/{t}/votes
    selector: {path_parameters: {t: {endpoint: /tickets, field: .id, pagination: {type: page, size: 10}}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"vote"'}}}
"#,
    )
}

#[tokio::test(start_paused = true)]
async fn resources_share_one_read_of_parents_and_none_waits_for_the_other() {
    let (rig, mapping) = two_kinds();
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.api.count("/tickets"), 11);
    for kind in ["comments", "votes"] {
        let times: Vec<Duration> = rig
            .api
            .requests()
            .iter()
            .filter(|seen| seen.path().ends_with(kind))
            .map(|seen| seen.at)
            .collect();
        assert_eq!(times.len(), 100);
        assert!(
            times[0] <= Duration::from_secs(1),
            "{kind} begin with the first page: {:?}",
            times[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_a_resource_itself_is_not_fetched_again_as_parents() {
    let tickets = r#"
  - kind: /tickets
    selector: {pagination: {type: page, size: 10}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"ticket"'}}}
"#;
    for first in [true, false] {
        let (rig, mapping) = two_kinds();
        let mapping = match first {
            true => mapping.replace("\nresources:\n", &format!("\nresources:{tickets}")),
            false => format!("{}{tickets}", mapping.trim_end()),
        };
        let report = rig.sync("", &mapping).await;
        assert!(report.is_clean(), "{report}");
        assert_eq!(rig.api.count("/tickets"), 11, "the resource first: {first}");
        assert_eq!(rig.port.identifiers("ticket").len(), 100);
        assert_eq!(rig.port.identifiers("vote").len(), 100);
    }
}

const REPOS_AND_ISSUES: &str = r#"
resources:
  - kind: /orgs/{org}/repos/{repo}/issues
    selector: {path_parameters: {org: {endpoint: /orgs, field: .login}, repo: {endpoint: '/orgs/{org}/repos', field: .name}}}
    port: {entity: {mappings: {identifier: '[.__org, .__repo, .number] | map(tostring) | join("-")', blueprint: '"issue"'}}}
  - kind: /orgs/{org}/repos
    selector: {path_parameters: {org: {endpoint: /orgs, field: .login}}}
    port: {entity: {mappings: {identifier: '.__org + "-" + (.name | tostring)', blueprint: '"repo"'}}}
  - kind: /orgs
    port: {entity: {mappings: {identifier: .login, blueprint: '"org"'}}}
"#;

#[tokio::test(start_paused = true)]
async fn lists_of_any_level_are_fetched_once_whoever_needs_them() {
    let rig = Rig::new(forge(3, 2, 2));
    let report = rig.sync("", REPOS_AND_ISSUES).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.api.requests().len(), 1 + 3 + 6, "{:?}", rig.api.paths());
    let counts = ["org", "repo", "issue"].map(|blueprint| rig.port.identifiers(blueprint).len());
    assert_eq!(counts, [3, 6, 12]);
}

#[tokio::test(start_paused = true)]
async fn a_resource_that_fails_leaves_those_who_need_its_list_to_ask_again() {
    let rig = Rig::with_port(
        forge(3, 2, 2).fault("/orgs/2/repos", 1, Answer::status(400)),
        PortDouble::new()
            .stale_entity("issue", "gone")
            .stale_entity("repo", "gone")
            .stale_entity("org", "gone"),
    );
    let report = rig.sync("", REPOS_AND_ISSUES).await;
    let outcomes: Vec<&str> = report
        .resources
        .iter()
        .map(|resource| resource.outcome)
        .collect();
    assert_eq!(outcomes, ["complete", "incomplete", "complete"], "{report}");
    assert_eq!(rig.port.identifiers("issue").len(), 12);
    let mut deleted: Vec<String> = rig
        .port
        .deleted()
        .into_iter()
        .map(|(blueprint, _)| blueprint)
        .collect();
    deleted.sort_unstable();
    assert_eq!(deleted, ["issue", "org"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_at_any_level_leaves_the_others_and_is_named_by_its_parents() {
    for (path, left, named) in [
        ("/orgs", 0, "RequestFailed"),
        ("/orgs/2/repos", 8, "org=2"),
        ("/orgs/2/repos/1/issues", 10, "org=2, repo=1"),
        (
            "/orgs/2/repos/1/issues/2/comments",
            11,
            "org=2, repo=1, n=2",
        ),
    ] {
        let rig = Rig::with_port(
            forge(3, 2, 2).faults(path, 1.., Answer::status(400)),
            PortDouble::new()
                .stale_entity("item", "gone")
                .stale_entity("item", "1-1-1"),
        );
        let read = rig.read("", &items(COMMENTS, LEVELS)).await;
        assert_eq!(
            (read.entities.len(), read.errors.len()),
            (left, 1),
            "{path}"
        );
        if named.contains('=') {
            let error = read.errors[0].to_string();
            assert!(error.contains(&format!("[{named}]")), "{error}");
            assert!(read.outcome.cause().unwrap().message().contains(named));
        }
        let report = rig.sync("", &items(COMMENTS, LEVELS)).await;
        assert_eq!(report.resources[0].outcome, "incomplete", "{path}");
        assert_eq!(rig.port.deleted(), [], "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_status_means_may_be_said_for_each_level() {
    let rig = Rig::new(forge(3, 2, 2).answer("/orgs/2/repos", Answer::status(404)));
    let lenient = LEVELS.replace("field: .name}", "field: .name, onStatus: {404: empty}}");
    let read = rig.read("", &items(COMMENTS, &lenient)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 8);
}

#[tokio::test(start_paused = true)]
async fn how_each_child_ended_is_told() {
    let rig = Rig::new(forge(1, 2, 2).faults(
        "/orgs/1/repos/2/issues/1/comments",
        1..,
        Answer::status(403),
    ));
    let config = config("", &items(COMMENTS, LEVELS)).unwrap();
    let told: Arc<Mutex<Vec<(String, bool)>>> = Arc::default();
    let heard = told.clone();
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .observer(move |event: &Event<'_>| {
            if let Event::ChildFinished { outcome, .. } = event {
                let values: Vec<&str> = outcome
                    .values
                    .iter()
                    .map(|(_, value)| value.as_str())
                    .collect();
                heard
                    .lock()
                    .unwrap()
                    .push((values.join("-"), outcome.cause.is_none()));
            }
        })
        .build()
        .unwrap();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    let mut told = told.lock().unwrap().clone();
    told.sort();
    let expected = [
        ("1-1-1", true),
        ("1-1-2", true),
        ("1-2-1", false),
        ("1-2-2", true),
    ];
    assert_eq!(
        told,
        expected.map(|(values, complete)| (values.to_owned(), complete))
    );
    let children = &read.outcome.children;
    assert_eq!((children.complete, children.incomplete), (3, 1));
    let first = &children.first_incomplete[0];
    assert_eq!(first.values[2], ("n".to_owned(), "1".to_owned()));
    assert_eq!(first.cause.as_ref().unwrap().name(), "RequestFailed");
}

#[tokio::test(start_paused = true)]
async fn in_order_of_the_parents_where_that_is_wanted() {
    let slow_first = |api: ScriptedApi| {
        api.on("/tickets/{id}/comments", |call| {
            let id: u64 = call.parameter("id").parse().unwrap();
            Answer::json(json!([{"id": id}])).after(Duration::from_millis(1000 - 40 * id))
        })
    };
    let selector = |ordered: bool| {
        format!(
            "{{ordered: {ordered}, path_parameters: {{id: {{endpoint: /tickets, field: .id}}}}}}"
        )
    };
    let api = || slow_first(ScriptedApi::new().json("/tickets", numbered(20)));
    let in_order: Vec<String> = (1..=20).map(|id| id.to_string()).collect();

    let rig = Rig::new(api());
    let begin = tokio::time::Instant::now();
    let read = rig
        .read("", &items("/tickets/{id}/comments", &selector(true)))
        .await;
    assert_eq!(read.identifiers(), in_order);
    assert!(
        begin.elapsed() < Duration::from_millis(1_800),
        "ten at once: {:?}",
        begin.elapsed()
    );

    let read = Rig::new(api())
        .read("", &items("/tickets/{id}/comments", &selector(false)))
        .await;
    assert_ne!(read.identifiers(), in_order);
    assert_eq!(read.entities.len(), 20);
}

#[tokio::test(start_paused = true)]
async fn more_children_than_allowed_end_the_read_with_a_clear_error() {
    let rig = Rig::new(forge(3, 2, 2));
    let limited = LEVELS.replace("{path_parameters", "{maxChildren: 5, path_parameters");
    let read = rig.read("", &items(COMMENTS, &limited)).await;
    assert_eq!(read.end(), "TooManyChildren");
    assert_eq!(read.entities.len(), 5);
    let error = read.errors[0].to_string();
    assert!(
        error.contains("more than 5") && error.contains("selector.maxChildren"),
        "{error}"
    );

    let of_one = LEVELS.replace("field: .number", "field: .number, maxChildren: 1");
    let read = rig.read("", &items(COMMENTS, &of_one)).await;
    assert_eq!(read.end(), "TooManyValues");
    assert_eq!(
        (read.entities.len(), read.errors.len()),
        (6, 6),
        "one of each list, and a word for each"
    );
}

#[tokio::test(start_paused = true)]
async fn children_that_stand_in_their_parents_need_no_request() {
    let rig = Rig::new(ScriptedApi::new().json(
        "/tickets",
        json!([{"id": 1, "comments": [{"id": "a"}, {"id": "b"}]}, {"id": 2, "comments": []}, {"id": 3, "comments": null}]),
    ).json("/tickets/3/comments", json!([{"id": "c"}])));
    let selector = "{embedded: .comments, path_parameters: {id: {endpoint: /tickets, field: .id}}}";
    let read = rig
        .read(
            "",
            &told("/tickets/{id}/comments", selector, "{ticket: .__id}"),
        )
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["a", "b", "c"]);
    assert_eq!(
        rig.api.paths(),
        ["/tickets", "/tickets/3/comments"],
        "what is not there is asked for"
    );
    assert_eq!(read.json()[0]["properties"]["ticket"], "1");
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_embedded_list_is_read_by_its_link_or_cursor() {
    let tickets =
        |next: &str| json!([{"id": 1, "comments": {"nodes": [{"id": "a"}], "next": next}}]);
    let rest = |call: &longshore_testkit::Call| match call.query("after").as_deref() {
        Some("x") => Answer::json(
            json!({"data": [{"id": "b"}], "next": "/tickets/1/comments?after=y", "next_cursor": "y"}),
        ),
        Some("y") => {
            Answer::json(json!({"data": [{"id": "c"}], "next": null, "next_cursor": null}))
        }
        _ => Answer::status(400),
    };
    for (next, style) in [
        (
            "/tickets/1/comments?after=x",
            "{type: next_link, nextLinkPath: next}",
        ),
        (
            "https://api.example.com/tickets/1/comments?after=x",
            "{type: next_link, nextLinkPath: next}",
        ),
        ("x", "{type: cursor, param: after}"),
    ] {
        let rig = Rig::new(
            ScriptedApi::new()
                .json("/tickets", tickets(next))
                .on("/tickets/{id}/comments", rest),
        );
        let selector = format!(
            "{{data_path: .data, pagination: {style}, embedded: {{data_path: .comments.nodes, next: .comments.next}}, path_parameters: {{id: {{endpoint: /tickets, field: .id, pagination: {{type: none}}}}}}}}"
        );
        let read = rig
            .read("", &items("/tickets/{id}/comments", &selector))
            .await;
        assert!(
            read.outcome.is_complete(),
            "{next} {style}: {:?}",
            read.errors
        );
        assert_eq!(read.identifiers(), ["a", "b", "c"], "{next} {style}");
    }
    for foreign in [
        "https://evil.example/x",
        "//evil.example/x",
        "https://api.example.com@evil.example/",
    ] {
        let rig = Rig::new(ScriptedApi::new().json("/tickets", tickets(foreign)));
        let selector = "{data_path: .data, pagination: {type: next_link, nextLinkPath: next}, embedded: {data_path: .comments.nodes, next: .comments.next}, path_parameters: {id: {endpoint: /tickets, field: .id, pagination: {type: none}}}}";
        let read = rig
            .read("", &items("/tickets/{id}/comments", selector))
            .await;
        assert!(!read.outcome.is_complete(), "{foreign}");
        assert_eq!(rig.network.strangers().len(), 0, "{foreign}");
    }
}

#[tokio::test(start_paused = true)]
async fn lists_of_parents_may_be_embedded_too() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/orgs", json!([{"login": "a", "repos": [{"name": "x"}, {"name": "y"}]}, {"login": "b", "repos": []}]))
            .on("/orgs/{org}/repos/{repo}/tags", |call| Answer::json(json!([{"id": call.parameter("repo")}]))),
    );
    let selector = "{path_parameters: {org: {endpoint: /orgs, field: .login}, repo: {endpoint: '/orgs/{org}/repos', field: .name, embedded: .repos}}}";
    let read = rig
        .read("", &items("/orgs/{org}/repos/{repo}/tags", selector))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["x", "y"]);
    assert_eq!(rig.api.requests().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn dropping_the_stream_ends_the_work_of_all_levels() {
    for after in [0, 1, 7] {
        let mut rig = Rig::new(forge(5, 4, 3));
        rig.network = rig.network.clone().latency(Duration::from_secs(1));
        let before = alive_tasks();
        let engine = rig.engine("", &items(COMMENTS, LEVELS));
        let mut entities = engine.entities(&engine.resources()[0]);
        for _ in 0..after {
            entities.next().await.unwrap().unwrap();
        }
        tokio::time::timeout(Duration::from_millis(500), async {
            while entities.next().await.is_some() {}
        })
        .await
        .unwrap_err();
        assert!(rig.network.in_flight() > 0);
        drop(entities);
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(
            (rig.network.in_flight(), alive_tasks()),
            (0, before),
            "after {after}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_that_is_refused_at_one_level_is_that_parents_error() {
    let rig = Rig::new(forge(1, 1, 1).json("/orgs", json!([{"login": ".."}, {"login": 1}])));
    let read = rig.read("", &items(COMMENTS, LEVELS)).await;
    assert_eq!(read.identifiers(), ["1-1-1"]);
    assert_eq!(read.end(), "ParametersFailed");
    assert_eq!(read.outcome.failed, 1);
    assert!(rig.api.paths().iter().all(|path| !path.contains("..")));
}

const SEVERAL: &str = r#"
resources:
  - kind: /orgs
    port: {entity: {mappings: {identifier: .login, blueprint: '"org"'}}}
  - kind: /orgs/{org}/repos/{repo}/issues/{n}/comments
    selector: {path_parameters: {org: {endpoint: /orgs, field: .login}, repo: {endpoint: '/orgs/{org}/repos', field: .name},
      n: {endpoint: '/orgs/{org}/repos/{repo}/issues', field: .number}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"'}}}
  - kind: /{region}/orgs/{org}/bills/{day}
    selector: {path_parameters: {org: {endpoint: /orgs, field: .login}, region: {values: [a, b, c, d, e], batch: 2}, day: {from: 2024-01-01, to: 2024-01-08, step: 1d}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"bill"'}}}
"#;

#[tokio::test(start_paused = true)]
async fn how_much_will_be_asked_is_known_before_it_is_asked() {
    let rig = Rig::new(forge(3, 2, 2));
    let engine = rig.engine("", SEVERAL);
    let estimate = engine.estimate(&[]);
    assert_eq!(rig.api.requests().len(), 0);
    assert_eq!(
        estimate.to_string(),
        "/orgs\n    /orgs: 1 list\n\
         /orgs/{org}/repos/{repo}/issues/{n}/comments\n    /orgs: 1 list (read for /orgs)\n    \
         /orgs/{org}/repos: 1 list for each {org}\n    \
         /orgs/{org}/repos/{repo}/issues: 1 list for each {org}, {repo}\n    \
         /orgs/{org}/repos/{repo}/issues/{n}/comments: 1 list for each {org}, {repo}, {n}\n\
         /{region}/orgs/{org}/bills/{day}\n    /orgs: 1 list (read for /orgs)\n    \
         /{region}/orgs/{org}/bills/{day}: 21 lists for each {org}\n\
         at least 1 request, and those that are not known yet, and one for each further page"
    );
    assert_eq!(requests(&estimate), (1, false));

    let counted = engine.count_children(&[]).await;
    assert_eq!(
        rig.api.requests().len(),
        1 + 3 + 6,
        "the lists of parents, each once: {:?}",
        rig.api.paths()
    );
    assert_eq!(requests(&counted), (1 + 3 + 6 + 12 + 63, true), "{counted}");
    let of_one = engine.count_children(&["/orgs".to_owned()]).await;
    assert_eq!(requests(&of_one), (1, true));
}

#[tokio::test(start_paused = true)]
async fn an_estimate_counts_distinct_values_batches_and_what_is_too_much() {
    let rig = Rig::new(forge(1, 1, 1));
    for (kind, selector, said) in [
        (
            "/p/{x}",
            "{path_parameters: {x: {values: [a, b, a]}}}",
            "/p/{x}: 2 lists\n",
        ),
        (
            "/look",
            "{query_params: {ids: '{x}'}, path_parameters: {x: {endpoint: /orgs, field: .login, batch: 4}}}",
            "/look: 1 list for each 4 of {x}\n",
        ),
        (
            "/p/{x}",
            "{maxChildren: 2, path_parameters: {x: {values: [a, b, c]}}}",
            "there are more than 2 children; give fewer values or windows, or raise selector.maxChildren",
        ),
    ] {
        let engine = rig.engine("", &items(kind, selector));
        let estimate = engine.estimate(&[]).to_string();
        assert!(estimate.contains(said), "{estimate}");
    }
}

#[tokio::test(start_paused = true)]
async fn parents_are_chosen_at_the_time_that_a_mapping_is_told() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/tickets", json!([{"id": 1, "due": 40, "notes": [{"id": "a"}]}, {"id": 2, "due": 60, "notes": [{"id": "b"}]}]))
            .json("/tickets/{id}/notes", json!([])),
    );
    let selector = "{embedded: '.notes | map(. + {at: now})', path_parameters: {id: {endpoint: /tickets, field: .id, filter: '.due < now', \
                    include: {__now: now}}}}";
    let mapping = told("/tickets/{id}/notes", selector, "{at: .at, now: .__now}");
    let config = config("", &mapping).unwrap();
    let engine = EngineBuilder::from_config(&config)
        .unwrap()
        .transport(rig.network.transport())
        .now(50.0)
        .build()
        .unwrap();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert_eq!(read.identifiers(), ["a"]);
    assert_eq!(read.json()[0]["properties"], json!({"at": 50, "now": 50}));
}

#[tokio::test(start_paused = true)]
async fn a_count_of_children_says_what_it_could_not_count() {
    let rig = Rig::new(forge(3, 2, 2).faults("/orgs/2/repos", 1.., Answer::status(400)));
    let engine = rig.engine("", &items(COMMENTS, LEVELS));
    let counted = engine.count_children(&[]).await;
    let problems = &counted.resources[0].problems;
    assert!(
        problems.len() == 1 && problems[0].contains("org=2"),
        "{problems:?}"
    );
    assert_eq!(requests(&counted), (1 + 3 + 4 + 8, false), "{counted}");
}

#[tokio::test(start_paused = true)]
async fn children_that_stand_in_their_parents_count_for_nothing() {
    let parents = json!([{"id": 1, "comments": [{"id": "a"}]}, {"id": 2, "comments": null}]);
    let rig = Rig::new(ScriptedApi::new().json("/tickets", parents));
    let selector = "{embedded: .comments, path_parameters: {id: {endpoint: /tickets, field: .id}}}";
    let engine = rig.engine("", &items("/tickets/{id}/comments", selector));
    assert_eq!(requests(&engine.estimate(&[])), (1, false));
    assert_eq!(requests(&engine.count_children(&[]).await), (2, true));
}

#[test]
fn every_example_of_the_chapter_on_nested_endpoints_is_a_resource() {
    let readme = include_str!("../../README.md");
    let (_, chapter) = readme.split_once("\n## Nested endpoints\n").unwrap();
    let (chapter, _) = chapter.split_once("\n## ").unwrap();
    let examples: Vec<&str> = chapter
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 8);
    for example in examples {
        let lines: String = example
            .lines()
            .map(|line| format!("    {line}\n"))
            .collect();
        let mapping = format!(
            "resources:\n  -\n{lines}    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"x\"'}}}}}}\n"
        );
        let config = config("", &mapping);
        assert!(config.is_ok(), "{example}: {}", config.unwrap_err());
    }
}

fn problems(kind: &str, selector: &str) -> String {
    config("", &items(kind, selector)).unwrap_err().to_string()
}

#[test]
fn parameters_that_cannot_work_are_refused_before_any_request_with_their_place() {
    for (kind, selector, part) in [
        (
            "/x/{a}",
            "{path_parameters: {a: {endpoint: '/y/{b}', field: .id}, b: {endpoint: '/z/{a}', field: .id}}}",
            "path_parameters.a: builds on itself (a → b → a)",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {endpoint: '/y/{b}', field: .id}}}",
            "path_parameters.a.endpoint: the path holds {b} but nothing says",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {values: [1]}, b: {values: [1]}}}",
            "path_parameters.b: is not used",
        ),
        (
            "/x/{a.from}",
            "{path_parameters: {a: {values: [1]}}}",
            "path_parameters.a: is asked for as {a.from} or {a.to}, but only a window of time",
        ),
        (
            "/x",
            "{query_params: {q: 'since:{a.to}'}, path_parameters: {a: {endpoint: /y, field: .id}}}",
            "path_parameters.a: is asked for as {a.from} or {a.to}, but only a window of time",
        ),
        (
            "/x",
            "{query_params: {q: '{nope}'}}",
            "query_params.q: holds {nope} but nothing says",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {endpoint: /y, field: .id, batch: 0}}}",
            "path_parameters.a.batch: is 0",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {endpoint: /y, field: .id, batch: 2, include: {b: .c}}}}",
            "path_parameters.a.include: cannot go along with batch",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {endpoint: /y, field: .id, include: {b: '.c |'}}}}",
            "path_parameters.a.include.b: ",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {from: never, step: 1d}}}",
            "path_parameters.a.from: is no moment",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {from: now-2d}}}",
            "path_parameters.a.step: is missing",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {from: now-2d, step: daily}}}",
            "path_parameters.a.step: is no length",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {values: []}}}",
            "path_parameters.a.values: is empty",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {values: eu}}}",
            "path_parameters.a.values: must be a list",
        ),
        (
            "/x/{a}",
            "{path_parameters: {a: {values: [1], endpoint: /y}}}",
            "path_parameters.a.values: cannot stand beside another source of values; choose one of endpoint, values, from",
        ),
        (
            "/x/{a}",
            "{embedded: .b, path_parameters: {a: {values: [1]}}}",
            "selector.embedded: has no parent record",
        ),
        (
            "/x/{a}",
            "{embedded: '.b |', path_parameters: {a: {endpoint: /y, field: .id}}}",
            "selector.embedded",
        ),
    ] {
        let problems = problems(kind, selector);
        assert!(problems.contains(part), "{selector}: {problems}");
    }
    let names: Vec<String> = (0..10).map(|n| format!("p{n}")).collect();
    let chain: Vec<String> = (0..10)
        .map(|n| match n {
            0 => "p0: {endpoint: /y, field: .id}".to_owned(),
            n => format!("p{n}: {{endpoint: '/y/{{{}}}', field: .id}}", names[n - 1]),
        })
        .collect();
    let problems = problems(
        "/x/{p9}",
        &format!("{{path_parameters: {{{}}}}}", chain.join(", ")),
    );
    assert!(problems.contains("lists deep"), "{problems}");
}

/// How many there are at least, and whether that is known to be all.
fn requests(estimate: &longshore_engine::Estimate) -> (u64, bool) {
    (estimate.least_requests(), estimate.is_exact())
}
