//! What a mapping file says is what the API is asked and what becomes of its records.

// Panicking is how a test reports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use futures::TryStreamExt;
use longshore_engine::config::{Config, Mapping};
use longshore_engine::mapping::Entity;
use longshore_engine::{AllowEmpty, EngineBuilder};
use longshore_testkit::{Answer, ScriptedApi, Seen};
use serde_json::{Value, json};

fn load(mapping: &str) -> Config {
    let loader = Config::loader().connection_text("c.yml", "baseUrl: https://api.example.com\n");
    match loader.mapping_text("m.yml", mapping).load() {
        Ok(config) => config,
        Err(error) => panic!("{mapping}\ngives\n{error}"),
    }
}

fn mapping(text: &str) -> Mapping {
    load(text).mapping.unwrap()
}

/// The entities of the last resource of a configuration.
async fn entities(config: &Config, api: &ScriptedApi) -> Vec<Value> {
    let builder = EngineBuilder::from_config(config).unwrap();
    let engine = builder.transport(api.transport()).build().unwrap();
    let entities: Vec<Entity> = engine
        .entities(engine.resources().last().unwrap())
        .try_collect()
        .await
        .unwrap();
    entities.iter().map(|entity| json!(entity)).collect()
}

/// What the API is asked for a resource with these lines in its selector.
async fn asked(kind: &str, selector: &str) -> Seen {
    let indented: String = selector
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    let config = load(&format!(
        "resources:\n  - kind: {kind}\n    selector:\n{indented}    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"x\"'}}}}}}\n"
    ));
    let any = |_: &longshore_testkit::Call| Answer::json(json!([]));
    let api = ["GET", "POST", "PUT", "PATCH", "DELETE"]
        .iter()
        .fold(ScriptedApi::new(), |api, method| {
            api.on(&format!("{method} /users"), any)
        });
    entities(&config, &api).await;
    api.requests().remove(0)
}

/// The two mapping examples of the integration's page, as printed.
#[tokio::test(start_paused = true)]
async fn the_example_of_two_endpoints_loads_and_maps() {
    let page = r#"
resources:
  # First endpoint: users
  - kind: /api/v1/users
    selector:
      query: 'true'  # JQ filter - 'true' means sync all entities
      data_path: '.users'  # Where to find the data array in the response
      query_params:  # Optional: add query parameters to the API call
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
      data_path: '.data.projects'  # Nested data extraction
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
    let config = load(page);
    let resources = &config.mapping.as_ref().unwrap().resources;
    let kinds: Vec<_> = resources
        .iter()
        .map(|r| (r.kind(), r.blueprint()))
        .collect();
    assert_eq!(
        kinds,
        [
            ("/api/v1/users", Some("user")),
            ("/api/v1/projects", Some("project"))
        ]
    );

    let api = ScriptedApi::new().json(
        "/api/v1/projects",
        json!({"data": {"projects": [{"project_id": "p1", "project_name": "P", "owner": {"email": "a@b"}, "budget_amount": 1.5}]}}),
    );
    assert_eq!(
        entities(&config, &api).await,
        [json!({
            "identifier": "p1", "title": "P", "blueprint": "project", "relations": {},
            "properties": {"description": null, "owner": "a@b", "budget": 1.5, "created": null}
        })]
    );
    assert_eq!(api.paths(), ["/api/v1/projects?status=active"]);
}

#[tokio::test(start_paused = true)]
async fn the_nested_example_loads_without_a_selector_at_its_parent() {
    let config = load(
        r#"
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
"#,
    );
    let api = ScriptedApi::new()
        .json("/api/tickets", json!([{"id": 101}, {"id": 102}]))
        .json("/api/tickets/101/comments", json!([{"id": 1}]))
        .json("/api/tickets/102/comments", json!([{"id": 2}]));
    let mut comments = entities(&config, &api).await;
    comments.sort_by_key(|comment| comment["identifier"].to_string());
    assert_eq!(comments[0]["relations"], json!({"ticket": "101"}));
    assert_eq!(comments[1]["relations"], json!({"ticket": "102"}));
}

#[test]
fn switches_have_the_reference_s_defaults_but_for_dependents() {
    let resources = "resources: [{kind: /users, port: {entity: {mappings: {identifier: .id, blueprint: '\"user\"'}}}}]\n";
    let plain = mapping(resources);
    assert!(!plain.delete_dependent_entities);
    assert!(plain.create_missing_related_entities);
    assert!(plain.enable_merge_entity);
    assert!(plain.skip_unchanged);
    assert_eq!(plain.entity_deletion_threshold, 0.9);
    assert_eq!(plain.allow_empty, AllowEmpty::No);

    for switches in [
        "deleteDependentEntities: true\ncreateMissingRelatedEntities: false\nenableMergeEntity: false\nskipUnchanged: false\nentityDeletionThreshold: 0.5\nallowEmpty: [user, team]\n",
        "delete_dependent_entities: 'Yes'\ncreate_missing_related_entities: OFF\nenable_merge_entity: 0\nskip_unchanged: no\nentity_deletion_threshold: '.5'\nallow_empty: [user, team]\n",
    ] {
        let written = mapping(&format!("{switches}{resources}"));
        assert!(written.delete_dependent_entities);
        assert!(!written.create_missing_related_entities);
        assert!(!written.enable_merge_entity);
        assert!(!written.skip_unchanged);
        assert_eq!(written.entity_deletion_threshold, 0.5);
        let blueprints = BTreeSet::from(["user".to_owned(), "team".to_owned()]);
        assert_eq!(written.allow_empty, AllowEmpty::Blueprints(blueprints));
    }
    for (text, expected) in [
        ("true", AllowEmpty::All),
        ("no", AllowEmpty::No),
        ("[]", AllowEmpty::Blueprints(BTreeSet::new())),
    ] {
        assert_eq!(
            mapping(&format!("allowEmpty: {text}\n{resources}")).allow_empty,
            expected,
            "{text}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn values_without_a_type_go_out_as_they_are_written() {
    for selector in [
        "query_params: {country: NO, code: 012, n: 1.10, ok: true, y: yes, list: [a, 02], e: ''}",
        "queryParams:\n  country: NO\n  code: 012\n  n: 1.10\n  ok: true\n  y: yes\n  list:\n    - a\n    - 02\n  e: ''",
        r#"query_params: '{"country": "NO", "code": "012", "n": 1.10, "ok": true, "y": "yes", "list": ["a", "02"], "e": ""}'"#,
    ] {
        let request = asked("/users", selector).await;
        assert_eq!(
            request.path_and_query(),
            "/users?country=NO&code=012&n=1.10&ok=true&y=yes&list=a&list=02&e=",
            "{selector}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn method_headers_and_body_go_out() {
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
        assert_eq!(
            asked("/users", &format!("method: {method}")).await.method,
            method
        );
        assert_eq!(
            asked("/users", &format!("method: {}", method.to_lowercase()))
                .await
                .method,
            method
        );
    }
    let request = asked(
        "/users",
        "headers: {Accept: application/vnd.api+json, X-Version: 012}",
    )
    .await;
    assert_eq!(request.header("accept"), Some("application/vnd.api+json"));
    assert_eq!(request.header("x-version"), Some("012"));
    for body in [
        "body: {filter: {active: true, max: 10, code: 012, word: 'true', none: null}, ids: [1, 2.5]}",
        r#"body: '{"filter": {"active": true, "max": 10, "code": "012", "word": "true", "none": null}, "ids": [1, 2.5]}'"#,
    ] {
        let request = asked("/users", &format!("method: POST\n{body}")).await;
        assert_eq!(
            request.json(),
            json!({"filter": {"active": true, "max": 10, "code": "012", "word": "true", "none": null}, "ids": [1, 2.5]})
        );
    }
}

#[tokio::test(start_paused = true)]
async fn the_older_kind_takes_its_endpoint_from_the_selector() {
    for selector in [
        "{query: {endpoint: /users, method: POST, query_params: {a: 1}, headers: {X-A: b}}}",
        "{endpoint: /users, method: POST, query_params: {a: 1}, headers: {X-A: b}}",
        "{query: 'true', endpoint: /users, method: POST, queryParams: {a: 1}, headers: {X-A: b}}",
    ] {
        let config = load(&format!(
            "resources:\n  - kind: api_resource\n    selector: {selector}\n    port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"x\"'}}}}}}\n"
        ));
        assert_eq!(config.warnings.len(), 1);
        assert!(
            config.warnings[0]
                .to_string()
                .starts_with("m.yml:2: resources[0].kind: is the older form")
        );
        let api = ScriptedApi::new().on("POST /users", |_| Answer::json(json!([{"id": "a"}])));
        assert_eq!(entities(&config, &api).await.len(), 1, "{selector}");
        let request = api.requests().remove(0);
        assert_eq!(request.path_and_query(), "/users?a=1");
        assert_eq!(request.header("x-a"), Some("b"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_part_of_a_mapping_is_read_in_both_spellings() {
    let camel = r#"
resources:
  - kind: /users
    selector:
      query: .active
      dataPath: .users
      onStatus: {404: empty}
      pagination: {type: page, sizeParam: per_page, size: 2}
    port:
      itemsToParse: .roles
      itemsToParseName: role
      itemsToParseTopLevelTransform: false
      entity:
        mappings:
          identifier: .id + "-" + .role
          title: .name
          icon: '"User"'
          team: .team
          blueprint: '"user"'
          properties: {roles: .roles, two: 2, flag: true, nothing: null}
          relations:
            company: .company
            owner:
              combinator: '"and"'
              rules: [{property: '"email"', operator: '"="', value: .mail}, {property: '"n"', operator: '"="', value: 5}]
"#;
    let snake = camel
        .replace("dataPath", "data_path")
        .replace("onStatus", "on_status")
        .replace("sizeParam", "size_param")
        .replace(
            "itemsToParseTopLevelTransform",
            "items_to_parse_top_level_transform",
        )
        .replace("itemsToParseName", "items_to_parse_name")
        .replace("itemsToParse", "items_to_parse");
    for text in [camel, &snake] {
        let api = ScriptedApi::new().json(
            "/users",
            json!({"users": [
                {"id": "u", "active": true, "name": "U", "team": ["t"], "roles": ["dev"], "company": 7, "mail": "u@x"},
                {"id": "v", "active": false, "roles": ["dev"]},
            ], "has_more": false}),
        );
        assert_eq!(
            entities(&load(text), &api).await,
            [json!({
                "identifier": "u-dev", "title": "U", "icon": "User", "team": ["t"], "blueprint": "user",
                "properties": {"roles": ["dev"], "two": 2, "flag": true, "nothing": null},
                "relations": {"company": "7", "owner": {"combinator": "and", "rules": [
                    {"property": "email", "operator": "=", "value": "u@x"},
                    {"property": "n", "operator": "=", "value": 5},
                ]}},
            })],
            "{text}"
        );
        assert_eq!(api.paths()[0], "/users?page=1&per_page=2");
        let none = ScriptedApi::new().answer("/users", Answer::status(404));
        assert_eq!(entities(&load(text), &none).await, Vec::<Value>::new());
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_parameter_s_list_is_asked_for_as_written() {
    for spelling in [str::to_owned as fn(&str) -> String, |text| {
        text.replace("path_parameters", "pathParameters")
            .replace("query_params", "queryParams")
            .replace("data_path", "dataPath")
    }] {
        let config = load(&spelling(
            r#"
resources:
  - kind: /teams/{team}/users
    selector:
      path_parameters:
        team:
          endpoint: /teams
          method: POST
          query_params: {country: NO}
          headers: {X-A: b}
          body: '{"all": true}'
          data_path: .teams
          field: .slug
          filter: .active
          pagination: none
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', properties: {team: .__team}}}}
"#,
        ));
        let teams =
            json!({"teams": [{"slug": "a", "active": true}, {"slug": "b", "active": false}]});
        let api = ScriptedApi::new()
            .on("POST /teams", move |_| Answer::json(teams.clone()))
            .json("/teams/a/users", json!([{"id": "u"}]));
        let users = entities(&config, &api).await;
        assert_eq!(users[0]["properties"], json!({"team": "a"}));
        let parents = api.requests().remove(0);
        assert_eq!(parents.path_and_query(), "/teams?country=NO");
        assert_eq!(parents.header("x-a"), Some("b"));
        assert_eq!(parents.json(), json!({"all": true}));
        assert_eq!(api.requests().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_mapping_from_port_warns_of_keys_that_a_file_would_refuse() {
    let from_port = json!({
        "deleteDependentEntities": true,
        "somethingNew": 1,
        "resources": [{
            "kind": "/users",
            "selector": {"query": "true", "data_pth": ".users", "query_params": {"n": 1, "ok": true}},
            "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\"", "properties": {"one": 1}}}}
        }]
    });
    let connection =
        Config::loader().connection_text("c.yml", "baseUrl: https://api.example.com\n");
    let config = connection
        .load()
        .unwrap()
        .with_mapping_from_port(from_port.clone())
        .unwrap();
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "mapping at Port: resources[0].selector.data_pth: is not known and ignored; did you mean `data_path`?",
            "mapping at Port: somethingNew: is not known and ignored",
        ]
    );
    assert!(config.mapping.as_ref().unwrap().delete_dependent_entities);
    let api = ScriptedApi::new().json("/users", json!([{"id": "u"}]));
    assert_eq!(
        entities(&config, &api).await[0]["properties"],
        json!({"one": 1})
    );
    assert_eq!(api.paths(), ["/users?n=1&ok=true"]);

    let loader = Config::loader().connection_text("c.yml", "baseUrl: https://api.example.com\n");
    let loaded = loader.mapping_value("Port", from_port).load().unwrap();
    assert_eq!(
        loaded.warnings[1].to_string(),
        "Port: somethingNew: is not known and ignored"
    );
}

#[test]
fn a_mapping_from_port_that_cannot_work_is_refused_with_every_problem() {
    let connect = || {
        Config::loader()
            .connection_text("c.yml", "baseUrl: https://api.example.com\n")
            .load()
            .unwrap()
    };
    let error = connect()
        .with_mapping_from_port(json!({"resources": [{"kind": "/a/{b}", "port": {"entity": {"mappings": {"identifier": ".id |", "blueprint": "\"x\""}}}}]}))
        .unwrap_err();
    let paths: Vec<_> = error
        .problems
        .iter()
        .map(|problem| (problem.line, problem.path.as_str()))
        .collect();
    assert_eq!(
        paths,
        [
            (None, "resources[0].kind"),
            (None, "resources[0].port.entity.mappings.identifier")
        ]
    );
    for nothing in [json!(null), json!({}), json!([])] {
        assert!(connect().with_mapping_from_port(nothing).is_err());
    }
}

/// Settings of a resource that do not go together with those of the connection are found at load, under the resource.
#[test]
fn paging_of_a_resource_is_checked_over_that_of_the_connection() {
    let error = Config::loader()
        .connection_text("c.yml", "baseUrl: https://h\npaginationType: cursor\ncursorPath: next\n")
        .mapping_text(
            "m.yml",
            "resources:\n  - kind: /users\n    selector:\n      pagination:\n        cursorPath: '.a ['\n    port: {entity: {mappings: {identifier: .id |, blueprint: '\"x\"'}}}\n",
        )
        .load()
        .unwrap_err();
    assert_eq!(error.problems.len(), 2, "{error}");
    assert_eq!(error.problems[0].line, Some(5));
    assert_eq!(
        error.problems[0].path,
        "resources[0].selector.pagination.cursorPath"
    );

    let error = Config::loader()
        .connection_text("c.yml", "baseUrl: https://h\npaginationType: cursor\ncursorPath: '.a ['\nstopWhen: nope\n")
        .mapping_text("m.yml", "resources:\n  - kind: /users\n    port: {entity: {mappings: {identifier: .id, blueprint: '\"x\"'}}}\n")
        .load()
        .unwrap_err();
    let places: Vec<_> = error
        .problems
        .iter()
        .map(|problem| (problem.line, problem.path.as_str()))
        .collect();
    assert_eq!(places, [(Some(3), "cursorPath"), (Some(4), "stopWhen")]);
}

#[test]
fn a_loaded_mapping_shows_no_value_that_may_be_secret() {
    let config = load(
        "resources:\n  - kind: /users?k=CANARY\n    selector: {headers: {Authorization: CANARY}, query_params: {key: CANARY}, body: {key: CANARY}}\n    port: {entity: {mappings: {identifier: .id, blueprint: '\"x\"'}}}\n",
    );
    assert!(!format!("{config:?}").contains("CANARY"), "{config:?}");
}

#[test]
fn what_compiles_but_cannot_be_meant_is_warned_of_with_its_line() {
    let config = load(
        r#"resources:
  - kind: /users
    selector:
      query: .state | IN(["open", "new"])
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          team:
            combinator: '"and"'
            rules: [{property: '"a"', operator: '"="', value: '.a == "x" or "y"'}]
          properties:
            created at: .created_at
            fine-name: .fine
          relations:
            owner's: .owner
"#,
    );
    let warnings: Vec<_> = config.warnings.iter().map(ToString::to_string).collect();
    let starts = [
        "m.yml:4: resources[0].selector.query: `IN` takes values, not a list of them",
        "m.yml:12: resources[0].port.entity.mappings.team.rules[0].value: a text is always true as a condition",
        "m.yml:14: resources[0].port.entity.mappings.properties.created…: Port takes names of",
        "m.yml:17: resources[0].port.entity.mappings.relations.owner's: Port takes names of",
    ];
    assert_eq!(warnings.len(), starts.len(), "{warnings:#?}");
    for (warning, start) in warnings.iter().zip(starts) {
        assert!(warning.starts_with(start), "{warning}\n{start}");
    }
}
