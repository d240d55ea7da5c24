//! The pages of one list, in order, with the next one on its way while this one is mapped.

use std::sync::Arc;

use http::HeaderMap;
use longshore_jq::Val;
use longshore_mapping::Found;
use longshore_paginate::{
    Next, Page, PageRequest, Paginator, Progress, SinglePage, Step, Style, Walk,
};
use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::error::{Error, ErrorKind, chain};
use crate::fetch::{Answer, Api, Purpose};
use crate::outcome::Cause;
use crate::resource::{ListRequest, ParentList};

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
}

#[derive(Debug)]
enum State {
    /// Nothing was sent yet.
    Fresh { path: String },
    /// Between two pages. The next one may already be on its way.
    Reading {
        walk: Box<Walk>,
        ahead: Option<UnderWay>,
    },
    /// Over.
    Ended(End),
}

/// A request that ends when it is dropped.
type UnderWay = AbortOnDropHandle<Result<Answer, Error>>;

/// The records of one page.
#[derive(Debug, Default)]
pub(crate) struct RecordPage {
    pub(crate) records: Vec<Val>,
    pub(crate) warnings: Vec<String>,
    /// The body was no list: it is taken as the one record.
    pub(crate) is_one_object: bool,
}

/// `data_path` found nothing in a body.
struct NothingFound {
    /// The list's key is there and holds null, which is how some servers write an empty list.
    is_null: bool,
    message: String,
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
        path: String,
        read_ahead: bool,
    ) -> Self {
        Pages::new(api, kind, "its selector".to_owned(), list, path, read_ahead)
    }

    /// The pages of a parents' list.
    pub(crate) fn of_parents(api: Arc<Api>, kind: &str, parents: &ParentList) -> Self {
        let path = parents.list.template.as_str().to_owned();
        let settings = format!("selector.path_parameters.{}", parents.parameter.name());
        Pages::new(api, kind, settings, &parents.list, path, true)
    }

    fn new(
        api: Arc<Api>,
        kind: &str,
        settings_place: String,
        list: &Arc<ListRequest>,
        path: String,
        read_ahead: bool,
    ) -> Self {
        let purpose = Arc::new(Purpose {
            kind: kind.to_owned(),
            label: api.label(list.template.as_str()),
            settings_place,
            list: list.clone(),
        });
        Pages {
            api,
            purpose,
            list: list.clone(),
            state: State::Fresh { path },
            read_ahead,
            begins_with_object: None,
        }
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
        let interrupted = Cause::new("Interrupted", "the read was interrupted");
        let (walk, ahead) =
            match std::mem::replace(&mut self.state, State::Ended(End::Short(interrupted))) {
                State::Reading { walk, ahead } => (walk, ahead),
                State::Fresh { path } => (self.begin(&path)?, None),
                State::Ended(end) => {
                    self.state = State::Ended(end);
                    return Ok(RecordPage::default());
                }
            };
        let number = walk.progress().pages + 1;
        let under_way = match ahead {
            Some(ahead) => ahead,
            None => self.send(self.request(&walk, number)?),
        };
        let answer = arrival(under_way)
            .await
            .and_then(|answer| self.check(answer, &walk))
            .map_err(|error| self.place(error, Some(number)))?;
        match answer {
            Answer::Nothing(status) => {
                self.state = State::Ended(End::Stop(format!("Status{}", status.as_u16())));
                Ok(RecordPage::default())
            }
            Answer::Page {
                headers,
                body,
                no_content,
            } => self.take(walk, &headers, &body, no_content),
        }
    }

    fn begin(&self, path: &str) -> Result<Box<Walk>, Error> {
        let paginator = self.api.paginator(&self.list)?;
        let base = self
            .api
            .request(&self.list, path)
            .map_err(|error| self.place(error, None))?;
        Ok(Box::new(Walk::new(paginator, base)))
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
            Answer::Nothing(_) if self.counts_positions() && !progress.said_more => {
                Ok(Answer::Page {
                    headers: HeaderMap::new(),
                    body: Val::null(),
                    no_content: true,
                })
            }
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
        headers: &HeaderMap,
        body: &Val,
        no_content: bool,
    ) -> Result<RecordPage, Error> {
        let number = walk.progress().pages + 1;
        let said_more = walk.progress().said_more;
        let mut warnings = Vec::new();
        let is_one_object = !no_content && self.list.data_path.is_none() && body.is_object();
        if !no_content && *self.begins_with_object.get_or_insert(is_one_object) != is_one_object {
            // An error in disguise, it may be: as a record it would be one among many that gives nothing.
            let what = "the body is an object where the pages before were lists, or the other way round; if both are right, set data_path to the list in it";
            return Err(self.place(Error::new(ErrorKind::Extract, what), Some(number)));
        }
        let (records, nothing) = match no_content {
            true => (Vec::new(), None),
            false => self.records(body, number, &mut warnings)?,
        };
        let total_reached = self.step(walk, headers, body, &records, &mut warnings)?;
        if let Some(nothing) = nothing
            && (number == 1
                || !self.ended_all_the_same(total_reached || nothing.is_null && !said_more))
        {
            let error = Error::new(ErrorKind::Extract, nothing.message);
            return Err(self.place(error, Some(number)));
        }
        if number == 1 && self.list.data_path.is_none() && body.is_object() {
            self.end_of_one_object(headers, body, &records, &mut warnings)?;
        }
        Ok(RecordPage {
            records,
            warnings,
            is_one_object,
        })
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
        if !self.counts_positions() {
            return Ok(());
        }
        if let Some(lists) = lists_in(body) {
            let what = format!(
                "the body is an object, and it is read page by page: set selector.data_path to the list in it ({lists}), \
                 or to '.' if each page is one record"
            );
            self.state = State::Ended(End::Short(Cause::new("NoRecordsFound", what)));
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
        let found = self.list.records.records(body).map_err(|error| {
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

    /// Hears from the paginator what comes next, and asks for it at once where reading ahead is wanted. Says whether a total is
    /// known and reached.
    fn step(
        &mut self,
        mut walk: Box<Walk>,
        headers: &HeaderMap,
        body: &Val,
        records: &[Val],
        warnings: &mut Vec<String>,
    ) -> Result<bool, Error> {
        let number = walk.progress().pages + 1;
        let step = walk
            .accept(headers, body, records)
            .map_err(|error| self.paginate_error(&error, number))?;
        let progress = walk.progress();
        let total_reached = progress
            .total
            .is_some_and(|total| progress.records >= total);
        self.state = match step {
            Step::Continue => {
                let ahead = if self.read_ahead {
                    Some(self.send(self.request(&walk, number + 1)?))
                } else {
                    None
                };
                State::Reading { walk, ahead }
            }
            Step::Done(ending) => {
                warnings.extend(
                    ending
                        .warnings
                        .iter()
                        .map(|warning| self.with_settings_place(warning)),
                );
                State::Ended(match ending.result {
                    Ok(stop) => End::Stop(stop.name().to_owned()),
                    Err(shortfall) => End::Short(Cause::new(
                        shortfall.name(),
                        self.with_settings_place(&shortfall.to_string()),
                    )),
                })
            }
        };
        Ok(total_reached)
    }

    /// Whether there is always a next position, so that only the answers can end the read.
    fn counts_positions(&self) -> bool {
        let style = self.list.pagination.style.or(self.api.pagination.style);
        matches!(style, Some(Style::Offset | Style::Page))
    }

    /// Paginators speak of "the settings of this list"; only here it is known where these stand in a mapping.
    fn with_settings_place(&self, advice: &str) -> String {
        advice.replace("the settings of this list", &self.purpose.settings_place)
    }

    fn place(&self, error: Error, page: Option<u64>) -> Error {
        let error = error.of_resource(&self.purpose.kind);
        match page {
            Some(page) => error.of_page(page),
            None => error,
        }
    }

    fn paginate_error(&self, error: &longshore_paginate::Error, page: u64) -> Error {
        self.place(Error::new(ErrorKind::Paginate, chain(error)), Some(page))
    }
}

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
        ErrorKind::Sink => "WriteFailed",
    }
}
