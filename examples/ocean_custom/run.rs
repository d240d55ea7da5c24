//! Syncs into Port: one, one part of one, or one after the other until told to stop. And one into a file.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use longshore_engine::config::{Config, Listen, Listener, ShardSettings};
use longshore_engine::runtime::{News, NoSync, Runtime, Server, Stopped, Telemetry, serve};
use longshore_engine::shard::{Shard, ShardSink, forget_result};
use longshore_engine::{
    Cancel, FileState, MemoryState, NdjsonSink, PlanSink, PortSink, PortSinkOptions, Report, Sink,
    SyncOptions, SyncState,
};

use crate::progress::{Progress, say};
use crate::report::{print, show, summarize, summarize_one};
use crate::setup::{Traffic, build, chain, check_kinds, port_client, refused, with_mapping};
use crate::signals::give_the_word;
use crate::{Arguments, Stop};

/// Syncs as the arguments and the listener say. Whether all is well.
pub(crate) async fn run(
    config: Config,
    arguments: &Arguments,
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let shard = shard_of(&config, arguments)?;
    if let Some((settings, folder)) = &shard {
        // Whatever fails from here on, the result of an earlier run is no part of this one.
        forget_result(folder, settings.shard).map_err(|error| Stop::Failed(chain(&error)))?;
    }
    if config.mapping.is_none() && matches!(traffic, Traffic::Recorded(_)) {
        // Credentials that stand in it would be known too late to be kept out of the recording.
        return Err(Stop::Refused(
            "--record needs the mapping before the first request, to keep credentials that stand in it out of the recording: add --mapping FILE, or --plan or --output, which read it from Port first".to_owned(),
        ));
    }
    let port = port_client(&config)?;
    let cancel = Cancel::new();
    give_the_word(cancel.clone());
    let telemetry = Telemetry::new().with_examples(config.port.send_raw_data_examples);
    let engine = build(
        &config,
        traffic,
        progress,
        Some(Arc::new(telemetry.clone())),
    )?;
    let polls = !arguments.once && shard.is_none() && config.run.listener != Listener::Once;
    let listen = config.run.listen;
    let shards = Shards::default();
    let make_sink = {
        let (config, port, shard, shards) =
            (config.clone(), port.clone(), shard.clone(), shards.clone());
        let state = state_of(
            &config,
            shard.as_ref().map(|(settings, _)| settings.shard),
            polls,
        );
        move |mapping: &_| -> Arc<dyn Sink> {
            let mut sink = PortSink::new(port.clone()).options(PortSinkOptions::from(mapping));
            if let Some(state) = &state {
                sink = sink.state(state.clone());
            }
            match &shard {
                None => Arc::new(sink),
                Some((settings, folder)) => {
                    let identity = config.identity_with(mapping);
                    let sink = ShardSink::new(sink, settings.shard, identity, folder);
                    shards.keep(Arc::new(sink))
                }
            }
        }
    };
    // Of several syncs, and of a shard, the exit code says something else than the report of one.
    let is_last = !polls && shard.is_none();
    let hears = progress.clone();
    let mut runtime = Runtime::new(config.clone(), engine, port, make_sink)
        .telemetry(telemetry.clone())
        .cancel(cancel)
        .kinds(&arguments.kind)
        .shard(shard.as_ref().map(|(settings, _)| settings.shard))
        .on_news(move |news| tell(&news, &hears, is_last));
    if polls {
        let _server = listen_at(listen, telemetry, progress).await?;
        return match runtime.poll().await {
            Stopped::Idle => Ok(true),
            _ => Ok(false),
        };
    }
    let report = runtime.once().await.map_err(|error| match error {
        NoSync::Mapping(error) => refused(&error),
        NoSync::NoMapping(what) => Stop::Refused(what),
        error => Stop::Failed(chain(&error)),
    })?;
    if let Some(file) = shards.finish(&report)? {
        say(format_args!(
            "what this shard has seen is in {}; when all shards have ended, run: ocean_custom reconcile {}",
            file.display(),
            file.parent().unwrap_or(Path::new(".")).display()
        ));
        return Ok(is_all_read(&report));
    }
    Ok(report.is_clean())
}

/// Whether nothing is wrong with what a shard did that doing it again may mend. Entities that were refused one by one would be refused again; they are
/// in its result, and `reconcile` ends with 1 for them.
fn is_all_read(report: &Report) -> bool {
    let mut reads = report.resources.iter();
    reads.all(|read| read.outcome == "complete") && report.errors.is_empty()
}

/// Syncs once into a file, or to stdout.
pub(crate) async fn into_file(
    config: Config,
    arguments: &Arguments,
    file: &Path,
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let config = match config.mapping {
        Some(_) => config,
        None => with_mapping(config.clone(), &port_client(&config)?, progress).await?,
    };
    check_kinds(&config, &arguments.kind)?;
    let engine = build(&config, traffic, progress, None)?;
    let cancel = Cancel::new();
    give_the_word(cancel.clone());
    let options = SyncOptions::new()
        .kinds(&arguments.kind)
        .cancel(cancel.clone());
    let to_stdout = file == Path::new("-");
    let sink = match to_stdout {
        true => NdjsonSink::stdout(),
        false => NdjsonSink::file(file),
    };
    let report = engine.sync_with(&options, &sink).await;
    drop(sink);
    summarize(&report, progress, "all of it read completely");
    if !to_stdout {
        if cancel.is_cancelled() {
            say(format_args!(
                "{file} is left as it was; what was read is in {file}.incomplete",
                file = file.display()
            ));
        }
        print(&report)?;
    }
    Ok(report.is_clean())
}

/// What one sync leaves behind for the next: in a file where the settings name one, else in memory for as long as there is a next.
fn state_of(config: &Config, shard: Option<Shard>, polls: bool) -> Option<Arc<dyn SyncState>> {
    match &config.run.sync_state {
        Some(file) => {
            let mut file = file.clone().into_os_string();
            if let Some(shard) = shard {
                // Shards work side by side, and each knows its own entities.
                file.push(format!(".shard-{}-of-{}", shard.index(), shard.count()));
            }
            Some(Arc::new(FileState::new(file)))
        }
        None if polls => Some(Arc::new(MemoryState::new())),
        None => None,
    }
}

/// Compares with Port and writes nothing. Whether all is well.
pub(crate) async fn plan(
    config: Config,
    arguments: &Arguments,
    traffic: &Traffic,
    progress: &Progress,
) -> Result<bool, Stop> {
    let port = port_client(&config)?;
    let config = match config.mapping {
        Some(_) => config,
        None => with_mapping(config.clone(), &port, progress).await?,
    };
    check_kinds(&config, &arguments.kind)?;
    let engine = build(&config, traffic, progress, None)?;
    let options = SyncOptions::new().kinds(&arguments.kind);
    say(engine.estimate(&arguments.kind));
    let how = config.mapping.as_ref().map(PortSinkOptions::from);
    let sink = PlanSink::new(port).options(how.unwrap_or_default());
    let report = engine.sync_with(&options, &sink).await;
    summarize(
        &report,
        progress,
        "all of it read completely, and nothing was written",
    );
    show(&sink.plan())?;
    Ok(report.is_clean())
}

/// Which part of everything is to be read, and where its results go. The command line goes over the settings.
fn shard_of(
    config: &Config,
    arguments: &Arguments,
) -> Result<Option<(ShardSettings, PathBuf)>, Stop> {
    let settings = match (arguments.shard, &config.run.shard) {
        (Some(shard), settings) => {
            let directory = settings
                .as_ref()
                .and_then(|settings| settings.directory.clone());
            ShardSettings::new(shard, directory)
        }
        (None, Some(settings)) => settings.clone(),
        (None, None) if arguments.shard_dir.is_some() => {
            return Err(Stop::Refused(
                "--shard-dir is for one shard of several; add --shard INDEX/COUNT".to_owned(),
            ));
        }
        (None, None) => return Ok(None),
    };
    let Some(folder) = arguments.shard_dir.clone().or(settings.directory.clone()) else {
        return Err(Stop::Refused(
            "a shard needs a folder that all shards write to: add --shard-dir DIR, or shard.directory to the settings".to_owned(),
        ));
    };
    if !arguments.kind.is_empty() {
        return Err(Stop::Refused(
            "--kind cannot go with a shard: what the others have seen would not be all".to_owned(),
        ));
    }
    Ok(Some((settings, folder)))
}

/// What a person hears.
fn tell(news: &News<'_>, progress: &Progress, is_last: bool) {
    match news {
        News::Begun(trigger) => tracing::info!("a sync begins, by {trigger}"),
        News::Ended(report) => {
            let summarize = if is_last { summarize } else { summarize_one };
            summarize(report, progress, "all of it read completely");
            // Whoever closed stdout has no use for the report; the exit code still tells.
            let _ = print(report);
        }
        News::Created(created) => tracing::info!("{created}"),
        News::Problem(what) | News::Warning(what) => progress.warn(what),
        _ => {}
    }
}

/// Answers health checks, where that is wanted and possible.
async fn listen_at(
    listen: Listen,
    telemetry: Telemetry,
    progress: &Progress,
) -> Result<Option<Server>, Stop> {
    let (address, is_wanted) = match listen {
        Listen::None => return Ok(None),
        Listen::At(address) => (address, true),
        _ => (Listen::DEFAULT, false),
    };
    match serve(address, telemetry).await {
        Ok(server) => {
            let address = server.address();
            tracing::info!("health and metrics at http://{address}/health/ready and /metrics");
            Ok(Some(server))
        }
        Err(error) if is_wanted => Err(Stop::Refused(format!(
            "listen: {address} cannot be listened at: {error}; choose another address, or `none`"
        ))),
        Err(error) => {
            progress.warn(&format!(
                "no health checks and metrics: {address} cannot be listened at: {error}; \
                 set `listen` (OCEAN__LISTEN) to another address, or to none"
            ));
            Ok(None)
        }
    }
}

/// The sink of a shard, kept until its results can be put under their name.
#[derive(Clone, Default)]
struct Shards(Arc<Mutex<Option<Arc<ShardSink<PortSink>>>>>);

impl Shards {
    fn keep(&self, sink: Arc<ShardSink<PortSink>>) -> Arc<dyn Sink> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(sink.clone());
        sink
    }

    fn finish(&self, report: &Report) -> Result<Option<PathBuf>, Stop> {
        let sink = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        sink.map(|sink| sink.finish(report))
            .transpose()
            .map_err(|error| Stop::Failed(chain(&error)))
    }
}
