//! Requests signed with an HMAC, in a way that no setting knows: `cargo run --example custom_authenticator`
//!
//! What is signed is what goes out: method, path and query, a header, the time, and the body with the page number in it.

use std::error::Error;
use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::TryStreamExt;
use http::{HeaderValue, Method};
use longshore_engine::auth::{self, Authenticator, ErrorKind};
use longshore_engine::paginate::{PageNumber, ParamIn};
use longshore_engine::transport::{Generation, Renewal, Request};
use longshore_engine::{Engine, Resource};
use longshore_testkit::{Answer, Call, ScriptedApi, serve};
use serde_json::json;

/// Signs with a key that both sides know.
struct Signed {
    key_id: String,
    key: hmac::Key,
}

#[async_trait]
impl Authenticator for Signed {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, auth::Error> {
        // Called for every attempt, so a repeat after a wait has a time of its own.
        let time = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            .to_string();
        let signature = hmac::sign(&self.key, signed_text(request, &time).as_bytes());
        let signature = BASE64_STANDARD.encode(signature);
        for (name, value) in [
            ("x-key-id", self.key_id.as_str()),
            ("x-time", &time),
            ("x-signature", &signature),
        ] {
            let mut value = HeaderValue::from_str(value).map_err(|_| {
                auth::Error::new(ErrorKind::Config, "the key id is no header value")
            })?;
            value.set_sensitive(true);
            request.headers.insert(name, value);
        }
        Ok(Generation(0))
    }

    async fn renew(&self, _rejected: Generation) -> Result<Renewal, auth::Error> {
        Ok(Renewal::Unchanged) // the key is what it is: a 401 is final
    }
}

// Without the key.
impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signed").finish_non_exhaustive()
    }
}

fn signed_text(request: &Request, time: &str) -> String {
    let tenant = request.headers.get("x-tenant");
    let body = digest::digest(&digest::SHA256, request.body.as_deref().unwrap_or_default());
    format!(
        "{}\n{}\n{}\n{}\n{time}\n{}",
        request.method,
        request.url.path(),
        request.url.query().unwrap_or_default(),
        tenant
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default(),
        BASE64_STANDARD.encode(body),
    )
}

/// An API that lets in what is signed, and gives its devices in two pages.
fn api(key: hmac::Key) -> ScriptedApi {
    let rightly_signed = move |call: &Call| {
        let header = |name| call.request.headers.get(name)?.to_str().ok();
        let signature = BASE64_STANDARD.decode(header("x-signature")?).ok()?;
        let text = signed_text(&call.request, header("x-time")?);
        hmac::verify(&key, text.as_bytes(), &signature).ok()
    };
    ScriptedApi::new().on("/devices", move |call| match rightly_signed(call) {
        Some(()) => match call.json()["page"].as_u64() {
            Some(2) => Answer::json(json!({"devices": [{"id": "d3"}], "total": 3})),
            _ => Answer::json(json!({"devices": [{"id": "d1"}, {"id": "d2"}], "total": 3})),
        },
        None => Answer::status(401),
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, b"a key that both sides know");
    let server = serve(api(key.clone())).await;
    let engine = Engine::builder()
        .base_url(server.url.as_str())
        .authenticator(Signed {
            key_id: "k1".to_owned(),
            key,
        })
        .pagination(PageNumber::new().page_size(2).param_in(ParamIn::Body))
        .build()?;
    let devices = Resource::builder("/devices")
        .method(Method::POST)
        .header("X-Tenant", "acme")
        .body(json!({"active": true}))
        .data_path(".devices")
        .identifier(".id")
        .blueprint("device")
        .build()?;
    let entities: Vec<_> = engine.entities(&devices).try_collect().await?;
    println!("{} devices read with signed requests", entities.len());
    Ok(())
}
