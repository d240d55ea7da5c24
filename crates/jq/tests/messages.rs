//! What people read when an expression is wrong, or does not fit a record.

use longshore_jq::{EvalErrorKind, Filter, Val};
use serde_json::json;

#[test]
fn what_is_no_jq_is_refused_with_its_place() {
    for (text, message) in [
        (
            "",
            "the expression is empty: `.` passes the value on as it is (at character 1)",
        ),
        (
            ".a |",
            "expected a value or a path, found the end (at character 5)",
        ),
        (
            "| .a",
            "expected a value or a path, found `|` (at character 1)",
        ),
        (
            ".a)",
            "expected the end of the expression, found `)` (at character 3)",
        ),
        ("(.a", "expected `)`, found the end (at character 4)"),
        (
            "[1, 2,]",
            "expected a value or a path, found `]` (at character 7)",
        ),
        (".é", "`é` means nothing in jq (at character 2)"),
        (
            "'a'",
            "strings stand in double quotes, not in single ones (at character 1)",
        ),
        ("\"abc", "the string has no closing quote (at character 1)"),
        (
            "\"a\\d\"",
            "unknown escape: `\\\\` is a backslash in a string (at character 3)",
        ),
        (
            "if .a then 1",
            "expected `elif`, `else` or `end`, found the end (at character 13); every `if` ends with `end`",
        ),
        (
            ".a == 1 == 2",
            "comparisons and assignments do not chain: use parentheses (at character 9)",
        ),
        (
            ".a = .b = 2",
            "comparisons and assignments do not chain: use parentheses (at character 9)",
        ),
        (
            ".a?//1",
            "`?//` is one word in jq: write `? //` for \"nothing on errors, or else\" (at character 3)",
        ),
        (
            "{1: 2}",
            "object keys are strings: put the number in quotes (at character 2)",
        ),
        ("{(1): 2}", "object keys are strings (at character 2)"),
        (
            "import \"a\" as a; 1",
            "`import`: there are no modules here (at character 1)",
        ),
        (
            ". as [] | 1",
            "expected a variable such as `$x`, or `[` or `{`, found `]` (at character 7)",
        ),
        (
            "lenght",
            "function `lenght` is not defined (at character 1); text stands in double quotes, and a key of the record begins with a dot",
        ),
        (
            ".a | split(1; 2; 3)",
            "function `split` with 3 arguments is not defined (at character 6)",
        ),
        (
            "longshore_main",
            "function `longshore_main` is not defined (at character 1); text stands in double quotes, and a key of the record begins with a dot",
        ),
        (
            "longshore_main | longshore_main_",
            "function `longshore_main` is not defined (at character 1)",
        ),
        ("$x", "variable `$x` is not defined (at character 1)"),
        ("break $out", "label `$out` is not defined (at character 7)"),
        (
            ".first-name",
            "function `name` is not defined: a key with a dash is written `.[\"first-name\"]` (at character 8)",
        ),
    ] {
        let error = Filter::compile(text).expect_err(text);
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn an_error_tells_the_cause_and_none_of_the_data() {
    let secret = "canary-7f3a";
    let record = Val::from_json(&json!({"name": secret, "list": [secret], secret: 1}));
    for (program, kind, message) in [
        (
            ".name.first",
            EvalErrorKind::Data,
            "cannot index string with string",
        ),
        (
            ".list.x",
            EvalErrorKind::Data,
            "cannot index array with string",
        ),
        (
            ".name[0]",
            EvalErrorKind::Data,
            "cannot index string with number",
        ),
        (".name[]", EvalErrorKind::Data, "cannot iterate over string"),
        (
            ".name + 1",
            EvalErrorKind::Data,
            "string and number cannot be added",
        ),
        (
            ".name / 0",
            EvalErrorKind::Data,
            "string and number cannot be divided",
        ),
        (
            "1 / 0",
            EvalErrorKind::Data,
            "number and number cannot be divided because the divisor is zero",
        ),
        (
            ".name | tonumber",
            EvalErrorKind::Data,
            "string cannot be parsed as a number",
        ),
        (
            ".name | fromjson",
            EvalErrorKind::Data,
            "the text is no JSON",
        ),
        (
            ".name | todate",
            EvalErrorKind::Data,
            "strftime/1 requires parsed datetime inputs",
        ),
        (
            ".name | fromdate",
            EvalErrorKind::Data,
            "the date does not match the format",
        ),
        (
            ".name | test(\"(\")",
            EvalErrorKind::Data,
            "no valid regular expression",
        ),
        (
            ".list | has(\"a\")",
            EvalErrorKind::Data,
            "cannot look for a key of type string in array",
        ),
        (
            "path(.name | tostring)",
            EvalErrorKind::Data,
            "the expression uses as a path what is none",
        ),
        (
            ".name | sin",
            EvalErrorKind::Data,
            "a function was given a value of the wrong type",
        ),
        (
            "error(.name)",
            EvalErrorKind::Raised,
            "the expression raised an error",
        ),
        (
            "error",
            EvalErrorKind::Raised,
            "the expression raised an error",
        ),
        (
            "if .team then . else error(\"no team\") end",
            EvalErrorKind::Raised,
            "the expression raised the error \"no team\"",
        ),
        (
            "\"no\\nteam\" | error",
            EvalErrorKind::Raised,
            "the expression raised the error \"no\\nteam\"",
        ),
        (
            "error(\"no team of \\(.name)\")",
            EvalErrorKind::Raised,
            "the expression raised an error",
        ),
        (
            "{(.list[0]): 1, (.list): 2}",
            EvalErrorKind::Data,
            "cannot use array as object key",
        ),
        (
            "halt",
            EvalErrorKind::Halt,
            "the expression ends the program, which it may not",
        ),
        (
            "last(repeat(.))",
            EvalErrorKind::Limit,
            "the expression takes too long: does it loop without end?",
        ),
    ] {
        let error = Filter::compile(program)
            .unwrap()
            .first(&record)
            .expect_err(program);
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (kind, message),
            "{program}"
        );
        assert!(!format!("{error:?}").contains(secret), "{program}");
    }
}

#[test]
fn messages_that_a_program_catches_are_those_of_jq() {
    let record = Val::from_json(&json!({"name": "Ada", "n": 1}));
    for (program, message) in [
        (
            "try (.name + 1) catch .",
            "string (\"Ada\") and number (1) cannot be added",
        ),
        (
            "try .n.x catch .",
            "Cannot index number with string (\"x\")",
        ),
        ("try .n[] catch .", "Cannot iterate over number (1)"),
        (
            "try (.name | tonumber) catch .",
            "string (\"Ada\") cannot be parsed as a number",
        ),
        (
            "try (\"a\" * 50 + 1) catch .",
            "string (\"aaaaaaaaaaaaaaaaaaaaaaaa...\") and number (1) cannot be added",
        ),
        ("try error(\"x\") catch .", "x"),
    ] {
        let output = Filter::compile(program).unwrap().first(&record).unwrap();
        assert_eq!(output, Some(Val::from(message)), "{program}");
    }
}

#[test]
fn a_filter_shows_its_text_and_keeps_single_quotes() {
    let filter = Filter::compile_mapping(".type == 'Bug'").unwrap();
    assert_eq!(filter.source(), ".type == 'Bug'");
    assert_eq!(format!("{filter:?}"), "Filter(\".type == 'Bug'\")");
}

#[test]
fn an_error_keeps_its_cause_however_many_others_a_program_meets_on_its_way() {
    let record = Val::from_json(&json!({"a": "x", "b": {}}));
    for program in [
        "(try .a.b catch .) as $first | reduce range(100) as $i (0; . + (try ([$i] + 1) catch 1)) | $first | error",
        "try .a.b catch (. as $cause | [range(50) | try (\"x\" - .) catch .] | $cause | error)",
        "{([{(.a.b): ., a, \"b\"}]): {(.b): (.a | strptime(.)), a, \"b\"}, a, \"b\"}",
    ] {
        let error = Filter::compile(program)
            .unwrap()
            .first(&record)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot index string with string",
            "{program}"
        );
        assert_eq!(error.kind(), EvalErrorKind::Data, "{program}");
    }
}
