//! Regular expressions: jq has Oniguruma's, which fancy-regex comes close to.

use super::{Builtin, Data, f};
use crate::fail;
use crate::limits::{self, Limit};
use crate::val::{Entries, Repr, Val};
use fancy_regex::{Regex, RegexBuilder};
use jaq_core::box_iter::box_once;
use jaq_core::{Bind, Cv, Exn, Native, ValXs};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// Most steps back that one match may take.
const BACKTRACK_LIMIT: usize = 500_000;

/// Most compiled expressions that a thread keeps.
const KEPT: usize = 256;

pub(super) fn funs() -> Vec<Builtin> {
    vec![
        f!("test", |input, re, flags| {
            let re = Compiled::of(&re, &flags)?;
            let text = subject(&input)?;
            Ok(Val::from(re.next(text, 0)?.is_some()))
        }),
        f!("_match", |input, re, flags| {
            let re = Compiled::of(&re, &flags)?;
            let text = subject(&input)?;
            let mut places = Places::new(text);
            let matches = re.matches(text)?;
            Ok(matches
                .iter()
                .map(|m| m.object(&re, text, &mut places))
                .collect())
        }),
        f!("_captured", |input| Ok(captured(&input))),
        f!("split", |input, re, flags| {
            let re = Compiled::of(&re, &flags)?.all();
            let text = subject(&input)?;
            let mut parts = Vec::new();
            let mut at = 0;
            for m in re.matches(text)? {
                let (start, end) = m.whole;
                parts.push(Val::from(&text[at..start]));
                at = end;
            }
            parts.push(Val::from(&text[at..]));
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
}

/// Byte positions of a match and of its groups.
struct Match {
    whole: (usize, usize),
    groups: Vec<Option<(usize, usize)>>,
}

/// Compiled expressions by pattern and flags.
type Cache = HashMap<(Box<str>, Box<str>), Compiled>;

thread_local! {
    static CACHE: RefCell<Cache> = RefCell::default();
}

impl Compiled {
    /// From what a program gives: a text and flags, or an array of both.
    fn of(re: &Val, flags: &Val) -> Result<Compiled, fail::Error> {
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
        let key = (Box::from(pattern), Box::from(flags));
        if let Some(found) = CACHE.with_borrow(|cache| cache.get(&key).cloned()) {
            return Ok(found);
        }
        let compiled = Self::compile(pattern, flags)?;
        CACHE.with_borrow_mut(|cache| {
            if cache.len() >= KEPT {
                cache.clear();
            }
            cache.insert(key, compiled.clone());
        });
        Ok(compiled)
    }

    fn compile(pattern: &str, flags: &str) -> Result<Compiled, fail::Error> {
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
        let build = |pattern: &str| {
            RegexBuilder::new(pattern)
                .oniguruma_mode(true)
                .backtrack_limit(BACKTRACK_LIMIT)
                .case_insensitive(ignore_case)
                .ignore_whitespace(extended)
                .dot_matches_new_line(dot_newline)
                .build()
        };
        let regex = build(&translate(pattern))
            .map_err(|_| fail::quoting("no valid regular expression", pattern))?;
        let names = regex
            .capture_names()
            .map(|name| name.map(Box::from))
            .collect();
        Ok(Compiled {
            regex: Rc::new(regex),
            names,
            all,
            skip_empty,
        })
    }

    fn all(self) -> Self {
        Self { all: true, ..self }
    }

    fn next(&self, text: &str, mut from: usize) -> Result<Option<Match>, fail::Error> {
        // A search may go back and forth for milliseconds.
        limits::costly().map_err(fail::limit)?;
        loop {
            if from > text.len() {
                return Ok(None);
            }
            let found = self.regex.captures_from_pos(text, from).map_err(|_| {
                let _ = limits::stop(Limit::Time);
                fail::message("the regular expression takes too long")
            })?;
            let Some(captures) = found else {
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
    fn object(&self, re: &Compiled, text: &str, places: &mut Places<'_>) -> Val {
        let (start, end) = self.whole;
        let offset = places.chars(start);
        let captures = self.groups.iter().enumerate().map(|(i, group)| {
            let (offset, string, length) = match group {
                Some((start, end)) => {
                    let string = &text[*start..*end];
                    let offset = text[..*start].chars().count() as i64;
                    (offset, Val::from(string), string.chars().count())
                }
                None => (-1, Val::null(), 0),
            };
            let name = re
                .names
                .get(i + 1)
                .and_then(|name| name.as_deref())
                .map_or(Val::null(), Val::from);
            object([
                ("offset", Val::from(offset)),
                ("string", string),
                ("length", Val::from(length)),
                ("name", name),
            ])
        });
        let captures = Val::array(captures.collect());
        let string = &text[start..end];
        object([
            ("offset", Val::from(offset)),
            ("length", Val::from(string.chars().count())),
            ("string", Val::from(string)),
            ("captures", captures),
        ])
    }

    /// Named groups as an object.
    fn named(&self, re: &Compiled, text: &str) -> Val {
        let mut entries = Entries::new();
        for (i, group) in self.groups.iter().enumerate() {
            if let Some(Some(name)) = re.names.get(i + 1) {
                let string = group.map_or(Val::null(), |(start, end)| Val::from(&text[start..end]));
                entries.insert(name.as_ref().into(), string);
            }
        }
        Val::object(entries)
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
    let re = Compiled::of(re, flags)?;
    let text = subject(input)?;
    let mut results: Vec<String> = Vec::new();
    let mut at = 0;
    for m in re.matches(text)? {
        limits::tick().map_err(fail::limit)?;
        let gap = &text[at..m.whole.0];
        for (i, output) in new(m.named(&re, text))?.iter().enumerate() {
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
    Ok(results
        .into_iter()
        .map(|result| Val::from(result + &text[at..]))
        .collect())
}

/// Writes an expression of Oniguruma's Perl syntax, as jq uses it, so that fancy-regex takes it the same way: `$` also
/// matches before a newline at the end, `[` in a class and braces that repeat nothing are themselves.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let chars: Vec<char> = pattern.chars().collect();
    let mut i = 0;
    // Position of the first character inside the class that is open.
    let mut class: Option<usize> = None;
    while let Some(&c) = chars.get(i) {
        match (c, class) {
            ('\\', _) => {
                out.push(c);
                if let Some(next) = chars.get(i + 1) {
                    out.push(*next);
                    i += 1;
                    // `\p{Lu}`, `\x{41}`: these braces belong to the escape.
                    if matches!(next, 'p' | 'P' | 'x' | 'o' | 'g' | 'k')
                        && chars.get(i + 1) == Some(&'{')
                    {
                        out.push('{');
                        i += 1;
                    }
                }
            }
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
            ('{', None) if !repeats(&chars[i + 1..]) => out.push_str("\\{"),
            (c, _) => out.push(c),
        }
        i += 1;
    }
    out
}

fn closes_posix(rest: &[char]) -> bool {
    let name = rest
        .iter()
        .take_while(|c| c.is_ascii_alphabetic() || **c == '^')
        .count();
    rest.get(name) == Some(&':') && rest.get(name + 1) == Some(&']')
}

/// Whether what follows a `{` makes it a repetition: `3}`, `3,}`, `,3}`, `3,4}`.
fn repeats(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|c| *c == '}') else {
        return false;
    };
    let inner = &rest[..end];
    inner.iter().any(char::is_ascii_digit)
        && inner.iter().all(|c| c.is_ascii_digit() || *c == ',')
        && inner.iter().filter(|c| **c == ',').count() <= 1
}
