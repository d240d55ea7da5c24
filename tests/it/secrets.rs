//! Secrets stay secret: canaries in every place that holds one must not occur in anything we say (R34).

use std::error::Error as StdError;
use std::fmt::Debug;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use longshore_engine::auth::BearerToken;
use longshore_engine::config::Config;
use longshore_engine::transport::{Client, ErrorKind as Broken, HttpTransport};
use longshore_engine::{Engine, EngineBuilder, PortSink, PortSinkOptions};
use longshore_testkit::{Answer, Network, Pages, PortCall, PortDouble, ScriptedApi, numbered};
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::rig::PORT;

/// One for each place; with characters that percent-encoding and base64 change.
const QUERY_OF_BASE_URL: &str = "cnry-base/url+query=";
const API_KEY: &str = "cnry-api/key+header=";
const CUSTOM_HEADER: &str = "cnry-custom/header+x=";
const QUERY: &str = "cnry-query/param+x=";
const HEADER: &str = "cnry-selector/header+x=";
const BODY: &str = "cnry-request/body+x=";
const PARENT_QUERY: &str = "cnry-parent/query+x=";
const PARENT_HEADER: &str = "cnry-parent/header+x=";
const PARENT_BODY: &str = "cnry-parent/body+x=";
const PASSWORD: &str = "cnry-basic/password+x=";
const TOKEN: &str = "cnry-bearer/token+x=";
const USERINFO: &str = "cnry-userinfo";
const PORT_SECRET: &str = "cnry-port/secret+x=";
const PORT_TOKEN: &str = "cnry-port/token+answer=";
const ANSWER: &str = "cnry-answer/body+x=";
const KEY_IN_QUERY: &str = "cnry-key/in+query=";
const KEY_IN_COOKIE: &str = "cnry-key/in+cookie=";
const KEY_IN_BODY: &str = "cnry-key/in+body=";
const CLIENT_SECRET: &str = "cnry-client/secret+x=";
const TOKEN_QUERY: &str = "cnry-token/query+x=";
const TOKEN_PARAMETER: &str = "cnry-token/parameter+x=";
const TOKEN_HEADER: &str = "cnry-token/header+x=";
const USER_PASSWORD: &str = "cnry-owner/password+x=";
const REFRESH_TOKEN: &str = "cnry-refresh/token+x=";
const NEXT_REFRESH_TOKEN: &str = "cnry-refresh/token+next=";
const ACCESS_TOKEN: &str = "cnry-access/token+answer=";
const LOGIN_PASSWORD: &str = "cnry-login/password+x=";
const LOGIN_FORM: &str = "cnry-login-form-x";
const SESSION: &str = "cnry-session/answer+x=";
const SESSION_COOKIE: &str = "cnry-session/cookie+x=";
const AWS_SECRET: &str = "cnry-aws/secret+x=";
const AWS_SESSION: &str = "cnry-aws/session+x=";

const ALL: [&str; 32] = [
    QUERY_OF_BASE_URL,
    API_KEY,
    CUSTOM_HEADER,
    QUERY,
    HEADER,
    BODY,
    PARENT_QUERY,
    PARENT_HEADER,
    PARENT_BODY,
    PASSWORD,
    TOKEN,
    USERINFO,
    PORT_SECRET,
    PORT_TOKEN,
    ANSWER,
    KEY_IN_QUERY,
    KEY_IN_COOKIE,
    KEY_IN_BODY,
    CLIENT_SECRET,
    TOKEN_QUERY,
    TOKEN_PARAMETER,
    TOKEN_HEADER,
    USER_PASSWORD,
    REFRESH_TOKEN,
    NEXT_REFRESH_TOKEN,
    ACCESS_TOKEN,
    LOGIN_PASSWORD,
    LOGIN_FORM,
    SESSION,
    SESSION_COOKIE,
    AWS_SECRET,
    AWS_SESSION,
];

const LOGIN: &str = "https://login.example.net";

/// The ways in which a canary may be written.
fn spellings(canary: &str) -> Vec<String> {
    let mut spellings = vec![
        canary.to_owned(),
        url::form_urlencoded::byte_serialize(canary.as_bytes()).collect(),
        canary.replace('/', "%2F"),
        canary.replace('/', "%2f"),
        canary.replace('+', "%2B"),
    ];
    // In base64 it depends on what stands before: three ways, without the ends that neighbours change.
    for before in 0..3 {
        let text = format!("{}{canary}", "x".repeat(before));
        let encoded = BASE64_STANDARD.encode(text);
        spellings.push(encoded[4..encoded.len() - 4].to_owned());
    }
    spellings
}

/// Everything that was said.
#[derive(Clone, Debug, Default)]
struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn note(&self, text: &str) {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(text.as_bytes());
        said.push(b'\n');
    }

    fn debug(&self, value: &impl Debug) {
        self.note(&format!("{value:?}\n{value:#?}"));
    }

    fn error(&self, error: &(dyn StdError + 'static)) {
        self.debug(&error);
        let mut next = Some(error);
        while let Some(error) = next {
            self.note(&error.to_string());
            next = error.source();
        }
    }

    fn text(&self) -> String {
        let said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&said).into_owned()
    }

    fn assert_silent(&self, about: &str) {
        let text = self.text();
        for canary in ALL {
            for spelling in spellings(canary) {
                if let Some(at) = text.find(&spelling) {
                    let from = text.floor_char_boundary(at.saturating_sub(200));
                    let to = text.ceil_char_boundary(text.len().min(at + 200));
                    panic!("{about}: {canary} was said: …{}…", &text[from..to]);
                }
            }
        }
    }

    /// Records every log line of this thread from now on.
    fn logs(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
            .with_writer(self.clone())
            .finish();
        tracing::subscriber::set_default(subscriber)
    }
}

impl io::Write for Said {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        said.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Said {
    type Writer = Said;

    fn make_writer(&self) -> Said {
        self.clone()
    }
}

/// A configuration with a secret wherever one may stand.
fn configuration(base_url: &str, auth: &str) -> Config {
    let query: String =
        url::form_urlencoded::byte_serialize(QUERY_OF_BASE_URL.as_bytes()).collect();
    Config::loader()
        .connection_text(
            "connection.yaml",
            &format!(
                r#"
baseUrl: '{base_url}?key={query}'
customHeaders: {{X-Custom: '{CUSTOM_HEADER}'}}
paginationType: page
pageSize: 10
{auth}
"#
            ),
        )
        .mapping_text(
            "mapping.yaml",
            &format!(
                r#"
resources:
  - kind: /items
    selector:
      method: POST
      data_path: .items
      query_params: {{token: '{QUERY}'}}
      headers: {{X-Selector: '{HEADER}'}}
      body: {{password: '{BODY}'}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"item"', properties: {{n: '.secret | tonumber'}}}}}}}}
  - kind: /items/{{id}}/parts
    selector:
      data_path: .items
      path_parameters:
        id:
          endpoint: /items
          method: POST
          data_path: .items
          query_params: {{token: '{PARENT_QUERY}'}}
          headers: {{X-Parent: '{PARENT_HEADER}'}}
          body: {{password: '{PARENT_BODY}'}}
          field: .id
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"part"'}}}}}}
"#
            ),
        )
        .load()
        .unwrap()
}

fn api_key() -> String {
    format!("authType: api_key\napiKey: '{API_KEY}'")
}

fn basic() -> String {
    format!("authType: basic\nusername: me\npassword: '{PASSWORD}'")
}

fn bearer() -> String {
    format!("authType: bearer_token\napiToken: '{TOKEN}'")
}

/// Everything that an `authType` may be made of, with what of it goes out.
fn logins(login: &str) -> Vec<(String, Vec<&'static str>)> {
    let query: String = url::form_urlencoded::byte_serialize(TOKEN_QUERY.as_bytes()).collect();
    let oauth2 = format!("authType: oauth2\ntokenUrl: {login}/token?key={query}\nclientId: me\n");
    vec![
        (api_key(), vec![API_KEY]),
        (basic(), vec![]),
        (bearer(), vec![TOKEN]),
        (
            format!(
                "authType: api_key\napiKeys:\n- {{name: k, key: '{KEY_IN_COOKIE}', in: cookie}}\n- {{name: k.l, key: '{KEY_IN_BODY}', in: body}}\n- {{name: k, key: '{KEY_IN_QUERY}', in: query, prefix: 'p '}}"
            ),
            vec![KEY_IN_COOKIE, KEY_IN_BODY, KEY_IN_QUERY],
        ),
        (
            format!(
                "{oauth2}clientSecret: '{CLIENT_SECRET}'\nclientAuth: post\ntokenParams: {{x: '{TOKEN_PARAMETER}'}}\ntokenHeaders: {{x: '{TOKEN_HEADER}'}}"
            ),
            vec![
                CLIENT_SECRET,
                TOKEN_PARAMETER,
                TOKEN_HEADER,
                TOKEN_QUERY,
                ACCESS_TOKEN,
            ],
        ),
        (
            format!("{oauth2}clientSecret: '{CLIENT_SECRET}'"),
            vec![ACCESS_TOKEN],
        ),
        (
            format!("{oauth2}clientSecret: '{CLIENT_SECRET}'\nclientAuth: client_secret_jwt"),
            vec![ACCESS_TOKEN],
        ),
        (
            format!("{oauth2}grantType: refresh_token\nrefreshToken: '{REFRESH_TOKEN}'"),
            vec![REFRESH_TOKEN, ACCESS_TOKEN],
        ),
        (
            format!(
                "{oauth2}grantType: password\nusername: ada\npassword: '{USER_PASSWORD}'\ntokenHeader: X-Token"
            ),
            vec![USER_PASSWORD, ACCESS_TOKEN],
        ),
        (
            format!(
                "authType: custom\ncustomAuthRequest:\n- {{endpoint: '{login}/login', queryParams: {{q: '{TOKEN_QUERY}'}}, headers: {{x: '{TOKEN_HEADER}'}}, body: {{deep: ['{LOGIN_PASSWORD}']}}}}\n- {{endpoint: '{login}/login', bodyForm: 'a={LOGIN_FORM}&b={{{{.session}}}}', headers: {{Cookie: 'sid={{{{.__cookies.sid}}}}'}}}}\n\
                 customAuthRequestTemplate: {{headers: {{Authorization: 'S {{{{.session}}}}'}}, queryParams: {{s: '{{{{.session}}}}'}}, body: {{s: '{{{{.session}}}}'}}}}"
            ),
            vec![
                TOKEN_QUERY,
                TOKEN_HEADER,
                LOGIN_PASSWORD,
                LOGIN_FORM,
                SESSION,
                SESSION_COOKIE,
            ],
        ),
        (
            format!(
                "authType: aws_sigv4\naccessKeyId: id\nsecretAccessKey: '{AWS_SECRET}'\nsessionToken: '{AWS_SESSION}'\nregion: r\nservice: s"
            ),
            vec![AWS_SESSION],
        ),
        (
            format!(
                "authType: rotate\ncredentials: {{a: {{authType: bearer_token, apiToken: '{TOKEN}'}}}}\nrotate: [a, {{authType: api_key, apiKey: '{API_KEY}'}}]"
            ),
            vec![TOKEN],
        ),
    ]
}

/// Where tokens come from.
fn login() -> ScriptedApi {
    ScriptedApi::new()
        .json(
            "/token",
            json!({"access_token": ACCESS_TOKEN, "refresh_token": NEXT_REFRESH_TOKEN, "expires_in": 3600}),
        )
        .on("/login", |_| {
            Answer::json(json!({"session": SESSION})).header("set-cookie", &format!("sid={SESSION_COOKIE}; Path=/"))
        })
}

/// Reads and syncs everything, and notes whatever there is to be seen of it.
async fn say_everything(said: &Said, config: &Config, network: &Network) {
    let noted = said.clone();
    let engine = EngineBuilder::from_config(config)
        .unwrap()
        .transport(network.transport())
        .seed(7)
        .observer(move |event: &longshore_engine::Event<'_>| noted.debug(event))
        .build()
        .unwrap();
    say_engine(said, config, &engine).await;
    let port = longshore_engine::port_client::PortClient::builder(
        Client::builder(network.transport()).seed(7).build(),
    )
    .base_url(PORT.parse().unwrap())
    .credentials("id", PORT_SECRET.to_owned())
    .integration("custom", "test")
    .build()
    .unwrap();
    let sink = PortSink::new(port).options(PortSinkOptions::default());
    let report = engine.sync(&sink).await;
    said.debug(&sink);
    said.debug(&report);
    said.note(&report.to_string());
    said.note(&serde_json::to_string(&report).unwrap());
}

async fn say_engine(said: &Said, config: &Config, engine: &Engine) {
    said.debug(config);
    said.debug(engine);
    for resource in engine.resources() {
        let mut entities = engine.entities(resource);
        while let Some(item) = entities.next().await {
            if let Err(error) = item {
                said.error(&error);
            }
        }
        said.debug(&entities);
        said.debug(&entities.outcome());
        for cause in entities.outcome().causes {
            said.note(&cause.to_string());
        }
    }
}

fn api() -> ScriptedApi {
    ScriptedApi::new()
        .pages("/items", Pages::page(numbered(25)).under("items"))
        .pages("/items/{id}/parts", Pages::page(numbered(3)).under("items"))
}

fn network(api: &ScriptedApi, port: PortDouble) -> Network {
    Network::new()
        .at("https://api.example.com", api.clone())
        .at(LOGIN, login())
        .at(PORT, port)
}

/// Answers that make us say something, with a secret in them wherever one fits.
fn faults() -> Vec<(&'static str, Answer)> {
    let echo = || Answer::json(json!({"error": ALL}));
    let status = |status: u16| Answer {
        status: status.try_into().unwrap(),
        ..echo()
    };
    let query: String = url::form_urlencoded::byte_serialize(ANSWER.as_bytes()).collect();
    vec![
        ("bad request", status(400)),
        ("unauthorized", status(401)),
        ("forbidden", status(403)),
        ("not found", status(404)),
        ("throttled", status(429).header("retry-after", "3600")),
        ("failing", status(500)),
        ("no items", echo()),
        ("html", Answer::text(format!("<html>{ANSWER}</html>"))),
        (
            "cut",
            Answer::status(200).with_body(format!("{{\"items\": [{{\"id\": \"{ANSWER}")),
        ),
        (
            "records that fail",
            Answer::json(json!({"items": [
                {"id": 1, "secret": ANSWER},
                {"id": null, "secret": ANSWER},
                {"id": [ANSWER], "secret": ANSWER},
                {"id": {"secret": ANSWER}},
            ]})),
        ),
        ("connect", Answer::breaks(Broken::Connect)),
        ("timeout", Answer::breaks(Broken::Timeout)),
        (
            "redirect to a stranger",
            Answer::status(302).header(
                "location",
                &format!("https://elsewhere.example.org/x?key={query}"),
            ),
        ),
        (
            "redirect in a circle",
            Answer::status(302).header(
                "location",
                &format!("https://api.example.com/items?key={query}"),
            ),
        ),
        ("set-cookie", status(500).header("set-cookie", ANSWER)),
    ]
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_said_while_all_goes_well() {
    for (auth, sent_of_it) in logins(LOGIN) {
        let said = Said::default();
        let logs = said.logs();
        let api = api();
        let network = network(&api, PortDouble::new());
        let config = configuration("https://api.example.com", &auth);
        say_everything(&said, &config, &network).await;
        drop(logs);
        assert!(said.text().contains("/items/{id}/parts"), "logs are kept");
        assert!(said.text().contains("25 records"), "{}", said.text());
        said.assert_silent("all well");

        // The canaries were there: every one of this configuration went out.
        let sent = format!(
            "{:?}",
            network
                .requests()
                .iter()
                .map(|seen| {
                    let headers: Vec<&[u8]> = seen
                        .headers
                        .values()
                        .map(|value| value.as_bytes())
                        .collect();
                    format!(
                        "{} {} {}",
                        seen.url.query().unwrap_or_default(),
                        String::from_utf8_lossy(&headers.concat()),
                        String::from_utf8_lossy(seen.body.as_deref().unwrap_or_default())
                    )
                })
                .collect::<Vec<_>>()
        );
        for canary in [
            CUSTOM_HEADER,
            HEADER,
            BODY,
            PARENT_HEADER,
            PARENT_BODY,
            PORT_SECRET,
        ] {
            assert!(sent.contains(canary), "{canary} is not in what was sent");
        }
        for canary in [QUERY_OF_BASE_URL, QUERY, PARENT_QUERY] {
            let encoded: String = url::form_urlencoded::byte_serialize(canary.as_bytes()).collect();
            assert!(sent.contains(&encoded), "{canary} is not in what was sent");
        }
        for canary in sent_of_it {
            let any = spellings(canary)
                .iter()
                .any(|spelling| sent.contains(spelling));
            assert!(any, "{canary} is not in what was sent with {auth}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_said_when_a_login_fails_and_echoes_them() {
    for (what, fault) in faults().into_iter().chain([
        (
            "an error code",
            Answer::status(400)
                .with_json(json!({"error": "invalid_grant", "error_description": ALL})),
        ),
        (
            "a code that is an echo",
            Answer::status(401).with_json(json!({"error": ANSWER})),
        ),
        (
            "a token of another type",
            Answer::json(json!({"access_token": ANSWER, "token_type": "mac", "session": [ANSWER]})),
        ),
        (
            "a token that cannot be sent",
            Answer::json(
                json!({"access_token": format!("{ANSWER}\n"), "session": format!("{ANSWER}\n")}),
            ),
        ),
        (
            "names that are data",
            Answer::json(json!({ANSWER: {ANSWER: ANSWER}})),
        ),
        ("a list", Answer::json(json!([ANSWER]))),
        ("a text", Answer::text(ANSWER)),
    ]) {
        for (auth, _) in logins(LOGIN) {
            if !auth.contains(LOGIN) {
                continue;
            }
            let said = Said::default();
            let logs = said.logs();
            let api = api();
            let login =
                login()
                    .faults("/token", 1.., fault.clone())
                    .faults("/login", 1.., fault.clone());
            let network = network(&api, PortDouble::new()).at(LOGIN, login);
            let config = configuration("https://api.example.com", &auth);
            say_everything(&said, &config, &network).await;
            drop(logs);
            let about = format!("{what} with {auth}");
            said.assert_silent(&about);
            assert!(
                said.text().contains("incomplete"),
                "{about}: the fault was noticed"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_said_when_the_api_fails_and_echoes_them() {
    for (what, fault) in faults() {
        for path in ["/items", "/items/2/parts"] {
            let said = Said::default();
            let logs = said.logs();
            let api = api().faults(path, 1.., fault.clone());
            let network = network(&api, PortDouble::new());
            let config = configuration("https://api.example.com", &api_key());
            say_everything(&said, &config, &network).await;
            drop(logs);
            let about = format!("{what} at {path}");
            said.assert_silent(&about);
            let text = said.text();
            assert!(
                text.contains("incomplete") || text.contains("gave nothing"),
                "{about}: the fault was noticed: {text}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_said_when_a_link_leads_to_a_stranger_with_secrets_in_it() {
    let query: String = url::form_urlencoded::byte_serialize(ANSWER.as_bytes()).collect();
    for link in [
        format!("https://elsewhere.example.org/items?key={query}"),
        format!("https://user:{USERINFO}@api.example.com/items?page=2"),
        format!("https://api.example.com:8443/items?key={query}"),
        format!("ftp://x/{query}"),
    ] {
        let said = Said::default();
        let logs = said.logs();
        let api = api().json("/items", json!({"items": numbered(2), "next": link}));
        let network = network(&api, PortDouble::new());
        let auth = format!("{}\nnextLinkPath: next", bearer());
        let config = Config::loader()
            .connection_text(
                "connection.yaml",
                &format!("baseUrl: https://api.example.com\npaginationType: next_link\n{auth}"),
            )
            .mapping_text(
                "mapping.yaml",
                &crate::rig::items("/items", "{data_path: .items}"),
            )
            .load()
            .unwrap();
        say_everything(&said, &config, &network).await;
        drop(logs);
        assert!(said.text().contains("incomplete"), "{link}");
        said.assert_silent(&link);
        assert_eq!(network.strangers().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn no_secret_is_said_when_port_fails_and_echoes_them() {
    let token_answer = || {
        Answer::json(json!({"accessToken": PORT_TOKEN, "expiresIn": 3600, "tokenType": "Bearer"}))
    };
    let echo = |status: u16| Answer::status(status).with_json(json!({"ok": false, "stack": ALL}));
    let ports = [
        (
            "a token that is not known",
            PortDouble::new().faults(PortCall::Token, 1.., token_answer()),
        ),
        (
            "a token answer that is cut",
            PortDouble::new().faults(
                PortCall::Token,
                1..,
                Answer::status(200).with_body(format!("{{\"accessToken\": \"{PORT_TOKEN}")),
            ),
        ),
        (
            "a token answer of another shape",
            PortDouble::new().faults(
                PortCall::Token,
                1..,
                Answer::json(json!({"token": PORT_TOKEN, "expiresIn": PORT_TOKEN})),
            ),
        ),
        (
            "a refused secret",
            PortDouble::new().faults(PortCall::Token, 1.., echo(401)),
        ),
        (
            "no integration",
            PortDouble::new().faults(PortCall::Integration, 1.., echo(500)),
        ),
        (
            "upserts",
            PortDouble::new().faults(PortCall::UpsertMany, 1.., echo(500)),
        ),
        (
            "refused upserts",
            PortDouble::new().faults(PortCall::UpsertMany, 1.., echo(422)),
        ),
        (
            "owned",
            PortDouble::new().faults(PortCall::Owned, 1.., echo(403)),
        ),
        (
            "deletes",
            PortDouble::new().stale_entity("item", "gone").faults(
                PortCall::DeleteMany,
                1..,
                echo(500),
            ),
        ),
    ];
    for (what, port) in ports {
        let said = Said::default();
        let logs = said.logs();
        let api = api();
        let network = network(&api, port);
        let config = configuration("https://api.example.com", &api_key());
        say_everything(&said, &config, &network).await;
        drop(logs);
        said.assert_silent(what);
    }
}

/// Over a real connection, so that the HTTP client and its libraries log as well.
#[tokio::test]
async fn no_secret_is_said_by_the_http_client_either() {
    let logging_in = login().serve().await;
    for (auth, _) in logins(logging_in.url.as_str().trim_end_matches('/')) {
        let said = Said::default();
        let logs = said.logs();
        let api = api().faults("/items/2/parts", 1.., Answer::status(400));
        let server = api.serve().await;
        let base_url = server.url.as_str().trim_end_matches('/').to_owned();
        let config = configuration(&base_url, &auth);
        let engine = EngineBuilder::from_config(&config)
            .unwrap()
            .http(HttpTransport::builder().timeout(Duration::from_secs(5)))
            .build()
            .unwrap();
        say_engine(&said, &config, &engine).await;
        drop(logs);
        let text = said.text();
        assert!(text.contains("hyper"), "its logs are kept: {text}");
        said.assert_silent("over HTTP");
    }
}

#[test]
fn no_secret_is_said_when_settings_are_refused() {
    let said = Said::default();
    for connection in [
        format!("baseUrl: 'https://user:{USERINFO}@api.example.com/'"),
        format!("baseUrl: 'ftp://api.example.com/?key={QUERY_OF_BASE_URL}'"),
        format!("baseUrl: 'https://api.example.com:port/?key={QUERY_OF_BASE_URL}'"),
        format!("baseUrl: https://a.example\nauthType: bearer_token\napiToken: \"{TOKEN}\\n\""),
        format!("baseUrl: https://a.example\nauthType: api_key\napiKey: \"{API_KEY}\\r\\nX: y\""),
        format!("baseUrl: https://a.example\nauthType: bearer\napiToken: '{TOKEN}'"),
        format!("baseUrl: https://a.example\napiTokens: '{TOKEN}'"),
        format!(
            "baseUrl: https://a.example\nauthType: api_key\napiKeyIn: cookie\napiKeyName: k\napiKey: '{KEY_IN_COOKIE} x'"
        ),
        format!("baseUrl: https://a.example\nauthType: api_key\napiKeys: ['{KEY_IN_BODY}']"),
        format!(
            "baseUrl: https://a.example\nauthType: oauth2\ntokenUrl: 'ftp://x/?{TOKEN_QUERY}'\nclientId: ''\nclientSecret: '{CLIENT_SECRET}'\nclientAuth: '{CLIENT_SECRET}'"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: oauth2\ntokenUrl: /t\nclientId: a\nprivateKey: '{CLIENT_SECRET}'"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: oauth2\ntokenUrl: /t\nclientId: a\nprivateKey: '-----BEGIN PRIVATE KEY-----\\n{CLIENT_SECRET}\\n-----END PRIVATE KEY-----'"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: oauth2\ntokenUrl: /t\nclientId: a\nprivateKey: '{{\"kty\": \"RSA\", \"d\": \"{CLIENT_SECRET}\"}}'"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: oauth2\ntokenUrl: /t\nclientId: a\nclientSecret: \"{CLIENT_SECRET}\\n\"\ntokenHeaders: {{x: \"{TOKEN_HEADER}\\n\"}}"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: custom\ncustomAuthRequest: {{endpoint: /l, body: {{p: '{LOGIN_PASSWORD}'}}, bodyForm: '{LOGIN_FORM}', headers: {{x: \"{TOKEN_HEADER}\\n\"}}}}\ncustomAuthRequestTemplate: {{headers: {{a: '{{{{{SESSION}}}}}'}}}}"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: custom\ncustomAuthRequest: '{{\"body\": \"{LOGIN_PASSWORD}\"'\ncustomAuthRequestTemplate: {{headers: {{a: '{{{{.x | {SESSION}}}}}'}}}}"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: aws_sigv4\naccessKeyId: a\nsecretAccessKey: '{AWS_SECRET} x'\nregion: r\nservice: s"
        ),
        format!(
            "baseUrl: https://a.example\nauthType: rotate\nrotate: ['{TOKEN}', {{authType: bearer_token, apiToken: '{TOKEN} x'}}]"
        ),
        format!("baseUrl: https://a.example\napiToken: {{secret: '{TOKEN}'}}"),
        format!("baseUrl: https://a.example\ncustomHeaders: '{{\"X\": \"{CUSTOM_HEADER}\"'"),
        format!("baseUrl: https://a.example\ncustomHeaders: {{'X Y': '{CUSTOM_HEADER}'}}"),
        format!("baseUrl: https://a.example\npassword: '{PASSWORD}\n  indented: wrongly"),
        format!(
            "baseUrl: https://a.example\nauthType: basic\nusername: me\npassword: '{PASSWORD}'\npassword: 'another'"
        ),
        format!(
            "baseUrl: https://a.example\ntimeout: '{TOKEN}'\npageSize: '{TOKEN}'\nverifySsl: '{TOKEN}'"
        ),
    ] {
        let refused = Config::loader()
            .connection_text("connection.yaml", &connection)
            .mapping_text("mapping.yaml", &crate::rig::items("/items", "{}"))
            .load();
        match refused {
            Ok(config) => said.debug(&config),
            Err(error) => {
                said.error(&error);
                said.debug(&error.problems);
            }
        }
        said.assert_silent(&connection);
    }
    for bad in [TOKEN, "cnry-bearer/token+x=\n"] {
        match BearerToken::new(bad.to_owned()) {
            Ok(token) => said.debug(&token),
            Err(error) => said.error(&error),
        }
    }
    said.assert_silent("a token");
}
