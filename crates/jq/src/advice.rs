//! What to write instead, where it is plain why a program fails on a record or answers the same for all of them.

use crate::syntax::{Tm, each_part};
use jaq_core::load::parse::{BinaryOp, Term};

const JOINED: &str = "nothing becomes text by itself: `\"T-\\(.id)\"`, or `(.id | tostring)`";
const ADDED_TO_LIST: &str = "an item is added to a list in brackets: `.list + [.item]`";
const AMONG: &str = "a value among others is found by `.state | IN(\"open\", \"new\")`, and an item of a list by `any(.tags[]; . == \"a\")`";
const ITEM: &str = "an item of a list is found by `any(.tags[]; . == \"a\")`";
const NO_ITEMS: &str =
    "where the list may be missing: `.items[]?`, or `(.items // []) | map(.name)`";
const NULL: &str = "where it may be null give it a default: `(.name // \"\")`";
const TEXT: &str = "only text has this: where it may be null give it a default, `(.name // \"\")`, and numbers become text by `tostring`";
const OF_ITEMS: &str =
    "the items of a list have keys, not the list: `.items[0].name`, or `.items | map(.name)`";
const KEY: &str = "keys are text: `{(.id | tostring): .name}`";
const DATE: &str = "`fromdate` reads `2024-03-05T10:11:12Z`; fractions of seconds are cut by `sub(\"\\\\.[0-9]+\"; \"\")` before it, and other forms read by `strptime(\"%Y-%m-%d\")`";
const UNREAD: &str = "text is read before it is written in another form: `.created | fromdate | strftime(\"%Y-%m-%d\")`";
const SECONDS: &str = "seconds since 1970 are no text: `.created | todate` writes them; where it may be null: `.created // empty`";
const FORMATS: &str = "formats are `@csv`, `@json`, `@base64` and the like; times are written by `strftime(\"%Y-%m-%d\")`";
const LIST_OF_VALUES: &str = "`IN` takes values, not a list of them: `IN(\"open\", \"new\")`, or `IN([\"open\", \"new\"][])`";

const TEXT_AS_CONDITION: &str =
    "a text is always true as a condition: `.state == \"open\" or .state == \"new\"`";

/// One line about an error, by its text without data.
pub(crate) fn of_failure(message: &str) -> Option<&'static str> {
    let starts = |start: &str| message.starts_with(start);
    let has = |type_name: &str| {
        let mut words = message.split(' ');
        words.next() == Some(type_name) || words.nth(1) == Some(type_name)
    };
    Some(match message {
        _ if message.ends_with(" cannot be added") && has("string") => JOINED,
        _ if message.ends_with(" cannot be added") && has("array") => ADDED_TO_LIST,
        _ if starts("cannot look for a key of type ") => AMONG,
        "array and string cannot have their containment checked" => ITEM,
        "cannot iterate over null" => NO_ITEMS,
        "cannot index array with string" => OF_ITEMS,
        "cannot use number as object key" => KEY,
        "the date does not match the format" => DATE,
        "strftime/1 requires parsed datetime inputs" => UNREAD,
        "not a valid format" => FORMATS,
        "strptime/1 requires string inputs and arguments" => SECONDS,
        "explode input must be a string"
        | "split input and separator must be strings"
        | "startswith() requires string inputs"
        | "endswith() requires string inputs"
        | "trim input must be a string" => TEXT,
        _ if starts("number cannot be matched") => TEXT,
        _ if starts("null and ") || starts("null cannot ") || starts("null has no keys") => NULL,
        _ => return None,
    })
}

/// One line about a program that most likely does not mean what it says, whatever the record is.
pub(crate) fn of_program(term: &Tm<'_>) -> Option<&'static str> {
    match term {
        Term::Call("IN", args) if matches!(&args[..], [Term::Arr(Some(_))]) => {
            return Some(LIST_OF_VALUES);
        }
        Term::BinOp(l, BinaryOp::Or | BinaryOp::And, r)
            if [l, r].iter().any(|side| matches!(***side, Term::Str(..))) =>
        {
            return Some(TEXT_AS_CONDITION);
        }
        _ => {}
    }
    let mut found = None;
    each_part(term, &mut |part| found = found.or_else(|| of_program(part)));
    found
}

#[cfg(test)]
mod tests {
    use crate::{Filter, Val};
    use serde_json::json;

    #[test]
    fn errors_with_a_plain_cause_say_what_to_write() {
        for (program, hint) in [
            (".name + .id", "`\"T-\\(.id)\"`"),
            (".tags + .name", "`\"T-\\(.id)\"`"),
            (".tags + .id", "`.list + [.item]`"),
            (".name | in([\"Ada\"])", "`.state | IN("),
            (".tags | has(\"a\")", "`any("),
            (".tags | contains(\"a\")", "`any("),
            (".none[]", "`.items[]?`"),
            (".none | map(.x)", "`(.items // [])"),
            (".tags.a", "`.items | map(.name)`"),
            ("{(.id): 1}", "`{(.id | tostring): .name}`"),
            (".at | fromdate", "`sub(\"\\\\.[0-9]+\"; \"\")`"),
            (".at | strftime(\"%Y\")", "`.created | fromdate | strftime("),
            (".at | format(\"%Y\")", "`strftime("),
            (".id | fromdate", "`.created | todate`"),
            (".none | test(\"a\")", "`(.name // \"\")`"),
            (".id | test(\"a\")", "`tostring`"),
            (".none | ascii_downcase", "`(.name // \"\")`"),
            (".none | split(\"a\")", "`(.name // \"\")`"),
            (".id | startswith(\"a\")", "`tostring`"),
            (".none | contains(\"a\")", "`(.name // \"\")`"),
            (".none - 1", "`(.name // \"\")`"),
            (".none | keys", "`(.name // \"\")`"),
        ] {
            let error = Filter::compile(program)
                .unwrap()
                .first(&record())
                .unwrap_err();
            let given = error.hint().unwrap_or_else(|| panic!("{program}: {error}"));
            assert!(given.contains(hint), "{program}: {given}");
        }
    }

    #[test]
    fn where_nothing_is_plain_nothing_is_said() {
        for program in [
            ".name.x",
            ".name[]",
            ".name - 1",
            "error(\"x and string cannot be added\")",
            "last(repeat(1))",
            ".name | tonumber",
        ] {
            let error = Filter::compile(program)
                .unwrap()
                .first(&record())
                .unwrap_err();
            assert_eq!(error.hint(), None, "{program}: {error}");
        }
    }

    #[test]
    fn what_is_said_is_jq_that_works() {
        for (program, answer) in [
            (
                ".at | sub(\"\\\\.[0-9]+\"; \"\") | fromdate",
                json!(1709633472),
            ),
            (".name | IN(\"Ada\", \"Bob\")", json!(true)),
            (".name | IN([\"Ada\"][])", json!(true)),
            ("any(.tags[]; . == \"a\")", json!(true)),
            ("(.none // []) | map(.name)", json!([])),
            ("{(.id | tostring): .name}", json!({"7": "Ada"})),
            (".tags + [.id]", json!(["a", 7])),
        ] {
            let given = Filter::compile(program).unwrap().first(&record()).unwrap();
            assert_eq!(
                given.map(|given| given.to_json()),
                Some(answer),
                "{program}"
            );
        }
    }

    #[test]
    fn lists_and_texts_where_they_mean_nothing_are_noticed_wherever_they_stand() {
        for program in [
            ".state == \"open\" or \"new\"",
            "map(select(\"a\" and .b))",
            "IN([\"a\", \"b\"])",
            ".state | IN([\"a\"])",
            "[.x[] | select(.y | IN([1]) | not)]",
        ] {
            assert!(
                Filter::compile(program).unwrap().hint().is_some(),
                "{program}"
            );
        }
        for program in [
            "IN(\"a\", \"b\")",
            "IN([\"a\"][])",
            "IN(.tags[])",
            "IN(.x; [1])",
            ".a == \"x\" or .b == \"y\"",
            ".a or (.b // \"x\")",
            "[1]",
            "\"x\"",
        ] {
            assert_eq!(Filter::compile(program).unwrap().hint(), None, "{program}");
        }
    }

    fn record() -> Val {
        Val::from_json(
            &json!({"id": 7, "name": "Ada", "tags": ["a"], "at": "2024-03-05T10:11:12.123Z", "none": null}),
        )
    }
}
