//! From a program's terms to an expression.

use super::eval::{Expr, Part, Piece};
use crate::builtins::{self, Plain};
use crate::syntax::guard::TICK;
use crate::syntax::{BinaryOp, Def, Pattern, Term, Tm, calls, constant};
use crate::val::{Num, Val};
use jaq_core::load::lex::StrPart;
use jaq_core::path::{Opt, Part as PathPart};
use std::rc::Rc;

/// Programs that nest deeper stay with jaq.
const MAX_DEPTH: usize = 48;

/// Programs that make a larger tree stay with jaq: a function is written out wherever it is called.
const MAX_PARTS: usize = 2000;

/// The expression of a program, if every part of it has one. `library` holds the functions that are written in jq.
pub(crate) fn compile<'s>(term: &Tm<'s>, library: &[Def<&'s str>]) -> Option<Expr> {
    let mut compiler = Compiler {
        library,
        parts: MAX_PARTS,
    };
    compiler.expr(term, &None, 0, 0)
}

struct Compiler<'t, 's> {
    library: &'t [Def<&'s str>],
    parts: usize,
}

/// What names mean, the latest first.
type Names<'t, 's> = Option<Rc<Name<'t, 's>>>;

struct Name<'t, 's> {
    meaning: Meaning<'t, 's>,
    outer: Names<'t, 's>,
}

enum Meaning<'t, 's> {
    /// A variable, by its number.
    Var(&'s str, usize),
    /// A function that was given for a parameter, with what its names mean.
    Given(&'s str, &'t Tm<'s>, Names<'t, 's>),
    /// A function that the program defines, or the library. Its names mean what they mean where it stands.
    Function(&'t Def<&'s str>),
}

fn with<'t, 's>(names: &Names<'t, 's>, meaning: Meaning<'t, 's>) -> Names<'t, 's> {
    Some(Rc::new(Name {
        meaning,
        outer: names.clone(),
    }))
}

impl<'t, 's> Compiler<'t, 's> {
    /// `number` is that of the next variable.
    fn expr(
        &mut self,
        term: &'t Tm<'s>,
        names: &Names<'t, 's>,
        number: usize,
        depth: usize,
    ) -> Option<Expr> {
        self.parts = self.parts.checked_sub(1)?;
        let depth = depth + 1;
        if depth > MAX_DEPTH {
            return None;
        }
        let mut inner = |term: &'t Tm<'s>| -> Option<Box<Expr>> {
            self.expr(term, names, number, depth).map(Box::new)
        };
        Some(match term {
            Term::Id => Expr::Id,
            Term::Recurse => Expr::Recurse,
            Term::Num(text) => Expr::Const(Val::num(Num::literal(text)?)),
            Term::Str(None, parts) if constant(term).is_some() => {
                let _ = parts;
                Expr::Const(constant(term)?)
            }
            Term::Str(format, parts) => {
                let format = match format {
                    None => None,
                    Some(name) => Some(builtins::plain(name, 0)?),
                };
                let mut pieces: Vec<Piece> = Vec::new();
                for part in parts {
                    pieces.push(match part {
                        StrPart::Str(text) => Piece::Text((*text).into()),
                        StrPart::Char(c) => Piece::Text(c.to_string().into()),
                        StrPart::Term(term) => {
                            let expr = inner(term)?;
                            if !expr.is_single() {
                                return None;
                            }
                            Piece::Expr(match format {
                                None => *expr,
                                Some(format) => {
                                    Expr::Pipe(expr, Box::new(Expr::Call(format, Box::default())))
                                }
                            })
                        }
                    });
                }
                Expr::Text(pieces.into())
            }
            Term::Arr(None) => Expr::Const(Val::array(Vec::new())),
            Term::Arr(Some(all)) => Expr::Array(inner(all)?),
            Term::Obj(members) => {
                let mut exprs = Vec::with_capacity(members.len());
                for (key, value) in members {
                    let pair = match value {
                        Some(value) => (*inner(key)?, *inner(value)?),
                        None => {
                            let part = (Part::Index(*inner(key)?), false);
                            (*inner(key)?, Expr::Path(Box::new(Expr::Id), [part].into()))
                        }
                    };
                    if !pair.0.is_single() || !pair.1.is_single() {
                        return None;
                    }
                    exprs.push(pair);
                }
                Expr::Object(exprs.into())
            }
            Term::Neg(negated) => match constant(term) {
                Some(value) => Expr::Const(value),
                None => Expr::Negate(inner(negated)?),
            },
            Term::BinOp(l, op, r) => match op {
                BinaryOp::Pipe(None) => match &**l {
                    Term::Call(TICK, _) => Expr::Tick(inner(r)?),
                    _ => piped(*inner(l)?, *inner(r)?),
                },
                BinaryOp::Pipe(Some(Pattern::Var(name))) => {
                    let value = inner(l)?;
                    let names = with(names, Meaning::Var(name, number));
                    let body = self.expr(r, &names, number + 1, depth)?;
                    Expr::Bind(value, number, Box::new(body))
                }
                BinaryOp::Comma => Expr::Comma(inner(l)?, inner(r)?),
                BinaryOp::Alt => Expr::Alternative(inner(l)?, inner(r)?),
                BinaryOp::And => Expr::Logic(inner(l)?, false, inner(r)?),
                BinaryOp::Or => Expr::Logic(inner(l)?, true, inner(r)?),
                BinaryOp::Math(math) => Expr::Math(inner(l)?, *math, inner(r)?),
                BinaryOp::Cmp(cmp) => Expr::Compare(inner(l)?, *cmp, inner(r)?),
                _ => return None,
            },
            Term::TryCatch(body, catch) => Expr::Try(
                inner(body)?,
                match catch {
                    Some(catch) => Some(inner(catch)?),
                    None => None,
                },
            ),
            Term::IfThenElse(branches, otherwise) => {
                let mut rest = match otherwise {
                    Some(otherwise) => *inner(otherwise)?,
                    None => Expr::Id,
                };
                for (condition, then) in branches.iter().rev() {
                    rest = Expr::If(inner(condition)?, inner(then)?, Box::new(rest));
                }
                rest
            }
            Term::Path(head, path) => {
                let head = inner(head)?;
                let mut parts = Vec::with_capacity(path.0.len());
                for (part, opt) in &path.0 {
                    let optional = matches!(opt, Opt::Optional);
                    let mut bound = |bound: &'t Option<Tm<'s>>| match bound {
                        None => Some(None),
                        Some(term) => inner(term).filter(|b| b.is_single()).map(|b| Some(*b)),
                    };
                    let part = match part {
                        PathPart::Index(key) => match *inner(key)? {
                            Expr::Const(key) if key.as_str().is_some() => {
                                Part::Key(key.as_str().unwrap_or_default().into())
                            }
                            key if !key.is_single() => return None,
                            key => Part::Index(key),
                        },
                        PathPart::Range(None, None) => Part::Each,
                        PathPart::Range(from, upto) => Part::Slice(bound(from)?, bound(upto)?),
                    };
                    parts.push((part, optional));
                }
                path_of(*head, parts)
            }
            Term::Var(name) => self.variable(name, names)?,
            Term::Def(defs, body) => {
                let mut names = names.clone();
                for def in defs {
                    // One that calls itself is jaq's, and one that nobody calls must make sense all the same.
                    let arity = def.args.len();
                    if calls(&def.body, def.name, arity) || !calls(body, def.name, arity) {
                        return None;
                    }
                    names = with(&names, Meaning::Function(def));
                }
                self.expr(body, &names, number, depth)?
            }
            Term::Call(name, args) => self.call(name, args, names, number, depth)?,
            Term::Label(..) | Term::Break(_) | Term::Fold(..) => return None,
        })
    }

    fn variable(&self, name: &str, names: &Names<'t, 's>) -> Option<Expr> {
        let mut at = names.as_ref();
        while let Some(entry) = at {
            match &entry.meaning {
                Meaning::Var(known, number) if *known == name => return Some(Expr::Var(*number)),
                _ => at = entry.outer.as_ref(),
            }
        }
        None
    }

    fn call(
        &mut self,
        name: &'s str,
        args: &'t [Tm<'s>],
        names: &Names<'t, 's>,
        number: usize,
        depth: usize,
    ) -> Option<Expr> {
        let mut at = names.as_ref();
        while let Some(entry) = at {
            match &entry.meaning {
                Meaning::Given(known, term, names) if *known == name && args.is_empty() => {
                    return self.expr(term, &names.clone(), number, depth);
                }
                Meaning::Function(def) if def.name == name && def.args.len() == args.len() => {
                    return self.write_out(def, args, &entry.outer.clone(), names, number, depth);
                }
                _ => at = entry.outer.as_ref(),
            }
        }
        let mut inner = |term: &'t Tm<'s>| -> Option<Box<Expr>> {
            self.expr(term, names, number, depth).map(Box::new)
        };
        Some(match (name, args) {
            ("true", []) => Expr::Const(Val::from(true)),
            ("false", []) => Expr::Const(Val::from(false)),
            ("null", []) => Expr::Const(Val::null()),
            ("not", []) => Expr::Not,
            ("tostring", []) => Expr::ToString,
            ("ascii_downcase", []) => Expr::AsciiCase { upper: false },
            ("ascii_upcase", []) => Expr::AsciiCase { upper: true },
            ("empty", []) => Expr::Empty,
            ("error", []) => Expr::Error,
            (TICK, []) => Expr::Tick(Box::new(Expr::Id)),
            ("first", [f]) => Expr::First(inner(f)?),
            ("last", [f]) => Expr::Last(inner(f)?, false),
            ("_last", [f]) => Expr::Last(inner(f)?, true),
            ("_alternative", [l, r]) => Expr::Alternative(inner(l)?, inner(r)?),
            ("sub", [re, new, flags]) => {
                let parts = [*inner(re)?, *inner(new)?, *inner(flags)?];
                if !parts[0].is_single() || !parts[2].is_single() {
                    return None;
                }
                Expr::Substitute(Box::new(parts))
            }
            _ => {
                let plain = match (name, args.len()) {
                    ("getpath", 1) => Plain::One(|value, path| builtins::at_path(&value, &path)),
                    _ => match builtins::plain(name, args.len()) {
                        Some(plain) => plain,
                        None => {
                            let library = self.library;
                            let def = library
                                .iter()
                                .find(|def| def.name == name && def.args.len() == args.len())?;
                            if calls(&def.body, def.name, def.args.len()) {
                                return None;
                            }
                            return self.write_out(def, args, &None, names, number, depth);
                        }
                    },
                };
                let mut values = Vec::with_capacity(args.len());
                for arg in args {
                    let arg = *inner(arg)?;
                    if !arg.is_single() {
                        return None;
                    }
                    values.push(arg);
                }
                Expr::Call(plain, values.into())
            }
        })
    }

    /// The body of a function, its parameters replaced by what is given.
    fn write_out(
        &mut self,
        def: &'t Def<&'s str>,
        args: &'t [Tm<'s>],
        inside: &Names<'t, 's>,
        outside: &Names<'t, 's>,
        mut number: usize,
        depth: usize,
    ) -> Option<Expr> {
        let mut inside = inside.clone();
        let mut bound = Vec::new();
        for (param, arg) in def.args.iter().zip(args) {
            if param.starts_with('$') {
                bound.push((number, self.expr(arg, outside, number, depth + 1)?));
                inside = with(&inside, Meaning::Var(param, number));
                number += 1;
            } else {
                if !calls(&def.body, param, 0) {
                    // Nothing asks for it, but it must make sense.
                    self.expr(arg, outside, number, depth + 1)?;
                }
                inside = with(&inside, Meaning::Given(param, arg, outside.clone()));
            }
        }
        let body = self.expr(&def.body, &inside, number, depth + 1)?;
        Some(bound.into_iter().rev().fold(body, |body, (number, value)| {
            Expr::Bind(Box::new(value), number, Box::new(body))
        }))
    }
}

/// `l | r`; two paths are one.
fn piped(l: Expr, r: Expr) -> Expr {
    match (l, r) {
        (Expr::Id, r) => r,
        (l, Expr::Id) => l,
        (Expr::Keys(l), Expr::Keys(r)) => Expr::Keys(l.into_iter().chain(r).collect()),
        (l, r) => Expr::Pipe(Box::new(l), Box::new(r)),
    }
}

/// A path of keys alone has a form of its own.
fn path_of(head: Expr, parts: Vec<(Part, bool)>) -> Expr {
    let is_key = |(part, optional): &(Part, bool)| matches!(part, Part::Key(_)) && !optional;
    if !parts.iter().all(is_key) {
        return Expr::Path(Box::new(head), parts.into());
    }
    let keys = parts.into_iter().filter_map(|(part, _)| match part {
        Part::Key(key) => Some(key),
        _ => None,
    });
    piped(head, Expr::Keys(keys.collect()))
}
