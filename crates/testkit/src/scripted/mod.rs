//! An API that a test sets up in a few lines.

mod call;
mod pages;
mod route;

use std::fmt;
use std::ops::RangeBounds;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use longshore_transport::{Request, Transport};
use serde_json::{Value, json};

pub use self::call::Call;
pub use self::pages::{Pages, numbered};
use self::route::Route;
use crate::faults::{Fault, Faults};
use crate::seen::{Log, lock};
use crate::{Answer, Network, Seen, Server, Service};

/// A scripted API: paths and what they answer, the credentials it expects, faults to order, and a log of its requests.
///
/// A path is literal or a template (`/tickets/{id}/comments`; `{+name}` takes slashes too) and may begin with a method
/// (`POST /search`). Of several that match, the one with more literal segments answers, then the one scripted last. Anything else
/// is a 404. Clones are the same API: what one learns, all do, so that a test can script on while the API is in use.
///
/// ```
/// use longshore_testkit::{Answer, Pages, ScriptedApi, numbered};
/// use serde_json::json;
///
/// let api = ScriptedApi::new()
///     .bearer("s3cret")
///     .json("/me", json!({"name": "Ada"}))
///     .pages("/tickets", Pages::page(numbered(250)).under("tickets").total("total"))
///     .on("/tickets/{id}/comments", |call| Answer::json(json!([{"ticket": call.parameter("id")}])))
///     .fault("/tickets", 2, Answer::status(503));
/// assert_eq!(api.count("/tickets"), 0);
/// ```
#[derive(Clone, Default)]
pub struct ScriptedApi {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    script: Mutex<Script>,
    log: Log,
}

#[derive(Default)]
struct Script {
    routes: Vec<(Route, Reply)>,
    credentials: Vec<Credential>,
    open: Vec<Route>,
    faults: Faults<String>,
}

type Reply = Arc<dyn Fn(&Call) -> Answer + Send + Sync>;

struct Credential {
    place: Place,
    value: String,
}

#[derive(PartialEq)]
enum Place {
    Header(String),
    Query(String),
}

impl ScriptedApi {
    /// An API that knows no path and lets everybody in.
    pub fn new() -> ScriptedApi {
        ScriptedApi::default()
    }

    /// Answers this path with 200 and this JSON, every time.
    pub fn json(self, path: &str, body: impl Into<Value>) -> ScriptedApi {
        self.answer(path, Answer::json(body))
    }

    /// Answers this path with this answer, every time.
    pub fn answer(self, path: &str, answer: Answer) -> ScriptedApi {
        self.on(path, move |_| answer.clone())
    }

    /// Answers this path with these answers in their order; the last one stays.
    ///
    /// # Panics
    /// When there is no answer in `answers`.
    pub fn answers(self, path: &str, answers: impl IntoIterator<Item = Answer>) -> ScriptedApi {
        let answers: Vec<Answer> = answers.into_iter().collect();
        assert!(!answers.is_empty(), "no answers are scripted for {path}");
        let given = AtomicUsize::new(0);
        self.on(path, move |_| {
            let turn = given.fetch_add(1, Ordering::SeqCst);
            answers[turn.min(answers.len() - 1)].clone()
        })
    }

    /// Answers this path with the pages of a collection.
    pub fn pages(self, path: &str, pages: Pages) -> ScriptedApi {
        self.on(path, move |call| pages.answer(call))
    }

    /// Answers this path with whatever `reply` says, which sees the request and the parameters of the template.
    ///
    /// # Panics
    /// When `path` does not begin with a slash, or with a method, a space and a slash.
    pub fn on(
        self,
        path: &str,
        reply: impl Fn(&Call) -> Answer + Send + Sync + 'static,
    ) -> ScriptedApi {
        lock(&self.shared.script)
            .routes
            .push((Route::parse(path), Arc::new(reply)));
        self
    }

    /// Expects `Authorization: Bearer <token>` from now on: everything else is a 401.
    pub fn bearer(self, token: &str) -> ScriptedApi {
        self.header_key(AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    /// Expects HTTP Basic with this user and password from now on (RFC 7617).
    pub fn basic(self, user: &str, password: &str) -> ScriptedApi {
        let pair = base64::Engine::encode(
            &base64::prelude::BASE64_STANDARD,
            format!("{user}:{password}"),
        );
        self.header_key(AUTHORIZATION.as_str(), &format!("Basic {pair}"))
    }

    /// Expects this value in this header from now on; a value set before for the same header no longer counts.
    pub fn header_key(self, header: &str, value: &str) -> ScriptedApi {
        self.expect(Place::Header(header.to_ascii_lowercase()), value)
    }

    /// Expects this value in this query parameter from now on.
    pub fn query_key(self, parameter: &str, value: &str) -> ScriptedApi {
        self.expect(Place::Query(parameter.to_owned()), value)
    }

    /// Lets everybody ask for this path (a token endpoint, a status page).
    pub fn open(self, path: &str) -> ScriptedApi {
        lock(&self.shared.script).open.push(Route::parse(path));
        self
    }

    /// Answers the `number`th request (from 1) to this very path with this answer instead. Credentials are not looked at.
    pub fn fault(self, path: &str, number: u64, answer: Answer) -> ScriptedApi {
        self.faults(path, number..=number, answer)
    }

    /// Answers all requests to this very path whose number (from 1) is in the range with this answer: `3..` from the third on.
    pub fn faults(self, path: &str, numbers: impl RangeBounds<u64>, answer: Answer) -> ScriptedApi {
        lock(&self.shared.script)
            .faults
            .order(path.to_owned(), numbers, Fault::Instead(answer));
        self
    }

    /// Every request so far, in the order of arrival.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.log.all()
    }

    /// Path and query of every request so far.
    pub fn paths(&self) -> Vec<String> {
        self.requests().iter().map(Seen::path_and_query).collect()
    }

    /// How many requests went to this very path, whatever their query and method.
    pub fn count(&self, path: &str) -> usize {
        self.requests()
            .iter()
            .filter(|seen| seen.path() == path)
            .count()
    }

    /// Serves this API on a free port of this machine until the server is dropped.
    pub async fn serve(&self) -> Server {
        crate::serve(self.clone()).await
    }

    /// A transport that takes every request, whatever its origin, to this API. Where origins matter, use [`Network`].
    pub fn transport(&self) -> Arc<dyn Transport> {
        Network::new().anywhere(self.clone()).transport()
    }

    fn expect(self, place: Place, value: &str) -> ScriptedApi {
        let mut script = lock(&self.shared.script);
        script.credentials.retain(|known| known.place != place);
        script.credentials.push(Credential {
            place,
            value: value.to_owned(),
        });
        drop(script);
        self
    }

    fn respond(&self, request: Request) -> Answer {
        let (call, reply) = {
            let mut script = lock(&self.shared.script);
            if let Some(Fault::Instead(answer) | Fault::Afterwards(answer)) =
                script.faults.next(&request.url.path().to_owned())
            {
                return answer;
            }
            if !script.lets_in(&request) {
                return Answer::status(401).with_json(json!({"error": "unauthorized"}));
            }
            match script.find(&request) {
                Some((parameters, reply)) => (Call::new(request, parameters), reply),
                None => {
                    let message = format!(
                        "no answer is scripted for {} {}",
                        request.method,
                        request.url.path()
                    );
                    return Answer::status(404).with_json(json!({"error": message}));
                }
            }
        };
        // The script is not locked here: a reply may script on.
        reply(&call)
    }
}

#[async_trait]
impl Service for ScriptedApi {
    async fn answer(&self, request: Request) -> Answer {
        let number = self.shared.log.arrived(&request);
        let answer = self.respond(request);
        self.shared.log.answered(number, answer.status);
        answer
    }
}

impl Script {
    fn lets_in(&self, request: &Request) -> bool {
        let open = self
            .open
            .iter()
            .any(|route| route.matches(&request.method, request.url.path()).is_some());
        open || self
            .credentials
            .iter()
            .all(|expected| expected.is_on(request))
    }

    fn find(&self, request: &Request) -> Option<(Vec<(String, String)>, Reply)> {
        let matching = self.routes.iter().filter_map(|(route, reply)| {
            let parameters = route.matches(&request.method, request.url.path())?;
            Some((route.literals(), parameters, reply))
        });
        let (_, parameters, reply) = matching.max_by_key(|(literals, ..)| *literals)?;
        Some((parameters, Arc::clone(reply)))
    }
}

impl Credential {
    fn is_on(&self, request: &Request) -> bool {
        match &self.place {
            Place::Header(name) => {
                let mut values = request.headers.get_all(name.as_str()).iter();
                values
                    .next()
                    .is_some_and(|value| value.as_bytes() == self.value.as_bytes())
                    && values.next().is_none()
            }
            Place::Query(name) => {
                let mut values = request
                    .url
                    .query_pairs()
                    .filter(|(key, _)| key == name.as_str());
                values.next().is_some_and(|(_, value)| value == self.value)
                    && values.next().is_none()
            }
        }
    }
}

impl fmt::Debug for ScriptedApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = lock(&self.shared.script);
        let routes: Vec<String> = script
            .routes
            .iter()
            .map(|(route, _)| route.to_string())
            .collect();
        f.debug_struct("ScriptedApi")
            .field("routes", &routes)
            .finish_non_exhaustive()
    }
}
