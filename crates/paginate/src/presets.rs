//! Settings of well-known APIs, by name. They are nothing but settings: whatever stands here can be written out.

use crate::settings::{ParamIn, Settings, Style};

/// A name, and what makes its settings.
type Preset = (&'static str, fn() -> Written);

/// The facts are those of the public documentation of each API; sizes are what it lets one ask for, at most 100 unless it is known to take more.
const PRESETS: [Preset; 31] = [
    ("airtable", || cursor("offset", "pageSize", "offset")),
    ("asana", || cursor("offset", "limit", "next_page.offset")),
    ("azure_devops", || {
        cursor("continuationToken", "$top", "header:x-ms-continuationtoken")
    }),
    ("bitbucket", || link("next").sized("pagelen")),
    ("datadog", || {
        cursor("page[cursor]", "page[limit]", "meta.page.after")
    }),
    ("django", || link("next")),
    ("github", || header_link().sized("per_page")),
    ("gitlab", || header_link().sized("per_page")),
    ("google", || {
        cursor("pageToken", "pageSize", "nextPageToken")
    }),
    ("hubspot", || cursor("after", "limit", "paging.next.after")),
    ("hubspot_search", || {
        Written(Settings {
            param_in: Some(ParamIn::Body),
            ..cursor("after", "limit", "paging.next.after").0
        })
    }),
    ("intercom", || {
        cursor("starting_after", "per_page", "pages.next.starting_after")
    }),
    ("jira", || {
        counted(Style::Offset, "startAt", "maxResults", text("total"))
    }),
    ("jira_search", || {
        Written(Settings {
            last_page_path: text("isLast"),
            ..cursor("nextPageToken", "maxResults", "nextPageToken").0
        })
    }),
    ("jsonapi", || link("links.next")),
    ("notion", || {
        Written(Settings {
            param_in: Some(ParamIn::Body),
            has_more_path: text("has_more"),
            ..cursor("start_cursor", "page_size", "next_cursor").0
        })
    }),
    ("odata", || link("@odata.nextLink")),
    ("okta", || header_link().sized("limit")),
    ("opsgenie", || link("paging.next").sized("limit")),
    ("pagerduty", || {
        Written(Settings {
            has_more_path: text("more"),
            ..counted(Style::Offset, "offset", "limit", None).0
        })
    }),
    ("rootly", || {
        counted(
            Style::Page,
            "page[number]",
            "page[size]",
            text("meta.total_pages"),
        )
    }),
    ("salesforce", || {
        Written(Settings {
            last_page_path: text("done"),
            ..link("nextRecordsUrl").0
        })
    }),
    ("scim", || {
        Written(Settings {
            start: Some(1),
            ..counted(Style::Offset, "startIndex", "count", text("totalResults")).0
        })
    }),
    ("servicenow", || {
        counted(
            Style::Offset,
            "sysparm_offset",
            "sysparm_limit",
            text("header:x-total-count"),
        )
    }),
    ("slack", || {
        Written(Settings {
            size: Some(200),
            ..cursor("cursor", "limit", "response_metadata.next_cursor").0
        })
    }),
    ("sonarqube", || {
        counted(Style::Page, "p", "ps", text("paging.total"))
    }),
    ("spring", || {
        Written(Settings {
            start_page: Some(0),
            ..counted(Style::Page, "page", "size", None).0
        })
    }),
    ("stripe", || {
        Written(Settings {
            cursor_path: None,
            end_when_absent: None,
            has_more_path: text("has_more"),
            ..cursor("starting_after", "limit", "").0
        })
    }),
    ("twilio", || link("next_page_uri").sized("PageSize")),
    ("zendesk", || {
        Written(Settings {
            has_more_path: text("meta.has_more"),
            ..cursor("page[after]", "page[size]", "meta.after_cursor").0
        })
    }),
    ("zendesk_offset", || link("next_page").sized("per_page")),
];

impl Settings {
    /// The settings of a well-known API. What is set beside goes over them, by [`Settings::or`].
    ///
    /// ```
    /// use longshore_paginate::Settings;
    ///
    /// let github = Settings::preset("github").unwrap();
    /// assert_eq!(github.line(), "pagination: {type: header_link, sizeParam: per_page, size: 100, endWhenAbsent: true}");
    /// ```
    pub fn preset(name: &str) -> Option<Settings> {
        let (_, written) = PRESETS.iter().find(|(known, _)| *known == name)?;
        Some(Settings {
            preset: true,
            ..written().0
        })
    }

    /// The names of all presets.
    pub fn presets() -> &'static [&'static str] {
        const NAMES: [&str; PRESETS.len()] = {
            let mut names = [""; PRESETS.len()];
            let mut i = 0;
            while i < names.len() {
                names[i] = PRESETS[i].0;
                i += 1;
            }
            names
        };
        &NAMES
    }
}

struct Written(Settings);

impl Written {
    fn sized(self, name: &str) -> Written {
        Written(Settings {
            size_param: text(name),
            size: Some(100),
            ..self.0
        })
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn cursor(param: &str, size: &str, path: &str) -> Written {
    let settings = Settings {
        param: text(param),
        cursor_path: text(path),
        end_when_absent: Some(true),
        ..Settings::of(Style::Cursor)
    };
    Written(settings).sized(size)
}

fn link(path: &str) -> Written {
    Written(Settings {
        next_link_path: text(path),
        end_when_absent: Some(true),
        ..Settings::of(Style::NextLink)
    })
}

fn header_link() -> Written {
    Written(Settings {
        end_when_absent: Some(true),
        ..Settings::of(Style::HeaderLink)
    })
}

fn counted(style: Style, param: &str, size: &str, total: Option<String>) -> Written {
    let settings = Settings {
        param: text(param),
        total_path: total,
        // Said by each, so that the number of another preset below it does not count.
        start_page: (style == Style::Page).then_some(1),
        ..Settings::of(style)
    };
    Written(settings).sized(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_preset_has_its_settings_and_they_can_be_used() {
        for name in Settings::presets() {
            let settings = Settings::preset(name).unwrap();
            settings.build().unwrap();
            let own = Settings {
                size: Some(7),
                ..Settings::default()
            };
            let merged = own.or(&settings);
            assert_eq!(
                (merged.size, merged.style),
                (Some(7), settings.style),
                "{name}"
            );
        }
        assert!(Settings::presets().is_sorted());
        assert!(Settings::preset("nothing").is_none());
    }

    #[test]
    fn where_pages_begin_is_said_by_each_preset_and_goes_under_the_user_s_own_word() {
        let connection = Settings::preset("spring").unwrap();
        let start = |settings: Settings| settings.start.or(settings.start_page);
        assert_eq!(
            start(Settings::preset("sonarqube").unwrap().or(&connection)),
            Some(1)
        );
        let own = Settings {
            start_page: Some(1),
            ..Settings::default()
        };
        assert_eq!(start(own.or(&connection)), Some(1));
    }

    /// A preset says everything, so names that the connection has for its own style are not meant for it.
    #[test]
    fn a_preset_of_a_resource_takes_no_names_from_the_connection() {
        let connection = Settings {
            cursor_path: text("a.b"),
            has_more_path: text("c"),
            max_pages: Some(3),
            ..Settings::of(Style::Cursor)
        };
        let merged = Settings::preset("hubspot").unwrap().or(&connection);
        assert_eq!(merged.cursor_path.as_deref(), Some("paging.next.after"));
        assert_eq!((merged.has_more_path, merged.max_pages), (None, Some(3)));
    }
}
