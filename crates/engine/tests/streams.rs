//! How a read of one resource ends, and what its errors say.

// Panicking outside of `#[test]` functions is how tests report here.
#![allow(clippy::unwrap_used)]

use std::error::Error as _;
use std::sync::Arc;

use futures::StreamExt;
use http::StatusCode;
use longshore_engine::auth::{self, Authenticator};
use longshore_engine::paginate::{Cursor, PageNumber, Settings};
use longshore_engine::transport::{self, Generation, Renewal, Request, Transport, async_trait};
use longshore_engine::{
    AnswerRules, Engine, EngineBuilder, Error, ErrorKind, Outcome, Resource, ResourceBuilder,
    StatusAction,
};
use longshore_testkit::{Answer, Network, ScriptedApi};
use serde_json::{Value, json};

const API: &str = "https://api.example.com";

fn engine(api: &ScriptedApi) -> EngineBuilder {
    let network = Network::new().at(API, api.clone());
    Engine::builder()
        .base_url(API)
        .transport(network.transport())
}

fn users() -> ResourceBuilder {
    Resource::builder("/users")
        .identifier(".id")
        .blueprint("user")
}

async fn read(engine: EngineBuilder, resource: ResourceBuilder) -> (Outcome, Vec<Error>) {
    let mut entities = engine.build().unwrap().entities(&resource.build().unwrap());
    let mut errors = Vec::new();
    while let Some(item) = entities.next().await {
        errors.extend(item.err());
    }
    (entities.outcome(), errors)
}

fn ten() -> Value {
    (1..=10).map(|id| json!({ "id": id })).collect()
}

/// A read of `/users`, where 404 means that there is nothing, from an API that answers 404 after its first page.
async fn a_page_and_then_404(
    page: Value,
    pagination: impl Into<Settings>,
) -> (Outcome, Vec<Error>) {
    let api = ScriptedApi::new().answers("/users", [Answer::json(page), Answer::status(404)]);
    let users = users()
        .data_path(".users")
        .answer_rules(AnswerRules::default().on_status(404, StatusAction::Empty));
    read(engine(&api).pagination(pagination), users).await
}

#[tokio::test(start_paused = true)]
async fn an_empty_status_behind_the_end_of_counted_pages_is_an_empty_page() {
    let pages = PageNumber::new().page_size(10);
    let (outcome, errors) = a_page_and_then_404(json!({ "users": ten() }), pages.clone()).await;
    assert_eq!(outcome.stop(), Some("EmptyPage"), "{errors:?}");
    assert_eq!(outcome.entities, 10);

    let (outcome, _) = a_page_and_then_404(json!({ "users": ten(), "total": 30 }), pages).await;
    assert_eq!(outcome.cause().unwrap().name(), "TotalNotReached");
}

#[tokio::test(start_paused = true)]
async fn an_empty_status_is_no_end_where_the_api_itself_said_to_go_on() {
    let page = json!({ "users": ten(), "next_cursor": "abc" });
    let (outcome, errors) = a_page_and_then_404(page, Cursor::new()).await;
    assert_eq!(outcome.cause().unwrap().name(), "RequestFailed");
    assert_eq!(
        (errors[0].kind(), errors[0].page()),
        (ErrorKind::Fetch, Some(2))
    );
}

/// Cannot log in.
#[derive(Debug)]
struct Locked;

#[async_trait]
impl Authenticator for Locked {
    async fn authenticate(&self, _: &mut Request) -> Result<Generation, auth::Error> {
        let refused =
            transport::Error::new(transport::ErrorKind::Status, "the server answered 403")
                .with_status(StatusCode::FORBIDDEN);
        Err(auth::Error::login("the login was refused", refused))
    }

    async fn renew(&self, _: Generation) -> Result<Renewal, auth::Error> {
        Ok(Renewal::Unchanged)
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_login_says_why() {
    let (outcome, errors) = read(engine(&ScriptedApi::new()).authenticator(Locked), users()).await;
    let why = "the login was refused: the server answered 403";
    assert!(errors[0].to_string().ends_with(why), "{}", errors[0]);
    assert!(outcome.cause().unwrap().message().ends_with(why));
    assert!(errors[0].source().is_none(), "nothing is said twice");
}

#[tokio::test(start_paused = true)]
async fn what_an_error_comes_from_stays_in_its_chain() {
    /// Has a cause that only the chain holds.
    #[derive(Debug)]
    struct Broken;

    #[async_trait]
    impl Transport for Broken {
        async fn send(&self, _: Request) -> Result<transport::Response, transport::Error> {
            let cause = std::io::Error::other("wire cut");
            Err(transport::Error::new(transport::ErrorKind::Other, "no answer").with_source(cause))
        }
    }

    let engine = Engine::builder().base_url(API).transport(Arc::new(Broken));
    let (_, errors) = read(engine, users()).await;
    assert!(
        errors[0].to_string().ends_with("no answer"),
        "{}",
        errors[0]
    );
    assert_eq!(errors[0].source().unwrap().to_string(), "wire cut");
}

#[tokio::test(start_paused = true)]
async fn a_path_that_fails_on_an_answer_says_why() {
    let api = ScriptedApi::new().json("/users", json!({ "users": ten(), "page": "last" }));
    let cursor = Cursor::new().cursor_path(".page | .next");
    let (_, errors) = read(engine(&api).pagination(cursor), users().data_path(".users")).await;
    let error = errors[0].to_string();
    assert!(error.contains("failed on the answer: "), "{error}");
}

#[test]
fn a_base_url_that_cannot_work_is_refused_before_any_request() {
    for (url, why) in [
        ("https://user:CANARY@api.example.com", "authType: basic"),
        ("api.example.com/CANARY", "https://"),
        ("ftp://api.example.com/CANARY", "https://"),
    ] {
        let error = Engine::builder().base_url(url).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().starts_with("baseUrl: "), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert!(!format!("{error:?}").contains("CANARY"));
    }
}

/// A page of a list of 14, ten a page.
fn page_of_14(page: u64, beside: Value) -> Answer {
    let ids = (page - 1) * 10 + 1..=14.min(page * 10);
    let users: Vec<Value> = ids.map(|id| json!({ "id": id })).collect();
    let mut body = json!({ "users": users, "total": 14 });
    if let (Some(body), Some(beside)) = (body.as_object_mut(), beside.as_object()) {
        body.extend(beside.clone());
    }
    Answer::json(body)
}

#[tokio::test(start_paused = true)]
async fn a_way_that_auto_tries_has_failed_where_it_leads_to_another_host_or_is_forbidden() {
    let by_auto = || Settings::of(longshore_engine::paginate::Style::Auto);
    let foreign = ScriptedApi::new().on("/users", |call| {
        let page = call.query("page").map_or(1, |page| page.parse().unwrap());
        let link = (page < 2).then_some("https://elsewhere.example/users?page=2");
        page_of_14(page.max(1), json!({ "next": link }))
    });
    let (outcome, errors) = read(
        engine(&foreign).pagination(by_auto()),
        users().data_path(".users"),
    )
    .await;
    assert_eq!((outcome.entities, errors.len()), (14, 0), "{errors:?}");

    let strict = ScriptedApi::new().on("/users", |call| {
        match (
            call.query("page").as_deref(),
            call.query("offset").is_some(),
        ) {
            (None, false) => page_of_14(1, json!({})),
            (Some(page @ ("1" | "2")), _) => page_of_14(page.parse().unwrap(), json!({})),
            _ => Answer::status(403),
        }
    });
    let (outcome, errors) = read(
        engine(&strict).pagination(by_auto()),
        users().data_path(".users"),
    )
    .await;
    assert_eq!((outcome.entities, errors.len()), (14, 0), "{errors:?}");
}
