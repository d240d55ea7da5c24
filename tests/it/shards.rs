//! Parts of a sync side by side, and the run afterwards that deletes what none of them has seen.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use longshore_engine::config::Config;
use longshore_engine::shard::{Shard, ShardResults, ShardSink};
use longshore_engine::{PortSinkOptions, Report, Sink, SyncOptions};
use longshore_testkit::{Answer, PortCall, PortDouble, ScriptedApi, numbered};
use serde_json::json;
use tempfile::TempDir;

use crate::rig::{Rig, config};

const MAPPING: &str = r#"
resources:
  - kind: /tickets
    port: {entity: {mappings: {identifier: .id, blueprint: '"ticket"'}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, blueprint: '"team"', relations: {lead: .lead}}}}
  - kind: /tickets/{ticket_id}/comments
    selector: {path_parameters: {ticket_id: {endpoint: /tickets, field: .id}}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"comment"', relations: {ticket: .__ticket_id}}}}
"#;
const COUNT: u32 = 3;

/// 20 tickets, a team, two comments of each ticket.
fn api() -> ScriptedApi {
    ScriptedApi::new()
        .json("/tickets", numbered(20))
        .json("/teams", json!([{"id": "blue", "lead": "ada"}]))
        .on("/tickets/{id}/comments", |call| {
            let ticket = call.parameter("id");
            Answer::json(json!([{"id": format!("{ticket}a")}, {"id": format!("{ticket}b")}]))
        })
}

/// A Port that has one entity too many of each blueprint, and enough others for the threshold.
fn port() -> PortDouble {
    PortDouble::new()
        .relation("team", "lead", "user")
        .relation("comment", "ticket", "ticket")
        .stale_entity("ticket", "gone")
        .stale_entity("comment", "gone")
        .stale_entity("team", "gone")
        .stale_entity("user", "ada")
}

fn rig() -> Rig {
    Rig::with_port(api(), port())
}

fn sink(rig: &Rig, config: &Config) -> impl Sink + use<> {
    rig.port_sink(PortSinkOptions::from(config.mapping.as_ref().unwrap()))
}

/// Runs one shard and leaves its results in the folder.
async fn run_shard(rig: &Rig, config: &Config, shard: Shard, folder: &Path) -> Report {
    let sink = ShardSink::new(sink(rig, config), shard, config.identity().unwrap(), folder);
    let options = SyncOptions::new().shard(Some(shard));
    let report = rig.engine_from(config).sync_with(&options, &sink).await;
    sink.finish(&report).unwrap();
    report
}

async fn run_all(rig: &Rig, config: &Config, folder: &Path) -> Vec<Report> {
    let mut reports = Vec::new();
    for index in 0..COUNT {
        let shard = Shard::new(index, COUNT).unwrap();
        reports.push(run_shard(rig, config, shard, folder).await);
    }
    reports
}

async fn reconcile(rig: &Rig, config: &Config, folder: &Path) -> Report {
    let engine = rig.engine_from(config);
    let results =
        ShardResults::read(folder, &config.identity().unwrap(), engine.resources()).unwrap();
    engine.reconcile(results, &sink(rig, config)).await
}

fn problems(config: &Config, folder: &Path) -> String {
    let resources = &config.mapping.as_ref().unwrap().resources;
    ShardResults::read(folder, &config.identity().unwrap(), resources)
        .unwrap_err()
        .to_string()
}

fn file(folder: &TempDir, index: u32) -> std::path::PathBuf {
    folder
        .path()
        .join(format!("shard-{index}-of-{COUNT}.ndjson"))
}

fn edit(folder: &TempDir, index: u32, change: impl FnOnce(String) -> String) {
    let file = file(folder, index);
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, change(text)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn shards_write_everything_once_and_only_the_reconcile_deletes() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    let reports = run_all(&rig, &config, folder.path()).await;
    assert!(reports.iter().all(is_complete), "{reports:?}");
    // What one shard relates to is there as a placeholder when another one comes to write it.
    let written = reports
        .iter()
        .map(|report| report.upserted + report.unchanged);
    assert_eq!(written.sum::<u64>(), 20 + 1 + 40);
    // Every list is read by one shard; the list of parents by each.
    let asked = rig.api.paths();
    let distinct: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(distinct.len(), 1 + 1 + 20, "{asked:?}");
    let parents = asked.iter().filter(|path| *path == "/tickets").count();
    assert_eq!(asked.len(), distinct.len() - 1 + parents, "{asked:?}");
    assert!((3..=4).contains(&parents), "{asked:?}");
    let children = reports
        .iter()
        .filter(|report| report.resources.iter().any(|read| read.entities > 2))
        .count();
    assert!(children > 1, "one shard has all the work: {reports:?}");
    assert_eq!(rig.port.count(PortCall::DeleteMany), 0);

    let report = reconcile(&rig, &config, folder.path()).await;
    assert!(report.is_clean(), "{report:?}");
    let mut deleted = rig.port.deleted();
    deleted.sort();
    assert_eq!(
        deleted,
        ["comment", "team", "ticket"].map(|blueprint| (blueprint.to_owned(), "gone".to_owned()))
    );
    // What a team relates to stays, although nobody produced it.
    assert!(rig.port.entity("user", "ada").is_some());
    assert_eq!(rig.port.violations(), Vec::<String>::new());
}

/// Three levels, of which the last has two parameters more: `org` and `repo` from lists, the states known beforehand.
const LEVELS: &str = r#"
resources:
  - kind: /orgs/{org}/repos/{repo}/issues
    selector:
      query_params: {state: "{state}"}
      path_parameters:
        org: {endpoint: /orgs, field: .id}
        repo: {endpoint: "/orgs/{org}/repos", field: .id}
        state: {values: [open, closed]}
    port: {entity: {mappings: {identifier: .id, blueprint: '"issue"'}}}
"#;

#[tokio::test(start_paused = true)]
async fn children_of_several_parameters_are_read_by_one_shard_each_and_by_none_twice() {
    let api = ScriptedApi::new()
        .json("/orgs", numbered(4))
        .on("/orgs/{org}/repos", |call| {
            let org = call.parameter("org");
            let repos = (0..5).map(|repo| json!({"id": format!("{org}-{repo}")}));
            Answer::json(repos.collect::<Vec<_>>())
        })
        .on("/orgs/{org}/repos/{repo}/issues", |call| {
            let state = call.query("state").unwrap();
            Answer::json(json!([{"id": format!("{}-{state}", call.parameter("repo"))}]))
        });
    let rig = Rig::with_port(api, PortDouble::new().stale_entity("issue", "gone"));
    let (config, folder) = (config("", LEVELS).unwrap(), TempDir::new().unwrap());
    let reports = run_all(&rig, &config, folder.path()).await;
    assert!(reports.iter().all(is_complete), "{reports:?}");
    let asked: Vec<String> = rig
        .api
        .requests()
        .iter()
        .filter(|seen| seen.path().ends_with("/issues"))
        .map(|seen| seen.url.to_string())
        .collect();
    let distinct: BTreeSet<&String> = asked.iter().collect();
    assert_eq!(
        (asked.len(), distinct.len()),
        (4 * 5 * 2, 4 * 5 * 2),
        "{asked:?}"
    );
    let shares: Vec<u64> = reports
        .iter()
        .map(|report| report.resources[0].entities)
        .collect();
    assert!(shares.iter().all(|share| *share > 0), "{shares:?}");
    reconcile(&rig, &config, folder.path()).await;
    assert_eq!(
        rig.port.deleted(),
        [("issue".to_owned(), "gone".to_owned())]
    );
    assert_eq!(rig.port.identifiers("issue").len(), 40);
}

/// Each process cuts windows at its own time, so that one that was cut elsewhere is in no other's list.
#[tokio::test(start_paused = true)]
async fn windows_of_time_are_not_torn_between_shards_that_begin_at_different_times() {
    const WINDOWS: &str = r#"
resources:
  - kind: /projects/{project}/events
    selector:
      query_params: {from: "{window}", to: "{window.to}"}
      path_parameters:
        project: {values: [a, b, c, d, e, f]}
        window: {from: now-10h, to: now, step: 1h}
    port: {entity: {mappings: {identifier: '.id', blueprint: '"event"'}}}
"#;
    // An event for each minute of the ten hours; a window has those that lie in it.
    let api = ScriptedApi::new().on("/projects/{project}/events", |call| {
        let project = call.parameter("project").to_owned();
        let minute = |name: &str| -> u64 {
            let text = call.query(name).unwrap();
            let time = seconds_of(&text);
            time / 60
        };
        let (from, to) = (minute("from"), minute("to"));
        let events = (from..to).map(|minute| json!({"id": format!("{project}-{minute}")}));
        Answer::json(events.collect::<Vec<_>>())
    });
    let rig = Rig::new(api);
    let (config, folder) = (config("", WINDOWS).unwrap(), TempDir::new().unwrap());
    let mut held = BTreeSet::new();
    for index in 0..COUNT {
        let before = rig.api.requests().len();
        run_shard(
            &rig,
            &config,
            Shard::new(index, COUNT).unwrap(),
            folder.path(),
        )
        .await;
        for seen in &rig.api.requests()[before..] {
            held.insert((seen.path().to_owned(), index));
        }
        // The next one begins later.
        tokio::time::sleep(std::time::Duration::from_secs(7 * 60)).await;
    }
    // Every project is one shard's, with all of its windows.
    assert_eq!(held.len(), 6, "{held:?}");
    let windows = rig.api.requests().len();
    assert!((60..=66).contains(&windows), "{windows}");
    reconcile(&rig, &config, folder.path()).await;
    assert_eq!(rig.port.deleted(), []);
}

/// A value that is new when a later shard reads the list of parents moves every batch behind it.
#[tokio::test(start_paused = true)]
async fn batches_are_not_torn_between_shards_that_find_other_values() {
    const BATCHES: &str = r#"
resources:
  - kind: /scores
    selector:
      query_params: {ids: "{id}"}
      path_parameters:
        id: {endpoint: /users, field: .id, batch: 2}
    port: {entity: {mappings: {identifier: .id, blueprint: '"score"'}}}
"#;
    let api = ScriptedApi::new()
        .json("/users", numbered(20))
        .on("/scores", |call| {
            let ids = call.query("ids").unwrap();
            Answer::json(
                ids.split(',')
                    .map(|id| json!({ "id": id }))
                    .collect::<Vec<_>>(),
            )
        });
    let rig = Rig::new(api.clone());
    let (config, folder) = (config("", BATCHES).unwrap(), TempDir::new().unwrap());
    // A whole sync first: all of it is there and ours.
    rig.sync_from(&config).await;
    rig.port.advance(std::time::Duration::from_secs(3600));
    for index in 0..COUNT {
        run_shard(
            &rig,
            &config,
            Shard::new(index, COUNT).unwrap(),
            folder.path(),
        )
        .await;
        let mut users = vec![json!({"id": format!("new-{index}")})];
        users.extend(numbered(20));
        let _ = api.clone().json("/users", users);
    }
    reconcile(&rig, &config, folder.path()).await;
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn one_incomplete_shard_keeps_what_its_kind_feeds_and_nothing_else() {
    let config = config("", MAPPING).unwrap();
    let folder = TempDir::new().unwrap();
    let api = api().on("/tickets/7/comments", |_| Answer::status(403));
    let rig = Rig::with_port(api, port());
    run_all(&rig, &config, folder.path()).await;
    let report = reconcile(&rig, &config, folder.path()).await;
    let mut deleted = rig.port.deleted();
    deleted.sort();
    assert_eq!(
        deleted,
        ["team", "ticket"].map(|blueprint| (blueprint.to_owned(), "gone".to_owned()))
    );
    assert_eq!(report.withheld.len(), 1, "{report:?}");
    assert_eq!(report.withheld[0].blueprint, "comment");
    assert!(
        report.withheld[0]
            .reason
            .contains("/tickets/{ticket_id}/comments (shard "),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_sync_of_one_shard_straight_into_port_deletes_nothing() {
    let (rig, config) = (rig(), config("", MAPPING).unwrap());
    for index in 0..2 {
        let options = SyncOptions::new().shard(Some(Shard::new(index, 2).unwrap()));
        let report = rig
            .engine_from(&config)
            .sync_with(&options, &sink(&rig, &config))
            .await;
        assert!(!report.withheld.is_empty(), "{report:?}");
    }
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn what_changed_after_the_first_shard_began_stays() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    let first = Shard::new(0, COUNT).unwrap();
    run_shard(&rig, &config, first, folder.path()).await;
    let began = rig.port.now();
    rig.port.advance(std::time::Duration::from_secs(3600));
    // Somebody wrote it after the first shard began and before the others did.
    let late = began + std::time::Duration::from_secs(600);
    let _ = rig.port.clone().owned_entity("ticket", "late", late);
    for index in 1..COUNT {
        run_shard(
            &rig,
            &config,
            Shard::new(index, COUNT).unwrap(),
            folder.path(),
        )
        .await;
    }
    reconcile(&rig, &config, folder.path()).await;
    assert!(rig.port.entity("ticket", "late").is_some());
    assert!(rig.port.entity("ticket", "gone").is_none());
}

/// The shard knows what its queries stood for; the reconcile, which does not ask again, has it from the files.
#[tokio::test(start_paused = true)]
async fn what_a_shard_found_by_a_query_is_not_gone_for_the_reconcile() {
    let mapping = r#"
entityDeletionThreshold: 1
resources:
  - kind: /ratings
    port:
      entity:
        mappings:
          identifier: {combinator: '"and"', rules: [{property: '"mail"', operator: '"="', value: .mail}]}
          blueprint: '"user"'
          properties: {rating: .rating}
"#;
    let taken = Answer::json(json!({
        "ok": true, "entities": [{"identifier": "ada", "index": 0, "created": false}], "errors": [],
    }));
    let rig = Rig::with_port(
        ScriptedApi::new().json("/ratings", json!([{"mail": "a@b", "rating": 5}])),
        PortDouble::new()
            .stale_entity("user", "ada")
            .stale_entity("user", "gone")
            .faults(PortCall::UpsertMany, 1.., taken),
    );
    let (config, folder) = (config("", mapping).unwrap(), TempDir::new().unwrap());
    run_all(&rig, &config, folder.path()).await;
    let report = reconcile(&rig, &config, folder.path()).await;
    assert!(report.is_clean(), "{report}");
    assert_eq!(rig.port.deleted(), [("user".to_owned(), "gone".to_owned())]);
}

#[tokio::test(start_paused = true)]
async fn results_that_are_not_of_one_sync_are_refused_all_reasons_at_once() {
    let (rig, of_this, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    assert!(problems(&of_this, folder.path()).contains("there is no result of a shard"));
    run_all(&rig, &of_this, folder.path()).await;

    let other = config("", &MAPPING.replace("'\"team\"'", "'\"squad\"'")).unwrap();
    assert_eq!(
        problems(&other, folder.path())
            .matches("is of another mapping")
            .count(),
        3
    );

    fs::remove_file(file(&folder, 1)).unwrap();
    edit(&folder, 0, |text| text[..text.len() - 5].to_owned());
    edit(&folder, 2, |text| {
        text.replacen("\"version\":1", "\"version\":2", 1)
    });
    let all = problems(&of_this, folder.path());
    assert!(
        all.contains("shard-1-of-3.ndjson is missing: shard 1/3 has not ended"),
        "{all}"
    );
    assert!(all.contains("shard-0-of-3.ndjson: was cut"), "{all}");
    assert!(all.contains("shard-2-of-3.ndjson: has version 2"), "{all}");
    assert_eq!(all.lines().count(), 3);
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_was_edited_copied_or_shortened_is_refused() {
    type Change = fn(String) -> String;
    let changes: [(Change, &str); 6] = [
        (
            |text| text.replacen("[\"", "[\"x", 1),
            "was changed after it was written",
        ),
        (
            |text| {
                text.lines()
                    .filter(|line| !line.starts_with('['))
                    .map(|line| format!("{line}\n"))
                    .collect()
            },
            "was changed",
        ),
        (
            |text| {
                text.replace("\"incomplete\"", "\"complete\"").replacen(
                    "\"index\":0",
                    "\"index\":1",
                    1,
                )
            },
            "it was renamed or copied",
        ),
        (|text| text.clone() + &text, "was changed"),
        (
            |text| {
                text.lines()
                    .take(2)
                    .map(|line| format!("{line}\n"))
                    .collect()
            },
            "was cut",
        ),
        (|_| "not ours\n".to_owned(), "is no result of a shard"),
    ];
    let config = config("", MAPPING).unwrap();
    for (change, says) in changes {
        let (rig, folder) = (rig(), TempDir::new().unwrap());
        run_all(&rig, &config, folder.path()).await;
        let with_entities = (0..COUNT)
            .find(|index| {
                fs::read_to_string(file(&folder, *index))
                    .unwrap()
                    .contains("\n[\"")
            })
            .unwrap();
        edit(&folder, with_entities, |text| {
            change(text.replacen(&format!("\"index\":{with_entities}"), "\"index\":0", 1)).replacen(
                "\"index\":0",
                &format!("\"index\":{with_entities}"),
                1,
            )
        });
        let all = problems(&config, folder.path());
        assert!(all.contains(says), "{says}: {all}");
    }
}

#[tokio::test(start_paused = true)]
async fn results_of_different_numbers_of_shards_are_refused() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    run_all(&rig, &config, folder.path()).await;
    run_shard(&rig, &config, Shard::new(0, 2).unwrap(), folder.path()).await;
    let all = problems(&config, folder.path());
    assert!(
        all.contains("different numbers of shards (2 and 3)"),
        "{all}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_begins_again_takes_its_old_result_away() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    run_all(&rig, &config, folder.path()).await;
    let shard = Shard::new(1, COUNT).unwrap();
    let again = ShardSink::new(
        sink(&rig, &config),
        shard,
        config.identity().unwrap(),
        folder.path(),
    );
    again.begin().await.unwrap();
    drop(again);
    assert!(problems(&config, folder.path()).contains("shard-1-of-3.ndjson is missing"));
}

#[tokio::test(start_paused = true)]
async fn a_shard_that_cannot_even_begin_has_no_old_result_either() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    run_all(&rig, &config, folder.path()).await;
    let away = rig
        .port
        .clone()
        .faults(PortCall::Token, 1.., Answer::status(401));
    let again = Rig::with_port(api(), away);
    let sink = ShardSink::new(
        sink(&again, &config),
        Shard::new(1, COUNT).unwrap(),
        config.identity().unwrap(),
        folder.path(),
    );
    sink.begin().await.unwrap_err();
    assert!(problems(&config, folder.path()).contains("shard-1-of-3.ndjson is missing"));
}

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

#[tokio::test(start_paused = true)]
async fn a_day_after_the_first_shard_began_nothing_is_deleted() {
    for (hours, deletes) in [(23, 3), (25, 0)] {
        let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
        run_all(&rig, &config, folder.path()).await;
        rig.port.advance(HOUR * hours);
        let report = reconcile(&rig, &config, folder.path()).await;
        assert_eq!(rig.port.deleted().len(), deletes, "{hours}: {report:?}");
        let refused = report
            .errors
            .iter()
            .any(|error| error.contains("25 hours ago"));
        assert_eq!(refused, deletes == 0, "{report:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn shards_that_began_a_day_apart_are_not_of_one_run() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    run_all(&rig, &config, folder.path()).await;
    rig.port.advance(HOUR * 25);
    for index in [0, 2] {
        let shard = Shard::new(index, COUNT).unwrap();
        run_shard(&rig, &config, shard, folder.path()).await;
    }
    let all = problems(&config, folder.path());
    assert_eq!(all.lines().count(), 1, "{all}");
    assert!(
        all.contains("shard-1-of-3.ndjson: is of an earlier run"),
        "{all}"
    );
}

#[tokio::test(start_paused = true)]
async fn results_that_began_after_now_are_of_another_port() {
    let (rig, config, folder) = (rig(), config("", MAPPING).unwrap(), TempDir::new().unwrap());
    rig.port.advance(HOUR);
    run_all(&rig, &config, folder.path()).await;
    let earlier = rig.port.now() - HOUR;
    let _ = rig.port.clone().at_time(earlier);
    let report = reconcile(&rig, &config, folder.path()).await;
    assert!(
        report.errors[0].contains("later than it is now"),
        "{report}"
    );
    assert_eq!(rig.port.deleted(), []);
}

#[tokio::test(start_paused = true)]
async fn entities_that_could_not_be_written_by_a_shard_keep_everything() {
    let config = config("retry: {attempts: 1}", MAPPING).unwrap();
    let folder = TempDir::new().unwrap();
    let port = port().faults(PortCall::UpsertMany, 1.., Answer::status(500));
    let rig = Rig::with_port(api(), port);
    run_all(&rig, &config, folder.path()).await;
    let report = reconcile(&rig, &config, folder.path()).await;
    assert_eq!(rig.port.deleted(), []);
    assert!(
        report
            .withheld
            .iter()
            .all(|held| held.reason.contains("did not end well")),
        "{report:?}"
    );
    assert_eq!(report.withheld.len(), 3, "{report:?}");
}

#[test]
fn the_identity_of_a_configuration_is_what_it_says_and_not_how_it_is_written() {
    let of =
        |connection: &str, mapping: &str| config(connection, mapping).unwrap().identity().unwrap();
    let written = of("", MAPPING);
    let as_json = serde_json::to_string(&json!({
        "resources": [
            {"kind": "/tickets", "port": {"entity": {"mappings": {"blueprint": "\"ticket\"", "identifier": ".id"}}}},
            {"port": {"entity": {"mappings": {"identifier": ".id", "blueprint": "\"team\"", "relations": {"lead": ".lead"}}}}, "kind": "/teams"},
            {
                "kind": "/tickets/{ticket_id}/comments",
                "selector": {"path_parameters": {"ticket_id": {"field": ".id", "endpoint": "/tickets"}}},
                "port": {"entity": {"mappings": {
                    "identifier": ".id", "blueprint": "\"comment\"", "relations": {"ticket": ".__ticket_id"},
                }}},
            },
        ],
    }));
    assert_eq!(of("pageSize: 7", &as_json.unwrap()), written);
    assert_ne!(of("", &MAPPING.replace("/teams", "/squads")), written);
    assert_ne!(of("integration: {identifier: other}", MAPPING), written);
}

#[test]
fn the_identity_tells_apis_and_tenants_apart() {
    let of = |base_url: &str, more: &str| {
        let loaded = Config::loader()
            .connection_text("connection.yaml", &format!("baseUrl: '{base_url}'\n{more}"))
            .mapping_text("mapping.yaml", MAPPING)
            .load();
        loaded.unwrap().identity().unwrap()
    };
    let written = of("https://api.example.com/v1", "");
    assert_eq!(
        of(
            "https://api.example.com:443/v1",
            "authType: bearer_token\napiToken: x"
        ),
        written
    );
    let tenants = [
        ("https://api.example.com:8443/v1", ""),
        ("http://api.example.com/v1", ""),
        ("https://api.example.com/v2", ""),
        ("https://api.example.org/v1", ""),
        ("https://api.example.com/v1?tenant=test", ""),
        ("https://api.example.com/v1?tenant=prod", ""),
        (
            "https://api.example.com/v1",
            "customHeaders: {X-Org-Id: test}",
        ),
        (
            "https://api.example.com/v1",
            "customHeaders: {X-Org-Id: prod}",
        ),
    ];
    let mut all: BTreeSet<String> = tenants.map(|(url, more)| of(url, more)).into();
    assert!(
        all.insert(written) && all.len() == tenants.len() + 1,
        "{all:?}"
    );
    let of_headers = |headers: &str| {
        of(
            "https://api.example.com",
            &format!("customHeaders: {{{headers}}}"),
        )
    };
    assert_eq!(of_headers("A: x, B: y"), of_headers("b: y, a: x"));
    // It cannot be read back.
    let secret = of("https://api.example.com?key=sk-1234", "");
    assert!(secret.len() == 32 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

/// `2026-01-01T10:00:00Z` in seconds of that year.
fn seconds_of(text: &str) -> u64 {
    let number = |range: std::ops::Range<usize>| text[range].parse::<u64>().unwrap();
    let days = number(5..7) * 31 + number(8..10);
    ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60 + number(17..19)
}

fn is_complete(report: &Report) -> bool {
    let mut reads = report.resources.iter();
    reads.all(|read| read.outcome == "complete") && report.errors.is_empty()
}

#[cfg(target_os = "linux")]
#[tokio::test(start_paused = true)]
async fn a_shard_whose_book_broke_in_the_middle_says_why_it_has_none() {
    let rig = Rig::new(ScriptedApi::new().json("/users", numbered(2_000)));
    let config = config("", &crate::rig::items("/users", "{}")).unwrap();
    let folder = TempDir::new().unwrap();
    let shard: Shard = "0/1".parse().unwrap();
    // A disk that is full after the first few kilobytes, which are not written yet.
    let partial = folder.path().join(".shard-0-of-1.ndjson.partial");
    std::os::unix::fs::symlink("/dev/full", partial).unwrap();
    let sink = ShardSink::new(sink(&rig, &config), shard, "the same", folder.path());
    let options = SyncOptions::new().shard(Some(shard));
    let report = rig.engine_from(&config).sync_with(&options, &sink).await;
    assert!(!report.is_clean(), "{report}");
    let error = sink.finish(&report).unwrap_err().to_string();
    assert!(
        error.contains("cannot be written: No space left on device"),
        "{error}"
    );
}
