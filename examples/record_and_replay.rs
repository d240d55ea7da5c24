//! Traffic on record, so that a mapping is tested without the API: `cargo run --example record_and_replay`
//!
//! The runner does the same with `--record FILE` and `--replay FILE`.

use std::error::Error;
use std::sync::Arc;

use futures::TryStreamExt;
use longshore_engine::auth::BearerToken;
use longshore_engine::mapping::Entity;
use longshore_engine::paginate::PageNumber;
use longshore_engine::transport::HttpTransport;
use longshore_engine::transport::cassette::{Player, Recorder, Scrub};
use longshore_engine::{Engine, EngineBuilder, Resource};
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered, serve};

const TOKEN: &str = "a-token-that-nobody-may-see";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let cassette = folder.path().join("devices.cassette");

    // Once, with the API: a limit is reached on the way, and a second is what it tells to wait.
    let api = ScriptedApi::new()
        .bearer(TOKEN)
        .pages(
            "/devices",
            Pages::page(numbered(250)).total_header("X-Total-Count"),
        )
        .fault(
            "/devices",
            2,
            Answer::status(429).header("retry-after", "1"),
        );
    let server = serve(api).await;
    let base_url = server.url.to_string();
    let http = Arc::new(HttpTransport::builder().build()?);
    let recorder = Recorder::create(&cassette, http, &Scrub::new())?;
    let engine = engine(&base_url, TOKEN)?
        .transport(Arc::new(recorder))
        .build()?;
    let recorded = devices(&engine).await?;
    drop(server);

    let text = std::fs::read_to_string(&cassette)?;
    println!(
        "{} devices read; the cassette has {} lines, {} bytes and {} the token",
        recorded.len(),
        text.lines().count(),
        text.len(),
        if text.contains(TOKEN) {
            "holds"
        } else {
            "does not hold"
        },
    );

    // As often as you like, without it: nobody listens there any more, and nothing is waited for.
    let player = Player::open(&cassette)?;
    let engine = self::engine(&base_url, "any-token")?
        .transport(Arc::new(player.clone()))
        .clock(player.clock())
        .build()?;
    let played = devices(&engine).await?;
    assert_eq!(recorded, played);
    assert_eq!(player.unplayed(), Vec::<String>::new());
    println!("{} devices played, the same ones", played.len());
    Ok(())
}

fn engine(base_url: &str, token: &str) -> Result<EngineBuilder, Box<dyn Error>> {
    Ok(Engine::builder()
        .base_url(base_url)
        .authenticator(BearerToken::new(token.to_owned())?)
        .paginator(PageNumber::new().page_size(100)))
}

async fn devices(engine: &Engine) -> Result<Vec<Entity>, Box<dyn Error>> {
    let devices = Resource::builder("/devices")
        .identifier(".id")
        .blueprint("device")
        .title(".name")
        .build()?;
    Ok(engine.entities(&devices).try_collect().await?)
}
