//! jq's functions.

mod collections;
mod cost;
mod formats;
mod numbers;
mod regex;
mod strings;
mod time;

use crate::fail::{self, ValR};
use crate::limits::{self, Limit};
use crate::syntax::guard::{TICK, TICK_NESTED};
use crate::val::{MAX_DEPTH, Repr, Val};
use jaq_core::box_iter::box_once;
use jaq_core::data::JustLut;
use jaq_core::native::{Fun, bome, v};
use jaq_core::{Bind, Cv, Exn, Native, ValXs};
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::LazyLock;

pub(crate) use self::regex::substitute;
pub use self::time::at_time;

/// What jaq evaluates with: nothing but our values.
pub(crate) type Data = JustLut<Val>;

/// Definitions in jq, for [`crate::syntax::parse::definitions`].
pub(crate) const DEFS: &str = include_str!("defs.jq");

/// How often a function may hand functions on to itself.
const MAX_NESTED_CALLS: u32 = 1500;

/// The exit code that stands for a limit. jaq lets nothing catch a halt.
const HALT: i32 = 1;

thread_local! {
    static NESTED_CALLS: Cell<u32> = const { Cell::new(0) };
}

/// Forgets what an earlier evaluation counted.
pub(crate) fn reset() {
    NESTED_CALLS.set(0);
}

/// A function as jaq knows it, and as Rust can call it where it works on values alone.
pub(crate) struct Builtin {
    name: &'static str,
    fun: Fun<Data>,
    plain: Option<Plain>,
}

/// A function of its input and of values, with one output or an error.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Plain {
    Zero(fn(Val) -> ValR),
    One(fn(Val, Val) -> ValR),
    Two(fn(Val, Val, Val) -> ValR),
}

impl From<Fun<Data>> for Builtin {
    fn from(fun: Fun<Data>) -> Self {
        Builtin {
            name: fun.0,
            fun,
            plain: None,
        }
    }
}

/// All native functions.
fn all() -> impl Iterator<Item = Builtin> {
    let core = jaq_core::funs::<Data>().filter_map(|(name, args, native)| {
        let name = match (name, args.len()) {
            ("limit", 2) => "_limit",
            ("skip", 2) => "_skip",
            ("path" | "first" | "last", 1) => name,
            _ => return None,
        };
        Some((name, args, native))
    });
    core.chain(numbers::of_jaq())
        .map(Builtin::from)
        .chain(own())
        .chain(collections::funs())
        .chain(formats::funs())
        .chain(numbers::funs())
        .chain(regex::funs())
        .chain(strings::funs())
        .chain(time::funs())
}

/// All native functions, for jaq.
pub(crate) fn funs() -> impl Iterator<Item = Fun<Data>> {
    all().map(|builtin| builtin.fun)
}

/// The function of that name and number of arguments, if it is one of values alone.
pub(crate) fn plain(name: &str, arity: usize) -> Option<Plain> {
    static TABLE: LazyLock<HashMap<(&'static str, usize), Plain>> = LazyLock::new(|| {
        let plain = all().filter_map(|builtin| {
            let plain = builtin.plain?;
            let arity = match plain {
                Plain::Zero(_) => 0,
                Plain::One(_) => 1,
                Plain::Two(_) => 2,
            };
            Some(((builtin.name, arity), plain))
        });
        plain.collect()
    });
    TABLE.get(&(name, arity)).copied()
}

/// A function that jaq runs, of its input and as many values.
fn fun(n: usize, name: &'static str, run: for<'a> fn(Cv<'a, Data>) -> ValXs<'a, Val>) -> Fun<Data> {
    (name, v(n), Native::<Data>::new(run))
}

/// `f!("name", |input| result)` for a function of the input; further arguments are values.
macro_rules! f {
    ($name:literal, |$input:ident| $body:expr) => {{
        fn run($input: $crate::val::Val) -> $crate::fail::ValR {
            $crate::limits::work_on(&$input).map_err($crate::fail::limit)?;
            $body
        }
        $crate::builtins::Builtin {
            name: $name,
            fun: $crate::builtins::fun(0, $name, |cv| jaq_core::native::bome(run(cv.1))),
            plain: Some($crate::builtins::Plain::Zero(run)),
        }
    }};
    ($name:literal, |$input:ident, $a:ident| $body:expr) => {{
        fn run($input: $crate::val::Val, $a: $crate::val::Val) -> $crate::fail::ValR {
            $crate::limits::work_on(&$input).map_err($crate::fail::limit)?;
            $body
        }
        $crate::builtins::Builtin {
            name: $name,
            fun: $crate::builtins::fun(1, $name, |mut cv| {
                let a = cv.0.pop_var();
                jaq_core::native::bome(run(cv.1, a))
            }),
            plain: Some($crate::builtins::Plain::One(run)),
        }
    }};
    ($name:literal, |$input:ident, $a:ident, $b:ident| $body:expr) => {{
        fn run(
            $input: $crate::val::Val,
            $a: $crate::val::Val,
            $b: $crate::val::Val,
        ) -> $crate::fail::ValR {
            $crate::limits::work_on(&$input).map_err($crate::fail::limit)?;
            $body
        }
        $crate::builtins::Builtin {
            name: $name,
            fun: $crate::builtins::fun(2, $name, |mut cv| {
                let b = cv.0.pop_var();
                let a = cv.0.pop_var();
                jaq_core::native::bome(run(cv.1, a, b))
            }),
            plain: Some($crate::builtins::Plain::Two(run)),
        }
    }};
}
pub(crate) use f;

/// Text that was just made.
fn made(text: String) -> ValR {
    limits::charge_text(text.len()).map_err(fail::limit)?;
    Ok(Val::from(text))
}

/// A part of a text, to keep.
fn copied(part: &str) -> ValR {
    limits::charge(part.len()).map_err(fail::limit)?;
    Ok(Val::from(part))
}

/// Ends the evaluation in a way that no `try` catches.
fn halt<'a>() -> Exn<'a, Val> {
    Exn::halt(HALT)
}

fn step<'a>() -> Result<(), Exn<'a, Val>> {
    limits::tick().map_err(|_| halt())
}

fn nested_step<'a>() -> Result<(), Exn<'a, Val>> {
    let calls = NESTED_CALLS.get() + 1;
    NESTED_CALLS.set(calls);
    if calls > MAX_NESTED_CALLS {
        let _ = limits::stop(Limit::Recursion);
        return Err(halt());
    }
    step()
}

/// A step that leaves its input as it is, in every way that jaq can run it.
macro_rules! tick {
    ($name:expr, $step:path) => {
        (
            $name,
            v(0),
            Native::new(|cv| box_once($step().map(|()| cv.1)))
                .with_paths(|cv| {
                    // A path deeper than any value leads nowhere, and jaq could not let go of a very long one.
                    let long = cv.1.1.skip(MAX_DEPTH + 1).head().is_some();
                    if long {
                        let _ = limits::stop(Limit::Nesting);
                    }
                    box_once($step().map(|()| cv.1))
                })
                .with_update(|cv, f| match $step() {
                    Ok(()) => f(cv.1),
                    Err(e) => box_once(Err(e)),
                }),
        )
            .into()
    };
}

fn own() -> Vec<Builtin> {
    vec![
        tick!(TICK, step),
        tick!(TICK_NESTED, nested_step),
        (
            "empty",
            v(0),
            Native::new(|_| Box::new(std::iter::empty()))
                .with_paths(|_| Box::new(std::iter::empty()))
                .with_update(|cv, _| box_once(Ok(cv.1))),
        )
            .into(),
        (
            "error",
            v(0),
            Native::new(|cv| box_once(Err(raised(cv.1))))
                .with_paths(|cv| box_once(Err(raised(cv.1.0))))
                .with_update(|cv, _| box_once(Err(raised(cv.1)))),
        )
            .into(),
        (
            "getpath",
            v(1),
            Native::new(|mut cv| {
                let path = cv.0.pop_var();
                bome(at_path(&cv.1, &path))
            })
            .with_paths(|mut cv| {
                let path = cv.0.pop_var();
                let (value, before) = cv.1;
                let found = at_path(&value, &path).map_err(Exn::from);
                box_once(found.map(|found| {
                    let keys = path.as_array().unwrap_or_default().iter().cloned();
                    (found, before.extend(keys))
                }))
            }),
        )
            .into(),
        (
            "_last",
            [Bind::Fun(())].into(),
            Native::new(|mut cv| {
                let (f, ctx) = cv.0.pop_fun();
                let mut outputs = f.run((ctx, cv.1));
                box_once(outputs.try_fold(Val::null(), |_, output| output))
            })
            .with_paths(|mut cv| {
                let (f, ctx) = cv.0.pop_fun();
                let mut outputs = f.paths((ctx, cv.1));
                let last = outputs.try_fold(None, |_, output| output.map(Some));
                Box::new(last.transpose().into_iter())
            }),
        )
            .into(),
        (
            "_alternative",
            [Bind::Fun(()), Bind::Fun(())].into(),
            Native::<Data>::new(|mut cv| {
                let (g, g_ctx) = cv.0.pop_fun();
                let (f, f_ctx) = cv.0.pop_fun();
                let outputs = f.run((f_ctx, cv.1.clone()));
                alternative(outputs, Val::truthy, move || g.run((g_ctx, cv.1)))
            })
            .with_paths(|mut cv| {
                let (g, g_ctx) = cv.0.pop_fun();
                let (f, f_ctx) = cv.0.pop_fun();
                let outputs = f.paths((f_ctx, cv.1.clone()));
                alternative(
                    outputs,
                    |(value, _)| value.truthy(),
                    move || g.paths((g_ctx, cv.1)),
                )
            }),
        )
            .into(),
        f!("true", |_input| Ok(Val::from(true))),
        f!("false", |_input| Ok(Val::from(false))),
        f!("null", |_input| Ok(Val::null())),
        f!("not", |input| Ok(Val::from(!input.truthy()))),
        f!("type", |input| Ok(Val::from(input.type_name()))),
        f!("_iterable", |input| Ok(Val::from(matches!(
            input.0,
            Repr::Arr(_) | Repr::Obj(_)
        )))),
        fun(0, "halt", |_| box_once(Err(halt()))).into(),
        fun(1, "halt_error", |_| box_once(Err(halt()))).into(),
        f!("setpath", |input, path, value| match &path.0 {
            Repr::Arr(keys) => {
                limits::fit_inside(&value, keys.items().len()).map_err(fail::limit)?;
                input.set_path(keys.items(), value)
            }
            _ => Err(fail::message("Path must be specified as an array")),
        }),
        f!("delpaths", |input, paths| match paths.0 {
            Repr::Arr(paths) => input.delete_paths(paths.items()),
            _ => Err(fail::message("Paths must be specified as an array")),
        }),
        f!("tojson", |input| made(input.to_string())),
        f!("fromjson", |input| match input.as_str() {
            Some(text) => {
                limits::charge_text(text.len()).map_err(fail::limit)?;
                let told = |problem: String| {
                    fail::told(
                        format!("{problem} (while parsing '{text}')"),
                        "the text is no JSON",
                    )
                };
                crate::val::read(text).map_err(told)
            }
            None => Err(fail::typed(&input, "only strings can be parsed")),
        }),
        f!("now", |_input| Ok(Val::from(time::now()))),
    ]
}

/// Outputs of jaq, or errors.
type Outputs<'a, T> = jaq_core::box_iter::BoxIter<'a, Result<T, Exn<'a, Val>>>;

/// The outputs that count, or those of `otherwise` if there are none. An error counts.
fn alternative<'a, T: 'a>(
    outputs: Outputs<'a, T>,
    counts: fn(&T) -> bool,
    otherwise: impl FnOnce() -> Outputs<'a, T>,
) -> Outputs<'a, T> {
    let mut outputs = outputs.filter(move |output| output.as_ref().map_or(true, counts));
    match outputs.next() {
        Some(first) => Box::new(std::iter::once(first).chain(outputs)),
        None => otherwise(),
    }
}

fn raised<'a>(value: Val) -> Exn<'a, Val> {
    Exn::from(fail::Error::new(value))
}

/// `getpath`
pub(crate) fn at_path(value: &Val, path: &Val) -> ValR {
    match path.as_array() {
        Some(keys) => value.at_path(keys),
        None => Err(fail::message("Path must be specified as an array")),
    }
}
