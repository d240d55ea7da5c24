//! Only what has changed is written: by comparison with Port, and by digests of what Port has acknowledged.

use std::sync::Arc;
use std::time::Duration;

use longshore_engine::{FileState, MemoryState, PortSink, PortSinkOptions, Report, SyncState};
use longshore_testkit::{Answer, Network, PortCall, PortDouble, ScriptedApi, numbered};
use serde_json::{Value, json};

use crate::rig::{API, PORT, Rig, config};

const USERS: &str = r#"
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {n: .n, name: .name}, relations: {boss: .boss}}}}
"#;
/// So much time passes between two syncs.
const HOUR: Duration = Duration::from_secs(3600);

fn records(count: u64) -> Vec<Value> {
    numbered(count)
}

/// One API after another against the same Port.
struct Story {
    port: PortDouble,
    state: Option<Arc<dyn SyncState>>,
    mapping: String,
}

impl Story {
    fn new(port: PortDouble) -> Story {
        Story {
            port,
            state: None,
            mapping: USERS.to_owned(),
        }
    }

    fn with_state(mut self, state: Arc<dyn SyncState>) -> Story {
        self.state = Some(state);
        self
    }

    fn with_mapping(mut self, mapping: &str) -> Story {
        self.mapping = mapping.to_owned();
        self
    }

    async fn sync(&self, users: impl Into<Value>) -> Report {
        self.sync_api(ScriptedApi::new().json("/users", users))
            .await
    }

    async fn sync_api(&self, api: ScriptedApi) -> Report {
        let rig = Rig {
            network: Network::new()
                .at(API, api.clone())
                .at(PORT, self.port.clone()),
            api,
            port: self.port.clone(),
        };
        let config = config("", &self.mapping).unwrap();
        let options = PortSinkOptions::from(config.mapping.as_ref().unwrap());
        let report = rig
            .engine_from(&config)
            .sync(&self.sink(&rig, options))
            .await;
        self.port.advance(HOUR);
        assert_eq!(self.port.violations(), Vec::<String>::new());
        report
    }

    fn sink(&self, rig: &Rig, options: PortSinkOptions) -> PortSink {
        let sink = rig.port_sink(options);
        match &self.state {
            Some(state) => sink.state(state.clone()),
            None => sink,
        }
    }

    /// Entities that were sent so far.
    fn sent(&self) -> usize {
        self.port
            .calls(PortCall::UpsertMany)
            .iter()
            .map(|call| call.json()["entities"].as_array().unwrap().len())
            .sum()
    }
}

/// Without a state, with one in memory and with one in a file.
fn stories() -> Vec<(&'static str, Story, Option<tempfile::TempDir>)> {
    let folder = tempfile::tempdir().unwrap();
    let file = Arc::new(FileState::new(folder.path().join("state")));
    vec![
        ("compared", Story::new(PortDouble::new()), None),
        (
            "memory",
            Story::new(PortDouble::new()).with_state(Arc::new(MemoryState::new())),
            None,
        ),
        (
            "file",
            Story::new(PortDouble::new()).with_state(file),
            Some(folder),
        ),
    ]
}

#[tokio::test(start_paused = true)]
async fn a_second_sync_without_changes_writes_nothing_and_deletes_nothing() {
    for (name, story, _folder) in stories() {
        let first = story.sync(records(100)).await;
        assert_eq!((first.upserted, first.unchanged), (100, 0), "{name}");
        for _ in 0..3 {
            let again = story.sync(records(100)).await;
            assert!(again.is_clean(), "{name}: {again}");
            assert_eq!((again.upserted, again.unchanged), (0, 100), "{name}");
        }
        assert_eq!(story.sent(), 100, "{name}");
        assert_eq!(story.port.deleted(), [], "{name}");
        assert_eq!(story.port.identifiers("user").len(), 100, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn ten_changed_entities_are_ten_upserts_and_what_is_gone_is_deleted() {
    for (name, story, _folder) in stories() {
        story.sync(records(100)).await;
        let mut changed = records(99);
        for user in changed.iter_mut().take(10) {
            user["name"] = json!("another");
        }
        let report = story.sync(changed.clone()).await;
        assert_eq!(
            (report.upserted, report.unchanged, report.deleted),
            (10, 89, 1),
            "{name}"
        );
        assert_eq!(story.sent(), 110, "{name}");
        assert_eq!(story.port.entity("user", "1").unwrap()["title"], "another");
        let report = story.sync(changed).await;
        assert_eq!((report.upserted, report.unchanged), (0, 99), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn with_a_state_port_is_not_asked_about_single_entities() {
    for (name, story, _folder) in stories() {
        story.sync(records(500)).await;
        let before = story.port.requests().len();
        story.sync(records(500)).await;
        let requests = story.port.requests().len() - before;
        let searches = story.port.count(PortCall::Search);
        match name {
            // Token, integration, two lists, ten searches of 50.
            "compared" => assert_eq!((searches, requests), (10, 14), "{name}"),
            _ => assert_eq!((searches, requests), (0, 4), "{name}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn everything_is_written_when_the_mapping_says_so() {
    let mapping = format!("skipUnchanged: false\n{USERS}");
    let story = Story::new(PortDouble::new())
        .with_state(Arc::new(MemoryState::new()))
        .with_mapping(&mapping);
    for sync in 1..=2 {
        let report = story.sync(records(30)).await;
        assert_eq!((report.upserted, report.unchanged), (30, 0));
        assert_eq!(story.sent(), 30 * sync);
    }
    assert_eq!(story.port.count(PortCall::Search), 0);
}

/// What others do to user 7 between two syncs.
#[derive(Clone, Copy, Debug)]
enum Meddling {
    Deletes,
    Changes,
    ChangesAsUs,
}

#[tokio::test(start_paused = true)]
async fn what_others_delete_or_change_at_port_is_written_again() {
    for meddling in [Meddling::Deletes, Meddling::Changes, Meddling::ChangesAsUs] {
        for (name, story, _folder) in stories() {
            story.sync(records(20)).await;
            story.sync(records(20)).await;
            meddle(&story.port, meddling).await;
            story.port.advance(HOUR);
            let healed = story.sync(records(20)).await;
            assert_eq!(
                (healed.upserted, healed.unchanged),
                (1, 19),
                "{name}, {meddling:?}: {healed}"
            );
            let entity = story.port.entity("user", "7").unwrap();
            assert_eq!(entity["title"], "record 7", "{name}, {meddling:?}");
            let again = story.sync(records(20)).await;
            assert_eq!(
                (again.upserted, again.unchanged),
                (0, 20),
                "{name}, {meddling:?}"
            );
        }
    }
}

async fn meddle(port: &PortDouble, meddling: Meddling) {
    let identifier = match meddling {
        Meddling::ChangesAsUs => "test",
        _ => "somebody-else",
    };
    let http = longshore_engine::transport::Client::builder(port.transport()).build();
    let client = longshore_engine::port_client::PortClient::builder(http)
        .base_url(PORT.parse().unwrap())
        .credentials("id", "secret".to_owned())
        .integration("custom", identifier)
        .build()
        .unwrap();
    match meddling {
        Meddling::Deletes => {
            use longshore_engine::port_client::{Delete, Feeds, Ledger, Verdict};
            let mut ledger = Ledger::new();
            let source = ledger.open("by hand", Feeds::Any);
            ledger.close(source, Verdict::Complete);
            let proof = ledger.prove("user").unwrap();
            let deleted = client
                .delete(&proof, &["7".to_owned()], &Delete::default())
                .await
                .unwrap();
            assert_eq!(deleted.deleted, ["7"]);
        }
        Meddling::Changes | Meddling::ChangesAsUs => {
            let mut entity = longshore_engine::mapping::Entity::new("user", "7");
            entity.title = Some(json!("by hand"));
            client
                .upsert_one(&entity, &longshore_engine::port_client::Upsert::default())
                .await
                .unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_not_acknowledged_is_written_again_even_when_it_is_as_it_was_before() {
    for lost in [Answer::status(500), Answer::status(400)] {
        for (name, story, _folder) in stories() {
            story.sync(records(3)).await;
            let mut changed = records(3);
            changed[0]["name"] = json!("another");
            // The write takes effect, but its answers are lost for good.
            let number = story.port.count(PortCall::UpsertMany) as u64;
            for attempt in 1..=8 {
                let _ = story.port.clone().lose_answer(
                    PortCall::UpsertMany,
                    number + attempt,
                    lost.clone(),
                );
            }
            let failed = story.sync(changed).await;
            assert!(!failed.is_clean(), "{name}: {failed}");
            assert_eq!(story.port.entity("user", "1").unwrap()["title"], "another");
            let back = story.sync(records(3)).await;
            let back_again = story.sync(records(3)).await;
            assert_eq!(
                story.port.entity("user", "1").unwrap()["title"],
                "record 1",
                "{name}: {back}, {back_again}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_state_that_is_lost_broken_or_of_another_way_of_writing_is_no_ground_to_skip() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let story = || Story::new(PortDouble::new()).with_state(Arc::new(FileState::new(&path)));
    let damages: [fn(&std::path::Path); 3] = [
        |path| std::fs::remove_file(path).unwrap(),
        |path| std::fs::write(path, b"longshore sync state 1\n{}").unwrap(),
        |path| {
            let mut bytes = std::fs::read(path).unwrap();
            let last = bytes.len() - 1;
            bytes[last] ^= 1;
            std::fs::write(path, bytes).unwrap();
        },
    ];
    for damage in damages {
        let story = story();
        story.sync(records(5)).await;
        meddle(&story.port, Meddling::ChangesAsUs).await;
        damage(&path);
        let mut changed = records(5);
        changed[4]["name"] = json!("another");
        let report = story.sync(changed).await;
        assert_eq!((report.upserted, report.unchanged), (1, 4), "{report}");
        assert!(path.exists(), "the next sync has a state again");
        std::fs::remove_file(&path).unwrap();
    }
    let merged = story();
    merged.sync(records(5)).await;
    let unmerged = Story {
        mapping: format!("enableMergeEntity: false\n{USERS}"),
        port: merged.port.clone(),
        ..story()
    };
    unmerged.sync(records(5)).await;
    assert!(
        merged.port.count(PortCall::Search) > 0,
        "Port was asked instead"
    );
}

#[tokio::test(start_paused = true)]
async fn a_state_is_compared_with_port_once_a_day() {
    let story = Story::new(PortDouble::new()).with_state(Arc::new(MemoryState::new()));
    for hour in 0..23 {
        story.sync(records(10)).await;
        assert_eq!(story.port.count(PortCall::Search), 0, "hour {hour}");
    }
    story.port.advance(HOUR);
    for _ in 0..5 {
        let report = story.sync(records(10)).await;
        assert_eq!(report.unchanged, 10);
        assert_eq!(story.port.count(PortCall::Search), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_entity_of_two_resources_ends_as_a_full_sync_would_leave_it() {
    let mapping = r#"
resources:
  - kind: /people
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {a: .a}}}}
  - kind: /accounts
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {b: .b}}}}
"#;
    let api = |a: u64, b: u64| {
        ScriptedApi::new()
            .json("/people", json!([{"id": 1, "name": "person", "a": a}]))
            .json("/accounts", json!([{"id": 1, "name": "account", "b": b}]))
    };
    for merge in [true, false] {
        for (name, story, _folder) in stories() {
            let story = story.with_mapping(&format!("enableMergeEntity: {merge}\n{mapping}"));
            for (a, b) in [(1, 1), (1, 1), (2, 1), (2, 2), (2, 2), (3, 3)] {
                let report = story.sync_api(api(a, b)).await;
                assert!(report.is_clean(), "{report}");
                assert_eq!(report.duplicates, 1);
                let entity = story.port.entity("user", "1").unwrap();
                let expected = match merge {
                    true => json!({"a": a, "b": b}),
                    false => json!({"b": b}),
                };
                assert_eq!(entity["properties"], expected, "{name}, {a} {b}: {report}");
                assert_eq!(entity["title"], "account", "{name}, {a} {b}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_duplicates_the_last_one_counts_in_every_sync() {
    for (name, story, _folder) in stories() {
        let users = json!([
            {"id": 1, "name": "first"}, {"id": 2, "name": "other"}, {"id": 1, "name": "last"},
        ]);
        for sync in 1..=3 {
            let report = story.sync(users.clone()).await;
            assert_eq!(report.duplicates, 1, "{name}");
            assert!(
                report.to_string().contains(
                    "1 entity came under a blueprint and an identifier that had come before"
                ),
                "{report}"
            );
            let entity = story.port.entity("user", "1").unwrap();
            assert_eq!(entity["title"], "last", "{name}, sync {sync}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_search_query_stands_for_is_written_every_time() {
    let mapping = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: .id
          blueprint: '"user"'
          relations:
            team: {combinator: '"and"', rules: [{property: '"$title"', operator: '"="', value: .team}]}
"#;
    for (name, story, _folder) in stories() {
        let story = Story {
            port: story.port.relation("user", "team", "team"),
            ..story
        }
        .with_mapping(mapping);
        let users = json!([{"id": 1, "team": "Blue"}]);
        for _ in 0..2 {
            let report = story.sync(users.clone()).await;
            assert_eq!((report.upserted, report.unchanged), (1, 0), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn credentials_that_may_not_search_or_list_cost_nothing_but_the_saving() {
    let story = Story::new(
        PortDouble::new()
            .faults(PortCall::Search, 1.., Answer::status(403))
            .faults(PortCall::Owned, 3..=3, Answer::status(403)),
    );
    story.sync(records(5)).await;
    let unlisted = story.sync(records(5)).await;
    assert_eq!(
        (unlisted.upserted, unlisted.unchanged),
        (5, 0),
        "{unlisted}"
    );
    let unsearched = story.sync(records(5)).await;
    assert_eq!(
        (unsearched.upserted, unsearched.unchanged),
        (5, 0),
        "{unsearched}"
    );
}
