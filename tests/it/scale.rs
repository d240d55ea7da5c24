//! Large catalogs, with figures: `cargo test --release -p longshore-suite --test it -- --ignored --nocapture scale`.
//!
//! The program runs as its own process against an API and a Port on this machine, so that its time and its memory are its own.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use longshore_testkit::{Answer, PortCall, PortDouble, Server, Service, serve, service_fn};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::Program;

const MAPPING: &str = r#"
resources:
  - kind: /users
    port:
      entity:
        mappings:
          identifier: .id
          title: .name
          blueprint: '"user"'
          properties: {email: .email, visits: .visits, active: .active, bio: .bio}
          relations: {team: .team}
"#;
const PAGE: u64 = 1000;

/// So many users, of which the first few have changed so many times.
fn users(count: u64, changed: u64, version: u64) -> impl Service {
    service_fn(move |request| async move {
        let query = |name: &str| {
            let mut pairs = request.url.query_pairs();
            let value = pairs.find(|(key, _)| key == name);
            value.map_or(0, |(_, value)| value.parse().unwrap())
        };
        let begin = (query("page") - 1) * PAGE;
        let end = (begin + PAGE).min(count);
        let user = |n: u64| {
            json!({
                "id": format!("user-{n:07}"),
                "name": format!("Name {n}"),
                "email": format!("user.{n}@example.com"),
                "visits": if n < changed { version } else { n % 7 },
                "active": n.is_multiple_of(3),
                "bio": "A few words about this one, as people write them.",
                "team": format!("team-{}", n % 100),
                "left_out": {"by": ["the", "mapping"], "n": n},
            })
        };
        let page: Vec<Value> = (begin..end).map(user).collect();
        Answer::json(json!(page)).header("x-total-count", &count.to_string())
    })
}

/// What one sync cost.
struct Cost {
    took: Duration,
    /// The most memory that the process had at once, where the system tells.
    peak: Option<u64>,
    report: Value,
    to_port: usize,
    bulk: usize,
    searches: usize,
    lists: usize,
}

impl Cost {
    fn count(&self, name: &str) -> u64 {
        self.report[name].as_u64().unwrap_or_default()
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:6.1} s, {:6} requests to Port (bulk {}, search {}, owned {}), {} upserted, {} unchanged, peak {} MiB",
            self.took.as_secs_f64(),
            self.to_port,
            self.bulk,
            self.searches,
            self.lists,
            self.count("upserted"),
            self.count("unchanged"),
            self.peak
                .map_or("?".to_owned(), |peak| (peak >> 20).to_string()),
        )
    }
}

/// One sync by a process of its own.
async fn sync(
    api: impl Service,
    (port, port_server): (&PortDouble, &Server),
    state: Option<&TempDir>,
) -> Cost {
    let api = serve(api).await;
    let mut program = Program::new()
        .connection(&format!(
            "baseUrl: {}\npaginationType: page\npageSize: {PAGE}\nsendRawDataExamples: false",
            api.url
        ))
        .port(port_server)
        .mapping(MAPPING)
        .arguments(&["--once"])
        .variable("OCEAN__LOG_LEVEL", "WARNING");
    if let Some(state) = state {
        let file = state.path().join("state");
        program = program.variable("OCEAN__SYNC_STATE", file.to_str().unwrap());
    }
    let before = so_far(port);
    let begun = Instant::now();
    let peak = Arc::new(Mutex::new(None));
    let highest = peak.clone();
    let ended = program
        .run_watched(move |id| {
            let mut highest = highest.lock().unwrap();
            *highest = peak_memory(id).max(*highest);
        })
        .await;
    let took = begun.elapsed();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let after = so_far(port);
    let cost = Cost {
        took,
        peak: *peak.lock().unwrap(),
        report: ended.report(),
        to_port: after.0 - before.0,
        bulk: after.1[0] - before.1[0],
        searches: after.1[1] - before.1[1],
        lists: after.1[2] - before.1[2],
    };
    port.advance(Duration::from_secs(600));
    cost
}

/// How many requests there were, and how many of those that go by the number of entities.
fn so_far(port: &PortDouble) -> (usize, [usize; 3]) {
    let counts = [PortCall::UpsertMany, PortCall::Search, PortCall::Owned];
    (port.requests().len(), counts.map(|call| port.count(call)))
}

/// The high-water mark of a process, in bytes.
fn peak_memory(id: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes << 10)
}

fn port() -> PortDouble {
    PortDouble::new().relation("user", "team", "team")
}

async fn second_syncs(count: u64) {
    for with_state in [false, true] {
        let folder = with_state.then(|| TempDir::new().unwrap());
        let port = port();
        // Digests are of what one Port acknowledged, so it keeps its address.
        let server = port.serve().await;
        let at = (&port, &server);
        let way = if with_state { "digests" } else { "compared" };
        let first = sync(users(count, 10, 100), at, folder.as_ref()).await;
        println!("{way:>8}, first:     {first}");
        assert_eq!(first.count("upserted"), count);
        let second = sync(users(count, 10, 100), at, folder.as_ref()).await;
        println!("{way:>8}, unchanged: {second}");
        assert_eq!(
            (second.count("upserted"), second.count("unchanged")),
            (0, count)
        );
        assert_eq!(second.bulk, 0);
        let third = sync(users(count, 10, 101), at, folder.as_ref()).await;
        println!("{way:>8}, 10 other:  {third}");
        assert_eq!(third.count("upserted"), 10);
        assert_eq!(third.bulk, 1);
        assert_eq!(port.deleted(), []);
        if with_state {
            assert_eq!(second.searches, 0);
        }
        assert!(second.to_port * 2 < first.to_port);
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute; run it in release, where its figures mean something"]
async fn a_second_sync_of_100_000_entities_costs_little_scale() {
    second_syncs(100_000).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes; run it in release, where its figures mean something"]
async fn a_million_entities_take_little_memory_scale() {
    second_syncs(1_000_000).await;
}
