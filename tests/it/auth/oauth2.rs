//! `authType: oauth2`: what token endpoints are asked, and what becomes of their answers.

use std::sync::Mutex;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use longshore_engine::auth::{Error, ExposeSecret as _, SecretString, TokenStore, async_trait};
use longshore_engine::config::AuthSettings;
use longshore_engine::transport::{Error as TransportError, Request, Response, Transport};
use longshore_engine::{Cancel, EngineBuilder, NdjsonSink, SyncOptions};
use longshore_testkit::{Answer, Seen};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use super::{Issuer, LOGIN, chains, form, header_names, pairs, pass, well};
use crate::rig::{Read, Rig, config, items};

/// The only token request of a connection with these settings.
async fn token_request(settings: &str) -> Seen {
    let issuer = Issuer::new(json!({"expires_in": 3600}));
    let engine = issuer.engine(&format!(
        "authType: oauth2\ntokenUrl: {LOGIN}/token\n{settings}"
    ));
    well(&engine).await;
    assert_eq!(issuer.logins(), 1);
    issuer.login.requests()[0].clone()
}

#[tokio::test(start_paused = true)]
async fn client_credentials_are_sent_as_the_client_authenticates() {
    for (settings, authorization, body) in [
        // RFC 6749 §4.4.2 with the credentials of §2.3.1.
        (
            "clientId: s6BhdRkqt3\nclientSecret: 7Fjfp0ZBr1KtDRbnfVdmIw",
            Some("Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"),
            pairs([("grant_type", "client_credentials")]),
        ),
        // Both parts are encoded as in a form before they are joined: `a%3Ab:c%2Fd+e`.
        (
            "clientId: 'a:b'\nclientSecret: c/d e\nclientAuth: client_secret_basic",
            Some("Basic YSUzQWI6YyUyRmQrZQ=="),
            pairs([("grant_type", "client_credentials")]),
        ),
        (
            "clientId: 'a:b'\nclientSecret: c/d e\nclientAuth: post",
            None,
            pairs([
                ("grant_type", "client_credentials"),
                ("client_id", "a:b"),
                ("client_secret", "c/d e"),
            ]),
        ),
        (
            "clientId: a\nclientSecret: b\nclientAuth: client_secret_post\nscopes: [read, 'write:all']\naudience: https://api\nresource: urn:x",
            None,
            pairs([
                ("grant_type", "client_credentials"),
                ("client_id", "a"),
                ("client_secret", "b"),
                ("scope", "read write:all"),
                ("audience", "https://api"),
                ("resource", "urn:x"),
            ]),
        ),
        // One text, as specifications write it; a parameter of the user's own replaces ours.
        (
            "clientId: a\nclientAuth: none\nscope: read write:all\ntokenParams: {grant_type: account_credentials, account_id: 7}",
            None,
            pairs([
                ("grant_type", "account_credentials"),
                ("account_id", "7"),
                ("client_id", "a"),
                ("scope", "read write:all"),
            ]),
        ),
        // Everything as text, as an environment or Helm has it.
        (
            "clientId: a\nclientAuth: none\nscopes: '[\"read\", \"write\"]'\ntokenParams: '{\"x\": \"1\"}'",
            None,
            pairs([
                ("grant_type", "client_credentials"),
                ("client_id", "a"),
                ("scope", "read write"),
                ("x", "1"),
            ]),
        ),
    ] {
        let seen = token_request(settings).await;
        assert_eq!(seen.method, "POST", "{settings}");
        assert_eq!(seen.header("authorization"), authorization, "{settings}");
        assert_eq!(form(&seen), body, "{settings}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_gets_what_its_request_says_and_nothing_else() {
    let issuer = Issuer::new(json!({"expires_in": 3600}));
    let settings = "customHeaders: {X-Tenant: s3cret}\nauthType: oauth2\nclientId: a\nclientSecret: b\ntokenHeaders: {X-For-Login: '1'}";
    let engine = issuer.engine(&format!("{settings}\ntokenUrl: {LOGIN}/token?realm=x"));
    well(&engine).await;
    let login = &issuer.login.requests()[0];
    assert_eq!(
        header_names(login),
        ["accept", "authorization", "content-type", "x-for-login"]
    );
    assert_eq!(login.path_and_query(), "/token?realm=x");
    let asked = &issuer.rig.api.requests()[0];
    assert_eq!(asked.header("x-tenant"), Some("s3cret"));
    assert_eq!(asked.header("authorization"), Some("Bearer token-1"));
    assert_eq!(asked.header("x-for-login"), None);
    assert!(asked.headers["authorization"].is_sensitive());
}

#[tokio::test(start_paused = true)]
async fn a_token_endpoint_may_be_a_path_under_the_base_url() {
    let issuer = Issuer::new(json!({}));
    let rig = Rig::new(issuer.rig.api.clone().answer(
        "POST /oauth/token",
        Answer::json(json!({"access_token": "token-x"})),
    ));
    issuer.valid.lock().unwrap().insert("token-x".to_owned());
    let engine = rig.engine(
        "authType: oauth2\ntokenUrl: /oauth/token\nclientId: a\nclientSecret: b",
        &items("/items", "{}"),
    );
    well(&engine).await;
    assert_eq!(rig.api.paths(), ["/oauth/token", "/items"]);
}

#[tokio::test(start_paused = true)]
async fn passwords_and_refresh_tokens_are_grants_of_their_own() {
    let seen =
        token_request("grantType: password\nusername: ada\npassword: pw&1\nclientId: a").await;
    let expected = pairs([
        ("grant_type", "password"),
        ("username", "ada"),
        ("password", "pw&1"),
        ("client_id", "a"),
    ]);
    assert_eq!(
        (form(&seen), seen.header("authorization")),
        (expected, None)
    );

    // Blanks may be part of a password.
    let seen = token_request("grantType: password\nusername: ada\npassword: ' p w '").await;
    assert_eq!(form(&seen)["password"], " p w ");

    let seen = token_request(
        "grantType: refresh_token\nrefreshToken: r1\nclientId: a\nclientSecret: b\nscopes: x",
    )
    .await;
    let expected = pairs([
        ("grant_type", "refresh_token"),
        ("refresh_token", "r1"),
        ("scope", "x"),
    ]);
    assert_eq!(
        (form(&seen), seen.header("authorization")),
        (expected, Some("Basic YTpi"))
    );
}

#[tokio::test(start_paused = true)]
async fn tokens_may_stand_and_be_sent_in_other_places() {
    for (answer, settings, sent) in [
        (
            json!({"data": {"jwt": "abc"}}),
            "tokenPath: data.jwt",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"data": [{"jwt": "abc"}]}),
            "tokenPath: .data[0].jwt",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"access_token": "abc"}),
            "tokenPrefix: OAuth",
            ("authorization", "OAuth abc"),
        ),
        (
            json!({"access_token": "abc"}),
            "tokenPrefix: Zoho-oauthtoken ",
            ("authorization", "Zoho-oauthtoken abc"),
        ),
        (
            json!({"access_token": "abc"}),
            "tokenHeader: X-Access-Token",
            ("x-access-token", "abc"),
        ),
        (
            json!({"access_token": "abc"}),
            "tokenHeader: X-Token\ntokenPrefix: 'jwt '",
            ("x-token", "jwt abc"),
        ),
        // The type is written in every way, and some leave it out or name another.
        (
            json!({"access_token": "abc", "token_type": "bearer"}),
            "",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"access_token": "abc", "token_type": "BEARER"}),
            "",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"access_token": "abc", "token_type": "BearerToken"}),
            "",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"access_token": "abc", "token_type": null}),
            "",
            ("authorization", "Bearer abc"),
        ),
        (
            json!({"access_token": 12345}),
            "",
            ("authorization", "Bearer 12345"),
        ),
        (
            json!({"access_token": "abc", "error": "", "error_description": null}),
            "",
            ("authorization", "Bearer abc"),
        ),
    ] {
        let answered = answer.clone();
        let issuer = Issuer::answering(move |_| Answer::json(answered.clone()));
        let rig = &issuer.rig;
        let engine = rig.engine(
            &format!("authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b\n{settings}"),
            &items("/other", "{}"),
        );
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let asked = rig.api.requests();
        assert_eq!(asked.len(), 1, "{answer} {settings}: {:?}", chains(&read));
        assert_eq!(asked[0].header(sent.0), Some(sent.1), "{answer} {settings}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_cannot_be_sent_as_a_bearer_token_is_refused() {
    for kind in ["DPoP", "mac", "pop"] {
        let issuer = Issuer::answering(move |token| {
            Answer::json(json!({"access_token": token, "token_type": kind}))
        });
        let engine = issuer.engine(&format!(
            "authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b"
        ));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        let said = chains(&read).join(" ");
        assert!(
            said.contains(&format!("token_type {kind}")) && !said.contains("token-1"),
            "{said}"
        );
        assert_eq!(issuer.rig.api.requests().len(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_renewed_once_and_the_request_repeated_once() {
    let issuer = Issuer::new(json!({}));
    let engine = issuer.engine(&format!(
        "authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b"
    ));
    well(&engine).await;
    well(&engine).await;
    assert_eq!(
        issuer.logins(),
        1,
        "a token is used until it is rejected or about to expire"
    );
    issuer.revoke();
    well(&engine).await;
    assert_eq!((issuer.logins(), issuer.rig.api.requests().len()), (2, 4));

    // An API that takes none of the tokens: one renewal, one repeat, an error.
    let issuer = Issuer::answering(|_| Answer::json(json!({"access_token": "never-valid"})));
    let engine = issuer.engine(&format!(
        "authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b"
    ));
    let read = Read::of(&engine, &engine.resources()[0]).await;
    assert_eq!(read.end(), "RequestFailed");
    assert_eq!((issuer.logins(), issuer.rig.api.requests().len()), (2, 2));
    assert!(chains(&read)[0].contains("401"), "{:?}", chains(&read));
}

/// What the README says for servers that want something beside the usual.
#[tokio::test(start_paused = true)]
async fn the_rows_of_the_readme_for_assertions_give_what_their_servers_want() {
    let key = one_line(&pem(&PKCS_RSA_SHA256));
    let signed = format!("grantType: jwt_bearer\nclientId: app\nprivateKey: \"{key}\"\n");
    // Box: at most 60 s, whose account it is, and the secret beside it.
    let seen = token_request(&format!(
        "{signed}privateKeyId: k1\nassertionSubject: '12345'\nassertionAudience: https://api.box.com/oauth2/token\nassertionLifetimeSeconds: 45\n\
         assertionClaims: {{box_sub_type: enterprise}}\nclientSecret: s3cret\nclientAuth: post"
    ))
    .await;
    let sent = form(&seen);
    let names: Vec<&str> = sent.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["assertion", "client_id", "client_secret", "grant_type"]
    );
    assert_eq!(
        (sent["client_id"].as_str(), sent["client_secret"].as_str()),
        ("app", "s3cret")
    );
    let (header, claims) = jwt(&sent["assertion"]);
    assert_eq!(
        (&header["alg"], &header["kid"]),
        (&json!("RS256"), &json!("k1"))
    );
    assert_eq!(claims["box_sub_type"], "enterprise");
    assert_eq!(claims["aud"], "https://api.box.com/oauth2/token");
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("app"), &json!("12345"))
    );
    let lasts = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
    assert_eq!(lasts, 45);
    // DocuSign: the scopes inside.
    let seen = token_request(&format!(
        "{signed}assertionSubject: user-id\nassertionAudience: account.docusign.com\nassertionClaims: {{scope: signature impersonation}}"
    ))
    .await;
    let (_, claims) = jwt(&form(&seen)["assertion"]);
    assert_eq!(claims["scope"], "signature impersonation");
    assert_eq!(claims["aud"], "account.docusign.com");
    // Zoom: a grant of its own.
    let seen = token_request(
        "clientId: a\nclientSecret: b\ntokenParams: {grant_type: account_credentials, account_id: '7'}",
    )
    .await;
    assert_eq!(seen.header("authorization"), Some("Basic YTpi"));
    assert_eq!(
        form(&seen),
        pairs([("grant_type", "account_credentials"), ("account_id", "7")])
    );
}

/// A server that takes each refresh token once and gives the next.
fn rotating() -> Issuer {
    let last = Mutex::new("r1".to_owned());
    let issuer = Issuer::new(json!({}));
    let valid = std::sync::Arc::clone(&issuer.valid);
    let _ = issuer.login.clone().on("/token", move |call| {
        let body = call.request.body.clone().unwrap();
        let given = url::form_urlencoded::parse(&body)
            .find(|(name, _)| name == "refresh_token")
            .unwrap()
            .1
            .into_owned();
        let mut last = last.lock().unwrap();
        if *last != given {
            return Answer::status(400).with_json(json!({"error": "invalid_grant"}));
        }
        let number: u32 = given[1..].parse().unwrap();
        *last = format!("r{}", number + 1);
        let token = format!("token-{number}");
        valid.lock().unwrap().insert(token.clone());
        Answer::json(json!({"access_token": token, "refresh_token": *last, "expires_in": 600}))
    });
    issuer
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_the_server_replaces_is_replaced_here_too() {
    let issuer = rotating();
    let engine = issuer.engine(&format!(
        "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a"
    ));
    for login in 1..=3 {
        well(&engine).await;
        assert_eq!(issuer.logins(), login);
        // Due at 540 s.
        pass(Duration::from_secs(530)).await;
        well(&engine).await;
        assert_eq!(issuer.logins(), login);
        pass(Duration::from_secs(30)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_file_the_next_run_goes_on_where_this_one_ended() {
    let directory = tempfile::tempdir().unwrap();
    let connection = directory.path().join("connection.yaml");
    let written = |token: &str| {
        let text = format!(
            "baseUrl: {}\nauthType: oauth2\ngrantType: refresh_token\nrefreshToken: {token}\ntokenUrl: {LOGIN}/token\nclientId: a\ntokenFile: tokens.json\n",
            crate::rig::API
        );
        std::fs::write(&connection, text).unwrap();
        longshore_engine::Config::loader()
            .connection_file(&connection)
            .mapping_text("mapping.yaml", &items("/items", "{}"))
            .load()
            .unwrap()
    };
    let issuer = rotating();
    for login in 1..=3 {
        // A new process each time, with the same configuration.
        well(&issuer.rig.engine_from(&written("r1"))).await;
        assert_eq!(issuer.logins(), login);
    }
    let kept = std::fs::read_to_string(directory.path().join("tokens.json")).unwrap();
    assert!(
        kept.contains("r4"),
        "the file beside the configuration has the newest"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(directory.path().join("tokens.json"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    // Somebody logs in anew and configures what that gave: it counts, not what the file has.
    let fresh = Issuer::new(json!({}));
    well(&fresh.rig.engine_from(&written("another"))).await;
    assert_eq!(form(&fresh.login.requests()[0])["refresh_token"], "another");
}

/// A store as somebody writes it who keeps secrets elsewhere.
#[derive(Clone, Default)]
struct Vault(std::sync::Arc<Mutex<Vec<(String, SecretString)>>>);

#[async_trait]
impl TokenStore for Vault {
    async fn load(&self, key: &str) -> Result<Option<SecretString>, Error> {
        let saved = self.0.lock().unwrap();
        let newest = saved.iter().rev().find(|(known, _)| known == key);
        Ok(newest.map(|(_, value)| value.clone()))
    }

    async fn save(&self, key: &str, value: &SecretString) -> Result<(), Error> {
        self.0.lock().unwrap().push((key.to_owned(), value.clone()));
        Ok(())
    }
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault")
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_of_ones_own_takes_the_place_of_the_file() {
    let issuer = rotating();
    let vault = Vault::default();
    let connection = format!(
        "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a"
    );
    for _ in 0..3 {
        let mut config = config(&connection, &items("/items", "{}")).unwrap();
        if let AuthSettings::OAuth2(login) = &mut config.connection.auth {
            **login = login
                .clone()
                .token_store(std::sync::Arc::new(vault.clone()));
        }
        well(&issuer.rig.engine_from(&config)).await;
    }
    let saved = vault.0.lock().unwrap();
    let tokens: Vec<&str> = saved
        .iter()
        .map(|(_, token)| token.expose_secret())
        .collect();
    assert_eq!(tokens, ["r2", "r3", "r4"]);
    let keys: std::collections::BTreeSet<&str> =
        saved.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys.len(), 1);
    assert!(
        keys.iter()
            .all(|key| key.starts_with("https://login.example.net/token a ")),
        "{keys:?}"
    );
}

/// Two people have logged in to one client, as for `rotate`.
#[tokio::test(start_paused = true)]
async fn logins_of_one_client_keep_their_tokens_apart_in_one_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.json");
    // Takes the newest token of each person, once.
    let newest = Mutex::new(std::collections::BTreeMap::from([("ada", 1), ("bob", 1)]));
    let issuer = Issuer::new(json!({}));
    let valid = std::sync::Arc::clone(&issuer.valid);
    let _ = issuer.login.clone().on("/token", move |call| {
        let body = call.request.body.clone().unwrap();
        let mut pairs = url::form_urlencoded::parse(&body);
        let (_, given) = pairs.find(|(name, _)| name == "refresh_token").unwrap();
        let (person, number) = given.split_once('-').unwrap();
        let mut newest = newest.lock().unwrap();
        let known = newest.get_mut(person).unwrap();
        if number.parse() != Ok(*known) {
            return Answer::status(400).with_json(json!({"error": "invalid_grant"}));
        }
        *known += 1;
        let token = format!("of-{person}-{number}");
        valid.lock().unwrap().insert(token.clone());
        Answer::json(json!({"access_token": token, "refresh_token": format!("{person}-{known}")}))
    });
    let person = |name: &str| {
        let file = file.display();
        format!(
            "authType: oauth2\ngrantType: refresh_token\nrefreshToken: {name}-1\ntokenUrl: {LOGIN}/token\nclientId: app\ntokenFile: {file}"
        )
    };
    for run in 1..=3 {
        for name in ["ada", "bob"] {
            well(&issuer.engine(&person(name))).await;
            let sent = form(issuer.login.requests().last().unwrap());
            assert_eq!(sent["refresh_token"], format!("{name}-{run}"));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_could_not_be_kept_is_kept_before_it_is_used_up() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.json");
    let issuer = rotating();
    let connection = format!(
        "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a\ntokenFile: {}",
        file.display()
    );
    let engine = issuer.engine(&connection);
    // Where the file should be there is a directory.
    std::fs::create_dir(&file).unwrap();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    let said = chains(&read).join(" ");
    assert!(said.contains("tokens.json"), "{said}");
    std::fs::remove_dir(&file).unwrap();
    well(&engine).await;
    let kept = std::fs::read_to_string(&file).unwrap();
    let newest = format!("r{}", issuer.logins() + 1);
    assert!(
        kept.contains(&newest) && !said.contains(&newest),
        "{newest} in {kept}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_refresh_token_that_came_is_kept_whatever_else_is_in_the_answer() {
    // Right to the server, and of no use here: a typing mistake in tokenPath, a token of another type, one that no header can hold, a lifetime that is none.
    for (settings, members) in [
        ("tokenPath: acces_token", json!({"access_token": "a"})),
        ("", json!({"access_token": "a", "token_type": "DPoP"})),
        ("", json!({"access_token": "a\nb"})),
        (
            "expiryPath: ends",
            json!({"access_token": "a", "ends": "soon"}),
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("tokens.json");
        let issuer = Issuer::answering(move |_| {
            let mut answer = json!({"refresh_token": "r2"});
            super::merge(&mut answer, &members);
            Answer::json(answer)
        });
        let engine = issuer.engine(&format!(
            "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a\ntokenFile: {}\n{settings}",
            file.display()
        ));
        let read = Read::of(&engine, &engine.resources()[0]).await;
        assert_eq!(read.end(), "RequestFailed", "{settings}");
        let kept = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            kept.contains("\"r2\""),
            "{settings}: {kept:?} {:?}",
            chains(&read)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_used_up_where_the_next_token_could_not_be_saved() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.json");
    let connection = |file: &std::path::Path| {
        format!(
            "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a\ntokenFile: {}",
            file.display()
        )
    };
    // Where it is so from the beginning, the configuration is refused.
    for unwritable in [
        directory.path(),
        "/proc/tokens.json".as_ref(),
        "/dev/null".as_ref(),
    ] {
        let refused = config(&connection(unwritable), &items("/items", "{}"));
        let said = refused.map(|_| ()).unwrap_err().to_string();
        assert!(said.contains("tokenFile: the token file"), "{said}");
    }
    // Where it becomes so, nothing is sent.
    let issuer = rotating();
    let engine = issuer.engine(&connection(&file));
    let lock = directory.path().join("tokens.json.lock");
    std::fs::create_dir(&lock).unwrap();
    let read = Read::of(&engine, &engine.resources()[0]).await;
    let said = chains(&read).join(" ");
    assert!(said.contains("tokens.json cannot be locked"), "{said}");
    assert_eq!(issuer.logins(), 0);
    std::fs::remove_dir(&lock).unwrap();
    well(&engine).await;
}

/// A network on which answers of the login take a second to come back.
#[derive(Debug)]
struct SlowLogin(std::sync::Arc<dyn Transport>);

#[async_trait]
impl Transport for SlowLogin {
    async fn send(&self, request: Request) -> Result<Response, TransportError> {
        let is_login = request.url.path() == "/token";
        let answer = self.0.send(request).await;
        if is_login {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_is_under_way_ends_well_when_nobody_waits_for_it_any_more() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("tokens.json");
    let issuer = rotating();
    let connection = format!(
        "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a\ntokenFile: {}",
        file.display()
    );
    let kept = || std::fs::read_to_string(&file).unwrap_or_default();
    for how in ["dropped", "cancelled"] {
        let config = config(&connection, &items("/items", "{}")).unwrap();
        let engine = EngineBuilder::from_config(&config)
            .unwrap()
            .transport(std::sync::Arc::new(SlowLogin(
                issuer.rig.network.transport(),
            )))
            .build()
            .unwrap();
        let before = issuer.logins();
        let asked = async {
            while issuer.logins() == before {
                tokio::task::yield_now().await;
            }
        };
        match how {
            "dropped" => {
                let read = Read::of(&engine, &engine.resources()[0]);
                tokio::select! {
                    biased;
                    () = asked => {}
                    _ = read => panic!("the token request was to be seen first"),
                }
                engine.settled().await;
            }
            _ => {
                let cancel = Cancel::new();
                let options = SyncOptions::new().cancel(cancel.clone());
                let sink = NdjsonSink::file(directory.path().join("entities"));
                let sync = engine.sync_with(&options, &sink);
                let word = async {
                    asked.await;
                    cancel.cancel();
                };
                futures::join!(sync, word);
            }
        }
        assert_eq!(issuer.logins(), before + 1, "{how}");
        assert!(
            kept().contains(&format!("\"r{}\"", before + 2)),
            "{how}: {}",
            kept()
        );
        // Whoever comes next gets what that gave: no second request.
        well(&engine).await;
        assert_eq!(issuer.logins(), before + 1, "{how}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_new_refresh_token_may_stand_anywhere() {
    for (settings, answer) in [
        ("", json!({"access_token": "t", "refresh_token": "r2"})),
        ("", json!({"access_token": "t", "refreshToken": "r2"})),
        (
            "tokenPath: data.access_token",
            json!({"data": {"access_token": "t", "refresh_token": "r2"}}),
        ),
        (
            "tokenPath: .data[0].access_token",
            json!({"data": [{"access_token": "t", "refresh_token": "r2"}]}),
        ),
        (
            "tokenPath: '.data | .[\"accessToken\"]'",
            json!({"data": {"accessToken": "t", "refreshToken": "r2"}}),
        ),
        (
            "tokenPath: a.t\nrefreshTokenPath: next.token",
            json!({"a": {"t": "t"}, "next": {"token": "r2"}, "refresh_token": "another"}),
        ),
        (
            "refreshTokenPath: .tokens[1]",
            json!({"access_token": "t", "tokens": ["x", "r2"]}),
        ),
    ] {
        let issuer = Issuer::answering(move |_| Answer::json(answer.clone()));
        let engine = issuer.engine(&format!(
            "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a\n{settings}"
        ));
        // The API takes none of these tokens: a second one is asked for.
        Read::of(&engine, &engine.resources()[0]).await;
        let sent: Vec<String> = issuer
            .login
            .requests()
            .iter()
            .map(|seen| form(seen)["refresh_token"].clone())
            .collect();
        assert_eq!(sent, ["r1", "r2"], "{settings}");
    }
    // Null, empty and absent leave the old one valid.
    for members in [
        json!({}),
        json!({"refresh_token": null}),
        json!({"refresh_token": ""}),
    ] {
        let issuer = Issuer::new(members.clone());
        let engine = issuer.engine(&format!(
            "authType: oauth2\ngrantType: refresh_token\nrefreshToken: r1\ntokenUrl: {LOGIN}/token\nclientId: a"
        ));
        well(&engine).await;
        issuer.revoke();
        well(&engine).await;
        let last = issuer.login.requests()[1].clone();
        assert_eq!(form(&last)["refresh_token"], "r1", "{members}");
    }
}

fn jwt(text: &str) -> (Value, Value) {
    let parts: Vec<&str> = text.split('.').collect();
    assert_eq!(parts.len(), 3);
    let json =
        |part: &str| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
    (json(parts[0]), json(parts[1]))
}

/// A private key, made anew for each test.
fn pem(algorithm: &'static rcgen::SignatureAlgorithm) -> String {
    rcgen::KeyPair::generate_for(algorithm)
        .unwrap()
        .serialize_pem()
}

/// As it is written in a variable.
fn one_line(pem: &str) -> String {
    pem.trim().replace("\r", "").replace('\n', "\\n")
}

#[tokio::test(start_paused = true)]
async fn a_client_may_sign_who_it_is() {
    for (key, algorithm) in [
        (&PKCS_ECDSA_P256_SHA256, "ES256"),
        (&PKCS_RSA_SHA256, "RS256"),
        (&PKCS_ED25519, "EdDSA"),
    ] {
        let text = one_line(&pem(key));
        let settings = format!(
            "clientId: me\nclientAuth: private_key_jwt\nprivateKeyId: k1\nprivateKey: '{text}'"
        );
        let seen = token_request(&settings).await;
        let body = form(&seen);
        assert_eq!(
            body["client_assertion_type"],
            "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        );
        assert_eq!(
            (body["grant_type"].as_str(), body["client_id"].as_str()),
            ("client_credentials", "me")
        );
        assert_eq!(seen.header("authorization"), None);
        let (header, claims) = jwt(&body["client_assertion"]);
        assert_eq!(header, json!({"alg": algorithm, "typ": "JWT", "kid": "k1"}));
        let whom = (&claims["iss"], &claims["sub"], &claims["aud"]);
        assert_eq!(
            whom,
            (
                &json!("me"),
                &json!("me"),
                &json!("https://login.example.net/token")
            )
        );
        let lifetime = claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap();
        assert_eq!(lifetime, 300);
        assert!(claims["jti"].as_str().unwrap().len() >= 16);
    }
}

#[tokio::test(start_paused = true)]
async fn assertions_say_what_is_configured_and_are_never_the_same_twice() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("key.pem"), pem(&PKCS_RSA_SHA256)).unwrap();
    let connection = directory.path().join("connection.yaml");
    let text = format!(
        "baseUrl: {}\nauthType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: me\nprivateKey: key.pem\nsigningAlgorithm: PS256\n\
         assertionAudience: https://login.example.net\nassertionSubject: ada\nassertionIssuer: us\nassertionLifetimeSeconds: 60\n\
         assertionClaims: {{tenant: {{id: 7}}, jti: null}}\n",
        crate::rig::API
    );
    std::fs::write(&connection, text).unwrap();
    let config = longshore_engine::Config::loader()
        .connection_file(&connection)
        .mapping_text("mapping.yaml", &items("/items", "{}"))
        .load()
        .unwrap();
    let issuer = Issuer::new(json!({}));
    let engine = issuer.rig.engine_from(&config);
    well(&engine).await;
    issuer.revoke();
    pass(Duration::from_secs(5)).await;
    well(&engine).await;
    let assertions: Vec<String> = issuer
        .login
        .requests()
        .iter()
        .map(|seen| form(seen)["client_assertion"].clone())
        .collect();
    let (header, claims) = jwt(&assertions[0]);
    assert_eq!(header["alg"], "PS256");
    assert_eq!(
        (
            &claims["iss"],
            &claims["sub"],
            &claims["aud"],
            &claims["tenant"],
            claims.get("jti")
        ),
        (
            &json!("us"),
            &json!("ada"),
            &json!("https://login.example.net"),
            &json!({"id": 7}),
            None
        )
    );
    assert_eq!(
        claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(),
        60
    );
    assert_ne!(assertions[0], assertions[1]);
}

#[tokio::test(start_paused = true)]
async fn a_key_may_be_a_json_web_key_in_a_file_or_as_text() {
    // RFC 8037 A.1, with a name.
    let jwk = json!({
        "kty": "OKP", "crv": "Ed25519", "kid": "k9",
        "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("key.json");
    std::fs::write(&file, jwk.to_string()).unwrap();
    let public = json!({"kty": "OKP", "crv": "Ed25519", "x": jwk["x"]});
    for (written, id) in [
        (format!("privateKey: {}", file.display()), "k9"),
        (format!("privateKey: '{jwk}'"), "k9"),
        // An object in the file itself.
        (format!("privateKey: {jwk}"), "k9"),
        (format!("privateKey: '{jwk}'\nprivateKeyId: other"), "other"),
    ] {
        let body = form(&token_request(&format!("clientId: me\n{written}")).await);
        let (header, _) = jwt(&body["client_assertion"]);
        assert_eq!(
            header,
            json!({"alg": "EdDSA", "typ": "JWT", "kid": id}),
            "{written}"
        );
    }
    let refused = config(
        &format!("authType: oauth2\ntokenUrl: /t\nclientId: me\nprivateKey: '{public}'"),
        &items("/items", "{}"),
    );
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("privateKey: is a public key"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_shared_secret_signs_too() {
    let body = form(&token_request("clientId: me\nclientSecret: 0123456789abcdef0123456789abcdef\nclientAuth: client_secret_jwt").await);
    let (header, claims) = jwt(&body["client_assertion"]);
    assert_eq!(
        (&header["alg"], &claims["iss"]),
        (&json!("HS256"), &json!("me"))
    );
    assert!(!body.contains_key("client_secret"));
}

#[tokio::test(start_paused = true)]
async fn an_assertion_may_be_the_grant_itself() {
    let text = one_line(&pem(&PKCS_ECDSA_P256_SHA256));
    let settings = format!(
        "grantType: jwt_bearer\nassertionIssuer: us\nassertionSubject: ada\nprivateKey: '{text}'\nscopes: a b"
    );
    let body = form(&token_request(&settings).await);
    assert_eq!(
        body["grant_type"],
        "urn:ietf:params:oauth:grant-type:jwt-bearer"
    );
    assert_eq!(body["scope"], "a b");
    let (_, claims) = jwt(&body["assertion"]);
    assert_eq!(
        (&claims["iss"], &claims["sub"]),
        (&json!("us"), &json!("ada"))
    );
    assert!(!body.contains_key("client_assertion"));
}

#[tokio::test(start_paused = true)]
async fn the_key_file_of_a_google_service_account_is_enough() {
    let account = json!({
        "type": "service_account",
        "client_email": "sync@project.iam.gserviceaccount.com",
        "private_key_id": "kid-7",
        "private_key": pem(&PKCS_RSA_SHA256),
        "token_uri": format!("{LOGIN}/token"),
    });
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("account.json");
    std::fs::write(&path, account.to_string()).unwrap();
    let issuer = Issuer::new(json!({"expires_in": 3600}));
    let engine = issuer.engine(&format!(
        "authType: oauth2\ngrantType: jwt_bearer\nprivateKey: {}\nscopes: [https://www.googleapis.com/auth/x]\nassertionSubject: ada@example.com",
        path.display()
    ));
    well(&engine).await;
    let (header, claims) = jwt(&form(&issuer.login.requests()[0])["assertion"]);
    assert_eq!(header["kid"], "kid-7");
    assert_eq!(
        (
            &claims["iss"],
            &claims["sub"],
            &claims["aud"],
            &claims["scope"]
        ),
        (
            &json!("sync@project.iam.gserviceaccount.com"),
            &json!("ada@example.com"),
            &json!("https://login.example.net/token"),
            &json!("https://www.googleapis.com/auth/x"),
        )
    );
}

#[test]
fn settings_that_do_not_fit_are_all_named_at_once() {
    let refused = |settings: &str| {
        let refused = config(
            &format!("authType: oauth2\n{settings}"),
            &items("/items", "{}"),
        )
        .unwrap_err();
        refused.to_string()
    };
    let text = one_line(&pem(&PKCS_ECDSA_P256_SHA256));
    for (settings, said) in [
        (
            "",
            &[
                "needs `tokenUrl`",
                "needs `clientId`",
                "needs `clientSecret`",
            ][..],
        ),
        (
            "tokenUrl: /t\ngrantType: authorization_code",
            &["did you mean `refresh_token`?"],
        ),
        (
            "tokenUrl: /t\ngrantType: refresh_token",
            &["needs `refreshToken`"],
        ),
        (
            "tokenUrl: /t\ngrantType: password\nclientId: a",
            &["needs `username`", "needs `password`"],
        ),
        (
            "tokenUrl: /t\ngrantType: jwt_bearer",
            &["needs `privateKey`"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientAuth: private_key_jwt",
            &["needs `privateKey`"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientSecret: b\nclientAuth: header",
            &["did you mean `basic`?"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientSecret: b\ntokenPath: '.a |'",
            &["tokenPath"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientSecret: b\ntokenHeader: Content-Length",
            &["tokenHeader"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientSecret: b\ntokenHeaders: {Host: x}",
            &["tokenHeaders.Host"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nprivateKey: missing.pem",
            &["privateKey: names a file that cannot be read"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nprivateKey: '-----BEGIN PUBLIC KEY-----'",
            &["is a public key"],
        ),
        (
            &format!("tokenUrl: /t\nclientId: a\nprivateKey: '{text}'\nsigningAlgorithm: RS256"),
            &["does not fit RS256; it signs with ES256"],
        ),
        (
            &format!("tokenUrl: /t\nclientId: a\nprivateKey: '{text}'\nsigningAlgorithm: HS256"),
            &["`HS256` is not known"],
        ),
        (
            "tokenUrl: 'ftp://x/t'\nclientId: a\nclientSecret: b",
            &["tokenUrl"],
        ),
        (
            "tokenUrl: /t\nclientId: a\nclientSecret: ''",
            &["clientSecret"],
        ),
    ] {
        let refused = refused(settings);
        for said in said {
            assert!(refused.contains(said), "{settings}:\n{refused}");
        }
    }
}
