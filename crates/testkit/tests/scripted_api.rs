//! The scripted API: routes, credentials, faults, pages.

// Helpers outside of `#[test]` functions panic as well: that is how they report.
#![allow(clippy::unwrap_used)]

use http::Method;
use longshore_testkit::{Answer, Network, Pages, ScriptedApi, Service, numbered};
use longshore_transport::{Request, Transport};
use serde_json::{Value, json};

fn get(url: &str) -> Request {
    Request::new(
        Method::GET,
        format!("https://api.example.com{url}").parse().unwrap(),
    )
}

async fn send(api: &ScriptedApi, request: Request) -> Answer {
    Service::answer(api, request).await
}

async fn ask(api: &ScriptedApi, url: &str) -> Answer {
    send(api, get(url)).await
}

async fn status(api: &ScriptedApi, url: &str) -> u16 {
    ask(api, url).await.status.as_u16()
}

#[tokio::test]
async fn the_more_literal_route_answers_then_the_later_one() {
    let api = ScriptedApi::new()
        .on("/{kind}/{id}", |call| {
            Answer::json(json!([call.parameter("kind"), call.parameter("id")]))
        })
        .json("/users/me", json!("me"))
        .json("POST /users/me", json!("posted"))
        .on("/v2/{+name}/tags", |call| {
            Answer::json(json!(call.parameter("name")))
        })
        .json("/twice", json!(1))
        .json("/twice", json!(2));
    assert_eq!(
        ask(&api, "/users/7%2F8").await.body_json(),
        json!(["users", "7/8"])
    );
    assert_eq!(ask(&api, "/users/me").await.body_json(), json!("me"));
    assert_eq!(
        ask(&api, "/v2/lib/alpine/tags").await.body_json(),
        json!("lib/alpine")
    );
    assert_eq!(ask(&api, "/twice").await.body_json(), json!(2));
    assert_eq!(status(&api, "/users/").await, 404);
    assert_eq!(status(&api, "/nowhere").await, 404);
    let mut post = get("/users/me");
    post.method = Method::POST;
    assert_eq!(send(&api, post).await.body_json(), json!("posted"));
    assert_eq!(api.count("/users/me"), 2);
    assert_eq!(api.paths()[0], "/users/7%2F8");
}

#[tokio::test]
async fn answers_come_in_order_and_faults_hit_the_request_they_were_ordered_for() {
    let api = ScriptedApi::new()
        .answers("/a", [Answer::status(202), Answer::json(json!("done"))])
        .json("/b", json!(1))
        .fault("/b", 2, Answer::status(429).header("retry-after", "7"))
        .faults("/b", 4.., Answer::status(500));
    assert_eq!(
        [
            status(&api, "/a").await,
            status(&api, "/a").await,
            status(&api, "/a").await
        ],
        [202, 200, 200]
    );
    assert_eq!(status(&api, "/b?x=1").await, 200);
    assert_eq!(ask(&api, "/b").await.headers["retry-after"], "7");
    assert_eq!(
        [
            status(&api, "/b").await,
            status(&api, "/b").await,
            status(&api, "/b").await
        ],
        [200, 500, 500]
    );
}

#[tokio::test]
async fn the_expected_credential_is_the_only_one_that_gets_in() {
    let with = |name: &'static str, value: &str| {
        let mut request = get("/a");
        request.headers.append(name, value.parse().unwrap());
        request
    };
    let api = ScriptedApi::new()
        .json("/a", json!(1))
        .json("/token", json!(2))
        .open("/token")
        .bearer("one");
    assert_eq!(
        [status(&api, "/a").await, status(&api, "/token").await],
        [401, 200]
    );
    assert_eq!(
        send(&api, with("authorization", "Bearer one")).await.status,
        200
    );
    let mut doubled = with("authorization", "Bearer one");
    doubled
        .headers
        .append("authorization", "Bearer one".parse().unwrap());
    assert_eq!(send(&api, doubled).await.status, 401);

    let api = api.basic("ada", "pass word");
    assert_eq!(
        send(&api, with("authorization", "Bearer one")).await.status,
        401
    );
    assert_eq!(
        send(&api, with("authorization", "Basic YWRhOnBhc3Mgd29yZA=="))
            .await
            .status,
        200
    );

    let api = ScriptedApi::new()
        .json("/a", json!(1))
        .header_key("X-API-Key", "k")
        .query_key("v", "2");
    let mut both = with("x-api-key", "k");
    assert_eq!(send(&api, both.clone()).await.status, 401);
    both.url.set_query(Some("v=2"));
    assert_eq!(send(&api, both).await.status, 200);
}

/// Follows a collection with a reader that knows its style; the identifiers that came, page by page.
async fn pages(
    pages: Pages,
    first: &str,
    mut next: impl FnMut(&Answer, &Value, u64) -> Option<String>,
) -> Vec<u64> {
    let api = ScriptedApi::new().pages("/items", pages);
    let (mut sizes, mut seen, mut url) = (Vec::new(), Vec::new(), Some(first.to_owned()));
    while let Some(path) = url.take() {
        let answer = ask(&api, &path).await;
        assert_eq!(answer.status, 200, "{path}");
        let body = answer.body_json();
        let records = body
            .as_array()
            .or_else(|| body["data"].as_array())
            .unwrap_or_else(|| panic!("{body}"));
        seen.extend(records.iter().map(|record| record["id"].as_u64().unwrap()));
        sizes.push(records.len() as u64);
        url = next(&answer, &body, seen.len() as u64);
        assert!(sizes.len() < 20, "the pages of {first} do not end");
    }
    assert_eq!(seen, (1..=25).collect::<Vec<u64>>());
    sizes
}

#[tokio::test]
async fn every_style_gives_every_record_once() {
    let all = || numbered(25);
    let offset = Pages::offset(all()).cap(10);
    let by_offset =
        |_: &Answer, _: &Value, got| (got < 25).then(|| format!("/items?offset={got}&limit=100"));
    assert_eq!(
        pages(offset, "/items?limit=100", by_offset).await,
        [10, 10, 5]
    );

    let page = Pages::page(all())
        .start(0)
        .under("data")
        .total_pages("meta.pages");
    let mut number = 0;
    let by_page = |_: &Answer, body: &Value, _| {
        number += 1;
        (number < body["meta"]["pages"].as_u64().unwrap())
            .then(|| format!("/items?page={number}&size=10"))
    };
    assert_eq!(
        pages(page, "/items?page=0&size=10", by_page).await,
        [10, 10, 5]
    );

    let cursor = Pages::cursor(all()).size(12).cursor_at("meta.after");
    let by_cursor = |_: &Answer, body: &Value, _| {
        body["meta"]["after"]
            .as_str()
            .map(|cursor| format!("/items?cursor={cursor}"))
    };
    assert_eq!(pages(cursor, "/items", by_cursor).await, [12, 12, 1]);

    let stripe = Pages::cursor(all())
        .size(10)
        .flag("has_more")
        .after_record("starting_after", "id");
    let by_record = |_: &Answer, body: &Value, got| {
        body.get("next_cursor").is_none().then_some(())?;
        body["has_more"]
            .as_bool()
            .unwrap()
            .then(|| format!("/items?starting_after={got}"))
    };
    assert_eq!(pages(stripe, "/items", by_record).await, [10, 10, 5]);

    let by_link = |_: &Answer, body: &Value, _| {
        let link = body["@odata.nextLink"].as_str()?;
        Some(
            link.strip_prefix("https://api.example.com")
                .unwrap_or(link)
                .to_owned(),
        )
    };
    let links = Pages::next_link(all()).size(10).link_at("@odata.nextLink");
    assert_eq!(
        pages(links.clone(), "/items?keep=1", by_link).await,
        [10, 10, 5]
    );
    assert_eq!(
        pages(links.relative_links(), "/items?keep=1", by_link).await,
        [10, 10, 5]
    );

    let by_header = |answer: &Answer, _: &Value, _| {
        let link = answer.headers.get("link")?.to_str().unwrap();
        let url = link
            .strip_prefix('<')
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap();
        assert!(url.contains("keep=1"), "{url}");
        Some(
            url.strip_prefix("https://api.example.com")
                .unwrap()
                .to_owned(),
        )
    };
    assert_eq!(
        pages(
            Pages::header_link(all()),
            "/items?per_page=10&keep=1",
            by_header
        )
        .await,
        [10, 10, 5]
    );
}

#[tokio::test]
async fn what_an_api_tells_of_its_end_is_true_on_every_page() {
    let told = Pages::page(numbered(20))
        .under("data")
        .flag("more")
        .last_flag("last")
        .total("n")
        .total_header("x-total");
    let api = ScriptedApi::new().pages("/items", told);
    let first = ask(&api, "/items?size=10").await;
    let body = first.body_json();
    assert_eq!(
        [&body["more"], &body["last"], &body["n"]],
        [&json!(true), &json!(false), &json!(20)]
    );
    assert_eq!(first.headers["x-total"], "20");
    let last = ask(&api, "/items?size=10&page=2").await.body_json();
    assert_eq!(
        [&last["more"], &last["last"]],
        [&json!(false), &json!(true)]
    );
    assert_eq!(
        ask(&api, "/items?size=10&page=3").await.body_json()["data"],
        json!([])
    );
    for nonsense in ["/items?page=0", "/items?page=x", "/items?size=0"] {
        assert_eq!(status(&api, nonsense).await, 400, "{nonsense}");
    }
    let deaf = ScriptedApi::new().pages(
        "/items",
        Pages::offset(numbered(20)).size(5).ignores_position(),
    );
    assert_eq!(
        ask(&deaf, "/items?offset=5").await.body,
        ask(&deaf, "/items").await.body
    );
}

#[tokio::test]
async fn positions_in_a_json_body_count_too() {
    let api = ScriptedApi::new().pages(
        "POST /search",
        Pages::offset(numbered(9))
            .position_param("paging.skip")
            .size(4),
    );
    let mut request = get("/search").with_json(&json!({"paging": {"skip": 8}, "limit": 3}));
    request.method = Method::POST;
    let response = Network::new().anywhere(api).send(request).await.unwrap();
    assert_eq!(
        response.body,
        json!([{"id": 9, "name": "record 9"}]).to_string()
    );
}
