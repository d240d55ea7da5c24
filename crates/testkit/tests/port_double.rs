//! The double of Port: what it keeps, refuses, deletes and finds wrong.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Method};
use longshore_testkit::{Answer, PortCall, PortDouble, PortEvent, Service};
use longshore_transport::Request;
use serde_json::{Value, json};

const AGENT: &str = "port-ocean/custom/0.1.0/my-api/exporter";
const UPSERT: &str = "upsert=true&merge=false&create_missing_related_entities=";

/// A client as simple as can be.
struct Client<'a> {
    port: &'a PortDouble,
    token: String,
    agent: &'static str,
}

impl<'a> Client<'a> {
    async fn of(port: &'a PortDouble) -> Client<'a> {
        let mut client = Client {
            port,
            token: String::new(),
            agent: AGENT,
        };
        let token = client
            .post(
                "/auth/access_token",
                json!({"clientId": "id", "clientSecret": "secret"}),
            )
            .await;
        client.token = format!(
            "Bearer {}",
            token.body_json()["accessToken"].as_str().unwrap()
        );
        client
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = Request::new(
            method,
            format!("https://api.getport.io/v1{path}").parse().unwrap(),
        );
        if let Some(body) = body {
            request = request.with_json(&body);
        }
        if !self.token.is_empty() {
            request
                .headers
                .insert("authorization", self.token.parse().unwrap());
        }
        request
            .headers
            .insert("user-agent", HeaderValue::from_static(self.agent));
        self.port.answer(request).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    async fn upsert(&self, blueprint: &str, create_missing: bool, entities: Value) -> Answer {
        let path = format!("/blueprints/{blueprint}/entities/bulk?{UPSERT}{create_missing}");
        self.post(&path, json!({"entities": entities})).await
    }

    async fn delete(&self, blueprint: &str, dependents: bool, identifiers: &[&str]) -> Answer {
        let path =
            format!("/blueprints/{blueprint}/bulk/entities/delete?delete_dependents={dependents}");
        self.post(&path, json!({"entities": identifiers})).await
    }

    async fn owned(&self, more: Value) -> Value {
        let mut body = json!({"datasource_prefix": "port-ocean/custom/", "datasource_suffix": "/my-api/exporter"});
        body.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        self.post("/blueprints/entities/datasource-entities", body)
            .await
            .body_json()
    }
}

fn ids(entities: &Value) -> Vec<&str> {
    entities
        .as_array()
        .unwrap()
        .iter()
        .map(|entity| entity["identifier"].as_str().unwrap())
        .collect()
}

fn has_description() -> bool {
    let there = PortDouble::has_description();
    assert!(
        there || std::env::var_os("CI").is_none(),
        "shared/reference/port-openapi.json is not beside the project"
    );
    if !there {
        eprintln!("skipped: shared/reference/port-openapi.json is not beside the project");
    }
    there
}

#[tokio::test(start_paused = true)]
async fn a_token_is_given_for_the_right_secret_and_ends_with_its_time() {
    let port = PortDouble::new()
        .credentials("id", "secret")
        .token_lifetime(Duration::from_secs(600));
    let mut client = Client::of(&port).await;
    let wrong = client
        .post(
            "/auth/access_token",
            json!({"clientId": "id", "clientSecret": "other"}),
        )
        .await;
    assert_eq!(wrong.status, 401);
    assert_eq!(client.get("/integration/x").await.status, 404);
    tokio::time::advance(Duration::from_secs(599)).await;
    assert_eq!(client.get("/integration/x").await.status, 404);
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(client.get("/integration/x").await.status, 401);

    client = Client::of(&port).await;
    port.revoke_tokens();
    assert_eq!(client.get("/integration/x").await.status, 401);
    client.token.clear();
    assert_eq!(client.get("/integration/x").await.status, 401);
    assert_eq!(
        port.events(),
        [PortEvent::TokenIssued, PortEvent::TokenIssued]
    );
    assert_eq!(
        port.violations(),
        ["GET /v1/integration/x: the header `Authorization` is missing"]
    );
}

#[tokio::test]
async fn an_upsert_replaces_and_a_merge_lays_over() {
    let port = PortDouble::new();
    let client = Client::of(&port).await;
    let first = json!([{"identifier": "a", "title": "A", "properties": {"x": 1, "y": 2}}, {"identifier": "b"}]);
    let answer = client.upsert("thing", true, first).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.body_json(),
        json!({"ok": true, "errors": [], "entities": [
            {"identifier": "a", "index": 0, "created": true}, {"identifier": "b", "index": 1, "created": true}]})
    );

    let merge = "/blueprints/thing/entities/bulk?upsert=true&merge=true";
    let change = json!({"entities": [{"identifier": "a", "properties": {"y": 3}}]});
    let answer = client.post(merge, change.clone()).await.body_json();
    assert_eq!(answer["entities"][0]["created"], false);
    let merged = port.entity("thing", "a").unwrap();
    assert_eq!(
        (&merged["title"], &merged["properties"]),
        (&json!("A"), &json!({"x": 1, "y": 3}))
    );

    client
        .upsert("thing", true, change["entities"].clone())
        .await;
    let replaced = port.entity("thing", "a").unwrap();
    assert_eq!(
        (replaced.get("title"), &replaced["properties"]),
        (None, &json!({"y": 3}))
    );

    let only_new = client
        .post("/blueprints/thing/entities/bulk?upsert=false", change)
        .await;
    assert_eq!(
        (
            only_new.status.as_u16(),
            &only_new.body_json()["errors"][0]["statusCode"]
        ),
        (207, &json!(409))
    );

    let check = "/blueprints/thing/entities/bulk?upsert=true&validation_only=true";
    client
        .post(check, json!({"entities": [{"identifier": "c"}]}))
        .await;
    assert_eq!(port.identifiers("thing"), ["a", "b"]);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_missing_relation_target_is_that_entitys_error_or_is_created() {
    let port = PortDouble::new()
        .relation("ticket", "author", "user")
        .rejects("ticket", "bad", 422, "no");
    let client = Client::of(&port).await;
    let tickets = json!([
        {"identifier": "1", "relations": {"author": "ada"}},
        {"identifier": "2", "relations": {"author": null}},
        {"identifier": "bad"},
        {"identifier": "3", "relations": {"ticket": ["2", "3"]}}
    ]);
    let answer = client.upsert("ticket", false, tickets.clone()).await;
    assert_eq!(answer.status, 207);
    let body = answer.body_json();
    assert_eq!(ids(&body["entities"]), ["2", "3"]);
    assert_eq!(body["entities"][1]["index"], 3);
    let errors: Vec<(&Value, &Value)> = body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| (&e["index"], &e["statusCode"]))
        .collect();
    assert_eq!(errors, [(&json!(0), &json!(404)), (&json!(2), &json!(422))]);

    client.upsert("ticket", true, tickets).await;
    assert_eq!(port.identifiers("user"), ["ada"]);
    assert!(port.is_placeholder("user", "ada"));
    client
        .upsert("user", true, json!([{"identifier": "ada", "title": "Ada"}]))
        .await;
    assert!(!port.is_placeholder("user", "ada"));
    assert_eq!(
        ids(&client.owned(json!({})).await["entities"]),
        ["1", "2", "3", "ada"]
    );

    let strict = PortDouble::new().blueprint("ticket");
    let client = Client::of(&strict).await;
    assert_eq!(
        client
            .upsert("other", true, json!([{"identifier": "1"}]))
            .await
            .status,
        404
    );
    let unknown = client
        .upsert(
            "ticket",
            true,
            json!([{"identifier": "1", "relations": {"owner": "x"}}]),
        )
        .await;
    assert_eq!(unknown.body_json()["errors"][0]["statusCode"], 404);
}

#[tokio::test]
async fn what_ports_schema_refuses_is_refused_whole_and_is_a_violation() {
    let port = PortDouble::new();
    let client = Client::of(&port).await;
    let bad = [
        json!([{"identifier": "a", "title": null}]),
        json!([{"identifier": "a", "icon": null}]),
        json!([{"identifier": "a", "team": null}]),
        json!([{"identifier": "with space"}]),
        json!([{"identifier": ".."}]),
        json!([{"identifier": ""}]),
        json!([{"identifier": 7}]),
        json!([{"identifier": "a", "relations": {"r": "b c"}}]),
        json!([{"identifier": "a", "relations": {"r": [1]}}]),
        json!([{"identifier": "x".repeat(1001)}]),
        json!([]),
        json!(vec![json!({"identifier": "a"}); 21]),
    ];
    for (index, entities) in bad.into_iter().enumerate() {
        let answer = client.upsert("thing", true, entities.clone()).await;
        assert_eq!(answer.status, 422, "{entities}");
        if has_description() {
            assert_eq!(
                port.violations().len(),
                index + 1,
                "{entities}: {:?}",
                port.violations()
            );
        }
    }
    assert!(port.entities().is_empty());

    let good =
        json!([{"identifier": "a/b+c=@_.:\\é", "team": ["x"], "relations": {"r": null, "s": []}}]);
    assert_eq!(client.upsert("thing", true, good).await.status, 200);
    let text =
        |size: usize| json!([{"identifier": "big", "properties": {"text": "x".repeat(size)}}]);
    let around = json!({"entities": text(0)}).to_string().len();
    assert_eq!(
        client
            .upsert("thing", true, text((1 << 20) - around))
            .await
            .status,
        200
    );
    assert_eq!(
        client
            .upsert("thing", true, text((1 << 20) - around + 1))
            .await
            .status,
        413
    );
}

#[tokio::test]
async fn ownership_comes_from_the_user_agent_and_before_from_ports_clock() {
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let port = PortDouble::new()
        .owned_entity("thing", "old", long_ago)
        .foreign_entity("thing", "foreign");
    let mut client = Client::of(&port).await;
    client
        .upsert("thing", true, json!([{"identifier": "mine"}]))
        .await;
    client.agent = "port-ocean/custom/0.1.0/other/exporter";
    client
        .upsert("thing", true, json!([{"identifier": "others"}]))
        .await;

    assert_eq!(
        ids(&client.owned(json!({})).await["entities"]),
        ["mine", "old"]
    );
    let now = client.get("/integration/x").await.headers["date"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(now, "Thu, 01 Jan 2026 00:00:00 GMT");
    let before = json!({"before": "2025-12-31T23:59:00Z"});
    assert_eq!(ids(&client.owned(before).await["entities"]), ["old"]);
    assert_eq!(
        port.entity("thing", "old").unwrap()["updatedAt"],
        "2023-11-14T22:13:20.000Z"
    );

    port.advance(Duration::from_secs(3600));
    client
        .upsert("thing", true, json!([{"identifier": "old"}]))
        .await;
    let before = json!({"before": "2026-01-01T00:30:00.000Z"});
    assert_eq!(ids(&client.owned(before).await["entities"]), ["mine"]);
    assert_eq!(
        client
            .post("/blueprints/entities/datasource-entities", json!({}))
            .await
            .status,
        422
    );
}

#[tokio::test]
async fn owned_entities_come_in_pages_that_deletes_do_not_shift() {
    let mut port = PortDouble::new().owned_page_size(2);
    for identifier in ["a", "b", "c", "d", "e"] {
        port = port.stale_entity("thing", identifier);
    }
    let client = Client::of(&port).await;
    let first = client.owned(json!({"limit": 5000})).await;
    assert_eq!(ids(&first["entities"]), ["a", "b"]);
    client.delete("thing", false, &["a", "b"]).await;
    let second = client.owned(json!({"from": first["next"]})).await;
    assert_eq!(ids(&second["entities"]), ["c", "d"]);
    let third = client.owned(json!({"from": second["next"]})).await;
    assert_eq!(
        (ids(&third["entities"]), third.get("next")),
        (vec!["e"], None)
    );
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn a_delete_with_dependents_fails_whole_or_takes_them_along() {
    let port = || {
        PortDouble::new()
            .stale_entity("team", "core")
            .stale_entity("team", "free")
            .stale_entity_with(
                "user",
                json!({"identifier": "ada", "relations": {"team": "core"}}),
            )
            .stale_entity_with(
                "note",
                json!({"identifier": "n", "relations": {"user": ["ada"]}}),
            )
    };
    let careful = port();
    let client = Client::of(&careful).await;
    let refused = client.delete("team", false, &["free", "core"]).await;
    assert_eq!((refused.status.as_u16(), careful.deleted().len()), (422, 0));
    let deleted = client
        .delete("team", false, &["free", "nowhere", "free"])
        .await;
    assert_eq!(deleted.body_json()["deletedEntities"], json!(["free"]));
    assert_eq!(careful.deleted(), [("team".to_owned(), "free".to_owned())]);
    for (blueprint, identifier) in [("note", "n"), ("user", "ada"), ("team", "core")] {
        assert_eq!(
            client.delete(blueprint, false, &[identifier]).await.status,
            200
        );
    }
    assert!(careful.entities().is_empty());

    let careless = port();
    let client = Client::of(&careless).await;
    assert_eq!(
        client.delete("team", true, &["core"]).await.body_json()["deletedEntities"],
        json!(["core"])
    );
    let dependents: Vec<bool> = careless
        .events()
        .into_iter()
        .filter_map(|event| match event {
            PortEvent::Deleted { dependent, .. } => Some(dependent),
            _ => None,
        })
        .collect();
    assert_eq!(dependents, [false, true, true]);
    assert_eq!(careless.identifiers("team"), ["free"]);

    let cycle = PortDouble::new()
        .stale_entity_with(
            "a",
            json!({"identifier": "1", "relations": {"a": ["1", "2"]}}),
        )
        .stale_entity_with("a", json!({"identifier": "2", "relations": {"a": "1"}}));
    let client = Client::of(&cycle).await;
    assert_eq!(client.delete("a", false, &["1"]).await.status, 422);
    assert_eq!(client.delete("a", false, &["1", "2"]).await.status, 200);
    assert_eq!(
        careful.violations().len() + careless.violations().len() + cycle.violations().len(),
        0
    );
}

#[tokio::test]
async fn searches_find_by_rule_and_an_unknown_rule_is_no_empty_answer() {
    let port = PortDouble::new()
        .stale_entity_with(
            "user",
            json!({"identifier": "ada", "properties": {"mail": "ada@x.io", "age": 36}}),
        )
        .stale_entity_with(
            "user",
            json!({"identifier": "bob", "properties": {"mail": "bob@y.io", "age": 20}}),
        )
        .stale_entity("team", "core");
    let client = Client::of(&port).await;
    let rule = |property: &str, operator: &str, value: Value| json!({"property": property, "operator": operator, "value": value});
    let query =
        |combinator: &str, rules: Vec<Value>| json!({"combinator": combinator, "rules": rules});
    let search = async |query: Value| {
        client
            .post(
                "/entities/search?include=%24identifier&include=blueprint&include=title",
                query,
            )
            .await
    };

    let of_users = rule("$blueprint", "=", json!("user"));
    let found = search(query(
        "and",
        vec![of_users.clone(), rule("mail", "endsWith", json!("@x.io"))],
    ))
    .await
    .body_json();
    assert_eq!(
        found["entities"],
        json!([{"identifier": "ada", "blueprint": "user"}])
    );
    let nested = query(
        "or",
        vec![
            rule("age", "<", json!(21)),
            rule("$identifier", "in", json!(["core"])),
        ],
    );
    let found = search(query(
        "and",
        vec![nested, rule("$updatedAt", "<", json!("2026-01-01"))],
    ))
    .await
    .body_json();
    assert_eq!(ids(&found["entities"]), ["core", "bob"]);
    assert_eq!(
        search(query("and", vec![rule("age", "~", json!(1))]))
            .await
            .status,
        422
    );

    let by_mail = query("and", vec![rule("mail", "=", json!("ada@x.io"))]);
    let entity = json!([{"identifier": by_mail, "title": "Ada", "relations": {"peer": query("and", vec![rule("mail", "=", json!("bob@y.io"))])}}]);
    let answer = client.upsert("user", false, entity).await.body_json();
    assert_eq!(
        answer["entities"],
        json!([{"identifier": "ada", "index": 0, "created": false}])
    );
    assert_eq!(
        port.entity("user", "ada").unwrap()["relations"],
        json!({"peer": ["bob"]})
    );
}

#[tokio::test]
async fn faults_hit_the_call_they_were_ordered_for_with_and_without_effect() {
    let port = PortDouble::new()
        .fault(
            PortCall::UpsertMany,
            1,
            Answer::status(503).header("retry-after", "7"),
        )
        .lose_answer(PortCall::UpsertMany, 2, Answer::status(502));
    let client = Client::of(&port).await;
    let answer = client
        .upsert("thing", true, json!([{"identifier": "a"}]))
        .await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["retry-after"]),
        (503, &"7".parse().unwrap())
    );
    assert!(
        answer.headers.contains_key("date") && !answer.headers.contains_key("x-ratelimit-reset")
    );
    assert!(port.entities().is_empty());
    assert_eq!(
        client
            .upsert("thing", true, json!([{"identifier": "a"}]))
            .await
            .status,
        502
    );
    assert_eq!(port.identifiers("thing"), ["a"]);
    assert_eq!(
        client
            .upsert("thing", true, json!([{"identifier": "a"}]))
            .await
            .status,
        200
    );
    assert_eq!(
        (
            port.count(PortCall::UpsertMany),
            port.count(PortCall::Token)
        ),
        (3, 1)
    );
}

#[tokio::test]
async fn integrations_are_read_created_and_changed() {
    let port = PortDouble::new().integration("my-api", json!({"resources": []}));
    let client = Client::of(&port).await;
    let read = async |id: &str| {
        client
            .get(&format!("/integration/{id}?byField=installationId"))
            .await
    };
    assert_eq!(
        read("my-api").await.body_json()["integration"]["config"],
        json!({"resources": []})
    );
    assert_eq!(read("other").await.status, 404);
    let new =
        json!({"installationId": "other", "installationAppType": "custom", "version": "0.1.0"});
    assert_eq!(client.post("/integration", new).await.status, 201);
    let config = json!({"config": {"deleteDependentEntities": true, "resources": []}});
    let changed = client
        .call(Method::PATCH, "/integration/other/config", Some(config))
        .await;
    assert_eq!(changed.status, 200);
    assert_eq!(
        read("other").await.body_json()["integration"]["config"]["deleteDependentEntities"],
        true
    );

    assert_eq!(
        client
            .get("/integration/other/resync-request")
            .await
            .body_json()["request"],
        json!(null)
    );
    let _ = port.clone().request_resync("other");
    let asked = client
        .get("/integration/other/resync-request")
        .await
        .body_json();
    assert_eq!(
        asked["request"]["updatedAt"].as_str().unwrap().len(),
        "2026-01-01T00:00:00.000Z".len()
    );
    client
        .post(
            "/integration/other/kinds/%2Fusers/examples",
            json!({"examples": [{"id": 1}]}),
        )
        .await;
    assert_eq!(port.examples("/users"), [json!({"id": 1})]);
    assert_eq!(port.violations(), Vec::<String>::new());
}

#[tokio::test]
async fn requests_that_break_the_published_description_are_listed() {
    if !has_description() {
        return;
    }
    let port = PortDouble::new();
    let mut client = Client::of(&port).await;
    let one = || Some(json!({"entities": [{"identifier": "a"}]}));
    let bulk = "/blueprints/thing/entities/bulk";
    client
        .call(Method::POST, &format!("{bulk}?upsert=yes"), one())
        .await;
    client.call(Method::POST, bulk, one()).await;
    client
        .call(
            Method::POST,
            &format!("{bulk}?upsert=true&dry_run=true"),
            one(),
        )
        .await;
    client
        .call(
            Method::POST,
            &format!("{bulk}?upsert=true&ocean_info_resync_id=1&ocean_info_event_type=resync"),
            one(),
        )
        .await;
    client
        .call(
            Method::POST,
            "/blueprints//entities/bulk?upsert=true",
            one(),
        )
        .await;
    client.call(Method::PUT, bulk, one()).await;
    client
        .post(
            "/blueprints/thing/bulk/entities/delete?delete_dependents=false",
            json!({"entities": [], "x": 1}),
        )
        .await;
    client
        .post(
            "/blueprints/entities/datasource-entities",
            json!({"datasource_prefix": "p", "limit": 0, "y": 1}),
        )
        .await;
    client
        .call(Method::GET, "/integration/x?ocean_info_resync_id=1", None)
        .await;
    client.agent = "reqwest/0.13";
    client
        .call(Method::POST, &format!("{bulk}?upsert=true"), one())
        .await;

    let mut found: Vec<String> = port
        .violations()
        .iter()
        .map(|line| line.split_once(" /v1").unwrap().1.split_once(": ").unwrap())
        .map(|(path, problem)| format!("{} {}", path.rsplit('/').next().unwrap(), problem))
        .collect();
    let mut expected = [
        "bulk `upsert` must be true or false",
        "bulk query `upsert` is required",
        "bulk query `dry_run` is not a parameter of this call",
        "bulk `blueprint_identifier` must have at least 1 characters",
        "bulk no such route",
        "delete body: Additional properties are not allowed ('x' was unexpected)",
        "delete body/entities: [] has less than 1 item",
        "datasource-entities body: `datasource_suffix` is required",
        "datasource-entities body/limit: this value is not allowed",
        "datasource-entities body: `y` is not a key of this call",
        "x query `ocean_info_resync_id` is not a parameter of this call",
        "bulk `User-Agent` must be `port-ocean/<type>/<version>/<identifier>/exporter`",
    ];
    // Of one request's problems, the order is the validator's business.
    found.sort();
    expected.sort_unstable();
    assert_eq!(found, expected, "{:#?}", port.violations());
}
