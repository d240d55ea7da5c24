//! Resources share what may be asked for at once, however many lists each of them wants.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::Rig;

/// On average.
const ANSWER: Duration = Duration::from_millis(20);
const CROWDS: u32 = 8;
const TEAMS: u32 = 40;
const PAGES: u32 = 30;
/// The children of each crowd, the list of their parents, and the pages.
const REQUESTS: u32 = CROWDS * TEAMS + 1 + PAGES;

/// Resources with a child for each team, and one whose pages can only be asked for one after the other.
fn mapping(pages_first: bool) -> String {
    let pages = r#"
  - kind: /users
    selector: {data_path: .data, pagination: {type: cursor, size: 10}}
    port: {entity: {mappings: {identifier: .id, blueprint: '"user"'}}}"#;
    let crowds: String = (0..CROWDS)
        .map(|n| {
            format!(
                r#"
  - kind: /teams/{{id}}/list{n}
    selector: {{path_parameters: {{id: {{endpoint: /teams, field: .id}}}}}}
    port: {{entity: {{mappings: {{identifier: .id, blueprint: '"of{n}"'}}}}}}"#
            )
        })
        .collect();
    match pages_first {
        true => format!("resources:{pages}{crowds}\n"),
        false => format!("resources:{crowds}{pages}\n"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_resource_with_one_request_at_a_time_does_not_wait_behind_the_crowds_of_others() {
    for pages_first in [true, false] {
        let random = Mutex::new(fastrand::Rng::with_seed(7));
        let takes = Arc::new(move || ANSWER * random.lock().unwrap().u32(50..150) / 100);
        let (of_children, of_users) = (takes.clone(), takes);
        let users = Pages::cursor(numbered(10 * u64::from(PAGES)));
        let rig = Rig::new(
            ScriptedApi::new()
                .json("/teams", numbered(u64::from(TEAMS)))
                .on("/teams/{id}/{list}", move |call| {
                    Answer::json(json!([{"id": call.parameter("id")}])).after(of_children())
                })
                .on("/users", move |call| users.answer(call).after(of_users())),
        );
        let report = rig.sync("", &mapping(pages_first)).await;
        assert!(report.is_clean(), "{report}");
        let asked = |prefix: &str| -> Vec<Duration> {
            let requests = rig.api.requests();
            let of = requests
                .iter()
                .filter(|seen| seen.path().starts_with(prefix));
            of.map(|seen| seen.at).collect()
        };
        assert_eq!(asked("/").len() as u32, REQUESTS);

        let users = asked("/users");
        let alone = ANSWER * (PAGES - 1);
        let took = users[users.len() - 1] - users[0];
        assert!(took <= alone * 5 / 4, "{took:?} instead of {alone:?}");

        // The crowds get the rest, each as much as the others, and no permit is idle while somebody wants one.
        let ends: Vec<Duration> = (0..CROWDS)
            .map(|n| {
                let requests = rig.api.requests();
                let of = requests
                    .iter()
                    .filter(|seen| seen.path().ends_with(&format!("list{n}")));
                of.map(|seen| seen.at).max().unwrap()
            })
            .collect();
        let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
        assert!(*first >= *last * 3 / 4, "{ends:?}");
        let all = ANSWER * REQUESTS / 10;
        assert!(*last <= all * 23 / 20, "{last:?} instead of {all:?}");
    }
}
