//! From text to a program that jaq can compile and that means what it means in jq.
//!
//! jaq's own parser gives some programs another meaning (`.a = .b // 1`, `1 - 1 % 2`) and some operators another order
//! of outputs. So the text is read here, in jq's grammar, and written as jaq's terms; where jaq's operator differs from
//! jq's, the term spells out what jq does.

pub(crate) mod build;
pub(crate) mod guard;
pub(crate) mod hint;
pub(crate) mod lex;
pub(crate) mod parse;
pub(crate) mod quotes;

use crate::val::{Entries, Num, Val};
use jaq_core::load::lex::StrPart;
use jaq_core::path::Part;

pub(crate) use self::build::calls;
pub(crate) use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};

/// Longest program, in bytes.
pub const MAX_PROGRAM: usize = 64 << 10;

/// Deepest nesting of a program's terms. A chain such as `a | b | c` nests, too.
pub(crate) const MAX_TERM_DEPTH: u32 = 1000;

/// Names from the program's text or from here.
pub(crate) type Tm<'s> = Term<&'s str>;

/// Calls `f` for the direct parts of a term.
pub(crate) fn each_part<'t, 's>(term: &'t Tm<'s>, f: &mut dyn FnMut(&'t Tm<'s>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => parts.iter().for_each(|part| {
            if let StrPart::Term(t) = part {
                f(t);
            }
        }),
        Term::Arr(inner) => inner.iter().for_each(|t| f(t)),
        Term::Obj(members) => members.iter().for_each(|(key, value)| {
            f(key);
            value.iter().for_each(&mut *f);
        }),
        Term::Neg(t) | Term::Label(_, t) => f(t),
        Term::BinOp(l, op, r) => {
            f(l);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                each_pattern_part(pattern, f);
            }
            f(r);
        }
        Term::Fold(_, xs, pattern, args) => {
            f(xs);
            each_pattern_part(pattern, f);
            args.iter().for_each(f);
        }
        Term::TryCatch(body, catch) => {
            f(body);
            catch.iter().for_each(|t| f(t));
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().for_each(|(condition, then)| {
                f(condition);
                f(then);
            });
            otherwise.iter().for_each(|t| f(t));
        }
        Term::Def(defs, t) => {
            defs.iter().for_each(|def| f(&def.body));
            f(t);
        }
        Term::Call(_, args) => args.iter().for_each(f),
        Term::Path(head, path) => {
            f(head);
            path.0.iter().for_each(|(part, _)| match part {
                Part::Index(key) => f(key),
                Part::Range(from, upto) => from.iter().chain(upto).for_each(&mut *f),
            });
        }
    }
}

fn each_pattern_part<'t, 's>(pattern: &'t Pattern<&'s str>, f: &mut dyn FnMut(&'t Tm<'s>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|p| each_pattern_part(p, f)),
        Pattern::Obj(members) => members.iter().for_each(|(key, p)| {
            f(key);
            each_pattern_part(p, f);
        }),
    }
}

/// Calls `f` for the direct parts of a term, to change them.
pub(crate) fn each_part_mut<'s>(term: &mut Tm<'s>, f: &mut dyn FnMut(&mut Tm<'s>)) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(_, parts) => parts.iter_mut().for_each(|part| {
            if let StrPart::Term(t) = part {
                f(t);
            }
        }),
        Term::Arr(inner) => inner.iter_mut().for_each(|t| f(t)),
        Term::Obj(members) => members.iter_mut().for_each(|(key, value)| {
            f(key);
            value.iter_mut().for_each(&mut *f);
        }),
        Term::Neg(t) | Term::Label(_, t) => f(t),
        Term::BinOp(l, op, r) => {
            f(l);
            if let BinaryOp::Pipe(Some(pattern)) = op {
                each_pattern_part_mut(pattern, f);
            }
            f(r);
        }
        Term::Fold(_, xs, pattern, args) => {
            f(xs);
            each_pattern_part_mut(pattern, f);
            args.iter_mut().for_each(f);
        }
        Term::TryCatch(body, catch) => {
            f(body);
            catch.iter_mut().for_each(|t| f(t));
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter_mut().for_each(|(condition, then)| {
                f(condition);
                f(then);
            });
            otherwise.iter_mut().for_each(|t| f(t));
        }
        Term::Def(defs, t) => {
            defs.iter_mut().for_each(|def| f(&mut def.body));
            f(t);
        }
        Term::Call(_, args) => args.iter_mut().for_each(f),
        Term::Path(head, path) => {
            f(head);
            path.0.iter_mut().for_each(|(part, _)| match part {
                Part::Index(key) => f(key),
                Part::Range(from, upto) => from.iter_mut().chain(upto).for_each(&mut *f),
            });
        }
    }
}

fn each_pattern_part_mut<'s>(pattern: &mut Pattern<&'s str>, f: &mut dyn FnMut(&mut Tm<'s>)) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter_mut().for_each(|p| each_pattern_part_mut(p, f)),
        Pattern::Obj(members) => members.iter_mut().for_each(|(key, p)| {
            f(key);
            each_pattern_part_mut(p, f);
        }),
    }
}

/// The value of a literal.
pub(crate) fn constant(term: &Tm<'_>) -> Option<Val> {
    match term {
        Term::Num(text) => Num::literal(text).map(Val::num),
        Term::Neg(inner) => match &**inner {
            Term::Num(text) => Num::literal(text).map(|n| Val::num(n.negate())),
            _ => None,
        },
        Term::Str(None, parts) => plain_string(parts).map(Val::from),
        Term::Call("true", args) if args.is_empty() => Some(Val::from(true)),
        Term::Call("false", args) if args.is_empty() => Some(Val::from(false)),
        Term::Call("null", args) if args.is_empty() => Some(Val::null()),
        Term::Arr(None) => Some(Val::array(Vec::new())),
        Term::Obj(members) if members.is_empty() => Some(Val::object(Entries::new())),
        _ => None,
    }
}

fn plain_string(parts: &[StrPart<&str, Tm<'_>>]) -> Option<String> {
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(s) => text.push_str(s),
            StrPart::Char(c) => text.push(*c),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}
