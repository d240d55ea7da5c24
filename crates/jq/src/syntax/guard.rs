//! Steps: the places in a program where its limits are looked at.
//!
//! jaq runs a program without asking anybody. So a call to a native function that looks at the limits is put wherever a
//! program can repeat itself: into definitions that call themselves, behind commas, and into terms that nest deeply.

use super::{BinaryOp, Def, Pattern, Term, Tm, build, each_part};

/// A step.
pub(crate) const TICK: &str = "!tick";

/// A step of a function that passes functions on to itself. Their number is limited: jaq keeps each one inside the
/// next, and letting go of a long chain of them would exhaust the stack.
pub(crate) const TICK_NESTED: &str = "!tick_nested";

/// A term may nest this deeply without a step in between.
pub(crate) const BARE_DEPTH: u32 = 12;

pub(crate) fn ticked(term: Tm<'_>) -> Tm<'_> {
    build::pipe(Term::Call(TICK, Vec::new()), term)
}

/// The body of a definition that calls itself.
pub(crate) fn recursive<'s>(name: &'s str, args: &[&'s str], mut body: Tm<'s>) -> Tm<'s> {
    if args.iter().all(|arg| arg.starts_with('$')) {
        return ticked(body);
    }
    // `def walk(f): … walk(f) …;` becomes `def walk(f): def loop: … loop …; loop;`
    if !shadowed(&body, name, args) && passes_on(&body, name, args) {
        replace(&mut body, name, args.len());
        let inner = Def {
            name: LOOP,
            args: Vec::new(),
            body: ticked(body),
        };
        return Term::Def(vec![inner], Box::new(Term::Call(LOOP, Vec::new())));
    }
    build::pipe(Term::Call(TICK_NESTED, Vec::new()), body)
}

const LOOP: &str = "!loop";

/// Whether every call of the function passes its own parameters.
fn passes_on(term: &Tm<'_>, name: &str, args: &[&str]) -> bool {
    if let Term::Call(called, given) = term
        && *called == name
        && given.len() == args.len()
    {
        return given.iter().zip(args).all(|(given, arg)| match given {
            Term::Call(g, rest) => g == arg && rest.is_empty(),
            Term::Var(v) => v == arg,
            _ => false,
        });
    }
    let mut all = true;
    each_part(term, &mut |part| all = all && passes_on(part, name, args));
    all
}

/// Whether the name of the function, or of a parameter, means something else somewhere inside.
fn shadowed(term: &Tm<'_>, name: &str, args: &[&str]) -> bool {
    let rebinds = |pattern: &Pattern<&str>| {
        fn any(pattern: &Pattern<&str>, args: &[&str]) -> bool {
            match pattern {
                Pattern::Var(v) => args.contains(v),
                Pattern::Arr(items) => items.iter().any(|p| any(p, args)),
                Pattern::Obj(members) => members.iter().any(|(_, p)| any(p, args)),
            }
        }
        any(pattern, args)
    };
    let here = match term {
        Term::Def(defs, _) => defs.iter().any(|def| {
            def.name == name
                || def.name == LOOP
                || args.contains(&def.name)
                || def
                    .args
                    .iter()
                    .any(|arg| *arg == name || args.contains(arg))
        }),
        Term::BinOp(_, BinaryOp::Pipe(Some(pattern)), _) | Term::Fold(_, _, pattern, _) => {
            rebinds(pattern)
        }
        _ => false,
    };
    let mut found = here;
    each_part(term, &mut |part| {
        found = found || shadowed(part, name, args)
    });
    found
}

fn replace(term: &mut Tm<'_>, name: &str, arity: usize) {
    if matches!(term, Term::Call(called, given) if *called == name && given.len() == arity) {
        *term = Term::Call(LOOP, Vec::new());
        return;
    }
    super::each_part_mut(term, &mut |part| replace(part, name, arity));
}
