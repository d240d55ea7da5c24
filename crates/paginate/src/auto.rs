//! `type: auto`: finds out how a list is paged, from its first answer.
//!
//! What speaks of a next page suggests ways to ask for it, each of them plain [`Settings`]. They are tried one after the other, and the first
//! that leads to a page with other records than the first one's is the way from there on. Which ways are left to try, and which one was
//! found, stands in the token, so that one value serves any number of reads and a read goes on in another process.

mod evidence;
mod finder;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use http::StatusCode;
use longshore_jq::Val;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::evidence::FirstAnswer;
use self::finder::{Finder, last_part, without_next};
use crate::configured::Styled;
use crate::ending::{Shortfall, StopReason};
use crate::error::{Error, ErrorKind};
use crate::fingerprint::Fingerprint;
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::request::PageRequest;
use crate::settings::{SettingProblem, Settings, Style};
use crate::signs::USUAL_SIZES;
use crate::survey::{Survey, plain_name, size_asked};
use crate::token::PageToken;

/// Ways that are tried at most where the answer speaks of more, and where it does not.
const TRIALS: usize = 48;
const GUESSES: usize = 5;
/// The same where nothing speaks of more, but the page is full.
const GUESSES_OF_FULL: usize = 9;

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
        let evidence = FirstAnswer::of(&survey, page);
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
