//! jaq terms that mean what jq means.

use super::guard::{TICK, ticked};
use super::{BinaryOp, Def, Pattern, Term, Tm, each_part};
use jaq_core::load::Arena;
use jaq_core::load::lex::StrPart;
use jaq_core::path::{Opt, Part, Path};

/// Names that no program can spell.
const RIGHT: &str = "$!right";
const DOT: &str = "$!dot";
const VALUE: &str = "$!value";
const STATE: &str = "$!state";

/// Formats that `@name` may name.
const FORMATS: [&str; 12] = [
    "@text", "@json", "@csv", "@tsv", "@html", "@uri", "@urid", "@sh", "@base64", "@base64d",
    "@base32", "@base32d",
];

/// Functions that have one output or fail, for each output of an argument.
const SINGLE: [&str; 65] = [
    "abs",
    "add",
    "all",
    "any",
    "ascii_downcase",
    "ascii_upcase",
    "bsearch",
    "ceil",
    "contains",
    "delpaths",
    "endswith",
    "explode",
    "false",
    "first",
    "flatten",
    "floor",
    "from_entries",
    "fromdate",
    "fromdateiso8601",
    "fromjson",
    "getpath",
    "gmtime",
    "has",
    "implode",
    "index",
    "indices",
    "inside",
    "join",
    "keys",
    "keys_unsorted",
    "last",
    "length",
    "ltrim",
    "ltrimstr",
    "max",
    "min",
    "mktime",
    "not",
    "now",
    "null",
    "reverse",
    "rindex",
    "round",
    "rtrim",
    "rtrimstr",
    "sort",
    "split",
    "startswith",
    "strflocaltime",
    "strftime",
    "strptime",
    "test",
    "to_entries",
    "toarray",
    "toboolean",
    "todate",
    "todateiso8601",
    "tojson",
    "tonumber",
    "tostring",
    "transpose",
    "trim",
    "true",
    "type",
    "unique",
];

/// Functions that have one output or fail, however many outputs their argument has.
const COLLECTING: [&str; 14] = [
    "add",
    "all",
    "any",
    "del",
    "group_by",
    "isempty",
    "map",
    "map_values",
    "max_by",
    "min_by",
    "pick",
    "sort_by",
    "unique_by",
    "with_entries",
];

fn boxed<'s>(l: Tm<'s>, op: BinaryOp<&'s str>, r: Tm<'s>) -> Tm<'s> {
    Term::BinOp(Box::new(l), op, Box::new(r))
}

fn let_var<'s>(value: Tm<'s>, name: &'s str, body: Tm<'s>) -> Tm<'s> {
    boxed(value, BinaryOp::Pipe(Some(Pattern::Var(name))), body)
}

pub(crate) fn text(s: &str) -> Tm<'_> {
    Term::Str(None, vec![StrPart::Str(s)])
}

pub(crate) fn pipe<'s>(l: Tm<'s>, r: Tm<'s>) -> Tm<'s> {
    boxed(l, BinaryOp::Pipe(None), r)
}

/// Every comma can double the work of what follows, so it counts as a step.
pub(crate) fn comma<'s>(l: Tm<'s>, r: Tm<'s>) -> Tm<'s> {
    boxed(l, BinaryOp::Comma, ticked(r))
}

/// `[…]` counts its items itself; the commas right inside need not.
pub(crate) fn array(mut inner: Tm<'_>) -> Tm<'_> {
    let mut at = &mut inner;
    while let Term::BinOp(l, BinaryOp::Comma, r) = at {
        if let Term::BinOp(tick, BinaryOp::Pipe(None), body) = &mut **r
            && matches!(&**tick, Term::Call(TICK, _))
        {
            **r = std::mem::take(&mut **body);
        }
        at = l;
    }
    Term::Arr(Some(Box::new(inner)))
}

/// Whether a term may have several outputs. Only then does it matter in which order jq combines them.
fn several(term: &Tm<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::Var(_) | Term::Break(_) => false,
        Term::Recurse | Term::Fold(..) | Term::Label(..) => true,
        Term::Str(_, parts) => parts
            .iter()
            .any(|part| matches!(part, StrPart::Term(t) if several(t))),
        Term::Obj(members) => members
            .iter()
            .any(|(key, value)| several(key) || value.as_ref().is_some_and(several)),
        Term::Neg(t) => several(t),
        Term::BinOp(_, BinaryOp::Comma, _) => true,
        // One output for each of the right side; the left side is a path.
        Term::BinOp(_, BinaryOp::Update, _) => false,
        Term::BinOp(_, BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt, r) => {
            several(r)
        }
        Term::BinOp(l, _, r) => several(l) || several(r),
        Term::TryCatch(body, catch) => {
            several(body) || catch.as_ref().is_some_and(|catch| several(catch))
        }
        Term::IfThenElse(branches, otherwise) => {
            branches.iter().any(|(c, t)| several(c) || several(t))
                || otherwise.as_ref().is_some_and(|t| several(t))
        }
        Term::Def(_, body) => several(body),
        // A program may define a function of its own by such a name; then only the order of several outputs differs.
        Term::Call(name, args) => match (*name, &args[..]) {
            ("empty" | "error" | TICK, []) => false,
            (
                "values" | "nulls" | "strings" | "numbers" | "booleans" | "arrays" | "objects"
                | "scalars" | "iterables",
                [],
            ) => false,
            (name, []) => !SINGLE.contains(&name) && !name.starts_with('@'),
            ("select" | "error", [arg]) => several(arg),
            ("first" | "last", [_]) => false,
            (name, [arg]) => {
                !COLLECTING.contains(&name) && (!SINGLE.contains(&name) || several(arg))
            }
            _ => true,
        },
        Term::Path(head, path) => {
            several(head)
                || path.0.iter().any(|(part, _)| match part {
                    Part::Index(key) => several(key),
                    Part::Range(None, None) => true,
                    Part::Range(from, upto) => from.iter().chain(upto).any(several),
                })
        }
    }
}

/// `head.a[b]…`. jq takes the outputs of a later key first: `.[][0, 1]` gives all first elements, then all second ones.
pub(crate) fn path<'s>(head: Tm<'s>, parts: Vec<(Part<Tm<'s>>, Opt)>, arena: &'s Arena) -> Tm<'s> {
    let mut many = several(&head);
    let mut bound: Vec<(&'s str, Tm<'s>)> = Vec::new();
    let mut hoist = |key: Tm<'s>, many: &mut bool| -> Tm<'s> {
        if !several(&key) {
            return key;
        }
        if !std::mem::replace(many, true) {
            return key;
        }
        let name: &'s str = arena.alloc(format!("$!key{}", bound.len()));
        bound.push((name, key));
        Term::Var(name)
    };
    let parts = parts
        .into_iter()
        .map(|(part, opt)| {
            let part = match part {
                Part::Index(key) => Part::Index(hoist(key, &mut many)),
                Part::Range(None, None) => {
                    many = true;
                    part
                }
                Part::Range(from, upto) => Part::Range(
                    from.map(|key| hoist(key, &mut many)),
                    upto.map(|key| hoist(key, &mut many)),
                ),
            };
            (part, opt)
        })
        .collect();
    let path = Term::Path(Box::new(head), Path(parts));
    bound
        .into_iter()
        .fold(path, |inner, (name, key)| let_var(key, name, inner))
}

/// A binary operator other than `|` and `,`.
pub(crate) fn operator<'s>(l: Tm<'s>, op: BinaryOp<&'s str>, r: Tm<'s>) -> Tm<'s> {
    match op {
        // jq evaluates the right side first, and fails if that does, even where the left side has no output.
        BinaryOp::Math(_) | BinaryOp::Cmp(_) if !exactly_one(&l) && !harmless(&r) => {
            let_var(r, RIGHT, boxed(l, op, Term::Var(RIGHT)))
        }
        // The same, but that its paths are those of the outputs that count.
        BinaryOp::Alt if several(&l) => Term::Call("_alternative", vec![l, r]),
        BinaryOp::Assign if !plain_target(&l) => Term::Call("_assign", vec![l, r]),
        BinaryOp::Update if !plain_target(&l) || !(anchored(&l) || exactly_one(&r)) => {
            Term::Call("_modify", vec![l, r])
        }
        BinaryOp::UpdateMath(math) if !plain_target(&l) => {
            let update = boxed(Term::Id, BinaryOp::Math(math), Term::Var(VALUE));
            let_var(r, VALUE, Term::Call("_modify", vec![l, update]))
        }
        BinaryOp::UpdateAlt if !plain_target(&l) => {
            let update = boxed(Term::Id, BinaryOp::Alt, Term::Var(VALUE));
            let_var(r, VALUE, Term::Call("_modify", vec![l, update]))
        }
        op => boxed(l, op, r),
    }
}

/// Whether jaq's own update gives what jq gives by collecting paths first: each place is met once, changing one does not move
/// another, and nothing is made on the way to a place that there is not.
fn plain_target(term: &Tm<'_>) -> bool {
    plain_from(term, &mut false)
}

/// `keyed`: whether a key came before, and a record may be without it.
fn plain_from(term: &Tm<'_>, keyed: &mut bool) -> bool {
    match term {
        Term::Id => true,
        Term::Path(head, path) => {
            plain_from(head, keyed)
                && path.0.iter().all(|(part, opt)| match part {
                    Part::Index(key) => {
                        *keyed = true;
                        !several(key)
                    }
                    // Without `?` it fails where there is nothing.
                    Part::Range(None, None) => {
                        !(std::mem::take(keyed) && matches!(opt, Opt::Optional))
                    }
                    Part::Range(..) => false,
                })
        }
        Term::BinOp(l, BinaryOp::Pipe(None), r) => plain_from(l, keyed) && plain_from(r, keyed),
        Term::Call("select", args) => args.len() == 1 && !*keyed && !several(&args[0]),
        Term::Call("first" | "last", args) => {
            *keyed = true;
            args.is_empty()
        }
        _ => false,
    }
}

/// Whether an update of such a target has one output, as it takes the first one for each place.
fn anchored(term: &Tm<'_>) -> bool {
    match term {
        Term::Path(..) => true,
        Term::BinOp(l, BinaryOp::Pipe(None), r) => anchored(l) || anchored(r),
        Term::Call("first" | "last", _) => true,
        _ => false,
    }
}

/// A string with interpolations. The outputs of a later one are combined first: `"\(1,2) \(3,4)"` begins `"1 3", "2 3"`.
pub(crate) fn string<'s>(
    format: Option<&'s str>,
    parts: Vec<StrPart<&'s str, Tm<'s>>>,
    arena: &'s Arena,
) -> Tm<'s> {
    let (known, unknown) = match format {
        Some(name) if !FORMATS.contains(&name) => (None, Some(name)),
        known => (known, None),
    };
    let inner = || {
        parts.iter().filter_map(|part| {
            if let StrPart::Term(t) = part {
                Some(t)
            } else {
                None
            }
        })
    };
    let ordered = inner().count() > 1 && !inner().all(exactly_one);
    let mut bound: Vec<(&'s str, Tm<'s>)> = Vec::new();
    let parts = parts
        .into_iter()
        .map(|part| match part {
            StrPart::Term(t) => {
                let t = match unknown {
                    Some(name) => pipe(t, self::format(name)),
                    None => t,
                };
                if ordered && !harmless(&t) {
                    let name: &'s str = arena.alloc(format!("$!part{}", bound.len()));
                    bound.push((name, t));
                    StrPart::Term(Term::Var(name))
                } else {
                    StrPart::Term(t)
                }
            }
            other => other,
        })
        .collect();
    bound
        .into_iter()
        .fold(Term::Str(known, parts), |inner, (name, value)| {
            let_var(value, name, inner)
        })
}

/// `{…}`. jq evaluates keys and values from left to right; a failing one counts even where a later one has no output.
pub(crate) fn object<'s>(members: Vec<(Tm<'s>, Option<Tm<'s>>)>, arena: &'s Arena) -> Tm<'s> {
    if members
        .iter()
        .all(|(key, value)| exactly_one(key) && value.as_ref().is_none_or(exactly_one))
    {
        return Term::Obj(members);
    }
    let mut bound: Vec<(&'s str, Tm<'s>)> = Vec::new();
    let mut bind = |t: Tm<'s>| {
        if harmless(&t) {
            return t;
        }
        let name: &'s str = arena.alloc(format!("$!member{}", bound.len()));
        bound.push((name, t));
        Term::Var(name)
    };
    let members = members
        .into_iter()
        .map(|(key, value)| match value {
            Some(value) => {
                let key = bind(key);
                (key, Some(bind(value)))
            }
            None => (key, None),
        })
        .collect();
    bound
        .into_iter()
        .rev()
        .fold(Term::Obj(members), |inner, (name, value)| {
            let_var(value, name, inner)
        })
}

/// `@name` alone. jq finds out about unknown ones when it gets there.
pub(crate) fn format(name: &str) -> Tm<'_> {
    if FORMATS.contains(&name) {
        Term::Call(name, Vec::new())
    } else {
        Term::Call("_format", vec![text(&name[1..])])
    }
}

/// `$__loc__`
pub(crate) fn location<'s>(line: usize, arena: &'s Arena) -> Tm<'s> {
    let line: &'s str = arena.alloc(line.to_string());
    Term::Obj(vec![
        (text("file"), Some(text("<top-level>"))),
        (text("line"), Some(Term::Num(line))),
    ])
}

pub(crate) fn call<'s>(name: &'s str, args: Vec<Tm<'s>>) -> Tm<'s> {
    match (name, args.len()) {
        // The environment is empty, always.
        ("env", 0) => Term::Obj(Vec::new()),
        _ => Term::Call(name, args),
    }
}

/// `left as $x | body`, `left as [$x] ?// $x | body`
pub(crate) fn bind<'s>(left: Tm<'s>, mut patterns: Vec<Pattern<&'s str>>, body: Tm<'s>) -> Tm<'s> {
    if patterns.len() == 1
        && let Some(pattern) = patterns.pop()
    {
        return boxed(left, BinaryOp::Pipe(Some(pattern)), body);
    }
    // Each alternative binds the variables of all of them, to null where it does not have them, and an error in its
    // body leads to the next one, on the value that `.` was before.
    let mut names = Vec::new();
    patterns
        .iter()
        .for_each(|pattern| variables(pattern, &mut names));
    let attempt = |pattern: Pattern<&'s str>| {
        let mut own = Vec::new();
        variables(&pattern, &mut own);
        let missing = names.iter().filter(|name| !own.contains(name));
        let body = missing.fold(body.clone(), |body, name| {
            let_var(Term::Call("null", Vec::new()), name, body)
        });
        boxed(Term::Var(VALUE), BinaryOp::Pipe(Some(pattern)), body)
    };
    let tried = patterns
        .into_iter()
        .rev()
        .map(attempt)
        .reduce(|next, this| {
            let next = pipe(Term::Var(DOT), next);
            Term::TryCatch(Box::new(this), Some(Box::new(next)))
        });
    let_var(
        Term::Id,
        DOT,
        let_var(left, VALUE, tried.unwrap_or_default()),
    )
}

fn variables<'s>(pattern: &Pattern<&'s str>, names: &mut Vec<&'s str>) {
    match pattern {
        Pattern::Var(name) => {
            if !names.contains(name) {
                names.push(name);
            }
        }
        Pattern::Arr(items) => items.iter().for_each(|p| variables(p, names)),
        Pattern::Obj(members) => members.iter().for_each(|(_, p)| variables(p, names)),
    }
}

/// `reduce` and `foreach`
pub(crate) fn fold<'s>(
    word: &'s str,
    xs: Tm<'s>,
    mut patterns: Vec<Pattern<&'s str>>,
    args: Vec<Tm<'s>>,
) -> Tm<'s> {
    let (xs, pattern) = match patterns.pop() {
        Some(pattern) if patterns.is_empty() => (xs, pattern),
        last => {
            patterns.extend(last);
            let mut names = Vec::new();
            patterns
                .iter()
                .for_each(|pattern| variables(pattern, &mut names));
            let values = names
                .iter()
                .map(|name| Term::Var(*name))
                .reduce(|l, r| boxed(l, BinaryOp::Comma, r));
            let all = Term::Arr(values.map(Box::new));
            (
                bind(xs, patterns, all),
                Pattern::Arr(names.into_iter().map(Pattern::Var).collect()),
            )
        }
    };
    let mut args = args.into_iter();
    let (init, update, extract) = (
        args.next().unwrap_or_default(),
        args.next().unwrap_or_default(),
        args.next(),
    );
    let xs = Box::new(xs);
    if word == "reduce" {
        // Of several outputs the last one counts, of none null.
        let update = if exactly_one(&update) {
            update
        } else {
            Term::Call("_last", vec![update])
        };
        return Term::Fold(word, xs, pattern, vec![init, update]);
    }
    if exactly_one(&update) {
        return Term::Fold(
            word,
            xs,
            pattern,
            [init, update].into_iter().chain(extract).collect(),
        );
    }
    // All outputs of an update are given, and the next one starts from the last, or from null where there was none: the
    // state is `[last, outputs]`.
    let index = |i: &'s str| {
        Term::Path(
            Box::new(Term::Id),
            Path(vec![(Part::Index(Term::Num(i)), Opt::Essential)]),
        )
    };
    let last = Term::Path(
        Box::new(Term::Var(STATE)),
        Path(vec![(
            Part::Index(Term::Neg(Box::new(Term::Num("1")))),
            Opt::Essential,
        )]),
    );
    let fresh = boxed(Term::Var(STATE), BinaryOp::Comma, Term::Arr(None));
    let init = let_var(init, STATE, Term::Arr(Some(Box::new(fresh))));
    let outputs = pipe(index("0"), Term::Arr(Some(Box::new(update))));
    let state = Term::Arr(Some(Box::new(boxed(
        last,
        BinaryOp::Comma,
        Term::Var(STATE),
    ))));
    let update = let_var(outputs, STATE, state);
    let each = Term::Path(
        Box::new(index("1")),
        Path(vec![(Part::Range(None, None), Opt::Essential)]),
    );
    let extract = match extract {
        Some(extract) => pipe(each, extract),
        None => each,
    };
    Term::Fold(word, xs, pattern, vec![init, update, extract])
}

/// Whether a term has one output and cannot fail.
fn harmless(term: &Tm<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Var(_) | Term::Arr(None) => true,
        Term::Str(_, parts) => parts.iter().all(|part| !matches!(part, StrPart::Term(_))),
        Term::Obj(members) => members.is_empty(),
        Term::Call("true" | "false" | "null", args) => args.is_empty(),
        _ => false,
    }
}

/// Whether a term surely has one output, or an error.
fn exactly_one(term: &Tm<'_>) -> bool {
    match term {
        Term::Id | Term::Num(_) | Term::Arr(_) | Term::Var(_) => true,
        Term::Str(_, parts) => parts
            .iter()
            .all(|part| !matches!(part, StrPart::Term(t) if !exactly_one(t))),
        Term::Obj(members) => members
            .iter()
            .all(|(key, value)| exactly_one(key) && value.as_ref().is_none_or(exactly_one)),
        Term::BinOp(
            l,
            BinaryOp::Pipe(_) | BinaryOp::Math(_) | BinaryOp::Cmp(_) | BinaryOp::And | BinaryOp::Or,
            r,
        ) => exactly_one(l) && exactly_one(r),
        Term::BinOp(l, BinaryOp::Alt, r) => exactly_one(l) && exactly_one(r),
        Term::Neg(t) => exactly_one(t),
        Term::Call(name, args) => match &args[..] {
            [] => SINGLE.contains(name) || name.starts_with('@'),
            [arg] => COLLECTING.contains(name) || (SINGLE.contains(name) && exactly_one(arg)),
            _ => false,
        },
        Term::BinOp(l, BinaryOp::Update, _) => plain_target(l),
        Term::BinOp(l, BinaryOp::Assign | BinaryOp::UpdateMath(_) | BinaryOp::UpdateAlt, r) => {
            plain_target(l) && exactly_one(r)
        }
        Term::IfThenElse(branches, otherwise) => {
            branches
                .iter()
                .all(|(c, t)| exactly_one(c) && exactly_one(t))
                && otherwise.as_ref().is_none_or(|t| exactly_one(t))
        }
        Term::Path(head, path) => {
            exactly_one(head)
                && path.0.iter().all(|(part, opt)| {
                    matches!(opt, Opt::Essential)
                        && match part {
                            Part::Index(key) => exactly_one(key),
                            Part::Range(None, None) => false,
                            Part::Range(from, upto) => from.iter().chain(upto).all(exactly_one),
                        }
                })
        }
        _ => false,
    }
}

/// `def name(args): body;`
pub(crate) fn definition<'s>(name: &'s str, args: Vec<&'s str>, body: Tm<'s>) -> Def<&'s str> {
    let mut body = body;
    // `$a` as a parameter also defines `a`.
    let values: Vec<Def<&'s str>> = args
        .iter()
        .filter_map(|arg| arg.strip_prefix('$').map(|plain| (plain, *arg)))
        .filter(|(plain, _)| calls(&body, plain, 0))
        .map(|(plain, arg)| Def {
            name: plain,
            args: Vec::new(),
            body: Term::Var(arg),
        })
        .collect();
    if !values.is_empty() {
        body = Term::Def(values, Box::new(body));
    }
    if calls(&body, name, args.len()) {
        body = super::guard::recursive(name, &args, body);
    }
    Def { name, args, body }
}

/// Whether a term calls a function of that name and number of arguments anywhere inside.
pub(crate) fn calls(term: &Tm<'_>, name: &str, arity: usize) -> bool {
    if matches!(term, Term::Call(called, args) if *called == name && args.len() == arity) {
        return true;
    }
    let mut found = false;
    each_part(term, &mut |part| found = found || calls(part, name, arity));
    found
}
