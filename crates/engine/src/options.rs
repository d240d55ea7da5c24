//! How one sync is run, beside what the mapping says.

use crate::cancel::Cancel;
use crate::resource::Resource;
use crate::shard::Shard;

/// How one sync is run: which kinds, and how it is stopped. The default reads everything to its end.
///
/// ```
/// use longshore_engine::{Cancel, SyncOptions};
///
/// let cancel = Cancel::new();
/// let options = SyncOptions::new().kinds(["/users"]).cancel(cancel.clone());
/// // engine.sync_with(&options, &sink), and cancel.cancel() from elsewhere
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct SyncOptions {
    pub(crate) kinds: Option<Vec<String>>,
    pub(crate) cancel: Cancel,
    pub(crate) shard: Option<Shard>,
}

impl SyncOptions {
    /// Everything, to its end.
    pub fn new() -> Self {
        SyncOptions::default()
    }

    /// Reads the resources of these kinds only. Nothing is deleted of blueprints that they do not feed.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.kinds = Some(kinds.into_iter().map(Into::into).collect());
        self
    }

    /// Hears this word to stop.
    pub fn cancel(mut self, cancel: Cancel) -> Self {
        self.cancel = cancel;
        self
    }

    /// Reads this part of everything. Nothing is deleted then; see [`shard`](crate::shard).
    pub fn shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    /// Why the sync does not read this resource, if so.
    pub(crate) fn leaves_out(&self, resource: &Resource) -> Option<&'static str> {
        let is_wanted = |kinds: &Vec<String>| kinds.iter().any(|kind| kind == resource.kind());
        if !self.kinds.as_ref().is_none_or(is_wanted) {
            return Some("this sync was not asked to read it");
        }
        if !self.shard.is_none_or(|shard| shard.reads(resource)) {
            return Some("another shard reads it");
        }
        None
    }
}
