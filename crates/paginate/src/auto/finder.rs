//! Ways to ask for a next page, out of what a first answer shows.

use longshore_jq::{Step, Val, path_text};

use super::evidence::FirstAnswer;
use crate::link_header::link_target;
use crate::page::Page;
use crate::settings::{ParamIn, Settings, Style};
use crate::signs;
use crate::survey::{Echo, Field, Survey, is_json_api, names_a_size, names_of_request, plain_name};

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

/// Makes ways out of what an answer shows.
pub(super) struct Finder<'s, 'p> {
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
    pub(super) fn new(own: &'s Settings, survey: &'s Survey<'p>, page: &'s Page<'p>) -> Self {
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
    pub(super) fn ways(mut self, evidence: &FirstAnswer) -> Vec<Settings> {
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
    pub(super) fn guesses(mut self) -> Vec<Settings> {
        let nothing = FirstAnswer {
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
    fn names_in_request(&mut self, evidence: &FirstAnswer) {
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

    fn links(&mut self, evidence: &FirstAnswer) {
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

    fn tokens(&mut self, evidence: &FirstAnswer) {
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
    fn pages(&mut self, echo: Option<&Echo>, evidence: &FirstAnswer) {
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

    fn offsets(&mut self, echo: Option<&Echo>, evidence: &FirstAnswer) {
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
    fn count_pages(&mut self, name: &str, start: Option<u64>, evidence: &FirstAnswer) {
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

    fn count_records(&mut self, name: &str, start: u64, evidence: &FirstAnswer) {
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
    fn count_own(&mut self, style: Style, start: Option<u64>, evidence: &FirstAnswer) {
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
    fn records(&mut self, evidence: &FirstAnswer, names: usize) {
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
    fn push(&mut self, mut way: Settings, evidence: &FirstAnswer) {
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

pub(super) fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// `NextMarker` as `nextMarker`: what answers capitalise, parameters often do not.
fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    let first = letters.next().into_iter().flat_map(char::to_lowercase);
    first.chain(letters).collect()
}

/// `nextPageToken` without its `next`: what the parameter is most likely called.
pub(super) fn without_next(key: &str) -> String {
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
