//! What the reads of one sync share: the API and the lists of parents.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use longshore_jq::Val;
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::fetch::Api;
use crate::pages::Pages;
use crate::resource::{ParentList, ReadIdentity};

/// One run over an API. Parents that several resources need are read once in it.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) api: Arc<Api>,
    parents: Arc<Mutex<HashMap<ReadIdentity, Shared>>>,
}

/// The records of one list, read by whoever asks first.
type Shared = Arc<OnceCell<Arc<Vec<Val>>>>;

/// Parent records, and why they may not be all.
#[derive(Debug)]
pub(crate) struct Parents {
    pub(crate) records: Arc<Vec<Val>>,
    pub(crate) failure: Option<Error>,
}

impl Session {
    pub(crate) fn new(api: Arc<Api>) -> Self {
        Session {
            api,
            parents: Arc::default(),
        }
    }

    /// The records of a parents' list. Readers at the same time share one read; only a complete one is kept, so that after a
    /// failed read the next reader asks the API again (R13).
    pub(crate) async fn parents(&self, kind: &str, list: &ParentList) -> Parents {
        let cell = self
            .parents
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(list.identity.clone())
            .or_default()
            .clone();
        let read = cell
            .get_or_try_init(|| async {
                let mut pages = Pages::of_parents(self.api.clone(), kind, &list.list);
                let mut records = Vec::new();
                while let Some(page) = pages.next().await {
                    match page {
                        Ok(page) => records.extend(page.records),
                        Err(failure) => return Err((records, failure)),
                    }
                }
                match pages.shortfall() {
                    None => Ok(Arc::new(records)),
                    Some(failure) => Err((records, failure)),
                }
            })
            .await;
        match read {
            Ok(records) => Parents {
                records: records.clone(),
                failure: None,
            },
            Err((records, failure)) => Parents {
                records: Arc::new(records),
                failure: Some(failure),
            },
        }
    }
}
