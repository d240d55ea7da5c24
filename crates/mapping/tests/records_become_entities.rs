//! What a mapping file makes of records: every rule of the crate page's table, seen from outside.

#![allow(clippy::unwrap_used)] // helpers of tests, outside of #[test]

use longshore_jq::Val;
use longshore_mapping::{
    Entity, Expression, Identifier, JqMapper, JqMapperBuilder, Mapped, Mapper,
};
use serde_json::{Value, json};

fn user() -> JqMapperBuilder {
    JqMapper::builder().identifier(".id").blueprint("'user'")
}

fn map(builder: JqMapperBuilder, records: impl IntoIterator<Item = Value>) -> Mapped {
    let mapper = builder.build().unwrap();
    let records: Vec<Val> = records.into_iter().map(Val::from).collect();
    let mut mapped = Mapped::default();
    mapped.map_page(&mapper, &records, 1);
    mapped
}

/// The only entity, as JSON.
fn entity(builder: JqMapperBuilder, record: Value) -> Value {
    let mapped = map(builder, [record]);
    assert_eq!(mapped.failures, []);
    assert_eq!(mapped.entities.len(), 1);
    serde_json::to_value(&mapped.entities[0]).unwrap()
}

/// Field and message of the only failure.
fn failure(builder: JqMapperBuilder, record: Value) -> (String, String) {
    let mapped = map(builder, [record]);
    assert_eq!(
        (mapped.entities.len(), mapped.skipped, mapped.failures.len()),
        (0, 0, 1)
    );
    (
        mapped.failures[0].field().to_owned(),
        mapped.failures[0].message().to_owned(),
    )
}

fn problems(builder: JqMapperBuilder) -> Vec<String> {
    builder
        .build()
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.to_string())
        .collect()
}

mod selector {
    use super::*;

    #[test]
    fn true_passes_and_false_or_nothing_deselects() {
        let mapped = map(
            user().selector("if .n == 0 then empty else .on end"),
            [
                json!({"id": 1, "on": true}),
                json!({"id": 2, "on": false}),
                json!({"id": 3, "n": 0}),
            ],
        );
        assert_eq!(
            (mapped.entities.len(), mapped.skipped, mapped.failures.len()),
            (1, 2, 0)
        );
        assert_eq!(mapped.entities[0].identifier, Identifier::Text("1".into()));
    }

    #[test]
    fn what_is_no_boolean_or_fails_fails_the_record_alone() {
        for record in [
            json!({"id": 1}),
            json!({"id": 1, "on": "true"}),
            json!({"id": 1, "on": 1}),
        ] {
            assert_eq!(failure(user().selector(".on"), record).0, "selector.query");
        }
        assert_eq!(
            failure(user().selector(".on.x"), json!({"id": 1, "on": 1})).0,
            "selector.query"
        );

        let mapped = map(
            user().selector(".on"),
            [json!({"id": 1, "on": 5}), json!({"id": 2, "on": true})],
        );
        assert_eq!((mapped.entities.len(), mapped.failures.len()), (1, 1));
    }

    #[test]
    fn a_deselected_record_is_not_looked_at_further() {
        let mapped = map(user().selector(".on"), [json!({"id": null, "on": false})]);
        assert_eq!((mapped.skipped, mapped.failures.len()), (1, 0));
    }

    #[test]
    fn a_literal_that_is_no_boolean_is_found_before_any_record() {
        assert_eq!(
            problems(user().selector("'yes'")),
            ["selector.query: is text for every record; it must give true or false"]
        );
        assert_eq!(map(user().selector("false"), [json!({"id": 1})]).skipped, 1);
        assert_eq!(map(user().selector("true"), [json!({"id": 1})]).mapped, 1);
    }
}

mod identifier {
    use super::*;

    #[test]
    fn numbers_become_their_jq_text() {
        for (number, text) in [
            (json!(7), "7"),
            (json!(7.0), "7"),
            (json!(7.5), "7.5"),
            (json!(-3), "-3"),
            (json!(18446744073709551615_u64), "18446744073709551615"),
        ] {
            assert_eq!(entity(user(), json!({"id": number}))["identifier"], text);
        }
    }

    #[test]
    fn no_output_deselects() {
        let mapped = map(
            user().identifier(".id | select(. > 1)"),
            [json!({"id": 1}), json!({"id": 2})],
        );
        assert_eq!(
            (mapped.entities.len(), mapped.skipped, mapped.failures.len()),
            (1, 1, 0)
        );
    }

    #[test]
    fn null_empty_boolean_object_array_and_failures_fail_the_record() {
        for (value, says) in [
            (json!(null), "gave null"),
            (json!(""), "gave empty text"),
            (json!(true), "gave a boolean"),
            (json!({}), "gave an object"),
            (json!(["a"]), "identifiers are single"),
        ] {
            let (field, message) = failure(user(), json!({"id": value}));
            assert_eq!(field, "identifier");
            assert!(message.contains(says), "{message}");
        }
        assert!(
            failure(user().identifier(".id.x"), json!({"id": 1}))
                .1
                .starts_with("fails: ")
        );
        assert_eq!(
            failure(user().identifier("infinite"), json!({})).0,
            "identifier"
        );
        assert_eq!(failure(user().identifier("nan"), json!({})).0, "identifier");
    }

    #[test]
    fn a_literal_that_identifies_nothing_is_found_before_any_record() {
        for (jq, says) in [
            ("null", "null; correct the path"),
            ("true", "a boolean; an identifier is text or a number"),
            ("[]", "an array, but identifiers are single"),
            ("{}", "an object"),
            ("''", "empty text"),
        ] {
            let found = problems(user().identifier(jq));
            let start = format!("identifier: gives for every record {says}");
            assert!(found[0].starts_with(&start), "{jq}: {found:?}");
        }
        for (jq, identifier) in [("'all'", "all"), ("7", "7")] {
            assert_eq!(
                entity(user().identifier(jq), json!({}))["identifier"],
                identifier
            );
        }
    }

    #[test]
    fn the_pattern_of_port_is_not_asked_here() {
        assert_eq!(entity(user(), json!({"id": "a b!"}))["identifier"], "a b!");
    }

    #[test]
    fn a_failure_names_the_record_by_what_it_is_known_by() {
        let mapped = map(
            user().identifier(".key.x"),
            [
                json!({"key": "PROJ-1\n"}),
                json!({"x": 1}),
                json!({"id": "y".repeat(99), "key": 1}),
            ],
        );
        let shown: Vec<String> = mapped.failures.iter().map(ToString::to_string).collect();
        assert!(
            shown[0].starts_with(r#"record 1 (key "PROJ-1\n"): identifier: fails: "#),
            "{}",
            shown[0]
        );
        assert!(
            shown[1].starts_with("record 2: identifier: gave null"),
            "{}",
            shown[1]
        );
        assert!(
            shown[2].starts_with(&format!("record 3 (id \"{}\"): ", "y".repeat(60))),
            "{}",
            shown[2]
        );
    }

    #[test]
    fn a_search_query_is_evaluated_and_kept_as_object() {
        let query = json!({"combinator": "'and'", "rules": [{"property": "'email'", "operator": "'='", "value": ".mail"}]});
        let mapped = map(user().identifier(query), [json!({"mail": "a@b"})]);
        assert_eq!(
            mapped.entities[0].identifier,
            Identifier::Search(
                json!({"combinator": "and", "rules": [{"property": "email", "operator": "=", "value": "a@b"}]})
            )
        );
    }

    #[test]
    fn a_search_query_that_fails_fails_the_record() {
        let query = json!({"combinator": "'and'", "rules": [{"property": "'email'", "operator": "'='", "value": ".mail.x"}]});
        let (field, message) = failure(user().identifier(query), json!({"mail": "a@b"}));
        assert_eq!(field, "identifier");
        assert!(message.contains("rules[0].value"), "{message}");
    }
}

mod blueprint {
    use super::*;

    #[test]
    fn a_literal_is_known_before_any_record_and_a_computed_one_is_not() {
        for literal in ["\"user\"", "'user'", " \"user\" "] {
            assert_eq!(
                user().blueprint(literal).build().unwrap().blueprint(),
                Some("user"),
                "{literal}"
            );
        }
        let computed = user().blueprint(".type");
        assert_eq!(computed.clone().build().unwrap().blueprint(), None);
        assert_eq!(
            entity(computed, json!({"id": 1, "type": "bot"}))["blueprint"],
            "bot"
        );
    }

    #[test]
    fn anything_but_text_fails_the_record() {
        for value in [json!(null), json!(""), json!(1), json!(["user"])] {
            assert_eq!(
                failure(user().blueprint(".type"), json!({"id": 1, "type": value})).0,
                "blueprint"
            );
        }
        assert_eq!(
            failure(user().blueprint(".type | select(. == 1)"), json!({"id": 1})).0,
            "blueprint"
        );
        assert_eq!(
            failure(user().blueprint(".id.x"), json!({"id": 1})).0,
            "blueprint"
        );
    }

    #[test]
    fn a_name_that_port_refuses_fails_the_record_or_is_warned_of_before_any() {
        for name in ["a b", ".", "..", "a\0b", "a=b", "a,b", &"x".repeat(101)] {
            let (field, message) = failure(user().blueprint(".b"), json!({"id": 1, "b": name}));
            assert_eq!(field, "blueprint");
            assert!(
                message.starts_with("gave text that Port refuses: "),
                "{message}"
            );
            let mapper = user().blueprint(json!(name).to_string()).build().unwrap();
            let warning = &mapper.warnings()[0];
            assert_eq!(warning.path, "blueprint");
            assert!(
                warning.message.starts_with("is text that Port refuses: "),
                "{warning}"
            );
        }
        for name in ["jira/issue", "a.b", "größe", "a@b_c+d:e\\f-g", "..."] {
            let entity = entity(user().blueprint(".b"), json!({"id": 1, "b": name}));
            assert_eq!(entity["blueprint"], name);
        }
    }

    #[test]
    fn a_forgotten_pair_of_quotes_is_explained() {
        let found = problems(user().blueprint("user"));
        assert!(
            found[0].ends_with("; a fixed name is written '\"user\"'"),
            "{found:?}"
        );
        assert_eq!(
            problems(user().blueprint("1")),
            ["blueprint: is a number; write the blueprint's identifier as text"]
        );
    }
}

mod fields {
    use super::*;

    #[test]
    fn properties_take_any_json_as_it_is() {
        let values = json!([0, false, "", [], {}, null, 1.5, "x", [1, null, {"a": []}], {"k": 18446744073709551615_u64}]);
        for value in values.as_array().unwrap() {
            let entity = entity(user().property("p", ".v"), json!({"id": 1, "v": value}));
            assert_eq!(&entity["properties"]["p"], value);
        }
    }

    #[test]
    fn what_json_cannot_say_does_not_get_out() {
        let entity = entity(
            user()
                .property("nan", "nan")
                .property("list", "[nan, infinite, -infinite]"),
            json!({"id": 1}),
        );
        let text = entity.to_string();
        assert_eq!(entity["properties"]["nan"], Value::Null);
        assert!(
            !text.contains("NaN") && !text.to_lowercase().contains("inf"),
            "{text}"
        );
    }

    #[test]
    fn what_nests_so_deeply_that_no_reader_takes_it_is_an_error_of_the_record() {
        let nested = |levels: u32| format!("reduce range({levels}) as $n (1; [.])");
        for (builder, field) in [
            (user().property("p", nested(125)), "properties.p"),
            (user().property("p", nested(200)), "properties.p"),
            (user().relation("r", nested(127)), "relations.r"),
        ] {
            let (place, message) = failure(builder, json!({"id": 1}));
            assert_eq!(place, field);
            assert!(message.contains("124 levels"), "{message}");
        }
        let literal = "[".repeat(125) + &"]".repeat(125);
        assert_eq!(
            failure(user().property("p", literal), json!({"id": 1})).0,
            "properties.p"
        );
        let shallow = format!("{} | .[0] = 1", nested(200));
        for jq in [nested(124), shallow] {
            let mapped = map(user().property("p", jq), [json!({"id": 1})]);
            assert_eq!(mapped.failures, []);
            let text = serde_json::to_string(&mapped.entities).unwrap();
            let read: Vec<Entity> = serde_json::from_str(&text).unwrap();
            assert!(read[0].properties["p"].is_array(), "{text}");
        }
    }

    #[test]
    fn text_with_nul_goes_out_as_it_is() {
        let builder = user()
            .title(".t")
            .property("text", ".t")
            .property("made", "[0, 97] | implode")
            .property("list", "[.t, {(.t): 1}]")
            .relation("r", ".t");
        let record = json!({"id": 1, "t": "a\u{0}b"});
        let mapped = map(builder, [record]);
        let mut json = Vec::new();
        mapped.entities[0].write_json(&mut json);
        let text = String::from_utf8(json.clone()).unwrap();
        assert_eq!(text.matches("a\\u0000b").count(), 5, "{text}");
        let entity: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(entity["title"], "a\u{0}b");
        assert_eq!(entity["properties"]["made"], "\u{0}a");
        assert_eq!(entity["relations"]["r"], "a\u{0}b");
    }

    #[test]
    fn the_first_output_counts() {
        assert_eq!(
            entity(user().property("p", ".v[]"), json!({"id": 1, "v": [3, 4]}))["properties"]["p"],
            3
        );
    }

    #[test]
    fn numbers_in_relations_become_text_also_in_arrays_and_null_stays() {
        let builder = user()
            .relation("one", ".a")
            .relation("many", ".b")
            .relation("none", ".c")
            .relation("text", ".d");
        let entity = entity(
            builder,
            json!({"id": 1, "a": 7, "b": [7, "x", 1.5], "d": "y"}),
        );
        assert_eq!(
            entity["relations"],
            json!({"one": "7", "many": ["7", "x", "1.5"], "none": null, "text": "y"})
        );
    }

    #[test]
    fn null_title_icon_and_team_are_left_out_and_a_number_title_is_text() {
        let builder = || user().title(".t").icon(".i").team(".team");
        assert_eq!(
            entity(builder(), json!({"id": 1})),
            json!({"identifier": "1", "blueprint": "user", "properties": {}, "relations": {}})
        );
        let full = entity(
            builder(),
            json!({"id": 1, "t": 42, "i": "User", "team": ["a", 7]}),
        );
        assert_eq!(
            (&full["title"], &full["icon"], &full["team"]),
            (&json!("42"), &json!("User"), &json!(["a", "7"]))
        );
        assert_eq!(entity(builder(), json!({"id": 1, "t": ""}))["title"], "");
    }

    #[test]
    fn a_team_is_a_name_or_a_list_of_names() {
        for (given, team) in [
            (json!("a"), json!("a")),
            (json!(7), json!("7")),
            (json!(["a", 7]), json!(["a", "7"])),
            (json!([]), json!([])),
        ] {
            let mapped = map(user().team(".t"), [json!({"id": 1, "t": given})]);
            assert_eq!(mapped.entities[0].team, Some(team));
            assert!(mapped.misconfigured.is_empty(), "{given}");
        }
        for (given, team, told) in [
            (
                json!({"k": 1}),
                None,
                "gave an object, but a team's name or a list of names is needed",
            ),
            (json!(true), None, "gave a boolean, but a team's name"),
            (json!(["a", {}]), None, "gave an object, but a team's name"),
            (
                json!(["x", null, 1]),
                Some(json!(["x", "1"])),
                "gave a list with null among the teams, which is left out",
            ),
        ] {
            let mapped = map(user().team(".t"), [json!({"id": 1, "t": given})]);
            assert_eq!(mapped.entities[0].team, team, "{given}");
            assert_eq!(mapped.misconfigured.get("team"), Some(&1), "{given}");
            let sample = mapped.samples["team"].to_string();
            assert!(sample.contains(told), "{sample}");
        }
        let problems = user().team("{}").build().unwrap_err();
        assert!(
            problems[0].message.starts_with("gave an object"),
            "{problems:?}"
        );
    }

    #[test]
    fn a_title_that_is_no_text_is_left_out_and_counted() {
        let mapped = map(user().title(".t"), [json!({"id": 1, "t": {"en": "x"}})]);
        assert_eq!(mapped.entities[0].title, None);
        assert_eq!(mapped.misconfigured["title"], 1);
        assert_eq!(
            mapped.samples["title"].message,
            "gave an object, but text is needed"
        );
    }

    #[test]
    fn a_failing_or_silent_field_is_null_and_counted_once_for_each_record() {
        let builder = user()
            .property("email", ".id.email")
            .property("none", "empty")
            .relation("org", ".id.org")
            .property("ok", ".id");
        let mapped = map(builder, (1..=3).map(|id| json!({"id": id})));
        assert_eq!(mapped.entities.len(), 3);
        assert_eq!(mapped.failures, []);
        let counted: Vec<_> = mapped
            .misconfigured
            .iter()
            .map(|(field, times)| (field.as_str(), *times))
            .collect();
        assert_eq!(
            counted,
            [
                ("properties.email", 3),
                ("properties.none", 3),
                ("relations.org", 3)
            ]
        );
        assert_eq!(mapped.samples.len(), 3);
        assert_eq!(mapped.samples["properties.none"].message, "gave nothing");
        for entity in &mapped.entities {
            assert_eq!(entity.properties["email"], Value::Null);
            assert_eq!(entity.relations["org"], Value::Null);
        }
        assert_eq!(
            serde_json::to_value(&mapped.entities[2].properties).unwrap(),
            json!({"email": null, "none": null, "ok": 3})
        );
    }

    #[test]
    fn fields_that_are_always_null_are_told_apart_from_those_that_sometimes_are() {
        let builder = user()
            .title(".nme")
            .property("some", ".a")
            .property("never", ".b")
            .property("meant", "null")
            .relation("r", ".c");
        let mapped = map(
            builder,
            [
                json!({"id": 1, "a": 1, "c": "x"}),
                json!({"id": 2, "c": null}),
            ],
        );
        assert_eq!(mapped.nulls["properties.some"], 1);
        assert_eq!(
            mapped.always_null().collect::<Vec<_>>(),
            ["properties.never", "title"]
        );
        assert!(mapped.misconfigured.is_empty());
    }

    #[test]
    fn search_queries_of_team_and_relations_go_out_as_objects() {
        let query = |value: &str| json!({"combinator": "'or'", "rules": [{"property": "'$title'", "operator": "'='", "value": value}]});
        let builder = user()
            .team(query(".t"))
            .relation("owner", query(".o"))
            .relation("broken", query(".o.x"));
        let mapped = map(builder, [json!({"id": 1, "t": "core", "o": 5})]);
        let entity = serde_json::to_value(&mapped.entities[0]).unwrap();
        assert_eq!(
            entity["team"]["rules"][0],
            json!({"property": "$title", "operator": "=", "value": "core"})
        );
        assert_eq!(entity["relations"]["owner"]["rules"][0]["value"], 5);
        assert_eq!(entity["relations"]["broken"], Value::Null);
        assert_eq!(mapped.misconfigured["relations.broken"], 1);
    }

    #[test]
    fn a_leaf_of_a_search_query_that_is_null_is_counted_and_explained_at_its_place() {
        let query = |value: &str| {
            json!({"combinator": "'and'", "rules": [
                {"property": "'a'", "operator": "'='", "value": ".id"},
                {"combinator": "'or'", "rules": [{"property": "'b'", "operator": "'='", "value": value}]},
            ]})
        };
        let builder = || {
            user()
                .identifier(query(".Mail"))
                .team(query(".mial"))
                .relation("owner", query(".owner.mail"))
                .relation("sound", query(".mail"))
        };
        let record = json!({"id": 1, "mail": "a@b", "owner": {"e-mail": "c@d"}});
        let mapped = map(builder(), [record.clone(), record.clone()]);
        let nulls: Vec<_> = mapped.nulls.iter().collect();
        assert_eq!(
            nulls,
            [
                (&"identifier.rules[1].rules[0].value".to_owned(), &2),
                (&"relations.owner.rules[1].rules[0].value".to_owned(), &2),
                (&"team.rules[1].rules[0].value".to_owned(), &2),
            ]
        );
        let hints: Vec<_> = mapped.hints().collect();
        assert_eq!(
            hints,
            [
                (
                    "identifier.rules[1].rules[0].value",
                    "there is no `.Mail`; did you mean `.mail`?"
                ),
                (
                    "relations.owner.rules[1].rules[0].value",
                    "there is no `.owner.mail`; did you mean `.owner[\"e-mail\"]`?"
                ),
                (
                    "team.rules[1].rules[0].value",
                    "there is no `.mial`; did you mean `.mail`?"
                ),
            ]
        );
        let explained = builder().build().unwrap().explained(&Val::from(record));
        let places: Vec<_> = explained.items[0]
            .parts
            .iter()
            .filter(|part| part.place.starts_with("team"))
            .map(|part| (part.place.as_str(), part.expression.as_str()))
            .collect();
        assert_eq!(
            places,
            [
                ("team", "a search query"),
                ("team.rules[0].value", ".id"),
                ("team.rules[1].rules[0].value", ".mial"),
            ]
        );
    }

    #[test]
    fn reading_a_parents_parameter_off_a_plain_string_gets_a_hint() {
        let builder = user()
            .identifier(".")
            .relation("repository", ".__name")
            .property("size", ".size");
        let mapped = map(builder, [json!("latest")]);
        assert!(
            mapped.samples["relations.repository"]
                .message
                .contains("build objects in data_path"),
            "{:?}",
            mapped.samples
        );
        assert!(
            !mapped.samples["properties.size"]
                .message
                .contains("data_path"),
            "{:?}",
            mapped.samples
        );
        let (_, message) = failure(user().identifier(".__name"), json!("latest"));
        assert!(message.contains("the record is text"), "{message}");
    }

    #[test]
    fn a_record_that_is_no_object_is_mapped_as_itself() {
        assert_eq!(
            entity(user().identifier("."), json!("library/debian"))["identifier"],
            "library/debian"
        );
    }
}

mod items_to_parse {
    use super::*;

    fn comments() -> JqMapperBuilder {
        user()
            .identifier("\"\\(.id)-\\(.item.n)\"")
            .items_to_parse(".comments")
    }

    fn post() -> Value {
        json!({"id": 1, "comments": [{"n": 1}, {"n": 2}], "author": "ann"})
    }

    #[test]
    fn each_item_is_an_entity_that_sees_its_record_without_the_array() {
        let mapped = map(comments().property("record", "."), [post()]);
        let identifiers: Vec<_> = mapped
            .entities
            .iter()
            .filter_map(|e| e.identifier.as_str())
            .collect();
        assert_eq!(identifiers, ["1-1", "1-2"]);
        assert_eq!(
            mapped.entities[1].properties["record"],
            json!({"id": 1, "author": "ann", "item": {"n": 2}})
        );
    }

    #[test]
    fn the_array_can_be_kept_and_the_item_named() {
        let builder = comments()
            .identifier(".comment.n")
            .items_to_parse_name("comment")
            .items_to_parse_top_level_transform(false)
            .property("record", ".");
        let mapped = map(builder, [post()]);
        assert_eq!(
            mapped.entities[0].properties["record"],
            json!({"id": 1, "author": "ann", "comments": [{"n": 1}, {"n": 2}], "comment": {"n": 1}})
        );
    }

    #[test]
    fn an_item_hides_a_key_of_its_name() {
        let builder = user().identifier(".item").items_to_parse(".list");
        assert_eq!(
            entity(builder, json!({"item": "own", "list": ["x"]}))["identifier"],
            "x"
        );
    }

    #[test]
    fn nested_and_piped_paths_are_taken_out_and_the_rest_stays() {
        for (jq, left) in [
            (".data.rows", json!({"data": {"total": 1}, "item": "a"})),
            (
                ".data.rows // []",
                json!({"data": {"total": 1}, "item": "a"}),
            ),
            (
                ".data.rows | map(.)",
                json!({"data": {"total": 1}, "item": "a"}),
            ),
            (
                "[.data.rows[]]",
                json!({"data": {"rows": ["a"], "total": 1}, "item": "a"}),
            ),
        ] {
            let builder = user()
                .identifier(".item")
                .items_to_parse(jq)
                .property("record", ".");
            let entity = entity(builder, json!({"data": {"rows": ["a"], "total": 1}}));
            assert_eq!(entity["properties"]["record"], left, "{jq}");
        }
    }

    #[test]
    fn the_selector_is_asked_for_each_item() {
        let mapped = map(comments().selector(".item.n > 1"), [post()]);
        assert_eq!((mapped.entities.len(), mapped.skipped), (1, 1));
    }

    #[test]
    fn an_empty_array_gives_no_entity_and_no_failure() {
        let mapped = map(comments(), [json!({"id": 1, "comments": []})]);
        assert_eq!(
            (mapped.entities.len(), mapped.skipped, mapped.failures.len()),
            (0, 0, 0)
        );
    }

    /// R26, case 18: such a record's entities are unknown, so it must not look like one without items.
    #[test]
    fn what_is_no_array_fails_the_record() {
        for record in [
            json!({"id": 1}),
            json!({"comments": null}),
            json!({"comments": {"n": 1}}),
            json!({"comments": "x"}),
            json!("x"),
        ] {
            assert_eq!(failure(comments(), record).0, "itemsToParse");
        }
        assert_eq!(
            failure(comments().items_to_parse("empty"), post()).0,
            "itemsToParse"
        );
        let (_, message) = failure(comments(), json!({"id": 1}));
        assert!(message.contains("`.comments // []`"), "{message}");
        assert_eq!(
            failure(
                user().identifier(".item").items_to_parse("[1]"),
                json!("text")
            )
            .0,
            "itemsToParse"
        );
    }

    #[test]
    fn a_failing_item_is_named_and_leaves_the_others() {
        let builder = user().identifier(".item.n").items_to_parse(".comments");
        let mapped = map(builder, [json!({"id": 9, "comments": [{"n": 1}, {}]})]);
        assert_eq!(mapped.entities.len(), 1);
        assert!(
            mapped.failures[0]
                .to_string()
                .starts_with("record 1 (id \"9\", item 2): identifier: gave null")
        );
    }
}

mod building {
    use super::*;

    #[test]
    fn every_problem_comes_at_once_with_its_place() {
        let builder = JqMapper::builder()
            .selector(".a |")
            .title("")
            .team(json!({"combinator": "'and'"}))
            .blueprint("{")
            .property("ok", ".ok")
            .property("email", ".email |")
            .property("email2", "nonsense")
            .property("ok", ".twice")
            .relation("owner", json!({"combinator": "'and'", "rules": [{"property": "(", "operator": "'='", "value": "1"}]}))
            .relation("number", json!(5))
            .items_to_parse("][")
            .items_to_parse_name("");
        let mut places: Vec<String> = builder
            .build()
            .unwrap_err()
            .into_iter()
            .map(|problem| problem.path)
            .collect();
        places.sort();
        assert_eq!(
            places,
            [
                "blueprint",
                "identifier",
                "itemsToParse",
                "itemsToParseName",
                "properties.email",
                "properties.email2",
                "properties.ok",
                "relations.number",
                "relations.owner.rules[0].property",
                "selector.query",
                "team",
                "title",
            ]
        );
    }

    #[test]
    fn expressions_may_be_text_or_json() {
        assert_eq!(Expression::from(json!(".id")), Expression::from(".id"));
        assert!(matches!(
            Expression::from(json!({"rules": []})),
            Expression::Search(_)
        ));
    }

    #[test]
    fn mappers_can_be_shared_and_boxed() {
        let shared: std::sync::Arc<dyn Mapper> = std::sync::Arc::new(user().build().unwrap());
        let boxed: Box<dyn Mapper> = Box::new(shared);
        let mut mapped = Mapped::default();
        boxed.map(&Val::from(json!({"id": "x"})), &mut mapped);
        assert_eq!((boxed.blueprint(), mapped.mapped), (Some("user"), 1));
    }
}

/// R39: what never ends or explodes fails its record, and three times are enough.
mod limits {
    use super::*;

    /// Runs out of stack, within milliseconds.
    const DEEP: &str = "def f: 1 + f; f";

    #[test]
    fn an_endless_property_fails_its_records_and_the_third_ends_the_page() {
        let endless = |id: u64| json!({"id": id, "endless": true});
        let mapped = map(
            user().property("p", "if .endless then last(repeat(1)) else .id end"),
            [
                json!({"id": 1}),
                endless(2),
                endless(3),
                json!({"id": 4}),
                endless(5),
                json!({"id": 6}),
                endless(7),
            ],
        );
        let identifiers: Vec<_> = mapped
            .entities
            .iter()
            .filter_map(|entity| entity.identifier.as_str())
            .collect();
        assert_eq!(identifiers, ["1", "4"]);
        assert_eq!(
            mapped.failures[0].to_string(),
            "record 2 (id \"2\"): properties.p: fails: the expression takes too long: does it loop without end?"
        );
        let positions: Vec<_> = mapped.failures.iter().map(|f| f.position()).collect();
        assert_eq!(positions, [Some(2), Some(3), Some(5)]);
        assert!(mapped.failures.iter().all(|failure| failure.hit_limit()));
        assert_eq!(mapped.limits["properties.p"], 3);
        assert_eq!(mapped.runaway(), Some("properties.p"));
        assert_eq!((mapped.misconfigured.len(), mapped.nulls.len()), (0, 0));
    }

    #[test]
    fn every_field_that_hits_a_limit_fails_its_record_under_its_name() {
        let search = json!({"combinator": "'and'", "rules": [{"property": "'p'", "operator": "'='", "value": DEEP}]});
        for (field, builder) in [
            ("selector.query", user().selector(DEEP)),
            ("identifier", user().identifier(DEEP)),
            ("identifier", user().identifier(search.clone())),
            ("blueprint", user().blueprint(DEEP)),
            ("title", user().title(DEEP)),
            ("icon", user().icon(DEEP)),
            ("team", user().team(DEEP)),
            ("team", user().team(search.clone())),
            ("properties.p", user().property("p", DEEP)),
            ("relations.r", user().relation("r", DEEP)),
            ("relations.r", user().relation("r", search)),
            ("itemsToParse", user().items_to_parse(DEEP)),
        ] {
            let mapped = map(builder, [json!({"id": 1})]);
            assert_eq!(mapped.mapped, 0, "{field}");
            let failure = &mapped.failures[0];
            assert_eq!((failure.field(), failure.hit_limit()), (field, true));
            assert!(
                failure.message().contains("recurses too deeply"),
                "{failure}"
            );
            assert_eq!(mapped.limits[field], 1);
            assert_eq!(mapped.runaway(), None);
        }
    }

    #[test]
    fn other_failures_hit_no_limit() {
        let mapped = map(
            user().property("p", ".id.x").selector(".on"),
            [json!({"id": 1, "on": true}), json!({"id": 2, "on": 5})],
        );
        assert_eq!(
            (mapped.mapped, mapped.misconfigured["properties.p"]),
            (1, 1)
        );
        assert!(!mapped.failures[0].hit_limit());
        assert_eq!(mapped.limits.len(), 0);
    }

    #[test]
    fn the_items_of_one_record_end_at_the_third_hit_too() {
        let mapped = map(
            user()
                .identifier(".item")
                .items_to_parse(".items")
                .property("p", DEEP),
            [json!({"id": 1, "items": [1, 2, 3, 4, 5]})],
        );
        assert_eq!(mapped.failures.len(), 3);
        assert_eq!(mapped.failures[2].identity(), Some("id \"1\", item 3"));
    }

    #[test]
    fn a_record_that_fails_has_no_say_in_what_is_always_null() {
        let mapped = map(
            user()
                .title(".name")
                .property("p", format!("if .deep then {DEEP} else 1 end")),
            [
                json!({"id": 1, "deep": true}),
                json!({"id": 2, "name": "b"}),
            ],
        );
        assert_eq!((mapped.mapped, mapped.failures.len()), (1, 1));
        assert_eq!(mapped.always_null().count(), 0);
    }
}

mod diagnosis {
    use super::*;

    fn comments() -> [Value; 2] {
        [
            json!({"__ticket_id": "7", "id": 1, "author": {"login": "ada"}, "createdAt": "2024-03-05"}),
            json!({"__ticket_id": "7", "id": 2, "author": {"login": "bob"}, "createdAt": "2024-03-06"}),
        ]
    }

    #[test]
    fn fields_that_are_always_null_say_what_was_meant() {
        let builder = user()
            .property("created", ".created_at")
            .property("none", ".nothing_like_it")
            .relation("ticket", ".ticket_id")
            .relation("author", ".login | ascii_downcase");
        let mapped = map(builder, comments());
        let hints: Vec<_> = mapped.hints().collect();
        assert_eq!(
            hints,
            [
                (
                    "properties.created",
                    "there is no `.created_at`; did you mean `.createdAt`?"
                ),
                (
                    "relations.author",
                    "there is no `.login`; did you mean `.author.login`?"
                ),
                (
                    "relations.ticket",
                    "the record has no `ticket_id` but the parameter `__ticket_id` of its path: write `.__ticket_id`"
                ),
            ]
        );
        assert_eq!(mapped.nulls["properties.none"], 2);
    }

    #[test]
    fn a_hint_goes_as_soon_as_one_record_has_the_field() {
        let builder = || user().property("created", ".created_at");
        let mut mapped = map(builder(), comments());
        assert_eq!(mapped.hints().count(), 1);
        mapped.merge(map(builder(), [json!({"id": 3, "created_at": "2024"})]));
        assert_eq!(mapped.hints().count(), 0);
    }

    #[test]
    fn a_selector_that_leaves_everything_out_says_what_was_meant() {
        let builder = user().selector(".authr.login == \"ada\"");
        let mapped = map(builder, comments());
        assert_eq!(
            mapped.hints().collect::<Vec<_>>(),
            [(
                "selector.query",
                "there is no `.authr`; did you mean `.author`?"
            )]
        );
        let one = user().selector(".author.login == \"ada\"");
        assert_eq!(map(one, comments()).hints().count(), 0);
    }

    #[test]
    fn an_identifier_that_leaves_everything_out_is_named_and_no_selector() {
        let records = || {
            [
                json!({"id": 1, "e-mail": "a"}),
                json!({"id": 2, "e-mail": "b"}),
            ]
        };
        let hints = |mapped: &Mapped| -> Vec<String> {
            mapped
                .hints()
                .map(|(field, hint)| format!("{field}: {hint}"))
                .collect()
        };
        let mapped = map(
            user()
                .selector("true")
                .identifier(".email | select(. != null)"),
            records(),
        );
        assert_eq!((mapped.skipped, mapped.unidentified), (2, 2));
        assert_eq!(
            hints(&mapped),
            ["identifier: there is no `.email`; did you mean `.[\"e-mail\"]`?"]
        );
        let mapped = map(user().identifier("empty"), records());
        assert_eq!(
            hints(&mapped),
            ["identifier: it has no output; check its expression"]
        );
        let mapped = map(user().selector(".id == 1").identifier("empty"), records());
        assert_eq!((mapped.skipped, mapped.unidentified), (2, 1));
    }

    #[test]
    fn a_null_identifier_says_what_was_meant() {
        let [comment, _] = comments();
        let builder = user().identifier(".Id");
        assert_eq!(
            failure(builder, comment).1,
            "gave null: there is no `.Id`; did you mean `.id`?"
        );
    }

    #[test]
    fn a_selector_or_blueprint_that_is_null_says_what_was_meant() {
        let [comment, _] = comments();
        let (field, message) = failure(user().selector(".Author"), comment.clone());
        assert_eq!(field, "selector.query");
        assert!(
            message.ends_with("; there is no `.Author`; did you mean `.author`?"),
            "{message}"
        );
        let (field, message) = failure(user().blueprint(".athor.login"), comment);
        assert_eq!(field, "blueprint");
        assert!(message.ends_with("did you mean `.author`?"), "{message}");
    }

    #[test]
    fn a_list_where_in_takes_values_is_told_where_it_lets_nothing_through() {
        let builder = || user().selector(".author.login | IN([\"ada\", \"bob\"])");
        let mapped = map(builder(), comments());
        let hints: Vec<_> = mapped.hints().collect();
        assert_eq!(hints[0].0, "selector.query");
        assert!(hints[0].1.starts_with("`IN` takes values"), "{hints:?}");
        let [comment, _] = comments();
        let explained = builder().build().unwrap().explained(&Val::from(comment));
        assert!(explained.to_string().contains("`IN` takes values"));
        let right = user().selector(".author.login | IN(\"ada\", \"bob\")");
        assert_eq!(map(right, comments()).mapped, 2);
    }

    #[test]
    fn names_and_expressions_that_cannot_be_meant_are_warned_of_before_any_record() {
        let query = json!({"combinator": "'and'", "rules": [{"property": "'p'", "operator": "'='", "value": ".s | IN([1])"}]});
        let mapper = user()
            .selector(".state == 'open' or 'new'")
            .property("created at", ".created_at")
            .property("x".repeat(101), ".x")
            .property("@a_b=c\\d-e9", ".x")
            .relation("öwner", ".owner")
            .relation("searched", query)
            .build()
            .unwrap();
        let warned: Vec<_> = mapper.warnings().iter().map(|w| w.path.as_str()).collect();
        assert_eq!(
            warned,
            [
                "selector.query",
                "properties.created at",
                &format!("properties.{}", "x".repeat(101)),
                "relations.öwner",
                "relations.searched.rules[0].value",
            ]
        );
        assert_eq!(user().build().unwrap().warnings(), []);
    }

    #[test]
    fn a_failure_with_a_plain_cause_says_what_to_write() {
        let [comment, _] = comments();
        let builder = user()
            .property("sum", ".author.login + .id")
            .relation("r", ".id | test(\"a\")");
        let mapped = map(builder, [comment.clone()]);
        for (field, says) in [
            ("properties.sum", "cannot be added; nothing becomes text"),
            ("relations.r", "; only text has this"),
        ] {
            let message = &mapped.samples[field].message;
            assert!(message.contains(says), "{message}");
        }
        let (_, message) = failure(user().identifier(".author.login + .id"), comment);
        assert!(message.contains("(.id | tostring)"), "{message}");
    }

    #[test]
    fn a_sample_names_the_record_by_place_and_key() {
        let builder = user().property("n", ".n - 1");
        let mapped = map(
            builder,
            [json!({"id": 1, "n": 1}), json!({"id": 2, "n": "x"})],
        );
        assert_eq!(
            mapped.samples["properties.n"].to_string(),
            "fails: string and number cannot be subtracted (record 2, id \"2\")"
        );
        assert_eq!(mapped.misconfigured["properties.n"], 1);
    }

    #[test]
    fn an_explanation_shows_each_expression_with_its_value_error_or_hint() {
        let mapper = user()
            .selector(".id > 0")
            .property("login", ".author.login")
            .property("sum", ".id + .author.login")
            .property("created", ".created_at")
            .build()
            .unwrap();
        let [comment, _] = comments();
        assert_eq!(
            mapper.explained(&Val::from(comment)).to_string(),
            "selector.query      .id > 0              → true\n\
             identifier          .id                  → 1\n\
             properties.login    .author.login        → \"ada\"\n\
             properties.sum      .id + .author.login  → fails: number and string cannot be added\n                    \
             nothing becomes text by itself: `\"T-\\(.id)\"`, or `(.id | tostring)`\n\
             properties.created  .created_at          → null\n                    \
             there is no `.created_at`; did you mean `.createdAt`?\n\
             entity \"1\" of user"
        );
        let left_out = mapper.explained(&Val::from(json!({"id": 0}))).to_string();
        assert!(left_out.ends_with("\nleft out"), "{left_out}");
        let failed = mapper.explained(&Val::from(json!({"id": [1]}))).to_string();
        assert!(
            failed.contains("\nfailed: record: ") || failed.contains("\nfailed: identifier: "),
            "{failed}"
        );
    }

    #[test]
    fn an_explanation_goes_through_the_items_of_a_record() {
        let mapper = user()
            .items_to_parse(".list")
            .identifier(".item")
            .build()
            .unwrap();
        let text = mapper
            .explained(&Val::from(json!({"list": ["a", null]})))
            .to_string();
        assert!(
            text.starts_with("itemsToParse  .list  → [\"a\",null]\n"),
            "{text}"
        );
        assert!(text.contains("item 1: entity \"a\" of user"), "{text}");
        assert!(text.contains("item 2: failed: "), "{text}");
        let text = mapper.explained(&Val::from(json!({"list": 5}))).to_string();
        assert!(text.contains("failed: itemsToParse: "), "{text}");
        let text = mapper
            .explained(&Val::from(json!({"list": []})))
            .to_string();
        assert!(text.ends_with("no items, so no entity"), "{text}");
    }
}
