//! Port, for `tests/real`: the double answers, and beside it Prism holds every request against Port's published description.
//!
//! Prism's own answers are static, so no client can work with them: they are looked at and thrown away. What it finds wrong with a
//! request is kept, and so is an answer that it does not give.
//!
//! `GET /shim/report` tells everything that was asked, and what is in the catalog; `POST /shim/resync/{integration}` asks an
//! integration to resync, as somebody does at Port; `POST /shim/hour` lets an hour pass there.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::header::{ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use longshore_engine::transport::{HttpTransport, Request, Response, Transport};
use longshore_testkit::{Answer, PortDouble, Service, async_trait, serve};
use serde_json::{Value, json};
use url::Url;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let prism = std::env::args()
        .nth(1)
        .ok_or("usage: real_port PRISM_URL")?;
    let shim = Shim {
        port: PortDouble::new().credentials("id", "secret"),
        prism: prism.parse()?,
        http: HttpTransport::builder().build()?,
        asked: Arc::default(),
    };
    let server = serve(shim).await;
    println!("listening on {}", server.url);
    std::future::pending().await
}

#[derive(Debug)]
struct Shim {
    port: PortDouble,
    prism: Url,
    http: HttpTransport,
    /// Every request, with what was found wrong with it; none is looked at by Prism that the description does not list.
    asked: Arc<Mutex<Vec<Value>>>,
}

#[async_trait]
impl Service for Shim {
    async fn answer(&self, request: Request) -> Answer {
        let path: Vec<&str> = request.url.path().split('/').skip(1).collect();
        match path.as_slice() {
            ["shim", "report"] => return Answer::json(self.report()),
            ["shim", "hour"] => {
                self.port.advance(Duration::from_secs(60 * 60));
                return Answer::status(204);
            }
            ["shim", "resync", integration] => {
                let _ = self.port.clone().request_resync(integration);
                return Answer::status(204);
            }
            _ => {}
        }
        let violations = match is_listed(request.method.as_str(), &path) {
            true => Some(self.violations(&request).await),
            false => None,
        };
        let headers: Value = request
            .headers
            .iter()
            .map(|(name, value)| {
                (
                    name.to_string(),
                    json!(String::from_utf8_lossy(value.as_bytes())),
                )
            })
            .collect();
        let body = request.body.as_deref().map(String::from_utf8_lossy);
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(json!({
                "method": request.method.as_str(),
                "path": request.url.path(),
                "query": request.url.query(),
                "headers": headers,
                "body": body,
                "checked": violations.is_some(),
                "violations": violations.unwrap_or_default(),
            }));
        self.port.answer(request).await
    }
}

impl Shim {
    fn report(&self) -> Value {
        json!({
            "requests": &*self.asked.lock().unwrap_or_else(PoisonError::into_inner),
            "entities": self.port.entities(),
            "deleted": self.port.deleted(),
            "violations": self.port.violations(),
        })
    }

    /// What Prism finds wrong with a request.
    async fn violations(&self, request: &Request) -> Vec<String> {
        let mut copy = request.clone();
        copy.url = self.prism.clone();
        copy.url.set_path(request.url.path());
        copy.url.set_query(request.url.query());
        // Of this connection, not of the request; and the answer is to be readable.
        for name in [
            HOST,
            CONNECTION,
            CONTENT_LENGTH,
            TRANSFER_ENCODING,
            ACCEPT_ENCODING,
        ] {
            copy.headers.remove(name);
        }
        match self.http.send(copy).await {
            Ok(answer) => problems(&answer),
            Err(error) => vec![format!("Prism did not answer: {error}")],
        }
    }
}

/// What only Port's own clients call stands in no description: routes marked with (+) in the project's notes on Port's API.
fn is_listed(method: &str, path: &[&str]) -> bool {
    !matches!(
        (method, path),
        (
            "POST",
            ["v1", "blueprints", "entities", "datasource-entities"]
        ) | ("POST", ["v1", "integration"])
            | ("GET", ["v1", "integration", _, "resync-request"])
            | ("PATCH", ["v1", "integration", _, "resync-state"])
            | ("POST", ["v1", "integration", _, "kinds", _, "examples"])
    )
}

/// Everything that an answer of Prism says against the request. Against its own answers it says a lot, too: many of the examples that
/// it makes up do not fit the patterns of the description. Of a call that the description knows refusals only, it gives one of those.
fn problems(answer: &Response) -> Vec<String> {
    let header = |name| answer.headers.get(name).map(|value| value.as_bytes());
    let listed: Vec<Value> = header("sl-violations")
        .and_then(|listed| serde_json::from_slice(listed).ok())
        .unwrap_or_default();
    if listed.is_empty() && header("content-type") == Some(b"application/problem+json") {
        // Prism's own words: no such route, no credentials, a type of body that is not taken.
        let body = String::from_utf8_lossy(&answer.body);
        return vec![format!("{}: {body}", answer.status)];
    }
    listed
        .iter()
        .filter(|violation| violation["location"][0] != "response")
        .map(|violation| format!("{} ({})", violation["message"], violation["location"]))
        .collect()
}
