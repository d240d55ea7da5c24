//! One value of a mapping: as written, and compiled.

use longshore_jq::{CompileError, EvalError, EvalErrorKind, Filter, Output, Val};
use serde_json::{Map, Value};

/// A value of a mapping as written: a jq expression, or a search query whose leaves are jq.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// A jq expression; its first output counts.
    Jq(String),
    /// A [search query](https://docs.port.io/search-and-query/) that Port evaluates: an object with `combinator` and `rules`. Every
    /// text in it is jq: `{"property": "\"$title\"", "operator": "\"=\"", "value": ".owner"}`.
    Search(Value),
}

impl From<&str> for Expression {
    fn from(jq: &str) -> Self {
        Expression::Jq(jq.to_owned())
    }
}

impl From<&String> for Expression {
    fn from(jq: &String) -> Self {
        Expression::Jq(jq.clone())
    }
}

impl From<String> for Expression {
    fn from(jq: String) -> Self {
        Expression::Jq(jq)
    }
}

impl From<Value> for Expression {
    fn from(written: Value) -> Self {
        match written {
            Value::String(jq) => Expression::Jq(jq),
            written => Expression::Search(written),
        }
    }
}

/// A compiled expression. Evaluates to its first output.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    Jq(Filter),
    Search(Search),
}

impl Source {
    /// Compiles what stands at `place`; every problem goes to `report` with its own place: `relations.owner.rules[0].value`.
    pub(crate) fn compile(
        place: &str,
        written: &Expression,
        report: &mut dyn FnMut(String, String),
    ) -> Option<Source> {
        match written {
            Expression::Jq(jq) => match compile_jq(jq) {
                Ok(filter) => Some(Source::Jq(filter)),
                Err(message) => {
                    report(place.to_owned(), message);
                    None
                }
            },
            Expression::Search(query) => Search::compile(place, query, report).map(Source::Search),
        }
    }

    /// The value on one record: `Ok(None)` without output, `Err` with the reason where it fails.
    pub(crate) fn output<'v>(&'v self, record: &'v Val) -> Result<Option<Given<'v>>, Failed> {
        match self {
            Source::Jq(filter) => match filter.output(record) {
                Ok(output) => Ok(output.map(Given::Jq)),
                Err(error) => Err(error.into()),
            },
            Source::Search(search) => search
                .evaluate(record)
                .map(|query| Some(Given::Search(query))),
        }
    }

    /// The value, where it is the same for every record.
    pub(crate) fn constant(&self) -> Option<Val> {
        match self {
            Source::Jq(filter) => filter.as_constant(),
            Source::Search(_) => None,
        }
    }

    /// All jq of it that is evaluated on a record, each with its place: the expression at `place` itself, or the leaves of a search query.
    pub(crate) fn leaves<'s>(&'s self, place: &'s str) -> Vec<(&'s str, &'s Filter)> {
        match self {
            Source::Jq(filter) => vec![(place, filter)],
            Source::Search(search) => search.leaves().collect(),
        }
    }

    /// The places of the leaves that are null in a query that this search made. There are none of anything else.
    pub(crate) fn null_leaves(&self, given: &Given<'_>) -> Vec<&str> {
        match (self, given) {
            (Source::Search(search), Given::Search(query)) => search.null_leaves(query),
            _ => Vec::new(),
        }
    }

    /// As it is written.
    pub(crate) fn text(&self) -> String {
        match self {
            Source::Jq(filter) => filter.source().to_owned(),
            Source::Search(_) => "a search query".to_owned(),
        }
    }

    /// Whether it looks for a parameter that a nested read attaches to its records: `.__ticket_id`.
    pub(crate) fn reads_parameters(&self) -> bool {
        let mut leaves = self.leaves("").into_iter();
        leaves.any(|(_, filter)| filter.source().contains(".__"))
    }
}

/// A value as an expression gives it, before it is copied from the record.
#[derive(Debug)]
pub(crate) enum Given<'v> {
    Jq(Output<'v>),
    Search(Value),
}

impl Given<'_> {
    /// For people: the value, or why there is none.
    pub(crate) fn from_first<'v>(
        output: Result<Option<impl Into<Given<'v>>>, impl Into<Failed>>,
    ) -> Result<Option<Value>, Failed> {
        match output {
            Ok(None) => Ok(None),
            Ok(Some(given)) => Ok(Some(match given.into() {
                Given::Jq(output) => output.into_val().to_json(),
                Given::Search(query) => query,
            })),
            Err(failed) => Err(failed.into()),
        }
    }
}

impl<'v> From<Output<'v>> for Given<'v> {
    fn from(output: Output<'v>) -> Self {
        Given::Jq(output)
    }
}

/// Why an expression gave no value on a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Failed {
    pub(crate) message: String,
    /// It used more than one evaluation may.
    pub(crate) limit: bool,
    /// What to write instead, where that is plain.
    pub(crate) hint: Option<&'static str>,
}

impl Failed {
    /// The reason, and what to write instead.
    pub(crate) fn with_hint(self) -> String {
        match self.hint {
            Some(hint) => format!("{}; {hint}", self.message),
            None => self.message,
        }
    }
}

impl From<EvalError> for Failed {
    fn from(error: EvalError) -> Self {
        Failed {
            message: error.to_string(),
            limit: error.kind() == EvalErrorKind::Limit,
            hint: error.hint(),
        }
    }
}

/// Compiles an expression of a mapping file. An empty one would be jq's `.`, the whole record, which nobody means.
pub(crate) fn compile_jq(jq: &str) -> Result<Filter, String> {
    if jq.trim().is_empty() {
        return Err("is empty; write a jq expression, or leave the line out".to_owned());
    }
    Filter::compile_mapping(jq).map_err(|error: CompileError| error.to_string())
}

/// A search query with compiled leaves.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Where the query stands: `relations.owner`.
    place: String,
    query: Node,
}

#[derive(Clone, Debug)]
enum Node {
    Jq(Leaf),
    /// Numbers, booleans and nulls stand for themselves, and so does jq that gives the same for every record.
    Literal(Value),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// jq in a search query.
#[derive(Clone, Debug)]
struct Leaf {
    /// `relations.owner.rules[0].value`
    place: String,
    filter: Filter,
}

impl Search {
    fn compile(
        place: &str,
        query: &Value,
        report: &mut dyn FnMut(String, String),
    ) -> Option<Search> {
        if !query.is_object() {
            report(
                place.to_owned(),
                "is neither jq nor a search query; write text with a jq expression, or an object with combinator and rules".to_owned(),
            );
            return None;
        }
        let mut sound = check_group(query, place, report);
        let query = compile_node(query, place, report, &mut sound);
        sound.then(|| Search {
            place: place.to_owned(),
            query,
        })
    }

    fn evaluate(&self, record: &Val) -> Result<Value, Failed> {
        let evaluated = self.query.evaluate(record);
        evaluated.map_err(|(leaf, failed)| {
            let below = leaf.place.strip_prefix(&self.place).unwrap_or(&leaf.place);
            Failed {
                message: format!("{}{}", below.trim_start_matches('.'), failed.message),
                ..failed
            }
        })
    }

    fn leaves(&self) -> impl Iterator<Item = (&str, &Filter)> {
        let mut leaves = Vec::new();
        self.query.walk(None, &mut |leaf, _| leaves.push(leaf));
        leaves
            .into_iter()
            .map(|leaf| (leaf.place.as_str(), &leaf.filter))
    }

    fn null_leaves(&self, query: &Value) -> Vec<&str> {
        let mut nulls = Vec::new();
        self.query.walk(Some(query), &mut |leaf, given| {
            if given.is_some_and(Value::is_null) {
                nulls.push(leaf.place.as_str());
            }
        });
        nulls
    }
}

impl Node {
    /// The value, or the leaf that has none and what to say behind its place.
    fn evaluate(&self, record: &Val) -> Result<Value, (&Leaf, Failed)> {
        Ok(match self {
            Node::Literal(value) => value.clone(),
            Node::Jq(leaf) => match leaf.filter.output(record) {
                Ok(Some(value)) => value.into_val().to_json(),
                Ok(None) => {
                    let failed = Failed {
                        message: " gave nothing".to_owned(),
                        limit: false,
                        hint: None,
                    };
                    return Err((leaf, failed));
                }
                Err(error) => {
                    let failed = Failed::from(error);
                    let message = format!(": {}", failed.message);
                    return Err((leaf, Failed { message, ..failed }));
                }
            },
            Node::List(items) => {
                let items = items.iter().map(|item| item.evaluate(record));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            Node::Object(entries) => {
                let mut object = Map::new();
                for (key, node) in entries {
                    object.insert(key.clone(), node.evaluate(record)?);
                }
                Value::Object(object)
            }
        })
    }

    /// Calls `f` for each leaf, with what stands in its place in `given`, a query that this made.
    fn walk<'s, 'g>(
        &'s self,
        given: Option<&'g Value>,
        f: &mut dyn FnMut(&'s Leaf, Option<&'g Value>),
    ) {
        match self {
            Node::Literal(_) => {}
            Node::Jq(leaf) => f(leaf, given),
            Node::List(items) => items.iter().enumerate().for_each(|(index, item)| {
                item.walk(given.and_then(|given| given.get(index)), f);
            }),
            Node::Object(entries) => entries.iter().for_each(|(key, node)| {
                node.walk(given.and_then(|given| given.get(key)), f);
            }),
        }
    }
}

/// A group has a combinator and a list of rules, each of them a rule or a group.
fn check_group(group: &Value, place: &str, report: &mut dyn FnMut(String, String)) -> bool {
    let mut sound = true;
    let mut problem = |place: String, message: &str| {
        report(place, message.to_owned());
        sound = false;
    };
    let combinator = group.get("combinator");
    let said = combinator
        .and_then(Value::as_str)
        .and_then(|jq| compile_jq(jq).ok()?.as_constant());
    if said.is_some_and(|said| !matches!(said.as_str(), Some("and" | "or"))) {
        problem(
            format!("{place}.combinator"),
            r#"is neither "and" nor "or", which Port asks for"#,
        );
    }
    if combinator.is_none() {
        problem(
            place.to_owned(),
            r#"has no combinator; add combinator: '"and"' or '"or"'"#,
        );
    }
    let rules = match group.get("rules") {
        Some(Value::Array(rules)) if rules.is_empty() => {
            problem(
                format!("{place}.rules"),
                "is empty, which every entity fits; add a rule with property, operator and value",
            );
            &[]
        }
        Some(Value::Array(rules)) => rules.as_slice(),
        Some(_) => {
            problem(
                format!("{place}.rules"),
                "is no list; write each rule as an item",
            );
            &[]
        }
        None => {
            problem(
                place.to_owned(),
                "has no rules; add a list of rules with property, operator and value",
            );
            &[]
        }
    };
    for (index, rule) in rules.iter().enumerate() {
        let place = format!("{place}.rules[{index}]");
        match rule {
            Value::Object(fields)
                if fields.contains_key("rules") || fields.contains_key("combinator") =>
            {
                sound &= check_group(rule, &place, report);
            }
            Value::Object(fields) if fields.contains_key("operator") => {
                for (key, meant) in misspelt(fields) {
                    report(
                        format!("{place}.{key}"),
                        format!("is no part of a rule; did you mean `{meant}`?"),
                    );
                    sound = false;
                }
            }
            Value::Object(_) => {
                report(
                    place,
                    r#"has no operator; add one such as operator: '"="'"#.to_owned(),
                );
                sound = false;
            }
            _ => {
                report(
                    place,
                    "is no rule; write an object with property, operator and value".to_owned(),
                );
                sound = false;
            }
        }
    }
    sound
}

/// Keys of a rule that are nearly those which it lacks. Others are left to Port, whose rules may have more.
fn misspelt(rule: &Map<String, Value>) -> impl Iterator<Item = (&String, &'static str)> {
    const ALIKE: f64 = 0.7;
    const KEYS: [&str; 2] = ["property", "value"];
    rule.keys()
        .filter(|key| !KEYS.contains(&key.as_str()))
        .filter_map(|key| {
            let lacking = KEYS.iter().filter(|wanted| !rule.contains_key(**wanted));
            let mut near = lacking
                .filter(|wanted| strsim::normalized_damerau_levenshtein(wanted, key) >= ALIKE);
            Some((key, *near.next()?))
        })
}

fn compile_node(
    value: &Value,
    place: &str,
    report: &mut dyn FnMut(String, String),
    sound: &mut bool,
) -> Node {
    match value {
        Value::String(jq) => match compile_jq(jq) {
            Ok(filter) => match filter.as_constant() {
                Some(constant) => Node::Literal(constant.to_json()),
                None => Node::Jq(Leaf {
                    place: place.to_owned(),
                    filter,
                }),
            },
            Err(message) => {
                report(place.to_owned(), message);
                *sound = false;
                Node::Literal(Value::Null)
            }
        },
        Value::Array(items) => Node::List(
            items
                .iter()
                .enumerate()
                .map(|(index, item)| {
                    compile_node(item, &format!("{place}[{index}]"), report, sound)
                })
                .collect(),
        ),
        Value::Object(entries) => Node::Object(
            entries
                .iter()
                .map(|(key, value)| {
                    let node = compile_node(value, &format!("{place}.{key}"), report, sound);
                    (key.clone(), node)
                })
                .collect(),
        ),
        literal => Node::Literal(literal.clone()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    impl Source {
        fn first(&self, record: &Val) -> Result<Option<Val>, Failed> {
            let given = self.output(record)?;
            Ok(given.map(|given| match given {
                Given::Jq(output) => output.into_val(),
                Given::Search(query) => Val::from(query),
            }))
        }
    }

    fn compile(query: Value) -> Result<Source, Vec<String>> {
        let mut problems = Vec::new();
        let source = Source::compile("team", &query.into(), &mut |place, message| {
            problems.push(format!("{place}: {message}"))
        });
        source.ok_or(problems)
    }

    #[test]
    fn every_leaf_of_nested_rules_is_evaluated_on_the_record() {
        let source = compile(json!({
            "combinator": "'and'",
            "rules": [
                {"property": "'$title'", "operator": "'='", "value": ".owner.name"},
                {"combinator": "'or'", "rules": [
                    {"property": ".field", "operator": "'in'", "value": [".a", "'b'", 3, true]},
                ]},
            ],
        }))
        .unwrap();
        let record = Val::from(json!({"owner": {"name": "ann"}, "field": "tier", "a": 1}));
        assert_eq!(
            source.first(&record).unwrap().unwrap().to_json(),
            json!({
                "combinator": "and",
                "rules": [
                    {"property": "$title", "operator": "=", "value": "ann"},
                    {"combinator": "or", "rules": [{"property": "tier", "operator": "in", "value": [1, "b", 3, true]}]},
                ],
            })
        );
    }

    #[test]
    fn a_null_leaf_goes_to_port_and_a_failing_or_empty_one_names_its_place() {
        let rule = |value: &str| json!({"combinator": "'and'", "rules": [{"property": "'p'", "operator": "'='", "value": value}]});
        let record = Val::from(json!({"a": 1}));
        let null = compile(rule(".b"))
            .unwrap()
            .first(&record)
            .unwrap()
            .unwrap()
            .to_json();
        assert_eq!(null["rules"][0]["value"], Value::Null);
        let failed = compile(rule(".a.b")).unwrap().first(&record).unwrap_err();
        assert_eq!(
            failed.message,
            "rules[0].value: cannot index number with string"
        );
        let none = compile(rule("empty")).unwrap().first(&record).unwrap_err();
        assert_eq!(none.message, "rules[0].value gave nothing");
    }

    #[test]
    fn every_problem_of_a_query_is_found_at_once() {
        let problems = compile(json!({
            "rules": [
                {"property": "'a'", "value": "1"},
                "x",
                {"combinator": "'or'"},
                {"property": ".[", "operator": "''"},
                {"combinator": "'xor'", "rules": []},
                {"propery": "'a'", "operator": "'='", "vlaue": ".b", "blueprint": "'x'"},
            ],
        }))
        .unwrap_err();
        for start in [
            "team: has no combinator",
            "team.rules[0]: has no operator",
            "team.rules[1]: is no rule",
            "team.rules[2]: has no rules",
            "team.rules[3].property: ",
            "team.rules[4].combinator: is neither",
            "team.rules[4].rules: is empty",
            "team.rules[5].propery: is no part of a rule; did you mean `property`?",
            "team.rules[5].vlaue: is no part of a rule; did you mean `value`?",
        ] {
            assert!(
                problems.iter().any(|p| p.starts_with(start)),
                "{start} is not in {problems:?}"
            );
        }
    }

    #[test]
    fn neither_text_nor_object_is_refused() {
        for written in [json!(5), json!([".a"]), json!(null), json!({})] {
            assert!(compile(written.clone()).is_err(), "{written}");
        }
        assert!(compile(json!(" ")).is_err());
    }
}
