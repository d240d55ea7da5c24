//! Compiled expressions.

use crate::error::{CompileError, EvalError, EvalErrorKind};
use crate::fail;
use crate::limits::Evaluation;
use crate::val::Val;
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Exn, Vars};
use std::fmt;
use std::sync::Arc;

/// A compiled jq expression. Compile it once, at load, and use it for all records, from any thread.
#[derive(Clone)]
pub struct Filter(Arc<Compiled>);

struct Compiled {
    source: Box<str>,
    program: jaq_core::Filter<JustLut<Val>>,
}

impl Filter {
    /// Compiles an expression as it stands.
    pub fn compile(text: &str) -> Result<Filter, CompileError> {
        Self::build(text, text)
    }

    /// Compiles an expression of a mapping file, where single quotes may stand for double quotes.
    pub fn compile_mapping(text: &str) -> Result<Filter, CompileError> {
        Self::build(text, text)
    }

    fn build(source: &str, program: &str) -> Result<Filter, CompileError> {
        let arena = Arena::default();
        let defs = jaq_core::defs().chain(jaq_std::defs());
        let modules = Loader::new(defs)
            .load(
                &arena,
                File {
                    code: program,
                    path: (),
                },
            )
            .map_err(|_| CompileError::new("syntax error", None))?;
        let funs = jaq_core::funs().chain(jaq_std::funs());
        let program = Compiler::default()
            .with_funs(funs)
            .compile(modules)
            .map_err(|e| {
                CompileError::new(
                    format!(
                        "undefined: {:?}",
                        e.into_iter().map(|e| e.1).collect::<Vec<_>>()
                    ),
                    None,
                )
            })?;
        Ok(Filter(Arc::new(Compiled {
            source: source.into(),
            program,
        })))
    }

    /// The text that was compiled, as the user wrote it.
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The first output, if there is one.
    pub fn first(&self, input: &Val) -> Result<Option<Val>, EvalError> {
        let evaluation = Evaluation::begin();
        let ctx = Ctx::<JustLut<Val>>::new(&self.0.program.lut, Vars::new([]));
        let first = self.0.program.id.run((ctx, input.clone())).next();
        if let Some(limit) = evaluation.hit() {
            return Err(EvalError::limit(limit));
        }
        first.transpose().map_err(eval_error)
    }

    /// All outputs. An error after some outputs is an error of the whole.
    pub fn all(&self, input: &Val) -> Result<Vec<Val>, EvalError> {
        let evaluation = Evaluation::begin();
        let ctx = Ctx::<JustLut<Val>>::new(&self.0.program.lut, Vars::new([]));
        let all: Result<Vec<Val>, _> = self.0.program.id.run((ctx, input.clone())).collect();
        if let Some(limit) = evaluation.hit() {
            return Err(EvalError::limit(limit));
        }
        all.map_err(eval_error)
    }

    /// The output of an expression that is a literal, such as `"user"` or `true`.
    pub fn as_constant(&self) -> Option<Val> {
        serde_json::from_str(&self.0.source).ok()
    }
}

fn eval_error(exn: Exn<'_, Val>) -> EvalError {
    match exn.get_err() {
        Ok(error) => {
            let value = error.into_val();
            match fail::plain(&value) {
                Some(plain) => EvalError::new(EvalErrorKind::Data, plain.to_string()),
                None => EvalError::new(EvalErrorKind::Raised, "the expression raised an error"),
            }
        }
        Err(_) => EvalError::new(
            EvalErrorKind::Halt,
            "the expression ends the program, which it may not",
        ),
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.source()).finish()
    }
}
