//! One answer, as a paginator sees it.

use std::cell::OnceCell;
use std::fmt;

use http::{HeaderMap, HeaderName};
use longshore_jq::Val;
use serde::{Deserialize, Serialize};

use crate::request::PageRequest;

/// One answer with the request it answers, its records, and what the read had seen before it.
pub struct Page<'a> {
    request: &'a PageRequest,
    headers: &'a HeaderMap,
    value: &'a Val,
    records: &'a [Val],
    progress: &'a Progress,
    body: OnceCell<serde_json::Value>,
}

/// Shows the request, the names of the headers and how many records there are: what they hold is data of the API's users, or lets in.
impl fmt::Debug for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Page")
            .field("request", &self.request)
            .field("headers", &self.headers.keys().collect::<Vec<_>>())
            .field("records", &self.records.len())
            .field("progress", &self.progress)
            .finish_non_exhaustive()
    }
}

impl<'a> Page<'a> {
    /// A view of an answer. `records` are what the record path found in the body, before any selector.
    pub fn new(
        request: &'a PageRequest,
        headers: &'a HeaderMap,
        body: &'a Val,
        records: &'a [Val],
        progress: &'a Progress,
    ) -> Self {
        Page {
            request,
            headers,
            value: body,
            records,
            progress,
            body: OnceCell::new(),
        }
    }

    /// The request that was sent, as [`Paginator::apply`](crate::Paginator::apply) left it.
    pub fn request(&self) -> &'a PageRequest {
        self.request
    }

    /// The headers of the answer.
    pub fn headers(&self) -> &'a HeaderMap {
        self.headers
    }

    /// The first header of the answer with this name, when it is text and not empty.
    pub fn header(&self, name: &HeaderName) -> Option<&'a str> {
        let text = self.headers.get(name)?.to_str().ok()?.trim();
        (!text.is_empty()).then_some(text)
    }

    /// The body. It is converted on the first call and kept; [`Page::value`] costs nothing.
    pub fn body(&self) -> &serde_json::Value {
        self.body.get_or_init(|| self.value.to_json())
    }

    /// The body as jq sees it. An answer without content is null.
    pub fn value(&self) -> &'a Val {
        self.value
    }

    /// How many records the page holds.
    pub fn records(&self) -> usize {
        self.records.len()
    }

    /// The records of the page.
    pub(crate) fn all(&self) -> &'a [Val] {
        self.records
    }

    /// The first record of the page.
    pub fn first_record(&self) -> Option<&'a Val> {
        self.records.first()
    }

    /// The last record of the page.
    pub fn last_record(&self) -> Option<&'a Val> {
        self.records.last()
    }

    /// What the read had seen before this page.
    pub fn progress(&self) -> &'a Progress {
        self.progress
    }

    /// Records read with this page.
    pub(crate) fn read(&self) -> u64 {
        self.progress.records + self.records.len() as u64
    }

    /// Whether the body itself is the one record: then its keys are the record's, not those of an envelope.
    pub(crate) fn body_is_the_record(&self) -> bool {
        self.records.len() == 1 && self.value.is_object() && self.records[0] == *self.value
    }
}

/// What a read has seen so far. While a page is judged, this is what was seen BEFORE it.
///
/// It holds all the history that a paginator may use, so that paginators themselves have none and one of them can serve
/// many reads at once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[non_exhaustive]
pub struct Progress {
    /// Pages.
    pub pages: u64,
    /// Records on them.
    pub records: u64,
    /// Records of the largest page.
    pub largest_page: u64,
    /// Records of the last page.
    pub last_page: u64,
    /// Whether an earlier answer gave a position to go on from.
    pub had_token: bool,
    /// The largest total of records that an answer gave under a well-known name. Some APIs give it on the first page only, and one that
    /// falls tells that rows went away.
    pub total: Option<u64>,
    /// Whether a flag of the last answer, under a well-known name, said that there is more.
    pub said_more: bool,
    /// Whether an object of an earlier page came again, on the page that is judged or before it: rows moved while they were read. Looked for
    /// where positions are [counted](crate::Paginator::counts), on such pages and the first one; elsewhere nothing moves by it, and the marks of
    /// all records would only take memory.
    pub repeated: bool,
}
