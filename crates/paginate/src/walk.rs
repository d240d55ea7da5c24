//! The driver of one read, without I/O: it holds the position and all guards.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{HeaderMap, StatusCode};
use longshore_jq::Val;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ending::{Shortfall, StopReason};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::request::PageRequest;
use crate::settings::Settings;
use crate::signs;
use crate::token::PageToken;

/// Pages of one read, where neither the paginator nor the caller says otherwise.
pub const DEFAULT_MAX_PAGES: u64 = 10_000;

/// Empty pages in a row that end a read although the API speaks of more.
pub const EMPTY_PAGES: u64 = 3;

/// Positions in a row of which the answer is known already, after which a paginator that goes on naming such goes round for ever.
const KNOWN_POSITIONS: usize = 1_000;

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
    /// Positions after `token` that are known already, and how many of them are wanted.
    ahead: Vec<PageToken>,
    look_ahead: usize,
    progress: Progress,
    requests: Marks,
    pages: Marks,
    /// Of the objects of all counted pages so far and of the first page, 8 bytes each: of other pages nobody asks for them. Not part of a
    /// checkpoint: after a resume, only what comes then is compared.
    records: HashSet<Fingerprint>,
    last: Option<LastPage>,
    /// The page before the interruption, while it is still to be looked at again.
    recheck: Option<(LastPage, PageRequest)>,
    /// It holds other records by now.
    moved: bool,
    /// What the paginator found out by itself.
    found: Option<Settings>,
    empty_in_row: u64,
    max_pages: u64,
    done: bool,
}

/// Whether a read goes on. Whatever is none of its two ends means: send [`Walk::request`] next.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Step {
    /// Send [`Walk::request`] next.
    Continue,
    /// The read is over.
    Done(Ending),
    /// What came is no page of the list, so that its records do not count. Send [`Walk::request`] next, unless the read is over.
    Dropped(Option<Ending>),
}

/// How a read ended.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
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
    /// Of the caller's request: another request cannot go on from here.
    base: Fingerprint,
    token: Option<PageToken>,
    progress: Progress,
    requests: Vec<Fingerprint>,
    pages: Vec<Fingerprint>,
    last: Option<LastPage>,
    #[serde(default)]
    moved: bool,
    empty_in_row: u64,
    done: bool,
}

/// The last page before a checkpoint. A read that goes on at a counted position looks at it again: what moved in between has moved it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct LastPage {
    token: Option<PageToken>,
    /// What its records are, by their identities.
    records: Fingerprint,
}

/// Where a read stands after a page: cheap to take for each of them, and made into a [`Checkpoint`] where one is wanted.
#[derive(Clone, Debug)]
pub struct Bookmark {
    /// All but the marks, of which the read has more by now.
    at: Checkpoint,
    requests: (Arc<Mutex<Vec<Fingerprint>>>, usize),
    pages: (Arc<Mutex<Vec<Fingerprint>>>, usize),
}

/// What follows an answer.
enum Goal {
    /// A position that was not asked for yet, and its request.
    Position(PageToken, Box<PageRequest>),
    End(Result<StopReason, Shortfall>),
}

/// Marks that were seen, in the order in which they came.
#[derive(Debug, Default)]
struct Marks {
    seen: HashSet<Fingerprint>,
    order: Arc<Mutex<Vec<Fingerprint>>>,
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

impl Bookmark {
    /// The same, to be stored.
    pub fn checkpoint(&self) -> Checkpoint {
        let marks = |(all, count): &(Arc<Mutex<Vec<Fingerprint>>>, usize)| {
            let all = all.lock().unwrap_or_else(PoisonError::into_inner);
            all.iter().copied().take(*count).collect()
        };
        // Nothing follows the end that could come again.
        let (requests, pages) = match self.at.done {
            true => (Vec::new(), Vec::new()),
            false => (marks(&self.requests), marks(&self.pages)),
        };
        Checkpoint {
            requests,
            pages,
            ..self.at.clone()
        }
    }

    /// Whether the read was over.
    pub fn is_done(&self) -> bool {
        self.at.done
    }
}

impl Marks {
    fn of(marks: Vec<Fingerprint>) -> Marks {
        Marks {
            seen: marks.iter().copied().collect(),
            order: Arc::new(Mutex::new(marks)),
        }
    }

    fn contains(&self, mark: Fingerprint) -> bool {
        self.seen.contains(&mark)
    }

    /// Whether it is new.
    fn insert(&mut self, mark: Fingerprint) -> bool {
        let new = self.seen.insert(mark);
        if new {
            self.order().push(mark);
        }
        new
    }

    fn order(&self) -> MutexGuard<'_, Vec<Fingerprint>> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn so_far(&self) -> (Arc<Mutex<Vec<Fingerprint>>>, usize) {
        (self.order.clone(), self.order().len())
    }
}

impl Walk {
    /// A read from its first page. `base` is the caller's request, before any position.
    pub fn new(paginator: Arc<dyn Paginator>, base: PageRequest) -> Walk {
        Walk::begin(paginator, base, None)
    }

    /// A read that begins at a position which is known from elsewhere, as the records before it are. `base` is as for [`Walk::new`], and the
    /// position one that this paginator would give.
    pub fn starting_at(
        paginator: Arc<dyn Paginator>,
        base: PageRequest,
        position: PageToken,
    ) -> Walk {
        Walk::begin(paginator, base, Some(position))
    }

    fn begin(paginator: Arc<dyn Paginator>, base: PageRequest, token: Option<PageToken>) -> Walk {
        let progress = Progress {
            had_token: token.is_some(),
            ..Progress::default()
        };
        let start = Checkpoint {
            base: Fingerprint::of_request(&base, &base),
            token,
            progress,
            requests: Vec::new(),
            pages: Vec::new(),
            last: None,
            moved: false,
            empty_in_row: 0,
            done: false,
        };
        Walk::resume(paginator, base, start)
    }

    /// A read that goes on where a checkpoint was made, with the same paginator and the same request.
    ///
    /// Where positions are [counted](Paginator::counts), the last page before the checkpoint is asked for once more, and dropped: if it
    /// holds other records than before, rows have moved while nobody looked, and the end will be [`Shortfall::RowsShifted`].
    ///
    /// A checkpoint of another request is the error of [`Walk::request`].
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
            ahead: Vec::new(),
            look_ahead: 0,
            progress: checkpoint.progress,
            requests: Marks::of(checkpoint.requests),
            pages: Marks::of(checkpoint.pages),
            records: HashSet::new(),
            last: checkpoint.last,
            recheck: None,
            moved: checkpoint.moved,
            found: None,
            empty_in_row: checkpoint.empty_in_row,
            max_pages,
            done: checkpoint.done,
        };
        walk.current = match checkpoint.base == walk.base_mark() {
            true => walk.at(walk.token.as_ref()),
            false => Err(Error::new(
                ErrorKind::Setting,
                "the checkpoint is of another request (path, query or body have changed): read from the beginning",
            )),
        };
        if let Ok(request) = &walk.current {
            let mark = Fingerprint::of_request(request, &walk.base);
            walk.requests.insert(mark);
            if let Some(last) = walk.last.clone()
                && walk.paginator.counts(walk.token.as_ref())
            {
                walk.recheck = walk
                    .at(last.token.as_ref())
                    .ok()
                    .map(|request| (last, request));
            }
        }
        walk
    }

    /// Sets the cap on pages, over what the paginator says of it.
    pub fn max_pages(mut self, pages: u64) -> Walk {
        self.max_pages = pages;
        self
    }

    /// Sets how many pages [`Walk::upcoming`] shall tell at most; none unless said.
    pub fn look_ahead(mut self, pages: usize) -> Walk {
        self.look_ahead = pages;
        self
    }

    /// The request to send now. It stays the same until [`Walk::accept`] was called.
    ///
    /// # Errors
    /// Those of [`Paginator::apply`].
    pub fn request(&self) -> Result<PageRequest, Error> {
        match &self.recheck {
            Some((_, request)) => Ok(request.clone()),
            None => self.current.clone(),
        }
    }

    /// Requests that will most likely follow [`Walk::request`], in order: whoever wants may send them along with it.
    ///
    /// An answer to one of them counts only when [`Walk::request`] has come to be just that request; if it never does, throw it away.
    pub fn upcoming(&self) -> Vec<PageRequest> {
        let mut upcoming = Vec::new();
        if self.recheck.is_some() {
            upcoming.extend(self.current.clone().ok());
        }
        upcoming.extend(
            self.ahead
                .iter()
                .map_while(|token| self.at(Some(token)).ok()),
        );
        upcoming
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
        let objects: Vec<Fingerprint> = records
            .iter()
            .zip(&marks)
            .filter(|(record, _)| record.is_object())
            .map(|(_, mark)| *mark)
            .collect();
        let identities = Fingerprint::of_identities(records, &marks);
        // A field that is another with each answer does not make another page. But some records share what looks like an identifier.
        let apart = identities.iter().collect::<HashSet<_>>().len();
        let tell_apart = apart * 2 > identities.len();
        let identities = Fingerprint::of_page(&identities);
        if let Some((last, _)) = self.recheck.take() {
            self.moved |= last.records != identities;
            self.records.extend(objects);
            return Ok(Step::Dropped(None));
        }
        let mut seen = self.progress.clone();
        let counted = self.counts();
        seen.repeated |= counted && objects.iter().any(|mark| self.records.contains(mark));
        let page = Page::new(&request, headers, body, records, &seen);
        let page_mark = match tell_apart {
            true => identities,
            false => Fingerprint::of_page(&marks),
        };
        let came_before = !records.is_empty() && self.pages.contains(page_mark);
        let next = match self.paginator.next(self.token.as_ref(), &page) {
            Ok(Next::Discard(next)) => return self.instead(*next),
            // Before what the paginator makes of it, because a page that came before says nothing new, not even about the end.
            _ if came_before => Next::Incomplete(match self.progress.pages {
                1 => Shortfall::ParameterIgnored {
                    parameter: self.position_parameter(&request),
                    in_body_of_get: request.method == http::Method::GET
                        && request.body != self.at(None).ok().and_then(|first| first.body),
                },
                pages => Shortfall::PageRepeated { page: pages + 1 },
            }),
            next => next?,
        };
        let total = signs::record_total(&page, None).map(|total| total.count);
        let said_more = signs::flag(&page).is_some_and(|flag| flag.more);
        let ahead = match &next {
            Next::Continue(next) => {
                let left = self.max_pages.saturating_sub(self.progress.pages + 2);
                let limit = self
                    .look_ahead
                    .min(usize::try_from(left).unwrap_or(usize::MAX));
                match limit {
                    0 => Vec::new(),
                    limit => self
                        .paginator
                        .ahead(self.token.as_ref(), &page, next, limit),
                }
            }
            _ => Vec::new(),
        };
        self.progress = seen;
        self.found = self
            .token
            .as_ref()
            .and_then(|token| self.paginator.found(token));
        if counted || self.token.is_none() {
            self.records.extend(objects);
        }
        if !records.is_empty() {
            self.pages.insert(page_mark);
        }
        self.last = Some(LastPage {
            token: self.token.clone(),
            records: identities,
        });
        self.count(records.len() as u64, total);
        self.progress.said_more = said_more;
        self.ahead = ahead;
        let result = match next {
            Next::Continue(token) => match self.go_on(token, records.is_empty())? {
                None => return Ok(Step::Continue),
                Some(result) => result,
            },
            Next::Complete(reason) => Ok(reason),
            Next::Incomplete(shortfall) => Err(shortfall),
            // What stands in the place of nothing is nothing.
            Next::Discard(_) => Err(Shortfall::Other("a page was discarded twice".to_owned())),
        };
        Ok(Step::Done(self.end(result)))
    }

    /// Takes note that the API refused [`Walk::request`]: by a status that another request would not have got, or by a success that is no page of
    /// the list. `None` where that is an error as any other: for all paginators but those that try things out.
    ///
    /// # Errors
    /// Those of [`Paginator::apply`].
    pub fn refuse(&mut self, status: Option<StatusCode>) -> Result<Option<Step>, Error> {
        let refused = match (&self.recheck, &self.token) {
            (None, Some(token)) => self.paginator.refused(token, status, &self.progress),
            _ => None,
        };
        refused.map(|next| self.instead(next)).transpose()
    }

    /// What was seen so far, the last accepted page included.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Whether the position to be asked for now is [counted](Paginator::counts).
    pub fn counts(&self) -> bool {
        self.paginator.counts(self.token.as_ref())
    }

    /// The settings that the paginator found out by itself, if it is one that does and did.
    pub fn found(&self) -> Option<Settings> {
        self.found.clone()
    }

    /// Where the read stands, after the last accepted page.
    pub fn bookmark(&self) -> Bookmark {
        Bookmark {
            at: Checkpoint {
                base: self.base_mark(),
                token: self.token.clone(),
                progress: self.progress.clone(),
                requests: Vec::new(),
                pages: Vec::new(),
                last: self.last.clone(),
                moved: self.moved,
                empty_in_row: self.empty_in_row,
                done: self.done,
            },
            requests: self.requests.so_far(),
            pages: self.pages.so_far(),
        }
    }

    /// Where the read stands, after the last accepted page, to be stored.
    pub fn checkpoint(&self) -> Checkpoint {
        self.bookmark().checkpoint()
    }

    fn base_mark(&self) -> Fingerprint {
        Fingerprint::of_request(&self.base, &self.base)
    }

    fn at(&self, token: Option<&PageToken>) -> Result<PageRequest, Error> {
        let mut request = self.base.clone();
        self.paginator.apply(token, &mut request)?;
        Ok(request)
    }

    fn count(&mut self, records: u64, total: Option<u64>) {
        self.progress.pages += 1;
        self.progress.records += records;
        self.progress.last_page = records;
        self.progress.largest_page = self.progress.largest_page.max(records);
        self.progress.total = self.progress.total.max(total);
        self.empty_in_row = if records == 0 {
            self.empty_in_row + 1
        } else {
            0
        };
    }

    fn end(&mut self, result: Result<StopReason, Shortfall>) -> Ending {
        let result = match result {
            Ok(_) if self.moved => Err(Shortfall::RowsShifted {
                evidence: "the last page before the interruption holds other records by now"
                    .to_owned(),
            }),
            result => result,
        };
        // What ended short is not over: who goes on from here asks again.
        self.done = result.is_ok();
        let warnings = match &result {
            Ok(reason) => reason.doubt().map(str::to_owned).into_iter().collect(),
            Err(_) => Vec::new(),
        };
        Ending { result, warnings }
    }

    /// Goes on in the place of an answer that does not count.
    fn instead(&mut self, next: Next) -> Result<Step, Error> {
        self.ahead.clear();
        match self.goal(next)? {
            Goal::Position(token, request) => {
                self.token = Some(token);
                self.current = Ok(*request);
                Ok(Step::Dropped(None))
            }
            Goal::End(result) => Ok(Step::Dropped(Some(self.end(result)))),
        }
    }

    /// Moves to the next position, unless a guard says no: then that is how the read ends.
    fn go_on(
        &mut self,
        token: PageToken,
        empty: bool,
    ) -> Result<Option<Result<StopReason, Shortfall>>, Error> {
        if empty && self.empty_in_row >= EMPTY_PAGES {
            self.at(Some(&token))?;
            return Ok(Some(Err(Shortfall::EmptyPages {
                pages: self.empty_in_row,
            })));
        }
        let (token, request) = match self.goal(Next::Continue(token))? {
            Goal::Position(token, request) => (token, *request),
            Goal::End(result) => return Ok(Some(result)),
        };
        if self.progress.pages >= self.max_pages {
            return Ok(Some(Err(Shortfall::MaxPages {
                limit: self.max_pages,
            })));
        }
        self.progress.had_token = true;
        self.token = Some(token);
        self.current = Ok(request);
        Ok(None)
    }

    /// Where `next` leads. A position that was asked for is refused, because its answer is known, and it was no better.
    fn goal(&mut self, mut next: Next) -> Result<Goal, Error> {
        let mut parameter = None;
        for _ in 0..KNOWN_POSITIONS {
            let token = match next {
                Next::Continue(token) => token,
                Next::Complete(reason) => return Ok(Goal::End(Ok(reason))),
                Next::Incomplete(shortfall) => return Ok(Goal::End(Err(shortfall))),
                Next::Discard(instead) => {
                    next = *instead;
                    continue;
                }
            };
            let request = self.at(Some(&token))?;
            let mark = Fingerprint::of_request(&request, &self.base);
            if self.requests.insert(mark) {
                return Ok(Goal::Position(token, Box::new(request)));
            }
            parameter = self.looping(&token, &request);
            match self.paginator.refused(&token, None, &self.progress) {
                Some(other) => next = other,
                None => break,
            }
        }
        Ok(Goal::End(Err(Shortfall::PaginationLoop { parameter })))
    }

    /// The parameter of a position that was asked for before.
    fn looping(&self, token: &PageToken, request: &PageRequest) -> Option<String> {
        if is_link(token, request) {
            return None;
        }
        self.position_parameter(request).or_else(|| {
            // The very first request again: what differs is what the page before was asked with.
            let current = self.current.as_ref().ok()?;
            self.position_parameter(current)
        })
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
