//! `authType: custom`: a login of any shape, as Ocean Custom has it and beyond.

use std::time::Duration;

use longshore_testkit::{Answer, ScriptedApi};
use serde_json::{Value, json};

use super::{LOGIN, chains, form, header_names, pass, two_hosts, well};
use crate::rig::{Read, Rig, config, items};

/// An API that answers everything, and a login on another host.
fn rig(login: ScriptedApi) -> Rig {
    two_hosts(ScriptedApi::new().json("/items", json!([{"id": 1}])), login)
}

fn answering(body: Value) -> ScriptedApi {
    ScriptedApi::new().json("/login", body)
}

#[tokio::test(start_paused = true)]
async fn a_login_asks_as_configured_and_its_answer_goes_where_templates_say() {
    // As in the documentation of Ocean Custom.
    let login = answering(json!({"access_token": "abc", "expires_in": 3600, "tenant": {"id": 7}}));
    let rig = rig(login.clone());
    let engine = rig.engine(
        &format!(
            r#"
authType: custom
customHeaders: {{X-Own: 'yes'}}
customAuthRequest:
  endpoint: {LOGIN}/login
  method: POST
  headers: {{X-Client: app, Content-Type: application/json}}
  queryParams: {{grant: full}}
  body: {{user: ada, password: s3cret, braces: '{{{{not a template}}}}'}}
  reauthenticateIntervalSeconds: 1800
customAuthRequestTemplate:
  headers: {{Authorization: 'Bearer {{{{.access_token}}}}', X-Tenant: 'tenant-{{{{.tenant.id}}}}'}}
  queryParams: {{session: '{{{{.access_token}}}}-{{{{.tenant.id}}}}'}}
"#
        ),
        &items("/items", "{}"),
    );
    well(&engine).await;
    well(&engine).await;
    let logins = login.requests();
    assert_eq!(logins.len(), 1);
    assert_eq!(
        (logins[0].method.as_str(), logins[0].path_and_query()),
        ("POST", "/login?grant=full".to_owned())
    );
    assert_eq!(
        logins[0].json(),
        json!({"user": "ada", "password": "s3cret", "braces": "{{not a template}}"})
    );
    assert_eq!(
        header_names(&logins[0]),
        ["accept", "content-type", "x-client"],
        "nothing of the connection's"
    );
    let asked = &rig.api.requests()[0];
    assert_eq!(asked.path_and_query(), "/items?session=abc-7");
    assert_eq!(
        (asked.header("authorization"), asked.header("x-tenant")),
        (Some("Bearer abc"), Some("tenant-7"))
    );
    assert_eq!(asked.header("x-own"), Some("yes"));
}

#[tokio::test(start_paused = true)]
async fn a_form_is_sent_as_written_and_both_names_of_the_template_are_known() {
    for name in [
        "customAuthRequestTemplate",
        "customAuthResponse",
        "custom_auth_request_template",
    ] {
        let login = answering(json!({"token": "abc"}));
        let rig = rig(login.clone());
        let engine = rig.engine(
            &format!(
                "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login', bodyForm: 'grant_type=x&user=a%26b'}}\n\
                 {name}: {{headers: {{X-Token: '{{{{.token}}}}'}}}}"
            ),
            &items("/items", "{}"),
        );
        well(&engine).await;
        assert_eq!(
            form(&login.requests()[0]),
            super::pairs([("grant_type", "x"), ("user", "a&b")])
        );
        assert_eq!(
            rig.api.requests()[0].header("x-token"),
            Some("abc"),
            "{name}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn json_text_does_as_well_and_a_content_type_of_ones_own_is_kept() {
    let login = answering(json!({"token": "abc"}));
    let rig = rig(login.clone());
    let request = json!({
        "endpoint": format!("{LOGIN}/login"),
        "method": "PUT",
        "bodyForm": "raw text",
        "headers": {"content-type": "text/plain"},
        "reauthenticateIntervalSeconds": "60",
    });
    let template = json!({"headers": {"Authorization": "{{.token}}"}});
    let config = longshore_engine::Config::loader()
        .environment([
            ("OCEAN__INTEGRATION__CONFIG__BASE_URL", crate::rig::API),
            ("OCEAN__INTEGRATION__CONFIG__AUTH_TYPE", "custom"),
            (
                "OCEAN__INTEGRATION__CONFIG__CUSTOM_AUTH_REQUEST",
                &request.to_string(),
            ),
            (
                "OCEAN__INTEGRATION__CONFIG__CUSTOM_AUTH_REQUEST_TEMPLATE",
                &template.to_string(),
            ),
        ])
        .mapping_text("mapping.yaml", &items("/items", "{}"))
        .load()
        .unwrap();
    well(&rig.engine_from(&config)).await;
    let asked = &login.requests()[0];
    assert_eq!(
        (asked.method.as_str(), asked.header("content-type")),
        ("PUT", Some("text/plain"))
    );
    assert_eq!(asked.body.as_deref(), Some(&b"raw text"[..]));
    assert_eq!(rig.api.requests()[0].header("authorization"), Some("abc"));
}

#[tokio::test(start_paused = true)]
async fn a_path_is_one_under_the_base_url_and_members_go_into_the_body() {
    let api = ScriptedApi::new()
        .json("POST /v1/session", json!({"sid": "abc"}))
        .json("/v1/items", json!([{"id": 1}]));
    let rig = Rig::new(api);
    let config = longshore_engine::Config::loader()
        .connection_text(
            "connection.yaml",
            &format!(
                "baseUrl: {}/v1/\nauthType: custom\ncustomAuthRequest: {{endpoint: /session, body: {{}}}}\n\
                 customAuthRequestTemplate: {{body: {{auth: {{session: '{{{{.sid}}}}', kind: 1}}}}}}",
                crate::rig::API
            ),
        )
        .mapping_text("mapping.yaml", &items("/items", "{method: POST, body: {auth: {user: ada}, page: 1}}"))
        .load()
        .unwrap();
    well(&rig.engine_from(&config)).await;
    assert_eq!(rig.api.paths(), ["/v1/session", "/v1/items"]);
    let asked = &rig.api.requests()[1];
    assert_eq!(
        asked.json(),
        json!({"auth": {"user": "ada", "session": "abc", "kind": 1}, "page": 1})
    );
}

/// For how many seconds the login of this answer and these settings of the request is used.
async fn used_for(answer: Value, settings: &str) -> Option<u64> {
    used_for_in(answer, settings, "headers: {X-Token: '{{.token}}'}").await
}

async fn used_for_in(answer: Value, settings: &str, template: &str) -> Option<u64> {
    let login = answering(answer);
    let rig = rig(login.clone());
    let engine = rig.engine(
        &format!(
            "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login'{settings}}}\n\
             customAuthRequestTemplate: {{{template}}}"
        ),
        &items("/items", "{method: POST}"),
    );
    for second in 0..=3600 {
        if second % 30 == 0 {
            well(&engine).await;
            if login.requests().len() > 1 {
                return Some(second);
            }
        }
        pass(Duration::from_secs(1)).await;
    }
    None
}

#[tokio::test(start_paused = true)]
async fn a_login_is_renewed_before_the_interval_or_its_own_end_whichever_is_first() {
    for (answer, settings, expected) in [
        (json!({"token": "t"}), "", None),
        (
            json!({"token": "t"}),
            ", reauthenticateIntervalSeconds: 300",
            Some(270),
        ),
        (
            json!({"token": "t"}),
            ", reauthenticateIntervalSeconds: 3600",
            Some(3540),
        ),
        (json!({"token": "t", "expires_in": 300}), "", Some(270)),
        (
            json!({"token": "t", "expires_in": 300}),
            ", reauthenticateIntervalSeconds: 3600",
            Some(270),
        ),
        (
            json!({"token": "t", "expires_in": 3600}),
            ", reauthenticateIntervalSeconds: 300",
            Some(270),
        ),
        (
            json!({"token": "t", "ttl": "300"}),
            ", expiryPath: ttl",
            Some(270),
        ),
        (
            json!({"token": "t", "session": {"expiresIn": 300}}),
            "",
            Some(270),
        ),
        // A JWT that says it itself: iat 1,000, exp 1,300.
        (
            json!({"token": "e30.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0.c2ln"}),
            "",
            Some(270),
        ),
    ] {
        assert_eq!(
            used_for(answer.clone(), settings).await,
            expected,
            "{answer}{settings}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_jwt_says_how_long_it_lasts_wherever_it_is_sent() {
    let answer = json!({"token": "e30.eyJpYXQiOjEwMDAsImV4cCI6MTMwMH0.c2ln"});
    for template in [
        "headers: {Authorization: 'Bearer {{.token}}'}",
        "headers: {Cookie: 'lang=en; sid={{.token}}'}",
        "queryParams: {token: '{{.token}}'}",
        "body: {auth: [{jwt: '{{.token}}'}]}",
    ] {
        let used = used_for_in(answer.clone(), "", template).await;
        assert_eq!(used, Some(270), "{template}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejection_logs_in_once_more_and_the_request_is_repeated_once() {
    let login = ScriptedApi::new().answers(
        "/login",
        [
            Answer::json(json!({"token": "old"})),
            Answer::json(json!({"token": "new"})),
        ],
    );
    let api = ScriptedApi::new()
        .header_key("X-Token", "new")
        .json("/items", json!([{"id": 1}]));
    let rig = two_hosts(api, login.clone());
    let connection = format!(
        "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login'}}\n\
         customAuthRequestTemplate: {{headers: {{X-Token: '{{{{.token}}}}'}}}}"
    );
    well(&rig.engine(&connection, &items("/items", "{}"))).await;
    assert_eq!((login.requests().len(), rig.api.requests().len()), (2, 2));
}

#[tokio::test(start_paused = true)]
async fn steps_follow_each_other_and_see_what_was_answered_before() {
    let login = ScriptedApi::new()
        .on("/challenge", |_| {
            Answer::json(json!({"ticket": "t&1", "list": [{"n": 5}]})).header("x-nonce", "n0nce")
        })
        .on("/login", |_| {
            Answer::status(204).header("set-cookie", "sid=c00kie; Path=/; HttpOnly")
        })
        .json("/exchange/7", json!({"jwt": "abc"}));
    let rig = rig(login.clone());
    let engine = rig.engine(
        &format!(
            r#"
authType: custom
customAuthRequest:
  - endpoint: {LOGIN}/challenge
    method: GET
  - endpoint: {LOGIN}/login
    headers: {{X-Nonce: '{{{{.__headers["x-nonce"]}}}}'}}
    bodyForm: ticket={{{{.ticket}}}}&user=ada
  - endpoint: {LOGIN}/exchange/7
    headers: {{Cookie: 'sid={{{{.__cookies.sid}}}}'}}
    queryParams: {{n: '{{{{.__steps[0].list[0].n}}}}'}}
    body: {{deep: [{{ticket: '{{{{.__steps[0].ticket}}}}'}}]}}
customAuthRequestTemplate:
  headers: {{Authorization: 'JWT {{{{.jwt}}}}'}}
"#
        ),
        &items("/items", "{}"),
    );
    well(&engine).await;
    let asked = login.requests();
    assert_eq!(login.paths(), ["/challenge", "/login", "/exchange/7?n=5"]);
    assert_eq!(
        (asked[0].method.as_str(), asked[0].body.as_deref()),
        ("GET", None)
    );
    assert_eq!(asked[1].header("x-nonce"), Some("n0nce"));
    assert_eq!(
        asked[1].body.as_deref(),
        Some(&b"ticket=t%261&user=ada"[..])
    );
    assert_eq!(asked[2].header("cookie"), Some("sid=c00kie"));
    assert_eq!(asked[2].json(), json!({"deep": [{"ticket": "t&1"}]}));
    assert_eq!(
        rig.api.requests()[0].header("authorization"),
        Some("JWT abc")
    );
}

#[tokio::test(start_paused = true)]
async fn the_url_of_a_later_step_may_hold_what_was_answered_before() {
    for (endpoint, id, asked) in [
        (
            "/sessions/{{.id}}/token",
            json!("a/b c"),
            "/sessions/a%2Fb%20c/token",
        ),
        (
            "https://login.example.net/sessions/{{.id}}/token?of={{.id}}",
            json!(7),
            "/sessions/7/token?of=7",
        ),
    ] {
        let answer = id.clone();
        let begin = move |_: &_| Answer::json(json!({"id": answer}));
        let api = ScriptedApi::new()
            .on("POST /begin", begin)
            .json("/items", json!([{"id": 1}]))
            .on("POST /sessions/{id}/token", |_| {
                Answer::json(json!({"t": "abc"}))
            });
        let login = api.clone();
        let rig = two_hosts(api, login);
        let connection = format!(
            "authType: custom\ncustomAuthRequest:\n  - endpoint: /begin\n  - endpoint: '{endpoint}'\ncustomAuthRequestTemplate: {{headers: {{X-T: '{{{{.t}}}}'}}}}"
        );
        well(&rig.engine(&connection, &items("/items", "{}"))).await;
        assert_eq!(rig.api.paths(), ["/begin", asked, "/items"]);
    }
    // What would be another path is not asked for.
    for id in ["..", ".", "%2e%2e", "a\nb", ""] {
        let api = ScriptedApi::new().json("/begin", json!({"id": id}));
        let rig = Rig::new(api);
        let connection = "authType: custom\ncustomAuthRequest: [{endpoint: /begin}, {endpoint: '/s/{{.id}}/token'}]\ncustomAuthRequestTemplate: {headers: {X-T: '{{.t}}'}}";
        let engine = rig.engine(connection, &items("/items", "{}"));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let said = chains(&read).join(" ");
        assert!(said.contains("`.id`"), "{id:?}: {said}");
        assert_eq!(rig.api.paths(), ["/begin"], "{id:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_one_step_was_answered_is_in_no_message_about_the_next() {
    for answer in [
        Answer::status(500),
        Answer::json(json!({"other": 1})),
        Answer::json(json!({"error": "no"})),
    ] {
        let api = ScriptedApi::new()
            .json("/begin", json!({"ticket": "t1cket-0123456789"}))
            .on("POST /sessions/{id}/token", move |_| answer.clone());
        let rig = Rig::new(api);
        let connection = "authType: custom\ncustomAuthRequest: [{endpoint: /begin}, {endpoint: '/sessions/{{.ticket}}/token'}]\n\
                          customAuthRequestTemplate: {headers: {X-T: '{{.t}}'}}";
        let engine = rig.engine(connection, &items("/items", "{}"));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let said = format!("{} {:?}", chains(&read).join(" "), read.errors);
        assert!(said.contains("/sessions/"), "{said}");
        assert!(!said.contains("t1cket"), "{said}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_path_may_hold_a_url_in_its_query() {
    for endpoint in [
        "/login?to=https://app.example.com",
        "/login?to=https://{{.id}}",
    ] {
        let api = ScriptedApi::new()
            .json("/begin", json!({"id": "app.example.com"}))
            .json("/login", json!({"t": "abc"}))
            .json("/items", json!([{"id": 1}]));
        let rig = Rig::new(api);
        let connection = format!(
            "authType: custom\ncustomAuthRequest: [{{endpoint: /begin}}, {{endpoint: '{endpoint}'}}]\ncustomAuthRequestTemplate: {{headers: {{X-T: '{{{{.t}}}}'}}}}"
        );
        well(&rig.engine(&connection, &items("/items", "{}"))).await;
        assert_eq!(rig.api.paths()[1], "/login?to=https://app.example.com");
    }
}

#[tokio::test(start_paused = true)]
async fn an_expiry_path_that_finds_nothing_leaves_the_login_to_its_rejection() {
    let nothing = json!({"token": "t", "ttl": null});
    assert_eq!(used_for(nothing.clone(), ", expiryPath: ttl").await, None);
    assert_eq!(used_for(nothing, ", expiryPath: absent.ttl").await, None);
    for (path, said) in [
        ("token", "neither a number of seconds nor a moment"),
        (".token[0]", "fails on the answer"),
    ] {
        let rig = rig(answering(json!({"token": "t"})));
        let connection = format!(
            "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login', expiryPath: '{path}'}}\n\
             customAuthRequestTemplate: {{headers: {{X: '{{{{.token}}}}'}}}}"
        );
        let engine = rig.engine(&connection, &items("/items", "{}"));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let heard = chains(&read).join(" ");
        assert!(heard.contains(said), "{path}: {heard}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_empty_answer_is_said_to_be_empty() {
    let login = ScriptedApi::new().on("/login", |_| Answer::status(200));
    let rig = rig(login);
    let connection = format!(
        "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login'}}\n\
         customAuthRequestTemplate: {{headers: {{X: '{{{{.token}}}}'}}}}"
    );
    let engine = rig.engine(&connection, &items("/items", "{}"));
    let read = Read::of(&engine, &engine.resources()[0]).await;
    let said = chains(&read).join(" ");
    assert!(
        said.contains("`.token` finds nothing in the answer of POST https://login.example.net/login; the answer is empty"),
        "{said}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_path_that_finds_nothing_is_named_with_the_keys_that_are_there() {
    let login = answering(json!({"token": "s3cret", "data": {"jwt": "s3cret"}}));
    let rig = rig(login.clone());
    let connection = format!(
        "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login?key=s3cret'}}\n\
         customAuthRequestTemplate: {{headers: {{X: '{{{{.access_token}}}}'}}}}"
    );
    let engine = rig.engine(&connection, &items("/items", "{}"));
    let read = Read::of(&engine, &engine.resources()[0]).await;
    let said = chains(&read).join(" ");
    assert!(
        said.contains("`.access_token` finds nothing in the answer of POST https://login.example.net/login; there is data, data.jwt, token"),
        "{said}"
    );
    assert!(!said.contains("s3cret"), "{said}");
    assert_eq!((rig.api.requests().len(), login.requests().len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn what_the_login_gives_cannot_split_a_header() {
    let login = answering(json!({"token": "a\r\nX-Evil: 1"}));
    let rig = rig(login);
    let connection = format!(
        "authType: custom\ncustomAuthRequest: {{endpoint: '{LOGIN}/login'}}\n\
         customAuthRequestTemplate: {{headers: {{X: '{{{{.token}}}}'}}}}"
    );
    let engine = rig.engine(&connection, &items("/items", "{}"));
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!(rig.api.requests().len(), 0);
    let said = chains(&read).join(" ");
    assert!(
        said.contains("cannot be sent") && !said.contains("Evil"),
        "{said}"
    );
}

#[test]
fn settings_are_checked_when_they_are_loaded() {
    let ok = "customAuthRequest: {endpoint: /login}\n";
    for (settings, said) in [
        (
            "customAuthRequestTemplate: {headers: {A: b}}".to_owned(),
            "custom needs `customAuthRequest`, which is not set",
        ),
        (
            ok.to_owned(),
            "custom needs `customAuthRequestTemplate`, which is not set",
        ),
        (
            "customAuthRequest: {endpoint: '/s/{{.id}}'}".to_owned(),
            "customAuthRequest.endpoint: holds {{…}}, and before the first request there is no answer",
        ),
        (
            "customAuthRequest: [{endpoint: /a}, {endpoint: '/s/{{id}}'}]".to_owned(),
            "customAuthRequest[1].endpoint: holds {{…}} with a path that does not begin with a dot",
        ),
        (
            "customAuthRequest: [{endpoint: /a}, {endpoint: 'https://{{.host}}/x'}]".to_owned(),
            "customAuthRequest[1].endpoint: takes its host from an answer",
        ),
        (
            format!("{ok}customAuthRequestTemplate:\n  headers: {{}}\n  body: {{}}"),
            "needs at least one of headers, queryParams and body",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{}}"),
            "needs at least one of headers, queryParams and body",
        ),
        (
            format!(
                "{ok}customAuthRequestTemplate: {{headers: {{A: 'Bearer {{{{access_token}}}}'}}}}"
            ),
            "customAuthRequestTemplate.headers.A: holds {{…}} with a path that does not begin with a dot; a path of the answer is written {{.access_token}}",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{body: {{a: [{{b: '{{{{.x'}}]}}}}"),
            "customAuthRequestTemplate.body.a[0].b: holds `{{` without `}}` after it",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{queryParams: {{q: 'x}}}}'}}}}"),
            "queryParams.q: holds `}}` without `{{` before it",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{headers: {{A: '{{{{.a-b-}}}}'}}}}"),
            "headers.A: holds {{…}} with a path that is no jq",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{body: [1]}}"),
            "customAuthRequestTemplate.body: must be an object",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{header: {{A: b}}}}"),
            "did you mean `headers`?",
        ),
        (
            format!("{ok}customAuthRequestTemplate: {{headers: {{Host: b}}}}"),
            "customAuthRequestTemplate.headers.Host",
        ),
        (
            "customAuthRequest: {method: POST}".to_owned(),
            "customAuthRequest.endpoint: is not set; write a path under baseUrl or a whole URL",
        ),
        (
            "customAuthRequest: {endpoint: ''}".to_owned(),
            "customAuthRequest.endpoint",
        ),
        (
            "customAuthRequest: {endpoint: 'ftp://x'}".to_owned(),
            "customAuthRequest.endpoint",
        ),
        (
            "customAuthRequest: {endpoint: /l, method: FETCH}".to_owned(),
            "customAuthRequest.method",
        ),
        (
            "customAuthRequest: {endpoint: /l, body: {}, bodyForm: a=b}".to_owned(),
            "customAuthRequest.bodyForm: cannot stand beside body; keep one",
        ),
        (
            "customAuthRequest: {endpoint: /l, reauthenticateIntervalSeconds: 0}".to_owned(),
            "customAuthRequest.reauthenticateIntervalSeconds",
        ),
        (
            "customAuthRequest: {endpoint: /l, reauthenticateIntervalSecond: 5}".to_owned(),
            "did you mean `reauthenticateIntervalSeconds`?",
        ),
        (
            "customAuthRequest: {endpoint: /l, headers: {'A B': x}}".to_owned(),
            "customAuthRequest.headers",
        ),
        (
            "customAuthRequest: []".to_owned(),
            "customAuthRequest: is empty",
        ),
        (
            "customAuthRequest: [{endpoint: /a, expiryPath: x}, {endpoint: /b}]".to_owned(),
            "[0].expiryPath: belongs to the last request",
        ),
        (
            "customAuthRequest: [{endpoint: /a}, {endpoint: /b, body: {x: '{{y}}'}}]".to_owned(),
            "customAuthRequest[1].body.x: holds {{…}}",
        ),
        (
            "customAuthRequest: '{\"endpoint\": '".to_owned(),
            "customAuthRequest",
        ),
    ] {
        let refused = config(
            &format!("authType: custom\n{settings}"),
            &items("/items", "{}"),
        )
        .unwrap_err()
        .to_string();
        assert!(refused.contains(said), "{settings}:\n{refused}");
    }
}
