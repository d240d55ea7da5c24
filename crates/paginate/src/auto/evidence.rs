//! What a first answer says of more, or of the end.

use crate::ending::StopReason;
use crate::link_header::link_target;
use crate::page::Page;
use crate::signs::{self, USUAL_SIZES};
use crate::survey::{Field, Survey};

/// What the first answer says of more, or of the end.
pub(super) struct FirstAnswer {
    pub(super) more: Option<String>,
    pub(super) end: Option<StopReason>,
    pub(super) flag_path: Option<String>,
    /// A flag speaks of more, under whatever name.
    pub(super) by_flag: bool,
    pub(super) total_path: Option<String>,
    /// Of totals: of pages only.
    pub(super) counts_pages_only: bool,
    pub(super) has_total: bool,
}

impl FirstAnswer {
    pub(super) fn of(survey: &Survey<'_>, page: &Page<'_>) -> FirstAnswer {
        let records = page.records() as u64;
        let [total, pages] = survey.totals();
        let (links, no_link) = survey.links();
        let (tokens, no_token) = survey.tokens();
        let sure =
            |total: &signs::Total| !(USUAL_SIZES.contains(&total.count) && total.count == records);
        let total_reached = total
            .as_ref()
            .filter(|(total, _)| total.count == records && sure(total));
        let all_there = total_reached.is_some();
        let by_position = || {
            if link_target(page.headers(), "next").is_some() {
                return Some("the header `Link` with rel=\"next\"".to_owned());
            }
            // Some APIs give a position for ever: where no record is, or none is missing, it leads nowhere unless it says "next".
            let stands_at_the_end_too =
                |field: &&Field| records > 0 && !all_there || field.says_next();
            let token = tokens.iter().find(stands_at_the_end_too);
            let place = links
                .first()
                .or(token.map(|field| &field.path))
                .or(survey.objects.first());
            // "None of 0" beside a position to go on from is an API that gives one on every page.
            let none_of_none =
                records == 0 && total.as_ref().is_some_and(|(total, _)| total.count == 0);
            place
                .filter(|_| !none_of_none)
                .map(|path| format!("`{path}`"))
        };
        // `truncated: false` beside a link to the next page says something about the records.
        let means_the_list = |flag: &signs::Flag, path: &Option<String>| {
            let vague = path.as_ref().is_some_and(|path| survey.flag_is_vague(path));
            flag.more || !vague || by_position().is_none()
        };
        let flag = survey.flag();
        let flag = flag.filter(|(flag, path)| means_the_list(flag, path));
        let flag_path = flag.as_ref().and_then(|(_, path)| path.clone());
        let total_path = total
            .as_ref()
            .or(pages.as_ref())
            .and_then(|(_, path)| path.clone());
        let above = |total: &Option<(signs::Total, Option<String>)>, read: u64| {
            let (total, _) = total.as_ref()?;
            (total.count > read).then(|| total.to_string())
        };
        let by_total = above(&total, records).or_else(|| above(&pages, 1));
        let by_flag = flag
            .as_ref()
            .filter(|(flag, _)| flag.more)
            .map(|(flag, _)| flag.name.clone());
        let said_last = flag
            .as_ref()
            .filter(|(flag, _)| !flag.more)
            .map(|(flag, _)| flag.name.clone());
        // Positions also stand on last pages, where a flag tells that they are.
        let more = by_total
            .or(by_flag)
            .or_else(|| said_last.is_none().then(by_position).flatten());
        let end = match (&more, said_last) {
            (Some(_), _) => None,
            (None, Some(flag)) => Some(StopReason::Flag(flag)),
            (None, None) if records == 0 => None,
            (None, None) if total_reached.is_some() => Some(StopReason::TotalReached(records)),
            (None, None) if pages.as_ref().is_some_and(|(pages, _)| pages.count == 1) => {
                Some(StopReason::LastPage(1))
            }
            (None, None) if no_link || no_token || survey.has_link_header() => {
                Some(StopReason::NoToken)
            }
            (None, None) => None,
        };
        FirstAnswer {
            more,
            end,
            flag_path,
            by_flag: flag.is_some(),
            total_path,
            counts_pages_only: total.is_none() && pages.is_some(),
            has_total: total.is_some(),
        }
    }
}
