//! When a token is asked for anew: whatever way its answer says how long it lasts.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use longshore_testkit::Answer;
use serde_json::{Value, json};

use super::{Issuer, LOGIN, pass, well};

/// 2023-11-14T22:13:20Z, the time that the endpoint's answers are made at.
const NOW: u64 = 1_700_000_000;
const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

/// For how many seconds a connection uses the token of such an answer; `None`: until it is rejected.
async fn used_for(answer: Value, settings: &str) -> Option<u64> {
    let issuer = Issuer::answering(move |token| {
        let mut answer = answer.clone();
        if answer.get("access_token").is_none() {
            answer["access_token"] = token.into();
        }
        Answer::json(answer).header("date", DATE)
    });
    let connection = format!(
        "authType: oauth2\ntokenUrl: {LOGIN}/token\nclientId: a\nclientSecret: b\n{settings}"
    );
    let engine = issuer.engine(&connection);
    // Tokens of the answer's own are not the issuer's.
    let read = async || {
        issuer.valid.lock().unwrap().extend(tokens_of_answers());
        well(&engine).await;
    };
    read().await;
    assert_eq!(issuer.logins(), 1);
    for second in 1..=3600 {
        pass(Duration::from_secs(1)).await;
        if second % 30 != 0 {
            continue;
        }
        read().await;
        if issuer.logins() > 1 {
            return Some(second);
        }
    }
    None
}

fn jwt(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.c2ln", part(&json!({"alg": "none"})), part(claims))
}

fn tokens_of_answers() -> Vec<String> {
    vec![
        jwt(&json!({"exp": NOW + 300})),
        jwt(&json!({"iat": NOW, "exp": NOW + 300})),
        jwt(&json!({"sub": "x"})),
    ]
}

/// A lifetime of 300 s is used for 270 s: a tenth before its end. One of 3600 s for 3540: a minute before.
#[tokio::test(start_paused = true)]
async fn the_answer_says_how_long_in_any_of_the_usual_ways() {
    for (answer, settings) in [
        (json!({"expires_in": 300}), ""),
        (json!({"expires_in": "300"}), ""),
        (json!({"expires_in": 300.0}), ""),
        (json!({"expiresIn": 300}), ""),
        (json!({"expires_at": NOW + 300}), ""),
        (json!({"expires_at": (NOW + 300).to_string()}), ""),
        (json!({"expires_at": (NOW + 300) * 1000}), ""),
        (json!({"expires_at": "2023-11-14T22:18:20Z"}), ""),
        (json!({"expires_at": "2023-11-15T00:18:20+02:00"}), ""),
        (json!({"expiresAt": "2023-11-14T22:18:20.000Z"}), ""),
        (json!({"expires_on": (NOW + 300).to_string()}), ""),
        (json!({"expires_in": null, "expires_at": NOW + 300}), ""),
        (json!({"access_token": jwt(&json!({"exp": NOW + 300}))}), ""),
        (
            json!({"access_token": jwt(&json!({"iat": NOW, "exp": NOW + 300}))}),
            "",
        ),
        (
            json!({"access_token": jwt(&json!({"iat": NOW, "exp": NOW + 300})), "expires_in": 0}),
            "",
        ),
        (json!({"meta": {"ttl": 300}}), "expiryPath: meta.ttl"),
        (
            json!({"meta": [{"until": "2023-11-14T22:18:20Z"}]}),
            "expiryPath: .meta[0].until",
        ),
        (json!({"ttl_minutes": 5}), "expiryPath: .ttl_minutes * 60"),
        (json!({"expires": NOW + 300}), ""),
        (json!({"expiration": "2023-11-14T22:18:20Z"}), ""),
        (json!({"validUntil": "Tue, 14 Nov 2023 22:18:20 GMT"}), ""),
        (json!({"data": {"expires_in": 300}}), ""),
        // What is configured counts, not what is known.
        (json!({"ttl": 300, "expires_in": 3600}), "expiryPath: ttl"),
    ] {
        assert_eq!(
            used_for(answer.clone(), settings).await,
            Some(270),
            "{answer} {settings}"
        );
    }
    assert_eq!(used_for(json!({"expires_in": 3600}), "").await, Some(3540));
    for answer in [
        json!({}),
        json!({"expires_in": 0}),
        json!({"expires_in": -1}),
        json!({"expires_in": "never"}),
        // Of what? Nobody knows.
        json!({"expires": 300}),
        json!({"expires_at": NOW - 1}),
        json!({"access_token": jwt(&json!({"sub": "x"}))}),
    ] {
        assert_eq!(
            used_for(answer.clone(), "").await,
            None,
            "{answer}: renewed after a rejection only"
        );
    }
}
