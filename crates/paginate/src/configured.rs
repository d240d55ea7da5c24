//! The built-in styles as one configured value.

use http::{HeaderName, StatusCode};
use longshore_jq::{Filter, Val};
use serde_json::Value;
use url::Url;

use crate::auto::Discovery;
use crate::elsewhere;
use crate::ending::{Shortfall, StopReason};
use crate::error::{Error, ErrorKind};
use crate::ladder::{self, Onward, Signs};
use crate::link_header::{has_links, link_target};
use crate::page::{Page, Progress};
use crate::paginator::{Next, Paginator};
use crate::path::Path;
use crate::request::PageRequest;
use crate::settings::{ParamIn, SettingProblem, Settings, Style};
use crate::signs::{self, Flag, Total, USUAL_SIZES};
use crate::survey::{size_asked, stands_as_one_list};
use crate::token::PageToken;

/// Records that are asked for where nothing else is said.
const DEFAULT_SIZE: u64 = 100;

/// Settings, checked and compiled; made by [`Settings::build`].
#[derive(Clone, Debug)]
pub struct Configured(Built);

#[derive(Clone, Debug)]
enum Built {
    Styled(Box<Styled>),
    Auto(Box<Discovery>),
}

impl Configured {
    pub(crate) fn new(settings: &Settings) -> Result<Configured, Vec<SettingProblem>> {
        Ok(Configured(match settings.style {
            Some(Style::Auto) => Built::Auto(Box::new(Discovery::new(settings)?)),
            _ => Built::Styled(Box::new(Styled::new(settings)?)),
        }))
    }

    fn inner(&self) -> &dyn Paginator {
        match &self.0 {
            Built::Styled(styled) => &**styled,
            Built::Auto(discovery) => &**discovery,
        }
    }
}

impl Paginator for Configured {
    forward! { self => self.inner() }
}

/// A built-in style.
#[derive(Clone, Debug)]
pub(crate) struct Styled {
    position: Position,
    size: Size,
    stop_when: Option<Filter>,
    has_more: Option<Path>,
    last_page: Option<Path>,
    total: TotalAt,
    max_pages: Option<u64>,
    look_ahead: Option<u64>,
    next_position: Option<Filter>,
}

/// How the position goes out and where the next one comes from.
#[derive(Clone, Debug)]
enum Position {
    /// Paging is off, by the user's own word on the resource where `explicit`.
    Off { explicit: bool },
    /// It is counted: in records, or else in pages.
    Counted {
        place: Place,
        start: u64,
        /// Nobody said where it begins.
        assumed: bool,
        records: bool,
    },
    /// The answer gives a cursor.
    Cursor {
        place: Place,
        source: CursorAt,
        end_when_absent: bool,
    },
    /// The answer gives a link.
    Link {
        source: LinkAt,
        end_when_absent: bool,
    },
}

#[derive(Clone, Debug)]
enum CursorAt {
    Path(Path),
    Known,
    LastRecord,
    FirstRecord,
}

#[derive(Clone, Debug)]
enum LinkAt {
    Path(Path),
    Known,
    Header(String),
}

#[derive(Clone, Debug)]
enum TotalAt {
    Path(Path),
    Known,
    Nowhere,
}

/// The page size: where it goes out, if anywhere, and what it is.
#[derive(Clone, Debug)]
struct Size {
    place: Option<Place>,
    records: u64,
    configured: bool,
}

/// A named place of a request.
#[derive(Clone, Debug)]
struct Place {
    name: String,
    part: ParamIn,
}

impl Paginator for Styled {
    fn apply(&self, token: Option<&PageToken>, request: &mut PageRequest) -> Result<(), Error> {
        match (&self.position, token) {
            (Position::Off { .. }, None) => Ok(()),
            (Position::Off { .. }, Some(_)) => Err(foreign_token()),
            (Position::Counted { place, start, .. }, token) => {
                let at = match token {
                    None => *start,
                    Some(token) => token.as_u64().ok_or_else(foreign_token)?,
                };
                place.write(request, &Value::from(at))?;
                self.size.write(request)
            }
            (Position::Cursor { place, .. }, token) => {
                if let Some(token) = token {
                    place.write(request, token.as_value())?;
                }
                self.size.write(request)
            }
            (Position::Link { .. }, None) => self.size.write(request),
            (Position::Link { .. }, Some(token)) => {
                request.url = token.as_url().ok_or_else(foreign_token)?;
                Ok(())
            }
        }
    }

    fn next(&self, token: Option<&PageToken>, page: &Page<'_>) -> Result<Next, Error> {
        must_be_a_page(page)?;
        let stop_when = self.stop_when(page)?;
        let flag = self.flag(page)?;
        let (total, page_total) = self.totals(page)?;
        let asked = self.size.asked(page.request());
        let mut signs = Signs {
            stop_when,
            configured_flag: flag,
            known_flag: signs::flag(page),
            onward: Onward::Counted(None),
            total,
            total_before: page.progress().total,
            repeated: page.progress().repeated,
            page_total,
            records: page.records() as u64,
            asked,
            asked_by_request: size_asked(page.request()),
            left_out: left_out(page, asked),
            read: page.read(),
            pages: page.progress().pages + 1,
            largest_before: page.progress().largest_page,
            had_token: page.progress().had_token,
            begins_at: None,
            lacking: false,
            elsewhere: None,
        };
        match &self.position {
            Position::Off { explicit } => return Ok(self.off(*explicit, &signs, page)),
            position if self.next_position.is_some() => {
                signs.onward = Onward::Given {
                    token: self.computed(position, page)?,
                    looked_at: "`nextPosition`".to_owned(),
                    end_when_absent: true,
                    from_record: false,
                };
            }
            Position::Counted {
                start,
                records,
                assumed,
                ..
            } => {
                signs.begins_at = Some(*start).filter(|_| *assumed);
                let at = token
                    .map_or(Some(*start), PageToken::as_u64)
                    .ok_or_else(foreign_token)?;
                signs.known_flag = signs.known_flag.or_else(|| signs::next_key(page));
                let step = if *records {
                    // What pages overlap in counts once.
                    signs.read = at.saturating_sub(*start) + signs.records;
                    signs.lacking = page.read() < signs.read;
                    let largest = signs.largest_before.max(signs.records);
                    if signs.asked.is_some_and(|asked| largest > asked) {
                        // Nor is the number of pages that of the requests then.
                        signs.page_total = None;
                    }
                    offset_step(&signs)
                } else {
                    1
                };
                signs.onward = Onward::Counted((step > 0).then(|| PageToken::from(at + step)));
                let might_be_the_end =
                    signs.records == 0 || signs.asked.is_some_and(|asked| signs.records < asked);
                if might_be_the_end || signs.lacking {
                    signs.elsewhere = elsewhere::next_page(page);
                }
            }
            Position::Cursor {
                source,
                end_when_absent,
                ..
            } => {
                let next = match source.read(page) {
                    Ok(next) => next.map(PageToken::from),
                    Err(error) => return unreadable(source.describe(), error),
                };
                signs.onward = Onward::Given {
                    token: next.filter(|next| !stays(token == Some(next), page)),
                    looked_at: source.describe(),
                    end_when_absent: *end_when_absent,
                    from_record: matches!(source, CursorAt::LastRecord | CursorAt::FirstRecord),
                };
            }
            Position::Link {
                source,
                end_when_absent,
            } => {
                let link = source
                    .read(page)
                    .and_then(|link| link.map(|link| absolute(page.request(), &link)).transpose());
                let link = match link {
                    Ok(link) => link,
                    Err(error) => return unreadable(source.describe(), error),
                };
                signs.onward = Onward::Given {
                    token: link
                        .filter(|link| !stays(*link == page.request().url, page))
                        .map(PageToken::from),
                    looked_at: source.describe(),
                    end_when_absent: *end_when_absent,
                    from_record: false,
                };
            }
        }
        if matches!(signs.onward, Onward::Given { token: None, .. }) && !signs.had_token {
            signs.elsewhere = signs::any_position(page);
        }
        Ok(ladder::decide(signs))
    }

    fn max_pages(&self) -> Option<u64> {
        self.max_pages
    }

    fn counts(&self, _: Option<&PageToken>) -> bool {
        matches!(self.position, Position::Counted { .. })
    }

    fn ahead(
        &self,
        token: Option<&PageToken>,
        page: &Page<'_>,
        next: &PageToken,
        limit: usize,
    ) -> Vec<PageToken> {
        let (Position::Counted { start, records, .. }, None, Some(next)) =
            (&self.position, &self.next_position, next.as_u64())
        else {
            return Vec::new();
        };
        let at = token.map_or(Some(*start), PageToken::as_u64);
        let step = next.saturating_sub(at.unwrap_or(next));
        if step == 0 {
            return Vec::new();
        }
        let limit = self
            .look_ahead
            .map_or(limit, |pages| usize::try_from(pages).unwrap_or(usize::MAX));
        let end = match self.look_ahead {
            // Asked for, whether they are there or not.
            Some(_) => u64::MAX,
            None => self.known_end(page, *start, *records).unwrap_or(0),
        };
        let positions = (1..).map_while(|n: u64| next.checked_add(step.checked_mul(n)?));
        let positions = positions.take_while(|position| *position < end);
        positions.take(limit).map(PageToken::from).collect()
    }
}

impl Styled {
    pub(crate) fn new(settings: &Settings) -> Result<Styled, Vec<SettingProblem>> {
        let mut check = Check::default();
        let style = settings.style.unwrap_or(Style::None);
        let part = settings.param_in.unwrap_or(ParamIn::Query);
        let place = |name: &str| Place {
            name: name.to_owned(),
            part,
        };
        let param = |default: &str| place(filled(&settings.param).unwrap_or(default));
        let cursor_path = check.path("cursorPath", &settings.cursor_path);
        let link_path = check.path("nextLinkPath", &settings.next_link_path);
        let end_when_absent = settings.end_when_absent.unwrap_or(false);
        let position = match style {
            Style::None | Style::Auto => Position::Off {
                explicit: settings.explicit,
            },
            Style::Offset => Position::Counted {
                place: param("offset"),
                start: settings.start.unwrap_or(0),
                assumed: settings.start.is_none(),
                records: true,
            },
            Style::Page => Position::Counted {
                place: param("page"),
                start: settings.start.or(settings.start_page).unwrap_or(1),
                assumed: settings.start.or(settings.start_page).is_none(),
                records: false,
            },
            Style::Cursor => {
                let place = param("cursor");
                let source = match (cursor_path, place.name.as_str()) {
                    (Some(path), _) => CursorAt::Path(path),
                    (None, "starting_after") => CursorAt::LastRecord,
                    (None, "ending_before") => CursorAt::FirstRecord,
                    (None, _) => CursorAt::Known,
                };
                Position::Cursor {
                    place,
                    source,
                    end_when_absent,
                }
            }
            Style::NextLink => Position::Link {
                source: link_path.map_or(LinkAt::Known, LinkAt::Path),
                end_when_absent,
            },
            Style::HeaderLink => Position::Link {
                source: LinkAt::Header(
                    filled(&settings.header_link_rel)
                        .unwrap_or("next")
                        .to_owned(),
                ),
                end_when_absent,
            },
        };
        let default_size = match style {
            Style::None | Style::Auto | Style::NextLink | Style::HeaderLink => None,
            Style::Page => Some("size"),
            Style::Offset | Style::Cursor => Some("limit"),
        };
        let size_param = settings
            .size_param
            .as_deref()
            .map(str::trim)
            .or(default_size);
        let size = Size {
            place: size_param
                .filter(|name| !switched_off(name) && style != Style::None)
                .map(place),
            records: settings.size.unwrap_or(DEFAULT_SIZE),
            configured: settings.size.is_some(),
        };
        if settings.size == Some(0) {
            check.problem("size", "must be at least 1");
        }
        if settings.max_pages == Some(0) {
            check.problem("maxPages", "must be at least 1");
        }
        if let Position::Counted { place, .. } | Position::Cursor { place, .. } = &position {
            check.place("param", place);
            if size
                .place
                .as_ref()
                .is_some_and(|size| size.name == place.name)
            {
                check.problem(
                    "sizeParam",
                    "is the same name as `param`, which carries the position",
                );
            }
        }
        if let Some(place) = &size.place {
            check.place("sizeParam", place);
        }
        let configured = Styled {
            position,
            size,
            stop_when: check.filter("stopWhen", &settings.stop_when),
            has_more: check.path("hasMorePath", &settings.has_more_path),
            last_page: check.path("lastPagePath", &settings.last_page_path),
            total: match &settings.total_path {
                Some(path) if switched_off(path) => TotalAt::Nowhere,
                path => check
                    .path("totalPath", path)
                    .map_or(TotalAt::Known, TotalAt::Path),
            },
            max_pages: settings.max_pages,
            look_ahead: settings.look_ahead,
            next_position: check.filter("nextPosition", &settings.next_position),
        };
        if configured.next_position.is_some() && style == Style::None {
            check.problem("nextPosition", "needs a `type` that says where the position goes: cursor, page, offset or next_link");
        }
        check.finish(configured)
    }

    /// The end, where the user's own rules say so; and an error, where the body cannot be a page.
    pub(crate) fn spoken_end(&self, page: &Page<'_>) -> Result<Option<Next>, Error> {
        must_be_a_page(page)?;
        if self.stop_when(page)? == Some(true) {
            return Ok(Some(Next::Complete(StopReason::StopWhen)));
        }
        let flag = self.flag(page)?.filter(|flag| !flag.more);
        Ok(flag.map(|flag| Next::Complete(StopReason::Flag(flag.name))))
    }

    /// The total, where the read has passed it by more than a page of a list whose records it counts, as far as one can see.
    pub(crate) fn passed_total(&self, page: &Page<'_>) -> Option<Total> {
        let counted = matches!(self.position, Position::Counted { .. });
        let (total, _) = self.totals(page).ok().filter(|_| counted)?;
        let largest = page.progress().largest_page.max(page.records() as u64);
        total
            .filter(|total| page.read() > total.count.saturating_add(largest))
            .filter(|total| total.count > 0 && stands_as_one_list(page))
    }

    /// The position behind the last page, where a total tells it. A setting that may end the read before leaves it unknown.
    fn known_end(&self, page: &Page<'_>, start: u64, records: bool) -> Option<u64> {
        let (total, page_total) = self.totals(page).ok()?;
        let largest = page.progress().largest_page.max(page.records() as u64);
        let total = total.filter(|total| total.count >= page.read());
        let pages = page_total.map(|pages| pages.count);
        let positions = match records {
            true => total
                .map(|total| total.count)
                .or(pages.and_then(|pages| pages.checked_mul(largest)))?,
            false => pages.or(total.map(|total| total.count.div_ceil(largest.max(1))))?,
        };
        start.checked_add(positions)
    }

    /// What `nextPosition` says.
    fn computed(&self, position: &Position, page: &Page<'_>) -> Result<Option<PageToken>, Error> {
        let Some(filter) = &self.next_position else {
            return Ok(None);
        };
        let found = filter.first(&whole_exchange(page)).map_err(|error| {
            Error::new(ErrorKind::Expression, "`nextPosition` failed on the answer")
                .with_source(error)
        })?;
        let Some(found) = found.filter(|found| !found.is_null() && found.as_bool() != Some(false))
        else {
            return Ok(None);
        };
        match position {
            Position::Counted { .. } => match signs::whole(&found) {
                Some(at) => Ok(Some(PageToken::from(at))),
                None => Err(Error::new(
                    ErrorKind::Position,
                    "`nextPosition` must give a whole number for this type of paging, or null at the end",
                )),
            },
            Position::Link { .. } => {
                let link = signs::link_value("nextPosition", &found)?;
                let url = link
                    .map(|link| absolute(page.request(), link))
                    .transpose()?;
                Ok(url.map(PageToken::from))
            }
            _ => Ok(signs::token_value("nextPosition", &found)?.map(PageToken::from)),
        }
    }

    /// Paging is off: what speaks of more is not passed over in silence.
    fn off(&self, explicit: bool, signs: &Signs, page: &Page<'_>) -> Next {
        let (more, sure) = match &signs.configured_flag {
            _ if signs.stop_when == Some(true) => return Next::Complete(StopReason::StopWhen),
            Some(flag) if flag.more => {
                let evidence = signs::Evidence {
                    what: flag.name.clone(),
                    line: "pagination: {type: page}".to_owned(),
                };
                (Some(evidence), true)
            }
            Some(flag) => return Next::Complete(StopReason::Flag(flag.name.clone())),
            None => match elsewhere::more_than_one(page) {
                Some((evidence, sure)) => (Some(evidence), sure),
                None => (None, true),
            },
        };
        // Who says `none` has looked at what may be or not.
        let more = more.filter(|_| sure || !explicit);
        if let Some(signs::Evidence { what, line }) = more {
            if !sure {
                return Next::Complete(StopReason::SinglePage.doubting(format!(
                    "paging is off, and {what} may lead to more, or not: if it does, add `{line}` to the settings of this list; if not, \
                     `pagination: {{type: none}}`"
                )));
            }
            let shortfall = Shortfall::NotPaged {
                evidence: what,
                line,
            };
            return match explicit {
                true => Next::Complete(StopReason::SinglePage.doubting(shortfall.to_string())),
                false => Next::Incomplete(shortfall),
            };
        }
        let records = signs.records;
        if let Some(as_many_as) = self.full_page(records, page) {
            return Next::Complete(StopReason::SinglePage.doubting(format!(
                "paging is off and there are exactly {records} records, {as_many_as}: if there are more, add \
                 `pagination: {{type: page}}`, or the type that the API has, to the settings of this list"
            )));
        }
        Next::Complete(StopReason::SinglePage)
    }

    /// In words, what makes so many records a full page, if anything does.
    fn full_page(&self, records: u64, page: &Page<'_>) -> Option<&'static str> {
        if Some(records) == size_asked(page.request()) {
            return Some("as many as the request asks for");
        }
        let usual = USUAL_SIZES.contains(&records) || records == self.size.records;
        usual.then_some("a usual size of a page")
    }

    fn stop_when(&self, page: &Page<'_>) -> Result<Option<bool>, Error> {
        let Some(filter) = &self.stop_when else {
            return Ok(None);
        };
        let result = filter.first(page.value()).map_err(|error| {
            Error::new(ErrorKind::Expression, "`stopWhen` failed on the answer").with_source(error)
        })?;
        Ok(result.as_ref().and_then(signs::truthy))
    }

    fn flag(&self, page: &Page<'_>) -> Result<Option<Flag>, Error> {
        for (path, means_more) in [(&self.has_more, true), (&self.last_page, false)] {
            let Some(path) = path else { continue };
            if let Some(truthy) = path.read(page)?.as_ref().and_then(signs::truthy) {
                return Ok(Some(Flag {
                    name: format!("`{}`", path.text()),
                    more: truthy == means_more,
                }));
            }
        }
        Ok(None)
    }

    /// The totals of records and of pages.
    fn totals(&self, page: &Page<'_>) -> Result<(Option<Total>, Option<Total>), Error> {
        let configured = match &self.total {
            TotalAt::Nowhere => return Ok((None, None)),
            TotalAt::Path(path) => signs::configured_total(path, page)?,
            TotalAt::Known => None,
        };
        Ok(match configured {
            Some((total, false)) => (Some(total), None),
            Some((total, true)) => (None, Some(total)),
            None => {
                let now = signs::record_total(page, self.size.asked(page.request()));
                let before = page.progress().total.map(|count| Total {
                    name: "the total of an earlier page".to_owned(),
                    count,
                    configured: false,
                });
                (now.or(before), signs::page_total(page))
            }
        })
    }
}

impl CursorAt {
    fn read(&self, page: &Page<'_>) -> Result<Option<Value>, Error> {
        let id = |record: Option<&Val>| match record.and_then(|record| record.get("id")) {
            Some(id) => signs::token_value("id", id),
            None => Ok(None),
        };
        match self {
            CursorAt::Known => Ok(signs::token(page)?.map(|(_, token)| token)),
            CursorAt::LastRecord => id(page.last_record()),
            CursorAt::FirstRecord => id(page.first_record()),
            CursorAt::Path(path) => match path.read(page)? {
                Some(value) => signs::token_value(path.text(), &value),
                None => Ok(None),
            },
        }
    }

    fn describe(&self) -> String {
        match self {
            CursorAt::Known => "`cursorPath` (next_cursor and other usual places)".to_owned(),
            CursorAt::LastRecord => "`cursorPath` (`id` of the last record)".to_owned(),
            CursorAt::FirstRecord => "`cursorPath` (`id` of the first record)".to_owned(),
            CursorAt::Path(path) => format!("`cursorPath` ({})", path.text()),
        }
    }
}

impl LinkAt {
    fn read(&self, page: &Page<'_>) -> Result<Option<String>, Error> {
        let bad = |what: String| Error::new(ErrorKind::Link, what);
        match self {
            LinkAt::Known => Ok(signs::link(page)?.map(|(_, link)| link)),
            LinkAt::Header(rel) => match link_target(page.headers(), rel) {
                Some(target) => Ok(Some(target)),
                None if has_links(page.headers()) => Ok(None),
                None => Err(bad(
                    "the header `Link` is there but holds no link (RFC 8288)".to_owned(),
                )),
            },
            LinkAt::Path(path) => match path.read(page)? {
                Some(value) => Ok(signs::link_value(path.text(), &value)?.map(str::to_owned)),
                None => Ok(None),
            },
        }
    }

    fn describe(&self) -> String {
        match self {
            LinkAt::Known => "`nextLinkPath` (@odata.nextLink and other usual places)".to_owned(),
            LinkAt::Header(rel) => format!("`headerLinkRel` ({rel})"),
            LinkAt::Path(path) => format!("`nextLinkPath` ({})", path.text()),
        }
    }
}

impl Size {
    /// Puts the size into a request, unless it was not configured and the caller asks for one already.
    fn write(&self, request: &mut PageRequest) -> Result<(), Error> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        if !self.configured && place.read(request).is_some() {
            return Ok(());
        }
        place.write(request, &Value::from(self.records))
    }

    /// How many records a request asks for, where it does.
    fn asked(&self, request: &PageRequest) -> Option<u64> {
        let place = self.place.as_ref()?;
        let asked = place.read(request).and_then(|text| text.parse().ok());
        Some(asked.unwrap_or(self.records))
    }
}

impl Place {
    fn write(&self, request: &mut PageRequest, value: &Value) -> Result<(), Error> {
        let text = || match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match self.part {
            ParamIn::Query => request.set_query(&self.name, &text()),
            ParamIn::Header => request.set_header(&self.name, &text())?,
            ParamIn::Body => request.set_body(&self.name, value.clone())?,
        }
        Ok(())
    }

    fn read(&self, request: &PageRequest) -> Option<String> {
        match self.part {
            ParamIn::Query => request.query(&self.name),
            ParamIn::Header => Some(request.headers.get(&self.name)?.to_str().ok()?.to_owned()),
            ParamIn::Body => request.body_at(&self.name).map(|value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            }),
        }
    }
}

/// By how much an offset moves: by what was received, so that a server which caps the size loses nothing. Where one record of
/// the server becomes several of ours (`.groups[].items[]`), more arrive than were asked for: then by what was asked for. An
/// empty page that is not the last moves by the largest page that was seen, because the server never gives more than that.
fn offset_step(signs: &Signs) -> u64 {
    let received = if signs.records > 0 {
        signs.records
    } else {
        signs.largest_before
    };
    received.min(signs.asked.unwrap_or(u64::MAX))
}

/// Whether a position leads nowhere: some APIs give one on every page, and on the empty one behind the last it is that page's own.
fn stays(is_its_own: bool, page: &Page<'_>) -> bool {
    is_its_own && page.records() == 0
}

/// The end of a read whose next position is none that could be asked for. The page that it stands on is good all the same.
fn unreadable(looked_at: String, error: Error) -> Result<Next, Error> {
    match error.kind() {
        ErrorKind::Link | ErrorKind::Position => Ok(Next::Incomplete(Shortfall::Truncated {
            evidence: looked_at,
            advice: error.to_string(),
        })),
        _ => Err(error),
    }
}

/// What `nextPosition` is computed from. Names of headers are lower case, of several values the first counts.
fn whole_exchange(page: &Page<'_>) -> Val {
    let text_of = |headers: &http::HeaderMap| -> serde_json::Map<String, Value> {
        let names = headers.keys();
        names
            .filter_map(|name| {
                let text = headers.get(name)?.to_str().ok()?;
                Some((name.as_str().to_owned(), Value::from(text)))
            })
            .collect()
    };
    let request = page.request();
    let query: serde_json::Map<String, Value> = request
        .url
        .query_pairs()
        .map(|(name, value)| (name.into_owned(), Value::from(value.into_owned())))
        .collect();
    let rest = serde_json::json!({
        "headers": text_of(page.headers()),
        "request": {
            "method": request.method.as_str(),
            "url": request.url.as_str(),
            "query": query,
            "headers": text_of(&request.headers),
            "body": request.body,
        },
    });
    let mut exchange = Val::from_json(&rest);
    exchange.insert("body", page.value().clone());
    exchange
}

/// A link as it stands, joined to the URL that it came from.
fn absolute(request: &PageRequest, link: &str) -> Result<Url, Error> {
    let bad = |why: &str| Error::new(ErrorKind::Link, format!("the next link {why}"));
    let url = request.url.join(link).map_err(|_| bad("is no URL"))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        scheme => Err(bad(&format!(
            "has the scheme `{scheme}`; only http and https are followed"
        ))),
    }
}

/// Of a page without records, how many objects a list in the body holds that looks like a whole page: a filter in `data_path` may have
/// left them all out.
fn left_out(page: &Page<'_>, asked: Option<u64>) -> Option<u64> {
    if page.records() > 0 {
        return None;
    }
    let largest = page.progress().largest_page;
    let lists = lists_of_objects(page.value(), 3);
    lists
        .into_iter()
        .map(|length| length as u64)
        .find(|length| {
            asked == Some(*length)
                || USUAL_SIZES.contains(length)
                || largest > 0 && *length >= largest
        })
}

fn lists_of_objects(value: &Val, depth: usize) -> Vec<usize> {
    if let Some(items) = value.as_array() {
        let objects = !items.is_empty() && items.iter().all(Val::is_object);
        return objects.then_some(items.len()).into_iter().collect();
    }
    let inner = value.keys().into_iter().filter_map(|key| value.get(key));
    match depth {
        0 => Vec::new(),
        _ => inner
            .flat_map(|inner| lists_of_objects(inner, depth - 1))
            .collect(),
    }
}

/// Objects, arrays and no content can be pages. Anything else is not even an answer of the kind that was asked for.
fn must_be_a_page(page: &Page<'_>) -> Result<(), Error> {
    let body = page.value();
    let nothing = body.is_null() && page.records() == 0;
    if nothing || body.is_object() || body.as_array().is_some() {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Body,
        format!(
            "the answer is {} and neither an object nor an array, so it cannot be a page",
            body.type_name()
        ),
    ))
}

fn foreign_token() -> Error {
    Error::new(
        ErrorKind::Position,
        "the position to go on from was not made by this way of paging",
    )
}

fn filled(text: &Option<String>) -> Option<&str> {
    text.as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// A setting that turns off what it would name.
fn switched_off(text: &str) -> bool {
    matches!(text.trim(), "" | "none")
}

/// Collects the problems of settings.
#[derive(Default)]
struct Check(Vec<SettingProblem>);

impl Check {
    fn problem(&mut self, setting: &'static str, message: impl Into<String>) {
        self.0.push(SettingProblem {
            setting,
            message: message.into(),
        });
    }

    fn place(&mut self, setting: &'static str, place: &Place) {
        if place.part == ParamIn::Header && HeaderName::try_from(place.name.as_str()).is_err() {
            self.problem(setting, format!("`{}` is no name for a header", place.name));
        }
        if place.part == ParamIn::Body && place.name.split('.').any(str::is_empty) {
            self.problem(
                setting,
                format!("`{}` is no dotted path into the body", place.name),
            );
        }
    }

    fn path(&mut self, setting: &'static str, text: &Option<String>) -> Option<Path> {
        let parsed = Path::parse(filled(text)?);
        parsed
            .map_err(|message| self.problem(setting, message))
            .ok()
    }

    fn filter(&mut self, setting: &'static str, text: &Option<String>) -> Option<Filter> {
        let compiled = Filter::compile(filled(text)?);
        compiled
            .map_err(|error| self.problem(setting, format!("is no jq expression: {error}")))
            .ok()
    }

    fn finish<T>(self, value: T) -> Result<T, Vec<SettingProblem>> {
        match self.0.is_empty() {
            true => Ok(value),
            false => Err(self.0),
        }
    }
}
