//! The examples of the public documentation of Ocean Custom, as printed there: requests that the API saw, entities that arrived.

use std::time::Duration;

use longshore_engine::Config;
use longshore_engine::EngineBuilder;
use longshore_engine::config::Listener;
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Read, Rig, items};

const COMPANY: &str = "https://api.yourcompany.com";

const TWO_ENDPOINTS: &str = r#"
resources:
  # First endpoint: users
  - kind: /api/v1/users
    selector:
      query: 'true'           # JQ filter - 'true' means sync all entities
      data_path: '.users'     # Where to find the data array in the response
      query_params:           # Optional: add query parameters to the API call
        active: "true"
        department: "engineering"
    port:
      entity:
        mappings:
          identifier: .id
          title: .name
          blueprint: '"user"'
          properties:
            email: .email
            department: .department
            active: .is_active
            created: .created_at

  # Second endpoint: projects
  - kind: /api/v1/projects
    selector:
      query: 'true'
      data_path: '.data.projects' # Nested data extraction
      query_params:
        status: "active"
    port:
      entity:
        mappings:
          identifier: .project_id
          title: .project_name
          blueprint: '"project"'
          properties:
            description: .description
            owner: .owner.email
            budget: .budget_amount
            created: .created_date
"#;

/// An API that lets in who has the token, with 150 users in pages and one project.
fn company() -> ScriptedApi {
    let users = (1..=150).map(|id| {
        json!({"id": id, "name": format!("User {id}"), "email": format!("u{id}@example.com"),
               "department": "engineering", "is_active": true, "created_at": "2024-01-01"})
    });
    let projects = json!({"data": {"projects": [
        {"project_id": "p-1", "project_name": "Apollo", "description": null, "owner": {"email": "ada@example.com"},
         "budget_amount": 1000.5, "created_date": "2024-02-02"}]}});
    ScriptedApi::new()
        .bearer("<YOUR_API_TOKEN>")
        .pages("/api/v1/users", Pages::page(users).under("users"))
        .on("/api/v1/projects", move |call| {
            match call.query("page").as_deref() {
                Some("1") => Answer::json(projects.clone()),
                _ => Answer::json(json!({"data": {"projects": []}})),
            }
        })
}

async fn assert_company_is_synced(config: &Config) {
    let rig = Rig::at(COMPANY, company());
    let report = rig.sync_from(config).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        rig.api.paths(),
        [
            "/api/v1/users?active=true&department=engineering&page=1&size=100",
            "/api/v1/users?active=true&department=engineering&page=2&size=100",
            "/api/v1/projects?status=active&page=1&size=100",
            "/api/v1/projects?status=active&page=2&size=100",
        ]
    );
    assert_eq!(rig.port.identifiers("user").len(), 150);
    let user = rig.port.entity("user", "7").unwrap();
    assert_eq!(user["title"], "User 7");
    assert_eq!(
        user["properties"],
        json!({"email": "u7@example.com", "department": "engineering", "active": true, "created": "2024-01-01"})
    );
    let project = rig.port.entity("project", "p-1").unwrap();
    assert_eq!(project["title"], "Apollo");
    assert_eq!(
        project["properties"],
        json!({"description": null, "owner": "ada@example.com", "budget": 1000.5, "created": "2024-02-02"})
    );
    assert_eq!(rig.network.strangers().len(), 0);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn helm_values_in_a_file_and_the_mapping_of_two_endpoints_fill_the_catalog() {
    let directory = tempfile::tempdir().unwrap();
    let (values, mapping) = (
        directory.path().join("values.yaml"),
        directory.path().join("port-app-config.yml"),
    );
    let helm = r#"
port:
  clientId: "<PORT_CLIENT_ID>"
  clientSecret: "<PORT_CLIENT_SECRET>"
  baseUrl: "https://api.getport.io"
initializePortResources: true
scheduledResyncInterval: 60
integration:
  identifier: "ocean-custom"
  type: "custom"
  eventListener:
    type: "POLLING"
  config:
    baseUrl: "https://api.yourcompany.com"
    authType: "bearer_token"
    paginationType: "page"
    pageSize: 100
  secrets:
    authValue: "<YOUR_API_TOKEN>"
"#;
    std::fs::write(&values, helm).unwrap();
    std::fs::write(&mapping, TWO_ENDPOINTS).unwrap();
    let config = Config::loader()
        .connection_file(&values)
        .mapping_file(&mapping)
        .load()
        .unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert!(matches!(config.run.listener, Listener::Polling { .. }));
    assert_company_is_synced(&config).await;
}

#[tokio::test(start_paused = true)]
async fn helm_values_in_the_environment_do_the_same() {
    let config = Config::loader()
        .environment([
            ("OCEAN__PORT__CLIENT_ID", "<PORT_CLIENT_ID>"),
            ("OCEAN__PORT__CLIENT_SECRET", "<PORT_CLIENT_SECRET>"),
            ("OCEAN__PORT__BASE_URL", "https://api.getport.io"),
            ("OCEAN__INITIALIZE_PORT_RESOURCES", "true"),
            ("OCEAN__SCHEDULED_RESYNC_INTERVAL", "60"),
            ("OCEAN__INTEGRATION__IDENTIFIER", "ocean-custom"),
            ("OCEAN__INTEGRATION__TYPE", "custom"),
            ("OCEAN__EVENT_LISTENER", r#"{"type":"POLLING"}"#),
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", COMPANY),
            ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "bearer_token"),
            (
                "OCEAN__INTEGRATION__SECRETS__AUTH_VALUE",
                "<YOUR_API_TOKEN>",
            ),
            ("OCEAN__INTEGRATION__CONFIG__PAGINATION_TYPE", "page"),
            ("OCEAN__INTEGRATION__CONFIG__PAGE_SIZE", "100"),
        ])
        .mapping_text("port-app-config.yml", TWO_ENDPOINTS)
        .load()
        .unwrap();
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
    assert_company_is_synced(&config).await;
}

#[tokio::test(start_paused = true)]
async fn tickets_and_their_comments_arrive_related() {
    let mapping = r#"
resources:
- kind: /api/tickets
  port:
    entity:
      mappings:
        identifier: .id | tostring
        blueprint: '"ticket"'
- kind: /api/tickets/{ticket_id}/comments
  selector:
    path_parameters:
      ticket_id:
        endpoint: /api/tickets
        field: .id
        filter: 'true'
  port:
    entity:
      mappings:
        identifier: .id | tostring
        blueprint: '"comment"'
        relations:
          ticket: .ticket_id | tostring
"#;
    let api = ScriptedApi::new()
        .json(
            "/api/tickets",
            json!([{"id": 101}, {"id": 102}, {"id": 103}]),
        )
        .on("/api/tickets/{ticket}/comments", |call| {
            let ticket: u64 = call.parameter("ticket").parse().unwrap();
            Answer::json(json!([{"id": ticket * 10}, {"id": ticket * 10 + 1}]))
        });
    let rig = Rig::new(api);
    let report = rig.sync("", mapping).await;
    assert!(report.is_clean(), "{report}");

    let mut asked = rig.api.paths();
    asked.sort();
    asked.dedup();
    assert_eq!(
        asked,
        [
            "/api/tickets",
            "/api/tickets/101/comments",
            "/api/tickets/102/comments",
            "/api/tickets/103/comments",
        ]
    );
    assert_eq!(rig.port.identifiers("ticket"), ["101", "102", "103"]);
    let mut related: Vec<(String, Value)> = rig
        .port
        .identifiers("comment")
        .into_iter()
        .map(|id| {
            let comment = rig.port.entity("comment", &id).unwrap();
            (id, comment["relations"]["ticket"].clone())
        })
        .collect();
    related.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [1010, 1011, 1020, 1021, 1030, 1031]
        .map(|id: u64| (id.to_string(), json!((id / 10).to_string())));
    assert_eq!(related, expected);
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn records_are_found_in_each_of_the_data_structures() {
    let alice_and_bob = json!([{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}]);
    for (body, selector, identifiers) in [
        (alice_and_bob.clone(), "{}", vec!["1", "2"]),
        (
            json!({"data": alice_and_bob}),
            "{data_path: .data}",
            vec!["1", "2"],
        ),
        (
            json!({"response": {"users": {"items": [{"id": 1, "name": "Alice"}]}}}),
            "{data_path: .response.users.items}",
            vec!["1"],
        ),
    ] {
        let rig = Rig::new(ScriptedApi::new().json("/users", body));
        let read = rig.read("", &items("/users", selector)).await;
        assert_eq!(
            (read.identifiers(), read.end()),
            (identifiers, "SinglePage"),
            "{selector}"
        );
    }
}

/// Reads `/api/users` with these settings: what was asked, in order, and what came of it.
async fn users(connection: &str, selector: &str, pages: Pages) -> (Vec<String>, Read) {
    let rig = Rig::new(ScriptedApi::new().pages("/api/users", pages));
    let read = rig.read(connection, &items("/api/users", selector)).await;
    (rig.api.paths(), read)
}

#[tokio::test(start_paused = true)]
async fn each_type_of_paging_sends_the_requests_that_the_page_shows() {
    let list = "{data_path: .data}";
    let offset = Pages::offset(numbered(150)).under("data").flag("has_more");
    let (asked, read) = users("paginationType: offset", list, offset).await;
    assert_eq!(
        asked,
        [
            "/api/users?offset=0&limit=100",
            "/api/users?offset=100&limit=100"
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (150, "Flag"));

    let page = Pages::page(numbered(150)).under("data").flag("has_more");
    let (asked, read) = users("paginationType: page", list, page).await;
    assert_eq!(
        asked,
        ["/api/users?page=1&size=100", "/api/users?page=2&size=100"]
    );
    assert_eq!((read.entities.len(), read.end()), (150, "Flag"));

    let (asked, read) = users("paginationType: cursor", list, Pages::cursor(numbered(250))).await;
    assert_eq!(
        asked,
        [
            "/api/users?limit=100",
            "/api/users?cursor=c100&limit=100",
            "/api/users?cursor=c200&limit=100",
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (250, "NoToken"));
}

#[tokio::test(start_paused = true)]
async fn parameters_go_by_the_names_that_are_configured() {
    let skip = "paginationType: offset\npaginationParam: skip\nsizeParam: page_size";
    let (asked, read) = users(
        skip,
        "{}",
        Pages::offset(numbered(150))
            .position_param("skip")
            .size_param("page_size"),
    )
    .await;
    assert_eq!(
        asked,
        [
            "/api/users?skip=0&page_size=100",
            "/api/users?skip=100&page_size=100"
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (150, "ShortPage"));

    let after = "paginationType: cursor\npaginationParam: after\nsizeParam: per_page";
    let (asked, read) = users(
        after,
        "{data_path: .data}",
        Pages::cursor(numbered(150))
            .position_param("after")
            .size_param("per_page"),
    )
    .await;
    assert_eq!(
        asked,
        [
            "/api/users?per_page=100",
            "/api/users?after=c100&per_page=100"
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (150, "NoToken"));

    for start in [0, 1] {
        let (asked, read) = users(
            &format!("paginationType: page\nstartPage: {start}"),
            "{}",
            Pages::page(numbered(150)).start(start),
        )
        .await;
        assert_eq!(
            asked,
            [
                format!("/api/users?page={start}&size=100"),
                format!("/api/users?page={}&size=100", start + 1),
            ]
        );
        assert_eq!(read.entities.len(), 150);
    }
}

#[tokio::test(start_paused = true)]
async fn github_s_block_reads_by_page_and_per_page() {
    let github = "paginationType: page\npaginationParam: page\nsizeParam: per_page\nstartPage: 1";
    let (asked, read) = users(
        github,
        "{}",
        Pages::page(numbered(250)).size_param("per_page"),
    )
    .await;
    assert_eq!(
        asked,
        [
            "/api/users?page=1&per_page=100",
            "/api/users?page=2&per_page=100",
            "/api/users?page=3&per_page=100",
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (250, "ShortPage"));
}

#[tokio::test(start_paused = true)]
async fn stripe_s_block_goes_on_after_the_last_record() {
    let stripe = "paginationType: cursor\npaginationParam: starting_after\nsizeParam: limit";
    let charges = (1..=201).map(|n| json!({"id": format!("ch_{n}")}));
    let pages = Pages::cursor(charges)
        .flag("has_more")
        .after_record("starting_after", "id");
    let (asked, read) = users(stripe, "{data_path: .data}", pages).await;
    assert_eq!(
        asked,
        [
            "/api/users?limit=100",
            "/api/users?starting_after=ch_100&limit=100",
            "/api/users?starting_after=ch_200&limit=100",
        ]
    );
    assert_eq!((read.entities.len(), read.end()), (201, "Flag"));
}

#[tokio::test(start_paused = true)]
async fn cursor_path_and_has_more_path_are_read_where_they_stand() {
    let paths = "paginationType: cursor\ncursorPath: meta.after_cursor\nhasMorePath: meta.has_more";
    let pages = Pages::cursor(numbered(250))
        .cursor_at("meta.after_cursor")
        .flag("meta.has_more");
    let (asked, read) = users(paths, "{data_path: .data}", pages).await;
    assert_eq!(asked.last().unwrap(), "/api/users?cursor=c200&limit=100");
    assert_eq!(
        (asked.len(), read.entities.len(), read.end()),
        (3, 250, "Flag")
    );

    // The printed answer, on the last page: the flag counts, not the cursor that is still there.
    let rig = Rig::new(ScriptedApi::new().json(
        "/api/users",
        json!({"data": [{"id": 1}], "meta": {"after_cursor": "xyz123", "has_more": false}}),
    ));
    let read = rig
        .read(paths, &items("/api/users", "{data_path: .data}"))
        .await;
    assert_eq!((rig.api.count("/api/users"), read.end()), (1, "Flag"));
}

#[tokio::test(start_paused = true)]
async fn timeout_bounds_each_call_and_is_thirty_seconds_unless_set() {
    for (setting, seconds) in [
        ("", 30),
        ("timeout: 30", 30),
        ("timeout: 60", 60),
        ("timeout: 10", 10),
    ] {
        for (takes, arrives) in [(seconds - 1, true), (seconds + 1, false)] {
            let slow = Answer::json(json!([{"id": 1}])).after(Duration::from_secs(takes));
            let api = ScriptedApi::new().answer("/users", slow);
            let server = api.serve().await;
            let config = Config::loader()
                .connection_text(
                    "connection.yaml",
                    &format!("baseUrl: {}\n{setting}", server.url),
                )
                .mapping_text("mapping.yaml", &items("/users", "{}"))
                .load()
                .unwrap();
            // The real HTTP client: it is what keeps the time.
            let engine = EngineBuilder::from_config(&config)
                .unwrap()
                .seed(7)
                .build()
                .unwrap();
            let read = Read::of(&engine, &engine.resources()[0]).await;
            assert_eq!(
                read.outcome.is_complete(),
                arrives,
                "{setting}, {takes} s: {:?}",
                read.errors
            );
            if !arrives {
                let gap = api.requests()[1].at - api.requests()[0].at;
                assert!(
                    gap >= Duration::from_secs(seconds),
                    "{setting}: given up after {gap:?}"
                );
                assert!(
                    gap < Duration::from_secs(seconds + 1),
                    "{setting}: given up after {gap:?}"
                );
                assert!(read.errors[0].is_retryable());
            }
        }
    }
}
