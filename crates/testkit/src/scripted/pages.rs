//! Collections that answer in pages, one for each style that APIs use.

use serde_json::{Map, Value, json};
use url::Url;

use super::Call;
use crate::Answer;

/// `count` records `{"id": 1, "name": "record 1"}`, `{"id": 2, …}` and so on.
pub fn numbered(count: u64) -> Vec<Value> {
    (1..=count)
        .map(|id| json!({"id": id, "name": format!("record {id}")}))
        .collect()
}

/// A collection that is read in pages: give it to [`ScriptedApi::pages`](crate::ScriptedApi::pages), or let it answer a [`Call`].
///
/// The constructor chooses the style; what the API tells about its end (flag, total, a size that it never exceeds) is added line by
/// line. Without such a line the API tells nothing, as many do. A position that is none (`page=x`) is a 400; one beyond the end is
/// an empty page. Positions and sizes are read from the query, else from a JSON body.
///
/// ```
/// use longshore_testkit::{Pages, numbered};
///
/// // Stripe's way: {"data": […], "has_more": true}, then ?starting_after=<id of the last record>
/// let charges = Pages::cursor(numbered(25)).size(10).flag("has_more").after_record("starting_after", "id");
/// // An API behind OData
/// let people = Pages::next_link(numbered(25)).under("value").link_at("@odata.nextLink");
/// # let _ = (charges, people);
/// ```
#[derive(Clone, Debug)]
pub struct Pages {
    style: Style,
    records: Vec<Value>,
    under: Option<Vec<String>>,
    size: u64,
    cap: Option<u64>,
    position_param: String,
    size_param: String,
    start: u64,
    token_at: Token,
    flags: Vec<(Vec<String>, Flag)>,
    total_header: Option<String>,
    relative_links: bool,
    link_base: Option<Url>,
    ignores_position: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Style {
    Single,
    Offset,
    Page,
    Cursor,
    NextLink,
    HeaderLink,
}

/// Where the next position stands in the answer.
#[derive(Clone, Debug)]
enum Token {
    Body(Vec<String>),
    Header(String),
    LastRecord(String),
}

#[derive(Clone, Copy, Debug)]
enum Flag {
    More,
    Last,
    Total,
    TotalPages,
}

impl Pages {
    /// Everything in one answer: a bare array.
    pub fn single(records: impl IntoIterator<Item = Value>) -> Pages {
        Pages::of(Style::Single, records, None, "", "limit")
    }

    /// `?offset=0&limit=100`: a bare array.
    pub fn offset(records: impl IntoIterator<Item = Value>) -> Pages {
        Pages::of(Style::Offset, records, None, "offset", "limit")
    }

    /// `?page=1&size=100`: a bare array.
    pub fn page(records: impl IntoIterator<Item = Value>) -> Pages {
        Pages::of(Style::Page, records, None, "page", "size")
    }

    /// `?cursor=…&limit=100`: records under `data`, the next cursor as `next_cursor`; the last page has none.
    pub fn cursor(records: impl IntoIterator<Item = Value>) -> Pages {
        Pages::of(Style::Cursor, records, Some("data"), "cursor", "limit")
    }

    /// Records under `data`, the URL of the next page as `next`; the last page has none.
    pub fn next_link(records: impl IntoIterator<Item = Value>) -> Pages {
        let mut pages = Pages::of(Style::NextLink, records, Some("data"), "after", "limit");
        pages.token_at = Token::Body(vec!["next".to_owned()]);
        pages
    }

    /// A bare array, the URL of the next page in the header `Link` with `rel="next"` (RFC 8288).
    pub fn header_link(records: impl IntoIterator<Item = Value>) -> Pages {
        Pages::of(Style::HeaderLink, records, None, "page", "per_page")
    }

    /// The key (dotted: `result.items`) under which the records stand.
    pub fn under(mut self, path: &str) -> Pages {
        self.under = Some(dotted(path));
        self
    }

    /// The body is the array of records itself.
    pub fn bare(mut self) -> Pages {
        self.under = None;
        self
    }

    /// Records on a page when the request names no size (100).
    pub fn size(mut self, records: u64) -> Pages {
        self.size = records.max(1);
        self
    }

    /// Never more than this on a page, whatever the request asks for.
    pub fn cap(mut self, records: u64) -> Pages {
        self.cap = Some(records.max(1));
        self
    }

    /// The parameter that carries the position.
    pub fn position_param(mut self, name: &str) -> Pages {
        name.clone_into(&mut self.position_param);
        self
    }

    /// The parameter that carries the size.
    pub fn size_param(mut self, name: &str) -> Pages {
        name.clone_into(&mut self.size_param);
        self
    }

    /// The number of the first page (1).
    pub fn start(mut self, page: u64) -> Pages {
        self.start = page;
        self
    }

    /// The next cursor stands at this path of the body.
    pub fn cursor_at(mut self, path: &str) -> Pages {
        self.token_at = Token::Body(dotted(path));
        self
    }

    /// The next cursor stands in this response header.
    pub fn cursor_header(mut self, name: &str) -> Pages {
        self.token_at = Token::Header(name.to_owned());
        self
    }

    /// There is no cursor: `param` takes the `field` of the last record of the page before.
    pub fn after_record(mut self, param: &str, field: &str) -> Pages {
        self.token_at = Token::LastRecord(field.to_owned());
        self.position_param(param)
    }

    /// The next link stands at this key of the body, taken as one literal key when it holds `@`.
    pub fn link_at(mut self, path: &str) -> Pages {
        self.token_at = Token::Body(if path.contains('@') {
            vec![path.to_owned()]
        } else {
            dotted(path)
        });
        self
    }

    /// Links are written without scheme and host.
    pub fn relative_links(mut self) -> Pages {
        self.relative_links = true;
        self
    }

    /// Links name this scheme and host instead of those that were asked, as APIs behind proxies do.
    ///
    /// # Panics
    /// When `base` is no URL.
    pub fn link_base(mut self, base: &str) -> Pages {
        self.link_base = Some(
            base.parse()
                .unwrap_or_else(|error| panic!("`{base}` is no URL: {error}")),
        );
        self
    }

    /// A boolean at this path: true while more follows.
    pub fn flag(self, path: &str) -> Pages {
        self.tells(path, Flag::More)
    }

    /// A boolean at this path: true on the last page.
    pub fn last_flag(self, path: &str) -> Pages {
        self.tells(path, Flag::Last)
    }

    /// The number of records in all at this path.
    pub fn total(self, path: &str) -> Pages {
        self.tells(path, Flag::Total)
    }

    /// The number of pages in all at this path.
    pub fn total_pages(self, path: &str) -> Pages {
        self.tells(path, Flag::TotalPages)
    }

    /// The number of records in all in this response header.
    pub fn total_header(mut self, name: &str) -> Pages {
        self.total_header = Some(name.to_owned());
        self
    }

    /// A broken API: it gives its first page whatever position is asked for, and says that more follows.
    pub fn ignores_position(mut self) -> Pages {
        self.ignores_position = true;
        self
    }

    /// The page that this call asks for.
    pub fn answer(&self, call: &Call) -> Answer {
        match self.cut(call, self.records.len()) {
            Ok(cut) => self.write(call, &cut),
            Err(problem) => Answer::status(400).with_json(json!({"error": problem})),
        }
    }

    /// The records of the page that this call asks for, out of the first `of` records.
    pub(crate) fn answer_of(&self, call: &Call, of: u64) -> (Answer, Vec<Value>) {
        match self.cut(call, (of as usize).min(self.records.len())) {
            Ok(cut) => (self.write(call, &cut), cut.records.to_vec()),
            Err(problem) => (
                Answer::status(400).with_json(json!({"error": problem})),
                Vec::new(),
            ),
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    /// The first page, full of records, with what tells the way onwards replaced by something that is no such thing.
    ///
    /// A body of another shape is among them only where a size was asked for: without one, a page that tells nothing is what many APIs
    /// give as their only one.
    pub(crate) fn garbled(&self, call: &Call) -> Vec<(Answer, Vec<Value>)> {
        let cut = match self.cut(call, self.records.len()) {
            Ok(cut) if self.style != Style::Single => cut,
            _ => return Vec::new(),
        };
        let page = self.write(call, &cut);
        let records = cut.records.to_vec();
        let mut silent = vec![Value::Null, json!("<html>Service unavailable</html>")];
        if call.setting(&self.size_param).is_some() {
            silent.push(json!({"unexpected": true}));
        }
        let silent = silent.into_iter().map(Answer::json);
        let garbled: Vec<Answer> = match &self.token_at {
            _ if matches!(self.style, Style::Offset | Style::Page) => Vec::new(),
            _ if self.style == Style::HeaderLink => {
                let mut broken = page.clone();
                broken.headers.remove("link");
                vec![broken.header("link", "no link at all")]
            }
            Token::Body(path) => [json!({"a": 1}), json!([1, 2]), json!(true)]
                .into_iter()
                .map(|token| {
                    let mut body = page.body_json();
                    put(&mut body, path, token);
                    page.clone().with_json(body)
                })
                .collect(),
            Token::Header(_) | Token::LastRecord(_) => Vec::new(),
        };
        let answers = silent.chain(garbled);
        answers.map(|answer| (answer, records.clone())).collect()
    }

    fn of(
        style: Style,
        records: impl IntoIterator<Item = Value>,
        under: Option<&str>,
        position_param: &str,
        size_param: &str,
    ) -> Pages {
        Pages {
            style,
            records: records.into_iter().collect(),
            under: under.map(dotted),
            size: 100,
            cap: None,
            position_param: position_param.to_owned(),
            size_param: size_param.to_owned(),
            start: 1,
            token_at: Token::Body(vec!["next_cursor".to_owned()]),
            flags: Vec::new(),
            total_header: None,
            relative_links: false,
            link_base: None,
            ignores_position: false,
        }
    }

    fn tells(mut self, path: &str, flag: Flag) -> Pages {
        self.flags.push((dotted(path), flag));
        self
    }

    fn cut(&self, call: &Call, of: usize) -> Result<Cut<'_>, String> {
        let records = &self.records[..of];
        let size = match (self.style, call.setting(&self.size_param)) {
            (Style::Single, _) => records.len().max(1) as u64,
            (_, None) => self.size,
            (_, Some(text)) => match text.parse() {
                Ok(size) if size > 0 => size,
                _ => return Err(format!("`{}` must be a positive number", self.size_param)),
            },
        };
        let size = size.min(self.cap.unwrap_or(u64::MAX)) as usize;
        let asked = match call
            .setting(&self.position_param)
            .filter(|_| self.style != Style::Single)
        {
            Some(position) => self.offset_of(&position, records, size)?,
            None => 0,
        };
        let from = if self.ignores_position {
            0
        } else {
            asked.min(records.len())
        };
        let to = from.saturating_add(size).min(records.len());
        let next = if self.ignores_position {
            asked + size
        } else {
            to
        };
        let more = self.style != Style::Single && (self.ignores_position || to < records.len());
        Ok(Cut {
            records: &records[from..to],
            next,
            size,
            total: records.len(),
            more,
        })
    }

    fn offset_of(&self, position: &str, records: &[Value], size: usize) -> Result<usize, String> {
        let wrong = || {
            format!(
                "`{}` is not a position of this collection",
                self.position_param
            )
        };
        match self.style {
            Style::Single => Ok(0),
            Style::Offset => position.parse().map_err(|_| wrong()),
            Style::Page | Style::HeaderLink => {
                let page: u64 = position.parse().map_err(|_| wrong())?;
                let before = page.checked_sub(self.start).ok_or_else(wrong)?;
                Ok((before as usize).saturating_mul(size))
            }
            Style::Cursor | Style::NextLink => match &self.token_at {
                Token::LastRecord(field) => records
                    .iter()
                    .position(|record| {
                        record
                            .get(field)
                            .and_then(plain)
                            .is_some_and(|id| id == position)
                    })
                    .map(|index| index + 1)
                    .ok_or_else(wrong),
                _ => position
                    .strip_prefix('c')
                    .and_then(|offset| offset.parse().ok())
                    .ok_or_else(wrong),
            },
        }
    }

    fn write(&self, call: &Call, cut: &Cut<'_>) -> Answer {
        let mut body = match &self.under {
            Some(path) => {
                let mut body = json!({});
                put(&mut body, path, Value::Array(cut.records.to_vec()));
                body
            }
            None => Value::Array(cut.records.to_vec()),
        };
        let mut answer = Answer::status(200);
        for (path, flag) in &self.flags {
            let value = match flag {
                Flag::More => json!(cut.more),
                Flag::Last => json!(!cut.more),
                Flag::Total => json!(cut.total),
                Flag::TotalPages => json!(cut.total.div_ceil(cut.size)),
            };
            put(&mut body, path, value);
        }
        if let Some(name) = &self.total_header {
            answer = answer.header(name, &cut.total.to_string());
        }
        if cut.more {
            match (self.style, &self.token_at) {
                (Style::Cursor, Token::Body(path)) => {
                    put(&mut body, path, json!(format!("c{}", cut.next)))
                }
                (Style::Cursor, Token::Header(name)) => {
                    answer = answer.header(name, &format!("c{}", cut.next))
                }
                (Style::NextLink, Token::Body(path)) => {
                    put(
                        &mut body,
                        path,
                        json!(self.link(call, &format!("c{}", cut.next))),
                    );
                }
                (Style::HeaderLink, _) => {
                    let page = self.start + (cut.next / cut.size) as u64;
                    answer = answer.header(
                        "link",
                        &format!("<{}>; rel=\"next\"", self.link(call, &page.to_string())),
                    );
                }
                _ => {}
            }
        }
        answer.with_json(body)
    }

    /// The URL that was asked, with another position; its other parameters stay, as links of real APIs keep them.
    fn link(&self, call: &Call, position: &str) -> String {
        let mut url = call.request.url.clone();
        let others: Vec<(String, String)> = url
            .query_pairs()
            .filter(|(name, _)| *name != self.position_param)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        url.query_pairs_mut()
            .clear()
            .extend_pairs(others)
            .append_pair(&self.position_param, position);
        if self.relative_links {
            return format!("{}?{}", url.path(), url.query().unwrap_or_default());
        }
        match &self.link_base {
            Some(base) => {
                let mut link = base.clone();
                link.set_path(url.path());
                link.set_query(url.query());
                link.into()
            }
            None => url.into(),
        }
    }
}

struct Cut<'a> {
    records: &'a [Value],
    /// Offset at which the next page begins.
    next: usize,
    size: usize,
    total: usize,
    more: bool,
}

fn dotted(path: &str) -> Vec<String> {
    path.split('.').map(str::to_owned).collect()
}

/// Puts a value at a path and makes the objects on the way.
fn put(body: &mut Value, path: &[String], value: Value) {
    let Some((last, parents)) = path.split_last() else {
        return;
    };
    let mut place = body;
    for key in parents {
        place = object(place)
            .entry(key.as_str())
            .or_insert_with(|| json!({}));
    }
    object(place).insert(last.clone(), value);
}

fn object(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect(
        "a bare array cannot hold a flag, total or cursor: name the records' key with `.under(…)`",
    )
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
