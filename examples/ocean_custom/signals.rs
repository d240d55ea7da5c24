//! What SIGTERM and Ctrl-C do.

use std::sync::OnceLock;
use std::time::Duration;

use longshore_engine::{Cancel, Engine};

use crate::progress::{Progress, say};

/// After this long the process ends, whatever still waits: for whoever reads stdout, most often. Whoever sent the signal waits 10 seconds.
const PATIENCE: Duration = Duration::from_millis(9_500);

/// After this long a run that is ended at once does not wait any more for a login that must not be lost.
const PATIENCE_WITH_LOGINS: Duration = Duration::from_secs(5);

/// What reads in this process.
static ENGINE: OnceLock<Engine> = OnceLock::new();

/// Has [`end_at_once`] wait for the logins of this engine that must not be lost: a server that replaces a refresh token tells the new one once.
pub(crate) fn spare_logins_of(engine: &Engine) {
    // There is one.
    let _ = ENGINE.set(engine.clone());
}

/// Ends the process, even where it waits for whoever reads stdout.
pub(crate) fn end_at_once(progress: Progress) {
    tokio::spawn(async move {
        let signal = stop_signal().await;
        progress.clear();
        say(format_args!(
            "{signal}: ended early; what was written stays, and the next run does the rest"
        ));
        if let Some(engine) = ENGINE.get() {
            let _ = tokio::time::timeout(PATIENCE_WITH_LOGINS, engine.settled()).await;
        }
        std::process::exit(1);
    });
}

/// Gives the word to stop at the first signal. At the second, or when that takes too long, the process ends.
pub(crate) fn give_the_word(cancel: Cancel) {
    tokio::spawn(async move {
        let signal = stop_signal().await;
        say(format_args!(
            "{signal}: ending; what was written stays, nothing is deleted, and the next run does the rest"
        ));
        cancel.cancel();
        tokio::select! {
            _ = stop_signal() => {}
            () = tokio::time::sleep(PATIENCE) => {}
        }
        std::process::exit(1);
    });
}

#[cfg(unix)]
async fn stop_signal() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => "SIGINT",
        _ = terminate.recv() => "SIGTERM",
    }
}

#[cfg(not(unix))]
async fn stop_signal() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(_) => std::future::pending().await,
    }
}
