//! Running on: when a sync begins, with which mapping, and what Port is told of it.
//!
//! A [`Runtime`] has an engine for the API, a client for Port, and a way to make a sink for each sync. It runs one sync ([`Runtime::once`]) or goes
//! on until it is told to stop ([`Runtime::poll`]). Syncs never overlap, and one that fails, or panics, is reported and ends nothing.

mod kinds;
mod mask;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
mod server;
mod telemetry;

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures::FutureExt;
use longshore_port_client::{Integration, PortClient, ResyncState, ResyncStatus};
use longshore_transport::{Clock, TokioClock};
use serde_json::Value;
use tokio::time::Instant;

use self::kinds::Kinds;
pub use self::mask::masked;
pub(crate) use self::mask::{Form, form_of};
#[cfg(feature = "server")]
pub use self::server::{Server, serve};
pub use self::telemetry::Telemetry;

use crate::cancel::Cancel;
use crate::config::{Config, ConfigError, Listener, Mapping};
use crate::engine::Engine;
use crate::error::{Error, ErrorKind};
use crate::init::{self, Created, FirstStart};
use crate::options::{SyncOptions, unknown_kind};
use crate::port::port_error;
use crate::shard::Shard;
use crate::sink::Sink;
use crate::sync::Report;

/// How long Port may take for what it is told after the word to stop was given.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Makes the sink for one sync with this mapping.
type MakeSink = Box<dyn Fn(&Mapping) -> Arc<dyn Sink> + Send + Sync>;
type Listeners = Box<dyn Fn(News<'_>) + Send + Sync>;

/// What begins a sync.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Trigger {
    /// The process began.
    Start,
    /// `scheduledResyncInterval` went by since the last one began.
    Schedule,
    /// Somebody asked for it at Port.
    Request,
    /// The integration was changed at Port, its mapping most often.
    Change,
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::Start => "the start",
            Trigger::Schedule => "the schedule",
            Trigger::Request => "a request at Port",
            Trigger::Change => "a change of the integration at Port",
        })
    }
}

/// What a person should hear of a process that runs on.
#[derive(Debug)]
#[non_exhaustive]
pub enum News<'a> {
    /// A sync begins.
    Begun(Trigger),
    /// A sync came to its end.
    Ended(&'a Report),
    /// Something was created at Port, or left as it is.
    Created(&'a Created),
    /// Something does not work; it is tried again.
    Problem(&'a str),
    /// The mapping at Port loads but has something that is probably not meant.
    Warning(&'a str),
}

/// Why a single sync did not happen.
#[derive(Debug)]
#[non_exhaustive]
pub enum NoSync {
    /// The mapping at Port has problems.
    Mapping(ConfigError),
    /// There is no mapping anywhere.
    NoMapping(String),
    /// Port could not be reached, or refused.
    Port(Error),
}

impl fmt::Display for NoSync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoSync::Mapping(error) => error.fmt(f),
            NoSync::NoMapping(what) => f.write_str(what),
            NoSync::Port(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for NoSync {}

/// Syncs that begin by themselves.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use longshore_engine::port_client::PortClient;
/// use longshore_engine::runtime::{Runtime, Telemetry};
/// use longshore_engine::{Config, EngineBuilder, PortSink, PortSinkOptions};
///
/// # async fn run(port: PortClient) -> Result<(), Box<dyn std::error::Error>> {
/// let config = Config::load("connection.yaml", "mapping.yaml")?;
/// let telemetry = Telemetry::new().with_examples(config.port.send_raw_data_examples);
/// let engine = EngineBuilder::from_config(&config)?.observer(telemetry.clone()).build()?;
/// let to_port = port.clone();
/// let mut runtime = Runtime::new(config, engine, port, move |mapping| {
///     Arc::new(PortSink::new(to_port.clone()).options(PortSinkOptions::from(mapping)))
/// })
/// .telemetry(telemetry);
/// runtime.poll().await; // until the process ends, or `cancel` is called
/// # Ok(())
/// # }
/// ```
pub struct Runtime {
    config: Config,
    engine: Engine,
    port: PortClient,
    make_sink: MakeSink,
    telemetry: Telemetry,
    cancel: Cancel,
    kinds: Vec<String>,
    shard: Option<Shard>,
    listener: Listeners,
    clock: Arc<dyn Clock>,
    /// The last request for a resync that was seen.
    watermark: Option<SystemTime>,
    /// The integration as it was when the last sync began.
    known: Option<Known>,
    /// The mapping file counts, whatever Port has.
    has_own_mapping: bool,
}

/// What is compared to tell whether an integration was changed.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    config: Value,
    updated_at: Option<String>,
}

impl From<&Integration> for Known {
    fn from(integration: &Integration) -> Self {
        Known {
            config: integration.config.clone(),
            updated_at: integration.updated_at.clone(),
        }
    }
}

/// How a process that ran on came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Stopped {
    /// Told to stop between two syncs.
    Idle,
    /// Told to stop during a sync, which has ended early.
    DuringSync,
}

impl Runtime {
    /// Syncs of what `config` says, read by `engine`, each into a sink of its own. Without a mapping in `config` the one at Port counts,
    /// and it is read anew for each sync.
    pub fn new(
        config: Config,
        engine: Engine,
        port: PortClient,
        make_sink: impl Fn(&Mapping) -> Arc<dyn Sink> + Send + Sync + 'static,
    ) -> Self {
        Runtime {
            has_own_mapping: config.mapping.is_some(),
            config,
            engine,
            port,
            make_sink: Box::new(make_sink),
            telemetry: Telemetry::new(),
            cancel: Cancel::new(),
            kinds: Vec::new(),
            shard: None,
            listener: Box::new(|_| {}),
            clock: Arc::new(TokioClock::new()),
            watermark: None,
            known: None,
        }
    }

    /// The book that is kept; the same as the engine's observer.
    pub fn telemetry(mut self, telemetry: Telemetry) -> Self {
        self.telemetry = telemetry;
        self
    }

    /// Hears this word to stop.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Reads the resources of these kinds only, of all kinds without any.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.kinds = kinds.into_iter().map(Into::into).collect();
        self
    }

    /// Reads this part of everything; see [`shard`](crate::shard).
    pub fn shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    /// Tells what a person should hear.
    pub fn on_news(mut self, listener: impl Fn(News<'_>) + Send + Sync + 'static) -> Self {
        self.listener = Box::new(listener);
        self
    }

    /// The time of day, for what Port is told; that of this machine unless said.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// One sync: the first start where the integration is new, then everything once.
    ///
    /// # Errors
    /// Port cannot be asked for what is needed before the first request to the API, or there is no mapping that can be read.
    pub async fn once(&mut self) -> Result<Report, NoSync> {
        let cancel = self.cancel.clone();
        match cancel.unless_cancelled(self.first_start()).await {
            Some(integration) => Ok(self.sync(Trigger::Start, integration?).await?.0),
            None => {
                let report = Report::cancelled();
                (self.listener)(News::Ended(&report));
                Ok(report)
            }
        }
    }

    /// Syncs at the start (`resyncOnStart`), when `scheduledResyncInterval` has gone by, when somebody asks for one at Port, and when the
    /// integration is changed there. Ends only by the word to stop.
    pub async fn poll(&mut self) -> Stopped {
        let (interval, resync_on_start) = match self.config.run.listener {
            Listener::Polling {
                interval,
                resync_on_start,
            } => (interval, resync_on_start),
            // Whoever calls this with `ONCE` wants it to go on all the same.
            Listener::Once => (Duration::from_secs(60), true),
        };
        let cancel = self.cancel.clone();
        let Some(mut pending) = cancel
            .unless_cancelled(self.start(interval, resync_on_start))
            .await
        else {
            return Stopped::Idle;
        };
        let mut last_begin = Instant::now();
        // A scheduled sync was due and could not begin.
        let mut is_overdue = false;
        loop {
            if let Some((trigger, integration)) = pending.take() {
                (last_begin, is_overdue) = (Instant::now(), false);
                match self.sync(trigger, integration).await {
                    Ok((_, true)) => return Stopped::DuringSync,
                    Ok(_) => {}
                    Err(error) => self.not_ready(&error.to_string()),
                }
            }
            if cancel.is_cancelled() {
                return Stopped::Idle;
            }
            let due = self
                .config
                .run
                .scheduled_resync_interval
                .map(|interval| last_begin + interval);
            let next_question = Instant::now() + interval;
            let wake = match due {
                Some(due) if !is_overdue => due.min(next_question),
                _ => next_question,
            };
            let waited = async {
                tokio::time::sleep_until(wake).await;
                if due.is_some_and(|due| due <= Instant::now()) {
                    return self.begin(Trigger::Schedule).await;
                }
                self.ask().await
            };
            match cancel.unless_cancelled(waited).await {
                None => return Stopped::Idle,
                Some(found) => pending = found,
            }
            is_overdue = pending.is_none() && due.is_some_and(|due| due <= Instant::now());
        }
    }

    /// The first start, again and again until Port takes part.
    async fn start(
        &mut self,
        interval: Duration,
        resync_on_start: bool,
    ) -> Option<(Trigger, Option<Integration>)> {
        loop {
            match self.first_start().await {
                Ok(integration) => {
                    self.watermark = self.port.resync_request().await.ok().flatten();
                    if resync_on_start {
                        return Some((Trigger::Start, integration));
                    }
                    self.known = integration.as_ref().map(Known::from);
                    if let Err(error) = self.mapping(integration.as_ref()) {
                        self.not_ready(&error.to_string());
                    } else {
                        self.telemetry.is_ready();
                    }
                    return None;
                }
                Err(error) => self.not_ready(&error.to_string()),
            }
            tokio::time::sleep(interval).await;
        }
    }

    /// Creates the integration, its mapping and its blueprints where the integration is new; see [`init`](crate::init).
    async fn first_start(&mut self) -> Result<Option<Integration>, NoSync> {
        let plan =
            FirstStart::of(&self.config).map_err(|error| NoSync::NoMapping(error.to_string()))?;
        let (integration, created) = match plan.run(&self.port).await {
            Ok(done) => done,
            // Entities are written and found again without it; but not by whom Port does not know.
            Err(error) if self.has_own_mapping && !error.closes_sink() => {
                self.problem(&format!("the integration was not set up at Port: {error}"));
                return Ok(None);
            }
            Err(error) => return Err(NoSync::Port(error)),
        };
        for created in &created {
            (self.listener)(News::Created(created));
        }
        if integration.is_none() && !self.has_own_mapping {
            return Err(NoSync::NoMapping(init::no_mapping(&self.config)));
        }
        Ok(integration)
    }

    /// Asks Port whether a sync is wanted.
    async fn ask(&mut self) -> Option<(Trigger, Option<Integration>)> {
        match self.port.resync_request().await {
            Ok(asked) if asked > self.watermark => {
                let begun = self.begin(Trigger::Request).await;
                // What cannot begin now is asked for still at the next question.
                if begun.is_some() {
                    self.watermark = asked;
                }
                return begun;
            }
            Ok(_) => {}
            Err(error) => self.problem(&port_error(error).to_string()),
        }
        match self.port.integration().await {
            Ok(Some(integration)) => {
                let now = Known::from(&integration);
                if self.known.as_ref() == Some(&now) {
                    return None;
                }
                Some((Trigger::Change, Some(integration)))
            }
            // Somebody deleted it: it is new again.
            Ok(None) if self.known.is_some() => match self.first_start().await {
                Ok(integration) => Some((Trigger::Change, integration)),
                Err(error) => {
                    self.not_ready(&error.to_string());
                    None
                }
            },
            Ok(None) => None,
            Err(error) => {
                self.problem(&port_error(error).to_string());
                None
            }
        }
    }

    /// What a sync begins with: the integration as it is now.
    async fn begin(&mut self, trigger: Trigger) -> Option<(Trigger, Option<Integration>)> {
        match self.first_start().await {
            // It was there, and Port fails to tell of it now: so would the sync.
            Ok(None) if self.known.is_some() => None,
            Ok(integration) => Some((trigger, integration)),
            Err(error) => {
                self.not_ready(&error.to_string());
                None
            }
        }
    }

    /// The mapping for a sync that begins now.
    fn mapping(&mut self, integration: Option<&Integration>) -> Result<Mapping, NoSync> {
        if !self.has_own_mapping {
            let at_port = integration.map(|integration| integration.config.clone());
            let at_port = at_port.filter(|config| !init::is_no_mapping(config));
            let Some(at_port) = at_port else {
                return Err(NoSync::NoMapping(init::no_mapping(&self.config)));
            };
            let known = self.config.warnings.len();
            let config = self
                .config
                .clone()
                .with_mapping_from_port(at_port)
                .map_err(NoSync::Mapping)?;
            for warning in config.warnings.iter().skip(known) {
                (self.listener)(News::Warning(&warning.to_string()));
            }
            if let Some(mapping) = config.mapping {
                return Ok(mapping);
            }
        }
        self.config
            .mapping
            .clone()
            .ok_or_else(|| NoSync::NoMapping(init::no_mapping(&self.config)))
    }

    /// One sync, and whether it was cut short by the word to stop.
    async fn sync(
        &mut self,
        trigger: Trigger,
        integration: Option<Integration>,
    ) -> Result<(Report, bool), NoSync> {
        self.known = integration.as_ref().map(Known::from);
        let mapping = self.mapping(integration.as_ref())?;
        if let Some(problem) = unknown_kind(&self.kinds, &mapping.resources) {
            return Err(NoSync::NoMapping(problem));
        }
        let engine = self
            .engine
            .with_resources(mapping.resources.iter().cloned())
            .map_err(|error| NoSync::NoMapping(error.to_string()))?;
        self.telemetry.is_ready();
        (self.listener)(News::Begun(trigger));
        let (began, began_at) = (Instant::now(), self.clock.wall());
        let cancel = self.cancel.clone();
        let options = SyncOptions::new()
            .kinds(&self.kinds)
            .cancel(self.cancel.clone())
            .shard(self.shard);
        let read = mapping.resources.iter().enumerate();
        let read = read.filter(|(_, resource)| options.leaves_out(resource).is_none());
        let read = read.map(|(index, resource)| (index, resource.kind()));
        let mut kinds = Kinds::of(&self.port, integration.as_ref(), read);
        let told = async {
            self.tell_port(ResyncStatus::Running, began_at, None).await;
            self.remember_own_change(true).await;
            if let Some(kinds) = &mut kinds {
                kinds.begin().await;
            }
        };
        cancel.unless_cancelled(told).await;
        self.telemetry.sync_begins();
        let sink = (self.make_sink)(&mapping);
        let syncing = AssertUnwindSafe(engine.sync_with(&options, &*sink)).catch_unwind();
        let report = match &mut kinds {
            None => syncing.await,
            Some(kinds) => {
                let mut turns = self.telemetry.turns();
                let following = async {
                    kinds.follow(&mut turns).await;
                    std::future::pending().await
                };
                tokio::select! {
                    report = syncing => report,
                    () = following => unreachable!("it waits for ever after the last of them"),
                }
            }
        };
        let report = report.unwrap_or_else(|_| Report::panicked());
        self.telemetry.sync_ends(&report, began.elapsed());
        (self.listener)(News::Ended(&report));
        let status = match (cancel.is_cancelled(), report.is_clean()) {
            (_, true) => ResyncStatus::Completed,
            (true, false) => ResyncStatus::Aborted,
            (false, false) => ResyncStatus::Failed,
        };
        let last_words = async {
            cancel.cancelled().await;
            tokio::time::sleep(LAST_WORDS).await;
        };
        tokio::select! {
            () = self.after_sync(status, began_at, kinds) => {}
            () = last_words => {}
        }
        Ok((report, status == ResyncStatus::Aborted))
    }

    /// Tells Port how it went and what records look like. What cannot be told is a problem to name, and nothing else.
    async fn after_sync(&mut self, status: ResyncStatus, began: SystemTime, kinds: Option<Kinds>) {
        if self.known.is_none() {
            return;
        }
        // What somebody else changed meanwhile is found by the next question; what is changed by telling is not.
        let was_changed = self.was_changed().await;
        if let (Some(mut kinds), Some(last)) = (kinds, self.telemetry.last()) {
            kinds.end(&last).await;
            if let Some(error) = kinds.failure() {
                self.problem(&format!("Port was not told how each kind goes: {error}"));
            }
        }
        let end = self.clock.wall();
        self.tell_port(status, began, Some(end)).await;
        if status != ResyncStatus::Aborted {
            for (kind, examples) in self.telemetry.examples() {
                if examples.is_empty() {
                    continue;
                }
                if let Err(error) = self.port.send_examples(&kind, &examples).await {
                    let error = port_error(error);
                    self.problem(&format!("examples of {kind} were not sent: {error}"));
                }
            }
        }
        self.remember_own_change(!was_changed).await;
    }

    async fn tell_port(
        &mut self,
        status: ResyncStatus,
        began: SystemTime,
        end: Option<SystemTime>,
    ) {
        if self.known.is_none() {
            return;
        }
        let interval = self.config.run.scheduled_resync_interval;
        let state = ResyncState {
            status,
            last_resync_start: Some(began),
            last_resync_end: end,
            next_resync: interval.map(|interval| began + interval),
            interval_minutes: interval.map(|interval| interval.as_secs() / 60),
        };
        if let Err(error) = self.port.report_resync(&state).await {
            let error = port_error(error);
            self.problem(&format!("Port was not told how the sync goes: {error}"));
        }
    }

    async fn was_changed(&self) -> bool {
        match self.port.integration().await {
            Ok(Some(integration)) => self.known.as_ref() != Some(&Known::from(&integration)),
            _ => false,
        }
    }

    /// Telling Port how it goes may count as a change of the integration there; it is none that asks for a sync.
    async fn remember_own_change(&mut self, nobody_else_changed_it: bool) {
        if !nobody_else_changed_it {
            return;
        }
        if let Ok(Some(integration)) = self.port.integration().await
            && let Some(known) = &mut self.known
            && known.config == integration.config
        {
            known.updated_at = integration.updated_at;
        }
    }

    fn problem(&mut self, what: &str) {
        self.telemetry.has_problem(Some(what.to_owned()));
        (self.listener)(News::Problem(what));
    }

    fn not_ready(&mut self, what: &str) {
        self.telemetry.is_not_ready(what);
        (self.listener)(News::Problem(what));
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("engine", &self.engine)
            .field("port", &self.port)
            .field("watermark", &self.watermark)
            .finish_non_exhaustive()
    }
}

impl From<NoSync> for Error {
    fn from(error: NoSync) -> Self {
        match error {
            NoSync::Port(error) => error,
            other => Error::new(ErrorKind::Config, other.to_string()),
        }
    }
}
