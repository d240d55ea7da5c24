//! The demo API: services in pages, and the deployments of each.

use std::time::Duration;

use longshore_testkit::{Answer, Pages, ScriptedApi};
use serde_json::{Value, json};

const LANGUAGES: [&str; 4] = ["rust", "go", "python", "typescript"];
const TEAMS: [&str; 3] = ["payments", "search", "platform"];

/// An API with a bearer token that takes its time, as real ones do.
pub(crate) fn api() -> ScriptedApi {
    let services = Pages::page((1..=23).map(service))
        .under("services")
        .total("total");
    ScriptedApi::new()
        .bearer("demo-token")
        .on("/api/v1/services", move |call| {
            services.answer(call).after(Duration::from_millis(60))
        })
        .on("/api/v1/services/{service_id}/deployments", |_| {
            let deployments: Vec<Value> = (1..=3).map(deployment).collect();
            Answer::json(deployments).after(Duration::from_millis(40))
        })
}

fn service(n: usize) -> Value {
    json!({
        "id": format!("svc-{n}"),
        "name": format!("Service {n}"),
        "language": LANGUAGES[n % LANGUAGES.len()],
        "tier": n % 3 + 1,
        "retired": n == 13,
        "owner": { "team": TEAMS[n % TEAMS.len()] },
    })
}

fn deployment(number: usize) -> Value {
    json!({
        "number": number,
        "status": if number == 2 { "FAILED" } else { "SUCCEEDED" },
        "finished_at": format!("2026-01-0{number}T10:00:00Z"),
    })
}
