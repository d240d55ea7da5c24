//! Everything in an answer that may have to do with paging, whatever it is called and wherever around the records it stands.
//!
//! [`signs`](crate::signs) reads a few names that are trusted as they are. This is for those who try what they find before they trust it.

use http::HeaderMap;
use longshore_jq::{Step, Val, path_text};

use crate::link_header::link_target;
use crate::page::Page;
use crate::path::is_plain;
use crate::request::PageRequest;
use crate::signs::{self, Flag, Total};

/// How deep the way to a field may be.
const DEPTH: usize = 5;

/// Objects that hold what there is to say about a list, by their names without case and punctuation.
const CONTAINERS: [&str; 38] = [
    "meta",
    "metadata",
    "page",
    "paging",
    "pagination",
    "pageinfo",
    "pageable",
    "pager",
    "pagemeta",
    "pagecontext",
    "paginginfo",
    "pagingmetadata",
    "paginationinfo",
    "links",
    "link",
    "cursors",
    "cursor",
    "responsemetadata",
    "result",
    "results",
    "response",
    "data",
    "search",
    "hits",
    "info",
    "header",
    "headers",
    "resultset",
    "resultinfo",
    "envelope",
    "list",
    "next",
    "summary",
    "navigation",
    "records",
    "message",
    "pages",
    "additionaldata",
];

/// Beginnings and names of a value that leads to the next page.
const TOKENS: [&str; 17] = [
    "continuationtoken",
    "continuation",
    "continue",
    "skiptoken",
    "aftercursor",
    "endcursor",
    "cursor",
    "after",
    "marker",
    "scrollid",
    "bookmark",
    "pagetoken",
    "resumptiontoken",
    "resumetoken",
    "lastevaluatedkey",
    "lastkey",
    "pagestate",
];

/// Of these only where a list is described: elsewhere they name other things.
const VAGUE_TOKENS: [&str; 9] = [
    "cursor",
    "after",
    "marker",
    "bookmark",
    "next",
    "continuation",
    "continue",
    "lastkey",
    "nextid",
];

/// Positions that may be objects, as DynamoDB's `LastEvaluatedKey` is.
const OBJECT_TOKENS: [&str; 5] = [
    "lastevaluatedkey",
    "exclusivestartkey",
    "nexttoken",
    "nextcursor",
    "nextkey",
];

/// How the names of positions end.
const POSITIONS: [&str; 26] = [
    "token",
    "cursor",
    "page",
    "marker",
    "mark",
    "key",
    "offset",
    "id",
    "start",
    "after",
    "before",
    "from",
    "skip",
    "index",
    "position",
    "range",
    "bookmark",
    "batch",
    "continuation",
    "number",
    "state",
    "link",
    "url",
    "uri",
    "href",
    "records",
];

const MORE: [&str; 15] = [
    "more",
    "moreavailable",
    "morerecords",
    "morepages",
    "moreresults",
    "moreitems",
    "moredata",
    "moreitemsincollection",
    "istruncated",
    "truncated",
    "nextpageexists",
    "nextavailable",
    "nextpageavailable",
    "incomplete",
    "exceededtransferlimit",
];

const LAST: [&str; 18] = [
    "last",
    "islast",
    "lastpage",
    "islastpage",
    "done",
    "isdone",
    "endofstream",
    "endoflist",
    "isend",
    "end",
    "eof",
    "finished",
    "complete",
    "iscomplete",
    "exhausted",
    "nomore",
    "isfinal",
    "finalpage",
];

/// Flags that may speak of what is in the records, or of a job, just as well.
const VAGUE_FLAGS: [&str; 6] = [
    "istruncated",
    "truncated",
    "incomplete",
    "complete",
    "iscomplete",
    "finished",
];

const TOTALS: [&str; 29] = [
    "total",
    "totalcount",
    "totalitems",
    "totalresults",
    "totalelements",
    "totalrecords",
    "totalsize",
    "totalhits",
    "totalentries",
    "totalrows",
    "totalnumber",
    "totaldocs",
    "totalobjects",
    "totalitemcount",
    "totalrecordcount",
    "totalresultcount",
    "totalmatches",
    "numfound",
    "nbhits",
    "odatacount",
    "recordstotal",
    "count",
    "itemcount",
    "recordcount",
    "totalmatching",
    "totalavailable",
    "totalsetsize",
    "hits",
    "hitcount",
];

const PAGE_ECHOES: [&str; 14] = [
    "page",
    "pageindex",
    "pagenumber",
    "pageno",
    "pagenum",
    "pagenr",
    "currentpage",
    "current",
    "currentpagenumber",
    "number",
    "pageid",
    "p",
    "currentpageindex",
    "thispage",
];

pub(crate) const OFFSET_ECHOES: [&str; 12] = [
    "offset",
    "skip",
    "start",
    "startat",
    "startindex",
    "from",
    "startrow",
    "startposition",
    "firstresult",
    "begin",
    "startfrom",
    "pageoffset",
];

pub(crate) const SIZE_ECHOES: [&str; 13] = [
    "limit",
    "size",
    "pagesize",
    "perpage",
    "maxresults",
    "top",
    "take",
    "itemsperpage",
    "rows",
    "pagelimit",
    "ps",
    "resultsperpage",
    "recordsperpage",
];

/// Names of a size that only requests have; in answers they are something else.
const SIZES_ASKED: [&str; 10] = [
    "count",
    "max",
    "first",
    "pagelen",
    "num",
    "n",
    "sysparmlimit",
    "numofrows",
    "numberofresults",
    "batchsize",
];

/// One field around the records.
#[derive(Debug)]
pub(crate) struct Field {
    /// As a setting takes it.
    pub(crate) path: String,
    /// Its keys, from the top.
    pub(crate) keys: Vec<String>,
    /// Its own name without case and punctuation.
    pub(crate) name: String,
    parent: String,
    /// It stands where lists are described.
    known_place: bool,
    pub(crate) value: Val,
}

/// A counted position that an answer repeats.
#[derive(Debug)]
pub(crate) struct Echo {
    pub(crate) key: String,
    pub(crate) at: u64,
    /// The object that it stands in.
    container: Option<String>,
}

impl Echo {
    /// `pagination[page]`, where the answer has `pagination: {page: 1}`.
    pub(crate) fn bracketed(&self) -> Option<String> {
        Some(format!("{}[{}]", self.container.as_ref()?, self.key))
    }
}

/// All fields around the records of a page.
#[derive(Debug)]
pub(crate) struct Survey<'p> {
    page: &'p Page<'p>,
    pub(crate) fields: Vec<Field>,
    /// Lists of links, each with the way to the next one.
    link_lists: Vec<(String, Option<String>)>,
    /// Positions that are objects: nothing goes on by them, but they say that there is more.
    pub(crate) objects: Vec<String>,
}

impl<'p> Survey<'p> {
    pub(crate) fn of(page: &'p Page<'p>) -> Survey<'p> {
        let mut survey = Survey {
            page,
            fields: Vec::new(),
            link_lists: Vec::new(),
            objects: Vec::new(),
        };
        if !page.body_is_the_record() {
            survey.visit(page.value(), &[], true);
        }
        survey.visit_headers();
        survey
    }

    fn visit(&mut self, object: &'p Val, keys: &[&'p str], known: bool) {
        let page = self.page;
        let holds_the_list = object
            .keys()
            .into_iter()
            .any(|key| is_the_list(page, object.get(key)));
        let known = known || holds_the_list;
        for key in object.keys() {
            let Some(value) = object.get(key) else {
                continue;
            };
            let mut keys = keys.to_vec();
            keys.push(key);
            let name = plain_name(key);
            if let Some(items) = value.as_array() {
                let of_links = (!is_the_list(page, Some(value)))
                    .then(|| next_of_links(&name, items))
                    .flatten();
                if let Some(next) = of_links {
                    let list = path_of(&keys, true);
                    self.link_lists.push((list, next));
                }
                continue;
            }
            if value.is_object() {
                if OBJECT_TOKENS.contains(&name.as_str()) && !value.keys().is_empty() {
                    self.objects.push(path_of(&keys, false));
                }
                let a_record = page.records() == 1 && page.first_record() == Some(value);
                if keys.len() < DEPTH && !a_record {
                    let known = known && CONTAINERS.contains(&name.as_str());
                    self.visit(value, &keys, known);
                }
                continue;
            }
            let parent = match keys.len() {
                0 | 1 => String::new(),
                n => plain_name(keys[n - 2]),
            };
            self.fields.push(Field {
                path: path_of(&keys, false),
                name,
                parent,
                known_place: known,
                value: value.clone(),
                keys: keys.into_iter().map(str::to_owned).collect(),
            });
        }
    }

    /// `X-Pagination: {"TotalCount": 34, "CurrentPage": 1}`, as ASP.NET's usual samples answer.
    fn visit_headers(&mut self) {
        for name in self.page.headers().keys() {
            let object = self
                .page
                .header(name)
                .filter(|text| text.starts_with('{'))
                .and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
            for (key, value) in object
                .iter()
                .flat_map(|object| object.as_object())
                .flatten()
            {
                if value.is_object() || value.is_array() {
                    continue;
                }
                self.fields.push(Field {
                    path: format!("header:{name} | fromjson | {}", path_of(&[key], true)),
                    keys: vec![key.clone()],
                    name: plain_name(key),
                    parent: String::new(),
                    known_place: true,
                    value: Val::from_json(value),
                });
            }
        }
    }

    /// Links to the next page, by the path of each; and whether there is a place for one that is empty.
    pub(crate) fn links(&self) -> (Vec<String>, bool) {
        let (mut links, mut empty) = (Vec::new(), false);
        for field in &self.fields {
            let inside = matches!(field.name.as_str(), "href" | "url" | "link" | "uri");
            let of_next = matches!(field.parent.as_str(), "next" | "nextpage" | "nextlink");
            // `Page.Next`, too; whether it is a link its value tells.
            let named = field.name.starts_with("next")
                || field.name.ends_with("nextlink")
                || field.name.ends_with("next");
            let only_a_link = ["link", "url", "uri", "href"]
                .iter()
                .any(|end| field.name.ends_with(end));
            if !(named || inside && of_next) {
                continue;
            }
            match field.value.as_str() {
                Some("") => empty |= field.ends_when_empty(),
                Some(text) if only_a_link || signs::looks_like_url(text) => {
                    links.push(field.path.clone())
                }
                None if field.value.is_null() => empty |= field.ends_when_empty(),
                _ => {}
            }
        }
        for (list, next) in &self.link_lists {
            match next {
                Some(select) => links.push(format!("{list}{select}")),
                None => empty = true,
            }
        }
        for name in self.page.headers().keys() {
            let plain = plain_name(name.as_str());
            if name != http::header::LINK
                && plain.contains("next")
                && self.page.header(name).is_some_and(signs::looks_like_url)
            {
                links.push(format!("header:{name}"));
            }
        }
        (links, empty)
    }

    /// Values that lead to the next page; and whether there is a place for one that is empty.
    pub(crate) fn tokens(&self) -> (Vec<Field>, bool) {
        let (mut tokens, mut empty) = (Vec::new(), false);
        for field in &self.fields {
            if !field.names_a_token() {
                continue;
            }
            let surely = field.name.ends_with("token") || field.name.ends_with("cursor");
            match signs::token_value(&field.name, &field.value) {
                Ok(Some(_))
                    if !surely && field.value.as_str().is_some_and(signs::looks_like_url) => {}
                Ok(Some(_))
                    if field
                        .value
                        .as_str()
                        .is_some_and(|text| text.contains("://")) => {}
                Ok(Some(_)) => tokens.push(field.copy()),
                Ok(None) => empty |= field.ends_when_empty(),
                Err(_) => {}
            }
        }
        // Names that say "next" leave less doubt than others.
        tokens.sort_by_key(|field| !(field.name.starts_with("next") || field.parent == "next"));
        for name in self.page.headers().keys() {
            let plain = plain_name(name.as_str());
            let plain = ["xms", "x"]
                .iter()
                .find_map(|prefix| plain.strip_prefix(prefix))
                .unwrap_or(&plain);
            let next = plain.contains("next")
                || plain.contains("continuation")
                || matches!(plain, "cursor" | "aftercursor" | "endcursor");
            if !next
                || name == http::header::LINK
                || plain.contains("hasnext")
                || plain.contains("prev")
            {
                continue;
            }
            match self.page.header(name) {
                Some(text) if !signs::looks_like_url(text) => tokens.push(Field {
                    path: format!("header:{name}"),
                    keys: Vec::new(),
                    name: plain.trim_start_matches("pagination").to_owned(),
                    parent: String::new(),
                    known_place: true,
                    value: Val::from(text),
                }),
                Some(_) => {}
                None => empty = true,
            }
        }
        (tokens, empty)
    }

    /// A flag, and its path where that is none of the well-known ones.
    pub(crate) fn flag(&self) -> Option<(Flag, Option<String>)> {
        if let Some(flag) = signs::flag(self.page) {
            return Some((flag, None));
        }
        let more = self.fields.iter().find_map(|field| {
            let name = field.name.as_str();
            let named = name.starts_with("hasmore")
                || name.starts_with("hasnext")
                || name.starts_with("hasadditional")
                || field.known_place && MORE.contains(&name);
            named
                .then(|| signs::boolean(&field.value))
                .flatten()
                .map(|more| (field, more))
        });
        let last = || {
            self.fields.iter().find_map(|field| {
                let named = field.known_place && LAST.contains(&field.name.as_str());
                named
                    .then(|| field.value.as_bool())
                    .flatten()
                    .map(|last| (field, !last))
            })
        };
        more.or_else(last).map(|(field, more)| {
            let name = format!("`{}`", field.path);
            (Flag { name, more }, Some(field.path.clone()))
        })
    }

    /// Whether a flag's path may speak of something else than the end of the list.
    pub(crate) fn flag_is_vague(&self, path: &str) -> bool {
        let field = self.fields.iter().find(|field| field.path == path);
        field.is_some_and(|field| VAGUE_FLAGS.contains(&field.name.as_str()))
    }

    /// The name of a setting for a flag's path: whether truthy is more or the end.
    pub(crate) fn flag_is_of_last(&self, path: &str) -> bool {
        let field = self.fields.iter().find(|field| field.path == path);
        field.is_some_and(|field| LAST.contains(&field.name.as_str()))
    }

    /// Totals of records and of pages, each with its path where that is none of the well-known ones.
    pub(crate) fn totals(&self) -> [Option<(Total, Option<String>)>; 2] {
        let known = |total: Option<Total>| total.map(|total| (total, None));
        let records = self.page.records() as u64;
        let of_records = self.fields.iter().find_map(|field| {
            let name = match field.name.as_str() {
                // `hits: {total: {value: 55}}`
                "value" => field.parent.as_str(),
                name => name,
            };
            let count = signs::whole(&field.value)?;
            let named = (field.known_place || field.name == "value") && TOTALS.contains(&name);
            let counts_the_page =
                name.ends_with("count") && !name.starts_with("total") && count <= records;
            let place = || {
                field
                    .path
                    .strip_suffix(field.keys.last().map_or("", String::as_str))
            };
            let counts_the_page = counts_the_page
                || name == "count"
                    && place().is_some_and(|at| signs::echoes_the_size(self.page, at, count));
            (named && count >= records && !counts_the_page).then(|| field.total(count))
        });
        let of_pages = self.fields.iter().find_map(|field| {
            let count = signs::whole(&field.value).filter(|_| field.value.as_str().is_none())?;
            (field.known_place && signs::counts_pages(&field.name)).then(|| field.total(count))
        });
        let header = |pages: bool| {
            self.page.headers().keys().find_map(|name| {
                let plain = plain_name(name.as_str());
                let named = plain.contains("total") && plain.contains("page") == pages;
                let count = named
                    .then(|| self.page.header(name))
                    .flatten()?
                    .parse()
                    .ok()?;
                let total = Total {
                    name: format!("header `{name}`"),
                    count,
                    configured: false,
                };
                Some((total, Some(format!("header:{name}"))))
            })
        };
        let fits = |(total, path): (Total, Option<String>)| {
            (total.count >= records).then_some((total, path))
        };
        [
            known(signs::record_total(self.page, None))
                .and_then(fits)
                .or(of_records)
                .or_else(|| header(false).and_then(fits)),
            known(signs::page_total(self.page))
                .or(of_pages)
                .or_else(|| header(true)),
        ]
    }

    /// The number of the first page, as the answer repeats it.
    pub(crate) fn page_echo(&self) -> Option<Echo> {
        self.echo(&PAGE_ECHOES)
    }

    /// The offset of the first record, as the answer repeats it.
    pub(crate) fn offset_echo(&self) -> Option<Echo> {
        self.echo(&OFFSET_ECHOES)
    }

    /// What the answer calls the size of a page.
    pub(crate) fn size_name(&self) -> Option<&str> {
        let named =
            |field: &&Field| field.known_place && SIZE_ECHOES.contains(&field.name.as_str());
        let sized = |field: &&Field| signs::whole(&field.value).is_some_and(|size| size > 0);
        self.fields
            .iter()
            .filter(named)
            .find(sized)?
            .keys
            .last()
            .map(String::as_str)
    }

    /// Only 0 and 1 are numbers of a first page.
    fn echo(&self, names: &[&str]) -> Option<Echo> {
        self.fields.iter().find_map(|field| {
            let named = field.known_place && names.contains(&field.name.as_str());
            let at = signs::whole(&field.value).filter(|at| named && *at <= 1)?;
            let key = field.keys.last()?.clone();
            let container = field.container().map(str::to_owned);
            Some(Echo { key, at, container })
        })
    }

    /// The text of a field, by its path.
    pub(crate) fn text_at(&self, path: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.path == path);
        field?.value.as_str()
    }

    /// The names of query parameters in all links of the answer, which know them.
    pub(crate) fn names_in_links(&self) -> Vec<String> {
        let of_fields = self.fields.iter().filter_map(|field| field.value.as_str());
        let urls = of_fields
            .filter(|text| signs::looks_like_url(text))
            .map(str::to_owned);
        let rels = ["self", "first", "last", "prev", "next"];
        let of_header = rels
            .iter()
            .filter_map(|rel| link_target(self.page.headers(), rel));
        let urls = urls.chain(of_header);
        let joined = urls.filter_map(|url| self.page.request().url.join(&url).ok());
        joined
            .flat_map(|url| {
                url.query_pairs()
                    .map(|(name, _)| name.into_owned())
                    .collect::<Vec<_>>()
            })
            .collect()
    }

    /// Whether the header `Link` leads anywhere, if only back.
    pub(crate) fn has_link_header(&self) -> bool {
        let to = |rel: &str| link_target(self.page.headers(), rel).is_some();
        ["prev", "previous", "first", "last"].into_iter().any(to)
    }

    /// Whether a key somewhere has this beginning.
    pub(crate) fn has_key(&self, beginning: &str) -> bool {
        self.fields
            .iter()
            .any(|field| field.keys.iter().any(|key| key.starts_with(beginning)))
    }
}

impl Field {
    fn names_a_token(&self) -> bool {
        let name = self.name.as_str();
        if name.starts_with("prev") || name.contains("before") {
            return false;
        }
        let of_next = self.parent == "next"
            && matches!(
                name,
                "cursor" | "token" | "after" | "id" | "offset" | "page" | "key" | "startingafter"
            );
        // `continue: {gcmcontinue: "x", continue: "gcmcontinue||"}`
        let of_next = of_next || self.parent == "continue" && name != "continue";
        // A position that is no number is none that could be counted.
        let text = || {
            let text = self.value.as_str();
            text.is_some_and(|text| !text.is_empty()) && signs::whole(&self.value).is_none()
        };
        let of_counts = OFFSET_ECHOES.contains(&name) || name == "page";
        if self.known_place && of_counts && text() {
            return true;
        }
        let named = TOKENS.contains(&name) || name == "next" || self.next_of_paging();
        let vague = VAGUE_TOKENS.contains(&name);
        of_next
            || named
                && (!vague
                    || self.known_place
                    || self.parent == "pageinfo"
                    || self.parent == "cursors")
    }

    /// `nextPageToken`, but not `next_run` nor `nextSyncToken`: the name goes on with what positions are called, or the place is one of
    /// paging and nothing else.
    fn next_of_paging(&self) -> bool {
        let Some(what) = self
            .name
            .strip_prefix("next")
            .filter(|what| !what.is_empty())
        else {
            return false;
        };
        let of_changes = what.contains("sync") || what.contains("delta");
        !of_changes
            && (self.parent.starts_with("pag") || POSITIONS.iter().any(|end| what.ends_with(end)))
    }

    /// Whether its emptiness is the end of the list: a name that means nothing else, where lists are described.
    fn ends_when_empty(&self) -> bool {
        let name = self.name.as_str();
        let next = name
            .strip_prefix("odata")
            .unwrap_or(name)
            .strip_prefix("next");
        let of_next = next.is_some_and(|what| {
            what.is_empty()
                || POSITIONS.contains(&what)
                || what
                    .strip_prefix("page")
                    .or(what.strip_prefix("records"))
                    .is_some_and(|what| POSITIONS.contains(&what))
        });
        let inside = self.parent.starts_with("next") && self.known_place;
        (of_next || inside || TOKENS.contains(&name))
            && (self.known_place || matches!(self.parent.as_str(), "pageinfo" | "cursors"))
    }

    /// Whether it says that there is a next page: other positions are of this page's end, and stand there on the last page as well.
    pub(crate) fn says_next(&self) -> bool {
        self.name.starts_with("next")
            || self.parent.starts_with("next")
            || self.parent == "continue"
            || self.name.contains("continu")
            || self.name == "aftercursor" && self.keys.is_empty()
    }

    fn total(&self, count: u64) -> (Total, Option<String>) {
        let total = Total {
            name: format!("`{}`", self.path),
            count,
            configured: false,
        };
        (total, Some(self.path.clone()))
    }

    fn copy(&self) -> Field {
        Field {
            path: self.path.clone(),
            keys: self.keys.clone(),
            name: self.name.clone(),
            parent: self.parent.clone(),
            known_place: self.known_place,
            value: self.value.clone(),
        }
    }

    /// The name of the object that it stands in, as it is spelled there.
    pub(crate) fn container(&self) -> Option<&str> {
        let mut above = self.keys.iter().rev().skip(1).map(String::as_str);
        above.find(|key| plain_name(key) != "next")
    }
}

/// Whether the records stand in the body as one list, none of them left out and none taken out of a deeper one.
pub(crate) fn stands_as_one_list(page: &Page<'_>) -> bool {
    fn below(page: &Page<'_>, value: &Val, depth: usize) -> bool {
        is_the_list(page, Some(value))
            || depth > 0
                && value
                    .keys()
                    .into_iter()
                    .filter_map(|key| value.get(key))
                    .any(|inner| below(page, inner, depth - 1))
    }
    below(page, page.value(), DEPTH)
}

fn is_the_list(page: &Page<'_>, value: Option<&Val>) -> bool {
    let items = value.and_then(Val::as_array).unwrap_or_default();
    !items.is_empty() && items.len() == page.records() && items.first() == page.first_record()
}

/// Of a list of links, how to select the next one; `None` inside where there is none. Other lists are none of links.
fn next_of_links(name: &str, items: &[Val]) -> Option<Option<String>> {
    const OTHERS: [&str; 8] = [
        "self", "first", "last", "prev", "previous", "current", "up", "start",
    ];
    const RELATIONS: [&str; 2] = ["rel", "relation"];
    const TARGETS: [&str; 4] = ["href", "url", "link", "uri"];
    let first = items.first()?;
    // `next: [{href: …}]`
    if matches!(name, "next" | "nextpage" | "nextlink") {
        let target = TARGETS.iter().find(|name| first.get(name).is_some())?;
        return Some(Some(format!("[0]? | .{target}? // empty")));
    }
    // `[{self: …}, {next: …}]`
    let named = |item: &Val| match item.keys().as_slice() {
        [relation] if *relation == "next" || OTHERS.contains(relation) => {
            let to = item.get(relation).and_then(Val::as_str);
            to.is_some_and(signs::looks_like_url)
        }
        _ => false,
    };
    if items.iter().all(named) {
        let next = items.iter().any(|item| item.get("next").is_some());
        return Some(next.then(|| "[]? | .next // empty".to_owned()));
    }
    let relation = RELATIONS.iter().find(|name| first.get(name).is_some())?;
    let target = TARGETS.iter().find(|name| first.get(name).is_some())?;
    let is = |item: &Val, known: &[&str]| {
        let rel = item.get(relation).and_then(Val::as_str);
        rel.is_some_and(|rel| known.contains(&rel))
    };
    if items.iter().any(|item| is(item, &["next"])) {
        // The last page may do without the list.
        return Some(Some(format!(
            "[]? | select(.{relation} == \"next\") | .{target}"
        )));
    }
    // Links of a list, and not of a style sheet.
    let of_a_list = name.contains("link") && items.iter().any(|item| is(item, &OTHERS));
    of_a_list.then_some(None)
}

/// A name without case and punctuation.
pub(crate) fn plain_name(name: &str) -> String {
    let letters = name.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_lowercase()).collect()
}

/// The path of some keys: dotted where that says it, literal for a single key, else jq.
fn path_of(keys: &[&str], jq: bool) -> String {
    let dotted = keys.join(".");
    let plain = keys.iter().all(|key| is_plain(key) && !key.contains('.'));
    match (keys, plain) {
        ([key], false) if !jq && !key.starts_with('.') && !key.contains(['[', '|', '(', '"']) => {
            (*key).to_owned()
        }
        (_, true) if !jq => dotted,
        _ => {
            let keys: Vec<Step> = keys
                .iter()
                .map(|key| Step::Key((*key).to_owned()))
                .collect();
            path_text(&keys)
        }
    }
}

/// Whether a request's parameter is called as sizes are.
pub(crate) fn names_a_size(name: &str) -> bool {
    let last = plain_name(name.rsplit(['.', '[']).next().unwrap_or(name));
    SIZE_ECHOES.contains(&last.as_str()) || SIZES_ASKED.contains(&last.as_str())
}

/// The size of a page that the request itself asks for, under whatever name.
pub(crate) fn size_asked(request: &PageRequest) -> Option<u64> {
    let in_query = request
        .url
        .query_pairs()
        .filter(|(name, _)| names_a_size(name))
        .find_map(|(_, value)| value.parse().ok());
    let in_body = || {
        let mut names = Vec::new();
        names_of_body(request.body.as_ref()?, "", 3, &mut names);
        let sizes = names.iter().filter(|name| names_a_size(name));
        sizes
            .into_iter()
            .find_map(|name| match request.body_at(name)? {
                serde_json::Value::String(text) => text.parse().ok(),
                other => other.as_u64(),
            })
    };
    in_query.or_else(in_body).filter(|size| *size > 0)
}

/// Names that the caller's request has already: query parameters, and members of a JSON body by their dotted paths.
pub(crate) fn names_of_request(page: &Page<'_>) -> (Vec<String>, Vec<String>) {
    let request = page.request();
    let query = request
        .url
        .query_pairs()
        .map(|(name, _)| name.into_owned())
        .collect();
    let mut body = Vec::new();
    if let Some(value) = &request.body {
        names_of_body(value, "", 3, &mut body);
    }
    (query, body)
}

fn names_of_body(value: &serde_json::Value, at: &str, depth: usize, names: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        if key.is_empty() || key.contains('.') {
            continue;
        }
        let path = format!("{at}{key}");
        if inner.is_object() && depth > 0 {
            names_of_body(inner, &format!("{path}."), depth - 1, names);
        }
        names.push(path);
    }
}

/// Whether the headers say that the answer follows JSON:API, whose parameters are written with brackets.
pub(crate) fn is_json_api(headers: &HeaderMap) -> bool {
    let content = headers
        .get(http::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    content.is_some_and(|content| content.contains("vnd.api+json"))
}
