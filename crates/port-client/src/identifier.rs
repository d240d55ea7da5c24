//! Which identifiers Port takes.

use std::fmt;

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup};
use longshore_mapping::Entity;
use serde_json::Value;

/// The longest identifier, in characters.
pub const MAX_IDENTIFIER_CHARS: usize = 1000;

/// What is wrong with an entity's identifier, or `None` when Port takes it.
///
/// Port's OpenAPI description asks for 1 to 1000 characters out of letters (of any script), the digits 0–9 and
/// `@ _ . + : \ / = -`, and refuses `.` and `..`. One identifier that breaks the rule fails the whole bulk call with a 422,
/// so it is checked before anything is sent.
///
/// ```
/// use longshore_port_client::identifier_problem;
///
/// assert_eq!(identifier_problem("octo/repo-ä@1.2"), None);
/// assert_eq!(
///     identifier_problem("first last").unwrap().to_string(),
///     "has the character ' ', which Port refuses in identifiers: \
///      replace it in the mapping, for example with gsub(\"[^A-Za-z0-9@_.+:/=-]\"; \"-\")",
/// );
/// ```
pub fn identifier_problem(identifier: &str) -> Option<IdentifierProblem> {
    if identifier.is_empty() {
        return Some(IdentifierProblem::Empty);
    }
    if identifier == "." || identifier == ".." {
        return Some(IdentifierProblem::Dots);
    }
    if let Some(character) = identifier.chars().find(|c| !is_allowed(*c)) {
        return Some(IdentifierProblem::Character(character));
    }
    // The length in bytes is an upper bound: most identifiers need no count.
    if identifier.len() > MAX_IDENTIFIER_CHARS {
        let characters = identifier.chars().count();
        if characters > MAX_IDENTIFIER_CHARS {
            return Some(IdentifierProblem::TooLong { characters });
        }
    }
    None
}

/// Why Port refuses this entity in any case, in one line, or `None`: its identifier, or an identifier that one of its relations leads to.
///
/// A relation holds an identifier, a list of identifiers, null for no target, or a search query. An empty text is no target and Port refuses it,
/// alone or in a list: one of them fails the whole bulk call with a 422, so it is found before anything is sent. It is never
/// taken for null, which would clear the relation.
///
/// ```
/// use longshore_port_client::{Entity, entity_problem};
/// use serde_json::json;
///
/// let mut entity = Entity::new("user", "ada");
/// entity.relations.insert("team".to_owned(), json!("blue team"));
/// assert!(entity_problem(&entity).unwrap().starts_with("the relation `team`: the identifier `blue team` has the character ' '"));
/// ```
pub fn entity_problem(entity: &Entity) -> Option<String> {
    if let Some(problem) = entity.identifier.as_str().and_then(identifier_problem) {
        return Some(format!("the identifier {problem}"));
    }
    entity.relations.iter().find_map(|(name, target)| {
        let problem = match target {
            Value::Array(targets) => targets.iter().find_map(|target| match target {
                Value::String(target) => target_problem(target),
                Value::Null => Some(
                    "its list has a null, which Port refuses: leave it out in the mapping, for example with map(values)".to_owned(),
                ),
                _ => Some("its list has something else than identifiers, which Port refuses".to_owned()),
            }),
            Value::String(target) => target_problem(target),
            Value::Null | Value::Object(_) => None,
            Value::Bool(_) | Value::Number(_) => {
                Some("it is neither an identifier nor a list of them, which Port refuses".to_owned())
            }
        };
        problem.map(|problem| format!("the relation `{name}`: {problem}"))
    })
}

fn target_problem(target: &str) -> Option<String> {
    /// Longer ones are cut in messages.
    const SHOWN: usize = 100;
    let problem = match identifier_problem(target)? {
        IdentifierProblem::Empty => {
            return Some(
                "it has an empty text, which Port refuses: give null where there is no target, for example with if . == \"\" then null else . end"
                    .to_owned(),
            );
        }
        problem => problem,
    };
    let mut shown: String = target.chars().filter(|c| !c.is_control()).collect();
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    Some(format!("the identifier `{shown}` {problem}"))
}

/// What Port would refuse in an identifier. `Display` completes "the identifier …".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentifierProblem {
    /// There is no character in it.
    Empty,
    /// It is `.` or `..`.
    Dots,
    /// The first character that is not allowed.
    Character(char),
    /// It is longer than [`MAX_IDENTIFIER_CHARS`].
    TooLong {
        /// Its length in characters.
        characters: usize,
    },
}

impl fmt::Display for IdentifierProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IdentifierProblem::Empty => f.write_str("is empty: map a field that every record has"),
            IdentifierProblem::Dots => {
                f.write_str("is `.` or `..`, which Port refuses: map another field")
            }
            IdentifierProblem::Character(c) => write!(
                f,
                "has the character {c:?}, which Port refuses in identifiers: replace it in the mapping, \
                 for example with gsub(\"[^A-Za-z0-9@_.+:/=-]\"; \"-\")"
            ),
            IdentifierProblem::TooLong { characters } => write!(
                f,
                "has {characters} characters, and Port takes {MAX_IDENTIFIER_CHARS}: map a shorter field"
            ),
        }
    }
}

fn is_allowed(c: char) -> bool {
    match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '@' | '_' | '.' | '+' | ':' | '\\' | '/' | '=' | '-' => true,
        c if c.is_ascii() => false,
        // `char::is_alphabetic` is wider than the pattern's \p{L}: it has marks and letter numbers too.
        c => {
            GeneralCategoryGroup::Letter.contains(CodePointMapData::<GeneralCategory>::new().get(c))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_pattern_allows_is_no_problem() {
        for fine in [
            "a",
            "0",
            "A-z_0.9",
            "@_.+:\\/=-",
            "...",
            ".a",
            "..a",
            "größe",
            "名前",
            "имя",
            "𐐀",
        ] {
            assert_eq!(identifier_problem(fine), None, "{fine}");
        }
    }

    #[test]
    fn the_first_character_that_the_pattern_refuses_is_named() {
        for (text, refused) in [
            ("first last", ' '),
            ("a,b;c", ','),
            ("tab\t", '\t'),
            ("new\nline", '\n'),
            ("100%", '%'),
            ("a#b", '#'),
            ("{a}", '{'),
            ("٣", '٣'),              // a digit, but not 0-9
            ("ⅷ", 'ⅷ'),              // a letter number
            ("e\u{301}", '\u{301}'), // a combining mark
            ("Ⓐ", 'Ⓐ'),              // alphabetic for Rust, a symbol by category
            ("🦀", '🦀'),
        ] {
            assert_eq!(
                identifier_problem(text),
                Some(IdentifierProblem::Character(refused)),
                "{text:?}"
            );
        }
    }

    #[test]
    fn nothing_and_dots_are_refused() {
        assert_eq!(identifier_problem(""), Some(IdentifierProblem::Empty));
        assert_eq!(identifier_problem("."), Some(IdentifierProblem::Dots));
        assert_eq!(identifier_problem(".."), Some(IdentifierProblem::Dots));
    }

    #[test]
    fn the_length_counts_characters_and_not_bytes() {
        assert_eq!(identifier_problem(&"a".repeat(1000)), None);
        assert_eq!(identifier_problem(&"ä".repeat(1000)), None);
        assert_eq!(
            identifier_problem(&"ä".repeat(1001)),
            Some(IdentifierProblem::TooLong { characters: 1001 })
        );
    }
}
