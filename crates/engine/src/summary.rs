//! A report as a person reads it: what was read line by line, and under each line what to look at.

use std::fmt::{self, Write as _};

use crate::sync::{Report, ResourceReport};

/// Causes, rejections and errors printed of each; the report holds more of them.
const SHOWN: usize = 5;
/// A longer kind stands out of its column instead of pushing all the others away.
const WIDEST_KIND: usize = 48;

/// How wide the columns are.
#[derive(Clone, Copy, Debug, Default)]
struct Columns {
    kind: usize,
    pages: usize,
    records: usize,
    entities: usize,
}

impl Columns {
    fn of<'r>(resources: impl IntoIterator<Item = &'r ResourceReport>) -> Self {
        resources
            .into_iter()
            .fold(Columns::default(), |widest, resource| Columns {
                kind: widest
                    .kind
                    .max(resource.kind.chars().count().min(WIDEST_KIND)),
                pages: widest.pages.max(digits(resource.pages)),
                records: widest.records.max(digits(resource.records)),
                entities: widest.entities.max(digits(resource.entities)),
            })
    }
}

/// Resources in columns, each with what to look at; then what became of the entities, where any were written or refused.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = Columns::of(&self.resources);
        let mut lines = Vec::new();
        for resource in &self.resources {
            resource.lines(columns, &mut lines);
        }
        let totals: Vec<String> = [
            (self.upserted, "upserted"),
            (self.unchanged, "unchanged"),
            (self.rejected, "rejected"),
            (self.deleted, "deleted"),
        ]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
        if !totals.is_empty() {
            lines.push(totals.join(", "));
        }
        if self.duplicates > 0 {
            lines.push(format!(
                "  note: {} came under a blueprint and an identifier that had come before; what came last is on top",
                entities(self.duplicates)
            ));
        }
        for rejection in self.rejections.iter().take(SHOWN) {
            lines.push(format!(
                "  rejected: {} {}: {}",
                rejection.blueprint, rejection.identifier, rejection.message
            ));
        }
        push_rest(&mut lines, self.rejections.len(), self.rejected, "rejected");
        for withheld in &self.withheld {
            lines.push(format!(
                "  not deleted: {} of blueprint {}: {}",
                entities(withheld.count),
                withheld.blueprint,
                withheld.reason
            ));
        }
        for error in self.errors.iter().take(SHOWN) {
            lines.push(format!("  error: {error}"));
        }
        push_rest(
            &mut lines,
            self.errors.len(),
            self.errors.len() as u64,
            "errors",
        );
        f.write_str(&lines.join("\n"))
    }
}

/// One line, and below it what to look at.
impl fmt::Display for ResourceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        self.lines(Columns::of([self]), &mut lines);
        f.write_str(&lines.join("\n"))
    }
}

impl ResourceReport {
    fn lines(&self, columns: Columns, lines: &mut Vec<String>) {
        lines.push(self.counts(columns));
        if let Some(cause) = &self.cause {
            lines.push(format!("  why: {cause}"));
        }
        for cause in self.further_causes.iter().take(SHOWN - 1) {
            lines.push(format!("  and: {cause}"));
        }
        push_rest(
            lines,
            1 + self.further_causes.len(),
            self.cause_count,
            "causes",
        );
        if self.records > 0 && self.entities == 0 && self.skipped == self.records {
            let hint = |field: &str| self.hints.get(field);
            lines.push(match (hint("selector.query"), hint("identifier")) {
                (Some(hint), _) => format!("  selector.query left out every record: {hint}"),
                (None, Some(hint)) => format!("  identifier left out every record: {hint}"),
                (None, None) => "  selector.query left out every record; check it".to_owned(),
            });
        }
        for (field, count) in &self.misconfigured {
            lines.push(format!(
                "  {} gave nothing for {count} of {}: {}",
                shown(field),
                entities(self.entities),
                self.misconfigured_samples
                    .get(field)
                    .map_or("check its expression", String::as_str)
            ));
            if let Some(hint) = self.hints.get(field) {
                lines.push(format!("    {hint}"));
            }
        }
        let unnamed = self
            .always_null
            .iter()
            .filter(|field| !self.misconfigured.contains_key(*field));
        let (explained, unexplained): (Vec<&String>, Vec<&String>) =
            unnamed.partition(|field| self.hints.contains_key(*field));
        for field in explained {
            lines.push(format!(
                "  {} was null in every record: {}",
                shown(field),
                self.hints[field]
            ));
        }
        let always_null: Vec<String> = unexplained.into_iter().map(|field| shown(field)).collect();
        match always_null.as_slice() {
            [] => {}
            [field] => lines.push(format!(
                "  {field} was null in every record; check its path"
            )),
            fields => lines.push(format!(
                "  {} were null in every record; check their paths",
                fields.join(", ")
            )),
        }
        for warning in &self.warnings {
            lines.push(format!("  note: {warning}"));
        }
    }

    fn counts(&self, columns: Columns) -> String {
        let mut line = format!(
            "{:<kind$}  {:<10}  {}  {}  {}",
            self.kind,
            self.outcome,
            counted(self.pages, columns.pages, "page", "pages"),
            counted(self.records, columns.records, "record", "records"),
            counted(self.entities, columns.entities, "entity", "entities"),
            kind = columns.kind
        );
        for (count, what) in [(self.skipped, "skipped"), (self.failed, "failed")] {
            if count > 0 {
                // Writing to text cannot fail.
                let _ = write!(line, "  {count} {what}");
            }
        }
        line.trim_end().to_owned()
    }
}

/// A field as it stands in a sentence: a name with a space in it would run into the words around it.
fn shown(field: &str) -> String {
    match field.split_once('.') {
        Some((group, name)) if name.contains(char::is_whitespace) => format!("{group}.{name:?}"),
        _ => field.to_owned(),
    }
}

/// Says how many of `all` were not printed because only [`SHOWN`] are, or because they were not kept.
fn push_rest(lines: &mut Vec<String>, kept: usize, all: u64, what: &str) {
    let shown = kept.min(SHOWN) as u64;
    if kept > 0 && all > shown {
        lines.push(format!("  … and {} more {what}", all - shown));
    }
}

fn entities(count: u64) -> String {
    counted(count, 0, "entity", "entities")
        .trim_end()
        .to_owned()
}

/// A number and its noun, both padded to their column.
fn counted(count: u64, width: usize, one: &str, many: &str) -> String {
    let noun = if count == 1 { one } else { many };
    format!(
        "{count:>width$} {noun:<noun_width$}",
        noun_width = many.len()
    )
}

fn digits(count: u64) -> usize {
    count.to_string().len()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::sink::{Rejection, WithheldDelete};

    fn resource(kind: &str, pages: u64, records: u64, entities: u64) -> ResourceReport {
        ResourceReport {
            place: 0,
            is_loaded: true,
            kind: kind.to_owned(),
            outcome: "complete",
            cause: None,
            stop: Some("ShortPage".to_owned()),
            pages,
            records,
            entities,
            skipped: 0,
            failed: 0,
            misconfigured: BTreeMap::new(),
            misconfigured_samples: BTreeMap::new(),
            nulls: BTreeMap::new(),
            hints: BTreeMap::new(),
            always_null: Vec::new(),
            warnings: Vec::new(),
            further_causes: Vec::new(),
            cause_count: 0,
        }
    }

    #[test]
    fn resources_stand_in_columns_with_one_thing_in_the_singular() {
        let mut second = resource("/v1/companies", 12, 1200, 1150);
        second.skipped = 50;
        let report = Report {
            resources: vec![resource("/users", 1, 1, 1), second],
            upserted: 1151,
            ..Report::default()
        };
        assert_eq!(
            report.to_string(),
            "/users         complete     1 page      1 record      1 entity\n\
             /v1/companies  complete    12 pages  1200 records  1150 entities  50 skipped\n\
             1151 upserted"
        );
    }

    #[test]
    fn what_to_look_at_stands_below_its_resource() {
        let mut users = resource("/users", 2, 10, 8);
        users.outcome = "incomplete";
        users.cause = Some("Truncated: there is more".to_owned());
        users.further_causes = (1..=6).map(|n| format!("RequestFailed: {n}")).collect();
        users.cause_count = 30;
        users.failed = 2;
        users.misconfigured = BTreeMap::from([("properties.age".to_owned(), 1)]);
        users.always_null = vec![
            "properties.age".to_owned(),
            "properties.a".to_owned(),
            "title".to_owned(),
        ];
        users.warnings = vec!["look here".to_owned()];
        assert_eq!(
            users.to_string(),
            "/users  incomplete  2 pages  10 records  8 entities  2 failed\n  \
             why: Truncated: there is more\n  \
             and: RequestFailed: 1\n  \
             and: RequestFailed: 2\n  \
             and: RequestFailed: 3\n  \
             and: RequestFailed: 4\n  \
             … and 25 more causes\n  \
             properties.age gave nothing for 1 of 8 entities: check its expression\n  \
             properties.a, title were null in every record; check their paths\n  \
             note: look here"
        );
    }

    #[test]
    fn where_the_cause_is_plain_the_field_says_what_to_change() {
        let mut users = resource("/users", 1, 3, 3);
        users.misconfigured = BTreeMap::from([("title".to_owned(), 3)]);
        users.always_null = ["properties.a", "properties.b", "title"]
            .map(str::to_owned)
            .into();
        users.hints = BTreeMap::from([
            ("title".to_owned(), "look at this".to_owned()),
            ("properties.b".to_owned(), "write that".to_owned()),
        ]);
        let text = users.to_string();
        assert!(
            text.ends_with(
                "\n  title gave nothing for 3 of 3 entities: check its expression\n    look at this\n  \
                 properties.b was null in every record: write that\n  \
                 properties.a was null in every record; check its path"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_name_with_a_space_stands_in_quotes() {
        let mut users = resource("/users", 1, 3, 3);
        users.misconfigured = BTreeMap::from([("properties.e mail".to_owned(), 3)]);
        users.always_null = vec!["properties.a b".to_owned()];
        let text = users.to_string();
        assert!(
            text.contains("  properties.\"e mail\" gave nothing for 3 of 3"),
            "{text}"
        );
        assert!(
            text.contains("  properties.\"a b\" was null in every record"),
            "{text}"
        );
    }

    #[test]
    fn a_selector_that_lets_nothing_through_is_named() {
        let mut users = resource("/users", 1, 3, 0);
        users.skipped = 3;
        assert!(
            users
                .to_string()
                .ends_with("\n  selector.query left out every record; check it")
        );
    }

    #[test]
    fn an_identifier_that_lets_nothing_through_is_named() {
        let mut users = resource("/users", 1, 3, 0);
        users.skipped = 3;
        users.hints = BTreeMap::from([("identifier".to_owned(), "it has no output".to_owned())]);
        assert!(
            users
                .to_string()
                .ends_with("\n  identifier left out every record: it has no output")
        );
    }

    #[test]
    fn what_was_refused_and_held_back_is_named_and_the_rest_counted() {
        let rejection = Rejection {
            blueprint: "user".to_owned(),
            identifier: "7".to_owned(),
            message: "no such blueprint".to_owned(),
        };
        let report = Report {
            rejected: 200,
            rejections: vec![rejection; 100],
            withheld: vec![WithheldDelete {
                blueprint: "team".to_owned(),
                reason: "it was not read completely".to_owned(),
                count: 1,
            }],
            errors: vec!["Port is away".to_owned()],
            ..Report::default()
        };
        let text = report.to_string();
        assert_eq!(
            text.matches("  rejected: user 7: no such blueprint")
                .count(),
            5
        );
        assert!(
            text.ends_with(
                "\n  … and 195 more rejected\n  \
                 not deleted: 1 entity of blueprint team: it was not read completely\n  \
                 error: Port is away"
            ),
            "{text}"
        );
    }
}
