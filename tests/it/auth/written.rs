//! How credentials may be written, and what is said of those that were probably not meant so.

use longshore_engine::Config;
use longshore_engine::config::ConfigError;
use longshore_testkit::{Answer, ScriptedApi};
use serde_json::json;

use super::LOGIN;
use crate::rig::{API, Read, Rig, config, items};

/// A configuration out of variables alone.
fn of_variables(variables: &[(&str, &str)], selector: &str) -> Result<Config, ConfigError> {
    let ours = variables.iter().map(|(name, value)| {
        (
            format!("OCEAN__INTEGRATION__CONFIG{name}"),
            (*value).to_owned(),
        )
    });
    let base_url = (
        "OCEAN__INTEGRATION__CONFIG__BASE_URL".to_owned(),
        API.to_owned(),
    );
    Config::loader()
        .environment(ours.chain([base_url]))
        .mapping_text("mapping.yaml", &items("/items", selector))
        .load()
}

/// What the API gets as `Authorization`.
async fn authorization(config: &Config) -> Option<String> {
    let rig = Rig::new(ScriptedApi::new().on("/items", |_| Answer::json(json!([{"id": 1}]))));
    let engine = rig.engine_from(config);
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert_eq!(read.identifiers(), ["1"]);
    rig.api.requests()[0]
        .header("authorization")
        .map(str::to_owned)
}

fn warnings(config: &Config) -> Vec<String> {
    config.warnings.iter().map(ToString::to_string).collect()
}

#[tokio::test(start_paused = true)]
async fn credentials_may_come_as_json_in_a_variable_in_both_spellings() {
    for variables in [
        [(
            "__CREDENTIALS",
            r#"{"myKey": {"authType": "bearer_token", "apiToken": "x"}}"#,
        )],
        [(
            "__CREDENTIALS",
            r#"{"myKey": {"auth_type": "bearer_token", "api_token": "x"}}"#,
        )],
        [(
            "__CREDENTIALS__MYKEY",
            r#"{"authType": "bearer_token", "apiToken": "x"}"#,
        )],
        [(
            "",
            r#"{"credentials": {"myKey": {"authType": "bearer_token", "apiToken": "x"}}}"#,
        )],
        [(
            "",
            r#"{"credentials": {"myKey": "{\"authType\": \"bearer_token\", \"apiToken\": \"x\"}"}}"#,
        )],
    ] {
        // A variable's name has no case; a name in JSON has.
        let name = match variables[0].0 {
            "__CREDENTIALS__MYKEY" => "mykey",
            _ => "myKey",
        };
        let config = of_variables(&variables, &format!("{{auth: {name}}}")).unwrap();
        assert_eq!(warnings(&config), [""; 0], "{variables:?}");
        let sent = authorization(&config).await;
        assert_eq!(sent.as_deref(), Some("Bearer x"), "{variables:?}");
    }
    let refused = of_variables(
        &[(
            "__CREDENTIALS",
            r#"{"a": {"authType": "bearer_token", "apiTokn": "x"}}"#,
        )],
        "{}",
    );
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("did you mean `apiToken`?"), "{said}");
}

#[tokio::test(start_paused = true)]
async fn a_user_or_password_that_is_empty_in_the_environment_is_empty() {
    for (user, password, sent) in [("key", "", "Basic a2V5Og=="), ("", "key", "Basic OmtleQ==")] {
        let own = [
            ("__AUTH_TYPE", "basic"),
            ("__USERNAME", user),
            ("__PASSWORD", password),
        ];
        let config = of_variables(&own, "{}").unwrap();
        assert_eq!(authorization(&config).await.as_deref(), Some(sent));
        let named = [
            ("__CREDENTIALS__A__AUTH_TYPE", "basic"),
            ("__CREDENTIALS__A__USERNAME", user),
            ("__CREDENTIALS__A__PASSWORD", password),
        ];
        let config = of_variables(&named, "{auth: a}").unwrap();
        assert_eq!(authorization(&config).await.as_deref(), Some(sent));
    }
    // What another level says counts more, and other types know no empty texts.
    let file = format!("baseUrl: {API}\nauthType: basic\nusername: a\npassword: b\n");
    let config = Config::loader()
        .connection_text("c.yml", &file)
        .environment([("OCEAN__INTEGRATION__CONFIG__PASSWORD", "")])
        .mapping_text("mapping.yaml", &items("/items", "{}"))
        .load()
        .unwrap();
    let sent = authorization(&config).await;
    assert_eq!(sent.as_deref(), Some("Basic YTpi"));
    let refused = of_variables(&[("__AUTH_TYPE", "basic"), ("__USERNAME", "a")], "{}");
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("basic needs `password`"), "{said}");
    let refused = of_variables(
        &[("__AUTH_TYPE", "bearer_token"), ("__API_TOKEN", "")],
        "{}",
    );
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("bearer_token needs `apiToken`"), "{said}");
}

#[test]
fn one_name_with_two_keys_is_refused() {
    for (keys, said) in [
        (
            "apiKeys: {X-Key: a, x-key: b}",
            "apiKeys.x-key: is given twice (header names do not depend on case); keep one",
        ),
        (
            "apiKeys: [{name: k, key: a, in: query}, {name: k, key: b, in: query}]",
            "apiKeys[1].name: is given twice; keep one",
        ),
        (
            "apiKey: a\napiKeyName: X-Key\napiKeys: {x-key: b}",
            "apiKeys.x-key: is given twice",
        ),
    ] {
        let refused = config(
            &format!("authType: api_key\n{keys}"),
            &items("/items", "{}"),
        );
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(said), "{keys}:\n{refused}");
    }
    for keys in [
        "apiKeys: [{name: k, key: a, in: query}, {name: K, key: b, in: query}]",
        "apiKeys: [{name: k, key: a, in: query}, {name: k, key: b, in: cookie}]",
    ] {
        config(
            &format!("authType: api_key\n{keys}"),
            &items("/items", "{}"),
        )
        .unwrap();
    }
}

#[test]
fn what_is_sent_as_written_and_was_hardly_meant_so_is_warned_of() {
    let warned = |connection: &str| warnings(&config(connection, &items("/items", "{}")).unwrap());
    for connection in [
        "authType: bearer_token\napiToken: '${TOKEN}'",
        "authType: basic\nusername: a\npassword: ' ${PASSWORD} '",
        "credentials: {a: {authType: api_key, apiKey: '${API_KEY}'}}",
    ] {
        let said = warned(connection).join(" ");
        assert!(
            said.contains("is sent as it is written: `${…}`"),
            "{connection}: {said}"
        );
    }
    for connection in [
        "authType: bearer_token\napiToken: 'x${TOKEN}'",
        "authType: basic\nusername: a\npassword: '${a-b}'",
        "authType: bearer_token\napiToken: t\ncustomHeaders: {X: 'y'}",
    ] {
        assert_eq!(warned(connection), [""; 0], "{connection}");
    }
    let token_url = |url: &str| {
        warned(&format!(
            "authType: oauth2\nclientId: a\nclientSecret: b\ntokenUrl: '{url}'"
        ))
        .join(" ")
    };
    for url in [
        "login.example.com/token",
        "login.example.com",
        "login.example.com:8443/token",
    ] {
        let said = token_url(url);
        assert!(
            said.contains("tokenUrl: is read as a path under baseUrl, and begins like a host"),
            "{url}: {said}"
        );
    }
    let whole = format!("{LOGIN}/token");
    for url in [
        "/login.example.com/token",
        "oauth/token",
        "index.php/token",
        "v1.0/token",
        "token",
        &whole,
    ] {
        assert_eq!(token_url(url), "", "{url}");
    }
}

#[test]
fn of_a_credential_with_a_mistake_the_rest_is_not_called_useless() {
    // The key is not looked at, for nobody knows what for.
    let refused = config(
        "authType: oauth2\ngrantType: jwt_bearr\ntokenUrl: /token\nclientId: a\nprivateKey: key.pem\nprivateKeyId: k\nusername: ada",
        &items("/items", "{}"),
    )
    .unwrap_err();
    let said = refused.to_string();
    assert!(said.contains("did you mean `jwt_bearer`?"), "{said}");
    let warned: Vec<String> = refused.warnings.iter().map(ToString::to_string).collect();
    let warned = warned.join(" ");
    assert!(!warned.contains("leave no use for it"), "{warned}");
    assert!(
        warned.contains("username: is not sent: it belongs to `authType: basic`"),
        "{warned}"
    );
}
