//! A transport in process whose answers are a function, with a log of what was asked when.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::header::{HeaderMap, HeaderName};
use http::{Method, StatusCode};
use longshore_transport::{
    Attempt, Client, Error, Exchange, Prepare, Request, Response, Transport, async_trait, parse_url,
};
use tokio::time::Instant;

type Answer = dyn Fn(usize, &Request) -> Result<Response, Error> + Send + Sync;

pub(crate) struct Fake {
    start: Instant,
    latency: Duration,
    answer: Box<Answer>,
    log: Mutex<Vec<(Duration, Request)>>,
    under_way: AtomicUsize,
    most_under_way: AtomicUsize,
}

impl Fake {
    /// Answers request number `n` (from 0) with `answer(n, request)`, at once.
    pub(crate) fn new(
        answer: impl Fn(usize, &Request) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Self::slow(Duration::ZERO, answer)
    }

    /// The same, after `latency`.
    pub(crate) fn slow(
        latency: Duration,
        answer: impl Fn(usize, &Request) -> Result<Response, Error> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self {
            start: Instant::now(),
            latency,
            answer: Box::new(answer),
            log: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_under_way: AtomicUsize::new(0),
        })
    }

    /// The answers one after the other; the last one from then on.
    pub(crate) fn sequence(
        answers: Vec<(u16, &'static [(&'static str, &'static str)])>,
    ) -> Arc<Self> {
        Self::new(move |n, request| {
            let (status, headers) = answers[n.min(answers.len() - 1)];
            Ok(answer(request, status, headers))
        })
    }

    pub(crate) fn client(self: &Arc<Self>) -> Client {
        Client::builder(self.clone()).seed(7).build()
    }

    /// When requests were made, in seconds.
    pub(crate) fn times(&self) -> Vec<f64> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(at, _)| at.as_secs_f64()).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        let log = self.log.lock().unwrap();
        log.iter().map(|(_, request)| request.clone()).collect()
    }

    pub(crate) fn count(&self) -> usize {
        self.log.lock().unwrap().len()
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.most_under_way.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Transport for Fake {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let number = {
            let mut log = self.log.lock().unwrap();
            log.push((self.start.elapsed(), request.clone()));
            assert!(log.len() < 1_000, "requests without end");
            log.len() - 1
        };
        let now = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_under_way.fetch_max(now, Ordering::SeqCst);
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        self.under_way.fetch_sub(1, Ordering::SeqCst);
        (self.answer)(number, &request)
    }
}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fake").finish_non_exhaustive()
    }
}

pub(crate) fn answer(request: &Request, status: u16, headers: &[(&str, &str)]) -> Response {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    }
    Response::new(
        StatusCode::from_u16(status).unwrap(),
        map,
        "[]",
        request.url.clone(),
    )
}

pub(crate) fn get(url: &str) -> Request {
    Request::new(Method::GET, parse_url(url).unwrap())
}

pub(crate) const URL: &str = "https://api.example.com/v1/users";

/// A GET of [`URL`] whose answer must be a success.
pub(crate) async fn read(client: &Client, prepare: &dyn Prepare) -> Result<Response, Error> {
    client
        .send(get(URL), &Exchange::new(prepare), Response::success)
        .await
}

/// Collects the events of exchanges.
#[derive(Default)]
pub(crate) struct Events(Mutex<Vec<Attempt>>);

impl Events {
    pub(crate) fn push(&self, attempt: &Attempt) {
        self.0.lock().unwrap().push(attempt.clone());
    }

    pub(crate) fn all(&self) -> Vec<Attempt> {
        self.0.lock().unwrap().clone()
    }
}
