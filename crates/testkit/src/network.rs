//! A network in process: origins, the services behind them, and a log of everything that was sent.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use longshore_transport::{Error, ErrorKind, Request, Response, Transport};
use url::Url;

use crate::seen::Log;
use crate::{Seen, Service};

/// A [`Transport`] that routes origins to services in the same process.
///
/// No socket is opened, so paused tokio time works: a wait of an hour passes in no time. An origin that nobody set up is a
/// connect error, and the attempt is recorded, so that a test can show that nothing was sent to a stranger
/// ([`Network::strangers`]). Clones share routes made before and the log.
///
/// ```
/// use longshore_testkit::{Network, ScriptedApi};
/// use longshore_transport::{Request, Transport};
/// use serde_json::json;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let network = Network::new().at("https://api.example.com", ScriptedApi::new().json("/users", json!([{"id": 1}])));
/// let request = Request::new(http::Method::GET, "https://api.example.com/users".parse().unwrap());
/// let response = network.send(request).await.unwrap();
/// assert_eq!(&response.body[..], br#"[{"id":1}]"#);
/// assert_eq!(network.requests().len(), 1);
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Network {
    routes: HashMap<String, Arc<dyn Service>>,
    anywhere: Option<Arc<dyn Service>>,
    latency: Duration,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    log: Log,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
}

impl Network {
    /// A network with no host in it.
    pub fn new() -> Network {
        Network::default()
    }

    /// Puts a service behind an origin. Only scheme, host and port of `origin` count; the service sees the whole URL.
    ///
    /// # Panics
    /// When `origin` is no URL with a host.
    pub fn at(mut self, origin: &str, service: impl Service) -> Network {
        let url: Url = origin
            .parse()
            .unwrap_or_else(|error| panic!("`{origin}` is no origin: {error}"));
        assert!(url.has_host(), "`{origin}` is no origin: it has no host");
        self.routes.insert(origin_of(&url), Arc::new(service));
        self
    }

    /// Answers every origin that has no service of its own. Requests that end here are not strangers.
    pub fn anywhere(mut self, service: impl Service) -> Network {
        self.anywhere = Some(Arc::new(service));
        self
    }

    /// How long every answer takes, on top of what the service itself waits.
    pub fn latency(mut self, each: Duration) -> Network {
        self.latency = each;
        self
    }

    /// This network as the transport of a client; the log stays readable here.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(self.clone())
    }

    /// Every request in the order it was sent, to strangers too.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.log.all()
    }

    /// Requests to origins that nobody set up.
    pub fn strangers(&self) -> Vec<Seen> {
        self.requests()
            .into_iter()
            .filter(|seen| self.service(&seen.url).is_none())
            .collect()
    }

    /// Requests under way right now.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.load(Ordering::SeqCst)
    }

    /// The most requests that were ever under way at once.
    pub fn peak_in_flight(&self) -> usize {
        self.shared.peak.load(Ordering::SeqCst)
    }

    fn service(&self, url: &Url) -> Option<&Arc<dyn Service>> {
        self.routes.get(&origin_of(url)).or(self.anywhere.as_ref())
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: Request) -> Result<Response, Error> {
        let _under_way = UnderWay::start(&self.shared);
        let number = self.shared.log.arrived(&request);
        let Some(service) = self.service(&request.url) else {
            let origin = origin_of(&request.url);
            return Err(Error::new(
                ErrorKind::Connect,
                format!("no service is set up for {origin} in this test's network"),
            ));
        };
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let url = request.url.clone();
        let response = service.answer(request).await.arrive(url).await?;
        self.shared.log.answered(number, response.status);
        Ok(response)
    }
}

/// Counts a request for as long as its future lives, so that dropped ones count down too.
struct UnderWay<'a>(&'a Shared);

impl<'a> UnderWay<'a> {
    fn start(shared: &'a Shared) -> UnderWay<'a> {
        let now = shared.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        shared.peak.fetch_max(now, Ordering::SeqCst);
        UnderWay(shared)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

fn origin_of(url: &Url) -> String {
    url.origin().ascii_serialization()
}
