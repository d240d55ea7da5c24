//! `selector.auth`: credentials of one resource, or of one parent list.

use longshore_testkit::{Answer, ScriptedApi};
use serde_json::json;

use super::{LOGIN, two_hosts};
use crate::rig::{Read, Rig, config, items};

/// An API that says who asked.
fn whoami() -> ScriptedApi {
    ScriptedApi::new().on("/{+path}", |call| {
        let given = call
            .request
            .headers
            .get("authorization")
            .and_then(|value| value.to_str().ok());
        Answer::json(json!([{"id": given.unwrap_or("nobody").replace(' ', "_")}]))
    })
}

const CONNECTION: &str = r#"
authType: bearer_token
apiToken: own
credentials:
  reports: {authType: bearer_token, apiToken: r}
  open: {authType: none}
"#;

#[tokio::test(start_paused = true)]
async fn a_resource_may_have_credentials_of_its_own_or_none() {
    for (selector, who) in [
        ("{}", "Bearer_own"),
        ("{auth: reports}", "Bearer_r"),
        ("{auth: open}", "nobody"),
        ("{auth: none}", "nobody"),
        ("{auth: {authType: none}}", "nobody"),
        (
            "{auth: {authType: basic, username: a, password: b}}",
            "Basic_YTpi",
        ),
        (
            "{auth: {authType: api_key, apiKeyName: Authorization, apiKeyPrefix: Token, apiKey: k}}",
            "Token_k",
        ),
        (
            "{auth: {auth_type: bearer_token, api_token: snake}}",
            "Bearer_snake",
        ),
        (
            "{auth: '{\"authType\": \"bearer_token\", \"apiToken\": \"text\"}'}",
            "Bearer_text",
        ),
    ] {
        let rig = Rig::new(whoami());
        let read = rig.read(CONNECTION, &items("/items", selector)).await;
        assert_eq!(read.identifiers(), [who], "{selector}: {:?}", read.errors);
    }
}

#[tokio::test(start_paused = true)]
async fn the_parents_of_a_resource_have_their_own_as_well() {
    let rig = Rig::new(whoami());
    let mapping = r#"
resources:
  - kind: /teams/{team}/members
    selector:
      query: 'true'
      auth: none
      path_parameters: {team: {endpoint: /teams, field: '"x"', auth: reports}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"item"'}}}
  - kind: /teams/{team}/rules
    selector:
      query: 'true'
      path_parameters: {team: {endpoint: /teams, field: '"x"'}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"rule"'}}}
"#;
    let report = rig.sync(CONNECTION, mapping).await;
    assert!(
        report
            .resources
            .iter()
            .all(|resource| resource.outcome == "complete"),
        "{report}"
    );
    let asked: Vec<String> = rig
        .api
        .requests()
        .iter()
        .map(|seen| {
            format!(
                "{} {}",
                seen.path(),
                seen.header("authorization").unwrap_or("nobody")
            )
        })
        .collect();
    // The two parent lists are not the same read: one API may show different people different things.
    for expected in [
        "/teams Bearer r",
        "/teams/x/members nobody",
        "/teams Bearer own",
        "/teams/x/rules Bearer own",
    ] {
        assert!(
            asked.iter().any(|one| one == expected),
            "{expected} in {asked:?}"
        );
    }
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn resources_that_name_the_same_credentials_share_one_login() {
    let login = ScriptedApi::new().json("/token", json!({"access_token": "t"}));
    let rig = two_hosts(whoami(), login.clone());
    let connection = format!(
        "authType: none\ncredentials: {{shared: {{authType: oauth2, tokenUrl: '{LOGIN}/token', clientId: a, clientSecret: b}}}}"
    );
    let inline =
        format!("{{authType: oauth2, tokenUrl: '{LOGIN}/token', clientId: c, clientSecret: d}}");
    let resource = |kind: &str, auth: &str| {
        format!(
            "  - {{kind: {kind}, selector: {{query: 'true', auth: {auth}}}, port: {{entity: {{mappings: {{identifier: .id, blueprint: '\"{kind}\"'}}}}}}}}\n"
        )
    };
    let mapping = format!(
        "resources:\n{}{}{}{}",
        resource("one", "shared"),
        resource("two", "shared"),
        resource("three", &inline),
        resource("four", &inline)
    );
    let report = rig.sync(&connection, &mapping).await;
    assert!(
        report
            .resources
            .iter()
            .all(|resource| resource.outcome == "complete"),
        "{report}"
    );
    assert_eq!(login.requests().len(), 2, "one for each set of credentials");
}

#[tokio::test(start_paused = true)]
async fn named_credentials_come_from_the_environment_too() {
    let rig = Rig::new(whoami());
    let config = longshore_engine::Config::loader()
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", crate::rig::API),
            (
                "OCEAN__INTEGRATION__CONFIG__CREDENTIALS__REPORTS__AUTH_TYPE",
                "bearer_token",
            ),
            (
                "OCEAN__INTEGRATION__CONFIG__CREDENTIALS__REPORTS__API_TOKEN",
                "from-env",
            ),
        ])
        .mapping_text("mapping.yaml", &items("/items", "{auth: reports}"))
        .load()
        .unwrap();
    let read = rig.read_from(&config).await;
    assert_eq!(read.identifiers(), ["Bearer_from-env"], "{:?}", read.errors);
}

#[test]
fn a_name_that_is_not_there_says_which_are() {
    for (connection, selector, said) in [
        (
            CONNECTION,
            "{auth: report}",
            "selector.auth: names no entry of `credentials`; did you mean `reports`? (there are open, reports)",
        ),
        (
            "authType: none",
            "{auth: reports}",
            "of the connection there are none",
        ),
        (
            CONNECTION,
            "{auth: {apiToken: x}}",
            "selector.auth.authType: is not set",
        ),
        (
            CONNECTION,
            "{auth: {authType: bearer_token, apiTokn: x}}",
            "did you mean `apiToken`?",
        ),
        (CONNECTION, "{auth: [a]}", "selector.auth"),
        (
            "credentials: {none: {authType: none}}",
            "{}",
            "is no name for a credential; take another",
        ),
        (
            "credentials: {a: {authType: bearer_token}}",
            "{}",
            "credentials.a.authType: bearer_token needs `apiToken`",
        ),
        (
            "credentials: {a: {apiToken: x}}",
            "{}",
            "credentials.a.authType: is not set",
        ),
        ("credentials: [a]", "{}", "credentials"),
    ] {
        let refused = config(connection, &items("/items", selector))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains(said),
            "{connection} {selector}:\n{refused}"
        );
    }
}

/// Port is asked for the mapping again before each sync.
#[tokio::test(start_paused = true)]
async fn settings_that_stand_in_a_mapping_stay_one_login_when_it_is_read_again() {
    let login = ScriptedApi::new().on("/token", |call| {
        let body = call.request.body.clone().unwrap();
        let given = String::from_utf8_lossy(&body).into_owned();
        match given.contains("refresh_token=r1") {
            true => Answer::json(json!({"access_token": "t", "refresh_token": "r2"})),
            false => Answer::status(400),
        }
    });
    let rig = two_hosts(whoami(), login.clone());
    let at_port = |id: &str| {
        json!({"resources": [{
            "kind": "/items",
            "selector": {"query": "true", "auth": {
                "authType": "oauth2", "grantType": "refresh_token", "refreshToken": "r1", "clientId": id,
                "tokenUrl": format!("{LOGIN}/token"),
            }},
            "port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"item\""}}},
        }]})
    };
    let config = config("authType: none", &items("/items", "{}")).unwrap();
    let engine = rig.engine_from(&config);
    for (id, logins) in [("a", 1), ("a", 1), ("b", 2), ("a", 2)] {
        let read_again = config.clone().with_mapping_from_port(at_port(id)).unwrap();
        let engine = engine
            .with_resources(read_again.mapping.unwrap().resources)
            .unwrap();
        let read = Read::of(&engine, &engine.resources()[0]).await;
        assert_eq!(read.identifiers(), ["Bearer_t"], "{:?}", read.errors);
        assert_eq!(login.requests().len(), logins, "{id}");
    }
}
