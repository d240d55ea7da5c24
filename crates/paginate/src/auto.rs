//! `type: auto`: finds out how a list is paged, from its first answer.
//!
//! What speaks of a next page suggests ways to ask for it, each of them plain [`Settings`]. They are tried one after the other, and the first
//! that leads to a page with other records than the first one's is the way from there on. Which ways are left to try, and which one was
//! found, stands in the token, so that one value serves any number of reads and a read goes on in another process.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use longshore_jq::{Step, Val, path_text};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::configured::Styled;
use crate::ending::{Shortfall, StopReason};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::link_header::link_target;
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::request::PageRequest;
use crate::settings::{ParamIn, SettingProblem, Settings, Style};
use crate::signs::{self, USUAL_SIZES};
use crate::survey::{
    Echo, Field, Survey, is_json_api, names_a_size, names_of_request, plain_name, size_asked,
};
use crate::token::PageToken;

/// Ways that are tried at most where the answer speaks of more, and where it does not.
const TRIALS: usize = 48;
const GUESSES: usize = 5;
/// The same where nothing speaks of more, but the page is full.
const GUESSES_OF_FULL: usize = 9;

/// Names of parameters by what they carry, the usual ones first.
const PAGE_NAMES: [&str; 12] = [
    "page",
    "page[number]",
    "pageNumber",
    "page_number",
    "p",
    "pageNo",
    "pageIndex",
    "page_no",
    "pageNum",
    "currentPage",
    "page_num",
    "_page",
];
const OFFSET_NAMES: [&str; 14] = [
    "offset",
    "skip",
    "start",
    "startAt",
    "page[offset]",
    "$skip",
    "startIndex",
    "from",
    "start_at",
    "sysparm_offset",
    "startRow",
    "firstResult",
    "start_position",
    "resultOffset",
];
const CURSOR_NAMES: [&str; 10] = [
    "cursor",
    "after",
    "start_cursor",
    "page[after]",
    "page[cursor]",
    "starting_after",
    "page_token",
    "pageToken",
    "token",
    "startCursor",
];
/// Of parameters that take the identifier of the last record seen.
const RECORD_NAMES: [&str; 5] = ["starting_after", "after", "after_id", "since_id", "last_id"];

/// The name of a size, and the position that APIs pair with it.
const PAIRS: [(&str, &str); 20] = [
    ("page[size]", "page[number]"),
    ("page[limit]", "page[offset]"),
    ("pagination[pageSize]", "pagination[page]"),
    ("pagination[limit]", "pagination[start]"),
    ("$top", "$skip"),
    ("top", "skip"),
    ("take", "skip"),
    ("sysparm_limit", "sysparm_offset"),
    ("maxResults", "startAt"),
    ("max_results", "start_at"),
    ("ps", "p"),
    ("max", "first"),
    ("num_of_rows", "page_num"),
    ("rows", "start"),
    ("itemsPerPage", "startIndex"),
    ("count", "startIndex"),
    ("limit", "offset"),
    ("per_page", "page"),
    ("perPage", "page"),
    ("pageSize", "pageNumber"),
];

/// The paginator of [`Style::Auto`].
#[derive(Clone, Debug)]
pub(crate) struct Discovery {
    /// What the user says all the same; it goes over what is found.
    own: Settings,
    /// How the first page is asked for.
    first: Styled,
    alone: Styled,
    /// The ways that were built last, so that expressions in them are compiled once and not for each page. It changes no result.
    built: Arc<Mutex<Built>>,
}

type Built = Vec<(Settings, Arc<Styled>)>;

/// The token of a read whose way is found, or is being looked for.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
enum Position {
    Found(Box<Way>),
    Trying(Box<Trying>),
}

/// A way of paging, and a position on it.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Way {
    #[serde(rename = "by", serialize_with = "only_what_is_set")]
    settings: Settings,
    at: PageToken,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Trying {
    /// The first one is being tried.
    ways: Vec<Way>,
    /// What the records of the first page are.
    first_page: FirstPage,
    /// What speaks of more than the first page, if anything does.
    evidence: Option<String>,
    /// How many were tried before.
    tried: usize,
    /// What the server failed at, which may have been the right way.
    #[serde(default)]
    failure: Option<String>,
    /// What to write where none of them leads on, but for the name of the parameter.
    likely: Option<Settings>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct FirstPage {
    /// In an order of their own: the token of a page is the same each time.
    records: BTreeSet<Fingerprint>,
    count: u64,
    /// Its identifiers tell its records apart.
    by_identity: bool,
    /// It holds as many records as the request asked for.
    #[serde(default)]
    full: bool,
}

fn only_what_is_set<S: serde::Serializer>(
    settings: &Settings,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut value = serde_json::to_value(settings).map_err(serde::ser::Error::custom)?;
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    value.serialize(serializer)
}

impl Discovery {
    pub(crate) fn new(settings: &Settings) -> Result<Discovery, Vec<SettingProblem>> {
        let first = Settings {
            style: Some(Style::NextLink),
            ..settings.clone()
        };
        let alone = Settings {
            style: Some(Style::None),
            next_position: None,
            ..settings.clone()
        };
        if settings.next_position.is_some() {
            return Err(vec![SettingProblem {
                setting: "nextPosition",
                message: "says where to go on, so there is nothing to find out; set `type` to what it gives".to_owned(),
            }]);
        }
        Ok(Discovery {
            own: settings.clone(),
            first: Styled::new(&first)?,
            alone: Styled::new(&alone)?,
            built: Arc::default(),
        })
    }

    /// The settings of a way, under what the user says.
    fn merged(&self, way: &Settings) -> Settings {
        let counted_or_cursor = !matches!(way.style, Some(Style::NextLink | Style::HeaderLink));
        let own = Settings {
            style: None,
            // No size goes out that nobody asked for: the API might not know its name.
            size_param: self
                .own
                .size_param
                .clone()
                .or_else(|| counted_or_cursor.then(|| "none".to_owned())),
            start: self
                .own
                .start
                .or(self.own.start_page)
                .filter(|_| way.start.is_none()),
            start_page: None,
            ..self.own.clone()
        };
        Settings {
            preset: false,
            explicit: false,
            ..own.or(way)
        }
    }

    fn styled(&self, way: &Settings) -> Result<Arc<Styled>, Error> {
        const KEPT: usize = 64;
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, styled)) = built.iter().find(|(settings, _)| settings == way) {
            return Ok(styled.clone());
        }
        let styled = Arc::new(self.compile(way)?);
        if built.len() == KEPT {
            built.remove(0);
        }
        built.push((way.clone(), styled.clone()));
        Ok(styled)
    }

    fn compile(&self, way: &Settings) -> Result<Styled, Error> {
        Styled::new(&self.merged(way)).map_err(|problems| {
            let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
            Error::new(ErrorKind::Setting, problems.join("; "))
        })
    }

    /// What follows the first page.
    fn begin(&self, page: &Page<'_>) -> Result<Next, Error> {
        if page.body_is_the_record() {
            return self.alone.next(None, page);
        }
        // Also says whether the body can be a page at all.
        let by_settings = self.alone.spoken_end(page)?;
        if let Some(next) = by_settings {
            return Ok(next);
        }
        let survey = Survey::of(page);
        let evidence = Evidence::of(&survey, page);
        let records = page.records() as u64;
        if let Some(end) = evidence.end.clone() {
            return Ok(Next::Complete(end));
        }
        let ways = match (&evidence.more, records) {
            (Some(_), _) => Finder::new(&self.own, &survey, page).ways(&evidence),
            (None, 0) => return Ok(Next::Complete(StopReason::EmptyPage)),
            (None, _) => Finder::new(&self.own, &survey, page).guesses(),
        };
        let first_page = FirstPage::of(page);
        let most = match &evidence.more {
            Some(_) => TRIALS,
            None if first_page.is_full() => GUESSES_OF_FULL,
            None => GUESSES,
        };
        let mut trials: Vec<Way> = Vec::new();
        for settings in ways {
            if trials.len() == most {
                break;
            }
            if let Ok(Next::Continue(at)) = self
                .styled(&settings)
                .and_then(|styled| styled.next(None, page))
            {
                trials.push(Way { settings, at });
            }
        }
        let likely = trials
            .iter()
            .map(|way| &way.settings)
            .find(|way| way.param.is_some())
            .cloned();
        let trying = Trying {
            ways: trials,
            first_page,
            evidence: evidence.more,
            tried: 0,
            failure: None,
            likely,
        };
        Ok(trying.next())
    }

    /// Whether the answer to a trial is a page after the first one, and what follows it then.
    fn judge(&self, trying: &Trying, page: &Page<'_>) -> Option<Next> {
        let way = trying.ways.first()?;
        if trying.first_page.came_again(page) {
            return None;
        }
        // Whatever filters by an unknown value gives nothing. Where there should be more, that is no page but for a way that leaves no doubt.
        let misses =
            page.records() == 0 && trying.evidence.is_some() && trying.first_page.count > 0;
        if misses && !way.is_certain() {
            return None;
        }
        self.follow(way, page).ok()
    }

    /// What follows a page on a way that is known.
    fn follow(&self, way: &Way, page: &Page<'_>) -> Result<Next, Error> {
        let styled = self.styled(&way.settings)?;
        let next = styled.next(Some(&way.at), page)?;
        Ok(match (next, styled.passed_total(page)) {
            (Next::Continue(_), Some(total)) => {
                let param = way.settings.param.as_deref().unwrap_or_default();
                Next::Incomplete(Shortfall::Other(format!(
                    "`auto` pages by the parameter `{param}`, and {} records came where the API speaks of {total}, so most likely it ignores \
                     that parameter and gives the same page again: set `type` and `param` to what its documentation says, or `totalPath` \
                     where that total counts something else",
                    page.read()
                )))
            }
            (Next::Continue(at), None) => Next::Continue(Position::found(&way.settings, at)),
            (end, _) => end,
        })
    }
}

impl Paginator for Discovery {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        let Some(token) = token else {
            return self.first.apply(None, request);
        };
        let position = Position::of(token)?;
        let way = position.way()?;
        self.styled(&way.settings)?.apply(Some(&way.at), request)
    }

    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
        let Some(token) = token else {
            return self.begin(page);
        };
        match Position::of(token)? {
            Position::Found(way) => self.follow(&way, page),
            Position::Trying(trying) => Ok(match self.judge(&trying, page) {
                Some(next) => next,
                None => Next::Discard(Box::new(trying.failed())),
            }),
        }
    }

    fn max_pages(&self) -> Option<u64> {
        self.own.max_pages
    }

    fn counts(&self, token: Option<&PageToken>) -> bool {
        let position = token.and_then(|token| Position::of(token).ok());
        let style = position.and_then(|position| position.way().ok()?.settings.style);
        matches!(style, Some(Style::Page | Style::Offset))
    }

    fn ahead(
        &self,
        token: Option<&PageToken>,
        page: &Page<'_>,
        next: &PageToken,
        limit: usize,
    ) -> Vec<PageToken> {
        // What is still being tried is known only when it was answered.
        let (Some(token), Ok(Position::Found(next))) = (token, Position::of(next)) else {
            return Vec::new();
        };
        let known = Position::of(token).and_then(|token| {
            let styled = self.styled(&next.settings)?;
            Ok(styled.ahead(Some(&token.way()?.at), page, &next.at, limit))
        });
        let known = known.unwrap_or_default().into_iter();
        known
            .map(|at| Position::found(&next.settings, at))
            .collect()
    }

    fn refused(
        &self,
        token: &PageToken,
        status: Option<StatusCode>,
        progress: &Progress,
    ) -> Option<Next> {
        match Position::of(token).ok()? {
            Position::Trying(mut trying) => {
                let way = trying.ways.first();
                let param = way.and_then(|way| way.settings.param.as_deref());
                if let Some(status) = status.filter(StatusCode::is_server_error) {
                    let what = param.map_or("the next link".to_owned(), |name| format!("`{name}`"));
                    let failure = format!("the server answered {status} to {what}");
                    trying.failure.get_or_insert(failure);
                }
                Some(trying.failed())
            }
            Position::Found(way) => {
                // APIs that know no page behind the last one, after a page that was not full.
                let unknown = status
                    .is_some_and(|status| matches!(status.as_u16(), 400 | 404 | 410 | 416 | 422));
                let counted = matches!(way.settings.style, Some(Style::Page | Style::Offset));
                let all = progress.total.is_none_or(|total| progress.records >= total);
                let short = progress.last_page < progress.largest_page;
                (unknown && counted && all && short && !progress.said_more)
                    .then_some(Next::Complete(StopReason::NoSuchPage))
            }
        }
    }

    fn found(&self, token: &PageToken) -> Option<Settings> {
        let position = Position::of(token).ok()?;
        Some(self.merged(&position.way().ok()?.settings))
    }
}

impl Position {
    fn of(token: &PageToken) -> Result<Position, Error> {
        Position::deserialize(token.as_value()).map_err(|_| {
            Error::new(
                ErrorKind::Position,
                "the position to go on from was not made by this way of paging",
            )
        })
    }

    fn found(settings: &Settings, at: PageToken) -> PageToken {
        let settings = settings.clone();
        Position::Found(Box::new(Way { settings, at })).token()
    }

    /// The way that is asked by.
    fn way(&self) -> Result<&Way, Error> {
        let way = match self {
            Position::Found(way) => Some(&**way),
            Position::Trying(trying) => trying.ways.first(),
        };
        way.ok_or_else(|| Error::new(ErrorKind::Position, "no way is left to be tried"))
    }

    fn token(&self) -> PageToken {
        // Text, numbers and lists of them: there is nothing in it that JSON cannot hold.
        PageToken::from(serde_json::to_value(self).unwrap_or(Value::Null))
    }
}

impl Way {
    /// Whether the answer itself names what is asked for: by a link, or by a position of the parameter's name.
    fn is_certain(&self) -> bool {
        match self.settings.style {
            Some(Style::NextLink | Style::HeaderLink) => true,
            Some(Style::Cursor) => {
                let (Some(param), Some(path)) = (&self.settings.param, &self.settings.cursor_path)
                else {
                    return false;
                };
                let key = path.rsplit(['.', ':']).next().unwrap_or(path);
                let of_param = plain_name(last_part(param).trim_start_matches("page["));
                let of_key = plain_name(key);
                of_param == of_key || of_param == plain_name(&without_next(key))
            }
            _ => false,
        }
    }
}

impl Trying {
    fn next(self) -> Next {
        if !self.ways.is_empty() {
            return Next::Continue(Position::Trying(Box::new(self)).token());
        }
        let line = self.line();
        let failure = self.failure.map_or_else(String::new, |failure| {
            format!(" ({failure}, which may have been the right one)")
        });
        if let Some(evidence) = self.evidence {
            return Next::Incomplete(Shortfall::Truncated {
                evidence,
                advice: format!(
                    "`auto` tried {} ways to ask for it and none gave another page{failure}; add `{line}`, or another type, to the settings of this \
                     list, with the name that the documentation of the API has for the parameter",
                    self.tried
                ),
            });
        }
        let is_full = self.first_page.is_full();
        let FirstPage { count, full, .. } = self.first_page;
        let as_many_as = match full {
            true => "as many as the request asks for",
            false => "a usual size of a page",
        };
        Next::Complete(match is_full || !failure.is_empty() {
            true => StopReason::SinglePage.doubting(format!(
                "there are exactly {count} records, {as_many_as}, and `auto` tried {} ways to ask for more without an answer of \
                 another kind{failure}: if there are more, add `{line}`, or another type, to the settings of this list, with the name that the \
                 documentation of the API has for the parameter",
                self.tried
            )),
            false => StopReason::SinglePage,
        })
    }

    /// The line of configuration that is most likely right, with NAME where only the documentation of the API helps.
    fn line(&self) -> String {
        let likely = self.likely.clone();
        let likely = likely.unwrap_or_else(|| Settings::of(Style::Page));
        let named = Settings {
            param: Some("NAME".to_owned()),
            // Tried as a first page's number, and by nobody known to be one.
            start: None,
            ..likely
        };
        named.line()
    }

    /// The way that was tried leads nowhere.
    fn failed(mut self) -> Next {
        if !self.ways.is_empty() {
            self.ways.remove(0);
            self.tried += 1;
        }
        self.next()
    }
}

impl FirstPage {
    fn of(page: &Page<'_>) -> FirstPage {
        let identities: BTreeSet<Fingerprint> =
            page.all().iter().map(Fingerprint::of_identity).collect();
        let by_identity = identities.len() == page.records();
        let records = match by_identity {
            true => identities,
            false => page.all().iter().map(Fingerprint::of_record).collect(),
        };
        FirstPage {
            records,
            count: page.records() as u64,
            by_identity,
            full: size_asked(page.request()) == Some(page.records() as u64),
        }
    }

    /// As many records as were asked for, or as APIs give where nobody asks.
    fn is_full(&self) -> bool {
        self.full || USUAL_SIZES.contains(&self.count)
    }

    /// Whether another page has the same records, or most of them, so that the position was not understood.
    fn came_again(&self, page: &Page<'_>) -> bool {
        let mark = |record: &Val| match self.by_identity {
            true => Fingerprint::of_identity(record),
            false => Fingerprint::of_record(record),
        };
        let again = page
            .all()
            .iter()
            .filter(|record| self.records.contains(&mark(record)))
            .count();
        again * 2 > page.records()
    }
}

/// What the first answer says of more, or of the end.
struct Evidence {
    more: Option<String>,
    end: Option<StopReason>,
    flag_path: Option<String>,
    /// A flag speaks of more, under whatever name.
    by_flag: bool,
    total_path: Option<String>,
    /// Of totals: of pages only.
    counts_pages_only: bool,
    has_total: bool,
}

impl Evidence {
    fn of(survey: &Survey<'_>, page: &Page<'_>) -> Evidence {
        let records = page.records() as u64;
        let [total, pages] = survey.totals();
        let (links, no_link) = survey.links();
        let (tokens, no_token) = survey.tokens();
        let sure =
            |total: &signs::Total| !(USUAL_SIZES.contains(&total.count) && total.count == records);
        let total_reached = total
            .as_ref()
            .filter(|(total, _)| total.count == records && sure(total));
        let all_there = total_reached.is_some();
        let by_position = || {
            if link_target(page.headers(), "next").is_some() {
                return Some("the header `Link` with rel=\"next\"".to_owned());
            }
            // Some APIs give a position for ever: where no record is, or none is missing, it leads nowhere unless it says "next".
            let stands_at_the_end_too =
                |field: &&Field| records > 0 && !all_there || field.says_next();
            let token = tokens.iter().find(stands_at_the_end_too);
            let place = links
                .first()
                .or(token.map(|field| &field.path))
                .or(survey.objects.first());
            // "None of 0" beside a position to go on from is an API that gives one on every page.
            let none_of_none =
                records == 0 && total.as_ref().is_some_and(|(total, _)| total.count == 0);
            place
                .filter(|_| !none_of_none)
                .map(|path| format!("`{path}`"))
        };
        // `truncated: false` beside a link to the next page says something about the records.
        let means_the_list = |flag: &signs::Flag, path: &Option<String>| {
            let vague = path.as_ref().is_some_and(|path| survey.flag_is_vague(path));
            flag.more || !vague || by_position().is_none()
        };
        let flag = survey.flag();
        let flag = flag.filter(|(flag, path)| means_the_list(flag, path));
        let flag_path = flag.as_ref().and_then(|(_, path)| path.clone());
        let total_path = total
            .as_ref()
            .or(pages.as_ref())
            .and_then(|(_, path)| path.clone());
        let above = |total: &Option<(signs::Total, Option<String>)>, read: u64| {
            let (total, _) = total.as_ref()?;
            (total.count > read).then(|| total.to_string())
        };
        let by_total = above(&total, records).or_else(|| above(&pages, 1));
        let by_flag = flag
            .as_ref()
            .filter(|(flag, _)| flag.more)
            .map(|(flag, _)| flag.name.clone());
        let said_last = flag
            .as_ref()
            .filter(|(flag, _)| !flag.more)
            .map(|(flag, _)| flag.name.clone());
        // Positions also stand on last pages, where a flag tells that they are.
        let more = by_total
            .or(by_flag)
            .or_else(|| said_last.is_none().then(by_position).flatten());
        let end = match (&more, said_last) {
            (Some(_), _) => None,
            (None, Some(flag)) => Some(StopReason::Flag(flag)),
            (None, None) if records == 0 => None,
            (None, None) if total_reached.is_some() => Some(StopReason::TotalReached(records)),
            (None, None) if pages.as_ref().is_some_and(|(pages, _)| pages.count == 1) => {
                Some(StopReason::LastPage(1))
            }
            (None, None) if no_link || no_token || survey.has_link_header() => {
                Some(StopReason::NoToken)
            }
            (None, None) => None,
        };
        Evidence {
            more,
            end,
            flag_path,
            by_flag: flag.is_some(),
            total_path,
            counts_pages_only: total.is_none() && pages.is_some(),
            has_total: total.is_some(),
        }
    }
}

/// Makes ways out of what an answer shows.
struct Finder<'s, 'p> {
    own: &'s Settings,
    survey: &'s Survey<'p>,
    page: &'s Page<'p>,
    /// Names that the request, the links and the sizes of the answer suggest.
    hints: Vec<String>,
    in_body: bool,
    /// Objects of the request's body that hold paging, with a dot behind.
    body_places: Vec<String>,
    ways: Vec<Settings>,
}

impl<'s, 'p> Finder<'s, 'p> {
    fn new(own: &'s Settings, survey: &'s Survey<'p>, page: &'s Page<'p>) -> Self {
        let (query, body) = names_of_request(page);
        let in_links = survey.names_in_links();
        let sizes = query
            .iter()
            .chain(&body)
            .chain(&in_links)
            .map(String::as_str)
            .chain(survey.size_name());
        let paired: Vec<String> = sizes
            .flat_map(|size| {
                let last = size.rsplit('.').next().unwrap_or(size);
                PAIRS
                    .iter()
                    .filter(move |(name, _)| *name == last)
                    .map(|(_, position)| (*position).to_owned())
            })
            .collect();
        let mut hints: Vec<String> = [&body, &query, &in_links]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        hints.extend(paired);
        // `searchCriteria[currentPage]` beside `searchCriteria[pageSize]`
        for name in query.iter().filter(|name| names_a_size(name)) {
            if let Some((place, _)) = name.rsplit_once('[').filter(|(place, _)| *place != "page") {
                let inner = ["currentPage", "page", "pageNumber", "offset", "start"];
                hints.extend(inner.map(|inner| format!("{place}[{inner}]")));
            }
        }
        if survey.has_key("@odata") {
            hints.push("$skip".to_owned());
        }
        if query.iter().any(|name| name.starts_with("sysparm_")) {
            hints.push("sysparm_offset".to_owned());
        }
        let bracketed =
            hints.iter().any(|name| name.starts_with("page[")) || is_json_api(page.headers());
        if bracketed {
            hints.extend(
                [
                    "page[number]",
                    "page[after]",
                    "page[cursor]",
                    "page[offset]",
                ]
                .map(str::to_owned),
            );
        }
        let places = [
            "page",
            "paging",
            "pagination",
            "pageInfo",
            "variables",
            "cursor",
            "options",
            "query",
            "params",
        ];
        let body_places = body.iter().filter_map(|name| {
            let (place, _) = name.rsplit_once('.')?;
            let last = place.rsplit('.').next()?;
            places.contains(&last).then(|| format!("{place}."))
        });
        let mut body_places: Vec<String> = body_places.collect();
        // An empty object, or one of other settings, is known by its name alone.
        body_places.extend(
            body.iter()
                .filter(|name| *name == "variables")
                .map(|name| format!("{name}.")),
        );
        body_places.dedup();
        Finder {
            own,
            survey,
            page,
            hints,
            in_body: page.request().body.is_some() || page.request().method == http::Method::POST,
            body_places,
            ways: Vec::new(),
        }
    }

    /// All ways that what speaks of more may mean, the likeliest first.
    fn ways(mut self, evidence: &Evidence) -> Vec<Settings> {
        if self.in_body {
            // A link is not made for a request with a body.
            self.tokens(evidence);
            self.links(evidence);
        } else {
            self.links(evidence);
            self.tokens(evidence);
        }
        self.names_in_request(evidence);
        let page_echo = self.survey.page_echo();
        let offset_echo = self.survey.offset_echo();
        let by_flag_alone = !evidence.has_total
            && !evidence.counts_pages_only
            && page_echo.is_none()
            && offset_echo.is_none();
        if by_flag_alone {
            // `last_id` beside a flag speaks of positions that are identifiers.
            let by_identifier = self.survey.has_key("last_id") || self.survey.has_key("lastId");
            let names = if by_identifier { RECORD_NAMES.len() } else { 1 };
            self.records(evidence, names);
        }
        match (&page_echo, &offset_echo) {
            (None, Some(echo)) => self.offsets(Some(echo), evidence),
            (Some(echo), offset) => {
                self.pages(Some(echo), evidence);
                // What is asked for may be the other one of the two.
                let offset = offset.as_ref().filter(|offset| is_offset_name(&offset.key));
                if let Some(echo) = offset {
                    self.count_records(&echo.key.clone(), echo.at, evidence);
                }
            }
            (None, None) if evidence.counts_pages_only => self.pages(None, evidence),
            (None, None) => {}
        }
        let offset_first = self.survey.size_name().is_some_and(|name| {
            matches!(
                plain_name(name).as_str(),
                "limit" | "top" | "take" | "maxresults" | "rows"
            )
        });
        match offset_first || evidence.has_total {
            true => {
                self.offsets(None, evidence);
                self.pages(None, evidence);
            }
            false => {
                self.pages(None, evidence);
                self.offsets(None, evidence);
            }
        }
        self.records(evidence, RECORD_NAMES.len());
        self.distinct()
    }

    /// Ways that fit an answer which says nothing: many an API gives a bare list.
    fn guesses(mut self) -> Vec<Settings> {
        let nothing = Evidence {
            more: None,
            end: None,
            flag_path: None,
            by_flag: false,
            total_path: None,
            counts_pages_only: false,
            has_total: false,
        };
        let page_echo = self.survey.page_echo();
        let offset_echo = self.survey.offset_echo();
        match (&page_echo, &offset_echo) {
            (Some(echo), _) => self.pages(Some(echo), &nothing),
            (None, Some(echo)) => self.offsets(Some(echo), &nothing),
            (None, None) => {}
        }
        let hinted: Vec<String> = self.hints.clone();
        self.names_in_request(&nothing);
        for name in hinted.iter().filter(|name| is_page_name(name)) {
            self.count_pages(name, None, &nothing);
        }
        for name in hinted.iter().filter(|name| is_offset_name(name)) {
            self.count_records(name, 0, &nothing);
        }
        self.count_pages("page", None, &nothing);
        self.count_records("offset", 0, &nothing);
        for name in ["first", "$skip", "skip", "start", "from"] {
            self.count_records(name, 0, &nothing);
        }
        self.distinct()
    }

    /// Positions that the caller's request has already, from where they stand.
    fn names_in_request(&mut self, evidence: &Evidence) {
        let request = self.page.request();
        let query = request
            .url
            .query_pairs()
            .filter_map(|(name, value)| Some((name.into_owned(), value.parse().ok()?)));
        let (_, in_body) = names_of_request(self.page);
        let body = in_body.into_iter().filter_map(|name| {
            let at = request.body_at(&name)?.as_u64()?;
            Some((name, at))
        });
        let positions: Vec<(String, u64)> = query.chain(body).collect();
        for (name, at) in positions {
            match (is_page_name(&name), is_offset_name(&name)) {
                (true, _) if at <= 1 => self.count_pages(&name, Some(at), evidence),
                (false, true) if at <= 1 => self.count_records(&name, at, evidence),
                _ => {}
            }
        }
    }

    fn distinct(self) -> Vec<Settings> {
        let mut ways: Vec<Settings> = Vec::new();
        for way in self.ways {
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
        ways
    }

    fn links(&mut self, evidence: &Evidence) {
        if link_target(self.page.headers(), "next").is_some() {
            self.push(Settings::of(Style::HeaderLink), evidence);
        }
        let (links, _) = self.survey.links();
        for path in links {
            let way = Settings {
                next_link_path: Some(path),
                ..Settings::of(Style::NextLink)
            };
            self.push(way, evidence);
        }
    }

    fn tokens(&mut self, evidence: &Evidence) {
        let (tokens, _) = self.survey.tokens();
        for field in tokens {
            // What stands on the last page as well leads to an empty one, again and again.
            let unsaid = evidence.flag_path.is_none() && !evidence.by_flag && !field.says_next();
            let list = self.path_to_list().filter(|_| unsaid);
            let stop_when = list.map(|list| format!("{list} | length == 0"));
            for name in self.names_for(&field) {
                for (part, name) in self.places(&name, field.container()) {
                    let way = Settings {
                        param: Some(name),
                        param_in: part,
                        cursor_path: Some(field.path.clone()),
                        stop_when: stop_when.clone(),
                        ..Settings::of(Style::Cursor)
                    };
                    self.push(way, evidence);
                }
            }
        }
    }

    /// Names of the parameter that takes a token, the likeliest first.
    fn names_for(&self, field: &Field) -> Vec<String> {
        let key = match field.keys.last() {
            Some(key) => key.clone(),
            None => field.name.clone(),
        };
        let short = without_next(&key);
        let number = signs::whole(&field.value);
        let offset = field.name.contains("offset")
            || field.name.contains("skip")
            || field.name.contains("start") && number.is_some();
        let is_records =
            number == Some(self.page.records() as u64) && number.is_some_and(|n| n > 2);
        let (own, known): (Vec<&str>, Vec<&str>) = match number {
            Some(_) if offset => (vec![&short, &key], OFFSET_NAMES.to_vec()),
            Some(_) if matches!(field.name.as_str(), "next" | "nextid") && is_records => (
                vec![&key],
                [&OFFSET_NAMES[..4], &PAGE_NAMES[..3], &CURSOR_NAMES[..3]].concat(),
            ),
            Some(_) if field.name.contains("page") || field.name == "next" => (
                vec![&short, &key],
                match number {
                    // The number of a page as an offset would pass over records.
                    Some(next) if next == self.page.records() as u64 => {
                        [&PAGE_NAMES[..6], &CURSOR_NAMES[..2], &OFFSET_NAMES[..2]].concat()
                    }
                    _ => [&PAGE_NAMES[..6], &CURSOR_NAMES[..2]].concat(),
                },
            ),
            _ if field.name.contains("token") => {
                let usual = [
                    "pageToken",
                    "page_token",
                    "nextToken",
                    "next_token",
                    "token",
                    "continuationToken",
                    "cursor",
                    "pagination_token",
                    "page-token",
                ];
                (vec![&short, &key], usual.to_vec())
            }
            _ if field.name.contains("cursor") || field.name.contains("after") => (
                vec![&short],
                [
                    &CURSOR_NAMES[..6],
                    &[key.as_str(), "pageCursor", "page_cursor"],
                ]
                .concat(),
            ),
            _ => (
                vec![&short, &key],
                [
                    &CURSOR_NAMES[..6],
                    &["offset", "page", "token", "paginationToken"],
                    &CURSOR_NAMES[6..9],
                    &["marker", "continuation", "startCursor"],
                ]
                .concat(),
            ),
        };
        let lower: Vec<String> = own.iter().map(|name| lower_first(name)).collect();
        let hinted = self
            .hints
            .iter()
            .map(String::as_str)
            .filter(|name| match offset {
                true => is_offset_name(name),
                false if field.name.contains("page") && number.is_some() => is_page_name(name),
                false => is_cursor_name(name),
            });
        // `pagination.cursor`, where the answer has `pagination: {next: "x"}`
        let of_container: Vec<String> = field
            .container()
            .filter(|container| plain_name(container).starts_with("pag") && !self.in_body)
            .map(|container| {
                vec![
                    format!("{container}.cursor"),
                    format!("{container}[cursor]"),
                ]
            })
            .unwrap_or_default();
        let mut names: Vec<String> = Vec::new();
        let all = hinted
            .chain(own.into_iter().filter(|name| !name.is_empty()))
            .chain(lower.iter().map(String::as_str))
            .chain(known.iter().copied().take(6))
            .chain(of_container.iter().map(String::as_str))
            .chain(known.iter().copied().skip(6));
        for name in all {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names.truncate(18);
        names
    }

    /// Where a parameter may stand: in the body first where there is one.
    fn places(&self, name: &str, container: Option<&str>) -> Vec<(Option<ParamIn>, String)> {
        if let Some(part) = self.own.param_in {
            return vec![(Some(part), name.to_owned())];
        }
        let in_query = (None, name.to_owned());
        if !self.in_body {
            // A hint out of a body has dots; there is no such body here.
            return vec![in_query];
        }
        let body = Some(ParamIn::Body);
        if name.contains('.') {
            return vec![(body, name.to_owned())];
        }
        let mut places: Vec<(Option<ParamIn>, String)> = Vec::new();
        if !name.contains(['[', '$']) {
            places.extend(
                self.body_places
                    .iter()
                    .map(|place| (body, format!("{place}{name}"))),
            );
            places.push((body, name.to_owned()));
            let list_describing = ["page", "paging", "pagination"];
            if let Some(container) =
                container.filter(|container| list_describing.contains(container))
            {
                places.push((body, format!("{container}.{name}")));
            }
        }
        if self.page.request().body.is_none()
            || name == "cursor"
            || name == "page"
            || name == "offset"
            || name == "after"
        {
            places.push(in_query);
        }
        places
    }

    /// By page number: after the echo, or after hints and usual names.
    fn pages(&mut self, echo: Option<&Echo>, evidence: &Evidence) {
        let start = echo.map(|echo| echo.at);
        let mut names: Vec<String> = self
            .hints
            .iter()
            .filter(|name| is_page_name(name))
            .cloned()
            .collect();
        if let Some(Echo { key, .. }) = echo {
            // A `number` or `current` is what the API calls the page; the parameter is then most likely `page`. But in a body that has an
            // object for paging, it stands there as it stands in the answer.
            let says_page = plain_name(key).starts_with('p');
            names.extend((says_page || !self.body_places.is_empty()).then(|| key.clone()));
        }
        names.extend(PAGE_NAMES.map(str::to_owned));
        names.extend(echo.and_then(Echo::bracketed));
        for name in names {
            self.count_pages(&name, start, evidence);
        }
    }

    fn offsets(&mut self, echo: Option<&Echo>, evidence: &Evidence) {
        let mut names: Vec<String> = echo.map(|echo| echo.key.clone()).into_iter().collect();
        names.extend(
            self.hints
                .iter()
                .filter(|name| is_offset_name(name))
                .cloned(),
        );
        names.extend(OFFSET_NAMES.map(str::to_owned));
        names.extend(echo.and_then(Echo::bracketed));
        let start = echo.map_or(0, |echo| echo.at);
        for name in names {
            self.count_records(&name, start, evidence);
        }
    }

    /// Where nothing says what the first page is called, page 1 is asked for first: either it is the first page again, or pages are counted
    /// from 0 and it is the second. Asking for page 2 at once would pass over one then.
    fn count_pages(&mut self, name: &str, start: Option<u64>, evidence: &Evidence) {
        if self.own.param.as_deref().is_some_and(|own| own != name) {
            return self.count_own(Style::Page, start, evidence);
        }
        let start = start.or(self.own.start).or(self.own.start_page);
        let starts = start.map_or_else(|| vec![0, 1], |start| vec![start]);
        for (part, name) in self.places(name, None) {
            for start in &starts {
                let way = Settings {
                    param: Some(name.clone()),
                    param_in: part,
                    start: Some(*start),
                    ..Settings::of(Style::Page)
                };
                self.push(way, evidence);
            }
        }
    }

    fn count_records(&mut self, name: &str, start: u64, evidence: &Evidence) {
        if self.own.param.as_deref().is_some_and(|own| own != name) {
            return self.count_own(Style::Offset, Some(start), evidence);
        }
        for (part, name) in self.places(name, None) {
            let way = Settings {
                param: Some(name),
                param_in: part,
                start: (start > 0).then_some(start),
                ..Settings::of(Style::Offset)
            };
            self.push(way, evidence);
        }
    }

    /// The user named the parameter, so that only what it counts is open.
    fn count_own(&mut self, style: Style, start: Option<u64>, evidence: &Evidence) {
        let starts = match (style, start.or(self.own.start)) {
            (_, Some(start)) => vec![start],
            (Style::Page, None) => vec![0, 1],
            _ => vec![0],
        };
        for start in starts {
            let way = Settings {
                param: self.own.param.clone(),
                start: (style == Style::Page || start > 0).then_some(start),
                ..Settings::of(style)
            };
            self.push(way, evidence);
        }
    }

    /// After the identifier of the last record.
    fn records(&mut self, evidence: &Evidence, names: usize) {
        let identifier = self.page.last_record().and_then(|record| record.get("id"));
        if identifier.is_none() {
            return;
        }
        for name in RECORD_NAMES.iter().take(names) {
            let Some(path) = self.path_to_last_identifier() else {
                return;
            };
            for (part, name) in self.places(name, None) {
                let known = name == "starting_after";
                let way = Settings {
                    param: Some(name),
                    param_in: part,
                    cursor_path: (!known).then(|| path.clone()),
                    ..Settings::of(Style::Cursor)
                };
                self.push(way, evidence);
            }
        }
    }

    fn path_to_last_identifier(&self) -> Option<String> {
        if self.page.value().as_array().is_some() {
            return Some(".[-1].id".to_owned());
        }
        Some(format!("{} | .[-1].id", self.path_to_list()?))
    }

    /// jq to the list in an object body.
    fn path_to_list(&self) -> Option<String> {
        let body = self.page.value();
        let is_list = |value: &Val| {
            value.as_array().is_some_and(|items| {
                items.len() == self.page.records() && items.first() == self.page.first_record()
            })
        };
        let find = |object: &Val| {
            let found = |key: &&str| object.get(key).is_some_and(is_list);
            let key = object.keys().into_iter().find(found)?;
            Some(Step::Key(key.to_owned()))
        };
        let below = || {
            body.keys().into_iter().find_map(|key| {
                let inner = find(body.get(key)?)?;
                Some(vec![Step::Key(key.to_owned()), inner])
            })
        };
        let path = find(body).map(|key| vec![key]).or_else(below)?;
        Some(path_text(&path))
    }

    /// Adds a way, with the paths that tell its end where the well-known ones do not.
    fn push(&mut self, mut way: Settings, evidence: &Evidence) {
        if let Some(path) = &evidence.flag_path {
            match self.survey.flag_is_of_last(path) {
                true => way.last_page_path = Some(path.clone()),
                false => way.has_more_path = Some(path.clone()),
            }
        }
        // Of cursors, too: some APIs give one on every page, and then only the total tells the end.
        let counted = matches!(way.style, Some(Style::Page | Style::Offset));
        if counted || evidence.has_total && way.style == Some(Style::Cursor) {
            way.total_path = evidence.total_path.clone();
        }
        self.ways.push(way);
    }
}

fn is_page_name(name: &str) -> bool {
    PAGE_NAMES.contains(&last_part(name))
        || in_brackets(name).is_some_and(|name| PAGE_NAMES.contains(&name))
}

fn is_offset_name(name: &str) -> bool {
    OFFSET_NAMES.contains(&last_part(name))
        || in_brackets(name).is_some_and(|name| OFFSET_NAMES.contains(&name))
        || OFFSET_NAMES
            .iter()
            .any(|known| plain_name(known) == plain_name(last_part(name)))
}

/// The `currentPage` of `searchCriteria[currentPage]`.
fn in_brackets(name: &str) -> Option<&str> {
    let (place, inner) = name.strip_suffix(']')?.rsplit_once('[')?;
    (place != "filter").then_some(inner)
}

fn is_cursor_name(name: &str) -> bool {
    let last = last_part(name);
    let plain = plain_name(last);
    CURSOR_NAMES.contains(&last)
        || plain.ends_with("cursor")
        || plain.ends_with("token") && plain.contains("page")
}

fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `NextMarker` as `nextMarker`: what answers capitalise, parameters often do not.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

/// `nextPageToken` without its `next`: what the parameter is most likely called.
fn without_next(key: &str) -> String {
    let trimmed = key.trim_start_matches(['@', '_', '$']);
    let rest = trimmed
        .strip_prefix("next_")
        .or_else(|| trimmed.strip_prefix("next-"))
        .or_else(|| trimmed.strip_prefix("next"))
        .or_else(|| trimmed.strip_prefix("Next"))
        .unwrap_or(trimmed);
    let mut letters = rest.chars();
    match letters.next() {
        // `nextPage` gives `page`; what began with a capital keeps it.
        Some(first) if trimmed.starts_with("next") => first.to_lowercase().chain(letters).collect(),
        Some(_) => rest.to_owned(),
        None => trimmed.to_owned(),
    }
}
