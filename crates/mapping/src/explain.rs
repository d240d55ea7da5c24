//! A mapping applied to one record, part by part, for the person who writes it.

use std::fmt;

use serde_json::Value;

use crate::{Entity, Mapped, RecordFailure};

/// Most characters of a value or an expression that `Display` shows.
const SHOWN: usize = 100;

/// What each part of a mapping gives for one record, and what becomes of the record. It holds the record's data: it is for the terminal of
/// whoever writes the mapping, not for logs.
///
/// `Display` is a table: place, expression, value or error, and below a line what to change where that is plain.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// What comes before the items: `itemsToParse`, where there is one.
    pub before: Vec<Part>,
    /// One for the record, or one for each of its items.
    pub items: Vec<Item>,
}

/// A record, or one of its items.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Item {
    /// In the order in which they are evaluated. All of them are, also where the selector leaves the record out.
    pub parts: Vec<Part>,
    /// What becomes of it.
    pub verdict: Verdict,
}

/// One expression.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Part {
    /// Where it stands: `selector.query`, `properties.email`.
    pub place: String,
    /// As it is written.
    pub expression: String,
    /// Its first output, `None` without one, or why it fails.
    pub given: Result<Option<Value>, String>,
    /// What to change, where it gives nothing because a key is not there and the cause is plain.
    pub hint: Option<String>,
}

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// An entity.
    Entity(Box<Entity>),
    /// It is left out on purpose.
    Skipped,
    /// It cannot become an entity.
    Failed(RecordFailure),
    /// Its list of items is empty.
    NoItems,
}

impl Part {
    pub(crate) fn new(
        place: &str,
        expression: &str,
        given: Result<Option<Value>, String>,
        hint: Option<String>,
    ) -> Self {
        let fine = matches!(&given, Ok(Some(value)) if !value.is_null() && value != false);
        Part {
            place: place.to_owned(),
            expression: expression.to_owned(),
            given,
            hint: hint.filter(|_| !fine),
        }
    }
}

impl Verdict {
    pub(crate) fn of(mut mapped: Mapped) -> Self {
        match (mapped.entities.pop(), mapped.failures.pop()) {
            (Some(entity), _) => Verdict::Entity(Box::new(entity)),
            (None, Some(failure)) => Verdict::Failed(failure),
            (None, None) if mapped.skipped > 0 => Verdict::Skipped,
            (None, None) => Verdict::NoItems,
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = || {
            let of_items = self.items.iter().flat_map(|item| &item.parts);
            self.before.iter().chain(of_items)
        };
        let widest = |text: fn(&Part) -> &str| {
            parts()
                .map(|part| shortened(text(part)).chars().count())
                .max()
                .unwrap_or_default()
        };
        let (places, expressions) = (widest(|part| &part.place), widest(|part| &part.expression));
        let mut write = |part: &Part| -> fmt::Result {
            let given = match &part.given {
                Ok(Some(value)) => shortened(&value.to_string()),
                Ok(None) => "nothing".to_owned(),
                Err(message) => format!("fails: {message}"),
            };
            let (place, expression) = (shortened(&part.place), shortened(&part.expression));
            writeln!(f, "{place:places$}  {expression:expressions$}  → {given}")?;
            match &part.hint {
                Some(hint) => writeln!(f, "{:places$}  {hint}", ""),
                None => Ok(()),
            }
        };
        self.before.iter().try_for_each(&mut write)?;
        let mut verdicts = Vec::new();
        for (number, item) in (1..).zip(&self.items) {
            item.parts.iter().try_for_each(&mut write)?;
            verdicts.push(match self.before.is_empty() || item.parts.is_empty() {
                true => item.verdict.to_string(),
                false => format!("item {number}: {}", item.verdict),
            });
        }
        f.write_str(&verdicts.join("\n"))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verdict::Entity(entity) => match entity.identifier.as_str() {
                Some(identifier) => write!(f, "entity {identifier:?} of {}", entity.blueprint),
                None => write!(f, "entity of {}, found by a search query", entity.blueprint),
            },
            Verdict::Skipped => f.write_str("left out"),
            Verdict::Failed(failure) => write!(f, "failed: {failure}"),
            Verdict::NoItems => f.write_str("no items, so no entity"),
        }
    }
}

/// One line of bounded length.
fn shortened(text: &str) -> String {
    let line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
