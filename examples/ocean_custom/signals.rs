//! What SIGTERM and Ctrl-C do.

use std::time::Duration;

use longshore_engine::Cancel;

use crate::progress::{Progress, say};

/// After this long the process ends, whatever still waits: for whoever reads stdout, most often. Whoever sent the signal waits 10 seconds.
const PATIENCE: Duration = Duration::from_millis(9_500);

/// Ends the process, even where it waits for whoever reads stdout.
pub(crate) fn end_at_once(progress: Progress) {
    tokio::spawn(async move {
        let signal = stop_signal().await;
        progress.clear();
        say(format_args!(
            "{signal}: ended early; what was written stays, and the next run does the rest"
        ));
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
