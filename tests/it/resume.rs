//! A read that is interrupted goes on where the last page was given whole: every entity at least once, none lost.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt};
use longshore_engine::mapping::Entity;
use longshore_engine::{Checkpoint, Engine, ErrorKind};
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::{Rig, items};

const RECORDS: u64 = 45;

/// Every style, with pages of 10 of 45 records.
fn styles() -> Vec<(&'static str, &'static str, Pages)> {
    let all = || numbered(RECORDS);
    vec![
        ("paginationType: page", "{}", Pages::page(all())),
        (
            "paginationType: page",
            "{data_path: .data}",
            Pages::page(all()).under("data").total("total"),
        ),
        ("paginationType: offset", "{}", Pages::offset(all())),
        (
            "paginationType: cursor",
            "{data_path: .data}",
            Pages::cursor(all()),
        ),
        (
            "paginationType: cursor\nparamIn: body",
            "{method: POST, body: {a: 1}, data_path: .data}",
            Pages::cursor(all()).flag("has_more"),
        ),
        (
            "preset: stripe",
            "{data_path: .data}",
            Pages::cursor(all())
                .flag("has_more")
                .after_record("starting_after", "id"),
        ),
        (
            "paginationType: next_link\nsizeParam: limit",
            "{data_path: .data}",
            Pages::next_link(all()).relative_links(),
        ),
        (
            "paginationType: header_link\nsizeParam: per_page",
            "{}",
            Pages::header_link(all()),
        ),
        ("paginationType: auto", "{}", Pages::page(all()).size(10)),
        (
            "paginationType: auto",
            "{data_path: .data}",
            Pages::cursor(all()).size(10),
        ),
    ]
}

fn rig(pages: &Pages) -> Rig {
    let (get, post) = (pages.clone(), pages.clone());
    let api = ScriptedApi::new().pages("/items", get);
    Rig::new(api.pages("POST /items", post))
}

fn engine(rig: &Rig, connection: &str, selector: &str) -> Engine {
    rig.engine(
        &format!("{connection}\npageSize: 10"),
        &items("/items", selector),
    )
}

fn ids(entities: &[Entity]) -> Vec<u64> {
    let ids = entities
        .iter()
        .filter_map(|entity| entity.identifier.as_str());
    ids.map(|id| id.parse().unwrap()).collect()
}

/// Takes so many entities and is then gone. What was taken, and what was stored.
async fn killed(engine: &Engine, after: usize) -> (Vec<u64>, u64, Option<String>) {
    let mut entities = engine.entities(&engine.resources()[0]);
    let mut taken = Vec::new();
    for _ in 0..after {
        taken.push(entities.next().await.unwrap().unwrap());
    }
    let stored = entities
        .checkpoint()
        .map(|checkpoint| serde_json::to_string(&checkpoint).unwrap());
    (ids(&taken), entities.pages_given(), stored)
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_killed_anywhere_goes_on_with_the_page_that_was_not_given_whole() {
    for (connection, selector, pages) in styles() {
        let in_one = {
            let rig = rig(&pages);
            let engine = engine(&rig, connection, selector);
            crate::rig::Read::of(&engine, &engine.resources()[0])
                .await
                .outcome
        };
        for after in [0, 1, 9, 10, 11, 20, 30, 39, 40, 44, 45] {
            let place = format!("{connection} {selector}, killed after {after}");
            let (taken, given, stored) = {
                let rig = rig(&pages);
                killed(&engine(&rig, connection, selector), after).await
            };
            let whole = if after == RECORDS as usize {
                after
            } else {
                after / 10 * 10
            };
            assert_eq!(given as usize, whole.div_ceil(10), "{place}");

            // Another process: nothing is left but what was stored.
            let rig = rig(&pages);
            let engine = engine(&rig, connection, selector);
            let resource = &engine.resources()[0];
            let mut rest = match stored {
                Some(stored) => {
                    let checkpoint: Checkpoint = serde_json::from_str(&stored).unwrap();
                    assert_eq!(checkpoint.records() as usize, whole, "{place}");
                    engine.entities_from(resource, checkpoint).unwrap()
                }
                None => engine.entities(resource),
            };
            let mut entities = Vec::new();
            while let Some(item) = rest.next().await {
                entities.push(item.unwrap_or_else(|error| panic!("{place}: {error}")));
            }
            let rest_of = ids(&entities);
            // Exactly the truth, in order, from the pages that were given whole on.
            let truth: Vec<u64> = (1..=RECORDS).collect();
            assert_eq!(rest_of, truth[whole..], "{place}");
            assert_eq!([&taken[..whole], &rest_of].concat(), truth, "{place}");
            let outcome = rest.outcome();
            assert!(outcome.is_complete(), "{place}: {outcome:?}");
            assert_eq!(
                (outcome.pages, outcome.records, outcome.entities),
                (in_one.pages, RECORDS, RECORDS),
                "{place}: counts are those of both parts"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_that_is_killed_again_and_again_comes_to_its_end() {
    for (connection, selector, pages) in styles() {
        let rig = rig(&pages);
        let engine = engine(&rig, connection, selector);
        let resource = &engine.resources()[0];
        let (mut seen, mut stored, mut lives) = (BTreeSet::new(), None::<String>, 0);
        loop {
            lives += 1;
            assert!(lives < 20, "{connection} does not come to its end");
            let mut entities = match stored.take() {
                Some(text) => {
                    let checkpoint: Checkpoint = serde_json::from_str(&text).unwrap();
                    engine.entities_from(resource, checkpoint).unwrap()
                }
                None => engine.entities(resource),
            };
            let mut ended = false;
            for _ in 0..14 {
                match entities.try_next().await.unwrap() {
                    Some(entity) => seen.extend(ids(&[entity])),
                    None => {
                        ended = true;
                        break;
                    }
                }
            }
            if ended {
                assert!(entities.outcome().is_complete());
                break;
            }
            stored = Some(serde_json::to_string(&entities.checkpoint().unwrap()).unwrap());
        }
        assert_eq!(seen, (1..=RECORDS).collect(), "{connection}");
        assert_eq!(lives, 5, "{connection}: each life brings at least its page");
    }
}

#[tokio::test(start_paused = true)]
async fn rows_that_moved_in_between_make_a_counted_read_incomplete() {
    for (connection, complete) in [
        ("paginationType: page", false),
        ("paginationType: offset", false),
        // A cursor is where it was.
        ("paginationType: cursor", true),
    ] {
        let of = |records: Vec<serde_json::Value>| match connection {
            "paginationType: page" => Pages::page(records).under("data"),
            "paginationType: offset" => Pages::offset(records).under("data"),
            _ => Pages::cursor(records),
        };
        let selector = "{data_path: .data}";
        let before = rig(&of(numbered(RECORDS)));
        let (_, _, stored) = killed(&engine(&before, connection, selector), 20).await;
        // The first record is gone by now, so that the others have moved up.
        let mut records = numbered(RECORDS);
        if !complete {
            records.remove(0);
        }
        let rig = rig(&of(records));
        let engine = engine(&rig, connection, selector);
        let checkpoint = serde_json::from_str(&stored.unwrap()).unwrap();
        let mut rest = engine
            .entities_from(&engine.resources()[0], checkpoint)
            .unwrap();
        while rest.next().await.is_some() {}
        let outcome = rest.outcome();
        assert_eq!(outcome.is_complete(), complete, "{connection}: {outcome:?}");
        if !complete {
            assert_eq!(outcome.cause().unwrap().name(), "RowsShifted");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_failed_before_the_interruption_keeps_the_read_incomplete() {
    let pages = Pages::page((1..=25).map(|id| {
        if id == 3 {
            json!({"name": "no id"})
        } else {
            json!({"id": id})
        }
    }));
    let rig = rig(&pages);
    let engine = engine(&rig, "paginationType: page", "{}");
    let resource = &engine.resources()[0];
    let mut entities = engine.entities(resource);
    while entities.pages_given() < 1 {
        let _ = entities.next().await.unwrap();
    }
    let checkpoint = entities.checkpoint().unwrap();
    let mut rest = engine.entities_from(resource, checkpoint).unwrap();
    let mut count = 0;
    while let Some(item) = rest.next().await {
        item.unwrap();
        count += 1;
    }
    let outcome = rest.outcome();
    assert_eq!((count, outcome.failed, outcome.entities), (15, 1, 24));
    assert_eq!(outcome.cause().unwrap().name(), "RecordsFailed");
}

#[tokio::test(start_paused = true)]
async fn a_page_that_fails_is_read_again_from_there() {
    let api = ScriptedApi::new()
        .pages("/items", Pages::page(numbered(RECORDS)))
        .faults("/items", 3..=3, Answer::status(403));
    let rig = Rig::new(api);
    let engine = engine(&rig, "paginationType: page", "{}");
    let resource = &engine.resources()[0];
    let mut entities = engine.entities(resource);
    let mut taken = Vec::new();
    let mut failures = 0;
    while let Some(item) = entities.next().await {
        match item {
            Ok(entity) => taken.push(entity),
            Err(_) => failures += 1,
        }
    }
    assert_eq!((taken.len(), failures), (20, 1));
    let checkpoint = entities.checkpoint().unwrap();
    assert!(!checkpoint.is_done());
    let rest: Vec<Entity> = engine
        .entities_from(resource, checkpoint)
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(ids(&rest), (21..=RECORDS).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_is_asked_for_again() {
    let rig = rig(&Pages::page(numbered(RECORDS)));
    let engine = engine(&rig, "paginationType: page", "{}");
    let resource = &engine.resources()[0];
    let mut entities = engine.entities(resource);
    while entities.next().await.is_some() {}
    let checkpoint = entities.checkpoint().unwrap();
    assert!(checkpoint.is_done());
    let asked = rig.api.requests().len();
    let mut rest = engine.entities_from(resource, checkpoint).unwrap();
    assert!(rest.next().await.is_none());
    assert_eq!(rest.outcome().stop(), entities.outcome().stop());
    assert_eq!(rest.outcome().records, RECORDS);
    assert_eq!(rig.api.requests().len(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_of_another_read_is_refused() {
    let rig = rig(&Pages::page(numbered(RECORDS)));
    let of = |connection: &str, selector: &str| rig.engine(connection, &items("/items", selector));
    let engine = of("paginationType: page\npageSize: 10", "{}");
    let (_, _, stored) = killed(&engine, 20).await;
    let checkpoint: Checkpoint = serde_json::from_str(&stored.unwrap()).unwrap();
    // By these settings the position means something else.
    for connection in [
        "paginationType: page\npageSize: 20",
        "paginationType: offset\npageSize: 10",
        "paginationType: page\npageSize: 10\nstartPage: 0",
    ] {
        let engine = of(connection, "{}");
        let error = engine
            .entities_from(&engine.resources()[0], checkpoint.clone())
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("other settings"), "{error}");
    }
    // Another list: nothing is sent.
    let engine = of(
        "paginationType: page\npageSize: 10",
        "{query_params: {state: open}}",
    );
    let asked = rig.api.requests().len();
    let mut rest = engine
        .entities_from(&engine.resources()[0], checkpoint.clone())
        .unwrap();
    let error = rest.next().await.unwrap().unwrap_err();
    assert!(error.to_string().contains("another request"), "{error}");
    assert!(!rest.outcome().is_complete());
    assert_eq!(rig.api.requests().len(), asked);
    // Children have no one position.
    let nested = "{path_parameters: {id: {endpoint: /items, field: .id}}}";
    let engine = rig.engine(
        "paginationType: page\npageSize: 10",
        &items("/items/{id}", nested),
    );
    let resource = &engine.resources()[0];
    assert!(engine.entities(resource).checkpoint().is_none());
    let error = engine.entities_from(resource, checkpoint).unwrap_err();
    assert!(error.to_string().contains("from the beginning"), "{error}");
}
