//! The driver of one read, without I/O: it holds the position and all guards.

use std::collections::HashSet;
use std::sync::Arc;

use http::HeaderMap;
use longshore_jq::Val;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ending::{Shortfall, StopReason};
use crate::error::Error;
use crate::fingerprint::Fingerprint;
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::request::PageRequest;
use crate::signs;
use crate::token::PageToken;

/// Pages of one read, where neither the paginator nor the caller says otherwise.
pub const DEFAULT_MAX_PAGES: u64 = 10_000;

/// Empty pages in a row that end a read although the API speaks of more.
pub const EMPTY_PAGES: u64 = 3;

/// One read, page by page: ask for [`Walk::request`], send it, hand the answer to [`Walk::accept`], until that is done.
///
/// The guards live here, for every paginator alike:
///
/// - a request that was made before is not made again ([`Shortfall::PaginationLoop`]);
/// - a page that came before, at another position, ends the read ([`Shortfall::ParameterIgnored`], [`Shortfall::PageRepeated`]);
/// - [`EMPTY_PAGES`] empty pages in a row that all speak of more end it ([`Shortfall::EmptyPages`]);
/// - so does the cap on pages ([`Shortfall::MaxPages`]).
#[derive(Debug)]
pub struct Walk {
    paginator: Arc<dyn Paginator>,
    base: PageRequest,
    token: Option<PageToken>,
    /// Of `token`, so that it is applied once.
    current: Result<PageRequest, Error>,
    progress: Progress,
    requests: HashSet<Fingerprint>,
    pages: HashSet<Fingerprint>,
    /// Of the objects of all pages so far, 8 bytes each. Not part of a checkpoint: after a resume, only what comes then is compared.
    records: HashSet<Fingerprint>,
    empty_in_row: u64,
    max_pages: u64,
    done: bool,
}

/// Whether a read goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Send [`Walk::request`] next.
    Continue,
    /// The read is over.
    Done(Ending),
}

/// How a read ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// The proof of the end, or why there is none.
    pub result: Result<StopReason, Shortfall>,
    /// What a person should look at although the read is complete.
    pub warnings: Vec<String>,
}

/// Where a read stands, to go on from in another process. It holds no part of the data, but its position may be a link.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checkpoint {
    token: Option<PageToken>,
    progress: Progress,
    requests: Vec<Fingerprint>,
    pages: Vec<Fingerprint>,
    empty_in_row: u64,
    done: bool,
}

impl Checkpoint {
    /// What the read had seen.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the read was over: then there is nothing to resume.
    pub fn is_done(&self) -> bool {
        self.done
    }
}

impl Walk {
    /// A read from its first page. `base` is the caller's request, before any position.
    pub fn new(paginator: Arc<dyn Paginator>, base: PageRequest) -> Walk {
        let start = Checkpoint {
            token: None,
            progress: Progress::default(),
            requests: Vec::new(),
            pages: Vec::new(),
            empty_in_row: 0,
            done: false,
        };
        Walk::resume(paginator, base, start)
    }

    /// A read that goes on where a checkpoint was made, with the same paginator and the same request.
    pub fn resume(
        paginator: Arc<dyn Paginator>,
        base: PageRequest,
        checkpoint: Checkpoint,
    ) -> Walk {
        let max_pages = paginator.max_pages().unwrap_or(DEFAULT_MAX_PAGES);
        let mut walk = Walk {
            current: Ok(base.clone()),
            paginator,
            base,
            token: checkpoint.token,
            progress: checkpoint.progress,
            requests: checkpoint.requests.into_iter().collect(),
            pages: checkpoint.pages.into_iter().collect(),
            records: HashSet::new(),
            empty_in_row: checkpoint.empty_in_row,
            max_pages,
            done: checkpoint.done,
        };
        walk.current = walk.at(walk.token.as_ref());
        if let Ok(request) = &walk.current {
            walk.requests
                .insert(Fingerprint::of_request(request, &walk.base));
        }
        walk
    }

    /// Sets the cap on pages, over what the paginator says of it.
    pub fn max_pages(mut self, pages: u64) -> Walk {
        self.max_pages = pages;
        self
    }

    /// The request to send now. It stays the same until [`Walk::accept`] was called.
    ///
    /// # Errors
    /// Those of [`Paginator::apply`].
    pub fn request(&self) -> Result<PageRequest, Error> {
        self.current.clone()
    }

    /// Takes the answer to [`Walk::request`]: its headers, its body (null for none) and the records in it, before any
    /// selector.
    ///
    /// # Errors
    /// Those of [`Paginator::next`]. The read has failed then; nothing of it is a proof of anything.
    pub fn accept(
        &mut self,
        headers: &HeaderMap,
        body: &Val,
        records: &[Val],
    ) -> Result<Step, Error> {
        let request = self.request()?;
        let marks: Vec<Fingerprint> = records.iter().map(Fingerprint::of_record).collect();
        let objects = records
            .iter()
            .zip(&marks)
            .filter(|(record, _)| record.is_object());
        let objects: Vec<Fingerprint> = objects.map(|(_, mark)| *mark).collect();
        self.progress.repeated |= objects.iter().any(|mark| self.records.contains(mark));
        self.records.extend(objects);
        let page = Page::new(&request, headers, body, records, &self.progress);
        // First of all, because a page that came before says nothing new, not even about the end.
        let next = if !records.is_empty() && !self.pages.insert(Fingerprint::of_page(&marks)) {
            Next::Incomplete(match self.progress.pages {
                1 => Shortfall::ParameterIgnored {
                    parameter: self.position_parameter(&request),
                },
                pages => Shortfall::PageRepeated { page: pages + 1 },
            })
        } else {
            self.paginator.next(self.token.as_ref(), &page)?
        };
        let total = signs::record_total(&page, None).map(|total| total.count);
        let said_more = signs::flag(&page).is_some_and(|flag| flag.more);
        self.count(records.len() as u64, total);
        self.progress.said_more = said_more;
        let result = match next {
            Next::Continue(token) => match self.go_on(token, records.is_empty())? {
                None => return Ok(Step::Continue),
                Some(shortfall) => Err(shortfall),
            },
            Next::Complete(reason) => Ok(reason),
            Next::Incomplete(shortfall) => Err(shortfall),
        };
        self.done = true;
        let warnings = match &result {
            Ok(reason) => reason.doubt().map(str::to_owned).into_iter().collect(),
            Err(_) => Vec::new(),
        };
        Ok(Step::Done(Ending { result, warnings }))
    }

    /// What was seen so far, the last accepted page included.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Where the read stands, after the last accepted page.
    pub fn checkpoint(&self) -> Checkpoint {
        let sorted = |marks: &HashSet<Fingerprint>| {
            let mut marks: Vec<_> = marks.iter().copied().collect();
            marks.sort_unstable();
            marks
        };
        Checkpoint {
            token: self.token.clone(),
            progress: self.progress.clone(),
            requests: sorted(&self.requests),
            pages: sorted(&self.pages),
            empty_in_row: self.empty_in_row,
            done: self.done,
        }
    }

    fn at(&self, token: Option<&PageToken>) -> Result<PageRequest, Error> {
        let mut request = self.base.clone();
        self.paginator.apply(token, &mut request)?;
        Ok(request)
    }

    fn count(&mut self, records: u64, total: Option<u64>) {
        self.progress.pages += 1;
        self.progress.records += records;
        self.progress.largest_page = self.progress.largest_page.max(records);
        self.progress.total = self.progress.total.max(total);
        self.empty_in_row = if records == 0 {
            self.empty_in_row + 1
        } else {
            0
        };
    }

    /// Moves to the next position, unless a guard says no.
    fn go_on(&mut self, token: PageToken, empty: bool) -> Result<Option<Shortfall>, Error> {
        let request = self.at(Some(&token))?;
        if empty && self.empty_in_row >= EMPTY_PAGES {
            return Ok(Some(Shortfall::EmptyPages {
                pages: self.empty_in_row,
            }));
        }
        if !self
            .requests
            .insert(Fingerprint::of_request(&request, &self.base))
        {
            let parameter = if is_link(&token, &request) {
                None
            } else {
                self.position_parameter(&request).or_else(|| {
                    // The very first request again: what differs is what the page before was asked with.
                    self.current
                        .as_ref()
                        .ok()
                        .and_then(|current| self.position_parameter(current))
                })
            };
            return Ok(Some(Shortfall::PaginationLoop { parameter }));
        }
        if self.progress.pages >= self.max_pages {
            return Ok(Some(Shortfall::MaxPages {
                limit: self.max_pages,
            }));
        }
        self.progress.had_token = true;
        self.token = Some(token);
        self.current = Ok(request);
        Ok(None)
    }

    /// The parameter in which a request differs from the first one, because that is the one that carries the position.
    /// Links have none.
    fn position_parameter(&self, request: &PageRequest) -> Option<String> {
        if self
            .token
            .as_ref()
            .is_some_and(|token| is_link(token, request))
        {
            return None;
        }
        let first = self.at(None).ok()?;
        let of_query = request
            .url
            .query_pairs()
            .find(|(name, value)| first.query(name).as_deref() != Some(value))
            .map(|(name, _)| name.into_owned());
        let of_headers = || {
            let changed =
                |name: &&http::HeaderName| first.headers.get(*name) != request.headers.get(*name);
            request
                .headers
                .keys()
                .find(changed)
                .map(|name| name.to_string())
        };
        let of_body = || changed_member(first.body.as_ref(), request.body.as_ref()?);
        of_query.or_else(of_headers).or_else(of_body)
    }
}

fn is_link(token: &PageToken, request: &PageRequest) -> bool {
    token.as_str() == Some(request.url.as_str())
}

/// The dotted path of the first member that differs.
fn changed_member(before: Option<&Value>, after: &Value) -> Option<String> {
    after.as_object()?.iter().find_map(|(key, value)| {
        let before = before.and_then(|before| before.get(key));
        if before == Some(value) {
            return None;
        }
        let inside = changed_member(before, value);
        Some(inside.map_or_else(|| key.clone(), |inside| format!("{key}.{inside}")))
    })
}
