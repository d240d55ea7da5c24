//! What answers say about paging under the names that APIs commonly use. Read only, nothing is decided here.

use std::fmt;

use http::HeaderName;
use longshore_jq::Val;
use serde_json::Value;

use crate::error::{Error, ErrorKind};
use crate::link_header::link_target;
use crate::page::Page;
use crate::path::{Path, member};
use crate::settings::{Settings, Style};
use crate::survey::{OFFSET_ECHOES, SIZE_ECHOES, plain_name, size_asked};

/// Page sizes that APIs use where the request names none.
pub(crate) const USUAL_SIZES: [u64; 6] = [10, 20, 25, 30, 50, 100];

/// Truthy: there is more.
const MORE: [&str; 14] = [
    "has_more",
    "hasMore",
    "has_next",
    "hasNext",
    "hasNextPage",
    "pageInfo.hasNextPage",
    "more",
    "meta.has_more",
    "meta.hasMore",
    "meta.has_next",
    "pagination.has_more",
    "pagination.hasMore",
    "pagination.has_next",
    "pagination.hasNext",
];

/// True: this was the last page. Spring's page also comes below `data` and `page`.
const LAST: [&str; 9] = [
    "last",
    "isLast",
    "is_last",
    "isLastPage",
    "done",
    "end_of_stream",
    "data.last",
    "page.last",
    "pagination.is_last",
];

/// Something: there is more. There, but null: this was the last page.
const NEXT: [&str; 13] = [
    "next_page",
    "next",
    "nextPage",
    "meta.next_page",
    "meta.nextPage",
    "meta.next",
    "pagination.next_page",
    "pagination.nextPage",
    "pagination.next",
    "paging.next_page",
    "page.next_page",
    "links.next",
    "@odata.nextLink",
];

/// The next cursor, in the order in which they are tried.
const TOKENS: [&str; 11] = [
    "next_cursor",
    "nextCursor",
    "cursor",
    "meta.after_cursor",
    "meta.next_cursor",
    "pagination.next_cursor",
    "response_metadata.next_cursor",
    "paging.next.after",
    "nextPageToken",
    "next_page_token",
    "links.next",
];

/// The next page as a URL, or as an object with one in `href` or `url`, in the order in which they are tried.
const LINKS: [&str; 18] = [
    "@odata.nextLink",
    "odata.nextLink",
    "links.next",
    "_links.next",
    "next",
    "next_page",
    "next_link",
    "nextLink",
    "next_url",
    "nextUrl",
    "next_page_url",
    "nextRecordsUrl",
    "meta.next",
    "meta.next_page",
    "pagination.next",
    "pagination.next_url",
    "paging.next",
    "paging.next.link",
];

/// Names of a next cursor and of a next link wherever they stand, without case and punctuation.
const UNUSUAL_TOKENS: [&str; 10] = [
    "nexttoken",
    "nextcursor",
    "nextpagetoken",
    "nextpagecursor",
    "nextmarker",
    "nextkey",
    "nextoffset",
    "continuationtoken",
    "skiptoken",
    "aftercursor",
];
const UNUSUAL_LINKS: [&str; 7] = [
    "next",
    "nextlink",
    "nexturl",
    "nexthref",
    "nextpage",
    "nextpageurl",
    "nextpagelink",
];

/// Where totals stand, under the top level and these.
const TOTAL_PLACES: [&str; 11] = [
    "",
    "meta.",
    "pagination.",
    "page.",
    "paging.",
    "meta.pagination.",
    "data.",
    "data.pagination.",
    "result.",
    "response.",
    "pageInfo.",
];

const TOTALS: [&str; 15] = [
    "total",
    "total_count",
    "totalCount",
    "totalElements",
    "total_elements",
    "totalItems",
    "total_items",
    "totalResults",
    "total_results",
    "totalRecords",
    "total_records",
    "total_entries",
    "totalEntries",
    "totalSize",
    "@odata.count",
];

/// May count the page instead of everything.
const COUNT: &str = "count";

const PAGE_TOTALS: [&str; 5] = [
    "total_pages",
    "totalPages",
    "pages",
    "page_count",
    "pageCount",
];

const TOTAL_HEADERS: [HeaderName; 4] = [
    HeaderName::from_static("x-total-count"),
    HeaderName::from_static("x-total"),
    HeaderName::from_static("x-wp-total"),
    HeaderName::from_static("total-count"),
];
const PAGE_TOTAL_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("x-total-pages"),
    HeaderName::from_static("x-wp-totalpages"),
    HeaderName::from_static("total-pages"),
];

/// Names that mean something else in many a record. Where the body itself is the one record, they say nothing of paging.
const COMMON_IN_RECORDS: [&str; 15] = [
    "more",
    "last",
    "isLast",
    "is_last",
    "done",
    "data.last",
    "page.last",
    "cursor",
    "next",
    "total",
    "count",
    "pages",
    "page_count",
    "pageCount",
    "hasNext",
];

/// A flag of the answer, by its name.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub(crate) name: String,
    pub(crate) more: bool,
}

/// A total of the answer.
#[derive(Clone, Debug)]
pub(crate) struct Total {
    pub(crate) name: String,
    pub(crate) count: u64,
    /// The user named its place.
    pub(crate) configured: bool,
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.count)
    }
}

/// Something that speaks of more, and the line of configuration that reads it.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    pub(crate) what: String,
    pub(crate) line: String,
}

/// A well-known flag: one of more, else one of the last page. They count as booleans only.
pub(crate) fn flag(page: &Page<'_>) -> Option<Flag> {
    let more = || all(page, &MORE).find_map(|(name, value)| Some((name, boolean(value)?)));
    let last = || all(page, &LAST).find_map(|(name, value)| Some((name, !value.as_bool()?)));
    more().or_else(last).map(|(name, more)| Flag {
        name: format!("`{name}`"),
        more,
    })
}

/// A well-known key of the next page: something in it means more, null means that this was the last page.
pub(crate) fn next_key(page: &Page<'_>) -> Option<Flag> {
    let mut last = None;
    for (name, value) in all(page, &NEXT) {
        let more = !value.is_null() && truthy(value).unwrap_or(true);
        if more {
            return Some(Flag {
                name: format!("`{name}`"),
                more,
            });
        }
        last.get_or_insert(Flag {
            name: format!("`{name}`"),
            more,
        });
    }
    last
}

/// The next cursor under a well-known name.
///
/// # Errors
/// There is one, but it is neither text nor a number.
pub(crate) fn token(page: &Page<'_>) -> Result<Option<(&'static str, Value)>, Error> {
    for (name, value) in all(page, &TOKENS) {
        // Both are also used for other things: an object of cursors, a link.
        let other =
            matches!(name, "cursor" | "links.next") && (value.is_object() || url_like(value));
        if other {
            continue;
        }
        if let Some(token) = token_value(name, value)? {
            return Ok(Some((name, token)));
        }
    }
    Ok(None)
}

/// A cursor's value. `""`, `false`, null and 0 are none: no API goes on at the position where it began.
pub(crate) fn token_value(name: &str, value: &Val) -> Result<Option<Value>, Error> {
    if value.is_null()
        || value.as_bool() == Some(false)
        || value.as_str() == Some("")
        || value.as_u64() == Some(0)
    {
        return Ok(None);
    }
    if value.as_str().is_some() || value.is_number() {
        return Ok(Some(value.to_json()));
    }
    Err(Error::new(
        ErrorKind::Position,
        format!(
            "`{name}` should hold the next cursor and holds {}: check `cursorPath`",
            article(value)
        ),
    ))
}

/// The next link under a well-known name.
///
/// # Errors
/// There is something under a name that means nothing else, but it is no link.
pub(crate) fn link(page: &Page<'_>) -> Result<Option<(&'static str, String)>, Error> {
    for (name, value) in all(page, &LINKS) {
        let only_a_link = name.to_ascii_lowercase().ends_with("link") || name.ends_with("rl");
        match link_value(name, value) {
            Ok(Some(link)) if only_a_link || looks_like_url(link) => {
                return Ok(Some((name, link.to_owned())));
            }
            Err(error) if only_a_link => return Err(error),
            _ => {}
        }
    }
    Ok(None)
}

/// A link's value. `""`, `false`, null and an object whose link is null are none.
pub(crate) fn link_value<'v>(name: &str, value: &'v Val) -> Result<Option<&'v str>, Error> {
    let inside = ["href", "url", "uri"]
        .iter()
        .find_map(|name| value.get(name));
    let value = inside.unwrap_or(value);
    if value.is_null() || value.as_bool() == Some(false) || value.as_str() == Some("") {
        return Ok(None);
    }
    value.as_str().map(Some).ok_or_else(|| {
        Error::new(
            ErrorKind::Link,
            format!(
                "`{name}` should hold the next link and holds {}: check `nextLinkPath`",
                article(value)
            ),
        )
    })
}

/// The total of records: of the configured path, else under a well-known name. `asked` is the size that was asked for.
pub(crate) fn record_total(page: &Page<'_>, asked: Option<u64>) -> Option<Total> {
    let sure = totals(page, &TOTALS).or_else(|| {
        TOTAL_HEADERS
            .iter()
            .find_map(|name| Some((format!("header `{name}`"), page.header(name)?.parse().ok()?)))
            .or_else(|| Some(("header `content-range`".to_owned(), in_content_range(page)?)))
    });
    let counted = || {
        // A `count` no larger than what one page may hold can be the count of the page.
        let page_size = (page.records() as u64)
            .max(page.progress().largest_page)
            .max(asked.unwrap_or(0))
            .max(size_asked(page.request()).unwrap_or(0));
        let place = |name: &str| {
            name.trim_matches('`')
                .strip_suffix(COUNT)
                .map(str::to_owned)
        };
        totals(page, &[COUNT])
            .filter(|(_, count)| *count > page_size)
            .filter(|(name, count)| {
                place(name).is_none_or(|at| !echoes_the_size(page, &at, *count))
            })
    };
    sure.or_else(counted).map(|(name, count)| Total {
        name,
        count,
        configured: false,
    })
}

/// Whether a `count` is the size that the page was asked with, as LinkedIn's `paging: {start: 0, count: 10}` repeats it: it stands beside the
/// offset, nothing else there is a size, and it is a number that sizes are.
pub(crate) fn echoes_the_size(page: &Page<'_>, at: &str, count: u64) -> bool {
    let place = match at.strip_suffix('.') {
        Some(path) => member(page.value(), path),
        None => Some(page.value()),
    };
    let names: Vec<String> = place
        .map(|object| object.keys().into_iter().map(plain_name).collect())
        .unwrap_or_default();
    let any = |known: &[&str]| names.iter().any(|name| known.contains(&name.as_str()));
    any(&OFFSET_ECHOES)
        && !any(&SIZE_ECHOES)
        && (USUAL_SIZES.contains(&count) || count >= 100 && count.is_multiple_of(50))
}

/// The 34 of `Content-Range: items 0-9/34`, as PostgREST and others answer (RFC 9110, section 14.4). Of bytes it speaks of something else.
fn in_content_range(page: &Page<'_>) -> Option<u64> {
    let range = page.header(&http::header::CONTENT_RANGE)?;
    let of_bytes = range.trim_start().starts_with("bytes");
    let (_, total) = range.rsplit_once('/').filter(|_| !of_bytes)?;
    total.trim().parse().ok()
}

/// The total of pages under a well-known name.
pub(crate) fn page_total(page: &Page<'_>) -> Option<Total> {
    let header = || {
        PAGE_TOTAL_HEADERS
            .iter()
            .find_map(|name| Some((format!("header `{name}`"), page.header(name)?.parse().ok()?)))
    };
    totals(page, &PAGE_TOTALS)
        .or_else(header)
        .map(|(name, count)| Total {
            name,
            count,
            configured: false,
        })
}

/// The total at a configured path: of pages when the path ends in a name that counts pages, else of records.
pub(crate) fn configured_total(
    path: &Path,
    page: &Page<'_>,
) -> Result<Option<(Total, bool)>, Error> {
    let Some(count) = path.read(page)?.as_ref().and_then(whole) else {
        return Ok(None);
    };
    let name = path.last_name();
    let of_pages = counts_pages(&plain_name(name));
    let total = Total {
        name: format!("`{}`", path.text()),
        count,
        configured: true,
    };
    Ok(Some((total, of_pages)))
}

/// Whether a name, without case and punctuation, is one of a number of pages.
pub(crate) fn counts_pages(name: &str) -> bool {
    const NAMES: [&str; 12] = [
        "totalpages",
        "totalpage",
        "pages",
        "pagecount",
        "pagestotal",
        "pagetotal",
        "totalpagecount",
        "numpages",
        "numberofpages",
        "nbpages",
        "lastpage",
        "maxpage",
    ];
    NAMES.contains(&name.trim_start_matches("x").trim_start_matches("wp"))
}

/// A next position of whatever style, with the line that reads it.
pub(crate) fn any_position(page: &Page<'_>) -> Option<Evidence> {
    let evidence = |what: String, line: String| Some(Evidence { what, line });
    if link_target(page.headers(), "next").is_some() {
        return evidence(
            "the header `Link` with rel=\"next\"".to_owned(),
            Settings::of(Style::HeaderLink).line(),
        );
    }
    if let Ok(Some((name, _))) = link(page) {
        return evidence(format!("`{name}`"), link_line(name));
    }
    if let Ok(Some((name, _))) = token(page) {
        return evidence(format!("`{name}`"), cursor_line(name));
    }
    let (name, link) = unusual_place(page)?;
    let line = match link {
        true => link_line(&name),
        false => cursor_line(&name),
    };
    evidence(format!("`{name}`"), line)
}

/// A key anywhere around the records whose name leaves no doubt, and whether it holds a link. Too vague to be followed, but
/// enough to be heard of.
fn unusual_place(page: &Page<'_>) -> Option<(String, bool)> {
    if page.body_is_the_record() {
        return None;
    }
    around_records(page, page.value(), "", 4)
}

fn around_records(page: &Page<'_>, object: &Val, at: &str, depth: u8) -> Option<(String, bool)> {
    object.keys().into_iter().find_map(|key| {
        let value = object.get(key)?;
        let path = format!("{at}{key}");
        let name: String = key
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let link = url_like(value);
        if link && UNUSUAL_LINKS.contains(&name.as_str()) {
            return Some((path, true));
        }
        let cursor = !link && matches!(token_value(key, value), Ok(Some(_)));
        if cursor && UNUSUAL_TOKENS.contains(&name.as_str()) {
            return Some((path, false));
        }
        let a_record = page.records() == 1 && page.first_record() == Some(value);
        if depth == 0 || a_record {
            return None;
        }
        around_records(page, value, &format!("{path}."), depth - 1)
    })
}

/// What speaks of more than this page, whatever it is, with the line that reads it.
pub(crate) fn any_more(page: &Page<'_>) -> Option<Evidence> {
    let flag = flag(page);
    // Some APIs give a position on the last page, too, and say by a flag that it is the last.
    if !matches!(&flag, Some(flag) if !flag.more) {
        if let Some(evidence) = any_position(page) {
            return Some(evidence);
        }
        if let Some(flag) = flag.or_else(|| next_key(page)).filter(|flag| flag.more) {
            return Some(Evidence {
                what: flag.name,
                line: Settings::of(Style::Page).line(),
            });
        }
    }
    let records = record_total(page, None).filter(|total| total.count > page.read());
    let pages = page_total(page).filter(|total| total.count > page.progress().pages + 1);
    let total = records.or(pages)?;
    Some(Evidence {
        what: total.to_string(),
        line: Settings::of(Style::Page).line(),
    })
}

/// A configured flag's value: null says nothing; text such as `false`, 0 and emptiness are false.
pub(crate) fn truthy(value: &Val) -> Option<bool> {
    if value.is_null() {
        return None;
    }
    if let Some(flag) = value.as_bool() {
        return Some(flag);
    }
    if let Some(text) = value.as_str() {
        let text = text.trim();
        return Some(!(text.is_empty() || text == "0" || text.eq_ignore_ascii_case("false")));
    }
    if let Some(number) = value.as_f64() {
        return Some(number != 0.0);
    }
    let empty = match value.as_array() {
        Some(items) => items.is_empty(),
        None => value.keys().is_empty(),
    };
    Some(!empty)
}

/// The configuration line for links at a path, ready to paste.
pub(crate) fn link_line(path: &str) -> String {
    let settings = Settings {
        next_link_path: Some(path.to_owned()),
        ..Settings::of(Style::NextLink)
    };
    settings.line()
}

/// The configuration line for cursors at a path, ready to paste.
pub(crate) fn cursor_line(path: &str) -> String {
    let settings = Settings {
        cursor_path: Some(path.to_owned()),
        ..Settings::of(Style::Cursor)
    };
    settings.line()
}

fn all<'p>(
    page: &'p Page<'_>,
    names: &'p [&'static str],
) -> impl Iterator<Item = (&'static str, &'p Val)> {
    let body = page.value();
    let bare = page.body_is_the_record();
    names
        .iter()
        .filter(move |name| !(bare && COMMON_IN_RECORDS.contains(*name)))
        .filter_map(move |name| Some((*name, member(body, name)?)))
}

fn totals(page: &Page<'_>, names: &[&str]) -> Option<(String, u64)> {
    let bare = page.body_is_the_record();
    // `{data: {…}}` with one record in `data`, whose keys are its own.
    let is_the_record = |place: &str| {
        page.records() == 1
            && page.first_record() == member(page.value(), place.trim_end_matches('.'))
    };
    let places = TOTAL_PLACES
        .iter()
        .filter(|place| place.is_empty() || !is_the_record(place));
    places.into_iter().find_map(|place| {
        names.iter().find_map(|name| {
            let of_the_list = [
                "meta.",
                "pagination.",
                "page.",
                "paging.",
                "meta.pagination.",
            ];
            if bare && !of_the_list.contains(place) && COMMON_IN_RECORDS.contains(name) {
                return None;
            }
            let path = format!("{place}{name}");
            let count = whole(member(page.value(), &path)?)?;
            Some((format!("`{path}`"), count))
        })
    })
}

/// A boolean, also as text or as 0 and 1. Anything else is no flag.
pub(crate) fn boolean(value: &Val) -> Option<bool> {
    match (value.as_bool(), value.as_str(), value.as_u64()) {
        (Some(flag), _, _) => Some(flag),
        (_, Some(text), _) if text.eq_ignore_ascii_case("true") || text == "1" => Some(true),
        (_, Some(text), _) if text.eq_ignore_ascii_case("false") || text == "0" => Some(false),
        (_, _, Some(1)) => Some(true),
        (_, _, Some(0)) => Some(false),
        _ => None,
    }
}

/// A whole number, also as text.
pub(crate) fn whole(value: &Val) -> Option<u64> {
    let float = || {
        value
            .as_f64()
            .filter(|n| n.fract() == 0.0 && (0.0..9e15).contains(n))
            .map(|n| n as u64)
    };
    value
        .as_u64()
        .or_else(float)
        .or_else(|| value.as_str()?.trim().parse().ok())
}

fn url_like(value: &Val) -> bool {
    value.as_str().is_some_and(looks_like_url)
}

pub(crate) fn looks_like_url(text: &str) -> bool {
    text.starts_with('/') || text.starts_with('?') || text.contains("://")
}

fn article(value: &Val) -> &'static str {
    match value.type_name() {
        "object" => "an object",
        "array" => "an array",
        "boolean" => "true",
        "number" => "a number",
        _ => "something else",
    }
}
