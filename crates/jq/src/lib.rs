//! The jq compiler and evaluator of the longshore crates: jq's answers, and no program that could hang or end the process.
//!
//! A [`Filter`] is compiled once, when the configuration is loaded, and evaluated for each record. Records are [`Val`]s:
//! JSON values that are cheap to clone and go between threads.
//!
//! ```
//! use longshore_jq::{Filter, Val};
//! use serde_json::json;
//!
//! let open = Filter::compile_mapping(".state == 'open' and .priority > 2")?;
//! let title = Filter::compile(r#""\(.key): \(.title // "untitled")""#)?;
//!
//! let record = Val::from_json(&json!({"key": "AB-1", "state": "open", "priority": 3}));
//! assert_eq!(open.first(&record)?, Some(Val::from(true)));
//! assert_eq!(title.first(&record)?, Some(Val::from("AB-1: untitled")));
//!
//! let problem = Filter::compile(".first-name").unwrap_err();
//! assert!(problem.to_string().contains(r#"`.["first-name"]`"#));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Limits
//!
//! An evaluation may take [`MAX_TIME`], allocate [`MAX_MEMORY`], nest values up to [`MAX_DEPTH`] and recurse as far as about
//! half of a usual thread's stack lets it. Beyond that it ends with [`EvalErrorKind::Limit`], which no `try` in the program
//! can catch. The text of a program may have [`MAX_PROGRAM`] bytes. Threads need 2 MiB of stack, as Rust's and Tokio's have.
//!
//! A program sees an empty environment (`env`, `$ENV`) and no further inputs (`input`, `inputs`); `debug` and `stderr` pass
//! on what they are given; `halt` and `halt_error` are errors of the evaluation.
//!
//! # What differs from jq 1.8.2
//!
//! jaq-core runs the programs. Grammar, order of outputs, values and functions are jq's; real mappings are held against
//! libjq's answers. The differences that are left, on purpose or because nobody should depend on them:
//!
//! - Integers are exact from [`i64::MIN`] to [`u64::MAX`] as long as nothing is calculated with them; jq compares them as
//!   doubles after any arithmetic.
//! - Numbers too large for a double are the largest one, also where jq keeps the text of a literal (`1e1000 | tojson`).
//! - `fromjson` takes no `nan`, no `Infinity` and no more than 127 levels of nesting.
//! - Times are UTC, in `localtime` and `strflocaltime` as well: the environment has no `TZ`.
//! - Regular expressions are fancy-regex's, close to Oniguruma's; `[[:alpha:]]` and the like are ASCII. An empty match beside
//!   a character of several bytes is found once, by jq once for each byte. The flag `l` (longest match) is taken and changes
//!   nothing. `\X`, `\y` and `\Y` (clusters of characters) are no syntax here; `\u00e9` is, and look-behind of several lengths
//!   (`(?<=a|bb)`), which jq refuses. `\w` takes the joiners U+200C and U+200D for parts of a word, as Unicode does.
//! - A search that tries too much is an error ([`EvalErrorKind::Limit`]), as are patterns longer than 64 KiB, and look-around
//!   that would have to read a very long text again and again.
//! - `import`, `include`, `modulemeta`, `builtins`, `get_jq_origin` and `get_prog_origin` do not exist.
//! - `toarray`, `ascii`, `leaf_paths`, `date`, `dateadd`, `datesub`, `pow10`, `@base32` and `@base32d`, which jq documents or
//!   once had, do exist.
//! - Two slices of one array are equal when their elements are; for jq it is enough that they have the same length.
//! - `reduce` with several initial values runs on the same input for each; jq forgets the input after the first.
//! - Some messages that `catch` gets have other words: those of paths that are none, of regular expressions that do not
//!   compile, and of text that is no JSON.
//!
//! # For whom this is not
//!
//! For a command line or a general jq library take jaq itself: it streams, reads several formats and has no limits.

mod advice;
mod builtins;
mod error;
mod fail;
mod filter;
mod limits;
mod native;
mod syntax;
mod val;

pub use builtins::at_time;
pub use error::{CompileError, EvalError, EvalErrorKind};
pub use filter::{Filter, Output};
pub use limits::{MAX_MEMORY, MAX_TIME};
pub use native::{Absent, Step, path_text};
pub use syntax::MAX_PROGRAM;
pub use val::{MAX_DEPTH, Val};
