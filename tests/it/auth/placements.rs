//! Credentials that never change, in every place that an API may want them.

use longshore_testkit::{Answer, ScriptedApi, Seen};
use serde_json::{Value, json};

use crate::rig::{Rig, config, items};

/// The only request that an API gets with these credentials and this selector.
async fn asked(connection: &str, selector: &str) -> Seen {
    let rig = Rig::new(ScriptedApi::new().on("/{+path}", |_| Answer::json(json!([{"id": 1}]))));
    let read = rig
        .read(connection, &items("/items?sort=id", selector))
        .await;
    assert_eq!(read.identifiers(), ["1"], "{connection}: {:?}", read.errors);
    let requests = rig.api.requests();
    assert_eq!(requests.len(), 1, "{connection}");
    requests[0].clone()
}

#[tokio::test(start_paused = true)]
async fn keys_go_where_they_are_wanted_with_the_prefix_that_is_wanted() {
    for (connection, headers, query) in [
        (
            "authType: bearer_token\napiToken: t0k",
            json!({"authorization": "Bearer t0k"}),
            "sort=id",
        ),
        (
            "authType: bearer_token\nauthValue: t0k",
            json!({"authorization": "Bearer t0k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k",
            json!({"x-api-key": "k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyHeader: Api-Token",
            json!({"api-token": "k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyName: Authorization\napiKeyPrefix: 'Token '",
            json!({"authorization": "Token k"}),
            "sort=id",
        ),
        // YAML drops the blank at the end.
        (
            "authType: api_key\napiKey: k\napiKeyHeader: Authorization\napiKeyPrefix: GenieKey ",
            json!({"authorization": "GenieKey k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyHeader: Authorization\napiKeyPrefix: 'Token token='",
            json!({"authorization": "Token token=k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyHeader: Authorization\napiKeyPrefix: ''",
            json!({"authorization": "k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k/+=\napiKeyIn: query\napiKeyName: key",
            json!({}),
            "sort=id&key=k%2F%2B%3D",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyIn: cookie\napiKeyName: sid",
            json!({"cookie": "sid=k"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKeys: {DD-API-KEY: k, DD-APPLICATION-KEY: a}",
            json!({"dd-api-key": "k", "dd-application-key": "a"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKeys:\n- {name: X-Key, key: k}\n- {name: token, key: t, in: query}\n- {name: sid, key: s, in: cookie}\n- {name: Authorization, key: o, prefix: Token}",
            json!({"x-key": "k", "cookie": "sid=s", "authorization": "Token o"}),
            "sort=id&token=t",
        ),
        (
            "authType: api_key\napiKeyIn: query\napiKeys: {key: k, token: t}",
            json!({}),
            "sort=id&key=k&token=t",
        ),
        // As text, as it comes from an environment or from Helm.
        (
            "authType: api_key\napiKeys: '{\"A\": \"k\", \"B\": \"a\"}'",
            json!({"a": "k", "b": "a"}),
            "sort=id",
        ),
        (
            "authType: api_key\napiKey: k\napiKeys: {X-Second: a}",
            json!({"x-api-key": "k", "x-second": "a"}),
            "sort=id",
        ),
        // RFC 7617 §2 and §2.1.
        (
            "authType: basic\nusername: Aladdin\npassword: open sesame",
            json!({"authorization": "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="}),
            "sort=id",
        ),
        (
            "authType: basic_auth\nusername: test\npassword: 123£",
            json!({"authorization": "Basic dGVzdDoxMjPCow=="}),
            "sort=id",
        ),
        (
            "authType: basic\nusername: key\npassword: ''",
            json!({"authorization": "Basic a2V5Og=="}),
            "sort=id",
        ),
        (
            "authType: basic\nusername: ''\npassword: key",
            json!({"authorization": "Basic OmtleQ=="}),
            "sort=id",
        ),
        ("authType: none", json!({}), "sort=id"),
        ("", json!({}), "sort=id"),
    ] {
        let seen = asked(connection, "{}").await;
        assert_eq!(seen.url.query(), Some(query), "{connection}");
        let credentials: Value = seen
            .headers
            .iter()
            .filter(|(name, _)| {
                !matches!(name.as_str(), "accept" | "user-agent" | "accept-encoding")
            })
            .map(|(name, value)| (name.to_string(), Value::from(value.to_str().unwrap())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        assert_eq!(credentials, headers, "{connection}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_go_into_the_json_body_beside_what_is_there() {
    let connection = "authType: api_key\napiKey: k\napiKeyIn: body\napiKeyName: auth.key";
    let seen = asked(
        connection,
        "{method: POST, body: {auth: {user: ada}, page: 1}}",
    )
    .await;
    assert_eq!(
        seen.json(),
        json!({"auth": {"user": "ada", "key": "k"}, "page": 1})
    );
    let seen = asked(connection, "{method: POST}").await;
    assert_eq!(seen.json(), json!({"auth": {"key": "k"}}));
    assert_eq!(seen.header("content-type"), Some("application/json"));

    // Linode-like: several keys, the body among them.
    let connection =
        "authType: api_key\napiKeys: [{name: key, key: k, in: body}, {name: X-App, key: a}]";
    let seen = asked(connection, "{method: POST, body: {q: x}}").await;
    assert_eq!(
        (seen.json(), seen.header("x-app")),
        (json!({"q": "x", "key": "k"}), Some("a"))
    );
}

#[test]
fn a_key_that_goes_into_a_body_that_is_no_object_is_refused_when_it_is_loaded() {
    let key = "authType: api_key\napiKey: s3cret\napiKeyIn: body\napiKeyName: key";
    let custom = "authType: custom\ncustomAuthRequest: {endpoint: /login}\ncustomAuthRequestTemplate: {body: {t: '{{.t}}'}}";
    let rotate = "authType: rotate\nrotate: [{authType: bearer_token, apiToken: t}, {authType: api_key, apiKeys: [{name: key, key: s3cret, in: body}]}]";
    let own = "{method: POST, body: [1], auth: {authType: api_key, apiKey: s3cret, apiKeyIn: body, apiKeyName: key}}";
    let list = "{method: POST, body: [1]}";
    for (connection, selector) in [
        (key, list),
        (custom, list),
        (rotate, list),
        ("authType: none", own),
        (key, "{method: POST, body: '[1]'}"),
    ] {
        let refused = config(connection, &items("/items", selector))
            .unwrap_err()
            .to_string();
        let said = "selector.body: must be an object: the credential goes into it";
        assert!(refused.contains(said), "{connection} {selector}: {refused}");
        assert!(!refused.contains("s3cret"), "{refused}");
    }
    for (connection, selector) in [
        (key, "{method: POST, body: [1], auth: none}"),
        (key, "{method: POST, body: {a: 1}}"),
        (key, "{method: POST, body: '{\"a\": 1}'}"),
        ("authType: bearer_token\napiToken: t", list),
    ] {
        config(connection, &items("/items", selector)).unwrap();
    }
    // A list of parents has a body and a credential of its own.
    let parents = "resources:\n- kind: /a/{id}\n  selector:\n    query: 'true'\n    path_parameters: {id: {endpoint: /a, field: .id, method: POST, body: [1]}}\n  port: {entity: {mappings: {identifier: .id, blueprint: '\"a\"'}}}\n";
    let refused = config(key, parents).unwrap_err().to_string();
    assert!(
        refused.contains("path_parameters.id.body: must be an object"),
        "{refused}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_fixed_credential_is_sent_with_every_page_once_and_a_rejection_is_final() {
    let api = ScriptedApi::new()
        .query_key("key", "k")
        .on("/items", |call| {
            // Links that repeat the key, as those of many APIs do.
            match call.query("page").as_deref() {
                None => Answer::json(json!({"items": [{"id": 1}], "next": "/items?page=2&key=k"})),
                Some(_) => Answer::json(json!({"items": [{"id": 2}], "next": null})),
            }
        });
    let rig = Rig::new(api);
    let connection = "paginationType: next_link\nnextLinkPath: next\nauthType: api_key\napiKeyIn: query\napiKeyName: key";
    let read = rig
        .read(
            &format!("{connection}\napiKey: k"),
            &items("/items", "{data_path: .items}"),
        )
        .await;
    assert_eq!(read.identifiers(), ["1", "2"], "{:?}", read.errors);
    assert_eq!(rig.api.paths(), ["/items?key=k", "/items?page=2&key=k"]);

    let read = rig
        .read(
            &format!("{connection}\napiKey: wrong"),
            &items("/items", "{data_path: .items}"),
        )
        .await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(
        rig.api.requests().len(),
        3,
        "one request, for a fixed credential cannot be renewed"
    );
}

#[test]
fn settings_that_cannot_be_sent_are_refused_with_their_place() {
    for (connection, said) in [
        (
            "authType: api_key\napiKey: k\napiKeyIn: query",
            "c.yaml:2: apiKey: needs `apiKeyName`",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyIn: headers",
            "apiKeyIn: `headers` is not known; did you mean `header`?",
        ),
        (
            "authType: api_key\napiKeys: {}",
            "apiKeys: must be an object of names and keys, or a list of {name, key, in, prefix}",
        ),
        (
            "authType: api_key\napiKeys: [{name: A}]",
            "apiKeys[0].key: is not set",
        ),
        (
            "authType: api_key\napiKeys: [{name: A, key: k, inn: query}]",
            "did you mean `in`?",
        ),
        (
            "authType: api_key\napiKey: 'a b'\napiKeyIn: cookie\napiKeyName: sid",
            "cookies cannot hold",
        ),
        (
            "authType: api_key\napiKey: k\napiKeyHeader: Host",
            "apiKeyHeader",
        ),
        (
            "authType: api_key\napiKeyHeader: X",
            "api_key needs `apiKey`, which is not set",
        ),
        (
            "authType: basic\nusername: a",
            "basic needs `password`, which is not set (if it is meant to be empty, write `password: ''`)",
        ),
        ("authType: basic\nusername: 'a:b'\npassword: c", "colon"),
        (
            "authType: bearer_token\napiToken: Bearer abc",
            "without Bearer in front",
        ),
        ("authType: digest", "authType: `digest` is not known"),
        ("authType: client_credentials", "did you mean `oauth2`?"),
    ] {
        let refused = config(connection, &items("/items", "{}"))
            .unwrap_err()
            .to_string();
        assert!(
            refused
                .replace("connection.yaml", "c.yaml")
                .contains(&said.replace("c.yaml:2", "c.yaml:3")),
            "{connection}:\n{refused}"
        );
    }
}

#[test]
fn credentials_of_another_type_are_pointed_out() {
    let config = config(
        "authType: none\napiToken: t\nclientSecret: s",
        &items("/items", "{}"),
    )
    .unwrap();
    let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    for (key, owner) in [("apiToken", "bearer_token"), ("clientSecret", "oauth2")] {
        let said = format!("{key}: is not sent: it belongs to `authType: {owner}`");
        assert!(
            warnings.iter().any(|warning| warning.contains(&said)),
            "{warnings:?}"
        );
    }
}
