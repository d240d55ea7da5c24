//! The files of a new integration, under the names that the reference gives them.

use std::fmt;
use std::path::{Path, PathBuf};

use longshore_port_client::Blueprint;
use serde_json::Value;

use crate::config::{self, Config};

/// Under which endings a file may lie.
const ENDINGS: [&str; 3] = ["json", "yml", "yaml"];

/// A file for the first start that is there and cannot be used. `Display` is a line for each problem.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidFile(pub(crate) String);

impl fmt::Display for InvalidFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidFile {}

/// The mapping of a new integration, checked and in Port's form.
pub(super) fn mapping(folder: &Path, config: &Config) -> Result<Option<Value>, InvalidFile> {
    let Some(file) = find(folder, "port-app-config") else {
        return Ok(None);
    };
    let mapping = config::mapping_file(&file, &config.connection)
        .map_err(|error| InvalidFile(error.to_string()))?;
    Ok(Some(mapping.for_port()))
}

/// The blueprints in the folder; none where there is no such file.
pub(super) fn blueprints(folder: &Path) -> Result<Vec<Blueprint>, InvalidFile> {
    match find(folder, "blueprints") {
        Some(file) => blueprints_in(&file),
        None => Ok(Vec::new()),
    }
}

/// The blueprints of a file: a list of them, or an object with `blueprints`.
pub(super) fn blueprints_in(file: &Path) -> Result<Vec<Blueprint>, InvalidFile> {
    let invalid = |what: String| InvalidFile(format!("{}: {what}", file.display()));
    let content = config::json_file(file).map_err(|error| InvalidFile(error.to_string()))?;
    let list = match content {
        Value::Array(list) => list,
        Value::Object(mut object) if object.contains_key("blueprints") => {
            match object.remove("blueprints") {
                Some(Value::Array(list)) => list,
                _ => return Err(invalid("blueprints: must be a list".to_owned())),
            }
        }
        _ => return Err(invalid("must be a list of blueprints".to_owned())),
    };
    list.into_iter()
        .enumerate()
        .map(|(index, blueprint)| {
            serde_json::from_value(blueprint)
                .map_err(|error| invalid(format!("[{index}]: {error}")))
        })
        .collect()
}

impl super::FirstStart {
    /// Takes the blueprints of this file instead: a list of them as JSON or YAML, as `blueprints.json` of the reference's integrations.
    ///
    /// # Errors
    /// The file cannot be read, or something in it is no blueprint.
    pub fn with_blueprints_of(mut self, file: &Path) -> Result<Self, InvalidFile> {
        self.blueprints = blueprints_in(file)?;
        Ok(self)
    }
}

fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    ENDINGS
        .iter()
        .map(|ending| folder.join(format!("{name}.{ending}")))
        .find(|file| file.is_file())
}
