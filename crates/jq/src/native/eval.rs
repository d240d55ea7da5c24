//! Running an expression: every output is handed to a function, which may say that it has enough.

use super::View;
use crate::builtins::{self, Plain};
use crate::fail::{self, ValR};
use crate::limits::{self, Limit};
use crate::val::{Entries, List, Num, Repr, Val};
use jaq_core::ops::{Cmp, Math};
use std::sync::Arc;

/// A program as a tree.
#[derive(Debug)]
pub(crate) enum Expr {
    Id,
    Recurse,
    Const(Val),
    /// A variable, by how many are around it.
    Var(usize),
    /// `.a.b.c`
    Keys(Box<[Box<str>]>),
    Path(Box<Expr>, Box<[(Part, bool)]>),
    Text(Box<[Piece]>),
    Array(Box<Expr>),
    Object(Box<[(Expr, Expr)]>),
    Negate(Box<Expr>),
    Pipe(Box<Expr>, Box<Expr>),
    /// `l as $x | r`, where `$x` is the variable of that number.
    Bind(Box<Expr>, usize, Box<Expr>),
    Comma(Box<Expr>, Box<Expr>),
    Math(Box<Expr>, Math, Box<Expr>),
    Compare(Box<Expr>, Cmp, Box<Expr>),
    /// `l and r`, `l or r`: the answer of `l` with which `r` is not asked.
    Logic(Box<Expr>, bool, Box<Expr>),
    Alternative(Box<Expr>, Box<Expr>),
    Try(Box<Expr>, Option<Box<Expr>>),
    If(Box<Expr>, Box<Expr>, Box<Expr>),
    Empty,
    Error,
    First(Box<Expr>),
    /// The last output; without one null where `true`, else nothing.
    Last(Box<Expr>, bool),
    ToString,
    Not,
    AsciiCase {
        upper: bool,
    },
    Call(Plain, Box<[Expr]>),
    /// `sub($re; f; $flags)`
    Substitute(Box<[Expr; 3]>),
    Tick(Box<Expr>),
}

#[derive(Debug)]
pub(crate) enum Part {
    Key(Box<str>),
    Index(Expr),
    Slice(Option<Expr>, Option<Expr>),
    Each,
}

#[derive(Debug)]
pub(crate) enum Piece {
    Text(Box<str>),
    Expr(Expr),
}

/// Why a run ends early.
#[derive(Debug)]
pub(crate) enum Stop {
    /// Whoever gets the outputs wants no more.
    Enough,
    Error(fail::Error),
    /// A limit, which nothing catches.
    Limit,
}

impl From<fail::Error> for Stop {
    fn from(error: fail::Error) -> Self {
        Stop::Error(error)
    }
}

impl From<Limit> for Stop {
    fn from(_: Limit) -> Self {
        Stop::Limit
    }
}

type Flow = Result<(), Stop>;
type One<'v> = Result<Option<View<'v>>, Stop>;
type Out<'o, 'v> = &'o mut dyn FnMut(View<'v>) -> Flow;

/// The variables that are bound, the latest first.
pub(crate) struct Scope<'e, 'v> {
    number: usize,
    value: View<'v>,
    outer: Env<'e, 'v>,
}

type Env<'e, 'v> = Option<&'e Scope<'e, 'v>>;

impl Expr {
    /// The first output.
    pub(crate) fn first<'v>(&'v self, input: &View<'v>) -> One<'v> {
        self.first_in(None, input)
    }

    /// Every output, until `out` has enough.
    pub(crate) fn all<'v>(&'v self, input: &View<'v>, out: Out<'_, 'v>) -> Flow {
        self.run(None, input, out)
    }

    fn first_in<'v>(&'v self, env: Env<'_, 'v>, input: &View<'v>) -> One<'v> {
        if self.is_single() {
            return self.one(env, input);
        }
        let mut first = None;
        match self.run(env, input, &mut |output| {
            first = Some(output);
            Err(Stop::Enough)
        }) {
            Ok(()) | Err(Stop::Enough) => Ok(first),
            Err(stop) => Err(stop),
        }
    }

    /// Whether there is one output at most.
    pub(super) fn is_single(&self) -> bool {
        match self {
            Expr::Recurse | Expr::Comma(..) => false,
            Expr::Path(head, parts) => {
                head.is_single() && !parts.iter().any(|(part, _)| matches!(part, Part::Each))
            }
            Expr::Pipe(l, r) | Expr::Bind(l, _, r) | Expr::Alternative(l, r) => {
                l.is_single() && r.is_single()
            }
            Expr::Math(l, _, r) | Expr::Compare(l, _, r) => l.is_single() && r.is_single(),
            Expr::Logic(l, _, r) => l.is_single() && r.is_single(),
            Expr::Try(body, catch) => {
                body.is_single() && catch.as_ref().is_none_or(|catch| catch.is_single())
            }
            Expr::If(condition, then, otherwise) => {
                condition.is_single() && then.is_single() && otherwise.is_single()
            }
            Expr::Negate(inner) | Expr::Tick(inner) => inner.is_single(),
            Expr::Substitute(parts) => parts[1].is_single(),
            _ => true,
        }
    }

    /// The output of an expression that has one at most.
    fn one<'v>(&'v self, env: Env<'_, 'v>, input: &View<'v>) -> One<'v> {
        let some = |view| Ok(Some(view));
        match self {
            Expr::Id => some(input.clone()),
            Expr::Const(value) => some(View::Ref(value)),
            Expr::Var(number) => some(variable(env, *number)),
            Expr::Keys(keys) => {
                let Some((first, rest)) = keys.split_first() else {
                    return some(input.clone());
                };
                let mut at = at_key(input, first)?;
                for key in rest {
                    at = at_key(&at, key)?;
                }
                some(at)
            }
            Expr::Path(head, parts) => {
                let Some(mut at) = head.one(env, input)? else {
                    return Ok(None);
                };
                let Some(mut keys) = keys(parts, env, input)? else {
                    return Ok(None);
                };
                for (part, optional) in parts {
                    match take(&at, part, &mut keys, *optional)? {
                        Some(next) => at = next,
                        None => return Ok(None),
                    }
                }
                some(at)
            }
            Expr::Text(pieces) => {
                let mut text = String::new();
                let mut error = None;
                for piece in pieces {
                    match piece {
                        Piece::Text(piece) => text.push_str(piece),
                        Piece::Expr(expr) => match expr.one(env, input) {
                            Ok(Some(value)) => value.push_text(&mut text)?,
                            Ok(None) => return Ok(None),
                            Err(Stop::Error(e)) => error = error.or(Some(e)),
                            Err(stop) => return Err(stop),
                        },
                    }
                    limits::charge_text(text.len()).map_err(fail::limit)?;
                }
                match error {
                    Some(error) => Err(error.into()),
                    None => some(View::Text(text)),
                }
            }
            Expr::Array(inner) => {
                let mut items = Vec::new();
                inner.run(env, input, &mut |output| {
                    items.push(output.into_val());
                    limits::charge(size_of::<Val>())?;
                    Ok(limits::tick()?)
                })?;
                let array = Val(Repr::Arr(Arc::new(List::new(items))));
                limits::fit(&array)?;
                some(View::Own(array))
            }
            Expr::Object(members) => {
                let mut entries = Entries::with_capacity(members.len());
                for (key, value) in members {
                    let (Some(key), Some(value)) = (key.one(env, input)?, value.one(env, input)?)
                    else {
                        return Ok(None);
                    };
                    let (key, value) = (key.into_val(), value.into_val());
                    let Repr::Str(key) = key.0 else {
                        return Err(fail::key(&key).into());
                    };
                    limits::charge(2 * size_of::<Val>())
                        .and_then(|()| limits::fit_inside(&value, 1))
                        .map_err(fail::limit)?;
                    entries.insert(key, value);
                }
                let object = Val::object(entries);
                limits::fit(&object).map_err(fail::limit)?;
                some(View::Own(object))
            }
            Expr::Negate(inner) => match inner.one(env, input)? {
                Some(value) => Ok(Some(View::Own((-value.into_val())?))),
                None => Ok(None),
            },
            Expr::Pipe(l, r) => match l.one(env, input)? {
                Some(value) => r.one(env, &value),
                None => Ok(None),
            },
            Expr::Bind(l, number, r) => match l.one(env, input)? {
                Some(value) => {
                    let scope = Scope {
                        number: *number,
                        value,
                        outer: env,
                    };
                    r.one(Some(&scope), input)
                }
                None => Ok(None),
            },
            Expr::Math(l, math, r) => match both(l.one(env, input), r, env, input)? {
                Some((l, r)) => Ok(Some(calculate(l, *math, r)?)),
                None => Ok(None),
            },
            Expr::Compare(l, cmp, r) => match both(l.one(env, input), r, env, input)? {
                Some((l, r)) => some(View::Own(Val::from(compare(&l, *cmp, &r)))),
                None => Ok(None),
            },
            Expr::Logic(l, stop, r) => match l.one(env, input)? {
                Some(l) if l.truthy() == *stop => some(View::Own(Val::from(*stop))),
                Some(_) => {
                    let r = r.one(env, input)?;
                    Ok(r.map(|r| View::Own(Val::from(r.truthy()))))
                }
                None => Ok(None),
            },
            Expr::Alternative(l, r) => match l.one(env, input)? {
                Some(l) if l.truthy() => some(l),
                _ => r.one(env, input),
            },
            Expr::Try(body, catch) => match (body.one(env, input), catch) {
                (Err(Stop::Error(error)), Some(catch)) => {
                    catch.one(env, &View::Own(error.into_val()))
                }
                (Err(Stop::Error(_)), None) => Ok(None),
                (result, _) => result,
            },
            Expr::If(condition, then, otherwise) => match condition.one(env, input)? {
                Some(answer) if answer.truthy() => then.one(env, input),
                Some(_) => otherwise.one(env, input),
                None => Ok(None),
            },
            Expr::Empty => Ok(None),
            Expr::Error => Err(Stop::Error(fail::Error::new(input.clone().into_val()))),
            Expr::First(inner) => inner.first_in(env, input),
            Expr::Last(inner, or_null) => {
                let mut last = or_null.then(|| View::Own(Val::null()));
                inner.run(env, input, &mut |output| {
                    last = Some(output);
                    Ok(())
                })?;
                Ok(last)
            }
            Expr::ToString => match input.type_name() {
                "string" => some(input.clone()),
                _ => {
                    let mut text = String::new();
                    input.push_text(&mut text)?;
                    limits::charge_text(text.len())?;
                    some(View::Text(text))
                }
            },
            Expr::Not => some(View::Own(Val::from(!input.truthy()))),
            Expr::AsciiCase { upper } => {
                let Some(text) = input.text() else {
                    return Err(fail::message("explode input must be a string").into());
                };
                limits::charge_text(text.len()).map_err(fail::limit)?;
                let mut text = text.into_owned();
                match upper {
                    true => text.make_ascii_uppercase(),
                    false => text.make_ascii_lowercase(),
                }
                some(View::Text(text))
            }
            Expr::Call(plain, args) => {
                let mut values = [Val::null(), Val::null()];
                for (slot, arg) in values.iter_mut().zip(args) {
                    match arg.one(env, input)? {
                        Some(value) => *slot = value.into_val(),
                        None => return Ok(None),
                    }
                }
                let [a, b] = values;
                let input = input.clone().into_val();
                some(View::Own(match plain {
                    Plain::Zero(run) => run(input)?,
                    Plain::One(run) => run(input, a)?,
                    Plain::Two(run) => run(input, a, b)?,
                }))
            }
            Expr::Substitute(parts) => {
                let outputs = substitute(parts, env, input)?;
                Ok(outputs.into_iter().next().map(View::Own))
            }
            Expr::Tick(inner) => {
                limits::tick()?;
                inner.one(env, input)
            }
            Expr::Recurse | Expr::Comma(..) => self.first_in(env, input),
        }
    }

    fn run<'v>(&'v self, env: Env<'_, 'v>, input: &View<'v>, out: Out<'_, 'v>) -> Flow {
        if self.is_single() {
            return match self.one(env, input)? {
                Some(output) => out(output),
                None => Ok(()),
            };
        }
        match self {
            Expr::Recurse => recurse(input.clone(), out),
            Expr::Path(head, parts) => {
                head.run(env, input, &mut |at| match keys(parts, env, input)? {
                    Some(keys) => walk(at, parts, &keys, out),
                    None => Ok(()),
                })
            }
            Expr::Negate(inner) => inner.run(env, input, &mut |value| {
                out(View::Own((-value.into_val())?))
            }),
            Expr::Pipe(l, r) => l.run(env, input, &mut |value| r.run(env, &value, out)),
            Expr::Bind(l, number, r) => l.run(env, input, &mut |value| {
                let scope = Scope {
                    number: *number,
                    value,
                    outer: env,
                };
                r.run(Some(&scope), input, out)
            }),
            Expr::Comma(l, r) => {
                l.run(env, input, out)?;
                r.run(env, input, out)
            }
            Expr::Math(l, math, r) => {
                pairs(l, r, env, input, &mut |l, r| out(calculate(l, *math, r)?))
            }
            Expr::Compare(l, cmp, r) => pairs(l, r, env, input, &mut |l, r| {
                out(View::Own(Val::from(compare(&l, *cmp, &r))))
            }),
            Expr::Logic(l, stop, r) => l.run(env, input, &mut |l| {
                if l.truthy() == *stop {
                    return out(View::Own(Val::from(*stop)));
                }
                r.run(env, input, &mut |r| out(View::Own(Val::from(r.truthy()))))
            }),
            Expr::Alternative(l, r) => {
                let mut any = false;
                l.run(env, input, &mut |value| {
                    if !value.truthy() {
                        return Ok(());
                    }
                    any = true;
                    out(value)
                })?;
                match any {
                    true => Ok(()),
                    false => r.run(env, input, out),
                }
            }
            Expr::Try(body, catch) => {
                // What fails behind an output is not this body's error.
                let mut behind = None;
                let result = body.run(env, input, &mut |output| {
                    out(output).map_err(|stop| {
                        behind = Some(stop);
                        Stop::Enough
                    })
                });
                match (behind, result, catch) {
                    (Some(stop), ..) => Err(stop),
                    (None, Err(Stop::Error(error)), Some(catch)) => {
                        catch.run(env, &View::Own(error.into_val()), out)
                    }
                    (None, Err(Stop::Error(_)), None) => Ok(()),
                    (None, result, _) => result,
                }
            }
            Expr::If(condition, then, otherwise) => {
                condition.run(env, input, &mut |answer| match answer.truthy() {
                    true => then.run(env, input, out),
                    false => otherwise.run(env, input, out),
                })
            }
            Expr::Substitute(parts) => {
                let outputs = substitute(parts, env, input)?;
                outputs
                    .into_iter()
                    .try_for_each(|output| out(View::Own(output)))
            }
            Expr::Tick(inner) => {
                limits::tick()?;
                inner.run(env, input, out)
            }
            // All others have one output at most.
            _ => Ok(()),
        }
    }
}

fn variable<'v>(mut env: Env<'_, 'v>, number: usize) -> View<'v> {
    while let Some(scope) = env {
        if scope.number == number {
            return scope.value.clone();
        }
        env = scope.outer;
    }
    View::Own(Val::null())
}

/// The right side after the left one, as jaq does it: without an output on the right an error on the left does not show.
fn both<'v>(
    l: One<'v>,
    r: &'v Expr,
    env: Env<'_, 'v>,
    input: &View<'v>,
) -> Result<Option<(View<'v>, View<'v>)>, Stop> {
    let l = match l {
        Ok(None) => return Ok(None),
        Ok(Some(l)) => Ok(l),
        Err(Stop::Error(error)) => Err(error),
        Err(stop) => return Err(stop),
    };
    match (l, r.one(env, input)) {
        (_, Ok(None)) => Ok(None),
        (_, Err(Stop::Limit)) => Err(Stop::Limit),
        (Err(error), _) => Err(error.into()),
        (Ok(_), Err(stop)) => Err(stop),
        (Ok(l), Ok(Some(r))) => Ok(Some((l, r))),
    }
}

/// The same where a side may have several outputs. Where the left one may, the right one is a value that was made before.
fn pairs<'v>(
    l: &'v Expr,
    r: &'v Expr,
    env: Env<'_, 'v>,
    input: &View<'v>,
    out: &mut dyn FnMut(View<'v>, View<'v>) -> Flow,
) -> Flow {
    if !l.is_single() {
        return l.run(env, input, &mut |l| {
            r.run(env, input, &mut |r| out(l.clone(), r))
        });
    }
    let mut l = match l.one(env, input) {
        Ok(None) => return Ok(()),
        Ok(Some(l)) => Ok(l),
        Err(Stop::Error(error)) => Err(Some(error)),
        Err(stop) => return Err(stop),
    };
    let result = r.run(env, input, &mut |r| match &mut l {
        Ok(l) => out(l.clone(), r),
        Err(error) => Err(error.take().map_or(Stop::Enough, Stop::Error)),
    });
    match (result, l) {
        // Both fail: the left side is looked at first.
        (Err(Stop::Error(_)), Err(Some(error))) => Err(error.into()),
        (result, _) => result,
    }
}

fn calculate<'v>(l: View<'v>, math: Math, r: View<'v>) -> Result<View<'v>, fail::Error> {
    if let (Math::Add, Some(end)) = (math, r.text()) {
        if let View::Text(mut text) = l {
            limits::charge_text(text.len() + end.len()).map_err(fail::limit)?;
            text.push_str(&end);
            return Ok(View::Text(text));
        }
        if let Some(start) = l.text() {
            limits::charge_text(start.len() + end.len()).map_err(fail::limit)?;
            let mut text = String::with_capacity(start.len() + end.len() + 16);
            text.push_str(&start);
            text.push_str(&end);
            return Ok(View::Text(text));
        }
    }
    let result: ValR = math.run(l.into_val(), r.into_val());
    result.map(View::Own)
}

fn compare(l: &View<'_>, cmp: Cmp, r: &View<'_>) -> bool {
    if let (Cmp::Eq | Cmp::Ne, Some(l), Some(r)) = (cmp, l.text(), r.text()) {
        return (l == r) == (cmp == Cmp::Eq);
    }
    cmp.run(&*l.to_val(), &*r.to_val())
}

fn recurse<'v>(value: View<'v>, out: Out<'_, 'v>) -> Flow {
    limits::tick()?;
    out(value.clone())?;
    value
        .each(&mut |inner| recurse(inner, out))
        .unwrap_or(Ok(()))
}

fn at_key<'v>(value: &View<'v>, key: &str) -> Result<View<'v>, fail::Error> {
    match value.member(key) {
        Some(found) => Ok(found),
        None if value.is_null() => Ok(View::Own(Val::null())),
        None => Err(fail::index(&value.to_val(), &Val::from(key))),
    }
}

/// The keys of a path that must be asked for, in their order. `None` if one of them has no output.
fn keys<'v>(
    parts: &'v [(Part, bool)],
    env: Env<'_, 'v>,
    input: &View<'v>,
) -> Result<Option<std::vec::IntoIter<Option<Val>>>, Stop> {
    let mut keys = Vec::new();
    let mut error = None;
    let mut ask = |expr: &'v Expr| -> Result<bool, Stop> {
        match expr.one(env, input) {
            Ok(Some(key)) => keys.push(Some(key.into_val())),
            Ok(None) => return Ok(false),
            Err(Stop::Error(e)) => error = error.take().or(Some(e)),
            Err(stop) => return Err(stop),
        }
        Ok(true)
    };
    for (part, _) in parts {
        let asked = match part {
            Part::Index(Expr::Const(_)) | Part::Key(_) | Part::Each => true,
            Part::Index(key) => ask(key)?,
            Part::Slice(from, upto) => {
                let mut all = true;
                for bound in from.iter().chain(upto) {
                    all &= ask(bound)?;
                }
                all
            }
        };
        if !asked {
            return Ok(None);
        }
    }
    match error {
        Some(error) => Err(error.into()),
        None => Ok(Some(keys.into_iter())),
    }
}

/// One step of a path that is no `[]`. `None` where an optional one fails.
fn take<'v>(
    at: &View<'v>,
    part: &'v Part,
    keys: &mut std::vec::IntoIter<Option<Val>>,
    optional: bool,
) -> Result<Option<View<'v>>, Stop> {
    let mut key = || keys.next().flatten().unwrap_or_default();
    let result = match part {
        Part::Key(key) if optional => {
            return Ok(match at.member(key) {
                None if at.is_null() => Some(View::Own(Val::null())),
                found => found,
            });
        }
        Part::Key(key) => at_key(at, key),
        Part::Index(Expr::Const(key)) => at_index(at, key),
        Part::Index(_) => at_index(at, &key()),
        Part::Slice(from, upto) => {
            let from = from.as_ref().map(|_| key());
            let upto = upto.as_ref().map(|_| key());
            at.to_val()
                .slice(from.as_ref(), upto.as_ref())
                .map(View::Own)
        }
        Part::Each => Ok(at.clone()),
    };
    match result {
        Ok(next) => Ok(Some(next)),
        Err(_) if optional => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn at_index<'v>(at: &View<'v>, key: &Val) -> Result<View<'v>, fail::Error> {
    if let Some(key) = key.as_str() {
        return at_key(at, key);
    }
    if let (View::Page(page, array), Repr::Num(Num::Int(index))) = (at, &key.0)
        && page.kind(*array) == crate::val::page::Kind::Array
        && let Ok(index) = usize::try_from(*index)
    {
        let found = page.elements(*array).nth(index);
        return Ok(found.map_or(View::Own(Val::null()), |at| View::Page(page, at)));
    }
    at.to_val().at(key).map(View::Own)
}

fn walk<'v>(
    at: View<'v>,
    parts: &'v [(Part, bool)],
    keys: &std::vec::IntoIter<Option<Val>>,
    out: Out<'_, 'v>,
) -> Flow {
    let Some(((part, optional), rest)) = parts.split_first() else {
        return out(at);
    };
    if let Part::Each = part {
        return match at.each(&mut |inner| walk(inner, rest, keys, out)) {
            Some(flow) => flow,
            None if *optional => Ok(()),
            None => Err(fail::iterate(&at.to_val()).into()),
        };
    }
    let mut keys = keys.clone();
    match take(&at, part, &mut keys, *optional)? {
        Some(next) => walk(next, rest, &keys, out),
        None => Ok(()),
    }
}

fn substitute<'v>(
    parts: &'v [Expr; 3],
    env: Env<'_, 'v>,
    input: &View<'v>,
) -> Result<Vec<Val>, Stop> {
    let [re, new, flags] = parts;
    let (Some(re), Some(flags)) = (re.one(env, input)?, flags.one(env, input)?) else {
        return Ok(Vec::new());
    };
    let input = input.clone().into_val();
    builtins::substitute(&input, &re.into_val(), &flags.into_val(), &mut |named| {
        let mut outputs = Vec::new();
        // What `new` makes of the groups lives no longer than this.
        new.run(env, &View::Own(named), &mut |output| {
            outputs.push(output.into_val());
            Ok(())
        })?;
        Ok(outputs)
    })
}
