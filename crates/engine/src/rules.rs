//! What the answers of a list mean, where their status alone does not say it.

use std::collections::BTreeMap;

use longshore_jq::{Filter, Val};
use longshore_transport::{Error, ResetUnit, Response, StatusRules};

use crate::resource::Problem;

/// What an answer of a certain status means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum StatusAction {
    /// There is nothing here: an empty list, read completely. After the first page it is an empty page where positions are counted
    /// by the settings (some APIs answer so behind the end), else an error: the API gave the position itself.
    Empty,
    /// An error that leaves the read incomplete, at once: also where the status usually passes.
    Fail,
    /// A failure that passes: the request is repeated, as for 503.
    Retry,
}

/// What the answers of a list mean, where their status alone does not say it.
///
/// A list's own rules come first, then those of the connection, rule by rule.
///
/// ```
/// use longshore_engine::{AnswerRules, StatusAction};
///
/// // Slack answers 200 with `{"ok": false, "error": …}`.
/// let slack = AnswerRules::default()
///     .on_status(404, StatusAction::Empty)
///     .success_when(".ok == true")
///     .retry_when(r#".error == "ratelimited""#);
/// ```
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnswerRules {
    on_status: BTreeMap<u16, StatusAction>,
    success_when: Option<String>,
    retry_when: Option<String>,
    reset_unit: Option<ResetUnit>,
}

impl AnswerRules {
    /// What an answer of this status means; one from 400 to 599.
    #[must_use]
    pub fn on_status(mut self, status: u16, action: StatusAction) -> Self {
        self.on_status.insert(status, action);
        self
    }

    /// jq over the body of an answer with success (2xx): anything but `true` makes it a failure that is not repeated.
    #[must_use]
    pub fn success_when(mut self, jq: impl Into<String>) -> Self {
        self.success_when = Some(jq.into());
        self
    }

    /// jq over the body of an answer with success (2xx): `true` makes it a failure that is repeated. Asked before
    /// [`success_when`](AnswerRules::success_when).
    #[must_use]
    pub fn retry_when(mut self, jq: impl Into<String>) -> Self {
        self.retry_when = Some(jq.into());
        self
    }

    /// The unit of the numbers by which answers tell when a rate limit is over; by their size unless said.
    #[must_use]
    pub fn reset_unit(mut self, unit: ResetUnit) -> Self {
        self.reset_unit = Some(unit);
        self
    }

    /// Why a status cannot have this meaning. Refused credentials, time-outs and limits say nothing about what is there, and successes
    /// say what they hold.
    pub(crate) fn refusal(status: u16, action: StatusAction) -> Option<&'static str> {
        if !(400..600).contains(&status) {
            return Some("is no status of a failure; write one from 400 to 599");
        }
        let may_mean_empty = status < 500 && ![401, 407, 408, 425, 429].contains(&status);
        match action {
            StatusAction::Empty if !may_mean_empty => Some(
                "cannot mean that there is nothing here; `empty` is for statuses such as 403, 404 and 410",
            ),
            StatusAction::Retry if status == 401 => Some(
                "cannot be repeated: credentials are renewed once, and what is refused then stays refused",
            ),
            _ => None,
        }
    }

    /// Checks the rules that stand at `place`; an empty place is the connection.
    pub(crate) fn compile(&self, place: &str, problems: &mut Vec<Problem>) -> CompiledRules {
        let at = |part: &str| match place {
            "" => part.to_owned(),
            place => format!("{place}.{part}"),
        };
        for (status, action) in &self.on_status {
            if let Some(message) = Self::refusal(*status, *action) {
                problems.push(Problem::new(at(&format!("onStatus.{status}")), message));
            }
        }
        let mut compile = |part: &'static str, jq: &Option<String>| {
            let filter = Filter::compile_mapping(jq.as_deref()?)
                .map_err(|error| problems.push(Problem::new(at(part), error.to_string())))
                .ok()?;
            Some(Predicate {
                setting: part,
                filter,
            })
        };
        CompiledRules {
            success_when: compile("successWhen", &self.success_when),
            retry_when: compile("retryWhen", &self.retry_when),
            on_status: self.on_status.clone(),
            reset_unit: self.reset_unit,
        }
    }
}

/// Checked [`AnswerRules`].
#[derive(Clone, Debug, Default)]
pub(crate) struct CompiledRules {
    on_status: BTreeMap<u16, StatusAction>,
    success_when: Option<Predicate>,
    retry_when: Option<Predicate>,
    reset_unit: Option<ResetUnit>,
}

/// A yes-or-no question about a body.
#[derive(Clone, Debug)]
struct Predicate {
    setting: &'static str,
    filter: Filter,
}

/// The rules of a list over those of its connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules<'a> {
    pub(crate) list: &'a CompiledRules,
    pub(crate) connection: &'a CompiledRules,
}

impl Rules<'_> {
    /// Judges an answer by its status; `None` says that there is nothing here.
    pub(crate) fn status(&self, response: Response) -> Result<Option<Response>, Error> {
        let status = response.status;
        if status.is_success() {
            return Ok(Some(response));
        }
        let of = |rules: &CompiledRules| rules.on_status.get(&status.as_u16()).copied();
        let action = of(self.list).or_else(|| of(self.connection));
        let rules = self.statuses();
        let judged = match action {
            Some(StatusAction::Fail) => rules.fail(status).check(response),
            Some(StatusAction::Retry) => rules.retry(status).check(response),
            Some(StatusAction::Empty) => match rules.check(response) {
                // What time may heal (a limit told as a 403) is asked again, whatever the status means otherwise.
                Err(error) if !error.is_retryable() => return Ok(None),
                judged => judged,
            },
            None => rules.check(response),
        };
        judged.map(Some)
    }

    fn statuses(&self) -> StatusRules {
        StatusRules::default().reset_unit(self.reset_unit())
    }

    pub(crate) fn reset_unit(&self) -> ResetUnit {
        let unit = self.list.reset_unit.or(self.connection.reset_unit);
        unit.unwrap_or_default()
    }

    /// Judges a success by its body.
    pub(crate) fn body(&self, response: &Response, body: &Val) -> Result<(), Error> {
        let retry_when = self
            .list
            .retry_when
            .as_ref()
            .or(self.connection.retry_when.as_ref());
        if let Some(predicate) = retry_when
            && predicate.asks(response, body)?
        {
            let message = format!("the body says that the request failed for now ({predicate})");
            return Err(self.statuses().rejection(response, message).retryable(true));
        }
        let success_when = self
            .list
            .success_when
            .as_ref()
            .or(self.connection.success_when.as_ref());
        if let Some(predicate) = success_when
            && !predicate.asks(response, body)?
        {
            let message =
                format!("the body says that the request failed ({predicate} is not true)");
            return Err(self.statuses().rejection(response, message));
        }
        Ok(())
    }
}

impl Predicate {
    /// Nothing and null are a no; anything but true and false is an error, and not one that time heals.
    fn asks(&self, response: &Response, body: &Val) -> Result<bool, Error> {
        let broken =
            |what: String| StatusRules::default().rejection(response, format!("{self} {what}"));
        match self.filter.first(body) {
            Ok(None) => Ok(false),
            Ok(Some(answer)) if answer.is_null() => Ok(false),
            Ok(Some(answer)) => answer.as_bool().ok_or_else(|| {
                broken(format!(
                    "gave a value of type {}; it must give true or false",
                    answer.type_name()
                ))
            }),
            Err(error) => Err(broken("fails on the body".to_owned()).with_source(error)),
        }
    }
}

impl std::fmt::Display for Predicate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} `{}`", self.setting, self.filter.source())
    }
}
