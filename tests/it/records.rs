//! From an answer to entities: records, expressions, identifiers, search queries, items.

use longshore_testkit::{Answer, Pages, PortCall, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{Read, Rig, items};

/// Reads a list with this selector and these lines below `mappings` (YAML in one line each).
async fn map(body: Value, selector: &str, mappings: &str) -> Read {
    map_as(body, selector, "", mappings).await
}

/// As [`map`], with lines below `port`.
async fn map_as(body: Value, selector: &str, port: &str, mappings: &str) -> Read {
    let rig = Rig::new(ScriptedApi::new().json("/items", body));
    rig.read("", &mapping(selector, port, mappings)).await
}

fn mapping(selector: &str, port: &str, mappings: &str) -> String {
    format!(
        r#"
resources:
  - kind: /items
    selector: {selector}
    port:
      {port}
      entity: {{mappings: {mappings}}}
"#
    )
}

/// The mapping of a record with an `id` to an entity with this property.
fn with_property(jq: &str) -> String {
    let jq = jq.replace('\'', "''");
    format!(r#"{{identifier: .id, blueprint: '"item"', properties: {{p: '{jq}'}}}}"#)
}

// data_path

#[tokio::test(start_paused = true)]
async fn data_path_gives_the_items_of_an_array_one_object_or_what_is_left_of_several_outputs() {
    for (path, body, identifiers) in [
        (
            ".users",
            json!({"users": [{"id": 1}, {"id": 2}]}),
            vec!["1", "2"],
        ),
        (".users", json!({"users": []}), vec![]),
        (".user", json!({"user": {"id": 1}}), vec!["1"]),
        (
            ".users[]",
            json!({"users": [{"id": 1}, {"id": 2}]}),
            vec!["1", "2"],
        ),
        (".users[]", json!({"users": []}), vec![]),
        (
            ".data[].results[]",
            json!({"data": [{"results": [{"id": 1}]}, {"results": [{"id": 2}, {"id": 3}]}]}),
            vec!["1", "2", "3"],
        ),
        // Arrays among the outputs are opened one level.
        (
            ".data[].results",
            json!({"data": [{"results": [{"id": 1}]}, {"results": [{"id": 2}]}]}),
            vec!["1", "2"],
        ),
        (
            ".a, .b",
            json!({"a": [{"id": 1}], "b": {"id": 2}}),
            vec!["1", "2"],
        ),
        (
            ". | to_entries | map({id: .key})",
            json!({"x": 1, "y": 2}),
            vec!["x", "y"],
        ),
        (".users // []", json!({"error": "none"}), vec![]),
        (".users // []", json!({"users": null}), vec![]),
    ] {
        let read = map(
            body,
            &format!("{{data_path: '{path}'}}"),
            r#"{identifier: .id, blueprint: '"item"'}"#,
        )
        .await;
        assert_eq!(
            (read.identifiers(), read.end()),
            (identifiers, "SinglePage"),
            "{path}: {:?}",
            read.errors
        );
    }
}

#[tokio::test(start_paused = true)]
async fn data_path_that_finds_nothing_is_incomplete_and_says_what_is_there() {
    for body in [
        json!({"members": [{"id": 1}], "ok": true}),
        json!({"users": null, "members": [{"id": 1}], "ok": true}),
    ] {
        let read = map(
            body,
            "{data_path: .users}",
            r#"{identifier: .id, blueprint: '"item"'}"#,
        )
        .await;
        assert_eq!((read.identifiers(), read.end()), (vec![], "NoRecordsFound"));
        let said = read.errors[0].to_string();
        for part in [
            "/items",
            "page 1",
            "`.users`",
            "members",
            "ok",
            "data_path: '.users // []'",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
    let read = map(
        json!({"users": "none"}),
        "{data_path: '.users[]'}",
        r#"{identifier: .id, blueprint: '"item"'}"#,
    )
    .await;
    assert_eq!(read.end(), "NoRecordsFound");
    assert!(
        read.errors[0]
            .to_string()
            .contains("data_path `.users[]` failed"),
        "{}",
        read.errors[0]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_at_data_path_on_a_later_page_is_an_empty_page_where_something_proves_the_end() {
    for (last, end) in [
        (json!({"users": []}), "EmptyPage"),
        (json!({"users": null}), "EmptyPage"),
        (json!({"has_more": false}), "Flag"),
        (json!({}), "NoRecordsFound"),
        (json!({"ok": false, "error": "limited"}), "NoRecordsFound"),
        (json!({"users": null, "has_more": true}), "NoRecordsFound"),
    ] {
        let full: Vec<Value> = numbered(10);
        let rig = Rig::new(ScriptedApi::new().on("/items", move |call| {
            Answer::json(match call.query("page").as_deref() {
                Some("1") => json!({"users": full}),
                _ => last.clone(),
            })
        }));
        let read = rig
            .read(
                "paginationType: page\npageSize: 10",
                &items("/items", "{data_path: .users}"),
            )
            .await;
        assert_eq!(
            (read.entities.len(), read.end()),
            (10, end),
            "{:?}",
            read.errors
        );
    }
}

#[tokio::test(start_paused = true)]
async fn without_data_path_an_array_gives_its_items_and_an_object_is_one_record_with_a_warning() {
    let both = r#"{identifier: .id, blueprint: '"item"'}"#;
    let list = map(json!([{"id": 1}, {"id": 2}]), "{}", both).await;
    assert_eq!(
        (list.identifiers(), list.outcome.warnings.len()),
        (vec!["1", "2"], 0)
    );
    let one = map(json!({"id": 1, "name": "the only one"}), "{}", both).await;
    assert_eq!((one.identifiers(), one.end()), (vec!["1"], "SinglePage"));
    assert_eq!(one.outcome.warnings.len(), 1);
    assert!(
        one.outcome.warnings[0].contains("data_path"),
        "{}",
        one.outcome.warnings[0]
    );
}

#[tokio::test(start_paused = true)]
async fn records_that_are_no_objects_are_mapped_as_they_are() {
    let read = map(
        json!({"repositories": ["web", "api"], "total": 2}),
        "{data_path: .repositories}",
        r#"{identifier: ., title: '. + "!"', blueprint: '"repository"'}"#,
    )
    .await;
    assert_eq!(read.identifiers(), ["web", "api"]);
    assert_eq!(read.entities[0].title, Some(json!("web!")));
    let numbers = map(json!([7, 8]), "{}", r#"{identifier: ., blueprint: '"n"'}"#).await;
    assert_eq!(numbers.identifiers(), ["7", "8"]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_is_no_object_carries_no_parameter_and_the_error_says_how_to_make_one() {
    let mapping = |data_path: &str, tag: &str| {
        format!(
            r#"
resources:
  - kind: /repos/{{repo}}/tags
    selector:
      query: 'true'
      data_path: '{data_path}'
      path_parameters: {{repo: {{endpoint: /repos, field: .id}}}}
    port: {{entity: {{mappings: {{identifier: '.__repo + ":" + {tag}', blueprint: '"tag"'}}}}}}
"#
        )
    };
    let api = || {
        ScriptedApi::new()
            .json("/repos", json!([{"id": "web"}]))
            .json("/repos/web/tags", json!({"tags": ["v1", "v2"]}))
    };
    let plain = Rig::new(api()).read("", &mapping(".tags", ".")).await;
    assert_eq!((plain.identifiers(), plain.outcome.failed), (vec![], 2));
    let said = plain.errors[0].to_string();
    assert!(said.contains("build objects in data_path"), "{said}");

    let built = Rig::new(api())
        .read("", &mapping(".tags[] | {name: .}", ".name"))
        .await;
    assert_eq!(
        (built.identifiers(), built.end()),
        (vec!["web:v1", "web:v2"], "SinglePage")
    );
}

// Expressions

#[tokio::test(start_paused = true)]
async fn each_expression_gives_its_first_output() {
    let read = map(
        json!([{"id": 1, "tags": ["a", "b"]}]),
        "{query: 'true, false'}",
        r#"{identifier: '.id, 99', title: '.tags[]', blueprint: '"item", "other"', properties: {p: '.tags[], 1'}, relations: {r: '.tags[]'}}"#,
    )
    .await;
    assert_eq!(
        read.json(),
        [
            json!({"identifier": "1", "title": "a", "blueprint": "item", "properties": {"p": "a"}, "relations": {"r": "a"}})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_fails_or_gives_nothing_is_null_for_its_field_and_counted_once_per_field()
 {
    let records: Vec<Value> = (1..=5)
        .map(|id| json!({"id": id, "n": if id < 3 { json!("text") } else { json!(1) }}))
        .collect();
    let rig = Rig::new(ScriptedApi::new().json("/items", json!(records)));
    let mappings = r#"{identifier: .id, blueprint: '"item"', title: '.n | error("no")',
        properties: {fails: '.n + 1', empty: 'empty', fine: .id}, relations: {r: '.id.x'}}"#;
    let read = rig.read("", &mapping("{}", "", mappings)).await;
    assert_eq!(
        (read.entities.len(), read.errors.len(), read.end()),
        (5, 0, "SinglePage")
    );
    let json = read.json();
    assert_eq!(
        json[0]["properties"],
        json!({"fails": null, "empty": null, "fine": 1})
    );
    assert_eq!(
        json[4]["properties"],
        json!({"fails": 2, "empty": null, "fine": 5})
    );
    assert_eq!(json[0]["relations"], json!({"r": null}));
    assert_eq!(json[0].get("title"), None, "a null title is left out");
    let counted: Vec<(&str, u64)> = read
        .outcome
        .misconfigured
        .iter()
        .map(|(field, n)| (field.as_str(), *n))
        .collect();
    assert_eq!(
        counted,
        [
            ("properties.empty", 5),
            ("properties.fails", 2),
            ("relations.r", 5),
            ("title", 5)
        ]
    );
    for field in read.outcome.misconfigured.keys() {
        assert!(
            read.outcome.misconfigured_samples.contains_key(field),
            "{field} has no reason"
        );
    }

    let report = rig.sync("", &mapping("{}", "", mappings)).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(
        report.resources[0].misconfigured,
        read.outcome.misconfigured
    );
}

#[tokio::test(start_paused = true)]
async fn values_arrive_as_they_are() {
    for value in [
        json!(0),
        json!(false),
        json!(""),
        json!([]),
        json!({}),
        json!(null),
        json!(1.5),
        json!([1, {"a": null}]),
        json!(18446744073709551615_u64),
        json!(-9007199254740993_i64),
        json!("ünï 🚢"),
    ] {
        let read = map(json!([{"id": 1, "v": value}]), "{}", &with_property(".v")).await;
        assert_eq!(read.json()[0]["properties"]["p"], value);
        assert!(read.outcome.misconfigured.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn numbers_that_json_cannot_hold_do_not_reach_port() {
    for jq in [
        "nan",
        "[nan, {a: nan}]",
        "infinite",
        "-infinite",
        "[infinite]",
    ] {
        let rig = Rig::new(ScriptedApi::new().json("/items", json!([{"id": 1}])));
        let mapping = mapping("{}", "", &with_property(jq));
        let report = rig.sync("", &mapping).await;
        assert_eq!((report.upserted, report.rejected), (1, 0), "{jq}: {report}");
        assert_eq!(rig.port.violations(), Vec::<String>::new());
    }
    let read = map(json!([{"id": 1}]), "{}", &with_property("nan")).await;
    assert_eq!(read.json()[0]["properties"]["p"], json!(null));
}

#[tokio::test(start_paused = true)]
async fn single_quotes_around_text_are_double_quotes() {
    let records = json!([{"id": 1, "type": "Bug"}, {"id": 2, "type": "Task"}]);
    let selector = r#"{query: ".type == 'Bug'"}"#;
    let read = map(
        records.clone(),
        selector,
        r#"{identifier: .id, blueprint: "'item'", properties: {p: ".type + ' !'"}}"#,
    )
    .await;
    assert_eq!(read.identifiers(), ["1"]);
    assert_eq!(
        (
            read.entities[0].blueprint.as_str(),
            &read.json()[0]["properties"]["p"]
        ),
        ("item", &json!("Bug !"))
    );
    // Inside double quotes they stay what they are.
    let read = map(records, "{}", &with_property(r#""it's " + .type"#)).await;
    assert_eq!(read.json()[0]["properties"]["p"], "it's Bug");
}

#[tokio::test(start_paused = true)]
async fn expressions_see_no_environment() {
    for jq in ["env", "$ENV", "env | keys", "$ENV | keys"] {
        let read = map(json!([{"id": 1}]), "{}", &with_property(jq)).await;
        let expected = if jq.ends_with("keys") {
            json!([])
        } else {
            json!({})
        };
        assert_eq!(read.json()[0]["properties"]["p"], expected, "{jq}");
    }
    let read = map(
        json!([{"id": 1}]),
        "{}",
        &with_property("$ENV.PATH // env.PATH"),
    )
    .await;
    assert_eq!(read.json()[0]["properties"]["p"], json!(null));
}

// Which records become entities

#[tokio::test(start_paused = true)]
async fn the_selector_takes_what_is_true_and_leaves_what_is_false_without_consequence() {
    let records = json!([{"id": 1, "on": true}, {"id": 2, "on": false}, {"id": 3, "on": true}]);
    for (selector, identifiers) in [
        ("{query: 'true'}", vec!["1", "2", "3"]),
        ("{query: true}", vec!["1", "2", "3"]),
        ("{query: 'false'}", vec![]),
        ("{query: .on}", vec!["1", "3"]),
        ("{query: '.on | not'}", vec!["2"]),
        ("{query: 'select(.on)  | true'}", vec!["1", "3"]),
        ("{}", vec!["1", "2", "3"]),
    ] {
        let read = map(
            records.clone(),
            selector,
            r#"{identifier: .id, blueprint: '"item"'}"#,
        )
        .await;
        assert_eq!(
            read.outcome.skipped as usize,
            3 - identifiers.len(),
            "{selector}"
        );
        assert_eq!(
            (read.identifiers(), read.end()),
            (identifiers, "SinglePage"),
            "{selector}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_selector_that_gives_no_boolean_or_fails_is_that_records_error() {
    for answer in [json!(null), json!(1), json!("true"), json!([]), json!({})] {
        let records =
            json!([{"id": 1, "on": true}, {"id": 2, "on": answer}, {"id": 3, "on": true}]);
        let read = map(
            records,
            "{query: .on}",
            r#"{identifier: .id, blueprint: '"item"'}"#,
        )
        .await;
        assert_eq!(
            (read.identifiers(), read.outcome.failed, read.end()),
            (vec!["1", "3"], 1, "RecordsFailed")
        );
        let said = read.errors[0].to_string();
        assert!(
            said.contains("selector.query") && said.contains("id \"2\""),
            "{said}"
        );
    }
    let read = map(
        json!([{"id": 1}, {"id": 2, "on": {"x": true}}]),
        "{query: '.on.x | not | not'}",
        r#"{identifier: .id, blueprint: '"item"'}"#,
    )
    .await;
    assert_eq!(read.identifiers(), ["2"]);
    let read = map(
        json!([{"id": 1, "on": 5}, {"id": 2, "on": {"x": true}}]),
        "{query: .on.x}",
        r#"{identifier: .id, blueprint: '"item"'}"#,
    )
    .await;
    assert_eq!(
        (read.identifiers(), read.end()),
        (vec!["2"], "RecordsFailed")
    );
}

#[tokio::test(start_paused = true)]
async fn numbers_identify_by_their_text_and_what_cannot_identify_fails_its_record() {
    for (value, identifier) in [
        (json!("a"), "a"),
        (json!(7), "7"),
        (json!(0), "0"),
        (json!(-3), "-3"),
        (json!(1.5), "1.5"),
        (json!(12345678901234567890_u64), "12345678901234567890"),
    ] {
        let read = map(
            json!([{"id": value}]),
            "{}",
            r#"{identifier: .id, title: '.id | tostring', blueprint: '"item"'}"#,
        )
        .await;
        assert_eq!(read.identifiers(), [identifier], "{:?}", read.errors);
        assert_eq!(read.entities[0].title, Some(json!(identifier)));
    }
    for value in [
        json!(true),
        json!(false),
        json!({"a": 1}),
        json!([1]),
        json!(null),
        json!(""),
    ] {
        let records = json!([{"id": "before"}, {"id": value, "name": "this one"}, {"id": "after"}]);
        let read = map(records, "{}", r#"{identifier: .id, blueprint: '"item"'}"#).await;
        assert_eq!(
            (
                read.identifiers(),
                read.outcome.failed,
                read.outcome.skipped
            ),
            (vec!["before", "after"], 1, 0),
            "{value}"
        );
        assert_eq!(read.end(), "RecordsFailed", "{value}");
        assert!(
            read.errors[0].to_string().contains("identifier"),
            "{}",
            read.errors[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_identifier_without_output_deselects_and_a_failing_one_fails() {
    let records = json!([{"id": "a", "kind": "x"}, {"id": "b", "kind": "y"}]);
    for jq in [
        r#"select(.kind == "x") | .id"#,
        r#"if .kind == "x" then .id else empty end"#,
    ] {
        let read = map(
            records.clone(),
            "{}",
            &format!(r#"{{identifier: '{jq}', blueprint: '"item"'}}"#),
        )
        .await;
        assert_eq!(
            (read.identifiers(), read.outcome.skipped, read.end()),
            (vec!["a"], 1, "SinglePage"),
            "{jq}"
        );
    }
    let read = map(
        records,
        "{}",
        r#"{identifier: '.id.x', blueprint: '"item"'}"#,
    )
    .await;
    assert_eq!((read.outcome.failed, read.end()), (2, "RecordsFailed"));
}

#[tokio::test(start_paused = true)]
async fn a_blueprint_that_comes_out_null_or_empty_or_as_no_text_fails_its_record() {
    for value in [json!(null), json!(""), json!(7), json!(["x"])] {
        let records = json!([{"id": 1, "type": "user"}, {"id": 2, "type": value}]);
        let read = map(records, "{}", "{identifier: .id, blueprint: .type}").await;
        assert_eq!(
            (read.identifiers(), read.outcome.failed, read.end()),
            (vec!["1"], 1, "RecordsFailed"),
            "{value}"
        );
        assert!(
            read.errors[0].to_string().contains("blueprint"),
            "{}",
            read.errors[0]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_identifier_that_port_refuses_is_rejected_by_name_before_it_is_sent() {
    let long = "x".repeat(1001);
    let fine = ["a-b_c@d.e+f:g\\h/i=j", "Ünïcode", "...", &long[..1000]];
    let refused = ["with space", "..", ".", "a#b", &long];
    let records: Vec<Value> = fine
        .iter()
        .chain(&refused)
        .map(|id| json!({"id": id}))
        .collect();
    let rig = Rig::with_port(
        ScriptedApi::new().json("/items", json!(records)),
        PortDouble::new().stale_entity("item", "gone"),
    );
    let report = rig.sync("", &items("/items", "{}")).await;
    assert_eq!((report.upserted, report.rejected), (4, 5), "{report}");
    let mut sent: Vec<Value> = rig
        .port
        .calls(PortCall::UpsertMany)
        .iter()
        .flat_map(|call| call.json()["entities"].as_array().unwrap().clone())
        .map(|entity| entity["identifier"].clone())
        .collect();
    sent.sort_by_key(Value::to_string);
    let mut expected: Vec<Value> = fine.iter().map(|id| json!(id)).collect();
    expected.sort_by_key(Value::to_string);
    assert_eq!(sent, expected);
    let named: Vec<&str> = report
        .rejections
        .iter()
        .map(|rejection| rejection.identifier.as_str())
        .collect();
    assert!(
        named.contains(&"with space") && named.contains(&".."),
        "{named:?}"
    );
    // It was seen, so it withholds nothing.
    assert_eq!(report.deleted, 1, "{report}");
    assert_eq!(report.resources[0].outcome, "complete");
}

// Relations and search queries

#[tokio::test(start_paused = true)]
async fn relations_take_numbers_lists_and_null() {
    for (value, expected) in [
        (json!("a"), json!("a")),
        (json!(7), json!("7")),
        (json!(null), json!(null)),
        (json!([]), json!([])),
        (json!([1, "b", 2.5]), json!(["1", "b", "2.5"])),
    ] {
        let read = map(
            json!([{"id": 1, "r": value}]),
            "{}",
            r#"{identifier: .id, blueprint: '"item"', relations: {r: .r}}"#,
        )
        .await;
        assert_eq!(read.json()[0]["relations"]["r"], expected);
        assert!(read.outcome.misconfigured.is_empty(), "{value}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_part_of_a_search_query_is_jq_and_the_outcome_goes_to_port_as_it_is() {
    let mapping = r#"
resources:
  - kind: /items
    port:
      entity:
        mappings:
          identifier:
            combinator: '"and"'
            rules:
              - {property: '"email"', operator: '"="', value: .email}
              - combinator: '"or"'
                rules:
                  - {property: '"$title"', operator: '"="', value: '.name | ascii_downcase'}
                  - {property: '"level"', operator: '"="', value: .level}
          blueprint: '"user"'
          properties: {seen: 'true'}
          team: {combinator: '"and"', rules: [{property: '"name"', operator: '"="', value: .team}]}
          relations:
            boss: {combinator: "'and'", rules: [{property: "'$identifier'", operator: "'='", value: '"boss-" + .team'}]}
"#;
    let api = ScriptedApi::new().json(
        "/items",
        json!([{"email": "ada@example.com", "name": "Ada", "level": 3, "team": "red"}]),
    );
    let read = Rig::new(api.clone()).read("", mapping).await;
    assert_eq!(
        read.json(),
        [json!({
            "identifier": {"combinator": "and", "rules": [
                {"property": "email", "operator": "=", "value": "ada@example.com"},
                {"combinator": "or", "rules": [
                    {"property": "$title", "operator": "=", "value": "ada"},
                    {"property": "level", "operator": "=", "value": 3}]}]},
            "blueprint": "user",
            "properties": {"seen": true},
            "team": {"combinator": "and", "rules": [{"property": "name", "operator": "=", "value": "red"}]},
            "relations": {"boss": {"combinator": "and", "rules": [{"property": "$identifier", "operator": "=", "value": "boss-red"}]}},
        })]
    );
}

#[tokio::test(start_paused = true)]
async fn an_entity_found_by_search_is_updated_and_never_deleted() {
    let mapping = r#"
resources:
  - kind: /items
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"email"', operator: '"="', value: .email}]}
          blueprint: '"user"'
          properties: {name: .name}
"#;
    let port = PortDouble::new().stale_entity_with(
        "user",
        json!({"identifier": "u-1", "properties": {"email": "ada@example.com"}}),
    );
    let rig = Rig::with_port(
        ScriptedApi::new().json(
            "/items",
            json!([{"email": "ada@example.com", "name": "Ada"}]),
        ),
        port,
    );
    let report = rig.sync("", mapping).await;
    assert_eq!((report.upserted, report.rejected), (1, 0), "{report}");
    let user = rig.port.entity("user", "u-1").unwrap();
    assert_eq!(
        user["properties"],
        json!({"email": "ada@example.com", "name": "Ada"})
    );
    assert_eq!(rig.port.deleted(), []);
}

// itemsToParse

const COMMENTS: &str = r#"{identifier: '"\(.key)-\(.item.id)"', blueprint: '"comment"', properties: {text: .item.text, all: .comments, key: .key}}"#;

fn ticket() -> Value {
    json!([{"key": "T-1", "comments": [{"id": 1, "text": "one"}, {"id": 2, "text": "two"}]}, {"key": "T-2", "comments": []}])
}

#[tokio::test(start_paused = true)]
async fn each_item_of_an_array_becomes_an_entity_that_sees_its_record_without_the_array() {
    let read = map_as(ticket(), "{}", "itemsToParse: .comments", COMMENTS).await;
    assert_eq!(
        (read.identifiers(), read.end()),
        (vec!["T-1-1", "T-1-2"], "SinglePage")
    );
    assert_eq!(
        read.json()[1]["properties"],
        json!({"text": "two", "all": null, "key": "T-1"})
    );
    assert_eq!((read.outcome.records, read.outcome.entities), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn items_can_have_another_name_and_leave_the_array_where_it_is() {
    let renamed = COMMENTS.replace(".item.", ".comment.");
    let read = map_as(
        ticket(),
        "{}",
        "itemsToParse: .comments\n      itemsToParseName: comment",
        &renamed,
    )
    .await;
    assert_eq!(read.identifiers(), ["T-1-1", "T-1-2"]);

    for (setting, kept) in [("false", 2), ("'no'", 2), ("true", 0)] {
        let port =
            format!("itemsToParse: .comments\n      itemsToParseTopLevelTransform: {setting}");
        let read = map_as(ticket(), "{}", &port, COMMENTS).await;
        let all = &read.json()[0]["properties"]["all"];
        assert_eq!(all.as_array().map_or(0, Vec::len), kept, "{setting}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_selector_is_asked_for_each_item() {
    let read = map_as(
        ticket(),
        "{query: .item.id == 2}",
        "itemsToParse: .comments",
        COMMENTS,
    )
    .await;
    assert_eq!(
        (read.identifiers(), read.outcome.skipped),
        (vec!["T-1-2"], 1)
    );
}

#[tokio::test(start_paused = true)]
async fn items_that_are_no_list_fail_their_record_unless_absence_is_allowed_for() {
    for value in [json!(null), json!("text"), json!({"id": 1}), json!(5)] {
        let records =
            json!([{"key": "T-1", "comments": value}, {"key": "T-2", "comments": [{"id": 9}]}]);
        let read = map_as(records, "{}", "itemsToParse: .comments", COMMENTS).await;
        assert_eq!(
            (read.identifiers(), read.outcome.failed, read.end()),
            (vec!["T-2-9"], 1, "RecordsFailed"),
            "{value}"
        );
        assert!(
            read.errors[0].to_string().contains("itemsToParse"),
            "{}",
            read.errors[0]
        );
    }
    let records = json!([{"key": "T-1"}, {"key": "T-2", "comments": [{"id": 9}]}]);
    let read = map_as(records, "{}", "itemsToParse: .comments // []", COMMENTS).await;
    assert_eq!(
        (read.identifiers(), read.end()),
        (vec!["T-2-9"], "SinglePage")
    );
}

// All of it at once, over pages

#[tokio::test(start_paused = true)]
async fn a_failed_record_on_one_page_does_not_stop_the_pages_after_it() {
    let mut records = numbered(25);
    records[3] = json!({"name": "no id"});
    let rig = Rig::new(ScriptedApi::new().pages("/items", Pages::page(records)));
    let read = rig
        .read("paginationType: page\npageSize: 10", &items("/items", "{}"))
        .await;
    assert_eq!((read.entities.len(), read.errors.len()), (24, 1));
    assert_eq!(
        (read.outcome.pages, read.outcome.records, read.end()),
        (3, 25, "RecordsFailed")
    );
}

#[tokio::test(start_paused = true)]
async fn a_part_of_an_answer_is_no_answer_and_a_limit_told_as_403_is_no_empty_list() {
    let part = Answer::json(json!([{"id": 1}])).header("content-range", "items 0-0/5");
    let part = Answer {
        status: http::StatusCode::PARTIAL_CONTENT,
        ..part
    };
    let rig = Rig::new(ScriptedApi::new().answer("/items", part));
    let read = rig.read("", &items("/items", "{}")).await;
    assert_eq!((read.entities.len(), read.end()), (0, "RequestFailed"));

    let limited = Answer::status(403).header("retry-after", "1");
    let api = ScriptedApi::new()
        .json("/items", json!([{"id": 1}]))
        .fault("/items", 1, limited);
    let read = Rig::new(api)
        .read("", &items("/items", "{onStatus: {403: empty}}"))
        .await;
    assert_eq!((read.identifiers(), read.end()), (vec!["1"], "SinglePage"));
}

#[tokio::test(start_paused = true)]
async fn an_object_that_is_read_page_by_page_is_one_record() {
    for (body, end) in [
        (json!({"id": 1, "name": "status"}), "SinglePage"),
        (json!({"id": 1, "users": [{"id": 2}]}), "NoRecordsFound"),
        // Something speaks of more, so it is asked for.
        (json!({"id": 1, "has_more": true}), "ParameterIgnored"),
    ] {
        let rig = Rig::new(ScriptedApi::new().json("/items", body));
        let read = rig
            .read("paginationType: page", &items("/items", "{}"))
            .await;
        assert_eq!((read.identifiers()[0], read.end()), ("1", end));
    }
}

#[tokio::test(start_paused = true)]
async fn an_expression_that_never_ends_fails_its_records_and_ends_its_resource_at_the_third() {
    let mapping = r#"
resources:
  - kind: /items
    port: {entity: {mappings: {identifier: .id, blueprint: '"item"', properties: {p: "last(repeat(1))"}}}}
"#;
    let records: Vec<Value> = numbered(10);
    let rig = Rig::new(ScriptedApi::new().json("/items", records));
    let read = rig.read("", mapping).await;
    assert_eq!((read.entities.len(), read.outcome.failed), (0, 3));
    assert!(!read.outcome.is_complete());
}

#[tokio::test(start_paused = true)]
async fn half_an_emoji_or_a_number_beyond_all_doubles_costs_no_page() {
    let body = r#"[{"id": 1, "name": "cut \ud83d", "n": 1e999}, {"id": 2, "name": "whole \ud83d\ude00", "n": 5}]"#;
    let api = ScriptedApi::new().answer(
        "/items",
        Answer::text(body).header("content-type", "application/json"),
    );
    let mappings = r#"{identifier: .id, blueprint: '"item"', properties: {name: .name, n: .n}}"#;
    let read = Rig::new(api)
        .read("", &mapping("{query: 'true'}", "", mappings))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    let properties: Vec<Value> = read
        .json()
        .into_iter()
        .map(|entity| entity["properties"].clone())
        .collect();
    assert_eq!(
        properties,
        [
            json!({"name": "cut \u{fffd}", "n": f64::MAX}),
            json!({"name": "whole 😀", "n": 5})
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn an_identifier_without_output_is_named_where_it_leaves_everything_out() {
    let read = map(
        json!([{"id": 1}, {"id": 2}]),
        "{query: 'true'}",
        r#"{identifier: '.key // empty', blueprint: '"item"'}"#,
    )
    .await;
    let report = longshore_engine::ResourceReport::new("/items", &read.outcome).to_string();
    assert!(
        report.contains("identifier left out every record"),
        "{report}"
    );
    assert!(!report.contains("selector.query"), "{report}");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_the_mapping_raises_is_told() {
    let read = map(
        json!([{"id": 1, "team": null, "name": "secret"}]),
        "{query: 'true'}",
        r#"{identifier: 'if .team then .id else error("no team") end', blueprint: '"item"'}"#,
    )
    .await;
    let cause = read.outcome.cause().map(ToString::to_string);
    let told = format!("{cause:?} {:?}", read.errors);
    assert!(told.contains("no team"), "{told}");
    assert!(!told.contains("secret"), "{told}");
}
