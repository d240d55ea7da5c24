//! A whole JSON text, checked once from the first byte to the last, of which values are made only where somebody looks.
//!
//! Reading a page writes down where each of its values begins and ends, and nothing else: no string is copied, no number
//! converted, no map built. A container of a page is a [`Val`] that knows its place; what is inside becomes values one level
//! at a time. So what a mapping does not touch costs a pass over its bytes.

use super::{Entries, List, Map, Num, Repr, Text, Val, json};
use crate::limits;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::sync::Arc;

/// Nesting of this many levels is refused, as everywhere where JSON is read.
const TOO_DEEP: u32 = 128;

/// Objects with more members are checked for keys that come twice by sorting.
const FEW: usize = 32;

/// A JSON text and the places of its values.
pub(crate) struct Page {
    text: Box<str>,
    nodes: Box<[Node]>,
}

/// A value, or the key of a member, which is followed by its value.
#[derive(Clone, Copy)]
struct Node {
    /// The bytes of the value; of a string those between its quotes.
    start: u32,
    end: u32,
    /// Where the next node is that is not inside of this one.
    next: u32,
    kind: Kind,
    /// How deep a container nests: 1 for `[]`.
    depth: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    /// Digits with a sign, perhaps.
    Integer,
    /// With a fraction or an exponent.
    Decimal,
    /// Text that means itself.
    Plain,
    /// Text with escapes.
    Escaped,
    Array,
    Object,
}

/// A place in a page.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) page: Arc<Page>,
    pub(crate) at: u32,
}

impl Page {
    /// Reads a text strictly (RFC 8259). `None` if it is no JSON, nests 128 levels or more, holds a number beyond the range of
    /// doubles, or has an object with a key that comes twice: a slower reader then knows what to say or to do.
    pub(crate) fn read(text: Box<str>) -> Option<Arc<Page>> {
        if u32::try_from(text.len()).is_err() {
            return None;
        }
        let nodes = Scanner::scan(&text)?;
        Some(Arc::new(Page { text, nodes }))
    }

    pub(super) fn slice(&self, start: u32, end: u32) -> &str {
        // Strings begin and end beside quotes, so this is never inside of a character.
        self.text
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    fn node(&self, at: u32) -> Node {
        self.nodes[at as usize]
    }

    pub(crate) fn kind(&self, at: u32) -> Kind {
        self.nodes[at as usize].kind
    }

    /// The text of a value as it stands in the page: of a string what is between the quotes.
    pub(crate) fn raw(&self, at: u32) -> &str {
        let node = self.node(at);
        self.slice(node.start, node.end)
    }

    /// Upper bound of the nesting: 0 for scalars.
    pub(crate) fn depth(&self, at: u32) -> u32 {
        self.node(at).depth.into()
    }

    /// About how many bytes of JSON text the value makes, as values count it.
    pub(super) fn weight(&self, at: u32) -> u64 {
        let node = self.node(at);
        u64::from(node.end - node.start) + 6 * u64::from(node.next - at)
    }

    /// The value of a member.
    pub(crate) fn member(&self, object: u32, key: &str) -> Option<u32> {
        let end = self.node(object).next;
        let mut at = object + 1;
        while at < end {
            let node = self.node(at);
            let found = match node.kind {
                Kind::Escaped => unescaped(self.slice(node.start, node.end)) == key,
                _ => {
                    (node.end - node.start) as usize == key.len()
                        && self.text.as_bytes()[node.start as usize..node.end as usize]
                            == *key.as_bytes()
                }
            };
            if found {
                return Some(at + 1);
            }
            at = self.node(at + 1).next;
        }
        None
    }

    /// The elements of an array.
    pub(crate) fn elements(&self, array: u32) -> impl Iterator<Item = u32> + '_ {
        let end = self.node(array).next;
        let mut at = array + 1;
        std::iter::from_fn(move || {
            let this = (at < end).then_some(at)?;
            at = self.node(at).next;
            Some(this)
        })
    }

    /// The keys and values of an object.
    pub(crate) fn members(&self, object: u32) -> impl Iterator<Item = (u32, u32)> + '_ {
        let end = self.node(object).next;
        let mut at = object + 1;
        std::iter::from_fn(move || {
            let this = (at < end).then_some(at)?;
            at = self.node(this + 1).next;
            Some((this, this + 1))
        })
    }

    /// The text of a string.
    pub(crate) fn string(&self, at: u32) -> Option<Cow<'_, str>> {
        match self.kind(at) {
            Kind::Plain => Some(Cow::Borrowed(self.raw(at))),
            Kind::Escaped => Some(Cow::Owned(unescaped(self.raw(at)))),
            _ => None,
        }
    }

    pub(crate) fn number(&self, at: u32) -> Option<Num> {
        match self.kind(at) {
            Kind::Integer => Some(integer(self.raw(at))),
            Kind::Decimal => Some(decimal(self.raw(at))),
            _ => None,
        }
    }
}

/// What is made here in an evaluation is accounted for by it. A limit that is hit ends the evaluation at its next step.
impl Place {
    pub(super) fn is_same(&self, other: &Place) -> bool {
        self.at == other.at && Arc::ptr_eq(&self.page, &other.page)
    }

    pub(crate) fn text(&self) -> Text {
        let node = self.page.node(self.at);
        match node.kind {
            Kind::Escaped => {
                let text = unescaped(self.page.raw(self.at));
                let _ = limits::charge(text.len());
                Text::from(text)
            }
            _ => Text::Part {
                page: self.page.clone(),
                start: node.start,
                end: node.end,
            },
        }
    }

    pub(super) fn entries(&self) -> Entries {
        let members = self.page.members(self.at);
        let entries: Entries = members
            .map(|(key, at)| {
                let key = Place {
                    page: self.page.clone(),
                    at: key,
                };
                (key.text(), value(&self.page, at))
            })
            .collect();
        let _ = limits::charge(entries.len() * 2 * size_of::<Val>());
        entries
    }

    pub(super) fn items(&self) -> Vec<Val> {
        let elements = self.page.elements(self.at);
        let items: Vec<Val> = elements.map(|at| value(&self.page, at)).collect();
        let _ = limits::charge(items.len() * size_of::<Val>());
        items
    }
}

pub(crate) fn value(page: &Arc<Page>, at: u32) -> Val {
    let place = || Place {
        page: page.clone(),
        at,
    };
    Val(match page.kind(at) {
        Kind::Null => Repr::Null,
        Kind::True => Repr::Bool(true),
        Kind::False => Repr::Bool(false),
        Kind::Integer => Repr::Num(integer(page.raw(at))),
        Kind::Decimal => Repr::Num(decimal(page.raw(at))),
        Kind::Plain | Kind::Escaped => Repr::Str(place().text()),
        Kind::Array => Repr::Arr(Arc::new(List::placed(place()))),
        Kind::Object => Repr::Obj(Arc::new(Map::placed(place()))),
    })
}

/// A value of a page as JSON, made of nothing but the page.
pub(super) struct Placed<'p>(pub(super) &'p Page, pub(super) u32);

impl Serialize for Placed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Placed(page, at) = *self;
        match page.kind(at) {
            Kind::Null => serializer.serialize_unit(),
            Kind::True => serializer.serialize_bool(true),
            Kind::False => serializer.serialize_bool(false),
            Kind::Integer => json::serialize_number(&integer(page.raw(at)), serializer),
            Kind::Decimal => json::serialize_number(&decimal(page.raw(at)), serializer),
            Kind::Plain => serializer.serialize_str(page.raw(at)),
            Kind::Escaped => serializer.serialize_str(&unescaped(page.raw(at))),
            Kind::Array => serializer.collect_seq(page.elements(at).map(|at| Placed(page, at))),
            Kind::Object => serializer.collect_map(
                page.members(at)
                    .map(|(key, value)| (Placed(page, key), Placed(page, value))),
            ),
        }
    }
}

fn integer(text: &str) -> Num {
    if text == "-0" {
        // Minus zero, as a double has it: reading it gives zero.
        return Num::data(-0.0);
    }
    if let Ok(i) = text.parse::<i64>() {
        return Num::Int(i);
    }
    if let Ok(u) = text.parse::<u64>() {
        return Num::from(u);
    }
    decimal(text)
}

fn decimal(text: &str) -> Num {
    // The scanner has seen that this is a number of finite size.
    Num::data(text.parse().unwrap_or_default())
}

/// The text that a string with escapes means. The scanner has seen that they are sound.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = rest.as_bytes().get(at + 1).copied().unwrap_or_default();
        rest = rest.get(at + 2..).unwrap_or_default();
        out.push(match escape {
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let first = unit(rest);
                rest = rest.get(4..).unwrap_or_default();
                match char::from_u32(first) {
                    Some(c) => c,
                    None => {
                        let second = unit(rest.get(2..).unwrap_or_default());
                        rest = rest.get(6..).unwrap_or_default();
                        char::decode_utf16([first as u16, second as u16])
                            .next()
                            .and_then(Result::ok)
                            .unwrap_or(char::REPLACEMENT_CHARACTER)
                    }
                }
            }
            other => char::from(other),
        });
    }
    out.push_str(rest);
    out
}

fn unit(digits: &str) -> u32 {
    let digits = digits.get(..4).unwrap_or_default();
    u32::from_str_radix(digits, 16).unwrap_or_default()
}

/// One pass over the text.
struct Scanner<'t> {
    bytes: &'t [u8],
    at: usize,
    nodes: Vec<Node>,
}

impl<'t> Scanner<'t> {
    fn scan(text: &'t str) -> Option<Box<[Node]>> {
        let mut scanner = Scanner {
            bytes: text.as_bytes(),
            at: 0,
            // Pages of APIs have a value or key each 12 to 20 bytes.
            nodes: Vec::with_capacity(text.len() / 12 + 8),
        };
        scanner.space();
        scanner.value(0)?;
        scanner.space();
        (scanner.at == text.len()).then(|| scanner.nodes.into_boxed_slice())
    }

    #[inline]
    fn peek(&self) -> u8 {
        // No JSON has a zero byte outside of strings, and there it is refused as well.
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    #[inline]
    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    #[inline]
    fn push(&mut self, start: usize, end: usize, kind: Kind) {
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node {
            start: start as u32,
            end: end as u32,
            next,
            kind,
            depth: 0,
        });
    }

    /// One value after white space; says how deep it nests.
    fn value(&mut self, outer: u32) -> Option<u32> {
        match self.peek() {
            b'"' => self.string()?,
            b'{' => return self.object(outer + 1),
            b'[' => return self.array(outer + 1),
            b'-' | b'0'..=b'9' => self.number()?,
            b'n' => self.word(b"null", Kind::Null)?,
            b't' => self.word(b"true", Kind::True)?,
            b'f' => self.word(b"false", Kind::False)?,
            _ => return None,
        }
        Some(0)
    }

    fn word(&mut self, word: &[u8], kind: Kind) -> Option<()> {
        let end = self.at + word.len();
        if self.bytes.get(self.at..end)? != word {
            return None;
        }
        self.push(self.at, end, kind);
        self.at = end;
        Some(())
    }

    /// Opens a container: its node, to be completed by [`close`](Self::close).
    fn open(&mut self, level: u32, kind: Kind) -> Option<usize> {
        if level >= TOO_DEEP {
            return None;
        }
        let index = self.nodes.len();
        self.push(self.at, self.at, kind);
        self.at += 1;
        self.space();
        Some(index)
    }

    fn close(&mut self, index: usize, inner: u32) -> u32 {
        self.at += 1;
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[index];
        node.end = self.at as u32;
        node.next = next;
        node.depth = inner as u8 + 1;
        inner + 1
    }

    fn array(&mut self, level: u32) -> Option<u32> {
        let index = self.open(level, Kind::Array)?;
        let mut inner = 0;
        if self.peek() == b']' {
            return Some(self.close(index, inner));
        }
        loop {
            inner = inner.max(self.value(level)?);
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => return Some(self.close(index, inner)),
                _ => return None,
            }
            self.space();
        }
    }

    fn object(&mut self, level: u32) -> Option<u32> {
        let index = self.open(level, Kind::Object)?;
        let mut inner = 0;
        if self.peek() == b'}' {
            return Some(self.close(index, inner));
        }
        let mut keys = Keys::default();
        loop {
            if self.peek() != b'"' {
                return None;
            }
            self.string()?;
            if let Some(key) = self.nodes.last() {
                keys.see(*key, self.bytes);
            }
            self.space();
            if self.peek() != b':' {
                return None;
            }
            self.at += 1;
            self.space();
            inner = inner.max(self.value(level)?);
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    let depth = self.close(index, inner);
                    let unique = !keys.suspicious || self.keys_are_unique(index);
                    return unique.then_some(depth);
                }
                _ => return None,
            }
            self.space();
        }
    }

    /// Looks at each pair of keys, after a hint that two may be the same.
    fn keys_are_unique(&self, object: usize) -> bool {
        let mut keys: Vec<Cow<'_, [u8]>> = Vec::new();
        let mut at = object + 1;
        while let Some(key) = self.nodes.get(at) {
            let bytes = &self.bytes[key.start as usize..key.end as usize];
            keys.push(match (key.kind, std::str::from_utf8(bytes)) {
                (Kind::Escaped, Ok(text)) => Cow::Owned(unescaped(text).into_bytes()),
                _ => Cow::Borrowed(bytes),
            });
            at = self
                .nodes
                .get(at + 1)
                .map_or(usize::MAX, |value| value.next as usize);
        }
        if keys.len() > FEW {
            keys.sort_unstable();
            return keys.windows(2).all(|pair| pair[0] != pair[1]);
        }
        (1..keys.len()).all(|i| !keys[..i].contains(&keys[i]))
    }

    fn string(&mut self) -> Option<()> {
        let start = self.at + 1;
        let mut at = start;
        let mut kind = Kind::Plain;
        loop {
            at = end_of_plain(self.bytes, at);
            match self.bytes.get(at)? {
                b'"' => break,
                b'\\' => {
                    kind = Kind::Escaped;
                    at = self.escape(at)?;
                }
                _ => return None,
            }
        }
        self.push(start, at, kind);
        self.at = at + 1;
        Some(())
    }

    /// Behind an escape that begins at `at`.
    fn escape(&self, at: usize) -> Option<usize> {
        match self.bytes.get(at + 1)? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 2),
            b'u' => match self.unit(at + 2)? {
                // Half of a pair must be followed by the other one.
                0xd800..0xdc00 => {
                    if self.bytes.get(at + 6..at + 8)? != b"\\u" {
                        return None;
                    }
                    let second = self.unit(at + 8)?;
                    (0xdc00..0xe000).contains(&second).then_some(at + 12)
                }
                0xdc00..0xe000 => None,
                _ => Some(at + 6),
            },
            _ => None,
        }
    }

    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.bytes.get(at..at + 4)?;
        digits.iter().try_fold(0u16, |unit, digit| {
            let digit = char::from(*digit).to_digit(16)?;
            Some(unit << 4 | digit as u16)
        })
    }

    fn number(&mut self) -> Option<()> {
        let start = self.at;
        let mut kind = Kind::Integer;
        self.at += usize::from(self.peek() == b'-');
        match self.peek() {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == b'.' {
            kind = Kind::Decimal;
            self.at += 1;
            self.digits()?;
        }
        let mut large = self.at - start > 300;
        if matches!(self.peek(), b'e' | b'E') {
            kind = Kind::Decimal;
            large = true;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        if large {
            let text = std::str::from_utf8(&self.bytes[start..self.at]).ok()?;
            if !text.parse::<f64>().ok()?.is_finite() {
                return None;
            }
        }
        self.push(start, self.at, kind);
        Some(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
}

/// A cheap doubt whether a key of an object came twice: a set of short hashes, where every clash is a hint.
#[derive(Default)]
struct Keys {
    seen: [u64; 8],
    suspicious: bool,
}

impl Keys {
    #[inline]
    fn see(&mut self, key: Node, bytes: &[u8]) {
        let key_bytes = &bytes[key.start as usize..key.end as usize];
        let length = key_bytes.len();
        let word = |bytes: &[u8]| {
            let mut word = [0; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            u64::from_le_bytes(word)
        };
        let mixed = match key_bytes
            .first_chunk::<8>()
            .zip(key_bytes.last_chunk::<8>())
        {
            Some((first, last)) => {
                u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(29)
            }
            None => word(key_bytes),
        } ^ length as u64;
        let hash = mixed.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55;
        let bit = 1 << (hash & 63);
        let word = &mut self.seen[(hash >> 6) as usize];
        self.suspicious |= *word & bit != 0 || key.kind == Kind::Escaped;
        *word |= bit;
    }
}

/// The place of the next quote, backslash or control character, or the end. Eight bytes at a time.
#[inline]
pub(super) fn end_of_plain(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    while let Some(chunk) = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // A byte of these is zero where there is a match; borrows reach only bytes behind the first match.
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGH;
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b'"' | b'\\' | 0..0x20) {
            break;
        }
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use crate::Val;
    use proptest::prelude::*;
    use serde_json::Value;

    fn page(text: &str) -> Option<Val> {
        Val::read_page(text)
    }

    /// What the reader behind serde says, and whether a key comes twice somewhere.
    fn by_serde(text: &str) -> Option<Val> {
        serde_json::from_str(text).ok()
    }

    #[test]
    fn what_is_no_json_is_no_page() {
        for text in [
            "",
            " ",
            "nul",
            "truE",
            "+1",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "1e+",
            "--1",
            "0x1",
            "NaN",
            "Infinity",
            "[",
            "[1",
            "[1,",
            "[1,]",
            "[,1]",
            "[1 2]",
            "]",
            "{",
            "{\"a\"",
            "{\"a\":",
            "{\"a\":1",
            "{\"a\":1,",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "{\"a\" 1}",
            "\"",
            "\"a",
            "\"\\",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\ud83d\"",
            "\"\\ud83d\\n\"",
            "\"\\ud83d\\ud83d\"",
            "\"\\ude00\"",
            "\"a\nb\"",
            "\"a\u{0}b\"",
            "\"a\u{1f}b\"",
            "1 2",
            "[1]]",
            "'a'",
            "// c\n1",
            "\u{feff}1",
            "1e400",
            "-1e400",
            "[1e309]",
            "\u{a0}1",
        ] {
            assert!(page(text).is_none(), "{text:?}");
            assert!(by_serde(text).is_none(), "{text:?} is JSON for serde_json");
        }
        assert!(page(&"9".repeat(400)).is_none());
        assert!(page("{\"a\":1,\"a\":2}").is_none(), "a key comes twice");
        assert!(
            page("{\"a\":1,\"\\u0061\":2}").is_none(),
            "a key comes twice, spelled differently"
        );
        let many = |last: &str| {
            let keys: Vec<String> = (0..100)
                .map(|i| format!("\"key number {i}\":{i}"))
                .collect();
            format!("{{{},\"{last}\":1}}", keys.join(","))
        };
        assert!(page(&many("key number 7")).is_none());
        assert_eq!(page(&many("other")).unwrap().keys().len(), 101);
    }

    #[test]
    fn nesting_is_refused_where_the_reader_behind_serde_refuses_it() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            for depth in [1, 126, 127, 128, 129, 100_000] {
                let text = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                assert_eq!(
                    page(&text).is_some(),
                    by_serde(&text).is_some(),
                    "{open} {depth}"
                );
                assert_eq!(page(&text).is_some(), depth < 128, "{open} {depth}");
            }
            assert!(page(&open.repeat(200_000)).is_none());
        }
    }

    #[test]
    fn depth_of_a_place_is_that_of_its_value() {
        for text in [
            "1",
            "[]",
            "{}",
            "[[]]",
            "[1,[2,{\"a\":[]}],[]]",
            "{\"a\":{\"b\":[1]},\"c\":{}}",
        ] {
            assert_eq!(
                page(text).unwrap().depth(),
                by_serde(text).unwrap().depth(),
                "{text}"
            );
        }
    }

    /// Texts that are JSON, or nearly.
    fn json_like() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            prop::sample::select(vec![
                "null",
                "true",
                "false",
                "0",
                "-0",
                "-0.0",
                "1",
                "-1",
                "12345678901234567890",
                "18446744073709551615",
                "18446744073709551616",
                "-9223372036854775808",
                "-9223372036854775809",
                "1.50",
                "0.05",
                "1e5",
                "1E-7",
                "1e308",
                "1e309",
                "7034.550",
                "46088.000",
                "123456789.123456789",
                "0.1234567890123456789",
                "100000000000000000000000",
                "\"\"",
                "\"a\\nb\"",
                "\"\\u00e9\\ud83d\\ude00\"",
                "\"\\\\ \\\" \\/ \\b\\f\\r\\t\"",
                "\"\u{7f}é\u{2028}\"",
                "[]",
                "{}",
                "[ ]",
                "{ }",
                "01",
                "tru",
                "\"\\ud800\"",
                "\"\t\"",
            ])
            .prop_map(str::to_owned),
            "[ -~é😀]{0,24}".prop_map(|text| Value::from(text).to_string()),
            any::<f64>().prop_map(|f| serde_json::to_string(&f).unwrap()),
        ];
        leaf.prop_recursive(4, 48, 6, |inner| {
            let space = prop::sample::select(vec!["", " ", "\n\t", "  "]);
            prop_oneof![
                (prop::collection::vec(inner.clone(), 0..6), space.clone()).prop_map(
                    |(items, space)| format!(
                        "[{space}{}{space}]",
                        items.join(&format!("{space},{space}"))
                    )
                ),
                (
                    prop::collection::vec(("[a-d\\\\\"é]{0,3}", inner), 0..6),
                    space
                )
                    .prop_map(|(members, space)| {
                        let members: Vec<String> = members
                            .iter()
                            .map(|(key, value)| {
                                format!("{}{space}:{space}{value}", Value::from(key.as_str()))
                            })
                            .collect();
                        format!("{{{space}{}{space}}}", members.join(&format!("{space},")))
                    }),
            ]
        })
    }

    fn same(text: &str) -> Result<(), TestCaseError> {
        let (page, by_serde) = (page(text), by_serde(text));
        let Some(page) = page else {
            // Only a key that comes twice is refused here and taken there.
            if let Some(value) = by_serde {
                let count = text.matches(':').count();
                prop_assert!(count > members(&value.to_json()), "refused: {text}");
            }
            return Ok(());
        };
        let Some(value) = by_serde else {
            return Err(TestCaseError::fail(format!("taken: {text}")));
        };
        prop_assert_eq!(
            serde_json::to_string(&page).unwrap(),
            serde_json::to_string(&value).unwrap()
        );
        let mut written = Vec::new();
        crate::native::View::of(&page).write_json(&mut written);
        prop_assert_eq!(
            String::from_utf8(written).unwrap(),
            serde_json::to_string(&value).unwrap()
        );
        prop_assert_eq!(page.to_string(), value.to_string());
        prop_assert_eq!(&page, &value);
        prop_assert_eq!(page.depth(), value.depth());
        Ok(())
    }

    fn members(value: &Value) -> usize {
        match value {
            Value::Array(items) => items.iter().map(members).sum(),
            Value::Object(o) => o.len() + o.values().map(members).sum::<usize>(),
            _ => 0,
        }
    }

    proptest! {
        #[test]
        fn a_page_is_what_the_reader_behind_serde_makes_of_it(text in json_like()) {
            same(&text)?;
        }

        #[test]
        fn a_page_with_a_byte_changed_is_refused_by_both_or_by_none(
            text in json_like(), at in any::<prop::sample::Index>(), new in prop::sample::select(b"{}[]\",:\\ u0e-.+\n\x01tfn1".to_vec()),
        ) {
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len().max(1));
            if at < bytes.len() {
                bytes[at] = new;
            }
            if let Ok(text) = String::from_utf8(bytes) {
                same(&text)?;
            }
        }

        #[test]
        fn a_page_that_is_cut_is_refused(text in json_like(), at in any::<prop::sample::Index>()) {
            let at = at.index(text.len().max(1));
            if let Some(text) = text.get(..at) {
                same(text)?;
            }
        }
    }
}
