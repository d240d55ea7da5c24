//! How Port says no.

use longshore_transport::{Response, json};
use serde::Deserialize;
use serde_json::Value;

/// How Port words a refusal: `error` is a code, `message` a sentence.
#[derive(Default, Deserialize)]
pub(crate) struct Refusal {
    #[serde(default)]
    error: Value,
    #[serde(default)]
    message: Value,
}

impl Refusal {
    /// What an answer says; nothing when it is not in Port's form.
    pub(crate) fn of(response: &Response) -> Refusal {
        json::read(&response.body).unwrap_or_default()
    }

    pub(crate) fn is_about_dependents(&self) -> bool {
        [&self.error, &self.message]
            .into_iter()
            .filter_map(Value::as_str)
            .any(|text| text.to_ascii_lowercase().contains("dependent"))
    }

    pub(crate) fn text(self) -> Option<String> {
        [self.message, self.error]
            .into_iter()
            .find_map(|value| match value {
                Value::String(text) if !text.is_empty() => Some(text),
                _ => None,
            })
    }
}

/// Port's words about one entity, as one line of bounded length.
pub(crate) fn said(text: Option<String>) -> String {
    const MAX_CHARS: usize = 500;
    match text {
        None => "Port gives no reason".to_owned(),
        Some(text) => {
            let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            line.retain(|c| !c.is_control());
            if let Some((end, _)) = line.char_indices().nth(MAX_CHARS) {
                line.truncate(end);
                line.push('…');
            }
            line
        }
    }
}
