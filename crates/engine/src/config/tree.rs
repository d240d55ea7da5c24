//! A configuration as a tree that knows where each part of it is written.

use serde_json::{Map, Number, Value};

use super::notice::{Place, key_path};
use crate::stable::StableHash;

/// Stands in paths for a key that may be a value.
pub(super) const HIDDEN_KEY: &str = "…";

/// A part of a configuration and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) shape: Shape,
    pub(super) place: Place,
}

/// What a part is. Scalars keep their text as written: which type it has is decided by the setting that reads it.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Scalar {
        text: String,
        quoted: bool,
    },
    List(Vec<Node>),
    /// In the order written. Only the environment repeats a key, once for each variable below it.
    Map(Vec<Entry>),
}

/// A key of an object and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    /// The line of the key, which may stand above that of the value.
    pub(super) line: Option<usize>,
    pub(super) node: Node,
}

impl Entry {
    /// Where it begins: at its key.
    pub(super) fn place(&self) -> Place {
        Place {
            line: self.line,
            ..self.node.place.clone()
        }
    }
}

impl Node {
    pub(super) fn scalar(text: impl Into<String>, quoted: bool, place: Place) -> Node {
        Node {
            shape: Shape::Scalar {
                text: text.into(),
                quoted,
            },
            place,
        }
    }

    /// A tree of a value that was never text; it has paths but no lines.
    pub(super) fn from_json(value: &Value, place: Place) -> Node {
        let shape = match value {
            Value::Null => return Node::scalar("null", false, place),
            Value::Bool(_) | Value::Number(_) => {
                return Node::scalar(value.to_string(), false, place);
            }
            Value::String(text) => return Node::scalar(text, true, place),
            Value::Array(items) => Shape::List(
                items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| Node::from_json(item, place.item(index)))
                    .collect(),
            ),
            Value::Object(object) => Shape::Map(
                object
                    .iter()
                    .map(|(key, value)| Entry {
                        key: key.clone(),
                        line: place.line,
                        node: Node::from_json(value, place.child(key)),
                    })
                    .collect(),
            ),
        };
        Node { shape, place }
    }

    /// A hash of what it says, whatever the order of keys and the way of quoting.
    pub(super) fn digest(&self) -> String {
        let mut hash = StableHash::new();
        self.add_to(&mut hash);
        hash.hex()
    }

    fn add_to(&self, hash: &mut StableHash) {
        match &self.shape {
            Shape::Scalar { text, .. } => {
                hash.add(b"s");
                hash.add_text(text);
            }
            Shape::List(items) => {
                hash.add(b"l");
                hash.add(&(items.len() as u64).to_le_bytes());
                items.iter().for_each(|item| item.add_to(hash));
            }
            Shape::Map(entries) => {
                hash.add(b"m");
                hash.add(&(entries.len() as u64).to_le_bytes());
                let mut entries: Vec<&Entry> = entries.iter().collect();
                entries.sort_by(|a, b| a.key.cmp(&b.key));
                for entry in entries {
                    hash.add_text(&entry.key);
                    entry.node.add_to(hash);
                }
            }
        }
    }

    /// Nothing written, or null.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.shape, Shape::Scalar { text, quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.shape {
            Shape::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    /// The tree as JSON. Unquoted scalars that are JSON literals become numbers, booleans and null, all others stay text.
    pub(super) fn to_json(&self) -> Value {
        self.convert(&|text, quoted| match text {
            text if quoted => Value::from(text),
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => match serde_json::from_str::<Number>(text) {
                Ok(number) => Value::Number(number),
                Err(_) => Value::from(text),
            },
        })
    }

    /// The tree as JSON with every scalar as the text written: jq programs, not data.
    pub(super) fn to_json_of_texts(&self) -> Value {
        self.convert(&|text, _| Value::from(text))
    }

    fn convert(&self, scalar: &dyn Fn(&str, bool) -> Value) -> Value {
        match &self.shape {
            Shape::Scalar { text, quoted } => scalar(text, *quoted),
            Shape::List(items) => items.iter().map(|item| item.convert(scalar)).collect(),
            Shape::Map(entries) => Value::Object(
                entries
                    .iter()
                    .map(|entry| (entry.key.clone(), entry.node.convert(scalar)))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// Whether both say the same, whatever the quotes.
    pub(super) fn says_the_same_as(&self, other: &Node) -> bool {
        match (&self.shape, &other.shape) {
            (Shape::Scalar { text: a, .. }, Shape::Scalar { text: b, .. }) => a == b,
            (Shape::List(a), Shape::List(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.says_the_same_as(b))
            }
            (Shape::Map(a), Shape::Map(b)) => {
                a.len() == b.len()
                    && a.iter().all(|a| {
                        b.iter()
                            .any(|b| a.key == b.key && a.node.says_the_same_as(&b.node))
                    })
            }
            _ => false,
        }
    }

    /// The first leaf of the tree.
    pub(super) fn innermost(&self) -> &Node {
        match &self.shape {
            Shape::List(items) => items.first().map_or(self, Node::innermost),
            Shape::Map(entries) => entries.first().map_or(self, |entry| entry.node.innermost()),
            Shape::Scalar { .. } => self,
        }
    }

    /// How many parts the tree has.
    pub(super) fn size(&self) -> usize {
        match &self.shape {
            Shape::Scalar { .. } => 1,
            Shape::List(items) => 1 + items.iter().map(Node::size).sum::<usize>(),
            Shape::Map(entries) => 1 + entries.iter().map(|entry| entry.node.size()).sum::<usize>(),
        }
    }

    /// Gives the tree another path, as for the second use of an anchor. Lines stay where the text is.
    pub(super) fn move_to(&mut self, path: String) {
        match &mut self.shape {
            Shape::Scalar { .. } => {}
            Shape::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    item.move_to(format!("{path}[{index}]"));
                }
            }
            Shape::Map(entries) => {
                for entry in entries {
                    let path = entry.path_below(&path);
                    entry.node.move_to(path);
                }
            }
        }
        self.place.path = path;
    }
}

impl Entry {
    /// The path of this entry in an object at `parent`. A key that is not shown where it is written is shown nowhere.
    pub(super) fn path_below(&self, parent: &str) -> String {
        match self.node.place.path.ends_with(HIDDEN_KEY) {
            true => key_path(parent, HIDDEN_KEY),
            false => key_path(parent, &self.key),
        }
    }
}

impl Place {
    /// The place of an item of the list that is here.
    pub(super) fn item(&self, index: usize) -> Place {
        Place {
            path: format!("{}[{index}]", self.path),
            ..self.clone()
        }
    }
}
