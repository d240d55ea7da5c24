//! The program `ocean_custom`: what it prints where, what it asks of whom, and its exit codes.

use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi, Server};
use serde_json::{Value, json};

use crate::program::{Ended, Program};

const USERS: &str = r#"
resources:
  - kind: /users
    selector: {query: .active, data_path: .users}
    port:
      entity:
        mappings:
          identifier: .id
          title: .name
          icon: .icon
          blueprint: '"user"'
          properties: {email: .email}
"#;

/// Two users that are mapped and one that is not.
fn users() -> ScriptedApi {
    ScriptedApi::new().json(
        "/users",
        json!({"users": [
            {"id": 1, "name": "Ada", "icon": "User", "email": "ada@example.com", "active": true},
            {"id": 2, "name": null, "email": null, "active": true},
            {"id": 3, "name": "Gone", "active": false},
        ]}),
    )
}

async fn dry_run(api: &Server, mapping: &str) -> Ended {
    let program = Program::reading(api).mapping(mapping);
    program.arguments(&["--dry-run"]).run().await
}

async fn sync(api: &Server, port: &Server, mapping: &str) -> Ended {
    let program = Program::reading(api).port(port).mapping(mapping);
    program.arguments(&["--once"]).run().await
}

// --dry-run

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_prints_one_json_line_for_each_entity_and_calls_port_never() {
    let (api, port) = (users(), PortDouble::new());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let program = Program::reading(&api_server)
        .port(&port_server)
        .mapping(USERS);
    let ended = program.arguments(&["--dry-run"]).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.lines(),
        [
            json!({
                "identifier": "1", "title": "Ada", "icon": "User", "blueprint": "user",
                "properties": {"email": "ada@example.com"}, "relations": {},
            }),
            // A mapped null is null; of title, icon and team there is nothing.
            json!({"identifier": "2", "blueprint": "user", "properties": {"email": null}, "relations": {}}),
        ]
    );
    assert_eq!(
        ended.summary(),
        [
            "/users  complete    1 page   3 records  2 entities  1 skipped",
            "2 entities printed, nothing sent to Port",
        ]
    );
    assert!(port.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_without_a_mapping_file_is_refused() {
    let api = users();
    let server = api.serve().await;
    let program = Program::reading(&server);
    let ended = program.arguments(&["--dry-run"]).run().await;
    assert_eq!(ended.code, Some(2), "{}", ended.stderr);
    assert!(ended.stderr.contains("--mapping"), "{}", ended.stderr);
    assert_eq!((ended.stdout.as_str(), api.requests().len()), ("", 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_names_identifiers_that_port_would_refuse() {
    let api = ScriptedApi::new().json("/users", json!([{"id": "a b"}, {"id": "ok"}]));
    let server = api.serve().await;
    let ended = dry_run(&server, &one_kind("/users", "{}")).await;
    assert_eq!((ended.code, ended.lines().len()), (Some(1), 2));
    let summary = ended.summary().join("\n");
    assert!(
        summary.contains("  rejected: item a b: the identifier has the character ' '"),
        "{summary}"
    );
    assert!(
        summary.ends_with("exit code 1: 1 rejected entity"),
        "{summary}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paged_list_without_data_path_ends_at_its_first_page_and_names_the_list() {
    let api = ScriptedApi::new().on("/users", |call| {
        let page: u64 = call
            .query("page")
            .and_then(|page| page.parse().ok())
            .unwrap_or(1);
        Answer::json(json!({"users": [{"id": page}], "page": page}))
    });
    let server = api.serve().await;
    let ended = dry_run(&server, &one_kind("/users", "{pagination: {type: page}}")).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(
        ended
            .stderr
            .contains("set selector.data_path to the list in it (.users)"),
        "{}",
        ended.stderr
    );
    assert!(api.requests().len() <= 2, "{:?}", api.paths());
}

#[tokio::test(flavor = "multi_thread")]
async fn parents_that_all_give_no_value_are_named_although_the_read_is_complete() {
    let api = ScriptedApi::new().json("/users", json!([{"id": 1}, {"id": 2}]));
    let selector = "{path_parameters: {user_id: {endpoint: /users, field: .uid}}}";
    let ended = dry_run(
        &api.serve().await,
        &one_kind("/users/{user_id}/devices", selector),
    )
    .await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), ""));
    let note = "\n  note: parents at /users: none of 2 gave a value for {user_id}; check its field and filter\n";
    assert!(ended.stderr.contains(note), "{}", ended.stderr);
}

// --validate, --kind

#[tokio::test(flavor = "multi_thread")]
async fn validating_sends_nothing_and_ends_with_0_or_2() {
    let (api, port) = (users(), PortDouble::new());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    for (mapping, code) in [(USERS, 0), ("resources: []", 2)] {
        let program = Program::reading(&api_server)
            .port(&port_server)
            .mapping(mapping);
        let ended = program.arguments(&["--validate"]).run().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(code), ""),
            "{}",
            ended.stderr
        );
        let estimate = "at least 1 request, and one for each further page";
        assert_eq!(
            ended.stderr.contains(estimate),
            code == 0,
            "{}",
            ended.stderr
        );
    }
    let without_mapping = Program::reading(&api_server).port(&port_server);
    let ended = without_mapping.arguments(&["--validate"]).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("was not checked"), "{}", ended.stderr);
    assert_eq!((api.requests().len(), port.requests().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_kinds_that_are_named_are_read() {
    let api = ScriptedApi::new()
        .json("/a", json!([{"id": "a"}]))
        .json("/b", json!([{"id": "b"}]))
        .json("/c", json!([{"id": "c"}]));
    let server = api.serve().await;
    let mapping = many_kinds(&["/a", "/b", "/c"]);
    let program = Program::reading(&server).mapping(&mapping);
    let ended = program
        .arguments(&["--dry-run", "--kind", "/c", "--kind", "/a"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(api.paths(), ["/a", "/c"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kind_that_the_mapping_has_not_is_refused_with_those_that_it_has() {
    let api = users();
    let server = api.serve().await;
    for mode in ["--dry-run", "--validate", "--once"] {
        let program = Program::reading(&server).mapping(&many_kinds(&["/b", "/a"]));
        let ended = program.arguments(&[mode, "--kind", "/user"]).run().await;
        assert_eq!(ended.code, Some(2), "{mode}: {}", ended.stderr);
        assert!(
            ended
                .stderr
                .contains("--kind /user: the mapping has no such kind; it has /b, /a"),
            "{}",
            ended.stderr
        );
    }
    assert!(api.requests().is_empty());
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_not_utf_8_is_named_in_any_case_of_its_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let server = users().serve().await;
    for name in [
        "OCEAN__INTEGRATION__CONFIG__API_TOKEN",
        "ocean__integration__config__api_token",
    ] {
        let program = Program::reading(&server).mapping(USERS);
        let program = program.variable(name, std::ffi::OsStr::from_bytes(b"t\xff"));
        let ended = program.arguments(&["--validate"]).run().await;
        assert_eq!(ended.code, Some(2), "{}", ended.stderr);
        assert!(
            ended.stderr.contains(&format!("{name}: is not UTF-8")),
            "{}",
            ended.stderr
        );
    }
}

// --plan

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_text_on_stderr_and_one_json_object_on_stdout_and_writes_nothing() {
    let port = PortDouble::new()
        .stale_entity("user", "1")
        .stale_entity("user", "old");
    let (api_server, port_server) = (users().serve().await, port.serve().await);
    let program = Program::reading(&api_server)
        .port(&port_server)
        .mapping(USERS);
    let ended = program.arguments(&["--plan"]).run().await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let plan = &ended.report()["blueprints"]["user"];
    assert_eq!(plan["create"], json!({"count": 1, "samples": ["2"]}));
    assert_eq!(plan["change"]["count"], 1);
    assert_eq!(plan["delete"], json!({"count": 1, "samples": ["old"]}));
    let summary = ended.summary().join("\n");
    assert!(summary.contains("at least 1 request"), "{summary}");
    assert!(
        summary.contains("user: 1 to create, 1 to change, 1 to delete, 0 unchanged"),
        "{summary}"
    );
    for call in [PortCall::UpsertMany, PortCall::DeleteMany] {
        assert_eq!(port.count(call), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_state_on_file_saves_the_next_process_the_question_what_has_changed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state");
    let port = PortDouble::new();
    let (api_server, port_server) = (users().serve().await, port.serve().await);
    for (upserted, unchanged) in [(Some(2), None), (None, Some(2))] {
        let program = Program::reading(&api_server)
            .port(&port_server)
            .mapping(USERS)
            .variable("OCEAN__SYNC_STATE", file.to_str().unwrap());
        let ended = program.arguments(&["--once"]).run().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let report = ended.report();
        assert_eq!(
            report["upserted"].as_u64(),
            upserted.or(Some(0)),
            "{report}"
        );
        assert_eq!(report["unchanged"].as_u64(), unchanged, "{report}");
        port.advance(std::time::Duration::from_secs(60));
    }
    assert_eq!(port.count(PortCall::Search), 0);
    assert!(file.exists());
}

// The report

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_prints_its_report_as_one_json_object_with_these_keys() {
    let (api, port) = (users().serve().await, PortDouble::new());
    let ended = sync(&api, &port.serve().await, USERS).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.report(),
        json!({
            "resources": [{
                "kind": "/users", "outcome": "complete", "cause": null, "stop": "SinglePage",
                "pages": 1, "records": 3, "entities": 2, "skipped": 1, "failed": 0, "misconfigured": {},
                "nulls": {"icon": 1, "properties.email": 1, "title": 1},
            }],
            "upserted": 2, "rejected": 0, "deleted": 0, "withheld": [],
        })
    );
    assert_eq!(
        ended.summary(),
        [
            "/users  complete    1 page   3 records  2 entities  1 skipped",
            "2 upserted",
            "all of it read completely",
        ]
    );
    assert_eq!(port.identifiers("user"), ["1", "2"]);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_of_trouble_names_cause_misconfigured_fields_and_held_back_deletes() {
    let api = ScriptedApi::new()
        .json("/users", json!([{"id": 1, "name": 5}, {"id": null}]))
        .serve()
        .await;
    let port =
        PortDouble::new()
            .stale_entity("user", "old")
            .rejects("user", "1", 422, "no such property");
    let mapping = r#"
resources:
  - kind: /users
    selector: {query: 'true'}
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          properties: {first: '.name | split(" ")', phone: .phone}
"#;
    let ended = sync(&api, &port.serve().await, mapping).await;
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    let report = ended.report();
    let users = &report["resources"][0];
    assert_eq!(users["outcome"], "incomplete");
    assert_eq!(users["stop"], Value::Null);
    assert!(
        users["cause"]
            .as_str()
            .unwrap()
            .starts_with("RecordsFailed: 1 of 2 records"),
        "{users}"
    );
    assert_eq!(
        (&users["failed"], &users["misconfigured"]),
        (&json!(1), &json!({"properties.first": 1}))
    );
    assert_eq!(
        (&report["rejected"], &report["deleted"]),
        (&json!(1), &json!(0))
    );
    let withheld = report["withheld"][0].as_object().unwrap();
    assert_eq!(
        withheld.keys().collect::<Vec<_>>(),
        ["blueprint", "count", "reason"]
    );
    assert_eq!(
        (&withheld["blueprint"], &withheld["count"]),
        (&json!("user"), &json!(1))
    );
    let summary = ended.summary().join("\n");
    for line in [
        "/users  incomplete  1 page   2 records  1 entity    1 failed\n  why: RecordsFailed: ",
        "\n  properties.first gave nothing for 1 of 1 entity: ",
        "\n  properties.phone was null in every record; check its path\n",
        "\n1 rejected\n  rejected: user 1: no such property\n  not deleted: 1 entity of blueprint user: ",
        "\nexit code 1: 1 incomplete resource, 1 rejected entity, 1 blueprint with deletes held back",
    ] {
        assert!(summary.contains(line), "`{line}` is not in\n{summary}");
    }
    assert!(port.deleted().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn each_trouble_alone_is_exit_code_1() {
    let fine = || ScriptedApi::new().json("/items", json!([{"id": "1"}]));
    let mapping = one_kind("/items", "{}");
    for (trouble, api, port) in [
        ("incomplete", ScriptedApi::new(), PortDouble::new()),
        (
            "rejected",
            fine(),
            PortDouble::new().rejects("item", "1", 422, "no"),
        ),
        (
            "deletes held back",
            fine(),
            (0..99).fold(PortDouble::new(), |port, n| {
                port.stale_entity("item", &format!("old-{n}"))
            }),
        ),
        (
            "error",
            fine(),
            PortDouble::new().faults(PortCall::Owned, 1.., Answer::status(400)),
        ),
    ] {
        let (api, server) = (api.serve().await, port.serve().await);
        let ended = sync(&api, &server, &mapping).await;
        assert_eq!(ended.code, Some(1), "{trouble}: {}", ended.stderr);
        let last = ended.summary().last().copied().unwrap_or_default();
        assert!(
            last.starts_with("exit code 1: 1 ") && last.contains(trouble),
            "{trouble}: {last}"
        );
        assert!(ended.report().is_object());
        assert!(port.deleted().is_empty(), "{trouble}");
    }
}

// Where the settings come from

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_alone_is_enough_and_the_mapping_comes_from_port() {
    let (api, mapping) = (
        users().bearer("the-api-token"),
        json!({
            "resources": [{
                "kind": "/users",
                "selector": {"query": "true", "data_path": ".users"},
                "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\""}}},
            }],
            "somethingOfPorts": true,
        }),
    );
    let port = PortDouble::new()
        .credentials("the-client", "the-client-secret")
        .integration("my-api", mapping);
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let ended = Program::new()
        .port(&port_server)
        .variable(
            "OCEAN__INTEGRATION__CONFIG__BASE_URL",
            api_server.url.as_str(),
        )
        .variable("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token")
        .variable("OCEAN__INTEGRATION__CONFIG__API_TOKEN", "the-api-token")
        .variable("OCEAN__EVENT_LISTENER", r#"{"type": "ONCE"}"#)
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(ended.report()["upserted"], 3);
    assert_eq!(
        ended.stderr.matches("somethingOfPorts").count(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(port.identifiers("user"), ["1", "2", "3"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_at_port_that_is_missing_or_broken_is_refused_before_the_api_is_asked() {
    let api = users();
    let api_server = api.serve().await;
    for (port, says) in [
        (PortDouble::new(), "no integration `my-api`"),
        (
            PortDouble::new().integration("my-api", json!({"resources": [{"kind": "/users"}]})),
            "resources[0].port",
        ),
    ] {
        let port_server = port.serve().await;
        let program = Program::reading(&api_server).port(&port_server);
        let ended = program.arguments(&["--once"]).run().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    assert!(api.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn all_missing_credentials_of_port_are_named_before_anything_is_sent() {
    let (api, port) = (users(), PortDouble::new());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let program = Program::reading(&api_server)
        .mapping(USERS)
        .variable("OCEAN__PORT__BASE_URL", port_server.url.as_str())
        .variable("OCEAN__PORT__CLIENT_ID", "the-client");
    let ended = program.arguments(&["--once"]).run().await;
    assert_eq!(
        (ended.code, ended.stdout.as_str()),
        (Some(2), ""),
        "{}",
        ended.stderr
    );
    for name in [
        "OCEAN__PORT__CLIENT_SECRET",
        "OCEAN__INTEGRATION__IDENTIFIER",
    ] {
        assert!(ended.stderr.contains(name), "{}", ended.stderr);
    }
    assert!(
        !ended.stderr.contains("OCEAN__PORT__CLIENT_ID"),
        "{}",
        ended.stderr
    );
    assert_eq!((api.requests().len(), port.requests().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn port_refusing_the_credentials_is_exit_code_1_and_reads_nothing() {
    let (api, port) = (users(), PortDouble::new().credentials("somebody", "else"));
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    for with_mapping in [true, false] {
        let mut program = Program::reading(&api_server).port(&port_server);
        if with_mapping {
            program = program.mapping(USERS);
        }
        let ended = program.arguments(&["--once"]).run().await;
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("Port"), "{}", ended.stderr);
        assert!(
            !ended.stderr.contains("the-client-secret"),
            "{}",
            ended.stderr
        );
    }
    assert!(api.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_that_are_not_supported_are_refused_and_once_ends_after_one_pass() {
    let (api, port) = (users(), PortDouble::new());
    let (api_server, port_server) = (api.serve().await, port.serve().await);
    let run = async |listener: &str, arguments: &[&str]| {
        let mut program = Program::reading(&api_server)
            .port(&port_server)
            .mapping(USERS);
        if !listener.is_empty() {
            program = program.variable("OCEAN__EVENT_LISTENER__TYPE", listener);
        }
        program.arguments(arguments).run().await
    };
    for (listener, arguments, says) in [
        ("KAFKA", &["--once"] as &[&str], "KAFKA is not supported"),
        ("KAFKA", &[], "KAFKA is not supported"),
        ("WEBHOOK", &["--dry-run"], "WEBHOOK is not supported"),
        ("KAFKA", &["--validate"], "KAFKA is not supported"),
    ] {
        let ended = run(listener, arguments).await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{}",
            ended.stderr
        );
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
    assert_eq!((api.requests().len(), port.requests().len()), (0, 0));
    for (listener, arguments) in [("ONCE", &[] as &[&str]), ("POLLING", &["--once"])] {
        let ended = run(listener, arguments).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    }
    assert_eq!(api.count("/users"), 2);
}

// What is refused

#[tokio::test(flavor = "multi_thread")]
async fn every_problem_of_both_files_and_the_environment_comes_at_once_and_without_secrets() {
    let connection = "baseUrl: https://api.example.com\nauthType: bearer\napiTokn: the-api-token\npageSize: lots\n";
    let mapping = r#"
resources:
  - kind: /users
    selector: {query: .active and}
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          properties:
            email: .email | ascii_downcas
  - kind: /users/{id}/devices
    port: {entity: {mappings: {identifier: .id, blueprint: '"device"'}}}
"#;
    let ended = Program::new()
        .connection(connection)
        .mapping(mapping)
        .variable("OCEAN__INTEGRATION__CONFIG__TIMEOUT", "the-other-secret")
        .arguments(&["--dry-run"])
        .run()
        .await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for problem in [
        "connection.yaml:2: authType: ",
        "connection.yaml:3: apiTokn: is not a known key; did you mean `apiToken`?",
        "connection.yaml:4: pageSize: ",
        "environment: OCEAN__INTEGRATION__CONFIG__TIMEOUT: ",
        "mapping.yaml:4: resources[0].selector.query: ",
        "mapping.yaml:11: resources[0].port.entity.mappings.properties.email: ",
        "mapping.yaml:12: resources[1].kind: ",
    ] {
        assert!(
            ended.stderr.lines().any(|line| line.starts_with(problem)),
            "{problem}: {}",
            ended.stderr
        );
    }
    assert!(
        ended
            .stderr
            .trim_end()
            .ends_with("\n7 problems; the API was not asked anything"),
        "{}",
        ended.stderr
    );
    for secret in ["the-api-token", "the-other-secret"] {
        assert!(!ended.stderr.contains(secret), "{}", ended.stderr);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_there_and_unknown_arguments_are_refused() {
    let missing =
        Program::new().arguments(&["--config", "no.yaml", "--mapping", "nor.yaml", "--dry-run"]);
    let ended = missing.run().await;
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""));
    for file in [
        "no.yaml: cannot be read: there is no such file",
        "nor.yaml: cannot be read",
    ] {
        assert!(ended.stderr.contains(file), "{}", ended.stderr);
    }
    for arguments in [
        &["--confg", "x"] as &[&str],
        &["--dry-run", "--validate", "--mapping", "x"],
    ] {
        let ended = Program::new().arguments(arguments).run().await;
        assert_eq!(
            (ended.code, ended.stdout.as_str()),
            (Some(2), ""),
            "{arguments:?}"
        );
    }
}

// What is printed meanwhile

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_printed_at_the_most_talkative_level() {
    let api = users().bearer("the-api-token").serve().await;
    let port = PortDouble::new().credentials("the-client", "the-client-secret");
    let port_server = port.serve().await;
    let ended = Program::new()
        .connection(&format!(
            "baseUrl: {}?key=the-query-key\nauthType: bearer_token\napiToken: the-api-token\ncustomHeaders: {{X-Key: the-header-key}}",
            api.url
        ))
        .port(&port_server)
        .mapping(USERS)
        .variable("RUST_LOG", "trace")
        .arguments(&["--once"])
        .run()
        .await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains(" TRACE "), "{}", ended.stderr);
    assert!(ended.report().is_object());
    for secret in [
        "the-api-token",
        "the-query-key",
        "the-header-key",
        "the-client-secret",
    ] {
        assert!(!ended.stderr.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn levels_have_the_names_of_the_reference_and_failed_records_do_not_flood_the_log() {
    let records: Vec<Value> = (0..50).map(|_| json!({"id": null})).collect();
    let api = ScriptedApi::new().json("/items", records).serve().await;
    let log = async |level: &str| {
        let program = Program::reading(&api)
            .mapping(&one_kind("/items", "{}"))
            .variable("OCEAN__LOG_LEVEL", level);
        program.arguments(&["--dry-run"]).run().await.stderr
    };
    for (level, info, warn, debug) in [
        ("INFO", true, true, false),
        ("WARNING", false, true, false),
        ("critical", false, false, false),
        ("DEBUG", true, true, true),
        ("louder", true, true, false),
    ] {
        let log = log(level).await;
        assert_eq!(
            (
                log.contains(" INFO "),
                log.contains(" WARN "),
                log.contains(" DEBUG ")
            ),
            (info, warn, debug),
            "{level}: {log}"
        );
        let named = log.matches("WARN /items: record ").count();
        assert_eq!(named, if warn { 5 } else { 0 }, "{level}: {log}");
        assert_eq!(
            log.contains("logLevel is not known"),
            level == "louder",
            "{level}: {log}"
        );
    }
}

// Early ends

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_had_enough_ends_the_run_quietly() {
    let many: Vec<Value> = (0..20_000).map(|id| json!({"id": id})).collect();
    let api = ScriptedApi::new().json("/items", many).serve().await;
    let program = Program::reading(&api).mapping(&one_kind("/items", "{}"));
    let ended = program.arguments(&["--dry-run"]).run_for_lines(1).await;
    assert_eq!(
        (ended.code, ended.lines().len()),
        (Some(1), 1),
        "{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("stdout was closed"),
        "{}",
        ended.stderr
    );
    assert!(!ended.stderr.contains("panicked"), "{}", ended.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_whose_report_nobody_reads_ends_as_usual() {
    let (api, port) = (users().serve().await, PortDouble::new());
    let port_server = port.serve().await;
    let program = Program::reading(&api).port(&port_server).mapping(USERS);
    let ended = program.arguments(&["--once"]).run_for_lines(0).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(port.identifiers("user"), ["1", "2"]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_terminated_deletes_nothing() {
    let (begun, waiting) = std::sync::mpsc::channel();
    let api = ScriptedApi::new()
        .json("/a", json!([{"id": "1"}]))
        .on("/b", move |_| {
            let _ = begun.send(());
            Answer::json(json!([])).after(std::time::Duration::from_secs(600))
        })
        .serve()
        .await;
    let port = PortDouble::new().stale_entity("item", "old");
    let port_server = port.serve().await;
    let program = Program::reading(&api)
        .port(&port_server)
        .mapping(&many_kinds(&["/a", "/b"]));
    let told = std::time::Instant::now();
    let ended = program.arguments(&["--once"]).run_until(waiting).await;
    assert!(told.elapsed() < std::time::Duration::from_secs(10));
    assert_eq!(ended.code, Some(1), "{}", ended.stderr);
    assert!(ended.stderr.contains("SIGTERM: ending"), "{}", ended.stderr);
    let report = ended.report();
    assert_eq!(report["upserted"], 1, "{report}");
    assert_eq!(report["resources"][0]["outcome"], "complete", "{report}");
    let cause = report["resources"][1]["cause"].as_str().unwrap();
    assert!(cause.starts_with("Cancelled: "), "{report}");
    assert_eq!(port.count(PortCall::DeleteMany), 0);
    assert!(port.entity("item", "old").is_some());
}

/// A mapping of one kind whose records become entities of the blueprint `item`.
fn one_kind(kind: &str, selector: &str) -> String {
    crate::rig::items(kind, selector)
}

/// The same for several kinds.
fn many_kinds(kinds: &[&str]) -> String {
    let resources: Vec<Value> = kinds
        .iter()
        .map(|kind| {
            json!({"kind": kind, "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"item\""}}}})
        })
        .collect();
    json!({"resources": resources}).to_string()
}

// --record and --replay

#[tokio::test(flavor = "multi_thread")]
async fn what_was_recorded_is_replayed_without_the_api_and_without_its_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let cassette = folder.path().join("users.cassette");
    let cassette = cassette.to_str().unwrap();
    let api = users().bearer("s3cret-token").fault(
        "/users",
        1,
        Answer::status(429).header("retry-after", "1"),
    );
    let server = api.serve().await;
    let with = |token: &str, mapping: &str| {
        Program::reading(&server)
            .variable("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token")
            .variable("OCEAN__INTEGRATION__CONFIG__API_TOKEN", token)
            .mapping(mapping)
    };
    let recorded = with("s3cret-token", USERS)
        .arguments(&["--dry-run", "--record", cassette])
        .run()
        .await;
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    let asked = api.count("/users");
    assert!(
        !std::fs::read_to_string(cassette)
            .unwrap()
            .contains("s3cret-token")
    );

    let replayed = with("another", USERS)
        .arguments(&["--replay", cassette])
        .run()
        .await;
    assert_eq!(replayed.code, Some(0), "{}", replayed.stderr);
    assert_eq!(replayed.lines(), recorded.lines());
    assert_eq!(api.count("/users"), asked, "the API was asked");

    // A mapping that asks for something else is told to record again.
    let other = with("another", &USERS.replace("/users", "/people"));
    let ended = other.arguments(&["--replay", cassette]).run().await;
    assert_eq!(ended.code, Some(1));
    assert!(
        ended.stderr.contains("the cassette has no answer to GET")
            && ended.stderr.contains("record it again"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("2 requests of the cassette were not made"),
        "{}",
        ended.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_holds_no_key_that_stands_in_the_mapping() {
    const KEY: &str = "a-key-that-stands-in-the-mapping";
    let folder = tempfile::tempdir().unwrap();
    let cassette = folder.path().join("users.cassette");
    let cassette = cassette.to_str().unwrap();
    let api = users();
    let server = api.serve().await;
    let selector = format!(
        "{{data_path: .users, auth: {{authType: api_key, apiKey: {KEY}, apiKeyIn: query, apiKeyName: k}}}}"
    );
    let mapping = one_kind("/users", &selector);
    let recorded = Program::reading(&server)
        .mapping(&mapping)
        .arguments(&["--dry-run", "--record", cassette])
        .run()
        .await;
    assert_eq!(recorded.code, Some(0), "{}", recorded.stderr);
    assert_eq!(api.requests()[0].query("k").as_deref(), Some(KEY));
    let text = std::fs::read_to_string(cassette).unwrap();
    assert!(text.contains("/users") && !text.contains(KEY), "{text}");
    std::fs::remove_file(cassette).unwrap();

    // A mapping that is read while the recorder runs already would come too late.
    let port = PortDouble::new()
        .integration(
            "my-api",
            serde_json::from_str::<Value>(&many_kinds(&["/users"])).unwrap(),
        )
        .serve()
        .await;
    let asked = api.requests().len();
    let refused = Program::reading(&server)
        .port(&port)
        .arguments(&["--once", "--record", cassette])
        .run()
        .await;
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("--record needs the mapping before the first request"),
        "{}",
        refused.stderr
    );
    assert_eq!(api.requests().len(), asked);
    assert!(!std::path::Path::new(cassette).exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_cassette_is_refused() {
    let server = users().serve().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let ended = Program::reading(&server)
        .mapping(USERS)
        .arguments(&["--replay", file.path().to_str().unwrap()])
        .run()
        .await;
    assert_eq!(ended.code, Some(2));
    assert!(
        ended.stderr.contains("line 1 is not the head of one"),
        "{}",
        ended.stderr
    );
}

// --schema

#[tokio::test(flavor = "multi_thread")]
async fn the_schemas_of_both_files_are_printed() {
    for (file, key) in [("connection", "baseUrl"), ("mapping", "resources")] {
        let ended = Program::new().arguments(&["--schema", file]).run().await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        let schema: Value = serde_json::from_str(&ended.stdout).unwrap();
        assert!(schema["properties"][key].is_object(), "{file}");
    }
}
