//! YAML and JSON text to a tree with positions.
//!
//! What the text means is left to the settings that read it; refused here is only what would be ambiguous or without end:
//! keys written twice, several documents in one file, own tags, aliases that multiply, endless nesting.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::notice::{Findings, Place, key_path};
use super::tree::{Entry, HIDDEN_KEY, Node, Shape};

/// Parts that aliases and merge keys may add to a file.
const MAX_ALIASED_PARTS: usize = 10_000;
/// Objects and lists inside each other.
const MAX_DEPTH: usize = 100;

/// Reads a file's text. `None` after a problem that leaves nothing to read on with.
pub(super) fn parse(file: &str, text: &str, findings: &mut Findings) -> Option<Node> {
    Reader::new(&without_surrogates(text), Place::file(file), None, findings).document()
}

/// Reads JSON text that is the value of the setting at `place`; every part of it has that place's line.
pub(super) fn parse_json_text(text: &str, place: &Place, findings: &mut Findings) -> Option<Node> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        findings.problem(
            place,
            format!(
                "is not valid JSON: {} at line {}, column {} of the text",
                match error.classify() {
                    serde_json::error::Category::Eof => "it ends too early",
                    _ => "a mistake",
                },
                error.line(),
                error.column()
            ),
        );
        return None;
    }
    Reader::new(
        &without_surrogates(text),
        place.clone(),
        Some(place.line),
        findings,
    )
    .document()
}

/// JSON writes characters beyond 16 bits as two escapes (`\ud83d\ude00`), which YAML does not know: they become the character itself.
fn without_surrogates(text: &str) -> Cow<'_, str> {
    if !text
        .trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n'])
        .starts_with(['{', '['])
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        let unit = |text: &str| u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok();
        let pair = [unit(escape), escape.get(6..).and_then(unit)];
        let character = match pair {
            [Some(high), Some(low)] => char::decode_utf16([high, low]).next().and_then(Result::ok),
            _ => None,
        };
        out.push_str(before);
        match character {
            Some(character) if !(0..=0xffff).contains(&u32::from(character)) => {
                out.push(character);
                rest = &escape[12..];
            }
            _ => {
                let end = escape
                    .char_indices()
                    .nth(2)
                    .map_or(escape.len(), |(end, _)| end);
                out.push_str(&escape[..end]);
                rest = &escape[end..];
            }
        }
    }
    if out.is_empty() {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Reading ended; why is among the findings.
struct Stopped;

struct Reader<'a> {
    text: Vec<char>,
    parser: Parser<'a, StrInput<'a>>,
    root: Place,
    /// The line of every part, where the text is a value inside something else.
    line: Option<Option<usize>>,
    anchors: HashMap<usize, Node>,
    aliased_parts: usize,
    findings: &'a mut Findings,
}

impl<'a> Reader<'a> {
    fn new(
        text: &'a str,
        root: Place,
        line: Option<Option<usize>>,
        findings: &'a mut Findings,
    ) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Reader {
            text: text.chars().collect(),
            parser: Parser::new_from_str(text),
            root,
            line,
            anchors: HashMap::new(),
            aliased_parts: 0,
            findings,
        }
    }

    fn document(mut self) -> Option<Node> {
        self.read_document().ok().flatten()
    }

    fn read_document(&mut self) -> Result<Option<Node>, Stopped> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::DocumentStart(_) if document.is_some() => {
                    let place = self.place(span, self.root.path.clone());
                    return Err(
                        self.stop(&place, "a second document begins here; a file holds one")
                    );
                }
                Event::DocumentStart(_) => {}
                Event::StreamEnd => break,
                event => {
                    let path = self.root.path.clone();
                    document = Some(self.node(event, span, path, 0)?);
                }
            }
        }
        if document.as_ref().is_none_or(Node::is_null) {
            let root = self.root.clone();
            return Err(self.stop(&root, "is empty"));
        }
        Ok(document)
    }

    fn node(
        &mut self,
        event: Event<'a>,
        span: Span,
        path: String,
        depth: usize,
    ) -> Result<Node, Stopped> {
        let place = self.place(span, path);
        if depth > MAX_DEPTH {
            return Err(self.stop(&place, format!("is nested deeper than {MAX_DEPTH} levels")));
        }
        match event {
            Event::Alias(anchor) => self.aliased(anchor, &place),
            Event::Scalar(text, style, anchor, tag) => {
                let quoted =
                    style != ScalarStyle::Plain || self.is_text_tag(tag.as_deref(), &place);
                let node = Node::scalar(text, quoted, place);
                Ok(self.remember(anchor, node))
            }
            Event::SequenceStart(anchor, tag) => {
                self.is_text_tag(tag.as_deref(), &place);
                let mut items = Vec::new();
                loop {
                    let (event, span) = self.next()?;
                    if event == Event::SequenceEnd {
                        break;
                    }
                    let path = format!("{}[{}]", place.path, items.len());
                    items.push(self.node(event, span, path, depth + 1)?);
                }
                let shape = Shape::List(items);
                Ok(self.remember(anchor, Node { shape, place }))
            }
            Event::MappingStart(anchor, tag) => {
                self.is_text_tag(tag.as_deref(), &place);
                let shape = Shape::Map(self.entries(&place, depth)?);
                Ok(self.remember(anchor, Node { shape, place }))
            }
            _ => Err(self.stop(&place, "is not valid YAML")),
        }
    }

    fn entries(&mut self, place: &Place, depth: usize) -> Result<Vec<Entry>, Stopped> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut merged: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key_place = self.place(span, place.path.clone());
            let key = match self.node(event, span, place.path.clone(), depth + 1)?.shape {
                Shape::Scalar { text, quoted } => Some((text, quoted)),
                _ => None,
            };
            let Some((key, quoted)) = key else {
                self.findings
                    .problem(&key_place, "has a key that is no text");
                let (event, span) = self.next()?;
                self.node(event, span, place.path.clone(), depth + 1)?;
                continue;
            };
            let (event, value_span) = self.next()?;
            let path = match self.is_pair(span) {
                true => key_path(&place.path, &key),
                // `{abc}`: a value that lost its key, possibly.
                false => key_path(&place.path, HIDDEN_KEY),
            };
            let mut node = self.node(event, value_span, path.clone(), depth + 1)?;
            if node.is_null() {
                // An absent value has no place of its own.
                node.place.line = key_place.line;
            }
            if key == "<<" && !quoted {
                self.merge(node, place, &mut merged);
                continue;
            }
            if let Some(first) = entries.iter().find(|entry| entry.key == key) {
                let message = match first.line {
                    Some(line) => format!("is written twice, first on line {line}; keep one"),
                    None => "is written twice; keep one".to_owned(),
                };
                let place = Place { path, ..key_place };
                self.findings.problem(&place, message);
                continue;
            }
            entries.push(Entry {
                key,
                line: key_place.line,
                node,
            });
        }
        for entry in merged {
            if !entries.iter().any(|own| own.key == entry.key) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    /// `<<: *other` and `<<: [*one, *other]` take over the keys that the object does not write itself; the first that has a key wins.
    fn merge(&mut self, node: Node, into: &Place, merged: &mut Vec<Entry>) {
        let sources = match node.shape {
            Shape::List(items) => items,
            _ => vec![node],
        };
        for source in sources {
            let place = source.place;
            let Shape::Map(entries) = source.shape else {
                self.findings
                    .problem(&place, "a merge key takes an object or a list of objects");
                continue;
            };
            for mut entry in entries {
                let path = entry.path_below(&into.path);
                entry.node.move_to(path);
                merged.push(entry);
            }
        }
    }

    /// Whether a colon follows a key.
    fn is_pair(&self, key: Span) -> bool {
        let mut after = self.text[key.end.index().min(self.text.len())..].iter();
        after.find(|c| !c.is_whitespace()) == Some(&':')
    }

    fn aliased(&mut self, anchor: usize, place: &Place) -> Result<Node, Stopped> {
        let Some(node) = self.anchors.get(&anchor) else {
            return Err(self.stop(place, "is an alias of something that holds it"));
        };
        let mut node = node.clone();
        self.aliased_parts += node.size();
        if self.aliased_parts > MAX_ALIASED_PARTS {
            let message = format!("aliases expand to more than {MAX_ALIASED_PARTS} parts");
            return Err(self.stop(place, message));
        }
        node.move_to(place.path.clone());
        Ok(node)
    }

    fn remember(&mut self, anchor: usize, node: Node) -> Node {
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        node
    }

    /// Whether the tag makes a scalar text. Other tags of YAML itself change nothing here, since settings know their types.
    fn is_text_tag(&mut self, tag: Option<&Tag>, place: &Place) -> bool {
        let Some(tag) = tag else { return false };
        let of_yaml = tag.is_yaml_core_schema();
        match tag.suffix.as_str() {
            "str" if of_yaml => return true,
            "int" | "float" | "bool" | "null" | "map" | "seq" if of_yaml => {}
            _ => self
                .findings
                .problem(place, "has a YAML tag that means nothing here; remove it"),
        }
        false
    }

    fn place(&self, span: Span, path: String) -> Place {
        Place {
            file: Arc::clone(&self.root.file),
            line: self.line.unwrap_or(Some(span.start.line())),
            path,
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Stopped> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(self.syntax_error(&error)),
            None => {
                let root = self.root.clone();
                Err(self.stop(&root, "ends too early"))
            }
        }
    }

    fn syntax_error(&mut self, error: &ScanError) -> Stopped {
        let place = Place {
            line: self.line.unwrap_or(Some(error.marker().line())),
            ..self.root.clone()
        };
        // The parser's own words, but for the one that quotes the file.
        let (what, hint) = match error.info() {
            info if info.starts_with("unexpected character") => (
                Cow::from("a character that cannot begin a value"),
                "; put values that begin with @, ` or % in quotes",
            ),
            info if info.contains("mapping values are not allowed") => {
                (Cow::from(info), "; put values that hold `: ` in quotes")
            }
            info if info.contains("tab") => (Cow::from(info), "; indent with spaces"),
            info => (Cow::from(info), ""),
        };
        let column = match self.line {
            None => format!(" (column {})", error.marker().col() + 1),
            Some(_) => String::new(),
        };
        self.stop(&place, format!("is not valid YAML: {what}{column}{hint}"))
    }

    fn stop(&mut self, place: &Place, message: impl Into<String>) -> Stopped {
        self.findings.problem(place, message);
        Stopped
    }
}
