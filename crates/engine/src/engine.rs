//! The engine: one API, the way to ask it, and the resources to pull from it.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;

use futures::future::{Either, select};
use http::HeaderMap;
use longshore_auth::Authenticator;
use longshore_paginate::{Paginator, Settings};
use longshore_transport::{
    Client, Clock, DEFAULT_MAX_CONCURRENT_REQUESTS, HttpTransport, HttpTransportBuilder, Origin,
    Quota, RetryPolicy, TokioClock, Transport, parse_url,
};
use url::Url;

use crate::checkpoint::Checkpoint;
use crate::config::Config;
use crate::error::{Error, ErrorKind};
use crate::estimate::{self, Estimate};
use crate::event::{Observer, Observers};
use crate::fetch::Api;
use crate::login::{ListAuth, Logins};
use crate::options::{SyncOptions, is_wanted};
use crate::resource::Resource;
use crate::rules::AnswerRules;
use crate::session::Session;
use crate::shard::ShardResults;
use crate::sink::Sink;
use crate::stream::EntityStream;
use crate::sync::{self, Report};

/// Reads one API. Cheap to clone; clones share connections, limits and credentials.
///
/// ```no_run
/// use futures::TryStreamExt;
/// use longshore_engine::auth::BearerToken;
/// use longshore_engine::paginate::PageNumber;
/// use longshore_engine::{Engine, Resource};
///
/// # async fn read() -> Result<(), Box<dyn std::error::Error>> {
/// let engine = Engine::builder()
///     .base_url("https://api.example.com")
///     .authenticator(BearerToken::new("token".to_owned())?)
///     .paginator(PageNumber::new().page_size(100))
///     .build()?;
/// let users = Resource::builder("/api/v1/users")
///     .data_path(".users")
///     .identifier(".id")
///     .blueprint("user")
///     .property("email", ".email")
///     .build()?;
/// let mut entities = engine.entities(&users);
/// while let Some(entity) = entities.try_next().await? {
///     println!("{:?}", entity.identifier);
/// }
/// assert!(entities.outcome().is_complete());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Engine {
    api: Arc<Api>,
    resources: Arc<[Resource]>,
}

impl Engine {
    /// Starts an engine from parts.
    pub fn builder() -> EngineBuilder {
        EngineBuilder::default()
    }

    /// An engine with everything that the two configuration files say.
    ///
    /// # Errors
    /// When the HTTP client cannot be set up.
    pub fn from_config(config: &Config) -> Result<Engine, Error> {
        EngineBuilder::from_config(config)?.build()
    }

    /// The resources that [`sync`](Engine::sync) reads, in order.
    pub fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The entities of one resource, as they are read.
    ///
    /// To be polled in a tokio runtime. Nothing is sent before the first poll, and dropping the stream ends all its work, but for a login that must not be
    /// lost: see [`settled`](Engine::settled). While a page is mapped and
    /// taken, the next one is on its way; where a total tells of further pages, up to `maxConcurrentRequests` are, and with `lookAhead` as many as
    /// that says. No more than those are in memory.
    ///
    /// An error of an [`ErrorKind`] about one record does not end the stream; every other error is its last item, or, where the path holds a
    /// parameter, the last of one child, and the other children go on. A read that is not complete always gives at least one error.
    pub fn entities(&self, resource: &Resource) -> EntityStream {
        EntityStream::new(Session::new(self.api.clone(), [resource]), resource.clone())
    }

    /// The entities behind a [`Checkpoint`] of an earlier read of the same resource with the same settings: of all pages that were not given whole
    /// then. Counts and outcome are those of both parts together.
    ///
    /// Each entity comes at least once in the two parts. Where positions are counted, the last page before is looked at again, so that rows that
    /// moved in between make the read incomplete (`RowsShifted`).
    ///
    /// ```
    /// # use futures::TryStreamExt;
    /// use longshore_engine::Checkpoint;
    /// # use longshore_engine::{Engine, Resource, paginate::PageNumber};
    /// # use longshore_testkit::{Network, Pages, ScriptedApi, numbered};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # let api = ScriptedApi::new().pages("/users", Pages::page(numbered(25)));
    /// # let engine = Engine::builder()
    /// #     .base_url("https://api.example.com")
    /// #     .paginator(PageNumber::new().page_size(10))
    /// #     .transport(Network::new().at("https://api.example.com", api).transport())
    /// #     .build()?;
    /// # let users = Resource::builder("/users").identifier(".id").blueprint("user").build()?;
    /// let mut entities = engine.entities(&users);
    /// while entities.pages_given() < 1 {
    ///     entities.try_next().await?;
    /// }
    /// let stored = serde_json::to_string(&entities.checkpoint())?;
    /// drop(entities);
    ///
    /// let checkpoint: Checkpoint = serde_json::from_str(&stored)?;
    /// let rest = engine.entities_from(&users, checkpoint)?;
    /// assert_eq!(rest.try_collect::<Vec<_>>().await?.len(), 15);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The resource has a parameter in its path, or is paged in another way than when the checkpoint was made. (That it asks for something else is
    /// the first error of the stream.)
    pub fn entities_from(
        &self,
        resource: &Resource,
        checkpoint: Checkpoint,
    ) -> Result<EntityStream, Error> {
        let refuse =
            |what: &str| Err(Error::new(ErrorKind::Config, what).of_resource(resource.kind()));
        if !resource.parts().levels.is_empty() {
            return refuse(
                "a read with parameters in its path has no checkpoint: read it from the beginning",
            );
        }
        if checkpoint.paging != self.api.paging(&resource.parts().list) {
            return refuse(
                "the checkpoint was made with other settings of paging, by which its position means something else: read from the beginning",
            );
        }
        let session = Session::new(self.api.clone(), [resource]);
        Ok(EntityStream::resumed(session, resource.clone(), checkpoint))
    }

    /// Reads all resources, writes their entities to `sink`, and, last of all, has the sink remove what is proven to be gone.
    pub async fn sync(&self, sink: &dyn Sink) -> Report {
        self.sync_with(&SyncOptions::new(), sink).await
    }

    /// As [`sync`](Engine::sync), for the resources of these kinds only, of all kinds without any. Nothing is deleted of blueprints that they do not feed,
    /// and a kind that no resource has is an error that begins nothing.
    pub async fn sync_kinds(&self, kinds: &[String], sink: &dyn Sink) -> Report {
        self.sync_with(&SyncOptions::new().kinds(kinds), sink).await
    }

    /// As [`sync`](Engine::sync), run in another way: some kinds only, or with a word that stops it.
    pub async fn sync_with(&self, options: &SyncOptions, sink: &dyn Sink) -> Report {
        let sync = pin!(sync::run(&self.api, &self.resources, options, sink));
        let out_of_time = pin!(options.cancel.out_of_time_for_logins());
        match select(sync, out_of_time).await {
            Either::Left((report, out_of_time)) => {
                select(pin!(self.settled()), out_of_time).await;
                report
            }
            Either::Right(((), sync)) => sync.await,
        }
    }

    /// Waits until no login is under way that must not be lost: a server that was asked to replace a refresh token has the new one in its answer alone, so
    /// that such a request goes on when the stream that needed it is dropped. Most often that is at once.
    ///
    /// A sync does it by itself. Who drops streams early awaits it before the runtime ends, for as long as there is time.
    pub async fn settled(&self) {
        self.api.logins.settled().await;
    }

    /// How many lists a sync of these kinds asks for, of all kinds without any, as far as that is known without a request.
    ///
    /// ```
    /// # use longshore_engine::{Engine, FixedValues, ParameterSource, Resource};
    /// let reports = Resource::builder("/{region}/teams/{team}/reports")
    ///     .parameter("region", FixedValues::new(["eu", "us"]))
    ///     .parameter("team", ParameterSource::new("/teams", ".id"))
    ///     .identifier(".id")
    ///     .blueprint("report")
    ///     .build()
    ///     .unwrap();
    /// let engine = Engine::builder().base_url("https://api.example.com").resource(reports).build().unwrap();
    /// let reports = &engine.estimate(&[]).resources[0];
    /// assert_eq!(reports.lists[0].to_string(), "/teams: 1 list");
    /// assert_eq!(reports.lists[1].to_string(), "/{region}/teams/{team}/reports: 2 lists for each {team}");
    /// ```
    pub fn estimate(&self, kinds: &[String]) -> Estimate {
        estimate::estimate(&self.of_kinds(kinds), self.api.client.clock().wall())
    }

    /// As [`estimate`](Engine::estimate), with the numbers of children: reads the lists of parents, and nothing else, to count them.
    pub async fn count_children(&self, kinds: &[String]) -> Estimate {
        estimate::counted(&self.api, &self.of_kinds(kinds)).await
    }

    fn of_kinds(&self, kinds: &[String]) -> Vec<&Resource> {
        let resources = self.resources.iter();
        resources
            .filter(|resource| is_wanted(resource.kind(), kinds))
            .collect()
    }

    /// Has `sink` remove what none of the shards of a sync produced, where all of them came to a proven end. The report counts what
    /// the shards could not write as rejected.
    pub async fn reconcile(&self, results: ShardResults, sink: &dyn Sink) -> Report {
        let rejected = results.rejected();
        Report {
            // Nothing that was refused on the way is forgotten in the end.
            rejected,
            ..sync::reconcile(results.evidence, sink).await
        }
    }

    /// The same engine, with its connections, limits and credentials, for other resources: a mapping that was changed while it runs.
    ///
    /// # Errors
    /// Paging of a resource that does not fit.
    pub fn with_resources(
        &self,
        resources: impl IntoIterator<Item = Resource>,
    ) -> Result<Engine, Error> {
        let resources: Arc<[Resource]> = in_their_places(resources);
        for resource in resources.iter() {
            check_pagination(resource, &self.api.pagination)?;
        }
        Ok(Engine {
            api: self.api.clone(),
            resources,
        })
    }
}

fn in_their_places(resources: impl IntoIterator<Item = Resource>) -> Arc<[Resource]> {
    let resources = resources.into_iter().enumerate();
    resources
        .map(|(place, resource)| resource.at(place))
        .collect()
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("api", &self.api)
            .field("resources", &self.resources)
            .finish()
    }
}

/// What becomes of a link, in a body or a `Link` header, to another origin than the base URL.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum NextLinkOrigin {
    /// It is an error, unless the origin is [allowed](EngineBuilder::allowed_origins).
    #[default]
    Strict,
    /// Its path and query are asked for at the base URL's origin: for APIs behind a proxy whose links name the host behind it.
    Rebase,
}

/// Collects the parts of an [`Engine`].
pub struct EngineBuilder {
    base_url: Option<String>,
    auth: ListAuth,
    headers: HeaderMap,
    pagination: Settings,
    paginator: Option<Arc<dyn Paginator>>,
    transport: Option<Arc<dyn Transport>>,
    clock: Arc<dyn Clock>,
    retry: RetryPolicy,
    seed: Option<u64>,
    http: HttpTransportBuilder,
    quota: Option<Quota>,
    allowed_origins: Vec<Origin>,
    credential_origins: Vec<Origin>,
    next_link_origin: NextLinkOrigin,
    answer_rules: AnswerRules,
    max_concurrent_requests: usize,
    now: Option<f64>,
    observers: Observers,
    resources: Vec<Resource>,
}

impl Default for EngineBuilder {
    fn default() -> Self {
        EngineBuilder {
            base_url: None,
            auth: ListAuth::none(),
            headers: HeaderMap::new(),
            pagination: Settings::default(),
            paginator: None,
            transport: None,
            clock: Arc::new(TokioClock::default()),
            retry: RetryPolicy::default(),
            seed: None,
            http: HttpTransport::builder(),
            quota: None,
            allowed_origins: Vec::new(),
            credential_origins: Vec::new(),
            next_link_origin: NextLinkOrigin::default(),
            answer_rules: AnswerRules::default(),
            max_concurrent_requests: DEFAULT_MAX_CONCURRENT_REQUESTS,
            now: None,
            observers: Observers::default(),
            resources: Vec::new(),
        }
    }
}

impl EngineBuilder {
    /// A builder with everything that the configuration says; set an observer or a transport on it and build.
    ///
    /// # Errors
    /// None by now; [`build`](EngineBuilder::build) has some.
    pub fn from_config(config: &Config) -> Result<EngineBuilder, Error> {
        let connection = &config.connection;
        Ok(EngineBuilder {
            base_url: Some(connection.base_url.to_string()),
            auth: ListAuth::Settings(Arc::new(connection.auth.clone())),
            headers: connection.custom_headers.clone(),
            pagination: connection.pagination.clone(),
            retry: connection.retry.clone(),
            http: connection.http(),
            quota: connection.quota,
            allowed_origins: connection.allowed_origins.clone(),
            credential_origins: connection.credential_origins.clone(),
            next_link_origin: connection.next_link_origin,
            answer_rules: connection.answer_rules.clone(),
            max_concurrent_requests: connection.max_concurrent_requests,
            now: connection.now,
            resources: config
                .mapping
                .as_ref()
                .map(|mapping| mapping.resources.clone())
                .unwrap_or_default(),
            ..EngineBuilder::default()
        })
    }

    /// Root URL of the API. It may carry a path, and a query that goes out with every request.
    pub fn base_url(mut self, url: impl Into<String>) -> Self {
        self.base_url = Some(url.into());
        self
    }

    /// Puts credentials on requests to the base URL's origin; none unless said.
    pub fn authenticator(mut self, authenticator: impl Authenticator) -> Self {
        self.auth = ListAuth::Authenticator(Arc::new(authenticator));
        self
    }

    /// Headers for every request. Mark those that hold a secret as sensitive.
    pub fn headers(mut self, headers: HeaderMap) -> Self {
        self.headers = headers;
        self
    }

    /// Paging for all resources that say nothing else.
    pub fn pagination(mut self, settings: impl Into<Settings>) -> Self {
        self.pagination = settings.into();
        self
    }

    /// Paging for all resources that say nothing else, by code.
    pub fn paginator(mut self, paginator: impl Paginator) -> Self {
        self.paginator = Some(Arc::new(paginator));
        self
    }

    /// Settings of the built-in HTTP client: timeout, size of bodies, proxy, certificates.
    pub fn http(mut self, settings: HttpTransportBuilder) -> Self {
        self.http = settings;
        self
    }

    /// Sends requests by other means than the built-in HTTP client, whose [settings](EngineBuilder::http) then do not count: your own
    /// client, a recorder, a double.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Time for waits; real time unless said.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How often and when a failed request is repeated.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// Fixes the jitter of waits, for tests.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// How many requests the API may get in a time; as many as it answers unless said.
    pub fn quota(mut self, quota: Quota) -> Self {
        self.quota = Some(quota);
        self
    }

    /// Other origins that links and redirects of the API may lead to. They get no credentials, no headers and no query of ours.
    pub fn allowed_origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.allowed_origins = origins.into_iter().collect();
        self
    }

    /// Other origins that are trusted like the base URL's: links and redirects of the API may lead there, and go with credentials,
    /// headers, query and body.
    pub fn credential_origins(mut self, origins: impl IntoIterator<Item = Origin>) -> Self {
        self.credential_origins = origins.into_iter().collect();
        self
    }

    /// What becomes of links that name another origin than the base URL; they are refused unless said.
    pub fn next_link_origin(mut self, rule: NextLinkOrigin) -> Self {
        self.next_link_origin = rule;
        self
    }

    /// What answers mean, for all resources that say nothing else.
    pub fn answer_rules(mut self, rules: AnswerRules) -> Self {
        self.answer_rules = rules;
        self
    }

    /// Requests in flight at once, over everything that this engine reads; 10 unless said.
    pub fn max_concurrent_requests(mut self, count: usize) -> Self {
        self.max_concurrent_requests = count;
        self
    }

    /// What jq's `now` is for the mappings, in seconds since 1970: the same records give the same entities then, whenever they are read.
    /// The clock's time unless set.
    pub fn now(mut self, seconds: f64) -> Self {
        self.now = Some(seconds);
        self
    }

    /// Is told of progress. There may be several: each is told everything.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.add(observer);
        self
    }

    /// Adds a resource for [`Engine::sync`] to read.
    pub fn resource(mut self, resource: Resource) -> Self {
        self.resources.push(resource);
        self
    }

    /// Checks the parts and puts them together. Sends nothing.
    ///
    /// # Errors
    /// A base URL that is missing or cannot be used, paging settings that do not fit, credentials that cannot be sent, an HTTP client that cannot be set up.
    pub fn build(self) -> Result<Engine, Error> {
        let base_url = parse_base_url(self.base_url.as_deref())?;
        let origin = Origin::of(&base_url).map_err(|error| {
            Error::new(ErrorKind::Config, "the base URL cannot be used").with_source(error)
        })?;
        for resource in &self.resources {
            check_pagination(resource, &self.pagination)?;
        }
        if self.max_concurrent_requests == 0 {
            return Err(Error::new(
                ErrorKind::Config,
                "maxConcurrentRequests is 0; set it to 1 or more",
            ));
        }
        let mut problems = Vec::new();
        let rules = self.answer_rules.compile("", &mut problems);
        if !problems.is_empty() {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            return Err(Error::new(ErrorKind::Config, all.join("; ")));
        }
        let transport = match self.transport {
            Some(transport) => transport,
            None => Arc::new(self.http.build().map_err(|error| {
                Error::new(ErrorKind::Config, "the HTTP client cannot be set up").with_source(error)
            })?),
        };
        let mut client = Client::builder(transport)
            .retry(self.retry)
            .clock(self.clock)
            .max_concurrent_requests(self.max_concurrent_requests);
        if let Some(quota) = self.quota {
            client = client.quota(quota);
        }
        if let Some(seed) = self.seed {
            client = client.seed(seed);
        }
        let client = client.build();
        let logins = Logins::new(
            &self.auth,
            client.clone(),
            origin.clone(),
            self.credential_origins,
        )?;
        Ok(Engine {
            api: Arc::new(Api {
                client,
                logins,
                base_url,
                origin,
                headers: self.headers,
                pagination: self.pagination,
                paginator: self.paginator,
                allowed_origins: self.allowed_origins,
                next_link_origin: self.next_link_origin,
                rules,
                max_concurrent_requests: self.max_concurrent_requests,
                now: self.now,
                observer: Arc::new(self.observers),
            }),
            resources: in_their_places(self.resources),
        })
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("auth", &self.auth)
            .field("resources", &self.resources)
            .finish_non_exhaustive()
    }
}

fn parse_base_url(text: Option<&str>) -> Result<Url, Error> {
    let text = text.ok_or_else(|| {
        Error::new(
            ErrorKind::Config,
            "baseUrl is missing; set it to the root URL of the API",
        )
    })?;
    parse_url(text)
        .map_err(|error| Error::quoting(ErrorKind::Config, format!("baseUrl: {error}"), error))
}

fn check_pagination(resource: &Resource, connection: &Settings) -> Result<(), Error> {
    resource.check_pagination(connection).map_err(|invalid| {
        Error::new(ErrorKind::Config, invalid.to_string()).of_resource(resource.kind())
    })
}
