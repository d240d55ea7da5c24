//! How a setting's name may be written, and which name was probably meant.

/// In which spellings an object's keys are known, besides camelCase and snake_case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Keys {
    /// Settings of the connection and around it: also SCREAMING_SNAKE_CASE.
    Settings,
    /// The environment: in any case.
    Variables,
    /// Mapping files.
    Mapping,
}

/// Keys that mapping files have in snake_case, by long use.
const SNAKE_IN_MAPPINGS: &[&str] = &["dataPath", "queryParams", "pathParameters"];

impl Keys {
    /// Whether `written` is the setting `name`, which is given in camelCase.
    pub(super) fn is(self, written: &str, name: &str) -> bool {
        let snake = snake_case(name);
        match self {
            Keys::Variables => written.eq_ignore_ascii_case(&snake),
            _ if written == name || written == snake => true,
            Keys::Settings => written == snake.to_ascii_uppercase(),
            Keys::Mapping => false,
        }
    }

    /// `name` as it is usually written here.
    pub(super) fn usual(self, name: &str) -> String {
        match self {
            Keys::Variables => snake_case(name).to_ascii_uppercase(),
            Keys::Mapping if SNAKE_IN_MAPPINGS.contains(&name) => snake_case(name),
            Keys::Settings | Keys::Mapping => name.to_owned(),
        }
    }
}

/// `verifySsl` → `verify_ssl`.
pub(super) fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for c in name.chars() {
        if c.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

/// The candidate that `written` probably stands for.
pub(super) fn nearest<'a>(
    written: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let bare = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .take(60)
            .collect()
    };
    let written = bare(written);
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&written, &bare(candidate)), candidate))
        .filter(|(similarity, _)| *similarity >= 0.85)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// The words of a setting that takes one of a few, with those that people write instead.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words {
    pub(super) known: &'static [&'static str],
    /// What is often written, and the word that stands for it here.
    pub(super) meant: &'static [(&'static str, &'static str)],
}

impl Words {
    /// Says that `written` is none of the words.
    pub(super) fn refusal(&self, written: &str) -> String {
        let meant = self
            .meant
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(written))
            .map(|(_, word)| *word)
            .or_else(|| nearest(written, self.known.iter().copied()));
        let known = self.known.join(", ");
        // Shown only where it looks like a word of a setting: it might be a secret in the wrong line.
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ' ');
        let shown = match written {
            "" => "is empty".to_owned(),
            written if written.len() <= 20 && written.chars().all(plain) => {
                format!("`{written}` is not known")
            }
            _ => "is not known".to_owned(),
        };
        match meant {
            Some(word) => format!("{shown}; did you mean `{word}`? (one of: {known})"),
            None => format!("{shown} (one of: {known})"),
        }
    }
}
