//! The settings of paging as users write them, and their check.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::configured::Configured;
use crate::error::{Error, ErrorKind};

/// How a list is paged, in the words of the configuration. Every field is optional; what is absent has the default of
/// its style, see [`Style`].
///
/// A path is dotted (`meta.after_cursor`), a literal key with dots in it (`@odata.nextLink`, tried first), jq when it begins
/// with a dot and dots do not suffice (`.data[-1].id`), or a header of the answer (`header:X-Next-Cursor`), perhaps with jq on its text
/// (`header:X-Pagination | fromjson | .TotalCount`).
///
/// Write literals with `..Settings::default()`: fields are added in minor releases.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Settings {
    /// `type`. Default: [`Style::None`].
    #[serde(rename = "type")]
    pub style: Option<Style>,
    /// `param`: the name that carries the position. With `paramIn: body` it may be a dotted path.
    ///
    /// Default: `offset`, `page` or `cursor`, by the style.
    pub param: Option<String>,
    /// `sizeParam`: the name that carries the page size; `none` (or empty) sends no size.
    ///
    /// Default: `limit`, for [`Style::Page`] `size`; with links it goes out only when it is set, on the first request.
    pub size_param: Option<String>,
    /// `size`: how many records to ask for. Default: 100, or what the caller's request already asks for.
    pub size: Option<u64>,
    /// `start`: the first offset or page number. Default: 0 for offsets, 1 for pages.
    pub start: Option<u64>,
    /// The connection's `startPage`: as `start`, but for [`Style::Page`] alone. `start` wins over it.
    pub start_page: Option<u64>,
    /// `paramIn`: where position and size go, `query`, `header` or `body`. Default: `query`.
    pub param_in: Option<ParamIn>,
    /// `cursorPath`: where the next cursor stands.
    ///
    /// Default: the `id` of the last (first) record when `param` is `starting_after` (`ending_before`), else a list of common
    /// places that begins with `next_cursor`.
    pub cursor_path: Option<String>,
    /// `hasMorePath`: a flag that is truthy while more follows. It wins over `lastPagePath`.
    pub has_more_path: Option<String>,
    /// `lastPagePath`: a flag that is truthy on the last page.
    pub last_page_path: Option<String>,
    /// `nextLinkPath`: where the URL of the next page stands. Default: `@odata.nextLink`, then other common places.
    pub next_link_path: Option<String>,
    /// `headerLinkRel`: the relation of the next page in the header `Link`. Default: `next`.
    pub header_link_rel: Option<String>,
    /// `totalPath`: where the number of records stands, or of pages when it ends in a name such as `total_pages`; `none`
    /// (or empty) looks at no total at all. Default: a list of common places.
    pub total_path: Option<String>,
    /// `stopWhen`: jq over the body that is true on the last page.
    pub stop_when: Option<String>,
    /// `maxPages`: the cap on pages of one read. Default: [`DEFAULT_MAX_PAGES`](crate::DEFAULT_MAX_PAGES).
    pub max_pages: Option<u64>,
    /// `endWhenAbsent`: a missing cursor or link is the end even on a full first page. Default: false.
    pub end_when_absent: Option<bool>,
    /// `nextPosition`: jq over `{body, headers, request: {method, url, query, headers, body}}` that gives the next position: a value for
    /// `param`, for [`Style::NextLink`] a URL. Null, false or nothing is the end.
    pub next_position: Option<String>,
    /// `lookAhead`: pages to ask for ahead of the one that is read, for [`Style::Page`] and [`Style::Offset`], whether they are there or not.
    /// Default: as many as requests may be in flight, but only those that a total tells of.
    pub look_ahead: Option<u64>,
    /// Whether `type: none` is written on the resource itself: then signs of more are warnings.
    #[serde(skip)]
    pub explicit: bool,
    /// Whether these are a [preset](Settings::preset), or stand over one: then nothing of the connection's names and paths is meant for them.
    #[serde(skip)]
    pub preset: bool,
}

/// The styles of paging.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Style {
    /// `none`: one request.
    None,
    /// `offset`: `?offset=0&limit=100`, then `offset` grows by the records received.
    Offset,
    /// `page`: `?page=1&size=100`, then `page` grows by one.
    Page,
    /// `cursor`: `?limit=100`, then `&cursor=` and what the answer gives.
    Cursor,
    /// `next_link`: the URL in the answer's body, as it stands.
    NextLink,
    /// `header_link`: the URL in the answer's header `Link` (RFC 8288), as it stands.
    HeaderLink,
    /// `auto`: found out from the first answer, and trusted when the second page differs from the first.
    Auto,
}

/// Where position and page size go.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ParamIn {
    /// `query`: parameters of the URL.
    Query,
    /// `header`: headers of the request.
    Header,
    /// `body`: members of the JSON body.
    Body,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SettingProblem {
    /// The setting, as it is spelled in `selector.pagination`.
    pub setting: &'static str,
    /// What is wrong with it, and what to write.
    pub message: String,
}

impl fmt::Display for SettingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.setting, self.message)
    }
}

const STYLES: [(Style, &str); 7] = [
    (Style::None, "none"),
    (Style::Offset, "offset"),
    (Style::Page, "page"),
    (Style::Cursor, "cursor"),
    (Style::NextLink, "next_link"),
    (Style::HeaderLink, "header_link"),
    (Style::Auto, "auto"),
];

const PLACES: [(ParamIn, &str); 3] = [
    (ParamIn::Query, "query"),
    (ParamIn::Header, "header"),
    (ParamIn::Body, "body"),
];

/// A setting that is one of some words: how it is written and read.
macro_rules! words {
    ($setting:ident, $words:ident, $what:literal) => {
        impl $setting {
            /// The spellings of the configuration.
            pub fn names() -> &'static [&'static str] {
                const NAMES: [&str; $words.len()] = {
                    let mut names = [""; $words.len()];
                    let mut i = 0;
                    while i < names.len() {
                        names[i] = $words[i].1;
                        i += 1;
                    }
                    names
                };
                &NAMES
            }
        }

        impl Serialize for $setting {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $setting {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }

        impl fmt::Display for $setting {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let name = $words
                    .iter()
                    .find(|(word, _)| word == self)
                    .map_or("", |(_, name)| *name);
                f.write_str(name)
            }
        }

        impl FromStr for $setting {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self, Error> {
                let known = $words
                    .iter()
                    .find(|(_, name)| *name == text)
                    .map(|(word, _)| *word);
                known.ok_or_else(|| {
                    let known = Self::names().join(", ");
                    let what = format!("`{text}` is no {}; there are {known}", $what);
                    Error::new(ErrorKind::Setting, what)
                })
            }
        }
    };
}

words!(Style, STYLES, "pagination type");
words!(ParamIn, PLACES, "place");

impl Settings {
    /// Settings of a style, all else by default.
    pub fn of(style: Style) -> Self {
        Settings {
            style: Some(style),
            ..Settings::default()
        }
    }

    /// These settings over those of the connection, field by field.
    ///
    /// Where these choose another style, the connection's names, paths and rules are dropped, because they belong to its
    /// own style; size, `startPage` and the cap on pages are kept. A connection without a style has no other style: what
    /// it names is meant for the resources.
    pub fn or(self, fallback: &Settings) -> Settings {
        let settled = fallback.style.filter(|style| *style != Style::None);
        let other = self.preset
            || matches!((self.style, settled), (Some(ours), Some(theirs)) if ours != theirs);
        let bound = if other {
            &Settings::default()
        } else {
            fallback
        };
        Settings {
            style: self.style.or(fallback.style),
            param: self.param.or_else(|| bound.param.clone()),
            size_param: self.size_param.or_else(|| bound.size_param.clone()),
            size: self.size.or(fallback.size),
            start: self.start.or(bound.start),
            start_page: self.start_page.or(fallback.start_page),
            param_in: self.param_in.or(bound.param_in),
            cursor_path: self.cursor_path.or_else(|| bound.cursor_path.clone()),
            has_more_path: self.has_more_path.or_else(|| bound.has_more_path.clone()),
            last_page_path: self.last_page_path.or_else(|| bound.last_page_path.clone()),
            next_link_path: self.next_link_path.or_else(|| bound.next_link_path.clone()),
            header_link_rel: self
                .header_link_rel
                .or_else(|| bound.header_link_rel.clone()),
            total_path: self.total_path.or_else(|| bound.total_path.clone()),
            stop_when: self.stop_when.or_else(|| bound.stop_when.clone()),
            max_pages: self.max_pages.or(fallback.max_pages),
            end_when_absent: self.end_when_absent.or(bound.end_when_absent),
            next_position: self.next_position.or_else(|| bound.next_position.clone()),
            look_ahead: self.look_ahead.or(fallback.look_ahead),
            explicit: self.explicit,
            preset: self.preset || fallback.preset,
        }
    }

    /// What is set, by its name in `selector.pagination` and as it is written there in YAML.
    pub fn written(&self) -> Vec<(&'static str, String)> {
        let number = |number: Option<u64>| number.map(|number| number.to_string());
        let text = |text: &Option<String>| text.as_deref().map(quoted);
        let all = [
            ("type", self.style.map(|style| style.to_string())),
            ("param", text(&self.param)),
            ("paramIn", self.param_in.map(|place| place.to_string())),
            ("sizeParam", text(&self.size_param)),
            ("size", number(self.size)),
            ("start", number(self.start.or(self.start_page))),
            ("cursorPath", text(&self.cursor_path)),
            ("nextLinkPath", text(&self.next_link_path)),
            ("headerLinkRel", text(&self.header_link_rel)),
            ("nextPosition", text(&self.next_position)),
            ("hasMorePath", text(&self.has_more_path)),
            ("lastPagePath", text(&self.last_page_path)),
            ("totalPath", text(&self.total_path)),
            ("stopWhen", text(&self.stop_when)),
            (
                "endWhenAbsent",
                self.end_when_absent.map(|on| on.to_string()),
            ),
            ("maxPages", number(self.max_pages)),
            ("lookAhead", number(self.look_ahead)),
        ];
        all.into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }

    /// The line of configuration that says the same: `pagination: {type: cursor, param: after}`.
    pub fn line(&self) -> String {
        let settings: Vec<String> = self
            .written()
            .iter()
            .map(|(name, value)| format!("{name}: {value}"))
            .collect();
        format!("pagination: {{{}}}", settings.join(", "))
    }

    /// Checks and compiles everything, once, before any request.
    ///
    /// # Errors
    /// All settings that cannot be used, not only the first.
    pub fn build(&self) -> Result<Configured, Vec<SettingProblem>> {
        Configured::new(self)
    }
}

/// Text as YAML takes it between braces.
fn quoted(text: &str) -> String {
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !matches!(
            text,
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        );
    match plain {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_are_spelled_as_in_the_configuration() {
        for name in Style::names() {
            assert_eq!(name.parse::<Style>().unwrap().to_string(), *name);
        }
        for name in ParamIn::names() {
            assert_eq!(name.parse::<ParamIn>().unwrap().to_string(), *name);
        }
        let refused = "skip_token".parse::<Style>().unwrap_err();
        assert!(refused.to_string().contains("next_link"), "{refused}");
    }

    #[test]
    fn a_resource_of_the_same_style_keeps_what_the_connection_names() {
        let connection = Settings {
            param: Some("p".to_owned()),
            size: Some(50),
            total_path: Some("n".to_owned()),
            explicit: true,
            ..Settings::of(Style::Page)
        };
        let resource = Settings {
            size: Some(10),
            ..Settings::default()
        };
        let merged = resource.or(&connection);
        assert_eq!(merged.param.as_deref(), Some("p"));
        assert_eq!(merged.size, Some(10));
        assert_eq!(merged.total_path.as_deref(), Some("n"));
        assert!(!merged.explicit, "only the resource itself can be explicit");
    }

    #[test]
    fn another_style_drops_the_names_and_paths_of_the_connection() {
        let connection = Settings {
            param: Some("p".to_owned()),
            size_param: Some("ps".to_owned()),
            start: Some(0),
            has_more_path: Some("more".to_owned()),
            size: Some(50),
            max_pages: Some(7),
            ..Settings::of(Style::Page)
        };
        let merged = Settings::of(Style::Offset).or(&connection);
        let expected = Settings {
            size: Some(50),
            max_pages: Some(7),
            ..Settings::of(Style::Offset)
        };
        assert_eq!(merged, expected);
    }

    #[test]
    fn a_connection_without_a_style_names_things_for_its_resources() {
        for style in [None, Some(Style::None)] {
            let connection = Settings {
                style,
                size_param: Some("per_page".to_owned()),
                ..Settings::default()
            };
            let merged = Settings::of(Style::Page).or(&connection);
            assert_eq!(merged.size_param.as_deref(), Some("per_page"));
        }
    }
}
