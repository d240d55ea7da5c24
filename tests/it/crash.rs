//! A process that is killed at any point of a sync leaves nothing behind that the next sync does not put right (R12).

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use longshore_engine::transport::Request;
use longshore_testkit::{
    Answer, Pages, PortCall, PortDouble, PortEvent, ScriptedApi, Server, Service, serve,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::Program;

const MAPPING: &str = r#"
entityDeletionThreshold: 1
resources:
  - kind: /users
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"user"', properties: {n: .n}, relations: {team: .team}}}}
  - kind: /teams
    port: {entity: {mappings: {identifier: .id, title: .name, blueprint: '"team"'}}}
"#;

/// What the API has at one time.
#[derive(Clone, Copy, Debug)]
struct World(u64);

impl World {
    fn users(self) -> Vec<Value> {
        // Some come, some go, some change, some stay.
        (self.0 * 5..90 + self.0 * 5)
            .map(|id| {
                let version = if id % 3 == 0 { self.0 } else { 0 };
                json!({"id": id, "name": format!("user {id} v{version}"), "n": version, "team": format!("t{}", id % 7)})
            })
            .collect()
    }

    fn teams(self) -> Vec<Value> {
        (0..7)
            .map(|id| json!({"id": format!("t{id}"), "name": format!("team {id} v{}", self.0)}))
            .collect()
    }

    fn api(self) -> ScriptedApi {
        ScriptedApi::new()
            .pages("/users", Pages::page(self.users()))
            .pages("/teams", Pages::page(self.teams()))
    }

    /// Identifier, title, properties and relations of everything.
    fn truth(self) -> BTreeMap<(String, String), Value> {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let users = self.users().into_iter().map(|user| {
            let content = json!([user["name"], {"n": user["n"]}, {"team": user["team"]}]);
            (("user".to_owned(), text(&user["id"])), content)
        });
        let teams = self.teams().into_iter().map(|team| {
            let content = json!([team["name"], {}, {}]);
            (("team".to_owned(), text(&team["id"])), content)
        });
        users.chain(teams).collect()
    }
}

fn held(port: &PortDouble) -> BTreeMap<(String, String), Value> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    port.entities()
        .into_iter()
        .map(|entity| {
            let key = (text(&entity["blueprint"]), text(&entity["identifier"]));
            (
                key,
                json!([entity["title"], entity["properties"], entity["relations"]]),
            )
        })
        .collect()
}

/// Counts the requests of a process, and kills it at one of them.
#[derive(Debug, Default)]
struct Fate {
    requests: u64,
    kill_at: Option<u64>,
    /// Whether the request still takes effect.
    after_effect: bool,
    child: Option<Child>,
}

impl Fate {
    fn kill(&mut self) {
        if let Some(child) = &mut self.child {
            child.kill().unwrap();
        }
    }
}

/// A service whose requests are counted together with those of others.
#[derive(Debug)]
struct Fatal<S> {
    service: S,
    fate: Arc<Mutex<Fate>>,
}

#[async_trait]
impl<S: Service> Service for Fatal<S> {
    async fn answer(&self, request: Request) -> Answer {
        let is_last = {
            let mut fate = self.fate.lock().unwrap();
            fate.requests += 1;
            let is_last = fate.kill_at == Some(fate.requests);
            if is_last && !fate.after_effect {
                fate.kill();
                return Answer::status(503);
            }
            is_last
        };
        let answer = self.service.answer(request).await;
        if is_last {
            self.fate.lock().unwrap().kill();
        }
        answer
    }
}

/// Runs the program once, to its end or to its fate. Returns how many requests it made.
async fn run(
    world: World,
    port: &PortDouble,
    state: Option<&TempDir>,
    kill_at: Option<(u64, bool)>,
) -> u64 {
    let fate = Arc::new(Mutex::new(Fate {
        kill_at: kill_at.map(|(request, _)| request),
        after_effect: kill_at.is_some_and(|(_, after_effect)| after_effect),
        ..Fate::default()
    }));
    let api = serving(world.api(), &fate).await;
    let port_server = serving(port.clone(), &fate).await;
    let mut program = Program::new()
        .connection(&format!(
            "baseUrl: {}\npaginationType: page\npageSize: 20",
            api.url
        ))
        .port(&port_server)
        .mapping(MAPPING)
        .arguments(&["--once"]);
    if let Some(state) = state {
        let file = state.path().join("state");
        program = program.variable("OCEAN__SYNC_STATE", file.to_str().unwrap());
    }
    {
        // The process makes no request before it is known here: the lock is held.
        let mut fate = fate.lock().unwrap();
        fate.child = Some(program.spawn());
    }
    loop {
        let ended = {
            let mut fate = fate.lock().unwrap();
            fate.child.as_mut().unwrap().try_wait().unwrap()
        };
        if let Some(status) = ended {
            if kill_at.is_none() {
                assert_eq!(status.code(), Some(0), "{world:?}");
            }
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // What is under way still takes effect.
    tokio::time::sleep(Duration::from_millis(5)).await;
    port.advance(Duration::from_secs(600));
    assert_eq!(port.violations(), Vec::<String>::new());
    fate.lock().unwrap().requests
}

async fn serving(service: impl Service, fate: &Arc<Mutex<Fate>>) -> Server {
    serve(Fatal {
        service,
        fate: fate.clone(),
    })
    .await
}

/// Kills a sync of a changed world at a random request, then syncs that world or the one before.
async fn crash(seed: u64, requests: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let port = PortDouble::new().stale_entity("user", "left-long-ago");
    let folder = random.bool().then(|| TempDir::new().unwrap());
    let (before, after) = (World(1), World(2));
    run(before, &port, folder.as_ref(), None).await;
    assert_eq!(held(&port), before.truth());

    let so_far = port.events().len();
    let point = random.u64(1..=requests + 1);
    run(after, &port, folder.as_ref(), Some((point, random.bool()))).await;
    let events = port.events().split_off(so_far);
    if let Some(first) = events
        .iter()
        .position(|event| matches!(event, PortEvent::Deleted { .. }))
    {
        // Deletes come after all upserts: everything else is as it should be by then.
        assert!(
            !events[first..]
                .iter()
                .any(|event| matches!(event, PortEvent::Upserted { .. })),
            "seed {seed}: {events:?}"
        );
        let held = held(&port);
        for (entity, content) in after.truth() {
            assert_eq!(held.get(&entity), Some(&content), "seed {seed}");
        }
    }

    // Back to how it was is the hardest: what was known before looks right again.
    let next = if random.bool() { before } else { after };
    run(next, &port, folder.as_ref(), None).await;
    assert_eq!(
        held(&port),
        next.truth(),
        "seed {seed}, killed at {point}, then {next:?}"
    );
    // And what is known now is worth skipping for.
    let upserts = port.count(PortCall::UpsertMany);
    run(next, &port, folder.as_ref(), None).await;
    assert_eq!(port.count(PortCall::UpsertMany), upserts, "seed {seed}");
    assert_eq!(held(&port), next.truth(), "seed {seed}");
}

async fn crashes(seeds: std::ops::Range<u64>) {
    let port = PortDouble::new();
    run(World(1), &port, None, None).await;
    let requests = run(World(2), &port, None, None).await;
    assert!(requests > 15, "{requests}");
    for seed in seeds {
        crash(seed, requests).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_is_killed_anywhere_is_put_right_by_the_next() {
    crashes(0..6).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; run it in release"]
async fn a_sync_that_is_killed_at_200_points_is_put_right_by_the_next_crash_200() {
    crashes(1000..1200).await;
}
