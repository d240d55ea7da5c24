//! Paging settings, at the connection and as `selector.pagination`.

use std::collections::BTreeMap;

use longshore_paginate::{ParamIn, Settings, Style};

use super::connection::Levels;
use super::fields::Fields;
use super::mapping::Against;
use super::notice::{Findings, Place};
use super::resource::Written;
use super::spelling::{Keys, Words};
use super::tree::{Node, Shape};
use super::values;

/// A setting as `selector.pagination` calls it, and its names at the connection.
const AT_CONNECTION: &[(&str, &[&str])] = &[
    ("type", &["paginationType"]),
    ("param", &["paginationParam"]),
    ("sizeParam", &["sizeParam", "limitParam"]),
    ("size", &["pageSize"]),
    // Not `start`: the connection's number is for pages, where offsets begin is another matter.
    ("startPage", &["startPage"]),
    ("paramIn", &["paramIn"]),
    ("cursorPath", &["cursorPath"]),
    ("hasMorePath", &["hasMorePath"]),
    ("lastPagePath", &["lastPagePath"]),
    ("nextLinkPath", &["nextLinkPath"]),
    ("headerLinkRel", &["headerLinkRel"]),
    ("totalPath", &["totalPath"]),
    ("stopWhen", &["stopWhen"]),
    ("maxPages", &["maxPages"]),
    ("endWhenAbsent", &["endWhenAbsent"]),
    ("nextPosition", &["nextPosition"]),
    ("lookAhead", &["lookAhead"]),
];

/// Older names of `paginationParam`, each for one style.
const OLD_PARAMS: &[(Style, &str)] = &[
    (Style::Offset, "offsetParam"),
    (Style::Page, "pageParam"),
    (Style::Cursor, "cursorParam"),
];

/// Settings that not every type uses.
const OF_SOME_STYLES: &[(&str, &[Style])] = &[
    ("cursorPath", &[Style::Cursor]),
    ("nextLinkPath", &[Style::NextLink]),
    ("headerLinkRel", &[Style::HeaderLink]),
    ("start", &[Style::Offset, Style::Page]),
    ("lookAhead", &[Style::Offset, Style::Page]),
    (
        "endWhenAbsent",
        &[Style::Cursor, Style::NextLink, Style::HeaderLink],
    ),
];

/// The setting of both that stands for several others.
const PRESET: &str = "preset";

/// Names of the connection that are written in `selector.pagination`.
const HINTS: &[(&str, &str)] = &[
    ("paginationType", "type"),
    ("paginationParam", "param"),
    ("pageSize", "size"),
    ("startPage", "start"),
    ("limitParam", "sizeParam"),
    ("offsetParam", "param"),
    ("pageParam", "param"),
    ("cursorParam", "param"),
];

/// What is written for a style, and the style that does it. Skip tokens come inside `@odata.nextLink`.
const MEANT_STYLES: &[(&str, &str)] = &[
    ("skip_token", "next_link"),
    ("skiptoken", "next_link"),
    ("odata", "next_link"),
    ("link", "header_link"),
    ("token", "cursor"),
    ("keyset", "cursor"),
    ("limit", "offset"),
    ("skip", "offset"),
    ("page_number", "page"),
    ("off", "none"),
    ("automatic", "auto"),
    ("detect", "auto"),
];

/// What is written for a place of positions, and the one that is meant.
const MEANT_PLACES: &[(&str, &str)] = &[
    ("url", "query"),
    ("params", "query"),
    ("headers", "header"),
    ("json", "body"),
];

/// What is written for a preset, and the one that pages so.
const MEANT_PRESETS: &[(&str, &str)] = &[
    ("graph", "odata"),
    ("microsoft", "odata"),
    ("microsoft_graph", "odata"),
    ("msgraph", "odata"),
    ("dynamics", "odata"),
    ("azure", "azure_devops"),
    ("ado", "azure_devops"),
    ("atlassian", "jira"),
    ("drf", "django"),
    ("gcp", "google"),
    ("sonar", "sonarqube"),
    ("sonarcloud", "sonarqube"),
    ("snow", "servicenow"),
];

/// The paging of the connection.
pub(super) fn of_connection(levels: &mut Levels, findings: &mut Findings) -> Settings {
    let mut settings = Reading::default();
    settings.preset(levels.take(&[PRESET], findings), findings);
    settings.style(levels.take(&["paginationType"], findings), findings);
    let style = settings.style_of_all();
    for (setting, names) in AT_CONNECTION.iter().skip(1) {
        let old = OLD_PARAMS
            .iter()
            .find(|(of, _)| *setting == "param" && Some(*of) == style);
        let node = match (old, *names) {
            (Some((_, old)), &[name]) => levels.take(&[name, old], findings),
            (_, names) => levels.take(names, findings),
        };
        if let Some(node) = node {
            settings.read(setting, node, findings);
        }
    }
    for (_, name) in OLD_PARAMS {
        if let Some(node) = levels.take(&[name], findings) {
            findings.warning(
                &node.place,
                "is not used with this paginationType; `paginationParam` is the name for every type",
            );
        }
    }
    let none = Settings::default();
    settings.check(
        &none,
        |setting| levels.missing(at_connection(setting)),
        findings,
    )
}

/// The paging of one list, checked over that of the connection where that is known. A plain word is its type.
pub(super) fn of_list(
    node: Node,
    path: &str,
    against: Against<'_>,
    written: &mut Written,
    findings: &mut Findings,
) -> Settings {
    let mut settings = Reading::default();
    if matches!(&node.shape, Shape::Scalar { text, .. } if !text.trim_start().starts_with('{')) {
        written.note(&format!("{path}.type"), &node);
        settings.style(Some(node), findings);
    } else if let Some(fields) = Fields::of(node, Keys::Mapping, against.unknown, findings) {
        let mut fields = fields.hints(HINTS);
        let preset = fields.take(&[PRESET], findings);
        if let Some(preset) = &preset {
            written.note(&format!("{path}.{PRESET}"), preset);
        }
        settings.preset(preset, findings);
        let style = fields.take(&["type"], findings);
        if let Some(style) = &style {
            written.note(&format!("{path}.type"), style);
        }
        settings.style(style, findings);
        for (setting, _) in AT_CONNECTION.iter().skip(1) {
            let setting = match *setting {
                "startPage" => "start",
                setting => setting,
            };
            if let Some(node) = fields.take(&[setting], findings) {
                written.note(&format!("{path}.{setting}"), &node);
                settings.read(setting, node, findings);
            }
        }
        fields.finish(findings);
    }
    settings.settings.explicit = settings.settings.style == Some(Style::None);
    settings.warn_of_unused(findings);
    let whole = written.place(path);
    match against.paging {
        Some(connection) => settings.check(connection, |setting| whole.child(setting), findings),
        None => settings.whole(),
    }
}

/// The name of a setting at the connection.
fn at_connection(setting: &str) -> &str {
    let setting = match setting {
        "start" => "startPage",
        setting => setting,
    };
    AT_CONNECTION
        .iter()
        .find(|(name, _)| *name == setting)
        .map_or(setting, |(_, names)| names[0])
}

/// Settings being read, and where they are written.
#[derive(Default)]
struct Reading {
    /// What is written out.
    settings: Settings,
    /// What lies under it, by name.
    preset: Option<(String, Settings)>,
    places: BTreeMap<&'static str, Place>,
}

impl Reading {
    fn preset(&mut self, node: Option<Node>, findings: &mut Findings) {
        let Some(node) = node else { return };
        self.places.insert(PRESET, node.place.clone());
        let Some(name) = values::text(&node, findings) else {
            return;
        };
        let name = name.trim().to_ascii_lowercase().replace(['-', ' '], "_");
        match Settings::preset(&name) {
            Some(settings) => self.preset = Some((name, settings)),
            None => {
                let words = Words {
                    known: Settings::presets(),
                    meant: MEANT_PRESETS,
                };
                findings.problem(&node.place, words.refusal(&name));
            }
        }
    }

    /// The style that is written, else that of the preset.
    fn style_of_all(&self) -> Option<Style> {
        let of_preset = self.preset.as_ref().and_then(|(_, preset)| preset.style);
        self.settings.style.or(of_preset)
    }

    /// What is written over the preset.
    fn whole(self) -> Settings {
        match self.preset {
            Some((_, preset)) => self.settings.or(&preset),
            None => self.settings,
        }
    }

    fn style(&mut self, node: Option<Node>, findings: &mut Findings) {
        let Some(node) = node else { return };
        self.places.insert("type", node.place.clone());
        let Some(name) = values::text(&node, findings) else {
            return;
        };
        match name.trim().parse() {
            Ok(style) => {
                self.settings.style = Some(style);
                let preset = self.preset.as_ref();
                let other = preset.and_then(|(name, preset)| {
                    Some((name, preset.style.filter(|of| *of != style)?))
                });
                if let Some((name, of)) = other {
                    let what = format!(
                        "the preset `{name}` is for the type `{of}`, so that only its page size is used; remove one of the two"
                    );
                    findings.warning(&node.place, what);
                }
            }
            Err(_) if Settings::presets().contains(&name.trim()) => {
                let name = name.trim();
                findings.problem(
                    &node.place,
                    format!("`{name}` is a preset; write `preset: {name}` in place of the type"),
                );
            }
            Err(_) => {
                let words = Words {
                    known: Style::names(),
                    meant: MEANT_STYLES,
                };
                findings.problem(&node.place, words.refusal(name.trim()));
            }
        }
    }

    fn read(&mut self, setting: &'static str, node: Node, findings: &mut Findings) {
        self.places.insert(setting, node.place.clone());
        let settings = &mut self.settings;
        match setting {
            "param" => settings.param = values::filled_text(&node, findings),
            // Empty sends no size.
            "sizeParam" => settings.size_param = values::text(&node, findings),
            "size" => settings.size = values::whole_number(&node, 1, findings),
            "start" => settings.start = values::whole_number(&node, 0, findings),
            "startPage" => settings.start_page = values::whole_number(&node, 0, findings),
            "paramIn" => settings.param_in = param_in(&node, findings),
            "cursorPath" => settings.cursor_path = values::filled_text(&node, findings),
            "hasMorePath" => settings.has_more_path = values::filled_text(&node, findings),
            "lastPagePath" => settings.last_page_path = values::filled_text(&node, findings),
            "nextLinkPath" => settings.next_link_path = values::filled_text(&node, findings),
            "headerLinkRel" => settings.header_link_rel = values::filled_text(&node, findings),
            // Empty looks at no total.
            "totalPath" => settings.total_path = values::text(&node, findings),
            "stopWhen" => settings.stop_when = values::filled_text(&node, findings),
            "maxPages" => settings.max_pages = values::whole_number(&node, 1, findings),
            "nextPosition" => settings.next_position = values::filled_text(&node, findings),
            "lookAhead" => settings.look_ahead = values::whole_number(&node, 0, findings),
            "endWhenAbsent" => settings.end_when_absent = values::boolean(&node, findings),
            _ => {}
        }
    }

    /// Warns of what is written beside a type that has no use for it.
    fn warn_of_unused(&self, findings: &mut Findings) {
        let Some(style) = self.settings.style else {
            return;
        };
        for (setting, of) in OF_SOME_STYLES {
            if let Some(place) = self.places.get(setting)
                && style != Style::Auto
                && !of.contains(&style)
            {
                let of: Vec<String> = of.iter().map(|style| format!("`{style}`")).collect();
                let what = format!(
                    "is not used by the type `{style}`, but by {}",
                    of.join(", ")
                );
                findings.warning(place, what);
            }
        }
    }

    /// Reports what does not compile or does not go together with the settings of the connection.
    fn check(
        self,
        connection: &Settings,
        missing: impl Fn(&str) -> Place,
        findings: &mut Findings,
    ) -> Settings {
        let places = self.places.clone();
        let settings = self.whole();
        if let Err(problems) = settings.clone().or(connection).build() {
            for problem in problems {
                let place = match places.get(problem.setting) {
                    Some(place) => place.clone(),
                    None => missing(problem.setting),
                };
                findings.problem(&place, problem.message);
            }
        }
        settings
    }
}

fn param_in(node: &Node, findings: &mut Findings) -> Option<ParamIn> {
    let name = values::filled_text(node, findings)?;
    let words = Words {
        known: ParamIn::names(),
        meant: MEANT_PLACES,
    };
    let place = name.parse().ok();
    if place.is_none() {
        findings.problem(&node.place, words.refusal(&name));
    }
    place
}
