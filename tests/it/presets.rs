//! `preset: github` is as if the settings of GitHub's paging stood there: at the connection, a resource and a parents' list.

use longshore_engine::paginate::Settings;
use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
use serde_json::json;

use crate::rig::{Rig, items};

fn slack() -> ScriptedApi {
    let pages = Pages::cursor(numbered(450))
        .under("members")
        .cursor_at("response_metadata.next_cursor");
    ScriptedApi::new().pages("/users", pages)
}

async fn asked(connection: &str, selector: &str) -> (Vec<String>, usize) {
    let rig = Rig::new(slack());
    let read = rig.read(connection, &items("/users", selector)).await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    (rig.api.paths(), read.entities.len())
}

#[tokio::test(start_paused = true)]
async fn a_preset_reads_as_its_settings_do_wherever_it_is_written() {
    let of_slack = [
        "/users?limit=200",
        "/users?cursor=c200&limit=200",
        "/users?cursor=c400&limit=200",
    ];
    for (connection, selector) in [
        ("preset: slack", "{data_path: .members}"),
        ("", "{data_path: .members, pagination: {preset: slack}}"),
        // What the connection names is meant for its own style.
        (
            "paginationType: cursor\npaginationParam: x\nsizeParam: y\ncursorPath: z\npageSize: 7",
            "{data_path: .members, pagination: {preset: slack}}",
        ),
        (
            "preset: github",
            "{data_path: .members, pagination: {preset: slack}}",
        ),
    ] {
        assert_eq!(
            asked(connection, selector).await,
            (of_slack.map(str::to_owned).to_vec(), 450),
            "{connection} {selector}"
        );
    }
    // Written out, as the table of the README has it.
    let line = Settings::preset("slack").unwrap().line();
    let selector = format!("{{data_path: .members, {line}}}");
    assert_eq!(asked("", &selector).await.0, of_slack);
}

#[tokio::test(start_paused = true)]
async fn keys_beside_a_preset_go_over_it_and_those_of_a_resource_over_the_connection_s() {
    for (connection, selector) in [
        ("preset: slack\npageSize: 300", "{data_path: .members}"),
        (
            "preset: slack",
            "{data_path: .members, pagination: {size: 300}}",
        ),
        (
            "preset: slack\npageSize: 5",
            "{data_path: .members, pagination: {size: 300}}",
        ),
        (
            "pageSize: 5",
            "{data_path: .members, pagination: {preset: slack, size: 300}}",
        ),
    ] {
        assert_eq!(
            asked(connection, selector).await.0,
            ["/users?limit=300", "/users?cursor=c300&limit=300"],
            "{connection} {selector}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn parents_have_a_preset_of_their_own() {
    let api = slack().on("/users/{id}/keys", |call| {
        Answer::json(json!([{"id": call.parameter("id")}]))
    });
    let rig = Rig::new(api);
    let selector = "{pagination: none, path_parameters: {user: {endpoint: /users, data_path: .members, field: .id, pagination: {preset: slack}}}}";
    let read = rig
        .read("preset: github", &items("/users/{user}/keys", selector))
        .await;
    assert!(read.outcome.is_complete(), "{:?}", read.errors);
    assert_eq!(read.entities.len(), 450);
    assert_eq!(rig.api.paths()[1], "/users?cursor=c200&limit=200");
}

/// The README lists what every preset stands for.
#[test]
fn the_readme_has_the_settings_of_every_preset() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let expected: Vec<String> = Settings::presets()
        .iter()
        .map(|name| {
            let line = Settings::preset(name).unwrap().line();
            let settings = line.strip_prefix("pagination: ").unwrap();
            format!("| `{name}` | `{settings}` |")
        })
        .collect();
    let table: Vec<&str> = readme
        .lines()
        .skip_while(|line| *line != "| `preset` | the same as |")
        .skip(2)
        .take_while(|line| line.starts_with('|'))
        .collect();
    assert!(
        table == expected,
        "the table of presets should be\n{}",
        expected.join("\n")
    );
}
