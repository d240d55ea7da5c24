//! Faults in process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use http::header::DATE;
use longshore_transport::Request;

use super::{Fault, FaultPlan};
use crate::seen::lock;
use crate::{Answer, Service};

/// A service whose answers go wrong as a [`FaultPlan`] says.
///
/// In process there is no wire, so what happens there is what a transport makes of it: a reset is an error of kind `Reset`, a body
/// that hangs one of kind `Timeout` after [`timeout`](Faulty::timeout). [`serve_faulty`](crate::serve_faulty) does the same to real
/// sockets; that both agree is tested. Clones count together.
///
/// ```
/// use longshore_testkit::{Fault, FaultPlan, Faulty, Network, ScriptedApi};
/// use serde_json::json;
///
/// let api = ScriptedApi::new().json("/users", json!([{"id": 1}]));
/// let plan = FaultPlan::new().strike("/users", 1, Fault::Unavailable, 2);
/// let network = Network::new().at("https://api.example.com", Faulty::new(api, plan));
/// # let _ = network;
/// ```
#[derive(Clone, Debug)]
pub struct Faulty {
    service: Arc<dyn Service>,
    plan: Arc<FaultPlan>,
    timeout: Duration,
    asked: Arc<Mutex<Asked>>,
}

/// How often each request was made, by path.
#[derive(Debug, Default)]
struct Asked(HashMap<String, Vec<(String, u64)>>);

/// What becomes of one request.
#[derive(Debug)]
pub(super) struct Happens {
    pub(super) fault: Option<Fault>,
    /// What the service said; nothing where the fault keeps the request from it.
    pub(super) answer: Option<Answer>,
}

impl Faulty {
    /// `service` under this plan.
    pub fn new(service: impl Service, plan: FaultPlan) -> Faulty {
        Faulty {
            service: Arc::new(service),
            plan: Arc::new(plan),
            timeout: Duration::from_secs(30),
            asked: Arc::default(),
        }
    }

    /// After how long the client gives up an answer that does not end; 30 s unless said.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Faulty {
        self.timeout = timeout;
        self
    }

    /// The fault that the plan has for this request, which counts as made by that.
    fn fault(&self, request: &Request) -> Option<Fault> {
        let path = request.url.path().to_owned();
        let body = request.body.as_deref().unwrap_or_default();
        let whole = format!(
            "{} {}\n{}",
            request.method,
            request.url,
            String::from_utf8_lossy(body)
        );
        let (page, attempt) = lock(&self.asked).count(path.clone(), whole);
        self.plan.fault(&path, page, attempt)
    }

    pub(super) async fn happens(&self, request: Request) -> Happens {
        let fault = self.fault(&request);
        let answer = match fault {
            Some(fault) if fault.is_refusal() => None,
            _ => Some(self.service.answer(request).await),
        };
        Happens { fault, answer }
    }
}

impl Asked {
    /// Which distinct request of its path this is, and which time it is made.
    fn count(&mut self, path: String, whole: String) -> (u64, u64) {
        let requests = self.0.entry(path).or_default();
        let index = match requests.iter().position(|(known, _)| *known == whole) {
            Some(index) => index,
            None => {
                requests.push((whole, 0));
                requests.len() - 1
            }
        };
        requests[index].1 += 1;
        (index as u64 + 1, requests[index].1)
    }
}

impl Happens {
    /// The HTTP answer that arrives, where the fault leaves one.
    pub(super) fn arrives(self) -> Answer {
        let answer = self.answer.unwrap_or_else(|| Answer::status(500));
        match self.fault {
            None => answer,
            Some(fault) => damaged(fault, answer),
        }
    }
}

fn damaged(fault: Fault, answer: Answer) -> Answer {
    let date = |answer: Answer, name: &str, at: SystemTime| {
        answer.header(name, &httpdate::fmt_http_date(at))
    };
    match fault {
        Fault::LimitSeconds => Answer::status(429).header("retry-after", "2"),
        Fault::LimitDate => {
            let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_764_000_000);
            let limited = date(Answer::status(429), DATE.as_str(), now);
            date(limited, "retry-after", now + Duration::from_secs(3))
        }
        Fault::LimitUntold => Answer::status(429),
        Fault::LimitForbidden => Answer::status(403)
            .header("x-ratelimit-remaining", "0")
            .header("x-ratelimit-reset", "4"),
        Fault::ServerError => Answer::status(500),
        Fault::Unavailable => Answer::status(503),
        Fault::CutClose => {
            let half = answer.body.slice(..answer.body.len() / 2);
            answer.with_body(half)
        }
        Fault::Html => Answer::status(200)
            .header("content-type", "text/html")
            .with_body("<!doctype html><title>Sign in</title>"),
        Fault::Empty => Answer::status(200),
        Fault::NotOk => Answer::json(serde_json::json!({"ok": false})),
        Fault::Deep => Answer::status(200)
            .header("content-type", "application/json")
            .with_body(format!("{}{}", "[".repeat(200), "]".repeat(200))),
        Fault::Unauthorized => Answer::status(401),
        Fault::ForeignRedirect => Answer::status(302).header("location", Fault::FOREIGN),
        // What happens on the wire, or behind it.
        _ => answer,
    }
}

#[async_trait]
impl Service for Faulty {
    async fn answer(&self, request: Request) -> Answer {
        let happens = self.happens(request).await;
        match happens.fault.and_then(Fault::transport_error) {
            None => happens.arrives(),
            Some(kind) => {
                let broken = Answer::breaks(kind);
                match happens.fault {
                    Some(Fault::SlowBytes | Fault::Hang) => broken.after(self.timeout),
                    _ => broken,
                }
            }
        }
    }
}
