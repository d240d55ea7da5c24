//! Regular expressions: jq has Oniguruma's, which fancy-regex comes close to.

use super::cost::{Cost, Way};
use super::{Builtin, Data, copied, f};
use crate::fail::{self, ValR};
use crate::limits::{self, Limit};
use crate::val::{Entries, Repr, Val};
use fancy_regex::{Captures, Regex, RegexBuilder, RegexInput};
use jaq_core::box_iter::box_once;
use jaq_core::{Bind, Cv, Exn, Native, ValXs};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Texts of up to two to this power bytes are short.
const SHORT: u32 = 8;

/// Longest pattern, in bytes: to compile one may not take long either.
const LONGEST: usize = 1 << 16;

/// Most compiled expressions that a thread keeps.
const KEPT: usize = 256;

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("test", |input, re, flags| {
            let text = subject(&input)?;
            let re = Compiled::of(&re, &flags, text)?;
            Ok(Val::from(re.next(text, 0)?.is_some()))
        }),
        f!("_match", |input, re, flags| {
            let text = subject(&input)?;
            let re = Compiled::of(&re, &flags, text)?;
            let mut places = Places::new(text);
            let matches = re.matches(text)?;
            let mut objects = Vec::new();
            for found in &matches {
                limits::tick()
                    .and_then(|()| limits::charge(size_of::<Val>()))
                    .map_err(fail::limit)?;
                objects.push(found.object(&re, text, &mut places)?);
            }
            Ok(Val::array(objects))
        }),
        f!("_captured", |input| Ok(captured(&input))),
        f!("split", |input, re, flags| {
            let text = subject(&input)?;
            let re = Compiled::of(&re, &flags, text)?.all();
            let mut parts = Vec::new();
            let mut at = 0;
            for m in re.matches(text)? {
                let (start, end) = m.whole;
                parts.push(copied(&text[at..start])?);
                at = end;
            }
            parts.push(copied(&text[at..])?);
            limits::charge(parts.len() * size_of::<Val>()).map_err(fail::limit)?;
            Ok(Val::array(parts))
        }),
        (
            "sub",
            [Bind::Var(()), Bind::Fun(()), Bind::Var(())].into(),
            Native::<Data>::new(sub),
        )
            .into(),
    ]
}

fn subject(value: &Val) -> Result<&str, fail::Error> {
    value
        .as_str()
        .ok_or_else(|| fail::typed(value, "cannot be matched, as it is not a string"))
}

/// A compiled expression with what its flags say about searching.
#[derive(Clone)]
struct Compiled {
    regex: Rc<Regex>,
    names: Rc<[Option<Box<str>>]>,
    all: bool,
    skip_empty: bool,
    cost: Cost,
}

/// Byte positions of a match and of its groups.
struct Match {
    whole: (usize, usize),
    groups: Vec<Option<(usize, usize)>>,
}

/// Compiled expressions by pattern, flags, and how long a text they may search, as a power of two.
type Cache = HashMap<(Box<str>, Box<str>, u32), Compiled>;

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

impl Compiled {
    /// From what a program gives: a text and flags, or an array of both.
    fn of(re: &Val, flags: &Val, text: &str) -> Result<Compiled, fail::Error> {
        let (re, flags) = match (&re.0, &flags.0) {
            (Repr::Arr(a), Repr::Null) if a.items().len() > 1 => (&a.items()[0], &a.items()[1]),
            (Repr::Arr(a), Repr::Null) if a.items().len() == 1 => (&a.items()[0], flags),
            _ => (re, flags),
        };
        let Some(pattern) = re.as_str() else {
            let message = format!("{} not a string or array", re.type_name());
            return Err(fail::told(message, "a regular expression is a string"));
        };
        let flags = match &flags.0 {
            Repr::Null => "",
            Repr::Str(flags) => flags,
            _ => return Err(fail::typed(flags, "is not a string")),
        };
        let short = Self::cached(pattern, flags, SHORT)?;
        // How often it may go back depends on what it can read each time.
        let length = text.len().max(1).ilog2() + 1;
        if length <= SHORT || short.cost.back(length) == short.cost.back(SHORT) {
            return Ok(short);
        }
        Self::cached(pattern, flags, length)
    }

    fn cached(pattern: &str, flags: &str, length: u32) -> Result<Compiled, fail::Error> {
        let key = (Box::from(pattern), Box::from(flags), length);
        if let Some(found) = CACHE.with_borrow(|cache| cache.get(&key).cloned()) {
            return Ok(found);
        }
        // To compile takes much longer than to search, and a program may make a pattern of each record.
        limits::costly().map_err(fail::limit)?;
        if pattern.len() > LONGEST {
            limits::stop(Limit::Pattern).map_err(fail::limit)?;
        }
        let compiled = Self::compile(pattern, flags, length)?;
        CACHE.with_borrow_mut(|cache| {
            if cache.len() >= KEPT {
                cache.clear();
            }
            cache.insert(key, compiled.clone());
        });
        Ok(compiled)
    }

    fn compile(pattern: &str, flags: &str, length: u32) -> Result<Compiled, fail::Error> {
        let (mut ignore_case, mut extended, mut dot_newline) = (false, false, false);
        let (mut all, mut skip_empty) = (false, false);
        for flag in flags.chars() {
            match flag {
                'g' => all = true,
                'i' => ignore_case = true,
                'x' => extended = true,
                // `s`: `$` is the end of the text, which it is anyway. `l`: the longest match, which is not to be had.
                's' | 'l' => {}
                'p' => dot_newline = true,
                'n' => skip_empty = true,
                _ => return Err(fail::quoting("not a valid modifier string", flags)),
            }
        }
        let invalid = || fail::quoting("no valid regular expression", pattern);
        let translated = translate(pattern).ok_or_else(invalid)?;
        let cost = Cost::of(&translated);
        let regex = RegexBuilder::new(&translated)
            .oniguruma_mode(true)
            .backtrack_limit(cost.back(length))
            .case_insensitive(ignore_case)
            .ignore_whitespace(extended)
            .dot_matches_new_line(dot_newline)
            .build()
            .map_err(|_| invalid())?;
        let names = regex
            .capture_names()
            .map(|name| name.map(Box::from))
            .collect();
        Ok(Compiled {
            regex: Rc::new(regex),
            names,
            all,
            skip_empty,
            cost,
        })
    }

    fn all(self) -> Self {
        Self { all: true, ..self }
    }

    fn next(&self, text: &str, mut from: usize) -> Result<Option<Match>, fail::Error> {
        loop {
            let Some(captures) = self.search(text, from).map_err(fail::limit)? else {
                return Ok(None);
            };
            let group = |i: usize| captures.get(i).map(|m| (m.start(), m.end()));
            let Some(whole) = group(0) else {
                return Ok(None);
            };
            if self.skip_empty && whole.0 == whole.1 {
                from = after(text, whole.1);
                continue;
            }
            return Ok(Some(Match {
                whole,
                groups: (1..captures.len()).map(group).collect(),
            }));
        }
    }

    /// The next match from that byte on, in steps that do not take long.
    fn search<'t>(&self, text: &'t str, from: usize) -> Result<Option<Captures<'t, str>>, Limit> {
        let too_long = || limits::stop(Limit::Search).err().unwrap_or(Limit::Search);
        if from > text.len() {
            return Ok(None);
        }
        let input = |from| RegexInput::new(text).from_pos(from);
        match self.cost.way(text.len()) {
            Way::Never => Err(too_long()),
            Way::Whole => {
                limits::search(self.cost.attempt(text.len() - from))?;
                self.regex
                    .captures_input(input(from))
                    .map_err(|_| too_long())
            }
            Way::Steps => {
                let mut at = from;
                while at <= text.len() {
                    limits::search(self.cost.attempt(text.len() - at))?;
                    let found = self.regex.captures_input(input(at).anchored(true));
                    if let Some(found) = found.map_err(|_| too_long())? {
                        return Ok(Some(found));
                    }
                    at = after(text, at);
                }
                Ok(None)
            }
        }
    }

    /// The first match, or all of them.
    fn matches(&self, text: &str) -> Result<Vec<Match>, fail::Error> {
        let mut matches = Vec::new();
        let mut from = 0;
        while let Some(found) = self.next(text, from)? {
            limits::tick()
                .and_then(|()| limits::charge(128))
                .map_err(fail::limit)?;
            let (start, end) = found.whole;
            from = if start == end { after(text, end) } else { end };
            matches.push(found);
            if !self.all {
                break;
            }
        }
        Ok(matches)
    }
}

/// The position behind the character at `at`.
fn after(text: &str, at: usize) -> usize {
    at + text[at..].chars().next().map_or(1, char::len_utf8)
}

impl Match {
    /// As `match` gives it.
    fn object(&self, re: &Compiled, text: &str, places: &mut Places<'_>) -> ValR {
        let (start, end) = self.whole;
        let (whole, offset) = (start, places.chars(start));
        let captures = self.groups.iter().enumerate().map(|(i, group)| {
            let (offset, string, length) = match group {
                Some((start, end)) => {
                    let string = &text[*start..*end];
                    // Behind the start of the match, unless it was found by looking back.
                    let offset = match text.get(whole..*start) {
                        Some(between) => offset + between.chars().count(),
                        None => text[..*start].chars().count(),
                    } as i64;
                    (offset, copied(string)?, string.chars().count())
                }
                None => (-1, Val::null(), 0),
            };
            let name = re
                .names
                .get(i + 1)
                .and_then(|name| name.as_deref())
                .map_or(Val::null(), Val::from);
            Ok(object([
                ("offset", Val::from(offset)),
                ("string", string),
                ("length", Val::from(length)),
                ("name", name),
            ]))
        });
        let captures = Val::array(captures.collect::<Result<Vec<_>, fail::Error>>()?);
        let string = &text[start..end];
        Ok(object([
            ("offset", Val::from(offset)),
            ("length", Val::from(string.chars().count())),
            ("string", copied(string)?),
            ("captures", captures),
        ]))
    }

    /// Named groups as an object.
    fn named(&self, re: &Compiled, text: &str) -> ValR {
        let mut entries = Entries::new();
        for (i, group) in self.groups.iter().enumerate() {
            if let Some(Some(name)) = re.names.get(i + 1) {
                let string = match group {
                    Some((start, end)) => copied(&text[*start..*end])?,
                    None => Val::null(),
                };
                entries.insert(name.as_ref().into(), string);
            }
        }
        Ok(Val::object(entries))
    }
}

fn object<const N: usize>(members: [(&str, Val); N]) -> Val {
    Val::object(
        members
            .into_iter()
            .map(|(key, value)| (key.into(), value))
            .collect::<Entries>(),
    )
}

/// The named groups of an output of `match`.
fn captured(value: &Val) -> Val {
    let captures = value
        .get("captures")
        .and_then(Val::as_array)
        .unwrap_or_default();
    let named = captures.iter().filter_map(|capture| {
        let name = capture.get("name")?.as_str()?;
        Some((
            name.into(),
            capture.get("string").cloned().unwrap_or_default(),
        ))
    });
    Val::object(named.collect::<Entries>())
}

/// Counts characters up to byte positions that only grow.
struct Places<'t> {
    text: &'t str,
    byte: usize,
    chars: usize,
}

impl<'t> Places<'t> {
    fn new(text: &'t str) -> Self {
        Self {
            text,
            byte: 0,
            chars: 0,
        }
    }

    fn chars(&mut self, byte: usize) -> usize {
        self.chars += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.chars
    }
}

/// `sub($re; f; $flags)`. Where `f` has several outputs, there is one result for each.
fn sub<'a>(mut cv: Cv<'a, Data>) -> ValXs<'a, Val> {
    let flags = cv.0.pop_var();
    let (f, ctx) = cv.0.pop_fun();
    let re = cv.0.pop_var();
    let mut new =
        |named| -> Result<Vec<Val>, Exn<'a, Val>> { f.run((ctx.clone(), named)).collect() };
    match substitute(&cv.1, &re, &flags, &mut new) {
        Ok(results) => Box::new(results.into_iter().map(Ok)),
        Err(e) => box_once(Err(e)),
    }
}

/// Replaces what matches by what `new` makes of the named groups.
pub(crate) fn substitute<E: From<fail::Error>>(
    input: &Val,
    re: &Val,
    flags: &Val,
    new: &mut dyn FnMut(Val) -> Result<Vec<Val>, E>,
) -> Result<Vec<Val>, E> {
    let text = subject(input)?;
    let re = Compiled::of(re, flags, text)?;
    let mut results: Vec<String> = Vec::new();
    let mut at = 0;
    for m in re.matches(text)? {
        limits::tick().map_err(fail::limit)?;
        let gap = &text[at..m.whole.0];
        for (i, output) in new(m.named(&re, text)?)?.iter().enumerate() {
            let new = match &output.0 {
                Repr::Str(new) => &**new,
                Repr::Null => "",
                _ => return Err(fail::pair(&Val::from(gap), output, fail::ADDED).into()),
            };
            if results.len() <= i {
                results.push(String::new());
            }
            limits::charge(gap.len() + new.len()).map_err(fail::limit)?;
            results[i].push_str(gap);
            results[i].push_str(new);
        }
        at = m.whole.1;
    }
    if results.is_empty() {
        return Ok(vec![input.clone()]);
    }
    let rest = &text[at..];
    limits::charge(results.len() * rest.len()).map_err(fail::limit)?;
    Ok(results
        .into_iter()
        .map(|result| Val::from(result + rest))
        .collect())
}

/// Writes an expression of Oniguruma's Perl syntax, as jq uses it, so that fancy-regex takes it the same way: `$` also
/// matches before a newline at the end, `[` in a class and braces that repeat nothing are themselves. None if it is no
/// expression of that syntax, though fancy-regex would take it.
fn translate(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() + 8);
    let chars: Vec<char> = pattern.chars().collect();
    let mut i = 0;
    // Position of the first character inside the class that is open.
    let mut class: Option<usize> = None;
    while let Some(&c) = chars.get(i) {
        match (c, class) {
            ('\\', _) => i += escape(&chars, i + 1, class.is_some(), &mut out)?,
            ('[', None) => {
                out.push(c);
                if chars.get(i + 1) == Some(&'^') {
                    out.push('^');
                    i += 1;
                }
                class = Some(i + 1);
            }
            // `[:alpha:]`
            ('[', Some(_)) if chars.get(i + 1) == Some(&':') && closes_posix(&chars[i + 2..]) => {
                while chars.get(i) != Some(&']') {
                    out.push(chars[i]);
                    i += 1;
                }
                out.push(']');
            }
            ('[' | '&' | '~', Some(_)) => {
                out.push('\\');
                out.push(c);
            }
            (']', Some(first)) if i > first => {
                out.push(c);
                class = None;
            }
            (']', Some(_)) => out.push_str("\\]"),
            ('$', None) => out.push_str("(?=\\n?\\z)"),
            // `(?P<name>…)` and `(?P=name)` are Python's.
            ('(', None) if chars[i + 1..].starts_with(&['?', 'P']) => return None,
            ('{', None) => match repeats(&chars[i + 1..]) {
                None => out.push_str("\\{"),
                Some((from, upto)) if upto < from => return None,
                Some(_) => out.push(c),
            },
            (c, _) => out.push(c),
        }
        i += 1;
    }
    Some(out)
}

/// Writes what a backslash in front of `chars[at]` makes. Returns how many characters that takes.
fn escape(chars: &[char], at: usize, in_class: bool, out: &mut String) -> Option<usize> {
    let Some(&next) = chars.get(at) else {
        out.push('\\');
        return Some(0);
    };
    let octal = |most: usize| {
        let digits = chars[at..].iter().take(most);
        digits.take_while(|c| c.is_digit(8)).count()
    };
    match next {
        // Hexadecimal digits elsewhere, but not in this syntax.
        'h' | 'H' => out.push(next),
        'p' | 'P' if chars.get(at + 1) == Some(&'{') => {
            let name: String = chars[at + 2..].iter().take_while(|c| **c != '}').collect();
            let name_only = !name.contains(['=', ':']);
            if !name_only
                || name
                    .trim_start_matches('^')
                    .to_ascii_lowercase()
                    .starts_with("is")
            {
                return None;
            }
            out.extend(['\\', next, '{']);
            return Some(2);
        }
        // `\x{41}`: these braces belong to the escape.
        'x' | 'o' | 'g' | 'k' if chars.get(at + 1) == Some(&'{') => {
            out.extend(['\\', next, '{']);
            return Some(2);
        }
        // `\101`, unless so many groups stand in front of it.
        '0'..='7'
            if octal(3) > 1
                && (next == '0' || in_class || number(&chars[at..]) > groups(chars)) =>
        {
            let digits: String = chars[at..].iter().take(octal(3)).collect();
            let code = u32::from_str_radix(&digits, 8).ok()?;
            out.push_str(&format!("\\x{{{code:x}}}"));
            return Some(digits.len());
        }
        // Everything up to `\E` is itself.
        'Q' if !in_class => {
            let rest = &chars[at + 1..];
            let end = rest.windows(2).position(|pair| pair == ['\\', 'E']);
            let text: String = rest[..end.unwrap_or(rest.len())].iter().collect();
            out.push_str(&fancy_regex::escape(&text));
            return Some(1 + end.map_or(rest.len(), |end| end + 2));
        }
        _ => out.extend(['\\', next]),
    }
    Some(1)
}

/// The decimal number that the characters begin with.
fn number(chars: &[char]) -> usize {
    let digits: String = chars.iter().take_while(|c| c.is_ascii_digit()).collect();
    digits.parse().unwrap_or(usize::MAX)
}

/// About how many groups the expression has that can be referred to.
fn groups(chars: &[char]) -> usize {
    let opened = chars.iter().enumerate().filter(|(i, c)| {
        let rest = &chars[i + 1..];
        let named = rest.starts_with(&['?', '<']) && !matches!(rest.get(2), Some('=' | '!'));
        **c == '(' && (rest.first() != Some(&'?') || named)
    });
    opened.count()
}

fn closes_posix(rest: &[char]) -> bool {
    let name = rest
        .iter()
        .take_while(|c| c.is_ascii_alphabetic() || **c == '^')
        .count();
    rest.get(name) == Some(&':') && rest.get(name + 1) == Some(&']')
}

/// How often what follows a `{` repeats: `3}`, `3,}`, `3,4}`. None where it repeats nothing.
fn repeats(rest: &[char]) -> Option<(usize, usize)> {
    let end = rest.iter().position(|c| *c == '}')?;
    let inner: String = rest[..end].iter().collect();
    let (from, upto) = inner.split_once(',').unwrap_or((&inner, &inner));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if from.is_empty() || !digits(from) || !digits(upto) {
        return None;
    }
    let count = |text: &str| text.parse().unwrap_or(usize::MAX);
    Some((count(from), count(upto)))
}
