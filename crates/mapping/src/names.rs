//! Which names of blueprints and of their fields Port takes, by its OpenAPI description.

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};

/// Characters of a name that Port takes at most.
const LONGEST: usize = 100;

/// Why no blueprint has a property or relation of this name, in one line.
///
/// ```
/// use longshore_mapping::field_name_problem;
///
/// assert_eq!(field_name_problem("created_at"), None);
/// assert!(field_name_problem("created at").is_some());
/// ```
pub fn field_name_problem(name: &str) -> Option<&'static str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || "@_=\\-".contains(c);
    let is_fine = !name.is_empty() && name.len() <= LONGEST && name.chars().all(fits);
    (!is_fine).then_some(
        "Port takes names of up to 100 letters A-Z and a-z, digits and characters of @ _ = \\ -; rename it in the mapping",
    )
}

/// Why Port has no blueprint of this name, in one line.
///
/// ```
/// use longshore_mapping::blueprint_name_problem;
///
/// assert_eq!(blueprint_name_problem("jira/issue"), None);
/// assert!(blueprint_name_problem("jira issue").is_some());
/// ```
pub fn blueprint_name_problem(name: &str) -> Option<&'static str> {
    let fits = |c: char| match c.is_ascii() {
        true => c.is_ascii_alphanumeric() || "@_.+:\\/-".contains(c),
        false => is_letter(c),
    };
    let dots = name == "." || name == "..";
    let is_fine =
        !name.is_empty() && name.chars().count() <= LONGEST && name.chars().all(fits) && !dots;
    (!is_fine).then_some(
        "a blueprint's identifier has up to 100 letters, digits and characters of @ _ . + : \\ / -, and is neither `.` nor `..`",
    )
}

/// Whether it is of the category `\p{L}`. `char::is_alphabetic` is wider: it has marks and letter numbers too.
fn is_letter(c: char) -> bool {
    GeneralCategoryGroup::Letter.contains(CodePointMapData::<GeneralCategory>::new().get(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_port_refuses_are_told_from_those_that_it_takes() {
        for name in ["created_at", "a-b", "A=1", "a\\b", "@id"] {
            assert_eq!(field_name_problem(name), None, "{name}");
        }
        for name in [
            "",
            "weird key",
            "a/b",
            "a.b",
            "$x",
            "ümlaut",
            &"a".repeat(101),
        ] {
            assert!(field_name_problem(name).is_some(), "{name}");
        }
        for name in ["user", "große/dinge", "a.b", &"ä".repeat(100)] {
            assert_eq!(blueprint_name_problem(name), None, "{name}");
        }
        for name in [
            "",
            ".",
            "..",
            "Odd Thing",
            "a=b",
            "ⅷ",
            "e\u{301}",
            &"a".repeat(101),
        ] {
            assert!(blueprint_name_problem(name).is_some(), "{name}");
        }
    }
}
