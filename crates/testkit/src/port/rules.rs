//! Port's search rules, as far as a double needs them. A rule that is not known is an error: it never matches nothing in silence.

use serde_json::Value;

/// Whether the entity satisfies `{"combinator": "and" | "or", "rules": […]}`, which may nest.
pub(super) fn matches(query: &Value, entity: &Value) -> Result<bool, String> {
    let Some(rules) = query["rules"].as_array() else {
        return Err("a search needs `rules`".to_owned());
    };
    let any = match query["combinator"].as_str() {
        Some("and") => false,
        Some("or") => true,
        _ => return Err("`combinator` must be `and` or `or`".to_owned()),
    };
    // All rules are looked at, so that one that is not known is found whatever the others say.
    let mut verdicts = Vec::new();
    for rule in rules {
        verdicts.push(if rule.get("rules").is_some() {
            matches(rule, entity)?
        } else {
            satisfies(rule, entity)?
        });
    }
    Ok(if any {
        verdicts.contains(&true)
    } else {
        !verdicts.contains(&false)
    })
}

fn satisfies(rule: &Value, entity: &Value) -> Result<bool, String> {
    let (Some(property), Some(operator)) = (rule["property"].as_str(), rule["operator"].as_str())
    else {
        return Err("the double knows rules of `property`, `operator` and `value` only".to_owned());
    };
    let actual = match property.strip_prefix('$') {
        Some(field) => &entity[field],
        None => &entity["properties"][property],
    };
    let value = &rule["value"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(match operator {
        "=" => actual == value,
        "!=" => actual != value,
        "in" => listed(value, operator)?.contains(actual),
        "notIn" => !listed(value, operator)?.contains(actual),
        "contains" => contains(actual, value),
        "doesNotContains" | "doesNotContain" => !contains(actual, value),
        "containsAny" => listed(value, operator)?
            .iter()
            .any(|item| contains(actual, item)),
        "beginsWith" => text(actual).starts_with(&text(value)),
        "endsWith" => text(actual).ends_with(&text(value)),
        "isEmpty" => is_empty(actual),
        "isNotEmpty" => !is_empty(actual),
        ">" | "<" | ">=" | "<=" => compares(actual, operator, value),
        unknown => return Err(format!("the double does not know the operator `{unknown}`")),
    })
}

fn listed<'a>(value: &'a Value, operator: &str) -> Result<&'a Vec<Value>, String> {
    value
        .as_array()
        .ok_or_else(|| format!("`{operator}` needs a list"))
}

fn contains(actual: &Value, part: &Value) -> bool {
    match actual {
        Value::String(text) => part.as_str().is_some_and(|part| text.contains(part)),
        Value::Array(items) => items.contains(part),
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// Numbers by value; text, times included, by its letters.
fn compares(actual: &Value, operator: &str, value: &Value) -> bool {
    let ordering = match (actual.as_f64(), value.as_f64()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => actual.as_str().zip(value.as_str()).map(|(a, b)| a.cmp(b)),
    };
    ordering.is_some_and(|ordering| match operator {
        ">" => ordering.is_gt(),
        "<" => ordering.is_lt(),
        ">=" => ordering.is_ge(),
        _ => ordering.is_le(),
    })
}
