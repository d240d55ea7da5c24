//! The pages of one list, in order, with those that are known to follow on their way while this one is mapped.

use std::collections::VecDeque;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};
use longshore_jq::Val;
use longshore_mapping::Found;
use longshore_paginate::{
    Bookmark, Checkpoint, Ending, Next, Page, PageRequest, Paginator, Progress, SinglePage, Step,
    Walk,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::error::{Error, ErrorKind, chain};
use crate::fetch::{Answer, Api, Opening, Purpose};
use crate::outcome::Cause;
use crate::parameters::ParentList;
use crate::resource::ListRequest;

/// Reads one list from its first page to its end. Whoever stops asking before [`Pages::end`] has not read it.
#[derive(Debug)]
pub(crate) struct Pages {
    api: Arc<Api>,
    purpose: Arc<Purpose>,
    list: Arc<ListRequest>,
    state: State,
    read_ahead: bool,
    /// Whether the body of the first page was taken as one record.
    begins_with_object: Option<bool>,
    /// What is still to be said, with the page that is given next.
    pending: Vec<String>,
    /// After the last page that was whole and gave a way on, or the proof that there is none.
    bookmark: Option<Bookmark>,
}

#[derive(Debug)]
enum State {
    /// Nothing was sent yet.
    Fresh {
        opening: Box<Opening>,
        from: Option<Box<Checkpoint>>,
    },
    /// Between two pages. The next ones may already be on their way.
    Reading { walk: Box<Walk>, ahead: Ahead },
    /// Over.
    Ended(End),
}

/// What is under way, in order. An answer counts only when the read has come to the very request that it answers; until then it is a guess,
/// so that what is read is the same as if the pages had been asked for one after the other.
type Ahead = VecDeque<(PageRequest, UnderWay)>;

/// A request that ends when it is dropped.
type UnderWay = AbortOnDropHandle<Result<Answer, Error>>;

/// The records of one page.
#[derive(Debug, Default)]
pub(crate) struct RecordPage {
    pub(crate) records: Vec<Val>,
    pub(crate) warnings: Vec<String>,
    /// The body was no list: it is taken as the one record.
    pub(crate) is_one_object: bool,
    /// There was no page: it only says that the read is over.
    pub(crate) is_void: bool,
}

/// A page as it came, and what the paginator made of it.
enum Taken {
    Page(RecordPage),
    /// It is none of the list's.
    Dropped,
}

/// `data_path` found nothing in a body.
struct NothingFound {
    /// The list's key is there and holds null, which is how some servers write an empty list.
    is_null: bool,
    message: String,
}

impl RecordPage {
    /// No page at all.
    fn void() -> Self {
        RecordPage {
            is_void: true,
            ..RecordPage::default()
        }
    }
}

/// How an API tells that it does not like a request: a request that is made otherwise might be fine.
enum Refusal {
    Status(StatusCode),
    /// A success that holds an error.
    Body,
}

impl Refusal {
    /// `None` for whatever has to do with the network, with credentials or with limits, and for what time may heal.
    fn of(error: &Error) -> Option<Refusal> {
        use longshore_transport::ErrorKind as Exchange;

        let failed = error.exchange()?;
        match (failed.kind(), failed.status()) {
            // Nothing was sent where a link leads to another host.
            (Exchange::ForeignOrigin, _) => Some(Refusal::Body),
            (Exchange::Rejected | Exchange::NotJson, _) => {
                (!failed.is_retryable()).then_some(Refusal::Body)
            }
            (Exchange::Status, Some(status)) => {
                let about_the_request = match status.as_u16() {
                    // Some APIs answer so to a parameter that they do not know; where a limit is meant, time heals it.
                    403 => !failed.is_retryable(),
                    401 | 407 | 408 | 425 | 429 | 451 => false,
                    500 | 501 => true,
                    code => (400..500).contains(&code),
                };
                about_the_request.then_some(Refusal::Status(status))
            }
            _ => None,
        }
    }
}

/// How a list ended.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// With a positive reason, by its name.
    Stop(String),
    /// Without proof that this was all.
    Short(Cause),
}

impl Pages {
    /// The pages of a resource, or of one child of it.
    pub(crate) fn of_resource(
        api: Arc<Api>,
        kind: &str,
        list: &Arc<ListRequest>,
        opening: Opening,
        read_ahead: bool,
    ) -> Self {
        Pages::new(
            api,
            kind,
            "its selector".to_owned(),
            list,
            opening,
            read_ahead,
        )
    }

    /// The pages of a parents' list.
    pub(crate) fn of_parents(
        api: Arc<Api>,
        kind: &str,
        parents: &ParentList,
        opening: Opening,
    ) -> Self {
        let settings = parents.settings_place.clone();
        Pages::new(api, kind, settings, &parents.list, opening, true)
    }

    fn new(
        api: Arc<Api>,
        kind: &str,
        settings_place: String,
        list: &Arc<ListRequest>,
        opening: Opening,
        read_ahead: bool,
    ) -> Self {
        let opening = Box::new(opening);
        let purpose = Arc::new(Purpose {
            kind: kind.to_owned(),
            label: api.label(list.endpoint()),
            settings_place,
            list: list.clone(),
        });
        Pages {
            api,
            purpose,
            list: list.clone(),
            state: State::Fresh {
                opening,
                from: None,
            },
            read_ahead,
            begins_with_object: None,
            pending: Vec::new(),
            bookmark: None,
        }
    }

    /// Goes on where an earlier read of the same list stood.
    pub(crate) fn from(mut self, checkpoint: Checkpoint, begins_with_object: Option<bool>) -> Self {
        if let State::Fresh { from, .. } = &mut self.state {
            *from = Some(Box::new(checkpoint));
        }
        self.begins_with_object = begins_with_object;
        self
    }

    /// Where the read stands after the page that was given last, where that was whole.
    pub(crate) fn bookmark(&self) -> Option<&Bookmark> {
        match self.end() {
            Some(End::Short(_)) => None,
            _ => self.bookmark.as_ref(),
        }
    }

    /// Whether the body of the first page was taken as one record; `None` before it came.
    pub(crate) fn begins_with_object(&self) -> Option<bool> {
        self.begins_with_object
    }

    /// The next page; `None` at the end, which [`Pages::end`] then tells. An error is the end too.
    pub(crate) async fn next(&mut self) -> Option<Result<RecordPage, Error>> {
        if matches!(self.state, State::Ended(_)) {
            return None;
        }
        match self.advance().await {
            Ok(page) => Some(Ok(page)),
            Err(error) => {
                let cause = Cause::new(cause_name(&error), error.within_resource());
                self.state = State::Ended(End::Short(cause));
                Some(Err(error))
            }
        }
    }

    /// How the list ended; `None` while it has not.
    pub(crate) fn end(&self) -> Option<&End> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// The error that a list without a proven end is, for those who only want its records.
    pub(crate) fn shortfall(&self) -> Option<Error> {
        match self.end() {
            Some(End::Stop(_)) => None,
            Some(End::Short(cause)) => Some(
                Error::new(ErrorKind::Paginate, cause.to_string()).of_resource(&self.purpose.kind),
            ),
            None => Some(
                Error::new(ErrorKind::Paginate, "the read was not finished")
                    .of_resource(&self.purpose.kind),
            ),
        }
    }

    async fn advance(&mut self) -> Result<RecordPage, Error> {
        loop {
            let interrupted = Cause::new("Interrupted", "the read was interrupted");
            let interrupted = State::Ended(End::Short(interrupted));
            let (mut walk, mut ahead) = match std::mem::replace(&mut self.state, interrupted) {
                State::Reading { walk, ahead } => (walk, ahead),
                State::Fresh { opening, from } => (self.begin(&opening, from)?, Ahead::new()),
                State::Ended(end) => {
                    self.state = State::Ended(end);
                    return Ok(RecordPage {
                        warnings: std::mem::take(&mut self.pending),
                        ..RecordPage::void()
                    });
                }
            };
            let number = walk.progress().pages + 1;
            self.send_ahead(&walk, &mut ahead)?;
            let Some((_, under_way)) = ahead.pop_front() else {
                return Ok(RecordPage::void());
            };
            let answer = arrival(under_way).await;
            let answer = match self.refusal(&answer, &mut walk, number)? {
                Some(step) => {
                    self.settle(walk, ahead, step)?;
                    continue;
                }
                None => answer
                    .and_then(|answer| self.check(answer, &walk))
                    .map_err(|error| self.place(error, Some(number)))?,
            };
            match answer {
                Answer::Nothing(status) => {
                    self.state = State::Ended(End::Stop(format!("Status{}", status.as_u16())));
                    return Ok(RecordPage::default());
                }
                Answer::Page {
                    headers,
                    body,
                    no_content,
                } => match self.take(walk, ahead, &headers, &body, no_content)? {
                    Taken::Page(page) => return Ok(page),
                    Taken::Dropped => {}
                },
            }
        }
    }

    fn begin(&self, opening: &Opening, from: Option<Box<Checkpoint>>) -> Result<Box<Walk>, Error> {
        let paginator = self.api.paginator(&self.list)?;
        let base = self
            .api
            .request(&self.list, &opening.request)
            .map_err(|error| self.place(error, None))?;
        let (base, position) = match &opening.next {
            None => (base, None),
            Some(next) => self
                .api
                .continued(&self.list, base, next)
                .map_err(|error| self.place(error, None))?,
        };
        let walk = match (from, position) {
            (Some(checkpoint), _) => Walk::resume(paginator, base, *checkpoint),
            (None, Some(position)) => Walk::starting_at(paginator, base, position),
            (None, None) => Walk::new(paginator, base),
        };
        let beside = self.api.max_concurrent_requests.saturating_sub(1);
        Ok(Box::new(walk.look_ahead(if self.read_ahead {
            beside
        } else {
            0
        })))
    }

    /// Brings what is under way in line with what the read will ask for: its request and, where that is wanted, those that follow. What it will
    /// not come to is given up.
    fn send_ahead(&self, walk: &Walk, ahead: &mut Ahead) -> Result<(), Error> {
        let mut wanted = vec![self.request(walk, walk.progress().pages + 1)?];
        if self.read_ahead {
            wanted.extend(walk.upcoming());
        }
        let mut before = std::mem::take(ahead);
        for request in wanted {
            let known = before
                .iter()
                .position(|(under_way, _)| *under_way == request);
            let entry = match known.and_then(|index| before.remove(index)) {
                Some(entry) => entry,
                None => (request.clone(), self.send(request)),
            };
            ahead.push_back(entry);
        }
        Ok(())
    }

    /// What the paginator makes of an answer that refuses the request, where it has an answer to that.
    fn refusal(
        &self,
        answer: &Result<Answer, Error>,
        walk: &mut Walk,
        number: u64,
    ) -> Result<Option<Step>, Error> {
        let status = match answer {
            Ok(Answer::Nothing(status)) => Some(*status),
            Ok(Answer::Page { .. }) => return Ok(None),
            Err(error) => match Refusal::of(error) {
                Some(Refusal::Status(status)) => Some(status),
                Some(Refusal::Body) => None,
                None => return Ok(None),
            },
        };
        walk.refuse(status)
            .map_err(|error| self.paginate_error(&error, number))
    }

    /// Goes on, or ends, after an answer that is no page.
    fn settle(&mut self, walk: Box<Walk>, ahead: Ahead, step: Step) -> Result<(), Error> {
        let mut ahead = ahead;
        self.state = match step {
            Step::Done(ending) | Step::Dropped(Some(ending)) => {
                self.pending.extend(self.last_words(&walk, &ending));
                if ending.result.is_ok() {
                    self.bookmark = Some(walk.bookmark());
                }
                State::Ended(self.end_of(ending))
            }
            _ => {
                if self.read_ahead {
                    self.send_ahead(&walk, &mut ahead)?;
                }
                State::Reading { walk, ahead }
            }
        };
        Ok(())
    }

    /// What a person should hear at the end of the read.
    fn last_words(&self, walk: &Walk, ending: &Ending) -> Vec<String> {
        let mut words: Vec<String> = ending
            .warnings
            .iter()
            .map(|warning| self.with_settings_place(warning))
            .collect();
        // A way that did not lead to the end is no line to write.
        if let Some(found) = walk.found().filter(|_| ending.result.is_ok()) {
            words.push(format!(
                "`auto` found how this list is paged; to read it without trials write `{}` to {}",
                found.line(),
                self.purpose.settings_place
            ));
        }
        words
    }

    fn end_of(&self, ending: Ending) -> End {
        match ending.result {
            Ok(stop) => End::Stop(stop.name().to_owned()),
            Err(shortfall) => End::Short(Cause::new(
                shortfall.name(),
                self.with_settings_place(&shortfall.to_string()),
            )),
        }
    }

    fn request(&self, walk: &Walk, number: u64) -> Result<PageRequest, Error> {
        walk.request()
            .map_err(|error| self.paginate_error(&error, number))
    }

    /// Holds an answer without a body against what came before: where a page said that there is more, it cannot mean the end.
    fn check(&self, answer: Answer, walk: &Walk) -> Result<Answer, Error> {
        let progress = walk.progress();
        match answer {
            Answer::Nothing(status) if progress.pages == 0 => Ok(Answer::Nothing(status)),
            // Some APIs answer so for a position behind the end: an empty page, which the paginator judges as any other.
            Answer::Nothing(_) if walk.counts() && !progress.said_more => Ok(Answer::Page {
                headers: HeaderMap::new(),
                body: Val::null(),
                no_content: true,
            }),
            Answer::Nothing(status) => Err(Error::new(
                ErrorKind::Fetch,
                format!(
                    "the server answered {status} where an earlier answer said to go on; onStatus holds for a list as a whole, \
                     not for the rest of one that has begun"
                ),
            )),
            Answer::Page {
                no_content: true, ..
            } if progress.said_more => Err(Error::new(
                ErrorKind::Extract,
                "the server answered 204 No Content where the page before said that there is more",
            )),
            page => Ok(page),
        }
    }

    fn take(
        &mut self,
        walk: Box<Walk>,
        ahead: Ahead,
        headers: &HeaderMap,
        body: &Val,
        no_content: bool,
    ) -> Result<Taken, Error> {
        let mut walk = walk;
        let number = walk.progress().pages + 1;
        let said_more = walk.progress().said_more;
        let mut warnings = Vec::new();
        let is_one_object = !no_content && self.list.data_path.is_none() && body.is_object();
        let other_shape = !no_content
            && self
                .begins_with_object
                .is_some_and(|object| object != is_one_object);
        let (records, nothing) = match no_content || other_shape {
            true => (Vec::new(), None),
            false => self.records(body, number, &mut warnings)?,
        };
        if other_shape || nothing.is_some() {
            let refused = walk.refuse(None);
            if let Some(step) = refused.map_err(|error| self.paginate_error(&error, number))? {
                self.settle(walk, ahead, step)?;
                return Ok(Taken::Dropped);
            }
        }
        if other_shape {
            // An error in disguise, it may be: as a record it would be one among many that gives nothing.
            let what = "the body is an object where the pages before were lists, or the other way round; if both are right, set data_path to the list in it";
            return Err(self.place(Error::new(ErrorKind::Extract, what), Some(number)));
        }
        if !no_content {
            self.begins_with_object = Some(is_one_object);
        }
        let step = walk
            .accept(headers, body, &records)
            .map_err(|error| self.paginate_error(&error, number))?;
        if let Step::Dropped(_) = step {
            self.settle(walk, ahead, step)?;
            return Ok(Taken::Dropped);
        }
        let progress = walk.progress();
        let total_reached = progress
            .total
            .is_some_and(|total| progress.records >= total);
        let stands = match &step {
            Step::Done(ending) => ending.result.is_ok(),
            _ => true,
        };
        let bookmark = stands.then(|| walk.bookmark());
        let counts = walk.counts();
        self.settle(walk, ahead, step)?;
        if let Some(nothing) = nothing
            && (number == 1
                || !self.ended_all_the_same(total_reached || nothing.is_null && !said_more))
        {
            let error = Error::new(ErrorKind::Extract, nothing.message);
            return Err(self.place(error, Some(number)));
        }
        if let Some(bookmark) = bookmark {
            self.bookmark = Some(bookmark);
        }
        if number == 1 && self.list.data_path.is_none() && body.is_object() && counts {
            self.end_of_one_object(headers, body, &records, &mut warnings)?;
        }
        warnings.append(&mut self.pending);
        Ok(Taken::Page(RecordPage {
            records,
            warnings,
            is_one_object,
            is_void: false,
        }))
    }

    /// Whether the read is over for a reason that does not rest on this page's having no records: a page without the list (an error
    /// in disguise, it may be) is no proof of its own (R7).
    fn ended_all_the_same(&self, emptiness_is_fine: bool) -> bool {
        const SPOKEN: [&str; 4] = ["StopWhen", "Flag", "TotalReached", "LastPage"];
        match &self.state {
            State::Ended(End::Stop(stop)) => emptiness_is_fine || SPOKEN.contains(&stop.as_str()),
            _ => false,
        }
    }

    /// A body that is one record is no page of a list, so asking on would go on for ever, with one record a page. Unless something
    /// in it speaks of more, the read ends here: short where a list in it is what was meant.
    fn end_of_one_object(
        &mut self,
        headers: &HeaderMap,
        body: &Val,
        records: &[Val],
        warnings: &mut Vec<String>,
    ) -> Result<(), Error> {
        let State::Reading { walk, .. } = &self.state else {
            return Ok(());
        };
        if let Some(lists) = lists_in(body) {
            let what = format!(
                "the body is an object, and it is read page by page: set selector.data_path to the list in it ({lists}), \
                 or to '.' if each page is one record"
            );
            self.state = State::Ended(End::Short(Cause::new("NoRecordsFound", what)));
            self.bookmark = None;
            return Ok(());
        }
        let asked = self.request(walk, 1)?;
        let unread = Progress::default();
        let page = Page::new(&asked, headers, body, records, &unread);
        let alone = SinglePage::new().next(None, &page);
        if self.ends_by_setting() || !matches!(alone, Ok(Next::Complete(_))) {
            return Ok(());
        }
        warnings.push(
            "only the first page was asked for, because its body is one record; if each page is one, set selector.data_path to '.'"
                .to_owned(),
        );
        self.state = State::Ended(End::Stop("SinglePage".to_owned()));
        self.bookmark = None;
        Ok(())
    }

    /// Whether a setting says how to tell the last page.
    fn ends_by_setting(&self) -> bool {
        [&self.list.pagination, &self.api.pagination]
            .iter()
            .any(|settings| {
                settings.has_more_path.is_some()
                    || settings.last_page_path.is_some()
                    || settings.total_path.is_some()
                    || settings.stop_when.is_some()
            })
    }

    /// Asks for a page in a task of its own: one that is under way comes to its end, and gives its permit back, even if nobody polls
    /// this read for a while.
    fn send(&self, request: PageRequest) -> UnderWay {
        let (api, purpose) = (self.api.clone(), self.purpose.clone());
        let fetch = async move { api.fetch(request, &purpose).await };
        AbortOnDropHandle::new(tokio::spawn(fetch.in_current_span()))
    }

    /// The records of a body; if `data_path` found nothing, what to say about it.
    fn records(
        &self,
        body: &Val,
        number: u64,
        warnings: &mut Vec<String>,
    ) -> Result<(Vec<Val>, Option<NothingFound>), Error> {
        let data_path = self.list.data_path.as_deref().unwrap_or(".");
        let found = self.api.at_now(|| self.list.records.records(body));
        let found = found.map_err(|error| {
            self.place(
                Error::new(
                    ErrorKind::Extract,
                    format!("data_path `{data_path}` failed: {error}"),
                ),
                Some(number),
            )
        })?;
        if found.missing > 0 {
            warnings.push(format!(
                "data_path: {} of its outputs were null and gave no records",
                found.missing
            ));
        }
        match found.found {
            Found::Nothing { keys } => {
                let there = match keys.as_slice() {
                    [] => format!("the body is {}", body.type_name()),
                    keys => format!("the body has the keys {}", keys.join(", ")),
                };
                let nothing = NothingFound {
                    is_null: keys.iter().any(|key| data_path.strip_prefix('.') == Some(key)),
                    message: format!(
                        "data_path `{data_path}` found nothing; {there}; if absence means that there are no records, \
                         write data_path: '{data_path} // []'"
                    ),
                };
                return Ok((Vec::new(), Some(nothing)));
            }
            Found::WholeObject => warnings.push(format!(
                "the body is an object and is taken as one record; to read a list in it set selector.data_path{}",
                lists_in(body).map_or_else(String::new, |lists| format!(" ({lists})"))
            )),
            _ => {}
        }
        Ok((found.items, None))
    }

    /// Paginators speak of "the settings of this list"; only here it is known where these stand in a mapping.
    fn with_settings_place(&self, advice: &str) -> String {
        advice.replace("the settings of this list", &self.purpose.settings_place)
    }

    fn place(&self, error: Error, page: Option<u64>) -> Error {
        let error = error.of_resource(&self.purpose.kind);
        let status = error.exchange().and_then(|failed| failed.status());
        match page {
            Some(page) if page > 1 && status.is_some_and(ends_results) => {
                error.advising(RESULTS_END).of_page(page)
            }
            Some(page) => error.of_page(page),
            None => error,
        }
    }

    fn paginate_error(&self, error: &longshore_paginate::Error, page: u64) -> Error {
        self.place(Error::new(ErrorKind::Paginate, chain(error)), Some(page))
    }
}

/// What APIs say to a page that lies behind the last result that they give of one request.
fn ends_results(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY
    )
}

const RESULTS_END: &str = "the pages before it came, so the API may give only so many results of one request: ask for fewer at once, \
                           by windows of time with that number as their cap, or by another parameter";

/// The lists right inside an object body, as paths. An array body has none: it is the list.
fn lists_in(body: &Val) -> Option<String> {
    let is_list = |key: &&str| {
        body.get(key)
            .and_then(Val::as_array)
            .is_some_and(|items| items.iter().any(Val::is_object))
    };
    let lists: Vec<String> = body
        .keys()
        .into_iter()
        .filter(is_list)
        .map(|key| {
            let plain = key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !key.starts_with(|c: char| c.is_ascii_digit());
            if plain {
                format!(".{key}")
            } else {
                format!(".[{key:?}]")
            }
        })
        .collect();
    (!lists.is_empty()).then(|| lists.join(", "))
}

async fn arrival(under_way: UnderWay) -> Result<Answer, Error> {
    under_way
        .await
        .unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => {
                Err(Error::new(ErrorKind::Fetch, "the runtime is shutting down").with_source(error))
            }
        })
}

/// The name of the cause that an error makes a read incomplete by.
pub(crate) fn cause_name(error: &Error) -> &'static str {
    match error.kind() {
        ErrorKind::Config => "ConfigurationRefused",
        ErrorKind::Fetch => "RequestFailed",
        ErrorKind::Paginate => "EndNotProven",
        ErrorKind::Extract => "NoRecordsFound",
        ErrorKind::Record => "RecordsFailed",
        ErrorKind::Parameter => "ParametersFailed",
        ErrorKind::Limit => "LimitReached",
        ErrorKind::Sink => "WriteFailed",
    }
}
