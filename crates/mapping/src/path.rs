//! The plain path that an expression starts with: `.a.b["c d"][0]`, as far as it is one.

use longshore_jq::Step;

/// The path that `jq` reads, when that can be told from its text: of `.a.b`, `.a.b // []`, `(.a.b | map(.c))` and `. as $all | .a.b`
/// it is `.a.b`. `None` where the expression starts otherwise (`[.a[]]`, `.a + .b`, `.[]`) or reads `.` itself.
pub(crate) fn leading_path(jq: &str) -> Option<Vec<Step>> {
    let mut text = jq.trim();
    loop {
        text = text.trim_start();
        if let Some(inner) = text.strip_prefix('(') {
            text = inner;
        } else if let Some(rest) = neutral_stage(text) {
            text = rest;
        } else {
            break;
        }
    }
    let (steps, rest) = steps(text)?;
    let rest = rest.trim_start_matches(|c: char| c == ')' || c.is_whitespace());
    let ends = rest.is_empty() || is_operator(rest, "|") || is_operator(rest, "//");
    (ends && !steps.is_empty()).then_some(steps)
}

/// Whether `rest` goes on with `operator`, and not with the update that is spelled with it (`|=`, `//=`).
fn is_operator(rest: &str, operator: &str) -> bool {
    rest.strip_prefix(operator)
        .is_some_and(|after| !after.starts_with('='))
}

/// Skips a first stage that hands on its input: `. |`, `$all |`, `. as $all |`.
fn neutral_stage(text: &str) -> Option<&str> {
    let rest = match text.strip_prefix('.') {
        Some(rest) => rest,
        None => variable(text)?,
    }
    .trim_start();
    let rest = match rest
        .strip_prefix("as")
        .map(str::trim_start)
        .and_then(variable)
    {
        Some(rest) => rest.trim_start(),
        None => rest,
    };
    rest.strip_prefix('|').filter(|rest| !rest.starts_with('='))
}

fn variable(text: &str) -> Option<&str> {
    let name = text.strip_prefix('$')?;
    let rest = name.trim_start_matches(|c: char| c == '_' || c.is_ascii_alphanumeric());
    (rest.len() < name.len()).then_some(rest)
}

fn steps(text: &str) -> Option<(Vec<Step>, &str)> {
    let mut steps = Vec::new();
    let mut rest = text.strip_prefix('.')?;
    let mut dotted = true; // the last thing read was a dot
    loop {
        if let Some(inner) = rest.strip_prefix('[') {
            let (inside, after) = inner.split_once(']')?;
            let inside = inside.trim();
            steps.push(match inside.strip_prefix('"') {
                Some(key) => Step::Key(plain_string(key.strip_suffix('"')?)?),
                None => Step::Index(inside.parse().ok()?),
            });
            rest = after;
        } else if let Some(next) = rest.strip_prefix('.').filter(|_| !dotted) {
            rest = next;
            dotted = true;
            continue;
        } else if let Some(key) = rest.strip_prefix('"').filter(|_| dotted) {
            let (key, after) = key.split_once('"')?;
            steps.push(Step::Key(plain_string(key)?));
            rest = after;
        } else if dotted && rest.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic()) {
            let end = rest
                .find(|c: char| c != '_' && !c.is_ascii_alphanumeric())
                .unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
        } else if let Some(after) = rest.strip_prefix('?').filter(|_| !dotted) {
            rest = after;
            continue;
        } else {
            // A dot with nothing behind it is `.` at the start and a mistake elsewhere.
            return (!dotted || steps.is_empty()).then_some((steps, rest));
        }
        dotted = false;
    }
}

/// Keys with escapes, quotes, brackets or interpolation are left to jq: nothing that is read here depends on them.
fn plain_string(key: &str) -> Option<String> {
    (!key.contains(['\\', '"'])).then(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use longshore_jq::path_text;

    use super::*;

    fn path_of(jq: &str) -> Option<String> {
        leading_path(jq).map(|steps| path_text(&steps))
    }

    #[test]
    fn the_path_is_found_behind_parentheses_variables_and_before_fallbacks() {
        for jq in [
            ".file.content",
            " .file.content ",
            ".file?.content?",
            r#".["file"].content"#,
            r#"."file"["content"]"#,
            "(.file.content)",
            ". | .file.content",
            ". as $root | .file.content",
            ". as $all | ($all | .file.content) // {}",
            "(. as $all | .file.content // [])",
            ".file.content // []",
            ".file.content | map(select(.x))",
            ".file.content|map(.x)",
        ] {
            assert_eq!(path_of(jq).as_deref(), Some(".file.content"), "{jq}");
        }
        assert_eq!(path_of(".[0].key[-1]").as_deref(), Some(".[0].key[-1]"));
    }

    #[test]
    fn other_expressions_have_no_path() {
        for jq in [
            "",
            " ",
            ".",
            "(.)",
            "$items",
            ".a + .b",
            ".a, .b",
            ".a[]",
            ".[]",
            "[.a[]]",
            ".a |= 1",
            ".a //= 1",
            ".a.",
            "keys",
            r#".["a\"b"]"#,
            r#".["\(.x)"]"#,
            ".a-b",
            ". as [$x] | .a",
            "-.a",
            ".a as $x | .b",
            ".a==1",
            "(.a) + .b",
            ".a[:2]",
        ] {
            assert_eq!(path_of(jq), None, "{jq}");
        }
    }
}
