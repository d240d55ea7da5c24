//! An object being read: which keys were asked for, which are there, and which nobody knows.

use super::notice::{Findings, Place};
use super::spelling::{Keys, nearest};
use super::tree::{Entry, Node, Shape};
use super::yaml;

/// What an unknown key is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unknown {
    Refused,
    Warned,
}

/// The keys of an object, or of several that count as one, such as `config` and `secrets`.
#[derive(Debug)]
pub(super) struct Fields {
    /// Where keys that are missing would stand.
    pub(super) place: Place,
    keys: Keys,
    fields: Vec<Field>,
    asked: Vec<&'static str>,
    hints: &'static [(&'static str, &'static str)],
}

#[derive(Debug)]
struct Field {
    entry: Entry,
    keys: Keys,
    unknown: Unknown,
    taken: bool,
}

impl Fields {
    /// An object without keys.
    pub(super) fn none(place: Place, keys: Keys) -> Fields {
        Fields {
            place,
            keys,
            fields: Vec::new(),
            asked: Vec::new(),
            hints: &[],
        }
    }

    /// The keys of an object, or of JSON text that holds one. Anything else is a problem.
    pub(super) fn of(
        node: Node,
        keys: Keys,
        unknown: Unknown,
        findings: &mut Findings,
    ) -> Option<Fields> {
        let mut fields = Fields::none(node.place.clone(), keys);
        fields.add(node, keys, unknown, findings).then_some(fields)
    }

    fn add(&mut self, node: Node, keys: Keys, unknown: Unknown, findings: &mut Findings) -> bool {
        let was_text = node.text().is_some();
        let Some(node) = unfold(node, findings) else {
            return false;
        };
        let Shape::Map(entries) = node.shape else {
            findings.problem(&node.place, "must be an object");
            return false;
        };
        let (keys, unknown) = match keys {
            // Names of variables may be somebody else's; the keys in a variable's text are ours.
            Keys::Variables if was_text => (Keys::Settings, Unknown::Refused),
            keys => (keys, unknown),
        };
        self.fields.extend(entries.into_iter().map(|entry| Field {
            entry,
            keys,
            unknown,
            taken: false,
        }));
        true
    }

    /// Also takes the keys of `other`, as if they were written here.
    pub(super) fn join(&mut self, other: Fields) {
        self.fields.extend(other.fields);
        self.asked.extend(other.asked);
    }

    /// Names that are often written for another, for the proposals.
    pub(super) fn hints(mut self, hints: &'static [(&'static str, &'static str)]) -> Fields {
        self.hints = hints;
        self
    }

    /// The value of a setting under any of its names; null counts as not written. Two different values are a problem.
    pub(super) fn take(&mut self, names: &[&'static str], findings: &mut Findings) -> Option<Node> {
        let mut first: Option<Node> = None;
        for (node, ..) in self.take_each(names) {
            match &first {
                None => first = Some(node),
                Some(first) if first.says_the_same_as(&node) => {}
                Some(first) => {
                    let line = first.place.line.map(|line| format!(" (line {line})"));
                    findings.problem(
                        &node.place,
                        format!(
                            "is given as {} too{}, with another value; keep one",
                            first.place.path,
                            line.unwrap_or_default()
                        ),
                    );
                }
            }
        }
        first
    }

    /// The keys of an object under any of its names; objects under several names count as one.
    pub(super) fn take_fields(
        &mut self,
        names: &[&'static str],
        findings: &mut Findings,
    ) -> Option<Fields> {
        let mut all: Option<Fields> = None;
        for (node, keys, unknown) in self.take_each(names) {
            let fields = all.get_or_insert_with(|| Fields::none(node.place.clone(), self.keys));
            fields.add(node, keys, unknown, findings);
        }
        all
    }

    /// As [`take_fields`](Fields::take_fields), but only what is an object: anything else stays a value to be taken.
    pub(super) fn take_object(
        &mut self,
        names: &[&'static str],
        findings: &mut Findings,
    ) -> Option<Fields> {
        let is_object = self.fields.iter().any(|field| {
            !field.taken
                && names
                    .iter()
                    .any(|name| field.keys.is(&field.entry.key, name))
                && matches!(field.entry.node.shape, Shape::Map(_))
        });
        is_object
            .then(|| self.take_fields(names, findings))
            .flatten()
    }

    /// An object below this one that is not there.
    pub(super) fn without_keys(&self, name: &str) -> Fields {
        Fields::none(self.missing(name), self.keys)
    }

    /// Leaves these out, so that they are not unknown: somebody else's, and no settings of ours.
    pub(super) fn ignore(&mut self, names: &[&str]) {
        for field in &mut self.fields {
            let key = &field.entry.key;
            field.taken |= names.iter().any(|name| field.keys.is(key, name));
        }
    }

    /// Takes everything that is left, so that nothing of it is unknown.
    pub(super) fn take_the_rest(&mut self) {
        for field in &mut self.fields {
            field.taken = true;
        }
    }

    /// Everything that is left, for objects whose keys are names of the user's.
    pub(super) fn into_entries(self) -> Vec<Entry> {
        let entries = self.into_entries_with_keys().into_iter();
        entries.map(|(entry, ..)| entry).collect()
    }

    /// As [`into_entries`](Fields::into_entries), each with how keys are spelled where it is written: a variable may hold JSON text.
    pub(super) fn into_entries_with_keys(self) -> Vec<(Entry, Keys, Unknown)> {
        #[cfg(test)]
        known::note(&self.place.path, &["*"]);
        self.fields
            .into_iter()
            .filter(|field| !field.taken)
            .map(|field| (field.entry, field.keys, field.unknown))
            .collect()
    }

    /// The text of a setting that is still to be taken.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter().filter(|field| !field.taken);
        let field = fields
            .find(|field| field.keys.is(&field.entry.key, name) && !field.entry.node.is_null())?;
        field.entry.node.text()
    }

    /// Where a variable is set and empty, which counts as not set.
    pub(super) fn empty_variable(&self, name: &str) -> Option<&Place> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| {
            field.keys == Keys::Variables
                && field.keys.is(&field.entry.key, name)
                && field.entry.node.is_null()
        })?;
        Some(&field.entry.node.place)
    }

    /// Where a key is written that nobody has taken yet; null counts as not written.
    pub(super) fn place_of(&self, name: &str) -> Option<Place> {
        let mut fields = self.fields.iter();
        let field = fields.find(|field| {
            !field.taken && field.keys.is(&field.entry.key, name) && !field.entry.node.is_null()
        })?;
        Some(Place {
            line: field.entry.line,
            ..field.entry.node.place.clone()
        })
    }

    /// Where a key that is missing would stand.
    pub(super) fn missing(&self, name: &str) -> Place {
        match self.keys {
            Keys::Variables => Place {
                path: format!("{}__{}", self.place.path, self.keys.usual(name)),
                ..self.place.clone()
            },
            _ => self.place.child(name),
        }
    }

    /// Reports every key that nobody asked for.
    pub(super) fn finish(self, findings: &mut Findings) {
        for field in self.fields.iter().filter(|field| !field.taken) {
            let key = &field.entry.key;
            let hint = self
                .hints
                .iter()
                .find(|(written, _)| field.keys.is(key, written));
            let meant = hint
                .map(|(_, name)| *name)
                .or_else(|| nearest(key, self.asked.iter().copied()));
            let node = &field.entry.node;
            let did_you_mean = match (meant, field.keys) {
                (Some(name), Keys::Variables) => {
                    let prefix = node
                        .place
                        .path
                        .strip_suffix(key.as_str())
                        .unwrap_or_default();
                    format!("; did you mean {prefix}{}?", field.keys.usual(name))
                }
                (Some(name), keys) => format!("; did you mean `{}`?", keys.usual(name)),
                (None, _) => String::new(),
            };
            let place = match field.keys {
                Keys::Variables => node.innermost().place.clone(),
                _ => Place {
                    line: field.entry.line,
                    ..node.place.clone()
                },
            };
            match field.unknown {
                Unknown::Refused => {
                    findings.problem(&place, format!("is not a known key{did_you_mean}"))
                }
                Unknown::Warned => {
                    findings.warning(&place, format!("is not known and ignored{did_you_mean}"))
                }
            }
        }
    }

    fn take_each(&mut self, names: &[&'static str]) -> Vec<(Node, Keys, Unknown)> {
        self.asked.extend(names);
        #[cfg(test)]
        known::note(&self.place.path, names);
        let mut found = Vec::new();
        for field in &mut self.fields {
            if !field.taken
                && names
                    .iter()
                    .any(|name| field.keys.is(&field.entry.key, name))
            {
                field.taken = true;
                if !field.entry.node.is_null() {
                    found.push((field.entry.node.clone(), field.keys, field.unknown));
                }
            }
        }
        found
    }
}

/// Objects may be written as JSON text: reads that text.
pub(super) fn unfold(node: Node, findings: &mut Findings) -> Option<Node> {
    match node.text() {
        Some(text) if text.trim_start().starts_with(['{', '[']) => {
            yaml::parse_json_text(text, &node.place, findings)
        }
        _ => Some(node),
    }
}

/// Which keys were asked for where, so that a test holds the schemas against them.
#[cfg(test)]
pub(super) mod known {
    use std::cell::RefCell;
    use std::collections::{BTreeMap, BTreeSet};

    thread_local! {
        static ASKED: RefCell<BTreeMap<String, BTreeSet<&'static str>>> = RefCell::default();
    }

    pub(super) fn note(path: &str, names: &[&'static str]) {
        ASKED.with_borrow_mut(|asked| {
            asked.entry(path.to_owned()).or_default().extend(names);
        });
    }

    /// Begins anew.
    pub(in crate::config) fn forget() {
        ASKED.with_borrow_mut(BTreeMap::clear);
    }

    /// All of this thread so far, by the path of their object.
    pub(in crate::config) fn keys() -> BTreeMap<String, BTreeSet<&'static str>> {
        ASKED.with_borrow(Clone::clone)
    }
}
