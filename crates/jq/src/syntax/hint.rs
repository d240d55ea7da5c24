//! What people who come from other languages most likely mean, in jq's words.

const SIGN_IN_KEY: &str = "a key with such a sign is written `.[\"@type\"]`";

/// One line for what stands at that place of a program that does not compile: a function that is not defined, or a word or sign
/// that cannot stand there. `at` counts characters.
pub(crate) fn of(text: &str, at: usize) -> Option<&'static str> {
    let start = text.char_indices().nth(at).map_or(text.len(), |(i, _)| i);
    let (before, rest) = text.split_at(start);
    let end = rest
        .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    if rest.trim().is_empty() {
        // `@type` is a format to jq, which waits for a text behind it.
        if text.contains(".@") {
            return Some(SIGN_IN_KEY);
        }
        let count = |wanted: &str| {
            text.split(|c: char| c != '_' && c != '.' && !c.is_ascii_alphanumeric())
                .filter(|word| *word == wanted)
                .count()
        };
        return (count("if") > count("end")).then_some("every `if` ends with `end`");
    }
    if word.is_empty() {
        return of_sign(before, rest);
    }
    let compares = before.trim_end().ends_with("==") || before.trim_end().ends_with("!=");
    Some(match word.to_ascii_lowercase().as_str() {
        "none" | "nil" | "null" | "undefined" => "jq's word for nothing is `null`",
        "true" | "false" => "jq writes `true` and `false` in lower case",
        "in" => "whether a value is among others: `.state | IN(\"open\", \"new\")`",
        "is" => "values are compared by `==`: `.owner == null`",
        "not" => "`!=` compares, and `| not` behind a condition turns it around",
        "then" | "elif" | "end" | "if" => "keywords are in lower case: `if … then … else … end`",
        "lower" | "lowercase" | "tolower" | "tolowercase" | "to_lower" | "ascii_lowercase"
        | "downcase" => "lower case is `ascii_downcase`",
        "upper" | "uppercase" | "toupper" | "touppercase" | "to_upper" | "ascii_uppercase"
        | "upcase" => "upper case is `ascii_upcase`",
        "replace" | "replaceall" | "replace_all" => {
            "text is replaced by a pattern: `gsub(\"a\"; \"b\")`"
        }
        "substring" | "substr" | "slice" => "a part of a text is a slice: `.[0:3]`",
        "concat" => "texts, lists and objects are joined by `+`",
        "len" | "size" | "count" | "strlen" => "the number of items or characters is `length`",
        "includes" => "whether there is such a part: `contains(\"a\")`, or `index(\"a\") != null`",
        "startswith" | "starts_with" => "what a text begins with: `startswith(\"a\")`",
        "endswith" | "ends_with" => "what a text ends with: `endswith(\"a\")`",
        "filter" | "where" => "items are chosen by `map(select(.ok))`",
        "foreach" | "each" => "each item is `.[]`, and all of them changed `map(…)`",
        "str" | "string" | "to_string" => "text of anything is `tostring`",
        "int" | "number" | "float" | "tointeger" | "tonum" | "to_number" | "parseint"
        | "parsefloat" => "a number of text is `tonumber`",
        "strip" => "white space is taken off by `trim`",
        "default" | "coalesce" | "ifnull" | "or_else" => {
            "what to take instead stands behind `//`: `.name // \"none\"`"
        }
        "date" | "format_date" | "to_date" | "todatetime" | "strftime" | "parse" => {
            "times are read by `strptime(\"%Y-%m-%d\")` or `fromdate`, and written by `strftime(\"%Y-%m-%d\")` or `todate`"
        }
        "find" => "the first one that fits is `first(.[] | select(.ok))`",
        "regex" | "matches" | "regex_match" => "patterns are tried by `test(\"a.*\")`",
        "sub" | "gsub" | "splits" | "limit" | "range" | "setpath" | "capture" | "test"
        | "match" | "scan" | "split" | "nth" | "until" | "while" | "any" | "all"
            if behind.starts_with('(') && behind.contains(',') =>
        {
            "arguments are divided by `;`, as in `gsub(\"a\"; \"b\")`"
        }
        _ if behind.starts_with('.') && !before.trim_end().ends_with('.') => {
            "a path begins with a dot: `.item.name`"
        }
        _ if compares => "text stands in double quotes",
        _ if before.trim().is_empty() && behind.trim().is_empty() => {
            "text stands in double quotes, and a key of the record begins with a dot"
        }
        _ => return None,
    })
}

fn of_sign(before: &str, rest: &str) -> Option<&'static str> {
    let last = before.trim_end().chars().next_back();
    let mut signs = rest.chars();
    Some(match (signs.next()?, signs.next()) {
        ('*', _) if last == Some('[') => "all items are `[]`: `.items[]`",
        ('=', _) if before.trim_end().ends_with("!=") => {
            "values are told apart by `!=`: `.state != \"open\"`"
        }
        ('=', _) if last == Some('=') => "values are compared by `==`: `.state == \"open\"`",
        ('&', _) => "both is `and`: `.a and .b`",
        ('|', _) if last == Some('|') => "either is `or`, and a default stands behind `//`",
        ('!', _) => "`!=` compares, and `| not` behind a condition turns it around",
        ('?', _) if last == Some('?') => "a default stands behind `//`: `.a // \"none\"`",
        (':', _) if before.contains('?') => "a choice is `if .a then .b else .c end`",
        ('{', _) if last == Some('{') => "the expression stands alone, without `{{` and `}}`",
        ('$', Some('{')) => "the expression stands alone, without `${` and `}`",
        ('(', _) if before.contains('.') => {
            "functions stand behind a pipe instead of a dot: `.name | length`"
        }
        (')', _) if last == Some('(') => "a function without arguments has no parentheses: `now`",
        ('@' | '$', Some(c)) if last == Some('.') && c.is_ascii_alphabetic() => SIGN_IN_KEY,
        (';', _) => "`;` divides the arguments of a function; expressions are joined by `|`",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use crate::Filter;

    #[test]
    fn what_other_languages_say_is_told_in_words_of_jq() {
        for (program, hint) in [
            (".items[*].name", "`.items[]`"),
            (".state === \"open\"", "`==`"),
            (".state !== \"open\"", "`!=`"),
            (".a && .b", "`and`"),
            (".a || .b", "`or`"),
            ("!.a", "`| not`"),
            (".state in [\"a\", \"b\"]", "`.state | IN("),
            (".state IN (\"a\")", "`.state | IN("),
            (".a is null", "`==`"),
            (".a == None", "`null`"),
            (".a == True", "lower case"),
            ("if .a then 1", "ends with `end`"),
            (
                "if .a then 1 else if .b then 2 else 3 end",
                "ends with `end`",
            ),
            (".a ? .b : .c", "`if .a then .b else .c end`"),
            (".name.toLowerCase()", "behind a pipe"),
            (".name | lower", "`ascii_downcase`"),
            (".name | replace(\"a\"; \"b\")", "`gsub("),
            (".a | concat(.b)", "`+`"),
            (".items | len", "`length`"),
            (".name | startsWith(\"a\")", "`startswith("),
            (".a | gsub(\"-\", \"_\")", "divided by `;`"),
            (".a | filter(.b)", "`map(select("),
            (".a | default(\"x\")", "`//`"),
            (".created | date(\"x\")", "`strptime("),
            ("{{.a}}", "without `{{`"),
            ("${.a}", "without `${`"),
            ("now()", "no parentheses"),
            ("item.name", "begins with a dot"),
            ("user", "double quotes"),
            (".@type", "`.[\"@type\"]`"),
            (".$ref", "`.[\"@type\"]`"),
            (".first-name", "`.[\"first-name\"]`"),
        ] {
            let problem = Filter::compile(program).unwrap_err().to_string();
            assert!(problem.contains(hint), "{program}: {problem}");
        }
    }

    #[test]
    fn where_nothing_is_plain_nothing_is_added() {
        for program in [".a[", "\"abc", ".a as $x", ".a | nosuchthing", "1 +"] {
            let problem = Filter::compile(program).unwrap_err().to_string();
            assert!(!problem.contains(';'), "{program}: {problem}");
        }
    }
}
