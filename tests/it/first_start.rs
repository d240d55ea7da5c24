//! An integration that Port does not know yet: what is created from files, what from the first records, and what is left alone.

use std::fs;
use std::num::NonZeroUsize;

use longshore_engine::EngineBuilder;
use longshore_engine::config::Config;
use longshore_engine::init::{Created, FirstStart, Inference, infer};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::rig::{API, Rig};

const MAPPING: &str = r#"
createMissingRelatedEntities: true
resources:
  - kind: /users
    selector: {query: true}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"', properties: {five: 5}}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
"#;

/// A folder with these files, as `resourcesPath`, and the configuration that names it.
fn config(files: &[(&str, Value)], mapping: Option<&str>, more: &str) -> (TempDir, Config) {
    let folder = TempDir::new().unwrap();
    for (name, content) in files {
        fs::write(folder.path().join(name), content.to_string()).unwrap();
    }
    let path = folder.path().display();
    let text = format!(
        "integration: {{identifier: test, config: {{baseUrl: '{API}'}}}}\nresourcesPath: '{path}'\n{more}"
    );
    let mut loader = Config::loader().connection_text("connection.yaml", &text);
    if let Some(mapping) = mapping {
        loader = loader.mapping_text("mapping.yaml", mapping);
    }
    (folder, loader.load().unwrap())
}

/// Three blueprints in the wrong order, two of them in a circle.
fn blueprints() -> Value {
    let blueprint = |name: &str, target: &str| {
        json!({
            "identifier": name, "title": name, "icon": "Service",
            "schema": {"properties": {"email": {"type": "string", "format": "email"}}, "required": []},
            "relations": {"to": {"target": target, "required": false, "many": false}},
        })
    };
    json!([
        blueprint("user", "team"),
        blueprint("team", "company"),
        blueprint("company", "user")
    ])
}

/// Port with a blueprint of somebody else, so that targets are checked.
fn port() -> PortDouble {
    PortDouble::new().blueprint("other")
}

async fn run(port: &PortDouble, config: &Config) -> Vec<Created> {
    let rig = Rig::with_port(ScriptedApi::new(), port.clone());
    let plan = FirstStart::of(config).unwrap();
    plan.run(&rig.port_client()).await.unwrap().1
}

#[tokio::test(start_paused = true)]
async fn a_new_integration_gets_its_mapping_and_its_blueprints_from_files() {
    let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
    let port = port();
    let created = run(&port, &config).await;
    assert_eq!(created.len(), 4, "{created:?}");
    assert_eq!(created[3], Created::Integration);
    for (name, target) in [("user", "team"), ("team", "company"), ("company", "user")] {
        let blueprint = port.known_blueprint(name).unwrap();
        assert_eq!(blueprint["relations"]["to"]["target"], target);
        assert_eq!(blueprint["icon"], "Service");
    }
    let config = &port.known_integration("test").unwrap()["config"];
    assert_eq!(config["createMissingRelatedEntities"], true);
    let users = &config["resources"][0];
    assert_eq!(users["selector"], json!({"query": "true"}));
    // jq is text, whatever it looks like.
    assert_eq!(
        users["port"]["entity"]["mappings"]["properties"]["five"],
        "5"
    );
    assert_eq!(config["resources"][1]["selector"], json!({"query": "true"}));
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_mapping_of_a_new_integration_may_lie_beside_the_blueprints() {
    let mapping = json!({"resources": [
        {"kind": "/users", "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"user\""}}}},
    ]});
    let (_folder, config) = config(&[("port-app-config.yml", mapping)], None, "");
    let port = port();
    assert_eq!(run(&port, &config).await, [Created::Integration]);
    assert_eq!(
        port.known_integration("test").unwrap()["config"]["resources"][0]["kind"],
        "/users"
    );
    // The second start finds it.
    assert_eq!(run(&port, &config).await, []);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn what_exists_is_never_changed_and_what_it_lacks_is_named() {
    let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
    let port = port().blueprint("team");
    let before = port.known_blueprint("team");
    let created = run(&port, &config).await;
    let kept = Created::Kept {
        blueprint: "team".to_owned(),
        lacks: vec!["property email".to_owned(), "relation to".to_owned()],
    };
    assert!(created.contains(&kept), "{created:?}");
    assert_eq!(port.known_blueprint("team"), before);

    // An integration that is there is left alone with all its blueprints.
    let port = port.integration("test", json!({"resources": []}));
    let calls = port.requests().len();
    assert_eq!(run(&port, &config).await, []);
    let made: Vec<_> = port.requests()[calls..]
        .iter()
        .map(|call| call.method.clone())
        .collect();
    assert!(
        made.iter()
            .all(|method| method == "GET" || method == "POST"),
        "{made:?}"
    );
    assert_eq!(
        port.known_integration("test").unwrap()["config"],
        json!({"resources": []})
    );
}

#[tokio::test(start_paused = true)]
async fn an_integration_without_a_mapping_gets_one_and_nothing_else() {
    let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
    let port = port().integration("test", json!({}));
    assert_eq!(run(&port, &config).await, [Created::Mapping]);
    assert_eq!(port.count(PortCall::CreateBlueprint), 0);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn initialize_port_resources_false_creates_no_blueprints() {
    let files = [("blueprints.json", blueprints())];
    let (_folder, config) = config(&files, Some(MAPPING), "initializePortResources: false");
    let port = port();
    assert_eq!(run(&port, &config).await, [Created::Integration]);
    assert_eq!(port.count(PortCall::CreateBlueprint), 0);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_was_cut_short_is_finished_by_the_next() {
    let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
    let port = port().fault(
        PortCall::CreateBlueprint,
        2,
        Answer::status(422).with_json(json!({"ok": false, "message": "no"})),
    );
    let rig = Rig::with_port(ScriptedApi::new(), port.clone());
    let plan = FirstStart::of(&config).unwrap();
    let error = plan.run(&rig.port_client()).await.unwrap_err().to_string();
    assert!(error.contains("creating blueprint `"), "{error}");
    assert!(port.known_integration("test").is_none());
    run(&port, &config).await;
    assert!(port.known_integration("test").is_some());
    for name in ["user", "team", "company"] {
        assert!(port.known_blueprint(name).is_some(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_circle_that_was_cut_short_is_closed_by_the_next_start() {
    let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
    let port = port().fault(PortCall::UpdateBlueprint, 1, Answer::status(422));
    let rig = Rig::with_port(ScriptedApi::new(), port.clone());
    let plan = FirstStart::of(&config).unwrap();
    plan.run(&rig.port_client()).await.unwrap_err();
    assert!(port.known_integration("test").is_none());
    run(&port, &config).await;
    for (name, target) in [("user", "team"), ("team", "company"), ("company", "user")] {
        let blueprint = port.known_blueprint(name).unwrap();
        assert_eq!(blueprint["relations"]["to"]["target"], target, "{name}");
    }
    assert!(port.known_integration("test").is_some());
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_in_a_circle_stays_as_somebody_changed_it() {
    for changed in [true, false] {
        let (_folder, config) = config(&[("blueprints.json", blueprints())], Some(MAPPING), "");
        let port = port().fault(PortCall::UpdateBlueprint, 1, Answer::status(422));
        let rig = Rig::with_port(ScriptedApi::new(), port.clone());
        let plan = FirstStart::of(&config).unwrap();
        plan.run(&rig.port_client()).await.unwrap_err();
        let opened = ["user", "team", "company"]
            .into_iter()
            .find(|name| {
                let relations = &port.known_blueprint(name).unwrap()["relations"];
                relations.as_object().is_none_or(serde_json::Map::is_empty)
            })
            .unwrap();
        let port = match changed {
            // Somebody made it anew in the meantime.
            true => port.blueprint(opened),
            // Or the integration is known, and what is there is somebody's.
            false => port.integration("test", json!({"resources": []})),
        };
        let before = port.known_blueprint(opened);
        let rig = Rig::with_port(ScriptedApi::new(), port.clone());
        plan.create(&rig.port_client()).await.unwrap();
        assert_eq!(port.known_blueprint(opened), before, "{changed}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_before_anything_is_sent() {
    for (name, content, says) in [
        (
            "blueprints.json",
            json!({"a": 1}),
            "blueprints.json: must be a list of blueprints",
        ),
        (
            "blueprints.json",
            json!([{"title": "No name"}]),
            "blueprints.json: [0]: missing field `identifier`",
        ),
        (
            "port-app-config.yml",
            json!({"resources": [{"kind": "/a"}]}),
            "port-app-config.yml",
        ),
    ] {
        let (_folder, config) = config(&[(name, content)], None, "");
        let error = FirstStart::of(&config).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

// From the first records

fn shop() -> ScriptedApi {
    ScriptedApi::new()
        .json(
            "/users",
            json!([
                {"id": 1, "email": "ada@example.com", "site": "https://ada.example", "joined": "2024-01-02T03:04:05Z",
                 "age": 36, "admin": true, "tags": ["a"], "address": {"city": "London"}, "boss": null, "note": "x", "team_id": "blue"},
                {"id": 2, "email": null, "site": "https://bob.example/x", "joined": "2024-01-02T03:04:05+01:00",
                 "age": 1.5, "admin": false, "tags": [], "address": null, "boss": 1, "note": 7, "team_id": "red"},
            ]),
        )
        .json("/teams", json!([{"id": "blue"}, {"id": "red"}]))
        .on("/users/{id}/devices", |call| {
            let user = call.parameter("id").to_owned();
            longshore_testkit::Answer::json(json!([{"serial": format!("d{user}"), "sites": ["s1", "s2"]}]))
        })
}

const SHOP: &str = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          properties: {email: .email, site: .site, joined: .joined, age: .age, admin: .admin, tags: .tags, address: .address, note: .note, nothing: .nothing}
          relations: {works_in: .team_id, boss: .boss}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"'}}}
  - kind: /users/{user_id}/devices
    selector: {path_parameters: {user_id: {endpoint: /users, field: .id}}}
    port:
      entity:
        mappings:
          identifier: .serial
          blueprint: '"device"'
          relations: {owner: .__user_id, sites: .sites}
"#;

async fn inferred(rig: &Rig, config: &Config) -> Inference {
    let engine = EngineBuilder::from_config(config)
        .unwrap()
        .transport(rig.network.transport())
        .build()
        .unwrap();
    infer(
        &engine,
        &config.mapping.as_ref().unwrap().for_port(),
        NonZeroUsize::new(100).unwrap(),
    )
    .await
}

#[tokio::test(start_paused = true)]
async fn blueprints_are_inferred_from_what_the_first_records_become() {
    let (_folder, config) = config(&[], Some(SHOP), "");
    let rig = Rig::with_port(shop(), port());
    let inference = inferred(&rig, &config).await;
    let of = |name: &str| {
        let found = inference
            .blueprints
            .iter()
            .find(|blueprint| blueprint.identifier == name);
        json!(found.unwrap_or_else(|| panic!("{name}: {inference:?}")))
    };
    let user = of("user");
    let schema = |name: &str| {
        let mut schema = user["schema"]["properties"][name].clone();
        schema.as_object_mut().unwrap().remove("title");
        schema
    };
    assert_eq!(
        schema("email"),
        json!({"type": "string", "format": "email"})
    );
    assert_eq!(schema("site"), json!({"type": "string", "format": "url"}));
    assert_eq!(
        schema("joined"),
        json!({"type": "string", "format": "date-time"})
    );
    assert_eq!(schema("age"), json!({"type": "number"}));
    assert_eq!(schema("admin"), json!({"type": "boolean"}));
    assert_eq!(
        schema("tags"),
        json!({"type": "array", "items": {"type": "string"}})
    );
    assert_eq!(schema("address"), json!({"type": "object"}));
    assert_eq!(user["relations"]["works_in"]["target"], "team");
    assert_eq!(user["relations"]["boss"]["target"], "user");
    assert_eq!(user["title"], "User");
    let device = of("device");
    assert_eq!(device["relations"]["owner"]["target"], "user");
    assert_eq!(device["relations"]["owner"]["many"], false);
    assert_eq!(device["relations"].get("sites"), None);
    let notes = inference.notes.join("\n");
    assert!(
        notes.contains("property note is number and string"),
        "{notes}"
    );
    assert!(
        notes.contains("property nothing was null in every record"),
        "{notes}"
    );
    assert!(
        notes.contains("blueprint device: relation sites is left out"),
        "{notes}"
    );
    assert_eq!(inference.notes.len(), 3, "{notes}");
    // Port takes them, in any order.
    let plan = FirstStart {
        blueprints: inference.blueprints.clone(),
        ..FirstStart::default()
    };
    plan.create_blueprints(&rig.port_client()).await.unwrap();
    assert_eq!(rig.port.violations(), Vec::<String>::new());
    assert_eq!(
        rig.port.known_blueprint("user").unwrap()["relations"]["boss"]["target"],
        "user"
    );
}

/// What Port's description of blueprints refuses is found by the double, which holds every request against it.
#[tokio::test(start_paused = true)]
async fn blueprints_inferred_from_odd_records_are_taken_by_port_and_so_are_the_entities() {
    const ODD: &str = r#"
resources:
  - kind: /things
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"thing"'
          properties:
            number: .number
            "weird key": .number
            dot.ted: .number
            when: .when
            flags: .flags
            deep: .deep
            big: .big
            none: .none
            very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_very_long_name_very_long_name: .number
          relations: {parent: .parent, "bad name": .parent}
  - kind: /odd
    port: {entity: {mappings: {identifier: .id, blueprint: '"Odd Thing"'}}}
  - kind: /things/{thing_id}/parts
    selector: {path_parameters: {thing_id: {endpoint: /things, field: .id}}}
    port:
      entity:
        mappings: {identifier: .id | tostring, blueprint: '"__"', relations: {belongs_to: .thing_id | tostring}}
"#;
    let things = json!([
        {"id": "a", "number": 1, "when": null, "flags": [null, "x"], "deep": [[1]], "big": 18446744073709551615_u64, "parent": null},
        {"id": "b", "number": 2.5, "when": "2024-01-02T03:04:05Z", "flags": [], "deep": [], "big": -1e300, "parent": "a"},
    ]);
    let api = ScriptedApi::new()
        .json("/things", things)
        .json("/odd", json!([{"id": 1}]))
        .on("/things/{id}/parts", |call| {
            longshore_testkit::Answer::json(json!([{"id": format!("{}1", call.parameter("id"))}]))
        });
    let (_folder, config) = config(&[], Some(ODD), "");
    let rig = Rig::with_port(api, port());
    let inference = inferred(&rig, &config).await;
    let names: Vec<&str> = inference
        .blueprints
        .iter()
        .map(|b| &*b.identifier)
        .collect();
    assert_eq!(names, ["__", "thing"]);
    let thing = json!(inference.blueprints[1]);
    let properties = thing["schema"]["properties"].as_object().unwrap();
    let kept: Vec<&String> = properties.keys().collect();
    assert_eq!(kept, ["big", "deep", "flags", "none", "number", "when"]);
    assert_eq!(properties["number"]["type"], "number");
    assert_eq!(properties["when"]["format"], "date-time");
    assert_eq!(thing["relations"]["parent"]["target"], "thing");
    let part = json!(inference.blueprints[0]);
    assert_eq!(part["relations"]["belongs_to"]["target"], "thing");
    let notes = inference.notes.join("\n");
    for says in [
        "property `weird key` is left out",
        "property `dot.ted` is left out",
        "property `very_long_name_",
        "relation `bad name` is left out",
        "blueprint `Odd Thing` is left out",
    ] {
        assert!(notes.contains(says), "{says}: {notes}");
    }
    let plan = FirstStart {
        blueprints: inference.blueprints,
        ..FirstStart::default()
    };
    plan.create_blueprints(&rig.port_client()).await.unwrap();
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn of_a_long_list_only_the_first_records_are_read() {
    let (_folder, config) = config(
        &[],
        Some(
            "resources: [{kind: /items, selector: {pagination: {type: page, size: 10}}, port: {entity: {mappings: {identifier: .id, blueprint: '\"item\"'}}}}]",
        ),
        "",
    );
    let api = ScriptedApi::new().pages(
        "/items",
        longshore_testkit::Pages::page(longshore_testkit::numbered(5000)),
    );
    let rig = Rig::with_port(api, port());
    let inference = inferred(&rig, &config).await;
    assert_eq!(inference.blueprints.len(), 1);
    let pages = rig.api.requests().len();
    assert!((10..=12).contains(&pages), "{pages}");
}

#[tokio::test(start_paused = true)]
async fn a_list_that_cannot_be_read_is_noted_and_the_others_are_inferred() {
    let (_folder, config) = config(&[], Some(SHOP), "");
    let api = shop().on("/teams", |_| longshore_testkit::Answer::status(403));
    let rig = Rig::with_port(api, port());
    let inference = inferred(&rig, &config).await;
    let notes = inference.notes.join("\n");
    assert!(
        notes.contains("not everything could be read: /teams"),
        "{notes}"
    );
    assert!(
        inference
            .blueprints
            .iter()
            .any(|blueprint| blueprint.identifier == "user")
    );
}
