//! Parameters: what may be written of them, and what becomes of values that are alike, hostile or many.

use longshore_testkit::{Answer, ScriptedApi};
use serde_json::{Value, json};

use crate::rig::{Read, Rig, config, items};

fn sorted(read: &Read) -> Vec<&str> {
    let mut identifiers = read.identifiers();
    identifiers.sort_unstable();
    identifiers
}

fn problems(kind: &str, selector: &str) -> String {
    config("", &items(kind, selector)).unwrap_err().to_string()
}

#[tokio::test(start_paused = true)]
async fn equal_values_of_which_children_are_told_something_else_lose_none_of_their_children() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json(
                "/seats",
                json!([{"user": 1, "team": "a"}, {"user": 1, "team": "b"}, {"user": 1, "team": "b"}, {"user": 2, "team": "a"}]),
            )
            .on("/users/{id}/roles", |call| {
                Answer::json(json!([{"id": call.parameter("id")}]))
            }),
    );
    let selector = "{path_parameters: {id: {endpoint: /seats, field: .user, include: {__team: .team, __other: .team}}}}";
    let mapping = items("/users/{id}/roles", selector);
    let by_team = mapping.replace("identifier: .id", "identifier: '.__team + .id'");
    let read = rig.read("", &by_team).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(sorted(&read), ["a1", "a2", "b1"]);
    let before = rig.api.requests().len();
    let read = rig.read("", &mapping).await;
    assert_eq!(
        sorted(&read),
        ["1", "2"],
        "what nobody looks at is no difference"
    );
    assert_eq!(rig.api.requests().len() - before, 3);
}

#[tokio::test(start_paused = true)]
async fn nor_do_they_at_depth() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json(
                "/companies",
                json!([{"id": "a", "n": 1}, {"id": "b", "n": 2}, {"id": "b", "n": 3}]),
            )
            .json("/companies/{c}/teams", json!([{"id": 7}, {"id": 8}]))
            .on("/teams/{team}/members", |call| {
                Answer::json(json!([{"id": call.parameter("team")}]))
            }),
    );
    let selector = "{path_parameters: {team: {endpoint: '/companies/{company}/teams', field: .id}, \
        company: {endpoint: /companies, field: .id, include: {__n: .n}}}}";
    let mapping = items("/teams/{team}/members", selector).replace(
        "identifier: .id",
        "identifier: '(.__n | tostring) + \"-\" + .id'",
    );
    for at_once in [1, 10] {
        let read = rig
            .read(&format!("maxConcurrentRequests: {at_once}"), &mapping)
            .await;
        assert!(read.outcome.is_complete(), "{:?}", read.errors);
        assert_eq!(sorted(&read), ["1-7", "1-8", "2-7", "2-8", "3-7", "3-8"]);
    }
}

#[test]
fn a_name_that_is_no_parameter_is_refused_wherever_it_stands_in_query_or_headers() {
    let of_list = "path_parameters: {a: {endpoint: /y, field: .id}}";
    for text in [
        "p-{z}",
        "{z}",
        "{a}{z}",
        "{a}/{z.to}",
        "{z}-{a}",
        "is:open team:{z} x",
    ] {
        for (selector, place) in [
            (format!("{{query_params: {{q: '{text}'}}, {of_list}}}"), "selector.query_params.q"),
            (format!("{{headers: {{X-Q: '{text}'}}, {of_list}}}"), "selector.headers.X-Q"),
            (
                format!("{{path_parameters: {{a: {{endpoint: /y, field: .id, query_params: {{q: '{text}'}}, b: 1}}}}}}").replace(", b: 1", ""),
                "selector.path_parameters.a.query_params.q",
            ),
            (
                format!("{{path_parameters: {{a: {{endpoint: /y, field: .id, headers: {{X-Q: '{text}'}}}}}}}}"),
                "selector.path_parameters.a.headers.X-Q",
            ),
        ] {
            let problems = problems("/x/{a}", &selector);
            let part = format!("{place}: holds {{z");
            assert!(problems.contains(&part), "{text}: {problems}");
            assert!(problems.contains("add selector.path_parameters.z"), "{problems}");
        }
    }
}

#[test]
fn braces_that_are_no_parameter_stay_text_and_are_told_of_where_they_look_like_one() {
    for (text, warned) in [
        (r#"{"a": {"b": 1}}"#, false),
        ("posts{message}", true),
        ("{viewer{login}}", true),
        ("posts{id,message}", false),
        ("^x{2}$", false),
        ("{}", false),
    ] {
        let selector =
            format!("{{query_params: {{q: '{text}'}}, path_parameters: {{a: {{values: [1]}}}}}}");
        let config = config("", &items("/x/{a}", &selector)).unwrap();
        let told = config
            .warnings
            .iter()
            .any(|it| it.to_string().contains("is sent as it stands"));
        assert_eq!(told, warned, "{text}: {:?}", config.warnings);
    }
    let graphql = "{method: POST, body: {query: 'query { team(id: {a}) { z {z} } }'}, path_parameters: {a: {values: [1]}}}";
    assert!(config("", &items("/x/{a}", graphql)).is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_bad_value_of_a_batch_is_that_parents_error_and_the_others_are_asked_for() {
    for (kind, selector, bad) in [
        (
            "/devices",
            "{query_params: {ids: '{id}'}, path_parameters: {PARAMETER}}",
            json!(["", "a\nb"]),
        ),
        (
            "/devices",
            "{headers: {X-Ids: '{id}'}, path_parameters: {PARAMETER}}",
            json!(["", "a\u{0}b"]),
        ),
        (
            "/devices",
            "{method: POST, body: {ids: ['{id}']}, path_parameters: {PARAMETER}}",
            json!(["", ""]),
        ),
        (
            "/devices/{id}",
            "{path_parameters: {PARAMETER}}",
            json!(["..", "%2e", "", "a\tb"]),
        ),
    ] {
        let parents: Vec<Value> = [json!(1), json!(2)]
            .into_iter()
            .chain(bad.as_array().unwrap().clone())
            .chain([json!(3)])
            .map(|id| json!({"id": id}))
            .collect();
        let rig = Rig::new(
            ScriptedApi::new()
                .json("/users", parents)
                .json("/devices", json!([{"id": "x"}]))
                .json("POST /devices", json!([{"id": "x"}]))
                .json("/devices/{ids}", json!([{"id": "x"}])),
        );
        let selector =
            selector.replace("PARAMETER", "id: {endpoint: /users, field: .id, batch: 50}");
        let read = rig.read("", &items(kind, &selector)).await;
        assert_eq!(read.end(), "ParametersFailed", "{selector}");
        assert_eq!(
            read.errors.len(),
            bad.as_array().unwrap().len(),
            "{selector}: {:?}",
            read.errors
        );
        assert_eq!(read.identifiers(), ["x"], "{selector}");
        let asked = &rig.api.requests()[1];
        let all = format!(
            "{} {:?} {:?}",
            asked.path_and_query(),
            asked.header("x-ids"),
            asked.json()
        );
        let is_all = all.contains("1%2C2%2C3")
            || all.contains("1,2,3")
            || asked.json() == json!({"ids": [1, 2, 3]});
        assert!(is_all, "{all}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_batch_is_text_like_the_others_though_it_is_one_number() {
    let rig = Rig::new(ScriptedApi::new().json("/look", json!([])));
    let selector = "{method: POST, body: {ids: '{x}', one: '{y}'}, path_parameters: {x: {values: [0, 1, 2, 3], batch: 3}, y: {values: [7]}}}";
    let read = rig.read("", &items("/look", selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut bodies: Vec<Value> = rig
        .api
        .requests()
        .iter()
        .map(|asked| asked.json())
        .collect();
    bodies.sort_by_key(Value::to_string);
    assert_eq!(
        bodies,
        [
            json!({"ids": "0,1,2", "one": 7}),
            json!({"ids": "3", "one": 7})
        ]
    );
}

#[test]
fn names_that_end_as_windows_do_are_refused() {
    let problems = problems("/p/{x.from}", "{path_parameters: {x.from: {values: [a]}}}");
    assert!(problems.contains("ends in .from"), "{problems}");
    assert!(!problems.contains("is not used"), "{problems}");
}

#[test]
fn known_values_that_can_never_be_asked_for_are_refused_before_any_request() {
    for (kind, values, parts) in [
        ("/p/{x}", "[null]", &["values[0]: is null"][..]),
        (
            "/p/{x}",
            "[a, ~, '']",
            &["values[1]: is null", "values[2]: is empty"],
        ),
        (
            "/p/{x}",
            "['..', a, '%2e']",
            &[
                "values[0]: the value for {x} is, or has",
                "values[2]: the value",
            ],
        ),
        (
            "/p/{+x}",
            "['a/../b']",
            &["values[0]: the value for {x} is, or has"],
        ),
        ("/p/{x}", "[{}]", &["values[0]: must be text"]),
        (
            "/p?q={x}",
            "[\"a\\nb\"]",
            &["values[0]: the value for {x} holds a control character"],
        ),
    ] {
        for batch in ["", ", batch: 5"] {
            let problems = problems(
                kind,
                &format!("{{path_parameters: {{x: {{values: {values}{batch}}}}}}}"),
            );
            for part in parts {
                assert!(problems.contains(part), "{values}: {problems}");
            }
            let lines = problems
                .lines()
                .filter(|line| line.contains("values"))
                .count();
            assert_eq!(lines, parts.len(), "{values}: {problems}");
        }
    }
    for fine in ["['..']", "[0, 1.5, true, 'null']"] {
        let selector =
            format!("{{query_params: {{q: '{{x}}'}}, path_parameters: {{x: {{values: {fine}}}}}}}");
        assert!(config("", &items("/p", &selector)).is_ok(), "{fine}");
    }
}

#[test]
fn sources_that_exclude_each_other_and_limits_of_nothing_are_one_clear_line() {
    for (parameter, part) in [
        (
            "{step: 1d}",
            "path_parameters.a.from: is missing; write where the first window",
        ),
        (
            "{step: 1d, to: now}",
            "path_parameters.a.from: is missing; write where the first window",
        ),
        (
            "{values: [1], from: now-2d, step: 1d}",
            "path_parameters.a.from: cannot stand beside another source",
        ),
        (
            "{endpoint: /y, field: .id, from: now-2d, step: 1d}",
            "path_parameters.a.from: cannot stand beside another source",
        ),
        (
            "{endpoint: /y, field: .id, values: [1]}",
            "path_parameters.a.values: cannot stand beside another source",
        ),
        (
            "{endpoint: /y, field: .id, maxChildren: 0}",
            "path_parameters.a.maxChildren: is 0",
        ),
    ] {
        for kind in ["/x/{a}", "/x?q={a}"] {
            let problems = problems(kind, &format!("{{path_parameters: {{a: {parameter}}}}}"));
            assert!(problems.contains(part), "{parameter}: {problems}");
            let lines = problems
                .lines()
                .filter(|line| line.contains("selector"))
                .count();
            assert_eq!(lines, 1, "{parameter}: {problems}");
        }
    }
    let none = problems(
        "/x/{a}",
        "{maxChildren: 0, path_parameters: {a: {values: [1]}}}",
    );
    assert!(none.contains("selector.maxChildren: is 0"), "{none}");
}

#[tokio::test(start_paused = true)]
async fn an_error_that_names_a_hostile_value_is_one_line() {
    let values = [
        "a\r\nb",
        "\u{1b}[31mred",
        "x\u{202e}y",
        &"long ".repeat(1_000),
    ];
    let parents: Vec<Value> = values.iter().map(|id| json!({"id": id})).collect();
    let rig = Rig::new(ScriptedApi::new().json("/users", parents));
    let selector = "{path_parameters: {id: {endpoint: /users, field: .id}}}";
    let read = rig.read("", &items("/users/{id}/x", selector)).await;
    assert_eq!(read.errors.len(), 4);
    let causes = read.outcome.causes.iter().map(|cause| cause.to_string());
    for text in read
        .errors
        .iter()
        .map(|error| error.to_string())
        .chain(causes)
    {
        assert!(
            !text.contains(|c: char| c.is_control() || c == '\u{202e}'),
            "{text:?}"
        );
        assert!(text.len() < 500, "{text}");
    }
}

/// The same list as a resource, and as parents written in another way.
#[tokio::test(start_paused = true)]
async fn one_list_written_in_two_ways_is_fetched_once() {
    let regions = "a: {values: [eu, us]}, b: {values: ['1', '2']}";
    let backwards = "b: {values: ['1', '2']}, a: {values: [eu, us]}";
    for (kind, own, endpoint, of_parents, others) in [
        ("'/l/{a}/{b}'", regions, "'/l/{a}/{b}'", "", backwards),
        ("'/l/{a}/{b}'", regions, "'l/{a}/{b}'", "", regions),
        ("l/1", "", "/l/1", "", ""),
        (
            "/l/1",
            "HEADERS",
            "/l/1",
            ", headers: {x-b: '2', X-A: '1'}",
            "",
        ),
    ] {
        let own = match own {
            "" => String::new(),
            "HEADERS" => "headers: {x-a: '1', X-B: '2'}".to_owned(),
            own => format!("path_parameters: {{{own}}}"),
        };
        let others = if others.is_empty() {
            String::new()
        } else {
            format!(", {others}")
        };
        for parents_first in [false, true] {
            let one = format!(
                "  - kind: {kind}\n    selector: {{{own}}}\n    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"one\"'}}}}}}\n"
            );
            let two = format!(
                "  - kind: /m/{{m}}\n    selector: {{path_parameters: {{m: {{endpoint: {endpoint}, field: .id{of_parents}}}{others}}}}}\n    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"two\"'}}}}}}\n"
            );
            let mapping = match parents_first {
                true => format!("resources:\n{two}{one}"),
                false => format!("resources:\n{one}{two}"),
            };
            let api = ScriptedApi::new()
                .on("/l/{a}/{b}", |call| {
                    Answer::json(
                        json!([{"id": format!("{}{}", call.parameter("a"), call.parameter("b"))}]),
                    )
                })
                .json("/l/1", json!([{"id": "x"}]))
                .json("/m/{m}", json!([{"id": "y"}]));
            let rig = Rig::new(api);
            let report = rig.sync("", &mapping).await;
            assert!(report.is_clean(), "{report}");
            let mut asked = rig.api.paths();
            asked.retain(|path| path.starts_with("/l/"));
            let count = asked.len();
            asked.sort_unstable();
            asked.dedup();
            assert_eq!(asked.len(), count, "{mapping}");
        }
    }
}

/// Events of two axes, of which one request gives two at most.
#[tokio::test(start_paused = true)]
async fn two_windows_with_a_cap_are_halved_in_turn() {
    let rig = Rig::new(ScriptedApi::new().on("/events", |call| {
        let day = |name: &str| call.query(name).unwrap()[8..].parse::<u64>().unwrap();
        let mut found = Vec::new();
        for one in day("a")..day("b") {
            for two in day("c")..day("d") {
                found.push(json!({"id": format!("{one}-{two}")}));
            }
        }
        found.truncate(2);
        Answer::json(found)
    }));
    let selector = "{query_params: {a: '{x.from}', b: '{x.to}', c: '{y.from}', d: '{y.to}'}, path_parameters: {\
        x: {from: 2024-01-01, to: 2024-01-05, step: 1w, cap: 2}, y: {from: 2024-01-01, to: 2024-01-04, step: 1w, cap: 2}}}";
    let read = rig.read("", &items("/events", selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let mut found = sorted(&read);
    found.dedup();
    assert_eq!(found.len(), 12, "{found:?}");
}

#[test]
fn more_windows_than_may_be_read_are_counted_no_further() {
    let rig = Rig::new(ScriptedApi::new());
    let selector = "{maxChildren: 1000, query_params: {q: '{t}'}, path_parameters: {t: {from: 2000-01-01, to: 2400-01-01, step: 1s}}}";
    let engine = rig.engine("", &items("/events", selector));
    let begin = std::time::Instant::now();
    let estimate = engine.estimate(&[]);
    assert!(
        estimate.to_string().contains("at least 1000 lists"),
        "{estimate}"
    );
    assert!(begin.elapsed() < std::time::Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_embedded_list_follows_the_rules_of_its_paging() {
    let link = "pagination: {type: next_link, nextLinkPath: next}";
    let in_body = "method: POST, body: {query: q}, pagination: {type: cursor, param: variables.after, paramIn: body, cursorPath: next}";
    let in_header = "pagination: {type: cursor, param: X-After, paramIn: header, cursorPath: next}";
    let rebased = "http://internal.example/tickets/1/comments?after=c1";
    for (connection, next, more) in [
        ("", "c1", in_body),
        ("", "c1", in_header),
        ("", "?after=c1", link),
        ("nextLinkOrigin: rebase", rebased, link),
    ] {
        let rest = |call: &longshore_testkit::Call| {
            let request = &call.request;
            let after = match request.method.as_str() {
                "POST" => call.json()["variables"]["after"]
                    .as_str()
                    .map(str::to_owned),
                _ => {
                    let header = request.headers.get("x-after");
                    let header = header.and_then(|value| value.to_str().ok());
                    call.query("after").or(header.map(str::to_owned))
                }
            };
            match after.as_deref() {
                Some("c1") => Answer::json(json!({"data": [{"id": "b"}], "next": null})),
                _ => Answer::status(400),
            }
        };
        let parent = json!([{"id": 1, "comments": {"nodes": [{"id": "a"}], "next": next}}]);
        let rig = Rig::new(
            ScriptedApi::new()
                .json("/tickets", parent)
                .on("/tickets/{id}/comments", rest)
                .on("POST /tickets/{id}/comments", rest),
        );
        let selector = format!(
            "{{data_path: .data, {more}, embedded: {{data_path: .comments.nodes, next: .comments.next}}, \
             path_parameters: {{id: {{endpoint: /tickets, field: .id, pagination: {{type: none}}}}}}}}"
        );
        let read = rig
            .read(connection, &items("/tickets/{id}/comments", &selector))
            .await;
        assert!(
            read.outcome.is_complete(),
            "{next} {more}: {:?}",
            read.errors
        );
        assert_eq!(read.identifiers(), ["a", "b"], "{next} {more}");
        assert_eq!(rig.network.strangers().len(), 0);
    }
}
