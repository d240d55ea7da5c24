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
    /// Of all kinds where it is empty.
    pub(crate) kinds: Vec<String>,
    pub(crate) cancel: Cancel,
    pub(crate) shard: Option<Shard>,
}

impl SyncOptions {
    /// Everything, to its end.
    pub fn new() -> Self {
        SyncOptions::default()
    }

    /// Reads the resources of these kinds only, of all kinds where there is none among them. Nothing is deleted of blueprints that they do not feed.
    ///
    /// A kind that no resource has is an error of the sync, which then begins nothing.
    pub fn kinds(mut self, kinds: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.kinds = kinds.into_iter().map(Into::into).collect();
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

    /// Whether resources of this kind are asked for.
    pub(crate) fn wants(&self, kind: &str) -> bool {
        is_wanted(kind, &self.kinds)
    }

    /// Why the sync does not read this resource, if so.
    pub(crate) fn leaves_out(&self, resource: &Resource) -> Option<&'static str> {
        if !self.wants(resource.kind()) {
            return Some("this sync was not asked to read it");
        }
        if !self.shard.is_none_or(|shard| shard.reads(resource)) {
            return Some("another shard reads it");
        }
        None
    }
}

/// Whether a kind is among these, or they are none and stand for all.
pub(crate) fn is_wanted(kind: &str, kinds: &[String]) -> bool {
    kinds.is_empty() || kinds.iter().any(|wanted| wanted == kind)
}

/// A kind that is asked for and not there would read nothing, and look well. Says which, and what there is.
pub(crate) fn unknown_kind(kinds: &[String], resources: &[Resource]) -> Option<String> {
    let mut known: Vec<&str> = Vec::new();
    for resource in resources {
        if !known.contains(&resource.kind()) {
            known.push(resource.kind());
        }
    }
    let unknown = kinds.iter().find(|kind| !known.contains(&kind.as_str()))?;
    Some(format!(
        "{unknown}: the mapping has no such kind; it has {}",
        known.join(", ")
    ))
}
