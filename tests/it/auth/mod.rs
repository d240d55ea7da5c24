//! Every `authType`, from the two files to what API and token endpoint see.

mod custom;
mod errors;
mod lifetimes;
mod oauth2;
mod origins;
mod per_resource;
mod placements;
mod rotation;
mod sigv4;
mod written;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use longshore_engine::Engine;
use longshore_testkit::{Answer, Network, PortDouble, ScriptedApi, Seen};
use serde_json::{Value, json};

use crate::rig::{API, PORT, Read, Rig, items};

/// Where tokens come from in most of these tests: another host than the API's.
const LOGIN: &str = "https://login.example.net";

/// A token endpoint on a host of its own, and an API that lets only its tokens in.
#[derive(Clone, Debug)]
struct Issuer {
    rig: Arc<Rig>,
    login: ScriptedApi,
    valid: Arc<Mutex<BTreeSet<String>>>,
}

impl Issuer {
    /// The endpoint answers `token-1`, `token-2`, … in a usual answer with these members beside.
    fn new(members: Value) -> Issuer {
        Issuer::answering(move |token| {
            let mut answer = json!({"access_token": token, "token_type": "Bearer"});
            merge(&mut answer, &members);
            Answer::json(answer)
        })
    }

    /// The endpoint answers whatever `answer` makes of `token-1`, `token-2`, …
    fn answering(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Issuer {
        let valid: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        let known = Arc::clone(&valid);
        let issued = Mutex::new(0);
        let login = ScriptedApi::new().on("/token", move |_| {
            let mut issued = issued.lock().unwrap();
            *issued += 1;
            let token = format!("token-{issued}");
            known.lock().unwrap().insert(token.clone());
            answer(&token)
        });
        let known = Arc::clone(&valid);
        let api = ScriptedApi::new().on("/items", move |call| {
            let given = call.request.headers.get("authorization");
            let given = given
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            match given
                .strip_prefix("Bearer ")
                .is_some_and(|token| known.lock().unwrap().contains(token))
            {
                true => Answer::json(json!([{"id": 1}])),
                false => Answer::status(401),
            }
        });
        Issuer {
            rig: Arc::new(two_hosts(api, login.clone())),
            login,
            valid,
        }
    }

    /// Somebody revokes every token.
    fn revoke(&self) {
        self.valid.lock().unwrap().clear();
    }

    fn engine(&self, connection: &str) -> Engine {
        self.rig.engine(connection, &items("/items", "{}"))
    }

    /// How many tokens were asked for.
    fn logins(&self) -> usize {
        self.login.requests().len()
    }
}

/// The API and a login on another host.
fn two_hosts(api: ScriptedApi, login: ScriptedApi) -> Rig {
    let port = PortDouble::new();
    let network = Network::new()
        .at(API, api.clone())
        .at(LOGIN, login)
        .at(PORT, port.clone());
    Rig { api, port, network }
}

fn merge(into: &mut Value, members: &Value) {
    for (name, value) in members.as_object().unwrap() {
        into[name] = value.clone();
    }
}

/// Reads the only resource of an engine, which must go well.
async fn well(engine: &Engine) -> Read {
    let read = Read::of(engine, &engine.resources()[0]).await;
    assert_eq!(read.identifiers(), ["1"], "{:?}", chains(&read));
    read
}

/// The errors of a read, each with its causes.
fn chains(read: &Read) -> Vec<String> {
    read.errors
        .iter()
        .map(|error| {
            let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| {
                error.source()
            });
            causes
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(": ")
        })
        .collect()
}

/// The form that a request carries.
fn form(seen: &Seen) -> BTreeMap<String, String> {
    assert_eq!(
        seen.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    let body = seen.body.as_deref().unwrap_or_default();
    url::form_urlencoded::parse(body).into_owned().collect()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// The names of all headers of a request, in order.
fn header_names(seen: &Seen) -> Vec<&str> {
    let names: BTreeSet<&str> = seen.headers.keys().map(|name| name.as_str()).collect();
    names.into_iter().collect()
}

async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}
