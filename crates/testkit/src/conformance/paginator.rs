//! What every paginator must do.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};
use longshore_jq::Val;
use longshore_paginate::{Next, Page, PageRequest, PageToken, Paginator, Progress, Step, Walk};
use longshore_transport::Request;
use serde_json::{Value, json};

use super::broken;
use crate::{Answer, Call, Pages};

/// Holds a paginator against the contract of [`Paginator`], with an API that pages the way this paginator reads.
///
/// The API must have records for several pages and a short last one (unless it has but one page), and `paginator` must be set up for
/// it: the same parameters, the same paths. The rules, by the names that a panic says:
///
/// - `keeps-request`: method, path, parameters, headers and body members of the caller stay, on the first page and with a token;
/// - `pure`: the same input gives the same output, from both methods;
/// - `idempotent`: applying a position twice is applying it once;
/// - `advances`: each token leads to another request, which the API understands;
/// - `token-survives-serde`: a token that was stored and read again leads to the same request;
/// - `terminates`: a read ends, for a positive reason, within three requests more than there are pages (what it
///   [discards](Next::Discard) does not count);
/// - `complete-is-all`: whatever the number of records (none, one, a page, a page and one …), Complete is said only after all of them;
/// - `malformed-is-no-end`: a first page whose sign of more cannot be read is an error, a shortfall or goes on, but is not Complete.
///
/// ```
/// use longshore_paginate::PageNumber;
/// use longshore_testkit::{Pages, conformance, numbered};
///
/// let paginator = PageNumber::new().page_size(10);
/// conformance::paginator(paginator, Pages::page(numbered(35)));
/// ```
///
/// # Panics
/// When a rule is broken, or when the API has too few records to show it.
pub fn paginator(paginator: impl Paginator, api: impl ModelApi) {
    let paginator: Arc<dyn Paginator> = Arc::new(paginator);
    for base in bases() {
        let check = Check {
            paginator: &paginator,
            api: &api,
            base: &base,
        };
        let first = check.first_page();
        let (all, page) = (api.records(), first.records.len() as u64);
        assert!(
            page > 0,
            "the API of this check gives no records on its first page"
        );
        check.reads(all, true);
        for some in [0, 1, page - 1, page, page + 1, 2 * page] {
            if some < all {
                check.reads(some, false);
            }
        }
        check.malformed();
    }
}

/// An API that a paginator is tried on: a pure function from a request to a page. [`Pages`] is one, for the usual styles.
pub trait ModelApi: fmt::Debug {
    /// The page that the request asks for, out of the first `of` records; or why the API refuses the request.
    ///
    /// # Errors
    /// One line: what about the request makes no sense to this API.
    fn answer(&self, request: &PageRequest, of: u64) -> Result<ModelPage, String>;

    /// How many records there are.
    fn records(&self) -> u64;

    /// The first page, with all its records, but with no readable sign of what comes next. Nothing, where a single page is all.
    fn malformed(&self, request: &PageRequest) -> Vec<ModelPage> {
        let Ok(page) = self.answer(request, self.records()) else {
            return Vec::new();
        };
        [
            Value::Null,
            json!("<html>Service unavailable</html>"),
            json!({"unexpected": true}),
        ]
        .into_iter()
        .map(|body| ModelPage {
            headers: HeaderMap::new(),
            body,
            records: page.records.clone(),
        })
        .collect()
    }
}

/// One page of a [`ModelApi`].
#[derive(Clone, Debug)]
pub struct ModelPage {
    /// Headers of the answer.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Value,
    /// The records in it.
    pub records: Vec<Value>,
}

impl ModelApi for Pages {
    fn answer(&self, request: &PageRequest, of: u64) -> Result<ModelPage, String> {
        let (answer, records) = self.answer_of(&call(request), of);
        match answer.status.is_success() {
            true => Ok(ModelPage::of(answer, records)),
            false => Err(answer.body_json()["error"]
                .as_str()
                .unwrap_or("refused")
                .to_owned()),
        }
    }

    fn records(&self) -> u64 {
        self.len()
    }

    fn malformed(&self, request: &PageRequest) -> Vec<ModelPage> {
        let pages = self.garbled(&call(request)).into_iter();
        pages
            .map(|(answer, records)| ModelPage::of(answer, records))
            .collect()
    }
}

impl ModelPage {
    fn of(answer: Answer, records: Vec<Value>) -> ModelPage {
        ModelPage {
            body: answer.body_json(),
            headers: answer.headers,
            records,
        }
    }
}

/// Two requests of callers: a plain read, and one that is posted.
fn bases() -> [PageRequest; 2] {
    let url = "https://api.example.com/v1/items?keep=a%20b&keep=2&filter%5Bstate%5D=open";
    let mut get = PageRequest::new(Method::GET, url.parse().expect("a URL"));
    get.headers
        .insert("x-keep", HeaderValue::from_static("yes"));
    let mut post = get.clone();
    post.method = Method::POST;
    post.body = Some(json!({"filter": {"state": "open"}}));
    [get, post]
}

struct Check<'a, A> {
    paginator: &'a Arc<dyn Paginator>,
    api: &'a A,
    base: &'a PageRequest,
}

impl<A: ModelApi> Check<'_, A> {
    fn first_page(&self) -> ModelPage {
        let request = self.applied(None);
        self.ask(&request, self.api.records())
    }

    /// Reads the first `of` records page by page.
    fn reads(&self, of: u64, to_the_end: bool) {
        let mut walk = Walk::new(Arc::clone(self.paginator), self.base.clone());
        let mut token: Option<PageToken> = None;
        let mut request = self.applied(None);
        let (mut requests, mut got, mut most) = (0, 0, 0);
        loop {
            let page = self.ask(&request, of);
            requests += 1;
            got += page.records.len() as u64;
            if requests == 1 {
                most = of.div_ceil((page.records.len() as u64).max(1)) + 3;
            }
            if requests > most {
                self.broken(
                    "terminates",
                    &format!("{requests} requests were made for {of} records"),
                );
            }

            let (body, records) = page.values();
            let next = self.next(
                token.as_ref(),
                &request,
                &page.headers,
                &body,
                &records,
                walk.progress(),
            );
            let onwards = match &next {
                Next::Continue(next) => Some((next.clone(), self.applied(Some(next)))),
                Next::Discard(instead) => match &**instead {
                    Next::Continue(next) => Some((next.clone(), self.applied(Some(next)))),
                    _ => None,
                },
                _ => None,
            };
            if onwards.as_ref().is_some_and(|(_, next)| *next == request) {
                self.broken(
                    "advances",
                    &format!("the request after page {requests} is the request of that page again"),
                );
            }
            // The walk adds the guards and the memory that a real read has.
            let step = match walk
                .request()
                .and_then(|_| walk.accept(&page.headers, &body, &records))
            {
                Ok(step) => step,
                Err(error) => self.broken(
                    "terminates",
                    &format!("page {requests} of a sound API is an error: {error}"),
                ),
            };
            if let Step::Dropped(_) = step {
                got -= page.records.len() as u64;
                most += 1;
                if requests > 64 + of {
                    self.broken("terminates", "it throws away one page after the other");
                }
            }
            match (step, onwards) {
                (Step::Done(ending) | Step::Dropped(Some(ending)), _) => {
                    return self.ended(
                        ending.result.map_err(|shortfall| shortfall.to_string()),
                        got,
                        of,
                        to_the_end,
                    );
                }
                (_, Some(onwards)) => (token, request) = (Some(onwards.0), onwards.1),
                (_, None) => self.broken(
                    "pure",
                    &format!("asked twice about page {requests}, it goes on and ends ({next:?})"),
                ),
            }
        }
    }

    fn ended(
        &self,
        result: Result<impl fmt::Display, String>,
        got: u64,
        of: u64,
        to_the_end: bool,
    ) {
        match result {
            Ok(reason) if got < of => self.broken(
                "complete-is-all",
                &format!("Complete ({reason}) after {got} of {of} records"),
            ),
            Ok(_) => {}
            Err(shortfall) if to_the_end => self.broken(
                "terminates",
                &format!("after {got} of {of} records of a sound API: {shortfall}"),
            ),
            Err(_) => {}
        }
    }

    fn malformed(&self) {
        let (request, nothing) = (self.applied(None), Progress::default());
        for page in self.api.malformed(&request) {
            let (body, records) = page.values();
            let page_seen = Page::new(&request, &page.headers, &body, &records, &nothing);
            if let Ok(Next::Complete(reason)) = self.paginator.next(None, &page_seen) {
                self.broken(
                    "malformed-is-no-end",
                    &format!(
                        "Complete ({reason}) on a first page with {} records and the body {}",
                        records.len(),
                        brief(&page.body)
                    ),
                );
            }
        }
    }

    /// The request for a position, after looking at how it was made.
    fn applied(&self, token: Option<&PageToken>) -> PageRequest {
        let apply = |token: Option<&PageToken>, mut request: PageRequest| match self
            .paginator
            .apply(token, &mut request)
        {
            Ok(()) => request,
            Err(error) => self.broken("advances", &format!("its own position is refused: {error}")),
        };
        let request = apply(token, self.base.clone());
        let page = if token.is_some() {
            "with a token"
        } else {
            "on the first page"
        };
        if apply(token, self.base.clone()) != request {
            self.broken(
                "pure",
                &format!("{page}, the same position gives two different requests"),
            );
        }
        if apply(token, request.clone()) != request {
            self.broken(
                "idempotent",
                &format!("{page}, applying twice is not applying once"),
            );
        }
        if let Some(lost) = lost(self.base, &request) {
            self.broken(
                "keeps-request",
                &format!("{page}, {lost} of the caller is not what it was"),
            );
        }
        if let Some(token) = token {
            let text = serde_json::to_string(token).unwrap_or_default();
            let again = serde_json::from_str(&text)
                .ok()
                .map(|token: PageToken| apply(Some(&token), self.base.clone()));
            if again.as_ref() != Some(&request) {
                self.broken(
                    "token-survives-serde",
                    "a token that was stored and read again leads to another request",
                );
            }
        }
        request
    }

    fn ask(&self, request: &PageRequest, of: u64) -> ModelPage {
        match self.api.answer(request, of) {
            Ok(page) => page,
            Err(problem) => self.broken(
                "advances",
                &format!("the API refuses the request: {problem}"),
            ),
        }
    }

    fn next(
        &self,
        token: Option<&PageToken>,
        request: &PageRequest,
        headers: &HeaderMap,
        body: &Val,
        records: &[Val],
        progress: &Progress,
    ) -> Next {
        let judge = || {
            self.paginator
                .next(token, &Page::new(request, headers, body, records, progress))
        };
        match (judge(), judge()) {
            (Ok(next), Ok(again)) if next == again => next,
            (Err(error), Err(_)) => self.broken(
                "terminates",
                &format!("a page of a sound API is an error: {error}"),
            ),
            _ => self.broken("pure", "the same page is judged in two different ways"),
        }
    }

    fn broken(&self, rule: &str, what: &str) -> ! {
        broken(self.paginator, rule, what)
    }
}

impl ModelPage {
    fn values(&self) -> (Val, Vec<Val>) {
        (
            Val::from_json(&self.body),
            self.records.iter().map(Val::from_json).collect(),
        )
    }
}

/// What of the caller's request is not in the other one.
fn lost(base: &PageRequest, request: &PageRequest) -> Option<String> {
    if base.method != request.method {
        return Some("the method".to_owned());
    }
    if (base.url.origin(), base.url.path()) != (request.url.origin(), request.url.path()) {
        return Some("the path".to_owned());
    }
    let (before, after) = (parameters(base), parameters(request));
    if let Some((name, _)) = before
        .iter()
        .find(|(name, values)| after.get(*name) != Some(values))
    {
        return Some(format!("the parameter `{name}`"));
    }
    let header = |name: &&http::HeaderName| {
        !base
            .headers
            .get_all(*name)
            .iter()
            .eq(request.headers.get_all(*name).iter())
    };
    if let Some(name) = base.headers.keys().find(header) {
        return Some(format!("the header `{name}`"));
    }
    let members = base
        .body
        .as_ref()
        .and_then(Value::as_object)
        .into_iter()
        .flatten();
    let body = request.body.as_ref();
    let mut gone = members
        .filter(|(name, value)| body.and_then(|body| body.get(name.as_str())) != Some(value));
    gone.next()
        .map(|(name, _)| format!("the body's member `{name}`"))
}

fn parameters(request: &PageRequest) -> BTreeMap<String, Vec<String>> {
    let mut parameters: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, value) in request.url.query_pairs() {
        parameters
            .entry(name.into_owned())
            .or_default()
            .push(value.into_owned());
    }
    parameters
}

fn call(request: &PageRequest) -> Call {
    let mut sent = Request::new(request.method.clone(), request.url.clone());
    if let Some(body) = &request.body {
        sent = sent.with_json(body);
    }
    sent.headers.extend(request.headers.clone());
    Call::new(sent, Vec::new())
}

fn brief(body: &Value) -> String {
    body.to_string().chars().take(60).collect()
}
