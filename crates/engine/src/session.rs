//! What the reads of one sync share: the API and the lists of parents.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_jq::Val;
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::fetch::Api;
use crate::pages::Pages;
use crate::resource::{ParentList, ReadIdentity};
use crate::shard::Shard;

/// One run over an API. Parents that several resources need are read once in it.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) api: Arc<Api>,
    parents: Arc<Mutex<HashMap<ReadIdentity, Shared>>>,
    shard: Option<Shard>,
}

/// A list of parents, read by whoever asks first.
type Shared = Arc<OnceCell<Parents>>;

/// Parent records, and what is to be said about their list.
#[derive(Clone, Default)]
pub(crate) struct Parents {
    pub(crate) records: Arc<Vec<Val>>,
    pub(crate) warnings: Arc<Vec<String>>,
    /// Their list was no list but one object.
    pub(crate) is_one_object: bool,
}

/// Parent records that may not be all, and why.
pub(crate) struct SomeParents {
    pub(crate) parents: Parents,
    pub(crate) failure: Error,
}

impl Session {
    pub(crate) fn new(api: Arc<Api>) -> Self {
        Session {
            api,
            parents: Arc::default(),
            shard: None,
        }
    }

    /// Reads this part of everything.
    pub(crate) fn shard(mut self, shard: Option<Shard>) -> Self {
        self.shard = shard;
        self
    }

    /// Whether the child at this path is read here, and not by another shard.
    pub(crate) fn reads_child(&self, path: &str) -> bool {
        self.shard.is_none_or(|shard| shard.holds(path))
    }

    /// The records of a parents' list. Readers at the same time share one read; only a complete one is kept, so that after a
    /// failed read the next reader asks the API again (R13).
    pub(crate) async fn parents(
        &self,
        kind: &str,
        list: &ParentList,
    ) -> Result<Parents, SomeParents> {
        let shared = self
            .parents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(list.identity.clone())
            .or_default()
            .clone();
        shared
            .get_or_try_init(|| self.read_parents(kind, list))
            .await
            .cloned()
    }

    async fn read_parents(&self, kind: &str, list: &ParentList) -> Result<Parents, SomeParents> {
        let mut pages = Pages::of_parents(self.api.clone(), kind, list);
        let (mut records, mut warnings) = (Vec::new(), Vec::new());
        let (mut failure, mut is_one_object) = (None, false);
        while let Some(page) = pages.next().await {
            match page {
                Ok(page) => {
                    records.extend(page.records);
                    warnings.extend(page.warnings);
                    is_one_object |= page.is_one_object;
                }
                Err(error) => failure = Some(error),
            }
        }
        let endpoint = list.list.template.as_str();
        let warnings = warnings
            .into_iter()
            .map(|warning| format!("parents at {endpoint}: {warning}"))
            .collect();
        let parents = Parents {
            records: Arc::new(records),
            warnings: Arc::new(warnings),
            is_one_object,
        };
        match failure.or_else(|| pages.shortfall()) {
            None => Ok(parents),
            Some(failure) => Err(SomeParents { parents, failure }),
        }
    }
}
