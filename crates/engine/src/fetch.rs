//! One page asked for and read: the meeting point of transport, credentials and the paginator's requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, StatusCode};
use longshore_jq::Val;
use longshore_nested::ChildRequest;
use longshore_paginate::{PageRequest, PageToken, Paginator, Settings, Style};
use longshore_transport::{Attempt, Client, Exchange, Origin, Request, Response, json};
use tracing::Instrument;
use url::Url;

use crate::engine::NextLinkOrigin;
use crate::error::{Error, ErrorKind, chain};
use crate::event::{Event, Observer};
use crate::login::Logins;
use crate::resource::{ListRequest, without_query};
use crate::rules::{CompiledRules, Rules};
use crate::stable::StableHash;

/// JSON, in whatever type an API puts it: many know theirs only, `application/vnd.api+json` say, and refuse everybody who does not take it.
const ACCEPTED: &str = "application/json, */*;q=0.5";

/// Everything that the reads of one API share.
pub(crate) struct Api {
    pub(crate) client: Client,
    pub(crate) logins: Logins,
    pub(crate) base_url: Url,
    pub(crate) origin: Origin,
    pub(crate) headers: HeaderMap,
    pub(crate) pagination: Settings,
    pub(crate) paginator: Option<Arc<dyn Paginator>>,
    pub(crate) allowed_origins: Vec<Origin>,
    pub(crate) next_link_origin: NextLinkOrigin,
    pub(crate) rules: CompiledRules,
    pub(crate) max_concurrent_requests: usize,
    /// What `now` is for every expression of a mapping, where it is not the clock's.
    pub(crate) now: Option<f64>,
    pub(crate) observer: Arc<dyn Observer>,
}

/// An answer, as far as paging and mapping are concerned.
#[derive(Debug)]
pub(crate) enum Answer {
    /// A page. The body of a 204 is null.
    Page {
        headers: HeaderMap,
        body: Val,
        no_content: bool,
    },
    /// A status that the configuration reads as "nothing here".
    Nothing(StatusCode),
}

/// What a request is made for: goes into events and errors.
#[derive(Clone, Debug)]
pub(crate) struct Purpose {
    /// The kind of the resource that is read.
    pub(crate) kind: String,
    /// The path template that errors print, from the root of the host.
    pub(crate) label: String,
    /// Where the settings of the list stand in a mapping.
    pub(crate) settings_place: String,
    /// The list that is read.
    pub(crate) list: Arc<ListRequest>,
}

/// Where a list is begun.
#[derive(Clone, Debug)]
pub(crate) struct Opening {
    pub(crate) request: ChildRequest,
    /// Behind the records that stand in a parent's record: a link, or a cursor.
    pub(crate) next: Option<String>,
}

impl Opening {
    /// What tells it from others of the same list.
    pub(crate) fn identity(&self) -> String {
        let request = self.request.identity();
        match &self.next {
            None => request,
            Some(next) => format!("{request} behind {next}"),
        }
    }
}

impl From<ChildRequest> for Opening {
    fn from(request: ChildRequest) -> Self {
        Opening {
            request,
            next: None,
        }
    }
}

impl Api {
    /// The first request of a list, before any paging.
    pub(crate) fn request(
        &self,
        list: &ListRequest,
        request: &ChildRequest,
    ) -> Result<PageRequest, Error> {
        let url = longshore_transport::join(&self.base_url, &request.path).map_err(|error| {
            let message = format!("the path cannot be joined to the base URL: {error}");
            Error::quoting(ErrorKind::Fetch, message, error)
        })?;
        let mut headers = list.headers.clone();
        for (name, value) in &request.headers {
            let (name, mut value) = longshore_transport::header(name, value).map_err(|error| {
                let message = format!("the header {name} cannot hold the value of its parameter");
                Error::new(ErrorKind::Parameter, message).with_source(error)
            })?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let mut page = PageRequest {
            method: list.method.clone(),
            url,
            headers,
            body: request.body.clone(),
        };
        for (name, value) in &request.query {
            page.append_query(name, value);
        }
        Ok(page)
    }

    /// Where to go on behind the part of a list that stands in a parent's record, by its link or cursor: what its paginator is to begin with.
    pub(crate) fn continued(
        &self,
        list: &ListRequest,
        mut base: PageRequest,
        next: &str,
    ) -> Result<(PageRequest, Option<PageToken>), Error> {
        // What code makes of a position is its own; it gets the link.
        let is_code = list.paginator.is_some()
            || (self.paginator.is_some() && list.pagination.style.is_none());
        let settings = list.pagination.clone().or(&self.pagination);
        let style = settings.style.filter(|_| !is_code);
        match style {
            Some(Style::Cursor) => return Ok((base, Some(PageToken::from(next)))),
            Some(Style::Page | Style::Offset) => {
                if let Ok(at) = next.parse::<u64>() {
                    return Ok((base, Some(PageToken::from(at))));
                }
            }
            _ => {}
        }
        let link = base.url.join(next).ok();
        let Some(link) = link.filter(|link| matches!(link.scheme(), "http" | "https")) else {
            let what = "embedded.next gives what is no link; where it is a cursor, set pagination to type cursor";
            return Err(Error::new(ErrorKind::Paginate, what));
        };
        // Whatever host it names is held against the rules for links when it is sent.
        match style {
            Some(Style::NextLink | Style::HeaderLink) => Ok((base, Some(PageToken::from(link)))),
            _ => {
                base.url = link;
                Ok((base, None))
            }
        }
    }

    /// Evaluates jq, for which `now` is what this API's mappings are told.
    pub(crate) fn at_now<T>(&self, work: impl FnOnce() -> T) -> T {
        match self.now {
            Some(now) => longshore_jq::at_time(now, work),
            None => work(),
        }
    }

    /// How many lists are read side by side: so many that for every permit that gets free a request stands in line already. It then waits for
    /// nobody to take and map what has just arrived.
    pub(crate) fn lists_at_once(&self) -> usize {
        self.max_concurrent_requests.saturating_mul(2)
    }

    /// The paginator of a list: its own settings first, then the connection's.
    pub(crate) fn paginator(&self, list: &ListRequest) -> Result<Arc<dyn Paginator>, Error> {
        match &self.paginator {
            Some(paginator) if list.paginator.is_none() && list.pagination.style.is_none() => {
                Ok(paginator.clone())
            }
            _ => list.paginator(&self.pagination).map_err(|problems| {
                let all: Vec<String> = problems
                    .iter()
                    .map(|p| format!("pagination.{}: {}", p.setting, p.message))
                    .collect();
                Error::new(ErrorKind::Config, all.join("; "))
            }),
        }
    }

    /// How a list is paged, in a short text that differs where the settings do. Of paginators that are code it knows nothing.
    pub(crate) fn paging(&self, list: &ListRequest) -> String {
        let mut hash = StableHash::new();
        hash.add_text(&list.pagination.clone().or(&self.pagination).line());
        hash.add_text(&format!(
            "{} {}",
            list.paginator.is_some(),
            self.paginator.is_some() && list.pagination.style.is_none()
        ));
        hash.hex()
    }

    /// What errors print for a path template: the path that is asked for, without its query.
    pub(crate) fn label(&self, template: &str) -> String {
        let path = without_query(template);
        let root = self.base_url.path().trim_end_matches('/');
        format!("{root}/{}", path.trim_start_matches('/'))
    }

    /// Sends one request and reads its whole answer, with all repeats.
    pub(crate) async fn fetch(
        &self,
        page: PageRequest,
        purpose: &Purpose,
    ) -> Result<Answer, Error> {
        let request = self.wire_request(page);
        let rules = Rules {
            list: &purpose.list.rules,
            connection: &self.rules,
        };
        let encoded_slash = request.url.path().contains("%2F");
        let note = |attempt: &Attempt| {
            self.observer.event(&Event::Request {
                kind: &purpose.kind,
                attempt,
            });
        };
        let prepare = self.logins.of(purpose.list.auth.as_ref())?;
        let exchange = Exchange::new(&*prepare)
            .origin(self.origin.clone())
            .allowed_origins(&self.allowed_origins)
            .credential_origins(self.logins.credential_origins())
            .label(&purpose.label)
            .lane(&purpose.kind)
            .reset_unit(rules.reset_unit())
            .on_attempt(&note);
        self.client
            .send(request, &exchange, |response| {
                self.at_now(|| read(response, rules))
            })
            .instrument(
                tracing::debug_span!("page", resource = %purpose.kind, path = %purpose.label),
            )
            .await
            .map_err(|error| explain(error, purpose, encoded_slash))
    }

    /// The request as it leaves us, but for credentials.
    fn wire_request(&self, page: PageRequest) -> Request {
        let mut page = page;
        if self.is_foreign(&page.url) {
            match self.next_link_origin {
                NextLinkOrigin::Rebase => page.url = self.origin.rebase(&page.url),
                // The transport refuses it, or sends it without anything of ours.
                NextLinkOrigin::Strict => return Request::new(page.method, page.url),
            }
        }
        self.restore_base_query(&mut page);
        let mut request = Request::new(page.method, page.url);
        request.headers = page.headers;
        for (name, value) in &self.headers {
            if !request.headers.contains_key(name) {
                request.headers.insert(name.clone(), value.clone());
            }
        }
        request
            .headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static(ACCEPTED));
        if let Some(body) = page.body {
            request
                .headers
                .entry(CONTENT_TYPE)
                .or_insert(HeaderValue::from_static("application/json"));
            request.body = Some(body.to_string().into());
        }
        request
    }

    fn is_foreign(&self, url: &Url) -> bool {
        Origin::of(url).is_ok_and(|origin| {
            origin != self.origin && !self.logins.credential_origins().contains(&origin)
        })
    }

    /// Sets what the base URL's query says, which may be a key: links drop it, or carry one that is no longer good.
    fn restore_base_query(&self, page: &mut PageRequest) {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in self.base_url.query_pairs() {
            wanted.entry(name.into()).or_default().push(value.into());
        }
        for (name, values) in wanted {
            let there = page.url.query_pairs().filter(|pair| pair.0 == name);
            if there
                .map(|pair| pair.1)
                .eq(values.iter().map(String::as_str))
            {
                continue;
            }
            page.set_query(&name, &values[0]);
            for value in &values[1..] {
                page.append_query(&name, value);
            }
        }
    }
}

impl fmt::Debug for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Api")
            .field("origin", &self.origin)
            .field("pagination", &self.pagination)
            .field("max_concurrent_requests", &self.max_concurrent_requests)
            .finish_non_exhaustive()
    }
}

/// What an answer means. The transport repeats the exchange when the error is one that time may heal.
fn read(response: Response, rules: Rules<'_>) -> Result<Answer, longshore_transport::Error> {
    let status = response.status;
    let Some(response) = rules.status(response)? else {
        return Ok(Answer::Nothing(status));
    };
    if status == StatusCode::PARTIAL_CONTENT {
        return Err(longshore_transport::Error::new(
            longshore_transport::ErrorKind::Status,
            "the server answered 206 Partial Content: only a part of what was asked for",
        ));
    }
    if status == StatusCode::NO_CONTENT {
        return Ok(Answer::Page {
            headers: response.headers,
            body: Val::null(),
            no_content: true,
        });
    }
    // The second reader is for what a single record of a page may hold by accident, such as half of an emoji: the page has others.
    let read = |text: &str| Val::read_page(text).or_else(|| Val::read_data(text));
    let body = json::read_with(&response.body, read)?;
    rules.body(&response, &body)?;
    Ok(Answer::Page {
        headers: response.headers,
        body,
        no_content: false,
    })
}

/// Turns a failed exchange into an error that says what to change.
fn explain(error: longshore_transport::Error, purpose: &Purpose, encoded_slash: bool) -> Error {
    let place = &purpose.settings_place;
    let advice = match error.status().map(|status| status.as_u16()) {
        Some(404) if encoded_slash => {
            "; the path holds an encoded slash: write the parameter as {+name} in the kind to keep slashes as they are".to_owned()
        }
        Some(404) => {
            format!("; if 404 means that there is nothing here, add to {place}: onStatus: {{404: empty}}")
        }
        Some(403) => {
            format!("; if 403 means that there is nothing to see here, add to {place}: onStatus: {{403: empty}}")
        }
        _ => String::new(),
    };
    let retryable = error.is_retryable();
    let error = match error.kind() {
        // Why a login failed stands further down, and nobody can act on anything else.
        longshore_transport::ErrorKind::Auth => Error::new(ErrorKind::Fetch, chain(&error)),
        _ => Error::quoting(ErrorKind::Fetch, format!("{error}{advice}"), error),
    };
    error.of_resource(&purpose.kind).retryable(retryable)
}
