//! Resources built by code: everything that is wrong is said at once, and nothing secret is printed.

use futures::TryStreamExt;
use longshore_engine::mapping::Entity;
use longshore_engine::{AnswerRules, Engine, Expression, ParameterSource, Resource, StatusAction};
use longshore_testkit::{Network, ScriptedApi};
use serde_json::json;

#[test]
fn all_problems_of_a_resource_come_at_once_with_their_paths() {
    let invalid = Resource::builder("/teams/{team}/users")
        .header("Host", "elsewhere")
        .data_path(".users[")
        .selector(".active ==")
        .identifier(".id")
        .blueprint("user")
        .property("email", ".email |")
        .parameter("org", ParameterSource::new("/orgs", ".id |"))
        .build()
        .unwrap_err();
    let paths: Vec<&str> = invalid
        .problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    for path in [
        "kind",
        "selector.path_parameters.org",
        "selector.path_parameters.org.field",
        "selector.headers.Host",
        "selector.data_path",
        "selector.query",
        "port.entity.mappings.properties.email",
    ] {
        assert!(paths.contains(&path), "{path} is missing in {paths:?}");
    }
}

#[test]
fn a_name_given_as_blueprint_is_the_blueprint_of_every_entity() {
    let users = Resource::builder("/users")
        .identifier(".id")
        .blueprint("service\\x")
        .build()
        .unwrap();
    assert_eq!(users.blueprint(), Some("service\\x"));
    let quoted = Resource::builder("/users")
        .identifier(".id")
        .blueprint("service \"x\"")
        .build()
        .unwrap();
    assert_eq!(quoted.blueprint(), Some("service \"x\""));
    let computed = Resource::builder("/users")
        .identifier(".id")
        .blueprint_jq(".type")
        .build()
        .unwrap();
    assert_eq!(computed.blueprint(), None);
}

#[test]
fn debug_output_holds_no_value_of_query_headers_or_body() {
    let mut source = ParameterSource::new("/teams?sig=CANARY", ".id");
    source.query_params = vec![("key".into(), "CANARY".into())];
    source.headers = vec![("x-key".into(), "CANARY".into())];
    source.body = Some(json!({"key": "CANARY"}));
    let builder = Resource::builder("/teams/{team}/users?sig=CANARY")
        .query_param("key", "CANARY")
        .header("x-key", "CANARY")
        .body(json!({"key": "CANARY"}))
        .answer_rules(AnswerRules::default().on_status(404, StatusAction::Empty))
        .identifier(".id")
        .blueprint("user")
        .parameter("team", source.clone());
    let printed = format!("{source:?} {builder:?}");
    let users = builder.build().unwrap();
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .resource(users.clone());
    let printed = format!("{printed} {users:?} {engine:?}");
    let printed = format!("{printed} {:?}", engine.build().unwrap());
    assert!(!printed.contains("CANARY"), "{printed}");
}

#[tokio::test(start_paused = true)]
async fn a_parameter_that_an_expression_looks_at_behind_a_tab_counts() {
    let api = ScriptedApi::new()
        .json("/teams", json!([{"id": "a"}, {"id": "b"}]))
        .json("/teams/a/users", json!([{"id": 7}]))
        .json("/teams/b/users", json!([{"id": 7}]))
        .json("/users/7/files", json!([{"id": 1}]));
    let search = json!({"combinator": "\"and\"", "rules": [{"property": "\"name\"", "operator": "\"=\"", "value": "{\n\t__team,\n\tid} | map(tostring) | join(\"-\")"}]});
    let in_jq = "{\n\t__team,\n\tid} | map(tostring) | join(\"-\")";
    for identifier in [Expression::from(in_jq), Expression::Search(search)] {
        let files = Resource::builder("/users/{user}/files")
            .parameter("team", ParameterSource::new("/teams", ".id"))
            .parameter("user", ParameterSource::new("/teams/{team}/users", ".id"))
            .identifier(identifier.clone())
            .blueprint("file")
            .build()
            .unwrap();
        let engine = Engine::builder()
            .base_url("https://api.example.com")
            .transport(
                Network::new()
                    .at("https://api.example.com", api.clone())
                    .transport(),
            )
            .build()
            .unwrap();
        let files: Vec<Entity> = engine.entities(&files).try_collect().await.unwrap();
        // The same file for each of the two teams.
        assert_eq!(files.len(), 2, "{identifier:?}: {files:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_show_a_kind_without_its_query() {
    let api = ScriptedApi::new();
    let network = Network::new().at("https://api.example.com", api);
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(network.transport())
        .build()
        .unwrap();
    let users = Resource::builder("/users?sig=CANARY").identifier(".id");
    let users = users.blueprint("user").build().unwrap();
    let error = engine.entities(&users).try_next().await.unwrap_err();
    assert!(error.to_string().starts_with("/users: "), "{error}");
    assert!(!error.to_string().contains("CANARY"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn of_many_parents_that_fail_an_estimate_names_the_first_and_counts_the_others() {
    let teams: Vec<_> = (0..150).map(|id| json!({"id": {"no": id}})).collect();
    let network = Network::new().at(
        "https://api.example.com",
        ScriptedApi::new().json("/teams", json!(teams)),
    );
    let users = Resource::builder("/teams/{team}/users")
        .parameter("team", ParameterSource::new("/teams", ".id"))
        .identifier(".id")
        .blueprint("user")
        .build()
        .unwrap();
    let engine = Engine::builder()
        .base_url("https://api.example.com")
        .transport(network.transport())
        .resource(users)
        .build()
        .unwrap();
    let counted = engine.count_children(&[]).await;
    let problems = &counted.resources[0].problems;
    assert_eq!(problems.len(), 21, "{problems:?}");
    assert_eq!(problems[20], "130 further problems");
}
