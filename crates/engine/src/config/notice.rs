//! What is said about a configuration: where, and what to change.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One remark about the configuration: a problem in a [`ConfigError`], or a warning of a configuration that loads.
///
/// Never holds the value of a setting that may be secret, nor text around the place.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub struct Notice {
    /// The file as it was named when loading, or `environment`.
    pub file: String,
    /// The line in that file, from 1. None for the environment and for a mapping that was never text.
    pub line: Option<usize>,
    /// The setting in the writer's own spelling (`resources[1].port.entity.mappings.properties.email`), or the variable's name.
    pub path: String,
    /// What is wrong and what to change, one line.
    pub message: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.path.is_empty() {
            write!(f, ": {}", self.path)?;
        }
        write!(f, ": {}", self.message)
    }
}

/// Why a configuration does not load: every problem of every file and of the environment at once.
///
/// Displays one problem per line, sorted by file and line, and then each warning as `warning: …`: what was ignored is often why
/// something else is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct ConfigError {
    /// At least one, sorted by file and line.
    pub problems: Vec<Notice>,
    /// What else is probably not meant, sorted likewise; as far as reading came.
    pub warnings: Vec<Notice>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            write!(f, "{problem}")?;
        }
        for warning in &self.warnings {
            write!(f, "\nwarning: {warning}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// Where something is written.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) file: Arc<str>,
    pub(super) line: Option<usize>,
    pub(super) path: String,
}

impl Place {
    /// The top of a file.
    pub(super) fn file(name: &str) -> Place {
        Place {
            file: Arc::from(name),
            line: None,
            path: String::new(),
        }
    }

    /// A path that is written here: what is relative counts from the file that names it.
    pub(super) fn path_to(&self, text: &str) -> PathBuf {
        let folder = Path::new(&*self.file).parent();
        folder.unwrap_or(Path::new("")).join(text)
    }

    /// The place of a key of the object that is here.
    pub(super) fn child(&self, key: &str) -> Place {
        Place {
            path: key_path(&self.path, key),
            ..self.clone()
        }
    }
}

/// The path of a key below `parent`.
pub(super) fn key_path(parent: &str, key: &str) -> String {
    let shown = shown_key(key);
    if parent.is_empty() {
        shown
    } else {
        format!("{parent}.{shown}")
    }
}

/// A key as problems show it.
///
/// A forgotten space after a colon makes one key of name and value (`{apiToken:abc}`), so a key is shown up to the
/// first colon, equals sign or space only.
fn shown_key(key: &str) -> String {
    let odd = |c: char| c == ':' || c == '=' || c.is_whitespace() || c.is_control();
    let end = key.find(odd).unwrap_or(key.len());
    let mut shown: String = key[..end].chars().take(80).collect();
    if shown.len() < key.len() {
        shown.push('…');
    }
    shown
}

/// Collects what is found while reading.
#[derive(Debug, Default)]
pub(super) struct Findings {
    problems: Vec<Notice>,
    warnings: Vec<Notice>,
}

impl Findings {
    pub(super) fn problem(&mut self, place: &Place, message: impl Into<String>) {
        self.problems.push(notice(place, message.into()));
    }

    pub(super) fn warning(&mut self, place: &Place, message: impl Into<String>) {
        self.warnings.push(notice(place, message.into()));
    }

    /// Whether a problem is known of this place or of what holds it, up to `root`.
    pub(super) fn has_problem_above(&self, place: &Place, root: &Place) -> bool {
        self.problems.iter().any(|problem| {
            *problem.file == *place.file
                && problem.path.len() > root.path.len()
                && place
                    .path
                    .strip_prefix(&problem.path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
    }

    pub(super) fn problem_count(&self) -> usize {
        self.problems.len()
    }

    /// What was read and the warnings, or every problem. What cannot be read must have left a problem.
    pub(super) fn finish<T>(mut self, read: Option<T>) -> Result<(T, Vec<Notice>), ConfigError> {
        for notices in [&mut self.problems, &mut self.warnings] {
            notices.sort();
            notices.dedup();
        }
        match read {
            Some(read) if self.problems.is_empty() => Ok((read, self.warnings)),
            _ => Err(ConfigError {
                problems: self.problems,
                warnings: self.warnings,
            }),
        }
    }
}

fn notice(place: &Place, message: String) -> Notice {
    Notice {
        file: place.file.to_string(),
        line: place.line,
        path: place.path.clone(),
        message: message.replace(|c: char| c.is_control(), " "),
    }
}
