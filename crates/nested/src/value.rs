//! Values of parameters, and those that one child request is made with.

use std::sync::Arc;

use longshore_jq::Val;

use crate::windows::Window;

/// One value of a parameter, as text. Whether it was a number counts in JSON bodies only.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Item {
    /// The text.
    pub text: String,
    /// The text is that of a JSON number, and the value was one.
    pub is_number: bool,
}

impl Item {
    /// A value that is text.
    pub fn text(text: impl Into<String>) -> Self {
        Item {
            text: text.into(),
            is_number: false,
        }
    }

    pub(crate) fn to_json(&self) -> serde_json::Value {
        let number = self.is_number.then(|| serde_json::from_str(&self.text));
        match number {
            Some(Ok(number)) => serde_json::Value::Number(number),
            _ => serde_json::Value::from(self.text.as_str()),
        }
    }
}

/// What a parameter is bound to for one child.
#[derive(Clone, Debug)]
pub struct Binding {
    name: Arc<str>,
    text: String,
    items: Vec<Item>,
    is_batch: bool,
    window: Option<(Window, String)>,
    include: Vec<(String, Val)>,
}

impl Binding {
    /// A parameter with one value.
    pub fn new(name: Arc<str>, item: Item) -> Self {
        Binding {
            name,
            text: item.text.clone(),
            items: vec![item],
            is_batch: false,
            window: None,
            include: Vec::new(),
        }
    }

    /// A parameter with several values in one request, their texts joined. One of them is a batch, too: text in text.
    pub fn batch(name: Arc<str>, items: Vec<Item>, separator: &str) -> Self {
        let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
        Binding {
            name,
            text: texts.join(separator),
            items,
            is_batch: true,
            window: None,
            include: Vec::new(),
        }
    }

    /// A parameter that stands for a window of time, with the texts of its two ends.
    pub fn window(name: Arc<str>, window: Window, from: String, to: String) -> Self {
        Binding {
            window: Some((window, to)),
            ..Binding::new(name, Item::text(from))
        }
    }

    /// Adds what records are told beside the value.
    pub fn including(mut self, include: Vec<(String, Val)>) -> Self {
        self.include = include;
        self
    }

    /// The parameter's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value's text; of a window, the text of its beginning.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// The values that one child request is made with, in the order in which they were found. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bindings(Vec<Arc<Binding>>);

impl Bindings {
    /// These and one more. One of the same name is replaced.
    #[must_use]
    pub fn with(&self, binding: Binding) -> Self {
        let mut all = self.0.clone();
        let binding = Arc::new(binding);
        match all.iter_mut().find(|known| known.name == binding.name) {
            Some(known) => *known = binding,
            None => all.push(binding),
        }
        Bindings(all)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text for what stands between braces: `name`, or `name.from` and `name.to` of a window.
    pub fn text(&self, placeholder: &str) -> Option<&str> {
        if let Some(binding) = self.named(placeholder) {
            return Some(&binding.text);
        }
        let (name, end) = placeholder.rsplit_once('.')?;
        let (_, to) = self.named(name)?.window.as_ref()?;
        match end {
            "from" => Some(&self.named(name)?.text),
            "to" => Some(to),
            _ => None,
        }
    }

    /// The window of a parameter.
    pub fn window(&self, name: &str) -> Option<&Window> {
        self.named(name)?.window.as_ref().map(|(window, _)| window)
    }

    /// The value, where there is one and may be no other beside it.
    pub(crate) fn only_item(&self, name: &str) -> Option<&Item> {
        let binding = self.named(name).filter(|binding| !binding.is_batch)?;
        binding.items.first()
    }

    pub(crate) fn items(&self, name: &str) -> Option<&[Item]> {
        self.named(name).map(|binding| binding.items.as_slice())
    }

    fn named(&self, name: &str) -> Option<&Binding> {
        self.0
            .iter()
            .find(|binding| &*binding.name == name)
            .map(|binding| &**binding)
    }

    /// Names and values, in order; of a window its beginning, and its end as `name.to`.
    pub fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        for binding in &self.0 {
            pairs.push((binding.name.to_string(), binding.text.clone()));
            if let Some((_, to)) = &binding.window {
                pairs.push((format!("{}.to", binding.name), to.clone()));
            }
        }
        pairs
    }

    /// What records are told of the parent that a parameter's value comes from, beside the value.
    pub fn included(&self, name: &str) -> &[(String, Val)] {
        self.named(name)
            .map_or(&[], |binding| binding.include.as_slice())
    }

    /// For people, one line: `org=a, repo=b`. What would break the line or turn it around is escaped, and of long values the beginning is shown.
    pub fn label(&self) -> String {
        let pairs = self.pairs().into_iter();
        let pairs: Vec<String> = pairs
            .map(|(name, value)| format!("{name}={}", shown(&value)))
            .collect();
        pairs.join(", ")
    }

    /// Tells a record of the child about its parents: for each parameter `__name` always and `name` where the record has no such key, of a
    /// window `__name_to` and `name_to` as well, and what was to be included, which replaces a key of the record only where its name begins
    /// with two underscores. Records that are no objects stay as they are.
    pub fn attach(&self, record: &mut Val) {
        let mut tell = |name: &str, value: Val| {
            if record.get(name).is_none() {
                record.insert(name, value.clone());
            }
            record.insert(&format!("__{name}"), value);
        };
        for binding in &self.0 {
            tell(&binding.name, Val::from(binding.text.as_str()));
            if let Some((_, to)) = &binding.window {
                tell(&format!("{}_to", binding.name), Val::from(to.as_str()));
            }
        }
        for (key, value) in self.0.iter().flat_map(|binding| &binding.include) {
            if key.starts_with("__") || record.get(key).is_none() {
                record.insert(key, value.clone());
            }
        }
    }
}

/// How many characters of a value people are shown.
const SHOWN: usize = 100;

fn shown(value: &str) -> String {
    let is_odd = |c: char| {
        c.is_control()
            // Ends of lines and of paragraphs, and what changes the direction of text.
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let mut shown = String::new();
    for (n, c) in value.chars().enumerate() {
        match c {
            _ if n == SHOWN => {
                shown.push('…');
                break;
            }
            c if is_odd(c) => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn attached(record: Value) -> Value {
        let include = vec![
            ("__team".to_owned(), Val::from("blue")),
            ("team".to_owned(), Val::from("blue")),
        ];
        let binding = Binding::new("id".into(), Item::text("7")).including(include);
        let mut record = Val::from(record);
        Bindings::default().with(binding).attach(&mut record);
        record.to_json()
    }

    #[test]
    fn a_child_record_learns_its_parent_but_keeps_its_own_keys() {
        assert_eq!(
            attached(json!({"a": 1})),
            json!({"a": 1, "id": "7", "__id": "7", "team": "blue", "__team": "blue"})
        );
        assert_eq!(
            attached(json!({"id": null, "__id": "of the API", "team": 3, "__team": 4})),
            json!({"id": null, "__id": "7", "team": 3, "__team": "blue"})
        );
    }

    #[test]
    fn the_label_is_one_line_that_can_be_read_whatever_the_value_is() {
        let label = |value: &str| {
            let binding = Binding::new("id".into(), Item::text(value));
            Bindings::default().with(binding).label()
        };
        assert_eq!(label("a/b ü 7"), "id=a/b ü 7");
        assert_eq!(
            label("a\r\nb\u{1b}[31m\u{202e}c"),
            r"id=a\r\nb\u{1b}[31m\u{202e}c"
        );
        assert_eq!(label(&"x".repeat(100)), format!("id={}", "x".repeat(100)));
        assert_eq!(
            label(&"ü".repeat(3_000)),
            format!("id={}…", "ü".repeat(100))
        );
    }

    #[test]
    fn records_that_are_no_objects_stay_as_they_are() {
        for record in [json!("latest"), json!([1]), json!(null), json!(7)] {
            assert_eq!(attached(record.clone()), record);
        }
    }

    #[test]
    fn batches_are_joined_and_numbers_stay_numbers_in_json() {
        let items = vec![
            Item {
                text: "18446744073709551615".into(),
                is_number: true,
            },
            Item::text("7"),
        ];
        let json: Vec<Value> = items.iter().map(Item::to_json).collect();
        assert_eq!(json, [json!(u64::MAX), json!("7")]);
        let batch = Binding::batch("ids".into(), items, ",");
        assert_eq!(batch.text(), "18446744073709551615,7");
    }
}
