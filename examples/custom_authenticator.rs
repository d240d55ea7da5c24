//! Requests signed in a way that no setting knows: `cargo run --example custom_authenticator`

use std::error::Error;
use std::hash::{DefaultHasher, Hash, Hasher};

use async_trait::async_trait;
use futures::TryStreamExt;
use http::HeaderValue;
use longshore_engine::auth::{self, Authenticator};
use longshore_engine::transport::{Generation, Renewal, Request};
use longshore_engine::{Engine, Resource};
use longshore_testkit::{Answer, ScriptedApi, serve};
use serde_json::json;

/// Signs method, path and query with a shared key. (A real one would use an HMAC.)
#[derive(Debug)]
struct Signed {
    key: u64,
}

#[async_trait]
impl Authenticator for Signed {
    async fn authenticate(&self, request: &mut Request) -> Result<Generation, auth::Error> {
        let mut signature = HeaderValue::from(sign(self.key, request));
        signature.set_sensitive(true);
        request.headers.insert("x-signature", signature);
        Ok(Generation(0))
    }

    async fn renew(&self, _rejected: Generation) -> Result<Renewal, auth::Error> {
        Ok(Renewal::Unchanged) // the key is what it is: a 401 is final
    }
}

fn sign(key: u64, request: &Request) -> u64 {
    let mut hasher = DefaultHasher::new();
    (
        key,
        request.method.as_str(),
        request.url.path(),
        request.url.query(),
    )
        .hash(&mut hasher);
    hasher.finish()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let api = ScriptedApi::new().on("/devices", |call| {
        match call.request.headers.get("x-signature") {
            Some(signature) if *signature == sign(42, &call.request).to_string() => {
                Answer::json(vec![json!({ "id": "d1" })])
            }
            _ => Answer::status(401),
        }
    });
    let server = serve(api).await;
    let engine = Engine::builder()
        .base_url(server.url.as_str())
        .authenticator(Signed { key: 42 })
        .build()?;
    let devices = Resource::builder("/devices")
        .identifier(".id")
        .blueprint("device")
        .build()?;
    let entities: Vec<_> = engine.entities(&devices).try_collect().await?;
    println!("{} device read with signed requests", entities.len());
    Ok(())
}
