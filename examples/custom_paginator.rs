//! An API that pages by month, read by a paginator of your own: `cargo run --example custom_paginator`

use futures::TryStreamExt;
use longshore_engine::paginate::{Error, Next, Page, PageRequest, PageToken, Paginator};
use longshore_engine::{Engine, Resource, paginate::StopReason};
use longshore_testkit::{Answer, ScriptedApi, serve};
use serde_json::json;

/// `?month=1` to `?month=12`, one page for each.
#[derive(Debug)]
struct ByMonth;

impl Paginator for ByMonth {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        let month = token.and_then(PageToken::as_u64).unwrap_or(1);
        request.set_query("month", &month.to_string());
        Ok(())
    }

    fn next(&self, token: Option<&PageToken>, _page: &Page<'_>) -> Result<Next, Error> {
        Ok(match token.and_then(PageToken::as_u64).unwrap_or(1) {
            12 => Next::Complete(StopReason::Other("the year is over".to_owned())),
            month => Next::Continue(PageToken::from(month + 1)),
        })
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let api = ScriptedApi::new().on("/bills", |call| {
        Answer::json(vec![json!({ "id": call.query("month") })])
    });
    let server = serve(api).await;
    let engine = Engine::builder()
        .base_url(server.url.as_str())
        .paginator(ByMonth)
        .build()?;
    let bills = Resource::builder("/bills")
        .identifier(".id")
        .blueprint("bill")
        .build()?;
    let entities: Vec<_> = engine.entities(&bills).try_collect().await?;
    println!("{} bills", entities.len());
    Ok(())
}
