//! Compiled expressions.

use crate::advice;
use crate::builtins::{self, Data};
use crate::error::{CompileError, EvalError, EvalErrorKind};
use crate::fail;
use crate::limits::{self, Evaluation, Limit};
use crate::native::{self, Absent, Expr, Stop, View};
use crate::syntax::{self, Def, Tm, each_part, parse};
use crate::val::Val;
use jaq_core::compile::Undefined;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{Arena, File, Loader, span};
use jaq_core::{Compiler, Ctx, Exn, Vars};
use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

/// A compiled jq expression.
///
/// Compile it once, at load, and use it for all records, from any thread. An expression sees an empty environment and no
/// further inputs, and it cannot write anywhere.
///
/// ```
/// use longshore_jq::{Filter, Val};
///
/// let filter = Filter::compile(".user.name | ascii_downcase")?;
/// let record = Val::from_json(&serde_json::json!({"user": {"name": "ADA"}}));
/// assert_eq!(filter.first(&record)?, Some(Val::from("ada")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Filter(Arc<Compiled>);

struct Compiled {
    source: Box<str>,
    program: Program,
    hint: Option<&'static str>,
    /// Texts that the program raises as they stand in it.
    messages: Vec<Box<str>>,
}

enum Program {
    /// Always the same, whatever the input is.
    Constant(Val),
    /// Made of forms that need no jaq.
    Native(Expr),
    Jaq(jaq_core::Filter<Data>),
}

/// The stack of the thread that compiles. Programs may nest, and jaq compiles them recursively.
const COMPILER_STACK: usize = 64 << 20;

/// What the program is called inside, with as many underscores behind it as it takes to be no part of the program: it would call
/// itself past all limits.
const MAIN: &str = "longshore_main";

impl Filter {
    /// Compiles an expression as it stands.
    ///
    /// # Errors
    ///
    /// The text is no jq, calls a function that does not exist, is longer than [`MAX_PROGRAM`](crate::MAX_PROGRAM) or nests too deeply.
    pub fn compile(text: &str) -> Result<Filter, CompileError> {
        Self::build(text, text, Engine::Either)
    }

    /// Compiles an expression of a mapping file, where single quotes may stand for double quotes.
    ///
    /// Single quotes that open or close a string, that is at the start or the end of the expression or beside a space,
    /// are read as double quotes.
    ///
    /// ```
    /// use longshore_jq::{Filter, Val};
    ///
    /// let filter = Filter::compile_mapping(".type == 'Bug'")?;
    /// let record = Val::from_json(&serde_json::json!({"type": "Bug"}));
    /// assert_eq!(filter.first(&record)?, Some(Val::from(true)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Filter::compile`].
    pub fn compile_mapping(text: &str) -> Result<Filter, CompileError> {
        let read = syntax::quotes::single_to_double(text);
        Self::build(text, &read, Engine::Either)
    }

    fn build(source: &str, text: &str, engine: Engine) -> Result<Filter, CompileError> {
        if text.len() > syntax::MAX_PROGRAM {
            let most = syntax::MAX_PROGRAM;
            return Err(CompileError::new(
                format!("the expression is longer than {most} bytes"),
                None,
            ));
        }
        let (program, hint, messages) = std::thread::scope(|scope| {
            let thread = std::thread::Builder::new()
                .name("jq compiler".into())
                .stack_size(COMPILER_STACK);
            let compiling = thread.spawn_scoped(scope, || compile(text, engine));
            compiling
                .map_err(|_| CompileError::new("no thread to compile on", None))?
                .join()
                .unwrap_or_else(|_| {
                    Err(CompileError::new(
                        "the expression could not be compiled",
                        None,
                    ))
                })
                .map_err(|problem| problem.hinted(text))
        })?;
        Ok(Filter(Arc::new(Compiled {
            source: source.into(),
            program,
            hint,
            messages,
        })))
    }

    /// The text that was compiled, as the user wrote it.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// What to write instead, in one line, where the expression most likely does not mean what it says, whatever the record is.
    ///
    /// ```
    /// use longshore_jq::Filter;
    ///
    /// let hint = Filter::compile(".state | IN([\"open\", \"new\"])")?.hint();
    /// assert!(hint.unwrap().contains("`IN(\"open\", \"new\")`"));
    /// # Ok::<(), longshore_jq::CompileError>(())
    /// ```
    pub fn hint(&self) -> Option<&'static str> {
        self.0.hint
    }

    /// The first output, if there is one.
    ///
    /// # Errors
    ///
    /// The evaluation ended in an error before the first output, or used more than an evaluation may.
    pub fn first(&self, input: &Val) -> Result<Option<Val>, EvalError> {
        Ok(self.output(input)?.map(Output::into_val))
    }

    /// The first output, if there is one, where it is: nothing is copied of a record until somebody wants to keep it.
    ///
    /// ```
    /// use longshore_jq::{Filter, Val};
    ///
    /// let page = Val::read_page(r#"[{"tags": ["a", "b"]}]"#).unwrap();
    /// let mut json = Vec::new();
    /// let tags = Filter::compile(".[0].tags")?;
    /// tags.output(&page)?.unwrap().write_json(&mut json);
    /// assert_eq!(json, br#"["a","b"]"#);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Filter::first`].
    pub fn output<'v>(&'v self, input: &'v Val) -> Result<Option<Output<'v>>, EvalError> {
        match &self.0.program {
            Program::Constant(value) => Ok(Some(Output(View::Ref(value)))),
            Program::Native(expr) => {
                let evaluation = begin();
                let first = expr.first(&View::of(input));
                self.finish_native(&evaluation, first)
                    .map(|first| first.map(Output))
            }
            Program::Jaq(filter) => {
                let evaluation = begin();
                let ctx = Ctx::<Data>::new(&filter.lut, Vars::new([]));
                let first = filter.id.run((ctx, input.clone())).next();
                let first = self.finish(&evaluation, first.transpose())?;
                Ok(first.map(|value| Output(View::Own(value))))
            }
        }
    }

    /// All outputs. An error after some outputs is an error of the whole.
    ///
    /// # Errors
    ///
    /// The evaluation ended in an error, or used more than an evaluation may.
    pub fn all(&self, input: &Val) -> Result<Vec<Val>, EvalError> {
        let filter = match &self.0.program {
            Program::Constant(value) => return Ok(vec![value.clone()]),
            Program::Native(expr) => {
                let evaluation = begin();
                let mut outputs = Vec::new();
                let flow = expr.all(&View::of(input), &mut |output| {
                    outputs.push(output.into_val());
                    limits::charge(size_of::<Val>())?;
                    Ok(limits::tick()?)
                });
                return self.finish_native(&evaluation, flow.map(|()| outputs));
            }
            Program::Jaq(filter) => filter,
        };
        let evaluation = begin();
        let ctx = Ctx::<Data>::new(&filter.lut, Vars::new([]));
        let outputs = filter.id.run((ctx, input.clone())).map(|output| {
            let output = output?;
            let _ = limits::charge(size_of::<Val>());
            limits::tick().map_err(|_| Exn::halt(1))?;
            Ok(output)
        });
        let all: Result<Vec<Val>, Exn<'_, Val>> = outputs.collect();
        self.finish(&evaluation, all)
    }

    /// The keys that the expression asks the record for and that are not there: why its answer is null, most likely. Those of programs
    /// that change or define things by themselves are not known.
    ///
    /// ```
    /// use longshore_jq::{Filter, Step, Val};
    ///
    /// let record = Val::from_json(&serde_json::json!({"owner": {"mail": "a@b"}}));
    /// let absent = Filter::compile(".owner.email | ascii_downcase")?.absent(&record);
    /// assert_eq!((&absent[0].path[..], &*absent[0].key), (&[Step::Key("owner".into())][..], "email"));
    /// # Ok::<(), longshore_jq::CompileError>(())
    /// ```
    pub fn absent(&self, record: &Val) -> Vec<Absent> {
        match &self.0.program {
            Program::Native(expr) => native::absent(expr, record),
            Program::Constant(_) | Program::Jaq(_) => Vec::new(),
        }
    }

    /// Whether the expression asks the record itself for that key. Of programs that change or define things by themselves it is not known.
    ///
    /// ```
    /// use longshore_jq::Filter;
    ///
    /// let filter = Filter::compile("\"\\(.team): \\(.owner.name)\"")?;
    /// assert!(filter.asks_for("team") && filter.asks_for("owner") && !filter.asks_for("name"));
    /// # Ok::<(), longshore_jq::CompileError>(())
    /// ```
    pub fn asks_for(&self, key: &str) -> bool {
        match &self.0.program {
            Program::Native(expr) => native::asks_for(expr, key),
            Program::Constant(_) | Program::Jaq(_) => false,
        }
    }

    /// The output of an expression that is a literal, such as `"user"` or `true`.
    ///
    /// ```
    /// use longshore_jq::{Filter, Val};
    ///
    /// assert_eq!(Filter::compile("\"user\"")?.as_constant(), Some(Val::from("user")));
    /// assert_eq!(Filter::compile(".kind")?.as_constant(), None);
    /// # Ok::<(), longshore_jq::CompileError>(())
    /// ```
    pub fn as_constant(&self) -> Option<Val> {
        match &self.0.program {
            Program::Constant(value) => Some(value.clone()),
            _ => None,
        }
    }
}

impl Filter {
    fn finish_native<T>(
        &self,
        evaluation: &Evaluation,
        result: Result<T, Stop>,
    ) -> Result<T, EvalError> {
        if let Some(limit) = evaluation.hit() {
            return Err(EvalError::limit(limit));
        }
        result.map_err(|stop| match stop {
            Stop::Error(error) => self.data_error(error.into_val()),
            // Nobody asked to stop, and a limit was looked for above.
            Stop::Enough | Stop::Limit => EvalError::limit(Limit::Time),
        })
    }

    fn finish<T>(
        &self,
        evaluation: &Evaluation,
        result: Result<T, Exn<'_, Val>>,
    ) -> Result<T, EvalError> {
        if let Some(limit) = evaluation.hit() {
            return Err(EvalError::limit(limit));
        }
        result.map_err(|exn| match exn.get_err() {
            Ok(error) => self.data_error(error.into_val()),
            Err(_) => EvalError::new(
                EvalErrorKind::Halt,
                "the expression ends the program, which it may not",
            ),
        })
    }

    fn data_error(&self, value: Val) -> EvalError {
        // jaq's own errors are texts that begin like this.
        let of_jaq = |start: &str| value.as_str().is_some_and(|text| text.starts_with(start));
        if let Some(plain) = fail::plain(&value) {
            EvalError::new(EvalErrorKind::Data, plain.to_string())
        } else if of_jaq("invalid path expression with input ") {
            EvalError::new(
                EvalErrorKind::Data,
                "the expression uses as a path what is none",
            )
        } else if of_jaq("cannot use ") {
            EvalError::new(
                EvalErrorKind::Data,
                "a function was given a value of the wrong type",
            )
        } else {
            let told = value.as_str().filter(|text| {
                let mut messages = self.0.messages.iter();
                messages.any(|message| **message == **text)
            });
            EvalError::new(
                EvalErrorKind::Raised,
                match told {
                    Some(text) => format!("the expression raised the error {text:?}"),
                    None => "the expression raised an error".to_owned(),
                },
            )
        }
    }
}

/// An output of a filter: a value that may still be a part of the record.
#[derive(Clone, Debug)]
pub struct Output<'v>(View<'v>);

impl Output<'_> {
    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        self.0.is_null()
    }

    /// The boolean, if this is one.
    pub fn as_bool(&self) -> Option<bool> {
        self.0.as_bool()
    }

    /// The string, if this is one.
    pub fn as_text(&self) -> Option<Cow<'_, str>> {
        self.0.text()
    }

    /// `null`, `boolean`, `number`, `string`, `array` or `object`.
    pub fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    /// How deep arrays and objects nest at most: 0 for scalars, 1 for `[]`.
    pub fn depth(&self) -> usize {
        self.0.depth() as usize
    }

    /// As [`Val::text`].
    pub fn text(&self) -> Option<String> {
        match self.0.text() {
            Some(text) => Some(text.into_owned()),
            None => self.0.to_val().text(),
        }
    }

    /// Appends the value's JSON text, as `serde_json` writes it: `nan` as null, infinities as the largest double.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        self.0.write_json(out);
    }

    /// The value to keep.
    pub fn into_val(self) -> Val {
        self.0.into_val()
    }
}

/// Shows the text that was compiled.
impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.source()).finish()
    }
}

fn begin() -> Evaluation {
    builtins::reset();
    Evaluation::begin()
}

/// What may run a program.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Engine {
    Either,
    /// For comparison.
    #[cfg(test)]
    Jaq,
}

/// The program, and what to say about it.
fn compile(text: &str, engine: Engine) -> Result<Parts, CompileError> {
    let arena = Arena::default();
    let term = parse::program(text, &arena)?;
    let hint = advice::of_program(&term);
    let mut messages = Vec::new();
    raised_texts(&term, &mut messages);
    Ok((compile_term(text, term, &arena, engine)?, hint, messages))
}

/// A program, what to say about it, and the texts that it raises.
type Parts = (Program, Option<&'static str>, Vec<Box<str>>);

/// Texts of `error("…")` and `"…" | error`: they are the program's and no data, so that they may be shown.
fn raised_texts(term: &Tm<'_>, texts: &mut Vec<Box<str>>) {
    let raised = match term {
        Term::Call("error", args) => args.first(),
        Term::BinOp(text, BinaryOp::Pipe(None), error) if matches!(&**error, Term::Call("error", args) if args.is_empty()) => {
            Some(&**text)
        }
        _ => None,
    };
    if let Some(text) = raised.and_then(syntax::constant) {
        texts.extend(text.as_str().map(Box::from));
    }
    each_part(term, &mut |part| raised_texts(part, texts));
}

fn compile_term<'s>(
    text: &'s str,
    term: Tm<'s>,
    arena: &'s Arena,
    engine: Engine,
) -> Result<Program, CompileError> {
    if let Some(value) = syntax::constant(&term) {
        return Ok(Program::Constant(value));
    }
    let library = parse::definitions(builtins::DEFS, arena)?;
    if engine == Engine::Either
        && let Some(expr) = native::compile(&term, &library)
    {
        return Ok(Program::Native(expr));
    }
    let mut defs = needed(library, &term);
    let mut main = MAIN.to_owned();
    while text.contains(&main) {
        main.push('_');
    }
    defs.push(Def {
        name: main.as_str(),
        args: Vec::new(),
        body: term,
    });
    let main = File {
        code: main.as_str(),
        path: (),
    };
    let loader_arena = Arena::default();
    let modules = Loader::new(defs)
        .load(&loader_arena, main)
        .map_err(|_| CompileError::new("the expression could not be loaded", None))?;
    let filter = Compiler::default()
        .with_funs(builtins::funs())
        .compile(modules)
        .map_err(|files| {
            let first = files.into_iter().flat_map(|(_, problems)| problems).next();
            first.map_or_else(
                || CompileError::new("the expression could not be compiled", None),
                |(name, undefined)| undefined_name(text, name, undefined),
            )
        })?;
    Ok(Program::Jaq(filter))
}

/// The definitions that a term needs, directly or not. Each one that is left out saves time and memory.
fn needed<'s>(library: Vec<Def<&'s str>>, term: &Tm<'s>) -> Vec<Def<&'s str>> {
    fn collect<'s>(term: &Tm<'s>, names: &mut HashSet<(&'s str, usize)>) {
        match term {
            Tm::Call(name, args) => {
                names.insert((name, args.len()));
            }
            // A format in front of a string.
            Tm::Str(Some(name), _) => {
                names.insert((name, 0));
            }
            _ => {}
        }
        each_part(term, &mut |part| collect(part, names));
    }
    let mut names = HashSet::new();
    collect(term, &mut names);
    let mut used: Vec<Def<&'s str>> = Vec::new();
    for def in library.into_iter().rev() {
        if names.contains(&(def.name, def.args.len())) {
            collect(&def.body, &mut names);
            used.push(def);
        }
    }
    used.reverse();
    used
}

fn undefined_name(text: &str, name: &str, undefined: Undefined) -> CompileError {
    // The name is a part of the text, unless it comes from a definition of ours.
    let inside = text.as_bytes().as_ptr_range().contains(&name.as_ptr());
    let position = inside.then(|| text[..span(text, name).start].chars().count());
    let what = match undefined {
        Undefined::Filter(0) if name.contains('-') => format!("function `{name}` is not defined"),
        Undefined::Filter(0) => format!(
            "function `{name}` is not defined{}",
            hint(text, name, position)
        ),
        Undefined::Filter(arity) => {
            format!("function `{name}` with {arity} arguments is not defined")
        }
        Undefined::Var => format!("variable `{name}` is not defined"),
        Undefined::Label => format!("label `{name}` is not defined"),
        _ => format!("`{name}` is not defined"),
    };
    let place = position
        .map(|at| format!(" (at character {})", at + 1))
        .unwrap_or_default();
    CompileError::new(what + &place, position)
}

/// `.first-name` is a subtraction to jq.
fn hint(text: &str, name: &str, position: Option<usize>) -> String {
    let Some(position) = position else {
        return String::new();
    };
    let before: String = text.chars().take(position).collect();
    let key = before.strip_suffix('-').and_then(|before| {
        before
            .rsplit(|c: char| c != '_' && !c.is_ascii_alphanumeric())
            .next()
    });
    match key {
        Some(key) if !key.is_empty() => {
            format!(": a key with a dash is written `.[\"{key}-{name}\"]`")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn every_function_finds_those_that_it_is_made_of() {
        let arena = Arena::default();
        let defs = parse::definitions(builtins::DEFS, &arena).unwrap();
        assert!(defs.len() > 100);
        for def in defs {
            let args = vec!["."; def.args.len()].join("; ");
            let call = if args.is_empty() {
                def.name.to_owned()
            } else {
                format!("{}({args})", def.name)
            };
            Filter::compile(&call).unwrap_or_else(|e| panic!("{call}: {e}"));
        }
    }

    #[test]
    fn paths_and_literals_need_no_program() {
        let kind = |text: &str| match Filter::compile(text).unwrap().0.program {
            Program::Constant(_) => "constant",
            Program::Native(_) => "native",
            Program::Jaq(_) => "jaq",
        };
        for text in [
            "\"user\"",
            "true",
            "false",
            "null",
            "1.5",
            "-1",
            "[]",
            "{}",
            "$ENV",
            "\"\\u00e9\"",
        ] {
            assert_eq!(kind(text), "constant", "{text}");
        }
        for text in [
            ".",
            ".a",
            ".a.b",
            ".a[0].b",
            ".[\"a b\"]",
            ".[-1]",
            "(.a)",
            ".a?",
            ".a[]",
            ".a, .b",
            "\"\\(.a)\"",
            "1 + 1",
            "[1]",
            ".a // .b | ascii_downcase",
            ".labels | map(select(.a == \"x\") | .b) | join(\",\")",
            "if .a then .b elif .c then 1 else empty end",
            "[.a[] | {b, c: .d}] | sort_by(.b) | first",
            ".a | test(\"^x\"; \"i\")",
            ".a | gsub(\"[^a-z]+\"; \"-\")",
            "to_entries | map(\"\\(.key)=\\(.value)\")",
            "def slug: ascii_downcase | gsub(\" \"; \"-\"); .name | slug",
            "try (.a | fromjson) catch null",
            ".a as $x | .b | any(.c == $x)",
            "@base64 \"\\(.a)\"",
            ".at | fromdate | todate",
            "[.[] | tostring] | unique",
            "[limit(1; .a)]",
        ] {
            let wanted = if text.contains("limit") {
                "jaq"
            } else {
                "native"
            };
            assert_eq!(kind(text), wanted, "{text}");
        }
        for text in [
            "def true: 1; true | ..|= .",
            "reduce .[] as $x (0; . + $x)",
            "def f: if . > 9 then . else . + 1 | f end; f",
            "del(.a)",
            ".a |= 1",
            "label $out | break $out",
        ] {
            assert_eq!(kind(text), "jaq", "{text}");
        }
    }

    /// A filter that jaq runs, to compare with.
    pub(crate) fn by_jaq(text: &str) -> Result<Filter, CompileError> {
        Filter::build(text, text, Engine::Jaq)
    }

    /// The first output, and what the evaluation was charged for it.
    fn charged(filter: &Filter, input: &Val) -> (Val, usize) {
        let evaluation = begin();
        let output = match &filter.0.program {
            Program::Constant(value) => Some(value.clone()),
            Program::Native(expr) => {
                let first = expr.first(&View::of(input));
                first.unwrap().map(View::into_val)
            }
            Program::Jaq(jaq) => {
                let ctx = Ctx::<Data>::new(&jaq.lut, Vars::new([]));
                let first = jaq.id.run((ctx, input.clone())).next();
                first.map(|output| output.unwrap_or_else(|_| panic!("{}", filter.source())))
            }
        };
        (output.unwrap(), evaluation.charged())
    }

    #[test]
    fn whoever_makes_text_is_charged_for_it_whatever_runs_the_program() {
        let long = "a line of text\\n".repeat(1000);
        let page = format!(
            r#"{{"s": "  {long}  ", "plain": "{}", "list": ["{long}", 1], "codes": [{}65]}}"#,
            "plain text,".repeat(1000),
            "65,".repeat(10_000),
        );
        for program in [
            ".list | tostring",
            ".list | tojson",
            ". | tostring",
            ".list | @text",
            ".list | @json",
            ".list | @html",
            ".list | @uri",
            ".list | @base64",
            ".list | @base32",
            ".list | @csv",
            ".list | @tsv",
            ".list | @sh",
            ".s",
            ".plain | @base64 | @base64d",
            ".plain | @base32 | @base32d",
            ".s | @uri | @urid",
            ".list | format(\"text\")",
            "\"\\(.list)\"",
            "\"\\(.s) and \\(.list)\"",
            "@html \"<\\(.list)>\"",
            ".s + .plain",
            ".plain + \"!\"",
            "[.s, .plain] | add",
            ".plain * 3",
            ".list | join(\"-\")",
            ".codes | implode",
            ".s | explode | implode",
            ".plain | ascii_downcase",
            ".plain | ascii_upcase",
            ".s | trim",
            ".s | ltrim",
            ".s | rtrim",
            ".plain | ltrimstr(\"p\")",
            ".plain | rtrimstr(\",\")",
            ".plain | .[1:]",
            ".plain | split(\"!\") | .[0]",
            ".plain | split(\"!\"; null) | .[0]",
            ".plain | match(\".*\").string",
            ".plain | match(\"(.*)\").captures[0].string",
            ".plain | capture(\"(?<all>.*)\").all",
            ".plain | [scan(\".*\")][0]",
            ".plain | sub(\"plain\"; \"\")",
            ".plain | gsub(\",\"; \";\")",
            ".plain | sub(\"(?<all>.+)\"; .all)",
            ".list[0] | tojson | fromjson",
            ".s | . as $s | 0 | strftime($s)",
        ] {
            for filter in [Filter::compile(program).unwrap(), by_jaq(program).unwrap()] {
                let (output, charged) = charged(&filter, &Val::read_page(page.as_str()).unwrap());
                let made = output
                    .as_str()
                    .unwrap_or_else(|| panic!("{program}: {output}"))
                    .len();
                assert!(made > 9_000, "{program}: {made}");
                let by = if filter.is_native() {
                    "natively"
                } else {
                    "by jaq"
                };
                assert!(charged >= made, "{program}, run {by}: {charged} for {made}");
            }
        }
    }

    #[test]
    fn whoever_makes_values_of_a_page_is_charged_for_them() {
        let members: Vec<String> = (0..1000).map(|i| format!("\"k{i}\":{i}")).collect();
        let page = format!(
            r#"{{"wide": {{{}}}, "long": [{}0]}}"#,
            members.join(","),
            "0,".repeat(2000)
        );
        for program in [
            ".wide + {x: 1}",
            ".wide | with_entries(.)",
            ".wide | map_values(. + 1)",
            ".long + [1]",
            ".long | map(. + 1)",
            ".long | reverse",
            ". as $all | .wide.k0 | $all.long[1:]",
        ] {
            for filter in [Filter::compile(program).unwrap(), by_jaq(program).unwrap()] {
                let (_, charged) = charged(&filter, &Val::read_page(page.as_str()).unwrap());
                assert!(charged >= 2000 * size_of::<Val>(), "{program}: {charged}");
            }
        }
    }

    impl Filter {
        pub(crate) fn is_native(&self) -> bool {
            !matches!(self.0.program, Program::Jaq(_))
        }
    }
}
