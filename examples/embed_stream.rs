//! Entities as a stream inside a service of your own, without configuration files and without Port.
//!
//! `cargo run --example embed_stream`

use std::error::Error;

use futures::TryStreamExt;
use longshore_engine::auth::BearerToken;
use longshore_engine::paginate::PageNumber;
use longshore_engine::{Engine, Resource};
use longshore_testkit::{Pages, ScriptedApi, numbered, serve};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // An API to read: yours would be somewhere else.
    let api = ScriptedApi::new()
        .bearer("secret")
        .pages("/api/v1/users", Pages::page(numbered(250)).under("users"));
    let server = serve(api).await;

    let engine = Engine::builder()
        .base_url(server.url.as_str())
        .authenticator(BearerToken::new("secret".to_owned())?)
        .paginator(PageNumber::new().page_size(100))
        .build()?;
    let users = Resource::builder("/api/v1/users")
        .data_path(".users")
        .identifier(".id")
        .title(".name")
        .blueprint("user")
        .build()?;

    // Pages are read while you work on the entities; an incomplete read ends in an error, never in a short success.
    let mut entities = engine.entities(&users);
    let mut count = 0;
    while let Some(entity) = entities.try_next().await? {
        count += 1;
        if count <= 3 {
            println!(
                "{} {}",
                entity.blueprint,
                entity.identifier.as_str().unwrap_or_default()
            );
        }
    }
    let outcome = entities.outcome();
    println!(
        "… {count} users in {} pages, ended by {}",
        outcome.pages,
        outcome.stop().unwrap_or("nothing")
    );
    Ok(())
}
