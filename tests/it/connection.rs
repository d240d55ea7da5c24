//! The rows of the two files: what each setting does to the requests that the API and Port see.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_engine::{Config, EngineBuilder};
use longshore_testkit::{
    Answer, Network, Pages, PortCall, PortDouble, ScriptedApi, Seen, numbered,
};
use serde_json::{Value, json};
use tracing_subscriber::fmt::format::FmtSpan;

use crate::rig::{API, Read, Rig, config, items};

/// An API that gives one record wherever it is asked, and the one request that these two files make of it.
async fn asked(connection: &str, mapping: &str) -> Seen {
    let rig = Rig::new(ScriptedApi::new().on("/{+path}", |_| Answer::json(json!([{"id": 1}]))));
    let read = rig.read(connection, mapping).await;
    assert_eq!(read.identifiers(), ["1"], "{connection}: {:?}", read.errors);
    let requests = rig.api.requests();
    assert_eq!(requests.len(), 1, "{connection}");
    requests[0].clone()
}

fn from_environment(variables: &[(&str, &str)], mapping: &str) -> Config {
    Config::loader()
        .environment([("OCEAN__INTEGRATION__CONFIG__BASE_URL", API)])
        .environment(variables.iter().copied())
        .mapping_text("mapping.yaml", mapping)
        .load()
        .unwrap()
}

fn refused(connection: &str) -> String {
    config(connection, &items("/items", "{}"))
        .unwrap_err()
        .to_string()
}

#[tokio::test(start_paused = true)]
async fn base_url_and_kind_are_joined_by_exactly_one_slash() {
    for base in ["https://h.example/api/v2", "https://h.example/api/v2/"] {
        for kind in ["users", "/users", "/users?sort=id"] {
            let rig = Rig::at(
                base,
                ScriptedApi::new().json("/api/v2/users", json!([{"id": 1}])),
            );
            let config = Config::loader()
                .connection_text("connection.yaml", &format!("baseUrl: {base}"))
                .mapping_text(
                    "mapping.yaml",
                    &items(kind, "{query_params: {active: true}}"),
                )
                .load()
                .unwrap();
            let read = rig.read_from(&config).await;
            assert_eq!(
                read.identifiers(),
                ["1"],
                "{base} and {kind}: {:?}",
                read.errors
            );
            let query = if kind.contains('?') {
                "sort=id&active=true"
            } else {
                "active=true"
            };
            assert_eq!(rig.api.paths(), [format!("/api/v2/users?{query}")]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_in_the_base_url_goes_out_with_every_request_and_is_shown_nowhere() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::FULL)
        .with_writer({
            let log = log.clone();
            move || log.clone()
        })
        .finish();
    let _traced = tracing::subscriber::set_default(subscriber);

    // Links of this API leave the key out, as those of most APIs do.
    let api = ScriptedApi::new()
        .query_key("apiKey", "s3cr3t-key")
        .on("/api/boards", |call| match call.query("page").as_deref() {
            None => Answer::json(json!({"value": [{"id": 1}], "next": "/api/boards?page=2"})),
            Some(_) => Answer::json(json!({"value": [{"id": 2}], "next": null})),
        })
        .answer("/api/boards/{id}/cards", Answer::status(500));
    let rig = Rig::new(api);
    let mapping = r#"
resources:
  - kind: /boards
    selector: {query: 'true', data_path: .value}
    port: {entity: {mappings: {identifier: .id, blueprint: '"board"'}}}
  - kind: /boards/{board}/cards
    selector:
      query: 'true'
      path_parameters: {board: {endpoint: /boards, data_path: .value, field: .id}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"card"'}}}
"#;
    let config = Config::loader()
        .connection_text(
            "connection.yaml",
            &format!("baseUrl: {API}/api?apiKey=s3cr3t-key\npaginationType: next_link"),
        )
        .mapping_text("mapping.yaml", mapping)
        .load()
        .unwrap();
    let report = rig.sync_from(&config).await;
    assert_eq!(report.resources[0].outcome, "complete", "{report}");
    assert_eq!(report.resources[1].outcome, "incomplete", "{report}");
    let requests = rig.api.requests();
    assert!(requests.len() > 6);
    for seen in &requests {
        assert_eq!(
            seen.query("apiKey").as_deref(),
            Some("s3cr3t-key"),
            "{seen:?}"
        );
    }
    assert_eq!(rig.api.paths()[1], "/api/boards?page=2&apiKey=s3cr3t-key");

    let engine = rig.engine_from(&config);
    let read = Read::of(&engine, &engine.resources()[1]).await;
    let mut shown = format!("{config:?} {engine:?} {report} {report:?} {read:?}");
    for error in &read.errors {
        shown.push_str(&format!("{error} {error:?}"));
    }
    assert!(shown.contains("/boards/{board}/cards"), "{shown}");
    assert!(!shown.contains("s3cr3t"), "{shown}");
    let traced = log.text();
    assert!(traced.contains("/boards"), "{traced}");
    assert!(!traced.contains("s3cr3t"), "{traced}");
}

#[tokio::test(start_paused = true)]
async fn each_type_of_credentials_goes_out_in_its_header_and_only_there() {
    let custom = "authType: api_key\napiKey: k-1\napiKeyHeader: ";
    for (connection, header) in [
        ("", None),
        ("authType: none", None),
        (
            "authType: bearer_token\napiToken: t-1",
            Some(("authorization", "Bearer t-1")),
        ),
        (
            "authType: bearer_token\nauthValue: t-1",
            Some(("authorization", "Bearer t-1")),
        ),
        ("authType: api_key\napiKey: k-1", Some(("x-api-key", "k-1"))),
        (&format!("{custom}X-Token"), Some(("x-token", "k-1"))),
        (
            &format!("{custom}Authorization"),
            Some(("authorization", "k-1")),
        ),
        // Base64 of ada:pass word
        (
            "authType: basic\nusername: ada\npassword: pass word",
            Some(("authorization", "Basic YWRhOnBhc3Mgd29yZA==")),
        ),
        (
            "authType: basic_auth\nusername: ada\npassword: pass word",
            Some(("authorization", "Basic YWRhOnBhc3Mgd29yZA==")),
        ),
    ] {
        let seen = asked(connection, &items("/items", "{}")).await;
        for name in ["authorization", "x-api-key", "x-token"] {
            let expected = header
                .filter(|(header, _)| *header == name)
                .map(|(_, value)| value);
            assert_eq!(seen.header(name), expected, "{connection}: {name}");
        }
        assert_eq!(seen.path_and_query(), "/items", "{connection}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_401_to_fixed_credentials_is_not_repeated() {
    for connection in [
        "",
        "authType: bearer_token\napiToken: wrong",
        "authType: api_key\napiKey: wrong",
        "authType: basic\nusername: ada\npassword: wrong",
    ] {
        let rig = Rig::new(ScriptedApi::new().answer("/items", Answer::status(401)));
        let read = rig.read(connection, &items("/items", "{}")).await;
        assert_eq!(
            (rig.api.count("/items"), read.end()),
            (1, "RequestFailed"),
            "{connection}"
        );
        assert!(!read.errors[0].is_retryable());
        assert!(
            read.errors[0].to_string().contains("authType"),
            "{}",
            read.errors[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn custom_headers_go_out_with_every_request_and_take_values_from_the_environment() {
    let mapping = r#"
resources:
  - kind: /boards/{board}/cards
    selector:
      query: 'true'
      headers: {X-Own: card}
      path_parameters: {board: {endpoint: /boards, field: .id}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"card"'}}}
"#;
    let as_object = "customHeaders: {X-Tenant: 'acme-${REGION}-${REGION}', X-Own: everyone, Accept: application/vnd.api+json}";
    let as_text = r#"customHeaders: '{"X-Tenant": "acme-${REGION}-${REGION}", "X-Own": "everyone", "Accept": "application/vnd.api+json"}'"#;
    for connection in [as_object, as_text] {
        let rig = Rig::new(
            ScriptedApi::new()
                .json("/boards", json!([{"id": 1}]))
                .json("/boards/1/cards", json!([{"id": 2}])),
        );
        let config = Config::loader()
            .connection_text("connection.yaml", &format!("baseUrl: {API}\n{connection}"))
            .environment([("REGION", "eu")])
            .mapping_text("mapping.yaml", mapping)
            .load()
            .unwrap();
        assert_eq!(rig.read_from(&config).await.identifiers(), ["2"]);
        let seen = rig.api.requests();
        for request in &seen {
            assert_eq!(request.header("x-tenant"), Some("acme-eu-eu"));
            assert_eq!(request.header("accept"), Some("application/vnd.api+json"));
        }
        // What a resource says for itself goes before.
        let own: Vec<_> = seen
            .iter()
            .map(|request| request.header("x-own").unwrap())
            .collect();
        assert_eq!(own, ["everyone", "card"]);
    }
}

#[tokio::test(start_paused = true)]
async fn json_is_asked_for_where_nothing_else_is_said_and_in_other_types_too() {
    let seen = asked("", &items("/items", "{}")).await;
    assert_eq!(seen.header("accept"), Some("application/json, */*;q=0.5"));
    assert_eq!((seen.method.as_str(), seen.body.is_none()), ("GET", true));
    assert_eq!(seen.header("content-type"), None);
}

#[tokio::test(start_paused = true)]
async fn parameters_of_the_position_and_the_size_go_by_every_name_that_they_ever_had() {
    for (connection, expected) in [
        ("paginationType: offset", "/items?offset=0&limit=100"),
        ("paginationType: page", "/items?page=1&size=100"),
        ("paginationType: cursor", "/items?limit=100"),
        (
            "paginationType: offset\npaginationParam: skip\nsizeParam: top",
            "/items?skip=0&top=100",
        ),
        (
            "paginationType: offset\noffsetParam: skip\nlimitParam: top",
            "/items?skip=0&top=100",
        ),
        (
            "paginationType: page\npageParam: p\nlimitParam: ps\npageSize: '25'\nstartPage: '0'",
            "/items?p=0&ps=25",
        ),
        (
            "paginationType: page\npaginationParam: page[number]\nsizeParam: page[size]",
            "/items?page%5Bnumber%5D=1&page%5Bsize%5D=100",
        ),
        (
            "paginationType: cursor\ncursorParam: after\nlimitParam: first\npageSize: 5",
            "/items?first=5",
        ),
        // Nothing is added where the API gives whole links.
        ("paginationType: next_link\npageSize: 5", "/items"),
        ("paginationType: header_link\npageSize: 5", "/items"),
        (
            "paginationType: header_link\npageSize: 5\nsizeParam: per_page",
            "/items?per_page=5",
        ),
        (
            "paginationType: none\npageSize: 5\nsizeParam: per_page",
            "/items",
        ),
        ("pageSize: 5", "/items"),
    ] {
        let rig = Rig::new(ScriptedApi::new().json("/items", json!([])));
        let read = rig.read(connection, &items("/items", "{}")).await;
        assert!(
            read.outcome.is_complete(),
            "{connection}: {:?}",
            read.errors
        );
        assert_eq!(rig.api.paths()[0], expected, "{connection}");
    }
}

#[tokio::test(start_paused = true)]
async fn page_size_decides_how_many_pages_are_asked_for() {
    for (size, pages) in [("", 3), ("pageSize: 50", 5), ("pageSize: '125'", 2)] {
        let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::offset(numbered(240))));
        let read = rig
            .read(
                &format!("paginationType: offset\n{size}"),
                &items("/items", "{}"),
            )
            .await;
        assert_eq!(
            (rig.api.count("/items"), read.entities.len()),
            (pages, 240),
            "{size}"
        );
        assert_eq!(read.outcome.pages, pages as u64);
    }
}

#[tokio::test(start_paused = true)]
async fn timeout_may_be_text_and_a_part_of_a_second() {
    for (setting, arrives) in [
        ("timeout: '0.5'", false),
        ("timeout: '1'", true),
        ("timeout: 0.75", true),
    ] {
        let slow = Answer::json(json!([{"id": 1}])).after(Duration::from_millis(700));
        let server = ScriptedApi::new().answer("/items", slow).serve().await;
        let config = Config::loader()
            .connection_text(
                "connection.yaml",
                &format!("baseUrl: {}\n{setting}", server.url),
            )
            .mapping_text("mapping.yaml", &items("/items", "{}"))
            .load()
            .unwrap();
        let engine = EngineBuilder::from_config(&config)
            .unwrap()
            .seed(7)
            .build()
            .unwrap();
        let read = Read::of(&engine, &engine.resources()[0]).await;
        assert_eq!(
            read.outcome.is_complete(),
            arrives,
            "{setting}: {:?}",
            read.errors
        );
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_in_flight_than_allowed() {
    for (setting, most) in [
        ("", 10),
        ("maxConcurrentRequests: 3", 3),
        ("maxConcurrentRequests: '1'", 1),
    ] {
        let api = ScriptedApi::new()
            .json(
                "/boards",
                json!((1..=40).map(|id| json!({"id": id})).collect::<Vec<Value>>()),
            )
            .on("/boards/{board}/cards", |call| {
                let board: u64 = call.parameter("board").parse().unwrap();
                Answer::json(json!([{"id": board}]))
            });
        let mapping = items(
            "/boards/{board}/cards",
            "{path_parameters: {board: {endpoint: /boards, field: .id}}}",
        );
        let config = config(setting, &mapping).unwrap();
        let network = Network::new()
            .at(API, api)
            .latency(Duration::from_millis(100));
        let engine = EngineBuilder::from_config(&config)
            .unwrap()
            .transport(network.transport())
            .build()
            .unwrap();
        // Two reads of one engine share what is allowed.
        let cards = &engine.resources()[0];
        let (read, other) = tokio::join!(Read::of(&engine, cards), Read::of(&engine, cards));
        for read in [read, other] {
            assert_eq!(
                (read.entities.len(), read.end()),
                (40, "SinglePage"),
                "{setting}"
            );
        }
        assert_eq!(network.peak_in_flight(), most, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn certificates_are_checked_and_not_checking_them_is_warned_of() {
    for (setting, warnings) in [
        ("", 0),
        ("verifySsl: true", 0),
        ("verifySsl: false", 1),
        ("verifySsl: 'off'", 1),
    ] {
        let config = config(setting, &items("/items", "{}")).unwrap();
        assert_eq!(config.warnings.len(), warnings, "{setting}");
        assert_eq!(config.connection.verify_tls, warnings == 0, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_environment_goes_over_the_file_and_is_enough_alone() {
    let rig = Rig::new(ScriptedApi::new().json("/items", json!([{"id": 1}])));
    let mixed = Config::loader()
        .connection_text(
            "connection.yaml",
            &format!("baseUrl: {API}/wrong\nauthType: bearer_token\napiToken: t-1\npaginationType: page\npageSize: 10"),
        )
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", API),
            ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "7"),
        ])
        .mapping_text("mapping.yaml", &items("/items", "{}"))
        .load()
        .unwrap();
    let alone = from_environment(
        &[
            ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token"),
            ("OCEAN__INTEGRATION__CONFIG__API_TOKEN", "t-1"),
            ("OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE", "page"),
            ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "7"),
            (
                "OCEAN__INTEGRATION__CONFIG__CUSTOM_HEADERS",
                r#"{"X-Tenant": "acme"}"#,
            ),
        ],
        &items("/items", "{}"),
    );
    for config in [&mixed, &alone] {
        rig.read_from(config).await;
    }
    let seen = rig.api.requests();
    for request in &seen {
        assert_eq!(request.query("size").as_deref(), Some("7"), "{request:?}");
        assert_eq!(request.header("authorization"), Some("Bearer t-1"));
    }
    assert_eq!(seen.last().unwrap().header("x-tenant"), Some("acme"));
}

#[tokio::test(start_paused = true)]
async fn method_query_headers_and_body_of_a_selector_go_out_as_written() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        let seen = asked("", &items("/items", &format!("{{method: {method}}}"))).await;
        assert_eq!(seen.method.as_str(), method);
    }

    // Scalars stay the text that they are: NO is a country, 012 a code.
    let selector =
        r#"{query_params: {active: true, country: NO, code: 012, name: "a b&c", n: 1.50}}"#;
    let seen = asked("", &items("/items", selector)).await;
    let query: Vec<(String, String)> = seen.url.query_pairs().into_owned().collect();
    let expected = [
        ("active", "true"),
        ("country", "NO"),
        ("code", "012"),
        ("name", "a b&c"),
        ("n", "1.50"),
    ];
    assert_eq!(
        query,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );

    let as_object =
        "{method: POST, headers: {X-Version: 2}, body: {filter: {state: open}, limit: 5}}";
    let as_text = r#"{method: POST, headers: {X-Version: '2'}, body: '{"filter": {"state": "open"}, "limit": 5}'}"#;
    for selector in [as_object, as_text] {
        let seen = asked("", &items("/search", selector)).await;
        assert_eq!(
            seen.json(),
            json!({"filter": {"state": "open"}, "limit": 5}),
            "{selector}"
        );
        assert_eq!(seen.header("content-type"), Some("application/json"));
        assert_eq!(seen.header("x-version"), Some("2"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_is_repeated_as_the_read_that_it_is() {
    let rig = Rig::new(
        ScriptedApi::new()
            .json("POST /search", json!([{"id": 1}]))
            .fault("/search", 1, Answer::status(503)),
    );
    let read = rig
        .read("", &items("/search", "{method: POST, body: {q: x}}"))
        .await;
    assert_eq!(
        (read.identifiers(), rig.api.count("/search")),
        (vec!["1"], 2)
    );
    assert_eq!(rig.api.requests()[1].json(), json!({"q": "x"}));
}

#[tokio::test(start_paused = true)]
async fn the_older_kind_reads_its_endpoint_from_the_selector() {
    let inside = r#"{query: {endpoint: /items, method: POST, query_params: {a: 1}, headers: {X-Version: 2}}}"#;
    let beside = r#"{query: 'true', endpoint: /items, method: POST, query_params: {a: 1}, headers: {X-Version: 2}}"#;
    for selector in [inside, beside] {
        let seen = asked("", &items("api_resource", selector)).await;
        assert_eq!(
            (seen.method.as_str(), seen.path_and_query().as_str()),
            ("POST", "/items?a=1"),
            "{selector}"
        );
        assert_eq!(seen.header("x-version"), Some("2"));
    }
}

#[tokio::test(start_paused = true)]
async fn switches_of_the_mapping_reach_port() {
    for (switches, merge, create, dependents, deleted) in [
        ("", "true", "true", "false", 1),
        (
            "enableMergeEntity: false\ncreateMissingRelatedEntities: false\ndeleteDependentEntities: true",
            "false",
            "false",
            "true",
            1,
        ),
        ("deleteDependentEntities: false", "true", "true", "false", 1),
        ("entityDeletionThreshold: 0.5", "true", "true", "false", 1),
        ("entityDeletionThreshold: 0.4", "true", "true", "false", 0),
        ("entityDeletionThreshold: '0'", "true", "true", "false", 0),
    ] {
        let rig = Rig::with_port(
            ScriptedApi::new().json("/items", json!([{"id": 1}])),
            PortDouble::new().stale_entity("item", "gone"),
        );
        rig.sync("", &format!("{switches}\n{}", items("/items", "{}")))
            .await;
        let upsert = &rig.port.calls(PortCall::UpsertMany)[0];
        assert_eq!(upsert.query("merge").as_deref(), Some(merge), "{switches}");
        assert_eq!(
            upsert.query("create_missing_related_entities").as_deref(),
            Some(create),
            "{switches}"
        );
        assert_eq!(rig.port.deleted().len(), deleted, "{switches}");
        for delete in rig.port.calls(PortCall::DeleteMany) {
            assert_eq!(
                delete.query("delete_dependents").as_deref(),
                Some(dependents),
                "{switches}"
            );
        }
    }
}

// What public configurations of the reference do without a word: read one page, or nothing, and report success.

#[test]
fn types_that_are_none_are_refused_with_the_one_that_is_meant() {
    let bearer = refused("authType: bearer\napiToken: t-1");
    assert!(
        bearer.contains("authType") && bearer.contains("did you mean `bearer_token`"),
        "{bearer}"
    );
    let skip = refused("paginationType: skip_token");
    assert!(
        skip.contains("paginationType") && skip.contains("did you mean `next_link`"),
        "{skip}"
    );
    let misspelt = refused("paginationTyp: page");
    assert!(
        misspelt.contains("did you mean `paginationType`"),
        "{misspelt}"
    );
}

#[tokio::test(start_paused = true)]
async fn slack_with_the_older_names_and_no_cursor_path_is_read_to_its_end() {
    let members = Pages::cursor(numbered(250))
        .under("members")
        .cursor_at("response_metadata.next_cursor");
    // Slack's last page says "" and not nothing.
    let rig = Rig::new(ScriptedApi::new().on("/api/users.list", move |call| {
        let mut body = members.answer(call).body_json();
        if body["response_metadata"].is_null() {
            body["response_metadata"] = json!({"next_cursor": ""});
        }
        Answer::json(body)
    }));
    let config = from_environment(
        &[
            ("OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE", "cursor"),
            ("OCEAN__INTEGRATION__CONFIG__CURSOR_PARAM", "cursor"),
            ("OCEAN__INTEGRATION__CONFIG__LIMIT_PARAM", "limit"),
        ],
        &items("/api/users.list", "{data_path: .members}"),
    );
    let read = rig.read_from(&config).await;
    assert_eq!((read.entities.len(), read.end()), (250, "NoToken"));
    assert_eq!(rig.api.paths()[2], "/api/users.list?cursor=c200&limit=100");
}

#[tokio::test(start_paused = true)]
async fn rootly_is_read_to_its_end_by_page() {
    let rig = Rig::new(ScriptedApi::new().on("/v1/services", |call| {
        let page: u64 = call.query("page[number]").unwrap().parse().unwrap();
        let size: u64 = call.query("page[size]").unwrap().parse().unwrap();
        let records: Vec<Value> = ((page - 1) * size + 1..=250.min(page * size))
            .map(|id| json!({"id": id}))
            .collect();
        let next = (page * size < 250).then_some(page + 1);
        Answer::json(json!({"data": records, "meta": {"current_page": page, "next_page": next}}))
    }));
    let connection = "paginationType: page\npaginationParam: page[number]\nsizeParam: page[size]";
    let read = rig
        .read(connection, &items("/v1/services", "{data_path: .data}"))
        .await;
    assert_eq!(
        (read.entities.len(), read.outcome.pages, read.end()),
        (250, 3, "Flag")
    );
}

#[tokio::test(start_paused = true)]
async fn every_output_of_data_path_is_a_record() {
    let body = json!({"data": [{"results": [{"id": 1}, {"id": 2}]}, {"results": []}, {"results": [{"id": 3}]}]});
    let rig = Rig::new(ScriptedApi::new().json("/items", body));
    let read = rig
        .read("", &items("/items", "{data_path: '.data[].results[]'}"))
        .await;
    assert_eq!(
        (read.identifiers(), read.outcome.records),
        (vec!["1", "2", "3"], 3)
    );
}

#[tokio::test(start_paused = true)]
async fn a_parameter_is_on_the_child_under_both_names() {
    let mapping = r#"
resources:
  - kind: /tickets/{ticket_id}/comments
    selector:
      query: 'true'
      path_parameters: {ticket_id: {endpoint: /tickets, field: .id}}
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"comment"'
          relations: {short: .ticket_id, long: .__ticket_id}
"#;
    let rig = Rig::new(
        ScriptedApi::new()
            .json("/tickets", json!([{"id": 101}]))
            .json(
                "/tickets/101/comments",
                json!([{"id": 1}, {"id": 2, "ticket_id": "its own"}]),
            ),
    );
    let read = rig.read("", mapping).await;
    let relations: Vec<Value> = read
        .json()
        .iter()
        .map(|entity| entity["relations"].clone())
        .collect();
    assert_eq!(
        relations,
        [
            json!({"short": "101", "long": "101"}),
            json!({"short": "its own", "long": "101"})
        ]
    );
}

/// What was traced.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_link_with_a_stale_key_of_the_base_url_goes_out_with_the_right_one_alone() {
    let api = ScriptedApi::new()
        .query_key("key", "K")
        .on("/items", |call| {
            if call.query("page").is_some() {
                Answer::json(json!({"items": [{"id": "2"}]}))
            } else {
                Answer::json(json!({
                    "items": [{"id": "1"}],
                    "@odata.nextLink": "/items?page=2&key=stale&key=K"
                }))
            }
        });
    let rig = Rig::new(api);
    let config = Config::loader()
        .connection_text(
            "c.yaml",
            &format!("baseUrl: {API}?key=K\npaginationType: next_link"),
        )
        .mapping_text("m.yaml", &items("/items", "{data_path: .items}"))
        .load()
        .unwrap();
    let read = rig.read_from(&config).await;
    assert_eq!(read.identifiers(), ["1", "2"]);
    assert_eq!(rig.api.paths()[1], "/items?page=2&key=K");
}
