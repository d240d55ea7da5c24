//! What speaks of more although the style that is set does not read it, under whatever name and wherever around the records it stands.

use crate::link_header::link_target;
use crate::page::Page;
use crate::settings::{Settings, Style};
use crate::signs::{self, Evidence, cursor_line, link_line};
use crate::survey::{Field, Survey};

/// Something that says of this very page that another one follows. Positions that also stand on last pages (a bare `cursor`) and totals
/// do not.
pub(crate) fn next_page(page: &Page<'_>) -> Option<Evidence> {
    let survey = Survey::of(page);
    let flag = survey.flag();
    let flag = flag.filter(|(_, path)| !vague(&survey, path));
    match flag {
        Some((flag, _)) if !flag.more => None,
        Some((flag, _)) => Some(Evidence {
            what: flag.name,
            line: Settings::of(Style::Auto).line(),
        }),
        None => next_position(page, &survey),
    }
}

/// What says that there is more than this one page, totals too; and whether that is beyond doubt.
pub(crate) fn more_than_one(page: &Page<'_>) -> Option<(Evidence, bool)> {
    if let Some(evidence) = signs::any_more(page) {
        return Some((evidence, true));
    }
    if let Some(evidence) = next_page(page) {
        return Some((evidence, true));
    }
    let survey = Survey::of(page);
    let [records, pages] = survey.totals();
    let records = records.filter(|(total, _)| total.count > page.read());
    let pages = pages.filter(|(total, _)| total.count > 1);
    if let Some((total, _)) = records.or(pages) {
        let evidence = Evidence {
            what: total.to_string(),
            line: Settings::of(Style::Auto).line(),
        };
        return Some((evidence, true));
    }
    let says_last = survey.flag().is_some_and(|(flag, _)| !flag.more);
    let (tokens, _) = survey.tokens();
    let token = tokens
        .first()
        .filter(|_| !says_last && page.records() > 0)?;
    Some((by_token(token), false))
}

fn next_position(page: &Page<'_>, survey: &Survey<'_>) -> Option<Evidence> {
    if link_target(page.headers(), "next").is_some_and(|link| leads_on(page, &link)) {
        return Some(Evidence {
            what: "the header `Link` with rel=\"next\"".to_owned(),
            line: Settings::of(Style::HeaderLink).line(),
        });
    }
    let (links, _) = survey.links();
    if let Some(path) = links.first().filter(|path| {
        let link = survey.text_at(path);
        link.is_none_or(|link| leads_on(page, link))
    }) {
        return Some(Evidence {
            what: format!("`{path}`"),
            line: link_line(path),
        });
    }
    let (tokens, _) = survey.tokens();
    if let Some(next) = tokens.iter().find(|token| token.says_next()) {
        return Some(by_token(next));
    }
    survey.objects.first().map(|path| Evidence {
        what: format!("`{path}`"),
        line: cursor_line(path),
    })
}

fn by_token(token: &Field) -> Evidence {
    let counted = signs::whole(&token.value).is_some() && token.name.ends_with("page");
    Evidence {
        what: format!("`{}`", token.path),
        line: match counted {
            true => Settings::of(Style::Page).line(),
            false => cursor_line(&token.path),
        },
    }
}

/// Not back to where it stands: some APIs give a next link on every page, and on the last one it is that page's own. Nor a template
/// (RFC 6570), which says how pages are asked for, and not that there is one.
fn leads_on(page: &Page<'_>, link: &str) -> bool {
    if link.contains('{') {
        return false;
    }
    let at = &page.request().url;
    at.join(link).map_or(true, |link| link != *at)
}

fn vague(survey: &Survey<'_>, path: &Option<String>) -> bool {
    path.as_ref().is_some_and(|path| survey.flag_is_vague(path))
}
