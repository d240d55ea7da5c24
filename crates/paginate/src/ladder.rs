//! The one place where it is decided whether a read goes on, and why.
//!
//! The signs of a page are asked in a fixed order and the first one that knows decides. Each rung says [`Verdict::More`],
//! [`Verdict::End`] or [`Verdict::Short`], or nothing: then the next rung is asked. What is missing or null is no sign,
//! so a server that stays silent never ends a read by that alone.

use crate::ending::{Shortfall, StopReason};
use crate::paginator::Next;
use crate::signs::{Evidence, Flag, Total, USUAL_SIZES};
use crate::token::PageToken;

/// All that is known when a page is judged.
#[derive(Clone, Debug)]
pub(crate) struct Signs {
    /// What the configured `stopWhen` says.
    pub(crate) stop_when: Option<bool>,
    /// What the configured `hasMorePath`, else `lastPagePath` says.
    pub(crate) configured_flag: Option<Flag>,
    /// What a flag under a well-known name says.
    pub(crate) known_flag: Option<Flag>,
    /// Where the next page is.
    pub(crate) onward: Onward,
    /// Records in all.
    pub(crate) total: Option<Total>,
    /// The largest total of records that an earlier answer gave.
    pub(crate) total_before: Option<u64>,
    /// A record of an earlier page came again.
    pub(crate) repeated: bool,
    /// Pages in all.
    pub(crate) page_total: Option<Total>,
    /// Records on this page.
    pub(crate) records: u64,
    /// Records that were asked for, where anything was.
    pub(crate) asked: Option<u64>,
    /// Records that the caller's request asks for, whoever wrote that into it.
    pub(crate) asked_by_request: Option<u64>,
    /// Of an empty page, objects in a list of the body that are no records.
    pub(crate) left_out: Option<u64>,
    /// Records read, this page included.
    pub(crate) read: u64,
    /// Pages read, this page included.
    pub(crate) pages: u64,
    /// Records of the largest page before this one.
    pub(crate) largest_before: u64,
    /// An earlier answer gave a position.
    pub(crate) had_token: bool,
    /// The first counted position, where nobody said which it is.
    pub(crate) begins_at: Option<u64>,
    /// Fewer records came than positions were passed: pages on the way were short or empty.
    pub(crate) lacking: bool,
    /// Something that speaks of more and that this way of paging does not read.
    pub(crate) elsewhere: Option<Evidence>,
}

/// Where the next page is.
#[derive(Clone, Debug)]
pub(crate) enum Onward {
    /// The position is counted, so there is always a next one; but for an offset that an empty page leaves where it was.
    Counted(Option<PageToken>),
    /// The answer gives the position, in words that name the setting.
    Given {
        token: Option<PageToken>,
        /// The setting and where it looks: "`cursorPath` (`meta.after`)".
        looked_at: String,
        /// Its absence is the end, says the user.
        end_when_absent: bool,
        /// The position is made from a record, so a page with records must give one.
        from_record: bool,
    },
}

enum Verdict {
    More(Why),
    End(StopReason),
    Short(Shortfall),
}

/// What says that there is more.
enum Why {
    /// The answer says so, in these words.
    Said(String),
    /// Nothing says that this was the end.
    NotOver,
}

/// The ladder.
pub(crate) fn decide(signs: Signs) -> Next {
    let verdict = stop_when(&signs)
        .or_else(|| configured_flag(&signs))
        .or_else(|| known_flag(&signs))
        .or_else(|| token(&signs))
        .or_else(|| total(&signs))
        .or_else(|| says_next(&signs))
        .or_else(|| empty_page(&signs))
        .or_else(|| short_page(&signs))
        // Nobody knows: one more request decides.
        .unwrap_or(Verdict::More(Why::NotOver));
    match verdict {
        Verdict::End(reason) => match rows_moved(&signs) {
            None => Next::Complete(reason),
            Some(shortfall) => Next::Incomplete(shortfall),
        },
        Verdict::Short(shortfall) => Next::Incomplete(shortfall),
        Verdict::More(why) => go_on(signs, why),
    }
}

/// 1. The user's own rule. For a position that the answer must give, "not yet" does not make one: the token decides.
fn stop_when(signs: &Signs) -> Option<Verdict> {
    match (signs.stop_when?, &signs.onward) {
        (true, _) => Some(Verdict::End(with_doubt_below_total(
            signs,
            StopReason::StopWhen,
        ))),
        (false, Onward::Counted(_)) => Some(said("`stopWhen` (false)")),
        (false, Onward::Given { .. }) => None,
    }
}

/// 2. The flag that the user named.
fn configured_flag(signs: &Signs) -> Option<Verdict> {
    let flag = signs.configured_flag.as_ref()?;
    Some(match flag.more {
        true => said(&flag.name),
        false => Verdict::End(with_doubt_below_total(
            signs,
            StopReason::Flag(flag.name.clone()),
        )),
    })
}

/// 3. A flag under a well-known name. Below a known total its "no" is not believed: APIs that cap a search say no, too.
fn known_flag(signs: &Signs) -> Option<Verdict> {
    let flag = signs.known_flag.as_ref()?;
    Some(match flag.more {
        true => said(&flag.name),
        false => {
            let reason = StopReason::Flag(flag.name.clone());
            let reason = match counted_from_zero(signs) {
                Some(doubt) => reason.doubting(doubt),
                None => reason,
            };
            unless_below_total(signs, reason)
        }
    })
}

/// 4. A token goes on, but for one on an empty page after as many records as the total says. Its absence is the end only where something proves that one would have come.
fn token(signs: &Signs) -> Option<Verdict> {
    let Onward::Given {
        token,
        looked_at,
        end_when_absent,
        from_record,
    } = &signs.onward
    else {
        return None;
    };
    if token.is_some() {
        // Some APIs give a token for ever. Where nothing comes and nothing is missing, there is nothing behind it. (A total that is no more
        // than a page holds may be the count of that page.)
        let all_read = signs.total.as_ref().filter(|total| {
            let of_all = total.configured || total.count > signs.largest_before;
            signs.records == 0 && total.count == signs.read && of_all
        });
        return Some(match all_read {
            Some(total) => Verdict::End(StopReason::TotalReached(total.count)),
            None => Verdict::More(Why::NotOver),
        });
    }
    if *from_record && signs.records > 0 {
        return Some(Verdict::Short(Shortfall::EndNotProven {
            records: signs.records,
            advice: format!(
                "the record has nothing at {looked_at}, so the next position is not known; set `cursorPath`"
            ),
        }));
    }
    let below = matches!(&signs.total, Some(total) if signs.read < total.count);
    let more_pages = matches!(&signs.page_total, Some(total) if signs.pages < total.count);
    if below || more_pages || signs.had_token || *end_when_absent || signs.records == 0 {
        return Some(unless_below_total(signs, StopReason::NoToken));
    }
    if let Some(evidence) = &signs.elsewhere {
        return Some(Verdict::Short(Shortfall::Truncated {
            evidence: evidence.what.clone(),
            advice: format!("there is nothing at {looked_at}; try `{}`", evidence.line),
        }));
    }
    if signs.total.is_some() || signs.page_total.is_some() {
        return Some(Verdict::End(StopReason::NoToken));
    }
    let usual =
        USUAL_SIZES.contains(&signs.records) || signs.asked_by_request == Some(signs.records);
    Some(match signs.asked {
        Some(asked) if signs.records >= asked => Verdict::Short(Shortfall::EndNotProven {
            records: signs.records,
            advice: format!(
                "it is full and has nothing at {looked_at}; set that to where the next position stands, or, if its absence is the \
                 end, add `endWhenAbsent: true`"
            ),
        }),
        _ if usual => Verdict::End(StopReason::NoToken.doubting(format!(
            "the only page holds exactly {} records and has nothing at {looked_at}: if there are more, set that to where the next \
             position stands; if not, add `endWhenAbsent: true`",
            signs.records
        ))),
        _ => Verdict::End(StopReason::NoToken),
    })
}

/// 5. A known total. Only what is exactly reached ends a read: what is passed counts something else than records.
fn total(signs: &Signs) -> Option<Verdict> {
    if signs.records == 0 {
        return None;
    }
    let records = signs
        .total
        .as_ref()
        .filter(|total| signs.read <= total.count);
    let pages = signs
        .page_total
        .as_ref()
        .filter(|total| signs.pages <= total.count);
    for (total, got) in [(records, signs.read), (pages, signs.pages)] {
        if let Some(total) = total.filter(|total| got < total.count) {
            return Some(said(&total.to_string()));
        }
    }
    if let Some(total) =
        records.filter(|total| total.configured || !may_count_the_page(signs, total))
    {
        // Where pages lacked records, a total may be of what was given, and not of the positions.
        if let Some(evidence) = signs.elsewhere.as_ref().filter(|_| signs.lacking) {
            return Some(said(&evidence.what));
        }
        return Some(Verdict::End(StopReason::TotalReached(total.count)));
    }
    pages.map(|total| Verdict::End(StopReason::LastPage(total.count)))
}

/// Before a page that is short or empty counts as the last one: it is not, where it says itself that another one follows. Beside a total that
/// is just reached, that is one of those positions which some APIs give for ever.
fn says_next(signs: &Signs) -> Option<Verdict> {
    let counted = matches!(signs.onward, Onward::Counted(_));
    let all_read = matches!(&signs.total, Some(total) if total.count == signs.read);
    let evidence = signs.elsewhere.as_ref().filter(|_| counted && !all_read)?;
    Some(said(&evidence.what))
}

/// 6. Where nothing is left, everything was read; but not below a known total.
fn empty_page(signs: &Signs) -> Option<Verdict> {
    if signs.records > 0 {
        return None;
    }
    if signs.total.is_none()
        && let Some(total) = signs.page_total.as_ref()
    {
        if let Some(doubt) = counted_from_zero(signs) {
            return Some(Verdict::End(StopReason::EmptyPage.doubting(doubt)));
        }
        if signs.pages < total.count {
            return Some(said(&total.to_string()));
        }
        if signs.pages == total.count && total.count > 1 {
            // The last page of several is empty: most likely they are counted from another number.
            return Some(Verdict::Short(Shortfall::TotalNotReached {
                expected: total.count,
                got: signs.pages - 1,
                unit: "pages",
            }));
        }
    }
    let reason = match signs.left_out {
        Some(objects) => StopReason::EmptyPage.doubting(format!(
            "the page holds no records, but a list of {objects} objects: if `data_path` chooses among them, choose by the query in the \
             selector instead, because a page of which nothing is left ends the read"
        )),
        None => StopReason::EmptyPage,
    };
    Some(unless_below_total(signs, reason))
}

/// What to look at where the one page that the API speaks of is empty. So do APIs with nothing to give answer, and so do those for which that
/// page has the number 0.
fn counted_from_zero(signs: &Signs) -> Option<String> {
    let total = signs.page_total.as_ref()?;
    let start = signs.begins_at.filter(|start| *start > 0)?;
    let only = total.count == 1 && signs.pages == 1 && signs.records == 0;
    (only && signs.total.is_none()).then(|| {
        format!(
            "page {start} is empty, though the API speaks of one page ({total}): if it counts pages from 0, set `start: 0` \
             (`startPage`); if not, `start: {start}`"
        )
    })
}

/// 7. Fewer than asked for, from a server that gave exactly what was asked for before. One that caps the size, or ignores
///    it, has given nothing to measure by.
fn short_page(signs: &Signs) -> Option<Verdict> {
    let asked = signs.asked?;
    (signs.records < asked && signs.largest_before == asked)
        .then_some(Verdict::End(StopReason::ShortPage))
}

fn go_on(signs: Signs, why: Why) -> Next {
    let said = match why {
        Why::Said(what) => what,
        Why::NotOver => "nothing that would end the read".to_owned(),
    };
    match signs.onward {
        Onward::Counted(Some(token)) | Onward::Given { token: Some(token), .. } => Next::Continue(token),
        Onward::Counted(None) => Next::Incomplete(Shortfall::Truncated {
            evidence: said,
            advice: "an empty page gives no offset to go on from; check `data_path`, or page by another `type`".to_owned(),
        }),
        Onward::Given { looked_at, .. } => Next::Incomplete(Shortfall::Truncated {
            evidence: said,
            advice: match signs.elsewhere {
                Some(evidence) => format!("there is nothing at {looked_at}; try `{}`", evidence.line),
                None => format!("there is nothing at {looked_at}; set that to where the next position stands"),
            },
        }),
    }
}

/// Rows that move while positions are counted: what a page did not show yet may have moved to one that was read before. It shows
/// in a record that comes again, or in a total that falls. (A total below what was read before counts something else, and a
/// configured one may be another than the one before.)
fn rows_moved(signs: &Signs) -> Option<Shortfall> {
    let Onward::Counted(_) = signs.onward else {
        return None;
    };
    let fell = || {
        let now = signs.total.as_ref().filter(|total| !total.configured)?;
        let before = signs.total_before?;
        (before > now.count && before >= signs.read)
            .then(|| format!("the total fell from {before} to {}", now.count))
    };
    // Offsets overlap on purpose where the server gives more than was asked for.
    let largest = signs.largest_before.max(signs.records);
    let overlapping = signs.asked.is_some_and(|asked| largest > asked);
    let evidence = match signs.repeated && !overlapping {
        true => Some("a record of an earlier page came again".to_owned()),
        false => fell(),
    };
    evidence.map(|evidence| Shortfall::RowsShifted { evidence })
}

/// An end that the user did not name is not believed below a known total.
fn unless_below_total(signs: &Signs, reason: StopReason) -> Verdict {
    let counts = [
        (&signs.total, signs.read, "records"),
        (&signs.page_total, signs.pages, "pages"),
    ];
    for (total, got, unit) in counts {
        if let Some(total) = total.as_ref().filter(|total| got < total.count) {
            return Verdict::Short(Shortfall::TotalNotReached {
                expected: total.count,
                got,
                unit,
            });
        }
    }
    Verdict::End(reason)
}

/// On a first page that is full, or of a usual size, a total equal to the page may be the count of that page.
fn may_count_the_page(signs: &Signs, total: &Total) -> bool {
    let full = signs.asked.is_some_and(|asked| signs.records >= asked);
    signs.pages == 1
        && total.count == signs.records
        && (full || USUAL_SIZES.contains(&signs.records))
}

/// An end that the user named is believed; but a person hears of the total.
fn with_doubt_below_total(signs: &Signs, reason: StopReason) -> StopReason {
    match &signs.total {
        Some(total) if signs.read < total.count => {
            let doubt = format!(
                "{reason}, after {} records, but the API speaks of {total}",
                signs.read
            );
            reason.doubting(doubt)
        }
        _ => reason,
    }
}

fn said(what: &str) -> Verdict {
    Verdict::More(Why::Said(what.to_owned()))
}
