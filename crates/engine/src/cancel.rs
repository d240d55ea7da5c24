//! A word to stop, heard by everything that works on one sync.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// Stops a sync from outside. Clones are the same word: whoever holds one can give it, and all others hear it.
///
/// A cancelled sync sends no further request to the API, writes what it has read for [`GRACE`](Cancel::GRACE) at most, deletes nothing, and
/// still gives its report: what was not read to its end is Incomplete with the cause `Cancelled`.
///
/// ```
/// use longshore_engine::Cancel;
///
/// let cancel = Cancel::new();
/// let heard = cancel.clone();
/// assert!(!heard.is_cancelled());
/// cancel.cancel();
/// assert!(heard.is_cancelled());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cancel(CancellationToken);

impl Cancel {
    /// How long a cancelled sync may still write what it has read already.
    pub const GRACE: Duration = Duration::from_secs(5);

    /// Not cancelled yet.
    pub fn new() -> Self {
        Cancel::default()
    }

    /// Gives the word. There is no way back.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// Whether the word was given.
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the word is given.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }

    /// What a future gives; none once the word is given, and then the future is left alone.
    pub(crate) async fn unless_cancelled<F: Future>(&self, future: F) -> Option<F::Output> {
        self.0.run_until_cancelled(future).await
    }

    /// Waits until the word was given and a login that must not be lost has had its time, which leaves some of the 10 s that whoever stops a container
    /// waits.
    pub(crate) async fn out_of_time_for_logins(&self) {
        self.0.cancelled().await;
        tokio::time::sleep(Cancel::GRACE + Duration::from_secs(2)).await;
    }

    /// Waits until the word was given and what had to be done after it has had its time.
    pub(crate) async fn out_of_time(&self) {
        self.0.cancelled().await;
        tokio::time::sleep(Cancel::GRACE).await;
    }
}
